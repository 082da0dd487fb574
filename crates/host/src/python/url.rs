//! `urllib.parse` for compiled Python, and what requests and redirects need of it.

use zeroserve_vm::limits::BUDGET_FUEL;

use crate::guest::{Call, Instead, Reply, copying};
use crate::limits::HASH_FUEL;
use crate::python::case::lower_all;
use crate::python::exception::VALUE_ERROR;
use crate::python::ip;
use crate::python::letters::{encoded, letters, push, repr};
use crate::python::place::used_up;
use crate::python::request::limit;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Characters of which NFKC makes one of `/?#@:`.
const DELIMITERS: [u32; 19] = [
    0x2047, 0x2048, 0x2049, 0x2100, 0x2101, 0x2105, 0x2106, 0x2a74, 0xfe13, 0xfe16, 0xfe55, 0xfe56,
    0xfe5f, 0xfe6b, 0xff03, 0xff0f, 0xff1a, 0xff1f, 0xff20,
];

fn push_escape(out: &mut Vec<u8>, byte: u8) {
    let digit = |value: u8| HEX[usize::from(value & 15)];
    out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte)]);
}

fn escape_all(bytes: &[u8], stays: impl Fn(usize, u8) -> bool) -> String {
    let mut out = Vec::with_capacity(bytes.len());
    for (at, &byte) in bytes.iter().enumerate() {
        if stays(at, byte) { out.push(byte) } else { push_escape(&mut out, byte) }
    }
    // What stays is ASCII.
    String::from_utf8(out).unwrap_or_default()
}

fn is_escape(bytes: &[u8]) -> bool {
    matches!(bytes, [b'%', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}

/// A path and perhaps a query, with everything escaped that can't stand in a request.
pub(crate) fn escaped_target(bytes: &[u8]) -> String {
    escape_all(bytes, |at, byte| match byte {
        b'%' => is_escape(&bytes[at..]),
        b'#' => false,
        _ => byte.is_ascii_graphic(),
    })
}

/// A URL for a header field.
pub(crate) fn escaped_reference(bytes: &[u8]) -> String {
    escape_all(bytes, |_, byte| byte.is_ascii_graphic())
}

/// The bytes of ASCII text with escapes.
fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if is_escape(&text[at..]) {
            let digit = |byte: u8| (byte as char).to_digit(16).unwrap_or(0) as u8;
            out.push(digit(text[at + 1]) << 4 | digit(text[at + 2]));
            at += 3;
        } else {
            out.push(text[at]);
            at += 1;
        }
    }
    out
}

/// As `unquote`: escapes between characters that are not ASCII are decoded on their own.
fn unquote(text: &[u8]) -> Vec<u8> {
    if !text.contains(&b'%') {
        return text.to_vec();
    }
    let mut out = Vec::with_capacity(text.len());
    for run in text.chunk_by(|one, other| one.is_ascii() == other.is_ascii()) {
        if run[0].is_ascii() {
            out.extend_from_slice(String::from_utf8_lossy(&unescape(run)).as_bytes());
        } else {
            out.extend_from_slice(run);
        }
    }
    out
}

fn unquote_plus(text: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = text.iter().map(|&b| if b == b'+' { b' ' } else { b }).collect();
    unquote(&text)
}

/// Names and values of a query, decoded.
pub(crate) fn pairs(query: &[u8], keep_blank: bool) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    query.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).filter_map(move |pair| {
        let (name, value) = match memchr::memchr(b'=', pair) {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &pair[..0]),
        };
        (keep_blank || !value.is_empty()).then(|| (unquote_plus(name), unquote_plus(value)))
    })
}

fn quoted(call: &mut Call<'_>, plus: bool) -> Reply {
    let [text, safe, out, ..] = call.args;
    let input = call.guest.input();
    let (text, safe) = (input.content("string", text)?, input.content("safe", safe)?);
    call.fuel += (text.len() + safe.len()) as u64 * HASH_FUEL;
    let mut stays = [false; 128];
    for byte in (0..128_u8).filter(u8::is_ascii_alphanumeric).chain(*b"_.-~") {
        stays[usize::from(byte)] = true;
    }
    safe.iter().filter(|byte| byte.is_ascii()).for_each(|byte| stays[usize::from(*byte)] = true);
    let result = encoded(text).map(|()| {
        let mut result = Vec::with_capacity(text.len());
        for &byte in text {
            match byte {
                // With a plus that is safe, the two can't be told apart: so in CPython.
                b' ' if plus => result.push(b'+'),
                _ if stays.get(usize::from(byte)) == Some(&true) => result.push(byte),
                _ => push_escape(&mut result, byte),
            }
        }
        result
    });
    let result = call.encodable(result)?;
    let word = call.give_str(&result)?;
    call.give(out, &[word])
}

