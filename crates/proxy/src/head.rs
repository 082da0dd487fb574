//! The head of a response: what an upstream said, checked for one meaning only.

use std::mem::MaybeUninit;

use httparse::{Header, ParserConfig, Status};
use smallvec::SmallVec;
use zeroserve_http::body::Framing;

/// Most header fields of a response.
const MAX_FIELDS: usize = 256;

/// Longest head of a response, in bytes.
pub(crate) const MAX_HEAD_BYTES: usize = 64 * 1024;

/// A response without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its status.
    pub status: u16,
    /// Its fields as lines that end in CRLF, without those that are between us and the upstream
    /// and without Content-Length.
    pub fields: Vec<u8>,
    /// What Content-Length says; without content, of the response to a GET.
    pub length: Option<u64>,
    /// Whether content follows.
    pub has_content: bool,
    /// Whether the upstream says when it made it.
    pub has_date: bool,
    /// Whether the connection is a tunnel from here on (RFC 9110, section 7.8).
    pub is_upgrade: bool,
}

/// What a request means for the response to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked {
    /// Whether the method is HEAD: there is no content, whatever the fields say.
    pub is_head: bool,
    /// Whether another protocol may be spoken from here on.
    pub wants_upgrade: bool,
}

/// How a response ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As a request does.
    Framed(Framing),
    /// With the connection.
    Close,
}

/// A head at the front of what was read.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) head: Head,
    pub(crate) end: End,
    pub(crate) keep_alive: bool,
    /// Bytes of the head.
    pub(crate) len: usize,
}

/// Whether a field is about one connection only (RFC 9110, section 7.6.1).
pub fn is_hop_by_hop(name: &str) -> bool {
    const NAMES: [&str; 6] =
        ["connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"];
    NAMES.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// The members of a list of tokens.
pub fn tokens(value: &[u8]) -> impl Iterator<Item = &str> {
    value
        .split(|byte| *byte == b',')
        .filter_map(|token| std::str::from_utf8(token.trim_ascii()).ok())
        .filter(|token| !token.is_empty())
}

/// Read a head; `None` when it is not complete, an error when it never will be.
pub(crate) fn parse(buf: &[u8], asked: Asked) -> Result<Option<Parsed>, &'static str> {
    let mut slots = [const { MaybeUninit::<Header<'_>>::uninit() }; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed =
        ParserConfig::default().parse_response_with_uninit_headers(&mut response, buf, &mut slots);
    let len = match parsed {
        Ok(Status::Complete(len)) if len <= MAX_HEAD_BYTES => len,
        Ok(Status::Partial) if buf.len() < MAX_HEAD_BYTES => return Ok(None),
        Ok(_) => return Err("the head of its response is too long"),
        Err(httparse::Error::TooManyHeaders) => return Err("its response has too many fields"),
        Err(httparse::Error::HeaderName) => return Err("a header name is not valid"),
        Err(httparse::Error::HeaderValue) => return Err("a header value is not valid"),
        Err(_) => return Err("its response is no HTTP/1"),
    };
    let (Some(minor_version), Some(status)) = (response.version, response.code) else {
        return Err("its response is no HTTP/1");
    };
    if !(100..1000).contains(&status) {
        return Err("its status has not three digits");
    }
    let fields = read(response.headers, minor_version)?;
    let is_upgrade = status == 101;
    if is_upgrade && !(asked.wants_upgrade && fields.upgrade.is_some()) {
        return Err("it changes to a protocol that nobody asked for");
    }
    let bare = asked.is_head || status < 200 || matches!(status, 204 | 304);
    let end = if bare {
        End::Framed(Framing::None)
    } else if fields.is_chunked {
        End::Framed(Framing::Chunked)
    } else {
        fields.length.map_or(End::Close, |length| End::Framed(Framing::Length(length)))
    };
    let mut lines = Vec::with_capacity(len);
    for header in response.headers.iter() {
        if !is_hop_by_hop(header.name)
            && !header.name.eq_ignore_ascii_case("content-length")
            && !fields.named.iter().any(|name| header.name.eq_ignore_ascii_case(name))
        {
            line(&mut lines, header.name, header.value);
        }
    }
    if let Some(protocol) = fields.upgrade.filter(|_| is_upgrade) {
        line(&mut lines, "Upgrade", protocol);
    }
    let head = Head {
        status,
        fields: lines,
        length: fields.length,
        has_content: !matches!(end, End::Framed(Framing::None | Framing::Length(0))),
        has_date: fields.has_date,
        is_upgrade,
    };
    let keep_alive =
        !fields.close && (minor_version == 1 || fields.keep_alive) && end != End::Close;
    Ok(Some(Parsed { head, end, keep_alive, len }))
}

/// Append a field.
pub fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[derive(Default)]
struct Fields<'b> {
    length: Option<u64>,
    is_chunked: bool,
    close: bool,
    keep_alive: bool,
    has_date: bool,
    upgrade: Option<&'b [u8]>,
    /// Fields that Connection names.
    named: SmallVec<[&'b str; 4]>,
}

/// What the fields say about framing and the connection. Whatever two readers could take
/// differently is refused: behind the first of them, the other finds a response that nobody sent.
fn read<'b>(headers: &[Header<'b>], minor_version: u8) -> Result<Fields<'b>, &'static str> {
    let mut fields = Fields::default();
    let mut coded = false;
    for Header { name, value } in headers {
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        match name.len() {
            14 if is("content-length") => {
                let length = decimal(value).ok_or("its Content-Length is no number")?;
                if fields.length.is_some_and(|other| other != length) {
                    return Err("its response has two lengths");
                }
                fields.length = Some(length);
            }
            17 if is("transfer-encoding") => {
                if coded || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err("its Transfer-Encoding is not chunked");
                }
                (coded, fields.is_chunked) = (true, true);
            }
            10 if is("connection") => {
                for token in tokens(value) {
                    match token {
                        _ if token.eq_ignore_ascii_case("close") => fields.close = true,
                        _ if token.eq_ignore_ascii_case("keep-alive") => fields.keep_alive = true,
                        _ => fields.named.push(token),
                    }
                }
            }
            7 if is("upgrade") => fields.upgrade = Some(value),
            4 if is("date") => fields.has_date = true,
            _ => {}
        }
    }
    if fields.is_chunked && fields.length.is_some() {
        return Err("its response has a length and is chunked");
    }
    if fields.is_chunked && minor_version == 0 {
        return Err("its response is chunked, which HTTP/1.0 does not know");
    }
    Ok(fields)
}

