//! A stored response, prepared so that using it is a copy of its head and a few numbers.

use std::sync::Arc;

use bytes::Bytes;
use zeroserve_http::conditions::next_tag;
use zeroserve_http::range::{self, Asked};
use zeroserve_http::{date, status};

use super::key::Fields;
use super::policy::{Plan, lines};
use super::vary::{Names, Values};
use crate::head::{Head, is_hop_by_hop, line};

/// What the cache is called in Cache-Status (RFC 9211).
pub(super) const NAME: &str = "zeroserve";

/// What a stored response counts beside its bytes.
const BOOKKEEPING_BYTES: usize = 256;

/// A response that others may get.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) status: u16,
    /// Status line and fields, without Age, Content-Length and what is about one connection.
    head: Box<[u8]>,
    /// Bytes of the status line.
    line_len: usize,
    /// Fields of a 304.
    not_modified: Box<[u8]>,
    pub(super) body: Bytes,
    /// Entity tag, with `W/` if it is weak; empty without one.
    pub(super) etag: Box<[u8]>,
    pub(super) last_modified: Option<i64>,
    date: i64,
    born: i64,
    pub(super) fresh_until: i64,
    pub(super) stale_until: i64,
    pub(super) error_until: i64,
    /// Whether it has to be asked about each time.
    pub(super) is_never_usable: bool,
    pub(super) is_for_authorized: bool,
    pub(super) upstream: Box<str>,
    pub(super) names: Names,
    pub(super) values: Values,
}

/// What is known of a response before its body.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) plan: Plan,
    status: u16,
    head: Vec<u8>,
    line_len: usize,
    not_modified: Vec<u8>,
    etag: Box<[u8]>,
}

impl Prepared {
    pub(super) fn new(head: &Head, plan: Plan) -> Self {
        let mut whole = Vec::with_capacity(head.fields.len() + 64);
        start(&mut whole, head.status);
        let line_len = whole.len();
        let mut not_modified = Vec::new();
        let etag = etag_of(head);
        let date = date::format(plan.date);
        if !plan.has_date {
            line(&mut whole, "Date", date.as_bytes());
            line(&mut not_modified, "Date", date.as_bytes());
        }
        for (name, value) in lines(&head.fields) {
            if is_dropped(name)
                || plan.excluded.iter().any(|other| name.eq_ignore_ascii_case(other))
            {
                continue;
            }
            if !plan.has_date && name.eq_ignore_ascii_case("date") {
                continue;
            }
            line(&mut whole, name, value);
            if is_in_304(name, !etag.is_empty()) {
                line(&mut not_modified, name, value);
            }
        }
        Self { plan, status: head.status, head: whole, line_len, not_modified, etag }
    }

    pub(super) fn store(self, body: Bytes, upstream: &str, values: Values) -> Stored {
        let Self { plan, status, head, line_len, not_modified, etag } = self;
        Stored {
            status,
            head: head.into(),
            line_len,
            not_modified: not_modified.into(),
            body,
            etag,
            last_modified: plan.last_modified,
            date: plan.date,
            born: plan.born,
            fresh_until: plan.fresh_until,
            stale_until: plan.stale_until,
            error_until: plan.error_until,
            is_never_usable: plan.is_never_usable,
            is_for_authorized: plan.is_for_authorized,
            upstream: upstream.into(),
            names: plan.vary,
            values,
        }
    }
}

