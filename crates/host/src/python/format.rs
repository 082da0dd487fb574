//! `format`: the language of format specifications, for int and str.

use crate::Outcome;
use crate::guest::{Call, Instead, Reply};
use crate::python::chars;
use crate::python::exception::{OVERFLOW_ERROR, VALUE_ERROR};
use crate::python::int::digits;
use crate::python::place::used_up;
use crate::python::repr::plain;
use crate::python::text::{Output, Text};
use crate::python::unicode;

/// A specification: `[[fill]align][sign][z][#][0][width][grouping][.precision][type]`.
struct Spec {
    fill: u32,
    align: u8,
    sign: Option<u8>,
    /// `z`: no negative zero.
    no_negative_zero: bool,
    alternate: bool,
    width: Option<usize>,
    grouping: Option<u8>,
    precision: Option<usize>,
    kind: u32,
}

/// A character that stands for itself in the language.
fn is(point: Option<&u32>, one_of: &[u8]) -> Option<u8> {
    let byte = u8::try_from(*point?).ok()?;
    one_of.contains(&byte).then_some(byte)
}

/// How messages name a type.
fn name(kind: u32) -> String {
    match char::from_u32(kind) {
        Some(letter @ '!'..='\x7f') => letter.into(),
        _ => format!("\\x{kind:x}"),
    }
}

/// A number and how many characters it took.
fn number(points: &[u32]) -> Result<(Option<usize>, usize), String> {
    let (mut value, mut len) = (None, 0);
    while let Some(digit) = points.get(len).and_then(|point| unicode::decimal(*point)) {
        let next = value.unwrap_or(0_i64).checked_mul(10).and_then(|v| v.checked_add(digit.into()));
        value = Some(next.ok_or("Too many decimal digits in format string")?);
        len += 1;
    }
    Ok((value.map(|value| value as usize), len))
}

impl Spec {
    /// For an object of a type, which has a type of presentation unless another is given.
    fn parse(text: &[u32], object: &str, kind: u8) -> Result<Self, String> {
        let mut align = if kind == b's' { b'<' } else { b'>' };
        let mut fill = None;
        let mut at = 0;
        let mut aligned = false;
        if let Some(token) = is(text.get(1), b"<>=^") {
            (fill, align, aligned, at) = (Some(text[0]), token, true, 2);
        } else if let Some(token) = is(text.first(), b"<>=^") {
            (align, aligned, at) = (token, true, 1);
        }
        let take = |at: &mut usize, one_of| {
            let token = is(text.get(*at), one_of);
            *at += usize::from(token.is_some());
            token
        };
        let sign = take(&mut at, b" +-");
        let no_negative_zero = take(&mut at, b"z").is_some();
        let alternate = take(&mut at, b"#").is_some();
        if fill.is_none() && take(&mut at, b"0").is_some() {
            fill = Some(b'0'.into());
            if !aligned && align == b'>' {
                align = b'=';
            }
        }
        let (width, len) = number(&text[at..])?;
        at += len;
        let mut grouping = take(&mut at, b",");
        if take(&mut at, b"_").is_some() {
            if grouping.is_some() {
                return Err("Cannot specify both ',' and '_'.".into());
            }
            grouping = Some(b'_');
        }
        if grouping == Some(b'_') && take(&mut at, b",").is_some() {
            return Err("Cannot specify both ',' and '_'.".into());
        }
        let mut precision = None;
        if take(&mut at, b".").is_some() {
            let (value, len) = number(&text[at..])?;
            precision = Some(value.ok_or("Format specifier missing precision")?);
            at += len;
        }
        let kind = match text[at..] {
            [] => kind.into(),
            [kind] => kind,
            _ => {
                let mut shown = Vec::new();
                text.iter().for_each(|point| chars::push(&mut shown, *point));
                let shown = plain(&shown);
                let message = format!("Invalid format specifier '{shown}' for object of type");
                return Err(format!("{message} '{object}'"));
            }
        };
        if let Some(separator) = grouping {
            let letters: &[u8] = if separator == b'_' { b"deEfFgG%boxX" } else { b"deEfFgG%" };
            if is(Some(&kind), letters).is_none() {
                let separator = char::from(separator);
                return Err(format!("Cannot specify '{separator}' with '{}'.", name(kind)));
            }
        }
        let fill = fill.unwrap_or(b' '.into());
        Ok(Self {
            fill,
            align,
            sign,
            no_negative_zero,
            alternate,
            width,
            grouping,
            precision,
            kind,
        })
    }

