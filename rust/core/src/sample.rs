//! One sample of a stream in one pass, the same whatever the batches: rows are kept by a hash of their
//! number (never of their values: that would collapse duplicates).

use arrow_array::{ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use std::sync::Arc;

use crate::codec::unpacked;
use crate::error::Result;
use crate::numeric::splitmix64;

/// The `size` rows with the smallest `splitmix64(seed ^ splitmix64(row))`.
#[derive(Debug)]
pub struct Sampler {
    size: usize,
    seed: u64,
    seen: u64,
    /// Rows with a larger hash are passed over.
    limit: u64,
    schema: Option<SchemaRef>,
    chunks: Vec<RecordBatch>,
    hashes: Vec<u64>,
}

impl Sampler {
    pub fn new(size: usize, seed: u64) -> Self {
        Self {
            size,
            seed: splitmix64(seed),
            seen: 0,
            limit: u64::MAX,
            schema: None,
            chunks: Vec::new(),
            hashes: Vec::new(),
        }
    }

    /// Rows seen so far.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    pub fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        let start = self.seen;
        self.seen += batch.num_rows() as u64;
        let mut rows = Vec::new();
        for row in 0..batch.num_rows() {
            let hash = splitmix64(self.seed ^ splitmix64(start + row as u64));
            if hash < self.limit {
                rows.push(row as u32);
                self.hashes.push(hash);
            }
        }
        if rows.is_empty() && self.schema.is_some() {
            return Ok(());
        }
        let schema = self.schema.get_or_insert_with(|| plain_schema(&batch.schema()));
        let indices = UInt32Array::from(rows);
        let columns: Result<Vec<ArrayRef>> =
            batch.columns().iter().map(|column| unpacked(&arrow_select::take::take(column, &indices, None)?)).collect();
        self.chunks.push(RecordBatch::try_new(schema.clone(), columns?)?);
        if self.hashes.len() > self.size.saturating_mul(2).max(self.size + 65_536) {
            self.compact()?;
        }
        Ok(())
    }

    /// The sample, in the order of the hashes: a random order that does not depend on the values.
    pub fn finish(mut self) -> Result<Option<RecordBatch>> {
        self.compact()?;
        Ok(self.chunks.into_iter().next())
    }

    fn compact(&mut self) -> Result<()> {
        let Some(schema) = &self.schema else { return Ok(()) };
        let all = arrow_select::concat::concat_batches(schema, &self.chunks)?;
        let mut order: Vec<u32> = (0..self.hashes.len() as u32).collect();
        order.sort_unstable_by_key(|&place| self.hashes[place as usize]);
        order.truncate(self.size);
        self.hashes = order.iter().map(|&place| self.hashes[place as usize]).collect();
        if self.hashes.len() == self.size {
            self.limit = self.hashes.last().copied().unwrap_or(self.limit);
        }
        let indices = UInt32Array::from(order);
        self.chunks = vec![arrow_select::take::take_record_batch(&all, &indices)?];
        Ok(())
    }
}

/// Dictionaries become their values: dictionaries of different batches need not agree.
fn plain_schema(schema: &Schema) -> SchemaRef {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| match field.data_type() {
            DataType::Dictionary(_, value) => field.as_ref().clone().with_data_type(value.as_ref().clone()),
            _ => field.as_ref().clone(),
        })
        .map(|field| field.with_nullable(true))
        .collect();
    Arc::new(Schema::new(fields))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Int64Array;

    fn sample(rows: usize, batch: usize, size: usize) -> Vec<i64> {
        let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int64, false)]));
        let mut sampler = Sampler::new(size, 7);
        for start in (0..rows).step_by(batch) {
            let values = Int64Array::from_iter_values((start..(start + batch).min(rows)).map(|v| v as i64));
            sampler.observe(&RecordBatch::try_new(schema.clone(), vec![Arc::new(values)]).unwrap()).unwrap();
        }
        let found = sampler.finish().unwrap().unwrap();
        found.column(0).as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec()
    }

    #[test]
    fn the_sample_does_not_depend_on_batches() {
        assert_eq!(sample(300_000, 1000, 500), sample(300_000, 70_001, 500));
        assert_eq!(sample(300_000, 1000, 500).len(), 500);
    }

    #[test]
    fn a_table_smaller_than_the_sample_is_kept_whole() {
        let mut rows = sample(100, 33, 500);
        rows.sort_unstable();
        assert_eq!(rows, (0..100).collect::<Vec<i64>>());
    }
}
