//! A site and its generations: what is served now, swapped whole and at once.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use arc_swap::{ArcSwap, ArcSwapOption};
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use zeroserve_archive::{Archive, ContentHasher, Digest, Error};
use zeroserve_host::{Documents, RateLimiter, Tables};
use zeroserve_vm::Engine;

use crate::fetching::FetchRules;
use crate::limits::Limits;
use crate::pools::{self, Beside, Pools};
use crate::representation::{Key, Representation};
use crate::scripts::{Object, Scripts};
use crate::sites::Bell;
use crate::stats::Counter;

/// How names are found.
#[derive(Clone, Debug)]
pub struct SiteOptions {
    /// Document that stands for a directory.
    pub index: String,
    /// Whether `/page` may mean `page.html`.
    pub try_html: bool,
    /// Budget of the cache in bytes.
    pub max_cache_bytes: u64,
    /// Earlier generations that stay open for roll back.
    pub keep_generations: usize,
    /// What runs scripts.
    pub engine: Engine,
    /// Whether browsers on this machine hear of changes of a directory.
    pub live: bool,
    /// The upstream that answers what the site does not have, as scripts name upstreams.
    pub fallback: Fallback,
}

/// Who answers what sites do not have. It may change while they are served.
#[derive(Clone, Debug, Default)]
pub struct Fallback(Arc<ArcSwapOption<String>>);

impl Fallback {
    /// The upstream in force, as scripts name upstreams.
    pub fn get(&self) -> Option<Arc<String>> {
        self.0.load_full()
    }

    /// Have another one, or none, for the next requests.
    pub fn set(&self, url: Option<String>) {
        self.0.store(url.map(Arc::new));
    }

    /// Whether there is one.
    pub fn is_some(&self) -> bool {
        self.0.load().is_some()
    }
}

impl Default for SiteOptions {
    fn default() -> Self {
        Self {
            index: "index.html".to_owned(),
            try_html: false,
            max_cache_bytes: Limits::default().max_cache_bytes,
            keep_generations: 0,
            engine: Engine::Compiled,
            live: false,
            fallback: Fallback::default(),
        }
    }
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
    /// Upstreams that its configuration names.
    pub pools: Pools,
    /// Which servers its scripts may ask by its own word.
    pub fetch: FetchRules,
    /// When it was opened.
    pub loaded_at: SystemTime,
    /// Whether browsers on this machine hear of changes.
    pub live: bool,
    /// Of the scripts that did not come with the archive.
    plugins: Digest,
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
        (archive, in_place): (Archive, bool),
        options: SiteOptions,
        beside: &Beside<'_>,
        previous: Option<&Pools>,
    ) -> Result<Self, Error> {
        let plugins = beside.plugins;
        let scripts = Scripts::load(&archive, plugins, options.engine)?;
        let pools::Settings { pools, fetch } = pools::settings(&archive, beside)?;
        let (pools, fetch) = (Pools::new(pools, previous), fetch.of_site());
        let cache = Cache::with_weighter(CACHE_ITEMS_GUESS, options.max_cache_bytes, Weight);
        let loaded_at = SystemTime::now();
        let plugins = digest(plugins);
        let live = options.live && in_place;
        Ok(Self {
            number,
            archive,
            options,
            scripts,
            pools,
            fetch,
            loaded_at,
            live,
            plugins,
            cache,
        })
    }

    /// Whether it will be worth going back to from that one: still what it was, and another.
    fn is_worth_keeping(&self, next: &Self) -> bool {
        let same = self.archive.is_same(&next.archive);
        let same = same && (self.archive.is_directory() || self.plugins == next.plugins);
        !same && self.archive.is_intact()
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

fn since_1970_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as u64)
}

