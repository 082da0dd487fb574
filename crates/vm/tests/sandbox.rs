//! What a program can't do: reach memory that is not its own, run without end, or go deeper than
//! its stack.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use support::elf::{A, Elf, FUNCTION, PROGBITS, W};
use support::{Asm, ENGINES, Outcome, both, both_with, helpers, run, slot};
use zeroserve_vm::limits::{FUNCTION_BASE, HEAP_BYTES, NULL_BYTES, STACK_BYTES};
use zeroserve_vm::{Engine, Fuel, Instance, Layout, Program, TrapKind};

/// Constants and variables, so that every part of memory is there.
fn with_image(asm: &Asm) -> Vec<u8> {
    let mut elf = Elf::with_code(&asm.0);
    elf.section(".rodata", PROGBITS, A, &[0x11; 100]);
    elf.section(".data", PROGBITS, A | W, &[0x22; 5000]);
    elf.bytes()
}

fn instances(object: &[u8]) -> [Instance; 2] {
    ENGINES.map(|engine| {
        let program = Program::load(object, helpers(), engine).expect("it loads");
        Instance::new(Arc::new(program)).expect("memory")
    })
}

/// Every load, store and atomic operation through r1: bytes, whether it writes, the instruction.
fn accesses() -> Vec<(u64, bool, u8, i32)> {
    let mut all = Vec::new();
    for (size, bytes) in [(0x00, 4), (0x08, 2), (0x10, 1), (0x18, 8)] {
        all.push((bytes, false, 0x61 | size, 0));
        if bytes < 8 {
            all.push((bytes, false, 0x81 | size, 0));
        }
        all.push((bytes, true, 0x62 | size, 0x55));
        all.push((bytes, true, 0x63 | size, 0));
    }
    for (op, bytes) in [(0xc3, 4), (0xdb, 8)] {
        for imm in [0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1] {
            all.push((bytes, true, op, imm));
        }
    }
    all
}

/// Edges of everything, and what lies far from it.
fn addresses(layout: Layout) -> BTreeSet<u64> {
    let Layout { writable, stack, heap, end } = layout;
    let edges = [0, NULL_BYTES, writable, stack, heap, end].map(u64::from);
    let wild = [
        1 << 31,
        1 << 32,
        (1 << 32) + u64::from(heap),
        FUNCTION_BASE,
        1 << 47,
        1 << 63,
        (1 << 63) + u64::from(heap),
        0u64.wrapping_sub(4096),
        0u64.wrapping_sub(8192),
    ];
    let near = (0..20).map(|by| by - 10);
    near.flat_map(|by| edges.iter().chain(&wild).map(move |e| e.wrapping_add_signed(by))).collect()
}

fn allowed(layout: Layout, address: u64, bytes: u64, write: bool) -> bool {
    let lowest = if write { layout.writable } else { NULL_BYTES };
    address >= lowest.into() && address.checked_add(bytes).is_some_and(|e| e <= layout.end.into())
}

#[test]
fn wild_pointers_trap() {
    for (bytes, write, op, imm) in accesses() {
        for off in [0, 5, i16::MAX, i16::MIN] {
            let (dst, src, value) = match op & 7 {
                1 => (3, 1, 0),
                2 => (1, 0, imm),
                _ => (1, 4, imm),
            };
            let asm = Asm::default().mov(0, 1).slots(&[slot(op, dst, src, off, value)]).exit();
            for mut instance in instances(&with_image(&asm)) {
                let layout = instance.memory().layout();
                for address in addresses(layout) {
                    let pointer = address.wrapping_sub(off as u64);
                    let outcome = run(&mut instance, 0, [pointer; 5], Fuel::default());
                    let what = format!("{op:#x} {imm:#x} of {address:#x}: {:?}", outcome.end);
                    if allowed(layout, address, bytes, write) {
                        assert!(outcome.end.is_ok(), "{what}");
                        continue;
                    }
                    let trap = outcome.trap();
                    let (kind, verb) =
                        if write { (TrapKind::Write, "write") } else { (TrapKind::Read, "read") };
                    assert_eq!(
                        (trap.kind, trap.at, trap.function.as_str()),
                        (kind, 1, "main"),
                        "{what}"
                    );
                    let reason = format!(
                        "{verb} of {bytes} bytes at {address:#x}, outside of the script's memory"
                    );
                    assert_eq!(trap.reason, reason);
                    assert_eq!(outcome.fuel, 3);
                }
            }
        }
    }
}

