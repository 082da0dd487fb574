//! What is stored for one target, and which of it answers a request.

use std::sync::Arc;

use super::flight::Round;
use super::key::{Fields, KeyBytes, Query};
use super::policy::Facts;
use super::stored::Stored;
use super::vary::{Names, Values};

/// What is stored for one target.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// The latest is first.
    pub(super) variants: Vec<Arc<Stored>>,
    /// Until when requests do not wait for each other.
    pub(super) pass_until: i64,
}

impl Group {
    pub(super) fn weight(&self, key_len: usize) -> usize {
        let variants: usize = self.variants.iter().map(|stored| stored.weight()).sum();
        // Its place in the table, twice the key's own bytes for the allocator, and what it is.
        size_of::<Self>() + 128 + 2 * key_len + variants
    }

    pub(super) fn find<'a, F: Fields<'a>>(
        &self,
        query: &Query<'a, '_, F>,
        facts: Facts,
    ) -> Option<&Arc<Stored>> {
        let mut known: Option<(&Names, Values)> = None;
        self.variants.iter().find(|stored| {
            if *stored.upstream != *query.upstream
                || facts.is_authorized && !stored.is_for_authorized
            {
                return false;
            }
            if stored.names.is_empty() {
                return true;
            }
            // Mostly, all variants name the same fields.
            match &known {
                Some((names, values)) if **names == stored.names => *values == stored.values,
                _ => {
                    let values = stored.names.values(query.fields.clone());
                    let fits = values == stored.values;
                    known = Some((&stored.names, values));
                    fits
                }
            }
        })
    }
}

impl Stored {
    /// Whether it answers a request with these fields to that upstream.
    pub(super) fn answers<'a>(&self, upstream: &str, fields: impl Fields<'a>) -> bool {
        *self.upstream == *upstream && self.names.values(fields) == self.values
    }
}

/// A request, and what was found out about it.
pub(super) struct Asked<'q, 'a, F> {
    pub(super) query: &'q Query<'a, 'q, F>,
    pub(super) facts: Facts,
    pub(super) is_head: bool,
    pub(super) key: KeyBytes,
    pub(super) hash: u64,
    pub(super) now: i64,
    pub(super) round: Round,
}

impl<'a, F: Fields<'a>> Asked<'_, 'a, F> {
    /// What requests have in common that the same response would answer, as far as is known: what
    /// Vary named last.
    pub(super) fn flight_key(
        &self,
        group: Option<&Arc<Group>>,
        stored: Option<&Arc<Stored>>,
    ) -> Box<[u8]> {
        let upstream = self.query.upstream;
        let latest = || {
            let variants = &group?.variants;
            variants.iter().find(|stored| *stored.upstream == *upstream)
        };
        let values =
            stored.or_else(latest).map(|stored| stored.names.values(self.query.fields.clone()));
        let len = (upstream.len() as u32).to_le_bytes();
        [&self.key[..], &len, upstream.as_bytes(), &values.unwrap_or_default()].concat().into()
    }
}
