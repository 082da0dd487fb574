//! An exchange, an instance and a world to call helpers in.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use zeroserve_host::{
    Documents, Exchange, FileMetadata, Incoming, Outcome, Patterns, RateLimiter, Tables, Tls,
    World, rows, table,
};
use zeroserve_vm::{Engine, Instance, Program};

thread_local! {
    /// Helpers that gave a value other than -1 in this thread.
    pub(crate) static EXERCISED: RefCell<BTreeSet<&'static str>> = RefCell::default();
}

/// An argument, or two.
pub(crate) enum Arg {
    /// A number.
    N(u64),
    /// A pointer to a copy, and its length.
    Bytes(Vec<u8>),
    /// A pointer to a copy.
    Pointer(Vec<u8>),
}

impl From<&str> for Arg {
    fn from(text: &str) -> Self {
        Self::Bytes(text.into())
    }
}

impl From<&[u8]> for Arg {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<u64> for Arg {
    fn from(number: u64) -> Self {
        Self::N(number)
    }
}

impl From<i64> for Arg {
    fn from(number: i64) -> Self {
        Self::N(number as u64)
    }
}

impl From<i32> for Arg {
    fn from(number: i32) -> Self {
        Self::N(i64::from(number) as u64)
    }
}

/// Call a helper; -1 and other numbers as signed.
macro_rules! call {
    ($rig:expr, $name:literal $(, $arg:expr)* $(,)?) => {
        $rig.value($name, vec![$($crate::rig::Arg::from($arg)),*])
    };
}

/// Call a helper that gives text back in its last two arguments.
macro_rules! text {
    ($rig:expr, $name:literal $(, $arg:expr)* $(,)?) => {
        $rig.text($name, || vec![$($crate::rig::Arg::from($arg)),*])
    };
}

pub(crate) use {call, text};

/// A world that is known.
pub(crate) struct Fake {
    pub(crate) now_ms: Cell<u64>,
    pub(crate) log: RefCell<Vec<String>>,
    pub(crate) limiter: RateLimiter,
    pub(crate) tables: Tables,
    pub(crate) documents: Documents,
    pub(crate) patterns: Arc<Patterns>,
    pub(crate) files: HashMap<&'static str, &'static str>,
}

impl World for Fake {
    fn now_ms(&self) -> u64 {
        self.now_ms.get()
    }

    fn fill_random(&self, out: &mut [u8]) {
        out.fill(0xa5);
    }

    fn env(&self, name: &str) -> Option<String> {
        ["COLOUR", "abcdefgh"].contains(&name).then(|| "mauve".into())
    }

    fn log(&self, script: &str, message: &str) {
        self.log.borrow_mut().push(format!("{script}: {message}"));
    }

    fn now_ns(&self) -> u64 {
        self.now_ms.get() * 1_000_000 + 456_789
    }

    fn monotonic_ns(&self) -> u64 {
        12_345
    }

    fn tables(&self) -> &Tables {
        &self.tables
    }

    fn documents(&self) -> &Documents {
        &self.documents
    }

    fn patterns(&self) -> Arc<Patterns> {
        Arc::clone(&self.patterns)
    }

    fn limiter(&self) -> &RateLimiter {
        &self.limiter
    }

    fn file(&self, path: &str, max_bytes: u64) -> Option<Vec<u8>> {
        let text = self.files.get(path)?;
        (text.len() as u64 <= max_bytes).then(|| text.as_bytes().to_vec())
    }

    fn file_metadata(&self, path: &str) -> Option<FileMetadata> {
        let size = self.files.get(path)?.len() as u64;
        Some(FileMetadata { size, etag: "\"abc\"".into(), mtime: 1_700_000_000 })
    }

    fn is_right(&self, password: &[u8], _hash: &str) -> bool {
        password == b"remembered"
    }

    fn is_there(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    fn version(&self) -> &str {
        "1.2.3"
    }
}

/// Everything that a call needs.
pub(crate) struct Rig {
    pub(crate) exchange: Exchange,
    pub(crate) instance: Instance,
    pub(crate) world: Fake,
    /// Where the next copy goes.
    free: u64,
}

pub(crate) const HEADERS: [(&str, &[u8]); 4] =
    [("Host", b"example.org"), ("Accept", b"text/html"), ("X-Twice", b"one"), ("x-twice", b"two")];

pub(crate) fn incoming<'a>() -> Incoming<'a> {
    Incoming {
        method: "GET",
        target: "/a%20b/../c?x=1&y=a+b%21&x=2&flag",
        scheme: "https",
        peer: "192.0.2.7:5000",
        version: (1, 1),
        tls: Some(Tls {
            handshake_complete: true,
            alpn: Some("h2"),
            sni_inner: Some("inner.example"),
            sni_outer: Some("outer.example"),
            ech: Some(true),
            ja4: Some("t13d1516h2_8daaf6152771_02713d6af862"),
        }),
    }
}

impl Rig {
    pub(crate) fn new() -> Self {
        let mut exchange = Exchange::default();
        exchange.begin(&incoming(), HEADERS);
        exchange.start("main");
        // mov r0, 0; exit
        let code = [[0xb7, 0, 0, 0, 0, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]].concat();
        let program =
            Program::from_instructions(&code, Arc::new(table()), Engine::Interpreted).unwrap();
        let mut instance = Instance::new(Arc::new(program)).unwrap();
        // On the stack, which no run uses; the heap is for what helpers make, and for long copies.
        let free = instance.memory().layout().stack.into();
        let world = Fake {
            now_ms: Cell::new(1_700_000_000_123),
            log: RefCell::default(),
            limiter: RateLimiter::default(),
            tables: Tables::default(),
            documents: Documents::default(),
            patterns: Arc::default(),
            files: HashMap::from([("data/x.json", "{\"a\":[1]}"), ("bad.json", "{")]),
        };
        Self { exchange, instance, world, free }
    }

