//! The report: everything a run has to say, as data, and its one machine-readable form.
//!
//! The names here are the contract of `report.json`; renderers (`report/`) turn the same value into text, markdown and HTML and
//! compute nothing of their own. The same inputs give the same bytes, except for what is under `run`.

pub mod assemble;
pub mod backtest;
pub mod explanation;
mod histogram;
pub mod history;
pub mod html;
pub mod markdown;
pub mod metrics;
mod number;
pub mod openmetrics;
pub mod stored;
mod story;
pub mod text;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decision::finding::Finding;
use crate::decision::signal::SignalReport;
use crate::decision::{DatasetVerdict, Rule, Verdict};
use crate::feature::{FeatureKind, FeatureName};

use histogram::histogram;
pub use number::{format_count, format_p_value, format_percent, format_value};
pub use story::{cause_sentence, window as window_in_words};
pub use story::{change_in_words, escaped_json, visible as printable};

/// The version of the report's schema. A reader refuses a higher one; new optional fields do not raise it.
pub const SCHEMA_VERSION: u32 = 1;

/// What `report.json` holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    pub schema_version: u32,
    pub run: Run,
    pub window: WindowSection,
    pub reference: ReferenceSection,
    pub current: CurrentSection,
    pub decision: DecisionSection,
    /// Every configured feature, the worst first.
    pub features: Vec<FeatureReport>,
    /// What the model said (class, confidence), compared like features and never counted among them; empty where the reference or the
    /// configuration has no such columns.
    pub predictions: Vec<FeatureReport>,
    /// Drifted features that move together in the reference, each group as one probable cause.
    pub causes: Vec<CauseSection>,
    /// Whether features still move together as in the reference; null where that was not compared (`policy.joint_features`).
    pub joint: Option<JointSection>,
    pub findings: Vec<Finding>,
    pub signals: Vec<SignalReport>,
}

/// Facts about the run itself: the only section that differs between two runs on the same inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    pub id: String,
    pub job: String,
    pub environment: String,
    /// The version of drift-check.
    pub version: String,
    /// 1 for the first attempt.
    pub attempt: u32,
    /// What started the run: `manual`, `cloud-run`, `github-actions` or `backfill`.
    pub trigger: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub timings: Timings,
    /// The first 16 hexadecimal digits of the SHA-256 of the effective configuration.
    pub config_digest: String,
    /// The command that reproduces this report.
    pub command: String,
    /// Earlier windows of the same job and length, the oldest first, this one left out.
    pub history: Vec<PastRun>,
}

/// Where the time of the run went, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timings {
    /// Reading the profile, or building one from the raw reference.
    pub reference_s: f64,
    /// Listing the logs and finding the window, while the reference is loaded.
    pub listing_s: f64,
    /// Reading the rows of the window: from the first byte to the last count.
    pub reading_s: f64,
    /// Of the reading, summed over all threads, which work side by side: getting bytes from the bucket, …
    pub download_s: f64,
    /// … making values of them, …
    pub decode_s: f64,
    /// … and counting these.
    pub count_s: f64,
    /// Comparing, judging and composing the report.
    pub statistics_s: f64,
    /// Writing the report; `null` in the report itself, which is not written yet.
    pub write_s: Option<f64>,
}

/// One earlier window, as the store remembers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PastRun {
    pub window_start: Option<DateTime<Utc>>,
    pub window_end: DateTime<Utc>,
    pub verdict: DatasetVerdict,
    pub share: f64,
    pub rows: u64,
    pub features: BTreeMap<FeatureName, PastFeature>,
}

/// One feature in an earlier window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PastFeature {
    pub verdict: Verdict,
    /// `psi.adjusted`, where it was computed.
    pub psi_adjusted: Option<f64>,
    /// `ks.statistic`, where it was computed; null also where an earlier program recorded the run.
    #[serde(default)]
    pub ks_statistic: Option<f64>,
}

/// The window under test, `[start, end)`; both ends are null when the logs have no timestamp and all of them were used.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WindowSection {
    pub start: Option<DateTime<Utc>>,
    pub end: Option<DateTime<Utc>>,
    pub length_s: Option<i64>,
}

