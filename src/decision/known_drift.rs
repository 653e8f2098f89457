//! What is known of the past: when the data did drift, and when they did not. Half-open intervals in UTC.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::label::{Label, Truth};
use crate::feature::FeatureName;

/// `[start, end)`, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KnownInterval {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    pub label: Truth,
    /// Of which feature; `None`: of the data set.
    pub feature: Option<FeatureName>,
    pub reason: String,
}

impl KnownInterval {
    /// What a label on record says.
    pub fn of_label(label: &Label, reason: &str) -> Self {
        let Label { truth, from, to, feature } = label.clone();
        Self { start: from, end: to, label: truth, feature, reason: reason.to_owned() }
    }

    fn overlaps(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> bool {
        self.start < end && start < self.end
    }

    /// Whether both cannot be true: they say otherwise of the same moment of the same thing. The data set as a whole is another thing than any
    /// of its features.
    pub fn contradicts(&self, other: &Self) -> bool {
        self.label != other.label && self.feature == other.feature && self.overlaps(other.start, other.end)
    }
}

/// The positions of the first two intervals that contradict each other.
pub fn contradiction(intervals: &[KnownInterval]) -> Option<(usize, usize)> {
    intervals.iter().enumerate().find_map(|(second, interval)| {
        let first = intervals.iter().take(second).position(|earlier| earlier.contradicts(interval))?;
        Some((first, second))
    })
}

/// Whether the data are known to have drifted somewhere in `[start, end)`, in any feature.
pub fn is_drift(intervals: &[KnownInterval], start: DateTime<Utc>, end: DateTime<Utc>) -> bool {
    intervals.iter().any(|interval| interval.label == Truth::Drift && interval.overlaps(start, end))
}

/// Whether this feature is known to have drifted somewhere in `[start, end)`: an interval names it, or names none and no other says that
/// this feature did not drift in all of it.
pub fn is_drift_of(intervals: &[KnownInterval], feature: &FeatureName, start: DateTime<Utc>, end: DateTime<Utc>) -> bool {
    let is_spared = |drift: &KnownInterval| {
        let (start, end) = (drift.start.max(start), drift.end.min(end));
        intervals.iter().any(|interval| {
            let is_of = interval.label == Truth::NoDrift && interval.feature.as_ref() == Some(feature);
            is_of && interval.start <= start && end <= interval.end
        })
    };
    intervals.iter().filter(|interval| interval.label == Truth::Drift && interval.overlaps(start, end)).any(|drift| {
        match &drift.feature {
            Some(named) => named == feature,
            None => !is_spared(drift),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600 + hour * 3_600, 0).unwrap()
    }

    fn interval(label: Truth, hours: std::ops::Range<i64>, feature: Option<&str>) -> KnownInterval {
        let (start, end) = (hour(hours.start), hour(hours.end));
        KnownInterval { start, end, label, feature: feature.map(FeatureName::from), reason: String::new() }
    }

    #[test]
    fn drift_and_no_drift_of_the_same_cannot_both_be() {
        let of = |a: KnownInterval, b: KnownInterval| contradiction(&[a, b]).is_some();
        assert!(of(interval(Truth::Drift, 0..5, None), interval(Truth::NoDrift, 4..9, None)));
        assert!(of(interval(Truth::Drift, 0..5, Some("a")), interval(Truth::NoDrift, 4..9, Some("a"))));
        // The data set drifted, and one feature is known not to have; or one feature did, and the data set as a whole did not.
        assert!(!of(interval(Truth::NoDrift, 4..9, None), interval(Truth::Drift, 0..5, Some("a"))));
        assert!(!of(interval(Truth::Drift, 0..5, None), interval(Truth::NoDrift, 4..9, Some("a"))));
        assert!(!of(interval(Truth::Drift, 0..5, Some("b")), interval(Truth::NoDrift, 4..9, Some("a"))));
        // Half-open: one ends where the other begins.
        assert!(!of(interval(Truth::Drift, 0..5, None), interval(Truth::NoDrift, 5..9, None)));
        assert!(!of(interval(Truth::Drift, 0..5, None), interval(Truth::Drift, 4..9, None)));
    }

    #[test]
    fn a_window_that_touches_a_known_drift_is_not_clean() {
        let known = [interval(Truth::Drift, 10..20, None), interval(Truth::NoDrift, 0..30, Some("a"))];
        assert!(is_drift(&known, hour(19), hour(25)) && is_drift(&known, hour(0), hour(11)));
        assert!(!is_drift(&known, hour(0), hour(10)) && !is_drift(&known, hour(20), hour(30)));
        let of = |feature: &str| is_drift_of(&known, &FeatureName::from(feature), hour(5), hour(12));
        assert!(of("b") && !of("a"));
    }
}
