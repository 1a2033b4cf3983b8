//! A fitted model: encoder, denoisers, scorers with their calibrations.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::block::{Block, FIRST_VALUE, OTHER, Part, Slot};
use crate::calibration::{Calibration, Source};
use crate::combine::{EnergyBlock, Reference};
use crate::constraints::{self, Constraint, Rule};
use crate::denoisers::Denoisers;
use crate::domain::Domain;
use crate::elsewhere::Elsewhere;
use crate::encoder::{Encoder, Role};
use crate::error::{Error, Result};
use crate::guide::Guide;
use crate::mechanism::Mechanism;
use crate::memory::Memory;
use crate::network::Network;
use crate::redaction::Redaction;
use crate::release::Release;
use crate::rules::Book;
use crate::scorer::{Name, Scorer};
use crate::slips::Slips;
use crate::store::Store;
use crate::strata::Strata;

/// Bumped when a file can no longer be read by the code of the last release.
pub const FORMAT: u64 = 4;

/// The label column: which values it had, and which one is normal.
#[derive(Debug, Clone, PartialEq)]
pub struct Label {
    pub column: String,
    pub values: Vec<String>,
    /// Rows of the fit (of a sample of many) by value; empty where the file is of before they were counted.
    pub counts: Vec<u64>,
    pub normal: Option<String>,
}

impl Label {
    pub fn describe(&self) -> Value {
        json!({"column": self.column, "values": self.values, "counts": self.counts, "normal": self.normal})
    }
}

/// What is worth knowing of the fit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sizes {
    /// Rows read.
    pub rows: u64,
    pub training: usize,
    pub reference: usize,
    pub calibration: usize,
    pub seed: u64,
}

#[derive(Debug, Clone)]
pub struct Model {
    pub encoder: Encoder,
    pub denoisers: Denoisers,
    /// The one that scores.
    pub scorer: Scorer,
    /// The one that could.
    pub other: Option<Scorer>,
    /// What a drift of the mix of rows is told by.
    pub strata: Option<Strata>,
    pub label: Option<Label>,
    /// The column whose values are held out whole.
    pub unit: Option<String>,
    /// Per category column and code: some training row has it. What is generated has no other.
    pub seen: Vec<Vec<bool>>,
    /// What generated rows obey.
    pub constraints: Vec<Constraint>,
    /// What its columns hold, and nothing else.
    pub domain: Domain,
    /// Misspelt values, of a table that was screened.
    pub slips: Slips,
    pub sizes: Sizes,
    /// Of a private fit: its guarantee, and what rows are drawn from.
    pub release: Option<Release>,
    /// Of a redacted model.
    pub redaction: Option<Redaction>,
    /// Who computes the teacher's energies, where it is not the denoisers.
    pub elsewhere: Option<Arc<dyn Elsewhere>>,
}

impl Model {
    /// p-values and levels of the scorer in use.
    pub fn calibration(&self) -> &Calibration {
        self.scorer.calibration()
    }

