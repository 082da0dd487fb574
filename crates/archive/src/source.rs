//! Positioned reads: the only way this crate gets at bytes, so that tests use memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes that can be read at any position without a cursor.
pub trait ReadAt {
    /// Read into `buf` from `offset`; returns how many bytes, 0 at the end.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Fill `buf` from `offset`; `UnexpectedEof` when the source is shorter.
    fn read_exact_at(&self, mut buf: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buf.is_empty() {
            match self.read_at(buf, offset) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    buf = &mut buf[n..];
                    offset += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl ReadAt for File {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buf, offset)
    }
}

impl ReadAt for &[u8] {
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let start = usize::try_from(offset).map_or(self.len(), |at| at.min(self.len()));
        let n = buf.len().min(self.len() - start);
        buf[..n].copy_from_slice(&self[start..start + n]);
        Ok(n)
    }
}

/// A window over a source for many small reads at rising offsets.
pub(crate) struct Window<'a> {
    source: &'a dyn ReadAt,
    buf: Vec<u8>,
    start: u64,
}

/// Read ahead when headers lie close together: small files, one read for hundreds of them.
const READ_AHEAD_DENSE: usize = 256 * 1024;
/// Read ahead when the last entry was large: a header and perhaps its extension.
const READ_AHEAD_SPARSE: usize = 2 * 1024;

impl<'a> Window<'a> {
    pub(crate) fn new(source: &'a dyn ReadAt) -> Self {
        Self { source, buf: Vec::new(), start: 0 }
    }

    /// Exactly `len` bytes at `offset`, or fewer when the source ends before.
    pub(crate) fn get(&mut self, offset: u64, len: usize) -> io::Result<&[u8]> {
        let have = self.start + self.buf.len() as u64;
        let inside = offset >= self.start && offset + len as u64 <= have;
        if !inside {
            // The next header starting within reach of the old window means small entries.
            let dense = self.buf.is_empty()
                || (offset >= self.start
                    && offset <= have.saturating_add(READ_AHEAD_SPARSE as u64));
            let ahead = if dense { READ_AHEAD_DENSE } else { READ_AHEAD_SPARSE };
            self.fill(offset, len.max(ahead))?;
        }
        let from = (offset - self.start) as usize;
        let to = (from + len).min(self.buf.len());
        Ok(&self.buf[from.min(to)..to])
    }

    fn fill(&mut self, offset: u64, len: usize) -> io::Result<()> {
        self.buf.resize(len, 0);
        self.start = offset;
        let mut got = 0;
        while got < len {
            match self.source.read_at(&mut self.buf[got..], offset + got as u64) {
                Ok(0) => break,
                Ok(n) => got += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.buf.clear();
                    return Err(error);
                }
            }
        }
        self.buf.truncate(got);
        Ok(())
    }
}
