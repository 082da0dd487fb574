//! What lies directly in a directory of an index.

use crate::index::{EntryId, Index};
use crate::name::is_hidden;

/// A file or a directory in another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child<'a> {
    /// Its name there, a directory's with its slash.
    pub name: &'a str,
    /// The file; `None` for a directory.
    pub file: Option<EntryId>,
}

/// The children of a directory in byte order of their names; hidden ones are passed over.
pub struct Children<'a> {
    index: &'a Index,
    prefix: &'a str,
    at: u32,
    steps: usize,
}

impl Index {
    /// What lies in the directory whose name is `prefix`: empty, or with a slash at its end. Begins
    /// behind a name, if it is not empty; looks for at most `steps` of them, hidden ones included.
    pub fn children<'a>(&'a self, prefix: &'a str, after: &str, steps: usize) -> Children<'a> {
        let start = match after {
            "" => prefix.to_owned(),
            after => behind(&format!("{prefix}{after}")),
        };
        Children { index: self, prefix, at: self.position(start.as_bytes()), steps }
    }
}

impl Children<'_> {
    /// Whether there may be more than the steps that were allowed have found.
    pub fn is_cut(&self) -> bool {
        self.steps == 0
    }
}

/// The first name that does not begin with one of a directory, or is another than that of a file.
fn behind(name: &str) -> String {
    match name.strip_suffix('/') {
        Some(directory) => format!("{directory}0"), // which comes after the slash
        None => format!("{name}\0"),
    }
}

impl<'a> Iterator for Children<'a> {
    type Item = Child<'a>;

    fn next(&mut self) -> Option<Child<'a>> {
        loop {
            let (id, name) = self.index.name_at(self.at)?;
            let rest = name.strip_prefix(self.prefix)?;
            self.steps = self.steps.checked_sub(1)?;
            let Some(slash) = rest.find('/') else {
                self.at += 1;
                if is_hidden(name) {
                    continue;
                }
                return Some(Child { name: rest, file: Some(id) });
            };
            let directory = &rest[..=slash];
            let whole = &name[..self.prefix.len() + slash + 1];
            // Of what is in it, something has to be seen.
            if let Some(hidden) = hidden_part(name) {
                self.at = self.index.position(behind(hidden).as_bytes());
                continue;
            }
            self.at = self.index.position(behind(whole).as_bytes());
            return Some(Child { name: directory, file: None });
        }
    }
}

/// The shortest part of a name, up to a slash or its end, that is hidden.
fn hidden_part(name: &str) -> Option<&str> {
    if !is_hidden(name) {
        return None;
    }
    let ends = name.match_indices('/').map(|(at, _)| at + 1).chain([name.len()]);
    ends.map(|end| &name[..end]).find(|part| is_hidden(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::{Builder, NewRecord};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn index(names: &BTreeSet<String>) -> Index {
        let mut builder = Builder::default();
        for name in names {
            let new = NewRecord { name, header: 0, offset: 0, size: 0, mtime: 0, digest: None };
            assert!(builder.push(new).is_ok());
        }
        builder.sort();
        builder.finish(&[]).ok().unwrap()
    }

    fn of(names: &[&str], prefix: &str, after: &str) -> Vec<String> {
        let index = index(&names.iter().map(|name| (*name).to_owned()).collect());
        index.children(prefix, after, 1000).map(|child| child.name.to_owned()).collect()
    }

    #[test]
    fn directories() {
        let names = [
            "a.txt",
            "a/b/c",
            "a/b/d",
            "a/z",
            "a-b/x",
            ".git/x",
            ".well-known/x",
            "b/.x",
            "c/.x/y",
            "c/d",
            ".well-known/.y",
            "é",
        ];
        assert_eq!(of(&names, "", ""), [".well-known/", "a-b/", "a.txt", "a/", "c/", "é"]);
        assert_eq!(of(&names, "", "a.txt"), ["a/", "c/", "é"]);
        assert_eq!(of(&names, "", "a/"), ["c/", "é"]);
        assert_eq!(of(&names, "", "zzz"), ["é"]);
        assert_eq!(of(&names, "a/", ""), ["b/", "z"]);
        assert_eq!(of(&names, ".well-known/", ""), ["x"]);
        assert_eq!(of(&names, "c/", ""), ["d"]);
        for nothing in ["b/", "a/z/", "x/", "a/b/c/", ".git/x/"] {
            assert!(of(&names, nothing, "").is_empty(), "{nothing}");
        }
    }

    #[test]
    fn steps_are_counted() {
        let names = (0..100).map(|n| format!("{n:03}")).collect();
        let index = index(&names);
        let mut children = index.children("", "", 10);
        assert_eq!(children.by_ref().count(), 10);
        assert!(children.is_cut());
    }

    proptest! {
        #[test]
        fn like_a_walk(
            names in prop::collection::btree_set("[.]?[ab0](/[.]?[ab0-]){0,3}", 0..20),
            prefix in "([ab]/){0,2}",
        ) {
            let visible = names.iter().filter(|name| !is_hidden(name));
            let expected: BTreeSet<String> = visible
                .filter_map(|name| name.strip_prefix(&prefix))
                .map(|rest| rest.find('/').map_or(rest, |slash| &rest[..=slash]).to_owned())
                .collect();
            let index = index(&names);
            let found: Vec<_> =
                index.children(&prefix, "", 1000).map(|child| child.name.to_owned()).collect();
            prop_assert!(found.is_sorted());
            prop_assert_eq!(found.iter().cloned().collect::<BTreeSet<_>>(), expected);
            for (at, name) in found.iter().enumerate() {
                let rest = index.children(&prefix, name, 1000).map(|child| child.name);
                prop_assert!(rest.eq(found[at + 1..].iter().map(String::as_str)));
            }
        }
    }
}
