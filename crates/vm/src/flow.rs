//! Basic blocks, their fuel, and which arguments a function reads: what both executors go by.

use crate::insn::{AtomicOp, Callee, Insn, Operand, Reg};
use crate::program::HelperTable;
use crate::verify::Function;

/// A straight piece of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// First slot.
    pub start: u32,
    /// Slot behind the last.
    pub end: u32,
    /// Fuel of one pass: 1 for each instruction and what its helpers cost.
    pub fuel: u32,
    /// Whether fuel is looked at here: at the entry of the function and where loops close, so
    /// that no code runs forever between two looks.
    pub checks: bool,
}

/// The blocks of a function in the order of their slots.
pub(crate) fn blocks(insns: &[Insn], helpers: &HelperTable) -> Vec<Block> {
    let mut leads = vec![false; insns.len() + 1];
    let mut checks = vec![false; insns.len() + 1];
    leads[0] = true;
    checks[0] = true;
    for (at, insn) in insns.iter().enumerate() {
        let target = match *insn {
            Insn::Jump { target } | Insn::Branch { target, .. } => target as usize,
            Insn::Exit | Insn::Call(Callee::Abort) => {
                leads[at + 1] = true;
                continue;
            }
            _ => continue,
        };
        leads[target] = true;
        leads[at + 1] = true;
        checks[target] |= target <= at;
    }
    let starts: Vec<usize> = (0..insns.len()).filter(|at| leads[*at]).collect();
    let ends = starts.iter().skip(1).copied().chain([insns.len()]);
    starts
        .iter()
        .zip(ends)
        .map(|(&start, end)| Block {
            start: start as u32,
            end: end as u32,
            fuel: insns[start..end]
                .iter()
                .fold(0, |sum: u32, insn| sum.saturating_add(fuel(insn, helpers))),
            checks: checks[start],
        })
        .collect()
}

fn fuel(insn: &Insn, helpers: &HelperTable) -> u32 {
    match insn {
        Insn::Rest => 0,
        Insn::Call(Callee::Helper(number)) => helpers.fuel(*number).saturating_add(1),
        _ => 1,
    }
}

/// Registers as bits.
type Set = u16;

/// Passes over the code before all arguments are taken to be read. Real code settles in a few;
/// code made to need many must not make loading slow.
const MAX_ROUNDS: usize = 24;

const ARGS: Set = 0b11_1110;

fn bit(reg: Reg) -> Set {
    1 << reg.index()
}

fn operand(src: Operand) -> Set {
    match src {
        Operand::Reg(reg) => bit(reg),
        Operand::Imm(_) => 0,
    }
}

/// For each function the arguments (bits 1 to 5) that it may read before it writes them.
///
/// The least fixed point over the call graph: a function reads what it hands on to one that
/// reads it.
pub(crate) fn arguments(functions: &[Function], helpers: &HelperTable) -> Vec<u16> {
    let all: Vec<Vec<Block>> = functions.iter().map(|f| blocks(&f.insns, helpers)).collect();
    let mut reads = vec![0; functions.len()];
    let mut live: Vec<Vec<Set>> = all.iter().map(|blocks| vec![0; blocks.len()]).collect();
    for _ in 0..MAX_ROUNDS {
        let mut changed = false;
        for (index, function) in functions.iter().enumerate() {
            let entry = live_in(&function.insns, &all[index], &mut live[index], &reads, helpers);
            let entry = entry & ARGS;
            changed |= entry != reads[index];
            reads[index] = entry;
        }
        if !changed {
            return reads;
        }
    }
    // To hand on more than is read costs a little and changes nothing.
    vec![ARGS; functions.len()]
}

fn live_in(
    insns: &[Insn],
    blocks: &[Block],
    live: &mut [Set],
    reads: &[Set],
    helpers: &HelperTable,
) -> Set {
    let block_at = |slot: u32| blocks.partition_point(|block| block.start <= slot) - 1;
    for _ in 0..MAX_ROUNDS {
        let mut changed = false;
        for (index, block) in blocks.iter().enumerate().rev() {
            let next = live.get(index + 1).copied().unwrap_or(0);
            let mut set = next;
            for at in (block.start..block.end).rev() {
                let insn = &insns[at as usize];
                set = match *insn {
                    Insn::Jump { target } => live[block_at(target)],
                    Insn::Branch { target, .. } => set | live[block_at(target)],
                    _ => set,
                };
                let (used, written) = effect(insn, reads, helpers);
                set = set & !written | used;
            }
            changed |= live[index] != set;
            live[index] = set;
        }
        if !changed {
            return live[0];
        }
    }
    ARGS
}

/// What an instruction reads and what it writes.
fn effect(insn: &Insn, reads: &[Set], helpers: &HelperTable) -> (Set, Set) {
    match *insn {
        Insn::Alu { op: crate::insn::AluOp::Mov, dst, src, .. } => (operand(src), bit(dst)),
        Insn::Alu { dst, src, .. } => (operand(src) | bit(dst), bit(dst)),
        Insn::Neg { dst, .. } | Insn::Endian { dst, .. } => (bit(dst), bit(dst)),
        Insn::Movsx { dst, src, .. } | Insn::Load { dst, src, .. } => (bit(src), bit(dst)),
        Insn::Lddw { dst, .. } => (0, bit(dst)),
        Insn::Store { dst, src, .. } => (operand(src) | bit(dst), 0),
        Insn::Atomic { op, fetch, dst, src, .. } => {
            let used = bit(src) | bit(dst);
            match (op, fetch) {
                (AtomicOp::Cmpxchg, _) => (used | bit(Reg(0)), bit(Reg(0))),
                (_, true) => (used, bit(src)),
                (_, false) => (used, 0),
            }
        }
        Insn::Branch { dst, src, .. } => (operand(src) | bit(dst), 0),
        // A call leaves zeros in r1 to r5.
        Insn::Call(Callee::Function(index)) => (reads[index as usize], ARGS | 1),
        Insn::Call(Callee::Helper(number)) => {
            let arity = helpers.arity(number);
            (((1 << (arity + 1)) - 1) & ARGS, ARGS | 1)
        }
        Insn::Callx(reg) => (ARGS | bit(reg), ARGS | 1),
        Insn::Exit => (1, Set::MAX),
        Insn::Call(Callee::Abort) => (0, Set::MAX),
        Insn::Jump { .. } | Insn::Rest => (0, 0),
    }
}
