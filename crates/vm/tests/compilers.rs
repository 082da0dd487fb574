//! Objects as compilers write them: the same C from each compiler that is installed, with and
//! without optimisation, on both executors.

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use support::{ENGINES, Outcome, helpers, run};
use zeroserve_vm::{Fuel, Instance, Program};

struct Compiler {
    name: &'static str,
    command: Vec<String>,
    /// What it can compile for.
    cpus: &'static [&'static str],
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The compilers that are there; the others are named.
fn compilers() -> Vec<Compiler> {
    let python = directory().join("../../.venv/bin/python");
    let zig = [&python.to_string_lossy(), "-m", "ziglang", "cc"].map(str::to_owned);
    let rows = [
        ("clang-14", vec!["clang-14".to_owned()], "bpfel", &["v1", "v2", "v3"][..]),
        ("clang-16", vec!["clang-16".to_owned()], "bpfel", &["v3"]),
        ("clang-19", vec!["clang-19".to_owned()], "bpfel", &["v2", "v3", "v4"]),
        ("ziglang", zig.to_vec(), "bpfel-freestanding-none", &["v3", "v4"]),
    ];
    let found = rows.into_iter().filter_map(|(name, mut command, target, cpus)| {
        let probe = Command::new(&command[0]).args(&command[1..]).arg("--version").output();
        if !probe.is_ok_and(|output| output.status.success()) {
            eprintln!("skipped: {name} is not installed");
            return None;
        }
        command.push(format!("--target={target}"));
        if name == "ziglang" {
            // Unless told otherwise it checks for undefined behaviour, by calls of its runtime.
            command.extend(["-fno-sanitize=all", "-fno-stack-protector"].map(str::to_owned));
        }
        Some(Compiler { name, command, cpus })
    });
    found.collect()
}

impl Compiler {
    fn compile(&self, source: &Path, flags: &[&str]) -> Vec<u8> {
        let stem = source.file_stem().expect("a file").to_string_lossy();
        let out = format!("{stem}-{}{}.o", self.name, flags.concat());
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join(out.replace(['/', '='], "_"));
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]).args(flags).arg("-c").arg(source).arg("-o").arg(&out);
        let output = command.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{} {flags:?}: {said}", self.name);
        std::fs::read(out).expect("an object")
    }
}

/// Entry, arguments, result.
const EVERYTHING: [(&str, [u64; 2], u64); 22] = [
    ("constants", [3, 0], 7),
    ("constants", [7, 0], 19),
    ("variables", [1, 0], 42),
    ("variables", [511, 0], 552),
    ("strings", [2, 0], 512),
    ("strings", [3, 0], 912),
    ("pointers", [0, 5], 46),
    ("pointers", [1, 5], 61),
    ("pointers", [2, 5], 31),
    ("switches", [1, 0], 11),
    ("switches", [2, 0], 41),
    ("switches", [3, 0], 104),
    ("switches", [5, 0], 13),
    ("switches", [7, 0], 14),
    ("switches", [9, 0], 81),
    ("switches", [100, 0], 7777),
    ("recursion", [10, 0], 55),
    ("helpers", [7, 8], 34),
    ("frames", [1000, 0], 934),
    ("unreachable", [2, 0], 2),
    ("other", [10, 0], 54),
    ("signs", [-1000_i64 as u64, -7_i64 as u64], 6876 + ((1 << 59) - 32)),
];

fn run_named(program: &Arc<Program>, name: &str, [a, b]: [u64; 2], fuel: Fuel) -> Outcome {
    let mut instance = Instance::new(Arc::clone(program)).expect("memory");
    let function = program.function_named(name).unwrap_or_else(|| panic!("no function {name}"));
    run(&mut instance, function, [a, b, 0, 0, 0], fuel)
}

#[test]
fn everything_from_every_compiler() {
    let source = directory().join("tests/c/everything.c");
    for compiler in compilers() {
        for cpu in compiler.cpus {
            for level in ["-O0", "-O1", "-O2", "-Os"] {
                for debug in ["-g0", "-g"] {
                    let flags = [level, debug, &format!("-mcpu={cpu}")];
                    check_everything(&compiler.compile(&source, &flags), compiler.name, &flags);
                }
            }
        }
    }
}

fn check_everything(object: &[u8], compiler: &str, flags: &[&str]) {
    let [interpreted, compiled] = ENGINES.map(|engine| {
        let program = Program::load(object, helpers(), engine);
        Arc::new(program.unwrap_or_else(|error| panic!("{compiler} {flags:?}: {error}")))
    });
    assert!(interpreted.functions_in("zeroserve.request").count() >= 10);
    assert_eq!(interpreted.functions_in("zeroserve.call.other").count(), 1);
    for (name, args, expected) in EVERYTHING {
        let [a, b] = [&interpreted, &compiled].map(|p| run_named(p, name, args, Fuel::default()));
        assert!(a == b, "{compiler} {flags:?} {name}: {:?} and {:?}", a.end, b.end);
        assert_eq!(a.end, Ok(expected), "{compiler} {flags:?} {name} {args:?}");
    }
    let aborted = run_named(&compiled, "unreachable", [3, 0], Fuel::default());
    assert_eq!(aborted.trap().kind.name(), "abort");
    assert_eq!(aborted.trap().line.is_some(), flags.contains(&"-g"));
}

