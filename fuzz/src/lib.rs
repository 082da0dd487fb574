//! One function for each reader of untrusted input. Each takes any bytes and panics when
//! something that must always hold does not.
//!
//! libFuzzer drives them for as long as one likes (`make fuzz`); `cargo test` runs the committed
//! corpus and a fixed number of mutations of it.

#![forbid(unsafe_code)]

mod executors;
mod generate;
mod helpers;
mod upstream;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use zeroserve_archive::{Index, read_packed, scan_bytes};
use zeroserve_http::body::{Decoder, Framing, Step};
use zeroserve_http::h2::PREFACE;
use zeroserve_http::h2::frame::{Header, MAX_PAYLOAD_BYTES, kind};
use zeroserve_http::h2::hpack::Decoder as BlockDecoder;
use zeroserve_http::proxy_protocol::{self, Progress};
use zeroserve_http::request::{field_slots, parse};
use zeroserve_http::{Head, HeadLimits};
use zeroserve_server::tls::hello;
use zeroserve_server::{Site, SiteOptions, Sites, offline};
use zeroserve_vm::{Engine, Helper, HelperTable, Program};

pub use executors::{Summary, compare, executors};
pub use helpers::helpers;
pub use upstream::upstream;

/// A foreign tar: what is indexed lies inside the archive under a name that can't leave it.
pub fn tar(data: &[u8]) {
    if let Ok(index) = scan_bytes(data) {
        check_index(&index, data.len());
    }
}

/// A packed archive: the same, of the index it brings along.
pub fn packed(data: &[u8]) {
    if let Ok(Some(index)) = read_packed(data) {
        check_index(&index, data.len());
    }
}

fn check_index(index: &Index, len: usize) {
    let mut last = String::new();
    for id in index.ids() {
        let entry = index.entry(id);
        assert!(entry.offset.checked_add(entry.size).is_some_and(|end| end <= len as u64));
        assert!(!entry.name.is_empty() && !entry.name.starts_with('/'));
        assert!(entry.name.split('/').all(|part| !matches!(part, "" | "." | "..")));
        assert!(last.as_str() < entry.name, "names are sorted and unique");
        entry.name.clone_into(&mut last);
        assert_eq!(index.find(entry.name), Some(id));
        if let Some(found) = index.lookup(entry.name) {
            assert_eq!(found, id);
        }
    }
}

/// A request head: a complete one is complete without what follows, and never without its end.
pub fn request(data: &[u8]) {
    let limits = HeadLimits { request_line_bytes: 200, header_bytes: 400, header_fields: 16 };
    let mut slots = field_slots();
    let Ok(Head::Complete { request, len }) = parse(data, &mut slots, &limits) else { return };
    assert!(len <= data.len() && data[..len].ends_with(b"\r\n\r\n"));
    assert!(request.headers().count() <= 16);
    let framing = request.framing;
    let mut slots = field_slots();
    let again = parse(&data[..len], &mut slots, &limits);
    let Ok(Head::Complete { request, len: same }) = again else { panic!("not complete by itself") };
    assert_eq!((same, request.framing), (len, framing));
    let mut slots = field_slots();
    let shorter = parse(&data[..len - 1], &mut slots, &limits);
    assert!(!matches!(shorter, Ok(Head::Complete { .. })), "complete before its end");
}

/// A chunked body: the same content and the same end, however it is cut into pieces.
pub fn chunked(data: &[u8]) {
    let whole = decode(data, data.len().max(1));
    for piece in [1, 2, 7] {
        assert_eq!(decode(data, piece), whole, "in pieces of {piece}");
    }
}

/// Content and bytes used, or the status of the refusal; `None` while not complete.
fn decode(data: &[u8], piece: usize) -> Option<Result<(Vec<u8>, usize), u16>> {
    let mut decoder = Decoder::new(Framing::Chunked, 1000).expect("no length, no refusal");
    let mut content = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let end = (at + piece).min(data.len());
        match decoder.step(&data[at..end]) {
            Ok(Step::Consumed { used, content: range }) => {
                content.extend_from_slice(&data[at..end][range]);
                at += used;
            }
            Ok(Step::Done) => break,
            Err(reject) => return Some(Err(reject.status())),
        }
        if decoder.is_done() {
            break;
        }
    }
    decoder.is_done().then_some(Ok((content, at)))
}

/// A PROXY header: it lies in what has come, is the same without what follows, and was waited for
/// at every cut before its end.
pub fn proxy_header(data: &[u8]) {
    match proxy_protocol::parse(data) {
        Ok(Progress::Complete { len, source }) => {
            assert!(len <= data.len() && len <= proxy_protocol::MAX_BYTES);
            let alone = proxy_protocol::parse(&data[..len]);
            assert_eq!(alone, Ok(Progress::Complete { len, source }));
            for cut in 0..len {
                assert_eq!(proxy_protocol::parse(&data[..cut]), Ok(Progress::Partial));
            }
        }
        Ok(Progress::Partial) => assert!(data.len() < proxy_protocol::MAX_BYTES),
        Err(why) => assert!(!why.is_empty()),
    }
}

