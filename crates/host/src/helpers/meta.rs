//! Metadata: text that the scripts of a request share.

use std::borrow::Cow;

use crate::exchange::RESPONSE_HEADER;
use crate::guest::{Call, Instead, Reply, copying, found};
use crate::limits::{MAX_META_BYTES, MAX_META_ENTRIES};
use crate::words::{field_value, is_response_field};

/// The key that is used; names of headers ignore case.
fn canonical(key: &str) -> Cow<'_, str> {
    match key.strip_prefix(RESPONSE_HEADER) {
        Some(name) if name.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            Cow::Owned(format!("{RESPONSE_HEADER}{}", name.to_ascii_lowercase()))
        }
        _ => Cow::Borrowed(key),
    }
}

pub(crate) fn get(call: &mut Call<'_>) -> Reply {
    let [key, key_len, out, out_len, _] = call.args;
    let key = call.guest.input().name("key", key, key_len)?;
    let value = found(call.exchange.meta.get(&*canonical(key)))?;
    call.fuel += copying(value.len());
    call.guest.text(out, out_len, value.as_bytes())
}

pub(crate) fn set(call: &mut Call<'_>) -> Reply {
    let [key, key_len, value, value_len, _] = call.args;
    let input = call.guest.input();
    let key = input.name("key", key, key_len)?;
    let mut value = input.text("value", value, value_len)?;
    call.fuel += copying(value.len());
    if let Some(name) = key.strip_prefix(RESPONSE_HEADER) {
        let trimmed = field_value(value.as_bytes());
        value = value.trim_ascii();
        if !is_response_field(name) || trimmed.is_none() {
            return Err(Instead::Nothing);
        }
    }
    if key.is_empty() {
        return Err(Instead::Nothing);
    }
    let key = canonical(key);
    let exchange = &mut *call.exchange;
    let old = exchange.meta.get(&*key).map(|old| key.len() + old.len());
    let kept = exchange.meta_bytes - old.unwrap_or(0);
    let bytes = kept.saturating_add(key.len()).saturating_add(value.len());
    let full = old.is_none() && exchange.meta.len() >= MAX_META_ENTRIES;
    if full || bytes > MAX_META_BYTES {
        return Err(Instead::Nothing);
    }
    exchange.meta_bytes = bytes;
    exchange.meta.insert(key.into_owned(), value.to_owned());
    Ok(0)
}
