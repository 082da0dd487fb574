//! One request on its way to its answer, whatever protocol brought it.
//!
//! An [`Inquiry`] is what of a request lives across waits: the state of its scripts, and what it
//! had loaded. The request itself is parsed anew after each wait, from bytes that the connection
//! keeps.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use zeroserve_host::{Answer as Decided, Body as ScriptBody, Incoming, Verification};
use zeroserve_http::request::Target;
use zeroserve_http::{Method, Reject, Request};
use zeroserve_proxy::Head;

use crate::access_log::{Asked, Line};
use crate::cached::{self, Answering, Look};
use crate::client_ip::client_ip;
use crate::clock::Now;
use crate::fetching::{self, Fetching};
use crate::limits::Limits;
use crate::live::{self, Live, Watch};
use crate::passing;
use crate::passwords;
use crate::peer::Peer;
use crate::pipeline::{self, Answer, Scratch};
use crate::pools::Pools;
use crate::ruling::{self, Ruling};
use crate::scripted::{Progress, Scripted};
use crate::site::Generation;
use crate::view::{Loaded, Missing, View};
use crate::worker::Worker;

/// Script functions that may wait for a request body or another server at a time, in all workers. Each holds two
/// mappings of the about 65,000 that the system allows a process; a slow client may take minutes.
const MAX_WAITING_FUNCTIONS: usize = 4096;

static WAITING_FUNCTIONS: AtomicUsize = AtomicUsize::new(0);

/// Where an upstream failed that could not even be asked.
const NOT_ASKED: &str = "request";

/// What the access log says of a request that a script left without answer.
pub(crate) const NO_RESPONSE: u16 = 444;

/// What the present state of a request asks for.
pub enum Turn {
    /// Its answer, of which the head was appended.
    Answered(Answer),
    /// That the client gets no answer.
    Nothing,
    /// That others have their turn.
    Slice,
    /// A representation.
    Load(Missing),
    /// Another version of the site, for a while.
    Wait(Watch),
    /// That an upstream answers.
    Pass(Box<Answering>),
}

/// What an upstream's head has come to.
pub enum Passed {
    /// Its status; the head was appended, without framing and without the blank line. The body
    /// follows as it comes.
    Stream(u16),
    /// Another answer: its head was appended.
    Instead(Answer),
    /// Another answer, which takes more than its head: it is made once the upstream is done with
    /// ([`Inquiry::replaced`]).
    Replaced,
    /// Others have their turn before scripts have seen it.
    Slice,
}

/// A password that is being verified.
pub(crate) type Verifying = Pin<Box<dyn Future<Output = Verification>>>;

/// A request on its way.
#[derive(Default)]
pub struct Inquiry {
    /// The site that it is for, as this worker sees it.
    view: Option<Rc<View>>,
    /// When it was looked at first, for the access log: the time since 1970.
    started: Option<Duration>,
    /// What it had to wait for: few, since each answer needs few.
    loaded: Vec<Loaded>,
    /// Its scripts.
    scripted: Option<Scripted>,
    /// The answer, while scripts see its head.
    held: Option<Held>,
    /// For a request whose generation is no longer in force.
    old_view: Option<Box<View>>,
    /// What it means to a browser that is to hear of changes.
    live: Live,
    /// Whether it has waited for another version.
    waited: bool,
    /// What is answered instead of an upstream that failed, and where it did.
    failed: Option<(u16, &'static str)>,
    /// The upstream that is asked because neither scripts nor files have an answer.
    elsewhere: Option<Arc<String>>,
    /// The upstream that was asked, for the access log.
    asked: Option<Box<Asked>>,
}

impl Inquiry {
    /// Run the scripts that see the request.
    #[inline]
    pub fn run_scripts(
        &mut self,
        worker: &Worker,
        request: &Request<'_, '_>,
        peer: &Peer,
    ) -> Progress {
        if worker.log.is_some() && self.started.is_none() {
            self.started = Some(worker.clock.precise());
        }
        if self.held.is_some() || self.failed.is_some() || https_port(request, peer).is_some() {
            return Progress::Done;
        }
        if self.scripted.is_none() {
            worker.views.refresh();
            self.view = worker.views.find(request.host);
            if peer.is_live
                && let Some(view) = &self.view
            {
                self.live = live::look(view, request);
                // Scripts decide about the site; this is not of it.
                if matches!(self.live, Live::Overlay(_) | Live::Poll(_)) {
                    return Progress::Done;
                }
            }
            self.scripted = self.view.as_ref().and_then(|view| begin(worker, view, request, peer));
            if let (Some(scripted), Live::Page(_)) = (&mut self.scripted, self.live) {
                scripted.is_live = true;
            }
        }
        let progress = match (&mut self.scripted, &self.view) {
            (Some(scripted), Some(view)) => scripted.advance(view),
            _ => Progress::Done,
        };
        if matches!(progress, Progress::Done)
            && let Some(view) = &self.view
            && view.generation().options.fallback.is_some()
        {
            self.look_elsewhere(worker, request);
        }
        progress
    }

