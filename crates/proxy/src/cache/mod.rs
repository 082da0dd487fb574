//! A cache of what upstreams answer, shared by all clients and all workers (RFC 9111).
//!
//! It neither waits nor reads a clock nor moves a byte: [`Cache::lookup`] says what is to be done
//! with a request, and a [`Fetch`] is told what came of it. What is found most often costs least:
//! a stored response has its head as bytes, and its freshness as two numbers.

mod control;
mod fetch;
mod flight;
mod group;
mod key;
mod policy;
mod stats;
mod stored;
mod targeted;
#[cfg(test)]
mod tests;
mod vary;

use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;
use quick_cache::sync::Cache as Entries;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};

use self::fetch::Because;
use self::flight::{Flight, Flights, Outcome, Part, SHARDS, Shard, join};
use self::group::{Asked, Group};
use self::key::{KeyBytes, key, key_of};
use self::policy::Facts;
use self::stats::{Count, Counters};
use self::stored::{Fate, Stored};
use crate::head::{Head, line};

pub use self::fetch::{Fetch, Note, Recorder, Verdict};
pub use self::flight::{MAX_WAIT_MS, Round, Waiter};
pub use self::key::{Fields, Purge, Query, What};
pub use self::policy::{Why, lines};
pub use self::stats::Stats;
pub use self::stored::{Hit, Reply};

/// Most responses for one target that differ by what Vary names; the oldest goes first.
const MAX_VARIANTS: usize = 16;

/// How long in seconds requests for a target do not wait for each other after a response to one of
/// them could not be stored.
const PASS_S: i64 = 60;

/// Bytes that a response may have at least, however small the budget.
const MIN_OBJECT_BYTES: u64 = 64 * 1024;

/// Guess of the size of a response, to size tables.
const GUESSED_BYTES: u64 = 8 * 1024;

/// Counters of invalidations: a response that was asked for before one is not stored after it.
const EPOCHS: usize = 1024;

/// The cache. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Cache(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    entries: Entries<Box<[u8]>, Arc<Group>, Weight, RandomState, Evictions>,
    flights: Flights,
    hasher: RandomState,
    epochs: Box<[AtomicU64]>,
    counters: Counters,
    evicted: Arc<AtomicU64>,
    /// Bytes of responses that are on their way into the store.
    recording: AtomicU64,
    max_recording: u64,
    max_object: usize,
    max_group: usize,
    budget: u64,
}

#[derive(Clone, Debug)]
struct Weight;

impl Weighter<Box<[u8]>, Arc<Group>> for Weight {
    fn weight(&self, key: &Box<[u8]>, group: &Arc<Group>) -> u64 {
        group.weight(key.len()) as u64
    }
}

#[derive(Clone, Debug)]
struct Evictions(Arc<AtomicU64>);

impl Lifecycle<Box<[u8]>, Arc<Group>> for Evictions {
    /// What is being put in: the one before of the same key is told of as well, and made no room.
    type RequestState = Option<Box<[u8]>>;

    fn on_evict(&self, new: &mut Self::RequestState, key: Box<[u8]>, _: Arc<Group>) {
        let is_other = new.as_ref().is_none_or(|new| *new != key);
        self.0.fetch_add(u64::from(is_other), Ordering::Relaxed);
    }
}

/// What is to be done with a request.
#[derive(Debug)]
pub enum Lookup {
    /// It is answered from the cache.
    Fresh(Hit),
    /// It is answered from the cache, and whoever gets a fetch sends it as a GET, without a client,
    /// to renew what is stored.
    Stale {
        /// The answer.
        hit: Hit,
        /// For one of those who ask.
        renew: Option<Box<Fetch>>,
    },
    /// Another is needed.
    Miss(Coalesce),
    /// It goes to the upstream, and the cache has nothing to do with it but for what this says.
    Bypass(Note),
    /// It is answered with 504: the client wants nothing but what is in the cache (RFC 9111,
    /// section 5.2.1.7).
    Unavailable,
}

/// Who asks the upstream.
#[derive(Debug)]
pub enum Coalesce {
    /// This request.
    Leader(Box<Fetch>),
    /// Another one already does.
    Follower(Waiter),
}

