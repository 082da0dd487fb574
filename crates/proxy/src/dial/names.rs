//! Addresses of names, kept as long as DNS says they are valid, for all workers.
//!
//! A name is looked up by one request at a time; others wait for it. When DNS does not answer, the
//! addresses known last go on.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use lru::LruCache;

use super::lookup::{self, Missing, NotFound, System};

/// Names whose addresses are kept.
const MAX_NAMES: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

/// How long an address at which connecting failed is the last to be tried.
const AVOID: Duration = Duration::from_secs(10);

/// How long an answer is believed at least when none of its addresses can be connected to: what was
/// moved elsewhere is often found there before the old answer is out of date.
const DOUBT_AFTER: Duration = Duration::from_secs(1);

/// How long DNS is waited for when there are addresses that may still do, and how long these do
/// then before it is asked again.
const STALE_WAIT: Duration = Duration::from_secs(1);
const STALE: Duration = Duration::from_secs(5);

/// How long addresses do at most that DNS does not confirm.
const MAX_STALE: Duration = Duration::from_secs(24 * 3600);

/// The names.
pub(super) struct Names(Mutex<LruCache<String, Arc<Name>>>);

/// What is known of one.
pub(super) struct Name {
    /// Held by who looks it up.
    gate: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    addresses: Vec<Address>,
    /// Where in them the next connection begins.
    next: usize,
    missing: Option<Missing>,
    /// Until when either is believed.
    until: Option<Instant>,
    /// When DNS said it last.
    confirmed: Option<Instant>,
}

struct Address {
    ip: IpAddr,
    avoid_until: Option<Instant>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Names {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MAX_NAMES)))
    }
}

impl Names {
    /// What is known of a name.
    pub(super) fn get(&self, host: &str) -> Arc<Name> {
        let mut names = lock(&self.0);
        if let Some(name) = names.get(host) {
            return Arc::clone(name);
        }
        let name = Arc::new(Name { gate: tokio::sync::Mutex::default(), known: Mutex::default() });
        names.put(host.to_owned(), Arc::clone(&name));
        name
    }
}

impl Name {
    /// Its addresses in the order in which they are to be tried, each time from another one on.
    pub(super) async fn addresses<'r>(
        &self,
        host: &str,
        system: &System,
        resolver: impl FnOnce() -> Result<&'r TokioResolver, Missing>,
    ) -> Result<Vec<IpAddr>, Missing> {
        if let Some(fresh) = self.fresh(Instant::now()) {
            return fresh;
        }
        let _gate = self.gate.lock().await;
        if let Some(fresh) = self.fresh(Instant::now()) {
            return fresh;
        }
        if let Some(addresses) = system.known(host) {
            let (now, mut known) = (Instant::now(), lock(&self.known));
            // The file is read but once.
            known.learn(addresses, now, now + MAX_STALE);
            return known.result(now);
        }
        let asking = lookup::ask(resolver()?, host);
        let answer = if lock(&self.known).may_go_on(Instant::now()) {
            let asked = tokio::time::timeout(STALE_WAIT, asking).await;
            asked.unwrap_or_else(|_| {
                Err(NotFound { missing: Missing::TimedOut, until: Instant::now() })
            })
        } else {
            asking.await
        };
        let now = Instant::now();
        let mut known = lock(&self.known);
        match answer {
            Ok(found) => known.learn(found.addresses, now, found.until),
            Err(NotFound { missing, until }) => known.miss(missing, now, until),
        }
        known.result(now)
    }

    fn fresh(&self, now: Instant) -> Option<Result<Vec<IpAddr>, Missing>> {
        let mut known = lock(&self.known);
        let is_fresh = known.until.is_some_and(|until| now < until);
        is_fresh.then(|| known.result(now))
    }

    /// Connecting to an address failed: the others are tried first for a while.
    pub(super) fn avoid(&self, ip: IpAddr) {
        let mut known = lock(&self.known);
        if let Some(address) = known.addresses.iter_mut().find(|address| address.ip == ip) {
            address.avoid_until = Some(Instant::now() + AVOID);
        }
    }

    /// Connecting to all of them failed: DNS may know better by now.
    pub(super) fn doubt(&self) {
        let mut known = lock(&self.known);
        let soon = known.confirmed.map(|at| at + DOUBT_AFTER);
        known.until = known.until.min(soon.or(known.until));
    }
}

impl Known {
    fn learn(&mut self, addresses: Vec<IpAddr>, now: Instant, until: Instant) {
        let before = std::mem::take(&mut self.addresses);
        let made = |ip| {
            let same = before.iter().find(|address| address.ip == ip);
            Address { ip, avoid_until: same.and_then(|address| address.avoid_until) }
        };
        self.addresses = interleaved(addresses).into_iter().map(made).collect();
        (self.missing, self.until, self.confirmed) = (None, Some(until), Some(now));
    }

