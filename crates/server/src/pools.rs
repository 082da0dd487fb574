//! The pools of a site and of the process, and who asks for the health of their upstreams.

use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use zeroserve_archive::{Archive, Error, Problem, Severity};
use zeroserve_proxy::pools::{Check, Checks, Pool, PoolConfig, PoolState, read_pools};
use zeroserve_proxy::{Upstreams, now_ms};

use crate::fetching::FetchRules;
use crate::notice;
use crate::scripts::Object;
use crate::sites::Sites;

/// The configuration of a site, inside of it.
pub const CONFIG_NAME: &str = ".zeroserve/zeroserve.toml";

/// Longest one.
const MAX_CONFIG_BYTES: u64 = 1 << 20;

/// Most questions about health that are asked at a time.
const MAX_CHECKS: usize = 64;

/// Time between two looks whether there are other pools, or places for those who wait.
const LOOK_TIME: Duration = Duration::from_secs(1);

/// What a configuration file says.
#[derive(Debug, Default)]
pub struct Settings {
    /// Pools of upstreams.
    pub pools: Vec<PoolConfig>,
    /// Which servers scripts may ask.
    pub fetch: FetchRules,
}

impl Settings {
    /// Read `{"pools": {...}, "fetch": {...}}`, each of which may be missing.
    pub fn read(text: &str) -> Result<Self, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
        let pools = match value.get("pools") {
            Some(pools) => read_pools(&pools.to_string()).map_err(|error| error.to_string())?,
            None => Vec::new(),
        };
        let fetch = value.get("fetch").map(FetchRules::read).transpose()?.unwrap_or_default();
        Ok(Self { pools, fetch })
    }
}

/// Reads a configuration file; the error says what is wrong with it.
pub type Configure<'a> = dyn Fn(&[u8]) -> Result<Settings, String> + 'a;

/// What goes with an archive and is no part of it.
#[derive(Clone, Copy, Default)]
pub struct Beside<'a> {
    /// Scripts that run before its own.
    pub plugins: &'a [Object],
    /// Reads its configuration file, which is passed over without.
    pub configure: Option<&'a Configure<'a>>,
}

/// Pools by name.
#[derive(Debug, Default)]
pub struct Pools(BTreeMap<String, Arc<Pool>>);

impl Pools {
    /// Make them; those that `previous` has too keep what is known of their upstreams.
    pub fn new(configs: Vec<PoolConfig>, previous: Option<&Self>) -> Self {
        let make = |config: PoolConfig| {
            let before = previous.and_then(|pools| pools.get(&config.name));
            let seed = getrandom::u64().unwrap_or_default();
            (config.name.clone(), Arc::new(Pool::new(config, before.map(|pool| &**pool), seed)))
        };
        Self(configs.into_iter().map(make).collect())
    }

    /// The pool of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<Pool>> {
        self.0.get(name)
    }

    /// All of them, by name.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Pool>> {
        self.0.values()
    }
}

/// What an archive's configuration file says.
pub fn settings(archive: &Archive, beside: &Beside<'_>) -> Result<Settings, Error> {
    let Some(configure) = beside.configure else { return Ok(Settings::default()) };
    let Some(file) = archive.open_hidden(CONFIG_NAME).map_err(Error::Io)? else {
        return Ok(Settings::default());
    };
    if file.size > MAX_CONFIG_BYTES {
        return Err(refused(format!("longer than {MAX_CONFIG_BYTES} bytes")));
    }
    let mut bytes = vec![0; file.size as usize];
    file.read_exact_at(&mut bytes, 0).map_err(Error::Io)?;
    configure(&bytes).map_err(refused)
}

fn refused(message: String) -> Error {
    let entry = CONFIG_NAME.to_owned();
    Error::Refused(Problem { severity: Severity::Fatal, entry, offset: 0, message })
}

