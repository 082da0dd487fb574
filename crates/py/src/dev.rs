//! Certificates for development machines.

use std::time::{SystemTime, UNIX_EPOCH};

use pyo3::prelude::*;
use zeroserve_server::tls::dev::{self, Pair};

use crate::refuse;

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(dev_authority, module)?)?;
    module.add_function(wrap_pyfunction!(dev_certificate, module)?)?;
    module.add_function(wrap_pyfunction!(certificate_end, module)?)
}

fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}

/// A new authority: its certificate and its key.
#[pyfunction]
fn dev_authority(py: Python<'_>, place: &str) -> PyResult<(String, String)> {
    let Pair { certificate, key } = py.detach(|| dev::authority(place, now_s())).map_err(refuse)?;
    Ok((certificate, key))
}

/// A certificate for the names, and its key.
#[pyfunction]
fn dev_certificate(
    py: Python<'_>,
    authority: (String, String),
    names: Vec<String>,
) -> PyResult<(String, String)> {
    let (certificate, key) = authority;
    let authority = Pair { certificate, key };
    let Pair { certificate, key } =
        py.detach(|| dev::certificate(&authority, &names, now_s())).map_err(refuse)?;
    Ok((certificate, key))
}

/// When a certificate ceases to be valid; None when there is none, or it is not that of the key.
#[pyfunction]
fn certificate_end(certificate: String, key: String) -> Option<i64> {
    dev::end_of(&Pair { certificate, key })
}