    fn miss(&mut self, missing: Missing, now: Instant, until: Instant) {
        // That there is no such name is an answer; silence is none.
        let is_answer = matches!(missing, Missing::NoSuchName | Missing::NoAddress);
        if !is_answer && self.may_go_on(now) {
            self.until = Some(now + STALE);
            return;
        }
        self.addresses.clear();
        (self.missing, self.until) = (Some(missing), Some(until));
    }

    fn may_go_on(&self, now: Instant) -> bool {
        let is_recent = |at| now.saturating_duration_since(at) < MAX_STALE;
        !self.addresses.is_empty() && self.confirmed.is_some_and(is_recent)
    }

    fn result(&mut self, now: Instant) -> Result<Vec<IpAddr>, Missing> {
        if let Some(missing) = &self.missing {
            return Err(missing.clone());
        }
        let count = self.addresses.len();
        let (good, avoided): (Vec<usize>, Vec<usize>) =
            (0..count).map(|step| (self.next + step) % count).partition(|at| {
                let until = self.addresses[*at].avoid_until;
                until.is_none_or(|until| until <= now)
            });
        let at: Vec<usize> = good.into_iter().chain(avoided).collect();
        let addresses = at.iter().map(|at| self.addresses[*at].ip).collect();
        self.next = at.first().map_or(0, |first| (first + 1) % count);
        Ok(addresses)
    }
}

/// Addresses of both families in turn. Sorted, since name servers answer in any order and each
/// address is to have its turn.
fn interleaved(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.sort_unstable();
    addresses.dedup();
    let (six, four): (Vec<IpAddr>, Vec<IpAddr>) = addresses.iter().partition(|ip| ip.is_ipv6());
    let (mut six, mut four) = (six.into_iter(), four.into_iter());
    let mut all = Vec::with_capacity(addresses.len());
    loop {
        let pair = [six.next(), four.next()];
        if pair == [None, None] {
            return all;
        }
        all.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn families_in_turn() {
        let all = interleaved(ips(&["10.0.0.2", "::2", "10.0.0.1", "10.0.0.3", "10.0.0.1"]));
        assert_eq!(all, ips(&["::2", "10.0.0.1", "10.0.0.2", "10.0.0.3"]));
        assert_eq!(interleaved(Vec::new()), ips(&[]));
    }

    #[test]
    fn each_address_has_its_turn() {
        let now = Instant::now();
        let later = now + AVOID;
        let mut known = Known::default();
        known.learn(ips(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]), now, now);
        let firsts = |known: &mut Known, now, times: usize| -> Vec<String> {
            (0..times).map(|_| known.result(now).unwrap()[0].to_string()).collect()
        };
        assert_eq!(firsts(&mut known, now, 4), ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.1"]);
        known.addresses[1].avoid_until = Some(later);
        assert_eq!(known.result(now).unwrap(), ips(&["10.0.0.3", "10.0.0.1", "10.0.0.2"]));
        assert_eq!(firsts(&mut known, now, 4), ["10.0.0.1", "10.0.0.3", "10.0.0.1", "10.0.0.3"]);
        // A new answer does not make it better, time does.
        known.learn(ips(&["10.0.0.3", "10.0.0.2"]), now, now);
        assert_eq!(firsts(&mut known, now, 2), ["10.0.0.3", "10.0.0.3"]);
        assert_eq!(firsts(&mut known, later, 2), ["10.0.0.2", "10.0.0.3"]);
        // Where all fail, all are tried.
        for address in &mut known.addresses {
            address.avoid_until = Some(later);
        }
        assert_eq!(known.result(now).unwrap().len(), 2);
    }

    #[test]
    fn silence_is_no_answer() {
        let now = Instant::now();
        let mut known = Known::default();
        known.miss(Missing::TimedOut, now, now);
        assert_eq!(known.result(now), Err(Missing::TimedOut));
        known.learn(ips(&["10.0.0.1"]), now, now);
        known.miss(Missing::TimedOut, now, now);
        assert_eq!(known.result(now).unwrap(), ips(&["10.0.0.1"]));
        assert!(!known.may_go_on(now + MAX_STALE));
        known.miss(Missing::NoSuchName, now, now);
        assert_eq!(known.result(now), Err(Missing::NoSuchName));
        known.learn(ips(&["10.0.0.2"]), now, now);
        assert_eq!(known.result(now).unwrap(), ips(&["10.0.0.2"]));
    }
}
