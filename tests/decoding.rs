//! The decoding edge on real files: every way in which an object can be bad, and the account of its rows.

mod batches;
mod compressed;
mod csv;
mod ndjson;
mod parquet;

use std::io::Cursor;

use chrono::{DateTime, Utc};
use drift_check::feature::{FeatureKind, FeatureName, is_missing};
use drift_check::ingest::decode::{
    Batch, Column, DecodeError, Encoding, Input, Ranges, RejectionReason, Request, Reservation, Tally, TimestampColumn, decode,
};
use drift_check::ingest::timestamp::NaiveTimestamps;
use drift_check::window::Window;

/// What came of one object.
struct Decoded {
    tally: Tally,
    batches: Vec<Batch>,
}

impl Decoded {
    /// The values of a numeric column over all batches.
    fn numbers(&self, column: usize) -> Vec<f64> {
        let columns = self.batches.iter().map(|batch| match &batch.columns[column] {
            Column::Numeric(values) => values.clone(),
            other => panic!("column {column} is {other:?}"),
        });
        columns.flatten().collect()
    }

    /// The labels of a categorical column over all batches.
    fn labels(&self, column: usize) -> Vec<Option<String>> {
        let columns = self.batches.iter().map(|batch| match &batch.columns[column] {
            Column::Categorical { codes, dictionary } => {
                codes.iter().map(|code| dictionary.get(*code as usize).cloned()).collect::<Vec<_>>()
            }
            other => panic!("column {column} is {other:?}"),
        });
        columns.flatten().collect()
    }

    fn rejected(&self) -> Vec<(&'static str, u64)> {
        self.tally.rejected.iter().map(|(reason, rejected)| (reason.as_str(), rejected.rows)).collect()
    }

    fn lines(&self, reason: RejectionReason) -> Vec<u64> {
        self.tally.rejected.first(reason).iter().map(|location| location.line).collect()
    }
}

/// A request for numeric columns `a` and `b` and the categorical `c`.
fn abc() -> Request {
    let columns = [("a", FeatureKind::Numeric), ("b", FeatureKind::Numeric), ("c", FeatureKind::Categorical)];
    Request {
        columns: columns.map(|(name, kind)| (FeatureName::from(name), kind)).to_vec(),
        timestamp: None,
        cluster: None,
        window: None,
        max_row_bytes: 1 << 20,
        batch_rows: 8192,
    }
}

fn with_timestamp(request: Request) -> Request {
    Request { timestamp: Some(TimestampColumn { name: "t".into(), naive: NaiveTimestamps::Utc }), ..request }
}

fn moment(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

/// 2026-01-31, the whole day.
fn in_window(request: Request) -> Request {
    let window = Window { start: moment("2026-01-31T00:00:00Z"), end: moment("2026-02-01T00:00:00Z") };
    Request { window: Some(window), ..with_timestamp(request) }
}

/// Decodes from memory and from a file, which must come to the same, and checks the account.
fn decode_bytes(key: &str, bytes: &[u8], request: &Request) -> Result<Decoded, DecodeError> {
    let from_stream = decode_input(key, Input::Stream(Box::new(Cursor::new(bytes.to_vec()))), request);
    let from_file = decode_input(key, Input::Ranges(Box::new(Held(bytes.to_vec()))), request);
    match (&from_stream, &from_file) {
        (Ok(one), Ok(other)) => {
            assert_eq!(one.tally, other.tally, "{key}");
            assert_eq!(format!("{:?}", one.batches), format!("{:?}", other.batches), "{key}");
        }
        (Err(one), Err(other)) => {
            assert_eq!(one.to_string(), other.to_string(), "{key}");
            assert_eq!(one.rows_before_error, other.rows_before_error, "{key}");
        }
        (one, other) => panic!("{key}: the stream says {:?}, the file {:?}", one.as_ref().err(), other.as_ref().err()),
    }
    from_stream
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
        0
    }

    fn reserve(&self, _: u64) -> std::io::Result<Reservation> {
        unreachable!("what is near takes nothing of a budget")
    }

    fn get_into(&self, range: std::ops::Range<u64>, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        *bytes = self.0[range.start as usize..range.end as usize].to_vec();
        Ok(())
    }
}

fn decode_input(key: &str, input: Input, request: &Request) -> Result<Decoded, DecodeError> {
    let mut batches = Vec::new();
    let tally = decode(input, Encoding::of_key(key).unwrap(), request, &mut |batch| {
        batches.push(batch.read()?);
        Ok(())
    })?;
    assert!(tally.is_balanced(), "{key}: {tally:?}");
    assert_eq!(tally.rows_used, batches.iter().map(|batch| batch.rows as u64).sum::<u64>(), "{key}");
    for batch in &batches {
        // A step of Parquet holds as many rows as 64 batches of text.
        let most = request.batch_rows * if key.ends_with(".parquet") { 64 } else { 1 };
        assert!((1..=most).contains(&batch.rows), "{key}: a batch of {} rows", batch.rows);
        assert_eq!(batch.timestamps_us.len(), if request.timestamp.is_some() { batch.rows } else { 0 }, "{key}");
        assert_eq!(batch.columns.len(), request.columns.len(), "{key}");
        assert!(batch.clusters.as_ref().is_none_or(|clusters| clusters.len() == batch.rows), "{key}");
        for column in &batch.columns {
            match column {
                Column::Numeric(values) => assert_eq!(values.len(), batch.rows, "{key}"),
                Column::Categorical { codes, .. } => assert_eq!(codes.len(), batch.rows, "{key}"),
                Column::Absent | Column::WrongType => {}
                Column::Deferred(_) => panic!("{key}: a column was left undecoded"),
            }
        }
    }
    Ok(Decoded { tally, batches })
}

/// A number for comparison, with the missing one told apart from NaN.
fn shown(numbers: &[f64]) -> Vec<String> {
    numbers.iter().map(|number| if is_missing(*number) { "missing".to_owned() } else { number.to_string() }).collect()
}

fn some(labels: &[&str]) -> Vec<Option<String>> {
    labels.iter().map(|label| Some((*label).to_owned())).collect()
}
