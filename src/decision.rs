//! From measurements to verdicts: the policy, the rule, the three-valued verdict on the data set.
//!
//! Sees measurements, never values; knows no channel.

pub mod cause;
pub mod correction;
pub mod dataset;
pub mod finding;
pub mod joint;
pub mod known_drift;
pub mod label;
pub mod policy;
pub mod readiness;
pub mod rule;
pub mod sight;
pub mod signal;
pub mod trials;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The verdict on one feature, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Missing, all null, constant though the reference varies, or of another type. Counts as drift.
    Broken,
    /// The change is significant and material.
    Drift,
    /// The change is significant, and smaller than what counts as drift.
    Warning,
    /// The rows do not suffice to tell.
    Inconclusive,
    Stable,
}

impl Verdict {
    /// All of them, the worst first.
    pub const ALL: [Self; 5] = [Self::Broken, Self::Drift, Self::Warning, Self::Inconclusive, Self::Stable];
}

/// The verdict on the data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DatasetVerdict {
    /// The share of drifted and broken features is above the threshold.
    Drift,
    /// The inconclusive features could still carry the share above the threshold.
    Inconclusive,
    Stable,
    /// The window holds no row.
    NoData,
}

impl DatasetVerdict {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Drift, Self::Inconclusive, Self::Stable, Self::NoData];
}

/// How a feature's measurements become its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Rule {
    /// Significant (`q_value < alpha`) and material (`psi.adjusted >= psi_drift`).
    SignificantAndMaterial,
    /// Textbook: `ks.p_value < alpha` (chi-squared for categories), uncorrected.
    Ks,
    /// Textbook: `psi.value >= psi_drift`, uncorrected.
    Psi,
    /// Textbook: either of the two.
    Either,
}

macro_rules! display_as_serialized {
    ($($type:ty),+) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.serialize(f)
            }
        }
    )+};
}
display_as_serialized!(
    Verdict,
    DatasetVerdict,
    Rule,
    label::Truth,
    signal::SignalName,
    signal::SignalMode,
    signal::SignalState,
    signal::Transition,
    signal::DeliveryStatus
);
