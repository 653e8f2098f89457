//! What is to be replayed: a range on the hour, and the windows in it.

use chrono::{DateTime, TimeDelta, Utc};

use crate::cli::BacktestOptions;
use crate::error::JobError;
use crate::ingest::HOUR_US;
use crate::window::{Length, Window};

/// The windows of a backtest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// `[from, to)`.
    pub range: Window,
    pub every: Length,
    pub length: Length,
}

/// More windows than an hourly check makes in ten years: what is kept of each would fill the memory.
const MOST_WINDOWS: i64 = 100_000;

const HOUR_S: i64 = 3_600;

impl Plan {
    /// From what the command line says; `now` because a window that is not over yet cannot be replayed.
    pub fn of(options: &BacktestOptions, length: Length, now: DateTime<Utc>) -> Result<Self, JobError> {
        let BacktestOptions { from, to, every, .. } = options;
        let (from, to) = (*from, *to);
        let refuse = |reason: String| Err(JobError::Usage(reason));
        let every = match every {
            Some(text) => text.parse().map_err(|error| JobError::Usage(format!("--every: {error}")))?,
            None => length,
        };
        for (name, length) in [("--every", every), ("--window", length)] {
            if length.seconds() % HOUR_S != 0 {
                return refuse(format!(
                    "{name} is {length}, and a backtest counts rows by whole hours: write a length such as 1h, 6h or 24h"
                ));
            }
        }
        for (name, moment) in [("--from", from), ("--to", to)] {
            if moment.timestamp_micros() % HOUR_US != 0 {
                return refuse(format!("{name} is {moment}, and windows begin and end on the hour: write a whole hour"));
            }
        }
        if from >= to {
            return refuse(format!("the range is empty: --from {from} is not before --to {to}"));
        }
        if to > now {
            return refuse(format!("--to {to} is not over yet: it is {} now", now.format("%Y-%m-%d %H:%M UTC")));
        }
        let room = (to - from - length.delta()).num_seconds();
        if room < 0 {
            return refuse(format!("no window of {length} lies between --from {from} and --to {to}: widen the range"));
        }
        if room / every.seconds() >= MOST_WINDOWS {
            return refuse(format!("that is more than {MOST_WINDOWS} windows: shorten the range or lengthen --every"));
        }
        Ok(Self { range: Window { start: from, end: to }, every, length })
    }

    /// All windows, in the order of time.
    pub fn windows(&self) -> impl Iterator<Item = Window> {
        let Self { range, every, length } = *self;
        let first = Window { start: range.start, end: range.start + length.delta() };
        std::iter::successors(Some(first), move |window| {
            Some(Window { start: window.start + every.delta(), end: window.end + every.delta() })
        })
        .take_while(move |window| window.end <= range.end)
    }

    /// The longest length that all windows are made of, in hours.
    pub fn step_hours(&self) -> i64 {
        let (mut a, mut b) = (self.every.seconds() / HOUR_S, self.length.seconds() / HOUR_S);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a.max(1)
    }

    /// The whole hour nearest below the middle of the range.
    pub fn middle(&self) -> DateTime<Utc> {
        let hours = (self.range.end - self.range.start).num_hours() / 2;
        self.range.start + TimeDelta::hours(hours)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(from: &str, to: &str, every: Option<&str>) -> BacktestOptions {
        BacktestOptions {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            every: every.map(str::to_owned),
            known_drift: None,
            inject: Vec::new(),
            inject_at: None,
            output: None,
        }
    }

    fn plan(from: &str, to: &str, every: Option<&str>, length: &str) -> Result<Plan, String> {
        let now = "2026-02-01T00:00:00Z".parse().unwrap();
        Plan::of(&options(from, to, every), length.parse().unwrap(), now).map_err(|error| error.to_string())
    }

    #[test]
    fn windows_lie_in_the_range() {
        let plan = plan("2026-01-01T00:00:00Z", "2026-01-03T05:00:00Z", Some("6h"), "24h").unwrap();
        let ends: Vec<String> = plan.windows().map(|window| window.end.format("%d %H").to_string()).collect();
        assert_eq!(ends, ["02 00", "02 06", "02 12", "02 18", "03 00"]);
        assert_eq!((plan.step_hours(), plan.middle().format("%d %H").to_string()), (6, "02 02".to_owned()));
    }

    #[test]
    fn a_step_divides_the_windows_and_the_way_between_them() {
        let hours = |every, length| plan("2026-01-01T00:00:00Z", "2026-01-30T00:00:00Z", every, length).unwrap().step_hours();
        assert_eq!((hours(Some("5h"), "24h"), hours(Some("36h"), "24h"), hours(None, "24h")), (1, 12, 24));
    }

    #[test]
    fn what_cannot_be_replayed_is_refused() {
        let day = "2026-01-01T00:00:00Z";
        let why = |from, to, every, length| plan(from, to, every, length).unwrap_err();
        assert!(why(day, day, None, "24h").contains("empty"));
        assert!(why("2026-01-02T00:00:00Z", day, None, "24h").contains("empty"));
        assert!(why(day, "2026-01-01T23:00:00Z", None, "24h").contains("no window of 24h"));
        assert!(why(day, "2026-01-03T00:00:00Z", Some("90m"), "24h").contains("--every is 90m"));
        assert!(why(day, "2026-01-03T00:00:00Z", Some("6h"), "30m").contains("--window is 30m"));
        assert!(why(day, "2026-01-03T00:00:00Z", Some("6"), "24h").contains("not a length"));
        assert!(why("2026-01-01T00:30:00Z", "2026-01-03T00:00:00Z", None, "24h").contains("on the hour"));
        assert!(why(day, "2026-02-01T01:00:00Z", None, "24h").contains("not over yet"));
        assert!(why("2000-01-01T00:00:00Z", day, Some("1h"), "24h").contains("windows"));
    }
}
