//! Pools from JSON, as the command line makes it of the operator's file. The ranges stand here, the
//! defaults in `config`; the error names the place of the first value that does not fit.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::config::{
    BreakerConfig, EjectionConfig, HashBy, HealthConfig, Host, KeepaliveConfig, MAX_POOLS,
    MAX_UPSTREAMS, Policy, PoolConfig, QueueConfig, TimeoutConfig, UpstreamConfig,
};
use super::retry::RetryConfig;
use super::status::Statuses;
use crate::dial::{self, TlsOptions};
use crate::{Target, TargetError};

/// Longest time that can be configured: a day, in milliseconds.
const MAX_TIME_MS: u64 = 86_400_000;

/// Longest name, path or header.
const MAX_TEXT_BYTES: usize = 1_024;

/// What is wrong with the configuration of pools.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The keys that lead to it: `pools.api.health.path`.
    pub place: String,
    /// What is wrong, and the value.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl std::error::Error for ConfigError {}

type Read<T> = Result<T, ConfigError>;

/// Read `{"NAME": {"upstreams": [...], ...}, ...}`.
pub fn read_pools(text: &str) -> Result<Vec<PoolConfig>, ConfigError> {
    let fail = |message: String| Err(ConfigError { place: "pools".to_owned(), message });
    let pools: Map<String, Value> = match serde_json::from_str(text) {
        Ok(Value::Object(pools)) => pools,
        Ok(_) => return fail("not a table".to_owned()),
        Err(error) => return fail(format!("not JSON: {error}")),
    };
    if pools.len() > MAX_POOLS {
        return fail(format!("{} of them: {MAX_POOLS} are allowed", pools.len()));
    }
    pools.iter().map(|(name, value)| pool(name, value)).collect()
}

fn pool(name: &str, value: &Value) -> Read<PoolConfig> {
    let place = format!("pools.{name}");
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > MAX_TEXT_BYTES || !name.bytes().all(is_plain) {
        let message = "a name is letters, digits, `-`, `_` and `.`".to_owned();
        return Err(ConfigError { place, message });
    }
    let mut table = Table::new(value, place)?;
    let upstreams = upstreams(&mut table)?;
    let mut pool = PoolConfig::new(name, upstreams);
    pool.policy = policy(&mut table)?;
    pool.health = table.table("health", health)?;
    pool.ejection = table.table("ejection", ejection)?.unwrap_or_default();
    pool.failure_status = table.statuses("failure_status")?.unwrap_or_default();
    pool.retries = table.table("retries", retries)?.unwrap_or_default();
    pool.timeouts = table.table("timeouts", timeouts)?.unwrap_or_default();
    pool.breaker = table.table("breaker", breaker)?.unwrap_or_default();
    pool.queue = table.table("queue", queue)?.unwrap_or_default();
    pool.slow_start_ms = table.number("slow_start_ms", 0, 0..=MAX_TIME_MS)?;
    pool.keepalive = table.table("keepalive", keepalive)?.unwrap_or_default();
    if let Some(options) = table.table("tls", tls)? {
        let tls = dial::tls(&options)
            .or_else(|message| table.fail("tls", message))?;
        let encrypted = pool.upstreams.iter_mut().filter(|upstream| upstream.origin.is_tls);
        if encrypted.map(|upstream| upstream.origin.tls = Some(tls.clone())).count() == 0 {
            return table.fail("tls", "no upstream is encrypted".to_owned());
        }
    }
    pool.host = match table.text("host")?.as_deref() {
        None | Some("keep") => Host::Keep,
        Some("upstream") => Host::Upstream,
        Some(other) => return table.fail("host", format!("{other:?} is not keep or upstream")),
    };
    table.end()?;
    Ok(pool)
}

