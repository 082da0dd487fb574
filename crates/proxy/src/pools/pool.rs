//! A pool: its upstreams, and who of them gets the next request.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::breaker::{Breaker, Entry};
use super::budget::Budget;
use super::choice::{self, Candidate, Candidates, Memory};
use super::config::{Policy, PoolConfig, UpstreamConfig};
use super::queue::{Queue, Wait};
use super::state::{PoolState, Standing, State};
use super::ticket::{Errand, Ticket};
use super::vitals::{DOWN, EJECTED, PROBING, Vitals};

/// Most choices made for one request because another worker was quicker each time.
const MAX_RACES: usize = 16;

/// Whole share of an upstream of weight 1, so that a slow start can have parts of it.
const FULL_SHARE: u64 = 256;

/// Several upstreams under one name.
pub struct Pool {
    config: PoolConfig,
    upstreams: Vec<Upstream>,
    memory: Memory,
    budget: Mutex<Budget>,
    /// Only where one is configured: it costs each request a lock.
    breaker: Option<Mutex<Breaker>>,
    /// Held while it is decided whether one more may be taken out.
    ejecting: Mutex<()>,
    /// Whether requests may have to wait for a place.
    is_limited: bool,
    pub(super) queue: Queue,
    /// The latest time that was told, for places that are given back.
    latest_ms: AtomicU64,
}

/// One of a pool.
pub struct Upstream {
    /// How it was configured.
    pub config: UpstreamConfig,
    hash: u64,
    pub(super) vitals: Arc<Vitals>,
}

/// What became of choosing.
#[derive(Debug)]
pub enum Choice {
    /// This one.
    Upstream(Ticket),
    /// All that could be asked have as many requests as they may: [`Pool::wait`].
    Busy,
    /// There is nobody to ask, and why.
    None(&'static str),
}

enum Pick {
    Take(usize, Errand),
    Busy,
    None(&'static str),
}

/// What a request can have of an upstream now.
enum Offer {
    Place(Errand),
    /// No place is free.
    Full,
    /// Only if there is nobody else.
    Reluctant,
    Nothing,
}

impl Pool {
    /// Make one. Upstreams that `previous` has too, by their URL, keep what is known of them.
    /// `seed` is any number that differs from process to process.
    pub fn new(config: PoolConfig, previous: Option<&Self>, seed: u64) -> Self {
        let known = |url: &str| {
            let upstreams = previous.map_or(&[][..], |pool| &pool.upstreams);
            let same = upstreams.iter().find(|upstream| upstream.config.url == url);
            same.map(|upstream| Arc::clone(&upstream.vitals))
        };
        let upstream = |one: &UpstreamConfig| Upstream {
            hash: choice::hash_key(one.url.as_bytes()),
            vitals: known(&one.url).unwrap_or_default(),
            config: one.clone(),
        };
        let upstreams: Vec<_> = config.upstreams.iter().map(upstream).collect();
        for upstream in &upstreams {
            if config.health.is_none() {
                upstream.vitals.forget_checks();
            }
            if config.ejection.failures == 0 || upstreams.len() < 2 {
                upstream.vitals.forget_ejection();
            }
        }
        let requests = upstreams.iter().map(|upstream| upstream.vitals.tally.requests()).sum();
        let latest_ms = previous.map_or(0, |pool| pool.latest_ms.load(Ordering::Relaxed));
        Self {
            memory: Memory::new(upstreams.len(), seed),
            budget: Mutex::new(Budget::new(requests, latest_ms)),
            breaker: (config.breaker.error_percent > 0).then(|| Mutex::new(Breaker::new())),
            ejecting: Mutex::new(()),
            is_limited: upstreams.iter().any(|one| one.config.max_connections.is_some()),
            queue: Queue::default(),
            latest_ms: AtomicU64::new(latest_ms),
            upstreams,
            config,
        }
    }

    /// How it was configured.
    pub fn config(&self) -> &PoolConfig {
        &self.config
    }

    /// Its upstreams, in the order of the configuration.
    pub fn upstreams(&self) -> &[Upstream] {
        &self.upstreams
    }

