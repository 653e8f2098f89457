//! What an entry tells of a window: all that its object holds of it, a part, or nothing.

use std::ops::Range;

use super::{Entry, Hour, hour_of, is_exact};
use crate::ingest::HOUR_US;
use crate::ingest::account::ObjectAccount;
use crate::ingest::decode::{Course, Tally};
use crate::window::Window;

/// What is known of an object's rows in a window.
#[derive(Debug)]
pub enum Recalled {
    Nothing,
    /// The object is to be read, but for these rows.
    Part(Part),
    /// The object need not be read: its account, and the hours to be counted.
    Whole(ObjectAccount, Vec<Hour>),
}

/// Rows that need not be counted again.
#[derive(Debug)]
pub struct Part {
    /// In microseconds since the epoch.
    pub known_us: Range<i64>,
    pub rows: u64,
    pub hours: Vec<Hour>,
    generation: String,
    rows_read: u64,
    columns_seen: Vec<bool>,
    cluster_seen: bool,
}

impl Part {
    /// Whether the rest that was read is of the very content that is known, and counts as it would beside the known rows.
    pub fn fits(&self, account: &ObjectAccount) -> bool {
        account.outcome.as_ref().is_ok_and(|tally| {
            is_exact(tally)
                && account.generation == self.generation
                && tally.rows_read == self.rows_read
                && tally.course.rows_known == self.rows
                && tally.columns_seen == self.columns_seen
                && tally.cluster_seen == self.cluster_seen
        })
    }
}

/// How the rows of an hour lie to a window.
#[derive(PartialEq, Eq)]
enum Side {
    Inside,
    Outside,
    Across,
}

/// What an entry tells of its object's rows in a window.
pub fn recall(entry: &Entry, window: Window) -> Recalled {
    let window = window.micros();
    let side = |hour: &Hour| match (window.contains(&hour.oldest_us), window.contains(&hour.newest_us)) {
        (true, true) => Side::Inside,
        (false, false) if hour.newest_us < window.start || window.end <= hour.oldest_us => Side::Outside,
        _ => Side::Across,
    };
    let (first, last) = (entry.oldest_us.max(window.start), entry.latest_us.min(window.end - 1));
    if first > last {
        let newest = Some(entry.latest_us).filter(|latest| *latest < window.end);
        return Recalled::Whole(account(entry, 0, newest), Vec::new());
    }
    let needed = hour_of(first)..hour_of(last) + 1;
    let among = |range: &Range<i64>| -> Vec<&Hour> { entry.hours.iter().filter(|hour| range.contains(&hour.hour)).collect() };
    let hours = among(&needed);
    let is_covered = entry.covered.start <= needed.start && needed.end <= entry.covered.end;
    if is_covered && hours.iter().all(|hour| side(hour) != Side::Across) {
        let inside: Vec<Hour> = hours.iter().filter(|hour| side(hour) == Side::Inside).map(|hour| (*hour).clone()).collect();
        let newest = if entry.latest_us < window.end {
            Some(entry.latest_us)
        } else {
            hours.iter().map(|hour| hour.newest_us).filter(|newest| *newest < window.end).max()
        };
        // Without a row in sight before the end of the window, the newest may be one that is not covered.
        if newest.is_some() {
            let rows = inside.iter().map(|hour| hour.rows).sum();
            return Recalled::Whole(account(entry, rows, newest), inside);
        }
    }
    let mut known = needed.start.max(entry.covered.start)..needed.end.min(entry.covered.end);
    if hours.iter().any(|hour| hour.hour == known.start && side(hour) == Side::Across) {
        known.start += 1;
    }
    if hours.iter().any(|hour| hour.hour + 1 == known.end && side(hour) == Side::Across) {
        known.end -= 1;
    }
    let hours: Vec<Hour> = among(&known).into_iter().filter(|hour| side(hour) == Side::Inside).cloned().collect();
    let rows: u64 = hours.iter().map(|hour| hour.rows).sum();
    if rows == 0 {
        return Recalled::Nothing;
    }
    Recalled::Part(Part {
        known_us: known.start * HOUR_US..known.end * HOUR_US,
        rows,
        hours,
        generation: entry.generation.clone(),
        rows_read: entry.rows_read,
        columns_seen: entry.columns_seen.clone(),
        cluster_seen: entry.cluster_seen,
    })
}

