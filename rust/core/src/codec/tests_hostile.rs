//! A model file from a stranger: what was written reads back to the same bytes, and damage is an error, never a panic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow_array::*;
use arrow_cast::cast;
use arrow_schema::DataType;
use serde_json::{Value, json};

use super::tests::fitted;
use super::{Codec, Kind};
use crate::block::{Block, Part};
use crate::error::Group;
use crate::secret::Secret;
use crate::store::{Store, Tensor};

fn codecs() -> Vec<(Codec, ArrayRef)> {
    let words: ArrayRef = Arc::new((0..200).map(|i| Some(format!("w{}", i % 40))).collect::<StringArray>());
    let integers: ArrayRef = Arc::new(Int64Array::from((0..200).map(|i| i % 70).collect::<Vec<i64>>()));
    let booleans: ArrayRef = Arc::new(BooleanArray::from((0..200).map(|i| i % 3 == 0).collect::<Vec<bool>>()));
    let floats: ArrayRef = Arc::new(Float64Array::from((0..200).map(|i| f64::from(i % 50) * 0.25).collect::<Vec<_>>()));
    let zoned = TimestampMillisecondArray::from((0..200).map(|i| i * 86_000_000).collect::<Vec<i64>>());
    let zoned: ArrayRef = Arc::new(zoned.with_timezone("America/New_York"));
    let dates: ArrayRef =
        Arc::new((0..200).map(|i| Some(format!("{}/{}/2020", i % 12 + 1, i % 28 + 1))).collect::<StringArray>());
    let packed = cast(&words, &DataType::Dictionary(Box::new(DataType::UInt32), Box::new(DataType::Utf8View))).unwrap();
    let cases = [
        (words.clone(), Kind::Category),
        (words.clone(), Kind::Text),
        (words.clone(), Kind::Key),
        (words, Kind::Id),
        (packed, Kind::Category),
        (integers.clone(), Kind::Number),
        (integers.clone(), Kind::Category),
        (integers, Kind::Key),
        (booleans.clone(), Kind::Boolean),
        (booleans, Kind::Category),
        (floats, Kind::Number),
        (zoned, Kind::Datetime),
        (dates, Kind::Datetime),
        (new_null_array(&DataType::Float32, 5), Kind::Category),
    ];
    let plain: Vec<(Codec, ArrayRef)> =
        cases.into_iter().map(|(array, kind)| (fitted("x", &array, Some(kind)), array)).collect();
    let secret = Secret::new(&[5; 16]).unwrap();
    let redacted: Vec<_> = plain.iter().map(|(codec, array)| (codec.redacted(&secret), array.clone())).collect();
    plain.into_iter().chain(redacted).collect()
}

/// Whatever was read must work on any block.
fn use_all(codec: &Codec, array: &ArrayRef) {
    let specs = codec.specs();
    let numbers = specs.iter().filter(|spec| spec.size.is_none()).count();
    let mut block = Block::new(array.len(), numbers, specs.len() - numbers);
    if let Ok(source) = codec.open(array) {
        source.encode(0..array.len(), &mut block.view(), 0, 0);
        assert!(block.x.iter().all(|x| !x.is_nan()));
    }
    let _ = codec.decode(&block, 0, 0, u64::MAX);
    block.x.fill(f32::INFINITY);
    block.c.fill(u16::MAX);
    let _ = codec.decode(&block, 0, 0, 0);
    block.c.fill(0);
    let _ = codec.decode(&block, 0, 0, 0);
    let _ = codec.summary();
    for part in [Part::Value, Part::Position, Part::Length, Part::Frequency, Part::Shape, Part::Hour] {
        let _ = codec.show_number(part, f32::NEG_INFINITY);
        let _ = codec.show_category(part, u16::MAX);
    }
}