fn upstreams(table: &mut Table<'_>) -> Read<Vec<UpstreamConfig>> {
    let Some(Value::Array(list)) = table.take("upstreams") else {
        return table.fail("upstreams", "there has to be a list of upstreams".to_owned());
    };
    if list.is_empty() || list.len() > MAX_UPSTREAMS {
        let message = format!("{} of them: there may be 1 to {MAX_UPSTREAMS}", list.len());
        return table.fail("upstreams", message);
    }
    let mut upstreams: Vec<UpstreamConfig> = Vec::with_capacity(list.len());
    for (at, value) in list.iter().enumerate() {
        let place = format!("{}.upstreams[{at}]", table.place);
        let upstream = upstream(value, place.clone())?;
        if upstreams.iter().any(|other| other.url == upstream.url) {
            let message = format!("{:?} is named twice", upstream.url);
            return Err(ConfigError { place, message });
        }
        upstreams.push(upstream);
    }
    Ok(upstreams)
}

fn upstream(value: &Value, place: String) -> Read<UpstreamConfig> {
    if let Value::String(url) = value {
        return at_url(url).map_err(|message| ConfigError { place, message });
    }
    let mut table = Table::new(value, place)?;
    let Some(url) = table.text("url")? else {
        return table.fail("url", "there has to be one".to_owned());
    };
    let mut upstream = match at_url(&url) {
        Ok(upstream) => upstream,
        Err(message) => return table.fail("url", message),
    };
    upstream.weight = table.number("weight", 1, 1..=1_000)? as u32;
    upstream.backup = table.flag("backup", false)?;
    upstream.max_connections = table.optional("max_connections", 1..=1_000_000)?.map(|n| n as u32);
    table.end()?;
    Ok(upstream)
}

fn at_url(url: &str) -> Result<UpstreamConfig, String> {
    match Target::parse(url) {
        Ok(Target::Origin { origin, base, query }) if query.is_empty() => {
            Ok(UpstreamConfig::new(url, origin, base))
        }
        Ok(Target::Origin { .. }) => Err(format!("an upstream has no query: {url:?}")),
        Ok(Target::Pool(_)) => Err(format!("a pool can't be part of another: {url:?}")),
        Err(TargetError(why)) => Err(format!("no URL of an upstream: {url:?}: {why}")),
    }
}

fn policy(table: &mut Table<'_>) -> Read<Policy> {
    let policy = table.text("policy")?;
    let by = table.text("hash")?;
    if by.is_some() && policy.as_deref() != Some("hash") {
        return table.fail("hash", "it is for the policy \"hash\"".to_owned());
    }
    match policy.as_deref() {
        None | Some("round_robin") => Ok(Policy::RoundRobin),
        Some("least_connections") => Ok(Policy::LeastConnections),
        Some("random_two") => Ok(Policy::RandomTwo),
        Some("hash") => {
            let by = by.unwrap_or_else(|| "source".to_owned());
            let Some(by) = hash_by(&by) else {
                let message = format!("{by:?} is not `source`, `header NAME` or `cookie NAME`");
                return table.fail("hash", message);
            };
            Ok(Policy::Hash(by))
        }
        Some(other) => {
            let words = "round_robin, least_connections, random_two or hash";
            table.fail("policy", format!("{other:?} is not {words}"))
        }
    }
}

fn hash_by(text: &str) -> Option<HashBy> {
    if text == "source" {
        return Some(HashBy::Source);
    }
    let (kind, name) = text.split_once(' ')?;
    if !is_token(name) {
        return None;
    }
    match kind {
        "header" => Some(HashBy::Header(name.to_ascii_lowercase())),
        "cookie" => Some(HashBy::Cookie(name.to_owned())),
        _ => None,
    }
}