/// A number of nothing but digits.
fn decimal(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Result<Option<Parsed>, &'static str> {
        parse(text.as_bytes(), Asked::default())
    }

    #[test]
    fn heads() {
        let text = "HTTP/1.1 200 Fine\r\nContent-Length: 3\r\nConnection: x-own, keep-alive\r\n\
                    X-Own: 1\r\nKeep-Alive: timeout=5\r\nX-Other: 2\r\nDate: now\r\n\r\nabc";
        let Parsed { head, end, keep_alive, len } = parsed(text).unwrap().unwrap();
        assert_eq!(head.fields, b"X-Other: 2\r\nDate: now\r\n");
        assert_eq!((head.status, head.length, head.has_content), (200, Some(3), true));
        assert_eq!((end, keep_alive), (End::Framed(Framing::Length(3)), true));
        assert!(head.has_date);
        assert_eq!(&text[len..], "abc");
        for cut in 0..len {
            assert!(parsed(&text[..cut]).unwrap().is_none(), "{cut}");
        }
    }

    #[test]
    fn ends() {
        let end = |text| parsed(text).unwrap().unwrap().end;
        assert_eq!(end("HTTP/1.1 200 OK\r\n\r\n"), End::Close);
        assert_eq!(end("HTTP/1.1 204 OK\r\nContent-Length: 3\r\n\r\n"), End::Framed(Framing::None));
        assert_eq!(end("HTTP/1.1 304 OK\r\nContent-Length: 3\r\n\r\n"), End::Framed(Framing::None));
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n";
        assert_eq!(end(chunked), End::Framed(Framing::Chunked));
        let asked = Asked { is_head: true, ..Asked::default() };
        let head = parse(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", asked).unwrap().unwrap();
        assert_eq!((head.head.length, head.head.has_content), (Some(3), false));
    }

    #[test]
    fn what_has_two_meanings_is_refused() {
        for fields in [
            "Content-Length: 3\r\nContent-Length: 4",
            "Content-Length: 3, 3",
            "Content-Length: +3",
            "Content-Length: -3",
            "Content-Length: 0x3",
            "Content-Length:",
            "Content-Length: 99999999999999999999",
            "Content-Length: 3\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: identity",
            "Bad Name: x",
            "Bad : x",
            "X: a\r\n b",
            "X: a\0",
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n");
            assert!(parsed(&text).is_err(), "{fields}");
        }
        assert!(parsed("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
        assert!(parsed("HTTP/1.1 101 OK\r\nUpgrade: x\r\n\r\n").is_err());
        assert!(parsed("HTTP/2 200 OK\r\n\r\n").is_err());
        assert!(parsed("GET / HTTP/1.1\r\n\r\n").is_err());
        assert!(parsed("HTTP/1.1 20 OK\r\n\r\n").is_err());
        assert!(parsed("HTTP/1.1 099 OK\r\n\r\n").is_err());
        let many = "X: y\r\n".repeat(MAX_FIELDS + 1);
        assert!(parsed(&format!("HTTP/1.1 200 OK\r\n{many}\r\n")).is_err());
        let long = format!("HTTP/1.1 200 OK\r\nX: {}", "a".repeat(MAX_HEAD_BYTES));
        assert!(parsed(&long).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_fine(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut text = b"HTTP/1.1 200 OK\r\n".to_vec();
            text.extend_from_slice(&bytes);
            for buf in [&bytes[..], &text[..]] {
                if let Ok(Some(parsed)) = parse(buf, Asked::default()) {
                    prop_assert!(parsed.len <= buf.len());
                }
            }
        }
    }
}
