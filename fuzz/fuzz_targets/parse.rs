//! A configuration file.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| redpak_fuzz_inputs::parse(data));
