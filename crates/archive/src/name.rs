//! Names of entries: normalisation, and which of them are never served.

/// Longest name of an entry, in bytes: Linux's own PATH_MAX.
pub const MAX_NAME_BYTES: usize = 4096;

/// A stored name in its one normal form, or why it is refused.
///
/// `./a//b` and `a/b` are the same name. The root itself (`./`) comes back empty.
pub(crate) fn normalise(raw: &[u8]) -> Result<String, &'static str> {
    if raw.is_empty() {
        return Err("the name is empty");
    }
    if raw.len() > MAX_NAME_BYTES {
        return Err("the name is longer than 4096 bytes");
    }
    if raw.contains(&0) {
        return Err("the name contains a NUL byte");
    }
    let text = std::str::from_utf8(raw).map_err(|_| "the name is not valid UTF-8")?;
    if text.starts_with('/') {
        return Err("the name is absolute");
    }
    let mut name = String::with_capacity(text.len());
    for part in text.split('/') {
        match part {
            "" | "." => {}
            ".." => return Err("the name contains '..'"),
            _ => {
                if !name.is_empty() {
                    name.push('/');
                }
                name.push_str(part);
            }
        }
    }
    Ok(name)
}

/// Whether `name` is already in normal form and within bounds.
pub(crate) fn is_normal(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= MAX_NAME_BYTES
        && !name.as_bytes().contains(&0)
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Files of rules at the root of a site: they are for the server, not for clients.
pub const RULES: [&str; 2] = ["_redirects", "_headers"];

/// Whether a normalised name is never served: dot-files and `.zeroserve/`, but not `.well-known/`;
/// and files of rules.
pub fn is_hidden(name: &str) -> bool {
    let visible = name.strip_prefix(".well-known/").unwrap_or(name);
    visible.starts_with('.') || visible.contains("/.") || RULES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_one_form() {
        assert_eq!(normalise(b"./a//b/./c"), Ok("a/b/c".into()));
        assert_eq!(normalise(b"a/"), Ok("a".into()));
        assert_eq!(normalise(b"./"), Ok(String::new()));
        for bad in [&b"/a"[..], b"a/../b", b"..", b"a\0b", b"\xff", b""] {
            assert!(normalise(bad).is_err(), "{bad:?}");
        }
        assert!(normalise(&[b'a'; MAX_NAME_BYTES + 1]).is_err());
    }

    #[test]
    fn dot_files_are_hidden() {
        for hidden in [".env", "a/.git/config", ".zeroserve/index", ".well-known/.x", ".well-known"]
        {
            assert!(is_hidden(hidden), "{hidden}");
        }
        for hidden in RULES {
            assert!(is_hidden(hidden) && !is_hidden(&format!("docs/{hidden}")), "{hidden}");
        }
        for shown in [".well-known/acme-challenge/x", "a/b.c", "a.", "a../b"] {
            assert!(!is_hidden(shown), "{shown}");
        }
    }
}
