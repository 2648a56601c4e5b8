#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| madang_ws::handshake::fuzzing::handshake(data));
