//! Labels: what somebody says of a stretch of time, drift or none. What a run found is held against them; they change no verdict.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feature::FeatureName;

/// What there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Truth {
    Drift,
    NoDrift,
}

/// What is said of the time `[from, to)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Label {
    pub truth: Truth,
    pub from: DateTime<Utc>,
    /// After `from`; not in it any more.
    pub to: DateTime<Utc>,
    /// Of which it is said; null: of the data set as a whole, which is another thing than any of its features.
    pub feature: Option<FeatureName>,
}

impl Label {
    /// Whether any moment of `[start, end)` is in it.
    pub fn overlaps(&self, start: DateTime<Utc>, end: DateTime<Utc>) -> bool {
        start < self.to && self.from < end
    }

    /// The feature as a part of a key: empty for the data set, as no feature's name is.
    pub fn subject(&self) -> &str {
        self.feature.as_ref().map_or("", FeatureName::as_str)
    }

    /// Whether both say something of one moment of one thing.
    pub fn meets(&self, other: &Self) -> bool {
        self.feature == other.feature && self.overlaps(other.from, other.to)
    }

    /// Whether both cannot be true.
    pub fn contradicts(&self, other: &Self) -> bool {
        self.truth != other.truth && self.meets(other)
    }
}

impl fmt::Display for Label {
    /// As it is asked for on the command line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let moment = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::AutoSi, true);
        write!(f, "{} from {} to {}", self.truth, moment(self.from), moment(self.to))?;
        self.feature.as_ref().map_or(Ok(()), |feature| write!(f, " of {}", feature.as_str()))
    }
}

/// The positions of the first two labels that cannot both be true.
pub fn contradiction<'a>(labels: &(impl Iterator<Item = &'a Label> + Clone)) -> Option<(usize, usize)> {
    labels.clone().enumerate().find_map(|(second, label)| {
        let first = labels.clone().take(second).position(|earlier| earlier.contradicts(label))?;
        Some((first, second))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(hour: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_769_817_600 + hour * 3_600, 0).unwrap()
    }

    fn label(truth: Truth, from: i64, to: i64, feature: Option<&str>) -> Label {
        Label { truth, from: hour(from), to: hour(to), feature: feature.map(FeatureName::new) }
    }

    #[test]
    fn a_label_holds_its_first_moment_and_not_its_last() {
        let six = label(Truth::Drift, 6, 12, None);
        assert!(six.overlaps(hour(0), hour(7)) && six.overlaps(hour(11), hour(20)) && six.overlaps(hour(0), hour(24)));
        assert!(!six.overlaps(hour(0), hour(6)) && !six.overlaps(hour(12), hour(18)));
    }

    #[test]
    fn labels_contradict_each_other_where_they_say_otherwise_of_the_same_moment_of_the_same_thing() {
        let drift = label(Truth::Drift, 6, 12, None);
        assert!(drift.contradicts(&label(Truth::NoDrift, 11, 12, None)));
        assert!(!drift.contradicts(&label(Truth::NoDrift, 12, 13, None)), "it has ended by then");
        assert!(!drift.contradicts(&label(Truth::Drift, 6, 12, None)), "the same said twice");
        assert!(!drift.contradicts(&label(Truth::NoDrift, 6, 12, Some("a"))), "one feature may stay what it was");
        assert!(!label(Truth::Drift, 6, 12, Some("a")).contradicts(&label(Truth::NoDrift, 6, 12, Some("b"))));
        let all = [label(Truth::NoDrift, 0, 6, None), drift.clone(), label(Truth::NoDrift, 10, 11, None)];
        assert_eq!(contradiction(&all.iter()), Some((1, 2)));
        assert_eq!(contradiction(&all[..2].iter()), None);
    }

    #[test]
    fn a_label_reads_as_it_was_given() {
        assert_eq!(
            label(Truth::NoDrift, 0, 6, Some("sphericity")).to_string(),
            "no-drift from 2026-01-31T00:00:00Z to 2026-01-31T06:00:00Z of sphericity"
        );
    }

    #[test]
    fn a_label_is_of_a_feature_or_of_the_data_set() {
        assert_eq!(label(Truth::Drift, 0, 6, Some("a")).subject(), "a");
        assert_eq!(label(Truth::Drift, 0, 6, None).subject(), "");
        assert_eq!(label(Truth::Drift, 0, 6, None).to_string(), "drift from 2026-01-31T00:00:00Z to 2026-01-31T06:00:00Z");
        assert!(label(Truth::Drift, 0, 6, None).meets(&label(Truth::Drift, 5, 9, None)));
        assert!(!label(Truth::Drift, 0, 6, None).meets(&label(Truth::Drift, 5, 9, Some("a"))));
    }
}
