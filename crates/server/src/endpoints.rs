//! Answers that are made rather than found: what the admin listener has besides its files.

use std::pin::Pin;

use zeroserve_http::{Method, Request};

use crate::clock::Now;
use crate::pipeline::{self, Answer, Body};

/// Looked at before the site is.
pub trait Endpoints {
    /// What a request gets; `body` is all of its body.
    fn answer(&self, request: &Request<'_, '_>, body: &[u8]) -> Reply;

    /// Header fields of every response, each with its line end.
    fn fields(&self) -> &'static str;
}

/// What an endpoint makes of a request.
pub enum Reply {
    /// It is for the site.
    Site,
    /// Here it is.
    Made(Made),
    /// It takes a while; other connections are served meanwhile.
    Later(Pin<Box<dyn Future<Output = Made>>>),
}

/// An answer that was made.
pub struct Made {
    /// Status code.
    pub status: u16,
    /// Content-Type.
    pub media_type: &'static str,
    /// Name and value of a field that goes with the status, such as Allow.
    pub field: Option<(&'static str, &'static str)>,
    /// The content.
    pub body: Vec<u8>,
}

impl Made {
    /// An answer of that type.
    pub fn new(status: u16, media_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, media_type, field: None, body: body.into() }
    }

    /// Append the head to `out`, without the blank line.
    pub fn write(self, method: Method<'_>, now: Now, out: &mut Vec<u8>) -> Answer {
        pipeline::write_start(out, self.status, now);
        pipeline::field(out, "Content-Type", self.media_type);
        pipeline::length(out, self.body.len() as u64);
        pipeline::field(out, "Cache-Control", "no-store");
        pipeline::field(out, "X-Content-Type-Options", "nosniff");
        if let Some((name, value)) = self.field {
            pipeline::field(out, name, value);
        }
        let body = if method == Method::Head { Body::Empty } else { Body::Bytes(self.body) };
        Answer { status: self.status, body }
    }
}
