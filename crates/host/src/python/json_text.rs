//! Reading JSON as `json.loads` does, its errors included, and writing it as `json.dumps` does.
//!
//! serde_json is stricter (surrogates, duplicate names, large numbers) and words its errors its own
//! way, so this is a reader of its own. It does not call itself: nesting is on a stack.

use crate::guest::Instead;
use crate::limits::MAX_PYTHON_JSON_DEPTH;
use crate::python::arena::{Arena, Node};
use crate::python::letters::{count, first, push};
use crate::python::request::limit;

/// Digits of an integer beyond which CPython refuses it, with an error of its own.
const MAX_DIGITS: usize = 4300;

/// Why there is no value.
pub(crate) enum Failed {
    /// JSONDecodeError: what CPython says, and at which byte.
    Invalid(&'static str, usize),
    /// A limit.
    Limit(Instead),
}

impl From<Instead> for Failed {
    fn from(instead: Instead) -> Self {
        Self::Limit(instead)
    }
}

/// The whole message of an error at a byte of a text.
pub(crate) fn explain(text: &[u8], why: &str, at: usize) -> String {
    let before = &text[..at.min(text.len())];
    let line = 1 + memchr::memchr_iter(b'\n', before).count();
    let start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    let (column, char) = (count(&before[start..]) + 1, count(before));
    format!("{why}: line {line} column {column} (char {char})")
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    arena: &'a mut Arena,
}

/// What a value that was read is part of.
enum Open {
    /// The elements lie on the stack from there on.
    List(usize),
    /// So do names and values.
    Dict(usize),
}

/// Read a text; its value is left on no stack.
pub(crate) fn read(text: &[u8], arena: &mut Arena) -> Result<Node, Failed> {
    let mut reader = Reader { text, at: 0, arena };
    if text.starts_with("\u{feff}".as_bytes()) {
        return Err(Failed::Invalid("Unexpected UTF-8 BOM (decode using utf-8-sig)", 0));
    }
    let node = reader.document();
    reader.arena.stack.clear();
    node
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Node, Failed> {
        self.skip();
        let node = self.value()?;
        self.skip();
        if self.at < self.text.len() {
            return Err(Failed::Invalid("Extra data", self.at));
        }
        Ok(node)
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// A value with all that is in it.
    fn value(&mut self) -> Result<Node, Failed> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            // A value, or what one begins with.
            let mut node = match self.peek() {
                Some(b'[') => {
                    self.at += 1;
                    self.skip();
                    if self.peek() != Some(b']') {
                        self.enter(&mut open, Open::List(self.arena.stack.len()))?;
                        continue;
                    }
                    self.at += 1;
                    let from = self.arena.stack.len();
                    self.arena.list(from)
                }
                Some(b'{') => {
                    self.at += 1;
                    self.skip();
                    if self.peek() != Some(b'}') {
                        self.enter(&mut open, Open::Dict(self.arena.stack.len()))?;
                        self.name()?;
                        continue;
                    }
                    self.at += 1;
                    let from = self.arena.stack.len();
                    self.arena.dict(from)?
                }
                _ => self.scalar()?,
            };
            // What it is part of goes on, or ends as well.
            loop {
                let Some(inner) = open.last() else { return Ok(node) };
                self.arena.push(node)?;
                self.skip();
                let end = if let Open::List(_) = inner { b']' } else { b'}' };
                match self.peek() {
                    Some(b',') => {
                        self.at += 1;
                        self.skip();
                        if let Open::Dict(_) = inner {
                            self.name()?;
                        }
                        break;
                    }
                    Some(byte) if byte == end => self.at += 1,
                    _ => return Err(Failed::Invalid("Expecting ',' delimiter", self.at)),
                }
                node = match open.pop() {
                    Some(Open::List(from)) => self.arena.list(from),
                    Some(Open::Dict(from)) => self.arena.dict(from)?,
                    None => return Ok(Node::Null),
                };
            }
        }
    }

    fn enter(&self, open: &mut Vec<Open>, inner: Open) -> Result<(), Failed> {
        if open.len() >= MAX_PYTHON_JSON_DEPTH {
            let why = format!("RecursionError: JSON nested deeper than {MAX_PYTHON_JSON_DEPTH}");
            return Err(Failed::Limit(limit(why)));
        }
        open.push(inner);
        Ok(())
    }

