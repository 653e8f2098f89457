//! `cargo fuzz run --fuzz-dir tests/fuzz ndjson`

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drift_check_fuzz::targets::ndjson(bytes));