pub(crate) fn quote(call: &mut Call<'_>) -> Reply {
    quoted(call, false)
}

pub(crate) fn quote_plus(call: &mut Call<'_>) -> Reply {
    quoted(call, true)
}

fn unquoted(call: &mut Call<'_>, decode: fn(&[u8]) -> Vec<u8>) -> Reply {
    let text = call.guest.input().content("string", call.args[0])?;
    call.fuel += text.len() as u64 * HASH_FUEL;
    let result = decode(text);
    call.give_str(&result)
}

pub(crate) fn unquote_text(call: &mut Call<'_>) -> Reply {
    unquoted(call, unquote)
}

pub(crate) fn unquote_plus_text(call: &mut Call<'_>) -> Reply {
    unquoted(call, unquote_plus)
}

/// The five parts of a URL.
fn split(url: &[u8]) -> Result<[Vec<u8>; 5], String> {
    let start = url.iter().position(|byte| *byte > b' ').unwrap_or(url.len());
    let mut url: Vec<u8> = url[start..].to_vec();
    url.retain(|byte| !b"\t\r\n".contains(byte));
    let mut rest = &url[..];
    let mut scheme = Vec::new();
    if let Some(at) = memchr::memchr(b':', rest).filter(|_| rest[0].is_ascii_alphabetic()) {
        let letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        if rest[..at].iter().all(letter) {
            scheme = rest[..at].to_ascii_lowercase();
            rest = &rest[at + 1..];
        }
    }
    let mut netloc = &b""[..];
    if let Some(behind) = rest.strip_prefix(b"//") {
        let end = behind.iter().position(|byte| b"/?#".contains(byte)).unwrap_or(behind.len());
        (netloc, rest) = behind.split_at(end);
        let open = memchr::memchr(b'[', netloc);
        let close = memchr::memchr(b']', netloc);
        if open.is_some() != close.is_some() {
            return Err("Invalid IPv6 URL".into());
        }
        if let Some(open) = open {
            let host = &netloc[open + 1..];
            let end = memchr::memchr(b']', host).unwrap_or(host.len());
            check_bracketed(&host[..end])?;
        }
    }
    let mut part = |delimiter: u8| {
        let Some(at) = memchr::memchr(delimiter, rest) else { return Vec::new() };
        let behind = rest[at + 1..].to_vec();
        rest = &rest[..at];
        behind
    };
    let fragment = part(b'#');
    let query = part(b'?');
    if !netloc.is_ascii() && letters(netloc).any(|letter| DELIMITERS.contains(&letter)) {
        let netloc = String::from_utf8_lossy(netloc);
        return Err(format!(
            "netloc '{netloc}' contains invalid characters under NFKC normalization"
        ));
    }
    Ok([scheme, netloc.to_vec(), rest.to_vec(), query, fragment])
}

fn check_bracketed(host: &[u8]) -> Result<(), String> {
    if let Some(version) = host.strip_prefix(b"v") {
        let dot = version.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(0);
        // `.` is any character but a line break, which is gone by now.
        let valid = dot > 0 && version.get(dot) == Some(&b'.') && version.len() > dot + 1;
        return if valid { Ok(()) } else { Err("IPvFuture address is invalid".into()) };
    }
    match ip::parse(host) {
        Some(ip::Address::V4(_)) => Err("An IPv4 address cannot be in brackets".into()),
        Some(_) => Ok(()),
        None => Err(ip::invalid(host)),
    }
}

pub(crate) fn urlsplit(call: &mut Call<'_>) -> Reply {
    let [url, out, ..] = call.args;
    let url = call.guest.input().content("url", url)?;
    call.fuel += url.len() as u64 * HASH_FUEL;
    let parts = split(url);
    let parts = parts.map_err(|why| call.raised(VALUE_ERROR, why))?;
    let mut words = [0; 5];
    for (word, part) in words.iter_mut().zip(parts) {
        *word = call.give_str(&part)?;
    }
    call.give(out, &words)
}

