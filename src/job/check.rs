//! `drift-check check`: the run itself, from the reference to the report.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};

use super::current::{Current, Logs};
use super::measure::measure;
use super::relations::{self, relate};
use super::{Invocation, Outcome, findings, input, moment, publish, reference, signals, trend};
use crate::bucket::BucketError;
use crate::cli::{FailOn, Format};
use crate::config::{Config, Effective, Include, Origin, Store, Value};
use crate::decision::DatasetVerdict;
use crate::decision::finding::{Finding, FindingCode, Severity};
use crate::error::{ExitCode, JobError, with_causes};
use crate::feature::FeatureName;
use crate::ingest::account::Account;
use crate::profile::ReferenceProfile;
use crate::report::{
    CurrentSection, FeatureReport, ObjectSection, PastRun, ReferenceSection, Report, Run, SCHEMA_VERSION, WindowSection, assemble,
    markdown, text,
};
use crate::store::{Series, StateStore, StoreError};

pub async fn check(config: &Config, effective: &Effective, invocation: &Invocation) -> Result<Outcome, JobError> {
    let bucket = input::bucket(config)?;
    let place = reference::place(config, effective, &bucket)?;
    let reference = reference::load(config, &place, &invocation.progress).await?;
    let logs = Logs::list(config, effective, &bucket, &invocation.progress).await?;
    let now = moment::of(config, &bucket, invocation).await?;
    let window = logs.window(invocation, now).await?;
    let mut current = logs.count(&reference.profile, window, &invocation.progress).await?;
    let mut found = reference.findings;
    let profile = shared(config, reference.profile, &mut current, &logs, &mut found).await?;

    let computing = invocation.progress.step("computing");
    let policy = &config.policy;
    let rows = current.account.rows_used;
    let (judged, decision) = measure(&profile, &current.counts, rows, policy);
    let relations = relate(&profile, &current.counts, &judged, policy);
    drop(computing);

    // Without timestamps the run's own moment names the report.
    let window_end = window.map_or(now, |window| window.end);
    let series = Series {
        job: config.job.name.clone(),
        environment: config.job.environment.clone(),
        length_s: window.map_or(0, |_| config.window.length.seconds()),
    };
    let profile_id = profile.id().map_err(|source| JobError::Encode { what: "profile", source })?;
    let context = trend::Context { config, effective, invocation, series: &series, policy, profile_id: &profile_id };

    // A store that fails must not keep the report from being written; the exit code tells of it in the end.
    let mut store_error = None;
    // Without a window there is no "before": runs over whole files are not a series.
    let store = match window {
        Some(_) => keep(open_store(config, invocation).await, &mut store_error),
        None => None,
    };
    let mut history: Vec<PastRun> = match &store {
        Some(store) => keep(trend::known(&context, store, window_end).await, &mut store_error).unwrap_or_default(),
        None => Vec::new(),
    };
    if let Some(window) = window {
        let failures = trend::backfill(&context, &logs, &profile, window, store.as_ref(), &mut history).await?;
        found.extend(failures.finding());
        store_error = store_error.or(failures.store);
    }
    let newest = current.account.newest_us.and_then(DateTime::from_timestamp_micros);
    let (signals, failure) = signals::evaluate(config, invocation, store.as_ref(), &series, window_end, &decision, newest).await;
    store_error = store_error.or(failure);

    found.extend(findings::of_account(&current.account, "the window"));
    found.extend(findings::of_features(&judged));
    found.extend(relations::finding(relations.joint.as_ref()));
    found.extend(of_window(config, effective, window.is_some(), &current));
    found.extend(findings::of_dependence(config, &current));
    found.extend(signals::not_available(config, &signals));
    found.extend(store_error.as_ref().map(no_history));
    found.sort_by_key(|finding| finding.severity);

    let outcome = trend::remember(window, window_end, rows, &decision, &judged);
    let features = assemble::features(judged);
    let report = Report {
        schema_version: SCHEMA_VERSION,
        run: run_section(config, effective, invocation, window.map(|window| window.end), history),
        window: WindowSection {
            start: window.map(|window| window.start),
            end: window.map(|window| window.end),
            length_s: window.map(|_| config.window.length.seconds()),
        },
        reference: reference_section(&profile, profile_id.clone(), &features),
        current: current_section(&current, &features),
        decision: assemble::decision(&decision, policy, &features),
        features,
        causes: assemble::causes(&relations.causes),
        joint: relations.joint.as_ref().map(assemble::joint),
        findings: found,
        signals,
    };
    let mut copy_failure = None;
    let location = if invocation.options.dry_run {
        None
    } else {
        let folder = publish::folder(config, window, window_end);
        let published = publish::publish(config, &bucket, &folder, window_end, &report).await?;
        let uri = published.uri;
        copy_failure = published.copy_failure;
        if let Some(store) = &store {
            let record = trend::record(&context, outcome, &invocation.trigger, uri.clone());
            keep(store.record_run(record).await, &mut store_error);
        }
        Some(uri)
    };
    tracing::info!(
        run.id = report.run.id,
        decision.verdict = %report.decision.verdict,
        decision.share = report.decision.share,
        current.rows = rows,
        report.uri = location.as_deref().unwrap_or(""),
        "{}",
        report.decision.conclusion
    );
    let is_stored = tell_failures(store_error.as_ref(), copy_failure.as_ref());
    let by_verdict = exit_code(report.decision.verdict, invocation.options.fail_on);
    let exit_code = if is_stored { by_verdict } else { ExitCode::StorageFailed };
    Ok(Outcome { exit_code, output: render(&report, invocation, location)? })
}

