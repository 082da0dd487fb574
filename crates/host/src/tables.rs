//! State that scripts keep from request to request: tables of the least recently used kind, for
//! all workers of a site.

use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use lru::LruCache;
use smallvec::SmallVec;

use crate::limits::{
    MAX_TABLE_ENTRIES, MAX_TABLE_KEY_BYTES, MAX_TABLE_VALUE_BYTES, MAX_TABLES, MAX_TABLES_BYTES,
};

/// A key or a value: text, bytes, or a number as 8 bytes.
pub(crate) type Content = SmallVec<[u8; 16]>;

/// What an entry takes besides its bytes: links, hash table, allocation.
const ENTRY_BYTES: usize = 128;

/// Which table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Id<'a> {
    pub(crate) script: &'a str,
    pub(crate) name: &'a [u8],
    /// Of keys and values: tables of other types are others.
    pub(crate) kinds: (u32, u32),
}

/// The tables of a site.
#[derive(Debug, Default)]
pub struct Tables {
    by_script: RwLock<HashMap<Box<str>, Vec<Named>>>,
    /// Of all entries.
    bytes: AtomicUsize,
}

#[derive(Debug)]
struct Named {
    name: Box<[u8]>,
    kinds: (u32, u32),
    entries: Arc<Mutex<Entries>>,
}

type Entries = LruCache<Content, Content, RandomState>;

/// A table, while nobody else uses it.
pub(crate) struct Table<'a> {
    entries: &'a mut Entries,
    bytes: &'a AtomicUsize,
}

fn size(key: &[u8], value: &[u8]) -> usize {
    // Short ones lie in the entry.
    let outside = |bytes: &[u8]| if bytes.len() > 16 { bytes.len() } else { 0 };
    ENTRY_BYTES + outside(key) + outside(value)
}

impl Tables {
    fn find(&self, id: Id<'_>) -> Option<Arc<Mutex<Entries>>> {
        let tables = self.by_script.read().unwrap_or_else(PoisonError::into_inner);
        let mut named = tables.get(id.script)?.iter();
        let found = named.find(|table| *table.name == *id.name && table.kinds == id.kinds);
        found.map(|table| Arc::clone(&table.entries))
    }

    fn make(&self, id: Id<'_>) -> Result<Arc<Mutex<Entries>>, String> {
        let mut tables = self.by_script.write().unwrap_or_else(PoisonError::into_inner);
        if tables.values().map(Vec::len).sum::<usize>() >= MAX_TABLES {
            return Err(format!("the scripts of this site use more than {MAX_TABLES} tables"));
        }
        if id.name.len() > MAX_TABLE_KEY_BYTES {
            return Err(format!("the name of a table is longer than {MAX_TABLE_KEY_BYTES} bytes"));
        }
        let named = tables.entry(id.script.into()).or_default();
        // Another worker may have been faster.
        let found = named.iter().find(|table| *table.name == *id.name && table.kinds == id.kinds);
        if let Some(table) = found {
            return Ok(Arc::clone(&table.entries));
        }
        let entries = LruCache::unbounded_with_hasher(RandomState::new());
        let entries = Arc::new(Mutex::new(entries));
        let (name, kinds) = (id.name.into(), id.kinds);
        named.push(Named { name, kinds, entries: Arc::clone(&entries) });
        Ok(entries)
    }

    /// Use a table, which has at most so many entries from here on; the error is the limit that
    /// forbids it. Also how many entries had to go.
    pub(crate) fn with<T>(
        &self,
        id: Id<'_>,
        max_entries: u64,
        work: impl FnOnce(&mut Table<'_>) -> Result<T, String>,
    ) -> Result<(T, u64), String> {
        if max_entries == 0 || max_entries > MAX_TABLE_ENTRIES {
            return Err(format!("a table of {max_entries} entries: from 1 to {MAX_TABLE_ENTRIES}"));
        }
        let table = self.find(id).map_or_else(|| self.make(id), Ok)?;
        let mut entries = table.lock().unwrap_or_else(PoisonError::into_inner);
        let mut table = Table { entries: &mut entries, bytes: &self.bytes };
        // Before, because entries beyond the new number are gone; after, because one was added.
        let before = table.shrink(max_entries);
        let result = work(&mut table);
        let after = table.shrink(max_entries);
        Ok((result?, before + after))
    }

    /// Estimated bytes of all entries.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Table<'_> {
    fn shrink(&mut self, max_entries: u64) -> u64 {
        let mut gone = 0;
        while self.entries.len() as u64 > max_entries {
            let Some((key, value)) = self.entries.pop_lru() else { break };
            self.bytes.fetch_sub(size(&key, &value), Ordering::Relaxed);
            gone += 1;
        }
        gone
    }

    /// The value of a key, which is used by this.
    pub(crate) fn get(&mut self, key: &[u8]) -> Option<&[u8]> {
        self.entries.get(key).map(|value| &value[..])
    }

    /// Set the value of a key, which is used by this.
    pub(crate) fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        if key.len() > MAX_TABLE_KEY_BYTES {
            return Err(format!("a key of a table is longer than {MAX_TABLE_KEY_BYTES} bytes"));
        }
        if value.len() > MAX_TABLE_VALUE_BYTES {
            return Err(format!("a value of a table is longer than {MAX_TABLE_VALUE_BYTES} bytes"));
        }
        let old = self.entries.get(key).map_or(0, |old| size(key, old));
        let new = size(key, value);
        let before = self.bytes.fetch_add(new, Ordering::Relaxed);
        if before.saturating_sub(old).saturating_add(new) > MAX_TABLES_BYTES {
            self.bytes.fetch_sub(new, Ordering::Relaxed);
            return Err(format!("the tables of this site have more than {MAX_TABLES_BYTES} bytes"));
        }
        self.bytes.fetch_sub(old, Ordering::Relaxed);
        match self.entries.get_mut(key) {
            Some(place) => {
                // A short value does not keep the memory of a long one.
                *place = Content::from_slice(value);
            }
            None => {
                self.entries.put(Content::from_slice(key), Content::from_slice(value));
            }
        }
        Ok(())
    }

