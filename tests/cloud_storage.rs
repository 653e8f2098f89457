//! The real binary on Cloud Storage: the same checks as on a folder, with the same reports.

use serde_json::Value;

use crate::storage_server::{StorageServer, Trouble};
use crate::workspace::{AS_OF, Ran, Workspace, rows, stamp, text, verdict};

/// A bucket for a check: a folder, or the bucket `logs` of a server.
pub struct Setup {
    pub workspace: Workspace,
    pub server: Option<StorageServer>,
}

impl Setup {
    pub fn folder() -> Self {
        let setup = Self { workspace: Workspace::new(), server: None };
        setup.workspace.config("");
        setup
    }

    pub fn cloud() -> Self {
        Self::on(StorageServer::start())
    }

    pub fn on(server: StorageServer) -> Self {
        let setup = Self { workspace: Workspace::new(), server: Some(server) };
        setup.config("");
        setup
    }

    /// As the workspace's, with the server's bucket. The patience is long enough for retries and short enough for a test.
    pub fn config(&self, more: &str) -> &Self {
        let bucket = "uri = \"gs://logs\"\ntimeout = \"4s\"\n";
        let config = format!(
            "[job]\nname = \"test\"\n[bucket]\n{bucket}[store]\npath = \"state.db\"\n[logs]\ntimestamp = \"ts\"\n[features]\n\
             include = [\"a\", \"b\"]\n{more}"
        );
        self.workspace.write("config.toml", config);
        self
    }

    pub fn server(&self) -> &StorageServer {
        self.server.as_ref().unwrap()
    }

    pub fn put(&self, key: &str, bytes: impl AsRef<[u8]>) -> &Self {
        match &self.server {
            Some(server) => drop(server.put(key, bytes.as_ref().to_vec())),
            None => drop(self.workspace.write(&format!("bucket/{key}"), bytes)),
        }
        self
    }

    pub fn get(&self, key: &str) -> Vec<u8> {
        match &self.server {
            Some(server) => server.get(key).unwrap_or_else(|| panic!("no {key}")).to_vec(),
            None => std::fs::read(self.workspace.path(&format!("bucket/{key}"))).unwrap(),
        }
    }

    pub fn json(&self, key: &str) -> Value {
        serde_json::from_slice(&self.get(key)).unwrap()
    }

    /// What is there, but for what was counted: in a folder that is only kept of files that are some seconds old.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        let mut keys = match &self.server {
            Some(server) => server.keys(prefix),
            None => self.workspace.files("bucket").into_iter().filter(|key| key.starts_with(prefix)).collect(),
        };
        keys.retain(|key| !key.contains("/cache/"));
        keys
    }

    /// A reference, and logs of `count` rows with `a` moved by `shift`.
    pub fn data(&self, count: u32, shift: f64) -> &Self {
        self.put("reference/reference.csv", format!("a,b\n{}", rows(400, |_| String::new(), |a| a)));
        self.put("predictions/logs.csv", logs(count, shift))
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        let endpoint = self.server.as_ref().map(StorageServer::endpoint).unwrap_or_default();
        self.workspace.run_with(arguments, &[("STORAGE_EMULATOR_HOST", endpoint.trim_start_matches("http://"))])
    }

    pub fn check(&self, more: &[&str]) -> Ran {
        let mut arguments = vec!["--config", "config.toml", "--as-of", AS_OF];
        arguments.extend(more);
        self.run(&arguments)
    }
}

pub fn logs(count: u32, shift: f64) -> String {
    format!("ts,a,b\n{}", rows(count, |i| format!("{},", stamp(i)), |a| a + shift))
}

fn on_both(test: impl Fn(&Setup)) {
    test(&Setup::folder());
    test(&Setup::cloud());
}

const FOLDER: &str = "reports/test/2026/01/31/180000Z-24h";

#[test]
fn a_check_writes_its_report_on_either_kind_of_bucket() {
    on_both(|setup| {
        let ran = setup.data(400, 0.0).check(&[]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stdout.contains("Stable: none of 2 features drifted or broke."), "{}", ran.stdout);
        let report = ["report.html", "report.json"].map(|name| format!("{FOLDER}/{name}"));
        assert_eq!(
            setup.keys("reports/"),
            [report[0].as_str(), &report[1], "reports/test/index.html", "reports/test/latest.html", "reports/test/latest.json"]
        );
        assert_eq!(setup.get(&report[1]), setup.get("reports/test/latest.json"));
        assert_eq!(setup.get(&report[0]), setup.get("reports/test/latest.html"));
        let again = setup.data(400, 0.5).check(&["--fail-on", "drift"]);
        assert_eq!(again.code, 10, "{}", again.stderr);
        assert_eq!(setup.json("reports/test/latest.json")["decision"]["verdict"], "drift");
    });
}

