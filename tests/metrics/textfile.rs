//! The text: read back sample by sample, whatever the names of features; and what stays in the file when a run fails.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use drift_check::feature::FeatureName;
use drift_check::report::metrics::{Ended, of_report};
use drift_check::report::openmetrics::render;
use proptest::prelude::{ProptestConfig, any, prop, proptest};

use super::{FILE, expected, file, latest, take_end, workspace};
use crate::collector::Series;
use crate::sample_report as sample;
use crate::workspace::{AS_OF, findings};

/// Reads OpenMetrics as its ABNF has it, as far as we write it. Anything else is a failure.
pub fn parse(text: &str) -> BTreeMap<Series, f64> {
    let mut samples = BTreeMap::new();
    let mut family = String::new();
    let body = text.strip_suffix("# EOF\n").expect("# EOF is last");
    assert!(!body.lines().any(|line| line == "# EOF"));
    for line in body.strip_suffix('\n').expect("every line ends").split('\n') {
        if let Some(meta) = line.strip_prefix("# ") {
            let mut words = meta.splitn(3, ' ');
            let (what, name, rest) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
            match what {
                "TYPE" => {
                    assert_eq!(rest, "gauge");
                    assert!(!samples.keys().any(|(known, _): &Series| known == name), "{name} is in two places");
                    family = name.to_owned();
                }
                "UNIT" => assert!(name == family && name.ends_with(&format!("_{rest}")), "{line}"),
                "HELP" => assert!(name == family && !rest.contains(['\\', '"']), "{line}"),
                _ => panic!("{line}"),
            }
            continue;
        }
        let (name, rest) = line.split_once('{').unwrap_or_else(|| panic!("{line}"));
        assert_eq!(name, family);
        let mut labels = BTreeMap::new();
        let mut chars = rest.chars();
        loop {
            let label: String = chars.by_ref().take_while(|c| *c != '=').collect();
            assert!(label.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{line}");
            assert_eq!(chars.next(), Some('"'));
            let mut value = String::new();
            loop {
                match chars.next().expect("the quotes are closed") {
                    '"' => break,
                    '\\' => value.push(match chars.next() {
                        Some('n') => '\n',
                        Some(c @ ('\\' | '"')) => c,
                        other => panic!("{other:?} in {line}"),
                    }),
                    c => value.push(c),
                }
            }
            assert!(labels.insert(label, value).is_none(), "{line}");
            match chars.next() {
                Some(',') => {}
                Some('}') => break,
                other => panic!("{other:?} in {line}"),
            }
        }
        let number = chars.as_str().strip_prefix(' ').unwrap_or_else(|| panic!("{line}"));
        let value: f64 = number.parse().unwrap();
        assert!(value.is_finite());
        assert_eq!(samples.insert((name.to_owned(), labels), value), None, "{line} stands twice");
    }
    samples
}

const ENDED: Ended = Ended { exit_code: 0, duration_s: 1.5, last_success: None };

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_name_comes_back_as_it_was_and_stays_in_its_line(names in prop::collection::btree_set(any::<String>(), 1..6), job in any::<String>()) {
        let mut report = sample::drift_day();
        report.run.job = job;
        let mut features = report.features.iter().cycle().cloned();
        report.features = names.iter().map(|name| {
            let mut feature = features.next().unwrap();
            feature.name = FeatureName::new(name.as_str());
            feature
        }).collect();
        let text = render(&of_report(&report, &ENDED));
        let mut samples = parse(&text);
        take_end(&mut samples);
        assert_eq!(samples, expected(&serde_json::to_value(&report).unwrap()));
    }
}

#[test]
fn names_that_try_to_break_out_do_not() {
    let mut report = sample::drift_day();
    let hostile = sample::HOSTILE.iter().copied().chain(["a\",b=\"", "\\", "\\n", "x\n# EOF", "}", "", "ü\u{0}\r"]);
    report.features = hostile
        .zip(report.features.iter().cycle().cloned())
        .map(|(name, mut feature)| {
            feature.name = FeatureName::new(name);
            feature
        })
        .collect();
    let mut samples = parse(&render(&of_report(&report, &ENDED)));
    take_end(&mut samples);
    assert_eq!(samples, expected(&serde_json::to_value(&report).unwrap()));
}

