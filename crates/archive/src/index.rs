//! The index: entries sorted by name, found by hash, in about 110 bytes each.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::digest::Digest;
use crate::name::is_hidden;
use crate::problem::{Error, Problem, Severity};

/// Most entries one archive may have: positions in the index are 32-bit.
pub(crate) const MAX_ENTRIES: usize = 16_000_000;

/// No such entry, in the places where a record points at another.
pub(crate) const NONE: u32 = u32::MAX;

/// Position of an entry in its index; means nothing in another index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(u32);

impl EntryId {
    /// The position as a number, dense from 0: for tables beside the index.
    pub fn as_u32(self) -> u32 {
        self.0
    }
}

/// Content codings that a precompressed sibling can have, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// `x.br`, RFC 7932.
    Brotli,
    /// `x.zst`, RFC 8878.
    Zstd,
    /// `x.gz`, RFC 1952.
    Gzip,
}

impl Variant {
    /// All of them, in the order in which a tie is decided.
    pub const ALL: [Self; 3] = [Self::Brotli, Self::Zstd, Self::Gzip];

    /// The content coding's registered name.
    pub fn coding(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstd => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// What is appended to the name of the file.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstd => ".zst",
            Self::Gzip => ".gz",
        }
    }
}

/// One entry as kept in memory and, field by field, in a packed index.
#[derive(Clone, Copy)]
pub(crate) struct Record {
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) mtime: i64,
    pub(crate) digest: Digest,
    pub(crate) name_start: u32,
    pub(crate) name_len: u16,
    pub(crate) has_digest: bool,
    /// Entry this one is a link to, or NONE.
    pub(crate) link: u32,
    /// Precompressed siblings in the order of `Variant::ALL`, or NONE.
    pub(crate) variants: [u32; 3],
}

/// An entry, seen through its index.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// Normalised name without a leading slash.
    pub name: &'a str,
    /// Where its data begins in the archive, in bytes; 0 in a directory.
    pub offset: u64,
    /// Bytes of data.
    pub size: u64,
    /// Seconds since 1970.
    pub mtime: i64,
    /// Content hash, when the archive states it.
    pub digest: Option<Digest>,
    /// The entry that this link resolves to.
    pub link: Option<EntryId>,
    variants: [u32; 3],
}

impl Entry<'_> {
    /// The sibling that holds this entry in one content coding.
    pub fn variant(&self, variant: Variant) -> Option<EntryId> {
        let id = self.variants[variant as usize];
        (id != NONE).then_some(EntryId(id))
    }

    /// Whether there is any precompressed sibling: then answers vary by Accept-Encoding.
    pub fn has_variants(&self) -> bool {
        self.variants != [NONE; 3]
    }
}

/// All entries of one archive or directory.
pub struct Index {
    names: Box<[u8]>,
    records: Box<[Record]>,
    /// Positions of the entries that are served, by hash of their names.
    table: HashTable<u32>,
    hasher: RandomState,
}

impl Index {
    /// Take over records sorted by name; pairs siblings with the files they are variants of.
    pub(crate) fn from_sorted(names: Box<[u8]>, records: Box<[Record]>) -> Self {
        let hasher = RandomState::default();
        let mut index = Self { names, records, table: HashTable::new(), hasher };
        let hash_of = |index: &Self, id: u32| index.hasher.hash_one(index.name_bytes(id));
        let mut table = HashTable::with_capacity(index.records.len());
        for id in 0..index.records.len() as u32 {
            if !is_hidden(index.name(id)) {
                table.insert_unique(hash_of(&index, id), id, |&other| hash_of(&index, other));
            }
        }
        index.table = table;
        index.pair_variants();
        index
    }

    fn pair_variants(&mut self) {
        for id in 0..self.records.len() as u32 {
            for variant in Variant::ALL {
                let Some(base) = self.name(id).strip_suffix(variant.suffix()) else { continue };
                if let Some(base) = self.lookup(base)
                    && self.lookup(self.name(id)).is_some()
                {
                    self.records[base.0 as usize].variants[variant as usize] = id;
                }
            }
        }
    }

