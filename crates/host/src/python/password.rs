//! Passwords for compiled Python: who verifies them waits for it.

use crate::Outcome;
use crate::exchange::Verification;
use crate::guest::{Call, Instead, Reply, copying};
use crate::passwords::{MAX_HASH_BYTES, MAX_PASSWORD_BYTES, check};
use crate::python::exception::VALUE_ERROR;
use crate::python::letters::unescape;
use crate::python::request::limit;

pub(crate) fn verify(call: &mut Call<'_>) -> Reply {
    let [password, hash, out, ..] = call.args;
    if call.exchange.response().is_some() {
        return Err(limit("a response hook verifies no passwords: that takes too long"));
    }
    let input = call.guest.input();
    let hash = input.content("hash", hash)?;
    // What is too long for a hash is none, whatever it begins with.
    let hash = String::from_utf8_lossy(&hash[..hash.len().min(MAX_HASH_BYTES + 1)]).into_owned();
    let text = input.content("password", password)?;
    // Three bytes are the most that one becomes on its way to a text.
    let text = text[..text.len().min(3 * MAX_PASSWORD_BYTES + 1)].to_vec();
    call.fuel += copying(text.len() + hash.len());
    if let Err(why) = check(&hash) {
        return Err(call.raised(VALUE_ERROR, why));
    }
    let password = unescape(&text).ok().filter(|bytes| bytes.len() <= MAX_PASSWORD_BYTES);
    let Some(password) = password else { return call.give(out, &[0]) };
    match call.exchange.take_verdict() {
        Some(Verification::Right) => call.give(out, &[1]),
        Some(Verification::Wrong) => call.give(out, &[0]),
        Some(Verification::Busy) => Err(Instead::Other(Outcome::Busy)),
        None if call.world.is_right(&password, &hash) => call.give(out, &[1]),
        None => {
            let password = password.to_vec();
            Err(Instead::Other(Outcome::Password { password, hash }))
        }
    }
}
