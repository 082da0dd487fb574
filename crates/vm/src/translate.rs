//! One guest function as Cranelift IR.
//!
//! Guest registers are SSA variables, and so is the fuel: it is written to memory only where the
//! host looks at it. An access is a compare that branches to a trap, then a mask that keeps a
//! mispredicted branch from reaching out of the mapping. Accesses to the function's own frame at
//! constant offsets need neither: the frame was checked when the function was entered.

use std::mem::offset_of;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, Block, FuncRef, InstBuilder as _, MemFlagsData, Signature, TrapCode, Type, Value,
    types,
};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_frontend::{FunctionBuilder, Variable};

use crate::compile::{import, import_refuel, inner_signature};
use crate::insn::{AluOp, AtomicOp, Callee, Cond, Insn, Operand, Order, Reg, Size};
use crate::limits::{FUNCTION_BASE, NULL_BYTES, PAGE_BYTES};
use crate::memory::{Context, DIRTY, FRONT_BYTES};
use crate::program::Program;
use crate::trap::TrapKind;

const I64: Type = types::I64;
const I32: Type = types::I32;

/// Behind calls that do not return.
const UNREACHABLE: TrapCode = TrapCode::unwrap_user(1);

/// A guest access that faults although it was checked: a fault of the compiler, and fatal.
const CHECKED: TrapCode = TrapCode::unwrap_user(2);

/// Build the inner form of a function.
pub(crate) fn translate(
    program: &Program,
    isa: &OwnedTargetIsa,
    index: usize,
    mut builder: FunctionBuilder<'_>,
) {
    let regs = std::array::from_fn(|_| builder.declare_var(I64));
    let fuel = builder.declare_var(I64);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    let base = builder.block_params(entry)[0];
    let fp = builder.block_params(entry)[2];
    let trap = builder.create_block();
    let params = [I32, I32, I64, I64].map(|ty| builder.append_block_param(trap, ty));
    builder.set_cold_block(trap);
    let blocks = program.blocks[index].iter().map(|_| builder.create_block()).collect();
    let pointer_call_conv = isa.default_call_conv();
    let host = |params: &[Type], returns: &[Type]| Signature {
        params: params.iter().map(|ty| AbiParam::new(*ty)).collect(),
        returns: returns.iter().map(|ty| AbiParam::new(*ty)).collect(),
        call_conv: pointer_call_conv,
    };
    let signatures = Host {
        helper: builder.import_signature(host(&[I64; 7], &[I64])),
        trap: builder.import_signature(host(&[I64, I32, I32, I64], &[])),
        entry: builder.import_signature(inner_signature(isa, 0b11_1110)),
    };
    let refuel = import_refuel(&mut builder);
    let mut translator = Translator {
        program,
        isa,
        index,
        builder,
        regs,
        fuel,
        base,
        fp,
        trap,
        blocks,
        host: signatures,
        refuel,
        callees: Default::default(),
    };
    translator.prologue(entry);
    for block in 0..program.blocks[index].len() {
        translator.block(block);
    }
    translator.trap_block(params);
    translator.builder.seal_all_blocks();
    translator.builder.finalize(isa.frontend_config());
}

struct Host {
    helper: cranelift_codegen::ir::SigRef,
    trap: cranelift_codegen::ir::SigRef,
    entry: cranelift_codegen::ir::SigRef,
}

struct Translator<'a, 'b> {
    program: &'a Program,
    isa: &'a OwnedTargetIsa,
    index: usize,
    builder: FunctionBuilder<'b>,
    regs: [Variable; 10],
    fuel: Variable,
    base: Value,
    fp: Value,
    trap: Block,
    blocks: Vec<Block>,
    host: Host,
    refuel: FuncRef,
    callees: std::collections::HashMap<u32, FuncRef>,
}

/// An address that may be used.
struct Place {
    /// Host address.
    address: Value,
    offset: i32,
}

