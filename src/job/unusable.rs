//! Logs that cannot be used: too much of them was rejected, or nothing could be read. There is no report, and nobody may wait for one:
//! `broken-input` fires, people are told, and the run ends with its error.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::readings::Read;
use super::{Invocation, Outcome, notify, sections, signals};
use crate::config::{Config, Effective};
use crate::decision::signal::{SignalName, broken_input};
use crate::error::{JobError, with_causes};
use crate::notify::compose::{Bare, compose_without_report};
use crate::store::{StateStore, StoreError};
use crate::window::Window;

/// Tells people, as far as that is possible, and gives the error back: never an outcome.
pub async fn tell(
    config: &Config,
    effective: &Effective,
    invocation: &Invocation,
    window: Option<Window>,
    now: DateTime<Utc>,
    reason: String,
    store: Result<Option<StateStore>, StoreError>,
) -> Result<Outcome, JobError> {
    let Some(settings) = config.signals.evaluated().find(|settings| settings.name == SignalName::BrokenInput) else {
        return Err(JobError::Logs(reason));
    };
    let window_end = window.map_or(now, |window| window.end);
    let series = sections::series(config, window);
    let bare = Bare {
        job: series.job.clone(),
        environment: series.environment.clone(),
        window_start: window.map(|window| window.start),
        window_end,
        command: sections::command(config, effective, invocation, window.map(|window| window.end)),
    };
    let mut failure = None;
    let store = store.map_err(|error| failure = Some(error)).ok().flatten();
    let (reading, why) = broken_input(None, Some(&reason));
    let read = [Read { settings, reading, reason: why }];
    let context = signals::Context { config, invocation, series: &series, window_end, report_uri: None };
    let compose = Arc::new(move |signal: &_, setting| compose_without_report(&bare, signal, setting));
    let moved = signals::move_on(&context, store.as_ref(), compose, &read).await;
    failure = failure.or(moved.failure);
    let telling = notify::Telling {
        config,
        invocation,
        store: store.as_ref(),
        series: &series,
        window_end,
        loose: &moved.loose,
        silenced: notify::silenced(&moved.signals),
    };
    if invocation.options.dry_run {
        tracing::info!("{}", telling.preview());
    } else {
        let untold = telling.tell(None, &mut failure).await;
        for undelivered in untold.kept.iter().chain(&untold.lost) {
            tracing::error!("A message could not be delivered: {undelivered}");
        }
    }
    if let Some(error) = failure {
        tracing::error!("The state store failed, so what was told is not remembered: {}", with_causes(&error));
    }
    Err(JobError::Logs(reason))
}
