//! Signals: what can fire, and the life of each from opened to resolved, as a pure transition.
//!
//! A signal reads the decision and the findings; it cannot change them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
