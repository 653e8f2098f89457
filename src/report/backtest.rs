//! What a rule would have done over past windows: how often each signal and feature would have fired, for how long, and wrongly.
//!
//! Windows go in, with what the run of each would have read; rates with exact bounds, episodes, delays and the effect of other thresholds
//! come out. Computes no verdict: those are the windows' own. Pure.

pub mod curve;
pub mod delay;
pub mod episodes;
pub mod markdown;
pub mod rate;
pub mod summary;
pub(super) mod table;
pub mod text;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::DecisionSection;
use crate::decision::known_drift::KnownInterval;
use crate::decision::rule::Reach;
use crate::decision::signal::{Reading, SignalMode, SignalName, SignalState};
use crate::decision::{DatasetVerdict, Rule, Verdict};
use crate::feature::FeatureName;
use crate::window::Window;
use curve::Curve;
use delay::Delays;
use episodes::Episode;
use rate::Rate;

/// The version of the backtest's JSON. A reader refuses a higher one; new fields do not raise it.
pub const SCHEMA_VERSION: u32 = 1;

/// One feature in one window.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayedFeature {
    pub name: FeatureName,
    pub verdict: Verdict,
    pub reason: String,
    pub q_value: Option<f64>,
    pub psi_adjusted: Option<f64>,
    pub effective_rows: f64,
    /// The smallest drift that would have been found, as PSI and, of a numeric feature, in standard deviations.
    pub detectable_psi: Option<f64>,
    pub detectable_sd: Option<f64>,
    pub reach: Reach,
}

/// One window, as the run of that moment would have seen it.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplayedWindow {
    pub window: Window,
    pub rows: u64,
    /// `None` where the logs of the window cannot be used.
    pub decision: Option<DecisionSection>,
    /// Why they cannot.
    pub unusable: Option<String>,
    pub features: Vec<ReplayedFeature>,
    pub signals: Vec<(SignalName, Reading)>,
}

/// The whole backtest: what `--format json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Backtest {
    pub schema_version: u32,
    pub setting: Setting,
    pub reading: ReadingSection,
    /// What was known of the past.
    pub known: Vec<KnownInterval>,
    pub windows_total: u64,
    /// As many of them as do not overlap.
    pub windows_independent: u64,
    /// Windows without a row, and windows whose logs cannot be used.
    pub windows_empty: u64,
    pub windows_unusable: u64,
    pub signals: Vec<SignalSummary>,
    /// Signals that were not replayed, and why.
    pub not_replayed: Vec<NotReplayed>,
    pub features: Vec<FeatureSummary>,
    pub curves: Vec<Curve>,
    /// What was added to the logs, and how long it took to be found.
    pub injected: Vec<Injected>,
    /// When each known drift was found first.
    pub delays: Vec<Delays>,
    pub notes: Vec<String>,
    pub windows: Vec<WindowSection>,
}

/// What was replayed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    pub job: String,
    pub environment: String,
    pub version: String,
    /// Windows lie in `[from, to)`.
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    pub every_s: i64,
    pub window_s: i64,
    pub rule: Rule,
    pub share: f64,
    pub alpha: f64,
    pub psi_drift: f64,
    pub profile_id: String,
}

/// How the logs were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReadingSection {
    pub objects: u64,
    pub size_bytes: u64,
    /// In all readings.
    pub rows_read: u64,
    pub rows_in_range: u64,
    /// Readings of an object beyond its first, because its rows could not be counted by the hour.
    pub objects_read_again: u64,
    /// Rows of those readings, and of those before the range that `low-confidence` looks back to.
    pub rows_read_again: u64,
    pub rows_read_before: u64,
    /// The most hours, summed up to steps, that were held at a time.
    pub steps_held: u64,
}

/// One signal over all windows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SignalSummary {
    pub name: SignalName,
    pub mode: SignalMode,
    pub open_after: u32,
    pub close_after: u32,
    /// Over every window.
    pub all: Rate,
    /// Over the windows that touch no known drift: the false alarms.
    pub clean: Rate,
    pub inconclusive: u64,
    pub episodes: Vec<Episode>,
    /// Messages that it would have sent in mode `notify`.
    pub messages: u64,
}

