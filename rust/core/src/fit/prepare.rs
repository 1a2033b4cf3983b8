//! From what was observed to codecs, parts of the sample and a memory; then to a model.

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::SchemaRef;
use rayon::prelude::*;

use super::classes::{normal_class, read_classes};
use super::feedback::{Collector, Feedback};
use super::parts::Parts;
use super::units::Units;
use super::{ColumnPlan, FEWEST_ROWS, Options, REFERENCE_ROWS, all_labelled, evidence, too_few};
use crate::block::Block;
use crate::calibration::{Calibration, Source};
use crate::codec::{ColumnState, type_words};
use crate::combine::{EnergyBlock, Reference};
use crate::constraints::Constraint;
use crate::denoisers::Denoisers;
use crate::domain::{Domain, Origin};
use crate::encoder::{Column, Encoder, Role};
use crate::error::{Error, Result};
use crate::groups::GroupKeys;
use crate::guide::{self, Guide, Labelled};
use crate::memory::{self, Memory, Settings};
use crate::model::{Label, Model, Sizes, score_rows};
use crate::network::Network;
use crate::sample::Sampler;
use crate::scorer::Scorer;
use crate::slips::Slips;
use crate::strata::Strata;

const FOLDS: usize = 5;
/// So many rows that the memory has not seen are enough for its tails.
const ENOUGH_ROWS: usize = 1_000;
const TILE: usize = 256;
/// Rows that tell strata.
const STRATA_ROWS: usize = 2_500;

/// Encoded parts of the sample, ready for the denoisers.
#[derive(Debug)]
pub struct Prepared {
    pub encoder: Encoder,
    pub training: Block,
    /// Rows of `training` that the memory may keep: all, or the normal ones.
    normal: Vec<usize>,
    /// Class of each training row (see `label`), empty without a label.
    pub training_classes: Vec<u16>,
    pub reference: Block,
    pub reference_classes: Vec<u16>,
    pub(super) calibration: Block,
    /// Rows known to be anomalies or normal; the latter are the first of the training rows too.
    anomalies: Block,
    known_normal: Block,
    /// What an earlier fit learned of few labels.
    inherited: Option<Guide>,
    pub denoisers: Denoisers,
    pub label: Option<Label>,
    pub(super) source: Source,
    settings: Settings,
    /// Of the rows that the memory may keep: which are known to be normal.
    trusted: Vec<bool>,
    marginals: Vec<Vec<u64>>,
    /// The rows that calibrate, as they were read.
    pub(super) judged: RecordBatch,
    constraints: Vec<Constraint>,
    pub(super) domain: Domain,
    pub(super) slips: Slips,
    /// Rows read, and those of earlier fits.
    rows: u64,
    /// Rows that trained, then and now.
    trained: usize,
    seed: u64,
    unit: Option<String>,
}

