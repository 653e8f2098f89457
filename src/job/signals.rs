//! The signals of a run: what each reads, how it moves on, what became of its messages.

use chrono::{DateTime, Utc};

use super::Invocation;
use crate::config::{ChannelName, Config};
use crate::decision::dataset::DatasetDecision;
use crate::decision::finding::{Finding, FindingCode, Severity};
use crate::decision::signal::{Delivery, DeliveryStatus, Reading, SignalMode, SignalName, SignalReport, Transition, readings};
use crate::store::{Series, StateStore, Step, StoreError};

/// Evaluates all signals that are not off. A store that fails leaves `transition` empty; the error comes back beside the signals.
pub async fn evaluate(
    config: &Config,
    invocation: &Invocation,
    store: Option<&StateStore>,
    series: &Series,
    window_end: DateTime<Utc>,
    decision: &DatasetDecision,
    newest: Option<DateTime<Utc>>,
) -> (Vec<SignalReport>, Option<StoreError>) {
    let max_age = config.signals.no_data_max_age;
    let stale = max_age.zip(newest).is_some_and(|(age, newest)| newest + age.delta() < window_end);
    let mut reports = Vec::new();
    let mut failure = None;
    for (name, reading) in readings(decision, stale) {
        let settings = config.signals.of(name);
        if settings.mode == SignalMode::Off {
            continue;
        }
        // A dry run reads the state and changes none: it has no transition to report.
        let transition = match store.filter(|_| !invocation.options.dry_run) {
            None => None,
            Some(store) => match store.advance_signal(step(series, name, reading, window_end, invocation), |_| Vec::new()).await {
                Ok(transition) => Some(transition),
                Err(error) => {
                    failure = Some(error);
                    None
                }
            },
        };
        let deliveries = deliveries(settings.mode, &settings.channels, transition, invocation);
        reports.push(report(name, settings.mode, &reading, transition, deliveries));
    }
    (reports, failure)
}

fn step(series: &Series, name: SignalName, reading: Reading, window_end: DateTime<Utc>, invocation: &Invocation) -> Step {
    Step { series: series.clone(), name, reading, window_end, now: (invocation.clock)() }
}

fn report(
    name: SignalName,
    mode: SignalMode,
    reading: &Reading,
    transition: Option<Transition>,
    deliveries: Vec<Delivery>,
) -> SignalReport {
    SignalReport {
        name,
        mode,
        state: reading.state,
        value: reading.value,
        threshold: reading.threshold,
        n: reading.n,
        interval: None,
        transition,
        deliveries,
    }
}

/// What became of the message of a transition; without a transition there is none.
fn deliveries(
    mode: SignalMode,
    channels: &[ChannelName],
    transition: Option<Transition>,
    invocation: &Invocation,
) -> Vec<Delivery> {
    if !matches!(transition, Some(Transition::Opened | Transition::Worsened | Transition::Resolved)) {
        return Vec::new();
    }
    let status = match mode {
        SignalMode::Shadow | SignalMode::Off => DeliveryStatus::Shadowed,
        SignalMode::Notify if invocation.options.no_notify => DeliveryStatus::Suppressed,
        SignalMode::Notify => DeliveryStatus::Unavailable,
    };
    channels.iter().map(|channel| Delivery { channel: channel.as_str().to_owned(), status }).collect()
}

/// Says what is configured and has no effect in this version: nobody may wait for a message that never comes.
pub fn not_available(config: &Config, signals: &[SignalReport]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let notifying: Vec<String> =
        signals.iter().filter(|signal| signal.mode == SignalMode::Notify).map(|signal| signal.name.to_string()).collect();
    if !notifying.is_empty() {
        let message = format!(
            "{} should notify, but this version sends no messages: read the report, or use --fail-on drift.",
            notifying.join(", ")
        );
        findings.push(Finding::new(FindingCode::DeliveryUnavailable, Severity::Warning, message));
    }
    if !config.not_yet.is_empty() {
        let message = format!("Accepted, but without effect in this version: {}.", config.not_yet.join(", "));
        findings.push(Finding::new(FindingCode::SettingWithoutEffect, Severity::Info, message));
    }
    findings
}
