//! Confinement of the process, for the command line. Nothing of this is for a program that serves
//! beside other things.

use std::path::PathBuf;

use pyo3::prelude::*;
use zeroserve_sandbox::{Commands, Grant};

use crate::refuse;

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(drop_bounding_set, module)?)?;
    module.add_function(wrap_pyfunction!(give_up_privileges, module)?)?;
    module.add_function(wrap_pyfunction!(forbid_files, module)?)?;
    module.add_function(wrap_pyfunction!(forbid_calls, module)?)
}

#[pyfunction]
fn drop_bounding_set() -> PyResult<()> {
    Ok(zeroserve_sandbox::drop_bounding_set()?)
}

#[pyfunction]
#[pyo3(signature = (*, keep_file_access))]
fn give_up_privileges(keep_file_access: bool) -> PyResult<()> {
    Ok(zeroserve_sandbox::give_up_privileges(keep_file_access)?)
}

#[pyfunction]
fn forbid_files(grants: Vec<(PathBuf, String)>) -> PyResult<u32> {
    let mut known = Vec::with_capacity(grants.len());
    for (path, name) in grants {
        let grant = Grant::NAMES.iter().find(|row| row.0 == name).map(|row| row.1);
        known.push((path, grant.ok_or_else(|| refuse(format!("no such grant: {name}")))?));
    }
    zeroserve_sandbox::forbid_files(&known).map_err(refuse)
}

#[pyfunction]
#[pyo3(signature = (*, commands))]
fn forbid_calls(commands: bool) -> PyResult<()> {
    let commands = if commands { Commands::Allowed } else { Commands::Forbidden };
    zeroserve_sandbox::forbid_calls(commands).map_err(refuse)
}
