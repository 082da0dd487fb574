//! An archive or directory, open for serving.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{CWD, Mode, OFlags};

use crate::digest::ContentHasher;
use crate::index::{EntryId, Index};
use crate::problem::{Error, Problem};
use crate::source::ReadAt;
use crate::{dir, format, scan};

/// What a site is served from. Shared by all workers; never changes once open.
pub struct Archive {
    index: Index,
    store: Store,
    indexed: bool,
    warnings: Vec<Problem>,
    stamp: Stamp,
    /// Time of the last change of content, which a rename over the file leaves alone.
    written: (i64, u64),
}

enum Store {
    Nothing,
    Tar(Arc<File>),
    /// The directory stays the one that was walked, even when its path comes to mean another.
    Directory(OwnedFd),
}

/// State of a file in a directory; another stamp means other bytes, as far as the system tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Inode number.
    pub inode: u64,
    /// Bytes.
    pub size: u64,
    /// Nanoseconds of the time of the last change to inode or content.
    pub changed_ns: i128,
}

/// The bytes of one entry, ready to be read by position.
#[derive(Clone)]
pub struct EntryFile {
    /// The open file; shared when it is the archive.
    pub file: Arc<File>,
    /// Where the entry's data begins in it.
    pub offset: u64,
    /// Bytes of data.
    pub size: u64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// In a directory: the state of the file when it was opened.
    pub stamp: Option<Stamp>,
}

impl EntryFile {
    /// Fill `buf` from a position inside the entry.
    pub fn read_exact_at(&self, buf: &mut [u8], at: u64) -> io::Result<()> {
        ReadAt::read_exact_at(&*self.file, buf, self.offset + at)
    }

    /// Whether the file is still as it was when it was opened, as far as the system tells.
    pub fn is_unchanged(&self) -> bool {
        let now = self.stamp.and_then(|_| rustix::fs::fstat(&*self.file).ok());
        now.as_ref().map(stamp_of) == self.stamp
    }

    /// Content hash of the whole entry, read in parts.
    pub fn digest(&self) -> io::Result<crate::Digest> {
        let mut hasher = ContentHasher::new();
        let mut buf = vec![0; 256 * 1024];
        let mut at = 0;
        while at < self.size {
            let n = (self.size - at).min(buf.len() as u64) as usize;
            self.read_exact_at(&mut buf[..n], at)?;
            hasher.update(&buf[..n]);
            at += n as u64;
        }
        Ok(hasher.digest())
    }
}

impl Archive {
    /// An archive without entries.
    pub fn empty() -> Self {
        Self {
            index: Index::from_sorted(Box::default(), Box::default()),
            store: Store::Nothing,
            indexed: false,
            warnings: Vec::new(),
            stamp: Stamp { inode: 0, size: 0, changed_ns: 0 },
            written: (0, 0),
        }
    }

    /// Open a tar archive or a directory; refuses what can't be read in one way only.
    pub fn open(path: &Path) -> Result<Self, Error> {
        // NONBLOCK: a fifo in the place of an archive must not hang the open.
        let fd = open_at(CWD, path, OFlags::empty())?;
        let meta = rustix::fs::fstat(&fd).map_err(io::Error::from)?;
        let kind = rustix::fs::FileType::from_raw_mode(meta.st_mode);
        let (stamp, written) = (stamp_of(&meta), written(&meta));
        if kind.is_dir() {
            let (index, warnings) = dir::walk(&fd)?;
            return Ok(Self {
                index,
                store: Store::Directory(fd),
                indexed: false,
                warnings,
                stamp,
                written,
            });
        }
        if !kind.is_file() {
            return Err(Error::whole(0, "neither a tar archive nor a directory"));
        }
        let file = File::from(fd);
        let len = file.metadata()?.len();
        if let Some(index) = format::read(&file, len)? {
            let (store, warnings) = (Store::Tar(Arc::new(file)), Vec::new());
            return Ok(Self { index, store, indexed: true, warnings, stamp, written });
        }
        let (index, warnings) = scan::scan(&file, len)?.into_index()?;
        let store = Store::Tar(Arc::new(file));
        Ok(Self { index, store, indexed: false, warnings, stamp, written })
    }

    /// The entries.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Whether the index came with the archive.
    pub fn is_indexed(&self) -> bool {
        self.indexed
    }

