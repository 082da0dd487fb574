//! `upstream`, driven by libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zeroserve_fuzz::upstream(data));
