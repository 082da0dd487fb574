//! From str to bytes and back.

use crate::guest::{Call, Instead, Reply, copying};
use crate::limits::HASH_FUEL;
use crate::python::chars;
use crate::python::exception::{UNICODE_DECODE_ERROR, UNICODE_ENCODE_ERROR, VALUE_ERROR};
use crate::python::place::refused;
use crate::python::repr::escape;
use crate::python::text::{Output, Text};
use crate::python::word::PyBytes;

/// Of encodings, by number: name and what the others are told.
const CODECS: [(&str, &str); 3] = [
    ("utf-8", "surrogates not allowed"),
    ("ascii", "ordinal not in range(128)"),
    ("latin-1", "ordinal not in range(256)"),
];

/// What is done with what can't be encoded or decoded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Errors {
    Strict,
    Ignore,
    Replace,
    /// A byte is a surrogate from U+DC80 on.
    SurrogateEscape,
    BackslashReplace,
}

fn errors(call: &Call<'_>, number: u64) -> Result<Errors, Instead> {
    Ok(match number {
        0 => Errors::Strict,
        1 => Errors::Ignore,
        2 => Errors::Replace,
        3 => Errors::SurrogateEscape,
        4 => Errors::BackslashReplace,
        _ => return Err(refused(call.guest.helper, "errors", number)),
    })
}

/// Whether an encoding has a character.
fn fits(codec: u64, point: u32) -> bool {
    match codec {
        0 => !(0xd800..=0xdfff).contains(&point),
        1 => point < 0x80,
        _ => point < 0x100,
    }
}

/// The byte that a surrogate stands for.
fn escaped_byte(point: u32) -> Option<u8> {
    (0xdc80..=0xdcff).contains(&point).then_some(point as u8)
}

pub(crate) fn encode(call: &mut Call<'_>) -> Reply {
    let [word, codec, how, out, _] = call.args;
    let how = errors(call, how)?;
    let Some((name, reason)) = usize::try_from(codec).ok().and_then(|n| CODECS.get(n)) else {
        return Err(refused(call.guest.helper, "codec", codec));
    };
    let room = call.guest.room();
    let text = Text::new::<true>(call.guest.input(), "s", word)?;
    call.fuel += text.fuel();
    let bytes = text.bytes;
    let same = codec == 0 && chars::all(bytes).all(|point| fits(0, point));
    if !text.wide || same {
        let PyBytes { address, len } = PyBytes::unpack(word);
        return call.give(out, &[PyBytes { address, len }.pack()]);
    }
    let mut made = Output::new(room);
    let (mut at, mut index) = (0, 0);
    while let Some((point, len)) = chars::first(&bytes[at..]) {
        if fits(codec, point) {
            match codec {
                0 => made.push(&bytes[at..at + len])?,
                _ => made.push(&[point as u8])?,
            }
            (at, index) = (at + len, index + 1);
            continue;
        }
        // All that can't be encoded in a row is one error.
        let run = chars::all(&bytes[at..]).take_while(|point| !fits(codec, *point));
        let mut unescaped = None;
        let mut count = 0;
        for point in run {
            let byte = escaped_byte(point);
            match how {
                Errors::Ignore => {}
                Errors::Replace => made.push(b"?")?,
                Errors::BackslashReplace => {
                    let mut escaped = String::new();
                    escape(point, &mut escaped);
                    made.push(escaped.as_bytes())?;
                }
                Errors::SurrogateEscape if byte.is_some() && unescaped.is_none() => {
                    made.push(byte.as_slice())?;
                }
                _ => {
                    unescaped.get_or_insert((index + count, point));
                }
            }
            count += 1;
        }
        if let Some((first, point)) = unescaped {
            let last = index + count - 1;
            let place = if first == last {
                let mut shown = String::new();
                escape(point, &mut shown);
                format!("character '{shown}' in position {first}")
            } else {
                format!("characters in position {first}-{last}")
            };
            let message = format!("'{name}' codec can't encode {place}: {reason}");
            return Err(call.raised(UNICODE_ENCODE_ERROR, message));
        }
        at += chars::offset(&bytes[at..], count);
        index += count;
    }
    let word = call.give_bytes(&made.bytes)?;
    call.give(out, &[word])
}

/// What is wrong at the start of some bytes that are not UTF-8.
fn fault(bytes: &[u8], invalid: Option<usize>) -> (usize, &'static str) {
    match (invalid, bytes.first()) {
        (None, _) => (bytes.len(), "unexpected end of data"),
        (Some(len), Some(0xc2..=0xf4)) => (len, "invalid continuation byte"),
        (Some(len), _) => (len, "invalid start byte"),
    }
}

