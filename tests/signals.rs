//! What each signal reads, by the real binary on real files: confidence, feedback, predictions, the room that logs take.

use serde_json::Value;

use crate::workspace::{Workspace, findings, rows, signal, stamp, text};

const PREDICTIONS: &str = "[prediction]\nclass = \"class\"\nconfidence = \"conf\"\n[signals.low-confidence]\nmode = \"shadow\"\nlast = 100\n\
                           [signals.prediction-drift]\nmode = \"shadow\"\n";

fn state(report: &Value, name: &str) -> String {
    text(&signal(report, name)["state"])
}

/// A reference with predictions: every fourth row is `normal`, confidences from 0.7 to 1.
fn predicting(more: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.config(&format!("{PREDICTIONS}{more}"));
    let line = |i: u32| format!("{},{:.4},", class(i), 0.7 + f64::from(i * 7 % 400) / 400.0 * 0.3);
    workspace.write("bucket/reference/reference.csv", format!("class,conf,a,b\n{}", rows(400, line, |a| a)));
    workspace
}

fn class(row: u32) -> &'static str {
    if row.is_multiple_of(4) { "normal" } else { "adenocarcinoma" }
}

/// Logs of `count` rows, row 0 the newest, with these confidences and classes.
fn logs(workspace: &Workspace, count: u32, confidence: impl Fn(u32) -> f64, class: impl Fn(u32) -> &'static str) {
    let line = |i: u32| format!("{},{},{:.4},", stamp(i), class(i), confidence(i));
    workspace.write("bucket/predictions/logs.csv", format!("ts,class,conf,a,b\n{}", rows(count, line, |a| a)));
}

#[test]
fn low_confidence_looks_at_the_last_predictions_and_not_at_all() {
    let workspace = predicting("");
    // The last 100 are unsure; the 300 before them are not.
    logs(&workspace, 400, |i| if i < 100 { 0.65 } else { 0.9 }, class);
    let report = workspace.report(&[]);
    let found = signal(&report, "low-confidence");
    assert_eq!((&found["state"], &found["value"], &found["n"]), (&"firing".into(), &0.65.into(), &100.into()));
    logs(&workspace, 400, |i| if i < 100 { 0.9 } else { 0.1 }, class);
    assert_eq!(state(&workspace.report(&[]), "low-confidence"), "quiet");
}

#[test]
fn low_confidence_looks_back_before_a_window_with_few_predictions() {
    let workspace = predicting("[window]\nlength = \"1h\"\n");
    // 60 rows in the hour, at one a minute; the 40 before them count too, and no more.
    logs(&workspace, 300, |i| if i < 100 { 0.6 } else { 0.95 }, class);
    let found = signal(&workspace.report(&[]), "low-confidence");
    assert_eq!((&found["state"], &found["n"], &found["value"]), (&"firing".into(), &100.into(), &0.6.into()));
    // 90 in all: that is what there is.
    logs(&workspace, 90, |_| 0.6, class);
    let found = signal(&workspace.report(&[]), "low-confidence");
    assert_eq!((&found["state"], &found["n"]), (&"inconclusive".into(), &90.into()));
    assert!(found["reason"].as_str().unwrap().contains("100 are needed"), "{found}");
}

#[test]
fn confidences_on_another_scale_are_not_judged() {
    let workspace = predicting("");
    logs(&workspace, 400, |_| 65.0, class);
    let found = signal(&workspace.report(&[]), "low-confidence");
    assert_eq!(found["state"], "inconclusive");
    assert!(found["reason"].as_str().unwrap().contains("not between 0 and 1"), "{found}");
}

#[test]
fn predictions_are_compared_and_never_counted_among_the_features() {
    let workspace = predicting("");
    logs(&workspace, 400, |i| 0.7 + f64::from(i * 7 % 400) / 400.0 * 0.3, class);
    let report = workspace.report(&[]);
    assert_eq!((state(&report, "prediction-drift").as_str(), &report["decision"]["configured"]), ("quiet", &2.into()));
    assert_eq!(report["predictions"].as_array().unwrap().len(), 2);
    assert!(
        !report["joint"]["pairs_tested"].is_null() && report["joint"]["pairs_tested"].as_u64().unwrap() <= 1,
        "{}",
        report["joint"]
    );

    logs(&workspace, 400, |i| 0.7 + f64::from(i * 7 % 400) / 400.0 * 0.3, |_| "normal");
    let report = workspace.report(&[]);
    assert_eq!((state(&report, "prediction-drift").as_str(), &report["decision"]["verdict"]), ("firing", &"stable".into()));
    assert_eq!((&report["predictions"][0]["name"], report["decision"]["drifted"].as_u64()), (&"class".into(), Some(0)));

    // The column left the logs: that is a broken prediction, and no broken feature.
    workspace.logs(400, 0.0);
    let report = workspace.report(&[]);
    assert_eq!((state(&report, "prediction-drift").as_str(), state(&report, "broken-input").as_str()), ("firing", "quiet"));
    assert!(findings(&report).contains(&("feature-missing".to_owned(), "class".to_owned())), "{:?}", findings(&report));
}

