//! The patterns of a script: read from its object, compiled when it is loaded, searched by helpers.

use regex::{CaptureLocations, Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

use zeroserve_vm::limits::BUDGET_FUEL;

use crate::limits::{
    MAX_PATTERN_CACHE_BYTES, MAX_PATTERN_PROGRAM_BYTES, MAX_PATTERNS, MAX_PATTERNS_BYTES,
    MAX_PATTERNS_CACHE_BYTES, MAX_PATTERNS_PROGRAM_BYTES,
};

/// What any pattern counts as, of those that a script may have.
const SMALL_PROGRAM_BYTES: usize = 16 * 1024;

/// Deepest nesting in a pattern: what looks at one calls itself.
const MAX_PATTERN_DEPTH: u32 = 100;

/// Name of the group that stands for what `$` allows in front of the end.
const END_GROUP: &str = "zs_eol";

/// Flag: the last group is cut off the match.
const HAS_END: u32 = 1;

/// Flag: what it means for other texts than ASCII differs from CPython.
const ASCII_ONLY: u32 = 2;

/// Flag: it says nothing of characters from U+D7FF on, so that it takes any that is no word
/// character for a lone surrogate.
const ANY_TEXT: u32 = 4;

/// Flag: what it means for an empty text differs between versions of CPython.
const NOT_EMPTY: u32 = 8;

/// The patterns of a script; a copy shares what is compiled, but none of the memory for searching.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    list: Vec<Pattern>,
}

/// A pattern.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    regex: Regex,
    shape: Shape,
    /// Whether it is for ASCII texts only.
    ascii_only: bool,
    /// Whether lone surrogates may be replaced by something like them.
    any_text: bool,
    /// Whether it is for texts that have something in them only.
    not_empty: bool,
    /// The last group is [`END_GROUP`].
    has_end: bool,
}

/// What a search can cost and what it prefers, as far as the pattern itself tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shape {
    /// States of an automaton, estimated.
    states: u64,
    /// Whether a search may look far behind the end of what it finds.
    looks_far: bool,
    /// Whether it may find nothing at a place where it could find something.
    prefers_empty: bool,
}

fn shape(hir: &Hir, is_last: bool) -> Shape {
    let can_be_empty = |hir: &Hir| hir.properties().minimum_len() == Some(0);
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Shape { states: 1, ..Shape::default() },
        HirKind::Literal(literal) => Shape { states: literal.0.len() as u64, ..Shape::default() },
        HirKind::Class(_) => Shape { states: 4, ..Shape::default() },
        HirKind::Capture(capture) => shape(&capture.sub, is_last),
        HirKind::Repetition(repeated) => {
            let inner = shape(&repeated.sub, false);
            let times = u64::from(repeated.max.unwrap_or(repeated.min.saturating_add(1)).max(1));
            let unbounded = repeated.max.is_none();
            let simple = repeated.sub.properties().maximum_len().is_some();
            Shape {
                states: inner.states.saturating_mul(times).saturating_add(1),
                looks_far: inner.looks_far || unbounded && !(is_last && simple && repeated.greedy),
                prefers_empty: inner.prefers_empty || !repeated.greedy,
            }
        }
        HirKind::Concat(parts) => {
            let last = parts.len().saturating_sub(1);
            let shapes =
                parts.iter().enumerate().map(|(n, part)| shape(part, is_last && n == last));
            shapes.fold(Shape::default(), Shape::and)
        }
        HirKind::Alternation(parts) => {
            let shapes = parts.iter().map(|part| shape(part, is_last));
            let mut all = shapes.fold(Shape::default(), Shape::and);
            all.states += 1;
            let mut rest = parts.iter();
            while let Some(part) = rest.next() {
                let more = || rest.clone().any(|p| p.properties().maximum_len() != Some(0));
                all.prefers_empty |= can_be_empty(part) && more();
            }
            all
        }
    }
}

