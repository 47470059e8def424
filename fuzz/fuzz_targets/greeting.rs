#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| alterego_proxy::fuzzing::greeting(data));
