//! `json` for compiled Python, and what scripts do with values of any kind.

use crate::exchange::Body;
use crate::guest::{Call, Instead, Reply, copying};
use crate::limits::JSON_FUEL;
use crate::python::arena::{Arena, Node, Span};
use crate::python::exception::{
    ATTRIBUTE_ERROR, INDEX_ERROR, JSON_DECODE_ERROR, KEY_ERROR, TYPE_ERROR, UNICODE_DECODE_ERROR,
};
use crate::python::json_text::{
    Encoding, Failed, Style, check_utf8, encoding, explain, float_text, quote, read, write,
};
use crate::python::letters::{count, first, repr};
use crate::python::place::{refused, too_large};
use crate::python::request::{limit, whole_body};

/// What Python calls the type of a value.
fn type_name(node: Node) -> &'static str {
    match node {
        Node::Null => "NoneType",
        Node::Bool(_) => "bool",
        Node::Int(_) | Node::Big(_) => "int",
        Node::Float(_) => "float",
        Node::Str(_) => "str",
        Node::List(..) => "list",
        Node::Dict(..) => "dict",
    }
}

fn value(call: &Call<'_>, word: u64) -> Result<Node, Instead> {
    let node = call.exchange.python.json.get(word);
    node.ok_or_else(|| refused(call.guest.helper, "json", word))
}

/// Why bytes are no text that `loads` reads, or where the text in them begins.
fn decoded(bytes: &[u8]) -> Result<usize, Result<String, Instead>> {
    match encoding(bytes) {
        Encoding::Utf8(from) => check_utf8(&bytes[from..]).map(|()| from).map_err(Ok),
        Encoding::Other(name) => {
            Err(Err(limit(format!("JSON in {name}; compiled scripts read UTF-8 alone"))))
        }
    }
}

/// The value of a text, or the exception that reading it ends with.
fn load(arena: &mut Arena, text: &[u8]) -> Result<u64, Result<(u64, String), Instead>> {
    match read(text, arena).and_then(|node| Ok(arena.add(node)?)) {
        Ok(word) => Ok(word),
        Err(Failed::Invalid(why, at)) => Err(Ok((JSON_DECODE_ERROR, explain(text, why, at)))),
        Err(Failed::Limit(instead)) => Err(Err(instead)),
    }
}

fn load_bytes(arena: &mut Arena, bytes: &[u8]) -> Result<u64, Result<(u64, String), Instead>> {
    let from = decoded(bytes).map_err(|why| why.map(|why| (UNICODE_DECODE_ERROR, why)))?;
    load(arena, &bytes[from..])
}

fn finish(
    call: &mut Call<'_>,
    loaded: Result<u64, Result<(u64, String), Instead>>,
    out: u64,
) -> Reply {
    match loaded {
        Ok(word) => call.give(out, &[word]),
        Err(Ok((kind, why))) => Err(call.raised(kind, why)),
        Err(Err(instead)) => Err(instead),
    }
}

pub(crate) fn loads(call: &mut Call<'_>) -> Reply {
    let [text, is_bytes, out, ..] = call.args;
    let text = call.guest.input().content("s", text)?;
    call.fuel += text.len() as u64 * JSON_FUEL;
    let arena = &mut call.exchange.python.json;
    let loaded = if is_bytes == 0 { load(arena, text) } else { load_bytes(arena, text) };
    finish(call, loaded, out)
}

/// Read bytes as JSON, for a helper that stores its result at `out`.
pub(crate) fn read_json(call: &mut Call<'_>, bytes: &[u8], out: u64) -> Reply {
    let loaded = load_bytes(&mut call.exchange.python.json, bytes);
    finish(call, loaded, out)
}

pub(crate) fn request_json(call: &mut Call<'_>) -> Reply {
    call.fuel += whole_body(call)?.len() as u64 * JSON_FUEL;
    let body = std::mem::take(&mut call.exchange.body);
    let bytes = if let Body::Whole(bytes) = &body { &bytes[..] } else { &[] };
    let loaded = load_bytes(&mut call.exchange.python.json, bytes);
    call.exchange.body = body;
    finish(call, loaded, call.args[0])
}

pub(crate) fn kind(call: &mut Call<'_>) -> Reply {
    Ok(match value(call, call.args[0])? {
        Node::Null => 0,
        Node::Bool(_) => 1,
        Node::Int(_) | Node::Big(_) => 2,
        Node::Float(_) => 3,
        Node::Str(_) => 4,
        Node::List(..) => 5,
        Node::Dict(..) => 6,
    })
}