/// One object that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObjectSection {
    pub uri: String,
    /// What names this very content of the object: the store's generation, or a digest of the bytes for a folder.
    pub generation: String,
    pub size_bytes: u64,
    /// Rows of it that were used.
    pub rows: u64,
}

/// The reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReferenceSection {
    pub rows: u64,
    pub effective_rows: f64,
    /// The first 16 hexadecimal digits of the SHA-256 of the profile.
    pub profile_id: String,
    pub objects: Vec<ObjectSection>,
}

/// The rows of the window: read = used + outside the window + rejected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CurrentSection {
    /// Rows of the window, all of them used.
    pub rows: u64,
    pub effective_rows: f64,
    pub rows_read: u64,
    pub rows_outside_window: u64,
    pub rows_rejected: u64,
    pub objects: Vec<ObjectSection>,
    /// Objects that were listed and not read, because they cannot hold rows of the window.
    pub objects_skipped: u64,
}

/// The verdict on the data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DecisionSection {
    pub verdict: DatasetVerdict,
    pub drifted: u32,
    pub broken: u32,
    pub inconclusive: u32,
    /// All configured features: the denominator of `share`, always.
    pub configured: u32,
    /// `(drifted + broken) / configured`, in [0, 1].
    pub share: f64,
    /// The share above which (strictly) the verdict is drift.
    pub threshold: f64,
    pub rule: Rule,
    pub alpha: f64,
    pub psi_drift: f64,
    pub psi_warning: f64,
    /// One sentence for people.
    pub conclusion: String,
}

/// One feature, compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FeatureReport {
    pub name: FeatureName,
    pub kind: FeatureKind,
    pub verdict: Verdict,
    /// Why it got its verdict, in words.
    pub reason: String,
    /// Rows, missing ones included.
    pub n_reference: u64,
    pub n_current: u64,
    pub effective_reference: f64,
    pub effective_current: f64,
    /// How many rows one independent observation takes, on either side; 1 where rows are independent.
    pub design_effect: SidesSection,
    /// Numeric features with at least one finite value on both sides.
    pub ks: Option<KsSection>,
    /// Categorical features with at least one value on both sides.
    pub chi_squared: Option<ChiSquaredSection>,
    /// The two-proportion test of missing values, where either side has any.
    pub missing: Option<MissingSection>,
    pub psi: Option<PsiSection>,
    pub wasserstein: Option<WassersteinSection>,
    /// How far the mean moved; numeric features with values on both sides.
    pub shift: Option<ShiftSection>,
    /// The smallest drift that would have been found in a window of this size, in four of five such windows; null where none would.
    pub minimum_detectable: Option<MinimumDetectableSection>,
    /// Jensen–Shannon distance (base 2) over the PSI cells, in [0, 1].
    pub jensen_shannon: Option<f64>,
    /// Total variation distance over the PSI cells, in [0, 1].
    pub total_variation: Option<f64>,
    /// The feature's p-value with effective rows: KS or chi-squared, Bonferroni-combined with the tests of missing and of
    /// non-finite values.
    pub p_value: Option<f64>,
    /// Benjamini–Hochberg adjustment of `p_value` over the evaluable configured features.
    pub q_value: Option<f64>,
    pub reference: SummarySection,
    pub current: SummarySection,
    /// Both distributions over shared bins, for a picture; null where `psi.cells` is the picture (discrete and categorical).
    pub histogram: Option<HistogramSection>,
}

/// Two-sample Kolmogorov–Smirnov.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KsSection {
    /// The largest distance between the two distribution functions, in [0, 1].
    pub statistic: f64,
    /// Rows taken as independent.
    pub p_value: f64,
    /// With effective rows; the verdict uses this one.
    pub p_effective: f64,
    /// How far `statistic` may be off because the reference grid was thinned; 0 when exact.
    pub error_bound: f64,
}

/// Two-sample chi-squared over categories.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ChiSquaredSection {
    pub statistic: f64,
    pub degrees_of_freedom: u32,
    pub p_value: f64,
    /// With effective rows; the verdict uses this one.
    pub p_effective: f64,
}

