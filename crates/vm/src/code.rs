//! Memory for machine code: written first, executable after, never both.

use std::ffi::c_void;
use std::ptr::{self, NonNull};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect, munmap};

use crate::error::LoadError;
use crate::verify::Function;

/// What a compiled function returns.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Returned {
    pub(crate) value: u64,
    pub(crate) fuel: i64,
}

/// A compiled function as the host calls it: memory, fuel, frame pointer, r1 to r5.
pub(crate) type Entry =
    unsafe extern "C" fn(*mut u8, i64, u64, u64, u64, u64, u64, u64) -> Returned;

/// What the compiler has to say of one function.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Compiled {
    /// Where the form that the host calls begins, if there is one.
    pub(crate) entry: Option<u32>,
    /// Bytes of native stack that a call takes at most, however it is called.
    pub(crate) native_bytes: u32,
}

/// Executable code of one program.
#[derive(Debug)]
pub(crate) struct Code {
    mapping: NonNull<u8>,
    len: usize,
    functions: Vec<Compiled>,
    /// Where each function's entry is, or null: what indirect calls look up.
    table: Box<[*const c_void]>,
}

// SAFETY: the mapping is never written after it was made, and freed by its only owner.
unsafe impl Send for Code {}
// SAFETY: as above; all access is reading.
unsafe impl Sync for Code {}

impl Code {
    /// Make code executable. Its calls among itself are relative, so it may lie anywhere.
    pub(crate) fn new(code: &[u8], functions: Vec<Compiled>) -> Result<Self, LoadError> {
        let failed = |error: rustix::io::Errno| LoadError::NoExecutableMemory(error.to_string());
        let len = code.len().max(1);
        let (prot, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
        // SAFETY: a new mapping that nothing else refers to.
        let mapping =
            unsafe { mmap_anonymous(ptr::null_mut(), len, prot, flags) }.map_err(failed)?;
        let Some(mapping) = NonNull::new(mapping.cast::<u8>()) else {
            return Err(failed(rustix::io::Errno::NOMEM));
        };
        let mut made = Self { mapping, len, functions, table: Box::default() };
        // SAFETY: the mapping is at least as long as the code, writable, and not shared yet.
        unsafe { ptr::copy_nonoverlapping(code.as_ptr(), mapping.as_ptr(), code.len()) };
        let flags = MprotectFlags::READ | MprotectFlags::EXEC;
        // SAFETY: the whole of our own mapping; nobody writes to it from here on.
        unsafe { mprotect(mapping.as_ptr().cast(), len, flags) }.map_err(failed)?;
        flush_instructions(mapping.as_ptr(), len);
        let table = made.functions.iter().map(|function| match function.entry {
            Some(offset) => made.mapping.as_ptr().wrapping_add(offset as usize).cast_const().cast(),
            None => ptr::null(),
        });
        made.table = table.collect();
        Ok(made)
    }

    /// Bytes of code.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The function as the host calls it.
    pub(crate) fn entry(&self, function: usize) -> Option<Entry> {
        let address = *self.table.get(function)?;
        if address.is_null() {
            return None;
        }
        // SAFETY: the compiler made a function of this signature there.
        Some(unsafe { std::mem::transmute::<*const c_void, Entry>(address) })
    }

    /// What indirect calls look up.
    pub(crate) fn table(&self) -> *const c_void {
        self.table.as_ptr().cast()
    }

    /// Refuse code whose frames could outgrow the native stack before the guest's is full.
    ///
    /// Each call takes a guest frame, so what a function takes of the native stack for each byte
    /// of its guest frame bounds any mix of calls. The callee that finds the guest's stack full
    /// has its native frame by then: one more, of any size.
    pub(crate) fn check_frames(
        &self,
        functions: &[Function],
        stack_bytes: u32,
        room: u64,
    ) -> Result<(), LoadError> {
        let largest = self.functions.iter().map(|compiled| compiled.native_bytes).max();
        let room = room.saturating_sub(largest.unwrap_or(0).into());
        for (function, compiled) in functions.iter().zip(&self.functions) {
            let (frame, native) = (function.frame_bytes, compiled.native_bytes);
            if u64::from(stack_bytes) * u64::from(native) > room * u64::from(frame) {
                return Err(LoadError::Object(format!(
                    "function {} needs {native} bytes of native stack for a frame of {frame}; \
                     split it up",
                    function.name
                )));
            }
        }
        Ok(())
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // SAFETY: exactly what `new` mapped. Who runs the code holds the program that owns it.
        let _ = unsafe { munmap(self.mapping.as_ptr().cast(), self.len) };
    }
}

/// x86-64 keeps its instruction cache coherent by itself.
#[cfg(target_arch = "x86_64")]
fn flush_instructions(_: *const u8, _: usize) {}

/// Elsewhere the instructions just written have to be made visible (Arm ARM, B2.4.4).
#[cfg(target_arch = "aarch64")]
fn flush_instructions(start: *const u8, len: usize) {
    const LINE: usize = 16;
    let lines = || (0..len).step_by(LINE).map(|offset| start.wrapping_add(offset));
    // SAFETY: cache maintenance by address on our own mapping, which changes no data.
    unsafe {
        for line in lines() {
            std::arch::asm!("dc cvau, {}", in(reg) line);
        }
        std::arch::asm!("dsb ish");
        for line in lines() {
            std::arch::asm!("ic ivau, {}", in(reg) line);
        }
        std::arch::asm!("dsb ish", "isb");
    }
}
