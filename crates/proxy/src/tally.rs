//! What became of the requests to one upstream, in numbers that all workers add to.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::{Origin, Phase};

/// Upper bounds of the classes that times until a response's head are counted in, in nanoseconds:
/// 0.5 ms to 60 s.
pub const LATENCY_BOUNDS_NS: [u64; 15] = [
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    200_000_000,
    500_000_000,
    1_000_000_000,
    2_000_000_000,
    5_000_000_000,
    10_000_000_000,
    60_000_000_000,
];

/// Upstreams of no pool that are counted apart: a script can name any number of them.
const MAX_TALLIES: usize = 256;

/// What the rest of them are called together.
const OTHERS: &str = "others";

/// The numbers of one upstream.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    latency_sum_ns: AtomicU64,
    latency: [AtomicU64; LATENCY_BOUNDS_NS.len() + 1],
    /// By the phase they had come to.
    failures: [AtomicU64; Phase::ALL.len()],
}

/// What a tally amounts to at one moment.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Requests that were answered, or failed.
    pub requests: u64,
    /// Those that failed, by the name of the phase they had come to.
    pub failures: Vec<(&'static str, u64)>,
    /// Answers by the time until their head: one count for each bound, and one for what is beyond.
    pub latency: Vec<u64>,
    /// All that time together.
    pub latency_sum_ns: u64,
}

impl Tally {
    /// Count an answer by the time until its head.
    pub(crate) fn answered(&self, first_byte_ns: u64) {
        let class = LATENCY_BOUNDS_NS.iter().position(|bound| first_byte_ns <= *bound);
        self.latency[class.unwrap_or(LATENCY_BOUNDS_NS.len())].fetch_add(1, Ordering::Relaxed);
        self.latency_sum_ns.fetch_add(first_byte_ns, Ordering::Relaxed);
    }

    /// Count a request that was not answered.
    pub(crate) fn failed(&self, phase: Phase) {
        self.failures[phase as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Requests that were answered, or failed.
    pub(crate) fn requests(&self) -> u64 {
        // One that failed in its body is an answer that was counted when it began.
        let failures = &self.failures[..Phase::Body as usize];
        self.latency.iter().chain(failures).map(load).fold(0, u64::wrapping_add)
    }

    pub(crate) fn counts(&self) -> Counts {
        let names = Phase::ALL.iter().map(|phase| phase.name());
        Counts {
            requests: self.requests(),
            failures: names.zip(self.failures.iter().map(load)).collect(),
            latency: self.latency.iter().map(load).collect(),
            latency_sum_ns: load(&self.latency_sum_ns),
        }
    }
}

/// The tallies of upstreams that are asked by their URLs; pools have their own.
#[derive(Default)]
pub(crate) struct Tallies(Mutex<HashMap<String, Arc<Tally>, RandomState>>);

impl Tallies {
    /// That of one upstream.
    pub(crate) fn of(&self, origin: &Origin) -> Arc<Tally> {
        let name = origin.to_string();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !all.contains_key(&name);
        let name = if is_new && all.len() >= MAX_TALLIES { OTHERS.to_owned() } else { name };
        Arc::clone(all.entry(name).or_default())
    }

    /// All of them by the names of their upstreams, in order.
    pub(crate) fn counts(&self) -> Vec<(String, Counts)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut counts: Vec<_> =
            all.iter().map(|(name, tally)| (name.clone(), tally.counts())).collect();
        counts.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        counts
    }
}

impl fmt::Debug for Tallies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tallies")
    }
}

fn load(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Target;

    fn origin(number: usize) -> Origin {
        match Target::parse(&format!("http://host-{number}")) {
            Ok(Target::Origin { origin, .. }) => origin,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn phases_are_counted_apart() {
        let tally = Tally::default();
        tally.answered(500_000);
        tally.answered(u64::MAX);
        for phase in Phase::ALL {
            tally.failed(phase);
        }
        let counts = tally.counts();
        assert_eq!((counts.requests, counts.latency[0], counts.latency[15]), (8, 1, 1));
        let names: Vec<_> = Phase::ALL.iter().map(|phase| (phase.name(), 1)).collect();
        assert_eq!(counts.failures, names);
    }

    #[test]
    fn what_is_too_many_is_counted_together() {
        let tallies = Tallies::default();
        for number in 0..MAX_TALLIES + 10 {
            tallies.of(&origin(number)).answered(1);
        }
        tallies.of(&origin(0)).answered(1);
        let counts = tallies.counts();
        assert_eq!(counts.len(), MAX_TALLIES + 1);
        let of = |name: &str| counts.iter().find(|one| one.0 == name).map(|one| one.1.requests);
        assert_eq!((of("others"), of(&origin(0).to_string())), (Some(10), Some(2)));
    }
}
