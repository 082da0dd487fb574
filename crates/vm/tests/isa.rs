//! RFC 9669, instruction by instruction, on both executors.
//!
//! Each case puts one instruction between code that fills all registers and code that stores
//! them, so it says of every register what the instruction leaves in it. What is expected comes
//! from the text of the RFC, worked out here in 128 bits.

mod support;

use std::collections::BTreeSet;

use support::{Asm, ENGINES, run, slot};
use zeroserve_vm::insn::Insn;
use zeroserve_vm::{Fuel, Instance, Program};

/// An instruction of the RFC's tables: the opcode and the fields that tell it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    op: u8,
    src: u8,
    off: i16,
    imm: i32,
}

const fn key(op: u8, src: u8, off: i16, imm: i32) -> Key {
    Key { op, src, off, imm }
}

/// One program and what it is run with.
struct Case {
    key: Key,
    text: String,
    code: Asm,
    runs: Vec<Run>,
}

/// Values of the operand registers, and what has to be different behind the instruction.
struct Run {
    operands: [u64; 2],
    memory: u64,
    registers: Vec<(u8, u64)>,
    memory_after: u64,
    mark: u8,
}

impl Run {
    fn new(operands: [u64; 2], registers: &[(u8, u64)]) -> Self {
        let registers = registers.to_vec();
        Self { operands, memory: MEMORY, registers, memory_after: MEMORY, mark: 0 }
    }
}

/// Without an image the heap is where the first function's r10 points.
const HEAP: u64 = 4096 + 256 * 1024;

/// Where memory operands lie, and what is there at first.
const DATA: u64 = HEAP + 2048;
const MEMORY: u64 = 0x8877_6655_f4f3_f2f1;

/// Offsets in the heap: registers behind the instruction, marks of jumps, operands.
const MARK: i16 = 80;
const OPERANDS: i16 = 88;

fn sentinel(reg: u8) -> u64 {
    0x0123_4567_89ab_cdef_u64.rotate_left(u32::from(reg) * 5) ^ u64::from(reg)
}

/// `insns` with operands in `dst` and `src`, all other registers filled.
fn around(insns: &[[u8; 8]], dst: u8, src: u8) -> Asm {
    let mut asm = Asm::default().store(10, OPERANDS, 1).store(10, OPERANDS + 8, 2);
    for reg in 0..10 {
        asm = asm.lddw(reg, sentinel(reg));
    }
    if src < 10 {
        asm = asm.load(src, 10, OPERANDS + 8);
    }
    if dst < 10 {
        asm = asm.load(dst, 10, OPERANDS);
    }
    asm = asm.slots(insns);
    for reg in 0..10 {
        asm = asm.store(10, i16::from(reg) * 8, reg);
    }
    asm.exit()
}

const CORNERS: [u64; 17] = [
    0,
    1,
    2,
    3,
    31,
    32,
    63,
    64,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    i64::MAX as u64,
    i64::MIN as u64,
    u64::MAX,
    0xffff_ffff_8000_0000,
    0x0123_4567_89ab_cdef,
];

const IMMEDIATES: [i32; 9] = [0, 1, 7, 33, 64, i32::MAX, i32::MIN, -1, -3];

/// Operands in registers that are different, and one that is both.
const PAIRS: [(u8, u8); 4] = [(0, 9), (3, 1), (8, 2), (5, 5)];

fn corner_pairs(dst: u8, src: u8) -> impl Iterator<Item = (u64, u64)> {
    CORNERS.iter().flat_map(move |a| CORNERS.iter().map(move |b| (*a, *b))).filter_map(
        move |(a, b)| match dst == src {
            true => (a == b).then_some((a, a)),
            false => Some((a, b)),
        },
    )
}

