//! Looking at the request.

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::json;

use crate::exchange::Body;
use crate::guest::{Call, Instead, Reply, copying, found};
use crate::helpers::json::insert;
use crate::limits::{JSON_FUEL, MAX_RANGES_BYTES};
use crate::{Exchange, Outcome, measure};

/// Give back a text of the request.
fn text(call: &mut Call<'_>, text: fn(&Exchange) -> Option<&[u8]>) -> Reply {
    let text = found(text(call.exchange))?;
    call.fuel += copying(text.len());
    call.guest.text(call.args[0], call.args[1], text)
}

pub(crate) fn method(call: &mut Call<'_>) -> Reply {
    text(call, |exchange| Some(exchange.request.method.as_bytes()))
}

pub(crate) fn path(call: &mut Call<'_>) -> Reply {
    text(call, |exchange| Some(exchange.request.parts().0.as_bytes()))
}

pub(crate) fn normalized_path(call: &mut Call<'_>) -> Reply {
    call.fuel += call.exchange.target().len() as u64;
    let path = found(call.exchange.normal_path())?;
    call.fuel += copying(path.len());
    call.guest.text(call.args[0], call.args[1], path.as_bytes())
}

pub(crate) fn uri(call: &mut Call<'_>) -> Reply {
    text(call, |exchange| Some(exchange.request.target.as_bytes()))
}

pub(crate) fn query(call: &mut Call<'_>) -> Reply {
    text(call, |exchange| Some(exchange.request.parts().1.as_bytes()))
}

pub(crate) fn scheme(call: &mut Call<'_>) -> Reply {
    text(call, |exchange| Some(exchange.request.scheme.as_bytes()))
}

pub(crate) fn peer(call: &mut Call<'_>) -> Reply {
    text(call, |exchange| Some(exchange.request.peer.as_bytes()).filter(|peer| !peer.is_empty()))
}

pub(crate) fn proto_major(call: &mut Call<'_>) -> Reply {
    Ok(call.exchange.request.version.0.into())
}

pub(crate) fn proto_minor(call: &mut Call<'_>) -> Reply {
    Ok(call.exchange.request.version.1.into())
}

pub(crate) fn is_tls(call: &mut Call<'_>) -> Reply {
    Ok(call.exchange.tls.is_there.into())
}

pub(crate) fn header(call: &mut Call<'_>) -> Reply {
    let [name, name_len, out, out_len, _] = call.args;
    let name = call.guest.input().name("name", name, name_len)?;
    let headers = &call.exchange.request.headers;
    call.fuel += headers.cost();
    let value = found(headers.get(name))?;
    call.fuel += copying(value.len());
    call.guest.text(out, out_len, value)
}

pub(crate) fn query_param(call: &mut Call<'_>) -> Reply {
    let [name, name_len, out, out_len, _] = call.args;
    let name = call.guest.input().text("name", name, name_len)?;
    let query = call.exchange.request.parts().1;
    call.fuel += query.len() as u64;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, value) = found(pairs.find(|(key, _)| key == name))?;
    call.guest.text(out, out_len, value.as_bytes())
}

pub(crate) fn query_param_matches(call: &mut Call<'_>) -> Reply {
    let [name, name_len, value, value_len, _] = call.args;
    let input = call.guest.input();
    let name = input.text("name", name, name_len)?;
    let wanted = input.text("value", value, value_len)?;
    let query = call.exchange.request.parts().1;
    call.fuel += query.len() as u64;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    Ok(pairs.any(|(key, value)| key == name && (wanted == "*" || value == wanted)).into())
}

/// Whether an address is in a list; `None` if it is no such list.
fn is_in(list: &[u8], address: Option<IpAddr>) -> Option<bool> {
    let list: Vec<String> = serde_json::from_slice(list).ok()?;
    let mut matches = false;
    // All of them are read, so that a wrong one shows with any client.
    for range in list {
        let range: IpNet = if range.contains('/') {
            range.parse().ok()?
        } else {
            range.parse::<IpAddr>().ok()?.to_canonical().into()
        };
        matches |= address.is_some_and(|address| range.contains(&address));
    }
    Some(matches)
}

pub(crate) fn remote_ip_matches(call: &mut Call<'_>) -> Reply {
    let list = call.guest.input().bytes("ranges_json", call.args[0], call.args[1])?;
    if list.len() > MAX_RANGES_BYTES {
        return Err(Instead::Nothing);
    }
    call.fuel += list.len() as u64 * JSON_FUEL;
    Ok(found(is_in(list, call.exchange.request.peer_ip()))?.into())
}

pub(crate) fn body_limit(call: &mut Call<'_>) -> Reply {
    let max_bytes = call.args[0];
    let exchange = &mut *call.exchange;
    exchange.body_limit = exchange.body_limit.min(max_bytes);
    let announced = exchange.request.headers.get("content-length");
    let announced = announced.and_then(|value| std::str::from_utf8(value).ok()?.parse().ok());
    Ok(announced.is_some_and(|announced: u64| announced > max_bytes).into())
}

pub(crate) fn body_json(call: &mut Call<'_>) -> Reply {
    if let Some(handle) = call.exchange.handles.body() {
        return Ok(handle);
    }
    let limit = call.exchange.body_limit;
    let body = match &call.exchange.body {
        Body::Unread => return Err(Instead::Other(Outcome::Body { limit })),
        Body::Whole(body) if body.len() as u64 <= limit => body,
        Body::Whole(_) | Body::Missing => return Err(Instead::Nothing),
    };
    call.fuel += body.len() as u64 * JSON_FUEL;
    let value = found(measure::parse(body, call.exchange.handles.room()))?;
    let handle = insert(call, value)?;
    call.exchange.handles.set_body(handle);
    Ok(handle)
}

pub(crate) fn connection_info(call: &mut Call<'_>) -> Reply {
    let tls = &call.exchange.tls;
    let known = |text: &String| (tls.is_there && !text.is_empty()).then(|| text.clone());
    let ech = tls.ech.filter(|_| tls.is_there).map(|accepted| json!({"accepted": accepted}));
    let info = json!({
        "tls": tls.is_there,
        "tls_handshake_complete": tls.is_there && tls.handshake_complete,
        "alpn": known(&tls.alpn),
        "sni": {"inner": known(&tls.sni_inner), "outer": known(&tls.sni_outer)},
        "ech": ech,
        "fingerprint": {"ja4": known(&tls.ja4)},
    });
    insert(call, info)
}