    /// Whether entries are files that may change while they are served.
    pub fn is_directory(&self) -> bool {
        matches!(self.store, Store::Directory(_))
    }

    /// State of the archive's own file when it was opened.
    pub fn own_stamp(&self) -> Stamp {
        self.stamp
    }

    /// Whether the file of a tar still has the bytes that it was opened with, as far as the system
    /// tells; replaced by a rename, it has. True of a directory, which promises nothing.
    pub fn is_intact(&self) -> bool {
        let Store::Tar(file) = &self.store else { return true };
        rustix::fs::fstat(&**file).is_ok_and(|now| {
            written(&now) == self.written && now.st_size.cast_unsigned() == self.stamp.size
        })
    }

    /// Whether both are one file in one state, or one directory, whose files have only one state.
    pub fn is_same(&self, other: &Self) -> bool {
        let same_place = |own: BorrowedFd<'_>, other: BorrowedFd<'_>| {
            let place = |fd| rustix::fs::fstat(fd).map(|meta| (meta.st_dev, meta.st_ino));
            place(own).is_ok_and(|own| place(other) == Ok(own))
        };
        match (&self.store, &other.store) {
            (Store::Nothing, Store::Nothing) => true,
            (Store::Directory(own), Store::Directory(other)) => {
                same_place(own.as_fd(), other.as_fd())
            }
            (Store::Tar(own), Store::Tar(theirs)) => {
                (self.written, self.stamp.size) == (other.written, other.stamp.size)
                    && same_place(own.as_fd(), theirs.as_fd())
            }
            _ => false,
        }
    }

    /// What was left out, and what somebody should know.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// The bytes of an entry. In a directory this opens the file and tells its present state.
    pub fn open_entry(&self, id: EntryId) -> io::Result<EntryFile> {
        let entry = self.index.entry(id);
        match &self.store {
            Store::Nothing => Err(io::ErrorKind::NotFound.into()),
            Store::Tar(file) => Ok(EntryFile {
                file: Arc::clone(file),
                offset: entry.offset,
                size: entry.size,
                mtime: entry.mtime,
                stamp: None,
            }),
            Store::Directory(root) => open_file(root, Path::new(entry.name)),
        }
    }

    /// A file below `.zeroserve`, which of a directory is no entry; `None` when it is not there.
    pub fn open_hidden(&self, name: &str) -> io::Result<Option<EntryFile>> {
        let Store::Directory(root) = &self.store else {
            let mut found = self.index.with_prefix(name);
            let found = found.find(|id| self.index.entry(*id).name == name);
            return found.map(|id| self.open_entry(id)).transpose();
        };
        match open_file(root, Path::new(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// The present state of an entry's file; `None` in a tar, whose bytes never change.
    pub fn stamp(&self, id: EntryId) -> io::Result<Option<Stamp>> {
        let Store::Directory(root) = &self.store else { return Ok(None) };
        let name = self.index.entry(id).name;
        let meta = rustix::fs::statat(root, name, rustix::fs::AtFlags::empty())?;
        Ok(Some(stamp_of(&meta)))
    }
}

fn open_file(root: &OwnedFd, name: &Path) -> io::Result<EntryFile> {
    let fd = open_at(root, name, OFlags::empty())?;
    let meta = rustix::fs::fstat(&fd)?;
    if !rustix::fs::FileType::from_raw_mode(meta.st_mode).is_file() {
        return Err(io::ErrorKind::NotFound.into());
    }
    Ok(EntryFile {
        file: Arc::new(File::from(fd)),
        offset: 0,
        size: meta.st_size as u64,
        mtime: meta.st_mtime,
        stamp: Some(stamp_of(&meta)),
    })
}

fn open_at(dir: impl AsFd, path: &Path, more: OFlags) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY | more;
    Ok(rustix::fs::openat(dir, path, flags, Mode::empty())?)
}

fn stamp_of(meta: &rustix::fs::Stat) -> Stamp {
    // The change time also moves when content is replaced and the modification time set back.
    let changed_ns = i128::from(meta.st_ctime) * 1_000_000_000 + i128::from(meta.st_ctime_nsec);
    Stamp { inode: meta.st_ino, size: meta.st_size.cast_unsigned(), changed_ns }
}

fn written(meta: &rustix::fs::Stat) -> (i64, u64) {
    (meta.st_mtime, meta.st_mtime_nsec)
}
