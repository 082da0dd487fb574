//! What a running server knows of itself, for whoever asks: the counters of its workers, its site,
//! how reloads went.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use tokio::sync::watch;

use crate::site::{NoRollback, Site};
use crate::stats::{Counter, WorkerStats};
use crate::tls::{Info, Tls};
use crate::worker::Phase;

/// Shared by the server and its admin listener.
pub struct State {
    /// What is served.
    pub site: Arc<Site>,
    /// How connections are encrypted, if any are.
    pub tls: Option<Arc<Tls>>,
    /// What the site is called in metrics and requests: the last part of its path.
    pub name: String,
    /// One for each worker.
    pub stats: Vec<Arc<WorkerStats>>,
    /// Where the listeners are reached.
    pub urls: Vec<String>,
    /// Since when it runs.
    pub started: SystemTime,
    /// Reloads that put a new generation in force.
    pub reloads_ok: AtomicU64,
    /// Reloads that were refused.
    pub reloads_failed: AtomicU64,
    /// Roll backs that put an earlier generation in force.
    pub rollbacks: AtomicU64,
    phase: watch::Receiver<Phase>,
}

impl State {
    /// Of a server that starts now.
    pub fn new(
        site: Arc<Site>,
        tls: Option<Arc<Tls>>,
        stats: Vec<Arc<WorkerStats>>,
        urls: Vec<String>,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        Self {
            name: name(site.path()),
            site,
            tls,
            stats,
            urls,
            started: SystemTime::now(),
            reloads_ok: AtomicU64::new(0),
            reloads_failed: AtomicU64::new(0),
            rollbacks: AtomicU64::new(0),
            phase,
        }
    }

    /// Whether no new connections are taken.
    pub fn is_draining(&self) -> bool {
        *self.phase.borrow() >= Phase::Draining
    }

    /// Certificates in use.
    pub fn certificates(&self) -> Vec<Info> {
        self.tls.as_ref().map(|tls| tls.certificates()).unwrap_or_default()
    }

    /// A counter of all workers together.
    pub fn sum<'a>(&'a self, of: impl Fn(&'a WorkerStats) -> &'a Counter) -> u64 {
        self.stats.iter().map(|stats| of(stats).get()).fold(0, u64::wrapping_add)
    }

    /// As [`Site::rollback`], and counted.
    pub fn rollback(&self, seen: Option<u64>) -> Result<u64, NoRollback> {
        let number = self.site.rollback(seen)?;
        self.rollbacks.fetch_add(1, Ordering::Relaxed);
        Ok(number)
    }
}

fn name(path: &Path) -> String {
    // A path like `.` or `..` has no last part of its own.
    let own = path.file_name().map(|name| name.to_string_lossy().into_owned());
    own.unwrap_or_else(|| path.display().to_string())
}
