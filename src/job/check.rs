//! `drift-check check`: the run itself, from the reference to the report.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::cache::Cache;
use super::current::{Counting, Current, Logs};
use super::failures::Failures;
use super::measure::{Measured, measure};
use super::notify::Untold;
use super::readings::Readings;
use super::relations::{self, relate};
use super::shared::shared;
use super::signals::Loose;
use super::timings::Laps;
use super::{
    Invocation, Outcome, findings, index, input, metrics, moment, notify, publish, readings, reference, sections, signals, timings,
    trend, unusable,
};
use crate::bucket::Bucket;
use crate::cli::{FailOn, Format};
use crate::config::{Config, Effective, Origin, Store};
use crate::decision::DatasetVerdict;
use crate::decision::finding::{Finding, FindingCode, Severity};
use crate::error::{ExitCode, JobError};
use crate::notify::compose::compose;
use crate::report::{PastRun, Report, SCHEMA_VERSION, Timings, assemble, markdown, text};
use crate::store::{RunRecord, Series, StateStore, StoreError};
use crate::window::Window;

pub async fn check(config: &Config, effective: &Effective, invocation: &Invocation) -> Result<Outcome, JobError> {
    let mut laps = Laps::new(invocation.clock);
    let bucket = input::bucket(config)?;
    let place = reference::place(config, effective, &bucket)?;
    // Neither waits for the other.
    let loaded = laps.timed(reference::load(config, &place, &invocation.progress));
    let opened = laps.timed(find_window(config, effective, &bucket, invocation));
    let ((loaded, reference_s), (found, listing_s)) = tokio::join!(loaded, opened);
    let (reference, (logs, now, window)) = (loaded?, found?);
    let timings = Timings { reference_s, listing_s, ..Timings::default() };
    laps.lap();
    let cache = Cache::of(config, &bucket, invocation);
    let counting = logs.counting(&reference.profile);
    // The store is opened while there are logs to wait for.
    let counted = logs.count(&counting, window, cache.as_ref(), &invocation.progress);
    let (counted, store) = tokio::join!(counted, needed_store(config, invocation, window));
    let mut current = match counted {
        Err(JobError::Logs(reason)) => return unusable::tell(config, effective, invocation, window, now, reason, store).await,
        current => current?,
    };
    let timings = timings::with_reading(timings, laps.lap(), current.account.spent);
    let mut found = reference.findings;
    let profile = shared(config, reference.profile, &mut current, &logs, &mut found).await?;

    let computing = invocation.progress.step("computing");
    let rows = current.account.rows_used;
    let Measured { features: judged, predictions, decision } = measure(&profile, &current.counts, rows, &config.policy);
    let relations = relate(&profile, &current, &judged, &config.policy);
    drop(computing);

    // Without timestamps the run's own moment names the report.
    let window_end = window.map_or(now, |window| window.end);
    let series = sections::series(config, window);
    let context = trend::Context { config, effective, invocation, series: &series, profile: &profile };

    // A store that fails must not keep the report from being written; the exit code tells of it in the end.
    let mut failures = Failures::default();
    let store = failures.keep(store).flatten();
    let history = past(&context, &logs, counting, window, store.as_ref(), &mut found, &mut failures).await?;
    found.extend(findings::of_features(&judged));
    found.extend(findings::of_features(&predictions));
    let outcome = trend::remember(window, window_end, rows, &decision, &judged);
    let features = assemble::features(judged);
    let predictions = assemble::features(predictions);
    let sources = readings::Found {
        config,
        logs: &logs,
        current: &current,
        decision: &decision,
        predictions: &predictions,
        window,
        window_end,
    };
    let Readings { read, failure, findings: of_signals } = readings::read(&sources).await;
    failures.feedback = failure;

    found.extend(findings::of_account(&current.account, "the window"));
    found.extend(relations::finding(relations.joint.as_ref()));
    found.extend(of_window(config, effective, window.is_some(), &current));
    found.extend(findings::of_engine(config, &current, profile.joint.is_some()));
    found.extend(of_signals);
    let timings = Timings { statistics_s: laps.lap(), ..timings };

    let folder = publish::folder(config, window, window_end);
    let mut report = Report {
        schema_version: SCHEMA_VERSION,
        run: sections::run(config, effective, invocation, window.map(|window| window.end), history, timings),
        window: sections::window(config, window),
        reference: sections::reference(&profile, &features),
        current: sections::current(&current, &features),
        decision: assemble::decision(&decision, &config.policy, &features),
        features,
        predictions: predictions.clone(),
        causes: assemble::causes(&relations.causes),
        joint: relations.joint.as_ref().map(assemble::joint),
        findings: Vec::new(),
        signals: signals::readings(&read),
    };
    let uri = bucket.uri(&format!("{folder}report.html"));
    let moving = signals::Context { config, invocation, series: &series, window_end, report_uri: Some(uri) };
    let compose: signals::Compose = {
        let report = report.clone();
        Arc::new(move |signal, setting| compose(&report, signal, setting))
    };
    let moved = signals::move_on(&moving, store.as_ref(), compose, &read).await;
    report.signals = moved.signals;
    failures.store = failures.store.or(moved.failure);
    found.extend(failures.store.as_ref().map(no_history));
    found.sort_by_key(|finding| finding.severity);
    report.findings = found;

    let run = Run { config, invocation, bucket: &bucket, series: &series, window_end, folder: &folder };
    laps.lap();
    let told = run.publish_and_tell(&mut report, store.as_ref(), &moved.loose, &mut failures).await?;
    if let Some(uri) = told.location.as_ref().filter(|_| window.is_some()) {
        let record = trend::record(&context, outcome, &invocation.trigger, uri.clone(), &report.signals);
        run.put_on_record(&report, record, store.as_ref(), told.is_overtaken, &mut failures).await;
    }
    if let Some((cache, news)) = cache.zip(current.news) {
        cache.keep(news).await;
    }
    let by_verdict = exit_code(report.decision.verdict, invocation.options.fail_on);
    metrics::hand_on(&run.place(), invocation, &mut report, by_verdict, told.is_latest, &mut failures).await;
    say(&report, told.location.as_deref());
    failures.tell();
    let timings = Timings { write_s: told.location.as_ref().map(|_| laps.lap()), ..timings };
    let output = say_all(&report, invocation, told.location, told.preview, &timings)?;
    Ok(Outcome { exit_code: failures.exit_code().unwrap_or(by_verdict), output })
}