    /// Characters to fill with, in front and behind.
    fn padding(&self, len: usize) -> (usize, usize) {
        let more = self.width.unwrap_or(0).saturating_sub(len);
        match self.align {
            b'<' => (0, more),
            b'^' => (more / 2, more - more / 2),
            _ => (more, 0),
        }
    }
}

/// Digits with zeros in front up to a width, and separators between groups.
fn grouped(digits: &str, width: usize, separator: Option<(u8, usize)>) -> Vec<u8> {
    let Some((separator, group)) = separator else {
        let zeros = width.saturating_sub(digits.len());
        return [&vec![b'0'; zeros], digits.as_bytes()].concat();
    };
    let mut made = Vec::new();
    let mut rest = digits.bytes().rev().peekable();
    while rest.peek().is_some() || made.len() < width {
        if made.len() % (group + 1) == group {
            // A separator in front of what is only filled up counts as well.
            made.push(separator);
        }
        made.push(rest.next().unwrap_or(b'0'));
    }
    made.reverse();
    made
}

/// What an int looks like: sign and prefix, digits or a character.
fn int_parts(spec: &Spec, value: i128, room: usize) -> Result<(String, Vec<u8>), Failure> {
    let refuse = |message: &str| Err(Failure::Value(message.into()));
    if spec.precision.is_some() {
        return refuse("Precision not allowed in integer format specifier");
    }
    if spec.no_negative_zero {
        return refuse("Negative zero coercion (z) not allowed in integer format specifier");
    }
    let kind = is(Some(&spec.kind), b"cbodxXn").unwrap_or(b'd');
    if kind == b'c' {
        if spec.sign.is_some() {
            return refuse("Sign not allowed with integer format specifier 'c'");
        }
        if spec.alternate {
            return refuse("Alternate form (#) not allowed with integer format specifier 'c'");
        }
        let point = u32::try_from(value).ok().filter(|point| *point < 0x11_0000);
        let point = point.ok_or(Failure::Overflow("%c arg not in range(0x110000)"))?;
        return Ok((String::new(), chars::encoded(point, &mut [0; 4]).to_vec()));
    }
    let (base, prefix) = match kind {
        b'b' => (2, "0b"),
        b'o' => (8, "0o"),
        b'x' => (16, "0x"),
        b'X' => (16, "0X"),
        _ => (10, ""),
    };
    let mut front = match spec.sign {
        _ if value < 0 => "-",
        Some(b'+') => "+",
        Some(b' ') => " ",
        _ => "",
    }
    .to_owned();
    if spec.alternate {
        front.push_str(prefix);
    }
    let mut text = digits(value.unsigned_abs() as u64, base);
    if kind == b'X' {
        text.make_ascii_uppercase();
    }
    let zeros = spec.fill == u32::from(b'0') && spec.align == b'=';
    let width = if zeros { spec.width.unwrap_or(0).saturating_sub(front.len()) } else { 0 };
    if width > room {
        return Err(Failure::Memory);
    }
    let group = if base == 10 { 3 } else { 4 };
    let separator = spec.grouping.map(|separator| (separator, group));
    Ok((front, grouped(&text, width, separator)))
}

/// Why there is no text.
enum Failure {
    Value(String),
    Overflow(&'static str),
    Memory,
    /// Of a float, which there are none of.
    Float,
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Value(message)
    }
}

/// An unknown type of presentation.
fn unknown(kind: u32, object: &str) -> Failure {
    Failure::Value(format!("Unknown format code '{}' for object of type '{object}'", name(kind)))
}

