//! The access log: lines are formatted by workers, written in batches by a thread of its own.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use tokio::sync::Notify;
use zeroserve_http::Request;
use zeroserve_http::date;
use zeroserve_http::request::Field;

use crate::notice::{Notice, plain, warn};
use crate::peer::Peer;
use crate::stats::Counter;

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard error.
    Stderr,
    /// Appended to a file, which is made if need be.
    File(PathBuf),
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// The combined format of the Apache and nginx servers.
    Combined,
}

/// Bytes of lines that a worker gathers before it hands them over.
const BATCH_BYTES: usize = 64 * 1024;

/// Time after which lines are handed over all the same.
const BATCH_TIME: Duration = Duration::from_millis(100);

/// Batches that may wait for the writer; a full queue drops lines rather than hold up requests.
const QUEUE_BATCHES: usize = 64;

/// Time that the writer has for the last lines when the server stops; a terminal that was stopped
/// never takes them.
const FINISH_TIME: Duration = Duration::from_secs(2);

static WRITE_FAILED: Notice = Notice::new();
static BEHIND: Notice = Notice::new();

/// The thread that writes.
pub struct Writer {
    sender: SyncSender<Vec<u8>>,
    reopen: Arc<AtomicBool>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

impl Writer {
    /// Open the destination and start the thread.
    pub fn start(destination: Destination) -> io::Result<Self> {
        let destination = match destination {
            // The process may change its directory before the path is opened again.
            Destination::File(path) => Destination::File(std::path::absolute(path)?),
            Destination::Stderr => Destination::Stderr,
        };
        let sink = open(&destination)?;
        let (sender, receiver) = sync_channel(QUEUE_BATCHES);
        let (ending, ended) = sync_channel(0);
        let reopen = Arc::new(AtomicBool::new(false));
        let wanted = Arc::clone(&reopen);
        std::thread::Builder::new().name("zs-log".into()).spawn(move || {
            let _ending = ending;
            write_all(&destination, sink, &receiver, &wanted);
        })?;
        Ok(Self { sender, reopen, ended })
    }

    /// A worker's end.
    pub fn log(&self, format: Format) -> Log {
        Log {
            sender: self.sender.clone(),
            format,
            lines: RefCell::default(),
            pending: Notify::new(),
            time: RefCell::default(),
        }
    }

    /// Open the path again, as after a rotation.
    pub fn reopen(&self) {
        self.reopen.store(true, Ordering::Relaxed);
        // No lines: only to wake the writer, which is awake if the queue is full.
        let _ = self.sender.try_send(Vec::new());
    }

    /// Have what is left written and the thread end; the workers' ends have to be gone.
    pub fn finish(self) {
        drop(self.sender);
        // Never sent to: what ends the wait is that the thread drops its end.
        let _ = self.ended.recv_timeout(FINISH_TIME);
    }
}

fn open(destination: &Destination) -> io::Result<Box<dyn Write + Send>> {
    match destination {
        // A descriptor of its own: std's lock on standard error would be held while it blocks.
        Destination::Stderr => Ok(Box::new(File::from(rustix::io::dup(io::stderr())?))),
        Destination::File(path) => {
            let file: File = OpenOptions::new().append(true).create(true).open(path)?;
            Ok(Box::new(file))
        }
    }
}

fn write_all(
    destination: &Destination,
    mut sink: Box<dyn Write + Send>,
    batches: &Receiver<Vec<u8>>,
    reopen: &AtomicBool,
) {
    for lines in batches {
        if let Err(error) = sink.write_all(&lines) {
            WRITE_FAILED.say(&format!("the access log can't be written: {}", plain(&error)));
        }
        if reopen.swap(false, Ordering::Relaxed) {
            match open(destination) {
                Ok(new) => sink = new,
                Err(error) => {
                    warn(&format!("the access log can't be opened again: {}", plain(&error)));
                }
            }
        }
    }
}

/// A worker's end of the access log.
pub struct Log {
    sender: SyncSender<Vec<u8>>,
    format: Format,
    lines: RefCell<Vec<u8>>,
    pending: Notify,
    time: RefCell<TimeText>,
}

/// The part of a line that is known when a request is answered; the rest follows when it was sent.
#[derive(Default)]
pub struct Line {
    before: Vec<u8>,
    after: Vec<u8>,
    started: Duration,
    /// Who was asked, if somebody was.
    pub(crate) upstream: Option<Box<Asked>>,
}

/// An upstream that was asked, and what of the time is its own.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Who.
    pub(crate) upstream: String,
    /// When, since 1970.
    pub(crate) since: Duration,
    /// When the head of its answer was there, or no longer to be had.
    pub(crate) until: Option<Duration>,
    /// Why it gave no answer, or not all of it.
    pub(crate) error: Option<String>,
}

