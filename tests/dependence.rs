//! Rows that are few, repeated or belong together, and features that move together, through the whole binary.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

use crate::workspace::{Workspace, findings, stamp, text, verdict};

/// A row: the study it belongs to, and the values of `a` and `b`.
type Row = (String, f64, f64);

/// Independent rows, uniform in 0..1.
fn plain(count: u32, seed: u64) -> Vec<Row> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|i| (format!("s{i}"), rng.random(), rng.random())).collect()
}

/// Studies of `size` rows that share their values.
fn studies(count: u32, size: u32, seed: u64) -> Vec<Row> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let study = |i: u32| (format!("s{seed}-{i}"), rng.random::<f64>(), rng.random::<f64>());
    (0..count).map(study).collect::<Vec<Row>>().into_iter().flat_map(|row| vec![row; size as usize]).collect()
}

/// The rows as a log, the newest first; a row a minute, or as many as it takes to stay in the window.
fn log(rows: &[Row], header: &str) -> String {
    let mut lines = format!("{header}\n");
    for (i, (study, a, b)) in rows.iter().enumerate() {
        lines.push_str(&format!("{},{study},{a},{b}\n", stamp(i as u32 % 1_400)));
    }
    lines
}

const HEADER: &str = "ts,study,a,b";

fn workspace(reference: &[Row], window: &[Row], more: &str) -> Workspace {
    let workspace = Workspace::new();
    let config = format!(
        "[bucket]\nuri = \"file:bucket\"\n[store]\npath = \"state.db\"\n[features]\ninclude = [\"a\", \"b\"]\n[logs]\ntimestamp = \"ts\"\n{more}"
    );
    workspace.write("config.toml", config);
    workspace.write("bucket/reference/reference.csv", log(reference, HEADER));
    workspace.write("bucket/predictions/logs.csv", log(window, HEADER));
    workspace
}

const BY_STUDY: &str = "cluster = \"study\"\n";

fn feature<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["features"].as_array().unwrap().iter().find(|feature| feature["name"] == name).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn codes(report: &Value) -> Vec<String> {
    report["findings"].as_array().unwrap().iter().map(|finding| text(&finding["code"])).collect()
}

#[test]
fn a_cluster_column_that_is_missing_is_said_and_time_order_takes_its_place() {
    let report = workspace(&plain(600, 1), &plain(300, 2), "cluster = \"patient\"\n").report(&[]);
    assert_eq!(findings(&report), [("cluster-missing".to_owned(), String::new())]);
    assert_eq!(report["decision"]["verdict"], "stable");
}

#[test]
fn clusters_of_one_row_each_are_independent_rows() {
    let report = workspace(&plain(600, 1), &plain(300, 2), BY_STUDY).report(&[]);
    assert_eq!(feature(&report, "a")["design_effect"], serde_json::json!({ "reference": 1.0, "current": 1.0 }));
    assert_eq!(report["decision"]["verdict"], "stable");
}

#[test]
fn one_single_cluster_is_one_observation_and_decides_nothing() {
    // The reference knows nothing of studies: each of its rows is one.
    let moved: Vec<Row> = plain(300, 2).into_iter().map(|(_, a, b)| ("one".to_owned(), a + 0.4, b)).collect();
    let report = workspace(&plain(600, 1), &moved, BY_STUDY).report(&[]);
    assert_eq!(report["decision"]["verdict"], "inconclusive");
    let reason = text(&feature(&report, "a")["reason"]);
    assert!(reason.contains("the 300 usable rows of the window are worth 1.0 independent ones"), "{reason}");
    assert!(reason.contains("needs 9 more independent rows"), "{reason}");
}

#[test]
fn a_constant_cluster_column_on_both_sides_decides_nothing() {
    let one = |rows: Vec<Row>| rows.into_iter().map(|(_, a, b)| ("one".to_owned(), a, b)).collect::<Vec<Row>>();
    let report = workspace(&one(plain(600, 1)), &one(plain(300, 2)), BY_STUDY).report(&[]);
    assert_eq!(report["decision"]["verdict"], "inconclusive");
}

#[test]
fn rows_without_a_cluster_take_no_part_in_the_estimate_and_count_all_the_same() {
    let mut window = studies(40, 10, 5);
    for row in window.iter_mut().step_by(3) {
        row.0 = String::new();
    }
    let report = workspace(&studies(100, 10, 6), &window, BY_STUDY).report(&[]);
    assert_eq!(report["current"]["rows"], 400);
    let effect = number(&feature(&report, "a")["design_effect"]["current"]);
    assert!((5.0..=8.0).contains(&effect), "{effect}");
}

