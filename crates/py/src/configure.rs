//! Configuration files of sites: Python reads them, the engine gets the result.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroserve_server::pools::{Configure, Settings};

use crate::refuse;

/// A function in Python: the bytes of a file in, what it says as JSON out.
pub(crate) struct Reader {
    function: Py<PyAny>,
    /// What it raised, which says more than a line of text.
    raised: Mutex<Option<PyErr>>,
}

impl Reader {
    pub(crate) fn new(function: Py<PyAny>) -> Self {
        Self { function, raised: Mutex::default() }
    }

    /// As the engine calls it, from a thread that does not hold the interpreter.
    pub(crate) fn function(&self) -> Box<Configure<'_>> {
        Box::new(|file| {
            let json = Python::attach(|py| {
                let read = self.function.call1(py, (PyBytes::new(py, file),));
                read.and_then(|json| json.extract::<Option<String>>(py))
            });
            match json {
                Ok(None) => Ok(Settings::default()),
                Ok(Some(json)) => Settings::read(&json),
                Err(error) => {
                    *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    Err("the configuration is not valid".to_owned())
                }
            }
        })
    }

    /// What is raised when a site is refused.
    pub(crate) fn error(_py: Python<'_>, reader: Option<Self>, message: String) -> PyErr {
        let raised = reader.map(|reader| reader.raised.into_inner());
        let raised = raised.and_then(|raised| raised.unwrap_or_else(PoisonError::into_inner));
        raised.unwrap_or_else(|| refuse(message))
    }
}
