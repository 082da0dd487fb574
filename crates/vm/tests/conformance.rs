//! The vectors of the public bpf_conformance suite, when they are there.

use std::path::Path;
use std::sync::Arc;

use zeroserve_vm::{Engine, Event, Fuel, Helper, HelperTable, Instance, Program};

fn run(program: &[u8], memory: &[u8], engine: Engine) -> Result<(u64, u64), String> {
    // The suite's helper 5 returns what it is given, all but zero.
    let unwind = Helper { number: 5, name: "unwind", arity: 1, fuel: 0 };
    let helpers = Arc::new(HelperTable::new([unwind]));
    let program =
        Program::from_instructions(program, helpers, engine).map_err(|e| e.to_string())?;
    let mut instance = Instance::new(Arc::new(program)).map_err(|e| e.to_string())?;
    let heap = u64::from(instance.memory().layout().heap);
    let place = instance.memory().write(heap, memory.len() as u64).map_err(|e| e.to_string())?;
    place.copy_from_slice(memory);
    let first = if memory.is_empty() { 0 } else { heap };
    let args = [first, memory.len() as u64, 0, 0, 0];
    instance.start(0, args, Fuel::default()).map_err(|e| e.to_string())?;
    let mut event = instance.resume();
    loop {
        event = match event {
            Event::Slice => instance.resume(),
            Event::Helper { number: 5, args } => instance.reply(args[0]),
            _ => break,
        };
    }
    match event {
        Event::Done(value) => Ok((value, instance.fuel_used())),
        Event::Trapped(trap) => Err(trap.to_string()),
        other => Err(format!("{other:?}")),
    }
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| {
        u8::from_str_radix(std::str::from_utf8(pair).expect("ascii"), 16).expect("hex")
    };
    digits.chunks(2).map(byte).collect()
}

#[test]
fn vectors() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/bpf_conformance.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return;
    };
    let all: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let vectors = all["vectors"].as_array().expect("an array");
    let mut wrong = Vec::new();
    for vector in vectors {
        let text = |field: &str| vector[field].as_str().unwrap_or_default().to_owned();
        let (program, memory) = (hex(&text("program")), hex(&text("memory")));
        let runs =
            [Engine::Interpreted, Engine::Compiled].map(|engine| run(&program, &memory, engine));
        if runs[0] != runs[1] {
            wrong.push(format!("{}: {:?} against {:?}", text("name"), runs[0], runs[1]));
        }
        let expected = u64::from_str_radix(text("result").trim_start_matches("0x"), 16);
        match (&runs[0], text("error").is_empty()) {
            (Ok((value, _)), true) if Ok(*value) == expected => {}
            (Err(_), false) => {}
            (got, _) => wrong.push(format!(
                "{}: expected {:?} {:?}, got {got:?}",
                text("name"),
                text("result"),
                text("error")
            )),
        }
    }
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), vectors.len(), wrong.join("\n"));
}
