//! What the signals read in a window of the past; and which of them have no past to read.

use super::replay::Replay;
use crate::config::{Config, SignalSettings};
use crate::decision::dataset::DatasetDecision;
use crate::decision::signal::{self, Explained, Reading, SignalMode, SignalName};
use crate::error::with_causes;
use crate::job::current::{Current, Logs};
use crate::job::readings::{Found, accuracy_by, confidence, no_data, prediction_drift, source, unknown};
use crate::profile::recent::Recent;
use crate::report::FeatureReport;
use crate::report::backtest::NotReplayed;
use crate::store::feedback::FeedbackSource;
use crate::window::Window;

/// Reads the signals, window by window.
pub struct Watch {
    feedback: Option<FeedbackSource>,
    /// Why the feedback is not read, or not any more.
    no_feedback: Option<String>,
}

impl Watch {
    pub async fn new(config: &Config) -> Self {
        if !config.signals.is_evaluated(SignalName::Accuracy) {
            return Self { feedback: None, no_feedback: None };
        }
        match source(config).await {
            Ok(Some(feedback)) => Self { feedback: Some(feedback), no_feedback: None },
            Ok(None) => Self { feedback: None, no_feedback: Some("no feedback is configured (feedback.path)".to_owned()) },
            Err(error) => {
                Self { feedback: None, no_feedback: Some(format!("the feedback cannot be read: {}", with_causes(&error))) }
            }
        }
    }

    /// Whether a signal is read at all.
    pub fn reads(&self, name: SignalName) -> bool {
        match name {
            SignalName::Storage => false,
            SignalName::Accuracy => self.feedback.is_some(),
            _ => true,
        }
    }

    /// What every signal reads that can.
    #[expect(clippy::too_many_arguments, reason = "what a window holds, and who looks at it")]
    pub async fn read<'a>(
        &mut self,
        config: &'a Config,
        logs: &'a Logs<'a>,
        replay: &mut Replay<'a>,
        current: &Current,
        decision: &DatasetDecision,
        predictions: &[FeatureReport],
        window: Window,
    ) -> Vec<(SignalName, Reading)> {
        let found = Found { config, logs, current, decision, predictions, window: Some(window), window_end: window.end };
        let mut readings = Vec::new();
        for settings in config.signals.evaluated() {
            let explained = match settings.name {
                SignalName::DataDrift => Some(signal::data_drift(decision)),
                SignalName::BrokenInput => Some(signal::broken_input(Some(decision), None)),
                SignalName::NoData => Some(no_data(&found)),
                SignalName::PredictionDrift => Some(prediction_drift(&found)),
                SignalName::LowConfidence => {
                    let look_back = async |recent: &mut Recent| replay.look_back(window, recent).await;
                    Some(confidence(config, current, look_back).await.unwrap_or_else(|reason| unknown(&reason)))
                }
                SignalName::Accuracy => self.accuracy(config, window).await,
                SignalName::Storage => None,
            };
            readings.extend(explained.map(|(reading, _)| (settings.name, reading)));
        }
        readings
    }

    async fn accuracy(&mut self, config: &Config, window: Window) -> Option<Explained> {
        match accuracy_by(self.feedback.as_ref()?, config, window.end).await {
            Ok(explained) => Some(explained),
            Err(error) => {
                self.no_feedback = Some(format!("the feedback cannot be read: {}", with_causes(&error)));
                self.feedback = None;
                None
            }
        }
    }

    /// The signals that were not replayed, and why.
    pub fn not_replayed(&self, config: &Config) -> Vec<NotReplayed> {
        let reason = |settings: &SignalSettings| match settings.name {
            _ if settings.mode == SignalMode::Off => Some("its mode is off".to_owned()),
            SignalName::Storage => Some("a listing tells how large the logs are today, not how large they were".to_owned()),
            SignalName::Accuracy => self.no_feedback.clone(),
            _ => None,
        };
        let left_out = |settings: &SignalSettings| reason(settings).map(|reason| NotReplayed { name: settings.name, reason });
        config.signals.settings.iter().filter_map(left_out).collect()
    }
}
