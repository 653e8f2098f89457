//! The cache of counts: a run that knows what earlier runs counted reports what one that reads everything does, to the last byte.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::DateTime;
use drift_check::feature::{ColumnBatch, FeatureKind, FeatureName, MISSING, MISSING_CODE};
use drift_check::ingest::HOUR_US;
use drift_check::ingest::cache::Hours;
use drift_check::ingest::decode::{Batch, Column};
use drift_check::ingest::sink::hours::ByHour;
use drift_check::ingest::sink::windows::ByWindow;
use drift_check::ingest::sink::{Counter, Sink};
use drift_check::profile::builder::ProfileBuilder;
use drift_check::profile::packed::{Packer, Unpacker};
use drift_check::profile::{ReferenceProfile, WindowCounts};
use drift_check::window::Window;
use proptest::prelude::*;
use serde_json::Value;

use crate::cloud_storage::Setup;

/// The moments that six runs, about every six hours, are for: on the hour and in the middle of it.
const RUNS: [&str; 6] = [
    "2026-01-31T06:00:00Z",
    "2026-01-31T12:00:00Z",
    "2026-01-31T18:30:07Z",
    "2026-02-01T00:00:00Z",
    "2026-02-01T06:10:00Z",
    "2026-02-01T12:00:00Z",
];

/// The first hour of the logs, 2026-01-30T00:00:00Z; they hold three days.
const START: i64 = 1_769_731_200;
const HOURS: i64 = 72;

/// A number in [0, 1) that looks random, the same for the same seed.
fn unit(seed: i64) -> f64 {
    (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64 as i64) as u64 >> 20) as f64 / (1_u64 << 44) as f64
}

struct Row {
    moment_s: i64,
    a: Option<f64>,
    b: f64,
    c: &'static str,
    study: String,
    class: &'static str,
    confidence: f64,
}

/// The rows of an hour since [`START`], in the order of time.
fn of_hour(hour: i64, count: i64) -> Vec<Row> {
    let row = |i: i64| {
        let seed = hour * 10_007 + i;
        Row {
            moment_s: START + hour * 3_600 + i * 3_600 / count,
            a: (seed % 11 != 0).then(|| unit(seed) + if hour > 40 { 0.2 } else { 0.0 }),
            b: 400.0 * unit(seed ^ 0x5555),
            c: ["red", "green", "blue", "", "violet"][usize::try_from(seed % 5).unwrap()],
            study: format!("s{}", seed / 7),
            class: if unit(seed + 1) < 0.7 { "yes" } else { "no" },
            confidence: 0.5 + unit(seed + 2) / 2.0,
        }
    };
    (0..count).map(row).collect()
}

fn stamp(row: &Row) -> String {
    chrono::DateTime::from_timestamp(row.moment_s, 0).unwrap().to_rfc3339()
}

fn csv(rows: &[Row]) -> Vec<u8> {
    let mut text = "ts,a,b,c,study,class,conf\n".to_owned();
    for row in rows {
        let a = row.a.map(|a| a.to_string()).unwrap_or_default();
        writeln!(text, "{},{a},{},{},{},{},{}", stamp(row), row.b, row.c, row.study, row.class, row.confidence).unwrap();
    }
    text.into_bytes()
}

fn ndjson(rows: &[Row]) -> Vec<u8> {
    let line = |row: &Row| {
        let (ts, c) = (stamp(row), Some(row.c).filter(|c| !c.is_empty()));
        serde_json::json!({
            "ts": ts, "a": row.a, "b": row.b, "c": c, "study": row.study, "class": row.class, "conf": row.confidence,
        })
    };
    rows.iter().map(|row| format!("{}\n", line(row))).collect::<String>().into_bytes()
}

