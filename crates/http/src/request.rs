//! The head of an HTTP/1 request: what arrived, checked for one meaning only.

use std::mem::MaybeUninit;

use httparse::{Header, Status};

use crate::body::Framing;
use crate::date;
use crate::status::Reject;

/// Most header fields that any configuration allows: storage for them lies on the stack.
pub const MAX_FIELDS: usize = 256;

/// How much head a request may have.
#[derive(Clone, Copy, Debug)]
pub struct HeadLimits {
    /// Bytes of the request line, its end excluded; beyond it 414.
    pub request_line_bytes: usize,
    /// Bytes of the header section; beyond it 431.
    pub header_bytes: usize,
    /// Header fields; beyond it 431. At most [`MAX_FIELDS`].
    pub header_fields: usize,
}

/// Methods that serving distinguishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method<'b> {
    /// GET
    Get,
    /// HEAD
    Head,
    /// OPTIONS
    Options,
    /// Any other token.
    Other(&'b str),
}

impl<'b> Method<'b> {
    /// The token as it was sent; methods are case-sensitive.
    pub fn as_str(self) -> &'b str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Other(token) => token,
        }
    }
}

/// Fields that serving looks at; which of them a request has is found in one pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Field {
    /// Accept-Encoding
    AcceptEncoding,
    /// If-Match
    IfMatch,
    /// If-None-Match
    IfNoneMatch,
    /// If-Modified-Since
    IfModifiedSince,
    /// If-Unmodified-Since
    IfUnmodifiedSince,
    /// If-Range
    IfRange,
    /// Range
    Range,
    /// Referer
    Referer,
    /// User-Agent
    UserAgent,
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::AcceptEncoding => "accept-encoding",
            Self::IfMatch => "if-match",
            Self::IfNoneMatch => "if-none-match",
            Self::IfModifiedSince => "if-modified-since",
            Self::IfUnmodifiedSince => "if-unmodified-since",
            Self::IfRange => "if-range",
            Self::Range => "range",
            Self::Referer => "referer",
            Self::UserAgent => "user-agent",
        }
    }
}

/// Where the client asks for the resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'b> {
    /// A path that begins with a slash, and the query without its question mark.
    Path {
        /// As sent, escapes included.
        path: &'b str,
        /// As sent; `None` without a question mark.
        query: Option<&'b str>,
    },
    /// `*`, with OPTIONS: the server as a whole.
    Asterisk,
}

/// A request whose head is complete. Borrows the bytes it was read from.
#[derive(Debug)]
pub struct Request<'h, 'b> {
    /// What to do.
    pub method: Method<'b>,
    /// With what.
    pub target: Target<'b>,
    /// The whole target as sent: for logs.
    pub raw_target: &'b str,
    /// 1 or 2.
    pub major_version: u8,
    /// 0 or 1: the minor version of HTTP/1; 0 of HTTP/2.
    pub minor_version: u8,
    /// From the target or the Host field; empty for HTTP/1.0 without one.
    pub host: &'b [u8],
    /// How the body is framed.
    pub framing: Framing,
    /// Whether the connection may carry another request after this one.
    pub keep_alive: bool,
    /// Whether the client waits for 100 before it sends the body.
    pub expects_continue: bool,
    /// Whether it says so, body or not.
    awaits_continue: bool,
    headers: &'h [Header<'b>],
    present: u16,
}