/// Memory in front of the guest's and that of another instance, as far as it is there to write.
#[test]
fn nothing_else_is_touched() {
    const FRONT: usize = 8192;
    const CONTEXT: usize = 64;
    let object = |op| {
        let store = Asm::default().slots(&[slot(op, 1, 2, 0, 0)]).mov(0, 0).exit();
        with_image(&store)
    };
    for op in [0x63, 0x6b, 0x73, 0x7b, 0xc3, 0xdb] {
        for (mut instance, mut other) in
            instances(&object(op)).into_iter().zip(instances(&object(op)))
        {
            let layout = other.memory().layout();
            let all = u64::from(layout.end - layout.writable);
            other.memory().write(layout.writable.into(), all).expect("it").fill(0xa5);
            let first =
                instance.memory().write(layout.writable.into(), 1).expect("it").as_mut_ptr();
            let front = first.wrapping_sub(layout.writable as usize + FRONT);
            // SAFETY: the mapping of the memory begins that far in front of address 0; behind the
            // context its first page holds nothing.
            let page =
                || unsafe { std::slice::from_raw_parts_mut(front.add(CONTEXT), 4096 - CONTEXT) };
            page().fill(0x5a);
            let distance = (other.memory().read(4096, 1).expect("it").as_ptr() as u64)
                .wrapping_sub(instance.memory().read(4096, 1).expect("it").as_ptr() as u64);
            for address in addresses(layout) {
                // Where the other instance is, seen from here, and where the front is.
                for pointer in [address, address.wrapping_add(distance), address.wrapping_sub(8192)]
                {
                    let _ = run(&mut instance, 0, [pointer, 0, 0, 0, 0], Fuel::default());
                }
            }
            assert!(page().iter().all(|byte| *byte == 0x5a), "the front was written");
            let memory = other.memory().read(layout.writable.into(), all).expect("it");
            assert!(memory.iter().all(|byte| *byte == 0xa5), "another instance was written");
        }
    }
}

/// Pointers cut to 32 bits by arithmetic lead to where their low half does.
#[test]
fn truncated_pointers_are_checked_as_they_are() {
    let asm = Asm::default().op(0xbc, 1, 1, 0, 0).load(0, 1, 0).exit();
    let heap = u64::from(NULL_BYTES + STACK_BYTES);
    assert_eq!(both(&asm, [7 << 32 | heap, 0, 0, 0, 0]).value(), 0);
    assert_eq!(both(&asm, [7 << 32, 0, 0, 0, 0]).trap().kind, TrapKind::Read);
    assert_eq!(both(&asm, [u64::MAX, 0, 0, 0, 0]).trap().kind, TrapKind::Read);
}

/// A callee has a frame of its own, whatever it does with all of it.
#[test]
fn frames_do_not_overlap() {
    let mut asm = Asm::default();
    for at in 1..=64_i16 {
        asm = asm.op(0x7a, 10, 0, -8 * at, at.into());
    }
    // The sum of what was stored, behind a call that fills the callee's frame.
    asm = asm.call(64 + 2).mov(0, 0);
    for at in 1..=64_i16 {
        asm = asm.load(1, 10, -8 * at).op(0x0f, 0, 1, 0, 0);
    }
    let distance = 64 * 2 + 2;
    let call = 64 * 8 + 4;
    asm.0[call..call + 4].copy_from_slice(&i32::to_le_bytes(distance));
    asm = asm.exit();
    for at in 1..=64_i16 {
        asm = asm.op(0x7a, 10, 0, -8 * at, -1);
    }
    assert_eq!(both(&asm.mov(0, 0).exit(), [0; 5]).value(), 64 * 65 / 2);
}

