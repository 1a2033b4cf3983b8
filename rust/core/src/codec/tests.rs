//! What every kind promises: decisions on odd values, order-free states, exact ways back, every Arrow layout.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use arrow_array::*;
use arrow_cast::cast;
use arrow_schema::{DataType, Field, TimeUnit};

use super::{Codec, ColumnState, Kind};
use crate::block::*;

fn strings(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<StringArray>())
}

pub(super) fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

pub(super) fn fitted(name: &str, array: &ArrayRef, kind: Option<Kind>) -> Codec {
    let field = Field::new(name, array.data_type().clone(), true);
    let mut state = ColumnState::new(&field).unwrap();
    state.observe(array).unwrap();
    let kind = kind.unwrap_or_else(|| state.infer(name, array));
    state.finish(&field, kind, array).unwrap()
}

pub(super) fn encoded(codec: &Codec, array: &ArrayRef) -> Block {
    let specs = codec.specs();
    let numbers = specs.iter().filter(|spec| spec.size.is_none()).count();
    let mut block = Block::new(array.len(), numbers, specs.len() - numbers);
    // Two tiles, so that rows are placed from the tile's start.
    let half = array.len() / 2;
    let source = codec.open(array).unwrap();
    source.encode(0..array.len(), &mut block.view(), 0, 0);
    let mut tail = Block::new(array.len() - half, numbers, specs.len() - numbers);
    source.encode(half..array.len(), &mut tail.view(), 0, 0);
    assert_eq!(tail.x, block.x[half * numbers..]);
    assert_eq!(tail.c, block.c[half * (specs.len() - numbers)..]);
    for row in 0..block.rows {
        for (code, spec) in block.c_row(row).iter().zip(&specs[numbers..]) {
            assert!(*code < spec.size.unwrap());
        }
    }
    block
}

pub(super) fn decoded(codec: &Codec, array: &ArrayRef) -> ArrayRef {
    codec.decode(&encoded(codec, array), 0, 0, 0).unwrap()
}

fn inferred(name: &str, array: ArrayRef) -> Kind {
    let mut state = ColumnState::new(&Field::new(name, array.data_type().clone(), true)).unwrap();
    state.observe(&array).unwrap();
    state.infer(name, &array)
}

#[test]
fn numbers_have_a_status_for_all_that_is_no_number() {
    let array: ArrayRef = Arc::new(Float64Array::from(vec![
        Some(1.5),
        None,
        Some(f64::NAN),
        Some(f64::INFINITY),
        Some(f64::NEG_INFINITY),
    ]));
    let codec = fitted("x", &array, None);
    let block = encoded(&codec, &array);
    assert_eq!(block.c, [PRESENT, NULL, NAN, POS_INF, NEG_INF]);
    assert_eq!(block.x, [0.0; 5]);
    // The NaN differs from itself, so texts are compared.
    assert_eq!(format!("{:?}", decoded(&codec, &array)), format!("{array:?}"));
}

#[test]
fn unseen_numbers_keep_how_far_outside_they_are() {
    let codec = fitted("x", &floats(&(0..1000).map(f64::from).collect::<Vec<_>>()), None);
    let block = encoded(&codec, &floats(&[-1e4, 500.0, 1e4, 1e5, f64::MAX]));
    assert!(block.x[0] < -5.0 && block.x[1].abs() < 0.01);
    assert!(block.x[2] > 5.0 && block.x[3] > block.x[2] && block.x[4] == 30.0);
}

#[test]
fn a_slip_of_the_decimal_point_is_a_value_that_the_column_could_hold() {
    let whole = fitted("n", &floats(&(0..200).map(f64::from).collect::<Vec<f64>>()), None);
    let Codec::Number(number) = &whole else { panic!("a number") };
    let block = encoded(&whole, &floats(&[10.0, 20.0]));
    let slip = |seen: f64| number.slip(seen, block.x[0], block.x[1]);
    assert_eq!(slip(150.0), Some(("15".to_owned(), "a tenth")));
    assert_eq!(slip(2.0), Some(("20".to_owned(), "ten times")));
    assert_eq!(slip(155.0), None, "15.5 is not whole");
    assert_eq!(slip(90.0), None, "9 is below the range");
    assert_eq!(slip(0.0), None);
    let wide = encoded(&whole, &floats(&[10.0, 31.0]));
    assert_eq!(number.slip(150.0, wide.x[0], wide.x[1]), None, "half of all values have a tenth in there");
}

