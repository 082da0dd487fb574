//! The packed index: the data of an archive's last entry, `.zeroserve/index`.
//!
//! All numbers are little-endian. The data is a header, the records, the names, zero padding and
//! one trailer block; with the two zero blocks of the end mark the trailer therefore lies at a
//! fixed distance from the end of the file, and opening an archive costs two reads of the index
//! whatever the size of the data.
//!
//! | part | bytes | what |
//! |---|---|---|
//! | header | 64 | magic, version, count of entries, bytes of names |
//! | record | 64 each | offset, size, mtime, digest, place and length of the name |
//! | names | | normalised, sorted bytewise, without separators |
//! | trailer | 512 | magic, version, where the index begins and ends, length of the archive, BLAKE3 of all before |
//!
//! An archive that another tool changed afterwards no longer has the length that the trailer
//! states: it is scanned like any foreign tar.

use crate::digest::{DIGEST_LEN, Digest};
use crate::header::{Header, Kind};
use crate::index::{Builder, Index, MAX_ENTRIES, NONE, NewRecord, Record};
use crate::name::is_normal;
use crate::problem::{Error, Problem, Severity};
use crate::source::ReadAt;
use crate::{BLOCK, INDEX_NAME};

const HEADER_MAGIC: &[u8; 16] = b"zeroserve-index\n";
const TRAILER_MAGIC: &[u8; 16] = b"zeroserve-trail\n";
const VERSION: u32 = 1;
const HEADER_LEN: usize = 64;
const RECORD_LEN: usize = 64;
const TRAILER_LEN: usize = BLOCK as usize;
/// The two zero blocks that end a tar archive.
const END_MARK_LEN: u64 = 2 * BLOCK;

/// One entry as `pack` hands it over.
pub struct NewEntry<'a> {
    /// Normalised name.
    pub name: &'a str,
    /// Where its data begins in the archive, in bytes.
    pub offset: u64,
    /// Bytes of data.
    pub size: u64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Content hash.
    pub digest: Digest,
}

