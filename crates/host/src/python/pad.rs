//! Text made longer: by padding, by tabs, by itself.

use crate::Outcome;
use crate::guest::{Call, Instead, Reply};
use crate::python::exception::TYPE_ERROR;
use crate::python::text::{Output, Text};

pub(crate) fn zfill<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let [word, width, ..] = call.args;
    let room = call.guest.room();
    let text = Text::new::<KIND>(call.guest.input(), "s", word)?;
    call.fuel += text.fuel();
    let fill = (width as i64).saturating_sub(text.len() as i64);
    if fill <= 0 {
        return Ok(word);
    }
    let sign = usize::from(matches!(text.bytes.first(), Some(b'+' | b'-')));
    let mut out = Output::new(room);
    out.push(&text.bytes[..sign])?;
    out.repeat(b"0", fill as usize)?;
    out.push(&text.bytes[sign..])?;
    call.give_text::<KIND>(&out.bytes)
}

/// Where the text stands in what is wider than it.
#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
    Middle,
}

fn padded<const KIND: bool>(call: &mut Call<'_>, name: &str, side: Side) -> Reply {
    let [word, width, fill, out, _] = call.args;
    let room = call.guest.room();
    let input = call.guest.input();
    let text = Text::new::<KIND>(input, "s", word)?;
    let fill = Text::new::<KIND>(input, "fillchar", fill)?;
    call.fuel += text.fuel() + fill.fuel();
    if fill.len() != 1 {
        let bytes = format!("{name}() argument 2 must be a byte string of length 1, not bytes");
        let text = "The fill character must be exactly one character long".to_owned();
        return Err(call.raised(TYPE_ERROR, if KIND { text } else { bytes }));
    }
    let more = (width as i64).saturating_sub(text.len() as i64);
    if more <= 0 {
        return call.give(out, &[word]);
    }
    let left = match side {
        Side::Left => 0,
        Side::Right => more,
        // What is odd goes to the left only when the width is odd too.
        Side::Middle => more / 2 + (more & width as i64 & 1),
    };
    let mut made = Output::new(room);
    made.repeat(fill.bytes, left as usize)?;
    made.push(text.bytes)?;
    made.repeat(fill.bytes, (more - left) as usize)?;
    let word = call.give_text::<KIND>(&made.bytes)?;
    call.give(out, &[word])
}

pub(crate) fn ljust<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    padded::<KIND>(call, "ljust", Side::Left)
}

pub(crate) fn rjust<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    padded::<KIND>(call, "rjust", Side::Right)
}

pub(crate) fn center<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    padded::<KIND>(call, "center", Side::Middle)
}

pub(crate) fn expandtabs<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let [word, size, ..] = call.args;
    let room = call.guest.room();
    let text = Text::new::<KIND>(call.guest.input(), "s", word)?;
    call.fuel += 2 * text.fuel();
    let Ok(size) = i32::try_from(size as i64) else {
        let reason = "OverflowError: Python int too large to convert to C int";
        return Err(Instead::Other(Outcome::Trap(reason.into())));
    };
    let size = usize::try_from(size).unwrap_or(0);
    let mut out = Output::new(room);
    let (mut column, mut from) = (0, 0);
    for (at, byte) in text.bytes.iter().enumerate() {
        match byte {
            b'\t' => {
                out.push(&text.bytes[from..at])?;
                from = at + 1;
                let more = if size == 0 { 0 } else { size - column % size };
                out.repeat(b" ", more)?;
                column += more;
            }
            b'\r' | b'\n' => column = 0,
            _ => column += usize::from(!text.wide || crate::python::chars::is_start(*byte)),
        }
    }
    if from == 0 {
        return Ok(word);
    }
    out.push(&text.bytes[from..])?;
    call.give_text::<KIND>(&out.bytes)
}

pub(crate) fn repeat<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let [word, times, ..] = call.args;
    let room = call.guest.room();
    let text = Text::new::<KIND>(call.guest.input(), "s", word)?;
    let times = usize::try_from(times as i64).unwrap_or(0);
    if times == 1 {
        return Ok(word);
    }
    let mut out = Output::new(room);
    out.repeat(text.bytes, times)?;
    call.give_text::<KIND>(&out.bytes)
}
