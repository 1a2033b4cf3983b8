//! Whose row each is: rows of one unit (a customer) are held out together or not at all.

use std::collections::{BTreeMap, HashSet};

use arrow_array::RecordBatch;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::encoder::label_values;
use crate::error::{Error, Result};
use crate::numeric::splitmix64;

/// The unit of every sample row, as a hash under the seed: their order is a random one.
#[derive(Debug, Clone)]
pub(super) struct Units {
    column: String,
    of_row: Vec<u64>,
    /// Units of rows that feedback speaks of, which only train.
    trained: HashSet<u64>,
}

/// Rows of whole units, and which rows of the sample are theirs.
pub(super) struct Held {
    pub calibration: Vec<u32>,
    pub reference: Vec<u32>,
    pub out: Vec<bool>,
}

/// Units below which none is held out.
const FEWEST: usize = 100;

impl Units {
    /// Raises where the column is not there. `known`: so many first rows only train; `anomalies`: rows outside the sample that do.
    pub fn read(
        column: &str,
        sample: &RecordBatch,
        known: usize,
        anomalies: Option<&RecordBatch>,
        seed: u64,
    ) -> Result<Self> {
        let of_row = hashes(column, sample, seed)?;
        let mut trained: HashSet<u64> = of_row[..known].iter().copied().collect();
        if let Some(rows) = anomalies {
            trained.extend(hashes(column, rows, seed)?);
        }
        Ok(Self { column: column.to_owned(), of_row, trained })
    }

    /// Of the `normal` rows: those that calibrate and those that judge, of whole units that hold about as many rows as
    /// wanted. Of a unit one row calibrates, drawn at random: rows of one unit are no independent witnesses, and a p-value
    /// among one row of each is exact for any one row of a further unit (one draw of Dunn, Wasserman and Ramdas 2022).
    pub fn split(&self, normal: &[u32], calibration: usize, reference: usize) -> Result<Held> {
        let mut units: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
        for &row in normal {
            units.entry(self.of_row[row as usize]).or_default().push(row);
        }
        let wanted = [calibration, reference];
        let mut parts = [Vec::new(), Vec::new()];
        let mut witnesses = Vec::new();
        for rows in units.iter().filter(|(unit, _)| !self.trained.contains(unit)).map(|(_, rows)| rows) {
            // A unit that would make a part half as large again trains.
            let fits =
                |at: &usize| parts[*at].len() < wanted[*at] && 2 * (parts[*at].len() + rows.len()) <= 3 * wanted[*at];
            let Some(at) = (0..2).find(fits) else { continue };
            parts[at].extend_from_slice(rows);
            // The sample is in a random order.
            witnesses.extend(rows.first().filter(|_| at == 0));
        }
        if units.len() < FEWEST || parts.iter().zip(wanted).any(|(part, wanted)| 2 * part.len() < wanted) {
            let message =
                format!("the unit column `{}` has {} values in {} normal rows", self.column, units.len(), normal.len());
            return Err(Error::input("unit-too-few", message).hint(format!(
                "three units in ten are held out: it takes {FEWEST} or more, none with most of the rows, and feedback on few"
            )));
        }
        let out = self.are_of(&parts.concat());
        let [_, mut reference] = parts;
        // Ascending, a random order: that of units would put their rows side by side.
        witnesses.sort_unstable();
        reference.sort_unstable();
        Ok(Held { calibration: witnesses, reference, out })
    }

    /// Whether each row is of the unit of one of these.
    fn are_of(&self, rows: &[u32]) -> Vec<bool> {
        let held: HashSet<u64> = rows.iter().map(|&row| self.of_row[row as usize]).collect();
        self.of_row.iter().map(|unit| held.contains(unit)).collect()
    }
}

/// A row without a value is a unit by itself.
fn hashes(column: &str, rows: &RecordBatch, seed: u64) -> Result<Vec<u64>> {
    let Ok(at) = rows.schema().index_of(column) else {
        return Err(Error::input("column-missing", format!("the unit column `{column}` is not in the table"))
            .hint("the model holds whole units out, and tells them by it: add it"));
    };
    let values = label_values(rows, at)?;
    Ok(values
        .into_iter()
        .enumerate()
        .map(|(row, value)| match value {
            Some(value) => xxh3_64_with_seed(value.as_bytes(), seed),
            None => splitmix64(seed ^ splitmix64(row as u64 + 1)),
        })
        .collect())
}