/// Section 4.1, by its table: operations as the text defines them, on `bits` bits.
fn alu(code: u8, off: i16, bits: u32, a: u64, b: u64) -> u64 {
    let modulus = 1_i128 << bits;
    let unsigned = |value: u64| i128::from(value) % modulus;
    let signed = |value: u64| {
        let value = unsigned(value);
        if value >= modulus / 2 { value - modulus } else { value }
    };
    let (x, y) = (unsigned(a), unsigned(b));
    // "the shift operations use masking": the low 6 bits, or 5 of a 32-bit operation.
    let shift = (y % i128::from(bits)) as u32;
    let result = match (code, off) {
        (0x0, 0) => x + y,
        (0x1, 0) => x - y,
        (0x2, 0) => return (u128::from(a) * u128::from(b) % modulus as u128) as u64,
        (0x3, 0) => {
            if y != 0 {
                x / y
            } else {
                0
            }
        }
        // "dst s/ src" rounds to zero; "LLONG_MIN / -1 = LLONG_MIN" by the overflow rule.
        (0x3, 1) => {
            if y != 0 {
                signed(a) / signed(b)
            } else {
                0
            }
        }
        (0x4, 0) => x | y,
        (0x5, 0) => x & y,
        (0x6, 0) => return ((x as u128) << shift) as u64 & (modulus as u128 - 1) as u64,
        (0x7, 0) => x >> shift,
        (0x9, 0) => {
            if y != 0 {
                x % y
            } else {
                x
            }
        }
        // "sign of the result equals the sign of the dividend".
        (0x9, 1) => {
            if y != 0 {
                signed(a) % signed(b)
            } else {
                x
            }
        }
        (0xa, 0) => x ^ y,
        (0xb, 0) => y,
        (0xc, 0) => signed(a).div_euclid(1 << shift),
        other => panic!("{other:?} is no operation"),
    };
    result.rem_euclid(modulus) as u64
}

const ALU: [(u8, i16, &str); 14] = [
    (0x0, 0, "add"),
    (0x1, 0, "sub"),
    (0x2, 0, "mul"),
    (0x3, 0, "div"),
    (0x3, 1, "sdiv"),
    (0x4, 0, "or"),
    (0x5, 0, "and"),
    (0x6, 0, "lsh"),
    (0x7, 0, "rsh"),
    (0x9, 0, "mod"),
    (0x9, 1, "smod"),
    (0xa, 0, "xor"),
    (0xb, 0, "mov"),
    (0xc, 0, "arsh"),
];

fn arithmetic() -> Vec<Case> {
    let mut cases = Vec::new();
    for (code, off, name) in ALU {
        for (class, bits) in [(0x07, 64), (0x04, 32)] {
            let op = code << 4 | class;
            for imm in IMMEDIATES {
                // "imm" is sign-extended; a 32-bit operation sees its low half again.
                let value = i64::from(imm) as u64;
                let runs =
                    CORNERS.map(|a| Run::new([a, 0], &[(4, alu(code, off, bits, a, value))]));
                cases.push(Case {
                    key: key(op, 0, off, 0),
                    text: format!("{name}{bits} r4, {imm}"),
                    code: around(&[slot(op, 4, 0, off, imm)], 4, 10),
                    runs: runs.into(),
                });
            }
            for (dst, src) in PAIRS {
                let runs = corner_pairs(dst, src)
                    .map(|(a, b)| Run::new([a, b], &[(dst, alu(code, off, bits, a, b))]));
                cases.push(Case {
                    key: key(op | 8, 0, off, 0),
                    text: format!("{name}{bits} r{dst}, r{src}"),
                    code: around(&[slot(op | 8, dst, src, off, 0)], dst, src),
                    runs: runs.collect(),
                });
            }
        }
    }
    cases
}

/// What the general case does not show by itself: results that the RFC states.
fn stated() -> Vec<Case> {
    let min32 = u64::from(i32::MIN as u32);
    let minus_one = u64::MAX;
    let minus_13 = -13_i64 as u64;
    let rows: [(u8, i16, u64, u64, u64); 16] = [
        // Division by zero: 0; of a 32-bit one the upper half is zero as well.
        (0x3f, 0, 77, 0, 0),
        (0x3c, 0, minus_one, 1 << 32, 0),
        (0x3f, 1, 77, 0, 0),
        // Modulo zero: unchanged, and the upper half of a 32-bit one zero.
        (0x9f, 0, 77, 0, 77),
        (0x9c, 0, minus_one, 0, 0xffff_ffff),
        (0x9f, 1, minus_one, 0, minus_one),
        (0x9c, 1, minus_one, 1 << 32, 0xffff_ffff),
        // LLONG_MIN / -1 = LLONG_MIN, INT_MIN / -1 = INT_MIN, and their remainders 0.
        (0x3f, 1, i64::MIN as u64, minus_one, i64::MIN as u64),
        (0x3c, 1, min32, minus_one, min32),
        (0x9f, 1, i64::MIN as u64, minus_one, 0),
        (0x9c, 1, min32, minus_one, 0),
        // -13 % 3 == -1 truncated.
        (0x9f, 1, minus_13, 3, minus_one),
        (0x3f, 1, minus_13, 3, -4_i64 as u64),
        // {ADD, X, ALU}: the upper half is zeroed.
        (0x0c, 0, minus_one, 1, 0),
        // Shifts by 64 and by 32 are shifts by 0.
        (0x6f, 0, 5, 64, 5),
        (0xcc, 0, min32, 33, 0xc000_0000),
    ];
    let case = |(op, off, a, b, want): (u8, i16, u64, u64, u64)| Case {
        key: key(op, 0, off, 0),
        text: format!("{op:#x} off {off} of {a:#x} and {b:#x}"),
        code: around(&[slot(op, 6, 7, off, 0)], 6, 7),
        runs: vec![Run::new([a, b], &[(6, want)])],
    };
    rows.into_iter().map(case).collect()
}

