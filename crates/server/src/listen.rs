//! Addresses to listen on, and the sockets bound to them.

use std::fmt;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::io::fcntl_dupfd_cloexec;
use socket2::{Domain, Socket, Type};

use crate::notice::plain;

/// Connections that the kernel may hold for us until they are accepted.
const BACKLOG: i32 = 1024;

/// An address as the operator writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `HOST:PORT`; port 0 means any.
    Tcp(String),
    /// `unix:PATH`
    Unix(PathBuf),
    /// `fd:N`: a listening socket inherited from the parent.
    Fd(i32),
    /// One of these followed by `,proxy`: clients come through a balancer, which says who they
    /// are by the PROXY protocol.
    Proxied(Box<Address>),
}

/// Ends an address at which the PROXY protocol is spoken.
const PROXIED: &str = ",proxy";

impl Address {
    /// Read an address; the error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(inner) = text.strip_suffix(PROXIED) {
            return match Self::parse(inner)? {
                Self::Proxied(_) => Err(format!("{text}: {PROXIED} twice")),
                inner => Ok(Self::Proxied(Box::new(inner))),
            };
        }
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err(format!("{text}: the path is missing"));
            }
            return Ok(Self::Unix(path.into()));
        }
        if let Some(number) = text.strip_prefix("fd:") {
            let number = number.parse().ok().filter(|&n: &i32| n >= 0);
            return number
                .map(Self::Fd)
                .ok_or_else(|| format!("{text}: the number of a file descriptor is missing"));
        }
        match text.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                Ok(Self::Tcp(text.to_owned()))
            }
            _ => Err(format!("{text}: not HOST:PORT, unix:PATH or fd:N")),
        }
    }
}

/// One worker's listening socket.
pub enum Listener {
    /// Accepts TCP connections.
    Tcp(TcpListener),
    /// Accepts connections to a path.
    Unix(UnixListener),
}

/// An address bound for all workers.
pub struct Bound {
    /// One for each worker.
    pub listeners: Vec<Listener>,
    /// Where clients reach it.
    pub url: Url,
    /// Whether connections begin with a PROXY header.
    pub proxied: bool,
    /// Removes the socket's path when the server is gone.
    pub unlink: Option<Unlink>,
}

/// Where a listener is reached.
#[derive(Clone, Debug)]
pub enum Url {
    /// `http://127.0.0.1:8080`, or `https`.
    Tcp(SocketAddr, bool),
    /// `http+unix:/run/site.sock`, or `https`.
    Unix(PathBuf, bool),
}

impl Url {
    /// Connections there are encrypted.
    pub fn encrypted(&mut self) {
        let (Self::Tcp(_, encrypted) | Self::Unix(_, encrypted)) = self;
        *encrypted = true;
    }

    /// Whether connections there are encrypted.
    pub fn is_encrypted(&self) -> bool {
        let (Self::Tcp(_, encrypted) | Self::Unix(_, encrypted)) = self;
        *encrypted
    }

    /// Whether nobody but this machine comes there over IP.
    pub fn is_loopback(&self) -> bool {
        matches!(self, Self::Tcp(address, _) if address.ip().is_loopback())
    }

    /// The port, if it has one.
    pub fn port(&self) -> Option<u16> {
        if let Self::Tcp(address, _) = self { Some(address.port()) } else { None }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address, encrypted) => {
                write!(f, "{}://{address}", if *encrypted { "https" } else { "http" })
            }
            Self::Unix(path, encrypted) => {
                let scheme = if *encrypted { "https" } else { "http" };
                write!(f, "{scheme}+unix:{}", path.display())
            }
        }
    }
}

/// Removes a socket's path when dropped, unless it has come to mean something else.
pub struct Unlink {
    path: PathBuf,
    identity: (u64, u64),
}

impl Unlink {
    fn new(path: PathBuf) -> io::Result<Self> {
        let identity = identity(&path)?;
        Ok(Self { path, identity })
    }
}

impl Drop for Unlink {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|now| now == self.identity) {
            // Somebody may have removed it in between.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let meta = fs::symlink_metadata(path)?;
    Ok((meta.dev(), meta.ino()))
}

