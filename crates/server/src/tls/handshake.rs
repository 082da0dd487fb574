//! The beginning of an encrypted connection: what a client has to get through before its first
//! request.

use std::future::poll_fn;
use std::io::IoSlice;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustls::{HandshakeKind, ProtocolVersion, ServerConnection};

use super::Tls;
use super::hello::{self, Hello, MAX_HELLO_BYTES};
use super::stream::TlsStream;
use crate::stream::Stream;
use crate::transfer::{LINGER_BYTES, LINGER_S};

/// Bytes that one read of the handshake asks for.
const READ_BYTES: usize = 4096;

/// First byte of every handshake: the type of its record.
const HANDSHAKE_RECORD: u8 = 22;

/// What a client is told that speaks HTTP here without TLS.
const PLAIN_HTTP: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 62\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n\
    400 Bad Request: this port speaks HTTPS, use https:// instead\n";

/// Why there is no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The client left, or the connection broke.
    Gone,
    /// It took longer than allowed.
    TimedOut,
    /// The client spoke plain HTTP, and was told.
    PlainHttp,
    /// Not TLS, or nothing that both sides support.
    Refused,
}

/// A session, and what the client said of itself.
pub struct Accepted<S> {
    /// The stream.
    pub stream: TlsStream<S>,
    /// From its first message.
    pub hello: Hello,
}

impl<S: Stream> Accepted<S> {
    /// Whether both sides agreed on HTTP/2.
    pub fn is_http2(&self) -> bool {
        self.stream.session().alpn_protocol() == Some(b"h2")
    }

    /// Name of the protocol that both sides agreed on.
    pub fn alpn(&self) -> Option<String> {
        let alpn = self.stream.session().alpn_protocol()?;
        Some(String::from_utf8_lossy(alpn).into_owned())
    }

    /// Whether it is TLS 1.3, and whether it resumed a session.
    pub fn kind(&self) -> (bool, bool) {
        let session = self.stream.session();
        let tls13 = session.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        (tls13, session.handshake_kind() == Some(HandshakeKind::Resumed))
    }
}

/// Shake hands within `limit`. A client that has sent nothing yet is let go as soon as `is_over`
/// says so, which then wakes the task.
pub async fn accept<S: Stream>(
    tls: &Tls,
    stream: S,
    limit: Duration,
    is_over: impl Fn(&Context<'_>) -> bool,
) -> Result<Accepted<S>, Failure> {
    let session = ServerConnection::new(tls.config()).map_err(|_| Failure::Refused)?;
    let mut stream = TlsStream::new(stream, session);
    let shaken = tokio::time::timeout(limit, shake(&mut stream, is_over)).await;
    match shaken.unwrap_or(Err(Failure::TimedOut)) {
        Ok(hello) => Ok(Accepted { stream, hello }),
        Err(failure) => {
            tell(&mut stream, failure);
            if matches!(failure, Failure::PlainHttp | Failure::Refused) {
                let limit = Duration::from_secs(LINGER_S);
                let _ = tokio::time::timeout(limit, read_past(stream.inner())).await;
            }
            Err(failure)
        }
    }
}

async fn shake<S: Stream>(
    stream: &mut TlsStream<S>,
    is_over: impl Fn(&Context<'_>) -> bool,
) -> Result<Hello, Failure> {
    let (mut first, mut hello) = (Vec::new(), None);
    loop {
        poll_fn(|cx| stream.poll_records(cx, false)).await.map_err(|_| Failure::Gone)?;
        if !stream.session().is_handshaking() {
            return Ok(hello.unwrap_or_default());
        }
        poll_fn(|cx| {
            // Here it takes no room in the task, which lives as long as the connection.
            let mut buf = [0; READ_BYTES];
            let read = match stream.inner().poll_read(cx, &mut buf) {
                Poll::Pending if first.is_empty() && is_over(cx) => {
                    // What has arrived, even if the event loop has not heard of it yet.
                    stream.inner().read_now(&mut buf)
                }
                read => ready!(read),
            };
            let bytes = match read {
                Ok(0) | Err(_) => return Poll::Ready(Err(Failure::Gone)),
                Ok(n) => &buf[..n],
            };
            Poll::Ready(take(stream, bytes, &mut first, &mut hello))
        })
        .await?;
    }
}

/// Bytes of the handshake; the first of them are looked at for what they say of the client.
fn take<S: Stream>(
    stream: &mut TlsStream<S>,
    bytes: &[u8],
    first: &mut Vec<u8>,
    hello: &mut Option<Hello>,
) -> Result<(), Failure> {
    if hello.is_none() {
        if first.is_empty() && bytes[0] != HANDSHAKE_RECORD {
            let http = bytes[0].is_ascii_uppercase();
            return Err(if http { Failure::PlainHttp } else { Failure::Refused });
        }
        first.extend_from_slice(bytes);
        if hello::is_complete(first) || first.len() > MAX_HELLO_BYTES {
            *hello = Some(hello::read(first));
            *first = Vec::new();
        }
    }
    stream.receive(bytes).map_err(|_| Failure::Refused)
}

/// What the client is told without waiting for it.
fn tell<S: Stream>(stream: &mut TlsStream<S>, failure: Failure) {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    match failure {
        Failure::PlainHttp => {
            let _ = stream.inner().poll_send(&mut cx, &[IoSlice::new(PLAIN_HTTP)], false);
        }
        // The alert that says why.
        Failure::Refused => {
            let _ = stream.poll_records(&mut cx, false);
        }
        Failure::Gone | Failure::TimedOut => {}
    }
    stream.inner().shut_down_sending();
}

/// Read until the client closes: closing on unread bytes would reset the connection and destroy
/// the answer on its way. A client that has to show a certificate and has none has sent its
/// request already when it is told.
async fn read_past<S: Stream>(stream: &mut S) {
    let mut read = 0;
    while read < LINGER_BYTES {
        let step = poll_fn(|cx| stream.poll_read(cx, &mut [0; READ_BYTES]));
        match step.await {
            Ok(n) if n > 0 => read += n,
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_length_of_what_plain_clients_are_told() {
        let text = std::str::from_utf8(super::PLAIN_HTTP).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())), "{}", body.len());
    }
}
