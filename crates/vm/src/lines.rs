//! Source lines of instructions, from `.debug_line`.
//!
//! They serve messages only: where the section is missing, damaged or of an unknown version, the
//! instructions have no lines, and nothing else changes.

use std::collections::HashMap;

use gimli::{
    AttributeValue, DebugLine, DebugLineOffset, EndianSlice, LineProgramHeader, Reader, Relocate,
    RelocateReader,
};
use object::read::elf::ElfFile64;
use object::{
    LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget,
    SectionIndex,
};

use crate::insn::SLOT_BYTES;
use crate::limits::{MAX_INSNS, MAX_LINE_BYTES, MAX_LINE_FILES, MAX_NAME_BYTES, MAX_RELOCATIONS};
use crate::object_file::printable;

/// Address sizes and versions are read from the section; its own format is all that is fixed.
const ADDRESS_BYTES: u8 = 8;

/// Rows that are read at most: a hostile line program can make many out of a few bytes.
const MAX_ROWS: usize = 4 * MAX_INSNS;

/// The line of each slot.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    files: Vec<String>,
    /// First slot of a row, sorted: file and line, or nothing behind the end of a sequence.
    rows: Vec<(u32, Option<(u32, u32)>)>,
}

impl Lines {
    /// `file:line` of a slot, counted over all code of the object.
    pub(crate) fn at(&self, slot: u32) -> Option<(&str, u32)> {
        let (file, line) = self.row(slot)?;
        Some((self.files.get(file as usize)?, line))
    }

    /// The same with the number of the file.
    pub(crate) fn row(&self, slot: u32) -> Option<(u32, u32)> {
        let behind = self.rows.partition_point(|(start, _)| *start <= slot);
        self.rows.get(behind.checked_sub(1)?)?.1
    }
}

type Elf<'d> = ElfFile64<'d, LittleEndian>;
type Slice<'d> = EndianSlice<'d, gimli::LittleEndian>;
type Relocated<'d, 'm> = RelocateReader<Slice<'d>, &'m Bases>;

/// Where relocations say that an address belongs to code: offset in `.debug_line` to first slot.
#[derive(Debug)]
struct Bases(HashMap<usize, u32>);

/// Addresses that no relocation ties to code are moved up here, where no slot is.
const NOWHERE: u64 = 1 << 48;

impl Relocate for &Bases {
    fn relocate_address(&self, offset: usize, value: u64) -> gimli::Result<u64> {
        let base =
            self.0.get(&offset).map_or(NOWHERE, |first| u64::from(*first) * SLOT_BYTES as u64);
        Ok(value.wrapping_add(base))
    }

    fn relocate_offset(&self, _: usize, value: usize) -> gimli::Result<usize> {
        // Against section symbols, whose value is 0: the addend in place is all.
        Ok(value)
    }
}

/// What is needed to read the section.
pub(crate) struct Sequences<'d, 'f> {
    file: &'f Elf<'d>,
    bases: Bases,
}

impl<'d, 'f> Sequences<'d, 'f> {
    /// `code` tells the first slot of each section that is code.
    pub(crate) fn new(file: &'f Elf<'d>, code: &HashMap<SectionIndex, u32>) -> Self {
        let mut bases = HashMap::new();
        if let Some(section) = file.section_by_name(".debug_line") {
            for (offset, relocation) in section.relocations().take(MAX_RELOCATIONS) {
                let RelocationTarget::Symbol(index) = relocation.target() else { continue };
                let symbol = file.symbol_by_index(index).ok();
                let first = symbol.and_then(|s| code.get(&s.section_index()?).copied());
                if let (Some(first), Ok(offset)) = (first, usize::try_from(offset)) {
                    bases.insert(offset, first);
                }
            }
        }
        Self { file, bases: Bases(bases) }
    }

    pub(crate) fn read(&self) -> Lines {
        let mut lines = Lines::default();
        // Lines read before a damaged place are kept.
        let _ = self.read_into(&mut lines);
        lines.rows.sort_by_key(|(start, row)| (*start, row.is_some()));
        lines.rows.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                *kept = *next;
            }
            same
        });
        lines
    }

    fn section(&self, name: &str) -> &'d [u8] {
        self.file.section_by_name(name).and_then(|section| section.data().ok()).unwrap_or(&[])
    }

    fn read_into(&self, lines: &mut Lines) -> gimli::Result<()> {
        let data = self.section(".debug_line");
        if data.len() > MAX_LINE_BYTES {
            return Ok(());
        }
        let strings =
            Strings { line: self.section(".debug_line_str"), general: self.section(".debug_str") };
        let slice = EndianSlice::new(data, gimli::LittleEndian);
        let debug_line = DebugLine::from(RelocateReader::new(slice, &self.bases));
        let mut offset = 0;
        while offset < data.len() {
            let program = debug_line.program(DebugLineOffset(offset), ADDRESS_BYTES, None, None)?;
            let header = program.header();
            let word = u64::from(header.format().word_size());
            offset += (header.unit_length() as u64 + if word == 8 { 12 } else { 4 }) as usize;
            let mut files: HashMap<u64, u32> = HashMap::new();
            let mut rows = program.rows();
            while let Some((header, row)) = rows.next_row()? {
                let Ok(slot) = u32::try_from(row.address() / SLOT_BYTES as u64) else { continue };
                if slot as usize > MAX_INSNS || lines.rows.len() >= MAX_ROWS {
                    continue;
                }
                let line = row.line().and_then(|line| u32::try_from(line.get()).ok());
                let place = line.filter(|_| !row.end_sequence()).map(|line| {
                    let index = *files.entry(row.file_index()).or_insert_with(|| {
                        if lines.files.len() < MAX_LINE_FILES {
                            lines.files.push(strings.file_name(header, row.file_index()));
                            return lines.files.len() as u32 - 1;
                        }
                        u32::MAX
                    });
                    (index, line)
                });
                lines.rows.push((slot, place));
            }
        }
        Ok(())
    }
}

/// Where version 5 keeps its names.
struct Strings<'d> {
    line: &'d [u8],
    general: &'d [u8],
}

impl<'d> Strings<'d> {
    /// Without its directory: scripts are known by their file names.
    fn file_name(&self, header: &LineProgramHeader<Relocated<'d, '_>>, index: u64) -> String {
        let name = header.file(index).and_then(|file| {
            let (section, offset) = match file.path_name() {
                AttributeValue::String(name) => {
                    let name = name.to_slice().ok()?;
                    return Some(name[..name.len().min(MAX_NAME_BYTES)].to_vec());
                }
                AttributeValue::DebugLineStrRef(offset) => (self.line, offset.0),
                AttributeValue::DebugStrRef(offset) => (self.general, offset.0),
                _ => return None,
            };
            let rest = section.get(offset..)?;
            let rest = &rest[..rest.len().min(MAX_NAME_BYTES)];
            Some(rest.split(|byte| *byte == 0).next()?.to_vec())
        });
        let path = printable(name.as_deref().unwrap_or(b"?"));
        path.rsplit(['/', '\\']).next().unwrap_or("?").to_owned()
    }
}
