//! Heads as the HTTP/2 library has them: of requests, made from the text that HTTP/1 has, and of
//! responses, made into lines.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{Method, Request, Response, Version};
use httparse::{EMPTY_HEADER, Status};

use crate::head::{Asked, Head, is_hop_by_hop, line};

/// Most header fields of a request, which the server has let through.
const MAX_FIELDS: usize = 512;

/// A request from its head as HTTP/1.1 has it.
pub(super) fn request(head: &[u8], is_tls: bool) -> Result<Request<()>, &'static str> {
    let mut slots = [EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut slots);
    let complete = parsed.parse(head);
    let (Ok(Status::Complete(_)), Some(method), Some(target)) =
        (complete, parsed.method, parsed.path)
    else {
        return Err("the request can't be said in HTTP/2");
    };
    let mut fields = HeaderMap::with_capacity(parsed.headers.len() + 1);
    let mut host = None;
    for header in parsed.headers.iter() {
        if header.name.eq_ignore_ascii_case("host") {
            host = Some(header.value);
        } else if !is_hop_by_hop(header.name) {
            append(&mut fields, header.name, header.value);
        }
    }
    // Trailers are passed on. Servers of gRPC want to know.
    fields.append("te", HeaderValue::from_static("trailers"));
    let authority = host.and_then(|host| Authority::try_from(host).ok());
    let scheme = if is_tls { Scheme::HTTPS } else { Scheme::HTTP };
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(authority.ok_or("the host of the request can't be said in HTTP/2")?)
        .path_and_query(path(target)?)
        .build();
    let method = Method::from_bytes(method.as_bytes());
    let mut request = Request::new(());
    *request.version_mut() = Version::HTTP_2;
    *request.method_mut() = method.map_err(|_| "the method can't be said in HTTP/2")?;
    *request.uri_mut() = uri.map_err(|_| "the path can't be said in HTTP/2")?;
    *request.headers_mut() = fields;
    Ok(request)
}

/// Bytes that clients send as they are and the library does not take are percent-encoded.
fn path(target: &str) -> Result<PathAndQuery, &'static str> {
    if let Ok(path) = PathAndQuery::try_from(target) {
        return Ok(path);
    }
    let mut text = String::with_capacity(target.len() + 16);
    for letter in target.chars() {
        match letter {
            '<' | '>' | '"' | '`' | '^' | '\\' | '{' | '|' | '}' | '#' => {
                text.push_str(&format!("%{:02X}", u32::from(letter)));
            }
            _ => text.push(letter),
        }
    }
    PathAndQuery::try_from(text).map_err(|_| "the path can't be said in HTTP/2")
}

fn append(fields: &mut HeaderMap, name: &str, value: &[u8]) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(value)) {
        // It refuses only where there are thousands.
        let _ = fields.try_append(name, value);
    }
}

/// Trailer fields from their lines.
pub(super) fn trailers(lines: &[u8]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for text in lines.split(|byte| *byte == b'\n') {
        let mut parts = text.splitn(2, |byte| *byte == b':');
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else { continue };
        let Ok(name) = std::str::from_utf8(name) else { continue };
        if !is_hop_by_hop(name) {
            append(&mut fields, name, value.trim_ascii());
        }
    }
    fields
}

/// The lines of fields: all but those about the connection and `without`.
pub(super) fn lines(fields: &HeaderMap, without: Option<&str>) -> Vec<u8> {
    let len: usize = fields.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let mut out = Vec::with_capacity(len);
    for (name, value) in fields {
        if !is_hop_by_hop(name.as_str()) && Some(name.as_str()) != without {
            line(&mut out, name.as_str(), value.as_bytes().trim_ascii());
        }
    }
    out
}