/// User and host of a network location.
fn halves(netloc: &[u8]) -> (Option<&[u8]>, &[u8]) {
    match memchr::memrchr(b'@', netloc) {
        Some(at) => (Some(&netloc[..at]), &netloc[at + 1..]),
        None => (None, netloc),
    }
}

/// What stands before and behind a byte.
fn cut(text: &[u8], byte: u8) -> (&[u8], Option<&[u8]>) {
    match memchr::memchr(byte, text) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    }
}

/// Host and port.
fn host_and_port(netloc: &[u8]) -> (&[u8], Option<&[u8]>) {
    let host = halves(netloc).1;
    let (host, port) = match cut(host, b'[') {
        (_, Some(bracketed)) => {
            let (host, behind) = cut(bracketed, b']');
            (host, cut(behind.unwrap_or_default(), b':').1)
        }
        (host, None) => cut(host, b':'),
    };
    (host, port.filter(|port| !port.is_empty()))
}

/// In lower case.
fn lower(text: &[u8]) -> Vec<u8> {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let mut out = Vec::with_capacity(text.len());
    lower_all(text, &mut |point| push(&mut out, point));
    out
}

pub(crate) fn url_part(call: &mut Call<'_>) -> Reply {
    let [netloc, which, ..] = call.args;
    let netloc = call.guest.input().content("netloc", netloc)?;
    call.fuel += netloc.len() as u64 * HASH_FUEL;
    let part = match which {
        0 => {
            let (name, zone) = cut(host_and_port(netloc).0, b'%');
            let zone = zone.map(|zone| [b"%", zone].concat()).unwrap_or_default();
            let whole = [lower(name), zone].concat();
            (!whole.is_empty()).then_some(whole)
        }
        1 => halves(netloc).0.map(|user| cut(user, b':').0.to_vec()),
        _ => halves(netloc).0.and_then(|user| cut(user, b':').1.map(<[u8]>::to_vec)),
    };
    part.map_or(Ok(0), |part| call.give_str(&part))
}

pub(crate) fn url_port(call: &mut Call<'_>) -> Reply {
    let [netloc, out, ..] = call.args;
    let netloc = call.guest.input().content("netloc", netloc)?;
    call.fuel += netloc.len() as u64;
    let Some(port) = host_and_port(netloc).1 else { return call.give(out, &[0, 0]) };
    if !port.iter().all(u8::is_ascii_digit) {
        let why = format!("Port could not be cast to integer value as {}", repr(port));
        return Err(call.raised(VALUE_ERROR, why));
    }
    let number = std::str::from_utf8(port).ok().and_then(|port| port.parse::<u16>().ok());
    let Some(number) = number else {
        return Err(call.raised(VALUE_ERROR, "Port out of range 0-65535"));
    };
    call.give(out, &[1, number.into()])
}

/// Pairs of names and values as a list of two words each.
pub(crate) fn parse_qsl(call: &mut Call<'_>) -> Reply {
    let [query, keep_blank, ..] = call.args;
    let room = call.guest.room();
    let query = call.guest.input().content("qs", query)?;
    call.fuel += query.len() as u64 * HASH_FUEL * 2;
    let mut words = Vec::new();
    // Short ones take more room here than in the query.
    let most = room / 16;
    let pairs: Vec<_> = pairs(query, keep_blank != 0).take(most + 1).collect();
    if pairs.len() > most {
        return Err(used_up());
    }
    for (name, value) in pairs {
        words.push(call.give_str(&name)?);
        words.push(call.give_str(&value)?);
    }
    call.guest.new_list(&words, 2)
}

/// The values of a name in a list of pairs.
fn values(call: &mut Call<'_>) -> Result<Vec<u64>, Instead> {
    let [query, key, ..] = call.args;
    let input = call.guest.input();
    let key = input.content("key", key)?;
    let mut words = input.words("qs", query, 2)?;
    let (mut found, mut fuel) = (Vec::new(), 0);
    while let (Some(name), Some(value)) = (words.next(), words.next()) {
        let name = input.content("name", name)?;
        fuel += 1;
        if name.len() == key.len() {
            fuel += copying(key.len());
            if name == key {
                found.push(value);
            }
        }
        if fuel > BUDGET_FUEL {
            return Err(limit(format!("used up its budget of {BUDGET_FUEL} fuel")));
        }
    }
    call.fuel += fuel;
    Ok(found)
}

