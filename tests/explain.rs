//! `drift-check explain`: the real binary, after real checks.

use serde_json::Value;

use crate::workspace::{AS_OF, Ran, Workspace, stamp};

/// Features `a` and `b`, a predicted class and a study of four rows each.
const MORE: &str = "[prediction]\nclass = \"class\"\n";

fn config(workspace: &Workspace) {
    let config = "[job]\nname = \"test\"\n[bucket]\nuri = \"file:bucket\"\n[store]\npath = \"state.db\"\n[logs]\ntimestamp = \"ts\"\n\
                  cluster = \"study\"\n[features]\ninclude = [\"sphericity\", \"b\"]\n";
    workspace.write("config.toml", format!("{config}{MORE}"));
}

/// A reference of 400 rows, and logs of `count` in which the class `moved` is shifted by `shift`.
fn data(workspace: &Workspace, count: u32, shift: f64) {
    let value = |i: u32| f64::from(i * 181 % 400) / 400.0;
    let class = |i: u32| if i.is_multiple_of(4) { "moved" } else { "quiet" };
    let reference: String = (0..400).map(|i| format!("{},{},{}\n", value(i), i * 37 % 400, class(i))).collect();
    workspace.write("bucket/reference/reference.csv", format!("sphericity,b,class\n{reference}"));
    let rows: String = (0..count)
        .map(|i| {
            let moved = if i.is_multiple_of(4) { shift } else { 0.0 };
            format!("{},S{},{},{},{}\n", stamp(i), i, value(i) + moved, i * 37 % 400, class(i))
        })
        .collect();
    workspace.write("bucket/predictions/logs.csv", format!("ts,study,sphericity,b,class\n{rows}"));
}

