//! Why an upstream gave no answer, for the log and for the status that the client gets.

use std::fmt;
use std::io;
use std::net::IpAddr;

/// How far a request had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It waited for a place among those that the upstream may have at a time.
    Queue,
    /// The upstream's name was looked up.
    Resolve,
    /// A connection was being made.
    Connect,
    /// Encryption was agreed on.
    Handshake,
    /// The request was being sent.
    Send,
    /// The head of the response was waited for.
    Head,
    /// The body of the response was under way.
    Body,
}

impl Phase {
    /// All of them, in their order.
    pub const ALL: [Self; 7] = [
        Self::Queue,
        Self::Resolve,
        Self::Connect,
        Self::Handshake,
        Self::Send,
        Self::Head,
        Self::Body,
    ];

    /// The word that logs and metrics have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Handshake => "handshake",
            Self::Send => "send",
            Self::Head => "head",
            Self::Body => "body",
        }
    }
}

/// What went wrong.
#[derive(Debug)]
pub enum Cause {
    /// Nothing happened for too long.
    TimedOut,
    /// There is nobody to ask: all are down, or have as much to do as they may.
    Unavailable(&'static str),
    /// Its address is none of the public Internet, and only such ones may be connected to.
    Private(IpAddr),
    /// The connection ended.
    Closed,
    /// The system says why.
    Io(io::Error),
    /// It says something that is no HTTP, or breaks a limit.
    Invalid(&'static str),
    /// The same in words of a library.
    Other(String),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("timed out"),
            Self::Unavailable(why) | Self::Invalid(why) => f.write_str(why),
            Self::Private(ip) => write!(f, "not a public address: {ip}"),
            Self::Closed => f.write_str("the connection was closed"),
            // The number that the system adds says nothing to most.
            Self::Io(error) => match error.raw_os_error() {
                Some(number) => {
                    let text = io::Error::from_raw_os_error(number).to_string();
                    let end = text.find(" (os error").unwrap_or(text.len());
                    f.write_str(&text[..end].to_lowercase())
                }
                None => write!(f, "{error}"),
            },
            Self::Other(why) => f.write_str(why),
        }
    }
}

/// A request that an upstream did not answer.
#[derive(Debug)]
pub struct Failure {
    /// How far it had come.
    pub phase: Phase,
    /// What went wrong.
    pub cause: Cause,
}

impl Failure {
    /// A failure.
    pub fn new(phase: Phase, cause: Cause) -> Self {
        Self { phase, cause }
    }

    /// Whether the connection is what failed.
    pub fn is_of_connection(&self) -> bool {
        matches!(self.cause, Cause::Closed | Cause::Io(_))
    }

    /// The status for the client: 504 for what took too long, 503 for what may be asked again
    /// later, 502 for everything else (RFC 9110, sections 15.6.3 to 15.6.5).
    pub fn status(&self) -> u16 {
        match self.cause {
            Cause::TimedOut => 504,
            Cause::Unavailable(_) => 503,
            _ => 502,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.phase.name(), self.cause)
    }
}
