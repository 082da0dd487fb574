//! `base64` and `binascii` for compiled Python, as lenient as they are.

use crate::guest::{Call, Instead, Reply};
use crate::limits::HASH_FUEL;
use crate::python::exception::{BINASCII_ERROR, VALUE_ERROR};

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Base64 with padding.
pub(crate) fn base64_of(bytes: &[u8], urlsafe: bool) -> Vec<u8> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    if urlsafe { URL_SAFE.encode(bytes) } else { STANDARD.encode(bytes) }.into_bytes()
}

/// Two digits in lower case for each byte.
pub(crate) fn hex_of(bytes: &[u8]) -> Vec<u8> {
    faster_hex::hex_string(bytes).into_bytes()
}

fn base32_of(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len().div_ceil(5) * 8);
    for chunk in bytes.chunks(5) {
        let value = (0..5).fold(0_u64, |all, n| all << 8 | u64::from(*chunk.get(n).unwrap_or(&0)));
        let letters = (chunk.len() * 8).div_ceil(5);
        for n in 0..8 {
            let letter = BASE32[(value >> (35 - 5 * n) & 31) as usize];
            out.push(if n < letters { letter } else { b'=' });
        }
    }
    out
}

/// What `a2b_base64` reads, or why it reads nothing. `strict` allows for the alphabet alone.
fn base64_from(text: &[u8], strict: bool) -> Result<Vec<u8>, String> {
    if strict && text.first() == Some(&b'=') {
        return Err("Leading padding not allowed".into());
    }
    let mut values = [64_u8; 256];
    BASE64.iter().zip(0..).for_each(|(letter, value)| values[usize::from(*letter)] = value);
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut place, mut pads, mut left, mut padded) = (0, 0, 0_u8, false);
    for (at, &byte) in text.iter().enumerate() {
        if byte == b'=' {
            padded = true;
            if place >= 2 {
                pads += 1;
                if place + pads >= 4 {
                    if strict && at + 1 < text.len() {
                        return Err("Excess data after padding".into());
                    }
                    return Ok(out);
                }
            }
            continue;
        }
        let value = values[usize::from(byte)];
        if value >= 64 {
            if strict {
                return Err("Only base64 data is allowed".into());
            }
            continue;
        }
        if strict && padded {
            return Err("Discontinuous padding not allowed".into());
        }
        pads = 0;
        match place {
            0 => left = value,
            1 => {
                out.push(left << 2 | value >> 4);
                left = value & 15;
            }
            2 => {
                out.push(left << 4 | value >> 2);
                left = value & 3;
            }
            _ => out.push(left << 6 | value),
        }
        place = (place + 1) % 4;
    }
    match place {
        0 => Ok(out),
        1 => Err(format!(
            "Invalid base64-encoded string: number of data characters ({}) cannot be 1 more than a \
             multiple of 4",
            out.len() / 3 * 4 + 1
        )),
        _ => Err("Incorrect padding".into()),
    }
}

/// Bytes, or a str that has to be ASCII.
fn ascii<'a>(call: &'a mut Call<'_>, word: u64) -> Result<&'a [u8], Instead> {
    if word >> 63 == 1 {
        let why = "string argument should contain only ASCII characters";
        return Err(call.raised(VALUE_ERROR, why));
    }
    let bytes = call.guest.input().content("s", word)?;
    call.fuel += bytes.len() as u64 * HASH_FUEL;
    Ok(bytes)
}

fn finish(call: &mut Call<'_>, decoded: Result<Vec<u8>, String>, out: u64) -> Reply {
    match decoded {
        Ok(bytes) => {
            let word = call.give_bytes(&bytes)?;
            call.give(out, &[word])
        }
        Err(why) => Err(call.raised(BINASCII_ERROR, why)),
    }
}

fn encode(call: &mut Call<'_>, encode: impl Fn(&[u8]) -> Vec<u8>) -> Reply {
    let bytes = call.guest.input().content("s", call.args[0])?;
    call.fuel += bytes.len() as u64 * HASH_FUEL;
    let encoded = encode(bytes);
    call.give_bytes(&encoded)
}

pub(crate) fn b64encode(call: &mut Call<'_>) -> Reply {
    encode(call, |bytes| base64_of(bytes, false))
}

