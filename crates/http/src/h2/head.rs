//! Decoded fields to a request: what RFC 9113, sections 8.2 and 8.3, ask of them.

use std::ops::Range;

use httparse::Header;
use smallvec::SmallVec;

use super::priority::Priority;
use crate::request::{HeadLimits, Request, from_parts};
use crate::status::Reject;

/// Storage for the fields of one request, kept by the caller so that requests borrow from it.
pub type FieldList<'b> = SmallVec<[Header<'b>; 16]>;

/// The head of a request, owned: it can be kept while something is waited for.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    text: Vec<u8>,
    method: Range<usize>,
    target: Range<usize>,
    fields: Vec<(Range<u32>, Range<u32>)>,
    ended: bool,
}

impl RequestHead {
    /// The request, as if it had come over HTTP/1.
    pub fn request<'h, 'b>(
        &'b self,
        list: &'h mut FieldList<'b>,
    ) -> Result<Request<'h, 'b>, Reject> {
        let broken = || Reject::Malformed("the request is not valid");
        let text = |range: &Range<usize>| std::str::from_utf8(&self.text[range.clone()]);
        let range = |range: &Range<u32>| range.start as usize..range.end as usize;
        list.clear();
        for (name, value) in &self.fields {
            let name = text(&range(name)).map_err(|_| broken())?;
            list.push(Header { name, value: &self.text[range(value)] });
        }
        let method = text(&self.method).map_err(|_| broken())?;
        let target = text(&self.target).map_err(|_| broken())?;
        from_parts(method, target, list, self.ended)
    }

    fn clear(&mut self) {
        self.text.clear();
        self.fields.clear();
        (self.method, self.target) = (0..0, 0..0);
    }

    fn add(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        start..self.text.len()
    }

    fn add_field(&mut self, name: &[u8], value: &[u8]) {
        let (name, value) = (self.add(name), self.add(value));
        // Bounded by the limits on a head, which stop far below 4 GiB.
        let short = |range: Range<usize>| range.start as u32..range.end as u32;
        self.fields.push((short(name), short(value)));
    }
}

/// What a header block amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A request.
    Fine,
    /// A request that gets no other answer than this.
    Refuse(Reject),
    /// No request: the stream ends with an error.
    Malformed,
}

/// Gathers the fields of one header block.
#[derive(Debug, Default)]
pub struct Builder {
    /// The request, once the block is over.
    pub head: RequestHead,
    /// What the client said of its response.
    pub priority: Option<Priority>,
    /// What the client said of its body.
    pub content_length: Option<u64>,
    /// Lines of a block that ends a request, as HTTP/1 has them.
    pub trailer_lines: Vec<u8>,
    cookie: Vec<u8>,
    host: Vec<u8>,
    has_host: bool,
    authority: Option<Range<usize>>,
    seen: u8,
    path_bytes: usize,
    header_bytes: usize,
    fields: usize,
    in_fields: bool,
    trailers: bool,
    malformed: bool,
    scheme_is_http: bool,
    reject: Option<Reject>,
    limits: Option<HeadLimits>,
}

const METHOD: u8 = 1;
const SCHEME: u8 = 2;
const PATH: u8 = 4;
const AUTHORITY: u8 = 8;

impl Builder {
    /// Begin with a block, of a request or of trailers.
    pub fn begin(&mut self, limits: HeadLimits, trailers: bool) {
        self.head.clear();
        self.cookie.clear();
        self.host.clear();
        *self = Self {
            head: std::mem::take(&mut self.head),
            cookie: std::mem::take(&mut self.cookie),
            host: std::mem::take(&mut self.host),
            trailers,
            limits: Some(limits),
            ..Self::default()
        };
    }

    /// Take a field.
    pub fn field(&mut self, name: &[u8], value: &[u8]) {
        if self.malformed {
            return;
        }
        let fits = match name {
            [b':', ..] => !self.trailers && !self.in_fields && self.pseudo(name, value),
            _ => self.regular(name, value),
        };
        self.malformed |= !fits;
    }

    fn pseudo(&mut self, name: &[u8], value: &[u8]) -> bool {
        let Some(limits) = self.limits else { return false };
        let bit = match name {
            b":method" => METHOD,
            b":scheme" => SCHEME,
            b":path" => PATH,
            b":authority" => AUTHORITY,
            _ => return false,
        };
        if self.seen & bit != 0 {
            return false;
        }
        self.seen |= bit;
        match bit {
            METHOD | PATH => {
                // As the length of the line that HTTP/1 would have, spaces and version included.
                self.path_bytes += value.len();
                if self.path_bytes + 10 > limits.request_line_bytes {
                    self.reject.get_or_insert(Reject::RequestLineTooLong);
                    return true;
                }
                if bit == METHOD {
                    self.head.method = self.head.add(value);
                    return !value.is_empty() && value.iter().all(|&b| TOKEN[usize::from(b)]);
                }
                self.head.target = self.head.add(value);
                (value.first() == Some(&b'/') || value == b"*")
                    && value.iter().all(|&b| b > b' ' && b != 0x7f)
                    && std::str::from_utf8(value).is_ok()
            }
            SCHEME => {
                self.scheme_is_http =
                    [&b"http"[..], b"https"].iter().any(|s| value.eq_ignore_ascii_case(s));
                !value.is_empty() && value.iter().all(|&b| TOKEN[usize::from(b)])
            }
            _ => {
                if !self.count(b"host", value) {
                    return true;
                }
                self.authority = Some(self.head.add(value));
                is_value(value)
            }
        }
    }