/// All pools of a server: the name of their site, or none for those of the process.
pub fn all(sites: &Sites) -> Vec<(Option<String>, Arc<Pool>)> {
    let mut found: Vec<_> = sites.pools().all().map(|pool| (None, Arc::clone(pool))).collect();
    for site in sites.table().all() {
        let generation = site.current();
        let own = generation.pools.all();
        found.extend(own.map(|pool| (Some(site.name.clone()), Arc::clone(pool))));
    }
    found
}

/// What is known of a server's pools.
pub fn states(sites: &Sites) -> Vec<(Option<String>, PoolState)> {
    let now_ms = now_ms();
    all(sites).into_iter().map(|(site, pool)| (site, pool.state(now_ms))).collect()
}

/// Ask for the health of upstreams, as long as this is polled: one worker does it for all.
pub async fn watch(sites: Arc<Sites>, upstreams: Rc<Upstreams>) {
    let (answers, mut answered) = mpsc::unbounded_channel();
    let mut pools: Vec<Arc<Pool>> = Vec::new();
    let mut checks = Checks::new(Vec::new(), now_ms(), 0);
    let mut asking = 0;
    let mut generation = 0_u64;
    loop {
        let changed = sites.bell().changed();
        let now: Vec<_> = all(&sites).into_iter().map(|(_, pool)| pool).collect();
        let same = now.len() == pools.len();
        if !same || !now.iter().zip(&pools).all(|(a, b)| Arc::ptr_eq(a, b)) {
            pools = now;
            generation += 1;
            let seed = getrandom::u64().unwrap_or_default();
            checks = Checks::new(pools.clone(), now_ms(), seed);
        }
        if pools.is_empty() {
            changed.await;
            continue;
        }
        while asking < MAX_CHECKS
            && let Some(check) = checks.take_due(now_ms())
        {
            asking += 1;
            let (answers, upstreams) = (answers.clone(), Rc::clone(&upstreams));
            tokio::task::spawn_local(async move {
                let outcome = ask(&upstreams, &check).await;
                let _ = answers.send((generation, check, outcome));
            });
        }
        upstreams.sweep(now_ms() / 1000);
        pools.iter().for_each(|pool| pool.tick(now_ms()));
        let due_ms = checks.next_due_ms().filter(|_| asking < MAX_CHECKS);
        let pause = due_ms.map_or(LOOK_TIME, |due_ms| {
            Duration::from_millis(due_ms.saturating_sub(now_ms()).max(1)).min(LOOK_TIME)
        });
        let Some((of, check, outcome)) = within(pause, answered.recv()).await.flatten() else {
            continue;
        };
        asking -= 1;
        // Questions of pools that are gone are no longer asked.
        if of == generation
            && let Some(is_up) = checks.done(&check, outcome, now_ms())
        {
            tell(&check, is_up);
        }
    }
}

fn tell(check: &Check, is_up: bool) {
    let (pool, url) = (&check.pool().config().name, &check.upstream().config.url);
    match is_up {
        true => notice::say(&format!("zeroserve: pool {pool}: {url} is up")),
        false => notice::warn(&format!("pool {pool}: {url} is down: {}", check.last_error())),
    }
}

async fn ask(upstreams: &Rc<Upstreams>, check: &Check) -> Result<u16, String> {
    let Some(health) = check.health() else { return Err(String::new()) };
    let origin = &check.upstream().config.origin;
    let host = health.host.clone().unwrap_or_else(|| origin.authority());
    let path = format!("{}{}", check.upstream().config.base, health.path);
    let asked = zeroserve_proxy::probe(upstreams, origin, &path, &host);
    match within(Duration::from_millis(health.timeout_ms), asked).await {
        Some(outcome) => outcome.map_err(|failure| failure.to_string()),
        None => Err("timed out".to_owned()),
    }
}

/// What comes in time.
async fn within<T>(time: Duration, what: impl Future<Output = T>) -> Option<T> {
    tokio::time::timeout(time, what).await.ok()
}
