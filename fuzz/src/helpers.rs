//! Helpers called with anything, as an object may that no compiler of ours made.

use std::sync::Arc;
use std::time::{Duration, Instant};

use zeroserve_host::{
    Body, Documents, Exchange, FileMetadata, Incoming, Outcome, Patterns, RateLimiter, Tables,
    World, rows, table,
};
use zeroserve_vm::{Engine, Instance, Program};

/// Most calls of one input.
const CALLS: usize = 64;

/// Far above what any one call may take, on a machine that does other things too.
const TOO_LONG: Duration = Duration::from_secs(5);

struct Fake {
    limiter: RateLimiter,
    tables: Tables,
    documents: Documents,
    patterns: Arc<Patterns>,
}

impl World for Fake {
    fn now_ms(&self) -> u64 {
        1_700_000_000_123
    }

    fn now_ns(&self) -> u64 {
        1_700_000_000_123_456_789
    }

    fn monotonic_ns(&self) -> u64 {
        12_345
    }

    fn fill_random(&self, out: &mut [u8]) {
        out.fill(0xa5);
    }

    fn env(&self, name: &str) -> Option<String> {
        (name.len() == 1).then(|| "mauve".into())
    }

    fn log(&self, _: &str, message: &str) {
        assert!(!message.contains(char::is_control), "{message:?}");
    }

    fn limiter(&self) -> &RateLimiter {
        &self.limiter
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

    fn file(&self, path: &str, _: u64) -> Option<Vec<u8>> {
        (path.len() == 1).then(|| b"{\"a\":[1]}".to_vec())
    }

    fn file_metadata(&self, _: &str) -> Option<FileMetadata> {
        None
    }

    fn is_there(&self, path: &str) -> bool {
        path.len() == 1
    }

    fn is_right(&self, password: &[u8], _: &str) -> bool {
        password.len() == 1
    }

    fn version(&self) -> &str {
        "1"
    }
}

/// Two patterns, as an object has them.
fn patterns() -> Patterns {
    let texts = [r"(\w+)-(\d*)", "x*|(a)"];
    let mut section = (texts.len() as u32).to_le_bytes().to_vec();
    for text in texts {
        section.extend((text.len() as u32).to_le_bytes());
        section.extend(text.as_bytes());
        section.extend([0; 4]);
    }
    Patterns::load(&section).unwrap_or_default()
}

/// Bytes of memory, then calls: a row and five arguments of three bytes each.
pub fn helpers(data: &[u8]) {
    let Some((len, rest)) = data.split_first_chunk::<2>() else { return };
    let len = usize::from(u16::from_le_bytes(*len)).min(rest.len());
    let (memory, calls) = rest.split_at(len);
    // mov r0, 0; exit
    let code = [[0xb7, 0, 0, 0, 0, 0, 0, 0], [0x95, 0, 0, 0, 0, 0, 0, 0]].concat();
    let program = Program::from_instructions(&code, Arc::new(table()), Engine::Interpreted);
    let Ok(program) = program else { return };
    let Ok(mut instance) = Instance::new(Arc::new(program)) else { return };
    let place = u64::from(instance.memory().layout().stack);
    if let Ok(room) = instance.memory().write(place, len as u64) {
        room.copy_from_slice(memory);
    }
    let mut exchange = Exchange::default();
    let incoming = Incoming {
        method: "GET",
        target: "/a%20b/../c?x=1&y=a+b%21",
        scheme: "https",
        peer: "192.0.2.7:5000",
        version: (1, 1),
        tls: None,
    };
    exchange.begin(&incoming, [("Host", &b"example.org"[..]), ("Cookie", b"a=b; c=\"d\"")]);
    exchange.start("main");
    exchange.set_body(Body::Whole(memory.to_vec()));
    if len % 2 == 1 {
        exchange.begin_response(200, [("A", &b"b"[..])]);
    }
    let world = Fake {
        limiter: RateLimiter::default(),
        tables: Tables::default(),
        documents: Documents::default(),
        patterns: Arc::new(patterns()),
    };
    let all: Vec<_> = rows().collect();
    let mut results = vec![0];
    for call in calls.chunks_exact(17).take(CALLS) {
        let row = all[usize::from(u16::from_le_bytes([call[0], call[1]])) % all.len()];
        let mut args = [0; 5];
        for (arg, bytes) in args.iter_mut().zip(call[2..].as_chunks::<3>().0) {
            let (low, high) = (u64::from(bytes[1]), u64::from(bytes[2]));
            let at = place + low * 4 % (len as u64 + 1);
            *arg = match bytes[0] % 8 {
                0 => low,
                1 => at,
                2 => at | high << 32,
                3 => at | high << 32 | 1 << 63,
                4 => 0_u64.wrapping_sub(low),
                5 => results[usize::from(bytes[1]) % results.len()],
                6 => at | high << 53,
                _ => low << 56 | high << 24,
            };
        }
        let began = Instant::now();
        match zeroserve_host::call(row.number, args, &mut exchange, &mut instance, &world) {
            Outcome::Value(value) => results.push(value),
            Outcome::Trap(reason) | Outcome::Stop { reason, .. } => {
                assert!(!reason.is_empty() && !reason.contains(char::is_control), "{reason:?}");
            }
            _ => {}
        }
        assert!(began.elapsed() < TOO_LONG, "{} took {:?}", row.name, began.elapsed());
    }
}
