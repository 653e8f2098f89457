//! Windows that the store does not know, computed from the logs.

use std::sync::Arc;

use rayon::prelude::*;

use super::{Context, NEAR_PARTS, record, remember, together};
use crate::decision::finding::{Finding, FindingCode, Severity};
use crate::error::{JobError, with_causes};
use crate::ingest::sink::windows::OfWindow;
use crate::job::current::{Counting, Logs};
use crate::job::measure::{Measured, measure};
use crate::profile::WindowCounts;
use crate::report::PastRun;
use crate::store::{StateStore, StoreError};
use crate::window::Window;

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

/// What a window is known to be.
enum Found {
    Outcome(PastRun),
    NoRows,
    /// Its logs are damaged.
    Unusable,
    /// The bucket failed.
    Unread(String),
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
    let mut failures = Backfill::default();
    let missing = missing(context, window, known);
    if !missing.is_empty() && !Arc::ptr_eq(counting.profile(), context.profile) {
        counting = logs.counting(context.profile);
    }
    // A trend shows verdicts, and those rest on every feature by itself.
    counting.empty = counting.empty.marginal();
    'windows: for windows in together::groups(&missing, context.profile) {
        let counted = match together::count(context, logs, &counting, windows).await {
            Ok(counted) => counted,
            Err(error) => {
                failures.unread = windows.first().map(|window| unread(*window, &error.into()));
                break;
            }
        };
        let found: Vec<Option<Found>> =
            counted.into_par_iter().map(|counted| counted.map(|counted| of_counted(context, counted))).collect();
        // Those that were not counted are read one by one, until the logs end.
        for (window, found) in windows.iter().zip(found) {
            let found = match found {
                Some(found) => found,
                None => Box::pin(alone(context, logs, &counting, *window)).await?,
            };
            match found {
                Found::Outcome(outcome) => {
                    if let Some(store) = store.filter(|_| !context.invocation.options.dry_run) {
                        let recorded = store.record_run(record(context, outcome.clone(), "backfill", String::new(), &[])).await;
                        failures.store = failures.store.or(recorded.err());
                    }
                    known.push(outcome);
                }
                Found::Unusable => {}
                // Before the logs began there is no trend.
                Found::NoRows => break 'windows,
                Found::Unread(why) => {
                    failures.unread = Some(why);
                    break 'windows;
                }
            }
        }
    }
    known.sort_by_key(|run| run.window_end);
    let shown = context.config.report.trend_windows as usize;
    known.drain(..known.len().saturating_sub(shown));
    Ok(failures)
}

/// The windows just before this one of which nothing is known, the newest first.
fn missing(context: &Context<'_>, window: Window, known: &[PastRun]) -> Vec<Window> {
    let near = (window.end - window.start) / NEAR_PARTS;
    let earlier = std::iter::successors(Some(window.previous()), |window| Some(window.previous()));
    let is_known = |window: &Window| known.iter().any(|run| (run.window_end - window.end).abs() < near);
    earlier.take(context.config.report.backfill_windows as usize).filter(|window| !is_known(window)).collect()
}

/// Reads a window by itself.
async fn alone(context: &Context<'_>, logs: &Logs<'_>, counting: &Counting, window: Window) -> Result<Found, JobError> {
    match logs.count(counting, Some(window), None, &context.invocation.progress).await {
        Ok(current) => Ok(found(context, window, current.account.rows_used, &current.counts)),
        Err(JobError::Input(reason) | JobError::Logs(reason)) => {
            tracing::warn!(window.end = %window.end, "An earlier window was left out of the trend: {reason}");
            Ok(Found::Unusable)
        }
        Err(error @ (JobError::Bucket(_) | JobError::Engine(_))) => Ok(Found::Unread(unread(window, &error))),
        Err(error) => Err(error),
    }
}

/// Tells of a failure that leaves out this window and those before it.
fn unread(window: Window, error: &JobError) -> String {
    tracing::warn!("The windows up to {} were left out of the trend: {}", window.end, with_causes(error));
    error.to_string()
}

fn of_counted(context: &Context<'_>, counted: OfWindow) -> Found {
    let OfWindow { window, rows, counter } = counted;
    let mut counts = counter.counts;
    counts.spread();
    found(context, window, rows, &counts)
}

fn found(context: &Context<'_>, window: Window, rows: u64, counts: &WindowCounts) -> Found {
    if rows == 0 {
        return Found::NoRows;
    }
    let Measured { features, decision, .. } = measure(context.profile, counts, rows, &context.config.policy);
    Found::Outcome(remember(Some(window), window.end, rows, &decision, &features))
}
