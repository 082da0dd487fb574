//! HTTP without I/O: bytes to requests, and what a request means for a representation.
//!
//! Every function here is a function of its arguments alone: no sockets, no clock, no files.
//! Framing follows RFC 9112 strictly, because what two servers in a row read differently is a
//! hole; semantics follow RFC 9110.

#![forbid(unsafe_code)]

pub mod body;
pub mod conditions;
pub mod date;
pub mod h2;
pub mod media;
pub mod negotiate;
pub mod path;
pub mod proxy_protocol;
pub mod range;
pub mod request;
pub mod status;

pub use request::{Head, HeadLimits, Method, Request};
pub use status::Reject;