impl Shape {
    fn and(self, other: Self) -> Self {
        Self {
            states: self.states.saturating_add(other.states),
            looks_far: self.looks_far || other.looks_far,
            prefers_empty: self.prefers_empty || other.prefers_empty,
        }
    }
}

impl Pattern {
    /// `room` is what all patterns of the script have left, and `cache` what this one may keep.
    fn new(text: &str, flags: u32, room: &mut usize, cache: usize) -> Result<Self, String> {
        let has_end = flags & HAS_END != 0;
        let mut parser = regex_syntax::ParserBuilder::new().nest_limit(MAX_PATTERN_DEPTH).build();
        let hir = parser.parse(text).map_err(|error| explain(&error))?;
        // How much one takes is not told, only whether it is more than some size.
        let mut size = SMALL_PROGRAM_BYTES;
        let regex = loop {
            let mut builder = RegexBuilder::new(text);
            builder.nest_limit(MAX_PATTERN_DEPTH).dfa_size_limit(cache);
            match builder.size_limit(size).build() {
                Ok(regex) => break regex,
                Err(regex::Error::CompiledTooBig(_)) if size < MAX_PATTERN_PROGRAM_BYTES => {
                    size = (4 * size).min(MAX_PATTERN_PROGRAM_BYTES);
                }
                Err(regex::Error::CompiledTooBig(limit)) => {
                    return Err(format!("it takes more than {limit} bytes once it is compiled"));
                }
                Err(other) => {
                    return Err(other.to_string().lines().last().unwrap_or_default().to_owned());
                }
            }
        };
        *room = room.checked_sub(size).ok_or_else(|| {
            let most = MAX_PATTERNS_PROGRAM_BYTES;
            format!("with it, patterns take more than {most} bytes once they are compiled")
        })?;
        if has_end && regex.capture_names().last() != Some(Some(END_GROUP)) {
            return Err(format!("its last group is not named {END_GROUP}"));
        }
        let shape = shape(&hir, true);
        let is = |flag: u32| flags & flag != 0;
        let (ascii_only, any_text, not_empty) = (is(ASCII_ONLY), is(ANY_TEXT), is(NOT_EMPTY));
        Ok(Self { regex, shape, ascii_only, any_text, not_empty, has_end })
    }

    /// Whether it is for texts that have something in them only.
    pub(crate) fn is_not_for_empty(&self) -> bool {
        self.not_empty
    }

    /// Whether it is for ASCII texts only.
    pub(crate) fn is_ascii_only(&self) -> bool {
        self.ascii_only
    }

    /// Whether lone surrogates may be replaced by U+FFFF, which has as many bytes and is as little
    /// of a letter, a digit or a space.
    pub(crate) fn takes_any_text(&self) -> bool {
        self.any_text
    }

    /// Groups that the script knows, the whole match among them.
    pub(crate) fn groups(&self) -> usize {
        self.regex.captures_len() - usize::from(self.has_end)
    }

    /// Memory for what a search finds.
    pub(crate) fn locations(&self) -> CaptureLocations {
        self.regex.capture_locations()
    }

    /// Whether finding nothing at a place leaves open what else is there.
    pub(crate) fn prefers_empty(&self) -> bool {
        self.shape.prefers_empty
    }

    /// Whether searching a text could take far more than a script may use: nothing else happens in
    /// the worker meanwhile. Most searches end early, so it may be a little more.
    pub(crate) fn is_too_much(&self, bytes: usize) -> bool {
        (bytes as u64).saturating_mul(self.per_byte()) > 2 * BUDGET_FUEL
    }

    /// What a byte costs that is looked at.
    fn per_byte(&self) -> u64 {
        2 + self.shape.states / 4
    }

