//! A directory as an index whose entries point at files: walked once, nothing is copied.
//!
//! Symbolic links are followed, wherever they lead: who may write into the directory of a site
//! decides what is published. Links out of it are reported, so that nobody is surprised.
//!
//! The walk goes from descriptor to descriptor, never back to the path: a path that comes to mean
//! another directory meanwhile cannot make an index of halves.

use std::ffi::CStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, openat, statat};
use rustix::io::Errno;

use crate::index::{Builder, Index, NewRecord};
use crate::links::MAX_ALIASES;
use crate::name::{MAX_NAME_BYTES, is_hidden};
use crate::problem::{Error, Problem, Severity, plain};

/// Deepest nesting; beyond it names pass the limit anyway.
const MAX_DEPTH: usize = 256;

/// Directories reached through links, all together: a few nested links could otherwise multiply
/// into billions.
const MAX_LINKED_DIRECTORIES: usize = 100_000;

/// The files below `root` and what was left out or deserves a word.
pub(crate) fn walk(root: &OwnedFd) -> Result<(Index, Vec<Problem>), Error> {
    let mut walk = Walk {
        real_root: real_path(root),
        files: Builder::default(),
        problems: Vec::new(),
        open: Vec::new(),
        linked_directories: 0,
        linked_names: 0,
    };
    walk.directory(root, "", false)?;
    walk.files.sort();
    Ok((walk.files.finish(&[])?, walk.problems))
}

struct Walk {
    /// `None` where /proc does not tell.
    real_root: Option<PathBuf>,
    files: Builder,
    problems: Vec<Problem>,
    /// Device and inode of the directories being walked, outermost first.
    open: Vec<(u64, u64)>,
    linked_directories: usize,
    linked_names: usize,
}

impl Walk {
    fn problem(&mut self, severity: Severity, name: &str, message: impl Into<String>) {
        let (entry, message) = (name.to_owned(), message.into());
        self.problems.push(Problem { severity, entry, offset: 0, message });
    }

    /// `linked` when it was reached through a link.
    fn directory(&mut self, fd: &OwnedFd, name: &str, linked: bool) -> Result<(), Error> {
        let meta = fstat(fd).map_err(io::Error::from)?;
        let identity = (meta.st_dev, meta.st_ino);
        if self.open.contains(&identity) || self.open.len() == MAX_DEPTH {
            return Err(refused(name, "a loop of links between directories"));
        }
        self.linked_directories += usize::from(linked);
        if self.linked_directories > MAX_LINKED_DIRECTORIES {
            let message = format!("links lead to more than {MAX_LINKED_DIRECTORIES} directories");
            return Err(refused(name, &message));
        }
        self.open.push(identity);
        for entry in Dir::read_from(fd).map_err(io::Error::from)? {
            let entry = entry.map_err(io::Error::from)?;
            let own = entry.file_name();
            if own != c"." && own != c".." {
                self.entry(fd, own, entry.file_type(), name, linked)?;
            }
        }
        self.open.pop();
        Ok(())
    }

    fn entry(
        &mut self,
        dir: &OwnedFd,
        own: &CStr,
        kind: FileType,
        dir_name: &str,
        linked: bool,
    ) -> Result<(), Error> {
        let in_dir = |own: &str| match dir_name {
            "" => own.to_owned(),
            _ => format!("{dir_name}/{own}"),
        };
        let Ok(text) = own.to_str() else {
            let shown = in_dir(&own.to_string_lossy());
            self.problem(Severity::Entry, &shown, "the name is not valid UTF-8");
            return Ok(());
        };
        let name = in_dir(text);
        if name.len() > MAX_NAME_BYTES {
            self.problem(Severity::Entry, &name, "the name is longer than 4096 bytes");
            return Ok(());
        }
        // `.well-known` itself counts as hidden, what is below it does not.
        if is_hidden(&name) && name != ".well-known" {
            return Ok(());
        }
        // Some file systems do not say in a listing what an entry is.
        let own_kind = match kind {
            FileType::Unknown => statat(dir, own, AtFlags::SYMLINK_NOFOLLOW)
                .map_or(kind, |meta| FileType::from_raw_mode(meta.st_mode)),
            _ => kind,
        };
        let is_link = own_kind.is_symlink();
        let meta = match statat(dir, own, AtFlags::empty()) {
            Ok(meta) => meta,
            // Gone between listing and looking: as if it had never been listed.
            Err(Errno::NOENT) if !is_link => return Ok(()),
            Err(error) => {
                let why = plain(&error.into());
                self.problem(Severity::Entry, &name, format!("it can't be followed: {why}"));
                return Ok(());
            }
        };
        if is_link {
            self.note_outside(dir, own, &name);
        }
        match FileType::from_raw_mode(meta.st_mode) {
            FileType::Directory => self.subdirectory(dir, own, &name, linked || is_link),
            FileType::RegularFile => self.file(&name, &meta, linked),
            _ => {
                self.problem(Severity::Entry, &name, "neither a file nor a directory");
                Ok(())
            }
        }
    }

    fn subdirectory(
        &mut self,
        dir: &OwnedFd,
        own: &CStr,
        name: &str,
        linked: bool,
    ) -> Result<(), Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match openat(dir, own, flags, Mode::empty()) {
            Ok(fd) => self.directory(&fd, name, linked),
            Err(Errno::NOENT | Errno::NOTDIR) => Ok(()),
            Err(error @ (Errno::ACCESS | Errno::PERM)) => {
                let why = plain(&error.into());
                self.problem(Severity::Entry, name, format!("the directory can't be read: {why}"));
                Ok(())
            }
            Err(error) => Err(refused(
                name,
                &format!("the directory can't be read: {}", plain(&error.into())),
            )),
        }
    }

    fn file(&mut self, name: &str, meta: &Stat, linked: bool) -> Result<(), Error> {
        self.linked_names += usize::from(linked);
        if self.linked_names > MAX_ALIASES {
            return Err(refused(name, &format!("links add more than {MAX_ALIASES} names")));
        }
        self.files.push(NewRecord {
            name,
            header: 0,
            offset: 0,
            size: meta.st_size.cast_unsigned(),
            mtime: meta.st_mtime,
            digest: None,
        })
    }

    fn note_outside(&mut self, dir: &OwnedFd, own: &CStr, name: &str) {
        let opened = openat(dir, own, OFlags::PATH | OFlags::CLOEXEC, Mode::empty());
        let real = opened.ok().and_then(|fd| real_path(&fd));
        if let (Some(root), Some(real)) = (&self.real_root, real)
            && !real.starts_with(root)
        {
            let message = "a link that leads outside of the site is followed";
            self.problem(Severity::Warning, name, message);
        }
    }
}

/// Where the system says that an open file is.
fn real_path(fd: impl AsFd) -> Option<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd())).ok()
}

fn refused(name: &str, message: &str) -> Error {
    Error::Refused(Problem {
        severity: Severity::Fatal,
        entry: name.to_owned(),
        offset: 0,
        message: message.to_owned(),
    })
}
