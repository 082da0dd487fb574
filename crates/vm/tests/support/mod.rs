//! What the tests of the engine share: a small assembler, and runs on both executors.

#![allow(dead_code, unreachable_pub, reason = "each test uses a part of it")]

pub mod elf;

use std::sync::Arc;

use zeroserve_vm::{Engine, Event, Fuel, Helper, HelperTable, Instance, Program, Trap};

/// Both executors; what holds for one has to hold for the other.
pub const ENGINES: [Engine; 2] = [Engine::Interpreted, Engine::Compiled];

/// The helpers of the tests: a sum, one that costs, and one that refuses.
pub const HELPERS: [Helper; 3] = [
    Helper { number: 1, name: "sum", arity: 5, fuel: 10 },
    Helper { number: 2, name: "work", arity: 1, fuel: 0 },
    Helper { number: 3, name: "refuse", arity: 0, fuel: 0 },
];

pub fn helpers() -> Arc<HelperTable> {
    Arc::new(HelperTable::new(HELPERS))
}

/// One instruction slot.
pub fn slot(op: u8, dst: u8, src: u8, off: i16, imm: i32) -> [u8; 8] {
    let (off, imm) = (off.to_le_bytes(), imm.to_le_bytes());
    [op, src << 4 | dst, off[0], off[1], imm[0], imm[1], imm[2], imm[3]]
}

/// Code under construction.
#[derive(Clone, Default)]
pub struct Asm(pub Vec<u8>);

impl Asm {
    pub fn op(mut self, op: u8, dst: u8, src: u8, off: i16, imm: i32) -> Self {
        self.0.extend(slot(op, dst, src, off, imm));
        self
    }

    pub fn slots(mut self, slots: &[[u8; 8]]) -> Self {
        self.0.extend(slots.concat());
        self
    }

    pub fn lddw(self, dst: u8, value: u64) -> Self {
        self.op(0x18, dst, 0, 0, value as i32).op(0, 0, 0, 0, (value >> 32) as i32)
    }

    /// `dst = imm`
    pub fn mov(self, dst: u8, imm: i32) -> Self {
        self.op(0xb7, dst, 0, 0, imm)
    }

    /// `dst = src`
    pub fn copy(self, dst: u8, src: u8) -> Self {
        self.op(0xbf, dst, src, 0, 0)
    }

    /// `dst += imm`
    pub fn add(self, dst: u8, imm: i32) -> Self {
        self.op(0x07, dst, 0, 0, imm)
    }

    /// `dst = *(u64 *)(src + off)`
    pub fn load(self, dst: u8, src: u8, off: i16) -> Self {
        self.op(0x79, dst, src, off, 0)
    }

    /// `*(u64 *)(dst + off) = src`
    pub fn store(self, dst: u8, off: i16, src: u8) -> Self {
        self.op(0x7b, dst, src, off, 0)
    }

    pub fn jump(self, off: i16) -> Self {
        self.op(0x05, 0, 0, off, 0)
    }

    pub fn helper(self, number: i32) -> Self {
        self.op(0x85, 0, 0, 0, number)
    }

    /// Call of the function whose first slot is `distance` behind the slot after this one.
    pub fn call(self, distance: i32) -> Self {
        self.op(0x85, 0, 1, 0, distance)
    }

    pub fn exit(self) -> Self {
        self.op(0x95, 0, 0, 0, 0)
    }

    pub fn program(&self, engine: Engine) -> Arc<Program> {
        match Program::from_instructions(&self.0, helpers(), engine) {
            Ok(program) => Arc::new(program),
            Err(error) => panic!("{error}"),
        }
    }

    pub fn refusal(&self) -> String {
        let program = Program::from_instructions(&self.0, helpers(), Engine::Interpreted);
        program.expect_err("it has to be refused").to_string()
    }
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub end: Result<u64, Trap>,
    pub fuel: u64,
    /// Its beginning.
    pub heap: Vec<u8>,
    /// Arguments of the calls of helpers.
    pub calls: Vec<(u32, [u64; 5])>,
}

impl Outcome {
    pub fn value(&self) -> u64 {
        match &self.end {
            Ok(value) => *value,
            Err(trap) => panic!("trapped: {trap}"),
        }
    }

    pub fn trap(&self) -> &Trap {
        self.end.as_ref().expect_err("it has to trap")
    }
}

/// Run one function of an instance to its end.
pub fn run(instance: &mut Instance, function: usize, args: [u64; 5], fuel: Fuel) -> Outcome {
    instance.start(function, args, fuel).expect("it starts");
    let mut calls = Vec::new();
    let mut event = instance.resume();
    let end = loop {
        event = match event {
            Event::Slice => instance.resume(),
            Event::Helper { number, args } => {
                calls.push((number, args));
                match number {
                    1 => instance.reply(args.iter().fold(0, |sum, arg| sum.wrapping_add(*arg))),
                    2 => {
                        instance.charge(args[0]);
                        instance.reply(args[0])
                    }
                    _ => Event::Trapped(instance.fail(format_args!("helper {number} refuses"))),
                }
            }
            Event::Done(value) => break Ok(value),
            Event::Trapped(trap) => break Err(*trap),
        };
    };
    let heap = heap(instance, 4096);
    Outcome { end, fuel: instance.fuel_used(), heap, calls }
}

/// Its first bytes, or all of it.
fn heap(instance: &mut Instance, most: u32) -> Vec<u8> {
    let layout = instance.memory().layout();
    let size = most.min(layout.end - layout.heap);
    instance.memory().read(layout.heap.into(), size.into()).expect("the heap").to_vec()
}

/// Run the first function on both executors, which have to agree.
pub fn both(asm: &Asm, args: [u64; 5]) -> Outcome {
    both_with(asm, args, Fuel::default())
}

pub fn both_with(asm: &Asm, args: [u64; 5], fuel: Fuel) -> Outcome {
    let [interpreted, compiled] = ENGINES.map(|engine| {
        let mut instance = Instance::new(asm.program(engine)).expect("memory");
        let outcome = run(&mut instance, 0, args, fuel);
        Outcome { heap: heap(&mut instance, u32::MAX), ..outcome }
    });
    assert!(
        interpreted == compiled,
        "interpreted {:?} {}, compiled {:?} {}",
        interpreted.end,
        interpreted.fuel,
        compiled.end,
        compiled.fuel
    );
    interpreted
}
