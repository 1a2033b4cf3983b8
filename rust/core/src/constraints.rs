//! What holds among the columns of every row: kept with a model, for whoever generates rows from it, and for `rules`.
//!
//! The pairs of a dependency are values of the table as text, readable in the file.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::encoder::{Encoder, Role};
use crate::error::{Error, Result};
use crate::store::Store;

/// More constraints than this are no model of ours.
const MOST: usize = 4_096;
/// Pairs of one dependency.
const MOST_PAIRS: usize = 65_536;
/// Columns of one constraint.
const MOST_COLUMNS: usize = 1_024;
const MOST_DECIMALS: u8 = 18;
/// One row in so many may break what is still a rule: one that a person gave, and one that was found.
const FEW_OF_GIVEN: u64 = 10;
pub const FEW_OF_FOUND: u64 = 100;

/// What is said of the columns, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The first is at most the second.
    AtMost,
    /// The first is the sum of the others.
    Sum,
    /// The first is the product of the others, rounded to so many decimals.
    Product,
    /// The first determines the second; `pairs` say how.
    Determines,
    /// They are null together.
    NullTogether,
    /// Where the first is null, the second is.
    NullWith,
    /// The first tells where the second is null; `pairs` say it of each value.
    NullBy,
}

impl Rule {
    const ALL: [Self; 7] =
        [Self::AtMost, Self::Sum, Self::Product, Self::Determines, Self::NullTogether, Self::NullWith, Self::NullBy];

    fn named(name: &Value) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| name == rule.name())
    }

    fn name(self) -> &'static str {
        match self {
            Self::AtMost => "at_most",
            Self::Sum => "sum",
            Self::Product => "product",
            Self::Determines => "determines",
            Self::NullTogether => "null_together",
            Self::NullWith => "null_with",
            Self::NullBy => "null_by",
        }
    }

    fn takes(self, columns: usize) -> bool {
        match self {
            Self::AtMost | Self::Determines | Self::NullWith | Self::NullBy => columns == 2,
            Self::Product => columns == 3,
            Self::Sum | Self::NullTogether => (2..=MOST_COLUMNS).contains(&columns),
        }
    }

    fn has_pairs(self) -> bool {
        matches!(self, Self::Determines | Self::NullBy)
    }

    /// Whether it is about which cells are null.
    pub fn is_of_nulls(self) -> bool {
        matches!(self, Self::NullTogether | Self::NullWith | Self::NullBy)
    }
}

/// One rule, the columns it is about, whether a person gave it, how many of the rows of the fit that were looked at broke it
/// (None where that is not known), whether these were normal and rows that are not break it, what it says of
/// single values, and the decimals of a product (None: it is not rounded).
#[derive(Debug, Clone, PartialEq)]
pub struct Constraint {
    pub rule: Rule,
    pub columns: Vec<String>,
    pub given: bool,
    pub broken: Option<u64>,
    pub rows: u64,
    pub of_normal: bool,
    pub pairs: Vec<(String, String)>,
    pub decimals: Option<u8>,
}

impl Constraint {
    /// One that was found in so many rows, which no row breaks.
    pub fn found(rule: Rule, columns: Vec<String>, rows: u64) -> Self {
        Self { rule, columns, given: false, broken: Some(0), rows, of_normal: false, pairs: Vec::new(), decimals: None }
    }

    /// From `{"rule", "columns", "given", "broken"}`; None where it is none.
    fn parse(value: &Value, known: &HashSet<&str>, pairs: Vec<(String, String)>) -> Option<Self> {
        let rule = Rule::named(&value["rule"])?;
        let columns: Vec<String> =
            value["columns"].as_array()?.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<_>>()?;
        let distinct: HashSet<&str> = columns.iter().map(String::as_str).collect();
        let sources: HashSet<&str> = pairs.iter().map(|(from, _)| from.as_str()).collect();
        let fits = rule.takes(columns.len())
            && distinct.len() == columns.len()
            && distinct.is_subset(known)
            && sources.len() == pairs.len()
            && pairs.len() <= MOST_PAIRS
            && (rule.has_pairs() || pairs.is_empty());
        fits.then_some(())?;
        // Files of before there was such a thing say nothing of it.
        let (broken, rows) = (value["broken"].as_u64(), value["rows"].as_u64().unwrap_or(0));
        let of_normal = value["of_normal"] == true;
        let decimals = match &value["decimals"] {
            Value::Null => None,
            stated => Some(
                u8::try_from(stated.as_u64()?).ok().filter(|&most| rule == Rule::Product && most <= MOST_DECIMALS)?,
            ),
        };
        Some(Self { rule, columns, given: value["given"].as_bool()?, broken, rows, of_normal, pairs, decimals })
    }

