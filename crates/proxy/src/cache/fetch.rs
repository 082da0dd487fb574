//! A request that goes to the upstream, and its response on its way into the store.

use std::sync::Arc;

use bytes::Bytes;
use zeroserve_http::date;

use super::Cache;
use super::flight::{Flight, Outcome};
use super::key::KeyBytes;
use super::policy::{Facts, Times, Why, lines, once, plan};
use super::stats::Count;
use super::stored::{Fate, Hit, NAME, Prepared, Stored};
use super::vary::is_too_long;
use crate::head::Head;

/// Bytes that a response is given room for before any have come, whatever length it says.
const FIRST_ROOM_BYTES: usize = 64 * 1024;

/// Why the upstream is asked (RFC 9211, section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Because {
    /// Nothing is stored for the target.
    Uri,
    /// What is stored is for other requests.
    Vary,
    /// What is stored is stale.
    Stale,
    /// The request is one that the cache passes on.
    Bypass,
    /// Its method is not one that the cache answers.
    Method,
}

/// What became of a forwarded request, for the field Cache-Status of its response.
#[derive(Clone, Copy, Debug)]
pub struct Note {
    because: Because,
    /// Why the response is not stored; `None` when it is, or when that was never in question.
    why: Option<Why>,
    is_stored: bool,
}

impl Note {
    pub(super) fn passed(because: Because) -> Self {
        Self { because, why: None, is_stored: false }
    }

    /// Of a request whose method is not one that the cache answers.
    pub fn of_method() -> Self {
        Self::passed(Because::Method)
    }

    /// The value of Cache-Status (RFC 9211).
    pub fn value(&self) -> String {
        let because = match self.because {
            Because::Uri => "uri-miss",
            Because::Vary => "vary-miss",
            Because::Stale => "stale",
            Because::Bypass => "bypass",
            Because::Method => "method",
        };
        let stored = if self.is_stored { "; stored" } else { "" };
        let detail = self.why.map_or(String::new(), |why| format!("; detail={}", why.word()));
        format!("{NAME}; fwd={because}{stored}{detail}")
    }

    /// Why the response is not stored.
    pub fn why(&self) -> Option<Why> {
        self.why
    }
}

/// What is done with a response.
#[derive(Debug)]
pub enum Verdict {
    /// It goes to the client, and that is all.
    Pass(Note),
    /// It goes to the client, and its content to the recorder as well.
    Record(Recorder, Note),
    /// It is dropped, and this answers instead.
    Use(Hit),
    /// It is of no use: the request is looked up and sent again.
    Again,
}

/// A request that goes to the upstream. When it is dropped, those who wait for it look again.
#[derive(Debug)]
pub struct Fetch {
    pub(super) cache: Cache,
    pub(super) hash: u64,
    pub(super) key: KeyBytes,
    /// What the target's responses were invalidated so often by.
    pub(super) epoch: u64,
    pub(super) flight: Option<(Box<[u8]>, Arc<Flight>)>,
    pub(super) upstream: Box<str>,
    /// Its fields, for Vary, as lines.
    pub(super) fields: Vec<u8>,
    pub(super) facts: Facts,
    pub(super) is_head: bool,
    pub(super) asked_at: i64,
    pub(super) because: Because,
    /// What it may renew.
    pub(super) stored: Option<Arc<Stored>>,
}

impl Fetch {
    /// What stands in place of If-None-Match, If-Modified-Since, If-Range and Range when the request
    /// is to renew a stored response; `None` when it goes as it is.
    pub fn conditions(&self) -> Option<Vec<(&'static str, Vec<u8>)>> {
        let stored = self.stored.as_ref().filter(|_| !self.is_head)?;
        let mut fields = Vec::new();
        if !stored.etag.is_empty() {
            fields.push(("If-None-Match", stored.etag.to_vec()));
        }
        if let Some(modified) = stored.last_modified {
            fields.push(("If-Modified-Since", date::format(modified).into_bytes()));
        }
        Some(fields)
    }