/// Find a name in a dict.
fn find(call: &mut Call<'_>, dict: (u32, u32, u32), key: u64) -> Result<Option<u64>, Instead> {
    let key = call.guest.input().content("key", key)?;
    let arena = &call.exchange.python.json;
    let (place, looked) = arena.find(dict, key);
    call.fuel += looked + copying(key.len());
    Ok(place.map(|place| arena.word(place)))
}

fn raise<T>(call: &mut Call<'_>, kind: u64, why: impl AsRef<str>) -> Result<T, Instead> {
    Err(call.raised(kind, why))
}

pub(crate) fn item(call: &mut Call<'_>) -> Reply {
    let [json, key, out, ..] = call.args;
    match value(call, json)? {
        Node::Dict(first, len, table) => match find(call, (first, len, table), key)? {
            Some(word) => call.give(out, &[word]),
            None => {
                let key = call.guest.input().content("key", key)?;
                let shown = repr(&key[..key.len().min(crate::limits::MAX_LOG_BYTES)]);
                raise(call, KEY_ERROR, shown)
            }
        },
        Node::List(..) => {
            raise(call, TYPE_ERROR, "list indices must be integers or slices, not str")
        }
        Node::Str(_) => raise(call, TYPE_ERROR, "string indices must be integers, not 'str'"),
        other => {
            raise(call, TYPE_ERROR, format!("'{}' object is not subscriptable", type_name(other)))
        }
    }
}

/// A place counted from the start, or from the end if it is negative.
fn place(index: u64, len: usize) -> Option<usize> {
    let index = index as i64;
    let index = if index < 0 { index.checked_add(len as i64)? } else { index };
    usize::try_from(index).ok().filter(|index| *index < len)
}

/// A new value that is text.
fn new_text(call: &mut Call<'_>, text: &[u8]) -> Result<u64, Instead> {
    call.fuel += copying(text.len());
    let arena = &mut call.exchange.python.json;
    let mark = arena.mark();
    arena.write(text)?;
    let span = arena.since(mark);
    arena.add(Node::Str(span))
}

pub(crate) fn index(call: &mut Call<'_>) -> Reply {
    let [json, index, out, ..] = call.args;
    match value(call, json)? {
        Node::List(first, len) => match place(index, len as usize) {
            Some(at) => {
                let word = call.exchange.python.json.word(first + at as u32);
                call.give(out, &[word])
            }
            None => raise(call, INDEX_ERROR, "list index out of range"),
        },
        Node::Str(span) => {
            let text = call.exchange.python.json.text(span);
            call.fuel += text.len() as u64;
            let Some(at) = place(index, count(text)) else {
                return raise(call, INDEX_ERROR, "string index out of range");
            };
            let letter = characters(text).nth(at).unwrap_or_default().to_vec();
            let word = new_text(call, &letter)?;
            call.give(out, &[word])
        }
        Node::Dict(..) => raise(call, KEY_ERROR, (index as i64).to_string()),
        other => {
            raise(call, TYPE_ERROR, format!("'{}' object is not subscriptable", type_name(other)))
        }
    }
}

/// The characters of a text, each as bytes.
fn characters(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (_, len) = first(text)?;
        let (letter, rest) = text.split_at(len);
        text = rest;
        Some(letter)
    })
}

/// The parts of a dict, or the error of somebody who takes the value for one.
fn dict(call: &mut Call<'_>, method: &str) -> Result<(u32, u32, u32), Instead> {
    match value(call, call.args[0])? {
        Node::Dict(first, len, table) => Ok((first, len, table)),
        other => {
            let why = format!("'{}' object has no attribute '{method}'", type_name(other));
            raise(call, ATTRIBUTE_ERROR, why)
        }
    }
}

pub(crate) fn get(call: &mut Call<'_>) -> Reply {
    let [_, key, out, ..] = call.args;
    let dict = dict(call, "get")?;
    let found = find(call, dict, key)?;
    call.give(out, &[found.is_some().into(), found.unwrap_or(0)])
}

pub(crate) fn len(call: &mut Call<'_>) -> Reply {
    let [json, out, ..] = call.args;
    let len = match value(call, json)? {
        Node::List(_, len) | Node::Dict(_, len, _) => len.into(),
        Node::Str(span) => {
            call.fuel += copying(span.len as usize);
            count(call.exchange.python.json.text(span)) as u64
        }
        other => {
            let why = format!("object of type '{}' has no len()", type_name(other));
            return raise(call, TYPE_ERROR, why);
        }
    };
    call.give(out, &[len])
}

