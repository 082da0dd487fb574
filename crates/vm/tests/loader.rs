//! Objects that no compiler writes: each is refused, quickly, in one line that says why; and a
//! test that fails when a reason has none.

mod support;

use std::path::PathBuf;

use support::elf::{
    A, Elf, FUNCTION, NO_TYPE, NOBITS, OBJECT, PROGBITS, R_64_32, R_64_64, R_64_ABS32, R_64_ABS64,
    RELA, Section, W,
};
use support::{Asm, ENGINES, helpers, slot};
use zeroserve_vm::limits::{
    MAX_FUNCTION_INSNS, MAX_FUNCTIONS, MAX_IMAGE_BYTES, MAX_INSNS, MAX_NAME_BYTES,
    MAX_OBJECT_BYTES, MAX_RELOCATIONS,
};
use zeroserve_vm::{Engine, LoadError, Program};

type Row = (&'static str, Vec<u8>, String);

const PATTERNS: &str = "zeroserve.patterns";

fn load(object: &[u8], engine: Engine) -> Result<Program, LoadError> {
    Program::load(object, helpers(), engine)
}

/// An object of one function.
fn code(asm: &Asm) -> Elf {
    Elf::with_code(&asm.0)
}

fn ok() -> Asm {
    Asm::default().mov(0, 0).exit()
}

/// An object of one function that is `ok`, changed.
fn changed(change: impl FnOnce(&mut Elf)) -> Vec<u8> {
    let mut elf = code(&ok());
    change(&mut elf);
    elf.bytes()
}

/// An object of one function with one relocation of its first instruction.
fn relocated(insn: [[u8; 8]; 2], kind: u32, symbol: impl FnOnce(&mut Elf) -> u32) -> Vec<u8> {
    let mut elf = code(&Asm::default().slots(&insn).mov(0, 0).exit());
    let symbol = symbol(&mut elf);
    elf.relocate(1, 0, symbol, kind);
    elf.bytes()
}

const LDDW: [[u8; 8]; 2] = [slot_of(0x18, 1), slot_of(0, 0)];

const fn slot_of(op: u8, dst: u8) -> [u8; 8] {
    [op, dst, 0, 0, 0, 0, 0, 0]
}

const CALL: [[u8; 8]; 2] =
    [[0x85, 0x10, 0, 0, 0xff, 0xff, 0xff, 0xff], [0xb7, 0, 0, 0, 0, 0, 0, 0]];

/// The file as a whole.
fn files() -> Vec<Row> {
    let plain = code(&ok()).bytes();
    let with = |at: usize, bytes: &[u8]| {
        let mut object = plain.clone();
        object[at..at + bytes.len()].copy_from_slice(bytes);
        object
    };
    let mut huge = plain.clone();
    huge.resize(MAX_OBJECT_BYTES + 1, 0);
    let size = huge.len();
    vec![
        ("huge", huge, format!("an object of {size} bytes; the most is {MAX_OBJECT_BYTES}")),
        ("empty", Vec::new(), "not an ELF object: it does not begin with 7f 45 4c 46".into()),
        ("text", b"int main() {}".into(), "not an ELF object".into()),
        ("32 bits", with(4, &[1]), "not 64-bit little-endian; compile for bpfel".into()),
        ("big-endian", with(5, &[2]), "not 64-bit little-endian; compile for bpfel".into()),
        ("only a head", plain[..40].into(), "ELF: ".into()),
        ("no sections", with(60, &[0, 0]), "no sections, or more than 65,279".into()),
        ("x86-64", with(18, &[62, 0]), "for machine 62, not eBPF (247)".into()),
        ("a linked file", with(16, &[2, 0]), "a linked file; only relocatable objects".into()),
        ("sections nowhere", with(40, &[0xff; 8]), "ELF: ".into()),
        ("names nowhere", with(62, &[77, 0]), "ELF: ".into()),
    ]
}

/// Sections and symbols.
fn sections() -> Vec<Row> {
    let one = |name: &str, change: &dyn Fn(&mut Section)| {
        changed(|elf| {
            let index = elf.section(name, PROGBITS, A | W, &[1; 16]);
            change(&mut elf.sections[usize::from(index)]);
        })
    };
    let of_code = |change: &dyn Fn(&mut Section)| changed(|elf| change(&mut elf.sections[1]));
    let long = "n".repeat(MAX_NAME_BYTES + 1);
    let slots = |count: usize| code(&Asm(ok().0.repeat(count / 2))).bytes();
    let functions = changed(|elf| {
        elf.sections[1].data = ok().0.repeat(MAX_FUNCTIONS + 1);
        for index in 0..=MAX_FUNCTIONS {
            elf.symbol("f", FUNCTION, 1, index as u64 * 16);
        }
    });
    vec![
        (
            "name",
            changed(|elf| _ = elf.symbol(&long, FUNCTION, 1, 0)),
            "a name of more than".into(),
        ),
        (
            "variables",
            one(".bss", &|s| (s.kind, s.size) = (NOBITS, Some(u64::from(MAX_IMAGE_BYTES) + 1))),
            format!("more than {MAX_IMAGE_BYTES} bytes of constants and variables"),
        ),
        (
            "endless variables",
            one(".bss", &|s| (s.kind, s.size) = (NOBITS, Some(u64::MAX))),
            "section .bss: too large".into(),
        ),
        ("data nowhere", one(".data", &|s| s.size = Some(1 << 20)), "section .data: ".into()),
        (
            "thread-local",
            one(".tbss", &|s| (s.kind, s.flags, s.size) = (NOBITS, A | W | 0x400, Some(8))),
            "section .tbss: its data ends early".into(),
        ),
        ("alignment", one(".data", &|s| s.align = 3), "section .data: alignment 3".into()),
        ("pages", one(".data", &|s| s.align = 1 << 20), "section .data: alignment 1048576".into()),
        ("maps", one(".maps", &|_| ()), "section .maps: there are no maps here".into()),
        ("old maps", one("maps", &|_| ()), "section maps: there are no maps here".into()),
        (
            "code without data",
            of_code(&|s| (s.kind, s.size) = (NOBITS, Some(1 << 40))),
            "section .text: its data ends early".into(),
        ),
        (
            "half an instruction",
            of_code(&|s| s.data.truncate(12)),
            "section .text: 12 bytes are no whole instructions".into(),
        ),
        ("no code", changed(|elf| elf.sections[1].flags = A), "no functions in it".into()),
        ("ten megabytes", slots((10 << 20) / 8), format!("more than {MAX_INSNS} instructions")),
        ("functions", functions, format!("more than {MAX_FUNCTIONS} functions")),
        (
            "function behind the code",
            changed(|elf| _ = elf.symbol("behind", FUNCTION, 1, 16)),
            "function behind: it begins outside of its section".into(),
        ),
        (
            "function between instructions",
            changed(|elf| _ = elf.symbol("between", FUNCTION, 1, 4)),
            "function between: it begins outside of its section".into(),
        ),
        (
            "patterns twice",
            changed(|elf| {
                elf.section(PATTERNS, PROGBITS, 0, b"1");
                elf.section(PATTERNS, PROGBITS, 0, b"2");
            }),
            "more than one section zeroserve.patterns".into(),
        ),
        (
            "patterns nowhere",
            one(PATTERNS, &|s| (s.flags, s.size) = (0, Some(1 << 20))),
            "section zeroserve.patterns: ".into(),
        ),
    ]
}

fn relocations() -> Vec<Row> {
    let not_there = relocated(LDDW, R_64_64, |_| 99);
    let none = relocated(LDDW, R_64_64, |_| 0);
    let data = |elf: &mut Elf| elf.section(".data", PROGBITS, A | W, &[0; 16]);
    let in_data = |offset: u64, kind: u32, value: u64| {
        changed(|elf| {
            let data = data(elf);
            let symbol = elf.symbol("main", FUNCTION, 1, value);
            elf.symbols.remove(1);
            elf.relocate(data, offset, symbol - 1, kind);
        })
    };
    let outside = |offset| {
        let mut elf = code(&Asm::default().slots(&LDDW).mov(0, 0).exit());
        elf.relocate(1, offset, 1, R_64_64);
        elf.bytes()
    };
    let mut many = code(&Asm::default().slots(&CALL).exit());
    let sum = many.symbol("sum", NO_TYPE, 0, 0);
    many.relocations = vec![(1, 0, sum, R_64_32); MAX_RELOCATIONS + 1];
    let mut rela = code(&Asm::default().slots(&LDDW).mov(0, 0).exit());
    let index = rela.section(
        ".rela.text",
        RELA,
        0,
        &[0_u64, 1 << 32 | 1, 8].map(u64::to_le_bytes).concat(),
    );
    let section = &mut rela.sections[usize::from(index)];
    // The symbol table comes behind what is here.
    (section.link, section.info, section.entry) = (3, 1, 24);
    vec![
        (
            "symbol",
            not_there,
            "section .text, offset 0x0: relocation against symbol 99, which".into(),
        ),
        ("no symbol", none, "section .text: relocation at 0x0 without symbol".into()),
        ("many", many.bytes(), format!("more than {MAX_RELOCATIONS} relocations")),
        (
            "addend",
            rela.bytes(),
            "section .text: relocation at 0x0 with an addend of its own".into(),
        ),
        (
            "no lddw",
            relocated(CALL, R_64_64, |_| 1),
            "section .text, offset 0x0: relocation of an address on something that is no lddw"
                .into(),
        ),
        (
            "no call",
            relocated(LDDW, R_64_32, |_| 1),
            "section .text, offset 0x0: relocation of a call on something that is no call".into(),
        ),
        (
            "kind",
            relocated(LDDW, 77, |_| 1),
            "section .text, offset 0x0: relocation of kind 77 is not known".into(),
        ),
        ("outside", outside(32), "offset 0x20: relocation outside of the code".into()),
        ("half outside", outside(24), "offset 0x18: relocation outside of the code".into()),
        ("far outside", outside(u64::MAX - 7), "relocation outside of the code".into()),
        ("between", outside(4), "offset 0x4: relocation outside of the code".into()),
        ("data outside", in_data(9, R_64_ABS64, 0), "relocation outside of the data".into()),
        (
            "data far outside",
            in_data(u64::MAX, R_64_ABS32, 0),
            "relocation outside of the data".into(),
        ),
        (
            "32 bits",
            in_data(0, R_64_ABS32, 0),
            "section .data, offset 0x0: the address of a function does not fit into 32 bits".into(),
        ),
        (
            "not defined",
            relocated(LDDW, R_64_64, |elf| elf.symbol("missing", NO_TYPE, 0, 0)),
            "missing is not defined in this object".into(),
        ),
        (
            "middle of a function",
            relocated(LDDW, R_64_64, |elf| elf.symbol("inner", NO_TYPE, 1, 16)),
            "the address of inner is not the start of a function".into(),
        ),
        (
            "common",
            relocated(LDDW, R_64_64, |elf| elf.symbol("shared", OBJECT, 0xfff2, 8)),
            "shared is a common symbol; compile with -fno-common".into(),
        ),
        (
            "not loaded",
            relocated(LDDW, R_64_64, |elf| {
                let section = elf.section(".comment", PROGBITS, 0, b"x");
                elf.symbol("note", OBJECT, section, 0)
            }),
            "note is in a section that is not loaded".into(),
        ),
        (
            "jump table",
            relocated(LDDW, R_64_64, |elf| {
                let section = elf.section(".jumptables", PROGBITS, 0, b"x");
                elf.symbol("BPF.JT.0.0", OBJECT, section, 0)
            }),
            "jump through a table; compile with -mcpu=v3 or -fno-jump-tables".into(),
        ),
        (
            "call of data",
            relocated(CALL, R_64_32, |elf| {
                let data = elf.section(".data", PROGBITS, A | W, &[0; 16]);
                elf.symbol("state", OBJECT, data, 0)
            }),
            "call of state, which is no function".into(),
        ),
        (
            "call to nowhere",
            relocated(CALL, R_64_32, |elf| elf.symbol("far", NO_TYPE, 1, 1 << 60)),
            "call of far, outside of the code".into(),
        ),
    ]
}

/// One instruction of `main` that is wrong, in the place where it stands.
fn instructions() -> Vec<Row> {
    let row =
        |what: &'static str, asm: Asm, expected: &str| (what, code(&asm).bytes(), expected.into());
    let one = |what: &'static str, insn: [u8; 8], expected: &str| {
        row(what, Asm::default().slots(&[insn]).mov(0, 0).exit(), expected)
    };
    let undefined = relocated(CALL, R_64_32, |elf| elf.symbol("zs_unknown", NO_TYPE, 0, 0));
    let middle = relocated(CALL, R_64_32, |elf| elf.symbol("inner", NO_TYPE, 1, 8));
    let long = Asm(slot(0xb7, 0, 0, 0, 0).repeat(MAX_FUNCTION_INSNS)).exit();
    vec![
        one(
            "opcode",
            slot(0xff, 0, 0, 0, 0),
            "main, instruction 0 (opcode 0xff): unknown opcode 0xff",
        ),
        one("packet", slot(0x20, 0, 0, 0, 0), "unknown opcode 0x20"),
        one(
            "r11",
            slot(0xb7, 11, 0, 0, 0),
            "main, instruction 0 (opcode 0xb7): there is no register r11",
        ),
        one("r15", slot(0xbf, 0, 15, 0, 0), "there is no register r15"),
        one("r10", slot(0x07, 10, 0, 0, 8), "main, instruction 0 (opcode 0x07): r10 is read-only"),
        one("r10 loaded", slot(0x79, 10, 1, 0, 0), "r10 is read-only"),
        one("r10 fetched", slot(0xdb, 1, 10, 0, 1), "r10 is read-only"),
        one("offset", slot(0x0f, 1, 2, 3, 0), "offset 3 where it must be zero"),
        one("movsx", slot(0xbf, 1, 2, 24, 0), "sign extension from 24 bits"),
        one("movsx 32", slot(0xbc, 1, 2, 32, 0), "sign extension from 32 bits"),
        one("order", slot(0xdc, 1, 0, 0, 8), "byte order of 8 bits"),
        one("atomic", slot(0xdb, 1, 2, 0, 0xe0), "unknown atomic operation 0xe0"),
        one("atomic byte", slot(0xd3, 1, 2, 0, 0), "unknown opcode 0xd3"),
        one("unused", slot(0x95, 0, 0, 0, 1), "immediate is not used here and must be zero"),
        one("unused src", slot(0x87, 0, 1, 0, 0), "source register is not used here and must be"),
        one("unused off", slot(0x95, 0, 0, 1, 0), "offset is not used here and must be zero"),
        one("unused dst", slot(0x05, 1, 0, 0, 0), "destination register is not used here and must"),
        one(
            "map",
            slot(0x18, 1, 1, 0, 0),
            "the second half of lddw must be zero but for its constant",
        ),
        row(
            "map of kind 1",
            Asm::default().slots(&[slot(0x18, 1, 1, 0, 3), slot(0, 0, 0, 0, 0)]).exit(),
            "lddw of kind 1 refers to maps or kernel data",
        ),
        row(
            "half of lddw",
            Asm::default().mov(0, 0).slots(&[slot(0x18, 1, 0, 0, 3)]),
            "lddw lacks its second half",
        ),
        one("kfunc", slot(0x85, 0, 2, 0, 5), "call of kind 2 refers to kernel functions"),
        one("two registers", slot(0x8d, 1, 0, 0, 2), "two registers to call through"),
        one("callx r77", slot(0x8d, 0, 0, 0, 77), "there is no register r77"),
        one("callx r300", slot(0x8d, 0, 0, 0, 300), "there is no register r255"),
        one(
            "gotox",
            slot(0x0d, 1, 0, 0, 0),
            "jump through a table; compile with -mcpu=v3 or -fno-jump",
        ),
        one(
            "helper 99",
            slot(0x85, 0, 0, 0, 99),
            "main, instruction 0 (opcode 0x85): there is no helper number 99",
        ),
        (
            "helper",
            undefined,
            "main, instruction 0 (opcode 0x85): there is no helper zs_unknown".into(),
        ),
        (
            "middle",
            middle,
            "main, instruction 0 (opcode 0x85): call of something that is not the start".into(),
        ),
        one(
            "call outside",
            slot(0x85, 0, 1, 0, 1 << 20),
            "call of something that is not the start of a function",
        ),
        one(
            "call before",
            slot(0x85, 0, 1, 0, i32::MIN),
            "call of something that is not the start of a function",
        ),
        one(
            "jump out",
            slot(0x05, 0, 0, 2, 0),
            "main, instruction 0 (goto +2): jump out of the function",
        ),
        one("far jump", slot(0x06, 0, 0, 0, i32::MAX), "jump out of the function"),
        one(
            "jump before",
            slot(0x05, 0, 0, -2, 0),
            "main, instruction 0 (opcode 0x05): jump to before the function",
        ),
        one(
            "branch out",
            slot(0x15, 0, 0, 2, 0),
            "main, instruction 0 (if r0 == 0 goto +2): jump out of the function",
        ),
        row(
            "into lddw",
            Asm::default().slots(&[slot(0x15, 3, 0, 1, 7)]).lddw(0, 1).exit(),
            "main, instruction 0 (if r3 == 7 goto +1): jump into the middle of lddw",
        ),
        row(
            "fall through",
            Asm::default().exit().mov(0, 7),
            "main, instruction 1 (r0 = 7): runs past the end of the function",
        ),
        row(
            "branch at the end",
            Asm::default().exit().slots(&[slot(0x15, 3, 0, -1, 7)]),
            "main, instruction 1 (if r3 == 7 goto -1): runs past the end of the function",
        ),
        row(
            "call at the end",
            Asm::default().exit().helper(1),
            "main, instruction 1 (call sum): runs past the end of the function",
        ),
        row("long", long, &format!("a function of more than {MAX_FUNCTION_INSNS} instructions")),
        row(
            "frame",
            Asm::default().copy(1, 10).add(1, -70_000).store(1, 0, 0).exit(),
            "main, instruction 1 (r1 += -70000): a stack frame of 70000 bytes; the most is 65536",
        ),
    ]
}