    /// Decide whether an upstream answers in place of files, which is before its body is read.
    fn look_elsewhere(&mut self, worker: &Worker, request: &Request<'_, '_>) {
        let Some(view) = self.view.as_ref().filter(|_| self.elsewhere.is_none()) else { return };
        let mut scratch = worker.scratch.take();
        let has = match &self.scripted {
            None => {
                let (method, target) = (request.method.as_str(), origin_form(request));
                pipeline::has(&view.generation(), request, method, target, &mut scratch)
            }
            Some(scripted) if scripted.stopped().is_some() => true,
            Some(Scripted { exchange, .. }) if exchange.answer().is_some() => true,
            Some(Scripted { exchange, generation, .. }) => pipeline::has(
                generation,
                request,
                exchange.method(),
                exchange.target(),
                &mut scratch,
            ),
        };
        worker.scratch.replace(scratch);
        if !has {
            self.elsewhere = view.generation().options.fallback.get();
        }
    }

    /// When it was looked at first: the time since 1970.
    #[inline]
    pub fn started(&self, worker: &Worker) -> Duration {
        self.started.unwrap_or_else(|| worker.clock.precise())
    }

    /// Another version was waited for.
    pub fn waited(&mut self) {
        self.waited = true;
    }

    /// Whether it is left out of the access log: nobody asked for it.
    pub fn is_silent(&self) -> bool {
        matches!(self.live, Live::Poll(_))
    }

    /// Whether scripts see it.
    pub fn has_scripts(&self) -> bool {
        self.scripted.is_some()
    }

    /// The body that a script waits for.
    pub fn set_body(&mut self, body: ScriptBody) {
        if let Some(scripted) = &mut self.scripted {
            scripted.exchange.set_body(body);
        }
    }

    /// Look at the password that a script waits for.
    pub(crate) fn verify_password(&mut self) -> Verifying {
        let asked = self.scripted.as_mut().and_then(Scripted::take_password);
        Box::pin(async move {
            match asked {
                Some((password, hash)) => passwords::verify(password, hash).await,
                None => Verification::Busy,
            }
        })
    }

    /// What became of it.
    pub(crate) fn set_verdict(&mut self, verdict: Verification) {
        if let Some(scripted) = &mut self.scripted {
            scripted.exchange.set_verdict(verdict);
        }
    }

    /// Begin the request that a script makes to another server.
    pub fn fetch(&mut self, worker: &Worker) -> Option<Fetching> {
        let waiting = self.wait_for_body().ok();
        let scripted = self.scripted.as_mut()?;
        let request = *scripted.take_fetch()?;
        let (generation, exchange) = (&scripted.generation, &scripted.exchange);
        Some(fetching::start(worker, generation, exchange, request, waiting))
    }

    /// What came of it.
    pub fn set_fetched(&mut self, outcome: fetching::Outcome) {
        if let Some(scripted) = &mut self.scripted {
            scripted.exchange.set_fetched(outcome);
        }
    }

    /// A place among those that wait for a body, if there is one.
    pub fn wait_for_body(&self) -> Result<Waiting, Reject> {
        Waiting::new(self.scripted.as_ref().map_or(0, Scripted::depth))
    }

