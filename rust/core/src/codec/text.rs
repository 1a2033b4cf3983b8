//! Texts: strings too varied to list. What they look like, not what they say: length, shares of digits and of
//! symbols, how often the text occurs, and its shape (`AA-999`). An empty text has length 0 and the empty shape.

use std::ops::Range;

use arrow_array::{Array, ArrayRef};
use serde_json::{Value, json};

use super::category::vocabulary;
use super::frequency::Frequency;
use super::hashed::Hashes;
use super::lookup::StringTable;
use super::manifest::Fields;
use super::read::Strings;
use super::scale::Scale;
use super::sketch::{Digest, FastMap};
use super::state::{ColumnState, Values, for_each_string, refused};
use super::types::{Family, family};
use super::{Cells, Column, Content, Kind, Out, Spec, build, show};
use crate::block::{FIRST_VALUE, MISSING, NULL, PRESENT, Part, STATUS_CODES};
use crate::error::Result;
use crate::numeric::splitmix64;
use crate::secret::Secret;
use crate::store::Store;

/// Characters of a shape.
const SHAPE: usize = 24;
/// Shapes that have a code.
const SHAPES: usize = 62;
/// Runs longer than this are written once and a `+`.
const RUN: usize = 3;
/// Training values kept to decode from, and how many must be repeated ones before others are kept too.
const KEPT: usize = 256;
const REPEATED: usize = 16;
/// Squared distance over that of the nearest kept value at which another looks the same.
const ALIKE: f32 = 0.01;

#[derive(Debug, Clone)]
pub struct Text {
    pub(super) column: Column,
    /// Of length, digits, symbols.
    scales: [Scale; 3],
    frequency: Frequency,
    shapes: Vec<String>,
    table: StringTable,
    /// Of a redacted model: what it has instead of shapes.
    hashes: Option<Hashes>,
    kept: Vec<String>,
    /// Length, frequency and shape of each kept value.
    looks: Vec<(f32, f32, u16)>,
}

#[derive(Debug)]
pub struct Source<'a> {
    codec: &'a Text,
    strings: Strings<'a>,
}

/// What is measured of one text: length as ln(1 + characters), shares, and its shape's bytes.
struct Look {
    numbers: [f64; 3],
    shape: [u8; ROOM],
    used: usize,
}

/// A digit, a capital, another letter; any other sign is a class of its own.
pub fn class(char: char) -> char {
    match char {
        '0'..='9' => '9',
        _ if !char.is_alphanumeric() => char,
        _ if char.is_uppercase() => 'A',
        _ => 'a',
    }
}

/// Bytes of a shape before it is cut: a run that starts before the cut is still seen to its fourth character.
const ROOM: usize = (SHAPE + RUN) * 4;

impl Look {
    fn new(text: &str) -> Self {
        let mut look = Self { numbers: [0.0; 3], shape: [0; ROOM], used: 0 };
        let (mut chars, mut digits, mut symbols) = (0_u64, 0_u64, 0_u64);
        let (mut written, mut run, mut last) = (0, 0, None);
        for char in text.chars() {
            chars += 1;
            let class = class(char);
            match class {
                '9' => digits += 1,
                'A' | 'a' => (),
                _ => symbols += 1,
            }
            if written == SHAPE + RUN {
                continue;
            }
            run = if last == Some(class) { run + 1 } else { 1 };
            last = Some(class);
            if run <= RUN {
                look.used += class.encode_utf8(&mut look.shape[look.used..]).len();
                written += 1;
            } else if run == RUN + 1 {
                // `AAA` becomes `A+`: the run's last two characters give way to the sign.
                look.used -= (RUN - 1) * class.len_utf8();
                look.shape[look.used] = b'+';
                look.used += 1;
                written -= RUN - 2;
            }
        }
        if let Some((cut, _)) = (written > SHAPE).then(|| look.shape().char_indices().nth(SHAPE)).flatten() {
            look.used = cut;
        }
        let share = |count: u64| count as f64 / chars.max(1) as f64;
        look.numbers = [(chars as f64).ln_1p(), share(digits), share(symbols)];
        look
    }

    fn shape(&self) -> &str {
        std::str::from_utf8(&self.shape[..self.used]).unwrap_or_default()
    }
}