/// The data of the index entry, to be written at `index_offset` and followed by the end mark.
pub fn encode(entries: &[NewEntry<'_>], index_offset: u64) -> Result<Vec<u8>, Error> {
    let mut builder = Builder::default();
    for entry in entries {
        let refuse = |message: &str| {
            Err(Error::Refused(Problem {
                severity: Severity::Fatal,
                entry: entry.name.to_owned(),
                offset: entry.offset,
                message: message.to_owned(),
            }))
        };
        if !is_normal(entry.name) {
            return refuse("the name is not in normal form");
        }
        let end = entry.offset.checked_add(entry.size);
        if end.is_none_or(|end| end > index_offset) {
            return refuse("its data lies outside of the archive");
        }
        builder.push(NewRecord {
            name: entry.name,
            header: entry.offset,
            offset: entry.offset,
            size: entry.size,
            mtime: entry.mtime,
            digest: Some(entry.digest),
        })?;
    }
    builder.sort();
    if let Some(duplicate) = builder.duplicates().pop() {
        return Err(Error::Refused(duplicate));
    }
    let index = builder.finish(&[])?;
    Ok(encode_index(&index, index_offset))
}

fn encode_index(index: &Index, index_offset: u64) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(HEADER_MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&(RECORD_LEN as u32).to_le_bytes());
    out.extend_from_slice(&(index.len() as u64).to_le_bytes());
    out.extend_from_slice(&(index.names().len() as u64).to_le_bytes());
    out.resize(HEADER_LEN, 0);
    let mut names = Vec::with_capacity(index.names().len());
    for (record, id) in index.records().iter().zip(index.ids()) {
        let start = out.len();
        let name = index.entry(id).name.as_bytes();
        out.extend_from_slice(&record.offset.to_le_bytes());
        out.extend_from_slice(&record.size.to_le_bytes());
        out.extend_from_slice(&record.mtime.to_le_bytes());
        out.extend_from_slice(&record.digest);
        out.extend_from_slice(&(names.len() as u32).to_le_bytes());
        out.extend_from_slice(&record.name_len.to_le_bytes());
        out.resize(start + RECORD_LEN, 0);
        names.extend_from_slice(name);
    }
    out.extend_from_slice(&names);
    out.resize(out.len().next_multiple_of(TRAILER_LEN), 0);
    let checksum = blake3::hash(&out);
    let index_len = (out.len() + TRAILER_LEN) as u64;
    let trailer = out.len();
    out.extend_from_slice(TRAILER_MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.extend_from_slice(&0u32.to_le_bytes());
    out.extend_from_slice(&index_offset.to_le_bytes());
    out.extend_from_slice(&index_len.to_le_bytes());
    out.extend_from_slice(&(index_offset + index_len + END_MARK_LEN).to_le_bytes());
    out.extend_from_slice(checksum.as_bytes());
    out.resize(trailer + TRAILER_LEN, 0);
    out
}

/// The index at the end of an archive; `None` when there is none that speaks of this file.
pub(crate) fn read(source: &dyn ReadAt, len: u64) -> Result<Option<Index>, Error> {
    let Some(trailer) = find_trailer(source, len)? else { return Ok(None) };
    let body_len = usize::try_from(trailer.index_len)
        .ok()
        .and_then(|len| len.checked_sub(TRAILER_LEN))
        .ok_or_else(|| damaged(trailer.index_offset, "its length is impossible"))?;
    let mut body = vec![0; body_len];
    source.read_exact_at(&mut body, trailer.index_offset)?;
    if *blake3::hash(&body).as_bytes() != trailer.checksum {
        return Err(damaged(trailer.index_offset, "its checksum does not match"));
    }
    decode(&body, trailer.index_offset).map(Some)
}

struct Trailer {
    index_offset: u64,
    index_len: u64,
    checksum: [u8; 32],
}

fn find_trailer(source: &dyn ReadAt, len: u64) -> Result<Option<Trailer>, Error> {
    let tail_len = BLOCK + END_MARK_LEN;
    if len < tail_len + BLOCK {
        return Ok(None);
    }
    let mut tail = [0; (BLOCK + END_MARK_LEN) as usize];
    source.read_exact_at(&mut tail, len - tail_len)?;
    let (block, end_mark) = tail.split_at(TRAILER_LEN);
    if &block[..16] != TRAILER_MAGIC || end_mark.iter().any(|&b| b != 0) {
        return Ok(None);
    }
    let mut fields = Fields(&block[16..]);
    let (version, _reserved) = (fields.u32(), fields.u32());
    let (index_offset, index_len, archive_len) = (fields.u64(), fields.u64(), fields.u64());
    let checksum = fields.take();
    let sum = index_offset.checked_add(index_len).and_then(|end| end.checked_add(END_MARK_LEN));
    let fits = archive_len == len
        && sum == Some(len)
        && index_offset >= BLOCK
        && index_offset.is_multiple_of(BLOCK)
        && index_len.is_multiple_of(BLOCK)
        && index_len > TRAILER_LEN as u64;
    if !fits || !is_index_header(source, index_offset - BLOCK, index_len)? {
        return Ok(None);
    }
    if version != VERSION {
        return Err(damaged(index_offset, &format!("version {version}, this is for {VERSION}")));
    }
    Ok(Some(Trailer { index_offset, index_len, checksum }))
}

/// Whether other tar tools see the index entry in the same place.
fn is_index_header(source: &dyn ReadAt, offset: u64, size: u64) -> Result<bool, Error> {
    let mut block = [0; BLOCK as usize];
    source.read_exact_at(&mut block, offset)?;
    let Ok(Some(header)) = Header::parse(&block) else { return Ok(false) };
    let named = header.kind() == Kind::File && header.name() == INDEX_NAME.as_bytes();
    Ok(named && header.size() == Ok(size))
}

fn decode(body: &[u8], index_offset: u64) -> Result<Index, Error> {
    let broken = |why: &str| damaged(index_offset, why);
    if body.len() < HEADER_LEN || &body[..16] != HEADER_MAGIC {
        return Err(broken("its header is wrong"));
    }
    let mut fields = Fields(&body[16..HEADER_LEN]);
    let (version, record_len) = (fields.u32(), fields.u32());
    let (count, names_len) = (fields.u64(), fields.u64());
    if version != VERSION || record_len as usize != RECORD_LEN {
        return Err(broken("its version is unknown"));
    }
    if count > MAX_ENTRIES as u64 || names_len > u64::from(u32::MAX) {
        return Err(broken("it has too many entries"));
    }
    let records_end = HEADER_LEN + count as usize * RECORD_LEN;
    let names_end = records_end + names_len as usize;
    if names_end > body.len() || body.len() - names_end >= TRAILER_LEN {
        return Err(broken("its parts do not add up"));
    }
    let names = &body[records_end..names_end];
    let mut records = Vec::with_capacity(count as usize);
    let mut names_at = 0;
    let mut last = "";
    for bytes in body[HEADER_LEN..records_end].chunks_exact(RECORD_LEN) {
        let record = decode_record(bytes);
        let name_end = names_at + usize::from(record.name_len);
        if record.name_start as usize != names_at || name_end > names.len() {
            return Err(broken("a name lies outside of it"));
        }
        let name = std::str::from_utf8(&names[names_at..name_end])
            .map_err(|_| broken("a name is not valid UTF-8"))?;
        if !is_normal(name) || (name <= last && !last.is_empty()) {
            return Err(broken("its names are not normal, sorted and unique"));
        }
        let end = record.offset.checked_add(record.size);
        if record.offset < BLOCK || end.is_none_or(|end| end > index_offset - BLOCK) {
            return Err(Error::Refused(Problem {
                severity: Severity::Fatal,
                entry: name.to_owned(),
                offset: record.offset,
                message: "the index places its data outside of the archive".into(),
            }));
        }
        names_at = name_end;
        last = name;
        records.push(record);
    }
    if names_at != names.len() {
        return Err(broken("its parts do not add up"));
    }
    Ok(Index::from_sorted(names.into(), records.into_boxed_slice()))
}

fn decode_record(bytes: &[u8]) -> Record {
    let mut fields = Fields(bytes);
    Record {
        offset: fields.u64(),
        size: fields.u64(),
        mtime: fields.u64().cast_signed(),
        digest: fields.take::<DIGEST_LEN>(),
        name_start: fields.u32(),
        name_len: u16::from_le_bytes(fields.take()),
        has_digest: true,
        link: NONE,
        variants: [NONE; 3],
    }
}

fn damaged(offset: u64, why: &str) -> Error {
    Error::Refused(Problem {
        severity: Severity::Fatal,
        entry: INDEX_NAME.into(),
        offset: offset.saturating_sub(BLOCK),
        message: format!("the index is damaged: {why}"),
    })
}

/// Fixed-width fields, one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// The next `N` bytes; zeros past the end, which the callers' fixed sizes rule out.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        if let Some((head, rest)) = self.0.split_at_checked(N) {
            out.copy_from_slice(head);
            self.0 = rest;
        }
        out
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read_packed;

    fn tar_header(name: &str, size: u64) -> Vec<u8> {
        let mut block = vec![0; 512];
        block[..name.len()].copy_from_slice(name.as_bytes());
        block[100..108].copy_from_slice(b"0000644\0");
        block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        block[136..148].copy_from_slice(b"00000000000\0");
        block[156] = b'0';
        block[257..265].copy_from_slice(b"ustar\x0000");
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|&b| u32::from(b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        block
    }

    fn packed(names: &[&str]) -> Vec<u8> {
        let mut tar = Vec::new();
        let mut entries = Vec::new();
        for name in names {
            tar.extend(tar_header(name, name.len() as u64));
            entries.push((*name, tar.len() as u64));
            tar.extend_from_slice(name.as_bytes());
            tar.resize(tar.len().next_multiple_of(512), 0);
        }
        let index_offset = tar.len() as u64 + 512;
        let entries: Vec<_> = entries
            .iter()
            .map(|&(name, offset)| NewEntry {
                name,
                offset,
                size: name.len() as u64,
                mtime: 7,
                digest: crate::digest_of(name.as_bytes()),
            })
            .collect();
        let index = encode(&entries, index_offset).unwrap();
        tar.extend(tar_header(INDEX_NAME, index.len() as u64));
        tar.extend(index);
        tar.resize(tar.len() + 1024, 0);
        tar
    }

    #[test]
    fn round_trip() {
        let tar = packed(&["b.html", "a.html", "a.html.gz", ".env"]);
        let index = read_packed(&tar).unwrap().expect("an index");
        let a = index.entry(index.lookup("a.html").unwrap());
        assert_eq!((a.size, a.mtime), (6, 7));
        assert_eq!(&tar[a.offset as usize..][..6], b"a.html");
        let gz = a.variant(crate::Variant::Gzip).unwrap();
        assert_eq!(index.entry(gz).name, "a.html.gz");
        assert!(index.lookup(".env").is_none());
        assert!(index.find(".env").is_some());
        // The same archive read as a foreign tar has the same files.
        let scanned = crate::scan_bytes(&tar).unwrap();
        assert_eq!(scanned.len(), index.len());
        assert_eq!(scanned.entry(scanned.lookup("b.html").unwrap()).size, 6);
    }

    #[test]
    fn changed_archives_are_scanned_and_damaged_ones_refused() {
        let mut tar = packed(&["a"]);
        let longer = [&tar[..], &[0; 512]].concat();
        assert!(read_packed(&longer).unwrap().is_none());
        let at = tar.len() - 1024 - 512 - 512 + 80;
        tar[at] ^= 1;
        assert!(matches!(read_packed(&tar), Err(Error::Refused(_))));
    }

    #[test]
    fn every_flipped_bit_is_noticed_or_harmless() {
        let tar = packed(&["a", "b/c"]);
        for at in (tar.len() - 3 * 1024)..tar.len() {
            let mut changed = tar.clone();
            changed[at] ^= 0x10;
            // None of these may panic; what is read lies inside the archive.
            if let Ok(Some(index)) = read_packed(&changed) {
                for id in index.ids() {
                    let entry = index.entry(id);
                    assert!(entry.offset + entry.size <= tar.len() as u64);
                }
            }
        }
    }
}
