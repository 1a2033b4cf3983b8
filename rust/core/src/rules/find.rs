//! Orders, sums and products that the rows of a table obey and that chance does not make: of amounts orders without exception, of
//! times orders, and sums and products, that all rows but one in a hundred obey. An order of amounts that few rows break is a habit of columns that hang together,
//! and those rows are as good as others.
//!
//! Chance is what rows would do if the columns had nothing to do with each other: the share of all pairs of rows, a's cell from one
//! and the others from the other, that obey. A rule needs [`EVIDENCE`] nats against it:
//! - `a <= b`: rows that obey, times -ln of that share; at least one pair in fifty must break it, so that columns of different size
//!   say nothing, and twenty times as many as rows do.
//! - `a = b + c (+ d)`: rows in which two parts are not 0 and that obey, times -ln of that share among them.
//!
//! - `a = b * c`, rounded to the last decimal of a: rows in which both factors are neither 0 nor 1, whose product is ten times what it is
//!   rounded to and that obey, likewise; twenty times fewer break it than by chance. A factor may be a whole number of few values (a
//!   quantity), which sums and orders leave to the energies.
//!
//! Rules that follow from others are left out. Candidates come from the first rows of a sample in random order, exceptions are
//! counted in all of it. Legend: B rows, N columns.

use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use rayon::prelude::*;

use super::{SMALLEST_SIZE, is_no_product, is_off, measures, reach, slack_of, unit_of};
use crate::codec::Kind;
use crate::constraints::{Constraint, FEW_OF_FOUND, Rule};
use crate::encoder::Encoder;

/// Rows that candidates are looked for in.
const FIRST: usize = 20_000;
/// One in 5e8, for a few thousand pairs of columns tried.
const EVIDENCE: f64 = 20.0;
const LEAST_BROKEN: f64 = 0.02;
/// Rows that must speak for a rule, whatever the nats.
const LEAST_ROWS: usize = 20;
/// Rows that break an order are so many times fewer than by chance.
const TIMES_FEWER: f64 = 20.0;
/// A product of fewer tells nothing: it is what the total is rounded to.
const UNITS_OF_A_PRODUCT: f64 = 10.0;
/// Rows of a first look, which most pairs and sums do not survive.
const GLANCE: usize = 512;
const GLANCE_OF_SUMS: usize = 64;
/// Columns beyond which sums of two and of three are not looked for.
const MOST_OF_PAIRS: usize = 80;
const MOST_OF_TRIPLES: usize = 25;

/// A column: its cells as numbers, NaN where there is none.
struct Cells {
    name: String,
    kind: DataType,
    /// Few numbers, which the model lists.
    listed: bool,
    decimals: Option<u8>,
    /// By which a sum or a product of such numbers may be off.
    slack: f64,
    values: Vec<f64>,
}

impl Cells {
    fn head(&self) -> &[f64] {
        &self.values[..self.values.len().min(FIRST)]
    }

    fn varies(&self) -> bool {
        let mut there = self.head().iter().filter(|value| !value.is_nan());
        there.next().is_some_and(|first| there.any(|value| value != first))
    }
}

/// Sums, products, then orders, with how many of the rows break each.
pub fn find(rows: &RecordBatch, encoder: &Encoder) -> Vec<Constraint> {
    let columns = columns(rows, encoder);
    let (times, numbers): (Vec<&Cells>, Vec<&Cells>) = columns.iter().partition(|one| one.kind.is_temporal());
    let amounts: Vec<&Cells> = numbers.iter().copied().filter(|one| !one.listed).collect();
    let mut found = sums(&amounts);
    let equal: Vec<Vec<String>> =
        found.iter().filter(|one| one.columns.len() == 2).map(|one| one.columns.clone()).collect();
    found.extend(products(&numbers));
    found.extend(orders(&amounts, &equal, |_| 0));
    let mut kinds: Vec<&DataType> = Vec::new();
    times.iter().for_each(|one| {
        if !kinds.contains(&&one.kind) {
            kinds.push(&one.kind)
        }
    });
    for kind in kinds {
        let alike: Vec<&Cells> = times.iter().copied().filter(|one| &one.kind == kind).collect();
        found.extend(orders(&alike, &[], most_broken));
    }
    found
}

