//! Finding one text in another, and what is made of the places.

use memchr::memmem;

use crate::guest::{Call, Guest, Input, Instead, Reply};
use crate::python::exception::VALUE_ERROR;
use crate::python::text::{Output, Text};

/// The text that a method belongs to and another one.
fn two<'m, const KIND: bool>(
    input: Input<'m>,
    args: [u64; 5],
    names: [&str; 2],
) -> Result<(Text<'m>, Text<'m>), Instead> {
    let text = Text::new::<KIND>(input, names[0], args[0])?;
    Ok((text, Text::new::<KIND>(input, names[1], args[1])?))
}

/// Two texts of a call that looks at all of both.
fn looking<'m, const KIND: bool>(
    guest: &'m mut Guest<'_>,
    args: [u64; 5],
    fuel: &mut u64,
) -> Result<(Text<'m>, Text<'m>), Instead> {
    let (text, sub) = two::<KIND>(guest.input(), args, ["s", "sub"])?;
    *fuel += text.fuel() + sub.fuel();
    Ok((text, sub))
}

/// The same for a call that looks at one end of the first.
fn comparing<'m, const KIND: bool>(
    guest: &'m mut Guest<'_>,
    args: [u64; 5],
    fuel: &mut u64,
) -> Result<(Text<'m>, Text<'m>), Instead> {
    let (text, sub) = two::<KIND>(guest.input(), args, ["s", "sub"])?;
    // Where characters and bytes are not the same, they are counted.
    *fuel += sub.fuel() + if text.wide { text.fuel() } else { 0 };
    Ok((text, sub))
}

pub(crate) fn startswith<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let [_, _, start, end, _] = call.args;
    let (text, sub) = comparing::<KIND>(&mut call.guest, call.args, &mut call.fuel)?;
    let span = text.span(start as i64, end as i64);
    Ok(span.is_some_and(|span| text.bytes[span].starts_with(sub.bytes)).into())
}

pub(crate) fn endswith<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let [_, _, start, end, _] = call.args;
    let (text, sub) = comparing::<KIND>(&mut call.guest, call.args, &mut call.fuel)?;
    let span = text.span(start as i64, end as i64);
    Ok(span.is_some_and(|span| text.bytes[span].ends_with(sub.bytes)).into())
}

pub(crate) fn removeprefix<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let (text, sub) = comparing::<KIND>(&mut call.guest, call.args, &mut call.fuel)?;
    let from = if text.bytes.starts_with(sub.bytes) { sub.bytes.len() } else { 0 };
    Ok(text.piece(from..text.bytes.len()))
}

pub(crate) fn removesuffix<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let (text, sub) = comparing::<KIND>(&mut call.guest, call.args, &mut call.fuel)?;
    let less = if text.bytes.ends_with(sub.bytes) { sub.bytes.len() } else { 0 };
    Ok(text.piece(0..text.bytes.len() - less))
}

/// Index of the first or the last place.
fn place<const KIND: bool>(call: &mut Call<'_>, last: bool) -> Result<Option<usize>, Instead> {
    let [_, _, start, end, _] = call.args;
    let (text, sub) = looking::<KIND>(&mut call.guest, call.args, &mut call.fuel)?;
    let Some(span) = text.span(start as i64, end as i64) else { return Ok(None) };
    let (from, bytes) = (span.start, &text.bytes[span]);
    let found = match last {
        false => memmem::find(bytes, sub.bytes),
        true => memmem::rfind(bytes, sub.bytes),
    };
    Ok(found.map(|at| text.index(from + at)))
}

fn index_or_none(found: Option<usize>) -> u64 {
    found.map_or(u64::MAX, |index| index as u64)
}

pub(crate) fn find<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    place::<KIND>(call, false).map(index_or_none)
}

pub(crate) fn rfind<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    place::<KIND>(call, true).map(index_or_none)
}

fn expect<const KIND: bool>(call: &mut Call<'_>, found: Option<usize>) -> Reply {
    let what = if KIND { "substring" } else { "subsection" };
    match found {
        Some(index) => call.give(call.args[4], &[index as u64]),
        None => Err(call.raised(VALUE_ERROR, format!("{what} not found"))),
    }
}

pub(crate) fn index<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let found = place::<KIND>(call, false)?;
    expect::<KIND>(call, found)
}

pub(crate) fn rindex<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let found = place::<KIND>(call, true)?;
    expect::<KIND>(call, found)
}

pub(crate) fn count<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let [_, _, start, end, _] = call.args;
    let (text, sub) = looking::<KIND>(&mut call.guest, call.args, &mut call.fuel)?;
    let Some(span) = text.span(start as i64, end as i64) else { return Ok(0) };
    if sub.bytes.is_empty() {
        return Ok(text.part(span).len() as u64 + 1);
    }
    Ok(memmem::find_iter(&text.bytes[span], sub.bytes).count() as u64)
}

pub(crate) fn contains<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let (text, sub) = looking::<KIND>(&mut call.guest, call.args, &mut call.fuel)?;
    Ok(memmem::find(text.bytes, sub.bytes).is_some().into())
}

fn parts<const KIND: bool>(call: &mut Call<'_>, last: bool) -> Reply {
    let (text, sub) = looking::<KIND>(&mut call.guest, call.args, &mut call.fuel)?;
    if sub.bytes.is_empty() {
        return Err(call.raised(VALUE_ERROR, "empty separator"));
    }
    let len = text.bytes.len();
    let words = match if last {
        memmem::rfind(text.bytes, sub.bytes)
    } else {
        memmem::find(text.bytes, sub.bytes)
    } {
        Some(at) => {
            let behind = at + sub.bytes.len();
            [text.piece(0..at), text.piece(at..behind), text.piece(behind..len)]
        }
        None if last => [text.piece(0..0), text.piece(0..0), text.piece(0..len)],
        None => [text.piece(0..len), text.piece(len..len), text.piece(len..len)],
    };
    call.give(call.args[2], &words)
}

pub(crate) fn partition<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    parts::<KIND>(call, false)
}

pub(crate) fn rpartition<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    parts::<KIND>(call, true)
}

pub(crate) fn replace<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let (args, room) = (call.args, call.guest.room());
    let input = call.guest.input();
    let (text, old) = two::<KIND>(input, args, ["s", "old"])?;
    let new = Text::new::<KIND>(input, "new", args[2])?;
    call.fuel += text.fuel() + old.fuel() + new.fuel();
    let most = usize::try_from(args[3] as i64).unwrap_or(usize::MAX);
    let mut out = Output::new(room);
    let mut from = 0;
    let mut put = |at: usize, len: usize| {
        out.push(&text.bytes[from..at])?;
        out.push(new.bytes)?;
        from = at + len;
        Ok::<_, Instead>(())
    };
    if old.bytes.is_empty() {
        // In front of each character and behind the last.
        let starts = (0..text.len()).take(most);
        let mut at = 0;
        for _ in starts {
            put(at, 0)?;
            at += step(text, at);
        }
        if text.len() < most {
            put(text.bytes.len(), 0)?;
        }
    } else {
        for at in memmem::find_iter(text.bytes, old.bytes).take(most) {
            put(at, old.bytes.len())?;
        }
    }
    if from == 0 && out.bytes.is_empty() {
        return Ok(args[0]);
    }
    out.push(&text.bytes[from..])?;
    call.give_text::<KIND>(&out.bytes)
}

/// Bytes of the character at an offset.
fn step(text: Text<'_>, at: usize) -> usize {
    let rest = &text.bytes[at..];
    if text.wide { crate::python::chars::first(rest).map_or(0, |c| c.1) } else { 1 }
}
