//! Objects of text: opened as lines, and read on while the caller works on a batch.

use std::ops::Range;
use std::sync::mpsc;
use std::thread;

use super::compression::{self, Input, SourceState};
use super::error::{DecodeError, DecodeFault, DecodeResult};
use super::format::{Compression, Encoding, Format};
use super::guess::ColumnGuess;
use super::intake::Intake;
use super::lines::{Lines, Pace};
use super::{BatchSink, Request, Tally, csv, ndjson};

/// An object as lines, and what its faults mean.
struct Text {
    lines: Lines,
    compression: Compression,
    source: SourceState,
}

/// Reads the rows of an object; those of a larger one on a thread beside the caller's.
pub(super) fn decode(
    input: Input,
    encoding: Encoding,
    request: &Request,
    known: Option<Range<i64>>,
    pace: Pace,
    sink: BatchSink<'_>,
) -> Result<Tally, DecodeError> {
    let text = Text::open(input, encoding, request.max_row_bytes, pace);
    let mut text = text.map_err(|fault| DecodeError { fault, rows_before_error: 0 })?;
    if text.lines.is_read() {
        return text.decode(encoding.format, request, known, sink);
    }
    let (give, batches) = mpsc::sync_channel(1);
    thread::scope(|scope| {
        let reading = scope.spawn(move || {
            // Nobody takes the batch only when the caller panics.
            let mut give = |batch| {
                drop(give.send(batch));
                Ok(())
            };
            text.decode(encoding.format, request, known, &mut give)
        });
        // The batches of text are decoded: none of them fails.
        let taken = batches.into_iter().try_for_each(sink);
        let tally = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        taken.map(|()| tally).map_err(|fault| DecodeError { fault, rows_before_error: 0 })
    })
}

/// A row this long is not one of a tabular model; it only bounds the memory of [`inspect`].
const INSPECTED_ROW_BYTES: usize = 1 << 20;

/// The names of the columns with a guess at what they hold.
pub(super) fn inspect(input: Input, encoding: Encoding, sample_rows: usize) -> DecodeResult<Vec<(String, ColumnGuess)>> {
    let text = Text::open(input, encoding, INSPECTED_ROW_BYTES, Pace::LOOK)?;
    let found = match encoding.format {
        Format::Csv => csv::inspect(text.lines, sample_rows),
        _ => ndjson::inspect(text.lines, sample_rows),
    };
    found.map_err(|fault| blame(&text.source, text.compression, fault))
}

impl Text {
    fn open(input: Input, encoding: Encoding, max_row_bytes: usize, pace: Pace) -> DecodeResult<Self> {
        let compression = encoding.compression;
        let plain = compression::open(input, compression).map_err(DecodeFault::Unreadable)?;
        Ok(Self { lines: Lines::new(plain.reader, max_row_bytes, pace), compression, source: plain.source })
    }

    fn decode(
        self,
        format: Format,
        request: &Request,
        known: Option<Range<i64>>,
        sink: BatchSink<'_>,
    ) -> Result<Tally, DecodeError> {
        let mut intake = Intake::new(request, known, sink);
        let result = match format {
            Format::Csv => csv::decode(self.lines, &mut intake),
            _ => ndjson::decode(self.lines, &mut intake),
        };
        let mut tally = intake.finish(result.map_err(|fault| blame(&self.source, self.compression, fault)))?;
        if tally.rows_read <= request.batch_rows as u64 {
            // All are sorted together.
            tally.course.goes_back = false;
        }
        Ok(tally)
    }
}