fn columns(rows: &RecordBatch, encoder: &Encoder) -> Vec<Cells> {
    let schema = rows.schema();
    let known = |name: &str| encoder.place(name).and_then(|at| encoder.codec(at));
    let ordered = |name: &str| {
        known(name).is_some_and(|codec| matches!(codec.kind(), Kind::Number | Kind::Datetime | Kind::Category))
    };
    let places: Vec<usize> = (0..schema.fields().len()).filter(|&at| ordered(schema.field(at).name())).collect();
    let read = |at: usize| {
        let (cells, kind) = measures(rows.column(at))?;
        let name = schema.field(at).name().clone();
        let listed = known(&name).is_some_and(|codec| codec.kind() == Kind::Category);
        let values: Vec<f64> =
            (0..cells.len()).map(|row| if cells.is_null(row) { f64::NAN } else { cells.value(row) }).collect();
        let decimals = usual_decimals(&values[..values.len().min(FIRST)], &kind);
        let slack = slack_of(&kind);
        Some(Cells { name, kind, listed, decimals, slack, values })
    };
    places.into_par_iter().filter_map(read).collect()
}

/// Of so many rows those that may break what is still a rule.
fn most_broken(rows: usize) -> usize {
    rows / FEW_OF_FOUND as usize
}

/// Of rows looked at those that may break a rule which as many of all rows break as may: four deviations above.
fn most_seen(rows: usize, looked_at: usize) -> usize {
    let expected = most_broken(rows) as f64 / rows.max(1) as f64 * rows.min(looked_at) as f64;
    (expected + 4.0 * expected.sqrt()) as usize
}

/// Whether so many rows that obey by chance with that probability each are beyond it.
fn chance_is_out(rows: usize, share: f64) -> bool {
    rows >= LEAST_ROWS && rows as f64 * -share.max(1.0 / rows as f64).ln() >= EVIDENCE
}

/// Those that `most` of so many rows break at most.
fn orders(columns: &[&Cells], equal: &[Vec<String>], most: fn(usize) -> usize) -> Vec<Constraint> {
    let pairs: Vec<(usize, usize)> =
        (0..columns.len()).flat_map(|low| (0..columns.len()).map(move |high| (low, high))).collect();
    let is_equal =
        |low: &Cells, high: &Cells| equal.iter().any(|pair| pair.contains(&low.name) && pair.contains(&high.name));
    let mut edges: Vec<(usize, usize)> = pairs
        .into_par_iter()
        .filter(|&(low, high)| low != high && !is_equal(columns[low], columns[high]))
        .filter(|&(low, high)| is_order(columns[low].head(), columns[high].head(), most))
        .collect();
    let all = edges.clone();
    edges.retain(|&(low, high)| {
        let via = |middle: usize| middle != high && all.contains(&(low, middle)) && all.contains(&(middle, high));
        !(0..columns.len()).any(via)
    });
    let rows = columns.first().map_or(0, |one| one.values.len());
    let counted = edges.into_par_iter().map(|(low, high)| {
        let broken = columns[low].values.iter().zip(&columns[high].values).filter(|(low, high)| low > high).count();
        of(Rule::AtMost, vec![columns[low].name.clone(), columns[high].name.clone()], (broken, rows))
    });
    counted.filter(|one| one.broken <= Some(most(rows) as u64)).collect()
}

fn is_order(low: &[f64], high: &[f64], most: fn(usize) -> usize) -> bool {
    let rows = low.len();
    let breaking = |n: usize| low[..n].iter().zip(&high[..n]).filter(|(low, high)| low > high).count();
    if breaking(rows.min(GLANCE)) > most_seen(rows, GLANCE).min(most(rows)) {
        return false;
    }
    let broken = breaking(rows);
    if broken > most(rows) {
        return false;
    }
    let both: Vec<usize> = (0..rows).filter(|&row| !low[row].is_nan() && !high[row].is_nan()).collect();
    let highs = ascending(both.iter().map(|&row| high[row]));
    let pairs: usize = both.iter().map(|&row| highs.partition_point(|&high| high < low[row])).sum();
    let by_chance = pairs as f64 / both.len().max(1) as f64;
    let chance = by_chance / both.len().max(1) as f64;
    chance >= LEAST_BROKEN
        && broken as f64 * TIMES_FEWER <= by_chance
        && chance_is_out(both.len() - broken, 1.0 - chance)
}

