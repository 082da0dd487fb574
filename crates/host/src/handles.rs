//! JSON values that scripts hold by number, with a bound on what they use.
//!
//! A handle names a place in a document: the way from its root. What is set through one handle
//! shows through the others, and a handle whose place is gone names nothing. Each script that is
//! being called has handles of its own.

use serde_json::Value;

use crate::limits::{MAX_JSON_BYTES, MAX_JSON_DEPTH, MAX_JSON_HANDLES};
use crate::measure::{self, Size};

/// All documents and handles of a request.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    documents: Vec<Option<Document>>,
    /// The first is the entry function's, the last that of the script that runs.
    scopes: Vec<Scope>,
    /// Estimated bytes of all documents and ways.
    bytes: usize,
    /// Of which so many are kept outside.
    kept: usize,
    count: usize,
}

#[derive(Debug)]
struct Document {
    root: Value,
    bytes: usize,
    handles: usize,
}

#[derive(Debug, Default)]
struct Scope {
    handles: Vec<Option<Handle>>,
    /// The handle of the request body.
    body: Option<u64>,
}

#[derive(Debug)]
struct Handle {
    document: usize,
    way: Vec<Step>,
}

/// A step from a value to one in it.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// To a member.
    Key(Box<str>),
    /// To an element.
    Index(usize),
}

impl Step {
    fn bytes(&self) -> usize {
        size_of::<Self>() + if let Self::Key(key) = self { key.len() } else { 0 }
    }
}

fn way_bytes(way: &[Step]) -> usize {
    way.iter().map(Step::bytes).sum()
}

fn follow<'a>(root: &'a Value, way: &[Step]) -> Option<&'a Value> {
    way.iter().try_fold(root, |value, step| match step {
        Step::Key(key) => value.as_object()?.get(&**key),
        Step::Index(index) => value.as_array()?.get(*index),
    })
}

fn follow_mut<'a>(root: &'a mut Value, way: &[Step]) -> Option<&'a mut Value> {
    way.iter().try_fold(root, |value, step| match step {
        Step::Key(key) => value.as_object_mut()?.get_mut(&**key),
        Step::Index(index) => value.as_array_mut()?.get_mut(*index),
    })
}

impl Handles {
    /// Forget everything; one scope remains.
    pub(crate) fn clear(&mut self) {
        self.documents.clear();
        self.scopes.truncate(1);
        for scope in &mut self.scopes {
            scope.handles.clear();
            scope.body = None;
        }
        self.bytes = 0;
        self.kept = 0;
        self.count = 0;
    }

    /// Forget all handles, but not what is kept outside.
    pub(crate) fn restart(&mut self) {
        let kept = self.kept;
        self.clear();
        self.kept = kept;
        self.bytes = kept;
    }

    /// Bytes that values may still take.
    pub(crate) fn room(&self) -> usize {
        MAX_JSON_BYTES.saturating_sub(self.bytes)
    }

    /// Whether no further handle can be had.
    pub(crate) fn is_full(&self) -> bool {
        self.count >= MAX_JSON_HANDLES
    }

    /// Count bytes that are kept outside until the end of the request.
    pub(crate) fn keep(&mut self, bytes: usize) -> bool {
        let fits = bytes <= self.room();
        if fits {
            self.bytes += bytes;
            self.kept += bytes;
        }
        fits
    }

    /// How many scripts are being called by others.
    pub(crate) fn depth(&self) -> usize {
        self.scopes.len().saturating_sub(1)
    }

