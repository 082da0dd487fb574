//! From a request to an answer. No I/O: what has to be read first is reported as missing.

use std::io;
use std::rc::Rc;

use bytes::Bytes;
use zeroserve_archive::{EntryId, Variant};
use zeroserve_http::conditions::{self, Outcome};
use zeroserve_http::negotiate::Weights;
use zeroserve_http::range::{self, Asked, Part};
use zeroserve_http::request::{Field, Target};
use zeroserve_http::{Method, Reject, Request, path, status};

use crate::clock::Now;
use crate::notice::Notice;
use crate::representation::{Coded, Key};
use crate::sending::{Around, Page};
use crate::site::Generation;
use crate::view::{Loaded, Local, Missing, View};

/// Methods that files answer, as the Allow field lists them.
pub(crate) const ALLOW: &str = "GET, HEAD, OPTIONS";

/// Page that is sent with a 404 when the site has it.
pub(crate) const NOT_FOUND_PAGE: &str = "404.html";

static UNREADABLE: Notice = Notice::new();

/// An answer whose head, all but the blank line, was written.
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// What follows the head.
    pub body: Body,
}

/// The content of an answer.
pub enum Body {
    /// Nothing.
    Empty,
    /// What the server or a script made for this answer.
    Bytes(Vec<u8>),
    /// Bytes that others have as well.
    Shared(Bytes),
    /// Bytes of a representation.
    Part(Local, Part),
    /// `multipart/byteranges`.
    Parts(Local, Vec<(String, Part)>),
}

impl Body {
    /// Bytes of content.
    pub fn size(&self) -> u64 {
        match self {
            Self::Empty => 0,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Shared(bytes) => bytes.len() as u64,
            Self::Part(_, part) => part.len,
            Self::Parts(_, parts) => {
                parts.iter().map(|(head, part)| head.len() as u64 + part.len).sum()
            }
        }
    }
}

/// Answer one request: append the head to `out`, without the blank line.
///
/// When a representation has to be loaded first, `out` is as it was and the caller comes back
/// with what was loaded.
pub fn respond(
    view: &View,
    request: &Request<'_, '_>,
    now: Now,
    loaded: &[Loaded],
    scratch: &mut Scratch,
    out: &mut Vec<u8>,
) -> Result<Answer, Missing> {
    let start = out.len();
    let generation = view.generation();
    let mut exchange = Exchange { view, generation: &generation, request, now, loaded, out };
    let answer = exchange.answer(scratch);
    if answer.is_err() {
        out.truncate(start);
    }
    answer
}

/// Whether files have an answer to a request, of which scripts may have changed method and target:
/// anything but that there is no such file, or that the method is not for files.
pub fn has(
    generation: &Generation,
    request: &Request<'_, '_>,
    method: &str,
    target: &str,
    scratch: &mut Scratch,
) -> bool {
    if !matches!(method, "GET" | "HEAD" | "OPTIONS" | "CONNECT") {
        return false;
    }
    let path = target.split_once('?').map_or(target, |(path, _)| path);
    if !path.starts_with('/') {
        return true;
    }
    let Scratch { path: decoded, name } = scratch;
    match path::resolve(path, decoded) {
        Err(path::BadPath(_)) => true,
        Ok(None) => false,
        Ok(Some(path)) => !matches!(find(generation, request, path, name), Found::Nothing),
    }
}

/// Whether a path, decoded, names a file, or a directory that has an index page, for some client.
pub(crate) fn is_there(generation: &Generation, path: &str, name: &mut String) -> bool {
    let index = generation.archive.index();
    let options = &generation.options;
    let is_directory = path.is_empty() || path.ends_with('/');
    if !is_directory {
        if index.lookup(path).is_some() {
            return true;
        }
        if options.try_html {
            join(name, path, ".html");
            if index.lookup(name).is_some() {
                return true;
            }
        }
    }
    join(name, path, if is_directory { "" } else { "/" });
    name.push_str(&options.index);
    if index.lookup(name).is_some() {
        return true;
    }
    if !is_directory {
        join(name, path, "");
    }
    let len = name.len();
    Variant::ALL.iter().any(|variant| {
        name.truncate(len);
        name.push_str(variant.suffix());
        index.lookup(name).is_some()
    })
}

