//! All sites of a server, by the host that a request names.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use zeroserve_proxy::pools::Pool;

use crate::fetching::FetchRules;
use crate::pools::{Beside, Pools, Settings};
use crate::site::{Site, SiteOptions, name_of};

/// Says to workers that something they look at is another one now.
#[derive(Default)]
pub struct Bell {
    number: AtomicU64,
    changed: Notify,
}

impl Bell {
    /// Something has changed.
    pub fn ring(&self) {
        self.number.fetch_add(1, Ordering::Release);
        self.changed.notify_waiters();
    }

    /// How often something has changed.
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// Until the next change.
    pub fn changed(&self) -> impl Future<Output = ()> {
        self.changed.notified()
    }
}

/// Which site answers for which host.
#[derive(Clone, Default)]
pub struct Table {
    /// For hosts that have none of their own; without it they are refused.
    pub default: Option<Arc<Site>>,
    /// By name, in lower case, without port and final dot.
    pub by_host: BTreeMap<Box<str>, Arc<Site>>,
}

impl Table {
    /// All sites, the default first.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Site>> {
        self.default.iter().chain(self.by_host.values())
    }
}

/// The sites of a server, which come and go while it runs.
#[derive(Default)]
pub struct Sites {
    table: ArcSwap<Table>,
    bell: Arc<Bell>,
    /// Of the process: all sites may use them, in the place of their own.
    pools: ArcSwap<Pools>,
    /// Which servers the scripts of all sites may ask.
    fetch: ArcSwap<FetchRules>,
    editing: Mutex<()>,
}

impl Sites {
    /// One site for all hosts.
    pub fn single(site: Arc<Site>) -> Self {
        let sites = Self { bell: Arc::clone(site.bell()), ..Self::default() };
        sites.put(None, site);
        sites
    }

    /// What rings when one of them, or what they are, changes.
    pub fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// The pools of the process.
    pub fn pools(&self) -> Arc<Pools> {
        self.pools.load_full()
    }

    /// Take up what the configuration of the process says.
    pub fn configure(&self, settings: Settings) {
        let before = self.pools();
        self.pools.store(Arc::new(Pools::new(settings.pools, Some(&before))));
        self.fetch.store(Arc::new(settings.fetch));
        self.bell.ring();
    }

    /// Which servers the scripts of all sites may ask.
    pub fn fetch(&self) -> Arc<FetchRules> {
        self.fetch.load_full()
    }

    /// The pool of a name: of the process, or of a generation.
    pub fn pool(&self, name: &str, own: &Pools) -> Option<Arc<Pool>> {
        let of_process = self.pools.load().get(name).cloned();
        of_process.or_else(|| own.get(name).cloned())
    }

    /// The sites of now.
    pub fn table(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// Open the site of a host, or the default, anew; one that has none gets it. On failure what
    /// was there goes on, and the error names the path. Calls for one host must not overlap.
    pub fn open(
        &self,
        host: Option<&str>,
        path: &Path,
        options: &SiteOptions,
        beside: &Beside<'_>,
    ) -> Result<u64, String> {
        let named = |error| format!("{}: {error}", path.display());
        if let Some(site) = self.get(host).filter(|site| site.path() == path) {
            return site.reload(beside).map_err(named);
        }
        let (path, options, bell) = (path.to_owned(), options.clone(), Arc::clone(&self.bell));
        let name = host.map_or_else(|| name_of(&path), str::to_owned);
        let site = Site::open_as(name, path.clone(), options, beside, bell)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let number = site.number();
        self.put(host, Arc::new(site));
        Ok(number)
    }

    /// The site of a host, or the default.
    pub fn get(&self, host: Option<&str>) -> Option<Arc<Site>> {
        let table = self.table.load();
        match host {
            None => table.default.clone(),
            Some(host) => table.by_host.get(host).cloned(),
        }
    }

    /// Answer for a host, or for all others, with this site.
    pub fn put(&self, host: Option<&str>, site: Arc<Site>) {
        self.edit(|table| match host {
            None => table.default = Some(site),
            Some(host) => {
                table.by_host.insert(host.into(), site);
            }
        });
    }

    /// Answer for a host no more; whether there was a site.
    pub fn remove(&self, host: &str) -> bool {
        let mut found = false;
        self.edit(|table| found = table.by_host.remove(host).is_some());
        found
    }

    fn edit(&self, change: impl FnOnce(&mut Table)) {
        let _one_at_a_time = self.editing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = Table::clone(&self.table.load());
        change(&mut table);
        self.table.store(Arc::new(table));
        self.bell.ring();
    }
}

/// The name that a Host field or authority names, written into `buf`: without port and final dot,
/// in lower case. `None` when it is too long for a name.
pub fn host_name<'a>(host: &[u8], buf: &'a mut [u8; 255]) -> Option<&'a str> {
    let end = match host.iter().rposition(|byte| *byte == b']') {
        Some(bracket) => bracket + 1,
        None => host.iter().position(|byte| *byte == b':').unwrap_or(host.len()),
    };
    let name = host[..end].strip_suffix(b".").unwrap_or(&host[..end]);
    let place = buf.get_mut(..name.len())?;
    place.copy_from_slice(name);
    place.make_ascii_lowercase();
    std::str::from_utf8(place).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_hosts() {
        for (host, name) in [
            ("example.com", "example.com"),
            ("EXAMPLE.com.:8443", "example.com"),
            ("[::1]:80", "[::1]"),
            ("", ""),
            (":80", ""),
        ] {
            assert_eq!(host_name(host.as_bytes(), &mut [0; 255]), Some(name), "{host}");
        }
        assert_eq!(host_name(&[b'a'; 256], &mut [0; 255]), None);
    }
}
