//! A foreign tar archive, read header by header from end to end.
//!
//! Strict where tools disagree: what two readers could take for different files is refused,
//! because an archive that one tool checks and another serves must mean the same to both.

use std::collections::HashSet;

use crate::header::{Header, Kind};
use crate::index::{Builder, Index, LinkTo, NewRecord};
use crate::links::{self, Link};
use crate::name::normalise;
use crate::pax::{MAX_PAX_BYTES, Pax};
use crate::problem::{Error, Problem, Severity};
use crate::source::{ReadAt, Window};
use crate::{BLOCK, INDEX_NAME};

/// Largest size that the octal field of a ustar header can state.
const MAX_OCTAL_SIZE: u64 = 0o77_777_777_777;

/// Zero padding after the end mark: GNU tar pads to its blocking factor, 10 KiB unless told.
const MAX_PADDING_BYTES: u64 = 4 * 1024 * 1024;

/// Problems kept; an archive with more has been described well enough.
const MAX_PROBLEMS: usize = 1000;

/// All that a scan found.
pub(crate) struct Scan {
    files: Builder,
    links: Vec<Link>,
    pub(crate) problems: Vec<Problem>,
}

impl Scan {
    /// The index and the entries left out of it, or the first reason to refuse the archive.
    pub(crate) fn into_index(mut self) -> Result<(Index, Vec<Problem>), Error> {
        let links = self.settle();
        if let Some(at) = self.problems.iter().position(|p| p.severity == Severity::Fatal) {
            return Err(Error::Refused(self.problems.swap_remove(at)));
        }
        Ok((self.files.finish(&links)?, self.problems))
    }

    /// Every problem, in the order of the file; and the index if there is one all the same.
    pub(crate) fn into_problems(mut self) -> (Vec<Problem>, Option<Index>) {
        let links = self.settle();
        let fatal = self.problems.iter().any(|p| p.severity == Severity::Fatal);
        let index = match self.files.finish(&links) {
            Ok(index) if !fatal => Some(index),
            Ok(_) => None,
            Err(Error::Refused(problem)) => {
                self.problems.push(problem);
                None
            }
            Err(Error::Io(_)) => None,
        };
        self.problems.sort_by_key(|problem| problem.offset);
        (self.problems, index)
    }

    fn settle(&mut self) -> Vec<LinkTo> {
        self.files.sort();
        self.problems.extend(self.files.duplicates());
        let mut seen = HashSet::new();
        for link in &self.links {
            if !seen.insert(link.name.as_str()) || self.files.find(&link.name).is_some() {
                self.problems.push(Problem {
                    severity: Severity::Fatal,
                    entry: link.name.clone(),
                    offset: link.header,
                    message: "the same name as another entry".into(),
                });
            }
        }
        let (aliases, problems) = links::resolve(&self.files, &self.links);
        self.problems.extend(problems);
        self.problems.sort_by_key(|problem| problem.offset);
        self.problems.truncate(MAX_PROBLEMS);
        aliases
    }
}

/// Read every header of `source`, which is `len` bytes long.
pub(crate) fn scan(source: &dyn ReadAt, len: u64) -> Result<Scan, Error> {
    let mut scanner = Scanner {
        window: Window::new(source),
        len,
        at: 0,
        next: Pending::default(),
        out: Scan { files: Builder::default(), links: Vec::new(), problems: Vec::new() },
    };
    scanner.run()?;
    Ok(scanner.out)
}

/// What extension entries have said about the entry that follows them.
#[derive(Default)]
struct Pending {
    pax: Option<Pax>,
    long_name: Option<Vec<u8>>,
    long_link: Option<Vec<u8>>,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.pax.is_none() && self.long_name.is_none() && self.long_link.is_none()
    }
}

struct Scanner<'a> {
    window: Window<'a>,
    len: u64,
    at: u64,
    next: Pending,
    out: Scan,
}

/// Whether the rest of the archive can still be found after a problem.
enum Flow {
    Continue,
    Stop,
}

