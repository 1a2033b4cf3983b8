//! The columns of a fitted table, and how a batch of any column order becomes a block.

use std::ops::Range;

use arrow_array::{RecordBatch, RecordBatchReader, cast::AsArray};
use arrow_schema::Schema;
use rayon::prelude::*;
use serde_json::{Value, json};

use crate::block::{Block, BlockMut, Feature, Part, Slot};
use crate::codec::{CHUNK, Codec, Source, check_text, type_words, unpacked};
use crate::error::{Error, Result, list_names, unknown_columns};
use crate::store::Store;

/// Rows that one task opens and encodes: few enough that columns cast to doubles stay in the cache.
const PIECE: usize = 8192;

/// What becomes of a column.
#[derive(Debug, Clone)]
pub enum Role {
    Modelled(Box<Codec>),
    /// Named by the caller.
    Ignored,
    /// Says which rows are normal; never a feature.
    Label,
}

#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    /// The Arrow type when fitted, for people.
    pub data_type: String,
    pub role: Role,
    /// Context: rows are judged given this column, and never for it.
    pub given: bool,
}

/// Codecs with their places in a block.
#[derive(Debug, Clone)]
pub struct Encoder {
    pub columns: Vec<Column>,
    /// Numbers, then categories.
    pub features: Vec<Feature>,
    pub numbers: usize,
    pub categories: usize,
    /// Per column: its first number and its first category.
    places: Vec<(usize, usize)>,
}

/// One batch, ready to be encoded in any tiles.
pub struct Opened<'a> {
    encoder: &'a Encoder,
    sources: Vec<(Source<'a>, usize, usize)>,
}

impl Encoder {
    /// Names of all columns, in the table's order.
    pub fn names(&self) -> Vec<&str> {
        self.columns.iter().map(|column| column.name.as_str()).collect()
    }

