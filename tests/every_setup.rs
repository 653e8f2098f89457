//! One end-to-end test, on every kind of bucket with every kind of store: the same reports, the same history, the same transitions.

use serde_json::Value;

use crate::cloud_storage::{Setup, logs};
use crate::emulator;
use crate::workspace::{Ran, rows, text};

/// A bucket, and the variables that choose the store.
struct Combination {
    name: &'static str,
    setup: Setup,
    store: Vec<(&'static str, String)>,
}

const TEST: &str = "every_setup::the_same_check_on_every_bucket_and_store";

/// Without the emulator only those that need none.
fn combinations(test: &str) -> Vec<Combination> {
    let firestore = || {
        emulator::settings(test).map(|settings| {
            let host = settings.endpoint.clone().unwrap().trim_start_matches("http://").to_owned();
            vec![
                ("USE_FIRESTORE", "1".to_owned()),
                ("GCP_PROJECT_ID", settings.project),
                ("FIRESTORE_EMULATOR_HOST", host),
                ("DRIFT_CHECK__STORE__TIMEOUT", "60s".to_owned()),
            ]
        })
    };
    let mut all = vec![
        Combination { name: "folder, SQLite", setup: Setup::folder(), store: Vec::new() },
        Combination { name: "gs://, SQLite", setup: Setup::cloud(), store: Vec::new() },
    ];
    all.extend(firestore().map(|store| Combination { name: "folder, Firestore", setup: Setup::folder(), store }));
    all.extend(firestore().map(|store| Combination { name: "gs://, Firestore", setup: Setup::cloud(), store }));
    all
}

impl Combination {
    fn variables(&self) -> Vec<(&str, String)> {
        let endpoint = self.setup.server.as_ref().map(|server| ("STORAGE_EMULATOR_HOST", server.endpoint()));
        self.store.iter().cloned().chain(endpoint).collect()
    }

    fn check(&self, as_of: &str) -> Ran {
        let variables = self.variables();
        let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.setup.workspace.run_with(&["--config", "config.toml", "--as-of", as_of, "--format", "json"], &variables)
    }