impl Translator<'_, '_> {
    fn prologue(&mut self, entry: Block) {
        self.builder.switch_to_block(entry);
        self.builder.seal_block(entry);
        let params = self.builder.block_params(entry).to_vec();
        self.builder.def_var(self.fuel, params[1]);
        let zero = self.builder.ins().iconst(I64, 0);
        for reg in self.regs {
            self.builder.def_var(reg, zero);
        }
        let mask = self.program.arguments[self.index];
        let read = (1..=5).filter(|reg| mask & 1 << reg != 0);
        for (reg, value) in read.zip(&params[3..]) {
            self.builder.def_var(self.regs[reg], *value);
        }
        let function = &self.program.functions[self.index];
        let lowest = i64::from(self.program.layout.stack + function.frame_bytes);
        let lowest = self.builder.ins().iconst(I64, lowest);
        let full = self.builder.ins().icmp(IntCC::UnsignedLessThan, self.fp, lowest);
        self.trap_if(full, TrapKind::Stack, 0, zero);
        self.mark_frame(function.frame_bytes);
        let first = self.blocks[0];
        self.builder.ins().jump(first, &[]);
    }

    /// Stores to the frame that need no check do not mark its pages either: done once, here.
    fn mark_frame(&mut self, frame: u32) {
        let function = &self.program.functions[self.index];
        let stores = function.insns.iter().any(|insn| match *insn {
            Insn::Store { size, dst, off, .. } | Insn::Atomic { size, dst, off, .. } => {
                self.in_frame(dst, off, size)
            }
            _ => false,
        });
        if !stores {
            return;
        }
        let mut depth = 1;
        loop {
            let address = self.builder.ins().iadd_imm_u(self.fp, -i64::from(depth));
            self.mark(address, 0);
            if depth == frame {
                return;
            }
            depth = (depth + PAGE_BYTES).min(frame);
        }
    }

    fn in_frame(&self, base: Reg, off: i16, size: Size) -> bool {
        let frame = i64::from(self.program.functions[self.index].frame_bytes);
        let off = i64::from(off);
        base == Reg::FP && off >= -frame && off + i64::from(size.bytes()) <= 0
    }

    /// Mark the page of a guest address as written: `distance` from `start`, where a page begins.
    fn mark(&mut self, distance: Value, start: i64) {
        let shift = PAGE_BYTES.ilog2();
        let page = self.builder.ins().ushr_imm_u(distance, i64::from(shift));
        let place = self.builder.ins().iadd(self.base, page);
        let one = self.builder.ins().iconst(I32, 1);
        self.builder.ins().istore8(host_flags(), one, place, DIRTY + (start >> shift) as i32);
    }

    fn block(&mut self, index: usize) {
        let block = self.program.blocks[self.index][index];
        self.builder.switch_to_block(self.blocks[index]);
        let fuel = self.builder.use_var(self.fuel);
        let fuel = self.builder.ins().iadd_imm_u(fuel, -i64::from(block.fuel));
        self.builder.def_var(self.fuel, fuel);
        if block.checks {
            self.look_at_fuel(block.start);
        }
        for at in block.start..block.end {
            let insn = self.program.functions[self.index].insns[at as usize];
            if self.insn(at, insn) {
                return;
            }
        }
        let next = self.blocks[index + 1];
        self.builder.ins().jump(next, &[]);
    }

    fn look_at_fuel(&mut self, at: u32) {
        let (out, on) = (self.builder.create_block(), self.builder.create_block());
        self.builder.set_cold_block(out);
        let fuel = self.builder.use_var(self.fuel);
        let zero = self.builder.ins().iconst(I64, 0);
        let used_up = self.builder.ins().icmp(IntCC::SignedLessThan, fuel, zero);
        self.builder.ins().brif(used_up, out, &[], on, &[]);
        self.builder.seal_block(out);
        self.builder.switch_to_block(out);
        self.spill_fuel();
        let slot = self.slot(at);
        self.builder.ins().call(self.refuel, &[self.base, slot]);
        self.fill_fuel();
        self.builder.ins().jump(on, &[]);
        self.builder.seal_block(on);
        self.builder.switch_to_block(on);
    }