pub(crate) fn has(call: &mut Call<'_>) -> Reply {
    let [json, key, out, ..] = call.args;
    let found = match value(call, json)? {
        Node::Dict(first, len, table) => find(call, (first, len, table), key)?.is_some(),
        Node::List(first, len) => {
            let key = call.guest.input().content("key", key)?;
            let arena = &call.exchange.python.json;
            call.fuel += u64::from(len) + copying(key.len());
            let equal = |span: Span| span.len as usize == key.len() && arena.text(span) == key;
            (0..len).any(|n| matches!(arena.at(first + n), Node::Str(span) if equal(span)))
        }
        Node::Str(span) => {
            let key = call.guest.input().content("key", key)?;
            let text = call.exchange.python.json.text(span);
            call.fuel += (text.len() + key.len()) as u64;
            memchr::memmem::find(text, key).is_some()
        }
        other => {
            let why = format!("argument of type '{}' is not iterable", type_name(other));
            return raise(call, TYPE_ERROR, why);
        }
    };
    call.give(out, &[found.into()])
}

pub(crate) fn truth(call: &mut Call<'_>) -> Reply {
    Ok(match value(call, call.args[0])? {
        Node::Null => false,
        Node::Bool(value) => value,
        Node::Int(value) => value != 0,
        Node::Big(_) => true,
        Node::Float(value) => value != 0.0,
        Node::Str(span) => span.len > 0,
        Node::List(_, len) | Node::Dict(_, len, _) => len > 0,
    }
    .into())
}

/// The script needs another type.
fn wrong(node: Node, wanted: &str) -> Instead {
    let article = if wanted == "int" { "an" } else { "a" };
    let own = match type_name(node) {
        "NoneType" => "None".to_owned(),
        "int" => "an int".to_owned(),
        name => format!("a {name}"),
    };
    limit(format!("TypeError: the JSON value is {own} where the script needs {article} {wanted}"))
}

/// Give back a text of the arena.
fn give(call: &mut Call<'_>, span: Span) -> Reply {
    call.fuel += copying(span.len as usize);
    call.guest.new_str(call.exchange.python.json.text(span))
}

pub(crate) fn as_str(call: &mut Call<'_>) -> Reply {
    match value(call, call.args[0])? {
        Node::Str(span) => give(call, span),
        other => Err(wrong(other, "str")),
    }
}

pub(crate) fn as_int(call: &mut Call<'_>) -> Reply {
    match value(call, call.args[0])? {
        Node::Int(value) => Ok(value as u64),
        Node::Big(_) => Err(too_large()),
        other => Err(wrong(other, "int")),
    }
}

pub(crate) fn as_bool(call: &mut Call<'_>) -> Reply {
    match value(call, call.args[0])? {
        Node::Bool(value) => Ok(value.into()),
        other => Err(wrong(other, "bool")),
    }
}

pub(crate) fn eq_str(call: &mut Call<'_>) -> Reply {
    let [json, text, ..] = call.args;
    let node = value(call, json)?;
    let text = call.guest.input().content("s", text)?;
    call.fuel += copying(text.len());
    let equal = matches!(node, Node::Str(span) if call.exchange.python.json.text(span) == text);
    Ok(equal.into())
}

pub(crate) fn eq_int(call: &mut Call<'_>) -> Reply {
    let [json, int, ..] = call.args;
    let node = value(call, json)?;
    let arena = &call.exchange.python.json;
    Ok(arena.equal(node, Node::Int(int as i64), 0, &mut call.fuel).into())
}

pub(crate) fn eq(call: &mut Call<'_>) -> Reply {
    let (one, other) = (value(call, call.args[0])?, value(call, call.args[1])?);
    let arena = &call.exchange.python.json;
    Ok(arena.equal(one, other, 0, &mut call.fuel).into())
}

pub(crate) fn of_str(call: &mut Call<'_>) -> Reply {
    let text = call.guest.input().content("s", call.args[0])?;
    call.fuel += copying(text.len());
    let arena = &mut call.exchange.python.json;
    let mark = arena.mark();
    arena.write(text)?;
    let span = arena.since(mark);
    arena.add(Node::Str(span))
}

