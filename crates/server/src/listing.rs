//! What lies in a directory of the site, as a page or as JSON.

use std::fmt::Write;

use serde_json::json;
use time::OffsetDateTime;
use zeroserve_archive::{Child, Entry, Index, Variant, digest_of, etag_of, is_hidden};
use zeroserve_host::Exchange;
use zeroserve_http::Method;
use zeroserve_http::conditions::{self, Outcome, Validators};

use crate::pipeline::{
    self, ALLOW, Answer, Body, NOT_FOUND_PAGE, Scratch, field, length, write_start,
};
use crate::representation::FIRST_REAL_TIME_S;
use crate::sending::Around;
use crate::view::Missing;

/// Most entries of a listing; the rest comes with `?after=NAME`.
const MAX_LISTED_ENTRIES: usize = 10_000;

/// Most bytes of a listing, which ends before the entry that does not fit.
const MAX_LISTING_BYTES: usize = 4 * 1024 * 1024;

/// Most entries that are looked at for a listing, hidden ones and variants included.
const MAX_LISTING_STEPS: usize = 4 * MAX_LISTED_ENTRIES;

/// Parameter of the query: where a listing goes on.
const AFTER: &str = "after";

const STYLE: &str = "\
:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}\
body{max-width:60rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.25rem;overflow-wrap:anywhere}\
table{width:100%;border-collapse:collapse}\
td{padding:.125rem .5rem;border-top:1px solid color-mix(in srgb,currentcolor 15%,transparent);\
overflow-wrap:anywhere}\
td+td{white-space:nowrap;text-align:right;opacity:.75}\
a{color:LinkText;text-decoration:none}a:hover{text-decoration:underline}";

/// Nothing in a listing needs more.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'";

/// A listing while it is made.
struct Listing {
    text: String,
    /// The last entry that is in it.
    last: String,
    entries: usize,
    is_cut: bool,
}

impl Around<'_, '_, '_> {
    /// Answer with what lies in a directory: a path without the leading slash.
    pub(crate) fn listing(
        &self,
        exchange: &Exchange,
        path: &[u8],
        as_json: bool,
        scratch: &mut Scratch,
        out: &mut Vec<u8>,
    ) -> Result<Answer, Missing> {
        if !matches!(exchange.method(), "GET" | "HEAD") {
            let (status, method) =
                (if exchange.method() == "OPTIONS" { 204 } else { 405 }, self.request.method);
            if status == 204 {
                write_start(out, 204, self.now);
                field(out, "Allow", ALLOW);
                return Ok(Answer { status, body: Body::Empty });
            }
            return Ok(pipeline::say(405, &[("Allow", ALLOW)], "", self.now, method, out));
        }
        let prefix = std::str::from_utf8(path).ok().map(directory);
        let generation = self.view.generation();
        let index = generation.archive.index();
        let Some(prefix) = prefix.filter(|prefix| is_there(index, prefix)) else {
            if index.lookup(NOT_FOUND_PAGE).is_some() {
                return self.page(exchange, NOT_FOUND_PAGE.as_bytes(), 404, scratch, out);
            }
            return Ok(pipeline::text(404, self.now, self.request.method, out));
        };
        let after = exchange.query_param(AFTER).unwrap_or_default();
        let text = if as_json {
            json_of(index, &prefix, &after)
        } else {
            // Seen from another place, links have to say where they lead.
            let here = exchange.sent_path().is_some_and(|sent| sent[1..] == *prefix);
            page_of(index, &prefix, &after, here)
        };
        Ok(self.send(text, as_json, out))
    }

    fn send(&self, text: String, as_json: bool, out: &mut Vec<u8>) -> Answer {
        let etag = etag_of(&digest_of(text.as_bytes()));
        let validators = Validators { etag: etag.as_bytes(), last_modified: None };
        let status = match conditions::evaluate(self.request, validators) {
            Outcome::Proceed => 200,
            Outcome::NotModified => 304,
            Outcome::Failed => {
                return pipeline::text(412, self.now, self.request.method, out);
            }
        };
        write_start(out, status, self.now);
        field(out, "ETag", &etag);
        if status == 304 {
            return Answer { status, body: Body::Empty };
        }
        let kind = if as_json { "application/json" } else { "text/html; charset=utf-8" };
        field(out, "Content-Type", kind);
        length(out, text.len() as u64);
        field(out, "Content-Security-Policy", POLICY);
        field(out, "X-Content-Type-Options", "nosniff");
        let silent = self.request.method == Method::Head;
        Answer { status, body: if silent { Body::Empty } else { Body::Bytes(text.into_bytes()) } }
    }
}

/// The name of a directory as others begin with it.
fn directory(path: &str) -> String {
    if path.is_empty() || path.ends_with('/') { path.to_owned() } else { format!("{path}/") }
}

fn is_there(index: &Index, prefix: &str) -> bool {
    let children = || index.children(prefix, "", MAX_LISTING_STEPS);
    prefix.is_empty() || !is_hidden(prefix) && children().next().is_some()
}

/// Whether a file is another one in a coding, which its name stands for already.
fn is_variant(index: &Index, name: &str) -> bool {
    let bases = Variant::ALL.iter().filter_map(|variant| name.strip_suffix(variant.suffix()));
    bases.into_iter().any(|base| index.lookup(base).is_some())
}

