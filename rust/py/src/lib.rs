//! tabad._core: registers, converts, releases the GIL; no algorithm. Documented in `_core.pyi`.

mod elsewhere;
mod error;
mod fit;
mod model;
mod network;
mod splice;
mod stream;

use pyo3::prelude::*;
use tabad_core::network::WINDOW;

#[cfg(target_endian = "big")]
compile_error!("blocks cross the seam as little-endian bytes");

#[pymodule]
fn _core(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    m.add("SEED_ROWS", WINDOW)?;
    m.add("DEBUG", cfg!(debug_assertions))?;
    m.add_class::<fit::Fit>()?;
    m.add_class::<model::Model>()?;
    m.add_class::<network::Generator>()?;
    m.add_class::<splice::Splice>()?;
    m.add_class::<stream::ScoreStream>()?;
    m.add_class::<stream::TypedStream>()?;
    m.add_function(wrap_pyfunction!(stream::label_texts, m)?)?;
    m.add_function(wrap_pyfunction!(model::network_energies, m)?)
}