/// The account as a reading would give it.
fn account(entry: &Entry, rows_used: u64, newest_us: Option<i64>) -> ObjectAccount {
    let tally = Tally {
        rows_read: entry.rows_read,
        rows_used,
        rows_outside_window: entry.rows_read.saturating_sub(rows_used),
        columns_seen: entry.columns_seen.clone(),
        cluster_seen: entry.cluster_seen,
        oldest_us: Some(entry.oldest_us),
        newest_us,
        course: Course { latest_us: Some(entry.latest_us), rows_known: rows_used, ..Course::default() },
        ..Tally::default()
    };
    ObjectAccount { uri: entry.uri.clone(), generation: entry.generation.clone(), size_bytes: entry.size_bytes, outcome: Ok(tally) }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    const H: i64 = HOUR_US;

    fn window(start: i64, end: i64) -> Window {
        let moment = |us| DateTime::from_timestamp_micros(us).unwrap();
        Window { start: moment(start), end: moment(end) }
    }

    /// Two rows an hour, at its beginning and at its half, from hour 10 to hour 19; hours 12 to 17 are covered.
    fn entry() -> Entry {
        let hour = |hour| Hour { hour, rows: 2, oldest_us: hour * H, newest_us: hour * H + H / 2, packed: vec![].into() };
        Entry {
            uri: "u".into(),
            version: "v".into(),
            generation: "g".into(),
            size_bytes: 1,
            rows_read: 20,
            oldest_us: 10 * H,
            latest_us: 19 * H + H / 2,
            columns_seen: vec![true],
            cluster_seen: false,
            covered: 12..18,
            hours: (12..18).map(hour).collect(),
        }
    }

    fn of(entry: &Entry, start: i64, end: i64) -> (u64, Option<i64>) {
        match recall(entry, window(start, end)) {
            Recalled::Whole(account, hours) => {
                let tally = account.outcome.unwrap();
                assert!(tally.is_balanced() && hours.iter().map(|hour| hour.rows).sum::<u64>() == tally.rows_used);
                (tally.rows_used, tally.newest_us)
            }
            other => panic!("{other:?}"),
        }
    }

    fn part(entry: &Entry, start: i64, end: i64) -> Option<(u64, i64, i64)> {
        match recall(entry, window(start, end)) {
            Recalled::Part(part) => Some((part.rows, part.known_us.start / H, part.known_us.end / H)),
            Recalled::Nothing => None,
            Recalled::Whole(..) => panic!("whole"),
        }
    }

    #[test]
    fn a_window_of_covered_hours_is_known_as_a_whole() {
        assert_eq!(of(&entry(), 12 * H, 18 * H), (12, Some(17 * H + H / 2)));
        // The rows of hour 14 begin where the window does, and nothing is between half past and its end.
        assert_eq!(of(&entry(), 14 * H, 16 * H + H / 2 + 1), (6, Some(16 * H + H / 2)));
        // No row in sight, and none before the window that is known to be the newest.
        assert_eq!(of(&entry(), 20 * H, 30 * H), (0, Some(19 * H + H / 2)));
        assert_eq!(of(&entry(), 2 * H, 10 * H), (0, None));
        assert_eq!(of(&entry(), 14 * H + H / 2 + 1, 15 * H), (0, Some(14 * H + H / 2)));
    }

    #[test]
    fn the_edges_of_a_window_are_read_and_what_is_across_is_not_known() {
        assert_eq!(part(&entry(), 11 * H, 18 * H), Some((12, 12, 18)));
        assert_eq!(part(&entry(), 12 * H + 1, 18 * H), Some((10, 13, 18)));
        assert_eq!(part(&entry(), 12 * H + 1, 17 * H + 1), Some((8, 13, 17)));
        assert_eq!(part(&entry(), 12 * H + 1, 12 * H + H / 2), None);
        assert_eq!(part(&entry(), 18 * H, 20 * H), None);
        assert_eq!(part(&entry(), 5 * H, 12 * H), None);
    }

    #[test]
    fn hours_that_are_forgotten_are_read() {
        let mut entry = entry();
        assert!(entry.forget_before(15));
        assert_eq!(part(&entry, 12 * H, 18 * H), Some((6, 15, 18)));
        assert_eq!(entry.newest_hour(), 17);
        assert!(!entry.forget_before(18));
    }
}