fn start(out: &mut Vec<u8>, code: u16) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(code).as_bytes());
    out.push(b' ');
    out.extend_from_slice(status::reason(code).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Fields that are never stored (RFC 9111, section 3.1), or written anew each time.
fn is_dropped(name: &str) -> bool {
    const NAMES: [&str; 6] = [
        "age",
        "content-length",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "trailer",
    ];
    is_hop_by_hop(name) || NAMES.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Whether a 304 repeats a field: not what describes the content that the client has, but for
/// what chooses it (RFC 9110, section 15.4.5).
fn is_in_304(name: &str, has_etag: bool) -> bool {
    let is = |other: &str| name.eq_ignore_ascii_case(other);
    let describes = name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"))
        && !is("content-location")
        && !is("content-security-policy")
        && !is("content-security-policy-report-only");
    !(describes || is("accept-ranges") || is("set-cookie") || has_etag && is("last-modified"))
}

/// The entity tag, if there is a single valid one.
fn etag_of(head: &Head) -> Box<[u8]> {
    let mut tags = lines(&head.fields).filter(|(name, _)| name.eq_ignore_ascii_case("etag"));
    let tag = match (tags.next(), tags.next()) {
        (Some((_, tag)), None) => tag,
        _ => return Box::default(),
    };
    let is_valid = |opaque: &[u8]| {
        opaque.len() >= 2
            && opaque.starts_with(b"\"")
            && opaque.ends_with(b"\"")
            && !opaque[1..opaque.len() - 1].iter().any(|&b| b == b'"' || b <= b' ' || b == 0x7f)
    };
    if is_valid(opaque(tag)) { tag.into() } else { Box::default() }
}

/// An entity tag without its weakness.
fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

impl Stored {
    pub(super) fn weight(&self) -> usize {
        self.body.len()
            + self.head.len()
            + self.not_modified.len()
            + self.etag.len()
            + self.upstream.len()
            + self.names.weight()
            + self.values.len()
            + size_of::<Self>()
            + BOOKKEEPING_BYTES
    }

    fn fields(&self) -> &[u8] {
        &self.head[self.line_len..]
    }

    fn age(&self, now: i64) -> i64 {
        now.saturating_sub(self.born).max(0)
    }

    /// Whether there is something to ask the upstream with.
    pub(super) fn has_validator(&self) -> bool {
        !self.etag.is_empty() || self.last_modified.is_some()
    }

    /// Whether a 304 speaks of this response (RFC 9111, section 4.3.4). It was asked for this one
    /// alone, so one that says nothing does.
    pub(super) fn is_meant_by(&self, head: &Head) -> bool {
        let tag = etag_of(head);
        if !tag.is_empty() {
            let strong = !tag.starts_with(b"W/");
            return if strong { *tag == *self.etag } else { opaque(&tag) == opaque(&self.etag) };
        }
        let modified = lines(&head.fields)
            .find(|(name, _)| name.eq_ignore_ascii_case("last-modified"))
            .and_then(|(_, value)| date::parse(value));
        modified.is_none() || modified == self.last_modified
    }

    /// Its head with the fields of a 304 in place of those of the same names (RFC 9111,
    /// section 3.2).
    pub(super) fn updated(&self, by: &Head) -> Head {
        let is_kept = |name: &str| {
            ["content-length", "content-encoding", "content-range", "content-type"]
                .iter()
                .any(|other| name.eq_ignore_ascii_case(other))
        };
        let mut fields = Vec::with_capacity(self.head.len() + by.fields.len());
        for (name, value) in lines(self.fields()) {
            // Without a date of its own it was made just now (RFC 9110, section 6.6.1).
            let is_replaced = name.eq_ignore_ascii_case("date")
                || !is_kept(name)
                    && lines(&by.fields).any(|(other, _)| name.eq_ignore_ascii_case(other));
            if !is_replaced {
                line(&mut fields, name, value);
            }
        }
        for (name, value) in lines(&by.fields) {
            if !is_kept(name) && !is_dropped(name) || name.eq_ignore_ascii_case("age") {
                line(&mut fields, name, value);
            }
        }
        Head {
            status: self.status,
            fields,
            length: Some(self.body.len() as u64),
            has_content: !self.body.is_empty(),
            has_date: by.has_date,
            is_upgrade: false,
        }
    }

    /// Whether the answer to a HEAD shows that another response would be stored now (RFC 9111,
    /// section 4.3.5).
    pub(super) fn differs(&self, head: &Head) -> bool {
        head.status != self.status
            || head.length.is_some_and(|length| length != self.body.len() as u64)
            || etag_of(head) != self.etag
            || !self.is_meant_by(head)
    }
}

/// How it came that a stored response answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It was there.
    Hit,
    /// The upstream said that it is still good.
    Validated,
    /// The upstream had no better answer than this status, or none at all.
    Failed(Option<u16>),
}

/// A stored response that answers a request.
#[derive(Clone, Debug)]
pub struct Hit {
    pub(super) stored: Arc<Stored>,
    pub(super) fate: Fate,
    /// Whether the request has neither conditions nor ranges.
    pub(super) is_plain: bool,
}

/// What a [`Hit`] comes to for a request; its head has been written.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// What follows the head; not for HEAD.
    pub body: Bytes,
}

impl Hit {
    /// The status of the stored response.
    pub fn status(&self) -> u16 {
        self.stored.status
    }

