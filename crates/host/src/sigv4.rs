//! AWS Signature Version 4: what is signed, and with what.
//!
//! The layout of what is signed is from the "Signature Version 4 signing process" of the AWS
//! documentation.

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// Longest time that a presigned URL may be valid: a week.
pub(crate) const MAX_EXPIRES_S: u64 = 7 * 86_400;

/// Last second that has a year of four digits.
const MAX_TIME_S: u64 = 253_402_300_799;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// What a signature is made of.
#[derive(Clone, Debug)]
pub(crate) struct Params<'a> {
    pub(crate) access_key: &'a str,
    pub(crate) secret_key: &'a [u8],
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) method: &'a str,
    /// Path and query as they are sent.
    pub(crate) uri: &'a str,
    /// Names in lower case with values, by name.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body_hash: &'a str,
    pub(crate) timestamp_ms: u64,
}

impl Params<'_> {
    /// The value of the Authorization header.
    pub(crate) fn authorization(&self) -> Option<String> {
        let time = self.checked()?;
        let (path, query) = self.uri.split_once('?').unwrap_or((self.uri, ""));
        let query = sorted(query);
        let signature = self.signature(&time, path, &query, self.body_hash);
        let (key, scope, signed) = (self.access_key, self.scope(&time), self.signed_headers());
        Some(format!(
            "{ALGORITHM} Credential={key}/{scope}, SignedHeaders={signed}, Signature={signature}"
        ))
    }

    /// Path and query with a signature.
    pub(crate) fn presigned(&self, expires_s: u64) -> Option<String> {
        let time = self.checked()?;
        if !(1..=MAX_EXPIRES_S).contains(&expires_s) {
            return None;
        }
        let credential = format!("{}/{}", self.access_key, self.scope(&time));
        let mut uri = self.uri.to_owned();
        if !uri.contains('?') {
            uri.push('?');
        } else if !uri.ends_with(['?', '&']) {
            uri.push('&');
        }
        let _ = write!(uri, "X-Amz-Algorithm={ALGORITHM}&X-Amz-Credential=");
        encode(credential.as_bytes(), false, &mut uri);
        let _ = write!(uri, "&X-Amz-Date={time}&X-Amz-Expires={expires_s}&X-Amz-SignedHeaders=");
        encode(self.signed_headers().as_bytes(), false, &mut uri);
        let unsigned = self.service == "s3" || self.body_hash.is_empty();
        let body_hash = if unsigned { UNSIGNED } else { self.body_hash };
        let (path, query) = uri.split_once('?')?;
        let signature = self.signature(&time, path, &sorted(query), body_hash);
        let _ = write!(uri, "&X-Amz-Signature={signature}");
        Some(uri)
    }

    /// The time as it is signed, if everything can be.
    fn checked(&self) -> Option<String> {
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
        let part = |text: &str| plain(text) && !text.contains(['/', ',']);
        let valid = part(self.access_key)
            && part(self.region)
            && part(self.service)
            && self.headers.iter().any(|(name, _)| name == "host");
        if valid { timestamp(self.timestamp_ms / 1000) } else { None }
    }

    fn scope(&self, time: &str) -> String {
        format!("{}/{}/{}/aws4_request", &time[..8], self.region, self.service)
    }

    fn signed_headers(&self) -> String {
        self.headers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(";")
    }

    fn signature(&self, time: &str, path: &str, query: &str, body_hash: &str) -> String {
        let mut request = format!("{}\n", self.method);
        self.canonical_path(path, &mut request);
        let _ = write!(request, "\n{query}\n");
        for (name, value) in &self.headers {
            let value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
            let _ = writeln!(request, "{name}:{value}");
        }
        let _ = write!(request, "\n{}\n{body_hash}", self.signed_headers());
        let scope = self.scope(time);
        let hash = hex(&Sha256::digest(&request));
        let text = format!("{ALGORITHM}\n{time}\n{scope}\n{hash}");
        let mut key = [b"AWS4", self.secret_key].concat();
        for part in scope.split('/') {
            key = sign(&key, part.as_bytes()).to_vec();
        }
        hex(&sign(&key, text.as_bytes()))
    }

    /// S3 signs a path as it is sent, others one without dot segments that is encoded once more.
    fn canonical_path(&self, path: &str, out: &mut String) {
        if self.service == "s3" {
            return normalise(path, true, out);
        }
        let mut segments: Vec<&str> = Vec::new();
        for segment in path.split('/') {
            match segment {
                "" | "." => {}
                ".." => drop(segments.pop()),
                _ => segments.push(segment),
            }
        }
        for segment in &segments {
            out.push('/');
            encode(segment.as_bytes(), false, out);
        }
        if segments.is_empty() || path.ends_with('/') {
            out.push('/');
        }
    }
}

