//! What Cache-Control says (RFC 9111, section 5.2), read so that whatever is unclear makes a
//! response less reusable, never more.

use smallvec::SmallVec;

/// Seconds that stand for ever: what is longer counts as this (RFC 9111, section 1.2.2).
pub(super) const MAX_DELTA_S: i64 = 1 << 31;

/// Most names that qualified directives may list; beyond it they count as unqualified.
const MAX_EXCLUDED: usize = 16;

/// The directives of a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Control {
    pub(super) no_store: bool,
    pub(super) no_cache: bool,
    pub(super) private: bool,
    pub(super) public: bool,
    /// `must-revalidate` or `proxy-revalidate`: to a shared cache they say the same.
    pub(super) must_revalidate: bool,
    /// `must-revalidate` itself: it also lets answers to authorised requests be stored.
    pub(super) is_for_authorized: bool,
    pub(super) must_understand: bool,
    pub(super) max_age: Option<i64>,
    pub(super) s_maxage: Option<i64>,
    pub(super) stale_while_revalidate: Option<i64>,
    pub(super) stale_if_error: Option<i64>,
    /// Fields, in lower case, that the qualified forms of `private` and `no-cache` keep out of
    /// the store.
    pub(super) excluded: Vec<String>,
}

impl Control {
    /// Read one line of Cache-Control; further lines add to it.
    pub(super) fn add(&mut self, line: &[u8]) {
        for (name, argument) in directives(line) {
            self.directive(name, argument.as_deref());
        }
    }

    pub(super) fn directive(&mut self, name: &[u8], argument: Option<&[u8]>) {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        match name.len() {
            8 if is("no-store") => self.no_store = true,
            8 if is("no-cache") => self.no_cache |= !self.exclude(argument),
            7 if is("private") => self.private |= !self.exclude(argument),
            6 if is("public") => self.public = true,
            15 if is("must-revalidate") => {
                self.must_revalidate = true;
                self.is_for_authorized = true;
            }
            15 if is("must-understand") => self.must_understand = true,
            16 if is("proxy-revalidate") => self.must_revalidate = true,
            7 if is("max-age") => set(&mut self.max_age, argument),
            8 if is("s-maxage") => set(&mut self.s_maxage, argument),
            22 if is("stale-while-revalidate") => set(&mut self.stale_while_revalidate, argument),
            14 if is("stale-if-error") => set(&mut self.stale_if_error, argument),
            _ => {}
        }
    }

    /// Keep the fields that a qualified directive lists out of the store; false when it is not
    /// qualified, or not in a way that can be followed.
    fn exclude(&mut self, argument: Option<&[u8]>) -> bool {
        let Some(list) = argument else { return false };
        let mut names: SmallVec<[String; 4]> = SmallVec::new();
        for name in list.split(|&b| b == b',').map(<[u8]>::trim_ascii) {
            match std::str::from_utf8(name) {
                Ok("") => {}
                Ok(text) if is_token(name) => names.push(text.to_ascii_lowercase()),
                _ => return false,
            }
        }
        if names.is_empty() || self.excluded.len() + names.len() > MAX_EXCLUDED {
            return false;
        }
        self.excluded.extend(names);
        true
    }
}

/// What a request's Cache-Control says that a gateway goes by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wish {
    pub(super) no_store: bool,
    pub(super) only_if_cached: bool,
}

impl Wish {
    pub(super) fn add(&mut self, line: &[u8]) {
        for (name, _) in directives(line) {
            self.no_store |= name.eq_ignore_ascii_case(b"no-store");
            self.only_if_cached |= name.eq_ignore_ascii_case(b"only-if-cached");
        }
    }
}

/// Two values of one directive contradict each other: then it is stale (RFC 9111, section 4.2.1),
/// as it is with a value that is none.
fn set(slot: &mut Option<i64>, argument: Option<&[u8]>) {
    let value = argument.and_then(delta).unwrap_or(0);
    *slot = match *slot {
        Some(other) if other != value => Some(0),
        _ => Some(value),
    };
}

/// Seconds as digits; what has no place in 31 bits counts as 2^31.
pub(super) fn delta(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: i64, &digit: &u8| {
        sum.saturating_mul(10).saturating_add(i64::from(digit - b'0')).min(MAX_DELTA_S)
    };
    Some(digits.iter().fold(0, add))
}

/// Whether these are the characters of a token (RFC 9110, section 5.6.2).
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b))
}

/// What stands behind the equals sign, a quoted string without its quotes.
pub(super) type Argument = SmallVec<[u8; 32]>;

/// Names and arguments.
fn directives(line: &[u8]) -> impl Iterator<Item = (&[u8], Option<Argument>)> {
    let mut rest = line;
    std::iter::from_fn(move || {
        let start = rest.iter().position(|b| !matches!(b, b',' | b' ' | b'\t'))?;
        rest = &rest[start..];
        let end = rest.iter().position(|b| matches!(b, b',' | b'=')).unwrap_or(rest.len());
        let name = rest[..end].trim_ascii_end();
        rest = &rest[end..];
        let Some(value) = rest.strip_prefix(b"=") else { return Some((name, None)) };
        let (argument, tail) = argument(value);
        rest = tail;
        Some((name, Some(argument)))
    })
}

