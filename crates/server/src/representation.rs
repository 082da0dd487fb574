//! A representation ready to be sent: its head built once, its body in memory when it is small.

use std::io;
use std::sync::atomic::{AtomicI64, Ordering};

use bytes::Bytes;
use zeroserve_archive::{Archive, ContentHasher, EntryFile, EntryId, Stamp, Variant, etag_of};
use zeroserve_http::{conditions::Validators, date, media, status};

/// Largest body that is kept in memory; larger ones go from the file to the socket. Measured
/// for 100 KiB: 24 us from memory, 31 us with sendfile; for 1 MiB: 235 us and 124 us.
pub const MAX_CACHED_BODY_BYTES: u64 = 256 * 1024;

/// Largest content that is hashed on first use to make its entity tag. Above it the tag comes
/// from place, size and time: a first reader should not wait for gigabytes to be read.
pub const MAX_HASHED_BYTES: u64 = 16 * 1024 * 1024;

/// What an open file of a directory counts in the cache's budget, in bytes: 512 of them at most
/// with the default budget.
const DESCRIPTOR_WEIGHT: usize = 64 * 1024;

/// Times before 1980-01-02 are what archivers and reproducible builds write when they mean
/// "no time": as validators they would keep stale copies alive.
pub(crate) const FIRST_REAL_TIME_S: i64 = 315_619_200;

/// Whose bytes are sent for an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coded {
    /// Its own.
    No,
    /// Those of a precompressed sibling.
    Sibling(Variant),
    /// Its own, which are those of a precompressed sibling without the file it was made from:
    /// they stand for the name without the suffix.
    Alone(Variant),
}

/// Which representation of which entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// The entry that was asked for.
    pub entry: EntryId,
    /// Whose bytes are sent.
    pub coded: Coded,
}

impl Key {
    /// Dense number for hashing and for tables.
    pub fn as_u32(self) -> u32 {
        let coded = match self.coded {
            Coded::No => 0,
            Coded::Sibling(variant) => variant as u32 + 1,
            Coded::Alone(variant) => variant as u32 + 4,
        };
        // Indexes stop far below 2^29 entries.
        self.entry.as_u32() << 3 | coded
    }

    /// The content coding of what is sent.
    pub fn coding(self) -> Option<Variant> {
        match self.coded {
            Coded::No => None,
            Coded::Sibling(variant) | Coded::Alone(variant) => Some(variant),
        }
    }

    /// The entry whose bytes are sent.
    fn data(self, archive: &Archive) -> Option<EntryId> {
        match self.coded {
            Coded::No | Coded::Alone(_) => Some(self.entry),
            Coded::Sibling(variant) => archive.index().entry(self.entry).variant(variant),
        }
    }

    /// The name that says what the bytes are, once their coding is undone.
    fn name(self, archive: &Archive) -> &str {
        let name = archive.index().entry(self.entry).name;
        match self.coded {
            Coded::Alone(variant) => name.strip_suffix(variant.suffix()).unwrap_or(name),
            _ => name,
        }
    }
}

/// A response head up to its last field; the Date is overwritten in each copy.
pub struct HeadBytes {
    bytes: Box<[u8]>,
    date_at: usize,
}

impl HeadBytes {
    fn new(code: u16, fields: &str) -> Self {
        let start = format!("HTTP/1.1 {code} {}\r\nDate: ", status::reason(code));
        let blank = [b' '; date::DATE_LEN];
        let bytes = [start.as_bytes(), &blank, b"\r\n", fields.as_bytes()].concat();
        Self { bytes: bytes.into(), date_at: start.len() }
    }

    /// Append a copy that says `date`.
    pub fn write(&self, date: &[u8; date::DATE_LEN], out: &mut Vec<u8>) {
        let at = out.len() + self.date_at;
        out.extend_from_slice(&self.bytes);
        out[at..at + date::DATE_LEN].copy_from_slice(date);
    }
}

/// All that answering needs to know of one representation.
pub struct Representation {
    /// Head of a 200 with the whole body, without the blank line.
    pub ok: HeadBytes,
    /// Head of a 304.
    pub not_modified: HeadBytes,
    /// Fields that describe the representation, for heads that are made to measure.
    pub fields: String,
    /// Media type, for the parts of a multipart response.
    pub media_type: String,
    /// The bytes, when they are kept in memory.
    pub body: Option<Bytes>,
    /// The bytes where they are stored, when they are not kept in memory: a small file holds no
    /// descriptor.
    pub file: Option<EntryFile>,
    size: u64,
    /// State of the file in a directory; `None` in a tar, whose bytes never change.
    stamp: Option<Stamp>,
    etag: String,
    last_modified: Option<i64>,
    checked_s: AtomicI64,
}

