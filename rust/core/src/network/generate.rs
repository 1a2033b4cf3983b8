//! Rows out of a network: from noise to rows in a few steps, categories revealed on the way, columns that are given
//! clean at every step.
//!
//! The fast twin of `python/tabad/diffusion/sample.py`, for masked categories on a processor; `tests/oracle/sample.py` is
//! the slow one. Every row has random numbers of its own, so that neither the rows beside it nor the number of threads
//! change it. Legend beside that of the module: G categories with those of the atoms, E numbers with atoms, R rows of a
//! tile, I inputs of the numbers.

mod order;
mod stream;
mod ties;
mod tile;

use rayon::prelude::*;

use super::config::offsets;
use super::half::Half;
use super::probe::{Head, head_of};
use super::{Kind, Network};
use crate::block::PRESENT;
use crate::error::{Error, Result};
use order::Order;
use stream::Stream;
use ties::Said;
pub use ties::Ties;

/// A cell that is not seen yet.
const MASK: u16 = u16::MAX;
/// Rows that go through all steps together: enough to hide what packing a product's weights takes, few enough for the
/// cache of a core.
const TILE: usize = 256;
/// Rows of a seed: so many rows come out the same whatever is asked for after them.
pub const WINDOW: usize = 2_048;
/// Rows are padded to a multiple of so many, so that a row's products are added in one order whatever its company.
const PADDED: usize = 64;
/// A column at this level is context: clean as far as anyone can see.
const SIGMA_MIN: f64 = 0.02;
const SIGMA_MAX: f64 = 20.0;
/// Of the grid: its last level but 0, and how levels crowd towards it (Karras et al. 2022, eq. 5).
const LAST_LEVEL: f64 = 0.04;
const RHO: f64 = 10.0;
/// Below the sum even where the product is rounded: codes beyond it are never reached.
const BELOW_ONE: f32 = 1.0 - 1.0 / 4_194_304.0;

/// Rows that are known in part.
#[derive(Debug, Clone, Copy)]
pub struct Given<'a> {
    /// On the network's scale [B, N].
    pub x: &'a [f32],
    /// [B, G].
    pub c: &'a [u16],
    /// Which columns stand [B, P].
    pub given: &'a [bool],
}

/// What is asked for.
#[derive(Debug)]
pub struct Request<'a> {
    /// B.
    pub rows: usize,
    /// One for each [`WINDOW`] rows.
    pub seeds: &'a [u64],
    /// The label that steers, by classifier-free guidance (Ho and Salimans 2022, eq. 6): 0 ignores it, 1 is the plain
    /// conditional network.
    pub label: Option<usize>,
    pub guidance: f32,
    /// Codes that are never drawn [S, with the atoms' codes].
    pub forbidden: &'a [bool],
    pub given: Option<Given<'a>>,
    pub ties: &'a Ties,
    /// Network calls.
    pub steps: usize,
    /// How much fresh noise a step of numbers adds: 0 none (an ODE), 1 as much as it takes away (an SDE).
    pub noise: f64,
}

/// A network, ready to draw rows.
#[derive(Debug)]
pub struct Generator {
    network: Network,
    /// Codes per category, and where they start [G].
    sizes: Vec<usize>,
    offsets: Vec<usize>,
    /// The table column of each category [G].
    columns: Vec<usize>,
    is_status: Vec<bool>,
    /// The last layer's part for the numbers, and that for the codes, a row each [S, H].
    numbers: Head,
    codes: Vec<f32>,
    /// The first layer of numbers, the blocks and the last layer of numbers in bfloat16, where the processor has it.
    half: Option<HalfWeights>,
    /// What the first layer hears of columns that all are at level e^4 [H].
    levels: Vec<f32>,
    /// Atoms on the network's scale [E, A].
    places: Vec<Vec<f32>>,
}

#[derive(Debug)]
struct HalfWeights {
    input: Half,
    blocks: Vec<(Half, Half)>,
    numbers: Half,
}

impl HalfWeights {
    fn of(network: &Network, numbers: &Head) -> Option<Self> {
        let (width, pieces) = (network.config.width, &network.pieces);
        let square = |weights: &[f32]| Half::of(weights, width, width);
        let blocks = network.weights.blocks.iter().map(|block| Some((square(&block.inner)?, square(&block.outer)?)));
        let inputs = pieces.inputs(network.config.shape.numbers());
        Some(Self {
            input: Half::of(&pieces.weights, inputs, width)?,
            blocks: blocks.collect::<Option<_>>()?,
            numbers: Half::of(&numbers.weights, width, numbers.outputs())?,
        })
    }
}

/// D(x) = skip x + out F(scale x, noise): Karras et al. 2022, table 1, `sigma_data` = 1.
#[derive(Debug, Clone, Copy)]
struct Scales {
    skip: f32,
    out: f32,
    scale: f32,
    noise: f32,
}

