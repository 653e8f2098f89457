//! The dashboards: they name no metric and no label that is not there, and every metric is on one of them and in the docs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use drift_check::report::metrics::{Ended, Family, of_report};
use serde_json::Value;

use crate::sample_report as sample;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

pub fn grafana() -> Value {
    serde_json::from_str(&read("deploy/dashboards/grafana.json")).unwrap()
}

/// The dashboard of Cloud Monitoring as Terraform makes it, with names that fill its gaps.
pub fn cloud_monitoring() -> Value {
    let text = read("deploy/terraform/modules/monitoring/dashboard.json.tftpl");
    let filled = text.replace("${job_name}", "drift-check").replace("${metric_prefix}", "drift_check");
    assert!(!filled.contains("${"), "a gap is not filled");
    serde_json::from_str(&filled).unwrap()
}

fn families() -> Vec<Family> {
    let ended = Ended { exit_code: 0, duration_s: 4.0, last_success: Some(sample::window_end()) };
    of_report(&sample::drift_day(), &ended)
}

/// Every text under this key, wherever it is.
pub fn texts(value: &Value, key: &str) -> Vec<String> {
    match value {
        Value::Object(map) => {
            let own = map.get(key).and_then(Value::as_str).map(str::to_owned);
            own.into_iter().chain(map.values().flat_map(|inner| texts(inner, key))).collect()
        }
        Value::Array(items) => items.iter().flat_map(|inner| texts(inner, key)).collect(),
        _ => Vec::new(),
    }
}

/// The metrics that an expression names.
fn named(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words.filter(|word| word.starts_with("drift_check_")).map(str::to_owned).collect()
}

/// The labels that an expression selects by, as `NAME=`, `NAME=~` or `NAME!=`, and groups by.
fn labels(expression: &str) -> BTreeSet<String> {
    let name = |text: &str| text.rsplit(['{', ',', ' ', '(']).next().unwrap().to_owned();
    let selected = expression.match_indices("=\"").chain(expression.match_indices("=~\"")).map(|(at, _)| name(&expression[..at]));
    let grouped = expression.split("by (").skip(1).flat_map(|rest| rest.split(')').next().unwrap().split(", ")).map(str::to_owned);
    selected.chain(grouped).collect()
}

#[test]
fn every_expression_names_what_is_emitted_and_all_of_it_is_shown() {
    let emitted: BTreeMap<&str, BTreeSet<&str>> = families()
        .iter()
        .map(|family| {
            (family.name, family.samples.iter().flat_map(|sample| sample.labels.iter().map(|(label, _)| *label)).collect())
        })
        .collect();
    for (what, expressions) in [
        ("grafana", texts(&grafana(), "expr")),
        ("grafana's variables", texts(&grafana(), "definition")),
        ("Cloud Monitoring", texts(&cloud_monitoring(), "prometheusQuery")),
    ] {
        assert!(!expressions.is_empty(), "{what}");
        for expression in &expressions {
            let metrics = named(expression);
            assert!(!metrics.is_empty(), "{what}: {expression}");
            let known: BTreeSet<&str> = metrics
                .iter()
                .flat_map(|name| emitted.get(name.as_str()).unwrap_or_else(|| panic!("{what}: {name} is not emitted")).clone())
                .collect();
            for label in labels(expression) {
                assert!(known.contains(label.as_str()), "{what}: {label} is no label in {expression}");
            }
        }
    }
    let shown: BTreeSet<String> = texts(&grafana(), "expr").iter().flat_map(|expression| named(expression)).collect();
    assert_eq!(shown, emitted.keys().map(|name| (*name).to_owned()).collect());
}

#[test]
fn the_docs_have_every_metric_and_no_other() {
    let docs = read("docs/operate.md");
    let section = docs.split("## On a dashboard: metrics").nth(1).unwrap().split("\n## ").next().unwrap();
    let documented: BTreeSet<String> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `drift_check_"))
        .map(|rest| format!("drift_check_{}", rest.split(['`', '{']).next().unwrap()))
        .collect();
    assert_eq!(documented, families().iter().map(|family| family.name.to_owned()).collect());
}

#[test]
fn the_dashboard_of_grafana_is_whole() {
    let dashboard = grafana();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let variables = texts(&dashboard["templating"], "name");
    assert_eq!(variables, ["datasource", "job_name", "environment"]);
    let mut taken = BTreeSet::new();
    for panel in panels {
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{}", panel["title"]);
        assert!(!panel["description"].as_str().unwrap().is_empty(), "{}", panel["title"]);
        let place = &panel["gridPos"];
        let at = |key: &str| place[key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{}", panel["title"]);
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{} lies over another", panel["title"]);
            }
        }
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}");
        }
    }
}

#[test]
fn the_labels_of_an_expression_are_found() {
    let expression = r#"max by (feature, verdict) (last_over_time(drift_check_rows{job_name=~"$job_name",kind="used"}[8h]))"#;
    assert_eq!(labels(expression), ["feature", "job_name", "kind", "verdict"].map(str::to_owned).into());
    assert_eq!(named(expression), ["drift_check_rows".to_owned()].into());
}