impl Cache {
    /// A cache that takes up to `budget` bytes, all told. Three quarters of them are for what is
    /// stored, the rest for what is on its way.
    pub fn new(budget: u64) -> Self {
        let capacity = budget - budget / 4;
        // Each part must have room for the largest response.
        let parts = (capacity / (4 * MIN_OBJECT_BYTES)).clamp(1, 8);
        let parts = 1 << parts.ilog2();
        let part = capacity / parts;
        let max_object = (budget / 16).max(MIN_OBJECT_BYTES).min(part - part / 4);
        let items = (capacity / GUESSED_BYTES).clamp(1024, 1 << 20);
        let evicted = Arc::<AtomicU64>::default();
        let hasher = RandomState::default();
        let mut options = OptionsBuilder::new();
        options.shards(parts as usize).estimated_items_capacity(items as usize);
        options.weight_capacity(capacity);
        let lifecycle = Evictions(Arc::clone(&evicted));
        let entries = match options.build() {
            Ok(options) => Entries::with_options(options, Weight, hasher.clone(), lifecycle),
            // Both numbers are there, so it does not come to this.
            Err(_) => Entries::with(items as usize, capacity, Weight, hasher.clone(), lifecycle),
        };
        Self(Arc::new(Shared {
            entries,
            flights: Flights::default(),
            hasher,
            epochs: (0..EPOCHS).map(|_| AtomicU64::new(0)).collect(),
            counters: Counters::default(),
            evicted,
            recording: AtomicU64::new(0),
            max_recording: budget / 4,
            max_object: max_object as usize,
            max_group: (part - part / 8) as usize,
            budget,
        }))
    }

    /// What is to be done with a request. Its round is [`Round::FIRST`], and after it has waited
    /// what that came to.
    pub fn lookup<'a, F: Fields<'a>>(
        &self,
        query: &Query<'a, '_, F>,
        now: i64,
        round: Round,
    ) -> Lookup {
        let is_head = match query.method {
            "GET" => false,
            "HEAD" => true,
            _ => return Lookup::Bypass(Note::passed(Because::Method)),
        };
        let facts = Facts::of(query.fields.clone());
        let key = key_of(query).filter(|_| !facts.has_precondition);
        let Some(key) = key else {
            self.count(0, Count::Bypass);
            return Lookup::Bypass(Note::passed(Because::Bypass));
        };
        let hash = self.0.hasher.hash_one(&key[..]);
        let asked = Asked { query, facts, is_head, key, hash, now, round };
        loop {
            let group = self.0.entries.get(&asked.key[..]);
            let stored = group.as_ref().and_then(|group| group.find(query, facts));
            if let Some(lookup) = self.decide(&asked, group.as_ref(), stored) {
                return lookup;
            }
        }
    }

    /// `None` when what is stored has changed meanwhile.
    fn decide<'a, F: Fields<'a>>(
        &self,
        asked: &Asked<'_, 'a, F>,
        group: Option<&Arc<Group>>,
        stored: Option<&Arc<Stored>>,
    ) -> Option<Lookup> {
        let Asked { facts, is_head, hash, now, round, .. } = *asked;
        let is_plain = !facts.is_conditional && !facts.is_ranged;
        let hit = |fate| stored.map(|stored| Hit { stored: Arc::clone(stored), fate, is_plain });
        let until = |time: fn(&Stored) -> i64| stored.is_some_and(|stored| now < time(stored));
        if until(|stored| stored.fresh_until) {
            self.count(hash, Count::Hit);
            return hit(Fate::Hit).map(Lookup::Fresh);
        }
        if until(|stored| stored.stale_until) {
            let renew = if is_head || facts.wish.no_store {
                None
            } else {
                match self.join(asked, group, stored)? {
                    Part::Leader(flight) => {
                        Some(Box::new(self.fetch(asked, group, stored, Some(flight))))
                    }
                    Part::Follower(_) | Part::Full => None,
                }
            };
            self.count(hash, Count::Stale);
            return hit(Fate::Hit).map(|hit| Lookup::Stale { hit, renew });
        }
        if round.has_failed() && until(|stored| stored.error_until) {
            self.count(hash, Count::Stale);
            return hit(Fate::Failed(None)).map(|hit| Lookup::Stale { hit, renew: None });
        }
        if facts.wish.only_if_cached {
            self.count(hash, Count::Bypass);
            return Some(Lookup::Unavailable);
        }
        let stored = stored.filter(|_| !facts.wish.no_store);
        // Whose answer is likely to be for itself alone keeps nobody waiting, and waits for nobody.
        let passes = match stored {
            Some(stored) => stored.is_never_usable,
            None => !is_plain || group.is_some_and(|group| now < group.pass_until),
        };
        let is_own = is_head || facts.wish.no_store || facts.is_authorized;
        let is_alone = round.is_alone() || is_own || passes;
        let part = if is_alone { Part::Full } else { self.join(asked, group, stored)? };
        let flight = match part {
            Part::Leader(flight) => Some(flight),
            Part::Full => None,
            Part::Follower(waiter) => {
                self.count(hash, Count::Waited);
                return Some(Lookup::Miss(Coalesce::Follower(waiter)));
            }
        };
        self.count(hash, Count::Miss);
        let fetch = self.fetch(asked, group, stored, flight);
        Some(Lookup::Miss(Coalesce::Leader(Box::new(fetch))))
    }

