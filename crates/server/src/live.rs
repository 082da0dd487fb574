//! What a directory is served with on the developer's own machine: open pages load themselves anew
//! when it changes, and what keeps a script from compiling is shown in place of the page.
//!
//! All of this is for browsers that come to a loopback listener over loopback and name it so:
//! behind a proxy, or by a name that somebody else chose, a request gets what anybody gets. It is
//! never there for an archive. A request pays one look at a flag of its connection for it.

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use zeroserve_http::request::Target;
use zeroserve_http::{Method, Request};

use crate::clock::Now;
use crate::pipeline::{self, Answer, Body, Scratch, field, length, write_start};
use crate::ruling::{self, MAX_TEMPLATE_BYTES};
use crate::site::Site;
use crate::sites::host_name;
use crate::view::{Loaded, Missing, View};
use crate::worker::Worker;

/// Where pages ask whether there is something new. Nothing below `.zeroserve/` is ever served.
pub const PATH: &str = "/.zeroserve/live";

/// How long a page waits for news until it asks again.
const WAIT: Duration = Duration::from_secs(25);

/// How often somebody who waits looks whether the server ends.
const LOOK: Duration = Duration::from_millis(250);

/// Pages that wait at a time, in all workers; others are told to come back.
const MAX_WAITING: usize = 256;

static WAITING: AtomicUsize = AtomicUsize::new(0);

/// Fields that somebody in between adds: who sends them is not a browser on this machine.
const FORWARDED: [&str; 5] =
    ["forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/// The overlay is markup of ours with escaped text, and loads nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                      connect-src 'self'";

/// What a request means to all this.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Live {
    /// Nothing.
    #[default]
    Off,
    /// A browser wants a page: that of this version, if it is one.
    Page(u64),
    /// A browser wants a page of a site whose last state was refused.
    Overlay(u64),
    /// A page asks whether there is another version than this.
    Poll(u64),
}

/// Somebody waits for another version of a site.
pub struct Watch {
    site: Arc<Site>,
    seen: u64,
}

/// See what a request of a browser on this machine is about.
pub(crate) fn look(view: &View, request: &Request<'_, '_>) -> Live {
    if !view.generation().live || !is_own(request) {
        return Live::Off;
    }
    let Target::Path { path, query } = request.target else { return Live::Off };
    if path == PATH && request.method == Method::Get {
        return Live::Poll(query.and_then(|seen| seen.parse().ok()).unwrap_or(0));
    }
    if !matches!(request.method, Method::Get | Method::Head) || !wants_page(request) {
        return Live::Off;
    }
    // Before anything is looked up: a page that is older than it says loads itself once more.
    let version = view.site().version();
    if view.site().failure().is_some() { Live::Overlay(version) } else { Live::Page(version) }
}