pub fn prepare(
    options: Options,
    schema: SchemaRef,
    plans: Vec<ColumnPlan>,
    states: Vec<Option<ColumnState>>,
    (sampler, labelled): (Sampler, Option<Collector>),
) -> Result<Prepared> {
    let rows = sampler.seen();
    let (sample, feedback) = with_feedback(sampler.finish()?, labelled, options.memory)?;
    let known = feedback.as_ref().map_or(0, |feedback| feedback.normals.num_rows());
    let sample = match sample {
        Some(sample) if sample.num_rows() >= FEWEST_ROWS => sample,
        Some(sample) if feedback.is_some() && rows >= FEWEST_ROWS as u64 => {
            return Err(all_labelled(sample.num_rows() - known));
        }
        Some(_) | None => return Err(too_few(rows)),
    };
    let (label, classes) = read_classes(&options, &plans, &sample)?;
    let is_normal =
        |row: usize| row < known || normal_class(label.as_ref()).is_none_or(|normal| classes[row] == normal);
    let normal: Vec<u32> = (0..sample.num_rows()).filter(|&row| is_normal(row)).map(|row| row as u32).collect();
    if normal.len() < FEWEST_ROWS {
        let value = options.normal.as_deref().unwrap_or_default();
        let message =
            format!("only {} rows have `{value}` as their label; at least {FEWEST_ROWS} are needed", normal.len());
        return Err(Error::input("normal-too-few", message).hint("check the value given as --normal"));
    }
    if normal.len() - known < FEWEST_ROWS {
        return Err(all_labelled(normal.len() - known));
    }
    let anomalies = feedback.as_ref().map(|feedback| &feedback.anomalies);
    let units = options.unit.as_deref().map(|unit| Units::read(unit, &sample, known, anomalies, options.seed));
    let parts = Parts::new(&options, &normal[known..], sample.num_rows(), units.transpose()?.as_ref())?;
    let held_out = held_out(&sample, &parts, feedback.as_ref())?;
    let encoder = fit_codecs(&options, &schema, &plans, states, (&sample, &held_out), &parts)?;
    let training = encode(&encoder, &take(&sample, &parts.training)?)?;
    let normal: Vec<usize> = (0..training.rows).filter(|&at| is_normal(parts.training[at] as usize)).collect();
    let class_of = |rows: &[u32]| {
        if classes.is_empty() { Vec::new() } else { rows.iter().map(|&r| classes[r as usize]).collect() }
    };
    let marginals = memory::marginal_counts(&training, &encoder.features, &normal);
    let settings =
        Settings { rows: options.memory, clean: options.normal.is_none(), own_vote: options.screen, mixed: false };
    let trusted = vec![true; known];
    let reference = encode(&encoder, &take(&sample, &parts.reference)?)?;
    let held = take(&sample, &parts.calibration)?;
    let calibration = encode(&encoder, &held)?;
    let judged = match parts.source {
        Source::CrossFitted => {
            let folds = fold_order(normal.len()).into_iter().map(|at| parts.training[normal[at]]);
            take(&sample, &folds.collect::<Vec<_>>())?
        }
        Source::HeldOut | Source::OwnTable => held,
    };
    let constraints = if options.rules { evidence::rules(&sample, &encoder, &parts, &normal)? } else { Vec::new() };
    let pool = pool_of(&training, &normal, parts.source, &reference);
    let labelled = |pick: fn(&Feedback) -> &RecordBatch| match &feedback {
        Some(feedback) => encode(&encoder, pick(feedback)),
        None => Ok(training.take(&[])),
    };
    let known_normal = labelled(|feedback| &feedback.normals)?;
    let sampled = rows > sample.num_rows() as u64;
    let of = Origin { normal: !settings.clean, sampled, dependencies: options.rules };
    let domain = evidence::domain(parts.source, &pool, (&encoder.features, of), &known_normal);
    let slips = evidence::slips(parts.source, &sample, &encoder, options.rules);
    let built = (options.memory > 0)
        .then(|| memory::build(&pool, &encoder.features, &marginals, settings, &trusted, None).anchored(&known_normal));
    let denoisers = Denoisers::new(built, None, options.mechanism, &encoder.features);
    Ok(Prepared {
        anomalies: labelled(|feedback| &feedback.anomalies)?,
        known_normal,
        inherited: None,
        reference,
        calibration,
        trained: training.rows,
        training_classes: class_of(&parts.training),
        reference_classes: class_of(&parts.reference),
        encoder,
        training,
        normal,
        denoisers,
        label,
        source: parts.source,
        settings,
        trusted,
        marginals,
        judged,
        constraints,
        domain,
        slips,
        rows,
        seed: options.seed,
        unit: options.unit,
    })
}

/// The sample without labelled rows, those known to be normal before all others; and the labelled rows.
fn with_feedback(
    sample: Option<RecordBatch>,
    labelled: Option<Collector>,
    memory: usize,
) -> Result<(Option<RecordBatch>, Option<Feedback>)> {
    let (Some(sample), Some(labelled)) = (&sample, labelled) else { return Ok((sample, None)) };
    let (mut feedback, unlabelled) = labelled.finish(sample)?;
    // A quarter of the kept rows at most: the rest of the table counts too. Of anomalies as many as there are kept rows.
    feedback.anomalies = feedback.anomalies.slice(0, feedback.anomalies.num_rows().min(memory));
    feedback.normals = feedback.normals.slice(0, feedback.normals.num_rows().min(memory / 4));
    let all = arrow_select::concat::concat_batches(&sample.schema(), [&feedback.normals, &unlabelled])?;
    Ok((Some(all), Some(feedback)))
}

pub(super) fn take(sample: &RecordBatch, rows: &[u32]) -> Result<RecordBatch> {
    Ok(arrow_select::take::take_record_batch(sample, &UInt32Array::from(rows.to_vec()))?)
}

pub(super) fn encode(encoder: &Encoder, batch: &RecordBatch) -> Result<Block> {
    let alignment = encoder.align(&batch.schema())?;
    Ok(encoder.open(batch, &alignment)?.encode(0..batch.num_rows()))
}

