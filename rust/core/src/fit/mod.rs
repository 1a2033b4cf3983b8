//! A fit in three steps: observe the table once, prepare, finish.
//!
//! Nothing that calibrates a score has touched it: the sample is split into training rows, reference rows and
//! calibration rows, in the order of a hash of the row number. Reference rows judge the network (early stopping, its tails); the
//! memory may keep them, and its tails come from rows that it does not keep. Reference and calibration rows are taken
//! back out of the codecs' counts. A table that is screened against itself holds nothing out.

mod classes;
mod evidence;
mod feedback;
mod judge;
mod options;
mod parts;
mod prepare;
mod units;
mod update;

pub use judge::{Judged, Lesson};
pub use options::{Options, Plan as ColumnPlan};
pub use prepare::Prepared;
pub use update::update;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use rayon::prelude::*;

use crate::codec::{ColumnState, check_text};
use crate::error::{Error, Result};
use crate::sample::Sampler;
use feedback::Collector;

/// Rows of the sample that supplies training, reference and calibration rows.
pub const SAMPLE_ROWS: usize = 100_000;
pub const REFERENCE_ROWS: usize = 5_000;
pub const CALIBRATION_ROWS: usize = 10_000;
/// Fewer rows than this are neither fitted nor screened.
pub const FEWEST_ROWS: usize = 20;
/// Below this many rows nothing is held out: cross-fitting, called approximate.
pub const CROSS_FIT_ROWS: usize = 500;

/// The state of a fit while the table is read.
#[derive(Debug)]
pub struct Fit {
    options: Options,
    sampler: Sampler,
    table: Option<Observed>,
}

#[derive(Debug)]
struct Observed {
    schema: SchemaRef,
    plans: Vec<ColumnPlan>,
    /// Per column; None where it is not modelled.
    states: Vec<Option<ColumnState>>,
    labelled: Option<Collector>,
}

impl Fit {
    pub fn new(options: Options) -> Result<Self> {
        options.check()?;
        let sampler = Sampler::new(SAMPLE_ROWS, options.seed);
        Ok(Self { options, sampler, table: None })
    }

    pub fn rows(&self) -> u64 {
        self.sampler.seen()
    }

    /// Takes note of a table's schema; a further table must have the same.
    pub fn open(&mut self, schema: &SchemaRef) -> Result<()> {
        if let Some(table) = &self.table {
            if table.schema.fields() != schema.fields() {
                return Err(Error::input("schema-changed", "the second table has other columns than the first")
                    .hint("give tables of one schema"));
            }
            return Ok(());
        }
        let plans = self.options.plan(schema)?;
        let states = schema
            .fields()
            .iter()
            .zip(&plans)
            .map(|(field, plan)| if *plan == ColumnPlan::Model { ColumnState::new(field) } else { None })
            .collect();
        let labelled = plans
            .iter()
            .position(|plan| *plan == ColumnPlan::Feedback)
            .map(|column| Collector::new(column, schema.field(column).name().clone(), self.options.seed));
        self.table = Some(Observed { schema: schema.clone(), plans, states, labelled });
        Ok(())
    }

    pub fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        self.open(&batch.schema())?;
        let Some(table) = &mut self.table else { return Ok(()) };
        let columns = batch.schema_ref().fields().par_iter().zip(batch.columns());
        table.states.par_iter_mut().zip(columns).try_for_each(|(state, (field, column))| match state {
            Some(state) => {
                check_text(field.name(), column)?;
                state.observe(column.as_ref())
            }
            None => Ok(()),
        })?;
        if let Some(labelled) = &mut table.labelled {
            labelled.observe(batch)?;
        }
        self.sampler.observe(batch)
    }

    /// Freezes the codecs, splits the sample, builds the memory.
    pub fn prepare(self) -> Result<Prepared> {
        let Some(table) = self.table else {
            return Err(too_few(0));
        };
        let Observed { schema, plans, states, labelled } = table;
        prepare::prepare(self.options, schema, plans, states, (self.sampler, labelled))
    }
}

fn too_few(rows: u64) -> Error {
    let found = match rows {
        0 => "the table has no rows".to_owned(),
        1 => "the table has 1 row".to_owned(),
        n => format!("the table has {n} rows"),
    };
    Error::input("table-too-small", format!("{found}; at least {FEWEST_ROWS} are needed to tell what is odd"))
        .hint("score it with a model fitted on a larger table: -m MODEL")
}

fn all_labelled(others: usize) -> Error {
    let message = format!("feedback leaves {others} rows without a label; at least {FEWEST_ROWS} are needed");
    Error::input("feedback-too-much", message)
        .hint("where every row is labelled, name the label instead: --label COL --normal VALUE")
}