/// With `auto`, drops the features that the logs do not have, and says so.
async fn shared(
    config: &Config,
    profile: Arc<ReferenceProfile>,
    current: &mut Current,
    logs: &Logs<'_>,
    found: &mut Vec<Finding>,
) -> Result<Arc<ReferenceProfile>, JobError> {
    if config.features.include != Include::Auto || current.account.rows_read == 0 {
        return Ok(profile);
    }
    let known: BTreeSet<&str> = profile.features.iter().map(|(name, _)| name.as_str()).collect();
    let left_out: BTreeSet<String> =
        found.iter().filter_map(|finding| finding.feature.as_ref()).map(|name| name.as_str().to_owned()).collect();
    let roles = config.columns_with_a_role();
    let columns = logs.columns().await?;
    for name in columns.iter().cloned() {
        if !known.contains(name.as_str()) && !left_out.contains(&name) && !roles.contains(name.as_str()) {
            let message = format!("The logs have a column `{name}` that the reference does not have; it was left out.");
            found.push(not_shared(&FeatureName::new(name), Severity::Info, message));
        }
    }
    if current.account.columns_seen.iter().all(|seen| *seen) {
        return Ok(profile);
    }
    // A column that the logs had before this window did not leave the check: it broke.
    let in_logs = |name: &FeatureName| columns.iter().any(|column| column == name.as_str());
    let seen = profile.features.iter().zip(&current.account.columns_seen);
    let keep: Vec<bool> = seen.map(|((name, _), seen)| *seen || in_logs(name)).collect();
    let gone: BTreeSet<&FeatureName> =
        profile.features.iter().zip(&keep).filter(|(_, keep)| !**keep).map(|((name, _), _)| name).collect();
    for name in &gone {
        let message = format!(
            "The reference has a column `{name}` that no object of the logs has; it was left out. To be alarmed by that, list it in \
             features.include."
        );
        found.push(not_shared(name, Severity::Warning, message));
    }
    let mut kept = (*profile).clone();
    kept.retain(|name| !gone.contains(name));
    current.counts.retain(&profile, &keep);
    Ok(Arc::new(kept))
}

fn not_shared(name: &FeatureName, severity: Severity, message: String) -> Finding {
    Finding::new(FindingCode::ColumnNotShared, severity, message).about_feature(name)
}

fn of_window(config: &Config, effective: &Effective, has_window: bool, current: &Current) -> Vec<Finding> {
    let mut findings = Vec::new();
    if current.account.rows_used == 0 {
        let message = format!(
            "The window holds no row. Check that the service writes its logs, and logs.prefix, logs.timestamp and --as-of. Objects read: \
             {}; left out, because the date in their key (logs.date_pattern) or their update time rules out rows of the window: {}.",
            current.account.objects.len(),
            current.objects_skipped
        );
        findings.push(Finding::new(FindingCode::NoRows, Severity::Error, message));
    }
    let asked = effective.get("window.length").is_some_and(|setting| setting.origin != Origin::Default);
    if !has_window && asked {
        let message = format!(
            "A window of {} was asked for, but logs.timestamp is not set: every row of the logs was used.",
            config.window.length
        );
        findings.push(Finding::new(FindingCode::WindowIgnored, Severity::Warning, message));
    }
    findings
}

fn no_history(error: &StoreError) -> Finding {
    let message = format!("The state store failed ({error}): there is no trend, and signals have no memory.");
    Finding::new(FindingCode::HistoryUnavailable, Severity::Error, message)
}

/// Says what could not be kept although the report was published; whether there is nothing to say.
fn tell_failures(store: Option<&StoreError>, copy: Option<&BucketError>) -> bool {
    if let Some(error) = store {
        tracing::error!("The state store failed, so signals and trend were not kept: {}", with_causes(error));
    }
    if let Some(error) = copy {
        tracing::error!("The report was published, but not copied to report.path: {}", with_causes(error));
    }
    store.is_none() && copy.is_none()
}

/// Keeps a value, or the first error.
fn keep<T>(result: Result<T, StoreError>, first: &mut Option<StoreError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            first.get_or_insert(error);
            None
        }
    }
}