/// An argument, and what comes behind it.
fn argument(value: &[u8]) -> (Argument, &[u8]) {
    let Some(quoted) = value.strip_prefix(b"\"") else {
        let end = value.iter().position(|&b| b == b',').unwrap_or(value.len());
        // Spaces in front belong to it, and make it invalid where a number is wanted.
        return (SmallVec::from_slice(value[..end].trim_ascii_end()), &value[end..]);
    };
    let mut text = SmallVec::new();
    let mut at = 0;
    while at < quoted.len() && quoted[at] != b'"' {
        // An escape at the very end escapes nothing.
        at += usize::from(quoted[at] == b'\\' && at + 1 < quoted.len());
        text.push(quoted[at]);
        at += 1;
    }
    let is_open = at == quoted.len();
    let tail = quoted.get(at + 1..).unwrap_or_default();
    let end = tail.iter().position(|&b| b == b',').unwrap_or(tail.len());
    if is_open || !tail[..end].trim_ascii().is_empty() {
        // Neither a number nor a name has one.
        text.push(b'"');
    }
    (text, &tail[end..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(lines: &[&str]) -> Control {
        let mut control = Control::default();
        lines.iter().for_each(|line| control.add(line.as_bytes()));
        control
    }

    #[test]
    fn seconds() {
        for (line, expected) in [
            ("max-age=60", Some(60)),
            ("Max-Age=60", Some(60)),
            ("max-age=\"60\"", Some(60)),
            ("max-age=\"6\\0\"", Some(60)),
            (",, max-age=60 ,", Some(60)),
            ("max-age=060", Some(60)),
            ("max-age=60, max-age=60", Some(60)),
            ("max-age=60, max-age=30", Some(0)),
            ("max-age=99999999999999999999999", Some(MAX_DELTA_S)),
            ("max-age=-1", Some(0)),
            ("max-age=+1", Some(0)),
            ("max-age=1.5", Some(0)),
            ("max-age= 60", Some(0)),
            ("max-age=\"60\"1", Some(0)),
            ("max-age=\"60", Some(0)),
            ("max-age=", Some(0)),
            ("max-age", Some(0)),
            ("max-age=60 private", Some(0)),
            ("x=\"max-age=60\"", None),
            ("x=\"\\\"\", max-age=60", Some(60)),
            ("xmax-age=60", None),
            ("", None),
        ] {
            assert_eq!(read(&[line]).max_age, expected, "{line}");
        }
        assert_eq!(read(&["max-age=60", "max-age=61"]).max_age, Some(0));
        assert_eq!(read(&["s-maxage=3"]).s_maxage, Some(3));
    }

    #[test]
    fn words() {
        let control = read(&["No-Store, PUBLIC=\"x\"", "must-revalidate;x, proxy-revalidate"]);
        assert!(control.no_store && control.public && control.must_revalidate);
        assert!(!control.is_for_authorized);
        assert!(read(&["must-revalidate"]).is_for_authorized);
        assert!(!read(&["x=\"no-store\""]).no_store);
        assert!(!read(&["x=\"a, no-store, b\""]).no_store);
    }

    #[test]
    fn qualified_forms() {
        for (line, private, no_cache, excluded) in [
            ("private", true, false, &[][..]),
            ("private=\"Set-Cookie\"", false, false, &["set-cookie"]),
            ("private=Set-Cookie", false, false, &["set-cookie"]),
            ("no-cache=\"A, ,b\"", false, false, &["a", "b"]),
            ("private=\"\"", true, false, &[]),
            ("private=\"a b\"", true, false, &[]),
            ("no-cache=\"a\", no-cache", false, true, &["a"]),
        ] {
            let control = read(&[line]);
            assert_eq!((control.private, control.no_cache), (private, no_cache), "{line}");
            assert_eq!(control.excluded, excluded, "{line}");
        }
        let many = (0..99).map(|n| format!("x{n}")).collect::<Vec<_>>().join(",");
        assert!(read(&[&format!("private=\"{many}\"")]).private);
    }

    proptest! {
        #[test]
        fn any_bytes_are_fine(line in prop::collection::vec(any::<u8>(), 0..60)) {
            Control::default().add(&line);
            Wish::default().add(&line);
        }

        /// Nothing that stands beside a directive takes away that a response is not to be stored.
        #[test]
        fn no_store_is_heard(before in "[a-z=0-9, ]{0,20}", after in "[a-z=0-9\", ]{0,20}") {
            let line = format!("{before},no-store,{after}");
            prop_assert!(read(&[&line]).no_store);
        }
    }
}
