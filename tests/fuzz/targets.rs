//! What is tried with bytes of any kind: one function for each parser of something that comes from outside.
//!
//! `tests/fuzz/run` looks for bytes on which one of them panics; `tests/fuzzing.rs` tries known ones, and changes of them, in every test run.
//! What each asserts holds for all bytes there are.

#[path = "targets/rows.rs"]
mod rows;
#[path = "targets/stored.rs"]
mod stored;
#[path = "targets/told.rs"]
mod told;
#[path = "targets/typed.rs"]
mod typed;

pub use rows::{compressed, csv, ndjson, parquet, reference};
pub use stored::{listing, pack, profile, report};
pub use told::{html, slack};
pub use typed::{bucket, config, moments};

/// Every target by its name.
pub const ALL: [(&str, fn(&[u8])); 13] = [
    ("bucket", bucket),
    ("compressed", compressed),
    ("config", config),
    ("csv", csv),
    ("html", html),
    ("listing", listing),
    ("moments", moments),
    ("ndjson", ndjson),
    ("pack", pack),
    ("parquet", parquet),
    ("profile", profile),
    ("report", report),
    ("slack", slack),
];