    /// Begin the handles of a script that is called.
    pub(crate) fn enter(&mut self) {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::default());
        }
        self.scopes.push(Scope::default());
    }

    /// Drop the handles of the script that was called.
    pub(crate) fn leave(&mut self) {
        if self.depth() == 0 {
            return;
        }
        let open = self.scopes.last().map_or(0, |scope| scope.handles.len());
        for handle in 1..=open as u64 {
            self.free(handle);
        }
        self.scopes.pop();
    }

    fn scope(&mut self) -> &mut Scope {
        if self.scopes.is_empty() {
            self.scopes.push(Scope::default());
        }
        let last = self.scopes.len() - 1;
        &mut self.scopes[last]
    }

    fn handle(&self, handle: u64) -> Option<&Handle> {
        let index = usize::try_from(handle).ok()?.checked_sub(1)?;
        self.scopes.last()?.handles.get(index)?.as_ref()
    }

    fn document(&self, handle: &Handle) -> Option<&Document> {
        self.documents.get(handle.document)?.as_ref()
    }

    /// The handle of the request body, if it is still held.
    pub(crate) fn body(&mut self) -> Option<u64> {
        self.scope().body
    }

    /// Remember the handle of the request body.
    pub(crate) fn set_body(&mut self, handle: u64) {
        self.scope().body = Some(handle);
    }

    /// Hold a value as a document of its own.
    pub(crate) fn insert(&mut self, root: Value) -> Option<u64> {
        let Size { bytes, depth } = measure::value(&root);
        if depth > MAX_JSON_DEPTH || bytes > self.room() || self.count >= MAX_JSON_HANDLES {
            return None;
        }
        let free = self.documents.iter().position(Option::is_none);
        let document = free.unwrap_or(self.documents.len());
        if document == self.documents.len() {
            self.documents.push(None);
        }
        self.documents[document] = Some(Document { root, bytes, handles: 0 });
        self.bytes += bytes;
        self.hold(Handle { document, way: Vec::new() })
    }

    fn hold(&mut self, handle: Handle) -> Option<u64> {
        let bytes = way_bytes(&handle.way);
        if self.count >= MAX_JSON_HANDLES || bytes > self.room() {
            return None;
        }
        self.documents.get_mut(handle.document)?.as_mut()?.handles += 1;
        self.bytes += bytes;
        self.count += 1;
        let scope = self.scope();
        let free = scope.handles.iter().position(Option::is_none);
        let index = free.unwrap_or(scope.handles.len());
        if index == scope.handles.len() {
            scope.handles.push(None);
        }
        scope.handles[index] = Some(handle);
        Some(index as u64 + 1)
    }

    /// Give up a handle, and its document if it was the last.
    pub(crate) fn free(&mut self, handle: u64) -> bool {
        let index = usize::try_from(handle).ok().and_then(|handle| handle.checked_sub(1));
        let scope = self.scope();
        let held = index.and_then(|index| scope.handles.get_mut(index)).and_then(Option::take);
        let Some(held) = held else { return false };
        if scope.body == Some(handle) {
            scope.body = None;
        }
        self.count -= 1;
        self.bytes -= way_bytes(&held.way);
        let slot = &mut self.documents[held.document];
        if let Some(document) = slot {
            document.handles -= 1;
            if document.handles == 0 {
                self.bytes -= document.bytes;
                *slot = None;
            }
        }
        true
    }

    /// What a handle names.
    pub(crate) fn get(&self, handle: u64) -> Option<&Value> {
        let handle = self.handle(handle)?;
        follow(&self.document(handle)?.root, &handle.way)
    }

    /// What following a handle costs.
    pub(crate) fn cost(&self, handle: u64) -> u64 {
        self.handle(handle).map_or(0, |handle| way_bytes(&handle.way) as u64)
    }

    /// Size of what a handle names.
    pub(crate) fn size(&self, handle: u64) -> Option<Size> {
        self.get(handle).map(measure::value)
    }

    /// Let a handle name the root of its document.
    pub(crate) fn reset(&mut self, handle: u64) -> bool {
        let index = usize::try_from(handle).ok().and_then(|handle| handle.checked_sub(1));
        let held = index.and_then(|index| self.scope().handles.get_mut(index)?.as_mut());
        let Some(held) = held else { return false };
        let way = std::mem::take(&mut held.way);
        self.bytes -= way_bytes(&way);
        true
    }

    /// A handle of a value in what a handle names.
    pub(crate) fn child(&mut self, handle: u64, step: Step) -> Option<u64> {
        let held = self.handle(handle)?;
        let value = follow(&self.document(held)?.root, &held.way)?;
        follow(value, std::slice::from_ref(&step))?;
        let mut way = Vec::with_capacity(held.way.len() + 1);
        way.extend_from_slice(&held.way);
        way.push(step);
        let document = held.document;
        self.hold(Handle { document, way })
    }

    /// Change what a handle names: `change` gets it and says how many bytes came and went, or
    /// that nothing was done. `more` are the bytes and depth that it may add.
    pub(crate) fn change<T>(
        &mut self,
        handle: u64,
        more: Size,
        change: impl FnOnce(&mut Value) -> Option<(T, Balance)>,
    ) -> Option<T> {
        let room = self.room();
        let index = usize::try_from(handle).ok()?.checked_sub(1)?;
        let held = self.scopes.last()?.handles.get(index)?.as_ref()?;
        if more.bytes > room || held.way.len() + more.depth > MAX_JSON_DEPTH {
            return None;
        }
        let document = self.documents.get_mut(held.document)?.as_mut()?;
        let value = follow_mut(&mut document.root, &held.way)?;
        let (result, balance) = change(value)?;
        // Sizes are estimates, but the same ones on the way in and out.
        document.bytes = document.bytes.saturating_add(balance.came).saturating_sub(balance.went);
        self.bytes = self.bytes.saturating_add(balance.came).saturating_sub(balance.went);
        Some(result)
    }
}

