//! Rows that Python gets as named tuples.

use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyTuple};
use zeroserve_archive::{Problem, Severity};
use zeroserve_server::LIMITS;

/// Make a named tuple class and add it to the module.
fn named_tuple(module: &Bound<'_, PyModule>, name: &str, fields: &[&str]) -> PyResult<()> {
    let py = module.py();
    let options = [("module", "zeroserve._core")].into_py_dict(py)?;
    let class = py
        .import("collections")?
        .getattr("namedtuple")?
        .call((name, PyTuple::new(py, fields)?), Some(&options))?;
    module.add(name, class)
}

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    named_tuple(module, "Limit", &["name", "default", "minimum", "maximum", "unit", "doc"])?;
    named_tuple(
        module,
        "Entry",
        &["name", "size", "mtime", "offset", "etag", "encodings", "target", "hidden"],
    )?;
    named_tuple(module, "Function", &["name", "section", "start", "frame_bytes"])?;
    named_tuple(module, "Line", &["function", "slot", "text", "file", "line"])?;
    named_tuple(module, "Trap", &["kind", "reason", "function", "slot", "file", "line"])?;
    named_tuple(module, "Run", &["result", "memory", "fuel", "trap"])?;
    named_tuple(
        module,
        "Certificate",
        &["path", "names", "not_before_s", "not_after_s", "default"],
    )?;
    named_tuple(module, "Problem", &["severity", "entry", "offset", "message"])?;
    named_tuple(
        module,
        "Helper",
        &["name", "number", "result", "parameters", "arity", "fuel", "group", "doc"],
    )?;
    let class = module.getattr("Limit")?;
    let rows = LIMITS.iter().map(|row| {
        class.call1((row.name, row.default, row.minimum, row.maximum, row.unit, row.doc))
    });
    module.add("LIMITS", PyTuple::new(module.py(), rows.collect::<PyResult<Vec<_>>>()?)?)
}

/// The class of that name, as made by `add`.
pub(crate) fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("zeroserve._core")?.getattr(name)
}

/// Problems as Python sees them.
pub(crate) fn problems<'py>(
    py: Python<'py>,
    problems: &[Problem],
) -> PyResult<Vec<Bound<'py, PyAny>>> {
    let class = class(py, "Problem")?;
    let rows = problems.iter().map(|problem| {
        let severity = match problem.severity {
            Severity::Fatal | Severity::Entry => "error",
            Severity::Warning => "warning",
        };
        class.call1((severity, &problem.entry, problem.offset, &problem.message))
    });
    rows.collect()
}