/// Rows without a trace in the codecs; known anomalies too where reference rows are, or counts would tell both apart.
fn held_out(sample: &RecordBatch, parts: &Parts, feedback: Option<&Feedback>) -> Result<RecordBatch> {
    let rows = take(sample, &parts.held_out)?;
    match feedback {
        Some(feedback) if parts.source == Source::HeldOut => {
            Ok(arrow_select::concat::concat_batches(&sample.schema(), [&rows, &feedback.anomalies])?)
        }
        _ => Ok(rows),
    }
}

fn fit_codecs(
    options: &Options,
    schema: &SchemaRef,
    plans: &[ColumnPlan],
    states: Vec<Option<ColumnState>>,
    (sample, held_out): (&RecordBatch, &RecordBatch),
    parts: &Parts,
) -> Result<Encoder> {
    // Quantiles and scales come from training rows; anomalies among them are known only with --normal.
    let training = take(sample, &parts.training)?;
    let work: Vec<(usize, Option<ColumnState>)> = states.into_iter().enumerate().collect();
    let columns: Result<Vec<Column>> = work
        .into_par_iter()
        .map(|(at, state)| {
            let field = schema.field(at);
            let role = match (plans[at], state) {
                (ColumnPlan::Label, _) => Role::Label,
                (ColumnPlan::Model, Some(mut state)) => {
                    let values: &ArrayRef = training.column(at);
                    state.remove(held_out.column(at).as_ref())?;
                    let kind = options.kinds.get(field.name()).copied();
                    let kind = kind.unwrap_or_else(|| state.infer(field.name(), values.as_ref()));
                    Role::Modelled(Box::new(state.finish(field, kind, values.as_ref())?))
                }
                (ColumnPlan::Ignore | ColumnPlan::Feedback | ColumnPlan::Unit | ColumnPlan::Model, _) => Role::Ignored,
            };
            let given = options.given.contains(field.name());
            Ok(Column { name: field.name().clone(), data_type: type_words(field.data_type()), role, given })
        })
        .collect();
    let encoder = Encoder::new(columns?);
    if encoder.features.is_empty() {
        return Err(Error::input("nothing-to-model", "no column is left to model: all are ids, ignored or the label")
            .hint("name the kind of a column: --kind COLUMN=text"));
    }
    options.check_columns(&encoder)?;
    Ok(encoder)
}

impl Prepared {
    /// Of an update: codecs, label and what few labels taught are those of the model before.
    pub(super) fn of_update(
        base: &Model,
        (training, reference, calibration): (Block, Block, Block),
        denoisers: Denoisers,
        (settings, trusted, marginals): (Settings, Vec<bool>, Vec<Vec<u64>>),
        (judged, constraints, domain, (rows, trained)): (RecordBatch, Vec<Constraint>, Domain, (u64, usize)),
        inherited: Option<Guide>,
    ) -> Self {
        let none = training.take(&[]);
        Self {
            encoder: base.encoder.clone(),
            normal: (0..training.rows).collect(),
            training,
            training_classes: Vec::new(),
            reference,
            reference_classes: Vec::new(),
            calibration,
            anomalies: none.clone(),
            known_normal: none,
            inherited,
            denoisers,
            label: base.label.clone(),
            source: Source::HeldOut,
            settings,
            trusted,
            marginals,
            judged,
            constraints,
            domain,
            slips: Slips::default(),
            rows: base.sizes.rows + rows,
            trained,
            seed: base.sizes.seed,
            unit: base.unit.clone(),
        }
    }

    pub fn set_network(&mut self, network: Network) {
        self.denoisers = std::mem::take(&mut self.denoisers).with_network(Some(network));
    }

    /// What the rows of the table obey, or nearly all of them: orders and sums, until more is said.
    pub fn constraints(&self) -> &[Constraint] {
        &self.constraints
    }

    pub fn set_constraints(&mut self, constraints: Vec<Constraint>) {
        self.constraints = constraints;
    }

    pub fn sizes(&self) -> Sizes {
        Sizes {
            rows: self.rows,
            training: self.trained,
            reference: self.reference.rows,
            calibration: self.calibration.rows,
            seed: self.seed,
        }
    }

    /// Reference statistics and calibration, by the very code that will score.
    pub fn finish(self) -> Result<Model> {
        let evidence = self.evidence()?;
        self.finish_raised(&evidence)
    }

