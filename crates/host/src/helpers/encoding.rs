//! Base64 and hexadecimal.

use base64::Engine;
use base64::engine::general_purpose::{
    GeneralPurpose, STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD,
};

use crate::guest::{Call, Guest, Instead, Reply, found};
use crate::limits::HASH_FUEL;

/// By `ZS_BASE64_*`.
const ENGINES: [GeneralPurpose; 4] = [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD];

fn engine(number: u64) -> Result<GeneralPurpose, Instead> {
    found(usize::try_from(number).ok().and_then(|index| ENGINES.get(index)).cloned())
}

/// Write a shorter result over what it was made of.
fn replace(guest: &mut Guest<'_>, address: u64, bytes: &[u8]) -> Reply {
    let len = bytes.len() as u64;
    guest.output("buf", address, len)?.copy_from_slice(bytes);
    Ok(len)
}

pub(crate) fn base64_encode(call: &mut Call<'_>) -> Reply {
    let [data, data_len, out, out_len, encoding] = call.args;
    let data = call.guest.input().bytes("data", data, data_len)?;
    let engine = engine(encoding)?;
    call.fuel += data.len() as u64 * HASH_FUEL;
    let text = engine.encode(data);
    call.guest.bytes(out, out_len, text.as_bytes())
}

pub(crate) fn base64_decode(call: &mut Call<'_>) -> Reply {
    let [address, len, encoding, ..] = call.args;
    let data = call.guest.input().bytes("buf", address, len)?;
    let engine = engine(encoding)?;
    call.fuel += data.len() as u64 * HASH_FUEL;
    let bytes = found(engine.decode(data).ok())?;
    replace(&mut call.guest, address, &bytes)
}

pub(crate) fn hex_encode(call: &mut Call<'_>) -> Reply {
    let [data, data_len, out, out_len, letters] = call.args;
    let data = call.guest.input().bytes("data", data, data_len)?;
    call.fuel += data.len() as u64 * HASH_FUEL;
    let text = match letters {
        0 => faster_hex::hex_string(data),
        1 => faster_hex::hex_string_upper(data),
        _ => return Err(Instead::Nothing),
    };
    call.guest.bytes(out, out_len, text.as_bytes())
}

pub(crate) fn hex_decode(call: &mut Call<'_>) -> Reply {
    let [address, len, ..] = call.args;
    let data = call.guest.input().bytes("buf", address, len)?;
    if !data.len().is_multiple_of(2) {
        return Err(Instead::Nothing);
    }
    call.fuel += data.len() as u64 * HASH_FUEL;
    let mut bytes = vec![0; data.len() / 2];
    found(faster_hex::hex_decode(data, &mut bytes).ok())?;
    replace(&mut call.guest, address, &bytes)
}
