//! The server as a whole: start, reload, drain, stop.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use zeroserve_archive::Problem;

use crate::access_log::{Destination, Format, Writer};
use crate::limits::Limits;
use crate::listen::{self, Address, Bound, Unlink};
use crate::notice::plain;
use crate::peer::Front;
use crate::scripts::Object;
use crate::site::{Site, SiteOptions};
use crate::stats::WorkerStats;
use crate::tls::{self, Tls};
use crate::worker::{self, Phase, Worker};

/// Most workers; far more than any machine has cores for.
pub const MAX_WORKERS: usize = 1024;

/// All that a server is told before it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// Archive or directory.
    pub path: PathBuf,
    /// Where to listen.
    pub addresses: Vec<Address>,
    /// Where to listen for encrypted connections.
    pub tls_addresses: Vec<Address>,
    /// How those are encrypted; there are none without.
    pub tls: Option<tls::Options>,
    /// Whether plain listeners only send clients to the first encrypted one.
    pub redirect_https: bool,
    /// Seconds for which browsers shall come encrypted only, sent with encrypted responses.
    pub hsts_s: Option<u64>,
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

/// A server that runs, until it is stopped.
pub struct Server {
    site: Arc<Site>,
    tls: Option<Arc<Tls>>,
    phase: watch::Sender<Phase>,
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

/// What connections of plain and of encrypted listeners have in common.
struct Fronts {
    plain: Arc<Front>,
    secure: Arc<Front>,
}

impl Fronts {
    fn new(config: &Config, tls: &Option<Arc<Tls>>, https_port: Option<u16>) -> Self {
        let hsts = |age| format!("Strict-Transport-Security: max-age={age}\r\n");
        let header = config.hsts_s.map(hsts).unwrap_or_default();
        let plain = Front { https_port, ..Front::default() };
        let secure = Front { tls: tls.clone(), header, https_port: None };
        Self { plain: Arc::new(plain), secure: Arc::new(secure) }
    }
}

/// How many workers have not ended.
struct Running {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Server {
    /// Open the site, bind, start the workers. On failure nothing stays bound.
    pub fn start(config: Config) -> Result<Self, String> {
        let shown = config.path.display().to_string();
        let site = Site::open(config.path.clone(), config.site_options(), &config.plugins)
            .map_err(|error| format!("{shown}: {error}"))?;
        let site = Arc::new(site);
        let tls = config.tls.clone().map(Tls::new).transpose()?.map(Arc::new);
        let mut bound = Vec::new();
        for address in &config.tls_addresses {
            let mut place = listen::bind(address, config.workers)?;
            place.url.encrypted();
            bound.push(place);
        }
        let encrypted = bound.len();
        // Behind a Unix socket somebody else has the port, the usual one.
        let first_port = bound.iter().find_map(|bound| bound.url.port()).unwrap_or(443);
        let https_port = config.redirect_https.then_some(first_port);
        for address in &config.addresses {
            bound.push(listen::bind(address, config.workers)?);
        }
        // Those without come first, as on the command line.
        bound.rotate_left(encrypted);
        let fronts = Fronts::new(&config, &tls, https_port);
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
        Self::run(config, site, tls, bound, &fronts, log)
    }

    fn run(
        config: Config,
        site: Arc<Site>,
        tls: Option<Arc<Tls>>,
        mut bound: Vec<Bound>,
        fronts: &Fronts,
        log: Option<(Writer, Format)>,
    ) -> Result<Self, String> {
        let (phase, _) = watch::channel(Phase::Running);
        let running =
            Arc::new(Running { count: Mutex::new(config.workers), changed: Condvar::new() });
        let stats: Vec<_> = (0..config.workers).map(|_| Arc::new(WorkerStats::default())).collect();
        let urls = bound.iter().map(|bound| bound.url.to_string()).collect();
        let mut workers = Vec::new();
        let (reports, reported) = channel::<Result<(), String>>();
        for (number, stats) in stats.iter().enumerate() {
            let listeners = bound.iter_mut().filter_map(|bound| {
                let front = if bound.url.is_encrypted() { &fronts.secure } else { &fronts.plain };
                Some((bound.listeners.pop()?, Arc::clone(front)))
            });
            let listeners = listeners.collect();
            let (site, limits, stats) =
                (Arc::clone(&site), config.limits.clone(), Arc::clone(stats));
            let end = log.as_ref().map(|(writer, format)| writer.log(*format));
            let (receiver, running) = (phase.subscribe(), Arc::clone(&running));
            let (ready, failed) = (reports.clone(), reports.clone());
            let thread =
                std::thread::Builder::new().name(format!("zs-worker-{number}")).spawn(move || {
                    let _ended = Ended(running);
                    let worker = Worker::new(site, limits, stats, end);
                    // The receiver is gone only when another worker has failed.
                    let run = worker::run(worker, listeners, receiver, move || {
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
            tls,
            phase,
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

    /// Read the certificates anew; on failure those in force go on.
    pub fn reload_certificates(&self) -> Result<(), String> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.reload())
    }

    /// Certificates in use.
    pub fn certificates(&self) -> Vec<tls::Info> {
        self.tls.as_ref().map(|tls| tls.certificates()).unwrap_or_default()
    }

    /// Files of the certificates' directory that are not in use, and why.
    pub fn certificates_left_out(&self) -> Vec<String> {
        self.tls.as_ref().map(|tls| tls.left_out()).unwrap_or_default()
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
