//! Text as compiled Python has it: UTF-8 in which lone surrogates are encoded too.
//!
//! Whatever else the bytes are, reading them ends and stays inside of them.

use crate::guest::{Call, Instead};
use crate::python::exception::UNICODE_ENCODE_ERROR;
use crate::python::repr::escape as escape_point;
use crate::python::unicode;

pub(crate) use crate::python::chars::{all as letters, count, first};

/// Append a character, surrogates too.
pub(crate) fn push(out: &mut Vec<u8>, letter: u32) {
    match char::from_u32(letter) {
        Some(letter) => out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        None => out.extend_from_slice(&[
            0xe0 | (letter >> 12 & 0x0f) as u8,
            0x80 | (letter >> 6 & 0x3f) as u8,
            0x80 | (letter & 0x3f) as u8,
        ]),
    }
}

/// Text of bytes: each byte that is not part of UTF-8 becomes a surrogate (PEP 383).
pub(crate) fn escape(bytes: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.extend_from_slice(chunk.valid().as_bytes());
        chunk.invalid().iter().for_each(|byte| push(&mut text, 0xdc00 + u32::from(*byte)));
    }
    text
}

/// Where a surrogate begins, at or behind a place.
fn surrogate(text: &[u8], from: usize) -> Option<usize> {
    let behind = memchr::memchr_iter(0xed, &text[from..]).map(|at| from + at);
    behind.into_iter().find(|at| text.get(at + 1).is_some_and(|byte| *byte >= 0xa0))
}

/// Bytes of text, with those of [`escape`] as they were; where another surrogate is, an error.
pub(crate) fn unescape(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = surrogate(text, from) {
        bytes.extend_from_slice(&text[from..at]);
        match first(&text[at..]) {
            Some((letter @ 0xdc80..=0xdcff, 3)) => bytes.push(letter as u8),
            _ => return Err(not_encoded(text, at)),
        }
        from = at + 3;
    }
    bytes.extend_from_slice(&text[from..]);
    Ok(bytes)
}

/// Why text is not UTF-8, if it is not.
pub(crate) fn encoded(text: &[u8]) -> Result<(), String> {
    surrogate(text, 0).map_or(Ok(()), |at| Err(not_encoded(text, at)))
}

/// The text of UnicodeEncodeError for the surrogates that begin at a place.
fn not_encoded(text: &[u8], at: usize) -> String {
    let place = count(&text[..at]);
    let run = letters(&text[at..]).take_while(|letter| (0xd800..0xe000).contains(letter)).count();
    if run > 1 {
        let last = place + run - 1;
        return format!(
            "'utf-8' codec can't encode characters in position {place}-{last}: surrogates not allowed"
        );
    }
    let letter = first(&text[at..]).map_or(0, |(letter, _)| letter);
    format!(
        "'utf-8' codec can't encode character '\\u{letter:04x}' in position {place}: \
         surrogates not allowed"
    )
}

impl Call<'_> {
    /// Raise UnicodeEncodeError where that is why there is no value.
    pub(crate) fn encodable<T>(&mut self, value: Result<T, String>) -> Result<T, Instead> {
        value.map_err(|why| self.raised(UNICODE_ENCODE_ERROR, why))
    }
}

/// A text as Python's `repr` writes it, for messages.
pub(crate) fn repr(text: &[u8]) -> String {
    let quote = if text.contains(&b'\'') && !text.contains(&b'"') { '"' } else { '\'' };
    let mut out = String::from(quote);
    for point in letters(text) {
        match (point, char::from_u32(point)) {
            (0x0a, _) => out.push_str("\\n"),
            (0x0d, _) => out.push_str("\\r"),
            (0x09, _) => out.push_str("\\t"),
            (_, Some(letter)) if letter == quote || letter == '\\' => out.extend(['\\', letter]),
            (0x20..=0x7e, Some(letter)) => out.push(letter),
            (0x80.., Some(letter)) if unicode::is_printable(point) => out.push(letter),
            _ => escape_point(point, &mut out),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn surrogates() {
        assert_eq!(escape(b"a\xffb\xc3\xa9"), b"a\xed\xb3\xbfb\xc3\xa9");
        assert_eq!(unescape(b"\xed\xb2\x80\xed\xb3\xbf-").unwrap(), b"\x80\xff-");
        assert_eq!(
            unescape(b"\xc3\xa9\xed\xa0\x80").unwrap_err(),
            "'utf-8' codec can't encode character '\\ud800' in position 1: surrogates not allowed"
        );
        assert_eq!(
            encoded(b"\xed\xa0\x80\xed\xb2\x80").unwrap_err(),
            "'utf-8' codec can't encode characters in position 0-1: surrogates not allowed"
        );
        assert_eq!(encoded("\u{d7ff}\u{e000}".as_bytes()), Ok(()));
        assert_eq!(count("aé€😀".as_bytes()), 4);
        assert_eq!(repr(b"it's\n\xed\xa0\x80\x00"), "\"it's\\n\\ud800\\x00\"");
        assert_eq!(repr("é\u{200b}\u{e0001}".as_bytes()), "'é\\u200b\\U000e0001'");
    }

    proptest! {
        #[test]
        fn bytes_come_back(bytes: Vec<u8>) {
            prop_assert_eq!(unescape(&escape(&bytes)).unwrap(), bytes.clone());
            let text: Vec<u8> = letters(&escape(&bytes)).fold(Vec::new(), |mut out, letter| {
                push(&mut out, letter);
                out
            });
            prop_assert_eq!(text, escape(&bytes));
            // Garbage is read to its end.
            letters(&bytes).count();
            let _ = unescape(&bytes);
            repr(&bytes);
        }

        #[test]
        fn text_is_what_it_was(text: String) {
            prop_assert_eq!(escape(text.as_bytes()), text.as_bytes());
            prop_assert_eq!(letters(text.as_bytes()).collect::<Vec<_>>(),
                text.chars().map(u32::from).collect::<Vec<_>>());
            prop_assert_eq!(count(text.as_bytes()), text.chars().count());
        }
    }
}
