//! One instruction: decoding of the RFC 9669 instruction set, all groups but packet.
//!
//! Decoding is the first half of verification. What has a [`Insn`] is an instruction that both
//! executors and the disassembler know; everything else is refused with the reason.

/// Bytes of one instruction slot; `lddw` takes two.
pub const SLOT_BYTES: usize = 8;

/// A register, 0 to 10. Register 10 is the frame pointer and is never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reg(pub(crate) u8);

impl Reg {
    /// The frame pointer.
    pub const FP: Self = Self(10);

    /// Its number.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// The second operand of arithmetic, and what a store stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A register.
    Reg(Reg),
    /// A constant, sign-extended to 64 bits.
    Imm(i32),
}

/// Two-operand arithmetic (RFC 9669, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AluOp {
    /// `dst += src`
    Add,
    /// `dst -= src`
    Sub,
    /// `dst *= src`
    Mul,
    /// `dst = src != 0 ? dst / src : 0`
    Div,
    /// Signed division that rounds to zero; by zero it is 0.
    Sdiv,
    /// `dst |= src`
    Or,
    /// `dst &= src`
    And,
    /// `dst <<= src`, the count masked to the width
    Lsh,
    /// `dst >>= src`, zeros from the left
    Rsh,
    /// `dst = src != 0 ? dst % src : dst`
    Mod,
    /// Signed remainder with the sign of `dst`; by zero it is `dst`.
    Smod,
    /// `dst ^= src`
    Xor,
    /// `dst = src`
    Mov,
    /// `dst >>= src`, the sign from the left
    Arsh,
}

/// Byte order conversion (RFC 9669, section 4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// To little-endian: on this little-endian machine a truncation.
    Little,
    /// To big-endian: a swap.
    Big,
    /// A swap, whatever the machine.
    Swap,
}

/// Bytes of a memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// 8 bits.
    B1,
    /// 16 bits.
    B2,
    /// 32 bits.
    B4,
    /// 64 bits.
    B8,
}

impl Size {
    /// In bytes.
    pub fn bytes(self) -> u32 {
        match self {
            Self::B1 => 1,
            Self::B2 => 2,
            Self::B4 => 4,
            Self::B8 => 8,
        }
    }
}

/// Atomic operations (RFC 9669, section 5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtomicOp {
    /// Addition.
    Add,
    /// Bitwise or.
    Or,
    /// Bitwise and.
    And,
    /// Exclusive or.
    Xor,
    /// Exchange; always fetches.
    Xchg,
    /// Compare with r0 and exchange; always fetches into r0.
    Cmpxchg,
}

/// Conditions of jumps (RFC 9669, section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cond {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Some common bit.
    Set,
    /// Unsigned greater.
    Gt,
    /// Unsigned greater or equal.
    Ge,
    /// Unsigned less.
    Lt,
    /// Unsigned less or equal.
    Le,
    /// Signed greater.
    Sgt,
    /// Signed greater or equal.
    Sge,
    /// Signed less.
    Slt,
    /// Signed less or equal.
    Sle,
}

/// Who is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// A function of the same object, by its index.
    Function(u32),
    /// A helper, by its number.
    Helper(u32),
    /// `__bpf_trap`: what LLVM makes of code that can't be reached.
    Abort,
}

/// One decoded instruction. Targets are slots counted from the start of the function.
#[allow(missing_docs, reason = "the line of each says what its fields are")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insn {
    /// Arithmetic on two operands, 64 or 32 bits wide; 32-bit results are zero-extended.
    Alu { op: AluOp, wide: bool, dst: Reg, src: Operand },
    /// `dst = -dst`
    Neg { wide: bool, dst: Reg },
    /// `dst =` the low `bits` of `src`, sign-extended.
    Movsx { wide: bool, bits: u8, dst: Reg, src: Reg },
    /// Byte order conversion of the low `bits` of `dst`.
    Endian { order: Order, bits: u8, dst: Reg },
    /// `dst =` a 64-bit constant; takes two slots.
    Lddw { dst: Reg, imm: u64 },
    /// Second slot of [`Insn::Lddw`]: never executed, never a target.
    Rest,
    /// `dst = *(size *)(src + off)`
    Load { size: Size, signed: bool, dst: Reg, src: Reg, off: i16 },
    /// `*(size *)(dst + off) = src`
    Store { size: Size, dst: Reg, off: i16, src: Operand },
    /// `*(size *)(dst + off) op= src`, with the old value to `src` (or r0) when it fetches.
    Atomic { op: AtomicOp, fetch: bool, size: Size, dst: Reg, src: Reg, off: i16 },
    /// Unconditional jump.
    Jump { target: u32 },
    /// Jump when `dst cond src`.
    Branch { cond: Cond, wide: bool, dst: Reg, src: Operand, target: u32 },
    /// Call.
    Call(Callee),
    /// Call of the function that a register points at.
    Callx(Reg),
    /// Return r0.
    Exit,
}

