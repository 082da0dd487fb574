//! `zeroserve._core`: the engine as Python sees it. The only crate that names pyo3.
//!
//! Everything that blocks or takes long lets go of the GIL. Worker threads never take it.

mod archive;
mod serve;
mod tuples;

use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

create_exception!(
    zeroserve._core,
    Error,
    PyException,
    "Anything zeroserve refuses or fails at: args are (message,) or (message, hint)."
);

/// The engine of zeroserve: see `_core.pyi` for what is here.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("Error", py.get_type::<Error>())?;
    tuples::add(module)?;
    archive::add(module)?;
    serve::add(module)?;
    Ok(())
}

/// An error for the person who runs it.
pub(crate) fn refuse(message: impl Into<String>) -> PyErr {
    Error::new_err((message.into(),))
}