    /// A row that breaks it is odd: few rows of the fit did; of rules on nulls none, and which code comes with which energies tell.
    pub fn is_checked(&self) -> bool {
        let most = match self.given {
            _ if self.rule.is_of_nulls() => 0,
            true => self.rows / FEW_OF_GIVEN,
            false => self.rows / FEW_OF_FOUND,
        };
        self.rule != Rule::Determines && self.broken.is_some_and(|broken| broken <= most)
    }

    /// It says nothing of single values of the table.
    pub fn is_of_columns(&self) -> bool {
        self.is_checked() && self.pairs.is_empty()
    }

    fn facts(&self) -> Value {
        let mut facts = json!({"rule": self.rule.name(), "columns": self.columns, "given": self.given, "broken": self.broken, "rows": self.rows, "pairs": self.pairs.len()});
        if self.of_normal {
            facts["of_normal"] = json!(true);
        }
        if let Some(decimals) = self.decimals {
            facts["decimals"] = json!(decimals);
        }
        facts
    }
}

/// Constraints among `columns`, from a JSON list whose pairs are lists of two texts.
pub fn parse(text: &str, columns: &[&str]) -> Result<Vec<Constraint>> {
    let unfit = |what: String| Error::usage("constraint-unfit", format!("not a list of constraints: {what}"));
    let value: Value = serde_json::from_str(text).map_err(|error| unfit(error.to_string()))?;
    let known: HashSet<&str> = columns.iter().copied().collect();
    let list = value.as_array().filter(|list| list.len() <= MOST).ok_or_else(|| unfit("it is no list".into()))?;
    list.iter()
        .map(|one| {
            let pairs: Vec<(String, String)> = serde_json::from_value(one["pairs"].clone()).unwrap_or_default();
            Constraint::parse(one, &known, pairs).ok_or_else(|| unfit(one.to_string()))
        })
        .collect()
}

/// The constraints with those pairs alone whose values the codecs keep anyway; of pairs none left, it is left out.
pub fn held(constraints: Vec<Constraint>, encoder: &Encoder) -> Vec<Constraint> {
    let holds = |column: &str, text: &str| {
        encoder.columns.iter().any(|known| match &known.role {
            Role::Modelled(codec) => known.name == column && codec.holds(text),
            Role::Ignored | Role::Label => false,
        })
    };
    let kept = constraints.into_iter().map(|mut one| {
        if let [from, to] = one.columns.as_slice() {
            one.pairs.retain(|pair| holds(from, &pair.0) && (one.rule == Rule::NullBy || holds(to, &pair.1)));
        }
        one
    });
    kept.filter(|one| !one.rule.has_pairs() || !one.pairs.is_empty()).collect()
}

/// The same list, with the pairs.
pub fn to_text(constraints: &[Constraint]) -> String {
    let whole = constraints.iter().map(|one| {
        let mut value = one.facts();
        value["pairs"] = json!(one.pairs);
        value
    });
    Value::Array(whole.collect()).to_string()
}

/// Each with the number of pairs and whether rows are judged by it, for the manifest.
pub fn describe(constraints: &[Constraint]) -> Vec<Value> {
    let described = constraints.iter().map(|one| {
        let mut facts = one.facts();
        facts["checked"] = json!(one.is_checked());
        facts
    });
    described.collect()
}

pub fn write(constraints: &[Constraint], store: &mut Store) -> Value {
    for (at, one) in constraints.iter().enumerate().filter(|(_, one)| one.rule.has_pairs()) {
        let (from, to): (Vec<&str>, Vec<&str>) = one.pairs.iter().map(|(a, b)| (a.as_str(), b.as_str())).unzip();
        store.put_strings(&format!("constraint.{at}.from"), &from);
        store.put_strings(&format!("constraint.{at}.to"), &to);
    }
    Value::Array(constraints.iter().map(Constraint::facts).collect())
}