fn parquet(rows: &[Row]) -> Vec<u8> {
    use polars::prelude::{DataType, ParquetWriter, TimeUnit, df};
    let column = |of: &dyn Fn(&Row) -> String| rows.iter().map(of).collect::<Vec<String>>();
    let mut frame = df!(
        "ts" => rows.iter().map(|row| row.moment_s * 1_000_000).collect::<Vec<i64>>(),
        "a" => rows.iter().map(|row| row.a).collect::<Vec<Option<f64>>>(),
        "b" => rows.iter().map(|row| row.b).collect::<Vec<f64>>(),
        "c" => rows.iter().map(|row| Some(row.c).filter(|c| !c.is_empty())).collect::<Vec<Option<&str>>>(),
        "study" => column(&|row| row.study.clone()),
        "class" => column(&|row| row.class.to_owned()),
        "conf" => rows.iter().map(|row| row.confidence).collect::<Vec<f64>>(),
    )
    .unwrap();
    frame.apply("ts", |ts| ts.cast(&DataType::Datetime(TimeUnit::Microseconds, None)).unwrap()).unwrap();
    let mut bytes = Vec::new();
    ParquetWriter::new(std::io::Cursor::new(&mut bytes)).with_row_group_size(Some(1_100)).finish(&mut frame).unwrap();
    bytes
}

/// An object, in one of the formats by turns.
fn object(number: i64, rows: &[Row]) -> (String, Vec<u8>) {
    let (extension, bytes) = match number % 3 {
        0 => ("csv", csv(rows)),
        1 => ("ndjson", ndjson(rows)),
        _ => ("parquet", parquet(rows)),
    };
    (format!("predictions/{number:03}.{extension}"), bytes)
}

/// How the logs are laid out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Layout {
    /// An object an hour, of sixty rows.
    Hourly,
    /// An object a day, of more rows than a batch has.
    Daily,
}

impl Layout {
    fn objects(self) -> Vec<(String, Vec<u8>)> {
        match self {
            Self::Hourly => (0..HOURS).map(|hour| object(hour, &of_hour(hour, 60))).collect(),
            Self::Daily => {
                let day = |day: i64| (0..24).flat_map(|hour| of_hour(day * 24 + hour, 400)).collect::<Vec<Row>>();
                (0..3).map(|number| object(number, &day(number))).collect()
            }
        }
    }
}

const SETTINGS: &str = "[prediction]\nclass = \"class\"\nconfidence = \"conf\"\n[signals.low-confidence]\nmode = \"shadow\"\nlast = 50\n\
                        [signals.prediction-drift]\nmode = \"shadow\"\n";

/// A job over a bucket, with a reference and logs of its own.
struct Job {
    setup: Setup,
}

impl Job {
    fn new(setup: Setup, more: &str, objects: &[(String, Vec<u8>)]) -> Self {
        let job = Self { setup };
        job.configure(more);
        let mut reference: Vec<Row> = (0..40).flat_map(|hour| of_hour(hour + 1_000, 100)).collect();
        reference.retain(|row| row.c != "violet");
        job.setup.put("reference/reference.csv", csv(&reference));
        for (key, bytes) in objects {
            job.setup.put(key, bytes);
        }
        job
    }

    fn configure(&self, more: &str) {
        let bucket = if self.setup.server.is_some() { "uri = \"gs://logs\"\ntimeout = \"4s\"" } else { "uri = \"file:bucket\"" };
        let config = format!(
            "[job]\nname = \"test\"\n[bucket]\n{bucket}\n[store]\npath = \"state.db\"\n{SETTINGS}[features]\ninclude = [\"a\", \"b\", \
             \"c\"]\n{more}"
        );
        self.setup.workspace.write("config.toml", config);
    }

    /// A report without what tells of the run, and what was logged.
    fn run(&self, as_of: &str, more: &[&str]) -> (Value, String) {
        let mut arguments = vec!["--config", "config.toml", "--as-of", as_of, "--format", "json"];
        arguments.extend(more);
        let ran = self.setup.run(&arguments);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let mut report = ran.json();
        report["run"].take();
        (report, ran.stderr)
    }

    fn report(&self, as_of: &str) -> Value {
        self.run(as_of, &[]).0
    }

    fn packs(&self) -> Vec<String> {
        if let Some(server) = &self.setup.server {
            return server.keys("reports/test/cache/");
        }
        let files = self.setup.workspace.files("bucket/reports/test/cache");
        files.into_iter().map(|name| format!("reports/test/cache/{name}")).collect()
    }