#[test]
fn more_clusters_than_are_kept_are_sampled_and_that_is_said() {
    // Two rows a study: the design effect is 2, from a sample as from all.
    let report = workspace(&plain(600, 1), &studies(80_000, 2, 2), BY_STUDY).report(&[]);
    assert!(codes(&report).contains(&"clusters-sampled".to_owned()), "{:?}", codes(&report));
    let effect = number(&feature(&report, "a")["design_effect"]["current"]);
    assert!((effect - 2.0).abs() < 0.01, "{effect}");
    assert_eq!(report["decision"]["verdict"], "stable");
}

#[test]
fn repeated_measurements_look_significant_and_are_not() {
    // Twenty-five studies of twenty rows: as 500 rows they differ from the reference.
    let report = workspace(&studies(60, 20, 3), &studies(25, 20, 10), BY_STUDY).report(&[]);
    let a = feature(&report, "a");
    assert!(number(&a["ks"]["p_value"]) < 0.05 && number(&a["ks"]["p_effective"]) > 0.05, "{:#}", a["ks"]);
    assert_ne!(a["verdict"], "drift");
    assert!(text(&a["reason"]).contains("counted as independent its rows would look significant"), "{}", a["reason"]);
    assert_ne!(report["decision"]["verdict"], "drift");
}

#[test]
fn a_window_shorter_than_the_correlation_time_is_no_alarm() {
    // A value lasts sixty rows, and the window holds one and a half of them; nothing names what belongs together.
    let window: Vec<Row> = studies(2, 60, 4).into_iter().take(90).collect();
    let report = workspace(&studies(20, 60, 3), &window, "").report(&[]);
    assert_eq!(report["decision"]["verdict"], "inconclusive", "{:#}", report["decision"]);
    assert!(number(&feature(&report, "a")["effective_current"]) < 10.0);
}

#[test]
fn exact_copies_of_a_feature_are_one_cause_and_no_change_of_relations() {
    let copied =
        |rows: Vec<Row>, shift: f64| rows.into_iter().map(|(study, a, _)| (study, a + shift, a + shift)).collect::<Vec<Row>>();
    let stable = workspace(&copied(plain(600, 1), 0.0), &copied(plain(300, 2), 0.0), "").report(&[]);
    assert_eq!(stable["decision"]["verdict"], "stable");
    assert_eq!((&stable["joint"]["pairs_tested"], &stable["joint"]["pairs_changed"]), (&1.into(), &0.into()));
    let drifted = workspace(&copied(plain(600, 1), 0.0), &copied(plain(300, 2), 0.5), "").report(&[]);
    assert_eq!(drifted["decision"]["verdict"], "drift");
    assert_eq!(drifted["causes"].as_array().unwrap().len(), 1);
    assert_eq!(drifted["causes"][0]["features"], serde_json::json!(["a", "b"]));
    assert!((number(&drifted["causes"][0]["correlation"]) - 1.0).abs() < 1e-12);
}

#[test]
fn a_reference_smaller_than_the_window_says_that_it_limits_what_can_be_seen() {
    let report = workspace(&plain(20, 1), &plain(5_000, 2), "").report(&[]);
    assert_ne!(report["decision"]["verdict"], "drift");
    let reason = text(&feature(&report, "a")["reason"]);
    let smallest = number(&feature(&report, "a")["minimum_detectable"]["psi"]);
    assert!(smallest > 0.5, "{smallest}: 20 rows of reference see little, whatever the window");
    // A reader who wants to see as much as the policy calls drift is told that no window is large enough.
    let strict = workspace(&plain(20, 1), &plain(5_000, 2), "[policy]\npsi_unseen = 0.10\n").report(&[]);
    assert_eq!(verdict(&strict, "a"), "inconclusive");
    let strict = text(&feature(&strict, "a")["reason"]);
    assert!(strict.contains("a larger reference than 20 independent rows to detect PSI 0.10"), "{strict}");
    assert!(reason.contains("a shift from") && reason.contains("would have been seen"), "{reason}");
}

#[test]
fn a_reference_of_five_rows_decides_nothing_and_says_what_it_needs() {
    let report = workspace(&plain(5, 1), &plain(300, 2), "").report(&[]);
    assert_eq!(report["decision"]["verdict"], "inconclusive");
    let reason = text(&feature(&report, "a")["reason"]);
    assert!(reason.contains("the reference has 5 usable rows of the 10 required; needs 5 more independent rows"), "{reason}");
    assert!(reason.contains("a larger reference than 5 independent rows"), "{reason}");
}