    /// Take part in the flight for what is asked; `None` when what is stored has changed
    /// meanwhile, so that there may be no need to.
    fn join<'a, F: Fields<'a>>(
        &self,
        asked: &Asked<'_, 'a, F>,
        group: Option<&Arc<Group>>,
        stored: Option<&Arc<Stored>>,
    ) -> Option<Part> {
        let key = asked.flight_key(group, stored);
        let mut shard: std::sync::MutexGuard<'_, Shard> = self.0.flights.shard(asked.hash);
        let current = self.0.entries.peek(&asked.key[..]);
        let same = match (&current, group) {
            (Some(current), Some(group)) => Arc::ptr_eq(current, group),
            // What is evicted is no news.
            (None, _) => true,
            (Some(_), None) => false,
        };
        same.then(|| join(&mut shard, &key, asked.round))
    }

    fn fetch<'a, F: Fields<'a>>(
        &self,
        asked: &Asked<'_, 'a, F>,
        group: Option<&Arc<Group>>,
        stored: Option<&Arc<Stored>>,
        flight: Option<Arc<Flight>>,
    ) -> Fetch {
        let mut fields = Vec::with_capacity(512);
        for (name, value) in asked.query.fields.clone() {
            line(&mut fields, name, value);
        }
        let variants = group.map_or(0, |group| group.variants.len());
        Fetch {
            cache: self.clone(),
            hash: asked.hash,
            key: asked.key.clone(),
            epoch: self.epoch(asked.hash).load(Ordering::Acquire),
            flight: flight.map(|flight| (asked.flight_key(group, stored), flight)),
            upstream: asked.query.upstream.into(),
            fields,
            facts: asked.facts,
            is_head: asked.is_head,
            asked_at: asked.now,
            because: match stored {
                _ if asked.is_head => Because::Method,
                Some(_) => Because::Stale,
                None if variants > 0 => Because::Vary,
                None => Because::Uri,
            },
            stored: stored.cloned(),
        }
    }

    /// A request whose method may change things was answered: what is stored for its target, and
    /// for those that the response names, is no good any more (RFC 9111, section 4.4).
    pub fn invalidate<F>(&self, query: &Query<'_, '_, F>, head: &Head) {
        let is_safe = matches!(query.method, "GET" | "HEAD" | "OPTIONS" | "TRACE");
        if is_safe || !(200..400).contains(&head.status) {
            return;
        }
        if let Some(key) = key_of(query) {
            self.forget(self.0.hasher.hash_one(&key[..]), &key);
        }
        for (name, value) in lines(&head.fields) {
            let is_named = ["location", "content-location"]
                .iter()
                .any(|other| name.eq_ignore_ascii_case(other));
            let target = if is_named { same_origin(query, value) } else { None };
            if let Some(key) = target.and_then(|t| key(query.site, query.scheme, query.host, t)) {
                self.forget(self.0.hasher.hash_one(&key[..]), &key);
            }
        }
    }

    /// Forget stored responses; how many targets it were. What is on its way is not stored.
    pub fn purge(&self, purge: Purge<'_>) -> usize {
        for hash in 0..SHARDS as u64 {
            let _shard = self.0.flights.shard(hash);
            for epoch in self.0.epochs.iter().skip(hash as usize).step_by(SHARDS) {
                epoch.fetch_add(1, Ordering::AcqRel);
            }
        }
        let keys = self.0.entries.iter().map(|(key, _)| key).filter(|key| purge.fits(key));
        keys.filter(|key| self.0.entries.remove(&key[..]).is_some()).count()
    }

    /// What it has done.
    pub fn stats(&self) -> Stats {
        let sum = |count| self.0.counters.sum(count);
        Stats {
            hits: sum(Count::Hit),
            stale: sum(Count::Stale),
            misses: sum(Count::Miss),
            waited: sum(Count::Waited),
            revalidated: sum(Count::Revalidated),
            stored: sum(Count::Stored),
            bypassed: sum(Count::Bypass),
            refused: sum(Count::Refused),
            evicted: self.0.evicted.load(Ordering::Relaxed),
            keys: self.0.entries.len() as u64,
            bytes: self.0.entries.weight(),
            recording_bytes: self.0.recording.load(Ordering::Relaxed),
            budget_bytes: self.0.budget,
        }
    }

