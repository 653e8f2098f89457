//! What is remembered of an object from one run to the next: its counts, hour by hour.
//!
//! Counts are integers that merge by addition, so an hour that was counted once need not be read again as long as its object is the same.
//! Decides what an entry is and what it tells of a window ([`recall`]), which entries are kept ([`gather`]), and how they are stored
//! ([`pack`]). Pure: no bucket, no clock; whatever is in doubt is read again.

pub mod gather;
pub mod pack;
pub mod recall;

use std::ops::Range;

use bytes::Bytes;

use super::HOUR_US;
use super::account::ObjectAccount;
use super::decode::{RejectionReason, Tally};
use crate::window::Window;

/// An object, as far as its rows were counted by hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub uri: String,
    /// What names its content in a listing.
    pub version: String,
    /// What names its content in a report.
    pub generation: String,
    pub size_bytes: u64,
    pub rows_read: u64,
    /// Of all its rows, in microseconds since the epoch.
    pub oldest_us: i64,
    pub latest_us: i64,
    pub columns_seen: Vec<bool>,
    pub cluster_seen: bool,
    /// The hours since the epoch all of whose rows are in `hours`.
    pub covered: Range<i64>,
    /// Those of them that have rows, ascending.
    pub hours: Vec<Hour>,
}

/// The rows of an object in one hour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hour {
    /// Since the epoch.
    pub hour: i64,
    /// At least one.
    pub rows: u64,
    pub oldest_us: i64,
    pub newest_us: i64,
    /// The counts and the newest confidences, packed.
    pub packed: Bytes,
}

/// What an object gave when it was counted by hour.
#[derive(Clone, Debug, Default)]
pub struct Hours {
    /// Ascending; those at the ends may lack rows outside the window.
    pub hours: Vec<Hour>,
    /// Hours before this one were not kept.
    pub kept_from: Option<i64>,
    /// Whether the rows counted as they do in any other cut.
    pub is_exact: bool,
}

/// The hour of a moment.
pub fn hour_of(moment_us: i64) -> i64 {
    moment_us.div_euclid(HOUR_US)
}

/// Whether every row counts by itself: then it counts the same in any window, next to any other.
fn is_exact(tally: &Tally) -> bool {
    tally.rejected.total() == 0 && counts_alike(tally)
}

/// Whether the rows that are used count the same in any window, whatever was rejected beside them.
pub fn counts_alike(tally: &Tally) -> bool {
    // Where clusters tell which rows belong together, their order does not.
    let is_ordered = tally.cluster_seen || !tally.course.goes_back;
    // Whether a value of another type condemns its row or its column depends on the rows beside it.
    let is_of_one_type = tally.rejected.count(RejectionReason::WrongType) == 0;
    is_of_one_type && tally.rows_read > 0 && is_ordered && !tally.course.is_late
}

impl Entry {
    /// What can be kept of an object that was read for a window; `known` are the hours that were not, because they were known.
    pub fn of(version: String, account: &ObjectAccount, window: Window, counted: Hours, known: &[Hour]) -> Option<Self> {
        let tally = account.outcome.as_ref().ok().filter(|tally| is_exact(tally))?;
        Self::of_used(version, account, tally, window, counted, known)
    }

    /// As [`Self::of`], of an object that may have rejected rows: what is recalled counts the used rows as a reading would, and the account
    /// of another window lacks the rejected ones.
    pub fn of_used(
        version: String,
        account: &ObjectAccount,
        tally: &Tally,
        window: Window,
        counted: Hours,
        known: &[Hour],
    ) -> Option<Self> {
        if !(counted.is_exact && counts_alike(tally)) {
            return None;
        }
        let (oldest_us, latest_us) = (tally.oldest_us?, tally.course.latest_us?);
        let Range { start, end } = window.micros();
        // An hour at an end of the window is complete where the object has no row beyond that end.
        let first = if oldest_us >= start { hour_of(oldest_us) } else { hour_of(start + HOUR_US - 1) };
        let last = if latest_us < end { hour_of(latest_us) + 1 } else { hour_of(end) };
        let first = first.max(counted.kept_from.unwrap_or(i64::MIN));
        let covered = first..last.max(first);
        let mut hours: Vec<Hour> = counted.hours.into_iter().chain(known.iter().cloned()).collect();
        hours.retain(|hour| covered.contains(&hour.hour));
        hours.sort_by_key(|hour| hour.hour);
        // Nothing of it would be known.
        let is_outside = latest_us < start || end <= oldest_us;
        (!hours.is_empty() || is_outside).then(|| Self {
            uri: account.uri.clone(),
            version,
            generation: account.generation.clone(),
            size_bytes: account.size_bytes,
            rows_read: tally.rows_read,
            oldest_us,
            latest_us,
            columns_seen: tally.columns_seen.clone(),
            cluster_seen: tally.cluster_seen,
            covered,
            hours,
        })
    }

    /// Leaves out the hours before this one; whether anything is left to know.
    pub fn forget_before(&mut self, hour: i64) -> bool {
        let had_hours = !self.hours.is_empty();
        self.hours.retain(|kept| kept.hour >= hour);
        self.covered.start = self.covered.start.max(hour);
        self.covered.end = self.covered.end.max(self.covered.start);
        !had_hours || !self.hours.is_empty()
    }

    /// The newest hour that it tells of.
    pub fn newest_hour(&self) -> i64 {
        self.hours.last().map_or(hour_of(self.latest_us), |hour| hour.hour)
    }
}