pub(crate) fn urlsafe_b64encode(call: &mut Call<'_>) -> Reply {
    encode(call, |bytes| base64_of(bytes, true))
}

pub(crate) fn b16encode(call: &mut Call<'_>) -> Reply {
    encode(call, |bytes| hex_of(bytes).to_ascii_uppercase())
}

pub(crate) fn b32encode(call: &mut Call<'_>) -> Reply {
    encode(call, base32_of)
}

pub(crate) fn hexlify(call: &mut Call<'_>) -> Reply {
    encode(call, hex_of)
}

pub(crate) fn b64decode(call: &mut Call<'_>) -> Reply {
    let [text, validate, out, ..] = call.args;
    let decoded = base64_from(ascii(call, text)?, validate != 0);
    finish(call, decoded, out)
}

pub(crate) fn urlsafe_b64decode(call: &mut Call<'_>) -> Reply {
    let [text, out, ..] = call.args;
    let plain = |byte: &u8| match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => *byte,
    };
    let text: Vec<u8> = ascii(call, text)?.iter().map(plain).collect();
    finish(call, base64_from(&text, false), out)
}

pub(crate) fn unhexlify(call: &mut Call<'_>) -> Reply {
    let [text, out, ..] = call.args;
    let text = ascii(call, text)?;
    let decoded = if !text.len().is_multiple_of(2) {
        Err("Odd-length string".to_owned())
    } else {
        let mut bytes = vec![0; text.len() / 2];
        match faster_hex::hex_decode(text, &mut bytes) {
            Ok(_) => Ok(bytes),
            Err(_) => Err("Non-hexadecimal digit found".to_owned()),
        }
    };
    finish(call, decoded, out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decoding() {
        let odd = |n| {
            format!(
                "Invalid base64-encoded string: number of data characters ({n}) cannot be 1 more \
                 than a multiple of 4"
            )
        };
        let bad = |why: &str| Err(why.to_owned());
        for (text, lenient, strict) in [
            (&b"YQ"[..], bad("Incorrect padding"), bad("Incorrect padding")),
            (b"YQ=", bad("Incorrect padding"), bad("Incorrect padding")),
            (b"Y", Err(odd(1)), Err(odd(1))),
            (b"YWJjY", Err(odd(5)), Err(odd(5))),
            (b"YQ==YQ==", Ok("a"), bad("Excess data after padding")),
            (b"YQ=a=", Ok("a\x06"), bad("Discontinuous padding not allowed")),
            (b"=YQ==", Ok("a"), bad("Leading padding not allowed")),
            (b"Y!Q=\n=", Ok("a"), bad("Only base64 data is allowed")),
            (b"YQ===", Ok("a"), bad("Excess data after padding")),
            (b"YWJj=", Ok("abc"), Ok("abc")),
            (b"Y=Q=", bad("Incorrect padding"), bad("Discontinuous padding not allowed")),
            (b"Y==Q", bad("Incorrect padding"), bad("Discontinuous padding not allowed")),
            (b"", Ok(""), Ok("")),
            (b"====", Ok(""), bad("Leading padding not allowed")),
            (b"YQ=\xff=", Ok("a"), bad("Only base64 data is allowed")),
            (b"YWI=YQ", Ok("ab"), bad("Excess data after padding")),
            (b"YWJjYQ=b", bad("Incorrect padding"), bad("Discontinuous padding not allowed")),
        ] {
            let bytes = |text: &str| text.as_bytes().to_vec();
            assert_eq!(base64_from(text, false), lenient.map(bytes), "{}", text.escape_ascii());
            assert_eq!(base64_from(text, true), strict.map(bytes), "{}", text.escape_ascii());
        }
        for (bytes, text) in
            [("", ""), ("a", "ME======"), ("abcde", "MFRGGZDF"), ("abcdef", "MFRGGZDFMY======")]
        {
            assert_eq!(base32_of(bytes.as_bytes()), text.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn there_and_back(bytes: Vec<u8>) {
            prop_assert_eq!(base64_from(&base64_of(&bytes, false), true), Ok(bytes.clone()));
            let _ = base64_from(&bytes, false);
        }
    }
}
