//! Text that is text: strings from files and foreign buffers are bytes until somebody has looked at them.

use arrow_array::cast::AsArray;
use arrow_array::{Array, GenericStringArray, OffsetSizeTrait};
use arrow_schema::DataType;

use crate::error::{Error, Result};

/// Refuses a column of strings of which one is no UTF-8: reading it as text would be undefined behaviour.
pub fn check(name: &str, array: &dyn Array) -> Result<()> {
    let bad = match array.data_type() {
        DataType::Utf8 => first_bad(array.as_string::<i32>()),
        DataType::LargeUtf8 => first_bad(array.as_string::<i64>()),
        DataType::Utf8View => {
            let views = array.as_string_view().clone().to_binary_view();
            (0..views.len()).find(|&row| views.is_valid(row) && !is_text(views.value(row)))
        }
        DataType::Dictionary(..) => return check(name, array.as_any_dictionary().values().as_ref()),
        _ => None,
    };
    let Some(row) = bad else { return Ok(()) };
    let what = format!("column `{name}` holds text that is not UTF-8 (row {} of a batch)", row + 1);
    Err(Error::input("text-encoding", what).hint(format!(
        "write the table again from its source in UTF-8, or leave the column out: --ignore {name} (ignore=[...]) in the fit"
    )))
}

fn is_text(bytes: &[u8]) -> bool {
    bytes.is_ascii() || std::str::from_utf8(bytes).is_ok()
}

/// All values at once, and one by one only where that fails: what lies under a null may be anything.
fn first_bad<O: OffsetSizeTrait>(array: &GenericStringArray<O>) -> Option<usize> {
    let offsets = array.value_offsets();
    let (first, last) = (offsets.first()?.as_usize(), offsets.last()?.as_usize());
    let all = &array.value_data()[first..last];
    if all.is_ascii() {
        return None;
    }
    let whole = std::str::from_utf8(all)
        .is_ok_and(|text| offsets.iter().all(|offset| text.is_char_boundary(offset.as_usize() - first)));
    if whole {
        return None;
    }
    let value = |row: usize| &array.value_data()[offsets[row].as_usize()..offsets[row + 1].as_usize()];
    (0..array.len()).find(|&row| array.is_valid(row) && !is_text(value(row)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Int8Type;
    use arrow_array::{ArrayRef, BinaryArray, DictionaryArray, Int8Array, StringArray, StringViewArray};
    use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

    use super::*;

    /// Strings of these bytes, whatever they are, as a file brings them.
    fn strings(cells: &[Option<&[u8]>]) -> StringArray {
        let bytes = BinaryArray::from_iter(cells.iter().copied());
        let data = bytes.to_data().into_builder().data_type(DataType::Utf8);
        // SAFETY: what is under test is that this is looked at before it is read.
        StringArray::from(unsafe { data.build_unchecked() })
    }

    fn message(array: &dyn Array) -> String {
        check("a", array).unwrap_err().message
    }

    #[test]
    fn text_of_all_lengths_passes() {
        let words = ["", "a", "Straße", "日本語 and more than twelve bytes"];
        let plain: ArrayRef = Arc::new(StringArray::from(words.to_vec()));
        let views: ArrayRef = Arc::new(StringViewArray::from(words.to_vec()));
        check("a", &plain).unwrap();
        check("a", &plain.slice(2, 2)).unwrap();
        check("a", &views).unwrap();
    }

    #[test]
    fn bytes_that_are_no_text_are_told_with_their_row() {
        let latin: &[u8] = b"Stra\xdfe";
        let wrong = "column `a` holds text that is not UTF-8 (row 2 of a batch)";
        let plain = strings(&[Some(b"ok"), Some(latin), None]);
        assert_eq!(message(&plain), wrong);
        let dictionary = DictionaryArray::<Int8Type>::new(Int8Array::from(vec![0, 1]), Arc::new(plain.clone()));
        assert_eq!(message(&dictionary), wrong);
        // Half of a letter in one value and half in the next.
        assert_eq!(message(&strings(&[Some(b"\xc3"), Some(b"\x9f")])), wrong.replace("row 2", "row 1"));
        check("a", &plain.slice(0, 1)).unwrap();
    }

    #[test]
    fn what_lies_under_a_null_is_not_looked_at() {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![0, 1, 3]));
        let nulls = Some(NullBuffer::from(vec![false, true]));
        // SAFETY: as above.
        let array = unsafe { StringArray::new_unchecked(offsets, Buffer::from(b"\xffok"), nulls) };
        check("a", &array).unwrap();
    }
}
