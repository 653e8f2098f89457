//! What the documents claim, held: schemas, lists of codes, examples of the command line and the configuration.

use std::path::{Path, PathBuf};

use drift_check::report::Report;
use serde_json::Value;

use crate::sample_report;
use crate::workspace::{Workspace, rows};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A copy of the fixtures' bucket with the local configuration, to write into.
pub fn fixtures() -> Workspace {
    let workspace = Workspace::new();
    let bucket = root().join("fixtures/bucket");
    for folder in ["reference", "predictions"] {
        copy(&bucket.join(folder), &format!("fixtures/bucket/{folder}"), &workspace);
    }
    workspace.write("config/local.toml", read("config/local.toml"));
    workspace
}

fn copy(from: &Path, to: &str, workspace: &Workspace) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = format!("{to}/{}", entry.file_name().display());
        if entry.path().is_dir() {
            copy(&entry.path(), &target, workspace);
        } else {
            workspace.write(&target, std::fs::read(entry.path()).unwrap());
        }
    }
}

/// `docs/report.schema.json` is what the types say. After a change: `UPDATE_SCHEMA=1 tests/run documents`.
#[test]
fn the_published_schema_is_that_of_the_report() {
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(Report)).unwrap() + "\n";
    let path = root().join("docs/report.schema.json");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(&path, &schema).unwrap();
    }
    assert!(read("docs/report.schema.json") == schema, "docs/report.schema.json is not that of the types");
}