/// Missing values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MissingSection {
    pub reference_fraction: f64,
    pub current_fraction: f64,
    pub p_value: f64,
}

/// Population stability index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PsiSection {
    pub value: f64,
    /// `value` less what two samples of one distribution would show at these sizes, not below 0.
    pub adjusted: f64,
    pub p_value: f64,
    pub cells: Vec<PsiCellSection>,
}

/// One cell of the PSI: `(lower, upper]` for numeric features, a value, a category, or one of the special cells.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PsiCellSection {
    pub label: String,
    /// Null when the cell is open below, or is no interval.
    pub lower: Option<f64>,
    /// Null when the cell is open above, or is no interval.
    pub upper: Option<f64>,
    /// Rows of the reference in the cell.
    pub reference: u64,
    /// Rows of the window in the cell.
    pub current: u64,
    /// What the cell adds to `psi.value`, at least 0.
    pub contribution: f64,
}

/// How far the mean of the window lies from that of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShiftSection {
    /// In the feature's own units; positive when the window's is larger.
    pub value: f64,
    /// In standard deviations of the reference; null when that is 0.
    pub scaled: Option<f64>,
}

/// The smallest drift that the feature's test finds with a power of 80 %, at its share of the significance level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct MinimumDetectableSection {
    pub psi: f64,
    /// The same as a shift of a numeric feature, in standard deviations.
    pub shift: Option<f64>,
}

/// Drifted features that move together in the reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CauseSection {
    /// At least two, the worst first.
    pub features: Vec<FeatureName>,
    /// The smallest |ρ| among the pairs of the reference that tie them together, at least 0.7.
    pub correlation: f64,
}

/// How numeric features move together, before and now: the correlations of their normal scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct JointSection {
    /// Pairs of features that are stable on their own and have enough rows.
    pub pairs_tested: u64,
    /// Pairs whose correlation changed, all of them.
    pub pairs_changed: u64,
    /// The largest changes first, at most 50.
    pub changed: Vec<PairSection>,
}

/// Two features whose correlation changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PairSection {
    pub a: FeatureName,
    pub b: FeatureName,
    /// The correlation in the reference, in [−1, 1].
    pub reference: f64,
    /// The correlation in the window, in [−1, 1].
    pub current: f64,
    /// Fisher's z with effective rows.
    pub p_value: f64,
    /// Benjamini–Hochberg adjustment of `p_value` over the pairs tested.
    pub q_value: f64,
}

/// 1-Wasserstein distance (earth mover's).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WassersteinSection {
    /// In the feature's own units.
    pub value: f64,
    /// In standard deviations of the reference; null when that is 0.
    pub scaled: Option<f64>,
    /// How far `value` may be off, in the feature's own units; 0 when exact.
    pub error_bound: f64,
}

/// One side of one feature. What a categorical feature has no use for is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SummarySection {
    pub mean: Option<f64>,
    /// With n − 1 in the denominator.
    pub std: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub quantiles: Option<QuantilesSection>,
    /// In [0, 1], of all rows.
    pub missing_fraction: f64,
    /// In [0, 1], of all rows.
    pub non_finite_fraction: f64,
}

/// Quantiles: exact for the reference; for the window within the spacing of the reference's values, and beyond its ends to a
/// sixteenth of the distance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct QuantilesSection {
    pub p01: f64,
    pub p05: f64,
    pub p25: f64,
    pub p50: f64,
    pub p75: f64,
    pub p95: f64,
    pub p99: f64,
}

/// Fractions of the finite values in bins of equal width; what lies beyond the outer edges is in `below` and `above`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HistogramSection {
    /// Ascending, one more than there are bins.
    pub edges: Vec<f64>,
    pub reference: Vec<f64>,
    pub current: Vec<f64>,
    pub below: SidesSection,
    pub above: SidesSection,
}

/// A fraction on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SidesSection {
    pub reference: f64,
    pub current: f64,
}

/// Anything of ours as JSON, pretty-printed, with a final newline; hidden characters are escaped.
///
/// # Errors
/// None for what this program made; the type is serde_json's.
pub fn to_json(value: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(escaped_json(serde_json::to_string_pretty(value)?) + "\n")
}