    /// Answer, once the scripts that see the request are done; appends a head to `out`.
    #[inline]
    pub fn answer(
        &mut self,
        worker: &Worker,
        request: &Request<'_, '_>,
        peer: &Peer,
        out: &mut Vec<u8>,
    ) -> Turn {
        let now = worker.clock.now();
        if let Some(port) = https_port(request, peer) {
            return Turn::Answered(to_https(request, port, now, out));
        }
        let Some(own) = &self.view else {
            let why = ": no site of that name here";
            return Turn::Answered(pipeline::say(421, &[], why, now, request.method, out));
        };
        match self.live {
            Live::Off | Live::Page(_) => {}
            Live::Overlay(version) => {
                let answer = live::overlay(version, own.site(), request.method, now, out);
                own.count(answer.status);
                return Turn::Answered(answer);
            }
            Live::Poll(seen) => {
                return match live::poll(own, seen, self.waited, now, out) {
                    Ok(answer) => Turn::Answered(answer),
                    Err(watch) => Turn::Wait(watch),
                };
            }
        }
        let start = out.len();
        let mut scratch = worker.scratch.take();
        let answered = match (&mut self.scripted, self.held.take()) {
            (None, _) if self.failed.is_some() => {
                let status = self.failed.map_or(502, |(status, _)| status);
                Ok(Ruled::Now(pipeline::text(status, now, request.method, out)))
            }
            (None, _) => match &self.elsewhere {
                Some(fallback) => Ok(Ruled::Pass(String::clone(fallback), false)),
                None => {
                    let loaded = &self.loaded;
                    let is_page = matches!(self.live, Live::Page(_));
                    let respond = if is_page { live::respond } else { pipeline::respond };
                    respond(own, request, now, loaded, &mut scratch, out).map(Ruled::Now)
                }
            },
            // Nothing that scripts have decided, and no failure.
            (Some(_), None) if self.elsewhere.is_some() && self.failed.is_none() => {
                let fallback = self.elsewhere.as_deref().cloned();
                Ok(Ruled::Pass(fallback.unwrap_or_default(), false))
            }
            (Some(scripted), held) => {
                let view = match &mut self.old_view {
                    None if scripted.generation.number != own.number() => {
                        let view = own.of(Rc::clone(&scripted.generation));
                        &**self.old_view.insert(Box::new(view))
                    }
                    None => &**own,
                    Some(view) => view,
                };
                let failed = self.failed;
                rule(scripted, held, failed, view, request, now, &self.loaded, &mut scratch, out)
            }
        };
        worker.scratch.replace(scratch);
        match answered {
            Ok(Ruled::Now(mut answer)) => {
                if let Live::Page(version) = self.live {
                    live::dress(version, request.method, start, &mut answer, out);
                }
                own.count(answer.status);
                Turn::Answered(answer)
            }
            Ok(Ruled::Held(held)) => {
                self.held = Some(held);
                Turn::Slice
            }
            Ok(Ruled::Load(held, missing)) => {
                self.held = Some(held);
                Turn::Load(missing)
            }
            Ok(Ruled::Nothing) => Turn::Nothing,
            Ok(Ruled::Pass(url, cache)) => self.pass(worker, request, peer, &url, cache, out),
            Err(missing) => Turn::Load(missing),
        }
    }

    /// Pass the request on.
    fn pass(
        &mut self,
        worker: &Worker,
        request: &Request<'_, '_>,
        peer: &Peer,
        url: &str,
        cache: bool,
        out: &mut Vec<u8>,
    ) -> Turn {
        let start = out.len();
        let generation = match (&self.scripted, &self.view) {
            (Some(scripted), _) => Some(Rc::clone(&scripted.generation)),
            (None, view) => view.as_ref().map(|view| Rc::clone(&view.generation())),
        };
        let none = Pools::default();
        let asked = cached::Asked {
            worker,
            request,
            exchange: self.scripted.as_ref().map(|scripted| &*scripted.exchange),
            peer,
            pools: generation.as_ref().map_or(&none, |generation| &generation.pools),
            url,
        };
        let site = self.view.as_ref().map_or(0, |view| view.site().id);
        match cached::look(&asked, site, cache, out) {
            Look::Pass(answering) => Turn::Pass(answering),
            Look::Answer(answer) => self.answer_kept(worker, request, peer, answer, start, out),
            Look::Fail(status) => {
                self.failed = Some((status, NOT_ASKED));
                self.answer(worker, request, peer, out)
            }
        }
    }