#[test]
fn both_kinds_of_bucket_give_the_same_report() {
    let report = |setup: Setup| {
        let line =
            |i: u32| format!("{{\"ts\":\"{}\",\"a\":{},\"b\":{}}}\n", stamp(i), f64::from(i * 181 % 400) / 400.0, i * 37 % 400);
        let compressed = zstd::encode_all((0..200).map(line).collect::<String>().as_bytes(), 3).unwrap();
        setup.data(300, 0.25).put("predictions/2026/a b.ndjson.zst", compressed);
        let ran = setup.check(&["--format", "json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.json()
    };
    let (folder, cloud) = (report(Setup::folder()), report(Setup::cloud()));
    for section in ["window", "decision", "features"] {
        assert_eq!(folder[section], cloud[section], "{section}");
    }
    assert_eq!(cloud["current"]["rows"], 500);
    let object = &cloud["current"]["objects"][0];
    assert_eq!(object["uri"], "gs://logs/predictions/2026/a b.ndjson.zst");
    assert!(text(&object["generation"]).starts_with("17000000"), "{object}");
}

#[test]
fn the_generation_in_the_report_is_that_of_the_object() {
    let setup = Setup::cloud();
    let report = setup.data(400, 0.0).check(&["--format", "json"]).json();
    for (section, key) in [("current", "predictions/logs.csv"), ("reference", "reference/reference.csv")] {
        let generation = setup.server().generation(key).unwrap().to_string();
        assert_eq!(report[section]["objects"][0]["generation"], generation.as_str());
    }
    assert!(setup.server().content_type("reports/test/latest.html").starts_with("text/html"));
    assert_eq!(setup.server().content_type("reports/test/latest.json"), "application/json");
}

#[test]
fn latest_never_moves_backwards_on_either_kind_of_bucket() {
    on_both(|setup| {
        let end = || text(&setup.json("reports/test/latest.json")["window"]["end"]);
        assert_eq!(setup.data(400, 0.0).check(&[]).code, 0);
        assert_eq!(setup.run(&["--config", "config.toml", "--as-of", "2026-01-31T12:00:00Z"]).code, 0);
        assert_eq!(end(), AS_OF);
        assert_eq!(setup.run(&["--config", "config.toml", "--as-of", "2026-01-31T18:30:00Z"]).code, 0);
        assert_eq!(end(), "2026-01-31T18:30:00Z");
    });
}

#[test]
fn concurrent_runs_of_one_window_leave_one_report() {
    on_both(|setup| {
        setup.data(400, 0.0);
        std::thread::scope(|scope| {
            let runs: Vec<_> = (0..4).map(|_| scope.spawn(|| setup.check(&[]))).collect();
            for run in runs {
                let ran = run.join().unwrap();
                assert_eq!(ran.code, 0, "{}", ran.stderr);
            }
        });
        assert_eq!(setup.keys("reports/").len(), 5);
        let report = setup.json(&format!("{FOLDER}/report.json"));
        let run = text(&report["run"]["id"]);
        assert_eq!(
            text(&setup.json("reports/test/latest.json")["run"]["id"]),
            run,
            "latest.json is of the run whose report stands"
        );
        for page in [format!("{FOLDER}/report.html"), "reports/test/latest.html".to_owned()] {
            let html = String::from_utf8(setup.get(&page)).unwrap();
            assert!(html.contains(&run), "{page} is of another run than report.json");
        }
    });
}

#[test]
fn concurrent_runs_of_two_windows_leave_the_later_as_latest() {
    on_both(|setup| {
        setup.data(400, 0.0);
        let ends = ["2026-01-31T18:00:00Z", "2026-01-31T18:30:00Z", "2026-01-31T12:00:00Z", "2026-01-31T17:00:00Z"];
        std::thread::scope(|scope| {
            let run = |end: &'static str| scope.spawn(move || setup.run(&["--config", "config.toml", "--as-of", end]));
            for run in ends.map(run) {
                let ran = run.join().unwrap();
                assert_eq!(ran.code, 0, "{}", ran.stderr);
            }
        });
        let latest = setup.json("reports/test/latest.json");
        assert_eq!(latest["window"]["end"], ends[1]);
        let html = String::from_utf8(setup.get("reports/test/latest.html")).unwrap();
        assert!(html.contains(&text(&latest["run"]["id"])), "latest.html is of another run");
    });
}

#[test]
fn a_profile_is_built_into_the_bucket_and_used_from_there() {
    let setup = Setup::cloud();
    setup.data(400, 0.5);
    let raw = setup.check(&["--dry-run", "--format", "json"]).json();
    let ran = setup.run(&["profile", "--config", "config.toml"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("gs://logs/reference/profile.json"), "{}", ran.stdout);
    let built = setup.check(&["--dry-run", "--format", "json"]).json();
    assert_eq!((&raw["features"], &raw["reference"]), (&built["features"], &built["reference"]));
    assert_eq!(setup.keys("reports/"), [""; 0], "a dry run writes nothing");
}

#[test]
fn a_path_may_name_another_bucket() {
    let setup = Setup::cloud();
    setup.data(300, 0.5).put("elsewhere/today.csv", logs(200, 0.0));
    let ran = setup.check(&["--current", "gs://logs/elsewhere/today.csv", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.json()["current"]["rows"], 200);
    assert_eq!(verdict(&ran.json(), "a"), "stable");
    // A bucket in the cloud beside a local one.
    let workspace = Workspace::new();
    workspace.config("").logs(300, 0.5);
    let endpoint = setup.server().endpoint();
    let arguments = ["--config", "config.toml", "--as-of", AS_OF, "--reference", "gs://logs/reference/", "--format", "json"];
    let ran = workspace.run_with(&arguments, &[("DRIFT_CHECK__BUCKET__ENDPOINT", endpoint.as_str())]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(verdict(&ran.json(), "a"), "drift");
}

/// What the columns hold is guessed before the rows are read: bytes that were damaged on their way must not become "no columns".
#[test]
fn a_reference_that_is_damaged_on_its_way_is_looked_into_again() {
    const REFERENCE: &str = "/o/reference/reference.csv?alt=media";
    let setup = Setup::cloud();
    let lines = rows(400, |i| format!("{},", stamp(i)), |a| a);
    setup.data(400, 0.0).put("reference/reference.csv", format!("ts,a,b\n{lines}"));
    let report = || {
        let ran = setup.check(&["--dry-run", "--format", "json"]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.json()
    };
    let sound = report();
    let readings = setup.server().requests(REFERENCE);
    setup.server().trouble("GET", REFERENCE, 1, Trouble::Damaged);
    let damaged = report();
    assert_eq!((&sound["features"], &sound["reference"]), (&damaged["features"], &damaged["reference"]));
    assert_eq!(setup.server().requests(REFERENCE), 2 * readings + 1);
}

#[test]
fn an_object_that_its_upload_compressed_is_read() {
    use std::io::Write;
    let setup = Setup::cloud();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(logs(400, 0.0).as_bytes()).unwrap();
    setup.data(1, 0.0).server().put_gzip("predictions/logs.csv", gzip.finish().unwrap());
    let ran = setup.check(&["--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.json()["current"]["rows"], 400);
}

/// The most memory that a check of the setup had, in kilobytes.
#[cfg(target_os = "linux")]
fn peak_memory_kb(setup: &Setup) -> u64 {
    let endpoint = setup.server().endpoint();
    let mut check = std::process::Command::new(env!("CARGO_BIN_EXE_drift-check"))
        .args(["--config", "config.toml", "--as-of", AS_OF, "--dry-run", "--format", "json"])
        .current_dir(setup.workspace.path("."))
        .env_clear()
        // Two objects at a time, whatever the machine.
        .envs([("STORAGE_EMULATOR_HOST", endpoint.as_str()), ("DRIFT_CHECK__RUN__CONCURRENCY", "2")])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", check.id());
    let mut peak = 0;
    let exit = loop {
        let now = std::fs::read_to_string(&status).unwrap_or_default();
        let high_water = now.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
        peak = high_water.unwrap_or(0).max(peak);
        if let Some(exit) = check.try_wait().unwrap() {
            break exit;
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    assert!(exit.success());
    peak
}

#[cfg(target_os = "linux")]
#[test]
fn memory_does_not_follow_the_size_of_the_objects() {
    let csv = |count: u32| {
        let lines = (0..count).map(|i| format!("2026-01-31T12:00:00Z,{},{}\n", f64::from(i * 181 % 400) / 400.0, i * 37 % 400));
        format!("ts,a,b\n{}", lines.collect::<String>())
    };
    let peak = |text_rows: u32, parquet_rows: u32| {
        let setup = Setup::cloud();
        setup.data(1, 0.0).put("predictions/logs.csv", csv(text_rows));
        setup.put("predictions/logs.parquet", crate::cloud_faults::parquet(parquet_rows, 0.0));
        peak_memory_kb(&setup)
    };
    let (small, large) = (peak(20_000, 50_000), peak(400_000, 800_000));
    // The small ones are 0.6 and 1.3 megabytes, the large ones 13 and 20.
    assert!(large < small + 12_000, "{large} kB against {small} kB");
}
