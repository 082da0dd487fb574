//! The scripts of a generation: loaded, verified and compiled before the first request sees them.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, LazyLock};

use zeroserve_archive::{Archive, EntryId, Error, Problem, RULES, Severity};
use zeroserve_host::Patterns;
use zeroserve_vm::limits::MAX_OBJECT_BYTES;
use zeroserve_vm::{Engine, HelperTable, LoadError, Program};

use crate::notice::{Notice, Notices};

static NO_CODE: Notice = Notice::new();

/// Where an archive keeps its scripts.
pub const FOLDER: &str = ".zeroserve/scripts/";

/// What files of rules at the root of a site are compiled to.
const COMPILED_RULES: &str = ".zeroserve/scripts/50-rules.o";

/// Section of the functions that see each request.
const REQUEST: &str = "zeroserve.request";

/// Section of the functions that see each response.
const RESPONSE: &str = "zeroserve.response";

/// What sections of functions that other scripts may call begin with.
const CALL: &str = "zeroserve.call.";

/// Most scripts of one site; each request may run all of them.
pub const MAX_SCRIPTS: usize = 256;

static HELPERS: LazyLock<Arc<HelperTable>> = LazyLock::new(|| Arc::new(zeroserve_host::table()));

/// A script before it is loaded.
#[derive(Clone, Debug)]
pub struct Object {
    /// What messages and other scripts call it.
    pub name: String,
    /// The ELF object.
    pub bytes: Vec<u8>,
}

/// A loaded script.
pub struct Script {
    /// File name without its suffix.
    pub name: String,
    /// Its code.
    pub program: Arc<Program>,
    calls: HashMap<String, usize>,
    /// What its code searches for.
    pub patterns: Arc<Patterns>,
}

impl Script {
    /// The function that other scripts call by that name.
    pub fn callable(&self, function: &str) -> Option<usize> {
        self.calls.get(function).copied()
    }
}

/// A function of a script: index of the script, index of the function.
pub type Place = (usize, usize);

/// All scripts of a site, in the order in which they run.
pub struct Scripts {
    /// Those of the operator, then those of the site by file name.
    pub list: Vec<Script>,
    /// What each request goes through.
    pub on_request: Vec<Place>,
    /// What each response goes through.
    pub on_response: Vec<Place>,
    /// Where scripts were stopped, by script, function and instruction.
    pub trapped: Notices<(String, String, u32)>,
}

impl Scripts {
    /// Load the operator's scripts and those of the archive; `None` when there are none.
    pub fn load(
        archive: &Archive,
        plugins: &[Object],
        engine: Engine,
    ) -> Result<Option<Self>, Error> {
        let mut scripts = Self {
            list: Vec::new(),
            on_request: Vec::new(),
            on_response: Vec::new(),
            trapped: Notices::default(),
        };
        for plugin in plugins {
            scripts.add(&plugin.name, &plugin.bytes, engine)?;
        }
        // Those of a directory have to be compiled first: they come as plugins.
        let own = archive.index().with_prefix(FOLDER).filter(|_| !archive.is_directory());
        for id in own {
            let entry = archive.index().entry(id);
            let name = &entry.name[FOLDER.len()..];
            if name.starts_with('.') || name.contains('/') {
                continue;
            }
            // A site without one of its scripts may be a site without its guard.
            if name.ends_with(".c") || name.ends_with(".py") {
                let why = "a script that was not compiled; make the archive with `zeroserve pack`";
                return Err(refused(entry.name, why));
            }
            if name.ends_with(".o") {
                let bytes = read(archive, id).map_err(|error| match error.kind() {
                    io::ErrorKind::FileTooLarge => refused(entry.name, "too large for a script"),
                    _ => Error::Io(error),
                })?;
                scripts.add(entry.name, &bytes, engine)?;
            }
        }
        let uncompiled = RULES.into_iter().find(|name| archive.index().find(name).is_some());
        if let Some(name) = uncompiled
            && !archive.is_directory()
            && archive.index().find(COMPILED_RULES).is_none()
        {
            let why = "rules that were not compiled; make the archive with `zeroserve pack`";
            return Err(refused(name, why));
        }
        Ok(if scripts.list.is_empty() { None } else { Some(scripts) })
    }

    fn add(&mut self, path: &str, object: &[u8], engine: Engine) -> Result<(), Error> {
        if self.list.len() == MAX_SCRIPTS {
            return Err(refused(path, &format!("more than {MAX_SCRIPTS} scripts")));
        }
        let load = |engine| Program::load(object, Arc::clone(&HELPERS), engine);
        let program = match load(engine) {
            Err(error @ LoadError::NoExecutableMemory(_)) => {
                NO_CODE.say(&format!("{error}; scripts are interpreted, many times slower"));
                load(Engine::Interpreted)
            }
            loaded => loaded,
        };
        let program = program.map_err(|error| refused(path, &error.to_string()))?;
        let index = self.list.len();
        let places = |section| program.functions_in(section).map(move |function| (index, function));
        self.on_request.extend(places(REQUEST));
        self.on_response.extend(places(RESPONSE));
        let mut calls = HashMap::new();
        for (number, function) in program.functions().iter().enumerate() {
            if let Some(name) = function.section.strip_prefix(CALL) {
                calls.entry(name.to_owned()).or_insert(number);
            }
        }
        let called = self.on_request.iter().chain(&self.on_response).any(|(at, _)| *at == index);
        if !called && calls.is_empty() {
            return Err(refused(path, "no function is an entry, so it would never run"));
        }
        let name = path.rsplit('/').next().unwrap_or(path);
        let name = name.strip_suffix(".o").unwrap_or(name).to_owned();
        // Hooks and calls find scripts by their names: one could run in place of another.
        if self.list.iter().any(|other| other.name == name) {
            return Err(refused(path, &format!("another script is named '{name}' already")));
        }
        let patterns = Patterns::load(program.patterns()).map_err(|why| refused(path, &why))?;
        let (program, patterns) = (Arc::new(program), Arc::new(patterns));
        self.list.push(Script { name, program, calls, patterns });
        Ok(())
    }

    /// The script of that name.
    pub fn named(&self, name: &str) -> Option<usize> {
        let name = name.strip_suffix(".o").or_else(|| name.strip_suffix(".c")).unwrap_or(name);
        self.list.iter().position(|script| script.name == name)
    }
}

fn read(archive: &Archive, id: EntryId) -> io::Result<Vec<u8>> {
    let file = archive.open_entry(id)?;
    if file.size > MAX_OBJECT_BYTES as u64 {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = vec![0; file.size as usize];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

fn refused(entry: &str, message: &str) -> Error {
    Error::Refused(Problem {
        severity: Severity::Fatal,
        entry: entry.to_owned(),
        offset: 0,
        message: message.to_owned(),
    })
}