    /// The number of a slot over all code.
    fn slot(&mut self, at: u32) -> Value {
        let start = self.program.functions[self.index].start;
        self.builder.ins().iconst(I32, i64::from(start + at))
    }

    /// A field of the context.
    fn context(&mut self, field: usize) -> Value {
        let offset = field as i32 - FRONT_BYTES as i32;
        self.builder.ins().load(I64, host_flags(), self.base, offset)
    }

    fn spill_fuel(&mut self) {
        let offset = offset_of!(Context, fuel) as i32 - FRONT_BYTES as i32;
        let fuel = self.builder.use_var(self.fuel);
        self.builder.ins().store(host_flags(), fuel, self.base, offset);
    }

    fn fill_fuel(&mut self) {
        let fuel = self.context(offset_of!(Context, fuel));
        self.builder.def_var(self.fuel, fuel);
    }

    /// Where all traps of the function leave it.
    fn trap_block(&mut self, [kind, slot, address, fuel]: [Value; 4]) {
        self.builder.switch_to_block(self.trap);
        self.builder.def_var(self.fuel, fuel);
        self.spill_fuel();
        let entry = self.context(offset_of!(Context, on_trap));
        let args = [self.base, kind, slot, address];
        self.builder.ins().call_indirect(self.host.trap, entry, &args);
        self.builder.ins().trap(UNREACHABLE);
    }

    fn go_trap(&mut self, kind: TrapKind, at: u32, address: Value) {
        let kind = self.builder.ins().iconst(I32, kind as i64);
        let slot = self.slot(at);
        let fuel = self.builder.use_var(self.fuel);
        let args = [kind, slot, address, fuel].map(Into::into);
        self.builder.ins().jump(self.trap, &args);
    }

    fn trap_if(&mut self, condition: Value, kind: TrapKind, at: u32, address: Value) {
        let (out, on) = (self.builder.create_block(), self.builder.create_block());
        self.builder.set_cold_block(out);
        self.builder.ins().brif(condition, out, &[], on, &[]);
        self.builder.seal_block(out);
        self.builder.seal_block(on);
        self.builder.switch_to_block(out);
        self.go_trap(kind, at, address);
        self.builder.switch_to_block(on);
    }

    fn get(&mut self, reg: Reg) -> Value {
        if reg == Reg::FP { self.fp } else { self.builder.use_var(self.regs[reg.index()]) }
    }

    fn set(&mut self, reg: Reg, value: Value) {
        self.builder.def_var(self.regs[reg.index()], value);
    }

    fn operand(&mut self, operand: Operand) -> Value {
        match operand {
            Operand::Reg(reg) => self.get(reg),
            Operand::Imm(imm) => self.builder.ins().iconst(I64, i64::from(imm)),
        }
    }

    fn low(&mut self, value: Value) -> Value {
        self.builder.ins().ireduce(I32, value)
    }

    fn zero_extend(&mut self, value: Value) -> Value {
        self.builder.ins().uextend(I64, value)
    }

