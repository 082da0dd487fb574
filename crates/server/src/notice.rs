//! What the server tells its operator: one line each on standard error, never a flood.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::Hash;
use std::io::{self, Write};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
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

    /// Warn, unless it was said a moment ago; what was held back is counted in the next line.
    pub fn say(&self, message: &str) {
        if let Some(more) = self.due() {
            warn(&format!("{message}{more}"));
        }
    }

    /// Whether it may be said now, and what to add.
    fn due(&self) -> Option<String> {
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
            return None;
        }
        Some(match self.held_back.swap(0, Ordering::Relaxed) {
            0 => String::new(),
            n => format!(" ({n} more like this before)"),
        })
    }
}

/// Most kinds that are told apart in a set; the others are one kind.
const MAX_KINDS: usize = 1024;

/// Notices of kinds that are not known beforehand, such as the places where scripts stop.
pub struct Notices<K> {
    kinds: Mutex<HashMap<K, Arc<Notice>>>,
    others: Notice,
}

impl<K> Default for Notices<K> {
    fn default() -> Self {
        Self { kinds: Mutex::default(), others: Notice::new() }
    }
}

impl<K: Eq + Hash> Notices<K> {
    /// Say it, unless something of this kind was said a moment ago.
    pub fn say(&self, kind: K, message: &str) {
        if let Some(more) = self.due(kind) {
            say(&format!("{message}{more}"));
        }
    }

    /// The same about something that somebody should look at.
    pub fn warn(&self, kind: K, message: &str) {
        if let Some(more) = self.due(kind) {
            warn(&format!("{message}{more}"));
        }
    }

    fn due(&self, kind: K) -> Option<String> {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kinds.len() < MAX_KINDS || kinds.contains_key(&kind);
        let notice = known.then(|| Arc::clone(kinds.entry(kind).or_default()));
        drop(kinds);
        notice.as_deref().unwrap_or(&self.others).due()
    }
}

/// Lines a second, of all kinds that others decide on, such as what scripts log.
const MAX_LINES_PER_SECOND: u64 = 1000;

/// A bound on lines whose number is not ours to decide.
pub struct Flow {
    second: AtomicI64,
    lines: AtomicU64,
}

impl Default for Flow {
    fn default() -> Self {
        Self::new()
    }
}

impl Flow {
    /// Nothing was said yet.
    pub const fn new() -> Self {
        Self { second: AtomicI64::new(0), lines: AtomicU64::new(0) }
    }

    /// Say it, unless there was too much this second; what is dropped is counted in a line.
    pub fn say(&self, message: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs());
        if self.second.swap(now.cast_signed(), Ordering::Relaxed) != now.cast_signed() {
            self.lines.store(0, Ordering::Relaxed);
        }
        if self.lines.fetch_add(1, Ordering::Relaxed) < MAX_LINES_PER_SECOND {
            say(message);
        } else {
            DROPPED.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Lines that may wait to be written; whoever does not read them loses the rest.
const QUEUE_LINES: usize = 1024;

static TOO_MANY: Notice = Notice::new();

/// Lines that were lost since that was said last.
static DROPPED: AtomicU64 = AtomicU64::new(0);

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
                if DROPPED.load(Ordering::Relaxed) > 0 && TOO_MANY.due().is_some() {
                    let dropped = DROPPED.swap(0, Ordering::Relaxed);
                    let line =
                        format!("zeroserve: warning: {dropped} lines like these were dropped\n");
                    let _ = io::stderr().write_all(line.as_bytes());
                }
            }
        });
        thread.ok().map(|_| sender)
    });
    if let Some(sender) = sender
        && sender.try_send(format!("zeroserve: {}\n", one_line(message))).is_err()
    {
        DROPPED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Names of scripts, functions and files come from the site: none of them may end the line or
/// tell a terminal what to do.
fn one_line(message: &str) -> String {
    let mut line = String::with_capacity(message.len());
    for letter in message.chars() {
        if letter.is_control() {
            let _ = write!(line, "{}", letter.escape_default());
        } else {
            line.push(letter);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_said_once_in_a_while() {
        let notice = Notice::new();
        assert_eq!(notice.due().as_deref(), Some(""));
        assert_eq!((notice.due(), notice.due()), (None, None));
        notice.last_s.fetch_sub(QUIET_S, Ordering::Relaxed);
        assert_eq!(notice.due().as_deref(), Some(" (2 more like this before)"));
    }

    #[test]
    fn kinds_are_told_apart_up_to_a_bound() {
        let notices = Notices::default();
        for kind in 0..2 * MAX_KINDS {
            assert_eq!(notices.due(kind).is_some(), kind <= MAX_KINDS);
        }
        assert_eq!(notices.kinds.lock().unwrap().len(), MAX_KINDS);
        assert_eq!(notices.others.held_back.load(Ordering::Relaxed), MAX_KINDS as u64 - 1);
    }

    #[test]
    fn a_line_is_one_line() {
        assert_eq!(one_line("a\nb\x1b[31m\u{9b}\u{fc}"), "a\\nb\\u{1b}[31m\\u{9b}\u{fc}");
    }
}
