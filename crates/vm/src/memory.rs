//! Guest memory: one mapping, addresses are offsets into it, every access is checked.
//!
//! In front of what the guest can name lie the [`Context`] that compiled code shares with its
//! host and a table with a byte for each page that was written, so that only those are cleaned
//! between two runs.

use std::ffi::c_void;
use std::fmt;
use std::ptr::{self, NonNull};

use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap,
};

use crate::limits::{HEAP_BYTES, MAX_IMAGE_BYTES, NULL_BYTES, PAGE_BYTES, STACK_BYTES};
use crate::object_file::Image;
use crate::program::Layout;

/// Bytes in front of guest memory: a page for the context, then one for [`DIRTY`].
pub(crate) const FRONT_BYTES: usize = 8192;

/// Where the table of written pages begins, from the start of guest memory.
pub(crate) const DIRTY: i32 = -4096;

/// Pages that the table of written pages has room for.
const MAX_PAGES: u32 = 4096;

// What an object may ask for at most fits, so that no object reaches the assertion in `new`.
const _: () = assert!(
    NULL_BYTES + MAX_IMAGE_BYTES + STACK_BYTES + HEAP_BYTES + 4 * PAGE_BYTES
        <= MAX_PAGES * PAGE_BYTES
);

/// From this many written pages on it is cheaper to give them back to the system.
const ADVISE_PAGES: usize = 128;

/// What compiled code and its host tell each other; at the very front of the mapping.
#[repr(C)]
pub(crate) struct Context {
    /// What is left of the slice; below zero the run has to stop at the next look.
    pub(crate) fuel: i64,
    /// The coroutine's way out, while compiled code runs.
    pub(crate) yielder: *const c_void,
    /// What indirect calls look up.
    pub(crate) functions: *const c_void,
    /// `crate::machine`'s entries from compiled code.
    pub(crate) on_helper: *const c_void,
    pub(crate) on_fuel: *const c_void,
    pub(crate) on_trap: *const c_void,
}

/// An access that the guest may not make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The guest address.
    pub address: u64,
    /// Bytes that were asked for.
    pub size: u64,
    /// Whether it was a store.
    pub write: bool,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.write { "write" } else { "read" };
        let Self { address, size, .. } = self;
        write!(f, "{what} of {size} bytes at {address:#x}, outside of the script's memory")
    }
}

/// The memory of one instance.
pub struct Memory {
    /// Start of guest memory, [`FRONT_BYTES`] into the mapping.
    base: NonNull<u8>,
    layout: Layout,
}

impl Memory {
    /// Memory as `image` describes it.
    pub(crate) fn new(layout: Layout, image: &Image) -> std::io::Result<Self> {
        assert!(layout.end.is_multiple_of(PAGE_BYTES) && layout.end / PAGE_BYTES <= MAX_PAGES);
        let (len, flags) = (reserved_bytes(layout), MapFlags::PRIVATE | MapFlags::NORESERVE);
        // SAFETY: a new mapping that nothing else refers to.
        let mapping = unsafe { mmap_anonymous(ptr::null_mut(), len, ProtFlags::empty(), flags) }?;
        let (used, prot) =
            (FRONT_BYTES + layout.end as usize, MprotectFlags::READ | MprotectFlags::WRITE);
        // SAFETY: the front part of the mapping just made.
        unsafe { mprotect(mapping, used, prot) }?;
        let mapping = NonNull::new(mapping.cast::<u8>()).ok_or(std::io::ErrorKind::OutOfMemory)?;
        // SAFETY: the mapping is longer than its front.
        let base = unsafe { mapping.add(FRONT_BYTES) };
        let mut memory = Self { base, layout };
        let null = NULL_BYTES as usize;
        memory.all_mut()[null..null + image.bytes.len()].copy_from_slice(&image.bytes);
        Ok(memory)
    }

    /// Where guest memory begins, for compiled code.
    pub(crate) fn base(&self) -> *mut u8 {
        self.base.as_ptr()
    }

