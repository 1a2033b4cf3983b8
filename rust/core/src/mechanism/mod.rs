//! What a score is made of: the scoring mechanisms of diffusion models, each by itself, and their combination.
//!
//! Liu et al., "Anomaly Detection and Generation with Diffusion Models: A Survey" (arXiv 2506.09368), section on scoring,
//! tells them apart. One file each: which energies it counts, and those that it alone needs. How much each denoiser
//! counts is the same for all: no mechanism is chosen by labels.

mod combined;
mod conditional;
mod density;
mod reconstruction;
mod score_function;
mod time;

pub(crate) use density::bound;
pub(crate) use reconstruction::{corruptions, memory_errors};
pub(crate) use time::memory_time;

use crate::error::{Error, Result};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mechanism {
    #[default]
    Combined,
    Density,
    ScoreFunction,
    Reconstruction,
    Conditional,
    DiffusionTime,
}

const ALL: [Mechanism; 6] = [
    Mechanism::Combined,
    Mechanism::Density,
    Mechanism::ScoreFunction,
    Mechanism::Reconstruction,
    Mechanism::Conditional,
    Mechanism::DiffusionTime,
];

/// What the mechanisms look at to share out the score.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    /// Training rows may be anomalies.
    pub contaminated: bool,
    /// Share of the columns that are categories.
    pub category_share: f64,
    /// Some columns are context.
    pub context: bool,
}

/// How much each group of the memory's energies counts; they add up to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct MemoryShares {
    pub local: f64,
    pub wide: f64,
    pub joint: f64,
    pub marginal: f64,
    pub extremity: f64,
    pub isolation: f64,
    /// Of the local density given the wide one (see [`crate::crowding`]).
    pub crowding: f64,
    pub columns: f64,
    /// Energies that the mechanism alone needs.
    pub own: f64,
}

impl MemoryShares {
    /// In the same proportions, adding up to `total`.
    pub(crate) fn scaled_to(self, total: f64) -> Self {
        let Self { local, wide, joint, marginal, extremity, isolation, crowding, columns, own } = self;
        let unit = total / (local + wide + joint + marginal + extremity + isolation + crowding + columns + own);
        Self {
            local: unit * local,
            wide: unit * wide,
            joint: unit * joint,
            marginal: unit * marginal,
            extremity: unit * extremity,
            isolation: unit * isolation,
            crowding: unit * crowding,
            columns: unit * columns,
            own: unit * own,
        }
    }
}

/// The same of the network's.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct NetworkShares {
    pub joint: f64,
    pub conditional: f64,
    pub own: f64,
}

impl Mechanism {
    pub fn name(self) -> &'static str {
        match self {
            Self::Combined => "combined",
            Self::Density => "density",
            Self::ScoreFunction => "score-function",
            Self::Reconstruction => "reconstruction",
            Self::Conditional => "conditional",
            Self::DiffusionTime => "diffusion-time",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// The mechanism of that name, or an error that lists them.
    pub fn named(name: &str) -> Result<Self> {
        Self::parse(name).ok_or_else(|| {
            let names: Vec<&str> = ALL.iter().map(|mechanism| mechanism.name()).collect();
            Error::usage("mechanism-unknown", format!("`{name}` is not a scoring mechanism"))
                .hint(format!("use one of {}", names.join(", ")))
        })
    }

    pub(crate) fn memory(self, setting: Setting) -> MemoryShares {
        match self {
            Self::Combined => combined::memory(setting),
            Self::Density => density::memory(setting),
            Self::ScoreFunction => score_function::memory(),
            Self::Reconstruction => reconstruction::memory(),
            Self::Conditional => conditional::memory(),
            Self::DiffusionTime => time::memory(),
        }
    }

    /// None where a network has nothing to say. `alone`: there is no memory beside it.
    pub(crate) fn network(self, alone: bool) -> Option<NetworkShares> {
        match self {
            Self::Combined => Some(combined::network(alone)),
            Self::Density => Some(density::network()),
            Self::ScoreFunction => Some(score_function::network()),
            Self::Reconstruction => Some(reconstruction::network()),
            Self::Conditional => Some(conditional::network()),
            Self::DiffusionTime => None,
        }
    }

    /// Energies beyond those of every model, of a memory with so many local levels.
    pub(crate) fn own_memory_terms(self, local: usize) -> usize {
        match self {
            Self::Reconstruction => local,
            Self::DiffusionTime => 1,
            Self::Combined | Self::Density | Self::ScoreFunction | Self::Conditional => 0,
        }
    }

    /// The same of a network with so many joint levels.
    pub(crate) fn own_network_terms(self, levels: usize) -> usize {
        match self {
            Self::Reconstruction => levels,
            Self::Density => 1,
            Self::Combined | Self::ScoreFunction | Self::Conditional | Self::DiffusionTime => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_every_mechanism_add_up_to_one() {
        for mechanism in ALL {
            assert_eq!(Mechanism::parse(mechanism.name()), Some(mechanism));
            for (contaminated, category_share) in [(false, 0.0), (true, 0.0), (false, 0.7), (true, 1.0)] {
                let m = mechanism.memory(Setting { contaminated, category_share, context: category_share == 0.7 });
                let alone = m.marginal + m.extremity;
                let sum = m.local + m.wide + m.joint + alone + m.isolation + m.crowding + m.columns + m.own;
                assert!((sum - 1.0).abs() < 1e-12, "{mechanism:?}");
                assert!(m.own == 0.0 || mechanism.own_memory_terms(3) > 0);
            }
            for n in [true, false].into_iter().filter_map(|alone| mechanism.network(alone)) {
                assert!((n.joint + n.conditional + n.own - 1.0).abs() < 1e-12, "{mechanism:?}");
                assert!(n.own == 0.0 || mechanism.own_network_terms(3) > 0);
            }
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = Mechanism::named("magic").unwrap_err().to_string();
        assert!(error.contains("magic"), "{error}");
    }
}
