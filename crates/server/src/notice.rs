//! What the server tells its operator: one line each on standard error, never a flood.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{SystemTime, UNIX_EPOCH};

pub use zeroserve_archive::plain;

/// Seconds between two lines of the same kind.
const QUIET_S: i64 = 10;

/// A kind of notice that can recur with every request.
pub struct Notice {
    last_s: AtomicI64,
    held_back: AtomicU64,
}

impl Default for Notice {
    fn default() -> Self {
        Self::new()
    }
}

impl Notice {
    /// A kind that has not been seen.
    pub const fn new() -> Self {
        Self { last_s: AtomicI64::new(0), held_back: AtomicU64::new(0) }
    }

    /// Say it, unless it was said a moment ago; what was held back is counted in the next line.
    pub fn say(&self, message: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs());
        let now = now.cast_signed();
        let last = self.last_s.load(Ordering::Relaxed);
        let due = now - last >= QUIET_S || now < last;
        let mine = due
            && self
                .last_s
                .compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !mine {
            self.held_back.fetch_add(1, Ordering::Relaxed);
            return;
        }
        match self.held_back.swap(0, Ordering::Relaxed) {
            0 => warn(message),
            n => warn(&format!("{message} ({n} more like this before)")),
        }
    }
}

/// Lines that may wait to be written; whoever does not read them loses the rest.
const QUEUE_LINES: usize = 64;

/// Something that somebody should look at.
pub fn warn(message: &str) {
    say(&format!("warning: {message}"));
}

/// One line on standard error, written by a thread of its own: a terminal that was stopped or a
/// pipe that nobody reads must not stop a worker.
pub fn say(message: &str) {
    static SENDER: OnceLock<Option<SyncSender<String>>> = OnceLock::new();
    let sender = SENDER.get_or_init(|| {
        let (sender, receiver) = sync_channel::<String>(QUEUE_LINES);
        let thread = std::thread::Builder::new().name("zs-notice".into()).spawn(move || {
            for line in receiver {
                // Nobody to hear it is no error.
                let _ = io::stderr().write_all(line.as_bytes());
            }
        });
        thread.ok().map(|_| sender)
    });
    if let Some(sender) = sender {
        let _ = sender.try_send(format!("zeroserve: {message}\n"));
    }
}
