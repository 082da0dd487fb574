//! Servers and sites.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::time::Duration;

use ipnet::IpNet;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroserve_server as server;
use zeroserve_server::access_log::{Destination, Format};
use zeroserve_server::admin::AdminConfig;
use zeroserve_server::listen::Address;
use zeroserve_server::oracle::Oracle;
use zeroserve_server::pools::{Beside, Settings};
use zeroserve_server::server::{MAX_WORKERS, Sockets, Wanted};
use zeroserve_server::site::Fallback;
use zeroserve_server::tls;
use zeroserve_server::{Config, Limits, Object, SiteOptions, Sites};
use zeroserve_vm::Engine;

use crate::configure::Reader;
use crate::oracle::Conversation;
use crate::{refuse, tuples};

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Site>()?;
    module.add_class::<Server>()
}

/// File names and ELF objects, in the order in which they run.
type Scripts = Vec<(String, Vec<u8>)>;

fn objects(scripts: Option<Scripts>) -> Vec<Object> {
    let scripts = scripts.unwrap_or_default().into_iter();
    scripts.map(|(name, bytes)| Object { name, bytes }).collect()
}

/// `192.0.2.0/24`, or one address.
fn network(text: &str) -> Result<IpNet, String> {
    let single = text.parse::<IpAddr>().map(IpNet::from);
    let whole = single.or_else(|_| text.parse::<IpNet>());
    whole.map_err(|_| format!("not a network of addresses: '{}'", text.escape_debug()))
}

/// The request pipeline without sockets.
#[pyclass(frozen)]
struct Site(Arc<Sites>);

#[pymethods]
impl Site {
    #[new]
    #[pyo3(signature = (
        path, *, index = "index.html".to_owned(), try_html = false, scripts = None,
        interpreted = false, configure = None, config = None,
    ))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        py: Python<'_>,
        path: PathBuf,
        index: String,
        try_html: bool,
        scripts: Option<Scripts>,
        interpreted: bool,
        configure: Option<Py<PyAny>>,
        config: Option<&str>,
    ) -> PyResult<Self> {
        let settings = config.map(Settings::read).transpose().map_err(refuse)?;
        let engine = if interpreted { Engine::Interpreted } else { Engine::Compiled };
        let options = SiteOptions { index, try_html, engine, ..SiteOptions::default() };
        let shown = path.display().to_string();
        let (plugins, reader) = (objects(scripts), configure.map(Reader::new));
        let site = py.detach(|| {
            let read = reader.as_ref().map(Reader::function);
            let configure = read.as_deref();
            let beside = Beside { plugins: &plugins, configure };
            server::Site::open_beside(path, options, &beside)
        });
        let site = site.map_err(|error| Reader::error(py, reader, format!("{shown}: {error}")))?;
        let sites = Sites::single(Arc::new(site));
        if let Some(settings) = settings {
            sites.configure(settings);
        }
        Ok(Self(Arc::new(sites)))
    }

    /// Bytes in as a client would send them, bytes out as it would receive them.
    #[pyo3(signature = (request, scripts = None))]
    fn exchange<'py>(
        &self,
        py: Python<'py>,
        request: Vec<u8>,
        scripts: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let site = Arc::clone(&self.0);
        let answer = match scripts.map(Conversation::new).transpose()? {
            None => py.detach(|| server::offline::converse(site, request)),
            Some(conversation) => {
                let (answer, raised) = py.detach(|| {
                    let conversation = Rc::new(conversation);
                    let oracle = Rc::clone(&conversation) as Rc<dyn Oracle>;
                    let answer = server::offline::consult(site, request, oracle);
                    (answer, conversation.raised())
                });
                if let Some(error) = raised {
                    return Err(error);
                }
                answer
            }
        };
        answer.map(|bytes| PyBytes::new(py, &bytes)).map_err(|error| refuse(error.to_string()))
    }

    /// Whether a path, decoded and normalised, finds anything; it has no leading slash.
    fn has(&self, path: &str) -> bool {
        self.0.get(None).is_some_and(|site| site.has(path))
    }

    /// The same for the first request, and what became of it and why, as JSON.
    #[pyo3(signature = (request, *, lines = false))]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        request: Vec<u8>,
        lines: bool,
    ) -> PyResult<(Bound<'py, PyBytes>, String)> {
        let site = Arc::clone(&self.0);
        let (answer, record) = py
            .detach(|| server::offline::explain(site, request, lines))
            .map_err(|error| refuse(error.to_string()))?;
        Ok((PyBytes::new(py, &answer), record.to_string()))
    }
}

