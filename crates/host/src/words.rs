//! What may stand in a request or response that a script changes.

use crate::limits::{MAX_METHOD_BYTES, MAX_NAME_BYTES, MAX_URI_BYTES};

/// Fields that say where a message ends: theirs is the server's word alone.
const FRAMING: [&str; 2] = ["content-length", "transfer-encoding"];

/// Fields that concern a connection rather than a message (RFC 9110, section 7.6.1).
const CONNECTION: [&str; 5] = ["connection", "keep-alive", "proxy-connection", "te", "upgrade"];

/// Whether it is a token (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    let special = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || special(byte))
}

/// Whether it can be the method of a request.
pub(crate) fn is_method(text: &str) -> bool {
    is_token(text) && text.len() <= MAX_METHOD_BYTES
}

/// Whether it can be the name of a field.
pub(crate) fn is_field_name(text: &str) -> bool {
    is_token(text) && text.len() <= MAX_NAME_BYTES
}

/// Whether a request field frames the body.
pub(crate) fn is_framing(name: &str) -> bool {
    FRAMING.iter().any(|framing| name.eq_ignore_ascii_case(framing))
}

/// Whether a script may give a response a field of this name.
pub(crate) fn is_response_field(name: &str) -> bool {
    let own = |names: &[&str]| names.iter().any(|own| name.eq_ignore_ascii_case(own));
    is_field_name(name) && !own(&FRAMING) && !own(&CONNECTION)
}

/// The value of a field without white space around it, if it can be one: what ends a line, or is
/// taken for the end of one by somebody, would begin a field of its own.
pub(crate) fn field_value(value: &[u8]) -> Option<&[u8]> {
    let value = value.trim_ascii();
    let control = |byte: u8| byte.is_ascii_control() && byte != b'\t';
    (!value.iter().any(|&byte| control(byte))).then_some(value)
}

/// Whether it can be the target of a request in origin form: a path and perhaps a query.
pub(crate) fn is_target(text: &[u8]) -> bool {
    let visible = |byte: &u8| byte.is_ascii_graphic() && *byte != b'#';
    text.len() <= MAX_URI_BYTES && text.first() == Some(&b'/') && text.iter().all(visible)
}

/// Whether it can be the URL of an upstream; what it means is seen when it is used.
pub(crate) fn is_upstream(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    if !matches!(scheme, "http" | "https" | "h2" | "h2c") {
        return false;
    }
    let host = rest.split(['/', '?', '#']).next().unwrap_or("");
    url.len() <= MAX_URI_BYTES
        && !host.is_empty()
        && !host.contains('@')
        && url.bytes().all(|byte| byte.is_ascii_graphic())
        && !url.contains('#')
}

/// Whether it is the path of a Unix socket, or a pool of the operator.
pub(crate) fn is_near_upstream(url: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let visible = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    let named = match (url.strip_prefix("unix:/"), url.strip_prefix("pool:")) {
        (Some(path), _) => !path.is_empty() && path.bytes().all(visible),
        (None, Some(name)) => !name.is_empty() && name.bytes().all(plain),
        (None, None) => false,
    };
    named && url.len() <= MAX_URI_BYTES
}

/// Whether it can be a final status.
pub(crate) fn status(number: u64) -> Option<u16> {
    let number = u16::try_from(number).ok()?;
    (200..=599).contains(&number).then_some(number)
}

/// How a pattern chooses names.
pub(crate) struct Pattern<'a> {
    text: &'a str,
    /// Whether anything may stand before and behind the text.
    open: (bool, bool),
}

impl<'a> Pattern<'a> {
    /// `X`, `X*`, `*X`, `*X*` or `*`.
    pub(crate) fn parse(pattern: &'a str) -> Option<Self> {
        if pattern == "*" {
            return Some(Self { text: "", open: (true, true) });
        }
        let (text, before) = match pattern.strip_prefix('*') {
            Some(rest) => (rest, true),
            None => (pattern, false),
        };
        let (text, behind) = match text.strip_suffix('*') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        // A star is a letter of tokens; in a pattern it has the other meaning alone.
        (is_field_name(text) && !text.contains('*'))
            .then_some(Self { text, open: (before, behind) })
    }

    /// Whether it chooses a name.
    pub(crate) fn matches(&self, name: &str) -> bool {
        let (name, text) = (name.as_bytes(), self.text.as_bytes());
        let Some(room) = name.len().checked_sub(text.len()) else { return false };
        match self.open {
            (false, false) => name.eq_ignore_ascii_case(text),
            (false, true) => name[..text.len()].eq_ignore_ascii_case(text),
            (true, false) => name[room..].eq_ignore_ascii_case(text),
            (true, true) => {
                (0..=room).any(|at| name[at..at + text.len()].eq_ignore_ascii_case(text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_said() {
        for (name, valid) in [("X-A", true), ("", false), ("a b", false), ("a:", false)] {
            assert_eq!(is_field_name(name), valid, "{name}");
        }
        assert!(!is_field_name(&"a".repeat(MAX_NAME_BYTES + 1)));
        for bad in [&b"a\r\nb: c"[..], b"a\nb", b"a\0", b"\x7f", b"a\x1bb"] {
            assert_eq!(field_value(bad), None, "{bad:?}");
        }
        assert_eq!(field_value(b" a\tb\xff "), Some(&b"a\tb\xff"[..]));
        for (target, valid) in
            [("/a?b", true), ("a", false), ("/a b", false), ("/a#b", false), ("/\r\n", false)]
        {
            assert_eq!(is_target(target.as_bytes()), valid, "{target}");
        }
        for (url, valid) in [
            ("http://127.0.0.1:9000", true),
            ("https://a.example/base?x=1", true),
            ("http://", false),
            ("http:///path", false),
            ("ftp://a", false),
            ("http://user@a", false),
            ("http://a\r\nb", false),
            ("http://a/#b", false),
        ] {
            assert_eq!(is_upstream(url), valid, "{url}");
        }
        for (url, valid) in [
            ("unix:/run/app.sock", true),
            ("unix:run", false),
            ("unix:/", false),
            ("unix:/a b", false),
            ("unix:/a#b", false),
            ("pool:api-1", true),
            ("pool:", false),
            ("pool:a/b", false),
            ("http://a", false),
        ] {
            assert_eq!(is_near_upstream(url), valid, "{url}");
        }
        assert!(!is_near_upstream(&format!("unix:/{}", "a".repeat(MAX_URI_BYTES))));
        for (number, valid) in [(199, None), (200, Some(200)), (599, Some(599)), (65736, None)] {
            assert_eq!(status(number), valid);
        }
        assert!(is_response_field("Location") && !is_response_field("Transfer-Encoding"));
        assert!(!is_response_field("connection"));
    }

    #[test]
    fn patterns() {
        for (pattern, chosen) in [
            ("x-a", "X-A"),
            ("X-*", "X-A X-Abc"),
            ("*A", "X-A"),
            ("*-a*", "X-A X-Abc"),
            ("*", "X-A X-Abc Y"),
            ("z*", ""),
        ] {
            let pattern = Pattern::parse(pattern).unwrap();
            let names = ["X-A", "X-Abc", "Y"].into_iter().filter(|name| pattern.matches(name));
            assert_eq!(names.collect::<Vec<_>>().join(" "), chosen);
        }
        for bad in ["", "**", "a*b", "a b", "*a*b*"] {
            assert!(Pattern::parse(bad).is_none(), "{bad}");
        }
    }
}
