//! What the scripts of a request have decided, made into an answer.

use zeroserve_host::{Answer as Decided, Body as Read, Exchange, replace_meta};
use zeroserve_http::request::{Head, HeadLimits, MAX_FIELDS, Target, field_slots, parse};
use zeroserve_http::{Method, Reject, Request, path};

use crate::clock::Now;
use crate::live;
use crate::pipeline::{self, Answer, Body, Scratch, field, length, write_start};
use crate::scripted::Scripted;
use crate::sending::{self, Around};
use crate::view::{Loaded, Local, Missing, View};

/// Largest page in which `<zs-meta>` is replaced; it is in memory as a whole for that.
pub(crate) const MAX_TEMPLATE_BYTES: u64 = 4 * 1024 * 1024;

/// For heads that a script has changed: bounds of its own have kept them short.
const REWRITTEN: HeadLimits = HeadLimits {
    request_line_bytes: 1024 * 1024,
    header_bytes: 1024 * 1024,
    header_fields: MAX_FIELDS,
};

/// Fields that say where a message ends: ours, whatever scripts make of the rest.
const FRAMING: [&str; 5] =
    ["content-length", "transfer-encoding", "connection", "keep-alive", "trailer"];

/// Fields that speak of the bytes in the archive, and are wrong for what is made from them.
pub(crate) const STORED: [&str; 4] = ["content-length", "etag", "last-modified", "accept-ranges"];

/// Metadata that names the page for the case that an upstream gives no answer.
const FALLBACK: &str = "zs.proxy.fallback";

/// Fields of a request that make its answer less than the whole page as it is stored.
const PARTIAL: [&str; 7] = [
    "accept-encoding",
    "range",
    "if-range",
    "if-match",
    "if-none-match",
    "if-modified-since",
    "if-unmodified-since",
];

/// Metadata by which scripts in C let the answer of an upstream be kept: `1`.
const CACHE_KEY: &str = "zs.proxy.cache";

/// What scripts have decided.
pub enum Ruling {
    /// An answer.
    Answer(Answer),
    /// No answer at all.
    Nothing,
    /// That the upstream of this URL answers, or what was kept of it, if that is wanted.
    Pass(String, bool),
}

