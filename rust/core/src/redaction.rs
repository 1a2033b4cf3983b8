//! A redacted model: its student alone, without rows, with keyed hashes where it held values of the table.
//!
//! It scores as the student of the model that it was made from, to the bit, for whoever has the key. What is taken out, hashed
//! and left is listed in the README ("What a model file holds"); a new part of a model must be decided on in `redacted`.

use serde_json::{Value, json};

use crate::codec::{Codec, Content};
use crate::constraints::Constraint;
use crate::dependencies::Dependency;
use crate::encoder::{Column, Encoder, Role};
use crate::error::{Error, Result};
use crate::memory::Memory;
use crate::model::{Label, Model};
use crate::network::Network;
use crate::scorer::Name;
use crate::secret::{Digest, HASH, Secret};
use crate::slips::Slips;
use crate::strata::Strata;

/// Of a redacted model: how to tell its key, and whether that was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Redaction {
    check: Digest,
    open: bool,
}

impl Redaction {
    pub fn of(secret: &Secret) -> Self {
        Self { check: secret.check(), open: true }
    }

    pub fn is_open(&self) -> bool {
        self.open
    }

    pub fn write(&self) -> Value {
        let check: String = self.check.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({"hash": HASH, "check": check})
    }

    /// None for a model that is not redacted.
    pub fn read(value: &Value) -> Result<Option<Self>> {
        if value.is_null() {
            return Ok(None);
        }
        let check = value["check"].as_str().and_then(from_hex).filter(|_| value["hash"] == HASH);
        let damaged = || Error::model_file("the manifest's `redacted` is damaged");
        Ok(Some(Self { check: check.ok_or_else(damaged)?, open: false }))
    }
}

fn from_hex(text: &str) -> Option<Digest> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| {
        let text = std::str::from_utf8(pair).ok().filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()))?;
        u8::from_str_radix(text, 16).ok()
    };
    let bytes: Vec<u8> = pairs.iter().map(byte).collect::<Option<_>>()?;
    if rest.is_empty() { bytes.try_into().ok() } else { None }
}

impl Encoder {
    fn with_codecs(&self, change: impl Fn(&Codec) -> Result<Codec>) -> Result<Self> {
        let columns = self.columns.iter().map(|column| {
            let role = match &column.role {
                Role::Modelled(codec) => Role::Modelled(Box::new(change(codec)?)),
                Role::Ignored => Role::Ignored,
                Role::Label => Role::Label,
            };
            Ok(Column { role, ..column.clone() })
        });
        Ok(Self::new(columns.collect::<Result<_>>()?))
    }

    fn contents(&self) -> impl Iterator<Item = Content> {
        (0..self.columns.len()).filter_map(|column| self.codec(column)).map(Codec::content)
    }
}

impl Model {
    /// The student alone, with keyed hashes of values and without what only generates rows.
    pub fn redacted(&self, secret: &Secret) -> Result<Self> {
        if self.redaction.is_some() {
            return Err(Error::usage("redact-twice", "the model is redacted already")
                .hint("for another key, redact the model that it was made from"));
        }
        if self.release.is_some() {
            let message = "the model is private: of the table it holds nothing but what its mechanism gave away, and that \
                           with its guarantee is what redaction would take out";
            return Err(Error::usage("redact-private", message).hint("pass it on as it is"));
        }
        if self.scorer_of(Name::Student).is_none() {
            let why = self.with_scorer(Name::Student).map_or_else(|error| error.message, |_| String::new());
            return Err(Error::usage(
                "redact-without-student",
                format!("{why}; only a student scores without kept rows"),
            )
            .hint("fit with --quality default on some 1,450 rows or more, without --feedback, and redact that model"));
        }
        let mut alone = self.student_alone()?;
        alone.denoisers.network = alone.denoisers.network.map(|network| network.without_atoms());
        let encoder = alone.encoder.with_codecs(|codec| Ok(codec.redacted(secret)))?;
        let nameless = |label: Label| Label { values: Vec::new(), counts: Vec::new(), normal: None, ..label };
        Ok(Self {
            encoder,
            label: alone.label.map(nameless),
            seen: alone.seen.iter().map(|codes| vec![true; codes.len()]).collect(),
            constraints: alone.constraints.into_iter().filter(Constraint::is_of_columns).collect(),
            slips: Slips::default(),
            redaction: Some(Redaction::of(secret)),
            ..alone
        })
    }

