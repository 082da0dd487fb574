//! Changing the request that later scripts, the lookup and upstreams see.

use zeroserve_http::path::resolve;

use crate::guest::{Call, Guest, Instead, Reply, copying, done, found};
use crate::words::{Pattern, field_value, is_field_name, is_framing, is_method, is_target};

pub(crate) fn set_method(call: &mut Call<'_>) -> Reply {
    let method = call.guest.input().name("method", call.args[0], call.args[1])?;
    if !is_method(method) {
        return Err(Instead::Nothing);
    }
    let request = &mut call.exchange.request;
    request.method_changed |= request.method != method;
    request.method.clear();
    request.method.push_str(method);
    Ok(0)
}

pub(crate) fn set_uri(call: &mut Call<'_>) -> Reply {
    let target = call.guest.input().text("uri", call.args[0], call.args[1])?;
    if !is_target(target.as_bytes()) {
        return Err(Instead::Nothing);
    }
    call.fuel += target.len() as u64;
    let path = target.split('?').next().unwrap_or(target);
    let mut scratch = Vec::new();
    found(resolve(path, &mut scratch).ok())?;
    let request = &mut call.exchange.request;
    request.target_changed |= request.target != target;
    request.target.clear();
    request.target.push_str(target);
    Ok(0)
}

/// A field that a script gives a request.
fn field<'a>(guest: &'a mut Guest<'_>, args: [u64; 5]) -> Result<(&'a str, &'a [u8]), Instead> {
    let [name, name_len, value, value_len, _] = args;
    let input = guest.input();
    let name = input.name("name", name, name_len)?;
    let value = input.bytes("value", value, value_len)?;
    if !is_field_name(name) || is_framing(name) || value.len() > crate::limits::MAX_HEADER_BYTES {
        return Err(Instead::Nothing);
    }
    Ok((name, found(field_value(value))?))
}

pub(crate) fn set_header(call: &mut Call<'_>) -> Reply {
    let Call { guest, args, exchange, fuel, .. } = call;
    let headers = &mut exchange.request.headers;
    let (name, value) = field(guest, *args)?;
    *fuel += headers.cost() + copying(value.len());
    if args[3] == 0 {
        headers.remove(|other| other.eq_ignore_ascii_case(name));
        return Ok(0);
    }
    done(headers.set(name, value))
}

pub(crate) fn append_header(call: &mut Call<'_>) -> Reply {
    let Call { guest, args, exchange, fuel, .. } = call;
    let headers = &mut exchange.request.headers;
    let (name, value) = field(guest, *args)?;
    *fuel += headers.cost() + copying(value.len());
    done(headers.append(name, value))
}

pub(crate) fn delete_header(call: &mut Call<'_>) -> Reply {
    let pattern = call.guest.input().name("pattern", call.args[0], call.args[1])?;
    let headers = &mut call.exchange.request.headers;
    // A pattern may be tried at every place of every name.
    call.fuel += headers.cost() * (1 + pattern.len() as u64);
    let pattern = found(Pattern::parse(pattern))?;
    headers.remove(|name| pattern.matches(name) && !is_framing(name));
    Ok(0)
}
