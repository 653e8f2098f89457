//! What people say of a stretch of time, drift or none: put on record, and taken back.

use chrono::{DateTime, Utc};

use super::super::{Invocation, sections};
use super::{known_feature, needed_reason, shown};
use crate::cli::Said;
use crate::config::{Config, Include};
use crate::decision::label::{Label, Truth};
use crate::error::JobError;
use crate::feature::FeatureName;
use crate::report::printable;
use crate::store::{LabelRecord, Scope, StateStore, to_micros};

/// A label to be recorded, or one to be taken back: then what it says does not matter.
pub enum Wish {
    Record { label: Label, reason: String },
    Forget(Label),
}

impl Wish {
    /// From what the command line says; nothing said takes the label back.
    pub fn of(
        said: Option<Said>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        feature: Option<String>,
        reason: Option<&str>,
    ) -> Result<Self, JobError> {
        let truth = match said {
            Some(Said::Drift) | None => Truth::Drift,
            Some(Said::NoDrift) => Truth::NoDrift,
        };
        if feature.as_ref().is_some_and(String::is_empty) {
            return Err(JobError::Usage(
                "--feature is empty: name a feature, or leave it out for the data set as a whole".to_owned(),
            ));
        }
        let label = Label { truth, from: to_micros(from), to: to_micros(to), feature: feature.map(FeatureName::new) };
        if label.from >= label.to {
            let (order, remedy) = if label.from == label.to {
                ("holds no moment", "--to is the first moment that the label does not hold any more")
            } else {
                ("ends before it begins", "give the earlier moment as --from")
            };
            return Err(JobError::Usage(format!("the range {} {order}: {remedy}", range(&label))));
        }
        Ok(match said {
            Some(_) => Self::Record { label, reason: needed_reason(reason, "a label")? },
            None => Self::Forget(label),
        })
    }
}

pub async fn record(config: &Config, invocation: &Invocation, store: &StateStore, wish: Wish) -> Result<String, JobError> {
    let scope = sections::series(config, None).scope();
    match wish {
        Wish::Record { label, reason } => add(config, invocation, store, scope, label, reason).await,
        Wish::Forget(label) => forget(invocation, store, scope, label).await,
    }
}

async fn add(
    config: &Config,
    invocation: &Invocation,
    store: &StateStore,
    scope: Scope,
    label: Label,
    reason: String,
) -> Result<String, JobError> {
    let now = (invocation.clock)();
    if let Some(feature) = &label.feature {
        let runs = shown::runs(config, store, now, config.report.trend_windows).await?;
        let on_record = runs.iter().flat_map(|run| run.outcome.features.keys());
        let configured = match &config.features.include {
            Include::Named(names) => names.as_slice(),
            Include::Auto => &[],
        };
        known_feature(feature.as_str(), on_record.chain(configured))?;
    }
    let known = store.labels(scope.clone()).await?;
    if let Some(other) = known.iter().find(|other| label.contradicts(&other.label)) {
        return Err(JobError::Usage(format!(
            "the label {} contradicts {}, which is on record (\"{}\"): take that one back first with `{}`, or give a range that does \
             not touch it",
            in_words(&label),
            in_words(&other.label),
            printable(&other.reason),
            command_to_forget(&other.label)
        )));
    }
    let meeting: Vec<String> = known
        .iter()
        .filter(|other| other.label.meets(&label) && other.label != label)
        .map(|other| format!("It overlaps {}, which says the same; both stand.\n", in_words(&other.label)))
        .collect();
    if !invocation.options.dry_run {
        store.label(LabelRecord { scope, label: label.clone(), created_at: to_micros(now), reason }).await?;
    }
    let is = if invocation.options.dry_run { "Would be labelled" } else { "Labelled" };
    Ok(format!("{is} {}.\n{}", in_words(&label), meeting.concat()))
}

async fn forget(invocation: &Invocation, store: &StateStore, scope: Scope, asked: Label) -> Result<String, JobError> {
    let known = store.labels(scope.clone()).await?;
    let is_asked = |label: &Label| (label.from, label.to, &label.feature) == (asked.from, asked.to, &asked.feature);
    let Some(found) = known.iter().find(|record| is_asked(&record.label)) else {
        let touching: Vec<String> =
            known.iter().filter(|other| other.label.overlaps(asked.from, asked.to)).map(|other| in_words(&other.label)).collect();
        let remedy = match touching.as_slice() {
            [] => "none on record touches it (`drift-check history` lists them)".to_owned(),
            some => format!("give the range and the feature of one that is on record: {}", some.join("; ")),
        };
        return Err(JobError::Usage(format!("there is no label {}: {remedy}", range(&asked))));
    };
    let label = found.label.clone();
    if !invocation.options.dry_run {
        store.unlabel(scope, label.clone()).await?;
    }
    let is = if invocation.options.dry_run { "would be taken back" } else { "is taken back" };
    Ok(format!("The label {} {is}.\n", in_words(&label)))
}

/// A name in it can steer no terminal.
fn in_words(label: &Label) -> String {
    printable(&label.to_string())
}

/// The range, and the feature, of a label, whatever it says.
fn range(label: &Label) -> String {
    let text = in_words(label);
    text.strip_prefix(&format!("{} ", label.truth)).map_or(text.clone(), str::to_owned)
}

fn command_to_forget(label: &Label) -> String {
    let moment = |moment: DateTime<Utc>| moment.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true);
    let feature = label.feature.as_ref().map(|name| format!(" --feature {}", sections::quoted(&printable(name.as_str()))));
    format!("drift-check history --unlabel --from {} --to {}{}", moment(label.from), moment(label.to), feature.unwrap_or_default())
}
