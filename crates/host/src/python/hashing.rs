//! `hashlib`, `hmac`, `secrets` and checksums for compiled Python.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::digest::Digest;
use sha2::{Sha224, Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

use crate::guest::{Call, Instead, Reply, copying};
use crate::limits::{HASH_FUEL, MAX_PBKDF2_ITERATIONS, MAX_RANDOM_BYTES};
use crate::python::codecs::{base64_of, hex_of};
use crate::python::exception::{TYPE_ERROR, VALUE_ERROR};
use crate::python::place::refused;
use crate::python::request::limit;

/// Fuel for an iteration of PBKDF2: two blocks are hashed.
const ITERATION_FUEL: u64 = 400;

fn hashed<D: Digest>(data: &[u8]) -> Vec<u8> {
    D::digest(data).to_vec()
}

pub(crate) fn hash(call: &mut Call<'_>) -> Reply {
    let [algorithm, data, ..] = call.args;
    let data = call.guest.input().content("data", data)?;
    call.fuel += data.len() as u64 * HASH_FUEL;
    let digest = match algorithm {
        0 => hashed::<Md5>(data),
        1 => hashed::<Sha1>(data),
        2 => hashed::<Sha224>(data),
        3 => hashed::<Sha256>(data),
        4 => hashed::<Sha384>(data),
        5 => hashed::<Sha512>(data),
        other => return Err(refused(call.guest.helper, "algorithm", other)),
    };
    call.give_bytes(&digest)
}

/// What keyed hashes do, with one algorithm.
trait Keyed: Mac + Clone {
    /// By a key of any length.
    fn keyed(key: &[u8]) -> Option<Self>;

    fn of(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut mac = self.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().to_vec()
    }
}

impl<T: Mac + KeyInit + Clone> Keyed for T {
    fn keyed(key: &[u8]) -> Option<Self> {
        Self::new_from_slice(key).ok()
    }
}

fn signed<M: Keyed>(key: &[u8], message: &[u8]) -> Option<Vec<u8>> {
    Some(M::keyed(key)?.of(&[message]))
}

pub(crate) fn hmac(call: &mut Call<'_>) -> Reply {
    let [algorithm, key, message, ..] = call.args;
    let input = call.guest.input();
    let (key, message) = (input.content("key", key)?, input.content("msg", message)?);
    call.fuel += (key.len() + message.len()) as u64 * HASH_FUEL;
    let digest = match algorithm {
        0 => signed::<Hmac<Md5>>(key, message),
        1 => signed::<Hmac<Sha1>>(key, message),
        2 => signed::<Hmac<Sha224>>(key, message),
        3 => signed::<Hmac<Sha256>>(key, message),
        4 => signed::<Hmac<Sha384>>(key, message),
        5 => signed::<Hmac<Sha512>>(key, message),
        _ => None,
    };
    let digest = digest.ok_or_else(|| refused(call.guest.helper, "algorithm", algorithm))?;
    call.give_bytes(&digest)
}

/// One block of PBKDF2 (RFC 8018, section 5.2), which is what comes out unless more is asked for.
fn derived<M: Keyed>(password: &[u8], salt: &[u8], iterations: u64) -> Option<Vec<u8>> {
    let mac = M::keyed(password)?;
    let mut last = mac.of(&[salt, &[0, 0, 0, 1]]);
    let mut key = last.clone();
    for _ in 1..iterations {
        last = mac.of(&[&last]);
        key.iter_mut().zip(&last).for_each(|(sum, byte)| *sum ^= byte);
    }
    Some(key)
}

pub(crate) fn pbkdf2(call: &mut Call<'_>) -> Reply {
    let [algorithm, password, salt, iterations, out] = call.args;
    if iterations as i64 <= 0 {
        return Err(call.raised(VALUE_ERROR, "iteration value must be greater than 0."));
    }
    if iterations > MAX_PBKDF2_ITERATIONS {
        return Err(limit(format!(
            "pbkdf2_hmac with {iterations} iterations; the most is {MAX_PBKDF2_ITERATIONS}"
        )));
    }
    let input = call.guest.input();
    let (password, salt) = (input.content("password", password)?, input.content("salt", salt)?);
    call.fuel += (password.len() + salt.len()) as u64 * HASH_FUEL + iterations * ITERATION_FUEL;
    let key = match algorithm {
        0 => derived::<Hmac<Md5>>(password, salt, iterations),
        1 => derived::<Hmac<Sha1>>(password, salt, iterations),
        2 => derived::<Hmac<Sha224>>(password, salt, iterations),
        3 => derived::<Hmac<Sha256>>(password, salt, iterations),
        4 => derived::<Hmac<Sha384>>(password, salt, iterations),
        5 => derived::<Hmac<Sha512>>(password, salt, iterations),
        _ => None,
    };
    let key = key.ok_or_else(|| refused(call.guest.helper, "algorithm", algorithm))?;
    let word = call.give_bytes(&key)?;
    call.give(out, &[word])
}

pub(crate) fn compare_digest(call: &mut Call<'_>) -> Reply {
    let [a, b, out, ..] = call.args;
    if (a | b) >> 63 == 1 {
        let why = "comparing strings with non-ASCII characters is not supported";
        return Err(call.raised(TYPE_ERROR, why));
    }
    let input = call.guest.input();
    let (a, b) = (input.content("a", a)?, input.content("b", b)?);
    call.fuel += (a.len() + b.len()) as u64 * HASH_FUEL;
    let equal = bool::from(a.ct_eq(b));
    call.give(out, &[equal.into()])
}

pub(crate) fn crc32(call: &mut Call<'_>) -> Reply {
    let [data, crc, ..] = call.args;
    let data = call.guest.input().content("data", data)?;
    call.fuel += copying(data.len());
    let mut hasher = crc32fast::Hasher::new_with_initial(crc as u32);
    hasher.update(data);
    Ok(hasher.finalize().into())
}

/// Random bytes, as many as the script asks for.
fn random(call: &mut Call<'_>) -> Result<Vec<u8>, Instead> {
    let count = call.args[0];
    if (count as i64) < 0 {
        return Err(call.raised(VALUE_ERROR, "negative argument not allowed"));
    }
    if count > MAX_RANDOM_BYTES {
        return Err(limit(format!("{count} random bytes; the most is {MAX_RANDOM_BYTES}")));
    }
    call.fuel += count * HASH_FUEL;
    let mut bytes = vec![0; count as usize];
    call.world.fill_random(&mut bytes);
    Ok(bytes)
}

pub(crate) fn token_bytes(call: &mut Call<'_>) -> Reply {
    let bytes = random(call)?;
    let word = call.give_bytes(&bytes)?;
    call.give(call.args[1], &[word])
}

pub(crate) fn token_hex(call: &mut Call<'_>) -> Reply {
    let text = hex_of(&random(call)?);
    let word = call.give_str(&text)?;
    call.give(call.args[1], &[word])
}

pub(crate) fn token_urlsafe(call: &mut Call<'_>) -> Reply {
    let mut text = base64_of(&random(call)?, true);
    while text.last() == Some(&b'=') {
        text.pop();
    }
    let word = call.give_str(&text)?;
    call.give(call.args[1], &[word])
}

pub(crate) fn randbelow(call: &mut Call<'_>) -> Reply {
    let [bound, out, ..] = call.args;
    if bound as i64 <= 0 {
        return Err(call.raised(VALUE_ERROR, "Upper bound must be positive."));
    }
    let mask = u64::MAX >> bound.leading_zeros();
    // Each try succeeds with a chance of one half or more.
    for _ in 0..1000 {
        let mut bytes = [0; 8];
        call.world.fill_random(&mut bytes);
        call.fuel += 8 * HASH_FUEL;
        let number = u64::from_le_bytes(bytes) & mask;
        if number < bound {
            return call.give(out, &[number]);
        }
    }
    Err(limit("randbelow: the random numbers are none"))
}
