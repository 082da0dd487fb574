//! `zeroserve._core`: the engine as Python sees it. The only crate that names pyo3.
//!
//! Everything that blocks or takes long lets go of the GIL. Worker threads never take it.

mod archive;
mod configure;
mod dev;
mod helpers;
mod oracle;
mod passwords;
mod program;
mod sandbox;
mod serve;
mod tuples;

use std::ffi::CStr;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyType};

/// `zeroserve.Error`, made when the module is loaded. Written in Python because the stable ABI of
/// Python 3.11 cannot extend its exceptions.
static ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();

const ERROR_CLASS: &CStr = c"
class Error(Exception):
    'Anything zeroserve refuses or fails at: args are (message,) or (message, hint).'

    __module__ = 'zeroserve'

    def __str__(self):
        return chr(10).join(self.args[:1] + tuple(f'hint: {hint}' for hint in self.args[1:2]))
";

fn error_class(py: Python<'_>) -> PyResult<Py<PyType>> {
    let names = PyDict::new(py);
    py.run(ERROR_CLASS, Some(&names), None)?;
    let class = names.get_item("Error")?.ok_or_else(|| PyTypeError::new_err("no class"))?;
    Ok(class.cast_into::<PyType>()?.unbind())
}

/// The engine of zeroserve: see `_core.pyi` for what is here.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("Error", ERROR.get_or_try_init(py, || error_class(py))?)?;
    tuples::add(module)?;
    archive::add(module)?;
    serve::add(module)?;
    sandbox::add(module)?;
    program::add(module)?;
    helpers::add(module)?;
    dev::add(module)?;
    passwords::add(module)?;
    Ok(())
}

/// An error for the person who runs it.
pub(crate) fn refuse(message: impl Into<String>) -> PyErr {
    let message = message.into();
    Python::attach(|py| match ERROR.get(py) {
        Some(class) => PyErr::from_type(class.bind(py).clone(), (message,)),
        None => PyTypeError::new_err(message),
    })
}
