//! One request on one connection, in whatever protocol.

use std::task::Context;

use crate::failure::{Failure, Phase};
use crate::head::Head;
use crate::{http1, http2};

/// A request on a connection.
#[derive(Debug)]
pub(crate) enum Call {
    Http1(Box<http1::Call>),
    Http2(Box<http2::Call>),
}

/// The same of both.
macro_rules! either {
    ($self:expr, $call:ident => $value:expr) => {
        match $self {
            Call::Http1($call) => $value,
            Call::Http2($call) => $value,
        }
    };
}

impl Call {
    /// Move what can be moved; true when anything has changed.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        either!(self, call => call.poll(cx))
    }

    /// Bytes of the request body that can be taken now.
    pub(crate) fn room(&self) -> usize {
        either!(self, call => call.room())
    }

    /// Whether nothing is to be sent.
    pub(crate) fn has_sent_all(&self) -> bool {
        either!(self, call => call.has_sent_all())
    }

    /// Add to the request body.
    pub(crate) fn upload(&mut self, bytes: &[u8]) {
        either!(self, call => call.upload(bytes));
    }

    /// The request body is complete; `trailers` are lines.
    pub(crate) fn end_upload(&mut self, trailers: &[u8]) {
        either!(self, call => call.end_upload(trailers));
    }

    /// A response before the final one.
    pub(crate) fn interim(&mut self) -> Option<Head> {
        either!(self, call => call.interim())
    }

    /// Status of the final head, while nobody has taken it.
    pub(crate) fn status(&self) -> Option<u16> {
        either!(self, call => call.status())
    }

    /// The final head, once.
    pub(crate) fn head(&mut self) -> Option<Head> {
        either!(self, call => call.head())
    }

    /// Content at hand.
    pub(crate) fn content(&self) -> &[u8] {
        either!(self, call => call.content())
    }

    /// Drop content at hand.
    pub(crate) fn consume(&mut self, n: usize) {
        either!(self, call => call.consume(n));
    }

    /// Hand all content at hand over without copying it, when that is possible.
    pub(crate) fn swap_content(&mut self, out: &mut Vec<u8>, sent: &mut usize) -> usize {
        match self {
            Self::Http1(call) => call.swap_content(out, sent),
            // It belongs to the library.
            Self::Http2(_) => 0,
        }
    }

    /// Trailer fields, once the response is over.
    pub(crate) fn trailers(&self) -> &[u8] {
        either!(self, call => call.trailers())
    }

    /// Whether all of the response has come and was taken.
    pub(crate) fn is_done(&self) -> bool {
        either!(self, call => call.is_done())
    }

    /// Whether anything was heard.
    pub(crate) fn has_heard(&self) -> bool {
        either!(self, call => call.has_heard())
    }

    /// Whether it is certain that nobody has looked at the request.
    pub(crate) fn was_untouched(&self) -> bool {
        match self {
            Self::Http1(_) => false,
            Self::Http2(call) => call.was_untouched(),
        }
    }

    /// Why it failed, to keep.
    pub(crate) fn take_failure(&mut self) -> Option<Failure> {
        either!(self, call => call.take_failure())
    }

    /// What it waits for, if it fails by taking too long.
    pub(crate) fn phase(&self) -> Phase {
        either!(self, call => call.phase())
    }
}