/// A slot as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Raw {
    /// Class, source bit and operation.
    pub op: u8,
    /// Destination register field.
    pub dst: u8,
    /// Source register field.
    pub src: u8,
    /// Offset.
    pub off: i16,
    /// Immediate.
    pub imm: i32,
}

impl Raw {
    /// From its eight bytes.
    pub fn new(bytes: [u8; SLOT_BYTES]) -> Self {
        let [op, regs, off0, off1, imm0, imm1, imm2, imm3] = bytes;
        Self {
            op,
            dst: regs & 0xf,
            src: regs >> 4,
            off: i16::from_le_bytes([off0, off1]),
            imm: i32::from_le_bytes([imm0, imm1, imm2, imm3]),
        }
    }
}

/// Source of a call instruction: a helper's number, a function, or a kernel function.
pub(crate) mod call {
    pub(crate) const HELPER: u8 = 0;
    pub(crate) const FUNCTION: u8 = 1;
}

/// Why a slot is no instruction.
pub(crate) type Bad = String;

/// Decode the slot at `at`; `next` is the one behind it.
///
/// Calls come out with the raw immediate as function or helper number: who they mean is for the
/// loader to say.
pub(crate) fn decode(raw: Raw, next: Option<Raw>, at: u32) -> Result<Insn, Bad> {
    const LD: u8 = 0;
    const LDX: u8 = 1;
    const ST: u8 = 2;
    const STX: u8 = 3;
    const ALU: u8 = 4;
    const JMP: u8 = 5;
    const JMP32: u8 = 6;
    match raw.op & 7 {
        LD => decode_lddw(raw, next),
        LDX => {
            let (size, mode) = access(raw);
            let signed = match mode {
                3 => false,
                4 if size != Size::B8 => true,
                _ => return Err(unknown(raw)),
            };
            unused(raw, Unused { imm: true, ..Unused::default() })?;
            let (dst, src) = (written(raw.dst)?, reg(raw.src)?);
            Ok(Insn::Load { size, signed, dst, src, off: raw.off })
        }
        ST => {
            let (size, 3) = access(raw) else { return Err(unknown(raw)) };
            unused(raw, Unused { src: true, ..Unused::default() })?;
            let src = Operand::Imm(raw.imm);
            Ok(Insn::Store { size, dst: reg(raw.dst)?, off: raw.off, src })
        }
        STX => match access(raw) {
            (size, 3) => {
                unused(raw, Unused { imm: true, ..Unused::default() })?;
                let src = Operand::Reg(reg(raw.src)?);
                Ok(Insn::Store { size, dst: reg(raw.dst)?, off: raw.off, src })
            }
            (size @ (Size::B4 | Size::B8), 6) => decode_atomic(raw, size),
            _ => Err(unknown(raw)),
        },
        JMP => decode_jump(raw, true, at),
        JMP32 => decode_jump(raw, false, at),
        ALU => decode_alu(raw, false),
        _ => decode_alu(raw, true),
    }
}

fn decode_lddw(raw: Raw, next: Option<Raw>) -> Result<Insn, Bad> {
    if raw.op != 0x18 {
        // Classic packet access, opcodes 0x20 to 0x50, is historical (RFC 9669, section 5.5).
        return Err(unknown(raw));
    }
    let next = next.ok_or("lddw lacks its second half")?;
    if next.op != 0 || next.dst != 0 || next.src != 0 || next.off != 0 {
        return Err("the second half of lddw must be zero but for its constant".into());
    }
    if raw.src != 0 {
        return Err(format!("lddw of kind {} refers to maps or kernel data", raw.src));
    }
    unused(raw, Unused { off: true, ..Unused::default() })?;
    let imm = u64::from(raw.imm as u32) | u64::from(next.imm as u32) << 32;
    Ok(Insn::Lddw { dst: written(raw.dst)?, imm })
}

