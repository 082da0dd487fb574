//! What a client says of itself before anything is encrypted: its server name and its JA4
//! fingerprint (FoxIO's JA4 specification), read from the bytes of its ClientHello
//! (RFC 8446, section 4.1.2).
//!
//! The TLS library reads the same bytes and decides what is valid; what is odd here is merely not
//! known.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// A record's type for handshake messages, its length field's end, and the message's own type.
const HANDSHAKE_RECORD: u8 = 22;
const RECORD_HEADER: usize = 5;
const CLIENT_HELLO: u8 = 1;

/// Largest ClientHello that is looked at: with post-quantum shares they have 2 KiB.
pub(super) const MAX_HELLO_BYTES: usize = 32 * 1024;

const SERVER_NAME: u16 = 0x0000;
const SIGNATURE_ALGORITHMS: u16 = 0x000d;
const ALPN: u16 = 0x0010;
const SUPPORTED_VERSIONS: u16 = 0x002b;

/// What is kept of a ClientHello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hello {
    /// Server name in lower case, if the client sent one.
    pub sni: Option<String>,
    /// The fingerprint; empty when the message could not be read.
    pub ja4: String,
}

/// Whether a whole ClientHello is in the bytes; what is no handshake at all counts as whole.
pub fn is_complete(raw: &[u8]) -> bool {
    let message = unwrap_records(raw);
    match *message {
        [kind, a, b, c, ref rest @ ..] => {
            kind != CLIENT_HELLO || rest.len() >= u32::from_be_bytes([0, a, b, c]) as usize
        }
        _ => raw.first().is_some_and(|kind| *kind != HANDSHAKE_RECORD),
    }
}

/// Read the records that the client sent first.
pub fn read(raw: &[u8]) -> Hello {
    let message = unwrap_records(raw);
    let body = match *message {
        [CLIENT_HELLO, a, b, c, ref rest @ ..] => {
            rest.get(..u32::from_be_bytes([0, a, b, c]) as usize)
        }
        _ => None,
    };
    body.and_then(|body| parse(&mut Reader(body))).unwrap_or_default()
}

/// Content of the handshake records at the front, one behind the other.
fn unwrap_records(mut raw: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(raw.len());
    while let [HANDSHAKE_RECORD, _, _, a, b, rest @ ..] = raw {
        let len = usize::from(u16::from_be_bytes([*a, *b]));
        message.extend_from_slice(&rest[..len.min(rest.len())]);
        if len == 0 || rest.len() < len {
            break;
        }
        raw = &raw[RECORD_HEADER + len..];
    }
    message
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|two| u16::from_be_bytes([two[0], two[1]]))
    }

    /// What a length of one byte stands before.
    fn short(&mut self) -> Option<Self> {
        let len = self.u8()?;
        self.take(len.into()).map(Self)
    }

    /// What a length of two bytes stands before.
    fn long(&mut self) -> Option<Self> {
        let len = self.u16()?;
        self.take(len.into()).map(Self)
    }

    /// The rest as numbers, without those that are only there to keep servers flexible
    /// (GREASE, RFC 8701).
    fn numbers(mut self) -> Vec<u16> {
        let mut numbers = Vec::with_capacity(self.0.len() / 2);
        while let Some(number) = self.u16() {
            if !is_grease(number) {
                numbers.push(number);
            }
        }
        numbers
    }
}

fn is_grease(number: u16) -> bool {
    number & 0x0f0f == 0x0a0a && number >> 8 == number & 0xff
}

fn parse(hello: &mut Reader<'_>) -> Option<Hello> {
    let mut version = hello.u16()?;
    hello.take(32)?; // random
    hello.short()?; // session
    let mut ciphers = hello.long()?.numbers();
    hello.short()?; // compression
    let mut extensions = hello.long().unwrap_or(Reader(&[]));
    let (mut kinds, mut signatures) = (Vec::new(), Vec::new());
    let (mut sni, mut alpn) = (None, None);
    let (mut count, mut names_server) = (0, false);
    while !extensions.0.is_empty() {
        let kind = extensions.u16()?;
        let mut data = extensions.long()?;
        if is_grease(kind) {
            continue;
        }
        count += 1;
        match kind {
            SERVER_NAME => {
                names_server = true;
                sni = data.long().and_then(|mut list| {
                    let is_host = list.u8()? == 0;
                    let name = std::str::from_utf8(list.long()?.0).ok()?;
                    // The TLS library takes the dot of a whole name for nothing, too.
                    let name = name.strip_suffix('.').unwrap_or(name);
                    is_host.then(|| name.to_ascii_lowercase())
                });
            }
            ALPN => alpn = data.long().and_then(|mut list| Some(list.short()?.0)),
            SIGNATURE_ALGORITHMS => signatures = data.long()?.numbers(),
            SUPPORTED_VERSIONS => {
                version = data.short()?.numbers().into_iter().max().unwrap_or(version);
            }
            _ => {}
        }
        if !matches!(kind, SERVER_NAME | ALPN) {
            kinds.push(kind);
        }
    }
    let mut ja4 = format!(
        "t{}{}{:02}{:02}{}",
        version_name(version),
        if names_server { 'd' } else { 'i' },
        ciphers.len().min(99),
        count.min(99),
        ends(alpn.unwrap_or_default()),
    );
    ciphers.sort_unstable();
    kinds.sort_unstable();
    let mut behind = list(&kinds);
    if !signatures.is_empty() && !kinds.is_empty() {
        behind.push('_');
        behind.push_str(&list(&signatures));
    }
    for text in [list(&ciphers), behind] {
        ja4.push('_');
        ja4.push_str(&digest(&text));
    }
    Some(Hello { sni, ja4 })
}