    /// Why the upstream is asked, for a response that no upstream made.
    pub fn note(&self) -> Note {
        Note::passed(self.because)
    }

    /// The upstream has no answer: what may be used instead, if there is anything.
    pub fn failed(mut self, now: i64) -> Option<Hit> {
        let hit = self.instead(now, None);
        self.land(Outcome::Failed);
        hit
    }

    fn instead(&self, now: i64, status: Option<u16>) -> Option<Hit> {
        let stored =
            self.stored.as_ref().filter(|stored| !self.is_head && now < stored.error_until)?;
        self.cache.count(self.hash, Count::Stale);
        Some(Hit { stored: Arc::clone(stored), fate: Fate::Failed(status), is_plain: false })
    }

    /// The head of the final response has come.
    pub fn answered(mut self, head: &Head, now: i64) -> Verdict {
        let validates = self.stored.as_ref().is_some_and(|stored| stored.has_validator());
        if head.status == 304 && validates && !self.is_head {
            return self.validated(head, now);
        }
        if matches!(head.status, 500 | 502..=504)
            && let Some(hit) = self.instead(now, Some(head.status))
        {
            self.land(Outcome::Failed);
            return Verdict::Use(hit);
        }
        if self.is_head {
            let is_other = self.stored.as_ref().is_some_and(|stored| stored.differs(head));
            if is_other && head.status < 500 {
                self.cache.forget(self.hash, &self.key);
            }
            return self.pass(head, Why::Method);
        }
        let times = Times { asked: self.asked_at, heard: now };
        match plan(self.facts, times, head) {
            Err(why) => self.pass(head, why),
            Ok(plan) => {
                let values = plan.vary.values(lines(&self.fields));
                let limit = self.cache.max_object_bytes();
                let length = head.length.filter(|_| head.has_content);
                if is_too_long(&values) {
                    return self.pass(head, Why::Request);
                }
                // The head counts as well.
                let fits =
                    (head.fields.len() as u64).saturating_add(length.unwrap_or(0)) <= limit as u64;
                if !fits {
                    return self.pass(head, Why::TooLarge);
                }
                if plan.is_never_usable {
                    // Those who wait would have to ask about it all the same, one by one.
                    self.land(Outcome::Alone);
                }
                let prepared = Prepared::new(head, plan);
                let because = self.because;
                let mut recorder = Recorder {
                    state: None,
                    length: if head.has_content { head.length } else { Some(0) },
                    limit: limit - head.fields.len(),
                    cache: self.cache.clone(),
                    reserved: 0,
                };
                if !recorder.reserve(head.fields.len()) {
                    return self.pass(head, Why::Busy);
                }
                let room = length.map_or(0, |length| FIRST_ROOM_BYTES.min(length as usize));
                let body = Vec::with_capacity(room);
                recorder.state = Some(Box::new(State { fetch: self, prepared, body, values }));
                Verdict::Record(recorder, Note { because, why: None, is_stored: true })
            }
        }
    }

    /// The response is the client's alone.
    fn pass(mut self, head: &Head, why: Why) -> Verdict {
        self.cache.count(self.hash, Count::Refused);
        // What a request says of itself is nothing that others should go by.
        let is_own = self.facts.wish.no_store || self.facts.is_authorized;
        if head.status < 500 && !self.is_head && !is_own {
            // What was stored is not what the origin says now.
            if self.stored.is_some() {
                self.cache.replace(&self, None);
            }
            // That nobody waits in vain for the next while.
            if self.flight.is_some() && !matches!(why, Why::Busy | Why::Request) {
                self.cache.mark(&self);
            }
        }
        let outcome = if head.status < 500 { Outcome::Alone } else { Outcome::Failed };
        self.land(outcome);
        Verdict::Pass(Note { because: self.because, why: Some(why), is_stored: false })
    }

