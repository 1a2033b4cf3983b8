//! What a caller can say of a fit, checked against the table.

use std::collections::BTreeMap;

use arrow_schema::SchemaRef;

use crate::block::{Feature, Slot};
use crate::codec::{ColumnState, Kind, type_words};
use crate::encoder::{Encoder, Role};
use crate::error::{Error, Result, list_names, unknown_columns};
use crate::mechanism::Mechanism;
use crate::score::Names;

#[derive(Debug, Clone, Default)]
pub struct Options {
    pub kinds: BTreeMap<String, Kind>,
    pub ignore: Vec<String>,
    pub label: Option<String>,
    /// The label value of normal rows.
    pub normal: Option<String>,
    /// The column that says of few rows whether they are anomalies.
    pub feedback: Option<String>,
    /// Rows that the memory keeps at most; 0 for no memory.
    pub memory: usize,
    pub seed: u64,
    /// The table will be screened against itself.
    pub screen: bool,
    /// Context columns: rows are judged given them.
    pub given: Vec<String>,
    pub mechanism: Mechanism,
    /// Orders and sums are looked for.
    pub rules: bool,
    /// The column that says whose row it is: rows of one unit are held out together or not at all.
    pub unit: Option<String>,
}

/// What becomes of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    Model,
    Ignore,
    Label,
    Feedback,
    Unit,
}

impl Options {
    pub fn check(&self) -> Result<()> {
        if self.normal.is_some() && self.label.is_none() {
            return Err(Error::usage("normal-without-label", "a normal value was given, but no label column")
                .hint("name the label column: --label COLUMN --normal VALUE"));
        }
        if self.feedback.is_some() && self.feedback == self.label {
            return Err(Error::usage("options-conflict", "one column is given as label and as feedback")
                .hint("a label says what every row is, feedback what few rows are"));
        }
        let also = |other: &Option<String>| self.unit.is_some() && self.unit == *other;
        if also(&self.label) || also(&self.feedback) || self.unit.as_ref().is_some_and(|unit| self.given.contains(unit))
        {
            return Err(Error::usage(
                "options-conflict",
                "one column is given as unit and as label, feedback or context",
            )
            .hint("a unit says whose row it is (a customer), and is not modelled"));
        }
        if self.unit.is_some() && self.screen {
            return Err(Error::usage("options-conflict", "a unit is named, and no row is to be held out")
                .hint("units are for models that hold rows out: leave --unit out, or --all-rows"));
        }
        if self.feedback.is_some() && self.memory == 0 {
            return Err(Error::usage("options-conflict", "feedback needs kept rows, and the memory is to keep none")
                .hint("leave out --memory none"));
        }
        Ok(())
    }

    /// One plan per column; all unknown names and all nested columns are reported.
    pub fn plan(&self, schema: &SchemaRef) -> Result<Vec<Plan>> {
        let named = self.kinds.keys().chain(&self.ignore).chain(&self.label).chain(&self.feedback).chain(&self.unit);
        let named = named.chain(&self.given);
        let unknown: Vec<String> = named.filter(|name| schema.index_of(name).is_err()).cloned().collect();
        if !unknown.is_empty() {
            let have: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
            return Err(unknown_columns(&unknown, &have));
        }
        let mut names: Vec<&String> = schema.fields().iter().map(|field| field.name()).collect();
        names.sort_unstable();
        let twice: Vec<String> =
            names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0].clone()).collect();
        if !twice.is_empty() {
            return Err(Error::input("column-twice", format!("column {} occurs more than once", list_names(&twice)))
                .hint("rename the columns: they are matched by name"));
        }
        let scored = self.scored(schema);
        let mut nested = Vec::new();
        let mut plans = Vec::with_capacity(schema.fields().len());
        for field in schema.fields() {
            let name = field.name();
            let plan = if self.label.as_ref() == Some(name) {
                Plan::Label
            } else if self.feedback.as_ref() == Some(name) {
                Plan::Feedback
            } else if self.unit.as_ref() == Some(name) {
                Plan::Unit
            } else if self.ignore.contains(name) || scored.contains(name) {
                Plan::Ignore
            } else {
                Plan::Model
            };
            match ColumnState::new(field) {
                None if matches!(plan, Plan::Model | Plan::Unit) => nested.push(name.clone()),
                Some(state) => {
                    if let Some(kind) = self.kinds.get(name).filter(|kind| !state.type_accepts(**kind)) {
                        let message = format!(
                            "column `{name}` is {} and cannot be of kind `{}`",
                            type_words(field.data_type()),
                            kind.name()
                        );
                        return Err(
                            Error::usage("kind-misfits", message).hint("cast the column first, or leave its kind out")
                        );
                    }
                }
                None => {}
            }
            plans.push(plan);
        }
        if !nested.is_empty() {
            let plural = if nested.len() == 1 { "column" } else { "columns" };
            let ignore: Vec<String> = nested.iter().take(3).map(|name| format!("--ignore {name}")).collect();
            let message = format!("{plural} {} cannot be modelled: nested or binary", list_names(&nested));
            return Err(Error::input("column-nested", message).hint(format!("leave them out: {}", ignore.join(" "))));
        }
        Ok(plans)
    }

    /// What an earlier scoring added, by whatever prefix: all four columns, and nobody named one of them.
    fn scored(&self, schema: &SchemaRef) -> Vec<String> {
        let named = |name: &String| {
            let alone = [&self.label, &self.feedback, &self.unit];
            alone.into_iter().flatten().chain(&self.given).chain(self.kinds.keys()).any(|one| one == name)
        };
        let is_there = |name: &String| schema.index_of(name).is_ok() && !named(name);
        let [_, p_value, ..] = Names::new("").all();
        let prefixes = schema.fields().iter().filter_map(|field| field.name().strip_suffix(&p_value));
        prefixes.map(|prefix| Names::new(prefix).all()).filter(|added| added.iter().all(is_there)).flatten().collect()
    }

    /// What can be checked once the kinds of the columns are known.
    pub fn check_columns(&self, encoder: &Encoder) -> Result<()> {
        for column in encoder.columns.iter().filter(|column| column.given) {
            let why = match &column.role {
                Role::Modelled(codec) if !codec.specs().is_empty() => continue,
                Role::Modelled(_) => "names the row",
                Role::Ignored => "is left out",
                Role::Label => "is the label",
            };
            let message = format!("column `{}` is to be given, and it {why}", column.name);
            return Err(Error::usage("given-not-modelled", message)
                .hint("give columns that are modelled; say what an identifier is with --kind COLUMN=category"));
        }
        if encoder.features.iter().all(|feature| feature.given) {
            return Err(Error::usage("given-all", "every modelled column is given, and none is left to be judged")
                .hint("give fewer columns"));
        }
        let judged = |feature: &&Feature| !feature.given && matches!(feature.slot, Slot::Number { .. });
        if self.mechanism == Mechanism::ScoreFunction && !encoder.features.iter().any(|feature| judged(&feature)) {
            let message = "the score function is a gradient, and no column that is judged has a number";
            return Err(Error::usage("mechanism-misfits", message).hint("use the mechanism conditional or density"));
        }
        Ok(())
    }
}