fn of(rule: Rule, columns: Vec<String>, (broken, rows): (usize, usize)) -> Constraint {
    Constraint { broken: Some(broken as u64), ..Constraint::found(rule, columns, rows as u64) }
}

/// Those without exception first. One sum a total, the one of fewest parts; equal columns are said once.
fn sums(columns: &[&Cells]) -> Vec<Constraint> {
    let columns: Vec<&Cells> = columns.iter().copied().filter(|one| one.varies()).collect();
    let Some(rows) = columns.first().map(|one| one.head().len()) else { return Vec::new() };
    let candidates = candidates(&columns);
    let mut done = vec![false; columns.len()];
    let mut found = Vec::new();
    for most in [0, most_broken(rows)] {
        for (total, parts) in &candidates {
            if done[*total] || parts.iter().any(|&part| done[part]) {
                continue;
            }
            let cells: Vec<&[f64]> = parts.iter().map(|&part| columns[part].head()).collect();
            let slack = slack(columns[*total], parts.iter().map(|&part| columns[part]));
            if !is_sum(columns[*total].head(), &cells, most, slack) {
                continue;
            }
            let whole: Vec<&[f64]> = parts.iter().map(|&part| columns[part].values.as_slice()).collect();
            let total_of = &columns[*total].values;
            let broken = (0..total_of.len()).filter(|&row| !adds_up(total_of[row], &whole, row, slack)).count();
            let names = std::iter::once(total).chain(parts).map(|&at| columns[at].name.clone()).collect();
            let one = of(Rule::Sum, names, (broken, total_of.len()));
            if one.is_checked() {
                found.push(one);
                done[*total] = true;
            }
        }
    }
    found
}

/// Totals and their parts that a glance does not rule out, those of fewest parts first.
fn candidates(columns: &[&Cells]) -> Vec<(usize, Vec<usize>)> {
    let n = columns.len();
    let rows = columns[0].head().len();
    let glance: Vec<&[f64]> = columns.iter().map(|one| &one.head()[..rows.min(GLANCE_OF_SUMS)]).collect();
    let most = most_seen(rows, GLANCE_OF_SUMS);
    let filled: Vec<Vec<u64>> = columns.iter().map(|one| bits(one.head(), |cell| cell != 0.0)).collect();
    let together = |a: usize, b: usize| in_both(&filled[a], &filled[b]);
    let mut found = Vec::new();
    for (count, most_columns) in [(1, n), (2, MOST_OF_PAIRS), (3, MOST_OF_TRIPLES)] {
        if !(count < n && n <= most_columns) {
            break;
        }
        let tries: Vec<Vec<usize>> = subsets(n, count)
            .into_par_iter()
            .filter(|parts| {
                let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
                let speaks: u32 = match count {
                    1 => together(parts[0], parts[0]),
                    _ => pairs.map(|(a, b)| together(parts[a], parts[b])).sum(),
                };
                speaks as usize >= LEAST_ROWS
            })
            .collect();
        let of_total = |total: usize| {
            let fits = |parts: &&Vec<usize>| {
                let cells: Vec<&[f64]> = parts.iter().map(|&part| glance[part]).collect();
                let slack = slack(columns[total], parts.iter().map(|&part| columns[part]));
                let wrong = (0..glance[total].len()).filter(|&row| !adds_up(glance[total][row], &cells, row, slack));
                !parts.contains(&total) && wrong.take(most + 1).count() <= most
            };
            tries.iter().filter(fits).map(move |parts| (total, parts.clone())).collect::<Vec<_>>()
        };
        found.extend((0..n).into_par_iter().flat_map_iter(of_total).collect::<Vec<_>>());
    }
    found
}