fn extend(value: u64, bits: u32) -> u64 {
    let low = i128::from(value) % (1 << bits);
    let value = if low >= 1 << (bits - 1) { low - (1 << bits) } else { low };
    value as u64
}

fn one_operand() -> Vec<Case> {
    let values = [CORNERS.as_slice(), &[0x80, 0xff7f, 0x8000, 0xffff_0080, 0x1234_8080]].concat();
    let mut cases = Vec::new();
    let mut push = |key: Key, text: &str, insn: [u8; 8], of: &dyn Fn(u64) -> u64| {
        let runs = values.iter().map(|a| Run::new([*a, *a], &[(2, of(*a))]));
        let runs = runs.collect();
        cases.push(Case { key, text: text.into(), code: around(&[insn], 2, 6), runs });
    };
    push(key(0x87, 0, 0, 0), "neg64", slot(0x87, 2, 0, 0, 0), &|a| (!a).wrapping_add(1));
    push(key(0x84, 0, 0, 0), "neg32", slot(0x84, 2, 0, 0, 0), &|a| {
        u64::from((!(a as u32)).wrapping_add(1))
    });
    for bits in [8, 16, 32] {
        let op = key(0xbf, 0, bits, 0);
        push(op, "movsx64", slot(0xbf, 2, 6, bits, 0), &|a| extend(a, bits as u32));
    }
    for bits in [8, 16] {
        let op = key(0xbc, 0, bits, 0);
        push(op, "movsx32", slot(0xbc, 2, 6, bits, 0), &|a| extend(a, bits as u32) % (1 << 32));
    }
    for bits in [16, 32, 64] {
        let keep = move |a: u64| (u128::from(a) % (1_u128 << bits)) as u64;
        let swap = move |a: u64| {
            let bytes = a.to_le_bytes();
            bytes[..bits as usize / 8].iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
        };
        // le keeps, be and bswap turn around, on a little-endian machine.
        push(key(0xd4, 0, 0, bits), "le", slot(0xd4, 2, 0, 0, bits), &keep);
        push(key(0xdc, 0, 0, bits), "be", slot(0xdc, 2, 0, 0, bits), &swap);
        push(key(0xd7, 0, 0, bits), "bswap", slot(0xd7, 2, 0, 0, bits), &swap);
    }
    for value in CORNERS {
        let (low, high) = (value as i32, (value >> 32) as i32);
        cases.push(Case {
            key: key(0x18, 0, 0, 0),
            text: format!("lddw {value:#x}"),
            code: around(&[slot(0x18, 7, 0, 0, low), slot(0, 0, 0, 0, high)], 7, 10),
            runs: vec![Run::new([1, 1], &[(7, value)])],
        });
    }
    cases
}

const CONDITIONS: [(u8, &str); 11] = [
    (0x1, "jeq"),
    (0x2, "jgt"),
    (0x3, "jge"),
    (0x4, "jset"),
    (0x5, "jne"),
    (0x6, "jsgt"),
    (0x7, "jsge"),
    (0xa, "jlt"),
    (0xb, "jle"),
    (0xc, "jslt"),
    (0xd, "jsle"),
];