fn format_int(value: i128, spec: &[u32], room: usize) -> Result<Output, Failure> {
    let memory = |_| Failure::Memory;
    let spec = Spec::parse(spec, "int", b'd')?;
    match is(Some(&spec.kind), b"bcdoxXneEfFgG%") {
        None => return Err(unknown(spec.kind, "int")),
        Some(b'e' | b'E' | b'f' | b'F' | b'g' | b'G' | b'%') => return Err(Failure::Float),
        Some(_) => {}
    }
    let (front, body) = int_parts(&spec, value, room)?;
    let fill = chars::encoded(spec.fill, &mut [0; 4]).to_vec();
    let (before, behind) = spec.padding(front.len() + chars::count(&body));
    let mut out = Output::new(room);
    let inside = spec.align == b'=';
    if !inside {
        out.repeat(&fill, before).map_err(memory)?;
    }
    out.push(front.as_bytes()).map_err(memory)?;
    if inside {
        out.repeat(&fill, before).map_err(memory)?;
    }
    out.push(&body).map_err(memory)?;
    out.repeat(&fill, behind).map_err(memory)?;
    Ok(out)
}

fn format_str(text: Text<'_>, spec: &[u32], room: usize) -> Result<Output, Failure> {
    let memory = |_| Failure::Memory;
    let spec = Spec::parse(spec, "str", b's')?;
    if spec.kind != u32::from(b's') {
        return Err(unknown(spec.kind, "str"));
    }
    for (is_there, message) in [
        (spec.sign == Some(b' '), "Space not allowed in string format specifier"),
        (spec.sign.is_some(), "Sign not allowed in string format specifier"),
        (
            spec.no_negative_zero,
            "Negative zero coercion (z) not allowed in string format specifier",
        ),
        (spec.alternate, "Alternate form (#) not allowed in string format specifier"),
        (spec.align == b'=', "'=' alignment not allowed in string format specifier"),
    ] {
        if is_there {
            return Err(Failure::Value(message.into()));
        }
    }
    let part = match spec.precision {
        Some(most) => text.part(0..text.offset(most)),
        None => text,
    };
    let (before, behind) = spec.padding(part.len());
    let fill = chars::encoded(spec.fill, &mut [0; 4]).to_vec();
    let mut out = Output::new(room);
    out.repeat(&fill, before).map_err(memory)?;
    out.push(part.bytes).map_err(memory)?;
    out.repeat(&fill, behind).map_err(memory)?;
    Ok(out)
}

/// Give a text, or say why there is none.
fn give(call: &mut Call<'_>, made: Result<Output, Failure>) -> Reply {
    match made {
        Ok(made) => {
            let word = call.give_str(&made.bytes)?;
            call.give(call.args[2], &[word])
        }
        Err(Failure::Value(message)) => Err(call.raised(VALUE_ERROR, message)),
        Err(Failure::Overflow(message)) => Err(call.raised(OVERFLOW_ERROR, message)),
        Err(Failure::Memory) => Err(used_up()),
        Err(Failure::Float) => {
            let reason = "an int is to be formatted as a float, which compiled scripts do not have";
            Err(Instead::Other(Outcome::Trap(reason.into())))
        }
    }
}

/// Of a number that is in its word already.
fn number_as(call: &mut Call<'_>, value: i128) -> Reply {
    let spec = call.args[1];
    let room = call.guest.room();
    let spec = Text::new::<true>(call.guest.input(), "spec", spec)?;
    call.fuel += 4 * spec.bytes.len() as u64;
    let made = format_int(value, &chars::all(spec.bytes).collect::<Vec<_>>(), room);
    give(call, made)
}

pub(crate) fn int(call: &mut Call<'_>) -> Reply {
    number_as(call, (call.args[0] as i64).into())
}

/// Of an integer that has no sign, which some results of C have.
pub(crate) fn uint(call: &mut Call<'_>) -> Reply {
    number_as(call, call.args[0].into())
}

pub(crate) fn str(call: &mut Call<'_>) -> Reply {
    let [word, spec, ..] = call.args;
    let room = call.guest.room();
    let input = call.guest.input();
    let text = Text::new::<true>(input, "s", word)?;
    let spec = Text::new::<true>(input, "spec", spec)?;
    call.fuel += text.fuel() + 4 * spec.bytes.len() as u64;
    if spec.bytes.is_empty() {
        return call.give(call.args[2], &[word]);
    }
    let made = format_str(text, &chars::all(spec.bytes).collect::<Vec<_>>(), room);
    give(call, made)
}
