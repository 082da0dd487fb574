//! The server as a whole: start, reload, drain, stop.

use std::collections::BTreeMap;
use std::fs::File;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ipnet::IpNet;
use tokio::sync::{oneshot, watch};
use zeroserve_proxy::cache::Cache;
use zeroserve_proxy::{Shared, Upstreams};

use crate::access_log::{Destination, Format, Writer};
use crate::admin::{Admin, AdminConfig, Command};
use crate::crew::Crew;
use crate::limits::Limits;
use crate::listen::{self, Address, Bound, Unlink};
use crate::notice::plain;
use crate::peer::Front;
use crate::site::{Fallback, Site, SiteOptions};
use crate::sites::Sites;
use crate::state::State;
use crate::stats::WorkerStats;
use crate::status;
use crate::tls::{self, Tls};
use crate::worker::{self, Entrance, Phase, Worker};

/// Commands of the admin listener that may wait; a reload takes seconds at most.
const MAX_COMMANDS: usize = 16;

/// Time that the admin listener has for its last answers once the workers have ended.
const ADMIN_DRAIN_TIME: Duration = Duration::from_millis(250);

/// Most workers; far more than any machine has cores for.
pub const MAX_WORKERS: usize = 1024;

/// All that a server is told before it starts.
#[derive(Clone, Debug)]
pub struct Config {
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
    /// Admin listener, or none.
    pub admin: Option<AdminConfig>,
    /// Whether browsers on this machine hear of changes of directories.
    pub live: bool,
    /// The upstream that answers what the sites do not have, as scripts name upstreams.
    pub fallback: Fallback,
    /// Proxies in front of this server, whose word about clients counts.
    pub trusted_proxies: Vec<IpNet>,
}

impl Config {
    /// How names are found.
    pub fn site_options(&self) -> SiteOptions {
        SiteOptions {
            index: self.index.clone(),
            try_html: self.try_html,
            max_cache_bytes: self.limits.max_cache_bytes,
            keep_generations: self.limits.keep_generations as usize,
            live: self.live,
            fallback: self.fallback.clone(),
            ..SiteOptions::default()
        }
    }
}

/// All sockets of a server, bound before it starts: later it may have no right to.
pub struct Sockets {
    /// One for each address, plain ones first.
    addresses: Vec<Bound>,
    admin: Option<Bound>,
    /// What the system tells of this process: a sandbox puts it out of reach.
    memory: Option<File>,
    /// Name servers and authorities of the system, likewise.
    upstreams: Arc<Shared>,
}

/// A server that runs, until it is stopped.
pub struct Server {
    state: Arc<State>,
    phase: watch::Sender<Phase>,
    pulse: watch::Sender<u64>,
    log: Mutex<Option<Writer>>,
    admin: Option<RunningAdmin>,
    workers: Mutex<Vec<JoinHandle<usize>>>,
    running: Arc<Running>,
    unlink: Mutex<Vec<Unlink>>,
}

/// What connections of plain and of encrypted listeners have in common.
struct Fronts {
    plain: Arc<Front>,
    secure: Arc<Front>,
    /// The same for listeners that only this machine reaches, if browsers there hear of changes.
    own: Option<(Arc<Front>, Arc<Front>)>,
}

impl Fronts {
    fn new(config: &Config, tls: &Option<Arc<Tls>>, https_port: Option<u16>) -> Self {
        let hsts = |age| format!("Strict-Transport-Security: max-age={age}\r\n");
        let header = config.hsts_s.map(hsts).unwrap_or_default();
        let make = |live| {
            let plain = Front { https_port, live, ..Front::default() };
            let (tls, header) = (tls.clone(), header.clone());
            (Arc::new(plain), Arc::new(Front { tls, header, https_port: None, live }))
        };
        let (plain, secure) = make(false);
        Self { plain, secure, own: config.live.then(|| make(true)) }
    }

    fn of(&self, bound: &Bound) -> &Arc<Front> {
        // What is behind a balancer says who comes, and may be on another machine.
        let own = self.own.as_ref().filter(|_| bound.url.is_loopback() && !bound.proxied);
        let (plain, secure) = own.map_or((&self.plain, &self.secure), |(p, s)| (p, s));
        if bound.url.is_encrypted() { secure } else { plain }
    }
}