    fn forget(&self) {
        for pack in self.packs() {
            match &self.setup.server {
                Some(server) => server.delete(&pack),
                None => std::fs::remove_file(self.setup.workspace.path(&format!("bucket/{pack}"))).unwrap(),
            }
        }
    }

    /// How often an object was asked for.
    fn requests(&self, key: &str) -> usize {
        self.setup.server().requests(&format!("/o/{key}"))
    }
}

const TIMESTAMP: &str = "[logs]\ntimestamp = \"ts\"\n";

/// Files that were just written are not kept: they may still change.
fn settle(setups: &[&Job]) {
    if setups.iter().any(|job| job.setup.server.is_none()) {
        std::thread::sleep(Duration::from_millis(2_200));
    }
}

/// Six runs with the cache, with one that is deleted before each run, and without one.
fn six_runs(setup: fn() -> Setup, layout: Layout, logs: &str) {
    let logs = format!("{TIMESTAMP}{logs}");
    let objects = layout.objects();
    let with = Job::new(setup(), &logs, &objects);
    let deleted = Job::new(setup(), &logs, &objects);
    let without = Job::new(setup(), &format!("{logs}[cache]\nmax_bytes = 0\n"), &objects);
    settle(&[&with, &deleted]);
    for (number, as_of) in RUNS.into_iter().enumerate() {
        let expected = without.report(as_of);
        assert!(expected["current"]["rows"].as_u64().unwrap() > 1_000, "{:#}", expected["current"]);
        assert_eq!(with.report(as_of), expected, "{layout:?} {logs} {as_of}");
        deleted.forget();
        assert_eq!(deleted.report(as_of), expected, "{layout:?} {logs} {as_of}, without its cache");
        assert!((1..=number + 1).contains(&with.packs().len()), "{:?} after {as_of}", with.packs());
    }
    assert!(with.packs().len() > 2, "{:?}", with.packs());
    assert_eq!(without.packs(), [""; 0]);
    // The same window once more, all of which is known.
    assert_eq!(with.report(RUNS[5]), without.report(RUNS[5]));
}

#[test]
fn six_runs_over_hourly_objects_in_a_folder() {
    six_runs(Setup::folder, Layout::Hourly, "");
}

#[test]
fn six_runs_over_hourly_objects_of_studies_in_the_cloud() {
    six_runs(Setup::cloud, Layout::Hourly, "cluster = \"study\"\n");
}

#[test]
fn six_runs_over_daily_objects_of_studies_in_a_folder() {
    six_runs(Setup::folder, Layout::Daily, "cluster = \"study\"\n");
}

#[test]
fn six_runs_over_daily_objects_in_the_cloud() {
    six_runs(Setup::cloud, Layout::Daily, "");
}

#[test]
fn what_is_known_as_a_whole_is_not_opened_and_the_edges_are() {
    let job = Job::new(Setup::cloud(), TIMESTAMP, &Layout::Hourly.objects());
    job.report(RUNS[0]);
    let keys: Vec<String> = Layout::Hourly.objects().into_iter().map(|(key, _)| key).collect();
    let before: Vec<usize> = keys.iter().map(|key| job.requests(key)).collect();
    assert!(before.iter().all(|requests| *requests > 0), "{before:?}");
    // Without dates in their keys all objects are candidates, and all but those of the six new hours are known.
    job.report(RUNS[1]);
    let opened: Vec<usize> = (0..keys.len()).filter(|hour| job.requests(&keys[*hour]) > before[*hour]).collect();
    assert_eq!(opened, (30..36).collect::<Vec<usize>>());
    // Half past six: the hours at both ends are in part in the window.
    job.report(RUNS[2]);
    let before: Vec<usize> = keys.iter().map(|key| job.requests(key)).collect();
    job.report(RUNS[2]);
    let opened: Vec<usize> = (0..keys.len()).filter(|hour| job.requests(&keys[*hour]) > before[*hour]).collect();
    assert_eq!(opened, [18, 42]);
}

