//! Whose health is asked for when. One worker does it for the whole process.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt;
use std::sync::Arc;

use super::choice::hash_key;
use super::config::HealthConfig;
use super::pool::{Pool, Upstream};

/// Longest time until an upstream is asked first: until then it counts as up.
const FIRST_MS: u64 = 1_000;

/// The questions of some pools, in the order in which they are due.
pub struct Checks {
    pools: Vec<Arc<Pool>>,
    /// When, of which pool, which upstream.
    due: BinaryHeap<Reverse<(u64, usize, usize)>>,
    seed: u64,
}

/// A question to ask. What is made of it goes to [`Checks::done`].
#[derive(Clone, Debug)]
pub struct Check {
    pool: usize,
    index: usize,
    of: Arc<Pool>,
}

impl Check {
    /// Whom to ask.
    pub fn upstream(&self) -> &Upstream {
        &self.of.upstreams()[self.index]
    }

    /// What to ask, and what is a good answer.
    pub fn health(&self) -> Option<&HealthConfig> {
        self.of.config().health.as_ref()
    }

    /// What was wrong last.
    pub fn last_error(&self) -> String {
        self.upstream().vitals.rare().last_error.clone()
    }

    /// The pool, for messages.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.of
    }
}

impl Checks {
    /// Questions of those pools that want any. `seed` is any number.
    pub fn new(pools: Vec<Arc<Pool>>, now_ms: u64, seed: u64) -> Self {
        let mut checks = Self { due: BinaryHeap::new(), seed, pools };
        for pool in 0..checks.pools.len() {
            let Some(health) = &checks.pools[pool].config().health else { continue };
            let spread_ms = health.interval_ms.min(FIRST_MS);
            for index in 0..checks.pools[pool].upstreams().len() {
                let at_ms = now_ms.saturating_add(checks.below(spread_ms));
                checks.due.push(Reverse((at_ms, pool, index)));
            }
        }
        checks
    }

    /// Whether nobody has to be asked, ever.
    pub fn is_empty(&self) -> bool {
        self.pools.iter().all(|pool| pool.config().health.is_none())
    }

    /// When the next question is due; `None` while all are being asked.
    pub fn next_due_ms(&self) -> Option<u64> {
        self.due.peek().map(|Reverse((at_ms, ..))| *at_ms)
    }

    /// The next question that is due, if one is.
    pub fn take_due(&mut self, now_ms: u64) -> Option<Check> {
        let Reverse((at_ms, pool, index)) = self.due.peek()?;
        if *at_ms > now_ms {
            return None;
        }
        let (pool, index) = (*pool, *index);
        self.due.pop();
        Some(Check { pool, index, of: Arc::clone(&self.pools[pool]) })
    }

    /// What became of a question: a status, or why there is none. Says whether the upstream is up
    /// (`Some(true)`) or down since now.
    pub fn done(
        &mut self,
        check: &Check,
        outcome: Result<u16, String>,
        now_ms: u64,
    ) -> Option<bool> {
        let health = check.health()?;
        let outcome = outcome.and_then(|status| match health.status.contains(status) {
            true => Ok(()),
            false => Err(format!("status {status}")),
        });
        let is_good = outcome.is_ok();
        let error = outcome.as_ref().err().map(String::as_str);
        let has_changed = check.upstream().vitals.checked(health, error, now_ms);
        // Up to a tenth sooner or later, so that upstreams which were asked together drift apart.
        let tenth_ms = health.interval_ms / 10;
        let pause_ms = health.interval_ms - tenth_ms + self.below(2 * tenth_ms);
        let at_ms = now_ms.saturating_add(pause_ms.max(1));
        self.due.push(Reverse((at_ms, check.pool, check.index)));
        if has_changed {
            check.of.tick(now_ms);
        }
        has_changed.then_some(is_good)
    }

    /// A number below that, or 0.
    fn below(&mut self, bound: u64) -> u64 {
        self.seed = hash_key(&self.seed.to_le_bytes());
        self.seed.checked_rem(bound).unwrap_or(0)
    }
}

impl fmt::Debug for Checks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Checks").field("due", &self.due.len()).finish_non_exhaustive()
    }
}