fn taken(code: u8, bits: u32, a: u64, b: u64) -> bool {
    let unsigned = |value: u64| i128::from(value) % (1 << bits);
    let signed = |value: u64| if bits == 64 { value as i64 as i128 } else { value as i32 as i128 };
    let (x, y, sx, sy) = (unsigned(a), unsigned(b), signed(a), signed(b));
    match code {
        0x1 => x == y,
        0x2 => x > y,
        0x3 => x >= y,
        0x4 => x & y != 0,
        0x5 => x != y,
        0x6 => sx > sy,
        0x7 => sx >= sy,
        0xa => x < y,
        0xb => x <= y,
        0xc => sx < sy,
        0xd => sx <= sy,
        _ => panic!("{code} is no condition"),
    }
}

/// Mark 1 when the jump is not taken, 2 when it is.
fn around_jump(jump: [u8; 8], dst: u8, src: u8) -> Asm {
    let mark = |value| slot(0x7a, 10, 0, MARK, value);
    around(&[jump, mark(1), slot(0x05, 0, 0, 1, 0), mark(2)], dst, src)
}

fn jumps() -> Vec<Case> {
    let mut cases = Vec::new();
    let run = |code, bits, a, b| {
        let mark = if taken(code, bits, a, b) { 2 } else { 1 };
        Run { mark, ..Run::new([a, b], &[]) }
    };
    for (code, name) in CONDITIONS {
        for (class, bits) in [(0x05, 64), (0x06, 32)] {
            let op = code << 4 | class;
            for imm in IMMEDIATES {
                let b = i64::from(imm) as u64;
                let values = CORNERS.iter().copied().chain([b, b.wrapping_add(1)]);
                cases.push(Case {
                    key: key(op, 0, 0, 0),
                    text: format!("{name}{bits} r4, {imm}"),
                    code: around_jump(slot(op, 4, 0, 2, imm), 4, 10),
                    runs: values.map(|a| run(code, bits, a, b)).collect(),
                });
            }
            for (dst, src) in PAIRS {
                cases.push(Case {
                    key: key(op | 8, 0, 0, 0),
                    text: format!("{name}{bits} r{dst}, r{src}"),
                    code: around_jump(slot(op | 8, dst, src, 2, 0), dst, src),
                    runs: corner_pairs(dst, src).map(|(a, b)| run(code, bits, a, b)).collect(),
                });
            }
        }
    }
    // Always taken, by off and by imm, forwards and backwards.
    for (op, off, imm) in [(0x05, 2, 0), (0x06, 0, 2)] {
        cases.push(Case {
            key: key(op, 0, 0, 0),
            text: "goto".into(),
            code: around_jump(slot(op, 0, 0, off, imm), 4, 10),
            runs: vec![Run { mark: 2, ..Run::new([3, 3], &[]) }],
        });
        let (mark, by_off) = (|value| slot(0x7a, 10, 0, MARK, value), op == 0x05);
        let goto = |by: i16| match by_off {
            true => slot(op, 0, 0, by, 0),
            false => slot(op, 0, 0, 0, by.into()),
        };
        // To the last of them, back to the second, and over the rest.
        let insns = [goto(3), mark(2), goto(2), mark(1), goto(-4)];
        cases.push(Case {
            key: key(op, 0, 0, 0),
            text: "goto back".into(),
            code: around(&insns, 4, 10),
            runs: vec![Run { mark: 2, ..Run::new([3, 3], &[]) }],
        });
    }
    cases
}

/// Sizes by their bits of the opcode.
const SIZES: [(u8, u32); 4] = [(0x00, 32), (0x08, 16), (0x10, 8), (0x18, 64)];

fn low(value: u64, bits: u32) -> u64 {
    (u128::from(value) % (1_u128 << bits)) as u64
}

fn put(old: u64, new: u64, bits: u32) -> u64 {
    old - low(old, bits) + low(new, bits)
}

