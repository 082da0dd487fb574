//! A worker: one thread, one event loop, its own listeners and connections.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use ipnet::IpNet;
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use slab::Slab;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::LocalOptions;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Notify, watch};
use zeroserve_host::Exchange;
use zeroserve_http::h2::BlockCache;
use zeroserve_proxy::cache::Cache;

use crate::access_log::Log;
use crate::clock::Clock;
use crate::connection::{Connection, SharedScratch};
use crate::crew::{Arrival, Seat};
use crate::endpoints::Endpoints;
use crate::fetching::Fetches;
use crate::h2;
use crate::limits::Limits;
use crate::listen::Listener;
use crate::notice::{Notice, plain};
use crate::oracle::Oracle;
use crate::passing::Upstreams;
use crate::peer::{Front, Peer, Session};
use crate::pools;
use crate::proxied;
use crate::record::SharedRecord;
use crate::sites::Sites;
use crate::stats::WorkerStats;
use crate::stream::Stream;
use crate::tls::{self, Tls};
use crate::transfer::{Life, READ_BYTES, Registration, Transfer};
use crate::views::Views;

/// Pause after the system had no descriptor or memory for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Buffers kept for the next request; more are given back to the allocator.
const SPARE_BUFFERS: usize = 64;

static NO_DESCRIPTORS: Notice = Notice::new();

/// What the server wants of its workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Serve.
    Running,
    /// Accept no more, finish what runs.
    Draining,
    /// End now.
    Stopping,
}

/// What all connections of one worker share.
pub struct Worker {
    /// The sites as this worker sees them.
    pub views: Views,
    /// The time.
    pub clock: Clock,
    /// What a client may do.
    pub limits: Limits,
    /// Counters.
    pub stats: Arc<WorkerStats>,
    /// This worker's end of the access log.
    pub log: Option<Log>,
    /// Who may send PROXY headers; empty when anybody may who reaches such a listener.
    pub proxy_from: Arc<[IpNet]>,
    /// Proxies in front of this server, whose word about clients counts.
    pub trusted_proxies: Arc<[IpNet]>,
    /// Upstreams, and idle connections to them.
    pub upstreams: Upstreams,
    /// The same for requests that scripts make.
    pub fetches: Fetches,
    /// What upstreams have said that others may get, shared by the workers.
    pub cache: Option<Cache>,
    /// Stored responses that are renewed without a client now.
    pub renewals: Rc<Cell<usize>>,
    /// Whose upstreams it asks for their health: one worker does it for all.
    pub health: Option<Arc<Sites>>,
    /// Buffers that one request at a time uses.
    pub scratch: SharedScratch,
    /// Header blocks of HTTP/2 responses, which are the same for all connections.
    pub blocks: RefCell<BlockCache>,
    /// A buffer for the head of one HTTP/2 response at a time.
    pub head_text: Cell<Vec<u8>>,
    /// Open connections, for their deadlines.
    pub lives: RefCell<Slab<Rc<Life>>>,
    /// Seconds since the worker started, while there were connections.
    pub tick: Cell<u64>,
    /// Whether connections close after the present request.
    pub draining: Cell<bool>,
    /// Answers that are made rather than found; only the admin listener has them.
    pub endpoints: Option<Box<dyn Endpoints>>,
    /// Says what became of a request and why; only where there is one alone.
    pub record: Option<SharedRecord>,
    /// Runs scripts in place of the engine; only where there are no sockets.
    pub oracle: Option<Rc<dyn Oracle>>,
    /// Where it sits among the workers, when there are several, and what they hand over to it.
    pub seat: Option<Seat>,
    /// Taken when it runs.
    pub arrivals: Cell<Option<UnboundedReceiver<Arrival>>>,
    inputs: RefCell<Vec<Vec<u8>>>,
    buffers: RefCell<Vec<Vec<u8>>>,
    #[allow(clippy::vec_box)] // taken and given as pointers: moving one would cost more
    exchanges: RefCell<Vec<Box<Exchange>>>,
    /// Wakes who waits for a connection to open or close.
    changed: Notify,
}

