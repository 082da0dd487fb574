//! JSON values of compiled Python: nodes in one array, all of them forgotten at once.
//!
//! A value is named by its place, counted from 1; 0 is null. The elements of a list, and names and
//! values of a dict by turns, stand one behind the other, so a script can walk through thousands
//! without anything being made for it.

use std::cmp::Ordering;

use crate::guest::Instead;
use crate::limits::{MAX_PYTHON_JSON_BYTES, MAX_PYTHON_JSON_DEPTH};
use crate::python::request::limit;

/// Text in the arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) len: u32,
}

/// A value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    /// Digits, perhaps with a sign, of a number that does not fit in 64 bits.
    Big(Span),
    Float(f64),
    Str(Span),
    /// First element, and how many there are.
    List(u32, u32),
    /// First name, how many there are, and where the table of its names begins in `sorted`.
    Dict(u32, u32, u32),
}

/// From so many names on a dict has a table of them.
const TABLE_FROM: u32 = 9;

/// Memory that is kept from script to script.
const KEPT_BYTES: usize = 64 * 1024;

/// All values of a script.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    nodes: Vec<Node>,
    text: Vec<u8>,
    /// For each large dict, its names by order, as numbers of pairs.
    sorted: Vec<u32>,
    /// Values of what is being read.
    pub(crate) stack: Vec<Node>,
}

impl Arena {
    /// Forget everything.
    pub(crate) fn clear(&mut self) {
        if self.nodes.is_empty() && self.text.is_empty() && self.stack.is_empty() {
            return;
        }
        if self.bytes() > KEPT_BYTES {
            *self = Self::default();
        }
        self.nodes.clear();
        self.text.clear();
        self.sorted.clear();
        self.stack.clear();
    }

    fn bytes(&self) -> usize {
        (self.nodes.capacity() + self.stack.capacity()) * size_of::<Node>()
            + self.text.capacity()
            + self.sorted.capacity() * 4
    }

    /// Whether so many bytes more may come.
    pub(crate) fn check(&self, more: usize) -> Result<(), Instead> {
        let nodes = (self.nodes.len() + self.stack.len()) * size_of::<Node>();
        let used = nodes + self.text.len() + self.sorted.len() * 4;
        if used.saturating_add(more) > MAX_PYTHON_JSON_BYTES {
            return Err(limit(format!(
                "MemoryError: JSON values of a script take more than {MAX_PYTHON_JSON_BYTES} bytes"
            )));
        }
        Ok(())
    }

    /// The value of a word; `None` for a number that is none.
    pub(crate) fn get(&self, word: u64) -> Option<Node> {
        match usize::try_from(word).ok()?.checked_sub(1) {
            None => Some(Node::Null),
            Some(index) => self.nodes.get(index).copied(),
        }
    }

    /// Keep a value; its word.
    pub(crate) fn add(&mut self, node: Node) -> Result<u64, Instead> {
        if let Node::Null = node {
            return Ok(0);
        }
        self.check(size_of::<Node>())?;
        self.nodes.push(node);
        Ok(self.nodes.len() as u64)
    }

    /// The word of a value of a list or dict, by its place.
    pub(crate) fn word(&self, index: u32) -> u64 {
        match self.nodes.get(index as usize) {
            None | Some(Node::Null) => 0,
            Some(_) => u64::from(index) + 1,
        }
    }

    /// A text of the arena.
    pub(crate) fn text(&self, span: Span) -> &[u8] {
        let end = span.start as usize + span.len as usize;
        self.text.get(span.start as usize..end).unwrap_or_default()
    }

