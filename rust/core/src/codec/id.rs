//! Ids: a name for the row. No features; `decode` gives a fresh sequence, never a source's id.

use arrow_array::ArrayRef;
use serde_json::{Value, json};

use super::manifest::Fields;
use super::types::{Family, family};
use super::{Column, Spec, build};
use crate::error::Result;
use crate::store::Store;

#[derive(Debug, Clone)]
pub struct Id {
    pub(super) column: Column,
}

impl Id {
    pub fn specs(&self) -> Vec<Spec> {
        Vec::new()
    }

    pub fn summary(&self) -> String {
        "names the row, not modelled".to_owned()
    }

    pub fn decode(&self, rows: usize, first_row: u64) -> Result<ArrayRef> {
        let numbers = (0..rows as u64).map(|row| first_row.saturating_add(row).saturating_add(1));
        match family(&self.column.data_type) {
            Some(Family::Text) => {
                let names: Vec<_> = numbers.map(|number| Some(format!("{}-{number}", self.column.name))).collect();
                build::strings(&names, &self.column.data_type)
            }
            _ => {
                let numbers: Vec<_> = numbers.map(|number| Some(number.cast_signed())).collect();
                build::integers(&numbers, &self.column.data_type)
            }
        }
    }

    pub fn write(&self, _store: &mut Store, _prefix: &str) -> Value {
        json!({})
    }

    pub fn read(column: Column, fields: Fields<'_>) -> Result<Self> {
        match family(&column.data_type) {
            Some(Family::Text | Family::Integer) => Ok(Self { column }),
            _ => Err(fields.damaged("type")),
        }
    }
}