/// What is no function of the object, or no function that pointers may lead to.
#[test]
fn only_functions_are_called_through_pointers() {
    let call = |insn: &Asm| {
        // `main` and `pointed` may be called, `hidden` is only called directly.
        let mut code = insn.clone().slots(&[slot(0x8d, 6, 0, 0, 0)]).add(0, 1).exit();
        let hidden = code.0.len() as u64;
        code = code.mov(0, 10).exit().mov(0, 20).exit();
        let mut elf = Elf::with_code(&code.0);
        elf.symbol("hidden", FUNCTION, 1, hidden);
        let pointed = elf.symbol("pointed", FUNCTION, 1, hidden + 16);
        let data = elf.section(".data", PROGBITS, A | W, &[0; 8]);
        elf.relocate(data, 0, pointed, support::elf::R_64_ABS64);
        let [a, b] = instances(&elf.bytes()).map(|mut i| run(&mut i, 0, [0; 5], Fuel::default()));
        assert!(a == b, "{:?} and {:?}", a.end, b.end);
        a
    };
    let through = |value: u64| call(&Asm::default().lddw(6, value));
    assert_eq!(through(FUNCTION_BASE + 16).value(), 21);
    let wrong = [
        FUNCTION_BASE + 8,
        FUNCTION_BASE + 1,
        FUNCTION_BASE + 12,
        FUNCTION_BASE + 24,
        FUNCTION_BASE - 8,
        FUNCTION_BASE.wrapping_mul(2),
        u64::MAX,
        1 << 32,
        0,
        99,
        u64::from(u32::MAX),
        8192,
    ];
    for value in wrong {
        let outcome = through(value);
        let trap = outcome.trap();
        assert_eq!((trap.kind, trap.at), (TrapKind::Callee, 2), "{value:#x}");
        assert_eq!(trap.reason, format!("call of {value:#x}, which is no function"));
    }
    // As data, they are nothing.
    let read = Asm::default().lddw(6, FUNCTION_BASE).load(0, 6, 0).mov(6, 0);
    assert_eq!(call(&read).trap().kind, TrapKind::Read);
}

/// Calls without end, each with something that is done at every level.
#[test]
fn recursion_ends_in_a_trap() {
    let levels: [(&str, Asm); 4] = [
        ("nothing", Asm::default()),
        ("a store", Asm::default().store(10, -512, 10).store(10, -8, 10)),
        ("a helper", Asm::default().mov(1, 1).helper(1)),
        ("a helper by number", Asm::default().mov(6, 1).slots(&[slot(0x8d, 6, 0, 0, 0)])),
    ];
    for (what, body) in levels {
        let own = body.0.len() as i32 / 8;
        let direct = body.clone().call(-own - 1).exit();
        let through = body.lddw(7, FUNCTION_BASE).slots(&[slot(0x8d, 7, 0, 0, 0)]).exit();
        for asm in [direct, through] {
            let outcome = both(&asm, [0; 5]);
            let trap = outcome.trap();
            assert_eq!((trap.kind, trap.at), (TrapKind::Stack, 0), "{what}");
            let depth = STACK_BYTES as usize / 512;
            let calls = outcome.calls.len();
            assert!(calls == 0 || calls == depth, "{what}: {calls} of {depth}");
        }
    }
    // Two that call each other, with frames of different sizes.
    let ping = Asm::default().op(0x7a, 10, 0, -3000, 1).call(1).exit();
    let asm = Asm(ping.0).op(0x7a, 10, 0, -700, 1).call(-5).exit();
    let outcome = both(&asm, [0; 5]);
    assert_eq!(outcome.trap().kind, TrapKind::Stack);
    assert_eq!(outcome.fuel, 2 * 3 * (STACK_BYTES as u64 / 3712));
}

/// Nothing runs for longer than its budget and the straight code behind the last look at it.
#[test]
fn budgets_end_everything() {
    let endless: [(&str, Asm); 6] = [
        ("a jump to itself", Asm::default().jump(-1).exit()),
        ("a branch to itself", Asm::default().slots(&[slot(0x1d, 1, 1, -1, 0)]).exit()),
        ("a long jump", Asm::default().mov(0, 0).slots(&[slot(0x06, 0, 0, 0, -2)]).exit()),
        ("calls", Asm::default().call(2).jump(-2).exit().mov(0, 0).exit()),
        ("helpers", Asm::default().mov(1, 1).helper(1).jump(-3).exit()),
        ("work", Asm::default().mov(1, 50).helper(2).jump(-3).exit()),
    ];
    for (what, asm) in endless {
        for slice in [1, 7, 1000, u64::MAX] {
            for budget in [0, 1, 1234, 100_000] {
                let outcome = both_with(&asm, [0; 5], Fuel { slice, budget });
                assert_eq!(outcome.trap().kind, TrapKind::Fuel, "{what}");
                let over = outcome.fuel - budget;
                assert!((1..100).contains(&over), "{what}: {over} over {budget}");
            }
        }
    }
    // A helper that charges more than anybody has.
    let asm = Asm::default().lddw(1, u64::MAX).helper(2).mov(1, 9).helper(2).exit();
    let whole = both_with(&asm, [0; 5], Fuel { slice: u64::MAX, budget: u64::MAX });
    assert_eq!(whole.trap().kind, TrapKind::Fuel);
    let cut = both_with(&asm, [0; 5], Fuel { slice: 1, budget: u64::MAX });
    assert!(whole.fuel == cut.fuel && whole.calls == cut.calls);
}

