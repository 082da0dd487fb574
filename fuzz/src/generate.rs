//! Programs made of bytes: any bytes are a program that passes the verifier, and most of what
//! such a program does goes near an edge of what it may do.

#[allow(dead_code, unreachable_pub, reason = "the writer of objects is that of the engine's tests")]
#[path = "../../crates/vm/tests/support/elf.rs"]
pub(crate) mod elf;

use elf::{A, Elf, FUNCTION, NOBITS, OBJECT, PROGBITS, R_64_64, R_64_ABS64, W, X};
use zeroserve_vm::Helper;
use zeroserve_vm::limits::{FUNCTION_BASE, HEAP_BYTES, NULL_BYTES, PAGE_BYTES, STACK_BYTES};

/// What generated programs call; what they do is in [`crate::executors`].
pub(crate) const HELPERS: [Helper; 6] = [
    Helper { number: 1, name: "mix", arity: 5, fuel: 3 },
    Helper { number: 2, name: "charge", arity: 1, fuel: 0 },
    Helper { number: 3, name: "fill", arity: 3, fuel: 20 },
    Helper { number: 4, name: "digest", arity: 2, fuel: 20 },
    Helper { number: 5, name: "nothing", arity: 0, fuel: 0 },
    Helper { number: 70_000, name: "refuse", arity: 2, fuel: 1_000 },
];

const MAX_FUNCTIONS: usize = 6;
const MAX_SLOTS: usize = 400;

/// A program and how it is to be run.
pub(crate) struct Generated {
    pub(crate) object: Vec<u8>,
    pub(crate) args: [u64; 5],
    pub(crate) budget: u64,
    /// Which of the functions that may be started.
    pub(crate) entry: usize,
}

/// Choices, taken from the bytes; zeros once those are used up.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn below(&mut self, bound: u32) -> u32 {
        let byte = u32::from(self.byte());
        let value = if bound > 256 { byte << 8 | u32::from(self.byte()) } else { byte };
        value % bound.max(1)
    }

    fn word(&mut self) -> u64 {
        (0..8).fold(0, |word, _| word << 8 | u64::from(self.byte()))
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u32) as usize]
    }
}

struct Generator<'a> {
    choices: Choices<'a>,
    /// Edges of guest memory.
    edges: [u64; 8],
    functions: u32,
    /// Calls of functions: slot over all code, and who.
    calls: Vec<(usize, u32)>,
    /// Addresses of symbols: slot over all code, and the symbol.
    addresses: Vec<(usize, u32)>,
    code: Vec<[u8; 8]>,
    /// First slot of the function at hand.
    start: usize,
    /// Slots of it where a statement begins.
    statements: Vec<usize>,
    /// Jumps of it that lead to any statement.
    jumps: Vec<usize>,
    frame: i32,
}

pub(crate) fn generate(data: &[u8]) -> Generated {
    let mut choices = Choices(data);
    let budget =
        [400, 3_000, 20_000, 60_000][choices.below(4) as usize] + u64::from(choices.byte());
    let functions = 1 + choices.below(MAX_FUNCTIONS as u32);
    let constants: u64 = choices.pick(&[0, 8, 24, 4096, 5000]);
    let variables: u64 = choices.pick(&[0, 8, 40, 4090, 4096, 9001]);
    let zeros: u64 = choices.pick(&[0, 8, 4096]);
    let page = |address: u64| address.next_multiple_of(PAGE_BYTES.into());
    let writable = page(u64::from(NULL_BYTES) + constants);
    let stack = page(writable + variables.next_multiple_of(8) + zeros);
    let heap = stack + u64::from(STACK_BYTES);
    let end = heap + u64::from(HEAP_BYTES);
    let edges = [0, u64::from(NULL_BYTES), writable, stack, heap, end, 1 << 32, 0];
    let entry = choices.byte().into();
    let mut generator = Generator {
        choices,
        edges,
        functions,
        calls: Vec::new(),
        addresses: Vec::new(),
        code: Vec::new(),
        start: 0,
        statements: Vec::new(),
        jumps: Vec::new(),
        frame: 512,
    };
    let args = std::array::from_fn(|_| generator.value());
    let starts: Vec<usize> = (0..functions).map(|_| generator.function()).collect();
    let object = generator.object(&starts, [constants, variables, zeros].map(|n| n as usize));
    Generated { object, args, budget, entry }
}

