//! The conventions of helpers: reading what pointers name, giving back text and bytes.
//!
//! A pointer outside of the script's memory is the script's mistake and stops it; what is only
//! not valid, or not there, is -1.

use zeroserve_vm::{Fault, Instance, Memory};

use crate::limits::{COPY_BYTES_PER_FUEL, MAX_NAME_BYTES};
use crate::{Exchange, Outcome, World};

/// -1, as a register holds it.
pub(crate) const NONE: u64 = u64::MAX;

/// What a body ends with when it has no value.
pub(crate) enum Instead {
    /// -1.
    Nothing,
    /// The driver has to do something.
    Other(Outcome),
}

/// How a body ends.
pub(crate) type Reply = Result<u64, Instead>;

/// A helper's body.
pub(crate) type Body = fn(&mut Call<'_>) -> Reply;

/// A call of a helper.
pub(crate) struct Call<'a> {
    pub(crate) args: [u64; 5],
    pub(crate) exchange: &'a mut Exchange,
    pub(crate) guest: Guest<'a>,
    pub(crate) world: &'a dyn World,
    /// What the call costs besides its base.
    pub(crate) fuel: u64,
}

/// The memory of the script that calls.
pub(crate) struct Guest<'a> {
    pub(crate) helper: &'static str,
    pub(crate) instance: &'a mut Instance,
}

/// The same, for looking at several parts of it at a time.
#[derive(Clone, Copy)]
pub(crate) struct Input<'m> {
    helper: &'static str,
    memory: &'m Memory,
}

/// What was expected, or -1.
pub(crate) fn found<T>(value: Option<T>) -> Result<T, Instead> {
    value.ok_or(Instead::Nothing)
}

/// 0, or -1.
pub(crate) fn done(ok: bool) -> Reply {
    if ok { Ok(0) } else { Err(Instead::Nothing) }
}

/// Fuel for so many bytes that are copied.
pub(crate) fn copying(bytes: usize) -> u64 {
    bytes as u64 / COPY_BYTES_PER_FUEL
}

fn stop(helper: &str, argument: &str, fault: Fault) -> Instead {
    Instead::Other(Outcome::Trap(format!("{helper}: {argument}: {fault}")))
}

impl<'m> Input<'m> {
    /// Bytes that an argument names.
    pub(crate) fn bytes(self, argument: &str, address: u64, len: u64) -> Result<&'m [u8], Instead> {
        self.memory.read(address, len).map_err(|fault| stop(self.helper, argument, fault))
    }

    /// The same as text.
    pub(crate) fn text(self, argument: &str, address: u64, len: u64) -> Result<&'m str, Instead> {
        found(std::str::from_utf8(self.bytes(argument, address, len)?).ok())
    }

    /// The same as a name, which is not long.
    pub(crate) fn name(self, argument: &str, address: u64, len: u64) -> Result<&'m str, Instead> {
        let name = self.bytes(argument, address, len)?;
        if name.len() > MAX_NAME_BYTES {
            return Err(Instead::Nothing);
        }
        found(std::str::from_utf8(name).ok())
    }
}

impl Guest<'_> {
    /// What can be read.
    pub(crate) fn input(&mut self) -> Input<'_> {
        Input { helper: self.helper, memory: self.instance.memory() }
    }

    /// A place to write to.
    pub(crate) fn output(
        &mut self,
        argument: &str,
        address: u64,
        len: u64,
    ) -> Result<&mut [u8], Instead> {
        let helper = self.helper;
        self.instance.memory().write(address, len).map_err(|fault| stop(helper, argument, fault))
    }

    /// Give back text: whole or cut to fit, with a NUL. The length of all of it.
    ///
    /// The buffer has to be there as a whole, so that a wrong size shows at the first call and
    /// not with the first long value; only what is needed of it is written.
    pub(crate) fn text(&mut self, address: u64, len: u64, text: &[u8]) -> Reply {
        if len > 0 {
            self.input().bytes("out", address, len)?;
            let room = usize::try_from(len).unwrap_or(usize::MAX) - 1;
            let cut = &text[..text.len().min(room)];
            let out = self.output("out", address, cut.len() as u64 + 1)?;
            out[..cut.len()].copy_from_slice(cut);
            out[cut.len()] = 0;
        }
        Ok(text.len() as u64)
    }

    /// Give back bytes, all or none. Their number; a length of 0 asks for it.
    pub(crate) fn bytes(&mut self, address: u64, len: u64, bytes: &[u8]) -> Reply {
        if len > 0 {
            self.input().bytes("out", address, len)?;
            if (bytes.len() as u64) > len {
                return Err(Instead::Nothing);
            }
            self.output("out", address, bytes.len() as u64)?.copy_from_slice(bytes);
        }
        Ok(bytes.len() as u64)
    }
}
