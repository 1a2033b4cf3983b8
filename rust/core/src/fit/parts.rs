//! Which rows of the sample train, judge and calibrate.

use super::{CALIBRATION_ROWS, CROSS_FIT_ROWS, Options, REFERENCE_ROWS};
use crate::calibration::Source;

/// Sample rows by what they serve.
pub(super) struct Parts {
    /// Ascending.
    pub training: Vec<u32>,
    pub reference: Vec<u32>,
    pub calibration: Vec<u32>,
    pub source: Source,
}

impl Parts {
    /// The sample is in hash order, so that its first normal rows are a random part of them. `normal`: without those that
    /// feedback says are normal, which only train.
    pub fn new(options: &Options, normal: &[u32], rows: usize) -> Self {
        let all: Vec<u32> = (0..rows as u32).collect();
        if options.screen {
            let first = |count: usize| normal[..normal.len().min(count)].to_vec();
            let (reference, calibration) = (first(REFERENCE_ROWS), first(CALIBRATION_ROWS));
            return Self { training: all, reference, calibration, source: Source::OwnTable };
        }
        if normal.len() < CROSS_FIT_ROWS {
            let (reference, calibration) = (normal.to_vec(), normal.to_vec());
            return Self { training: all, reference, calibration, source: Source::CrossFitted };
        }
        let held = (normal.len() / 5).min(CALIBRATION_ROWS);
        let judged = held + (normal.len() / 10).min(REFERENCE_ROWS);
        let mut in_training = vec![true; rows];
        normal[..judged].iter().for_each(|&row| in_training[row as usize] = false);
        Self {
            training: all.into_iter().filter(|&row| in_training[row as usize]).collect(),
            reference: normal[held..judged].to_vec(),
            calibration: normal[..held].to_vec(),
            source: Source::HeldOut,
        }
    }

    /// Rows that must leave no trace in the codecs.
    pub fn held_out(&self) -> Vec<u32> {
        match self.source {
            Source::HeldOut => [self.calibration.as_slice(), &self.reference].concat(),
            Source::CrossFitted | Source::OwnTable => Vec::new(),
        }
    }
}