/// Bind an address for a number of workers; the error names the address.
pub fn bind(address: &Address, workers: usize) -> Result<Bound, String> {
    match address {
        Address::Tcp(text) => bind_tcp(text, workers).map_err(|error| at(text, &error)),
        Address::Unix(path) => bind_unix(path, workers)
            .map_err(|error| at(&format!("unix:{}", path.display()), &error)),
        Address::Fd(number) => {
            inherit(*number, workers).map_err(|error| at(&format!("fd:{number}"), &error))
        }
        Address::Proxied(inner) => Ok(Bound { proxied: true, ..bind(inner, workers)? }),
    }
}

fn at(address: &str, error: &io::Error) -> String {
    format!("can't listen on {address}: {}", plain(error))
}

fn bind_tcp(text: &str, workers: usize) -> io::Result<Bound> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in text.to_socket_addrs().map_err(|_| io::Error::other("the name is not known"))? {
        match bind_socket_address(address, workers) {
            Ok(bound) => return Ok(bound),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// One socket per worker: the kernel spreads connections and workers share no accept queue.
fn bind_socket_address(address: SocketAddr, workers: usize) -> io::Result<Bound> {
    // SO_REUSEPORT would let a second server take half of the connections unnoticed; a socket
    // without it finds out whether anybody listens there already.
    let probe = open_tcp(address, false)?;
    let address = probe.local_addr()?;
    drop(probe);
    let listeners = (0..workers)
        .map(|_| open_tcp(address, true).map(Listener::Tcp))
        .collect::<io::Result<Vec<_>>>()?;
    Ok(Bound { listeners, url: Url::Tcp(address, false), proxied: false, unlink: None })
}

fn open_tcp(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    if reuse_port {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

fn bind_unix(path: &Path, workers: usize) -> io::Result<Bound> {
    // The process may change its directory before the socket is removed.
    let path = std::path::absolute(path)?;
    remove_stale(&path)?;
    let listener = UnixListener::bind(&path)?;
    let unlink = Some(Unlink::new(path.clone())?);
    listener.set_nonblocking(true)?;
    let listeners = (0..workers)
        .map(|_| listener.try_clone().map(Listener::Unix))
        .collect::<io::Result<Vec<_>>>()?;
    Ok(Bound { listeners, url: Url::Unix(path, false), proxied: false, unlink })
}

/// A socket that nobody answers was left by a server that ended badly.
fn remove_stale(path: &Path) -> io::Result<()> {
    let Ok(meta) = fs::symlink_metadata(path) else { return Ok(()) };
    if !meta.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "there is a file that is no socket",
        ));
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

fn inherit(number: i32, workers: usize) -> io::Result<Bound> {
    let first = Socket::from(duplicate(number)?);
    if first.r#type()? != Type::STREAM || !first.is_listener()? {
        return Err(io::Error::other("not a listening stream socket"));
    }
    first.set_nonblocking(true)?;
    let address = first.local_addr()?;
    let url = match (address.as_socket(), address.as_pathname()) {
        (Some(address), _) => Url::Tcp(address, false),
        (None, Some(path)) => Url::Unix(path.to_owned(), false),
        (None, None) => {
            return Err(io::Error::other("neither a TCP nor a Unix socket with a path"));
        }
    };
    let listeners = (0..workers)
        .map(|_| {
            let socket = first.try_clone()?;
            Ok(match url {
                Url::Tcp(..) => Listener::Tcp(socket.into()),
                Url::Unix(..) => Listener::Unix(socket.into()),
            })
        })
        .collect::<io::Result<Vec<_>>>()?;
    Ok(Bound { listeners, url, proxied: false, unlink: None })
}

#[allow(unsafe_code)]
fn duplicate(number: i32) -> io::Result<OwnedFd> {
    // SAFETY: the number is not negative (checked when it was parsed) and is only handed to
    // fcntl(F_DUPFD_CLOEXEC), which refuses a number that is not open with EBADF; nothing that
    // owns the descriptor is made of it.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(fcntl_dupfd_cloexec(borrowed, 3)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(Address::parse("[::1]:80"), Ok(Address::Tcp("[::1]:80".into())));
        assert_eq!(Address::parse("unix:/a"), Ok(Address::Unix("/a".into())));
        assert_eq!(Address::parse("fd:3"), Ok(Address::Fd(3)));
        let proxied = Address::Proxied(Box::new(Address::Unix("/a".into())));
        assert_eq!(Address::parse("unix:/a,proxy"), Ok(proxied));
        assert!(Address::parse("unix:/a,proxy,proxy").is_err());
        for bad in
            ["", "localhost", "host:port", "host:99999", ":80", "unix:", "fd:", "fd:-1", "fd:x"]
        {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
    }
}
