//! Bad days of Cloud Storage, each as the real binary meets it: never "stable" because something failed, what can be done is done,
//! the exit code tells, and a rerun completes.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cloud_storage::{Setup, logs};
use crate::storage_server::{StorageServer, Trouble};
use crate::workspace::{Ran, stamp, text};

const LISTING: &str = "/storage/v1/b/logs/o?";
const LOGS: &str = "/storage/v1/b/logs/o/predictions/logs.csv";

fn setup() -> Setup {
    let setup = Setup::cloud();
    setup.data(400, 0.0);
    setup
}

/// The report of a check that ran to its end.
fn completed(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.json()
}

fn stable(ran: &Ran) {
    let report = completed(ran);
    assert_eq!((&report["decision"]["verdict"], &report["current"]["rows"]), (&"stable".into(), &400.into()));
}

/// A check that failed said so, wrote nothing, and completes once the trouble is over.
fn failed(setup: &Setup, code: i32, words: &[&str]) {
    let ran = setup.check(&[]);
    assert_eq!(ran.code, code, "{}", ran.stderr);
    assert!(!ran.stdout.contains("Stable"), "{}", ran.stdout);
    let messages = ran.messages().join("\n");
    for word in words {
        assert!(messages.contains(word), "{word} is not in: {messages}");
    }
    assert_eq!(setup.keys("reports/"), [""; 0]);
}

#[test]
fn a_refusal_names_the_role_that_is_missing_and_is_not_tried_again() {
    let setup = setup();
    setup.server().trouble("GET", LISTING, 2, Trouble::Status(403, None));
    failed(&setup, 5, &["gs://logs/reference/", "403", "roles/storage.objectViewer on gs://logs"]);
    assert_eq!(setup.server().requests(LISTING), 2, "one for the reference, one for the logs beside it");
    setup.server().trouble("POST", "/upload/", 1, Trouble::Status(403, None));
    failed(&setup, 5, &["cannot write gs://logs/reports/test/", "roles/storage.objectUser"]);
    stable(&setup.check(&["--format", "json"]));
}

