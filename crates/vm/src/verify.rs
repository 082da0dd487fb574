//! The second half of verification: what an instruction says in the place where it stands.
//!
//! Memory safety is not shown here: every access is checked when it happens. This makes sure
//! that there is nothing else to check: each instruction is known, each jump and call leads to an
//! instruction of the right function, and no path leaves a function but through `exit`.

use std::collections::HashMap;

use crate::disasm::{self, Names};
use crate::error::LoadError;
use crate::insn::{AluOp, Callee, Insn, Operand, Raw, Reg, decode};
use crate::limits::{FRAME_BYTES, MAX_FRAME_BYTES, MAX_FUNCTION_INSNS};
use crate::lines::Lines;
use crate::object_file::{CallTarget, RawFunction};
use crate::program::HelperTable;

/// A function that passed.
#[derive(Debug)]
pub struct Function {
    /// From its symbol.
    pub name: String,
    /// The section it stands in.
    pub section: String,
    /// First slot, counted over all code of the object.
    pub start: u32,
    /// One for each slot.
    pub insns: Vec<Insn>,
    /// Bytes of its stack frame.
    pub frame_bytes: u32,
}

pub(crate) struct Verifier<'a> {
    pub(crate) calls: &'a HashMap<u32, CallTarget>,
    /// First slots of all functions, sorted.
    pub(crate) starts: &'a [u32],
    pub(crate) names: &'a [String],
    pub(crate) helpers: &'a HelperTable,
    pub(crate) lines: &'a Lines,
}

impl Names for Verifier<'_> {
    fn function(&self, index: u32) -> String {
        self.names.get(index as usize).cloned().unwrap_or_else(|| "?".into())
    }

    fn helper(&self, number: u32) -> String {
        self.helpers.name(number)
    }
}

/// A refusal that does not know yet in which function it is.
struct Wrong {
    at: u32,
    insn: Option<Insn>,
    reason: String,
}

impl Verifier<'_> {
    /// Decode and check one function.
    pub(crate) fn function(&self, raw: RawFunction) -> Result<Function, LoadError> {
        let checked = self.check(&raw);
        let RawFunction { name, section, start, slots } = raw;
        match checked {
            Ok((insns, frame_bytes)) => Ok(Function { name, section, start, insns, frame_bytes }),
            Err(Wrong { at, insn, reason }) => {
                let text = match (&insn, slots.get(at as usize)) {
                    (Some(insn), _) => disasm::text(insn, at, self),
                    (None, Some(raw)) => format!("opcode {:#04x}", raw.op),
                    (None, None) => "nothing".into(),
                };
                let line = self.lines.at(start + at).map(|(file, line)| format!("{file}:{line}"));
                Err(LoadError::Instruction { function: name, at, text, reason, line })
            }
        }
    }

    fn check(&self, raw: &RawFunction) -> Result<(Vec<Insn>, u32), Wrong> {
        if raw.slots.len() > MAX_FUNCTION_INSNS {
            let reason = format!("a function of more than {MAX_FUNCTION_INSNS} instructions");
            return Err(Wrong { at: MAX_FUNCTION_INSNS as u32, insn: None, reason });
        }
        let insns = self.decode_all(raw)?;
        for (at, insn) in insns.iter().enumerate() {
            check_targets(&insns, at as u32, insn)?;
        }
        let last = insns.iter().rposition(|insn| *insn != Insn::Rest).unwrap_or(0);
        let ends = matches!(
            insns.get(last),
            Some(Insn::Exit | Insn::Jump { .. } | Insn::Call(Callee::Abort))
        );
        if !ends {
            let reason = "runs past the end of the function".into();
            return Err(Wrong { at: last as u32, insn: insns.get(last).copied(), reason });
        }
        let frame = frame_bytes(&insns)?;
        Ok((insns, frame))
    }

    fn decode_all(&self, raw: &RawFunction) -> Result<Vec<Insn>, Wrong> {
        let mut insns = Vec::with_capacity(raw.slots.len());
        while let Some(slot) = raw.slots.get(insns.len()) {
            let at = insns.len() as u32;
            let next: Option<Raw> = raw.slots.get(insns.len() + 1).copied();
            let wrong = |reason| Wrong { at, insn: None, reason };
            let insn = decode(*slot, next, at).map_err(wrong)?;
            let insn = self.resolve(insn, raw.start + at).map_err(wrong)?;
            insns.push(insn);
            if matches!(insn, Insn::Lddw { .. }) {
                insns.push(Insn::Rest);
            }
        }
        Ok(insns)
    }

    /// Say who a call calls.
    fn resolve(&self, insn: Insn, slot: u32) -> Result<Insn, String> {
        match insn {
            Insn::Call(Callee::Helper(number)) if !self.helpers.has(number) => {
                Err(format!("there is no helper number {number}"))
            }
            Insn::Call(Callee::Function(_)) => match self.calls.get(&slot) {
                Some(CallTarget::Slot(target)) => match self.starts.binary_search(target) {
                    Ok(index) => Ok(Insn::Call(Callee::Function(index as u32))),
                    Err(_) => Err("call of something that is not the start of a function".into()),
                },
                Some(CallTarget::Named(name)) if name == "__bpf_trap" => {
                    Ok(Insn::Call(Callee::Abort))
                }
                Some(CallTarget::Named(name)) => match self.helpers.number(name) {
                    Some(number) => Ok(Insn::Call(Callee::Helper(number))),
                    None => Err(format!("there is no helper {name}")),
                },
                None => Err("call of an unknown function".into()),
            },
            other => Ok(other),
        }
    }
}

