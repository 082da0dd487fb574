//! Values of compiled Python in a rig: words made and read.

use zeroserve_host::Outcome;

use crate::rig::Rig;

/// The word of a str in the script's memory.
pub(crate) fn str_word(rig: &mut Rig, text: &[u8]) -> u64 {
    let address = rig.put(text);
    address | (text.len() as u64) << 32 | u64::from(!text.is_ascii()) << 63
}

/// The word of a bytes.
pub(crate) fn bytes_word(rig: &mut Rig, bytes: &[u8]) -> u64 {
    str_word(rig, bytes) & !(1 << 63)
}

/// What a word of a str or bytes names; of a str, whether its last bit is right.
pub(crate) fn content(rig: &mut Rig, word: u64) -> Vec<u8> {
    let bytes = rig.read(word & 0xffff_ffff, word << 1 >> 33);
    assert!(word as u32 != 0 && (word >> 63 == 0 || !bytes.is_ascii()), "{word:#x}");
    bytes
}

/// The same as text; `-` for None.
pub(crate) fn shown(rig: &mut Rig, word: u64) -> String {
    if word == 0 { "-".into() } else { String::from_utf8_lossy(&content(rig, word)).into() }
}

/// The words of a list.
pub(crate) fn list(rig: &mut Rig, word: u64, each: u64) -> Vec<u64> {
    assert!(word != 0);
    let bytes = rig.read(word & 0xffff_ffff, (word >> 32) * 8 * each);
    bytes.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect()
}

/// A list of strs, joined by `|`.
pub(crate) fn joined(rig: &mut Rig, word: u64, each: u64) -> String {
    let words = list(rig, word, each);
    words.into_iter().map(|word| shown(rig, word)).collect::<Vec<_>>().join("|")
}

fn padded(args: &[u64]) -> [u64; 5] {
    let mut all = [0; 5];
    all[..args.len()].copy_from_slice(args);
    all
}

/// What a helper returns that can't raise.
pub(crate) fn call(rig: &mut Rig, name: &str, args: &[u64]) -> u64 {
    match rig.raw(name, padded(args)) {
        Outcome::Value(value) => value,
        other => panic!("{name}: {other:?}"),
    }
}

/// Why a helper stops the script.
pub(crate) fn trap(rig: &mut Rig, name: &str, args: &[u64]) -> String {
    match rig.raw(name, padded(args)) {
        Outcome::Trap(reason) => reason,
        other => panic!("{name}: {other:?}"),
    }
}

/// The words that a helper stores at its last argument, or the exception that it raises.
pub(crate) fn give(
    rig: &mut Rig,
    name: &str,
    args: &[u64],
    words: usize,
) -> Result<Vec<u64>, String> {
    let free = rig.mark();
    let out = rig.put(&vec![0xee; words * 8]);
    let result = check(rig, name, &[args, &[out]].concat());
    let stored = rig.read(out, words as u64 * 8);
    rig.rewind(free);
    let stored: Vec<_> =
        stored.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect();
    if result.is_err() {
        assert!(stored.iter().all(|word| *word == 0xeeee_eeee_eeee_eeee), "{name}");
    }
    result.map(|()| stored)
}

/// The exception that a helper without a result raises, if it does.
pub(crate) fn check(rig: &mut Rig, name: &str, args: &[u64]) -> Result<(), String> {
    match call(rig, name, args) {
        0 => Ok(()),
        kind => match rig.raw("zs_py_raise", [kind, 0, 0, 0, 0]) {
            Outcome::Stop { reason, .. } => Err(reason),
            other => panic!("{name}: {other:?}"),
        },
    }
}

/// The one word that a helper stores.
pub(crate) fn one(rig: &mut Rig, name: &str, args: &[u64]) -> Result<u64, String> {
    give(rig, name, args, 1).map(|words| words[0])
}