#[test]
fn what_was_written_reads_back_to_the_same_bytes() {
    for (codec, array) in codecs() {
        let mut store = Store::default();
        let value = codec.write(&mut store, "codec.3");
        let text = value.to_string();
        let back = Codec::read(&serde_json::from_str(&text).unwrap(), &store, "codec.3").unwrap();
        let mut again = Store::default();
        assert_eq!(back.write(&mut again, "codec.3").to_string(), text);
        assert_eq!(again, store);
        assert_eq!((back.column(), back.specs(), back.summary()), (codec.column(), codec.specs(), codec.summary()));
        use_all(&back, &array);
    }
}

#[test]
fn a_damaged_field_is_an_error() {
    let strange = [
        Value::Null,
        json!(-1),
        json!(u64::MAX),
        json!(1.5),
        json!("x"),
        json!(true),
        json!([]),
        json!({}),
        json!("dictionary<int8, utf8>"),
        json!("decimal128(38, -70)"),
        json!("timestamp[ns, No/Where]"),
        json!("number"),
        json!("key"),
        json!("datetime"),
    ];
    let mut refused = 0;
    for (codec, array) in codecs() {
        let mut store = Store::default();
        let value = codec.write(&mut store, "c");
        for field in value.as_object().unwrap().keys() {
            for other in &strange {
                let mut damaged = value.clone();
                damaged[field] = other.clone();
                match Codec::read(&damaged, &store, "c") {
                    Ok(codec) => use_all(&codec, &array),
                    Err(error) => {
                        assert_eq!(error.group, Group::ModelFile);
                        refused += 1;
                    }
                }
            }
            let mut damaged = value.clone();
            damaged.as_object_mut().unwrap().remove(field);
            assert!(Codec::read(&damaged, &store, "c").is_err(), "{field} is needed");
        }
    }
    assert!(refused > 500, "{refused}");
    assert!(Codec::read(&json!([]), &Store::default(), "c").is_err());
}

#[test]
fn a_damaged_tensor_is_an_error_or_harmless() {
    for (codec, array) in codecs() {
        let mut store = Store::default();
        let value = codec.write(&mut store, "c");
        for name in store.tensors.keys() {
            let mut lost = store.clone();
            lost.tensors.remove(name);
            assert!(Codec::read(&value, &lost, "c").is_err(), "{name} is needed");
            for change in changes(&store.tensors[name]) {
                let mut damaged = store.clone();
                damaged.tensors.insert(name.clone(), change);
                if let Ok(codec) = Codec::read(&value, &damaged, "c") {
                    use_all(&codec, &array);
                }
            }
        }
    }
}

fn changes(tensor: &Tensor) -> Vec<Tensor> {
    fn each<T: Copy>(data: &[T], strange: &[T]) -> Vec<Vec<T>> {
        let mut all = vec![Vec::new(), data[..data.len() / 2].to_vec(), [data, data].concat()];
        for place in [0, data.len() / 2, data.len().saturating_sub(1)] {
            for &value in strange {
                let mut changed = data.to_vec();
                if let Some(cell) = changed.get_mut(place) {
                    *cell = value;
                }
                all.push(changed);
            }
        }
        all
    }
    let mut all = vec![Tensor::F64(vec![0.0; 4]), Tensor::U8(vec![255; 3])];
    match tensor {
        Tensor::U8(data) => all.extend(each(data, &[0, 128, 255]).into_iter().map(Tensor::U8)),
        Tensor::U32(data) => all.extend(each(data, &[0, 1, u32::MAX]).into_iter().map(Tensor::U32)),
        Tensor::I64(data) => all.extend(each(data, &[0, i64::MIN, i64::MAX]).into_iter().map(Tensor::I64)),
        Tensor::F64(data) => {
            let strange = [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MAX, f64::MIN, f64::MIN_POSITIVE];
            all.extend(each(data, &strange).into_iter().map(Tensor::F64));
        }
        Tensor::U16 { .. } | Tensor::F32 { .. } => {}
    }
    all
}
