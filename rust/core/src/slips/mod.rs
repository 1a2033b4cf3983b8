//! Texts that are a slip of the keys away from what other rows have: `birminghxm` among a hundred of `birmingham`, `2018-0914` among days.
//!
//! Of a table that is screened alone, where a rare value may be as right as any. Values are compared ([`among`]), and so are forms of
//! values, where many have the same: letters and digits by their class, all else as it is (`A-17` and `B-20` are both `A-99`).

mod among;

use std::collections::{BTreeMap, HashMap};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::codec::{Kind, class, unpacked};
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::store::Store;
use among::{LONGEST, among};

/// No more are kept of one column.
const MOST: usize = 65_536;
/// Of so many values of one form each is one of a code; forms of less are those of words.
const VALUES_OF_A_FORM: usize = 50;

/// Per column the slips among its values; of so many rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Slips {
    rows: u64,
    columns: BTreeMap<String, Spelling>,
}

/// What was meant by the slips of a column.
#[derive(Debug, Clone, Default, PartialEq)]
struct Spelling {
    /// By a value.
    values: HashMap<String, String>,
    /// By any value of a form: one of the form that was meant.
    forms: HashMap<String, String>,
}

/// The cells of one column of a batch that are slips.
#[derive(Debug)]
pub struct Slipped<'a> {
    pub column: &'a str,
    /// The cell and what was meant, by its row.
    cells: HashMap<usize, (String, String)>,
}

impl Slips {
    /// Of the rows of a table that is screened against itself.
    pub fn find(rows: &RecordBatch, encoder: &Encoder) -> Self {
        let spelt = |name: &str| {
            encoder.place(name).is_some_and(|at| {
                let listed = encoder.codec(at).is_some_and(|codec| {
                    matches!(codec.kind(), Kind::Category | Kind::Text | Kind::Key) && !codec.specs().is_empty()
                });
                listed && !encoder.columns[at].given
            })
        };
        let schema = rows.schema();
        let columns: Vec<(&String, &ArrayRef)> = schema
            .fields()
            .iter()
            .zip(rows.columns())
            .map(|(field, cells)| (field.name(), cells))
            .filter(|(name, _)| spelt(name))
            .collect();
        let found = columns.into_par_iter().filter_map(|(name, cells)| {
            let spelling = Spelling::of(&texts(cells)?);
            (spelling.count() > 0).then(|| (name.clone(), spelling))
        });
        Self { rows: rows.num_rows() as u64, columns: found.collect() }
    }

    /// How many values and forms there are.
    pub fn count(&self) -> usize {
        self.columns.values().map(Spelling::count).sum()
    }

    /// The rows that they were looked for in.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The columns of a batch that may have some.
    pub fn open<'a>(&'a self, encoder: &Encoder, batch: &RecordBatch, alignment: &[Option<usize>]) -> Vec<Slipped<'a>> {
        let opened = self.columns.iter().filter_map(|(column, spelling)| {
            let source = alignment.get(encoder.place(column)?).copied().flatten()?;
            Some(Slipped { column, cells: spelling.cells(&texts(batch.column(source))?) })
        });
        opened.collect()
    }

    pub fn write(&self, store: &mut Store) -> Value {
        for (at, spelling) in self.columns.values().enumerate() {
            put(store, &format!("slips.{at}"), &spelling.values);
            if !spelling.forms.is_empty() {
                put(store, &format!("slips.{at}.forms"), &spelling.forms);
            }
        }
        let formed = self.columns.iter().filter(|(_, spelling)| !spelling.forms.is_empty()).map(|(name, _)| name);
        let (columns, forms): (Vec<_>, Vec<_>) = (self.columns.keys().collect(), formed.collect());
        json!({"rows": self.rows, "columns": columns, "forms": forms})
    }

    /// A file of before there were slips, or forms, and a model that is not of a screening, has none.
    pub fn read(value: &Value, store: &Store, encoder: &Encoder) -> Result<Self> {
        let damaged = || Error::model_file("the manifest's `slips` are damaged");
        if value.is_null() {
            return Ok(Self::default());
        }
        let names: Vec<String> = serde_json::from_value(value["columns"].clone()).map_err(|_| damaged())?;
        let formed: Vec<String> = match &value["forms"] {
            Value::Null => Vec::new(),
            forms => serde_json::from_value(forms.clone()).map_err(|_| damaged())?,
        };
        let rows = value["rows"].as_u64().filter(|&rows| rows < 1 << 53).ok_or_else(damaged)?;
        let mut columns = BTreeMap::new();
        for (at, column) in names.into_iter().enumerate() {
            if encoder.place(&column).is_none() {
                return Err(damaged());
            }
            let told = |name: &str| get(store, name)?.ok_or_else(damaged);
            let forms = formed.contains(&column).then(|| told(&format!("slips.{at}.forms"))).transpose()?;
            columns
                .insert(column, Spelling { values: told(&format!("slips.{at}"))?, forms: forms.unwrap_or_default() });
        }
        Ok(Self { rows, columns })
    }
}

