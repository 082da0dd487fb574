//! Rows of the helpers for str, bytes and int, numbered from 1001.

use crate::python::{place, stop};
use crate::row::{Row, python_rows};

/// By number; a row may be added at the end, but never removed, moved or given another meaning.
#[rustfmt::skip] // a table
pub static TEXT: &[Row] = python_rows! {
    1001 "zs_py_raise", "kind, message, place", 200, stop::raise,
    "End the run with an exception; message 0 is what a helper reported last.";
    1002 "zs_py_stop", "limit, place", 200, stop::limit,
    "End the run at a limit that CPython does not have.";
    1003 "zs_py_alloc", "bytes", 20, place::alloc,
    "Address of so many bytes of the heap.";
};
