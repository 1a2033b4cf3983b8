//! Column codecs: what kind each column is, and how its values become numbers and categories and back.
//!
//! Four verbs: `observe` chunks into a [`ColumnState`], `merge` states, `finish` into a frozen [`Codec`], then
//! `encode` and `decode`. One file per kind; every verb matches all kinds. Not here: which rows are training rows
//! (the fit decides) and what an encoded row is worth (the denoisers do).

mod boolean;
mod build;
mod calendar;
mod category;
mod counted;
mod date_text;
mod datetime;
mod frequency;
mod hashed;
mod id;
mod infer;
mod key;
mod lookup;
mod manifest;
mod number;
mod read;
pub(crate) mod scale;
mod show;
mod sketch;
mod state;
mod text;
mod types;
mod utf8;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_hostile;
#[cfg(test)]
mod tests_laws;

use std::ops::Range;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use serde_json::{Value, json};

use crate::block::{Block, BlockMut, Part};
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::store::Store;
use manifest::Fields;

pub(crate) use read::{Strings, unpacked};
pub(crate) use show::ANOTHER;
pub use state::ColumnState;
pub(crate) use text::class;
pub use types::{parse as parse_type, write as type_name};
pub(crate) use utf8::check as check_text;

/// A type for people: its name, or Arrow's words where we have none.
pub fn type_words(data_type: &DataType) -> String {
    type_name(data_type).unwrap_or_else(|| data_type.to_string())
}

/// What a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Number,
    Category,
    Boolean,
    Datetime,
    Text,
    /// An identifier that repeats: modelled by how often its value occurs.
    Key,
    /// Names the row: kept, never modelled.
    Id,
}

impl Kind {
    pub const ALL: [Self; 7] =
        [Self::Number, Self::Category, Self::Boolean, Self::Datetime, Self::Text, Self::Key, Self::Id];