/// One product a total.
fn products(numbers: &[&Cells]) -> Vec<Constraint> {
    let factors: Vec<&Cells> = numbers.iter().copied().filter(|one| one.varies()).collect();
    if factors.len() > MOST_OF_PAIRS {
        return Vec::new();
    }
    let moves: Vec<Vec<u64>> = factors.iter().map(|one| bits(one.head(), changes)).collect();
    let pairs: Vec<[usize; 2]> = subsets(factors.len(), 2)
        .into_iter()
        .map(|pair| [pair[0], pair[1]])
        .filter(|&[a, b]| in_both(&moves[a], &moves[b]) as usize >= LEAST_ROWS)
        .collect();
    let of_total = |at: usize| {
        let is_one = |most: usize| {
            let fits =
                |&[a, b]: &[usize; 2]| a != at && b != at && is_product(factors[at], [factors[a], factors[b]], most);
            pairs.iter().copied().find(|pair| fits(pair))
        };
        let [a, b] = is_one(0).or_else(|| is_one(most_broken(factors[at].head().len())))?;
        let rows = factors[at].values.len();
        let broken = (0..rows).filter(|&row| !multiplies(factors[at], [factors[a], factors[b]], row)).count();
        let names = [at, a, b].map(|at| factors[at].name.clone()).to_vec();
        Some(Constraint { decimals: factors[at].decimals, ..of(Rule::Product, names, (broken, rows)) })
    };
    let totals = (0..factors.len()).into_par_iter().filter(|&at| !factors[at].listed);
    totals.filter_map(of_total).filter(Constraint::is_checked).collect()
}

/// True where a cell is missing.
fn multiplies(total: &Cells, factors: [&Cells; 2], row: usize) -> bool {
    !is_no_product(
        total.values[row],
        factors.map(|one| one.values[row]),
        (slack(total, factors), unit_of(total.decimals)),
    )
}

/// Whether a factor makes a difference.
fn changes(cell: f64) -> bool {
    cell != 0.0 && cell.abs() != 1.0
}

/// Whether chance is out, and `most` rows break it at most, and as small a share of those that tell.
fn is_product(total: &Cells, factors: [&Cells; 2], most: usize) -> bool {
    let rows = total.head().len();
    let wrong = |rows: usize| (0..rows).filter(|&row| !multiplies(total, factors, row));
    let glance = most_seen(rows, GLANCE_OF_SUMS).min(most);
    if wrong(rows.min(GLANCE_OF_SUMS)).take(glance + 1).count() > glance || wrong(rows).take(most + 1).count() > most {
        return false;
    }
    let product = |row: usize| factors[0].values[row] * factors[1].values[row];
    let tells: Vec<usize> = (0..rows)
        .filter(|&row| !total.values[row].is_nan() && factors.iter().all(|one| changes(one.values[row])))
        .filter(|&row| product(row).abs() >= UNITS_OF_A_PRODUCT * unit_of(total.decimals))
        .collect();
    let broken = tells.iter().filter(|&&row| !multiplies(total, factors, row)).count();
    if broken > most_broken(tells.len()) {
        return false;
    }
    let totals = ascending(tells.iter().map(|&row| total.values[row]));
    let alike = |&row: &usize| {
        let product = product(row);
        let reach = reach(product, slack(total, factors), unit_of(total.decimals));
        totals.partition_point(|&total| total <= product + reach)
            - totals.partition_point(|&total| total < product - reach)
    };
    let pairs: usize = tells.iter().map(alike).sum();
    let chance = pairs as f64 / (tells.len().max(1) as f64).powi(2);
    broken as f64 * TIMES_FEWER <= (1.0 - chance) * tells.len() as f64 && chance_is_out(tells.len() - broken, chance)
}

/// The fewest decimals, at most six, that write nearly all values: of a table in which some are wrong.
fn usual_decimals(values: &[f64], kind: &DataType) -> Option<u8> {
    let there = values.iter().filter(|value| !value.is_nan()).count();
    let same = |one: f64, other: f64| match kind {
        DataType::Float16 | DataType::Float32 => one as f32 == other as f32,
        _ => one == other,
    };
    let written = |decimals: u8| {
        let power = 10_f64.powi(i32::from(decimals));
        values.iter().filter(|&&value| same((value * power).round() / power, value)).count()
    };
    (0..=6).find(|&decimals| there - written(decimals) <= most_broken(there))
}

/// Which cells count and are not missing.
fn bits(cells: &[f64], counts: fn(f64) -> bool) -> Vec<u64> {
    let word = |part: &[f64]| {
        part.iter().enumerate().fold(0, |word, (at, cell)| word | (u64::from(!cell.is_nan() && counts(*cell)) << at))
    };
    cells.chunks(64).map(word).collect()
}

fn in_both(a: &[u64], b: &[u64]) -> u32 {
    a.iter().zip(b).map(|(a, b)| (a & b).count_ones()).sum()
}

