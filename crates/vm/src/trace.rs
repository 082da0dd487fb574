//! Which source lines a run comes by, for those who ask why a script did what it did.
//!
//! Only the interpreter keeps such a record, and only for a run that asked for it.

use crate::program::Program;

/// Lines of one run in the order in which they ran, up to a bound.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    /// The first slot of each line; a line that follows itself is there once.
    slots: Vec<u32>,
    last: Option<(u32, u32)>,
    most: usize,
    skipped: u64,
}

/// What [`crate::Instance::take_trace`] gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traced {
    /// File and line, in the order in which they ran.
    pub lines: Vec<(String, u32)>,
    /// How many more there were.
    pub skipped: u64,
}

impl Trace {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// The run comes by an instruction.
    pub(crate) fn pass(&mut self, program: &Program, slot: u32) {
        let Some(row) = program.row(slot) else { return };
        if self.last.replace(row) == Some(row) {
            return;
        }
        if self.slots.len() < self.most {
            self.slots.push(slot);
        } else {
            self.skipped += 1;
        }
    }

    /// What was recorded; the record goes on empty, with as much room as is left.
    pub(crate) fn take(&mut self, program: &Program) -> Traced {
        let slots = std::mem::take(&mut self.slots);
        self.most -= slots.len();
        let line = |slot| {
            let (function, at) = program.locate(slot);
            program.line(function, at).map(|(file, line)| (file.to_owned(), line))
        };
        let lines = slots.into_iter().filter_map(line).collect();
        Traced { lines, skipped: std::mem::take(&mut self.skipped) }
    }
}
