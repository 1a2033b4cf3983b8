//! How often a value occurs, as a number: what identifiers and texts are judged by instead of by their value.
//!
//! `ln((count + 0.5) / rows * 1000)`, standardised, of counts that are one less (`counted`).

use serde_json::{Value, json};

use super::counted::{Counted, count};
use super::hashed::Veiled;
use super::manifest::Fields;
use super::scale::Scale;
use super::show;
use super::sketch::HASH;
use crate::error::{Error, Result};
use crate::secret::Secret;
use crate::store::Store;

#[derive(Debug, Clone)]
pub struct Frequency {
    counted: Counted,
    /// Of a redacted model: the counts as they are in the file; without the key `counted` has none.
    veiled: Option<Veiled>,
    /// Rows with a value that were counted, at least 1.
    rows: u64,
    pub scale: Scale,
    /// Encoded frequency of each byte, so that encoding needs no logarithm.
    encoded: Box<[f32; 256]>,
}

impl Frequency {
    /// `hashes`: those of the training rows, which set the scale.
    pub fn fit(counted: Counted, rows: u64, hashes: impl Iterator<Item = u64>) -> Self {
        let values: Vec<f64> = hashes.map(|hash| log_share(counted.byte(hash), rows.max(1))).collect();
        Self::new(counted, rows, Scale::fit(&values))
    }

    fn new(counted: Counted, rows: u64, scale: Scale) -> Self {
        let rows = rows.max(1);
        let encoded = Box::new(std::array::from_fn(|byte| scale.apply(log_share(byte as u8, rows))));
        Self { counted, veiled: None, rows, scale, encoded }
    }

    #[inline]
    pub fn encode(&self, hash: u64) -> f32 {
        self.encoded[usize::from(self.counted.byte(hash))]
    }

    /// How many rows have a value so frequent.
    pub fn show(&self, x: f32) -> String {
        show::occurrence(self.scale.invert(x).exp() / 1e3 * self.rows as f64 + 0.5, self.rows)
    }

    pub fn redacted(&self, secret: &Secret) -> Self {
        let veiled = Veiled::of(&self.counted.to_bytes(), self.counted.is_exact(), secret);
        Self { veiled: Some(veiled), ..self.clone() }
    }

    pub fn unlocked(&self, secret: &Secret) -> Result<Self> {
        let damaged = || Error::model_file("the counts of a column are not those that were hashed with this key");
        let Some(veiled) = &self.veiled else { return Ok(self.clone()) };
        let counted = Counted::from_bytes(&veiled.open(secret).ok_or_else(damaged)?, veiled.exact)?;
        Ok(Self { counted, ..self.clone() })
    }

    pub fn is_veiled(&self) -> bool {
        self.veiled.is_some()
    }

    /// What the manifest says of them.
    pub fn write(&self, store: &mut Store, prefix: &str) -> Value {
        store.put_f64(format!("{prefix}.frequency"), vec![self.scale.mean, self.scale.std]);
        let mut value = json!({ "hash": HASH, "rows": self.rows });
        match &self.veiled {
            Some(veiled) => {
                veiled.write(store, prefix);
                value["hashed"] = json!(true);
                value["exact"] = json!(veiled.exact);
            }
            None => {
                store.put_u8(format!("{prefix}.counts"), self.counted.to_bytes());
                value["exact"] = json!(self.counted.is_exact());
            }
        }
        value
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    pub fn read(fields: Fields<'_>, store: &Store, prefix: &str) -> Result<Self> {
        let exact = fields.flag("exact")?;
        let veiled = fields.hashed()?.then(|| Veiled::read(store, prefix, exact)).transpose()?;
        let counted = match veiled {
            Some(_) => Counted::none(),
            None => Counted::from_bytes(store.get_u8(&format!("{prefix}.counts"))?, exact)
                .map_err(|_| Error::model_file(format!("tensor `{prefix}.counts` is damaged")))?,
        };
        let &[mean, std] = store.get_finite(&format!("{prefix}.frequency"), 2)? else {
            return Err(fields.damaged("frequency"));
        };
        let scale = Scale::checked(mean, std).ok_or_else(|| fields.damaged("frequency"))?;
        if fields.text("hash")? != HASH {
            return Err(fields.damaged("hash"));
        }
        Ok(Self { veiled, ..Self::new(counted, fields.count("rows")?, scale) })
    }
}

fn log_share(byte: u8, rows: u64) -> f64 {
    ((count(byte) + 0.5) / rows as f64 * 1e3).ln()
}