    pub fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Category => "category",
            Self::Boolean => "boolean",
            Self::Datetime => "datetime",
            Self::Text => "text",
            Self::Key => "key",
            Self::Id => "id",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One feature a codec writes: a number dim (`size` is `None`) or a category column with codes `0..size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    pub part: Part,
    pub size: Option<u16>,
}

impl Spec {
    fn number(part: Part) -> Self {
        Self { part, size: None }
    }

    fn category(part: Part, size: u16) -> Self {
        Self { part, size: Some(size) }
    }
}

/// Name and type of the column as it was fitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub data_type: DataType,
    pub nullable: bool,
}

/// What a codec holds of the training data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Content {
    /// Values, or shapes of texts, in clear; and under a keyed hash.
    pub values: usize,
    pub hashed: usize,
    /// Values that generated rows take.
    pub kept: usize,
    /// All the numbers that occur, where they are few.
    pub numbers: usize,
    /// The smallest and the largest value.
    pub range: bool,
    /// How often each value occurs, found by its hash; and whether a key is needed for that.
    pub counts: bool,
    pub veiled: bool,
}

impl Content {
    /// Something that a redacted model must not hold.
    pub fn is_clear(self) -> bool {
        self.values > 0 || self.kept > 0 || self.numbers > 0 || (self.counts && !self.veiled)
    }

    /// Something that a redacted model alone holds.
    pub fn is_hashed(self) -> bool {
        self.hashed > 0 || self.veiled
    }
}

/// A column's frozen encoding.
#[derive(Debug, Clone)]
pub enum Codec {
    Number(number::Number),
    Category(category::Category),
    Boolean(boolean::Boolean),
    Datetime(datetime::Datetime),
    Text(text::Text),
    Key(key::Key),
    Id(id::Id),
}

/// One batch's column, opened: encodes any of its rows, from any thread.
#[derive(Debug)]
pub enum Source<'a> {
    Number(number::Source<'a>),
    Category(category::Source<'a>),
    Boolean(boolean::Source),
    Datetime(datetime::Source<'a>),
    Text(text::Source<'a>),
    Key(key::Source<'a>),
    Id,
}

/// Calls the same method of whichever kind it is.
macro_rules! each {
    ($codec:expr, $inner:ident => $call:expr) => {
        match $codec {
            Codec::Number($inner) => $call,
            Codec::Category($inner) => $call,
            Codec::Boolean($inner) => $call,
            Codec::Datetime($inner) => $call,
            Codec::Text($inner) => $call,
            Codec::Key($inner) => $call,
            Codec::Id($inner) => $call,
        }
    };
}

impl Codec {
    pub fn column(&self) -> &Column {
        each!(self, codec => &codec.column)
    }

    pub fn name(&self) -> &str {
        &self.column().name
    }

    pub fn data_type(&self) -> &DataType {
        &self.column().data_type
    }

    pub fn nullable(&self) -> bool {
        self.column().nullable
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Number(_) => Kind::Number,
            Self::Category(_) => Kind::Category,
            Self::Boolean(_) => Kind::Boolean,
            Self::Datetime(_) => Kind::Datetime,
            Self::Text(_) => Kind::Text,
            Self::Key(_) => Kind::Key,
            Self::Id(_) => Kind::Id,
        }
    }

    /// What the codec writes, numbers first. Where there is a number there is a `Status`; an id writes nothing.
    pub fn specs(&self) -> Vec<Spec> {
        each!(self, codec => codec.specs())
    }

    /// A few words for `tabad inspect`.
    pub fn summary(&self) -> String {
        each!(self, codec => codec.summary())
    }

    /// Whether the codec keeps this value, written as text, to decode from.
    pub fn holds(&self, text: &str) -> bool {
        match self {
            Self::Number(codec) => codec.holds(text),
            Self::Category(codec) => codec.holds(text),
            Self::Boolean(_) => text == "false" || text == "true",
            Self::Key(codec) => codec.holds(text),
            Self::Datetime(_) | Self::Text(_) | Self::Id(_) => false,
        }
    }

    /// What it holds of the training data.
    pub fn content(&self) -> Content {
        match self {
            Self::Number(codec) => codec.content(),
            Self::Category(codec) => codec.content(),
            Self::Datetime(_) => Content { range: true, ..Content::default() },
            Self::Text(codec) => codec.content(),
            Self::Key(codec) => codec.content(),
            Self::Boolean(_) | Self::Id(_) => Content::default(),
        }
    }

    /// The same encoding, with keyed hashes of values instead of the values, and without those it only decodes to.
    #[must_use]
    pub fn redacted(&self, secret: &Secret) -> Self {
        match self {
            Self::Number(codec) => Self::Number(codec.redacted()),
            Self::Category(codec) => Self::Category(codec.redacted(secret)),
            Self::Text(codec) => Self::Text(codec.redacted(secret)),
            Self::Key(codec) => Self::Key(codec.redacted(secret)),
            Self::Boolean(_) | Self::Datetime(_) | Self::Id(_) => self.clone(),
        }
    }

    /// A redacted codec that can encode.
    pub fn unlocked(&self, secret: &Secret) -> Result<Self> {
        Ok(match self {
            Self::Category(codec) => Self::Category(codec.unlocked(secret)),
            Self::Text(codec) => Self::Text(codec.unlocked(secret)?),
            Self::Key(codec) => Self::Key(codec.unlocked(secret)?),
            Self::Number(_) | Self::Boolean(_) | Self::Datetime(_) | Self::Id(_) => self.clone(),
        })
    }

    /// Whether a column of this type can be encoded.
    pub fn fits(&self, data_type: &DataType) -> bool {
        read::readable(self.data_type(), data_type)
    }

    /// Prepares a batch's column: casts once, and maps a dictionary's values to codes once.
    pub fn open<'a>(&'a self, array: &'a dyn Array) -> Result<Source<'a>> {
        if !self.fits(array.data_type()) {
            let (found, fitted) = (type_words(array.data_type()), type_words(self.data_type()));
            return Err(Error::input(
                "column-type",
                format!("column `{}` is {found}, but the model was fitted on {fitted}", self.name()),
            )
            .hint("cast it, or fit again without it"));
        }
        Ok(match self {
            Self::Number(codec) => Source::Number(codec.open(array)?),
            Self::Category(codec) => Source::Category(codec.open(array)?),
            Self::Boolean(codec) => Source::Boolean(codec.open(array)?),
            Self::Datetime(codec) => Source::Datetime(codec.open(array)?),
            Self::Text(codec) => Source::Text(codec.open(array)?),
            Self::Key(codec) => Source::Key(codec.open(array)?),
            Self::Id(_) => Source::Id,
        })
    }

    /// Of numbers: all values of the fit are multiples of ten to the minus this.
    pub fn decimals(&self) -> Option<u8> {
        match self {
            Self::Number(codec) => codec.decimals,
            _ => None,
        }
    }

    /// The value seen, for a person.
    pub fn show(&self, array: &dyn Array, row: usize) -> String {
        show::cell(array, row, self.decimals(), self.data_type())
    }

    /// An encoded number in the source's units.
    pub fn show_number(&self, part: Part, x: f32) -> String {
        match self {
            Self::Number(codec) => codec.show_number(x),
            Self::Datetime(codec) => codec.show_number(x),
            Self::Text(codec) => codec.show_number(part, x),
            Self::Key(codec) => codec.show_number(x),
            Self::Category(_) | Self::Boolean(_) | Self::Id(_) => String::new(),
        }
    }

    /// Of a number outside two encoded ones: the value between them that it is a slip of the decimal point from.
    pub fn slip(&self, seen: f64, low: f32, high: f32) -> Option<(String, &'static str)> {
        match self {
            Self::Number(codec) => codec.slip(seen, low, high),
            _ => None,
        }
    }

    /// An encoded category's value; `null`, `another value` for the reserved codes.
    pub fn show_category(&self, part: Part, code: u16) -> String {
        match (self, part) {
            (Self::Category(codec), Part::Value) => codec.show_category(code),
            (Self::Boolean(_), Part::Value) => show::coded(code, |index| ["false", "true"].get(index).copied()),
            (Self::Text(codec), Part::Shape) => codec.show_category(code),
            (_, Part::Status) => show::status(code).to_owned(),
            (_, Part::Hour) => show::hour(code),
            (_, Part::Weekday) => show::coded(code, |index| show::WEEKDAYS.get(index).copied()),
            (_, Part::Month) => show::coded(code, |index| show::MONTHS.get(index).copied()),
            _ => String::new(),
        }
    }

    /// The texts that a category knows, in the order of their codes from [`crate::block::FIRST_VALUE`] on; none of other columns.
    pub fn texts(&self) -> &[String] {
        if let Self::Category(codec) = self { codec.texts() } else { &[] }
    }

    /// The inverse of `encode`, in the source's exact Arrow type. `dim`, `index`: where this codec's first number
    /// and first category stand. `first_row`: the number of the block's first row, for ids.
    pub fn decode(&self, block: &Block, dim: usize, index: usize, first_row: u64) -> Result<ArrayRef> {
        let cells = Cells { block, dim, index };
        match self {
            Self::Number(codec) => codec.decode(cells),
            Self::Category(codec) => codec.decode(cells),
            Self::Boolean(codec) => codec.decode(cells),
            Self::Datetime(codec) => codec.decode(cells),
            Self::Text(codec) => codec.decode(cells, first_row),
            Self::Key(codec) => codec.decode(cells, first_row),
            Self::Id(codec) => codec.decode(block.rows, first_row),
        }
    }

    /// Writes tensors under `prefix` and returns the rest as JSON without floats.
    pub fn write(&self, store: &mut Store, prefix: &str) -> Value {
        let mut object = match each!(self, codec => codec.write(store, prefix)) {
            Value::Object(object) => object,
            _ => serde_json::Map::new(),
        };
        object.insert("name".to_owned(), json!(self.name()));
        object.insert("type".to_owned(), json!(type_name(self.data_type())));
        object.insert("nullable".to_owned(), json!(self.nullable()));
        object.insert("kind".to_owned(), json!(self.kind().name()));
        Value::Object(object)
    }

    /// Reads what `write` made. The input may be hostile: every length and code is checked.
    pub fn read(value: &Value, store: &Store, prefix: &str) -> Result<Self> {
        let fields = Fields::new(value, prefix)?;
        let column = Column {
            name: fields.text("name")?.to_owned(),
            data_type: types::parse(fields.text("type")?).ok_or_else(|| fields.damaged("type"))?,
            nullable: fields.flag("nullable")?,
        };
        let kind = Kind::parse(fields.text("kind")?).ok_or_else(|| fields.damaged("kind"))?;
        Ok(match kind {
            Kind::Number => Self::Number(number::Number::read(column, fields, store, prefix)?),
            Kind::Category => Self::Category(category::Category::read(column, fields, store, prefix)?),
            Kind::Boolean => Self::Boolean(boolean::Boolean::read(column, fields)?),
            Kind::Datetime => Self::Datetime(datetime::Datetime::read(column, fields, store, prefix)?),
            Kind::Text => Self::Text(text::Text::read(column, fields, store, prefix)?),
            Kind::Key => Self::Key(key::Key::read(column, fields, store, prefix)?),
            Kind::Id => Self::Id(id::Id::read(column, fields)?),
        })
    }
}

impl Source<'_> {
    /// Writes the given rows of the batch into the block's rows from 0, at its first number dim `dim` and first
    /// category column `index`. No allocation.
    pub fn encode(&self, rows: Range<usize>, block: &mut BlockMut<'_>, dim: usize, index: usize) {
        let mut out = Out { block, dim, index };
        match self {
            Self::Number(source) => source.encode(rows, &mut out),
            Self::Category(source) => source.encode(rows, &mut out),
            Self::Boolean(source) => source.encode(rows, &mut out),
            Self::Datetime(source) => source.encode(rows, &mut out),
            Self::Text(source) => source.encode(rows, &mut out),
            Self::Key(source) => source.encode(rows, &mut out),
            Self::Id => {}
        }
    }
}

/// Rows that are encoded at a time: what is known and written of them stays in the first-level cache.
pub const CHUNK: usize = 256;

/// Where one codec writes into a block.
struct Out<'o, 'b> {
    block: &'o mut BlockMut<'b>,
    dim: usize,
    index: usize,
}

impl Out<'_, '_> {
    /// Number `part` of the codec, in row `row`.
    #[inline]
    fn number(&mut self, row: usize, part: usize, x: f32) {
        self.block.x[row * self.block.numbers + self.dim + part] = x;
    }

    #[inline]
    fn category(&mut self, row: usize, part: usize, code: u16) {
        self.block.c[row * self.block.categories + self.index + part] = code;
    }

    /// The same for the rows from `row` on.
    #[inline]
    fn numbers(&mut self, row: usize, part: usize, values: &[f32]) {
        let wide = self.block.numbers;
        let cells = self.block.x.get_mut(row * wide + self.dim + part..).unwrap_or_default().iter_mut().step_by(wide);
        cells.zip(values).for_each(|(cell, &x)| *cell = x);
    }

    #[inline]
    fn categories(&mut self, row: usize, part: usize, codes: impl Iterator<Item = u16>) {
        let wide = self.block.categories;
        let cells = self.block.c.get_mut(row * wide + self.index + part..).unwrap_or_default().iter_mut().step_by(wide);
        cells.zip(codes).for_each(|(cell, code)| *cell = code);
    }
}

/// Where one codec reads from a block.
#[derive(Clone, Copy)]
struct Cells<'b> {
    block: &'b Block,
    dim: usize,
    index: usize,
}

impl Cells<'_> {
    fn rows(&self) -> Range<usize> {
        0..self.block.rows
    }

    fn number(&self, row: usize, part: usize) -> f32 {
        self.block.x[row * self.block.numbers + self.dim + part]
    }

    fn category(&self, row: usize, part: usize) -> u16 {
        self.block.c[row * self.block.categories + self.index + part]
    }
}
