//! Cells of a text file that are not what their column is: `12,50` among amounts, the 45th of a month among days.
//!
//! Who reads a text file marks a column of strings whose cells are, all but few, numbers or dates (or were in the fit). Here it
//! becomes a column of that type. A cell that is none is null there, and is told: whatever else its row holds, it is wrong. Rows
//! are raised by it as by a broken sum (`rules`). Blanks and the usual words for nothing are null and no more.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray};
use arrow_buffer::BooleanBuffer;
use arrow_cast::cast;
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use crate::codec::{Strings, parse_type};
use crate::error::{Error, Result};

/// Key of a field's metadata: the type that its cells have.
pub const MARK: &str = "tabad.reads";
/// Key of what stands before the decimals, where that is no point.
pub const POINT: &str = "tabad.point";
/// What pyarrow reads as null in a column of numbers.
const NOTHING: [&str; 17] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "N/A", "NA", "NULL",
    "NaN", "n/a", "nan", "null",
];

/// A marked column.
#[derive(Debug, Clone)]
struct Marked {
    at: usize,
    name: String,
    wanted: DataType,
    comma: bool,
}

/// How the columns of a stream are read.
#[derive(Debug, Clone)]
pub struct Reading {
    marked: Vec<Marked>,
    schema: SchemaRef,
}

/// The cells of a column of one batch that are not what it is.
#[derive(Debug, Clone)]
pub struct Strays {
    pub column: String,
    /// What they should be, in words.
    pub wanted: &'static str,
    texts: ArrayRef,
    which: BooleanBuffer,
}

impl Strays {
    pub fn has(&self, row: usize) -> bool {
        self.which.value(row)
    }

    pub fn text(&self, row: usize) -> String {
        Strings::new(&self.texts).ok().and_then(|texts| texts.get(row).map(str::to_owned)).unwrap_or_default()
    }

    pub fn count(&self) -> usize {
        self.which.count_set_bits()
    }
}

impl Reading {
    /// Refuses a mark that no text can be read by.
    pub fn of(schema: &SchemaRef) -> Result<Self> {
        let mut marked = Vec::new();
        let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
        for (at, field) in schema.fields().iter().enumerate() {
            let Some(word) = field.metadata().get(MARK) else { continue };
            let wanted = parse_type(word).filter(|wanted| words(wanted).is_some()).ok_or_else(|| {
                Error::input("column-type", format!("column `{}` cannot be read as {word}", field.name()))
            })?;
            let comma = field.metadata().get(POINT).is_some_and(|point| point == ",");
            fields[at] = Arc::new(Field::new(field.name(), wanted.clone(), true));
            marked.push(Marked { at, name: field.name().clone(), wanted, comma });
        }
        let schema = if marked.is_empty() {
            schema.clone()
        } else {
            Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
        };
        Ok(Self { marked, schema })
    }

    /// The schema of what is read.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The fields of a stream without marks.
    pub fn unmarked(schema: &Schema) -> Schema {
        let fields = schema.fields().iter().map(|field| {
            let mut facts = field.metadata().clone();
            if facts.remove(MARK).is_none() {
                return field.clone();
            }
            facts.remove(POINT);
            Arc::new(field.as_ref().clone().with_metadata(facts))
        });
        Schema::new_with_metadata(fields.collect::<Vec<_>>(), schema.metadata().clone())
    }

    /// The batch with its marked columns read, and the strays of each that has some.
    pub fn read(&self, batch: &RecordBatch) -> Result<(RecordBatch, Vec<Strays>)> {
        if self.marked.is_empty() {
            return Ok((batch.clone(), Vec::new()));
        }
        let mut columns = batch.columns().to_vec();
        let mut strays = Vec::new();
        for Marked { at, name, wanted, comma } in &self.marked {
            let texts = &batch.columns()[*at];
            let (read, which) = cells(&Strings::new(texts)?, wanted, *comma)?;
            if which.count_set_bits() > 0 {
                let wanted = words(wanted).unwrap_or_default();
                strays.push(Strays { column: name.clone(), wanted, texts: texts.clone(), which });
            }
            columns[*at] = read;
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        Ok((RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?, strays))
    }
}

/// What a cell of a type is called; None for types that are not read from text.
fn words(wanted: &DataType) -> Option<&'static str> {
    match wanted {
        DataType::Int64 => Some("a whole number"),
        DataType::Float64 => Some("a number"),
        DataType::Date32 => Some("a date"),
        DataType::Timestamp(_, None) => Some("a date and time"),
        _ => None,
    }
}

