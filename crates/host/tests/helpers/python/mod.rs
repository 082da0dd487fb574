//! What compiled Python asks for.

pub(crate) mod codecs;
mod hostile;
pub(crate) mod letters;
pub(crate) mod methods;
pub(crate) mod modules;
pub(crate) mod numbers;
pub(crate) mod py;
pub(crate) mod sequences;
pub(crate) mod text;
pub(crate) mod values;

use zeroserve_host::{Outcome, rows};

use crate::rig::Rig;

/// All cases.
pub(crate) fn cases() -> Vec<fn()> {
    [
        text::CASES,
        methods::CASES,
        letters::CASES,
        sequences::CASES,
        numbers::CASES,
        modules::CASES,
        values::CASES,
        codecs::CASES,
    ]
    .concat()
}

/// An argument of a helper or its result.
#[derive(Clone, Copy, Debug)]
pub(crate) enum V<'a> {
    /// A str.
    S(&'a str),
    /// A str, in UTF-8 where surrogates are allowed.
    R(&'a [u8]),
    /// A bytes.
    B(&'a [u8]),
    /// An int, or a bool.
    I(i64),
    /// A list.
    L(&'a [V<'a>]),
    /// The values of a tuple.
    T(&'a [V<'a>]),
    /// None.
    N,
    /// An exception.
    E(&'a str),
    /// The beginning of the reason of a trap.
    Trap(&'a str),
}

/// The word of an argument, which is put into the script's memory.
pub(crate) fn word(rig: &mut Rig, value: V<'_>) -> u64 {
    let mut text = |bytes: &[u8], wide: bool| {
        rig.put(bytes) | (bytes.len() as u64) << 32 | u64::from(wide) << 63
    };
    match value {
        V::S(value) => text(value.as_bytes(), !value.is_ascii()),
        V::R(value) => text(value, !value.is_ascii()),
        V::B(value) => text(value, false),
        V::I(number) => number as u64,
        V::L(values) => {
            let words: Vec<u64> = values.iter().map(|value| word(rig, *value)).collect();
            rig.put(&words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())
                | (words.len() as u64) << 32
        }
        V::N => 0,
        other => panic!("{other:?} is no argument"),
    }
}

/// Look at a word of a result: it has to be that of a value.
pub(crate) fn expect(rig: &mut Rig, word: u64, value: V<'_>) {
    let (address, len) = (word & 0xffff_ffff, word >> 32 & 0x7fff_ffff);
    let mut text = |expected: &[u8], wide: bool| {
        assert!(address != 0, "{value:?}");
        assert_eq!(rig.read(address, len), expected, "{value:?}");
        assert_eq!(word >> 63 != 0, wide, "{value:?}");
    };
    match value {
        V::S(value) => text(value.as_bytes(), !value.is_ascii()),
        V::R(value) => text(value, !value.is_ascii()),
        V::B(value) => text(value, false),
        V::I(number) => assert_eq!(word as i64, number),
        V::L(values) => {
            assert!(word != 0);
            assert_eq!(word >> 32, values.len() as u64, "{value:?}");
            expect_words(rig, address, values);
        }
        other => panic!("{word:#x} instead of {other:?}"),
    }
}

fn expect_words(rig: &mut Rig, address: u64, values: &[V<'_>]) {
    for (at, value) in (address..).step_by(8).zip(values) {
        let word = rig.read(at, 8).try_into().unwrap();
        expect(rig, u64::from_le_bytes(word), *value);
    }
}

/// Call a helper and look at what becomes of it.
pub(crate) fn check(name: &str, args: &[V<'_>], expected: V<'_>) {
    let mut rig = Rig::new();
    let row = rows().find(|row| row.name == name).unwrap();
    let mut words: Vec<u64> = args.iter().map(|arg| word(&mut rig, *arg)).collect();
    let out = rig.put(&[0xee; 64]);
    let stores = row.parameters.ends_with(", out");
    words.extend(stores.then_some(out));
    assert_eq!(words.len(), usize::from(row.arity), "{name}");
    let mut registers = [0; 5];
    registers[..words.len()].copy_from_slice(&words);
    let outcome = rig.raw(name, registers);
    let what = format!("{name}{args:?}");
    match (outcome, expected) {
        (Outcome::Trap(reason), V::Trap(start)) => assert!(reason.starts_with(start), "{reason}"),
        (Outcome::Value(number), V::E(exception)) => {
            assert!(stores && rig.read(out, 64) == [0xee; 64], "{what}");
            let raised = rig.raw("zs_py_raise", [number, 0, 0, 0, 0]);
            assert_eq!(raised, Outcome::Stop { reason: exception.into(), line: None }, "{what}");
        }
        (Outcome::Value(number), expected) if stores => {
            assert_eq!(number, 0, "{what}");
            match expected {
                V::T(values) => expect_words(&mut rig, out, values),
                value => expect_words(&mut rig, out, &[value]),
            }
        }
        (Outcome::Value(word), expected) => expect(&mut rig, word, expected),
        (outcome, expected) => panic!("{what}: {outcome:?} instead of {expected:?}"),
    }
}
