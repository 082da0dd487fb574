//! A site as an index of named byte ranges: what is in a tar archive or a directory, and where.
//!
//! [`Archive::open`] takes a path and ends with an [`Index`] in memory, whichever way it came
//! about: read from the archive's own last entry ([`format`]), scanned from the headers of a
//! foreign tar ([`scan`]), or walked from a directory ([`dir`]). Nothing is unpacked. Everything
//! that is read here is hostile until checked; each refusal names the entry and its byte offset.
//!
//! This crate knows no sockets, no HTTP and no Python.

#![forbid(unsafe_code)]

mod archive;
mod check;
mod digest;
mod dir;
mod format;
mod header;
mod index;
mod links;
mod listing;
mod name;
mod pax;
mod problem;
mod scan;
mod source;

pub use archive::{Archive, EntryFile, Stamp};
pub use check::check;
pub use digest::{ContentHasher, DIGEST_LEN, Digest, digest_of, etag_of};
pub use format::{NewEntry, encode as encode_index};
pub use index::{Entry, EntryId, Index, Variant};
pub use listing::{Child, Children};
pub use name::{MAX_NAME_BYTES, RULES, is_hidden};
pub use problem::{Error, Problem, Severity, plain};
pub use source::ReadAt;

/// Where `pack` keeps the index inside an archive.
pub const INDEX_NAME: &str = ".zeroserve/index";

/// Unit of the tar format: headers are one block, data is padded to whole blocks.
pub const BLOCK: u64 = 512;

/// Scan bytes as a foreign tar archive; the door for tests and fuzzing.
pub fn scan_bytes(bytes: &[u8]) -> Result<Index, Error> {
    let scan = scan::scan(&bytes, bytes.len() as u64)?;
    scan.into_index().map(|(index, _)| index)
}

/// Read bytes as a packed archive: `None` when they carry no index in force.
pub fn read_packed(bytes: &[u8]) -> Result<Option<Index>, Error> {
    format::read(&bytes, bytes.len() as u64)
}
