//! Logins by OpenID Connect.

use crate::Outcome;
use crate::exchange::Answer;
use crate::guest::{Call, Instead, Reply, found};
use crate::helpers::json::insert;
use crate::helpers::respond::decide;
use crate::limits::{HASH_FUEL, MAX_LOG_LINES};
use crate::oidc::{Config, Halt, Redirect, begin, finish, logout, session};

/// Fuel of a step in which something is sealed, opened or verified.
pub(crate) const STEP_FUEL: u64 = 20_000;

/// Say why something is not done.
pub(crate) fn say(call: &mut Call<'_>, why: &str) {
    if call.exchange.log_lines < MAX_LOG_LINES {
        call.exchange.log_lines += 1;
        let line = crate::helpers::basics::one_line(why);
        call.world.log(call.exchange.script(), &format!("oidc: {line}"));
    }
}

/// The configuration that a handle names.
fn config(call: &mut Call<'_>) -> Result<Config, Instead> {
    call.fuel += call.exchange.handles.cost(call.args[0]);
    let read = Config::read(found(call.exchange.handles.get(call.args[0]))?);
    read.map_err(|why| {
        say(call, why);
        Instead::Nothing
    })
}

/// Answer with a redirect.
fn redirect(call: &mut Call<'_>, step: Result<Redirect, Halt>) -> Reply {
    let Redirect { location, cookies } = match step {
        Ok(redirect) => redirect,
        Err(Halt::Fetch(request)) => return Err(Instead::Other(Outcome::Fetch(request))),
        Err(Halt::Failed(why)) => {
            say(call, &why);
            return Err(Instead::Nothing);
        }
    };
    decide(call, Answer::Respond { status: 302, body: Vec::new(), content_type: "" })?;
    let fields = &mut call.exchange.python.answer;
    let mut fits = fields.append("Location", location.as_bytes());
    fits &= fields.append("Cache-Control", b"no-store");
    for cookie in cookies {
        fits &= fields.append("Set-Cookie", cookie.as_bytes());
    }
    found(fits.then_some(0))
}

/// Whether there is a response to decide about; otherwise nothing is begun.
fn may_answer(call: &Call<'_>) -> Result<(), Instead> {
    if call.exchange.response().is_some() { Err(Instead::Nothing) } else { Ok(()) }
}

pub(crate) fn begin_login(call: &mut Call<'_>) -> Reply {
    let [_, path, path_len, ..] = call.args;
    let return_to = call.guest.input().text("return_to", path, path_len)?.to_owned();
    may_answer(call)?;
    let config = config(call)?;
    call.fuel += STEP_FUEL + return_to.len() as u64 * HASH_FUEL;
    let step = begin(call, &config, &return_to);
    redirect(call, step)
}

pub(crate) fn handle_callback(call: &mut Call<'_>) -> Reply {
    may_answer(call)?;
    let config = config(call)?;
    call.fuel += 2 * STEP_FUEL;
    let step = finish(call, &config);
    redirect(call, step)
}

pub(crate) fn session_verify(call: &mut Call<'_>) -> Reply {
    let Ok(config) = config(call) else { return Ok(0) };
    call.fuel += STEP_FUEL;
    match session(call, &config) {
        Some(claims) => insert(call, claims).or(Ok(0)),
        None => Ok(0),
    }
}

pub(crate) fn end_session(call: &mut Call<'_>) -> Reply {
    let [_, url, url_len, ..] = call.args;
    let url = call.guest.input().text("end_session_url", url, url_len)?.to_owned();
    may_answer(call)?;
    let config = config(call)?;
    call.fuel += STEP_FUEL;
    redirect(call, Ok(logout(&config, &url)))
}