    /// What a row may break.
    pub fn book(&self) -> Book<'_> {
        Book { encoder: &self.encoder, constraints: &self.constraints, slips: &self.slips }
    }

    /// Whether the label says which rows are normal.
    pub fn knows_normal(&self) -> bool {
        self.label.as_ref().is_some_and(|label| label.normal.is_some())
    }

    /// What few labels teach.
    pub fn guide(&self) -> Option<&Guide> {
        match self.scorer_of(Name::Teacher) {
            Some(Scorer::Teacher { guide, .. }) => guide.as_ref(),
            _ => None,
        }
    }

    pub fn scorer_of(&self, name: Name) -> Option<&Scorer> {
        [Some(&self.scorer), self.other.as_ref()].into_iter().flatten().find(|scorer| scorer.name() == name)
    }

    /// The model with that scorer in use.
    pub fn with_scorer(&self, name: Name) -> Result<Self> {
        if self.scorer.name() == name {
            return Ok(self.clone());
        }
        let mut model = Self { elsewhere: None, ..self.clone() };
        match model.other.take() {
            Some(other) => {
                model.other = Some(std::mem::replace(&mut model.scorer, other));
                Ok(model)
            }
            None => Err(self.without(name)),
        }
    }

    /// The same model where energies come from `elsewhere`. Refuses a student, which has none, and mechanisms that ask for more.
    pub fn with_energies(&self, elsewhere: Arc<dyn Elsewhere>) -> Result<Self> {
        if self.scorer.name() == Name::Student {
            return Err(Error::usage("scorer-device", "a student scores on the processor alone")
                .hint("leave --device out, or score with --scorer teacher"));
        }
        self.denoisers.can_be_found_elsewhere()?;
        Ok(Self { elsewhere: Some(elsewhere), ..self.clone() })
    }

    fn without(&self, name: Name) -> Error {
        let (message, hint) = match (name, self.calibration().source) {
            (Name::Teacher, _) => (
                "the model has a student alone: what its teacher needs was taken out of the file",
                "score with --scorer student, or with the model it was made from",
            ),
            (Name::Student, Source::OwnTable) => {
                ("the model has no student: it screened one table", "fit a model: tabad fit TABLE -o MODEL")
            }
            (Name::Student, Source::CrossFitted) => (
                "the model has no student: it was fitted on fewer than 500 rows, too few to teach one",
                "leave out --scorer, or fit on more rows",
            ),
            (Name::Student, Source::HeldOut) if self.guide().is_some() => (
                "the model has no student: it follows feedback, which needs the kept rows",
                "leave out --scorer, or fit without --feedback",
            ),
            (Name::Student, Source::HeldOut) => (
                "the model has no student: only a fit with --quality default or best makes one, and an update drops it",
                "leave out --scorer, or fit with --quality default",
            ),
        };
        Error::usage("scorer-missing", message).hint(hint)
    }

    /// The student alone: no kept rows, no statistics of the teacher.
    pub fn student_alone(&self) -> Result<Self> {
        let mut model = self.with_scorer(Name::Student)?;
        model.other = None;
        model.denoisers.memory = None;
        Ok(model)
    }

    /// All arrays, and the manifest that says what they are.
    pub fn write(&self) -> (Value, Store) {
        let mut store = Store::default();
        let mut manifest = self.facts();
        manifest.insert("columns".into(), self.encoder.write(&mut store));
        for scorer in [Some(&self.scorer), self.other.as_ref()].into_iter().flatten() {
            scorer.write(&mut manifest, &mut store);
        }
        if !self.constraints.is_empty() {
            manifest.insert("constraints".into(), constraints::write(&self.constraints, &mut store));
        }
        match self.domain.write(&mut store) {
            Value::Null => {}
            domain => drop(manifest.insert("domain".into(), domain)),
        }
        if self.slips.count() > 0 {
            manifest.insert("slips".into(), self.slips.write(&mut store));
        }
        if let Some(strata) = &self.strata {
            manifest.insert("strata".into(), strata.write(&mut store));
        }
        if let Some(release) = &self.release {
            manifest.insert("private".into(), release.write(&mut store));
        }
        if let Some(redaction) = &self.redaction {
            manifest.insert("redacted".into(), redaction.write());
        }
        if self.other.is_some() || self.scorer.name() == Name::Student {
            manifest.insert("scorer".into(), json!(self.scorer.name().word()));
        }
        store.put_u8("seen", self.seen.iter().flatten().map(|&seen| u8::from(seen)).collect());
        let memory = self.denoisers.memory.as_ref().map(|memory| memory.write(&mut store, "memory"));
        manifest.insert("memory".into(), memory.unwrap_or(Value::Null));
        let network = self.denoisers.network.as_ref().map(|network| network.write(&mut store));
        manifest.insert("network".into(), network.unwrap_or(Value::Null));
        (Value::Object(manifest), store)
    }

    fn facts(&self) -> Map<String, Value> {
        let label = self.label.as_ref().map_or(Value::Null, Label::describe);
        let Sizes { rows, training, reference, calibration, seed } = self.sizes;
        let facts = json!({
            "tabad": FORMAT,
            "hash": "splitmix64 of rows, xxh3_64 of values",
            "label": label,
            "sizes": {"rows": rows, "training": training, "reference": reference, "calibration": calibration},
            "seed": seed,
            "mechanism": self.denoisers.mechanism().name(),
        });
        let Value::Object(mut map) = facts else { return Map::new() };
        if let Some(unit) = &self.unit {
            map.insert("unit".into(), json!(unit));
        }
        map
    }

    pub fn read(manifest: &Value, store: &Store) -> Result<Self> {
        let damaged = |what: &str| Error::model_file(format!("the manifest's `{what}` is damaged"));
        match manifest["tabad"].as_u64() {
            Some(FORMAT) => {}
            Some(other) => {
                return Err(Error::model_file(format!(
                    "the file has format {other}, this tabad reads format {FORMAT}"
                ))
                .hint("install a newer tabad, or fit the model again"));
            }
            None => return Err(damaged("tabad")),
        }
        let encoder = Encoder::read(&manifest["columns"], store)?;
        let memory = match &manifest["memory"] {
            Value::Null => None,
            value => Some(Memory::read(value, store, "memory", &encoder.features)?),
        };
        let network = match &manifest["network"] {
            Value::Null => None,
            value => Some(Network::from_store(value, store, &network_shape(&encoder))?),
        };
        let mechanism =
            manifest["mechanism"].as_str().and_then(Mechanism::parse).ok_or_else(|| damaged("mechanism"))?;
        let denoisers = Denoisers::new(memory, network, mechanism, &encoder.features);
        let teacher = Scorer::read_teacher(manifest, store, &encoder, &denoisers)?;
        let denoisers = match &teacher {
            Some(Scorer::Teacher { guide: Some(guide), .. }) => denoisers.anchored(guide),
            _ => denoisers,
        };
        let student = Scorer::read_student(manifest, store, &network_shape(&encoder))?;
        let in_use = match &manifest["scorer"] {
            Value::Null => Some(Name::Teacher),
            word => word.as_str().and_then(Name::parse),
        };
        let (scorer, other) = match (teacher, student, in_use) {
            (Some(teacher), student, Some(Name::Teacher)) => (teacher, student),
            (teacher, Some(student), Some(Name::Student)) => (student, teacher),
            _ => return Err(damaged("scorer")),
        };
        let number = |key: &str| manifest["sizes"][key].as_u64().ok_or_else(|| damaged("sizes"));
        let size = |key: &str| number(key).and_then(|n| usize::try_from(n).map_err(|_| damaged("sizes")));
        let sizes = Sizes {
            rows: number("rows")?,
            training: size("training")?,
            reference: size("reference")?,
            calibration: size("calibration")?,
            seed: manifest["seed"].as_u64().ok_or_else(|| damaged("seed"))?,
        };
        let seen = read_seen(&encoder, store.get_u8("seen")?).ok_or_else(|| damaged("seen"))?;
        let label = read_label(&manifest["label"]).ok_or_else(|| damaged("label"))?;
        let unit = match &manifest["unit"] {
            Value::Null => None,
            value => Some(value.as_str().ok_or_else(|| damaged("unit"))?.to_owned()),
        };
        let constraints = constraints::read(&manifest["constraints"], store, &encoder.names())?;
        let release = match &manifest["private"] {
            Value::Null => None,
            value => Some(Release::read(value, store)?),
        };
        let domain = Domain::read(&manifest["domain"], store, encoder.numbers, &encoder.category_sizes())?;
        let slips = Slips::read(&manifest["slips"], store, &encoder)?;
        let redaction = Redaction::read(&manifest["redacted"])?;
        let strata = Strata::read(&manifest["strata"], store, encoder.numbers, &encoder.category_sizes())?;
        let count = strata.as_ref().map_or(0, Strata::count);
        if [Some(&scorer), other.as_ref()].into_iter().flatten().any(|scorer| !scorer.calibration().fits(count)) {
            return Err(damaged("strata"));
        }
        let elsewhere = None;
        let model = Self {
            encoder,
            denoisers,
            scorer,
            other,
            strata,
            label,
            unit,
            seen,
            constraints,
            domain,
            slips,
            sizes,
            release,
            redaction,
            elsewhere,
        };
        model.check_redaction()?;
        Ok(model)
    }

    /// Codes that are never to be generated, counted over all category columns in a row: those no training row
    /// has, and "another value", which stands for values that the model does not know.
    fn unseen(&self) -> Vec<usize> {
        let parts = self.encoder.features.iter().filter(|f| matches!(f.slot, Slot::Category { .. })).map(|f| f.part);
        let codes = parts.zip(&self.seen).flat_map(|(part, seen)| {
            let named = part == Part::Value && seen.iter().skip(usize::from(FIRST_VALUE)).any(|&seen| seen);
            seen.iter().enumerate().map(move |(code, &seen)| seen && !(named && code == usize::from(OTHER)))
        });
        codes.enumerate().filter(|(_, drawn)| !drawn).map(|(at, _)| at).collect()
    }

    /// What values of some columns say of others, unless a constraint says it.
    fn dependencies(&self) -> Vec<Constraint> {
        let named = |category: usize| {
            let feature = self.encoder.features[self.encoder.numbers + category];
            self.encoder.columns[feature.column].name.clone()
        };
        let said = |one: &Constraint| {
            self.constraints.iter().any(|other| other.rule == one.rule && other.columns == one.columns)
        };
        let told = self.domain.dependencies().iter().map(|one| {
            let columns = vec![named(one.from), named(one.to)];
            Constraint { broken: Some(one.broken), ..Constraint::found(Rule::Determines, columns, one.rows) }
        });
        told.filter(|one| !said(one)).collect()
    }

    /// The manifest for people and for Python: the stored one with kinds, features and sizes spelled out.
    pub fn describe(&self) -> Value {
        let mut facts = self.facts();
        facts.remove("sizes");
        facts.remove("hash");
        facts.insert("columns".into(), describe_columns(&self.encoder));
        facts.insert("unseen".into(), json!(self.unseen()));
        facts.insert("format".into(), json!(FORMAT));
        facts.insert("rows".into(), json!(self.sizes.rows));
        facts.insert("training_rows".into(), json!(self.sizes.training));
        facts.insert("reference_rows".into(), json!(self.sizes.reference));
        facts.insert("groups".into(), json!(self.calibration().group_sizes()));
        facts.insert("strata".into(), json!(self.strata.as_ref().map_or(0, Strata::count)));
        facts.insert("calibration".into(), json!(self.calibration().source.name()));
        facts.insert("calibration_rows".into(), json!(self.calibration().rows()));
        facts.insert("level_ppm".into(), json!((self.calibration().level() * 1e6).round() as u64));
        let kept = self.denoisers.memory.as_ref().map_or(0, Memory::rows);
        facts.insert("kept_rows".into(), json!(kept));
        facts.insert("redacted".into(), json!(self.redaction.is_some()));
        facts.insert("holds".into(), self.holds());
        let mut rules = constraints::describe(&self.constraints);
        rules.extend(constraints::describe(&self.dependencies()).into_iter().map(|mut facts| {
            facts["checked"] = json!(true);
            facts
        }));
        facts.insert("constraints".into(), Value::Array(rules));
        let described =
            self.guide().map(|g| json!({"anomalies": g.anomalies(), "normals": g.normals(), "helps": g.helps()}));
        facts.insert("guide".into(), described.unwrap_or(Value::Null));
        facts.insert("scorer".into(), json!(self.scorer.name().word()));
        facts.insert("teacher".into(), json!(self.scorer_of(Name::Teacher).is_some()));
        let student = match self.scorer_of(Name::Student) {
            Some(Scorer::Student { student, .. }) => student.config(),
            _ => Value::Null,
        };
        facts.insert("student".into(), student);
        facts.insert("network".into(), self.denoisers.network.as_ref().map_or(Value::Null, Network::config));
        facts.insert("private".into(), self.release.as_ref().map_or(Value::Null, |release| release.facts().clone()));
        Value::Object(facts)
    }
}

