//! The cache as a whole, against the rules of RFC 9111. Numbers of sections are that RFC's unless
//! another is named.

mod hostile;
mod reuse;
mod storing;
mod together;

use zeroserve_http::date;

use super::*;

/// When the tests begin.
pub(super) const NOW: i64 = 1_700_000_000;

/// A cache, and a time that passes when it is told to.
pub(super) struct Bench {
    pub(super) cache: Cache,
    pub(super) now: i64,
    pub(super) upstream: &'static str,
}

/// What a client got, and how.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// `fresh`, `stale`, `renewed`, `instead`, `upstream`, `passed` or `unavailable`.
    pub(super) how: &'static str,
    pub(super) status: u16,
    /// Without the status line.
    pub(super) head: String,
    pub(super) body: String,
    pub(super) why: Option<Why>,
}

impl Seen {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// Fields as lines; `@N` is the date N seconds from the beginning.
pub(super) fn fields(text: &str) -> Vec<u8> {
    let mut out = String::new();
    for line in text.split('\n').map(str::trim).filter(|line| !line.is_empty()) {
        let words: Vec<String> = line
            .split(' ')
            .map(|word| match word.strip_prefix('@').and_then(|n| n.parse::<i64>().ok()) {
                Some(seconds) => date::format(NOW + seconds),
                None => word.to_owned(),
            })
            .collect();
        out += &format!("{}\r\n", words.join(" "));
    }
    out.into_bytes()
}

pub(super) fn head(status: u16, text: &str, length: Option<u64>) -> Head {
    let fields = fields(text);
    let has_date = lines(&fields).any(|(name, _)| name.eq_ignore_ascii_case("date"));
    let has_content = !matches!(status, 204 | 304) && length != Some(0);
    Head { status, fields, length, has_content, has_date, is_upgrade: false }
}

/// What the upstream says: status, fields, content.
pub(super) type Says<'a> = (u16, &'a str, &'a str);

impl Bench {
    pub(super) fn new() -> Self {
        Self::sized(64 << 20)
    }

    pub(super) fn sized(budget: u64) -> Self {
        Self { cache: Cache::new(budget), now: NOW, upstream: "http://a" }
    }

    pub(super) fn look(&self, method: &str, target: &str, request: &str, round: Round) -> Lookup {
        let request = fields(request);
        let query = Query {
            site: 1,
            scheme: "http",
            host: b"example.org",
            upstream: self.upstream,
            method,
            target: target.as_bytes(),
            fields: lines(&request),
        };
        self.cache.lookup(&query, self.now, round)
    }

    /// Ask for `/`.
    pub(super) fn get(&self, request: &str, says: Says<'_>) -> Seen {
        self.send("GET", "/", request, says)
    }

    pub(super) fn send(&self, method: &str, target: &str, request: &str, says: Says<'_>) -> Seen {
        let is_head = method == "HEAD";
        match self.look(method, target, request, Round::FIRST) {
            Lookup::Fresh(hit) => self.reply("fresh", &hit, is_head, request),
            Lookup::Stale { hit, renew } => {
                if let Some(fetch) = renew {
                    self.answer(*fetch, says, is_head, request);
                }
                self.reply("stale", &hit, is_head, request)
            }
            Lookup::Miss(Coalesce::Leader(fetch)) => self.answer(*fetch, says, is_head, request),
            Lookup::Miss(Coalesce::Follower(_)) => panic!("nobody else asks"),
            Lookup::Bypass(_) => Seen { how: "passed", status: says.0, ..Seen::default() },
            Lookup::Unavailable => Seen { how: "unavailable", ..Seen::default() },
        }
    }

    pub(super) fn answer(
        &self,
        fetch: Fetch,
        says: Says<'_>,
        is_head: bool,
        request: &str,
    ) -> Seen {
        let (status, text, body) = says;
        let length = (status != 304).then_some(body.len() as u64);
        let seen = |why| Seen {
            how: "upstream",
            status,
            head: String::from_utf8_lossy(&fields(text)).into_owned(),
            body: body.to_owned(),
            why,
        };
        match fetch.answered(&head(status, text, length), self.now) {
            Verdict::Pass(note) => seen(note.why()),
            Verdict::Record(mut recorder, _) => {
                for piece in body.as_bytes().chunks(3) {
                    recorder.push(piece);
                }
                recorder.finish();
                seen(None)
            }
            Verdict::Use(hit) => {
                let how = if hit.fate == Fate::Validated { "renewed" } else { "instead" };
                self.reply(how, &hit, is_head, request)
            }
            Verdict::Again => Seen { how: "again", ..Seen::default() },
        }
    }

    pub(super) fn reply(&self, how: &'static str, hit: &Hit, is_head: bool, request: &str) -> Seen {
        let mut out = Vec::new();
        let request = fields(request);
        let reply = hit.reply(is_head, lines(&request), self.now, &mut out);
        let text = String::from_utf8(out).unwrap();
        let (line, head) = text.split_once("\r\n").unwrap();
        assert!(line.starts_with(&format!("HTTP/1.1 {} ", reply.status)), "{line}");
        assert!(head.ends_with("\r\n") && !head.contains("\r\n\r\n"), "{head:?}");
        Seen {
            how,
            status: reply.status,
            head: head.to_owned(),
            body: String::from_utf8(reply.body.to_vec()).unwrap(),
            why: None,
        }
    }

    /// The fetch of a miss.
    pub(super) fn fetch(&self, target: &str, request: &str) -> Fetch {
        match self.look("GET", target, request, Round::FIRST) {
            Lookup::Miss(Coalesce::Leader(fetch)) => *fetch,
            other => panic!("not a miss: {other:?}"),
        }
    }

    /// Store a response that is fresh for a minute.
    pub(super) fn keep(&self, target: &str, body: &str) {
        let seen = self.send("GET", target, "", (200, "Cache-Control: max-age=60", body));
        assert_eq!((seen.how, seen.why), ("upstream", None));
    }
}
