//! Laws that hold for any column: states are order-free, values come back, encodings are finite.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow_array::types::*;
use arrow_array::*;
use arrow_schema::{DataType, Field};
use proptest::prelude::*;

use super::tests::{decoded, encoded, fitted, floats};
use super::{Codec, ColumnState, Kind};
use crate::secret::Secret;

fn any_column() -> impl Strategy<Value = ArrayRef> {
    let word = prop::option::weighted(0.9, "[a-c]{0,3}");
    prop_oneof![
        prop::collection::vec(word, 1..60).prop_map(|v| Arc::new(v.into_iter().collect::<StringArray>()) as ArrayRef),
        prop::collection::vec(prop::option::of(-20_i64..20), 1..60).prop_map(|v| Arc::new(Int64Array::from(v)) as _),
        prop::collection::vec(prop::option::of(any::<bool>()), 1..60)
            .prop_map(|v| Arc::new(BooleanArray::from(v)) as _),
        prop::collection::vec(any::<f64>(), 1..60).prop_map(|v| Arc::new(Float64Array::from(v)) as _),
        prop::collection::vec(-9_000_i32..9_000, 1..60).prop_map(|v| Arc::new(Date32Array::from(v)) as _),
    ]
}

/// Everything a state would become, to compare states by.
fn written(state: ColumnState, array: &ArrayRef) -> String {
    let field = Field::new("x", array.data_type().clone(), true);
    let kinds = Kind::ALL.into_iter().filter(|kind| state.accepts(*kind));
    let codecs = kinds.filter_map(|kind| state.clone().finish(&field, kind, array).ok());
    codecs
        .map(|codec| {
            let mut store = crate::store::Store::default();
            format!("{} {store:?}", codec.write(&mut store, "c"))
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn merging_in_any_order_is_one_pass(array in any_column(), cut in 0.0_f64..1.0) {
        let field = Field::new("x", array.data_type().clone(), true);
        let cut = (array.len() as f64 * cut) as usize;
        let observed = |parts: &[ArrayRef]| {
            let mut state = ColumnState::new(&field).unwrap();
            parts.iter().for_each(|part| state.observe(part).unwrap());
            state
        };
        let (left, right) = (array.slice(0, cut), array.slice(cut, array.len() - cut));
        let whole = written(observed(std::slice::from_ref(&array)), &array);
        let mut forward = observed(std::slice::from_ref(&left));
        forward.merge(observed(std::slice::from_ref(&right)));
        let mut backward = observed(std::slice::from_ref(&right));
        backward.merge(observed(std::slice::from_ref(&left)));
        prop_assert_eq!(&written(forward, &array), &whole);
        prop_assert_eq!(&written(backward, &array), &whole);
        // Removing undoes observing.
        let mut removed = observed(&[array.clone(), right.clone()]);
        removed.remove(&right).unwrap();
        prop_assert_eq!(written(removed, &array), whole);
    }

    #[test]
    fn discrete_values_come_back_exactly(array in any_column()) {
        prop_assume!(array.data_type() != &DataType::Float64);
        let mut codec = fitted("x", &array, None);
        if codec.kind() == Kind::Text || codec.kind() == Kind::Id {
            codec = fitted("x", &array, Some(Kind::Category));
        }
        let rare_are_kept = array.len() < 33 || array.data_type() == &DataType::Date32;
        prop_assume!(rare_are_kept);
        prop_assert_eq!(&decoded(&codec, &array), &array);
    }

    /// Within 1e-5 of the larger of the column's scale and the distance from its middle.
    #[test]
    fn floats_come_back_within_tolerance(values in prop::collection::vec(-1e3_f64..1e3, 70..200)) {
        let array = floats(&values);
        let back = decoded(&fitted("x", &array, None), &array);
        for (value, back) in values.iter().zip(back.as_any().downcast_ref::<Float64Array>().unwrap().values()) {
            prop_assert!((value - back).abs() <= 1e-5 * 1e3, "{} {}", value, back);
        }
    }

    /// Of any kind, for any values, through a file and with the key.
    #[test]
    fn a_redacted_codec_encodes_alike(array in any_column(), probe in any_column()) {
        let secret = Secret::new(&[9; 32]).unwrap();
        for kind in Kind::ALL {
            let field = Field::new("x", array.data_type().clone(), true);
            let mut state = ColumnState::new(&field).unwrap();
            state.observe(&array).unwrap();
            let Ok(codec) = state.finish(&field, kind, &array) else { continue };
            let mut store = crate::store::Store::default();
            let written = codec.redacted(&secret).write(&mut store, "c");
            let locked = Codec::read(&written, &store, "c").unwrap();
            prop_assert!(!locked.content().is_clear());
            let open = locked.unlocked(&secret).unwrap();
            for rows in [&array, &probe].into_iter().filter(|rows| codec.fits(rows.data_type())) {
                prop_assert_eq!(encoded(&open, rows), encoded(&codec, rows));
            }
        }
    }

    #[test]
    fn encoded_values_are_always_finite(array in any_column(), probe in any_column()) {
        let codec = fitted("x", &array, None);
        if codec.fits(probe.data_type()) {
            prop_assert!(encoded(&codec, &probe).x.iter().all(|x| x.is_finite() && x.abs() <= 30.0));
        }
    }
}

/// More values than are counted exactly: merged and single-pass sketches agree.
#[test]
fn overflowed_counts_merge_in_any_order() {
    let few: Vec<i64> = (0..5_000).map(|i| i * i % 3_000).collect();
    let many: Vec<i64> = (0..120_000).map(|i| i % 60_000).collect();
    for values in [few, many] {
        merge_in_any_order(&(Arc::new(PrimitiveArray::<Int64Type>::from(values)) as ArrayRef));
    }
}

fn merge_in_any_order(array: &ArrayRef) {
    let rows = array.len();
    let field = Field::new("x", DataType::Int64, true);
    let observed = |parts: &[ArrayRef]| {
        let mut state = ColumnState::new(&field).unwrap();
        parts.iter().for_each(|part| state.observe(part).unwrap());
        state
    };
    let whole = written(observed(std::slice::from_ref(array)), array);
    for cut in [10, 800, rows / 2, rows - 10] {
        let mut merged = observed(&[array.slice(cut, rows - cut)]);
        merged.merge(observed(&[array.slice(0, cut)]));
        assert_eq!(written(merged, array), whole);
        let mut removed = observed(&[array.clone(), array.slice(0, cut)]);
        removed.remove(&array.slice(0, cut)).unwrap();
        assert_eq!(written(removed, array), whole);
    }
}
