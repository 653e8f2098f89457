//! What is on record, read from the store.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::{Invocation, sections};
use super::{encoded, medium};
use crate::cli::Format;
use crate::config::{Config, SignalSettings};
use crate::decision::signal::{Open, Transition};
use crate::error::JobError;
use crate::feature::FeatureName;
use crate::report::history::course::{Course, Point};
use crate::report::history::{
    DeliveryEntry, HISTORY_VERSION, History, LabelEntry, LastMessage, PromotionEntry, RunEntry, SignalEntry, SilenceEntry,
};
use crate::store::outbox::MessageRecord;
use crate::store::{RunRecord, Series, SignalStanding, Silence, StateStore};
use crate::window::Window;

/// So many messages are read: those of the last days, and the openings of what is still open.
const MESSAGES_READ: u32 = 500;

/// So many of them are listed.
const MESSAGES_SHOWN: usize = 20;

/// So many windows make the course of a feature.
const COURSE_WINDOWS: u32 = 400;

/// Windows that end later than this are none of ours.
const FAR_DAYS: i64 = 3_650;

/// The runs of the job over windows of the configured length.
pub fn series(config: &Config, now: DateTime<Utc>) -> Series {
    sections::series(config, Some(Window::ending_at(now, config.window.length)))
}

/// The newest runs, the oldest of them first.
pub async fn runs(config: &Config, store: &StateStore, now: DateTime<Utc>, limit: u32) -> Result<Vec<RunRecord>, JobError> {
    Ok(store.runs(series(config, now), now + TimeDelta::days(FAR_DAYS), limit).await?)
}

pub async fn show(config: &Config, invocation: &Invocation, store: &StateStore) -> Result<String, JobError> {
    let now = (invocation.clock)();
    let history = read(config, store, now).await?;
    match invocation.options.format {
        Format::Json => encoded(&history),
        format => Ok(history.render(&config.window.length.to_string(), medium(format))),
    }
}

async fn read(config: &Config, store: &StateStore, now: DateTime<Utc>) -> Result<History, JobError> {
    let series = series(config, now);
    let scope = series.scope();
    let messages = store.messages(scope.clone(), MESSAGES_READ).await?;
    let standing = store.signals(series.clone(), now).await?;
    let signals = config.signals.evaluated().map(|settings| signal(settings, &standing, &messages, &series, now));
    let silences = store.silences(scope.clone()).await?;
    let labels = store.labels(scope.clone()).await?.into_iter();
    let promotions = store.promotions(scope.clone()).await?.into_iter();
    Ok(History {
        schema_version: HISTORY_VERSION,
        job: series.job.clone(),
        environment: series.environment.clone(),
        window_length_s: series.length_s,
        runs: runs(config, store, now, config.report.trend_windows).await?.into_iter().map(run).collect(),
        signals: signals.collect(),
        deliveries: messages.iter().take(MESSAGES_SHOWN).map(delivery).collect(),
        silences: silences.iter().map(|silence| silence_entry(silence, &silences, now)).collect(),
        labels: labels
            .map(|record| LabelEntry { label: record.label, created_at: record.created_at, reason: record.reason })
            .collect(),
        promotions: promotions
            .map(|promotion| PromotionEntry {
                signal: promotion.signal,
                created_at: promotion.created_at,
                refusal: promotion.refusal,
                reason: promotion.reason,
            })
            .collect(),
        undelivered: store.undelivered(scope, now).await?.len(),
    })
}

fn run(run: RunRecord) -> RunEntry {
    RunEntry {
        id: run.id,
        trigger: run.trigger,
        started_at: run.started_at,
        finished_at: run.finished_at,
        report: (!run.report_uri.is_empty()).then_some(run.report_uri),
        outcome: run.outcome,
        signals: run.signals,
    }
}

