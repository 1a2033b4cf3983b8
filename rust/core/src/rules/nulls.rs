//! Rules about which cells are null: together, with another, or by the value of another.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use arrow_cast::cast;
use arrow_schema::DataType;

use crate::codec::unpacked;
use crate::constraints::{Constraint, Rule};

/// What a value says of another column, in the pairs of a rule.
const NULL: &str = "null";

/// The cells that a rule about nulls looks at.
#[derive(Debug)]
pub struct Nulls {
    /// In the order of the rule's columns; None where no cell is null.
    columns: Vec<Option<NullBuffer>>,
    /// Per row whether the second cell is to be null, of a rule that goes by the value of the first; None where it says nothing.
    said: Vec<Option<bool>>,
}

impl Nulls {
    /// None where the cells cannot be read.
    pub fn open(constraint: &Constraint, columns: &[&ArrayRef]) -> Option<Self> {
        let plain: Vec<ArrayRef> = columns.iter().map(|column| unpacked(column).ok()).collect::<Option<_>>()?;
        let said = match (constraint.rule, plain.first()) {
            (Rule::NullBy, Some(first)) => said(constraint, first)?,
            _ => Vec::new(),
        };
        Some(Self { columns: plain.iter().map(|column| column.logical_nulls()).collect(), said })
    }

    pub fn breaks(&self, rule: Rule, row: usize) -> bool {
        match rule {
            Rule::NullTogether => (1..self.columns.len()).any(|at| self.is_null(at, row) != self.is_null(0, row)),
            Rule::NullWith => self.is_null(0, row) && !self.is_null(1, row),
            Rule::NullBy => self.said[row].is_some_and(|null| null != self.is_null(1, row)),
            Rule::AtMost | Rule::Sum | Rule::Product | Rule::Determines => false,
        }
    }

    pub fn is_null(&self, at: usize, row: usize) -> bool {
        self.columns[at].as_ref().is_some_and(|nulls| nulls.is_null(row))
    }
}

/// Values are compared as text, as they are kept.
fn said(constraint: &Constraint, cells: &ArrayRef) -> Option<Vec<Option<bool>>> {
    let pairs: HashMap<&str, bool> =
        constraint.pairs.iter().map(|(value, word)| (value.as_str(), word == NULL)).collect();
    let texts = cast(cells, &DataType::Utf8).ok()?;
    let known = |text: Option<&str>| text.and_then(|text| pairs.get(text).copied());
    Some(texts.as_string_opt::<i32>()?.iter().map(known).collect())
}
