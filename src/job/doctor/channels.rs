//! The channels: whether what they refer to is there, and, where that is asked for, whether a message gets through.

use std::time::Duration;

use super::{Check, DRY_RUN, Patient};
use crate::decision::signal::{SignalMode, SignalName, SignalReport, SignalState, Transition};
use crate::error::{ExitCode, with_causes};
use crate::job::channels;
use crate::notify::compose::{Bare, Setting, compose_without_report};
use crate::notify::{Channel, ChannelName, Envelope, Links, Notification};

/// A channel ends its own attempts; this is for one that does not.
const GRACE: Duration = Duration::from_secs(5);

pub async fn check(patient: &Patient<'_>, send_test: bool) -> Vec<Check> {
    let built = channels::build(&patient.config, &patient.invocation.environment);
    if built.is_empty() {
        return vec![Check::warn("channels", "none is configured: nobody is told of anything", "configure one under [channels]")];
    }
    let checks = built.into_iter().map(|(channel, built)| async move {
        let name = format!("channel {channel}");
        match built {
            Err(problem) => {
                Check::fail(&name, ExitCode::Undelivered, problem.to_string(), "put the secret there, or correct the reference")
            }
            Ok(built) => tested(patient, &name, channel, &built, send_test).await,
        }
    });
    in_order(checks).await
}

/// All of them, at most four, side by side; in their order.
async fn in_order<F: Future<Output = Check>>(checks: impl Iterator<Item = F>) -> Vec<Check> {
    let mut checks = checks.map(Box::pin);
    let (a, b, c, d) = (checks.next(), checks.next(), checks.next(), checks.next());
    let run = |check: Option<std::pin::Pin<Box<F>>>| async move {
        match check {
            Some(check) => Some(check.await),
            None => None,
        }
    };
    let (a, b, c, d) = tokio::join!(run(a), run(b), run(c), run(d));
    [a, b, c, d].into_iter().flatten().collect()
}

async fn tested(patient: &Patient<'_>, name: &str, channel: ChannelName, built: &Channel, send_test: bool) -> Check {
    let told =
        patient.config.signals.evaluated().filter(|signal| signal.mode == SignalMode::Notify && signal.channels.contains(&channel));
    let told: Vec<String> = told.map(|signal| signal.name.to_string()).collect();
    let told = if told.is_empty() { "no signal is sent there".to_owned() } else { format!("told of {}", told.join(", ")) };
    let seen = format!("{}; {told}", built.receiver());
    if !send_test {
        return Check::ok(name, format!("{seen}; not tried (--send-test)"));
    }
    if !patient.may_write() || patient.invocation.options.no_notify {
        let why = if patient.may_write() { "--no-notify" } else { DRY_RUN };
        return Check::skip(name, format!("{seen}; {why}, and nothing is sent"));
    }
    // What opens an incident also ends it.
    let is_incident = channel == ChannelName::Pagerduty;
    let transitions = if is_incident { &[Transition::Opened, Transition::Resolved][..] } else { &[Transition::Opened] };
    for transition in transitions {
        let message = message(patient, *transition);
        let message_id = format!("drift-check-doctor-{}-{channel}-{transition}", patient.probe);
        let envelope = Envelope { message_id, may_be_repeated: false, report: None };
        let limit = patient.config.channels.timeout.delta().to_std().unwrap_or_default() + GRACE;
        match tokio::time::timeout(limit, built.send(&message, &envelope)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                return Check::fail(name, ExitCode::Undelivered, format!("{seen}; {}", with_causes(&error)), error.remedy());
            }
            Err(_) => {
                let why = format!("{seen}; no answer within {} s", limit.as_secs());
                return Check::fail(name, ExitCode::Undelivered, why, "check the network and the address");
            }
        }
    }
    Check::ok(name, format!("{seen}; the test message was taken"))
}

/// Says of itself that it is a test.
fn message(patient: &Patient<'_>, transition: Transition) -> Notification {
    let Patient { config, invocation, probe, .. } = patient;
    // Of the least urgent kind.
    let signal = SignalName::Storage;
    let reading = SignalReport {
        name: signal,
        mode: SignalMode::Notify,
        state: SignalState::Quiet,
        reason: "This is a test message of `drift-check doctor --send-test`. Nothing is wrong, and nothing is to be done."
            .to_owned(),
        value: None,
        threshold: None,
        n: 0,
        interval: None,
        transition: Some(transition),
        since: Some(invocation.now),
        silenced: None,
        deliveries: Vec::new(),
    };
    let run = Bare {
        job: config.job.name.clone(),
        environment: format!("{}, TEST", config.job.environment),
        window_start: None,
        window_end: invocation.now,
        command: "drift-check doctor --send-test".to_owned(),
    };
    let runbook = format!("{}{signal}.md", config.report.runbooks);
    let links = Links { report: None, runbook, logs: invocation.logs.clone() };
    let dedupe_key = format!("{}/{}/doctor/{probe}", config.job.name, config.job.environment);
    compose_without_report(&run, &reading, Setting { links, dedupe_key, notes: Vec::new() })
}
