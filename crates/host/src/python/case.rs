//! Upper, lower and title case.

use crate::guest::{Call, Instead, Reply};
use crate::python::chars;
use crate::python::text::{Output, Text};
use crate::python::unicode;

/// What gives each character of a mapped text.
type Mapping = fn(&[u8], &mut dyn FnMut(u32));

/// A text with all letters mapped: ASCII in place, the rest one by one.
fn mapped<const KIND: bool>(call: &mut Call<'_>, narrow: fn(&mut [u8]), wide: Mapping) -> Reply {
    let (word, room) = (call.args[0], call.guest.room());
    let text = Text::new::<KIND>(call.guest.input(), "s", word)?;
    call.fuel += 2 * text.fuel();
    let mut out = Output::new(room);
    if text.wide {
        let mut result: Result<(), Instead> = Ok(());
        wide(text.bytes, &mut |point| {
            if result.is_ok() {
                result = out.point(point);
            }
        });
        result?;
    } else {
        out.push(text.bytes)?;
        narrow(&mut out.bytes);
    }
    if out.bytes == text.bytes {
        return Ok(word);
    }
    call.give_text::<KIND>(&out.bytes)
}

/// Each character and where it begins.
fn each(bytes: &[u8]) -> impl Iterator<Item = (usize, u32)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (point, len) = chars::first(&bytes[at..])?;
        at += len;
        Some((at - len, point))
    })
}

/// The character at a place in lower case: a capital sigma is another one at the end of a word.
fn lower_at(bytes: &[u8], at: usize, point: u32, out: &mut dyn FnMut(u32)) {
    if point == 0x3a3 {
        out(if ends_word(&bytes[..at], &bytes[at + 2..]) { 0x3c2 } else { 0x3c3 });
    } else {
        unicode::lower(point, out);
    }
}

/// Whether there is a cased letter in front and none behind, beyond what has no case to regard.
fn ends_word(mut before: &[u8], behind: &[u8]) -> bool {
    let is_final = loop {
        match chars::last(before) {
            Some((point, len)) if unicode::is_case_ignorable(point) => {
                before = &before[..before.len() - len];
            }
            Some((point, _)) => break unicode::is_cased(point),
            None => break false,
        }
    };
    let next = || chars::all(behind).find(|point| !unicode::is_case_ignorable(*point));
    is_final && !next().is_some_and(unicode::is_cased)
}

pub(crate) fn lower_all(bytes: &[u8], out: &mut dyn FnMut(u32)) {
    each(bytes).for_each(|(at, point)| lower_at(bytes, at, point, out));
}

pub(crate) fn lower<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    mapped::<KIND>(call, <[u8]>::make_ascii_lowercase, lower_all)
}

pub(crate) fn upper<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    mapped::<KIND>(call, <[u8]>::make_ascii_uppercase, |bytes, out| {
        chars::all(bytes).for_each(|point| unicode::upper(point, out));
    })
}

pub(crate) fn casefold(call: &mut Call<'_>) -> Reply {
    mapped::<true>(call, <[u8]>::make_ascii_lowercase, |bytes, out| {
        chars::all(bytes).for_each(|point| unicode::fold(point, out));
    })
}

pub(crate) fn swapcase<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let narrow = |bytes: &mut [u8]| {
        bytes.iter_mut().filter(|byte| byte.is_ascii_alphabetic()).for_each(|byte| *byte ^= 0x20);
    };
    mapped::<KIND>(call, narrow, |bytes, out| {
        for (at, point) in each(bytes) {
            if unicode::is_upper(point) {
                lower_at(bytes, at, point, out);
            } else if unicode::is_lower(point) {
                unicode::upper(point, out);
            } else {
                out(point);
            }
        }
    })
}

pub(crate) fn capitalize<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let narrow = |bytes: &mut [u8]| {
        bytes.make_ascii_lowercase();
        bytes.iter_mut().take(1).for_each(|byte| byte.make_ascii_uppercase());
    };
    mapped::<KIND>(call, narrow, |bytes, out| {
        for (at, point) in each(bytes) {
            match at {
                0 => unicode::title(point, out),
                _ => lower_at(bytes, at, point, out),
            }
        }
    })
}

pub(crate) fn title<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let narrow = |bytes: &mut [u8]| {
        let mut inside = false;
        for byte in bytes {
            match inside {
                true => byte.make_ascii_lowercase(),
                false => byte.make_ascii_uppercase(),
            }
            inside = byte.is_ascii_alphabetic();
        }
    };
    mapped::<KIND>(call, narrow, |bytes, out| {
        let mut inside = false;
        for (at, point) in each(bytes) {
            match inside {
                true => lower_at(bytes, at, point, out),
                false => unicode::title(point, out),
            }
            inside = unicode::is_cased(point);
        }
    })
}
