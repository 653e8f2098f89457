//! From firing windows to episodes: of a signal by its real life cycle, of a feature as windows in a row.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::decision::signal::{Memory, Reading, Rules, SignalName, SignalState, Transition, advance};
use crate::window::Window;

/// Something that began, and ended or did not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Episode {
    /// The end of the window in which it opened.
    pub opened: DateTime<Utc>,
    /// The end of the first firing window of the row that opened it: the onset.
    pub onset: DateTime<Utc>,
    /// The end of the window that resolved it; null while it is open.
    pub resolved: Option<DateTime<Utc>>,
    /// Firing windows from the onset on.
    pub fired: u64,
    /// The value farthest from the threshold.
    pub worst: Option<f64>,
}

/// What a signal would have done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Life {
    pub episodes: Vec<Episode>,
    pub messages: u64,
}

/// Moves a signal on from window to window, as the runs would have.
pub fn live(name: SignalName, rules: &Rules, readings: impl Iterator<Item = (Window, Reading)>) -> Life {
    let mut life = Life::default();
    let mut memory: Option<Memory> = None;
    // The row of firing windows that may open it: its onset, its length, its worst value.
    let mut row: Option<(DateTime<Utc>, u64, Option<f64>)> = None;
    let worse = |a: Option<f64>, b: Option<f64>| match (a, b) {
        (Some(a), Some(b)) => Some(if (b < a) == name.lower_is_worse() { b } else { a }),
        (a, b) => a.or(b),
    };
    for (window, reading) in readings {
        let (moved, after) = advance(name, memory.take(), &reading, window.end, rules);
        memory = after;
        life.messages += u64::from(moved.tells.is_some());
        let is_firing = reading.state == SignalState::Firing;
        let open = life.episodes.last_mut().filter(|episode| episode.resolved.is_none());
        match (open, moved.transition) {
            (Some(episode), Transition::Resolved) => episode.resolved = Some(window.end),
            (Some(episode), _) if is_firing => {
                episode.fired += 1;
                episode.worst = worse(episode.worst, reading.value);
            }
            (Some(_), _) => {}
            (None, transition) => {
                if is_firing {
                    let (onset, fired, worst) = row.unwrap_or((window.end, 0, reading.value));
                    row = Some((onset, fired + 1, worse(worst, reading.value)));
                } else if reading.state == SignalState::Quiet {
                    row = None;
                }
                if let (Transition::Opened, Some((onset, fired, worst))) = (transition, row) {
                    life.episodes.push(Episode { opened: window.end, onset, resolved: None, fired, worst });
                    row = None;
                }
            }
        }
    }
    life
}

fn larger(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.max(b)),
        (a, b) => a.or(b),
    }
}

/// The rows of windows in which a feature fired. A window that does not tell neither begins nor ends one.
pub fn in_a_row(windows: impl Iterator<Item = (Window, Option<bool>, Option<f64>)>) -> Vec<Episode> {
    let mut episodes: Vec<Episode> = Vec::new();
    for (window, fired, value) in windows {
        let open = episodes.last_mut().filter(|episode| episode.resolved.is_none());
        match (open, fired) {
            (Some(episode), Some(true)) => {
                episode.fired += 1;
                episode.worst = larger(episode.worst, value);
            }
            (Some(episode), Some(false)) => episode.resolved = Some(window.end),
            (None, Some(true)) => {
                let end = window.end;
                episodes.push(Episode { opened: end, onset: end, resolved: None, fired: 1, worst: value });
            }
            (_, None) | (None, Some(false)) => {}
        }
    }
    episodes
}

#[cfg(test)]
mod tests {
    use super::super::rate::tests::window;
    use super::*;
    use crate::decision::signal::Telling;

    const F: SignalState = SignalState::Firing;
    const Q: SignalState = SignalState::Quiet;
    const I: SignalState = SignalState::Inconclusive;

    fn lived(open_after: u32, close_after: u32, states: &[SignalState]) -> Life {
        let rules = Rules { open_after, close_after, repeat: None, telling: Telling::Send };
        let readings = states.iter().zip(1_i32..).map(|(state, index)| {
            let value = Some(f64::from(index) / 10.0);
            (window(24 + 6 * i64::from(index), 24), Reading { state: *state, value, threshold: None, n: 1, interval: None })
        });
        live(SignalName::DataDrift, &rules, readings)
    }

