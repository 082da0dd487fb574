//! What all characters of a text are.

use crate::guest::{Call, Instead, Reply};
use crate::python::chars;
use crate::python::text::Text;
use crate::python::unicode;

/// Of a call, paid for.
fn own<'m, const KIND: bool>(call: &'m mut Call<'_>) -> Result<Text<'m>, Instead> {
    let text = Text::new::<KIND>(call.guest.input(), "s", call.args[0])?;
    call.fuel += text.fuel();
    Ok(text)
}

/// Whether there is something, and each character passes.
fn every<const KIND: bool>(
    call: &mut Call<'_>,
    narrow: fn(u8) -> bool,
    wide: fn(u32) -> bool,
) -> Reply {
    let text = own::<KIND>(call)?;
    let passes = match text.wide {
        true => chars::all(text.bytes).all(wide),
        false => text.bytes.iter().all(|byte| narrow(*byte)),
    };
    Ok((passes && !text.bytes.is_empty()).into())
}

pub(crate) fn isalpha<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    every::<KIND>(call, |byte| byte.is_ascii_alphabetic(), unicode::is_alpha)
}

pub(crate) fn isalnum<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    every::<KIND>(call, |byte| byte.is_ascii_alphanumeric(), unicode::is_alnum)
}

pub(crate) fn isdigit<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    every::<KIND>(call, |byte| byte.is_ascii_digit(), unicode::is_digit)
}

pub(crate) fn isdecimal(call: &mut Call<'_>) -> Reply {
    every::<true>(call, |byte| byte.is_ascii_digit(), unicode::is_decimal)
}

pub(crate) fn isnumeric(call: &mut Call<'_>) -> Reply {
    every::<true>(call, |byte| byte.is_ascii_digit(), unicode::is_numeric)
}

pub(crate) fn isspace<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let narrow: fn(u8) -> bool = match KIND {
        true => |byte| unicode::is_space(byte.into()),
        false => |byte| matches!(byte, 0x09..=0x0d | 0x20),
    };
    every::<KIND>(call, narrow, unicode::is_space)
}

pub(crate) fn isascii<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    Ok(own::<KIND>(call)?.bytes.is_ascii().into())
}

pub(crate) fn isprintable(call: &mut Call<'_>) -> Reply {
    let text = own::<true>(call)?;
    Ok(chars::all(text.bytes).all(unicode::is_printable).into())
}

pub(crate) fn isidentifier(call: &mut Call<'_>) -> Reply {
    let mut points = chars::all(own::<true>(call)?.bytes);
    let begins = points.next().is_some_and(unicode::begins_identifier);
    Ok((begins && points.all(unicode::continues_identifier)).into())
}

/// What case a character has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Upper,
    Lower,
    Title,
    None,
}

/// The cases of all characters; those of bytes are ASCII's.
fn cases(text: Text<'_>) -> impl Iterator<Item = Case> {
    let case = move |point: u32| match point {
        0x41..=0x5a => Case::Upper,
        0x61..=0x7a => Case::Lower,
        _ if point < 0x80 || !text.wide => Case::None,
        _ if unicode::is_title(point) => Case::Title,
        _ if unicode::is_upper(point) => Case::Upper,
        _ if unicode::is_lower(point) => Case::Lower,
        _ => Case::None,
    };
    let (wide, narrow) = if text.wide { (text.bytes, &[][..]) } else { (&[][..], text.bytes) };
    chars::all(wide).chain(narrow.iter().map(|byte| u32::from(*byte))).map(case)
}

/// Whether there is a letter of one case and none of the others.
fn only<const KIND: bool>(call: &mut Call<'_>, wanted: Case) -> Reply {
    let mut cased = false;
    for case in cases(own::<KIND>(call)?) {
        if case != wanted && case != Case::None {
            return Ok(0);
        }
        cased |= case == wanted;
    }
    Ok(cased.into())
}

pub(crate) fn isupper<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    only::<KIND>(call, Case::Upper)
}

pub(crate) fn islower<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    only::<KIND>(call, Case::Lower)
}

pub(crate) fn istitle<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let (mut cased, mut inside) = (false, false);
    for case in cases(own::<KIND>(call)?) {
        match case {
            Case::Upper | Case::Title if inside => return Ok(0),
            Case::Lower if !inside => return Ok(0),
            _ => inside = case != Case::None,
        }
        cased |= inside;
    }
    Ok(cased.into())
}
