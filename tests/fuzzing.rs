//! The targets of `tests/fuzz/run`, in every test run: all seeds, all that was ever found, and changes of them that a fixed seed draws.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use polars::prelude::{
    DataFrame, DataType, IntoColumn, NamedFrom, ParquetCompression, ParquetWriter, Series, TimeUnit, TimeZone, df,
};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::fuzz_targets::ALL;
use crate::parquet_bytes::Claims;

/// Changed inputs for each target, besides those that are kept.
const CHANGES: usize = 150;

fn folder(part: &str, target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(part).join(target)
}

/// The files of a folder that may not be there, with their names, in order.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    paths.sort();
    paths.iter().map(|path| (path.display().to_string(), std::fs::read(path).unwrap())).collect()
}

/// What the targets begin with: what is kept, and what a writer makes anew.
fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut seeds = files(&folder("seeds", target));
    match target {
        "parquet" => seeds.extend(parquet_seeds()),
        "profile" => seeds.push(("a profile that was built".to_owned(), crate::fuzz_targets::reference().to_json().unwrap())),
        "pack" => seeds.push(("a pack that was written".to_owned(), packed())),
        _ => {}
    }
    seeds
}

fn parquet_seeds() -> Vec<(String, Vec<u8>)> {
    let zone = TimeZone::opt_try_new(Some("UTC")).unwrap();
    let moments: Vec<i64> = (0..12).map(|row| 1_769_860_800_000 + row * 60_000).collect();
    let moments = Series::new("t".into(), moments).cast(&DataType::Datetime(TimeUnit::Milliseconds, zone)).unwrap();
    let labels: Vec<Option<String>> = (0..12).map(|row| (row % 5 != 0).then(|| format!("label-{}", row % 4))).collect();
    let columns = [
        moments,
        Series::new("a".into(), (0..12).map(|row| f64::from(row) / 3.0).collect::<Vec<f64>>()),
        Series::new("b".into(), (0..12).map(|row| (row % 3 > 0).then_some(row)).collect::<Vec<Option<i32>>>()),
        Series::new("c".into(), labels),
        Series::new("d".into(), (0..12).map(|row| row / 2).collect::<Vec<i64>>()),
    ];
    let frame = DataFrame::new(12, columns.into_iter().map(IntoColumn::into_column).collect()).unwrap();
    let mut seeds = Vec::new();
    for (name, compression) in [
        ("plain", ParquetCompression::Uncompressed),
        ("zstd", ParquetCompression::Zstd(None)),
        ("snappy", ParquetCompression::Snappy),
    ] {
        seeds.push((name.to_owned(), written(frame.clone(), compression)));
    }
    let texts = df!("t" => ["2026-01-31T12:00:00Z", "yesterday"], "a" => [true, false], "c" => [1_u8, 2]).unwrap();
    seeds.push(("texts".to_owned(), written(texts, ParquetCompression::Lz4Raw)));
    seeds.push(("by hand".to_owned(), Claims::doubles("a", &[1.0, 2.0, 3.0]).file()));
    seeds
}

fn written(mut frame: DataFrame, compression: ParquetCompression) -> Vec<u8> {
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).with_compression(compression).with_row_group_size(Some(5)).finish(&mut frame).unwrap();
    bytes
}

/// The body of a pack with one entry of two hours.
fn packed() -> Vec<u8> {
    use drift_check::ingest::HOUR_US;
    use drift_check::ingest::cache::pack::{HEAD_BYTES, write};
    use drift_check::ingest::cache::{Entry, Hour};
    let hour = |hour: i64| Hour {
        hour,
        rows: 2,
        oldest_us: hour * HOUR_US,
        newest_us: hour * HOUR_US + 5,
        packed: vec![7, 200, 1].into(),
    };
    let entry = Entry {
        uri: "file:bucket/predictions/logs.csv".to_owned(),
        version: "12-34".to_owned(),
        generation: "crc32-00000000-4".to_owned(),
        size_bytes: 1_000,
        rows_read: 9,
        oldest_us: 490_000 * HOUR_US,
        latest_us: 490_003 * HOUR_US,
        columns_seen: vec![true, false],
        cluster_seen: false,
        covered: 490_000..490_003,
        hours: vec![hour(490_000), hour(490_002)],
    };
    write(*b"0123456789abcdef", &[entry])[HEAD_BYTES..].to_vec()
}

