//! The account of an object while it is read: every row goes through here exactly once and ends as used, outside the window, or
//! rejected.

use crate::ingest::timestamp::{self, NaiveTimestamps, TimestampError};

use super::batch::{Batch, Builder, Place};
use super::cell::{self, Cell};
use super::error::{DecodeError, DecodeResult};
use super::rejection::{Location, RejectionReason};
use super::{Request, Tally};

pub(super) struct Intake<'a> {
    pub request: &'a Request,
    pub tally: Tally,
    sink: &'a mut dyn FnMut(Batch),
    builder: Builder,
    /// `[start, end)` in microseconds.
    window_us: Option<(i64, i64)>,
}

/// Why a row's timestamp is not used.
pub(super) struct Refusal {
    reason: RejectionReason,
    error: Option<TimestampError>,
}

impl Refusal {
    fn detail(&self) -> String {
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

impl<'a> Intake<'a> {
    pub fn new(request: &'a Request, sink: &'a mut dyn FnMut(Batch)) -> Self {
        let window_us = request.window.map(|window| (window.start.timestamp_micros(), window.end.timestamp_micros()));
        let tally = Tally { columns_seen: vec![false; request.columns.len()], ..Tally::default() };
        Self { request, tally, sink, builder: Builder::new(request), window_us }
    }

    /// Every name that is read, in the order features, timestamp, cluster.
    pub fn needed(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let timestamp = self.request.timestamp.as_ref().map(|column| column.name.as_str());
        self.request.columns.iter().map(|(name, _)| name.as_str()).chain(timestamp).chain(self.request.cluster.as_deref())
    }

    /// The needed names that occur more than once among the names of the object.
    pub fn duplicates(&self, names: &[&[u8]]) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for needed in self.needed() {
            let count = names.iter().filter(|name| **name == needed.as_bytes()).count();
            if count > 1 && !found.iter().any(|name| name == needed) {
                found.push(needed.to_owned());
            }
        }
        found
    }

    /// Counts rows that are rejected before anything in them is looked at.
    pub fn reject(&mut self, reason: RejectionReason, rows: u64, line: u64, detail: impl FnOnce() -> String) {
        self.tally.rows_read += rows;
        self.tally.rejected.add(reason, rows, || Location { line, column: None, detail: detail() });
    }

    /// Counts a header in the middle of the rows: a line that holds no row, so that nothing is lost with it.
    pub fn pass_header(&mut self, reason: RejectionReason, line: u64, detail: String) {
        self.tally.rows_read += 1;
        self.tally.rejected.add(reason, 1, || Location { line, column: None, detail });
    }

    /// Counts a row that has no timestamp column to look at.
    pub fn admit_without_timestamp(&mut self) {
        self.tally.rows_read += 1;
    }

    /// Counts a row whose timestamp is in this cell. Gives the moment when the row goes on to its features; otherwise the row is
    /// outside the window or rejected, and accounted for.
    pub fn admit(&mut self, cell: Cell<'_>, line: u64) -> Option<i64> {
        let naive = self.request.timestamp.as_ref().map_or(NaiveTimestamps::Reject, |column| column.naive);
        let moment = match cell {
            Cell::Missing => Err(RejectionReason::MissingTimestamp.into()),
            Cell::Text(bytes) if cell::is_missing(bytes.trim_ascii()) => Err(RejectionReason::MissingTimestamp.into()),
            Cell::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => timestamp::parse(text, naive).map_err(Refusal::from),
                Err(_) => Err(RejectionReason::InvalidUtf8.into()),
            },
            Cell::Integer(epoch) => timestamp::from_integer(epoch).map_err(Refusal::from),
            Cell::Number(epoch) => timestamp::from_float(epoch).map_err(Refusal::from),
            Cell::Bool(_) => Err(TimestampError::Invalid.into()),
            Cell::Nested => Err(RejectionReason::NestedValue.into()),
            Cell::Duplicate => Err(RejectionReason::DuplicateKey.into()),
        };
        self.admit_moment(moment, line)
    }

    /// As [`Self::admit`], for a timestamp that has been read already.
    pub fn admit_moment(&mut self, moment: Result<i64, Refusal>, line: u64) -> Option<i64> {
        self.tally.rows_read += 1;
        let moment_us = match moment {
            Ok(moment_us) => moment_us,
            Err(refusal) => {
                let column = self.request.timestamp.as_ref().map(|column| column.name.clone());
                self.tally.rejected.add(refusal.reason, 1, || Location { line, column, detail: refusal.detail() });
                return None;
            }
        };
        self.tally.oldest_us = Some(self.tally.oldest_us.map_or(moment_us, |oldest| oldest.min(moment_us)));
        self.tally.newest_us = Some(self.tally.newest_us.map_or(moment_us, |newest| newest.max(moment_us)));
        let is_inside = self.window_us.is_none_or(|(start, end)| (start..end).contains(&moment_us));
        if !is_inside {
            self.tally.rows_outside_window += 1;
        }
        is_inside.then_some(moment_us)
    }

    /// Adds an admitted row: one cell for each requested column, in order, and the cluster's.
    pub fn push_row<'c>(
        &mut self,
        line: u64,
        moment_us: Option<i64>,
        cells: impl Iterator<Item = Cell<'c>>,
        cluster: Option<Cell<'c>>,
    ) {
        self.builder.begin_row(moment_us);
        for (column, cell) in cells.enumerate() {
            self.builder.push(Place { line, column: Some(column) }, cell);
        }
        if let Some(cell) = cluster {
            self.builder.push(Place { line, column: None }, cell);
        }
        if self.builder.is_full() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let has_clusters = self.request.cluster.is_some() && self.tally.cluster_seen;
        let (batch, faults) = self.builder.take(&self.tally.columns_seen, has_clusters);
        for fault in faults {
            let column = match fault.place.column {
                Some(column) => self.request.columns.get(column).map(|(name, _)| name.as_str()),
                None => self.request.cluster.as_deref(),
            };
            self.tally.rejected.add(fault.reason, 1, || Location {
                line: fault.place.line,
                column: column.map(str::to_owned),
                detail: fault.detail.to_owned(),
            });
        }
        self.send(batch);
    }

    /// Hands on a batch whose rows have been admitted.
    pub fn send(&mut self, batch: Batch) {
        if batch.rows > 0 {
            self.tally.rows_used += u64::try_from(batch.rows).unwrap_or(u64::MAX);
            (self.sink)(batch);
        }
    }

    /// Closes the account.
    pub fn finish(mut self, result: DecodeResult<()>) -> Result<Tally, DecodeError> {
        match result {
            Ok(()) => {
                if !self.builder.is_empty() {
                    self.flush();
                }
                Ok(self.tally)
            }
            Err(fault) => Err(DecodeError { fault, rows_before_error: self.tally.rows_read }),
        }
    }
}
