//! Findings: coded remarks about the input and the run.
//!
//! A code is for machines and never changes its meaning; a message is for people and says what, where and what to do.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::feature::FeatureName;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Something that cannot be trusted or is broken.
    Error,
    /// Something that a person should look at.
    Warning,
    /// Something that explains the result.
    Info,
}

/// What a finding is about. The names are part of the report's contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FindingCode {
    /// A configured feature is in no object of the window, or not in the reference.
    FeatureMissing,
    /// Every value of the feature in the window is missing.
    FeatureAllNull,
    /// Every value of the feature in the window is NaN or infinite.
    FeatureNonFinite,
    /// The feature has one single value in the window although it varies in the reference.
    FeatureConstant,
    /// The feature's values in the window are of another type than in the reference.
    FeatureTypeChanged,
    /// A column that only one side has (with `features.include = "auto"`).
    ColumnNotShared,
    /// A text column that names rows rather than describes them, left out (with `features.include = "auto"`).
    IdentifierColumn,
    /// The feature has one single value in the reference.
    ReferenceConstant,
    /// Features that are stable on their own no longer move together as in the reference; the message names the pairs.
    JointDrift,
    /// The window holds no row.
    NoRows,
    /// Rows were rejected; the message says why and where the first ones are.
    RowsRejected,
    /// An object could not be read, and none of its rows was used.
    ObjectUnreadable,
    /// An object holds no row.
    ObjectEmpty,
    /// An object that is in none of the formats that can be read.
    ObjectUnknownFormat,
    /// A window was asked for, but no timestamp column is configured: every row of the logs was used.
    WindowIgnored,
    /// No object of the window has the column that names which rows belong together.
    ClusterMissing,
    /// Nothing tells which rows belong together: they are taken as independent.
    IndependenceAssumed,
    /// There are more clusters than are kept; a sample of them was used.
    ClustersSampled,
    /// A cluster counted, which does not tell everything; the message says what.
    EngineLimited,
    /// The profile was built from other reference objects than those beside it now.
    ProfileStale,
    /// A message could not be delivered, or nobody could be told at all.
    DeliveryFailed,
    /// The users' feedback could not be read.
    FeedbackUnavailable,
    /// Something that is configured has no effect in this version.
    SettingWithoutEffect,
    /// Past runs could not be read, so there is no trend.
    HistoryUnavailable,
    /// The metrics of the run could not be handed on, to a file or to a collector.
    MetricsNotExported,
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The serialized name is the one name of a code.
        self.serialize(f)
    }
}

/// A coded remark. Never holds a value of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    pub code: FindingCode,
    pub severity: Severity,
    /// The feature that it is about, if it is about one.
    pub feature: Option<FeatureName>,
    /// The URI of the object that it is about, if it is about one.
    pub object: Option<String>,
    /// One or two sentences: what was found, where, and what to do.
    pub message: String,
}

impl Finding {
    pub fn new(code: FindingCode, severity: Severity, message: impl Into<String>) -> Self {
        Self { code, severity, feature: None, object: None, message: message.into() }
    }

    #[must_use]
    pub fn about_feature(mut self, name: &FeatureName) -> Self {
        self.feature = Some(name.clone());
        self
    }

    #[must_use]
    pub fn about_object(mut self, uri: impl Into<String>) -> Self {
        self.object = Some(uri.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_what_it_is_about() {
        let finding = Finding::new(FindingCode::FeatureAllNull, Severity::Warning, "nothing there");
        let plain = Finding {
            code: FindingCode::FeatureAllNull,
            severity: Severity::Warning,
            feature: None,
            object: None,
            message: "nothing there".to_owned(),
        };
        assert_eq!(finding, plain);
        let name = FeatureName::new("x");
        assert_eq!(finding.clone().about_feature(&name), Finding { feature: Some(name), ..plain.clone() });
        assert_eq!(finding.about_object("file:a"), Finding { object: Some("file:a".to_owned()), ..plain });
    }

    #[test]
    fn a_code_reads_as_it_is_serialized() {
        assert_eq!(FindingCode::FeatureAllNull.to_string(), "feature-all-null");
    }
}
