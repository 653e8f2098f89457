//! Earlier windows: what the store remembers, and what is computed from the logs where it does not.

mod backfill;
mod together;

pub use backfill::backfill;

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::Invocation;
use crate::config::{Config, Effective};
use crate::decision::dataset::DatasetDecision;
use crate::decision::signal::{PastSignal, SignalReport};
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
