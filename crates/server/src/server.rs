//! The server as a whole: start, reload, drain, stop.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::watch;
use zeroserve_archive::Problem;

use crate::access_log::{Destination, Format, Writer};
use crate::limits::Limits;
use crate::listen::{self, Address, Bound, Unlink};
use crate::notice::plain;
use crate::scripts::Object;
use crate::site::{Site, SiteOptions};
use crate::stats::WorkerStats;
use crate::worker::{self, Entrance, Phase, Worker};

/// Most workers; far more than any machine has cores for.
pub const MAX_WORKERS: usize = 1024;

/// All that a server is told before it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Archive or directory.
    pub path: PathBuf,
    /// Where to listen.
    pub addresses: Vec<Address>,
    /// Who may send PROXY headers where they are expected; anybody when it is empty.
    pub proxy_from: Vec<IpNet>,
    /// Worker threads.
    pub workers: usize,
    /// Document that stands for a directory.
    pub index: String,
    /// Whether `/page` may mean `page.html`.
    pub try_html: bool,
    /// Access log, or none.
    pub access_log: Option<(Destination, Format)>,
    /// Limits.
    pub limits: Limits,
    /// Scripts that run before those of the archive.
    pub plugins: Vec<Object>,
}

impl Config {
    /// How names are found.
    pub fn site_options(&self) -> SiteOptions {
        SiteOptions {
            index: self.index.clone(),
            try_html: self.try_html,
            max_cache_bytes: self.limits.max_cache_bytes,
        }
    }
}

/// All sockets of a server, bound before it starts: later it may have no right to.
pub struct Sockets {
    /// One for each address.
    addresses: Vec<Bound>,
}

/// A server that runs, until it is stopped.
pub struct Server {
    site: Arc<Site>,
    phase: watch::Sender<Phase>,
    pulse: watch::Sender<u64>,
    stats: Vec<Arc<WorkerStats>>,
    urls: Vec<String>,
    log: Mutex<Option<Writer>>,
    reloading: Mutex<()>,
    reloads_ok: AtomicU64,
    reloads_failed: AtomicU64,
    workers: Mutex<Vec<JoinHandle<usize>>>,
    running: Arc<Running>,
    unlink: Mutex<Vec<Unlink>>,
}

/// How many workers have not ended.
struct Running {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Server {
    /// Bind all addresses. Between this and [`Server::start`] no thread of the server runs: the
    /// time to give up privileges.
    pub fn bind(config: &Config) -> Result<Sockets, String> {
        let bind = |address| listen::bind(address, config.workers);
        let addresses: Result<_, _> = config.addresses.iter().map(bind).collect();
        Ok(Sockets { addresses: addresses? })
    }

    /// Open the site and start the workers. On failure nothing stays bound.
    pub fn start(config: Config, sockets: Sockets) -> Result<Self, String> {
        let shown = config.path.display().to_string();
        let site = Site::open(config.path.clone(), config.site_options(), &config.plugins)
            .map_err(|error| format!("{shown}: {error}"))?;
        let site = Arc::new(site);
        let log = match config.access_log.clone() {
            None => None,
            Some((destination, format)) => {
                let shown = format!("{destination:?}");
                let writer = Writer::start(destination.clone()).map_err(|error| {
                    let path = match &destination {
                        Destination::File(path) => path.display().to_string(),
                        Destination::Stderr => shown,
                    };
                    format!("can't open the access log {path}: {}", plain(&error))
                })?;
                Some((writer, format))
            }
        };
        Self::run(config, site, sockets.addresses, log)
    }

    fn run(
        config: Config,
        site: Arc<Site>,
        mut bound: Vec<Bound>,
        log: Option<(Writer, Format)>,
    ) -> Result<Self, String> {
        let (phase, _) = watch::channel(Phase::Running);
        let (pulse, _) = watch::channel(0);
        let proxy_from: Arc<[IpNet]> = config.proxy_from.as_slice().into();
        let running =
            Arc::new(Running { count: Mutex::new(config.workers), changed: Condvar::new() });
        let stats: Vec<_> = (0..config.workers).map(|_| Arc::new(WorkerStats::default())).collect();
        let urls = bound.iter().map(|bound| bound.url.to_string()).collect();
        let mut workers = Vec::new();
        let (reports, reported) = channel::<Result<(), String>>();
        for (number, stats) in stats.iter().enumerate() {
            let entrance = |bound: &mut Bound| {
                let listener = bound.listeners.pop()?;
                Some(Entrance { listener, proxied: bound.proxied })
            };
            let entrances = bound.iter_mut().filter_map(entrance).collect();
            let (site, limits, stats) =
                (Arc::clone(&site), config.limits.clone(), Arc::clone(stats));
            let end = log.as_ref().map(|(writer, format)| writer.log(*format));
            let (receiver, running) = (phase.subscribe(), Arc::clone(&running));
            let (beats, proxy_from) = (pulse.subscribe(), Arc::clone(&proxy_from));
            let (ready, failed) = (reports.clone(), reports.clone());
            let thread =
                std::thread::Builder::new().name(format!("zs-worker-{number}")).spawn(move || {
                    let _ended = Ended(running);
                    let mut worker = Worker::new(site, limits, stats, end);
                    worker.proxy_from = proxy_from;
                    // The receiver is gone only when another worker has failed.
                    let run = worker::run(worker, entrances, receiver, beats, move || {
                        let _ = ready.send(Ok(()));
                    });
                    run.unwrap_or_else(|error| {
                        let _ = failed.send(Err(plain(&error)));
                        0
                    })
                });
            match thread {
                Ok(thread) => workers.push(thread),
                Err(error) => {
                    let _ = reports.send(Err(plain(&error)));
                    break;
                }
            }
        }
        // A worker that ends without a report must not keep us waiting.
        drop(reports);
        let started = (0..config.workers)
            .try_for_each(|_| reported.recv().unwrap_or_else(|_| Err("a worker ended".to_owned())));
        if let Err(error) = started {
            phase.send_replace(Phase::Stopping);
            for worker in workers {
                let _ = worker.join();
            }
            return Err(format!("can't start {} workers: {error}", config.workers));
        }
        let unlink = bound.iter_mut().filter_map(|bound| bound.unlink.take()).collect();
        Ok(Self {
            site,
            phase,
            pulse,
            stats,
            urls,
            log: Mutex::new(log.map(|(writer, _)| writer)),
            reloading: Mutex::new(()),
            reloads_ok: AtomicU64::new(0),
            reloads_failed: AtomicU64::new(0),
            workers: Mutex::new(workers),
            running,
            unlink: Mutex::new(unlink),
        })
    }