/// Kind and line of each entry's trap: the first mark behind its name, or that of `deeper`.
fn marks(source: &str) -> Vec<(String, String, u32)> {
    let mark = |line: &str| {
        let (_, rest) = line.split_once("/* ")?;
        Some(rest.split_once(" */").filter(|(_, behind)| behind.is_empty())?.0.to_owned())
    };
    let lines: Vec<&str> = source.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some((name, _)) = line.strip_prefix("ENTRY(").and_then(|l| l.split_once(')')) else {
            continue;
        };
        let place = match name {
            "deep" => lines.iter().position(|line| line.contains(" deeper(u64 n) {")),
            _ => (at..lines.len()).find(|at| mark(lines[*at]).is_some()),
        };
        let place = place.expect("a mark");
        found.push((name.to_owned(), mark(lines[place]).expect("a mark"), place as u32 + 1));
    }
    found
}

#[test]
fn traps_name_their_line() {
    let source = directory().join("tests/c/lines.c");
    let marks = marks(&std::fs::read_to_string(&source).expect("the source"));
    assert!(marks.len() >= 12, "{marks:?}");
    for compiler in compilers() {
        for flags in [["-O2", "-g"], ["-O0", "-g"], ["-O2", "-gdwarf-4"], ["-Os", "-gdwarf-5"]] {
            let object = compiler.compile(&source, &[flags[0], flags[1], "-mcpu=v3"]);
            for (name, kind, line) in &marks {
                let [a, b] = ENGINES.map(|engine| {
                    let program = Program::load(&object, helpers(), engine).expect("it loads");
                    let fuel = Fuel { budget: 100_000, ..Fuel::default() };
                    run_named(&Arc::new(program), name, [8, 0], fuel)
                });
                let what = format!("{} {flags:?} {name}", compiler.name);
                assert!(a == b, "{what}: {:?} and {:?}", a.end, b.end);
                assert_eq!(a.trap().kind.name(), kind, "{what}: {}", a.trap());
                let expected = ("lines.c".to_owned(), *line);
                assert_eq!(a.trap().line, Some(expected), "{what}: {}", a.trap());
                let text = format!(" at lines.c:{line}");
                assert!(a.trap().to_string().ends_with(&text), "{}", a.trap());
            }
        }
    }
}

/// A switch of many cases: a tree of compares, or a jump table, which is refused with a way out.
#[test]
fn jump_tables_are_refused_clearly() {
    let source = directory().join("tests/c/switch.c");
    for compiler in compilers() {
        for cpu in compiler.cpus {
            let object = compiler.compile(&source, &["-O2", &format!("-mcpu={cpu}")]);
            for engine in ENGINES {
                match Program::load(&object, helpers(), engine) {
                    Ok(program) => {
                        let outcome =
                            run_named(&Arc::new(program), "many", [17, 4], Fuel::default());
                        assert_eq!(outcome.value(), 17 * 4 + 3);
                    }
                    Err(error) => {
                        let text = error.to_string();
                        assert!(text.contains("compile with -mcpu=v3 or"), "{text}");
                        assert_eq!(*cpu, "v4", "{}: {text}", compiler.name);
                    }
                }
            }
        }
    }
}

/// Objects without a compiler at hand: the LLVM that Python brings along.
#[test]
fn llvmlite_objects_load() {
    const SCRIPT: &str = r#"
import sys, llvmlite.binding as llvm
llvm.initialize_all_targets(); llvm.initialize_all_asmprinters()
module = llvm.parse_assembly('''
target triple = "bpfel"
@table = internal constant [4 x i64] [i64 5, i64 6, i64 7, i64 8]
@state = global i64 100
declare i64 @sum(i64, i64, i64, i64, i64)
define internal i64 @inner(i64 %x) noinline {
  %p = getelementptr [4 x i64], ptr @table, i64 0, i64 %x
  %v = load i64, ptr %p
  %s = load i64, ptr @state
  %r = add i64 %v, %s
  ret i64 %r
}
define i64 @outer(i64 %x) section "zeroserve.request" {
  %a = call i64 @inner(i64 %x)
  %b = call i64 @sum(i64 %a, i64 1, i64 2, i64 3, i64 4)
  ret i64 %b
}
''')
machine = llvm.Target.from_triple("bpfel").create_target_machine(cpu=sys.argv[1], opt=2)
sys.stdout.buffer.write(machine.emit_object(module))
"#;
    let python = directory().join("../../.venv/bin/python");
    for cpu in ["v3", "v4"] {
        let output = Command::new(&python).args(["-c", SCRIPT, cpu]).output();
        let Some(object) = output.ok().filter(|output| output.status.success()) else {
            eprintln!("skipped: llvmlite is not in .venv");
            return;
        };
        for engine in ENGINES {
            let program = Program::load(&object.stdout, helpers(), engine).expect("it loads");
            let outcome = run_named(&Arc::new(program), "outer", [2, 0], Fuel::default());
            assert_eq!(outcome.value(), 117);
        }
    }
}
