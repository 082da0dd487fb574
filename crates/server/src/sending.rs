//! Files of the site that scripts name: as the answer, or in place of the content of another one.

use std::rc::Rc;

use zeroserve_archive::Variant;
use zeroserve_host::{Exchange, replace_meta};
use zeroserve_http::range::Part;
use zeroserve_http::{Method, Request, path};

use crate::clock::Now;
use crate::notice::Notice;
use crate::pipeline::{self, Answer, Body, Scratch, field, length, write_start};
use crate::ruling::{self, MAX_TEMPLATE_BYTES, append, fields, is_one_of};
use crate::view::{Loaded, Local, Missing, View};

static NOT_THERE: Notice = Notice::new();

/// A file that is sent under a status of its own: as a whole, without validators.
pub(crate) struct Page {
    pub(crate) local: Local,
    pub(crate) coding: Option<Variant>,
    /// Whether other clients get it in another coding.
    pub(crate) varies: bool,
}

/// Content with what describes it.
struct Content {
    media_type: String,
    coding: Option<Variant>,
    varies: bool,
    bytes: u64,
    body: Body,
}

/// What an answer needs from around it.
pub(crate) struct Around<'a, 'h, 'b> {
    pub(crate) view: &'a View,
    pub(crate) request: &'a Request<'h, 'b>,
    pub(crate) now: Now,
    pub(crate) loaded: &'a [Loaded],
}

