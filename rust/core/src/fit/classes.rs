//! The label column of a fit: its values, the class of each row, and which of them is normal.

use arrow_array::RecordBatch;

use super::{ColumnPlan, Options};
use crate::encoder::label_values;
use crate::error::{Error, Result};
use crate::model::Label;

pub(super) fn normal_class(label: Option<&Label>) -> Option<u16> {
    let label = label?;
    let normal = label.normal.as_ref()?;
    label.values.iter().position(|value| value == normal).and_then(|at| u16::try_from(at).ok())
}

/// The label's values, sorted, and the class of each sample row (null is the class of an empty string).
pub(super) fn read_classes(
    options: &Options,
    plans: &[ColumnPlan],
    sample: &RecordBatch,
) -> Result<(Option<Label>, Vec<u16>)> {
    let Some(at) = plans.iter().position(|plan| *plan == ColumnPlan::Label) else { return Ok((None, Vec::new())) };
    let column = options.label.clone().unwrap_or_default();
    let found: Vec<String> = label_values(sample, at)?.into_iter().map(Option::unwrap_or_default).collect();
    let mut values = found.clone();
    values.sort_unstable();
    values.dedup();
    if values.len() > 1000 {
        return Err(Error::input("label-too-many", format!("label column `{column}` has more than 1,000 values"))
            .hint("name the column that holds the class of a row"));
    }
    let normal = match &options.normal {
        None => None,
        Some(wanted) => match values.iter().find(|value| *value == wanted).or_else(|| alike(&values, wanted)) {
            Some(value) => Some(value.clone()),
            None => return Err(unknown_normal(wanted, &column, &values)),
        },
    };
    let classes: Vec<u16> = found
        .iter()
        .map(|value| values.binary_search(value).ok().and_then(|at| u16::try_from(at).ok()).unwrap_or(0))
        .collect();
    let mut counts = vec![0; values.len()];
    classes.iter().for_each(|&class| counts[usize::from(class)] += 1);
    Ok((Some(Label { column, values, counts, normal }), classes))
}

fn alike<'a>(values: &'a [String], wanted: &str) -> Option<&'a String> {
    values.iter().find(|value| same_label(value, wanted))
}

/// `values`: those that there are, each once.
pub(super) fn unknown_normal(wanted: &str, column: &str, values: &[String]) -> Error {
    Error::input("normal-unknown", format!("no row has `{wanted}` in label column `{column}`"))
        .hint(format!("its values are {}", crate::error::list_names(values)))
}

/// `0` names the class `0.0` too, and `False` the class `false`.
pub(super) fn same_label(value: &str, wanted: &str) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    value.eq_ignore_ascii_case(wanted) || (number(value).is_some() && number(value) == number(wanted))
}
