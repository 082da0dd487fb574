//! HTTP/2 connections of one worker to one upstream. Requests share them: the next connection is
//! made when the others have as many requests as the upstream takes.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};

use crate::dial::{Connected, Dialer, Socket};
use crate::failure::{Cause, Failure, Phase};
use crate::origin::{Origin, Protocol};

/// Requests on one connection, if the upstream takes so many.
const MAX_STREAMS: usize = 100;

/// Connections to one upstream. When all are full, requests wait in the one with fewest.
pub(super) const MAX_CONNECTIONS: usize = 32;

/// Bytes of a response that are on their way or wait for the client.
pub(super) const STREAM_WINDOW: u32 = 256 * 1024;

/// The same for all responses of a connection: so much that none that is not read holds up others.
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * MAX_STREAMS as u32;

/// Largest frame that is taken. Fewer and larger ones cost less.
const MAX_FRAME: u32 = 64 * 1024;

/// Bytes of a request body that the library keeps for one stream.
const SEND_BUFFER: usize = 64 * 1024;

/// Header fields of a response by HTTP/2's count, which adds 32 for each.
const MAX_HEADER_LIST: u32 = 64 * 1024;

/// Streams that were reset here and about which the upstream may not know yet.
const MAX_RESET: usize = 100;

/// Streams that were reset for mistakes of the upstream before the connection is given up.
const MAX_ERRORS: usize = 100;

/// Seconds that a connection without requests is kept.
const IDLE_S: u64 = 60;

/// Connections of one worker to one upstream.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    list: RefCell<Vec<Rc<Connection>>>,
    /// Held by who connects: the others will find a connection then.
    gate: tokio::sync::Mutex<()>,
}

struct Connection {
    sender: SendRequest<Bytes>,
    /// Requests on it.
    active: Cell<usize>,
    /// Whether it has had one before.
    used: Cell<bool>,
    /// Tick from which on it is closed while it has none.
    until: Cell<u64>,
    ended: Rc<Cell<bool>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Connection({} requests)", self.active.get())
    }
}

/// A place for one request on a connection.
#[derive(Debug)]
pub(crate) struct Lease {
    connection: Rc<Connection>,
    /// Whether the connection had requests before.
    pub(crate) is_reused: bool,
}

impl Lease {
    fn new(connection: &Rc<Connection>) -> Self {
        connection.active.set(connection.active.get() + 1);
        let is_reused = connection.used.replace(true);
        Self { connection: Rc::clone(connection), is_reused }
    }

    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.connection.sender.clone()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.connection.active.set(self.connection.active.get().saturating_sub(1));
        // The next sweep says from when on.
        self.connection.until.set(u64::MAX);
    }
}

impl Connection {
    /// Whether it takes new requests.
    fn is_open(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        let ready = self.sender.clone().poll_ready(&mut cx);
        !self.ended.get() && !matches!(ready, Poll::Ready(Err(_)))
    }

    fn has_room(&self) -> bool {
        self.active.get() < self.sender.current_max_send_streams().min(MAX_STREAMS)
    }
}

/// A connection of whatever protocol, ready for a request.
#[derive(Debug)]
pub(crate) enum Opened {
    /// For one request at a time.
    Http1(Socket),
    /// A place among others.
    Http2(Lease),
}

impl Connections {
    /// A place on a connection that is there.
    pub(crate) fn take(&self) -> Option<Lease> {
        let mut list = self.list.borrow_mut();
        // Those that take nothing more live on until their requests are done.
        list.retain(|connection| connection.is_open());
        let with_room = list.iter().find(|connection| connection.has_room());
        with_room
            .or_else(|| {
                let fewest = list.iter().min_by_key(|connection| connection.active.get());
                fewest.filter(|_| list.len() >= MAX_CONNECTIONS)
            })
            .map(Lease::new)
    }

    /// A place on a connection, which is made when there is none. The caller drops this after `limit`.
    pub(crate) async fn open(
        &self,
        dialer: &Dialer,
        origin: &Origin,
        limit: Duration,
    ) -> Result<Opened, Failure> {
        let _gate = match origin.protocol {
            // Who that speaks HTTP/1 would have to wait for?
            Protocol::Any => None,
            Protocol::Http2 => Some(self.gate.lock().await),
        };
        if let Some(lease) = self.take() {
            return Ok(Opened::Http2(lease));
        }
        let Connected { socket, is_http2 } = dialer.connect_within(origin, limit).await?;
        if !is_http2 {
            return Ok(Opened::Http1(socket));
        }
        self.begin(socket).await.map(Opened::Http2)
    }

    async fn begin(&self, socket: Socket) -> Result<Lease, Failure> {
        let mut builder = Builder::new();
        builder
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_frame_size(MAX_FRAME)
            .max_header_list_size(MAX_HEADER_LIST)
            .max_send_buffer_size(SEND_BUFFER)
            .max_concurrent_reset_streams(MAX_RESET)
            .max_local_error_reset_streams(Some(MAX_ERRORS));
        let (sender, driver) = builder.handshake(socket).await.map_err(|error| {
            let cause = match error.into_io() {
                Some(error) => Cause::Io(error),
                None => Cause::Invalid("it does not speak HTTP/2"),
            };
            Failure::new(Phase::Connect, cause)
        })?;
        let ended = Rc::new(Cell::new(false));
        let tell = Rc::clone(&ended);
        tokio::task::spawn_local(async move {
            // Requests on it are told why.
            let _ = driver.await;
            tell.set(true);
        });
        let connection = Rc::new(Connection {
            sender,
            active: Cell::new(0),
            used: Cell::new(false),
            until: Cell::new(u64::MAX),
            ended,
        });
        self.list.borrow_mut().push(Rc::clone(&connection));
        Ok(Lease::new(&connection))
    }

    /// Close what was idle for too long, and forget what the other side closed.
    pub(crate) fn sweep(&self, now: u64) {
        self.list.borrow_mut().retain(|connection| {
            if connection.active.get() == 0 && connection.until.get() == u64::MAX {
                connection.until.set(now + IDLE_S);
            }
            let is_idle = connection.active.get() == 0 && connection.until.get() <= now;
            !is_idle && !connection.ended.get()
        });
    }

    /// Whether there is any.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.borrow().is_empty()
    }
}
