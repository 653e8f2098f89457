//! What is compared: the reference, the newest row of the logs, and the features in both.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::clock::in_words;
use super::{Check, LIMIT_OF_INPUT, Patient, limited};
use crate::bucket::Bucket;
use crate::config::{Anchor, Include, alike};
use crate::error::{ExitCode, JobError};
use crate::job::current::Logs;
use crate::job::reference;
use crate::notify::moment;
use crate::profile::ReferenceProfile;
use crate::report::{format_count, printable};

/// Objects that are looked into for the newest row.
const OBJECTS_READ: usize = 8;

/// Names less alike than this are not meant.
const ALIKE: f64 = 0.8;

/// The newest row may be this much after now: clocks of one platform.
const AHEAD: TimeDelta = TimeDelta::hours(1);

pub async fn check(patient: &Patient<'_>, bucket: &Bucket) -> Vec<Check> {
    let code = ExitCode::InputUnusable;
    let of_reference = async {
        match loaded(patient, bucket).await {
            Ok((check, profile)) => (check, Some(profile)),
            Err(error) => (Check::error("reference", &error), None),
        }
    };
    let of_logs = async {
        match Logs::open(&patient.config, patient.effective, bucket, patient.invocation).await {
            Ok(logs) => (newest(patient, &logs).await, Some(columns(&logs).await)),
            Err(error) => (Check::error("logs", &error), None),
        }
    };
    let all = async {
        let ((reference, profile), (logs, columns)) = tokio::join!(Box::pin(of_reference), Box::pin(of_logs));
        let features = features(patient, profile.as_deref(), columns);
        vec![reference, logs, features]
    };
    limited("reference and logs", code, LIMIT_OF_INPUT, Box::pin(all)).await
}

async fn loaded(patient: &Patient<'_>, bucket: &Bucket) -> Result<(Check, std::sync::Arc<ReferenceProfile>), JobError> {
    let name = "reference";
    let place = reference::place(&patient.config, patient.effective, bucket)?;
    let newest = place.source().await?.objects.iter().filter_map(|object| object.updated).max();
    let loaded = reference::load(&patient.config, &place, &patient.invocation.progress).await?;
    let profile = loaded.profile;
    let age = newest.map_or_else(String::new, |newest| {
        format!(", written {} ago", in_words(((patient.invocation.clock)() - newest).max(TimeDelta::zero())))
    });
    let seen = format!(
        "{}: {} rows, {} features{age}",
        place.uri(),
        format_count(profile.rows),
        profile.features.len() - profile.predictions.len()
    );
    let check = match loaded.findings.iter().find(|finding| finding.severity <= crate::decision::finding::Severity::Warning) {
        Some(finding) => Check::warn(name, seen, format!("{}: {}", finding.code, finding.message)),
        None => Check::ok(name, seen),
    };
    Ok((check, profile))
}

async fn newest(patient: &Patient<'_>, logs: &Logs<'_>) -> Check {
    let (name, config, uri) = ("logs", &patient.config, logs.uri());
    if logs.engine().database().is_none() && logs.objects() == 0 {
        let remedy = "check that the service writes its logs there, and logs.prefix";
        return Check::fail(name, ExitCode::InputUnusable, format!("there is no object at {uri}"), remedy);
    }
    let objects = match logs.engine().database() {
        None => format!("{} objects at {uri}", format_count(logs.objects() as u64)),
        Some(database) => format!("{} columns at {uri}, read by a cluster", format_count(database.columns().len() as u64)),
    };
    if config.logs.timestamp.is_none() {
        return Check::ok(name, format!("{objects}; rows have no time (logs.timestamp is not set)"));
    }
    let now = (patient.invocation.clock)();
    let newest = match logs.newest_row(DateTime::<Utc>::MAX_UTC, OBJECTS_READ, &patient.invocation.progress).await {
        Ok(newest) => newest,
        Err(error) => return Check::error(name, &error),
    };
    let Some(newest) = newest else {
        let seen = format!("{objects}, and no row in the newest of them");
        return Check::fail(
            name,
            ExitCode::InputUnusable,
            seen,
            "check logs.timestamp and the files: `drift-check --dry-run -v` says why",
        );
    };
    let age = now - newest;
    let ago = if age < TimeDelta::zero() { format!("{} from now", in_words(age.abs())) } else { format!("{} ago", in_words(age)) };
    let seen = format!("{objects}; the newest row is of {}, {ago}", moment(newest));
    let oldest = config.signals.no_data_max_age.unwrap_or(config.window.length);
    if config.window.anchor == Anchor::Latest {
        Check::ok(name, format!("{seen}, where the window ends (window.anchor = latest)"))
    } else if age < -AHEAD {
        Check::warn(name, seen, "rows of the future: check the clock and the time zone of who writes them")
    } else if age > oldest.delta() {
        Check::warn(name, seen, format!("older than {oldest}: check that the service writes its logs"))
    } else {
        Check::ok(name, seen)
    }
}

async fn columns(logs: &Logs<'_>) -> Result<BTreeSet<String>, JobError> {
    Ok(logs.columns().await?.into_iter().collect())
}

fn features(
    patient: &Patient<'_>,
    profile: Option<&ReferenceProfile>,
    columns: Option<Result<BTreeSet<String>, JobError>>,
) -> Check {
    let name = "features";
    let columns = match columns {
        Some(Ok(columns)) if !columns.is_empty() => columns,
        Some(Err(error)) => return Check::error(name, &error),
        _ => return Check::skip(name, "there are no logs to find them in"),
    };
    let config = &patient.config;
    let is_in_reference =
        |name: &str| profile.is_none_or(|profile| profile.feature(name).is_some_and(|feature| feature.presence().rows > 0));
    let mut wanted: Vec<&str> = match &config.features.include {
        Include::Named(names) => names.iter().map(crate::feature::FeatureName::as_str).collect(),
        Include::Auto => profile.into_iter().flat_map(|profile| &profile.features).map(|(name, _)| name.as_str()).collect(),
    };
    let count = wanted.len();
    wanted.extend(config.columns_with_a_role());
    let missing: Vec<String> = wanted
        .iter()
        .filter_map(|feature| {
            let has_role = config.columns_with_a_role().contains(feature);
            match (columns.contains(*feature), has_role || is_in_reference(feature)) {
                (true, true) => None,
                (false, true) => Some(format!("`{}` is not in the logs{}", printable(feature), nearest(feature, &columns))),
                (true, false) => Some(format!("`{}` is not in the reference", printable(feature))),
                (false, false) => Some(format!("`{}` is in neither{}", printable(feature), nearest(feature, &columns))),
            }
        })
        .collect();
    if missing.is_empty() {
        return Check::ok(name, format!("{count} of {count} in the reference and in the logs"));
    }
    let remedy = "correct features.include, [logs] or [prediction], or let the service write them: a missing feature is broken";
    if config.features.include == Include::Auto {
        // Left out of the check, as it says.
        return Check::warn(name, missing.join(", "), remedy);
    }
    Check::fail(name, ExitCode::InputUnusable, missing.join(", "), remedy)
}

fn nearest(name: &str, columns: &BTreeSet<String>) -> String {
    let nearest = alike(name, columns.iter().map(String::as_str), ALIKE);
    nearest.map_or_else(String::new, |column| format!(" (`{}` is)", printable(column)))
}