pub(crate) fn qs_get(call: &mut Call<'_>) -> Reply {
    let found = values(call)?;
    if found.is_empty() { Ok(0) } else { call.guest.new_list(&found, 1) }
}

pub(crate) fn qs_has(call: &mut Call<'_>) -> Reply {
    Ok((!values(call)?.is_empty()).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escapes() {
        assert_eq!(escaped_target("/a b?c=%41%zz#é".as_bytes()), "/a%20b?c=%41%25zz%23%C3%A9");
        assert_eq!(escaped_reference("https://a/b c#é%".as_bytes()), "https://a/b%20c#%C3%A9%");
        for (text, expected) in [
            ("abc%20def", "abc def"),
            ("%C3%A9", "é"),
            ("%C3é%A9", "\u{fffd}é\u{fffd}"),
            ("%zz%4", "%zz%4"),
            ("%ed%a0%80", "\u{fffd}\u{fffd}\u{fffd}"),
            ("%f0%9f%98", "\u{fffd}"),
            ("%%41", "%A"),
            ("a+b", "a+b"),
        ] {
            assert_eq!(unquote(text.as_bytes()), expected.as_bytes(), "{text}");
        }
        let all = |query: &str, blank| {
            let pairs = pairs(query.as_bytes(), blank);
            let text = |bytes| String::from_utf8(bytes).unwrap();
            pairs.map(|(a, b)| format!("{}:{}", text(a), text(b))).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(all("a=1&&b=&c&=x&a=2=3&d=%2B+", false), "a:1 :x a:2=3 d:+ ");
        assert_eq!(all("a=1&&b=&c&=x", true), "a:1 b: c: :x");
    }

    fn shown(url: &str) -> String {
        match split(url.as_bytes()) {
            Ok(parts) => {
                let text = |part: &Vec<u8>| String::from_utf8_lossy(part).into_owned();
                parts.iter().map(text).collect::<Vec<_>>().join("|")
            }
            Err(why) => why,
        }
    }

    #[test]
    fn parts_of_urls() {
        for (url, expected) in [
            ("https://u:p@Host:80/p;x?q#f", "https|u:p@Host:80|/p;x|q|f"),
            ("HTTP:rest", "http||rest||"),
            ("1http:rest", "||1http:rest||"),
            (":rest", "||:rest||"),
            ("//host?q#f?g", "|host||q|f?g"),
            (" \x01ht\ntp://a\t/b ", "http|a|/b ||"),
            ("http://[::1]:8080/", "http|[::1]:8080|/||"),
            ("http://[::1/", "Invalid IPv6 URL"),
            ("http://::1]/", "Invalid IPv6 URL"),
            ("http://[127.0.0.1]/", "An IPv4 address cannot be in brackets"),
            ("http://[v1.x]/", "http|[v1.x]|/||"),
            ("http://[v.x]/", "IPvFuture address is invalid"),
            ("http://[zz]/", "'zz' does not appear to be an IPv4 or IPv6 address"),
            (
                "http://a\u{2100}b/",
                "netloc 'a\u{2100}b' contains invalid characters under NFKC normalization",
            ),
            ("http://é/", "http|é|/||"),
            ("", "||||"),
            ("a#b?c", "||a||b?c"),
        ] {
            assert_eq!(shown(url), expected, "{url:?}");
        }
        assert_eq!(host_and_port(b"u@h:1:2"), (&b"h"[..], Some(&b"1:2"[..])));
        assert_eq!(host_and_port(b"[::1]x:5"), (&b"::1"[..], Some(&b"5"[..])));
        assert_eq!(host_and_port(b"h:"), (&b"h"[..], None));
    }

    proptest! {
        #[test]
        fn anything(bytes: Vec<u8>) {
            let _ = split(&bytes);
            unquote(&bytes);
            host_and_port(&bytes);
            lower(&bytes);
            pairs(&bytes, true).count();
            prop_assert_eq!(unescape(escaped_target(&bytes).as_bytes()).is_empty(), bytes.is_empty());
        }
    }
}