impl Worker {
    /// A worker that is not running yet.
    pub fn new(
        sites: Arc<Sites>,
        limits: Limits,
        stats: Arc<WorkerStats>,
        log: Option<Log>,
    ) -> Self {
        Self {
            views: Views::new(sites),
            clock: Clock::default(),
            limits,
            stats,
            log,
            proxy_from: Arc::default(),
            trusted_proxies: Arc::default(),
            upstreams: Upstreams::default(),
            fetches: Fetches::default(),
            cache: None,
            renewals: Rc::default(),
            health: None,
            scratch: SharedScratch::default(),
            blocks: RefCell::default(),
            head_text: Cell::default(),
            lives: RefCell::default(),
            tick: Cell::new(0),
            draining: Cell::new(false),
            endpoints: None,
            record: None,
            oracle: None,
            seat: None,
            arrivals: Cell::default(),
            inputs: RefCell::default(),
            buffers: RefCell::default(),
            exchanges: RefCell::default(),
            changed: Notify::new(),
        }
    }

    /// A buffer to read into: [`READ_BYTES`] long, its content left over from before.
    pub fn take_input(&self) -> Vec<u8> {
        self.inputs.borrow_mut().pop().unwrap_or_else(|| vec![0; READ_BYTES])
    }

    /// Give a buffer to read into back.
    pub fn give_input(&self, buffer: Vec<u8>) {
        let mut inputs = self.inputs.borrow_mut();
        if inputs.len() < SPARE_BUFFERS && buffer.len() == READ_BYTES {
            inputs.push(buffer);
        }
    }

    /// A buffer to gather output in, empty.
    pub fn take_buffer(&self) -> Vec<u8> {
        let spare = self.buffers.borrow_mut().pop();
        spare.unwrap_or_else(|| Vec::with_capacity(READ_BYTES))
    }

    /// The state of a request for scripts, empty.
    pub fn take_exchange(&self) -> Box<Exchange> {
        self.exchanges.borrow_mut().pop().unwrap_or_default()
    }

    /// Give the state of a request back.
    pub fn give_exchange(&self, mut exchange: Box<Exchange>) {
        let mut exchanges = self.exchanges.borrow_mut();
        if exchanges.len() < SPARE_BUFFERS {
            exchange.clear();
            exchanges.push(exchange);
        }
    }

    /// Give a buffer of output back.
    pub fn give_buffer(&self, mut buffer: Vec<u8>) {
        let mut buffers = self.buffers.borrow_mut();
        if buffers.len() < SPARE_BUFFERS && buffer.capacity() <= 8 * READ_BYTES {
            buffer.clear();
            buffers.push(buffer);
        }
    }

    /// Whether what a client at this address says of others is believed.
    pub fn trusts(&self, ip: &str) -> bool {
        let networks = &self.trusted_proxies;
        !networks.is_empty()
            && ip.parse::<IpAddr>().is_ok_and(|ip| networks.iter().any(|net| net.contains(&ip)))
    }

    fn connections(&self) -> usize {
        self.lives.borrow().len()
    }

