//! Instructions as text, in the form that kernel tools and LLVM print.

use std::fmt;

use crate::insn::{AluOp, AtomicOp, Callee, Cond, Insn, Operand, Order, Reg, Size};

/// Names for what an instruction refers to by number.
pub trait Names {
    /// Name of a function of the object.
    fn function(&self, index: u32) -> String;
    /// Name of a helper.
    fn helper(&self, number: u32) -> String;
}

/// One line, without its index: `r0 += r1`, `if r1 > 5 goto +3`.
pub fn text(insn: &Insn, at: u32, names: &dyn Names) -> String {
    let to = |target: u32| i64::from(target) - i64::from(at) - 1;
    match *insn {
        Insn::Alu { op, wide, dst, src } => {
            let (dst, src) = (named(dst, wide), operand(src, wide));
            format!("{dst} {} {src}", alu(op))
        }
        Insn::Neg { wide, dst } => {
            let dst = named(dst, wide);
            format!("{dst} = -{dst}")
        }
        Insn::Movsx { wide, bits, dst, src } => {
            format!("{} = (s{bits}){}", named(dst, wide), named(src, wide))
        }
        Insn::Endian { order, bits, dst } => {
            let order = match order {
                Order::Little => "le",
                Order::Big => "be",
                Order::Swap => "bswap",
            };
            format!("{dst} = {order}{bits} {dst}")
        }
        Insn::Lddw { dst, imm } => format!("{dst} = {imm:#x} ll"),
        Insn::Rest => String::new(),
        Insn::Load { size, signed, dst, src, off } => {
            let kind = if signed { 's' } else { 'u' };
            format!("{dst} = *({kind}{} *)({src} {})", bits(size), offset(off))
        }
        Insn::Store { size, dst, off, src } => {
            format!("*(u{} *)({dst} {}) = {}", bits(size), offset(off), operand(src, true))
        }
        Insn::Atomic { op, fetch, size, dst, src, off } => {
            let place = format!("(u{} *)({dst} {})", bits(size), offset(off));
            let src = named(src, size == Size::B8);
            match (op, fetch) {
                (AtomicOp::Xchg, _) => format!("{src} = xchg({place}, {src})"),
                (AtomicOp::Cmpxchg, _) => {
                    let r0 = named(Reg(0), size == Size::B8);
                    format!("{r0} = cmpxchg({place}, {r0}, {src})")
                }
                (op, true) => format!("{src} = atomic_fetch_{}({place}, {src})", atomic(op).0),
                (op, false) => format!("lock *{place} {} {src}", atomic(op).1),
            }
        }
        Insn::Jump { target } => format!("goto {:+}", to(target)),
        Insn::Branch { cond: by, wide, dst, src, target } => {
            let (dst, src) = (named(dst, wide), operand(src, wide));
            format!("if {dst} {} {src} goto {:+}", cond(by), to(target))
        }
        Insn::Call(Callee::Function(index)) => format!("call {}", names.function(index)),
        Insn::Call(Callee::Helper(number)) => format!("call {}", names.helper(number)),
        Insn::Call(Callee::Abort) => "call __bpf_trap".into(),
        Insn::Callx(target) => format!("callx {target}"),
        Insn::Exit => "exit".into(),
    }
}

impl fmt::Display for Reg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

fn named(reg: Reg, wide: bool) -> String {
    format!("{}{}", if wide { 'r' } else { 'w' }, reg.0)
}

fn operand(operand: Operand, wide: bool) -> String {
    match operand {
        Operand::Reg(reg) => named(reg, wide),
        Operand::Imm(imm) => imm.to_string(),
    }
}

fn offset(off: i16) -> String {
    let sign = if off < 0 { '-' } else { '+' };
    format!("{sign} {}", off.unsigned_abs())
}

fn bits(size: Size) -> u32 {
    size.bytes() * 8
}

fn alu(op: AluOp) -> &'static str {
    match op {
        AluOp::Add => "+=",
        AluOp::Sub => "-=",
        AluOp::Mul => "*=",
        AluOp::Div => "/=",
        AluOp::Sdiv => "s/=",
        AluOp::Or => "|=",
        AluOp::And => "&=",
        AluOp::Lsh => "<<=",
        AluOp::Rsh => ">>=",
        AluOp::Mod => "%=",
        AluOp::Smod => "s%=",
        AluOp::Xor => "^=",
        AluOp::Mov => "=",
        AluOp::Arsh => "s>>=",
    }
}

fn atomic(op: AtomicOp) -> (&'static str, &'static str) {
    match op {
        AtomicOp::Add => ("add", "+="),
        AtomicOp::Or => ("or", "|="),
        AtomicOp::And => ("and", "&="),
        AtomicOp::Xor => ("xor", "^="),
        AtomicOp::Xchg => ("xchg", "="),
        AtomicOp::Cmpxchg => ("cmpxchg", "="),
    }
}

fn cond(cond: Cond) -> &'static str {
    match cond {
        Cond::Eq => "==",
        Cond::Ne => "!=",
        Cond::Set => "&",
        Cond::Gt => ">",
        Cond::Ge => ">=",
        Cond::Lt => "<",
        Cond::Le => "<=",
        Cond::Sgt => "s>",
        Cond::Sge => "s>=",
        Cond::Slt => "s<",
        Cond::Sle => "s<=",
    }
}
