//! `drift-check history` by the real binary: labels, the record, courses, readiness; and the list of runs beside the reports.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use drift_check::decision::DatasetVerdict;
use drift_check::decision::label::{Label, Truth};
use drift_check::decision::signal::{PastSignal, SignalMode, SignalName, SignalState, Transition};
use drift_check::report::PastRun;
use drift_check::store::{LabelRecord, RunRecord, Series, StateStore};
use serde_json::{Value, json};

use crate::cloud_storage::Setup;
use crate::storage_server::Trouble;
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

/// The names of everything in a value, with the kind of each: what a reader of it can rely on.
fn shape(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| shape(value, &format!("{path}.{name}"), found)),
        Value::Array(items) if !items.is_empty() => items.iter().for_each(|item| shape(item, &format!("{path}[]"), found)),
        _ => {
            found.insert(path.trim_start_matches('.').to_owned());
        }
    }
}

#[test]
fn the_history_as_json_has_one_shape() {
    let workspace = Workspace::new();
    workspace.config("").reference().logs(300, 0.5);
    assert_eq!(workspace.check(&[]).code, 0);
    for arguments in [
        &["--silence", "accuracy", "6h", "--reason", "test feedback"][..],
        &label("drift", "2026-01-30T00:00:00Z", "2026-01-31T00:00:00Z")[..],
        &["--promote", "data-drift", "--force", "--reason", "seen enough"][..],
    ] {
        let ran = history(&workspace, arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    let mut found = BTreeSet::new();
    let shown = history(&workspace, &["--format", "json"]).json();
    assert_eq!(shown["schema_version"], 1);
    shape(&shown, "", &mut found);
    let signal =
        |name: &str| ["mode", "state", "threshold", "transition", "value"].map(|part| format!("runs[].signals.{name}.{part}"));
    let feature = |name: &str| ["ks_statistic", "psi_adjusted", "verdict"].map(|part| format!("runs[].features.{name}.{part}"));
    let plain = "
        schema_version job environment window_length_s undelivered
        runs[].id runs[].trigger runs[].started_at runs[].finished_at runs[].report runs[].window_start runs[].window_end
        runs[].verdict runs[].share runs[].rows
        signals[].name signals[].mode signals[].state signals[].window_end signals[].open_since signals[].age_s signals[].reminders
        signals[].last_message signals[].last_message.window_end signals[].last_message.transition signals[].last_message.created_at
        signals[].last_message.status.slack signals[].last_message.status.email
        deliveries[].signal deliveries[].transition deliveries[].window_end deliveries[].window_length_s deliveries[].channel
        deliveries[].status deliveries[].created_at deliveries[].delivered_at deliveries[].attempts deliveries[].error
        silences[].signal silences[].created_at silences[].until silences[].reason silences[].active
        labels[].truth labels[].from labels[].to labels[].feature labels[].created_at labels[].reason
        promotions[].signal promotions[].created_at promotions[].refusal promotions[].reason";
    let mut expected: BTreeSet<String> = plain.split_whitespace().map(str::to_owned).collect();
    let evaluated = shown["runs"][0]["signals"].as_object().unwrap().keys();
    expected.extend(evaluated.flat_map(|name| signal(name)).chain(["a", "b"].into_iter().flat_map(feature)));
    assert_eq!(found, expected);
    let run = &shown["runs"][0];
    assert_eq!((&run["verdict"], &run["signals"]["data-drift"]["state"]), (&"drift".into(), &"firing".into()));
    let drift = shown["signals"].as_array().unwrap().iter().find(|signal| signal["name"] == "data-drift").unwrap();
    assert_eq!((&drift["open_since"], &drift["state"]), (&"2026-01-31T18:00:00Z".into(), &"firing".into()));
    assert!(drift["age_s"].as_i64().unwrap() > 0);
}

#[test]
fn the_history_is_told_in_tables_and_as_markdown() {
    let workspace = with_runs();
    assert_eq!(history(&workspace, &label("drift", "2026-01-30T00:00:00Z", "2026-01-31T00:00:00Z")).code, 0);
    let shown = history(&workspace, &[]).stdout;
    for part in [
        "Runs over 24h, the oldest first:",
        "2026-01-30 18:00 UTC",
        "∅ no-data",
        "✓ stable",
        "Signals:",
        "Messages, the newest first",
        "Silences, the newest first: none",
        "the data set",
        "2026-01-31 00:00 UTC",
        "No message waits to be delivered.",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let markdown = history(&workspace, &["--format", "markdown"]).stdout;
    for part in ["### Runs over 24h, the oldest first\n\n| window to | verdict |", "| drift | 2026-01-30 00:00 UTC |"] {
        assert!(markdown.contains(part), "{part}: {markdown}");
    }
}

#[test]
fn a_store_without_history_says_so() {
    let workspace = Workspace::new();
    workspace.config("");
    let shown = history(&workspace, &["--dry-run"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("Runs over 24h, the oldest first: none"), "{}", shown.stdout);
    let course = history(&workspace, &["--dry-run", "--feature", "a"]);
    assert_eq!((course.code, course.stdout.as_str()), (4, ""));
    assert!(course.stderr.contains("no run over 24h is on record in this store: run `drift-check` first"), "{}", course.stderr);
    let readiness = history(&workspace, &["--dry-run", "--readiness", "--format", "json"]).json();
    let signals = readiness["signals"].as_array().unwrap();
    assert!(!signals.is_empty() && signals.iter().all(|signal| signal["needed"] == 149 && signal["rate"].is_null()), "{readiness}");
    assert!(!workspace.path("state.db").exists(), "a dry run makes no store");
}

#[test]
fn the_course_of_a_feature_is_drawn_with_its_scale_times_and_threshold() {
    let workspace = with_runs();
    workspace.logs(300, 0.5);
    assert_eq!(workspace.run(&["--config", "config.toml", "--as-of", "2026-01-31T19:00:00Z"]).code, 0);
    let shown = history(&workspace, &["--feature", "a"]).stdout;
    for part in [
        "a over windows of 24h, the oldest first:\nPSI adjusted  ·▁█\n",
        "drift from 0.1 (",
        "KS statistic  ·",
        "verdict       ",
        "2026-01-30 18:00 to 2026-01-31 19:00 UTC",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let json = history(&workspace, &["--feature", "a", "--format", "json"]).json();
    let points = json["points"].as_array().unwrap();
    assert_eq!((points.len(), &points[2]["verdict"], &json["psi_drift"]), (3, &"drift".into(), &json!(0.1)));
    assert!(points[2]["ks_statistic"].as_f64().unwrap() > 0.4, "{json}");
    let markdown = history(&workspace, &["--feature", "a", "--format", "markdown"]).stdout;
    assert!(markdown.starts_with("## a over windows of 24h") && markdown.contains("```text\nPSI adjusted"), "{markdown}");
}

#[test]
fn an_unknown_feature_is_refused_with_the_nearest_name() {
    let workspace = Workspace::new();
    workspace.config("").write("config.toml", "[job]\nname = \"test\"\n[bucket]\nuri = \"file:bucket\"\n[store]\npath = \"state.db\"\n[logs]\ntimestamp = \"ts\"\n[features]\ninclude = [\"sphericity\"]\n");
    workspace.write(
        "bucket/reference/reference.csv",
        "sphericity\n".to_owned() + &(0..50).map(|i| format!("{i}\n")).collect::<String>(),
    );
    workspace.write("bucket/predictions/logs.csv", format!("ts,sphericity\n{},1\n", crate::workspace::stamp(5)));
    assert_eq!(workspace.check(&[]).code, 0);
    let refused = history(&workspace, &["--feature", "sphericty"]);
    assert_refused(&refused, &["`sphericty` is not a feature of this job; did you mean `sphericity`?"]);
    assert_refused(&history(&workspace, &["--feature", "zzz"]), &["the features on record are sphericity"]);
}

/// So many windows of a day every six hours, in which `data-drift` fired at these.
async fn with_windows(count: i64, firing: &[i64]) -> Workspace {
    let workspace = Workspace::new();
    workspace.config("");
    let path = workspace.path("state.db").display().to_string();
    let store = StateStore::sqlite(path, std::time::Duration::from_secs(9)).await.unwrap();
    for number in 0..count {
        let end: DateTime<Utc> = "2026-01-02T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(6 * number);
        let state = if firing.contains(&number) { SignalState::Firing } else { SignalState::Quiet };
        let signal = PastSignal {
            mode: SignalMode::Shadow,
            state,
            value: Some(0.0),
            threshold: Some(0.3),
            transition: Some(Transition::None),
        };
        let outcome = PastRun {
            window_start: Some(end - TimeDelta::hours(24)),
            window_end: end,
            verdict: DatasetVerdict::Stable,
            share: 0.0,
            rows: 10,
            features: BTreeMap::new(),
        };
        let record = RunRecord {
            id: number.to_string(),
            series: Series { job: "test".to_owned(), environment: "local".to_owned(), length_s: 86_400 },
            trigger: "manual".to_owned(),
            started_at: end,
            finished_at: end,
            profile_id: String::new(),
            config_digest: String::new(),
            report_uri: String::new(),
            outcome,
            signals: BTreeMap::from([(SignalName::DataDrift, signal)]),
        };
        store.record_run(record).await.unwrap();
    }
    workspace
}

/// What is said of `data-drift`.
fn readiness(workspace: &Workspace) -> Value {
    let report = history(workspace, &["--readiness", "--format", "json"]).json();
    assert_eq!((&report["target"], &report["confidence"]), (&json!(0.02), &json!(0.95)));
    report["signals"].as_array().unwrap().iter().find(|signal| signal["name"] == "data-drift").unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_is_promoted_when_enough_independent_windows_show_that_it_is_fit_to_notify() {
    // 4 · 148 + 1 windows: the first and then one in four do not overlap.
    let workspace = with_windows(4 * 148 + 1, &[]).await;
    let found = readiness(&workspace);
    assert_eq!((&found["windows"], &found["independent"], &found["false_alarms"]), (&json!(593), &json!(149), &json!(0)));
    assert_eq!((&found["ready"], &found["needed"]), (&true.into(), &json!(0)));
    let text = history(&workspace, &["--readiness"]).stdout;
    assert!(text.contains("1.991 %") && text.contains("unless somebody labelled it drift"), "{text}");
    let promoted = history(&workspace, &["--promote", "data-drift"]);
    assert_eq!(promoted.code, 0, "{}", promoted.stderr);
    let change: toml::Table = promoted.stdout.parse().unwrap_or_else(|error| panic!("{error}: {}", promoted.stdout));
    assert_eq!(change["signals"]["data-drift"]["mode"].as_str(), Some("notify"));
    assert!(!std::fs::read_to_string(workspace.path("config.toml")).unwrap().contains("notify"), "it is for people to change");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_is_not_fit_to_notify_is_refused_with_the_reason_unless_it_is_forced() {
    // Twelve independent windows; it fires in the second of those that overlap the sixth.
    let workspace = with_windows(4 * 11 + 1, &[21]).await;
    let found = readiness(&workspace);
    assert_eq!((&found["independent"], &found["false_alarms"], &found["needed"]), (&json!(12), &json!(1), &json!(224)));
    // One of twelve, 30.4375 windows a month.
    assert!((found["per_month"]["estimate"].as_f64().unwrap() - 30.4375 / 12.0).abs() < 1e-9);
    let refused = history(&workspace, &["--promote", "data-drift"]);
    assert_refused(
        &refused,
        &[
            "data-drift fired in 1 of 12 independent windows without drift",
            "it must be below 2 %",
            "224 more independent windows",
            "--force",
        ],
    );
    assert_refused(&history(&workspace, &["--promote", "data-drift", "--force"]), &["--reason <TEXT>"]);
    assert_refused(&history(&workspace, &["--promote", "data-drif"]), &["`data-drif` is not a signal"]);
    assert_refused(&history(&workspace, &["--force", "--reason", "x"]), &["--promote"]);
    let forced = history(&workspace, &["--promote", "data-drift", "--force", "--reason", "we want to know"]);
    assert_eq!(forced.code, 0, "{}", forced.stderr);
    assert!(
        forced.stdout.parse::<toml::Table>().is_ok() && forced.stdout.contains("# Forced: data-drift fired in 1 of 12"),
        "{}",
        forced.stdout
    );
    let shown = history(&workspace, &[]).stdout;
    assert!(shown.contains("Promotions that were forced") && shown.contains("we want to know"), "{shown}");
    // The window did drift: it is no false alarm, and says nothing of false alarms.
    assert_eq!(history(&workspace, &label("drift", "2026-01-06T10:00:00Z", "2026-01-06T11:00:00Z")).code, 0);
    let found = readiness(&workspace);
    assert_eq!((&found["false_alarms"], &found["left_out"]["labelled_drift"]), (&json!(0), &json!(4)), "{found}");
    // Labels of two people at once, who did not see each other's.
    let store =
        StateStore::sqlite(workspace.path("state.db").display().to_string(), std::time::Duration::from_secs(9)).await.unwrap();
    let scope = Series { job: "test".to_owned(), environment: "local".to_owned(), length_s: 0 }.scope();
    let range = |hour: &str| format!("2026-01-06T{hour}:00:00Z").parse().unwrap();
    let other = Label { truth: Truth::NoDrift, from: range("09"), to: range("12"), feature: None };
    store.label(LabelRecord { scope, label: other, created_at: range("12"), reason: "no".to_owned() }).await.unwrap();
    let contradicting = history(&workspace, &["--readiness"]);
    assert_eq!((contradicting.code, contradicting.stdout.as_str()), (4, ""));
    assert!(contradicting.stderr.contains("contradict each other"), "{}", contradicting.stderr);
}

#[test]
fn a_signal_that_notifies_or_is_off_is_not_promoted() {
    let workspace = Workspace::new();
    workspace.config("[signals.storage]\nmode = \"off\"\n");
    assert_refused(&history(&workspace, &["--promote", "storage"]), &["storage is off", "signals.storage.mode = \\\"shadow\\\""]);
}

/// The ends of the windows that a list of runs holds, the newest first.
fn listed(page: &[u8]) -> Vec<String> {
    let page = String::from_utf8(page.to_vec()).unwrap();
    assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"), "a part of a page");
    page.split("<th scope=\"row\"><a href=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0.to_owned()).collect()
}

const INDEX: &str = "reports/test/index.html";

#[test]
fn every_run_puts_itself_into_the_list_whichever_window_it_is_about() {
    for setup in [Setup::folder(), Setup::cloud()] {
        setup.data(300, 0.5);
        let run = |as_of: &str, more: &[&str]| {
            let ran = setup.run(&[&["--config", "config.toml", "--as-of", as_of], more].concat());
            assert_eq!(ran.code, 0, "{}", ran.stderr);
        };
        run("2026-01-31T18:00:00Z", &["--dry-run"]);
        assert_eq!(setup.keys(INDEX), [""; 0], "a dry run writes nothing");
        run("2026-01-31T18:00:00Z", &[]);
        run("2026-01-31T12:00:00Z", &[]);
        run("2026-01-31T18:00:00Z", &[]);
        run("2026-01-31T18:00:00Z", &["--window", "6h"]);
        let links = listed(&setup.get(INDEX));
        assert_eq!(
            links,
            ["2026/01/31/180000Z-24h/report.html", "2026/01/31/180000Z-6h/report.html", "2026/01/31/120000Z-24h/report.html"]
        );
        for link in links {
            assert!(!setup.get(&format!("reports/test/{link}")).is_empty(), "{link}");
        }
        let page = String::from_utf8(setup.get(INDEX)).unwrap();
        assert!(page.contains("default-src 'none'") && !page.contains("<script") && !page.contains("://"), "{page}");
    }
}

#[test]
fn runs_at_once_are_all_listed() {
    for setup in [Setup::folder(), Setup::cloud()] {
        setup.data(300, 0.0);
        let ends = ["2026-01-31T18:00:00Z", "2026-01-31T18:30:00Z", "2026-01-31T12:00:00Z", "2026-01-31T17:00:00Z"];
        std::thread::scope(|scope| {
            let setup = &setup;
            let run = |end: &'static str| scope.spawn(move || setup.run(&["--config", "config.toml", "--as-of", end]));
            for run in ends.map(run) {
                let ran = run.join().unwrap();
                assert_eq!(ran.code, 0, "{}", ran.stderr);
            }
        });
        assert_eq!(listed(&setup.get(INDEX)).len(), 4);
    }
}

#[test]
fn a_list_that_cannot_be_written_costs_a_warning_and_nothing_else() {
    let setup = Setup::cloud();
    setup.data(300, 0.0);
    setup.server().trouble("POST", "index.html", 1, Trouble::Status(403, None));
    let ran = setup.check(&["--format", "json"]);
    assert_eq!((ran.code, &ran.json()["decision"]["verdict"]), (0, &"stable".into()), "{}", ran.stderr);
    assert!(ran.stderr.contains("The report was published, but not listed in index.html"), "{}", ran.stderr);
    assert_eq!(setup.keys(INDEX), [""; 0]);
    assert_eq!(setup.check(&[]).code, 0);
    assert_eq!(listed(&setup.get(INDEX)).len(), 1);
    // What is no list of ours is replaced; what a newer program wrote is left alone.
    setup.put(INDEX, "no list");
    assert_eq!(setup.check(&[]).code, 0);
    let page = String::from_utf8(setup.get(INDEX)).unwrap();
    assert_eq!(listed(page.as_bytes()).len(), 1);
    let newer = page.replace("content=\"1;", "content=\"2;");
    assert_ne!(newer, page);
    setup.put(INDEX, &newer);
    let ran = setup.check(&[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("index.html is of version 2, newer than this drift-check"), "{}", ran.stderr);
    assert_eq!(setup.get(INDEX), newer.into_bytes());
}
