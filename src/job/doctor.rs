//! `drift-check doctor`: is everything set up right, before anything is at stake? Each check is one line; all run to their ends whatever
//! fails, each in a time of its own, and those that do not build on one another at the same time. Shows no secret.

mod bucket;
mod channels;
mod clock;
mod input;
mod shown;
mod store;

use std::time::Duration;

use serde::Serialize;

use super::{Invocation, Outcome};
use crate::config::{Config, Effective, Store};
use crate::error::{ExitCode, JobError, with_causes};
use crate::ingest::timestamp::NaiveTimestamps;
use crate::window::Length;

/// How a check ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    Ok,
    Warn,
    Fail,
    /// Not looked at, and why.
    Skip,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub name: String,
    pub status: Status,
    /// What was seen.
    pub seen: String,
    /// What to do about it.
    pub remedy: Option<String>,
    /// Of the process, should this be the worst.
    #[serde(skip)]
    code: ExitCode,
}

impl Check {
    fn ok(name: &str, seen: impl Into<String>) -> Self {
        Self { name: name.to_owned(), status: Status::Ok, seen: seen.into(), remedy: None, code: ExitCode::Success }
    }

    fn skip(name: &str, why: impl Into<String>) -> Self {
        Self { status: Status::Skip, ..Self::ok(name, why) }
    }

    fn warn(name: &str, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { status: Status::Warn, remedy: Some(remedy.into()), ..Self::ok(name, seen) }
    }

    fn fail(name: &str, code: ExitCode, seen: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into()).filter(|remedy| !remedy.is_empty());
        Self { status: Status::Fail, remedy, code, ..Self::ok(name, seen) }
    }

    /// Not over in time.
    fn late(name: &str, code: ExitCode, limit: Duration, remedy: impl Into<String>) -> Self {
        Self::fail(name, code, format!("no answer within {} s", limit.as_secs()), remedy)
    }

    /// What an error says holds its remedy.
    fn error(name: &str, error: &JobError) -> Self {
        Self::fail(name, error.exit_code(), with_causes(error), "")
    }
}

/// How long any check may take; those that read the reference and the logs.
const LIMIT: Duration = Duration::from_secs(45);
const LIMIT_OF_INPUT: Duration = Duration::from_mins(3);

/// How long a call may take with its retries: a doctor says what is wrong now, and does not wait for better times.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the checks share.
struct Patient<'a> {
    config: Config,
    effective: &'a Effective,
    invocation: &'a Invocation,
    /// A name that nobody else uses.
    probe: String,
}

impl Patient<'_> {
    fn may_write(&self) -> bool {
        !self.invocation.options.dry_run
    }
}

const DRY_RUN: &str = "--dry-run: nothing is written";

pub async fn doctor(
    loaded: Result<(Config, Effective), JobError>,
    invocation: &Invocation,
    send_test: bool,
) -> Result<Outcome, JobError> {
    let (config, effective) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return shown::outcome(&of_config(&error), invocation),
    };
    let mut checks = vec![Check::ok("config", configured(&config, invocation))];
    let attempt = format!("{}-{}", invocation.run_id, invocation.attempt);
    let probe = attempt.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let patient = Patient { config: hurried(config), effective: &effective, invocation, probe };
    let name = "bucket";
    let bucket = match super::input::bucket(&patient.config) {
        Ok(bucket) => bucket,
        Err(error) => {
            checks.push(Check::error(name, &error.into()));
            return shown::outcome(&checks, invocation);
        }
    };
    let looked_at = async {
        let found = Box::pin(bucket::check(&patient, &bucket)).await;
        let input = if found.is_reachable {
            Box::pin(input::check(&patient, &bucket)).await
        } else {
            ["reference", "logs", "features"].map(|name| Check::skip(name, "the bucket cannot be listed")).into()
        };
        (found, input)
    };
    let store = Box::pin(store::check(&patient));
    let channels = channels::check(&patient, send_test);
    let (clock, identity, (found, input), store, channels) = tokio::join!(
        clock::of_service(&patient, &bucket),
        bucket::identity(&patient, &bucket),
        Box::pin(looked_at),
        store,
        channels
    );
    checks.push(clock.or(found.clock).unwrap_or_else(|| Check::skip("clock", "there is no other clock to compare with")));
    checks.push(time_zone(&patient.config));
    checks.push(identity);
    for part in [found.checks, input, store, channels] {
        checks.extend(part);
    }
    shown::outcome(&checks, invocation)
}

/// A line for each problem.
fn of_config(error: &JobError) -> Vec<Check> {
    let lines: Vec<String> = match error {
        JobError::Config(error) => error.problems.iter().map(ToString::to_string).collect(),
        error => vec![with_causes(error)],
    };
    let fail = |line: String| Check::fail("config", ExitCode::Config, line, "");
    let mut checks: Vec<Check> = lines.into_iter().map(fail).collect();
    checks.push(Check::skip("all others", "they need a valid configuration"));
    checks
}

fn configured(config: &Config, invocation: &Invocation) -> String {
    let file = invocation.options.config.as_deref().unwrap_or("no file, defaults and environment");
    format!("{file}: job {} ({}), windows of {}", config.job.name, config.job.environment, config.window.length)
}

/// The configuration with less patience.
fn hurried(mut config: Config) -> Config {
    if let Ok(patience) = format!("{}s", PATIENCE.as_secs()).parse::<Length>() {
        config.bucket.timeout = config.bucket.timeout.min(patience);
    }
    match &mut config.store {
        Store::Sqlite { timeout, .. } => *timeout = (*timeout).min(PATIENCE),
        Store::Firestore(settings) => settings.timeout = settings.timeout.min(PATIENCE),
    }
    config
}

fn time_zone(config: &Config) -> Check {
    let name = "time zone";
    if config.logs.timestamp.is_none() {
        return Check::skip(name, "logs.timestamp is not set: every row is in the window");
    }
    match config.logs.naive_timestamps {
        NaiveTimestamps::Utc => {
            Check::ok(name, "a date-time without an offset is taken as UTC (logs.naive_timestamps); windows are in UTC")
        }
        NaiveTimestamps::Reject => {
            Check::ok(name, "a row whose date-time has no offset is rejected (logs.naive_timestamps); windows are in UTC")
        }
    }
}

/// The checks in time, or one line that says that they were not.
async fn limited(name: &str, code: ExitCode, limit: Duration, checks: impl Future<Output = Vec<Check>>) -> Vec<Check> {
    tokio::time::timeout(limit, checks)
        .await
        .unwrap_or_else(|_| vec![Check::late(name, code, limit, "check the network, and try again")])
}
