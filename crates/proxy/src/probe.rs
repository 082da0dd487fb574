//! A question about an upstream's health: a request on a connection of its own.

use std::future::poll_fn;
use std::task::Poll;

use zeroserve_http::body::Framing;

use crate::connect;
use crate::failure::Failure;
use crate::head::Asked;
use crate::http1::Call;
use crate::origin::Origin;

/// Ask for a path with GET; the status of the answer, whose content is not waited for. How long
/// that may take is the caller's business, who drops the future.
pub async fn probe(origin: &Origin, path: &str, host: &str) -> Result<u16, Failure> {
    let socket = connect::connect(origin.clone()).await?;
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: zeroserve-health\r\nAccept: */*\r\n\
         Connection: close\r\n\r\n"
    );
    let buffers = [Vec::new(), Vec::new()];
    let mut call = Call::new(socket, head.as_bytes(), Framing::None, Asked::default(), buffers);
    poll_fn(move |cx| {
        loop {
            let moved = call.poll(cx);
            if let Some(status) = call.status() {
                return Poll::Ready(Ok(status));
            }
            if let Some(failure) = call.take_failure() {
                return Poll::Ready(Err(failure));
            }
            if !moved {
                return Poll::Pending;
            }
        }
    })
    .await
}
