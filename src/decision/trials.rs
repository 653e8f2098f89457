//! How often something fired, counted over windows that are independent of one another.

use chrono::{DateTime, Utc};

use crate::statistic::interval::clopper_pearson;

/// A two-sided interval at 90 % ends at the one-sided bound of 95 %.
const TWO_SIDED: f64 = 0.90;

/// Windows that do not overlap, and how many of them fired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trials {
    pub independent: u64,
    pub fired: u64,
}

impl Trials {
    /// Of windows `(start, end, fired)` in the order of time.
    ///
    /// Windows that overlap share rows, so they are no independent trials. The first window begins a stretch as long as itself; every window
    /// that starts in the stretch belongs to it, and the next one begins the next stretch. A stretch is one trial, and fired if any of its
    /// windows did: that counts no alarm less than there were, and never more trials than windows that do not overlap.
    pub fn of(windows: impl IntoIterator<Item = (DateTime<Utc>, DateTime<Utc>, bool)>) -> Self {
        let mut trials = Self::default();
        let mut stretch: Option<(DateTime<Utc>, bool)> = None;
        for (start, end, fires) in windows {
            let (end, had_fired) = match stretch {
                Some((end, had_fired)) if start < end => (end, had_fired),
                _ => {
                    trials.independent += 1;
                    (end, false)
                }
            };
            trials.fired += u64::from(fires && !had_fired);
            stretch = Some((end, had_fired || fires));
        }
        trials
    }

    /// `fired / independent`; `None` without a window.
    pub fn rate(self) -> Option<f64> {
        (self.independent > 0).then(|| self.fired as f64 / self.independent as f64)
    }

    /// The rate is at most this, with a confidence of 95 % (Clopper & Pearson 1934, doi:10.1093/biomet/26.4.404); `None` without a window.
    pub fn upper_bound(self) -> Option<f64> {
        clopper_pearson(self.fired, self.independent, TWO_SIDED).map(|interval| interval.high)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows `(start, end, fired)` in hours.
    fn of(windows: &[(i64, i64, bool)]) -> Trials {
        let hour = |hour: i64| DateTime::from_timestamp(1_769_817_600 + hour * 3_600, 0).unwrap();
        Trials::of(windows.iter().map(|(start, end, fired)| (hour(*start), hour(*end), *fired)))
    }

    #[test]
    fn a_stretch_of_overlapping_windows_is_one_trial_that_fired_once_or_not() {
        assert_eq!(of(&[]), Trials { independent: 0, fired: 0 });
        assert_eq!(of(&[(0, 24, true), (6, 30, false), (12, 36, true), (23, 47, true)]), Trials { independent: 1, fired: 1 });
        assert_eq!(of(&[(0, 24, false), (6, 30, false), (12, 36, true)]), Trials { independent: 1, fired: 1 });
        // One that starts where the stretch ends begins the next, which is as long as itself.
        assert_eq!(of(&[(0, 24, true), (24, 48, false), (40, 64, false), (48, 72, true)]), Trials { independent: 3, fired: 2 });
    }

    #[test]
    fn without_a_window_there_is_no_rate() {
        let none = Trials::default();
        assert_eq!((none.rate(), none.upper_bound()), (None, None));
        let some = Trials { independent: 8, fired: 2 };
        assert_eq!(some.rate(), Some(0.25));
        // scipy.stats.beta.ppf(0.95, 3, 6)
        assert!((some.upper_bound().unwrap() - 0.599_689_4).abs() < 1e-6, "{some:?}");
    }
}