    /// Answer with what was kept of an upstream, once scripts that see responses have seen it.
    fn answer_kept(
        &mut self,
        worker: &Worker,
        request: &Request<'_, '_>,
        peer: &Peer,
        answer: Answer,
        start: usize,
        out: &mut Vec<u8>,
    ) -> Turn {
        if let Some(scripted) = &mut self.scripted {
            let is_seen = scripted.sees_response();
            if is_seen {
                ruling::show(scripted, &out[start..], answer.status);
            }
            if is_seen || ruling::changes_head(scripted) {
                self.held = Some(Held { head: out.split_off(start), answer });
                return self.answer(worker, request, peer, out);
            }
        }
        if let Some(view) = &self.view {
            view.count(answer.status);
        }
        Turn::Answered(answer)
    }

    /// Whether an upstream answers, which then gets the body.
    pub fn is_passed_on(&self) -> bool {
        if self.elsewhere.is_some() {
            return self.failed.is_none();
        }
        let scripted =
            self.scripted.as_ref().filter(|s| self.failed.is_none() && s.stopped().is_none());
        matches!(
            scripted.and_then(|scripted| scripted.exchange.answer()),
            Some(Decided::ReverseProxy { .. })
        )
    }

    /// Most bytes of a body that goes to an upstream.
    pub fn upload_limit(&self, limits: &Limits) -> u64 {
        let own = self.scripted.as_ref().map_or(u64::MAX, |s| s.exchange.upload_limit());
        limits.max_upload_bytes.min(own)
    }

    /// The upstream gave no answer: the next one that is asked for says so, and so does its line in
    /// the access log.
    pub fn fail(&mut self, worker: &Worker, passage: &Answering, line: Option<Line>) {
        let Some(failure) = passage.failure() else { return };
        passing::tell(passage.name(), failure);
        self.failed = Some((failure.status(), failure.phase.name()));
        self.asked = line.and_then(|line| line.upstream).map(|mut asked| {
            asked.until = Some(worker.clock.precise());
            asked.error = Some(failure.to_string());
            asked
        });
    }

    /// The content of an upstream's answer was replaced: the next answer that is asked for has what
    /// is sent instead.
    pub fn replaced(&mut self, line: Option<Line>) {
        self.elsewhere = None;
        self.asked = line.and_then(|line| line.upstream);
    }

    /// The upstream that was asked in vain, for the access log.
    pub(crate) fn take_asked(&mut self) -> Option<Box<Asked>> {
        self.asked.take()
    }

    /// Show an upstream's head to the scripts that see responses, and append what they make of it.
    pub fn pass_head(
        &mut self,
        worker: &Worker,
        head: &Head,
        is_head: bool,
        out: &mut Vec<u8>,
    ) -> Passed {
        let now = worker.clock.now();
        let start = out.len();
        let mut status = head.status;
        let held = self.held.take();
        let Some(own) = &self.view else { return Passed::Stream(status) };
        if let Some(scripted) = &mut self.scripted {
            match held {
                Some(Held { head, .. }) => out.extend_from_slice(&head),
                None => {
                    passing::write_head(out, head, now);
                    if scripted.sees_response() {
                        let mut shown = out[start..].to_vec();
                        if let Some(length) = head.length {
                            shown.extend_from_slice(
                                format!("Content-Length: {length}\r\n").as_bytes(),
                            );
                        }
                        ruling::show(scripted, &shown, status);
                    } else if !ruling::changes_head(scripted) {
                        own.count(status);
                        return Passed::Stream(status);
                    }
                }
            }
            let other = scripted.generation.number != own.number();
            let other = other.then(|| own.of(Rc::clone(&scripted.generation)));
            let view = other.as_ref().unwrap_or(own);
            loop {
                match scripted.advance(view) {
                    Progress::Done => break,
                    // The request's body is of the past.
                    Progress::Body(_) => scripted.exchange.set_body(ScriptBody::Missing),
                    Progress::Password => scripted.exchange.set_verdict(Verification::Busy),
                    // No helper asks for that while there is a response.
                    Progress::Fetch => break,
                    Progress::Slice => {
                        let answer = Answer { status, body: pipeline::Body::Empty };
                        self.held = Some(Held { head: out.split_off(start), answer });
                        return Passed::Slice;
                    }
                }
            }
            if ruling::replacement(scripted).is_some() {
                let answer = Answer { status, body: pipeline::Body::Empty };
                self.held = Some(Held { head: out.split_off(start), answer });
                return Passed::Replaced;
            }
            let method = if is_head { Method::Head } else { Method::Get };
            let instead = ruling::finish_passed(scripted, method, now, &mut status, start, out);
            if let Some(answer) = instead {
                own.count(answer.status);
                return Passed::Instead(answer);
            }
        } else {
            passing::write_head(out, head, now);
        }
        own.count(status);
        Passed::Stream(status)
    }

