//! `drift-check backtest`, by the real binary: what it says of a window is what `check --as-of` says, and every row is read once.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::documents::fixtures;
use crate::workspace::{Ran, Workspace, text};

/// 2026-01-20T00:00:00Z, where the logs of these tests begin.
const START: i64 = 1_768_867_200;
const HOUR: i64 = 3_600;

/// Rows of an hour.
const ROWS: i64 = 40;

/// A number in [0, 1) that looks random, the same for the same seed.
fn unit(seed: i64) -> f64 {
    let mixed = (seed as u64).wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

fn moment(hour: i64) -> String {
    chrono::DateTime::from_timestamp(START + hour * HOUR, 0).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

/// The rows of an hour; `a` is uniform in [0, 1) and moved by `shift`, `b` stays as it is.
fn of_hour(hour: i64, shift: f64) -> String {
    let mut lines = String::new();
    for i in 0..ROWS {
        let seed = (hour * 1_000 + i) * 7;
        let at = chrono::DateTime::from_timestamp(START + hour * HOUR + i * HOUR / ROWS, 0).unwrap().to_rfc3339();
        writeln!(lines, "{at},{},{},{}", unit(seed) + shift, unit(seed + 1), 0.6 + unit(seed + 2) / 4.0).unwrap();
    }
    lines
}

/// `days` days of logs, an object for every six hours; `a` is moved from `from_hour` on.
fn logs(workspace: &Workspace, days: i64, from_hour: i64, shift: f64) {
    for quarter in 0..days * 4 {
        let day = chrono::DateTime::from_timestamp(START + quarter * 6 * HOUR, 0).unwrap().format("%Y/%m/%d/%H");
        let hours = quarter * 6..quarter * 6 + 6;
        let rows: String = hours.map(|hour| of_hour(hour, if hour >= from_hour { shift } else { 0.0 })).collect();
        workspace.write(&format!("bucket/predictions/{day}.csv"), format!("ts,a,b,conf\n{rows}"));
    }
}

/// A bucket with a reference of 2,000 rows and four days of logs; drift in `a` from the third day on.
fn scene(more: &str) -> Workspace {
    let workspace = Workspace::new();
    let rows: String = (0..2_000).fold(String::new(), |mut rows, i| {
        writeln!(rows, "{},{}", unit(-1 - 2 * i), unit(-2 - 2 * i)).unwrap();
        rows
    });
    workspace.write("bucket/reference/reference.csv", format!("a,b\n{rows}"));
    logs(&workspace, 4, 48, 0.5);
    workspace.write(
        "config.toml",
        format!(
            "[job]\nname = \"test\"\n[bucket]\nuri = \"file:bucket\"\n[store]\npath = \"state.db\"\n[logs]\ntimestamp = \"ts\"\n\
             date_pattern = \"%Y/%m/%d\"\n[prediction]\nconfidence = \"conf\"\n[features]\ninclude = [\"a\", \"b\"]\n{more}"
        ),
    );
    workspace
}

/// Every six hours over the four days.
const RANGE: [&str; 9] = ["backtest", "--config", "config.toml", "--from", "2026-01-20", "--to", "2026-01-24", "--every", "6h"];

fn replay(workspace: &Workspace, more: &[&str]) -> Ran {
    workspace.run(&[&RANGE[..], more].concat())
}

fn replayed(workspace: &Workspace, more: &[&str]) -> Value {
    let ran = replay(workspace, &[&["--format", "json"], more].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.json()
}

fn by_name<'a>(list: &'a Value, name: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|entry| entry["name"] == name).unwrap_or_else(|| panic!("no {name} in {list}"))
}

/// Compares what a backtest and a check say of a window, to the last digit.
fn assert_same(window: &Value, report: &Value) {
    let end = &window["end"];
    assert_eq!(window["rows"], report["current"]["rows"], "{end}");
    assert_eq!(window["decision"].to_string(), report["decision"].to_string(), "{end}");
    let features = report["features"].as_array().unwrap();
    assert_eq!(window["features"].as_array().unwrap().len(), features.len(), "{end}");
    for feature in features {
        let replayed = by_name(&window["features"], feature["name"].as_str().unwrap());
        let checked = json!({
            "name": feature["name"], "verdict": feature["verdict"], "reason": feature["reason"], "q_value": feature["q_value"],
            "psi_adjusted": feature["psi"]["adjusted"],
        });
        assert_eq!(replayed.to_string(), checked.to_string(), "{end}");
    }
    let signals = window["signals"].as_array().unwrap();
    assert!(signals.len() >= 3, "{signals:?}");
    for signal in signals {
        let read = by_name(&report["signals"], signal["name"].as_str().unwrap());
        let checked = json!({ "name": read["name"], "state": read["state"], "value": read["value"] });
        assert_eq!(signal.to_string(), checked.to_string(), "{end}");
    }
}

fn check(workspace: &Workspace, config: &str, end: &str) -> Ran {
    workspace.run(&["--config", config, "--window", "24h", "--as-of", end, "--format", "json", "--dry-run"])
}

#[test]
fn a_window_is_judged_as_a_check_of_that_moment_judges_it() {
    let workspace = scene("");
    let backtest = replayed(&workspace, &[]);
    let windows = backtest["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 13);
    for window in windows.iter().step_by(3) {
        assert_same(window, &check(&workspace, "config.toml", window["end"].as_str().unwrap()).json());
    }
    // Not all alike: else the comparison would say little.
    let verdicts: Vec<&str> = windows.iter().map(|window| window["decision"]["verdict"].as_str().unwrap()).collect();
    assert!(verdicts.contains(&"stable") && verdicts.contains(&"drift"), "{verdicts:?}");
    // And again in another order of reading, where no key tells a date.
    let undated = scene("");
    let config = std::fs::read_to_string(undated.path("config.toml")).unwrap().replace("date_pattern = \"%Y/%m/%d\"\n", "");
    undated.write("config.toml", config);
    assert_eq!(replayed(&undated, &[])["windows"], backtest["windows"]);
}

/// The fixtures: text and Parquet, rows out of order, rejected and of other types, a quiet day, a dead feature, drift.
#[test]
fn a_window_of_the_fixtures_is_judged_as_a_check_judges_it() {
    let workspace = fixtures();
    let range = ["backtest", "--config", "config/local.toml", "--window", "24h", "--from", "2026-01-25", "--to", "2026-02-01"];
    let ran = workspace.run(&[&range[..], &["--every", "6h", "--format", "json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let backtest = ran.json();
    let windows = backtest["windows"].as_array().unwrap();
    assert_eq!(windows.len(), 25);
    for window in windows.iter().step_by(4).chain(windows.iter().skip(10).take(4)) {
        assert_same(window, &check(&workspace, "config/local.toml", window["end"].as_str().unwrap()).json());
    }
}

#[test]
fn every_row_is_read_once() {
    let workspace = scene("");
    let backtest = replayed(&workspace, &[]);
    let reading = &backtest["reading"];
    let rows = 4 * 24 * ROWS;
    assert_eq!(
        (reading["objects"].as_i64(), reading["rows_read"].as_i64(), reading["rows_in_range"].as_i64()),
        (Some(16), Some(rows), Some(rows))
    );
    assert_eq!((reading["objects_read_again"].as_i64(), reading["rows_read_before"].as_i64()), (Some(0), Some(0)));
    assert!(backtest["notes"].as_array().unwrap().iter().all(|note| !text(note).contains("again")), "{}", backtest["notes"]);
}

/// One ragged row is rejected in every cut alike; a word in a column of numbers may condemn its row or its column.
#[test]
fn what_does_not_count_alike_in_every_window_is_read_again_and_said() {
    let workspace = scene("");
    let ragged = std::fs::read_to_string(workspace.path("bucket/predictions/2026/01/20/06.csv")).unwrap() + "torn\n";
    workspace.write("bucket/predictions/2026/01/20/06.csv", ragged);
    assert_eq!(replayed(&workspace, &[])["reading"]["objects_read_again"], 0);
    let worded = of_hour(24 + 12, 0.0).replacen("0.", "word", 1);
    workspace.write("bucket/predictions/2026/01/21/12.csv", format!("ts,a,b,conf\n{worded}"));
    let backtest = replayed(&workspace, &[]);
    // Its key says the 21st, give or take an hour: the windows that end at midnight of the 21st to those that begin at midnight of the 22nd.
    assert_eq!(backtest["reading"]["objects_read_again"], 9);
    assert_eq!(backtest["reading"]["rows_read_again"], 9 * ROWS);
    assert!(backtest["notes"].to_string().contains("2026/01/21/12.csv"), "{}", backtest["notes"]);
    for window in backtest["windows"].as_array().unwrap().iter().take(7).step_by(2) {
        assert_same(window, &check(&workspace, "config.toml", window["end"].as_str().unwrap()).json());
    }
}

#[test]
fn logs_that_a_check_cannot_use_are_no_verdict() {
    let workspace = scene("");
    let torn = of_hour(24, 0.0) + &"torn\n".repeat(60);
    workspace.write("bucket/predictions/2026/01/21/00.csv", format!("ts,a,b,conf\n{torn}"));
    let backtest = replayed(&workspace, &[]);
    let mut unusable = 0;
    for window in backtest["windows"].as_array().unwrap().iter().take(6) {
        let checked = check(&workspace, "config.toml", window["end"].as_str().unwrap());
        assert_eq!(window["unusable"].is_string(), checked.code == 4, "{}", window["end"]);
        if checked.code == 4 {
            unusable += 1;
            assert!(checked.messages().join(" ").contains(window["unusable"].as_str().unwrap()), "{}", checked.stderr);
            assert_eq!(window["signals"], json!([{ "name": "broken-input", "state": "firing", "value": null }]));
        } else {
            assert_same(window, &checked.json());
        }
    }
    assert!(unusable > 0 && backtest["windows_unusable"].as_i64() >= Some(unusable), "{unusable}");
}

#[test]
fn without_dates_in_the_keys_more_is_held() {
    // Few objects make one group; so many make several, and what is over is forgotten.
    let workspace = scene("[run]\nconcurrency = 1\n");
    let dated = replayed(&workspace, &[])["reading"]["steps_held"].as_i64().unwrap();
    assert!(dated < 16, "{dated} of 16 steps");
    let config = std::fs::read_to_string(workspace.path("config.toml")).unwrap().replace("date_pattern = \"%Y/%m/%d\"\n", "");
    workspace.write("config.toml", config);
    assert_eq!(replayed(&workspace, &[])["reading"]["steps_held"], 16);
}

#[test]
fn low_confidence_looks_back_as_a_check_does() {
    // A window holds 960 confidences: it looks back four windows for these, also before the range.
    let workspace = scene("[signals.low-confidence]\nmode = \"shadow\"\nlast = 3000\n");
    let ran = workspace.run(&[&RANGE[..4], &["2026-01-22", "--to", "2026-01-24", "--every", "6h", "--format", "json"]].concat());
    let backtest = ran.json();
    for window in backtest["windows"].as_array().unwrap() {
        assert_same(window, &check(&workspace, "config.toml", window["end"].as_str().unwrap()).json());
    }
    let last = backtest["windows"].as_array().unwrap().last().unwrap();
    assert_eq!(by_name(&last["signals"], "low-confidence")["state"], "quiet");
    // By the first window alone: the others know what it has read. A look back opens the objects of the days beside it as well.
    let before = backtest["reading"]["rows_read_before"].as_i64().unwrap();
    assert!((2 * 24 * ROWS..=7 * 24 * ROWS).contains(&before), "{before}");
}

#[test]
fn known_drift_is_no_false_alarm() {
    let workspace = scene("");
    let unknown = replayed(&workspace, &[]);
    let drift = by_name(&unknown["signals"], "data-drift");
    assert!(drift["clean"]["independent_fired"].as_i64() > Some(0), "{drift}");
    assert!(unknown["notes"].to_string().contains("every alarm counts as a false one"));
    workspace
        .write("known.toml", "[[interval]]\nstart = 2026-01-22\nend = 2026-01-24\nfeature = \"a\"\nreason = \"new scanner\"\n");
    let known = replayed(&workspace, &["--known-drift", "known.toml"]);
    let drift = by_name(&known["signals"], "data-drift");
    // Windows that end by midnight of the 22nd: at 21T00, 06, 12, 18 (one stretch) and 22T00 (the next).
    let clean = &drift["clean"];
    assert_eq!((clean["windows"].as_i64(), clean["fired"].as_i64(), clean["independent"].as_i64()), (Some(5), Some(0), Some(2)));
    // scipy.stats.binomtest(0, 2).proportion_ci(method="exact") = 0 to 0.84189; one-sided 1 - 0.05^(1/2) = 0.77639.
    assert!((clean["interval"][1].as_f64().unwrap() - 0.841_886_1).abs() < 1e-6, "{clean}");
    assert!((clean["upper"].as_f64().unwrap() - 0.776_393_2).abs() < 1e-6, "{clean}");
    let delays = &known["delays"][0];
    assert_eq!((text(&delays["what"]), text(&delays["onset"])), ("new scanner".to_owned(), moment(48)));
    assert!(
        delays["found"].as_array().unwrap().iter().any(|delay| delay["by"] == "a" && delay["delay_h"].as_f64() > Some(0.0)),
        "{delays}"
    );
    // `b` has nothing to do with it.
    assert_eq!(by_name(&known["features"], "b")["clean"]["windows"], 13);
}

#[test]
fn labels_on_record_are_known_too_and_contradict_no_file() {
    let workspace = scene("");
    let label = ["history", "--config", "config.toml", "--label", "drift", "--from", "2026-01-22T00:00:00Z"];
    let labelled = workspace.run(&[&label[..], &["--to", "2026-01-24T00:00:00Z", "--reason", "new scanner"]].concat());
    assert_eq!(labelled.code, 0, "{}", labelled.stderr);
    let known = replayed(&workspace, &[]);
    let clean = &by_name(&known["signals"], "data-drift")["clean"];
    assert_eq!((clean["windows"].as_i64(), clean["fired"].as_i64()), (Some(5), Some(0)));
    let notes = known["notes"].to_string();
    assert!(notes.contains("1 label of the state store") && !notes.contains("every alarm counts"), "{notes}");
    workspace.write("no.csv", "start,end,label\n2026-01-23,2026-01-24,no-drift\n");
    let refused = replay(&workspace, &["--known-drift", "no.csv"]);
    assert!(refused.code == 4 && refused.stderr.contains("contradicts a label of the state store"), "{}", refused.stderr);
    // A store that cannot be read costs labels, and not the backtest.
    workspace.write("state.db", "not a database, and longer than the header of one would have to be to be taken for it");
    let notes = replayed(&workspace, &[])["notes"].to_string();
    assert!(notes.contains("could not be read") && notes.contains("every alarm counts as a false one"), "{notes}");
}

#[test]
fn an_injected_drift_is_found_and_told_how_late() {
    let workspace = scene("");
    let range = [&RANGE[..6], &["2026-01-22", "--every", "1h", "--format", "json"]].concat();
    let clean = workspace.run(&range).json();
    assert_eq!(by_name(&clean["features"], "b")["drift"], 0);
    let injected = workspace.run(&[&range[..], &["--inject", "b:+1sd", "--inject-at", "2026-01-21"]].concat()).json();
    let delays = injected["delays"][0]["found"].as_array().unwrap();
    let of = |name: &str| delays.iter().find(|delay| delay["by"] == name).unwrap();
    assert_eq!(of("b")["had_fired"], false);
    let delay = of("b")["delay_h"].as_f64().unwrap();
    // A shift of one standard deviation: a window that is full of it has 960 rows, and some hours of it suffice.
    assert!((2.0..=20.0).contains(&delay) && delay.fract() == 0.0, "{delay}");
    assert_eq!(of("data-drift")["by"], "data-drift");
    // Windows before it are untouched, and `a` is everywhere.
    for (with, without) in injected["windows"].as_array().unwrap().iter().zip(clean["windows"].as_array().unwrap()) {
        if with["end"].as_str() <= Some("2026-01-21T00:00:00Z") {
            assert_eq!(with["features"], without["features"]);
        }
    }
    let change = &injected["injected"][0];
    // The reference is uniform in [0, 1): its standard deviation is 0.29 or near.
    assert!((change["added"].as_f64().unwrap() - 0.289).abs() < 0.02, "{change}");
    // A smaller drift is found later, or not at all.
    let smaller = workspace.run(&[&range[..], &["--inject", "b:+0.1", "--inject-at", "2026-01-21"]].concat()).json();
    let later = smaller["delays"][0]["found"].as_array().unwrap().iter().find(|delay| delay["by"] == "b").unwrap();
    assert!(later["delay_h"].as_f64().is_none_or(|later| later > delay), "{later}");
}

#[test]
fn bad_input_is_refused_with_the_remedy() {
    let workspace = scene("");
    workspace.write("contradiction.csv", "start,end,label\n2026-01-20,2026-01-22,drift\n2026-01-21,2026-01-23,no-drift\n");
    workspace.write("unknown.csv", "start,end,feature\n2026-01-20,2026-01-22,c\n");
    let of = |from: &str, to: &str, more: &[&str]| {
        let ran = workspace.run(&[&["backtest", "--config", "config.toml", "--from", from, "--to", to], more].concat());
        assert_eq!(ran.stdout, "", "{}", ran.stderr);
        (ran.code, ran.stderr)
    };
    let cases: [(&str, &str, &[&str], i32, &str); 17] = [
        ("2026-01-22", "2026-01-22", &[], 2, "the range is empty"),
        ("2026-01-23", "2026-01-22", &[], 2, "the range is empty"),
        ("2026-01-22", "2026-01-22T06:00:00Z", &[], 2, "widen the range"),
        ("2026-01-20", "2026-01-22", &["--every", "90m"], 2, "whole hours"),
        ("2026-01-20", "2026-01-22", &["--every", "0h"], 2, "not a length of time"),
        ("2026-01-20", "2026-01-22", &["--window", "30m"], 2, "whole hours"),
        ("2026-01-20T00:30:00Z", "2026-01-22", &[], 2, "on the hour"),
        ("yesterday", "2026-01-22", &[], 2, "such as 2026-01-31"),
        ("2026-01-20", "2096-01-22", &[], 2, "not over yet"),
        ("2026-01-20", "2026-01-22", &["--as-of", "2026-01-22T00:00:00Z"], 2, "--from and --to"),
        ("2020-01-20", "2020-01-22", &[], 4, "no row of the logs"),
        ("2026-01-20", "2026-01-22", &["--inject", "a+1"], 2, "FEATURE:+0.5sd"),
        ("2026-01-20", "2026-01-22", &["--inject", "a:0.5sd"], 2, "FEATURE:+0.5sd"),
        ("2026-01-20", "2026-01-22", &["--inject", "c:+1sd"], 2, "the features are a, b"),
        ("2026-01-20", "2026-01-22", &["--inject", "a:+1sd", "--inject-at", "2026-01-23"], 2, "not in the range"),
        ("2026-01-20", "2026-01-22", &["--known-drift", "contradiction.csv"], 4, "contradiction.csv:3: this interval contradicts"),
        ("2026-01-20", "2026-01-22", &["--known-drift", "unknown.csv"], 4, "feature `c` that is not compared"),
    ];
    for (from, to, more, code, why) in cases {
        let (found, stderr) = of(from, to, more);
        assert!(found == code && stderr.contains(why), "{from} {to} {more:?}: {found} {stderr}");
    }
    let (code, stderr) = of("2026-01-20", "2026-01-22", &["--known-drift", "nowhere.toml"]);
    assert!(code == 4 && stderr.contains("nowhere.toml"), "{stderr}");
    let (code, stderr) = of("2026-01-20", "2026-01-22", &["--output", "no/such/folder.html"]);
    assert!(code == 5 && stderr.contains("no/such/folder.html"), "{stderr}");
}

#[test]
fn it_writes_nothing_but_the_page_that_was_asked_for() {
    let workspace = scene("");
    let before = workspace.files("");
    let ran = replay(&workspace, &["--output", "backtest.html"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let mut expected = before;
    expected.push("backtest.html".to_owned());
    expected.sort();
    assert_eq!(workspace.files(""), expected);
    assert!(ran.stdout.trim_end().ends_with("Report: backtest.html"), "{}", ran.stdout);
    for told in
        ["13 windows, 4 of them independent", "data-drift", "no-data", "storage was not replayed", "accuracy was not replayed"]
    {
        assert!(ran.stdout.contains(told), "{told}: {}", ran.stdout);
    }
}

#[test]
fn the_page_is_one_file_and_no_name_breaks_out() {
    let workspace = scene("");
    workspace.write("known.csv", "start,end,reason\n2026-01-22,2026-01-24,\"<script>alert(1)</script> | `x`\"\n");
    let ran = replay(&workspace, &["--known-drift", "known.csv", "--output", "backtest.html", "--format", "markdown"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let page = std::fs::read_to_string(workspace.path("backtest.html")).unwrap();
    assert!(page.contains("Content-Security-Policy") && page.contains("default-src 'none'") && page.contains("<svg"));
    assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
    assert!(page.contains("alert(1)") && page.len() < 200_000, "{}", page.len());
    assert!(ran.stdout.starts_with("## Backtest: test (local)") && !ran.stdout.contains("<script"), "{}", ran.stdout);
    let again = replay(&workspace, &["--known-drift", "known.csv", "--output", "again.html"]);
    assert_eq!(again.code, 0);
    assert_eq!(std::fs::read_to_string(workspace.path("again.html")).unwrap(), page, "the same logs give the same page");
}

#[test]
fn what_is_set_is_on_the_curves_and_a_signal_lives_by_its_hysteresis() {
    let workspace = scene("[signals.data-drift]\nmode = \"shadow\"\nopen_after = 3\nclose_after = 2\n");
    let backtest = replayed(&workspace, &[]);
    let drift = by_name(&backtest["signals"], "data-drift");
    let fired = drift["all"]["fired"].as_i64().unwrap();
    assert!(fired >= 3, "{drift}");
    let episodes = drift["episodes"].as_array().unwrap();
    assert_eq!(episodes.len(), 1, "{drift}");
    let end = |moment: &Value| text(moment).parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!((end(&episodes[0]["opened"]) - end(&episodes[0]["onset"])).num_hours(), 12, "the third window in a row");
    for curve in backtest["curves"].as_array().unwrap() {
        let set = curve["points"].as_array().unwrap().iter().find(|point| point["threshold"] == curve["current"]).unwrap();
        assert_eq!(set["all"]["fired"].as_i64(), Some(fired), "{curve}");
    }
}