    /// A name and its colon; the name is pushed.
    fn name(&mut self) -> Result<(), Failed> {
        if self.peek() != Some(b'"') {
            let why = "Expecting property name enclosed in double quotes";
            return Err(Failed::Invalid(why, self.at));
        }
        let name = self.string()?;
        self.arena.push(name)?;
        self.skip();
        if self.peek() != Some(b':') {
            return Err(Failed::Invalid("Expecting ':' delimiter", self.at));
        }
        self.at += 1;
        self.skip();
        Ok(())
    }

    fn scalar(&mut self) -> Result<Node, Failed> {
        let rest = &self.text[self.at..];
        let mut word = |word: &str, node| {
            rest.starts_with(word.as_bytes()).then(|| {
                self.at += word.len();
                node
            })
        };
        match rest.first() {
            Some(b'"') => return self.string(),
            Some(b'n') => word("null", Node::Null),
            Some(b't') => word("true", Node::Bool(true)),
            Some(b'f') => word("false", Node::Bool(false)),
            Some(b'N') if rest.starts_with(b"NaN") => return Err(not_finite("NaN")),
            Some(b'I') if rest.starts_with(b"Infinity") => return Err(not_finite("Infinity")),
            Some(b'-') if rest.starts_with(b"-Infinity") => return Err(not_finite("-Infinity")),
            Some(b'-' | b'0'..=b'9') => return self.number(),
            _ => None,
        }
        .ok_or(Failed::Invalid("Expecting value", self.at))
    }

    fn number(&mut self) -> Result<Node, Failed> {
        let rest = &self.text[self.at..];
        let digits = |from: usize| {
            rest.get(from..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count()
        };
        let sign = usize::from(rest[0] == b'-');
        let whole = match rest.get(sign) {
            Some(b'0') => 1,
            Some(b'1'..=b'9') => digits(sign),
            _ => return Err(Failed::Invalid("Expecting value", self.at)),
        };
        let int_end = sign + whole;
        let mut end = int_end;
        if rest.get(end) == Some(&b'.') && digits(end + 1) > 0 {
            end += 1 + digits(end + 1);
        }
        if matches!(rest.get(end), Some(b'e' | b'E')) {
            let signed = usize::from(matches!(rest.get(end + 1), Some(b'+' | b'-')));
            let exponent = digits(end + 1 + signed);
            if exponent > 0 {
                end += 1 + signed + exponent;
            }
        }
        let start = self.at;
        self.at += end;
        let text = std::str::from_utf8(&rest[..end]).unwrap_or("0");
        if end > int_end {
            return Ok(Node::Float(text.parse().unwrap_or(f64::NAN)));
        }
        if let Ok(int) = text.parse() {
            return Ok(Node::Int(int));
        }
        if whole > MAX_DIGITS {
            let why = format!("ValueError: a JSON integer of more than {MAX_DIGITS} digits");
            return Err(Failed::Limit(limit(why)));
        }
        let mark = self.arena.mark();
        self.arena.write(&self.text[start..start + end])?;
        Ok(Node::Big(self.arena.since(mark)))
    }

    /// A string, from its opening quote on.
    fn string(&mut self) -> Result<Node, Failed> {
        let begin = self.at;
        self.at += 1;
        let mark = self.arena.mark();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
            let len = plain.unwrap_or(rest.len());
            self.arena.write(&rest[..len])?;
            self.at += len;
            match rest.get(len) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Node::Str(self.arena.since(mark)));
                }
                Some(b'\\') => self.escape(begin)?,
                Some(_) => return Err(Failed::Invalid("Invalid control character at", self.at)),
                None => return Err(Failed::Invalid("Unterminated string starting at", begin)),
            }
        }
    }

    fn escape(&mut self, begin: usize) -> Result<(), Failed> {
        let backslash = self.at;
        let Some(letter) = self.text.get(backslash + 1) else {
            return Err(Failed::Invalid("Unterminated string starting at", begin));
        };
        let byte = match letter {
            b'"' | b'\\' | b'/' => *letter,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let Some(mut value) = self.hex(backslash) else {
                    return Err(Failed::Invalid("Invalid \\uXXXX escape", backslash + 1));
                };
                self.at += 6;
                if (0xd800..0xdc00).contains(&value)
                    && let Some(low @ 0xdc00..0xe000) = self.hex(self.at)
                {
                    value = 0x10000 + ((value & 0x3ff) << 10) + (low & 0x3ff);
                    self.at += 6;
                }
                let mut bytes = Vec::with_capacity(4);
                push(&mut bytes, value);
                self.arena.write(&bytes)?;
                return Ok(());
            }
            _ => return Err(Failed::Invalid("Invalid \\escape", backslash)),
        };
        self.at += 2;
        self.arena.write(&[byte])?;
        Ok(())
    }

    /// The number of an escape `\uXXXX`. The text must not end behind it, as no string does.
    fn hex(&self, at: usize) -> Option<u32> {
        let escape = self.text.get(at..at + 6)?;
        let digits = escape.strip_prefix(b"\\u")?;
        (self.text.len() > at + 6).then_some(())?;
        digits.iter().try_fold(0, |value, digit| Some(value << 4 | (*digit as char).to_digit(16)?))
    }
}