#[test]
fn a_constant_number_comes_back() {
    let array = floats(&[0.1; 30]);
    assert_eq!(&decoded(&fitted("x", &array, None), &array), &array);
    assert_eq!(fitted("x", &array, None).summary(), "0.1 to 0.1, 1 decimal");
}

#[test]
fn columns_without_values_are_categories_without_values() {
    for data_type in [DataType::Null, DataType::Float64, DataType::Utf8, DataType::Date32, DataType::Boolean] {
        let array = new_null_array(&data_type, 4);
        let codec = fitted("x", &array, None);
        assert_eq!((codec.kind(), codec.specs()[0].size), (Kind::Category, Some(2)));
        assert_eq!(encoded(&codec, &array).c, [MISSING; 4]);
        assert_eq!(&decoded(&codec, &array), &array);
    }
    let codec = fitted("x", &new_null_array(&DataType::Float64, 4), None);
    assert_eq!(encoded(&codec, &floats(&[1.0])).c, [OTHER]);
}

#[test]
fn categories_are_ordered_by_count_then_value() {
    let array = strings(&[Some("b"), Some("c"), Some("c"), None, Some("a"), Some("")]);
    let codec = fitted("x", &array, Some(Kind::Category));
    assert_eq!(encoded(&codec, &array).c, [5, 2, 2, MISSING, 4, 3]);
    assert_eq!(encoded(&codec, &strings(&[Some("d")])).c, [OTHER]);
    assert_eq!(&decoded(&codec, &array), &array);
    assert_eq!([0, 1, 2, 3].map(|code| codec.show_category(Part::Value, code)), ["null", "another value", "c", "\"\""]);
}

#[test]
fn a_constant_category_has_one_value() {
    let array = strings(&[Some("a"); 30]);
    let codec = fitted("x", &array, None);
    assert_eq!((codec.specs()[0].size, codec.summary().as_str()), (Some(3), "always a"));
}

#[test]
fn with_many_values_one_seen_once_is_another_value() {
    let values: Vec<String> = (0..80).map(|i| format!("v{}", if i < 40 { i } else { (i - 40).min(35) })).collect();
    let array: ArrayRef = Arc::new(StringArray::from(values));
    let codec = fitted("x", &array, Some(Kind::Category));
    assert_eq!(codec.specs()[0].size, Some(36 + 2));
    assert_eq!(encoded(&codec, &strings(&[Some("v39")])).c, [OTHER]);
}

#[test]
fn booleans_and_integers_are_categories_where_asked() {
    let array: ArrayRef = Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true)]));
    assert_eq!(encoded(&fitted("x", &array, None), &array).c, [3, MISSING, 2, 3]);
    assert_eq!(encoded(&fitted("x", &array, Some(Kind::Category)), &array).c, [2, MISSING, 3, 2]);
    assert_eq!(&decoded(&fitted("x", &array, Some(Kind::Category)), &array), &array);
    assert_eq!(&decoded(&fitted("x", &array, None), &array), &array);
    let array: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX, 3, 3, u64::MAX, 5]));
    let codec = fitted("x", &array, Some(Kind::Category));
    assert_eq!(&decoded(&codec, &array), &array);
    let signed: ArrayRef = Arc::new(Int64Array::from(vec![-1, 3]));
    assert_eq!(encoded(&codec, &signed).c, [OTHER, 3]);
}

#[test]
fn integers_that_pandas_made_floats_are_still_integers() {
    let codec = fitted("x", &(Arc::new(Int64Array::from(vec![1, 1, 2, 3])) as ArrayRef), None);
    let array: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.0), Some(f64::NAN), None, Some(1.5), Some(2.0)]));
    assert_eq!(encoded(&codec, &array).c, [2, MISSING, MISSING, OTHER, 3]);
}

