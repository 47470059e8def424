#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| alterego::fuzzing::admin(data));
