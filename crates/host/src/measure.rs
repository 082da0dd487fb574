//! How much memory a JSON value takes, before and while there is one.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::limits::MAX_JSON_DEPTH;

/// Bytes of a value; arrays have room for more than they hold.
const VALUE_BYTES: usize = 128;

/// Bytes of a member besides its value: its key, its hash, its place in the table.
const MEMBER_BYTES: usize = 64;

/// What a value takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Memory, estimated.
    pub(crate) bytes: usize,
    /// 1 for a value without others in it.
    pub(crate) depth: usize,
}

/// Size of a member of an object, besides its value.
pub(crate) fn member(key: &str) -> usize {
    MEMBER_BYTES + key.len()
}

/// Size of a string.
pub(crate) fn string(text: &str) -> usize {
    VALUE_BYTES + text.len()
}

/// Size of a value. Values are no deeper than [`MAX_JSON_DEPTH`], so this may be recursive.
pub(crate) fn value(value: &Value) -> Size {
    let mut size = Size { bytes: VALUE_BYTES, depth: 1 };
    let mut add = |inner: Size| {
        size.bytes += inner.bytes;
        size.depth = size.depth.max(inner.depth + 1);
    };
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => size.bytes += text.len(),
        Value::Array(array) => array.iter().for_each(|inner| add(self::value(inner))),
        Value::Object(object) => object.iter().for_each(|(key, inner)| {
            let Size { bytes, depth } = self::value(inner);
            add(Size { bytes: bytes + member(key), depth });
        }),
    }
    size
}

/// Parse a text as long as what comes of it fits: a short text can be a large value.
pub(crate) fn parse(text: &[u8], room: usize) -> Option<Value> {
    let mut room = room;
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = Bounded { room: &mut room, depth: MAX_JSON_DEPTH }.deserialize(&mut deserializer);
    let value = value.ok()?;
    deserializer.end().ok()?;
    Some(value)
}

/// Builds a value and counts what it takes.
struct Bounded<'r> {
    room: &'r mut usize,
    depth: usize,
}

impl Bounded<'_> {
    fn take<E: Error>(&mut self, bytes: usize) -> Result<(), E> {
        *self.room = self.room.checked_sub(bytes).ok_or_else(|| E::custom("too large"))?;
        Ok(())
    }

    fn inner(&mut self) -> Bounded<'_> {
        Bounded { room: self.room, depth: self.depth.saturating_sub(1) }
    }
}

impl<'de> DeserializeSeed<'de> for Bounded<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Value, D::Error> {
        if self.depth == 0 {
            return Err(D::Error::custom("too deep"));
        }
        self.take(VALUE_BYTES)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Bounded<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E: Error>(mut self, value: &str) -> Result<Value, E> {
        self.take(value.len())?;
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(value) = elements.next_element_seed(self.inner())? {
            array.push(value);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = members.next_key_seed(Key)? {
            self.take(member(&key))?;
            let value = members.next_value_seed(self.inner())?;
            object.insert(key, value);
        }
        Ok(object.into())
    }
}

/// A key is text of its own, bounded by the input.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        String::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn estimates_cover_what_is_used() {
        assert!(size_of::<Value>() <= VALUE_BYTES);
        assert!(size_of::<(u64, String)>() <= MEMBER_BYTES);
    }

    #[test]
    fn large_values_are_refused_while_they_are_read() {
        let text = format!("[{}0]", "[],".repeat(1000));
        assert!(parse(text.as_bytes(), 1001 * VALUE_BYTES).is_none());
        assert!(parse(text.as_bytes(), 1002 * VALUE_BYTES).is_some());
        let nested = |n: usize| "[".repeat(n) + &"]".repeat(n);
        assert!(parse(nested(MAX_JSON_DEPTH).as_bytes(), 1 << 20).is_some());
        assert!(parse(nested(MAX_JSON_DEPTH + 1).as_bytes(), 1 << 20).is_none());
        assert!(parse(nested(100_000).as_bytes(), 1 << 30).is_none());
    }

    #[test]
    fn texts() {
        for (text, valid) in [
            ("1", true),
            (" {} ", true),
            ("", false),
            ("1 2", false),
            ("{\"a\":1,}", false),
            ("nul", false),
            ("\"\\ud800\"", false),
        ] {
            assert_eq!(parse(text.as_bytes(), 1000).is_some(), valid, "{text}");
        }
        assert!(parse(b"\"\xff\"", 1000).is_none());
        let order = "{\"b\":1,\"a\":[9223372036854775807,-9223372036854775808,1.5,null,true]}";
        assert_eq!(parse(order.as_bytes(), 10_000).unwrap().to_string(), order);
    }

    proptest! {
        #[test]
        fn the_same_as_serde_json(text in "[\\[\\]{},:\"0-9a-e.\\-+ \\\\u]{0,20}|(\\{\"a\":)?\\[?[1-9eE.+-]{1,25}\\]?\\}?") {
            let parsed = parse(text.as_bytes(), 1 << 20);
            prop_assert_eq!(&parsed, &serde_json::from_str::<Value>(&text).ok());
            if let Some(parsed) = parsed {
                let Size { bytes, depth } = value(&parsed);
                prop_assert!(depth <= MAX_JSON_DEPTH);
                let whole = parse(text.as_bytes(), bytes).is_some();
                prop_assert!(whole || text.contains(char::from(123)));
                prop_assert!(parse(text.as_bytes(), bytes - 1).is_none());
            }
        }
    }
}