impl Scales {
    fn at(sigma: f64) -> Self {
        let total = sigma * sigma + 1.0;
        Self {
            skip: (1.0 / total) as f32,
            out: (sigma / total.sqrt()) as f32,
            scale: (1.0 / total.sqrt()) as f32,
            noise: (sigma.ln() / 4.0) as f32,
        }
    }
}

/// What one step multiplies by: DPM-Solver++(2M), with noise SDE-DPM-Solver++ (Lu et al. 2022, algorithm 2).
#[derive(Debug, Clone, Copy)]
struct Move {
    keep: f32,
    weight: f32,
    slope: f32,
    fresh: f32,
    /// The spread of a number whose status is open: it has not begun.
    unbegun: f32,
}

impl Move {
    /// From level `now` to `next`, after a step from `before`.
    fn of(before: Option<f64>, now: f64, next: f64, noise: f64) -> Self {
        let step = (now / next).ln();
        let noise_step = noise * step;
        let weight = -(-step - noise_step).exp_m1();
        Self {
            keep: (next / now * (-noise_step).exp()) as f32,
            weight: weight as f32,
            slope: before.map_or(0.0, |before| 0.5 * weight * step / (before / now).ln()) as f32,
            fresh: (next * (-(-2.0 * noise_step).exp_m1()).sqrt()) as f32,
            unbegun: (1.0 + next * next).sqrt() as f32,
        }
    }
}

/// `steps` falling levels, then 0.
fn grid(steps: usize) -> Vec<f64> {
    let (top, bottom) = (SIGMA_MAX.powf(1.0 / RHO), LAST_LEVEL.powf(1.0 / RHO));
    let level = |place: usize| (top + place as f64 / (steps - 1) as f64 * (bottom - top)).powf(RHO);
    (0..steps).map(level).chain([0.0]).collect()
}

/// A tile on its way.
struct Tile {
    streams: Vec<Stream>,
    /// Noised numbers, what they are expected to be clean, and what they were in the step before [R, N].
    x: Vec<f32>,
    mean: Vec<f32>,
    before: Vec<f32>,
    /// Whether a number was seen in the step before, and whether its atom was known then [R, N].
    was_seen: Vec<bool>,
    was_named: Vec<bool>,
    /// Codes seen and when each is revealed [R, G].
    seen: Vec<u16>,
    when: Vec<u16>,
    /// Codes seen, and levels of given columns, through the first layer [R, H].
    told: Vec<f32>,
    held: Vec<f32>,
    /// [R, I], [R, H] each, [R, N].
    inputs: Vec<f32>,
    h: Vec<f32>,
    normed: Vec<f32>,
    inner: Vec<f32>,
    raw: Vec<f32>,
    /// Inputs or a state as pairs of bfloat16 [R, I / 2 or H / 2].
    pairs: Vec<u32>,
    room: Room,
}

/// Room for one row.
#[derive(Default)]
struct Room {
    noise: Vec<f32>,
    named: Vec<bool>,
    cells: Vec<(f32, f32)>,
    due: Vec<bool>,
    said: Vec<Said>,
    logits: Vec<f32>,
}

