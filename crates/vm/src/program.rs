//! A loaded program: verified functions, the image of its memory, and what is known of both.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::code::Code;
use crate::disasm::{self, Names};
use crate::error::{LoadError, refuse};
use crate::flow::{self, Block};
use crate::insn::{Insn, Raw, SLOT_BYTES, call};
use crate::limits::{HEAP_BYTES, MAX_INSNS, NATIVE_MARGIN_BYTES, PAGE_BYTES, STACK_BYTES};
use crate::lines::Lines;
use crate::object_file::{self, CallTarget, Image, ObjectFile, RawFunction};
use crate::verify::{Function, Verifier};

/// A function outside of the sandbox that programs may call.
#[derive(Clone, Copy, Debug)]
pub struct Helper {
    /// What programs that were compiled with numbers call it by.
    pub number: u32,
    /// The symbol that programs refer to.
    pub name: &'static str,
    /// How many of r1 to r5 it takes.
    pub arity: u8,
    /// Fuel of a call, besides what its body charges for the size of its work.
    pub fuel: u32,
}

/// The helpers that a program is loaded against.
#[derive(Clone, Debug, Default)]
pub struct HelperTable {
    by_number: HashMap<u32, Helper>,
    by_name: HashMap<&'static str, u32>,
}

impl HelperTable {
    /// Numbers and names must be unique.
    pub fn new(helpers: impl IntoIterator<Item = Helper>) -> Self {
        let mut table = Self::default();
        for helper in helpers {
            table.by_name.insert(helper.name, helper.number);
            table.by_number.insert(helper.number, helper);
        }
        table
    }

    pub(crate) fn has(&self, number: u32) -> bool {
        self.by_number.contains_key(&number)
    }

    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    pub(crate) fn name(&self, number: u32) -> String {
        self.by_number.get(&number).map_or_else(|| format!("{number}"), |h| h.name.to_owned())
    }

    pub(crate) fn arity(&self, number: u32) -> u8 {
        self.by_number.get(&number).map_or(5, |helper| helper.arity.min(5))
    }

    pub(crate) fn fuel(&self, number: u32) -> u32 {
        self.by_number.get(&number).map_or(0, |helper| helper.fuel)
    }
}

/// Where the parts of guest memory begin; addresses are offsets from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// First address that may be written.
    pub writable: u32,
    /// Lowest address of the stack.
    pub stack: u32,
    /// First address of the heap, and where r10 of the first function points.
    pub heap: u32,
    /// Address behind the heap.
    pub end: u32,
}

impl Layout {
    /// All bits that the distance of two guest addresses can have.
    pub(crate) fn mask(self) -> u32 {
        self.end.next_power_of_two() - 1
    }
}

/// A program that passed the verifier.
#[derive(Debug)]
pub struct Program {
    pub(crate) functions: Vec<Function>,
    pub(crate) blocks: Vec<Vec<Block>>,
    /// For each slot the block that begins there, counted from 1.
    entries: Vec<Vec<u32>>,
    /// Arguments that each function reads, as bits 1 to 5.
    pub(crate) arguments: Vec<u16>,
    /// Whether a function may be called from outside of its object or through a pointer.
    is_entry: Vec<bool>,
    pub(crate) image: Image,
    pub(crate) layout: Layout,
    pub(crate) helpers: Arc<HelperTable>,
    lines: Lines,
    patterns: Vec<u8>,
    pub(crate) code: Option<Code>,
}

/// How a program is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Machine code made by Cranelift.
    Compiled,
    /// Instruction by instruction.
    Interpreted,
}

impl Program {
    /// Load an object: parse, relocate, verify, and compile when the engine asks for it.
    pub fn load(
        object: &[u8],
        helpers: Arc<HelperTable>,
        engine: Engine,
    ) -> Result<Self, LoadError> {
        Self::verify(object_file::read(object)?, helpers)?.compiled(engine)
    }

    /// Load bare instructions; the first is the entry. Functions begin where calls lead.
    pub fn from_instructions(
        code: &[u8],
        helpers: Arc<HelperTable>,
        engine: Engine,
    ) -> Result<Self, LoadError> {
        if code.is_empty() || !code.len().is_multiple_of(SLOT_BYTES) {
            return refuse(format!("{} bytes are no whole instructions", code.len()));
        }
        if code.len() / SLOT_BYTES > MAX_INSNS {
            return refuse(format!("more than {MAX_INSNS} instructions"));
        }
        let slots: Vec<Raw> =
            code.as_chunks::<SLOT_BYTES>().0.iter().map(|bytes| Raw::new(*bytes)).collect();
        let mut calls = HashMap::new();
        let mut starts = vec![0];
        for (at, raw) in slots.iter().enumerate() {
            if raw.op == 0x85 && raw.src == call::FUNCTION {
                let target = at as i64 + 1 + i64::from(raw.imm);
                let target = u32::try_from(target).unwrap_or(u32::MAX);
                calls.insert(at as u32, CallTarget::Slot(target));
                if (target as usize) < slots.len() {
                    starts.push(target);
                }
            }
        }
        starts.sort_unstable();
        starts.dedup();
        let ends = starts.iter().skip(1).copied().chain([slots.len() as u32]);
        let functions = starts
            .iter()
            .zip(ends)
            .map(|(&start, end)| RawFunction {
                name: if start == 0 { "main".into() } else { format!("function_{start}") },
                section: String::new(),
                start,
                slots: slots[start as usize..end as usize].to_vec(),
            })
            .collect();
        let object = ObjectFile {
            functions,
            calls,
            image: Image::empty(),
            lines: Lines::default(),
            pointed_at: HashSet::new(),
            patterns: Vec::new(),
        };
        Self::verify(object, helpers)?.compiled(engine)
    }

