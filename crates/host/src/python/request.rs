//! The request, for compiled Python: what it says, and what later scripts and the lookup see of it.

use std::borrow::Cow;

use zeroserve_http::path::resolve_bytes;

use crate::Outcome;
use crate::exchange::Body;
use crate::fields::Fields;
use crate::guest::{Call, Instead, Reply, copying};
use crate::limits::{HASH_FUEL, MAX_HEADER_BYTES, MAX_NAME_BYTES, MAX_URI_BYTES};
use crate::python::exception::VALUE_ERROR;
use crate::python::letters::{escape, repr, unescape};
use crate::python::url;
use crate::words::{is_field_name, is_framing, is_method};

/// A trap that names a limit.
pub(crate) fn limit(reason: impl Into<String>) -> Instead {
    Instead::Other(Outcome::Trap(reason.into()))
}

/// The host of a Host field: in lower case, without port.
fn host(value: &[u8]) -> Vec<u8> {
    let behind_brackets = value.iter().rposition(|byte| *byte == b']').map_or(0, |at| at + 1);
    let colon = value[behind_brackets..].iter().position(|byte| *byte == b':');
    value[..colon.map_or(value.len(), |at| behind_brackets + at)].to_ascii_lowercase()
}

pub(crate) fn field(call: &mut Call<'_>) -> Reply {
    let Call { exchange, guest, .. } = call;
    let (request, tls) = (&exchange.request, &exchange.tls);
    let of_tls = |text: &String| {
        (tls.is_there && !text.is_empty()).then(|| Cow::from(text.as_bytes().to_vec()))
    };
    let text: Option<Cow<'_, [u8]>> = match call.args[0] {
        0 => Some(request.method.as_bytes().into()),
        1 => Some(normal(request.parts().0)),
        2 => Some(request.parts().0.as_bytes().into()),
        3 => Some(request.parts().1.as_bytes().into()),
        4 => Some(request.scheme.as_bytes().into()),
        5 => Some(escape(&host(request.headers.get("host").unwrap_or_default())).into()),
        6 => {
            Some(request.peer_ip().map(|ip| ip.to_string()).unwrap_or_default().into_bytes().into())
        }
        7 => Some(match request.version {
            (1, 0) => b"1.0".as_slice().into(),
            (1, _) => b"1.1".as_slice().into(),
            _ => b"2".as_slice().into(),
        }),
        8 => of_tls(&tls.sni_inner).or_else(|| of_tls(&tls.sni_outer)),
        9 => of_tls(&tls.alpn),
        10 => of_tls(&tls.ja4),
        11 => {
            let ip = exchange.client_ip.or_else(|| request.peer_ip());
            Some(ip.map(|ip| ip.to_string()).unwrap_or_default().into_bytes().into())
        }
        other => return Err(limit(format!("{}: there is no field {other}", guest.helper))),
    };
    let Some(text) = text else { return Ok(0) };
    call.fuel += text.len() as u64 + copying(text.len());
    guest.new_str(&text)
}

/// A path decoded and without dot segments; what is no path is refused once it is looked up.
fn normal(path: &str) -> Cow<'_, [u8]> {
    let mut scratch = Vec::new();
    match resolve_bytes(path, &mut scratch) {
        Ok(name) if path.starts_with('/') => {
            // Most paths are what they were: nothing is copied then.
            if name == &path.as_bytes()[1..] && path.is_ascii() {
                return path.as_bytes().into();
            }
            escape(&[b"/", name].concat()).into()
        }
        _ => path.as_bytes().into(),
    }
}

pub(crate) fn peer_port(call: &mut Call<'_>) -> Reply {
    let port = call.exchange.request.peer.rsplit_once(':');
    Ok(port.and_then(|(_, port)| port.parse().ok()).unwrap_or(0))
}

/// The values of a field, joined as RFC 9110, section 5.3, has it.
pub(crate) fn joined(fields: &Fields, name: &[u8]) -> Option<Vec<u8>> {
    let named = |other: &str| other.as_bytes().eq_ignore_ascii_case(name);
    let mut values = fields.iter().filter(|(other, _)| named(other)).map(|(_, value)| value);
    let mut all = values.next()?.to_vec();
    for value in values {
        all.extend_from_slice(b", ");
        all.extend_from_slice(value);
    }
    Some(escape(&all))
}

