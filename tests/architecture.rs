//! The tiers, held: who may import whom, one vendor a file, no I/O in the pure core. Reads the sources.

use std::path::{Path, PathBuf};

/// The modules that each module may name with `crate::` (itself always). The order is that of the tiers.
const MAY_IMPORT: [(&str, &[&str]); 26] = [
    ("feature", &[]),
    ("window", &[]),
    // When work is worth another thread.
    ("parallel", &[]),
    ("profile", &["feature", "parallel"]),
    ("statistic", &["profile", "feature"]),
    ("decision", &["statistic", "profile", "feature"]),
    ("report", &["decision", "statistic", "profile", "feature", "window"]),
    ("blocking", &[]),
    ("causes", &[]),
    ("retry", &[]),
    ("credentials", &[]),
    ("bucket", &["blocking", "causes", "credentials", "retry"]),
    ("ingest", &["blocking", "bucket", "parallel", "profile", "feature", "window"]),
    ("engine", &["blocking", "ingest", "profile", "feature"]),
    ("store", &["blocking", "credentials", "retry", "report", "decision", "statistic", "profile", "feature"]),
    ("notify", &["causes", "retry", "report", "decision", "statistic", "profile", "feature"]),
    ("metrics", &["blocking", "causes", "credentials", "notify", "report", "retry"]),
    // The settings types that other modules define.
    ("config", &["decision", "feature", "ingest", "notify", "store", "window"]),
    ("cli", &["config"]),
    ("progress", &[]),
    // How a text from outside is shown.
    ("logging", &["report"]),
    ("platform", &[]),
    // Where every kind of error becomes an exit code.
    ("error", &["bucket", "config", "engine", "store"]),
    (
        "job",
        &[
            "blocking",
            "bucket",
            "cli",
            "config",
            // Who the job is.
            "credentials",
            "decision",
            "engine",
            "error",
            "feature",
            "ingest",
            "metrics",
            "notify",
            "profile",
            "progress",
            "report",
            "statistic",
            "store",
            "window",
        ],
    ),
    ("lib", &[]),
    ("main", &[]),
];

/// Modules without I/O, clock, environment, randomness, logging, async.
const PURE: [&str; 6] = ["feature", "window", "profile", "statistic", "decision", "report"];

/// What a pure module must not name.
const IMPURE: [&str; 14] = [
    "std::fs",
    "std::io",
    "std::env",
    "std::net",
    "std::process",
    "std::time",
    "Utc::now",
    "Local::now",
    "tokio",
    "tracing",
    "rand::",
    "polars",
    "async ",
    "rusqlite",
];

/// Crates that stand in these files only.
const ONE_PLACE: [(&str, &[&str]); 29] = [
    ("spark_connect", &["src/engine/spark.rs"]),
    ("polars", &["src/ingest/decode/parquet"]),
    // Rows, and the file of known drifts.
    ("csv", &["src/ingest/decode", "src/config/known_drift.rs"]),
    ("rusqlite", &["src/store/sqlite", "src/store.rs", "src/store/feedback.rs"]),
    ("clap", &["src/cli.rs", "src/cli/", "src/main.rs"]),
    ("clap_complete", &["src/cli/completions.rs"]),
    ("clap_mangen", &["src/cli/completions.rs"]),
    ("indicatif", &["src/progress.rs", "src/logging.rs", "src/main.rs"]),
    ("tracing_subscriber", &["src/logging.rs"]),
    ("tempfile", &["src/bucket/local"]),
    ("toml", &["src/config"]),
    ("askama", &["src/report/html", "src/notify/email"]),
    ("lettre", &["src/notify/email"]),
    ("hmac", &["src/notify/webhook.rs"]),
    ("reqwest", &["src/bucket/gcs", "src/notify/http.rs", "src/metrics/client.rs"]),
    ("uuid", &["src/main.rs"]),
    ("google_cloud_storage", &["src/bucket/gcs"]),
    ("google_cloud_auth", &["src/bucket/gcs", "src/credentials.rs"]),
    ("google_cloud_gax", &["src/bucket/gcs"]),
    ("firestore", &["src/store/firestore", "src/store.rs"]),
    ("fastrand", &["src/retry.rs"]),
    // Beside the choice of the provider: how a failed handshake is known.
    ("rustls", &["src/main.rs", "src/notify/error.rs"]),
    ("base64", &["src/profile/stored.rs", "src/notify/hidden.rs"]),
    ("memchr", &["src/ingest/decode"]),
    ("opentelemetry", &["src/metrics/otlp.rs"]),
    ("opentelemetry_sdk", &["src/metrics/otlp.rs"]),
    ("opentelemetry_otlp", &["src/metrics/otlp.rs"]),
    ("prost", &["src/metrics/client.rs"]),
    ("fast_float2", &["src/ingest/decode"]),
];

struct Source {
    /// Relative to the repository, with `/`.
    path: String,
    /// The code without comments and unit tests.
    code: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(&root.join("src"), &mut paths);
    assert!(paths.len() > 40, "only {} sources found", paths.len());
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        let before_tests = text.split("#[cfg(test)]\nmod tests").next().unwrap();
        let code = before_tests.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        Source { path: path.strip_prefix(root).unwrap().display().to_string(), code, text }
    };
    paths.into_iter().map(read).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// The top-level module of a source.
fn module(path: &str) -> String {
    path.trim_start_matches("src/").split(['/', '.']).next().unwrap().to_owned()
}

/// The top-level modules that code names as `crate::NAME`, also inside `use crate::{…}`.
fn imports(code: &str) -> Vec<String> {
    let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    code.match_indices("crate::").map(|(at, _)| name(&code[at + "crate::".len()..])).collect()
}

#[test]
fn imports_follow_the_tiers() {
    for source in sources() {
        let module = module(&source.path);
        let allowed = MAY_IMPORT.iter().find(|(name, _)| *name == module).unwrap_or_else(|| panic!("{module} has no tier")).1;
        for import in imports(&source.code) {
            assert!(import == module || allowed.contains(&import.as_str()), "{} names crate::{import}", source.path);
        }
    }
}

#[test]
fn the_core_is_pure() {
    for source in sources().iter().filter(|source| PURE.contains(&module(&source.path).as_str())) {
        for impure in IMPURE {
            assert!(!source.code.contains(impure), "{} names {impure}", source.path);
        }
    }
}

#[test]
fn every_vendor_has_one_place() {
    for source in sources() {
        for (vendor, places) in ONE_PLACE {
            let names = [format!("use {vendor}::"), format!(" {vendor}::"), format!("({vendor}::"), format!("<{vendor}::")];
            let named = names.iter().any(|name| source.code.contains(name.as_str()));
            assert!(!named || places.iter().any(|place| source.path.starts_with(place)), "{} names {vendor}", source.path);
        }
    }
}

#[test]
fn every_file_says_what_it_owns_and_stays_readable() {
    for source in sources() {
        assert!(source.text.starts_with("//!"), "{} does not open with //!", source.path);
        let lines = source.code.lines().count();
        assert!(lines <= 400, "{} has {lines} lines of code", source.path);
    }
}