/// The admin listener's thread, and what it wants done.
struct RunningAdmin {
    url: String,
    phase: watch::Sender<Phase>,
    thread: Mutex<Option<JoinHandle<usize>>>,
    running: Arc<Running>,
    commands: Mutex<Receiver<Command>>,
    /// Who waits for the command that was handed out last.
    waiting: Mutex<Option<oneshot::Sender<Option<String>>>>,
    unlink: Mutex<Option<Unlink>>,
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
        let mut addresses = Vec::new();
        for address in &config.addresses {
            addresses.push(bind(address)?);
        }
        for address in &config.tls_addresses {
            let mut bound = bind(address)?;
            bound.url.encrypted();
            addresses.push(bound);
        }
        let mut admin = None;
        if let Some(wanted) = &config.admin {
            let bound = listen::bind(&wanted.address, 1)?;
            wanted.check(&bound.url)?;
            admin = Some(bound);
        }
        let memory = admin.as_ref().and_then(|_| File::open("/proc/self/status").ok());
        Ok(Sockets { addresses, admin, memory, upstreams: Arc::new(Shared::new()) })
    }

    /// Start the workers for these sites. On failure nothing stays bound.
    pub fn start(config: Config, sockets: Sockets, sites: Arc<Sites>) -> Result<Self, String> {
        let tls = config.tls.clone().map(Tls::new).transpose()?.map(Arc::new);
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
        let Sockets { addresses, admin, memory, upstreams } = sockets;
        let mut https = addresses.iter().filter(|bound| bound.url.is_encrypted());
        // Behind a Unix socket somebody else has the port, the usual one.
        let first_port = https.find_map(|bound| bound.url.port()).unwrap_or(443);
        let https_port = config.redirect_https.then_some(first_port);
        let fronts = Fronts::new(&config, &tls, https_port);
        let admin = config.admin.clone().zip(admin);
        let mut server = Self::run(config, sites, tls, (addresses, upstreams), &fronts, log)?;
        if let Some((config, bound)) = admin {
            // What fails here ends the workers as it is dropped.
            server.admin = Some(RunningAdmin::start(&config, bound, memory, &server.state)?);
        }
        Ok(server)
    }

    fn run(
        config: Config,
        sites: Arc<Sites>,
        tls: Option<Arc<Tls>>,
        (mut bound, upstreams): (Vec<Bound>, Arc<Shared>),
        fronts: &Fronts,
        log: Option<(Writer, Format)>,
    ) -> Result<Self, String> {
        let (phase, _) = watch::channel(Phase::Running);
        let (pulse, _) = watch::channel(0);
        let proxy_from: Arc<[IpNet]> = config.proxy_from.as_slice().into();
        let trusted: Arc<[IpNet]> = config.trusted_proxies.as_slice().into();
        let running =
            Arc::new(Running { count: Mutex::new(config.workers), changed: Condvar::new() });
        let stats: Vec<_> = (0..config.workers).map(|_| Arc::new(WorkerStats::default())).collect();
        let urls = bound.iter().map(|bound| bound.url.to_string()).collect();
        let mut workers = Vec::new();
        let (reports, reported) = channel::<Result<(), String>>();
        let mut seats = Vec::new();
        if config.workers > 1 {
            seats = Crew::assemble(&stats);
            // They are taken from the back.
            seats.reverse();
        }
        let budget = config.limits.cache_bytes;
        let cache = (budget > 0).then(|| Cache::new(budget));
        for (number, stats) in stats.iter().enumerate() {
            let entrance = |bound: &mut Bound| {
                let front = Arc::clone(fronts.of(bound));
                let listener = bound.listeners.pop()?;
                Some(Entrance { listener, front, proxied: bound.proxied })
            };
            let entrances = bound.iter_mut().filter_map(entrance).collect();
            let (sites, limits, stats) =
                (Arc::clone(&sites), config.limits.clone(), Arc::clone(stats));
            let end = log.as_ref().map(|(writer, format)| writer.log(*format));
            let (receiver, running) = (phase.subscribe(), Arc::clone(&running));
            let (beats, proxy_from) = (pulse.subscribe(), Arc::clone(&proxy_from));
            let (trusted, upstreams) = (Arc::clone(&trusted), Arc::clone(&upstreams));
            let (seat, cache) = (seats.pop(), cache.clone());
            let (ready, failed) = (reports.clone(), reports.clone());
            let thread =
                std::thread::Builder::new().name(format!("zs-worker-{number}")).spawn(move || {
                    let _ended = Ended(running);
                    let health = (number == 0).then(|| Arc::clone(&sites));
                    let mut worker = Worker::new(sites, limits, stats, end);
                    worker.health = health;
                    worker.proxy_from = proxy_from;
                    worker.cache = cache;
                    worker.trusted_proxies = trusted;
                    worker.upstreams = Upstreams::new(upstreams).into();
                    if let Some((seat, arrivals)) = seat {
                        (worker.seat, worker.arrivals) = (Some(seat), Some(arrivals).into());
                    }
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
        let state =
            Arc::new(State::new(sites, tls, cache, upstreams, stats, urls, phase.subscribe()));
        Ok(Self {
            state,
            phase,
            pulse,
            log: Mutex::new(log.map(|(writer, _)| writer)),
            admin: None,
            workers: Mutex::new(workers),
            running,
            unlink: Mutex::new(unlink),
        })
    }

    /// Where the listeners are reached, in the order of the addresses.
    pub fn urls(&self) -> &[String] {
        &self.state.urls
    }

    /// Where the admin listener is reached.
    pub fn admin_url(&self) -> Option<&str> {
        self.admin.as_ref().map(|admin| admin.url.as_str())
    }

    /// Read the certificates anew; on failure those in force go on.
    pub fn reload_certificates(&self) -> Result<(), String> {
        self.state.tls.as_ref().map_or(Ok(()), |tls| tls.reload())
    }

    /// Certificates in use.
    pub fn certificates(&self) -> Vec<tls::Info> {
        self.state.certificates()
    }

    /// Files of the certificates' directory that are not in use, and why.
    pub fn certificates_left_out(&self) -> Vec<String> {
        self.state.tls.as_ref().map(|tls| tls.left_out()).unwrap_or_default()
    }

    /// Put the generation before of a site in force again, without waiting for a reload that is
    /// under way.
    pub fn rollback(&self, site: Option<&str>, seen: Option<u64>) -> Result<u64, String> {
        let site = self.state.site(site).map_err(|why| why.explain().to_owned())?;
        let back = site.rollback(seen);
        back.map_err(|why| format!("{}: {}", site.path().display(), why.explain()))
    }

    /// All that there is to know, as JSON.
    pub fn status(&self) -> String {
        status::status(&self.state).to_string()
    }

    /// Wait for what the admin listener wants done; `None` when it has ended or there is none.
    pub fn next_command(&self) -> Option<Wanted> {
        let admin = self.admin.as_ref()?;
        match lock(&admin.commands).recv().ok()? {
            Command::Report(line) => Some(Wanted::Report(line)),
            Command::Reload(site, sender) => {
                *lock(&admin.waiting) = Some(sender);
                Some(Wanted::Reload(site))
            }
        }
    }

    /// Say how the reload went that [`Server::next_command`] asked for last.
    pub fn reloaded(&self, error: Option<String>) {
        let waiting = self.admin.as_ref().and_then(|admin| lock(&admin.waiting).take());
        if let Some(waiting) = waiting {
            // Who asked may be gone.
            let _ = waiting.send(error);
        }
    }

    /// Open the access log's path again.
    pub fn reopen_log(&self) {
        if let Some(writer) = lock(&self.log).as_ref() {
            writer.reopen();
        }
    }

    /// Whether all workers have turned their loops since this was asked last. Each is asked for a
    /// sign of life, which it gives between two tasks: an idle one too, a stuck one never.
    pub fn is_turning(&self) -> bool {
        let asked = *self.pulse.borrow();
        let all = self.state.stats.iter().all(|stats| stats.pulse.get() == asked);
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
        self.running.wait(Instant::now() + drain, || *self.phase.borrow() < Phase::Stopping);
        self.phase.send_replace(Phase::Stopping);
        self.running.changed.notify_all();
        let workers = std::mem::take(&mut *lock(&self.workers));
        let cut = workers.into_iter().map(|worker| worker.join().unwrap_or(0)).sum();
        if let Some(writer) = lock(&self.log).take() {
            writer.finish();
        }
        lock(&self.unlink).clear();
        if let Some(admin) = &self.admin {
            admin.stop();
        }
        cut
    }

    /// Counters since the start, by name.
    pub fn stats(&self) -> BTreeMap<&'static str, u64> {
        let state = &self.state;
        let sites = state.sites();
        let of_sites = |of: &dyn Fn(&Site) -> u64| sites.iter().map(|site| of(site)).sum();
        BTreeMap::from([
            ("requests", state.sum(|s| &s.requests)),
            ("responses_2xx", state.sum(|s| &s.responses[0])),
            ("responses_3xx", state.sum(|s| &s.responses[1])),
            ("responses_4xx", state.sum(|s| &s.responses[2])),
            ("responses_5xx", state.sum(|s| &s.responses[3])),
            ("bytes_sent", state.sum(|s| &s.bytes_sent)),
            ("connections_open", state.sum(|s| &s.connections_open)),
            ("connections_accepted", state.sum(|s| &s.connections_accepted)),
            ("proxy_headers_refused", state.sum(|s| &s.proxy_headers_refused)),
            ("log_lines_dropped", state.sum(|s| &s.log_lines_dropped)),
            ("script_runs", state.sum(|s| &s.script_runs)),
            ("script_traps", state.sum(|s| &s.script_traps)),
            ("generation", state.sites.get(None).map_or(0, |site| site.number())),
            ("sites", sites.len() as u64),
            ("entries", of_sites(&|site| site.current().archive.index().len() as u64)),
            ("reloads_ok", of_sites(&|site| site.reloads_ok.load(Ordering::Relaxed))),
            ("reloads_failed", of_sites(&|site| site.reloads_failed.load(Ordering::Relaxed))),
            ("rollbacks", of_sites(&|site| site.rollbacks.load(Ordering::Relaxed))),
        ])
    }
}

/// What the admin listener wants done.
pub enum Wanted {
    /// Open the site of this name anew, then call [`Server::reloaded`].
    Reload(String),
    /// Tell the operator.
    Report(String),
}

impl RunningAdmin {
    fn start(
        config: &AdminConfig,
        mut bound: Bound,
        memory: Option<File>,
        state: &Arc<State>,
    ) -> Result<Self, String> {
        let shown = config.page.display();
        let page = Site::open(config.page.clone(), config.site_options(), &[])
            .map_err(|error| format!("admin: {shown}: {error}"))?;
        let (page, url, limits) = (Arc::new(page), bound.url.clone(), config.limits());
        let (commands, wanted) = sync_channel(MAX_COMMANDS);
        let listeners = std::mem::take(&mut bound.listeners);
        let entrance = |listener| Entrance { listener, front: Arc::default(), proxied: false };
        let entrances = listeners.into_iter().map(entrance).collect();
        // Nobody asks it for signs of life.
        let (_, pulse) = watch::channel(0);
        let admin = Admin::new(config, &url, Arc::clone(state), commands, memory);
        let (phase, receiver) = watch::channel(Phase::Running);
        let running = Arc::new(Running { count: Mutex::new(1), changed: Condvar::new() });
        let ended = Ended(Arc::clone(&running));
        let (ready, reported) = channel::<Result<(), String>>();
        let thread = std::thread::Builder::new().name("zs-admin".into()).spawn(move || {
            let _ended = ended;
            let sites = Arc::new(Sites::single(page));
            let mut worker = Worker::new(sites, limits, Arc::default(), None);
            worker.endpoints = Some(Box::new(admin));
            let failed = ready.clone();
            let run = worker::run(worker, entrances, receiver, pulse, move || {
                let _ = ready.send(Ok(()));
            });
            run.unwrap_or_else(|error| {
                let _ = failed.send(Err(plain(&error)));
                0
            })
        });
        let thread = thread.map_err(|error| format!("can't start the admin: {}", plain(&error)))?;
        match reported.recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(format!("can't start the admin: {error}")),
            Err(_) => return Err("can't start the admin: its thread ended".to_owned()),
        }
        Ok(Self {
            url: url.to_string(),
            phase,
            thread: Mutex::new(Some(thread)),
            running,
            commands: Mutex::new(wanted),
            waiting: Mutex::default(),
            unlink: Mutex::new(bound.unlink.take()),
        })
    }

    /// End it, after a moment for what it is answering.
    fn stop(&self) {
        self.phase.send_replace(Phase::Draining);
        self.running.wait(Instant::now() + ADMIN_DRAIN_TIME, || true);
        self.phase.send_replace(Phase::Stopping);
        if let Some(thread) = lock(&self.thread).take() {
            let _ = thread.join();
        }
        lock(&self.unlink).take();
    }
}

impl Running {
    /// Until all have ended, the time is over, or there is no reason any more.
    fn wait(&self, end: Instant, reason: impl Fn() -> bool) {
        let mut count = lock(&self.count);
        while *count > 0 && reason() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.changed.wait_timeout(count, left);
            count = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
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
