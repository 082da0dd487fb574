//! What one request's scripts may have and do.

/// Longest name that a script gives: of a header, a metadata key, a variable, a script, a function.
pub const MAX_NAME_BYTES: usize = 256;

/// Longest method; the registered ones have up to 17 letters.
pub const MAX_METHOD_BYTES: usize = 32;

/// Longest target that a script sets, and longest URL of an upstream: servers refuse longer ones.
pub const MAX_URI_BYTES: usize = 8192;

/// Most header fields after changes by scripts: as many as a request may arrive with.
pub const MAX_HEADER_FIELDS: usize = 256;

/// Most bytes of header names and values after changes by scripts.
pub const MAX_HEADER_BYTES: usize = 64 * 1024;

/// Most metadata entries.
pub const MAX_META_ENTRIES: usize = 256;

/// Most bytes of metadata, keys and values.
pub const MAX_META_BYTES: usize = 256 * 1024;

/// Most handles at a time, in all scripts that are being called.
pub const MAX_JSON_HANDLES: usize = 1024;

/// Most bytes of memory for JSON values, estimated: a text of a few hundred kilobytes.
pub const MAX_JSON_BYTES: usize = 8 * 1024 * 1024;

/// Deepest nesting of JSON: copying and dropping values is recursive.
pub const MAX_JSON_DEPTH: usize = 120;

/// Largest file that a script may load.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Largest request body that a script may have; it is gathered in memory.
pub const MAX_REQUEST_BODY_BYTES: u64 = 256 * 1024;

/// Largest response body that a script may send; it is copied out of the script's memory.
pub const MAX_RESPONSE_BODY_BYTES: usize = 8 * 1024 * 1024;

/// Longest list of addresses and ranges.
pub const MAX_RANGES_BYTES: usize = 256 * 1024;

/// Most response hooks of a request.
pub const MAX_HOOKS: usize = 32;

/// Deepest calls from script to script.
pub const MAX_CALL_DEPTH: usize = 8;

/// Longest line of the log; longer ones are cut.
pub const MAX_LOG_BYTES: usize = 8192;

/// Most lines of the log for one request.
pub const MAX_LOG_LINES: usize = 1000;

/// Most random bytes of one call: their cost is the system's.
pub const MAX_RANDOM_BYTES: u64 = 64 * 1024;

/// Most requests that the scripts of one request make to other servers.
pub const MAX_FETCHES: usize = 16;

/// Largest body of an answer to such a request; it is gathered in memory.
pub const MAX_FETCH_BODY_BYTES: usize = 256 * 1024;

/// Longest time that such a request may take: the client waits meanwhile.
pub const MAX_FETCH_TIMEOUT_MS: u64 = 30_000;

/// The time that it may take where the script says nothing.
pub const DEFAULT_FETCH_TIMEOUT_MS: u64 = 5_000;

/// Most headers that are signed.
pub const MAX_SIGNED_HEADERS: usize = 64;

/// Most responses that a script makes before it gives one as its answer.
pub const MAX_RESPONSES: usize = 256;

/// Most tables of the scripts of a site.
pub const MAX_TABLES: usize = 256;

/// Most entries of a table.
pub const MAX_TABLE_ENTRIES: u64 = 1 << 20;

/// Longest key of a table.
pub const MAX_TABLE_KEY_BYTES: usize = 1024;

/// Longest value of a table.
pub const MAX_TABLE_VALUE_BYTES: usize = 64 * 1024;

/// Most bytes of memory for the tables of a site, estimated.
pub const MAX_TABLES_BYTES: usize = 64 * 1024 * 1024;

/// Most bytes of memory for the JSON values of compiled Python.
pub const MAX_PYTHON_JSON_BYTES: usize = 8 * 1024 * 1024;

/// Deepest nesting of JSON for compiled Python; CPython stops at about 1000.
pub const MAX_PYTHON_JSON_DEPTH: usize = 500;

/// Most patterns of one script.
pub const MAX_PATTERNS: usize = 1024;

/// Most bytes of the patterns of one script.
pub const MAX_PATTERNS_BYTES: usize = 256 * 1024;

/// Most bytes that one pattern may take once it is compiled.
pub const MAX_PATTERN_PROGRAM_BYTES: usize = 1024 * 1024;

/// Most bytes that all patterns of a script may take once they are compiled.
pub const MAX_PATTERNS_PROGRAM_BYTES: usize = 32 * 1024 * 1024;

/// Most bytes of states that a pattern keeps while it searches, for each worker.
pub const MAX_PATTERN_CACHE_BYTES: usize = 1024 * 1024;

/// The same of all patterns of a script, which share it evenly.
pub const MAX_PATTERNS_CACHE_BYTES: usize = 64 * 1024 * 1024;

/// Most iterations of one call of PBKDF2: nothing else happens in the worker meanwhile.
pub const MAX_PBKDF2_ITERATIONS: u64 = 20_000;

/// Bytes that are copied or compared for one unit of fuel.
pub(crate) const COPY_BYTES_PER_FUEL: u64 = 8;

/// Fuel for one byte that is hashed, encoded or decoded.
pub(crate) const HASH_FUEL: u64 = 1;

/// Fuel for one byte of JSON text that is parsed or written.
pub(crate) const JSON_FUEL: u64 = 4;