/// The logs, the moment that the run is about, and the window under test; `None` where the logs have no timestamp.
async fn find_window<'a>(
    config: &'a Config,
    effective: &Effective,
    bucket: &Bucket,
    invocation: &Invocation,
) -> Result<(Logs<'a>, DateTime<Utc>, Option<Window>), JobError> {
    let logs = Logs::open(config, effective, bucket, invocation).await?;
    let now = moment::of(config, bucket, invocation).await?;
    let window = logs.window(invocation, now).await?;
    Ok((logs, now, window))
}

/// One line in the log for each check; metrics and alerts read its fields.
fn say(report: &Report, location: Option<&str>) {
    tracing::info!(
        run.id = report.run.id,
        decision.verdict = %report.decision.verdict,
        decision.share = report.decision.share,
        current.rows = report.current.rows,
        report.uri = location.unwrap_or(""),
        "{}",
        report.decision.conclusion
    );
}

/// The windows before this one: what the store knows, and what the logs tell where it does not.
async fn past(
    context: &trend::Context<'_>,
    logs: &Logs<'_>,
    counting: Counting,
    window: Option<Window>,
    store: Option<&StateStore>,
    found: &mut Vec<Finding>,
    failures: &mut Failures,
) -> Result<Vec<PastRun>, JobError> {
    // Without a window there is no "before": runs over whole files are no series.
    let Some(window) = window else { return Ok(Vec::new()) };
    let mut history = match store {
        Some(store) => failures.keep(trend::known(context, store, window.end).await).unwrap_or_default(),
        None => Vec::new(),
    };
    let filled = trend::backfill(context, logs, counting, window, store, &mut history).await?;
    found.extend(filled.finding());
    if let Some(error) = filled.store {
        failures.store.get_or_insert(error);
    }
    Ok(history)
}

/// What a run is about, when its report is there.
struct Run<'a> {
    config: &'a Config,
    invocation: &'a Invocation,
    bucket: &'a Bucket,
    series: &'a Series,
    window_end: DateTime<Utc>,
    /// Of the report.
    folder: &'a str,
}

/// What became of the report and its messages.
struct Told {
    /// Where `report.html` is; nowhere after a dry run.
    location: Option<String>,
    /// Another run's report of this window stands there.
    is_overtaken: bool,
    /// What a dry run would have sent.
    preview: String,
    is_latest: bool,
}

