//! Logins by OpenID Connect: what is sealed into cookies, and whether a token is good.
//!
//! No I/O and no clock: what has to be fetched is asked for like any other request of a script.

mod config;
mod login;
mod seal;
mod token;

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use serde_json::Value;

pub(crate) use config::Config;
pub(crate) use login::{Halt, Login, Redirect, begin, finish, logout, session};
use seal::{open, seal};

/// Documents of identity providers that a site keeps.
const MAX_DOCUMENTS: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// Time after which a provider's configuration and keys are read again.
const KEEP_TIME_MS: u64 = 3_600_000;

/// Time in which a document that could not be read is not asked for again.
const FAILED_TIME_MS: u64 = 5_000;

/// Time in which keys are read but once, whatever names of keys tokens have.
const REFRESH_TIME_MS: u64 = 60_000;

/// What identity providers publish, for all workers of a site.
#[derive(Debug)]
pub struct Documents(Mutex<LruCache<String, Document>>);

#[derive(Clone, Debug)]
struct Document {
    /// None: it could not be read.
    value: Option<Arc<Value>>,
    read_ms: u64,
}

impl Default for Documents {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MAX_DOCUMENTS)))
    }
}

impl Documents {
    /// What is known of a document: `None` when it has to be read, an inner one when it could not
    /// be a moment ago.
    pub(crate) fn get(&self, url: &str, now_ms: u64) -> Option<Option<Arc<Value>>> {
        let mut documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = documents.get(url)?;
        let keep_ms = if found.value.is_some() { KEEP_TIME_MS } else { FAILED_TIME_MS };
        // A clock that was set back makes it no younger.
        let fresh = now_ms.abs_diff(found.read_ms) < keep_ms;
        fresh.then(|| found.value.clone())
    }

    /// Keep a document, or that it could not be read.
    pub(crate) fn put(&self, url: &str, value: Option<Arc<Value>>, now_ms: u64) {
        let mut documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        documents.put(url.to_owned(), Document { value, read_ms: now_ms });
    }

    /// Have a document read again, unless it was a moment ago; whether it will be.
    pub(crate) fn refresh(&self, url: &str, now_ms: u64) -> bool {
        let mut documents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let old = documents
            .peek(url)
            .is_some_and(|document| now_ms.abs_diff(document.read_ms) >= REFRESH_TIME_MS);
        if old {
            documents.pop(url);
        }
        old
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_have_their_time() {
        let documents = Documents::default();
        let value = Some(Arc::new(Value::Bool(true)));
        assert!(documents.get("a", 0).is_none());
        documents.put("a", value.clone(), 1000);
        documents.put("b", None, 1000);
        assert_eq!(documents.get("a", 1000 + KEEP_TIME_MS - 1), Some(value));
        assert!(documents.get("a", 1000 + KEEP_TIME_MS).is_none());
        assert_eq!(documents.get("b", 5999), Some(None));
        assert!(documents.get("b", 6000).is_none());
        assert!(!documents.refresh("a", 60_999) && documents.refresh("a", 61_000));
        assert!(!documents.refresh("a", 61_000) && documents.get("a", 61_000).is_none());
        for n in 0..100 {
            documents.put(&n.to_string(), None, 0);
        }
        assert!(documents.get("0", 0).is_none() && documents.get("99", 0).is_some());
    }
}
