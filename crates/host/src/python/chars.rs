//! Characters of a str: UTF-8 in which lone surrogates have three bytes like their neighbours.
//!
//! Bytes that are not valid, which only a hostile object has, count as some character or other.

/// What stands for bytes that are no character.
const REPLACEMENT: u32 = 0xfffd;

/// Whether a character begins with this byte.
pub(crate) fn is_start(byte: u8) -> bool {
    byte & 0xc0 != 0x80
}

/// How many characters there are.
pub(crate) fn count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| is_start(**byte)).count()
}

/// Where the nth character begins; behind the last for any that is not there.
pub(crate) fn offset(bytes: &[u8], n: usize) -> usize {
    let starts = bytes.iter().enumerate().filter(|(_, byte)| is_start(**byte));
    starts.map(|(at, _)| at).nth(n).unwrap_or(bytes.len())
}

/// The first character and its length in bytes.
pub(crate) fn first(bytes: &[u8]) -> Option<(u32, usize)> {
    let lead = *bytes.first()?;
    if lead < 0x80 {
        return Some((lead.into(), 1));
    }
    let (more, mut point) = match lead {
        0xc0..=0xdf => (1, u32::from(lead) & 0x1f),
        0xe0..=0xef => (2, u32::from(lead) & 0x0f),
        0xf0..=0xf7 => (3, u32::from(lead) & 0x07),
        _ => return Some((REPLACEMENT, 1)),
    };
    for at in 1..=more {
        match bytes.get(at) {
            Some(byte) if !is_start(*byte) => point = point << 6 | u32::from(byte & 0x3f),
            _ => return Some((REPLACEMENT, at)),
        }
    }
    Some((if point > 0x10_ffff { REPLACEMENT } else { point }, more + 1))
}

/// The last character and its length in bytes.
pub(crate) fn last(bytes: &[u8]) -> Option<(u32, usize)> {
    let tail = &bytes[bytes.len().saturating_sub(4)..];
    let start = tail.iter().rposition(|byte| is_start(*byte)).unwrap_or(tail.len().checked_sub(1)?);
    Some((first(&tail[start..])?.0, tail.len() - start))
}

/// All characters.
pub(crate) fn all(mut bytes: &[u8]) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        let (point, len) = first(bytes)?;
        bytes = &bytes[len..];
        Some(point)
    })
}

/// The bytes of a character.
pub(crate) fn encoded(point: u32, buffer: &mut [u8; 4]) -> &[u8] {
    let tail = |shift: u32| 0x80 | (point >> shift & 0x3f) as u8;
    let len = match point {
        0..0x80 => {
            buffer[0] = point as u8;
            1
        }
        0x80..0x800 => {
            buffer[..2].copy_from_slice(&[0xc0 | (point >> 6) as u8, tail(0)]);
            2
        }
        0x800..0x1_0000 => {
            buffer[..3].copy_from_slice(&[0xe0 | (point >> 12) as u8, tail(6), tail(0)]);
            3
        }
        _ => {
            *buffer = [0xf0 | (point >> 18 & 7) as u8, tail(12), tail(6), tail(0)];
            4
        }
    };
    &buffer[..len]
}

/// Add a character.
pub(crate) fn push(out: &mut Vec<u8>, point: u32) {
    out.extend_from_slice(encoded(point, &mut [0; 4]));
}