pub(crate) fn header(call: &mut Call<'_>) -> Reply {
    let name = call.guest.input().content("name", call.args[0])?;
    let headers = &call.exchange.request.headers;
    call.fuel += headers.cost();
    joined(headers, name).map_or(Ok(0), |value| call.give_str(&value))
}

pub(crate) fn query_param(call: &mut Call<'_>) -> Reply {
    let name = call.guest.input().content("name", call.args[0])?;
    let query = call.exchange.request.parts().1;
    call.fuel += query.len() as u64 * HASH_FUEL;
    let value = {
        let mut pairs = url::pairs(query.as_bytes(), true);
        pairs.find(|(key, _)| key == name).map(|(_, value)| value)
    };
    value.map_or(Ok(0), |value| call.give_str(&value))
}

/// The first cookie of a name in one field.
pub(crate) fn cookie_in<'a>(field: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    field.split(|byte| *byte == b';').find_map(|pair| {
        let at = memchr::memchr(b'=', pair)?;
        let value = pair[at + 1..].trim_ascii();
        let quoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        (pair[..at].trim_ascii() == name).then(|| quoted.unwrap_or(value))
    })
}

pub(crate) fn cookie(call: &mut Call<'_>) -> Reply {
    let name = unescape(call.guest.input().content("name", call.args[0])?);
    let headers = &call.exchange.request.headers;
    let mut fuel = headers.cost();
    let cookies = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("cookie"));
    let value = cookies.map(|(_, field)| field).find_map(|field| {
        fuel += field.len() as u64;
        cookie_in(field, name.as_deref().ok()?)
    });
    let value = value.map(escape);
    call.fuel += fuel;
    value.map_or(Ok(0), |value| call.give_str(&value))
}

/// The body, once it is there.
pub(crate) fn whole_body<'a>(call: &'a Call<'_>) -> Result<&'a [u8], Instead> {
    let limit = call.exchange.body_limit;
    match &call.exchange.body {
        Body::Unread => Err(Instead::Other(Outcome::Body { limit })),
        Body::Whole(body) if body.len() as u64 <= limit => Ok(body),
        // What was read past before the response was shown to scripts is nobody's fault but theirs.
        _ if call.exchange.response().is_some() => {
            let reason = "the request body is not kept until the response; read it before";
            Err(Instead::Other(Outcome::Trap(reason.into())))
        }
        Body::Whole(_) | Body::Missing => Err(Instead::Other(Outcome::BodyTooLarge)),
    }
}

pub(crate) fn limit_body(call: &mut Call<'_>) -> Reply {
    let Ok(max_bytes) = u64::try_from(call.args[0] as i64) else {
        let why = format!("a limit of bytes is negative: {}", call.args[0] as i64);
        return Err(call.raised(VALUE_ERROR, why));
    };
    call.exchange.limit_body(max_bytes);
    let announced = call.exchange.request.headers.get("content-length");
    let announced = announced.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    if announced.is_some_and(|announced: u64| announced > max_bytes) {
        return Err(Instead::Other(Outcome::BodyTooLarge));
    }
    Ok(0)
}

pub(crate) fn body(call: &mut Call<'_>) -> Reply {
    let bytes = whole_body(call)?.len();
    call.fuel += copying(bytes);
    let body = std::mem::take(&mut call.exchange.body);
    let word = if let Body::Whole(bytes) = &body { call.guest.new_bytes(bytes) } else { Ok(0) };
    call.exchange.body = body;
    word
}

/// Whether it can be the value of a field: other than helpers for C, line breaks at its ends count.
pub(crate) fn is_value(bytes: &[u8]) -> bool {
    !bytes.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t')
}

