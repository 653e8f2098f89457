//! Parquet objects: types, nulls, row groups, timestamps, and every kind of damage.

use std::io::Cursor;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use drift_check::feature::{FeatureKind, FeatureName};
use drift_check::ingest::decode::{
    Column, ColumnGuess, DecodeFault, Encoding, Input, Ranges, Request, Reservation, TimestampColumn, inspect,
};
use drift_check::ingest::timestamp::NaiveTimestamps;
use polars::prelude::{
    Categories, DataFrame, DataType, IntoColumn, IntoSeries, NamedFrom, ParquetCompression, ParquetWriter, Series, TimeUnit,
    TimeZone, df,
};

use super::{Decoded, abc, decode_bytes, decode_input, in_window, moment, shown, some, with_timestamp};

fn written(mut frame: DataFrame, compression: ParquetCompression, group_rows: usize, page_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let writer = ParquetWriter::new(Cursor::new(&mut bytes)).with_compression(compression);
    writer.with_row_group_size(Some(group_rows)).with_data_page_size(Some(page_bytes)).finish(&mut frame).unwrap();
    bytes
}

fn plain(frame: DataFrame) -> Vec<u8> {
    written(frame, ParquetCompression::Zstd(None), 1_000_000, 1 << 20)
}

fn decoded(frame: DataFrame, request: &Request) -> Decoded {
    decode_bytes("x.parquet", &plain(frame), request).unwrap()
}

fn requested(names: &[(&str, FeatureKind)]) -> Request {
    let columns = names.iter().map(|(name, kind)| (FeatureName::from(*name), *kind)).collect();
    Request { columns, ..abc() }
}

/// 1,000 rows in ten row groups of several pages.
fn thousand(compression: ParquetCompression) -> Vec<u8> {
    let numbers: Vec<f64> = (0..1000).map(f64::from).collect();
    let labels: Vec<String> = (0..1000).map(|row| format!("label-{}", row % 13)).collect();
    let counts: Vec<Option<i32>> = (0..1000).map(|row| (row % 10 != 0).then_some(row)).collect();
    written(df!("a" => numbers, "b" => counts, "c" => labels).unwrap(), compression, 100, 256)
}

#[test]
fn every_type_that_can_hold_a_number_or_a_label_is_read() {
    let frame = df!(
        "f64" => [Some(1.5), None, Some(f64::NAN), Some(-0.0)],
        "f32" => [0.5_f32, f32::INFINITY, 0.0, 1.0],
        "i8" => [1_i8, -2, 3, 4],
        "u16" => [1_u16, 2, 3, 65535],
        "i64" => [Some(1_i64), None, Some(3), Some(i64::MIN)],
        "u64" => [1, 2, 3, u64::MAX],
        "bool" => [Some(true), Some(false), None, Some(true)],
        "text" => [Some("x"), Some(" NA "), None, Some("y")],
        "nulls" => [None::<&str>, None, None, None],
    )
    .unwrap();
    let numeric = ["f64", "f32", "i8", "u16", "i64", "u64", "nulls"];
    let found = decoded(frame.clone(), &requested(&numeric.map(|name| (name, FeatureKind::Numeric))));
    let expected: [[&str; 4]; 7] = [
        ["1.5", "missing", "NaN", "0"],
        ["0.5", "inf", "0", "1"],
        ["1", "-2", "3", "4"],
        ["1", "2", "3", "65535"],
        ["1", "missing", "3", "-9223372036854776000"],
        ["1", "2", "3", "18446744073709552000"],
        ["missing"; 4],
    ];
    for (column, expected) in expected.iter().enumerate() {
        assert_eq!(shown(&found.numbers(column)), expected, "{}", numeric[column]);
    }

    let labels = ["text", "bool", "i8", "u64", "nulls", "f32"];
    let found = decoded(frame.clone(), &requested(&labels.map(|name| (name, FeatureKind::Categorical))));
    assert_eq!(found.labels(0), [Some("x".into()), None, None, Some("y".into())]);
    assert_eq!(found.labels(1), [Some("true".into()), Some("false".into()), None, Some("true".into())]);
    assert_eq!(found.labels(2), some(&["1", "-2", "3", "4"]));
    assert_eq!(found.labels(3), some(&["1", "2", "3", "18446744073709551615"]));
    assert_eq!(found.labels(4), [None, None, None, None]);
    assert_eq!(found.labels(5), some(&["0.5", "inf", "0", "1"]));

    let wrong = ["text", "bool", "absent"];
    let found = decoded(frame, &requested(&wrong.map(|name| (name, FeatureKind::Numeric))));
    assert_eq!(found.batches[0].columns, [Column::WrongType, Column::WrongType, Column::Absent]);
    assert_eq!(found.tally.columns_seen, [true, true, false]);
    assert_eq!(found.tally.rows_used, 4);
}

