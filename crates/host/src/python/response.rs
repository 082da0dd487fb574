//! Answers of compiled Python, and what its hooks do with responses.

use zeroserve_http::path::normalize;

use crate::exchange::{Answer, Response};
use crate::guest::{Call, Instead, Reply, copying};
use crate::limits::{MAX_NAME_BYTES, MAX_RESPONSE_BODY_BYTES, MAX_URI_BYTES};
use crate::python::exception::VALUE_ERROR;
use crate::python::letters::{encoded, repr, unescape};
use crate::python::place::refused;
use crate::python::request::{has_room, is_value, joined, limit, valid_field};
use crate::python::url;
use crate::words::{is_near_upstream, is_response_field, is_upstream, status};

const TEXT: &str = "text/plain; charset=utf-8";
const BYTES: &str = "application/octet-stream";

/// Whether a script may give a response a field of this name; the date is when it is sent.
fn may_be_set(name: &str) -> bool {
    is_response_field(name) && !name.eq_ignore_ascii_case("date")
}

fn valid_status(call: &mut Call<'_>, number: u64) -> Result<u16, Instead> {
    status(number).ok_or_else(|| {
        let why = format!("status {} is not from 200 to 599", number as i64);
        call.raised(VALUE_ERROR, why)
    })
}

/// A handle of a response.
pub(crate) fn make(call: &mut Call<'_>, answer: Answer) -> Reply {
    call.exchange.python.make(answer).map_err(limit)
}

pub(crate) fn response(call: &mut Call<'_>) -> Reply {
    let [number, body, kind, is_bytes, out] = call.args;
    let status = valid_status(call, number)?;
    let content = call.guest.input().content("body", body)?;
    if content.len() > MAX_RESPONSE_BODY_BYTES {
        let why = format!("the body of a response is larger than {MAX_RESPONSE_BODY_BYTES} bytes");
        return Err(limit(why));
    }
    call.fuel += copying(content.len());
    // Bit 63: only then can there be a surrogate, unless the word lies and garbage is sent.
    let checked = if is_bytes == 0 && body >> 63 == 1 { encoded(content) } else { Ok(()) };
    let content = content.to_vec();
    call.encodable(checked)?;
    let mut content_type = if is_bytes == 0 { TEXT } else { BYTES };
    let mut given = Vec::new();
    if kind != 0 {
        given = valid_type(call, kind)?;
        content_type = "";
    }
    let handle = make(call, Answer::Respond { status, body: content, content_type })?;
    if let Some(fields) = call.exchange.python.fields(handle).filter(|_| kind != 0) {
        has_room(fields.append("Content-Type", &given))?;
    }
    call.give(out, &[handle])
}

fn valid_type(call: &mut Call<'_>, word: u64) -> Result<Vec<u8>, Instead> {
    let text = call.guest.input().content("content_type", word)?;
    let bytes = unescape(&text[..text.len().min(MAX_URI_BYTES)]);
    let bytes = call.encodable(bytes)?;
    let value = bytes.trim_ascii();
    if value.is_empty() || !is_value(&bytes) {
        let shown = repr(&bytes[..bytes.len().min(MAX_NAME_BYTES)]);
        return Err(call.raised(VALUE_ERROR, format!("not a content type: {shown}")));
    }
    Ok(value.to_vec())
}

pub(crate) fn add_header(call: &mut Call<'_>) -> Reply {
    let [handle, name, value, ..] = call.args;
    let (name, value) = valid_field(call, name, value, may_be_set)?;
    let helper = call.guest.helper;
    let fields = call.exchange.python.fields(handle);
    let fields = fields.ok_or_else(|| refused(helper, "response", handle))?;
    call.fuel += fields.cost();
    // A response of two types has none.
    let one = name.eq_ignore_ascii_case("content-type");
    has_room(if one { fields.set(&name, &value) } else { fields.append(&name, &value) })
}