    fn verify(object: ObjectFile, helpers: Arc<HelperTable>) -> Result<Self, LoadError> {
        let ObjectFile { functions: raw, calls, image, lines, pointed_at, patterns } = object;
        let starts: Vec<u32> = raw.iter().map(|function| function.start).collect();
        let names: Vec<String> = raw.iter().map(|function| function.name.clone()).collect();
        let verifier = Verifier {
            calls: &calls,
            starts: &starts,
            names: &names,
            helpers: &helpers,
            lines: &lines,
        };
        let functions =
            raw.into_iter().map(|raw| verifier.function(raw)).collect::<Result<Vec<_>, _>>()?;
        let blocks: Vec<Vec<Block>> =
            functions.iter().map(|f| flow::blocks(&f.insns, &helpers)).collect();
        let entries = functions.iter().zip(&blocks).map(|(function, blocks)| {
            let mut entries = vec![0; function.insns.len()];
            for (index, block) in blocks.iter().enumerate() {
                entries[block.start as usize] = index as u32 + 1;
            }
            entries
        });
        let entries = entries.collect();
        let arguments = flow::arguments(&functions, &helpers);
        // What only direct calls lead to needs no form that the host can call.
        let is_entry = functions.iter().enumerate().map(|(index, function)| {
            index == 0 || function.section != ".text" || pointed_at.contains(&(index as u32))
        });
        let is_entry = is_entry.collect();
        let stack = image.end();
        let heap = stack + STACK_BYTES;
        let layout = Layout { writable: image.writable, stack, heap, end: heap + HEAP_BYTES };
        debug_assert!(layout.end.is_multiple_of(PAGE_BYTES));
        Ok(Self {
            functions,
            blocks,
            entries,
            arguments,
            is_entry,
            image,
            layout,
            helpers,
            lines,
            patterns,
            code: None,
        })
    }

    fn compiled(mut self, engine: Engine) -> Result<Self, LoadError> {
        if engine == Engine::Compiled {
            let code = crate::compile::compile(&self)?;
            let room = (crate::limits::NATIVE_STACK_BYTES - NATIVE_MARGIN_BYTES) as u64;
            code.check_frames(&self.functions, STACK_BYTES, room)?;
            self.code = Some(code);
        }
        Ok(self)
    }

    /// How it runs unless told otherwise.
    pub fn engine(&self) -> Engine {
        if self.code.is_some() { Engine::Compiled } else { Engine::Interpreted }
    }

    /// Where the parts of its memory begin.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Its functions.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// Functions of one section, by their index, in the order of the file.
    pub fn functions_in<'a>(&'a self, section: &'a str) -> impl Iterator<Item = usize> + 'a {
        let found = self.functions.iter().enumerate();
        found.filter(move |(_, function)| function.section == section).map(|(index, _)| index)
    }

    /// Bytes of the section `zeroserve.patterns`, which is for the host and not for the guest.
    pub fn patterns(&self) -> &[u8] {
        &self.patterns
    }

    /// Index of the function of that name.
    pub fn function_named(&self, name: &str) -> Option<usize> {
        self.functions.iter().position(|function| function.name == name)
    }

    /// `(file, line)` of a slot of a function.
    pub fn line(&self, function: usize, at: u32) -> Option<(&str, u32)> {
        self.lines.at(self.functions.get(function)?.start + at)
    }

    /// Number of the file and line of a slot, counted over all code.
    pub(crate) fn row(&self, slot: u32) -> Option<(u32, u32)> {
        self.lines.row(slot)
    }

    /// One instruction as text.
    pub fn text(&self, function: usize, at: u32) -> Option<String> {
        let insn = self.functions.get(function)?.insns.get(at as usize)?;
        Some(disasm::text(insn, at, self))
    }

    /// Bytes of machine code, 0 for a program that is interpreted.
    pub fn code_bytes(&self) -> usize {
        self.code.as_ref().map_or(0, Code::len)
    }

    /// Whether a function may be started, or called through a pointer.
    pub fn is_entry(&self, function: usize) -> bool {
        self.is_entry.get(function).copied().unwrap_or(false)
    }

    /// Function and slot of a global slot.
    pub(crate) fn locate(&self, slot: u32) -> (usize, u32) {
        let behind = self.functions.partition_point(|function| function.start <= slot);
        let index = behind.saturating_sub(1);
        (index, slot - self.functions[index].start)
    }

    /// The block that begins at a slot.
    pub(crate) fn entry(&self, function: usize, at: u32) -> Option<Block> {
        let index = self.entries[function][at as usize].checked_sub(1)?;
        Some(self.blocks[function][index as usize])
    }

    pub(crate) fn insn(&self, slot: u32) -> Option<&Insn> {
        let (function, at) = self.locate(slot);
        self.functions[function].insns.get(at as usize)
    }
}

impl Names for Program {
    fn function(&self, index: u32) -> String {
        self.functions.get(index as usize).map_or_else(|| "?".into(), |f| f.name.clone())
    }

    fn helper(&self, number: u32) -> String {
        self.helpers.name(number)
    }
}