/// All sets of `count` of the places 0..n, in order.
fn subsets(n: usize, count: usize) -> Vec<Vec<usize>> {
    let mut sets = vec![Vec::new()];
    for _ in 0..count {
        let longer = |set: &Vec<usize>| {
            let from = set.last().map_or(0, |last| last + 1);
            (from..n).map(|next| [set.as_slice(), &[next]].concat()).collect::<Vec<_>>()
        };
        sets = sets.iter().flat_map(longer).collect();
    }
    sets
}

/// By which a total may be off its parts or factors.
fn slack<'a>(total: &Cells, others: impl IntoIterator<Item = &'a Cells>) -> f64 {
    others.into_iter().map(|one| one.slack).fold(total.slack, f64::max)
}

/// True where a cell is missing.
fn adds_up(total: f64, parts: &[&[f64]], row: usize, slack: f64) -> bool {
    !is_off(total, parts.iter().map(|part| part[row]), slack)
}

/// Whether chance is out, and `most` rows break it at most, and as small a share of those that tell.
fn is_sum(total: &[f64], parts: &[&[f64]], most: usize, slack: f64) -> bool {
    let rows = total.len();
    if (0..rows).filter(|&row| !adds_up(total[row], parts, row, slack)).take(most + 1).count() > most {
        return false;
    }
    let filled = |row: usize| parts.iter().filter(|part| part[row] != 0.0).count();
    let there = |row: usize| !total[row].is_nan() && parts.iter().all(|part| !part[row].is_nan());
    let tells: Vec<usize> = (0..rows).filter(|&row| there(row) && filled(row) >= parts.len().min(2)).collect();
    let broken = tells.iter().filter(|&&row| !adds_up(total[row], parts, row, slack)).count();
    let idle = |part: &&[f64]| tells.iter().filter(|&&row| part[row] != 0.0).count() < LEAST_ROWS;
    if broken > most_broken(tells.len()) || parts.iter().any(idle) {
        return false;
    }
    let totals = ascending(tells.iter().map(|&row| total[row]));
    let of_sum = |&row: &usize| {
        let sum: f64 = parts.iter().map(|part| part[row]).sum();
        let slack = slack * sum.abs().max(SMALLEST_SIZE);
        totals.partition_point(|&total| total <= sum + slack) - totals.partition_point(|&total| total < sum - slack)
    };
    let pairs: usize = tells.iter().map(of_sum).sum();
    chance_is_out(tells.len() - broken, pairs as f64 / (tells.len() as f64).powi(2))
}

fn ascending(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_excluded_beyond_twenty_nats() {
        // -ln 0.5 is 0.693: 28 rows are 19.4 nats, 29 are 20.1.
        assert_eq!([28, 29].map(|rows| chance_is_out(rows, 0.5)), [false, true]);
        assert!(!chance_is_out(19, 0.0));
    }

    #[test]
    fn subsets_are_all_there() {
        assert_eq!(subsets(3, 1), [[0], [1], [2]]);
        assert_eq!(subsets(4, 3), [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]);
    }

    #[test]
    fn a_glance_lets_pass_what_may_be_a_rule() {
        assert_eq!(most_seen(50, 64), 0);
        // 5.12 expected of 512 rows, 0.64 of 64.
        assert_eq!((most_seen(10_000, 512), most_seen(10_000, 64)), (14, 3));
    }

    #[test]
    fn a_few_wrong_values_do_not_add_decimals() {
        let mut cents: Vec<f64> = (0..200).map(|at| f64::from(at) / 100.0).collect();
        assert_eq!(usual_decimals(&cents, &DataType::Float64), Some(2));
        cents[3..5].fill(9.163);
        assert_eq!(usual_decimals(&cents, &DataType::Float64), Some(2));
        cents[3..6].fill(1.0 / 3.0);
        assert_eq!(usual_decimals(&cents, &DataType::Float64), None);
        assert_eq!(usual_decimals(&[f64::NAN, 12.0], &DataType::Int64), Some(0));
        assert_eq!(usual_decimals(&[f64::from(8.1_f32)], &DataType::Float32), Some(1));
    }

    #[test]
    fn what_is_missing_breaks_nothing() {
        assert!(adds_up(f64::NAN, &[&[1.0]], 0, 1e-9));
        assert!(adds_up(3.0, &[&[f64::NAN], &[1.0]], 0, 1e-9));
        assert!(!adds_up(3.0, &[&[1.0], &[1.0]], 0, 1e-9));
    }
}
