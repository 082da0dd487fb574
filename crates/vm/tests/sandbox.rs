//! What a program can't do: reach memory that is not its own, run without end, or go deeper than
//! its stack.

mod support;

use support::{Asm, both_with, helpers};
use zeroserve_vm::{Engine, Fuel, Program, TrapKind};

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
    for frame in [512, 4096, 65_536] {
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
    assert!(ran > 4 && refused > 1, "{ran} ran, {refused} were refused");
}
