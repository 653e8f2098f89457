//! The parts of the report that tell of the run itself: who, what was read, and the command that does it again.

use chrono::{DateTime, SecondsFormat, Utc};

use super::Invocation;
use super::current::Current;
use crate::config::{Config, Effective, Origin, Value};
use crate::ingest::account::Account;
use crate::profile::ReferenceProfile;
use crate::report::{CurrentSection, FeatureReport, ObjectSection, PastRun, ReferenceSection, Run, Timings, WindowSection};
use crate::store::Series;
use crate::window::Window;

pub fn run(
    config: &Config,
    effective: &Effective,
    invocation: &Invocation,
    end: Option<DateTime<Utc>>,
    history: Vec<PastRun>,
    timings: Timings,
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
        timings,
        config_digest: effective.digest(),
        command: command(config, effective, invocation, end),
        history,
    }
}

/// The series that the run belongs to.
pub fn series(config: &Config, window: Option<Window>) -> Series {
    let length_s = window.map_or(0, |_| config.window.length.seconds());
    Series { job: config.job.name.clone(), environment: config.job.environment.clone(), length_s }
}

/// The window, if there is one.
pub fn window(config: &Config, window: Option<Window>) -> WindowSection {
    WindowSection {
        start: window.map(|window| window.start),
        end: window.map(|window| window.end),
        length_s: window.map(|_| config.window.length.seconds()),
    }
}

/// The command that reproduces the report.
pub fn command(config: &Config, effective: &Effective, invocation: &Invocation, end: Option<DateTime<Utc>>) -> String {
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
pub fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

pub fn reference(profile: &ReferenceProfile, features: &[FeatureReport]) -> ReferenceSection {
    let objects = profile.objects.iter().map(|object| ObjectSection {
        uri: object.uri.clone(),
        generation: object.generation.clone(),
        size_bytes: object.size_bytes,
        rows: object.rows,
    });
    ReferenceSection {
        rows: profile.rows,
        effective_rows: effective_rows(profile.rows, features, |feature| feature.design_effect.reference),
        profile_id: profile.id.clone(),
        objects: objects.collect(),
    }
}

/// Rows by the median design effect of the features: what a side as a whole is worth.
fn effective_rows(rows: u64, features: &[FeatureReport], design_effect: impl Fn(&FeatureReport) -> f64) -> f64 {
    let mut effects: Vec<f64> = features.iter().map(design_effect).collect();
    effects.sort_by(f64::total_cmp);
    rows as f64 / effects.get(effects.len() / 2).copied().unwrap_or(1.0)
}

pub fn current(current: &Current, features: &[FeatureReport]) -> CurrentSection {
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
