//! The one transform of numbers: standardised in the bulk, logarithmic outside, so that one huge
//! value neither flattens the rest nor loses how far outside it is.
//!
//! `m, s` are mean and standard deviation of the values winsorised to their 0.5 % and 99.5 %
//! quantiles (linear interpolation, as numpy's default). `u = (v - m) / s`; `x = u` up to 3,
//! `3 + 3 ln(u / 3)` beyond, odd, clamped to 30. Everything is f64; only the block is f32.

use multiversion::multiversion;

use crate::numeric::{LANES, ln, ln_1p};

/// Where the logarithm takes over; value and slope are continuous there.
const KNEE: f64 = 3.0;
/// `x` never leaves `-LIMIT..=LIMIT`: `u` of 24,309.
pub const LIMIT: f64 = 30.0;
const WINSOR: f64 = 0.005;

/// A frozen transform.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    pub mean: f64,
    pub std: f64,
}

impl Scale {
    /// From finite values, in any order; no values give the identity.
    pub fn fit(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else {
            return Self { mean: 0.0, std: 1.0 };
        };
        let (low, high) = (quantile(&sorted, WINSOR), quantile(&sorted, 1.0 - WINSOR));
        let (mean, mut std) = moments(&sorted, low, high);
        if low >= high || std == 0.0 {
            std = if min < max { moments(&sorted, min, max).1 } else { 0.0 };
        }
        if std > 0.0 && std.is_finite() { Self { mean, std } } else { Self { mean, std: 1.0 } }
    }

    /// Standard deviations from the mean.
    #[inline(always)]
    fn units(&self, value: f64) -> f64 {
        (value - self.mean) / self.std
    }

    /// Of a finite value; of anything else something.
    #[inline(always)]
    pub fn apply(&self, value: f64) -> f32 {
        let u = self.units(value);
        let size = u.abs();
        // Both are worked out and one is taken, so that loops over this vectorise.
        let far = KNEE + KNEE * ln(size.max(KNEE) / KNEE);
        let far = if far < LIMIT { far } else { LIMIT };
        (if size <= KNEE { size } else { far }).copysign(u) as f32
    }

    /// The same of many, of `sign(v) ln(1 + |v| / unit)` where there is a unit. Whether all were finite.
    pub fn apply_all(&self, values: &[f64], unit: Option<f64>, out: &mut [f32]) -> bool {
        apply_all(*self, values, unit, out)
    }

    /// The value of an encoded number.
    pub fn invert(&self, x: f32) -> f64 {
        let x = f64::from(x);
        let x = if x.is_nan() { 0.0 } else { x.clamp(-LIMIT, LIMIT) };
        let size = x.abs();
        let u = if size <= KNEE { x } else { (KNEE * ((size - KNEE) / KNEE).exp()).copysign(x) };
        self.mean + u * self.std
    }

    /// From a model file: `None` where it would give NaN.
    pub fn checked(mean: f64, std: f64) -> Option<Self> {
        (mean.is_finite() && std.is_finite() && std > 0.0).then_some(Self { mean, std })
    }
}

#[multiversion(targets("x86_64+avx512f+avx512vl+avx512bw+avx512dq+avx2+fma", "x86_64+avx2+fma",))]
fn apply_all(scale: Scale, values: &[f64], unit: Option<f64>, out: &mut [f32]) -> bool {
    let on_scale = |value: f64| unit.map_or(value, |unit| logarithm(value, unit));
    for (values, x) in values.chunks(LANES).zip(out.chunks_mut(LANES)) {
        values.iter().zip(&mut *x).for_each(|(&value, x)| *x = scale.units(on_scale(value)) as f32);
        // Few are beyond the knee: logarithms are for the lanes that have one. What f32 rounds to the knee stays there.
        if x.iter().fold(0, |far, x| far | u8::from(x.abs() >= KNEE as f32)) != 0 {
            values.iter().zip(x).for_each(|(&value, x)| *x = scale.apply(on_scale(value)));
        }
    }
    values.iter().fold(0, |odd, value| odd | u8::from(!value.is_finite())) == 0
}

#[inline(always)]
pub fn logarithm(value: f64, unit: f64) -> f64 {
    ln_1p(value.abs() / unit).copysign(value)
}

/// Quantile of sorted values by linear interpolation between the two nearest.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len().saturating_sub(1)) as f64;
    let below = place.floor();
    let at = |index: usize| sorted.get(index).or(sorted.last()).copied().unwrap_or(0.0);
    let (low, high) = (at(below as usize), at(below as usize + 1));
    // Halves, so that the difference of two huge values cannot overflow.
    let part = place - below;
    if low == high { low } else { low * (1.0 - part) + high * part }
}

/// Mean and population standard deviation of values clamped to `low..=high`.
fn moments(values: &[f64], low: f64, high: f64) -> (f64, f64) {
    if low >= high {
        return (low, 0.0);
    }
    // Squares of values beyond 1e150 overflow and below 1e-150 vanish: measure those in units of the largest.
    let most = low.abs().max(high.abs());
    let unit = if (1e-100..=1e100).contains(&most) { 1.0 } else { most };
    let count = values.len() as f64;
    let mean = values.iter().map(|v| v.clamp(low, high) / unit).sum::<f64>() / count;
    let square = values.iter().map(|v| (v.clamp(low, high) / unit - mean).powi(2)).sum::<f64>() / count;
    (mean * unit, square.sqrt() * unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn constant_values_have_unit_scale() {
        assert_eq!(Scale::fit(&[7.1; 9]), Scale { mean: 7.1, std: 1.0 });
        assert_eq!(Scale::fit(&[]), Scale { mean: 0.0, std: 1.0 });
    }

    #[test]
    fn a_rare_value_still_gives_a_scale() {
        let mut values = vec![0.0; 1000];
        values[0] = 10.0;
        let scale = Scale::fit(&values);
        assert_eq!(scale.mean, 0.0);
        assert!((scale.std - 0.316_069_6).abs() < 1e-6, "{scale:?}");
    }

    #[test]
    fn extreme_values_stay_finite() {
        let scale = Scale::fit(&[-1e308, 1e308, 1.0, 2.0]);
        assert!(scale.std.is_finite() && scale.apply(1e308).is_finite());
        let tiny = Scale::fit(&[1e-300, 2e-300, 3e-300]);
        assert!(tiny.std > 0.0 && tiny.std < 1e-299);
        assert_eq!(tiny.apply(f64::MAX), 30.0);
        assert_eq!(tiny.apply(f64::MIN), -30.0);
    }

    proptest! {
        #[test]
        fn invert_undoes_apply(value in -1e6_f64..1e6) {
            let scale = Scale { mean: 12.5, std: 43.0 };
            let back = scale.invert(scale.apply(value));
            prop_assert!((back - value).abs() <= 1e-5 * scale.std.max((value - 12.5).abs()), "{value} {back}");
        }

        #[test]
        fn apply_is_monotone(a in any::<f64>(), b in any::<f64>()) {
            prop_assume!(a.is_finite() && b.is_finite() && a <= b);
            let scale = Scale { mean: -3.0, std: 0.7 };
            prop_assert!(scale.apply(a) <= scale.apply(b));
        }
    }
}
