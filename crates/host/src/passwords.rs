//! Passwords and the hashes that they are verified against: Argon2 in the PHC format, and bcrypt.
//!
//! Verifying is slow by design: nothing of it happens where requests wait.

use std::str::FromStr;

use argon2::password_hash::phc::{Output, PasswordHash};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use subtle::ConstantTimeEq;

/// Longest password, in bytes: what is longer is none.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// Longest hash, in bytes.
pub const MAX_HASH_BYTES: usize = 512;

/// Most memory that a hash may take, in KiB: several are verified at a time.
pub const MAX_HASH_MEMORY_KIB: u32 = 64 * 1024;

/// Most passes that a hash may take.
pub const MAX_HASH_PASSES: u32 = 16;

/// Most lanes that a hash may have.
pub const MAX_HASH_LANES: u32 = 16;

/// Highest cost of bcrypt: about a second.
pub const MAX_BCRYPT_COST: u32 = 14;

/// Lowest cost of bcrypt.
const MIN_BCRYPT_COST: u32 = 4;

/// What OWASP recommends: KiB, passes, lanes.
const RECOMMENDED: (u32, u32, u32) = (19 * 1024, 2, 1);

const UNKNOWN: &str = "not a hash of a password: neither argon2id, argon2i nor bcrypt";

const COSTLY: &str = "the hash of a password takes too much: over 64 MiB, 16 passes, 16 lanes, or a \
                      cost of 14 in bcrypt";

/// Whether passwords can be verified against a hash; otherwise why not.
pub fn check(hash: &str) -> Result<(), &'static str> {
    if hash.len() > MAX_HASH_BYTES || !hash.is_ascii() {
        return Err(UNKNOWN);
    }
    if is_bcrypt(hash) {
        let cost = bcrypt::HashParts::from_str(hash).map_err(|_| UNKNOWN)?.get_cost();
        return match cost {
            0..MIN_BCRYPT_COST => Err(UNKNOWN),
            MIN_BCRYPT_COST..=MAX_BCRYPT_COST => Ok(()),
            _ => Err(COSTLY),
        };
    }
    let parsed = Parsed::new(hash).ok_or(UNKNOWN)?;
    let params = parsed.argon2.params();
    let is_cheap = params.m_cost() <= MAX_HASH_MEMORY_KIB
        && params.t_cost() <= MAX_HASH_PASSES
        && params.p_cost() <= MAX_HASH_LANES;
    if is_cheap { Ok(()) } else { Err(COSTLY) }
}

/// A hash by Argon2, and how it was made.
struct Parsed {
    argon2: Argon2<'static>,
    hash: PasswordHash,
}

impl Parsed {
    fn new(hash: &str) -> Option<Self> {
        let hash = PasswordHash::new(hash).ok()?;
        let algorithm = match hash.algorithm.as_str() {
            "argon2id" => Algorithm::Argon2id,
            "argon2i" => Algorithm::Argon2i,
            _ => return None,
        };
        // Hashes are older than their version.
        let version = hash.version.map_or(Some(Version::V0x10), |v| Version::try_from(v).ok())?;
        let params = Params::try_from(&hash).ok()?;
        hash.salt.as_ref()?;
        hash.hash.as_ref()?;
        Some(Self { argon2: Argon2::new(algorithm, version, params), hash })
    }

    fn is_of(&self, password: &[u8]) -> Option<bool> {
        let (salt, expected) = (self.hash.salt.as_ref()?, self.hash.hash.as_ref()?);
        let mut made = [0; Output::MAX_LENGTH];
        let made = made.get_mut(..expected.len())?;
        self.argon2.hash_password_into(password, salt, made).ok()?;
        Some(made.ct_eq(expected.as_bytes()).into())
    }
}

fn is_bcrypt(hash: &str) -> bool {
    ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| hash.starts_with(prefix))
}

