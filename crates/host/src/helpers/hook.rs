//! Response hooks: adding them, and what they may do.

use crate::exchange::Hook;
use crate::guest::{Call, Instead, Reply, copying, found};
use crate::helpers::json::copy_or_null;
use crate::limits::MAX_HOOKS;
use crate::words;

pub(crate) fn add(call: &mut Call<'_>) -> Reply {
    let [script, script_len, function, function_len, handle] = call.args;
    let input = call.guest.input();
    let script = input.name("script", script, script_len)?;
    let script = if script.is_empty() { call.exchange.script() } else { script }.to_owned();
    let function = input.name("func", function, function_len)?.to_owned();
    let (value, size) = copy_or_null(call, handle)?;
    let exchange = &mut *call.exchange;
    let full = exchange.hooks.len() >= MAX_HOOKS || exchange.response().is_some();
    if full || function.is_empty() || !exchange.handles.keep(size.bytes) {
        return Err(Instead::Nothing);
    }
    exchange.hooks.push(Hook { script, function, input: value });
    Ok(0)
}

pub(crate) fn clear(call: &mut Call<'_>) -> Reply {
    call.exchange.hooks.clear();
    Ok(0)
}

pub(crate) fn status(call: &mut Call<'_>) -> Reply {
    Ok(found(call.exchange.response())?.status.into())
}

pub(crate) fn set_status(call: &mut Call<'_>) -> Reply {
    let status = found(words::status(call.args[0]))?;
    found(call.exchange.response_mut())?.status = status;
    Ok(0)
}

pub(crate) fn header(call: &mut Call<'_>) -> Reply {
    let [name, name_len, out, out_len, _] = call.args;
    let name = call.guest.input().name("name", name, name_len)?;
    let headers = &found(call.exchange.response())?.headers;
    call.fuel += headers.cost();
    let value = found(headers.get(name))?;
    call.fuel += copying(value.len());
    call.guest.text(out, out_len, value)
}