    fn end(index: i64) -> DateTime<Utc> {
        window(24 + 6 * index, 24).end
    }

    #[test]
    fn a_signal_opens_and_resolves_by_its_hysteresis() {
        let life = lived(2, 2, &[F, Q, F, I, F, F, Q, F, Q, Q, F]);
        // Windows 3 and 5 open it (4 does not tell), 7 alone does not resolve it, 9 and 10 do; the last one alone opens nothing.
        let expected = Episode { opened: end(5), onset: end(3), resolved: Some(end(10)), fired: 4, worst: Some(0.8) };
        assert_eq!(life.episodes, [expected]);
        // Opened, worsened by half, resolved.
        assert_eq!(life.messages, 3);
    }

    #[test]
    fn what_is_open_at_the_end_stays_open() {
        let life = lived(1, 1, &[Q, F, F]);
        assert_eq!(life.episodes, [Episode { opened: end(2), onset: end(2), resolved: None, fired: 2, worst: Some(0.3) }]);
        assert_eq!(lived(1, 1, &[Q, I, Q]), Life::default());
    }

    #[test]
    fn a_features_episodes_are_its_windows_in_a_row() {
        let fired = [Some(true), None, Some(true), Some(false), Some(false), Some(true)];
        let windows = fired.into_iter().zip(1_i32..);
        let found = in_a_row(windows.map(|(fired, index)| (window(24 + 6 * i64::from(index), 24), fired, Some(f64::from(index)))));
        let expected = [
            Episode { opened: end(1), onset: end(1), resolved: Some(end(4)), fired: 2, worst: Some(3.0) },
            Episode { opened: end(6), onset: end(6), resolved: None, fired: 1, worst: Some(6.0) },
        ];
        assert_eq!(found, expected);
    }

    fn valued(name: SignalName, open_after: u32, read: &[(SignalState, Option<f64>)]) -> Vec<(u64, Option<f64>)> {
        let rules = Rules { open_after, close_after: 1, repeat: None, telling: Telling::Send };
        let readings = read.iter().zip(1_i64..).map(|((state, value), index)| {
            (window(24 + 6 * index, 24), Reading { state: *state, value: *value, threshold: None, n: 1, interval: None })
        });
        live(name, &rules, readings).episodes.iter().map(|episode| (episode.fired, episode.worst)).collect()
    }

    #[test]
    fn the_worst_value_is_the_largest_or_the_smallest_as_the_signal_has_it() {
        let read = [(F, Some(0.4)), (F, Some(0.2)), (F, Some(0.7)), (F, Some(0.1)), (F, None), (F, Some(0.5))];
        assert_eq!(valued(SignalName::DataDrift, 1, &read), [(6, Some(0.7))]);
        assert_eq!(valued(SignalName::Accuracy, 1, &read), [(6, Some(0.1))]);
        // In the row that opens it too.
        assert_eq!(valued(SignalName::DataDrift, 4, &read), [(6, Some(0.7))]);
        assert_eq!(valued(SignalName::Accuracy, 4, &read), [(6, Some(0.1))]);
        assert_eq!(valued(SignalName::DataDrift, 1, &[(F, None), (F, Some(0.5))]), [(2, Some(0.5))]);
    }

    #[test]
    fn a_quiet_window_ends_the_row_that_would_have_opened_it_and_one_that_does_not_tell_does_not() {
        let value = Some(0.5);
        assert_eq!(
            valued(SignalName::DataDrift, 2, &[(F, Some(0.9)), (Q, value), (F, value), (I, value), (F, value), (I, value)]),
            [(2, value)]
        );
        assert_eq!(
            valued(SignalName::DataDrift, 1, &[(F, value), (Q, value), (F, Some(0.6)), (F, value), (Q, value)]),
            [(1, value), (2, Some(0.6))]
        );
    }

    #[test]
    fn the_larger_of_two_values_is_the_known_one_where_one_is_not() {
        assert_eq!(
            [
                larger(Some(1.0), Some(2.0)),
                larger(Some(2.0), Some(1.0)),
                larger(None, Some(3.0)),
                larger(Some(4.0), None),
                larger(None, None)
            ],
            [Some(2.0), Some(2.0), Some(3.0), Some(4.0), None]
        );
    }
}
