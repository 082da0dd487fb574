//! ELF objects as LLVM writes them: sections laid out in guest memory, relocations applied.
//!
//! Nothing here trusts the file: every offset is checked, and what is not understood is refused
//! with its name.

use std::collections::{HashMap, HashSet};

use object::read::elf::{ElfFile64, FileHeader as _};
use object::{
    LittleEndian, Object as _, ObjectSection as _, ObjectSymbol as _, RelocationFlags,
    RelocationTarget, SectionFlags, SectionIndex, SymbolIndex, SymbolKind, elf,
};

use crate::error::{LoadError, refuse};
use crate::insn::{Raw, SLOT_BYTES, call};
use crate::limits::{
    FUNCTION_BASE, MAX_FUNCTIONS, MAX_IMAGE_BYTES, MAX_INSNS, MAX_NAME_BYTES, MAX_OBJECT_BYTES,
    MAX_RELOCATIONS, NULL_BYTES, PAGE_BYTES,
};
use crate::lines::{Lines, Sequences};

/// Kinds of relocation (Linux, Documentation/bpf/llvm_reloc.rst).
mod kind {
    /// The constant of lddw.
    pub(super) const ADDRESS_64: u32 = 1;
    /// Eight bytes of data.
    pub(super) const ABSOLUTE_64: u32 = 2;
    /// Four bytes of data.
    pub(super) const ABSOLUTE_32: u32 = 3;
    /// The distance of a call.
    pub(super) const CALL_32: u32 = 10;
}

type Elf<'d> = ElfFile64<'d, LittleEndian>;
type Symbol<'d, 'f> = object::read::elf::ElfSymbol64<'d, 'f, LittleEndian>;
type Section<'d, 'f> = object::read::elf::ElfSection64<'d, 'f, LittleEndian>;

/// A function before it is decoded.
#[derive(Debug)]
pub(crate) struct RawFunction {
    pub(crate) name: String,
    pub(crate) section: String,
    /// First slot, counted over all code of the object.
    pub(crate) start: u32,
    pub(crate) slots: Vec<Raw>,
}

/// Who a call instruction calls, by its slot.
#[derive(Clone, Debug)]
pub(crate) enum CallTarget {
    /// The function that begins at this slot.
    Slot(u32),
    /// A name that the object does not define.
    Named(String),
}

/// Constants and variables as they are when a run begins.
#[derive(Debug)]
pub(crate) struct Image {
    /// From [`NULL_BYTES`] on: constants, padding to a page, variables.
    pub(crate) bytes: Vec<u8>,
    /// Guest address of the first variable: below it nothing is written.
    pub(crate) writable: u32,
}

impl Image {
    pub(crate) fn empty() -> Self {
        Self { bytes: Vec::new(), writable: NULL_BYTES }
    }

    /// Guest address behind the last variable, a multiple of the page size.
    pub(crate) fn end(&self) -> u32 {
        (NULL_BYTES + self.bytes.len() as u32).next_multiple_of(PAGE_BYTES)
    }
}

/// What was read of an object.
pub(crate) struct ObjectFile {
    pub(crate) functions: Vec<RawFunction>,
    pub(crate) calls: HashMap<u32, CallTarget>,
    pub(crate) image: Image,
    pub(crate) lines: Lines,
    /// Functions that something in the object points at.
    pub(crate) pointed_at: HashSet<u32>,
    /// What stands in [`PATTERNS`].
    pub(crate) patterns: Vec<u8>,
}

/// Section of what a compiler wants its host to prepare; not part of guest memory.
const PATTERNS: &str = "zeroserve.patterns";

/// Where a section went.
#[derive(Clone, Copy)]
enum Place {
    /// Code, from this slot on.
    Code(u32),
    /// Data, at this guest address.
    Data(u32),
}

struct Reader<'d, 'f> {
    file: &'f Elf<'d>,
    places: HashMap<SectionIndex, Place>,
    slots: Vec<Raw>,
    functions: Vec<RawFunction>,
    calls: HashMap<u32, CallTarget>,
    /// Guest memory from address 0 on; the null page is cut off in the end.
    memory: Vec<u8>,
    pointed_at: HashSet<u32>,
}