    /// Where the listeners are reached, in the order of the addresses.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Open the site anew, with scripts that run before its own; on failure the generation in force
    /// goes on.
    pub fn reload(&self, plugins: &[Object]) -> Result<u64, String> {
        let _one_at_a_time = lock(&self.reloading);
        match self.site.reload(plugins) {
            Ok(number) => {
                self.reloads_ok.fetch_add(1, Ordering::Relaxed);
                Ok(number)
            }
            Err(error) => {
                self.reloads_failed.fetch_add(1, Ordering::Relaxed);
                Err(format!("{}: {error}", self.site.path().display()))
            }
        }
    }

    /// Open the access log's path again.
    pub fn reopen_log(&self) {
        if let Some(writer) = lock(&self.log).as_ref() {
            writer.reopen();
        }
    }

    /// What the generation in force leaves out.
    pub fn warnings(&self) -> Vec<Problem> {
        self.site.current().archive.warnings().to_vec()
    }

    /// Whether all workers have turned their loops since this was asked last. Each is asked for a
    /// sign of life, which it gives between two tasks: an idle one too, a stuck one never.
    pub fn is_turning(&self) -> bool {
        let asked = *self.pulse.borrow();
        let all = self.stats.iter().all(|stats| stats.pulse.get() == asked);
        self.pulse.send_replace(asked + 1);
        // Workers that have ended while the server drains are missed by nobody.
        all || *self.phase.borrow() != Phase::Running
    }

    /// Stop accepting, wait up to `drain` for what runs, end the workers; returns how many
    /// connections were cut. A second call with no time ends the first one's wait.
    pub fn stop(&self, drain: Duration) -> usize {
        self.phase.send_if_modified(|phase| {
            let begin = *phase == Phase::Running;
            if begin {
                *phase = Phase::Draining;
            }
            begin
        });
        let end = Instant::now() + drain;
        let mut count = lock(&self.running.count);
        while *count > 0 && *self.phase.borrow() < Phase::Stopping {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.running.changed.wait_timeout(count, left);
            count = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(count);
        self.phase.send_replace(Phase::Stopping);
        self.running.changed.notify_all();
        let workers = std::mem::take(&mut *lock(&self.workers));
        let cut = workers.into_iter().map(|worker| worker.join().unwrap_or(0)).sum();
        if let Some(writer) = lock(&self.log).take() {
            writer.finish();
        }
        lock(&self.unlink).clear();
        cut
    }

    /// Counters since the start, by name.
    pub fn stats(&self) -> BTreeMap<&'static str, u64> {
        let sum = |of: &dyn Fn(&WorkerStats) -> u64| self.stats.iter().map(|s| of(s)).sum::<u64>();
        BTreeMap::from([
            ("requests", sum(&|s| s.requests.get())),
            ("responses_2xx", sum(&|s| s.responses[0].get())),
            ("responses_3xx", sum(&|s| s.responses[1].get())),
            ("responses_4xx", sum(&|s| s.responses[2].get())),
            ("responses_5xx", sum(&|s| s.responses[3].get())),
            ("bytes_sent", sum(&|s| s.bytes_sent.get())),
            ("connections_open", sum(&|s| s.connections_open.get())),
            ("connections_accepted", sum(&|s| s.connections_accepted.get())),
            ("proxy_headers_refused", sum(&|s| s.proxy_headers_refused.get())),
            ("log_lines_dropped", sum(&|s| s.log_lines_dropped.get())),
            ("generation", self.site.number()),
            ("entries", self.site.current().archive.index().len() as u64),
            ("reloads_ok", self.reloads_ok.load(Ordering::Relaxed)),
            ("reloads_failed", self.reloads_failed.load(Ordering::Relaxed)),
        ])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

struct Ended(Arc<Running>);

impl Drop for Ended {
    fn drop(&mut self) {
        *lock(&self.0.count) -= 1;
        self.0.changed.notify_all();
    }
}

/// A panic while one of our locks was held leaves plain values behind that are fit for use.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
