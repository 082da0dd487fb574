//! Hard and symbolic links, resolved inside the archive.
//!
//! A link to a file becomes another name for that file's bytes; a link to a directory becomes
//! another name for every file below it. What leads outside or nowhere is left out of the site
//! and reported; a loop refuses the archive, since no reading of it is the right one.

use std::collections::BTreeMap;

use crate::index::{Builder, LinkTo};
use crate::name::{MAX_NAME_BYTES, is_hidden};
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

/// Links followed on the way to one target, and links to directories inside one another: Linux
/// stops at 40 as well.
const MAX_HOPS: usize = 40;

/// Names that links to directories may add, all together: a few nested links could otherwise
/// multiply into billions.
pub(crate) const MAX_ALIASES: usize = 1_000_000;

/// Bytes of those names.
const MAX_ALIAS_BYTES: usize = 256 * 1024 * 1024;

/// Steps of following links, all together: components walked and names looked at, whether or not
/// they come to anything. A second of work at most.
const MAX_LINK_STEPS: usize = 4_000_000;

#[derive(Clone)]
enum Target {
    File(usize),
    Directory(String),
}

#[derive(Clone)]
enum Broken {
    /// The rest of the site can be served.
    Entry(String),
    Fatal(String),
}

/// Resolve `links` against the files of a sorted builder.
pub(crate) fn resolve(files: &Builder, links: &[Link]) -> (Vec<LinkTo>, Vec<Problem>) {
    let mut walker = Walker {
        files,
        links: links.iter().map(|link| (link.name.as_str(), link)).collect(),
        steps: 0,
    };
    // Hidden links are never served; what they lead to is nobody's concern.
    let shown = links.iter().filter(|link| !is_hidden(&link.name));
    let targets = shown.map(|link| (link.name.as_str(), (link, walker.target_of(link)))).collect();
    let mut expansion =
        Expansion { files, targets, steps: walker.steps, aliases: Vec::new(), alias_bytes: 0 };
    let mut problems = Vec::new();
    for link in links {
        let added = if concerns_scripts(&link.name) {
            let message =
                "a script, or its directory, is a link; `zeroserve pack` stores what it leads to";
            Err(Broken::Fatal(message.into()))
        } else {
            expansion.add(link)
        };
        let Err(broken) = added else { continue };
        let (severity, message) = match broken {
            Broken::Entry(message) => (Severity::Entry, message),
            Broken::Fatal(message) => (Severity::Fatal, message),
        };
        problems.push(Problem { severity, entry: link.name.clone(), offset: link.header, message });
        if severity == Severity::Fatal {
            // The archive is refused; the other links would only repeat the work.
            break;
        }
    }
    (expansion.aliases, problems)
}

/// Links among the scripts are not followed, and a site without one of its scripts may be a site
/// without its guard.
fn concerns_scripts(name: &str) -> bool {
    name == ".zeroserve" || name == ".zeroserve/scripts" || name.starts_with(".zeroserve/scripts/")
}

fn spend(steps: &mut usize) -> Result<(), Broken> {
    *steps += 1;
    if *steps > MAX_LINK_STEPS {
        let message = format!("following links takes more than {MAX_LINK_STEPS} steps");
        return Err(Broken::Fatal(message));
    }
    Ok(())
}

/// Gives names to what links lead to.
struct Expansion<'a> {
    files: &'a Builder,
    /// Every link that is not hidden, with what it leads to.
    targets: BTreeMap<&'a str, (&'a Link, Result<Target, Broken>)>,
    steps: usize,
    aliases: Vec<LinkTo>,
    alias_bytes: usize,
}

impl Expansion<'_> {
    fn add(&mut self, link: &Link) -> Result<(), Broken> {
        let Some((_, target)) = self.targets.get(link.name.as_str()) else { return Ok(()) };
        match target.clone()? {
            Target::File(at) => self.alias(link.name.clone(), link.header, at),
            Target::Directory(dir) => {
                let mut open = vec![dir];
                self.expand(&link.name, link.header, &mut open)
            }
        }
    }

    fn alias(&mut self, name: String, header: u64, target: usize) -> Result<(), Broken> {
        if name.len() > MAX_NAME_BYTES {
            let message =
                format!("it makes a name of {} bytes, at most {MAX_NAME_BYTES}", name.len());
            return Err(Broken::Fatal(message));
        }
        self.alias_bytes += name.len();
        if self.aliases.len() >= MAX_ALIASES || self.alias_bytes > MAX_ALIAS_BYTES {
            let message =
                format!("links add more than {MAX_ALIASES} names or {MAX_ALIAS_BYTES} bytes");
            return Err(Broken::Fatal(message));
        }
        self.aliases.push(LinkTo { name, header, target });
        Ok(())
    }

    /// Give every file below the innermost directory of `open` a name below `name`.
    fn expand(&mut self, name: &str, header: u64, open: &mut Vec<String>) -> Result<(), Broken> {
        spend(&mut self.steps)?;
        if open.len() > MAX_HOPS {
            let message = format!("links to directories inside one another, more than {MAX_HOPS}");
            return Err(Broken::Fatal(message));
        }
        let dir = open.last().cloned().unwrap_or_default();
        let skip = if dir.is_empty() { 0 } else { dir.len() + 1 };
        let files = self.files;
        for at in files.below(&dir) {
            spend(&mut self.steps)?;
            let below = &files.name(at)[skip..];
            if !is_hidden(below) {
                self.alias(format!("{name}/{below}"), header, at)?;
            }
        }
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let inner: Vec<_> = self
            .targets
            .range(prefix.as_str()..)
            .take_while(|(inner, _)| inner.starts_with(&prefix))
            .map(|(inner, (_, target))| (format!("{name}/{}", &inner[skip..]), target.clone()))
            .collect();
        for (alias, target) in inner {
            spend(&mut self.steps)?;
            match target {
                Ok(Target::File(at)) => self.alias(alias, header, at)?,
                Ok(Target::Directory(next)) => {
                    if open.contains(&next) {
                        return Err(Broken::Fatal(format!("a link loop through '{next}'")));
                    }
                    open.push(next);
                    self.expand(&alias, header, open)?;
                    open.pop();
                }
                // Reported under its own name.
                Err(_) => {}
            }
        }
        Ok(())
    }
}

