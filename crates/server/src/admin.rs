//! The admin listener: what an operator and a monitoring system ask of a running server.
//!
//! A worker of its own on a thread of its own, with the page as its site, so that it answers while
//! the other workers are busy and counts nothing into their statistics. Nobody has to log in: who
//! reaches the address may use it. What is refused here is what the browser of somebody who does
//! could be talked into by another site.

use std::fs::File;
use std::net::IpAddr;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use zeroserve_http::request::Target;
use zeroserve_http::{Method, Request};
use zeroserve_proxy::cache::{Purge, What};

use crate::endpoints::{Endpoints, Made, Reply};
use crate::limits::Limits;
use crate::listen::{Address, Url};
use crate::metrics::{self, Facts};
use crate::pools;
use crate::site::{Site, SiteOptions};
use crate::state::{NoSite, State};
use crate::status;

/// Most connections to the admin listener.
const MAX_ADMIN_CONNECTIONS: u64 = 256;

/// Longest body of a request to it: a few names.
const MAX_ADMIN_BODY_BYTES: u64 = 64 * 1024;

/// Memory for the files of the page.
const ADMIN_CACHE_BYTES: u64 = 1024 * 1024;

/// What a request that changes something has to carry. Another site can't have a browser send it
/// without asking first, and is told nothing that would allow it.
pub const HEADER: &str = "X-Zeroserve-Admin";

/// The page loads and asks nothing but what is here, and stands in no other page.
const FIELDS: &str = "Content-Security-Policy: default-src 'none'; script-src 'self'; \
    style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'\r\n\
    Referrer-Policy: no-referrer\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\n";

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Where and what the admin listener serves.
#[derive(Clone, Debug)]
pub struct AdminConfig {
    /// Where to listen.
    pub address: Address,
    /// Whether other machines may reach it.
    pub anywhere: bool,
    /// Directory of the page.
    pub page: PathBuf,
}

impl AdminConfig {
    /// How the files of the page are found.
    pub fn site_options(&self) -> SiteOptions {
        SiteOptions { max_cache_bytes: ADMIN_CACHE_BYTES, ..SiteOptions::default() }
    }

    /// What its clients may do.
    pub fn limits(&self) -> Limits {
        Limits {
            max_connections: MAX_ADMIN_CONNECTIONS,
            max_body_bytes: MAX_ADMIN_BODY_BYTES,
            ..Limits::default()
        }
    }

    /// Refuses an address that other machines reach, unless that was asked for.
    pub fn check(&self, url: &Url) -> Result<(), String> {
        match url {
            Url::Tcp(address, _)
                if !self.anywhere && !address.ip().to_canonical().is_loopback() =>
            {
                let why = "can be reached from other machines, which --admin-anywhere allows";
                Err(format!("admin: {address} {why}"))
            }
            _ => Ok(()),
        }
    }

    /// The host of the address as the operator wrote it.
    fn host(&self) -> Option<String> {
        let Address::Tcp(text) = &self.address else { return None };
        text.rsplit_once(':').map(|(host, _)| host.to_ascii_lowercase())
    }
}

/// What somebody who is no worker has to do, because it takes long.
pub enum Command {
    /// Open the site of this name anew, and tell how that went: the error, if there is one.
    Reload(String, oneshot::Sender<Option<String>>),
    /// Tell the operator.
    Report(String),
}

/// The endpoints of a server.
pub struct Admin {
    state: Arc<State>,
    commands: SyncSender<Command>,
    /// `None` for a Unix socket, which no browser reaches.
    hosts: Option<Hosts>,
    /// What the system tells of this process.
    memory: Option<File>,
}

/// Names under which the listener may be asked.
struct Hosts {
    own: Option<String>,
}

impl Admin {
    /// Endpoints for that listener.
    pub fn new(
        config: &AdminConfig,
        url: &Url,
        state: Arc<State>,
        commands: SyncSender<Command>,
        memory: Option<File>,
    ) -> Self {
        let hosts = match url {
            Url::Unix(..) => None,
            Url::Tcp(..) => Some(Hosts { own: config.host() }),
        };
        Self { state, commands, hosts, memory }
    }

    fn get(&self, path: &str) -> Option<Made> {
        Some(match path {
            "/healthz" => Made::new(200, TEXT, "ok\n"),
            "/readyz" if self.state.is_draining() => Made::new(503, TEXT, "draining\n"),
            "/readyz" => Made::new(200, TEXT, "ready\n"),
            "/metrics" => Made::new(200, metrics::MEDIA_TYPE, metrics::page(&self.facts())),
            "/status" => made(200, &status::status(&self.state)),
            "/live" => made(200, &status::live(&self.state)),
            _ => return None,
        })
    }

