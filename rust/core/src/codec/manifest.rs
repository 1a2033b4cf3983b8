//! Reads a codec's JSON from a model file: every field checked, nothing trusted.

use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// One codec's JSON object and the name to blame.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    object: &'a Map<String, Value>,
    prefix: &'a str,
}

impl<'a> Fields<'a> {
    pub fn new(value: &'a Value, prefix: &'a str) -> Result<Self> {
        let object = value.as_object().ok_or_else(|| Error::model_file(format!("`{prefix}` is not an object")))?;
        Ok(Self { object, prefix })
    }

    pub fn damaged(&self, field: &str) -> Error {
        Error::model_file(format!("`{field}` of `{}` is missing or damaged", self.prefix))
    }

    pub fn text(&self, field: &str) -> Result<&'a str> {
        self.object.get(field).and_then(Value::as_str).ok_or_else(|| self.damaged(field))
    }

    pub fn flag(&self, field: &str) -> Result<bool> {
        self.object.get(field).and_then(Value::as_bool).ok_or_else(|| self.damaged(field))
    }

    /// Whether the codec is that of a redacted model; a file of before there were any does not say.
    pub fn hashed(&self) -> Result<bool> {
        if self.object.contains_key("hashed") { self.flag("hashed") } else { Ok(false) }
    }

    pub fn count(&self, field: &str) -> Result<u64> {
        self.object.get(field).and_then(Value::as_u64).ok_or_else(|| self.damaged(field))
    }

    /// An integer of at most `most`, or null.
    pub fn small(&self, field: &str, most: u64) -> Result<Option<u64>> {
        match self.object.get(field) {
            Some(Value::Null) => Ok(None),
            Some(value) => {
                let number = value.as_u64().filter(|number| *number <= most);
                number.map(Some).ok_or_else(|| self.damaged(field))
            }
            None => Err(self.damaged(field)),
        }
    }

    /// An object within this one.
    pub fn object(&self, field: &str) -> Result<Fields<'a>> {
        let object = self.object.get(field).and_then(Value::as_object).ok_or_else(|| self.damaged(field))?;
        Ok(Fields { object, prefix: self.prefix })
    }

    /// An integer smaller in size than `bound`, or null.
    pub fn signed(&self, field: &str, bound: i16) -> Result<Option<i16>> {
        match self.object.get(field) {
            Some(Value::Null) => Ok(None),
            Some(value) => {
                let number = value.as_i64().and_then(|number| i16::try_from(number).ok());
                number
                    .filter(|number| number.unsigned_abs() < bound.unsigned_abs())
                    .map(Some)
                    .ok_or_else(|| self.damaged(field))
            }
            None => Err(self.damaged(field)),
        }
    }
}
