//! How far signals in shadow are from being fit to notify, and the word that one is to.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::Invocation;
use super::{encoded, medium, shown};
use crate::cli::Format;
use crate::config::{Config, SignalSettings};
use crate::decision::label::{Label, contradiction};
use crate::decision::readiness::{Observation, Readiness, assess};
use crate::decision::signal::{SignalMode, SignalName};
use crate::error::JobError;
use crate::report::history::readiness::{ReadinessReport, SignalReadiness, refusal};
use crate::report::printable;
use crate::store::{Promotion, RunRecord, StateStore, to_micros};

/// Runs of 400 days, one an hour.
const RUNS_READ: u32 = 10_000;

/// What there is to judge by.
struct Evidence {
    /// Of windows that are over.
    runs: Vec<RunRecord>,
    labels: Vec<Label>,
}

impl Evidence {
    async fn read(config: &Config, store: &StateStore, now: DateTime<Utc>) -> Result<Self, JobError> {
        let series = shown::series(config, now);
        let records = store.labels(series.scope()).await?;
        let labels: Vec<Label> = records.into_iter().map(|record| record.label).collect();
        if let Some((first, second)) = contradiction(&labels.iter())
            && let (Some(label), Some(other)) = (labels.get(first), labels.get(second))
        {
            return Err(JobError::Input(format!(
                "the labels {} and {} on record contradict each other, so it is not known which windows drifted: take one of them back \
                 with `drift-check history --unlabel`",
                printable(&label.to_string()),
                printable(&other.to_string())
            )));
        }
        let runs = store.runs(series, to_micros(now) + TimeDelta::microseconds(1), RUNS_READ).await?;
        Ok(Self { runs, labels })
    }

    fn of(&self, name: SignalName, length: TimeDelta) -> Readiness {
        let read = || self.runs.iter().filter_map(|run| Some((run, run.signals.get(&name)?)));
        let today = read().next_back().and_then(|(_, signal)| signal.threshold);
        let observed = read().map(|(run, signal)| {
            let end = run.outcome.window_end;
            // Two limits of two things: which of them is the value's changes from run to run.
            let is_comparable = name != SignalName::Storage;
            let differs = signal.threshold.zip(today).is_some_and(|(then, now)| then.total_cmp(&now).is_ne());
            Observation {
                start: run.outcome.window_start.unwrap_or(end - length),
                end,
                state: signal.state,
                same_threshold: !(is_comparable && differs),
            }
        });
        assess(&observed.collect::<Vec<_>>(), &self.labels, length)
    }
}

pub async fn show(config: &Config, invocation: &Invocation, store: &StateStore) -> Result<String, JobError> {
    let now = (invocation.clock)();
    let evidence = Evidence::read(config, store, now).await?;
    let in_shadow = config.signals.evaluated().filter(|settings| settings.mode == SignalMode::Shadow);
    let signals = in_shadow.map(|settings| {
        let readiness = evidence.of(settings.name, config.window.length.delta());
        SignalReadiness { name: settings.name, mode: settings.mode, ready: readiness.is_ready(), readiness }
    });
    let (job, environment) = (config.job.name.clone(), config.job.environment.clone());
    let report = ReadinessReport::new(job, environment, config.window.length.seconds(), signals.collect());
    match invocation.options.format {
        Format::Json => encoded(&report),
        format => Ok(report.render(&config.window.length.to_string(), medium(format))),
    }
}

/// Which signal is to notify, and why all the same, where it is not fit to.
pub struct Wish {
    pub signal: SignalName,
    pub forced: Option<String>,
}

/// The change of the configuration, as TOML with its reason as a comment. Refused until the signal is fit to notify, unless it is forced.
pub async fn promote(config: &Config, invocation: &Invocation, store: &StateStore, wish: Wish) -> Result<String, JobError> {
    let Wish { signal, forced } = wish;
    let now = (invocation.clock)();
    let settings = config.signals.settings.iter().find(|settings| settings.name == signal);
    let settings = settings.ok_or_else(|| JobError::Usage(format!("{signal} is not configured")))?;
    match settings.mode {
        SignalMode::Shadow => {}
        SignalMode::Notify => {
            return Err(JobError::Usage(format!("{signal} notifies already (signals.{signal}.mode): there is nothing to change")));
        }
        SignalMode::Off => {
            return Err(JobError::Usage(format!(
                "{signal} is off, so no window says anything of it: set signals.{signal}.mode = \"shadow\" first"
            )));
        }
    }
    let readiness = Evidence::read(config, store, now).await?.of(signal, config.window.length.delta());
    let because = match (refusal(signal, &readiness), forced) {
        (None, _) => format!(
            "# {signal}: {} false alarms in {} independent windows; its false-alarm rate is below 2 % (95 %).",
            readiness.false_alarms, readiness.independent
        ),
        (Some(refusal), None) => {
            return Err(JobError::Usage(format!(
                "{refusal}; see `drift-check history --readiness`. To promote it all the same, add --force --reason \"…\""
            )));
        }
        (Some(refusal), Some(reason)) => {
            let comment = format!("# Forced: {refusal}.\n# The reason is on record: {}", printable(&reason));
            if !invocation.options.dry_run {
                let scope = shown::series(config, now).scope();
                store.promote(Promotion { scope, signal, created_at: to_micros(now), refusal, reason }).await?;
            }
            comment
        }
    };
    Ok(change(settings, &because, invocation))
}

fn change(settings: &SignalSettings, because: &str, invocation: &Invocation) -> String {
    let file = invocation.options.config.as_deref().map_or_else(|| "the configuration file".to_owned(), printable);
    let channels: Vec<String> = settings.channels.iter().map(|channel| format!("\"{}\"", channel.as_str())).collect();
    let channels = if channels.is_empty() {
        "# channels = […]  # at least one that is configured\n".to_owned()
    } else {
        format!("channels = [{}]\n", channels.join(", "))
    };
    format!(
        "{because}\n# Change this in {file}; nothing was changed yet.\n[signals.{}]\nmode = \"notify\"\n{channels}",
        settings.name
    )
}
