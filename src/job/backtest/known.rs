//! What is known of the past: the file of `--known-drift`, and the labels of the state store.

use crate::config::{Config, known_drift};
use crate::decision::known_drift::KnownInterval;
use crate::decision::label::contradiction;
use crate::error::{JobError, with_causes};
use crate::feature::FeatureName;
use crate::job::check::open_for_reading;
use crate::job::sections;
use crate::profile::ReferenceProfile;
use crate::report::printable;
use crate::store::{LabelRecord, StoreError};
use crate::window::Window;

/// The intervals, and what a reader has to know of where they come from.
pub struct Known {
    pub intervals: Vec<KnownInterval>,
    pub notes: Vec<String>,
}

impl Known {
    /// Reads both. A store that cannot be read does not end the backtest: alarms that its labels explain then count as false ones, and a note
    /// says so.
    pub async fn read(config: &Config, path: Option<&str>, range: Window, profile: &ReferenceProfile) -> Result<Self, JobError> {
        let mut intervals = path.map(of_file).transpose()?.unwrap_or_default();
        check_features(&intervals, profile)?;
        let mut notes = Vec::new();
        match labels(config, range).await {
            Ok(labels) => {
                let of_label = |record: LabelRecord| KnownInterval { label: record.label, reason: record.reason };
                let is_compared = |label: &KnownInterval| feature_of(label).is_none_or(|name| profile.feature(name).is_some());
                let labels = labels.into_iter().map(of_label).filter(is_compared).filter(|label| !intervals.contains(label));
                let labels: Vec<KnownInterval> = labels.collect();
                if !labels.is_empty() {
                    let (what, are) = if labels.len() == 1 { ("label", "is") } else { ("labels", "are") };
                    notes.push(format!("{} {what} of the state store (`drift-check history`) {are} known too.", labels.len()));
                }
                intervals.extend(labels);
            }
            Err(error) => notes.push(format!(
                "The labels of the state store could not be read: alarms that they explain count as false ones ({}).",
                printable(&with_causes(&error))
            )),
        }
        if let (Some(path), Some((first, second))) = (path, contradiction(&intervals.iter().map(|interval| &interval.label)))
            && let [Some(first), Some(second)] = [first, second].map(|at| intervals.get(at).map(|interval| &interval.label))
        {
            return Err(JobError::Input(printable(&format!(
                "`{path}` contradicts a label of the state store: one says {} from {} to {}, the other {} from {} to {}; correct the \
                 file, or take the label back with `drift-check history --unlabel`",
                first.truth, first.from, first.to, second.truth, second.from, second.to
            ))));
        }
        if intervals.is_empty() {
            notes.push(
                "No drift is known (--known-drift, or `drift-check history --label`): every alarm counts as a false one, so the false-alarm \
                 rates are upper limits."
                    .to_owned(),
            );
        }
        Ok(Self { intervals, notes })
    }
}

fn feature_of(interval: &KnownInterval) -> Option<&str> {
    interval.label.feature.as_ref().map(FeatureName::as_str)
}

/// Refuses intervals of features that are not compared.
fn check_features(intervals: &[KnownInterval], profile: &ReferenceProfile) -> Result<(), JobError> {
    let is_unknown = |name: &&str| profile.feature(name).is_none();
    let Some(name) = intervals.iter().filter_map(feature_of).find(is_unknown) else { return Ok(()) };
    let names: Vec<&str> = profile.features.iter().map(|(name, _)| name.as_str()).collect();
    Err(JobError::Input(printable(&format!(
        "the known drifts name a feature `{name}` that is not compared: the features are {}",
        names.join(", ")
    ))))
}

fn of_file(path: &str) -> Result<Vec<KnownInterval>, JobError> {
    let text = crate::job::read(path)
        .map_err(|error| JobError::Input(format!("cannot read the known drifts in `{}`: {error}", printable(path))))?;
    known_drift::read(path, &text).map_err(|problems| JobError::Input(format!("the known drifts cannot be used:\n{problems}")))
}

/// The labels that touch the range.
async fn labels(config: &Config, range: Window) -> Result<Vec<LabelRecord>, StoreError> {
    let store = open_for_reading(config).await?;
    let labels = store.labels(sections::series(config, Some(range)).scope()).await?;
    Ok(labels.into_iter().filter(|record| record.label.overlaps(range.start, range.end)).collect())
}
