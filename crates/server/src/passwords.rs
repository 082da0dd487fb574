//! Passwords are verified away from the workers: on few threads, for few requests at a time. What
//! was right is remembered for a while, so that not each page view costs what a sign-in does.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use lru::LruCache;
use sha2::Sha256;
use tokio::sync::Semaphore;
use zeroserve_host::{Verification, passwords};

use crate::notice::Notice;

/// Most passwords that are remembered, 32 bytes each.
const MAX_REMEMBERED_PASSWORDS: usize = 4096;

/// How long a password that was right is remembered.
const REMEMBERED_TIME: Duration = Duration::from_secs(300);

/// Most requests that wait for their password to be verified; further ones are answered 503.
const MAX_WAITING_PASSWORDS: usize = 64;

/// Most passwords that are verified at a time, where there are the cores: each takes up to 64 MiB.
const MAX_VERIFYING: usize = 4;

type Seal = [u8; 32];

/// Nobody who reads the memory of tomorrow's process learns anything from it.
static KEY: LazyLock<Seal> = LazyLock::new(|| {
    let mut key = [0; 32];
    if let Err(error) = getrandom::fill(&mut key) {
        crate::notice::say(&format!("no random numbers from the system: {error}"));
        std::process::abort();
    }
    key
});

static RIGHT: LazyLock<Mutex<LruCache<Seal, Instant>>> = LazyLock::new(|| {
    let most = NonZeroUsize::new(MAX_REMEMBERED_PASSWORDS).unwrap_or(NonZeroUsize::MIN);
    Mutex::new(LruCache::new(most))
});

static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Arc::new(Semaphore::new(cores.div_ceil(2).min(MAX_VERIFYING)))
});

static WAITING: AtomicUsize = AtomicUsize::new(0);

static BUSY: Notice = Notice::new();

/// What is kept of a password that was right.
fn seal(password: &[u8], hash: &str) -> Option<Seal> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&*KEY).ok()?;
    mac.update(&(hash.len() as u64).to_le_bytes());
    mac.update(hash.as_bytes());
    mac.update(password);
    Some(mac.finalize().into_bytes().into())
}

/// Whether a password was right lately.
pub(crate) fn is_remembered(password: &[u8], hash: &str) -> bool {
    let Some(seal) = seal(password, hash) else { return false };
    let mut right = RIGHT.lock().unwrap_or_else(PoisonError::into_inner);
    match right.get(&seal) {
        Some(since) if since.elapsed() < REMEMBERED_TIME => true,
        Some(_) => {
            right.pop(&seal);
            false
        }
        None => false,
    }
}

/// Verify on this thread, if it is not known.
pub fn verify_here(password: &[u8], hash: &str) -> bool {
    if is_remembered(password, hash) {
        return true;
    }
    let is_right = passwords::verify(password, hash);
    if let Some(seal) = seal(password, hash).filter(|_| is_right) {
        RIGHT.lock().unwrap_or_else(PoisonError::into_inner).put(seal, Instant::now());
    }
    is_right
}

/// A request that waits.
struct Waiting;

impl Waiting {
    fn new() -> Option<Self> {
        let before = WAITING.fetch_add(1, Ordering::Relaxed);
        let waiting = Self;
        (before < MAX_WAITING_PASSWORDS).then_some(waiting)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Verify on another thread, when there is a place.
pub(crate) async fn verify(password: Vec<u8>, hash: String) -> Verification {
    let Some(waiting) = Waiting::new() else {
        BUSY.say("more passwords to verify than there is time for, answered 503");
        return Verification::Busy;
    };
    let Ok(place) = Arc::clone(&PLACES).acquire_owned().await else { return Verification::Busy };
    // The place is taken until the work is done, whatever becomes of the request.
    let work = move || {
        let is_right = verify_here(&password, &hash);
        drop((place, waiting));
        is_right
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(true) => Verification::Right,
        Ok(false) => Verification::Wrong,
        Err(_) => Verification::Busy,
    }
}

/// A new hash of a password; otherwise why not.
pub fn hash(password: &[u8]) -> Result<String, &'static str> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| "the system has no random numbers")?;
    passwords::hash(password, &salt)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2a$04$UuTkLRZZ6QofpDOlMz32MuuxEHA43WOemOYHPz6.SjsVsyO1tDU96";

    #[test]
    fn what_is_right_is_remembered() {
        assert!(!is_remembered(b"password", HASH));
        assert!(!verify_here(b"other", HASH) && !is_remembered(b"other", HASH));
        assert!(verify_here(b"password", HASH) && is_remembered(b"password", HASH));
        assert!(!is_remembered(b"password", &HASH.replacen("$2a$", "$2b$", 1)));
        let seal = seal(b"password", HASH).unwrap();
        let long_ago = Instant::now().checked_sub(REMEMBERED_TIME).unwrap();
        RIGHT.lock().unwrap().put(seal, long_ago);
        assert!(!is_remembered(b"password", HASH));
        assert!(RIGHT.lock().unwrap().peek(&seal).is_none());
    }

    #[test]
    fn few_wait() {
        let runtime = tokio::runtime::Builder::new_current_thread().build_local(Default::default());
        runtime.unwrap().block_on(async {
            let ask = |password: &str| verify(password.as_bytes().to_vec(), HASH.to_owned());
            assert_eq!(ask("wrong").await, Verification::Wrong);
            let all: Vec<_> = (0..MAX_WAITING_PASSWORDS).map(|_| Waiting::new().unwrap()).collect();
            assert_eq!(ask("wrong").await, Verification::Busy);
            drop(all);
            assert_eq!(ask("wrong").await, Verification::Wrong);
            assert_eq!(WAITING.load(Ordering::Relaxed), 0);
        });
    }
}
