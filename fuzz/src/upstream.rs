//! What an upstream answers over HTTP/1.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::task::Poll;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixListener;
use tokio::runtime::{Builder, Runtime};
use zeroserve_http::body::Framing;
use zeroserve_proxy::{Asked, Head, Outgoing, Passage, Timeouts, Upstreams};

/// More is never at hand at a time, whatever an upstream sends.
const MAX_AT_HAND: usize = 256 * 1024;

/// Turns in which the end of a connection is heard of.
const MAX_STEPS: usize = 1000;

/// What became of a request.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    interim: Vec<Head>,
    head: Option<Head>,
    content: Vec<u8>,
    trailers: Vec<u8>,
    /// How far it had come when it failed; `None` when the answer was whole.
    failed_in: Option<&'static str>,
}

/// An upstream on a socket of this thread, and who asks it.
struct Bench {
    runtime: Runtime,
    listener: UnixListener,
    url: String,
    path: PathBuf,
    upstreams: Rc<Upstreams>,
}

impl Bench {
    fn new() -> io::Result<Self> {
        let thread = format!("{:?}", std::thread::current().id());
        let number: String = thread.chars().filter(char::is_ascii_digit).collect();
        let name = format!("zeroserve-fuzz-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let listener = {
            let _inside = runtime.enter();
            UnixListener::bind(&path)?
        };
        let url = format!("unix:{}", path.display());
        Ok(Self { runtime, listener, url, path, upstreams: Rc::default() })
    }

    /// Ask, and answer with these parts, one after the other.
    fn ask(&self, parts: &[&[u8]], asked: Asked) -> Outcome {
        let method = if asked.is_head { "HEAD" } else { "GET" };
        let head = format!("{method} / HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let host = head.find("a.test").map_or(0..0, |at| at..at + 6);
        let outgoing = Outgoing {
            head: head.into_bytes(),
            framing: Framing::None,
            asked,
            // As if the request could not be repeated: one connection each.
            method_len: 0,
            host,
        };
        let route = self.upstreams.route(&self.url).expect("a path of ours");
        let mut passage = Passage::new(&self.upstreams, route, outgoing, Timeouts::default());
        let outcome = self.runtime.block_on(async {
            let mut outcome = Outcome {
                interim: Vec::new(),
                head: None,
                content: Vec::new(),
                trailers: Vec::new(),
                failed_in: None,
            };
            poll_fn(|cx| if passage.poll(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
            let (mut stream, _) = self.listener.accept().await.expect("a connection of ours");
            for part in parts {
                // It may have been hung up on.
                let _ = stream.write_all(part).await;
                while step(&mut passage, &mut outcome).await {}
            }
            drop(stream);
            for _ in 0..MAX_STEPS {
                step(&mut passage, &mut outcome).await;
                if passage.is_done() || passage.failure().is_some() {
                    return outcome;
                }
            }
            panic!("no end behind the end: {outcome:?}")
        });
        drop(passage);
        // Nothing of it is there for the next one.
        self.upstreams.sweep(u64::MAX);
        outcome
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Take what there is; whether there was anything.
async fn step(passage: &mut Passage, outcome: &mut Outcome) -> bool {
    // The event loop hears of what was written when it is asked.
    tokio::task::yield_now().await;
    poll_fn(|cx| {
        let mut any = false;
        while passage.poll(cx) {
            any = true;
        }
        Poll::Ready(any)
    })
    .await;
    let mut any = false;
    while let Some(head) = passage.interim() {
        outcome.interim.push(head);
    }
    if let Some(head) = passage.head() {
        assert!(outcome.head.replace(head).is_none(), "one head");
        any = true;
    }
    while !passage.content().is_empty() {
        let len = passage.content().len();
        assert!(len <= MAX_AT_HAND && outcome.head.is_some());
        outcome.content.extend_from_slice(passage.content());
        passage.consume(len);
        any = true;
    }
    outcome.failed_in = passage.failure().map(|failure| failure.phase.name());
    if passage.is_done() {
        outcome.trailers = passage.trailers().to_vec();
    }
    any
}

thread_local! {
    static BENCH: RefCell<Option<Bench>> = const { RefCell::new(None) };
}

/// An answer of an upstream: how it is cut into pieces changes no whole one, which has the
/// length that it says, lines that are lines, and nothing behind it; and memory is bounded.
pub fn upstream(data: &[u8]) {
    let Some((&choice, data)) = data.split_first() else { return };
    let Some((&cut, data)) = data.split_first() else { return };
    let asked = Asked { is_head: choice & 1 != 0, wants_upgrade: choice & 2 != 0 };
    let cut = data.len() * usize::from(cut) / 256;
    BENCH.with_borrow_mut(|bench| {
        let bench = bench.get_or_insert_with(|| Bench::new().expect("a socket"));
        let whole = bench.ask(&[data], asked);
        let parts = bench.ask(&[&data[..cut], &data[cut..]], asked);
        if whole.failed_in.is_some() && parts.failed_in == whole.failed_in {
            // What comes before the fault is told of when there was time for it.
            let (less, more) = (&whole.content, &parts.content);
            assert!(more.starts_with(less) || less.starts_with(more), "cut at {cut}");
            assert!(whole.head.is_none() || whole.head == parts.head, "cut at {cut}");
        } else {
            assert_eq!(whole, parts, "cut at {cut}");
        }
        check(&whole, asked);
    });
}

fn check(outcome: &Outcome, asked: Asked) {
    for head in outcome.interim.iter().chain(&outcome.head) {
        assert!((100..=999).contains(&head.status));
        for line in head.fields.split_inclusive(|byte| *byte == b'\n') {
            assert!(line.ends_with(b"\r\n") && line.contains(&b':'), "{line:?}");
            assert!(!line[..line.len() - 2].contains(&b'\r') && !line.contains(&0));
        }
    }
    assert!(outcome.interim.iter().all(|head| head.status < 200));
    let Some(head) = &outcome.head else {
        assert!(outcome.content.is_empty() && outcome.failed_in.is_some(), "{outcome:?}");
        return;
    };
    if asked.is_head && !head.is_upgrade {
        assert!(outcome.content.is_empty(), "{outcome:?}");
    }
    let sent = outcome.content.len() as u64;
    match head.length {
        Some(length) if head.has_content && !head.is_upgrade => {
            assert!(sent <= length);
            assert_eq!(outcome.failed_in.is_none(), sent == length, "{outcome:?}");
        }
        _ => {}
    }
}
