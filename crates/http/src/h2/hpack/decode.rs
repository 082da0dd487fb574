//! Header blocks to fields (RFC 7541, sections 3 and 6).

use super::huffman;
use super::table::Table;

/// Bytes of the dynamic table that a peer may fill: what SETTINGS says by default.
pub const TABLE_BYTES: usize = 4096;

/// Largest number that a block may hold: longer ones are lengths and indexes of nothing we take.
const MAX_INTEGER: usize = 1 << 24;

/// The block is not valid, and what the tables hold is no longer certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

impl From<huffman::Invalid> for Invalid {
    fn from(_: huffman::Invalid) -> Self {
        Self
    }
}

/// Decodes the blocks of one connection.
#[derive(Debug)]
pub struct Decoder {
    table: Table,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { table: Table::new(TABLE_BYTES) }
    }
}

impl Decoder {
    /// Decode a whole block; each field is given to `field` as name and value.
    pub fn decode(
        &mut self,
        mut block: &[u8],
        mut field: impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Invalid> {
        let mut begun = false;
        while let Some(&first) = block.first() {
            match first {
                0x80.. => {
                    let index = integer(&mut block, 7)?;
                    let (name, value) = self.table.get(index).ok_or(Invalid)?;
                    field(name, value);
                }
                0x40..0x80 => self.literal(&mut block, 6, true, &mut field)?,
                // Changes of size come before the first field (section 4.2).
                0x20..0x40 if begun => return Err(Invalid),
                0x20..0x40 => {
                    let size = integer(&mut block, 5)?;
                    if size > TABLE_BYTES {
                        return Err(Invalid);
                    }
                    self.table.resize(size);
                    continue;
                }
                0x00..0x20 => self.literal(&mut block, 4, false, &mut field)?,
            }
            begun = true;
        }
        Ok(())
    }

    fn literal(
        &mut self,
        block: &mut &[u8],
        prefix: u32,
        keep: bool,
        field: &mut impl FnMut(&[u8], &[u8]),
    ) -> Result<(), Invalid> {
        let index = integer(block, prefix)?;
        let start = if index > 0 {
            self.table.draft_name(index).ok_or(Invalid)?
        } else {
            let (start, bytes) = self.table.draft();
            string(block, bytes)?;
            start
        };
        let (end, bytes) = self.table.draft();
        let name = end - start;
        string(block, bytes)?;
        let (name_bytes, value) = self.table.drafted(start, name);
        field(name_bytes, value);
        if keep {
            self.table.keep(start, name);
        } else {
            self.table.discard(start);
        }
        Ok(())
    }
}

/// A number that begins in the low `prefix` bits of the first byte (section 5.1).
fn integer(block: &mut &[u8], prefix: u32) -> Result<usize, Invalid> {
    let (&first, mut rest) = block.split_first().ok_or(Invalid)?;
    let mask = (1usize << prefix) - 1;
    let mut value = usize::from(first) & mask;
    if value == mask {
        let mut shift = 0;
        loop {
            let (&byte, more) = rest.split_first().ok_or(Invalid)?;
            rest = more;
            // Zeros at the end are allowed, but nobody needs that many.
            if shift > 28 {
                return Err(Invalid);
            }
            value += usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        if value > MAX_INTEGER {
            return Err(Invalid);
        }
    }
    *block = rest;
    Ok(value)
}

/// Append a string (section 5.2).
fn string(block: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Invalid> {
    let coded = block.first().is_some_and(|first| first & 0x80 != 0);
    let len = integer(block, 7)?;
    let (text, rest) = block.split_at_checked(len).ok_or(Invalid)?;
    *block = rest;
    if coded {
        huffman::decode(text, out)?;
    } else {
        out.extend_from_slice(text);
    }
    Ok(())
}
