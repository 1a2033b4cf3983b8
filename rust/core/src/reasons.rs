//! Why a row is odd: the columns whose repair would make it ordinary, the value seen and the value expected.

mod broken;

use std::collections::BTreeMap;

use arrow_array::RecordBatch;

use crate::block::{Block, FIRST_VALUE, Feature, NAN, OTHER, PRESENT, Part, Slot};
use crate::codec::{ANOTHER, Codec, Kind};
use crate::memory::Expected;
use crate::model::Model;
use crate::repairs::{Prospects, Relief, reliefs};
use crate::rules::{Check, Rules};
use crate::spelling;

/// Columns whose share of the evidence is smaller than this are no reason.
const SMALLEST_SHARE: f32 = 0.02;
/// Columns at least that are tried for a repair, those with the rarest energies.
const TRIED: usize = 5;
/// What a column counts that no repair helps, in shares of the row's score: two faults hide each other's repair.
const UNREPAIRED: f64 = 0.02;
/// Expected categories are listed until they hold this much probability, three at most.
const LISTED: f32 = 0.8;

#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    pub column: String,
    pub part: Part,
    pub seen: String,
    pub expected: String,
    /// The column's share of the evidence against the row.
    pub share: f32,
}

/// One row of a batch, with its block and the squared tails of its features.
pub struct Case<'a> {
    pub batch: &'a RecordBatch,
    pub alignment: &'a [Option<usize>],
    pub row: usize,
    pub block: &'a Block,
    pub squares: &'a [f32],
    pub rules: &'a Rules<'a>,
    /// With what a broken rule adds.
    pub score: f64,
}

impl Case<'_> {
    /// What part of the row's score some evidence is.
    fn share_of(&self, evidence: f64) -> f32 {
        (evidence / self.score.max(evidence)) as f32
    }
}

/// A column that may be a reason.
#[derive(Debug, Clone, Copy)]
struct Suspect {
    column: usize,
    share: f32,
    /// The oddest of its features.
    feature: usize,
}