impl Generator {
    /// Refuses a network whose categories are not masked. `bfloat16`: products are rounded where the processor has that.
    pub fn of(network: Network, bfloat16: bool) -> Result<Self> {
        let config = &network.config;
        if config.kind != Kind::Masked {
            return Err(Error::usage("network-kind", "rows are drawn from networks of masked categories alone"));
        }
        let (shape, width) = (&config.shape, config.width);
        let (numbers, outputs) = (shape.numbers(), shape.numbers() + config.codes());
        let sizes = || shape.sizes.iter().copied().chain(config.atoms.iter().map(|&(_, size)| size));
        let offsets = offsets(sizes());
        let sizes: Vec<usize> = sizes().map(usize::from).collect();
        let own_columns = shape.column_of_feature[numbers..].iter().copied();
        let columns =
            own_columns.chain(config.atoms.iter().map(|&(number, _)| shape.column_of_feature[number])).collect();
        let is_status = (0..sizes.len()).map(|category| shape.status_of_number.contains(&category)).collect();
        let is_number: Vec<bool> = (0..shape.column_of_feature.len()).map(|feature| feature < numbers).collect();
        let numbers_head = head_of(config, &network.weights, &is_number);
        let head = &network.weights.head;
        let codes = (numbers..outputs).flat_map(|out| (0..width).map(move |at| head[at * outputs + out])).collect();
        let mut levels = vec![0.0; width];
        for row in network.weights.level.chunks_exact(width) {
            levels.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        let values = network.weights.atom.chunks_exact(config.most_atoms().max(1)).zip(&config.atoms);
        let place = |(values, &(number, _)): (&[f32], &(usize, u16))| {
            let scale = network.weights.scale(number, config.knots);
            values.iter().map(|&value| scale.place(value)).collect()
        };
        let places = values.map(place).collect();
        let half = HalfWeights::of(&network, &numbers_head).filter(|_| bfloat16);
        Ok(Self { sizes, offsets, columns, is_status, numbers: numbers_head, codes, half, levels, places, network })
    }

    /// N and G.
    pub fn axes(&self) -> (usize, usize) {
        (self.network.config.shape.numbers(), self.sizes.len())
    }

    /// `(x [B, N], c [B, G])` of new rows on the network's scale; an absent number is 0.
    pub fn rows(&self, request: &Request) -> Result<(Vec<f32>, Vec<u16>)> {
        self.check(request)?;
        let levels = grid(request.steps);
        let order = Order::of(&levels, &self.is_status);
        let firsts: Vec<usize> = (0..request.rows).step_by(TILE).collect();
        let tiles = firsts.into_par_iter().map(|first| {
            let rows = TILE.min(request.rows - first);
            self.tile(request, first, rows).run(self, request, (first, rows), &levels, &order)
        });
        let tiles: Vec<(Vec<f32>, Vec<u16>)> = tiles.collect();
        let (numbers, codes): (Vec<_>, Vec<_>) = tiles.into_iter().unzip();
        Ok((numbers.concat(), codes.concat()))
    }

    fn check(&self, request: &Request) -> Result<()> {
        let config = &self.network.config;
        let (numbers, columns, rows) = (config.shape.numbers(), config.shape.columns(), request.rows);
        let fits = request.steps >= 2
            && request.seeds.len() == rows.div_ceil(WINDOW)
            && request.forbidden.len() == config.codes()
            && request.label.is_none_or(|label| label <= config.classes)
            && request.ties.categories().iter().all(|&category| category < self.sizes.len());
        let given_fits = request.given.is_none_or(|own| {
            let known = |row: &[u16]| row.iter().zip(&self.sizes).all(|(&code, &size)| usize::from(code) < size);
            own.x.len() == rows * numbers
                && own.c.len() == rows * self.sizes.len()
                && own.given.len() == rows * columns
                && own.c.chunks_exact(self.sizes.len().max(1)).all(known)
        });
        if fits && given_fits {
            return Ok(());
        }
        Err(Error::usage("sample-shape", "what is asked of the network does not fit its columns"))
    }

    fn tile(&self, request: &Request, first: usize, rows: usize) -> Tile {
        let (numbers, width) = (self.network.config.shape.numbers(), self.network.config.width);
        let padded = rows.next_multiple_of(PADDED);
        let held = if request.given.is_some() { rows * width } else { 0 };
        Tile {
            streams: (first..first + rows)
                .map(|row| Stream::of(request.seeds[row / WINDOW], (row % WINDOW) as u64))
                .collect(),
            x: vec![0.0; rows * numbers],
            mean: vec![0.0; rows * numbers],
            before: vec![0.0; rows * numbers],
            was_seen: vec![false; rows * numbers],
            was_named: vec![false; rows * numbers],
            seen: vec![MASK; rows * self.sizes.len()],
            when: vec![0; rows * self.sizes.len()],
            told: vec![0.0; rows * width],
            held: vec![0.0; held],
            inputs: vec![0.0; padded * self.network.pieces.inputs(numbers)],
            h: vec![0.0; padded * width],
            normed: vec![0.0; padded * width],
            inner: vec![0.0; padded * width],
            raw: vec![0.0; padded * numbers],
            pairs: vec![0; padded * width.max(self.network.pieces.inputs(numbers)).div_ceil(2)],
            room: Room { noise: vec![0.0; numbers], named: vec![false; numbers], ..Room::default() },
        }
    }

    /// Statuses that can be nothing but present. They stand from the first step: a number that begins late has missed
    /// what the others agreed on.
    fn is_always_there(&self, category: usize, forbidden: &[bool]) -> bool {
        let own = &forbidden[self.offsets[category]..][..self.sizes[category]];
        self.is_status[category]
            && !own[usize::from(PRESENT)]
            && own.iter().filter(|&&is_forbidden| !is_forbidden).count() == 1
    }

    /// The atom that the codes of a row name, per number that has some.
    fn named<'a>(&'a self, seen: &'a [u16]) -> impl Iterator<Item = (usize, f32)> + 'a {
        let atoms = &self.network.config.atoms;
        let codes = &seen[seen.len() - atoms.len()..];
        let named = |((&code, &(number, _)), places): ((&u16, &(usize, u16)), &Vec<f32>)| {
            let at = usize::from(code).checked_sub(1).filter(|_| code != MASK)?;
            Some((number, places[at]))
        };
        codes.iter().zip(atoms).zip(&self.places).filter_map(named)
    }
}
