//! Log, time, version, environment, randomness.

use std::fmt::Write;

use crate::guest::{Call, Instead, Reply, copying, done, found};
use crate::limits::{HASH_FUEL, MAX_LOG_BYTES, MAX_LOG_LINES, MAX_RANDOM_BYTES};

pub(crate) fn log(call: &mut Call<'_>) -> Reply {
    let message = call.guest.input().bytes("msg", call.args[0], call.args[1])?;
    if call.exchange.log_lines >= MAX_LOG_LINES {
        return done(false);
    }
    let message = &message[..message.len().min(MAX_LOG_BYTES)];
    call.fuel += message.len() as u64 * HASH_FUEL;
    let line = one_line(&String::from_utf8_lossy(message));
    call.exchange.log_lines += 1;
    call.world.log(call.exchange.script(), &line);
    Ok(0)
}

/// A line of a log is one line, and a terminal that shows it obeys only its owner.
pub(crate) fn one_line(message: &str) -> String {
    let mut line = String::with_capacity(message.len());
    for letter in message.chars() {
        if letter.is_control() {
            let _ = write!(line, "{}", letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    line
}

pub(crate) fn now_ms(call: &mut Call<'_>) -> Reply {
    Ok(call.world.now_ms())
}

pub(crate) fn version(call: &mut Call<'_>) -> Reply {
    call.guest.text(call.args[0], call.args[1], call.world.version().as_bytes())
}

pub(crate) fn env_get(call: &mut Call<'_>) -> Reply {
    let [name, name_len, out, out_len, _] = call.args;
    let name = call.guest.input().name("name", name, name_len)?;
    let valid = !name.is_empty() && !name.contains(['=', '\0']);
    let value = found(if valid { call.world.env(name) } else { None })?;
    call.fuel += copying(value.len());
    call.guest.text(out, out_len, value.as_bytes())
}

pub(crate) fn getrandom(call: &mut Call<'_>) -> Reply {
    let [address, len, ..] = call.args;
    if len > MAX_RANDOM_BYTES {
        return Err(Instead::Nothing);
    }
    let out = call.guest.output("out", address, len)?;
    call.world.fill_random(out);
    call.fuel += len * HASH_FUEL;
    Ok(len)
}
