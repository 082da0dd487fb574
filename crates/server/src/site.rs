//! A site and its generations: what is served now, swapped whole and at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::Notify;
use zeroserve_archive::{Archive, Error};
use zeroserve_host::RateLimiter;

use crate::representation::{Key, Representation};
use crate::scripts::{Object, Scripts};

/// How names are found.
#[derive(Clone, Debug)]
pub struct SiteOptions {
    /// Document that stands for a directory.
    pub index: String,
    /// Whether `/page` may mean `page.html`.
    pub try_html: bool,
    /// Budget of the cache in bytes.
    pub max_cache_bytes: u64,
}

/// Guess of how many representations the cache holds, to size its tables: most are a few KiB.
const CACHE_ITEMS_GUESS: usize = 1024;

/// One opened archive with everything derived from it.
pub struct Generation {
    /// Counted from 1.
    pub number: u64,
    /// Its bytes.
    pub archive: Archive,
    /// How names are found.
    pub options: SiteOptions,
    /// What runs on each request; `None` costs nothing.
    pub scripts: Option<Scripts>,
    cache: Cache<u32, Arc<Representation>, Weight>,
}

#[derive(Clone)]
struct Weight;

impl Weighter<u32, Arc<Representation>> for Weight {
    fn weight(&self, _: &u32, representation: &Arc<Representation>) -> u64 {
        representation.weight()
    }
}

impl Generation {
    fn new(
        number: u64,
        archive: Archive,
        options: SiteOptions,
        plugins: &[Object],
    ) -> Result<Self, Error> {
        let scripts = Scripts::load(&archive, plugins)?;
        let cache = Cache::with_weighter(CACHE_ITEMS_GUESS, options.max_cache_bytes, Weight);
        Ok(Self { number, archive, options, scripts, cache })
    }

    /// A representation from the shared cache.
    pub fn cached(&self, key: Key) -> Option<Arc<Representation>> {
        self.cache.get(&key.as_u32())
    }

    /// Put a representation into the shared cache.
    pub fn keep(&self, key: Key, representation: &Arc<Representation>) {
        self.cache.insert(key.as_u32(), Arc::clone(representation));
    }
}

/// A lone script is a site without files.
fn open(path: &Path) -> Result<Archive, Error> {
    let script = path.extension().is_some_and(|ext| ext == "c" || ext == "o" || ext == "py");
    if script && path.is_file() { Ok(Archive::empty()) } else { Archive::open(path) }
}

/// A path that is served, and the generation of it that is in force.
pub struct Site {
    path: PathBuf,
    options: SiteOptions,
    current: ArcSwap<Generation>,
    /// Last generation in force; also says to workers that theirs is old.
    number: AtomicU64,
    /// How often clients may come, whichever generation and worker they meet.
    pub limiter: RateLimiter,
    /// Wakes workers without connections, so that they let go of an old generation too.
    pub reloaded: Notify,
}

impl Site {
    /// Open the first generation. `plugins` run before the scripts of the archive.
    pub fn open(path: PathBuf, options: SiteOptions, plugins: &[Object]) -> Result<Self, Error> {
        let archive = open(&path)?;
        let first = Generation::new(1, archive, options.clone(), plugins)?;
        Ok(Self {
            path,
            options,
            current: ArcSwap::from_pointee(first),
            number: AtomicU64::new(1),
            limiter: RateLimiter::default(),
            reloaded: Notify::new(),
        })
    }

    /// Open the path anew and swap it in. Calls must not overlap.
    pub fn reload(&self, plugins: &[Object]) -> Result<u64, Error> {
        let archive = open(&self.path)?;
        let number = self.number() + 1;
        let next = Generation::new(number, archive, self.options.clone(), plugins)?;
        self.current.store(Arc::new(next));
        self.number.store(number, Ordering::Release);
        self.reloaded.notify_waiters();
        Ok(number)
    }

    /// What is served.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of the generation in force.
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// The generation in force.
    pub fn current(&self) -> Arc<Generation> {
        self.current.load_full()
    }
}