impl Text {
    pub fn fit(column: Column, state: &ColumnState, training: &dyn Array) -> Result<Self> {
        let Values::Text { counts, .. } = &state.values else {
            return Err(refused(&column, Kind::Text, "only strings can"));
        };
        let strings = Strings::new(training)?;
        let mut numbers: [Vec<f64>; 3] = Default::default();
        let mut shapes: FastMap<String, u64> = FastMap::default();
        for text in strings.iter().flatten() {
            let look = Look::new(text);
            numbers.iter_mut().zip(look.numbers).for_each(|(all, one)| all.push(one));
            *shapes.entry(look.shape().to_owned()).or_default() += 1;
        }
        let hashes = strings.iter().flatten().map(Digest::digest);
        let counted = counts.frozen::<str>();
        let frequency = Frequency::fit(counted, state.valid, hashes);
        let mut shapes = vocabulary(shapes.into_iter().collect());
        shapes.truncate(SHAPES);
        let scales = numbers.map(|values| Scale::fit(&values));
        Ok(Self::new(column, scales, frequency, shapes, kept(training)?))
    }

    fn new(column: Column, scales: [Scale; 3], frequency: Frequency, shapes: Vec<String>, kept: Vec<String>) -> Self {
        let table = StringTable::new(&shapes);
        let look = |text: &String| {
            let look = Look::new(text);
            (scales[0].apply(look.numbers[0]), frequency.encode(text.digest()), table.code(look.shape()))
        };
        let looks = kept.iter().map(look).collect();
        Self { column, scales, frequency, shapes, table, hashes: None, kept, looks }
    }

    pub fn specs(&self) -> Vec<Spec> {
        let shapes = u16::try_from(self.count()).unwrap_or(0);
        vec![
            Spec::number(Part::Length),
            Spec::number(Part::Digits),
            Spec::number(Part::Symbols),
            Spec::number(Part::Frequency),
            Spec::category(Part::Status, STATUS_CODES),
            Spec::category(Part::Shape, FIRST_VALUE + shapes),
        ]
    }

    pub fn summary(&self) -> String {
        format!("text of {} shapes", self.count())
    }

    fn count(&self) -> usize {
        self.hashes.as_ref().map_or(self.shapes.len(), Hashes::len)
    }

    pub fn content(&self) -> Content {
        Content {
            values: self.shapes.len(),
            hashed: self.hashes.as_ref().map_or(0, Hashes::len),
            kept: self.kept.len(),
            counts: true,
            veiled: self.frequency.is_veiled(),
            ..Content::default()
        }
    }

    pub fn redacted(&self, secret: &Secret) -> Self {
        let frequency = self.frequency.redacted(&secret.of("counts", &self.column.name));
        let hashes = Hashes::of(&self.shapes, secret.of("shape", &self.column.name));
        let bare = Self::new(self.column.clone(), self.scales, frequency, Vec::new(), Vec::new());
        Self { hashes: Some(hashes), ..bare }
    }

    pub fn unlocked(&self, secret: &Secret) -> Result<Self> {
        let frequency = self.frequency.unlocked(&secret.of("counts", &self.column.name))?;
        let hashes = self.hashes.as_ref().map(|hashes| hashes.unlocked(secret.of("shape", &self.column.name)));
        Ok(Self { frequency, hashes, ..self.clone() })
    }

    pub fn open<'a>(&'a self, array: &'a dyn Array) -> Result<Source<'a>> {
        Ok(Source { codec: self, strings: Strings::new(array)? })
    }

    pub fn show_number(&self, part: Part, x: f32) -> String {
        let [length, digits, symbols] = &self.scales;
        let percent = |scale: &Scale| format!("{:.0} %", scale.invert(x).clamp(0.0, 1.0) * 100.0);
        match part {
            Part::Length => {
                let chars = length.invert(x).exp_m1().round().max(0.0);
                format!("{chars} character{}", if chars == 1.0 { "" } else { "s" })
            }
            Part::Digits => format!("{} digits", percent(digits)),
            Part::Symbols => format!("{} symbols", percent(symbols)),
            Part::Frequency => self.frequency.show(x),
            _ => String::new(),
        }
    }

    pub fn show_category(&self, code: u16) -> String {
        match self.hashes {
            Some(_) => show::coded(code, |_| Some("(redacted)")),
            None => show::coded(code, |index| self.shapes.get(index).map(String::as_str)),
        }
    }

    pub(super) fn decode(&self, cells: Cells<'_>, first_row: u64) -> Result<ArrayRef> {
        let text = |row: usize| {
            if cells.category(row, 0) != PRESENT {
                return None;
            }
            let (length, frequency, shape) = (cells.number(row, 0), cells.number(row, 3), cells.category(row, 1));
            let distance = |look: &(f32, f32, u16)| {
                let other_shape = if look.2 == shape { 0.0 } else { 1.0 };
                (look.0 - length).powi(2) + (look.1 - frequency).powi(2) + other_shape
            };
            // Many kept values look the same: which of them, a hash of the row decides.
            let nearest = self.looks.iter().map(distance).fold(f32::INFINITY, f32::min);
            let alike = || self.looks.iter().zip(&self.kept).filter(|(look, _)| distance(look) <= nearest + ALIKE);
            let draw = splitmix64(first_row.wrapping_add(row as u64)) % (alike().count().max(1) as u64);
            alike().nth(draw as usize).map(|(_, text)| text)
        };
        build::strings(&cells.rows().map(text).collect::<Vec<_>>(), &self.column.data_type)
    }

