//! Connections as workers see them: readiness, then one system call that moves bytes.

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown, recv};
use tokio::io::Interest;
use tokio::net::{TcpStream, UnixStream};

/// A byte stream between a client and a worker.
pub trait Stream: Unpin {
    /// Whether reading would not block; costs no system call when it is known.
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Read what there is; 0 at the end.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Read what there is without asking the event loop; an error when there is nothing.
    fn read_now(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Send from the front of `bufs`; `more` tells that other bytes follow at once.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
        more: bool,
    ) -> Poll<io::Result<usize>>;

    /// Send up to `len` bytes of a file without copying them through this process;
    /// 0 when the file ends before `offset`.
    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        len: usize,
    ) -> Poll<io::Result<usize>>;

    /// Tell the peer that all has been said, as far as closing does not tell it: without this it
    /// could not tell a connection that ends from one that was cut.
    fn say_end(&mut self) {}

    /// Have the connection end in a way that can't be taken for the end of what was said.
    fn break_off(&mut self) {}

    /// Whether a peer that says no more is known to listen all the same: over a network, most that
    /// end their side have gone.
    fn is_half_open(&self) -> bool {
        false
    }

    /// No more bytes will be sent.
    fn shut_down_sending(&mut self);
}

macro_rules! socket_stream {
    ($socket:ty) => {
        impl Stream for $socket {
            fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                <$socket>::poll_read_ready(self, cx)
            }

            fn poll_read(
                &mut self,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                loop {
                    ready!(self.poll_read_ready(cx))?;
                    let mut short = None;
                    let read = self.try_io(Interest::READABLE, || {
                        let (n, _) = recv(&*self, &mut *buf, RecvFlags::empty())?;
                        if n == 0 || n == buf.len() {
                            return Ok(n);
                        }
                        // A short read emptied the socket. Said in the way that makes the next
                        // wait cost no extra read that finds nothing; what arrives meanwhile
                        // raises a new event.
                        short = Some(n);
                        Err(io::ErrorKind::WouldBlock.into())
                    });
                    match (short, read) {
                        (Some(n), _) => return Poll::Ready(Ok(n)),
                        (None, Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                        (None, Err(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                        (None, done) => return Poll::Ready(done),
                    }
                }
            }

            fn read_now(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                let (n, _) = recv(&*self, buf, RecvFlags::DONTWAIT)?;
                Ok(n)
            }

            fn poll_send(
                &mut self,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
                more: bool,
            ) -> Poll<io::Result<usize>> {
                loop {
                    ready!(self.poll_write_ready(cx))?;
                    let sent = self.try_io(Interest::WRITABLE, || Ok(send(&*self, bufs, more)?));
                    match sent {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        done => return Poll::Ready(done),
                    }
                }
            }

            fn poll_send_file(
                &mut self,
                cx: &mut Context<'_>,
                file: &File,
                offset: u64,
                len: usize,
            ) -> Poll<io::Result<usize>> {
                loop {
                    ready!(self.poll_write_ready(cx))?;
                    let mut from = offset;
                    let sent = self.try_io(Interest::WRITABLE, || {
                        Ok(rustix::fs::sendfile(&*self, file, Some(&mut from), len)?)
                    });
                    match sent {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        done => return Poll::Ready(done),
                    }
                }
            }

            fn break_off(&mut self) {
                // Closing resets it then, as far as it is one that can be.
                let _ = rustix::net::sockopt::set_socket_linger(&*self, Some(Duration::ZERO));
            }

            fn shut_down_sending(&mut self) {
                // The peer may be gone already; then there is nobody left to tell.
                let _ = rustix::net::shutdown(self, Shutdown::Write);
            }
        }
    };
}

socket_stream!(TcpStream);
socket_stream!(UnixStream);

fn send(socket: impl AsFd, bufs: &[IoSlice<'_>], more: bool) -> rustix::io::Result<usize> {
    let mut flags = SendFlags::NOSIGNAL;
    if more {
        flags |= SendFlags::MORE;
    }
    match bufs {
        [one] => rustix::net::send(socket, one, flags),
        _ => {
            let mut nothing = SendAncillaryBuffer::default();
            rustix::net::sendmsg(socket, bufs, &mut nothing, flags)
        }
    }
}

/// A client in memory: its requests are all there from the start.
pub struct Memory {
    input: Vec<u8>,
    read: usize,
    /// What the client has received.
    pub output: Vec<u8>,
}

impl Memory {
    /// A client that sends `input` and then nothing more.
    pub fn new(input: Vec<u8>) -> Self {
        Self { input, read: 0, output: Vec::new() }
    }
}

impl Stream for Memory {
    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let rest = &self.input[self.read..];
        let n = rest.len().min(buf.len());
        buf[..n].copy_from_slice(&rest[..n]);
        self.read += n;
        Poll::Ready(Ok(n))
    }

    fn read_now(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn poll_send(
        &mut self,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
        _: bool,
    ) -> Poll<io::Result<usize>> {
        let before = self.output.len();
        for buf in bufs {
            self.output.extend_from_slice(buf);
        }
        Poll::Ready(Ok(self.output.len() - before))
    }

    fn poll_send_file(
        &mut self,
        _: &mut Context<'_>,
        file: &File,
        offset: u64,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        use std::os::unix::fs::FileExt;
        let start = self.output.len();
        self.output.resize(start + len.min(256 * 1024), 0);
        let read = file.read_at(&mut self.output[start..], offset);
        self.output.truncate(start + *read.as_ref().unwrap_or(&0));
        Poll::Ready(read)
    }

    fn is_half_open(&self) -> bool {
        true
    }

    fn shut_down_sending(&mut self) {}
}
