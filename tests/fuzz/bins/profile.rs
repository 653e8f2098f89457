//! `cargo fuzz run --fuzz-dir tests/fuzz profile`

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drift_check_fuzz::targets::profile(bytes));
