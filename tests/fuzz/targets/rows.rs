//! Objects of rows, from their bytes to the counts: every row is accounted for, however the bytes come.

use std::io::{self, Cursor, Read};
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use drift_check::feature::{FeatureKind, FeatureName};
use drift_check::ingest::decode::{
    Batch, Encoding, Input, Ranges, Request, Reservation, Tally, TimestampColumn, decode, decode_by_blocks, decode_unknown, inspect,
};
use drift_check::ingest::sink::{Counter, Sink};
use drift_check::ingest::timestamp::NaiveTimestamps;
use drift_check::profile::builder::ProfileBuilder;
use drift_check::profile::packed::{Packer, Unpacker};
use drift_check::profile::{ReferenceProfile, WindowCounts};
use drift_check::statistic::{DesignEffect, compare};
use drift_check::window::Window;

/// 2026-01-31, in microseconds.
const DAY_US: Range<i64> = 1_769_817_600_000_000..1_769_904_000_000_000;

fn columns() -> Vec<(FeatureName, FeatureKind)> {
    let columns = [("a", FeatureKind::Numeric), ("b", FeatureKind::Numeric), ("c", FeatureKind::Categorical)];
    columns.map(|(name, kind)| (FeatureName::from(name), kind)).to_vec()
}

/// Rows with a time in a window and a cluster, rows of which nothing is known, and short ones in short batches.
fn requests() -> [Request; 3] {
    let moment = |us| chrono::DateTime::from_timestamp_micros(us).unwrap();
    let window = Window { start: moment(DAY_US.start), end: moment(DAY_US.end) };
    let timestamp = |naive| Some(TimestampColumn { name: "t".into(), naive });
    let all =
        Request { columns: columns(), timestamp: None, cluster: None, window: None, max_row_bytes: 1 << 20, batch_rows: 8_192 };
    let dated =
        Request { timestamp: timestamp(NaiveTimestamps::Utc), cluster: Some("d".into()), window: Some(window), ..all.clone() };
    let short = Request { timestamp: timestamp(NaiveTimestamps::Reject), max_row_bytes: 60, batch_rows: 3, ..dated.clone() };
    [dated, all, short]
}

/// What came of an object: the account and the rows, or what is wrong.
type Outcome = Result<(Tally, Vec<Batch>), String>;

fn collect(read: impl FnOnce(&mut Vec<Batch>) -> Result<Tally, String>) -> Outcome {
    let mut batches = Vec::new();
    let tally = read(&mut batches)?;
    assert!(tally.is_balanced(), "{tally:?}");
    let rows: u64 = batches.iter().map(|batch| batch.rows as u64).sum();
    assert_eq!(tally.rows_used, rows + tally.course.rows_known, "{tally:?}");
    assert!(tally.rejected_in_window <= tally.rejected.total(), "{tally:?}");
    Ok((tally, batches))
}

fn decoded(key: &str, input: Input, request: &Request, known: Option<Range<i64>>) -> Outcome {
    collect(|batches| {
        let decoded = decode_unknown(input, Encoding::of_key(key).unwrap(), request, known, &mut |batch| {
            batches.push(batch.read()?);
            Ok(())
        });
        decoded.map_err(|error| format!("{error} after {} rows", error.rows_before_error))
    })
}

fn by_blocks(key: &str, bytes: &[u8], request: &Request, block_bytes: usize) -> Outcome {
    collect(|batches| {
        let decoded = decode_by_blocks(whole(bytes), Encoding::of_key(key).unwrap(), request, block_bytes, &mut |batch| {
            batches.push(batch);
            Ok(())
        });
        decoded.map_err(|error| format!("{error} after {} rows", error.rows_before_error))
    })
}

fn whole(bytes: &[u8]) -> Input {
    Input::Stream(Box::new(Cursor::new(bytes.to_vec())))
}

/// Gives a few bytes at a time.
struct Slow(Cursor<Vec<u8>>);

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let room = buffer.len().min(7);
        self.0.read(&mut buffer[..room])
    }
}

fn slow(bytes: &[u8]) -> Input {
    Input::Stream(Box::new(Slow(Cursor::new(bytes.to_vec()))))
}

/// Without what equal outcomes may differ in where NaN is not equal to itself.
fn shown(outcome: &Outcome) -> String {
    format!("{outcome:?}")
}

/// Holds the account of an object against every other way to read it.
fn text(key: &str, bytes: &[u8]) {
    // What the decompressor gives before it fails depends on how much it is given.
    let is_plain = !key.ends_with("gz") && !key.ends_with("zst");
    for request in requests() {
        let outcome = decoded(key, whole(bytes), &request, None);
        let by_pieces = decoded(key, slow(bytes), &request, None);
        assert_eq!(outcome.is_ok(), by_pieces.is_ok());
        if is_plain || outcome.is_ok() {
            assert_eq!(shown(&outcome), shown(&by_pieces));
        }
        for block_bytes in [1, 20, 150] {
            assert_eq!(shown(&outcome), shown(&by_blocks(key, bytes, &request, block_bytes)), "blocks of {block_bytes}");
        }
        known(key, bytes, &request, &outcome);
        counted(&outcome, &request);
    }
    drop(inspect(whole(bytes), Encoding::of_key(key).unwrap(), 100));
}

