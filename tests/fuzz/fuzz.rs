//! All targets in one binary, which is linked once: `FUZZ_TARGET` names the one that libFuzzer tries. `tests/fuzz/run` builds and runs it.

#![no_main]
// Of what the tests share, the targets use a part.
#![allow(dead_code, unused_imports)]

#[path = "../support/sample_notification.rs"]
mod sample_notification;
#[path = "../support/sample_report.rs"]
mod sample_report;
mod targets;

use std::sync::LazyLock;

static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let wanted = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = targets::ALL.iter().find(|(name, _)| *name == wanted);
    found.unwrap_or_else(|| panic!("FUZZ_TARGET is to name a target, and is `{wanted}`")).1
});

libfuzzer_sys::fuzz_target!(
    // Its own hook aborts at once, and the program catches the panics of polars. One that nothing catches aborts too.
    init: drop(std::panic::take_hook()),
    |bytes: &[u8]| TARGET(bytes)
);
