//! An encrypted connection as another stream: what is read is decrypted, what is sent encrypted.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, IoSlice, Read, Write};
use std::os::unix::fs::FileExt;
use std::task::{Context, Poll, ready};

use rustls::ServerConnection;
use smallvec::SmallVec;

use crate::stream::Stream;

/// Most bytes that are encrypted before they are sent: four records of the largest size, few
/// enough to be in the cache still when the kernel copies them.
const SEND_BYTES: usize = 64 * 1024;

thread_local! {
    /// Bytes of a file on their way into records.
    static FROM_FILE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// An encrypted connection over another stream.
pub struct TlsStream<S> {
    inner: S,
    tls: ServerConnection,
    /// Decrypted bytes that wait to be read.
    plain: usize,
    /// The peer sends nothing more.
    ended: bool,
    /// Bytes that were taken for sending and are not all on their way yet, so nobody was told.
    taken: usize,
}

/// The stream below as the TLS library uses one.
struct Below<'a, 'c, S> {
    stream: &'a mut S,
    cx: &'a mut Context<'c>,
    more: bool,
}

fn now<T>(poll: Poll<io::Result<T>>) -> io::Result<T> {
    match poll {
        Poll::Ready(done) => done,
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

impl<S: Stream> Read for Below<'_, '_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        now(self.stream.poll_read(self.cx, buf))
    }
}

impl<S: Stream> Write for Below<'_, '_, S> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        now(self.stream.poll_send(self.cx, &[IoSlice::new(buf)], self.more))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        now(self.stream.poll_send(self.cx, bufs, self.more))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<S: Stream> TlsStream<S> {
    /// A connection whose handshake is still to come.
    pub(super) fn new(inner: S, mut tls: ServerConnection) -> Self {
        // What is written is bounded here.
        tls.set_buffer_limit(None);
        Self { inner, tls, plain: 0, ended: false, taken: 0 }
    }

    /// What is known of the session.
    pub fn session(&self) -> &ServerConnection {
        &self.tls
    }

    /// The stream below.
    pub(super) fn inner(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Give bytes that were read already to the TLS library. What it has to say to an error is
    /// left to be sent.
    pub(super) fn receive(&mut self, mut bytes: &[u8]) -> Result<(), rustls::Error> {
        while !bytes.is_empty() {
            // It fails only when it holds too much: what it holds is processed each time.
            if self.tls.read_tls(&mut bytes).is_err() {
                return Err(rustls::Error::General("a message is too long".into()));
            }
            self.process()?;
        }
        Ok(())
    }

    fn process(&mut self) -> Result<(), rustls::Error> {
        let state = self.tls.process_new_packets()?;
        self.plain = state.plaintext_bytes_to_read();
        self.ended |= state.peer_has_closed();
        Ok(())
    }

    /// Send all records that are ready.
    pub(super) fn poll_records(
        &mut self,
        cx: &mut Context<'_>,
        more: bool,
    ) -> Poll<io::Result<()>> {
        while self.tls.wants_write() {
            let mut below = Below { stream: &mut self.inner, cx, more };
            match self.tls.write_tls(&mut below) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                Err(error) => return Poll::Ready(Err(error)),
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(_) => {}
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Read and decrypt what there is; false when there was nothing.
    fn poll_more(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let read = self.tls.read_tls(&mut Below { stream: &mut self.inner, cx, more: false });
        match read {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            Err(error) => return Poll::Ready(Err(error)),
            Ok(0) => self.ended = true,
            Ok(_) => {
                let processed = self.process();
                // An answer to the peer's records: an alert, new keys. One that can't be sent
                // now goes out with the next bytes.
                let _ = self.poll_records(cx, false);
                if let Err(error) = processed {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    fn read_plain(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.tls.reader().read(buf)?;
        self.plain -= n.min(self.plain);
        Ok(n)
    }
}

/// As many of the first bytes as fit into `room`.
fn front<'a>(bufs: &'a [IoSlice<'_>], mut room: usize) -> SmallVec<[IoSlice<'a>; 4]> {
    let slices = bufs.iter().map(|buf| {
        let len = buf.len().min(room);
        room -= len;
        IoSlice::new(&buf[..len])
    });
    slices.collect()
}

impl<S: Stream> Stream for TlsStream<S> {
    fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.plain > 0 || self.ended {
            return Poll::Ready(Ok(()));
        }
        self.inner.poll_read_ready(cx)
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            if self.plain > 0 {
                return Poll::Ready(self.read_plain(buf));
            }
            if self.ended {
                return Poll::Ready(Ok(0));
            }
            ready!(self.poll_more(cx))?;
        }
    }

    fn read_now(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.plain == 0 && !self.ended {
            let n = self.inner.read_now(buf)?;
            self.ended |= n == 0;
            let received = self.receive(&buf[..n]);
            received.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        }
        match (self.plain, self.ended) {
            (0, true) => Ok(0),
            (0, false) => Err(io::ErrorKind::WouldBlock.into()),
            _ => self.read_plain(buf),
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
        more: bool,
    ) -> Poll<io::Result<usize>> {
        if self.taken == 0 {
            // What is left from before goes first, so that never more than one piece waits.
            ready!(self.poll_records(cx, true))?;
            self.taken = match bufs {
                [one] => self.tls.writer().write(&one[..one.len().min(SEND_BYTES)])?,
                _ => self.tls.writer().write_vectored(&front(bufs, SEND_BYTES))?,
            };
            // Nobody gives nothing to send: the session is over.
            if self.taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
        }
        ready!(self.poll_records(cx, more))?;
        Poll::Ready(Ok(std::mem::take(&mut self.taken)))
    }

    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        offset: u64,
        len: usize,
    ) -> Poll<io::Result<usize>> {
        if self.taken == 0 {
            ready!(self.poll_records(cx, true))?;
            self.taken = FROM_FILE.with_borrow_mut(|buf| {
                buf.resize(SEND_BYTES, 0);
                let n = file.read_at(&mut buf[..len.min(SEND_BYTES)], offset)?;
                if n == 0 { Ok(0) } else { self.tls.writer().write(&buf[..n]) }
            })?;
            if self.taken == 0 {
                return Poll::Ready(Ok(0));
            }
        }
        ready!(self.poll_records(cx, len > self.taken))?;
        Poll::Ready(Ok(std::mem::take(&mut self.taken)))
    }

    fn say_end(&mut self) {
        self.tls.send_close_notify();
        let mut cx = Context::from_waker(std::task::Waker::noop());
        // What the socket has no room for now is not waited for: the connection is over.
        let _ = self.poll_records(&mut cx, false);
    }

    fn shut_down_sending(&mut self) {
        self.say_end();
        self.inner.shut_down_sending();
    }
}
