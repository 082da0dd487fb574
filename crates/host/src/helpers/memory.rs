//! Bytes from one place to another: loops that compilers would not leave in a script.

use crate::guest::{Call, Reply, copying};

pub(crate) fn copy(call: &mut Call<'_>) -> Reply {
    let [to, from, len, ..] = call.args;
    let bytes = call.guest.input().bytes("src", from, len)?;
    call.fuel += copying(bytes.len());
    // The two may overlap, and there is no name here for both at a time.
    let bytes = bytes.to_vec();
    call.guest.output("dst", to, len)?.copy_from_slice(&bytes);
    Ok(to)
}

pub(crate) fn compare(call: &mut Call<'_>) -> Reply {
    let [left, right, len, ..] = call.args;
    let input = call.guest.input();
    let (left, right) = (input.bytes("a", left, len)?, input.bytes("b", right, len)?);
    call.fuel += copying(left.len());
    Ok(left.cmp(right) as i64 as u64)
}

pub(crate) fn set(call: &mut Call<'_>) -> Reply {
    let [to, byte, len, ..] = call.args;
    let out = call.guest.output("dst", to, len)?;
    call.fuel += copying(out.len());
    out.fill(byte as u8);
    Ok(to)
}
