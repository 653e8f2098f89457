//! Whether a row is looked at: its moment, and where that lies to the window. The same whatever stands before or after the row.

use std::ops::Range;

use crate::ingest::timestamp::{self, NaiveTimestamps, TimestampError};

use super::Request;
use super::cell::{self, Cell};
use super::rejection::RejectionReason;

/// What a row's moment is held against.
#[derive(Clone, Copy)]
pub(super) struct Admission {
    /// `[start, end)` in microseconds: rows of the window that are known.
    known_us: (i64, i64),
    naive: NaiveTimestamps,
    /// `[start, end)` in microseconds, where rows have a time to compare with it.
    pub window_us: Option<(i64, i64)>,
}

/// Why a row's timestamp is not used.
pub(super) struct Refusal {
    pub reason: RejectionReason,
    error: Option<TimestampError>,
}

impl Refusal {
    pub fn detail(&self) -> String {
        self.error.map(|error| error.to_string()).unwrap_or_default()
    }
}

impl From<RejectionReason> for Refusal {
    fn from(reason: RejectionReason) -> Self {
        Self { reason, error: None }
    }
}

impl From<TimestampError> for Refusal {
    fn from(error: TimestampError) -> Self {
        let reason = match error {
            TimestampError::Invalid => RejectionReason::InvalidTimestamp,
            TimestampError::Naive => RejectionReason::NaiveTimestamp,
            TimestampError::OutOfRange => RejectionReason::TimestampOutOfRange,
        };
        Self { reason, error: Some(error) }
    }
}

impl Admission {
    pub fn new(request: &Request, known: Option<Range<i64>>) -> Self {
        let window = request.window.filter(|_| request.timestamp.is_some());
        let window_us = window.map(|window| (window.start.timestamp_micros(), window.end.timestamp_micros()));
        let naive = request.timestamp.as_ref().map_or(NaiveTimestamps::Reject, |column| column.naive);
        // Only rows of the window can be known.
        let (start, end) = window_us.unwrap_or((0, 0));
        let known_us = known.map_or((0, 0), |known| (known.start.max(start), known.end.min(end)));
        Self { known_us, naive, window_us }
    }

    /// The moment in a cell.
    pub fn moment(&self, cell: Cell<'_>) -> Result<i64, Refusal> {
        match cell {
            Cell::Missing => Err(RejectionReason::MissingTimestamp.into()),
            Cell::Text(bytes) => self.moment_in_text(bytes),
            Cell::Integer(epoch) => timestamp::from_integer(epoch).map_err(Refusal::from),
            Cell::Number(epoch) => timestamp::from_float(epoch).map_err(Refusal::from),
            Cell::Bool(_) => Err(TimestampError::Invalid.into()),
            Cell::Nested => Err(RejectionReason::NestedValue.into()),
            Cell::Duplicate => Err(RejectionReason::DuplicateKey.into()),
        }
    }

    fn moment_in_text(&self, bytes: &[u8]) -> Result<i64, Refusal> {
        if let Some(moment_us) = timestamp::from_rfc3339(bytes) {
            return Ok(moment_us);
        }
        if cell::is_missing(bytes.trim_ascii()) {
            return Err(RejectionReason::MissingTimestamp.into());
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => timestamp::parse(text, self.naive).map_err(Refusal::from),
            Err(_) => Err(RejectionReason::InvalidUtf8.into()),
        }
    }

    /// Whether a row of the window is not handed on, because it is known.
    pub fn is_known(&self, moment_us: i64) -> bool {
        self.known_us.0 <= moment_us && moment_us < self.known_us.1
    }

    /// Whether a row goes on to its features.
    pub fn is_wanted(&self, moment_us: i64) -> bool {
        self.is_inside(moment_us) && !self.is_known(moment_us)
    }

    pub fn is_inside(&self, moment_us: i64) -> bool {
        self.window_us.is_none_or(|(start, end)| (start..end).contains(&moment_us))
    }
}
