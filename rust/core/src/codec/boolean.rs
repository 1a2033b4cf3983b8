//! Booleans: a category of `null, (unseen), false, true`. The unseen code never occurs.

use arrow_array::{Array, ArrayRef};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use serde_json::{Value, json};
use std::ops::Range;

use super::manifest::Fields;
use super::types::{Family, family};
use super::{Cells, Column, Out, Spec, build, read};
use crate::block::{FIRST_VALUE, MISSING, Part};
use crate::error::Result;
use crate::store::Store;

#[derive(Debug, Clone)]
pub struct Boolean {
    pub(super) column: Column,
}

#[derive(Debug)]
pub struct Source {
    values: BooleanBuffer,
    nulls: Option<NullBuffer>,
}

impl Boolean {
    pub fn specs(&self) -> Vec<Spec> {
        vec![Spec::category(Part::Value, FIRST_VALUE + 2)]
    }

    pub fn summary(&self) -> String {
        "false or true".to_owned()
    }

    pub fn open(&self, array: &dyn Array) -> Result<Source> {
        let (values, nulls) = read::booleans(array)?;
        Ok(Source { values, nulls })
    }

    pub(super) fn decode(&self, cells: Cells<'_>) -> Result<ArrayRef> {
        let value = |row| match cells.category(row, 0).checked_sub(FIRST_VALUE) {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        };
        build::booleans(&cells.rows().map(value).collect::<Vec<_>>(), &self.column.data_type)
    }

    pub fn write(&self, _store: &mut Store, _prefix: &str) -> Value {
        json!({})
    }

    pub fn read(column: Column, fields: Fields<'_>) -> Result<Self> {
        match family(&column.data_type) {
            Some(Family::Boolean) => Ok(Self { column }),
            _ => Err(fields.damaged("type")),
        }
    }
}

impl Source {
    pub(super) fn encode(&self, rows: Range<usize>, out: &mut Out<'_, '_>) {
        let code = |row| match &self.nulls {
            Some(nulls) if nulls.is_null(row) => MISSING,
            _ => FIRST_VALUE + u16::from(self.values.value(row)),
        };
        out.categories(0, 0, rows.map(code));
    }
}