impl Listing {
    /// Add the children of a directory, each as `row` writes it.
    fn fill(
        mut self,
        index: &Index,
        prefix: &str,
        after: &str,
        mut row: impl FnMut(&mut String, &Child<'_>, Option<&Entry<'_>>),
    ) -> Self {
        let mut children = index.children(prefix, after, MAX_LISTING_STEPS);
        for child in children.by_ref() {
            let entry = child.file.map(|file| index.entry(file));
            if entry.as_ref().is_some_and(|entry| is_variant(index, entry.name)) {
                continue;
            }
            let before = self.text.len();
            if self.entries < MAX_LISTED_ENTRIES {
                row(&mut self.text, &child, entry.as_ref());
            }
            if self.entries == MAX_LISTED_ENTRIES || self.text.len() > MAX_LISTING_BYTES {
                self.text.truncate(before);
                self.is_cut = true;
                return self;
            }
            self.entries += 1;
            self.last.clear();
            self.last.push_str(child.name);
        }
        self.is_cut = children.is_cut();
        self
    }

    fn new(text: String) -> Self {
        Self { text, last: String::new(), entries: 0, is_cut: false }
    }
}

fn json_of(index: &Index, prefix: &str, after: &str) -> String {
    let start = format!("{{\"path\": {}, \"entries\": [", json!(format!("/{prefix}")));
    let mut is_first = true;
    let listing = Listing::new(start).fill(index, prefix, after, |text, child, entry| {
        text.push_str(if std::mem::take(&mut is_first) { "\n" } else { ",\n" });
        let name = child.name.trim_end_matches('/');
        let row = match entry {
            None => json!({"name": name, "type": "directory"}),
            Some(entry) => json!({
                "name": name,
                "type": "file",
                "size": entry.size,
                "mtime": (entry.mtime >= FIRST_REAL_TIME_S).then_some(entry.mtime),
                "etag": entry.digest.map(|digest| etag_of(&digest)),
            }),
        };
        text.push_str(&row.to_string());
    });
    let next = listing.is_cut.then_some(&listing.last);
    format!("{}\n], \"next\": {}}}\n", listing.text, json!(next))
}

fn page_of(index: &Index, prefix: &str, after: &str, here: bool) -> String {
    let mut text = String::with_capacity(4096);
    let title = format!("Index of /{prefix}");
    text.push_str("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    text.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
    escape(&mut text, &title);
    let _ = write!(text, "</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>");
    escape(&mut text, &title);
    text.push_str("</h1>\n");
    if !after.is_empty() {
        text.push_str("<p>Behind ");
        escape(&mut text, after);
        text.push_str(":</p>\n");
    }
    text.push_str("<table>\n");
    let mut base = String::new();
    if !here {
        base.push('/');
        encode(&mut base, prefix);
    } else if !prefix.is_empty() {
        text.push_str("<tr><td><a href=\"../\">../</a></td></tr>\n");
    }
    let listing = Listing::new(text).fill(index, prefix, after, |text, child, entry| {
        let _ = write!(text, "<tr><td><a href=\"{base}");
        encode(text, child.name);
        text.push_str("\">");
        escape(text, child.name);
        text.push_str("</a></td>");
        if let Some(entry) = entry {
            let _ = write!(text, "<td>{}</td><td>{}</td>", size(entry.size), moment(entry.mtime));
        }
        text.push_str("</tr>\n");
    });
    let Listing { mut text, last, entries, is_cut } = listing;
    text.push_str("</table>\n");
    if is_cut {
        // No link: programs would take it for an entry.
        let _ = write!(text, "<form><p>These are {entries} entries; there are more. ");
        let _ = write!(text, "<input type=\"hidden\" name=\"{AFTER}\" value=\"");
        escape(&mut text, &last);
        text.push_str("\"><button>Go on</button></p></form>\n");
    } else if entries == 0 {
        text.push_str("<p>There is nothing here.</p>\n");
    }
    text.push_str("</body>\n</html>\n");
    text
}

/// Append text as HTML shows it, also in an attribute.
fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other if other.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
}

/// Append a name as a relative reference that nothing in it makes another one: no scheme, no query.
fn encode(out: &mut String, name: &str) {
    // fsspec takes what begins with these letters for a whole URL, and passes it over.
    let is_like_url = name.starts_with("http");
    for (at, byte) in name.bytes().enumerate() {
        if is_like_url && at == 0 {
            out.push_str("%68");
        } else if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// A size as a person reads it.
fn size(bytes: u64) -> String {
    let mut size = bytes as f64;
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    for unit in ["KiB", "MiB", "GiB"] {
        size /= 1024.0;
        if size < 1023.95 {
            return format!("{size:.1} {unit}");
        }
    }
    format!("{:.1} TiB", size / 1024.0)
}

/// A time in UTC, unless it is one that means nothing.
fn moment(mtime: i64) -> String {
    let real = Some(mtime).filter(|mtime| *mtime >= FIRST_REAL_TIME_S);
    let Some(at) = real.and_then(|mtime| OffsetDateTime::from_unix_timestamp(mtime).ok()) else {
        return String::new();
    };
    let (date, clock) = (at.date(), at.time());
    let (month, day) = (u8::from(date.month()), date.day());
    let (hour, minute) = (clock.hour(), clock.minute());
    format!("{}-{month:02}-{day:02} {hour:02}:{minute:02}", date.year())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        for (bytes, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (1_500_000_000, "1.4 GiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(size(bytes), shown);
        }
        assert_eq!(moment(1_700_000_000), "2023-11-14 22:13");
        assert_eq!(moment(0) + &moment(i64::MAX), "");
        let mut text = String::new();
        escape(&mut text, "<a href=\"x\">&'\u{1b}");
        assert_eq!(text, "&lt;a href=&quot;x&quot;&gt;&amp;'\u{fffd}");
        text.clear();
        encode(&mut text, "javascript:a b?'#ü%/");
        assert_eq!(text, "javascript%3Aa%20b%3F%27%23%C3%BC%25/");
        text.clear();
        encode(&mut text, "https.txt");
        assert_eq!(text, "%68ttps.txt");
    }
}