#[test]
fn a_handful_of_rows_is_inconclusive_and_says_what_it_takes_to_tell() {
    let report = workspace(&plain(600, 1), &plain(12, 2), "").report(&[]);
    assert_eq!(report["decision"]["verdict"], "inconclusive");
    let reason = text(&feature(&report, "a")["reason"]);
    assert!(reason.starts_with("too few rows to tell: needs about") && reason.contains("to detect PSI 0.10"), "{reason}");
    // The limit is the policy's.
    let lenient = workspace(&plain(600, 1), &plain(12, 2), "[policy]\npsi_unseen = 10.0\n").report(&[]);
    assert_eq!(lenient["decision"]["verdict"], "stable");
}

/// `b` follows `a` closely; both are uniform.
fn together(count: u32, seed: u64) -> Vec<Row> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let row = |i: u32| {
        let a: f64 = rng.random();
        (format!("s{i}"), a, (a + 0.1 * rng.random::<f64>()) % 1.0)
    };
    (0..count).map(row).collect()
}

#[test]
fn rows_joined_wrongly_are_found_although_every_feature_is_stable() {
    let workspace = workspace(&together(600, 1), &plain(300, 2), "");
    let report = workspace.report(&[]);
    assert_eq!((&report["decision"]["verdict"], &report["decision"]["share"]), (&"stable".into(), &0.0.into()));
    assert_eq!((verdict(&report, "a"), verdict(&report, "b")), ("stable".to_owned(), "stable".to_owned()));
    assert_eq!(findings(&report), [("joint-drift".to_owned(), String::new())]);
    let pair = &report["joint"]["changed"][0];
    assert_eq!((&pair["a"], &pair["b"]), (&"a".into(), &"b".into()));
    assert!(number(&pair["reference"]) > 0.5 && number(&pair["current"]).abs() < 0.2, "{pair}");
    let page = workspace.files("bucket/reports").into_iter().find(|name| name.ends_with("/latest.html")).unwrap();
    let html = std::fs::read_to_string(workspace.path("bucket/reports").join(page)).unwrap();
    assert!(html.contains("Relations between features") && html.contains("relation-dot"));
}

#[test]
fn flags_that_move_together_are_no_change_of_relations_and_are_judged_in_both_directions() {
    // `a` is set in one row of twenty, `b` in all but one of twenty, and both by the same draw; nothing changes.
    let flags = |count: u32, seed: u64| {
        let row = |(study, a, _): Row| (study, f64::from(u8::from(a < 0.05)), f64::from(u8::from(a < 0.95)));
        plain(count, seed).into_iter().map(row).collect::<Vec<Row>>()
    };
    let report = workspace(&flags(600, 1), &flags(300, 2), "").report(&[]);
    assert_eq!((verdict(&report, "a"), verdict(&report, "b")), ("stable".to_owned(), "stable".to_owned()));
    assert!(report["joint"].is_null(), "tied values have no scores that are normal: {}", report["joint"]);
    // A flag that is nearly always set and then often not is found.
    let fallen: Vec<Row> =
        flags(300, 2).into_iter().zip(plain(300, 3)).map(|((s, a, _), (_, u, _))| (s, a, f64::from(u8::from(u < 0.6)))).collect();
    assert_eq!(verdict(&workspace(&flags(600, 1), &fallen, "").report(&[]), "b"), "drift");
}

#[test]
fn a_profile_that_was_built_without_relations_says_so() {
    let workspace = workspace(&together(600, 1), &plain(300, 2), "[policy]\njoint_features = 0\n");
    assert_eq!(workspace.run(&["profile", "--config", "config.toml"]).code, 0);
    assert!(!codes(&workspace.report(&[])).contains(&"setting-without-effect".to_owned()));
    let config = std::fs::read_to_string(workspace.path("config.toml")).unwrap();
    workspace.write("config.toml", config.replace("joint_features = 0", "joint_features = 64"));
    let report = workspace.report(&[]);
    assert!(codes(&report).contains(&"setting-without-effect".to_owned()), "{:?}", codes(&report));
}

#[test]
fn a_built_profile_remembers_the_relations_and_can_be_told_not_to() {
    let workspace = workspace(&together(600, 1), &plain(300, 2), "");
    let raw = workspace.report(&[]);
    assert_eq!(workspace.run(&["profile", "--config", "config.toml"]).code, 0);
    assert_eq!(workspace.report(&[])["joint"], raw["joint"]);
    let config = std::fs::read_to_string(workspace.path("config.toml")).unwrap();
    workspace.write("config.toml", config + "[policy]\njoint_features = 0\n");
    let report = workspace.report(&[]);
    assert!(report["joint"].is_null() && findings(&report).is_empty(), "{}", report["joint"]);
}