impl Representation {
    /// Read what is needed. Blocks for up to [`MAX_HASHED_BYTES`] of reading.
    pub fn load(archive: &Archive, key: Key, now_s: i64) -> io::Result<Self> {
        let index = archive.index();
        let data = key.data(archive).ok_or(io::ErrorKind::NotFound)?;
        let file = archive.open_entry(data)?;
        let body = if file.size <= MAX_CACHED_BODY_BYTES {
            let mut body = vec![0; file.size as usize];
            file.read_exact_at(&mut body, 0)?;
            Some(Bytes::from(body))
        } else {
            None
        };
        let etag = match (index.entry(data).digest, &body) {
            (Some(digest), _) => etag_of(&digest),
            (None, Some(body)) => etag_of(&zeroserve_archive::digest_of(body)),
            (None, None) if file.size <= MAX_HASHED_BYTES => etag_of(&file.digest()?),
            (None, None) => etag_of(&place_digest(archive, &file)),
        };
        let last_modified = (file.mtime >= FIRST_REAL_TIME_S).then_some(file.mtime.min(now_s));
        let media_type = media::content_type(key.name(archive)).into_owned();
        // What a 304 repeats: validators and what caches choose by, nothing of the content itself
        // (RFC 9110, section 15.4.5).
        let mut fields = String::new();
        if let Some(time) = last_modified {
            fields += &format!("Last-Modified: {}\r\n", date::format(time));
        }
        fields += &format!("ETag: {etag}\r\n");
        if matches!(key.coded, Coded::Alone(_)) || index.entry(key.entry).has_variants() {
            fields += "Vary: Accept-Encoding\r\n";
        }
        let not_modified = HeadBytes::new(304, &fields);
        if let Some(variant) = key.coding() {
            fields += &format!("Content-Encoding: {}\r\n", variant.coding());
        }
        fields += "Accept-Ranges: bytes\r\nX-Content-Type-Options: nosniff\r\n";
        let whole =
            format!("Content-Type: {media_type}\r\nContent-Length: {}\r\n{fields}", file.size,);
        let (size, stamp) = (file.size, file.stamp);
        let file = body.is_none().then_some(file);
        Ok(Self {
            ok: HeadBytes::new(200, &whole),
            not_modified,
            fields,
            media_type,
            body,
            file,
            size,
            stamp,
            etag,
            last_modified,
            checked_s: AtomicI64::new(now_s),
        })
    }

    /// Whether loading reads more than a worker should do between two requests.
    pub fn is_slow_to_load(archive: &Archive, key: Key) -> bool {
        let entry = archive.index().entry(key.entry);
        entry.digest.is_none() && entry.size > 1024 * 1024
    }

    /// The validators for conditional requests.
    pub fn validators(&self) -> Validators<'_> {
        Validators { etag: self.etag.as_bytes(), last_modified: self.last_modified }
    }

    /// Bytes of the body.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Memory it takes, for the cache's budget.
    pub fn weight(&self) -> u64 {
        let body = self.body.as_ref().map_or(0, |body| body.len());
        let descriptor =
            if self.file.is_some() && self.stamp.is_some() { DESCRIPTOR_WEIGHT } else { 0 };
        (body + 3 * self.fields.len() + size_of::<Self>() + 256 + descriptor) as u64
    }

    /// Whether a file in a directory may have changed since somebody last looked. Content that is
    /// in memory is what its head says for a second; content that will be read is looked at now.
    pub fn is_stale(&self, now_s: i64) -> bool {
        self.stamp.is_some()
            && (self.checked_s.load(Ordering::Relaxed) != now_s
                || self.file.as_ref().is_some_and(|file| !file.is_unchanged()))
    }

    /// Look again; false when the file is another by now.
    pub fn revalidate(&self, archive: &Archive, key: Key, now_s: i64) -> bool {
        let current = key.data(archive).and_then(|data| archive.stamp(data).ok()).flatten();
        let same = current.is_some() && current == self.stamp;
        if same {
            self.checked_s.store(now_s, Ordering::Relaxed);
        }
        same
    }
}

/// A digest of where the bytes are and when they were put there, for content too long to read.
fn place_digest(archive: &Archive, file: &EntryFile) -> zeroserve_archive::Digest {
    let stamp = file.stamp.unwrap_or(archive.own_stamp());
    let mut hasher = ContentHasher::new();
    hasher.update(b"place");
    hasher.update(&file.offset.to_le_bytes());
    hasher.update(&file.size.to_le_bytes());
    hasher.update(&file.mtime.to_le_bytes());
    hasher.update(&stamp.inode.to_le_bytes());
    hasher.update(&stamp.changed_ns.to_le_bytes());
    hasher.digest()
}
