//! An update without a refit: new rows move what is usual, and the thresholds with it.
//!
//! The codecs and the network stay. The new rows are split as in a fit; the memory keeps rows of both, as many of each as
//! their tables have rows; calibration rows are new ones alone, so that a p-value says how odd a row is today.

use arrow_array::{RecordBatch, RecordBatchReader};
use rayon::ThreadPool;

use super::classes::{same_label, unknown_normal};
use super::parts::Parts;
use super::prepare::{Prepared, encode, take};
use super::units::Units;
use super::{CROSS_FIT_ROWS, Options, SAMPLE_ROWS};
use crate::block::Block;
use crate::calibration::Source;
use crate::constraints::Constraint;
use crate::domain::{Domain, Origin};
use crate::encoder::label_values;
use crate::error::{Error, Result};
use crate::guide::Guide;
use crate::memory::{self, Memory, Settings};
use crate::model::{Label, Model};
use crate::rules::Rules;
use crate::sample::Sampler;
use crate::scorer::Name;
use crate::threads::within;

/// The model as it is after `stream`. `memory`: rows that it keeps at most. `poll` is asked between batches whether to go on.
pub fn update<R: RecordBatchReader>(
    base: &Model,
    stream: R,
    (memory, seed): (usize, u64),
    pool: Option<&ThreadPool>,
    mut poll: impl FnMut() -> Result<()>,
) -> Result<Model> {
    if base.calibration().source == Source::OwnTable {
        return Err(Error::usage(
            "update-of-screen",
            "this model held no rows of its table out, and is calibrated on the very rows it was fitted to",
        )
        .hint("fit a model of that table first (tabad fit TABLE -o MODEL, without --all-rows)"));
    }
    if base.release.is_some() {
        let message = "this model is private, and an update would bring rows into it that nothing protects";
        return Err(Error::usage("update-of-private", message)
            .hint("fit all rows again with --private; guarantees of two fits of the same rows add up"));
    }
    if base.scorer_of(Name::Teacher).is_none() {
        return Err(Error::usage(
            "update-without-teacher",
            "the model has a student alone, and an update needs its teacher",
        )
        .hint("update the model it was made from"));
    }
    let schema = stream.schema();
    let alignment = base.encoder.align(&schema)?;
    let mut sampler = Sampler::new(SAMPLE_ROWS, seed);
    let mut constraints = base.constraints.clone();
    for batch in stream {
        let batch = batch?;
        // Rules are those of the normal rows: that frauds break them says nothing against them.
        let normal = normal_rows(base, &batch)?.0;
        for (one, broken) in Rules::all(base.book(), &batch, &alignment).counted(&normal) {
            let same = |own: &&mut Constraint| own.rule == one.rule && own.columns == one.columns;
            for own in constraints.iter_mut().filter(same) {
                own.broken = own.broken.map(|before| before + broken);
                own.rows += normal.len() as u64;
            }
        }
        sampler.observe(&batch)?;
        poll()?;
    }
    let rows = sampler.seen();
    let sample = sampler.finish()?.unwrap_or_else(|| RecordBatch::new_empty(schema));
    within(pool, || updated(base, (&sample, rows), constraints, (memory, seed)))
}

/// The model after a sample of so many rows.
fn updated(
    base: &Model,
    (sample, rows): (&RecordBatch, u64),
    constraints: Vec<Constraint>,
    (memory, seed): (usize, u64),
) -> Result<Model> {
    let options = Options { memory, seed, ..Options::default() };
    let (normal, others) = normal_rows(base, sample)?;
    match &base.label {
        Some(Label { column, normal: Some(wanted), .. }) if normal.is_empty() && !others.is_empty() => {
            return Err(unknown_normal(wanted, column, &others));
        }
        _ => {}
    }
    if memory == 0 && base.denoisers.memory.is_some() {
        let message = "no rows are to be kept, and an update goes on with the rows that the model keeps";
        return Err(Error::usage("options-conflict", message).hint("leave out --memory none, or fit again"));
    }
    if normal.len() < CROSS_FIT_ROWS {
        let found = if normal.len() < sample.num_rows() { " that are normal" } else { "" };
        let message = format!("the table has {} rows{found}; an update needs {CROSS_FIT_ROWS}", normal.len());
        return Err(Error::input("update-too-small", message)
            .hint("gather more rows first: a fifth of them has to say how odd is odd"));
    }
    let units = base.unit.as_deref().map(|unit| Units::read(unit, sample, 0, None, seed)).transpose()?;
    let parts = Parts::new(&options, &normal, sample.num_rows(), units.as_ref())?;
    // Rows that are not normal train nothing here: the network stays.
    let trained: Vec<u32> = normal.iter().copied().filter(|row| parts.training.binary_search(row).is_ok()).collect();
    let part = |rows: &[u32]| encode(&base.encoder, &take(sample, rows)?);
    let fresh = part(&trained)?;
    let sampled = rows > sample.num_rows() as u64;
    let of = Origin { normal: base.knows_normal(), sampled, dependencies: false };
    let (old, fresh_counts) = (base.denoisers.memory.as_ref(), counts_of(base, &fresh));
    let domain = if base.domain.is_empty() {
        let domain = Domain::fit(&fresh, &base.encoder.features, of);
        if let Some(old) = old { domain.holding(&old.kept()) } else { domain }
    } else {
        base.domain.clone().widened(&fresh, &Domain::of_any(&fresh, &base.encoder.features, of))
    };
    let trained_ever = base.sizes.training + fresh.rows;
    let marginals = match old {
        Some(old) => old.counts(base.sizes.training).into_iter().zip(fresh_counts).map(added).collect(),
        None => fresh_counts,
    };
    // Beyond the kept ones the rows are fresh alone.
    let settings = Settings { rows: memory, clean: !base.knows_normal(), own_vote: false, mixed: true };
    let share = base.sizes.rows as f64 / (base.sizes.rows + rows) as f64;
    let (training, trusted) = match old {
        Some(old) => mixed(&old.kept(), &fresh, share, memory),
        None => (fresh, Vec::new()),
    };
    let reference = part(&parts.reference)?;
    let built = old.map(|_| {
        let pool =
            super::prepare::pool_of(&training, &(0..training.rows).collect::<Vec<_>>(), parts.source, &reference);
        // What few labels taught is told by these widths.
        let levels = base.guide().and(old).map(Memory::levels);
        let memory = memory::build(&pool, &base.encoder.features, &marginals, settings, &trusted, levels);
        match base.guide().and_then(Guide::known) {
            Some(known) => memory.anchored(&known),
            None => memory,
        }
    });
    let guide = base.guide().cloned().zip(built.as_ref()).map(|(guide, memory)| guide.with_levels(memory.levels()));
    let judged = take(sample, &parts.calibration)?;
    let calibration = encode(&base.encoder, &judged)?;
    let denoisers = base.denoisers.with_memory(built);
    let mut model = Prepared::of_update(
        base,
        (training, reference, calibration),
        denoisers,
        (settings, trusted, marginals),
        (judged, constraints, domain, (rows, trained_ever)),
        guide,
    )
    .finish()?;
    for (seen, before) in model.seen.iter_mut().flatten().zip(base.seen.iter().flatten()) {
        *seen |= before;
    }
    Ok(model)
}