/// What a run leaves behind is gone after a reset, wherever it wrote.
#[test]
fn a_reset_leaves_nothing() {
    // From r1 to r2 in steps of r3, eight bytes at a time.
    let asm = Asm::default().slots(&[
        slot(0x7a, 1, 0, 0, -1),
        slot(0x0f, 1, 3, 0, 0),
        slot(0xbd, 2, 1, 1, 0),
        slot(0x05, 0, 0, -4, 0),
    ]);
    let object = with_image(&asm.mov(0, 0).exit());
    for mut instance in instances(&object) {
        let layout = instance.memory().layout();
        let all = |instance: &mut Instance| {
            let size = u64::from(layout.end - NULL_BYTES);
            instance.memory().read(NULL_BYTES.into(), size).expect("it").to_vec()
        };
        let fresh = all(&mut instance);
        let (first, last) = (u64::from(layout.writable), u64::from(layout.end - 8));
        let edges = [layout.writable, layout.stack, layout.heap, layout.end].map(u64::from);
        for step in [8, 4089, 4096, 65_537] {
            for from in edges.iter().flat_map(|edge| [*edge, edge - 7, edge - 4096]) {
                for to in [from + 1, from + 100_000, last] {
                    let (from, to) = (from.clamp(first, last), to.min(last));
                    let outcome = run(&mut instance, 0, [from, to, step, 0, 0], Fuel::default());
                    assert!(outcome.end.is_ok(), "{:?}", outcome.end);
                    assert!(all(&mut instance) != fresh);
                    instance.reset();
                    assert!(all(&mut instance) == fresh, "{from:#x} to {to:#x} by {step}");
                }
            }
        }
    }
}

/// The heap is given away from its start to its end, in eights, and is whole after a reset.
#[test]
fn the_heap_is_given_away_once() {
    let object = with_image(&Asm::default().mov(0, 0).exit());
    for mut instance in instances(&object) {
        let heap = instance.memory().layout().heap;
        for _ in 0..2 {
            assert_eq!(instance.room(), HEAP_BYTES);
            let parts = [0, 1, 8, 9, 0].map(|bytes| instance.alloc(bytes));
            assert_eq!(parts, [0, 0, 8, 16, 32].map(|offset| Some(heap + offset)));
            let rest = u64::from(instance.room());
            for bytes in [rest + 1, u64::from(u32::MAX), u64::MAX - 3, u64::MAX] {
                assert_eq!(instance.alloc(bytes), None, "{bytes}");
            }
            // A run that begins leaves it alone: its input may be there.
            assert!(run(&mut instance, 0, [0; 5], Fuel::default()).end.is_ok());
            assert_eq!(instance.alloc(rest), Some(heap + 32));
            assert_eq!((instance.room(), instance.alloc(1)), (0, None));
            instance.reset();
        }
    }
}

/// What the host copies is checked as what the guest does.
#[test]
fn copies_stay_inside() {
    let object = with_image(&Asm::default().mov(0, 0).exit());
    let [mut instance, _] = instances(&object);
    let memory = instance.memory();
    let (layout, heap) = (memory.layout(), u64::from(memory.layout().heap));
    memory.write(heap, 4).expect("it").copy_from_slice(b"abcd");
    memory.copy(heap, heap + 2, 4).expect("it");
    assert_eq!(memory.read(heap, 6).expect("it"), b"ababcd");
    let (end, readable) = (u64::from(layout.end), u64::from(NULL_BYTES));
    for (from, to, size) in
        [(0, heap, 1), (end - 1, heap, 2), (heap, end - 1, 2), (heap, readable, 1)]
    {
        assert!(memory.copy(from, to, size).is_err(), "{from:#x} to {to:#x}");
        assert!(memory.copy(from, to, 0).is_ok());
    }
    assert!(memory.copy(u64::MAX, heap, 2).is_err() && memory.copy(heap, heap, u64::MAX).is_err());
}