/// A name as headers and cookies have it (RFC 9110, section 5.6.2).
fn is_token(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

fn health(table: &mut Table<'_>) -> Read<HealthConfig> {
    let default = HealthConfig::default();
    let config = HealthConfig {
        path: table.text("path")?.unwrap_or(default.path),
        interval_ms: table.number("interval_ms", default.interval_ms, 100..=MAX_TIME_MS)?,
        timeout_ms: table.number("timeout_ms", default.timeout_ms, 1..=MAX_TIME_MS)?,
        healthy: table.number("healthy", default.healthy.into(), 1..=1_000)? as u32,
        unhealthy: table.number("unhealthy", default.unhealthy.into(), 1..=1_000)? as u32,
        status: table.statuses("status")?.unwrap_or(default.status),
        host: table.text("host")?,
    };
    let is_visible = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if !config.path.starts_with('/') || !is_visible(&config.path) || config.path.contains('#') {
        return table
            .fail("path", format!("{:?} is no path that begins with a slash", config.path));
    }
    if let Some(host) = &config.host
        && (host.is_empty() || !is_visible(host))
    {
        return table.fail("host", format!("{host:?} is no host"));
    }
    if config.status.is_empty() {
        return table.fail("status", "no status would be a good one".to_owned());
    }
    Ok(config)
}

fn ejection(table: &mut Table<'_>) -> Read<EjectionConfig> {
    let default = EjectionConfig::default();
    let config = EjectionConfig {
        failures: table.number("failures", default.failures.into(), 0..=1_000)? as u32,
        window_ms: table.number("window_ms", default.window_ms, 1..=MAX_TIME_MS)?,
        base_ms: table.number("base_ms", default.base_ms, 1..=MAX_TIME_MS)?,
        max_ms: table.number("max_ms", default.max_ms, 1..=MAX_TIME_MS)?,
        max_percent: table.number("max_percent", default.max_percent.into(), 1..=100)? as u32,
    };
    if config.max_ms < config.base_ms {
        let message = format!("{} is less than base_ms: {}", config.max_ms, config.base_ms);
        return table.fail("max_ms", message);
    }
    Ok(config)
}

fn retries(table: &mut Table<'_>) -> Read<RetryConfig> {
    let default = RetryConfig::default();
    let mut config = RetryConfig {
        count: table.number("count", default.count.into(), 0..=10)? as u32,
        budget_percent: table.number("budget_percent", default.budget_percent.into(), 0..=100)?
            as u32,
        status: table.statuses("status")?.unwrap_or_default(),
        ..default
    };
    let Some(on) = table.take("on") else { return Ok(config) };
    let words = "connect, closed and timeout";
    let Value::Array(on) = on else {
        return table.fail("on", format!("not a list of {words}"));
    };
    (config.on_connect, config.on_closed, config.on_timeout) = (false, false, false);
    for word in on {
        match word.as_str() {
            Some("connect") => config.on_connect = true,
            Some("closed") => config.on_closed = true,
            Some("timeout") => config.on_timeout = true,
            _ => return table.fail("on", format!("{word} is not one of {words}")),
        }
    }
    Ok(config)
}

fn timeouts(table: &mut Table<'_>) -> Read<TimeoutConfig> {
    let default = TimeoutConfig::default();
    let mut time = |name, default| table.number(name, default, 1..=MAX_TIME_MS);
    Ok(TimeoutConfig {
        connect_ms: time("connect_ms", default.connect_ms)?,
        first_byte_ms: time("first_byte_ms", default.first_byte_ms)?,
        idle_ms: time("idle_ms", default.idle_ms)?,
        total_ms: table.optional("total_ms", 1..=MAX_TIME_MS)?,
    })
}

fn breaker(table: &mut Table<'_>) -> Read<BreakerConfig> {
    let default = BreakerConfig::default();
    let max_requests = table.optional("max_requests", 1..=1_000_000)?;
    Ok(BreakerConfig {
        max_pending: table.number("max_pending", default.max_pending.into(), 0..=100_000)? as u32,
        max_requests: max_requests.map(|n| n as u32),
        error_percent: table.number("error_percent", 0, 0..=100)? as u32,
        min_requests: table.number("min_requests", default.min_requests.into(), 1..=1_000_000)?
            as u32,
        window_ms: table.number("window_ms", default.window_ms, 10..=MAX_TIME_MS)?,
        open_ms: table.number("open_ms", default.open_ms, 1..=MAX_TIME_MS)?,
    })
}

fn queue(table: &mut Table<'_>) -> Read<QueueConfig> {
    let default = QueueConfig::default();
    Ok(QueueConfig {
        max: table.number("max", default.max.into(), 0..=100_000)? as u32,
        timeout_ms: table.number("timeout_ms", default.timeout_ms, 1..=MAX_TIME_MS)?,
    })
}

/// How TLS is spoken to all upstreams of a pool that speak it.
fn tls(table: &mut Table<'_>) -> Read<TlsOptions> {
    let file = |text: Option<String>| text.map(PathBuf::from);
    let (certificate, key) = (file(table.text("client_cert")?), file(table.text("client_key")?));
    let client = match (certificate, key) {
        (None, None) => None,
        (Some(certificate), key) => {
            let key = key.unwrap_or_else(|| certificate.clone());
            Some((certificate, key))
        }
        (None, Some(_)) => {
            return table.fail("client_key", "a key without a certificate".to_owned());
        }
    };
    Ok(TlsOptions {
        verify: table.flag("verify", true)?,
        ca: file(table.text("ca")?),
        client,
        server_name: table.text("server_name")?,
    })
}

fn keepalive(table: &mut Table<'_>) -> Read<KeepaliveConfig> {
    let default = KeepaliveConfig::default();
    Ok(KeepaliveConfig {
        idle: table.number("idle", default.idle.into(), 0..=10_000)? as u32,
        idle_timeout_ms: table.number(
            "idle_timeout_ms",
            default.idle_timeout_ms,
            1..=MAX_TIME_MS,
        )?,
    })
}

/// A table that is read key by key; what nobody has asked for is unknown.
struct Table<'a> {
    values: &'a Map<String, Value>,
    place: String,
    known: Vec<&'static str>,
}