    /// Search from a place on; where the match begins and ends. `fuel` pays for it.
    pub(crate) fn find(
        &self,
        text: &str,
        from: usize,
        locations: &mut CaptureLocations,
        fuel: &mut u64,
    ) -> Option<(usize, usize)> {
        let found = self.regex.captures_read_at(locations, text, from);
        let looked = found.map_or(text.len(), |found| found.end()) - from;
        *fuel = fuel.saturating_add((looked as u64 + 8).saturating_mul(self.per_byte()));
        let found = found?;
        if self.shape.looks_far {
            *fuel = fuel.saturating_add((text.len() - found.end()) as u64 / 4);
        }
        let mut end = found.end();
        if self.has_end
            && let Some((start, _)) = locations.get(locations.len() - 1)
        {
            end = start;
        }
        Some((found.start(), end))
    }
}

impl Patterns {
    /// Read and compile the patterns of an object: a number of them, then for each the length of
    /// its text, the text, and its flags.
    pub fn load(mut section: &[u8]) -> Result<Self, String> {
        if section.len() > MAX_PATTERNS_BYTES {
            return Err(format!("patterns of more than {MAX_PATTERNS_BYTES} bytes"));
        }
        if section.is_empty() {
            return Ok(Self::default());
        }
        let count = take_number(&mut section)? as usize;
        if count > MAX_PATTERNS {
            return Err(format!("more than {MAX_PATTERNS} patterns"));
        }
        let mut list = Vec::new();
        let mut room = MAX_PATTERNS_PROGRAM_BYTES;
        let cache = MAX_PATTERN_CACHE_BYTES.min(MAX_PATTERNS_CACHE_BYTES / count.max(1));
        for n in 0..count {
            let len = take_number(&mut section)? as usize;
            let (text, rest) = section.split_at_checked(len).ok_or_else(cut_off)?;
            section = rest;
            let text =
                std::str::from_utf8(text).map_err(|_| format!("pattern {n} is not UTF-8"))?;
            let flags = take_number(&mut section)?;
            let pattern = Pattern::new(text, flags, &mut room, cache);
            list.push(pattern.map_err(|why| format!("pattern {}: {why}", text.escape_debug()))?);
        }
        Ok(Self { list })
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Pattern> {
        self.list.get(usize::try_from(number).ok()?)
    }
}

fn cut_off() -> String {
    "its patterns end early".into()
}

fn take_number(bytes: &mut &[u8]) -> Result<u32, String> {
    let (number, rest) = bytes.split_first_chunk().ok_or_else(cut_off)?;
    *bytes = rest;
    Ok(u32::from_le_bytes(*number))
}

fn explain(error: &regex_syntax::Error) -> String {
    let (why, at) = match error {
        regex_syntax::Error::Parse(error) => (error.kind().to_string(), error.span().start.column),
        regex_syntax::Error::Translate(error) => {
            (error.kind().to_string(), error.span().start.column)
        }
        other => return other.to_string().lines().last().unwrap_or_default().to_owned(),
    };
    format!("{why}, at character {at}")
}

/// Why a pattern can't be used, if it can't.
pub fn check_pattern(text: &str) -> Result<(), String> {
    let mut room = MAX_PATTERN_PROGRAM_BYTES;
    Pattern::new(text, 0, &mut room, MAX_PATTERN_CACHE_BYTES).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn alone(text: &str, flags: u32) -> Result<Pattern, String> {
        Pattern::new(text, flags, &mut MAX_PATTERN_PROGRAM_BYTES.clone(), MAX_PATTERN_CACHE_BYTES)
    }

    fn of(text: &str) -> Shape {
        alone(text, 0).unwrap().shape
    }

    #[test]
    fn shapes() {
        for (text, far, empty) in [
            ("abc", false, false),
            (r"\d+", false, false),
            ("x*", false, false),
            ("(a|b)+", false, false),
            ("<[^>]*>", true, false),
            ("a.*z|a", true, false),
            ("(?:ab*c)*", true, false),
            ("a*?", true, true),
            ("|a", false, true),
            ("a|", false, false),
            ("a??", false, true),
            ("(?:a|)b*", false, false),
            ("^$|\\b", false, false),
        ] {
            let shape = of(text);
            assert_eq!((shape.looks_far, shape.prefers_empty), (far, empty), "{text}");
        }
        assert!(of("(?:abcd){50}").states >= 200);
    }

    #[test]
    fn long_texts() {
        let words = alone(r"[a-z]+\d+", 0).unwrap();
        assert!(!words.is_too_much(1 << 20));
        // Each character is looked at for all of its states.
        let slow = alone("(?:.{1,30}b){1,5}c", 0).unwrap();
        assert!(!slow.is_too_much(100_000) && slow.is_too_much(200_000));
    }

    #[test]
    fn refusals() {
        for (text, why) in [
            ("a(", "unclosed group, at character 2"),
            (r"(a)\1", "backreferences are not supported, at character 4"),
            (
                "(?=a)",
                "look-around, including look-ahead and look-behind, is not supported, \
                at character 1",
            ),
        ] {
            assert_eq!(check_pattern(text).unwrap_err(), why);
        }
        let large = check_pattern(r"(?:\w{100}){100}").unwrap_err();
        assert_eq!(large, "it takes more than 1048576 bytes once it is compiled");
        assert!(check_pattern(&"(".repeat(1000)).is_err());
        assert!(alone("a(b)", HAS_END).is_err());
    }

    fn section(patterns: &[(&str, u32)]) -> Vec<u8> {
        let mut bytes = (patterns.len() as u32).to_le_bytes().to_vec();
        for (text, flags) in patterns {
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend(text.as_bytes());
            bytes.extend(flags.to_le_bytes());
        }
        bytes
    }

    #[test]
    fn sections() {
        let bytes = section(&[("a+", 0), (r"b(?:(?P<zs_eol>\n)\z|\z)", 1)]);
        let patterns = Patterns::load(&bytes).unwrap();
        let found = |n, text: &str| {
            let pattern = patterns.get(n).unwrap();
            pattern.find(text, 0, &mut pattern.locations(), &mut 0)
        };
        assert_eq!(found(0, "baac"), Some((1, 3)));
        assert_eq!(found(1, "ab\n"), Some((1, 2)));
        assert_eq!(found(1, "ab"), Some((1, 2)));
        assert_eq!(found(1, "ab\n\n"), None);
        assert_eq!((patterns.get(1).unwrap().groups(), patterns.get(2).is_none()), (1, true));
        for end in 1..bytes.len() {
            assert!(Patterns::load(&bytes[..end]).is_err(), "{end}");
        }
        assert!(Patterns::load(&[]).is_ok());
        assert_eq!(
            Patterns::load(&section(&[("(", 0)])).unwrap_err(),
            "pattern (: unclosed group, at character 1"
        );
        assert!(Patterns::load(&u32::MAX.to_le_bytes()).is_err());
        let small = section(&[("[a-z]+/x", 0); MAX_PATTERNS]);
        assert!(Patterns::load(&small).is_ok());
        let large = section(&[(r"\w{20}", 0); 200]);
        assert!(Patterns::load(&large).unwrap_err().contains("33554432 bytes"));
    }

    proptest! {
        #[test]
        fn any_section(bytes: Vec<u8>) {
            let _ = Patterns::load(&bytes);
        }

        /// Where a pattern does not prefer nothing, nothing is found only where nothing else is.
        #[test]
        fn empty_is_last(text in "[ab|*?()]{0,8}", subject in "[ab]{0,4}") {
            let Ok(pattern) = alone(&text, 0) else { return Ok(()) };
            let found = pattern.find(&subject, 0, &mut pattern.locations(), &mut 0);
            if pattern.prefers_empty() || found != Some((0, 0)) {
                return Ok(());
            }
            let whole = Regex::new(&format!(r"\A(?:{text})\z")).unwrap();
            for end in 1..=subject.len() {
                prop_assert!(!whole.is_match(&subject[..end]), "{text} in {subject}");
            }
        }
    }
}
