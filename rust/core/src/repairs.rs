//! How much less odd a row would be with one column as the others expect it: what tells a wrong cell from those that it
//! disagrees with (a counterfactual explanation, Wachter, Mittelstadt and Russell 2018, with one cell to be changed).

use crate::block::{Block, PRESENT, Part, Slot};
use crate::memory::{Asked, Expected};
use crate::model::Model;

/// What a model expects of each feature of a block's only row, asked once it is needed.
pub struct Prospects<'a> {
    model: &'a Model,
    block: &'a Block,
    asked: Option<Asked<'a>>,
    /// All of them, where the network tells them.
    told: Option<Vec<Expected>>,
}

/// What repairs do for a row.
pub struct Relief {
    /// The row's own score.
    pub score: f64,
    /// By how much it would fall with each of the repairs, in nats, not below 0.
    pub of_each: Vec<f64>,
}

/// Of rows with their repairs what the repairs do, all scored at once: a denoiser takes its rows in tiles, and pays for
/// those that are empty. `None` of a block without rows.
pub fn reliefs(model: &Model, repaired: &[Block]) -> Vec<Option<Relief>> {
    let rows = Block::stacked(repaired);
    let mut scores = Vec::with_capacity(rows.rows);
    if model.scorer.scores_into(&model.denoisers, None, &rows, &mut model.scorer.room(), &mut scores).is_err() {
        return repaired.iter().map(|_| None).collect();
    }
    let mut scores = scores.into_iter();
    let of_row = |block: &Block| {
        let mut own = scores.by_ref().take(block.rows);
        let score = own.next()?;
        Some(Relief { score, of_each: own.map(|other| (score - other).max(0.0)).collect() })
    };
    repaired.iter().map(of_row).collect()
}

impl<'a> Prospects<'a> {
    pub fn new(model: &'a Model, block: &'a Block) -> Self {
        Self { model, block, asked: None, told: None }
    }

    /// `None` where the model cannot say.
    pub fn of(&mut self, feature: usize) -> Option<Expected> {
        let (x, c) = (self.block.x_row(0), self.block.c_row(0));
        match (&self.model.denoisers.memory, &self.model.denoisers.network) {
            (Some(memory), _) => self.asked.get_or_insert_with(|| memory.ask(x, c)).expected(feature),
            (None, Some(network)) => self.told.get_or_insert_with(|| network.expected(x, c)).get(feature).cloned(),
            (None, None) => None,
        }
    }

    /// The row, then the row with the column of each of these features repaired; no row where there is none, or where the
    /// model expects nothing.
    pub fn repaired(&mut self, odd: &[usize]) -> Block {
        let denoisers = &self.model.denoisers;
        if odd.is_empty() || denoisers.memory.is_none() && denoisers.network.is_none() {
            return self.block.take(&[]);
        }
        let mut rows = self.block.take(&vec![0; odd.len() + 1]);
        for (row, &feature) in odd.iter().enumerate() {
            self.repair(&mut rows, row + 1, feature);
        }
        rows
    }

    /// What [`reliefs`] says of one row.
    pub fn relief(&mut self, odd: &[usize]) -> Option<Relief> {
        let repaired = self.repaired(odd);
        reliefs(self.model, &[repaired]).pop().flatten()
    }

    /// Gives every feature of a column its median or its likeliest code, of the odd one but its own; what is not expected
    /// to be there is not. Of a key nothing is repaired: that it is new is nothing that other columns know better.
    fn repair(&mut self, rows: &mut Block, row: usize, odd: usize) {
        let (numbers, categories) = (rows.numbers, rows.categories);
        let features = &self.model.encoder.features;
        let column = features[odd].column;
        let own = || features.iter().enumerate().filter(|(_, spec)| spec.column == column);
        for (feature, spec) in own().filter(|(_, spec)| spec.part != Part::Frequency) {
            match (spec.slot, self.of(feature)) {
                (Slot::Number { dim, .. }, Some(Expected::Number { middle, .. })) => {
                    rows.x[row * numbers + dim] = middle;
                }
                (Slot::Category { index, .. }, Some(Expected::Category(shares))) => {
                    let place = row * categories + index;
                    let own = rows.c[place];
                    let possible = (0_u16..)
                        .zip(&shares)
                        .filter(|(code, _)| feature != odd || spec.part == Part::Status || *code != own);
                    let likeliest = possible.max_by(|(a, of_a), (b, of_b)| of_a.total_cmp(of_b).then(b.cmp(a)));
                    rows.c[place] = likeliest.map_or(own, |(code, _)| code);
                }
                _ => {}
            }
        }
        for (_, spec) in own() {
            match spec.slot {
                Slot::Number { dim, status } if rows.c[row * categories + status] != PRESENT => {
                    rows.x[row * numbers + dim] = 0.0;
                }
                _ => {}
            }
        }
    }
}