fn check_targets(insns: &[Insn], at: u32, insn: &Insn) -> Result<(), Wrong> {
    let (Insn::Jump { target } | Insn::Branch { target, .. }) = insn else { return Ok(()) };
    let reason = match insns.get(*target as usize) {
        None => "jump out of the function",
        Some(Insn::Rest) => "jump into the middle of lddw",
        Some(_) => return Ok(()),
    };
    Err(Wrong { at, insn: Some(*insn), reason: reason.into() })
}

/// The frame is not in the object. LLVM's is of 512 bytes unless told otherwise; where a larger
/// one was allowed, the lowest place that the code addresses from r10 says how large it is.
fn frame_bytes(insns: &[Insn]) -> Result<u32, Wrong> {
    let mut lowest = 0i64;
    let mut lowest_at = 0;
    // What is added to a copy of r10, as far as it is a constant on a straight path.
    let mut copies: [Option<i64>; 11] = [None; 11];
    copies[Reg::FP.index()] = Some(0);
    for (at, insn) in insns.iter().enumerate() {
        let mut reaches = |depth: Option<i64>| {
            if let Some(depth) = depth
                && depth < lowest
            {
                lowest = depth;
                lowest_at = at;
            }
        };
        match *insn {
            Insn::Alu { op: AluOp::Mov, wide: true, dst, src: Operand::Reg(src) } => {
                copies[dst.index()] = copies[src.index()];
            }
            Insn::Alu { op: AluOp::Add, wide: true, dst, src: Operand::Imm(imm) } => {
                let sum = copies[dst.index()].map(|depth| depth + i64::from(imm));
                reaches(sum);
                copies[dst.index()] = sum.filter(|sum| sum.unsigned_abs() < 1 << 32);
            }
            // An unknown index on top of a known base keeps the base.
            Insn::Alu { op: AluOp::Add, wide: true, .. } => {}
            Insn::Load { src, off, dst, .. } => {
                reaches(copies[src.index()].map(|depth| depth + i64::from(off)));
                copies[dst.index()] = None;
            }
            Insn::Store { dst, off, .. } | Insn::Atomic { dst, off, .. } => {
                reaches(copies[dst.index()].map(|depth| depth + i64::from(off)));
            }
            Insn::Alu { dst, .. }
            | Insn::Neg { dst, .. }
            | Insn::Movsx { dst, .. }
            | Insn::Endian { dst, .. }
            | Insn::Lddw { dst, .. } => copies[dst.index()] = None,
            _ => {}
        }
    }
    let depth = u64::try_from(-lowest).unwrap_or(0);
    if depth > u64::from(MAX_FRAME_BYTES) {
        let reason = format!("a stack frame of {depth} bytes; the most is {MAX_FRAME_BYTES}");
        return Err(Wrong { at: lowest_at as u32, insn: insns.get(lowest_at).copied(), reason });
    }
    Ok((depth as u32).next_multiple_of(16).max(FRAME_BYTES))
}
