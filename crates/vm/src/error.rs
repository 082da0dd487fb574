//! Why an object is refused.

use std::fmt;

/// An object that is not loaded, in one line for the person who made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// The file is not an eBPF object that can be loaded.
    Object(String),
    /// An instruction that does not pass the verifier.
    Instruction {
        /// Name of the function.
        function: String,
        /// Slot counted from the start of the function.
        at: u32,
        /// Its disassembly, or its bytes when there is none.
        text: String,
        /// What is wrong with it.
        reason: String,
        /// `file:line` when the object says so.
        line: Option<String>,
    },
    /// The machine can't run it.
    System(String),
    /// The system refuses memory for machine code; the interpreter needs none.
    NoExecutableMemory(String),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(reason) | Self::System(reason) => f.write_str(reason),
            Self::NoExecutableMemory(reason) => {
                write!(f, "no executable memory for compiled scripts: {reason}")
            }
            Self::Instruction { function, at, text, reason, line } => {
                write!(f, "{function}, instruction {at} ({text}): {reason}")?;
                match line {
                    Some(line) => write!(f, ", at {line}"),
                    None => Ok(()),
                }
            }
        }
    }
}

impl std::error::Error for LoadError {}

pub(crate) fn refuse<T>(reason: impl Into<String>) -> Result<T, LoadError> {
    Err(LoadError::Object(reason.into()))
}