#[test]
fn the_file_tells_what_the_report_that_was_written_tells() {
    let workspace = workspace("textfile = \"metrics/drift.prom\"");
    let report = workspace.report(&[]);
    assert_eq!(report["decision"]["verdict"], "drift");
    let mut samples = parse(&file(&workspace));
    let ends = take_end(&mut samples);
    assert_eq!(samples, expected(&latest(&workspace)));
    assert_eq!(ends["drift_check_last_run_exit_code"], 0.0);
    let age = chrono::Utc::now().timestamp() as f64 - ends["drift_check_last_success_timestamp_seconds"];
    assert!((0.0..300.0).contains(&age), "{age}");
    // For a reader who is somebody else, and nothing unfinished beside it.
    assert_eq!(std::fs::metadata(workspace.path(FILE)).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(workspace.files("metrics"), ["drift.prom"]);
    // Drift that fails the run by --fail-on is a success of the job.
    assert_eq!(workspace.check(&["--fail-on", "drift"]).code, 10);
    let ends = take_end(&mut parse(&file(&workspace)));
    assert_eq!(ends["drift_check_last_run_exit_code"], 10.0);
    assert!(ends.contains_key("drift_check_last_success_timestamp_seconds"));
}

#[test]
fn what_was_not_measured_is_not_there_and_never_0() {
    let workspace = workspace("textfile = \"metrics/drift.prom\"");
    // `b` is in no object, so that nothing of it can be computed.
    let lines = crate::workspace::rows(300, |i| format!("{},", crate::workspace::stamp(i)), |a| a);
    let without_b: String = lines.lines().map(|line| line.rsplit_once(',').unwrap().0.to_owned() + "\n").collect();
    workspace.write("bucket/predictions/logs.csv", format!("ts,a\n{without_b}"));
    assert_eq!(workspace.check(&[]).code, 0);
    let mut samples = parse(&file(&workspace));
    take_end(&mut samples);
    assert_eq!(samples, expected(&latest(&workspace)));
    let of = |metric: &str, feature: &str| {
        samples.iter().any(|((name, labels), _)| name == metric && labels.get("feature").is_some_and(|name| name == feature))
    };
    let ks = "drift_check_feature_ks_statistic";
    assert!(of(ks, "a") && !of(ks, "b") && of("drift_check_feature_verdict", "b"));
}

#[test]
fn every_kind_of_day_reads_back_as_its_report() {
    let days = [sample::no_data(), sample::all_none(), sample::not_finite(), sample::nothing_at_all(), sample::wide(300)];
    for report in days {
        let mut samples = parse(&render(&of_report(&report, &ENDED)));
        take_end(&mut samples);
        assert_eq!(samples, expected(&serde_json::to_value(&report).unwrap()));
    }
}

#[test]
fn a_run_that_fails_keeps_the_last_success_and_tells_nothing_of_the_data() {
    let workspace = workspace("textfile = \"metrics/drift.prom\"");
    // Before any success there is none to tell.
    assert_eq!(workspace.check(&["--reference", "nowhere.csv"]).code, 4);
    assert!(!file(&workspace).contains("last_success"));
    assert_eq!(workspace.check(&[]).code, 0);
    let mut before = parse(&file(&workspace));
    let success = take_end(&mut before)["drift_check_last_success_timestamp_seconds"];
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    for _ in 0..2 {
        assert_eq!(workspace.check(&["--reference", "nowhere.csv"]).code, 4);
        let mut samples = parse(&file(&workspace));
        let ends = take_end(&mut samples);
        assert_eq!(ends["drift_check_last_run_exit_code"], 4.0);
        assert_eq!(ends["drift_check_last_success_timestamp_seconds"], success);
        assert_eq!(samples.keys().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["drift_check_build_info"]);
    }
    // A store that fails leaves a report, and is no success either.
    workspace.write("state.db", "this is no database, and long enough to be looked at as one".repeat(40));
    assert_eq!(workspace.check(&[]).code, 5);
    let mut samples = parse(&file(&workspace));
    let ends = take_end(&mut samples);
    assert_eq!((ends["drift_check_last_run_exit_code"], ends["drift_check_last_success_timestamp_seconds"]), (5.0, success));
    assert_eq!(samples, expected(&latest(&workspace)));
}

#[test]
fn the_replay_of_an_earlier_window_leaves_the_metrics_of_the_later_one() {
    let workspace = workspace("textfile = \"metrics/drift.prom\"");
    assert_eq!(workspace.check(&[]).code, 0);
    let before = file(&workspace);
    let ran = workspace.run(&["--config", "config.toml", "--as-of", "2026-01-31T12:00:00Z"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(file(&workspace), before);
    assert!(ran.stderr.contains("the metrics of a later window stand"), "{}", ran.stderr);
}

#[test]
fn a_file_that_cannot_be_written_is_a_finding_and_a_wrong_one_is_refused() {
    let workspace = workspace("textfile = \"no/such/folder/drift.prom\"");
    let ran = workspace.check(&[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let report = latest(&workspace);
    assert!(findings(&report).contains(&("metrics-not-exported".to_owned(), String::new())), "{report}");
    assert!(report.to_string().contains("no/such/folder is no folder"), "{report}");
    assert!(!workspace.path("no").exists());
    for (metrics, says) in [
        ("textfile = \"drift.txt\"", "does not end in `.prom`"),
        ("otlp_endpoint = \"collector:4318\"", "is not an address"),
        ("otlp_headers = \"api-key=secret\"", "its value is not shown"),
        ("otlp_endpoint = \"http://collector:4318\"\notlp_headers = \"env:H\"", "without encryption"),
        ("otlp_endpoint = \"http://collector:4318\"\notlp_auth = \"google\"", "without encryption"),
        ("otlp_auth = \"aws\"", "allowed: none, google"),
        ("textfil = \"x.prom\"", "did you mean `metrics.textfile`?"),
        ("timeout = \"soon\"", "is not a length of time"),
    ] {
        workspace.config(&format!("[metrics]\n{metrics}\n"));
        let ran = workspace.run(&["--config", "config.toml", "--as-of", AS_OF]);
        assert_eq!(ran.code, 3, "{metrics}");
        assert!(ran.stderr.contains(&says.replace('"', "\\\"")), "{metrics}: {}", ran.stderr);
        assert!(!ran.stderr.contains("api-key"), "{}", ran.stderr);
    }
}