#[test]
fn timestamps_have_hours_in_their_zone() {
    let winter = 1_516_060_800; // 2018-01-16 00:00:00 UTC, a Tuesday
    let seconds: Vec<i64> = (0..24 * 400).map(|hour| winter + hour * 3_600).collect();
    let array: ArrayRef = Arc::new(TimestampSecondArray::from(seconds).with_timezone("Europe/Berlin"));
    let codec = fitted("t", &array, None);
    let parts: Vec<Part> = codec.specs().iter().map(|spec| spec.part).collect();
    assert_eq!(parts, [Part::Position, Part::Status, Part::Hour, Part::Weekday, Part::Month]);
    let block = encoded(&codec, &array);
    assert_eq!(block.c_row(0), [PRESENT, FIRST_VALUE + 1, FIRST_VALUE + 1, FIRST_VALUE]);
    // Summer time since 2018-03-25 01:00 UTC.
    assert_eq!(block.c_row(24 * 69)[1], FIRST_VALUE + 2);
    assert_eq!(&decoded(&codec, &array), &array);
    assert_eq!(codec.show(&array, 0), "2018-01-16 01:00:00");
    assert_eq!(codec.show_category(Part::Hour, FIRST_VALUE + 3), "03");
    assert_eq!(codec.show_category(Part::Weekday, FIRST_VALUE), "Mon");
    let nulls = new_null_array(array.data_type(), 1);
    assert_eq!(encoded(&codec, &nulls).c, [NULL, MISSING, MISSING, MISSING]);
    // The same instants in another unit and zone.
    let other = cast(&array, &DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))).unwrap();
    assert_eq!(encoded(&codec, &other), block);
}

#[test]
fn a_day_within_one_span_stands_where_its_weekday_last_was() {
    let array: ArrayRef = Arc::new(Date32Array::from((0..100).collect::<Vec<i32>>()));
    let codec = fitted("d", &array, None);
    let inside = encoded(&codec, &array).x;
    let later: ArrayRef = Arc::new(Date32Array::from(vec![100, 106, 107, 198, -1, -7, -99]));
    // 99 days, of which a margin of four is left out (in microseconds 4.95 days).
    let repeated = [93, 92, 93, 93, 6, 7, 6].map(|day: usize| inside[day]);
    assert_eq!(encoded(&codec, &later).x, repeated);
    let far = encoded(&codec, &(Arc::new(Date32Array::from(vec![199, 300, -100, -300])) as ArrayRef)).x;
    assert!(inside[99] < far[0] && far[0] < far[1] && inside[0] > far[2] && far[2] > far[3]);
    assert_eq!(&decoded(&codec, &array), &array);
    assert_eq!(codec.show_number(Part::Position, inside[99]), "1970-04-10");
    assert_eq!(codec.summary(), "1970-01-01 to 1970-04-10");
}

#[test]
fn texts_that_are_dates_come_back_as_written() {
    let texts: Vec<String> = (1..=28).map(|day| format!("{day:02}/02/2018 {:02}:30", day % 24)).collect();
    let array: ArrayRef = Arc::new(LargeStringArray::from(texts));
    let codec = fitted("t", &array, None);
    assert_eq!(codec.kind(), Kind::Datetime);
    assert_eq!(&decoded(&codec, &array), &array);
    let odd = strings(&[Some("yesterday"), None]);
    assert_eq!(encoded(&codec, &odd).c, [NAN, OTHER, OTHER, NULL, MISSING, MISSING]);
    assert_eq!(codec.show(&odd, 0), "yesterday");
}

#[test]
fn times_of_day_have_no_weekday() {
    let array: ArrayRef =
        Arc::new(Time64NanosecondArray::from((0..48).map(|i| i * 1_800_000_000_000).collect::<Vec<i64>>()));
    let codec = fitted("t", &array, None);
    let parts: Vec<Part> = codec.specs().iter().map(|spec| spec.part).collect();
    assert_eq!(parts, [Part::Position, Part::Status, Part::Hour]);
    assert_eq!(&decoded(&codec, &array), &array);
    assert_eq!(codec.show(&array, 1), "00:30:00");
    let seconds: ArrayRef = Arc::new(Time32SecondArray::from(vec![0, 60, 86_399]));
    assert_eq!(&decoded(&fitted("t", &seconds, None), &seconds), &seconds);
}