/// Name of a header as it is signed, and whether it can be.
pub(crate) fn header_name(name: &str) -> Option<String> {
    crate::words::is_field_name(name).then(|| name.to_ascii_lowercase())
}

/// HMAC with SHA-256.
pub(crate) fn sign(key: &[u8], message: &[u8]) -> [u8; 32] {
    // A key may have any length; the digest of none at all is never reached.
    Hmac::<Sha256>::new_from_slice(key)
        .map(|mac| mac.chain_update(message).finalize().into_bytes().into())
        .unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    faster_hex::hex_string(bytes)
}

/// Whether it stays as it is in every part of a URI (RFC 3986, section 2.3).
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn escape(byte: u8, out: &mut String) {
    let _ = write!(out, "%{byte:02X}");
}

/// Encode all but unreserved characters, and slashes where they are meant.
fn encode(bytes: &[u8], keep_slashes: bool, out: &mut String) {
    for &byte in bytes {
        if is_unreserved(byte) || (keep_slashes && byte == b'/') {
            out.push(byte.into());
        } else {
            escape(byte, out);
        }
    }
}

/// The one way to write what is escaped already: no escape too many, none too few.
fn normalise(text: &str, keep_slashes: bool, out: &mut String) {
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        let digit = |at: usize| tail.get(at).and_then(|&digit| char::from(digit).to_digit(16));
        if byte == b'%'
            && let (Some(high), Some(low)) = (digit(0), digit(1))
        {
            let byte = (high * 16 + low) as u8;
            rest = &tail[2..];
            if is_unreserved(byte) {
                out.push(byte.into());
            } else {
                escape(byte, out);
            }
            continue;
        }
        encode(&[byte], keep_slashes, out);
    }
}

