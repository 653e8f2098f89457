//! The entries of a run, within a bound: the newest hours are kept.

use std::collections::BTreeMap;

use super::Entry;
use super::pack::HEAD_BYTES;

/// Entries that wait to be stored.
#[derive(Debug)]
pub struct Gathered {
    /// How many bytes their pack may take.
    limit_bytes: usize,
    entries: Vec<Entry>,
    bytes: usize,
}

/// What an entry takes beside its hours and texts, and an hour beside its counts: some ten numbers.
const OVERHEAD_BYTES: usize = 100;

fn of_entry(entry: &Entry) -> usize {
    OVERHEAD_BYTES + entry.uri.len() + entry.version.len() + entry.generation.len() + entry.columns_seen.len()
}

fn of_hours(entry: &Entry) -> usize {
    entry.hours.iter().map(|hour| OVERHEAD_BYTES + hour.packed.len()).sum()
}

impl Gathered {
    pub fn new(limit_bytes: usize) -> Self {
        Self { limit_bytes: limit_bytes.saturating_sub(HEAD_BYTES), entries: Vec::new(), bytes: 0 }
    }

    pub fn add(&mut self, entry: Entry) {
        self.bytes += of_entry(&entry) + of_hours(&entry);
        self.entries.push(entry);
        // Not with every entry: each time all of them are looked at.
        if self.bytes > self.limit_bytes.saturating_mul(2) {
            self.trim();
        }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn uris(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.uri.as_str())
    }

    /// The entries, with as many of the newest hours as fit.
    pub fn into_entries(mut self) -> Vec<Entry> {
        self.trim();
        self.entries
    }

    /// Leaves out the oldest hours until the rest fits.
    fn trim(&mut self) {
        if self.bytes <= self.limit_bytes {
            return;
        }
        let mut by_hour: BTreeMap<i64, usize> = BTreeMap::new();
        for entry in &self.entries {
            *by_hour.entry(entry.newest_hour()).or_default() += of_entry(entry);
            for hour in &entry.hours {
                *by_hour.entry(hour.hour).or_default() += OVERHEAD_BYTES + hour.packed.len();
            }
        }
        let mut room = self.limit_bytes;
        let mut kept_from = i64::MAX;
        for (hour, bytes) in by_hour.into_iter().rev() {
            let Some(rest) = room.checked_sub(bytes) else { break };
            (room, kept_from) = (rest, hour);
        }
        self.entries.retain_mut(|entry| entry.newest_hour() >= kept_from && entry.forget_before(kept_from));
        self.bytes = self.entries.iter().map(|entry| of_entry(entry) + of_hours(entry)).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::cache::Hour;

    fn entry(uri: &str, hours: std::ops::Range<i64>) -> Entry {
        let hour = |hour| Hour { hour, rows: 1, oldest_us: 0, newest_us: 0, packed: vec![0; 400].into() };
        Entry {
            uri: uri.to_owned(),
            version: String::new(),
            generation: String::new(),
            size_bytes: 0,
            rows_read: 1,
            oldest_us: 0,
            latest_us: 0,
            columns_seen: Vec::new(),
            cluster_seen: false,
            covered: hours.clone(),
            hours: hours.map(hour).collect(),
        }
    }

    #[test]
    fn what_does_not_fit_is_the_oldest() {
        let mut gathered = Gathered::new(5_000);
        for (uri, hours) in [("old", 0..5), ("long", 0..8), ("new", 4..8)] {
            gathered.add(entry(uri, hours));
        }
        let kept: Vec<(String, i64, usize)> =
            gathered.into_entries().into_iter().map(|entry| (entry.uri, entry.covered.start, entry.hours.len())).collect();
        assert_eq!(kept, [("old".to_owned(), 4, 1), ("long".to_owned(), 4, 4), ("new".to_owned(), 4, 4)]);
    }

    #[test]
    fn an_hour_that_is_too_large_leaves_nothing() {
        let mut gathered = Gathered::new(600);
        gathered.add(entry("a", 0..3));
        assert!(gathered.into_entries().is_empty());
    }
}
