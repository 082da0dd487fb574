//! A directory as an index whose entries point at files: walked once, nothing is copied.
//!
//! Symbolic links are followed, wherever they lead: who may write into the directory of a site
//! decides what is published. Links out of it are reported, so that nobody is surprised.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::index::{Builder, Index, NewRecord};
use crate::name::{MAX_NAME_BYTES, is_hidden};
use crate::problem::{Error, Problem, Severity, plain};

/// Deepest nesting; beyond it names pass the limit anyway.
const MAX_DEPTH: usize = 256;

/// The files below `root` and what was left out or deserves a word.
pub(crate) fn walk(root: &Path) -> Result<(Index, Vec<Problem>), Error> {
    let real_root = fs::canonicalize(root)?;
    let mut walk = Walk {
        real_root,
        files: Builder::default(),
        problems: Vec::new(),
        outside: HashSet::new(),
        open: Vec::new(),
    };
    walk.directory(root, "")?;
    walk.files.sort();
    Ok((walk.files.finish(&[])?, walk.problems))
}

struct Walk {
    real_root: PathBuf,
    files: Builder,
    problems: Vec<Problem>,
    /// Links already reported as leading outside.
    outside: HashSet<String>,
    /// Device and inode of the directories being walked, outermost first.
    open: Vec<(u64, u64)>,
}

impl Walk {
    fn problem(&mut self, severity: Severity, name: &str, message: impl Into<String>) {
        let (entry, message) = (name.to_owned(), message.into());
        self.problems.push(Problem { severity, entry, offset: 0, message });
    }

    fn directory(&mut self, path: &Path, name: &str) -> Result<(), Error> {
        let meta = fs::metadata(path).map_err(|error| in_place(&error, path))?;
        let identity = (meta.dev(), meta.ino());
        if self.open.contains(&identity) || self.open.len() == MAX_DEPTH {
            return Err(refused(name, "a loop of links between directories"));
        }
        self.open.push(identity);
        for entry in fs::read_dir(path).map_err(|error| in_place(&error, path))? {
            let entry = entry.map_err(|error| in_place(&error, path))?;
            self.entry(&entry, name)?;
        }
        self.open.pop();
        Ok(())
    }

    fn entry(&mut self, entry: &fs::DirEntry, dir: &str) -> Result<(), Error> {
        let file_name = entry.file_name();
        let Ok(own) = std::str::from_utf8(file_name.as_bytes()) else {
            let own = file_name.to_string_lossy();
            let shown = if dir.is_empty() { own.into_owned() } else { format!("{dir}/{own}") };
            self.problem(Severity::Entry, &shown, "the name is not valid UTF-8");
            return Ok(());
        };
        let name = if dir.is_empty() { own.to_owned() } else { format!("{dir}/{own}") };
        if name.len() > MAX_NAME_BYTES {
            self.problem(Severity::Entry, &name, "the name is longer than 4096 bytes");
            return Ok(());
        }
        // `.well-known` itself counts as hidden, what is below it does not.
        if is_hidden(&name) && name != ".well-known" {
            return Ok(());
        }
        let path = entry.path();
        let mut kind = entry.file_type().map_err(|error| in_place(&error, &path))?;
        // Without a link in between, the entry's own type is the type.
        let linked = kind.is_symlink();
        let meta = match fs::metadata(&path) {
            Ok(meta) => meta,
            // Gone between listing and looking: as if it had never been listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !linked => return Ok(()),
            Err(error) => {
                self.problem(
                    Severity::Entry,
                    &name,
                    format!("the link can't be followed: {}", plain(&error)),
                );
                return Ok(());
            }
        };
        if linked {
            kind = meta.file_type();
            self.note_outside(&path, &name);
        }
        if kind.is_dir() {
            self.directory(&path, &name)
        } else if kind.is_file() {
            self.files.push(NewRecord {
                name: &name,
                header: 0,
                offset: 0,
                size: meta.len(),
                mtime: meta.mtime(),
                digest: None,
            })
        } else {
            self.problem(Severity::Entry, &name, "neither a file nor a directory");
            Ok(())
        }
    }

    fn note_outside(&mut self, path: &Path, name: &str) {
        let inside = fs::canonicalize(path).is_ok_and(|real| real.starts_with(&self.real_root));
        if !inside && self.outside.insert(name.to_owned()) {
            self.problem(
                Severity::Warning,
                name,
                "a link that leads outside of the site is followed",
            );
        }
    }
}

fn refused(name: &str, message: &str) -> Error {
    Error::Refused(Problem {
        severity: Severity::Fatal,
        entry: name.to_owned(),
        offset: 0,
        message: message.to_owned(),
    })
}

fn in_place(error: &io::Error, path: &Path) -> Error {
    Error::Io(io::Error::new(error.kind(), format!("{}: {}", path.display(), plain(error))))
}
