//! What can be wrong with an archive, in words for the person who made it.

use std::fmt;
use std::io;

/// How much a problem costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The archive is refused.
    Fatal,
    /// The entry is left out of the site; the rest is served.
    Entry,
    /// Served all the same; somebody should know.
    Warning,
}

/// One finding about one entry, or about the archive as a whole when `entry` is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// How much it costs.
    pub severity: Severity,
    /// The entry's name as stored, invalid UTF-8 replaced; empty for the whole archive.
    pub entry: String,
    /// Where the entry's header begins in the file, in bytes.
    pub offset: u64,
    /// What is wrong, without the place.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.entry.is_empty() {
            write!(f, "at offset {}: {}", self.offset, self.message)
        } else {
            // Names come from strangers: no control characters into a terminal.
            let name = Shown(&self.entry);
            write!(f, "entry '{name}' at offset {}: {}", self.offset, self.message)
        }
    }
}

/// A name with control characters escaped and its length bounded.
struct Shown<'a>(&'a str);

/// Longest part of a name that is repeated in a message.
const SHOWN_CHARS: usize = 200;

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        for (i, c) in self.0.chars().enumerate() {
            if i == SHOWN_CHARS {
                return f.write_str("...");
            }
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

/// Why an archive can't be opened.
#[derive(Debug)]
pub enum Error {
    /// The file could not be read.
    Io(io::Error),
    /// The file was read and is refused.
    Refused(Problem),
}

impl Error {
    pub(crate) fn whole(offset: u64, message: impl Into<String>) -> Self {
        Self::Refused(Problem {
            severity: Severity::Fatal,
            entry: String::new(),
            offset,
            message: message.into(),
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => f.write_str(&plain(error)),
            Self::Refused(problem) => problem.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

/// An operating system's error in lower case, without the number that std appends to it.
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    if error.raw_os_error().is_none() {
        return text;
    }
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
