//! One tar header block: the fields that matter, strictly read.
//!
//! Layouts: POSIX.1-1988 ustar, POSIX.1-2001 pax (the same block), GNU (its own magic and
//! base-256 numbers) and the old V7 format without a magic.

use crate::BLOCK;

/// What an entry is, by its type flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    HardLink,
    SymLink,
    Directory,
    /// Device, fifo: nothing that can be served.
    Special(&'static str),
    /// Extended header for the next entry.
    Pax,
    /// Extended header for all that follow.
    PaxGlobal,
    GnuLongName,
    GnuLongLink,
    GnuVolumeLabel,
    GnuSparse,
    Unknown(u8),
}

/// A header block with its checksum verified.
pub(crate) struct Header<'a> {
    block: &'a [u8],
}

impl<'a> Header<'a> {
    /// `None` for a block of zeros, which is the end of an archive.
    pub(crate) fn parse(block: &'a [u8]) -> Result<Option<Self>, &'static str> {
        debug_assert_eq!(block.len() as u64, BLOCK);
        if block.iter().all(|&b| b == 0) {
            return Ok(None);
        }
        let stored = number(&block[148..156]).map_err(|_| "the header checksum is not a number")?;
        let mut unsigned: i64 = 0;
        let mut signed: i64 = 0;
        for (i, &byte) in block.iter().enumerate() {
            let byte = if (148..156).contains(&i) { b' ' } else { byte };
            unsigned += i64::from(byte);
            // Some old writers summed signed chars.
            signed += i64::from(byte as i8);
        }
        if stored != unsigned && stored != signed {
            return Err("the header checksum does not match: not a tar header");
        }
        Ok(Some(Self { block }))
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.block[156] {
            b'0' | b'7' => Kind::File,
            0 if self.name().ends_with(b"/") => Kind::Directory,
            0 => Kind::File,
            b'1' => Kind::HardLink,
            b'2' => Kind::SymLink,
            b'3' => Kind::Special("a character device"),
            b'4' => Kind::Special("a block device"),
            b'5' => Kind::Directory,
            b'6' => Kind::Special("a fifo"),
            b'x' => Kind::Pax,
            b'g' => Kind::PaxGlobal,
            b'L' => Kind::GnuLongName,
            b'K' => Kind::GnuLongLink,
            b'V' => Kind::GnuVolumeLabel,
            b'S' => Kind::GnuSparse,
            other => Kind::Unknown(other),
        }
    }

    /// Name with the ustar prefix in front, bytes as stored.
    pub(crate) fn name(&self) -> Vec<u8> {
        let name = until_nul(&self.block[..100]);
        // GNU headers keep times in the place of the prefix.
        let posix = &self.block[257..263] == b"ustar\0";
        let prefix = if posix { until_nul(&self.block[345..500]) } else { b"" };
        if prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, b"/", name].concat()
    }

    pub(crate) fn link_name(&self) -> &'a [u8] {
        until_nul(&self.block[157..257])
    }

    /// Bytes of data that follow the header.
    pub(crate) fn size(&self) -> Result<u64, String> {
        let size = number(&self.block[124..136]).map_err(|why| format!("size: {why}"))?;
        u64::try_from(size).map_err(|_| format!("size: {size} is negative"))
    }

    /// Seconds since 1970.
    pub(crate) fn mtime(&self) -> Result<i64, String> {
        number(&self.block[136..148]).map_err(|why| format!("modification time: {why}"))
    }
}

fn until_nul(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
    &field[..end]
}

/// A numeric field: octal digits, or GNU's base-256 when the top bit of the first byte is set.
fn number(field: &[u8]) -> Result<i64, &'static str> {
    if field[0] & 0x80 != 0 {
        return base_256(field);
    }
    let mut value: i64 = 0;
    let mut digits = field.iter().copied().skip_while(|&b| b == b' ').peekable();
    while let Some(byte) = digits.peek().copied() {
        match byte {
            b'0'..=b'7' => value = value * 8 + i64::from(byte - b'0'),
            b' ' | 0 => break,
            _ => return Err("not an octal number"),
        }
        digits.next();
    }
    if digits.any(|byte| byte != b' ' && byte != 0) {
        return Err("characters after the octal number");
    }
    Ok(value)
}

fn base_256(field: &[u8]) -> Result<i64, &'static str> {
    let negative = field[0] & 0x40 != 0;
    let first = if negative { field[0] } else { field[0] & 0x7f };
    let mut value: i128 = i128::from(if negative { first as i8 } else { first as i8 & 0x7f });
    for &byte in &field[1..] {
        value = value << 8 | i128::from(byte);
    }
    i64::try_from(value).map_err(|_| "the base-256 number does not fit 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octal_numbers() {
        assert_eq!(number(b"0000644\0"), Ok(0o644));
        assert_eq!(number(b"   644 \0"), Ok(0o644));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Ok(0));
        assert_eq!(number(b"77777777777 "), Ok(0o77777777777));
        assert!(number(b"12a\0\0\0\0\0").is_err());
        assert!(number(b"12 4\0\0\0\0").is_err());
        assert!(number(b"-1\0\0\0\0\0\0").is_err());
    }

    #[test]
    fn base_256_numbers() {
        assert_eq!(number(b"\x80\0\0\0\0\0\0\0\0\0\x01\x02"), Ok(258));
        assert_eq!(number(&[0xff; 12]), Ok(-1));
        assert_eq!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xf0"), Ok(-16));
        assert!(number(b"\x80\0\0\x01\0\0\0\0\0\0\0\0").is_err());
        assert!(number(b"\xbf\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
    }
}