pub(crate) fn redirect(call: &mut Call<'_>) -> Reply {
    let [target, number, out, ..] = call.args;
    let text = call.guest.input().content("url", target)?;
    call.fuel += text.len() as u64;
    if text.len() > MAX_URI_BYTES {
        return Err(limit(format!("a URL is longer than {MAX_URI_BYTES} bytes")));
    }
    let bytes = unescape(text);
    let bytes = call.encodable(bytes)?;
    if bytes.is_empty() || bytes.iter().any(u8::is_ascii_control) {
        let shown = repr(&bytes[..bytes.len().min(MAX_NAME_BYTES)]);
        return Err(call.raised(VALUE_ERROR, format!("not a URL: {shown}")));
    }
    let status = match number {
        301 | 302 | 303 | 307 | 308 => number as u16,
        _ => {
            let why = format!("status {} is no redirect: 301, 302, 303, 307 or 308", number as i64);
            return Err(call.raised(VALUE_ERROR, why));
        }
    };
    let handle = make(call, Answer::Respond { status, body: Vec::new(), content_type: "" })?;
    let location = url::escaped_reference(&bytes);
    if let Some(fields) = call.exchange.python.fields(handle) {
        has_room(fields.append("Location", location.as_bytes()))?;
    }
    call.give(out, &[handle])
}

pub(crate) fn proxy(call: &mut Call<'_>) -> Reply {
    let [target, out, ..] = call.args;
    upstream(call, target, false, out)
}

pub(crate) fn proxy_cached(call: &mut Call<'_>) -> Reply {
    let [target, cache, out, ..] = call.args;
    upstream(call, target, cache != 0, out)
}

fn upstream(call: &mut Call<'_>, target: u64, cache: bool, out: u64) -> Reply {
    let text = call.guest.input().content("url", target)?;
    call.fuel += text.len().min(MAX_URI_BYTES) as u64;
    let shown = repr(&text[..text.len().min(MAX_NAME_BYTES)]);
    let text = text.get(..MAX_URI_BYTES + 1).unwrap_or(text);
    let is_good = |url: &&str| is_upstream(url) || is_near_upstream(url);
    let Some(url) = std::str::from_utf8(text).ok().filter(is_good) else {
        let why = format!("not the URL of a server: {shown}");
        return Err(call.raised(VALUE_ERROR, why));
    };
    let url = url.to_owned();
    let handle = make(call, Answer::ReverseProxy { url, cache })?;
    call.give(out, &[handle])
}

/// A path of the site, decoded; raises ValueError for what is none.
fn site_path(call: &mut Call<'_>, word: u64) -> Result<Vec<u8>, Instead> {
    let text = call.guest.input().content("path", word)?;
    call.fuel += text.len() as u64;
    if text.len() > MAX_URI_BYTES {
        return Err(limit(format!("a path is longer than {MAX_URI_BYTES} bytes")));
    }
    let shown = repr(&text[..text.len().min(MAX_NAME_BYTES)]);
    let bytes = unescape(text);
    let bytes = call.encodable(bytes)?;
    let mut scratch = Vec::new();
    match normalize(&bytes, &mut scratch) {
        Ok(path) => Ok(path.to_vec()),
        Err(bad) => Err(call.raised(VALUE_ERROR, format!("{}: {shown}", bad.0))),
    }
}

pub(crate) fn file_exists(call: &mut Call<'_>) -> Reply {
    let text = call.guest.input().content("path", call.args[0])?;
    let fuel = text.len().min(MAX_URI_BYTES) as u64;
    let found = text.len() <= MAX_URI_BYTES && {
        let mut scratch = Vec::new();
        // Names are UTF-8, so nothing that is not has to be looked up.
        let path = normalize(text, &mut scratch).ok().and_then(|p| std::str::from_utf8(p).ok());
        path.is_some_and(|path| call.world.is_there(path))
    };
    call.fuel += fuel;
    Ok(found.into())
}

/// Whether a response of this status has the content of a page.
fn has_page(status: u16) -> bool {
    !matches!(status, 204 | 205 | 206 | 304)
}

