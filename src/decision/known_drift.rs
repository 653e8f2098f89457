//! What is known of the past: when the data did drift, and when they did not. Half-open intervals in UTC.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::label::{Label, Truth};
use crate::feature::FeatureName;

/// What is said of a stretch of time, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "Section")]
pub struct KnownInterval {
    pub label: Label,
    pub reason: String,
}

/// Its JSON.
#[derive(Serialize)]
struct Section {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    label: Truth,
    /// Null: of the data set.
    feature: Option<FeatureName>,
    reason: String,
}

impl From<KnownInterval> for Section {
    fn from(KnownInterval { label: Label { truth, from, to, feature }, reason }: KnownInterval) -> Self {
        Self { start: from, end: to, label: truth, feature, reason }
    }
}

/// What is said of times in which there was drift.
fn drifts(intervals: &[KnownInterval], start: DateTime<Utc>, end: DateTime<Utc>) -> impl Iterator<Item = &Label> {
    let labels = intervals.iter().map(|interval| &interval.label);
    labels.filter(move |label| label.truth == Truth::Drift && label.overlaps(start, end))
}

/// Whether the data are known to have drifted somewhere in `[start, end)`, in any feature.
pub fn is_drift(intervals: &[KnownInterval], start: DateTime<Utc>, end: DateTime<Utc>) -> bool {
    drifts(intervals, start, end).next().is_some()
}

/// Whether this feature is known to have drifted somewhere in `[start, end)`: an interval names it, or names none and no other says that
/// this feature did not drift in all of it.
pub fn is_drift_of(intervals: &[KnownInterval], feature: &FeatureName, start: DateTime<Utc>, end: DateTime<Utc>) -> bool {
    let is_spared = |drift: &Label| {
        let (start, end) = (drift.from.max(start), drift.to.min(end));
        intervals.iter().map(|interval| &interval.label).any(|label| {
            let is_of = label.truth == Truth::NoDrift && label.feature.as_ref() == Some(feature);
            is_of && label.from <= start && end <= label.to
        })
    };
    drifts(intervals, start, end).any(|drift| match &drift.feature {
        Some(named) => named == feature,
        None => !is_spared(drift),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_767_225_600 + hour * 3_600, 0).unwrap()
    }

    fn interval(truth: Truth, hours: std::ops::Range<i64>, feature: Option<&str>) -> KnownInterval {
        let label = Label { truth, from: hour(hours.start), to: hour(hours.end), feature: feature.map(FeatureName::from) };
        KnownInterval { label, reason: String::new() }
    }

    #[test]
    fn drift_and_no_drift_of_the_same_cannot_both_be() {
        let of = |a: KnownInterval, b: KnownInterval| a.label.contradicts(&b.label);
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

    #[test]
    fn a_feature_is_spared_where_somebody_says_so_of_all_of_the_drift_in_the_window() {
        let is = |known: &[KnownInterval], from: i64, to: i64| is_drift_of(known, &FeatureName::from("a"), hour(from), hour(to));
        let drift = interval(Truth::Drift, 10..20, None);
        let spared = |hours, feature| vec![drift.clone(), interval(Truth::NoDrift, hours, feature)];
        assert!(!is(&spared(10..20, Some("a")), 0, 30) && !is(&spared(5..12, Some("a")), 0, 12));
        assert!(is(&spared(11..20, Some("a")), 0, 30) && is(&spared(10..19, Some("a")), 0, 30));
        // Of the part that lies in the window it is enough.
        assert!(!is(&spared(12..18, Some("a")), 12, 18));
        assert!(is(&spared(0..30, Some("b")), 0, 30) && is(&spared(0..30, None), 0, 30));
        // A second drift of the same feature is no reason to spare it.
        assert!(is(&[drift.clone(), interval(Truth::Drift, 0..30, Some("a"))], 0, 30));
        assert!(
            !is(&[interval(Truth::Drift, 10..20, Some("b"))], 0, 30) && is(&[interval(Truth::Drift, 10..20, Some("a"))], 0, 30)
        );
        assert!(!is(&[interval(Truth::NoDrift, 10..20, None)], 0, 30) && !is(std::slice::from_ref(&drift), 20, 30));
        assert!(!is_drift(&[interval(Truth::NoDrift, 10..20, None)], hour(0), hour(30)));
    }

    #[test]
    fn an_interval_is_shown_as_it_is_configured() {
        let mut shown = interval(Truth::Drift, 10..20, Some("a"));
        shown.reason = "a new scanner".to_owned();
        let expected = serde_json::json!({
            "start": "2026-01-01T10:00:00Z", "end": "2026-01-01T20:00:00Z", "label": "drift", "feature": "a", "reason": "a new scanner",
        });
        assert_eq!(serde_json::to_value(shown).unwrap(), expected);
    }
}