/// A job whose first window is known, and one that never keeps anything, over the same objects.
fn known() -> (Job, Job) {
    let with = Job::new(Setup::cloud(), TIMESTAMP, &Layout::Hourly.objects());
    let without = Job::new(Setup::cloud(), &format!("{TIMESTAMP}[cache]\nmax_bytes = 0\n"), &Layout::Hourly.objects());
    assert_eq!(with.report(RUNS[0]), without.report(RUNS[0]));
    (with, without)
}

#[test]
fn whatever_stands_in_the_slots_the_report_is_the_same_and_nothing_is_said() {
    let (with, without) = known();
    let expected = without.report(RUNS[1]);
    let place = "reports/test/cache/0.pack";
    let good = with.setup.get(place);
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut pack = good.clone();
        change(&mut pack);
        pack
    };
    let middle = good.len() / 2;
    let bad = [
        ("a flipped byte", changed(&|pack| pack[middle] ^= 1)),
        ("a flipped byte of the head", changed(&|pack| pack[30] ^= 1)),
        ("cut short", changed(&|pack| pack.truncate(middle))),
        ("cut in the head", changed(&|pack| pack.truncate(20))),
        ("longer", changed(&|pack| pack.push(0))),
        ("of another version", changed(&|pack| pack[8] += 1)),
        ("of another key", changed(&|pack| pack[12] ^= 1)),
        ("empty", Vec::new()),
        ("something else", vec![0xA5; 5_000]),
    ];
    for (what, pack) in bad {
        for slot in 0..8 {
            with.setup.put(&format!("reports/test/cache/{slot}.pack"), &pack);
        }
        let (report, log) = with.run(RUNS[1], &[]);
        assert_eq!(report, expected, "{what}");
        assert!(!log.contains("\"severity\":\"WARNING\"") && !log.contains("\"severity\":\"ERROR\""), "{what}: {log}");
        // What is of no use makes room.
        let place = with.packs().into_iter().find(|key| with.setup.get(key) != pack);
        assert!(place.is_some(), "{what}: nothing was written");
    }
}

#[test]
fn an_object_that_changes_counts_as_it_is_now() {
    let (with, without) = known();
    // What is written between them numbers the generations of the two servers differently.
    let report = |job: &Job| {
        let mut report = job.report(RUNS[1]);
        let objects = report["current"]["objects"].as_array_mut().unwrap();
        for object in objects {
            object["generation"].take();
        }
        report
    };
    let both = |key: &str, bytes: &[u8]| {
        with.setup.put(key, bytes);
        without.setup.put(key, bytes);
    };
    // Of the window, each in another format, and known.
    let replaced = object(24, &of_hour(24, 50));
    both(&replaced.0, &replaced.1);
    let mut appended = csv(&of_hour(27, 60));
    appended.extend(format!("{},0.5,7,red,s,yes,0.9\n", stamp(&of_hour(27, 60)[59])).bytes());
    both("predictions/027.csv", &appended);
    for job in [&with, &without] {
        job.setup.server().delete("predictions/025.ndjson");
    }
    assert_eq!(report(&with), report(&without));
    appended.extend(b"2026-01-31T03:59:59Z,0.5,seven,red,s,yes,0.9\n");
    both("predictions/027.csv", &appended);
    let (found, expected) = (report(&with), report(&without));
    assert_eq!(found, expected);
    assert_eq!(found["current"]["rows_rejected"], 1, "{:#}", found["current"]);
    // And again, with what was kept of it.
    assert_eq!(report(&with), expected);
}

#[test]
fn other_settings_or_another_reference_know_nothing_of_these_counts() {
    let (with, without) = known();
    for more in ["cluster = \"study\"\n", "max_row_bytes = 2000\n"] {
        with.configure(&format!("{TIMESTAMP}{more}"));
        without.configure(&format!("{TIMESTAMP}{more}[cache]\nmax_bytes = 0\n"));
        assert_eq!(with.report(RUNS[1]), without.report(RUNS[1]), "{more}");
    }
    let reference = csv(&(0..30).flat_map(|hour| of_hour(hour + 3_000, 90)).collect::<Vec<Row>>());
    for job in [&with, &without] {
        job.setup.put("reference/reference.csv", &reference);
    }
    // What is written between them numbers the generations of the two servers differently.
    let [found, expected] = [&with, &without].map(|job| {
        let mut report = job.report(RUNS[1]);
        report["reference"].take();
        report
    });
    assert_eq!(found, expected);
}