    /// Once a second while there are connections: end those whose time is over.
    pub(crate) async fn keep_time(&self) {
        loop {
            let has_idle = self.upstreams.has_idle() || self.fetches.has_idle();
            if self.connections() == 0 && !has_idle {
                // From here on no wake is missed, so nothing is left to the next second.
                let opened = self.changed.notified();
                let reloaded = self.views.sites().bell().changed();
                self.views.refresh();
                either(opened, reloaded).await;
                continue;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.views.refresh();
            let now = self.tick.get() + 1;
            self.tick.set(now);
            self.upstreams.sweep(now);
            self.fetches.sweep(now);
            for (_, life) in self.lives.borrow().iter() {
                if life.deadline.get() <= now {
                    life.expire();
                }
            }
        }
    }

    fn drain(&self) {
        self.draining.set(true);
        for (_, life) in self.lives.borrow().iter() {
            life.wake();
        }
    }

    async fn until_idle(&self) {
        while self.connections() > 0 || self.seat.as_ref().is_some_and(Seat::awaits) {
            self.changed.notified().await;
        }
    }
}

/// A listener, and what is to be done with those who come in by it.
pub struct Entrance {
    /// Where they come.
    pub listener: Listener,
    /// How they are served.
    pub front: Arc<Front>,
    /// Whether a PROXY header comes before anything else.
    pub proxied: bool,
}

/// Run a worker on this thread until it is told to stop; returns how many connections were cut.
///
/// `ready` is told once it accepts; a worker that fails before returns the reason instead. Each
/// number that `pulse` brings is put into the counter of that name: the sign that the loop turns.
pub fn run(
    worker: Worker,
    entrances: Vec<Entrance>,
    mut phase: watch::Receiver<Phase>,
    mut pulse: watch::Receiver<u64>,
    ready: impl FnOnce(),
) -> io::Result<usize> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .on_thread_unpark(worker.clock.on_wake())
        .build_local(LocalOptions::default())?;
    let worker = Rc::new(worker);
    let cut = runtime.block_on(async {
        let keeper = Rc::clone(&worker);
        tokio::task::spawn_local(async move { keeper.keep_time().await });
        let flusher = Rc::clone(&worker);
        tokio::task::spawn_local(async move {
            if let Some(log) = &flusher.log {
                log.flush_in_time(&flusher.stats.log_lines_dropped).await;
            }
        });
        let stats = Arc::clone(&worker.stats);
        tokio::task::spawn_local(async move {
            while pulse.changed().await.is_ok() {
                stats.pulse.set(*pulse.borrow_and_update());
            }
        });
        if let Some(sites) = &worker.health {
            let upstreams = Rc::new(worker.upstreams.apart());
            tokio::task::spawn_local(pools::watch(Arc::clone(sites), upstreams));
        }
        if let Some(arrivals) = worker.arrivals.take() {
            let worker = Rc::clone(&worker);
            tokio::task::spawn_local(async move { welcome(&worker, arrivals).await });
        }
        let mut accepting = Vec::new();
        for entrance in entrances {
            accepting.push(Accepting::start(&worker, entrance)?);
        }
        ready();
        let _ = phase.wait_for(|phase| *phase >= Phase::Draining).await;
        for accepting in accepting {
            accepting.finish(&worker);
        }
        worker.drain();
        either(worker.until_idle(), phase.wait_for(|phase| *phase == Phase::Stopping)).await;
        io::Result::Ok(worker.connections())
    })?;
    if let Some(log) = &worker.log {
        log.flush(&worker.stats.log_lines_dropped);
    }
    drop(runtime);
    Ok(cut)
}

