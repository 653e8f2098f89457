//! Signals: what can fire, what each reads, and the life of each from opened to resolved, as a pure transition.
//!
//! A signal reads what a run found; it cannot change it. What is sent, and where, is not known here.

mod lifecycle;
mod reading;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use lifecycle::{Memory, Moved, Open, Rules, Telling, Told, advance};
pub use reading::{
    Explained, Feedback, Predictions, Reading, Sizes, accuracy, broken_input, data_drift, low_confidence, no_data,
    prediction_drift, storage,
};

/// What can fire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignalName {
    DataDrift,
    LowConfidence,
    Accuracy,
    PredictionDrift,
    BrokenInput,
    NoData,
    Storage,
}

impl SignalName {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 7] = [
        Self::DataDrift,
        Self::LowConfidence,
        Self::Accuracy,
        Self::PredictionDrift,
        Self::BrokenInput,
        Self::NoData,
        Self::Storage,
    ];

    /// Whether somebody is to look at once (P1), or in working hours (P2).
    pub fn is_urgent(self) -> bool {
        matches!(self, Self::DataDrift | Self::LowConfidence | Self::BrokenInput | Self::NoData)
    }

    /// Whether a smaller value is the worse one.
    pub fn lower_is_worse(self) -> bool {
        matches!(self, Self::LowConfidence | Self::Accuracy)
    }
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

impl SignalState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Firing, Self::Quiet, Self::Inconclusive];
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
    /// Why, in one sentence.
    pub reason: String,
    /// What is held against the threshold.
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    /// How many features, rows, predictions or labels `value` is computed from.
    pub n: u64,
    /// The 95 % interval of `value`, where it has one; one-sided for low-confidence.
    pub interval: Option<[f64; 2]>,
    /// Null when the state store could not be read.
    pub transition: Option<Transition>,
    /// The end of the window in which it opened, while it is open and in the run that resolves it.
    pub since: Option<DateTime<Utc>>,
    /// Until when nobody is told, where somebody has silenced it.
    pub silenced: Option<SilenceReport>,
    pub deliveries: Vec<Delivery>,
}

/// What is remembered of a signal in a past run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PastSignal {
    pub mode: SignalMode,
    pub state: SignalState,
    pub value: Option<f64>,
    pub threshold: Option<f64>,
    /// Null when the state store could not be read.
    pub transition: Option<Transition>,
}

impl From<&SignalReport> for PastSignal {
    fn from(signal: &SignalReport) -> Self {
        let SignalReport { mode, state, value, threshold, transition, .. } = *signal;
        Self { mode, state, value, threshold, transition }
    }
}

/// A silence, as the report shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SilenceReport {
    pub until: DateTime<Utc>,
    pub reason: String,
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
    /// Kept, and tried again by the next run.
    Pending,
    /// Computed and recorded only: the signal is in shadow mode.
    Shadowed,
    /// `--no-notify` or `--dry-run`.
    Suppressed,
    /// Somebody has silenced the signal.
    Silenced,
    /// It could not be delivered, and is not tried again; the finding of that run says why.
    Abandoned,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_told_at_once_and_what_falls_is_a_matter_of_the_signal() {
        use SignalName::{Accuracy, BrokenInput, DataDrift, LowConfidence, NoData};
        let urgent: Vec<SignalName> = SignalName::ALL.into_iter().filter(|name| name.is_urgent()).collect();
        assert_eq!(urgent, [DataDrift, LowConfidence, BrokenInput, NoData]);
        let falling: Vec<SignalName> = SignalName::ALL.into_iter().filter(|name| name.lower_is_worse()).collect();
        assert_eq!(falling, [LowConfidence, Accuracy]);
    }

    #[test]
    fn a_past_signal_is_what_its_report_said() {
        let report = SignalReport {
            name: SignalName::DataDrift,
            mode: SignalMode::Shadow,
            state: SignalState::Firing,
            reason: String::new(),
            value: Some(0.4),
            threshold: Some(0.3),
            n: 16,
            interval: None,
            transition: Some(Transition::Worsened),
            since: None,
            silenced: None,
            deliveries: Vec::new(),
        };
        let expected = PastSignal {
            mode: SignalMode::Shadow,
            state: SignalState::Firing,
            value: Some(0.4),
            threshold: Some(0.3),
            transition: Some(Transition::Worsened),
        };
        assert_eq!(PastSignal::from(&report), expected);
    }
}