    /// Where its parts begin.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    pub(crate) fn context(&mut self) -> &mut Context {
        // SAFETY: the front of the mapping is page-aligned, large enough for a context, zeroed
        // when it was made (a valid context), and borrowed as long as `self` is.
        unsafe { &mut *self.base.as_ptr().sub(FRONT_BYTES).cast::<Context>() }
    }

    fn all(&self) -> &[u8] {
        // SAFETY: the mapping reaches this far behind its front; guest code does not run while
        // the host holds a borrow of the memory, since running it takes a mutable one.
        unsafe { std::slice::from_raw_parts(self.base.as_ptr(), self.layout.end as usize) }
    }

    fn all_mut(&mut self) -> &mut [u8] {
        // SAFETY: as for `all`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.layout.end as usize) }
    }

    fn dirty(&mut self) -> &mut [u8] {
        let pages = (self.layout.end / PAGE_BYTES).next_multiple_of(8) as usize;
        // SAFETY: the table is the second page of the front and has at most 4,096 bytes.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr().offset(DIRTY as isize), pages) }
    }

    fn range(&self, address: u64, size: u64, write: bool) -> Result<std::ops::Range<usize>, Fault> {
        let lowest = if write { self.layout.writable } else { NULL_BYTES };
        let end = address.checked_add(size);
        if address < u64::from(lowest) || end.is_none_or(|end| end > u64::from(self.layout.end)) {
            return Err(Fault { address, size, write });
        }
        Ok(address as usize..(address + size) as usize)
    }

    /// Bytes that the guest may read. No bytes may be anywhere.
    pub fn read(&self, address: u64, size: u64) -> Result<&[u8], Fault> {
        if size == 0 {
            return Ok(&[]);
        }
        let range = self.range(address, size, false)?;
        Ok(&self.all()[range])
    }

    /// Bytes that the guest may write. No bytes may be anywhere.
    pub fn write(&mut self, address: u64, size: u64) -> Result<&mut [u8], Fault> {
        if size == 0 {
            return Ok(&mut []);
        }
        let range = self.range(address, size, true)?;
        let pages = range.start / PAGE_BYTES as usize..=(range.end - 1) / PAGE_BYTES as usize;
        self.dirty()[pages].fill(1);
        Ok(&mut self.all_mut()[range])
    }

    /// Copy bytes from where the guest may read to where it may write; the two may overlap.
    pub fn copy(&mut self, from: u64, to: u64, size: u64) -> Result<(), Fault> {
        if size > 0 {
            let from = self.range(from, size, false)?;
            self.write(to, size)?;
            self.all_mut().copy_within(from, to as usize);
        }
        Ok(())
    }

    /// A constant number of bytes.
    pub(crate) fn load<const N: usize>(&self, address: u64) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        bytes.copy_from_slice(self.read(address, N as u64)?);
        Ok(bytes)
    }

    /// As it was when it was made.
    pub(crate) fn reset(&mut self, image: &Image) {
        let mut cleaned = 0;
        let words = (self.layout.end / PAGE_BYTES).div_ceil(8) as usize;
        for word in 0..words {
            // Eight pages at a look: nearly all of them are as they were.
            if self.dirty().as_chunks::<8>().0[word] == [0; 8] {
                continue;
            }
            for page in 8 * word..8 * word + 8 {
                if self.dirty()[page] == 0 {
                    continue;
                }
                cleaned += 1;
                if cleaned == ADVISE_PAGES && self.give_back(page) {
                    return;
                }
                self.clean(page, image);
            }
        }
    }

    /// Give all pages from this one on back to the system, unless variables are among them.
    fn give_back(&mut self, page: usize) -> bool {
        let start = page * PAGE_BYTES as usize;
        if start < self.layout.stack as usize {
            return false;
        }
        let (len, start) =
            (self.layout.end as usize - start, self.base.as_ptr().wrapping_add(start));
        // SAFETY: whole pages of our own mapping, which nobody borrows; they read as zeros from
        // now on.
        let given = unsafe { madvise(start.cast(), len, Advice::LinuxDontNeed) }.is_ok();
        if given {
            self.dirty()[page..].fill(0);
        }
        given
    }

    fn clean(&mut self, page: usize, image: &Image) {
        self.dirty()[page] = 0;
        // A store is marked by its first byte: the last may lie on the page behind.
        let start = page * PAGE_BYTES as usize;
        let end = (start + PAGE_BYTES as usize + 7).min(self.layout.end as usize);
        let old = image.bytes.get(start - NULL_BYTES as usize..).unwrap_or(&[]);
        let old = &old[..old.len().min(end - start)];
        let new = &mut self.all_mut()[start..end];
        new[..old.len()].copy_from_slice(old);
        new[old.len()..].fill(0);
    }
}

/// What is mapped: behind what the guest may use lies what a masked address can reach in
/// speculation, without access.
fn reserved_bytes(layout: Layout) -> usize {
    FRONT_BYTES + layout.writable as usize + layout.mask() as usize + 1 + PAGE_BYTES as usize
}

impl Drop for Memory {
    fn drop(&mut self) {
        let len = reserved_bytes(self.layout);
        // SAFETY: exactly what `new` mapped; no borrow outlives `self`.
        let _ = unsafe { munmap(self.base.as_ptr().sub(FRONT_BYTES).cast(), len) };
    }
}