    /// Where the next copy goes, to go back to.
    pub(crate) fn mark(&self) -> u64 {
        self.free
    }

    /// Forget the copies since.
    pub(crate) fn rewind(&mut self, mark: u64) {
        self.free = mark;
    }

    /// Guest memory of so many bytes.
    pub(crate) fn room(&mut self, len: usize) -> u64 {
        let address = self.free;
        self.free += (len as u64).next_multiple_of(8) + 8;
        assert!(self.free <= self.instance.memory().layout().end.into());
        address
    }

    /// Guest memory with a copy.
    pub(crate) fn put(&mut self, bytes: &[u8]) -> u64 {
        let address = self.room(bytes.len());
        self.instance.memory().write(address, bytes.len() as u64).unwrap().copy_from_slice(bytes);
        address
    }

    pub(crate) fn read(&mut self, address: u64, len: u64) -> Vec<u8> {
        self.instance.memory().read(address, len).unwrap().to_vec()
    }

    /// Call with numbers.
    pub(crate) fn raw(&mut self, name: &str, args: [u64; 5]) -> Outcome {
        let row = rows().find(|row| row.name == name).unwrap();
        let Self { exchange, instance, world, .. } = self;
        let outcome = zeroserve_host::call(row.number, args, exchange, instance, world);
        if !matches!(outcome, Outcome::Value(u64::MAX) | Outcome::Trap(_)) {
            EXERCISED.with_borrow_mut(|names| names.insert(row.name));
        }
        outcome
    }

    pub(crate) fn outcome(&mut self, name: &str, args: Vec<Arg>) -> Outcome {
        let free = self.free;
        let mut numbers = Vec::new();
        for arg in args {
            match arg {
                Arg::N(number) => numbers.push(number),
                Arg::Pointer(bytes) => numbers.push(self.put(&bytes)),
                Arg::Bytes(bytes) => numbers.extend([self.put(&bytes), bytes.len() as u64]),
            }
        }
        let row = rows().find(|row| row.name == name).unwrap();
        assert_eq!(numbers.len(), usize::from(row.arity), "arguments of {name}");
        let mut args = [0; 5];
        args[..numbers.len()].copy_from_slice(&numbers);
        let outcome = self.raw(name, args);
        self.free = free;
        outcome
    }

    pub(crate) fn value(&mut self, name: &str, args: Vec<Arg>) -> i64 {
        match self.outcome(name, args) {
            Outcome::Value(value) => value as i64,
            other => panic!("{name}: {other:?}"),
        }
    }

    /// The text that a helper gives back, if it does: whole, cut, and its length alone.
    pub(crate) fn text(&mut self, name: &str, args: impl Fn() -> Vec<Arg>) -> Option<String> {
        let with = |rig: &mut Self, out: u64, len: u64| {
            let mut args = args();
            args.extend([Arg::N(out), Arg::N(len)]);
            rig.value(name, args)
        };
        let len = with(self, 0, 0);
        let out = self.room(1000);
        let free = self.free;
        let mut result = None;
        for room in [1000, 3] {
            self.instance.memory().write(out, 1000).unwrap().fill(0xee);
            assert_eq!(with(self, out, room), len, "{name}");
            let bytes = self.read(out, 1000);
            if len < 0 {
                assert!(bytes.iter().all(|&byte| byte == 0xee), "{name}");
                continue;
            }
            let end = (len as usize).min(room as usize - 1);
            assert_eq!(bytes[end], 0, "{name}");
            assert!(bytes[end + 1..].iter().all(|&byte| byte == 0xee), "{name}");
            let text = String::from_utf8(bytes[..end].to_vec()).unwrap();
            assert!(result.as_ref().is_none_or(|whole: &String| whole.starts_with(&text)));
            result.get_or_insert(text);
        }
        self.free = free;
        result
    }

    /// Give a JSON value a handle.
    pub(crate) fn json(&mut self, text: &str) -> i64 {
        let handle = call!(self, "zs_json_parse", text);
        assert!(handle > 0, "{text}");
        handle
    }

    /// The value that a handle names.
    pub(crate) fn shown(&mut self, handle: i64) -> String {
        assert_eq!(call!(self, "zs_json_respond", 200, handle), 0);
        match self.exchange.take_answer() {
            Some(zeroserve_host::Answer::Respond { body, .. }) => String::from_utf8(body).unwrap(),
            other => panic!("{other:?}"),
        }
    }
}