fn decode_atomic(raw: Raw, size: Size) -> Result<Insn, Bad> {
    const FETCH: i32 = 1;
    let (op, fetch) = match raw.imm {
        0xe1 => (AtomicOp::Xchg, true),
        0xf1 => (AtomicOp::Cmpxchg, true),
        imm => {
            let op = match imm & !FETCH {
                0x00 => AtomicOp::Add,
                0x40 => AtomicOp::Or,
                0x50 => AtomicOp::And,
                0xa0 => AtomicOp::Xor,
                _ => return Err(format!("unknown atomic operation {imm:#x}")),
            };
            (op, imm & FETCH != 0)
        }
    };
    let dst = reg(raw.dst)?;
    let src = if fetch && op != AtomicOp::Cmpxchg { written(raw.src)? } else { reg(raw.src)? };
    Ok(Insn::Atomic { op, fetch, size, dst, src, off: raw.off })
}

fn decode_alu(raw: Raw, wide: bool) -> Result<Insn, Bad> {
    let by_reg = raw.op & 8 != 0;
    let code = raw.op >> 4;
    let dst = written(raw.dst)?;
    match code {
        0x8 if by_reg => return Err(unknown(raw)),
        0x8 => {
            unused(raw, Unused { src: true, off: true, imm: true })?;
            return Ok(Insn::Neg { wide, dst });
        }
        0xd => return decode_endian(raw, wide, by_reg, dst),
        0xb if by_reg && raw.off != 0 => {
            unused(raw, Unused { imm: true, ..Unused::default() })?;
            let bits = match raw.off {
                8 | 16 => raw.off as u8,
                32 if wide => 32,
                off => return Err(format!("sign extension from {off} bits")),
            };
            return Ok(Insn::Movsx { wide, bits, dst, src: reg(raw.src)? });
        }
        _ => {}
    }
    let op = match (code, raw.off) {
        (0x0, 0) => AluOp::Add,
        (0x1, 0) => AluOp::Sub,
        (0x2, 0) => AluOp::Mul,
        (0x3, 0) => AluOp::Div,
        (0x3, 1) => AluOp::Sdiv,
        (0x4, 0) => AluOp::Or,
        (0x5, 0) => AluOp::And,
        (0x6, 0) => AluOp::Lsh,
        (0x7, 0) => AluOp::Rsh,
        (0x9, 0) => AluOp::Mod,
        (0x9, 1) => AluOp::Smod,
        (0xa, 0) => AluOp::Xor,
        (0xb, 0) => AluOp::Mov,
        (0xc, 0) => AluOp::Arsh,
        (0xe | 0xf, _) => return Err(unknown(raw)),
        (_, off) => return Err(format!("offset {off} where it must be zero")),
    };
    let src = operand(raw, by_reg)?;
    Ok(Insn::Alu { op, wide, dst, src })
}

fn decode_endian(raw: Raw, wide: bool, by_reg: bool, dst: Reg) -> Result<Insn, Bad> {
    unused(raw, Unused { src: true, off: true, ..Unused::default() })?;
    let order = match (wide, by_reg) {
        (false, false) => Order::Little,
        (false, true) => Order::Big,
        (true, false) => Order::Swap,
        (true, true) => return Err(unknown(raw)),
    };
    match raw.imm {
        bits @ (16 | 32 | 64) => Ok(Insn::Endian { order, bits: bits as u8, dst }),
        bits => Err(format!("byte order of {bits} bits")),
    }
}