    /// Append to the text that is being read.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Instead> {
        self.check(bytes.len())?;
        self.text.extend_from_slice(bytes);
        Ok(())
    }

    /// Where text ends.
    pub(crate) fn mark(&self) -> u32 {
        self.text.len() as u32
    }

    /// What was written since.
    pub(crate) fn since(&self, start: u32) -> Span {
        Span { start, len: self.text.len() as u32 - start }
    }

    /// Put a value that was read on the stack.
    pub(crate) fn push(&mut self, node: Node) -> Result<(), Instead> {
        self.check(2 * size_of::<Node>())?;
        self.stack.push(node);
        Ok(())
    }

    /// What lies on the stack from there on becomes a list.
    pub(crate) fn list(&mut self, from: usize) -> Node {
        let first = self.nodes.len() as u32;
        self.nodes.extend(self.stack.drain(from..));
        Node::List(first, self.nodes.len() as u32 - first)
    }

    fn name(&self, first: u32, pair: u32) -> &[u8] {
        match self.nodes.get((first + 2 * pair) as usize) {
            Some(Node::Str(span)) => self.text(*span),
            _ => &[],
        }
    }

    /// What lies on the stack from there on, names and values by turns, becomes a dict: of equal
    /// names the last value counts, at the place of the first.
    pub(crate) fn dict(&mut self, from: usize) -> Result<Node, Instead> {
        let first = self.nodes.len() as u32;
        self.nodes.extend(self.stack.drain(from..));
        let pairs = (self.nodes.len() as u32 - first) / 2;
        let is_same = |a: u32, b: u32| self.name(first, a) == self.name(first, b);
        if pairs < TABLE_FROM && !(1..pairs).any(|a| (0..a).any(|b| is_same(a, b))) {
            return Ok(Node::Dict(first, pairs, 0));
        }
        let mut order: Vec<u32> = (0..pairs).collect();
        let by_name = |a: &u32, b: &u32| self.name(first, *a).cmp(self.name(first, *b));
        order.sort_by(by_name);
        let is_double = |pair: &[u32]| by_name(&pair[0], &pair[1]) == Ordering::Equal;
        if order.windows(2).any(is_double) {
            return self.without_doubles(first, &order);
        }
        self.finish(first, pairs, &order)
    }

    fn without_doubles(&mut self, first: u32, order: &[u32]) -> Result<Node, Instead> {
        // For each pair the one whose value it has in the end; itself where it is the last, and
        // none where it is not the first.
        let mut last: Vec<Option<u32>> = vec![None; order.len()];
        for equal in order.chunk_by(|a, b| self.name(first, *a) == self.name(first, *b)) {
            if let (Some(one), Some(other)) = (equal.first(), equal.last()) {
                last[*one as usize] = Some(*other);
            }
        }
        let mut kept = 0;
        let old = self.nodes.split_off(first as usize);
        for (pair, value) in last.iter().enumerate() {
            if let Some(value) = value {
                self.nodes.extend([old[2 * pair], old[2 * *value as usize + 1]]);
                kept += 1;
            }
        }
        let mut order: Vec<u32> = (0..kept).collect();
        order.sort_by(|a, b| self.name(first, *a).cmp(self.name(first, *b)));
        self.finish(first, kept, &order)
    }

    fn finish(&mut self, first: u32, pairs: u32, order: &[u32]) -> Result<Node, Instead> {
        let table = self.sorted.len() as u32;
        if pairs >= TABLE_FROM {
            self.check(4 * order.len())?;
            self.sorted.extend_from_slice(order);
        }
        Ok(Node::Dict(first, pairs, table))
    }

    /// Place of the value of a name, and how many names were looked at.
    pub(crate) fn find(&self, dict: (u32, u32, u32), name: &[u8]) -> (Option<u32>, u64) {
        let (first, pairs, table) = dict;
        let place = |pair: u32| first + 2 * pair + 1;
        if pairs < TABLE_FROM {
            let found = (0..pairs).find(|pair| self.name(first, *pair) == name);
            return (found.map(place), pairs.into());
        }
        let order = self.sorted.get(table as usize..(table + pairs) as usize).unwrap_or_default();
        let found = order.binary_search_by(|pair| self.name(first, *pair).cmp(name));
        (found.ok().map(|at| place(order[at])), 32)
    }

    /// Whether two values are equal as in Python, where `True` is 1 and 1 is 1.0; `fuel` counts
    /// the values that were looked at.
    pub(crate) fn equal(&self, a: Node, b: Node, depth: usize, fuel: &mut u64) -> bool {
        *fuel += 4;
        if depth > 2 * MAX_PYTHON_JSON_DEPTH {
            return false;
        }
        let as_int = |node| match node {
            Node::Bool(value) => Some(i64::from(value)),
            Node::Int(value) => Some(value),
            _ => None,
        };
        match (a, b) {
            (Node::Null, Node::Null) => true,
            (Node::Str(a), Node::Str(b)) => {
                *fuel += u64::from(a.len) / 8;
                self.text(a) == self.text(b)
            }
            (Node::Big(a), Node::Big(b)) => {
                *fuel += u64::from(a.len) / 8;
                self.text(a) == self.text(b)
            }
            (Node::Float(a), Node::Float(b)) => a == b,
            (Node::Float(float), Node::Big(digits)) | (Node::Big(digits), Node::Float(float)) => {
                *fuel += 400;
                float.is_finite()
                    && float == float.trunc()
                    && format!("{float:.0}").as_bytes() == self.text(digits)
            }
            (Node::Float(float), other) | (other, Node::Float(float)) => {
                as_int(other).is_some_and(|int| is_same(float, int))
            }
            (Node::List(first, len), Node::List(other, other_len)) => {
                len == other_len
                    && (0..len).all(|n| {
                        let (a, b) = (self.at(first + n), self.at(other + n));
                        self.equal(a, b, depth + 1, fuel)
                    })
            }
            (Node::Dict(first, len, _), Node::Dict(other, other_len, table)) => {
                len == other_len
                    && (0..len).all(|pair| {
                        let name = self.name(first, pair);
                        let (place, looked) = self.find((other, other_len, table), name);
                        *fuel += looked + name.len() as u64 / 8;
                        place.is_some_and(|place| {
                            let (a, b) = (self.at(first + 2 * pair + 1), self.at(place));
                            self.equal(a, b, depth + 1, fuel)
                        })
                    })
            }
            (a, b) => as_int(a).is_some() && as_int(a) == as_int(b),
        }
    }

    /// A value of a list or dict, by its place.
    pub(crate) fn at(&self, index: u32) -> Node {
        self.nodes.get(index as usize).copied().unwrap_or(Node::Null)
    }
}

/// Whether a float is that integer, exactly.
fn is_same(float: f64, int: i64) -> bool {
    // 2^63 is a float and no i64: the cast would saturate to one.
    float == float.trunc()
        && float < 9_223_372_036_854_775_808.0
        && float as i64 == int
        && (int as f64) == float
}
