//! An instance: a program's memory and the run that uses it, whichever engine runs it.

use std::fmt;
use std::sync::Arc;

use crate::insn::Insn;
use crate::interpret::Interpreter;
use crate::limits::{BUDGET_FUEL, SLICE_FUEL, STACK_BYTES};
use crate::machine::Machine;
use crate::memory::{Fault, Memory};
use crate::program::Program;
use crate::trace::{Trace, Traced};
use crate::trap::{Trap, TrapKind};

/// Why an engine came back.
pub(crate) enum Pause {
    Done(u64),
    Helper {
        number: u32,
        args: [u64; 5],
        slot: u32,
        /// Called by a number in a register: nobody has looked whether there is such a helper.
        indirect: bool,
    },
    /// The slice is used up.
    Fuel {
        slot: u32,
    },
    Stopped(Stop),
}

/// A trap before it has words.
#[derive(Clone, Copy)]
pub(crate) struct Stop {
    pub(crate) kind: TrapKind,
    pub(crate) slot: u32,
    pub(crate) address: u64,
}

/// What a run wants or has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// It returned this.
    Done(u64),
    /// It calls a helper; go on with [`Instance::reply`], or [`Instance::fail`].
    Helper {
        /// The helper's number.
        number: u32,
        /// r1 to r5, zero beyond the helper's arity.
        args: [u64; 5],
    },
    /// Its slice is used up: others may work before [`Instance::resume`].
    Slice,
    /// It was stopped and is over.
    Trapped(Box<Trap>),
}

/// What a run may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fuel {
    /// Until it yields.
    pub slice: u64,
    /// Until it is stopped.
    pub budget: u64,
}

/// Fuel is counted up to here; a budget ends long before.
const MAX_FUEL: u64 = 1 << 62;

impl Default for Fuel {
    fn default() -> Self {
        Self { slice: SLICE_FUEL, budget: BUDGET_FUEL }
    }
}

enum Engine {
    Idle,
    Compiled(Machine),
    Interpreted(Box<Interpreter>),
}

/// A program with memory of its own. One run at a time; [`Instance::reset`] between two.
pub struct Instance {
    /// Dropped before the memory and the code that it points into.
    engine: Engine,
    memory: Memory,
    program: Arc<Program>,
    fuel: Fuel,
    /// Fuel handed out so far; what is left of it is in the context.
    granted: u64,
    /// Where the run calls the helper that it waits for.
    helper_slot: u32,
    /// A helper's result that the run was not given yet, because its slice was used up.
    reply: Option<u64>,
    /// Lines that the last run came by at its end, if it kept a record.
    traced: Traced,
    /// First address of the heap that was not given away.
    free: u32,
}

impl Instance {
    /// Memory as the program's image says.
    pub fn new(program: Arc<Program>) -> std::io::Result<Self> {
        let memory = Memory::new(program.layout, &program.image)?;
        let (fuel, free) = (Fuel::default(), program.layout.heap);
        Ok(Self {
            engine: Engine::Idle,
            memory,
            program,
            fuel,
            granted: 0,
            helper_slot: 0,
            reply: None,
            traced: Traced::default(),
            free,
        })
    }

