//! The interpreter: the semantics of the engine in plain safe Rust.
//!
//! It is what the compiler is tested against, and what runs when a caller asks for it.

use crate::insn::{AluOp, AtomicOp, Callee, Cond, Insn, Operand, Order, Reg, Size};
use crate::instance::{Pause, Stop};
use crate::limits::FUNCTION_BASE;
use crate::memory::{Fault, Memory};
use crate::program::Program;
use crate::trace::Trace;
use crate::trap::TrapKind;

/// A caller that waits for its callee.
struct Frame {
    function: usize,
    /// Where it goes on.
    at: u32,
    saved: [u64; 4],
    fp: u64,
}

/// A run in progress.
pub(crate) struct Interpreter {
    regs: [u64; 11],
    function: usize,
    at: u32,
    frames: Vec<Frame>,
    /// Whether the fuel of the block at hand was taken already.
    charged: bool,
    /// What keeps a record of the lines it comes by, if anything does.
    pub(crate) trace: Option<Box<Trace>>,
}

impl Interpreter {
    pub(crate) fn new(function: usize, args: [u64; 5], fp: u64) -> Self {
        let mut regs = [0; 11];
        regs[1..6].copy_from_slice(&args);
        regs[10] = fp;
        Self { regs, function, at: 0, frames: Vec::new(), charged: false, trace: None }
    }

    /// Go on; after a helper with its result.
    pub(crate) fn resume(
        &mut self,
        program: &Program,
        memory: &mut Memory,
        reply: Option<u64>,
    ) -> Pause {
        if let Some(value) = reply {
            self.regs[0] = value;
            self.regs[1..6].fill(0);
        }
        let ran = match &self.trace {
            None => self.run::<false>(program, memory),
            Some(_) => self.run::<true>(program, memory),
        };
        match ran {
            Ok(pause) => pause,
            Err((kind, address)) => {
                let slot = program.functions[self.function].start + self.at;
                Pause::Stopped(Stop { kind, slot, address })
            }
        }
    }

    fn run<const TRACED: bool>(
        &mut self,
        program: &Program,
        memory: &mut Memory,
    ) -> Result<Pause, (TrapKind, u64)> {
        loop {
            let function = &program.functions[self.function];
            // Entering a block: its fuel is taken at once.
            if let Some(block) = program.entry(self.function, self.at)
                && !std::mem::take(&mut self.charged)
            {
                let context = memory.context();
                context.fuel = context.fuel.wrapping_sub(block.fuel.into());
                if block.checks && context.fuel < 0 {
                    self.charged = true;
                    return Ok(Pause::Fuel { slot: function.start + self.at });
                }
            }
            if TRACED && let Some(trace) = &mut self.trace {
                trace.pass(program, function.start + self.at);
            }
            let insn = function.insns[self.at as usize];
            let mut next = self.at + 1;
            match insn {
                Insn::Alu { op, wide, dst, src } => {
                    let (a, b) = (self.regs[dst.index()], self.value(src));
                    self.regs[dst.index()] =
                        if wide { alu64(op, a, b) } else { alu32(op, a as u32, b as u32).into() };
                }
                Insn::Neg { wide, dst } => {
                    let value = self.regs[dst.index()].wrapping_neg();
                    self.regs[dst.index()] = if wide { value } else { value & 0xffff_ffff };
                }
                Insn::Movsx { wide, bits, dst, src } => {
                    let value = sign_extend(self.regs[src.index()], bits);
                    self.regs[dst.index()] = if wide { value } else { value & 0xffff_ffff };
                }
                Insn::Endian { order, bits, dst } => {
                    let value = self.regs[dst.index()];
                    self.regs[dst.index()] = endian(order, bits, value);
                }
                Insn::Lddw { dst, imm } => {
                    self.regs[dst.index()] = imm;
                    next += 1;
                }
                Insn::Rest => {}
                Insn::Load { size, signed, dst, src, off } => {
                    let address = self.address(src, off);
                    let value = load(memory, size, address)?;
                    self.regs[dst.index()] =
                        if signed { sign_extend(value, size.bytes() as u8 * 8) } else { value };
                }
                Insn::Store { size, dst, off, src } => {
                    let value = self.value(src);
                    store(memory, size, self.address(dst, off), value)?;
                }
                Insn::Atomic { op, fetch, size, dst, src, off } => {
                    self.atomic(memory, op, fetch, size, dst, src, off)?;
                }
                Insn::Jump { target } => next = target,
                Insn::Branch { cond, wide, dst, src, target } => {
                    if holds(cond, wide, self.regs[dst.index()], self.value(src)) {
                        next = target;
                    }
                }
                Insn::Call(Callee::Helper(number)) => {
                    let mut args = [0; 5];
                    let arity = usize::from(program.helpers.arity(number));
                    args[..arity].copy_from_slice(&self.regs[1..=arity]);
                    let slot = function.start + self.at;
                    self.at = next;
                    return Ok(Pause::Helper { number, args, slot, indirect: false });
                }
                Insn::Call(Callee::Function(index)) => {
                    self.call(program, memory, index as usize, next)?;
                    continue;
                }
                Insn::Call(Callee::Abort) => return Err((TrapKind::Abort, 0)),
                Insn::Callx(reg) => {
                    let pointer = self.regs[reg.index()];
                    if let Ok(number) = u32::try_from(pointer) {
                        let mut args = [0; 5];
                        args.copy_from_slice(&self.regs[1..6]);
                        let slot = function.start + self.at;
                        self.at = next;
                        return Ok(Pause::Helper { number, args, slot, indirect: true });
                    }
                    let index = pointer.wrapping_sub(FUNCTION_BASE);
                    let callee = usize::try_from(index / 8).unwrap_or(usize::MAX);
                    if !index.is_multiple_of(8) || !program.is_entry(callee) {
                        return Err((TrapKind::Callee, pointer));
                    }
                    self.call(program, memory, callee, next)?;
                    continue;
                }
                Insn::Exit => match self.frames.pop() {
                    None => return Ok(Pause::Done(self.regs[0])),
                    Some(Frame { function, at, saved, fp }) => {
                        self.function = function;
                        self.regs[1..6].fill(0);
                        self.regs[6..10].copy_from_slice(&saved);
                        self.regs[10] = fp;
                        next = at;
                    }
                },
            }
            self.at = next;
        }
    }