/// The file of a path, decoded, to be sent whatever was asked for; `plain`: without coding, if it is
/// there without. `None` when there is none for this client.
pub(crate) fn page(
    around: &Around<'_, '_, '_>,
    path: &str,
    plain: bool,
    scratch: &mut Scratch,
) -> Result<Option<Page>, Missing> {
    let Around { view, request, now, loaded } = around;
    let generation = view.generation();
    let index = generation.archive.index();
    let name = &mut scratch.name;
    let entry = match find(&generation, request, path, name) {
        Found::Entry(entry) => Some(entry),
        Found::AddSlash => {
            join(name, path, "/");
            name.push_str(&generation.options.index);
            index.lookup(name)
        }
        Found::Siblings(Some(key)) => {
            let local = view.get(key, now.seconds, loaded)?.ok();
            let page = |local| Page { local, coding: key.coding(), varies: true };
            return Ok(local.map(page));
        }
        Found::Siblings(None) | Found::Nothing => None,
    };
    let Some(entry) = entry else { return Ok(None) };
    let coded = if plain { Coded::No } else { chosen(&generation, request, entry) };
    let varies = !plain && index.entry(entry).has_variants();
    let mut key = Key { entry, coded };
    let mut found = view.get(key, now.seconds, loaded)?;
    if found.is_err() && coded != Coded::No {
        // In a directory the sibling may be gone while the file is still there.
        key = Key { entry, coded: Coded::No };
        found = view.get(key, now.seconds, loaded)?;
    }
    Ok(found.ok().map(|local| Page { local, coding: key.coding(), varies }))
}

/// The content coding that a client likes best.
fn chosen(generation: &Generation, request: &Request<'_, '_>, entry: EntryId) -> Coded {
    let entry = generation.archive.index().entry(entry);
    if !entry.has_variants() || !request.has(Field::AcceptEncoding) {
        return Coded::No;
    }
    let weights = Weights::parse(request.values(Field::AcceptEncoding));
    let chosen = weights.choose(Variant::ALL.map(|variant| entry.variant(variant).is_some()));
    chosen.map_or(Coded::No, |at| Coded::Sibling(Variant::ALL[at]))
}

/// Answer a request that is refused by its form.
pub fn refuse(reject: Reject, now: Now, out: &mut Vec<u8>) -> Answer {
    let code = reject.status();
    let text = format!("{code} {}: {}\n", status::reason(code), reject.explain());
    write_start(out, code, now);
    write_text_fields(out, &text);
    Answer { status: code, body: Body::Bytes(text.into_bytes()) }
}

/// Buffers that are used again for every request.
#[derive(Default)]
pub struct Scratch {
    path: Vec<u8>,
    name: String,
}

impl Scratch {
    /// The path as files are found by it, when it can name one.
    pub fn resolve<'a>(&'a mut self, path: &'a str) -> Option<&'a str> {
        path::resolve(path, &mut self.path).ok().flatten()
    }
}

struct Exchange<'a, 'h, 'b> {
    view: &'a View,
    generation: &'a Generation,
    request: &'a Request<'h, 'b>,
    now: Now,
    loaded: &'a [Loaded],
    out: &'a mut Vec<u8>,
}

/// What a path means.
enum Found {
    Entry(EntryId),
    /// Only precompressed siblings of it are there, of which the client takes one or none.
    Siblings(Option<Key>),
    /// A directory asked for without its slash.
    AddSlash,
    Nothing,
}