#[test]
fn a_reference_without_predictions_has_nothing_to_compare_with() {
    let workspace = predicting("");
    workspace.reference();
    logs(&workspace, 400, |_| 0.9, class);
    let report = workspace.report(&[]);
    assert_eq!((state(&report, "prediction-drift").as_str(), state(&report, "low-confidence").as_str()), ("inconclusive", "quiet"));
}

#[test]
fn a_built_profile_holds_the_predictions() {
    let workspace = predicting("");
    logs(&workspace, 400, |_| 0.9, |_| "normal");
    let raw = workspace.report(&["--dry-run"]);
    assert_eq!(workspace.run(&["profile", "--config", "config.toml"]).code, 0);
    let built = workspace.report(&["--dry-run"]);
    assert_eq!((&raw["predictions"], &raw["features"]), (&built["predictions"], &built["features"]));
}

/// The service's table with this many right and wrong predictions, an hour before the end of the window.
fn feedback(workspace: &Workspace, right: u32, wrong: u32) {
    let path = workspace.path("feedback.db");
    let _ = std::fs::remove_file(&path);
    let connection = rusqlite::Connection::open(path).unwrap();
    connection
        .execute(
            "CREATE TABLE feedback (id INTEGER PRIMARY KEY, timestamp TEXT, predicted_confidence REAL, is_correct INTEGER)",
            [],
        )
        .unwrap();
    for row in 0..right + wrong {
        let values = rusqlite::params![stamp(60 + row), 0.9, row < right];
        connection
            .execute("INSERT INTO feedback (timestamp, predicted_confidence, is_correct) VALUES (?1, ?2, ?3)", values)
            .unwrap();
    }
}

#[test]
fn accuracy_comes_from_feedback_and_fires_when_it_is_sure() {
    let workspace = Workspace::new();
    workspace.config("[signals.accuracy]\nmode = \"shadow\"\n[feedback]\npath = \"feedback.db\"\n").reference().logs(300, 0.0);
    for (right, wrong, expected) in
        [(19, 1, "quiet"), (15, 5, "inconclusive"), (10, 10, "firing"), (84, 16, "firing"), (0, 0, "inconclusive")]
    {
        feedback(&workspace, right, wrong);
        let report = workspace.report(&[]);
        assert_eq!(state(&report, "accuracy"), expected, "{right} right, {wrong} wrong");
    }
}

#[test]
fn feedback_that_cannot_be_read_is_not_a_good_accuracy() {
    let workspace = Workspace::new();
    workspace.config("[signals.accuracy]\nmode = \"shadow\"\n[feedback]\npath = \"feedback.db\"\n").reference().logs(300, 0.0);
    let ran = workspace.check(&["--format", "json"]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    let report = ran.json();
    assert_eq!((state(&report, "accuracy").as_str(), &report["decision"]["verdict"]), ("inconclusive", &"stable".into()));
    assert!(findings(&report).contains(&("feedback-unavailable".to_owned(), String::new())), "{:?}", findings(&report));
    assert!(ran.stderr.contains("feedback.db"), "{}", ran.stderr);
    assert!(!workspace.path("feedback.db").exists());
}

#[test]
fn logs_that_take_too_much_room_fire() {
    let workspace = Workspace::new();
    workspace.config("[signals.storage]\nmax_logs_bytes = 10000\n").reference().logs(300, 0.0);
    let found = signal(&workspace.report(&[]), "storage");
    assert_eq!((&found["state"], &found["threshold"]), (&"firing".into(), &10_000.0.into()));
}

#[test]
fn predictions_before_the_window_that_cannot_be_read_are_not_passed_over() {
    let workspace = predicting("[window]\nlength = \"1h\"\n");
    logs(&workspace, 60, |_| 0.95, class);
    // Ninety minutes before the end, and unreadable as numbers.
    let line = |i: u32| format!("{},{},low,", stamp(90 + i), class(i));
    workspace.write("bucket/predictions/earlier.csv", format!("ts,class,conf,a,b\n{}", rows(60, line, |a| a)));
    let older = |i: u32| format!("{},{},0.99,", stamp(300 + i), class(i));
    workspace.write("bucket/predictions/oldest.csv", format!("ts,class,conf,a,b\n{}", rows(60, older, |a| a)));
    let found = signal(&workspace.report(&[]), "low-confidence");
    assert_eq!(found["state"], "inconclusive", "{found}");
    assert!(found["reason"].as_str().unwrap().contains("could not be read"), "{found}");
}

#[test]
fn one_row_from_a_clock_that_is_ahead_does_not_make_the_others_new() {
    let workspace = Workspace::new();
    workspace.config("[signals.no-data]\nmax_age = \"2h\"\n").reference();
    let lines = rows(300, |i| format!("{},", stamp(240 + i)), |a| a);
    workspace.write("bucket/predictions/logs.csv", format!("ts,a,b\n{lines}2030-01-01T00:00:00Z,0.5,1\n"));
    let found = signal(&workspace.report(&[]), "no-data");
    assert_eq!(found["state"], "firing", "{found}");
}
