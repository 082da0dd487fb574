//! What helpers take from outside.

use std::sync::Arc;

use crate::{Documents, Patterns, RateLimiter, Tables};

/// Time, randomness, environment, log, files: the server's, or a test's.
pub trait World {
    /// Milliseconds since 1970, UTC.
    fn now_ms(&self) -> u64;

    /// Nanoseconds since 1970, UTC.
    fn now_ns(&self) -> u64;

    /// Nanoseconds of a clock that is never set.
    fn monotonic_ns(&self) -> u64;

    /// Random bytes fit for keys.
    fn fill_random(&self, out: &mut [u8]);

    /// A variable that scripts may see.
    fn env(&self, name: &str) -> Option<String>;

    /// A line for the log: no control characters, not long.
    fn log(&self, script: &str, message: &str);

    /// The counts of this site, which outlive its reloads.
    fn limiter(&self) -> &RateLimiter;

    /// The tables of this site's scripts, which outlive its reloads.
    fn tables(&self) -> &Tables;

    /// What identity providers publish, as this site knows it.
    fn documents(&self) -> &Documents;

    /// The patterns of the script that runs, compiled; an own copy of this thread.
    fn patterns(&self) -> Arc<Patterns>;

    /// An entry of the site, unless it is larger. The name has no leading slash.
    fn file(&self, path: &str, max_bytes: u64) -> Option<Vec<u8>>;

    /// What is known of an entry of the site. The name has no leading slash.
    fn file_metadata(&self, path: &str) -> Option<FileMetadata>;

    /// Whether a path of the site, decoded and normalised, names anything. It has no leading slash.
    fn is_there(&self, path: &str) -> bool;

    /// Whether a password was that of a hash lately.
    fn is_right(&self, password: &[u8], hash: &str) -> bool;

    /// The server's version.
    fn version(&self) -> &str;
}

/// What is known of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileMetadata {
    /// Bytes of it.
    pub size: u64,
    /// Its entity tag, with the quotes.
    pub etag: String,
    /// Seconds since 1970 of its last change.
    pub mtime: i64,
}