#[test]
fn the_cache_is_bounded_and_a_dry_run_writes_none() {
    let job = Job::new(Setup::cloud(), &format!("{TIMESTAMP}[cache]\nmax_bytes = 200000\n"), &Layout::Hourly.objects());
    job.run(RUNS[0], &["--dry-run"]);
    assert_eq!(job.packs(), [""; 0]);
    for as_of in RUNS {
        job.report(as_of);
    }
    let sizes: Vec<usize> = job.packs().iter().map(|key| job.setup.get(key).len()).collect();
    assert!(!sizes.is_empty() && sizes.iter().all(|size| *size <= 25_000), "{sizes:?}");
}

#[test]
fn a_bucket_that_keeps_no_cache_is_no_failure() {
    use crate::storage_server::Trouble;
    let (with, without) = known();
    let expected = without.report(RUNS[1]);
    with.setup.server().trouble("GET", "/o/reports/test/cache/", 100, Trouble::Status(403, None));
    with.setup.server().trouble("POST", "cache", 100, Trouble::Status(403, None));
    assert_eq!(with.report(RUNS[1]), expected);
}

/// A profile of a numeric feature over a large grid, one over a small grid, and one with categories.
fn profile() -> Arc<ReferenceProfile> {
    let columns = [("wide", FeatureKind::Numeric), ("narrow", FeatureKind::Numeric), ("class", FeatureKind::Categorical)];
    let names = columns.map(|(name, kind)| (FeatureName::from(name), kind));
    let mut builder = ProfileBuilder::new(&names);
    let wide: Vec<f64> = (0..3_000).map(|i| unit(i) * 10.0).collect();
    let narrow: Vec<f64> = (0..3_000).map(|i| f64::from(i as u32 % 7)).collect();
    let codes: Vec<u32> = (0..3_000).map(|i| i % 3).collect();
    let dictionary = ["x", "y", "z"].map(str::to_owned);
    let categorical = ColumnBatch::Categorical { codes: &codes, dictionary: &dictionary };
    builder.update([ColumnBatch::Numeric(&wide), ColumnBatch::Numeric(&narrow), categorical]);
    let profile = builder.finish(Vec::new()).with_joint(8).named().unwrap();
    assert_eq!(profile.features.len(), 3);
    Arc::new(profile)
}

/// A row: its moment, three cells, its cluster.
type Cells = (i64, Option<f64>, f64, Option<u32>, u64);

fn batch(rows: &[Cells], clustered: bool) -> Batch {
    let dictionary = vec!["y".to_owned(), "new".to_owned(), "x".to_owned()];
    Batch {
        rows: rows.len(),
        columns: vec![
            Column::Numeric(rows.iter().map(|row| row.1.unwrap_or(MISSING)).collect()),
            Column::Numeric(rows.iter().map(|row| row.2).collect()),
            Column::Categorical { codes: rows.iter().map(|row| row.3.unwrap_or(MISSING_CODE)).collect(), dictionary },
        ],
        clusters: clustered.then(|| rows.iter().map(|row| row.4).collect()),
        timestamps_us: rows.iter().map(|row| row.0).collect(),
    }
}

fn packed(counter: &Counter) -> Vec<u8> {
    let mut packer = Packer::default();
    counter.counts.pack(&mut packer);
    counter.recent.pack(&mut packer);
    packer.into_bytes()
}

fn any_rows() -> impl Strategy<Value = Vec<Cells>> {
    let wide = prop_oneof![9 => -1.0..11.0_f64, 1 => Just(f64::NAN), 1 => Just(1e300), 1 => Just(-4e7)];
    let cells = (0..4 * HOUR_US, prop::option::of(wide), (0_u8..9).prop_map(f64::from), prop::option::of(0_u32..3), 0_u64..5);
    prop::collection::vec(cells, 1..400)
}