    /// Bytes of the largest response that is stored.
    pub fn max_object_bytes(&self) -> usize {
        self.0.max_object
    }

    fn count(&self, hash: u64, count: Count) {
        self.0.counters.add(hash, count);
    }

    /// Of the same part as the lock of that hash.
    fn epoch(&self, hash: u64) -> &AtomicU64 {
        &self.0.epochs[hash as usize % EPOCHS]
    }

    fn land(&self, hash: u64, key: &[u8], flight: &Arc<Flight>, outcome: Outcome) {
        self.0.flights.land(hash, key, flight, outcome);
    }

    fn forget(&self, hash: u64, key: &KeyBytes) {
        let _shard = self.0.flights.shard(hash);
        self.epoch(hash).fetch_add(1, Ordering::AcqRel);
        self.0.entries.remove(&key[..]);
    }

    /// Put a response in place of those that answer the same request. False when it is not kept.
    fn replace(&self, fetch: &Fetch, stored: Option<Arc<Stored>>) -> bool {
        let key = &fetch.key[..];
        let _shard = self.0.flights.shard(fetch.hash);
        if self.epoch(fetch.hash).load(Ordering::Acquire) != fetch.epoch {
            return false;
        }
        let before = self.0.entries.peek(key);
        let fits = stored.as_ref().is_none_or(|stored| {
            stored.weight() + 2 * key.len() + size_of::<Group>() + 128 <= self.0.max_group
        });
        let is_kept = stored.is_some() && fits;
        let mut group =
            Group { variants: stored.filter(|_| fits).into_iter().collect(), pass_until: 0 };
        let others = before.iter().flat_map(|group| &group.variants);
        for other in others.filter(|other| !other.answers(&fetch.upstream, lines(&fetch.fields))) {
            group.variants.push(Arc::clone(other));
        }
        group.variants.truncate(MAX_VARIANTS);
        while group.weight(key.len()) > self.0.max_group && group.variants.pop().is_some() {}
        if group.variants.is_empty() {
            self.0.entries.remove(key);
        } else {
            self.put(key, group);
        }
        is_kept
    }

    /// Remember that responses for a target are not stored.
    fn mark(&self, fetch: &Fetch) {
        let key = &fetch.key[..];
        let _shard = self.0.flights.shard(fetch.hash);
        let before = self.0.entries.peek(key);
        let variants = before.map_or(Vec::new(), |group| group.variants.clone());
        let pass_until = fetch.asked_at.saturating_add(PASS_S);
        self.put(key, Group { variants, pass_until });
    }

    fn put(&self, key: &[u8], group: Group) {
        let mut new = Some(key.into());
        self.0.entries.insert_with_lifecycle(key.into(), Arc::new(group), &mut new);
    }

    fn reserve(&self, bytes: usize) -> bool {
        let bytes = bytes as u64;
        let before = self.0.recording.fetch_add(bytes, Ordering::Relaxed);
        let fits = before.saturating_add(bytes) <= self.0.max_recording;
        if !fits {
            self.0.recording.fetch_sub(bytes, Ordering::Relaxed);
        }
        fits
    }

    fn release(&self, bytes: usize) {
        self.0.recording.fetch_sub(bytes as u64, Ordering::Relaxed);
    }
}

/// The target of a URL or path of the same origin, as far as it can be told without resolving it.
fn same_origin<'v, F>(query: &Query<'_, '_, F>, value: &'v [u8]) -> Option<&'v [u8]> {
    let end = value.iter().position(|&b| b == b'#').unwrap_or(value.len());
    let value = &value[..end];
    if value.starts_with(b"/") && !value.starts_with(b"//") {
        return Some(value);
    }
    let start = query.scheme.len() + 3 + query.host.len();
    let (front, target) = value.split_at_checked(start)?;
    let rest = front.get(query.scheme.len()..)?.strip_prefix(b"://")?;
    let same = front[..query.scheme.len()].eq_ignore_ascii_case(query.scheme.as_bytes())
        && rest.eq_ignore_ascii_case(query.host);
    match target.first() {
        None if same => Some(b"/"),
        Some(b'/') if same => Some(target),
        _ => None,
    }
}