impl Log {
    /// Begin the line of a request; `request` is `None` when it could not be read.
    pub fn begin(&self, peer: &Peer, request: Option<&Request<'_, '_>>, now: Duration) -> Line {
        let before = Vec::with_capacity(384);
        let mut line = Line { before, after: Vec::new(), started: now, upstream: None };
        let mut time = self.time.borrow_mut();
        time.set(now.as_secs());
        match self.format {
            Format::Json => begin_json(&mut line.before, &time, now, peer, request),
            Format::Combined => begin_combined(&mut line, &time, &peer.ip, request),
        }
        line
    }

    /// End the line of a request.
    pub fn end(&self, line: &Line, status: u16, bytes: u64, now: Duration, dropped: &Counter) {
        let took = now.saturating_sub(line.started).as_micros() as u64;
        let mut number = itoa::Buffer::new();
        let mut lines = self.lines.borrow_mut();
        let first = lines.is_empty();
        lines.extend_from_slice(&line.before);
        match self.format {
            Format::Json => {
                lines.extend_from_slice(b",\"status\":");
                lines.extend_from_slice(number.format(status).as_bytes());
                lines.extend_from_slice(b",\"bytes\":");
                lines.extend_from_slice(number.format(bytes).as_bytes());
                lines.extend_from_slice(b",\"duration_us\":");
                lines.extend_from_slice(number.format(took).as_bytes());
                if let Some(asked) = &line.upstream {
                    asked.write(now, &mut lines);
                }
                lines.extend_from_slice(b"}\n");
            }
            Format::Combined => {
                lines.extend_from_slice(number.format(status).as_bytes());
                lines.push(b' ');
                lines.extend_from_slice(number.format(bytes).as_bytes());
                lines.extend_from_slice(&line.after);
            }
        }
        let full = lines.len() >= BATCH_BYTES;
        drop(lines);
        if full {
            self.flush(dropped);
        } else if first {
            self.pending.notify_one();
        }
    }

    /// Hand over what has been gathered.
    pub fn flush(&self, dropped: &Counter) {
        let mut lines = self.lines.borrow_mut();
        if lines.is_empty() {
            return;
        }
        let batch = std::mem::replace(&mut *lines, Vec::with_capacity(BATCH_BYTES + 1024));
        if let Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) =
            self.sender.try_send(batch)
        {
            dropped.add(batch.iter().filter(|&&b| b == b'\n').count() as u64);
            BEHIND.say("the access log falls behind: lines are dropped");
        }
    }

    /// Hand over lines within a moment, for as long as the worker runs.
    pub async fn flush_in_time(&self, dropped: &Counter) {
        loop {
            self.pending.notified().await;
            tokio::time::sleep(BATCH_TIME).await;
            self.flush(dropped);
        }
    }
}

/// The second of a line's time in both formats, made once a second.
#[derive(Default)]
struct TimeText {
    second: u64,
    rfc3339: String,
    common: String,
}

impl TimeText {
    fn set(&mut self, second: u64) {
        if self.second == second {
            return;
        }
        self.second = second;
        // `Sun, 06 Nov 1994 08:49:37 GMT`
        let date = date::format(second.cast_signed());
        let (day, month, year, time) = (&date[5..7], &date[8..11], &date[12..16], &date[17..25]);
        const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
        let number = MONTHS.find(month).map_or(0, |at| at / 3 + 1);
        self.rfc3339 = format!("{year}-{number:02}-{day}T{time}");
        self.common = format!("{day}/{month}/{year}:{time} +0000");
    }
}

