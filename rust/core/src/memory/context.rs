//! Context columns: a row is judged given them, `-log p(row | context) = -log p(row) + log p(context)`.

use super::{Memory, PADDING};

impl Memory {
    pub(super) fn has_context(&self) -> bool {
        self.columns.iter().any(|column| column.given)
    }

    /// The distance of a row to every kept row in its context columns alone.
    pub(super) fn context_distances(&self, x_n: &[f32], c_c: &[u16], left_out: Option<usize>, out_m: &mut [f32]) {
        out_m.fill(0.0);
        for (number, _) in self.numbers.iter().enumerate().filter(|(_, spec)| spec.given) {
            self.add_number(number, f32::INFINITY, x_n, c_c, out_m);
        }
        for (category, _) in self.categories.iter().enumerate().filter(|(_, spec)| spec.given) {
            self.add_category(category, c_c[category], out_m);
        }
        out_m[self.rows..].fill(PADDING);
        if let Some(row) = left_out {
            out_m[row] = PADDING;
        }
    }
}