    /// Returns whether it ended the block.
    fn insn(&mut self, at: u32, insn: Insn) -> bool {
        match insn {
            Insn::Alu { op, wide, dst, src } => self.alu(op, wide, dst, src),
            Insn::Neg { wide, dst } => {
                let value = self.get(dst);
                let value = if wide {
                    self.builder.ins().ineg(value)
                } else {
                    let low = self.low(value);
                    let low = self.builder.ins().ineg(low);
                    self.zero_extend(low)
                };
                self.set(dst, value);
            }
            Insn::Movsx { wide, bits, dst, src } => {
                let value = self.get(src);
                let value = self.sign_extend(value, bits);
                let value = if wide {
                    value
                } else {
                    let low = self.low(value);
                    self.zero_extend(low)
                };
                self.set(dst, value);
            }
            Insn::Endian { order, bits, dst } => {
                let value = self.get(dst);
                let value = self.endian(order, bits, value);
                self.set(dst, value);
            }
            Insn::Lddw { dst, imm } => {
                let value = self.builder.ins().iconst(I64, imm as i64);
                self.set(dst, value);
            }
            Insn::Rest => {}
            Insn::Load { size, signed, dst, src, off } => {
                let place = self.place(at, src, off, size, false);
                let value = self.load(size, signed, &place);
                self.set(dst, value);
            }
            Insn::Store { size, dst, off, src } => {
                let value = self.operand(src);
                let place = self.place(at, dst, off, size, true);
                self.store(size, value, &place);
            }
            Insn::Atomic { op, fetch, size, dst, src, off } => {
                let place = self.place(at, dst, off, size, true);
                self.atomic(op, fetch, size, src, &place);
            }
            Insn::Jump { target } => {
                let target = self.block_at(target);
                self.builder.ins().jump(target, &[]);
                return true;
            }
            Insn::Branch { cond, wide, dst, src, target } => {
                let holds = self.condition(cond, wide, dst, src);
                let (then, otherwise) = (self.block_at(target), self.block_at(at + 1));
                self.builder.ins().brif(holds, then, &[], otherwise, &[]);
                return true;
            }
            Insn::Call(Callee::Helper(number)) => self.call_helper(at, number),
            Insn::Call(Callee::Function(callee)) => self.call(callee),
            Insn::Call(Callee::Abort) => {
                let zero = self.builder.ins().iconst(I64, 0);
                self.go_trap(TrapKind::Abort, at, zero);
                return true;
            }
            Insn::Callx(reg) => self.call_indirect(at, reg),
            Insn::Exit => {
                let values = [self.get(Reg(0)), self.builder.use_var(self.fuel)];
                self.builder.ins().return_(&values);
                return true;
            }
        }
        false
    }

    fn block_at(&self, at: u32) -> Block {
        let blocks = &self.program.blocks[self.index];
        self.blocks[blocks.partition_point(|block| block.start <= at) - 1]
    }

    fn alu(&mut self, op: AluOp, wide: bool, dst: Reg, src: Operand) {
        let a = if op == AluOp::Mov { None } else { Some(self.get(dst)) };
        let b = self.operand(src);
        let value = if wide {
            self.arithmetic(op, a.unwrap_or(b), b, I64)
        } else {
            let b = self.low(b);
            let a = a.map_or(b, |a| self.low(a));
            let value = self.arithmetic(op, a, b, I32);
            self.zero_extend(value)
        };
        self.set(dst, value);
    }

    fn arithmetic(&mut self, op: AluOp, a: Value, b: Value, ty: Type) -> Value {
        let ins = self.builder.ins();
        match op {
            AluOp::Add => ins.iadd(a, b),
            AluOp::Sub => ins.isub(a, b),
            AluOp::Mul => ins.imul(a, b),
            AluOp::Or => ins.bor(a, b),
            AluOp::And => ins.band(a, b),
            AluOp::Xor => ins.bxor(a, b),
            AluOp::Mov => b,
            // Cranelift masks the count to the width as the instruction set does.
            AluOp::Lsh => ins.ishl(a, b),
            AluOp::Rsh => ins.ushr(a, b),
            AluOp::Arsh => ins.sshr(a, b),
            AluOp::Div | AluOp::Mod | AluOp::Sdiv | AluOp::Smod => self.divide(op, a, b, ty),
        }
    }

