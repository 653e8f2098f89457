//! Handing on the metrics of a run, once it is known how it ends: over OTLP and as a text file. Neither keeps the run from ending as it
//! does; what could not be handed on is a finding.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, SubsecRound as _, Utc};

use super::channels::text_of;
use super::failures::Failures;
use super::{Invocation, publish};
use crate::blocking;
use crate::bucket::Bucket;
use crate::config::{Config, OtlpAuth, OtlpSettings};
use crate::decision::finding::{Finding, FindingCode, Severity};
use crate::error::{ExitCode, with_causes};
use crate::metrics::{Collector, export, parse_headers};
use crate::notify::Hidden;
use crate::report::Report;
use crate::report::metrics::{Ended, Family, JOB, Subject, of_failure, of_report};
use crate::report::openmetrics::{last_success, render};

/// Where the metrics of a run go.
pub struct Metrics<'a> {
    config: &'a Config,
    invocation: &'a Invocation,
    /// As the file says that is there.
    last_success: Option<DateTime<Utc>>,
}

impl<'a> Metrics<'a> {
    /// None where nobody asked for any, and for a dry run.
    pub async fn of(config: &'a Config, invocation: &'a Invocation) -> Option<Self> {
        let settings = &config.metrics;
        if invocation.options.dry_run || settings.textfile.is_none() && settings.otlp.is_none() {
            return None;
        }
        let last_success = match &settings.textfile {
            Some(path) => known_success(path, config).await,
            None => None,
        };
        Some(Self { config, invocation, last_success })
    }

    /// Hands on what a report tells; what could not be handed on.
    pub async fn of_report(&self, report: &Report, exit_code: ExitCode) -> Vec<Finding> {
        self.hand_on(&of_report(report, &self.ended(exit_code))).await
    }

    /// Hands on that a run failed, and nothing of the data: there is no report, or it is not known to be there.
    pub async fn of_failure(&self, exit_code: ExitCode) {
        let subject = Subject {
            job: self.config.job.name.clone(),
            environment: self.config.job.environment.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        self.hand_on(&of_failure(&subject, &self.ended(exit_code))).await;
    }

    fn ended(&self, exit_code: ExitCode) -> Ended {
        let now = (self.invocation.clock)();
        let took = (now - self.invocation.now).to_std().unwrap_or_default();
        let succeeded = matches!(exit_code, ExitCode::Success | ExitCode::Drift | ExitCode::Inconclusive);
        Ended {
            exit_code: exit_code as u8,
            duration_s: took.as_secs_f64(),
            last_success: if succeeded { Some(now.trunc_subsecs(0)) } else { self.last_success },
        }
    }

    async fn hand_on(&self, families: &[Family]) -> Vec<Finding> {
        let settings = &self.config.metrics;
        let mut findings = Vec::new();
        let mut failed = |what: String| {
            tracing::warn!("{what}");
            findings.push(Finding::new(FindingCode::MetricsNotExported, Severity::Warning, what));
        };
        if let Some(otlp) = &settings.otlp
            && let Err(why) = self.send(otlp, families).await
        {
            failed(format!("The collector at {} did not take the metrics of this run: {why}.", otlp.endpoint));
        }
        if let Some(path) = &settings.textfile
            && let Err(why) = write(path, render(families)).await
        {
            failed(format!("The metrics of this run could not be written to {path} (metrics.textfile): {why}."));
        }
        findings
    }

    async fn send(&self, otlp: &OtlpSettings, families: &[Family]) -> Result<(), String> {
        let timeout: Duration = self.config.metrics.timeout.delta().to_std().unwrap_or_default();
        let headers = match &otlp.headers {
            None => Vec::new(),
            Some(secret) => {
                let key = "metrics.otlp_headers";
                let (text, problem) = text_of(&self.invocation.environment, key, secret).map_err(|problem| problem.to_string())?;
                parse_headers(&text).map_err(|what| problem(what).to_string())?
            }
        };
        let authorities = otlp.ca_file.as_ref().map(std::fs::read).transpose();
        let collector = Collector {
            endpoint: otlp.endpoint.clone(),
            headers: headers.into_iter().map(|(name, value)| (name, Hidden::new(value))).collect(),
            is_google: otlp.auth == OtlpAuth::Google,
            authorities: authorities.map_err(|error| format!("metrics.ca_file cannot be read: {error}"))?,
            timeout,
        };
        let sent = export(families, &self.resource(), &collector).await;
        sent.map_err(|error| format!("{error}; {}", error.remedy()))
    }

    /// Who sends, by the names of OpenTelemetry. The instance is the job, not the run: each run would be a series of its own.
    fn resource(&self) -> Vec<(&'static str, String)> {
        let job = &self.config.job;
        let mut resource = vec![
            ("service.name", "drift-check".to_owned()),
            ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
            ("service.instance.id", format!("{}/{}", job.name, job.environment)),
            ("deployment.environment.name", job.environment.clone()),
        ];
        resource.extend(self.invocation.resource.iter().cloned());
        resource
    }
}

/// Hands on the metrics of a report that was published, now that it is known how the run ends; what could not be handed on becomes a finding of
/// that report.
pub async fn hand_on(
    place: &publish::Place<'_>,
    invocation: &Invocation,
    report: &mut Report,
    by_verdict: ExitCode,
    is_latest: bool,
    failures: &mut Failures,
) {
    let Some(metrics) = Metrics::of(place.config, invocation).await else { return };
    let so_far = failures.exit_code();
    if !is_latest {
        return match so_far {
            None => tracing::info!("the metrics of a later window stand, so those of this one were not handed on"),
            Some(failed) => metrics.of_failure(failed).await,
        };
    }
    let remarks = metrics.of_report(report, so_far.unwrap_or(by_verdict)).await;
    if remarks.is_empty() {
        return;
    }
    report.findings.extend(remarks);
    report.findings.sort_by_key(|finding| finding.severity);
    if let Err(error) = place.publish(report).await {
        failures.again = Some(error);
        // What was handed on says that the run succeeded.
        metrics.of_failure(ExitCode::StorageFailed).await;
    }
}

fn place(path: &str) -> (Bucket, &Path, String) {
    let file = Path::new(path);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    (Bucket::local(folder), folder, name)
}

/// Replaces the file as a whole: who reads it at that moment sees the one before or this one.
async fn write(path: &str, text: String) -> Result<(), String> {
    let (bucket, folder, name) = place(path);
    let known = folder.to_owned();
    // A folder that is misspelt would be made, and read by nobody.
    if !blocking::run(move || known.is_dir()).await {
        return Err(format!("{} is no folder: make it, or name that of the textfile collector", folder.display()));
    }
    bucket.put(&name, Bytes::from(text)).await.map_err(|error| with_causes(&error))
}

/// When the job last succeeded, as the file of an earlier run says. One that cannot be read says nothing.
async fn known_success(path: &str, config: &Config) -> Option<DateTime<Utc>> {
    let (bucket, _, name) = place(path);
    let stored = bucket.get(&name).await.ok().flatten()?;
    let text = String::from_utf8(stored.bytes.to_vec()).ok()?;
    last_success(&text, &[(JOB, config.job.name.clone()), ("environment", config.job.environment.clone())])
}
