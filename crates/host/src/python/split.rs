//! Taking text apart and putting it together.

use memchr::memmem;

use crate::guest::{Call, Guest, Input, Instead, Reply, copying};
use crate::python::chars;
use crate::python::exception::VALUE_ERROR;
use crate::python::place::used_up;
use crate::python::text::{Text, Words};
use crate::python::word::PyStr;

/// Characters or bytes that are stripped.
struct Set {
    /// By their numbers.
    first: [bool; 256],
    /// The others in order.
    points: Vec<u32>,
}

impl Set {
    fn new(text: Text<'_>) -> Self {
        let (mut first, mut points) = ([false; 256], Vec::new());
        let mut add = |point: u32| match first.get_mut(point as usize) {
            Some(place) => *place = true,
            None => points.push(point),
        };
        match text.wide {
            true => chars::all(text.bytes).for_each(add),
            false => text.bytes.iter().for_each(|byte| add(u32::from(*byte))),
        }
        points.sort_unstable();
        Self { first, points }
    }

    fn has(&self, point: u32) -> bool {
        match self.first.get(point as usize) {
            Some(is_there) => *is_there,
            None => self.points.binary_search(&point).is_ok(),
        }
    }
}

/// What is left without what is stripped on the sides that are named.
fn stripped<const KIND: bool>(call: &mut Call<'_>, left: bool, right: bool) -> Reply {
    let [text, set, ..] = call.args;
    let input = call.guest.input();
    let text = Text::new::<KIND>(input, "s", text)?;
    let set = match set {
        0 => None,
        word => Some(Text::new::<KIND>(input, "chars", word)?),
    };
    call.fuel += text.fuel() + set.map_or(0, |set| 2 * set.fuel());
    let set = set.map(Set::new);
    let first = |bytes: &[u8]| match &set {
        None => text.space_at(bytes),
        Some(set) => match if text.wide { chars::first(bytes) } else { narrow(bytes.first()) } {
            Some((point, len)) if set.has(point) => len,
            _ => 0,
        },
    };
    let last = |bytes: &[u8]| match &set {
        None => text.space_before(bytes),
        Some(set) => match if text.wide { chars::last(bytes) } else { narrow(bytes.last()) } {
            Some((point, len)) if set.has(point) => len,
            _ => 0,
        },
    };
    let (mut from, mut to) = (0, text.bytes.len());
    while left && from < to {
        match first(&text.bytes[from..to]) {
            0 => break,
            len => from += len,
        }
    }
    while right && from < to {
        match last(&text.bytes[from..to]) {
            0 => break,
            len => to -= len,
        }
    }
    Ok(text.piece(from..to))
}

fn narrow(byte: Option<&u8>) -> Option<(u32, usize)> {
    byte.map(|byte| (u32::from(*byte), 1))
}

pub(crate) fn strip<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    stripped::<KIND>(call, true, true)
}

pub(crate) fn lstrip<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    stripped::<KIND>(call, true, false)
}

pub(crate) fn rstrip<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    stripped::<KIND>(call, false, true)
}

/// Parts between white space.
fn by_space(text: Text<'_>, most: usize, words: &mut Words) -> Result<(), Instead> {
    let (bytes, mut at) = (text.bytes, 0);
    let mut splits = 0;
    loop {
        loop {
            match text.space_at(&bytes[at..]) {
                0 => break,
                len => at += len,
            }
        }
        if at == bytes.len() {
            return Ok(());
        }
        if splits == most {
            return words.push(text.piece(at..bytes.len()));
        }
        let start = at;
        while at < bytes.len() && text.space_at(&bytes[at..]) == 0 {
            at += 1;
        }
        words.push(text.piece(start..at))?;
        splits += 1;
    }
}

/// The same from the end, last part first.
fn by_space_back(text: Text<'_>, most: usize, words: &mut Words) -> Result<(), Instead> {
    let (bytes, mut to) = (text.bytes, text.bytes.len());
    let mut splits = 0;
    loop {
        loop {
            match text.space_before(&bytes[..to]) {
                0 => break,
                len => to -= len,
            }
        }
        if to == 0 {
            return Ok(());
        }
        if splits == most {
            return words.push(text.piece(0..to));
        }
        let end = to;
        while to > 0 && text.space_before(&bytes[..to]) == 0 {
            to -= 1;
        }
        words.push(text.piece(to..end))?;
        splits += 1;
    }
}

fn split_at<const KIND: bool>(call: &mut Call<'_>, back: bool) -> Reply {
    let [text, separator, most, out, _] = call.args;
    let room = call.guest.room();
    let input = call.guest.input();
    let text = Text::new::<KIND>(input, "s", text)?;
    call.fuel += text.fuel();
    let most = usize::try_from(most as i64).unwrap_or(usize::MAX);
    let mut words = Words::new(room);
    if separator == 0 {
        match back {
            false => by_space(text, most, &mut words)?,
            true => by_space_back(text, most, &mut words)?,
        }
    } else {
        let separator = Text::new::<KIND>(input, "sep", separator)?;
        call.fuel += separator.fuel();
        let len = separator.bytes.len();
        if len == 0 {
            return Err(call.raised(VALUE_ERROR, "empty separator"));
        }
        if back {
            let mut to = text.bytes.len();
            let found = memmem::rfind_iter(text.bytes, separator.bytes);
            for at in found.take(most) {
                words.push(text.piece(at + len..to))?;
                to = at;
            }
            words.push(text.piece(0..to))?;
        } else {
            let mut from = 0;
            for at in memmem::find_iter(text.bytes, separator.bytes).take(most) {
                words.push(text.piece(from..at))?;
                from = at + len;
            }
            words.push(text.piece(from..text.bytes.len()))?;
        }
    }
    let mut list = words.list;
    if back {
        list.reverse();
    }
    give_list(call, &list, out)
}