pub(crate) fn send_file(call: &mut Call<'_>) -> Reply {
    let [path, number, out, ..] = call.args;
    let status = valid_status(call, number)?;
    if !has_page(status) {
        return Err(call.raised(VALUE_ERROR, format!("status {status} is none of a file")));
    }
    let path = site_path(call, path)?;
    let handle = make(call, Answer::File { path, status })?;
    call.give(out, &[handle])
}

pub(crate) fn send_listing(call: &mut Call<'_>) -> Reply {
    let [path, as_json, out, ..] = call.args;
    let path = site_path(call, path)?;
    let handle = make(call, Answer::Listing { path, as_json: as_json != 0 })?;
    call.give(out, &[handle])
}

/// Fields that describe content, and go with it.
const OF_CONTENT: [&str; 12] = [
    "accept-ranges",
    "content-digest",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    "etag",
    "last-modified",
    "repr-digest",
];

pub(crate) fn replace_content(call: &mut Call<'_>) -> Reply {
    seen(call)?;
    let path = site_path(call, call.args[0])?;
    let response = seen(call)?;
    // What the client has is as good as ever; and what becomes another protocol has no content.
    if response.status == 304 || response.status < 200 {
        return Ok(0);
    }
    response.file = Some(path);
    let cost = response.headers.cost();
    response.headers.remove(|name| OF_CONTENT.iter().any(|of| name.eq_ignore_ascii_case(of)));
    call.fuel += cost;
    Ok(0)
}

pub(crate) fn upstream_error(call: &mut Call<'_>) -> Reply {
    let phase = seen(call)?.upstream_error;
    phase.map_or(Ok(0), |phase| call.give_str(phase.as_bytes()))
}

pub(crate) fn abort(call: &mut Call<'_>) -> Reply {
    make(call, Answer::Abort)
}

pub(crate) fn answer(call: &mut Call<'_>) -> Reply {
    let handle = call.args[0];
    if call.exchange.response().is_some() {
        return Err(limit("a response hook can't answer: the response is there"));
    }
    let decided = call.exchange.python.decide(handle);
    let Some(decided) = decided else { return Err(refused(call.guest.helper, "response", handle)) };
    call.exchange.answer = Some(decided);
    Ok(0)
}

/// The response that a hook sees.
fn seen<'a>(call: &'a mut Call<'_>) -> Result<&'a mut Response, Instead> {
    let nowhere = || limit("there is no response yet: it is only seen by response hooks");
    call.exchange.response_mut().ok_or_else(nowhere)
}

pub(crate) fn status_of(call: &mut Call<'_>) -> Reply {
    Ok(seen(call)?.status.into())
}

pub(crate) fn set_status(call: &mut Call<'_>) -> Reply {
    let status = valid_status(call, call.args[0])?;
    seen(call)?.status = status;
    Ok(0)
}

pub(crate) fn header(call: &mut Call<'_>) -> Reply {
    let cost = seen(call)?.headers.cost();
    call.fuel += cost;
    let name = call.guest.input().content("name", call.args[0])?;
    let value = call.exchange.response().and_then(|response| joined(&response.headers, name));
    value.map_or(Ok(0), |value| call.give_str(&value))
}

fn change(call: &mut Call<'_>, replace: bool) -> Reply {
    let [name, value, ..] = call.args;
    let (name, value) = valid_field(call, name, value, may_be_set)?;
    let headers = &mut seen(call)?.headers;
    let cost = headers.cost();
    let done =
        has_room(if replace { headers.set(&name, &value) } else { headers.append(&name, &value) });
    call.fuel += cost;
    done
}

pub(crate) fn set_header(call: &mut Call<'_>) -> Reply {
    change(call, true)
}

pub(crate) fn append_header(call: &mut Call<'_>) -> Reply {
    change(call, false)
}

pub(crate) fn delete_header(call: &mut Call<'_>) -> Reply {
    seen(call)?;
    let name = call.guest.input().content("name", call.args[0])?;
    if let Some(response) = call.exchange.response_mut() {
        let headers = &mut response.headers;
        call.fuel += headers.cost();
        headers.remove(|other| other.as_bytes().eq_ignore_ascii_case(name) && may_be_set(other));
    }
    Ok(0)
}
