//! Rows of the helpers for modules and for requests, numbered from 1201.

use crate::row::{Row, python_rows};

/// By number; a row may be added at the end, but never removed, moved or given another meaning.
#[rustfmt::skip]
pub static MODULES: &[Row] = python_rows! {};