impl<'b> Request<'_, 'b> {
    /// Major and minor version of the protocol.
    pub fn version(&self) -> (u8, u8) {
        (self.major_version, self.minor_version)
    }

    /// The protocol as logs name it.
    pub fn protocol(&self) -> &'static str {
        match self.version() {
            (2, _) => "HTTP/2.0",
            (_, 0) => "HTTP/1.0",
            _ => "HTTP/1.1",
        }
    }

    /// Whether the field is there at all.
    pub fn has(&self, field: Field) -> bool {
        self.present & 1 << field as u8 != 0
    }

    /// Every line of a field, in order.
    pub fn values(&self, field: Field) -> impl Iterator<Item = &'b [u8]> {
        let headers = if self.has(field) { self.headers } else { &[] };
        let name = field.name();
        headers.iter().filter(move |h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value)
    }

    /// The value of a field that may occur once; `None` when it occurs more often.
    pub fn single(&self, field: Field) -> Option<&'b [u8]> {
        let mut values = self.values(field);
        let value = values.next()?;
        values.next().is_none().then(|| value.trim_ascii())
    }

    /// A field's date; one that is not valid counts as not sent (RFC 9110, section 13.1).
    pub fn date(&self, field: Field) -> Option<i64> {
        if self.has(field) { date::parse(self.single(field)?) } else { None }
    }

    /// All fields in order, names as sent.
    pub fn headers(&self) -> impl Iterator<Item = (&'b str, &'b [u8])> + Clone {
        self.headers.iter().map(|header| (header.name, header.value))
    }
}

/// Storage for the fields of one request, kept by the caller so that requests borrow from it.
pub type FieldSlots<'b> = [MaybeUninit<Header<'b>>; MAX_FIELDS];

/// Fresh storage; costs nothing.
pub fn field_slots<'b>() -> FieldSlots<'b> {
    [const { MaybeUninit::uninit() }; MAX_FIELDS]
}

/// What the bytes so far amount to.
#[derive(Debug)]
pub enum Head<'h, 'b> {
    /// The head is not complete.
    Partial,
    /// The head is complete and was `len` bytes long.
    Complete {
        /// The request.
        request: Request<'h, 'b>,
        /// Bytes of the head; the body follows.
        len: usize,
    },
}

/// Read the head of a request from the front of `buf`.
pub fn parse<'h, 'b>(
    buf: &'b [u8],
    slots: &'h mut FieldSlots<'b>,
    limits: &HeadLimits,
) -> Result<Head<'h, 'b>, Reject> {
    let slots = &mut slots[..limits.header_fields.min(MAX_FIELDS)];
    let mut parsed = httparse::Request::new(&mut []);
    let status = parsed.parse_with_uninit_headers(buf, slots).map_err(reject_of);
    let len = match status {
        Ok(Status::Complete(len)) => len,
        Ok(Status::Partial) => return check_partial(buf, limits),
        Err(reject) => {
            // What is too long is told so even if it is wrong further on.
            check_partial(buf, limits)?;
            let spoken = reject != Reject::Version || names_version(buf);
            return Err(if spoken {
                reject
            } else {
                Reject::Malformed("the request line is not valid")
            });
        }
    };
    check_lines(&buf[..len], limits)?;
    let (Some(method), Some(target), Some(minor_version)) =
        (parsed.method, parsed.path, parsed.version)
    else {
        return Err(Reject::Malformed("the request line is not complete"));
    };
    let request = assemble(method, target, minor_version, parsed.headers)?;
    Ok(Head::Complete { request, len })
}

fn reject_of(error: httparse::Error) -> Reject {
    match error {
        httparse::Error::TooManyHeaders => Reject::HeaderTooLarge,
        httparse::Error::Version => Reject::Version,
        httparse::Error::Token => Reject::Malformed("the request line is not valid"),
        httparse::Error::HeaderName => Reject::Malformed("a header name is not valid"),
        httparse::Error::HeaderValue => Reject::Malformed("a header value is not valid"),
        _ => Reject::Malformed("the request is not valid"),
    }
}

/// Whether the first line ends in the name of a version of HTTP that we do not speak.
fn names_version(buf: &[u8]) -> bool {
    let line = &buf[..line_len(buf).unwrap_or(buf.len())];
    let last = line.trim_ascii_end().rsplit(|&b| b == b' ').next().unwrap_or_default();
    let version = last.strip_prefix(b"HTTP/").unwrap_or_default();
    !version.is_empty()
        && !matches!(version, b"1.0" | b"1.1")
        && version.iter().all(|b| b.is_ascii_digit() || *b == b'.')
}