/// The reasons for each row, at most `most`: rules that it breaks, then columns, largest share first.
pub fn explain(model: &Model, cases: &[Case<'_>], most: usize) -> Vec<Vec<Reason>> {
    let mut prospects: Vec<Prospects<'_>> = cases.iter().map(|case| Prospects::new(model, case.block)).collect();
    let mut suspects: Vec<Vec<Suspect>> = cases.iter().map(|case| suspects(model, case, most)).collect();
    weigh_all(model, &mut suspects, &mut prospects);
    let of_row = |((case, suspects), prospects): ((&Case<'_>, Vec<Suspect>), &mut Prospects<'_>)| {
        let broken: Vec<&Check<'_>> = case.rules.broken(case.row).collect();
        let odd = odd_columns(model, case, suspects, prospects, most);
        let reasons =
            if broken.is_empty() { odd } else { broken::with_rules(model, case, &broken, (odd, most), prospects) };
        with_cells(model, case, reasons, most)
    };
    cases.iter().zip(suspects).zip(&mut prospects).map(of_row).collect()
}

/// Cells that are not what their column is, and those that are misspelt, before all other reasons.
fn with_cells(model: &Model, case: &Case<'_>, others: Vec<Reason>, most: usize) -> Vec<Reason> {
    let strays = case.rules.strays(case.row).map(|one| (one.column.clone(), one.text(case.row), one.wanted.to_owned()));
    let slips =
        case.rules.slips(case.row).map(|(column, seen, meant)| (column.to_owned(), seen.to_owned(), meant.to_owned()));
    let cells: Vec<(String, String, String)> = strays.chain(slips).collect();
    if cells.is_empty() {
        return others;
    }
    // Cells out of the domain are as sure.
    let lacking = lacking(model, case);
    let named = |column: usize| cells.iter().any(|(name, ..)| *name == model.encoder.columns[column].name);
    let beside = lacking.keys().filter(|&&column| !named(column)).count();
    let share = case.share_of(case.rules.evidence(case.row)) / (cells.len() + beside) as f32;
    let own = share * cells.len() as f32;
    let mut reasons: Vec<Reason> = cells
        .into_iter()
        .map(|(column, seen, expected)| Reason { column, part: Part::Value, seen, expected, share })
        .collect();
    // That the cell is null to the model, or a rare value, is the same fault.
    for reason in others {
        let share = reason.share * (1.0 - own);
        match reasons.iter_mut().find(|one| one.column == reason.column) {
            Some(one) => one.share += share,
            None => reasons.push(Reason { share, ..reason }),
        }
    }
    reasons.retain(|reason| reason.share >= SMALLEST_SHARE);
    reasons.truncate(most);
    reasons
}

/// The columns with the rarest energies, rarest first, `most` at most or as many as are tried.
fn suspects(model: &Model, case: &Case<'_>, most: usize) -> Vec<Suspect> {
    let squares = case.squares;
    let total = squares.iter().sum::<f32>().max(f32::MIN_POSITIVE);
    let mut columns: BTreeMap<usize, (f32, usize)> = BTreeMap::new();
    for (feature, &square) in squares.iter().enumerate() {
        let column = model.encoder.features[feature].column;
        let entry = columns.entry(column).or_insert((0.0, feature));
        entry.0 += square;
        if square > squares[entry.1] {
            entry.1 = feature;
        }
    }
    let mut tried: Vec<Suspect> =
        columns.into_iter().map(|(column, (sum, feature))| Suspect { column, share: sum / total, feature }).collect();
    sort(&mut tried);
    tried.truncate(most.max(TRIED));
    let few = tried.iter().enumerate().take_while(|&(at, one)| says(at, one.share)).count();
    tried.truncate(few);
    tried
}

/// Of a row in which each of many columns is a little odd the oddest is said at least.
fn says(at: usize, share: f32) -> bool {
    share >= SMALLEST_SHARE || at == 0 && share > 0.0
}

fn sort(suspects: &mut [Suspect]) {
    suspects.sort_by(|a, b| b.share.total_cmp(&a.share).then(a.column.cmp(&b.column)));
}

/// The columns whose repair would make the row ordinary.
fn odd_columns(
    model: &Model,
    case: &Case<'_>,
    mut suspects: Vec<Suspect>,
    prospects: &mut Prospects<'_>,
    most: usize,
) -> Vec<Reason> {
    put_first(model, case, &mut suspects);
    suspects
        .into_iter()
        .take(most)
        .enumerate()
        .filter(|&(at, one)| says(at, one.share))
        .filter_map(|(_, Suspect { column, share, feature })| {
            let codec = model.encoder.codec(column)?;
            let source = case.alignment.get(column).copied().flatten()?;
            let view = View { model, block: case.block, codec };
            let shown = codec.show(case.batch.column(source).as_ref(), case.row);
            Some(Reason {
                column: codec.name().to_owned(),
                part: model.encoder.features[feature].part,
                expected: match (view.unreadable(column), view.goes_with(case, feature)) {
                    (Some(wanted), _) => wanted.to_owned(),
                    (None, Some(wanted)) => wanted,
                    (None, None) => view.expected(feature, &shown, prospects),
                },
                seen: view.seen(feature, shown),
                share,
            })
        })
        .collect()
}

/// Gives the columns with a cell out of the domain what that adds to the score, and brings them forward.
fn put_first(model: &Model, case: &Case<'_>, suspects: &mut Vec<Suspect>) {
    let lacking = lacking(model, case);
    if lacking.is_empty() {
        return;
    }
    let own = case.share_of(model.domain.evidence(case.block.x_row(0), case.block.c_row(0)));
    suspects.iter_mut().for_each(|one| one.share *= 1.0 - own);
    let each = own / lacking.len() as f32;
    for (column, feature) in lacking {
        match suspects.iter_mut().find(|one| one.column == column) {
            Some(one) => *one = Suspect { share: one.share + each, feature, column },
            None => suspects.push(Suspect { column, share: each, feature }),
        }
    }
    sort(suspects);
}

/// The columns with a cell out of the domain, each with the feature that says so.
fn lacking(model: &Model, case: &Case<'_>) -> BTreeMap<usize, usize> {
    let mut lacking = BTreeMap::new();
    for feature in model.domain.lacking(case.block.x_row(0), case.block.c_row(0)) {
        lacking.entry(model.encoder.features[feature].column).or_insert(feature);
    }
    lacking
}

/// Turns the shares of squared tails of these columns into shares of the evidence, largest first: the root of the former,
/// times what the column's repair takes off the score. By tails alone the columns that a wrong cell disagrees with are as odd as
/// itself; none of them makes the row ordinary.
fn weigh(suspects: &mut [Suspect], Relief { score, of_each }: &Relief) {
    let weight = |(one, relief): (&Suspect, &f64)| f64::from(one.share).sqrt() * (relief + UNREPAIRED * score.max(0.0));
    let weights: Vec<f64> = suspects.iter().zip(of_each).map(weight).collect();
    let all: f64 = weights.iter().sum();
    if all <= 0.0 {
        return;
    }
    suspects.iter_mut().zip(weights).for_each(|(one, weight)| one.share = (weight / all) as f32);
    sort(suspects);
}

/// [`weigh`] for the suspects of each row that has one worth it.
fn weigh_all(model: &Model, suspects: &mut [Vec<Suspect>], prospects: &mut [Prospects<'_>]) {
    let repaired = |(suspects, prospects): (&Vec<Suspect>, &mut Prospects<'_>)| {
        let worth = suspects.first().is_some_and(|first| first.share >= SMALLEST_SHARE);
        let odd: Vec<usize> = suspects.iter().filter(|_| worth).map(|one| one.feature).collect();
        prospects.repaired(&odd)
    };
    let repaired: Vec<Block> = suspects.iter().zip(prospects).map(repaired).collect();
    for (suspects, relief) in suspects.iter_mut().zip(reliefs(model, &repaired)) {
        if let Some(relief) = relief {
            weigh(suspects, &relief);
        }
    }
}

struct View<'b> {
    model: &'b Model,
    block: &'b Block,
    codec: &'b Codec,
}

impl View<'_> {
    /// What a text that is no date should be.
    fn unreadable(&self, column: usize) -> Option<&'static str> {
        let is_status = |one: &&Feature| one.column == column && one.part == Part::Status;
        let status = self.model.encoder.features.iter().find(is_status)?;
        let Slot::Category { index, .. } = status.slot else { return None };
        (self.codec.kind() == Kind::Datetime && self.block.c_row(0)[index] == NAN).then_some("a date")
    }

    /// What goes with the value of another column, where the cell does not: `Berlin (zip 10115)`.
    fn goes_with(&self, case: &Case<'_>, feature: usize) -> Option<String> {
        let encoder = &self.model.encoder;
        let category = feature.checked_sub(encoder.numbers)?;
        let (code, from) = self.model.domain.wrong(category, self.block.c_row(0))?.expected?;
        let expected = self.codec.show_category(Part::Value, code);
        if self.model.redaction.is_some() {
            return Some(expected);
        }
        let column = encoder.features[encoder.numbers + from].column;
        let source = case.alignment.get(column).copied().flatten()?;
        let other = encoder.codec(column)?;
        let cell = other.show(case.batch.column(source).as_ref(), case.row);
        Some(format!("{expected} ({} {cell})", other.name()))
    }

    /// The cell as it was; with what of it is odd where the cell does not show that at a glance.
    fn seen(&self, feature: usize, cell: String) -> String {
        let spec = self.model.encoder.features[feature];
        let odd = match (spec.part, spec.slot) {
            (Part::Frequency | Part::Length | Part::Digits | Part::Symbols, Slot::Number { dim, .. }) => {
                self.codec.show_number(spec.part, self.block.x_row(0)[dim])
            }
            (Part::Weekday | Part::Month | Part::Shape, Slot::Category { index, .. }) => {
                let code = self.block.c_row(0)[index];
                if code < FIRST_VALUE {
                    return cell;
                }
                self.codec.show_category(spec.part, code)
            }
            _ => return cell,
        };
        format!("{cell} ({odd})")
    }

    /// The known values that an unknown one may be a slip of, as codes; none where it is known.
    fn meant(&self, feature: usize, shown: &str) -> Vec<u16> {
        let spec = self.model.encoder.features[feature];
        match spec.slot {
            Slot::Category { index, .. } if spec.part == Part::Value && self.block.c_row(0)[index] == OTHER => {
                let places = spelling::meant(shown, self.codec.texts());
                places
                    .into_iter()
                    .filter_map(|place| u16::try_from(place).ok())
                    .map(|place| FIRST_VALUE + place)
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// What the denoisers expect, in the column's own units; of an unknown text, among those that it may be a slip of.
    fn expected(&self, feature: usize, shown: &str, prospects: &mut Prospects<'_>) -> String {
        let spec = self.model.encoder.features[feature];
        let Some(found) = prospects.of(feature) else { return self.lacking(spec.column, prospects) };
        let seen = match spec.slot {
            Slot::Category { index, .. } => Some(self.block.c_row(0)[index]),
            Slot::Number { .. } => None,
        };
        let text = match found {
            Expected::Number { middle, low, high } => self.range(feature, spec.part, shown, (middle, low, high)),
            Expected::Category(shares) if spec.part == Part::Status => {
                let present = shares.get(usize::from(PRESENT)).copied().unwrap_or(0.0);
                match self.number_of(spec.column) {
                    Some(number) if present >= 0.5 => return self.expected(number, shown, prospects),
                    _ => self.list(spec.part, &shares, |code| seen != Some(code)),
                }
            }
            Expected::Category(shares) => {
                let meant = self.meant(feature, shown);
                let possible = |code: u16| meant.is_empty() && seen != Some(code) || meant.contains(&code);
                self.list(spec.part, &shares, possible)
            }
        };
        match spec.part {
            Part::Hour | Part::Shape => format!("{} {text}", spec.part.name()),
            _ => text,
        }
    }

    /// What is expected of a number that no kept row has: nothing, of one of its kinds.
    fn lacking(&self, column: usize, prospects: &mut Prospects<'_>) -> String {
        let features = &self.model.encoder.features;
        let status = features.iter().position(|f| f.column == column && f.part == Part::Status);
        match status.and_then(|feature| prospects.of(feature)) {
            Some(Expected::Category(shares)) => self.list(Part::Status, &shares, |code| code != PRESENT),
            _ => String::new(),
        }
    }

    /// `about MIDDLE`, with the range where the value seen is not in it: `about MIDDLE, LOW to HIGH`; and the value in the
    /// range that it is a slip of the decimal point from, if any: `about VALUE (a tenth), LOW to HIGH`.
    fn range(&self, feature: usize, part: Part, shown: &str, (middle, low, high): (f32, f32, f32)) -> String {
        let show = |x: f32| self.codec.show_number(part, x);
        let seen = self.block.x_row(0).get(feature).copied().unwrap_or(f32::NAN);
        let (first, last) = (show(low), show(high));
        if first == last {
            return first;
        }
        if low <= seen && seen <= high {
            return format!("about {}", show(middle));
        }
        let slip = shown.parse().ok().and_then(|cell| self.codec.slip(cell, low, high));
        match slip {
            Some((value, times)) => format!("about {value} ({times}), {first} to {last}"),
            None => about(&show(middle), &first, &last),
        }
    }

    /// The likeliest of the possible codes, three at most.
    fn list(&self, part: Part, shares: &[f32], possible: impl Fn(u16) -> bool) -> String {
        let mut order: Vec<usize> =
            (0..shares.len()).filter(|&code| u16::try_from(code).is_ok_and(&possible)).collect();
        let all: f32 = order.iter().map(|&code| shares[code]).sum();
        order.sort_by(|&a, &b| shares[b].total_cmp(&shares[a]).then(a.cmp(&b)));
        let mut held = 0.0;
        let mut names = Vec::new();
        for code in order.into_iter().take(3) {
            if held >= LISTED * all || shares[code] < 0.05 * all {
                break;
            }
            held += shares[code];
            let name = self.codec.show_category(part, u16::try_from(code).unwrap_or(OTHER));
            // The values of a redacted model have no names of their own.
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.sort_by_key(|name| name == ANOTHER);
        match names.as_slice() {
            [] => ANOTHER.to_owned(),
            [only] => only.clone(),
            [first @ .., last] => format!("{} or {last}", first.join(", ")),
        }
    }

    fn number_of(&self, column: usize) -> Option<usize> {
        self.model.encoder.features.iter().position(|f| f.column == column && matches!(f.slot, Slot::Number { .. }))
    }
}

/// The middle and the range, with the unit said once: `about 5 % digits, 0 to 11`.
fn about(middle: &str, first: &str, last: &str) -> String {
    let unit = common_words(first, last);
    let (low, high) = (&first[..first.len() - unit], &last[..last.len() - unit]);
    if middle.ends_with(&last[last.len() - unit..]) {
        format!("about {middle}, {low} to {high}")
    } else {
        format!("about {middle}, {low} to {last}")
    }
}

/// Length in bytes of the words at the end that two texts share, with the space before them.
fn common_words(a: &str, b: &str) -> usize {
    let same: usize = a.chars().rev().zip(b.chars().rev()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    let tail = &a[a.len() - same..];
    tail.find(' ').filter(|&at| tail[at..].chars().any(char::is_alphabetic)).map_or(0, |at| same - at)
}

#[cfg(test)]
mod tests {
    use super::{about, common_words};

    #[test]
    fn the_unit_of_a_range_is_said_once() {
        assert_eq!(about("5 % digits", "0 % digits", "11 % digits"), "about 5 % digits, 0 to 11");
        assert_eq!(about("12.00", "3.00", "85.00"), "about 12.00, 3.00 to 85.00");
        assert_eq!(about("1 character", "2 characters", "9 characters"), "about 1 character, 2 to 9 characters");
    }

    #[test]
    fn units_at_the_end_are_common_words() {
        assert_eq!(common_words("0 % digits", "11 % digits"), " % digits".len());
        assert_eq!(common_words("1 in 90 rows", "1 in 5 rows"), " rows".len());
        assert_eq!(common_words("2018-04-01 10:00", "2018-04-02 10:00"), 0);
        assert_eq!(common_words("12.00", "85.00"), 0);
    }
}
