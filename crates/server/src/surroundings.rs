//! What helpers take from the server: time, randomness, environment, log, files.

use std::time::{SystemTime, UNIX_EPOCH};

use zeroserve_archive::{EntryId, etag_of};
use zeroserve_host::{FileMetadata, RateLimiter, World};

use crate::notice::{self, Flow};
use crate::site::Generation;
use crate::view::View;

static LOG: Flow = Flow::new();

/// The world of the scripts of one generation.
pub struct Surroundings<'a> {
    generation: &'a Generation,
    limiter: &'a RateLimiter,
}

impl<'a> Surroundings<'a> {
    /// For scripts of a worker.
    pub fn new(generation: &'a Generation, view: &'a View) -> Self {
        Self { generation, limiter: &view.site().limiter }
    }

    fn find(&self, path: &str) -> Option<EntryId> {
        self.generation.archive.index().lookup(path.trim_start_matches('/'))
    }
}

impl World for Surroundings<'_> {
    fn now_ms(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0, |now| u64::try_from(now.as_millis()).unwrap_or(u64::MAX))
    }

    fn fill_random(&self, out: &mut [u8]) {
        // The one failure there can be is a kernel without the call, which runs nothing of this.
        if let Err(error) = getrandom::fill(out) {
            notice::say(&format!("no random numbers from the system: {error}"));
            std::process::abort();
        }
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn log(&self, script: &str, message: &str) {
        LOG.say(&format!("script {script}: {message}"));
    }

    fn limiter(&self) -> &RateLimiter {
        self.limiter
    }

    fn file(&self, path: &str, max_bytes: u64) -> Option<Vec<u8>> {
        let file = self.generation.archive.open_entry(self.find(path)?).ok()?;
        if file.size > max_bytes {
            return None;
        }
        let mut bytes = vec![0; file.size as usize];
        file.read_exact_at(&mut bytes, 0).ok()?;
        Some(bytes)
    }

    fn file_metadata(&self, path: &str) -> Option<FileMetadata> {
        let entry = self.generation.archive.index().entry(self.find(path)?);
        let etag = entry.digest.map(|digest| etag_of(&digest)).unwrap_or_default();
        Some(FileMetadata { size: entry.size, etag, mtime: entry.mtime })
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }
}