/// Until the first of two things happens.
async fn either(first: impl Future, second: impl Future) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| {
        let ready = first.as_mut().poll(cx).is_ready() || second.as_mut().poll(cx).is_ready();
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// A listener and the task that accepts from it.
struct Accepting {
    socket: Rc<Socket>,
    front: Arc<Front>,
    proxied: bool,
    task: tokio::task::JoinHandle<()>,
}

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Accepting {
    fn start(worker: &Rc<Worker>, entrance: Entrance) -> io::Result<Self> {
        let Entrance { listener, front, proxied } = entrance;
        let socket = Rc::new(match listener {
            Listener::Tcp(listener) => Socket::Tcp(TcpListener::from_std(listener)?),
            Listener::Unix(listener) => Socket::Unix(UnixListener::from_std(listener)?),
        });
        let (worker, accepting, at) = (Rc::clone(worker), Rc::clone(&socket), Arc::clone(&front));
        let task = tokio::task::spawn_local(async move {
            accept_all(&worker, &accepting, &at, proxied).await;
        });
        Ok(Self { socket, front, proxied, task })
    }

    /// Stop accepting, but serve what the kernel has accepted for us already: closing the socket
    /// would reset those connections.
    fn finish(self, worker: &Rc<Worker>) {
        self.task.abort();
        let accept = |fd: std::os::fd::BorrowedFd<'_>| loop {
            match accept_with(fd, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
                Ok(fd) => return Some(fd),
                // That client has gone; there may be others behind it.
                Err(Errno::CONNABORTED | Errno::INTR) => {}
                Err(_) => return None,
            }
        };
        match &*self.socket {
            Socket::Tcp(listener) => {
                while let Some(fd) = accept(listener.as_fd()) {
                    let stream = std::net::TcpStream::from(fd);
                    let peer = stream.peer_addr();
                    if let (Ok(stream), Ok(peer)) = (TcpStream::from_std(stream), peer) {
                        serve_tcp(worker, stream, peer, &self.front, self.proxied);
                    }
                }
            }
            Socket::Unix(listener) => {
                while let Some(fd) = accept(listener.as_fd()) {
                    if let Ok(stream) = UnixStream::from_std(fd.into()) {
                        serve_unix(worker, stream, &self.front, self.proxied);
                    }
                }
            }
        }
    }
}

async fn accept_all(worker: &Rc<Worker>, socket: &Socket, front: &Arc<Front>, proxied: bool) {
    loop {
        while worker.connections() as u64 >= worker.limits.max_connections {
            worker.changed.notified().await;
        }
        let accepted = match socket {
            Socket::Tcp(listener) => {
                let accepted = listener.accept().await;
                accepted.map(|(stream, peer)| place_tcp(worker, stream, peer, front, proxied))
            }
            Socket::Unix(listener) => {
                let accepted = listener.accept().await;
                accepted.map(|(stream, _)| serve_unix(worker, stream, front, proxied))
            }
        };
        if let Err(error) = accepted {
            refused(&error).await;
        }
    }
}

/// Serve a connection that was accepted here, or have a worker do it that has fewer.
fn place_tcp(
    worker: &Rc<Worker>,
    stream: TcpStream,
    peer: SocketAddr,
    front: &Arc<Front>,
    proxied: bool,
) {
    let seat = worker.seat.as_ref();
    let Some((seat, to)) = seat.and_then(|seat| Some((seat, seat.freer()?))) else {
        return serve_tcp(worker, stream, peer, front, proxied);
    };
    // What fails here fails for good: the socket is broken.
    let Ok(stream) = stream.into_std() else { return };
    let arrival = Arrival { stream, peer, front: Arc::clone(front), proxied };
    if let Err(returned) = seat.hand_over(to, arrival) {
        serve_arrival(worker, *returned);
    }
}

fn serve_arrival(worker: &Rc<Worker>, arrival: Arrival) {
    let Arrival { stream, peer, front, proxied } = arrival;
    if let Ok(stream) = TcpStream::from_std(stream) {
        serve_tcp(worker, stream, peer, &front, proxied);
    }
}

/// Serve what other workers hand over.
async fn welcome(worker: &Rc<Worker>, mut arrivals: UnboundedReceiver<Arrival>) {
    while let Some(arrival) = arrivals.recv().await {
        serve_arrival(worker, arrival);
        if let Some(seat) = &worker.seat {
            seat.arrived();
        }
        worker.changed.notify_waiters();
    }
}

async fn refused(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, WouldBlock};
    // The client was gone before we came: nothing to do with the next one.
    if matches!(error.kind(), ConnectionAborted | ConnectionReset | Interrupted | WouldBlock) {
        return;
    }
    NO_DESCRIPTORS.say(&format!("can't accept connections for the moment: {}", plain(error)));
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

