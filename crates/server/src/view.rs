//! A worker's own view of the site: the generation in force and what it used lately, so that a
//! request for a popular file touches no memory that other workers write.

use std::cell::{Cell, Ref, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::Arc;

use zeroserve_host::Patterns;
use zeroserve_vm::Instance;

use crate::pipeline;
use crate::representation::{Key, Representation};
use crate::site::{Answered, Generation, Site};

/// A representation held by one worker.
pub type Local = Rc<Arc<Representation>>;

/// A generation held by one worker: a request takes and drops it without a word to the others.
pub type LocalGeneration = Rc<Arc<Generation>>;

/// Slots of a worker's own table.
const SLOTS: usize = 128;

/// Largest body that a slot keeps alive: 8 MiB per worker at most, outside of the cache's budget.
const MAX_HELD_BYTES: u64 = 64 * 1024;

/// Instances kept of each script: as many requests as wait in the middle of it at a time.
const SPARE_INSTANCES: usize = 32;

/// What a load ended with, for the request that waited for it.
pub struct Loaded {
    generation: u64,
    key: Key,
    result: Result<Local, io::ErrorKind>,
}

/// A representation that has to be loaded before a request can be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing(pub Key);

type Slot = Option<(u32, Local)>;

/// A worker's view of its site.
pub struct View {
    site: Arc<Site>,
    /// What this worker has answered for the site.
    answered: Arc<Answered>,
    number: Cell<u64>,
    generation: RefCell<LocalGeneration>,
    slots: RefCell<Box<[Slot]>>,
    /// For each script of the generation, instances that wait for their next run.
    #[allow(clippy::vec_box)] // taken and given as pointers: moving one would cost more
    instances: RefCell<Vec<Vec<Box<Instance>>>>,
    /// For each script, an own copy of its patterns: memory for searching is not shared.
    patterns: RefCell<Vec<Option<Arc<Patterns>>>>,
    /// A buffer for names that are looked up.
    name: Cell<String>,
}

impl View {
    /// See the generation that is in force now.
    pub fn new(site: Arc<Site>) -> Self {
        let generation = Rc::new(site.current());
        let answered = site.join();
        Self::make(site, generation, answered)
    }

    /// See one generation, whatever is in force by now.
    pub fn of(&self, generation: LocalGeneration) -> Self {
        Self::make(Arc::clone(&self.site), generation, Arc::clone(&self.answered))
    }

    fn make(site: Arc<Site>, generation: LocalGeneration, answered: Arc<Answered>) -> Self {
        let slots = (0..SLOTS).map(|_| None).collect();
        Self {
            number: Cell::new(generation.number),
            generation: RefCell::new(generation),
            slots: RefCell::new(slots),
            instances: RefCell::default(),
            patterns: RefCell::default(),
            name: Cell::default(),
            site,
            answered,
        }
    }

    /// Count an answer.
    pub fn count(&self, status: u16) {
        let class = (status / 100).checked_sub(2).map(usize::from);
        if let Some(counter) = class.and_then(|class| self.answered.0.get(class)) {
            counter.add(1);
        }
    }

    /// Notice a reload, and let go of the old generation.
    pub fn refresh(&self) {
        if self.site.number() != self.number.get() {
            let generation = self.site.current();
            self.number.set(generation.number);
            self.slots.borrow_mut().fill_with(|| None);
            self.instances.borrow_mut().clear();
            self.patterns.borrow_mut().clear();
            self.generation.replace(Rc::new(generation));
        }
    }

    /// The site itself.
    pub fn site(&self) -> &Arc<Site> {
        &self.site
    }

    /// Number of the generation seen at the last refresh.
    pub fn number(&self) -> u64 {
        self.number.get()
    }

    /// The generation, if it has scripts.
    pub fn scripted(&self) -> Option<LocalGeneration> {
        let generation = self.generation.borrow();
        generation.scripts.is_some().then(|| Rc::clone(&generation))
    }

    /// An instance of a script that has run before.
    pub fn take_instance(&self, generation: u64, script: usize) -> Option<Box<Instance>> {
        if generation != self.number.get() {
            return None;
        }
        self.instances.borrow_mut().get_mut(script)?.pop()
    }

    /// Keep an instance for its next run; it is as new from here on.
    pub fn give_instance(&self, generation: u64, script: usize, mut instance: Box<Instance>) {
        if generation != self.number.get() {
            return;
        }
        let mut instances = self.instances.borrow_mut();
        if instances.len() <= script {
            instances.resize_with(script + 1, Vec::new);
        }
        if instances[script].len() < SPARE_INSTANCES {
            instance.reset();
            instances[script].push(instance);
        }
    }

    /// This worker's copy of the patterns of a script.
    pub fn patterns(
        &self,
        generation: u64,
        script: usize,
        shared: &Arc<Patterns>,
    ) -> Arc<Patterns> {
        if generation != self.number.get() {
            return Arc::clone(shared);
        }
        let mut patterns = self.patterns.borrow_mut();
        if patterns.len() <= script {
            patterns.resize(script + 1, None);
        }
        Arc::clone(patterns[script].get_or_insert_with(|| Arc::new(Patterns::clone(shared))))
    }

    /// Whether a path, decoded, names anything in a generation.
    pub fn is_there(&self, generation: &Generation, path: &str) -> bool {
        let mut name = self.name.take();
        let found = pipeline::is_there(generation, path, &mut name);
        self.name.set(name);
        found
    }

    /// The generation seen at the last refresh.
    pub fn generation(&self) -> Ref<'_, LocalGeneration> {
        self.generation.borrow()
    }

    /// A representation, if it is at hand and still true.
    ///
    /// `loaded` is all that this request already waited for; it is taken as it came, so that every
    /// request is answered after at most one load for each representation it needs.
    pub fn get(
        &self,
        key: Key,
        now_s: i64,
        loaded: &[Loaded],
    ) -> Result<Result<Local, io::ErrorKind>, Missing> {
        let generation = self.number.get();
        if let Some(loaded) = loaded.iter().find(|l| l.key == key && l.generation == generation) {
            return Ok(loaded.result.clone());
        }
        let number = key.as_u32();
        let mut slots = self.slots.borrow_mut();
        // The low bits say whose bytes are sent and are mostly zero.
        let slot = &mut slots[(number ^ number >> 3) as usize % SLOTS];
        if let Some((held, local)) = slot
            && *held == number
            && !local.is_stale(now_s)
        {
            return Ok(Ok(Rc::clone(local)));
        }
        let shared = self.generation.borrow().cached(key).filter(|shared| !shared.is_stale(now_s));
        let local = Rc::new(shared.ok_or(Missing(key))?);
        if local.size() <= MAX_HELD_BYTES || local.body.is_none() {
            *slot = Some((number, Rc::clone(&local)));
        }
        Ok(Ok(local))
    }

    /// Load what was missing in a generation; large content is hashed on another thread.
    pub async fn load(generation: Arc<Generation>, Missing(key): Missing, now_s: i64) -> Loaded {
        let number = generation.number;
        if let Some(stale) = generation.cached(key)
            && stale.revalidate(&generation.archive, key, now_s)
        {
            return Loaded { generation: number, key, result: Ok(Rc::new(stale)) };
        }
        let result = if Representation::is_slow_to_load(&generation.archive, key) {
            let generation = Arc::clone(&generation);
            let load = move || Representation::load(&generation.archive, key, now_s);
            tokio::task::spawn_blocking(load)
                .await
                .unwrap_or_else(|_| Err(io::Error::other("the task that loads it failed")))
        } else {
            Representation::load(&generation.archive, key, now_s)
        };
        let result = result.map(Arc::new).map_err(|error| error.kind());
        if let Ok(representation) = &result {
            generation.keep(key, representation);
        }
        Loaded { generation: number, key, result: result.map(Rc::new) }
    }
}