/// Counts batches by hour.
fn by_hour(empty: &Counter, rows: &[Cells], batch_rows: usize, clustered: bool) -> (ByHour, Hours) {
    let mut by_hour = ByHour::new(empty.clone(), usize::MAX);
    for rows in rows.chunks(batch_rows) {
        by_hour.update(&batch(rows, clustered)).unwrap();
    }
    by_hour.close();
    let hours = by_hour.take_hours();
    (by_hour, hours)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn hours_that_are_counted_apart_packed_and_merged_are_one_pass(
        rows in any_rows(), batch_rows in 1_usize..400, clustered in any::<bool>(), sorted in any::<bool>(),
    ) {
        let mut rows = rows;
        if sorted {
            rows.sort_by_key(|row| row.0);
        }
        let empty = Counter::new(profile()).with_recent(1, 30);
        let mut whole = empty.clone();
        for rows in rows.chunks(batch_rows) {
            whole.update(&batch(rows, clustered)).unwrap();
        }
        whole.close();
        let (counted, hours) = by_hour(&empty, &rows, batch_rows, clustered);
        prop_assert_eq!(packed(&counted.total), packed(&whole));
        if sorted || batch_rows >= rows.len() {
            prop_assert!(hours.is_exact);
            let mut recalled = ByHour::new(empty.clone(), 0);
            for hour in hours.hours.iter().rev() {
                recalled.recall(hour).unwrap();
            }
            prop_assert_eq!(packed(&recalled.total), packed(&whole));
            let known: u64 = hours.hours.iter().map(|hour| hour.rows).sum();
            prop_assert_eq!(known, rows.len() as u64);
        }
    }

    #[test]
    fn windows_that_are_counted_together_are_each_one_pass(
        rows in any_rows(), batch_rows in 1_usize..400, clustered in any::<bool>(), end_us in 0..5 * HOUR_US, length_us in 1..3 * HOUR_US,
    ) {
        let mut rows = rows;
        rows.sort_by_key(|row| row.0);
        let window = |end_us: i64| {
            let at = |us| DateTime::from_timestamp_micros(us).unwrap();
            Window { start: at(end_us - length_us), end: at(end_us) }
        };
        // Between the second and the third lies a window of nobody's.
        let windows = [0, 1, 3].map(|earlier| window(end_us - earlier * length_us));
        let empty = Counter::new(profile()).with_recent(1, 30);
        let mut together = ByWindow::new(&empty, &windows);
        for rows in rows.chunks(batch_rows) {
            together.update(&batch(rows, clustered)).unwrap();
        }
        together.close();
        for (counted, window) in together.windows.iter().zip(windows) {
            let of_window: Vec<Cells> =
                rows.iter().filter(|row| window.contains(DateTime::from_timestamp_micros(row.0).unwrap())).copied().collect();
            let mut alone = empty.clone();
            for rows in of_window.chunks(batch_rows) {
                alone.update(&batch(rows, clustered)).unwrap();
            }
            alone.close();
            prop_assert_eq!(counted.rows, of_window.len() as u64);
            prop_assert_eq!(packed(&counted.counter), packed(&alone));
        }
    }

    #[test]
    fn packed_counts_that_were_changed_never_panic(
        rows in any_rows(), at in any::<prop::sample::Index>(), byte in any::<u8>(), clustered in any::<bool>(),
    ) {
        let profile = profile();
        let empty = Counter::new(Arc::clone(&profile)).with_recent(1, 30);
        let (mut counted, hours) = by_hour(&empty, &rows, rows.len(), clustered);
        for mut hour in hours.hours {
            let mut bytes = hour.packed.to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            WindowCounts::unpack(&profile, hour.rows, &mut Unpacker::new(&bytes));
            hour.packed = Bytes::from(bytes);
            let _ = counted.recall(&hour);
            let _ = counted.recall(&hour);
        }
        drop(counted.total.counts.dependence.estimates(&[]));
    }
}
