//! Header fields in one buffer that keeps its memory from request to request.

use crate::limits::{MAX_HEADER_BYTES, MAX_HEADER_FIELDS};

/// Header fields, in order.
#[derive(Debug, Default)]
pub struct Fields {
    /// Names and values one behind the other, with those that are gone in between.
    bytes: Vec<u8>,
    rows: Vec<Row>,
    changed: bool,
}

/// Where a name begins, where its value does, and where that ends.
#[derive(Clone, Copy, Debug)]
struct Row {
    name: usize,
    value: usize,
    end: usize,
}

impl Fields {
    /// None, with the memory kept, and no change seen.
    pub fn clear(&mut self) {
        // What one large request took is not kept for all the small ones.
        if self.bytes.capacity() > MAX_HEADER_BYTES {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
        self.rows.clear();
        self.changed = false;
    }

    /// Add a field as it arrived: the caller has checked it.
    pub fn push(&mut self, name: &str, value: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.extend_from_slice(value);
        self.rows.push(Row { name: start, value: start + name.len(), end: self.bytes.len() });
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        self.rows.iter().map(|row| (self.name(row), &self.bytes[row.value..row.end]))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Value of the first field of that name.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Bytes to look through for a name.
    pub(crate) fn cost(&self) -> u64 {
        (self.rows.len() + self.bytes.len() / 16) as u64
    }

    /// Whether a script has changed any.
    pub fn changed(&self) -> bool {
        self.changed
    }

    /// Replace all of that name by one, where the first of them was; false if there is no room.
    pub(crate) fn set(&mut self, name: &str, value: &[u8]) -> bool {
        let first = self.rows.iter().position(|row| self.name(row).eq_ignore_ascii_case(name));
        let Some(first) = first else { return self.append(name, value) };
        if !self.make_room(name.len() + value.len()) {
            return false;
        }
        self.push(name, value);
        if let Some(row) = self.rows.pop() {
            self.rows[first] = row;
        }
        let (bytes, mut at) = (&self.bytes, 0);
        self.rows.retain(|row| {
            at += 1;
            at <= first + 1 || !bytes[row.name..row.value].eq_ignore_ascii_case(name.as_bytes())
        });
        self.changed = true;
        true
    }

    /// Add a field; false if there is no room.
    pub(crate) fn append(&mut self, name: &str, value: &[u8]) -> bool {
        if self.rows.len() >= MAX_HEADER_FIELDS || !self.make_room(name.len() + value.len()) {
            return false;
        }
        self.push(name, value);
        self.changed = true;
        true
    }

    /// Put others in the place of all, as a change by a script.
    pub(crate) fn replace(&mut self, rows: &[(String, Vec<u8>)]) {
        self.clear();
        rows.iter().for_each(|(name, value)| self.push(name, value));
        self.changed = true;
    }

    /// Remove the fields whose names are chosen.
    pub(crate) fn remove(&mut self, chosen: impl Fn(&str) -> bool) {
        let (bytes, before) = (&self.bytes, self.rows.len());
        self.rows.retain(|row| {
            !chosen(std::str::from_utf8(&bytes[row.name..row.value]).unwrap_or_default())
        });
        self.changed |= self.rows.len() != before;
    }

    /// Names are only ever copied from text.
    fn name(&self, row: &Row) -> &str {
        std::str::from_utf8(&self.bytes[row.name..row.value]).unwrap_or_default()
    }

    /// Whether so many bytes may come. What is gone is dropped when there is more of it than a
    /// script could have put there in few steps.
    fn make_room(&mut self, more: usize) -> bool {
        let live: usize = self.rows.iter().map(|row| row.end - row.name).sum();
        if live.saturating_add(more) > MAX_HEADER_BYTES {
            return false;
        }
        if self.bytes.len() + more > 2 * MAX_HEADER_BYTES {
            let mut kept = Vec::with_capacity(live + more);
            for row in &mut self.rows {
                let start = kept.len();
                kept.extend_from_slice(&self.bytes[row.name..row.end]);
                let value = start + (row.value - row.name);
                *row = Row { name: start, value, end: kept.len() };
            }
            self.bytes = kept;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(fields: &Fields) -> String {
        let field = |(name, value)| format!("{name}={}", String::from_utf8_lossy(value));
        fields.iter().map(field).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn changes() {
        let mut fields = Fields::default();
        for name in ["a", "b", "A", "c", "a"] {
            fields.push(name, b"1");
        }
        assert!(!fields.changed());
        assert!(fields.set("a", b"2") && fields.changed());
        assert_eq!(shown(&fields), "a=2 b=1 c=1");
        assert!(fields.append("B", b"3") && fields.set("d", b""));
        assert_eq!(shown(&fields), "a=2 b=1 c=1 B=3 d=");
        assert_eq!((fields.get("B"), fields.get("e")), (Some(&b"1"[..]), None));
        fields.remove(|name| name.eq_ignore_ascii_case("b"));
        assert_eq!(shown(&fields), "a=2 c=1 d=");
        fields.clear();
        assert!(fields.is_empty() && !fields.changed());
        fields.remove(|_| true);
        assert!(!fields.changed());
    }

    #[test]
    fn there_is_a_bound_but_what_is_gone_does_not_count() {
        let mut fields = Fields::default();
        let value = [b'x'; 1000];
        for _ in 0..10_000 {
            assert!(fields.set("a", &value));
        }
        assert!(fields.bytes.len() <= 2 * MAX_HEADER_BYTES && fields.get("a") == Some(&value));
        let added = (0..MAX_HEADER_FIELDS).filter(|_| fields.append("b", &value)).count();
        assert_eq!(added, MAX_HEADER_BYTES / 1001 - 1);
        assert!(!fields.set("a", &[b'x'; MAX_HEADER_BYTES]));
        fields.clear();
        assert_eq!((0..999).filter(|_| fields.append("b", b"")).count(), MAX_HEADER_FIELDS);
    }

    proptest! {
        #[test]
        fn like_a_list(steps in prop::collection::vec((0..3u8, "[abAB]", "[xy]{0,3}"), 0..30)) {
            let (mut fields, mut list) = (Fields::default(), Vec::new());
            for (step, name, value) in steps {
                let same = |other: &(String, String)| other.0.eq_ignore_ascii_case(&name);
                match step {
                    0 => {
                        fields.append(&name, value.as_bytes());
                        list.push((name, value));
                    }
                    1 => {
                        fields.remove(|other| other.eq_ignore_ascii_case(&name));
                        list.retain(|other| !same(other));
                    }
                    _ => {
                        fields.set(&name, value.as_bytes());
                        let at = list.iter().position(same);
                        let before = list[..at.unwrap_or(list.len())].to_vec();
                        let behind = list[at.unwrap_or(list.len())..].iter();
                        let behind = behind.filter(|other| !same(other)).cloned();
                        list = [before, vec![(name.clone(), value)], behind.collect()].concat();
                    }
                }
            }
            let list = list.iter().map(|(name, value)| format!("{name}={value}"));
            prop_assert_eq!(shown(&fields), list.collect::<Vec<_>>().join(" "));
        }
    }
}
