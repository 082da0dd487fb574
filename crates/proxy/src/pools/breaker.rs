//! The circuit breaker: when too many requests fail, the pool is left alone for a while, and then
//! one request finds out whether it has recovered.

use super::config::BreakerConfig;

/// Parts of the window. The oldest is dropped at once, so the window is up to a tenth shorter.
const SLOTS: usize = 10;

/// What a request may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// Go on.
    Free,
    /// Go on, and say what became of it: others wait for that.
    Probe,
    /// It is refused.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    Closed,
    Open {
        until_ms: u64,
    },
    /// Whether the probe is under way.
    HalfOpen {
        probing: bool,
    },
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    number: u64,
    good: u32,
    bad: u32,
}

/// The breaker of a pool.
#[derive(Debug)]
pub(super) struct Breaker {
    position: Position,
    slots: [Slot; SLOTS],
}

impl Breaker {
    /// Closed.
    pub(super) fn new() -> Self {
        Self { position: Position::Closed, slots: [Slot::default(); SLOTS] }
    }

    /// Whether requests are refused now.
    pub(super) fn is_open(&self) -> bool {
        self.position != Position::Closed
    }

    /// A request wants to go on.
    pub(super) fn enter(&mut self, now_ms: u64) -> Entry {
        match self.position {
            Position::Closed => Entry::Free,
            Position::Open { until_ms } if now_ms < until_ms => Entry::Refused,
            Position::HalfOpen { probing: true } => Entry::Refused,
            Position::Open { .. } | Position::HalfOpen { probing: false } => {
                self.position = Position::HalfOpen { probing: true };
                Entry::Probe
            }
        }
    }

    /// The probe came to nothing, neither good nor bad: the next request is one.
    pub(super) fn give_up_probe(&mut self) {
        if let Position::HalfOpen { probing } = &mut self.position {
            *probing = false;
        }
    }

    /// What became of a request.
    pub(super) fn record(
        &mut self,
        config: &BreakerConfig,
        good: bool,
        is_probe: bool,
        now_ms: u64,
    ) {
        if is_probe {
            match good {
                true => *self = Self::new(),
                false => self.open(config, now_ms),
            }
            return;
        }
        // Requests that began before say nothing about how it is now.
        if self.position != Position::Closed {
            return;
        }
        let length_ms = (config.window_ms / SLOTS as u64).max(1);
        let number = now_ms / length_ms;
        let slot = &mut self.slots[(number % SLOTS as u64) as usize];
        if slot.number != number {
            *slot = Slot { number, ..Slot::default() };
        }
        let count = if good { &mut slot.good } else { &mut slot.bad };
        *count = count.saturating_add(1);
        if good {
            return;
        }
        let oldest = number.saturating_sub(SLOTS as u64 - 1);
        let live = self.slots.iter().filter(|slot| (oldest..=number).contains(&slot.number));
        let (good, bad) = live.fold((0, 0), |(good, bad), slot| {
            (good + u64::from(slot.good), bad + u64::from(slot.bad))
        });
        let enough = good + bad >= u64::from(config.min_requests);
        if enough && bad * 100 >= (good + bad) * u64::from(config.error_percent) {
            self.open(config, now_ms);
        }
    }

    fn open(&mut self, config: &BreakerConfig, now_ms: u64) {
        *self = Self::new();
        self.position = Position::Open { until_ms: now_ms.saturating_add(config.open_ms) };
    }
}
