//! Keys: identifiers that repeat (customer, terminal). Their value says nothing, how often it occurs does.
//!
//! One number dim (frequency) and its status. An unseen value has count 0. `decode` picks a kept training value
//! of about that frequency, so that generated tables have the source's mixture of common and rare keys.

use std::ops::Range;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::BooleanBuffer;
use serde_json::Value;

use super::frequency::Frequency;
use super::manifest::Fields;
use super::read::{self, Rows, Strings};
use super::sketch::{Digest, FastMap, Int, splitmix64};
use super::state::{ColumnState, Values};
use super::types::{Family, family};
use super::{Cells, Column, Content, Out, Spec, build, show};
use crate::block::{NULL, PRESENT, Part, STATUS_CODES};
use crate::error::Result;
use crate::secret::Secret;
use crate::store::Store;

/// Training values kept to decode from: those of the smallest hashes.
const KEPT: usize = 8192;

#[derive(Debug, Clone)]
pub struct Key {
    pub(super) column: Column,
    frequency: Frequency,
    kept: Kept,
    /// Encoded frequency and place in `kept`, in this order.
    by_frequency: Vec<(f32, u32)>,
}

#[derive(Debug, Clone)]
enum Kept {
    Integers(Vec<i64>),
    Strings(Vec<String>),
}

/// A batch's values to hash: what a key's and a text's frequency is looked up by.
#[derive(Debug)]
pub enum Hashed<'a> {
    /// And which cells are no integer of the column.
    Integers(Rows<i64>, Option<BooleanBuffer>),
    Strings(Strings<'a>),
}

#[derive(Debug)]
pub struct Source<'a> {
    codec: &'a Key,
    values: Hashed<'a>,
}

impl<'a> Hashed<'a> {
    fn new(column: &Column, array: &'a dyn Array) -> Result<Self> {
        Ok(match family(&column.data_type) {
            Some(Family::Text) => Self::Strings(Strings::new(array)?),
            _ => {
                let (rows, strange) = read::integers_as(&column.data_type, array)?;
                Self::Integers(rows, strange)
            }
        })
    }

    fn len(&self) -> usize {
        match self {
            Self::Integers(rows, _) => rows.len(),
            Self::Strings(strings) => strings.len(),
        }
    }

    #[inline]
    fn hash(&self, row: usize) -> Option<u64> {
        match self {
            Self::Integers(rows, strange) => rows.get(row).map(|value| {
                let digest = Int(value).digest();
                // 3.5 is not customer 3: a digest that no integer has, but by chance.
                if strange.as_ref().is_some_and(|strange| strange.value(row)) { !digest } else { digest }
            }),
            Self::Strings(strings) => strings.get(row).map(Digest::digest),
        }
    }
}

impl Key {
    pub fn fit(column: Column, state: &ColumnState, training: &dyn Array) -> Result<Self> {
        let counted = match &state.values {
            Values::Integer { counts, .. } => counts.frozen::<Int>(),
            Values::Text { counts, .. } => counts.frozen::<str>(),
            Values::Plain | Values::Boolean(_) => {
                return Err(super::state::refused(&column, super::Kind::Key, "only integers and strings can"));
            }
        };
        let values = Hashed::new(&column, training)?;
        let hashes = (0..values.len()).filter_map(|row| values.hash(row));
        let frequency = Frequency::fit(counted, state.valid, hashes);
        let kept = match &values {
            Hashed::Integers(rows, _) => {
                Kept::Integers(smallest(rows.iter().flatten().map(|value| (Int(value).digest(), value))))
            }
            Hashed::Strings(strings) => {
                let kept = smallest(strings.iter().flatten().map(|value| (value.digest(), value)));
                Kept::Strings(kept.into_iter().map(str::to_owned).collect())
            }
        };
        Ok(Self::new(column, frequency, kept))
    }

    fn new(column: Column, frequency: Frequency, kept: Kept) -> Self {
        let hashes: Vec<u64> = match &kept {
            Kept::Integers(values) => values.iter().map(|value| Int(*value).digest()).collect(),
            Kept::Strings(values) => values.iter().map(|value| value.digest()).collect(),
        };
        let mut by_frequency: Vec<(f32, u32)> =
            (0..).zip(&hashes).map(|(place, hash)| (frequency.encode(*hash), place)).collect();
        by_frequency.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        Self { column, frequency, kept, by_frequency }
    }

    pub fn specs(&self) -> Vec<Spec> {
        vec![Spec::number(Part::Frequency), Spec::category(Part::Status, STATUS_CODES)]
    }

    pub fn summary(&self) -> String {
        format!("how often the value occurs among {} rows", show::grouped(self.frequency.rows()))
    }

    pub fn holds(&self, text: &str) -> bool {
        match &self.kept {
            Kept::Integers(values) => {
                let digest = |value: i64| (Int(value).digest(), value);
                let sought = text.parse::<i64>().map(digest);
                sought.is_ok_and(|sought| values.binary_search_by_key(&sought, |&value| digest(value)).is_ok())
            }
            Kept::Strings(values) => {
                let sought = (text.digest(), text);
                values.binary_search_by(|value| (value.digest(), value.as_str()).cmp(&sought)).is_ok()
            }
        }
    }