fn checked(shift: f64) -> Workspace {
    let workspace = Workspace::new();
    config(&workspace);
    data(&workspace, 1_200, shift);
    let ran = workspace.check(&[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    workspace
}

fn explain(workspace: &Workspace, more: &[&str]) -> Ran {
    let mut arguments = vec!["explain", "--config", "config.toml"];
    arguments.extend(more);
    workspace.run(&arguments)
}

fn json(workspace: &Workspace, feature: &str) -> Value {
    let ran = explain(workspace, &[feature, "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.json()
}

#[test]
fn the_class_that_moved_is_named_and_its_parts_add_up() {
    let workspace = checked(2.0);
    let before = workspace.files("");
    let explained = json(&workspace, "sphericity");
    assert_eq!(explained["feature"]["verdict"], "drift");
    // The class that moved had the multiples of 0.01: up to the last of them, 0.99, lie 397 of 400 reference rows, and of the window 297 of
    // 300 of the three quarters that stayed.
    let gap = &explained["gap"];
    assert_eq!((gap["is_exact"].as_bool(), gap["reference_fraction"].as_f64()), (Some(true), Some(0.9925)), "{gap}");
    assert!((gap["current_fraction"].as_f64().unwrap() - 0.7425).abs() < 1e-9, "{gap}");
    assert_eq!(gap["at"], 0.99);
    let shares: f64 = explained["cells"].as_array().unwrap().iter().map(|cell| cell["share"].as_f64().unwrap()).sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    let dimension =
        |by: &str| explained["concentration"].as_array().unwrap().iter().find(|entry| entry["by"] == by).unwrap().clone();
    let class = dimension("class");
    let shown = class["shown"].as_array().unwrap();
    assert_eq!((shown[0]["group"].as_str(), shown[0]["stands_out"].as_bool()), (Some("moved"), Some(true)), "{class}");
    assert_eq!((shown[1]["group"].as_str(), shown[1]["stands_out"].as_bool()), (Some("quiet"), Some(false)), "{class}");
    assert_eq!(shown[0]["share_of_rows"], 0.25);
    assert!(shown[0]["share_of_shift"].as_f64().unwrap() > 0.9, "{class}");
    let sum: f64 = shown.iter().map(|share| share["share_of_shift"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9, "{sum}");
    // One row a study names none; the same classes in every hour name none either.
    for by in ["cluster", "hour"] {
        let dimension = dimension(by);
        assert!(dimension["shown"].as_array().unwrap().iter().all(|share| share["stands_out"] == false), "{dimension}");
    }
    assert_eq!(workspace.files(""), before, "it writes nothing");
}

#[test]
fn the_page_shows_both_distributions_the_cells_and_since_when() {
    let workspace = checked(2.0);
    let ran = explain(&workspace, &["sphericity"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for part in [
        "DRIFT  sphericity",
        "Why:",
        "reference",
        "SHARE OF PSI",
        "▲",
        "KS D = 0.25",
        "farthest apart at",
        "By predicted class (class): Concentrated: moved has 25 %",
        "By hour of the day (ts): Not concentrated",
        "latest.json",
    ] {
        assert!(ran.stdout.contains(part), "{part} is not in:\n{}", ran.stdout);
    }
    assert!(!ran.stdout.contains('\u{1b}'), "no colour without a terminal");
    assert!(ran.stdout.lines().all(|line| line.chars().count() <= 104), "{}", ran.stdout);
    let markdown = explain(&workspace, &["sphericity", "--format", "markdown"]);
    assert!(
        markdown.stdout.contains("| **moved** |") && markdown.stdout.starts_with("## ◆ Drift: sphericity"),
        "{}",
        markdown.stdout
    );
}

#[test]
fn since_when_is_told_by_the_runs_on_record() {
    let workspace = Workspace::new();
    config(&workspace);
    data(&workspace, 1_200, 0.0);
    let earlier = ["check", "--config", "config.toml", "--as-of", "2026-01-31T17:00:00Z"];
    assert_eq!(workspace.run(&earlier).code, 0);
    data(&workspace, 1_200, 2.0);
    assert_eq!(workspace.check(&[]).code, 0);
    let explained = json(&workspace, "sphericity");
    // The earlier window ended an hour ago only, and is one of its own all the same.
    assert_eq!(explained["since"], "Drift is new in this window; stable in the window to 2026-01-31 17:00 UTC.");
    assert_eq!(explained["trend"].as_array().unwrap().len(), 2);
    // The earlier report is still there, by its moment.
    let then = explain(&workspace, &["sphericity", "--as-of", "2026-01-31T17:00:00Z", "--format", "json"]);
    assert_eq!(then.json()["feature"]["verdict"], "stable");
}

#[test]
fn where_the_logs_are_gone_the_rest_is_told() {
    let workspace = checked(2.0);
    std::fs::remove_file(workspace.path("bucket/predictions/logs.csv")).unwrap();
    let explained = json(&workspace, "sphericity");
    assert_eq!(explained["concentration"], Value::Array(Vec::new()));
    assert!(explained["notes"][0].as_str().unwrap().contains("gone from the logs"), "{}", explained["notes"]);
    assert_eq!(explained["gap"]["is_exact"], false);
    assert!(explained["cells"].as_array().unwrap().len() > 5);
    // Nor is a reference needed that is not there any more.
    std::fs::remove_file(workspace.path("bucket/reference/reference.csv")).unwrap();
    let ran = explain(&workspace, &["sphericity"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("Note: The reference could not be read"), "{}", ran.stdout);
}

#[test]
fn logs_that_changed_since_are_said_to_have() {
    let workspace = checked(2.0);
    data(&workspace, 600, 2.0);
    let explained = json(&workspace, "sphericity");
    let note = explained["notes"][0].as_str().unwrap();
    assert!(note.contains("held 1,200 rows when it was checked and holds 600 now"), "{note}");
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let workspace = checked(2.0);
    let ran = explain(&workspace, &["sphericty"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("`sphericty` is not in the report: did you mean `sphericity`?"), "{}", ran.stderr);
    let ran = explain(&workspace, &["zzz"]);
    assert!(ran.code == 2 && ran.stderr.contains("it has sphericity, b, class"), "{}", ran.stderr);
    let ran = explain(&workspace, &["sphericity", "--as-of", "2026-01-30T00:00:00Z"]);
    assert_eq!(ran.code, 4);
    assert!(ran.stderr.contains(&format!("the nearest are --as-of {AS_OF} --window 24h")), "{}", ran.stderr);
    workspace.write("bucket/reports/test/latest.json", "{\"schema_version\": 99}");
    let ran = explain(&workspace, &["sphericity"]);
    assert!(ran.code == 4 && ran.stderr.contains("newer than this drift-check"), "{}", ran.stderr);
    workspace.write("bucket/reports/test/latest.json", "{}");
    let ran = explain(&workspace, &["sphericity"]);
    assert!(ran.code == 4 && ran.stderr.contains("is no report of drift-check"), "{}", ran.stderr);
    let fresh = Workspace::new();
    config(&fresh);
    data(&fresh, 10, 0.0);
    let ran = explain(&fresh, &["sphericity"]);
    assert_eq!(ran.code, 4);
    assert!(ran.stderr.contains("there is no run to explain") && ran.stderr.contains("drift-check check"), "{}", ran.stderr);
}

#[test]
fn a_prediction_is_explained_too_by_its_categories() {
    let workspace = checked(0.0);
    // Half of the quiet ones became a class that the reference does not have.
    let logs = std::fs::read_to_string(workspace.path("bucket/predictions/logs.csv")).unwrap();
    let mut row = 0;
    let changed: String = logs
        .lines()
        .map(|line| {
            row += 1;
            let line = if row % 2 == 0 { line.replace("quiet", "strange") } else { line.to_owned() };
            line + "\n"
        })
        .collect();
    workspace.write("bucket/predictions/logs.csv", changed);
    assert_eq!(workspace.check(&[]).code, 0);
    let explained = json(&workspace, "class");
    assert_eq!((explained["is_prediction"].as_bool(), explained["feature"]["kind"].as_str()), (Some(true), Some("categorical")));
    let cells = explained["cells"].as_array().unwrap();
    let new = cells.iter().find(|cell| cell["label"] == "NEW").unwrap();
    assert_eq!(new["gained"], true);
    // Of no column is it split by itself.
    assert!(explained["concentration"].as_array().unwrap().iter().all(|dimension| dimension["by"] != "class"));
}
