//! The denoisers of a model, and the energies of a block under all of them.

use crate::block::{Block, Feature};
use crate::combine::{EnergyBlock, Plan};
use crate::crowding::Crowding;
use crate::elsewhere::Elsewhere;
use crate::error::{Error, Result};
use crate::guide::Guide;
use crate::mechanism::{Mechanism, Setting, bound, corruptions, memory_errors, memory_time};
use crate::memory::{Corruption, Memory, Scratch, Wanted};
use crate::network::{DRAWS, Energies, Network};

/// How much the network counts beside a memory: its joint energies alone. More of it loses where the memory is at its best.
const NETWORK: f64 = 0.15;
/// And where training rows may be anomalies: joint energies ask for fine structure, of which the memory's counts less there
/// as well.
const NETWORK_AMONG_ANOMALIES: f64 = 0.05;

/// A closed set: every model has at least one.
#[derive(Debug, Clone, Default)]
pub struct Denoisers {
    pub memory: Option<Memory>,
    pub network: Option<Network>,
    mechanism: Mechanism,
    /// Per feature: context, which is never judged [F].
    given: Vec<bool>,
    /// The network as it is asked about corrupted rows, one per corruption, where the mechanism does.
    noised: Vec<Network>,
}

impl Denoisers {
    pub fn new(memory: Option<Memory>, network: Option<Network>, mechanism: Mechanism, features: &[Feature]) -> Self {
        let given = features.iter().map(|feature| feature.given).collect();
        Self { memory, mechanism, given, ..Self::default() }.with_network(network)
    }

    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Whether a feature is context.
    pub fn is_given(&self, feature: usize) -> bool {
        self.given.get(feature).copied().unwrap_or(false)
    }

    /// The same mechanism and context with another memory.
    #[must_use]
    pub fn with_memory(&self, memory: Option<Memory>) -> Self {
        let Self { network, mechanism, given, noised, .. } = self;
        Self { memory, network: network.clone(), mechanism: *mechanism, given: given.clone(), noised: noised.clone() }
    }

    /// The same, where the kept rows that the guide knows to be normal are known to the memory too.
    #[must_use]
    pub fn anchored(self, guide: &Guide) -> Self {
        match (self.memory, guide.known()) {
            (Some(memory), Some(known)) => Self { memory: Some(memory.anchored(&known)), ..self },
            (memory, _) => Self { memory, ..self },
        }
    }

    /// The same with another network.
    #[must_use]
    pub fn with_network(self, network: Option<Network>) -> Self {
        let asks = self.mechanism.own_network_terms(1) > 0;
        let asked = network.as_ref().filter(|_| asks);
        let noised = asked.map(|network| (0..DRAWS).map(|draw| network.noised(&self.given, draw)).collect());
        let noised = noised.unwrap_or_default();
        Self { network, noised, ..self }
    }

    /// Each by itself, in the order of the plan.
    pub fn each(&self) -> Vec<Self> {
        let alone = || Self { mechanism: self.mechanism, given: self.given.clone(), ..Self::default() };
        let memory = self.memory.iter().map(|memory| alone().with_memory(Some(memory.clone())));
        let network = self.network.iter().map(|_| self.with_memory(None));
        memory.chain(network).collect()
    }

    /// Row energies and weights, which add up to 1, shared out by the mechanism. The network counts [`NETWORK`] or
    /// [`NETWORK_AMONG_ANOMALIES`]; nothing where it is not `judged`, that is, where no rows are left that it was not
    /// trained on.
    pub fn plan(&self, contaminated: bool, judged: bool) -> Plan {
        let mut plan = Plan { features: self.given.len(), geometric: !contaminated, ..Plan::default() };
        let spread = |terms: &mut Vec<f64>, count: usize, weight: f64| {
            terms.extend(std::iter::repeat_n(weight / count.max(1) as f64, count));
        };
        let shares = self.mechanism.network(self.memory.is_none()).filter(|_| self.network.is_some());
        let network = match (&self.memory, shares) {
            (_, None) => 0.0,
            (None, Some(_)) => 1.0,
            (Some(_), Some(_)) if judged && contaminated => NETWORK_AMONG_ANOMALIES,
            (Some(_), Some(_)) if judged => NETWORK,
            (Some(_), Some(_)) => 0.0,
        };
        if let Some(memory) = &self.memory {
            let levels = memory.levels();
            let setting =
                Setting { contaminated, category_share: memory.category_share(), context: self.given.contains(&true) };
            let (of, own) = (self.mechanism.memory(setting), 1.0 - network);
            spread(&mut plan.terms, levels.local.len(), own * of.local);
            spread(&mut plan.terms, levels.wide.len(), own * of.wide);
            spread(&mut plan.terms, levels.local.len(), own * of.joint);
            plan.terms.extend([own * of.marginal, own * of.extremity]);
            spread(&mut plan.terms, 2, own * of.isolation);
            if of.crowding > 0.0 {
                plan.crowding = Some(Crowding::of(levels, own * of.crowding));
            }
            spread(&mut plan.terms, self.mechanism.own_memory_terms(levels.local.len()), own * of.own);
            plan.columns.push(own * of.columns);
        }
        if let Some(net) = &self.network {
            let of = shares.unwrap_or_default();
            // Of a network that was trained on the anomalies too the memory decides who is the oddest.
            plan.bounded_from = (contaminated && self.memory.is_some()).then_some(plan.terms.len());
            spread(&mut plan.terms, net.joint_levels(), network * of.joint);
            plan.terms.push(network * of.conditional);
            spread(&mut plan.terms, self.mechanism.own_network_terms(net.joint_levels()), network * of.own);
            plan.columns.push(0.0);
        }
        plan
    }