fn memory() -> Vec<Case> {
    let mut cases = Vec::new();
    for off in [0, 8, -16, i16::MAX, i16::MIN] {
        let place = DATA.wrapping_sub(i64::from(off) as u64);
        for (size, bits) in SIZES {
            let value = low(MEMORY, bits);
            for (dst, src) in [(3, 8), (6, 6)] {
                let run = || Run::new([place, place], &[(dst, value)]);
                cases.push(Case {
                    key: key(0x61 | size, 0, 0, 0),
                    text: format!("load {bits} r{dst}, [r{src} {off:+}]"),
                    code: around(&[slot(0x61 | size, dst, src, off, 0)], dst, src),
                    runs: vec![run()],
                });
                if bits == 64 {
                    continue;
                }
                let value = extend(MEMORY, bits);
                let high = Run { memory: !MEMORY, memory_after: !MEMORY, ..run() };
                let high = Run { registers: vec![(dst, extend(!MEMORY, bits))], ..high };
                cases.push(Case {
                    key: key(0x81 | size, 0, 0, 0),
                    text: format!("load signed {bits} r{dst}, [r{src} {off:+}]"),
                    code: around(&[slot(0x81 | size, dst, src, off, 0)], dst, src),
                    runs: vec![Run { registers: vec![(dst, value)], ..run() }, high],
                });
            }
            for imm in IMMEDIATES {
                let memory_after = put(MEMORY, i64::from(imm) as u64, bits);
                cases.push(Case {
                    key: key(0x62 | size, 0, 0, 0),
                    text: format!("store {bits} [r4 {off:+}], {imm}"),
                    code: around(&[slot(0x62 | size, 4, 0, off, imm)], 4, 10),
                    runs: vec![Run { memory_after, ..Run::new([place, 0], &[]) }],
                });
            }
            let runs = CORNERS.map(|value| {
                let memory_after = put(MEMORY, value, bits);
                Run { memory_after, ..Run::new([place, value], &[]) }
            });
            cases.push(Case {
                key: key(0x63 | size, 0, 0, 0),
                text: format!("store {bits} [r4 {off:+}], r9"),
                code: around(&[slot(0x63 | size, 4, 9, off, 0)], 4, 9),
                runs: runs.into(),
            });
        }
    }
    cases
}