impl Asked {
    fn write(&self, now: Duration, out: &mut Vec<u8>) {
        let took = self.until.unwrap_or(now).saturating_sub(self.since).as_micros() as u64;
        out.extend_from_slice(b",\"upstream\":\"");
        escape(self.upstream.as_bytes(), out);
        out.extend_from_slice(b"\",\"upstream_us\":");
        out.extend_from_slice(itoa::Buffer::new().format(took).as_bytes());
        if let Some(error) = &self.error {
            out.extend_from_slice(b",\"upstream_error\":\"");
            escape(error.as_bytes(), out);
            out.push(b'"');
        }
    }
}

fn begin_json(
    out: &mut Vec<u8>,
    time: &TimeText,
    now: Duration,
    peer: &Peer,
    request: Option<&Request<'_, '_>>,
) {
    out.extend_from_slice(b"{\"time\":\"");
    out.extend_from_slice(time.rfc3339.as_bytes());
    let millis = now.subsec_millis();
    let digits = [millis / 100, millis / 10 % 10, millis % 10].map(|digit| b'0' + digit as u8);
    out.push(b'.');
    out.extend_from_slice(&digits);
    out.extend_from_slice(b"Z\",\"remote\":\"");
    out.extend_from_slice(peer.ip.as_bytes());
    out.push(b'"');
    let mut member = |name: &str, value: &[u8]| {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":\"");
        escape(value, out);
        out.push(b'"');
    };
    if let Some(session) = &peer.session {
        member("tls", if session.tls13 { b"1.3" } else { b"1.2" });
        if let Some(sni) = &session.sni {
            member("sni", sni.as_bytes());
        }
        if !session.ja4.is_empty() {
            member("ja4", session.ja4.as_bytes());
        }
    }
    let Some(request) = request else { return };
    member("method", request.method.as_str().as_bytes());
    member("host", request.host);
    member("target", request.raw_target.as_bytes());
    member("protocol", request.protocol().as_bytes());
    if let Some(referer) = request.values(Field::Referer).next() {
        member("referer", referer);
    }
    if let Some(agent) = request.values(Field::UserAgent).next() {
        member("user_agent", agent);
    }
}

fn begin_combined(line: &mut Line, time: &TimeText, peer: &str, request: Option<&Request<'_, '_>>) {
    let out = &mut line.before;
    out.extend_from_slice(peer.as_bytes());
    out.extend_from_slice(b" - - [");
    out.extend_from_slice(time.common.as_bytes());
    out.extend_from_slice(b"] \"");
    if let Some(request) = request {
        escape(request.method.as_str().as_bytes(), out);
        out.push(b' ');
        escape(request.raw_target.as_bytes(), out);
        out.push(b' ');
        out.extend_from_slice(request.protocol().as_bytes());
    } else {
        out.push(b'-');
    }
    out.extend_from_slice(b"\" ");
    for field in [Field::Referer, Field::UserAgent] {
        line.after.extend_from_slice(b" \"");
        match request.and_then(|request| request.values(field).next()) {
            Some(value) => escape(value, &mut line.after),
            None => line.after.push(b'-'),
        }
        line.after.push(b'"');
    }
    line.after.push(b'\n');
}

/// The inside of a JSON string; what is not UTF-8 becomes U+FFFD. The combined format uses the
/// same escapes, so that no value can end its quotes or the line.
fn escape(value: &[u8], out: &mut Vec<u8>) {
    let plain = |b: &u8| matches!(b, 0x20..=0x7e) && !matches!(b, b'"' | b'\\');
    if value.iter().all(plain) {
        out.extend_from_slice(value);
        return;
    }
    for c in String::from_utf8_lossy(value).chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        let mut out = Vec::new();
        escape(b"a\"b\\c\n\x7f\xff\xc3\xbc", &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "a\\\"b\\\\c\\u000a\\u007f\u{fffd}\u{fc}");
    }

    #[test]
    fn times() {
        let mut time = TimeText::default();
        time.set(784_111_777);
        assert_eq!(time.rfc3339, "1994-11-06T08:49:37");
        assert_eq!(time.common, "06/Nov/1994:08:49:37 +0000");
    }
}
