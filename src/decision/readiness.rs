//! Whether a signal in shadow is fit to notify: how often it fires where nothing drifted, as far as its past windows show.
//!
//! - Only windows that do not overlap are independent. Each of them stands for all that overlap it: it counts as an alarm when one of those
//!   fired, so that no alarm is lost because its window was not the one that was chosen.
//! - A window that overlaps a label of drift is left out, and so is one in which the signal was inconclusive: it could not have fired.
//! - A window that nobody labelled counts as one without drift: what fired in it was a false alarm.
//!
//! The bound is the exact one of Clopper & Pearson (1934, doi:10.1093/biomet/26.4.404), one-sided at 95 %: "0 of 12" is not "0 %".

use chrono::{DateTime, TimeDelta, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::label::{Label, Truth};
use super::signal::SignalState;
use super::trials::Trials;

/// The false-alarm rate that a signal must stay below, surely, before people are to be woken by it.
pub const TARGET: f64 = 0.02;

/// The mean month, in days.
const MONTH_DAYS: f64 = 365.25 / 12.0;

/// More windows than this are never asked for: no job runs so long.
const MOST_WINDOWS: u64 = 1 << 20;

/// What a signal read in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    pub state: SignalState,
    /// Whether it was held against the threshold of today.
    pub same_threshold: bool,
}

/// What past windows show of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Readiness {
    /// Windows on record in which the signal was read.
    pub windows: u64,
    pub left_out: LeftOut,
    /// Of the others, windows that do not overlap one another.
    pub independent: u64,
    /// Independent windows in which it fired, in one that overlaps them at least, although nobody said that there was drift.
    pub false_alarms: u64,
    /// `false_alarms / independent`; null without a window.
    pub rate: Option<f64>,
    /// The rate is at most this, with a confidence of 95 %; 1 without a window.
    pub upper_bound: f64,
    /// How many more independent windows without a false alarm bring the bound below 2 %; null: more than a million.
    pub needed: Option<u64>,
    pub per_month: PerMonth,
}

/// Why windows do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// Somebody said that there was drift.
    pub labelled_drift: u64,
    pub inconclusive: u64,
    /// The threshold was another one.
    pub other_threshold: u64,
}

/// What a signal that notifies would make of a mean month (30.4 days).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PerMonth {
    /// Independent windows.
    pub windows: f64,
    /// Expected false alarms: the rate times the windows; null without a rate.
    pub estimate: Option<f64>,
    /// The same with the upper bound of the rate.
    pub upper_bound: f64,
}

impl Readiness {
    /// Whether the bound is below the target.
    pub fn is_ready(&self) -> bool {
        self.upper_bound < TARGET
    }
}

/// What windows of one length show of a signal.
pub fn assess(observed: &[Observation], labels: &[Label], length: TimeDelta) -> Readiness {
    let mut left_out = LeftOut::default();
    let is_drift =
        |window: &Observation| labels.iter().any(|label| label.truth == Truth::Drift && label.overlaps(window.start, window.end));
    let mut counted: Vec<&Observation> = observed
        .iter()
        .filter(|window| {
            let reason = if is_drift(window) {
                &mut left_out.labelled_drift
            } else if !window.same_threshold {
                &mut left_out.other_threshold
            } else if window.state == SignalState::Inconclusive {
                &mut left_out.inconclusive
            } else {
                return true;
            };
            *reason = reason.saturating_add(1);
            false
        })
        .collect();
    counted.sort_by_key(|window| (window.start, window.end));
    let trials = Trials::of(counted.iter().map(|window| (window.start, window.end, window.state == SignalState::Firing)));
    let (Trials { independent, fired: false_alarms }, rate) = (trials, trials.rate());
    let upper_bound = bound(false_alarms, independent);
    let windows = MONTH_DAYS * 86_400.0 / length.as_seconds_f64().max(1.0);
    Readiness {
        windows: observed.len() as u64,
        left_out,
        independent,
        false_alarms,
        rate,
        upper_bound,
        needed: needed(false_alarms, independent),
        per_month: PerMonth { windows, estimate: rate.map(|rate| rate * windows), upper_bound: upper_bound * windows },
    }
}

fn bound(alarms: u64, windows: u64) -> f64 {
    Trials { independent: windows, fired: alarms }.upper_bound().unwrap_or(1.0)
}