impl Scanner<'_> {
    fn run(&mut self) -> Result<(), Error> {
        if self.len == 0 {
            self.fatal("", 0, "the file is empty: not a tar archive");
            return Ok(());
        }
        while let Flow::Continue = self.entry()? {
            if self.out.problems.len() > MAX_PROBLEMS {
                break;
            }
        }
        Ok(())
    }

    fn fatal(&mut self, entry: &str, offset: u64, message: impl Into<String>) {
        self.out.problems.push(Problem {
            severity: Severity::Fatal,
            entry: entry.to_owned(),
            offset,
            message: message.into(),
        });
    }

    fn entry(&mut self) -> Result<Flow, Error> {
        let at = self.at;
        let block = self.window.get(at, BLOCK as usize)?;
        if block.is_empty() {
            self.fatal("", at, "the archive ends without its end mark: cut short?");
            return Ok(Flow::Stop);
        }
        if (block.len() as u64) < BLOCK {
            self.fatal("", at, "the archive ends inside a header");
            return Ok(Flow::Stop);
        }
        let header = match Header::parse(block) {
            Ok(Some(header)) => header,
            Ok(None) => {
                self.end(at)?;
                return Ok(Flow::Stop);
            }
            Err(why) => {
                self.fatal("", at, why);
                return Ok(Flow::Stop);
            }
        };
        let kind = header.kind();
        let name = header.name();
        let link = header.link_name().to_vec();
        let (size, mtime) = (header.size(), header.mtime());
        let shown = String::from_utf8_lossy(&name).into_owned();
        let size = match size {
            Ok(size) => size,
            Err(why) => {
                self.fatal(&shown, at, why);
                return Ok(Flow::Stop);
            }
        };
        let mtime = match mtime {
            Ok(mtime) => mtime,
            Err(why) => {
                self.fatal(&shown, at, why);
                0
            }
        };
        match kind {
            Kind::Pax | Kind::PaxGlobal | Kind::GnuLongName | Kind::GnuLongLink => {
                self.extension(kind, &shown, at, size)
            }
            _ => self.member(Member { kind, name, link, size, mtime, header: at }),
        }
    }

    /// Past the data of an entry that begins at `header`, if the file is that long.
    fn skip(&mut self, entry: &str, header: u64, size: u64) -> bool {
        let data = header + BLOCK;
        let end = data.checked_add(size);
        if end.is_none_or(|end| end > self.len) {
            let message = format!(
                "its data of {size} bytes reaches past the end of the archive at {}",
                self.len
            );
            self.fatal(entry, header, message);
            return false;
        }
        self.at = data + size.next_multiple_of(BLOCK);
        true
    }

    fn extension(&mut self, kind: Kind, name: &str, at: u64, size: u64) -> Result<Flow, Error> {
        if size > MAX_PAX_BYTES {
            self.fatal(
                name,
                at,
                format!("an extended header of {size} bytes, at most {MAX_PAX_BYTES}"),
            );
            return Ok(Flow::Stop);
        }
        if !self.skip(name, at, size) {
            return Ok(Flow::Stop);
        }
        let data = self.window.get(at + BLOCK, size as usize)?.to_vec();
        let twice = match kind {
            Kind::Pax => self.next.pax.is_some(),
            Kind::GnuLongName => self.next.long_name.is_some(),
            Kind::GnuLongLink => self.next.long_link.is_some(),
            _ => false,
        };
        if twice {
            self.fatal(name, at, "two extended headers of one kind for the same entry");
        }
        match kind {
            Kind::Pax | Kind::PaxGlobal => match Pax::parse(&data) {
                Ok(pax) if kind == Kind::Pax => self.next.pax = Some(pax),
                Ok(pax) if pax.changes_entries() => {
                    self.fatal(
                        name,
                        at,
                        "a global extended header that renames or resizes entries",
                    );
                }
                Ok(_) => {}
                Err(why) => {
                    self.fatal(name, at, why);
                    return Ok(Flow::Stop);
                }
            },
            Kind::GnuLongName => self.next.long_name = Some(without_nul(data)),
            _ => self.next.long_link = Some(without_nul(data)),
        }
        Ok(Flow::Continue)
    }

    fn member(&mut self, mut member: Member) -> Result<Flow, Error> {
        let pending = std::mem::take(&mut self.next);
        let mut sparse = member.kind == Kind::GnuSparse;
        let mut two_names = false;
        if let Some(name) = pending.long_name {
            member.name = name;
            two_names |= pending.pax.as_ref().is_some_and(|pax| pax.path.is_some());
        }
        if let Some(link) = pending.long_link {
            member.link = link;
            two_names |= pending.pax.as_ref().is_some_and(|pax| pax.link_path.is_some());
        }
        let mut resized = None;
        if let Some(pax) = pending.pax {
            sparse |= pax.sparse;
            member.name = pax.path.unwrap_or(member.name);
            member.link = pax.link_path.unwrap_or(member.link);
            member.mtime = pax.mtime.unwrap_or(member.mtime);
            if let Some(size) = pax.size {
                // A reader that knows only ustar must find the same next header: the extended
                // size is for what the octal field cannot hold (CVE-2025-62518).
                if size != member.size && size <= MAX_OCTAL_SIZE {
                    resized = Some(size);
                }
                member.size = size;
            }
        }
        let shown = member.shown();
        if let Some(size) = resized {
            self.fatal(
                &shown,
                member.header,
                format!("two sizes: {size} in the extended header, another in its own"),
            );
            return Ok(Flow::Stop);
        }
        if two_names {
            self.fatal(&shown, member.header, "two long names: one in GNU's form, one in POSIX's");
        }
        if sparse {
            self.fatal(&shown, member.header, "a sparse file, which can't be served in place");
            return Ok(
                if self.skip(&shown, member.header, member.size) && member.kind != Kind::GnuSparse {
                    Flow::Continue
                } else {
                    Flow::Stop
                },
            );
        }
        if !self.skip(&shown, member.header, member.size) {
            return Ok(Flow::Stop);
        }
        self.keep(member, &shown)?;
        Ok(Flow::Continue)
    }

    fn keep(&mut self, member: Member, shown: &str) -> Result<(), Error> {
        let at = member.header;
        match member.kind {
            Kind::Special(what) => self.fatal(shown, at, format!("{what}, which can't be served")),
            Kind::Unknown(flag) => {
                let flag = char::from(flag).escape_default();
                self.fatal(shown, at, format!("unknown entry type '{flag}'"));
            }
            Kind::File | Kind::HardLink | Kind::SymLink | Kind::Directory => {
                if member.kind != Kind::File && member.size != 0 {
                    self.fatal(shown, at, "a link or directory with data");
                    return Ok(());
                }
                match normalise(&member.name) {
                    Ok(name) => self.keep_named(member, name)?,
                    Err(why) => self.fatal(shown, at, why),
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn keep_named(&mut self, member: Member, name: String) -> Result<(), Error> {
        let header = member.header;
        match member.kind {
            Kind::File if name.is_empty() || member.name.ends_with(b"/") => {
                self.fatal(&member.shown(), header, "a file with the name of a directory");
            }
            // An index that is not where it should be says nothing about this archive.
            Kind::File if name == INDEX_NAME => {}
            Kind::File => self.out.files.push(NewRecord {
                name: &name,
                header,
                offset: header + BLOCK,
                size: member.size,
                mtime: member.mtime,
                digest: None,
            })?,
            Kind::HardLink | Kind::SymLink => {
                let symbolic = member.kind == Kind::SymLink;
                self.out.links.push(Link { name, header, target: member.link, symbolic });
            }
            _ => {}
        }
        Ok(())
    }

    /// Behind the end mark there is nothing but zeros: other readers may go on where we stop.
    fn end(&mut self, at: u64) -> Result<(), Error> {
        if !self.next.is_empty() {
            self.fatal("", at, "an extended header without an entry");
        }
        if self.len - at > MAX_PADDING_BYTES {
            self.fatal("", at, format!("{} bytes after the end mark", self.len - at));
            return Ok(());
        }
        let mut offset = at;
        while offset < self.len {
            let chunk = self.window.get(offset, 64 * 1024)?;
            if let Some(nonzero) = chunk.iter().position(|&b| b != 0) {
                let place = offset + nonzero as u64;
                self.fatal("", place, "data after the end mark of the archive");
                return Ok(());
            }
            if chunk.is_empty() {
                break;
            }
            offset += chunk.len() as u64;
        }
        Ok(())
    }
}

struct Member {
    kind: Kind,
    name: Vec<u8>,
    link: Vec<u8>,
    size: u64,
    mtime: i64,
    header: u64,
}

impl Member {
    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.name).into_owned()
    }
}

/// GNU writes one NUL after a long name and counts it.
fn without_nul(mut name: Vec<u8>) -> Vec<u8> {
    if name.last() == Some(&0) {
        name.pop();
    }
    name
}