    /// What it runs.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// Its memory; a run that is in progress is waiting meanwhile.
    pub fn memory(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// Address of so many bytes of the heap, a multiple of 8, until the next [`Instance::reset`];
    /// `None` when there are not as many left.
    pub fn alloc(&mut self, bytes: u64) -> Option<u32> {
        let address = self.free;
        let end = u64::from(address).checked_add(bytes)?.checked_next_multiple_of(8)?;
        if end > u64::from(self.program.layout.end) {
            return None;
        }
        self.free = end as u32;
        Some(address)
    }

    /// Bytes that [`Instance::alloc`] has left.
    pub fn room(&self) -> u32 {
        self.program.layout.end - self.free
    }

    /// Begin a run of one function; a run in progress is given up.
    pub fn start(&mut self, function: usize, args: [u64; 5], fuel: Fuel) -> std::io::Result<()> {
        self.engine = Engine::Idle;
        if !self.program.is_entry(function) {
            return Err(std::io::ErrorKind::NotFound.into());
        }
        self.fuel = Fuel { slice: fuel.slice.max(1), budget: fuel.budget.min(MAX_FUEL / 2) };
        self.granted = self.fuel.slice.min(self.fuel.budget);
        self.memory.context().fuel = self.granted as i64;
        self.reply = None;
        self.traced = Traced::default();
        let fp = u64::from(self.program.layout.heap);
        self.engine = match &self.program.code {
            Some(code) => {
                let entry = code.entry(function).ok_or(std::io::ErrorKind::NotFound)?;
                let table = code.table();
                // SAFETY: the code is the program's and was compiled for its layout; `self` keeps
                // both alive and drops the engine first; `engine` was just made idle, so this is
                // the only run on the memory.
                Engine::Compiled(unsafe { Machine::new(entry, &mut self.memory, table, args, fp) }?)
            }
            None => Engine::Interpreted(Box::new(Interpreter::new(function, args, fp))),
        };
        Ok(())
    }

    /// Keep a record of up to so many lines of the run that was just started. Machine code keeps
    /// none.
    pub fn trace(&mut self, most: usize) {
        if let Engine::Interpreted(interpreter) = &mut self.engine {
            interpreter.trace = Some(Box::new(Trace::new(most)));
        }
    }

    /// Lines that the run came by since this was asked last. Those before its end are kept until
    /// the next start or [`Instance::reset`].
    pub fn take_trace(&mut self) -> Traced {
        if let Engine::Interpreted(interpreter) = &mut self.engine
            && let Some(trace) = &mut interpreter.trace
        {
            return trace.take(&self.program);
        }
        std::mem::take(&mut self.traced)
    }

    /// The run is over.
    fn end(&mut self) {
        if let Engine::Interpreted(interpreter) = &mut self.engine
            && let Some(mut trace) = interpreter.trace.take()
        {
            self.traced = trace.take(&self.program);
        }
        self.engine = Engine::Idle;
    }

    /// Fuel used since the start of the run.
    pub fn fuel_used(&mut self) -> u64 {
        self.granted.wrapping_sub(self.memory.context().fuel as u64)
    }

    /// Take fuel for work that a helper did.
    pub fn charge(&mut self, fuel: u64) {
        // What is used stays the same however it was cut into slices, so it never saturates there.
        let fuel = fuel.min(MAX_FUEL.saturating_sub(self.fuel_used()));
        self.memory.context().fuel -= fuel as i64;
    }

    /// Go on after the start or after [`Event::Slice`].
    pub fn resume(&mut self) -> Event {
        let reply = self.reply.take();
        let pause = match &mut self.engine {
            Engine::Idle => return Event::Done(0),
            Engine::Compiled(machine) => machine.resume(reply.unwrap_or(0)),
            Engine::Interpreted(interpreter) => {
                interpreter.resume(&self.program, &mut self.memory, reply)
            }
        };
        match pause {
            Pause::Done(value) => {
                self.end();
                Event::Done(value)
            }
            Pause::Helper { number, mut args, slot, indirect } => {
                self.helper_slot = slot;
                if indirect {
                    let helpers = Arc::clone(&self.program.helpers);
                    if !helpers.has(number) {
                        let address = number.into();
                        let stop = Stop { kind: TrapKind::Callee, slot, address };
                        return Event::Trapped(self.trap(stop));
                    }
                    self.charge(helpers.fuel(number).into());
                    args[usize::from(helpers.arity(number))..].fill(0);
                }
                Event::Helper { number, args }
            }
            Pause::Fuel { slot } => self.refuel(slot),
            Pause::Stopped(stop) => Event::Trapped(self.trap(stop)),
        }
    }

    /// Go on after [`Event::Helper`], with the helper's result.
    pub fn reply(&mut self, value: u64) -> Event {
        self.reply = Some(value);
        if self.memory.context().fuel < 0 {
            return self.refuel(self.helper_slot);
        }
        self.resume()
    }

    /// End the run because its helper refuses: the trap that this is.
    pub fn fail(&mut self, reason: impl fmt::Display) -> Box<Trap> {
        let stop = Stop { kind: TrapKind::Helper, slot: self.helper_slot, address: 0 };
        let mut trap = self.trap(stop);
        trap.reason = reason.to_string();
        trap
    }

    /// The same, of which the helper knows file and line better than debug information does.
    pub fn fail_at(&mut self, reason: impl fmt::Display, line: Option<(String, u32)>) -> Box<Trap> {
        let mut trap = self.fail(reason);
        trap.line = line.or(trap.line);
        trap
    }

    /// End any run and make the memory what it was at first.
    pub fn reset(&mut self) {
        self.engine = Engine::Idle;
        self.traced = Traced::default();
        self.free = self.program.layout.heap;
        self.memory.reset(&self.program.image);
    }

    /// The slice is used up: the next one, or the end of the budget.
    ///
    /// The budget ends at the first look behind its last unit, however it is cut into slices.
    fn refuel(&mut self, slot: u32) -> Event {
        let used = self.fuel_used();
        if used > self.fuel.budget {
            return Event::Trapped(self.trap(Stop { kind: TrapKind::Fuel, slot, address: 0 }));
        }
        self.granted = used.saturating_add(self.fuel.slice).min(self.fuel.budget);
        self.memory.context().fuel = (self.granted - used) as i64;
        Event::Slice
    }

    /// End the run and put it into words.
    fn trap(&mut self, stop: Stop) -> Box<Trap> {
        self.end();
        let Stop { kind, slot, address } = stop;
        let (index, at) = self.program.locate(slot);
        let size = match self.program.insn(slot) {
            Some(
                Insn::Load { size, .. } | Insn::Store { size, .. } | Insn::Atomic { size, .. },
            ) => size.bytes().into(),
            _ => 0,
        };
        let reason = match kind {
            TrapKind::Read => Fault { address, size, write: false }.to_string(),
            TrapKind::Write => Fault { address, size, write: true }.to_string(),
            TrapKind::Stack => format!("calls nested deeper than {STACK_BYTES} bytes of stack"),
            TrapKind::Fuel => format!("used up its budget of {} fuel", self.fuel.budget),
            TrapKind::Callee => format!("call of {address:#x}, which is no function"),
            TrapKind::Abort => "reached code that its compiler took to be unreachable".into(),
            TrapKind::Helper => "a helper refused its arguments".into(),
        };
        let function = self.program.functions()[index].name.clone();
        let line = self.program.line(index, at).map(|(file, line)| (file.to_owned(), line));
        Box::new(Trap { kind, reason, function, at, line })
    }
}