#[test]
fn dictionaries_are_labels_and_dates_and_lists_are_of_the_wrong_type() {
    let days = Series::new("day".into(), [1_i32, 2]).cast(&DataType::Date).unwrap();
    let list = Series::new("list".into(), [Series::new("".into(), [1_i64]), Series::new("".into(), [2_i64, 3])]);
    let label = Series::new("label".into(), ["x", "y"]).cast(&DataType::from_categories(Categories::global())).unwrap();
    let frame = DataFrame::new(2, vec![days.into_column(), list.into_column(), label.into_column()]).unwrap();
    let names = [
        ("day", FeatureKind::Numeric),
        ("list", FeatureKind::Numeric),
        ("list", FeatureKind::Categorical),
        ("label", FeatureKind::Categorical),
        ("label", FeatureKind::Numeric),
    ];
    let found = decoded(frame.clone(), &requested(&names));
    let is_wrong: Vec<bool> = found.batches[0].columns.iter().map(|column| *column == Column::WrongType).collect();
    assert_eq!(is_wrong, [true, true, true, false, true]);
    assert_eq!(found.labels(3), some(&["x", "y"]));

    let guesses = inspect(Input::Stream(Box::new(Cursor::new(plain(frame)))), Encoding::of_key("x.parquet").unwrap(), 5).unwrap();
    let expected = [("day", ColumnGuess::Unsupported), ("list", ColumnGuess::Unsupported), ("label", ColumnGuess::Text)];
    assert_eq!(guesses, expected.map(|(name, guess)| (name.to_owned(), guess)));
}

#[test]
fn row_groups_pages_and_batches_do_not_show_in_the_values() {
    for compression in [ParquetCompression::Uncompressed, ParquetCompression::Snappy, ParquetCompression::Zstd(None)] {
        for batch_rows in [1, 7, 100, 333, 8192] {
            let request = Request { batch_rows, ..abc() };
            let found = decode_bytes("x.parquet", &thousand(compression), &request).unwrap();
            assert_eq!(found.numbers(0), (0..1000).map(f64::from).collect::<Vec<_>>());
            assert_eq!(shown(&found.numbers(1))[..3], ["missing", "1", "2"]);
            assert_eq!(found.labels(2)[999], Some("label-11".into()));
        }
    }
}

/// Two rows of 2026-01-31 and one of each other kind, in every unit and form.
fn timestamps(unit: TimeUnit, zone: Option<TimeZone>) -> DataFrame {
    let texts = ["2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z", "2026-01-31T23:59:59Z", "1970-01-01T00:00:00Z"];
    let per_second = match unit {
        TimeUnit::Nanoseconds => 1_000_000_000,
        TimeUnit::Microseconds => 1_000_000,
        TimeUnit::Milliseconds => 1_000,
    };
    let mut epochs: Vec<Option<i64>> = texts.iter().map(|text| Some(moment(text).timestamp() * per_second)).collect();
    epochs.push(None);
    let t = Series::new("t".into(), epochs).i64().unwrap().clone().into_datetime(unit, zone).into_series();
    let a = Series::new("a".into(), [1.0, 2.0, 3.0, 4.0, 5.0]);
    DataFrame::new(5, vec![t.into_column(), a.into_column()]).unwrap()
}

