//! Log, environment, metadata, rate limits, time and randomness for compiled Python.

use crate::exchange::RESPONSE_HEADER;
use crate::guest::{Call, Reply, copying};
use crate::helpers::basics::one_line;
use crate::limits::{
    HASH_FUEL, MAX_LOG_BYTES, MAX_LOG_LINES, MAX_META_BYTES, MAX_META_ENTRIES, MAX_NAME_BYTES,
};
use crate::python::exception::VALUE_ERROR;
use crate::python::letters::{encoded, repr};
use crate::python::request::{is_value, limit};
use crate::rate_limit::{MAX_KEY_BYTES, Verdict};
use crate::words::is_response_field;

pub(crate) fn log(call: &mut Call<'_>) -> Reply {
    let message = call.guest.input().content("message", call.args[0])?;
    if call.exchange.log_lines >= MAX_LOG_LINES {
        return Ok(0);
    }
    let message = &message[..message.len().min(MAX_LOG_BYTES)];
    call.fuel += message.len() as u64 * HASH_FUEL;
    let line = one_line(&String::from_utf8_lossy(message));
    call.exchange.log_lines += 1;
    call.world.log(call.exchange.script(), &line);
    Ok(0)
}

pub(crate) fn env(call: &mut Call<'_>) -> Reply {
    let name = call.guest.input().content("name", call.args[0])?;
    let name = std::str::from_utf8(name).ok();
    let valid = |name: &&str| {
        !name.is_empty() && name.len() <= MAX_NAME_BYTES && !name.contains(['=', '\0'])
    };
    let value = name.filter(valid).and_then(|name| call.world.env(name));
    value.map_or(Ok(0), |value| call.give_str(value.as_bytes()))
}

/// The key that metadata is kept by; names of headers ignore case.
fn canonical(key: &[u8]) -> Option<String> {
    let key = std::str::from_utf8(key.get(..MAX_NAME_BYTES + 1).unwrap_or(key)).ok()?;
    let valid = !key.is_empty() && key.len() <= MAX_NAME_BYTES;
    valid.then(|| match key.strip_prefix(RESPONSE_HEADER) {
        Some(name) => format!("{RESPONSE_HEADER}{}", name.to_ascii_lowercase()),
        None => key.to_owned(),
    })
}

pub(crate) fn meta_get(call: &mut Call<'_>) -> Reply {
    let key = canonical(call.guest.input().content("key", call.args[0])?);
    let value = key.and_then(|key| call.exchange.meta.get(&key)).cloned();
    value.map_or(Ok(0), |value| call.give_str(value.as_bytes()))
}

pub(crate) fn meta_has(call: &mut Call<'_>) -> Reply {
    let key = canonical(call.guest.input().content("key", call.args[0])?);
    Ok(key.is_some_and(|key| call.exchange.meta.contains_key(&key)).into())
}

pub(crate) fn meta_set(call: &mut Call<'_>) -> Reply {
    let input = call.guest.input();
    let (key, value) = (input.content("key", call.args[0])?, input.content("value", call.args[1])?);
    call.fuel += copying(value.len()) + HASH_FUEL * value.len() as u64 / 4;
    let Some(name) = canonical(key) else {
        let shown = repr(&key[..key.len().min(MAX_NAME_BYTES)]);
        return Err(call.raised(VALUE_ERROR, format!("not a key of metadata: {shown}")));
    };
    if value.len() > MAX_META_BYTES {
        return Err(limit(format!("metadata are larger than {MAX_META_BYTES} bytes")));
    }
    let checked = encoded(value);
    let mut value = String::from_utf8_lossy(value).into_owned();
    call.encodable(checked)?;
    if let Some(field) = name.strip_prefix(RESPONSE_HEADER) {
        if !is_response_field(field) {
            let why = format!("header {} is up to the server, or none", repr(field.as_bytes()));
            return Err(call.raised(VALUE_ERROR, why));
        }
        if !is_value(value.as_bytes()) {
            let why = format!("value of header {field} has a control character");
            return Err(call.raised(VALUE_ERROR, why));
        }
        value = value.trim_ascii().to_owned();
    }
    let exchange = &mut *call.exchange;
    let old = exchange.meta.get(&name).map(|old| name.len() + old.len());
    let kept = exchange.meta_bytes - old.unwrap_or(0);
    let bytes = kept.saturating_add(name.len()).saturating_add(value.len());
    if bytes > MAX_META_BYTES {
        return Err(limit(format!("metadata are larger than {MAX_META_BYTES} bytes")));
    }
    if old.is_none() && exchange.meta.len() >= MAX_META_ENTRIES {
        return Err(limit(format!("there are more than {MAX_META_ENTRIES} keys of metadata")));
    }
    exchange.meta_bytes = bytes;
    exchange.meta.insert(name, value);
    Ok(0)
}

pub(crate) fn rate_limit(call: &mut Call<'_>) -> Reply {
    let [key, second, minute, hour, out] = call.args;
    let key = call.guest.input().content("key", key)?;
    call.fuel += key.len().min(MAX_KEY_BYTES) as u64 * HASH_FUEL;
    let limits = [second, minute, hour];
    if limits.iter().any(|limit| (*limit as i64) < 0) {
        return Err(call.raised(VALUE_ERROR, "a rate limit is negative"));
    }
    if limits == [0; 3] {
        let why = "rate_limit needs a limit per second, per minute or per hour";
        return Err(call.raised(VALUE_ERROR, why));
    }
    match call.world.limiter().check(key, limits, call.world.now_ms()) {
        Some(verdict) => call.give(out, &[(verdict == Verdict::Allowed).into()]),
        None => {
            let why = format!(
                "the key of a rate limit has {} bytes, not 1 to {MAX_KEY_BYTES}",
                key.len()
            );
            Err(call.raised(VALUE_ERROR, why))
        }
    }
}

pub(crate) fn time_ns(call: &mut Call<'_>) -> Reply {
    Ok(call.world.now_ns())
}

pub(crate) fn monotonic_ns(call: &mut Call<'_>) -> Reply {
    Ok(call.world.monotonic_ns())
}
