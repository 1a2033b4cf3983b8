//! Reasons of a row that breaks what no row of the fit broke (`rules`).

use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_cast::cast;

use super::{Case, Reason, SMALLEST_SHARE};
use crate::block::Part;
use crate::constraints::{Constraint, Rule};
use crate::model::Model;
use crate::repairs::Prospects;
use crate::rules::Check;

/// A reason for each broken rule, unless its column has one; then one for the column that it could as well be, before those for
/// odd columns. What breaks the rules counts twice as much as what could.
pub fn with_rules(
    model: &Model,
    case: &Case<'_>,
    broken: &[&Check<'_>],
    (odd, most): (Vec<Reason>, usize),
    prospects: &mut Prospects<'_>,
) -> Vec<Reason> {
    let own = case.share_of(case.rules.evidence(case.row));
    let suspects: Vec<Vec<&str>> = broken.iter().map(|check| suspects(model, case, check, broken, prospects)).collect();
    let mut reasons: Vec<Reason> = Vec::new();
    for (rank, weight) in [2.0, 1.0].into_iter().enumerate() {
        for (check, names) in broken.iter().zip(&suspects) {
            let Some(name) = names.get(rank).filter(|name| reasons.iter().all(|reason| reason.column != **name)) else {
                continue;
            };
            let found = reason(model, case, binding(check, broken, name, case.row), name);
            reasons.extend(found.map(|reason| Reason { share: weight, ..reason }));
        }
    }
    reasons.truncate(most);
    let whole: f32 = reasons.iter().map(|reason| reason.share).sum();
    reasons.iter_mut().for_each(|reason| reason.share *= own / whole);
    for reason in odd {
        let share = reason.share * (1.0 - own);
        let named = reasons.iter().any(|other| other.column == reason.column);
        if reasons.len() < most && !named && share >= SMALLEST_SHARE {
            reasons.push(Reason { share, ..reason });
        }
    }
    reasons
}

/// The columns that may be wrong, likeliest first. Of a sum or a product by how many broken rules the cell mends, were it what the
/// others make it (a quantity of 2.7 makes nothing), then by how ordinary the row is with it; of an order those that break most rules,
/// by what their repair takes off the score. A context column is none, unless all are.
fn suspects<'a>(
    model: &Model,
    case: &Case<'_>,
    check: &Check<'a>,
    broken: &[&Check<'_>],
    prospects: &mut Prospects<'_>,
) -> Vec<&'a str> {
    let names = &check.constraint.columns;
    let given = |name: &str| model.encoder.place(name).is_some_and(|at| model.encoder.columns[at].given);
    let mut columns: Vec<&str> = names.iter().map(String::as_str).filter(|name| !given(name)).collect();
    if columns.is_empty() {
        return vec![&names[0]];
    }
    if check.constraint.rule.is_of_nulls() {
        return check
            .odd_nulls(case.row)
            .into_iter()
            .map(|(name, _)| name)
            .filter(|name| columns.contains(name))
            .collect();
    }
    let score = |name: &&str| mended(model, case, check, name).unwrap_or(f64::INFINITY);
    let mends = |name: &&str| {
        let cell = wanted(model, case, check, name);
        cell.map_or(i64::MIN, |(cell, _)| case.rules.mended(name, cell, case.row))
    };
    let mut repairs: Vec<i64> = vec![0; columns.len()];
    let odd: Vec<f64> = match check.constraint.rule {
        Rule::Sum | Rule::Product => {
            repairs = columns.iter().map(mends).collect();
            columns.iter().map(score).collect()
        }
        _ => {
            let breaks =
                |name: &str| broken.iter().filter(|one| one.constraint.columns.iter().any(|own| own == name)).count();
            let most = columns.iter().map(|name| breaks(name)).max();
            columns.retain(|name| Some(breaks(name)) == most);
            if columns.len() == 1 {
                return columns;
            }
            repaired(model, &columns, prospects).into_iter().map(|relief| -relief).collect()
        }
    };
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by(|&a, &b| repairs[b].cmp(&repairs[a]).then(odd[a].total_cmp(&odd[b])).then(a.cmp(&b)));
    order.into_iter().map(|at| columns[at]).collect()
}

/// What a repair of each of these columns takes off the score of the row.
fn repaired(model: &Model, columns: &[&str], prospects: &mut Prospects<'_>) -> Vec<f64> {
    let feature = |name: &&str| {
        let at = model.encoder.place(name)?;
        model.encoder.features.iter().position(|feature| feature.column == at)
    };
    let features: Option<Vec<usize>> = columns.iter().map(feature).collect();
    let relief = features.and_then(|features| prospects.relief(&features));
    relief.map_or_else(|| vec![0.0; columns.len()], |relief| relief.of_each)
}

/// The score of the row with one cell of a sum as the others make it.
fn mended(model: &Model, case: &Case<'_>, check: &Check<'_>, column: &str) -> Option<f64> {
    let (_, source) = place(model, case, column)?;
    let mut columns: Vec<ArrayRef> = case.batch.columns().iter().map(|cells| cells.slice(case.row, 1)).collect();
    let (wanted, _) = wanted(model, case, check, column)?;
    columns[source] = cast(&Float64Array::from(vec![wanted]), columns[source].data_type()).ok()?;
    let row = RecordBatch::try_new(case.batch.schema(), columns).ok()?;
    let block = model.encoder.open(&row, case.alignment).ok()?.encode(0..1);
    let mut scores = Vec::new();
    model.scorer.scores_into(&model.denoisers, None, &block, &mut model.scorer.room(), &mut scores).ok()?;
    scores.first().copied()
}