/// Answer as the scripts have it.
///
/// Appends the head to `out`, without the blank line, and may come back for what it needs loaded,
/// like [`pipeline::respond`].
pub fn answer(
    scripted: &mut Scripted,
    view: &View,
    request: &Request<'_, '_>,
    now: Now,
    loaded: &[Loaded],
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<Ruling, Missing> {
    let start = out.len();
    let ruling = decided(scripted, view, request, now, loaded, scratch, out);
    // Nothing of an answer that waits for something to be loaded.
    let mut ruling = ruling.inspect_err(|_| out.truncate(start))?;
    // Whatever scripts made of the method: to this client, content would be the next response.
    if let Ruling::Answer(answer) = &mut ruling
        && request.method == Method::Head
    {
        answer.body = Body::Empty;
    }
    Ok(ruling)
}

fn decided(
    scripted: &mut Scripted,
    view: &View,
    request: &Request<'_, '_>,
    now: Now,
    loaded: &[Loaded],
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<Ruling, Missing> {
    if let Some(status) = scripted.stopped() {
        return Ok(Ruling::Answer(pipeline::text(status, now, request.method, out)));
    }
    let exchange = &mut scripted.exchange;
    match exchange.take_answer() {
        Some(Decided::Abort) => return Ok(Ruling::Nothing),
        // It was read before, so nobody counts it on its way.
        Some(Decided::ReverseProxy { .. })
            if matches!(exchange.body(), Read::Whole(body)
                if body.len() as u64 > exchange.upload_limit()) =>
        {
            return Ok(Ruling::Answer(pipeline::text(413, now, request.method, out)));
        }
        Some(Decided::ReverseProxy { url, cache }) => {
            let cache = cache || exchange.meta(CACHE_KEY) == Some("1");
            return Ok(Ruling::Pass(url, cache));
        }
        Some(Decided::Respond { status, mut body, content_type }) => {
            let own = exchange.answer_fields();
            let typed = content_type.is_empty()
                || own.get("content-type").is_some()
                || is_given(exchange, "content-type");
            write_start(out, status, now);
            if has_no_content(status) {
                body = Vec::new();
            } else {
                if !typed {
                    field(out, "Content-Type", content_type);
                }
                length(out, body.len() as u64);
            }
            for (name, value) in own.iter().filter(|(name, _)| !is_given(exchange, name)) {
                append(out, name, value);
            }
            let silent = body.is_empty() || request.method == Method::Head;
            let body = if silent { Body::Empty } else { Body::Bytes(body) };
            if !scripted.sees_response() {
                write_given(&scripted.exchange, out);
                scripted.head_is_done = true;
            }
            return Ok(Ruling::Answer(Answer { status, body }));
        }
        Some(Decided::Listing { path, as_json }) => {
            let start = out.len();
            let around = Around { view, request, now, loaded };
            let answer = around.listing(exchange, &path, as_json, scratch, out);
            let answer = answer.inspect_err(|_| {
                exchange.put_answer(Decided::Listing { path, as_json });
            })?;
            sending::amend(exchange, &answer, now, start, out);
            return Ok(Ruling::Answer(answer));
        }
        Some(Decided::File { path, status: 200 }) => {
            let start = out.len();
            let target = sending::target(&path, exchange);
            let is_live = scripted.is_live;
            let target = Some(target.as_str());
            let answer =
                looked_up(exchange, target, is_live, view, request, now, loaded, scratch, out);
            let answer = answer.inspect_err(|_| {
                // Asked again, it is to decide again.
                exchange.put_answer(Decided::File { path, status: 200 });
            })?;
            sending::amend(exchange, &answer, now, start, out);
            return Ok(Ruling::Answer(answer));
        }
        Some(Decided::File { path, status }) => {
            let start = out.len();
            let around = Around { view, request, now, loaded };
            let answer = around.page(exchange, &path, status, scratch, out);
            let answer = answer.inspect_err(|_| {
                exchange.put_answer(Decided::File { path, status });
            })?;
            sending::amend(exchange, &answer, now, start, out);
            return Ok(Ruling::Answer(answer));
        }
        None => {}
    }
    let is_live = scripted.is_live;
    looked_up(exchange, None, is_live, view, request, now, loaded, scratch, out).map(Ruling::Answer)
}

/// Answer as the site has it, with metadata filled in where there is any; `target` replaces that of
/// the request.
#[allow(clippy::too_many_arguments)]
fn looked_up(
    exchange: &Exchange,
    target: Option<&str>,
    is_live: bool,
    view: &View,
    request: &Request<'_, '_>,
    now: Now,
    loaded: &[Loaded],
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<Answer, Missing> {
    let start = out.len();
    if exchange.has_template_values() && matches!(exchange.method(), "GET" | "HEAD") {
        let filled = template(exchange, target, view, request, now, loaded, scratch, out)?;
        if let Some(answer) = filled {
            return Ok(answer);
        }
        out.truncate(start);
    }
    stored(exchange, target, is_live, view, request, now, loaded, scratch, out)
}

/// Answer in place of an upstream that gave no answer: with the page of the site that scripts named
/// for that, or in a few words.
#[allow(clippy::too_many_arguments)]
pub fn failed(
    scripted: &Scripted,
    status: u16,
    view: &View,
    request: &Request<'_, '_>,
    now: Now,
    loaded: &[Loaded],
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<Answer, Missing> {
    let exchange = &scripted.exchange;
    let page = exchange.meta(FALLBACK).filter(|path| path.starts_with('/'));
    let mut decoded = Vec::new();
    if let Some(Ok(path)) = page.map(|path| path::resolve_bytes(path, &mut decoded)) {
        let around = Around { view, request, now, loaded };
        return around.page(exchange, path, status, scratch, out);
    }
    Ok(pipeline::text(status, now, request.method, out))
}

/// Answer from the archive.
#[allow(clippy::too_many_arguments)]
fn stored(
    exchange: &Exchange,
    target: Option<&str>,
    is_live: bool,
    view: &View,
    request: &Request<'_, '_>,
    now: Now,
    loaded: &[Loaded],
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<Answer, Missing> {
    let respond = if is_live { live::respond } else { pipeline::respond };
    if target.is_none() && !exchange.request_changed() {
        return respond(view, request, now, loaded, scratch, out);
    }
    // Whether content follows its length is up to the method that the client sent.
    let method = match (exchange.method(), request.method) {
        ("GET", Method::Head) => "HEAD",
        ("HEAD", client) if client != Method::Head => "GET",
        (method, _) => method,
    };
    let target = target.unwrap_or(exchange.target());
    let head = rewrite(exchange, method, target, request, &[]);
    with_request(&head, |request| match request {
        Ok(request) => respond(view, request, now, loaded, scratch, out),
        Err(reject) => Ok(pipeline::refuse(reject, now, out)),
    })
}

/// Fill a page with metadata; `None` when the answer is no page with places for it.
#[allow(clippy::too_many_arguments)]
fn template(
    exchange: &Exchange,
    target: Option<&str>,
    view: &View,
    request: &Request<'_, '_>,
    now: Now,
    loaded: &[Loaded],
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<Option<Answer>, Missing> {
    let start = out.len();
    let asked = target.unwrap_or(exchange.target());
    let head = rewrite(exchange, "GET", asked, request, &PARTIAL);
    let answer = with_request(&head, |request| match request {
        Ok(request) => pipeline::respond(view, request, now, loaded, scratch, out).map(Some),
        Err(_) => Ok(None),
    })?;
    let Some(Answer { status, body: Body::Part(local, _) }) = answer else { return Ok(None) };
    if !is_markup(&local.media_type) || local.size() > MAX_TEMPLATE_BYTES {
        return Ok(None);
    }
    // What is there in compressed form alone is there for clients that take it.
    let compressed = status == 404
        && stored(exchange, target, false, view, request, now, loaded, scratch, &mut Vec::new())?
            .status
            != 404;
    if compressed {
        return Ok(None);
    }
    let Some(page) = page(&local).filter(|page| zeroserve_host::has_meta(page)) else {
        return Ok(None);
    };
    let page = replace_meta(&page, |key| exchange.meta(key));
    let stored = out.split_off(start);
    write_start(out, status, now);
    for (name, value) in fields(&stored) {
        if !is_one_of(&STORED, name) && !name.eq_ignore_ascii_case("date") {
            append(out, name, value);
        }
    }
    length(out, page.len() as u64);
    let body = if request.method == Method::Head { Body::Empty } else { Body::Bytes(page) };
    Ok(Some(Answer { status, body }))
}

/// All bytes of a representation, which is small.
pub(crate) fn page(local: &Local) -> Option<Vec<u8>> {
    if let Some(body) = &local.body {
        return Some(body.to_vec());
    }
    let file = local.file.as_ref()?;
    let mut page = vec![0; usize::try_from(file.size).ok()?];
    file.read_exact_at(&mut page, 0).ok()?;
    Some(page)
}

pub(crate) fn is_markup(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or("").trim_ascii();
    matches!(essence, "text/html" | "application/xhtml+xml" | "application/xml" | "text/xml")
        || essence.ends_with("+xml")
}

/// The request as scripts left it, in the form in which clients send it, without its body.
fn rewrite(
    exchange: &Exchange,
    method: &str,
    target: &str,
    request: &Request<'_, '_>,
    without: &[&str],
) -> Vec<u8> {
    let version = if request.major_version == 1 { request.minor_version } else { 1 };
    let mut head = format!("{method} {target} HTTP/1.{version}\r\n").into_bytes();
    // A script that removed it did not mean that the request is none.
    if exchange.headers().get("host").is_none() {
        append(&mut head, "Host", request.host);
    }
    for (name, value) in exchange.headers().iter() {
        if !is_one_of(&FRAMING, name)
            && !is_one_of(without, name)
            && !name.eq_ignore_ascii_case("expect")
        {
            append(&mut head, name, value);
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Do something with the request for the whole page as it is stored; `None` if there is none.
pub(crate) fn whole<T>(
    request: &Request<'_, '_>,
    with: impl FnOnce(&Request<'_, '_>) -> T,
) -> Option<T> {
    let Target::Path { .. } = request.target else { return None };
    let version = if request.major_version == 1 { request.minor_version } else { 1 };
    let method = request.method.as_str();
    let mut head = format!("{method} {} HTTP/1.{version}\r\n", request.raw_target).into_bytes();
    append(&mut head, "Host", request.host);
    for (name, value) in request.headers() {
        let left_out = is_one_of(&FRAMING, name) || is_one_of(&PARTIAL, name);
        if !left_out && !is_one_of(&["host", "expect"], name) {
            append(&mut head, name, value);
        }
    }
    head.extend_from_slice(b"\r\n");
    with_request(&head, |request| request.ok().map(with))
}

fn with_request<T>(head: &[u8], with: impl FnOnce(Result<&Request<'_, '_>, Reject>) -> T) -> T {
    let mut slots = field_slots();
    match parse(head, &mut slots, &REWRITTEN) {
        Ok(Head::Complete { request, .. }) => with(Ok(&request)),
        Ok(Head::Partial) => with(Err(Reject::Malformed("a script made the request incomplete"))),
        Err(reject) => with(Err(reject)),
    }
}

/// Whether scripts have anything to say about the head of the response.
pub fn changes_head(scripted: &Scripted) -> bool {
    scripted.stopped().is_none()
        && !scripted.head_is_done
        && scripted.exchange.has_response_headers()
}

/// Show a head to those that see responses.
pub fn show(scripted: &mut Scripted, head: &[u8], status: u16) {
    scripted.exchange.begin_response(status, fields(head));
    scripted.begin_response();
}

/// Write the head anew, as scripts changed it. When something has to be loaded for that, it is as
/// it was.
#[allow(clippy::too_many_arguments)]
pub fn finish(
    scripted: &Scripted,
    view: &View,
    request: &Request<'_, '_>,
    now: Now,
    loaded: &[Loaded],
    scratch: &mut Scratch,
    answer: &mut Answer,
    start: usize,
    out: &mut Vec<u8>,
) -> Result<(), Missing> {
    if let Some(path) = replacement(scripted) {
        let mut made = Vec::new();
        let around = Around { view, request, now, loaded };
        *answer = around.replace(&scripted.exchange, path, scratch, &mut made)?;
        out.truncate(start);
        out.extend_from_slice(&made);
        return Ok(());
    }
    let exchange = &scripted.exchange;
    let untouched = exchange
        .response()
        .is_some_and(|seen| seen.status == answer.status && !seen.headers.changed())
        && !exchange.has_response_headers();
    if untouched && scripted.stopped().is_none() {
        return Ok(());
    }
    let head = out.split_off(start);
    if let Some(status) = scripted.stopped() {
        *answer = pipeline::text(status, now, request.method, out);
        return Ok(());
    }
    if let Some(response) = exchange.response() {
        answer.status = response.status;
    }
    let no_content = has_no_content(answer.status);
    if no_content {
        answer.body = Body::Empty;
    }
    write_start(out, answer.status, now);
    let has_length = || fields(&head).any(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    if !no_content && request.method != Method::Head && !has_length() {
        // It was none that has content; without a length, the client would wait for the end.
        answer.body = Body::Empty;
        length(out, 0);
    }
    write_fields(exchange, &head, no_content, out);
    Ok(())
}

/// The file by which response hooks replaced the content.
pub(crate) fn replacement(scripted: &Scripted) -> Option<&[u8]> {
    let response = scripted.exchange.response().filter(|_| scripted.stopped().is_none())?;
    response.file.as_deref()
}

/// The same for the head of an upstream's answer, whose framing is yet to be written. What is
/// answered instead, if scripts were stopped.
pub fn finish_passed(
    scripted: &Scripted,
    method: Method<'_>,
    now: Now,
    status: &mut u16,
    start: usize,
    out: &mut Vec<u8>,
) -> Option<Answer> {
    let head = out.split_off(start);
    if let Some(stopped) = scripted.stopped() {
        return Some(pipeline::text(stopped, now, method, out));
    }
    if let Some(response) = scripted.exchange.response() {
        *status = response.status;
    }
    write_start(out, *status, now);
    write_fields(&scripted.exchange, &head, true, out);
    None
}

/// The fields of a head as scripts changed them; `without_length` when it is not to be said.
fn write_fields(exchange: &Exchange, head: &[u8], without_length: bool, out: &mut Vec<u8>) {
    let changed = exchange.response().map(|response| &response.headers);
    let changed = changed.filter(|headers| headers.changed());
    if let Some(headers) = changed {
        // Framing is ours alone, and no script changes it there.
        for (name, value) in headers.iter().filter(|(name, _)| !is_one_of(&FRAMING, name)) {
            if !name.eq_ignore_ascii_case("date") && !is_given(exchange, name) {
                append(out, name, value);
            }
        }
    }
    for (name, value) in fields(head) {
        if changed.is_some() && !is_one_of(&FRAMING, name) {
            continue;
        }
        let replaced = !is_one_of(&FRAMING, name) && is_given(exchange, name);
        let dropped = without_length && name.eq_ignore_ascii_case("content-length");
        if !replaced && !dropped && !name.eq_ignore_ascii_case("date") {
            append(out, name, value);
        }
    }
    write_given(exchange, out);
}

/// Whether a field says where a message ends.
pub(crate) fn is_framing(name: &str) -> bool {
    is_one_of(&FRAMING, name)
}

/// Whether scripts gave the response a field of that name, which replaces others.
pub(crate) fn is_given(exchange: &Exchange, name: &str) -> bool {
    exchange.has_response_headers()
        && exchange.response_headers().any(|(other, _)| name.eq_ignore_ascii_case(other))
}

/// The fields that scripts gave the response.
pub(crate) fn write_given(exchange: &Exchange, out: &mut Vec<u8>) {
    if !exchange.has_response_headers() {
        return;
    }
    for (name, value) in exchange.response_headers() {
        if !is_one_of(&FRAMING, name) && !name.eq_ignore_ascii_case("date") && !value.is_empty() {
            append(out, name, value.as_bytes());
        }
    }
}

/// Statuses whose responses end with their head (RFC 9110, sections 15.3.5 and 15.4.5).
pub(crate) fn has_no_content(status: u16) -> bool {
    matches!(status, 204 | 304)
}

/// The fields of a head that this server wrote.
pub(crate) fn fields(head: &[u8]) -> impl Iterator<Item = (&str, &[u8])> {
    head.split(|byte| *byte == b'\n').skip(1).filter_map(|line| {
        let line = line.strip_suffix(b"\r")?;
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some((std::str::from_utf8(&line[..colon]).ok()?, line[colon + 1..].trim_ascii()))
    })
}

pub(crate) fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|other| other.eq_ignore_ascii_case(name))
}

pub(crate) fn append(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}