#[test]
fn texts_are_told_by_what_they_look_like() {
    let mut texts: Vec<String> = (0..300).map(|i| format!("order {i} of the day")).collect();
    texts.push("order 1 of the day".to_owned());
    let array: ArrayRef = Arc::new(StringArray::from(texts));
    let codec = fitted("t", &array, None);
    assert_eq!(codec.kind(), Kind::Text);
    let probe = strings(&[Some("order 7 of the day"), Some("order 1 of the day"), Some("??"), Some(""), None]);
    let block = encoded(&codec, &probe);
    assert_eq!(block.c_row(4), [NULL, MISSING]);
    assert_eq!(block.c_row(2), [PRESENT, OTHER]);
    assert!(block.x_row(2)[2] > block.x_row(0)[2], "more symbols");
    assert!(block.x_row(1)[3] > block.x_row(0)[3], "more frequent");
    assert_eq!(block.x_row(2)[3], block.x_row(0)[3], "unseen is as rare as once");
    assert!(block.x.iter().all(|x| x.is_finite()));
    assert_eq!(codec.show_category(Part::Shape, block.c_row(0)[1]), "a+ 9 aa aaa aaa");
    assert_eq!(codec.show_number(Part::Length, block.x_row(0)[0]), "18 characters");
    let back = decoded(&codec, &probe);
    assert!(back.is_valid(0) && back.is_null(4));
}

#[test]
fn keys_are_told_by_how_often_they_occur() {
    let ids: Vec<i64> = (0..1000).map(|i| if i < 500 { i % 5 } else { i }).collect();
    let array: ArrayRef = Arc::new(Int64Array::from(ids));
    let codec = fitted("customer_id", &array, None);
    assert_eq!(codec.kind(), Kind::Key);
    let probe: ArrayRef = Arc::new(Int64Array::from(vec![Some(3), Some(700), Some(-5), None]));
    let block = encoded(&codec, &probe);
    assert_eq!(block.c, [PRESENT, PRESENT, PRESENT, NULL]);
    assert!(block.x[0] > block.x[1] && block.x[1] == block.x[2], "unseen is as rare as once");
    assert_eq!(codec.show_number(Part::Frequency, block.x[0]), "10 % of rows");
    let back = decoded(&codec, &probe);
    assert!(back.as_any().downcast_ref::<Int64Array>().unwrap().value(0) < 5 && back.is_null(3));
}

#[test]
fn rare_keys_are_told_in_rows() {
    let keys = (0..200).map(|i| if i < 150 { i / 3 } else { i });
    let array: ArrayRef = Arc::new(Int64Array::from(keys.collect::<Vec<i64>>()));
    let field = Field::new("k_id", DataType::Int64, true);
    let mut state = ColumnState::new(&field).unwrap();
    state.observe(&array).unwrap();
    let codec = state.finish(&field, Kind::Key, &array).unwrap();
    let probe: ArrayRef = Arc::new(Int64Array::from(vec![0, 199, 7_000]));
    let x = encoded(&codec, &probe).x;
    let shown: Vec<String> = x.iter().map(|x| codec.show_number(Part::Frequency, *x)).collect();
    // A key of one row is as good as one that no row has.
    assert_eq!(shown, ["3 rows of 200", "at most 1 row of 200", "at most 1 row of 200"]);
}

#[test]
fn ids_have_no_features_and_come_back_as_a_sequence() {
    let array: ArrayRef = Arc::new(UInt32Array::from((1000..2000).collect::<Vec<u32>>()));
    let codec = fitted("row", &array, None);
    assert_eq!((codec.kind(), codec.specs().len()), (Kind::Id, 0));
    let block = Block::new(2, 0, 0);
    assert_eq!(&codec.decode(&block, 0, 0, 7).unwrap(), &(Arc::new(UInt32Array::from(vec![8, 9])) as ArrayRef));
    let codec = fitted("name", &cast(&array, &DataType::Utf8View).unwrap(), None);
    let expected: ArrayRef = Arc::new(StringViewArray::from(vec!["name-1", "name-2"]));
    assert_eq!(&codec.decode(&block, 0, 0, 0).unwrap(), &expected);
}

