//! Hard and symbolic links, resolved inside the archive.
//!
//! A link to a file becomes another name for that file's bytes; a link to a directory becomes
//! another name for every file below it. What leads outside or nowhere is left out of the site
//! and reported; a loop refuses the archive, since no reading of it is the right one.

use std::collections::BTreeMap;

use crate::index::{Builder, LinkTo};
use crate::name::is_hidden;
use crate::problem::{Problem, Severity};

/// A link as the archive states it.
pub(crate) struct Link {
    /// Normalised name.
    pub(crate) name: String,
    pub(crate) header: u64,
    /// Target as stored: for a symbolic link relative to the link's directory, else to the root.
    pub(crate) target: Vec<u8>,
    pub(crate) symbolic: bool,
}

/// Links followed on the way to one target: Linux stops at 40 as well.
const MAX_HOPS: u32 = 40;

/// Names that links to directories may add, all together: a few nested links could otherwise
/// multiply into billions.
const MAX_ALIASES: usize = 1_000_000;

enum Target {
    File(usize),
    Directory(String),
}

enum Broken {
    /// The rest of the site can be served.
    Entry(String),
    Fatal(String),
}

/// Resolve `links` against the files of a sorted builder.
pub(crate) fn resolve(files: &Builder, links: &[Link]) -> (Vec<LinkTo>, Vec<Problem>) {
    let mut resolver = Resolver {
        files,
        links: links.iter().map(|link| (link.name.as_str(), link)).collect(),
        aliases: Vec::new(),
    };
    let mut problems = Vec::new();
    for link in links {
        if let Err(broken) = resolver.add(link) {
            let (severity, message) = match broken {
                Broken::Entry(message) => (Severity::Entry, message),
                Broken::Fatal(message) => (Severity::Fatal, message),
            };
            let entry = link.name.clone();
            problems.push(Problem { severity, entry, offset: link.header, message });
        }
    }
    (resolver.aliases, problems)
}

struct Resolver<'a> {
    files: &'a Builder,
    links: BTreeMap<&'a str, &'a Link>,
    aliases: Vec<LinkTo>,
}

impl<'a> Resolver<'a> {
    fn add(&mut self, link: &'a Link) -> Result<(), Broken> {
        match self.target_of(link)? {
            Target::File(at) => self.alias(link.name.clone(), link.header, at),
            Target::Directory(dir) => {
                let mut open = vec![dir];
                self.expand(&link.name, link.header, &mut open)
            }
        }
    }

    fn alias(&mut self, name: String, header: u64, target: usize) -> Result<(), Broken> {
        if self.aliases.len() >= MAX_ALIASES {
            return Err(Broken::Fatal(format!("links add more than {MAX_ALIASES} names")));
        }
        self.aliases.push(LinkTo { name, header, target });
        Ok(())
    }

    /// Give every file below the innermost directory of `open` a name below `name`.
    fn expand(&mut self, name: &str, header: u64, open: &mut Vec<String>) -> Result<(), Broken> {
        let dir = open.last().cloned().unwrap_or_default();
        let skip = if dir.is_empty() { 0 } else { dir.len() + 1 };
        let files = self.files;
        for at in files.below(&dir) {
            let below = &files.name(at)[skip..];
            if !is_hidden(below) {
                self.alias(format!("{name}/{below}"), header, at)?;
            }
        }
        let inner: Vec<&Link> = self.links_below(&dir);
        for link in inner {
            let alias = format!("{name}/{}", &link.name[skip..]);
            // A broken link inside is reported under its own name.
            match self.target_of(link) {
                Ok(Target::File(at)) => self.alias(alias, header, at)?,
                Ok(Target::Directory(next)) => {
                    if open.contains(&next) {
                        return Err(Broken::Fatal(format!("a link loop through '{}'", link.name)));
                    }
                    open.push(next);
                    self.expand(&alias, header, open)?;
                    open.pop();
                }
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn links_below(&self, dir: &str) -> Vec<&'a Link> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let from = self.links.range(prefix.as_str()..);
        from.take_while(|(name, _)| name.starts_with(&prefix)).map(|(_, link)| *link).collect()
    }

    fn target_of(&self, link: &Link) -> Result<Target, Broken> {
        let text = std::str::from_utf8(&link.target)
            .map_err(|_| Broken::Entry("the link's target is not valid UTF-8".into()))?;
        if text.is_empty() || text.contains('\0') {
            return Err(Broken::Entry("the link's target is empty or contains a NUL byte".into()));
        }
        let leaves = || {
            Broken::Entry(format!(
                "the link leads outside of the archive: '{}'",
                text.escape_debug()
            ))
        };
        let base = if link.symbolic {
            if text.starts_with('/') {
                return Err(leaves());
            }
            link.name.rsplit_once('/').map_or("", |(dir, _)| dir)
        } else {
            ""
        };
        let mut hops = 0;
        let found = self.walk(base, text, &mut hops, &leaves)?;
        match found {
            Some(Target::File(at)) if is_hidden(self.files.name(at)) => {
                Err(Broken::Entry("the link leads to a hidden entry".into()))
            }
            Some(Target::Directory(dir)) if is_hidden(&format!("{dir}/x")) => {
                Err(Broken::Entry("the link leads to a hidden directory".into()))
            }
            Some(Target::Directory(dir)) if dir.is_empty() || is_below(&link.name, &dir) => {
                Err(Broken::Fatal(format!("a link loop: it leads to '{dir}/', which contains it")))
            }
            Some(target) => Ok(target),
            None => {
                Err(Broken::Entry(format!("the link leads nowhere: '{}'", text.escape_debug())))
            }
        }
    }

    /// Walk a path component by component, following links on the way.
    fn walk(
        &self,
        base: &str,
        path: &str,
        hops: &mut u32,
        leaves: &dyn Fn() -> Broken,
    ) -> Result<Option<Target>, Broken> {
        let mut here: Vec<&str> = Vec::new();
        // Components still to walk, the next one last.
        let mut rest: Vec<&str> = path.split('/').rev().collect();
        rest.extend(base.split('/').rev());
        while let Some(part) = rest.pop() {
            match part {
                "" | "." => continue,
                ".." => {
                    here.pop().ok_or_else(leaves)?;
                    continue;
                }
                _ => here.push(part),
            }
            let Some(link) = self.links.get(here.join("/").as_str()) else { continue };
            *hops += 1;
            if *hops > MAX_HOPS {
                let message = format!("a link loop, or a chain of more than {MAX_HOPS} links");
                return Err(Broken::Fatal(message));
            }
            let text = std::str::from_utf8(&link.target).map_err(|_| leaves())?;
            if link.symbolic {
                if text.starts_with('/') {
                    return Err(leaves());
                }
                here.pop();
            } else {
                here.clear();
            }
            rest.extend(text.split('/').rev());
        }
        let name = here.join("/");
        if let Some(at) = self.files.find(&name) {
            return Ok(Some(Target::File(at)));
        }
        let is_dir = !self.files.below(&name).is_empty() || !self.links_below(&name).is_empty();
        Ok(is_dir.then_some(Target::Directory(name)))
    }
}

fn is_below(name: &str, dir: &str) -> bool {
    name.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
}
