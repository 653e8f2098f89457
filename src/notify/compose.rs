//! From a report to the message about one of its signals. Pure: the same report gives the same message, whoever sends it and how often.

use chrono::{DateTime, Utc};

use super::{Fact, FeatureLine, Links, Notification, Priority};
use crate::decision::Verdict;
use crate::decision::signal::{SignalName, SignalReport, SignalState, Transition};
use crate::report::{
    FeatureReport, Report, cause_sentence, change_in_words, format_count, format_percent, format_value, printable,
};

/// Features that a message names.
const FEATURES_SHOWN: usize = 5;

/// What a message needs beside the report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub links: Links,
    /// Job, environment, window length and signal.
    pub dedupe_key: String,
    /// Remarks for the reader, such as that this may be a repetition.
    pub notes: Vec<String>,
}

/// The message about a signal of the report. `signal` has moved: it says what changed, and since when.
pub fn compose(report: &Report, signal: &SignalReport, setting: Setting) -> Notification {
    let run = Bare {
        job: report.run.job.clone(),
        environment: report.run.environment.clone(),
        window_start: report.window.start,
        window_end: report.window.end.unwrap_or(report.run.started_at),
        command: report.run.command.clone(),
    };
    let (features, features_left_out) = worst(report, signal);
    Notification { facts: facts(report, signal), features, features_left_out, ..compose_without_report(&run, signal, setting) }
}

/// What there is to say when no report could be made: who, when, and how to try again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bare {
    pub job: String,
    pub environment: String,
    pub window_start: Option<DateTime<Utc>>,
    pub window_end: DateTime<Utc>,
    pub command: String,
}

/// The message about a signal of a run that could not make a report.
pub fn compose_without_report(run: &Bare, signal: &SignalReport, setting: Setting) -> Notification {
    Notification {
        job: run.job.clone(),
        environment: run.environment.clone(),
        signal: signal.name,
        priority: if signal.name.is_urgent() { Priority::P1 } else { Priority::P2 },
        transition: signal.transition.unwrap_or(Transition::Opened),
        since: signal.since.unwrap_or(run.window_end),
        window_start: run.window_start,
        window_end: run.window_end,
        summary: printable(&signal.reason),
        facts: Vec::new(),
        features: Vec::new(),
        features_left_out: 0,
        notes: setting.notes,
        links: setting.links,
        command: run.command.clone(),
        dedupe_key: setting.dedupe_key,
    }
}

/// Numbers against their thresholds, the signal's own first.
fn facts(report: &Report, signal: &SignalReport) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut add = |label: &str, text: String| facts.push(Fact { label: label.to_owned(), text });
    if signal.state == SignalState::Inconclusive {
        add("This run", "inconclusive: the data do not tell, so it stays open".to_owned());
    }
    let decision = &report.decision;
    if signal.name != SignalName::Storage {
        let (share, threshold) = (format_percent(decision.share), format_percent(decision.threshold));
        add("Drifted share", format!("{share} of {} features (fires above {threshold})", decision.configured));
        let parts = [(decision.drifted, "drifted"), (decision.broken, "broken"), (decision.inconclusive, "inconclusive")];
        let parts: Vec<String> =
            parts.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")).collect();
        if !parts.is_empty() {
            add("Features", parts.join(", "));
        }
    }
    for (name, label) in [(SignalName::LowConfidence, "Mean confidence"), (SignalName::Accuracy, "Accuracy")] {
        let reading = report.signals.iter().find(|other| other.name == name);
        if let Some(text) = reading.and_then(reading_in_words) {
            add(label, text);
        }
    }
    let rows = &report.current;
    let effective = format_value(rows.effective_rows.round());
    add("Rows", format!("{} in the window ({effective} effective)", format_count(rows.rows)));
    if rows.rows_rejected > 0 {
        add("Rejected rows", format!("{} of {}", format_count(rows.rows_rejected), format_count(rows.rows_read)));
    }
    for cause in report.causes.iter().take(1) {
        add("Probable cause", cause_sentence(cause));
    }
    facts
}

/// A mean or a rate with its uncertainty, against its threshold.
fn reading_in_words(signal: &SignalReport) -> Option<String> {
    let (value, threshold) = (signal.value?, signal.threshold?);
    let show = |value: f64| if signal.name == SignalName::Accuracy { format_percent(value) } else { format_value(value) };
    let interval = match signal.interval {
        Some([low, high]) if signal.name == SignalName::Accuracy => format!(" ({} to {})", show(low), show(high)),
        Some([_, high]) => format!(" (at most {})", show(high)),
        None => String::new(),
    };
    let what = if signal.name == SignalName::Accuracy { "labels" } else { "predictions" };
    let mut text = format!("{}{interval} of {} {what}; fires below {}", show(value), format_count(signal.n), show(threshold));
    if signal.state == SignalState::Inconclusive {
        text.push_str("; inconclusive");
    }
    Some(text)
}

/// The features that a reader of this signal looks at first, the worst first, and how many there are beyond those.
fn worst(report: &Report, signal: &SignalReport) -> (Vec<FeatureLine>, u32) {
    let is_told = |feature: &&FeatureReport| matches!(feature.verdict, Verdict::Broken | Verdict::Drift);
    let predictions = if signal.name == SignalName::PredictionDrift { report.predictions.as_slice() } else { &[] };
    let mut told = predictions.iter().chain(&report.features).filter(is_told);
    let lines = told.by_ref().take(FEATURES_SHOWN).map(|feature| FeatureLine {
        name: printable(feature.name.as_str()),
        verdict: feature.verdict,
        change: change_in_words(feature),
    });
    let lines = lines.collect();
    (lines, u32::try_from(told.count()).unwrap_or(u32::MAX))
}
