//! Whose request it is, as the proxies in front say that are trusted.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// Most addresses of a chain that are looked at, from its end.
const MAX_HOPS: usize = 32;

/// The address of the client, seen from a peer that is a trusted proxy: the last of the chain that
/// is no trusted proxy itself, or the first one, if all are.
///
/// `Forwarded` counts where there is no `X-Forwarded-For`: most proxies write the latter and let the
/// former pass as the client sent it.
pub(crate) fn client_ip<'a>(
    peer: IpAddr,
    fields: impl DoubleEndedIterator<Item = (&'a str, &'a [u8])> + Clone,
    trusted: &[IpNet],
) -> IpAddr {
    let values = |name: &'static str| {
        let named = fields.clone().filter(move |(other, _)| other.eq_ignore_ascii_case(name));
        named.rev().map(|(_, value)| value)
    };
    let is_trusted = |ip: &IpAddr| trusted.iter().any(|network| network.contains(ip));
    let mut client = peer;
    let mut walk = |hops: &mut dyn Iterator<Item = Option<IpAddr>>| {
        for hop in hops.take(MAX_HOPS) {
            // Who says something else than an address is the last one that is known.
            let Some(ip) = hop else { return };
            client = ip;
            if !is_trusted(&ip) {
                return;
            }
        }
    };
    let commas = |value: &'a [u8]| value.rsplit(|byte| *byte == b',');
    if values("x-forwarded-for").next().is_some() {
        walk(&mut values("x-forwarded-for").flat_map(commas).map(address));
    } else {
        walk(&mut values("forwarded").flat_map(commas).map(of_element));
    }
    client
}

/// An address, perhaps with a port.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim_ascii();
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse::<IpAddr>().ok();
    let ip = ip.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))?;
    Some(ip.to_canonical())
}

/// The `for` of an element of `Forwarded` (RFC 7239, section 4).
fn of_element(element: &[u8]) -> Option<IpAddr> {
    element
        .split(|byte| *byte == b';')
        .find_map(|pair| {
            let at = pair.iter().position(|byte| *byte == b'=')?;
            let name = pair[..at].trim_ascii();
            let node = pair[at + 1..].trim_ascii();
            let quoted = node.strip_prefix(b"\"").and_then(|node| node.strip_suffix(b"\""));
            name.eq_ignore_ascii_case(b"for").then(|| quoted.unwrap_or(node))
        })
        .and_then(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains() {
        let trusted: Vec<IpNet> =
            ["10.0.0.0/8", "fd00::/8"].map(|text| text.parse().unwrap()).into();
        let of = |fields: &[(&'static str, &'static str)]| {
            let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
            client_ip("10.0.0.1".parse().unwrap(), fields, &trusted).to_string()
        };
        let xff = "X-Forwarded-For";
        for (value, expected) in [
            ("192.0.2.7", "192.0.2.7"),
            ("6.6.6.6, 192.0.2.7", "192.0.2.7"),
            ("6.6.6.6,192.0.2.7 ,10.1.1.1, 10.2.2.2", "192.0.2.7"),
            ("192.0.2.7:4711", "192.0.2.7"),
            ("[2001:db8::7]:80", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("2001:DB8::7", "2001:db8::7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("10.3.3.3, 10.1.1.1", "10.3.3.3"),
            ("192.0.2.7, unknown, 10.1.1.1", "10.1.1.1"),
            ("192.0.2.7, ", "10.0.0.1"),
            ("", "10.0.0.1"),
            ("garbage", "10.0.0.1"),
        ] {
            assert_eq!(of(&[(xff, value)]), expected, "{value}");
        }
        assert_eq!(of(&[]), "10.0.0.1");
        assert_eq!(of(&[(xff, "6.6.6.6"), ("x-forwarded-for", "192.0.2.7")]), "192.0.2.7");
        assert_eq!(of(&[("Forwarded", "for=6.6.6.6"), (xff, "192.0.2.7")]), "192.0.2.7");
        for (value, expected) in [
            ("for=192.0.2.7;proto=http", "192.0.2.7"),
            ("for=6.6.6.6, proto=http;For=\"[2001:db8::7]:80\", for=10.1.1.1", "2001:db8::7"),
            ("for=6.6.6.6, for=_hidden", "10.0.0.1"),
            ("by=1.2.3.4", "10.0.0.1"),
        ] {
            assert_eq!(of(&[("forwarded", value)]), expected, "{value}");
        }
        let many = format!("6.6.6.6{}", ", 10.1.1.1".repeat(100));
        let fields = [(xff, many.as_bytes())];
        let client = client_ip("10.0.0.1".parse().unwrap(), fields.into_iter(), &trusted);
        assert_eq!(client.to_string(), "10.1.1.1");
    }
}