/// A list of words that are paid for, as the result of a helper that may raise.
fn give_list(call: &mut Call<'_>, list: &[u64], out: u64) -> Reply {
    call.fuel += list.len() as u64;
    let word = call.guest.new_list(list, 1)?;
    call.give(out, &[word])
}

pub(crate) fn split<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    split_at::<KIND>(call, false)
}

pub(crate) fn rsplit<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    split_at::<KIND>(call, true)
}

/// Length of the end of a line at the start of some bytes, or 0.
fn line_end(text: Text<'_>, bytes: &[u8]) -> usize {
    match bytes {
        [b'\r', b'\n', ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        [0x0b | 0x0c | 0x1c..=0x1e, ..] if text.is_str => 1,
        [0xc2, 0x85, ..] if text.wide => 2,
        [0xe2, 0x80, 0xa8 | 0xa9, ..] if text.wide => 3,
        _ => 0,
    }
}

pub(crate) fn splitlines<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let [text, keep, ..] = call.args;
    let room = call.guest.room();
    let text = Text::new::<KIND>(call.guest.input(), "s", text)?;
    call.fuel += text.fuel();
    let mut words = Words::new(room);
    let (mut start, mut at) = (0, 0);
    while at < text.bytes.len() {
        let len = line_end(text, &text.bytes[at..]);
        if len == 0 {
            at += 1;
            continue;
        }
        words.push(text.piece(start..if keep != 0 { at + len } else { at }))?;
        at += len;
        start = at;
    }
    if start < text.bytes.len() {
        words.push(text.piece(start..text.bytes.len()))?;
    }
    call.fuel += words.list.len() as u64;
    call.guest.new_list(&words.list, 1)
}

/// The characters of a str.
pub(crate) fn iter(call: &mut Call<'_>) -> Reply {
    let room = call.guest.room();
    let text = Text::new::<true>(call.guest.input(), "s", call.args[0])?;
    call.fuel += 2 * text.bytes.len() as u64;
    let mut words = Words::new(room);
    let mut at = 0;
    while at < text.bytes.len() {
        let len = if text.wide { chars::first(&text.bytes[at..]).map_or(1, |c| c.1) } else { 1 };
        words.push(text.piece(at..at + len))?;
        at += len;
    }
    call.guest.new_list(&words.list, 1)
}

/// Copies of texts one after another with a separator between them.
fn joined<const KIND: bool>(
    guest: &mut Guest<'_>,
    words: &[u64],
    separator: u64,
    fuel: &mut u64,
) -> Reply {
    let between = PyStr::unpack(separator);
    let gaps = words.len().saturating_sub(1) as u64;
    let len = |word: u64| u64::from(PyStr::unpack(word).len);
    let total = words.iter().map(|word| len(*word)).sum::<u64>() + gaps * u64::from(between.len);
    *fuel += words.len() as u64 + copying(usize::try_from(total).unwrap_or(0));
    let address = guest.alloc(total)?;
    let mut to = u64::from(address);
    let mut wide = gaps > 0 && between.wide;
    for (index, word) in words.iter().enumerate() {
        for text in [separator, *word].into_iter().skip(usize::from(index == 0)) {
            let text = PyStr::unpack(text);
            guest.copy(text.address.into(), to, text.len.into())?;
            to += u64::from(text.len);
        }
        wide |= PyStr::unpack(*word).wide;
    }
    Ok(PyStr { address, len: total as u32, wide: KIND && wide }.pack())
}

/// So many words that stand one after another, copied: memory moves on below them.
fn gathered(
    input: Input<'_>,
    argument: &str,
    address: u64,
    count: u64,
) -> Result<Vec<u64>, Instead> {
    let bytes = input.bytes(argument, address, count.checked_mul(8).ok_or_else(used_up)?)?;
    Ok(bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect())
}

pub(crate) fn join<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let [separator, list, ..] = call.args;
    let words: Vec<u64> = call.guest.input().words("iterable", list, 1)?.collect();
    if let [word] = words[..] {
        return Ok(word);
    }
    joined::<KIND>(&mut call.guest, &words, separator, &mut call.fuel)
}

pub(crate) fn concat<const KIND: bool>(call: &mut Call<'_>) -> Reply {
    let [address, count, ..] = call.args;
    let words = gathered(call.guest.input(), "words", address, count)?;
    joined::<KIND>(&mut call.guest, &words, 0, &mut call.fuel)
}
