//! The committed corpus, and a fixed number of mutations of it, through every target.

use std::fs;
use std::path::PathBuf;

/// Mutations of each file, if it is small and quick to take.
const MUTATIONS: u64 = 2000;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 12] = [
    ("tar", zeroserve_fuzz::tar),
    ("packed", zeroserve_fuzz::packed),
    ("request", zeroserve_fuzz::request),
    ("chunked", zeroserve_fuzz::chunked),
    ("conversation", zeroserve_fuzz::conversation),
    ("h2", zeroserve_fuzz::h2),
    ("proxy_header", zeroserve_fuzz::proxy_header),
    ("hello", zeroserve_fuzz::hello),
    ("upstream", zeroserve_fuzz::upstream),
    ("objects", zeroserve_fuzz::objects),
    ("executors", zeroserve_fuzz::executors),
    ("helpers", zeroserve_fuzz::helpers),
];

#[test]
fn corpus_and_mutations() {
    for (name, target) in TARGETS {
        let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let mut files: Vec<_> = fs::read_dir(&dir).unwrap().map(|f| f.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            let data = fs::read(&file).unwrap();
            target(&data);
            let mut random = Random(data.len() as u64 + 1);
            // Archives are large and slow to mutate meaningfully; requests are small and quick;
            // programs are compiled and run six times.
            let count = match name {
                "executors" => MUTATIONS / 100,
                _ if data.len() > 4096 => MUTATIONS / 10,
                _ => MUTATIONS,
            };
            for _ in 0..count {
                target(&mutate(&data, &mut random));
            }
        }
    }
}

fn mutate(data: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = data.to_vec();
    for _ in 0..=random.below(3) {
        let at = random.below(out.len().max(1));
        match random.below(5) {
            0 if !out.is_empty() => out[at] = random.next() as u8,
            1 if !out.is_empty() => out[at] ^= 1 << random.below(8),
            2 => out.insert(at.min(out.len()), random.next() as u8),
            3 if !out.is_empty() => {
                out.remove(at);
            }
            _ => out.truncate(at),
        }
    }
    out
}

/// xorshift64: the same numbers on every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }
}