    fn validated(mut self, head: &Head, now: i64) -> Verdict {
        let Some(stored) = self.stored.take() else { return Verdict::Again };
        if !stored.is_meant_by(head) {
            self.cache.replace(&self, None);
            return Verdict::Again;
        }
        self.cache.count(self.hash, Count::Revalidated);
        let updated = stored.updated(head);
        let times = Times { asked: self.asked_at, heard: now };
        let (plan, may_keep) = match plan(self.facts, times, &updated) {
            Ok(plan) => (plan, true),
            // It answers this request, and no other.
            Err(_) => (once(times, &updated), false),
        };
        let values = plan.vary.values(lines(&self.fields));
        let may_keep = may_keep && !is_too_long(&values);
        let is_for_all = may_keep && !plan.is_never_usable;
        let body = stored.body.clone();
        let renewed = Arc::new(Prepared::new(&updated, plan).store(body, &self.upstream, values));
        let is_kept = self.cache.replace(&self, may_keep.then(|| Arc::clone(&renewed)));
        self.land(if is_kept && is_for_all { Outcome::Stored } else { Outcome::Alone });
        Verdict::Use(Hit { stored: renewed, fate: Fate::Validated, is_plain: false })
    }

    fn land(&mut self, outcome: Outcome) {
        if let Some((key, flight)) = self.flight.take() {
            self.cache.land(self.hash, &key, &flight, outcome);
        }
    }
}

impl Drop for Fetch {
    fn drop(&mut self) {
        self.land(Outcome::Abandoned);
    }
}

/// Keeps the content of a response while it passes through.
///
/// It says nothing when it gives up. Dropped before [`Recorder::finish`], it stores nothing.
#[derive(Debug)]
pub struct Recorder {
    /// `None` once it has given up.
    state: Option<Box<State>>,
    length: Option<u64>,
    /// Bytes that the content may have.
    limit: usize,
    cache: Cache,
    reserved: usize,
}

#[derive(Debug)]
struct State {
    fetch: Fetch,
    prepared: Prepared,
    body: Vec<u8>,
    values: super::vary::Values,
}

impl Recorder {
    fn reserve(&mut self, bytes: usize) -> bool {
        let fits = self.cache.reserve(bytes);
        self.reserved += if fits { bytes } else { 0 };
        fits
    }

    /// Whether it still keeps what passes.
    pub fn is_recording(&self) -> bool {
        self.state.is_some()
    }

    /// Content that has come, without its transfer coding.
    pub fn push(&mut self, piece: &[u8]) {
        let Some(len) = self.state.as_ref().map(|state| state.body.len()) else { return };
        let fits = piece.len() <= self.limit - len;
        if fits
            && self.reserve(piece.len())
            && let Some(state) = &mut self.state
        {
            return state.body.extend_from_slice(piece);
        }
        self.give_up();
    }

    fn give_up(&mut self) {
        if let Some(mut state) = self.state.take() {
            self.cache.count(state.fetch.hash, Count::Refused);
            self.cache.replace(&state.fetch, None);
            self.cache.mark(&state.fetch);
            state.fetch.land(Outcome::Alone);
        }
        self.release();
    }

    fn release(&mut self) {
        self.cache.release(std::mem::take(&mut self.reserved));
    }

    /// The response has ended as it should: store it. Whether it was stored.
    pub fn finish(mut self) -> bool {
        let Some(state) = self.state.take() else { return false };
        let State { mut fetch, prepared, body, values } = *state;
        // Shorter or longer than it says: whoever framed it got that wrong.
        if self.length.is_some_and(|length| length != body.len() as u64) {
            self.cache.count(fetch.hash, Count::Refused);
            fetch.land(Outcome::Failed);
            return false;
        }
        let body = Bytes::from(body.into_boxed_slice());
        let stored = Arc::new(prepared.store(body, &fetch.upstream, values));
        let is_stored = self.cache.replace(&fetch, Some(stored));
        self.cache.count(fetch.hash, if is_stored { Count::Stored } else { Count::Refused });
        fetch.land(if is_stored { Outcome::Stored } else { Outcome::Alone });
        is_stored
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.release();
    }
}