/// What a path, decoded, means.
fn find(
    generation: &Generation,
    request: &Request<'_, '_>,
    path: &str,
    name: &mut String,
) -> Found {
    let index = generation.archive.index();
    let options = &generation.options;
    if path.is_empty() || path.ends_with('/') {
        join(name, path, &options.index);
        return match index.lookup(name) {
            Some(entry) => Found::Entry(entry),
            None => find_sibling(generation, request, &name.clone(), name),
        };
    }
    if let Some(entry) = index.lookup(path) {
        return Found::Entry(entry);
    }
    if options.try_html {
        join(name, path, ".html");
        if let Some(entry) = index.lookup(name) {
            return Found::Entry(entry);
        }
    }
    join(name, path, "/");
    name.push_str(&options.index);
    if index.lookup(name).is_some() {
        Found::AddSlash
    } else {
        find_sibling(generation, request, path, name)
    }
}

/// Some trees keep only the compressed form of a page.
fn find_sibling(
    generation: &Generation,
    request: &Request<'_, '_>,
    path: &str,
    name: &mut String,
) -> Found {
    let siblings = Variant::ALL.map(|variant| {
        join(name, path, variant.suffix());
        generation.archive.index().lookup(name)
    });
    if siblings == [None; 3] {
        return Found::Nothing;
    }
    let weights = Weights::parse(request.values(Field::AcceptEncoding));
    let chosen = weights.choose(siblings.map(|sibling| sibling.is_some()));
    let key = chosen.and_then(|at| {
        siblings[at].map(|entry| Key { entry, coded: Coded::Alone(Variant::ALL[at]) })
    });
    Found::Siblings(key)
}