/// The cells as what they should be, and which are not.
fn cells(texts: &Strings<'_>, wanted: &DataType, comma: bool) -> Result<(ArrayRef, BooleanBuffer)> {
    let written = || texts.iter().map(|text| text.map(str::trim).filter(|text| !NOTHING.contains(text)));
    let read: ArrayRef = match wanted {
        DataType::Int64 => Arc::new(written().map(|text| text?.parse().ok()).collect::<Int64Array>()),
        DataType::Float64 => Arc::new(written().map(|text| number(text?, comma)).collect::<Float64Array>()),
        // What cannot be cast is null.
        dates => cast(&written().collect::<StringArray>(), dates)?,
    };
    let which = written().enumerate().map(|(row, text)| text.is_some() && read.is_null(row)).collect();
    Ok((read, which))
}

fn number(text: &str, comma: bool) -> Option<f64> {
    if !comma {
        return text.parse().ok();
    }
    let pointed = text.replace(',', ".");
    if text.contains('.') { None } else { pointed.parse().ok() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use arrow_array::cast::AsArray;
    use arrow_array::types::{Date32Type, Float64Type, Int64Type};

    use super::*;

    fn read(cells: &[Option<&str>], facts: &[(&str, &str)]) -> (RecordBatch, Vec<Strays>) {
        let facts: HashMap<String, String> = facts.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Utf8, true).with_metadata(facts)]));
        let texts: ArrayRef = Arc::new(StringArray::from(cells.to_vec()));
        let batch = RecordBatch::try_new(schema.clone(), vec![texts]).unwrap();
        Reading::of(&schema).unwrap().read(&batch).unwrap()
    }

    #[test]
    fn what_is_no_number_is_null_and_told() {
        let cells = [Some(" 12.5"), Some("12,50"), None, Some("N/A"), Some("maybe"), Some("1e3")];
        let (batch, strays) = read(&cells, &[(MARK, "float64")]);
        let found: Vec<Option<f64>> = batch.column(0).as_primitive::<Float64Type>().iter().collect();
        assert_eq!(found, [Some(12.5), None, None, None, None, Some(1000.0)]);
        assert_eq!((0..6).filter(|&row| strays[0].has(row)).collect::<Vec<_>>(), [1, 4]);
        assert_eq!((strays[0].count(), strays[0].text(1).as_str(), strays[0].wanted), (2, "12,50", "a number"));
    }

    #[test]
    fn a_comma_may_stand_before_the_decimals() {
        let (batch, strays) = read(&[Some("12,5"), Some("1.250,5")], &[(MARK, "float64"), (POINT, ",")]);
        assert_eq!(batch.column(0).as_primitive::<Float64Type>().value(0), 12.5);
        assert!(!strays[0].has(0) && strays[0].has(1));
    }

    #[test]
    fn whole_numbers_and_days_are_read_strictly() {
        let (batch, strays) = read(&[Some("7"), Some("7.5")], &[(MARK, "int64")]);
        assert_eq!(batch.column(0).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(7), None]);
        assert!(strays[0].has(1));
        let (batch, strays) = read(&[Some("1970-01-03"), Some("2024-13-45"), Some("")], &[(MARK, "date32")]);
        assert_eq!(batch.column(0).as_primitive::<Date32Type>().iter().collect::<Vec<_>>(), [Some(2), None, None]);
        assert_eq!((0..3).filter(|&row| strays[0].has(row)).collect::<Vec<_>>(), [1]);
    }

    #[test]
    fn unmarked_columns_are_passed_on() {
        let (batch, strays) = read(&[Some("maybe")], &[]);
        assert_eq!((batch.column(0).data_type(), strays.len()), (&DataType::Utf8, 0));
        let marked =
            Field::new("a", DataType::Utf8, true).with_metadata(HashMap::from([(MARK.to_owned(), "int64".to_owned())]));
        assert_eq!(Reading::unmarked(&Schema::new(vec![marked])).field(0).metadata().len(), 0);
    }

    #[test]
    fn a_mark_that_no_text_can_be_read_by_is_refused() {
        let field = Field::new("a", DataType::Utf8, true)
            .with_metadata(HashMap::from([(MARK.to_owned(), "binary".to_owned())]));
        let error = Reading::of(&Arc::new(Schema::new(vec![field]))).unwrap_err();
        assert_eq!(error.message, "column `a` cannot be read as binary");
    }
}
