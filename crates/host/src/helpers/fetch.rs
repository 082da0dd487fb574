//! Asking other servers.

use crate::fetch::{FetchRequest, Fetched, is_fetchable, may_ask_with, may_be_asked};
use crate::guest::{Call, Instead, Reply, copying, found};
use crate::handles::Handles;
use crate::helpers::json::insert;
use crate::limits::{
    DEFAULT_FETCH_TIMEOUT_MS, JSON_FUEL, MAX_FETCH_TIMEOUT_MS, MAX_HEADER_BYTES, MAX_HEADER_FIELDS,
    MAX_REQUEST_BODY_BYTES,
};
use crate::words::field_value;
use crate::{Outcome, measure};

/// Fields of `zs_fetch_params`, 8 bytes each.
const FIELDS: usize = 8;

/// Bytes of `zs_fetch_params`.
const PARAMS_BYTES: u64 = 8 * FIELDS as u64;

/// Header fields of a handle, by name; none for 0.
fn headers(handles: &Handles, handle: u64) -> Option<Vec<(String, Vec<u8>)>> {
    if handle == 0 {
        return Some(Vec::new());
    }
    let object = handles.get(handle)?.as_object()?;
    if object.len() > MAX_HEADER_FIELDS {
        return None;
    }
    let header = |(name, value): (&String, &serde_json::Value)| {
        let value = field_value(value.as_str()?.as_bytes())?;
        may_be_asked(name).then(|| (name.clone(), value.to_vec()))
    };
    let headers = object.iter().map(header).collect::<Option<Vec<_>>>()?;
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    (bytes <= MAX_HEADER_BYTES).then_some(headers)
}

/// What the parameters ask for.
fn request(call: &mut Call<'_>) -> Result<FetchRequest, Instead> {
    let [address, len, ..] = call.args;
    if len != PARAMS_BYTES {
        return Err(Instead::Nothing);
    }
    let input = call.guest.input();
    let bytes = input.bytes("params", address, PARAMS_BYTES)?;
    let mut fields = [0; FIELDS];
    for (field, bytes) in fields.iter_mut().zip(bytes.as_chunks::<8>().0) {
        *field = u64::from_le_bytes(*bytes);
    }
    let [method, method_len, url, url_len, object, body, body_len, timeout_ms] = fields;
    let method = if method_len == 0 { "GET" } else { input.name("method", method, method_len)? };
    let url = input.text("url", url, url_len)?;
    let body = input.bytes("body", body, body_len)?;
    let handles = &call.exchange.handles;
    call.fuel += handles.cost(object) + copying(url.len() + body.len());
    let timeout_ms = if timeout_ms == 0 { DEFAULT_FETCH_TIMEOUT_MS } else { timeout_ms };
    let valid = may_ask_with(method)
        && is_fetchable(url)
        && body.len() as u64 <= MAX_REQUEST_BODY_BYTES
        && timeout_ms <= MAX_FETCH_TIMEOUT_MS;
    if !valid {
        return Err(Instead::Nothing);
    }
    let fields = found(headers(handles, object))?;
    let (method, url, body) = (method.to_owned(), url.to_owned(), body.to_vec());
    Ok(FetchRequest { method, url, fields, body, timeout_ms })
}

pub(crate) fn fetch(call: &mut Call<'_>) -> Reply {
    let depth = call.exchange.call_depth();
    if let Some(result) = call.exchange.fetches.finish(depth) {
        return found(result.ok());
    }
    let request = request(call)?;
    // The response is about to be sent: nothing may hold it up.
    if call.exchange.response().is_some() || !call.exchange.fetches.begin() {
        return Err(Instead::Nothing);
    }
    Err(Instead::Other(Outcome::Fetch(Box::new(request))))
}

fn told<'a>(call: &'a Call<'_>) -> Result<&'a Fetched, Instead> {
    let depth = call.exchange.call_depth();
    found(call.exchange.fetches.told(depth, call.args[0]))
}

pub(crate) fn status(call: &mut Call<'_>) -> Reply {
    Ok(told(call)?.status.into())
}

pub(crate) fn header(call: &mut Call<'_>) -> Reply {
    let [handle, name, name_len, out, out_len] = call.args;
    let name = call.guest.input().name("name", name, name_len)?;
    let depth = call.exchange.call_depth();
    let fields = &found(call.exchange.fetches.told(depth, handle))?.fields;
    call.fuel += fields.cost();
    let value = found(fields.get(name))?;
    call.fuel += copying(value.len());
    call.guest.text(out, out_len, value)
}

pub(crate) fn body(call: &mut Call<'_>) -> Reply {
    let [handle, out, out_len, ..] = call.args;
    let depth = call.exchange.call_depth();
    let body = &found(call.exchange.fetches.told(depth, handle))?.body;
    call.fuel += copying(body.len());
    call.guest.bytes(out, out_len, body)
}

pub(crate) fn json(call: &mut Call<'_>) -> Reply {
    let room = call.exchange.handles.room();
    let body = &told(call)?.body;
    let fuel = body.len() as u64 * JSON_FUEL;
    let value = measure::parse(body, room);
    call.fuel += fuel;
    insert(call, found(value)?)
}