/// Rows that are known are accounted for like all others.
fn known(key: &str, bytes: &[u8], request: &Request, outcome: &Outcome) {
    let noon = DAY_US.start + (DAY_US.end - DAY_US.start) / 2;
    let other = decoded(key, whole(bytes), request, Some(DAY_US.start..noon));
    match (outcome, &other) {
        (Ok((tally, _)), Ok((other, _))) => {
            assert_eq!((tally.rows_read, tally.rows_outside_window), (other.rows_read, other.rows_outside_window));
            assert_eq!((tally.oldest_us, tally.newest_us), (other.oldest_us, other.newest_us));
        }
        // A column that is not decoded cannot turn out to be damaged.
        _ => assert!(outcome.is_err() || other.is_ok()),
    }
}

/// The profile that rows are counted over.
pub fn reference() -> Arc<ReferenceProfile> {
    static PROFILE: LazyLock<Arc<ReferenceProfile>> = LazyLock::new(|| {
        let rows: String = (0..60).map(|row| format!("{},{}.5,label-{}\n", row * 37 % 60, row * 7 % 60, row % 4)).collect();
        let mut builder = ProfileBuilder::new(&columns());
        let request = &requests()[1];
        let csv = format!("a,b,c\n{rows}");
        decode(whole(csv.as_bytes()), Encoding::of_key("x.csv").unwrap(), request, &mut |batch| Sink::update(&mut builder, &batch))
            .unwrap();
        Arc::new(builder.finish(Vec::new()).with_joint(8).named().unwrap())
    });
    Arc::clone(&PROFILE)
}

/// Counts the rows, and compares them with what they are counted over and with themselves.
fn counted(outcome: &Outcome, request: &Request) {
    let Ok((tally, batches)) = outcome else { return };
    let profile = reference();
    let (mut counter, mut builder) = (Counter::new(Arc::clone(&profile)), ProfileBuilder::new(&request.columns));
    for batch in batches {
        counter.update(batch).unwrap();
        Sink::update(&mut builder, batch).unwrap();
    }
    Sink::close(&mut counter);
    for counts in &counter.counts.features {
        assert_eq!(counts.presence().rows, tally.rows_used);
    }
    let packed = packed(&counter.counts);
    let unpacked = WindowCounts::unpack(&profile, tally.rows_used, &mut Unpacker::new(&packed)).unwrap();
    assert_eq!(self::packed(&unpacked), packed);
    measured(&profile, &counter.counts);
    let own = builder.finish(Vec::new()).named().unwrap();
    let read = ReferenceProfile::from_json(&own.to_json().unwrap()).unwrap();
    assert_eq!(read, own);
    measured(&own, &own.empty_counts());
}

fn packed(counts: &WindowCounts) -> Vec<u8> {
    let mut packer = Packer::default();
    counts.pack(&mut packer);
    packer.into_bytes()
}

/// Every probability is one.
pub fn measured(profile: &ReferenceProfile, counts: &WindowCounts) {
    for ((name, feature), counts) in profile.features.iter().zip(&counts.features) {
        let measurement = compare(feature, counts, DesignEffect::INDEPENDENT);
        let psi = measurement.psi.as_ref().map(|psi| psi.adjusted);
        assert!(measurement.p_value.is_none_or(|p| (0.0..=1.0).contains(&p)), "{name}: {measurement:?}");
        assert!(psi.is_none_or(|psi| psi >= 0.0), "{name}: {measurement:?}");
    }
}

pub fn csv(bytes: &[u8]) {
    text("x.csv", bytes);
}

pub fn ndjson(bytes: &[u8]) {
    text("x.ndjson", bytes);
}

/// The same bytes as everything that can be compressed.
pub fn compressed(bytes: &[u8]) {
    for key in ["x.csv.gz", "x.csv.zst", "x.ndjson.gz", "x.ndjson.zst"] {
        text(key, bytes);
    }
}

/// Bytes that are near, here and there.
struct Held(Vec<u8>);

impl Ranges for Held {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }

    fn is_near(&self) -> bool {
        true
    }

    fn budget_bytes(&self) -> u64 {
        u64::MAX
    }

    fn reserve(&self, _: u64) -> io::Result<Reservation> {
        Ok(Box::new(()))
    }

    fn get_into(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> io::Result<()> {
        *bytes = self.0[range.start as usize..range.end as usize].to_vec();
        Ok(())
    }
}

pub fn parquet(bytes: &[u8]) {
    for request in requests() {
        let outcome = decoded("x.parquet", whole(bytes), &request, None);
        let from_file = decoded("x.parquet", Input::Ranges(Box::new(Held(bytes.to_vec()))), &request, None);
        assert_eq!(shown(&outcome), shown(&from_file));
        known("x.parquet", bytes, &request, &outcome);
        counted(&outcome, &request);
    }
    drop(inspect(whole(bytes), Encoding::of_key("x.parquet").unwrap(), 100));
}