    /// Energies of every row under all denoisers.
    pub fn energies(&self, block: &Block) -> EnergyBlock {
        self.some_energies(block, Wanted::ALL, true)
    }

    /// The same, but for what costs most and no score under this plan asks for.
    pub fn energies_for(&self, block: &Block, plan: &Plan) -> EnergyBlock {
        let (wanted, conditional) = self.wanted(plan);
        self.some_energies(block, wanted, conditional)
    }

    /// What `elsewhere` finds in the rows for a plan, or everything without one.
    pub fn energies_from(&self, elsewhere: &dyn Elsewhere, block: &Block, plan: Option<&Plan>) -> Result<EnergyBlock> {
        let (wanted, conditional) = plan.map_or((Wanted::ALL, true), |plan| self.wanted(plan));
        let found = elsewhere.find(block, wanted, conditional)?;
        let found = found.checked(self, block.rows, self.given.len(), conditional)?;
        let (of_memory, of_network) = (self.memory_terms(), self.network_terms());
        let width = of_memory + of_network;
        let mut out = EnergyBlock { rows: block.rows, terms: vec![0.0; block.rows * width], features: Vec::new() };
        if self.memory.is_some() {
            let rows = out.terms.chunks_exact_mut(width).zip(found.terms.chunks_exact(of_memory));
            rows.for_each(|(terms, found)| terms[..of_memory].copy_from_slice(found));
            out.features.push(found.columns);
        }
        if let Some(network) = &self.network {
            self.add_network(network, found.network, &[], conditional, &mut out);
        }
        Ok(out)
    }

    /// Refuses what only the processor can ask of the denoisers.
    pub fn can_be_found_elsewhere(&self) -> Result<()> {
        if self.mechanism.own_memory_terms(1) + self.mechanism.own_network_terms(1) == 0 {
            return Ok(());
        }
        let message = format!("energies of mechanism `{}` come from the processor alone", self.mechanism.name());
        Err(Error::usage("mechanism-device", message).hint("leave --device out"))
    }

    /// What a plan counts: of the memory's energies, and whether of the network's conditional ones.
    fn wanted(&self, plan: &Plan) -> (Wanted, bool) {
        let counts = |term: usize| plan.terms.get(term).is_some_and(|&weight| weight > 0.0);
        let conditional = self.memory_terms() + self.network.as_ref().map_or(0, Network::joint_levels);
        let conditional = counts(conditional) || plan.columns.get(1).is_some_and(|&weight| weight > 0.0);
        let wanted = self.memory.as_ref().map_or(Wanted::ALL, |memory| {
            let (local, wide) = (memory.levels().local.len(), memory.levels().wide.len());
            let of_crowding = |term: usize| plan.crowding.is_some_and(|crowding| crowding.wide == term);
            let wide_from = (0..wide).find(|level| counts(local + level) || of_crowding(local + level)).unwrap_or(wide);
            Wanted { wide_from, roots: counts(memory.row_terms() - 1) }
        });
        (wanted, conditional)
    }

    /// Of the memory's what is `wanted`; without `conditional` the network's conditional energies are 0, and its features
    /// have none.
    fn some_energies(&self, block: &Block, wanted: Wanted, conditional: bool) -> EnergyBlock {
        let features = self.given.len();
        let (of_memory, of_network) = (self.memory_terms(), self.network_terms());
        let width = of_memory + of_network;
        let mut out = EnergyBlock { rows: block.rows, terms: vec![0.0; block.rows * width], features: Vec::new() };
        if let Some(memory) = &self.memory {
            let mut columns = vec![0.0; block.rows * features];
            let mut scratch = memory.scratch();
            let asks = self.mechanism == Mechanism::Reconstruction;
            let probes = asks.then(|| corruptions(block.numbers, block.categories));
            let probes = probes.as_ref().map_or(&[][..], |probes| probes);
            for row in 0..block.rows {
                let (x_n, c_c) = (block.x_row(row), block.c_row(row));
                let terms = &mut out.terms[row * width..row * width + of_memory];
                let (usual, own) = terms.split_at_mut(memory.row_terms());
                let columns = &mut columns[row * features..(row + 1) * features];
                memory.energies((x_n, c_c), wanted, &mut scratch, usual, columns);
                self.own_memory_energies(memory, (x_n, c_c), probes, &mut scratch, own);
            }
            out.features.push(columns);
        }
        if let Some(network) = &self.network {
            let found = if conditional { network.energies(block) } else { network.joint_energies(block) };
            let noised: Vec<Energies> = self.noised.iter().map(|network| network.joint_energies(block)).collect();
            self.add_network(network, found, &noised, conditional, &mut out);
        }
        out
    }

