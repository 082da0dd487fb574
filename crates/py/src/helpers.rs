//! The host's helpers, as Python writes the header, the documentation and the checks from them.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

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
    module.add("HELPERS", PyTuple::new(module.py(), rows.collect::<PyResult<Vec<_>>>()?)?)
}
