//! What a dashboard is told of a run: the report as numbers with labels, each under one name in every system that takes it.
//!
//! The names hold to the rules of OpenMetrics and of Prometheus (`_ratio`, `_seconds`), and are sent over OTLP as they are: what
//! translates OTLP for Prometheus adds no suffix that is there already, so that one expression reads the metric wherever it has gone. What is
//! null in the report is no sample, never 0. The number of samples is bounded by the configured features and signals.

use chrono::{DateTime, Utc};

use super::{FeatureReport, Report};
use crate::decision::signal::{SignalReport, SignalState};
use crate::decision::{DatasetVerdict, Verdict};

/// One metric with its samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    pub name: &'static str,
    pub help: &'static str,
    pub unit: Option<Unit>,
    pub samples: Vec<Sample>,
}

/// What a value is counted in; the name ends in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share, in [0, 1].
    Ratio,
    Seconds,
}

/// One value with the labels that tell it from the others of its metric.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub labels: Vec<(&'static str, String)>,
    /// Finite.
    pub value: f64,
}

/// Which check the metrics are of: on every sample.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    pub job: String,
    pub environment: String,
    /// The version of drift-check.
    pub version: String,
}

/// How the run ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ended {
    pub exit_code: u8,
    /// From the start of the process to this moment.
    pub duration_s: f64,
    /// When the last run succeeded: this one, or what is known of an earlier one.
    pub last_success: Option<DateTime<Utc>>,
}

/// The label of the checked job. Not `job`: Prometheus sets that itself, to what it has scraped, and would write `exported_job` instead.
pub const JOB: &str = "job_name";

/// The metric that tells when a run last succeeded.
pub const LAST_SUCCESS: &str = "drift_check_last_success_timestamp_seconds";

/// What a run with a report tells.
pub fn of_report(report: &Report, ended: &Ended) -> Vec<Family> {
    let subject =
        Subject { job: report.run.job.clone(), environment: report.run.environment.clone(), version: report.run.version.clone() };
    let mut made = Maker::new(&subject);
    of_decision(&mut made, report);
    for feature in &report.features {
        of_feature(&mut made, feature);
    }
    of_rows(&mut made, report);
    for signal in &report.signals {
        of_signal(&mut made, signal);
    }
    of_end(&mut made, &subject, ended);
    made.families
}

/// What a run without a report tells: how it ended, and nothing of the data.
pub fn of_failure(subject: &Subject, ended: &Ended) -> Vec<Family> {
    let mut made = Maker::new(subject);
    of_end(&mut made, subject, ended);
    made.families
}

fn of_decision(made: &mut Maker<'_>, report: &Report) {
    let decision = &report.decision;
    made.add(
        Named::ratio("drift_check_share_ratio", "Share of drifted and broken features, of all configured ones."),
        &[],
        Some(decision.share),
    );
    made.add(
        Named::ratio("drift_check_share_threshold_ratio", "Share above which (strictly) the verdict is drift: policy.share."),
        &[],
        Some(decision.threshold),
    );
    for verdict in DatasetVerdict::ALL {
        let is = decision.verdict == verdict;
        let labels = [("verdict", verdict.to_string())];
        made.add(Named::plain("drift_check_verdict", "Verdict on the window: 1 for the one that holds."), &labels, Some(flag(is)));
    }
    for verdict in Verdict::ALL {
        let count = report.features.iter().filter(|feature| feature.verdict == verdict).count();
        let labels = [("verdict", verdict.to_string())];
        made.add(Named::plain("drift_check_features", "Configured features by their verdict."), &labels, Some(count as f64));
    }
    made.add(
        Named::seconds("drift_check_window_end_timestamp_seconds", "End of the window that the report is about, in Unix time."),
        &[],
        report.window.end.map(unix),
    );
}

