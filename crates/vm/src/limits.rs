//! What an object may be, and what a run of it may use.

/// Most bytes of an object file: a script is small, and all of it is read before anything else.
pub const MAX_OBJECT_BYTES: usize = 16 << 20;

/// Most instruction slots of one object; compiling them takes about a second.
pub const MAX_INSNS: usize = 128 * 1024;

/// Most instruction slots of one function: what the register allocator takes grows faster than
/// its input.
pub const MAX_FUNCTION_INSNS: usize = 32 * 1024;

/// Most functions of one object.
pub const MAX_FUNCTIONS: usize = 8 * 1024;

/// Most bytes of the name of a function, a helper or a section.
pub const MAX_NAME_BYTES: usize = 512;

/// Most relocations of one object: one for each instruction, and many tables of pointers.
/// Sections may overlap, so the size of the file bounds nothing.
pub const MAX_RELOCATIONS: usize = 512 * 1024;

/// Most bytes of line information that are read: about four for each instruction, and file names.
pub const MAX_LINE_BYTES: usize = 1 << 20;

/// Most source files that lines are told of.
pub const MAX_LINE_FILES: usize = 1024;

/// Most bytes of constants and variables of one object: each pooled instance has its own copy.
pub const MAX_IMAGE_BYTES: u32 = 8 << 20;

/// First bytes of guest memory, where nothing is: a null pointer with a small offset traps.
pub const NULL_BYTES: u32 = 4096;

/// Bytes of guest memory that are cleaned, or not, as one.
pub const PAGE_BYTES: u32 = 4096;

/// Stack of one run, all frames together.
pub const STACK_BYTES: u32 = 256 * 1024;

/// Frame of a function; more when it addresses more. LLVM's limit unless it is told otherwise,
/// so whatever a function does with its frame stays in it.
pub const FRAME_BYTES: u32 = 512;

/// Largest frame of one function.
pub const MAX_FRAME_BYTES: u32 = 64 * 1024;

/// Heap of one run.
pub const HEAP_BYTES: u32 = 1 << 20;

/// Fuel after which a run yields, unless told otherwise: about 20 µs.
pub const SLICE_FUEL: u64 = 50_000;

/// Fuel of one run, unless told otherwise: a few milliseconds.
pub const BUDGET_FUEL: u64 = 10_000_000;

/// Native stack that compiled code has for all of its frames.
pub const NATIVE_STACK_BYTES: usize = 512 * 1024;

/// Native stack kept free of guest frames, for the calls out of compiled code.
pub const NATIVE_MARGIN_BYTES: usize = 32 * 1024;

/// Guest value of a pointer to the first function; they are 8 apart.
pub const FUNCTION_BASE: u64 = 1 << 40;
