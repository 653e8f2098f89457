//! Input that asks for more than there is: refused or read in bounded memory, and said, by the real binary.
//!
//! Every run must stay within [`ALLOWED_MIB`] of one over ordinary rows. What is enormous is sparse on the disk, or compressed, or only
//! claimed.

mod parquet;
mod stored;
mod text;

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::sync::LazyLock;

use serde_json::Value;

use crate::measured;
use crate::workspace::{Workspace, stamp, text as word};

/// What an attack may cost beyond ordinary rows, in a debug build.
const ALLOWED_MIB: u64 = 200;

/// The peak of a run over ordinary rows.
static ORDINARY_MIB: LazyLock<u64> = LazyLock::new(|| {
    let workspace = workspace();
    workspace.logs(20_000, 0.0);
    let (ran, peak) = measured::check(&workspace, &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    peak
});

/// A workspace with 400 good rows, in which any number of rows may be rejected.
fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.config("[run]\nconcurrency = 2\n").reference().logs(400, 0.0);
    let config = std::fs::read_to_string(workspace.path("config.toml")).unwrap();
    workspace.write("config.toml", config.replace("[logs]\n", "[logs]\nmax_rejected_fraction = 1.0\n"));
    workspace
}

/// Writes a file of these parts: bytes, and holes that read as zeros.
fn sparse(workspace: &Workspace, name: &str, parts: &[Part<'_>]) {
    workspace.write(name, "");
    let mut file = File::create(workspace.path(name)).unwrap();
    for part in parts {
        match part {
            Part::Bytes(bytes) => file.write_all(bytes).unwrap(),
            Part::Hole(bytes) => {
                file.seek(SeekFrom::Current(*bytes as i64)).unwrap();
            }
        }
    }
    let end = file.stream_position().unwrap();
    file.set_len(end).unwrap();
}

enum Part<'b> {
    Bytes(&'b [u8]),
    Hole(u64),
}

fn assert_bounded(peak_mib: u64) {
    let ordinary = *ORDINARY_MIB;
    assert!(peak_mib <= ordinary + ALLOWED_MIB, "{peak_mib} MiB, where ordinary rows take {ordinary}");
}

/// The report of a run that goes to its end in bounded memory.
fn report(workspace: &Workspace) -> Value {
    let (ran, peak) = measured::check(workspace, &["--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_bounded(peak);
    ran.json()
}

/// What the report says of an object under a code.
fn finding(report: &Value, code: &str, object: &str) -> String {
    let findings = report["findings"].as_array().unwrap();
    let of_object = |finding: &&Value| finding["object"].as_str().is_some_and(|uri| uri.ends_with(object));
    let found = findings.iter().filter(of_object).find(|finding| finding["code"] == code);
    word(&found.unwrap_or_else(|| panic!("no {code} of {object} in {findings:#?}"))["message"])
}

/// A run that must fail in bounded memory, and say all of this.
fn fails(workspace: &Workspace, code: i32, parts: &[&str]) {
    let (ran, peak) = measured::check(workspace, &[]);
    assert_eq!(ran.code, code, "{}", ran.stderr);
    assert_bounded(peak);
    for part in parts {
        assert!(ran.stderr.contains(part), "no `{part}` in {}", ran.stderr);
    }
}

/// Rows of the window, `ts,a,b`.
fn rows(count: u32) -> String {
    crate::workspace::rows(count, |i| format!("{},", stamp(i)), |a| a)
}
