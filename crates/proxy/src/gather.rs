//! An answer that is wanted as a whole.

use std::future::poll_fn;
use std::task::{Context, Poll};

use crate::failure::{Cause, Failure, Phase};
use crate::head::Head;
use crate::passage::Passage;

/// What an upstream answered.
#[derive(Debug)]
pub struct Gathered {
    /// The head; its length says nothing of what was sent without one.
    pub head: Head,
    /// All of the body.
    pub body: Vec<u8>,
}

/// Wait for an answer with a body of at most so many bytes. How long that may take is the caller's
/// business, who drops the future.
pub async fn gather(mut passage: Passage, max_bytes: usize) -> Result<Gathered, Failure> {
    let mut gathering = Gathering { head: None, body: Vec::new(), max_bytes };
    poll_fn(move |cx| gathering.poll(&mut passage, cx)).await
}

struct Gathering {
    head: Option<Head>,
    body: Vec<u8>,
    max_bytes: usize,
}

impl Gathering {
    fn poll(
        &mut self,
        passage: &mut Passage,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Gathered, Failure>> {
        loop {
            let moved = passage.poll(cx);
            while passage.interim().is_some() {}
            if self.head.is_none() {
                self.head = passage.head();
                let length = self.head.as_ref().filter(|head| head.has_content);
                let length = length.and_then(|head| head.length);
                if length.is_some_and(|length| length > self.max_bytes as u64) {
                    return Poll::Ready(Err(too_large()));
                }
            }
            if self.head.is_some() && !passage.content().is_empty() {
                let content = passage.content();
                if self.body.len() + content.len() > self.max_bytes {
                    return Poll::Ready(Err(too_large()));
                }
                self.body.extend_from_slice(content);
                let taken = content.len();
                passage.consume(taken);
                continue;
            }
            if let Some(failure) = passage.take_failure() {
                return Poll::Ready(Err(failure));
            }
            if passage.is_done()
                && let Some(head) = self.head.take()
            {
                let body = std::mem::take(&mut self.body);
                return Poll::Ready(Ok(Gathered { head, body }));
            }
            if !moved {
                return Poll::Pending;
            }
        }
    }
}

fn too_large() -> Failure {
    Failure::new(Phase::Body, Cause::Invalid("the answer is too large"))
}