    pub fn content(&self) -> Content {
        let kept = match &self.kept {
            Kept::Integers(values) => values.len(),
            Kept::Strings(values) => values.len(),
        };
        Content { kept, counts: true, veiled: self.frequency.is_veiled(), ..Content::default() }
    }

    pub fn redacted(&self, secret: &Secret) -> Self {
        let frequency = self.frequency.redacted(&secret.of("counts", &self.column.name));
        Self::new(self.column.clone(), frequency, Kept::Strings(Vec::new()))
    }

    pub fn unlocked(&self, secret: &Secret) -> Result<Self> {
        let frequency = self.frequency.unlocked(&secret.of("counts", &self.column.name))?;
        Ok(Self::new(self.column.clone(), frequency, self.kept.clone()))
    }

    pub fn open<'a>(&'a self, array: &'a dyn Array) -> Result<Source<'a>> {
        Ok(Source { codec: self, values: Hashed::new(&self.column, array)? })
    }

    pub fn show_number(&self, x: f32) -> String {
        self.frequency.show(x)
    }

    pub(super) fn decode(&self, cells: Cells<'_>, first_row: u64) -> Result<ArrayRef> {
        let place = |row: usize| match cells.category(row, 0) {
            PRESENT => self.nearest(cells.number(row, 0), splitmix64(first_row.wrapping_add(row as u64))),
            _ => None,
        };
        let data_type = &self.column.data_type;
        match &self.kept {
            Kept::Integers(values) => {
                let values: Vec<_> = cells.rows().map(|row| values.get(place(row)?).copied()).collect();
                build::integers(&values, data_type)
            }
            Kept::Strings(values) => {
                let values: Vec<_> = cells.rows().map(|row| values.get(place(row)?)).collect();
                build::strings(&values, data_type)
            }
        }
    }

    /// Place of a kept value of the nearest frequency; which one among equals, `draw` decides.
    fn nearest(&self, x: f32, draw: u64) -> Option<usize> {
        let above = self.by_frequency.partition_point(|(known, _)| *known < x);
        let candidates =
            [above.checked_sub(1).and_then(|below| self.by_frequency.get(below)), self.by_frequency.get(above)];
        let distance = |known: f32| (known - x).abs();
        let frequencies = candidates.into_iter().flatten().map(|pair| pair.0);
        let best = frequencies.min_by(|a, b| distance(*a).total_cmp(&distance(*b)))?;
        let start = self.by_frequency.partition_point(|(known, _)| *known < best);
        let end = self.by_frequency.partition_point(|(known, _)| *known <= best);
        let count = (end - start).max(1) as u64;
        self.by_frequency.get(start + (draw % count) as usize).map(|(_, place)| *place as usize)
    }

    pub fn write(&self, store: &mut Store, prefix: &str) -> Value {
        let value = self.frequency.write(store, prefix);
        match &self.kept {
            _ if self.frequency.is_veiled() => {}
            Kept::Integers(values) => store.put_i64(format!("{prefix}.kept"), values.clone()),
            Kept::Strings(values) => store.put_strings(&format!("{prefix}.kept"), values),
        }
        value
    }

    pub fn read(column: Column, fields: Fields<'_>, store: &Store, prefix: &str) -> Result<Self> {
        let frequency = Frequency::read(fields, store, prefix)?;
        let name = format!("{prefix}.kept");
        let kept = match family(&column.data_type) {
            Some(Family::Text | Family::Integer) if frequency.is_veiled() => Kept::Strings(Vec::new()),
            Some(Family::Text) => Kept::Strings(store.get_strings(&name)?),
            Some(Family::Integer) => Kept::Integers(store.get_i64(&name)?.to_vec()),
            _ => return Err(fields.damaged("type")),
        };
        let count = match &kept {
            Kept::Integers(values) => values.len(),
            Kept::Strings(values) => values.len(),
        };
        if count > KEPT {
            return Err(fields.damaged("kept"));
        }
        Ok(Self::new(column, frequency, kept))
    }
}

impl Source<'_> {
    pub(super) fn encode(&self, rows: Range<usize>, out: &mut Out<'_, '_>) {
        for (to, row) in rows.enumerate() {
            let (x, status) = match self.values.hash(row) {
                Some(hash) => (self.codec.frequency.encode(hash), PRESENT),
                None => (0.0, NULL),
            };
            out.number(to, 0, x);
            out.category(to, 0, status);
        }
    }
}

/// The distinct values of the smallest hashes, in hash order.
fn smallest<T: Copy + Ord>(values: impl Iterator<Item = (u64, T)>) -> Vec<T> {
    let mut distinct: FastMap<i64, T> = FastMap::default();
    for (hash, value) in values {
        distinct.insert(hash.cast_signed(), value);
    }
    let mut pairs: Vec<(u64, T)> = distinct.into_iter().map(|(hash, value)| (hash.cast_unsigned(), value)).collect();
    pairs.sort_unstable();
    pairs.truncate(KEPT);
    pairs.into_iter().map(|(_, value)| value).collect()
}