    /// Whether there is room for one more field.
    fn count(&mut self, name: &[u8], value: &[u8]) -> bool {
        let Some(limits) = self.limits else { return false };
        self.fields += 1;
        // As the length of the line that HTTP/1 would have.
        self.header_bytes = self.header_bytes.saturating_add(name.len() + value.len() + 4);
        if self.fields > limits.header_fields || self.header_bytes > limits.header_bytes {
            self.reject.get_or_insert(Reject::HeaderTooLarge);
        }
        self.reject.is_none()
    }

    fn regular(&mut self, name: &[u8], value: &[u8]) -> bool {
        self.in_fields = true;
        if !self.count(name, value) {
            return true;
        }
        if name.is_empty()
            || !name.iter().all(|&b| TOKEN[usize::from(b)] && !b.is_ascii_uppercase())
            || !is_value(value)
        {
            return false;
        }
        if self.trailers {
            for part in [name, b": ", value, b"\r\n"] {
                self.trailer_lines.extend_from_slice(part);
            }
            return true;
        }
        match name {
            b"connection" | b"keep-alive" | b"proxy-connection" | b"transfer-encoding"
            | b"upgrade" => return false,
            b"te" if value != b"trailers" => return false,
            b"cookie" => {
                if !self.cookie.is_empty() {
                    self.cookie.extend_from_slice(b"; ");
                }
                self.cookie.extend_from_slice(value);
                return true;
            }
            b"host" => {
                let second = std::mem::replace(&mut self.has_host, true);
                self.host.extend_from_slice(value);
                return !second;
            }
            b"content-length" => {
                let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
                let add = |sum: u64, &digit: &u8| {
                    sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
                };
                if !digits || self.content_length.is_some() {
                    return false;
                }
                self.content_length = Some(value.iter().fold(0, add));
            }
            b"priority" => self.priority = Some(Priority::parse(value)),
            _ => {}
        }
        self.head.add_field(name, value);
        true
    }

    /// The block is over; `ended` when no body follows.
    pub fn finish(&mut self, ended: bool) -> Verdict {
        if self.malformed {
            return Verdict::Malformed;
        }
        if let Some(reject) = self.reject {
            return Verdict::Refuse(reject);
        }
        if self.trailers {
            return Verdict::Fine;
        }
        if self.head.text.get(self.head.method.clone()) == Some(b"CONNECT") {
            let whole = self.seen == METHOD | AUTHORITY;
            let reject = Reject::Malformed("CONNECT is for proxies, and this is none");
            return if whole { Verdict::Refuse(reject) } else { Verdict::Malformed };
        }
        let needed = METHOD | SCHEME | PATH;
        if self.seen & needed != needed {
            return Verdict::Malformed;
        }
        if !self.scheme_is_http {
            return Verdict::Refuse(Reject::Malformed("the scheme is neither http nor https"));
        }
        if ended && self.content_length.is_some_and(|len| len > 0) {
            return Verdict::Malformed;
        }
        let host = match &self.authority {
            Some(range) => {
                let authority = &self.head.text[range.clone()];
                if self.has_host && !authority.eq_ignore_ascii_case(&self.host) {
                    return Verdict::Malformed;
                }
                Some(range.clone())
            }
            None => self.has_host.then(|| {
                let host = std::mem::take(&mut self.host);
                let range = self.head.add(&host);
                self.host = host;
                range
            }),
        };
        if let Some(host) = host {
            let name = self.head.add(b"host");
            let short = |range: Range<usize>| range.start as u32..range.end as u32;
            self.head.fields.insert(0, (short(name), short(host)));
        }
        if !self.cookie.is_empty() {
            let cookie = std::mem::take(&mut self.cookie);
            self.head.add_field(b"cookie", &cookie);
            self.cookie = cookie;
        }
        self.head.ended = ended;
        Verdict::Fine
    }
}

/// Characters of a token (RFC 9110, section 5.6.2).
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let more = b"!#$%&'*+-.^_`|~";
    let mut at = 0;
    while at < more.len() {
        table[more[at] as usize] = true;
        at += 1;
    }
    table
};

