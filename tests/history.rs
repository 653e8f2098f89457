//! `drift-check history` by the real binary: labels.

use serde_json::Value;

use crate::workspace::{Ran, Workspace};

/// A job with two runs on record, a day apart.
fn with_runs() -> Workspace {
    let workspace = Workspace::new();
    workspace.config("").reference().logs(300, 0.0);
    for as_of in ["2026-01-30T18:00:00Z", "2026-01-31T18:00:00Z"] {
        let ran = workspace.run(&["--config", "config.toml", "--as-of", as_of]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    workspace
}

fn history(workspace: &Workspace, arguments: &[&str]) -> Ran {
    workspace.run(&[&["history", "--config", "config.toml"], arguments].concat())
}

fn labels(workspace: &Workspace) -> Vec<Value> {
    let shown = history(workspace, &["--format", "json"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    shown.json()["labels"].as_array().unwrap().clone()
}

/// A label of some hours of a day.
fn label<'a>(truth: &'a str, from: &'a str, to: &'a str) -> Vec<&'a str> {
    vec!["--label", truth, "--from", from, "--to", to, "--reason", "as the ticket says"]
}

#[track_caller]
fn assert_refused(ran: &Ran, parts: &[&str]) {
    assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{}", ran.stderr);
    for part in parts {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
}

#[test]
fn a_label_is_recorded_shown_and_taken_back() {
    let workspace = with_runs();
    let ran = history(&workspace, &label("drift", "2026-01-30T06:00:00+02:00", "2026-01-30T12:00:00Z"));
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "Labelled drift from 2026-01-30T04:00:00Z to 2026-01-30T12:00:00Z.\n"));
    let of_feature = [label("no-drift", "2026-01-30T00:00:00Z", "2026-01-31T00:00:00Z"), vec!["--feature", "a"]].concat();
    assert_eq!(history(&workspace, &of_feature).code, 0);
    let found = labels(&workspace);
    assert_eq!(found.len(), 2);
    assert_eq!((&found[0]["truth"], &found[0]["feature"]), (&"no-drift".into(), &"a".into()));
    assert_eq!((&found[1]["from"], &found[1]["reason"]), (&"2026-01-30T04:00:00Z".into(), &"as the ticket says".into()));
    let shown = history(&workspace, &[]).stdout;
    assert!(shown.contains("drift") && shown.contains("as the ticket says"), "{shown}");
    let forget = ["--unlabel", "--from", "2026-01-30T04:00:00Z", "--to", "2026-01-30T12:00:00Z"];
    let ran = history(&workspace, &[&forget[..], &["--dry-run"]].concat());
    assert_eq!((ran.code, labels(&workspace).len()), (0, 2), "a dry run writes nothing: {}", ran.stderr);
    let ran = history(&workspace, &forget);
    assert_eq!(ran.stdout, "The label drift from 2026-01-30T04:00:00Z to 2026-01-30T12:00:00Z is taken back.\n");
    assert_eq!(labels(&workspace).len(), 1);
    assert_refused(&history(&workspace, &forget), &["there is no label", "give the range and the feature of one", "of a"]);
}

#[test]
fn a_label_that_contradicts_one_on_record_is_refused_with_the_command_that_takes_it_back() {
    let workspace = with_runs();
    assert_eq!(history(&workspace, &label("drift", "2026-01-30T00:00:00Z", "2026-01-30T12:00:00Z")).code, 0);
    let refused = history(&workspace, &label("no-drift", "2026-01-30T11:59:59Z", "2026-01-31T00:00:00Z"));
    let remedy = "drift-check history --unlabel --from 2026-01-30T00:00:00Z --to 2026-01-30T12:00:00Z";
    assert_refused(
        &refused,
        &["contradicts drift from 2026-01-30T00:00:00Z to 2026-01-30T12:00:00Z", "as the ticket says", remedy],
    );
    // The very same range with the other word is one too, and does not replace it.
    assert_refused(&history(&workspace, &label("no-drift", "2026-01-30T00:00:00Z", "2026-01-30T12:00:00Z")), &["contradicts"]);
    assert_eq!(labels(&workspace).len(), 1);
    // Ranges that touch share no moment; the same word may be said twice.
    assert_eq!(history(&workspace, &label("no-drift", "2026-01-30T12:00:00Z", "2026-01-31T00:00:00Z")).code, 0);
    let again = history(&workspace, &label("drift", "2026-01-30T06:00:00Z", "2026-01-30T12:00:00Z"));
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert!(again.stdout.contains("It overlaps drift from 2026-01-30T00:00:00Z"), "{}", again.stdout);
    // As the error says.
    let words: Vec<&str> = remedy.split_whitespace().skip(2).collect();
    assert_eq!(history(&workspace, &words).code, 0);
}

#[test]
fn a_label_without_a_moment_a_reason_or_a_known_feature_is_refused() {
    let workspace = with_runs();
    let moment = "2026-01-30T00:00:00Z";
    assert_refused(&history(&workspace, &label("drift", moment, moment)), &["holds no moment", "--to is the first moment"]);
    assert_refused(&history(&workspace, &label("drift", moment, "2026-01-29T00:00:00Z")), &["ends before it begins"]);
    assert_refused(&history(&workspace, &label("drift", moment, "2026-01-30")), &["2026-01-31T18:00:00Z"]);
    assert_refused(&history(&workspace, &label("maybe", moment, "2026-01-31T00:00:00Z")), &["drift, no-drift"]);
    let blank = ["--label", "drift", "--from", moment, "--to", "2026-01-31T00:00:00Z", "--reason", " "];
    assert_refused(&history(&workspace, &blank), &["a label needs a reason"]);
    assert_refused(&history(&workspace, &blank[..6]), &["--reason <TEXT>"]);
    assert_refused(&history(&workspace, &["--from", moment, "--to", moment]), &["--label"]);
    let of_nothing = [label("drift", moment, "2026-01-31T00:00:00Z"), vec!["--feature", "zzz"]].concat();
    assert_refused(&history(&workspace, &of_nothing), &["`zzz` is not a feature of this job; the features on record are a, b"]);
    assert_eq!(labels(&workspace), [Value::Null; 0]);
}
