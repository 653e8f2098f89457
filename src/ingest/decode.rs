//! The decoding edge: one object of the bucket in, batches of columns and an account of every row out.
//!
//! Synchronous and streaming: whatever the size of the object, memory holds a few blocks of text and batches, or one slice of a
//! Parquet row group. Owns
//! the row semantics (field count, then timestamp, then window, then features); each vendor crate has one file below. Knows
//! nothing of buckets, and decides nothing: what the counts mean is the caller's to say.

mod admission;
mod batch;
mod blocks;
mod cell;
mod cells;
mod compression;
mod csv;
mod error;
mod format;
mod guess;
mod intake;
mod lines;
mod ndjson;
mod parquet;
mod rejection;
mod rows;
mod text;

pub use batch::{Batch, Column, Deferred, selected};
pub use cell::MISSING_CLUSTER;
pub use compression::{Input, Ranges, Reservation};
pub use error::{DecodeError, DecodeFault};
pub use format::{Compression, Encoding, Format};
pub use guess::ColumnGuess;
pub use rejection::{LOCATIONS_KEPT, Location, Rejected, RejectionReason, Rejections};

use std::ops::Range;

use crate::feature::{FeatureKind, FeatureName};
use crate::window::Window;

use super::timestamp::NaiveTimestamps;
use intake::Intake;
use lines::Pace;

/// The label that a text is in every format; `None` where it says that there is none.
pub fn label_of_text(text: &str) -> Option<String> {
    batch::as_label(cell::Cell::Text(text.as_bytes()), &mut String::new()).ok().flatten().map(str::to_owned)
}

/// The label that a number with a fraction is; `None` for NaN.
pub fn label_of_number(number: f64) -> Option<String> {
    batch::as_label(cell::Cell::Number(number), &mut String::new()).ok().flatten().map(str::to_owned)
}

/// The hash of the label of a cluster.
pub fn cluster_of_label(label: &str) -> u64 {
    cell::cluster(label)
}

/// An object with more columns is not read: names and cells of all of them would have to be held.
pub const MOST_COLUMNS: usize = 1 << 15;

/// What to read from an object.
#[derive(Clone, Debug)]
pub struct Request {
    /// The features, each as what it is to be read.
    pub columns: Vec<(FeatureName, FeatureKind)>,
    /// Where the moment of a row stands; without it, rows have none.
    pub timestamp: Option<TimestampColumn>,
    /// The column whose equal values mark rows that are not independent.
    pub cluster: Option<String>,
    /// Rows outside are counted and left out. Without a timestamp column there is nothing to compare, and all rows are used.
    pub window: Option<Window>,
    /// A row of text that is longer is rejected without being held in memory.
    pub max_row_bytes: usize,
    /// A batch has at most this many rows (at least 1): those of one stretch of so many rows of the object that are used.
    pub batch_rows: usize,
}

/// The column that holds the moment of a row.
#[derive(Clone, Debug)]
pub struct TimestampColumn {
    pub name: String,
    pub naive: NaiveTimestamps,
}

/// The account of one object: `rows_read = rows_used + rows_outside_window + rejected.total()`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    pub rows_read: u64,
    pub rows_used: u64,
    pub rows_outside_window: u64,
    pub rejected: Rejections,
    /// The rejected rows that lie in the window, as far as can be told, headers aside: by their own time where it can be read, by the
    /// moments before and after them otherwise. Without a window, all of them.
    pub rejected_in_window: u64,
    /// For each requested column: whether the object has it at all.
    pub columns_seen: Vec<bool>,
    /// Whether the object has the cluster column.
    pub cluster_seen: bool,
    /// The oldest timestamp that could be read, in microseconds since the epoch, and the newest one before the end of the window, in the
    /// window or not, whatever became of the rest of the row.
    pub oldest_us: Option<i64>,
    pub newest_us: Option<i64>,
    /// The object has no bytes, or nothing but blank lines: not even a header.
    pub is_empty: bool,
    pub course: Course,
}

/// How the rows of an object come: whether they count alike however they are cut into parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// The newest timestamp that could be read, also after the end of the window.
    pub latest_us: Option<i64>,
    /// Used rows that were not handed on, because they are known.
    pub rows_known: u64,
    /// Whether rows are older than rows before them, and which of them are sorted together depends on where batches end.
    pub goes_back: bool,
    /// Whether a column was seen for the first time after as many rows as a batch holds.
    pub is_late: bool,
}

impl Tally {
    /// A header (or a schema) with no row below it.
    pub fn is_header_only(&self) -> bool {
        !self.is_empty && self.rows_read == 0
    }

    /// Whether no row was lost.
    pub fn is_balanced(&self) -> bool {
        self.rows_read == self.rows_used + self.rows_outside_window + self.rejected.total()
    }
}

/// Takes batches; fails where a column that is decoded on the way cannot be.
pub type BatchSink<'a> = &'a mut dyn FnMut(Batch) -> Result<(), DecodeFault>;

/// Reads the rows of an object and hands them on in batches, in the order of the object.
///
/// Batches end at fixed places of the object, whatever the window: after every [`Request::batch_rows`] rows that were read, be they
/// used, outside the window or rejected (headers in the middle count with them). No batch has rows from both sides of such a place;
/// where no row between two of them is used there is no batch. Parquet counts anew from the start of every slice. Text is parsed on all threads of the pool; what comes of it does not
/// depend on their number. `sink` is called on the thread of the caller.
///
/// # Errors
/// [`DecodeError`] when the object as a whole cannot be used. Batches may have gone to `sink` before: discard them.
pub fn decode(input: Input, encoding: Encoding, request: &Request, sink: BatchSink<'_>) -> Result<Tally, DecodeError> {
    decode_unknown(input, encoding, request, None, sink)
}

/// As [`decode`], of text by blocks of about so many bytes: what comes of it does not depend on them.
///
/// # Errors
/// As [`decode`].
pub fn decode_by_blocks(
    input: Input,
    encoding: Encoding,
    request: &Request,
    block_bytes: usize,
    sink: BatchSink<'_>,
) -> Result<Tally, DecodeError> {
    text::decode(input, encoding, request, None, Pace { block_bytes, group_bytes: block_bytes }, sink)
}

/// As [`decode`]; the rows of the window at `known` moments, in microseconds, are accounted for and not handed on.
///
/// # Errors
/// As [`decode`].
pub fn decode_unknown(
    input: Input,
    encoding: Encoding,
    request: &Request,
    known: Option<Range<i64>>,
    sink: BatchSink<'_>,
) -> Result<Tally, DecodeError> {
    match encoding.format {
        Format::Csv | Format::Ndjson => text::decode(input, encoding, request, known, Pace::USUAL, sink),
        Format::Parquet => {
            let mut intake = Intake::new(request, known, sink);
            let result = parquet::decode(input, encoding.compression, &mut intake);
            intake.finish(result)
        }
    }
}

/// The names of the columns in order, duplicates included, with a guess at what they hold, from the first `sample_rows` rows or
/// from the schema. Rows that cannot be read are passed over: [`decode`] will account for them.
///
/// # Errors
/// [`DecodeError`] when the object as a whole cannot be used.
pub fn inspect(input: Input, encoding: Encoding, sample_rows: usize) -> Result<Vec<(String, ColumnGuess)>, DecodeError> {
    let result = match encoding.format {
        Format::Csv | Format::Ndjson => text::inspect(input, encoding, sample_rows),
        Format::Parquet => parquet::inspect(input, encoding.compression),
    };
    result.map_err(|fault| DecodeError { fault, rows_before_error: 0 })
}