/// A program for each kind of trap; one without fails this.
#[test]
fn every_trap_has_a_test() {
    let trap_in = |asm: Asm| both_with(&asm, [0; 5], Fuel { budget: 10_000, ..Fuel::default() });
    let aborting = {
        let call = slot(0x85, 0, 1, 0, -1);
        let mut elf = Elf::with_code(&Asm::default().slots(&[call]).exit().0);
        let trap = elf.symbol("__bpf_trap", support::elf::NO_TYPE, 0, 0);
        elf.relocate(1, 0, trap, support::elf::R_64_32);
        let [a, b] = instances(&elf.bytes()).map(|mut i| run(&mut i, 0, [0; 5], Fuel::default()));
        assert!(a == b, "{:?} and {:?}", a.end, b.end);
        a
    };
    let outcomes: [(Outcome, &str); 7] = [
        (
            trap_in(Asm::default().mov(1, 0).load(0, 1, 8).exit()),
            "read of 8 bytes at 0x8, outside of the script's memory in main, instruction 1",
        ),
        (
            trap_in(Asm::default().op(0x72, 1, 0, 8, 1).exit()),
            "write of 1 bytes at 0x8, outside of the script's memory in main, instruction 0",
        ),
        (
            trap_in(Asm::default().call(-1).exit()),
            "calls nested deeper than 262144 bytes of stack in main, instruction 0",
        ),
        (
            trap_in(Asm::default().mov(0, 0).jump(-2).exit()),
            "used up its budget of 10000 fuel in main, instruction 0",
        ),
        (
            trap_in(Asm::default().mov(6, 77).slots(&[slot(0x8d, 6, 0, 0, 0)]).exit()),
            "call of 0x4d, which is no function in main, instruction 1",
        ),
        (aborting, "reached code that its compiler took to be unreachable in main, instruction 0"),
        (
            trap_in(Asm::default().mov(0, 0).helper(3).exit()),
            "helper 3 refuses in main, instruction 1",
        ),
    ];
    let mut kinds = BTreeSet::new();
    for (outcome, text) in &outcomes {
        assert_eq!(outcome.trap().to_string(), *text);
        kinds.insert(outcome.trap().kind.name());
    }
    let all: BTreeSet<&str> = TrapKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(kinds, all);
}

/// A function with a frame of `frame` bytes that calls itself for ever, and that would then need
/// `live` values at once.
fn greedy(frame: i32, live: usize) -> Asm {
    let mut asm = Asm::default().copy(6, 1).copy(1, 10).add(1, -frame).store(1, 0, 6);
    asm = asm.copy(1, 6).add(1, 1);
    let call = asm.0.len() as i32 / 8;
    asm = asm.call(-call - 1).mov(7, 9);
    // Powers of r6: the same on each turn, so the compiler works them out in front of the loop.
    let top = asm.0.len() / 8;
    asm = asm.copy(1, 6);
    for _ in 0..live {
        asm = asm.op(0x2f, 1, 6, 0, 0).op(0xaf, 0, 1, 0, 0);
    }
    asm = asm.add(7, -1);
    let back = asm.0.len() / 8;
    // Further than 16 bits reach: over a long jump.
    asm.op(0x15, 7, 0, 1, 0).op(0x06, 0, 0, 0, top as i32 - back as i32 - 2).exit()
}

#[test]
fn native_frames_fit_their_stack() {
    let fuel = Fuel { budget: 1 << 40, ..Fuel::default() };
    let (mut ran, mut refused) = (0, 0);
    for frame in [512, 65_536] {
        for live in [10, 110, 900, 14_000] {
            let asm = greedy(frame, live);
            match Program::from_instructions(&asm.0, helpers(), Engine::Compiled) {
                Ok(_) => {
                    ran += 1;
                    let outcome = both_with(&asm, [3; 5], fuel);
                    assert_eq!(outcome.trap().kind, TrapKind::Stack);
                }
                Err(error) => {
                    refused += 1;
                    assert!(error.to_string().contains("of native stack"), "{error}");
                }
            }
        }
    }
    assert!(ran > 2 && refused > 1, "{ran} ran, {refused} were refused");
}
