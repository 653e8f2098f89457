//! How often something fired, over how many independent windows, with exact bounds.

use serde::Serialize;

use crate::decision::trials::Trials;
use crate::statistic::interval::clopper_pearson;
use crate::window::Window;

/// A rate with its bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rate {
    /// Windows that tell, overlapping or not.
    pub windows: u64,
    /// Of these, the ones that fired.
    pub fired: u64,
    /// As many of the windows as do not overlap: see [`Trials::of`].
    pub independent: u64,
    /// Of these, the ones in which it fired.
    pub independent_fired: u64,
    /// `independent_fired / independent`; null without a window.
    pub rate: Option<f64>,
    /// The two-sided 95 % interval of the rate (Clopper & Pearson).
    pub interval: Option<[f64; 2]>,
    /// The one-sided upper bound at 95 %: the rate is proven to be below.
    pub upper: Option<f64>,
}

/// The confidence of the interval.
const TWO_SIDED: f64 = 0.95;

impl Rate {
    /// Of windows in the order of time, each with whether it fired.
    pub fn of(windows: impl Iterator<Item = (Window, bool)>) -> Self {
        let mut rate = Self::default();
        let trials = Trials::of(windows.map(|(window, fired)| {
            rate.windows += 1;
            rate.fired += u64::from(fired);
            (window.start, window.end, fired)
        }));
        Self {
            independent: trials.independent,
            independent_fired: trials.fired,
            rate: trials.rate(),
            interval: clopper_pearson(trials.fired, trials.independent, TWO_SIDED).map(|interval| [interval.low, interval.high]),
            upper: trials.upper_bound(),
            ..rate
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use chrono::DateTime;

    use super::*;

    /// The window of so many hours that ends at this hour of 2026.
    pub fn window(end_hour: i64, hours: i64) -> Window {
        let hour = |hour: i64| DateTime::from_timestamp(1_767_225_600 + hour * 3_600, 0).unwrap();
        Window { start: hour(end_hour - hours), end: hour(end_hour) }
    }

    fn of(every: i64, length: i64, fired: &[bool]) -> Rate {
        let ends = (0..).map(|index| length + index * every);
        Rate::of(ends.zip(fired).map(|(end, fired)| (window(end, length), *fired)))
    }

    #[test]
    fn windows_apart_are_all_independent() {
        let rate = of(24, 24, &[false, true, false, false, false]);
        assert_eq!((rate.windows, rate.fired, rate.independent, rate.independent_fired), (5, 1, 5, 1));
        assert_eq!(rate.rate, Some(0.2));
        // scipy.stats.beta.ppf([.025, .975, .95], [1, 2, 2], [5, 4, 4]) = 0.00505076, 0.71641794, 0.65740835
        let [low, high] = rate.interval.unwrap();
        assert!((low - 0.005_050_76).abs() < 1e-7 && (high - 0.716_417_94).abs() < 1e-7, "{low} {high}");
        assert!((rate.upper.unwrap() - 0.657_408_35).abs() < 1e-7, "{:?}", rate.upper);
    }

    #[test]
    fn overlapping_windows_are_one_trial_a_length_and_each_alarm_counts_once_in_it() {
        // 24 hours every 6: windows end at 24, 30, 36, 42 | 48, 54, 60, 66 | 72.
        let rate = of(6, 24, &[false, true, true, false, false, false, false, true, false]);
        assert_eq!((rate.windows, rate.fired, rate.independent, rate.independent_fired), (9, 3, 3, 2));
    }

    #[test]
    fn a_gap_begins_a_new_stretch() {
        let rate = Rate::of([24, 30, 90, 96].into_iter().map(|end| (window(end, 24), true)));
        assert_eq!((rate.independent, rate.independent_fired), (2, 2));
    }

    #[test]
    fn nothing_seen_is_nothing_known() {
        assert_eq!(Rate::of(std::iter::empty()), Rate::default());
    }

    #[test]
    fn no_alarm_in_31_days_proves_less_than_a_tenth_and_not_less_than_two_percent() {
        let rate = of(24, 24, &[false; 31]);
        // 1 - 0.05^(1/31) = 0.092118…; 1 - 0.025^(1/31) = 0.112191…
        assert!((rate.upper.unwrap() - (1.0 - 0.05_f64.powf(1.0 / 31.0))).abs() < 1e-9);
        assert!((rate.interval.unwrap()[1] - (1.0 - 0.025_f64.powf(1.0 / 31.0))).abs() < 1e-9);
    }
}