pub(crate) fn decode(call: &mut Call<'_>) -> Reply {
    let [word, codec, how, out, _] = call.args;
    let how = errors(call, how)?;
    let Some((name, _)) = usize::try_from(codec).ok().and_then(|n| CODECS.get(n)) else {
        return Err(refused(call.guest.helper, "codec", codec));
    };
    let room = call.guest.room();
    let bytes = call.guest.input().content("b", word)?;
    call.fuel += copying(bytes.len());
    let PyBytes { address, len } = PyBytes::unpack(word);
    let ascii = bytes.is_ascii();
    if ascii || codec == 0 && std::str::from_utf8(bytes).is_ok() {
        let word = crate::python::word::PyStr { address, len, wide: !ascii };
        return call.give(out, &[word.pack()]);
    }
    call.fuel += bytes.len() as u64 * HASH_FUEL;
    let mut made = Output::new(room);
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (good, len, reason) = match codec {
            0 => match std::str::from_utf8(rest) {
                Ok(_) => (rest.len(), 0, ""),
                Err(error) => {
                    let good = error.valid_up_to();
                    let (len, reason) = fault(&rest[good..], error.error_len());
                    (good, len, reason)
                }
            },
            1 => {
                let good = rest.iter().take_while(|byte| byte.is_ascii()).count();
                (good, usize::from(good < rest.len()), CODECS[1].1)
            }
            _ => {
                rest.iter().try_for_each(|byte| made.point((*byte).into()))?;
                break;
            }
        };
        made.push(&rest[..good])?;
        let bad = &rest[good..good + len];
        match how {
            _ if bad.is_empty() => {}
            Errors::Ignore => {}
            Errors::Replace => made.point(0xfffd)?,
            Errors::SurrogateEscape => {
                bad.iter().try_for_each(|byte| made.point(0xdc00 + u32::from(*byte)))?;
            }
            Errors::BackslashReplace => {
                let mut escaped = String::new();
                bad.iter().for_each(|byte| escape((*byte).into(), &mut escaped));
                made.push(escaped.as_bytes())?;
            }
            Errors::Strict => {
                let first = at + good;
                let place = match bad {
                    [byte] => format!("byte 0x{byte:02x} in position {first}"),
                    _ => format!("bytes in position {first}-{}", first + len - 1),
                };
                let message = format!("'{name}' codec can't decode {place}: {reason}");
                return Err(call.raised(UNICODE_DECODE_ERROR, message));
            }
        }
        at += good + len;
    }
    let word = call.give_str(&made.bytes)?;
    call.give(out, &[word])
}

pub(crate) fn hex(call: &mut Call<'_>) -> Reply {
    let room = call.guest.room();
    let bytes = call.guest.input().content("b", call.args[0])?;
    call.fuel += bytes.len() as u64 * HASH_FUEL;
    if bytes.len() > room / 2 {
        return Err(crate::python::place::used_up());
    }
    let text = faster_hex::hex_string(bytes);
    call.guest.new_str(text.as_bytes())
}

pub(crate) fn fromhex(call: &mut Call<'_>) -> Reply {
    let [word, out, ..] = call.args;
    let room = call.guest.room();
    let text = Text::new::<true>(call.guest.input(), "string", word)?;
    call.fuel += text.bytes.len() as u64 * HASH_FUEL;
    let digit = |at: usize| char::from(*text.bytes.get(at)?).to_digit(16);
    let mut made = Output::new(room);
    let mut at = 0;
    let bad = loop {
        while matches!(text.bytes.get(at), Some(0x09..=0x0d | 0x20)) {
            at += 1;
        }
        if at == text.bytes.len() {
            break None;
        }
        match (digit(at), digit(at + 1)) {
            (Some(high), Some(low)) => made.push(&[(high << 4 | low) as u8])?,
            (Some(_), None) => break Some(at + 1),
            (None, _) => break Some(at),
        }
        at += 2;
    };
    if let Some(at) = bad {
        // What is not ASCII is seen before anything else is.
        let at = text.bytes.iter().position(|byte| text.wide && !byte.is_ascii()).unwrap_or(at);
        let message = format!("non-hexadecimal number found in fromhex() arg at position {at}");
        return Err(call.raised(VALUE_ERROR, message));
    }
    let word = call.give_bytes(&made.bytes)?;
    call.give(out, &[word])
}