    /// Puts the network's energies behind the memory's.
    fn add_network(
        &self,
        network: &Network,
        mut found: Energies,
        noised: &[Energies],
        conditional: bool,
        out: &mut EnergyBlock,
    ) {
        let (features, of_memory) = (self.given.len(), self.memory_terms());
        let width = of_memory + self.network_terms();
        self.drop_context(&mut found.conditional);
        for row in 0..out.rows {
            let terms = &mut out.terms[row * width + of_memory..(row + 1) * width];
            let (joint, rest) = terms.split_at_mut(network.joint_levels());
            for (level, term) in joint.iter_mut().enumerate() {
                *term = (self.joint_sum(&found, row, level, network.joint_levels()).max(0.0) + 1e-6).ln();
            }
            let Some((sum, own)) = rest.split_first_mut() else { continue };
            if conditional {
                // In nats each: a column that is hard to tell is surprising by as much in every row.
                *sum = found.conditional[row * features..(row + 1) * features].iter().sum();
            }
            if !own.is_empty() {
                self.own_network_energies(network, noised, row, own);
            }
        }
        out.features.push(found.conditional);
    }

    fn memory_terms(&self) -> usize {
        self.memory
            .as_ref()
            .map_or(0, |memory| memory.row_terms() + self.mechanism.own_memory_terms(memory.levels().local.len()))
    }

    fn network_terms(&self) -> usize {
        self.network
            .as_ref()
            .map_or(0, |network| network.joint_levels() + 1 + self.mechanism.own_network_terms(network.joint_levels()))
    }

    fn own_memory_energies(
        &self,
        memory: &Memory,
        (x_n, c_c): (&[f32], &[u16]),
        probes: &[Corruption],
        scratch: &mut Scratch,
        own: &mut [f32],
    ) {
        match self.mechanism {
            Mechanism::Reconstruction => memory_errors(memory, (x_n, c_c), probes, scratch, own),
            Mechanism::DiffusionTime => own.fill(memory_time(memory, x_n, c_c, scratch)),
            Mechanism::Combined | Mechanism::Density | Mechanism::ScoreFunction | Mechanism::Conditional => {}
        }
    }

    /// Means over the corruptions.
    fn own_network_energies(&self, network: &Network, noised: &[Energies], row: usize, own: &mut [f32]) {
        let (levels, numbers) = (network.joint_levels(), network.shape().numbers());
        let of_level = |level: usize| {
            let at = (row * levels + level) * self.given.len();
            let sum = |features: std::ops::Range<usize>| {
                let judged = features.filter(|&feature| !self.given[feature]);
                let of_draws = |feature: usize| noised.iter().map(|draw| draw.joint[at + feature]).sum::<f32>();
                judged.map(of_draws).sum::<f32>() / noised.len() as f32
            };
            (sum(0..numbers), sum(numbers..self.given.len()))
        };
        if self.mechanism == Mechanism::Density {
            let sums: Vec<(f32, f32, f32)> = network
                .joint_sigmas()
                .into_iter()
                .enumerate()
                .map(|(level, sigma)| {
                    let (squares, nats) = of_level(level);
                    (sigma, squares, nats)
                })
                .collect();
            own.fill(bound(&sums));
            return;
        }
        for (level, term) in own.iter_mut().enumerate() {
            let (squares, nats) = of_level(level);
            *term = ((squares + nats).max(0.0) + 1e-6).ln();
        }
    }

    fn joint_sum(&self, found: &Energies, row: usize, level: usize, levels: usize) -> f32 {
        let at = (row * levels + level) * self.given.len();
        let energies = found.joint[at..at + self.given.len()].iter().zip(&self.given);
        energies.filter(|(_, given)| !**given).map(|(energy, _)| energy).sum()
    }

    /// A context column is never surprising.
    fn drop_context(&self, energies_bf: &mut [f32]) {
        if !self.given.contains(&true) {
            return;
        }
        for row in energies_bf.chunks_exact_mut(self.given.len()) {
            row.iter_mut().zip(&self.given).filter(|(_, given)| **given).for_each(|(energy, _)| *energy = 0.0);
        }
    }
}