async fn open_store(config: &Config, invocation: &Invocation) -> Result<StateStore, StoreError> {
    match &config.store {
        Store::Sqlite { path } if invocation.options.dry_run => StateStore::sqlite_read_only(path.clone()).await,
        Store::Sqlite { path } => StateStore::sqlite(path.clone()).await,
        // Opening it writes nothing, and a dry run only reads.
        Store::Firestore(settings) => StateStore::firestore(settings.clone()).await,
    }
}

fn run_section(
    config: &Config,
    effective: &Effective,
    invocation: &Invocation,
    end: Option<DateTime<Utc>>,
    history: Vec<PastRun>,
) -> Run {
    Run {
        id: invocation.run_id.clone(),
        job: config.job.name.clone(),
        environment: config.job.environment.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        attempt: invocation.attempt,
        trigger: invocation.trigger.clone(),
        started_at: invocation.now,
        finished_at: (invocation.clock)(),
        config_digest: effective.digest(),
        command: command(config, effective, invocation, end),
        history,
    }
}

/// The command that reproduces the report.
fn command(config: &Config, effective: &Effective, invocation: &Invocation, end: Option<DateTime<Utc>>) -> String {
    let options = &invocation.options;
    let mut words = vec!["drift-check".to_owned()];
    words.extend(options.config.iter().flat_map(|file| ["--config".to_owned(), quoted(file)]));
    for (flag, key) in [("--bucket", "bucket.uri"), ("--reference", "reference.path"), ("--current", "logs.path")] {
        // What came from elsewhere than the file would be missing when the command is run again.
        let set = effective.get(key).filter(|setting| matches!(setting.origin, Origin::Environment { .. } | Origin::Flag { .. }));
        if let Some(Value::Text(value)) = set.map(|setting| &setting.value) {
            words.extend([flag.to_owned(), quoted(value)]);
        }
    }
    if let Some(end) = end {
        words.extend(["--window".to_owned(), config.window.length.to_string()]);
        words.extend(["--as-of".to_owned(), end.to_rfc3339_opts(SecondsFormat::AutoSi, true)]);
    }
    words.join(" ")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

fn reference_section(profile: &ReferenceProfile, profile_id: String, features: &[FeatureReport]) -> ReferenceSection {
    let objects = profile.objects.iter().map(|object| ObjectSection {
        uri: object.uri.clone(),
        generation: object.generation.clone(),
        size_bytes: object.size_bytes,
        rows: object.rows,
    });
    ReferenceSection {
        rows: profile.rows,
        effective_rows: effective_rows(profile.rows, features, |feature| feature.design_effect.reference),
        profile_id,
        objects: objects.collect(),
    }
}

/// Rows by the median design effect of the features: what a side as a whole is worth.
fn effective_rows(rows: u64, features: &[FeatureReport], design_effect: impl Fn(&FeatureReport) -> f64) -> f64 {
    let mut effects: Vec<f64> = features.iter().map(design_effect).collect();
    effects.sort_by(f64::total_cmp);
    rows as f64 / effects.get(effects.len() / 2).copied().unwrap_or(1.0)
}

fn current_section(current: &Current, features: &[FeatureReport]) -> CurrentSection {
    let account: &Account = &current.account;
    let objects = account.readable().map(|(object, tally)| ObjectSection {
        uri: object.uri.clone(),
        generation: object.generation.clone(),
        size_bytes: object.size_bytes,
        rows: tally.rows_used,
    });
    CurrentSection {
        rows: account.rows_used,
        effective_rows: effective_rows(account.rows_used, features, |feature| feature.design_effect.current),
        rows_read: account.rows_read,
        rows_outside_window: account.rows_outside_window,
        rows_rejected: account.rows_rejected,
        objects: objects.collect(),
        objects_skipped: current.objects_skipped,
    }
}

fn exit_code(verdict: DatasetVerdict, fail_on: FailOn) -> ExitCode {
    match (fail_on, verdict) {
        (FailOn::Drift | FailOn::Inconclusive, DatasetVerdict::Drift) => ExitCode::Drift,
        (FailOn::Inconclusive, DatasetVerdict::Inconclusive | DatasetVerdict::NoData) => ExitCode::Inconclusive,
        _ => ExitCode::Success,
    }
}

fn render(report: &Report, invocation: &Invocation, location: Option<String>) -> Result<String, JobError> {
    Ok(match invocation.options.format {
        Format::Text => {
            let options = text::TextOptions {
                color: invocation.terminal.color,
                width: invocation.terminal.width,
                verbose: invocation.options.verbose > 0,
                report_location: location,
            };
            text::render(report, options)
        }
        Format::Markdown => markdown::render(report),
        Format::Json => {
            let bytes = report.to_json().map_err(|source| JobError::Encode { what: "report", source })?;
            String::from_utf8_lossy(&bytes).into_owned()
        }
    })
}
