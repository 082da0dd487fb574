//! JSON by handles.

use serde_json::{Map, Value, json};

use crate::guest::{Call, Guest, Instead, Reply, done, found};
use crate::handles::{Balance, Step};
use crate::limits::{JSON_FUEL, MAX_FILE_BYTES};
use crate::measure::{self, Size};

/// Hold a value.
pub(crate) fn insert(call: &mut Call<'_>, value: Value) -> Reply {
    found(call.exchange.handles.insert(value))
}

/// What a handle names.
fn value<'a>(call: &'a mut Call<'_>) -> Result<&'a Value, Instead> {
    call.fuel += call.exchange.handles.cost(call.args[0]);
    found(call.exchange.handles.get(call.args[0]))
}

/// A copy of what a handle names.
pub(crate) fn copy(call: &mut Call<'_>, handle: u64) -> Result<(Value, Size), Instead> {
    let handles = &call.exchange.handles;
    call.fuel += handles.cost(handle);
    let size = found(handles.size(handle))?;
    // Paid for even if it does not fit: it was looked through.
    call.fuel += size.bytes as u64;
    let fits = size.bytes <= handles.room();
    Ok((found(if fits { handles.get(handle).cloned() } else { None })?, size))
}

/// The same, or null for 0.
pub(crate) fn copy_or_null(call: &mut Call<'_>, handle: u64) -> Result<(Value, Size), Instead> {
    if handle == 0 {
        return Ok((Value::Null, measure::value(&Value::Null)));
    }
    copy(call, handle)
}

pub(crate) fn parse(call: &mut Call<'_>) -> Reply {
    let text = call.guest.input().bytes("data", call.args[0], call.args[1])?;
    call.fuel += text.len() as u64 * JSON_FUEL;
    let value = found(measure::parse(text, call.exchange.handles.room()))?;
    insert(call, value)
}

/// The name of an entry of the site.
fn path<'a>(guest: &'a mut Guest<'_>, args: [u64; 5]) -> Result<&'a str, Instead> {
    let path = guest.input().text("path", args[0], args[1])?;
    if path.len() > crate::limits::MAX_URI_BYTES {
        return Err(Instead::Nothing);
    }
    Ok(path.strip_prefix('/').unwrap_or(path))
}

pub(crate) fn load_static(call: &mut Call<'_>) -> Reply {
    let path = path(&mut call.guest, call.args)?;
    let text = found(call.world.file(path, MAX_FILE_BYTES))?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(Instead::Nothing);
    }
    call.fuel += text.len() as u64 * JSON_FUEL;
    let value = found(measure::parse(&text, call.exchange.handles.room()))?;
    insert(call, value)
}

pub(crate) fn load_metadata(call: &mut Call<'_>) -> Reply {
    let path = path(&mut call.guest, call.args)?;
    let found = found(call.world.file_metadata(path))?;
    insert(call, json!({"size": found.size, "etag": found.etag, "mtime": found.mtime}))
}

pub(crate) fn reset(call: &mut Call<'_>) -> Reply {
    done(call.exchange.handles.reset(call.args[0]))
}

pub(crate) fn get(call: &mut Call<'_>) -> Reply {
    let [handle, key, key_len, ..] = call.args;
    let key = call.guest.input().text("key", key, key_len)?;
    call.fuel += call.exchange.handles.cost(handle) + key.len() as u64;
    if key.len() > call.exchange.handles.room() {
        return Err(Instead::Nothing);
    }
    found(call.exchange.handles.child(handle, Step::Key(key.into())))
}

pub(crate) fn array_get(call: &mut Call<'_>) -> Reply {
    let [handle, index, ..] = call.args;
    call.fuel += call.exchange.handles.cost(handle);
    let index = found(usize::try_from(index).ok())?;
    found(call.exchange.handles.child(handle, Step::Index(index)))
}

pub(crate) fn read_string(call: &mut Call<'_>) -> Reply {
    let [handle, out, out_len, ..] = call.args;
    let text = found(call.exchange.handles.get(handle).and_then(Value::as_str))?;
    call.fuel += call.exchange.handles.cost(handle) + crate::guest::copying(text.len());
    call.guest.text(out, out_len, text.as_bytes())
}

pub(crate) fn read_i64(call: &mut Call<'_>) -> Reply {
    let [_, out, out_len, ..] = call.args;
    let number = found(value(call)?.as_i64())?;
    if out_len != 8 {
        return Err(Instead::Nothing);
    }
    call.guest.output("out", out, 8)?.copy_from_slice(&number.to_le_bytes());
    Ok(8)
}

pub(crate) fn read_bool(call: &mut Call<'_>) -> Reply {
    let [_, out, out_len, ..] = call.args;
    let truth = found(value(call)?.as_bool())?;
    if out_len != 1 {
        return Err(Instead::Nothing);
    }
    call.guest.output("out", out, 1)?[0] = truth.into();
    Ok(1)
}

