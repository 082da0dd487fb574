//! Conditional requests (RFC 9110, section 13).

use crate::date;
use crate::request::{Field, Request};

/// The validators of the selected representation.
#[derive(Clone, Copy, Debug)]
pub struct Validators<'a> {
    /// Strong entity tag with its quotes.
    pub etag: &'a [u8],
    /// Seconds since 1970; `None` when the time says nothing about the content.
    pub last_modified: Option<i64>,
}

/// What the preconditions of a GET or HEAD request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Answer as if there were none.
    Proceed,
    /// 304.
    NotModified,
    /// 412.
    Failed,
}

/// Evaluate in the order of RFC 9110, section 13.2.2.
pub fn evaluate(request: &Request<'_, '_>, validators: Validators<'_>) -> Outcome {
    if request.has(Field::IfMatch) {
        if !lists(request, Field::IfMatch, validators.etag, Comparison::Strong) {
            return Outcome::Failed;
        }
    } else if let Some(since) = request.date(Field::IfUnmodifiedSince)
        && validators.last_modified.is_some_and(|modified| modified > since)
    {
        return Outcome::Failed;
    }
    if request.has(Field::IfNoneMatch) {
        if lists(request, Field::IfNoneMatch, validators.etag, Comparison::Weak) {
            return Outcome::NotModified;
        }
    } else if let Some(since) = request.date(Field::IfModifiedSince)
        && validators.last_modified.is_some_and(|modified| modified <= since)
    {
        return Outcome::NotModified;
    }
    Outcome::Proceed
}

/// Whether If-Range lets the Range field apply; true when there is none.
///
/// An entity tag has to match strongly, a date exactly (RFC 9110, section 13.1.5).
pub fn range_applies(request: &Request<'_, '_>, validators: Validators<'_>) -> bool {
    if !request.has(Field::IfRange) {
        return true;
    }
    let Some(value) = request.single(Field::IfRange) else { return false };
    if value.starts_with(b"\"") || value.starts_with(b"W/") {
        return value == validators.etag;
    }
    let date = date::parse(value);
    date.is_some() && date == validators.last_modified
}

#[derive(Clone, Copy, PartialEq)]
enum Comparison {
    Strong,
    Weak,
}

/// Whether a list of entity tags has ours; `*` has every one.
fn lists(request: &Request<'_, '_>, field: Field, etag: &[u8], comparison: Comparison) -> bool {
    request.values(field).any(|line| {
        let mut rest = line.trim_ascii();
        if rest == b"*" {
            return true;
        }
        while let Some((weak, tag, tail)) = next_tag(rest) {
            if tag == etag && (comparison == Comparison::Weak || !weak) {
                return true;
            }
            rest = tail;
        }
        false
    })
}

/// Weakness, tag with its quotes, and what follows; `None` at the end or at bad syntax.
pub fn next_tag(list: &[u8]) -> Option<(bool, &[u8], &[u8])> {
    let start = list.iter().position(|&b| !matches!(b, b',' | b' ' | b'\t'))?;
    let list = &list[start..];
    let (weak, tag) = match list.strip_prefix(b"W/") {
        Some(tag) => (true, tag),
        None => (false, list),
    };
    let inner = tag.strip_prefix(b"\"")?;
    let end = inner.iter().position(|&b| b == b'"')? + 2;
    Some((weak, &tag[..end], &tag[end..]))
}