    /// Cranelift's divisions trap on zero and on overflow: they are given a divisor that does
    /// neither, and the results of those cases are put in place behind.
    fn divide(&mut self, op: AluOp, a: Value, b: Value, ty: Type) -> Value {
        let (zero, one) = (self.builder.ins().iconst(ty, 0), self.builder.ins().iconst(ty, 1));
        let by_zero = self.builder.ins().icmp(IntCC::Equal, b, zero);
        let signed = matches!(op, AluOp::Sdiv | AluOp::Smod);
        let (value, by_zero_value) = if signed {
            let minus_one = self.builder.ins().iconst(ty, -1);
            let by_minus_one = self.builder.ins().icmp(IntCC::Equal, b, minus_one);
            let special = self.builder.ins().bor(by_zero, by_minus_one);
            let divisor = self.builder.ins().select(special, one, b);
            if op == AluOp::Sdiv {
                let quotient = self.builder.ins().sdiv(a, divisor);
                let negated = self.builder.ins().ineg(a);
                (self.builder.ins().select(by_minus_one, negated, quotient), zero)
            } else {
                // By one instead of minus one: the remainder is 0 either way.
                (self.builder.ins().srem(a, divisor), a)
            }
        } else {
            let divisor = self.builder.ins().select(by_zero, one, b);
            if op == AluOp::Div {
                (self.builder.ins().udiv(a, divisor), zero)
            } else {
                (self.builder.ins().urem(a, divisor), a)
            }
        };
        self.builder.ins().select(by_zero, by_zero_value, value)
    }

    fn sign_extend(&mut self, value: Value, bits: u8) -> Value {
        let narrow = match bits {
            8 => types::I8,
            16 => types::I16,
            _ => I32,
        };
        let low = self.builder.ins().ireduce(narrow, value);
        self.builder.ins().sextend(I64, low)
    }

    fn endian(&mut self, order: Order, bits: u8, value: Value) -> Value {
        let narrow = match bits {
            16 => types::I16,
            32 => I32,
            _ if order == Order::Little => return value,
            _ => return self.builder.ins().bswap(value),
        };
        let low = self.builder.ins().ireduce(narrow, value);
        let low = if order == Order::Little { low } else { self.builder.ins().bswap(low) };
        self.zero_extend(low)
    }

    fn condition(&mut self, cond: Cond, wide: bool, dst: Reg, src: Operand) -> Value {
        let (mut a, mut b) = (self.get(dst), self.operand(src));
        if !wide {
            (a, b) = (self.low(a), self.low(b));
        }
        let code = match cond {
            Cond::Set => return self.builder.ins().band(a, b),
            Cond::Eq => IntCC::Equal,
            Cond::Ne => IntCC::NotEqual,
            Cond::Gt => IntCC::UnsignedGreaterThan,
            Cond::Ge => IntCC::UnsignedGreaterThanOrEqual,
            Cond::Lt => IntCC::UnsignedLessThan,
            Cond::Le => IntCC::UnsignedLessThanOrEqual,
            Cond::Sgt => IntCC::SignedGreaterThan,
            Cond::Sge => IntCC::SignedGreaterThanOrEqual,
            Cond::Slt => IntCC::SignedLessThan,
            Cond::Sle => IntCC::SignedLessThanOrEqual,
        };
        self.builder.ins().icmp(code, a, b)
    }