/// Section 5.3: what is stored, of the old value and the operand.
type Atomic = (i32, &'static str, fn(u64, u64) -> u64);

const ATOMICS: [Atomic; 4] = [
    (0x00, "add", |old, operand| (u128::from(old) + u128::from(operand)) as u64),
    (0x40, "or", |old, operand| old | operand),
    (0x50, "and", |old, operand| old & operand),
    (0xa0, "xor", |old, operand| old ^ operand),
];

fn atomics() -> Vec<Case> {
    let mut cases = Vec::new();
    for (op, bits) in [(0xc3, 32), (0xdb, 64)] {
        let insn = |dst, src, imm| around(&[slot(op, dst, src, -24, imm)], dst, src);
        let place = DATA + 24;
        let old = low(MEMORY, bits);
        for (imm, name, of) in ATOMICS {
            for fetch in [0, 1] {
                let runs = CORNERS.map(|value| {
                    let registers: &[(u8, u64)] = if fetch == 1 { &[(7, old)] } else { &[] };
                    let memory_after = put(MEMORY, of(old, value), bits);
                    Run { memory_after, ..Run::new([place, value], registers) }
                });
                cases.push(Case {
                    key: key(op, 0, 0, imm | fetch),
                    text: format!("atomic {name} {bits} fetch {fetch}"),
                    code: insn(3, 7, imm | fetch),
                    runs: runs.into(),
                });
            }
        }
        let runs = CORNERS.map(|value| {
            let memory_after = put(MEMORY, value, bits);
            Run { memory_after, ..Run::new([place, value], &[(7, old)]) }
        });
        cases.push(Case {
            key: key(op, 0, 0, 0xe1),
            text: format!("xchg {bits}"),
            code: insn(3, 7, 0xe1),
            runs: runs.into(),
        });
        // r0 holds what is compared: its sentinel, which then is in memory, or is not.
        let expected = sentinel(0);
        let mut runs = Vec::new();
        for value in CORNERS {
            runs.push(Run::new([place, value], &[(0, old)]));
            let memory_after = put(expected, value, bits);
            let same = Run::new([place, value], &[(0, low(expected, bits))]);
            runs.push(Run { memory: expected, memory_after, ..same });
            // Only the width of the operation is compared.
            let memory = expected ^ 1 << 63;
            let memory_after = if bits == 32 { put(memory, value, bits) } else { memory };
            let near = Run::new([place, value], &[(0, low(memory, bits))]);
            runs.push(Run { memory, memory_after, ..near });
        }
        cases.push(Case {
            key: key(op, 0, 0, 0xf1),
            text: format!("cmpxchg {bits}"),
            code: insn(3, 7, 0xf1),
            runs,
        });
    }
    cases
}

/// Calls: r0 is the result, r1 to r5 are zero (they are the callee's to overwrite, and here what
/// they hold is the same on both executors), r6 to r9 and r10 are as they were.
fn calls() -> Vec<Case> {
    let arguments: u64 = (1..=5).map(sentinel).fold(0, u64::wrapping_add);
    let clear = [(1, 0), (2, 0), (3, 0), (4, 0), (5, 0)];
    let with = |value: u64| [&[(0, value)], clear.as_slice()].concat();
    let helper = Case {
        key: key(0x85, 0, 0, 0),
        text: "call of a helper".into(),
        code: around(&[slot(0x85, 0, 0, 0, 1)], 10, 10),
        runs: vec![Run::new([0, 0], &with(arguments))],
    };
    // The callee overwrites all that is its own and what it has to keep.
    let mut callee = Asm::default().copy(0, 1);
    for reg in 2..=5 {
        callee = callee.op(0x0f, 0, reg, 0, 0);
    }
    for reg in 1..10 {
        callee = callee.mov(reg, -1);
    }
    let callee = callee.store(10, -8, 9).store(10, -512, 9).exit();
    let before = around(&[slot(0x85, 0, 1, 0, 0)], 10, 10);
    // From the call to the callee: the stores of the registers and the exit.
    let mut code = around(&[slot(0x85, 0, 1, 0, 11)], 10, 10);
    assert_eq!(before.0.len(), code.0.len());
    code.0.extend(&callee.0);
    let local = Case {
        key: key(0x85, 1, 0, 0),
        text: "call of a function".into(),
        code,
        runs: vec![Run::new([0, 0], &with(arguments))],
    };
    let helper_by_register = Case {
        key: key(0x8d, 0, 0, 0),
        text: "callx of a helper's number".into(),
        code: around(&[slot(0x8d, 8, 0, 0, 0)], 8, 10),
        runs: vec![Run::new([1, 0], &with(arguments))],
    };
    let old_form = Case {
        key: key(0x8d, 0, 0, 0),
        text: "callx with the register in imm".into(),
        code: around(&[slot(0x8d, 0, 0, 0, 8)], 8, 10),
        runs: vec![Run::new([1, 0], &with(arguments))],
    };
    let exit = Case {
        key: key(0x95, 0, 0, 0),
        text: "exit".into(),
        code: around(&[slot(0xbf, 0, 9, 0, 0)], 10, 9),
        runs: CORNERS.map(|value| Run::new([0, value], &[(0, value)])).into(),
    };
    vec![helper, local, helper_by_register, old_form, exit]
}

fn check(cases: Vec<Case>) {
    let mut wrong = Vec::new();
    for case in cases {
        for engine in ENGINES {
            let mut instance = Instance::new(case.code.program(engine)).expect("memory");
            for run in &case.runs {
                if let Err(why) = check_run(&mut instance, run) {
                    wrong.push(format!("{} {engine:?} {:x?}: {why}", case.text, run.operands));
                }
                instance.reset();
            }
        }
    }
    wrong.truncate(20);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check_run(instance: &mut Instance, case: &Run) -> Result<(), String> {
    let place = instance.memory().write(DATA, 8).expect("the heap");
    place.copy_from_slice(&case.memory.to_le_bytes());
    let [a, b] = case.operands;
    let outcome = run(instance, 0, [a, b, 0, 0, 0], Fuel::default());
    let end = outcome.end.map_err(|trap| trap.to_string())?;
    let word = |at: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&outcome.heap[at..at + 8]);
        u64::from_le_bytes(bytes)
    };
    for reg in 0..10_u8 {
        let got = word(usize::from(reg) * 8);
        let filled = operand_of(instance, reg, case).unwrap_or(sentinel(reg));
        let changed = case.registers.iter().find(|(changed, _)| *changed == reg);
        let want = changed.map_or(filled, |(_, value)| *value);
        if got != want {
            return Err(format!("r{reg} is {got:#x}, expected {want:#x}"));
        }
    }
    if end != word(0) {
        return Err(format!("returned {end:#x} with r0 {:#x}", word(0)));
    }
    let (memory, mark) = (word(2048), word(MARK as usize));
    if memory != case.memory_after {
        return Err(format!("memory is {memory:#x}, expected {:#x}", case.memory_after));
    }
    if mark != u64::from(case.mark) {
        return Err(format!("mark is {mark}, expected {}", case.mark));
    }
    Ok(())
}

