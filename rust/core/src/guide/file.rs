//! A guide in a model file.

use serde_json::{Value, json};

use super::{Guide, Learned, densities};
use crate::block::Feature;
use crate::error::{Error, Result};
use crate::memory::Memory;
use crate::store::Store;

impl Guide {
    pub fn write(&self, store: &mut Store) -> Value {
        let normal = self.normal.as_ref().map(|normal| normal.write(store, "guide.normal"));
        json!({"anomalies": self.odd.as_ref().map(|odd| odd.write(store)), "normal": normal})
    }

    /// `width`: K without the density ratios.
    pub fn read(value: &Value, store: &Store, features: &[Feature], width: usize) -> Result<Self> {
        let odd = match &value["anomalies"] {
            Value::Null => None,
            value => Some(Learned::read(value, store, features, width)?),
        };
        let normal = match &value["normal"] {
            Value::Null => None,
            value => Some(Memory::read(value, store, "guide.normal", features)?),
        };
        Ok(Self { odd, normal })
    }
}

impl Learned {
    fn write(&self, store: &mut Store) -> Value {
        let codes: Vec<f32> = self.codes.iter().flatten().copied().collect();
        store.put_f32("guide.codes", &[codes.len()], codes);
        store.put_f64("guide.centres", self.centres.clone());
        store.put_f64("guide.weights", self.weights.clone());
        self.anomalies.write(store, "guide.anomalies")
    }

    fn read(value: &Value, store: &Store, features: &[Feature], width: usize) -> Result<Self> {
        let anomalies = Memory::read(value, store, "guide.anomalies", features)?;
        let sizes = anomalies.sizes();
        let mut flat = store.get_f32("guide.codes", &[sizes.iter().sum()])?;
        if flat.iter().any(|ratio| !ratio.is_finite()) {
            return Err(Error::model_file("the guide is damaged"));
        }
        let mut codes = Vec::with_capacity(sizes.len());
        for size in sizes {
            let (own, rest) = flat.split_at(size);
            codes.push(own.to_vec());
            flat = rest;
        }
        let width = width + densities(&anomalies);
        let centres = store.get_finite("guide.centres", width)?.to_vec();
        let weights = store.get_finite("guide.weights", width)?.to_vec();
        Ok(Self { anomalies, codes, centres, weights })
    }
}
