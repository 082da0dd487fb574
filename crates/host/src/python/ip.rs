//! `ipaddress` for compiled Python: addresses as packed bytes.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::guest::{Call, Instead, Reply};
use crate::python::exception::VALUE_ERROR;
use crate::python::letters::repr;
use crate::python::place::refused;
use crate::python::request::limit;

/// Longest text that is looked at: an address has up to 45 characters and perhaps a zone.
const MAX_TEXT_BYTES: usize = 256;

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    /// IPv4.
    V4(Ipv4Addr),
    /// IPv6.
    V6(Ipv6Addr),
    /// IPv6 with the zone that it belongs to.
    Scoped(Ipv6Addr),
}

/// An address as `ip_address` reads it; it reads what `inet_pton` does, and zones.
pub(crate) fn parse(text: &[u8]) -> Option<Address> {
    let text = std::str::from_utf8(text).ok()?;
    if let Ok(address) = text.parse() {
        return Some(Address::V4(address));
    }
    match text.split_once('%') {
        None => text.parse().ok().map(Address::V6),
        Some((_, zone)) if zone.is_empty() || zone.contains(['%', '/']) => None,
        Some((address, _)) => address.parse().ok().map(Address::Scoped),
    }
}

/// What CPython says of a text that is none.
pub(crate) fn invalid(text: &[u8]) -> String {
    let shown = repr(&text[..text.len().min(MAX_TEXT_BYTES)]);
    format!("{shown} does not appear to be an IPv4 or IPv6 address")
}

pub(crate) fn ip_address(call: &mut Call<'_>) -> Reply {
    let [text, out, ..] = call.args;
    let text = call.guest.input().content("address", text)?;
    call.fuel += text.len() as u64;
    let word = match parse(text) {
        Some(Address::V4(address)) => call.give_bytes(&address.octets())?,
        Some(Address::V6(address)) => call.give_bytes(&address.octets())?,
        Some(Address::Scoped(_)) => {
            return Err(limit("an address with a zone, a limit of compiled scripts"));
        }
        None => {
            let why = invalid(text);
            return Err(call.raised(VALUE_ERROR, why));
        }
    };
    call.give(out, &[word])
}

/// The text of an address: other than Rust, Python shows no IPv4 address inside of one of IPv6.
fn text(bytes: &[u8]) -> Option<String> {
    if let Ok(bytes) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(bytes).to_string());
    }
    let segments = Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).segments();
    // The first of the longest runs of zeros.
    let (mut start, mut len) = (0, 0);
    for from in 0..8 {
        let run = segments[from..].iter().take_while(|segment| **segment == 0).count();
        if run > len {
            (start, len) = (from, run);
        }
    }
    let shown = |part: &[u16]| {
        part.iter().map(|segment| format!("{segment:x}")).collect::<Vec<_>>().join(":")
    };
    Some(match len {
        0 | 1 => shown(&segments),
        _ => format!("{}::{}", shown(&segments[..start]), shown(&segments[start + len..])),
    })
}

/// The packed bytes of an address.
fn packed<'a>(call: &'a mut Call<'_>, word: u64) -> Result<&'a [u8], Instead> {
    let helper = call.guest.helper;
    let bytes = call.guest.input().content("ip", word)?;
    if matches!(bytes.len(), 4 | 16) { Ok(bytes) } else { Err(refused(helper, "ip", word)) }
}

pub(crate) fn ip_str(call: &mut Call<'_>) -> Reply {
    let text = text(packed(call, call.args[0])?).unwrap_or_default();
    call.give_str(text.as_bytes())
}

pub(crate) fn ip_in(call: &mut Call<'_>) -> Reply {
    let [ip, net, ..] = call.args;
    packed(call, ip)?;
    let helper = call.guest.helper;
    let input = call.guest.input();
    let (ip, bytes) = (input.content("ip", ip)?, input.content("net", net)?);
    let split = bytes.split_last().filter(|(_, start)| matches!(start.len(), 4 | 16));
    let Some((&prefix, start)) = split else { return Err(refused(helper, "net", net)) };
    // An address of the other version is in no such network.
    if ip.len() != start.len() {
        return Ok(0);
    }
    let same = ip.iter().zip(start).zip((0_u32..).step_by(8)).all(|((ip, net), at)| {
        let bits = u32::from(prefix).saturating_sub(at).min(8);
        let mask = (0xff00_u32 >> bits) as u8;
        ip & mask == net & mask
    });
    Ok(same.into())
}

pub(crate) fn is_loopback(call: &mut Call<'_>) -> Reply {
    let bytes = packed(call, call.args[0])?;
    Ok(if bytes.len() == 4 { bytes[0] == 127 } else { bytes == Ipv6Addr::LOCALHOST.octets() }
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(address: &str) -> Option<String> {
        match parse(address.as_bytes())? {
            Address::V4(address) => text(&address.octets()),
            Address::V6(address) => text(&address.octets()),
            Address::Scoped(_) => Some("scoped".into()),
        }
    }

    #[test]
    fn texts_of_addresses() {
        for (address, expected) in [
            ("192.0.2.1", Some("192.0.2.1")),
            ("0.0.0.0", Some("0.0.0.0")),
            ("01.2.3.4", None),
            ("1.2.3", None),
            ("1.2.3.256", None),
            ("1.2.3.4 ", None),
            ("::", Some("::")),
            ("::1", Some("::1")),
            ("1::", Some("1::")),
            ("2001:DB8:0:0:1:0:0:1", Some("2001:db8::1:0:0:1")),
            ("1:0:2:0:0:3:0:0", Some("1:0:2::3:0:0")),
            ("1:2:3:4:5:6:7:0", Some("1:2:3:4:5:6:7:0")),
            ("::ffff:192.0.2.1", Some("::ffff:c000:201")),
            ("1:2:3:4:5:6:7::", Some("1:2:3:4:5:6:7:0")),
            ("::1:2:3:4:5:6:7", Some("0:1:2:3:4:5:6:7")),
            ("1::2::3", None),
            (":1", None),
            ("12345::", None),
            ("fe80::1%eth0", Some("scoped")),
            ("fe80::1%", None),
            ("fe80::1%a%b", None),
            ("1.2.3.4%a", None),
            ("", None),
            ("::1/128", None),
        ] {
            assert_eq!(shown(address).as_deref(), expected, "{address}");
        }
        assert_eq!(invalid(b"a'b"), "\"a'b\" does not appear to be an IPv4 or IPv6 address");
    }
}
