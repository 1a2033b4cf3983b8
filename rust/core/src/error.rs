//! Every way in which the core can refuse its input, with the catalogue name, the fact and the fix.
//!
//! The message says what was found and where; the hint says what to do next. `rust/py` maps `Group`
//! to a Python exception class and an exit code; nothing else is decided outside this file.

use std::collections::BTreeSet;

use arrow_schema::ArrowError;

use crate::spelling::meant;

/// Which Python exception and exit code an error becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// The call is wrong (exit code 2).
    Usage,
    /// The table cannot be read, screened, or does not fit the model (exit code 3).
    Input,
    /// The model file is not one, or is damaged (exit code 4).
    ModelFile,
    /// The stream that feeds us failed; its own error is passed on (exit code 3).
    Stream,
}

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub group: Group,
    /// Catalogue name, stable, shown by `--json`: lower-case words joined by `-`.
    pub name: &'static str,
    pub message: String,
    pub hint: Option<String>,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub fn usage(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(Group::Usage, name, message)
    }

    pub fn input(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(Group::Input, name, message)
    }

    pub fn model_file(message: impl Into<String>) -> Self {
        Self::new(Group::ModelFile, "model-file-damaged", message)
            .hint("copy the file again from where it was written, or fit a new model")
    }

    fn new(group: Group, name: &'static str, message: impl Into<String>) -> Self {
        Self { group, name, message: message.into(), hint: None }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<ArrowError> for Error {
    fn from(error: ArrowError) -> Self {
        // A reader's own message travels unchanged: it names the file and the place.
        Self { group: Group::Stream, name: "stream-failed", message: error.to_string(), hint: None }
    }
}

/// Names that no column of a table has: those that may have been meant, and what there is.
pub fn unknown_columns(unknown: &[String], have: &[String]) -> Error {
    let lower: Vec<String> = have.iter().map(|name| name.to_lowercase()).collect();
    let near: BTreeSet<usize> = unknown.iter().flat_map(|name| meant(&name.to_lowercase(), &lower)).collect();
    let near: Vec<String> = near.into_iter().filter_map(|at| have.get(at)).map(|name| format!("`{name}`")).collect();
    let meant = if near.is_empty() { String::new() } else { format!("did you mean {}? ", near.join(" or ")) };
    Error::usage("column-unknown", format!("the table has no column {}", list_names(unknown)))
        .hint(format!("{meant}its columns are {}", list_names(have)))
}

/// At most ten names and a count, so that one message can report all of them.
pub fn list_names(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(10).map(|name| format!("`{name}`")).collect();
    let more = names.len().saturating_sub(10);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
