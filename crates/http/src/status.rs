//! Status codes, and the requests that are turned away before anybody looks at their meaning.

/// The reason phrase of a status code (RFC 9110, section 15).
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        511 => "Network Authentication Required",
        _ => "Status",
    }
}

/// Why a request is refused by its form; the connection closes after the answer, since where
/// the next request begins is no longer certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reject {
    /// 400: not HTTP, or framing that two readers could take differently.
    Malformed(&'static str),
    /// 408: the head or the body took too long.
    TimedOut,
    /// 413: the body is longer than the limit.
    BodyTooLarge,
    /// 414: the request line is longer than the limit.
    RequestLineTooLong,
    /// 417: an expectation other than 100-continue.
    Expectation,
    /// 431: the header section is longer than the limit, or has more fields.
    HeaderTooLarge,
    /// 503: too many requests wait for their bodies.
    Busy,
    /// 501: a transfer coding other than chunked.
    TransferCoding,
    /// 505: a major version other than 1.
    Version,
}

impl Reject {
    /// The status code that tells the client.
    pub fn status(self) -> u16 {
        match self {
            Self::Malformed(_) => 400,
            Self::TimedOut => 408,
            Self::BodyTooLarge => 413,
            Self::RequestLineTooLong => 414,
            Self::Expectation => 417,
            Self::HeaderTooLarge => 431,
            Self::TransferCoding => 501,
            Self::Busy => 503,
            Self::Version => 505,
        }
    }

    /// One line for the person who wrote the client.
    pub fn explain(self) -> &'static str {
        match self {
            Self::Malformed(why) => why,
            Self::TimedOut => "the request took too long to arrive",
            Self::BodyTooLarge => "the request body is longer than the limit",
            Self::RequestLineTooLong => "the request line is longer than the limit",
            Self::Expectation => "the only expectation understood is 100-continue",
            Self::HeaderTooLarge => "the header section is longer than the limit",
            Self::Busy => "too many request bodies are on their way",
            Self::TransferCoding => "the only transfer coding understood is chunked",
            Self::Version => "only HTTP/1.0 and HTTP/1.1 are understood",
        }
    }
}
