//! THE scoring path: batches in, the same batches plus four columns out, streaming.
//!
//! align -> encode -> energies -> combine -> calibrate, in tiles of rows over all cores. A score depends
//! on its row only: not on batches, row order or threads.

mod output;
mod survey;

pub use output::{Names, Summary};
pub use survey::{Ask, Survey, survey};

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use rayon::prelude::*;

use crate::block::Block;
use crate::drift::Drift;
use crate::encoder::Opened;
use crate::error::{Error, Result, list_names};
use crate::model::Model;
use crate::reading::{Reading, Strays};
use crate::reasons::{Case, Reason, explain};
use crate::rules::Rules;
use crate::scorer::Room;
use crate::threads::within;

/// Rows that one task scores at a time.
const TILE: usize = 256;
/// Rows that one task explains at a time: with their repairs they fill the tiles of a denoiser.
const EXPLAINED: usize = 32;
/// Rows whose energies are asked for elsewhere at a time.
const SLICE: usize = 65_536;

/// When a row is flagged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// `p_value <= level`.
    Level(f64),
    /// `score >= threshold`.
    Threshold(f64),
    /// The row stands out among this many rows.
    StandsOut(u64),
}

/// Which rows get reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Explain {
    Flagged,
    All,
    None,
}

#[derive(Debug, Clone)]
pub struct Options {
    pub rule: Option<Rule>,
    pub explain: Explain,
    /// Columns per row in its reasons.
    pub reasons: usize,
    pub prefix: String,
    /// Give the table's own columns too.
    pub append: bool,
    /// Rows that the summary shows.
    pub oddest: usize,
    /// Number of the first row.
    pub first_row: u64,
    /// p-values weighed for the mix of rows that the table has.
    pub drift: Option<Weighed>,
}

/// How rows are weighed, and up to which p-value those of each stratum are flagged, if not by the rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighed {
    pub drift: Drift,
    pub levels: Option<Vec<f64>>,
}

/// What was decided of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Verdict {
    pub score: f64,
    pub p_value: f64,
    pub flag: bool,
}

/// A reader of scored batches.
pub struct Scoring<R> {
    input: R,
    engine: Engine,
    pool: Option<Arc<rayon::ThreadPool>>,
}

/// Everything but the input: what scores a batch.
struct Engine {
    model: Arc<Model>,
    reading: Reading,
    alignment: Vec<Option<usize>>,
    options: Options,
    rule: Rule,
    schema: SchemaRef,
    next_row: u64,
    summary: Arc<Mutex<Summary>>,
    failure: Failure,
}

/// What went wrong in a scoring: through the C interface an error goes as a text.
pub type Failure = Arc<Mutex<Option<Error>>>;

/// A batch that is scored.
struct Seen<'a> {
    batch: &'a RecordBatch,
    opened: &'a Opened<'a>,
    rules: &'a Rules<'a>,
    verdicts: &'a [Verdict],
}

impl<R: RecordBatchReader> Scoring<R> {
    pub fn new(model: Arc<Model>, input: R, options: Options, pool: Option<Arc<rayon::ThreadPool>>) -> Result<Self> {
        model.need_open()?;
        let reading = Reading::of(&input.schema())?;
        let alignment = model.encoder.align(reading.schema())?;
        let names = Names::new(&options.prefix);
        if options.append {
            let taken: Vec<String> =
                names.all().into_iter().filter(|name| input.schema().index_of(name).is_ok()).collect();
            if !taken.is_empty() {
                let plural = if taken.len() == 1 { "a column" } else { "columns" };
                return Err(Error::input(
                    "column-taken",
                    format!("the table already has {plural} {}", list_names(&taken)),
                )
                .hint("give the new columns another prefix: --prefix again_"));
            }
        }
        let rule = options.rule.unwrap_or_else(|| model.default_rule());
        let schema = names.schema(&Reading::unmarked(&input.schema()), options.append);
        let summary = Arc::new(Mutex::new(Summary::new(rule, options.oddest)));
        let next_row = options.first_row;
        let failure = Failure::default();
        let engine = Engine { model, reading, alignment, options, rule, schema, next_row, summary, failure };
        Ok(Self { input, engine, pool })
    }

    /// What has been scored so far; shared, so that it can be read when the stream has ended.
    pub fn summary(&self) -> Arc<Mutex<Summary>> {
        self.engine.summary.clone()
    }