/// Whether a password is that of a hash, which was checked. Takes a while.
pub fn verify(password: &[u8], hash: &str) -> bool {
    if check(hash).is_err() || password.len() > MAX_PASSWORD_BYTES {
        return false;
    }
    if is_bcrypt(hash) {
        // Others end a password there.
        return !password.contains(&0) && bcrypt::verify(password, hash).unwrap_or(false);
    }
    Parsed::new(hash).and_then(|parsed| parsed.is_of(password)).unwrap_or(false)
}

/// A hash of a password by Argon2id, as OWASP recommends it. Takes a while.
pub fn hash(password: &[u8], salt: &[u8; 16]) -> Result<String, &'static str> {
    if password.len() > MAX_PASSWORD_BYTES {
        return Err("the password is longer than 1024 bytes");
    }
    let (memory, passes, lanes) = RECOMMENDED;
    let params = Params::new(memory, passes, lanes, None).map_err(|_| "no such parameters")?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let made = argon2.hash_password_with_salt(password, salt);
    made.map(|hash| hash.to_string()).map_err(|_| "the password can't be hashed")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the reference implementation's tests, and from htpasswd.
    const KNOWN: [(&str, &str); 4] = [
        (
            "password",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        ),
        (
            "password",
            "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
        ),
        (
            "password",
            "$argon2i$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
        ),
        ("password", "$2a$04$UuTkLRZZ6QofpDOlMz32MuuxEHA43WOemOYHPz6.SjsVsyO1tDU96"),
    ];

    #[test]
    fn known_hashes() {
        for (password, hash) in KNOWN {
            assert_eq!(check(hash), Ok(()), "{hash}");
            assert!(verify(password.as_bytes(), hash), "{hash}");
            for wrong in ["", "Password", "password\0", "password "] {
                assert!(!verify(wrong.as_bytes(), hash), "{wrong:?} {hash}");
            }
        }
        let (_, bcrypt) = KNOWN[3];
        for prefix in ["$2b$", "$2y$"] {
            assert!(verify(b"password", &bcrypt.replacen("$2a$", prefix, 1)));
        }
    }

    #[test]
    fn own_hashes() {
        let made = hash(b"correct horse", &[7; 16]).unwrap();
        assert!(made.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{made}");
        assert!(verify(b"correct horse", &made) && !verify(b"correct", &made));
        assert!(hash(&[b'x'; MAX_PASSWORD_BYTES + 1], &[7; 16]).is_err());
        assert!(!verify(&[b'x'; MAX_PASSWORD_BYTES + 1], &made));
    }

    #[test]
    fn what_is_refused() {
        let (_, argon2) = KNOWN[0];
        for bad in [
            "",
            "password",
            "$",
            "$1$salt$hash",
            "$apr1$x$y",
            "{SHA}x",
            "$2x$04$UuTkLRZZ6QofpDOlMz32MuuxEHA43WOemOYHPz6.SjsVsyO1tDU96",
            "$2a$03$UuTkLRZZ6QofpDOlMz32MuuxEHA43WOemOYHPz6.SjsVsyO1tDU96",
            "$2a$04$UuTkLRZZ6QofpDOlMz32MuuxEHA43WOemOYHPz6.SjsVsyO1tDU9",
            "$2a$04$é",
            &argon2.replace("argon2id", "argon2d"),
            &argon2.replace("v=19", "v=18"),
            &argon2.replace("m=256", "m=7"),
            &argon2.replace("t=2", "t=0"),
            &argon2.replace("t=2", "x=2"),
            argon2.rsplit_once('$').unwrap().0,
            &format!("{argon2}{}", "A".repeat(500)),
        ] {
            assert_eq!(check(bad), Err(UNKNOWN), "{bad}");
            assert!(!verify(b"password", bad));
        }
        for costly in [
            argon2.replace("m=256", "m=65537"),
            argon2.replace("m=256", "m=4294967295"),
            argon2.replace("t=2", "t=17"),
            argon2.replace("p=1", "p=17"),
            KNOWN[3].1.replace("$04$", "$15$"),
        ] {
            assert_eq!(check(&costly), Err(COSTLY), "{costly}");
            assert!(!verify(b"password", &costly));
        }
    }
}
