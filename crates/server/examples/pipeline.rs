//! What scripts cost in the request pipeline: no socket, no client, only CPU time.
//!
//!     pipeline SITE TARGET REQUESTS ROUNDS [NAME=OBJECT]...
//!
//! Asks for TARGET so many times over one connection in memory, without a script and with each
//! OBJECT alone, in turns, and prints a JSON object: nanoseconds of CPU time per request, a list
//! of rounds for each NAME, `none` for no script.

use std::error::Error;
use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};
use zeroserve_server::connection::Connection;
use zeroserve_server::peer::Peer;
use zeroserve_server::stats::WorkerStats;
use zeroserve_server::stream::Stream;
use zeroserve_server::worker::Worker;
use zeroserve_server::{Limits, Object, Site, SiteOptions, Sites};

/// What a response has to begin with, or it is not what was to be measured.
const EXPECTED: &[u8] = b"HTTP/1.1 200 ";

/// Requests before the first round: caches fill, pools grow.
const WARM_UP: u64 = 1000;

/// A client that sends one request again and again, and drops what it receives.
struct Repeating {
    request: Vec<u8>,
    /// Bytes that it still sends.
    left: u64,
    /// Beginning of the first response.
    first: Vec<u8>,
    received: u64,
}

impl Repeating {
    fn new(request: &[u8], count: u64) -> Self {
        let left = request.len() as u64 * count;
        Self { request: request.to_vec(), left, first: Vec::new(), received: 0 }
    }

    fn receive(&mut self, bytes: &[u8]) {
        let missing = EXPECTED.len() - self.first.len();
        self.first.extend_from_slice(&bytes[..missing.min(bytes.len())]);
        self.received += bytes.len() as u64;
    }
}

impl Stream for Repeating {
    fn poll_read_ready(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let len = self.request.len();
        // Requests are whole in the end, so what is left tells where in one the last read ended.
        let mut at = (len - (self.left % len as u64) as usize) % len;
        let wanted = self.left.min(buf.len() as u64) as usize;
        let mut filled = 0;
        while filled < wanted {
            let part = (len - at).min(wanted - filled);
            buf[filled..filled + part].copy_from_slice(&self.request[at..at + part]);
            filled += part;
            at = 0;
        }
        self.left -= wanted as u64;
        Poll::Ready(Ok(wanted))
    }

    fn read_now(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn poll_send(
        &mut self,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
        _: bool,
    ) -> Poll<io::Result<usize>> {
        bufs.iter().for_each(|buf| self.receive(buf));
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }

    fn poll_send_file(
        &mut self,
        _: &mut Context<'_>,
        _: &File,
        _: u64,
        _: usize,
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::Error::other("a file too large for this measurement")))
    }

    fn shut_down_sending(&mut self) {}
}

/// A site with one script, or none, and the rounds it has been through.
struct Case {
    name: String,
    site: Arc<Site>,
    ns_per_request: Vec<f64>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let mut next =
        || words.next().ok_or("usage: pipeline SITE TARGET REQUESTS ROUNDS [NAME=OBJECT]...");
    let (path, target) = (PathBuf::from(next()?), next()?);
    let (requests, rounds): (u64, u64) = (next()?.parse()?, next()?.parse()?);
    let mut cases = vec![Case::open("none", &path, &[])?];
    for word in words {
        let (name, object) = word.split_once('=').ok_or("a script is NAME=OBJECT")?;
        let object = Object { name: name.to_owned(), bytes: std::fs::read(object)? };
        cases.push(Case::open(name, &path, &[object])?);
    }
    let request = format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    for case in &cases {
        converse(&case.site, request.as_bytes(), WARM_UP)?;
    }
    for round in 0..rounds as usize {
        // Nobody always follows the same neighbour.
        for turn in 0..cases.len() {
            let count = cases.len();
            let case = &mut cases[(round + turn) % count];
            let ns = converse(&case.site, request.as_bytes(), requests)?;
            case.ns_per_request.push(ns as f64 / requests as f64);
        }
    }
    let rows = cases.into_iter().map(|case| (case.name, json!(case.ns_per_request)));
    let rows: Map<String, Value> = rows.collect();
    writeln!(io::stdout(), "{}", Value::Object(rows))?;
    Ok(())
}

impl Case {
    fn open(
        name: &str,
        path: &std::path::Path,
        plugins: &[Object],
    ) -> Result<Self, Box<dyn Error>> {
        let options = SiteOptions::default();
        let site = Site::open(path.to_owned(), options, plugins)
            .map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { name: name.to_owned(), site: Arc::new(site), ns_per_request: Vec::new() })
    }
}

/// Nanoseconds of CPU time that so many requests took.
fn converse(site: &Arc<Site>, request: &[u8], count: u64) -> Result<u64, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build_local(Default::default())?;
    let stats = Arc::new(WorkerStats::default());
    let worker = Rc::new(Worker::new(
        Arc::new(Sites::single(Arc::clone(site))),
        Limits::default(),
        stats,
        None,
    ));
    let client = Repeating::new(request, count);
    let connection = Connection::new(worker, client, Peer::new(Ipv4Addr::LOCALHOST.into(), 1));
    let before = thread_ns();
    let client = runtime.block_on(connection.run());
    let spent = thread_ns() - before;
    if client.first != EXPECTED || client.received < count * EXPECTED.len() as u64 {
        let first = String::from_utf8_lossy(&client.first);
        return Err(format!("{} bytes that begin with: {first}", client.received).into());
    }
    Ok(spent)
}

fn thread_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
