//! Byte ranges (RFC 9110, section 14).

/// Most ranges answered in one response; a request for more gets the whole file.
pub const MAX_RANGES: usize = 16;

/// A part of a representation: first byte and length, never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Position of the first byte.
    pub start: u64,
    /// Bytes, at least 1.
    pub len: u64,
}

/// What a Range field asks of a representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The field does not apply: answer as if it were not there.
    Whole,
    /// One part.
    One(Part),
    /// Several parts that do not touch, in the order asked for.
    Many(Vec<Part>),
    /// Nothing of what is asked exists: 416.
    Nothing,
}

/// Apply a Range field to a representation of `size` bytes.
pub fn apply(value: &[u8], size: u64) -> Asked {
    let Some(specs) = after_unit(value) else { return Asked::Whole };
    let mut parts = Vec::new();
    let mut count = 0;
    for spec in specs.split(|&b| b == b',') {
        let spec = spec.trim_ascii();
        // Empty list members are allowed (RFC 9110, section 5.6.1.2).
        if spec.is_empty() {
            continue;
        }
        count += 1;
        match part_of(spec, size) {
            None => return Asked::Whole,
            Some(None) => {}
            Some(Some(part)) => parts.push(part),
        }
    }
    if count == 0 || count > MAX_RANGES {
        return Asked::Whole;
    }
    coalesce(&mut parts);
    match parts.as_slice() {
        [] => Asked::Nothing,
        [part] => Asked::One(*part),
        _ => Asked::Many(parts),
    }
}

fn after_unit(value: &[u8]) -> Option<&[u8]> {
    let (unit, specs) = value.split_at(value.iter().position(|&b| b == b'=')?);
    unit.eq_ignore_ascii_case(b"bytes").then(|| &specs[1..])
}

/// `None` for bad syntax, `Some(None)` for a range that lies past the end.
fn part_of(spec: &[u8], size: u64) -> Option<Option<Part>> {
    let dash = spec.iter().position(|&b| b == b'-')?;
    let (first, last) = (&spec[..dash], &spec[dash + 1..]);
    if first.is_empty() {
        let asked = number(last)?;
        if size == 0 && asked > 0 {
            // Satisfiable by the empty whole (RFC 9110, section 14.1.2), which no Content-Range
            // can express.
            return None;
        }
        let len = asked.min(size);
        return Some((len > 0).then(|| Part { start: size - len, len }));
    }
    let first = number(first)?;
    let last = if last.is_empty() { u64::MAX } else { number(last)? };
    if last < first {
        return None;
    }
    if first >= size {
        return Some(None);
    }
    // An end past the file is clipped.
    Some(Some(Part { start: first, len: last.min(size - 1) - first + 1 }))
}

/// Digits; a number too large for 64 bits is past every end all the same.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add =
        |value: u64, &digit: &u8| value.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(digits.iter().fold(0, add))
}

/// Join parts that overlap or touch, so that no byte is sent twice; the order stays otherwise.
fn coalesce(parts: &mut Vec<Part>) {
    let mut sorted = parts.clone();
    sorted.sort_by_key(|part| part.start);
    let mut joined: Vec<Part> = Vec::with_capacity(sorted.len());
    for part in sorted {
        match joined.last_mut() {
            Some(last) if part.start <= last.start + last.len => {
                last.len = last.len.max(part.start + part.len - last.start);
            }
            _ => joined.push(part),
        }
    }
    if joined.len() < parts.len() {
        *parts = joined;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn one(start: u64, len: u64) -> Asked {
        Asked::One(Part { start, len })
    }

    #[test]
    fn ranges() {
        let many = |parts: &[(u64, u64)]| {
            Asked::Many(parts.iter().map(|&(start, len)| Part { start, len }).collect())
        };
        for (value, expected) in [
            ("bytes=0-0", one(0, 1)),
            ("bytes=2-4", one(2, 3)),
            ("BYTES=2-", one(2, 8)),
            ("bytes=-3", one(7, 3)),
            ("bytes=-100", one(0, 10)),
            ("bytes=5-99999999999999999999999", one(5, 5)),
            ("bytes=-0", Asked::Nothing),
            ("bytes=10-", Asked::Nothing),
            ("bytes=99999999999999999999999-", Asked::Nothing),
            ("bytes=4-2", Asked::Whole),
            ("bytes=", Asked::Whole),
            ("bytes", Asked::Whole),
            ("lines=0-1", Asked::Whole),
            ("bytes=a-b", Asked::Whole),
            ("bytes=0-1,x", Asked::Whole),
            ("bytes= 0-1 , 3-4", many(&[(0, 2), (3, 2)])),
            ("bytes=7-8,0-1", many(&[(7, 2), (0, 2)])),
            ("bytes=0-3,2-5", one(0, 6)),
            ("bytes=0-1,2-3", one(0, 4)),
            ("bytes=0-0,50-60", one(0, 1)),
        ] {
            assert_eq!(apply(value.as_bytes(), 10), expected, "{value}");
        }
        assert_eq!(apply(b"bytes=0-", 0), Asked::Nothing);
        assert_eq!(apply(b"bytes=-1", 0), Asked::Whole);
        let many = (0..17).map(|i| format!("{}-{}", i * 2, i * 2)).collect::<Vec<_>>().join(",");
        assert_eq!(apply(format!("bytes={many}").as_bytes(), 100), Asked::Whole);
    }

    proptest! {
        #[test]
        fn parts_lie_inside_and_apart(
            specs in prop::collection::vec((0u64..30, prop::option::of(0u64..30)), 1..20),
            size in 0u64..25,
        ) {
            let text: Vec<String> = specs
                .iter()
                .map(|(a, b)| format!("{a}-{}", b.map_or(String::new(), |b| b.to_string())))
                .collect();
            if let Asked::Many(mut parts) = apply(format!("bytes={}", text.join(",")).as_bytes(), size) {
                prop_assert!(parts.len() >= 2 && parts.len() <= MAX_RANGES);
                parts.sort_by_key(|part| part.start);
                for pair in parts.windows(2) {
                    prop_assert!(pair[0].start + pair[0].len < pair[1].start);
                }
                prop_assert!(parts.iter().all(|p| p.len > 0 && p.start + p.len <= size));
            }
        }

        #[test]
        fn any_bytes_are_fine(value in prop::collection::vec(any::<u8>(), 0..40), size: u64) {
            apply(&value, size);
        }
    }
}
