//! Logins by OpenID Connect, for compiled Python.

use crate::Outcome;
use crate::exchange::Answer;
use crate::guest::{Call, Instead, Reply};
use crate::helpers::oidc::{STEP_FUEL, say};
use crate::limits::{HASH_FUEL, MAX_URI_BYTES};
use crate::oidc::{Config, Halt, Redirect, begin, finish, logout, session};
use crate::python::exception::{CONNECTION_ERROR, PERMISSION_ERROR, VALUE_ERROR};
use crate::python::json::read_json;
use crate::python::request::{has_room, limit};
use crate::python::response::make;

/// The configuration that a str has as JSON.
fn config(call: &mut Call<'_>) -> Result<Config, Instead> {
    let text = call.guest.input().content("config", call.args[0])?;
    let fuel = STEP_FUEL + text.len() as u64 * HASH_FUEL;
    let value = serde_json::from_slice(&text[..text.len().min(4 * MAX_URI_BYTES)]);
    call.fuel += fuel;
    let read = match value {
        Ok(value) => Config::read(&value),
        Err(_) => Err("the configuration is not JSON"),
    };
    read.map_err(|why| call.raised(VALUE_ERROR, why))
}

fn may_answer(call: &Call<'_>) -> Result<(), Instead> {
    if call.exchange.response().is_some() {
        return Err(limit("a response hook can't log in or out: the response waits to be sent"));
    }
    Ok(())
}

/// A response that is a redirect, or an exception of that kind.
fn redirect(call: &mut Call<'_>, step: Result<Redirect, Halt>, kind: u64, out: u64) -> Reply {
    let Redirect { location, cookies } = match step {
        Ok(redirect) => redirect,
        Err(Halt::Fetch(request)) => return Err(Instead::Other(Outcome::Fetch(request))),
        Err(Halt::Failed(why)) => {
            say(call, &why);
            return Err(call.raised(kind, why));
        }
    };
    let handle = make(call, Answer::Respond { status: 302, body: Vec::new(), content_type: "" })?;
    if let Some(fields) = call.exchange.python.fields(handle) {
        let mut fits = fields.append("Location", location.as_bytes());
        fits &= fields.append("Cache-Control", b"no-store");
        for cookie in cookies {
            fits &= fields.append("Set-Cookie", cookie.as_bytes());
        }
        has_room(fits)?;
    }
    call.give(out, &[handle])
}

/// A text, of which only what is valid matters.
fn text(call: &mut Call<'_>, word: u64) -> Result<String, Instead> {
    let bytes = call.guest.input().content("url", word)?;
    Ok(String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_URI_BYTES)]).into_owned())
}

pub(crate) fn begin_login(call: &mut Call<'_>) -> Reply {
    let [_, return_to, out, ..] = call.args;
    let config = config(call)?;
    may_answer(call)?;
    let return_to = text(call, return_to)?;
    let step = begin(call, &config, &return_to);
    redirect(call, step, CONNECTION_ERROR, out)
}

pub(crate) fn handle_callback(call: &mut Call<'_>) -> Reply {
    let config = config(call)?;
    may_answer(call)?;
    let step = finish(call, &config);
    redirect(call, step, PERMISSION_ERROR, call.args[1])
}

pub(crate) fn claims(call: &mut Call<'_>) -> Reply {
    let config = config(call)?;
    let claims = session(call, &config).unwrap_or_default().to_string();
    read_json(call, claims.as_bytes(), call.args[1])
}

pub(crate) fn end_session(call: &mut Call<'_>) -> Reply {
    let [_, url, out, ..] = call.args;
    let config = config(call)?;
    may_answer(call)?;
    let url = text(call, url)?;
    redirect(call, Ok(logout(&config, &url)), VALUE_ERROR, out)
}