impl<'a> Table<'a> {
    fn new(value: &'a Value, place: String) -> Read<Self> {
        match value {
            Value::Object(values) => Ok(Self { values, place, known: Vec::new() }),
            _ => Err(ConfigError { place, message: "not a table".to_owned() }),
        }
    }

    fn fail<T>(&self, name: &str, message: String) -> Read<T> {
        Err(ConfigError { place: format!("{}.{name}", self.place), message })
    }

    /// The value of a key. JSON's null is as good as none.
    fn take(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.values.get(name).filter(|value| !value.is_null())
    }

    fn optional(&mut self, name: &'static str, range: RangeInclusive<u64>) -> Read<Option<u64>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.as_u64() {
            Some(number) if range.contains(&number) => Ok(Some(number)),
            _ => {
                let (least, most) = range.into_inner();
                self.fail(name, format!("{value} is no number from {least} to {most}"))
            }
        }
    }

    fn number(&mut self, name: &'static str, or: u64, range: RangeInclusive<u64>) -> Read<u64> {
        Ok(self.optional(name, range)?.unwrap_or(or))
    }

    fn flag(&mut self, name: &'static str, or: bool) -> Read<bool> {
        match self.take(name) {
            None => Ok(or),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(value) => self.fail(name, format!("{value} is not true or false")),
        }
    }

    fn text(&mut self, name: &'static str) -> Read<Option<String>> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) if text.len() <= MAX_TEXT_BYTES => Ok(Some(text.clone())),
            Some(Value::String(_)) => {
                self.fail(name, format!("longer than {MAX_TEXT_BYTES} bytes"))
            }
            Some(value) => self.fail(name, format!("{value} is no text")),
        }
    }

    /// A status, a range of them as a text, or a list of both.
    fn statuses(&mut self, name: &'static str) -> Read<Option<Statuses>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let list = match value {
            Value::Array(list) => list.as_slice(),
            one => std::slice::from_ref(one),
        };
        let mut statuses = Statuses::default();
        for one in list {
            let is_known = match one {
                Value::Number(number) => statuses.add(&number.to_string()),
                Value::String(text) => statuses.add(text),
                _ => false,
            };
            if !is_known {
                return self.fail(name, format!("{one} is no status or range like \"200-299\""));
            }
        }
        Ok(Some(statuses))
    }

    fn table<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&mut Table<'a>) -> Read<T>,
    ) -> Read<Option<T>> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let mut table = Table::new(value, format!("{}.{name}", self.place))?;
        let value = read(&mut table)?;
        table.end()?;
        Ok(Some(value))
    }

    /// Nothing may be left.
    fn end(&self) -> Read<()> {
        match self.values.keys().find(|name| !self.known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => self.fail(name, "unknown key".to_owned()),
        }
    }
}
