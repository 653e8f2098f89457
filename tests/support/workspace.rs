//! A folder of its own for a test, with a bucket in it, and the real binary run there.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// The end of the window of the tests.
pub const AS_OF: &str = "2026-01-31T18:00:00Z";

/// A working directory; `bucket/` in it is the bucket of [`Workspace::config`].
pub struct Workspace {
    folder: TempDir,
}

/// What a run of the binary gave.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Workspace {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        self
    }

    /// A configuration over `bucket/` with a timestamp column and the features `a` and `b`, and more lines after it.
    pub fn config(&self, more: &str) -> &Self {
        let config = format!(
            "[job]\nname = \"test\"\n[bucket]\nuri = \"file:bucket\"\n[store]\npath = \"state.db\"\n[logs]\ntimestamp = \"ts\"\n\
             [features]\ninclude = [\"a\", \"b\"]\n{more}"
        );
        self.write("config.toml", config)
    }

    /// The reference of the tests: 400 rows, `a` in 0..1 in steps of 1/400, `b` a permutation of 0..400.
    pub fn reference(&self) -> &Self {
        self.write("bucket/reference/reference.csv", format!("a,b\n{}", rows(400, |_| String::new(), |a| a)))
    }

    /// Logs of `count` rows in the window, `a` moved by `shift`.
    pub fn logs(&self, count: u32, shift: f64) -> &Self {
        let lines = rows(count, |i| format!("{},", stamp(i)), |a| a + shift);
        self.write("bucket/predictions/logs.csv", format!("ts,a,b\n{lines}"))
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with(arguments, &[])
    }

    pub fn run_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drift-check"));
        command.current_dir(self.folder.path()).args(arguments).env_clear();
        command.envs(environment.iter().copied());
        Ran::of(command.output().unwrap())
    }

    /// Checks the window that ends at [`AS_OF`] by `config.toml`.
    pub fn check(&self, more: &[&str]) -> Ran {
        let mut arguments = vec!["--config", "config.toml", "--as-of", AS_OF];
        arguments.extend(more);
        self.run(&arguments)
    }

    /// The report of a check that must run to its end.
    pub fn report(&self, more: &[&str]) -> Value {
        let mut arguments = vec!["--format", "json"];
        arguments.extend(more);
        let ran = self.check(&arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.json()
    }

    /// All files below a folder, relative to it.
    pub fn files(&self, folder: &str) -> Vec<String> {
        fn walk(folder: &Path, root: &Path, files: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    walk(&entry.path(), root, files);
                } else {
                    files.push(entry.path().strip_prefix(root).unwrap().display().to_string());
                }
            }
        }
        let root = self.path(folder);
        let mut files = Vec::new();
        walk(&root, &root, &mut files);
        files.sort();
        files
    }
}

impl Ran {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What was printed, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {}", self.stdout))
    }

    /// The messages on stderr, one a line.
    pub fn messages(&self) -> Vec<String> {
        let message = |line: &str| {
            let entry: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            entry["message"].as_str().unwrap().to_owned()
        };
        self.stderr.lines().map(message).collect()
    }
}

/// Rows `PREFIXa,b`, the same for every call.
pub fn rows(count: u32, prefix: impl Fn(u32) -> String, a: impl Fn(f64) -> f64) -> String {
    let mut lines = String::new();
    for i in 0..count {
        let position = f64::from(i * 181 % 400);
        writeln!(lines, "{}{},{}", prefix(i), a(position / 400.0), i * 37 % 400).unwrap();
    }
    lines
}

/// The `i`-th minute before the end of the window, which is inside it for `i < 1440`.
pub fn stamp(i: u32) -> String {
    let end: chrono::DateTime<chrono::Utc> = AS_OF.parse().unwrap();
    (end - chrono::TimeDelta::minutes(i64::from(i) + 1)).to_rfc3339()
}

/// The codes of a report's findings, each with its feature, without those that only inform.
pub fn findings(report: &Value) -> Vec<(String, String)> {
    let findings = report["findings"].as_array().unwrap().iter().filter(|finding| finding["severity"] != "info");
    findings.map(|finding| (text(&finding["code"]), finding["feature"].as_str().unwrap_or_default().to_owned())).collect()
}

/// The verdict on one feature.
pub fn verdict(report: &Value, feature: &str) -> String {
    let features = report["features"].as_array().unwrap();
    text(&features.iter().find(|entry| entry["name"] == feature).unwrap()["verdict"])
}

/// One signal of a report.
pub fn signal(report: &Value, name: &str) -> Value {
    report["signals"].as_array().unwrap().iter().find(|signal| signal["name"] == name).unwrap().clone()
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