fn decode_jump(raw: Raw, wide: bool, at: u32) -> Result<Insn, Bad> {
    let by_reg = raw.op & 8 != 0;
    let code = raw.op >> 4;
    let to = |distance: i64| {
        let target = i64::from(at) + 1 + distance;
        u32::try_from(target).map_err(|_| "jump to before the function".to_owned())
    };
    match (code, by_reg) {
        (0x0, false) if wide => {
            unused(raw, Unused { src: true, imm: true, ..Unused::default() })?;
            unused_dst(raw)?;
            return Ok(Insn::Jump { target: to(raw.off.into())? });
        }
        (0x0, false) => {
            unused(raw, Unused { src: true, off: true, ..Unused::default() })?;
            unused_dst(raw)?;
            return Ok(Insn::Jump { target: to(raw.imm.into())? });
        }
        (0x0, true) if wide => {
            return Err("jump through a table; compile with -mcpu=v3 or -fno-jump-tables".into());
        }
        (0x8, false) if wide => {
            unused(raw, Unused { off: true, ..Unused::default() })?;
            unused_dst(raw)?;
            return match raw.src {
                call::HELPER => Ok(Insn::Call(Callee::Helper(raw.imm as u32))),
                call::FUNCTION => Ok(Insn::Call(Callee::Function(raw.imm as u32))),
                kind => Err(format!("call of kind {kind} refers to kernel functions")),
            };
        }
        (0x8, true) if wide => {
            // LLVM puts the register in dst; GCC and older LLVM put its number in imm.
            unused(raw, Unused { src: true, off: true, ..Unused::default() })?;
            let number = match (raw.dst, raw.imm) {
                (dst, 0) => dst,
                (0, imm) => u8::try_from(imm).unwrap_or(u8::MAX),
                _ => return Err("two registers to call through".into()),
            };
            return Ok(Insn::Callx(reg(number)?));
        }
        (0x9, false) if wide => {
            unused(raw, Unused { src: true, off: true, imm: true })?;
            unused_dst(raw)?;
            return Ok(Insn::Exit);
        }
        _ => {}
    }
    let cond = match code {
        0x1 => Cond::Eq,
        0x2 => Cond::Gt,
        0x3 => Cond::Ge,
        0x4 => Cond::Set,
        0x5 => Cond::Ne,
        0x6 => Cond::Sgt,
        0x7 => Cond::Sge,
        0xa => Cond::Lt,
        0xb => Cond::Le,
        0xc => Cond::Slt,
        0xd => Cond::Sle,
        _ => return Err(unknown(raw)),
    };
    let target = to(raw.off.into())?;
    Ok(Insn::Branch { cond, wide, dst: reg(raw.dst)?, src: operand(raw, by_reg)?, target })
}

fn access(raw: Raw) -> (Size, u8) {
    let size = match raw.op >> 3 & 3 {
        0 => Size::B4,
        1 => Size::B2,
        2 => Size::B1,
        _ => Size::B8,
    };
    (size, raw.op >> 5)
}

fn operand(raw: Raw, by_reg: bool) -> Result<Operand, Bad> {
    if by_reg {
        unused(raw, Unused { imm: true, ..Unused::default() })?;
        Ok(Operand::Reg(reg(raw.src)?))
    } else {
        unused(raw, Unused { src: true, ..Unused::default() })?;
        Ok(Operand::Imm(raw.imm))
    }
}

fn reg(number: u8) -> Result<Reg, Bad> {
    if number <= 10 { Ok(Reg(number)) } else { Err(format!("there is no register r{number}")) }
}

fn written(number: u8) -> Result<Reg, Bad> {
    match reg(number)? {
        Reg::FP => Err("r10 is read-only".into()),
        other => Ok(other),
    }
}

/// Fields that the instruction does not use; they have to be zero (RFC 9669, section 3.1).
#[derive(Default)]
struct Unused {
    src: bool,
    off: bool,
    imm: bool,
}

fn unused(raw: Raw, fields: Unused) -> Result<(), Bad> {
    let not_zero = if fields.src && raw.src != 0 {
        "source register"
    } else if fields.off && raw.off != 0 {
        "offset"
    } else if fields.imm && raw.imm != 0 {
        "immediate"
    } else {
        return Ok(());
    };
    Err(format!("{not_zero} is not used here and must be zero"))
}

fn unused_dst(raw: Raw) -> Result<(), Bad> {
    if raw.dst == 0 {
        return Ok(());
    }
    Err("destination register is not used here and must be zero".into())
}

fn unknown(raw: Raw) -> Bad {
    format!("unknown opcode {:#04x}", raw.op)
}
