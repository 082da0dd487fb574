//! Whether a response may be stored, and for how long it may be used: RFC 9111, sections 3 and
//! 4.2, as a cache that many clients share.

use zeroserve_http::date;

use super::control::{Control, MAX_DELTA_S, Wish, delta};
use super::key::Fields;
use super::targeted;
use super::vary::Names;
use crate::head::Head;

/// Of the time since the last change, the part for which a response is taken to be fresh when
/// nobody says for how long (RFC 9111, section 4.2.2).
const HEURISTIC_PART: i64 = 10;

/// Longest time in seconds for which a response is taken to be fresh when nobody says so.
const MAX_HEURISTIC_S: i64 = 86_400;

/// Statuses that may be stored without a word about it (RFC 9110, section 15.1), but for 206.
const HEURISTIC: [u16; 11] = [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501];

/// Further statuses whose meaning for caches is known.
const UNDERSTOOD: [u16; 10] = [302, 303, 307, 400, 403, 421, 451, 500, 502, 503];

/// What a request says that matters to caches.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// It has Authorization.
    pub(super) is_authorized: bool,
    /// It has If-None-Match or If-Modified-Since.
    pub(super) is_conditional: bool,
    /// It has Range.
    pub(super) is_ranged: bool,
    /// It has If-Match or If-Unmodified-Since, which are the origin's to judge.
    pub(super) has_precondition: bool,
    /// Its Cache-Control.
    pub(super) wish: Wish,
}

impl Facts {
    pub(super) fn of<'a>(fields: impl Fields<'a>) -> Self {
        let mut facts = Self::default();
        for (name, value) in fields {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            // The length alone tells most names apart.
            match name.len() {
                5 => facts.is_ranged |= is("range"),
                8 => facts.has_precondition |= is("if-match"),
                13 if is("cache-control") => facts.wish.add(value),
                13 if is("authorization") => facts.is_authorized = true,
                13 => facts.is_conditional |= is("if-none-match"),
                17 => facts.is_conditional |= is("if-modified-since"),
                19 => facts.has_precondition |= is("if-unmodified-since"),
                _ => {}
            }
        }
        facts
    }
}

/// When a request was sent, and when the head of its response had come, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) asked: i64,
    pub(super) heard: i64,
}

/// Why a response is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The response or the request says `no-store`.
    NoStore,
    /// It is for one user.
    Private,
    /// The request was authorised, and the response does not say that others may see it.
    Authorized,
    /// It sets a cookie, and does not say that others may see it.
    SetsCookie,
    /// Its status is not one that is stored.
    Status,
    /// It can't be told which requests it is for.
    Vary,
    /// It could never be used.
    NotFresh,
    /// It is too large.
    TooLarge,
    /// What has to be kept of the request is too large.
    Request,
    /// So many are being stored that there is no room.
    Busy,
    /// Its method is not one whose responses are stored.
    Method,
}

impl Why {
    /// One word, for Cache-Status.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Authorized => "authorization",
            Self::SetsCookie => "set-cookie",
            Self::Status => "status",
            Self::Vary => "vary",
            Self::NotFresh => "not-fresh",
            Self::TooLarge => "too-large",
            Self::Request => "request",
            Self::Busy => "busy",
            Self::Method => "method",
        }
    }
}

/// How a response may be used. Times are in seconds since 1970.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// When its age was 0.
    pub(super) born: i64,
    /// From when on it is stale.
    pub(super) fresh_until: i64,
    /// Until when it may be used while another is fetched (RFC 5861, section 3).
    pub(super) stale_until: i64,
    /// Until when it may be used when another can't be had (RFC 5861, section 4).
    pub(super) error_until: i64,
    /// Whether it was stale when it came, and may not be used so: it has to be asked about each
    /// time.
    pub(super) is_never_usable: bool,
    /// Whether it may answer requests with Authorization.
    pub(super) is_for_authorized: bool,
    /// Fields, in lower case, that are not stored.
    pub(super) excluded: Vec<String>,
    /// What chooses between variants.
    pub(super) vary: Names,
    /// What its Date says; when it came, if it has none.
    pub(super) date: i64,
    pub(super) has_date: bool,
    pub(super) last_modified: Option<i64>,
}

/// What a response says that matters to caches.
#[derive(Default)]
struct Said<'a> {
    control: Control,
    targeted: Vec<u8>,
    /// `Some(None)` when it is invalid.
    expires: Option<Option<i64>>,
    date: Option<i64>,
    dates: usize,
    last_modified: Option<i64>,
    age: Option<i64>,
    ages: usize,
    vary: Vec<&'a [u8]>,
    has_etag: bool,
    sets_cookie: bool,
}

impl<'a> Said<'a> {
    fn read(fields: impl Fields<'a>) -> Self {
        let mut said = Self::default();
        for (name, value) in fields {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            match name.len() {
                13 if is("cache-control") => said.control.add(value),
                17 if is("cdn-cache-control") => {
                    if !said.targeted.is_empty() {
                        said.targeted.extend_from_slice(b", ");
                    }
                    said.targeted.extend_from_slice(value);
                }
                7 if is("expires") => {
                    // Two that differ are as good as an invalid one.
                    let time = date::parse(value.trim_ascii());
                    let same = said.expires.is_none_or(|other| other == time);
                    said.expires = Some(time.filter(|_| same));
                }
                4 if is("date") => {
                    said.dates += 1;
                    said.date = date::parse(value.trim_ascii());
                }
                13 if is("last-modified") => said.last_modified = date::parse(value.trim_ascii()),
                3 if is("age") => {
                    // Of several, the first counts (RFC 9111, section 5.1).
                    let first = value.split(|&b| b == b',').next().unwrap_or_default();
                    if said.ages == 0 {
                        said.age = delta(first.trim_ascii());
                    }
                    said.ages += 1;
                }
                4 if is("vary") => said.vary.push(value),
                4 if is("etag") => said.has_etag = true,
                10 if is("set-cookie") => said.sets_cookie = true,
                _ => {}
            }
        }
        said
    }

