//! Ends of runs: exceptions that nobody caught, and limits of compiled scripts.

use crate::Outcome;
use crate::guest::{Call, Guest, Instead, Reply};
use crate::helpers::basics::one_line;
use crate::limits::MAX_LOG_BYTES;
use crate::python::exception;
use crate::python::place::refused;
use crate::python::repr::plain;

/// What stops a script that CPython would not stop, by number from 1.
const LIMITS: [&str; 2] = [
    "OverflowError: an integer does not fit in 64 bits, a limit of compiled scripts",
    "RecursionError: functions call each other too deep, a limit of compiled scripts",
];

/// File and line of a word like `app.py:12`.
fn place(guest: &mut Guest<'_>, word: u64) -> Result<Option<(String, u32)>, Instead> {
    if word == 0 {
        return Ok(None);
    }
    let text = guest.input().content("place", word)?;
    let text = String::from_utf8_lossy(&text[..text.len().min(MAX_LOG_BYTES)]);
    let parts = text.rsplit_once(':');
    Ok(parts.and_then(|(file, line)| Some((one_line(file), line.parse().ok()?))))
}

fn stop<T>(guest: &mut Guest<'_>, reason: String, word: u64) -> Result<T, Instead> {
    let line = place(guest, word)?;
    Err(Instead::Other(Outcome::Stop { reason, line }))
}

pub(crate) fn raise(call: &mut Call<'_>) -> Reply {
    let [kind, message, word, ..] = call.args;
    let index = usize::try_from(kind.wrapping_sub(1)).unwrap_or(usize::MAX);
    let Some(name) = exception::NAMES.get(index) else {
        return Err(refused(call.guest.helper, "kind", kind));
    };
    let text = if message != 0 {
        let text = call.guest.input().content("message", message)?;
        plain(&text[..text.len().min(MAX_LOG_BYTES)])
    } else if call.exchange.raised.kind == kind {
        call.exchange.raised.message.clone()
    } else {
        String::new()
    };
    let colon = if text.is_empty() { "" } else { ": " };
    let reason = format!("{name}{colon}{}", one_line(&text));
    stop(&mut call.guest, reason, word)
}

pub(crate) fn limit(call: &mut Call<'_>) -> Reply {
    let [limit, word, ..] = call.args;
    let index = usize::try_from(limit.wrapping_sub(1)).unwrap_or(usize::MAX);
    let Some(reason) = LIMITS.get(index) else {
        return Err(refused(call.guest.helper, "limit", limit));
    };
    stop(&mut call.guest, (*reason).to_owned(), word)
}
