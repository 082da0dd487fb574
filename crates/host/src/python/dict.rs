//! Looking up keys of dictionaries that are constants.
//!
//! The compiler lays them out as hash tables with linear probing, all little-endian: mask (u32),
//! number of entries (u32), seed (u64); mask + 1 slots (u32), 0 or an entry's number from 1; then
//! the keys: of text offset from the start of the table and length (u32 each), of integers i64.

use crate::guest::{Call, Instead, Reply, copying};
use crate::python::place::refused;

/// Bytes in front of the slots.
const HEAD: u64 = 16;

/// Odd, with bits everywhere: multiplying by it mixes.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Most fuel of a look-up: only tables that no compiler made need more.
const MAX_LOOKUP_FUEL: u64 = 100_000;

fn hash(seed: u64, key: &[u8]) -> u64 {
    let mut hash = seed ^ (key.len() as u64).wrapping_mul(FACTOR);
    for chunk in key.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(FACTOR);
        hash ^= hash >> 32;
    }
    hash
}

fn half(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// The number of the entry with a key, or -1.
pub(crate) fn find(call: &mut Call<'_>) -> Reply {
    let [table, key, kind, ..] = call.args;
    if table > u64::from(u32::MAX) || kind > 1 {
        return Err(refused(call.guest.helper, "table or kind", kind));
    }
    let input = call.guest.input();
    let head = input.bytes("table", table, HEAD)?;
    let (mask, count) = (half(head), half(&head[4..]));
    let seed = head[8..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let number = key.to_le_bytes();
    let key = match kind {
        0 => input.content("key", key)?,
        _ => &number,
    };
    call.fuel += copying(key.len());
    let slots = table + HEAD;
    let keys = slots + 4 * (u64::from(mask) + 1);
    let mut slot = hash(seed, key) as u32 & mask;
    let mut fuel = 0;
    // With as many entries there are at most so many slots in a row that are in use.
    for _ in 0..=count.min(mask) {
        let entry = half(input.bytes("table", slots + 4 * u64::from(slot), 4)?);
        let Some(index) = entry.checked_sub(1) else { break };
        let at = keys + 8 * u64::from(index);
        let found = input.bytes("table", at, 8)?;
        fuel += 1;
        let found = match kind {
            0 => {
                let (offset, len) = (half(found), half(&found[4..]));
                if len as usize == key.len() {
                    fuel += copying(key.len());
                    input.bytes("table", table + u64::from(offset), len.into())? == key
                } else {
                    false
                }
            }
            _ => found == key,
        };
        if found {
            call.fuel += fuel;
            return Ok(index.into());
        }
        if fuel > MAX_LOOKUP_FUEL {
            return Err(refused(call.guest.helper, "table", table));
        }
        slot = slot.wrapping_add(1) & mask;
    }
    call.fuel += fuel;
    Err(Instead::Nothing)
}