fn check_partial(buf: &[u8], limits: &HeadLimits) -> Result<Head<'static, 'static>, Reject> {
    // Empty lines before a request are allowed and count as part of its line.
    let line = line_len(buf).unwrap_or(buf.len());
    if line > limits.request_line_bytes {
        return Err(Reject::RequestLineTooLong);
    }
    if buf.len() - line > limits.header_bytes {
        return Err(Reject::HeaderTooLarge);
    }
    Ok(Head::Partial)
}

/// Bytes before the end of the first line that is not empty.
fn line_len(buf: &[u8]) -> Option<usize> {
    let start = buf.iter().position(|&b| b != b'\r' && b != b'\n')?;
    memchr::memchr(b'\n', &buf[start..]).map(|at| start + at)
}

/// Lines end in CRLF: a reader that also takes a bare LF or CR for an end would see other fields.
fn check_lines(head: &[u8], limits: &HeadLimits) -> Result<(), Reject> {
    let line = line_len(head).unwrap_or(head.len());
    if line > limits.request_line_bytes {
        return Err(Reject::RequestLineTooLong);
    }
    if head.len() - line > limits.header_bytes {
        return Err(Reject::HeaderTooLarge);
    }
    let bare = memchr::memchr_iter(b'\n', head).any(|at| at == 0 || head[at - 1] != b'\r');
    if bare {
        return Err(Reject::Malformed("a line ends in LF without CR"));
    }
    Ok(())
}

#[inline]
fn assemble<'h, 'b>(
    method: &'b str,
    raw_target: &'b str,
    minor_version: u8,
    headers: &'h [Header<'b>],
) -> Result<Request<'h, 'b>, Reject> {
    let method = match method {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "OPTIONS" => Method::Options,
        other => Method::Other(other),
    };
    let (target, authority) = target_of(method, raw_target)?;
    let mut fields = Fields::default();
    for header in headers {
        fields.note(header)?;
    }
    if minor_version == 1 && fields.host.is_none() {
        return Err(Reject::Malformed("an HTTP/1.1 request without a Host field"));
    }
    let framing = fields.framing(minor_version)?;
    Ok(Request {
        method,
        target,
        raw_target,
        major_version: 1,
        minor_version,
        host: authority.or(fields.host).unwrap_or_default(),
        framing,
        keep_alive: !fields.close && (minor_version == 1 || fields.keep_alive),
        expects_continue: fields.expects_continue && minor_version == 1 && framing != Framing::None,
        awaits_continue: fields.expects_continue,
        headers,
        present: fields.present,
    })
}

/// A request from parts that were framed by HTTP/2, whose form has been checked; `ended` when no
/// body follows.
pub(crate) fn from_parts<'h, 'b>(
    method: &'b str,
    target: &'b str,
    headers: &'h [Header<'b>],
    ended: bool,
) -> Result<Request<'h, 'b>, Reject> {
    let mut request = assemble(method, target, 1, headers)?;
    request.framing = match request.framing {
        _ if ended => Framing::None,
        Framing::Length(len) => Framing::Length(len),
        // Frames say where it ends.
        _ => Framing::Chunked,
    };
    request.expects_continue = request.awaits_continue && !ended;
    (request.major_version, request.minor_version) = (2, 0);
    Ok(request)
}

