//! The upstreams that a worker knows, and its idle connections to them.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::dial::{Dialer, Shared, Socket};
use crate::http2::Connections;
use crate::origin::{Origin, Target, TargetError};
use crate::tally::Tally;

/// Idle connections to one upstream.
const MAX_IDLE: usize = 512;

/// Places to ask whose text was read before.
const MAX_ROUTES: usize = 256;

/// Upstreams that are remembered.
const MAX_UPSTREAMS: usize = 1024;

/// Buffers kept for the next requests.
const MAX_SPARE: usize = 64;

/// Largest buffer that is kept.
const MAX_SPARE_BYTES: usize = 64 * 1024;

/// Seconds that a connection may lie idle.
const IDLE_S: u64 = 60;

/// How connections without a request are kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idleness {
    /// So many of them.
    pub(crate) most: usize,
    /// So long each.
    pub(crate) seconds: u64,
}

impl Default for Idleness {
    fn default() -> Self {
        Self { most: MAX_IDLE, seconds: IDLE_S }
    }
}

/// An upstream and its idle connections.
#[derive(Debug)]
pub struct Upstream {
    /// Where it is.
    pub origin: Origin,
    idle: RefCell<VecDeque<Idle>>,
    /// What became of requests that no pool sent here.
    tally: OnceCell<Arc<Tally>>,
    /// Those that requests share.
    pub(crate) http2: Connections,
}

#[derive(Debug)]
struct Idle {
    socket: Socket,
    /// Tick from which on it is closed.
    until: u64,
}

/// A place to ask.
#[derive(Debug)]
pub struct Route {
    /// Who is asked.
    pub upstream: Rc<Upstream>,
    /// Put before the path, without a slash at the end.
    pub base: String,
    /// Put before the query.
    pub query: String,
}

/// What a worker knows of upstreams.
#[derive(Debug, Default)]
pub struct Upstreams {
    dialer: OnceCell<Rc<Dialer>>,
    routes: RefCell<HashMap<String, Rc<Route>, RandomState>>,
    known: RefCell<HashMap<Origin, Rc<Upstream>, RandomState>>,
    spare: RefCell<Vec<Vec<u8>>>,
    /// Seconds since some moment.
    now: Cell<u64>,
}

/// What is shared by those who were given nothing: read when the first of them connects.
static ALONE: LazyLock<Arc<Shared>> = LazyLock::new(|| Arc::new(Shared::new()));

impl Upstreams {
    /// For one of several workers.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self { dialer: Rc::new(Dialer::new(shared)).into(), ..Self::default() }
    }

    /// Who connects.
    pub(crate) fn dialer(&self) -> Rc<Dialer> {
        Rc::clone(self.dialer.get_or_init(|| Rc::new(Dialer::new(Arc::clone(&ALONE)))))
    }

    /// Others that connect in the same way and share no connections with these.
    pub fn apart(&self) -> Self {
        Self { dialer: self.dialer().into(), ..Self::default() }
    }

    /// The same for connections to the public Internet alone.
    pub fn guarded(&self) -> Self {
        Self { dialer: Rc::new(self.dialer().guarded()).into(), ..Self::default() }
    }

    /// The place that a text names.
    pub fn route(&self, text: &str) -> Result<Rc<Route>, TargetError> {
        if let Some(route) = self.routes.borrow().get(text) {
            return Ok(Rc::clone(route));
        }
        let Target::Origin { origin, base, query } = Target::parse(text)? else {
            return Err(TargetError("there is no pool of that name"));
        };
        let route = Rc::new(Route { upstream: self.of(&origin), base, query });
        let mut routes = self.routes.borrow_mut();
        if routes.len() >= MAX_ROUTES {
            routes.clear();
        }
        routes.insert(text.to_owned(), Rc::clone(&route));
        Ok(route)
    }

    /// What is known of an upstream.
    pub(crate) fn of(&self, origin: &Origin) -> Rc<Upstream> {
        let mut known = self.known.borrow_mut();
        if let Some(upstream) = known.get(origin) {
            return Rc::clone(upstream);
        }
        if known.len() >= MAX_UPSTREAMS {
            known.retain(|_, upstream| Rc::strong_count(upstream) > 1);
            if known.len() >= MAX_UPSTREAMS {
                // Their connections are closed when the last request is done with them.
                known.clear();
            }
        }
        let made = Rc::new(Upstream {
            origin: origin.clone(),
            idle: RefCell::default(),
            tally: OnceCell::new(),
            http2: Connections::default(),
        });
        known.insert(origin.clone(), Rc::clone(&made));
        made
    }

    /// The numbers of an upstream that no pool has.
    pub(crate) fn tally<'a>(&self, upstream: &'a Upstream) -> &'a Tally {
        upstream.tally.get_or_init(|| self.dialer().shared().tallies.of(&upstream.origin))
    }

    /// The time, in the seconds that [`Upstreams::sweep`] was told.
    pub fn now(&self) -> u64 {
        self.now.get()
    }

    /// A second has passed: close what was idle for too long, or what the other side closed.
    pub fn sweep(&self, now: u64) {
        self.now.set(now);
        for upstream in self.known.borrow().values() {
            upstream.http2.sweep(now);
            let mut idle = upstream.idle.borrow_mut();
            if !idle.is_empty() {
                idle.retain_mut(|idle| idle.until > now && idle.socket.seems_quiet());
            }
        }
    }

    /// Whether there are idle connections, which [`Upstreams::sweep`] would look at.
    pub fn has_idle(&self) -> bool {
        let known = self.known.borrow();
        known
            .values()
            .any(|upstream| !upstream.idle.borrow().is_empty() || !upstream.http2.is_empty())
    }

    /// An idle connection, the one used last.
    pub(crate) fn take(&self, upstream: &Upstream) -> Option<Socket> {
        let mut idle = upstream.idle.borrow_mut();
        while let Some(mut last) = idle.pop_back() {
            // A response to nobody would be taken for that to the next request.
            // What the event loop knows is from before the requests that it woke us for: under load
            // that is long enough for an answer to somebody else to come in.
            if last.socket.is_quiet() {
                return Some(last.socket);
            }
        }
        None
    }

    /// Keep a connection.
    pub(crate) fn give(&self, upstream: &Upstream, socket: Socket, idleness: Idleness) {
        let mut idle = upstream.idle.borrow_mut();
        if idleness.most == 0 {
            return;
        }
        while idle.len() >= idleness.most {
            idle.pop_front();
        }
        idle.push_back(Idle { socket, until: self.now.get().saturating_add(idleness.seconds) });
    }

    pub(crate) fn take_buffer(&self) -> Vec<u8> {
        self.spare.borrow_mut().pop().unwrap_or_default()
    }

    pub(crate) fn give_buffer(&self, mut buffer: Vec<u8>) {
        let mut spare = self.spare.borrow_mut();
        if spare.len() < MAX_SPARE && (1..=MAX_SPARE_BYTES).contains(&buffer.capacity()) {
            buffer.clear();
            spare.push(buffer);
        }
    }
}