    /// A redacted model that can score.
    pub fn with_secret(&self, secret: &Secret) -> Result<Self> {
        let Some(redaction) = self.redaction else {
            return Err(Error::usage(
                "key-unneeded",
                "a key was given, but the model is not redacted: its values are in the file as they are",
            )
            .hint("leave out the key (--key-file, key=...); `tabad inspect MODEL` says what the file holds"));
        };
        if redaction.check != secret.check() {
            return Err(Error::usage("key-wrong", "this is not the key that the model was redacted with")
                .hint("give the key file that `tabad inspect MODEL --redact OUT --key-file KEY` wrote or was given"));
        }
        let encoder = self.encoder.with_codecs(|codec| codec.unlocked(secret))?;
        Ok(Self { encoder, redaction: Some(Redaction { open: true, ..redaction }), ..self.clone() })
    }

    /// Refused where a key is needed before anything can be looked up.
    pub fn need_open(&self) -> Result<()> {
        match self.redaction {
            Some(redaction) if !redaction.is_open() => Err(Error::usage(
                "key-missing",
                "the model is redacted: its values are hashes under a key, and no key was given",
            )
            .hint("give the key file: --key-file KEY, or Model.load(MODEL, key=KEY) in Python")),
            _ => Ok(()),
        }
    }

    /// Refused where values would have to be read back.
    pub fn need_values(&self, purpose: &str) -> Result<()> {
        match self.redaction {
            Some(_) => Err(Error::usage(
                "model-redacted",
                format!("the model is redacted: it holds hashes of values, and no values to {purpose}"),
            )
            .hint("use the model that it was made from")),
            None => Ok(()),
        }
    }

    /// A redacted model holds nothing in clear, and no other has hashes: what a file says of itself must be true.
    pub fn check_redaction(&self) -> Result<()> {
        let damaged = |what: &str| Err(Error::model_file(format!("the manifest's `redacted` is damaged: {what}")));
        if self.redaction.is_none() {
            let hashed = self.encoder.contents().any(Content::is_hashed);
            return if hashed { damaged("the model has hashes of values, and does not say so") } else { Ok(()) };
        }
        let labels = self.label.as_ref().is_some_and(|label| !label.values.is_empty() || label.normal.is_some());
        let bare = self.denoisers.memory.is_none() && self.scorer_of(Name::Teacher).is_none() && self.release.is_none();
        let of_values = self.constraints.iter().any(|one| !one.is_of_columns());
        let named = self.denoisers.network.as_ref().is_some_and(Network::has_atoms);
        let spelt = self.slips.count() > 0;
        if labels || !bare || of_values || named || spelt || self.encoder.contents().any(Content::is_clear) {
            return damaged("the model says that it is redacted, and holds values in clear");
        }
        Ok(())
    }

    /// What of the training data is in the file.
    pub fn holds(&self) -> Value {
        let columns = self.encoder.columns.iter().enumerate().map(|(at, column)| {
            let of = self.encoder.codec(at).map(Codec::content).unwrap_or_default();
            let counts = match (of.counts, of.veiled) {
                (false, _) => Value::Null,
                (true, veiled) => json!(if veiled { "veiled" } else { "readable" }),
            };
            let own = self.encoder.features.iter().filter(|feature| feature.column == at);
            let watched: Vec<(bool, bool)> = own.map(|feature| self.domain.watches(feature)).collect();
            let shared = |network: &Network| -> usize {
                let numbers = (0..self.encoder.numbers).filter(|&number| self.encoder.features[number].column == at);
                numbers.map(|number| network.atoms(number)).sum()
            };
            json!({
                "column": column.name, "shared": self.denoisers.network.as_ref().map_or(0, shared), "bounds": watched.iter().any(|of| of.0), "unseen": watched.iter().any(|of| of.1),
                "values": of.values, "hashed": of.hashed, "kept": of.kept, "numbers": of.numbers,
                "range": of.range, "counts": counts,
            })
        });
        let scorers = [Some(&self.scorer), self.other.as_ref()].into_iter().flatten();
        let scores: usize = scorers.map(|scorer| scorer.calibration().rows()).sum();
        let guide = self.guide().map_or(0, |guide| guide.anomalies() + guide.normals());
        json!({
            "kept_rows": self.denoisers.memory.as_ref().map_or(0, Memory::rows),
            "labelled_rows": guide,
            "columns": columns.collect::<Vec<_>>(),
            "label_values": self.label.as_ref().map_or(0, |label| label.values.len()),
            "constraint_pairs": self.constraints.iter().map(|one| one.pairs.len()).sum::<usize>(),
            "dependency_pairs": self.domain.dependencies().iter().map(Dependency::pairs).sum::<usize>(),
            "slips": self.slips.count(),
            "calibration_scores": scores,
            "groups": self.calibration().group_sizes().len().saturating_sub(1),
            "strata": self.strata.as_ref().map_or(0, Strata::count),
            "energies": self.scorer_of(Name::Teacher).is_some(),
            "network": self.denoisers.network.is_some(),
            "student": self.scorer_of(Name::Student).is_some(),
        })
    }
}