    /// Choose an upstream for a request. `key` is for pools that choose by one ([`hash_key`]);
    /// without it they choose in turn. `tried` has what this request has tried already.
    ///
    /// Backups are for when no other upstream can be asked. Those that were taken out because
    /// requests failed are asked all the same when there is nobody else, so that a fault of ours or
    /// of all of them together does not turn everybody away; those that checks found down are not.
    ///
    /// [`hash_key`]: super::hash_key
    pub fn choose(self: &Arc<Self>, key: Option<u64>, tried: &[usize], now_ms: u64) -> Choice {
        if self.is_limited {
            self.latest_ms.fetch_max(now_ms, Ordering::Relaxed);
            if self.queue.len() > 0 {
                // Whoever waits was first.
                self.serve_queue();
                if self.queue.len() > 0 && tried.is_empty() {
                    return Choice::Busy;
                }
            }
        }
        self.attempt(key, tried, now_ms)
    }

    /// Wait for a place, after [`Choice::Busy`], in the order in which requests came. The error
    /// says why there is no waiting.
    pub fn wait(
        self: &Arc<Self>,
        key: Option<u64>,
        tried: &[usize],
        now_ms: u64,
    ) -> Result<Wait, &'static str> {
        let most = self.config.queue.max as usize * self.upstreams.len();
        if most == 0 {
            return Err("all upstreams are busy");
        }
        let most = most.min(self.config.breaker.max_pending as usize);
        let deadline_ms = now_ms.saturating_add(self.config.queue.timeout_ms);
        self.latest_ms.fetch_max(now_ms, Ordering::Relaxed);
        let wait = self.queue.join(self, key, tried, deadline_ms, most);
        let wait = wait.ok_or("all upstreams are busy, and as many requests wait as may")?;
        // A place may have been given back since the choice was made.
        self.serve_queue();
        Ok(wait)
    }

    /// Whether a request that failed may be made again, as far as the number of such requests
    /// goes; takes it as done.
    pub fn may_retry(&self, now_ms: u64) -> bool {
        let requests = self.upstreams.iter().map(|upstream| upstream.vitals.tally.requests());
        let requests = requests.fold(0, u64::wrapping_add);
        lock(&self.budget).take(requests, self.config.retries.budget_percent, now_ms)
    }

    /// Give waiting requests places, as there may be some that nobody has given back: an upstream
    /// is up again. For whoever makes checks, now and then.
    pub fn tick(self: &Arc<Self>, now_ms: u64) {
        self.latest_ms.fetch_max(now_ms, Ordering::Relaxed);
        if self.queue.len() > 0 {
            self.serve_queue();
        }
    }

    /// What is known of it.
    pub fn state(&self, now_ms: u64) -> PoolState {
        PoolState {
            name: self.config.name.clone(),
            breaker_open: self.breaker.as_ref().is_some_and(|breaker| lock(breaker).is_open()),
            waiting: self.queue.len(),
            upstreams: self.states(now_ms),
        }
    }

    /// What is known of its upstreams.
    pub fn states(&self, now_ms: u64) -> Vec<State> {
        self.upstreams.iter().map(|upstream| upstream.state(now_ms)).collect()
    }

    fn serve_queue(self: &Arc<Self>) {
        let now_ms = self.latest_ms.load(Ordering::Relaxed);
        self.queue.serve(|key, tried| match self.attempt(key, tried, now_ms) {
            Choice::Upstream(ticket) => Some(ticket),
            Choice::Busy | Choice::None(_) => None,
        });
    }

    fn attempt(self: &Arc<Self>, key: Option<u64>, tried: &[usize], now_ms: u64) -> Choice {
        if let Some(most) = self.config.breaker.max_requests {
            let under_way =
                self.upstreams.iter().map(|one| u64::from(one.in_flight())).sum::<u64>();
            if under_way >= u64::from(most) {
                return Choice::None("as many requests are under way as the pool may have");
            }
        }
        let for_breaker = match self.breaker.as_ref().map(|breaker| lock(breaker).enter(now_ms)) {
            None | Some(Entry::Free) => false,
            Some(Entry::Probe) => true,
            Some(Entry::Refused) => return Choice::None("the circuit breaker is open"),
        };
        let mut outcome = Choice::Busy;
        for _ in 0..MAX_RACES {
            outcome = match self.pick(key, tried, now_ms) {
                Pick::Take(index, errand) if self.upstreams[index].enter(errand) => {
                    if !tried.is_empty() {
                        self.upstreams[index].vitals.retries.fetch_add(1, Ordering::Relaxed);
                    }
                    let pool = Arc::clone(self);
                    let ticket = Ticket { pool, index, errand, for_breaker, is_settled: false };
                    return Choice::Upstream(ticket);
                }
                // Somebody else was quicker.
                Pick::Take(..) => continue,
                Pick::Busy => Choice::Busy,
                Pick::None(why) => Choice::None(why),
            };
            break;
        }
        self.give_up_breaker_probe(for_breaker);
        outcome
    }

