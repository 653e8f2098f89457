//! The counts of the range, step by step: hours of all objects summed up to the longest length that every window is made of.
//!
//! A window is the sum of its steps. Counts are integers that merge by addition, so the sum is what one reading of the window counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ingest::cache::Hour;
use crate::ingest::{HOUR_US, cache::hour_of};
use crate::profile::packed::Unpacker;
use crate::profile::recent::Recent;
use crate::profile::{ReferenceProfile, WindowCounts};
use crate::window::Window;

/// The counts that are held.
pub struct Steps {
    profile: Arc<ReferenceProfile>,
    /// Since the epoch.
    first_hour: i64,
    step_hours: i64,
    /// By step; those that no window needs any more are gone.
    counts: BTreeMap<i64, WindowCounts>,
    /// Rows and newest confidences by step; all are kept, since later windows look back to them.
    recents: BTreeMap<i64, (u64, Recent)>,
    capacity: usize,
    /// Steps before this one are not needed.
    needed_from: i64,
    /// The most that were held at a time.
    pub most_held: usize,
}

impl Steps {
    pub fn new(profile: Arc<ReferenceProfile>, range: Window, step_hours: i64, capacity: usize) -> Self {
        Self {
            profile,
            first_hour: hour_of(range.start.timestamp_micros()),
            step_hours,
            counts: BTreeMap::new(),
            recents: BTreeMap::new(),
            capacity,
            needed_from: 0,
            most_held: 0,
        }
    }

    fn of_hour(&self, hour: i64) -> i64 {
        (hour - self.first_hour).div_euclid(self.step_hours)
    }

    /// The steps that a stretch of whole steps is made of.
    fn of(&self, window: Window) -> std::ops::Range<i64> {
        let at = |micros: i64| self.of_hour(micros.div_euclid(HOUR_US));
        at(window.start.timestamp_micros())..at(window.end.timestamp_micros())
    }

    /// Adds the rows of an object in an hour; `None` where what was packed makes no sense.
    pub fn add(&mut self, hour: &Hour) -> Option<()> {
        let mut from = Unpacker::new(&hour.packed);
        let counts = WindowCounts::unpack(&self.profile, hour.rows, &mut from)?;
        let recent = Recent::unpack(self.capacity, &mut from)?;
        from.is_empty().then_some(())?;
        let step = self.of_hour(hour.hour);
        let (rows, newest) = self.recents.entry(step).or_insert_with(|| (0, Recent::new(self.capacity)));
        *rows += hour.rows;
        newest.merge(&recent);
        if step >= self.needed_from {
            match self.counts.entry(step) {
                std::collections::btree_map::Entry::Vacant(place) => {
                    place.insert(counts);
                }
                std::collections::btree_map::Entry::Occupied(mut known) => known.get_mut().merge(&counts),
            }
            self.most_held = self.most_held.max(self.counts.len());
        }
        Some(())
    }

    /// Adds the counts of a window to others over the same profile.
    pub fn add_to(&self, window: Window, counts: &mut WindowCounts) {
        self.counts.range(self.of(window)).for_each(|(_, more)| counts.merge(more));
    }

    /// The rows of a window, and its newest confidences.
    pub fn recent(&self, window: Window) -> (u64, Recent) {
        let mut found = (0, Recent::new(self.capacity));
        for (rows, recent) in self.recents.range(self.of(window)).map(|(_, step)| step) {
            found.0 += rows;
            found.1.merge(recent);
        }
        found
    }

    /// Drops what lies before the start of a window.
    pub fn forget_before(&mut self, window: Window) {
        self.needed_from = self.of(window).start;
        self.counts = self.counts.split_off(&self.needed_from);
    }
}