/// What the code in front loaded into a register instead of its sentinel.
fn operand_of(instance: &Instance, reg: u8, case: &Run) -> Option<u64> {
    let insns = &instance.program().functions()[0].insns;
    // Two stores, ten times lddw, then the loads of the operands.
    let loads = insns[22..24].iter().map_while(|insn| match insn {
        Insn::Load { dst, src, off, .. } if src.index() == 10 => Some((dst.index(), *off)),
        _ => None,
    });
    let last = loads.filter(|(dst, _)| *dst == usize::from(reg)).last();
    last.map(|(_, off)| case.operands[usize::from(off != OPERANDS)])
}

type Group = fn() -> Vec<Case>;

const GROUPS: [Group; 7] = [arithmetic, stated, one_operand, jumps, memory, atomics, calls];

#[test]
fn arithmetic_works() {
    check(arithmetic());
}

#[test]
fn stated_results_hold() {
    check(stated());
}

#[test]
fn one_operand_works() {
    check(one_operand());
}

#[test]
fn jumps_work() {
    check(jumps());
}

#[test]
fn memory_works() {
    check(memory());
}

#[test]
fn atomics_work() {
    check(atomics());
}

#[test]
fn calls_work() {
    check(calls());
}

/// The tables of RFC 9669, groups base32, base64, divmul32, divmul64, atomic32, atomic64, and
/// callx, which LLVM emits.
fn defined() -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    for class in [0x04, 0x07] {
        for (code, off, _) in ALU {
            keys.insert(key(code << 4 | class, 0, off, 0));
            keys.insert(key(code << 4 | class | 8, 0, off, 0));
        }
        keys.insert(key(0x80 | class, 0, 0, 0));
    }
    for bits in [8, 16] {
        keys.insert(key(0xbc, 0, bits, 0));
        keys.insert(key(0xbf, 0, bits, 0));
    }
    keys.insert(key(0xbf, 0, 32, 0));
    for op in [0xd4, 0xdc, 0xd7] {
        keys.extend([16, 32, 64].map(|bits| key(op, 0, 0, bits)));
    }
    for class in [0x05, 0x06] {
        keys.insert(key(class, 0, 0, 0));
        for (code, _) in CONDITIONS {
            keys.insert(key(code << 4 | class, 0, 0, 0));
            keys.insert(key(code << 4 | class | 8, 0, 0, 0));
        }
    }
    keys.insert(key(0x18, 0, 0, 0));
    for (size, bits) in SIZES {
        keys.extend([0x61, 0x62, 0x63].map(|op| key(op | size, 0, 0, 0)));
        if bits < 64 {
            keys.insert(key(0x81 | size, 0, 0, 0));
        }
    }
    for op in [0xc3, 0xdb] {
        for imm in [0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1] {
            keys.insert(key(op, 0, 0, imm));
        }
    }
    keys.extend([key(0x85, 0, 0, 0), key(0x85, 1, 0, 0), key(0x8d, 0, 0, 0), key(0x95, 0, 0, 0)]);
    keys
}

#[test]
fn every_defined_instruction_has_a_case() {
    let tested: BTreeSet<Key> =
        GROUPS.iter().flat_map(|group| group()).map(|case| case.key).collect();
    let missing: Vec<String> =
        defined().difference(&tested).map(|key| format!("{key:02x?}")).collect();
    assert!(missing.is_empty(), "no case for:\n{}", missing.join("\n"));
    // Counted by hand in the RFC's tables, without what names maps, variables of the kernel and
    // types: arithmetic, movsx, byte order, jumps, lddw, accesses, atomics, calls and exit.
    assert_eq!(defined().len(), 2 * (2 * 14 + 1) + 5 + 9 + 2 * (1 + 2 * 11) + 1 + 15 + 20 + 4);
    let unknown: Vec<String> =
        tested.difference(&defined()).map(|key| format!("{key:02x?}")).collect();
    assert!(unknown.is_empty(), "cases for what is not defined:\n{}", unknown.join("\n"));
}

