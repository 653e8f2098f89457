//! Rejected rows: how many, why, and where the first of them are.
//!
//! A location names a line and a column, never what stands there: rows do not leave the decoder in messages.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

/// Why a row could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RejectionReason {
    /// The row has more or fewer fields than every header of the object.
    FieldCount,
    /// A quoted field is never closed, or text follows its closing quote.
    UnbalancedQuote,
    /// A known header once more, in the middle of the rows. No row, and none is lost.
    RepeatedHeader,
    /// Another header in the middle of the rows, by which the rows below it with as many fields are read. No row, and none is lost.
    ChangedHeader,
    /// The row is longer than the configured maximum.
    RowTooLong,
    /// The line is not one JSON object.
    InvalidJson,
    /// A needed key stands twice in the object.
    DuplicateKey,
    /// A needed value is an array or an object.
    NestedValue,
    /// A needed value is not UTF-8.
    InvalidUtf8,
    /// A numeric feature holds something that is not a number.
    WrongType,
    MissingTimestamp,
    InvalidTimestamp,
    /// The timestamp has no UTC offset, and the configuration does not take it for UTC.
    NaiveTimestamp,
    /// The timestamp is before 1990 or after 2099.
    TimestampOutOfRange,
}

impl RejectionReason {
    /// Whether it names a line that holds no row.
    pub fn is_header(self) -> bool {
        matches!(self, Self::RepeatedHeader | Self::ChangedHeader)
    }

    /// The name in reports and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FieldCount => "field-count",
            Self::UnbalancedQuote => "unbalanced-quote",
            Self::RepeatedHeader => "repeated-header",
            Self::ChangedHeader => "changed-header",
            Self::RowTooLong => "row-too-long",
            Self::InvalidJson => "invalid-json",
            Self::DuplicateKey => "duplicate-key",
            Self::NestedValue => "nested-value",
            Self::InvalidUtf8 => "invalid-utf8",
            Self::WrongType => "wrong-type",
            Self::MissingTimestamp => "missing-timestamp",
            Self::InvalidTimestamp => "invalid-timestamp",
            Self::NaiveTimestamp => "naive-timestamp",
            Self::TimestampOutOfRange => "timestamp-out-of-range",
        }
    }
}

impl fmt::Display for RejectionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a rejected row is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// The physical line in a text object, the row in a Parquet object; both count from 1.
    pub line: u64,
    /// The column at fault, where there is one.
    pub column: Option<String>,
    /// What was found, such as `found 12 fields, expected 10`; never the content of a cell.
    pub detail: String,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some(column) = &self.column {
            write!(f, ", column `{column}`")?;
        }
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}

/// The rows rejected for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    pub rows: u64,
    /// The first [`LOCATIONS_KEPT`] of them, in the order of the object.
    pub first: Vec<Location>,
}

/// Enough to see a pattern, few enough for a message.
pub const LOCATIONS_KEPT: usize = 5;

/// All rejected rows of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejections {
    by_reason: BTreeMap<RejectionReason, Rejected>,
}

impl Rejections {
    pub fn total(&self) -> u64 {
        self.by_reason.values().map(|rejected| rejected.rows).sum()
    }

    /// The lines among them that are headers: they hold no row, and nothing is lost with them.
    pub fn headers(&self) -> u64 {
        self.by_reason.iter().filter(|(reason, _)| reason.is_header()).map(|(_, rejected)| rejected.rows).sum()
    }

    /// The rows rejected for this reason.
    pub fn count(&self, reason: RejectionReason) -> u64 {
        self.by_reason.get(&reason).map_or(0, |rejected| rejected.rows)
    }

    /// The first rows rejected for this reason.
    pub fn first(&self, reason: RejectionReason) -> &[Location] {
        self.by_reason.get(&reason).map_or(&[], |rejected| rejected.first.as_slice())
    }

    /// The reasons that occurred, in a fixed order.
    pub fn iter(&self) -> impl Iterator<Item = (RejectionReason, &Rejected)> {
        self.by_reason.iter().map(|(reason, rejected)| (*reason, rejected))
    }

    /// Rows rejected for one reason, of which nobody knows where they are.
    pub fn add_somewhere(&mut self, reason: RejectionReason, rows: u64) {
        if rows > 0 {
            self.by_reason.entry(reason).or_default().rows += rows;
        }
    }

    /// Counts `rows` rows; `location` is only built while there is room for it.
    pub(super) fn add(&mut self, reason: RejectionReason, rows: u64, location: impl FnOnce() -> Location) {
        let rejected = self.by_reason.entry(reason).or_default();
        rejected.rows += rows;
        if rejected.first.len() < LOCATIONS_KEPT {
            rejected.first.push(location());
        }
    }
}