/// A signal that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NotReplayed {
    pub name: SignalName,
    pub reason: String,
}

/// One feature over all windows.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureSummary {
    pub name: FeatureName,
    pub drift: u64,
    pub broken: u64,
    pub warning: u64,
    pub inconclusive: u64,
    pub stable: u64,
    pub all: Rate,
    pub clean: Rate,
    pub episodes: Vec<Episode>,
    /// At the traffic seen: the median over the windows that could be tested. Null where none could.
    pub detectable_psi: Option<f64>,
    pub detectable_sd: Option<f64>,
    /// Windows in which no drift, however large, would have been found.
    pub blind: u64,
    pub effective_rows: Option<f64>,
}

/// A drift that was put into the logs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Injected {
    pub feature: FeatureName,
    /// As it was asked for.
    pub change: String,
    /// In the feature's own units: what is added, after what it is multiplied by.
    pub added: f64,
    pub scaled: f64,
    pub at: DateTime<Utc>,
}

/// One window in the JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WindowSection {
    pub start: DateTime<Utc>,
    pub end: DateTime<Utc>,
    pub rows: u64,
    /// Whether it touches a known drift.
    pub known_drift: bool,
    pub unusable: Option<String>,
    pub decision: Option<DecisionSection>,
    pub features: Vec<WindowFeatureSection>,
    pub signals: Vec<WindowSignalSection>,
}

/// One feature of a window in the JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WindowFeatureSection {
    pub name: FeatureName,
    pub verdict: Verdict,
    pub reason: String,
    pub q_value: Option<f64>,
    pub psi_adjusted: Option<f64>,
}

/// One signal of a window in the JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WindowSignalSection {
    pub name: SignalName,
    pub state: SignalState,
    pub value: Option<f64>,
}

impl ReplayedWindow {
    /// The verdict on the data set; `None` where the logs cannot be used.
    pub fn verdict(&self) -> Option<DatasetVerdict> {
        self.decision.as_ref().map(|decision| decision.verdict)
    }

    /// What a signal read; `None` where it read nothing.
    pub fn reading(&self, name: SignalName) -> Option<&Reading> {
        self.signals.iter().find(|(signal, _)| *signal == name).map(|(_, reading)| reading)
    }

    pub fn feature(&self, name: &FeatureName) -> Option<&ReplayedFeature> {
        self.features.iter().find(|feature| feature.name == *name)
    }
}

impl ReplayedFeature {
    /// Whether it counts as drift; `None` where the window does not tell.
    pub fn fired(&self) -> Option<bool> {
        match self.verdict {
            Verdict::Drift | Verdict::Broken => Some(true),
            Verdict::Warning | Verdict::Stable => Some(false),
            Verdict::Inconclusive => None,
        }
    }
}

/// Whether a reading fires; `None` where the window does not tell.
pub fn fired(reading: &Reading) -> Option<bool> {
    match reading.state {
        SignalState::Firing => Some(true),
        SignalState::Quiet => Some(false),
        SignalState::Inconclusive => None,
    }
}

#[cfg(test)]
mod tests {
    use super::summary::tests::{feature, window};
    use super::*;

    #[test]
    fn only_what_is_told_counts() {
        let of = |verdict| ReplayedFeature { verdict, ..feature(Reach::Never) }.fired();
        assert_eq!(Verdict::ALL.map(of), [Some(true), Some(true), Some(false), None, Some(false)]);
        let read = |state| fired(&Reading { state, value: None, threshold: None, n: 0, interval: None });
        assert_eq!(SignalState::ALL.map(read), [Some(true), Some(false), None]);
    }

    #[test]
    fn a_window_is_asked_by_name() {
        let mut window = window(24, &[feature(Reach::Never), feature(Reach::Always)]);
        assert_eq!(window.verdict(), Some(DatasetVerdict::Drift));
        assert_eq!(window.feature(&"f1".into()).map(|feature| feature.verdict), Some(Verdict::Broken));
        assert_eq!((window.feature(&"f2".into()), window.reading(SignalName::Storage)), (None, None));
        assert_eq!(window.reading(SignalName::DataDrift).map(|reading| reading.state), Some(SignalState::Firing));
        window.decision = None;
        assert_eq!(window.verdict(), None);
    }
}