    /// Where a column stands among all columns.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    pub fn new(columns: Vec<Column>) -> Self {
        let mut numbers = Vec::new();
        let mut categories = Vec::new();
        let mut places = Vec::with_capacity(columns.len());
        for (index, column) in columns.iter().enumerate() {
            places.push((numbers.len(), categories.len()));
            let Role::Modelled(codec) = &column.role else { continue };
            let specs = codec.specs();
            let parts = specs.iter().filter(|spec| spec.part != Part::Status).count().max(1);
            let weight = 1.0 / (parts as f32).sqrt();
            let status = specs.iter().filter(|spec| spec.size.is_some()).position(|spec| spec.part == Part::Status);
            for spec in &specs {
                let slot = match spec.size {
                    None => Slot::Number { dim: numbers.len(), status: categories.len() },
                    Some(size) => Slot::Category { index: categories.len(), size },
                };
                let weight = if spec.part == Part::Status { 1.0 } else { weight };
                let feature = Feature { column: index, part: spec.part, slot, weight, given: column.given };
                match spec.size {
                    None => {
                        let base = categories.len() + status.unwrap_or(0);
                        let slot = Slot::Number { dim: numbers.len(), status: base };
                        numbers.push(Feature { slot, ..feature });
                    }
                    Some(_) => categories.push(feature),
                }
            }
        }
        let counts = (numbers.len(), categories.len());
        numbers.extend(categories);
        Self { columns, features: numbers, numbers: counts.0, categories: counts.1, places }
    }

    pub fn codec(&self, column: usize) -> Option<&Codec> {
        match self.columns.get(column).map(|column| &column.role) {
            Some(Role::Modelled(codec)) => Some(codec),
            _ => None,
        }
    }

    /// Where each modelled column stands in a schema. All that are missing or misfit are reported.
    pub fn align(&self, schema: &Schema) -> Result<Vec<Option<usize>>> {
        let mut missing = Vec::new();
        let mut misfits = Vec::new();
        let mut alignment = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let Role::Modelled(codec) = &column.role else {
                alignment.push(None);
                continue;
            };
            let found = schema.index_of(&column.name).ok();
            match found {
                // An id names the row and is never looked at.
                None if codec.specs().is_empty() => {}
                None => missing.push(column.name.clone()),
                Some(at) if codec.fits(schema.field(at).data_type()) => {}
                Some(at) => misfits.push(format!(
                    "column `{}` is {}, but the model was fitted on {}",
                    column.name,
                    type_words(schema.field(at).data_type()),
                    column.data_type
                )),
            }
            alignment.push(found);
        }
        if !missing.is_empty() {
            let plural = if missing.len() == 1 { "column" } else { "columns" };
            let message = format!(
                "{plural} {} of the model {} not in the table",
                list_names(&missing),
                if missing.len() == 1 { "is" } else { "are" }
            );
            return Err(Error::input("column-missing", message)
                .hint("add them (null where unknown), or fit again without them; `tabad inspect MODEL` lists what the model expects"));
        }
        if !misfits.is_empty() {
            let more = misfits.len().saturating_sub(10);
            misfits.truncate(10);
            let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
            return Err(Error::input("column-type", format!("{}{rest}", misfits.join("; ")))
                .hint("cast the column, or fit again; `tabad inspect MODEL` lists what the model expects"));
        }
        Ok(alignment)
    }

    pub fn open<'a>(&'a self, batch: &'a RecordBatch, alignment: &[Option<usize>]) -> Result<Opened<'a>> {
        let mut sources = Vec::with_capacity(self.columns.len());
        for ((column, &at), &(dim, index)) in self.columns.iter().zip(alignment).zip(&self.places) {
            if let (Role::Modelled(codec), Some(at)) = (&column.role, at)
                && !codec.specs().is_empty()
            {
                check_text(&column.name, batch.column(at))?;
                sources.push((codec.open(batch.column(at).as_ref())?, dim, index));
            }
        }
        Ok(Opened { encoder: self, sources })
    }

    /// A whole stream as one block: read first, then encoded in parallel, each tile straight to its place.
    pub fn encode_all<R: RecordBatchReader>(&self, input: R) -> Result<Block> {
        let alignment = self.align(&input.schema())?;
        let batches = input.collect::<std::result::Result<Vec<RecordBatch>, _>>()?;
        let rows = batches.iter().map(RecordBatch::num_rows).sum();
        let mut all = Block::new(rows, self.numbers, self.categories);
        let (mut x_rest, mut c_rest) = (all.x.as_mut_slice(), all.c.as_mut_slice());
        for batch in &batches {
            let count = batch.num_rows();
            let (x, x_more) = std::mem::take(&mut x_rest).split_at_mut(count * self.numbers);
            let (c, c_more) = std::mem::take(&mut c_rest).split_at_mut(count * self.categories);
            (x_rest, c_rest) = (x_more, c_more);
            // A table without numbers has pieces of categories only, and the other way round.
            let piece = piece(batch);
            let wide = |values: usize| (piece * values).max(1);
            let mut x_pieces: Vec<&mut [f32]> = x.chunks_mut(wide(self.numbers)).collect();
            let mut c_pieces: Vec<&mut [u16]> = c.chunks_mut(wide(self.categories)).collect();
            let pieces = count.div_ceil(piece);
            x_pieces.resize_with(pieces, Default::default);
            c_pieces.resize_with(pieces, Default::default);
            x_pieces.into_par_iter().zip(c_pieces).enumerate().try_for_each(|(at, (x, c))| {
                let part = batch.slice(at * piece, piece.min(count - at * piece));
                let block = BlockMut { numbers: self.numbers, categories: self.categories, x, c };
                self.open(&part, &alignment)?.write(0..part.num_rows(), block);
                Ok::<(), Error>(())
            })?;
        }
        Ok(all)
    }

    /// Which columns these are; all unknown names are reported.
    pub fn places_of(&self, names: &[String]) -> Result<Vec<usize>> {
        let place = |name: &String| self.columns.iter().position(|column| &column.name == name);
        let unknown: Vec<String> = names.iter().filter(|name| place(name).is_none()).cloned().collect();
        if !unknown.is_empty() {
            let have: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
            return Err(unknown_columns(&unknown, &have));
        }
        Ok(names.iter().filter_map(place).collect())
    }

    /// Codes per category [C].
    pub fn category_sizes(&self) -> Vec<u16> {
        let size = |feature: &Feature| match feature.slot {
            Slot::Category { size, .. } => Some(size),
            Slot::Number { .. } => None,
        };
        self.features.iter().filter_map(size).collect()
    }

    /// The categories that are context, and the value itself of a column that is one: what groups of rows are told by.
    pub fn context_categories(&self) -> Vec<usize> {
        let context = self.features.iter().filter(|feature| feature.given && feature.part == Part::Value);
        let place = |feature: &Feature| match feature.slot {
            Slot::Category { index, .. } => Some(index),
            Slot::Number { .. } => None,
        };
        context.filter_map(place).collect()
    }

    /// Per column: its first number and its first category.
    pub fn places(&self) -> &[(usize, usize)] {
        &self.places
    }

    pub fn write(&self, store: &mut Store) -> Value {
        let columns = self.columns.iter().enumerate().map(|(index, column)| {
            let (role, codec) = match &column.role {
                Role::Modelled(codec) => ("modelled", codec.write(store, &format!("codec.{index}"))),
                Role::Ignored => ("ignored", Value::Null),
                Role::Label => ("label", Value::Null),
            };
            let mut entry = json!({"name": column.name, "type": column.data_type, "role": role, "codec": codec});
            if column.given {
                entry["given"] = json!(true);
            }
            entry
        });
        Value::Array(columns.collect())
    }

    pub fn read(value: &Value, store: &Store) -> Result<Self> {
        let damaged = || Error::model_file("the list of columns is damaged");
        let list = value.as_array().filter(|list| list.len() <= 100_000).ok_or_else(damaged)?;
        let mut columns = Vec::with_capacity(list.len());
        for (index, entry) in list.iter().enumerate() {
            let text = |key: &str| entry[key].as_str().map(str::to_owned).ok_or_else(damaged);
            let role = match entry["role"].as_str() {
                Some("modelled") => {
                    Role::Modelled(Box::new(Codec::read(&entry["codec"], store, &format!("codec.{index}"))?))
                }
                Some("ignored") => Role::Ignored,
                Some("label") => Role::Label,
                _ => return Err(damaged()),
            };
            let given = match &entry["given"] {
                Value::Null => false,
                value => value.as_bool().filter(|_| matches!(role, Role::Modelled(_))).ok_or_else(damaged)?,
            };
            columns.push(Column { name: text("name")?, data_type: text("type")?, role, given });
        }
        Ok(Self::new(columns))
    }
}

