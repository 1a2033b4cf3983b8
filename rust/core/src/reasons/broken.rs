//! Reasons of a row that breaks what no row of the fit broke (`rules`).

use arrow_array::{Array, ArrayRef, Float64Array, RecordBatch};
use arrow_cast::cast;

use super::{Case, Reason, SMALLEST_SHARE};
use crate::block::Part;
use crate::constraints::{Constraint, Rule};
use crate::model::Model;
use crate::rules::Check;

/// A reason for each broken rule, unless its column has one, before those for odd columns.
pub fn with_rules(model: &Model, case: &Case<'_>, broken: &[&Check<'_>], odd: Vec<Reason>, most: usize) -> Vec<Reason> {
    let evidence = case.rules.evidence(case.row);
    let own = (evidence / case.score.max(evidence)) as f32;
    let mut reasons: Vec<Reason> = Vec::new();
    for check in broken {
        let found = reason(model, case, check, wrong_column(model, case, check, &odd));
        reasons.extend(found.filter(|new| reasons.iter().all(|reason| reason.column != new.column)));
    }
    reasons.truncate(most);
    let each = own / reasons.len().max(1) as f32;
    reasons.iter_mut().for_each(|reason| reason.share = each);
    for reason in odd {
        let share = reason.share * (1.0 - own);
        let named = reasons.iter().any(|other| other.column == reason.column);
        if reasons.len() < most && !named && share >= SMALLEST_SHARE {
            reasons.push(Reason { share, ..reason });
        }
    }
    reasons
}

/// Of a sum the cell without which the rest of the row is most ordinary, were it what the others make it; of an order the
/// more surprising one, or else the first. A context column is none, unless all are.
fn wrong_column<'a>(model: &Model, case: &Case<'_>, check: &Check<'a>, odd: &[Reason]) -> &'a str {
    let names = &check.constraint.columns;
    let given = |name: &str| model.encoder.place(name).is_some_and(|at| model.encoder.columns[at].given);
    let columns: Vec<&str> = names.iter().map(String::as_str).filter(|name| !given(name)).collect();
    let scores = columns.iter().map(|name| (*name, mended(model, case, check, name).unwrap_or(f64::INFINITY)));
    let best = scores.min_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, score)| score.is_finite());
    if let Some((name, _)) = best {
        return name;
    }
    let surprising = odd.iter().find_map(|reason| columns.iter().find(|name| **name == reason.column));
    surprising.or(columns.first()).copied().unwrap_or(&names[0])
}

/// The score of the row with one cell of a sum as the others make it.
fn mended(model: &Model, case: &Case<'_>, check: &Check<'_>, column: &str) -> Option<f64> {
    if check.constraint.rule != Rule::Sum {
        return None;
    }
    let (_, source) = place(model, case, column)?;
    let mut columns: Vec<ArrayRef> = case.batch.columns().iter().map(|cells| cells.slice(case.row, 1)).collect();
    let wanted = round(check.wanted(column, case.row)?, decimals(model, case, check.constraint, column));
    columns[source] = cast(&Float64Array::from(vec![wanted]), columns[source].data_type()).ok()?;
    let row = RecordBatch::try_new(case.batch.schema(), columns).ok()?;
    let block = model.encoder.open(&row, case.alignment).ok()?.encode(0..1);
    let mut scores = Vec::new();
    model.scorer.scores_into(&model.denoisers, None, &block, &mut model.scorer.room(), &mut scores).ok()?;
    scores.first().copied()
}

fn reason(model: &Model, case: &Case<'_>, check: &Check<'_>, column: &str) -> Option<Reason> {
    let [first, rest @ ..] = check.constraint.columns.as_slice() else { return None };
    let show = |name: &str| shown(model, case, name);
    let expected = match check.constraint.rule {
        Rule::Sum => {
            let wanted = check.wanted(column, case.row)?;
            let others = rest.iter().filter(|name| *name != column).map(String::as_str);
            let terms = if first == column {
                others.collect::<Vec<_>>().join(" + ")
            } else {
                std::iter::once(first.as_str()).chain(others).collect::<Vec<_>>().join(" - ")
            };
            format!("{wanted:.*} ({terms})", decimals(model, case, check.constraint, column))
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
    (value * scale).round() / scale
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
