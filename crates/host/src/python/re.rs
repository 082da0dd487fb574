//! `re` for compiled Python. A match is a record on the script's heap: the word of the subject, a
//! number of groups, and for each a word with where it begins (low half) and ends, in bytes.

use std::borrow::Cow;
use std::sync::Arc;

use zeroserve_vm::limits::BUDGET_FUEL;

use crate::guest::{Call, Instead, Reply, copying};
use crate::limits::HASH_FUEL;
use crate::python::letters::count;
use crate::python::patterns::{Pattern, Patterns};
use crate::python::place::{refused, used_up};
use crate::python::request::limit;
use crate::python::word::PyStr;

/// A group that took no part.
const UNSET: u64 = u64::MAX;

/// Most groups of a pattern that a record is read for.
const MAX_GROUPS: u64 = 10_000;

/// The patterns of the script, of which one is meant.
fn patterns(call: &Call<'_>, number: u64) -> Result<Arc<Patterns>, Instead> {
    let patterns = call.world.patterns();
    match patterns.get(number) {
        Some(_) => Ok(patterns),
        None => Err(refused(call.guest.helper, "pattern", number)),
    }
}

fn chosen(patterns: &Patterns, number: u64) -> Result<&Pattern, Instead> {
    patterns.get(number).ok_or_else(|| limit(format!("there is no pattern {number}")))
}

/// A subject as it is, and as text of the same length that can be searched.
fn text<'a>(
    call: &'a mut Call<'_>,
    subject: u64,
    pattern: &Pattern,
) -> Result<(&'a [u8], Cow<'a, str>), Instead> {
    let bytes = call.guest.input().content("string", subject)?;
    call.fuel += copying(bytes.len());
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok((bytes, text.into()));
    }
    call.fuel += bytes.len() as u64;
    let replaced = Some(bytes).filter(|_| pattern.takes_any_text()).map(without_surrogates);
    let text = replaced.and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.ok_or_else(|| {
        limit("re: a string with lone surrogates and a pattern with characters like them")
    })?;
    Ok((bytes, text.into()))
}

/// U+FFFF in place of each lone surrogate.
fn without_surrogates(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for at in memchr::memchr_iter(0xED, bytes) {
        if let Some([_, 0xA0..=0xBF, _]) = bytes.get(at..at + 3) {
            out[at..at + 3].copy_from_slice("\u{FFFF}".as_bytes());
        }
    }
    out
}

/// The word of a part of a str: it stays where it is.
fn part(call: &mut Call<'_>, subject: u64, start: usize, end: usize) -> Result<u64, Instead> {
    let whole = PyStr::unpack(subject);
    let mut wide = false;
    if whole.wide {
        let bytes = call.guest.input().content("string", subject)?;
        wide = bytes.get(start..end).is_some_and(|part| !part.is_ascii());
        call.fuel += copying(end.saturating_sub(start));
    }
    let address = whole.address.wrapping_add(start as u32);
    Ok(PyStr { address, len: end.saturating_sub(start) as u32, wide }.pack())
}

fn span_word(span: Option<(usize, usize)>) -> u64 {
    span.map_or(UNSET, |(start, end)| start as u64 | (end as u64) << 32)
}

pub(crate) fn search(call: &mut Call<'_>) -> Reply {
    let [number, subject, ..] = call.args;
    let patterns = patterns(call, number)?;
    let pattern = chosen(&patterns, number)?;
    let mut locations = pattern.locations();
    let mut fuel = 0;
    let (_, text) = text(call, subject, pattern)?;
    check(pattern, &text)?;
    let found = pattern.find(&text, 0, &mut locations, &mut fuel);
    drop(text);
    call.fuel += fuel;
    if found.is_none() {
        return Ok(0);
    }
    let groups = pattern.groups();
    let mut words = vec![subject, groups as u64, span_word(found)];
    words.extend((1..groups).map(|group| span_word(locations.get(group))));
    let address = call.guest.alloc(words.len() as u64 * 8)?;
    call.guest.store("match", address.into(), &words)?;
    Ok(address.into())
}