    /// Forget a key.
    pub(crate) fn remove(&mut self, key: &[u8]) {
        if let Some(value) = self.entries.pop(key) {
            self.bytes.fetch_sub(size(key, &value), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: Id<'_> = Id { script: "main", name: b"seen", kinds: (0, 0) };

    fn set(tables: &Tables, id: Id<'_>, max: u64, key: &[u8], value: &[u8]) -> Result<u64, String> {
        tables.with(id, max, |table| table.set(key, value)).map(|((), gone)| gone)
    }

    fn get(tables: &Tables, id: Id<'_>, max: u64, key: &[u8]) -> Option<Vec<u8>> {
        let found = tables.with(id, max, |table| Ok(table.get(key).map(<[u8]>::to_vec)));
        found.unwrap().0
    }

    #[test]
    fn tables_are_apart() {
        let tables = Tables::default();
        let others = [
            Id { script: "other", ..ID },
            Id { name: b"other", ..ID },
            Id { kinds: (1, 0), ..ID },
            Id { kinds: (0, 1), ..ID },
        ];
        assert_eq!(set(&tables, ID, 10, b"a", b"1"), Ok(0));
        for id in others {
            assert_eq!(get(&tables, id, 10, b"a"), None);
        }
        assert_eq!(get(&tables, ID, 10, b"a").as_deref(), Some(&b"1"[..]));
    }

    #[test]
    fn limits() {
        let tables = Tables::default();
        for max in [0, MAX_TABLE_ENTRIES + 1, u64::MAX] {
            assert!(set(&tables, ID, max, b"a", b"").is_err());
        }
        assert!(set(&tables, ID, 1, &[0; MAX_TABLE_KEY_BYTES + 1], b"").is_err());
        assert!(set(&tables, ID, 1, b"", &[0; MAX_TABLE_VALUE_BYTES + 1]).is_err());
        assert!(set(&tables, ID, 1, &[0; MAX_TABLE_KEY_BYTES], b"").is_ok());
        let long = [0; MAX_TABLE_VALUE_BYTES];
        let many = |n: u32| set(&tables, ID, 1 << 20, &n.to_le_bytes(), &long);
        let refused = (0..2 * (MAX_TABLES_BYTES / long.len()) as u32).find_map(|n| many(n).err());
        assert!(refused.unwrap().contains("67108864 bytes"));
        // What is there may be written anew, and be replaced by what is no larger.
        assert_eq!(many(0), Ok(0));
        assert!(set(&tables, ID, 1, b"x", b"").is_ok());
        tables
            .with(ID, 1, |table| {
                table.remove(b"x");
                Ok(())
            })
            .unwrap();
        assert_eq!(tables.bytes(), 0);
        for n in 0..2 * MAX_TABLES {
            let name = n.to_string();
            let made = set(&tables, Id { name: name.as_bytes(), ..ID }, 1, b"a", b"");
            assert_eq!(made.is_ok(), n < MAX_TABLES - 1, "{n}");
        }
    }

    proptest! {
        /// Against a list with the most recently used at its end.
        #[test]
        fn like_a_list(
            steps in prop::collection::vec((0..4u8, 0..8u8, 0..40usize, 1..6u64), 0..60)
        ) {
            let tables = Tables::default();
            let mut list: Vec<(u8, usize)> = Vec::new();
            for (step, key, value, max) in steps {
                list.drain(..list.len().saturating_sub(max as usize));
                let at = list.iter().position(|(other, _)| *other == key);
                match step {
                    0 => {
                        let found = get(&tables, ID, max, &[key]).map(|value| value.len());
                        prop_assert_eq!(found, at.map(|at| list[at].1));
                        if let Some(at) = at {
                            let entry = list.remove(at);
                            list.push(entry);
                        }
                    }
                    1 => {
                        tables.with(ID, max, |table| { table.remove(&[key]); Ok(()) }).unwrap();
                        at.map(|at| list.remove(at));
                    }
                    _ => {
                        set(&tables, ID, max, &[key], &vec![0; value]).unwrap();
                        at.map(|at| list.remove(at));
                        list.push((key, value));
                        list.drain(..list.len().saturating_sub(max as usize));
                    }
                }
                let bytes = list.iter().map(|(key, value)| size(&[*key], &vec![0; *value]));
                prop_assert_eq!(tables.bytes(), bytes.sum::<usize>());
            }
        }
    }
}
