//! Which requests a stored response is for, by the fields that its Vary names (RFC 9111,
//! section 4.1).

use smallvec::SmallVec;

use super::control::is_token;
use super::key::Fields;

/// Most names of a Vary field; a response with more is not stored.
const MAX_NAMES: usize = 16;

/// Most bytes that the named fields of a request may have together for a response to be stored.
const MAX_VALUES_BYTES: usize = 4 * 1024;

/// Fields that say who asks, and are written on the way: an answer that depends on them is for
/// one client.
const OF_CLIENT: [&str; 3] = ["forwarded", "via", "x-forwarded-for"];

/// Named fields of a request, in the form in which they are compared.
pub(super) type Values = SmallVec<[u8; 256]>;

/// What Vary names, in lower case and in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Names(Box<[Box<str>]>);

impl Names {
    /// Read the lines of Vary; `None` when no request can be known to match.
    pub(super) fn read<'a>(lines: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut names: Vec<Box<str>> = Vec::new();
        for name in lines.flat_map(|line| line.split(|&b| b == b',')).map(<[u8]>::trim_ascii) {
            if name.is_empty() {
                continue;
            }
            if name == b"*" || !is_token(name) {
                return None;
            }
            let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
            if OF_CLIENT.contains(&name.as_str()) {
                return None;
            }
            names.push(name.into());
            if names.len() > MAX_NAMES * 8 {
                return None;
            }
        }
        names.sort_unstable();
        names.dedup();
        (names.len() <= MAX_NAMES).then(|| Self(names.into()))
    }

    /// What a request has for these names.
    pub(super) fn values<'a>(&self, fields: impl Fields<'a>) -> Values {
        let mut values = Values::new();
        for name in &self.0 {
            let start = values.len();
            values.extend_from_slice(&[0; 4]);
            let lines = fields.clone().filter(|(other, _)| other.eq_ignore_ascii_case(name));
            let mut count = 0;
            for (_, value) in lines {
                if count > 0 {
                    values.push(b',');
                }
                normalise(name, value, &mut values);
                count += 1;
            }
            // With its length in front, no value runs into the next one; one that is not there
            // differs from an empty one.
            let len = (values.len() - start - 4) as u32;
            let mark = if count == 0 { u32::MAX } else { len };
            values[start..start + 4].copy_from_slice(&mark.to_le_bytes());
        }
        values
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn weight(&self) -> usize {
        self.0.iter().map(|name| name.len() + size_of::<Box<str>>()).sum()
    }
}

/// Whether a request says so much that nothing is stored for it.
pub(super) fn is_too_long(values: &Values) -> bool {
    values.len() > MAX_VALUES_BYTES
}

/// Append a value; of lists whose elements are known, without the differences that mean nothing.
fn normalise(name: &str, value: &[u8], out: &mut Values) {
    if !matches!(name, "accept" | "accept-encoding" | "accept-language") {
        return out.extend_from_slice(value.trim_ascii());
    }
    let start = out.len();
    out.extend(value.iter().filter(|b| !matches!(b, b' ' | b'\t')).map(u8::to_ascii_lowercase));
    if out[start..].contains(&b'"') {
        // Of parameters in quotes, case and spaces may mean something.
        out.truncate(start);
        out.extend_from_slice(value.trim_ascii());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(lines: &[&str]) -> Option<Names> {
        Names::read(lines.iter().map(|line| line.as_bytes()))
    }

    fn values(vary: &str, fields: &[(&'static str, &'static str)]) -> Values {
        let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
        names(&[vary]).unwrap().values(fields)
    }

    #[test]
    fn lists_of_names() {
        assert_eq!(names(&["B, a", "b ,, "]), names(&["a,b"]));
        assert!(names(&[]).unwrap().is_empty());
        for bad in ["X-Forwarded-For", "a, Via", "*", "a, *", "a b", "\"a\"", "a;b"] {
            assert!(names(&[bad]).is_none(), "{bad}");
        }
        let long: Vec<_> = (0..17).map(|n| format!("x{n}")).collect();
        assert!(names(&[&long.join(",")]).is_none());
        assert!(names(&[&long[1..].join(",")]).is_some());
        assert!(names(&[&"a,".repeat(100_000)]).is_none());
    }

    #[test]
    fn requests_that_are_the_same() {
        let gzip = values("accept-encoding", &[("Accept-Encoding", "gzip, BR;q=0.5")]);
        assert_eq!(gzip, values("accept-encoding", &[("accept-encoding", " gzip,br; q=0.5 ")]));
        assert_eq!(
            values("a", &[("A", "1"), ("b", "2"), ("a", "3")]),
            values("a", &[("a", "1,3")])
        );
        assert_ne!(values("a", &[]), values("a", &[("a", "")]));
        assert_ne!(values("a", &[("a", "x")]), values("a", &[("a", "X")]));
        assert_ne!(
            values("a,b", &[("a", "12"), ("b", "3")]),
            values("a,b", &[("a", "1"), ("b", "23")])
        );
        assert_ne!(
            values("accept", &[("accept", "a;b=\"C\"")]),
            values("accept", &[("accept", "a;b=\"c\"")])
        );
    }
}