    pub fn failure(&self) -> Failure {
        self.engine.failure.clone()
    }
}

impl Engine {
    fn score(&mut self, given: &RecordBatch) -> Result<RecordBatch> {
        let model = self.model.clone();
        let (read, strays) = self.reading.read(given)?;
        let batch = &read;
        let opened = model.encoder.open(batch, &self.alignment)?;
        let rules = model.rules(batch, &self.alignment, strays);
        let verdicts = verdicts(&model, (&opened, &rules), batch.num_rows(), self.rule, self.options.drift.as_ref())?;
        let explained: Vec<usize> = match self.options.explain {
            Explain::All => (0..verdicts.len()).collect(),
            Explain::Flagged => (0..verdicts.len()).filter(|&row| verdicts[row].flag).collect(),
            Explain::None => Vec::new(),
        };
        let seen = Seen { batch, opened: &opened, rules: &rules, verdicts: &verdicts };
        let reasons = self.explain_rows(&seen, &explained);
        self.note_oddest(&seen, &explained, &reasons);
        self.next_row += batch.num_rows() as u64;
        output::build(given, &self.schema, self.options.append, &verdicts, &explained, &reasons)
    }

    fn explain_rows(&self, seen: &Seen<'_>, rows: &[usize]) -> Vec<Vec<Reason>> {
        let size = rows.len().div_ceil(rayon::current_num_threads()).clamp(1, EXPLAINED);
        rows.par_chunks(size).flat_map_iter(|rows| self.explain_some(seen, rows)).collect()
    }

    fn explain_some(&self, seen: &Seen<'_>, rows: &[usize]) -> Vec<Vec<Reason>> {
        let blocks: Vec<Block> = rows.iter().map(|&row| seen.opened.encode(row..row + 1)).collect();
        let squares = self.model.scorer.squared_tails(&self.model.denoisers, &Block::stacked(&blocks));
        let case = |((&row, block), squares)| Case {
            batch: seen.batch,
            alignment: &self.alignment,
            row,
            block,
            squares,
            rules: seen.rules,
            score: seen.verdicts[row].score,
        };
        let of_rows = squares.chunks_exact(squares.len() / rows.len());
        let cases: Vec<Case<'_>> = rows.iter().zip(&blocks).zip(of_rows).map(case).collect();
        explain(&self.model, &cases, self.options.reasons)
    }

    /// Keeps the oddest rows of all batches, with reasons, for the summary.
    fn note_oddest(&self, seen: &Seen<'_>, explained: &[usize], reasons: &[Vec<Reason>]) {
        let verdicts = seen.verdicts;
        let Ok(mut summary) = self.summary.lock() else { return };
        let entering = summary.count(verdicts);
        explained
            .iter()
            .zip(reasons)
            .filter(|(row, _)| verdicts[**row].flag)
            .for_each(|(_, of)| summary.count_reason(of));
        drop(summary);
        let unexplained: Vec<usize> =
            entering.iter().copied().filter(|row| explained.binary_search(row).is_err()).collect();
        let more = self.explain_rows(seen, &unexplained);
        let Ok(mut summary) = self.summary.lock() else { return };
        for row in entering {
            let known = explained.binary_search(&row).ok().and_then(|at| reasons.get(at));
            let found = unexplained.binary_search(&row).ok().and_then(|at| more.get(at));
            let why = known.or(found).cloned().unwrap_or_default();
            summary.enter(self.next_row + row as u64, verdicts[row], why);
        }
    }
}

impl Model {
    /// What rows of a batch may break, and the cells that are not what their columns are.
    fn rules(&self, batch: &RecordBatch, alignment: &[Option<usize>], strays: Vec<Strays>) -> Rules<'_> {
        Rules::open(self.book(), batch, alignment).with_strays(self.book(), strays, self.sizes.rows)
    }

    /// A self-calibrated model flags what stands out among as many rows as it was fitted on; any other
    /// model flags at its default level.
    pub fn default_rule(&self) -> Rule {
        match self.calibration().source {
            crate::calibration::Source::OwnTable => Rule::StandsOut(self.sizes.rows),
            _ => Rule::Level(self.calibration().level()),
        }
    }

    /// What is decided of a row with this score and these codes.
    pub fn verdict(&self, score: f64, c_c: &[u16], rule: Rule) -> Verdict {
        self.decide(score, self.calibration().p_value(score, c_c), rule)
    }

    fn decide(&self, score: f64, p_value: f64, rule: Rule) -> Verdict {
        let flag = match rule {
            Rule::Level(level) => p_value <= level,
            Rule::Threshold(threshold) => score >= threshold,
            Rule::StandsOut(rows) => self.calibration().stands_out(score, rows),
        };
        Verdict { score, p_value, flag }
    }
}