fn serve_tcp(
    worker: &Rc<Worker>,
    stream: TcpStream,
    peer: SocketAddr,
    front: &Arc<Front>,
    proxied: bool,
) {
    // Responses are written whole; waiting for more to send would only delay the last packet.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    // A dual-stack listener shows IPv4 clients in IPv6's clothes.
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    if proxied {
        serve_proxied(worker, stream, Some(peer), front);
    } else {
        serve(worker, stream, peer_of(Some(peer)).at(front));
    }
}

fn serve_unix(worker: &Rc<Worker>, stream: UnixStream, front: &Arc<Front>, proxied: bool) {
    if proxied {
        serve_proxied(worker, stream, None, front);
    } else {
        serve(worker, stream, Peer::unix().at(front));
    }
}

fn peer_of(address: Option<SocketAddr>) -> Peer {
    address.map_or_else(Peer::unix, |address| Peer::new(address.ip(), address.port()))
}

/// Find out for whom the connection is before anything else is done with it.
fn serve_proxied<S>(worker: &Rc<Worker>, stream: S, peer: Option<SocketAddr>, front: &Arc<Front>)
where
    S: Stream + proxied::Raw + 'static,
{
    let waiting = proxied::Waiting::new(worker, peer);
    worker.changed.notify_waiters();
    let (worker, front) = (Rc::clone(worker), Arc::clone(front));
    tokio::task::spawn_local(async move {
        // A refusal has been counted and told.
        if let Some(peer) = waiting.source(&stream).await {
            serve(&worker, stream, peer_of(peer).at(&front));
        }
        drop(waiting);
        worker.changed.notify_waiters();
    });
}

fn serve<S: Stream + 'static>(worker: &Rc<Worker>, stream: S, peer: Peer) {
    worker.stats.connections_accepted.add(1);
    worker.stats.connections_open.add(1);
    let open = Open(Rc::clone(worker));
    worker.changed.notify_waiters();
    match peer.front.tls.clone() {
        None => {
            let connection = Connection::new(Rc::clone(worker), stream, peer);
            tokio::task::spawn_local(async move {
                let stream = connection.run().await;
                drop(stream);
                drop(open);
            });
        }
        Some(tls) => {
            // It counts as a connection from its first byte on.
            let (worker, place) = (Rc::clone(worker), Registration::new(Rc::clone(worker)));
            tokio::task::spawn_local(async move {
                serve_tls(worker, stream, peer, &tls, place).await;
                drop(open);
            });
        }
    }
}

async fn serve_tls<S: Stream>(
    worker: Rc<Worker>,
    stream: S,
    mut peer: Peer,
    tls: &Tls,
    place: Registration,
) {
    let limit = Duration::from_secs(worker.limits.header_timeout_s);
    let is_over = |cx: &std::task::Context<'_>| place.is_draining(cx);
    let accepted = match tls::handshake::accept(tls, stream, limit, is_over).await {
        Ok(accepted) => accepted,
        Err(_) => return worker.stats.tls_failures.add(1),
    };
    let is_http2 = accepted.is_http2();
    let (tls13, resumed) = accepted.kind();
    let version = if tls13 { &worker.stats.tls13 } else { &worker.stats.tls12 };
    if resumed { &version.resumed } else { &version.full }.add(1);
    peer.session = Some(Box::new(Session {
        tls13,
        alpn: accepted.alpn(),
        sni: accepted.hello.sni.or_else(|| accepted.stream.session().server_name().map(Into::into)),
        ja4: accepted.hello.ja4,
    }));
    if is_http2 {
        let io = Transfer::new(Rc::clone(&worker), accepted.stream);
        drop(place);
        h2::serve(worker, io, peer).await;
    } else {
        let connection = Connection::new(worker, accepted.stream, peer);
        drop(place);
        connection.run().await;
    }
}

/// Counts a connection as open until it is dropped, however its task ends.
struct Open(Rc<Worker>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.stats.connections_open.sub(1);
        self.0.changed.notify_waiters();
    }
}