fn rows() -> Vec<Row> {
    [files(), sections(), relocations(), instructions()].concat()
}

#[test]
fn each_reason_is_given() {
    let mut wrong = Vec::new();
    for (what, object, expected) in rows() {
        for engine in ENGINES {
            match load(&object, engine) {
                Ok(_) => wrong.push(format!("{what}: loaded")),
                Err(error) => {
                    let text = error.to_string();
                    let clean = !text.contains(char::is_control) && !text.ends_with('.');
                    if !text.contains(&expected) || !clean {
                        wrong.push(format!("{what}: {text:?}, expected {expected:?}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The object that the others are changes of is fine, and so is one without symbols.
#[test]
fn what_is_not_changed_loads() {
    for engine in ENGINES {
        assert!(load(&code(&ok()).bytes(), engine).is_ok());
        let program = load(&changed(|elf| elf.symbols.truncate(1)), engine).expect("it loads");
        assert_eq!(program.functions()[0].name, ".text");
    }
}

/// What is for the host is kept, and takes no place in guest memory.
#[test]
fn patterns_are_kept() {
    for (engine, flags) in ENGINES.into_iter().flat_map(|engine| [(engine, 0), (engine, A)]) {
        let object = changed(|elf| _ = elf.section(PATTERNS, PROGBITS, flags, b"\x01a\0"));
        let plain = load(&code(&ok()).bytes(), engine).expect("it loads");
        let program = load(&object, engine).expect("it loads");
        assert_eq!((plain.patterns(), program.patterns()), (&b""[..], &b"\x01a\0"[..]));
        assert_eq!(plain.layout(), program.layout());
    }
}

#[test]
fn bare_instructions() {
    let refused = |code: &[u8]| {
        let program = Program::from_instructions(code, helpers(), Engine::Interpreted);
        program.expect_err("refused").to_string()
    };
    assert_eq!(refused(&[]), "0 bytes are no whole instructions");
    assert_eq!(refused(&[0x95; 7]), "7 bytes are no whole instructions");
    let expected = format!("more than {MAX_INSNS} instructions");
    assert_eq!(refused(&slot(0x95, 0, 0, 0, 0).repeat(MAX_INSNS + 1)), expected);
}

/// Names of a hostile object stay in their line.
#[test]
fn names_can_not_forge_lines() {
    let object = changed(|elf| {
        elf.symbols[1].name = "main\nlistening on\u{1b}[2J".into();
        elf.sections[1].data = slot(0xff, 0, 0, 0, 0).to_vec();
    });
    let text = load(&object, Engine::Interpreted).expect_err("refused").to_string();
    assert_eq!(
        text,
        "main\u{fffd}listening on\u{fffd}[2J, instruction 0 (opcode 0xff): unknown opcode 0xff"
    );
}

/// An object of everything that objects have, with lines.
fn seeds() -> Vec<Vec<u8>> {
    let corpus = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/objects");
    let files = std::fs::read_dir(corpus).expect("the corpus");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read(file).expect("a file")).collect()
}

/// Cut off anywhere, an object is refused or what is left of it is an object.
#[test]
fn truncated_objects() {
    for seed in seeds() {
        load(&seed, Engine::Interpreted).map(drop).unwrap_or_else(|error| panic!("{error}"));
        for len in 0..seed.len() {
            if let Err(error) = load(&seed[..len], Engine::Interpreted) {
                assert!(!error.to_string().is_empty());
            }
        }
    }
}

/// Every byte of an object, changed.
#[test]
fn changed_objects() {
    for seed in seeds() {
        for at in 0..seed.len() {
            let mut object = seed.clone();
            object[at] ^= [0x01, 0x80, 0xff][at % 3];
            if let Err(error) = load(&object, Engine::Interpreted) {
                let text = error.to_string();
                assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
            }
        }
    }
}

/// Reasons that no object can be given here, and why.
const UNTESTED: [&str; 10] = [
    // A part of one.
    "source register",
    // Every call has a target before it is verified.
    "call of an unknown function",
    // Of the machine or of Cranelift, not of an object.
    "no executable memory for compiled scripts: {error}",
    "function {name}: compiler: {}",
    "function {name}: compiler: no code",
    "compiler: {error}",
    "compiler: relocation {other:?}",
    "compiler: a call too far",
    "compiler: a reference to something outside, {:?}",
    // In tests/sandbox.rs: it takes the compiler some seconds.
    "function {} needs {native} bytes of native stack for a frame of {frame}; split it up",
];

/// Each text in the sources of the loader that reads like a reason is one that some object gets.
#[test]
fn every_reason_has_a_test() {
    let given: Vec<String> =
        rows().iter().filter_map(|row| Some(load(&row.1, ENGINES[0]).err()?.to_string())).collect();
    let mut missing = Vec::new();
    for file in ["insn", "verify", "object_file", "code", "compile"] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/{file}.rs"));
        let source = std::fs::read_to_string(path).expect("the source");
        for text in texts(&source) {
            let known = given.iter().any(|given| matches(&text, given));
            if !known && !UNTESTED.contains(&text.as_str()) {
                missing.push(format!("{file}.rs: {text:?}"));
            }
        }
    }
    assert!(missing.is_empty(), "no object is refused with:\n{}", missing.join("\n"));
}

/// String literals of more than one word, without comments, attributes and assembly.
fn texts(source: &str) -> Vec<String> {
    let other =
        |line: &&str| ["//", "#[", "std::arch::asm"].iter().any(|o| line.trim().starts_with(o));
    let code: Vec<&str> = source.lines().filter(|line| !other(line)).collect();
    let code = code.join("\n").replace("\\\n", "");
    let mut found = Vec::new();
    let mut rest = code.as_str();
    while let Some((_, behind)) = rest.split_once('"') {
        let Some((text, behind)) = behind.split_once('"') else { break };
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.len() > 1 {
            found.push(words.join(" "));
        }
        rest = behind;
    }
    found
}

/// Whether a text is what a format with placeholders makes.
fn matches(format: &str, text: &str) -> bool {
    let parts = format.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
    let mut rest = text;
    parts.into_iter().all(|part| match rest.split_once(part) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}
