//! From a request target to a name inside a site.

/// A target that means no name at all: 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPath(pub &'static str);

/// Characters that pass as they are: neither escapes nor anything that normalisation touches.
const PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0x21;
    while byte < 0x7f {
        table[byte] = !matches!(byte as u8, b'%' | b'?' | b'#' | b'/' | b'.');
        byte += 1;
    }
    table
};

/// The path of a target, percent-decoded and normalised, without its leading slash.
///
/// `path` begins with a slash and has no query. Escapes are decoded once, before dot segments
/// are resolved (RFC 3986, section 5.2.4), so that `%2e%2e%2f` cannot leave the site; runs of
/// slashes count as one. A trailing slash stays: it means a directory. `None` is a path that is
/// not UTF-8, as names are. `scratch` holds the result when it differs from the input.
pub fn resolve<'a>(path: &'a str, scratch: &'a mut Vec<u8>) -> Result<Option<&'a str>, BadPath> {
    if is_normal(path.as_bytes()) {
        return Ok(Some(&path[1..]));
    }
    resolve_bytes(path, scratch).map(|name| std::str::from_utf8(name).ok())
}

/// The same, whether it is UTF-8 or not.
pub fn resolve_bytes<'a>(path: &'a str, scratch: &'a mut Vec<u8>) -> Result<&'a [u8], BadPath> {
    if is_normal(path.as_bytes()) {
        return Ok(&path.as_bytes()[1..]);
    }
    decode(path.as_bytes(), scratch)?;
    remove_dots(scratch)?;
    Ok(scratch)
}

/// The same of a path that is decoded already: a `%` in it is a `%`.
pub fn normalize<'a>(path: &'a [u8], scratch: &'a mut Vec<u8>) -> Result<&'a [u8], BadPath> {
    if path.first() != Some(&b'/') {
        return Err(BadPath("a path has to begin with a slash"));
    }
    if path.contains(&0) {
        return Err(BadPath("the path contains a NUL byte"));
    }
    if !path.windows(2).any(|pair| matches!(pair, b"//" | b"/.")) {
        return Ok(&path[1..]);
    }
    scratch.clear();
    scratch.extend_from_slice(path);
    remove_dots(scratch)?;
    Ok(scratch)
}

/// Whether nothing needs to be done; a dot is harmless unless it begins a segment.
fn is_normal(bytes: &[u8]) -> bool {
    let mut last = 0;
    for &byte in bytes {
        let harmless = PLAIN[usize::from(byte)] || (matches!(byte, b'/' | b'.') && last != b'/');
        if !harmless {
            return false;
        }
        last = byte;
    }
    bytes.first() == Some(&b'/')
}

fn decode(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), BadPath> {
    out.clear();
    let mut rest = bytes;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let (Some(high), Some(low)) = (hex(rest.first()), hex(rest.get(1))) else {
            return Err(BadPath("the path has a '%' without two hexadecimal digits"));
        };
        rest = &rest[2..];
        match high << 4 | low {
            0 => return Err(BadPath("the path contains a NUL byte")),
            byte => out.push(byte),
        }
    }
    Ok(())
}

fn hex(digit: Option<&u8>) -> Option<u8> {
    match digit? {
        d @ b'0'..=b'9' => Some(d - b'0'),
        d @ b'a'..=b'f' => Some(d - b'a' + 10),
        d @ b'A'..=b'F' => Some(d - b'A' + 10),
        _ => None,
    }
}

/// Resolve dot segments and empty ones in place; the leading slash goes.
fn remove_dots(path: &mut Vec<u8>) -> Result<(), BadPath> {
    let mut write = 0;
    let mut read = 0;
    let len = path.len();
    while read < len {
        let end = path[read..].iter().position(|&b| b == b'/').map_or(len, |at| read + at);
        let last = end == len;
        match &path[read..end] {
            b"" | b"." => {}
            b".." => {
                if write == 0 {
                    return Err(BadPath("the path leads out of the site"));
                }
                // Back over the segment and the slash that ends it.
                write -= 1;
                while write > 0 && path[write - 1] != b'/' {
                    write -= 1;
                }
            }
            _ => {
                path.copy_within(read..end, write);
                write += end - read;
                if !last {
                    path[write] = b'/';
                    write += 1;
                }
            }
        }
        read = end + 1;
    }
    path.truncate(write);
    Ok(())
}

/// Append a decoded path to a header value, escaping what a URI path may not hold.
///
/// Sub-delimiters, `:` and `@` stay (RFC 3986, section 3.3).
pub fn encode(path: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in path {
        let plain = byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&byte);
        if plain {
            out.push(byte);
        } else {
            out.extend([b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn resolved(path: &str) -> Result<String, BadPath> {
        let mut scratch = Vec::new();
        resolve(path, &mut scratch).map(|name| name.unwrap_or("not UTF-8").to_owned())
    }

    #[test]
    fn paths() {
        for (path, name) in [
            ("/", ""),
            ("/a/b.c", "a/b.c"),
            ("/a/", "a/"),
            ("//a///b", "a/b"),
            ("/a/./b", "a/b"),
            ("/a/.", "a/"),
            ("/a/b/..", "a/"),
            ("/a/../b", "b"),
            ("/a/..", ""),
            ("/%61%2Fb", "a/b"),
            ("/a%2f..%2fb", "b"),
            ("/..a/.b", "..a/.b"),
            ("/%C3%BC", "ü"),
            ("/a+b", "a+b"),
            ("/%ff", "not UTF-8"),
        ] {
            assert_eq!(resolved(path).as_deref(), Ok(name), "{path}");
        }
        for path in ["/..", "/a/../..", "/%2e%2e/x", "/%00", "/%", "/%4", "/%zz", "/a/%2e./../.."] {
            assert!(resolved(path).is_err(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn nothing_leaves_the_site(path in "/([ab.%/]|%2e|%2F|%2E%2e){0,12}") {
            if let Ok(name) = resolved(&path) {
                prop_assert!(!name.starts_with('/'));
                prop_assert!(name.split('/').all(|part| part != ".." && part != "."), "{}", name);
                prop_assert!(!name.contains("//"));
            }
        }

        #[test]
        fn what_is_decoded_is_normalised_in_the_same_way(path in "/([ab.%/é]|%2e|[.]{2}){0,12}") {
            let mut encoded = Vec::new();
            encode(path.as_bytes(), &mut encoded);
            let encoded = String::from_utf8(encoded).unwrap();
            let mut scratch = Vec::new();
            let name = normalize(path.as_bytes(), &mut scratch);
            let name = name.map(|name| String::from_utf8(name.to_vec()).unwrap());
            prop_assert_eq!(name, resolved(&encoded));
        }

        #[test]
        fn encoding_is_undone_by_resolving(name in "([a-z%? #ü]{1,5}/){0,3}[a-z%? #ü]{1,5}") {
            let mut encoded = b"/".to_vec();
            encode(name.as_bytes(), &mut encoded);
            let encoded = String::from_utf8(encoded).unwrap();
            prop_assert_eq!(resolved(&encoded), Ok(name));
        }
    }
}