pub(crate) fn new_object(call: &mut Call<'_>) -> Reply {
    insert(call, Value::Object(Map::new()))
}

pub(crate) fn new_array(call: &mut Call<'_>) -> Reply {
    insert(call, Value::Array(Vec::new()))
}

pub(crate) fn duplicate(call: &mut Call<'_>) -> Reply {
    let (value, _) = copy(call, call.args[0])?;
    insert(call, value)
}

pub(crate) fn len(call: &mut Call<'_>) -> Reply {
    let len = match value(call)? {
        Value::Object(object) => object.len(),
        Value::Array(array) => array.len(),
        Value::String(text) => text.len(),
        _ => return Err(Instead::Nothing),
    };
    Ok(len as u64)
}

pub(crate) fn kind(call: &mut Call<'_>) -> Reply {
    Ok(match value(call)? {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    })
}

pub(crate) fn set(call: &mut Call<'_>) -> Reply {
    let [handle, key, key_len, source, _] = call.args;
    let (new, mut more) = copy(call, source)?;
    let key = call.guest.input().text("key", key, key_len)?;
    call.fuel += call.exchange.handles.cost(handle) + key.len() as u64;
    more.bytes += measure::member(key);
    more.depth += 1;
    let mut gone = 0;
    let set = call.exchange.handles.change(handle, more, |value| {
        let object = value.as_object_mut()?;
        let old = object.insert(key.to_owned(), new);
        let went = old.map_or(0, |old| measure::value(&old).bytes + measure::member(key));
        gone = went;
        Some(((), Balance { came: more.bytes, went }))
    });
    call.fuel += gone as u64;
    done(set.is_some())
}

pub(crate) fn remove(call: &mut Call<'_>) -> Reply {
    let [handle, key, key_len, ..] = call.args;
    let key = call.guest.input().text("key", key, key_len)?;
    call.fuel += call.exchange.handles.cost(handle) + key.len() as u64;
    let mut cost = 0;
    let removed = call.exchange.handles.change(handle, Size::default(), |value| {
        let object = value.as_object_mut()?;
        // The others keep their order, so they move.
        cost = object.len();
        let old = object.shift_remove(key)?;
        let went = measure::value(&old).bytes + measure::member(key);
        cost += went;
        Some(((), Balance { came: 0, went }))
    });
    call.fuel += cost as u64;
    done(removed.is_some())
}

pub(crate) fn array_push(call: &mut Call<'_>) -> Reply {
    let [handle, source, ..] = call.args;
    let (new, mut more) = copy(call, source)?;
    call.fuel += call.exchange.handles.cost(handle);
    more.depth += 1;
    found(call.exchange.handles.change(handle, more, |value| {
        let array = value.as_array_mut()?;
        array.push(new);
        Some((array.len() as u64, Balance { came: more.bytes, went: 0 }))
    }))
}

pub(crate) fn array_set(call: &mut Call<'_>) -> Reply {
    let [handle, index, source, ..] = call.args;
    let (new, mut more) = copy(call, source)?;
    let index = found(usize::try_from(index).ok())?;
    call.fuel += call.exchange.handles.cost(handle);
    more.depth += 1;
    replace(call, handle, more, |value| {
        let element = value.as_array_mut()?.get_mut(index)?;
        Some(std::mem::replace(element, new))
    })
}

/// Put a value in the place of another, which `swap` gives back.
fn replace(
    call: &mut Call<'_>,
    handle: u64,
    more: Size,
    swap: impl FnOnce(&mut Value) -> Option<Value>,
) -> Reply {
    let went = call.exchange.handles.change(handle, more, |value| {
        let went = measure::value(&swap(value)?).bytes;
        Some((went, Balance { came: more.bytes, went }))
    });
    let went = found(went)?;
    call.fuel += went as u64;
    Ok(0)
}

/// Replace what a handle names by a value without others in it.
fn assign(call: &mut Call<'_>, new: Value) -> Reply {
    let more = measure::value(&new);
    call.fuel += call.exchange.handles.cost(call.args[0]) + more.bytes as u64 / 8;
    replace(call, call.args[0], more, |value| Some(std::mem::replace(value, new)))
}

pub(crate) fn set_string(call: &mut Call<'_>) -> Reply {
    let text = call.guest.input().text("value", call.args[1], call.args[2])?;
    if measure::string(text) > call.exchange.handles.room() {
        return Err(Instead::Nothing);
    }
    let new = Value::from(text);
    assign(call, new)
}

pub(crate) fn set_i64(call: &mut Call<'_>) -> Reply {
    assign(call, Value::from(call.args[1] as i64))
}

pub(crate) fn set_bool(call: &mut Call<'_>) -> Reply {
    assign(call, Value::from(call.args[1] != 0))
}

pub(crate) fn set_null(call: &mut Call<'_>) -> Reply {
    assign(call, Value::Null)
}

pub(crate) fn free(call: &mut Call<'_>) -> Reply {
    done(call.exchange.handles.free(call.args[0]))
}
