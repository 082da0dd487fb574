//! Running compiled code: a coroutine that the code leaves for helpers, for fuel and on traps.
//!
//! Nothing but guest frames and the few functions of this file is ever on a coroutine's stack.
//! So a run that traps is simply not gone on with: there is nothing to unwind and nothing to
//! drop, and compiled code needs no checks behind its calls.

use std::cell::RefCell;
use std::ffi::c_void;
use std::mem::ManuallyDrop;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use crate::code::{Entry, Returned};
use crate::instance::{Pause, Stop};
use crate::limits::{NATIVE_STACK_BYTES, NULL_BYTES};
use crate::memory::{Context, FRONT_BYTES, Memory};
use crate::program::Layout;
use crate::trap::TrapKind;

/// Stacks kept for the next runs of this thread.
const SPARE_STACKS: usize = 64;

thread_local! {
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
}

/// What compiled code wants of its host. Plain data: it crosses stacks by copy.
#[derive(Clone, Copy)]
enum Wish {
    Helper { id: u64, args: [u64; 5] },
    Fuel { slot: u32 },
    Trap { kind: u32, slot: u32, address: u64 },
}

type Way = Yielder<u64, Wish>;
type Run = Coroutine<u64, Wish, u64, DefaultStack>;

/// A run of compiled code in progress. It points into the memory that it was started on.
pub(crate) struct Machine {
    /// `None` only while it is dropped.
    run: ManuallyDrop<Run>,
    layout: Layout,
}

/// What compiled code is called with.
#[derive(Clone, Copy)]
struct Start {
    entry: Entry,
    base: *mut u8,
    fp: u64,
    args: [u64; 5],
}

impl Machine {
    /// Prepare a run; it begins with the first resume.
    ///
    /// # Safety
    ///
    /// `entry` was compiled for memory of the layout of `memory`. The code and the memory have
    /// to live as long as the machine, and the memory must not be used for another run.
    pub(crate) unsafe fn new(
        entry: Entry,
        memory: &mut Memory,
        functions: *const c_void,
        args: [u64; 5],
        fp: u64,
    ) -> std::io::Result<Self> {
        let spare = STACKS.try_with(|stacks| stacks.borrow_mut().pop()).ok().flatten();
        let stack = match spare {
            Some(stack) => stack,
            None => DefaultStack::new(NATIVE_STACK_BYTES)?,
        };
        let context = memory.context();
        context.functions = functions;
        context.on_helper = on_helper as *const c_void;
        context.on_fuel = on_fuel as *const c_void;
        context.on_trap = on_trap as *const c_void;
        let start = Start { entry, base: memory.base(), fp, args };
        let run = Run::with_stack(stack, move |way: &Way, _| {
            let Start { entry, base, fp, args: [a, b, c, d, e] } = start;
            // SAFETY: `base` is the memory of this run, whose front is a context.
            let context = unsafe { &mut *context_of(base) };
            context.yielder = std::ptr::from_ref(way).cast();
            let fuel = context.fuel;
            // SAFETY: the entry was compiled with this signature for this memory's layout, and
            // verified; all it touches is the memory and this stack, which is large enough for
            // as many frames as fit into the guest's stack.
            let Returned { value, fuel } = unsafe { entry(base, fuel, fp, a, b, c, d, e) };
            // SAFETY: as above; no reference to the context is alive while the guest runs.
            unsafe { (*context_of(base)).fuel = fuel };
            value
        });
        Ok(Self { run: ManuallyDrop::new(run), layout: memory.layout() })
    }

    /// Go on; after a helper with its result. Not to be called again after the end.
    pub(crate) fn resume(&mut self, reply: u64) -> Pause {
        match self.run.resume(reply) {
            CoroutineResult::Return(value) => Pause::Done(value),
            CoroutineResult::Yield(Wish::Helper { id, args }) => {
                let slot = (id >> 32) as u32 & !(1 << 31);
                Pause::Helper { number: id as u32, args, slot, indirect: id >> 63 != 0 }
            }
            CoroutineResult::Yield(Wish::Fuel { slot }) => Pause::Fuel { slot },
            CoroutineResult::Yield(Wish::Trap { kind, slot, address }) => {
                let kind = TrapKind::from_number(kind).unwrap_or(TrapKind::Abort);
                // Of an access comes the distance from the lowest address it may have.
                let lowest = match kind {
                    TrapKind::Read => NULL_BYTES,
                    TrapKind::Write => self.layout.writable,
                    _ => 0,
                };
                let address = address.wrapping_add(lowest.into());
                Pause::Stopped(Stop { kind, slot, address })
            }
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SAFETY: taken once, here, and not used again.
        let mut run = unsafe { ManuallyDrop::take(&mut self.run) };
        if run.started() && !run.done() {
            // SAFETY: what is on the stack are guest frames, which own nothing, and the frames of
            // this file, which hold plain copies: no destructor is left out.
            unsafe { run.force_reset() };
        }
        if !run.started() {
            // Its closure owns nothing either; dropping the coroutine gives the stack back.
            return;
        }
        let stack = run.into_stack();
        // At the end of a thread its spares may be gone before its last run is.
        let _ = STACKS.try_with(|stacks| {
            let mut stacks = stacks.borrow_mut();
            if stacks.len() < SPARE_STACKS {
                stacks.push(stack);
            }
        });
    }
}

fn context_of(base: *mut u8) -> *mut Context {
    base.wrapping_sub(FRONT_BYTES).cast()
}

/// Leave the coroutine with a wish; returns what it is resumed with.
///
/// # Safety
///
/// `base` is the memory of the run that is on this stack.
unsafe fn leave(base: *mut u8, wish: Wish) -> u64 {
    // SAFETY: the run has put its own way out there before compiled code began, and it lives on
    // this stack below everything else.
    let way = unsafe { &*(*context_of(base)).yielder.cast::<Way>() };
    way.suspend(wish)
}

/// `id`: the helper's number, above it the slot of the call, the top bit for an indirect one.
unsafe extern "C" fn on_helper(
    base: *mut u8,
    id: u64,
    a: u64,
    b: u64,
    c: u64,
    d: u64,
    e: u64,
) -> u64 {
    // SAFETY: compiled code passes the base that it was called with.
    unsafe { leave(base, Wish::Helper { id, args: [a, b, c, d, e] }) }
}

unsafe extern "C" fn on_fuel(base: *mut u8, slot: u32) {
    // SAFETY: as in `on_helper`.
    unsafe { leave(base, Wish::Fuel { slot }) };
}

unsafe extern "C" fn on_trap(base: *mut u8, kind: u32, slot: u32, address: u64) -> ! {
    loop {
        // SAFETY: as in `on_helper`. A trapped run is never resumed; were it, it would trap again.
        unsafe { leave(base, Wish::Trap { kind, slot, address }) };
    }
}
