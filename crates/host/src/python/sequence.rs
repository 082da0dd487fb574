//! What text and lists have as sequences: comparing, indexing, slicing.

use zeroserve_vm::limits::BUDGET_FUEL;

use crate::Outcome;
use crate::guest::{Call, Input, Instead, Reply, copying};
use crate::python::chars;
use crate::python::exception::{INDEX_ERROR, TYPE_ERROR, VALUE_ERROR};
use crate::python::place::refused;
use crate::python::text::{Output, Text, Words};
use crate::python::word::{List, PyBytes};

/// A bound of a slice that is not there.
const ABSENT: i64 = i64::MIN;

/// Whether two str or two bytes are equal; None is equal to itself alone.
fn are_equal(input: Input<'_>, names: [&str; 2], a: u64, b: u64) -> Result<bool, Instead> {
    if a == b || a == 0 || b == 0 || a >> 32 != b >> 32 {
        return Ok(a == b || (a != 0 && b != 0 && a >> 32 == b >> 32));
    }
    Ok(input.content(names[0], a)? == input.content(names[1], b)?)
}

pub(crate) fn eq(call: &mut Call<'_>) -> Reply {
    let [a, b, ..] = call.args;
    call.fuel += copying(PyBytes::unpack(a).len as usize);
    Ok(are_equal(call.guest.input(), ["a", "b"], a, b)?.into())
}

/// The order of bytes is that of characters.
pub(crate) fn cmp(call: &mut Call<'_>) -> Reply {
    let [a, b, ..] = call.args;
    let input = call.guest.input();
    let (a, b) = (input.content("a", a)?, input.content("b", b)?);
    call.fuel += copying(a.len().min(b.len()));
    Ok(a.cmp(b) as i64 as u64)
}

pub(crate) fn len(call: &mut Call<'_>) -> Reply {
    let text = Text::new::<true>(call.guest.input(), "s", call.args[0])?;
    call.fuel += copying(text.bytes.len());
    Ok(text.len() as u64)
}

pub(crate) fn str_at(call: &mut Call<'_>) -> Reply {
    let [word, index, out, ..] = call.args;
    let text = Text::new::<true>(call.guest.input(), "s", word)?;
    if text.wide {
        call.fuel += text.fuel();
    }
    match text.element(index as i64) {
        Some(range) => {
            let piece = text.piece(range);
            call.give(out, &[piece])
        }
        None => Err(call.raised(INDEX_ERROR, "string index out of range")),
    }
}

pub(crate) fn bytes_at(call: &mut Call<'_>) -> Reply {
    let [word, index, out, ..] = call.args;
    let text = Text::new::<false>(call.guest.input(), "b", word)?;
    match text.element(index as i64) {
        Some(range) => {
            let byte = text.bytes[range.start];
            call.give(out, &[byte.into()])
        }
        None => Err(call.raised(INDEX_ERROR, "index out of range")),
    }
}

/// The first index of a slice, and how many there are.
fn bounds(len: usize, start: i64, stop: i64, step: i64) -> (usize, usize) {
    let len = len as i64;
    let (lowest, highest) = if step < 0 { (-1, len - 1) } else { (0, len) };
    let adjusted = |bound: i64| {
        let bound = if bound < 0 { bound.saturating_add(len) } else { bound };
        bound.clamp(lowest, highest)
    };
    let (first, last) = if step < 0 { (highest, lowest) } else { (lowest, highest) };
    let start = if start == ABSENT { first } else { adjusted(start) };
    let stop = if stop == ABSENT { last } else { adjusted(stop) };
    let (distance, step) = match step < 0 {
        true => (start - stop, step.unsigned_abs()),
        false => (stop - start, step.unsigned_abs()),
    };
    if distance <= 0 {
        return (0, 0);
    }
    (start as usize, ((distance as u64 - 1) / step.max(1) + 1) as usize)
}

/// The indices of a slice: each lies inside.
fn indices(len: usize, start: i64, stop: i64, step: i64) -> impl ExactSizeIterator<Item = usize> {
    let (first, count) = bounds(len, start, stop, step);
    (0..count).map(move |n| (first as i64).wrapping_add((n as i64).wrapping_mul(step)) as usize)
}

