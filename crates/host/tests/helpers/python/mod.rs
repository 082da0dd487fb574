//! What compiled Python asks for.

pub(crate) mod codecs;
mod hostile;
pub(crate) mod modules;
pub(crate) mod py;
pub(crate) mod text;
pub(crate) mod values;