/// A name and a value for a field, in bytes; raises ValueError.
pub(crate) fn valid_field(
    call: &mut Call<'_>,
    name: u64,
    value: u64,
    may_be_set: fn(&str) -> bool,
) -> Result<(String, Vec<u8>), Instead> {
    let input = call.guest.input();
    let (name, value) = (input.content("name", name)?, input.content("value", value)?);
    call.fuel += copying(name.len() + value.len());
    let text = std::str::from_utf8(name).ok().filter(|name| is_field_name(name));
    let Some(text) = text else {
        let shown = repr(&name[..name.len().min(MAX_NAME_BYTES)]);
        return Err(call.raised(VALUE_ERROR, format!("not a name of a header: {shown}")));
    };
    if !may_be_set(text) {
        let why = format!("header {text} is up to the server");
        return Err(call.raised(VALUE_ERROR, why));
    }
    let text = text.to_owned();
    if value.len() > 3 * MAX_HEADER_BYTES {
        return Err(limit(format!("a header is larger than {MAX_HEADER_BYTES} bytes")));
    }
    let bytes = unescape(value);
    let bytes = call.encodable(bytes)?;
    if !is_value(&bytes) {
        let why = format!("value of header {text} has a control character");
        return Err(call.raised(VALUE_ERROR, why));
    }
    Ok((text, bytes.trim_ascii().to_vec()))
}

/// Where there is no room for a field.
pub(crate) fn has_room(there_was: bool) -> Reply {
    let most = crate::limits::MAX_HEADER_FIELDS;
    let full = || limit(format!("more than {most} headers, or {MAX_HEADER_BYTES} bytes of them"));
    if there_was { Ok(0) } else { Err(full()) }
}

pub(crate) fn set_header(call: &mut Call<'_>) -> Reply {
    let [name, value, ..] = call.args;
    let (name, value) = valid_field(call, name, value, |name| !is_framing(name))?;
    let headers = &mut call.exchange.request.headers;
    call.fuel += headers.cost();
    has_room(headers.set(&name, &value))
}

pub(crate) fn delete_header(call: &mut Call<'_>) -> Reply {
    let name = call.guest.input().content("name", call.args[0])?;
    let headers = &mut call.exchange.request.headers;
    call.fuel += headers.cost();
    headers.remove(|other| other.as_bytes().eq_ignore_ascii_case(name) && !is_framing(other));
    Ok(0)
}

pub(crate) fn rewrite(call: &mut Call<'_>) -> Reply {
    let path = call.guest.input().content("path", call.args[0])?;
    call.fuel += path.len() as u64;
    let why = if path.first() != Some(&b'/') {
        "a path has to begin with a slash: "
    } else if path.len() > MAX_URI_BYTES {
        return Err(limit(format!("a path is longer than {MAX_URI_BYTES} bytes")));
    } else {
        ""
    };
    let shown = repr(&path[..path.len().min(MAX_NAME_BYTES)]);
    if !why.is_empty() {
        return Err(call.raised(VALUE_ERROR, format!("{why}{shown}")));
    }
    let bytes = unescape(path);
    let bytes = call.encodable(bytes)?;
    let target = url::escaped_target(&bytes);
    if target.len() > MAX_URI_BYTES {
        return Err(limit(format!("a path is longer than {MAX_URI_BYTES} bytes")));
    }
    let path = target.split('?').next().unwrap_or(&target);
    if let Err(bad) = resolve_bytes(path, &mut Vec::new()) {
        return Err(call.raised(VALUE_ERROR, format!("{}: {shown}", bad.0)));
    }
    let request = &mut call.exchange.request;
    request.target_changed |= request.target != target;
    request.target = target;
    Ok(0)
}

pub(crate) fn set_method(call: &mut Call<'_>) -> Reply {
    let method = call.guest.input().content("method", call.args[0])?;
    let Some(method) = std::str::from_utf8(method).ok().filter(|method| is_method(method)) else {
        let shown = repr(&method[..method.len().min(MAX_NAME_BYTES)]);
        return Err(call.raised(VALUE_ERROR, format!("not a method: {shown}")));
    };
    let request = &mut call.exchange.request;
    request.method_changed |= request.method != method;
    request.method.clear();
    request.method.push_str(method);
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_cookies() {
        for (field, expected) in [
            ("Example.ORG:8080", "example.org"),
            ("a", "a"),
            ("[2001:DB8::1]:443", "[2001:db8::1]"),
            ("[::1]", "[::1]"),
            ("", ""),
        ] {
            assert_eq!(host(field.as_bytes()), expected.as_bytes());
        }
        let field = b"a=1; b = \"two\" ;c;=x; b=3; d=\"";
        for (name, value) in
            [("a", Some("1")), ("b", Some("two")), ("c", None), ("", Some("x")), ("d", Some("\""))]
        {
            assert_eq!(cookie_in(field, name.as_bytes()), value.map(str::as_bytes), "{name}");
        }
    }
}