/// All opcodes with all values that tell instructions apart, and some that do not.
#[test]
fn nothing_else_is_accepted() {
    let known = defined();
    let mut wrong = Vec::new();
    let values = [0, 1, 2, 7, 8, 16, 24, 32, 64, 0x40, 0x50, 0xa0, 0xe0, 0xe1, 0xf0, 0xf1, 0xff];
    let fields = values.iter().flat_map(|v| {
        [(0, 0, *v), (0, *v as i16, 0), (0, -*v as i16, 0), (0, 1, *v), (*v as u8 & 15, 0, 0)]
    });
    let fields: Vec<(u8, i16, i32)> = fields.collect();
    for op in 0..=u8::MAX {
        for &(src, off, imm) in &fields {
            let key = match op & 7 {
                4 | 7 if op >> 4 == 0xd => key(op, 0, 0, imm),
                4 | 7 => key(op, 0, off, 0),
                3 if op >> 5 == 6 => key(op, 0, 0, imm),
                _ if op == 0x85 => key(op, src, 0, 0),
                _ => key(op, 0, 0, 0),
            };
            let mut asm = Asm::default().slots(&[slot(op, 0, src, off, imm)]);
            if op == 0x18 {
                asm = asm.slots(&[slot(0, 0, 0, 0, 0)]);
            }
            // Behind it is enough for jumps to reach an instruction.
            let asm = (0..600).fold(asm, |asm, _| asm.mov(0, 0)).exit();
            let accepted = Program::from_instructions(&asm.0, support::helpers(), ENGINES[0]);
            if accepted.is_ok() && !known.contains(&key) {
                wrong.push(format!("{op:#04x} src {src} off {off} imm {imm:#x}"));
            }
        }
    }
    assert!(wrong.is_empty(), "accepted:\n{}", wrong.join("\n"));
}

/// Section 3.1: fields that an instruction does not use are zero.
#[test]
fn unused_fields_must_be_zero() {
    let rows = [
        (slot(0x87, 1, 1, 0, 0), "source register"),
        (slot(0x87, 1, 0, 1, 0), "offset"),
        (slot(0x87, 1, 0, 0, 1), "immediate"),
        (slot(0x0f, 1, 2, 0, 1), "immediate"),
        (slot(0x07, 1, 2, 0, 1), "source register"),
        (slot(0xd4, 1, 2, 0, 16), "source register"),
        (slot(0xd7, 1, 0, 2, 16), "offset"),
        (slot(0xbf, 1, 2, 8, 1), "immediate"),
        (slot(0x79, 1, 10, 0, 1), "immediate"),
        (slot(0x7a, 10, 1, 0, 1), "source register"),
        (slot(0x7b, 10, 1, 0, 1), "immediate"),
        (slot(0x05, 1, 0, 0, 0), "destination register"),
        (slot(0x05, 0, 1, 0, 0), "source register"),
        (slot(0x05, 0, 0, 0, 1), "immediate"),
        (slot(0x06, 0, 0, 1, 0), "offset"),
        (slot(0x06, 0, 1, 0, 0), "source register"),
        (slot(0x06, 1, 0, 0, 0), "destination register"),
        (slot(0x15, 1, 1, 0, 0), "source register"),
        (slot(0x1d, 1, 1, 0, 1), "immediate"),
        (slot(0x85, 1, 0, 0, 1), "destination register"),
        (slot(0x85, 0, 0, 1, 1), "offset"),
        (slot(0x8d, 1, 1, 0, 0), "source register"),
        (slot(0x8d, 1, 0, 1, 0), "offset"),
        (slot(0x95, 1, 0, 0, 0), "destination register"),
        (slot(0x95, 0, 1, 0, 0), "source register"),
        (slot(0x95, 0, 0, 1, 0), "offset"),
        (slot(0x95, 0, 0, 0, 1), "immediate"),
    ];
    for (insn, field) in rows {
        let refusal = Asm::default().slots(&[insn]).mov(0, 0).exit().refusal();
        let expected = format!("{field} is not used here and must be zero");
        assert!(refusal.contains(&expected), "{insn:x?}: {refusal}");
        assert!(refusal.starts_with("main, instruction 0 (opcode "), "{refusal}");
    }
}
