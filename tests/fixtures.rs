//! The committed fixtures are what the generator writes, byte for byte, and are what `fixtures/README.md` says they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use drift_check::feature::{FeatureKind, FeatureName, is_missing};
use drift_check::ingest::decode::{Batch, Column, Encoding, Input, Request, TimestampColumn, decode};
use drift_check::ingest::timestamp::NaiveTimestamps;
use serde_json::{Value, json};

#[path = "../fixtures/generate/bucket.rs"]
mod bucket;

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

/// Every file below `root`, by its path within it.
fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_path_buf(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn truth() -> Value {
    serde_json::from_slice(&fs::read(committed().join("truth.json")).unwrap()).unwrap()
}

#[test]
fn the_generator_writes_the_committed_fixtures_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    bucket::write(&folder.path().join("bucket")).unwrap();
    let (fresh, mut committed_bucket) = (files(&folder.path().join("bucket")), files(&committed().join("bucket")));
    // What runs of drift-check put there, and git ignores.
    committed_bucket.retain(|path, _| !path.starts_with("reports") && !path.ends_with("profile.json"));
    assert_eq!(fresh.keys().collect::<Vec<_>>(), committed_bucket.keys().collect::<Vec<_>>());
    for (path, bytes) in &fresh {
        assert!(*bytes == committed_bucket[path], "{} differs: `cargo run --example generate-fixtures`", path.display());
    }
    let truth = |root: &Path| fs::read(root.join("truth.json")).unwrap();
    assert!(truth(folder.path()) == truth(&committed()), "truth.json differs: `cargo run --example generate-fixtures`");
}

#[test]
fn every_format_occurs_and_three_stand_side_by_side_within_a_day() {
    let truth = truth();
    let extension = |object: &Value| object["path"].as_str().unwrap().split_once('.').unwrap().1.to_owned();
    let by_day: Vec<BTreeSet<String>> = truth["days"]
        .as_array()
        .unwrap()
        .iter()
        .map(|day| day["objects"].as_array().unwrap().iter().map(extension).collect())
        .collect();
    let all: BTreeSet<&str> = by_day.iter().flatten().map(String::as_str).collect();
    let expected =
        ["csv", "csv.gz", "csv.zst", "jsonl", "jsonl.gz", "ndjson", "ndjson.gz", "ndjson.zst", "parquet"].into_iter().collect();
    assert_eq!(all, expected);
    let has = |day: &BTreeSet<String>, formats: &[&str]| formats.iter().any(|f| day.iter().any(|name| name.starts_with(f)));
    let mixed = by_day.iter().filter(|day| has(day, &["csv"]) && has(day, &["ndjson", "jsonl"]) && has(day, &["parquet"]));
    assert_eq!(mixed.count(), 6);
}

#[test]
fn the_truth_adds_up_and_broken_rows_stay_below_the_limit() {
    for day in truth()["days"].as_array().unwrap() {
        let count = |value: &Value| value.as_u64().unwrap();
        let objects = day["objects"].as_array().unwrap();
        assert_eq!(objects.iter().map(|object| count(&object["rows_good"])).sum::<u64>(), count(&day["rows_good"]));
        let broken: u64 = objects.iter().flat_map(|object| object["rows_broken"].as_object().unwrap().values()).map(count).sum();
        assert_eq!(broken, count(&day["rows_broken_total"]));
        assert!(20 * broken < count(&day["rows_good"]) + broken, "{} has 5 % or more broken rows", day["date"]);
    }
}

#[test]
fn compressed_text_names_no_time_and_no_system() {
    for (path, bytes) in files(&committed().join("bucket")) {
        if path.extension().is_some_and(|extension| extension == "gz") {
            // RFC 1952: four bytes of time from the fifth on, the operating system in the tenth; 255 is "unknown".
            assert_eq!((&bytes[4..8], bytes[9]), (&[0; 4][..], 255), "{}", path.display());
        }
    }
}

/// A request for every column, without a window.
fn everything() -> Request {
    let header = fs::read_to_string(committed().join("bucket/reference/reference.csv")).unwrap();
    let names = header.lines().next().unwrap().split(',').filter(|name| !["timestamp", "study_id"].contains(name));
    let kind = |name: &str| if name == "pred_class" { FeatureKind::Categorical } else { FeatureKind::Numeric };
    Request {
        columns: names.map(|name| (FeatureName::from(name), kind(name))).collect(),
        timestamp: Some(TimestampColumn { name: "timestamp".to_owned(), naive: NaiveTimestamps::Reject }),
        cluster: Some("study_id".to_owned()),
        window: None,
        max_row_bytes: 1 << 20,
        batch_rows: 1024,
    }
}

#[test]
fn the_decoder_finds_the_good_rows_of_every_object_and_rejects_the_broken_ones_for_their_reason() {
    let request = everything();
    for day in truth()["days"].as_array().unwrap() {
        let (mut studies, mut non_finite) = (BTreeSet::new(), BTreeMap::<String, u64>::new());
        let mut moments = Vec::new();
        for object in day["objects"].as_array().unwrap() {
            let path = object["path"].as_str().unwrap();
            let file = fs::File::open(committed().join("bucket").join(path)).unwrap();
            let mut sink = |batch: Batch| {
                let batch = batch.read()?;
                studies.extend(batch.clusters.unwrap());
                moments.extend(batch.timestamps_us);
                for ((name, _), column) in request.columns.iter().zip(&batch.columns) {
                    if let Column::Numeric(values) = column {
                        let count = values.iter().filter(|v| !v.is_finite() && !is_missing(**v)).count();
                        *non_finite.entry(name.as_str().to_owned()).or_default() += u64::try_from(count).unwrap();
                    }
                }
                Ok(())
            };
            let tally = decode(Input::Stream(Box::new(file)), Encoding::of_key(path).unwrap(), &request, &mut sink).unwrap();
            assert_eq!(json!(tally.rows_used), object["rows_good"], "{path}");
            let rejected: BTreeMap<&str, u64> = tally.rejected.iter().map(|(reason, rows)| (reason.as_str(), rows.rows)).collect();
            assert_eq!(json!(rejected), object["rows_broken"], "{path}");
            assert!(tally.columns_seen.iter().all(|seen| *seen), "{path}");
        }
        non_finite.retain(|_, count| *count > 0);
        assert_eq!(json!(non_finite), day["non_finite"], "{}", day["date"]);
        assert_eq!(json!(studies.len()), day["studies"], "{}", day["date"]);
        let text = |moment_us: i64| chrono::DateTime::from_timestamp_micros(moment_us).unwrap().to_rfc3339();
        assert_eq!(json!(text(*moments.iter().min().unwrap())), day["first"]);
        assert_eq!(json!(text(*moments.iter().max().unwrap())), day["last"]);
    }
}
