//! Connections to upstreams: names, addresses, TLS.
//!
//! Files are read when [`Shared`] is made, since the process may not be able to later. What is
//! dropped half-way leaves nothing behind.

mod lookup;
mod names;
mod public;
mod socket;
#[cfg(test)]
mod tests;
mod tls;
mod words;

use std::cell::OnceCell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use rustix::io::Errno;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpStream, UnixStream};

use crate::failure::{Cause, Failure, Phase};
use crate::origin::{Origin, Place, Protocol};
use crate::tally::{Counts, Tallies};
use lookup::{Missing, System};
use names::{Name, Names};
pub use public::is_public;
pub use socket::Socket;
use tls::Base;
pub use tls::{Tls, TlsOptions};

/// How long one address is tried while there are others.
const PER_ADDRESS: Duration = Duration::from_secs(2);

/// Parts of the time to connect, of which each address gets one: more would be too short for those
/// that are far away.
const MAX_PARTS: u32 = 4;

/// When the system asks whether the other side of a connection on which nothing is said is still
/// there: after this time, every so often, so many times.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
const KEEPALIVE_EVERY: Duration = Duration::from_secs(15);
const KEEPALIVE_TIMES: u32 = 4;

/// How long what was sent to an HTTP/2 upstream may go without a sign that it arrived. All its
/// requests share the connection: without this, they would go into a dead one for a quarter of an
/// hour.
const UNHEARD: Duration = Duration::from_secs(20);

/// How long is waited for a place in the queue of a Unix socket before the next attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const MAX_PAUSE: Duration = Duration::from_millis(50);

/// What the workers share.
pub struct Shared {
    system: System,
    names: Names,
    base: Arc<Base>,
    /// For upstreams of which nothing is said.
    tls: Result<Tls, String>,
    /// Of upstreams that no pool has.
    pub(crate) tallies: Tallies,
}

impl Shared {
    /// Read the system's name servers, hosts and authorities. What is missing is said when a
    /// connection needs it.
    pub fn new() -> Self {
        Self::with(System::read(), Arc::clone(&BASE))
    }

    fn with(system: System, base: Arc<Base>) -> Self {
        let tls = base.load(&TlsOptions::default());
        Self { system, names: Names::default(), base, tls, tallies: Tallies::default() }
    }

    /// What became of requests to upstreams that no pool has, by their names.
    pub fn counts(&self) -> Vec<(String, Counts)> {
        self.tallies.counts()
    }

    /// Read what the options of an upstream name; the error names the file.
    pub fn tls(&self, options: &TlsOptions) -> Result<Tls, String> {
        self.base.load(options)
    }
}

/// The system's authorities, read once: the process may not be able to later.
static BASE: LazyLock<Arc<Base>> = LazyLock::new(|| Arc::new(Base::read()));

/// Read what the options of a pool name; the error names the file.
pub(crate) fn tls(options: &TlsOptions) -> Result<Tls, String> {
    BASE.load(options)
}

impl Default for Shared {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

/// Makes the connections of one worker.
pub struct Dialer {
    shared: Arc<Shared>,
    /// Made for the first name: its tasks belong to this thread's event loop.
    resolver: OnceCell<TokioResolver>,
    /// How long one address is tried while there are others.
    pub per_address: Duration,
    /// Whether only addresses of the public Internet are connected to, whatever a name says.
    pub public_only: bool,
    /// Whether an upstream behind `https://` may choose HTTP/2. For requests one by one, HTTP/1
    /// costs less.
    pub offer_http2: bool,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dialer")
    }
}

/// A connection, ready for the first request.
#[derive(Debug)]
pub struct Connected {
    /// The connection.
    pub socket: Socket,
    /// Whether HTTP/2 is spoken on it.
    pub is_http2: bool,
}

