//! A memory as others are told it, who compute its energies elsewhere (`python/tabad/diffusion/memory.py`).

use serde_json::{Value, json};

use super::Memory;

impl Memory {
    /// All that its energies need but the kept rows: [`Memory::columns_x`] and [`Memory::columns_c`].
    pub fn told(&self) -> Value {
        let numbers =
            self.numbers.iter().map(|number| json!([number.status, number.weight, number.given, number.spread]));
        let categories = self.categories.iter();
        let categories = categories.map(|of| json!([of.weight, of.status, of.given, of.marginal]));
        let columns = self.columns.iter().map(|column| json!([column.numbers, column.categories, column.given]));
        let (grouped, anchors) = self.isolating.rows();
        json!({
            "rows": self.rows,
            "own_vote": self.own_vote,
            "voters": self.conditional.min(self.rows),
            "local": self.levels.local,
            "wide": self.levels.wide,
            "conditional": self.levels.conditional,
            "numbers": numbers.collect::<Vec<Value>>(),
            "categories": categories.collect::<Vec<Value>>(),
            "columns": columns.collect::<Vec<Value>>(),
            "grouped": grouped,
            "anchors": anchors,
        })
    }

    /// Numbers of the kept rows, column by column [N, M].
    pub fn columns_x(&self) -> Vec<f32> {
        (0..self.numbers.len()).flat_map(|number| &self.x(number)[..self.rows]).copied().collect()
    }

    /// Their codes [C, M].
    pub fn columns_c(&self) -> Vec<u16> {
        (0..self.categories.len()).flat_map(|category| &self.c(category)[..self.rows]).copied().collect()
    }
}
