//! The metrics of a run: in a file that real readers take (promtool, node_exporter, Prometheus), over OTLP to a collector that decodes the real
//! protobuf, on the dashboards; and what becomes of a run whose metrics nobody takes.

mod dashboards;
mod otlp;
mod prometheus;
mod textfile;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::collector::Series;
use crate::workspace::Workspace;

/// What every sample of the workspace's job has.
const LABELS: [(&str, &str); 2] = [("job_name", "test"), ("environment", "local")];

/// The file of [`workspace`].
const FILE: &str = "metrics/drift.prom";

/// A check whose feature `a` drifts, with metrics as configured.
fn workspace(metrics: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.config(&format!("[metrics]\n{metrics}\n")).reference().logs(300, 0.5);
    std::fs::create_dir(workspace.path("metrics")).unwrap();
    workspace
}

fn file(workspace: &Workspace) -> String {
    std::fs::read_to_string(workspace.path(FILE)).unwrap()
}

fn latest(workspace: &Workspace) -> Value {
    let bytes = std::fs::read(workspace.path("bucket/reports/test/latest.json")).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

/// The samples that a report stands for, read from its JSON and not by the code under test.
fn expected(report: &Value) -> BTreeMap<Series, f64> {
    let mut samples = BTreeMap::new();
    let mut add = |name: &str, own: &[(&str, &str)], value: &Value| {
        let value = match value {
            Value::Null => return,
            Value::Bool(is) => f64::from(u8::from(*is)),
            other => other.as_f64().unwrap(),
        };
        let common = [("job_name", &report["run"]["job"]), ("environment", &report["run"]["environment"])];
        let common = common.map(|(label, text)| (label.to_owned(), text.as_str().unwrap().to_owned()));
        let own = own.iter().map(|(label, text)| ((*label).to_owned(), (*text).to_owned()));
        samples.insert((name.to_owned(), common.into_iter().chain(own).collect()), value);
    };
    let decision = &report["decision"];
    add("drift_check_share_ratio", &[], &decision["share"]);
    add("drift_check_share_threshold_ratio", &[], &decision["threshold"]);
    for verdict in ["drift", "inconclusive", "stable", "no-data"] {
        add("drift_check_verdict", &[("verdict", verdict)], &Value::Bool(decision["verdict"] == verdict));
    }
    let features = report["features"].as_array().unwrap();
    for verdict in ["broken", "drift", "warning", "inconclusive", "stable"] {
        let count = features.iter().filter(|feature| feature["verdict"] == verdict).count();
        add("drift_check_features", &[("verdict", verdict)], &Value::from(count));
        for feature in features {
            let labels = [("feature", feature["name"].as_str().unwrap()), ("verdict", verdict)];
            add("drift_check_feature_verdict", &labels, &Value::Bool(feature["verdict"] == verdict));
        }
    }
    for feature in features {
        let labels = [("feature", feature["name"].as_str().unwrap())];
        add("drift_check_feature_psi", &labels, &feature["psi"]["value"]);
        add("drift_check_feature_psi_adjusted", &labels, &feature["psi"]["adjusted"]);
        add("drift_check_feature_ks_statistic", &labels, &feature["ks"]["statistic"]);
    }
    for (kind, rows) in [("used", "rows"), ("outside", "rows_outside_window"), ("rejected", "rows_rejected")] {
        add("drift_check_rows", &[("kind", kind)], &report["current"][rows]);
    }
    for signal in report["signals"].as_array().unwrap() {
        let name = signal["name"].as_str().unwrap();
        for state in ["firing", "quiet", "inconclusive"] {
            let labels = [("signal", name), ("state", state)];
            add("drift_check_signal_state", &labels, &Value::Bool(signal["state"] == state));
        }
        add("drift_check_signal_value", &[("signal", name)], &signal["value"]);
        add("drift_check_signal_threshold", &[("signal", name)], &signal["threshold"]);
    }
    let end = report["window"]["end"].as_str().map(|end| end.parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp());
    add("drift_check_window_end_timestamp_seconds", &[], &Value::from(end));
    add("drift_check_build_info", &[("version", report["run"]["version"].as_str().unwrap())], &Value::from(1));
    samples
}

/// What tells how the run ended, which is in no report: taken out of the samples, by name.
fn take_end(samples: &mut BTreeMap<Series, f64>) -> BTreeMap<String, f64> {
    let names =
        ["drift_check_run_duration_seconds", "drift_check_last_run_exit_code", "drift_check_last_success_timestamp_seconds"];
    let mut ends = BTreeMap::new();
    samples.retain(|(name, _), value| {
        let is_end = names.contains(&name.as_str());
        if is_end {
            ends.insert(name.clone(), *value);
        }
        !is_end
    });
    ends
}

/// A program, or `None` after saying by name which test could not run.
fn tool(test: &str, name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "metrics::{test} needs {name} on the PATH (tests/run installs it)");
        eprintln!("NOT RUN: metrics::{test} needs {name} on the PATH (tests/run installs it)");
    }
    found
}
