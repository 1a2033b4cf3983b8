//! The scale on which the network sees numbers: normal quantiles of its training rows, as
//! `python/tabad/diffusion/quantile.py` fits them. Known values have an interval of the scale, other
//! values lie in proportion between two; beyond them a step on the scale is a step of the number.

/// Ascending known values of one number with the interval that each takes and its median [K].
#[derive(Debug, Clone, Copy)]
pub(super) struct Quantiles<'a> {
    pub knot: &'a [f32],
    pub low: &'a [f32],
    pub high: &'a [f32],
    pub middle: &'a [f32],
}

impl Quantiles<'_> {
    /// The place of an encoded number: the median of its interval.
    pub fn place(&self, x: f32) -> f32 {
        match self.knot.partition_point(|&knot| knot <= x).checked_sub(1) {
            None => along(x, (self.knot[0], self.low[0]), None),
            Some(at) if self.knot[at] == x => self.middle[at],
            Some(at) => {
                let after = (at + 1 < self.knot.len()).then(|| (self.knot[at + 1], self.low[at + 1]));
                along(x, (self.knot[at], self.high[at]), after)
            }
        }
    }

    /// The encoded number at a place: the inverse of `place`.
    pub fn value(&self, z: f32) -> f32 {
        match self.low.partition_point(|&low| low <= z).checked_sub(1) {
            None => along(z, (self.low[0], self.knot[0]), None),
            Some(at) if z <= self.high[at] => self.knot[at],
            Some(at) => {
                let after = (at + 1 < self.low.len()).then(|| (self.low[at + 1], self.knot[at + 1]));
                match after {
                    Some((low, knot)) if self.all_known() => {
                        let share =
                            (f64::from(z) - f64::from(self.high[at])) / (f64::from(low) - f64::from(self.high[at]));
                        // Halfway goes to the even neighbour, the lower one, as Python rounds.
                        if share <= 0.5 { self.knot[at] } else { knot }
                    }
                    _ => along(z, (self.high[at], self.knot[at]), after),
                }
            }
        }
    }

    /// The last place is unused, so the column has no other values than these.
    fn all_known(&self) -> bool {
        let last = self.knot.len() - 1;
        last > 0 && self.knot[last] == self.knot[last - 1] && self.knot[0] < self.knot[last]
    }

    /// Whether no table decreases and each interval holds its median and ends before the next.
    pub fn is_ordered(&self) -> bool {
        let within = |at: usize| self.low[at] <= self.middle[at] && self.middle[at] <= self.high[at];
        let repeats = |at: usize| self.knot[at] == self.knot[at - 1];
        let after = |at: usize| self.high[at - 1] <= self.low[at];
        self.knot.is_sorted()
            && self.low.is_sorted()
            && self.high.is_sorted()
            && (0..self.knot.len()).all(within)
            && (1..self.knot.len()).all(|at| repeats(at) || after(at))
    }
}

/// On the line through two points, or with slope one through the first.
fn along(x: f32, from: (f32, f32), to: Option<(f32, f32)>) -> f32 {
    let (x0, y0, x) = (f64::from(from.0), f64::from(from.1), f64::from(x));
    match to {
        None => (y0 + (x - x0)) as f32,
        Some((x1, y1)) => {
            let share = ((x - x0) / (f64::from(x1) - x0).max(1e-30)).clamp(0.0, 1.0);
            (y0 + share * (f64::from(y1) - y0)) as f32
        }
    }
}
