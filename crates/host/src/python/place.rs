//! Reading values from the script's memory, and places for new ones on its heap.
//!
//! The heap is given away from its start to its end and nothing comes back before the run is over.

use zeroserve_vm::Fault;
use zeroserve_vm::limits::HEAP_BYTES;

use crate::Outcome;
use crate::guest::{Call, Guest, Input, Instead, Reply, copying};
use crate::limits::MAX_LOG_BYTES;
use crate::python::text::STR;
use crate::python::word::{List, PyBytes, PyStr};

/// The heap is used up.
pub(crate) fn used_up() -> Instead {
    let reason = format!("MemoryError: a script has {HEAP_BYTES} bytes for what it makes in a run");
    Instead::Other(Outcome::Trap(reason))
}

/// An integer would have more than 64 bits.
pub(crate) fn too_large() -> Instead {
    let reason = "OverflowError: an integer does not fit in 64 bits, a limit of compiled scripts";
    Instead::Other(Outcome::Trap(reason.into()))
}

/// An argument is none that a compiler would pass.
pub(crate) fn refused(helper: &str, argument: &str, value: u64) -> Instead {
    Instead::Other(Outcome::Trap(format!("{helper}: {argument}: {value:#x} is not valid")))
}

impl<'m> Input<'m> {
    /// The bytes of a str or of bytes.
    pub(crate) fn content(self, argument: &str, word: u64) -> Result<&'m [u8], Instead> {
        let PyBytes { address, len } = PyBytes::unpack(word);
        self.bytes(argument, address.into(), len.into())
    }

    /// The words of a list, each element so many of them.
    pub(crate) fn words(
        self,
        argument: &str,
        word: u64,
        each: u64,
    ) -> Result<impl ExactSizeIterator<Item = u64> + Clone + use<'m>, Instead> {
        let List { address, count } = List::unpack(word);
        let bytes = self.bytes(argument, address.into(), u64::from(count) * each * 8)?;
        Ok(bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)))
    }
}

impl Guest<'_> {
    /// Bytes that can still be had from the heap.
    pub(crate) fn room(&self) -> usize {
        self.instance.room() as usize
    }

    /// A place on the heap.
    pub(crate) fn alloc(&mut self, bytes: u64) -> Result<u32, Instead> {
        self.instance.alloc(bytes).ok_or_else(used_up)
    }

    fn new_copy(&mut self, bytes: &[u8]) -> Result<u32, Instead> {
        let len = bytes.len() as u64;
        let address = self.alloc(len)?;
        self.output("heap", address.into(), len)?.copy_from_slice(bytes);
        Ok(address)
    }

    /// A new str; its bytes are UTF-8, perhaps with surrogates.
    pub(crate) fn new_str(&mut self, text: &[u8]) -> Result<u64, Instead> {
        let address = self.new_copy(text)?;
        Ok(PyStr { address, len: text.len() as u32, wide: !text.is_ascii() }.pack())
    }

    /// A new bytes.
    pub(crate) fn new_bytes(&mut self, bytes: &[u8]) -> Result<u64, Instead> {
        let address = self.new_copy(bytes)?;
        Ok(PyBytes { address, len: bytes.len() as u32 }.pack())
    }

    /// A new list of elements of one word or more.
    pub(crate) fn new_list(&mut self, words: &[u64], each: usize) -> Result<u64, Instead> {
        let address = self.alloc(words.len() as u64 * 8)?;
        self.store("heap", address.into(), words)?;
        Ok(List { address, count: (words.len() / each.max(1)) as u32 }.pack())
    }

    /// Store words, for example those of a result.
    pub(crate) fn store(
        &mut self,
        argument: &str,
        address: u64,
        words: &[u64],
    ) -> Result<(), Instead> {
        let out = self.output(argument, address, words.len() as u64 * 8)?;
        for (place, word) in out.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
        Ok(())
    }

    /// Copy bytes inside of the script's memory.
    pub(crate) fn copy(&mut self, from: u64, to: u64, len: u64) -> Result<(), Instead> {
        let helper = self.helper;
        let copied = self.instance.memory().copy(from, to, len);
        copied.map_err(|fault: Fault| {
            Instead::Other(Outcome::Trap(format!("{helper}: copy: {fault}")))
        })
    }
}

impl Call<'_> {
    /// A new str as the result; its bytes are paid for.
    pub(crate) fn give_str(&mut self, text: &[u8]) -> Reply {
        self.fuel += copying(text.len());
        self.guest.new_str(text)
    }

    /// A new bytes as the result; its bytes are paid for.
    pub(crate) fn give_bytes(&mut self, bytes: &[u8]) -> Reply {
        self.fuel += copying(bytes.len());
        self.guest.new_bytes(bytes)
    }

    /// A new str or bytes as the result.
    pub(crate) fn give_text<const KIND: bool>(&mut self, bytes: &[u8]) -> Reply {
        if KIND == STR { self.give_str(bytes) } else { self.give_bytes(bytes) }
    }

    /// Store the words of the result of a helper that may raise, and say that it did not.
    pub(crate) fn give(&mut self, out: u64, words: &[u64]) -> Reply {
        self.guest.store("out", out, words)?;
        Ok(0)
    }

    /// Report an exception with what CPython says of it: what a helper that may raise ends with.
    pub(crate) fn raised(&mut self, kind: u64, message: impl AsRef<str>) -> Instead {
        let message = message.as_ref();
        let mut end = message.len().min(MAX_LOG_BYTES);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        let raised = &mut self.exchange.raised;
        raised.kind = kind;
        raised.message.clear();
        raised.message.push_str(&message[..end]);
        Instead::Other(Outcome::Value(kind))
    }
}

pub(crate) fn alloc(call: &mut Call<'_>) -> Reply {
    let bytes = call.args[0];
    let address = call.guest.alloc(bytes)?;
    call.fuel += copying(bytes as usize);
    Ok(address.into())
}