/// Read an object.
pub(crate) fn read(bytes: &[u8]) -> Result<ObjectFile, LoadError> {
    if bytes.len() > MAX_OBJECT_BYTES {
        return refuse(format!(
            "an object of {} bytes; the most is {MAX_OBJECT_BYTES}",
            bytes.len()
        ));
    }
    if !bytes.starts_with(&elf::ELFMAG) {
        return refuse("not an ELF object: it does not begin with 7f 45 4c 46");
    }
    if bytes.get(4) != Some(&elf::ELFCLASS64.0) || bytes.get(5) != Some(&elf::ELFDATA2LSB.0) {
        return refuse("not 64-bit little-endian; compile for bpfel");
    }
    let file = Elf::parse(bytes).map_err(|error| LoadError::Object(format!("ELF: {error}")))?;
    check_names(&file)?;
    let header = file.elf_header();
    let machine = header.e_machine(LittleEndian);
    if machine != elf::EM_BPF {
        return refuse(format!("for machine {machine}, not eBPF ({})", elf::EM_BPF));
    }
    if header.e_type(LittleEndian) != elf::ET_REL {
        return refuse("a linked file; only relocatable objects (cc -c) are loaded");
    }
    let mut reader = Reader {
        file: &file,
        places: HashMap::new(),
        slots: Vec::new(),
        functions: Vec::new(),
        calls: HashMap::new(),
        memory: vec![0; NULL_BYTES as usize],
        pointed_at: HashSet::new(),
    };
    reader.place_code()?;
    reader.place_data(false)?;
    pad(&mut reader.memory, PAGE_BYTES)?;
    let writable = reader.memory.len() as u32;
    reader.place_data(true)?;
    reader.find_functions()?;
    reader.relocate()?;
    let lines = reader.lines();
    let patterns = reader.patterns()?;
    let mut functions = reader.functions;
    for function in &mut functions {
        let start = function.start as usize;
        let end = start + function.slots.len();
        function.slots.copy_from_slice(&reader.slots[start..end]);
    }
    let bytes = reader.memory.split_off(NULL_BYTES as usize);
    let image = Image { bytes, writable };
    let (calls, pointed_at) = (reader.calls, reader.pointed_at);
    Ok(ObjectFile { functions, calls, image, lines, pointed_at, patterns })
}

/// No name is longer than it may be: they are copied, and a table whose names overlap would make
/// gigabytes out of a few.
fn check_names(file: &Elf<'_>) -> Result<(), LoadError> {
    let header = file.elf_header();
    let names = header.e_shstrndx(LittleEndian).0;
    if header.e_shnum(LittleEndian) == 0 || names >= elf::SHN_LORESERVE {
        return refuse("no sections, or more than 65,279");
    }
    for section in file.sections() {
        let table = section.elf_section_header().sh_type.get(LittleEndian) == elf::SHT_STRTAB;
        if !table && section.index().0 != usize::from(names) {
            continue;
        }
        let data = section.data().unwrap_or(&[]);
        if data.split(|byte| *byte == 0).any(|name| name.len() > MAX_NAME_BYTES) {
            return refuse(format!("a name of more than {MAX_NAME_BYTES} bytes"));
        }
    }
    Ok(())
}

fn pad(memory: &mut Vec<u8>, align: u32) -> Result<(), LoadError> {
    let size = memory.len().next_multiple_of(align as usize);
    grow(memory, size)
}

fn grow(memory: &mut Vec<u8>, size: usize) -> Result<(), LoadError> {
    if size > (NULL_BYTES + MAX_IMAGE_BYTES) as usize {
        return refuse(format!("more than {MAX_IMAGE_BYTES} bytes of constants and variables"));
    }
    memory.resize(size, 0);
    Ok(())
}