    fn pick(&self, key: Option<u64>, tried: &[usize], now_ms: u64) -> Pick {
        let mut has_reluctant = false;
        for backup in [false, true] {
            let mut candidates = Candidates::new();
            let mut errands = 0_u32;
            let mut is_busy = false;
            for (index, upstream) in self.upstreams.iter().enumerate() {
                if upstream.config.backup != backup || tried.contains(&index) {
                    continue;
                }
                match upstream.offer(now_ms) {
                    Offer::Place(errand) => {
                        errands += u32::from(errand == Errand::Probe);
                        candidates.push(self.candidate(index, now_ms));
                    }
                    Offer::Full => is_busy = true,
                    Offer::Reluctant => has_reluctant = true,
                    Offer::Nothing => {}
                }
            }
            if let Some(index) = self.decide(&candidates, key) {
                let is_probe = errands > 0 && self.upstreams[index].is_ejected();
                return Pick::Take(index, if is_probe { Errand::Probe } else { Errand::Plain });
            }
            if is_busy {
                return Pick::Busy;
            }
        }
        if has_reluctant {
            return self.pick_in_panic(key, tried, now_ms);
        }
        Pick::None(if tried.is_empty() {
            "all upstreams are down"
        } else {
            "no other upstream is up"
        })
    }

    fn pick_in_panic(&self, key: Option<u64>, tried: &[usize], now_ms: u64) -> Pick {
        let candidates: Candidates = (0..self.upstreams.len())
            .filter(|index| !tried.contains(index))
            .filter(|index| {
                let upstream = &self.upstreams[*index];
                upstream.is_ejected() && !upstream.is_down() && !upstream.is_full()
            })
            .map(|index| self.candidate(index, now_ms))
            .collect();
        self.decide(&candidates, key).map_or(Pick::Busy, |index| Pick::Take(index, Errand::Panic))
    }

    fn candidate(&self, index: usize, now_ms: u64) -> Candidate {
        let upstream = &self.upstreams[index];
        Candidate {
            index,
            weight: upstream.config.weight,
            share: upstream.share(self.config.slow_start_ms, now_ms),
            in_flight: upstream.in_flight(),
            hash: upstream.hash,
        }
    }

    fn decide(&self, candidates: &[Candidate], key: Option<u64>) -> Option<usize> {
        match (candidates, &self.config.policy) {
            ([], _) => None,
            ([one], _) => Some(one.index),
            (_, Policy::LeastConnections) => self.memory.least_connections(candidates),
            (_, Policy::RandomTwo) => self.memory.random_two(candidates),
            (_, Policy::Hash(_)) if key.is_some() => choice::by_key(candidates, key?),
            (_, Policy::RoundRobin | Policy::Hash(_)) => self.memory.round_robin(candidates),
        }
    }

    /// What became of a ticket's request.
    pub(super) fn settle(&self, ticket: &Ticket, good: bool, now_ms: u64) {
        // Only the first news is what was waited for; a body may still break off.
        let errand = if ticket.is_settled { Errand::Plain } else { ticket.errand };
        if let Some(breaker) = &self.breaker {
            let is_probe = ticket.for_breaker && !ticket.is_settled;
            lock(breaker).record(&self.config.breaker, good, is_probe, now_ms);
        }
        let (vitals, ejection) = (&self.upstreams[ticket.index].vitals, &self.config.ejection);
        match errand {
            _ if good => vitals.went_well(errand != Errand::Plain, now_ms),
            Errand::Probe => vitals.eject(ejection, now_ms),
            // It is out, and this request began before that.
            Errand::Plain if self.upstreams[ticket.index].is_ejected() => {}
            Errand::Plain if vitals.went_wrong(ejection, now_ms) => {
                self.eject(ticket.index, now_ms);
            }
            Errand::Plain | Errand::Panic => {}
        }
    }