/// The target's meaning, and the authority if it states one.
fn target_of<'b>(
    method: Method<'b>,
    raw: &'b str,
) -> Result<(Target<'b>, Option<&'b [u8]>), Reject> {
    if raw.starts_with('/') {
        return Ok((path_of(raw)?, None));
    }
    if raw == "*" && method == Method::Options {
        return Ok((Target::Asterisk, None));
    }
    let scheme_len = ["http://", "https://"]
        .iter()
        .find(|s| raw.get(..s.len()).is_some_and(|start| start.eq_ignore_ascii_case(s)))
        .map(|s| s.len())
        .ok_or(Reject::Malformed("the request target is neither a path nor a URL"))?;
    let rest = &raw[scheme_len..];
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.is_empty() || !is_host(authority.as_bytes()) {
        return Err(Reject::Malformed("the host of the request target is not valid"));
    }
    // An absolute target without a path means the root; with a query it has to say so.
    let target = match path {
        "" if method == Method::Options => Target::Asterisk,
        "" => Target::Path { path: "/", query: None },
        _ if path.starts_with('/') => path_of(path)?,
        _ => return Err(Reject::Malformed("the path of the request target is missing")),
    };
    Ok((target, Some(authority.as_bytes())))
}

fn path_of(raw: &str) -> Result<Target<'_>, Reject> {
    if memchr::memchr(b'#', raw.as_bytes()).is_some() {
        return Err(Reject::Malformed("the request target has a fragment"));
    }
    let (path, query) = match raw.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (raw, None),
    };
    Ok(Target::Path { path, query })
}

/// What the fields say of the message itself.
#[derive(Default)]
struct Fields<'b> {
    present: u16,
    host: Option<&'b [u8]>,
    length: Option<u64>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    expects_continue: bool,
}

impl<'b> Fields<'b> {
    fn note(&mut self, header: &Header<'b>) -> Result<(), Reject> {
        let name = header.name;
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        // The length alone tells most names apart.
        let known = match name.len() {
            4 if is("host") => return self.host(header.value),
            5 if is("range") => Field::Range,
            6 if is("expect") => return self.expect(header.value),
            7 if is("referer") => Field::Referer,
            8 if is("if-match") => Field::IfMatch,
            8 if is("if-range") => Field::IfRange,
            10 if is("connection") => {
                self.connection(header.value);
                return Ok(());
            }
            10 if is("user-agent") => Field::UserAgent,
            13 if is("if-none-match") => Field::IfNoneMatch,
            14 if is("content-length") => return self.content_length(header.value),
            15 if is("accept-encoding") => Field::AcceptEncoding,
            17 if is("if-modified-since") => Field::IfModifiedSince,
            17 if is("transfer-encoding") => return self.transfer_encoding(header.value),
            19 if is("if-unmodified-since") => Field::IfUnmodifiedSince,
            _ => return Ok(()),
        };
        self.present |= 1 << known as u8;
        Ok(())
    }

    fn host(&mut self, value: &'b [u8]) -> Result<(), Reject> {
        if self.host.is_some() {
            return Err(Reject::Malformed("two Host fields"));
        }
        let value = value.trim_ascii();
        if !is_host(value) {
            return Err(Reject::Malformed("the Host field is not valid"));
        }
        self.host = Some(value);
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|&b| b == b',') {
            let option = option.trim_ascii();
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        }
    }

    fn expect(&mut self, value: &[u8]) -> Result<(), Reject> {
        if !value.trim_ascii().eq_ignore_ascii_case(b"100-continue") {
            return Err(Reject::Expectation);
        }
        self.expects_continue = true;
        Ok(())
    }

    fn content_length(&mut self, value: &[u8]) -> Result<(), Reject> {
        let value = value.trim_ascii();
        // Digits only: no sign, no list. 18 digits are an exabyte.
        if self.length.is_some() {
            return Err(Reject::Malformed("two Content-Length fields"));
        }
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return Err(Reject::Malformed("the Content-Length is not a number"));
        }
        let add = |sum: u64, &d: &u8| sum.saturating_mul(10).saturating_add(u64::from(d - b'0'));
        self.length = Some(value.iter().fold(0, add));
        Ok(())
    }

    fn transfer_encoding(&mut self, value: &[u8]) -> Result<(), Reject> {
        if self.chunked {
            return Err(Reject::Malformed("two Transfer-Encoding fields"));
        }
        let value = value.trim_ascii();
        if value.eq_ignore_ascii_case(b"chunked") {
            self.chunked = true;
            return Ok(());
        }
        let last = value.rsplit(|&b| b == b',').next().unwrap_or_default().trim_ascii();
        if last.eq_ignore_ascii_case(b"chunked")
            && !value.to_ascii_lowercase().starts_with(b"chunked")
        {
            return Err(Reject::TransferCoding);
        }
        // Without chunked at the end nobody knows where the body ends.
        Err(Reject::Malformed("the Transfer-Encoding does not end in chunked"))
    }

    fn framing(&self, minor_version: u8) -> Result<Framing, Reject> {
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Reject::Malformed("both Content-Length and Transfer-Encoding")),
            (true, None) if minor_version == 0 => {
                Err(Reject::Malformed("Transfer-Encoding in an HTTP/1.0 request"))
            }
            (true, None) => Ok(Framing::Chunked),
            (false, Some(0) | None) => Ok(Framing::None),
            (false, Some(len)) => Ok(Framing::Length(len)),
        }
    }
}

