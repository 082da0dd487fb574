//! Digests.

use sha2::{Digest, Sha256};

use crate::guest::{Call, Instead, Reply};
use crate::limits::HASH_FUEL;
use crate::sigv4::sign;

pub(crate) fn sha256(call: &mut Call<'_>) -> Reply {
    let [data, data_len, out, out_len, _] = call.args;
    let data = call.guest.input().bytes("data", data, data_len)?;
    if out_len != 32 {
        return Err(Instead::Nothing);
    }
    call.fuel += data.len() as u64 * HASH_FUEL;
    let digest: [u8; 32] = Sha256::digest(data).into();
    call.guest.output("out", out, 32)?.copy_from_slice(&digest);
    Ok(32)
}

pub(crate) fn hmac_sha256(call: &mut Call<'_>) -> Reply {
    let [key, key_len, message, message_len, out] = call.args;
    let input = call.guest.input();
    let key = input.bytes("key", key, key_len)?;
    let message = input.bytes("msg", message, message_len)?;
    call.fuel += (key.len() + message.len()) as u64 * HASH_FUEL;
    let digest = sign(key, message);
    call.guest.output("out", out, 32)?.copy_from_slice(&digest);
    Ok(32)
}