/// Whether a browser on this machine sent it, by a name of this machine.
fn is_own(request: &Request<'_, '_>) -> bool {
    if request.headers().any(|(name, _)| ruling::is_one_of(&FORWARDED, name)) {
        return false;
    }
    let mut buf = [0; 255];
    let Some(name) = host_name(request.host, &mut buf) else { return false };
    let literal = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    name == "localhost"
        || name.ends_with(".localhost")
        || literal.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether it is for a page that is to be shown: scripts that fetch a piece of one get the piece.
fn wants_page(request: &Request<'_, '_>) -> bool {
    let html = |value: &[u8]| {
        value.split(|byte| *byte == b',').any(|part| {
            let essence = part.split(|byte| *byte == b';').next().unwrap_or_default();
            essence.trim_ascii().eq_ignore_ascii_case(b"text/html")
        })
    };
    let mut accepted = false;
    for (name, value) in request.headers() {
        accepted |= name.eq_ignore_ascii_case("accept") && html(value);
        if name.eq_ignore_ascii_case("sec-fetch-dest") && value != b"document" {
            return false;
        }
    }
    accepted
}

/// As [`pipeline::respond`], but a page comes whole and as it is, so that there is room in it.
pub(crate) fn respond(
    view: &View,
    request: &Request<'_, '_>,
    now: Now,
    loaded: &[Loaded],
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<Answer, Missing> {
    let start = out.len();
    let whole = ruling::whole(request, |request| {
        pipeline::respond(view, request, now, loaded, scratch, out)
    });
    if let Some(answer) = whole.transpose()?
        && is_page(&out[start..])
    {
        // What is there in compressed form alone is there for clients that take it.
        let other = match answer.status {
            404 => pipeline::respond(view, request, now, loaded, scratch, &mut Vec::new()),
            _ => return Ok(answer),
        };
        // Nothing of an answer that waits for something to be loaded.
        let other = other.inspect_err(|_| out.truncate(start))?;
        if other.status == 404 {
            return Ok(answer);
        }
    }
    out.truncate(start);
    pipeline::respond(view, request, now, loaded, scratch, out)
}

/// Put the script that asks for news into a page, whose head begins at `start`; any other answer
/// stays as it is.
pub(crate) fn dress(
    version: u64,
    method: Method<'_>,
    start: usize,
    answer: &mut Answer,
    out: &mut Vec<u8>,
) {
    if matches!(answer.status, 204 | 206 | 304) || !is_page(&out[start..]) {
        return;
    }
    let script = script(version);
    let page = match std::mem::replace(&mut answer.body, Body::Empty) {
        Body::Empty => Vec::new(),
        Body::Bytes(page) => page,
        Body::Part(local, part) if part.len == local.size() && part.len <= MAX_TEMPLATE_BYTES => {
            match ruling::page(&local) {
                Some(page) => page,
                None => return answer.body = Body::Part(local, part),
            }
        }
        other => return answer.body = other,
    };
    let head = out.split_off(start);
    let stored = ruling::fields(&head)
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse::<u64>().ok());
    let line = head.windows(2).position(|end| end == b"\r\n").map_or(head.len(), |at| at + 2);
    out.extend_from_slice(&head[..line]);
    for (name, value) in ruling::fields(&head) {
        if !ruling::is_one_of(&ruling::STORED, name) {
            ruling::append(out, name, value);
        }
    }
    if method == Method::Head {
        length(out, stored.unwrap_or(0) + script.len() as u64);
        return;
    }
    let page = with_script(page, &script);
    length(out, page.len() as u64);
    answer.body = Body::Bytes(page);
}

/// Show why the last state of the site was refused.
pub(crate) fn overlay(
    version: u64,
    site: &Site,
    method: Method<'_>,
    now: Now,
    out: &mut Vec<u8>,
) -> Answer {
    let page = site.failure().map(|page| page.as_bytes().to_vec()).unwrap_or_default();
    let page = with_script(page, &script(version));
    write_start(out, 500, now);
    field(out, "Content-Type", "text/html; charset=utf-8");
    length(out, page.len() as u64);
    field(out, "Cache-Control", "no-store");
    field(out, "Content-Security-Policy", POLICY);
    field(out, "X-Content-Type-Options", "nosniff");
    let body = if method == Method::Head { Body::Empty } else { Body::Bytes(page) };
    Answer { status: 500, body }
}

/// Say which version there is, or what to wait for before that is said.
pub(crate) fn poll(
    view: &View,
    seen: u64,
    waited: bool,
    now: Now,
    out: &mut Vec<u8>,
) -> Result<Answer, Watch> {
    let version = view.site().version();
    if version == seen && !waited {
        return Err(Watch { site: Arc::clone(view.site()), seen });
    }
    let text = version.to_string().into_bytes();
    write_start(out, 200, now);
    field(out, "Content-Type", "text/plain; charset=utf-8");
    length(out, text.len() as u64);
    field(out, "Cache-Control", "no-store");
    field(out, "X-Content-Type-Options", "nosniff");
    Ok(Answer { status: 200, body: Body::Bytes(text) })
}

/// Wait for another version, for a while, or for the end of the server.
pub(crate) async fn wait(worker: Rc<Worker>, Watch { site, seen }: Watch) {
    let _place = Place::new();
    let until = Instant::now() + WAIT;
    let few = WAITING.load(Ordering::Relaxed) <= MAX_WAITING;
    while few && site.version() == seen && !worker.draining.get() && Instant::now() < until {
        let (mut news, mut pause) = (pin!(site.bell().changed()), pin!(tokio::time::sleep(LOOK)));
        poll_fn(|cx| {
            let ready = news.as_mut().poll(cx).is_ready() || pause.as_mut().poll(cx).is_ready();
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

/// Counts who waits.
struct Place;

impl Place {
    fn new() -> Self {
        WAITING.fetch_add(1, Ordering::Relaxed);
        Self
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a head is that of a page as it is.
fn is_page(head: &[u8]) -> bool {
    let mut html = false;
    for (name, value) in ruling::fields(head) {
        if name.eq_ignore_ascii_case("content-type") {
            let essence = value.split(|byte| *byte == b';').next().unwrap_or_default();
            html = essence.trim_ascii().eq_ignore_ascii_case(b"text/html");
        }
        if name.eq_ignore_ascii_case("content-encoding") {
            return false;
        }
    }
    html
}

/// A hidden page does not ask: browsers have few connections for all the pages of one host. A new
/// one waits a moment, until all that it loads itself is there.
fn script(version: u64) -> String {
    format!(
        "<script>(()=>{{let a=null;const look=async()=>{{if(a||document.hidden)return;\
         a=new AbortController;let pause=1000;try{{const r=await fetch(\"{PATH}?{version}\",\
         {{cache:\"no-store\",signal:a.signal}});if(r.ok){{if(await r.text()!==\"{version}\")\
         return location.reload();pause=100}}else if(r.status===404)return}}catch{{}}a=null;\
         setTimeout(look,pause)}};document.addEventListener(\"visibilitychange\",()=>\
         {{if(document.hidden)a?.abort();else look()}});setTimeout(look,1000)}})()</script>"
    )
}

/// Before the last `</body>`, or at the end.
fn with_script(mut page: Vec<u8>, script: &str) -> Vec<u8> {
    const END: &[u8] = b"</body";
    let found = page.windows(END.len()).rposition(|part| part.eq_ignore_ascii_case(END));
    let at = found.unwrap_or(page.len());
    page.splice(at..at, script.bytes());
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn place_of_the_script() {
        let with =
            |page: &str| String::from_utf8(with_script(page.into(), "!")).unwrap_or_default();
        assert_eq!(with("<p>a</p>"), "<p>a</p>!");
        assert_eq!(with("<body>a</BODY></html>"), "<body>a!</BODY></html>");
        assert_eq!(with("</body>a</body >"), "</body>a!</body >");
        assert_eq!(with(""), "!");
    }

    #[test]
    fn pages() {
        let head = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}\r\n");
        assert!(is_page(head("Content-Type: Text/HTML; charset=utf-8").as_bytes()));
        assert!(!is_page(head("Content-Type: text/plain").as_bytes()));
        assert!(!is_page(head("Content-Type: text/html\r\nContent-Encoding: br").as_bytes()));
        assert!(!is_page(head("X: text/html").as_bytes()));
    }
}