    /// The stack of the callee lies below that of the caller.
    fn call(
        &mut self,
        program: &Program,
        memory: &Memory,
        callee: usize,
        back: u32,
    ) -> Result<(), (TrapKind, u64)> {
        let fp = self.regs[10] - u64::from(program.functions[self.function].frame_bytes);
        let frame = u64::from(program.functions[callee].frame_bytes);
        let caller = self.function;
        self.function = callee;
        self.at = 0;
        if fp < u64::from(memory.layout().stack) + frame {
            return Err((TrapKind::Stack, 0));
        }
        let mut saved = [0; 4];
        saved.copy_from_slice(&self.regs[6..10]);
        self.frames.push(Frame { function: caller, at: back, saved, fp: self.regs[10] });
        self.regs[6..10].fill(0);
        self.regs[0] = 0;
        self.regs[10] = fp;
        Ok(())
    }

    fn value(&self, operand: Operand) -> u64 {
        match operand {
            Operand::Reg(reg) => self.regs[reg.index()],
            Operand::Imm(imm) => i64::from(imm) as u64,
        }
    }

    fn address(&self, base: Reg, off: i16) -> u64 {
        self.regs[base.index()].wrapping_add(i64::from(off) as u64)
    }

    /// Nobody else sees the memory of an instance while it runs: plain accesses are atomic.
    #[allow(clippy::too_many_arguments)]
    fn atomic(
        &mut self,
        memory: &mut Memory,
        op: AtomicOp,
        fetch: bool,
        size: Size,
        dst: Reg,
        src: Reg,
        off: i16,
    ) -> Result<(), (TrapKind, u64)> {
        let address = self.address(dst, off);
        // What can't be written traps as a write, before anything is read.
        memory.write(address, size.bytes().into()).map_err(fault)?;
        let old = load(memory, size, address)?;
        let operand = self.regs[src.index()];
        let new = match op {
            AtomicOp::Add => old.wrapping_add(operand),
            AtomicOp::Or => old | operand,
            AtomicOp::And => old & operand,
            AtomicOp::Xor => old ^ operand,
            AtomicOp::Xchg => operand,
            AtomicOp::Cmpxchg => {
                let mask = if size == Size::B8 { u64::MAX } else { 0xffff_ffff };
                if old == self.regs[0] & mask { operand } else { old }
            }
        };
        store(memory, size, address, new)?;
        if op == AtomicOp::Cmpxchg {
            self.regs[0] = old;
        } else if fetch {
            self.regs[src.index()] = old;
        }
        Ok(())
    }
}

fn fault(fault: Fault) -> (TrapKind, u64) {
    (if fault.write { TrapKind::Write } else { TrapKind::Read }, fault.address)
}

