//! The account of an object while it is read: every row goes through here exactly once and ends as used, outside the window, or
//! rejected.

use std::collections::HashSet;
use std::ops::Range;

pub(super) use super::admission::Refusal;

use super::admission::Admission;
use super::batch::{Batch, Builder};
use super::cell::Cell;
use super::error::{DecodeError, DecodeFault, DecodeResult};
use super::rejection::{Location, RejectionReason};
use super::rows::{Fate, RejectedRow, Rows};
use super::{BatchSink, Request, Tally};
use crate::ingest::timestamp;

pub(super) struct Intake<'a> {
    pub request: &'a Request,
    pub tally: Tally,
    sink: BatchSink<'a>,
    /// Why a batch could not be taken.
    failure: Option<DecodeFault>,
    builder: Builder,
    /// At least 1.
    batch_rows: u64,
    admission: Admission,
    /// The last moment that could be read.
    last_us: Option<i64>,
    /// Rows rejected since then, whose own time cannot be read.
    undated: u64,
    /// The columns seen, and whether the cluster's was, when a batch could have ended for the first time.
    seen_early: Option<(Vec<bool>, bool)>,
}

impl<'a> Intake<'a> {
    pub fn new(request: &'a Request, known: Option<Range<i64>>, sink: BatchSink<'a>) -> Self {
        let tally = Tally { columns_seen: vec![false; request.columns.len()], ..Tally::default() };
        let (builder, admission) = (Builder::new(request), Admission::new(request, known));
        let batch_rows = u64::try_from(request.batch_rows.max(1)).unwrap_or(u64::MAX);
        Self { request, tally, sink, failure: None, builder, batch_rows, admission, last_us: None, undated: 0, seen_early: None }
    }

    pub fn admission(&self) -> Admission {
        self.admission
    }

    /// Every name that is read, in the order features, timestamp, cluster.
    pub fn needed(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let timestamp = self.request.timestamp.as_ref().map(|column| column.name.as_str());
        self.request.columns.iter().map(|(name, _)| name.as_str()).chain(timestamp).chain(self.request.cluster.as_deref())
    }

    /// The needed names that occur more than once among the names of the object.
    pub fn duplicates(&self, names: &[&[u8]]) -> Vec<String> {
        let mut seen: HashSet<&[u8]> = HashSet::with_capacity(names.len());
        let repeated: HashSet<&[u8]> = names.iter().copied().filter(|name| !seen.insert(*name)).collect();
        let mut told: HashSet<&str> = HashSet::new();
        self.needed().filter(|needed| repeated.contains(needed.as_bytes()) && told.insert(*needed)).map(str::to_owned).collect()
    }

    /// Takes the next rows of the object, which stand below line `above`.
    pub fn take(&mut self, rows: &Rows, above: u64) {
        let mut rejected = rows.rejected.iter();
        let mut first_seen = rows.first_seen.iter().peekable();
        // The admitted rows, up to those that are in a batch already.
        let (mut admitted, mut in_batch) = (0, 0);
        for (at, fate) in rows.fates.iter().enumerate() {
            let batch = self.batch();
            match *fate {
                Fate::Admitted { moment_us } => {
                    self.tally.rows_read += 1;
                    moment_us.inspect(|moment_us| self.come(*moment_us));
                    admitted += 1;
                }
                Fate::Outside { moment_us } => {
                    self.tally.rows_read += 1;
                    self.tally.rows_outside_window += 1;
                    self.come(moment_us);
                }
                Fate::Known { moment_us } => {
                    self.tally.rows_read += 1;
                    self.pass_known(1);
                    self.come(moment_us);
                }
                Fate::Rejected => rejected.next().into_iter().for_each(|row| self.reject(row, above)),
            }
            while let Some((_, column)) = first_seen.next_if(|(row, _)| *row <= at + 1) {
                self.mark_seen(*column);
            }
            if self.batch() != batch {
                self.seen_early.get_or_insert_with(|| (self.tally.columns_seen.clone(), self.tally.cluster_seen));
                self.builder.append(&rows.cells, in_batch..admitted, above);
                in_batch = admitted;
                self.flush(true);
            }
        }
        self.builder.append(&rows.cells, in_batch..admitted, above);
    }

    /// Which batch the next row belongs to.
    fn batch(&self) -> u64 {
        self.tally.rows_read / self.batch_rows
    }

    fn mark_seen(&mut self, column: Option<usize>) {
        match column.map(|column| self.tally.columns_seen.get_mut(column)) {
            Some(Some(seen)) => *seen = true,
            Some(None) => {}
            None => self.tally.cluster_seen = true,
        }
    }

    fn reject(&mut self, row: &RejectedRow, above: u64) {
        self.tally.rows_read += row.rows;
        self.tally.rejected.add(row.reason, row.rows, || {
            let column = self.request.timestamp.as_ref().filter(|_| row.is_for_timestamp).map(|column| column.name.clone());
            Location { line: above + row.line, column, detail: row.detail.clone() }
        });
        // A header is no row, and lies nowhere.
        if row.reason.is_header() {
            return;
        }
        if let Some(moment_us) = row.moment_us {
            self.note(moment_us);
            self.tally.rejected_in_window += if self.admission.is_inside(moment_us) { row.rows } else { 0 };
        } else {
            self.undated += row.rows;
        }
    }