fn digest(plugins: &[Object]) -> Digest {
    let mut hasher = ContentHasher::new();
    for Object { name, bytes } in plugins {
        for part in [name.as_bytes(), bytes] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    hasher.digest()
}

/// A site, and whether it is changed in place. A lone script is a site without files.
fn open(path: &Path) -> Result<(Archive, bool), Error> {
    let script = path.extension().is_some_and(|ext| ext == "c" || ext == "o" || ext == "py");
    if script && path.is_file() {
        return Ok((Archive::empty(), true));
    }
    let archive = Archive::open(path)?;
    let in_place = archive.is_directory();
    Ok((archive, in_place))
}

/// Generations that were in force before, so that one of them can be again.
#[derive(Default)]
struct Earlier {
    /// The latest is last.
    kept: VecDeque<Arc<Generation>>,
    /// Highest number ever given.
    highest: u64,
}

/// Why there is no going back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRollback {
    /// Another generation is in force than the one that was to be taken back.
    Moved(u64),
    /// No earlier generation is kept.
    NoneKept,
    /// None is kept because files of a directory have no earlier state.
    Directory,
}

impl NoRollback {
    /// For the person who asked.
    pub fn explain(self) -> String {
        match self {
            Self::Moved(number) => format!("generation {number} is in force by now"),
            Self::NoneKept => "no earlier generation is kept".to_owned(),
            Self::Directory => {
                "no earlier generation is kept: the files of a directory change in place".to_owned()
            }
        }
    }
}

/// A path that is served, and the generation of it that is in force.
pub struct Site {
    path: PathBuf,
    options: SiteOptions,
    current: ArcSwap<Generation>,
    /// The generation in force; also says to workers that theirs is another.
    number: AtomicU64,
    earlier: Mutex<Earlier>,
    /// How often clients may come, whichever generation and worker they meet.
    pub limiter: RateLimiter,
    /// What identity providers publish.
    pub documents: Documents,
    /// What scripts keep from request to request.
    pub tables: Tables,
    /// What it is called in metrics and by operators.
    pub name: String,
    /// Of this process, no other site has it.
    pub id: u64,
    /// Reloads that put a new generation in force.
    pub reloads_ok: AtomicU64,
    /// Reloads that were refused.
    pub reloads_failed: AtomicU64,
    /// Roll backs that put an earlier generation in force.
    pub rollbacks: AtomicU64,
    /// Tells workers, also those without connections, to let go of an old generation.
    bell: Arc<Bell>,
    /// What each worker has answered.
    answered: Mutex<Vec<Arc<Answered>>>,
    /// Another one with each change that a browser may want to hear of; never one of a server that
    /// ran before.
    version: AtomicU64,
    /// A page that says why the last state was refused.
    failure: ArcSwapOption<String>,
}

/// What one worker has answered for a site: responses by the first digit of their status, 2xx to
/// 5xx.
#[derive(Default)]
pub struct Answered(pub [Counter; 4]);

/// How many sites there have been.
static SITES: AtomicU64 = AtomicU64::new(1);

/// What a site is called that has no host: the last part of its path.
pub(crate) fn name_of(path: &Path) -> String {
    // A path like `.` or `..` has no last part of its own.
    let own = path.file_name().map(|name| name.to_string_lossy().into_owned());
    own.unwrap_or_else(|| path.display().to_string())
}

impl Site {
    /// Open the first generation. `plugins` run before the scripts of the archive.
    pub fn open(path: PathBuf, options: SiteOptions, plugins: &[Object]) -> Result<Self, Error> {
        let beside = Beside { plugins, configure: None };
        Self::open_beside(path, options, &beside)
    }

    /// The same with all that goes beside it.
    pub fn open_beside(
        path: PathBuf,
        options: SiteOptions,
        beside: &Beside<'_>,
    ) -> Result<Self, Error> {
        Self::open_as(name_of(&path), path, options, beside, Arc::default())
    }

    /// The same by a name, for those who hear a bell.
    pub fn open_as(
        name: String,
        path: PathBuf,
        options: SiteOptions,
        beside: &Beside<'_>,
        bell: Arc<Bell>,
    ) -> Result<Self, Error> {
        let archive = open(&path)?;
        let first = Generation::new(1, archive, options.clone(), beside, None)?;
        Ok(Self {
            name,
            id: SITES.fetch_add(1, Ordering::Relaxed),
            bell,
            reloads_ok: AtomicU64::new(0),
            reloads_failed: AtomicU64::new(0),
            rollbacks: AtomicU64::new(0),
            answered: Mutex::default(),
            version: AtomicU64::new(since_1970_ms()),
            failure: ArcSwapOption::empty(),
            path,
            options,
            current: ArcSwap::from_pointee(first),
            number: AtomicU64::new(1),
            earlier: Mutex::new(Earlier { kept: VecDeque::new(), highest: 1 }),
            limiter: RateLimiter::default(),
            documents: Documents::default(),
            tables: Tables::default(),
        })
    }