/// The smallest number of further windows without an alarm that brings the bound below the target.
fn needed(alarms: u64, windows: u64) -> Option<u64> {
    let is_enough = |total: u64| bound(alarms, total) < TARGET;
    if is_enough(windows) {
        return Some(0);
    }
    let mut high = windows.max(1);
    while !is_enough(high) {
        high = high.checked_mul(2).filter(|high| *high <= MOST_WINDOWS)?;
    }
    // Not enough at `low`, enough at `high`.
    let mut low = windows.max(high / 2);
    while high - low > 1 {
        let middle = u64::midpoint(low, high);
        if is_enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high.checked_sub(windows)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use SignalState::{Firing, Inconclusive, Quiet};

    use super::*;

    fn hour(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_769_817_600 + hour * 3_600, 0).unwrap()
    }

    /// A window of 24 hours.
    fn day_to(end: i64, state: SignalState) -> Observation {
        Observation { start: hour(end - 24), end: hour(end), state, same_threshold: true }
    }

    fn quiet_days(days: i64) -> Vec<Observation> {
        (1..=days).map(|day| day_to(24 * day, Quiet)).collect()
    }

    fn of(observed: &[Observation]) -> Readiness {
        assess(observed, &[], TimeDelta::hours(24))
    }

    fn drift(from: i64, to: i64) -> Label {
        Label { truth: Truth::Drift, from: hour(from), to: hour(to), feature: None }
    }

    #[test]
    fn windows_of_a_day_every_six_hours_count_one_in_four() {
        let windows: Vec<Observation> = (0..41).map(|run| day_to(24 + 6 * run, Quiet)).collect();
        let found = of(&windows);
        // Those that end at hour 24, 48, …, 264.
        assert_eq!((found.windows, found.independent, found.false_alarms), (41, 11, 0));
    }

    #[test]
    fn an_alarm_counts_whichever_of_the_overlapping_windows_it_was_in_and_once() {
        let mut windows: Vec<Observation> = (0..8).map(|run| day_to(24 + 6 * run, Quiet)).collect();
        windows[2].state = Firing;
        windows[3].state = Firing;
        let found = of(&windows);
        assert_eq!((found.independent, found.false_alarms), (2, 1));
        // One that goes on into the next independent window is one there too.
        windows[4].state = Firing;
        assert_eq!(of(&windows).false_alarms, 2);
        windows.reverse();
        assert_eq!(of(&windows).false_alarms, 2, "in whatever order they come");
    }

    #[test]
    fn the_bound_is_what_can_be_computed_by_hand() {
        // Without an alarm it solves (1 − p)^n = 0.05: 1 − 0.05^(1/12) = 0.2209…, 1 − 0.05^(1/149) = 0.01990…
        let twelve = of(&quiet_days(12));
        assert_eq!((twelve.rate, twelve.needed), (Some(0.0), Some(137)));
        assert!((twelve.upper_bound - (1.0 - 0.05_f64.powf(1.0 / 12.0))).abs() < 1e-12, "{}", twelve.upper_bound);
        assert_eq!((of(&quiet_days(148)).is_ready(), of(&quiet_days(148)).needed), (false, Some(1)));
        assert_eq!((of(&quiet_days(149)).is_ready(), of(&quiet_days(149)).needed), (true, Some(0)));
        // With one it solves (1 − p)^n + n p (1 − p)^(n − 1) = 0.05.
        let mut one = quiet_days(30);
        one[7].state = Firing;
        let one = of(&one);
        let p = one.upper_bound;
        assert!(((1.0 - p).powi(30) + 30.0 * p * (1.0 - p).powi(29) - 0.05).abs() < 1e-12, "{p}");
        assert!((one.rate.unwrap() - 1.0 / 30.0).abs() < 1e-15);
        // 0.98^235 + 235 · 0.02 · 0.98^234 = 0.05026…, 0.98^236 + 236 · 0.02 · 0.98^235 = 0.04943…
        assert_eq!(one.needed, Some(236 - 30));
    }

    #[test]
    fn a_month_has_as_many_independent_windows_as_fit_in_it() {
        // 365.25 / 12 = 30.4375 days.
        let mut days = quiet_days(50);
        days[0].state = Firing;
        let found = of(&days);
        assert!((found.per_month.windows - 30.4375).abs() < 1e-12);
        assert!((found.per_month.estimate.unwrap() - 0.02 * 30.4375).abs() < 1e-12);
        assert!((found.per_month.upper_bound - found.upper_bound * 30.4375).abs() < 1e-12);
        let hourly = assess(&[], &[], TimeDelta::hours(6));
        assert!((hourly.per_month.windows - 121.75).abs() < 1e-9 && hourly.per_month.estimate.is_none());
    }

    #[test]
    fn windows_of_drift_inconclusive_ones_and_those_of_another_threshold_are_left_out() {
        let mut windows = quiet_days(10);
        windows[1].state = Firing;
        windows[2].state = Inconclusive;
        windows[3].same_threshold = false;
        // The whole of day 2, and the last hour of day 5.
        let no_drift = Label { truth: Truth::NoDrift, ..drift(0, 240) };
        let found = assess(&windows, &[drift(30, 31), drift(119, 120), no_drift], TimeDelta::hours(24));
        assert_eq!(found.left_out, LeftOut { labelled_drift: 2, inconclusive: 1, other_threshold: 1 });
        assert_eq!((found.windows, found.independent, found.false_alarms), (10, 6, 0));
        // A label of one feature says as much: there was drift.
        let of_a = Label { feature: Some("a".into()), ..drift(30, 31) };
        assert_eq!(assess(&windows, &[of_a], TimeDelta::hours(24)).left_out.labelled_drift, 1);
    }

    #[test]
    fn nothing_seen_is_nothing_known() {
        let found = of(&[]);
        assert_eq!((found.independent, found.rate, found.upper_bound, found.needed), (0, None, 1.0, Some(149)));
        assert!(!found.is_ready());
        let always: Vec<Observation> = (1..=5).map(|day| day_to(24 * day, Firing)).collect();
        assert_eq!((of(&always).upper_bound, of(&always).is_ready()), (1.0, false));
    }

    proptest! {
        #[test]
        fn what_is_needed_suffices_and_one_less_does_not(windows in 0_u64..400, alarms in 0_u64..12) {
            let alarms = alarms.min(windows);
            let more = needed(alarms, windows).unwrap();
            prop_assert!(bound(alarms, windows + more) < TARGET);
            prop_assert!(more == 0 || bound(alarms, windows + more - 1) >= TARGET);
        }
    }

    #[test]
    fn a_bound_of_exactly_the_target_is_not_below_it() {
        let ready = of(&quiet_days(149));
        assert!(ready.is_ready() && !Readiness { upper_bound: TARGET, ..ready }.is_ready());
    }

    #[test]
    fn more_windows_than_any_job_has_are_not_asked_for() {
        assert_eq!(needed(100_000, 100_000), None);
        assert!(needed(10_000, 10_000).is_some_and(|more| (490_000..520_000).contains(&more)));
    }
}