/// In the order of their letters, so that the same slips are the same bytes.
fn put(store: &mut Store, name: &str, slips: &HashMap<String, String>) {
    let mut pairs: Vec<(&str, &str)> = slips.iter().map(|(seen, meant)| (seen.as_str(), meant.as_str())).collect();
    pairs.sort_unstable();
    let (seen, meant): (Vec<&str>, Vec<&str>) = pairs.into_iter().unzip();
    store.put_strings(&format!("{name}.seen"), &seen);
    store.put_strings(&format!("{name}.meant"), &meant);
}

fn get(store: &Store, name: &str) -> Result<Option<HashMap<String, String>>> {
    let (seen, meant) = (store.get_strings(&format!("{name}.seen"))?, store.get_strings(&format!("{name}.meant"))?);
    Ok((seen.len() == meant.len() && seen.len() <= MOST).then(|| seen.into_iter().zip(meant).collect()))
}

impl Spelling {
    fn of(cells: &ArrayRef) -> Self {
        let Some(cells) = cells.as_string_opt::<i64>() else { return Self::default() };
        let mut counts: HashMap<&str, u64> = HashMap::new();
        cells.iter().flatten().for_each(|text| *counts.entry(text).or_default() += 1);
        let values = few(among(&counts));
        Self { forms: few(forms(&counts, &values)), values }
    }

    fn count(&self) -> usize {
        self.values.len() + self.forms.len()
    }

    /// The cells that are slips, and what was meant.
    fn cells(&self, texts: &ArrayRef) -> HashMap<usize, (String, String)> {
        let texts = texts.as_string_opt::<i64>().into_iter().flatten();
        let told = |(row, text): (usize, Option<&str>)| Some((row, (text?.to_owned(), self.meant(text?)?)));
        texts.enumerate().filter_map(told).collect()
    }

    fn meant(&self, text: &str) -> Option<String> {
        self.values.get(text).cloned().or_else(|| self.meant_by_form(text))
    }

    fn meant_by_form(&self, text: &str) -> Option<String> {
        if self.forms.is_empty() {
            return None;
        }
        Some(format!("the form of {}", self.forms.get(&form(text))?))
    }
}

fn few(slips: HashMap<String, String>) -> HashMap<String, String> {
    if slips.len() > MOST { HashMap::new() } else { slips }
}

/// The forms that are slips of a form of many values, and the commonest of these.
fn forms(counts: &HashMap<&str, u64>, slips: &HashMap<String, String>) -> HashMap<String, String> {
    let mut alike: HashMap<String, (u64, Vec<&str>)> = HashMap::new();
    for (text, count) in counts {
        let (rows, texts) = alike.entry(form(text)).or_default();
        *rows += count;
        texts.push(text);
    }
    let rows = alike.iter().map(|(form, (rows, _))| (form.as_str(), *rows)).collect();
    let told = |(seen, meant): (String, String)| {
        let texts = &alike[&meant].1;
        let is_new = || alike[&seen].1.iter().any(|text| !slips.contains_key(*text));
        let commonest = texts.iter().max_by_key(|text| (counts[**text], std::cmp::Reverse(**text)))?;
        (texts.len() >= VALUES_OF_A_FORM && is_new()).then(|| (seen, (*commonest).to_owned()))
    };
    among(&rows).into_iter().filter_map(told).collect()
}

/// A text with its letters and digits by their class.
fn form(text: &str) -> String {
    text.chars().take(LONGEST + 1).map(class).collect()
}

impl Slipped<'_> {
    /// The cell of a row and what was meant, where it is a slip.
    pub fn of(&self, row: usize) -> Option<(&str, &str)> {
        self.cells.get(&row).map(|(seen, meant)| (seen.as_str(), meant.as_str()))
    }
}

/// The cells of a column of text; None of any other.
fn texts(cells: &ArrayRef) -> Option<ArrayRef> {
    let plain = unpacked(cells).ok()?;
    let is_text = matches!(plain.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    is_text.then(|| cast(&plain, &DataType::LargeUtf8).ok()).flatten()
}