/// Listeners and worker threads around sites.
#[pyclass(frozen)]
struct Server {
    config: Config,
    sites: Arc<Sites>,
    bound: Mutex<Option<Sockets>>,
    running: Mutex<Option<Arc<server::Server>>>,
}

impl Server {
    /// The lock is held while the server starts, which takes as long as its site takes to open:
    /// who asks meanwhile is answered rather than kept waiting with the GIL in hand.
    fn running(&self) -> PyResult<Arc<server::Server>> {
        let running = match self.running.try_lock() {
            Ok(running) => running.clone(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().clone(),
            Err(TryLockError::WouldBlock) => None,
        };
        running.ok_or_else(|| refuse("the server is not running"))
    }
}

#[pymethods]
impl Server {
    #[new]
    #[pyo3(signature = (
        *, addrs, threads, proxy_from = Vec::new(), index = "index.html".to_owned(),
        try_html = false, access_log = None, access_log_format = "json", limits = None,
        tls_addrs = None, certificates = None, cert_dir = None, client_ca = None,
        require_client_cert = false, redirect_https = false, hsts_s = None, admin = None,
        live = false, trusted_proxies = Vec::new(),
    ))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        addrs: Vec<String>,
        threads: usize,
        proxy_from: Vec<String>,
        index: String,
        try_html: bool,
        access_log: Option<PathBuf>,
        access_log_format: &str,
        limits: Option<BTreeMap<String, u64>>,
        tls_addrs: Option<Vec<String>>,
        certificates: Option<Vec<(PathBuf, PathBuf)>>,
        cert_dir: Option<PathBuf>,
        client_ca: Option<PathBuf>,
        require_client_cert: bool,
        redirect_https: bool,
        hsts_s: Option<u64>,
        admin: Option<(String, bool, PathBuf)>,
        live: bool,
        trusted_proxies: Vec<String>,
    ) -> PyResult<Self> {
        if !(1..=MAX_WORKERS).contains(&threads) {
            return Err(refuse(format!("threads: {threads} is not between 1 and {MAX_WORKERS}")));
        }
        if index.is_empty() || index.contains('/') {
            return Err(refuse(format!("index: '{}' is not a file name", index.escape_debug())));
        }
        let parsed = |addrs: Vec<String>| {
            let addresses: Result<Vec<_>, _> =
                addrs.iter().map(|addr| Address::parse(addr)).collect();
            addresses.map_err(|error| refuse(format!("address: {error}")))
        };
        let addresses = parsed(addrs)?;
        let tls_addresses = parsed(tls_addrs.unwrap_or_default())?;
        let tls = (!tls_addresses.is_empty()).then(|| tls::Options {
            sources: tls::Sources { pairs: certificates.unwrap_or_default(), directory: cert_dir },
            client_auth: client_ca
                .map(|authorities| tls::ClientAuth { authorities, require: require_client_cert }),
        });
        if addresses.is_empty() && tls_addresses.is_empty() {
            return Err(refuse("address: there is none to listen on"));
        }
        let proxy_from: Result<Vec<_>, _> = proxy_from.iter().map(|text| network(text)).collect();
        let proxy_from = proxy_from.map_err(refuse)?;
        let trusted_proxies: Result<Vec<_>, _> =
            trusted_proxies.iter().map(|text| network(text)).collect();
        let format = match access_log_format {
            "json" => Format::Json,
            "combined" => Format::Combined,
            other => {
                let message = format!("access log format: {other} is neither json nor combined");
                return Err(refuse(message));
            }
        };
        let access_log = access_log.map(|path| {
            let stderr = path.as_os_str() == "-";
            (if stderr { Destination::Stderr } else { Destination::File(path) }, format)
        });
        let mut values = Limits::default();
        for (name, value) in limits.unwrap_or_default() {
            values.set(&name, value).map_err(refuse)?;
        }
        let admin = match admin {
            None => None,
            Some((address, anywhere, page)) => {
                let address = Address::parse(&address);
                let address = address.map_err(|error| refuse(format!("admin: {error}")))?;
                Some(AdminConfig { address, anywhere, page })
            }
        };
        let config = Config {
            addresses,
            proxy_from,
            workers: threads,
            index,
            try_html,
            access_log,
            limits: values,
            tls_addresses,
            tls,
            redirect_https,
            hsts_s,
            admin,
            live,
            fallback: Fallback::default(),
            trusted_proxies: trusted_proxies.map_err(refuse)?,
        };
        Ok(Self {
            config,
            sites: Arc::default(),
            bound: Mutex::default(),
            running: Mutex::new(None),
        })
    }

    /// Have this upstream, named as scripts name one, answer what the sites do not have.
    fn set_fallback(&self, url: Option<String>) -> PyResult<()> {
        if let Some(url) = &url
            && let Err(error) = server::upstream_target(url)
        {
            return Err(refuse(format!("not an upstream: '{}': {error}", url.escape_debug())));
        }
        self.config.fallback.set(url);
        Ok(())
    }

    /// Bind the addresses before the start, which otherwise does it; no thread runs yet.
    fn bind(&self, py: Python<'_>) -> PyResult<()> {
        let bound = py.detach(|| {
            let mut held = self.bound.lock().unwrap_or_else(PoisonError::into_inner);
            if held.is_none() {
                *held = Some(server::Server::bind(&self.config)?);
            }
            Ok(())
        });
        bound.map_err(|error: String| refuse(error))
    }

    /// Open the site of a host, or that of all other hosts; returns its generation.
    /// `configure` makes JSON of a configuration file that the site has.
    #[pyo3(signature = (path, *, host = None, scripts = None, configure = None))]
    fn open_site(
        &self,
        py: Python<'_>,
        path: PathBuf,
        host: Option<&str>,
        scripts: Option<Scripts>,
        configure: Option<Py<PyAny>>,
    ) -> PyResult<u64> {
        let (options, plugins) = (self.config.site_options(), objects(scripts));
        let reader = configure.map(Reader::new);
        let opened = py.detach(|| {
            let read = reader.as_ref().map(Reader::function);
            let beside = Beside { plugins: &plugins, configure: read.as_deref() };
            self.sites.open(host, &path, &options, &beside)
        });
        opened.map_err(|error| Reader::error(py, reader, error))
    }

    /// What the configuration of the process says, as JSON, in place of what it said before.
    fn set_config(&self, py: Python<'_>, config: &str) -> PyResult<()> {
        let settings = Settings::read(config).map_err(refuse)?;
        py.detach(|| self.sites.configure(settings));
        Ok(())
    }

    /// Show a page with the reason for which a site's last state was refused, until one is not.
    #[pyo3(signature = (page, *, host = None))]
    fn show_failure(&self, page: String, host: Option<&str>) {
        if let Some(site) = self.sites.get(host) {
            site.fail(page);
        }
    }

    /// Answer for a host no more; whether there was a site.
    fn close_site(&self, py: Python<'_>, host: &str) -> bool {
        py.detach(|| self.sites.remove(host))
    }

    /// Generation of a site that is in force, and how many entries that has; None without a site.
    #[pyo3(signature = (host = None))]
    fn site(&self, host: Option<&str>) -> Option<(u64, usize)> {
        let site = self.sites.get(host)?;
        let current = site.current();
        Some((current.number, current.archive.index().len()))
    }

    /// Bind and start the workers; returns one URL per listener.
    fn start(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        // Errors stay text until the lock is free: making a Python exception takes the GIL.
        let started = py.detach(|| {
            let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
            if running.is_some() {
                return Err("the server was started already".to_owned());
            }
            let bound = self.bound.lock().unwrap_or_else(PoisonError::into_inner).take();
            let bound = bound.map_or_else(|| server::Server::bind(&self.config), Ok)?;
            if self.sites.table().all().next().is_none() {
                return Err("there is no site to serve".to_owned());
            }
            let server =
                server::Server::start(self.config.clone(), bound, Arc::clone(&self.sites))?;
            let urls = server.urls().to_vec();
            *running = Some(Arc::new(server));
            Ok(urls)
        });
        started.map_err(refuse)
    }

    /// Read the certificates anew.
    fn reload_certificates(&self, py: Python<'_>) -> PyResult<()> {
        let running = self.running()?;
        py.detach(|| running.reload_certificates()).map_err(refuse)
    }

    /// Certificates in use.
    fn certificates<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let class = tuples::class(py, "Certificate")?;
        let found = self.running()?.certificates();
        let rows = found.into_iter().map(|info| {
            let path = info.path.into_os_string();
            let row = (path, info.names, info.not_before_s, info.not_after_s, info.default);
            class.call1(row)
        });
        rows.collect()
    }

    /// Files of the certificates' directory that are not in use, and why.
    fn certificates_left_out(&self) -> PyResult<Vec<String>> {
        Ok(self.running()?.certificates_left_out())
    }

    /// Put the generation before of a site in force again; returns its number.
    #[pyo3(signature = (generation = None, *, site = None))]
    fn rollback(
        &self,
        py: Python<'_>,
        generation: Option<u64>,
        site: Option<&str>,
    ) -> PyResult<u64> {
        let running = self.running()?;
        py.detach(|| running.rollback(site, generation)).map_err(refuse)
    }

    /// All that there is to know, as JSON.
    fn status(&self, py: Python<'_>) -> PyResult<String> {
        let running = self.running()?;
        Ok(py.detach(|| running.status()))
    }

    /// Where the admin listener is reached.
    fn admin_url(&self) -> PyResult<Option<String>> {
        Ok(self.running()?.admin_url().map(str::to_owned))
    }

    /// Wait for what the admin listener wants done: what, and a line to go with it.
    fn next_command(&self, py: Python<'_>) -> PyResult<Option<(&'static str, String)>> {
        let running = self.running()?;
        Ok(py.detach(|| running.next_command()).map(|wanted| match wanted {
            Wanted::Reload(site) => ("reload", site),
            Wanted::Report(line) => ("report", line),
        }))
    }

    /// Say how the reload went that `next_command` asked for last.
    #[pyo3(signature = (error = None))]
    fn reloaded(&self, error: Option<String>) -> PyResult<()> {
        self.running()?.reloaded(error);
        Ok(())
    }

    /// Close the access log and open its path again.
    fn reopen_log(&self, py: Python<'_>) -> PyResult<()> {
        let running = self.running()?;
        py.detach(|| running.reopen_log());
        Ok(())
    }

    /// Stop accepting, finish what runs, end the workers; returns how many connections were cut.
    fn stop(&self, py: Python<'_>, drain_s: f64) -> PyResult<usize> {
        let drain = Duration::try_from_secs_f64(drain_s)
            .map_err(|_| refuse(format!("drain time: {drain_s} is not a number of seconds")))?;
        let running = self.running()?;
        Ok(py.detach(|| running.stop(drain)))
    }

    /// Whether all workers have turned their loops since this was asked last.
    fn is_turning(&self) -> PyResult<bool> {
        Ok(self.running()?.is_turning())
    }

    /// Entries that the generation in force of a site leaves out.
    #[pyo3(signature = (host = None))]
    fn warnings<'py>(
        &self,
        py: Python<'py>,
        host: Option<&str>,
    ) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let site = self.sites.get(host).ok_or_else(|| refuse("there is no such site"))?;
        tuples::problems(py, site.current().archive.warnings())
    }

    /// Counters since the start.
    fn stats(&self) -> PyResult<BTreeMap<&'static str, u64>> {
        Ok(self.running()?.stats())
    }
}