    /// The generation to load from what is missing; to be taken before waiting, since the key
    /// means nothing in another one.
    pub fn generation(&self) -> Option<Arc<Generation>> {
        let view = self.old_view.as_deref().or(self.view.as_deref())?;
        Some(Arc::clone(&**view.generation()))
    }

    /// What was loaded.
    pub fn add(&mut self, loaded: Loaded) {
        self.loaded.push(loaded);
    }

    /// What the listener adds to an answer with this head. A script's word counts, and a second
    /// field of that name would be none at all.
    #[inline]
    pub fn header<'a>(&self, head: &[u8], peer: &'a Peer) -> &'a str {
        let header = peer.front.header.as_str();
        let is_theirs = !header.is_empty() && self.scripted.is_some();
        if is_theirs && has_field_of(head, header) { "" } else { header }
    }

    /// The request has its answer; returns the fuel that its scripts used since others had their
    /// turn.
    #[inline]
    pub fn finish(&mut self, worker: &Worker) -> u64 {
        self.loaded.clear();
        self.view = None;
        self.started = None;
        self.live = Live::Off;
        self.waited = false;
        self.failed = None;
        self.elsewhere = None;
        self.asked = None;
        let Some(mut scripted) = self.scripted.take() else { return 0 };
        self.old_view = None;
        let fuel = scripted.fuel_since_slice();
        scripted.count(&worker.stats);
        worker.give_exchange(scripted.exchange);
        fuel
    }
}

/// An answer without its head, which is with the scripts.
struct Held {
    head: Vec<u8>,
    answer: Answer,
}

/// The place of the functions of a request among those that wait for a body.
pub struct Waiting(usize);

impl Waiting {
    fn new(functions: usize) -> Result<Self, Reject> {
        let waiting = Self(functions);
        let others = WAITING_FUNCTIONS.fetch_add(functions, Ordering::Relaxed);
        if others + functions > MAX_WAITING_FUNCTIONS { Err(Reject::Busy) } else { Ok(waiting) }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING_FUNCTIONS.fetch_sub(self.0, Ordering::Relaxed);
    }
}

/// What the scripts of a request have come to.
enum Ruled {
    Now(Answer),
    /// Those that see the response are not done.
    Held(Held),
    /// They have replaced its content by what has to be loaded.
    Load(Held, Missing),
    /// The client gets no answer.
    Nothing,
    /// The upstream of this URL answers, or the cache if that is wanted.
    Pass(String, bool),
}

/// Begin with the scripts, when there are any.
fn begin(worker: &Worker, view: &View, request: &Request<'_, '_>, peer: &Peer) -> Option<Scripted> {
    let generation = match &worker.oracle {
        None => view.scripted()?,
        Some(_) => Rc::clone(&view.generation()),
    };
    let mut exchange = worker.take_exchange();
    let incoming = Incoming {
        method: request.method.as_str(),
        target: origin_form(request),
        scheme: peer.scheme(),
        peer: &peer.address,
        version: request.version(),
        tls: peer.tls(),
    };
    // The host in the target overrides that of the field (RFC 9112, section 3.2.2).
    let is_host = |name: &str| name.eq_ignore_ascii_case("host");
    let fields = request.headers();
    let fields = fields.map(|(name, v)| (name, if is_host(name) { request.host } else { v }));
    let named = request.host.is_empty() || request.headers().any(|(name, _)| is_host(name));
    exchange.begin(&incoming, fields.chain((!named).then_some(("Host", request.host))));
    if !worker.trusted_proxies.is_empty()
        && worker.trusts(&peer.ip)
        && let Ok(ip) = peer.ip.parse()
    {
        let fields: Vec<_> = request.headers().collect();
        let fields = fields.into_iter();
        exchange.set_client_ip(client_ip(ip, fields, &worker.trusted_proxies));
    }
    let mut scripted = Scripted::new(generation, exchange);
    scripted.record(worker.record.clone());
    scripted.ask(worker.oracle.clone());
    Some(scripted)
}