pub(crate) fn of_int(call: &mut Call<'_>) -> Reply {
    call.exchange.python.json.add(Node::Int(call.args[0] as i64))
}

pub(crate) fn of_bool(call: &mut Call<'_>) -> Reply {
    call.exchange.python.json.add(Node::Bool(call.args[0] != 0))
}

/// Names of a dict as new strs.
fn names(call: &mut Call<'_>, (first, len, _): (u32, u32, u32)) -> Result<Vec<u64>, Instead> {
    let mut words = Vec::new();
    for pair in 0..len {
        if let Node::Str(span) = call.exchange.python.json.at(first + 2 * pair) {
            words.push(give(call, span)?);
        }
    }
    Ok(words)
}

pub(crate) fn keys(call: &mut Call<'_>) -> Reply {
    let dict = dict(call, "keys")?;
    let words = names(call, dict)?;
    call.fuel += words.len() as u64;
    let list = call.guest.new_list(&words, 1)?;
    call.give(call.args[1], &[list])
}

pub(crate) fn values(call: &mut Call<'_>) -> Reply {
    let (first, len, _) = dict(call, "values")?;
    call.fuel += u64::from(len);
    let arena = &call.exchange.python.json;
    let words: Vec<_> = (0..len).map(|pair| arena.word(first + 2 * pair + 1)).collect();
    let list = call.guest.new_list(&words, 1)?;
    call.give(call.args[1], &[list])
}

pub(crate) fn items(call: &mut Call<'_>) -> Reply {
    let dict = dict(call, "items")?;
    let names = names(call, dict)?;
    call.fuel += names.len() as u64;
    let arena = &call.exchange.python.json;
    let words = names
        .into_iter()
        .zip(0..)
        .flat_map(|(name, pair): (u64, u32)| [name, arena.word(dict.0 + 2 * pair + 1)]);
    let words: Vec<_> = words.collect();
    let list = call.guest.new_list(&words, 2)?;
    call.give(call.args[1], &[list])
}

pub(crate) fn iterate(call: &mut Call<'_>) -> Reply {
    let [json, out, ..] = call.args;
    let words: Vec<u64> = match value(call, json)? {
        Node::List(first, len) => {
            let arena = &call.exchange.python.json;
            (0..len).map(|n| arena.word(first + n)).collect()
        }
        Node::Dict(first, len, _) => {
            let arena = &call.exchange.python.json;
            (0..len).map(|pair| arena.word(first + 2 * pair)).collect()
        }
        Node::Str(span) => {
            let text = call.exchange.python.json.text(span).to_vec();
            characters(&text).map(|letter| new_text(call, letter)).collect::<Result<_, _>>()?
        }
        other => {
            let why = format!("'{}' object is not iterable", type_name(other));
            return raise(call, TYPE_ERROR, why);
        }
    };
    call.fuel += words.len() as u64;
    let list = call.guest.new_list(&words, 1)?;
    call.give(out, &[list])
}

pub(crate) fn text_of(call: &mut Call<'_>) -> Reply {
    let text = match value(call, call.args[0])? {
        Node::Str(span) | Node::Big(span) => return give(call, span),
        Node::Null => "None".to_owned(),
        Node::Bool(true) => "True".to_owned(),
        Node::Bool(false) => "False".to_owned(),
        Node::Int(value) => value.to_string(),
        Node::Float(value) if value.is_finite() => float_text(value),
        Node::Float(value) => if value > 0.0 { "inf" } else { "-inf" }.to_owned(),
        other => return Err(wrong(other, "str")),
    };
    call.give_str(text.as_bytes())
}

pub(crate) fn dumps(call: &mut Call<'_>) -> Reply {
    let [json, flags, ..] = call.args;
    let node = value(call, json)?;
    let style = Style { ensure_ascii: flags & 1 != 0, compact: flags & 2 != 0 };
    let (mut out, room) = (Vec::new(), call.guest.room());
    let written = write(&mut out, &call.exchange.python.json, node, style, room);
    call.fuel += out.len() as u64 * JSON_FUEL;
    written?;
    call.give_str(&out)
}

pub(crate) fn quote_text(call: &mut Call<'_>) -> Reply {
    let [text, ensure_ascii, ..] = call.args;
    let text = call.guest.input().content("s", text)?;
    call.fuel += text.len() as u64 * JSON_FUEL;
    let mut out = Vec::with_capacity(text.len() + 2);
    quote(&mut out, text, ensure_ascii != 0);
    call.give_str(&out)
}
