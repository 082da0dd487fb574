//! The PROXY protocol, versions 1 and 2: the line or block in which a load balancer says, before
//! anything else, whose connection it passes on (HAProxy's proxy-protocol.txt).
//!
//! Only addresses are taken. What may follow them in version 2 is skipped, its length bounded.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Longest header of version 1 with its line end; the specification says that no longer one exists.
pub const MAX_V1_BYTES: usize = 107;

/// Longest header of version 2. Addresses take 232 bytes at most; the rest is for what balancers
/// add, such as a TLS certificate's name. The format would allow 64 KiB.
pub const MAX_V2_BYTES: usize = 4096;

/// Longest header of either version: what a reader has to keep.
pub const MAX_BYTES: usize = MAX_V2_BYTES;

const V1_BEGIN: &[u8] = b"PROXY ";
const V2_BEGIN: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_FIXED_BYTES: usize = 16;

const V2_IPV4_BYTES: usize = 12;
const V2_IPV6_BYTES: usize = 36;
const V2_UNIX_BYTES: usize = 216;

/// Who is at the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Whoever the socket says: the balancer speaks for itself, or does not know.
    Socket,
    /// A client that came over TCP.
    Tcp(SocketAddr),
    /// A process on the balancer's machine.
    Unix,
}

/// How far a header has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It may be one when more has come: all bytes so far belong to it.
    Partial,
    /// There it is.
    Complete {
        /// Bytes that it takes; what follows is the client's.
        len: usize,
        /// Whose connection this is.
        source: Source,
    },
}

/// Why bytes are no header, for the log.
pub type Malformed = &'static str;

/// Read a header from the front of what a connection has brought.
///
/// A header is taken as partial only while it can still become one, and never beyond
/// [`MAX_BYTES`].
pub fn parse(input: &[u8]) -> Result<Progress, Malformed> {
    let begins = |begin: &[u8]| {
        let shared = input.len().min(begin.len());
        input[..shared] == begin[..shared]
    };
    if begins(V1_BEGIN) {
        parse_v1(input)
    } else if begins(V2_BEGIN) {
        parse_v2(input)
    } else {
        Err("no PROXY header")
    }
}

fn parse_v1(input: &[u8]) -> Result<Progress, Malformed> {
    let seen = &input[..input.len().min(MAX_V1_BYTES)];
    let Some(end) = seen.windows(2).position(|pair| pair == b"\r\n") else {
        let too_long = seen.len() == MAX_V1_BYTES;
        return if too_long { Err("a PROXY line without an end") } else { Ok(Progress::Partial) };
    };
    let line = &seen[V1_BEGIN.len().min(end)..end];
    // What stands behind UNKNOWN is to be ignored, whatever it is.
    let unknown = line == b"UNKNOWN" || line.starts_with(b"UNKNOWN ");
    let source = if unknown {
        Source::Socket
    } else {
        let line = std::str::from_utf8(line).map_err(|_| "a PROXY line that is not ASCII")?;
        Source::Tcp(v1_source(line).ok_or("a PROXY line that can't be read")?)
    };
    Ok(Progress::Complete { len: end + 2, source })
}

/// `TCP4 SOURCE DESTINATION SOURCE-PORT DESTINATION-PORT`, one space between them.
fn v1_source(line: &str) -> Option<SocketAddr> {
    let mut words = line.split(' ');
    let family = words.next()?;
    let (from, to) = (words.next()?, words.next()?);
    let (port, _to_port) = (v1_port(words.next()?)?, v1_port(words.next()?)?);
    if words.next().is_some() {
        return None;
    }
    let (ip, to): (IpAddr, IpAddr) = (from.parse().ok()?, to.parse().ok()?);
    let named = match family {
        "TCP4" => ip.is_ipv4() && to.is_ipv4(),
        "TCP6" => ip.is_ipv6() && to.is_ipv6(),
        _ => false,
    };
    named.then(|| SocketAddr::new(ip, port))
}

