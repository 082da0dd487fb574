//! Tables of compiled Python: state that outlives requests.

use crate::guest::{Call, Instead, Reply, copying};
use crate::limits::MAX_TABLE_KEY_BYTES;
use crate::python::place::{refused, too_large};
use crate::python::request::limit;
use crate::python::word::PyBytes;
use crate::tables::{Content, Id, Table};

/// What an operation on an entry costs besides its bytes.
const ENTRY_FUEL: u64 = 20;

/// What a value or key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Int,
    Str,
    Bytes,
    Bool,
}

impl Kind {
    fn of(number: u32) -> Option<Self> {
        [Self::Int, Self::Str, Self::Bytes, Self::Bool].get(number as usize).copied()
    }
}

/// A table as the constants of a script describe it.
struct Description {
    name: PyBytes,
    kinds: (u32, u32),
    key: Kind,
    value: Kind,
    max_entries: u64,
}

/// Bytes of a description.
const DESCRIPTION_BYTES: u64 = 24;

fn describe(call: &mut Call<'_>) -> Result<Description, Instead> {
    let address = call.args[0];
    let bytes = call.guest.input().bytes("table", address, DESCRIPTION_BYTES)?;
    let number = |at: usize| bytes[at..at + 4].iter().rev().fold(0, |n, b| n << 8 | u32::from(*b));
    let kinds = (number(0), number(4));
    let max_entries = u64::from(number(8)) | u64::from(number(12)) << 32;
    let name = PyBytes { address: number(16), len: number(20) };
    let helper = call.guest.helper;
    match (Kind::of(kinds.0), Kind::of(kinds.1)) {
        (Some(key), Some(value)) => Ok(Description { name, kinds, key, value, max_entries }),
        _ => Err(refused(helper, "table", address)),
    }
}

/// The bytes of a key or a value.
fn content(call: &mut Call<'_>, kind: Kind, argument: &str, word: u64) -> Result<Content, Instead> {
    Ok(match kind {
        Kind::Int | Kind::Bool => Content::from_slice(&word.to_le_bytes()),
        Kind::Str | Kind::Bytes => {
            let bytes = call.guest.input().content(argument, word)?;
            let most = crate::limits::MAX_TABLE_VALUE_BYTES;
            if bytes.len() > most {
                let why = format!("a {argument} of a table is longer than {most} bytes");
                return Err(limit(why));
            }
            call.fuel += copying(bytes.len());
            Content::from_slice(bytes)
        }
    })
}

fn number(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// Do something with a table.
fn with<T>(
    call: &mut Call<'_>,
    table: &Description,
    work: impl FnOnce(&mut Table<'_>) -> Result<T, String>,
) -> Result<T, Instead> {
    let PyBytes { address, len } = table.name;
    let name = call.guest.input().bytes("table", address.into(), len.into())?;
    if name.len() > MAX_TABLE_KEY_BYTES {
        let most = MAX_TABLE_KEY_BYTES;
        return Err(limit(format!("the name of a table is longer than {most} bytes")));
    }
    // A table of a module that scripts import is one for all of them.
    let script = if name.contains(&b':') { "" } else { call.exchange.script() };
    let id = Id { script, name, kinds: table.kinds };
    let (result, gone) = call.world.tables().with(id, table.max_entries, work).map_err(limit)?;
    call.fuel += gone * ENTRY_FUEL;
    Ok(result)
}

pub(crate) fn get(call: &mut Call<'_>) -> Reply {
    let [_, key, out, ..] = call.args;
    let table = describe(call)?;
    let key = content(call, table.key, "key", key)?;
    let found = with(call, &table, |table| Ok(table.get(&key).map(Content::from_slice)))?;
    let Some(value) = found else { return Ok(0) };
    let word = match table.value {
        Kind::Int | Kind::Bool => number(&value),
        Kind::Str => call.give_str(&value)?,
        Kind::Bytes => call.give_bytes(&value)?,
    };
    call.guest.store("out", out, &[word])?;
    Ok(1)
}

pub(crate) fn set(call: &mut Call<'_>) -> Reply {
    let [_, key, value, ..] = call.args;
    let table = describe(call)?;
    let key = content(call, table.key, "key", key)?;
    let value = content(call, table.value, "value", value)?;
    with(call, &table, |table| table.set(&key, &value))?;
    Ok(0)
}

pub(crate) fn add(call: &mut Call<'_>) -> Reply {
    let [address, key, n, ..] = call.args;
    let table = describe(call)?;
    if table.value != Kind::Int {
        return Err(refused(call.guest.helper, "table", address));
    }
    let key = content(call, table.key, "key", key)?;
    let sum = with(call, &table, |table| {
        let before = table.get(&key).map_or(0, number) as i64;
        let Some(sum) = before.checked_add(n as i64) else { return Ok(None) };
        table.set(&key, &sum.to_le_bytes())?;
        Ok(Some(sum as u64))
    })?;
    sum.ok_or_else(too_large)
}

pub(crate) fn delete(call: &mut Call<'_>) -> Reply {
    let key = call.args[1];
    let table = describe(call)?;
    let key = content(call, table.key, "key", key)?;
    with(call, &table, |table| {
        table.remove(&key);
        Ok(())
    })?;
    Ok(0)
}
