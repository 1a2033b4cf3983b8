//! `tabad._core.Generator`.

use arrow_array::{Float32Array, UInt16Array};
use arrow_buffer::ScalarBuffer;
use pyo3::prelude::*;
use tabad_core::network::{self, Given, Network, Request, Ties};
use tabad_core::threads::within;

use crate::error::enter;
use crate::model::{block_of, buffer, bytes, pool};

#[pyclass(module = "tabad._core", frozen)]
pub struct Generator {
    inner: network::Generator,
}

/// Numbers and codes as buffers that own what Rust computed.
type Rows<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>);
/// Categories, the code of each that says null, who implies whom, who is bound to whom.
type TieParts = (Vec<usize>, Vec<u16>, Vec<u8>, Vec<u8>);

fn flags(bytes: &[u8]) -> Vec<bool> {
    bytes.iter().map(|&byte| byte != 0).collect()
}

#[pymethods]
impl Generator {
    #[new]
    #[pyo3(signature = (config, weights, *, bfloat16=true))]
    fn new(py: Python<'_>, config: &str, weights: &[u8], bfloat16: bool) -> PyResult<Self> {
        let inner = enter(py, || network::Generator::of(Network::read_alone(config, weights)?, bfloat16))?;
        Ok(Self { inner })
    }

    #[pyo3(signature = (rows, *, seeds, forbidden, label=None, guidance=1.0, given=None, ties=None, steps=20, noise=0.3, threads=0))]
    #[expect(clippy::too_many_arguments, reason = "keyword arguments of the Python method")]
    fn sample<'py>(
        &self,
        py: Python<'py>,
        rows: usize,
        seeds: Vec<u64>,
        forbidden: &[u8],
        label: Option<usize>,
        guidance: f32,
        given: Option<(Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>)>,
        ties: Option<TieParts>,
        steps: usize,
        noise: f64,
        threads: usize,
    ) -> PyResult<Rows<'py>> {
        let given = given.map(|(x, c, which)| PyResult::Ok((bytes(&x)?, bytes(&c)?, bytes(&which)?))).transpose()?;
        let pool = pool(threads)?;
        let (x, c) = enter(py, || {
            let (numbers, categories) = self.inner.axes();
            let known = match &given {
                None => None,
                Some((x, c, which)) => Some((block_of(rows, x, c, numbers, categories)?, flags(which))),
            };
            let given = known.as_ref().map(|(block, which)| Given { x: &block.x, c: &block.c, given: which });
            let ties = match ties {
                None => Ties::default(),
                Some((categories, null, implies, bound)) => {
                    Ties::new(categories, null, flags(&implies), flags(&bound))?
                }
            };
            let forbidden = &flags(forbidden);
            let request = Request { rows, seeds: &seeds, label, guidance, forbidden, given, ties: &ties, steps, noise };
            within(pool.as_deref(), || self.inner.rows(&request))
        })?;
        let x = Float32Array::new(ScalarBuffer::from(x), None);
        let c = UInt16Array::new(ScalarBuffer::from(c), None);
        Ok((buffer(py, arrow_array::Array::into_data(x))?, buffer(py, arrow_array::Array::into_data(c))?))
    }
}