/// Path and query of the target: what a script compares with `/private` has to begin there, also
/// when a client sends a whole URL.
pub(crate) fn origin_form<'b>(request: &Request<'_, 'b>) -> &'b str {
    let raw = request.raw_target;
    if request.target == Target::Asterisk {
        return "*";
    }
    if raw.starts_with('/') {
        return raw;
    }
    let rest = raw.split_once("://").map_or(raw, |(_, rest)| rest);
    rest.find('/').map_or("/", |at| &rest[at..])
}

/// Answer as the scripts have it, and show the head to those that see responses.
#[allow(clippy::too_many_arguments)]
fn rule(
    scripted: &mut Scripted,
    held: Option<Held>,
    failed: Option<(u16, &'static str)>,
    view: &View,
    request: &Request<'_, '_>,
    now: Now,
    loaded: &[Loaded],
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<Ruled, Missing> {
    let start = out.len();
    let mut answer = match held {
        Some(Held { head, answer }) => {
            out.extend_from_slice(&head);
            answer
        }
        None => {
            let ruling = match failed {
                Some((status, phase)) => {
                    scripted.exchange.set_upstream_error(Some(phase));
                    Ruling::Answer(ruling::failed(
                        scripted, status, view, request, now, loaded, scratch, out,
                    )?)
                }
                None => ruling::answer(scripted, view, request, now, loaded, scratch, out)?,
            };
            let answer = match ruling {
                Ruling::Answer(answer) => answer,
                Ruling::Nothing => return Ok(Ruled::Nothing),
                Ruling::Pass(url, cache) => return Ok(Ruled::Pass(url, cache)),
            };
            if scripted.sees_response() {
                ruling::show(scripted, &out[start..], answer.status);
            } else if !ruling::changes_head(scripted) {
                return Ok(Ruled::Now(answer));
            }
            answer
        }
    };
    loop {
        match scripted.advance(view) {
            Progress::Done => break,
            // The request's body is of the past.
            Progress::Body(_) => scripted.exchange.set_body(ScriptBody::Missing),
            Progress::Password => scripted.exchange.set_verdict(Verification::Busy),
            // No helper asks for that while there is a response.
            Progress::Fetch => break,
            Progress::Slice => {
                let head = out.split_off(start);
                return Ok(Ruled::Held(Held { head, answer }));
            }
        }
    }
    let finished =
        ruling::finish(scripted, view, request, now, loaded, scratch, &mut answer, start, out);
    Ok(match finished {
        Ok(()) => Ruled::Now(answer),
        Err(missing) => Ruled::Load(Held { head: out.split_off(start), answer }, missing),
    })
}

/// Whether a head has a field of the name that a header line begins with.
fn has_field_of(head: &[u8], line: &str) -> bool {
    let Some(name) = line.find(':').map(|colon| &line.as_bytes()[..=colon]) else { return false };
    let begins = |line: &[u8]| line.get(..name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name));
    head.split(|byte| *byte == b'\n').any(begins)
}

/// The port of HTTPS to which a request is sent on.
fn https_port(request: &Request<'_, '_>, peer: &Peer) -> Option<u16> {
    peer.front.https_port.filter(|_| !is_for_acme(request))
}

/// Whether a certificate authority asks for its challenge, which it does without encryption
/// (RFC 8555, section 8.3).
fn is_for_acme(request: &Request<'_, '_>) -> bool {
    let Target::Path { path, .. } = request.target else { return false };
    // Nothing but the token: no way on to other files.
    let token = path.strip_prefix("/.well-known/acme-challenge/");
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
    token.is_some_and(|token| token.bytes().all(fits))
}

/// Send the client to the same place over HTTPS.
fn to_https(request: &Request<'_, '_>, port: u16, now: Now, out: &mut Vec<u8>) -> Answer {
    let host = String::from_utf8_lossy(request.host);
    let end = match host.rfind(']') {
        Some(bracket) => bracket + 1,
        None => host.find(':').unwrap_or(host.len()),
    };
    if end == 0 {
        return pipeline::nowhere(request, now, out);
    }
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let target = match origin_form(request) {
        "*" => "/",
        target => target,
    };
    pipeline::moved(&format!("https://{}{port}{target}", &host[..end]), request, now, out)
}