    fn report(&self, as_of: &str) -> Value {
        let ran = self.check(as_of);
        assert_eq!(ran.code, 0, "{}: {}", self.name, ran.stderr);
        ran.json()
    }
}

/// What must be the same wherever the objects lie and the state is kept: all but the run's own facts and the objects' names.
fn comparable(mut report: Value) -> Value {
    let history = report["run"]["history"].take();
    report["run"] = history;
    report["reference"]["profile_id"].take();
    // With Firestore there is always a collection of feedback to measure.
    report["signals"].as_array_mut().unwrap().retain(|signal| signal["name"] != "storage");
    for side in ["reference", "current"] {
        for object in report[side]["objects"].as_array_mut().unwrap() {
            (object["uri"], object["generation"]) = (Value::Null, Value::Null);
        }
    }
    report
}

#[test]
fn the_same_check_on_every_bucket_and_store() {
    let mut seen: Vec<(&str, Vec<Value>)> = Vec::new();
    for combination in combinations(TEST) {
        combination.setup.data(400, 0.0);
        let quiet = combination.report("2026-01-31T12:00:00Z");
        combination.setup.data(400, 0.5);
        let opened = combination.report("2026-01-31T18:00:00Z");
        let again = combination.report("2026-01-31T18:00:00Z");
        let ongoing = combination.report("2026-02-01T06:00:00Z");
        let transitions = [&quiet, &opened, &again, &ongoing].map(|report| text(&report["signals"][0]["transition"]));
        assert_eq!(transitions, ["none", "opened", "opened", "ongoing"], "{}", combination.name);
        assert_eq!(ongoing["run"]["history"].as_array().unwrap().len(), 2, "{}", combination.name);
        let reports = combination.setup.keys("reports/").into_iter().filter(|key| key.ends_with("/report.json")).count();
        assert_eq!(reports, 3, "{}", combination.name);
        assert_eq!(combination.setup.json("reports/test/latest.json")["window"], ongoing["window"], "{}", combination.name);
        seen.push((combination.name, [quiet, opened, again, ongoing].map(comparable).to_vec()));
    }
    let (first, expected) = seen.remove(0);
    for (name, reports) in seen {
        for (found, expected) in reports.iter().zip(&expected) {
            assert_eq!(found, expected, "{name} is not as {first}");
        }
    }
}

#[test]
fn two_runs_of_a_window_at_once_leave_one_report_and_open_a_signal_once() {
    for combination in combinations("every_setup::two_runs_of_a_window_at_once_leave_one_report_and_open_a_signal_once") {
        combination.setup.data(400, 0.5);
        let as_of = "2026-01-31T18:00:00Z";
        let runs: Vec<Ran> = std::thread::scope(|scope| {
            let runs: Vec<_> = (0..2).map(|_| scope.spawn(|| combination.check(as_of))).collect();
            runs.into_iter().map(|run| run.join().unwrap()).collect()
        });
        for ran in &runs {
            assert_eq!(ran.code, 0, "{}: {}", combination.name, ran.stderr);
            // Both are runs of the window in which the signal opened; that it opened is kept once.
            assert_eq!(ran.json()["signals"][0]["transition"], "opened", "{}", combination.name);
        }
        let folder = "reports/test/2026/01/31/180000Z-24h";
        assert_eq!(combination.setup.keys(folder), [format!("{folder}/report.html"), format!("{folder}/report.json")]);
        let (report, latest) =
            (combination.setup.json(&format!("{folder}/report.json")), combination.setup.json("reports/test/latest.json"));
        assert_eq!(report, latest, "{}", combination.name);
        let html = String::from_utf8(combination.setup.get(&format!("{folder}/report.html"))).unwrap();
        assert!(html.contains(report["run"]["id"].as_str().unwrap()), "{}: both parts are of one run", combination.name);
        assert_eq!(combination.report("2026-01-31T19:00:00Z")["signals"][0]["transition"], "ongoing", "{}", combination.name);
    }
}

/// The service mounts the bucket and appends to one CSV; its appends are not atomic (a torn header, a header again).
#[test]
fn the_layout_of_the_service_is_read_as_it_is() {
    let setup = Setup::folder();
    let mounted = |name: &str| setup.workspace.path(&format!("gcs/drift/{name}")).display().to_string();
    let lines = logs(400, 0.0).replace("ts,a,b", "timestamp,a,b");
    let (header, good) = lines.split_once('\n').unwrap();
    let middle = good.match_indices('\n').nth(200).unwrap().0 + 1;
    let torn = format!("{header}\n{}{header}\ntimestamp,\n{}", &good[..middle], &good[middle..]);
    setup.workspace.write("gcs/drift/reference.csv", format!("a,b\n{}", rows(400, |_| String::new(), |a| a)));
    setup.workspace.write("gcs/drift/current.csv", torn);
    let names = [
        ("DRIFT_REFERENCE_PATH", mounted("reference.csv")),
        ("DRIFT_CURRENT_PATH", mounted("current.csv")),
        ("DRIFT_REPORT_PATH", mounted("drift_report.html")),
        ("DRIFT_CHECK__LOGS__TIMESTAMP", "timestamp".to_owned()),
        ("USE_FIRESTORE", "0".to_owned()),
    ];
    let names: Vec<(&str, &str)> = names.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let ran = setup.workspace.run_with(&["--as-of", "2026-01-31T18:00:00Z", "--format", "json"], &names);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let current = &ran.json()["current"];
    assert_eq!((&current["rows"], &current["rows_rejected"]), (&400.into(), &2.into()), "{current}");
    assert!(setup.workspace.path("gcs/drift/drift_report.html").exists());
}

const COPY: &str = "DRIFT_REPORT_PATH";

#[test]
fn the_copy_of_the_report_tells_of_the_latest_window() {
    let setup = Setup::folder();
    setup.data(400, 0.0);
    let path = setup.workspace.path("mounted/drift_report.html");
    let path = path.to_str().unwrap();
    let check = |as_of: &str| {
        let ran = setup.workspace.run_with(&["--config", "config.toml", "--as-of", as_of], &[(COPY, path)]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(std::fs::read(path).unwrap(), setup.get("reports/test/latest.html"));
        std::fs::read(path).unwrap()
    };
    let latest = check("2026-01-31T18:00:00Z");
    assert_eq!(check("2026-01-31T12:00:00Z"), latest, "an older window leaves it");
    assert_ne!(check("2026-01-31T18:30:00Z"), latest);
}

#[test]
fn a_copy_that_cannot_be_written_costs_nothing_but_the_exit_code() {
    let setup = Setup::folder();
    setup.data(400, 0.0).workspace.write("file", "no folder");
    let path = setup.workspace.path("file/drift_report.html").display().to_string();
    let arguments = ["--config", "config.toml", "--as-of", "2026-01-31T18:00:00Z", "--format", "json"];
    let ran = setup.workspace.run_with(&arguments, &[(COPY, &path)]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("not copied to report.path"), "{}", ran.stderr);
    assert_eq!(ran.json()["decision"]["verdict"], "stable");
    assert_eq!(setup.keys("reports/").len(), 5);
    // The run is remembered.
    let later = setup.run(&["--config", "config.toml", "--as-of", "2026-01-31T22:00:00Z", "--format", "json"]).json();
    assert_eq!(later["run"]["history"].as_array().unwrap().len(), 1);
}

#[test]
fn the_copy_can_be_an_object_of_another_bucket() {
    let setup = Setup::cloud();
    setup.data(400, 0.0);
    let endpoint = setup.server.as_ref().unwrap().endpoint();
    let variables = [(COPY, "gs://logs/drift/drift_report.html"), ("STORAGE_EMULATOR_HOST", endpoint.as_str())];
    let ran = setup.workspace.run_with(&["--config", "config.toml", "--as-of", "2026-01-31T18:00:00Z"], &variables);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(setup.get("drift/drift_report.html"), setup.get("reports/test/latest.html"));
}

#[test]
fn a_copy_to_nowhere_is_refused_before_anything_is_done() {
    let setup = Setup::folder();
    setup.data(400, 0.0);
    let ran = setup.workspace.run_with(&["--config", "config.toml"], &[(COPY, "s3://logs/drift_report.html")]);
    assert_eq!(ran.code, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("DRIFT_REPORT_PATH") && ran.stderr.contains("latest.html"), "{}", ran.stderr);
    assert_eq!(setup.keys("reports/"), [""; 0]);
}