#[test]
fn timestamps_are_read_in_every_unit_and_zone() {
    for unit in [TimeUnit::Nanoseconds, TimeUnit::Microseconds, TimeUnit::Milliseconds] {
        for zone in [None, Some("UTC"), Some("Europe/Copenhagen"), Some("+01:00")] {
            let zone = TimeZone::opt_try_new(zone).unwrap();
            let found = decoded(timestamps(unit, zone.clone()), &in_window(abc()));
            assert_eq!(found.numbers(0), [1.0, 3.0], "{unit} {zone:?}");
            assert_eq!(found.tally.rows_outside_window, 1);
            assert_eq!(found.rejected(), [("missing-timestamp", 1), ("timestamp-out-of-range", 1)]);
            // They stand behind a row of the window, and nothing tells what came later.
            assert_eq!(found.tally.rejected_in_window, 2);
            assert_eq!(found.batches[0].timestamps_us[0], moment("2026-01-31T00:00:00Z").timestamp_micros());
            // The newest before the end of the window: a clock that is ahead does not count.
            assert_eq!(found.tally.newest_us, found.batches[0].timestamps_us.iter().max().copied());

            let naive = NaiveTimestamps::Reject;
            let strict = Request { timestamp: Some(TimestampColumn { name: "t".into(), naive }), ..in_window(abc()) };
            let found = decoded(timestamps(unit, zone.clone()), &strict);
            let refused = found.rejected().contains(&("naive-timestamp", 4));
            assert_eq!(refused, zone.is_none(), "{unit} {zone:?}");
        }
    }
}

#[test]
fn timestamps_may_be_epochs_or_texts_but_not_truth_values() {
    let a = [1.0, 2.0];
    for frame in [
        df!("t" => [1_769_817_600_i64, 1_769_904_000], "a" => a),
        df!("t" => [1_769_817_600_000_i64, 1_769_904_000_000], "a" => a),
        df!("t" => [1_769_817_600.0, 1_769_904_000.0], "a" => a),
        df!("t" => ["2026-01-31T00:00:00Z", "2026-02-01 00:00"], "a" => a),
    ] {
        let found = decoded(frame.unwrap(), &in_window(abc()));
        assert_eq!((found.numbers(0), found.tally.rows_outside_window), (vec![1.0], 1));
    }
    let error = decode_bytes("x.parquet", &plain(df!("t" => [true], "a" => [1.0]).unwrap()), &in_window(abc())).err().unwrap();
    assert_eq!(error.to_string(), "has a timestamp column `t` of type boolean, which holds no moments");
    let days = Series::new("t".into(), [1_i32]).cast(&DataType::Date).unwrap().into_frame();
    let error = decode_bytes("x.parquet", &plain(days), &in_window(abc())).err().unwrap();
    assert!(matches!(&error.fault, DecodeFault::TimestampType { found, .. } if found == "date32"), "{error}");
    let error = decode_bytes("x.parquet", &plain(df!("a" => a).unwrap()), &in_window(abc())).err().unwrap();
    assert_eq!(error.to_string(), "has no timestamp column `t`; its columns are `a`");
}

#[test]
fn a_bad_timestamp_is_located_by_its_row() {
    let times: Vec<&str> = (0..250).map(|row| if row == 222 { "yesterday" } else { "2026-01-31T00:00:00Z" }).collect();
    let numbers: Vec<f64> = (0..250).map(f64::from).collect();
    let frame = df!("t" => times, "a" => numbers).unwrap();
    let found = decode_bytes("x.parquet", &written(frame, ParquetCompression::Snappy, 100, 512), &in_window(abc())).unwrap();
    assert_eq!(found.rejected(), [("invalid-timestamp", 1)]);
    assert_eq!(found.lines(drift_check::ingest::decode::RejectionReason::InvalidTimestamp), [223]);
    assert_eq!(found.numbers(0).len(), 249);
}

