//! A memory in a model file.

use serde_json::{Value, json};

use super::marginal::SPREAD;
use super::{Category, Levels, Memory, Price, layout};
use crate::block::{Feature, PRESENT, Slot};
use crate::error::{Error, Result};
use crate::numeric::LANES;
use crate::store::Store;

/// More kept rows than this are refused in a file: no setting writes them.
const MOST_ROWS: usize = 1 << 20;

impl Memory {
    /// Under tensor names that begin with `prefix`.
    pub fn write(&self, store: &mut Store, prefix: &str) -> Value {
        let unpad = |column: usize| column * self.padded..column * self.padded + self.rows;
        let x = (0..self.numbers.len()).flat_map(|n| self.x_nm[unpad(n)].iter().copied()).collect();
        let c = (0..self.categories.len()).flat_map(|c| self.c_cm[unpad(c)].iter().copied()).collect();
        store.put_f32(format!("{prefix}.x"), &[self.numbers.len(), self.rows], x);
        store.put_u16(format!("{prefix}.c"), &[self.categories.len(), self.rows], c);
        let marginals: Vec<f32> = self.categories.iter().flat_map(|c| c.marginal.iter().copied()).collect();
        store.put_f32(format!("{prefix}.marginals"), &[marginals.len()], marginals);
        let spreads = self.numbers.iter().flat_map(|number| number.spread.iter().copied()).collect();
        store.put_f32(format!("{prefix}.spreads"), &[self.numbers.len(), SPREAD], spreads);
        for (name, taus) in self.levels.named() {
            store.put_f32(format!("{prefix}.levels.{name}"), &[taus.len()], taus.clone());
        }
        json!({
            "rows": self.rows,
            "own_vote": self.own_vote,
            "conditional_rows": self.conditional.min(self.rows),
            "levels": [self.levels.local.len(), self.levels.wide.len(), self.levels.conditional.len()],
        })
    }

    pub fn read(value: &Value, store: &Store, prefix: &str, features: &[Feature]) -> Result<Self> {
        let damaged = |what: &str| Error::model_file(format!("the memory's {what} is damaged"));
        let rows = value["rows"].as_u64().and_then(|rows| usize::try_from(rows).ok());
        let rows = rows.filter(|&rows| rows > 0 && rows <= MOST_ROWS).ok_or_else(|| damaged("row count"))?;
        let own_vote = value["own_vote"].as_bool().ok_or_else(|| damaged("own vote"))?;
        let conditional = value["conditional_rows"].as_u64().and_then(|n| usize::try_from(n).ok());
        let conditional =
            conditional.filter(|&n| n > 0 && n <= rows).ok_or_else(|| damaged("number of conditional rows"))?;
        let (mut numbers, prices, columns) = layout(features);
        let sizes: Vec<u16> = features
            .iter()
            .filter_map(|feature| match feature.slot {
                Slot::Category { size, .. } => Some(size),
                Slot::Number { .. } => None,
            })
            .collect();
        let x = store.get_f32(&format!("{prefix}.x"), &[numbers.len(), rows])?;
        let c = store.get_u16(&format!("{prefix}.c"), &[prices.len(), rows])?;
        if x.iter().any(|x| !x.is_finite()) {
            return Err(damaged("kept rows"));
        }
        let length: usize = sizes.iter().map(|&size| usize::from(size)).sum();
        let mut marginals = store.get_f32(&format!("{prefix}.marginals"), &[length])?;
        let padded = rows.next_multiple_of(LANES);
        let x_nm = pad(x, rows, padded);
        let c_cm = pad(c, rows, padded);
        let mut categories = Vec::with_capacity(prices.len());
        for (index, (Price { weight, status, given }, &size)) in prices.into_iter().zip(&sizes).enumerate() {
            let (own, rest) = marginals.split_at(usize::from(size));
            marginals = rest;
            let codes = &c[index * rows..(index + 1) * rows];
            if own.iter().any(|m| !(*m > 0.0 && *m <= 1.0)) || codes.iter().any(|&code| code >= size) {
                return Err(damaged("categories"));
            }
            let constant = codes.first().copied().filter(|first| codes.iter().all(|code| code == first));
            categories.push(Category { weight, constant, marginal: own.to_vec(), status, given });
        }
        let spreads = store.get_f32(&format!("{prefix}.spreads"), &[numbers.len(), SPREAD])?;
        for (number, spread) in numbers.iter_mut().zip(spreads.chunks_exact(SPREAD)) {
            if spread.iter().any(|x| !x.is_finite()) || !spread.is_sorted() {
                return Err(damaged("quantiles"));
            }
            number.spread = spread.to_vec();
            let codes = &c[number.status * rows..(number.status + 1) * rows];
            number.absent = codes.iter().any(|&code| code != PRESENT);
        }
        let level = |place: usize, name: &str| -> Result<Vec<f32>> {
            let count = value["levels"][place].as_u64().and_then(|n| usize::try_from(n).ok());
            let fewest = if place < 2 { 1 } else { 0 };
            let count = count.filter(|n| (fewest..=16).contains(n)).ok_or_else(|| damaged("levels"))?;
            let taus = store.get_f32(&format!("{prefix}.levels.{name}"), &[count])?;
            if taus.iter().any(|tau| !(tau.is_finite() && *tau >= super::LEVEL_FLOOR * 0.5)) {
                return Err(damaged("levels"));
            }
            Ok(taus.to_vec())
        };
        let levels =
            Levels { local: level(0, "local")?, wide: level(1, "wide")?, conditional: level(2, "conditional")? };
        if levels.conditional.len() > 2 || !levels.conditional.is_sorted() {
            return Err(damaged("levels"));
        }
        Ok(Self::assemble(rows, (x_nm, c_cm), (numbers, categories, columns), levels, (own_vote, conditional)))
    }
}

impl Levels {
    fn named(&self) -> [(&'static str, &Vec<f32>); 3] {
        [("local", &self.local), ("wide", &self.wide), ("conditional", &self.conditional)]
    }
}

fn pad<T: Copy + Default>(data: &[T], rows: usize, padded: usize) -> Vec<T> {
    let mut out = Vec::with_capacity(data.len() / rows.max(1) * padded);
    for column in data.chunks_exact(rows) {
        out.extend_from_slice(column);
        out.resize(out.len() + padded - rows, T::default());
    }
    out
}