fn not_finite(name: &str) -> Failed {
    Failed::Limit(limit(format!("{name} in JSON, a limit of compiled scripts")))
}

/// Append a string with its quotes.
pub(crate) fn quote(out: &mut Vec<u8>, text: &[u8], ensure_ascii: bool) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let code = |out: &mut Vec<u8>, unit: u32| {
        let digit = |shift: u32| HEX[(unit >> shift & 15) as usize];
        out.extend_from_slice(&[b'\\', b'u', digit(12), digit(8), digit(4), digit(0)]);
    };
    out.push(b'"');
    let mut rest = text;
    while !rest.is_empty() {
        let stays = |byte: &u8| {
            *byte >= 0x20 && !matches!(byte, b'"' | b'\\') && !(ensure_ascii && *byte >= 0x7f)
        };
        let len = rest.iter().position(|byte| !stays(byte)).unwrap_or(rest.len());
        out.extend_from_slice(&rest[..len]);
        rest = &rest[len..];
        let Some((letter, len)) = first(rest) else { break };
        rest = &rest[len..];
        match letter {
            0x22 => out.extend_from_slice(b"\\\""),
            0x5c => out.extend_from_slice(b"\\\\"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0d => out.extend_from_slice(b"\\r"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x10000.. => {
                let letter = letter - 0x10000;
                code(out, 0xd800 + (letter >> 10 & 0x3ff));
                code(out, 0xdc00 + (letter & 0x3ff));
            }
            _ => code(out, letter),
        }
    }
    out.push(b'"');
}

/// A float as `float.__repr__` writes it.
pub(crate) fn float_text(value: f64) -> String {
    if value.is_nan() {
        return "NaN".into();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    // The shortest digits that come back, which are the same in both languages.
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{value}");
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// How values are written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) ensure_ascii: bool,
    /// Without spaces behind commas and colons.
    pub(crate) compact: bool,
}

/// Append a value; the error is the limit that forbids it.
pub(crate) fn write(
    out: &mut Vec<u8>,
    arena: &Arena,
    node: Node,
    style: Style,
    room: usize,
) -> Result<(), Instead> {
    // Values that are still to be written, the next one last.
    enum Step {
        Value(Node),
        Text(&'static [u8]),
        Elements(u32, u32, bool),
        Pairs(u32, u32, bool),
    }
    let comma: &[u8] = if style.compact { b"," } else { b", " };
    let colon: &[u8] = if style.compact { b":" } else { b": " };
    let mut steps = vec![Step::Value(node)];
    while let Some(step) = steps.pop() {
        if out.len() > room {
            let why = format!("MemoryError: json.dumps makes more than the {room} bytes left");
            return Err(limit(why));
        }
        match step {
            Step::Text(text) => out.extend_from_slice(text),
            Step::Elements(_, 0, _) | Step::Pairs(_, 0, _) => {}
            Step::Elements(first, len, begins) => {
                if !begins {
                    out.extend_from_slice(comma);
                }
                steps.push(Step::Elements(first + 1, len - 1, false));
                steps.push(Step::Value(arena.at(first)));
            }
            Step::Pairs(first, len, begins) => {
                if !begins {
                    out.extend_from_slice(comma);
                }
                if let Node::Str(name) = arena.at(first) {
                    quote(out, arena.text(name), style.ensure_ascii);
                }
                out.extend_from_slice(colon);
                steps.push(Step::Pairs(first + 2, len - 1, false));
                steps.push(Step::Value(arena.at(first + 1)));
            }
            Step::Value(node) => match node {
                Node::Null => out.extend_from_slice(b"null"),
                Node::Bool(true) => out.extend_from_slice(b"true"),
                Node::Bool(false) => out.extend_from_slice(b"false"),
                Node::Int(int) => out.extend_from_slice(int.to_string().as_bytes()),
                Node::Big(digits) => out.extend_from_slice(arena.text(digits)),
                Node::Float(float) => out.extend_from_slice(float_text(float).as_bytes()),
                Node::Str(text) => quote(out, arena.text(text), style.ensure_ascii),
                Node::List(first, len) => {
                    out.push(b'[');
                    steps.push(Step::Text(b"]"));
                    steps.push(Step::Elements(first, len, true));
                }
                Node::Dict(first, len, _) => {
                    out.push(b'{');
                    steps.push(Step::Text(b"}"));
                    steps.push(Step::Pairs(first, len, true));
                }
            },
        }
    }
    Ok(())
}

/// The text of bytes: what `json.loads` decodes them as, or the reason why it is not UTF-8.
pub(crate) enum Encoding {
    /// From this byte on.
    Utf8(usize),
    /// Another one.
    Other(&'static str),
}

/// As `json.detect_encoding`.
pub(crate) fn encoding(bytes: &[u8]) -> Encoding {
    let zero = |at: usize| bytes[at] == 0;
    if bytes.starts_with(&[0, 0, 0xfe, 0xff]) || bytes.starts_with(&[0xff, 0xfe, 0, 0]) {
        return Encoding::Other("utf-32");
    }
    if bytes.starts_with(&[0xfe, 0xff]) || bytes.starts_with(&[0xff, 0xfe]) {
        return Encoding::Other("utf-16");
    }
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        return Encoding::Utf8(3);
    }
    match bytes.len() {
        4.. if zero(0) => Encoding::Other(if zero(1) { "utf-32-be" } else { "utf-16-be" }),
        4.. if zero(1) => {
            Encoding::Other(if zero(2) && zero(3) { "utf-32-le" } else { "utf-16-le" })
        }
        2 if zero(0) => Encoding::Other("utf-16-be"),
        2 if zero(1) => Encoding::Other("utf-16-le"),
        _ => Encoding::Utf8(0),
    }
}

/// Whether it is UTF-8 in which surrogates may be encoded, as `surrogatepass` has it; the error is
/// that of CPython.
pub(crate) fn check_utf8(bytes: &[u8]) -> Result<(), String> {
    let mut from = 0;
    while let Err(error) = std::str::from_utf8(&bytes[from..]) {
        let at = from + error.valid_up_to();
        let is_surrogate = matches!(&bytes[at..], [0xed, 0xa0..=0xbf, 0x80..=0xbf, ..]);
        if !is_surrogate {
            let byte = bytes[at];
            let reason = match error.error_len() {
                _ if byte == 0xed && bytes.len() == at + 2 && bytes[at + 1] >= 0xa0 => {
                    "invalid continuation byte"
                }
                None => "unexpected end of data",
                Some(_) if matches!(byte, 0xc2..=0xf4) => "invalid continuation byte",
                Some(_) => "invalid start byte",
            };
            let end = at + error.error_len().unwrap_or(bytes.len() - at);
            return Err(if end - at > 1 {
                format!("'utf-8' codec can't decode bytes in position {at}-{}: {reason}", end - 1)
            } else {
                format!("'utf-8' codec can't decode byte {byte:#04x} in position {at}: {reason}")
            });
        }
        from = at + 3;
    }
    Ok(())
}
