//! What a running server knows of itself, for whoever asks: its sites, the counters of its workers.

use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;
use zeroserve_proxy::Shared;
use zeroserve_proxy::cache::Cache;

use crate::site::Site;
use crate::sites::Sites;
use crate::stats::{Counter, WorkerStats};
use crate::tls::{Info, Tls};
use crate::worker::Phase;

/// Shared by the server and its admin listener.
pub struct State {
    /// What is served.
    pub sites: Arc<Sites>,
    /// How connections are encrypted, if any are.
    pub tls: Option<Arc<Tls>>,
    /// What upstreams have said that others may get.
    pub cache: Option<Cache>,
    /// How upstreams are reached, and what became of requests to them.
    pub upstreams: Arc<Shared>,
    /// One for each worker.
    pub stats: Vec<Arc<WorkerStats>>,
    /// Where the listeners are reached.
    pub urls: Vec<String>,
    /// Since when it runs.
    pub started: SystemTime,
    phase: watch::Receiver<Phase>,
}

impl State {
    /// Of a server that starts now.
    pub fn new(
        sites: Arc<Sites>,
        tls: Option<Arc<Tls>>,
        cache: Option<Cache>,
        upstreams: Arc<Shared>,
        stats: Vec<Arc<WorkerStats>>,
        urls: Vec<String>,
        phase: watch::Receiver<Phase>,
    ) -> Self {
        Self { sites, tls, cache, upstreams, stats, urls, started: SystemTime::now(), phase }
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

    /// The sites of now, the one for all other hosts first.
    pub fn sites(&self) -> Vec<Arc<Site>> {
        self.sites.table().all().cloned().collect()
    }

    /// The site of a name; without one, the one for all other hosts, or the only one.
    pub fn site(&self, name: Option<&str>) -> Result<Arc<Site>, NoSite> {
        let mut sites = self.sites();
        match name {
            Some(name) => sites.into_iter().find(|site| site.name == name).ok_or(NoSite::Unknown),
            None if sites.len() == 1 => sites.pop().ok_or(NoSite::None),
            None => self.sites.get(None).ok_or(if sites.is_empty() {
                NoSite::None
            } else {
                NoSite::Several
            }),
        }
    }
}

/// Why it is not clear which site is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSite {
    /// There is none of that name.
    Unknown,
    /// There are several, and none was named.
    Several,
    /// There is none.
    None,
}

impl NoSite {
    /// For the person who asked.
    pub fn explain(self) -> &'static str {
        match self {
            Self::Unknown => "no such site",
            Self::Several => "there are several sites: name one",
            Self::None => "there is no site",
        }
    }
}