#[test]
fn names_decide_between_number_id_and_key() {
    let repeated: ArrayRef = Arc::new(Int64Array::from((0..500).map(|i| i % 100).collect::<Vec<i64>>()));
    let distinct: ArrayRef = Arc::new(Int64Array::from((0..500).map(|i| i * 7919).collect::<Vec<i64>>()));
    for name in ["CUSTOMER_ID", "customerID", "sourceNodeId", "terminal-id", "zip code", "Ref"] {
        assert_eq!(inferred(name, repeated.clone()), Kind::Key, "{name}");
        assert_eq!(inferred(name, distinct.clone()), Kind::Id, "{name}");
    }
    for name in ["PolicyNumber", "row_no"] {
        assert_eq!(inferred(name, repeated.clone()), Kind::Number, "{name}");
        assert_eq!(inferred(name, distinct.clone()), Kind::Id, "{name}");
    }
    for name in ["paid", "valid", "amount", "TX_TIME_SECONDS"] {
        assert_eq!(inferred(name, repeated.clone()), Kind::Number, "{name}");
        assert_eq!(inferred(name, distinct.clone()), Kind::Number, "{name}");
    }
    let dense: ArrayRef = Arc::new(Int64Array::from((0..500).collect::<Vec<i64>>()));
    assert_eq!(inferred("x", dense.clone()), Kind::Id);
    assert_eq!(inferred("time", dense), Kind::Number);
}

#[test]
fn kinds_of_strings() {
    let text =
        |of: &dyn Fn(usize) -> String| Arc::new((0..500).map(|i| Some(of(i))).collect::<StringArray>()) as ArrayRef;
    assert_eq!(inferred("x", text(&|i| format!("user{i}"))), Kind::Id);
    assert_eq!(inferred("x", text(&|i| format!("a long sentence number {i}"))), Kind::Text);
    assert_eq!(inferred("x", text(&|i| format!("c{}", i % 200))), Kind::Category);
    assert_eq!(inferred("merchant_id", text(&|i| format!("c{}", i % 200))), Kind::Key);
    assert_eq!(inferred("x", text(&|i| format!("c{}", i % 400))), Kind::Text);
    assert_eq!(inferred("x", text(&|i| format!("2020-01-{:02}", i % 28 + 1))), Kind::Datetime);
}

#[test]
fn a_large_distinct_column_is_still_an_id_and_a_repeating_time_is_not() {
    let ids: Vec<i64> = (0..60_000).map(|i| i * 1_000_003).collect();
    let times: Vec<i64> = (0..60_000).map(|i| if i % 14 == 0 { i + 1 } else { i } * 1_000_003).collect();
    let sample = |values: &[i64]| Arc::new(Int64Array::from(values[..1].to_vec())) as ArrayRef;
    for (values, kind) in [(ids, Kind::Id), (times, Kind::Key)] {
        let array: ArrayRef = Arc::new(Int64Array::from(values.clone()));
        let mut state = ColumnState::new(&Field::new("x_id", DataType::Int64, true)).unwrap();
        state.observe(&array).unwrap();
        assert_eq!(state.infer("x_id", &sample(&values)), kind);
    }
}

#[test]
fn nested_types_have_no_state() {
    let list = DataType::new_list(DataType::Int8, true);
    for data_type in [list, DataType::Binary, DataType::Interval(arrow_schema::IntervalUnit::MonthDayNano)] {
        assert!(ColumnState::new(&Field::new("x", data_type, true)).is_none());
    }
}

#[test]
fn a_kind_that_cannot_be_is_refused_by_name() {
    let field = Field::new("x", DataType::Float64, true);
    let mut state = ColumnState::new(&field).unwrap();
    state.observe(&floats(&[1.0])).unwrap();
    assert!(state.accepts(Kind::Number) && !state.accepts(Kind::Text));
    let error = state.finish(&field, Kind::Text, &floats(&[1.0])).unwrap_err();
    assert_eq!(error.message, "column `x` is Float64 and cannot be of kind text: its type does not allow that");
}

#[test]
fn another_type_is_refused_and_a_wider_one_is_not() {
    let codec = fitted("x", &floats(&[1.0, 2.5]), None);
    let error = codec.open(&strings(&[Some("1")])).unwrap_err();
    assert_eq!(error.message, "column `x` is utf8, but the model was fitted on float64");
    for array in [
        Arc::new(Int8Array::from(vec![1])) as ArrayRef,
        Arc::new(Decimal128Array::from(vec![100]).with_precision_and_scale(10, 2).unwrap()),
        cast(&floats(&[1.0]), &DataType::Float16).unwrap(),
    ] {
        assert_eq!(encoded(&codec, &array), encoded(&codec, &floats(&[1.0])));
    }
    let nulls: ArrayRef = Arc::new(NullArray::new(2));
    assert_eq!(encoded(&codec, &nulls).c, [NULL, NULL]);
}