#[test]
fn a_bucket_that_is_not_there_is_named() {
    let setup = Setup::cloud();
    let ran = setup.check(&["--bucket", "gs://nowhere"]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no bucket `nowhere`; correct bucket.uri (--bucket)"), "{}", ran.stderr);
}

#[test]
fn an_object_that_vanishes_is_left_out_and_told_of() {
    let setup = setup();
    let vanishing = |count: u32| {
        setup.put("predictions/more.csv", logs(count, 0.0));
        setup.server().trouble("GET", "predictions/more.csv", 1, Trouble::Deleted("predictions/more.csv"));
    };
    vanishing(2);
    let report = completed(&setup.check(&["--format", "json"]));
    assert_eq!(report["current"]["rows"], 400);
    let messages: Vec<String> = report["findings"].as_array().unwrap().iter().map(|finding| text(&finding["message"])).collect();
    assert!(matches!(messages.as_slice(), [only] if only.contains("not there any more")), "{messages:?}");
    // More than may be missing: what is left is not the window.
    vanishing(400);
    let ran = setup.check(&[]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("logs.max_rejected_fraction") && ran.stderr.contains("not there any more"), "{}", ran.stderr);
    // The only one, and not known from a run before: there is nothing to judge.
    setup.config("[cache]\nmax_bytes = 0\n");
    setup.server().trouble("GET", LOGS, 1, Trouble::Deleted("predictions/logs.csv"));
    let ran = setup.check(&[]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
}

#[test]
fn retry_after_is_waited_for() {
    let setup = setup();
    setup.server().trouble("GET", LOGS, 1, Trouble::Status(429, Some("2")));
    let started = Instant::now();
    stable(&setup.check(&["--format", "json"]));
    assert!(started.elapsed() >= Duration::from_secs(2));
    // Longer than the patience: given up at once.
    setup.server().trouble("GET", LISTING, 1, Trouble::Status(429, Some("3600")));
    let started = Instant::now();
    assert_eq!(setup.check(&[]).code, 5);
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[test]
fn what_passes_by_itself_is_tried_again_everywhere() {
    let setup = setup();
    for code in [408, 429, 500, 502, 503, 504] {
        setup.server().trouble("GET", LISTING, 1, Trouble::Status(code, None));
    }
    setup.server().trouble("GET", LOGS, 2, Trouble::Status(503, None));
    setup.server().trouble("POST", "/upload/", 3, Trouble::Status(503, None));
    stable(&setup.check(&["--format", "json"]));
    assert_eq!(setup.keys("reports/").len(), 5);
}

#[test]
fn patience_ends_and_a_rerun_completes() {
    let setup = setup();
    setup.server().trouble("GET", LOGS, 1_000, Trouble::Status(503, None));
    let ran = setup.check(&[]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("cannot read gs://logs/predictions/logs.csv") && ran.stderr.contains("tries)"), "{}", ran.stderr);
    assert!(setup.server().requests(LOGS) > 3);
    assert_eq!(setup.keys("reports/"), [""; 0]);
}

#[test]
fn a_transfer_that_breaks_goes_on_where_it_broke() {
    let setup = setup();
    // Three times, at the same generation.
    for bytes in [10, 3_000, 0] {
        setup.server().trouble("GET", LOGS, 1, Trouble::CutAfter(bytes));
    }
    stable(&setup.check(&["--format", "json"]));
    let generation = setup.server().generation("predictions/logs.csv").unwrap();
    assert_eq!(setup.server().requests(&format!("{LOGS}?alt=media&generation={generation}")), 4);
}

#[test]
fn a_connection_that_is_reset_goes_on_too() {
    let setup = Setup::on(StorageServer::start_resetting());
    setup.data(400, 0.0);
    setup.server().trouble("GET", LOGS, 2, Trouble::CutAfter(5_000));
    stable(&setup.check(&["--format", "json"]));
}

#[test]
fn damaged_bytes_never_count() {
    let setup = setup();
    setup.server().trouble("GET", LOGS, 1, Trouble::Damaged);
    // Read once more, it is sound.
    stable(&setup.check(&["--format", "json"]));
    // What is known is not read.
    setup.config("[cache]\nmax_bytes = 0\n");
    setup.server().trouble("GET", LOGS, 2, Trouble::Damaged);
    let ran = setup.check(&[]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("do not match their checksum"), "{}", ran.stderr);
}

#[test]
fn a_service_that_hangs_is_not_waited_for_forever() {
    let setup = setup();
    setup.server().trouble("GET", LOGS, 1, Trouble::Hang);
    stable(&setup.check(&["--format", "json"]));
    setup.server().trouble("GET", LISTING, 1_000, Trouble::Hang);
    let started = Instant::now();
    let ran = setup.check(&[]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("no answer from"), "{}", ran.stderr);
    assert!(started.elapsed() < Duration::from_secs(12), "{:?}", started.elapsed());
}

#[test]
fn an_object_overwritten_after_the_listing_is_read_in_its_newer_generation() {
    let setup = setup();
    setup.server().trouble("GET", LOGS, 1, Trouble::Overwritten("predictions/logs.csv", logs(300, 0.5).into()));
    let report = completed(&setup.check(&["--format", "json"]));
    assert_eq!((&report["decision"]["verdict"], &report["current"]["rows"]), (&"drift".into(), &300.into()));
    let generation = setup.server().generation("predictions/logs.csv").unwrap().to_string();
    assert_eq!(report["current"]["objects"][0]["generation"], generation.as_str());
}

#[test]
fn an_object_overwritten_while_it_is_read_is_never_a_mixture() {
    let setup = setup();
    setup.server().trouble("GET", LOGS, 1, Trouble::CutAfter(6_000));
    setup.server().trouble("GET", LOGS, 1, Trouble::Overwritten("predictions/logs.csv", logs(300, 0.5).into()));
    let report = completed(&setup.check(&["--format", "json"]));
    assert_eq!((&report["current"]["rows"], &report["current"]["rows_rejected"]), (&300.into(), &0.into()));
    let generation = setup.server().generation("predictions/logs.csv").unwrap().to_string();
    assert_eq!(report["current"]["objects"][0]["generation"], generation.as_str());
}

/// The window itself has been read; only the trend wants to read the logs again.
/// The reference is read for its profile, and again for what only whole rows tell: both readings must be of the same bytes.
#[test]
fn a_reference_overwritten_between_its_two_readings_is_an_error_and_a_rerun_completes() {
    const REFERENCE: &str = "/o/reference/reference.csv?alt=media";
    let setup = setup();
    let readings = {
        let before = setup.server().requests(REFERENCE);
        stable(&setup.check(&["--dry-run", "--format", "json"]));
        setup.server().requests(REFERENCE) - before
    };
    assert!(readings >= 3, "looked into, read and read again: {readings}");
    setup.server().trouble("GET", REFERENCE, readings - 1, Trouble::AsUsual);
    let other = format!("a,b\n{}", crate::workspace::rows(400, |_| String::new(), |a| a + 0.5));
    setup.server().trouble("GET", REFERENCE, 1, Trouble::Overwritten("reference/reference.csv", other.into()));
    failed(&setup, 4, &["the reference changed while it was read", "gs://logs/reference/reference.csv", "run again"]);
    completed(&setup.check(&["--format", "json"]));
}

#[test]
fn a_bucket_that_fails_during_the_backfill_costs_the_trend_only() {
    let setup = setup();
    setup.config("[report]\nbackfill_windows = 2\n");
    setup.server().trouble("GET", LOGS, 1, Trouble::AsUsual).trouble("GET", LOGS, 1, Trouble::Status(403, None));
    let ran = setup.check(&["--format", "json"]);
    stable(&ran);
    let report = ran.json();
    assert_eq!(crate::workspace::findings(&report), [("history-unavailable".to_owned(), String::new())]);
    assert_eq!(report["run"]["history"].as_array().unwrap().len(), 0);
    assert_eq!(setup.keys("reports/").len(), 5);
    assert_eq!(setup.server().requests(LOGS), 2, "it stops at the first failure");
}

#[test]
fn a_write_whose_answer_is_lost_is_our_own_and_not_another_run() {
    let setup = setup();
    setup.server().trouble("POST", "/upload/", 1, Trouble::AnswerLost);
    let ran = setup.check(&["--format", "json"]);
    stable(&ran);
    assert!(!ran.stderr.contains("another run"), "{}", ran.stderr);
    assert_eq!(setup.keys("reports/").len(), 5);
    assert_eq!(setup.json("reports/test/latest.json")["run"]["id"], ran.json()["run"]["id"]);
}

#[test]
fn a_write_whose_answer_is_cut_is_our_own_too() {
    // Nothing of it, a part of it, and all but its end.
    for bytes in [0, 10, 300] {
        let setup = setup();
        setup.server().trouble("POST", "/upload/", 2, Trouble::CutAfter(bytes));
        let ran = setup.check(&["--format", "json"]);
        stable(&ran);
        assert!(!ran.stderr.contains("another run"), "{bytes}: {}", ran.stderr);
        assert_eq!(setup.keys("reports/").len(), 5);
        assert_eq!(setup.json("reports/test/latest.json")["run"]["id"], ran.json()["run"]["id"]);
    }
}

#[test]
fn a_write_whose_answer_makes_no_sense_is_tried_again() {
    let setup = setup();
    setup.server().trouble("POST", "/upload/", 1, Trouble::Garbled);
    let ran = setup.check(&["--format", "json"]);
    stable(&ran);
    assert_eq!(setup.json("reports/test/latest.json")["run"]["id"], ran.json()["run"]["id"]);
}

/// The other run's `latest.json` arrives between our look at it and our write.
#[test]
fn a_precondition_lost_to_a_second_run_is_decided_again() {
    let setup = setup();
    let later = setup.run(&["--config", "config.toml", "--as-of", "2026-01-31T18:30:00Z"]);
    assert_eq!(later.code, 0, "{}", later.stderr);
    let later = setup.get("reports/test/latest.json");
    let earlier = setup.run(&["--config", "config.toml", "--as-of", "2026-01-31T12:00:00Z"]);
    assert_eq!(earlier.code, 0, "{}", earlier.stderr);
    let earlier = setup.get("reports/test/2026/01/31/120000Z-24h/report.json");
    setup.put("reports/test/latest.json", earlier);
    let overwritten = Trouble::Overwritten("reports/test/latest.json", later.clone().into());
    setup.server().trouble("POST", "name=reports/test/latest.json", 1, overwritten);
    stable(&setup.check(&["--format", "json"]));
    assert_eq!(setup.get("reports/test/latest.json"), later, "the later window stays");
}

/// The other run replaces our `report.html` before we write the `report.json` that belongs to it.
#[test]
fn a_run_that_is_overtaken_leaves_the_rest_to_the_other() {
    const PAGE: &str = "reports/test/2026/01/31/180000Z-24h/report.html";
    let setup = setup();
    let metadata = format!("/o/{PAGE}?projection");
    setup.server().trouble("GET", &metadata, 1, Trouble::AsUsual);
    setup.server().trouble("GET", &metadata, 1, Trouble::Overwritten(PAGE, "the other run's".into()));
    let ran = setup.check(&["--format", "json"]);
    stable(&ran);
    assert!(ran.stderr.contains("another run of this window"), "{}", ran.stderr);
    assert_eq!(setup.keys("reports/"), [PAGE], "nothing of ours stands beside the other's");
    stable(&setup.check(&["--format", "json"]));
    assert_eq!(setup.keys("reports/").len(), 5);
}

#[test]
fn a_failure_between_the_parts_of_a_report_is_mended_by_a_rerun() {
    for part in ["report.json", "latest.json", "latest.html"] {
        let setup = setup();
        setup.server().trouble("POST", part, 1, Trouble::Status(403, None));
        let ran = setup.check(&[]);
        assert_eq!(ran.code, 5, "{part}: {}", ran.stderr);
        let ran = setup.check(&["--format", "json"]);
        stable(&ran);
        let id = text(&ran.json()["run"]["id"]);
        let keys = setup.keys("reports/");
        assert_eq!(keys.len(), 5, "{part}");
        for key in keys.iter().filter(|key| !key.ends_with("/index.html")) {
            assert!(String::from_utf8(setup.get(key)).unwrap().contains(&id), "{part}: {key} is of the first run");
        }
    }
}

/// Random doubles of more than one megabyte, in row groups of 10,000.
pub fn parquet(count: u32, shift: f64) -> Vec<u8> {
    use polars::prelude::{ParquetCompression, ParquetWriter, df};
    use rand::{Rng, SeedableRng};
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let stamps: Vec<String> = (0..count).map(|i| stamp(i % 1_440)).collect();
    let a: Vec<f64> = (0..count).map(|_| random.random::<f64>() + shift).collect();
    let b: Vec<f64> = (0..count).map(|_| 400.0 * random.random::<f64>()).collect();
    let unused: Vec<f64> = (0..count).map(|_| random.random::<f64>()).collect();
    let mut frame = df!("ts" => stamps, "unused" => unused, "a" => a, "b" => b).unwrap();
    let mut bytes = Vec::new();
    let writer = ParquetWriter::new(std::io::Cursor::new(&mut bytes)).with_compression(ParquetCompression::Uncompressed);
    writer.with_row_group_size(Some(10_000)).finish(&mut frame).unwrap();
    bytes
}

const PARQUET: &str = "/storage/v1/b/logs/o/predictions/logs.parquet";

fn parquet_setup() -> Setup {
    let setup = Setup::cloud();
    setup.data(1, 0.0);
    setup.server().delete("predictions/logs.csv");
    setup.put("predictions/logs.parquet", parquet(50_000, 0.0));
    setup
}

#[test]
fn parquet_is_read_by_the_ranges_it_needs_and_resumed_where_it_breaks() {
    let setup = parquet_setup();
    for bytes in [3, 30_000, 5_000] {
        setup.server().trouble("GET", &format!("{PARQUET}?alt=media"), 1, Trouble::CutAfter(bytes));
    }
    setup.server().trouble("GET", PARQUET, 1, Trouble::Status(503, None));
    let report = completed(&setup.check(&["--format", "json"]));
    assert_eq!((&report["decision"]["verdict"], &report["current"]["rows"]), (&"stable".into(), &50_000.into()));
    let generation = setup.server().generation("predictions/logs.parquet").unwrap();
    assert_eq!(report["current"]["objects"][0]["generation"], generation.to_string().as_str());
    let all = setup.server().requests(&format!("{PARQUET}?alt=media"));
    assert_eq!(setup.server().requests(&format!("{PARQUET}?alt=media&generation={generation}")), all);
}

#[test]
fn parquet_overwritten_while_it_is_read_is_never_a_mixture() {
    let setup = parquet_setup();
    // The metadata and the first two ranges are of the listed generation.
    let media = format!("{PARQUET}?alt=media");
    setup.server().trouble("GET", &media, 3, Trouble::AsUsual);
    setup.server().trouble("GET", &media, 1, Trouble::Overwritten("predictions/logs.parquet", parquet(40_000, 0.5).into()));
    let report = completed(&setup.check(&["--format", "json"]));
    assert_eq!((&report["decision"]["verdict"], &report["current"]["rows"]), (&"drift".into(), &40_000.into()));
    let generation = setup.server().generation("predictions/logs.parquet").unwrap().to_string();
    assert_eq!(report["current"]["objects"][0]["generation"], generation.as_str());
}

/// Numbers that do not repeat, 16 bytes of them a row, in one row group.
fn one_group(rows: u32) -> Vec<u8> {
    use polars::prelude::{ParquetCompression, ParquetWriter, df};
    let stamps: Vec<i64> = (0..rows).map(|i| 1_769_860_000 + i64::from(i % 1_440)).collect();
    let a: Vec<f64> = (0..rows).map(|i| f64::from(i * 181 % 400) / 400.0 + f64::from(i) * 1e-12).collect();
    let b: Vec<f64> = (0..rows).map(|i| f64::from(i * 37 % 400) + f64::from(i) * 1e-9).collect();
    let mut frame = df!("ts" => stamps, "a" => a, "b" => b).unwrap();
    let mut bytes = Vec::new();
    let writer = ParquetWriter::new(std::io::Cursor::new(&mut bytes)).with_compression(ParquetCompression::Uncompressed);
    writer.with_row_group_size(Some(rows as usize)).finish(&mut frame).unwrap();
    bytes
}

#[test]
fn row_groups_wait_for_each_other_and_one_that_is_too_large_is_refused_at_once() {
    let setup = parquet_setup();
    setup.config("[run]\nconcurrency = 4\nmax_download_bytes = 16777216\n");
    // Each takes most of the budget.
    let (fits, rows) = (one_group(500_000), 500_000);
    for name in ["logs", "1", "2", "3"] {
        setup.put(&format!("predictions/{name}.parquet"), &fits);
    }
    assert_eq!(completed(&setup.check(&["--dry-run", "--format", "json"]))["current"]["rows"], 4 * rows);
    setup.put("predictions/logs.parquet", one_group(1_500_000));
    let before = setup.server().requests(PARQUET);
    failed(
        &setup,
        4,
        &["gs://logs/predictions/logs.parquet", "more than run.max_download_bytes = 16777216", "row groups of fewer rows"],
    );
    // Its columns are looked into once, and its rows once: its size is no accident that another reading could mend.
    assert!(setup.server().requests(PARQUET) - before < 8, "{}", setup.server().requests(PARQUET) - before);
}

#[test]
fn damaged_bytes_of_a_small_parquet_object_never_count() {
    let setup = parquet_setup();
    setup.put("predictions/logs.parquet", parquet(5_000, 0.0));
    let media = format!("{PARQUET}?alt=media");
    setup.server().trouble("GET", &media, 1, Trouble::Damaged);
    assert_eq!(completed(&setup.check(&["--format", "json"]))["current"]["rows"], 5_000);
    setup.server().trouble("GET", &media, 2, Trouble::Damaged);
    let ran = setup.check(&[]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("do not match their checksum"), "{}", ran.stderr);
}

#[test]
fn a_compressed_object_that_breaks_is_resumed_or_tried_again() {
    use std::io::Write;
    let setup = setup();
    setup.server().delete("predictions/logs.csv");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(logs(400, 0.0).as_bytes()).unwrap();
    let gzip = gzip.finish().unwrap();
    setup.put("predictions/logs.csv.gz", &gzip);
    let key = "predictions/logs.csv.gz";
    setup.server().trouble("GET", key, 1, Trouble::CutAfter(1_000)).trouble("GET", key, 1, Trouble::Damaged);
    stable(&setup.check(&["--format", "json"]));
    // Damaged where it is stored, it is the object that is unusable, and not the bucket.
    setup.put(key, &gzip[..gzip.len() / 2]);
    let ran = setup.check(&[]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
}

#[test]
fn the_time_that_a_run_is_stopped_is_not_held_against_the_service() {
    let setup = setup();
    // The run waits two seconds after each failure: its patience of four ends while it is stopped, before the second.
    setup.server().trouble("GET", LOGS, 2, Trouble::Status(503, Some("2")));
    let endpoint = setup.server().endpoint();
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_drift-check"))
        .args(["--config", "config.toml", "--as-of", crate::workspace::AS_OF])
        .current_dir(setup.workspace.path("."))
        .env_clear()
        .envs([("STORAGE_EMULATOR_HOST", endpoint.as_str()), ("CLOUD_RUN_JOB", "drift-check")])
        .stderr(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let send = |signal: &str| {
        let sent = std::process::Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
        assert!(sent.unwrap().success());
    };
    while setup.server().requests(LOGS) == 0 {
        std::thread::sleep(Duration::from_millis(2));
    }
    send("STOP");
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(setup.server().requests(LOGS), 1, "it is stopped");
    send("CONT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(setup.keys("reports/").iter().filter(|key| key.ends_with("/report.json")).count(), 1);
}

#[test]
fn sigterm_ends_a_run_that_waits_for_the_service() {
    let setup = setup();
    setup.server().trouble("GET", LOGS, 1_000, Trouble::Hang);
    let endpoint = setup.server().endpoint();
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_drift-check"))
        .args(["--config", "config.toml", "--as-of", crate::workspace::AS_OF])
        .current_dir(setup.workspace.path("."))
        .env_clear()
        .envs([("STORAGE_EMULATOR_HOST", endpoint.as_str()), ("DRIFT_CHECK__BUCKET__TIMEOUT", "10m")])
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while setup.server().requests(LOGS) == 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    let started = Instant::now();
    assert!(std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(143), "{stderr}");
    assert!(started.elapsed() < Duration::from_secs(5));
    assert!(stderr.lines().all(|line| line.starts_with('{')), "{stderr}");
    assert_eq!(setup.keys("reports/"), [""; 0]);
}
