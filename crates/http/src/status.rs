//! Status codes, and the requests that are turned away before anybody looks at their meaning.

/// The reason phrase of a status code (RFC 9110, section 15).
pub fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        200 => "OK",
        204 => "No Content",
        206 => "Partial Content",
        301 => "Moved Permanently",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
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
            Self::TransferCoding => "the only transfer coding understood is chunked",
            Self::Version => "only HTTP/1.0 and HTTP/1.1 are understood",
        }
    }
}
