//! What a private fit gives away: the terms of its guarantee, and the distribution that rows are drawn from.
//!
//! The meaning of both is Python's (`tabad.private`); here they are kept, and checked as far as a file can be: facts
//! hold no floats (the same model gives the same bytes) and every number is finite.

use serde_json::Value;

use crate::error::{Error, Result};
use crate::store::Store;

const NUMBERS: &str = "private";

#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    facts: Value,
    numbers: Vec<f64>,
}

impl Release {
    /// `facts` is a JSON object without floats. A model file error otherwise: both come from one, or go into one.
    pub fn new(facts: Value, numbers: Vec<f64>) -> Result<Self> {
        if !facts.is_object() || has_floats(&facts) {
            return Err(Error::model_file("the manifest's `private` is damaged"));
        }
        if numbers.iter().any(|number| !number.is_finite()) {
            return Err(Error::model_file(format!("tensor `{NUMBERS}` must hold finite numbers")));
        }
        Ok(Self { facts, numbers })
    }

    pub fn facts(&self) -> &Value {
        &self.facts
    }

    pub fn numbers(&self) -> &[f64] {
        &self.numbers
    }

    pub fn write(&self, store: &mut Store) -> Value {
        store.put_f64(NUMBERS, self.numbers.clone());
        self.facts.clone()
    }

    pub fn read(facts: &Value, store: &Store) -> Result<Self> {
        Self::new(facts.clone(), store.get_f64(NUMBERS)?.to_vec())
    }
}

fn has_floats(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(values) => values.iter().any(has_floats),
        Value::Object(values) => values.values().any(has_floats),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_release_comes_back_as_it_was() {
        let release = Release::new(json!({"epsilon": "1"}), vec![0.25, 3.0]).unwrap();
        let mut store = Store::default();
        let facts = release.write(&mut store);
        assert_eq!(Release::read(&facts, &store).unwrap(), release);
    }

    #[test]
    fn floats_in_the_facts_and_numbers_that_are_not_finite_are_refused() {
        assert!(Release::new(json!({"columns": [{"mass": 0.5}]}), vec![]).is_err());
        assert!(Release::new(json!([1]), vec![]).is_err());
        assert!(Release::new(json!({}), vec![f64::NAN]).is_err());
    }
}
