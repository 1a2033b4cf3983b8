//! Who scores: the teacher (all denoisers under all probes) or the student. Each with a calibration of its own.

use serde_json::{Map, Value};

use crate::block::Block;
use crate::calibration::Calibration;
use crate::combine::Reference;
use crate::denoisers::Denoisers;
use crate::elsewhere::Elsewhere;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::guide::Guide;
use crate::model::score_rows;
use crate::network::Shape;
use crate::store::Store;
use crate::student::{Space, Student};

/// A closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    Teacher,
    Student,
}

impl Name {
    pub fn word(self) -> &'static str {
        match self {
            Self::Teacher => "teacher",
            Self::Student => "student",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        [Self::Teacher, Self::Student].into_iter().find(|name| name.word() == word)
    }
}

/// What turns rows into scores and scores into p-values.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "a model has one or two")]
pub enum Scorer {
    Teacher { reference: Reference, guide: Option<Guide>, calibration: Calibration },
    Student { student: Student, calibration: Calibration },
}

/// Working space of one thread.
#[derive(Debug, Clone, Default)]
pub struct Room {
    space: Space,
}

impl Scorer {
    pub fn name(&self) -> Name {
        match self {
            Self::Teacher { .. } => Name::Teacher,
            Self::Student { .. } => Name::Student,
        }
    }

    pub fn calibration(&self) -> &Calibration {
        match self {
            Self::Teacher { calibration, .. } | Self::Student { calibration, .. } => calibration,
        }
    }

    pub fn room(&self) -> Room {
        match self {
            Self::Teacher { .. } => Room::default(),
            Self::Student { student, .. } => Room { space: student.space() },
        }
    }

    /// Scores of a block's rows, appended to `scores`; the teacher's energies from `elsewhere`, where it is given.
    pub fn scores_into(
        &self,
        denoisers: &Denoisers,
        elsewhere: Option<&dyn Elsewhere>,
        block: &Block,
        room: &mut Room,
        scores: &mut Vec<f64>,
    ) -> Result<()> {
        match self {
            Self::Teacher { reference, guide, .. } => {
                // A guide looks at everything.
                let plan = guide.is_none().then_some(&reference.plan);
                let energies = match (elsewhere, plan) {
                    (Some(elsewhere), plan) => denoisers.energies_from(elsewhere, block, plan)?,
                    (None, Some(plan)) => denoisers.energies_for(block, plan),
                    (None, None) => denoisers.energies(block),
                };
                scores.extend(score_rows(block, &energies, reference, guide.as_ref()));
            }
            Self::Student { student, .. } => student.scores_into(block, &mut room.space, scores),
        }
        Ok(())
    }

    /// The squared tail of every feature of a block's rows [B, F]: what the reasons are made of.
    pub fn squared_tails(&self, denoisers: &Denoisers, block: &Block) -> Vec<f32> {
        match self {
            Self::Teacher { reference, .. } => {
                let energies = denoisers.energies(block);
                (0..block.rows).flat_map(|row| reference.squared_tails(&energies, row)).collect()
            }
            // Context is what a row is judged by, and never for.
            Self::Student { student, .. } => {
                let tails = student.tails(block);
                let features = (tails.len() / block.rows.max(1)).max(1);
                let squared =
                    |(at, tail): (usize, f32)| if denoisers.is_given(at % features) { 0.0 } else { tail * tail };
                tails.into_iter().enumerate().map(squared).collect()
            }
        }
    }

    pub(crate) fn write(&self, manifest: &mut Map<String, Value>, store: &mut Store) {
        match self {
            Self::Teacher { reference, guide, calibration } => {
                manifest.insert("reference".into(), reference.write(store));
                manifest.insert("calibration".into(), calibration.write(store, "calibration"));
                if let Some(guide) = guide {
                    manifest.insert("guide".into(), guide.write(store));
                }
            }
            Self::Student { student, calibration } => {
                let mut config = student.write(store);
                config["calibration"] = calibration.write(store, "student.calibration");
                manifest.insert("student".into(), config);
            }
        }
    }

    /// None where the file has a student alone.
    pub(crate) fn read_teacher(
        manifest: &Value,
        store: &Store,
        encoder: &Encoder,
        denoisers: &Denoisers,
    ) -> Result<Option<Self>> {
        let damaged = |what: &str| Error::model_file(format!("the manifest's `{what}` is damaged"));
        if manifest["reference"].is_null() && manifest["calibration"].is_null() && manifest["guide"].is_null() {
            return Ok(None);
        }
        let features = encoder.features.len();
        let reference = Reference::read(&manifest["reference"], store, features)?;
        let calibration = Calibration::read(&manifest["calibration"], store, "calibration", &encoder.category_sizes())?;
        let plan = denoisers.plan(true, true);
        if plan.columns.is_empty()
            || plan.terms.len() != reference.plan.terms.len()
            || plan.columns.len() != reference.plan.columns.len()
        {
            return Err(damaged("reference"));
        }
        let guide = match &manifest["guide"] {
            Value::Null => None,
            value => {
                let evidences = plan.terms.len() + plan.columns.len() + 2 * features;
                let guide = Guide::read(value, store, &encoder.features, evidences)?;
                if !denoisers.memory.as_ref().is_some_and(|memory| guide.has_levels(memory.levels())) {
                    return Err(damaged("guide"));
                }
                Some(guide)
            }
        };
        Ok(Some(Self::Teacher { reference, guide, calibration }))
    }

    pub(crate) fn read_student(manifest: &Value, store: &Store, shape: &Shape) -> Result<Option<Self>> {
        let config = &manifest["student"];
        if config.is_null() {
            return Ok(None);
        }
        let student = Student::from_store(config, store, shape)?;
        let calibration = Calibration::read(&config["calibration"], store, "student.calibration", &shape.sizes)?;
        Ok(Some(Self::Student { student, calibration }))
    }
}