fn load(memory: &Memory, size: Size, address: u64) -> Result<u64, (TrapKind, u64)> {
    let value = match size {
        Size::B1 => memory.load::<1>(address).map(|bytes| bytes[0].into()),
        Size::B2 => memory.load(address).map(|bytes| u16::from_le_bytes(bytes).into()),
        Size::B4 => memory.load(address).map(|bytes| u32::from_le_bytes(bytes).into()),
        Size::B8 => memory.load(address).map(u64::from_le_bytes),
    };
    value.map_err(fault)
}

fn store(memory: &mut Memory, size: Size, address: u64, value: u64) -> Result<(), (TrapKind, u64)> {
    let bytes = size.bytes() as usize;
    let place = memory.write(address, bytes as u64).map_err(fault)?;
    place.copy_from_slice(&value.to_le_bytes()[..bytes]);
    Ok(())
}

fn sign_extend(value: u64, bits: u8) -> u64 {
    match bits {
        8 => i64::from(value as i8) as u64,
        16 => i64::from(value as i16) as u64,
        32 => i64::from(value as i32) as u64,
        _ => value,
    }
}

fn endian(order: Order, bits: u8, value: u64) -> u64 {
    match (order, bits) {
        (Order::Little, 16) => value as u16 as u64,
        (Order::Little, 32) => value as u32 as u64,
        (Order::Little, _) => value,
        (_, 16) => (value as u16).swap_bytes().into(),
        (_, 32) => (value as u32).swap_bytes().into(),
        (_, _) => value.swap_bytes(),
    }
}

fn alu64(op: AluOp, a: u64, b: u64) -> u64 {
    match op {
        AluOp::Add => a.wrapping_add(b),
        AluOp::Sub => a.wrapping_sub(b),
        AluOp::Mul => a.wrapping_mul(b),
        AluOp::Div => a.checked_div(b).unwrap_or(0),
        AluOp::Sdiv if b == 0 => 0,
        AluOp::Sdiv => (a as i64).wrapping_div(b as i64) as u64,
        AluOp::Or => a | b,
        AluOp::And => a & b,
        AluOp::Lsh => a.wrapping_shl(b as u32),
        AluOp::Rsh => a.wrapping_shr(b as u32),
        AluOp::Mod => a.checked_rem(b).unwrap_or(a),
        AluOp::Smod if b == 0 => a,
        AluOp::Smod => (a as i64).wrapping_rem(b as i64) as u64,
        AluOp::Xor => a ^ b,
        AluOp::Mov => b,
        AluOp::Arsh => (a as i64).wrapping_shr(b as u32) as u64,
    }
}

fn alu32(op: AluOp, a: u32, b: u32) -> u32 {
    match op {
        AluOp::Add => a.wrapping_add(b),
        AluOp::Sub => a.wrapping_sub(b),
        AluOp::Mul => a.wrapping_mul(b),
        AluOp::Div => a.checked_div(b).unwrap_or(0),
        AluOp::Sdiv if b == 0 => 0,
        AluOp::Sdiv => (a as i32).wrapping_div(b as i32) as u32,
        AluOp::Or => a | b,
        AluOp::And => a & b,
        AluOp::Lsh => a.wrapping_shl(b),
        AluOp::Rsh => a.wrapping_shr(b),
        AluOp::Mod => a.checked_rem(b).unwrap_or(a),
        AluOp::Smod if b == 0 => a,
        AluOp::Smod => (a as i32).wrapping_rem(b as i32) as u32,
        AluOp::Xor => a ^ b,
        AluOp::Mov => b,
        AluOp::Arsh => (a as i32).wrapping_shr(b) as u32,
    }
}

fn holds(cond: Cond, wide: bool, a: u64, b: u64) -> bool {
    let (a, b) = if wide { (a, b) } else { (a & 0xffff_ffff, b & 0xffff_ffff) };
    let signed = |v: u64| if wide { v as i64 } else { i64::from(v as i32) };
    match cond {
        Cond::Eq => a == b,
        Cond::Ne => a != b,
        Cond::Set => a & b != 0,
        Cond::Gt => a > b,
        Cond::Ge => a >= b,
        Cond::Lt => a < b,
        Cond::Le => a <= b,
        Cond::Sgt => signed(a) > signed(b),
        Cond::Sge => signed(a) >= signed(b),
        Cond::Slt => signed(a) < signed(b),
        Cond::Sle => signed(a) <= signed(b),
    }
}
