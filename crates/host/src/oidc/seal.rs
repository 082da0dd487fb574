//! Texts that only this server can make and read: AES-256-GCM with a key of the cookie secret.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Longest text that is looked at.
const MAX_SEALED_BYTES: usize = 8192;

struct KeyLength;

impl KeyType for KeyLength {
    fn len(&self) -> usize {
        AES_256_GCM.key_len()
    }
}

/// The key for one purpose (RFC 5869): what was sealed for another can't be opened with it.
fn key(secret: &[u8], purpose: &str) -> Option<LessSafeKey> {
    let mut bytes = [0; 32];
    let salt = Salt::new(HKDF_SHA256, b"zeroserve oidc cookies 1");
    let prk = salt.extract(secret);
    prk.expand(&[purpose.as_bytes()], KeyLength).ok()?.fill(&mut bytes).ok()?;
    Some(LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).ok()?))
}

/// Seal a text for a purpose. `nonce` is random: a key is used for far less than 2^32 texts.
pub(crate) fn seal(
    secret: &[u8],
    purpose: &str,
    nonce: [u8; NONCE_LEN],
    text: &[u8],
) -> Option<String> {
    let key = key(secret, purpose)?;
    let mut sealed = text.to_vec();
    let own = Nonce::assume_unique_for_key(nonce);
    key.seal_in_place_append_tag(own, Aad::empty(), &mut sealed).ok()?;
    Some(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
}

/// What was sealed for a purpose; `None` for anything else.
pub(crate) fn open(secret: &[u8], purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    if sealed.len() > MAX_SEALED_BYTES {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let (nonce, rest) = bytes.split_first_chunk::<NONCE_LEN>()?;
    let mut rest = rest.to_vec();
    let own = Nonce::assume_unique_for_key(*nonce);
    let text = key(secret, purpose)?.open_in_place(own, Aad::empty(), &mut rest).ok()?;
    Some(text.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_opens() {
        let secret = b"0123456789abcdef";
        let sealed = seal(secret, "session", [7; 12], b"text").unwrap();
        assert_eq!(open(secret, "session", sealed.as_bytes()).unwrap(), b"text");
        assert!(open(secret, "state", sealed.as_bytes()).is_none());
        assert!(open(b"0123456789abcdeg", "session", sealed.as_bytes()).is_none());
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(open(secret, "session", &changed).is_none(), "{at}");
            assert!(open(secret, "session", &sealed.as_bytes()[..at]).is_none(), "{at}");
        }
        assert!(open(secret, "session", &[b'A'; MAX_SEALED_BYTES + 1]).is_none());
    }
}