/// Characters of a registered name or an IPv4 address.
const REG_NAME: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let more = b"-._~!$&'()*+;=%";
    let mut at = 0;
    while at < more.len() {
        table[more[at] as usize] = true;
        at += 1;
    }
    table
};

/// Whether a value is `host[:port]` (RFC 3986, section 3.2), user information excluded.
fn is_host(value: &[u8]) -> bool {
    let (host, port) = match value.iter().rposition(|&b| b == b':' || b == b']') {
        Some(at) if value[at] == b':' => (&value[..at], &value[at + 1..]),
        _ => (value, &b""[..]),
    };
    let literal = host.strip_prefix(b"[").and_then(|rest| rest.strip_suffix(b"]"));
    let host_fits = match literal {
        Some(address) => address.iter().all(|b| b.is_ascii_alphanumeric() || b":._~-%".contains(b)),
        None => host.iter().all(|&b| REG_NAME[usize::from(b)]),
    };
    host_fits && port.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::{Outcome, Validators, evaluate, range_applies};
    use proptest::prelude::*;

    const LIMITS: HeadLimits =
        HeadLimits { request_line_bytes: 100, header_bytes: 300, header_fields: 8 };

    fn outcome(input: &str) -> Result<String, Reject> {
        let mut slots = field_slots();
        match parse(input.as_bytes(), &mut slots, &LIMITS)? {
            Head::Partial => Ok("partial".into()),
            Head::Complete { request: r, len } => Ok(format!(
                "{} {:?} {} {:?} {} {}",
                r.method.as_str(),
                r.target,
                String::from_utf8_lossy(r.host),
                r.framing,
                r.keep_alive,
                input.len() - len,
            )),
        }
    }

    #[test]
    fn requests() {
        let get = "GET Path { path: \"/a\", query: Some(\"b=c\") } h None true 0";
        assert_eq!(outcome("GET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n").as_deref(), Ok(get));
        assert_eq!(outcome("GET http://h/a?b=c HTTP/1.1\r\nHost: x\r\n\r\n").as_deref(), Ok(get));
        assert_eq!(outcome("\r\nGET /a?b=c HTTP/1.1\r\nHost: h\r\n\r\n").as_deref(), Ok(get));
        for (input, expected) in [
            ("GET / HTTP/1.0\r\n\r\n", "GET Path { path: \"/\", query: None }  None false 0"),
            (
                "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
                "GET Path { path: \"/\", query: None }  None true 0",
            ),
            (
                "GET / HTTP/1.1\r\nHost: h\r\nConnection: x, close\r\n\r\nrest",
                "GET Path { path: \"/\", query: None } h None false 4",
            ),
            (
                "POST / HTTP/1.1\r\nHost: h:80\r\nContent-Length: 12\r\n\r\n",
                "POST Path { path: \"/\", query: None } h:80 Length(12) true 0",
            ),
            (
                "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: Chunked\r\n\r\n",
                "POST Path { path: \"/\", query: None } h Chunked true 0",
            ),
            ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "OPTIONS Asterisk h None true 0"),
            (
                "GET http://h HTTP/1.1\r\nHost: h\r\n\r\n",
                "GET Path { path: \"/\", query: None } h None true 0",
            ),
            ("GET / HTTP/1.1\r\nHost:", "partial"),
            ("", "partial"),
        ] {
            assert_eq!(outcome(input).as_deref(), Ok(expected), "{input:?}");
        }
    }

    #[test]
    fn ambiguous_requests_are_refused() {
        for headers in [
            "",
            "Host: a\r\nHost: a\r\n",
            "Host: a b\r\n",
            "Host: a/b\r\n",
            "Host: u@a\r\n",
            "Host: a:port\r\n",
            "Host: a:1:2\r\n",
            "Host: [::1\r\n",
            "Host: ::1\r\n",
            "Host: a\nX: y\r\n",
            "Host : a\r\n",
            "Host: a\r\n folded\r\n",
            "Host: a\r\nX: y\r\n\tfolded\r\n",
            "Host: a\r\nX: a\0b\r\n",
            "Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Host: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
            "Host: a\r\nContent-Length: 1, 1\r\n",
            "Host: a\r\nContent-Length: -1\r\n",
            "Host: a\r\nContent-Length: +1\r\n",
            "Host: a\r\nContent-Length: 0x1\r\n",
            "Host: a\r\nContent-Length:\r\n",
            "Host: a\r\nTransfer-Encoding: chunked, gzip\r\n",
            "Host: a\r\nTransfer-Encoding: chunked, chunked\r\n",
            "Host: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Host: a\r\nTransfer-Encoding: xchunked\r\n",
            "Host: a\r\nTransfer-Encoding: identity\r\n",
        ] {
            let input = format!("POST / HTTP/1.1\r\n{headers}\r\n");
            let result = outcome(&input);
            assert!(matches!(result, Err(Reject::Malformed(_))), "{headers:?}: {result:?}");
        }
        for line in [
            "GET  / HTTP/1.1",
            "GET /",
            "GET / HTTP/1.1 x",
            " GET / HTTP/1.1",
            "GET a HTTP/1.1",
            "GET /#a HTTP/1.1",
            "CONNECT h:1 HTTP/1.1",
            "GET * HTTP/1.1",
            "GET http:///x HTTP/1.1",
            "G T / HTTP/1.1",
        ] {
            let result = outcome(&format!("{line}\r\nHost: a\r\n\r\n"));
            assert!(matches!(result, Err(Reject::Malformed(_))), "{line}: {result:?}");
        }
        let gzip = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n";
        assert_eq!(outcome(gzip), Err(Reject::TransferCoding));
        for version in ["2.0", "1.2", "0.9"] {
            let line = format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n");
            assert_eq!(outcome(&line), Err(Reject::Version), "{version}");
        }
        let expect = "GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n";
        assert_eq!(outcome(expect), Err(Reject::Expectation));
    }

    #[test]
    fn limits() {
        let long = "x".repeat(200);
        assert_eq!(outcome(&format!("GET /{long}")), Err(Reject::RequestLineTooLong));
        let complete = format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!(outcome(&complete), Err(Reject::RequestLineTooLong));
        let header = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}{long}");
        assert_eq!(outcome(&header), Err(Reject::HeaderTooLarge));
        assert_eq!(outcome(&format!("{header}\r\n\r\n")), Err(Reject::HeaderTooLarge));
        let many = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "A: b\r\n".repeat(8));
        assert_eq!(outcome(&many), Err(Reject::HeaderTooLarge));
    }

    #[test]
    fn conditions() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let later = "Sun, 06 Nov 1994 08:49:38 GMT";
        let earlier = "Sun, 06 Nov 1994 08:49:36 GMT";
        let validators = Validators { etag: b"\"e\"", last_modified: Some(784_111_777) };
        let check = |headers: &str, expected: Outcome| {
            let input = format!("GET / HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
            let mut slots = field_slots();
            let limits = HeadLimits { header_bytes: 1000, ..LIMITS };
            let Ok(Head::Complete { request, .. }) = parse(input.as_bytes(), &mut slots, &limits)
            else {
                panic!("{input}")
            };
            assert_eq!(evaluate(&request, validators), expected, "{headers}");
        };
        use Outcome::{Failed, NotModified, Proceed};
        check("", Proceed);
        check("If-None-Match: \"e\"\r\n", NotModified);
        check("If-None-Match: W/\"e\"\r\n", NotModified);
        check("If-None-Match: *\r\n", NotModified);
        check("If-None-Match: \"x\", \"a,\" ,,\"e\"\r\n", NotModified);
        check("If-None-Match: \"x\"\r\nIf-None-Match: \"e\"\r\n", NotModified);
        check("If-None-Match: \"x\"\r\n", Proceed);
        check("If-None-Match: e\r\n", Proceed);
        check(&format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {date}\r\n"), Proceed);
        check("If-Match: \"e\"\r\n", Proceed);
        check("If-Match: *\r\n", Proceed);
        check("If-Match: W/\"e\"\r\n", Failed);
        check("If-Match: \"x\"\r\n", Failed);
        check("If-Match: \"e\"\r\nIf-None-Match: \"e\"\r\n", NotModified);
        check(&format!("If-Match: \"e\"\r\nIf-Unmodified-Since: {earlier}\r\n"), Proceed);
        check(&format!("If-Modified-Since: {date}\r\n"), NotModified);
        check(&format!("If-Modified-Since: {later}\r\n"), NotModified);
        check(&format!("If-Modified-Since: {earlier}\r\n"), Proceed);
        check("If-Modified-Since: never\r\n", Proceed);
        check(&format!("If-Unmodified-Since: {date}\r\n"), Proceed);
        check(&format!("If-Unmodified-Since: {earlier}\r\n"), Failed);
        check("If-Unmodified-Since: never\r\n", Proceed);
    }

    #[test]
    fn if_range() {
        let validators = Validators { etag: b"\"e\"", last_modified: Some(784_111_777) };
        for (value, applies) in [
            ("\"e\"", true),
            ("W/\"e\"", false),
            ("\"x\"", false),
            ("Sun, 06 Nov 1994 08:49:37 GMT", true),
            ("Sun, 06 Nov 1994 08:49:38 GMT", false),
            ("e", false),
        ] {
            let input = format!("GET / HTTP/1.1\r\nHost: h\r\nIf-Range: {value}\r\n\r\n");
            let mut slots = field_slots();
            let Ok(Head::Complete { request, .. }) = parse(input.as_bytes(), &mut slots, &LIMITS)
            else {
                panic!("{input}")
            };
            assert_eq!(range_applies(&request, validators), applies, "{value}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_fine(input in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut slots = field_slots();
            let _ = parse(&input, &mut slots, &LIMITS);
        }

        #[test]
        fn mutated_requests_are_fine(at in 0usize..80, byte: u8) {
            let mut input = b"GET /a/b?c HTTP/1.1\r\nHost: example.com\r\nRange: bytes=0-1\r\nConnection: close\r\n\r\n".to_vec();
            if at < input.len() {
                input[at] = byte;
            }
            let mut slots = field_slots();
            if let Ok(Head::Complete { len, .. }) = parse(&input, &mut slots, &LIMITS) {
                prop_assert!(len <= input.len());
            }
        }
    }
}
