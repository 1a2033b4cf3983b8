//! Which rows of the sample train, judge and calibrate.

use super::units::{Held, Units};
use super::{CALIBRATION_ROWS, CROSS_FIT_ROWS, Options, REFERENCE_ROWS};
use crate::calibration::Source;
use crate::error::{Error, Result};

/// Sample rows by what they serve.
pub(super) struct Parts {
    /// Ascending.
    pub training: Vec<u32>,
    pub reference: Vec<u32>,
    pub calibration: Vec<u32>,
    /// Those that must leave no trace in the codecs: all that do not train, whether they judge and calibrate or are of a unit of
    /// which others do.
    pub held_out: Vec<u32>,
    pub source: Source,
}

impl Parts {
    /// The sample is in hash order, so that its first normal rows are a random part of them. `normal`: without those that
    /// feedback says are normal, which only train. Where there are units, whole ones are held out.
    pub fn new(options: &Options, normal: &[u32], rows: usize, units: Option<&Units>) -> Result<Self> {
        let all: Vec<u32> = (0..rows as u32).collect();
        if options.screen {
            let first = |count: usize| normal[..normal.len().min(count)].to_vec();
            let (reference, calibration) = (first(REFERENCE_ROWS), first(CALIBRATION_ROWS));
            let source = Source::OwnTable;
            return Ok(Self { training: all, reference, calibration, held_out: Vec::new(), source });
        }
        if normal.len() < CROSS_FIT_ROWS {
            if units.is_some() {
                let message =
                    format!("the table has {} normal rows; with a unit it takes {CROSS_FIT_ROWS}", normal.len());
                return Err(Error::input("unit-too-few", message).hint("leave --unit out, or gather more rows"));
            }
            let (reference, calibration) = (normal.to_vec(), normal.to_vec());
            let source = Source::CrossFitted;
            return Ok(Self { training: all, reference, calibration, held_out: Vec::new(), source });
        }
        let held = (normal.len() / 5).min(CALIBRATION_ROWS);
        let judged = (normal.len() / 10).min(REFERENCE_ROWS);
        let Held { calibration, reference, out } = match units {
            Some(units) => units.split(normal, held, judged)?,
            None => first(&normal[..held + judged], held, rows),
        };
        let (held_out, training) = all.into_iter().partition(|&row| out[row as usize]);
        Ok(Self { training, reference, calibration, held_out, source: Source::HeldOut })
    }
}

/// The first `held` of these rows calibrate, the others judge.
fn first(held_out: &[u32], held: usize, rows: usize) -> Held {
    let mut out = vec![false; rows];
    held_out.iter().for_each(|&row| out[row as usize] = true);
    Held { calibration: held_out[..held].to_vec(), reference: held_out[held..].to_vec(), out }
}
