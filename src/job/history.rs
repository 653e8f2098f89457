//! `drift-check history`: what is on record, and the word of people: that nobody is to be told for a while, what a stretch of time was, that
//! a signal is to notify.

mod label;
mod readiness;
mod shown;
mod silence;

use serde::de::IntoDeserializer as _;
use serde::de::value::{Error as DeserializeError, StrDeserializer};
use serde::{Deserialize, Serialize};

use super::{Invocation, Outcome, check};
use crate::cli::{Format, HistoryOptions};
use crate::config::{Config, nearest};
use crate::decision::signal::SignalName;
use crate::error::{ExitCode, JobError};
use crate::feature::FeatureName;
use crate::report::history::Medium;
use crate::report::{printable, to_json};

pub async fn history(config: &Config, invocation: &Invocation, asked: HistoryOptions) -> Result<Outcome, JobError> {
    let wish = Wish::of(asked)?;
    let store = check::open_store(config, invocation).await?;
    let output = match wish {
        Wish::Show => shown::show(config, invocation, &store).await?,
        Wish::Silence(silence) => silence::record(config, invocation, &store, silence).await?,
        Wish::Label(labelling) => label::record(config, invocation, &store, labelling).await?,
        Wish::Course(feature) => shown::course(config, invocation, &store, &feature).await?,
        Wish::Readiness => readiness::show(config, invocation, &store).await?,
        Wish::Promote(promotion) => readiness::promote(config, invocation, &store, promotion).await?,
    };
    Ok(Outcome { exit_code: ExitCode::Success, output })
}

/// What is asked of the history, checked as far as it can be without looking.
enum Wish {
    Show,
    Silence(silence::Wish),
    Label(label::Wish),
    Course(String),
    Readiness,
    Promote(readiness::Wish),
}

impl Wish {
    fn of(asked: HistoryOptions) -> Result<Self, JobError> {
        let HistoryOptions { silence, unsilence, label, unlabel, from, to, feature, readiness, promote, force, reason } = asked;
        if let Some(silence) = silence::Wish::of(silence.as_deref(), unsilence.as_deref(), reason.as_deref())? {
            return Ok(Self::Silence(silence));
        }
        if let Some((from, to)) = from.zip(to) {
            let truth = if unlabel { None } else { label };
            return Ok(Self::Label(label::Wish::of(truth, from, to, feature, reason.as_deref())?));
        }
        if let Some(signal) = promote {
            let signal = signal_of(&signal)?;
            let forced = force.then(|| needed_reason(reason.as_deref(), "a forced promotion")).transpose()?;
            return Ok(Self::Promote(readiness::Wish { signal, forced }));
        }
        if readiness {
            return Ok(Self::Readiness);
        }
        Ok(feature.map_or(Self::Show, Self::Course))
    }
}

fn signal_of(text: &str) -> Result<SignalName, JobError> {
    let deserializer: StrDeserializer<'_, DeserializeError> = text.into_deserializer();
    SignalName::deserialize(deserializer).map_err(|_| {
        let known: Vec<String> = SignalName::ALL.iter().map(ToString::to_string).collect();
        JobError::Usage(format!("`{}` is not a signal: the signals are {}", printable(text), known.join(", ")))
    })
}

fn encoded(value: &impl Serialize) -> Result<String, JobError> {
    to_json(value).map_err(|source| JobError::Encode { what: "history", source })
}

/// What is not JSON.
fn medium(format: Format) -> Medium {
    if format == Format::Markdown { Medium::Markdown } else { Medium::Text }
}

/// A reason that says something.
fn needed_reason(reason: Option<&str>, what: &str) -> Result<String, JobError> {
    let reason = reason.filter(|reason| !reason.trim().is_empty());
    reason.map(str::to_owned).ok_or_else(|| JobError::Usage(format!("{what} needs a reason: --reason \"…\"")))
}

/// How many names an error lists.
const NAMES_LISTED: usize = 20;

/// Refuses a feature that nothing is known of, and names the one that was probably meant. Where no feature is known, none is refused.
fn known_feature<'a>(name: &str, known: impl Iterator<Item = &'a FeatureName>) -> Result<(), JobError> {
    let known: std::collections::BTreeSet<&str> = known.map(FeatureName::as_str).collect();
    if known.is_empty() || known.contains(name) {
        return Ok(());
    }
    let remedy = if let Some(meant) = nearest(name, known.iter().copied()) {
        format!("did you mean `{}`?", printable(meant))
    } else {
        let shown: Vec<String> = known.iter().take(NAMES_LISTED).map(|name| printable(name)).collect();
        let more = known.len().saturating_sub(shown.len());
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("the features on record are {}{more}", shown.join(", "))
    };
    Err(JobError::Usage(format!("`{}` is not a feature of this job; {remedy}", printable(name))))
}