/// The example site.
fn sites() -> Arc<Sites> {
    static SITES: OnceLock<Arc<Sites>> = OnceLock::new();
    let sites = SITES.get_or_init(|| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/site");
        let options = SiteOptions { try_html: true, ..SiteOptions::default() };
        let site = Site::open(path, options, &[]).expect("the example site opens");
        Arc::new(Sites::single(Arc::new(site)))
    });
    Arc::clone(sites)
}

/// HTTP/2 after its preface and settings: what comes back is whole frames, no longer than allowed,
/// in an order that makes sense, and says nothing of a fault of the server's.
pub fn h2(data: &[u8]) {
    let settings = b"\0\0\0\x04\0\0\0\0\0";
    let input = [PREFACE, settings, data].concat();
    let answer = offline::converse(sites(), input).expect("memory does not fail");
    let mut rest = answer.as_slice();
    let (mut headed, mut over) = (HashSet::new(), false);
    while !rest.is_empty() {
        let header = Header::read(rest).expect("a whole header");
        assert!(!over, "nothing follows the end of the connection");
        assert!(header.len <= MAX_PAYLOAD_BYTES);
        let payload = &rest[9..9 + header.len];
        rest = &rest[9 + header.len..];
        match header.kind {
            kind::HEADERS => {
                assert!(header.stream % 2 == 1);
                let mut status = Vec::new();
                let mut decoder = BlockDecoder::default();
                let field = |name: &[u8], value: &[u8]| {
                    if name == b":status" {
                        status = value.to_vec();
                    }
                };
                decoder.decode(payload, field).expect("a block that can be decoded");
                assert!(status.len() == 3 && status[0] != b'5', "{status:?}");
                headed.insert(header.stream);
            }
            kind::DATA => assert!(headed.contains(&header.stream)),
            kind::GOAWAY => over = true,
            kind::RST_STREAM => assert_ne!(payload, 2u32.to_be_bytes(), "a fault of ours"),
            kind::SETTINGS | kind::WINDOW_UPDATE | kind::PING => {}
            other => panic!("a frame of kind {other}"),
        }
    }
}

/// A whole conversation with a small site: every answer is well-formed and none is a 5xx.
pub fn conversation(data: &[u8]) {
    let answer = offline::converse(sites(), data.to_vec()).expect("memory does not fail");
    if answer.is_empty() {
        return;
    }
    if data.starts_with(PREFACE) {
        return;
    }
    assert!(answer.starts_with(b"HTTP/1.1 "), "an answer begins with its status line");
    let status = &answer[9..12];
    assert!(status.iter().all(u8::is_ascii_digit));
    let server_fault = status[0] == b'5' && status != b"501" && status != b"505";
    assert!(!server_fault, "{}", String::from_utf8_lossy(&answer));
    assert!(answer.windows(4).any(|end| end == b"\r\n\r\n"), "the head ends");
}

/// What a client sends first over TLS: the fingerprint has its form, the name is the one that the
/// TLS library sees, and it does not matter how the message is cut into records.
pub fn hello(data: &[u8]) {
    let found = hello::read(data);
    if found != hello::Hello::default() {
        assert!(hello::is_complete(data), "read before it was complete");
    }
    let parts: Vec<_> = found.ja4.split('_').map(str::len).collect();
    assert!(matches!(*parts, [0] | [10, 12, 12]), "{}", found.ja4);
    assert!(found.ja4.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric()));
    if let Some(name) = name_by_rustls(data) {
        assert_eq!(found.sni.as_deref(), Some(name.as_str()));
    }
    if let [22, a, b, len_high, len_low, ref message @ ..] = *data {
        let len = usize::from(u16::from_be_bytes([len_high, len_low]));
        if len > 0 && len == message.len() {
            let cut = message.chunks(len.div_ceil(3)).flat_map(|part| {
                let [high, low] = (part.len() as u16).to_be_bytes();
                [&[22, a, b, high, low], part].concat()
            });
            assert_eq!(hello::read(&cut.collect::<Vec<_>>()), found);
        }
    }
}

/// The server name, where rustls takes the message.
fn name_by_rustls(mut data: &[u8]) -> Option<String> {
    let mut acceptor = rustls::server::Acceptor::default();
    while !data.is_empty() {
        acceptor.read_tls(&mut data).ok()?;
        if let Some(accepted) = acceptor.accept().ok()? {
            return accepted.client_hello().server_name().map(str::to_ascii_lowercase);
        }
    }
    None
}

/// An eBPF object: it is refused in one line, or both executors take it.
pub fn objects(data: &[u8]) {
    let helper = |number, name| Helper { number, name, arity: 5, fuel: 1 };
    let helpers = [helper(1, "sum"), helper(2, "work"), helper(3, "refuse")];
    let load = |engine| Program::load(data, Arc::new(HelperTable::new(helpers)), engine);
    match load(Engine::Interpreted) {
        Ok(program) => {
            assert!(!program.functions().is_empty());
            for function in 0..program.functions().len() {
                let last = program.functions()[function].insns.len() as u32 - 1;
                let _ = (program.line(function, last), program.text(function, last));
            }
            if let Err(error) = load(Engine::Compiled) {
                let error = error.to_string();
                assert!(error.contains("of native stack"), "only interpreted: {error}");
            }
        }
        Err(error) => {
            let text = error.to_string();
            assert!(!text.is_empty() && text.len() < 2000, "{} bytes of error", text.len());
            assert!(!text.contains(char::is_control), "{text:?}");
        }
    }
}
