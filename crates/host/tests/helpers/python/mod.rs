//! What compiled Python asks for.

pub(crate) mod codecs;
pub(crate) mod modules;
pub(crate) mod py;
pub(crate) mod text;
pub(crate) mod values;
