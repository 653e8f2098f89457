//! What every signal reads in a run: gathers what each needs, from the counts, the logs, the feedback and the listing.

use chrono::{DateTime, Utc};

use super::current::{Current, Logs};
use crate::config::{Config, SignalSettings, Store};
use crate::decision::dataset::DatasetDecision;
use crate::decision::finding::{Finding, FindingCode, Severity};
use crate::decision::signal::{self, Explained, Feedback, Reading, SignalName, SignalState, Sizes};
use crate::error::{JobError, with_causes};
use crate::profile::recent::Recent;
use crate::report::FeatureReport;
use crate::store::feedback::{FeedbackError, FeedbackSource, Period};
use crate::window::Window;

/// What a run found, as far as signals look at it.
pub struct Found<'a> {
    pub config: &'a Config,
    pub logs: &'a Logs<'a>,
    pub current: &'a Current,
    pub decision: &'a DatasetDecision,
    pub predictions: &'a [FeatureReport],
    pub window: Option<Window>,
    pub window_end: DateTime<Utc>,
}

/// A signal that is not off, and what it reads.
pub struct Read<'a> {
    pub settings: &'a SignalSettings,
    pub reading: Reading,
    pub reason: String,
}

/// The readings of a run, and what could not be looked at.
pub struct Readings<'a> {
    pub read: Vec<Read<'a>>,
    /// Why the feedback could not be read: the signals that need it are inconclusive, and the run has failed in part.
    pub failure: Option<FeedbackError>,
    pub findings: Vec<Finding>,
}

/// Reads every signal that is not off. Nothing that fails here makes a signal quiet.
pub async fn read<'a>(found: &Found<'a>) -> Readings<'a> {
    let mut readings = Readings { read: Vec::new(), failure: None, findings: Vec::new() };
    for settings in found.config.signals.evaluated() {
        let (reading, reason) = match settings.name {
            SignalName::DataDrift => signal::data_drift(found.decision),
            SignalName::BrokenInput => signal::broken_input(Some(found.decision), None),
            SignalName::NoData => no_data(found),
            SignalName::PredictionDrift => prediction_drift(found),
            SignalName::LowConfidence => low_confidence(found, &mut readings).await,
            SignalName::Accuracy => accuracy(found, &mut readings).await,
            SignalName::Storage => storage(found, &mut readings).await,
        };
        readings.read.push(Read { settings, reading, reason });
    }
    readings
}

pub fn no_data(found: &Found<'_>) -> Explained {
    let newest = found.current.account.newest_us.and_then(DateTime::from_timestamp_micros);
    let max_age = found.config.signals.no_data_max_age.map(crate::window::Length::delta);
    signal::no_data(found.current.account.rows_used, newest, found.window_end, max_age)
}

pub fn prediction_drift(found: &Found<'_>) -> Explained {
    if found.current.account.rows_used == 0 {
        return unknown("The window holds no row.");
    }
    let judged = found
        .predictions
        .iter()
        .map(|prediction| (&prediction.name, prediction.verdict, prediction.psi.as_ref().map(|psi| psi.adjusted)));
    signal::prediction_drift(&judged.collect::<Vec<_>>(), found.config.policy.psi_drift)
}

async fn low_confidence(found: &Found<'_>, readings: &mut Readings<'_>) -> Explained {
    let look_back = async |recent: &mut Recent| match found.window {
        Some(window) => found.logs.recent_before(window, recent).await,
        None => Ok(()),
    };
    confidence(found.config, found.current, look_back).await.unwrap_or_else(|reason| {
        readings.findings.push(Finding::new(FindingCode::HistoryUnavailable, Severity::Warning, reason.clone()));
        unknown(&reason)
    })
}