/// Runs a target; where it fails, leaves the input for `tests/fuzz/findings`.
fn run(target: &str, function: fn(&[u8]), name: &str, bytes: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| function(bytes))).is_err() {
        let kept = std::env::temp_dir().join(format!("drift-check-{target}-{}", std::process::id()));
        std::fs::write(&kept, bytes).unwrap();
        panic!("{target} fails on {name}: {} is to be kept in tests/fuzz/findings/{target}", kept.display());
    }
}

/// A few changes of an input, as those who damage or forge it would make them.
fn change(bytes: &[u8], others: &[(String, Vec<u8>)], random: &mut ChaCha8Rng) -> Vec<u8> {
    const PIECES: [&[u8]; 14] = [
        b"\"",
        b",",
        b"\n",
        b"\r\n",
        b"{",
        b"}",
        b"[",
        b"\0",
        b"-",
        b"\xFF\xFF\xFF\x7F",
        b"\x80",
        b"9999999999999999999",
        b"<!--",
        b"\xE2\x80\xAE",
    ];
    let mut changed = bytes.to_vec();
    for _ in 0..random.random_range(1..5) {
        let at = random.random_range(0..=changed.len());
        match random.random_range(0..7) {
            0 if at < changed.len() => changed[at] ^= 1_u8 << random.random_range(0..8_u32),
            1 if at < changed.len() => changed[at] = random.random(),
            2 => changed.truncate(at),
            3 => {
                let end = random.random_range(at..=changed.len().min(at + 20));
                changed.drain(at..end);
            }
            4 => {
                let end = random.random_range(at..=changed.len().min(at + 40));
                let again = changed[at..end].to_vec();
                changed.splice(at..at, again);
            }
            5 => {
                let other = &others.choose(random).unwrap().1;
                let from = random.random_range(0..=other.len());
                changed.truncate(at);
                changed.extend_from_slice(&other[from..]);
            }
            _ => {
                let piece = *PIECES.choose(random).unwrap();
                changed.splice(at..at, piece.iter().copied());
            }
        }
    }
    changed
}

/// Tries a target with its seeds, with what was found before, and with changes of both.
fn try_target(target: &str) {
    let (_, function) = ALL.into_iter().find(|(name, _)| *name == target).unwrap();
    let mut inputs = seeds(target);
    assert!(inputs.len() >= 2, "{target} has no seeds");
    inputs.extend(files(&folder("findings", target)));
    for (name, bytes) in &inputs {
        run(target, function, name, bytes);
    }
    let mut random = ChaCha8Rng::seed_from_u64(20_260_131);
    for number in 0..CHANGES {
        let (name, bytes) = inputs.choose(&mut random).unwrap();
        run(target, function, &format!("change {number}, of {name}"), &change(bytes, &inputs, &mut random));
    }
}

/// A test for each target.
macro_rules! targets {
    ($($test:ident: $target:literal,)*) => {
        $(
            #[test]
            fn $test() {
                try_target($target);
            }
        )*

        #[test]
        fn every_target_is_tried_and_can_be_run_by_libfuzzer() {
            let tried = [$($target),*];
            let names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
            assert_eq!(names, tried);
            // `tests/fuzz/run` reads the names as they are written, and continuous integration runs it.
            let source = std::fs::read_to_string(folder("", "targets.rs")).unwrap();
            let written = source.lines().filter_map(|line| line.strip_prefix("    (\"")?.split_once("\", "));
            assert_eq!(written.map(|(name, _)| name).collect::<Vec<_>>(), names);
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            assert!(std::fs::read_to_string(root.join(".ci/run")).unwrap().contains("\ntests/fuzz/run 5\n"));
        }
    };
}

targets! {
    no_text_leads_out_of_the_bucket: "bucket",
    no_compressed_bytes_lose_a_row: "compressed",
    no_text_is_half_a_configuration: "config",
    no_csv_loses_a_row: "csv",
    no_name_becomes_a_part_of_the_page: "html",
    no_answer_is_half_a_listing: "listing",
    no_text_is_two_moments: "moments",
    no_ndjson_loses_a_row: "ndjson",
    no_bytes_are_half_a_pack: "pack",
    no_parquet_loses_a_row: "parquet",
    no_bytes_are_half_a_profile: "profile",
    no_bytes_are_half_a_report: "report",
    no_name_becomes_markup: "slack",
}