/// Scores, p-values and flags of all rows of a batch, in order.
fn verdicts(
    model: &Model,
    opened: (&Opened<'_>, &Rules<'_>),
    rows: usize,
    rule: Rule,
    weighed: Option<&Weighed>,
) -> Result<Vec<Verdict>> {
    let (Some(Weighed { drift, levels }), Some(strata)) = (weighed, &model.strata) else {
        let screens = matches!(rule, Rule::StandsOut(_));
        return each(model, opened, rows, |row, score, x_n, c_c| {
            let verdict = model.verdict(score, c_c, rule);
            let stands_out = || opened.1.stands_out(row) || model.domain.stands_out(x_n, c_c);
            Verdict { flag: verdict.flag || screens && stands_out(), ..verdict }
        });
    };
    each(model, opened, rows, |_, score, x_n, c_c| {
        let stratum = strata.of(x_n, c_c);
        let level = levels.as_ref().and_then(|levels| levels.get(usize::from(stratum)));
        let rule = level.map_or(rule, |&level| Rule::Level(level));
        model.decide(score, drift.p_value(model.calibration(), score, stratum), rule)
    })
}

/// What `then` makes of the place, the score, the numbers and the codes of every row of a batch, in order. Energies from elsewhere are
/// asked for large slices, in the thread that asks for the batch.
fn each<T: Send>(
    model: &Model,
    (opened, rules): (&Opened<'_>, &Rules<'_>),
    rows: usize,
    then: impl Fn(usize, f64, &[f32], &[u16]) -> T + Sync,
) -> Result<Vec<T>> {
    let elsewhere = model.elsewhere.as_deref();
    let score = |block: &mut Block, room: &mut Room, rows: Range<usize>| {
        let mut scores = Vec::with_capacity(rows.len());
        let start = rows.start;
        opened.encode_into(rows, block);
        model.scorer.scores_into(&model.denoisers, elsewhere, block, room, &mut scores)?;
        let judged = scores.into_iter().enumerate().map(|(row, score)| {
            let (x_n, c_c) = (block.x_row(row), block.c_row(row));
            let evidence = rules.evidence(start + row).max(model.domain.evidence(x_n, c_c));
            then(start + row, score + evidence, x_n, c_c)
        });
        Ok(judged.collect())
    };
    let size = if elsewhere.is_some() { SLICE } else { TILE };
    let parts = (0..rows).step_by(size).map(|start| start..(start + size).min(rows));
    let found: Result<Vec<Vec<T>>> = if elsewhere.is_some() {
        let (mut block, mut room) = (Block::default(), model.scorer.room());
        parts.map(|rows| score(&mut block, &mut room, rows)).collect()
    } else {
        let room = || (Block::default(), model.scorer.room());
        let parts: Vec<Range<usize>> = parts.collect();
        parts.into_par_iter().map_init(room, |(block, room), rows| score(block, room, rows)).collect()
    };
    Ok(found?.into_iter().flatten().collect())
}

impl<R: RecordBatchReader> Iterator for Scoring<R> {
    type Item = std::result::Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = match self.input.next()? {
            Ok(batch) => batch,
            Err(error) => return Some(Err(error)),
        };
        let engine = &mut self.engine;
        // Called from C, where a panic would end the process and leave a half-written file behind.
        let scored = catch_unwind(AssertUnwindSafe(|| within(self.pool.as_deref(), || engine.score(&batch))));
        let broken = |_| {
            Err(Error::input("scoring-failed", "the compiled part failed, with the lines above: please report this"))
        };
        Some(scored.unwrap_or_else(broken).map_err(|error| {
            if let Ok(mut failure) = self.engine.failure.lock() {
                *failure = Some(error.clone());
            }
            ArrowError::ExternalError(Box::new(error))
        }))
    }
}

impl<R: RecordBatchReader> RecordBatchReader for Scoring<R> {
    fn schema(&self) -> SchemaRef {
        self.engine.schema.clone()
    }
}
