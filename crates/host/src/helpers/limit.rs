//! Rate limits.

use crate::guest::{Call, Reply, found};
use crate::limits::HASH_FUEL;
use crate::rate_limit::MAX_KEY_BYTES;

pub(crate) fn rate_limit(call: &mut Call<'_>) -> Reply {
    let [key, key_len, second, minute, hour] = call.args;
    let key = call.guest.input().bytes("key", key, key_len)?;
    call.fuel += key.len().min(MAX_KEY_BYTES) as u64 * HASH_FUEL;
    let verdict = call.world.limiter().check(key, [second, minute, hour], call.world.now_ms());
    Ok(found(verdict)? as u64)
}