/// Flags per category column, from all of them in a row.
fn read_seen(encoder: &Encoder, flat: &[u8]) -> Option<Vec<Vec<bool>>> {
    let mut rest = flat;
    let mut seen = Vec::with_capacity(encoder.categories);
    for feature in &encoder.features {
        if let Slot::Category { size, .. } = feature.slot {
            let (own, more) = rest.split_at_checked(usize::from(size))?;
            seen.push(own.iter().map(|&flag| flag != 0).collect());
            rest = more;
        }
    }
    rest.is_empty().then_some(seen)
}

fn read_label(value: &Value) -> Option<Option<Label>> {
    if value.is_null() {
        return Some(None);
    }
    let values: Vec<String> =
        value["values"].as_array()?.iter().map(|v| v.as_str().map(str::to_owned)).collect::<Option<_>>()?;
    let counts: Vec<u64> = match &value["counts"] {
        Value::Null => Vec::new(),
        counts => counts.as_array()?.iter().map(Value::as_u64).collect::<Option<_>>()?,
    };
    if !counts.is_empty() && (counts.len() != values.len() || counts.iter().all(|&count| count == 0)) {
        return None;
    }
    let normal = value["normal"].as_str().map(str::to_owned);
    Some(Some(Label { column: value["column"].as_str()?.to_owned(), values, counts, normal }))
}

