//! Deciding the answer.

use std::io;

use crate::exchange::Answer;
use crate::guest::{Call, Instead, Reply, copying, found};
use crate::limits::{JSON_FUEL, MAX_RESPONSE_BODY_BYTES};
use crate::words::{is_upstream, status};

/// Set the answer, where there is still one to decide.
pub(crate) fn decide(call: &mut Call<'_>, answer: Answer) -> Reply {
    if call.exchange.response().is_some() {
        return Err(Instead::Nothing);
    }
    call.exchange.python.answer.clear();
    call.exchange.answer = Some(answer);
    Ok(0)
}

pub(crate) fn respond(call: &mut Call<'_>) -> Reply {
    let [number, body, body_len, ..] = call.args;
    let body = call.guest.input().bytes("body", body, body_len)?;
    let status = found(status(number))?;
    if body.len() > MAX_RESPONSE_BODY_BYTES {
        return Err(Instead::Nothing);
    }
    call.fuel += copying(body.len());
    let body = body.to_vec();
    decide(call, Answer::Respond { status, body, content_type: "text/plain; charset=utf-8" })
}

/// Takes as much as a body may have.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > MAX_RESPONSE_BODY_BYTES - self.0.len() {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn json_respond(call: &mut Call<'_>) -> Reply {
    let [number, handle, ..] = call.args;
    let handles = &call.exchange.handles;
    call.fuel += handles.cost(handle);
    let value = found(handles.get(handle))?;
    let status = found(status(number))?;
    let mut body = Bounded(Vec::new());
    let written = serde_json::to_writer(&mut body, value);
    call.fuel += body.0.len() as u64 * JSON_FUEL;
    found(written.ok())?;
    decide(call, Answer::Respond { status, body: body.0, content_type: "application/json" })
}

pub(crate) fn reverse_proxy(call: &mut Call<'_>) -> Reply {
    let url = call.guest.input().text("url", call.args[0], call.args[1])?;
    if !is_upstream(url) {
        return Err(Instead::Nothing);
    }
    let url = url.to_owned();
    decide(call, Answer::ReverseProxy { url, cache: false })
}

pub(crate) fn abort(call: &mut Call<'_>) -> Reply {
    decide(call, Answer::Abort)
}

pub(crate) fn pending(call: &mut Call<'_>) -> Reply {
    Ok(call.exchange.answer.is_some().into())
}

pub(crate) fn clear(call: &mut Call<'_>) -> Reply {
    call.exchange.answer = None;
    Ok(0)
}
