//! What `repr` makes of text.

use std::fmt::Write;

use crate::guest::{Call, Instead, Reply};
use crate::python::chars;
use crate::python::text::{Output, Text};
use crate::python::unicode;

/// Characters of a text that messages repeat.
const SHOWN: usize = 200;

/// Longest escape of a character or a byte.
const LONGEST: usize = 10;

/// Add an escape of a character by its number.
pub(crate) fn escape(point: u32, out: &mut String) {
    let _ = match point {
        0..=0xff => write!(out, "\\x{point:02x}"),
        0x100..=0xffff => write!(out, "\\u{point:04x}"),
        _ => write!(out, "\\U{point:08x}"),
    };
}

/// A text for people: only lone surrogates, which no log can show, are escaped.
pub(crate) fn plain(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for point in chars::all(bytes) {
        match char::from_u32(point) {
            Some(letter) => out.push(letter),
            None => escape(point, &mut out),
        }
    }
    out
}

/// Add at most so many characters of it as Python would write it.
fn write(text: Text<'_>, most: usize, out: &mut Output) -> Result<(), Instead> {
    let has = |byte| memchr::memchr(byte, text.bytes).is_some();
    let quote = if has(b'\'') && !has(b'"') { b'"' } else { b'\'' };
    if !text.is_str {
        out.push(b"b")?;
    }
    out.push(&[quote])?;
    let mut escaped = String::new();
    let mut rest = text.bytes;
    for _ in 0..most {
        let Some((point, len)) = (match text.is_str {
            true => chars::first(rest),
            false => rest.first().map(|byte| (u32::from(*byte), 1)),
        }) else {
            break;
        };
        escaped.clear();
        match u8::try_from(point) {
            Ok(b'\\') => escaped.push_str("\\\\"),
            Ok(b'\t') => escaped.push_str("\\t"),
            Ok(b'\n') => escaped.push_str("\\n"),
            Ok(b'\r') => escaped.push_str("\\r"),
            Ok(byte) if byte == quote => escaped.extend(['\\', quote.into()]),
            Ok(0x20..0x7f) => {}
            _ if text.is_str && point >= 0x80 && unicode::is_printable(point) => {}
            _ => escape(point, &mut escaped),
        }
        match escaped.is_empty() {
            true => out.push(&rest[..len])?,
            false => out.push(escaped.as_bytes())?,
        }
        rest = &rest[len..];
    }
    out.push(&[quote])
}

/// The same for a message, which shows the beginning of what is long.
pub(crate) fn shown(text: Text<'_>) -> String {
    let mut out = Output::new((SHOWN + 1) * LONGEST);
    if write(text, SHOWN, &mut out).is_err() {
        return String::new();
    }
    String::from_utf8_lossy(&out.bytes).chars().take(SHOWN).collect()
}

pub(crate) fn repr<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let room = call.guest.room();
    let text = Text::new::<KIND>(call.guest.input(), "s", call.args[0])?;
    call.fuel += 4 * text.bytes.len() as u64;
    let mut out = Output::new(room);
    write(text, usize::MAX, &mut out)?;
    call.give_str(&out.bytes)
}