fn blame(source: &SourceState, compression: Compression, fault: DecodeFault) -> DecodeFault {
    match fault {
        DecodeFault::Unreadable(error) => source.blame(compression, error),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;
    use crate::feature::{FeatureKind, FeatureName};
    use crate::ingest::decode::TimestampColumn;
    use crate::ingest::timestamp::NaiveTimestamps;
    use crate::window::Window;

    fn request(has_timestamp: bool, batch_rows: usize, max_row_bytes: usize) -> Request {
        let columns = [("a", FeatureKind::Numeric), ("b", FeatureKind::Numeric), ("c", FeatureKind::Categorical)];
        let window = Window { start: "2026-01-31T00:00:00Z".parse().unwrap(), end: "2026-02-01T00:00:00Z".parse().unwrap() };
        Request {
            columns: columns.map(|(name, kind)| (FeatureName::from(name), kind)).to_vec(),
            timestamp: has_timestamp.then(|| TimestampColumn { name: "t".into(), naive: NaiveTimestamps::Reject }),
            cluster: Some("d".into()),
            window: has_timestamp.then_some(window),
            max_row_bytes,
            batch_rows,
        }
    }

    /// All that comes of an object.
    fn outcome(read: impl FnOnce(BatchSink<'_>) -> Result<Tally, DecodeError>) -> String {
        let mut batches = Vec::new();
        let result = read(&mut |batch| {
            batches.push(batch);
            Ok(())
        });
        if let Ok(tally) = &result {
            assert!(tally.is_balanced(), "{tally:?}");
        }
        format!("{result:?} {batches:?}")
    }

    fn decoded(key: &str, bytes: &[u8], request: &Request, pace: Pace) -> String {
        let (input, encoding) = (Input::Stream(Box::new(Cursor::new(bytes.to_vec()))), Encoding::of_key(key).unwrap());
        outcome(|sink| decode(input, encoding, request, None, pace, sink))
    }

    /// The same on the threads of one pool.
    fn decoded_in(pool: &rayon::ThreadPool, key: &str, bytes: &[u8], request: &Request, pace: Pace) -> String {
        let (input, encoding) = (Input::Stream(Box::new(Cursor::new(bytes.to_vec()))), Encoding::of_key(key).unwrap());
        let text = Text::open(input, encoding, request.max_row_bytes, pace).unwrap();
        pool.install(|| outcome(|sink| text.decode(encoding.format, request, None, sink)))
    }

    /// Holds what comes of an object, read as one block, against the same in small ones, on several numbers of threads.
    fn same_at_every_pace(key: &str, bytes: &[u8], request: &Request) {
        let expected = decoded(key, bytes, request, Pace { block_bytes: 1 << 20, group_bytes: 1 << 20 });
        for (block_bytes, group_bytes) in [(1, 1), (1, 50), (20, 20), (60, 300), (150, 10_000)] {
            let pace = Pace { block_bytes, group_bytes };
            let shown = || format!("blocks of {block_bytes}: {}", String::from_utf8_lossy(bytes));
            assert_eq!(decoded(key, bytes, request, pace), expected, "{}", shown());
            for pool in POOLS.iter() {
                assert_eq!(decoded_in(pool, key, bytes, request, pace), expected, "{}", shown());
            }
        }
    }

    static POOLS: std::sync::LazyLock<Vec<rayon::ThreadPool>> = std::sync::LazyLock::new(|| {
        (1..=3).map(|threads| rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()).collect()
    });

    fn with_moments(text: &str) -> String {
        text.replace('T', "2026-01-31T12:00:00Z").replace('O', "2026-01-01T12:00:00.5+01:00").replace('N', "2026-01-31 10:00")
    }

    proptest! {
        #[test]
        fn the_size_of_blocks_and_the_number_of_threads_change_nothing_in_csv(
            lines in prop::collection::vec(
                "(T|O|t|a|b|c|d|1|\"a\"|\"x,\"\"y\"|\"|\r|x|\u{e9}|\u{0}| 3 ){0,1}(,(t|a|b|c|d|1|-0|1e5|T|N|O|\"|\"\"|x|null|0x1|1\\.0|x{60})){0,5}\r{0,1}",
                0..40,
            ),
            header in "(t,a,b,c|t,a,b,d,c|d,a,t|\"t\",a,b,c)",
            has_timestamp: bool,
            batch_rows in 1_usize..9,
            max_row_bytes in 30_usize..90,
        ) {
            let text = with_moments(&format!("{header}\n{}", lines.join("\n")));
            same_at_every_pace("x.csv", text.as_bytes(), &request(has_timestamp, batch_rows, max_row_bytes));
        }

        #[test]
        fn nor_in_bytes_of_any_kind(bytes in prop::collection::vec(any::<u8>(), 0..400), batch_rows in 1_usize..4) {
            same_at_every_pace("x.csv", &[b"a,b,c\n", bytes.as_slice()].concat(), &request(false, batch_rows, 50));
            same_at_every_pace("x.jsonl", &bytes, &request(false, batch_rows, 50));
        }

        #[test]
        fn nor_in_ndjson(
            lines in prop::collection::vec(
                "[{](\"(a|b|c|d|t|z)\": {0,1}(1|-0|1\\.5|1e999|true|null|\"x\"|\"\\\\n\"|\"\u{e9}\"|\\[1\\]|\"T\"|\"O\"|\"x{60}\"),){0,5}\"a\":2[}]{0,1}\r{0,1}",
                0..30,
            ),
            has_timestamp: bool,
            batch_rows in 1_usize..9,
            max_row_bytes in 30_usize..120,
        ) {
            let text = with_moments(&lines.join("\n"));
            same_at_every_pace("x.jsonl", text.as_bytes(), &request(has_timestamp, batch_rows, max_row_bytes));
        }

        /// A line without quotes is read where it lies, one with doubled quotes (in a column that nobody reads) by the reader of records.
        #[test]
        fn quotes_that_nothing_needs_change_nothing(
            rows in prop::collection::vec(
                prop::collection::vec("T|O|N|t|a|b|c|d|1|-0| 2\\.50|17|1e5|nan|inf|x|null|0x1|1\\.0|True||\u{e9}", 1..6),
                1..40,
            ),
            header in "(t,a,b,c|t,a,b,d,c|d,a,t)",
            has_timestamp: bool,
            batch_rows in 1_usize..9,
        ) {
            let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| with_moments(cell)).collect()).collect();
            let write = |quote: &str, note: &str| -> String {
                let line = |row: &Vec<String>| row.iter().map(|cell| format!("{quote}{cell}{quote}")).collect::<Vec<_>>().join(",") + note;
                format!("{header},note\n{}", rows.iter().map(line).collect::<Vec<_>>().join("\n"))
            };
            let request = request(has_timestamp, batch_rows, 1 << 10);
            let pace = Pace { block_bytes: 70, group_bytes: 200 };
            let records = decoded("x.csv", write("", ",\"\"\"\"").as_bytes(), &request, pace);
            prop_assert_eq!(&decoded("x.csv", write("", ",#").as_bytes(), &request, pace), &records);
            prop_assert_eq!(&decoded("x.csv", write("\"", ",\"#\"").as_bytes(), &request, pace), &records);
        }
    }
}