    /// Seconds for which the response is fresh from its birth on (RFC 9111, section 4.2.1).
    fn lifetime(&self, status: u16, date: i64) -> i64 {
        let control = &self.control;
        if let Some(seconds) = control.s_maxage.or(control.max_age) {
            return seconds;
        }
        if let Some(expires) = self.expires {
            return expires.map_or(0, |expires| (expires - date).clamp(0, MAX_DELTA_S));
        }
        match self.last_modified {
            Some(modified) if HEURISTIC.contains(&status) || control.public => {
                ((date - modified) / HEURISTIC_PART).clamp(0, MAX_HEURISTIC_S)
            }
            _ => 0,
        }
    }
}

/// What may be done with a response to a GET.
pub(super) fn plan(facts: Facts, times: Times, head: &Head) -> Result<Plan, Why> {
    let mut said = Said::read(lines(&head.fields));
    let targeted = targeted::read(&said.targeted);
    let is_targeted = targeted.is_some();
    if let Some(control) = targeted {
        said.control = control;
        said.expires = None;
    }
    may_store(facts, head.status, &said, is_targeted)?;
    let vary = Names::read(said.vary.iter().copied()).ok_or(Why::Vary)?;
    let heard = times.heard;
    let date = said.date.filter(|_| said.dates == 1).unwrap_or(heard);
    let delay = heard.saturating_sub(times.asked).clamp(0, MAX_DELTA_S);
    // RFC 9111, section 4.2.3. Nothing here is far from 64 bits: each of them has been bounded.
    let apparent = heard.saturating_sub(date).clamp(0, MAX_DELTA_S);
    let age = apparent.max(said.age.unwrap_or(0) + delay);
    let born = heard.saturating_sub(age);
    let control = &said.control;
    let lifetime = if control.no_cache { 0 } else { said.lifetime(head.status, date) };
    let fresh_until = born.saturating_add(lifetime);
    let may_be_stale = !control.no_cache && !control.must_revalidate;
    let later = |seconds: Option<i64>| {
        fresh_until.saturating_add(seconds.filter(|_| may_be_stale).unwrap_or(0))
    };
    let stale_until = later(control.stale_while_revalidate);
    let plan = Plan {
        born,
        fresh_until,
        stale_until,
        is_never_usable: stale_until <= heard,
        error_until: later(control.stale_if_error),
        is_for_authorized: is_for_authorized(control),
        excluded: std::mem::take(&mut said.control.excluded),
        vary,
        date,
        has_date: said.dates == 1 && said.date.is_some(),
        last_modified: said.last_modified,
    };
    let is_usable =
        [plan.fresh_until, plan.stale_until, plan.error_until].iter().any(|&t| t > heard);
    if !is_usable && !said.has_etag && said.last_modified.is_none() {
        return Err(Why::NotFresh);
    }
    Ok(plan)
}

/// How a response is used by nobody but the one who asked.
pub(super) fn once(times: Times, head: &Head) -> Plan {
    let said = Said::read(lines(&head.fields));
    let has_date = said.dates == 1 && said.date.is_some();
    Plan {
        born: times.heard,
        fresh_until: times.heard,
        stale_until: times.heard,
        error_until: times.heard,
        is_never_usable: true,
        is_for_authorized: false,
        excluded: Vec::new(),
        vary: Names::default(),
        date: said.date.filter(|_| has_date).unwrap_or(times.heard),
        has_date,
        last_modified: said.last_modified,
    }
}

/// RFC 9111, section 3, and a rule of our own for cookies.
fn may_store(facts: Facts, status: u16, said: &Said<'_>, is_targeted: bool) -> Result<(), Why> {
    let control = &said.control;
    let is_understood = HEURISTIC.contains(&status) || UNDERSTOOD.contains(&status);
    if status < 200 || matches!(status, 206 | 304) || control.must_understand && !is_understood {
        return Err(Why::Status);
    }
    // Beside must-understand, no-store is for those who do not know that directive (RFC 9111,
    // section 5.2.2.3).
    if facts.wish.no_store || control.no_store && !control.must_understand {
        return Err(Why::NoStore);
    }
    if control.private {
        return Err(Why::Private);
    }
    if facts.is_authorized && !is_for_authorized(control) {
        return Err(Why::Authorized);
    }
    let explicit =
        control.max_age.is_some() || control.s_maxage.is_some() || said.expires.is_some();
    if !explicit && !control.public && !HEURISTIC.contains(&status) {
        return Err(Why::Status);
    }
    // A cookie is meant for one client. An origin that means it for all has to say so to a cache
    // like this one, rather than to the client's own.
    let meant = control.public || control.s_maxage.is_some() || is_targeted;
    let kept_out = control.excluded.iter().any(|name| name == "set-cookie");
    if said.sets_cookie && !meant && !kept_out {
        return Err(Why::SetsCookie);
    }
    Ok(())
}

/// RFC 9111, section 3.5.
fn is_for_authorized(control: &Control) -> bool {
    control.public || control.is_for_authorized || control.s_maxage.is_some()
}

/// The fields of lines that end in CRLF.
pub fn lines(fields: &[u8]) -> impl Fields<'_> {
    fields.split(|&b| b == b'\n').filter_map(|line| {
        let line = line.strip_suffix(b"\r")?;
        let colon = line.iter().position(|&b| b == b':')?;
        let name = std::str::from_utf8(&line[..colon]).ok()?;
        Some((name, line[colon + 1..].trim_ascii()))
    })
}
