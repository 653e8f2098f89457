//! The account of an object while it is read: every row goes through here exactly once and ends as used, outside the window, or
//! rejected.

use std::ops::Range;

use crate::ingest::timestamp::{self, NaiveTimestamps, TimestampError};

use super::batch::{Batch, Builder, Place};
use super::cell::{self, Cell};
use super::error::{DecodeError, DecodeFault, DecodeResult};
use super::rejection::{Location, RejectionReason};
use super::{BatchSink, Request, Tally};

pub(super) struct Intake<'a> {
    pub request: &'a Request,
    pub tally: Tally,
    sink: BatchSink<'a>,
    /// Why a batch could not be taken.
    failure: Option<DecodeFault>,
    builder: Builder,
    /// `[start, end)` in microseconds, where rows have a time to compare with it.
    window_us: Option<(i64, i64)>,
    /// The last moment that could be read.
    last_us: Option<i64>,
    /// Rows rejected since then, whose own time cannot be read.
    undated: u64,
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
    pub fn new(request: &'a Request, sink: BatchSink<'a>) -> Self {
        let window = request.window.filter(|_| request.timestamp.is_some());
        let window_us = window.map(|window| (window.start.timestamp_micros(), window.end.timestamp_micros()));
        let tally = Tally { columns_seen: vec![false; request.columns.len()], ..Tally::default() };
        Self { request, tally, sink, failure: None, builder: Builder::new(request), window_us, last_us: None, undated: 0 }
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

    /// Counts rows that are rejected and whose time cannot be read.
    pub fn reject(&mut self, reason: RejectionReason, rows: u64, line: u64, detail: impl FnOnce() -> String) {
        self.tally.rows_read += rows;
        self.tally.rejected.add(reason, rows, || Location { line, column: None, detail: detail() });
        self.undated += rows;
    }

    /// Counts rows that are rejected for another reason than their time, which may be in this cell.
    pub fn reject_at(&mut self, cell: Cell<'_>, reason: RejectionReason, rows: u64, line: u64, detail: impl FnOnce() -> String) {
        self.reject(reason, rows, line, detail);
        if let Ok(moment_us) = self.moment(cell) {
            self.undated -= rows;
            self.note(moment_us);
            self.tally.rejected_in_window += if self.is_inside(moment_us) { rows } else { 0 };
        }
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
        self.admit_moment(self.moment(cell), line)
    }

    /// The moment in a cell.
    fn moment(&self, cell: Cell<'_>) -> Result<i64, Refusal> {
        let naive = self.request.timestamp.as_ref().map_or(NaiveTimestamps::Reject, |column| column.naive);
        match cell {
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
        }
    }

    /// As [`Self::admit`], for a timestamp that has been read already.
    pub fn admit_moment(&mut self, moment: Result<i64, Refusal>, line: u64) -> Option<i64> {
        self.tally.rows_read += 1;
        let moment_us = match moment {
            Ok(moment_us) => moment_us,
            Err(refusal) => {
                let column = self.request.timestamp.as_ref().map(|column| column.name.clone());
                self.tally.rejected.add(refusal.reason, 1, || Location { line, column, detail: refusal.detail() });
                self.undated += 1;
                return None;
            }
        };
        self.note(moment_us);
        let is_inside = self.is_inside(moment_us);
        if !is_inside {
            self.tally.rows_outside_window += 1;
        }
        is_inside.then_some(moment_us)
    }

    /// As [`Self::admit_moment`] for many rows; gives the moments of the rows that go on to their features. `None`, and nothing is
    /// accounted for, where a moment is out of range.
    pub fn admit_moments(&mut self, moments_us: &[i64]) -> Option<Range<i64>> {
        let (start, end) = self.window_us.unwrap_or((i64::MIN, i64::MAX));
        let (mut oldest, mut latest, mut newest, mut inside) = (i64::MAX, i64::MIN, i64::MIN, 0_u64);
        for &moment in moments_us {
            oldest = oldest.min(moment);
            latest = latest.max(moment);
            newest = newest.max(if moment < end { moment } else { i64::MIN });
            inside += u64::from(start <= moment && moment < end);
        }
        let (&first, &last) = (moments_us.first()?, moments_us.last()?);
        timestamp::in_range(oldest).and(timestamp::in_range(latest)).ok()?;
        let rows = moments_us.len() as u64;
        self.tally.rows_read += rows;
        self.tally.rows_outside_window += rows - inside;
        // The rejected rows before them have the first as their neighbour, those after them the last.
        self.note(first);
        self.note(oldest);
        if newest > i64::MIN {
            self.note(newest);
        }
        self.last_us = Some(last);
        Some(start..end)
    }

    /// Whether rows between these moments all lie outside the window.
    pub fn is_all_outside(&self, first_us: i64, last_us: i64) -> bool {
        self.window_us.is_some_and(|(start, end)| last_us < start || end <= first_us)
    }

    /// Counts rows between these moments, all outside the window and not read.
    pub fn pass_outside(&mut self, rows: u64, first_us: i64, last_us: i64) {
        self.tally.rows_read += rows;
        self.tally.rows_outside_window += rows;
        self.note(first_us);
        self.note(last_us);
    }

    fn is_inside(&self, moment_us: i64) -> bool {
        self.window_us.is_none_or(|(start, end)| (start..end).contains(&moment_us))
    }

    /// Takes note of a moment that could be read.
    fn note(&mut self, moment_us: i64) {
        self.tally.oldest_us = Some(self.tally.oldest_us.map_or(moment_us, |oldest| oldest.min(moment_us)));
        // One row from a clock that is ahead does not make the others new.
        if self.window_us.is_none_or(|(_, end)| moment_us < end) {
            self.tally.newest_us = Some(self.tally.newest_us.map_or(moment_us, |newest| newest.max(moment_us)));
        }
        self.place_undated(Some(moment_us));
        self.last_us = Some(moment_us);
    }

    /// Says of the rejected rows whose time cannot be read whether they may lie in the window: rows are written one after the other,
    /// so their time is taken to be between the moments around them. Where nothing is known, nothing is said.
    fn place_undated(&mut self, next_us: Option<i64>) {
        let rows = std::mem::take(&mut self.undated);
        if rows == 0 {
            return;
        }
        let may_be_inside = match (self.window_us, self.last_us, next_us) {
            (None, ..) => true,
            (Some(_), None, None) => false,
            (Some((start, end)), last, next) => {
                // The moments around them may themselves be out of order.
                let oldest = last.map_or(i64::MIN, |last| next.map_or(last, |next| last.min(next)));
                let newest = next.map_or(i64::MAX, |next| last.map_or(next, |last| last.max(next)));
                oldest < end && newest >= start
            }
        };
        self.tally.rejected_in_window += if may_be_inside { rows } else { 0 };
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
        // They were admitted.
        self.tally.rejected_in_window += u64::try_from(faults.len()).unwrap_or(u64::MAX);
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
        if batch.rows > 0 && self.failure.is_none() {
            self.tally.rows_used += u64::try_from(batch.rows).unwrap_or(u64::MAX);
            self.failure = (self.sink)(batch).err();
        }
    }

    /// Why the last batch could not be taken, if it could not: its columns are decoded where they are counted.
    pub fn failure(&mut self) -> Option<DecodeFault> {
        self.failure.take()
    }

    /// Closes the account.
    pub fn finish(mut self, result: DecodeResult<()>) -> Result<Tally, DecodeError> {
        match result {
            Ok(()) => {
                if !self.builder.is_empty() {
                    self.flush();
                }
                self.place_undated(None);
                Ok(self.tally)
            }
            Err(fault) => Err(DecodeError { fault, rows_before_error: self.tally.rows_read }),
        }
    }
}
