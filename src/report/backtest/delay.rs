//! How long it took from the beginning of a drift to the first window that fired.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::{ReplayedWindow, fired};
use crate::decision::signal::SignalName;
use crate::feature::FeatureName;

/// When a drift was found, by each who could.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delays {
    /// What the drift is: the reason of its label, or that it was injected.
    pub what: String,
    pub onset: DateTime<Utc>,
    /// Null: until the end of the range.
    pub end: Option<DateTime<Utc>>,
    pub found: Vec<Delay>,
}

/// When one of them fired first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Delay {
    /// The signal or the feature.
    pub by: String,
    pub is_signal: bool,
    /// The end of the first firing window that ends after the onset and begins before the drift's end; null where none fired.
    pub first: Option<DateTime<Utc>>,
    /// From the onset to that moment, in hours.
    pub delay_h: Option<f64>,
    /// Whether it fired already in the last window that ended by the onset: then the delay says nothing.
    pub had_fired: bool,
}

/// Who may find a drift.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    Signal(SignalName),
    Feature(FeatureName),
}

impl By {
    fn fired(&self, window: &ReplayedWindow) -> Option<bool> {
        match self {
            Self::Signal(name) => window.reading(*name).and_then(fired),
            Self::Feature(name) => window.feature(name)?.fired(),
        }
    }
}

/// The delay of each, over windows in the order of time.
pub fn delays(windows: &[ReplayedWindow], what: String, onset: DateTime<Utc>, end: Option<DateTime<Utc>>, by: &[By]) -> Delays {
    let delay = |by: &By| {
        let is_in = |window: &&ReplayedWindow| window.window.end > onset && end.is_none_or(|end| window.window.start < end);
        let first = windows.iter().filter(is_in).find(|window| by.fired(window) == Some(true)).map(|window| window.window.end);
        let before = windows.iter().rev().find(|window| window.window.end <= onset);
        let name = match by {
            By::Signal(name) => name.to_string(),
            By::Feature(name) => name.to_string(),
        };
        Delay {
            by: name,
            is_signal: matches!(by, By::Signal(_)),
            first,
            delay_h: first.map(|first| hours(first - onset)),
            had_fired: before.is_some_and(|window| by.fired(window) == Some(true)),
        }
    };
    Delays { what, onset, end, found: by.iter().map(delay).collect() }
}

fn hours(length: TimeDelta) -> f64 {
    length.as_seconds_f64() / 3_600.0
}

#[cfg(test)]
mod tests {
    use super::super::summary::tests::{feature, window};
    use super::*;
    use crate::decision::rule::Reach;

    fn at(hour: i64) -> DateTime<Utc> {
        super::super::rate::tests::window(hour, 1).end
    }

    #[test]
    fn the_delay_is_from_the_onset_to_the_end_of_the_first_firing_window() {
        let (drift, stable) = (feature(Reach::Always), feature(Reach::Never));
        let windows = [(24, &drift), (30, &stable), (36, &stable), (42, &drift), (48, &drift)]
            .map(|(end, of)| window(end, std::slice::from_ref(of)));
        let by = [By::Signal(SignalName::DataDrift), By::Feature(FeatureName::from("f0"))];
        let found = delays(&windows, "moved".to_owned(), at(33), None, &by).found;
        for delay in &found {
            assert_eq!((delay.first, delay.delay_h, delay.had_fired), (Some(at(42)), Some(9.0), false), "{delay:?}");
        }
        // At 24 it fired without any drift.
        assert!(delays(&windows, String::new(), at(24), Some(at(26)), &by).found.iter().all(|delay| delay.had_fired));
        // Over before any window fires: windows of a day that begin after it are none of its.
        let missed = delays(&windows[..3], String::new(), at(25), Some(at(29)), &by);
        assert_eq!(missed.found.iter().filter_map(|delay| delay.first).count(), 0);
    }

    #[test]
    fn a_window_counts_that_ends_after_the_onset_and_begins_before_the_end() {
        let drift = feature(Reach::Always);
        let windows = [24, 48, 72].map(|end| window(end, std::slice::from_ref(&drift)));
        let found = |onset: i64, end: Option<i64>| {
            let by = [By::Feature(FeatureName::from("f0"))];
            let delays = delays(&windows, "moved".to_owned(), at(onset), end.map(at), &by);
            assert_eq!((delays.what.as_str(), delays.onset, delays.end), ("moved", at(onset), end.map(at)));
            let delay = &delays.found[0];
            assert_eq!((delay.by.as_str(), delay.is_signal), ("f0", false));
            (delay.first, delay.delay_h, delay.had_fired)
        };
        assert_eq!(found(24, None), (Some(at(48)), Some(24.0), true), "a window that ends at the onset is before it");
        assert_eq!(found(23, None), (Some(at(24)), Some(1.0), false));
        // The windows begin at 0, 24 and 48.
        assert_eq!(found(30, Some(24)), (None, None, true), "it begins at the end, not before it");
        assert_eq!(found(30, Some(25)), (Some(at(48)), Some(18.0), true));
        assert_eq!(found(73, None), (None, None, true));
    }

    #[test]
    fn who_does_not_tell_has_not_fired() {
        let (stable, unclear) = (
            feature(Reach::Never),
            crate::report::backtest::ReplayedFeature { verdict: crate::decision::Verdict::Inconclusive, ..feature(Reach::Never) },
        );
        let windows = [window(24, &[unclear]), window(48, &[stable])];
        let fired = |by: By| [by.fired(&windows[0]), by.fired(&windows[1])];
        assert_eq!(fired(By::Feature(FeatureName::from("f0"))), [None, Some(false)]);
        assert_eq!(fired(By::Feature(FeatureName::from("f1"))), [None, None]);
        assert_eq!(fired(By::Signal(SignalName::DataDrift)), [None, Some(false)]);
        assert_eq!(fired(By::Signal(SignalName::Storage)), [None, None]);
    }
}
