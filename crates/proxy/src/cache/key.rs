//! What a stored response is found by.

use smallvec::SmallVec;

/// The bytes of a key: site, host, scheme and target, so that equal keys are equal bytes.
pub(super) type KeyBytes = SmallVec<[u8; 256]>;

/// Longest key in bytes; what has a longer one is passed on.
pub(super) const MAX_KEY_BYTES: usize = 8 * 1024;

/// Bytes in front of the host: the site and the length of the host.
const FRONT: usize = 10;

/// A request as the upstream would see it.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a, 'u, F> {
    /// Number of the site: sites share nothing.
    pub site: u64,
    /// `http` or `https`, as the client came.
    pub scheme: &'a str,
    /// Host, and its port if there is one, as the client has it.
    pub host: &'a [u8],
    /// Who would be asked; scripts may choose that by anything, so what one upstream says is not
    /// taken for the answer of another.
    pub upstream: &'u str,
    /// The method.
    pub method: &'a str,
    /// Path and query, as the upstream would get them.
    pub target: &'a [u8],
    /// The fields as the upstream would get them, in order.
    pub fields: F,
}

/// The fields of a message.
pub trait Fields<'a>: Iterator<Item = (&'a str, &'a [u8])> + Clone {}

impl<'a, T: Iterator<Item = (&'a str, &'a [u8])> + Clone> Fields<'a> for T {}

/// The key of a request; `None` when it is too long.
pub(super) fn key_of<F>(query: &Query<'_, '_, F>) -> Option<KeyBytes> {
    key(query.site, query.scheme, query.host, query.target)
}

pub(super) fn key(site: u64, scheme: &str, host: &[u8], target: &[u8]) -> Option<KeyBytes> {
    let (mark, port) =
        if scheme.eq_ignore_ascii_case("https") { (b's', ":443") } else { (b'p', ":80") };
    let host = host.strip_suffix(port.as_bytes()).unwrap_or(host);
    let len = u16::try_from(host.len()).ok()?;
    if FRONT + host.len() + 1 + target.len() > MAX_KEY_BYTES {
        return None;
    }
    let mut key = KeyBytes::new();
    key.extend_from_slice(&site.to_le_bytes());
    key.extend_from_slice(&len.to_le_bytes());
    key.extend_from_slice(host);
    key[FRONT..].make_ascii_lowercase();
    key.push(mark);
    key.extend_from_slice(target);
    Some(key)
}

/// Site, host and target of a key.
fn parts(key: &[u8]) -> Option<(u64, &[u8], &[u8])> {
    let (site, rest) = key.split_first_chunk()?;
    let (len, rest) = rest.split_first_chunk()?;
    let (host, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
    Some((u64::from_le_bytes(*site), host, rest.get(1..)?))
}

/// What is to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What<'a> {
    /// Everything.
    Everything,
    /// What has this path, whatever its query; with a query, what has just that.
    Path(&'a str),
    /// What has a path and query that begins so.
    Prefix(&'a str),
}

/// Which stored responses are to be forgotten.
#[derive(Clone, Copy, Debug)]
pub struct Purge<'a> {
    /// Of this site only.
    pub site: Option<u64>,
    /// Of this host only, with its port unless that is the scheme's own.
    pub host: Option<&'a str>,
    /// What of it.
    pub what: What<'a>,
}

impl Purge<'_> {
    pub(super) fn fits(&self, key: &[u8]) -> bool {
        let Some((site, host, target)) = parts(key) else { return false };
        let path = target.split(|&b| b == b'?').next().unwrap_or_default();
        self.site.is_none_or(|wanted| wanted == site)
            && self.host.is_none_or(|wanted| host.eq_ignore_ascii_case(wanted.as_bytes()))
            && match self.what {
                What::Everything => true,
                What::Path(wanted) => path == wanted.as_bytes() || target == wanted.as_bytes(),
                What::Prefix(wanted) => target.starts_with(wanted.as_bytes()),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let of =
            |scheme, host: &str, target: &str| key(7, scheme, host.as_bytes(), target.as_bytes());
        assert_eq!(of("http", "A.example:80", "/x"), of("http", "a.EXAMPLE", "/x"));
        assert_ne!(of("http", "a", "/x"), of("https", "a", "/x"));
        assert_ne!(of("http", "a", "/x"), of("http", "a", "/X"));
        assert_ne!(of("http", "a:443", "/x"), of("http", "a", "/x"));
        assert_ne!(of("http", "ap", "/x"), of("http", "a", "p/x"));
        assert_ne!(key(7, "http", b"a", b"/"), key(8, "http", b"a", b"/"));
        assert!(of("http", "a", &"/x".repeat(MAX_KEY_BYTES)).is_none());
        assert!(of("http", &"a".repeat(70_000), "/").is_none());
    }

    #[test]
    fn purges() {
        let key = key(7, "https", b"Example.org", b"/a/b?c=d").unwrap();
        let fits = |site, host, what| Purge { site, host, what }.fits(&key);
        assert!(fits(None, None, What::Everything));
        assert!(fits(Some(7), Some("EXAMPLE.org"), What::Path("/a/b")));
        assert!(fits(None, None, What::Path("/a/b?c=d")));
        assert!(fits(None, None, What::Prefix("/a")));
        assert!(!fits(Some(8), None, What::Everything));
        assert!(!fits(None, Some("example.com"), What::Everything));
        assert!(!fits(None, None, What::Path("/a")));
        assert!(!fits(None, None, What::Path("/a/b?c=")));
        assert!(!fits(None, None, What::Prefix("/b")));
        assert!(!Purge { site: None, host: None, what: What::Everything }.fits(b"short"));
    }
}
