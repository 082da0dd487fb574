//! Content hashes and the entity tags made of them.

/// Bytes of a digest: BLAKE3 cut to 128 bits, far past accidental collision.
pub const DIGEST_LEN: usize = 16;

/// Content hash of an entry.
pub type Digest = [u8; DIGEST_LEN];

/// Incremental content hash.
#[derive(Clone, Default)]
pub struct ContentHasher(blake3::Hasher);

impl ContentHasher {
    /// Start with no content.
    pub fn new() -> Self {
        Self::default()
    }

    /// Add the next part of the content.
    pub fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    /// The digest of all content so far.
    pub fn digest(&self) -> Digest {
        cut(&self.0.finalize())
    }
}

/// The digest of `data`.
pub fn digest_of(data: &[u8]) -> Digest {
    cut(&blake3::hash(data))
}

/// A strong entity tag with its quotes (RFC 9110, section 8.8.3).
pub fn etag_of(digest: &Digest) -> String {
    format!("\"{:032x}\"", u128::from_be_bytes(*digest))
}

fn cut(hash: &blake3::Hash) -> Digest {
    let mut digest = [0; DIGEST_LEN];
    digest.copy_from_slice(&hash.as_bytes()[..DIGEST_LEN]);
    digest
}
