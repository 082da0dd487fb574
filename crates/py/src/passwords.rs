//! Passwords: their hashes, and whether one is that of a hash.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use zeroserve_host::passwords::check;
use zeroserve_server::passwords;

/// A hash of a password.
#[pyfunction]
fn hash_password(py: Python<'_>, password: &str) -> PyResult<String> {
    py.detach(|| passwords::hash(password.as_bytes())).map_err(PyValueError::new_err)
}

/// Whether a password is that of a hash.
#[pyfunction]
fn verify_password(py: Python<'_>, password: &[u8], hash: &str) -> PyResult<bool> {
    check(hash).map_err(PyValueError::new_err)?;
    Ok(py.detach(|| passwords::verify_here(password, hash)))
}

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(hash_password, module)?)?;
    module.add_function(wrap_pyfunction!(verify_password, module)?)?;
    Ok(())
}