/// Whether a value has no control characters but tabs, and no white space around it.
fn is_value(value: &[u8]) -> bool {
    let around = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    !around(value.first())
        && !around(value.last())
        && value.iter().all(|&b| b >= b' ' && b != 0x7f || b == b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::body::Framing;
    use crate::request::Field;

    const LIMITS: HeadLimits =
        HeadLimits { request_line_bytes: 60, header_bytes: 200, header_fields: 8 };

    const START: &[(&str, &str)] =
        &[(":method", "GET"), (":scheme", "http"), (":path", "/a?b"), (":authority", "h:1")];

    fn build(fields: &[(&str, &str)], ended: bool) -> (Verdict, Builder) {
        let mut builder = Builder::default();
        builder.begin(LIMITS, false);
        for (name, value) in fields {
            builder.field(name.as_bytes(), value.as_bytes());
        }
        (builder.finish(ended), builder)
    }

    fn with(more: &[(&str, &str)]) -> Verdict {
        build(&[START, more].concat(), true).0
    }

    #[test]
    fn requests() {
        let more =
            [("cookie", "a=b"), ("range", "bytes=0-"), ("cookie", "c=d"), ("te", "trailers")];
        let (verdict, builder) = build(&[START, &more].concat(), true);
        assert_eq!(verdict, Verdict::Fine);
        let mut list = FieldList::new();
        let request = builder.head.request(&mut list).unwrap();
        assert_eq!(
            (request.method.as_str(), request.raw_target, request.host),
            ("GET", "/a?b", &b"h:1"[..])
        );
        assert_eq!((request.version(), request.framing), ((2, 0), Framing::None));
        assert_eq!(request.single(Field::Range), Some(&b"bytes=0-"[..]));
        let cookies: Vec<_> = request.headers().filter(|(name, _)| *name == "cookie").collect();
        assert_eq!(cookies, [("cookie", &b"a=b; c=d"[..])]);
    }

    #[test]
    fn bodies() {
        for (more, framing) in [
            (&[("content-length", "5")][..], Framing::Length(5)),
            (&[], Framing::Chunked),
            (&[("content-length", "0")], Framing::Chunked),
        ] {
            let (verdict, builder) =
                build(&[START, more, &[("expect", "100-continue")]].concat(), false);
            let mut list = FieldList::new();
            let request = builder.head.request(&mut list).unwrap();
            assert_eq!((verdict, request.framing), (Verdict::Fine, framing));
            assert!(request.expects_continue);
        }
    }

    #[test]
    fn malformed_fields() {
        for (name, value) in [
            ("X-Upper", "a"),
            ("x y", "a"),
            ("", "a"),
            ("x:", "a"),
            ("x", "a\r\nb: c"),
            ("x", "a\0"),
            ("x", " a"),
            ("x", "a\t"),
            ("x", "\x7f"),
            ("connection", "close"),
            ("upgrade", "h2c"),
            ("keep-alive", "1"),
            ("proxy-connection", "a"),
            ("transfer-encoding", "chunked"),
            ("te", "gzip"),
            (":path", "/again"),
            (":status", "200"),
            (":protocol", "x"),
            ("host", "other"),
            ("content-length", "5"),
            ("content-length", "+0"),
            ("content-length", ""),
        ] {
            assert_eq!(with(&[(name, value)]), Verdict::Malformed, "{name}: {value}");
        }
        assert_eq!(with(&[("x", "y"), (":authority", "h")]), Verdict::Malformed);
        assert_eq!(with(&[("host", "H:1")]), Verdict::Fine);
        assert_eq!(with(&[("host", "h:1"), ("host", "h:1")]), Verdict::Malformed);
        assert_eq!(with(&[("content-length", "0"), ("content-length", "0")]), Verdict::Malformed);
    }

    #[test]
    fn malformed_starts() {
        for missing in 0..3 {
            let mut fields = START.to_vec();
            fields.remove(missing);
            assert_eq!(build(&fields, true).0, Verdict::Malformed);
        }
        assert_eq!(build(&START[..3], true).0, Verdict::Fine);
        for path in ["", "a", "http://h/", "/a b", "/\x01", "/\r"] {
            let fields = [START[0], START[1], (":path", path)];
            assert_eq!(build(&fields, true).0, Verdict::Malformed, "{path}");
        }
        for method in ["", "G T", "G\r\n"] {
            assert_eq!(
                build(&[(":method", method), START[1], START[2]], true).0,
                Verdict::Malformed
            );
        }
        let connect = [(":method", "CONNECT"), (":authority", "h:1")];
        assert!(matches!(build(&connect, true).0, Verdict::Refuse(Reject::Malformed(_))));
        let ftp = [START[0], (":scheme", "ftp"), START[2]];
        assert!(matches!(build(&ftp, true).0, Verdict::Refuse(Reject::Malformed(_))));
    }

    #[test]
    fn limits() {
        let long = "a".repeat(300);
        assert_eq!(with(&[("x", &long)]), Verdict::Refuse(Reject::HeaderTooLarge));
        assert_eq!(with(&[("x", "y"); 8]), Verdict::Refuse(Reject::HeaderTooLarge));
        let path = format!("/{long}");
        let fields = [START[0], START[1], (":path", &path), ("x", &long)];
        assert_eq!(build(&fields, true).0, Verdict::Refuse(Reject::RequestLineTooLong));
    }
}