#[test]
fn strings_are_the_same_in_every_layout() {
    let plain = strings(&[Some("a"), None, Some("long enough to leave the view"), Some("a"), Some("b")]);
    let dictionary = |key, value| DataType::Dictionary(Box::new(key), Box::new(value));
    let types = [
        DataType::LargeUtf8,
        DataType::Utf8View,
        dictionary(DataType::UInt32, DataType::Utf8View),
        dictionary(DataType::Int8, DataType::LargeUtf8),
        dictionary(DataType::UInt8, DataType::Utf8),
    ];
    for kind in [Kind::Category, Kind::Text, Kind::Key] {
        let codec = fitted("x", &plain, Some(kind));
        for data_type in &types {
            let array = cast(&plain, data_type).unwrap();
            assert_eq!(encoded(&codec, &array), encoded(&codec, &plain), "{data_type}");
            assert_eq!(encoded(&codec, &array.slice(1, 3)), encoded(&codec, &plain.slice(1, 3)), "{data_type}");
            assert_eq!(encoded(&codec, &array.slice(2, 0)).rows, 0);
            let own = fitted("x", &array, Some(kind));
            assert_eq!(encoded(&own, &plain), encoded(&codec, &plain), "{data_type}");
            let back = decoded(&own, &array);
            assert_eq!(back.data_type(), data_type);
            if kind == Kind::Category {
                assert_eq!(&cast(&back, &DataType::Utf8).unwrap(), &plain);
            }
        }
    }
}

#[test]
fn dictionaries_of_other_types_are_unpacked() {
    let plain: ArrayRef = Arc::new(Int64Array::from(vec![Some(5), None, Some(7), Some(5)]));
    let packed = cast(&plain, &DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Int64))).unwrap();
    let codec = fitted("x", &packed, None);
    assert_eq!(encoded(&codec, &packed), encoded(&codec, &plain));
    let back = decoded(&codec, &packed);
    assert_eq!(back.data_type(), packed.data_type());
    assert_eq!(&cast(&back, &DataType::Int64).unwrap(), &plain);
}

#[test]
fn decimals_durations_and_narrow_floats_come_back() {
    let cents: Vec<i128> = (0..500).map(|i| i * 37 - 1000).collect();
    let small: ArrayRef = Arc::new(Decimal128Array::from(cents).with_precision_and_scale(12, 2).unwrap());
    let types = [
        DataType::Decimal32(9, 2),
        DataType::Decimal64(18, 2),
        DataType::Decimal256(40, 2),
        DataType::Decimal128(38, 4),
    ];
    let mut arrays: Vec<ArrayRef> = types.iter().map(|data_type| cast(&small, data_type).unwrap()).collect();
    arrays.push(small);
    arrays.push(Arc::new(DurationMillisecondArray::from((0..500).map(|i| i * 250).collect::<Vec<i64>>())));
    arrays.push(Arc::new(Float32Array::from((0..500).map(|i| i as f32 / 10.0).collect::<Vec<f32>>())));
    arrays.push(Arc::new(Int16Array::from((0..500).map(|i| i * 60 - 15_000).collect::<Vec<i16>>())));
    for array in arrays {
        let codec = fitted("amount", &array, Some(Kind::Number));
        assert_eq!(&decoded(&codec, &array), &array);
        let slice = array.slice(100, 50);
        assert_eq!(&decoded(&codec, &slice), &slice);
    }
}

#[test]
fn values_are_shown_as_they_are_written() {
    let amounts = floats(&[9812.0, 0.25, f64::NAN]);
    let codec = fitted("amount", &amounts, None);
    assert_eq!([0, 1, 2, 3].map(|row| codec.show(&amounts, row)), ["9812.00", "0.25", "NaN", "null"]);
    assert_eq!(codec.show(&floats(&[0.123456]), 0), "0.123456");
    let long = "x".repeat(70);
    let text = strings(&[Some(&long), None]);
    let codec = fitted("t", &text, Some(Kind::Text));
    assert_eq!(codec.show(&text, 0), format!("{}…", "x".repeat(59)));
    assert_eq!(codec.show(&text, 1), "null");
}