/// What the newest confidences say; `look_back` adds those from before a window that holds too few.
///
/// # Errors
/// Why those could not be read, in a sentence.
pub async fn confidence(
    config: &Config,
    current: &Current,
    look_back: impl AsyncFnOnce(&mut Recent) -> Result<(), JobError>,
) -> Result<Explained, String> {
    let mut recent: Recent = current.recent.clone();
    let rows = current.account.rows_used;
    if rows > 0 && recent.is_empty() {
        return Ok(unknown(&format!("None of the {rows} predictions in the window has a confidence.")));
    }
    look_back(&mut recent).await.map_err(|error| {
        format!("The window holds too few predictions, and those before it could not be read: {}.", with_causes(&error))
    })?;
    Ok(signal::low_confidence(&recent, config.signals.low_confidence))
}

async fn accuracy(found: &Found<'_>, readings: &mut Readings<'_>) -> Explained {
    let read = async {
        match source(found.config).await? {
            Some(feedback) => accuracy_by(&feedback, found.config, found.window_end).await.map(Some),
            None => Ok(None),
        }
    };
    match read.await {
        Ok(Some(explained)) => explained,
        Ok(None) => unknown("No feedback is configured."),
        Err(error) => failed(error, readings),
    }
}

/// What the feedback of the time before this moment says.
pub async fn accuracy_by(feedback: &FeedbackSource, config: &Config, end: DateTime<Utc>) -> Result<Explained, FeedbackError> {
    let signals = &config.signals;
    let counts = feedback.counts(Period::new(end - signals.accuracy_period.delta(), end)).await?;
    let feedback = Feedback { labelled: counts.labelled, correct: counts.correct };
    Ok(signal::accuracy(feedback, signals.accuracy_threshold, &signals.accuracy_period.to_string()))
}

async fn storage(found: &Found<'_>, readings: &mut Readings<'_>) -> Explained {
    let size = async {
        match source(found.config).await? {
            Some(feedback) => feedback.size_bytes().await.map(Some),
            None => Ok(None),
        }
    };
    let signals = &found.config.signals;
    let of = |feedback| Sizes {
        logs: found.logs.size_bytes().unwrap_or(0),
        most_logs: signals.max_logs_bytes,
        feedback,
        most_feedback: signals.max_feedback_bytes,
    };
    let explained = match size.await {
        Ok(feedback) => signal::storage(of(feedback)),
        // What is not there takes no room.
        Err(FeedbackError::NoFile { .. }) => signal::storage(of(None)),
        Err(error) => {
            let of_logs = signal::storage(of(None));
            let unreadable = failed(error, readings);
            if of_logs.0.state == SignalState::Firing { of_logs } else { unreadable }
        }
    };
    if found.logs.size_bytes().is_none() && explained.0.state != SignalState::Firing {
        return unknown("How large the logs are is not known, because a cluster reads them.");
    }
    explained
}

/// Where the feedback is; `None` where there is none.
pub async fn source(config: &Config) -> Result<Option<FeedbackSource>, FeedbackError> {
    Ok(match (&config.store, &config.feedback.path) {
        (Store::Firestore(settings), _) => {
            Some(FeedbackSource::firestore(settings.clone(), config.feedback.collection.clone()).await?)
        }
        (Store::Sqlite { .. }, Some(path)) => Some(FeedbackSource::sqlite(path)),
        (Store::Sqlite { .. }, None) => None,
    })
}

pub fn unknown(reason: &str) -> Explained {
    (Reading { state: SignalState::Inconclusive, value: None, threshold: None, n: 0, interval: None }, reason.to_owned())
}

/// Feedback that cannot be read says nothing about the model; it is told once, and makes the run fail in part.
fn failed(error: FeedbackError, readings: &mut Readings<'_>) -> Explained {
    let reason = format!("The feedback could not be read: {}.", with_causes(&error));
    if readings.failure.is_none() {
        readings.findings.push(Finding::new(FindingCode::FeedbackUnavailable, Severity::Error, reason.clone()));
    }
    readings.failure.get_or_insert(error);
    unknown(&reason)
}