/// Bytes that a change brought and took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Balance {
    pub(crate) came: usize,
    pub(crate) went: usize,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(handles: &mut Handles, handle: u64, new: Value) -> Option<()> {
        let more = measure::value(&new);
        handles.change(handle, more, |value| {
            let went = measure::value(value).bytes;
            *value = new;
            Some(((), Balance { came: more.bytes, went }))
        })
    }

    #[test]
    fn handles_name_places() {
        let mut handles = Handles::default();
        let root = handles.insert(json!({"a": {"b": [1, 2]}})).unwrap();
        let a = handles.child(root, Step::Key("a".into())).unwrap();
        let b = handles.child(a, Step::Key("b".into())).unwrap();
        let one = handles.child(b, Step::Index(1)).unwrap();
        assert_eq!(handles.get(one), Some(&json!(2)));
        assert!(set(&mut handles, one, json!("new")).is_some());
        assert_eq!(handles.get(root), Some(&json!({"a": {"b": [1, "new"]}})));
        assert!(set(&mut handles, a, json!(null)).is_some());
        assert_eq!((handles.get(one), handles.get(b)), (None, None));
        assert!(handles.reset(one));
        assert_eq!(handles.get(one), Some(&json!({"a": null})));
        assert!(handles.child(root, Step::Key("c".into())).is_none());
        for handle in [0, 9, u64::MAX] {
            assert!(handles.get(handle).is_none() && !handles.free(handle));
        }
    }

    #[test]
    fn what_is_freed_is_gone() {
        let mut handles = Handles::default();
        let root = handles.insert(json!([1, [2]])).unwrap();
        let child = handles.child(root, Step::Index(1)).unwrap();
        assert!(handles.free(root) && !handles.free(root));
        assert_eq!(handles.get(child), Some(&json!([2])));
        assert!(handles.free(child));
        assert_eq!((handles.bytes, handles.count), (0, 0));
        assert!(handles.documents.iter().all(Option::is_none));
    }

    #[test]
    fn scopes_do_not_see_each_other() {
        let mut handles = Handles::default();
        let outer = handles.insert(json!("outer")).unwrap();
        handles.enter();
        assert!(handles.get(outer).is_none() && handles.depth() == 1);
        let inner = handles.insert(json!("inner")).unwrap();
        assert_eq!(inner, outer);
        handles.leave();
        assert_eq!(handles.get(outer), Some(&json!("outer")));
        handles.leave();
        assert_eq!((handles.depth(), handles.count), (0, 1));
    }

    #[test]
    fn there_are_bounds() {
        let mut handles = Handles::default();
        assert!((0..MAX_JSON_HANDLES).all(|_| handles.insert(json!(1)).is_some()));
        assert!(handles.insert(json!(1)).is_none());
        handles.clear();
        let large = json!("x".repeat(MAX_JSON_BYTES / 2));
        let root = handles.insert(large.clone()).unwrap();
        assert!(handles.insert(large.clone()).is_none());
        assert!(set(&mut handles, root, large).is_none());
        let mut deep = json!([]);
        for _ in 1..MAX_JSON_DEPTH {
            deep = json!([deep]);
        }
        let root = handles.insert(deep.clone()).unwrap();
        let child = handles.child(root, Step::Index(0)).unwrap();
        assert!(set(&mut handles, child, deep.clone()).is_none());
        assert!(handles.insert(json!([deep])).is_none());
    }
}
