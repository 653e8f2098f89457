//! Earlier windows: what the store remembers, and what is computed from the logs where it does not.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::Invocation;
use super::current::{Counting, Logs};
use super::measure::{Measured, measure};
use crate::config::{Config, Effective};
use crate::decision::dataset::DatasetDecision;
use crate::decision::finding::{Finding, FindingCode, Severity};
use crate::decision::signal::{PastSignal, SignalReport};
use crate::error::{JobError, with_causes};
use crate::profile::ReferenceProfile;
use crate::report::assemble::JudgedFeature;
use crate::report::{PastFeature, PastRun};
use crate::store::{RunRecord, Series, StateStore, StoreError};
use crate::window::Window;

/// One window as the store remembers it.
pub fn remember(
    window: Option<Window>,
    window_end: DateTime<Utc>,
    rows: u64,
    decision: &DatasetDecision,
    judged: &[JudgedFeature<'_>],
) -> PastRun {
    let features = judged.iter().map(|feature| {
        let psi_adjusted = feature.measurement.psi.as_ref().map(|psi| psi.adjusted);
        let ks_statistic = feature.measurement.ks.as_ref().map(|ks| ks.statistic);
        (feature.name.clone(), PastFeature { verdict: feature.judgement.verdict, psi_adjusted, ks_statistic })
    });
    PastRun {
        window_start: window.map(|window| window.start),
        window_end,
        verdict: decision.verdict,
        share: decision.share,
        rows,
        features: features.collect(),
    }
}

/// What the trend needs to know of the run that shows it.
pub struct Context<'a> {
    pub config: &'a Config,
    pub effective: &'a Effective,
    pub invocation: &'a Invocation,
    pub series: &'a Series,
    pub profile: &'a Arc<ReferenceProfile>,
}

/// The earlier windows that the report shows, the oldest first.
pub async fn known(context: &Context<'_>, store: &StateStore, window_end: DateTime<Utc>) -> Result<Vec<PastRun>, StoreError> {
    let limit = context.config.report.trend_windows;
    let mut runs = store.past_runs(context.series.clone(), window_end, limit).await?;
    // A run repeated a minute later is not one more window.
    let near = TimeDelta::seconds(context.series.length_s) / NEAR_PARTS;
    let mut next = window_end;
    let mut apart: Vec<bool> = runs
        .iter()
        .rev()
        .map(|run| {
            let is_apart = next - run.window_end >= near;
            next = if is_apart { run.window_end } else { next };
            is_apart
        })
        .collect();
    runs.retain(|_| apart.pop().unwrap_or(true));
    Ok(runs)
}

/// Windows that end within this part of their length of one another are as good as the same window.
const NEAR_PARTS: i32 = 8;

/// What failed while the trend was filled; the first of each.
#[derive(Debug, Default)]
pub struct Backfill {
    pub store: Option<StoreError>,
    /// Why logs could not be read.
    pub unread: Option<String>,
}

impl Backfill {
    /// Why earlier windows are missing, for the report.
    pub fn finding(&self) -> Option<Finding> {
        let message =
            format!("Earlier windows are missing from the trend, because their logs could not be read: {}.", self.unread.as_ref()?);
        Some(Finding::new(FindingCode::HistoryUnavailable, Severity::Warning, message))
    }
}

/// Adds the windows just before this one that the store does not know, computed from the logs; records them where it may write.
///
/// `counting` is that of the run; features that were dropped since are not counted.
///
/// A window that cannot be computed (its logs are damaged) is left out, and a bucket that fails ends it: the trend must not keep the
/// check from running.
pub async fn backfill(
    context: &Context<'_>,
    logs: &Logs<'_>,
    mut counting: Counting,
    window: Window,
    store: Option<&StateStore>,
    known: &mut Vec<PastRun>,
) -> Result<Backfill, JobError> {
    let near = (window.end - window.start) / NEAR_PARTS;
    let mut failures = Backfill::default();
    let mut earlier = window;
    for _ in 0..context.config.report.backfill_windows {
        earlier = earlier.previous();
        if known.iter().any(|run| (run.window_end - earlier.end).abs() < near) {
            continue;
        }
        if !Arc::ptr_eq(counting.profile(), context.profile) {
            counting = logs.counting(context.profile);
        }
        let current = match logs.count(&counting, Some(earlier), None, &context.invocation.progress).await {
            Ok(current) => current,
            Err(JobError::Input(reason) | JobError::Logs(reason)) => {
                tracing::warn!(window.end = %earlier.end, "An earlier window was left out of the trend: {reason}");
                continue;
            }
            Err(error @ (JobError::Bucket(_) | JobError::Engine(_))) => {
                let why = with_causes(&error);
                tracing::warn!("The windows before {} were left out of the trend: {why}", window.start);
                failures.unread = Some(error.to_string());
                break;
            }
            Err(error) => return Err(error),
        };
        let rows = current.account.rows_used;
        if rows == 0 {
            // Before the logs began there is no trend.
            break;
        }
        let Measured { features, decision, .. } = measure(counting.profile(), &current.counts, rows, &context.config.policy);
        let outcome = remember(Some(earlier), earlier.end, rows, &decision, &features);
        if let Some(store) = store.filter(|_| !context.invocation.options.dry_run) {
            let recorded = store.record_run(record(context, outcome.clone(), "backfill", String::new(), &[])).await;
            failures.store = failures.store.or(recorded.err());
        }
        known.push(outcome);
    }
    known.sort_by_key(|run| run.window_end);
    let shown = context.config.report.trend_windows as usize;
    known.drain(..known.len().saturating_sub(shown));
    Ok(failures)
}

/// The record of a run that ends now.
pub fn record(context: &Context<'_>, outcome: PastRun, trigger: &str, report_uri: String, signals: &[SignalReport]) -> RunRecord {
    RunRecord {
        id: context.invocation.run_id.clone(),
        series: context.series.clone(),
        trigger: trigger.to_owned(),
        started_at: context.invocation.now,
        finished_at: (context.invocation.clock)(),
        profile_id: context.profile.id.clone(),
        config_digest: context.effective.digest(),
        report_uri,
        outcome,
        signals: signals.iter().map(|signal| (signal.name, PastSignal::from(signal))).collect(),
    }
}