/// Finds what links lead to.
struct Walker<'a> {
    files: &'a Builder,
    links: BTreeMap<&'a str, &'a Link>,
    steps: usize,
}

impl Walker<'_> {
    fn target_of(&mut self, link: &Link) -> Result<Target, Broken> {
        let text = target_text(link)?;
        let leaves = || leads_outside(text);
        if link.symbolic && text.starts_with('/') {
            return Err(leaves());
        }
        let base = if link.symbolic { parent(&link.name) } else { "" };
        match self.walk(base, text)? {
            // A hard link is a name like the other: which of the two came first says nothing.
            Some(Target::File(at)) if link.symbolic && is_hidden(self.files.name(at)) => {
                Err(Broken::Entry("the link leads to a hidden entry".into()))
            }
            Some(Target::Directory(dir)) if is_hidden(&format!("{dir}/x")) => {
                Err(Broken::Entry("the link leads to a hidden directory".into()))
            }
            Some(Target::Directory(dir)) if dir.is_empty() || is_below(&link.name, &dir) => {
                Err(Broken::Fatal(format!("a link loop: it leads to '{dir}/', which contains it")))
            }
            Some(target) => Ok(target),
            None => Err(Broken::Entry(format!("the link leads nowhere: '{}'", shown(text)))),
        }
    }

    /// Walk a path component by component, following links on the way.
    fn walk(&mut self, base: &str, path: &str) -> Result<Option<Target>, Broken> {
        let mut here = String::new();
        // Components still to walk, the next one last.
        let mut rest: Vec<&str> = path.split('/').rev().collect();
        rest.extend(base.split('/').rev());
        let mut hops = 0;
        while let Some(part) = rest.pop() {
            spend(&mut self.steps)?;
            match part {
                "" | "." => continue,
                ".." if here.is_empty() => return Err(leads_outside(path)),
                ".." => {
                    here.truncate(parent(&here).len());
                    continue;
                }
                _ if here.is_empty() => here.push_str(part),
                _ => {
                    here.push('/');
                    here.push_str(part);
                }
            }
            if here.len() > MAX_NAME_BYTES {
                return Ok(None);
            }
            let Some(link) = self.links.get(here.as_str()) else { continue };
            hops += 1;
            if hops > MAX_HOPS {
                let message = format!("a link loop, or a chain of more than {MAX_HOPS} links");
                return Err(Broken::Fatal(message));
            }
            let text = target_text(link)?;
            if link.symbolic && text.starts_with('/') {
                return Err(leads_outside(text));
            }
            let back = if link.symbolic { parent(&here).len() } else { 0 };
            here.truncate(back);
            rest.extend(text.split('/').rev());
        }
        if let Some(at) = self.files.find(&here) {
            return Ok(Some(Target::File(at)));
        }
        let prefix = format!("{here}/");
        let below = self.links.range(prefix.as_str()..).next();
        let is_dir = here.is_empty()
            || !self.files.below(&here).is_empty()
            || below.is_some_and(|(name, _)| name.starts_with(&prefix));
        Ok(is_dir.then_some(Target::Directory(here)))
    }
}

/// A link's target as text, within the bounds of a name.
fn target_text(link: &Link) -> Result<&str, Broken> {
    let text = std::str::from_utf8(&link.target)
        .map_err(|_| Broken::Entry("the link's target is not valid UTF-8".into()))?;
    if text.is_empty() || text.contains('\0') {
        return Err(Broken::Entry("the link's target is empty or contains a NUL byte".into()));
    }
    if text.len() > MAX_NAME_BYTES {
        return Err(Broken::Entry("the link's target is longer than 4096 bytes".into()));
    }
    Ok(text)
}

fn leads_outside(text: &str) -> Broken {
    Broken::Entry(format!("the link leads outside of the archive: '{}'", shown(text)))
}

/// The beginning of a target, fit for a message.
fn shown(text: &str) -> String {
    text.chars().take(200).collect::<String>().escape_debug().to_string()
}

fn parent(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(dir, _)| dir)
}

fn is_below(name: &str, dir: &str) -> bool {
    name.strip_prefix(dir).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_no_links() {
        let link = |name: &str, symbolic| Link {
            name: name.into(),
            header: 512,
            target: b"nowhere".to_vec(),
            symbolic,
        };
        for (name, refused) in [
            (".zeroserve", true),
            (".zeroserve/scripts", true),
            (".zeroserve/scripts/guard.o", true),
            (".zeroserve/scripts/lib/part.h", true),
            (".zeroserve/notes", false),
            (".zeroserve.old/scripts/guard.o", false),
            (".git/link", false),
        ] {
            for symbolic in [false, true] {
                let (aliases, problems) = resolve(&Builder::default(), &[link(name, symbolic)]);
                assert!(aliases.is_empty());
                let fatal = problems.iter().any(|problem| problem.severity == Severity::Fatal);
                assert_eq!((fatal, problems.is_empty()), (refused, !refused), "{name}");
            }
        }
    }
}