impl<'d> Reader<'d, '_> {
    fn name(section: &Section<'d, '_>) -> String {
        printable(section.name_bytes().unwrap_or(b"?"))
    }

    fn has(section: &Section<'d, '_>, flag: elf::SectionFlags) -> bool {
        match section.flags() {
            SectionFlags::Elf { sh_flags, .. } => sh_flags.0 & flag.0 == flag.0,
            _ => false,
        }
    }

    fn data(section: &Section<'d, '_>) -> Result<&'d [u8], LoadError> {
        let name = Self::name(section);
        section.data().map_err(|error| LoadError::Object(format!("section {name}: {error}")))
    }

    fn place_code(&mut self) -> Result<(), LoadError> {
        for section in self.file.sections() {
            let code =
                Self::has(&section, elf::SHF_ALLOC) && Self::has(&section, elf::SHF_EXECINSTR);
            if !code || section.size() == 0 {
                continue;
            }
            let data = Self::data(&section)?;
            let name = Self::name(&section);
            if data.len() as u64 != section.size() {
                return refuse(format!("section {name}: its data ends early"));
            }
            if !data.len().is_multiple_of(SLOT_BYTES) {
                return refuse(format!(
                    "section {name}: {} bytes are no whole instructions",
                    data.len()
                ));
            }
            if self.slots.len() + data.len() / SLOT_BYTES > MAX_INSNS {
                return refuse(format!("more than {MAX_INSNS} instructions"));
            }
            self.places.insert(section.index(), Place::Code(self.slots.len() as u32));
            let slots = data.as_chunks::<SLOT_BYTES>().0;
            self.slots.extend(slots.iter().map(|bytes| Raw::new(*bytes)));
        }
        Ok(())
    }

    fn place_data(&mut self, writable: bool) -> Result<(), LoadError> {
        for section in self.file.sections() {
            let name = Self::name(&section);
            let skipped = name.starts_with(".eh_frame") || name.starts_with(".BTF");
            let code = Self::has(&section, elf::SHF_EXECINSTR);
            if !Self::has(&section, elf::SHF_ALLOC) || code || skipped || name == PATTERNS {
                continue;
            }
            if name == "maps" || name == ".maps" {
                return refuse(format!(
                    "section {name}: there are no maps here, state goes through helpers"
                ));
            }
            // Pointer tables of constants are only written by relocation.
            let written = Self::has(&section, elf::SHF_WRITE) && !name.starts_with(".data.rel.ro");
            if written != writable {
                continue;
            }
            let align = section.align().max(1);
            if !align.is_power_of_two() || align > u64::from(PAGE_BYTES) {
                return refuse(format!("section {name}: alignment {align}"));
            }
            pad(&mut self.memory, align as u32)?;
            let start = self.memory.len();
            let size = usize::try_from(section.size())
                .ok()
                .and_then(|size| start.checked_add(size))
                .ok_or_else(|| LoadError::Object(format!("section {name}: too large")))?;
            grow(&mut self.memory, size)?;
            if section.kind() != object::SectionKind::UninitializedData {
                let data = Self::data(&section)?;
                if data.len() != size - start {
                    return refuse(format!("section {name}: its data ends early"));
                }
                self.memory[start..].copy_from_slice(data);
            }
            self.places.insert(section.index(), Place::Data(start as u32));
        }
        Ok(())
    }

    /// Functions are what their symbols say; each ends where the next begins.
    fn find_functions(&mut self) -> Result<(), LoadError> {
        let mut found: Vec<(u32, SectionIndex, Option<SymbolIndex>)> = Vec::new();
        for symbol in self.file.symbols() {
            let Some(index) = symbol.section_index() else { continue };
            let Some(Place::Code(first)) = self.places.get(&index) else { continue };
            if symbol.kind() != SymbolKind::Text {
                continue;
            }
            let size = self.file.section_by_index(index).map_or(0, |section| section.size());
            let offset = symbol.address();
            if offset >= size || offset % SLOT_BYTES as u64 != 0 {
                let name = symbol_name(&symbol);
                return refuse(format!("function {name}: it begins outside of its section"));
            }
            let start = first + (offset / SLOT_BYTES as u64) as u32;
            found.push((start, index, Some(symbol.index())));
        }
        // A section whose start has no name is called as the section is.
        for (index, place) in &self.places {
            if let Place::Code(first) = place {
                found.push((*first, *index, None));
            }
        }
        // Of two names for one place the first in the file counts.
        found.sort_by_key(|(start, _, symbol)| {
            (*start, symbol.map_or(usize::MAX, |symbol| symbol.0))
        });
        found.dedup_by_key(|(start, ..)| *start);
        if found.is_empty() {
            return refuse("no functions in it");
        }
        if found.len() > MAX_FUNCTIONS {
            return refuse(format!("more than {MAX_FUNCTIONS} functions"));
        }
        let ends: Vec<u32> = found.iter().skip(1).map(|(start, ..)| *start).collect();
        let last = self.slots.len() as u32;
        let ends = ends.into_iter().chain([last]);
        for ((start, index, symbol), end) in found.into_iter().zip(ends) {
            let section = self.file.section_by_index(index).map(|section| Self::name(&section));
            let section = section.unwrap_or_default();
            let symbol = symbol.and_then(|index| self.file.symbol_by_index(index).ok());
            let name = symbol.map_or_else(|| section.clone(), |symbol| symbol_name(&symbol));
            let slots = self.slots[start as usize..end as usize].to_vec();
            self.functions.push(RawFunction { name, section, start, slots });
        }
        Ok(())
    }

    fn relocate(&mut self) -> Result<(), LoadError> {
        // Calls that the assembler resolved: relative to the slot behind them.
        for at in 0..self.slots.len() {
            let raw = self.slots[at];
            if raw.op == 0x85 && raw.src == call::FUNCTION {
                let target = at as i64 + 1 + i64::from(raw.imm);
                let target = u32::try_from(target).unwrap_or(u32::MAX);
                self.calls.insert(at as u32, CallTarget::Slot(target));
            }
        }
        let mut count = 0;
        for section in self.file.sections() {
            let Some(&place) = self.places.get(&section.index()) else { continue };
            let name = Self::name(&section);
            for (offset, relocation) in section.relocations() {
                count += 1;
                if count > MAX_RELOCATIONS {
                    return refuse(format!("more than {MAX_RELOCATIONS} relocations"));
                }
                if !relocation.has_implicit_addend() && relocation.addend() != 0 {
                    return refuse(format!(
                        "section {name}: relocation at {offset:#x} with an addend of its own"
                    ));
                }
                let RelocationTarget::Symbol(index) = relocation.target() else {
                    return refuse(format!(
                        "section {name}: relocation at {offset:#x} without symbol"
                    ));
                };
                let RelocationFlags::Elf { r_type } = relocation.flags() else { continue };
                self.apply(place, section.size(), offset, r_type.0, index).map_err(|why| {
                    LoadError::Object(format!("section {name}, offset {offset:#x}: {why}"))
                })?;
            }
        }
        Ok(())
    }

    fn apply(
        &mut self,
        place: Place,
        size: u64,
        offset: u64,
        r_type: u32,
        index: SymbolIndex,
    ) -> Result<(), String> {
        let symbol = self
            .file
            .symbol_by_index(index)
            .map_err(|_| format!("relocation against symbol {}, which is not there", index.0))?;
        match (place, r_type) {
            (Place::Code(first), kind::ADDRESS_64) => {
                let at = self.slot(first, size, offset, 2)?;
                let (low, high) = (self.slots[at], self.slots[at + 1]);
                if low.op != 0x18 {
                    return Err("relocation of an address on something that is no lddw".into());
                }
                let addend = u64::from(low.imm as u32) | u64::from(high.imm as u32) << 32;
                let value = self.address(&symbol, addend)?;
                self.slots[at].imm = value as u32 as i32;
                self.slots[at].src = 0;
                self.slots[at + 1].imm = (value >> 32) as u32 as i32;
            }
            (Place::Code(first), kind::CALL_32) => {
                let at = self.slot(first, size, offset, 1)?;
                if self.slots[at].op != 0x85 {
                    return Err("relocation of a call on something that is no call".into());
                }
                let target = self.call_target(&symbol, self.slots[at].imm)?;
                self.calls.insert(at as u32, target);
                self.slots[at].src = call::FUNCTION;
            }
            (Place::Data(first), kind::ABSOLUTE_64) => {
                let range = data_range(first, size, offset, 8)?;
                let mut old = [0; 8];
                old.copy_from_slice(&self.memory[range.clone()]);
                let value = self.address(&symbol, u64::from_le_bytes(old))?;
                self.memory[range].copy_from_slice(&value.to_le_bytes());
            }
            (Place::Data(first), kind::ABSOLUTE_32) => {
                let range = data_range(first, size, offset, 4)?;
                let mut old = [0; 4];
                old.copy_from_slice(&self.memory[range.clone()]);
                let value = self.address(&symbol, u32::from_le_bytes(old).into())?;
                let value = u32::try_from(value)
                    .map_err(|_| "the address of a function does not fit into 32 bits")?;
                self.memory[range].copy_from_slice(&value.to_le_bytes());
            }
            (_, other) => return Err(format!("relocation of kind {other} is not known")),
        }
        Ok(())
    }

    fn slot(&self, first: u32, size: u64, offset: u64, count: u64) -> Result<usize, String> {
        let bytes = SLOT_BYTES as u64;
        if !offset.is_multiple_of(bytes) || offset.saturating_add(count * bytes) > size {
            return Err("relocation outside of the code".into());
        }
        Ok(first as usize + (offset / bytes) as usize)
    }

    /// Guest address of a symbol, for data and for functions.
    fn address(&mut self, symbol: &Symbol<'d, '_>, addend: u64) -> Result<u64, String> {
        let name = symbol_name(symbol);
        if symbol.is_undefined() {
            return Err(format!("{name} is not defined in this object"));
        }
        let place = symbol.section_index().and_then(|index| self.places.get(&index));
        let offset = symbol.address().wrapping_add(addend);
        match place {
            Some(Place::Data(start)) => Ok(u64::from(*start).wrapping_add(offset)),
            Some(Place::Code(first)) => {
                let slot = u64::from(*first) + offset / SLOT_BYTES as u64;
                let found = self.functions.binary_search_by_key(&slot, |f| f.start.into());
                match found {
                    Ok(index) if offset.is_multiple_of(SLOT_BYTES as u64) => {
                        self.pointed_at.insert(index as u32);
                        Ok(function_pointer(index as u32))
                    }
                    _ => Err(format!("the address of {name} is not the start of a function")),
                }
            }
            None if symbol.is_common() => {
                Err(format!("{name} is a common symbol; compile with -fno-common"))
            }
            None if self.in_jump_tables(symbol) => {
                Err("jump through a table; compile with -mcpu=v3 or -fno-jump-tables".into())
            }
            None => Err(format!("{name} is in a section that is not loaded")),
        }
    }

    fn in_jump_tables(&self, symbol: &Symbol<'d, '_>) -> bool {
        let section = symbol.section_index().and_then(|i| self.file.section_by_index(i).ok());
        section.is_some_and(|section| Self::name(&section) == ".jumptables")
    }

    fn call_target(&self, symbol: &Symbol<'d, '_>, imm: i32) -> Result<CallTarget, String> {
        let name = symbol_name(symbol);
        if symbol.is_undefined() {
            return Ok(CallTarget::Named(name));
        }
        let place = symbol.section_index().and_then(|index| self.places.get(&index));
        let Some(Place::Code(first)) = place else {
            return Err(format!("call of {name}, which is no function"));
        };
        let slots = symbol.address() / SLOT_BYTES as u64;
        let target = i64::try_from(slots).ok().and_then(|slots| {
            u32::try_from(slots.checked_add(i64::from(*first) + i64::from(imm) + 1)?).ok()
        });
        target.map(CallTarget::Slot).ok_or_else(|| format!("call of {name}, outside of the code"))
    }

    fn patterns(&self) -> Result<Vec<u8>, LoadError> {
        let mut found = self.file.sections().filter(|section| Self::name(section) == PATTERNS);
        let Some(section) = found.next() else { return Ok(Vec::new()) };
        if found.next().is_some() {
            return refuse(format!("more than one section {PATTERNS}"));
        }
        Ok(Self::data(&section)?.to_vec())
    }

    fn lines(&self) -> Lines {
        let mut code = HashMap::new();
        for (index, place) in &self.places {
            if let Place::Code(first) = place {
                code.insert(*index, *first);
            }
        }
        Sequences::new(self.file, &code).read()
    }
}

fn data_range(
    first: u32,
    size: u64,
    offset: u64,
    len: u64,
) -> Result<std::ops::Range<usize>, String> {
    if offset.checked_add(len).is_none_or(|end| end > size) {
        return Err("relocation outside of the data".into());
    }
    let start = first as usize + offset as usize;
    Ok(start..start + len as usize)
}

fn symbol_name(symbol: &Symbol<'_, '_>) -> String {
    printable(symbol.name_bytes().unwrap_or(b"?"))
}

/// A name for messages and for comparison: it stays in its line.
pub(crate) fn printable(name: &[u8]) -> String {
    String::from_utf8_lossy(name).replace(char::is_control, "\u{fffd}")
}

/// The guest's pointer to a function: far outside of its memory.
pub(crate) fn function_pointer(index: u32) -> u64 {
    FUNCTION_BASE + 8 * u64::from(index)
}