fn of_feature(made: &mut Maker<'_>, feature: &FeatureReport) {
    let labels = [("feature", feature.name.as_str().to_owned())];
    let psi = feature.psi.as_ref();
    made.add(Named::plain("drift_check_feature_psi", "Population stability index."), &labels, psi.map(|psi| psi.value));
    made.add(
        Named::plain("drift_check_feature_psi_adjusted", "PSI less what chance alone would show at these sizes, not below 0."),
        &labels,
        psi.map(|psi| psi.adjusted),
    );
    made.add(
        Named::plain("drift_check_feature_ks_statistic", "Kolmogorov-Smirnov distance, from 0 to 1."),
        &labels,
        feature.ks.as_ref().map(|ks| ks.statistic),
    );
    for verdict in Verdict::ALL {
        let labels = [("feature", feature.name.as_str().to_owned()), ("verdict", verdict.to_string())];
        let is = feature.verdict == verdict;
        made.add(
            Named::plain("drift_check_feature_verdict", "Verdict on a feature: 1 for the one that holds."),
            &labels,
            Some(flag(is)),
        );
    }
}

fn of_rows(made: &mut Maker<'_>, report: &Report) {
    let current = &report.current;
    for (kind, rows) in [("used", current.rows), ("outside", current.rows_outside_window), ("rejected", current.rows_rejected)] {
        let help = "Rows that were read: used, outside the window, or rejected.";
        made.add(Named::plain("drift_check_rows", help), &[("kind", kind.to_owned())], Some(rows as f64));
    }
}

fn of_signal(made: &mut Maker<'_>, signal: &SignalReport) {
    for state in SignalState::ALL {
        let labels = [("signal", signal.name.to_string()), ("state", state.to_string())];
        let is = signal.state == state;
        made.add(Named::plain("drift_check_signal_state", "State of a signal: 1 for the one that holds."), &labels, Some(flag(is)));
    }
    let labels = [("signal", signal.name.to_string())];
    made.add(
        Named::plain("drift_check_signal_value", "What a signal holds against its threshold, in the signal's own unit."),
        &labels,
        signal.value,
    );
    made.add(
        Named::plain("drift_check_signal_threshold", "Threshold of a signal, in the signal's own unit."),
        &labels,
        signal.threshold,
    );
}

fn of_end(made: &mut Maker<'_>, subject: &Subject, ended: &Ended) {
    made.add(Named::seconds("drift_check_run_duration_seconds", "How long the last run took."), &[], Some(ended.duration_s));
    made.add(
        Named::plain("drift_check_last_run_exit_code", "Exit code of the last run; 0, 10 and 11 are runs that came to a verdict."),
        &[],
        Some(f64::from(ended.exit_code)),
    );
    made.add(
        Named::seconds(LAST_SUCCESS, "When a run last came to its end without a failure, in Unix time."),
        &[],
        ended.last_success.map(unix),
    );
    let labels = [("version", subject.version.clone())];
    made.add(Named::plain("drift_check_build_info", "The program that wrote this; always 1."), &labels, Some(1.0));
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}

/// Whole seconds: a sample every few hours needs no more, and short numbers read well.
fn unix(moment: DateTime<Utc>) -> f64 {
    moment.timestamp() as f64
}

/// What a metric is called and what it means.
#[derive(Clone, Copy)]
struct Named {
    name: &'static str,
    help: &'static str,
    unit: Option<Unit>,
}

impl Named {
    fn plain(name: &'static str, help: &'static str) -> Self {
        Self { name, help, unit: None }
    }

    fn ratio(name: &'static str, help: &'static str) -> Self {
        Self { name, help, unit: Some(Unit::Ratio) }
    }

    fn seconds(name: &'static str, help: &'static str) -> Self {
        Self { name, help, unit: Some(Unit::Seconds) }
    }
}

/// Gathers samples under their metrics.
struct Maker<'a> {
    subject: &'a Subject,
    families: Vec<Family>,
}

impl<'a> Maker<'a> {
    fn new(subject: &'a Subject) -> Self {
        Self { subject, families: Vec::new() }
    }

    /// Nothing where there is no value: a dashboard shows a gap, and no number that nobody measured.
    fn add(&mut self, named: Named, own: &[(&'static str, String)], value: Option<f64>) {
        let Some(value) = value.filter(|value| value.is_finite()) else { return };
        let Named { name, help, unit } = named;
        let common = [(JOB, self.subject.job.clone()), ("environment", self.subject.environment.clone())];
        let labels = common.into_iter().chain(own.iter().cloned()).collect();
        let sample = Sample { labels, value };
        match self.families.iter_mut().find(|family| family.name == name) {
            Some(family) => family.samples.push(sample),
            None => self.families.push(Family { name, help, unit, samples: vec![sample] }),
        }
    }
}
