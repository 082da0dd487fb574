//! Which of the upstreams that could be asked is: one function for each policy.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use smallvec::SmallVec;

/// An upstream that could be asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    /// Its place in the pool.
    pub(super) index: usize,
    /// Its share as configured.
    pub(super) weight: u32,
    /// Its share of now, in 1/256: less while it starts slowly.
    pub(super) share: u64,
    /// Requests under way.
    pub(super) in_flight: u32,
    /// What its URL hashes to.
    pub(super) hash: u64,
}

/// Those of one request; most pools are small.
pub(super) type Candidates = SmallVec<[Candidate; 8]>;

/// What is kept from one choice to the next.
#[derive(Debug)]
pub(super) struct Memory {
    /// How far each upstream is ahead of its share, for round robin.
    ahead: Mutex<Vec<i64>>,
    /// What random numbers are made of, and where looking begins.
    count: AtomicU64,
}

impl Memory {
    pub(super) fn new(upstreams: usize, seed: u64) -> Self {
        Self { ahead: Mutex::new(vec![0; upstreams]), count: AtomicU64::new(seed) }
    }

    /// A number that nobody needs to be unable to guess.
    fn random(&self) -> u64 {
        mix(self.count.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed))
    }

    /// Smooth weighted round robin: all go forward by their share, the first one is taken and goes
    /// back by what all of them together have gone. With weights 5, 1, 1 that is a, a, b, a, c, a, a.
    pub(super) fn round_robin(&self, candidates: &[Candidate]) -> Option<usize> {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        let mut total = 0_i64;
        let mut first: Option<(usize, i64)> = None;
        for one in candidates {
            let share = one.share as i64;
            total += share;
            let Some(slot) = ahead.get_mut(one.index) else { continue };
            *slot += share;
            if first.is_none_or(|(_, most)| *slot > most) {
                first = Some((one.index, *slot));
            }
        }
        let (index, _) = first?;
        ahead[index] -= total;
        Some(index)
    }

    /// The one with the fewest requests for its share, the next one asked included. Looking begins
    /// anywhere, so that equals get equally many.
    pub(super) fn least_connections(&self, candidates: &[Candidate]) -> Option<usize> {
        let begin = self.random() as usize % candidates.len().max(1);
        let (before, from) = candidates.split_at(begin.min(candidates.len()));
        let mut best: Option<&Candidate> = None;
        for one in from.iter().chain(before) {
            if best.is_none_or(|best| is_better(one, best)) {
                best = Some(one);
            }
        }
        best.map(|one| one.index)
    }

    /// The better of two that were drawn by their shares.
    pub(super) fn random_two(&self, candidates: &[Candidate]) -> Option<usize> {
        let first = draw(candidates, None, self.random())?;
        let Some(second) = draw(candidates, Some(first), self.random()) else {
            return Some(candidates[first].index);
        };
        let (first, second) = (&candidates[first], &candidates[second]);
        // Their shares have decided how often they are drawn.
        let better = if second.in_flight < first.in_flight { second } else { first };
        Some(better.index)
    }
}

/// Fewer requests under way for its share, counting the one that is to come.
fn is_better(one: &Candidate, other: &Candidate) -> bool {
    let load = |a: &Candidate, b: &Candidate| (u64::from(a.in_flight) + 1).saturating_mul(b.share);
    load(one, other) < load(other, one)
}

/// One at random by share, but not that one.
fn draw(candidates: &[Candidate], but: Option<usize>, random: u64) -> Option<usize> {
    let others = candidates.iter().enumerate().filter(|(at, _)| Some(*at) != but);
    let total: u64 = others.clone().map(|(_, one)| one.share).sum();
    let mut left = random.checked_rem(total)?;
    for (at, one) in others {
        if left < one.share {
            return Some(at);
        }
        left -= one.share;
    }
    None
}

/// Rendezvous hashing by weight: each upstream draws a number from the key and its own URL, and the
/// best one wins. It needs no memory, and without one upstream only its own keys move. Weights are
/// those of the configuration: a slow start would move keys twice.
pub(super) fn by_key(candidates: &[Candidate], key: u64) -> Option<usize> {
    let score = |one: &Candidate| {
        // From 53 bits, in (0, 1): the logarithm is below zero.
        let drawn = ((mix(key ^ one.hash) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        -drawn.ln() / f64::from(one.weight)
    };
    let scores = candidates.iter().map(|one| (score(one), one.index));
    scores.min_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, index)| index)
}

/// Hash an address, a header or a cookie for [`Pool::choose`](super::Pool::choose). The same in
/// every process and in every version, so that several servers agree.
pub fn hash_key(bytes: &[u8]) -> u64 {
    // FNV-1a; what it leaves alike in the upper bits is mixed when an upstream is chosen.
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    mix(bytes.iter().fold(0xcbf2_9ce4_8422_2325, step))
}

/// Make each bit depend on all: the end of SplitMix64.
fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