/// Of each code in two tables.
fn added((old, fresh): (Vec<u64>, Vec<u64>)) -> Vec<u64> {
    old.into_iter().zip(fresh).map(|(old, fresh)| old + fresh).collect()
}

fn counts_of(base: &Model, block: &Block) -> Vec<Vec<u64>> {
    memory::marginal_counts(block, &base.encoder.features, &(0..block.rows).collect::<Vec<_>>())
}

/// Places of the normal rows, which a label has to tell if the model has one that does, and what it says of the others.
fn normal_rows(base: &Model, rows: &RecordBatch) -> Result<(Vec<u32>, Vec<String>)> {
    let all = 0..rows.num_rows() as u32;
    let Some((label, normal)) = base.label.as_ref().and_then(|label| Some((label, label.normal.clone()?))) else {
        return Ok((all.collect(), Vec::new()));
    };
    let Ok(at) = rows.schema().index_of(&label.column) else {
        let message = format!("the label column `{}` is not in the table", label.column);
        return Err(Error::input("column-missing", message).hint("the model tells by it which rows are normal: add it"));
    };
    let mut values: Vec<String> = label_values(rows, at)?.into_iter().map(Option::unwrap_or_default).collect();
    let exact = values.contains(&normal);
    let is_normal = |value: &String| *value == normal || !exact && same_label(value, &normal);
    let places = all.filter(|&row| is_normal(&values[row as usize])).collect();
    values.retain(|value| !is_normal(value));
    values.sort_unstable();
    values.dedup();
    Ok((places, values))
}

/// Old and new rows in turn, so that of the first `memory` the share `old_share` is old, as far as there are old ones; and which
/// are old: those were found normal enough to be kept. Old rows for which there is no room are left out.
fn mixed(old: &Block, fresh: &Block, old_share: f64, memory: usize) -> (Block, Vec<bool>) {
    let mut all = Block::new(0, fresh.numbers, fresh.categories);
    let mut is_old = Vec::new();
    let (mut from_old, mut from_fresh) = (0, 0);
    loop {
        let due = is_old.len() < memory && (is_old.len() as f64 + 0.5) * old_share > from_old as f64;
        let (block, row) = match (from_old < old.rows && due, from_fresh < fresh.rows) {
            (true, _) => (old, &mut from_old),
            (false, true) => (fresh, &mut from_fresh),
            (false, false) => break,
        };
        all.x.extend_from_slice(block.x_row(*row));
        all.c.extend_from_slice(block.c_row(*row));
        is_old.push(std::ptr::eq(block, old));
        *row += 1;
    }
    all.rows = is_old.len();
    (all, is_old)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(rows: usize, value: f32) -> Block {
        Block { rows, numbers: 1, categories: 0, x: vec![value; rows], c: Vec::new() }
    }

    #[test]
    fn of_the_first_rows_the_old_share_is_old_and_then_none() {
        let (all, old) = mixed(&block(100, 1.0), &block(1000, 2.0), 0.25, 100);
        assert_eq!(old[..100].iter().filter(|&&old| old).count(), 25);
        assert_eq!(old.iter().filter(|&&old| old).count(), 25);
        assert_eq!((all.rows, all.x[0], all.x[1]), (1025, 1.0, 2.0));
    }

    #[test]
    fn where_old_rows_are_few_all_of_them_stay() {
        let (_, old) = mixed(&block(5, 1.0), &block(50, 2.0), 0.9, 20);
        assert_eq!(old.iter().filter(|&&old| old).count(), 5);
    }
}
