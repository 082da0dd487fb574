//! What helpers take from the server: time, randomness, environment, log, files.

use std::cell::Cell;
use std::sync::{Arc, LazyLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use zeroserve_archive::{EntryId, etag_of};
use zeroserve_host::{Documents, FileMetadata, Patterns, RateLimiter, Tables, World};

use crate::notice::{self, Flow};
use crate::passwords;
use crate::scripts::Script;
use crate::site::Generation;
use crate::view::View;

static LOG: Flow = Flow::new();

/// What the clock counts from that is never set.
static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

/// The world of the scripts of one generation.
pub struct Surroundings<'a> {
    generation: &'a Generation,
    view: &'a View,
    /// The script that runs.
    script: Cell<usize>,
}

impl<'a> Surroundings<'a> {
    /// For scripts of a worker.
    pub fn new(generation: &'a Generation, view: &'a View) -> Self {
        Self { generation, view, script: Cell::new(0) }
    }

    /// Another script runs from here on.
    #[inline]
    pub fn enter(&self, script: usize) {
        self.script.set(script);
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

    fn now_ns(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX))
    }

    fn monotonic_ns(&self) -> u64 {
        u64::try_from(STARTED.elapsed().as_nanos()).unwrap_or(u64::MAX)
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
        &self.view.site().limiter
    }

    fn tables(&self) -> &Tables {
        &self.view.site().tables
    }

    fn documents(&self) -> &Documents {
        &self.view.site().documents
    }

    fn patterns(&self) -> Arc<Patterns> {
        let script = self.script.get();
        let scripts = self.generation.scripts.as_ref();
        match scripts.and_then(|scripts| scripts.list.get(script)) {
            Some(Script { patterns, .. }) => {
                self.view.patterns(self.generation.number, script, patterns)
            }
            None => Arc::default(),
        }
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

    fn is_right(&self, password: &[u8], hash: &str) -> bool {
        passwords::is_remembered(password, hash)
    }

    fn is_there(&self, path: &str) -> bool {
        self.view.is_there(self.generation, path)
    }

    fn version(&self) -> &str {
        env!("CARGO_PKG_VERSION")
    }
}