impl Report {
    /// The bytes of `report.json`: strict RFC 8259 (what is not finite is null), indented, with a final newline.
    ///
    /// # Errors
    /// None for a report that this program made; the type is serde_json's.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        Ok(to_json(self)?.into_bytes())
    }
}

#[cfg(test)]
pub(in crate::report) mod tests {
    use serde_json::json;

    use super::*;

    /// A stable report of a window without features, to be filled.
    pub fn report() -> Report {
        let timings = json!({
            "reference_s": 0.0, "listing_s": 0.0, "reading_s": 0.0, "download_s": 0.0, "decode_s": 0.0, "count_s": 0.0, "statistics_s": 0.0,
        });
        let report = json!({
            "schema_version": SCHEMA_VERSION,
            "run": {
                "id": "1", "job": "ct-scan", "environment": "prod", "version": "0.1.0", "attempt": 1, "trigger": "manual",
                "started_at": "2026-01-31T18:00:07Z", "finished_at": "2026-01-31T18:00:11Z", "timings": timings,
                "config_digest": "c", "command": "drift-check", "history": [],
            },
            "window": { "start": "2026-01-30T18:00:00Z", "end": "2026-01-31T18:00:00Z", "length_s": 86_400 },
            "reference": { "rows": 600, "effective_rows": 400.0, "profile_id": "p", "objects": [] },
            "current": {
                "rows": 200, "effective_rows": 150.0, "rows_read": 200, "rows_outside_window": 0, "rows_rejected": 0, "objects": [],
                "objects_skipped": 0,
            },
            "decision": {
                "verdict": "stable", "drifted": 0, "broken": 0, "inconclusive": 0, "configured": 0, "share": 0.0, "threshold": 0.3,
                "rule": "significant-and-material", "alpha": 0.05, "psi_drift": 0.1, "psi_warning": 0.05, "conclusion": "Stable.",
            },
            "features": [], "predictions": [], "causes": [], "findings": [], "signals": [],
        });
        serde_json::from_value(report).unwrap()
    }

    /// A numeric feature of which nothing but the verdict is known.
    pub fn feature(name: &str, verdict: Verdict) -> FeatureReport {
        let nothing = json!({ "missing_fraction": 0.0, "non_finite_fraction": 0.0 });
        let feature = json!({
            "name": name, "kind": "numeric", "verdict": verdict, "reason": "as it is", "n_reference": 600, "n_current": 200,
            "effective_reference": 400.0, "effective_current": 150.0, "design_effect": { "reference": 1.5, "current": 1.25 },
            "reference": nothing, "current": nothing,
        });
        serde_json::from_value(feature).unwrap()
    }

    /// The window that ended so many times six hours before that of [`report`].
    pub fn past(back: i64, verdict: DatasetVerdict, features: &[(&str, Verdict)]) -> PastRun {
        let window_end = DateTime::from_timestamp(1_769_882_400 - back * 21_600, 0).unwrap();
        let feature = |(name, verdict): &(&str, Verdict)| {
            let psi_adjusted = u32::try_from(back).ok().map(|back| f64::from(back) / 100.0);
            (FeatureName::from(*name), PastFeature { verdict: *verdict, psi_adjusted, ks_statistic: None })
        };
        PastRun {
            window_start: None,
            window_end,
            verdict,
            share: 0.25,
            rows: 100,
            features: features.iter().map(feature).collect(),
        }
    }

    #[test]
    fn the_json_of_a_report_reads_back_and_ends_in_a_line_break() {
        let report = Report { features: vec![feature("a\u{1b}b", Verdict::Drift)], ..report() };
        let bytes = report.to_json().unwrap();
        assert!(bytes.ends_with(b"}\n") && bytes.starts_with(b"{\n  \"schema_version\": 1,"));
        assert_eq!(serde_json::from_slice::<Report>(&bytes).unwrap(), report);
        assert_eq!(to_json(&"a\u{202e}b").unwrap(), "\"a\\u202eb\"\n");
    }
}