    /// The same, with what broken rules add to the scores of the rows that calibrate.
    pub(super) fn finish_raised(self, evidence: &[f64]) -> Result<Model> {
        if self.denoisers.memory.is_none() && self.denoisers.network.is_none() {
            return Err(Error::usage("nothing-fitted", "a model without kept rows needs a network")
                .hint("leave out --memory none, or use --quality default"));
        }
        if self.denoisers.memory.is_none() && self.denoisers.mechanism().network(true).is_none() {
            return Err(Error::usage(
                "options-conflict",
                "the diffusion time is told by kept rows, and none are to be kept",
            )
            .hint("leave out --memory none, or use another mechanism"));
        }
        // Where the training rows are not known to be normal, global structure counts too.
        let judged = self.source != Source::CrossFitted;
        let plan = self.denoisers.plan(self.settings.clean, judged);
        let contaminated = self.settings.clean;
        let parts: Vec<EnergyBlock> = self.denoisers.each().iter().map(|one| self.reference_energies(one)).collect();
        let reference = Reference::fit(plan, &parts, contaminated);
        let guide = self.inherited.clone().or_else(|| self.guide(&reference));
        let (mut judged, energies, order) = match self.source {
            Source::CrossFitted => {
                let pool = self.pool();
                let order = fold_order(pool.rows);
                (pool.take(&order), self.cross_energies(&self.denoisers, &pool), order)
            }
            Source::HeldOut | Source::OwnTable => {
                (self.calibration.clone(), energies_of(&self.denoisers, &self.calibration), Vec::new())
            }
        };
        let mut scores = score_rows(&judged, &energies, &reference, guide.as_ref());
        scores.iter_mut().zip(evidence).for_each(|(score, more)| *score += more);
        // Rows known to be normal, the first of the training rows, train only: what they taught has lowered their scores.
        let known = self.trusted.len();
        if self.source == Source::CrossFitted && known > 0 {
            let others: Vec<usize> = (0..order.len()).filter(|&place| order[place] >= known).collect();
            scores = others.iter().map(|&place| scores[place]).collect();
            judged = judged.take(&others);
        }
        let keys = GroupKeys::of(self.encoder.context_categories(), &self.training, &self.normal, judged.rows);
        let sizes = self.sizes();
        let strata = if keys.tell_apart() { None } else { self.strata(&reference, guide.as_ref()) };
        // Rows of every class count here: a class is generated with its own values.
        let every: Vec<usize> = (0..self.training.rows).collect();
        let counts = memory::marginal_counts(&self.training, &self.encoder.features, &every);
        let seen = counts.iter().map(|codes| codes.iter().map(|&count| count > 0).collect()).collect();
        let calibration = Calibration::of_rows(self.source, scores, &judged, keys, strata.as_ref());
        Ok(Model {
            encoder: self.encoder,
            denoisers: self.denoisers,
            scorer: Scorer::Teacher { reference, guide, calibration },
            other: None,
            strata,
            label: self.label,
            unit: self.unit,
            seen,
            constraints: self.constraints,
            domain: self.domain,
            slips: self.slips,
            sizes,
            release: None,
            redaction: None,
            elsewhere: None,
        })
    }

    /// Energies by which one denoiser's tails are measured. Where rows are held out they are rows that it has not seen: the
    /// network's are those that it was not trained on; the memory, which keeps rows of both parts, takes rows it
    /// had no place for or, where those are few, every row under a memory without it.
    fn reference_energies(&self, one: &Denoisers) -> EnergyBlock {
        match self.source {
            // The reference rows are the first of the calibration rows: nothing is held out.
            Source::OwnTable => {
                let first: Vec<usize> = (0..self.reference.rows).collect();
                energies_of(one, &self.calibration.take(&first))
            }
            Source::HeldOut if one.memory.is_none() => energies_of(one, &self.reference),
            Source::HeldOut | Source::CrossFitted => {
                let pool = self.pool();
                let passed_over: Vec<usize> =
                    (memory::most_considered(self.settings)..pool.rows).take(REFERENCE_ROWS).collect();
                if passed_over.len() >= ENOUGH_ROWS {
                    return energies_of(one, &pool.take(&passed_over));
                }
                self.cross_energies(one, &pool)
            }
        }
    }

