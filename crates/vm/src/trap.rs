//! Traps: the ways in which a run ends without a result.

use std::fmt;

macro_rules! traps {
    ($($(#[doc = $doc:literal])+ $kind:ident = $number:literal, $name:literal;)+) => {
        /// Why a run was stopped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u32)]
        pub enum TrapKind {
            $($(#[doc = $doc])+ $kind = $number,)+
        }

        impl TrapKind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// Its name in machine-readable results.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }

            pub(crate) fn from_number(number: u32) -> Option<Self> {
                match number {
                    $($number => Some(Self::$kind),)+
                    _ => None,
                }
            }
        }
    };
}

traps! {
    /// A load from outside of guest memory.
    Read = 1, "read";
    /// A store to outside of what the guest may write.
    Write = 2, "write";
    /// More nested calls than the stack holds.
    Stack = 3, "stack";
    /// The budget is used up.
    Fuel = 4, "fuel";
    /// An indirect call of something that is no function.
    Callee = 5, "callee";
    /// `__bpf_trap`, which stands where LLVM takes code to be unreachable.
    Abort = 6, "abort";
    /// A helper was given something that it refuses.
    Helper = 7, "helper";
}

/// A stop, with the place and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap {
    /// Why.
    pub kind: TrapKind,
    /// In words.
    pub reason: String,
    /// Name of the function.
    pub function: String,
    /// Slot counted from the start of the function.
    pub at: u32,
    /// File and line of the source, when the object says so.
    pub line: Option<(String, u32)>,
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.reason, self.function)?;
        match &self.line {
            Some((file, line)) => write!(f, " at {file}:{line}"),
            None => write!(f, ", instruction {}", self.at),
        }
    }
}