/// The parameters of a query in order of their names, then of their values.
fn sorted(query: &str) -> String {
    let one = |text: &str| {
        let mut out = String::with_capacity(text.len());
        normalise(text, false, &mut out);
        out
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut pairs: Vec<_> = pairs.map(|(name, value)| (one(name), one(value))).collect();
    pairs.sort();
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("&")
}

/// Seconds since 1970 as 20130524T000000Z.
fn timestamp(seconds: u64) -> Option<String> {
    if seconds > MAX_TIME_S {
        return None;
    }
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Counted from 1 March of year 0, so that leap days are last.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    Some(format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// Of the examples in the documentation of S3.
    fn s3<'a>(uri: &'a str, more: &[(&str, &str)]) -> Params<'a> {
        let host = [("host", "examplebucket.s3.amazonaws.com")];
        Params {
            access_key: "AKIAIOSFODNN7EXAMPLE",
            secret_key: b"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            region: "us-east-1",
            service: "s3",
            method: "GET",
            uri,
            headers: headers(&[&host[..], more].concat()),
            body_hash: EMPTY,
            timestamp_ms: 1_369_353_600_000,
        }
    }

    #[test]
    fn the_vanilla_example() {
        let params = Params {
            access_key: "AKIDEXAMPLE",
            secret_key: b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            service: "service",
            headers: headers(&[
                ("host", "example.amazonaws.com"),
                ("x-amz-date", "20150830T123600Z"),
            ]),
            timestamp_ms: 1_440_938_160_000,
            ..s3("/", &[])
        };
        let authorization = "AWS4-HMAC-SHA256 \
            Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
            SignedHeaders=host;x-amz-date, \
            Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        assert_eq!(params.authorization().as_deref(), Some(authorization));
    }

    #[test]
    fn the_examples_of_s3() {
        let plain = [("x-amz-content-sha256", EMPTY), ("x-amz-date", "20130524T000000Z")];
        let range = [&[("range", "bytes=0-9")], &plain[..]].concat();
        for (uri, headers, signature) in [
            (
                "/test.txt",
                &range[..],
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "/?lifecycle",
                &plain,
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "/?prefix=J&max-keys=2",
                &plain,
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let authorization = s3(uri, headers).authorization().unwrap();
            assert!(authorization.ends_with(signature), "{uri}: {authorization}");
        }
        let url = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=\
            AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
            &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
            &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert_eq!(s3("/test.txt", &[]).presigned(86_400).as_deref(), Some(url));
    }

    #[test]
    fn what_cannot_be_signed() {
        assert!(s3("/", &[]).presigned(0).is_none());
        assert!(s3("/", &[]).presigned(MAX_EXPIRES_S + 1).is_none());
        for wrong in [
            Params { headers: Vec::new(), ..s3("/", &[]) },
            Params { access_key: "", ..s3("/", &[]) },
            Params { region: "a/b", ..s3("/", &[]) },
            Params { service: "a b", ..s3("/", &[]) },
            Params { timestamp_ms: u64::MAX, ..s3("/", &[]) },
        ] {
            assert!(wrong.authorization().is_none() && wrong.presigned(1).is_none());
        }
    }

    #[test]
    fn paths() {
        let path = |service, path| {
            let mut out = String::new();
            Params { service, ..s3("/", &[]) }.canonical_path(path, &mut out);
            out
        };
        for (given, other, s3) in [
            ("/", "/", "/"),
            ("/a/../b//c/./", "/b/c/", "/a/../b//c/./"),
            ("/a%20b+c", "/a%2520b%2Bc", "/a%20b%2Bc"),
            ("/%7e%2f", "/%257e%252f", "/~%2F"),
            ("/a%zz%", "/a%25zz%25", "/a%25zz%25"),
        ] {
            assert_eq!((&*path("x", given), &*path("s3", given)), (other, s3), "{given}");
        }
    }

    #[test]
    fn queries() {
        for (query, canonical) in [
            ("", ""),
            ("b&a=2&a=1&&A", "A=&a=1&a=2&b="),
            ("a=%7e%2f/+ &%61b==", "a=~%2F%2F%2B%20&ab=%3D"),
            ("a-=1&a=2", "a=2&a-=1"),
        ] {
            assert_eq!(sorted(query), canonical, "{query}");
        }
        for (uri, begin) in [("/", "/?X-"), ("/?", "/?X-"), ("/?a", "/?a&X-"), ("/?a&", "/?a&X-")] {
            assert!(s3(uri, &[]).presigned(1).unwrap().starts_with(begin), "{uri}");
        }
    }

    #[test]
    fn times() {
        for (seconds, text) in [
            (0, "19700101T000000Z"),
            (951_782_400, "20000229T000000Z"),
            (951_868_800, "20000301T000000Z"),
            (1_709_164_799, "20240228T235959Z"),
            (4_107_542_400, "21000301T000000Z"),
            (MAX_TIME_S, "99991231T235959Z"),
        ] {
            assert_eq!(timestamp(seconds).as_deref(), Some(text));
        }
        assert_eq!(timestamp(MAX_TIME_S + 1), None);
    }
}