    /// How many entries there are, hidden ones included.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is no entry at all.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The entry of that name, unless it is hidden.
    pub fn lookup(&self, name: &str) -> Option<EntryId> {
        let hash = self.hasher.hash_one(name.as_bytes());
        let found = self.table.find(hash, |&id| self.name_bytes(id) == name.as_bytes());
        found.map(|&id| EntryId(id))
    }

    /// The entry of that name, hidden or not; slower than [`Index::lookup`].
    pub fn find(&self, name: &str) -> Option<EntryId> {
        let at = self.records.binary_search_by(|record| self.bytes_of(record).cmp(name.as_bytes()));
        at.ok().map(|id| EntryId(id as u32))
    }

    /// The entry at a position that this index gave out.
    pub fn entry(&self, id: EntryId) -> Entry<'_> {
        let record = &self.records[id.0 as usize];
        Entry {
            name: self.name(id.0),
            offset: record.offset,
            size: record.size,
            mtime: record.mtime,
            digest: record.has_digest.then_some(record.digest),
            link: (record.link != NONE).then_some(EntryId(record.link)),
            variants: record.variants,
        }
    }

    /// The entries whose names begin with `prefix`, hidden or not, in byte order.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = EntryId> + 'a {
        let first = self.records.partition_point(|r| self.bytes_of(r) < prefix.as_bytes());
        let ids = (first as u32..self.records.len() as u32).map(EntryId);
        ids.take_while(move |id| self.name(id.0).starts_with(prefix))
    }

    /// Position of the first entry whose name is not before this one.
    pub(crate) fn position(&self, name: &[u8]) -> u32 {
        self.records.partition_point(|record| self.bytes_of(record) < name) as u32
    }

    /// The entry at a position, if there is one.
    pub(crate) fn name_at(&self, at: u32) -> Option<(EntryId, &str)> {
        ((at as usize) < self.records.len()).then(|| (EntryId(at), self.name(at)))
    }

    /// Every entry in byte order of the names.
    pub fn ids(&self) -> impl Iterator<Item = EntryId> + use<> {
        (0..self.records.len() as u32).map(EntryId)
    }

    /// Bytes of memory that the index takes.
    pub fn memory_bytes(&self) -> usize {
        self.names.len()
            + self.records.len() * size_of::<Record>()
            + self.table.capacity() * (size_of::<u32>() + 1)
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(crate) fn names(&self) -> &[u8] {
        &self.names
    }

    fn name(&self, id: u32) -> &str {
        // Every door into the index checks its names; a wrong one finds nothing.
        std::str::from_utf8(self.name_bytes(id)).unwrap_or_default()
    }

    fn name_bytes(&self, id: u32) -> &[u8] {
        self.bytes_of(&self.records[id as usize])
    }

    fn bytes_of(&self, record: &Record) -> &[u8] {
        let start = record.name_start as usize;
        &self.names[start..start + usize::from(record.name_len)]
    }
}

/// Entries on their way into an index, in any order.
#[derive(Default)]
pub(crate) struct Builder {
    names: Vec<u8>,
    drafts: Vec<Draft>,
}

#[derive(Clone, Copy)]
struct Draft {
    record: Record,
    /// Where the entry's header begins: for messages.
    header: u64,
}

/// What a builder is told of one entry.
#[derive(Clone, Copy)]
pub(crate) struct NewRecord<'a> {
    pub(crate) name: &'a str,
    pub(crate) header: u64,
    pub(crate) offset: u64,
    pub(crate) size: u64,
    pub(crate) mtime: i64,
    pub(crate) digest: Option<Digest>,
}

impl Builder {
    pub(crate) fn push(&mut self, new: NewRecord<'_>) -> Result<(), Error> {
        let room = self.drafts.len() < MAX_ENTRIES
            && self.names.len() + new.name.len() <= u32::MAX as usize;
        let name_len = u16::try_from(new.name.len()).ok().filter(|_| room);
        let Some(name_len) = name_len else {
            let message =
                format!("the archive has more than {MAX_ENTRIES} entries or 4 GiB of names");
            return Err(Error::whole(new.header, message));
        };
        let record = Record {
            offset: new.offset,
            size: new.size,
            mtime: new.mtime,
            digest: new.digest.unwrap_or_default(),
            name_start: self.names.len() as u32,
            name_len,
            has_digest: new.digest.is_some(),
            link: NONE,
            variants: [NONE; 3],
        };
        self.names.extend_from_slice(new.name.as_bytes());
        self.drafts.push(Draft { record, header: new.header });
        Ok(())
    }

