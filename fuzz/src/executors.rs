//! The same program on both executors, in slices of several lengths, and again after a reset: one
//! outcome, down to the last byte of memory.

use std::sync::{Arc, OnceLock};

use zeroserve_vm::{Engine, Event, Fuel, HelperTable, Instance, Program, Trap};

use crate::generate::{Generated, HELPERS, generate};

/// Everything that can be seen of a run.
#[derive(PartialEq, Eq)]
struct Outcome {
    end: Result<u64, Trap>,
    fuel: u64,
    /// Calls of helpers, with their arguments and what they came to.
    calls: Vec<(u32, [u64; 5], Option<u64>)>,
    memory: Vec<u8>,
}

/// How a program ended, for statistics.
pub struct Summary {
    /// Name of the trap, or `None` when it returned.
    pub trap: Option<&'static str>,
    /// Fuel that it used.
    pub fuel: u64,
    /// Calls of helpers.
    pub calls: usize,
}

/// Run the program that the bytes describe in every way; panics where two ways differ.
pub fn executors(data: &[u8]) {
    let _ = compare(data);
}

/// As [`executors`], with what came of it.
pub fn compare(data: &[u8]) -> Summary {
    let generated = generate(data);
    let load = |engine| match Program::load(&generated.object, helpers(), engine) {
        Ok(program) => Some(Arc::new(program)),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("of native stack"), "refused: {text}");
            None
        }
    };
    let interpreted = load(Engine::Interpreted).expect("the interpreter needs no native stack");
    let oracle = run_all(&interpreted, &generated, Engine::Interpreted);
    if let Some(compiled) = load(Engine::Compiled) {
        let outcome = run_all(&compiled, &generated, Engine::Compiled);
        same(&oracle, &outcome, "interpreted and compiled");
    }
    let trap = oracle.end.as_ref().err().map(|trap| trap.kind.name());
    Summary { trap, fuel: oracle.fuel, calls: oracle.calls.len() }
}

fn helpers() -> Arc<HelperTable> {
    static TABLE: OnceLock<Arc<HelperTable>> = OnceLock::new();
    Arc::clone(TABLE.get_or_init(|| Arc::new(HelperTable::new(HELPERS))))
}

/// One engine: whole, in slices, and again in the memory of the first run.
fn run_all(program: &Arc<Program>, generated: &Generated, engine: Engine) -> Outcome {
    let new = || Instance::new(Arc::clone(program)).expect("memory");
    let mut instance = new();
    let fresh = memory(&mut instance);
    let first = run(&mut instance, generated, 50_000);
    instance.reset();
    assert!(memory(&mut instance) == fresh, "{engine:?}: a reset left something behind");
    let again = run(&mut instance, generated, 7);
    same(&first, &again, &format!("{engine:?}, in slices of 7 after a reset"));
    instance.reset();
    assert!(memory(&mut instance) == fresh, "{engine:?}: a second reset left something behind");
    same(&first, &run(&mut new(), generated, 1), &format!("{engine:?}, in slices of 1"));
    first
}

fn same(a: &Outcome, b: &Outcome, what: &str) {
    let same = a.end == b.end && a.fuel == b.fuel && a.calls == b.calls;
    assert!(same, "{what}: {:?} after {}, {:?} after {}", a.end, a.fuel, b.end, b.fuel);
    if a.memory != b.memory {
        let at = a.memory.iter().zip(&b.memory).position(|(a, b)| a != b);
        panic!("{what}: memory differs, from byte {at:?} on");
    }
}

/// All that the guest can read.
fn memory(instance: &mut Instance) -> Vec<u8> {
    let (null, end) = (zeroserve_vm::limits::NULL_BYTES, instance.memory().layout().end);
    instance.memory().read(null.into(), u64::from(end - null)).expect("inside").to_vec()
}

fn run(instance: &mut Instance, generated: &Generated, slice: u64) -> Outcome {
    let entries = instance.program().functions().len();
    let start = (0..entries).map(|by| (generated.entry + by) % entries);
    let entry = start.into_iter().find(|index| instance.program().is_entry(*index));
    let fuel = Fuel { slice, budget: generated.budget };
    instance.start(entry.expect("the first is an entry"), generated.args, fuel).expect("it starts");
    let mut calls = Vec::new();
    let mut event = instance.resume();
    let end = loop {
        event = match event {
            Event::Slice => instance.resume(),
            Event::Helper { number, args } => {
                let result = helper(instance, number, args);
                calls.push((number, args, result));
                match result {
                    Some(value) => instance.reply(value),
                    None => break Err(*instance.fail(format_args!("helper {number} refuses"))),
                }
            }
            Event::Done(value) => break Ok(value),
            Event::Trapped(trap) => break Err(*trap),
        };
    };
    Outcome { end, fuel: instance.fuel_used(), calls, memory: memory(instance) }
}

/// The same answer to the same question, and the same effects.
fn helper(instance: &mut Instance, number: u32, args: [u64; 5]) -> Option<u64> {
    let mix =
        |seed: u64, value: u64| (seed ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    match number {
        1 => Some(args.iter().fold(1, |seed, arg| mix(seed, *arg))),
        2 => {
            instance.charge(if args[0].is_multiple_of(5) { args[0] } else { args[0] % 500 });
            Some(args[0] >> 3)
        }
        3 => {
            let Ok(place) = instance.memory().write(args[0], args[1]) else {
                return args[0].is_multiple_of(2).then_some(u64::MAX);
            };
            for (at, byte) in place.iter_mut().enumerate() {
                *byte = at as u8 ^ args[2] as u8;
            }
            Some(args[1])
        }
        4 => {
            let place = instance.memory().read(args[0], args[1]).ok();
            place.map(|place| place.iter().fold(7, |seed, byte| mix(seed, u64::from(*byte))))
        }
        5 => Some(0),
        _ => (args[0] % 8 != 7).then_some(args[1]),
    }
}
