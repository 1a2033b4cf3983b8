//! A fit between its teacher and its student: the model is whole, and still knows its calibration rows.
//!
//! The student learns what the teacher says of training rows and of rows like them; it is calibrated by itself, on the rows that
//! calibrate the teacher. A kept row does not vote for itself here: of a row that comes later no copy is kept.

use rayon::prelude::*;

use super::prepare::{Prepared, energies_of};
use crate::block::Block;
use crate::calibration::Source;
use crate::denoisers::Denoisers;
use crate::error::Result;
use crate::model::Model;
use crate::scorer::Scorer;
use crate::student::Student;

/// A finished model with what it takes to give it a student.
#[derive(Debug)]
pub struct Judged {
    pub model: Model,
    pub training: Block,
    pub training_classes: Vec<u16>,
    calibration: Block,
    /// What broken rules add to the score of each.
    evidence: Vec<f64>,
    teacher: Denoisers,
}

/// What the teacher says of some rows.
#[derive(Debug, Default)]
pub struct Lesson {
    /// Scores [B].
    pub scores: Vec<f32>,
    /// Root of the mean squared tail of each feature over the denoisers [B, F].
    pub tails: Vec<f32>,
}

impl Prepared {
    /// A student is fitted where rows are held out and no labels guide the score.
    pub fn can_teach(&self) -> bool {
        self.source == Source::HeldOut && self.feedback() == (0, 0)
    }

    /// [`Prepared::finish`], keeping what a student needs.
    pub fn judge(self) -> Result<Judged> {
        let (calibration, evidence) = (self.calibration.clone(), self.evidence()?);
        let (training, training_classes) = (self.training.clone(), self.training_classes.clone());
        let model = self.finish_raised(&evidence)?;
        let mut teacher = model.denoisers.clone();
        teacher.memory = teacher.memory.map(|memory| memory.with_own_vote());
        Ok(Judged { model, training, training_classes, calibration, evidence, teacher })
    }
}

impl Judged {
    /// Scores and column tails of encoded rows by the teacher.
    pub fn teach(&self, block: &Block) -> Lesson {
        let Scorer::Teacher { reference, .. } = &self.model.scorer else { return Lesson::default() };
        let energies = energies_of(&self.teacher, block);
        let scores = (0..block.rows).into_par_iter().map(|row| reference.score(&energies, row) as f32).collect();
        let tails = (0..block.rows).into_par_iter().flat_map_iter(|row| reference.squared_tails(&energies, row));
        Lesson { scores, tails: tails.map(f32::sqrt).collect() }
    }

    /// Gives the model a student, calibrated by its own scores of the calibration rows.
    pub fn set_student(&mut self, student: Student) {
        let mut scores = student.scores(&self.calibration);
        scores.iter_mut().zip(&self.evidence).for_each(|(score, more)| *score += more);
        let strata = self.model.strata.as_ref();
        let calibration = self.model.calibration().of_other(scores, &self.calibration, strata);
        self.model.other = Some(Scorer::Student { student, calibration });
    }
}
