//! Listeners behind a balancer: the PROXY header that a connection begins with.
//!
//! It is read from the raw stream, before TLS or HTTP, and not a byte further: what follows stays
//! in the socket for whoever comes next.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, recv};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};
use zeroserve_http::proxy_protocol::{MAX_BYTES, Progress, Source, parse};

use crate::notice::Notice;
use crate::transfer::Registration;
use crate::worker::Worker;

static REFUSED: Notice = Notice::new();

/// A socket whose bytes can be looked at before they are taken.
pub trait Raw {
    /// Whether there is something, as far as the event loop knows.
    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Receive; what would block is passed on to the event loop, which waits from then on.
    fn receive(&self, buf: &mut [u8], flags: RecvFlags) -> io::Result<usize>;

    /// Have the event loop wait for more.
    fn wait_for_more(&self);
}

macro_rules! raw {
    ($socket:ty) => {
        impl Raw for $socket {
            fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_read_ready(cx)
            }

            fn receive(&self, buf: &mut [u8], flags: RecvFlags) -> io::Result<usize> {
                self.try_io(Interest::READABLE, || {
                    Ok(recv(self, buf, flags | RecvFlags::DONTWAIT)?.0)
                })
            }

            fn wait_for_more(&self) {
                let nothing: io::Result<()> =
                    self.try_io(Interest::READABLE, || Err(io::ErrorKind::WouldBlock.into()));
                // Said for its effect.
                let _ = nothing;
            }
        }
    };
}

raw!(TcpStream);
raw!(UnixStream);

/// A connection of which it is not known yet whose it is.
pub struct Waiting {
    worker: Rc<Worker>,
    registration: Registration,
    peer: Option<SocketAddr>,
}

impl Waiting {
    /// Just accepted from `peer`, or from a process on this machine; it counts as open.
    pub fn new(worker: &Rc<Worker>, peer: Option<SocketAddr>) -> Self {
        let registration = Registration::new(Rc::clone(worker));
        let time = worker.limits.header_timeout_s + 1;
        registration.life.deadline.set(worker.tick.get() + time);
        Self { worker: Rc::clone(worker), registration, peer }
    }

    /// Who is at the far end, and `None` for a process on the balancer's machine; nothing when the
    /// connection is to be closed.
    pub async fn source(&self, stream: &impl Raw) -> Option<Option<SocketAddr>> {
        let refused = match self.read(stream).await {
            Ok(Source::Socket) => return Some(self.peer),
            Ok(Source::Tcp(address)) => {
                let ip = address.ip().to_canonical();
                return Some(Some(SocketAddr::new(ip, address.port())));
            }
            Ok(Source::Unix) => return Some(None),
            Err(refused) => refused,
        };
        if let Some(why) = refused {
            self.worker.stats.proxy_headers_refused.add(1);
            let who = self.peer.map_or_else(|| "unix".to_owned(), |peer| peer.ip().to_string());
            REFUSED.say(&format!("connection from {who} closed: {why}"));
        }
        None
    }

    /// The error is nobody's fault while it is `None`.
    async fn read(&self, stream: &impl Raw) -> Result<Source, Option<&'static str>> {
        let allowed = &self.worker.proxy_from;
        if let Some(peer) = self.peer
            && !allowed.is_empty()
            && !allowed.iter().any(|net| net.contains(&peer.ip()))
        {
            return Err(Some("it may not send PROXY headers"));
        }
        let mut seen = Vec::new();
        poll_fn(|cx| self.poll_source(cx, stream, &mut seen)).await
    }

    fn poll_source(
        &self,
        cx: &mut Context<'_>,
        stream: &impl Raw,
        seen: &mut Vec<u8>,
    ) -> Poll<Result<Source, Option<&'static str>>> {
        let life = &self.registration.life;
        if life.take_expired() {
            return Poll::Ready(Err(Some("no PROXY header in time")));
        }
        life.watch(cx);
        loop {
            match stream.poll_ready(cx) {
                Poll::Pending if self.worker.draining.get() => return Poll::Ready(Err(None)),
                ready => ready!(ready).map_err(|_| None)?,
            }
            match self.take(stream, seen) {
                Ok(Some(source)) => return Poll::Ready(Ok(source)),
                Ok(None) => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Take of what has come as much as belongs to the header.
    fn take(
        &self,
        stream: &impl Raw,
        seen: &mut Vec<u8>,
    ) -> Result<Option<Source>, Option<&'static str>> {
        use io::ErrorKind::{Interrupted, WouldBlock};
        let mut buffer = self.worker.take_input();
        let before = seen.len();
        let received = stream.receive(&mut buffer[..MAX_BYTES], RecvFlags::PEEK);
        seen.extend_from_slice(&buffer[..*received.as_ref().unwrap_or(&0)]);
        let taken = match received {
            // A scan of ports, or a balancer's own look whether anybody listens.
            Ok(0) if before == 0 => Err(None),
            Ok(0) => Err(Some("a PROXY header without its end")),
            Ok(n) => parse(seen).map_err(Some).and_then(|progress| {
                let (own, source) = match progress {
                    Progress::Partial => (n, None),
                    Progress::Complete { len, source } => (len - before, Some(source)),
                };
                match stream.receive(&mut buffer[..own], RecvFlags::empty()) {
                    Ok(taken) if taken == own => Ok(source),
                    _ => Err(None),
                }
            }),
            Err(error) if matches!(error.kind(), WouldBlock | Interrupted) => Ok(None),
            Err(_) => Err(None),
        };
        self.worker.give_input(buffer);
        if matches!(taken, Ok(None)) && seen.len() > before {
            stream.wait_for_more();
        }
        taken
    }
}