impl Run<'_> {
    /// Publishes the report, sends what is due, and publishes again what has become of the messages.
    ///
    /// People are told even when the report cannot be put where it belongs: what fired did fire.
    async fn publish_and_tell(
        &self,
        report: &mut Report,
        store: Option<&StateStore>,
        loose: &[Loose],
        failures: &mut Failures,
    ) -> Result<Told, JobError> {
        let Self { config, invocation, series, window_end, .. } = *self;
        let silenced = notify::silenced(&report.signals);
        let telling = notify::Telling { config, invocation, store, series, window_end, loose, silenced };
        if invocation.options.dry_run {
            return Ok(Told { location: None, is_overtaken: false, preview: telling.preview(), is_latest: false });
        }
        telling.take_statuses(report, &mut failures.store).await;
        let place = self.place();
        let published = place.publish(report).await;
        failures.untold = telling.tell(Some(report), &mut failures.store).await;
        let mut published = match published {
            Ok(published) => published,
            Err(error) => {
                // The caller tells of the bucket only.
                failures.tell();
                return Err(error);
            }
        };
        let is_news = telling.take_statuses(report, &mut failures.store).await;
        let remarks = not_delivered(&failures.untold);
        if is_news || !remarks.is_empty() {
            report.findings.extend(remarks);
            report.findings.sort_by_key(|finding| finding.severity);
            match place.publish(report).await {
                Ok(again) => published = again,
                Err(error) => failures.again = Some(error),
            }
        }
        (failures.latest, failures.copy) = (published.latest_failure, published.copy_failure);
        let publish::Published { uri, is_overtaken, is_latest, .. } = published;
        Ok(Told { location: Some(uri), is_overtaken, preview: String::new(), is_latest })
    }

    /// Remembers the run, and puts it into the list of runs beside its report, where that stands.
    async fn put_on_record(
        &self,
        report: &Report,
        record: RunRecord,
        store: Option<&StateStore>,
        is_overtaken: bool,
        failures: &mut Failures,
    ) {
        if let Some(store) = store {
            failures.keep(store.record_run(record).await);
        }
        if !is_overtaken {
            index::put_in(self.config, self.bucket, report, self.invocation.now).await;
        }
    }

    fn place(&self) -> publish::Place<'_> {
        let Self { config, invocation, bucket, window_end, folder, .. } = *self;
        publish::Place { config, bucket, folder, end: window_end, now: invocation.now }
    }
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
    findings.extend(findings::of_dependence(config, current));
    findings
}

fn no_history(error: &StoreError) -> Finding {
    let message = format!("The state store failed ({error}): there is no trend, and signals have no memory.");
    Finding::new(FindingCode::HistoryUnavailable, Severity::Error, message)
}

fn not_delivered(untold: &Untold) -> Vec<Finding> {
    let remark = |text: String| Finding::new(FindingCode::DeliveryFailed, Severity::Error, text);
    let kept =
        untold.kept.iter().map(|why| format!("A message could not be delivered, and is tried again by the next run: {why}."));
    let lost = untold.lost.iter().map(|why| format!("A message could not be delivered, and is not tried again: {why}."));
    kept.chain(lost).map(remark).collect()
}

/// The store of a check. Without a window there is no trend to keep; but whoever is told must be told once.
async fn needed_store(config: &Config, invocation: &Invocation, window: Option<Window>) -> Result<Option<StateStore>, StoreError> {
    if window.is_none() && !notify::somebody_is_told(config) {
        return Ok(None);
    }
    open_store(config, invocation).await.map(Some)
}

pub async fn open_store(config: &Config, invocation: &Invocation) -> Result<StateStore, StoreError> {
    match &config.store {
        Store::Sqlite { path, timeout } if !invocation.options.dry_run => StateStore::sqlite(path.clone(), *timeout).await,
        Store::Sqlite { .. } | Store::Firestore(_) => open_for_reading(config).await,
    }
}

/// Opens the store for those who only read: a file is neither made nor brought up to date.
pub async fn open_for_reading(config: &Config) -> Result<StateStore, StoreError> {
    match &config.store {
        Store::Sqlite { path, timeout } => StateStore::sqlite_read_only(path.clone(), *timeout).await,
        // Opening it writes nothing.
        Store::Firestore(settings) => StateStore::firestore(settings.clone()).await,
    }
}

fn exit_code(verdict: DatasetVerdict, fail_on: FailOn) -> ExitCode {
    match (fail_on, verdict) {
        (FailOn::Drift | FailOn::Inconclusive, DatasetVerdict::Drift) => ExitCode::Drift,
        (FailOn::Inconclusive, DatasetVerdict::Inconclusive | DatasetVerdict::NoData) => ExitCode::Inconclusive,
        _ => ExitCode::Success,
    }
}

/// What is printed: the report, what a dry run would have sent, and where the time went.
fn say_all(
    report: &Report,
    invocation: &Invocation,
    location: Option<String>,
    preview: String,
    timings: &Timings,
) -> Result<String, JobError> {
    let mut output = render(report, invocation, location)?;
    let rest = if invocation.options.timings { preview + &timings::table(timings) } else { preview };
    // JSON stands alone on stdout.
    if invocation.options.format == Format::Json && !rest.is_empty() {
        tracing::info!("{}", rest.trim());
    } else {
        output.push_str(&rest);
    }
    Ok(output)
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
