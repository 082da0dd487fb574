//! CDN-Cache-Control (RFC 9213): what an origin says to the cache in front of it alone, in place
//! of Cache-Control and Expires. It is a Dictionary of RFC 9651; one that is not counts as not
//! sent.

use smallvec::SmallVec;

use super::control::{Argument, Control};

/// Read the lines of the field, joined by commas; `None` when they say nothing.
pub(super) fn read(field: &[u8]) -> Option<Control> {
    let mut reader = Reader { rest: field.trim_ascii() };
    let mut members: Vec<(&[u8], Value)> = Vec::new();
    while !reader.rest.is_empty() {
        let key = reader.key()?;
        let value = if reader.eat(b'=') { reader.member()? } else { Value::Flag(true) };
        reader.parameters()?;
        // Of several the last one counts.
        members.retain(|(other, _)| *other != key);
        members.push((key, value));
        reader.spaces(b" \t");
        if reader.rest.is_empty() {
            break;
        }
        if !reader.eat(b',') {
            return None;
        }
        reader.spaces(b" \t");
        // A comma at the end.
        if reader.rest.is_empty() {
            return None;
        }
    }
    if members.is_empty() {
        return None;
    }
    let mut control = Control::default();
    for (key, value) in members {
        match value {
            Value::Flag(false) => {}
            Value::Flag(true) => control.directive(key, None),
            Value::Text(text) => control.directive(key, Some(&text)),
        }
    }
    Some(control)
}

/// An item; only those of kinds that directives have are told apart.
enum Value {
    Flag(bool),
    Text(Argument),
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn eat(&mut self, byte: u8) -> bool {
        let rest = self.rest.strip_prefix(&[byte]);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn spaces(&mut self, which: &[u8]) {
        self.take(|byte| which.contains(&byte));
    }

    fn take(&mut self, fits: impl Fn(u8) -> bool) -> &'a [u8] {
        let len = self.rest.iter().position(|&byte| !fits(byte)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        taken
    }

    fn key(&mut self) -> Option<&'a [u8]> {
        let first = *self.rest.first()?;
        if !(first.is_ascii_lowercase() || first == b'*') {
            return None;
        }
        Some(self.take(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.*".contains(&b)))
    }

    fn member(&mut self) -> Option<Value> {
        if !self.eat(b'(') {
            return self.item();
        }
        // An inner list is nobody's argument.
        loop {
            self.spaces(b" ");
            if self.eat(b')') {
                return Some(Value::Text(SmallVec::from_slice(b"()")));
            }
            self.item()?;
            self.parameters()?;
            if !matches!(self.rest.first(), Some(b' ' | b')')) {
                return None;
            }
        }
    }

    fn parameters(&mut self) -> Option<()> {
        while self.eat(b';') {
            self.spaces(b" ");
            self.key()?;
            if self.eat(b'=') {
                self.item()?;
            }
        }
        Some(())
    }

    fn item(&mut self) -> Option<Value> {
        let text = match *self.rest.first()? {
            b'?' => {
                self.rest = &self.rest[1..];
                let flag = self.eat(b'1');
                return (flag || self.eat(b'0')).then_some(Value::Flag(flag));
            }
            b'"' => return self.string().map(Value::Text),
            b':' => {
                self.rest = &self.rest[1..];
                let bytes = self.take(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b));
                if !self.eat(b':') {
                    return None;
                }
                bytes
            }
            b'@' => {
                self.rest = &self.rest[1..];
                self.number()?
            }
            b'-' | b'0'..=b'9' => self.number()?,
            b'*' | b'a'..=b'z' | b'A'..=b'Z' => {
                self.take(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&b))
            }
            _ => return None,
        };
        Some(Value::Text(SmallVec::from_slice(text)))
    }

    /// Up to fifteen digits, or twelve and up to three behind a point.
    fn number(&mut self) -> Option<&'a [u8]> {
        let start = self.rest;
        self.eat(b'-');
        let whole = self.take(|b| b.is_ascii_digit()).len();
        let fits = if self.eat(b'.') {
            (1..=12).contains(&whole) && (1..=3).contains(&self.take(|b| b.is_ascii_digit()).len())
        } else {
            (1..=15).contains(&whole)
        };
        fits.then(|| &start[..start.len() - self.rest.len()])
    }

    fn string(&mut self) -> Option<Argument> {
        let mut text = SmallVec::new();
        let mut at = 1;
        loop {
            match *self.rest.get(at)? {
                b'"' => break,
                b'\\' => {
                    at += 1;
                    let escaped = *self.rest.get(at)?;
                    if !matches!(escaped, b'"' | b'\\') {
                        return None;
                    }
                    text.push(escaped);
                }
                byte @ 0x20..=0x7e => text.push(byte),
                _ => return None,
            }
            at += 1;
        }
        self.rest = &self.rest[at + 1..];
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn dictionaries() {
        let max_age = |text: &str| read(text.as_bytes()).map(|control| control.max_age);
        assert_eq!(max_age("max-age=60"), Some(Some(60)));
        assert_eq!(max_age("max-age=60;x=1, y=(a \"b\");c"), Some(Some(60)));
        assert_eq!(max_age("max-age=60, max-age=30"), Some(Some(30)));
        assert_eq!(max_age("max-age=-5"), Some(Some(0)));
        assert_eq!(max_age("max-age=1.5"), Some(Some(0)));
        assert_eq!(max_age("max-age=999999999999999"), Some(Some(1 << 31)));
        assert_eq!(max_age("x=:aGk=:, d=@1, e=?0, f=tok/en"), Some(None));
        for text in [
            "",
            " ",
            "Max-Age=60",
            "max-age=60,",
            "max-age= 60",
            "max-age=60 x",
            "max-age=\"6",
            "max-age=9999999999999999",
            "a=?2",
            "a=(b",
            "a=(b)c",
            "a=:b",
            "a=\u{e9}",
            "=1",
            ",",
        ] {
            assert_eq!(max_age(text), None, "{text}");
        }
        let control = read(b"no-store=?0, private, no-cache=?1").unwrap();
        assert!(!control.no_store && control.private && control.no_cache);
    }

    proptest! {
        #[test]
        fn any_bytes_are_fine(field in prop::collection::vec(any::<u8>(), 0..60)) {
            read(&field);
        }

        #[test]
        fn any_likely_text_is_fine(field in "[a-c=;,()?01:\"\\\\ -]{0,40}") {
            read(field.as_bytes());
        }
    }
}