impl Dialer {
    /// For one worker.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            resolver: OnceCell::new(),
            per_address: PER_ADDRESS,
            public_only: false,
            offer_http2: false,
        }
    }

    /// The same for who may only connect to the public Internet.
    pub fn guarded(&self) -> Self {
        Self { public_only: true, ..Self::new(Arc::clone(&self.shared)) }
    }

    /// What it shares with those of other workers.
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Connect. How long that may take is the caller's business, who drops the future.
    pub async fn connect(&self, origin: &Origin) -> Result<Connected, Failure> {
        self.connect_within(origin, Duration::MAX).await
    }

    /// The same for a caller who drops the future after `limit`: each address of a name gets a fair
    /// part of that.
    pub async fn connect_within(
        &self,
        origin: &Origin,
        limit: Duration,
    ) -> Result<Connected, Failure> {
        let (host, port) = match &origin.place {
            Place::Tcp { host, port } => (host, *port),
            Place::Unix(_) if origin.is_tls => {
                let why = Cause::Invalid("TLS is not spoken over Unix sockets");
                return Err(Failure::new(Phase::Connect, why));
            }
            Place::Unix(path) => {
                let stream = connect_unix(path).await;
                let stream =
                    stream.map_err(|error| Failure::new(Phase::Connect, Cause::Io(error)))?;
                let is_http2 = origin.protocol == Protocol::Http2;
                return Ok(Connected { socket: Socket::Unix(stream), is_http2 });
            }
        };
        let stream = self.connect_tcp(host, port, limit).await?;
        prepare(&stream).map_err(|error| Failure::new(Phase::Connect, Cause::Io(error)))?;
        let connected = if origin.is_tls {
            let tls = match (&origin.tls, &self.shared.tls) {
                (Some(tls), _) | (None, Ok(tls)) => tls,
                (None, Err(why)) => {
                    return Err(Failure::new(Phase::Handshake, Cause::Other(why.clone())));
                }
            };
            let (stream, is_http2) =
                tls.shake(stream, host, origin.protocol, self.offer_http2).await?;
            Connected { socket: Socket::Tls(Box::new(stream)), is_http2 }
        } else {
            let is_http2 = origin.protocol == Protocol::Http2;
            Connected { socket: Socket::Tcp(stream), is_http2 }
        };
        if let (true, Some(stream)) = (connected.is_http2, connected.socket.tcp()) {
            // Where the system has no such option, its own patience has to do.
            let _ = SockRef::from(stream).set_tcp_user_timeout(Some(UNHEARD));
        }
        Ok(connected)
    }

    async fn connect_tcp(
        &self,
        host: &str,
        port: u16,
        limit: Duration,
    ) -> Result<TcpStream, Failure> {
        let (name, mut addresses) = self.addresses(host).await?;
        if self.public_only {
            let first = addresses.first().copied();
            addresses.retain(|ip| is_public(*ip));
            if let (true, Some(ip)) = (addresses.is_empty(), first) {
                return Err(Failure::new(Phase::Resolve, Cause::Private(ip)));
            }
        }
        let count = addresses.len();
        let parts = if count < 3 { 2 } else { MAX_PARTS.min(count as u32) };
        let per_address = self.per_address.min(limit / parts);
        let mut last = None;
        for (at, ip) in addresses.into_iter().enumerate() {
            let connecting = TcpStream::connect(SocketAddr::new(ip, port));
            let result = if at + 1 < count {
                let waited = tokio::time::timeout(per_address, connecting).await;
                waited.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            } else {
                connecting.await
            };
            let error = match result {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            if is_ours(&error) {
                return Err(Failure::new(Phase::Connect, Cause::Io(error)));
            }
            if let Some(name) = &name {
                name.avoid(ip);
            }
            last = Some((ip, error));
        }
        if let Some(name) = &name {
            name.doubt();
        }
        let cause = match last {
            None => Cause::Invalid("the name has no address"),
            Some((_, error)) if error.kind() == io::ErrorKind::TimedOut => Cause::TimedOut,
            Some((_, error)) if count == 1 => Cause::Io(error),
            Some((ip, error)) => {
                Cause::Other(format!("{} (the last of {count} addresses, {ip})", Cause::Io(error)))
            }
        };
        Err(Failure::new(Phase::Connect, cause))
    }

    /// The addresses of a host in the order in which they are to be tried.
    async fn addresses(&self, host: &str) -> Result<(Option<Arc<Name>>, Vec<IpAddr>), Failure> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Ok((None, vec![ip]));
        }
        // RFC 6761, section 6.3.
        let bare = host.trim_end_matches('.');
        if bare == "localhost" || bare.ends_with(".localhost") {
            let here = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            return Ok((None, here.to_vec()));
        }
        let failed = |cause| Failure::new(Phase::Resolve, cause);
        let name = self.shared.names.get(host);
        let addresses = name.addresses(host, &self.shared.system, || self.resolver()).await;
        match addresses {
            Ok(addresses) => Ok((Some(name), addresses)),
            Err(Missing::NotAName) => Err(failed(Cause::Other(format!("not a name: {host}")))),
            Err(Missing::NoSuchName) => Err(failed(Cause::Other(format!("no such name: {host}")))),
            Err(Missing::NoAddress) => {
                Err(failed(Cause::Other(format!("the name has no address: {host}"))))
            }
            Err(Missing::TimedOut) => Err(failed(Cause::TimedOut)),
            Err(Missing::Other(why)) => Err(failed(Cause::Other(why))),
        }
    }

    fn resolver(&self) -> Result<&TokioResolver, Missing> {
        if let Some(resolver) = self.resolver.get() {
            return Ok(resolver);
        }
        let resolver = self.shared.system.resolver();
        let resolver = resolver.map_err(|error| Missing::Other(error.to_string()))?;
        Ok(self.resolver.get_or_init(|| resolver))
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(KEEPALIVE_EVERY)
        .with_retries(KEEPALIVE_TIMES);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Whether something is missing here, so that no other address would do better.
fn is_ours(error: &io::Error) -> bool {
    let ours = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::PERM];
    Errno::from_io_error(error).is_some_and(|number| ours.contains(&number))
}

/// Over TCP, connecting waits for a place in the other side's queue; here it is for us to wait.
async fn connect_unix(path: &str) -> io::Result<UnixStream> {
    let mut pause = FIRST_PAUSE;
    loop {
        match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_PAUSE);
            }
            done => return done,
        }
    }
}