    fn post(&self, path: &str, body: &[u8]) -> Option<Reply> {
        Some(match path {
            "/rollback" => Reply::Made(match self.order(body) {
                Ok((site, seen)) => self.rollback(&site, seen),
                Err(refused) => refused,
            }),
            "/reload" => match self.order(body) {
                Ok((site, _)) => self.reload(site),
                Err(refused) => Reply::Made(refused),
            },
            "/purge" => Reply::Made(self.purge(body).unwrap_or_else(|refused| refused)),
            _ => return None,
        })
    }

    /// Forget answers of upstreams: `{"site": NAME, "host": HOST, "path": PATH}` or `"prefix"` in
    /// place of `"path"`, all optional.
    fn purge(&self, body: &[u8]) -> Result<Made, Made> {
        let wrong = |what: &str| error(400, what);
        let order = match body {
            b"" => Value::Object(serde_json::Map::new()),
            body => serde_json::from_slice(body).unwrap_or(Value::Null),
        };
        let Value::Object(order) = order else {
            return Err(wrong("the body is not a JSON object"));
        };
        for (name, value) in &order {
            if !matches!(name.as_str(), "site" | "host" | "path" | "prefix") {
                return Err(wrong(&format!("unknown member: {}", name.escape_debug())));
            }
            if !value.is_string() && !value.is_null() {
                return Err(wrong(&format!("{name}: not a string")));
            }
        }
        let text = |name: &str| order.get(name).and_then(Value::as_str);
        let site = match text("site") {
            None => None,
            Some(name) => Some(self.state.site(Some(name)).map_err(|why| {
                error(404, &format!("{}: {}", why.explain(), name.escape_debug()))
            })?),
        };
        let what = match (text("path"), text("prefix")) {
            (None, None) => What::Everything,
            (Some(path), None) => What::Path(path),
            (None, Some(prefix)) => What::Prefix(prefix),
            (Some(_), Some(_)) => return Err(wrong("path and prefix: one of them")),
        };
        let Some(cache) = &self.state.cache else {
            return Err(error(409, "there is no cache: --cache-bytes is 0"));
        };
        let site = site.map(|site| site.id);
        let purged = cache.purge(Purge { site, host: text("host"), what });
        Ok(made(200, &json!({ "purged": purged })))
    }

    /// Read what a POST asks for: `{"site": NAME, "from": GENERATION}`, both optional. Returns the
    /// site and the generation that is to be taken back.
    fn order(&self, body: &[u8]) -> Result<(Arc<Site>, Option<u64>), Made> {
        let wrong = |what: &str| error(400, what);
        let order = match body {
            b"" => Value::Object(serde_json::Map::new()),
            body => serde_json::from_slice(body).unwrap_or(Value::Null),
        };
        let Value::Object(order) = order else {
            return Err(wrong("the body is not a JSON object"));
        };
        let (mut from, mut named) = (None, None);
        for (name, value) in &order {
            match (name.as_str(), value) {
                (_, Value::Null) => {}
                ("site", Value::String(site)) => named = Some(site.as_str()),
                ("from", Value::Number(number)) if number.is_u64() => from = number.as_u64(),
                ("site", _) => return Err(wrong("site: not a string")),
                ("from", _) => return Err(wrong("from: not the number of a generation")),
                _ => return Err(wrong(&format!("unknown member: {}", name.escape_debug()))),
            }
        }
        let site = self.state.site(named).map_err(|why| {
            let name = named.map_or(String::new(), |name| format!(": {}", name.escape_debug()));
            let status = if why == NoSite::Several { 400 } else { 404 };
            error(status, &format!("{}{name}", why.explain()))
        })?;
        Ok((site, from))
    }

    fn rollback(&self, site: &Site, seen: Option<u64>) -> Made {
        let name = &site.name;
        match site.rollback(seen) {
            Ok(number) => {
                let line = format!("rolled back {name}: generation {number} is in force again");
                // When the queue is full there is more to read than this.
                let _ = self.commands.try_send(Command::Report(line));
                made(200, &json!({ "site": name, "generation": number }))
            }
            Err(why) => error(409, &format!("{name}: {}", why.explain())),
        }
    }

    fn reload(&self, site: Arc<Site>) -> Reply {
        let (sender, outcome) = oneshot::channel();
        if self.commands.try_send(Command::Reload(site.name.clone(), sender)).is_err() {
            return Reply::Made(error(503, "too many reloads are waiting, or the server ends"));
        }
        Reply::Later(Box::pin(async move {
            match outcome.await {
                Ok(None) => made(200, &json!({ "site": site.name, "generation": site.number() })),
                Ok(Some(refused)) => error(409, &refused),
                Err(_) => error(503, "the server ends"),
            }
        }))
    }