/// What `write` left; a file of before there were constraints has none.
pub fn read(value: &Value, store: &Store, columns: &[&str]) -> Result<Vec<Constraint>> {
    let damaged = || Error::model_file("the manifest's `constraints` are damaged");
    if value.is_null() {
        return Ok(Vec::new());
    }
    let known: HashSet<&str> = columns.iter().copied().collect();
    let list = value.as_array().filter(|list| list.len() <= MOST).ok_or_else(damaged)?;
    let one = |(at, value): (usize, &Value)| {
        let pairs = match Rule::named(&value["rule"]).is_some_and(Rule::has_pairs) {
            true => {
                let from = store.get_strings(&format!("constraint.{at}.from"))?;
                let to = store.get_strings(&format!("constraint.{at}.to"))?;
                if from.len() != to.len() {
                    return Err(damaged());
                }
                from.into_iter().zip(to).collect()
            }
            false => Vec::new(),
        };
        let stated = value["pairs"] == json!(pairs.len());
        Constraint::parse(value, &known, pairs).filter(|_| stated).ok_or_else(damaged)
    };
    list.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 3] = ["a", "b", "c"];

    fn parsed(text: &str) -> Result<Vec<Constraint>> {
        parse(text, &KNOWN)
    }

    #[test]
    fn what_is_written_is_read() {
        let text = r#"[{"rule":"at_most","columns":["a","b"],"given":true},
            {"rule":"sum","columns":["c","a","b"],"given":false},
            {"rule":"determines","columns":["a","b"],"given":false,"pairs":[["1","x"],["2","x"]]},
            {"rule":"product","columns":["c","a","b"],"given":false,"decimals":2},
            {"rule":"null_together","columns":["a","b","c"],"given":false},
            {"rule":"null_with","columns":["a","c"],"given":false},
            {"rule":"null_by","columns":["b","c"],"given":false,"pairs":[["1","null"],["2","there"]]}]"#;
        let constraints = parsed(text).unwrap();
        let mut store = Store::default();
        let manifest = write(&constraints, &mut store);
        assert_eq!(read(&manifest, &store, &KNOWN).unwrap(), constraints);
        assert_eq!(parsed(&to_text(&constraints)).unwrap(), constraints);
        assert_eq!(manifest[2]["pairs"], 2);
    }

    #[test]
    fn a_rule_is_checked_while_few_rows_break_it() {
        let one = |rule, given, broken| Constraint {
            rule,
            columns: vec![],
            given,
            broken,
            rows: 10_099,
            of_normal: false,
            pairs: vec![],
            decimals: None,
        };
        let most = |rule, given| (0..=10_000).rev().find(|&k| one(rule, given, Some(k)).is_checked());
        assert_eq!(most(Rule::Sum, false), Some(100));
        assert_eq!(most(Rule::AtMost, false), Some(100));
        assert_eq!(most(Rule::AtMost, true), Some(1_009));
        assert_eq!(most(Rule::Determines, true), None);
        assert!(!one(Rule::Sum, true, None).is_checked());
    }

    #[test]
    fn what_is_no_constraint_is_refused() {
        for text in [
            r#"{}"#,
            r#"[{"rule":"at_most","columns":["a"],"given":true}]"#,
            r#"[{"rule":"at_most","columns":["a","a"],"given":true}]"#,
            r#"[{"rule":"at_most","columns":["a","z"],"given":true}]"#,
            r#"[{"rule":"at_most","columns":["a","b"]}]"#,
            r#"[{"rule":"near","columns":["a","b"],"given":true}]"#,
            r#"[{"rule":"product","columns":["a","b"],"given":true}]"#,
            r#"[{"rule":"product","columns":["a","b","c"],"given":true,"decimals":99}]"#,
            r#"[{"rule":"at_most","columns":["a","b"],"given":true,"decimals":2}]"#,
            r#"[{"rule":"determines","columns":["a","b"],"given":true,"pairs":[["1","x"],["1","y"]]}]"#,
        ] {
            assert_eq!(parsed(text).unwrap_err().name, "constraint-unfit", "{text}");
        }
    }
}