fn version_name(version: u16) -> &'static str {
    match version {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        _ => "00",
    }
}

/// First and last character of a protocol's name, or of its hexadecimal form.
fn ends(name: &[u8]) -> String {
    let (Some(&first), Some(&last)) = (name.first(), name.last()) else { return "00".into() };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [first as char, last as char].iter().collect();
    }
    let (first, last) = (format!("{first:02x}"), format!("{last:02x}"));
    format!("{}{}", &first[..1], &last[1..])
}

fn list(numbers: &[u16]) -> String {
    let mut text = String::with_capacity(numbers.len() * 5);
    for (at, number) in numbers.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{number:04x}");
    }
    text
}

/// The first 12 hexadecimal digits.
fn digest(text: &str) -> String {
    if text.is_empty() {
        return "000000000000".into();
    }
    let mut hex = String::with_capacity(12);
    for byte in &Sha256::digest(text.as_bytes())[..6] {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
        [&kind.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
    }

    fn lengthy(data: &[u8]) -> Vec<u8> {
        [&(data.len() as u16).to_be_bytes()[..], data].concat()
    }

    fn numbers(numbers: &[u16]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
    }

    fn hello(ciphers: &[u16], extensions: &[u8]) -> Vec<u8> {
        let body = [
            &[3, 3][..],
            &[7; 32],
            &[0],
            &lengthy(&numbers(ciphers)),
            &[1, 0],
            &lengthy(extensions),
        ]
        .concat();
        let message = [&[1, 0][..], &lengthy(&body)].concat();
        [&[22, 3, 1][..], &lengthy(&message)].concat()
    }

    /// The worked example of the specification: its lists and their digests.
    fn example() -> Vec<u8> {
        let ciphers = [
            0x0a0a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
            0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
        ];
        let signatures = numbers(&[0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601]);
        let name = [&[0][..], &lengthy(b"Example.org")].concat();
        let mut extensions = extension(0x1a1a, &[]);
        extensions.extend(extension(SERVER_NAME, &lengthy(&name)));
        extensions.extend(extension(ALPN, &lengthy(b"\x02h2\x08http/1.1")));
        extensions.extend(extension(SUPPORTED_VERSIONS, b"\x06\x4a\x4a\x03\x04\x03\x03"));
        extensions.extend(extension(SIGNATURE_ALGORITHMS, &lengthy(&signatures)));
        for kind in [
            0x001b, 0x0033, 0x4469, 0x0017, 0x002d, 0x0005, 0x0023, 0x0012, 0x000b, 0x000a, 0xff01,
            0x0015,
        ] {
            extensions.extend(extension(kind, &[]));
        }
        hello(&ciphers, &extensions)
    }

    #[test]
    fn a_browser() {
        let found = read(&example());
        assert_eq!(found.sni.as_deref(), Some("example.org"));
        assert_eq!(found.ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
    }

    #[test]
    fn nothing_but_ciphers() {
        let found = read(&hello(&[0x002f], &[]));
        assert_eq!(found.sni, None);
        assert!(found.ja4.starts_with("t12i010000_"), "{}", found.ja4);
        assert!(found.ja4.ends_with("_000000000000"), "{}", found.ja4);
    }

    #[test]
    fn parts_and_other_protocols() {
        let whole = example();
        for len in 0..whole.len() {
            assert!(!is_complete(&whole[..len]), "{len}");
            assert_eq!(read(&whole[..len]), Hello::default(), "{len}");
        }
        assert!(is_complete(&whole));
        // The same message in three records.
        let message = &whole[5..];
        let mut records = Vec::new();
        for part in message.chunks(message.len() / 2) {
            records.extend([22, 3, 1]);
            records.extend(lengthy(part));
        }
        assert!(is_complete(&records));
        assert_eq!(read(&records), read(&whole));
        assert!(is_complete(b"GET / HTTP/1.1\r\n"));
        assert_eq!(read(b"GET / HTTP/1.1\r\n"), Hello::default());
    }

    #[test]
    fn odd_protocol_names() {
        assert_eq!(ends(b"h2"), "h2");
        assert_eq!(ends(b"\xab"), "ab");
        assert_eq!(ends(b"\xab\xcd"), "ad");
        assert_eq!(ends(b"0\xab"), "3b");
    }

    proptest! {
        #[test]
        fn anything_is_read(bytes in prop::collection::vec(any::<u8>(), 0..600), at in 0usize..200) {
            let _ = (read(&bytes), is_complete(&bytes));
            let mut changed = example();
            let at = at % changed.len();
            let end = (at + bytes.len()).min(changed.len());
            changed[at..end].copy_from_slice(&bytes[..end - at]);
            let _ = (read(&changed), is_complete(&changed));
        }
    }
}
