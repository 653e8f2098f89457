//! The life of a signal: what changed with this run, and whether somebody is to be told. A pure function of what was remembered and what
//! was read.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{Reading, SignalName, SignalState, Transition};

/// How a signal opens, resolves and reminds, and what may be told in this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Firing runs in a row that open it, at least 1.
    pub open_after: u32,
    /// Quiet runs in a row that resolve it, at least 1.
    pub close_after: u32,
    /// How long after the last message an open signal is told of again; `None`: never.
    pub repeat: Option<TimeDelta>,
    pub telling: Telling,
}

/// What becomes of a message, the quietest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Telling {
    /// Nobody is told in this run, and the message is still owed: the signal is silenced, or `--no-notify` was given.
    Hold,
    /// The message is stored and not sent.
    Shadow,
    Send,
}

/// What is remembered of a signal between runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// While it is closed: firing runs in a row. While it is open: quiet runs in a row.
    streak: u32,
    open: Option<Open>,
}

/// An open signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Open {
    /// The end of the window in which it opened.
    pub since: DateTime<Utc>,
    /// The value at which it opened or last worsened.
    pub worst: Option<f64>,
    /// The last message.
    pub told: Option<Told>,
}

/// What was told of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The end of the window that it was about.
    pub at: DateTime<Utc>,
    pub by: Telling,
}

/// What a run made of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    pub transition: Transition,
    /// The end of the window in which it opened, while it is open and when it has just been resolved.
    pub since: Option<DateTime<Utc>>,
    /// What becomes of the message that is due; `None` when none is.
    pub tells: Option<Telling>,
}

impl Moved {
    /// Nothing was open and nothing is; or the run is about a time that is over.
    pub const NOWHERE: Self = Self { transition: Transition::None, since: None, tells: None };
}

/// A value that rose by this much of its size since the signal was opened has worsened.
const WORSENED_BY: f64 = 0.5;

/// What falls (confidence, accuracy) has worsened when its distance to the threshold grew by as much, and by this at least: close to the
/// threshold every move is large beside the distance.
const WORSENED_BY_AT_LEAST: f64 = 0.05;

/// What changed, and what is to be remembered (`None`: nothing). `at` is the end of the window.
///
/// - Inconclusive neither opens nor resolves anything, and counts for no row of runs.
/// - A message is due when a signal opens, worsens or resolves; when it is open and nobody has been told yet, or only in shadow; and again
///   every `repeat`. A resolution is told to those who were told of the opening.
/// - While nothing may be told, what people know of does not resolve: they would never hear of it.
pub fn advance(
    name: SignalName,
    previous: Option<Memory>,
    reading: &Reading,
    at: DateTime<Utc>,
    rules: &Rules,
) -> (Moved, Option<Memory>) {
    let Memory { streak, open } = previous.unwrap_or_default();
    match (open, reading.state) {
        (None, SignalState::Quiet) => (Moved::NOWHERE, None),
        (None, SignalState::Inconclusive) => (Moved::NOWHERE, remember(streak, None)),
        (None, SignalState::Firing) => {
            let streak = streak.saturating_add(1);
            if streak < rules.open_after {
                return (Moved::NOWHERE, remember(streak, None));
            }
            tell(Transition::Opened, Open { since: at, worst: reading.value, told: None }, 0, at, rules)
        }
        (Some(open), SignalState::Quiet) => {
            let streak = streak.saturating_add(1);
            let is_owed = rules.telling == Telling::Hold && open.told.as_ref().is_some_and(|told| told.by == Telling::Send);
            if streak >= rules.close_after && !is_owed {
                // Who was told of the opening is told of the end, in shadow mode too.
                let tells = open.told.map(|told| told.by).filter(|by| rules.telling != Telling::Hold && *by >= rules.telling);
                return (Moved { transition: Transition::Resolved, since: Some(open.since), tells }, None);
            }
            let moved = Moved { transition: Transition::Ongoing, since: Some(open.since), tells: None };
            (moved, remember(streak, Some(open)))
        }
        (Some(open), SignalState::Inconclusive) => tell(Transition::Ongoing, open, streak, at, rules),
        (Some(mut open), SignalState::Firing) => {
            let transition = if has_worsened(name, open.worst, reading) {
                open.worst = reading.value;
                Transition::Worsened
            } else {
                Transition::Ongoing
            };
            tell(transition, open, 0, at, rules)
        }
    }
}

