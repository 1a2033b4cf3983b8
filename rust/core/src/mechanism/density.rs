//! Density: how likely the row is.
//!
//! Of the memory its kernel densities. Of the network the variational bound of a diffusion model in continuous time
//! (Kingma et al. 2021, "Variational Diffusion Models", equation 17): with `SNR = 1 / sigma^2`
//! `-log p(x) <= const + int |x - D(x + sigma e)|^2 / sigma^2 d ln(sigma)`, with one fixed noise per level; and the nats of the
//! categories that its probes hide (half of them, so twice their mean), the bound of masked diffusion.

use super::{MemoryShares, NetworkShares, Setting};

pub fn memory(setting: Setting) -> MemoryShares {
    let wide = if setting.contaminated { 0.5 } else { 0.0 };
    MemoryShares { local: 1.0 - wide, wide, ..MemoryShares::default() }
}

pub fn network() -> NetworkShares {
    NetworkShares { own: 1.0, ..NetworkShares::default() }
}

/// The bound, from each level's sums over the numbers and over the hidden categories: `levels` holds
/// `(sigma, squared residuals over sigma^2, nats)`.
pub fn bound(levels: &[(f32, f32, f32)]) -> f32 {
    let mut total = 0.0;
    for (at, &(sigma, numbers, nats)) in levels.iter().enumerate() {
        // The trapezium rule over ln(sigma); one level alone counts as one unit.
        let step = |other: Option<&(f32, f32, f32)>| other.map_or(0.0, |other| (other.0 / sigma).ln().abs() / 2.0);
        let width = step(at.checked_sub(1).and_then(|at| levels.get(at))) + step(levels.get(at + 1));
        let width = if levels.len() == 1 { 1.0 } else { width };
        total += width * numbers + 2.0 * nats / levels.len() as f32;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::bound;

    #[test]
    fn a_constant_residual_integrates_to_its_value_times_the_log_range() {
        let levels = [(0.1, 3.0, 0.5), (0.4, 3.0, 0.5), (1.0, 3.0, 0.5)];
        assert!((bound(&levels) - (3.0 * 10.0_f32.ln() + 1.0)).abs() < 1e-5);
        assert_eq!(bound(&[(0.5, 2.0, 1.0)]), 4.0);
        assert_eq!(bound(&[]), 0.0);
    }
}