/// The subject of a match, and a group of it.
fn group_of(call: &mut Call<'_>) -> Result<(u64, Option<(usize, usize)>), Instead> {
    let [address, group, ..] = call.args;
    let helper = call.guest.helper;
    let input = call.guest.input();
    let word = |at: u64| {
        let bytes = input.bytes("match", address.saturating_add(at), 8)?;
        Ok(bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    };
    let (subject, groups) = (word(0)?, word(8)?);
    if group >= groups.min(MAX_GROUPS) {
        return Err(refused(helper, "group", group));
    }
    let span = word(16 + 8 * group)?;
    let (start, end) = (span & 0xffff_ffff, span >> 32);
    let len = u64::from(PyStr::unpack(subject).len);
    Ok((subject, (start <= end && end <= len).then_some((start as usize, end as usize))))
}

pub(crate) fn group(call: &mut Call<'_>) -> Reply {
    match group_of(call)? {
        (_, None) => Ok(0),
        (subject, Some((start, end))) => part(call, subject, start, end),
    }
}

pub(crate) fn span(call: &mut Call<'_>) -> Reply {
    let (subject, span) = group_of(call)?;
    let words = match span {
        None => [UNSET; 2],
        Some((start, end)) if !PyStr::unpack(subject).wide => [start as u64, end as u64],
        Some((start, end)) => {
            let bytes = call.guest.input().content("string", subject)?;
            call.fuel += copying(end);
            let before = count(bytes.get(..start).unwrap_or_default());
            let inside = count(bytes.get(start..end).unwrap_or_default());
            [before as u64, (before + inside) as u64]
        }
    };
    call.guest.store("out", call.args[2], &words)?;
    Ok(0)
}

/// Nothing else happens in the worker while a pattern is searched for.
fn check(pattern: &Pattern, text: &str) -> Result<(), Instead> {
    if pattern.is_ascii_only() && !text.is_ascii() {
        return Err(limit(
            "re: \\b or \\B and a string beyond ASCII: words may differ from Python's",
        ));
    }
    if pattern.is_not_for_empty() && text.is_empty() {
        return Err(limit("re: \\B and an empty string: versions of CPython differ"));
    }
    if pattern.is_too_much(text.len()) {
        let why = format!("re: a pattern this large for a string of {} bytes", text.len());
        return Err(limit(why));
    }
    Ok(())
}

/// Nothing is left for the script to go on with.
fn beyond_budget() -> Instead {
    limit(format!("re: one call used up the budget of {BUDGET_FUEL} fuel"))
}

/// All matches, as CPython finds them: also nothing at the end of something, but nowhere nothing
/// twice. `found` says whether to go on.
fn each(
    pattern: &Pattern,
    text: &str,
    fuel: &mut u64,
    mut found: impl FnMut(usize, usize, &regex::CaptureLocations) -> Result<bool, Instead>,
) -> Result<(), Instead> {
    let mut locations = pattern.locations();
    let mut from = 0;
    check(pattern, text)?;
    while from <= text.len()
        && let Some((start, end)) = pattern.find(text, from, &mut locations, fuel)
    {
        if *fuel > BUDGET_FUEL {
            return Err(beyond_budget());
        }
        if !found(start, end, &locations)? {
            break;
        }
        from = end;
        if start == end {
            if pattern.prefers_empty() {
                return Err(limit(
                    "re: a pattern that would rather match nothing, a limit of compiled scripts",
                ));
            }
            // What is not nothing would have been found before.
            from += text[end..].chars().next().map_or(1, char::len_utf8);
        }
    }
    Ok(())
}

/// Append what a template makes of a match: at most as much as the heap has room for.
fn expand(
    out: &mut Vec<u8>,
    room: usize,
    template: &[u8],
    mut group: impl FnMut(usize) -> (usize, usize),
    subject: &[u8],
) -> Result<(), Instead> {
    let mut put = |bytes: &[u8]| {
        if bytes.len() > room.saturating_sub(out.len()) {
            return Err(used_up());
        }
        out.extend_from_slice(bytes);
        Ok(())
    };
    let mut rest = template;
    while let Some(at) = memchr::memchr(0, rest) {
        put(&rest[..at])?;
        match rest.get(at + 1) {
            Some(0) => put(&[0])?,
            Some(number) => {
                let (start, end) = group(usize::from(*number) - 1);
                put(subject.get(start..end).unwrap_or_default())?;
            }
            None => {}
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    put(rest)
}

pub(crate) fn sub(call: &mut Call<'_>) -> Reply {
    let [number, template, subject, most, ..] = call.args;
    let patterns = patterns(call, number)?;
    let pattern = chosen(&patterns, number)?;
    let room = call.guest.room();
    let template = call.guest.input().content("repl", template)?.to_vec();
    call.fuel += copying(template.len());
    let references = memchr::memchr_iter(0, &template).count() as u64;
    let each_match = 10 + copying(template.len()) + 2 * references;
    let (bytes, text) = text(call, subject, pattern)?;
    let (mut out, mut at, mut fuel, mut left) = (Vec::new(), 0, 0_u64, most as i64);
    let mut work = 0_u64;
    let groups = pattern.groups();
    if most as i64 >= 0 {
        each(pattern, &text, &mut fuel, |start, end, locations| {
            out.extend_from_slice(&bytes[at..start]);
            let span = |group| match group {
                0 => (start, end),
                _ if group < groups => locations.get(group).unwrap_or_default(),
                _ => (0, 0),
            };
            // Before anything is done: groups that are empty fill no heap.
            work += each_match;
            if work > BUDGET_FUEL {
                return Err(beyond_budget());
            }
            expand(&mut out, room, &template, span, bytes)?;
            at = end;
            if out.len() > room {
                return Err(used_up());
            }
            left -= 1;
            Ok(left != 0)
        })?;
    }
    out.extend_from_slice(&bytes[at..]);
    drop(text);
    call.fuel += fuel + work;
    call.give_str(&out)
}

pub(crate) fn findall(call: &mut Call<'_>) -> Reply {
    let [number, subject, ..] = call.args;
    let patterns = patterns(call, number)?;
    let pattern = chosen(&patterns, number)?;
    let room = call.guest.room() / 8;
    let (_, text) = text(call, subject, pattern)?;
    let (mut spans, mut fuel) = (Vec::new(), 0);
    let single = pattern.groups() > 1;
    each(pattern, &text, &mut fuel, |start, end, locations| {
        spans.push(if single { locations.get(1).unwrap_or((start, start)) } else { (start, end) });
        if spans.len() > room { Err(used_up()) } else { Ok(true) }
    })?;
    drop(text);
    call.fuel += fuel + 10 * spans.len() as u64;
    let mut words = Vec::with_capacity(spans.len());
    for (start, end) in spans {
        words.push(part(call, subject, start, end)?);
    }
    call.guest.new_list(&words, 1)
}

pub(crate) fn escape(call: &mut Call<'_>) -> Reply {
    let text = call.guest.input().content("pattern", call.args[0])?;
    call.fuel += text.len() as u64 * HASH_FUEL;
    let mut out = Vec::with_capacity(text.len() + 8);
    for byte in text {
        if b"()[]{}?*+-|^$\\.&~# \t\n\r\x0b\x0c".contains(byte) {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    call.give_str(&out)
}
