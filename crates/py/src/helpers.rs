//! The host's helpers, as Python writes the header, the documentation and the checks from them.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::refuse;

/// Whether scripts can use a pattern.
#[pyfunction]
#[pyo3(signature = (text, /))]
fn check_pattern(py: Python<'_>, text: &str) -> PyResult<()> {
    py.detach(|| zeroserve_host::check_pattern(text)).map_err(refuse)
}

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let class = module.getattr("Helper")?;
    let rows = zeroserve_host::rows().map(|row| {
        class.call1((
            row.name,
            row.number,
            row.result,
            row.parameters,
            row.arity,
            row.fuel,
            row.group,
            row.doc,
        ))
    });
    module.add_function(wrap_pyfunction!(check_pattern, module)?)?;
    module.add("HELPERS", PyTuple::new(module.py(), rows.collect::<PyResult<Vec<_>>>()?)?)
}
