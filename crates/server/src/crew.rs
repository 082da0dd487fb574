//! The workers of a server among each other: a new connection goes to the one that has fewest.
//!
//! The kernel spreads connections over listeners by a hash. That is even for thousands of them; of
//! a few dozen, one worker may get half as many again as another.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::peer::Front;
use crate::stats::WorkerStats;

/// How many connections a worker may have more than another. Handing one over costs some
/// microseconds, so small differences are left alone.
const SLACK: u64 = 2;

/// A connection on its way from the worker that accepted it.
pub struct Arrival {
    /// The socket, known to no event loop.
    pub stream: TcpStream,
    /// Who is at the other end.
    pub peer: SocketAddr,
    /// How it is served.
    pub front: Arc<Front>,
    /// Whether a PROXY header comes before anything else.
    pub proxied: bool,
}

struct Member {
    stats: Arc<WorkerStats>,
    /// Connections that were handed over and are not among its open ones yet.
    arriving: AtomicU64,
    sender: UnboundedSender<Arrival>,
}

impl Member {
    fn load(&self) -> u64 {
        self.stats.connections_open.get() + self.arriving.load(Ordering::Relaxed)
    }
}

/// All workers.
pub struct Crew(Vec<Member>);

/// A worker's place among them.
pub struct Seat {
    crew: Arc<Crew>,
    own: usize,
}

impl Crew {
    /// A seat for each of the workers, which have these counters, and where its arrivals come.
    pub fn assemble(stats: &[Arc<WorkerStats>]) -> Vec<(Seat, UnboundedReceiver<Arrival>)> {
        let mut receivers = Vec::with_capacity(stats.len());
        let members = stats.iter().map(|stats| {
            let (sender, receiver) = unbounded_channel();
            receivers.push(receiver);
            Member { stats: Arc::clone(stats), arriving: AtomicU64::new(0), sender }
        });
        let crew = Arc::new(Self(members.collect()));
        let seats = receivers.into_iter().enumerate();
        seats.map(|(own, receiver)| (Seat { crew: Arc::clone(&crew), own }, receiver)).collect()
    }
}

impl Seat {
    /// A worker that has clearly fewer connections than this one: the one with fewest.
    pub fn freer(&self) -> Option<usize> {
        let members = &self.crew.0;
        let load = members[self.own].load();
        if load < SLACK {
            return None;
        }
        let loads = members.iter().map(Member::load).enumerate();
        let (freest, least) = loads.min_by_key(|(_, load)| *load)?;
        (least + SLACK <= load).then_some(freest)
    }

    /// Hand a connection over; it comes back when that worker has ended.
    pub fn hand_over(&self, to: usize, arrival: Arrival) -> Result<(), Box<Arrival>> {
        let member = &self.crew.0[to];
        // Counted first: a worker that drains waits for it.
        member.arriving.fetch_add(1, Ordering::Relaxed);
        member.sender.send(arrival).map_err(|returned| {
            member.arriving.fetch_sub(1, Ordering::Relaxed);
            Box::new(returned.0)
        })
    }

    /// One that was handed over is among the open ones, or gone.
    pub fn arrived(&self) {
        self.crew.0[self.own].arriving.fetch_sub(1, Ordering::Relaxed);
    }

    /// Whether connections are on their way here.
    pub fn awaits(&self) -> bool {
        self.crew.0[self.own].arriving.load(Ordering::Relaxed) > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_freest_is_found_when_it_is_worth_it() {
        let stats: Vec<_> = (0..3).map(|_| Arc::<WorkerStats>::default()).collect();
        let seats = Crew::assemble(&stats);
        let freer = |own: usize| seats[own].0.freer();
        assert_eq!(freer(0), None);
        stats[0].connections_open.add(2);
        assert_eq!(freer(0), Some(1));
        stats[1].connections_open.add(1);
        assert_eq!(freer(0), Some(2));
        stats[2].connections_open.add(1);
        assert_eq!(freer(0), None);
        assert_eq!(freer(1), None);
    }
}
