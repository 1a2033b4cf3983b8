//! A Python function that computes energies.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tabad_core::block::Block;
use tabad_core::elsewhere::{Elsewhere, Found};
use tabad_core::error::{Error, Result};
use tabad_core::memory::Wanted;
use tabad_core::network::Energies;

/// Called with `(rows, x_BN, c_BC, wide_from, roots, conditional)`.
#[derive(Debug)]
pub struct Function(pub Py<PyAny>);

type Parts = (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>);

impl Elsewhere for Function {
    fn find(&self, block: &Block, wanted: Wanted, conditional: bool) -> Result<Found> {
        let found: PyResult<Parts> = Python::attach(|py| {
            let x = PyBytes::new(py, bytemuck::cast_slice(&block.x));
            let c = PyBytes::new(py, bytemuck::cast_slice(&block.c));
            let arguments = (block.rows, x, c, wanted.wide_from, wanted.roots, conditional);
            self.0.bind(py).call1(arguments)?.extract()
        });
        let (terms, columns, joint, conditional) =
            found.map_err(|error| Error::usage("energies-failed", format!("energies were not computed: {error}")))?;
        let network = Energies { joint: floats(&joint), conditional: floats(&conditional) };
        Ok(Found { terms: floats(&terms), columns: floats(&columns), network })
    }
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}
