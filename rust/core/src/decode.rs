//! From a block back to a table of the fitted types: the inverse of encoding, for generation.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};

use crate::block::Block;
use crate::encoder::{Encoder, Role};
use crate::error::Result;

/// The modelled columns (ids too) with their Arrow types when fitted.
pub fn schema(encoder: &Encoder) -> Schema {
    let fields: Vec<Field> = encoder
        .columns
        .iter()
        .filter_map(|column| match &column.role {
            Role::Modelled(codec) => Some(Field::new(&column.name, codec.data_type().clone(), true)),
            Role::Ignored | Role::Label => None,
        })
        .collect();
    Schema::new(fields)
}

/// `first_row` numbers the first row: ids go on from there.
pub fn batch(encoder: &Encoder, block: &Block, first_row: u64) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> = Vec::new();
    for (column, (dim, index)) in encoder.columns.iter().zip(encoder.places()) {
        if let Role::Modelled(codec) = &column.role {
            columns.push(codec.decode(block, *dim, *index, first_row)?);
        }
    }
    let options = RecordBatchOptions::new().with_row_count(Some(block.rows));
    Ok(RecordBatch::try_new_with_options(Arc::new(schema(encoder)), columns, &options)?)
}