    /// Told by rows that do not calibrate: reference rows, and normal training rows where those are few.
    fn strata(&self, reference: &Reference, guide: Option<&Guide>) -> Option<Strata> {
        if self.source != Source::HeldOut {
            return None;
        }
        let more = STRATA_ROWS.saturating_sub(self.reference.rows);
        let more: Vec<usize> = self.normal.iter().copied().take(more).collect();
        let rows = pool_of(&self.training, &more, self.source, &self.reference);
        let rows = rows.take(&(0..rows.rows.min(STRATA_ROWS)).collect::<Vec<_>>());
        // They may be kept: they are judged without their own vote.
        let memory = self.denoisers.memory.as_ref().map(Memory::with_own_vote);
        let energies = energies_of(&self.denoisers.with_memory(memory), &rows);
        Strata::fit(&rows, &score_rows(&rows, &energies, reference, guide), self.calibration.rows)
    }

    /// What few labels teach; None without any.
    fn guide(&self, reference: &Reference) -> Option<Guide> {
        let memory = self.denoisers.memory.as_ref().filter(|_| self.feedback() != (0, 0))?;
        // Reference rows and rows known to be normal may be kept: they are judged without their own vote.
        let apart = self.denoisers.with_memory(Some(memory.with_own_vote()));
        let energies = [
            energies_of(&self.denoisers, &self.anomalies),
            energies_of(&apart, &self.reference),
            energies_of(&apart, &self.known_normal),
        ];
        let blocks = [&self.anomalies, &self.reference, &self.known_normal];
        let [anomalies, judged, normals] =
            std::array::from_fn(|at| Labelled { block: blocks[at], energies: &energies[at] });
        let of = (memory, self.encoder.features.as_slice(), self.marginals.as_slice());
        Some(guide::learn([&anomalies, &judged, &normals], of, reference))
    }

    /// Rows known to be normal, of this fit or of an earlier one.
    fn known(&self) -> Block {
        self.inherited.as_ref().and_then(Guide::known).unwrap_or_else(|| self.known_normal.clone())
    }

    /// Rows known to be anomalies and to be normal.
    pub fn feedback(&self) -> (usize, usize) {
        (self.anomalies.rows, self.known_normal.rows)
    }

    /// Rows that the memory may keep.
    fn pool(&self) -> Block {
        pool_of(&self.training, &self.normal, self.source, &self.reference)
    }

    /// Energies of every row under a memory that keeps none of the row's fold.
    fn cross_energies(&self, denoisers: &Denoisers, rows: &Block) -> EnergyBlock {
        let mut found = EnergyBlock::default();
        for fold in 0..FOLDS {
            let (own, others): (Vec<usize>, Vec<usize>) = (0..rows.rows).partition(|&at| in_fold(at, fold));
            let memory: Option<Memory> = denoisers.memory.as_ref().map(|whole| {
                let trusted: Vec<bool> = others.iter().map(|&at| self.trusted.get(at) == Some(&true)).collect();
                let rows = rows.take(&others);
                // The widths are those of the memory that will score.
                let (features, levels) = (&self.encoder.features, Some(whole.levels()));
                memory::build(&rows, features, &self.marginals, self.settings, &trusted, levels).anchored(&self.known())
            });
            found.append(energies_of(&denoisers.with_memory(memory), &rows.take(&own)));
        }
        found
    }
}

fn in_fold(at: usize, fold: usize) -> bool {
    at % FOLDS == fold
}

/// Rows in the order of their folds.
fn fold_order(rows: usize) -> Vec<usize> {
    (0..FOLDS).flat_map(|fold| (0..rows).filter(move |&at| in_fold(at, fold))).collect()
}

/// Normal training rows, then the reference rows where they are rows of their own.
pub(super) fn pool_of(training: &Block, normal: &[usize], source: Source, reference: &Block) -> Block {
    let mut pool = training.take(normal);
    if source == Source::HeldOut {
        pool.rows += reference.rows;
        pool.x.extend_from_slice(&reference.x);
        pool.c.extend_from_slice(&reference.c);
    }
    pool
}

/// Energies of a block, in parallel tiles.
pub(super) fn energies_of(denoisers: &Denoisers, block: &Block) -> EnergyBlock {
    let starts: Vec<usize> = (0..block.rows).step_by(TILE).collect();
    let tiles: Vec<EnergyBlock> = starts
        .into_par_iter()
        .map(|start| {
            let rows: Vec<usize> = (start..(start + TILE).min(block.rows)).collect();
            denoisers.energies(&block.take(&rows))
        })
        .collect();
    let mut all = EnergyBlock::default();
    tiles.into_iter().for_each(|tile| all.append(tile));
    all
}