/// The head of a response; `ended` when nothing follows it.
pub(super) fn head<B>(
    response: &Response<B>,
    asked: Asked,
    ended: bool,
) -> Result<Head, &'static str> {
    let fields = response.headers();
    let mut length = None;
    for value in fields.get_all(http::header::CONTENT_LENGTH) {
        let digits = value.as_bytes();
        let number = Some(digits).filter(|text| text.iter().all(u8::is_ascii_digit));
        let number = number.and_then(|text| std::str::from_utf8(text).ok()?.parse::<u64>().ok());
        let number = number.ok_or("its content-length is no number")?;
        if length.is_some_and(|other| other != number) {
            return Err("its response has two lengths");
        }
        length = Some(number);
    }
    let status = response.status().as_u16();
    let is_bare = asked.is_head || status < 200 || matches!(status, 204 | 304);
    Ok(Head {
        status,
        fields: lines(fields, Some("content-length")),
        length,
        has_content: !is_bare && !ended && length != Some(0),
        has_date: fields.contains_key(http::header::DATE),
        is_upgrade: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn requests() {
        let head = b"POST /a?b HTTP/1.1\r\nHost: a.test:81\r\nX-A: 1\r\nx-a: 2\r\n\
                     Transfer-Encoding: chunked\r\nConnection: upgrade\r\nTE: trailers\r\n\
                     Content-Length: 3\r\n\r\n";
        let request = request(head, true).unwrap();
        assert_eq!(request.method(), "POST");
        assert_eq!(request.uri(), "https://a.test:81/a?b");
        let fields = lines(request.headers(), None);
        assert_eq!(fields, b"x-a: 1\r\nx-a: 2\r\ncontent-length: 3\r\n");
        assert_eq!(request.headers()["te"], "trailers");
    }

    #[test]
    fn paths() {
        let uri = |target: &str| {
            let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
            request(head.as_bytes(), false).map(|request| request.uri().to_string())
        };
        assert_eq!(uri("/a b").ok(), None);
        assert_eq!(uri("/<x>?`{}`").unwrap(), "http://a/%3Cx%3E?%60%7B%7D%60");
        assert_eq!(uri("/%3C?a=b&c").unwrap(), "http://a/%3C?a=b&c");
        assert_eq!(uri("/").unwrap(), "http://a/");
        let options = request(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", false).unwrap();
        assert_eq!(options.uri().path(), "*");
        assert!(request(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", false).is_err());
        assert!(request(b"GET / HTTP/1.1\r\n\r\n", false).is_err());
    }

    #[test]
    fn trailer_lines() {
        let fields = trailers(b"Grpc-Status: 0\r\nx:  y \r\nbad name: 1\r\nTE: x\r\nnothing\r\n");
        assert_eq!(lines(&fields, None), b"grpc-status: 0\r\nx: y\r\n");
        assert!(trailers(b"").is_empty());
    }

    #[test]
    fn heads() {
        let response = |fields: &[(&str, &str)], status: u16| {
            let mut builder = Response::builder().status(status);
            for (name, value) in fields {
                builder = builder.header(*name, *value);
            }
            builder.body(()).unwrap()
        };
        let plain = response(&[("content-length", "3"), ("a", "b"), ("date", "x")], 200);
        let made = head(&plain, Asked::default(), false).unwrap();
        assert_eq!(made.fields, b"a: b\r\ndate: x\r\n");
        assert_eq!((made.status, made.length), (200, Some(3)));
        assert!(made.has_content && made.has_date && !made.is_upgrade);
        assert!(!head(&plain, Asked::default(), true).unwrap().has_content);
        let asked = Asked { is_head: true, ..Asked::default() };
        assert!(!head(&plain, asked, false).unwrap().has_content);
        for status in [204, 304, 103] {
            let made = head(&response(&[("content-length", "3")], status), Asked::default(), false);
            assert!(!made.unwrap().has_content);
        }
        for lengths in [&["+3"][..], &["3, 3"], &["3", "4"], &["99999999999999999999"]] {
            let fields: Vec<_> = lengths.iter().map(|value| ("content-length", *value)).collect();
            assert!(head(&response(&fields, 200), Asked::default(), false).is_err(), "{lengths:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_fine(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = request(&bytes, true);
            let mut text = b"GET / HTTP/1.1\r\nHost: ".to_vec();
            text.extend_from_slice(&bytes);
            text.extend_from_slice(b"\r\n\r\n");
            let _ = request(&text, true);
            let _ = trailers(&bytes);
        }
    }
}
