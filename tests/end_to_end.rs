//! The real binary on real files: verdicts, reports, exit codes, row accounting.

use serde_json::Value;

use crate::workspace::{AS_OF, Workspace, findings, rows, stamp, text, verdict};

/// A workspace with a reference and `count` undrifted rows.
fn stable(count: u32) -> Workspace {
    let workspace = Workspace::new();
    workspace.config("").reference().logs(count, 0.0);
    workspace
}

fn drifted() -> Workspace {
    let workspace = Workspace::new();
    workspace.config("").reference().logs(300, 0.5);
    workspace
}

#[test]
fn an_undrifted_window_is_stable_and_the_report_is_put_in_its_place() {
    let workspace = stable(400);
    let ran = workspace.check(&[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("Stable: none of 2 features drifted or broke."), "{}", ran.stdout);
    assert!(ran.stdout.contains("reports/test/2026/01/31/180000Z-24h/report.html"), "{}", ran.stdout);
    assert_eq!(
        workspace.files("bucket/reports"),
        [
            "test/2026/01/31/180000Z-24h/report.html",
            "test/2026/01/31/180000Z-24h/report.json",
            "test/index.html",
            "test/latest.html",
            "test/latest.json"
        ]
    );
}

#[test]
fn identical_samples_have_distance_zero() {
    let report = stable(400).report(&[]);
    for feature in report["features"].as_array().unwrap() {
        assert_eq!(feature["ks"]["statistic"], 0.0);
        assert_eq!(feature["ks"]["p_value"], 1.0);
        assert_eq!(feature["psi"]["value"], 0.0);
        assert_eq!(feature["wasserstein"]["value"], 0.0);
        assert_eq!(feature["jensen_shannon"], 0.0);
    }
}

#[test]
fn a_shifted_feature_drifts_and_the_exit_code_follows_the_flag() {
    let workspace = drifted();
    let report = workspace.report(&[]);
    assert_eq!(report["decision"]["verdict"], "drift");
    assert_eq!((verdict(&report, "a"), verdict(&report, "b")), ("drift".to_owned(), "stable".to_owned()));
    assert_eq!(report["decision"]["share"], 0.5);
    assert_eq!(report["features"][0]["name"], "a", "the worst comes first");
    // Half of the reference lies above 0.5: KS by hand is one half.
    assert!((report["features"][0]["ks"]["statistic"].as_f64().unwrap() - 0.5).abs() < 0.02);
    assert!((report["features"][0]["wasserstein"]["value"].as_f64().unwrap() - 0.5).abs() < 0.02);
    for (flag, code) in [("drift", 10), ("inconclusive", 10), ("never", 0)] {
        assert_eq!(workspace.check(&["--fail-on", flag]).code, code, "{flag}");
    }
}

#[test]
fn the_same_inputs_give_the_same_bytes_outside_run() {
    let workspace = drifted();
    let report = || -> Value {
        workspace.check(&[]);
        let mut report: Value =
            serde_json::from_slice(&std::fs::read(workspace.path("bucket/reports/test/latest.json")).unwrap()).unwrap();
        report["run"] = Value::Null;
        report
    };
    assert_eq!(serde_json::to_string(&report()).unwrap(), serde_json::to_string(&report()).unwrap());
}

#[test]
fn every_row_is_used_outside_or_rejected() {
    let workspace = Workspace::new();
    workspace.config("").reference();
    let inside = rows(200, |i| format!("{},", stamp(i)), |a| a);
    let outside = rows(50, |i| format!("{},", stamp(i + 5_000)), |a| a);
    let end = format!("{AS_OF},0.5,7\n");
    let start = "2026-01-30T18:00:00Z,0.5,7\n";
    workspace.write("bucket/predictions/logs.csv", format!("ts,a,b\n{inside}{outside}{end}{start}{},0.5\n", stamp(3)));
    let report = workspace.report(&[]);
    let current = &report["current"];
    // The window holds its start and not its end.
    assert_eq!(
        (&current["rows"], &current["rows_outside_window"], &current["rows_rejected"]),
        (&201.into(), &51.into(), &1.into())
    );
    assert_eq!(current["rows_read"], 253);
    let message = text(&report["findings"].as_array().unwrap().iter().find(|f| f["code"] == "rows-rejected").unwrap()["message"]);
    assert!(message.contains("line 254") && message.contains("found 2 fields, expected 3"), "{message}");
}

#[test]
fn a_window_without_rows_is_no_data_and_never_stable() {
    let workspace = stable(400);
    let ran = workspace.run(&["--config", "config.toml", "--as-of", "2031-01-01T00:00:00Z", "--format", "json"]);
    let report = ran.json();
    assert_eq!(ran.code, 0);
    assert_eq!(report["decision"]["verdict"], "no-data");
    assert_eq!(findings(&report), [("no-rows".to_owned(), String::new())]);
    let signal = report["signals"].as_array().unwrap().iter().find(|signal| signal["name"] == "no-data").unwrap();
    assert_eq!(signal["state"], "firing");
}

#[test]
fn an_empty_log_folder_is_no_data_too() {
    let workspace = Workspace::new();
    workspace.config("").reference();
    assert_eq!(workspace.report(&[])["decision"]["verdict"], "no-data");
}

#[test]
fn one_row_is_inconclusive_and_says_how_many_are_missing() {
    let workspace = stable(1);
    let report = workspace.report(&[]);
    assert_eq!(report["decision"]["verdict"], "inconclusive");
    let reason = text(&report["features"][0]["reason"]);
    assert!(reason.contains("needs 9 more independent rows"), "{reason}");
    assert_eq!(workspace.check(&["--fail-on", "inconclusive"]).code, 11);
    assert_eq!(workspace.check(&["--fail-on", "drift"]).code, 0);
}

#[test]
fn a_dry_run_writes_nothing() {
    let workspace = stable(400);
    let before = workspace.files(".");
    let ran = workspace.check(&["--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(workspace.files("."), before);
}

#[test]
fn latest_never_moves_backwards() {
    let workspace = stable(400);
    workspace.check(&[]);
    let end = |workspace: &Workspace| {
        let bytes = std::fs::read(workspace.path("bucket/reports/test/latest.json")).unwrap();
        text(&serde_json::from_slice::<Value>(&bytes).unwrap()["window"]["end"])
    };
    workspace.run(&["--config", "config.toml", "--as-of", "2026-01-31T12:00:00Z"]);
    assert_eq!(end(&workspace), AS_OF);
    workspace.run(&["--config", "config.toml", "--as-of", "2026-01-31T18:30:00Z"]);
    assert_eq!(end(&workspace), "2026-01-31T18:30:00Z");
}

#[test]
fn past_windows_become_the_trend_and_signals_live_across_runs() {
    let workspace = stable(400);
    workspace.run(&["--config", "config.toml", "--as-of", "2026-01-31T14:00:00Z"]);
    workspace.logs(300, 0.5);
    let transition = |report: &Value| text(&report["signals"][0]["transition"]);
    let report = workspace.report(&[]);
    let history = report["run"]["history"].as_array().unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!((&history[0]["verdict"], transition(&report).as_str()), (&"stable".into(), "opened"));
    // The same window again opens nothing twice.
    assert_eq!(transition(&workspace.report(&[])), "opened");
    let later = workspace.run(&["--config", "config.toml", "--as-of", "2026-01-31T19:00:00Z", "--format", "json"]).json();
    assert_eq!(transition(&later), "ongoing");
    workspace.logs(400, 0.0);
    // Two quiet windows in a row resolve it (signals.data-drift.close_after).
    let quiet = |as_of| workspace.run(&["--config", "config.toml", "--as-of", as_of, "--format", "json"]).json();
    assert_eq!(transition(&quiet("2026-01-31T20:00:00Z")), "ongoing");
    assert_eq!(transition(&quiet("2026-01-31T21:00:00Z")), "resolved");
}

#[test]
fn a_built_profile_gives_the_same_report_as_the_raw_reference() {
    let workspace = drifted();
    let raw = workspace.report(&["--dry-run"]);
    let ran = workspace.run(&["profile", "--config", "config.toml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("bucket/reference/profile.json"), "{}", ran.stdout);
    let built = workspace.report(&["--dry-run"]);
    for section in ["reference", "current", "decision", "features"] {
        assert_eq!(raw[section], built[section], "{section}");
    }
    // The raw files changed: the profile still counts, and the report says so.
    workspace.write("bucket/reference/more.csv", "a,b\n0.5,7\n");
    assert_eq!(findings(&workspace.report(&["--dry-run"])), [("profile-stale".to_owned(), String::new())]);
}

#[test]
fn a_profile_of_another_version_or_a_damaged_one_is_refused() {
    let workspace = stable(400);
    workspace.run(&["profile", "--config", "config.toml"]);
    let stored = std::fs::read_to_string(workspace.path("bucket/reference/profile.json")).unwrap();
    for (broken, expected) in [
        (stored.replacen("\"version\":3", "\"version\":4", 1), "version 4"),
        // As the version before wrote it: whatever else it holds.
        ("{\"version\":2,\"rows\":1,\"features\":[[\"a\",{\"grid\":[1.0]}]]}".to_owned(), "version 2"),
        (
            stored.replacen("\"pairs\":[", "\"pairs\":[{\"rows\":9,\"correlation\":0.5,\"inflation\":1.0},", 1),
            "one correlation for each pair",
        ),
        (stored[..stored.len() / 2].to_owned(), "damaged"),
        (stored.replacen("\"counts\":\"", "\"counts\":\"k", 1), "do not fit"),
        (stored.replacen("\"knots\":\"", "\"knots\":\"////", 1), "do not fit"),
    ] {
        workspace.write("bucket/reference/profile.json", broken);
        let ran = workspace.check(&[]);
        assert_eq!(ran.code, 4);
        assert!(ran.stderr.contains(expected) && ran.stderr.contains("drift-check profile"), "{}", ran.stderr);
    }
}

#[test]
fn two_paths_and_no_configuration_suffice() {
    let workspace = Workspace::new();
    workspace.write("train.csv", format!("a,b\n{}", rows(400, |_| String::new(), |a| a)));
    workspace.write("today.csv", format!("a,b\n{}", rows(300, |_| String::new(), |a| a + 0.5)));
    let ran = workspace.run(&["--reference", "train.csv", "--current", "today.csv"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("Drift: 1 of 2 features drifted (50 %)"), "{}", ran.stdout);
}

#[test]
fn the_names_of_the_service_are_honoured() {
    let workspace = Workspace::new();
    workspace.write("train.csv", format!("a,b\n{}", rows(400, |_| String::new(), |a| a)));
    workspace.write("today.csv", format!("a,b\n{}", rows(300, |_| String::new(), |a| a)));
    let paths = ["train.csv", "today.csv", "served/drift_report.html"].map(|name| workspace.path(name).display().to_string());
    std::fs::create_dir(workspace.path("served")).unwrap();
    let environment =
        [("DRIFT_REFERENCE_PATH", paths[0].as_str()), ("DRIFT_CURRENT_PATH", &paths[1]), ("DRIFT_REPORT_PATH", &paths[2])];
    let ran = workspace.run_with(&[], &environment);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(std::fs::read_to_string(&paths[2]).unwrap().contains("Stable"));
}

#[test]
fn every_failure_has_its_exit_code_and_says_what_to_do() {
    let workspace = Workspace::new();
    workspace.config("");
    let no_reference = workspace.write("bucket/predictions/logs.csv", "ts,a,b\n").check(&[]);
    assert_eq!(no_reference.code, 4);
    assert!(no_reference.messages()[0].contains("there is no reference at file:bucket/reference/"), "{}", no_reference.stderr);

    assert_eq!(workspace.run(&["--no-such-flag"]).code, 2);
    assert_eq!(workspace.run(&["--as-of", "yesterday"]).code, 2);

    let missing = workspace.run(&["--config", "missing.toml"]);
    assert_eq!(missing.code, 3);
    assert!(missing.stderr.contains("missing.toml"), "{}", missing.stderr);

    workspace.reference().config("[run]\nconcurency = 2\n");
    let unknown = workspace.check(&[]);
    assert_eq!(unknown.code, 3);
    assert!(unknown.stderr.contains("config.toml:12") && unknown.stderr.contains("concurrency"), "{}", unknown.stderr);

    workspace.config("");
    // Nobody listens on port 1.
    let environment = [("STORAGE_EMULATOR_HOST", "127.0.0.1:1"), ("DRIFT_CHECK__BUCKET__TIMEOUT", "1s")];
    let cloud = workspace.run_with(&["--config", "config.toml", "--bucket", "gs://somewhere"], &environment);
    assert_eq!(cloud.code, 5);
    assert!(cloud.stderr.contains("gs://somewhere/reference/") && cloud.stderr.contains("bucket.endpoint"), "{}", cloud.stderr);
    let no_bucket = workspace.check(&["--bucket", "file:nowhere"]);
    assert_eq!(no_bucket.code, 4, "a bucket that is not there has no reference: {}", no_bucket.stderr);
}

#[test]
fn a_store_that_fails_does_not_keep_the_report_from_being_written() {
    let workspace = stable(400);
    workspace.write("state.db", "this is no database, and it is long enough to be looked at as one: ".repeat(40));
    let ran = workspace.check(&["--format", "json"]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    let report = ran.json();
    assert_eq!(report["decision"]["verdict"], "stable");
    assert_eq!(findings(&report), [("history-unavailable".to_owned(), String::new())]);
    assert_eq!(report["signals"][0]["transition"], Value::Null);
    assert!(workspace.path("bucket/reports/test/latest.json").exists());
}

#[test]
fn the_formats_stand_side_by_side() {
    use std::io::Write;
    let workspace = Workspace::new();
    workspace.config("").reference();
    let line = |i: u32| format!("{{\"ts\":\"{}\",\"a\":{},\"b\":{}}}\n", stamp(i), f64::from(i * 181 % 400) / 400.0, i * 37 % 400);
    let csv = |range: std::ops::Range<u32>| {
        let rows: String = range.map(|i| format!("{},{},{}\n", stamp(i), f64::from(i * 181 % 400) / 400.0, i * 37 % 400)).collect();
        format!("ts,a,b\n{rows}")
    };
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(csv(0..100).as_bytes()).unwrap();
    workspace.write("bucket/predictions/a.csv.gz", gzip.finish().unwrap());
    let zstd = zstd::encode_all((100..200).map(line).collect::<String>().as_bytes(), 3).unwrap();
    workspace.write("bucket/predictions/deep/er/b.ndjson.zst", zstd);
    workspace.write("bucket/predictions/c.jsonl", (200..300).map(line).collect::<String>());
    workspace.write("bucket/predictions/d.csv", csv(300..400));
    workspace.write("bucket/predictions/notes.txt", "no rows here");
    let report = workspace.report(&[]);
    assert_eq!(report["current"]["rows"], 400);
    assert_eq!(report["features"][0]["ks"]["statistic"], 0.0, "the four parts are the reference");
    let codes: Vec<_> = report["findings"].as_array().unwrap().iter().map(|finding| text(&finding["code"])).collect();
    assert_eq!(codes, ["object-unknown-format"]);
}

#[test]
fn the_effective_configuration_can_be_used_as_a_configuration() {
    let workspace = stable(400);
    let shown = workspace.run(&["config", "--config", "config.toml", "--window", "6h"]);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    assert!(shown.stdout.contains("flag --window"), "{}", shown.stdout);
    workspace.write("effective.toml", &shown.stdout);
    let again = workspace.run(&["config", "--config", "effective.toml", "--format", "json"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    let schema = workspace.run(&["config", "--schema"]).json();
    assert!(schema["properties"]["policy"]["properties"]["share"].is_object());
}

#[test]
fn logs_are_one_json_object_a_line_when_stderr_is_no_terminal() {
    let ran = drifted().check(&[]);
    let entry: Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
    assert_eq!((&entry["severity"], &entry["decision.verdict"]), (&"INFO".into(), &"drift".into()));
    assert!(entry["time"].as_str().unwrap().ends_with('Z'));
}