fn signal(
    settings: &SignalSettings,
    standing: &[SignalStanding],
    messages: &[MessageRecord],
    series: &Series,
    now: DateTime<Utc>,
) -> SignalEntry {
    let stands = standing.iter().find(|standing| standing.name == settings.name);
    let open: Option<&Open> = stands.and_then(|standing| standing.memory.as_ref()).and_then(|memory| memory.open());
    let own: Vec<&MessageRecord> =
        messages.iter().filter(|message| message.key.signal == settings.name && message.key.length_s == series.length_s).collect();
    // A reminder is one message on however many channels.
    let mut reminders: Vec<_> = own
        .iter()
        .filter(|message| message.key.transition == Transition::Ongoing)
        .filter(|message| open.is_some_and(|open| message.key.window_end > open.since))
        .map(|message| (message.key.window_end, message.key.revision))
        .collect();
    reminders.sort_unstable();
    reminders.dedup();
    let newest = own.iter().max_by_key(|message| (message.key.window_end, message.key.revision, message.created_at));
    let last_message = newest.map(|newest| {
        let same = |message: &&&MessageRecord| {
            let of = |message: &MessageRecord| (message.key.window_end, message.key.revision, message.key.transition.to_string());
            of(message) == of(newest)
        };
        let status: BTreeMap<_, _> = own.iter().filter(same).map(|message| (message.key.channel.clone(), message.status)).collect();
        LastMessage { window_end: newest.key.window_end, transition: newest.key.transition, created_at: newest.created_at, status }
    });
    SignalEntry {
        name: settings.name,
        mode: settings.mode,
        state: stands.map(|standing| standing.state),
        window_end: stands.map(|standing| standing.window_end),
        open_since: open.map(|open| open.since),
        age_s: open.map(|open| (now - open.since).num_seconds()),
        reminders: reminders.len(),
        last_message,
    }
}

fn delivery(message: &MessageRecord) -> DeliveryEntry {
    DeliveryEntry {
        signal: message.key.signal,
        transition: message.key.transition,
        window_end: message.key.window_end,
        window_length_s: message.key.length_s,
        channel: message.key.channel.clone(),
        status: message.status,
        created_at: message.created_at,
        delivered_at: message.delivered_at,
        attempts: message.attempts,
        error: (!message.error_kind.is_empty()).then(|| message.error_kind.clone()),
    }
}

/// The newest of a signal counts, as long as it lasts. All of them: the newest first.
fn silence_entry(silence: &Silence, all: &[Silence], now: DateTime<Utc>) -> SilenceEntry {
    let newest = all.iter().find(|other| other.signal == silence.signal);
    let Silence { signal, created_at, until, reason, .. } = silence.clone();
    SilenceEntry { signal, created_at, until, reason, active: newest == Some(silence) && until > now }
}

/// How a feature went over past runs.
pub async fn course(config: &Config, invocation: &Invocation, store: &StateStore, feature: &str) -> Result<String, JobError> {
    let now = (invocation.clock)();
    let runs = runs(config, store, now, COURSE_WINDOWS).await?;
    if runs.is_empty() {
        return Err(JobError::Input(format!(
            "no run over {} is on record in this store: run `drift-check` first, or see that --window, job.name, job.environment and [store] \
             are those of the runs",
            config.window.length
        )));
    }
    super::known_feature(feature, runs.iter().flat_map(|run| run.outcome.features.keys()))?;
    let name = FeatureName::new(feature);
    let (psi_warning, psi_drift) = config.policy.psi_thresholds(&name);
    let points = runs.iter().filter_map(|run| {
        let past = run.outcome.features.get(&name)?;
        let (window_end, verdict) = (run.outcome.window_end, past.verdict);
        Some(Point { window_end, verdict, psi_adjusted: past.psi_adjusted, ks_statistic: past.ks_statistic })
    });
    let Series { job, environment, length_s } = series(config, now);
    let course = Course {
        schema_version: HISTORY_VERSION,
        job,
        environment,
        window_length_s: length_s,
        points: points.collect(),
        feature: name,
        psi_drift,
        psi_warning,
    };
    match invocation.options.format {
        Format::Json => encoded(&course),
        format => {
            let width = usize::from(invocation.terminal.width);
            Ok(course.render(&config.window.length.to_string(), width, medium(format)))
        }
    }
}