impl Memory {
    /// What is open, if anything is.
    pub fn open(&self) -> Option<&Open> {
        self.open.as_ref()
    }

    /// This memory, where people were told more than it knows of: it was made from before they were.
    #[must_use]
    pub fn with_told_of(mut self, other: Option<&Self>) -> Self {
        let known = other.and_then(|other| other.open.as_ref()).and_then(|open| open.told.clone());
        if let (Some(open), Some(known)) = (&mut self.open, known) {
            let by = open.told.as_ref().map_or(known.by, |told| told.by.max(known.by));
            open.told = Some(Told { at: open.told.as_ref().map_or(known.at, |told| told.at.max(known.at)), by });
        }
        self
    }
}

fn remember(streak: u32, open: Option<Open>) -> Option<Memory> {
    (streak > 0 || open.is_some()).then_some(Memory { streak, open })
}

/// An open signal after its transition: whether a message is due, and what is then remembered.
fn tell(transition: Transition, mut open: Open, streak: u32, at: DateTime<Utc>, rules: &Rules) -> (Moved, Option<Memory>) {
    let is_news = transition != Transition::Ongoing;
    let is_due = match &open.told {
        None => true,
        // A moment after this one was written by a clock that was wrong.
        Some(told) => {
            told.by < rules.telling
                || told.at > at
                || rules.repeat.is_some_and(|repeat| at.signed_duration_since(told.at) >= repeat)
        }
    };
    let tells = rules.telling != Telling::Hold && (is_news || is_due);
    if tells {
        let by = open.told.map_or(rules.telling, |told| told.by.max(rules.telling));
        open.told = Some(Told { at, by });
    }
    open.since = open.since.min(at);
    let tells = tells.then_some(rules.telling);
    (Moved { transition, since: Some(open.since), tells }, remember(streak, Some(open)))
}

fn has_worsened(name: SignalName, worst: Option<f64>, reading: &Reading) -> bool {
    // That the newest row grows older every hour is no news.
    if name == SignalName::NoData {
        return false;
    }
    // Logs that cannot be used at all are worse than any number of broken features.
    if name == SignalName::BrokenInput && reading.value.is_none() {
        return worst.is_some();
    }
    let (Some(worst), Some(value)) = (worst, reading.value) else { return false };
    if name.lower_is_worse() {
        let threshold = reading.threshold.unwrap_or(worst);
        return worst - value >= WORSENED_BY_AT_LEAST && threshold - value > (threshold - worst) * (1.0 + WORSENED_BY);
    }
    value > worst * (1.0 + WORSENED_BY)
}

#[cfg(test)]
mod tests {
    use SignalState::{Firing, Inconclusive, Quiet};

    use super::*;

    fn reading(state: SignalState, value: f64) -> Reading {
        Reading { state, value: Some(value), threshold: Some(0.3), n: 16, interval: None }
    }