impl Opened<'_> {
    pub fn encode(&self, rows: Range<usize>) -> Block {
        let mut block = Block::default();
        self.encode_into(rows, &mut block);
        block
    }

    /// The same into a block that is used again and again.
    pub fn encode_into(&self, rows: Range<usize>, block: &mut Block) {
        let (numbers, categories) = (self.encoder.numbers, self.encoder.categories);
        (block.rows, block.numbers, block.categories) = (rows.len(), numbers, categories);
        block.x.resize(rows.len() * numbers, 0.0);
        block.c.resize(rows.len() * categories, 0);
        self.write(rows, block.view());
    }

    /// The same into rows that are the caller's, as many as wanted: column by column of a few rows at a time, so that what
    /// is written of them stays in the first-level cache.
    fn write(&self, rows: Range<usize>, mut block: BlockMut<'_>) {
        for start in (0..rows.len()).step_by(CHUNK) {
            let part = start..rows.len().min(start + CHUNK);
            let mut own = block.part(part.clone());
            for (source, dim, index) in &self.sources {
                source.encode(rows.start + part.start..rows.start + part.end, &mut own, *dim, *index);
            }
        }
    }
}

/// Rows to a task: [`PIECE`], but no fewer than a dictionary has values, since opening one looks each of them up.
fn piece(batch: &RecordBatch) -> usize {
    let dictionaries = batch.columns().iter().filter_map(|column| column.as_any_dictionary_opt());
    dictionaries.map(|dictionary| dictionary.values().len()).max().unwrap_or(0).max(PIECE)
}

/// The values of a label column as text, null as None. A whole number reads alike in integers and in floats, which is what pandas
/// makes of integers where a cell is empty.
pub fn label_values(batch: &RecordBatch, column: usize) -> Result<Vec<Option<String>>> {
    check_text(batch.schema().field(column).name(), batch.column(column))?;
    let column = unpacked(batch.column(column))?;
    let text = arrow_cast::cast(&column, &arrow_schema::DataType::Utf8)?;
    let floats = column.data_type().is_floating();
    let read = |text: &str| if floats { text.strip_suffix(".0").unwrap_or(text) } else { text }.to_owned();
    Ok(text.as_string::<i32>().iter().map(|value| value.map(read)).collect())
}