#[test]
fn empty_files_and_files_without_rows_are_facts_not_errors() {
    assert!(decode_bytes("x.parquet", b"", &with_timestamp(abc())).unwrap().tally.is_empty);
    let none = decoded(df!("a" => Vec::<f64>::new(), "b" => Vec::<f64>::new()).unwrap(), &abc());
    assert!(none.tally.is_header_only());
    assert_eq!(none.tally.columns_seen, [true, true, false]);
    let one = decoded(df!("a" => [7.0], "b" => [8.0], "c" => ["x"]).unwrap(), &abc());
    assert_eq!((one.tally.rows_used, one.numbers(0)), (1, vec![7.0]));
    // Rows count even when no column of theirs is wanted.
    let nothing = decoded(df!("z" => [1, 2, 3]).unwrap(), &abc());
    assert_eq!(nothing.tally.rows_used, 3);
    assert_eq!(nothing.batches[0].columns, [Column::Absent, Column::Absent, Column::Absent]);
}

#[test]
fn duplicate_names_among_needed_columns_make_the_object_unusable() {
    let mut bytes = written(df!("a" => [1.0], "q" => [2.0]).unwrap(), ParquetCompression::Uncompressed, 10, 1024);
    // No writer here makes such a file, so one is made of another: in the schema, a name is its length and its bytes.
    let at = bytes.windows(5).position(|window| window == b"\x25\x02\x18\x01q").unwrap();
    bytes[at + 4] = b'a';
    let error = decode_bytes("x.parquet", &bytes, &abc()).err().unwrap();
    assert!(matches!(&error.fault, DecodeFault::DuplicateColumns { names } if names == &["a"]), "{error}");
}

#[test]
fn a_file_that_is_cut_is_never_taken_for_a_shorter_one() {
    let bytes = thousand(ParquetCompression::Zstd(None));
    for cut in (1..bytes.len()).step_by(97).chain(bytes.len() - 12..bytes.len()) {
        let error = decode_bytes("x.parquet", &bytes[..cut], &abc()).err();
        let error = error.unwrap_or_else(|| panic!("cut at {cut}"));
        assert!(matches!(error.fault, DecodeFault::CorruptParquet { .. }), "cut at {cut}: {error}");
    }
    // The head is gone, and everything is displaced.
    for cut in [1, 4, 100] {
        assert!(decode_bytes("x.parquet", &bytes[cut..], &abc()).is_err());
    }
    // The middle is gone.
    assert!(decode_bytes("x.parquet", &[&bytes[..200], &bytes[300..]].concat(), &abc()).is_err());
}

#[test]
fn a_flipped_byte_is_damage_or_changes_no_count() {
    let numbers: Vec<f64> = (0..60).map(f64::from).collect();
    let labels: Vec<String> = (0..60).map(|row| format!("label-{}", row % 7)).collect();
    let frame = df!("a" => numbers, "c" => labels).unwrap();
    for compression in [ParquetCompression::Uncompressed, ParquetCompression::Zstd(None)] {
        let bytes = written(frame.clone(), compression, 30, 128);
        let (mut damaged, mut unseen) = (0, 0);
        for at in (0..bytes.len()).step_by(2) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            match decode_bytes("x.parquet", &flipped, &abc()) {
                // Pages carry no checksum here: a changed value cannot be told, a changed number of rows can.
                Ok(found) => {
                    assert_eq!(found.tally.rows_used, 60, "flipped at {at}");
                    unseen += 1;
                }
                Err(error) => {
                    assert!(
                        matches!(error.fault, DecodeFault::CorruptParquet { .. } | DecodeFault::DuplicateColumns { .. }),
                        "{error}"
                    );
                    damaged += 1;
                }
            }
        }
        assert!(damaged > 100 && unseen > 0, "{damaged} {unseen}");
    }
}