    fn hour(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_769_817_600 + hour * 3_600, 0).unwrap()
    }

    const RULES: Rules = Rules { open_after: 1, close_after: 1, repeat: Some(TimeDelta::hours(24)), telling: Telling::Send };

    /// Plays a signal at six-hour steps: each state and value, what may be told, and whether something was.
    fn play(rules: Rules, steps: &[(SignalState, f64, Telling, Transition, bool)]) -> Option<Memory> {
        let mut memory = None;
        for (index, (state, value, telling, transition, tells)) in steps.iter().enumerate() {
            let at = hour(6 * i64::try_from(index).unwrap());
            let rules = Rules { telling: *telling, ..rules };
            let (moved, next) = advance(SignalName::DataDrift, memory, &reading(*state, *value), at, &rules);
            assert_eq!((moved.transition, moved.tells.is_some()), (*transition, *tells), "step {index}");
            memory = next;
        }
        memory
    }

    #[test]
    fn a_signal_lives_from_opened_to_resolved() {
        use Telling::Send;
        let steps = [
            (Quiet, 0.0, Send, Transition::None, false),
            (Firing, 0.4, Send, Transition::Opened, true),
            (Firing, 0.45, Send, Transition::Ongoing, false),
            (Firing, 0.7, Send, Transition::Worsened, true),
            (Firing, 0.7, Send, Transition::Ongoing, false),
            (Inconclusive, 0.1, Send, Transition::Ongoing, false),
            (Quiet, 0.0, Send, Transition::Resolved, true),
            (Inconclusive, 0.1, Send, Transition::None, false),
        ];
        assert_eq!(play(RULES, &steps), None);
    }

    #[test]
    fn an_open_signal_is_told_of_again_after_a_day_unless_it_is_quiet() {
        use Telling::Send;
        let ongoing = (Firing, 0.4, Send, Transition::Ongoing, false);
        let reminder = (Firing, 0.4, Send, Transition::Ongoing, true);
        let opened = (Firing, 0.4, Send, Transition::Opened, true);
        play(RULES, &[opened, ongoing, ongoing, ongoing, reminder, ongoing, ongoing, ongoing, reminder]);
        play(Rules { repeat: None, ..RULES }, &[opened, ongoing, ongoing, ongoing, ongoing, ongoing]);
        let quiet = (Quiet, 0.0, Send, Transition::Ongoing, false);
        play(Rules { close_after: 9, ..RULES }, &[opened, quiet, quiet, quiet, quiet, quiet, reminder]);
    }

    #[test]
    fn a_signal_opens_and_resolves_after_as_many_runs_in_a_row_as_asked_for() {
        use Telling::Send;
        let rules = Rules { open_after: 2, close_after: 2, ..RULES };
        let steps = [
            (Firing, 0.4, Send, Transition::None, false),
            (Quiet, 0.0, Send, Transition::None, false),
            (Firing, 0.4, Send, Transition::None, false),
            (Inconclusive, 0.0, Send, Transition::None, false),
            (Firing, 0.4, Send, Transition::Opened, true),
            (Quiet, 0.0, Send, Transition::Ongoing, false),
            (Firing, 0.4, Send, Transition::Ongoing, false),
            (Quiet, 0.0, Send, Transition::Ongoing, false),
            (Inconclusive, 0.0, Send, Transition::Ongoing, true),
            (Quiet, 0.0, Send, Transition::Resolved, true),
        ];
        assert_eq!(play(rules, &steps), None);
    }

    #[test]
    fn what_was_held_back_is_told_as_soon_as_it_may_be() {
        use Telling::{Hold, Send, Shadow};
        let steps = [
            (Firing, 0.4, Hold, Transition::Opened, false),
            (Firing, 0.4, Hold, Transition::Ongoing, false),
            (Firing, 0.4, Send, Transition::Ongoing, true),
            // People know of it: it does not resolve behind their backs.
            (Quiet, 0.0, Hold, Transition::Ongoing, false),
            (Quiet, 0.0, Send, Transition::Resolved, true),
            // Nobody ever heard of this one.
            (Firing, 0.4, Hold, Transition::Opened, false),
            (Quiet, 0.0, Hold, Transition::Resolved, false),
            (Firing, 0.4, Shadow, Transition::Opened, true),
            (Firing, 0.4, Shadow, Transition::Ongoing, false),
            // From shadow to notify while it is open.
            (Firing, 0.4, Send, Transition::Ongoing, true),
            (Quiet, 0.0, Send, Transition::Resolved, true),
            (Firing, 0.4, Shadow, Transition::Opened, true),
            // Told in shadow only: there is nobody to tell that it is over.
            (Quiet, 0.0, Send, Transition::Resolved, false),
            // Told, and then put into shadow: whoever knows of it hears of its end.
            (Firing, 0.4, Send, Transition::Opened, true),
            (Firing, 0.4, Shadow, Transition::Ongoing, false),
            (Quiet, 0.0, Shadow, Transition::Resolved, true),
        ];
        assert_eq!(play(RULES, &steps), None);
    }

    #[test]
    fn what_falls_worsens_downwards_and_not_by_a_hair() {
        let rules = RULES;
        let read = |value: f64| Reading { threshold: Some(0.70), ..reading(Firing, value) };
        let mut memory = None;
        for (value, expected) in [
            (0.695, Transition::Opened),
            (0.68, Transition::Ongoing),
            (0.64, Transition::Worsened),
            (0.60, Transition::Ongoing),
            (0.55, Transition::Worsened),
            (0.69, Transition::Ongoing),
        ] {
            let (moved, next) = advance(SignalName::LowConfidence, memory, &read(value), hour(0), &rules);
            assert_eq!(moved.transition, expected, "{value}");
            memory = next;
        }
    }

    #[test]
    fn a_clock_that_was_ahead_does_not_keep_the_reminders_back() {
        let (_, memory) = advance(SignalName::DataDrift, None, &reading(Firing, 0.4), hour(24 * 365), &RULES);
        let (moved, memory) = advance(SignalName::DataDrift, memory, &reading(Firing, 0.4), hour(0), &RULES);
        assert_eq!(moved, Moved { transition: Transition::Ongoing, since: Some(hour(0)), tells: Some(Telling::Send) });
        let (moved, _) = advance(SignalName::DataDrift, memory, &reading(Firing, 0.4), hour(6), &RULES);
        assert_eq!(moved.tells, None);
    }

    #[test]
    fn what_was_told_in_shadow_alone_resolves_while_nothing_may_be_told() {
        use Telling::{Hold, Shadow};
        let steps = [(Firing, 0.4, Shadow, Transition::Opened, true), (Quiet, 0.0, Hold, Transition::Resolved, false)];
        assert_eq!(play(RULES, &steps), None);
    }

    #[test]
    fn a_run_about_the_same_window_tells_nothing_twice() {
        let (first, memory) = advance(SignalName::DataDrift, None, &reading(Firing, 0.4), hour(6), &RULES);
        let (again, memory) = advance(SignalName::DataDrift, memory, &reading(Firing, 0.4), hour(6), &RULES);
        assert_eq!((first.tells, again.tells), (Some(Telling::Send), None));
        // One about an earlier window says since when it really is, and tells it.
        let (earlier, _) = advance(SignalName::DataDrift, memory, &reading(Firing, 0.4), hour(0), &RULES);
        assert_eq!((earlier.since, earlier.tells), (Some(hour(0)), Some(Telling::Send)));
    }

    #[test]
    fn a_memory_takes_over_what_people_were_told_meanwhile() {
        let told = |at: i64, by| Some(Told { at: hour(at), by });
        let open = |told| Memory { streak: 2, open: Some(Open { since: hour(0), worst: Some(0.4), told }) };
        let after = |own, other| open(own).with_told_of(Some(&open(other))).open().unwrap().told.clone();
        assert_eq!(after(None, told(6, Telling::Shadow)), told(6, Telling::Shadow));
        assert_eq!(after(told(12, Telling::Shadow), told(6, Telling::Send)), told(12, Telling::Send));
        assert_eq!(after(told(6, Telling::Send), told(12, Telling::Shadow)), told(12, Telling::Send));
        assert_eq!(after(told(6, Telling::Send), None), told(6, Telling::Send));
        assert_eq!(open(None).with_told_of(None), open(None));
        let closed = Memory { streak: 1, open: None };
        assert_eq!(closed.clone().with_told_of(Some(&open(told(6, Telling::Send)))), closed);
        assert_eq!((closed.open(), open(None).open().unwrap().since), (None, hour(0)));
    }

    /// Of 4 it is 6; of a distance of 0.5 to the threshold 0.75.
    #[test]
    fn a_signal_has_worsened_by_more_than_half_of_its_size() {
        let worsened = |name, worst: Option<f64>, value: Option<f64>, threshold: Option<f64>| {
            has_worsened(name, worst, &Reading { value, threshold, ..reading(Firing, 0.0) })
        };
        let rises = |name, worst, value| worsened(name, Some(worst), Some(value), Some(0.3));
        assert!(!rises(SignalName::DataDrift, 4.0, 6.0) && rises(SignalName::DataDrift, 4.0, 6.1));
        assert!(!rises(SignalName::DataDrift, 4.0, 2.0));
        assert!(!worsened(SignalName::DataDrift, Some(4.0), None, None) && !worsened(SignalName::DataDrift, None, Some(4.0), None));
        let falls = |worst, value| worsened(SignalName::Accuracy, Some(worst), Some(value), Some(1.0));
        assert!(!falls(0.5, 0.25) && falls(0.5, 0.2) && !falls(0.5, 0.6));
        // From very near the threshold it is not enough that the distance is several times as large.
        assert!(!falls(0.999, 0.97) && falls(0.999, 0.9));
        assert!(worsened(SignalName::LowConfidence, Some(0.5), Some(0.4), None));
        // Logs that cannot be used have no number.
        assert!(worsened(SignalName::BrokenInput, Some(4.0), None, None) && !worsened(SignalName::BrokenInput, None, None, None));
        assert!(!rises(SignalName::BrokenInput, 4.0, 6.0) && rises(SignalName::BrokenInput, 4.0, 7.0));
        assert!(!rises(SignalName::NoData, 4.0, 600.0));
    }
}
