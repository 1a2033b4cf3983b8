//! How often a value occurs, as a number: what identifiers and texts are judged by instead of by their value.
//!
//! `ln((count + 0.5) / rows * 1000)`, standardised. Counts come from a frozen count-min sketch whose cells are
//! `round(8 ln(1 + count))` in a byte: 6 % steps, enough for a logarithm.

use super::hashed::Veiled;
use super::manifest::Fields;
use super::scale::Scale;
use super::sketch::{DEPTH, WIDTH, places};
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::store::Store;

#[derive(Debug, Clone)]
pub struct Frequency {
    cells: Vec<u8>,
    /// Of a redacted model: the cells as they are in the file; without the key `cells` are 0.
    veiled: Option<Veiled>,
    /// Rows with a value that were counted, at least 1.
    rows: u64,
    pub scale: Scale,
    /// Encoded frequency of each byte, so that encoding needs no logarithm.
    encoded: Box<[f32; 256]>,
}

impl Frequency {
    /// `hashes`: those of the training rows, which set the scale.
    pub fn fit(counts: &[u32], rows: u64, hashes: impl Iterator<Item = u64>) -> Self {
        let cells = counts.iter().map(|count| (8.0 * f64::from(*count).ln_1p()).round().min(255.0) as u8).collect();
        let mut frequency = Self::new(cells, rows, Scale { mean: 0.0, std: 1.0 });
        let values: Vec<f64> = hashes.map(|hash| frequency.log_share(frequency.cell(hash))).collect();
        frequency.scale = Scale::fit(&values);
        Self::new(frequency.cells, rows, frequency.scale)
    }

    fn new(cells: Vec<u8>, rows: u64, scale: Scale) -> Self {
        let mut frequency = Self { cells, veiled: None, rows: rows.max(1), scale, encoded: Box::new([0.0; 256]) };
        for cell in 0..=255_u8 {
            frequency.encoded[usize::from(cell)] = scale.apply(frequency.log_share(cell));
        }
        frequency
    }

    #[inline]
    fn cell(&self, hash: u64) -> u8 {
        let [first, second] = places(hash);
        self.cells[first].min(self.cells[second])
    }

    fn log_share(&self, cell: u8) -> f64 {
        let count = (f64::from(cell) / 8.0).exp_m1();
        ((count + 0.5) / self.rows as f64 * 1e3).ln()
    }

    #[inline]
    pub fn encode(&self, hash: u64) -> f32 {
        self.encoded[usize::from(self.cell(hash))]
    }

    /// Share of the rows that have a value so frequent.
    pub fn share(&self, x: f32) -> f64 {
        self.scale.invert(x).exp() / 1e3
    }

    pub fn redacted(&self, secret: &Secret) -> Self {
        Self { veiled: Some(Veiled::of(&self.cells, secret)), ..self.clone() }
    }

    pub fn unlocked(&self, secret: &Secret) -> Result<Self> {
        let damaged = || Error::model_file("the counts of a column are not those that were hashed with this key");
        let cells = self.veiled.as_ref().map(|veiled| veiled.open(secret).ok_or_else(damaged)).transpose()?;
        Ok(Self { cells: cells.unwrap_or_else(|| self.cells.clone()), ..self.clone() })
    }

    pub fn is_veiled(&self) -> bool {
        self.veiled.is_some()
    }

    pub fn write(&self, store: &mut Store, prefix: &str) {
        match &self.veiled {
            Some(veiled) => veiled.write(store, prefix),
            None => store.put_u8(format!("{prefix}.counts"), self.cells.clone()),
        }
        store.put_f64(format!("{prefix}.frequency"), vec![self.scale.mean, self.scale.std]);
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    pub fn read(fields: Fields<'_>, store: &Store, prefix: &str) -> Result<Self> {
        let veiled = fields.hashed()?.then(|| Veiled::read(store, prefix, DEPTH * WIDTH)).transpose()?;
        let cells = match veiled {
            Some(_) => vec![0; DEPTH * WIDTH],
            None => store.get_u8(&format!("{prefix}.counts"))?.to_vec(),
        };
        let &[mean, std] = store.get_finite(&format!("{prefix}.frequency"), 2)? else {
            return Err(fields.damaged("frequency"));
        };
        let scale = Scale::checked(mean, std).ok_or_else(|| fields.damaged("frequency"))?;
        if cells.len() != DEPTH * WIDTH || fields.text("hash")? != super::sketch::HASH {
            return Err(fields.damaged("hash"));
        }
        Ok(Self { veiled, ..Self::new(cells, fields.count("rows")?, scale) })
    }
}
