//! Signals: what can fire, and the life of each from opened to resolved, as a pure transition.
//!
//! A signal reads the decision and the findings; it cannot change them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DatasetVerdict;
use super::dataset::DatasetDecision;

/// What can fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignalName {
    DataDrift,
    BrokenInput,
    NoData,
}

/// What is done when a signal fires.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignalMode {
    /// Computed, recorded, sent.
    Notify,
    /// Computed, recorded, not sent.
    Shadow,
    /// Not computed.
    Off,
}

/// What a signal says about this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignalState {
    Firing,
    Quiet,
    /// The data do not tell.
    Inconclusive,
}

/// What changed since the run before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transition {
    Opened,
    Worsened,
    Ongoing,
    Resolved,
    /// Nothing was open and nothing is.
    None,
}

/// One signal in the report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SignalReport {
    pub name: SignalName,
    pub mode: SignalMode,
    pub state: SignalState,
    /// What is held against the threshold.
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    /// How many features or rows `value` is computed from.
    pub n: u64,
    /// The 95 % interval of `value`, where it has one.
    pub interval: Option<[f64; 2]>,
    /// Null when the state store could not be read.
    pub transition: Option<Transition>,
    pub deliveries: Vec<Delivery>,
}

/// What became of a message on one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    pub channel: String,
    pub status: DeliveryStatus,
}

/// Whether a message went out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryStatus {
    Delivered,
    /// Computed and recorded only: the signal is in shadow mode.
    Shadowed,
    /// `--no-notify` or `--dry-run`.
    Suppressed,
    /// This version has no such channel.
    Unavailable,
}

/// What a signal is measured by in this run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    pub state: SignalState,
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    pub n: u64,
}

/// What each signal reads in a run's decision. `stale`: the newest row is older than allowed.
pub fn readings(decision: &DatasetDecision, stale: bool) -> [(SignalName, Reading); 3] {
    let no_data = decision.verdict == DatasetVerdict::NoData;
    let fires = |condition: bool| if condition { SignalState::Firing } else { SignalState::Quiet };
    let features = |state: SignalState, value: f64, threshold: f64| Reading {
        state,
        value: Some(value),
        threshold: Some(threshold),
        n: u64::from(decision.configured),
    };
    let drift = match decision.verdict {
        DatasetVerdict::Drift => SignalState::Firing,
        DatasetVerdict::Stable => SignalState::Quiet,
        DatasetVerdict::Inconclusive | DatasetVerdict::NoData => SignalState::Inconclusive,
    };
    let broken = if no_data { SignalState::Inconclusive } else { fires(decision.broken > 0) };
    [
        (SignalName::DataDrift, features(drift, decision.share, decision.threshold)),
        (SignalName::BrokenInput, features(broken, f64::from(decision.broken), 0.0)),
        (SignalName::NoData, Reading { state: fires(no_data || stale), value: None, threshold: None, n: 0 }),
    ]
}

/// What the store remembers of a signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenSignal {
    /// The value at which it was opened or last worsened.
    pub worst: Option<f64>,
}

/// A value that rose by this much of its size since the signal was opened has worsened.
const WORSENED_BY: f64 = 0.5;

/// The life of a signal: what changed, and what is to be remembered (`None`: it is not open).
///
/// Inconclusive neither opens nor resolves anything: what was open stays open.
pub fn advance(previous: Option<OpenSignal>, reading: &Reading) -> (Transition, Option<OpenSignal>) {
    let now = OpenSignal { worst: reading.value };
    match (previous, reading.state) {
        (None, SignalState::Firing) => (Transition::Opened, Some(now)),
        (None, SignalState::Quiet | SignalState::Inconclusive) => (Transition::None, None),
        (Some(_), SignalState::Quiet) => (Transition::Resolved, None),
        (Some(open), SignalState::Inconclusive) => (Transition::Ongoing, Some(open)),
        (Some(open), SignalState::Firing) => match (open.worst, reading.value) {
            (Some(worst), Some(value)) if value > worst * (1.0 + WORSENED_BY) => (Transition::Worsened, Some(now)),
            _ => (Transition::Ongoing, Some(open)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(state: SignalState, value: f64) -> Reading {
        Reading { state, value: Some(value), threshold: Some(0.3), n: 16 }
    }

    #[test]
    fn a_signal_lives_from_opened_to_resolved() {
        let steps = [
            (SignalState::Quiet, 0.0, Transition::None),
            (SignalState::Firing, 0.4, Transition::Opened),
            (SignalState::Firing, 0.45, Transition::Ongoing),
            (SignalState::Firing, 0.7, Transition::Worsened),
            (SignalState::Firing, 0.7, Transition::Ongoing),
            (SignalState::Inconclusive, 0.1, Transition::Ongoing),
            (SignalState::Quiet, 0.0, Transition::Resolved),
            (SignalState::Inconclusive, 0.1, Transition::None),
        ];
        let mut open = None;
        for (state, value, expected) in steps {
            let (transition, next) = advance(open, &reading(state, value));
            assert_eq!(transition, expected);
            open = next;
        }
        assert_eq!(open, None);
    }
}
