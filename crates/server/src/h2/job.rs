//! A request of an HTTP/2 connection that could not be answered at once.

use std::pin::Pin;

use zeroserve_host::Body as ScriptBody;
use zeroserve_http::h2::RequestHead;

use super::outgoing::Outgoing;
use super::passing::Passing;
use crate::access_log::Line;
use crate::fetching::Fetching;
use crate::inquiry::{Inquiry, Verifying, Waiting};
use crate::view::Loaded;

/// One request.
pub(crate) struct Job {
    pub(crate) stream: u32,
    pub(crate) head: RequestHead,
    pub(crate) inquiry: Inquiry,
    pub(crate) upload: Upload,
    pub(crate) state: State,
}

/// What a request waits for.
pub(crate) enum State {
    /// Its turn.
    Runnable,
    /// The rest of its body, until that tick.
    Receiving { deadline: u64 },
    /// Another server, which a script asks.
    Fetching(Fetching),
    /// A representation.
    Loading(Pin<Box<dyn Future<Output = Loaded>>>),
    /// Another version of the site.
    Waiting(Pin<Box<dyn Future<Output = ()>>>),
    /// A password.
    Verifying(Verifying),
    /// An upstream, and the client to take what that answers.
    Passing(Box<Passing>),
    /// The client to take its response; since then it has not.
    Sending { body: Outgoing, line: Option<Line>, status: u16, sent: u64, since: u64 },
}

/// The body of a request, as far as it has come.
#[derive(Default)]
pub(crate) struct Upload {
    /// What is kept of it for scripts.
    kept: Vec<u8>,
    /// Bytes that have come.
    pub(crate) total: u64,
    /// Whether all has come.
    pub(crate) ended: bool,
    /// Lines of fields that came behind it.
    pub(crate) trailers: Vec<u8>,
    /// Whether scripts may ask for it.
    pub(crate) is_kept: bool,
    /// Whether it was given to scripts, or can't be any more.
    pub(crate) is_past: bool,
    /// How much of it a script waits for, and the script's place among those that wait.
    pub(crate) wanted: Option<(u64, Waiting)>,
    overflowed: bool,
}

impl Upload {
    /// What has come and was kept, for an upstream.
    pub(crate) fn take_kept(&mut self) -> Vec<u8> {
        self.is_kept = false;
        std::mem::take(&mut self.kept)
    }

    /// Of a request that has just come; `ended` when it has none.
    pub(crate) fn new(ended: bool) -> Self {
        Self { ended, ..Self::default() }
    }

    /// Take a part; returns by how much more memory is used.
    pub(crate) fn add(&mut self, bytes: &[u8], most: u64) -> usize {
        self.total = self.total.saturating_add(bytes.len() as u64);
        if !self.is_kept || self.overflowed {
            return 0;
        }
        let most = self.wanted.as_ref().map_or(most, |(keep, _)| *keep);
        if self.total > most {
            self.overflowed = true;
            return 0;
        }
        self.kept.extend_from_slice(bytes);
        bytes.len()
    }

    /// Bytes of memory that it uses.
    pub(crate) fn kept_bytes(&self) -> usize {
        self.kept.len()
    }

    /// What scripts get to see, which ask for up to `keep` bytes.
    pub(crate) fn take(&mut self, keep: u64) -> ScriptBody {
        self.is_past = true;
        self.is_kept = false;
        let kept = std::mem::take(&mut self.kept);
        let whole = !self.overflowed && kept.len() as u64 <= keep;
        if whole { ScriptBody::Whole(kept) } else { ScriptBody::Missing }
    }
}