    /// Answer a GET or HEAD with these fields: append the head to `out`, without the blank line.
    pub fn reply<'a>(
        &self,
        is_head: bool,
        fields: impl Fields<'a>,
        now: i64,
        out: &mut Vec<u8>,
    ) -> Reply {
        let stored = &*self.stored;
        let asked = if self.is_plain || stored.status != 200 {
            Wanted::Whole
        } else {
            stored.wanted(is_head, fields)
        };
        let (status, body) = match asked {
            Wanted::Whole => {
                out.extend_from_slice(&stored.head);
                (stored.status, stored.body.clone())
            }
            Wanted::Nothing => {
                start(out, 304);
                out.extend_from_slice(&stored.not_modified);
                (304, Bytes::new())
            }
            Wanted::Part(first, len) => {
                start(out, 206);
                out.extend_from_slice(stored.fields());
                let size = stored.body.len();
                let range = format!("bytes {first}-{}/{size}", first + len - 1);
                line(out, "Content-Range", range.as_bytes());
                (206, stored.body.slice(first..first + len))
            }
            Wanted::Beyond => {
                start(out, 416);
                line(out, "Date", date::format(now).as_bytes());
                line(out, "Content-Range", format!("bytes */{}", stored.body.len()).as_bytes());
                (416, Bytes::new())
            }
        };
        if !matches!(status, 204 | 304) {
            number(out, b"Content-Length: ", body.len() as i64);
            out.extend_from_slice(b"\r\n");
        }
        if status != 416 {
            number(out, b"Age: ", stored.age(now));
            out.extend_from_slice(b"\r\n");
        }
        self.status_line(now, out);
        Reply { status, body: if is_head { Bytes::new() } else { body } }
    }

    fn status_line(&self, now: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(b"Cache-Status: ");
        out.extend_from_slice(NAME.as_bytes());
        match self.fate {
            Fate::Hit => {
                number(out, b"; hit; ttl=", self.stored.fresh_until.saturating_sub(now));
            }
            Fate::Validated => out.extend_from_slice(b"; fwd=stale; fwd-status=304"),
            Fate::Failed(status) => {
                out.extend_from_slice(b"; fwd=stale");
                if let Some(status) = status {
                    number(out, b"; fwd-status=", i64::from(status));
                }
                out.extend_from_slice(b"; detail=stale-if-error");
            }
        }
        out.extend_from_slice(b"\r\n");
    }
}

fn number(out: &mut Vec<u8>, before: &[u8], number: i64) {
    out.extend_from_slice(before);
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// How much of a stored 200 a request wants.
enum Wanted {
    Whole,
    Nothing,
    Part(usize, usize),
    Beyond,
}

impl Stored {
    /// RFC 9111, section 4.3.2, and RFC 9110, section 14.
    fn wanted<'a>(&self, is_head: bool, fields: impl Fields<'a>) -> Wanted {
        let single = |name: &'static str| {
            let mut lines =
                fields.clone().filter(move |(other, _)| other.eq_ignore_ascii_case(name));
            let first = lines.next().map(|(_, value)| value.trim_ascii());
            (first, lines.next().is_some())
        };
        let tags = || fields.clone().filter(|(name, _)| name.eq_ignore_ascii_case("if-none-match"));
        if tags().next().is_some() {
            if tags().any(|(_, list)| self.is_listed(list)) {
                return Wanted::Nothing;
            }
        } else if let (Some(since), false) = single("if-modified-since")
            && let Some(since) = date::parse(since)
            && self.last_modified.unwrap_or(self.date) <= since
        {
            return Wanted::Nothing;
        }
        let (Some(value), false) = single("range") else { return Wanted::Whole };
        if is_head || !self.range_applies(single("if-range")) {
            return Wanted::Whole;
        }
        match range::apply(value, self.body.len() as u64) {
            Asked::One(part) => Wanted::Part(part.start as usize, part.len as usize),
            Asked::Nothing => Wanted::Beyond,
            // For several, the whole is a valid answer, and not worth more work.
            Asked::Whole | Asked::Many(_) => Wanted::Whole,
        }
    }

    /// Whether a line of If-None-Match has our tag, weakly compared.
    fn is_listed(&self, list: &[u8]) -> bool {
        let mut rest = list.trim_ascii();
        if rest == b"*" {
            return true;
        }
        while let Some((_, tag, tail)) = next_tag(rest) {
            if tag == opaque(&self.etag) {
                return true;
            }
            rest = tail;
        }
        false
    }

    fn range_applies(&self, (value, is_double): (Option<&[u8]>, bool)) -> bool {
        let Some(value) = value else { return true };
        if is_double {
            return false;
        }
        if value.starts_with(b"\"") {
            return *value == *self.etag;
        }
        let time = date::parse(value);
        time.is_some() && time == self.last_modified
    }
}
