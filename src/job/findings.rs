//! Findings about the input: what was read, rejected, missing, broken.

use super::current::Current;
use crate::config::Config;
use crate::decision::Verdict;
use crate::decision::finding::{Finding, FindingCode, Severity};
use crate::error::with_causes;
use crate::ingest::account::{Account, Fault, ObjectAccount};
use crate::ingest::decode::{MOST_COLUMNS, Rejections};
use crate::profile::{FeatureCounts, FeatureProfile, Presence};
use crate::report::assemble::JudgedFeature;
use crate::report::{format_count, format_percent};
use crate::statistic::Condition;

/// Objects that get a finding of their own per code; the rest share one, so that a report stays readable.
const OBJECTS_SHOWN: usize = 10;

/// Locations shown per reason and object.
const LOCATIONS_SHOWN: usize = 3;

/// What is remarkable about the objects that were read; `side` names the input, such as "the window".
pub fn of_account(account: &Account, side: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let unreadable = account.unreadable().map(|(object, error)| {
        let message = format!("None of its rows was used: it {}.", with_causes(error));
        (object, message)
    });
    push(&mut findings, FindingCode::ObjectUnreadable, Severity::Error, unreadable, side);
    let rejected = account.rejections().map(|(object, rejections)| (object, rejection_message(object, rejections)));
    push(&mut findings, FindingCode::RowsRejected, Severity::Warning, rejected, side);
    let empty = account.readable().filter(|(_, tally)| tally.rows_read == 0).map(|(object, tally)| {
        let what = if tally.is_empty { "It is empty." } else { "It has a header and no row." };
        (object, what.to_owned())
    });
    push(&mut findings, FindingCode::ObjectEmpty, Severity::Info, empty, side);
    let vanished = account.objects.iter().filter(|object| matches!(object.outcome, Err(Fault::Vanished)));
    let vanished =
        vanished.map(|object| (object, "It was listed, but is not there any more; none of its rows was used.".to_owned()));
    push(&mut findings, FindingCode::ObjectUnreadable, Severity::Error, vanished, side);
    let unknown = account.objects.iter().filter(|object| matches!(object.outcome, Err(Fault::UnknownFormat))).map(|object| {
        let what = "It was not read: its name ends in none of .csv, .ndjson, .jsonl (each also .gz, .zst) and .parquet.";
        (object, what.to_owned())
    });
    push(&mut findings, FindingCode::ObjectUnknownFormat, Severity::Info, unknown, side);
    findings
}

fn push<'a>(
    findings: &mut Vec<Finding>,
    code: FindingCode,
    severity: Severity,
    objects: impl Iterator<Item = (&'a ObjectAccount, String)>,
    side: &str,
) {
    let mut more = 0_u64;
    for (position, (object, message)) in objects.enumerate() {
        if position < OBJECTS_SHOWN {
            findings.push(Finding::new(code, severity, message).about_object(&object.uri));
        } else {
            more += 1;
        }
    }
    if more > 0 {
        findings.push(Finding::new(code, severity, format!("The same holds for {} more objects of {side}.", format_count(more))));
    }
}

fn rejection_message(object: &ObjectAccount, rejections: &Rejections) -> String {
    let read = object.outcome.as_ref().map_or(0, |tally| tally.rows_read);
    let rows = |count: u64| if count == 1 { "row" } else { "rows" };
    let mut message = format!("{} of {} {} rejected. ", format_count(rejections.total()), format_count(read), rows(read));
    let reasons = rejections.iter().map(|(reason, rejected)| {
        let places: Vec<String> = rejected.first.iter().take(LOCATIONS_SHOWN).map(ToString::to_string).collect();
        let more = if rejected.rows > places.len() as u64 { "; …" } else { "" };
        // A cluster does not tell where they are.
        let places = if places.is_empty() { String::new() } else { format!(" ({}{more})", places.join("; ")) };
        format!("{reason}: {} {}{places}", format_count(rejected.rows), rows(rejected.rows))
    });
    message.push_str(&reasons.collect::<Vec<_>>().join(". "));
    message.push('.');
    message
}

/// An error message when there are so many columns that not all of them are looked at.
pub fn too_many_columns(uri: &str) -> String {
    format!("{uri}: there are more than {MOST_COLUMNS} columns: write only those that are compared")
}

/// Why no row was read, for an error message: the first objects and what is wrong with them.
pub fn why_nothing_was_read(account: &Account) -> String {
    let findings = of_account(account, "the input");
    let described: Vec<String> = findings
        .iter()
        .take(LOCATIONS_SHOWN)
        .map(|finding| format!("{}: {}", finding.object.as_deref().unwrap_or("others"), finding.message))
        .collect();
    if described.is_empty() { "there is no object with rows".to_owned() } else { described.join(" ") }
}