#[test]
fn text_under_a_parquet_name_is_damage() {
    for text in ["a,b,c\n1,2,x\n", "PAR1", "PAR1PAR1PAR1", "PAR1\0\0\0\0\0\0\0\0PAR1", "x"] {
        let error = decode_bytes("x.parquet", text.as_bytes(), &abc()).err().unwrap();
        assert!(matches!(error.fault, DecodeFault::CorruptParquet { .. }), "{text}: {error}");
    }
}

/// Bytes that lie elsewhere, and what was asked of them.
struct Elsewhere {
    bytes: Vec<u8>,
    asked: Arc<Mutex<Vec<Range<u64>>>>,
    budget: Arc<Budget>,
}

/// Bytes that several objects share.
struct Budget {
    bytes: u64,
    state: Mutex<BudgetState>,
    changed: Condvar,
}

#[derive(Default)]
struct BudgetState {
    held: u64,
    most_held: u64,
    /// How often somebody had to wait.
    waits: u32,
}

impl Budget {
    fn new(bytes: u64) -> Arc<Self> {
        Arc::new(Self { bytes, state: Mutex::default(), changed: Condvar::new() })
    }
}

struct Reserved(Arc<Budget>, u64);

impl Drop for Reserved {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().held -= self.1;
        self.0.changed.notify_all();
    }
}

impl Ranges for Elsewhere {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn budget_bytes(&self) -> u64 {
        self.budget.bytes
    }

    fn reserve(&self, bytes: u64) -> std::io::Result<Reservation> {
        let mut state = self.budget.state.lock().unwrap();
        while state.held + bytes > self.budget.bytes {
            state.waits += 1;
            let (next, waited) = self.budget.changed.wait_timeout(state, Duration::from_secs(20)).unwrap();
            assert!(!waited.timed_out(), "somebody waits while holding");
            state = next;
        }
        state.held += bytes;
        state.most_held = state.most_held.max(state.held);
        Ok(Box::new(Reserved(Arc::clone(&self.budget), bytes)))
    }

    fn is_near(&self) -> bool {
        false
    }

    fn get_into(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        self.asked.lock().unwrap().push(range.clone());
        *bytes = self.bytes[range.start as usize..range.end as usize].to_vec();
        Ok(())
    }
}

fn elsewhere(bytes: &[u8]) -> (Input, Arc<Mutex<Vec<Range<u64>>>>) {
    let asked = Arc::default();
    (Input::Ranges(Box::new(Elsewhere { bytes: bytes.to_vec(), asked: Arc::clone(&asked), budget: Budget::new(1 << 30) })), asked)
}

/// Four megabytes in twenty row groups; half of it is needed.
fn large() -> Vec<u8> {
    let column = |seed: u64| (0..100_000_u64).map(|row| (row.wrapping_mul(seed) % 1_000_003) as f64).collect::<Vec<f64>>();
    let frame = df!("a" => column(7_919), "x" => column(104_729), "y" => column(1_299_709), "b" => column(15_485_863)).unwrap();
    written(frame, ParquetCompression::Uncompressed, 5_000, 8_192)
}

