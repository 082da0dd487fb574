//! A question about an upstream's health.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use zeroserve_http::body::Framing;

use crate::failure::{Cause, Failure, Phase};
use crate::head::Asked;
use crate::origin::{Origin, Protocol};
use crate::passage::{Outgoing, Passage, Timeouts};
use crate::upstreams::{Route, Upstreams};

/// Ask for a path with GET; the status of the answer, whose content is not waited for. How long
/// that may take is the caller's business, who drops the future.
pub async fn probe(
    upstreams: &Rc<Upstreams>,
    origin: &Origin,
    path: &str,
    host: &str,
) -> Result<u16, Failure> {
    // A connection of its own, where that is possible: whether there can be one is the question.
    let close = match origin.protocol {
        Protocol::Any => "Connection: close\r\n",
        Protocol::Http2 => "",
    };
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: zeroserve-health\r\nAccept: */*\r\n\
         {close}\r\n"
    );
    let request = Outgoing {
        head: head.into_bytes(),
        framing: Framing::None,
        asked: Asked::default(),
        method_len: 3,
        host: 0..0,
    };
    let upstream = upstreams.of(origin);
    let route = Rc::new(Route { upstream, base: String::new(), query: String::new() });
    let mut passage = Passage::new(upstreams, route, request, Timeouts::default());
    poll_fn(move |cx| {
        while passage.poll(cx) {
            if let Some(head) = passage.head() {
                return Poll::Ready(Ok(head.status));
            }
            if let Some(failure) = passage.take_failure() {
                return Poll::Ready(Err(failure));
            }
        }
        match passage.is_done() {
            true => Poll::Ready(Err(Failure::new(Phase::Head, Cause::Closed))),
            false => Poll::Pending,
        }
    })
    .await
}