    fn eject(&self, index: usize, now_ms: u64) {
        let all = self.upstreams.len();
        if all < 2 {
            return;
        }
        let _one_at_a_time = lock(&self.ejecting);
        let out = self.upstreams.iter().filter(|upstream| upstream.is_ejected()).count();
        let most = (all * self.config.ejection.max_percent as usize / 100).max(1);
        if out < most && !self.upstreams[index].is_ejected() {
            self.upstreams[index].vitals.eject(&self.config.ejection, now_ms);
        }
    }

    /// A ticket is given back.
    pub(super) fn release(self: &Arc<Self>, ticket: &Ticket) {
        let upstream = &self.upstreams[ticket.index];
        if !ticket.is_settled {
            if ticket.errand == Errand::Probe {
                upstream.vitals.end_probe();
            }
            self.give_up_breaker_probe(ticket.for_breaker);
        }
        upstream.vitals.leave();
        if self.is_limited && self.queue.is_waited_in() {
            self.serve_queue();
        }
    }

    fn give_up_breaker_probe(&self, for_breaker: bool) {
        if let (true, Some(breaker)) = (for_breaker, &self.breaker) {
            lock(breaker).give_up_probe();
        }
    }
}

impl Upstream {
    /// Requests under way.
    pub fn in_flight(&self) -> u32 {
        self.vitals.in_flight.load(Ordering::Relaxed)
    }

    fn trouble(&self) -> u8 {
        self.vitals.trouble.load(Ordering::Relaxed)
    }

    fn is_ejected(&self) -> bool {
        self.trouble() & EJECTED != 0
    }

    fn is_down(&self) -> bool {
        self.trouble() & DOWN != 0
    }

    fn is_full(&self) -> bool {
        self.config.max_connections.is_some_and(|most| self.in_flight() >= most)
    }

    fn standing(&self, now_ms: u64) -> Standing {
        match self.trouble() {
            0 => Standing::Up,
            trouble if trouble & DOWN != 0 => Standing::Down,
            _ if now_ms < self.vitals.ejected_until_ms.load(Ordering::Relaxed) => Standing::Ejected,
            _ => Standing::Probation,
        }
    }

    fn offer(&self, now_ms: u64) -> Offer {
        match self.standing(now_ms) {
            Standing::Down => Offer::Nothing,
            Standing::Ejected => Offer::Reluctant,
            Standing::Probation if self.trouble() & PROBING != 0 => Offer::Reluctant,
            Standing::Up | Standing::Probation if self.is_full() => Offer::Full,
            Standing::Up => Offer::Place(Errand::Plain),
            Standing::Probation => Offer::Place(Errand::Probe),
        }
    }

    /// Its share of the requests now: it grows evenly for a while after it came back.
    fn share(&self, slow_start_ms: u64, now_ms: u64) -> u64 {
        let full = u64::from(self.config.weight) * FULL_SHARE;
        if slow_start_ms == 0 {
            return full;
        }
        match self.vitals.returned_ms.load(Ordering::Relaxed) {
            0 => full,
            since_ms => {
                let passed_ms = now_ms.saturating_sub(since_ms).min(slow_start_ms);
                (full.saturating_mul(passed_ms) / slow_start_ms).max(1)
            }
        }
    }

    fn enter(&self, errand: Errand) -> bool {
        let is_probe = errand == Errand::Probe;
        if is_probe && !self.vitals.begin_probe() {
            return false;
        }
        let entered = self.vitals.enter(self.config.max_connections);
        if is_probe && !entered {
            self.vitals.end_probe();
        }
        entered
    }

    fn state(&self, now_ms: u64) -> State {
        let vitals = &self.vitals;
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let rare = vitals.rare().clone();
        let standing = self.standing(now_ms);
        State {
            url: self.config.url.clone(),
            weight: self.config.weight,
            backup: self.config.backup,
            max_connections: self.config.max_connections,
            standing,
            down_ms: rare.down_since_ms.map(|since_ms| now_ms.saturating_sub(since_ms)),
            ejected_ms: (standing == Standing::Ejected)
                .then(|| load(&vitals.ejected_until_ms).saturating_sub(now_ms)),
            checks_in_row: (rare.good_checks, rare.bad_checks),
            last_error_ms: now_ms.saturating_sub(rare.last_error_ms),
            last_error: rare.last_error,
            in_flight: self.in_flight(),
            counts: vitals.tally.counts(),
            retries: load(&vitals.retries),
            ejections: load(&vitals.ejections),
            checks_failed: load(&vitals.checks_failed),
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("config", &self.config).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