/// Digits only, without zeros in front: two readers must not see two ports.
fn v1_port(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

fn parse_v2(input: &[u8]) -> Result<Progress, Malformed> {
    let Some(fixed) = input.first_chunk::<V2_FIXED_BYTES>() else {
        // What is wrong already need not be waited for.
        return match input.get(V2_BEGIN.len()) {
            Some(version) if version >> 4 != 2 => Err("a PROXY header of an unknown version"),
            _ => Ok(Progress::Partial),
        };
    };
    let (version, kind) = (fixed[12], fixed[13]);
    if version >> 4 != 2 {
        return Err("a PROXY header of an unknown version");
    }
    let len = V2_FIXED_BYTES + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if len > MAX_V2_BYTES {
        return Err("a PROXY header that is too long");
    }
    let local = match version & 0xf {
        0 => true,
        1 => false,
        _ => return Err("a PROXY header with an unknown command"),
    };
    let address_bytes = match kind {
        // Of a connection of its own, the balancer says nothing that matters.
        _ if local => 0,
        0x00 => 0,
        0x11 => V2_IPV4_BYTES,
        0x21 => V2_IPV6_BYTES,
        0x31 => V2_UNIX_BYTES,
        _ => return Err("a PROXY header of an unknown family or for datagrams"),
    };
    if len < V2_FIXED_BYTES + address_bytes {
        return Err("a PROXY header that is too short for its addresses");
    }
    let Some(addresses) = input.get(V2_FIXED_BYTES..len) else { return Ok(Progress::Partial) };
    let source = match (address_bytes, addresses) {
        (V2_IPV4_BYTES, [a, b, c, d, _, _, _, _, high, low, ..]) => {
            let ip = Ipv4Addr::new(*a, *b, *c, *d).into();
            Source::Tcp(SocketAddr::new(ip, u16::from_be_bytes([*high, *low])))
        }
        (V2_IPV6_BYTES, _) => match (addresses.first_chunk::<16>(), addresses.get(32..34)) {
            (Some(ip), Some(&[high, low])) => {
                let ip = Ipv6Addr::from(*ip).into();
                Source::Tcp(SocketAddr::new(ip, u16::from_be_bytes([high, low])))
            }
            _ => return Err("a PROXY header that is too short for its addresses"),
        },
        (V2_UNIX_BYTES, _) => Source::Unix,
        _ => Source::Socket,
    };
    Ok(Progress::Complete { len, source })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tcp(text: &str) -> Source {
        Source::Tcp(text.parse().unwrap())
    }

    fn complete(input: &[u8]) -> (usize, Source) {
        match parse(input) {
            Ok(Progress::Complete { len, source }) => (len, source),
            other => panic!("{other:?}"),
        }
    }

    fn v2(command: u8, kind: u8, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(body.len()).unwrap().to_be_bytes();
        [V2_BEGIN.as_slice(), &[0x20 | command, kind], &len, body].concat()
    }

    fn v2_ipv4(source: SocketAddr, tail: &[u8]) -> Vec<u8> {
        let IpAddr::V4(ip) = source.ip() else { panic!("not an IPv4 address") };
        let port = source.port().to_be_bytes();
        v2(1, 0x11, &[&ip.octets()[..], &[192, 0, 2, 1], &port, &[1, 187], tail].concat())
    }

    #[test]
    fn lines() {
        let line = b"PROXY TCP4 203.0.113.9 192.0.2.1 51234 443\r\nGET / HTTP/1.1\r\n";
        assert_eq!(complete(line), (44, tcp("203.0.113.9:51234")));
        let line = b"PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n";
        assert_eq!(complete(line), (line.len(), tcp("[2001:db8::1]:1")));
        assert_eq!(complete(b"PROXY UNKNOWN\r\n"), (15, Source::Socket));
        let longest = format!("PROXY UNKNOWN {}\r\n", "f".repeat(MAX_V1_BYTES - 16));
        assert_eq!(complete(longest.as_bytes()), (MAX_V1_BYTES, Source::Socket));
    }

    #[test]
    fn lines_that_are_refused() {
        for bad in [
            "PROXY \r\n",
            "PROXY TCP4\r\n",
            "PROXY TCP4 203.0.113.9 192.0.2.1 51234\r\n",
            "PROXY TCP4 203.0.113.9 192.0.2.1 51234 443 1\r\n",
            "PROXY TCP4  203.0.113.9 192.0.2.1 51234 443\r\n",
            "PROXY TCP4 203.0.113.9 192.0.2.1 51234 443 \r\n",
            "PROXY TCP4 203.0.113.09 192.0.2.1 51234 443\r\n",
            "PROXY TCP4 2001:db8::1 192.0.2.1 51234 443\r\n",
            "PROXY TCP6 203.0.113.9 192.0.2.1 51234 443\r\n",
            "PROXY TCP4 203.0.113.9 192.0.2.1 051234 443\r\n",
            "PROXY TCP4 203.0.113.9 192.0.2.1 +1 443\r\n",
            "PROXY TCP4 203.0.113.9 192.0.2.1 65536 443\r\n",
            "PROXY TCP4 203.0.113.9 192.0.2.1 1 443\n\r\n",
            "PROXY UNKNOWNS\r\n",
            "PROXY unknown\r\n",
            "proxy TCP4 203.0.113.9 192.0.2.1 51234 443\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "\r\nPROXY UNKNOWN\r\n",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        let long = format!("PROXY UNKNOWN {}\r\n", "f".repeat(MAX_V1_BYTES - 15));
        assert!(parse(long.as_bytes()).is_err());
    }

    #[test]
    fn blocks() {
        let source = "203.0.113.9:51234".parse().unwrap();
        let block = v2_ipv4(source, b"\x04\x00\x01x");
        assert_eq!(complete(&block), (block.len(), Source::Tcp(source)));
        let mut body = [0; 40];
        body[..16].copy_from_slice(&"2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        body[32..34].copy_from_slice(&443_u16.to_be_bytes());
        assert_eq!(complete(&v2(1, 0x21, &body)), (56, tcp("[2001:db8::7]:443")));
        assert_eq!(complete(&v2(1, 0x31, &[0; 216])), (232, Source::Unix));
        assert_eq!(complete(&v2(1, 0, b"")), (16, Source::Socket));
        // Its own connection, whatever the rest says.
        assert_eq!(complete(&v2(0, 0x11, &[1; 12])), (28, Source::Socket));
        assert_eq!(complete(&v2(0, 0xff, b"abc")), (19, Source::Socket));
    }

    #[test]
    fn blocks_that_are_refused() {
        assert!(parse(&v2(2, 0x11, &[0; 12])).is_err(), "command");
        assert!(parse(&v2(1, 0x12, &[0; 12])).is_err(), "datagrams");
        assert!(parse(&v2(1, 0x41, &[0; 12])).is_err(), "family");
        assert!(parse(&v2(1, 0x11, &[0; 11])).is_err(), "length");
        assert!(parse(&v2(1, 0x21, &[0; 35])).is_err(), "length");
        assert!(parse(&v2(1, 0x31, &[0; 215])).is_err(), "length");
        assert!(parse(&v2(1, 0x00, &[0; MAX_V2_BYTES - 15])).is_err(), "too long");
        assert!(parse(&v2(1, 0x00, &[0; MAX_V2_BYTES - 16])).is_ok());
        let version_1 = [V2_BEGIN.as_slice(), &[0x11]].concat();
        assert!(parse(&version_1).is_err(), "version");
    }

    proptest! {
        /// Cut anywhere, a header is waited for; whatever follows it is left alone.
        #[test]
        fn every_cut(ip: [u8; 4], port: u16, tail: Vec<u8>, tlv in prop::collection::vec(0_u8.., 0..600), one: bool) {
            let source = SocketAddr::new(Ipv4Addr::from(ip).into(), port);
            let header = if one {
                format!("PROXY TCP4 {} 192.0.2.1 {port} 443\r\n", source.ip()).into_bytes()
            } else {
                v2_ipv4(source, &tlv)
            };
            for cut in 0..header.len() {
                prop_assert_eq!(parse(&header[..cut]), Ok(Progress::Partial));
            }
            let all = [&header[..], &tail].concat();
            prop_assert_eq!(complete(&all), (header.len(), Source::Tcp(source)));
        }

        #[test]
        fn any_bytes(tail: Vec<u8>, begin in 0..3_usize) {
            let begin = [&b""[..], V1_BEGIN, V2_BEGIN][begin];
            let input = [begin, &tail].concat();
            match parse(&input) {
                Ok(Progress::Complete { len, .. }) => prop_assert!(len <= input.len().min(MAX_BYTES)),
                Ok(Progress::Partial) => prop_assert!(input.len() < MAX_BYTES),
                Err(_) => {}
            }
        }
    }
}
