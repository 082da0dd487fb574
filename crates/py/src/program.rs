//! eBPF programs on their own: what tests, fuzzers and `explain` run.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use zeroserve_vm::{Engine, Event, Fuel, Helper, HelperTable, Instance, LoadError, Trap};

use crate::{refuse, tuples};

pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Program>()
}

/// A loaded eBPF program, and how it was made, for the executor it was not made for yet.
#[pyclass(frozen)]
struct Program {
    source: Source,
    helpers: Arc<HelperTable>,
    interpreted: Arc<zeroserve_vm::Program>,
    compiled: OnceLock<Arc<zeroserve_vm::Program>>,
}

enum Source {
    Object(Vec<u8>),
    Instructions(Vec<u8>),
}

impl Source {
    fn load(
        &self,
        helpers: &Arc<HelperTable>,
        engine: Engine,
    ) -> Result<Arc<zeroserve_vm::Program>, LoadError> {
        let helpers = Arc::clone(helpers);
        let program = match self {
            Self::Object(bytes) => zeroserve_vm::Program::load(bytes, helpers, engine),
            Self::Instructions(bytes) => {
                zeroserve_vm::Program::from_instructions(bytes, helpers, engine)
            }
        };
        program.map(Arc::new)
    }
}

type Helpers = BTreeMap<String, (u32, u8)>;

/// The host's, unless others are given. The names of those live as long as the process: programs
/// with helpers of their own are made by tests.
fn table(helpers: Option<Helpers>) -> HelperTable {
    let Some(helpers) = helpers else { return zeroserve_host::table() };
    HelperTable::new(helpers.into_iter().map(|(name, (number, arity))| {
        let name: &'static str = Box::leak(name.into_boxed_str());
        Helper { number, name, arity, fuel: 0 }
    }))
}

impl Program {
    fn load(py: Python<'_>, source: Source, helpers: Option<Helpers>) -> PyResult<Self> {
        let helpers = Arc::new(table(helpers));
        let interpreted = py.detach(|| source.load(&helpers, Engine::Interpreted));
        let interpreted = interpreted.map_err(|error| refuse(error.to_string()))?;
        Ok(Self { source, helpers, interpreted, compiled: OnceLock::new() })
    }

    fn compiled(&self, py: Python<'_>) -> PyResult<Arc<zeroserve_vm::Program>> {
        if let Some(program) = self.compiled.get() {
            return Ok(Arc::clone(program));
        }
        let program = py.detach(|| self.source.load(&self.helpers, Engine::Compiled));
        let program = program.map_err(|error| refuse(error.to_string()))?;
        Ok(Arc::clone(self.compiled.get_or_init(|| program)))
    }
}

#[pymethods]
impl Program {
    #[new]
    #[pyo3(signature = (object, *, helpers = None))]
    fn new(py: Python<'_>, object: Vec<u8>, helpers: Option<Helpers>) -> PyResult<Self> {
        Self::load(py, Source::Object(object), helpers)
    }

    /// From bare instructions, 8 bytes each; the first is the entry.
    #[staticmethod]
    #[pyo3(signature = (code, *, helpers = None))]
    fn from_instructions(
        py: Python<'_>,
        code: Vec<u8>,
        helpers: Option<Helpers>,
    ) -> PyResult<Self> {
        Self::load(py, Source::Instructions(code), helpers)
    }

    /// Its functions in the order of the object.
    fn functions<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let class = tuples::class(py, "Function")?;
        let functions = self.interpreted.functions().iter();
        functions.map(|f| class.call1((&f.name, &f.section, f.start, f.frame_bytes))).collect()
    }

    /// All instructions as text.
    fn disassemble<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let class = tuples::class(py, "Line")?;
        let mut lines = Vec::new();
        for (index, function) in self.interpreted.functions().iter().enumerate() {
            for at in 0..function.insns.len() as u32 {
                let text = self.interpreted.text(index, at).unwrap_or_default();
                if text.is_empty() {
                    continue;
                }
                let (file, line) = self.interpreted.line(index, at).unwrap_or(("", 0));
                lines.push(class.call1((&function.name, at, text, file, line))?);
            }
        }
        Ok(lines)
    }

    /// Guest address of the memory that `run` is given.
    #[getter]
    fn memory_address(&self) -> u32 {
        self.interpreted.layout().heap
    }

    /// Bytes of machine code.
    fn code_bytes(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.compiled(py)?.code_bytes())
    }

    /// Run one function on memory of its own.
    #[pyo3(signature = (
        memory = None, *, engine = "jit", function = None, args = None,
        fuel = 10_000_000, slice = 50_000, on_helper = None,
    ))]
    #[allow(clippy::too_many_arguments)]
    fn run<'py>(
        &self,
        py: Python<'py>,
        memory: Option<Vec<u8>>,
        engine: &str,
        function: Option<&str>,
        args: Option<Vec<u64>>,
        fuel: u64,
        slice: u64,
        on_helper: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let program = match engine {
            "jit" => self.compiled(py)?,
            "interpreter" => Arc::clone(&self.interpreted),
            other => return Err(refuse(format!("engine: {other} is neither jit nor interpreter"))),
        };
        let memory = memory.unwrap_or_default();
        let index = match function {
            None => 0,
            Some(name) => program
                .function_named(name)
                .ok_or_else(|| refuse(format!("function: there is no {name} in the program")))?,
        };
        let system =
            |error: std::io::Error| refuse(format!("the program can't be started: {error}"));
        let mut instance = Instance::new(program).map_err(system)?;
        let len = memory.len() as u64;
        let Some(heap) = instance.alloc(len).map(u64::from) else {
            return Err(refuse(format!("memory: {len} bytes are more than the heap has")));
        };
        let place = instance.memory().write(heap, len);
        place.map_err(|fault| refuse(format!("memory: {fault}")))?.copy_from_slice(&memory);
        let mut registers = [if len == 0 { 0 } else { heap }, len, 0, 0, 0];
        if let Some(args) = args {
            if args.len() > 5 {
                return Err(refuse(format!("args: {} are more than 5", args.len())));
            }
            registers = [0; 5];
            registers[..args.len()].copy_from_slice(&args);
        }
        instance.start(index, registers, Fuel { slice, budget: fuel }).map_err(system)?;
        let ended = go(py, &mut instance, on_helper.as_ref())?;
        let used = instance.fuel_used();
        let after = instance.memory().read(heap, len).map(<[u8]>::to_vec).unwrap_or_default();
        let (result, trap) = match ended {
            Ok(value) => (Some(value), None),
            Err(trap) => {
                let (file, line) = trap.line.clone().unwrap_or_default();
                let class = tuples::class(py, "Trap")?;
                let row = (trap.kind.name(), &trap.reason, &trap.function, trap.at, file, line);
                (None, Some(class.call1(row)?))
            }
        };
        tuples::class(py, "Run")?.call1((result, PyBytes::new(py, &after), used, trap))
    }
}

fn go(
    py: Python<'_>,
    instance: &mut Instance,
    on_helper: Option<&Bound<'_, PyAny>>,
) -> PyResult<Result<u64, Box<Trap>>> {
    let mut event = instance.resume();
    loop {
        event = match event {
            Event::Done(value) => return Ok(Ok(value)),
            Event::Trapped(trap) => return Ok(Err(trap)),
            Event::Slice => {
                py.check_signals()?;
                instance.resume()
            }
            Event::Helper { number, args } => match on_helper {
                Some(call) => {
                    let value: u64 = call.call1((number, args))?.extract()?;
                    instance.reply(value)
                }
                None => return Ok(Err(instance.fail("a helper was called, and none is there"))),
            },
        };
    }
}