/// Scores of rows from their energies, raised by the guide where there is one.
pub fn score_rows(block: &Block, energies: &EnergyBlock, reference: &Reference, guide: Option<&Guide>) -> Vec<f64> {
    let plain = (0..block.rows).map(|row| reference.score(energies, row));
    match guide {
        None => plain.collect(),
        Some(guide) => {
            plain.zip(guide.raises(block, energies, reference)).map(|(score, raise)| score + raise).collect()
        }
    }
}

/// Kinds and features of every column of the fitted table.
pub fn describe_columns(encoder: &Encoder) -> Value {
    let columns = encoder.columns.iter().enumerate().map(|(index, column)| {
        let (kind, summary) = match &column.role {
            Role::Modelled(codec) => (codec.kind().name(), codec.summary()),
            Role::Ignored => ("ignored", String::new()),
            Role::Label => ("label", String::new()),
        };
        let features: Vec<Value> = encoder
            .features
            .iter()
            .filter(|feature| feature.column == index)
            .map(|feature| match feature.slot {
                Slot::Number { dim, status } => json!({"part": feature.part.name(), "number": dim, "status": status}),
                Slot::Category { index, size } => json!({"part": feature.part.name(), "category": index, "size": size}),
            })
            .collect();
        let mut facts = json!({"name": column.name, "type": column.data_type, "kind": kind, "summary": summary, "features": features});
        if column.given {
            facts["given"] = json!(true);
        }
        if let Role::Modelled(codec) = &column.role
            && let Some(decimals) = codec.decimals()
        {
            facts["decimals"] = json!(decimals);
        }
        facts
    });
    Value::Array(columns.collect())
}

/// What a network must fit: its numbers' status columns, category sizes, and the columns that own them.
pub fn network_shape(encoder: &Encoder) -> crate::network::Shape {
    let mut shape = crate::network::Shape::default();
    for feature in &encoder.features {
        match feature.slot {
            Slot::Number { status, .. } => shape.status_of_number.push(status),
            Slot::Category { size, .. } => shape.sizes.push(size),
        }
        shape.column_of_feature.push(feature.column);
    }
    shape
}