    /// Counts a row that has no timestamp column to look at.
    pub fn admit_without_timestamp(&mut self) {
        self.tally.rows_read += 1;
    }

    /// Counts a row whose timestamp is in this cell. Gives the moment when the row goes on to its features; otherwise the row is
    /// outside the window or rejected, and accounted for.
    pub fn admit(&mut self, cell: Cell<'_>, line: u64) -> Option<i64> {
        self.admit_moment(self.admission.moment(cell), line)
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
        self.come(moment_us);
        if !self.admission.is_inside(moment_us) {
            self.tally.rows_outside_window += 1;
            return None;
        }
        if self.admission.is_known(moment_us) {
            self.pass_known(1);
            return None;
        }
        Some(moment_us)
    }

    /// Counts rows of the window that are known.
    fn pass_known(&mut self, rows: u64) {
        self.tally.rows_used += rows;
        self.tally.course.rows_known += rows;
    }

    /// Takes note of the moment of the next row.
    fn come(&mut self, moment_us: i64) {
        self.follow(moment_us);
        self.note(moment_us);
    }

    /// The next row, or rows that are sorted among each other wherever batches end, come; the oldest of them is this old.
    fn follow(&mut self, oldest_us: i64) {
        self.tally.course.goes_back |= self.tally.course.latest_us.is_some_and(|latest| oldest_us < latest);
    }

    /// As [`Self::admit_moment`] for many rows; tells which of them go on to their features. `None`, and nothing is accounted for,
    /// where a moment is out of range.
    pub fn admit_moments(&mut self, moments_us: &[i64]) -> Option<Admission> {
        let (start, end) = self.admission.window_us.unwrap_or((i64::MIN, i64::MAX));
        let (mut oldest, mut latest, mut newest, mut inside, mut known) = (i64::MAX, i64::MIN, i64::MIN, 0_u64, 0_u64);
        for &moment in moments_us {
            oldest = oldest.min(moment);
            latest = latest.max(moment);
            newest = newest.max(if moment < end { moment } else { i64::MIN });
            inside += u64::from(start <= moment && moment < end);
            known += u64::from(self.admission.is_known(moment));
        }
        let (&first, &last) = (moments_us.first()?, moments_us.last()?);
        timestamp::in_range(oldest).and(timestamp::in_range(latest)).ok()?;
        let rows = moments_us.len() as u64;
        self.tally.rows_read += rows;
        self.tally.rows_outside_window += rows - inside;
        self.pass_known(known);
        self.follow(oldest);
        // The rejected rows before them have the first as their neighbour, those after them the last.
        self.note(first);
        self.note(oldest);
        if newest > i64::MIN {
            self.note(newest);
        }
        self.last_us = Some(last);
        self.tally.course.latest_us = self.tally.course.latest_us.max(Some(latest));
        Some(self.admission)
    }

    /// Whether rows between these moments all lie in the window, and are known.
    pub fn is_all_known(&self, first_us: i64, last_us: i64) -> bool {
        self.admission.is_known(first_us) && self.admission.is_known(last_us)
    }

    /// Whether rows between these moments all lie outside the window.
    pub fn is_all_outside(&self, first_us: i64, last_us: i64) -> bool {
        self.admission.window_us.is_some_and(|(start, end)| last_us < start || end <= first_us)
    }

    /// Counts rows between these moments, all outside the window or all known, and not read.
    pub fn pass_over(&mut self, rows: u64, first_us: i64, last_us: i64) {
        self.tally.rows_read += rows;
        if self.is_all_known(first_us, last_us) {
            self.pass_known(rows);
        } else {
            self.tally.rows_outside_window += rows;
        }
        self.follow(first_us);
        self.note(first_us);
        self.note(last_us);
    }

    /// Takes note of a moment that could be read.
    fn note(&mut self, moment_us: i64) {
        self.tally.oldest_us = Some(self.tally.oldest_us.map_or(moment_us, |oldest| oldest.min(moment_us)));
        // One row from a clock that is ahead does not make the others new.
        if self.admission.window_us.is_none_or(|(_, end)| moment_us < end) {
            self.tally.newest_us = Some(self.tally.newest_us.map_or(moment_us, |newest| newest.max(moment_us)));
        }
        self.tally.course.latest_us = self.tally.course.latest_us.max(Some(moment_us));
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
        let may_be_inside = match (self.admission.window_us, self.last_us, next_us) {
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

    /// Ends the batch, if it has rows. It is full unless the object has come to its end.
    fn flush(&mut self, is_full: bool) {
        if self.builder.is_empty() {
            return;
        }
        let has_clusters = self.request.cluster.is_some() && self.tally.cluster_seen;
        let (batch, faults) = self.builder.take(is_full, &self.tally.columns_seen, has_clusters);
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
                detail: if fault.reason == RejectionReason::WrongType { "not a number".to_owned() } else { String::new() },
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
                self.flush(false);
                self.place_undated(None);
                let seen = (&self.tally.columns_seen, self.tally.cluster_seen);
                self.tally.course.is_late = self.seen_early.as_ref().is_some_and(|(columns, cluster)| (columns, *cluster) != seen);
                Ok(self.tally)
            }
            Err(fault) => Err(DecodeError { fault, rows_before_error: self.tally.rows_read }),
        }
    }
}