    /// Check an access.
    fn place(&mut self, at: u32, reg: Reg, off: i16, size: Size, write: bool) -> Place {
        if self.in_frame(reg, off, size) {
            let address = self.builder.ins().iadd(self.base, self.fp);
            return Place { address, offset: off.into() };
        }
        let layout = self.program.layout;
        let lowest = i64::from(if write { layout.writable } else { NULL_BYTES });
        let last = i64::from(layout.end) - lowest - i64::from(size.bytes());
        let reg = self.get(reg);
        let distance = self.builder.ins().iadd_imm_u(reg, i64::from(off) - lowest);
        let last = self.builder.ins().iconst(I64, last);
        let outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, distance, last);
        let (out, on) = (self.builder.create_block(), self.builder.create_block());
        self.builder.set_cold_block(out);
        self.builder.ins().brif(outside, out, &[], on, &[]);
        self.builder.seal_block(out);
        self.builder.seal_block(on);
        self.builder.switch_to_block(out);
        // The host adds the rest: here it would keep the address alive next to the distance.
        let kind = if write { TrapKind::Write } else { TrapKind::Read };
        self.go_trap(kind, at, distance);
        self.builder.switch_to_block(on);
        // Speculation past the branch stays in the mapping, which holds nothing but this guest's.
        // A select on the same condition would do as well and costs four instructions more.
        let distance = self.builder.ins().band_imm_u(distance, i64::from(layout.mask()));
        if write {
            self.mark(distance, lowest);
        }
        let address = self.builder.ins().iadd(self.base, distance);
        Place { address, offset: lowest as i32 }
    }

    fn load(&mut self, size: Size, signed: bool, place: &Place) -> Value {
        let (flags, ins) = (guest_flags(), self.builder.ins());
        let Place { address, offset } = *place;
        match (size, signed) {
            (Size::B1, false) => ins.uload8(I64, flags, address, offset),
            (Size::B1, true) => ins.sload8(I64, flags, address, offset),
            (Size::B2, false) => ins.uload16(I64, flags, address, offset),
            (Size::B2, true) => ins.sload16(I64, flags, address, offset),
            (Size::B4, false) => ins.uload32(flags, address, offset),
            (Size::B4, true) => ins.sload32(flags, address, offset),
            (Size::B8, _) => ins.load(I64, flags, address, offset),
        }
    }

    fn store(&mut self, size: Size, value: Value, place: &Place) {
        let (flags, ins) = (guest_flags(), self.builder.ins());
        let Place { address, offset } = *place;
        match size {
            Size::B1 => ins.istore8(flags, value, address, offset),
            Size::B2 => ins.istore16(flags, value, address, offset),
            Size::B4 => ins.istore32(flags, value, address, offset),
            Size::B8 => ins.store(flags, value, address, offset),
        };
    }

    /// Nobody else sees the memory while it runs: plain accesses are atomic.
    fn atomic(&mut self, op: AtomicOp, fetch: bool, size: Size, src: Reg, place: &Place) {
        let old = self.load(size, false, place);
        let operand = self.get(src);
        let new = match op {
            AtomicOp::Add => self.builder.ins().iadd(old, operand),
            AtomicOp::Or => self.builder.ins().bor(old, operand),
            AtomicOp::And => self.builder.ins().band(old, operand),
            AtomicOp::Xor => self.builder.ins().bxor(old, operand),
            AtomicOp::Xchg => operand,
            AtomicOp::Cmpxchg => {
                let expected = self.get(Reg(0));
                let same = if size == Size::B8 {
                    self.builder.ins().icmp(IntCC::Equal, old, expected)
                } else {
                    let (old, expected) = (self.low(old), self.low(expected));
                    self.builder.ins().icmp(IntCC::Equal, old, expected)
                };
                self.builder.ins().select(same, operand, old)
            }
        };
        self.store(size, new, place);
        if op == AtomicOp::Cmpxchg {
            self.set(Reg(0), old);
        } else if fetch {
            self.set(src, old);
        }
    }

    /// A call leaves zeros in r1 to r5.
    fn after_call(&mut self, value: Value) {
        self.set(Reg(0), value);
        let zero = self.builder.ins().iconst(I64, 0);
        for reg in 1..=5 {
            self.set(Reg(reg), zero);
        }
    }

    fn call_helper(&mut self, at: u32, number: u32) {
        let slot = self.program.functions[self.index].start + at;
        let id = i64::from(slot) << 32 | i64::from(number);
        let id = self.builder.ins().iconst(I64, id);
        let arity = self.program.helpers.arity(number);
        let args = (1..=5).map(|reg| {
            if reg <= arity { self.get(Reg(reg)) } else { self.builder.ins().iconst(I64, 0) }
        });
        let args = args.collect::<Vec<_>>();
        self.leave_for_helper(id, &args);
    }

    fn leave_for_helper(&mut self, id: Value, args: &[Value]) {
        self.spill_fuel();
        let entry = self.context(offset_of!(Context, on_helper));
        let args = [&[self.base, id], args].concat();
        let call = self.builder.ins().call_indirect(self.host.helper, entry, &args);
        let value = self.builder.inst_results(call)[0];
        self.fill_fuel();
        self.after_call(value);
    }

    /// The stack of the callee lies below this function's frame.
    fn call_args(&mut self, mask: u16) -> Vec<Value> {
        let frame = self.program.functions[self.index].frame_bytes;
        let fp = self.builder.ins().iadd_imm_u(self.fp, -i64::from(frame));
        let mut args = vec![self.base, self.builder.use_var(self.fuel), fp];
        for reg in 1..=5 {
            if mask & 1 << reg != 0 {
                args.push(self.get(Reg(reg)));
            }
        }
        args
    }

    fn call(&mut self, callee: u32) {
        let mask = self.program.arguments[callee as usize];
        let args = self.call_args(mask);
        let function = match self.callees.get(&callee) {
            Some(function) => *function,
            None => {
                let function = import(&mut self.builder, self.isa, callee, mask);
                self.callees.insert(callee, function);
                function
            }
        };
        let call = self.builder.ins().call(function, &args);
        self.finish_call(call);
    }

    fn finish_call(&mut self, call: cranelift_codegen::ir::Inst) {
        let results = self.builder.inst_results(call);
        let (value, fuel) = (results[0], results[1]);
        self.builder.def_var(self.fuel, fuel);
        self.after_call(value);
    }

    /// A number in a register means a helper, as it does where LLVM does not see through a
    /// constant pointer.
    fn call_indirect(&mut self, at: u32, reg: Reg) {
        let pointer = self.get(reg);
        let blocks = [(); 3].map(|()| self.builder.create_block());
        let [helper, function, on] = blocks;
        let high = self.builder.ins().ushr_imm_u(pointer, 32);
        self.builder.ins().brif(high, function, &[], helper, &[]);
        self.builder.switch_to_block(helper);
        let slot = self.program.functions[self.index].start + at;
        let id = self.builder.ins().iconst(I64, i64::from(slot | 1 << 31) << 32);
        let id = self.builder.ins().bor(id, pointer);
        let args = (1..=5).map(|reg| self.get(Reg(reg))).collect::<Vec<_>>();
        self.leave_for_helper(id, &args);
        self.builder.ins().jump(on, &[]);
        self.builder.switch_to_block(function);
        self.call_pointer(at, pointer);
        self.builder.ins().jump(on, &[]);
        self.builder.switch_to_block(on);
    }

    /// Function pointers are 8 apart, as are the places of the table.
    fn call_pointer(&mut self, at: u32, pointer: Value) {
        let offset = self.builder.ins().iadd_imm_u(pointer, -(FUNCTION_BASE as i64));
        let end = 8 * self.program.functions.len() as i64;
        let end = self.builder.ins().iconst(I64, end);
        let outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThanOrEqual, offset, end);
        let between = self.builder.ins().band_imm_u(offset, 7);
        let zero = self.builder.ins().iconst(I64, 0);
        let between = self.builder.ins().icmp(IntCC::NotEqual, between, zero);
        let wrong = self.builder.ins().bor(outside, between);
        self.trap_if(wrong, TrapKind::Callee, at, pointer);
        let offset = self.builder.ins().select_spectre_guard(wrong, zero, offset);
        let table = self.context(offset_of!(Context, functions));
        let place = self.builder.ins().iadd(table, offset);
        let entry = self.builder.ins().load(I64, host_flags(), place, 0);
        let missing = self.builder.ins().icmp(IntCC::Equal, entry, zero);
        self.trap_if(missing, TrapKind::Callee, at, pointer);
        let args = self.call_args(0b11_1110);
        let call = self.builder.ins().call_indirect(self.host.entry, entry, &args);
        self.finish_call(call);
    }
}

/// For memory of the host: the front of the mapping.
fn host_flags() -> MemFlagsData {
    MemFlagsData::trusted()
}

/// For guest memory: unaligned, not to be moved over the check.
fn guest_flags() -> MemFlagsData {
    MemFlagsData::new().with_trap_code(Some(CHECKED))
}