impl Generator<'_> {
    fn emit(&mut self, op: u8, dst: u8, src: u8, off: i16, imm: i32) {
        let (off, imm) = (off.to_le_bytes(), imm.to_le_bytes());
        let regs = src << 4 | dst;
        self.code.push([op, regs, off[0], off[1], imm[0], imm[1], imm[2], imm[3]]);
    }

    fn full(&self) -> bool {
        self.code.len() - self.start > MAX_SLOTS
    }

    /// A register that may be written.
    fn reg(&mut self) -> u8 {
        self.choices.below(10) as u8
    }

    /// Any register.
    fn any(&mut self) -> u8 {
        self.choices.below(11) as u8
    }

    /// A value that is an edge of something.
    fn value(&mut self) -> u64 {
        let near = u64::from(self.choices.byte() % 32).wrapping_sub(16);
        match self.choices.below(12) {
            0..=5 => self.choices.pick(&self.edges.clone()).wrapping_add(near),
            6 => near,
            7 => (1 << self.choices.below(64)) + near % 3,
            8 => 0x8000_0000_u64.wrapping_add(near),
            9 => FUNCTION_BASE + 8 * u64::from(self.choices.below(self.functions + 1)),
            10 => FUNCTION_BASE.wrapping_add(near),
            _ => self.choices.word(),
        }
    }

    fn lddw(&mut self, dst: u8, value: u64) {
        self.emit(0x18, dst, 0, 0, value as i32);
        self.emit(0, 0, 0, 0, (value >> 32) as i32);
    }

    /// Returns where it starts.
    fn function(&mut self) -> usize {
        let start = self.code.len();
        self.start = start;
        self.statements.clear();
        self.jumps.clear();
        self.frame = match self.choices.below(8) {
            0 => 4096 + self.choices.below(4096) as i32,
            1 => 30_000,
            _ => 512,
        };
        if self.frame > 512 {
            // The lowest address that a function uses says how large its frame is.
            let frame = self.frame;
            self.emit(0x72, 10, 0, -(frame as i16), 1);
        }
        let count = 1 + self.choices.below(14);
        for _ in 0..count {
            self.statement(0);
        }
        self.statements.push(self.code.len());
        self.emit(0x95, 0, 0, 0, 0);
        for at in std::mem::take(&mut self.jumps) {
            let target = self.choices.below(self.statements.len() as u32);
            let target = self.statements[target as usize];
            self.set_off(at, target);
        }
        start
    }

    fn set_off(&mut self, at: usize, target: usize) {
        let off = (target as i64 - at as i64 - 1) as i16;
        self.code[at][2..4].copy_from_slice(&off.to_le_bytes());
    }

    fn statement(&mut self, depth: u32) {
        if self.full() {
            return;
        }
        self.statements.push(self.code.len());
        match self.choices.below(40) {
            0..=8 => self.alu(),
            9..=10 => {
                let (dst, value) = (self.reg(), self.value());
                self.lddw(dst, value);
            }
            11..=12 => self.one_operand(),
            13..=18 => self.access(),
            19..=20 => self.helper(),
            21..=23 => self.call(),
            24..=25 => self.call_pointer(),
            26..=28 if depth < 3 => self.branch(depth),
            29..=31 if depth < 3 => self.repeat(depth),
            32 => self.sweep(),
            33..=34 => {
                let at = self.condition();
                self.jumps.push(at);
            }
            35 if depth > 0 => {
                self.jumps.push(self.code.len());
                self.emit(0x05, 0, 0, 0, 0);
            }
            36 if depth > 0 => self.emit(0x95, 0, 0, 0, 0),
            37 => self.symbol(),
            38 if depth > 0 => {
                // `__bpf_trap`, in a branch.
                self.calls.push((self.code.len(), u32::MAX));
                self.emit(0x85, 0, 1, 0, -1);
            }
            _ => {
                let (dst, imm) = (self.reg(), self.choices.word() as i32);
                self.emit(0xb7, dst, 0, 0, imm);
            }
        }
    }

    fn alu(&mut self) {
        const CODES: [(u8, i16); 14] = [
            (0x0, 0),
            (0x1, 0),
            (0x2, 0),
            (0x3, 0),
            (0x3, 1),
            (0x4, 0),
            (0x5, 0),
            (0x6, 0),
            (0x7, 0),
            (0x9, 0),
            (0x9, 1),
            (0xa, 0),
            (0xb, 0),
            (0xc, 0),
        ];
        let (code, off) = self.choices.pick(&CODES);
        let class = self.choices.pick(&[0x04, 0x07]);
        let dst = self.reg();
        if self.choices.below(2) == 0 {
            let src = self.any();
            self.emit(code << 4 | 8 | class, dst, src, off, 0);
        } else {
            let imm = self.immediate();
            self.emit(code << 4 | class, dst, 0, off, imm);
        }
    }

    fn immediate(&mut self) -> i32 {
        let near = i32::from(self.choices.byte() % 8) - 4;
        match self.choices.below(4) {
            0 => near,
            1 => (1_i32 << self.choices.below(32)).wrapping_add(near),
            2 => self.value() as i32,
            _ => self.choices.word() as i32,
        }
    }

    fn one_operand(&mut self) {
        let (dst, src) = (self.reg(), self.any());
        let insn = self.choices.pick(&[
            (0x87, 0, 0),
            (0x84, 0, 0),
            (0xbf, 8, 0),
            (0xbf, 16, 0),
            (0xbf, 32, 0),
            (0xbc, 8, 0),
            (0xbc, 16, 0),
            (0xd4, 0, 16),
            (0xd4, 0, 32),
            (0xd4, 0, 64),
            (0xdc, 0, 16),
            (0xdc, 0, 32),
            (0xdc, 0, 64),
            (0xd7, 0, 16),
            (0xd7, 0, 32),
            (0xd7, 0, 64),
        ]);
        let (op, off, imm) = insn;
        let src = if off == 0 { 0 } else { src };
        self.emit(op, dst, src, off, imm);
    }

    /// A load, a store, or an atomic operation.
    fn access(&mut self) {
        let (base, off) = match self.choices.below(16) {
            // The frame, its edges, and behind them.
            0..=4 => (10, -i32::from(self.choices.byte()) * 2),
            5..=7 => {
                let near = i32::from(self.choices.byte() % 24) - 12;
                let far = self.choices.pick(&[-self.frame, 0, 8, -self.frame - 512, 700]);
                (10, (far + near).max(-self.frame - 600))
            }
            // An edge, right before it is used.
            8 => {
                let (base, value) = (self.reg(), self.value());
                let off = self.choices.pick(&[0, 8, -8, 32767, -32768, 1]);
                self.lddw(base, value.wrapping_sub(off as u64));
                (base, off)
            }
            9 => (self.any(), i32::from(self.choices.byte()) - 128),
            // The heap, in a register.
            _ => {
                let (base, at) = (self.reg(), self.choices.below(HEAP_BYTES));
                self.lddw(base, self.edges[4] + u64::from(at));
                (base, i32::from(self.choices.byte() % 16))
            }
        };
        // More than the frame that was taken would make it larger: not what is wanted here.
        let off = if base == 10 { off.max(-self.frame) } else { off };
        let size = self.choices.pick(&[0x00, 0x08, 0x10, 0x18]);
        let (reg, imm) = (self.reg(), self.immediate());
        let off = off as i16;
        match self.choices.below(8) {
            0 | 1 => self.emit(0x61 | size, reg, base, off, 0),
            2 if size != 0x18 => self.emit(0x81 | size, reg, base, off, 0),
            2 | 3 => self.emit(0x63 | size, base, reg, off, 0),
            4 => self.emit(0x62 | size, base, 0, off, imm),
            5 => self.emit(0x63 | size, base, self.code.len() as u8 % 11, off, 0),
            _ => {
                let ops = [0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1];
                let (op, imm) = (self.choices.pick(&[0xc3, 0xdb]), self.choices.pick(&ops));
                self.emit(op, base, reg, off, imm);
            }
        }
    }

    fn helper(&mut self) {
        let helper = self.choices.pick(&HELPERS);
        if helper.name == "fill" || helper.name == "digest" {
            let (place, len) = (self.value(), self.choices.below(20_000));
            self.lddw(1, place);
            self.emit(0xb7, 2, 0, 0, len as i32);
        }
        self.emit(0x85, 0, 0, 0, helper.number as i32);
    }

    fn call(&mut self) {
        let callee = self.choices.below(self.functions);
        self.calls.push((self.code.len(), callee));
        self.emit(0x85, 0, 1, 0, -1);
    }

    fn call_pointer(&mut self) {
        let reg = self.reg();
        match self.choices.below(12) {
            0..=6 => {
                let symbol = 1 + self.choices.below(self.functions);
                self.addresses.push((self.code.len(), symbol));
                self.lddw(reg, 0);
            }
            7 => {
                let value = self.value();
                self.lddw(reg, value);
            }
            _ => {
                let number = self.choices.pick(&HELPERS).number;
                self.emit(0xb7, reg, 0, 0, number as i32);
            }
        }
        if self.choices.below(2) == 0 {
            self.emit(0x8d, reg, 0, 0, 0);
        } else {
            self.emit(0x8d, 0, 0, 0, reg.into());
        }
    }

    /// The address of a variable or a function.
    fn symbol(&mut self) {
        let dst = self.reg();
        let symbol = 1 + self.choices.below(self.functions + 2);
        let addend = self.choices.pick(&[0, 1, 8, 16]);
        self.addresses.push((self.code.len(), symbol));
        self.lddw(dst, if symbol > self.functions { addend } else { 0 });
    }

    /// A conditional jump; returns where, for its target.
    fn condition(&mut self) -> usize {
        let code = self.choices.pick(&[1, 2, 3, 4, 5, 6, 7, 0xa, 0xb, 0xc, 0xd]);
        let class = self.choices.pick(&[0x05, 0x06]);
        let (dst, at) = (self.any(), self.code.len());
        if self.choices.below(2) == 0 {
            let src = self.any();
            self.emit(code << 4 | 8 | class, dst, src, 0, 0);
        } else {
            let imm = self.immediate();
            self.emit(code << 4 | class, dst, 0, 0, imm);
        }
        at
    }

    fn branch(&mut self, depth: u32) {
        let at = self.condition();
        for _ in 0..=self.choices.below(3) {
            self.statement(depth + 1);
        }
        if self.choices.below(2) == 0 {
            let over = self.code.len();
            self.emit(0x05, 0, 0, 0, 0);
            self.set_off(at, self.code.len());
            self.statement(depth + 1);
            self.set_off(over, self.code.len());
        } else {
            self.set_off(at, self.code.len());
        }
    }

    /// A loop with a counter, which its body may well overwrite.
    fn repeat(&mut self, depth: u32) {
        let counter = self.choices.pick(&[6, 7, 8, 9, 0]);
        let count = self.choices.pick(&[1, 2, 5, 40, 3000]);
        self.emit(0xb7, counter, 0, 0, count);
        let top = self.code.len();
        for _ in 0..=self.choices.below(4) {
            self.statement(depth + 1);
        }
        self.emit(0x07, counter, 0, 0, -1);
        let at = self.code.len();
        self.emit(0x55, counter, 0, 0, 0);
        self.set_off(at, top);
    }

    /// Stores over many pages, from an edge on.
    fn sweep(&mut self) {
        let (reg, from) = (self.choices.pick(&[6, 7, 8]), self.value());
        let by = self.choices.pick(&[4096, 4095, 4097, 8, -4096, 1]);
        self.lddw(reg, from);
        let top = self.code.len();
        let op = self.choices.pick(&[0x62, 0x6a, 0x72, 0x7a]);
        self.emit(op, reg, 0, 0, -1);
        self.emit(0x07, reg, 0, 0, by);
        let at = self.code.len();
        self.emit(0x15, reg, 0, 0, self.edges[5] as i32);
        self.emit(0x05, 0, 0, 0, 0);
        self.set_off(at + 1, top);
        self.set_off(at, at + 2);
    }

    fn object(mut self, starts: &[usize], [constants, variables, zeros]: [usize; 3]) -> Vec<u8> {
        let mut elf = Elf::default();
        let code = self.code.concat();
        // In a section that is no `.text` every function may be started.
        let names = [".text", "zeroserve.request"];
        let text = elf.section(self.choices.pick(&names), PROGBITS, A | X, &code);
        let fill = |len: usize| (0..len).map(|at| (at * 37 + 11) as u8).collect::<Vec<u8>>();
        let rodata = elf.section(".rodata", PROGBITS, A, &fill(constants));
        let data = elf.section(".data", PROGBITS, A | W, &fill(variables));
        let bss = elf.section(".bss", NOBITS, A | W, &[]);
        elf.sections[usize::from(bss)].size = Some(zeros as u64);
        for (index, start) in starts.iter().enumerate() {
            elf.symbol(&format!("f{index}"), FUNCTION, text, *start as u64 * 8);
        }
        elf.symbol("constant", OBJECT, rodata, 0);
        elf.symbol("variable", OBJECT, data, 0);
        let trap = elf.symbol("__bpf_trap", 0x10, 0, 0);
        for (at, callee) in self.calls {
            if callee == u32::MAX {
                elf.relocate(text, at as u64 * 8, trap, elf::R_64_32);
            } else {
                let distance = starts[callee as usize] as i64 - at as i64 - 1;
                let place = usize::from(text);
                elf.sections[place].data[at * 8 + 4..at * 8 + 8]
                    .copy_from_slice(&(distance as i32).to_le_bytes());
            }
        }
        for (at, symbol) in self.addresses {
            elf.relocate(text, at as u64 * 8, symbol, R_64_64);
        }
        // Pointers in variables and constants: addends in place, so those bytes are cleared.
        for (section, len, symbol) in [(data, variables, 1), (rodata, constants, 1)] {
            if len >= 24 {
                elf.sections[usize::from(section)].data[8..24].fill(0);
                elf.relocate(section, 8, symbol, R_64_ABS64);
                elf.relocate(section, 16, symbol + self.functions, R_64_ABS64);
            }
        }
        elf.bytes()
    }
}
