//! Metadata in HTML and XML: `<zs-meta>key</zs-meta>` stands for a value.

use memchr::memmem::Finder;

const OPEN: &[u8] = b"<zs-meta>";
const CLOSE: &[u8] = b"</zs-meta>";

/// Replace every element by the value of its key, and remove those of unknown keys.
///
/// Values are escaped, so that they are text wherever an element may stand: they may come from a
/// request. White space around a key does not count. What only looks like such an element, having
/// no end or another tag in it, stays. Every byte is looked at a bounded number of times.
pub fn replace_meta<'v>(html: &[u8], mut lookup: impl FnMut(&str) -> Option<&'v str>) -> Vec<u8> {
    let finder = Finder::new(OPEN);
    let mut out = Vec::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = finder.find(rest) {
        let inner = &rest[at + OPEN.len()..];
        // A key has no '<' in it: the first one must be that of the end.
        let end = memchr::memchr(b'<', inner).unwrap_or(inner.len());
        if inner[end..].starts_with(CLOSE) {
            out.extend_from_slice(&rest[..at]);
            let value = std::str::from_utf8(&inner[..end]).ok().and_then(|key| lookup(key.trim()));
            escape(value.unwrap_or_default(), &mut out);
            rest = &inner[end + CLOSE.len()..];
        } else {
            out.extend_from_slice(&rest[..at + OPEN.len() + end]);
            rest = &inner[end..];
        }
    }
    out.extend_from_slice(rest);
    out
}

/// Whether there may be anything to replace.
pub fn has_meta(html: &[u8]) -> bool {
    memchr::memmem::find(html, OPEN).is_some()
}

fn escape(value: &str, out: &mut Vec<u8>) {
    for &byte in value.as_bytes() {
        match byte {
            b'&' => out.extend_from_slice(b"&amp;"),
            b'<' => out.extend_from_slice(b"&lt;"),
            b'>' => out.extend_from_slice(b"&gt;"),
            b'"' => out.extend_from_slice(b"&quot;"),
            b'\'' => out.extend_from_slice(b"&#39;"),
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn replaced(html: &str) -> String {
        let lookup = |key: &str| match key {
            "user" => Some("Ada"),
            "evil" => Some("<b a=\"'&\">"),
            "empty" => Some(""),
            _ => None,
        };
        String::from_utf8(replace_meta(html.as_bytes(), lookup)).unwrap()
    }

    #[test]
    fn elements() {
        for (html, result) in [
            ("", ""),
            ("<p>no</p>", "<p>no</p>"),
            ("<p><zs-meta>user</zs-meta>!</p>", "<p>Ada!</p>"),
            ("<zs-meta> user\n</zs-meta>", "Ada"),
            ("<zs-meta>user</zs-meta><zs-meta>user</zs-meta>", "AdaAda"),
            ("a<zs-meta>nobody</zs-meta>b<zs-meta></zs-meta>c", "abc"),
            ("<zs-meta>empty</zs-meta>", ""),
            ("<zs-meta>evil</zs-meta>", "&lt;b a=&quot;&#39;&amp;&quot;&gt;"),
        ] {
            assert_eq!(replaced(html), result, "{html}");
        }
    }

    #[test]
    fn what_only_looks_like_one_stays() {
        for html in [
            "<zs-meta>",
            "<zs-meta>user",
            "<zs-meta>user<",
            "<zs-meta>user</zs-met>",
            "<zs-meta>user<b></b></zs-meta>",
            "<zs-meta >user</zs-meta>",
            "<ZS-META>user</ZS-META>",
            "</zs-meta>",
        ] {
            assert_eq!(replaced(html), html);
        }
        assert_eq!(replaced("<zs-meta>a<zs-meta>user</zs-meta>"), "<zs-meta>aAda");
        assert_eq!(replace_meta(b"<zs-meta>\xff</zs-meta>\xff", |_| Some("x")), b"\xff");
        assert!(has_meta(b"a<zs-meta>") && !has_meta(b"a<zs-met>"));
    }

    #[test]
    fn hostile_input_costs_no_more() {
        let html = "<zs-meta>".repeat(1 << 20);
        assert_eq!(replaced(&html).len(), html.len());
        let html = "<zs-meta>user</zs-meta>".repeat(1 << 16);
        assert_eq!(replaced(&html).len(), 3 << 16);
    }

    proptest! {
        #[test]
        fn nothing_is_left_over(html in "(<zs-meta>|</zs-meta>|user|<|a){0,12}") {
            let result = replaced(&html);
            let again = replaced(&result);
            // An element may form around one that was replaced, but never out of a value.
            prop_assert!(again.len() <= result.len());
            prop_assert!(!html.contains("<zs-meta>user</zs-meta>") || result.contains("Ada"));
        }
    }
}
