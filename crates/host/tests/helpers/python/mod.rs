//! Helpers that compiled Python calls.

pub(crate) mod text;