impl Around<'_, '_, '_> {
    /// The content of a file; `None` when there is no such file for this client, which the operator
    /// is told.
    fn content(
        &self,
        exchange: &Exchange,
        path: &[u8],
        scratch: &mut Scratch,
    ) -> Result<Option<Content>, Missing> {
        let Some(name) = std::str::from_utf8(path).ok() else {
            return Ok(self.missing(exchange, path));
        };
        if exchange.has_template_values()
            && let Some(content) = self.filled(exchange, name, scratch)?
        {
            return Ok(Some(content));
        }
        let Some(Page { local, coding, varies }) = pipeline::page(self, name, false, scratch)?
        else {
            return Ok(self.missing(exchange, path));
        };
        let media_type = local.media_type.clone();
        let bytes = local.size();
        let body = Body::Part(Rc::clone(&local), Part { start: 0, len: bytes });
        let body = if self.is_silent(bytes) { Body::Empty } else { body };
        Ok(Some(Content { media_type, coding, varies, bytes, body }))
    }

    /// A page with metadata filled in; `None` when it has no places for it.
    fn filled(
        &self,
        exchange: &Exchange,
        name: &str,
        scratch: &mut Scratch,
    ) -> Result<Option<Content>, Missing> {
        let Some(Page { local, coding: None, .. }) = pipeline::page(self, name, true, scratch)?
        else {
            return Ok(None);
        };
        let media_type = local.media_type.clone();
        if !ruling::is_markup(&media_type) || local.size() > MAX_TEMPLATE_BYTES {
            return Ok(None);
        }
        let page = ruling::page(&local).filter(|page| zeroserve_host::has_meta(page));
        Ok(page.map(|page| {
            let page = replace_meta(&page, |key| exchange.meta(key));
            let bytes = page.len() as u64;
            let body = if self.is_silent(bytes) { Body::Empty } else { Body::Bytes(page) };
            Content { media_type, coding: None, varies: false, bytes, body }
        }))
    }

    fn is_silent(&self, bytes: u64) -> bool {
        bytes == 0 || self.request.method == Method::Head
    }

    fn missing(&self, exchange: &Exchange, path: &[u8]) -> Option<Content> {
        NOT_THERE.say(&format!(
            "script {}: no file of the site to send: /{}",
            exchange.script(),
            path.escape_ascii()
        ));
        None
    }

    /// Answer with a file under a status; in a few words when it is not there.
    pub(crate) fn page(
        &self,
        exchange: &Exchange,
        path: &[u8],
        status: u16,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Answer, Missing> {
        let Some(content) = self.content(exchange, path, scratch)? else {
            return Ok(pipeline::text(status, self.now, self.request.method, out));
        };
        write_start(out, status, self.now);
        content.describe(out, |_| false);
        if status >= 500 {
            field(out, "Cache-Control", "no-store");
        }
        Ok(Answer { status, body: content.body })
    }

    /// Write a head anew whose content response hooks have replaced by a file.
    pub(crate) fn replace(
        &self,
        exchange: &Exchange,
        path: &[u8],
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Answer, Missing> {
        let Some(response) = exchange.response() else {
            return Ok(pipeline::text(500, self.now, self.request.method, out));
        };
        // A part of what was replaced.
        let status = if response.status == 206 { 200 } else { response.status };
        let content = match self.content(exchange, path, scratch)? {
            Some(content) => content,
            None => Content::text(status, self.request.method),
        };
        let own = &response.headers;
        let has = |name: &str| own.get(name).is_some() || ruling::is_given(exchange, name);
        write_start(out, status, self.now);
        for (name, value) in own.iter() {
            if !ruling::is_framing(name)
                && !name.eq_ignore_ascii_case("date")
                && !ruling::is_given(exchange, name)
            {
                append(out, name, value);
            }
        }
        let body = if matches!(status, 204 | 205 | 304) {
            if status == 205 {
                length(out, 0);
            }
            Body::Empty
        } else {
            content.describe(out, has);
            if status >= 500 && !has("cache-control") {
                field(out, "Cache-Control", "no-store");
            }
            content.body
        };
        ruling::write_given(exchange, out);
        Ok(Answer { status, body })
    }
}

impl Content {
    fn text(status: u16, method: Method<'_>) -> Self {
        let text = pipeline::words(status);
        let bytes = text.len() as u64;
        let body =
            if method == Method::Head { Body::Empty } else { Body::Bytes(text.into_bytes()) };
        let media_type = "text/plain; charset=utf-8".to_owned();
        Self { media_type, coding: None, varies: false, bytes, body }
    }

    /// Append the fields that describe it, but for those that are there.
    fn describe(&self, out: &mut Vec<u8>, has: impl Fn(&str) -> bool) {
        if !has("content-type") {
            field(out, "Content-Type", &self.media_type);
        }
        length(out, self.bytes);
        if let Some(variant) = self.coding {
            field(out, "Content-Encoding", variant.coding());
        }
        if self.varies {
            field(out, "Vary", "Accept-Encoding");
        }
        if !has("x-content-type-options") {
            field(out, "X-Content-Type-Options", "nosniff");
        }
    }
}

/// A path without its slash as clients write it, with the query of the request.
pub(crate) fn target(path: &[u8], exchange: &Exchange) -> String {
    let mut target = b"/".to_vec();
    path::encode(path, &mut target);
    if let Some((_, query)) = exchange.target().split_once('?') {
        target.push(b'?');
        target.extend_from_slice(query.as_bytes());
    }
    String::from_utf8_lossy(&target).into_owned()
}

/// Give a head the fields that a script gave its answer: each replaces those of its name, but for
/// those that are lists.
pub(crate) fn amend(
    exchange: &Exchange,
    answer: &Answer,
    now: Now,
    start: usize,
    out: &mut Vec<u8>,
) {
    let own = exchange.answer_fields();
    if own.is_empty() {
        return;
    }
    let head = out.split_off(start);
    write_start(out, answer.status, now);
    for (name, value) in fields(&head) {
        let replaced = own.get(name).is_some() && !name.eq_ignore_ascii_case("vary");
        if !replaced && !name.eq_ignore_ascii_case("date") {
            append(out, name, value);
        }
    }
    let bare = ruling::has_no_content(answer.status);
    for (name, value) in own.iter() {
        let of_content = is_one_of(&["content-type", "content-encoding"], name);
        if !(ruling::is_given(exchange, name) || bare && of_content) {
            append(out, name, value);
        }
    }
}