pub(crate) fn slice<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let [word, start, stop, step, out] = call.args;
    let (start, stop, step) = (start as i64, stop as i64, step as i64);
    let room = call.guest.room();
    let text = Text::new::<KIND>(call.guest.input(), "s", word)?;
    if step == 0 {
        return Err(call.raised(VALUE_ERROR, "slice step cannot be zero"));
    }
    if text.wide {
        call.fuel += text.fuel();
    }
    let len = text.len();
    if step == 1 {
        let (first, count) = bounds(len, start, stop, step);
        let from = text.offset(first);
        let to = match text.wide {
            true => from + chars::offset(&text.bytes[from..], count),
            false => from + count,
        };
        let piece = text.piece(from..to);
        return call.give(out, &[piece]);
    }
    let chosen = indices(len, start, stop, step);
    call.fuel += chosen.len() as u64;
    let mut made = Output::new(room);
    if text.wide {
        let starts = text.bytes.iter().enumerate().filter(|(_, byte)| chars::is_start(**byte));
        let starts: Vec<u32> = starts.map(|(at, _)| at as u32).collect();
        for index in chosen {
            if let Some((point, _)) = chars::first(&text.bytes[starts[index] as usize..]) {
                made.point(point)?;
            }
        }
    } else {
        for index in chosen {
            made.push(&text.bytes[index..=index])?;
        }
    }
    let word = call.give_text::<KIND>(&made.bytes)?;
    call.give(out, &[word])
}

/// The step is never 0: whoever calls this has looked.
pub(crate) fn list_slice(call: &mut Call<'_>) -> Reply {
    let [list, start, stop, step, each] = call.args;
    if step == 0 || !(1..=64).contains(&each) {
        return Err(refused(call.guest.helper, "step or each", step));
    }
    let room = call.guest.room();
    let words: Vec<u64> = call.guest.input().words("list", list, each)?.collect();
    let len = List::unpack(list).count as usize;
    let chosen = indices(len, start as i64, stop as i64, step as i64);
    call.fuel += (len + chosen.len()) as u64 * each;
    let each = each as usize;
    let mut made = Words::new(room);
    for index in chosen {
        for word in &words[index * each..][..each] {
            made.push(*word)?;
        }
    }
    call.guest.new_list(&made.list, each)
}

pub(crate) fn list_contains(call: &mut Call<'_>) -> Reply {
    let [list, item, ..] = call.args;
    let input = call.guest.input();
    for word in input.words("list", list, 1)? {
        call.fuel += 1;
        if word >> 32 == item >> 32 {
            call.fuel += copying(PyBytes::unpack(item).len as usize);
        }
        if are_equal(input, ["list", "item"], word, item)? {
            return Ok(1);
        }
        // What all scripts of a request may use: nothing is left to go on with.
        if call.fuel > BUDGET_FUEL {
            let reason = format!("used up its budget of {BUDGET_FUEL} fuel");
            return Err(Instead::Other(Outcome::Trap(reason)));
        }
    }
    Ok(0)
}

pub(crate) fn bytes_contains_int(call: &mut Call<'_>) -> Reply {
    let [word, number, out, ..] = call.args;
    let bytes = call.guest.input().content("b", word)?;
    call.fuel += copying(bytes.len());
    let Ok(byte) = u8::try_from(number as i64) else {
        return Err(call.raised(VALUE_ERROR, "byte must be in range(0, 256)"));
    };
    let found = memchr::memchr(byte, bytes).is_some();
    call.give(out, &[found.into()])
}

pub(crate) fn ord<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let [word, out, ..] = call.args;
    let text = Text::new::<KIND>(call.guest.input(), "c", word)?;
    let only = match text.wide {
        true => chars::first(text.bytes),
        false => text.bytes.first().map(|byte| (u32::from(*byte), 1)),
    };
    match only {
        Some((point, len)) if len == text.bytes.len() => call.give(out, &[point.into()]),
        _ => {
            let len = text.len();
            call.fuel += copying(text.bytes.len());
            let message = format!("ord() expected a character, but string of length {len} found");
            Err(call.raised(TYPE_ERROR, message))
        }
    }
}

pub(crate) fn chr(call: &mut Call<'_>) -> Reply {
    let [number, out, ..] = call.args;
    let message = "chr() arg not in range(0x110000)";
    match u32::try_from(number as i64) {
        Ok(point) if point < 0x11_0000 => {
            let word = call.guest.new_str(chars::encoded(point, &mut [0; 4]))?;
            call.give(out, &[word])
        }
        _ if i32::try_from(number as i64).is_ok() => Err(call.raised(VALUE_ERROR, message)),
        // Some versions of CPython raise OverflowError, others ValueError.
        _ => Err(Instead::Other(Outcome::Trap(format!("ValueError: {message}")))),
    }
}
