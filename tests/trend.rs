//! The trend, by the real binary: an earlier window that is computed from the logs is what a check of that moment finds, although the logs of
//! several windows are read once.

use std::fmt::Write as _;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::cloud_storage::Setup;
use crate::documents::fixtures;
use crate::workspace::{AS_OF, Ran, Workspace, stamp};

/// What the trend keeps of a report.
fn kept(report: &Value) -> Value {
    let feature = |feature: &Value| {
        let kept = json!({
            "verdict": feature["verdict"], "psi_adjusted": feature["psi"]["adjusted"], "ks_statistic": feature["ks"]["statistic"],
        });
        (feature["name"].as_str().unwrap().to_owned(), kept)
    };
    let features: serde_json::Map<String, Value> = report["features"].as_array().unwrap().iter().map(feature).collect();
    json!({
        "window_start": report["window"]["start"], "window_end": report["window"]["end"], "verdict": report["decision"]["verdict"],
        "share": report["decision"]["share"], "rows": report["current"]["rows"], "features": features,
    })
}

/// The trend of a run, and for each earlier window what a check of its moment finds; `None` where that finds no rows, or fails.
fn beside_checks(windows: i32, run: &dyn Fn(&[&str]) -> Ran) -> (Vec<Value>, Vec<Option<Value>>) {
    let ran = run(&["--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = ran.json();
    let end = |side: &str| report["window"][side].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    let (start, length) = (end("start"), end("end") - end("start"));
    let checked = (0..windows).rev().map(|earlier| {
        let as_of = (start - length * earlier).to_rfc3339();
        let checked = run(&["--as-of", &as_of, "--dry-run"]);
        if checked.code == 0 { Some(kept(&checked.json())).filter(|kept| kept["rows"] != 0) } else { None }
    });
    (report["run"]["history"].as_array().unwrap().clone(), checked.collect())
}

/// The fixtures: text and Parquet, rows out of order, rejected and of other types, a quiet day, a dead feature, drift.
#[test]
fn the_trend_of_the_fixtures_is_what_their_checks_find() {
    let workspace = fixtures();
    let command = ["--config", "config/local.toml", "--window", "24h", "--format", "json"];
    let (trend, checked) = beside_checks(6, &|more| workspace.run(&[&command, more].concat()));
    assert_eq!(trend.len(), 6);
    assert_eq!(trend, checked.into_iter().flatten().collect::<Vec<_>>());
}

/// Rows `ts,a,b` from so many minutes before [`AS_OF`] to so many, one a minute, in the order of time.
fn rows(from: u32, to: u32) -> Vec<String> {
    let row = |i: u32| format!("{},{},{}", stamp(i), f64::from(i * 181 % 400) / 400.0, i * 37 % 400);
    (to..from).rev().map(row).collect()
}

fn csv(rows: &[String]) -> String {
    rows.iter().fold("ts,a,b\n".to_owned(), |mut text, row| {
        writeln!(text, "{row}").unwrap();
        text
    })
}

const HOUR: u32 = 60;

/// Logs of nine windows of two hours: an object for each two hours, cut in the middle of the windows, with its own hour in its key.
fn scene() -> Workspace {
    let workspace = Workspace::new();
    workspace.config("").reference();
    let end: DateTime<Utc> = AS_OF.parse().unwrap();
    for window in 0..9 {
        let from = (window * 2 + 3) * HOUR;
        let key = (end - TimeDelta::minutes(i64::from(from))).format("%Y/%m/%d/%H");
        workspace.write(&format!("bucket/predictions/{key}.csv"), csv(&rows(from, from - 2 * HOUR)));
    }
    workspace.write("bucket/predictions/2026/01/31/17.csv", csv(&rows(HOUR, 0)));
    workspace
}

fn run(workspace: &Workspace, more: &[&str]) -> Ran {
    let command = ["--config", "config.toml", "--window", "2h", "--as-of", AS_OF, "--format", "json"];
    // A second moment takes the place of the first.
    let command = if more.contains(&"--as-of") { [&command[..4], &command[6..], more].concat() } else { [&command, more].concat() };
    let environment = [("DRIFT_CHECK__LOGS__DATE_PATTERN", "%Y/%m/%d/%H"), ("DRIFT_CHECK__REPORT__BACKFILL_WINDOWS", "6")];
    workspace.run_with(&command, &environment)
}

#[test]
fn windows_that_share_objects_are_each_what_their_checks_find() {
    let (trend, checked) = beside_checks(6, &|more| run(&scene(), more));
    assert_eq!(trend.iter().map(|run| run["rows"].as_u64().unwrap()).collect::<Vec<_>>(), [120; 6]);
    assert_eq!(trend, checked.into_iter().flatten().collect::<Vec<_>>());
}

/// Whatever is wrong with the logs of some windows changes them as it changes their checks, and no other window.
#[test]
fn a_window_with_damaged_logs_is_what_its_check_makes_of_them() {
    let object = |hour: u32| format!("bucket/predictions/2026/01/31/{hour:02}.csv");
    let of = |hour: u32| rows((18 - hour) * HOUR, (16 - hour) * HOUR);
    let bad = |number: usize, text: &str, hour: u32| {
        let mut rows = of(hour);
        rows.iter_mut().take(number).for_each(|row| *row = text.to_owned());
        csv(&rows)
    };
    let damages = [
        ("a few rows rejected", object(13), bad(3, "no time,0.5,7", 13), 6),
        ("most rows rejected", object(13), bad(90, "no time,0.5,7", 13), 4),
        ("unreadable", "bucket/predictions/2026/01/31/13.parquet".to_owned(), "PAR1 and no more".to_owned(), 6),
        ("another type", object(9), csv(&of(9)).replace(",0.", ",x"), 6),
        ("backwards", object(9), csv(&of(9).into_iter().rev().collect::<Vec<_>>()), 6),
        ("rows of another hour than the key's", object(8), csv(&of(13)), 6),
        ("a header alone", object(9), "ts,a,b\n".to_owned(), 6),
    ];
    for (what, key, text, expected) in damages {
        let workspace = scene();
        workspace.write(&key, text);
        let (trend, checked) = beside_checks(6, &|more| run(&workspace, more));
        assert_eq!(trend, checked.into_iter().flatten().collect::<Vec<_>>(), "{what}");
        assert_eq!(trend.len(), expected, "{what}");
    }
}

/// Logs in one object for all windows: once for the window under test, once for those before it.
#[test]
fn an_object_of_many_windows_is_read_once_for_all_of_them() {
    const LOGS: &str = "/o/predictions/logs.csv?alt=media";
    let setup = Setup::cloud();
    setup.config("[report]\nbackfill_windows = 6\n").data(1, 0.0).put("predictions/logs.csv", csv(&rows(18 * HOUR, 0)));
    let ran = setup.check(&["--window", "2h", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = ran.json();
    let of_windows: Vec<u64> =
        report["run"]["history"].as_array().unwrap().iter().map(|run| run["rows"].as_u64().unwrap()).collect();
    assert_eq!((of_windows, &report["current"]["rows"]), (vec![120; 6], &120.into()));
    assert_eq!(setup.server().requests(LOGS), 2);
}