#[test]
fn reports_follow_the_published_schema() {
    let schema: Value = serde_json::from_str(&read("docs/report.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let ran = fixtures().run(&["--config", "config/local.toml", "--window", "24h", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let sample = serde_json::from_slice(&sample_report::drift_day().to_json().unwrap()).unwrap();
    for report in [ran.json(), sample] {
        let errors: Vec<String> =
            validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert_eq!(errors, Vec::<String>::new());
    }
}

/// The first command of the README, day by day against what the generator says it wrote.
#[test]
fn the_fixtures_give_the_verdicts_that_were_put_into_them() {
    let workspace = fixtures();
    let truth: Value = serde_json::from_str(&read("fixtures/truth.json")).unwrap();
    let names = |list: &Value| list.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect::<Vec<_>>();
    for day in truth["days"].as_array().unwrap() {
        let date: chrono::NaiveDate = day["date"].as_str().unwrap().parse().unwrap();
        let end = format!("{}T00:00:00Z", date.succ_opt().unwrap());
        let ran =
            workspace.run(&["--config", "config/local.toml", "--window", "24h", "--as-of", &end, "--format", "json", "--dry-run"]);
        assert_eq!(ran.code, 0, "{date}: {}", ran.stderr);
        let report = ran.json();
        assert_eq!(report["current"]["rows"], day["rows_good"], "{date}");
        assert_eq!(report["current"]["rows_rejected"], day["rows_broken_total"], "{date}");
        let with = |verdict: &str| {
            let features = report["features"].as_array().unwrap().iter().filter(|feature| feature["verdict"] == verdict);
            let mut names: Vec<String> = features.map(|feature| feature["name"].as_str().unwrap().to_owned()).collect();
            names.sort();
            names
        };
        let sorted = |mut names: Vec<String>| {
            names.sort();
            names
        };
        assert_eq!(with("drift"), sorted(names(&day["drifted"])), "{date}");
        assert_eq!(with("broken"), sorted(names(&day["dead"])), "{date}");
        // On a quiet weekend too few studies are scanned to tell.
        let too_few = day["rows_good"].as_u64().unwrap() < 50;
        let expected = match names(&day["drifted"]).len() {
            5.. => "drift",
            _ if too_few => "inconclusive",
            _ => "stable",
        };
        assert_eq!(report["decision"]["verdict"], expected, "{date}");
    }
}

#[test]
fn the_first_command_shows_since_when() {
    let workspace = fixtures();
    let ran = workspace.run(&["--config", "config/local.toml", "--window", "24h"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("Drift: 6 of 16 features drifted (37.5 %)"), "{}", ran.stdout);
    assert!(ran.stdout.contains("Drift is new in this window"), "{}", ran.stdout);
    let report: Value =
        serde_json::from_slice(&std::fs::read(workspace.path("fixtures/bucket/reports/ct-scan/latest.json")).unwrap()).unwrap();
    assert_eq!(report["run"]["history"].as_array().unwrap().len(), 6, "the earlier windows were computed from the logs");
}

/// What the CT-scan service really wrote, where it is at hand; the same shape is made here where it is not.
#[test]
fn real_data_of_two_paths_is_read_as_it_is() {
    let workspace = Workspace::new();
    let shared = root().join("../shared/data/ct-scan");
    if shared.exists() {
        for name in ["reference.csv", "current.csv"] {
            workspace.write(name, std::fs::read(shared.join(name)).unwrap());
        }
    } else {
        let file = |count: u32| {
            let lines = rows(count, |i| format!("data\\raw\\{i}.png,255.0,"), |a| a);
            format!("path,max,mean,std\n{lines}")
        };
        workspace.write("reference.csv", file(613)).write("current.csv", file(72));
    }
    let ran = workspace.run(&["--reference", "reference.csv", "--current", "current.csv", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = ran.json();
    assert_eq!((&report["reference"]["rows"], &report["current"]["rows"]), (&613.into(), &72.into()));
    assert_eq!(report["window"]["end"], Value::Null);
    assert_eq!(crate::workspace::verdict(&report, "max"), "stable", "constant on both sides");
    let codes: Vec<&str> = report["findings"].as_array().unwrap().iter().filter_map(|finding| finding["code"].as_str()).collect();
    assert!(codes.contains(&"identifier-column") && codes.contains(&"reference-constant"), "{codes:?}");
}

#[test]
fn every_finding_and_every_rejection_reason_is_documented() {
    let document = read("docs/report.md");
    let schema = serde_json::to_value(schemars::schema_for!(drift_check::decision::finding::FindingCode)).unwrap();
    let codes: Vec<&str> = schema["oneOf"].as_array().unwrap().iter().map(|code| code["const"].as_str().unwrap()).collect();
    assert!(codes.len() > 15, "{codes:?}");
    for code in codes {
        assert!(document.contains(&format!("`{code}`")), "{code} is not documented");
    }
    let reasons = read("src/ingest/decode/rejection.rs");
    let reasons = reasons.split(" => \"").skip(1).filter_map(|rest| rest.split('"').next());
    for reason in reasons {
        assert!(document.contains(&format!("`{reason}`")), "{reason} is not documented");
    }
}

/// What every message links to, with what a reader at night looks for.
/// The names in the table of promises, as `module::test`.
#[test]
fn every_promise_has_its_test() {
    let page = read("docs/reliability.md");
    let promises = page.split("## Promises").nth(1).unwrap().split("## Faults").next().unwrap();
    let named: Vec<&str> =
        promises.split('`').skip(1).step_by(2).filter(|code| code.contains("::") && !code.contains(' ')).collect();
    assert!(named.len() > 30, "{named:?}");
    for name in named {
        let (module, test) = name.rsplit_once("::").unwrap();
        let source = read(&format!("tests/{}.rs", module.replace("::", "/")));
        let is_test = source.split("#[test]").chain(source.split("#[tokio::test")).skip(1).any(|after| {
            let head = after.split('{').next().unwrap_or_default();
            head.contains(&format!("fn {test}("))
        });
        assert!(is_test, "{name} is no test");
    }
}

#[test]
fn every_signal_has_its_runbook() {
    let headings = [
        "What it means",
        "Confirm in five minutes",
        "Likely causes",
        "What to do",
        "Silence it",
        "When to retrain",
        "When it resolves",
    ];
    let index = read("docs/runbooks/README.md");
    for signal in drift_check::decision::signal::SignalName::ALL {
        let page = read(&format!("docs/runbooks/{signal}.md"));
        let found: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(found, headings, "{signal}");
        assert!(page.contains(&format!("history --silence {signal} ")), "{signal}: how to silence it");
        assert!(index.contains(&format!("({signal}.md)")), "{signal} is not in the index");
        let (shown, is_urgent) = (if signal.is_urgent() { "P1" } else { "P2" }, format!("[{signal}]({signal}.md) | "));
        assert!(index.contains(&format!("{is_urgent}{shown} |")), "{signal}: its priority in the index");
    }
}

/// The examples of the README's configuration section.
#[test]
fn the_configuration_of_the_readme_is_valid() {
    let readme = read("README.md");
    let example = readme.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let workspace = Workspace::new();
    workspace.write("config.toml", example);
    let shown = workspace.run(&["config", "--config", "config.toml"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("my-model"));
}

/// The example of the product's contract, as it is written there.
#[test]
fn the_configuration_of_the_contract_is_accepted() {
    let example = r#"
        [job]
        name = "ct-scan"
        environment = "prod"
        [bucket]
        uri = "gs://ct-scan-drift-logs-482907"
        [reference]
        path = "reference/"
        [logs]
        prefix = "predictions/"
        timestamp = "timestamp"
        cluster = "study_id"
        [window]
        length = "24h"
        anchor = "now"
        [features]
        include = ["sphericity", "major_axis_length"]
        [prediction]
        class = "pred_class"
        confidence = "pred_conf"
        [policy]
        share = 0.30
        alpha = 0.05
        psi_drift = 0.10
        psi_warning = 0.05
        rule = "significant-and-material"
        min_effective_rows = 10
        [signals.data-drift]
        mode = "notify"
        channels = ["slack", "email"]
        [signals.low-confidence]
        mode = "notify"
        threshold = 0.70
        last = 100
        channels = ["email"]
        [signals.accuracy]
        mode = "shadow"
        threshold = 0.85
        channels = ["email"]
        [channels.slack]
        webhook = "file:/secrets/slack-webhook"
        [store]
        kind = "firestore"
    "#;
    let workspace = Workspace::new();
    workspace.write("config.toml", example);
    let shown = workspace.run(&["config", "--config", "config.toml"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
}

#[test]
fn the_help_is_what_it_is() {
    let help = Workspace::new().run(&["--help"]);
    assert_eq!(help.code, 0);
    insta::assert_snapshot!(help.stdout);
}
