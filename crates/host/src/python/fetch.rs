//! Asking other servers, for compiled Python.

use crate::Outcome;
use crate::fetch::{FetchError, FetchRequest, Fetched, is_fetchable, may_ask_with, may_be_asked};
use crate::guest::{Call, Instead, Reply, copying};
use crate::limits::{
    JSON_FUEL, MAX_FETCH_TIMEOUT_MS, MAX_FETCHES, MAX_HEADER_BYTES, MAX_HEADER_FIELDS,
    MAX_NAME_BYTES, MAX_REQUEST_BODY_BYTES, MAX_URI_BYTES,
};
use crate::python::exception::{CONNECTION_ERROR, PERMISSION_ERROR, TIMEOUT_ERROR, VALUE_ERROR};
use crate::python::json::read_json;
use crate::python::letters::{escape, repr};
use crate::python::place::refused;
use crate::python::request::{has_room, joined, limit, valid_field};

/// What a text looks like in a message.
fn shown(text: &[u8]) -> String {
    repr(&text[..text.len().min(MAX_NAME_BYTES)])
}

pub(crate) fn request(call: &mut Call<'_>) -> Reply {
    let [method, url, out, ..] = call.args;
    let input = call.guest.input();
    let (method, url) = (input.content("method", method)?, input.content("url", url)?);
    call.fuel += copying(url.len());
    let as_text = |text| std::str::from_utf8(text).ok();
    let Some(good) = as_text(method).filter(|method| may_ask_with(method)) else {
        let why = format!("not a method: {}", shown(method));
        return Err(call.raised(VALUE_ERROR, why));
    };
    let method = good.to_owned();
    let text = url.get(..MAX_URI_BYTES + 1).unwrap_or(url);
    let Some(good) = as_text(text).filter(|url| is_fetchable(url)) else {
        let why = format!("not a URL that can be fetched: {}", shown(url));
        return Err(call.raised(VALUE_ERROR, why));
    };
    let url = good.to_owned();
    if call.exchange.response().is_some() {
        return Err(limit("a response hook can't fetch: the response waits to be sent"));
    }
    if !call.exchange.fetches.begin() {
        return Err(limit(format!("it fetches more than {MAX_FETCHES} times")));
    }
    let depth = call.exchange.call_depth();
    let request = FetchRequest { method, url, ..FetchRequest::default() };
    let handle = call.exchange.fetches.ask(depth, request);
    call.give(out, &[handle])
}

pub(crate) fn header(call: &mut Call<'_>) -> Reply {
    let [handle, name, value, ..] = call.args;
    // None: it is left out.
    if value == 0 {
        return Ok(0);
    }
    let (name, value) = valid_field(call, name, value, may_be_asked)?;
    let (helper, depth) = (call.guest.helper, call.exchange.call_depth());
    let request = call.exchange.fetches.asking(depth, handle);
    let fields = &mut request.ok_or_else(|| refused(helper, "request", handle))?.fields;
    let bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
    let fits =
        fields.len() < MAX_HEADER_FIELDS && bytes + name.len() + value.len() <= MAX_HEADER_BYTES;
    call.fuel += copying(bytes);
    fields.push((name, value));
    has_room(fits)
}

pub(crate) fn fetch(call: &mut Call<'_>) -> Reply {
    let [handle, body, timeout_ms, out, _] = call.args;
    let depth = call.exchange.call_depth();
    match call.exchange.fetches.finish(depth) {
        Some(Ok(handle)) => return call.give(out, &[handle]),
        Some(Err(error)) => {
            let (kind, why) = match error {
                FetchError::Forbidden(why) => (PERMISSION_ERROR, why),
                FetchError::TimedOut(why) => (TIMEOUT_ERROR, why),
                FetchError::Failed(why) => (CONNECTION_ERROR, why),
            };
            return Err(call.raised(kind, why));
        }
        None => {}
    }
    if !(1..=MAX_FETCH_TIMEOUT_MS).contains(&timeout_ms) {
        let why =
            format!("timeout_ms is {}, not from 1 to {MAX_FETCH_TIMEOUT_MS}", timeout_ms as i64);
        return Err(call.raised(VALUE_ERROR, why));
    }
    let body = call.guest.input().content("body", body)?;
    call.fuel += copying(body.len());
    if body.len() as u64 > MAX_REQUEST_BODY_BYTES {
        let why = format!("the body of a fetch is larger than {MAX_REQUEST_BODY_BYTES} bytes");
        return Err(limit(why));
    }
    let body = body.to_vec();
    let request = call.exchange.fetches.take(depth, handle);
    let request = request.ok_or_else(|| refused(call.guest.helper, "request", handle))?;
    let request = FetchRequest { body, timeout_ms, ..request };
    Err(Instead::Other(Outcome::Fetch(Box::new(request))))
}

fn told<'a>(call: &'a Call<'_>) -> Result<&'a Fetched, Instead> {
    let (handle, depth) = (call.args[0], call.exchange.call_depth());
    let told = call.exchange.fetches.told(depth, handle);
    told.ok_or_else(|| refused(call.guest.helper, "answer", handle))
}

pub(crate) fn status(call: &mut Call<'_>) -> Reply {
    Ok(told(call)?.status.into())
}

pub(crate) fn answer_header(call: &mut Call<'_>) -> Reply {
    let name = call.guest.input().content("name", call.args[1])?.to_vec();
    let fields = &told(call)?.fields;
    let (cost, value) = (fields.cost(), joined(fields, &name));
    call.fuel += cost;
    value.map_or(Ok(0), |value| call.give_str(&value))
}

pub(crate) fn header_list(call: &mut Call<'_>) -> Reply {
    let name = call.guest.input().content("name", call.args[1])?.to_vec();
    let fields = &told(call)?.fields;
    let named = |other: &str| other.as_bytes().eq_ignore_ascii_case(&name);
    let values = fields.iter().filter(|(other, _)| named(other)).map(|(_, value)| escape(value));
    let (cost, values) = (fields.cost(), values.collect::<Vec<_>>());
    call.fuel += cost;
    let mut words = Vec::with_capacity(values.len());
    for value in values {
        words.push(call.give_str(&value)?);
    }
    call.guest.new_list(&words, 1)
}

pub(crate) fn body(call: &mut Call<'_>) -> Reply {
    told(call)?;
    let (handle, depth) = (call.args[0], call.exchange.call_depth());
    let Call { exchange, guest, .. } = call;
    let body = exchange.fetches.told(depth, handle).map_or(&[][..], |told| &told.body);
    call.fuel += copying(body.len());
    guest.new_bytes(body)
}

pub(crate) fn json(call: &mut Call<'_>) -> Reply {
    let body = told(call)?.body.clone();
    call.fuel += body.len() as u64 * JSON_FUEL;
    read_json(call, &body, call.args[1])
}