/// Of the broken orders that end a column on one side the narrowest: what obeys that obeys the others.
fn binding<'c, 'a>(check: &'c Check<'a>, broken: &[&'c Check<'a>], column: &str, row: usize) -> &'c Check<'a> {
    let Some((cell, upper, _)) = check.beyond(column, row) else { return check };
    let alike =
        broken.iter().filter(|one| one.constraint.columns.iter().any(|name| name == column)).filter_map(|one| {
            let (own, side, far) = one.beyond(column, row)?;
            // In the same unit.
            (own.total_cmp(&cell).is_eq() && side == upper).then_some((far, *one))
        });
    alike.max_by(|a, b| a.0.total_cmp(&b.0)).map_or(check, |(_, one)| one)
}

fn reason(model: &Model, case: &Case<'_>, check: &Check<'_>, column: &str) -> Option<Reason> {
    let [first, rest @ ..] = check.constraint.columns.as_slice() else { return None };
    let show = |name: &str| shown(model, case, name);
    let expected = match check.constraint.rule {
        Rule::Sum | Rule::Product => {
            let (wanted, decimals) = wanted(model, case, check, column)?;
            let (together, apart) = if check.constraint.rule == Rule::Sum { (" + ", " - ") } else { (" * ", " / ") };
            let others = rest.iter().filter(|name| *name != column).map(String::as_str);
            let terms = if first == column {
                others.collect::<Vec<_>>().join(together)
            } else {
                std::iter::once(first.as_str()).chain(others).collect::<Vec<_>>().join(apart)
            };
            format!("{wanted:.decimals$} ({terms})")
        }
        rule if rule.is_of_nulls() => {
            let odd = check.odd_nulls(case.row);
            let (_, null) = *odd.iter().find(|(name, _)| *name == column)?;
            let (other, other_null) = *odd.iter().find(|(name, _)| *name != column)?;
            match (rule, column == first.as_str()) {
                (Rule::NullBy, false) => {
                    format!("{} ({first} {})", if null { "a value" } else { "null" }, show(first)?)
                }
                (Rule::NullBy, true) => format!("another ({other} {})", if other_null { "null" } else { "not null" }),
                _ => format!("{} (as {other})", if null { "a value" } else { "null" }),
            }
        }
        _ if first == column => format!("at most {} ({})", show(rest.first()?)?, rest.first()?),
        _ => format!("at least {} ({first})", show(first)?),
    };
    Some(Reason { column: column.to_owned(), part: Part::Value, seen: show(column)?, expected, share: 0.0 })
}

/// Where a column stands in the model and in the batch.
fn place(model: &Model, case: &Case<'_>, column: &str) -> Option<(usize, usize)> {
    let at = model.encoder.place(column)?;
    Some((at, case.alignment.get(at).copied().flatten()?))
}

fn shown(model: &Model, case: &Case<'_>, column: &str) -> Option<String> {
    let (at, source) = place(model, case, column)?;
    Some(model.encoder.codec(at)?.show(case.batch.column(source).as_ref(), case.row))
}

/// What a cell of a sum or a product has to be, and with how many decimals it is written; None where no such cell would do.
fn wanted(model: &Model, case: &Case<'_>, check: &Check<'_>, column: &str) -> Option<(f64, usize)> {
    let exact = check.wanted(column, case.row)?;
    if check.constraint.rule == Rule::Sum {
        let decimals = decimals(model, case, check.constraint, column);
        return Some((round(exact, decimals), decimals));
    }
    let (at, source) = place(model, case, column)?;
    let whole = case.batch.column(source).data_type().is_integer();
    let own = || model.encoder.codec(at)?.decimals().or(whole.then_some(0));
    let is_total = check.constraint.columns.first().is_some_and(|first| first == column);
    let stated = if is_total { check.constraint.decimals } else { own() };
    let decimals = stated.map_or_else(|| decimals(model, case, check.constraint, column), usize::from);
    let rounded = round(exact, decimals);
    (!check.breaks_with(column, rounded, case.row)).then_some((rounded, decimals))
}

/// The most decimals that a cell of a sum but this one is written with: those of a wrong cell say nothing.
fn decimals(model: &Model, case: &Case<'_>, one: &Constraint, but: &str) -> usize {
    let others = one.columns.iter().filter(|name| *name != but).filter_map(|name| shown(model, case, name));
    others.map(|text| written(&text)).max().unwrap_or(0).min(9)
}

/// Decimals that a number is written with.
fn written(text: &str) -> usize {
    text.split_once('.').map_or(0, |(_, rest)| rest.chars().take_while(char::is_ascii_digit).count())
}

fn round(value: f64, decimals: usize) -> f64 {
    let scale = 10_f64.powi(decimals as i32);
    // No -0.0.
    (value * scale).round() / scale + 0.0
}

#[cfg(test)]
mod tests {
    use super::{round, written};

    #[test]
    fn a_sum_is_written_as_its_cells_are() {
        assert_eq!(["12", "3.50", "0.125", "-3"].map(written), [0, 2, 3, 0]);
        assert_eq!(round(0.1 + 0.2, 2), 0.3);
    }
}