#[test]
fn an_object_elsewhere_gives_what_a_file_gives_and_only_what_is_needed_is_read() {
    let bytes = large();
    assert!(bytes.len() > 3_000_000, "{}", bytes.len());
    let request = requested(&[("a", FeatureKind::Numeric), ("b", FeatureKind::Numeric)]);
    let here = decode_bytes("x.parquet", &bytes, &request).unwrap();
    let (input, asked) = elsewhere(&bytes);
    let there = decode_input("x.parquet", input, &request).unwrap();
    assert_eq!(here.tally, there.tally);
    // Small row groups that are near share a batch; those elsewhere come one at a time.
    assert!(here.batches.len() < there.batches.len());
    for column in [0, 1] {
        assert!(here.numbers(column) == there.numbers(column), "column {column}");
    }
    let sizes: Vec<u64> = asked.lock().unwrap().iter().map(|range| range.end - range.start).collect();
    assert!(sizes.iter().max().unwrap() < &300_000, "a row group at a time: {sizes:?}");

    let (input, asked) = elsewhere(&bytes);
    let columns = inspect(input, Encoding::of_key("x.parquet").unwrap(), 5).unwrap();
    assert_eq!(columns.len(), 4);
    let read: u64 = asked.lock().unwrap().iter().map(|range| range.end - range.start).sum();
    assert!(read < 100_000, "the footer suffices: {read}");
}

#[test]
fn objects_elsewhere_never_hold_more_than_their_budget_together() {
    let bytes = large();
    let request = requested(&[("a", FeatureKind::Numeric), ("b", FeatureKind::Numeric)]);
    // A row group takes about 160,000 bytes: two at a time, and never a third.
    let budget = Budget::new(400_000);
    let decoded: Vec<u64> = std::thread::scope(|scope| {
        let read = || {
            let elsewhere = Elsewhere { bytes: bytes.clone(), asked: Arc::default(), budget: Arc::clone(&budget) };
            decode_input("x.parquet", Input::Ranges(Box::new(elsewhere)), &request).unwrap().tally.rows_used
        };
        let readers: Vec<_> = (0..4).map(|_| scope.spawn(read)).collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    assert_eq!(decoded, [100_000; 4]);
    let state = budget.state.lock().unwrap();
    assert!((150_000..=400_000).contains(&state.most_held), "{}", state.most_held);
    assert!(state.held == 0 && state.waits > 0, "{} {}", state.held, state.waits);
}

#[test]
fn a_row_group_beyond_the_budget_is_refused_with_the_remedy() {
    let budget = Budget::new(100_000);
    let elsewhere = Elsewhere { bytes: large(), asked: Arc::default(), budget: Arc::clone(&budget) };
    let request = requested(&[("a", FeatureKind::Numeric), ("b", FeatureKind::Numeric)]);
    let error = decode_input("x.parquet", Input::Ranges(Box::new(elsewhere)), &request).err().unwrap();
    let DecodeFault::RowGroupTooLarge { needed_bytes, limit_bytes } = error.fault else { panic!("{error}") };
    assert!((150_000..200_000).contains(&needed_bytes) && limit_bytes == 100_000, "{needed_bytes} {limit_bytes}");
    assert!(error.to_string().ends_with("or raise run.max_download_bytes") && !error.retryable(), "{error}");
    assert_eq!(budget.state.lock().unwrap().most_held, 0);
}

#[test]
fn an_object_elsewhere_is_refused_as_a_file_is() {
    let bytes = large();
    let request = requested(&[("a", FeatureKind::Numeric), ("b", FeatureKind::Numeric)]);
    let same = |bytes: &[u8], what: &str| {
        let here = decode_bytes("x.parquet", bytes, &request).map(|found| found.tally);
        let there = decode_input("x.parquet", elsewhere(bytes).0, &request).map(|found| found.tally);
        assert_eq!(here.is_ok(), there.is_ok(), "{what}: {:?} {:?}", here.err(), there.err());
    };
    for (length, what) in [(0, "nothing"), (3, "three bytes"), (1_500_000, "cut"), (bytes.len() - 1, "one byte short")] {
        same(&bytes[..length], what);
    }
    for position in (0..bytes.len()).step_by(bytes.len() / 60).chain(bytes.len() - 300..bytes.len()) {
        let mut damaged = bytes.clone();
        damaged[position] ^= 0xFF;
        same(&damaged, &format!("byte {position}"));
    }
}