impl Exchange<'_, '_, '_> {
    fn answer(&mut self, scratch: &mut Scratch) -> Result<Answer, Missing> {
        match self.request.method {
            Method::Get | Method::Head => {}
            Method::Options => {
                write_start(self.out, 204, self.now);
                field(self.out, "Allow", ALLOW);
                return Ok(Answer { status: 204, body: Body::Empty });
            }
            Method::Other(_) => return Ok(self.text(405, &[("Allow", ALLOW)], "")),
        }
        let Target::Path { path, query } = self.request.target else {
            return Ok(self.text(400, &[], ": '*' is a target for OPTIONS only"));
        };
        let Scratch { path: decoded, name } = scratch;
        let decoded = match path::resolve(path, decoded) {
            Ok(decoded) => decoded,
            Err(path::BadPath(why)) => return Ok(self.text(400, &[], &format!(": {why}"))),
        };
        let Some(decoded) = decoded else { return self.not_found(false) };
        match find(self.generation, self.request, decoded, name) {
            Found::Entry(entry) => self.file(Key { entry, coded: self.coded(entry) }),
            Found::Siblings(Some(key)) => self.file(key),
            Found::Siblings(None) => self.not_found(true),
            Found::AddSlash => Ok(self.add_slash(decoded, query)),
            Found::Nothing => self.not_found(false),
        }
    }

    fn file(&mut self, key: Key) -> Result<Answer, Missing> {
        let local = match self.view.get(key, self.now.seconds, self.loaded)? {
            Ok(local) => local,
            Err(io::ErrorKind::NotFound) if matches!(key.coded, Coded::Sibling(_)) => {
                // In a directory the sibling may be gone while the file is still there.
                return self.file(Key { entry: key.entry, coded: Coded::No });
            }
            Err(io::ErrorKind::NotFound) => return self.not_found(false),
            Err(error) => return Ok(self.unreadable(key.entry, error)),
        };
        match conditions::evaluate(self.request, local.validators()) {
            Outcome::Proceed => {}
            Outcome::NotModified => {
                local.not_modified.write(&self.now.date, self.out);
                return Ok(Answer { status: 304, body: Body::Empty });
            }
            Outcome::Failed => return Ok(self.text(412, &[], "")),
        }
        // Range is defined for GET only (RFC 9110, section 14.2).
        if self.request.has(Field::Range)
            && self.request.method == Method::Get
            && key.coded == Coded::No
            && let Some(answer) = self.ranges(&local)
        {
            return Ok(answer);
        }
        local.ok.write(&self.now.date, self.out);
        let whole = Part { start: 0, len: local.size() };
        Ok(Answer { status: 200, body: self.part(local, whole) })
    }

    /// The content coding to send; a range is always of the bytes themselves.
    fn coded(&self, entry: EntryId) -> Coded {
        let ranged = self.request.has(Field::Range) && self.request.method == Method::Get;
        if ranged { Coded::No } else { chosen(self.generation, self.request, entry) }
    }

    /// `None` when the Range field does not apply.
    fn ranges(&mut self, local: &Local) -> Option<Answer> {
        if !conditions::range_applies(self.request, local.validators()) {
            return None;
        }
        let size = local.size();
        match range::apply(self.request.single(Field::Range)?, size) {
            Asked::Whole => None,
            Asked::Nothing => {
                let total = format!("bytes */{size}");
                Some(self.text(416, &[("Content-Range", &total), ("Accept-Ranges", "bytes")], ""))
            }
            Asked::One(part) => {
                write_start(self.out, 206, self.now);
                field(self.out, "Content-Type", &local.media_type);
                length(self.out, part.len);
                field(self.out, "Content-Range", &content_range(part, size));
                self.out.extend_from_slice(local.fields.as_bytes());
                Some(Answer { status: 206, body: self.part(Rc::clone(local), part) })
            }
            Asked::Many(parts) => Some(self.parts(local, &parts, size)),
        }
    }

    fn parts(&mut self, local: &Local, parts: &[Part], size: u64) -> Answer {
        // Made from the content's own hash, so the content can't contain it by design.
        let tag = String::from_utf8_lossy(local.validators().etag).replace('"', "");
        let boundary = format!("zeroserve-{tag}");
        let mut pieces: Vec<(String, Part)> = Vec::with_capacity(parts.len() + 1);
        for &part in parts {
            let lead = if pieces.is_empty() { "" } else { "\r\n" };
            let head = format!(
                "{lead}--{boundary}\r\nContent-Type: {}\r\nContent-Range: {}\r\n\r\n",
                local.media_type,
                content_range(part, size),
            );
            pieces.push((head, part));
        }
        pieces.push((format!("\r\n--{boundary}--\r\n"), Part { start: 0, len: 0 }));
        let body = Body::Parts(Rc::clone(local), pieces);
        write_start(self.out, 206, self.now);
        field(self.out, "Content-Type", &format!("multipart/byteranges; boundary={boundary}"));
        length(self.out, body.size());
        self.out.extend_from_slice(local.fields.as_bytes());
        Answer { status: 206, body }
    }

    fn part(&self, local: Local, part: Part) -> Body {
        if self.request.method == Method::Head || part.len == 0 {
            return Body::Empty;
        }
        Body::Part(local, part)
    }

    /// `varies` when another client would be answered with a file.
    fn not_found(&mut self, varies: bool) -> Result<Answer, Missing> {
        let index = self.generation.archive.index();
        if let Some(entry) = index.lookup(NOT_FOUND_PAGE) {
            let key = Key { entry, coded: self.coded(entry) };
            if let Ok(local) = self.view.get(key, self.now.seconds, self.loaded)? {
                write_start(self.out, 404, self.now);
                field(self.out, "Content-Type", &local.media_type);
                length(self.out, local.size());
                if let Some(variant) = key.coding() {
                    field(self.out, "Content-Encoding", variant.coding());
                }
                if varies || index.entry(entry).has_variants() {
                    field(self.out, "Vary", "Accept-Encoding");
                }
                field(self.out, "X-Content-Type-Options", "nosniff");
                let whole = Part { start: 0, len: local.size() };
                return Ok(Answer { status: 404, body: self.part(local, whole) });
            }
        }
        let vary: &[_] = if varies { &[("Vary", "Accept-Encoding")] } else { &[] };
        Ok(self.text(404, vary, ""))
    }

    fn unreadable(&mut self, entry: EntryId, error: io::ErrorKind) -> Answer {
        let name = self.generation.archive.index().entry(entry).name.escape_debug();
        if error == io::ErrorKind::PermissionDenied {
            UNREADABLE.say(&format!("'{name}': no permission to read it, answered 403"));
            return self.text(403, &[], "");
        }
        let why = match error {
            io::ErrorKind::UnexpectedEof => {
                "the archive was cut short while it was being served".into()
            }
            other => other.to_string(),
        };
        UNREADABLE.say(&format!("'{name}': {why}, answered 500"));
        self.text(500, &[], "")
    }

    fn add_slash(&mut self, path: &str, query: Option<&str>) -> Answer {
        // From the normalised path, so it can never begin with two slashes and name a host.
        let mut location = b"/".to_vec();
        path::encode(path.as_bytes(), &mut location);
        location.push(b'/');
        if let Some(query) = query {
            location.push(b'?');
            location.extend_from_slice(query.as_bytes());
        }
        let location = String::from_utf8_lossy(&location).into_owned();
        self.text(301, &[("Location", &location)], "")
    }

    fn text(&mut self, code: u16, fields: &[(&str, &str)], more: &str) -> Answer {
        say(code, fields, more, self.now, self.request.method, self.out)
    }
}

