mod choosing;
mod configuration;
mod health;
mod limits;
mod spread;

use std::sync::Arc;

use super::{Choice, Pool, Ticket, read_pools};
use crate::{Cause, Failure, Phase};

/// A pool as an operator would write it.
fn pool(json: &str) -> Arc<Pool> {
    Arc::new(Pool::new(read_pools(json).unwrap().remove(0), None, 7))
}

/// A pool of so many upstreams with more keys, as JSON without braces.
fn of(upstreams: usize, more: &str) -> Arc<Pool> {
    let urls: Vec<_> = (0..upstreams).map(|n| format!("\"http://10.0.0.{n}:80\"")).collect();
    let comma = if more.is_empty() { "" } else { ", " };
    pool(&format!("{{\"p\": {{\"upstreams\": [{}]{comma}{more}}}}}", urls.join(", ")))
}

fn take(pool: &Arc<Pool>, now_ms: u64) -> Ticket {
    take_but(pool, &[], now_ms)
}

fn take_but(pool: &Arc<Pool>, tried: &[usize], now_ms: u64) -> Ticket {
    match pool.choose(None, tried, now_ms) {
        Choice::Upstream(ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

fn refusal(pool: &Arc<Pool>, now_ms: u64) -> &'static str {
    match pool.choose(None, &[], now_ms) {
        Choice::None(why) => why,
        other => panic!("{other:?}"),
    }
}

fn refused() -> Failure {
    Failure::new(Phase::Connect, Cause::Closed)
}

/// Let requests fail at that upstream until it is out.
fn eject(pool: &Arc<Pool>, index: usize, now_ms: u64) {
    let others: Vec<_> = (0..pool.upstreams().len()).filter(|other| *other != index).collect();
    for _ in 0..pool.config().ejection.failures {
        let mut ticket = take_but(pool, &others, now_ms);
        assert_eq!(ticket.index(), index);
        ticket.failed(&refused(), now_ms);
    }
}