    /// Sort by name. From here on lookups work and duplicates are adjacent.
    pub(crate) fn sort(&mut self) {
        let names = std::mem::take(&mut self.names);
        let key = |draft: &Draft| {
            let start = draft.record.name_start as usize;
            &names[start..start + usize::from(draft.record.name_len)]
        };
        self.drafts.sort_by(|a, b| key(a).cmp(key(b)).then(a.header.cmp(&b.header)));
        self.names = names;
    }

    /// One problem for every name that an earlier entry has already; call after `sort`.
    pub(crate) fn duplicates(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for pair in self.drafts.windows(2) {
            if self.draft_name(&pair[0]) == self.draft_name(&pair[1]) {
                problems.push(Problem {
                    severity: Severity::Fatal,
                    entry: self.draft_name(&pair[1]).to_owned(),
                    offset: pair[1].header,
                    message: format!("the same name as the entry at offset {}", pair[0].header),
                });
            }
        }
        problems
    }

    pub(crate) fn name(&self, at: usize) -> &str {
        self.draft_name(&self.drafts[at])
    }

    /// Position of a name; call after `sort`.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.drafts.binary_search_by(|draft| self.draft_name(draft).cmp(name)).ok()
    }

    /// Positions of everything below a directory (all, for the empty name); call after `sort`.
    pub(crate) fn below(&self, dir: &str) -> std::ops::Range<usize> {
        if dir.is_empty() {
            return 0..self.drafts.len();
        }
        let prefix = format!("{dir}/");
        let start = self.drafts.partition_point(|draft| self.draft_name(draft) < prefix.as_str());
        let count = self.drafts[start..]
            .partition_point(|draft| self.draft_name(draft).starts_with(&prefix));
        start..start + count
    }

    /// Add links, each a name for the draft at a position, and make the index.
    pub(crate) fn finish(mut self, links: &[LinkTo]) -> Result<Index, Error> {
        let own = self.drafts.len();
        for link in links {
            let draft = self.drafts[link.target];
            self.push(NewRecord {
                name: &link.name,
                header: link.header,
                offset: draft.record.offset,
                size: draft.record.size,
                mtime: draft.record.mtime,
                digest: draft.record.has_digest.then_some(draft.record.digest),
            })?;
        }
        if links.is_empty() {
            let records = self.drafts.iter().map(|draft| draft.record).collect();
            return Ok(Index::from_sorted(self.names.into_boxed_slice(), records));
        }
        self.finish_with_links(own, links)
    }

    fn finish_with_links(self, own: usize, links: &[LinkTo]) -> Result<Index, Error> {
        let mut order: Vec<u32> = (0..self.drafts.len() as u32).collect();
        order.sort_by(|&a, &b| self.name(a as usize).cmp(self.name(b as usize)));
        for pair in order.windows(2) {
            let (first, second) = (pair[0] as usize, pair[1] as usize);
            if self.name(first) == self.name(second) {
                return Err(Error::Refused(Problem {
                    severity: Severity::Fatal,
                    entry: self.name(second).to_owned(),
                    offset: self.drafts[second].header,
                    message: format!(
                        "the same name as the entry at offset {}",
                        self.drafts[first].header
                    ),
                }));
            }
        }
        let mut new_position = vec![0u32; order.len()];
        for (new, &old) in order.iter().enumerate() {
            new_position[old as usize] = new as u32;
        }
        let records = order.iter().map(|&old| {
            let mut record = self.drafts[old as usize].record;
            if let Some(link) = (old as usize).checked_sub(own).and_then(|at| links.get(at)) {
                record.link = new_position[link.target];
            }
            record
        });
        let records: Box<[Record]> = records.collect();
        Ok(Index::from_sorted(self.names.into_boxed_slice(), records))
    }

    fn draft_name(&self, draft: &Draft) -> &str {
        let start = draft.record.name_start as usize;
        let bytes = &self.names[start..start + usize::from(draft.record.name_len)];
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

/// A link resolved to the draft it stands for.
pub(crate) struct LinkTo {
    pub(crate) name: String,
    pub(crate) header: u64,
    pub(crate) target: usize,
}