/// An answer that sends the client elsewhere for good, with its method and body (RFC 9110,
/// section 15.4.9).
pub(crate) fn moved(
    location: &str,
    request: &Request<'_, '_>,
    now: Now,
    out: &mut Vec<u8>,
) -> Answer {
    say(308, &[("Location", location)], "", now, request.method, out)
}

/// The client has to go elsewhere, but did not say which host it wants.
pub(crate) fn nowhere(request: &Request<'_, '_>, now: Now, out: &mut Vec<u8>) -> Answer {
    say(400, &[], ": this server speaks HTTPS elsewhere", now, request.method, out)
}

/// An answer of a few words.
pub(crate) fn text(code: u16, now: Now, method: Method<'_>, out: &mut Vec<u8>) -> Answer {
    say(code, &[], "", now, method, out)
}

/// A status in words, as a line.
pub(crate) fn words(code: u16) -> String {
    format!("{code} {}\n", status::reason(code))
}

pub(crate) fn say(
    code: u16,
    fields: &[(&str, &str)],
    more: &str,
    now: Now,
    method: Method<'_>,
    out: &mut Vec<u8>,
) -> Answer {
    let mut text = words(code);
    text.insert_str(text.len() - 1, more);
    write_start(out, code, now);
    for (name, value) in fields {
        field(out, name, value);
    }
    write_text_fields(out, &text);
    let head = method == Method::Head;
    let body = if head { Body::Empty } else { Body::Bytes(text.into_bytes()) };
    Answer { status: code, body }
}

fn join(name: &mut String, front: &str, back: &str) {
    name.clear();
    name.push_str(front);
    name.push_str(back);
}

fn content_range(part: Part, size: u64) -> String {
    format!("bytes {}-{}/{size}", part.start, part.start + part.len - 1)
}

pub(crate) fn write_start(out: &mut Vec<u8>, code: u16, now: Now) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(code).as_bytes());
    out.push(b' ');
    out.extend_from_slice(status::reason(code).as_bytes());
    out.extend_from_slice(b"\r\nDate: ");
    out.extend_from_slice(&now.date);
    out.extend_from_slice(b"\r\n");
}

fn write_text_fields(out: &mut Vec<u8>, text: &str) {
    field(out, "Content-Type", "text/plain; charset=utf-8");
    length(out, text.len() as u64);
    field(out, "X-Content-Type-Options", "nosniff");
}

pub(crate) fn field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"\r\n");
}

pub(crate) fn length(out: &mut Vec<u8>, bytes: u64) {
    field(out, "Content-Length", itoa::Buffer::new().format(bytes));
}