    pub fn write(&self, store: &mut Store, prefix: &str) -> Value {
        let mut value = self.frequency.write(store, prefix);
        let scales = self.scales.iter().flat_map(|scale| [scale.mean, scale.std]).collect();
        store.put_f64(format!("{prefix}.scales"), scales);
        value["shapes"] = json!(self.count());
        match &self.hashes {
            Some(hashes) => hashes.write(store, &format!("{prefix}.hashes")),
            None => {
                store.put_strings(&format!("{prefix}.shapes"), &self.shapes);
                store.put_strings(&format!("{prefix}.kept"), &self.kept);
            }
        }
        value
    }

    pub fn read(column: Column, fields: Fields<'_>, store: &Store, prefix: &str) -> Result<Self> {
        if family(&column.data_type) != Some(Family::Text) {
            return Err(fields.damaged("type"));
        }
        let frequency = Frequency::read(fields, store, prefix)?;
        let &[a, b, c, d, e, f] = store.get_finite(&format!("{prefix}.scales"), 6)? else {
            return Err(fields.damaged("scales"));
        };
        let scale = |mean, std| Scale::checked(mean, std).ok_or_else(|| fields.damaged("scales"));
        let scales = [scale(a, b)?, scale(c, d)?, scale(e, f)?];
        if fields.hashed()? {
            let hashes = Hashes::read(store, &format!("{prefix}.hashes"), SHAPES)?;
            if fields.count("shapes")? != hashes.len() as u64 {
                return Err(fields.damaged("shapes"));
            }
            let bare = Self::new(column, scales, frequency, Vec::new(), Vec::new());
            return Ok(Self { hashes: Some(hashes), ..bare });
        }
        let shapes = store.get_strings(&format!("{prefix}.shapes"))?;
        let kept = store.get_strings(&format!("{prefix}.kept"))?;
        if shapes.len() > SHAPES || kept.len() > KEPT || fields.count("shapes")? != shapes.len() as u64 {
            return Err(fields.damaged("shapes"));
        }
        Ok(Self::new(column, scales, frequency, shapes, kept))
    }
}

impl Source<'_> {
    pub(super) fn encode(&self, rows: Range<usize>, out: &mut Out<'_, '_>) {
        let codec = self.codec;
        // A keyed hash is slow and shapes are few.
        let mut asked: FastMap<String, u16> = FastMap::default();
        for (to, row) in rows.enumerate() {
            let Some(text) = self.strings.get(row) else {
                (0..4).for_each(|part| out.number(to, part, 0.0));
                out.category(to, 0, NULL);
                out.category(to, 1, MISSING);
                continue;
            };
            let look = Look::new(text);
            for part in 0..3 {
                out.number(to, part, codec.scales[part].apply(look.numbers[part]));
            }
            out.number(to, 3, codec.frequency.encode(text.digest()));
            out.category(to, 0, PRESENT);
            let shape = match &codec.hashes {
                None => codec.table.code(look.shape()),
                Some(hashes) => match asked.get(look.shape()) {
                    Some(&code) => code,
                    None => *asked.entry(look.shape().to_owned()).or_insert(hashes.code(look.shape().as_bytes())),
                },
            };
            out.category(to, 1, shape);
        }
    }
}

/// The commonest repeated values; where they are few, others too, in hash order.
fn kept(training: &dyn Array) -> Result<Vec<String>> {
    let mut counts: FastMap<String, u64> = FastMap::default();
    for_each_string(training, |text, times| match counts.get_mut(text) {
        Some(count) => *count += times,
        None => drop(counts.insert(text.to_owned(), times)),
    })?;
    let (mut often, once): (Vec<_>, Vec<_>) = counts.into_iter().partition(|(_, count)| *count > 1);
    often.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let mut kept: Vec<String> = often.into_iter().map(|(text, _)| text).take(KEPT).collect();
    if kept.len() < REPEATED {
        let mut others: Vec<(u64, String)> = once.into_iter().map(|(text, _)| (text.digest(), text)).collect();
        others.sort_unstable();
        let room = KEPT - kept.len();
        kept.extend(others.into_iter().map(|(_, text)| text).take(room));
    }
    Ok(kept)
}