    fn facts(&self) -> Facts<'_> {
        let cpu = clock_gettime(ClockId::ProcessCPUTime);
        Facts {
            state: &self.state,
            cpu_s: cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9,
            resident_bytes: self.memory.as_ref().and_then(resident_bytes),
            pools: pools::states(&self.state.sites),
            lone: self.state.upstreams.counts(),
        }
    }
}

impl Endpoints for Admin {
    fn answer(&self, request: &Request<'_, '_>, body: &[u8]) -> Reply {
        let Target::Path { path, .. } = request.target else { return Reply::Site };
        if let Some(hosts) = &self.hosts
            && !hosts.allow(request.host)
        {
            let host = String::from_utf8_lossy(request.host);
            let why =
                format!("403 Forbidden: not a name of this listener: {}", host.escape_debug());
            return Reply::Made(Made::new(403, TEXT, why + "\n"));
        }
        match request.method {
            Method::Get | Method::Head => match self.get(path) {
                Some(made) => Reply::Made(made),
                None if matches!(path, "/rollback" | "/reload" | "/purge") => not_allowed("POST"),
                None => Reply::Site,
            },
            Method::Other("POST") => match foreign(request) {
                Some(why) => Reply::Made(error(403, &why)),
                None => match self.post(path, body) {
                    Some(reply) => reply,
                    None => not_allowed("GET, HEAD, OPTIONS"),
                },
            },
            Method::Options | Method::Other(_) => Reply::Site,
        }
    }

    fn fields(&self) -> &'static str {
        FIELDS
    }
}

impl Hosts {
    /// Whether a Host field names this listener. A name that somebody else had resolve to this
    /// machine does not: that is how a page gets a browser to read from here.
    fn allow(&self, host: &[u8]) -> bool {
        let Ok(host) = std::str::from_utf8(host) else { return false };
        let name = without_port(host).to_ascii_lowercase();
        if self.own.as_deref() == Some(name.as_str()) {
            return true;
        }
        // HTTP/1.0 knows no Host, and browsers always send one.
        let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
        host.is_empty()
            || name == "localhost"
            || name.ends_with(".localhost")
            || address.unwrap_or(&name).parse::<IpAddr>().is_ok()
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.ends_with(':') => {
            name
        }
        _ => host,
    }
}

/// Why a request that changes something may not come from the operator, if so.
fn foreign(request: &Request<'_, '_>) -> Option<String> {
    let named = |wanted: &str| {
        let wanted = wanted.to_owned();
        request.headers().filter(move |(name, _)| name.eq_ignore_ascii_case(&wanted))
    };
    for (_, origin) in named("Origin") {
        let origin = String::from_utf8_lossy(origin);
        let place = origin.split_once("://").map_or("", |(_, place)| place);
        if !place.as_bytes().eq_ignore_ascii_case(request.host) {
            return Some(format!("asked by another site: {}", origin.escape_debug()));
        }
    }
    for (_, site) in named("Sec-Fetch-Site") {
        if site != b"same-origin" && site != b"none" {
            return Some("asked by another site".to_owned());
        }
    }
    let given = named(HEADER).next().is_some();
    (!given).then(|| format!("the header field {HEADER} is missing"))
}

fn not_allowed(allow: &'static str) -> Reply {
    let mut made = error(405, "method not allowed");
    made.field = Some(("Allow", allow));
    Reply::Made(made)
}

fn made(status: u16, value: &Value) -> Made {
    Made::new(status, JSON, format!("{value}\n"))
}

fn error(status: u16, message: &str) -> Made {
    made(status, &json!({ "error": message }))
}

fn resident_bytes(status: &File) -> Option<u64> {
    let mut text = [0; 4096];
    let n = status.read_at(&mut text, 0).ok()?;
    let text = std::str::from_utf8(&text[..n]).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let hosts = Hosts { own: Some("edge.internal".to_owned()) };
        for good in [
            "localhost",
            "LocalHost:9180",
            "a.localhost:1",
            "127.0.0.1:9180",
            "[::1]:9180",
            "[::1]",
        ] {
            assert!(hosts.allow(good.as_bytes()), "{good}");
        }
        assert!(hosts.allow(b"EDGE.internal:9180") && hosts.allow(b"10.1.2.3") && hosts.allow(b""));
        for bad in ["evil.test", "evil.test:9180", "localhost.evil.test", "127.0.0.1.evil.test"] {
            assert!(!hosts.allow(bad.as_bytes()), "{bad}");
        }
        assert!(!hosts.allow(b"\xff"));
    }

    #[test]
    fn memory() {
        let file = File::open("/proc/self/status").unwrap();
        assert!(resident_bytes(&file).unwrap() > 100_000);
    }
}