/// An error message when more of the input was rejected than allowed.
pub fn check_rejected_fraction(account: &Account, limit: f64, side: &str) -> Result<(), String> {
    let fraction = account.rejected_fraction();
    if fraction <= limit {
        return Ok(());
    }
    Err(format!(
        "{} of {side} was rejected, more than logs.max_rejected_fraction = {limit} allows: {}",
        format_percent(fraction),
        why_nothing_was_read(account)
    ))
}

/// What is known, or not, of which rows belong together.
pub fn of_dependence(config: &Config, current: &Current) -> Vec<Finding> {
    let mut findings = Vec::new();
    if current.account.rows_used == 0 {
        return findings;
    }
    let timestamp = config.logs.timestamp.is_some();
    match &config.logs.cluster {
        Some(cluster) if !current.account.cluster_seen => {
            let instead = if timestamp {
                "blocks of rows in time order tell how dependent they are"
            } else {
                "rows are taken as independent"
            };
            let message = format!("No object of the window has the column `{cluster}` of logs.cluster: {instead}.");
            findings.push(Finding::new(FindingCode::ClusterMissing, Severity::Warning, message));
        }
        None if !timestamp => {
            let message = "Rows are taken as independent: neither logs.cluster nor logs.timestamp tells which belong together. If one patient or \
                           session has several rows, the window looks more certain than it is.";
            findings.push(Finding::new(FindingCode::IndependenceAssumed, Severity::Info, message));
        }
        _ => {}
    }
    if current.counts.dependence.is_sampled() {
        let message = "There are more clusters than are kept: how dependent rows are was found from a sample of whole clusters.";
        findings.push(Finding::new(FindingCode::ClustersSampled, Severity::Info, message));
    }
    findings
}

/// What a cluster does not tell.
pub fn of_engine(config: &Config, current: &Current, has_relations: bool) -> Option<Finding> {
    if !current.by_cluster || current.account.rows_used == 0 {
        return None;
    }
    let in_time = config.logs.timestamp.is_some() && !current.account.cluster_seen;
    let limits = [
        has_relations.then_some("how features move together was not compared"),
        in_time.then_some("rows that depend on each other were looked for by the hour only, because no logs.cluster tells them"),
        Some("a column that some files do not have counts as missing there, and not as absent"),
    ];
    let limits = limits.into_iter().flatten().collect::<Vec<_>>().join("; ");
    let message = format!("A cluster counted the rows, and does not tell everything: {limits} (docs/scale.md).");
    Some(Finding::new(FindingCode::EngineLimited, Severity::Info, message))
}

/// What is remarkable about the features.
pub fn of_features(judged: &[JudgedFeature<'_>]) -> Vec<Finding> {
    judged.iter().flat_map(of_feature).collect()
}

fn of_feature(feature: &JudgedFeature<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut add =
        |code, severity, message: String| findings.push(Finding::new(code, severity, message).about_feature(feature.name));
    if feature.judgement.verdict == Verdict::Broken {
        let code = match feature.measurement.condition {
            Condition::Absent | Condition::NoReference | Condition::NoRows => FindingCode::FeatureMissing,
            Condition::AllNull => FindingCode::FeatureAllNull,
            Condition::NonFinite => FindingCode::FeatureNonFinite,
            Condition::WrongType => FindingCode::FeatureTypeChanged,
            Condition::Comparable { .. } => FindingCode::FeatureConstant,
        };
        add(code, Severity::Error, format!("Broken: {}.", feature.judgement.reason));
        return findings;
    }
    let Some((profile, counts)) = feature.sides else { return findings };
    let Presence { rows, absent, wrong_type, .. } = *counts.presence();
    let part = |count: u64| format!("{} of {} rows", format_count(count), format_count(rows));
    if absent > 0 {
        add(
            FindingCode::FeatureMissing,
            Severity::Warning,
            format!("{} are in objects without this column; they count as missing.", part(absent)),
        );
    }
    if wrong_type > 0 {
        let message = format!("{} are in objects whose column is of another type; they count as missing.", part(wrong_type));
        add(FindingCode::FeatureTypeChanged, Severity::Warning, message);
    }
    if is_constant(profile) {
        let same = if counts_are_same(profile, counts) { ", and so it is in the window" } else { "" };
        add(
            FindingCode::ReferenceConstant,
            Severity::Info,
            format!("It has one single value in the reference{same}; only a change of that value can be seen."),
        );
    }
    findings
}

fn is_constant(profile: &FeatureProfile) -> bool {
    match profile {
        FeatureProfile::Numeric { grid, .. } => grid.knots().len() == 1,
        FeatureProfile::Categorical { categories, .. } => categories.names().len() == 1,
    }
}

fn counts_are_same(profile: &FeatureProfile, counts: &FeatureCounts) -> bool {
    match (profile, counts) {
        (FeatureProfile::Numeric { .. }, FeatureCounts::Numeric(counts)) => counts.n() > 0 && counts.off_grid() == 0,
        (FeatureProfile::Categorical { .. }, FeatureCounts::Categorical(counts)) => counts.n() > 0 && counts.new == 0,
        _ => false,
    }
}