    /// What is rung when another generation is put in force.
    pub fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// The counters of one more worker.
    pub fn join(&self) -> Arc<Answered> {
        let answered = Arc::<Answered>::default();
        let mut all = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(Arc::clone(&answered));
        answered
    }

    /// What all workers have answered, by the first digit of the status, 2xx to 5xx.
    pub fn responses(&self) -> [u64; 4] {
        let all = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        std::array::from_fn(|class| all.iter().map(|one| one.0[class].get()).sum())
    }

    /// Open the path anew and swap it in. Calls must not overlap.
    pub fn reload(&self, beside: &Beside<'_>) -> Result<u64, Error> {
        let reloaded = self.try_reload(beside);
        let counter = if reloaded.is_ok() { &self.reloads_ok } else { &self.reloads_failed };
        counter.fetch_add(1, Ordering::Relaxed);
        reloaded
    }

    fn try_reload(&self, beside: &Beside<'_>) -> Result<u64, Error> {
        let archive = open(&self.path)?;
        let number = self.earlier().highest + 1;
        let (options, before) = (self.options.clone(), self.current());
        let next = Generation::new(number, archive, options, beside, Some(&before.pools))?;
        drop(before);
        let mut earlier = self.earlier();
        earlier.highest = number;
        let before = self.put_in_force(Arc::new(next));
        // Its cache would be no use before it is in force again.
        before.cache.clear();
        if before.is_worth_keeping(&self.current()) {
            earlier.kept.push_back(before);
        }
        let excess = earlier.kept.len().saturating_sub(self.options.keep_generations);
        let dropped: Vec<_> = earlier.kept.drain(..excess).collect();
        drop(earlier);
        drop(dropped);
        Ok(number)
    }

    /// Put the generation before in force again, if the one in force is `seen`; nothing is read
    /// from disk. One whose archive was written over meanwhile is passed over.
    pub fn rollback(&self, seen: Option<u64>) -> Result<u64, NoRollback> {
        let mut earlier = self.earlier();
        let number = self.number();
        if seen.is_some_and(|seen| seen != number) {
            return Err(NoRollback::Moved(number));
        }
        while let Some(generation) = earlier.kept.pop_back() {
            if generation.archive.is_intact() {
                let number = generation.number;
                self.put_in_force(generation);
                self.rollbacks.fetch_add(1, Ordering::Relaxed);
                return Ok(number);
            }
        }
        let directory = self.current().archive.is_directory();
        Err(if directory { NoRollback::Directory } else { NoRollback::NoneKept })
    }

    /// Generations that roll back can go to, the latest last.
    pub fn kept(&self) -> Vec<Arc<Generation>> {
        self.earlier().kept.iter().cloned().collect()
    }

    /// Returns the one that was in force; the lock on `earlier` is held meanwhile.
    fn put_in_force(&self, generation: Arc<Generation>) -> Arc<Generation> {
        let number = generation.number;
        let before = self.current.swap(generation);
        self.number.store(number, Ordering::Release);
        self.failure.store(None);
        self.version.fetch_add(1, Ordering::Release);
        self.bell.ring();
        before
    }

    /// What a browser compares to know whether there is something new.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Why the last state was refused, as a page; `None` when it was not.
    pub fn failure(&self) -> Option<Arc<String>> {
        self.failure.load_full()
    }

    /// Show this page to browsers on this machine until a state is not refused.
    pub fn fail(&self, page: String) {
        self.failure.store(Some(Arc::new(page)));
        self.version.fetch_add(1, Ordering::Release);
        self.bell.ring();
    }

    fn earlier(&self) -> MutexGuard<'_, Earlier> {
        // What a panic leaves behind is whole: each change is one call.
        self.earlier.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is served.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of the generation in force.
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    /// Whether a path of the generation in force, decoded, names anything.
    pub fn has(&self, path: &str) -> bool {
        crate::pipeline::is_there(&self.current(), path, &mut String::new())
    }

    /// The generation in force.
    pub fn current(&self) -> Arc<Generation> {
        self.current.load_full()
    }
}
