//! From judged measurements to the report's sections, the worst feature first.

use super::{
    CauseSection, ChiSquaredSection, DecisionSection, FeatureReport, JointSection, KsSection, MinimumDetectableSection,
    MissingSection, PairSection, PsiCellSection, PsiSection, QuantilesSection, ShiftSection, SidesSection, SummarySection,
    WassersteinSection, format_percent, format_value, histogram,
};
use crate::decision::cause::Cause;
use crate::decision::dataset::DatasetDecision;
use crate::decision::joint::JointDrift;
use crate::decision::policy::Policy;
use crate::decision::rule::Judgement;
use crate::decision::{DatasetVerdict, Verdict};
use crate::feature::{FeatureKind, FeatureName};
use crate::profile::counts::NumericCounts;
use crate::profile::grid::Grid;
use crate::profile::{FeatureCounts, FeatureProfile, Presence};
use crate::statistic::Measurement;
use crate::statistic::psi::{Cell, CellLabel, Psi};
use crate::statistic::quantile::Distribution;

/// One configured feature with all that is known of it.
#[derive(Clone, Debug)]
pub struct JudgedFeature<'a> {
    pub name: &'a FeatureName,
    pub kind: FeatureKind,
    /// `None` when the reference does not have the feature.
    pub sides: Option<(&'a FeatureProfile, &'a FeatureCounts)>,
    pub measurement: Measurement,
    pub judgement: Judgement,
}

/// The report's features: by verdict, then by adjusted PSI, then by name.
pub fn features(judged: Vec<JudgedFeature<'_>>) -> Vec<FeatureReport> {
    let mut features: Vec<FeatureReport> = judged.into_iter().map(feature).collect();
    let size = |feature: &FeatureReport| feature.psi.as_ref().map_or(-1.0, |psi| psi.adjusted);
    features.sort_by(|a, b| a.verdict.cmp(&b.verdict).then_with(|| size(b).total_cmp(&size(a))).then_with(|| a.name.cmp(&b.name)));
    features
}

fn feature(judged: JudgedFeature<'_>) -> FeatureReport {
    let JudgedFeature { name, kind, sides, measurement, judgement } = judged;
    let (reference, current, histogram) = match sides {
        Some((FeatureProfile::Numeric { grid, reference, .. }, FeatureCounts::Numeric(current))) => {
            let continuous = measurement.psi.as_ref().is_some_and(is_continuous);
            let histogram = if continuous { histogram(grid, reference, current) } else { None };
            (numeric_summary(grid, reference), numeric_summary(grid, current), histogram)
        }
        Some((profile, counts)) => (plain_summary(profile.presence()), plain_summary(counts.presence()), None),
        None => (plain_summary(&Presence::default()), plain_summary(&Presence::default()), None),
    };
    let Measurement {
        effective,
        design_effect,
        ks,
        chi_squared,
        missing,
        psi,
        wasserstein,
        jensen_shannon,
        total_variation,
        p_value,
        ..
    } = measurement;
    FeatureReport {
        name: name.clone(),
        kind,
        verdict: judgement.verdict,
        reason: judgement.reason,
        n_reference: sides.map_or(0, |(profile, _)| profile.presence().rows),
        n_current: sides.map_or(0, |(_, counts)| counts.presence().rows),
        effective_reference: effective.reference,
        effective_current: effective.current,
        design_effect: SidesSection { reference: design_effect.reference, current: design_effect.current },
        ks: ks.map(|ks| KsSection {
            statistic: ks.statistic,
            p_value: ks.p_value,
            p_effective: ks.p_effective,
            error_bound: ks.error_bound,
        }),
        chi_squared: chi_squared.map(|test| ChiSquaredSection {
            statistic: test.statistic,
            degrees_of_freedom: test.degrees_of_freedom,
            p_value: test.p_value,
            p_effective: test.p_effective,
        }),
        missing: missing.map(|test| MissingSection {
            reference_fraction: test.reference_fraction,
            current_fraction: test.current_fraction,
            p_value: test.p_value,
        }),
        psi: psi.as_ref().map(psi_section),
        wasserstein: wasserstein.map(|distance| WassersteinSection {
            value: distance.value,
            scaled: distance.scaled,
            error_bound: distance.error_bound,
        }),
        shift: shift(&reference, &current),
        minimum_detectable: judgement
            .detectable
            .map(|smallest| MinimumDetectableSection { psi: smallest.psi, shift: smallest.shift }),
        jensen_shannon,
        total_variation,
        p_value,
        q_value: judgement.q_value,
        reference,
        current,
        histogram,
    }
}

fn shift(reference: &SummarySection, current: &SummarySection) -> Option<ShiftSection> {
    let value = Some(current.mean? - reference.mean?).filter(|value| value.is_finite())?;
    let scaled = reference.std.filter(|std| *std > 0.0).map(|std| value / std).filter(|scaled| scaled.is_finite());
    Some(ShiftSection { value, scaled })
}

fn is_continuous(psi: &Psi) -> bool {
    psi.cells.iter().any(|cell| matches!(cell.label, CellLabel::Interval { .. }))
}

fn psi_section(psi: &Psi) -> PsiSection {
    PsiSection {
        value: psi.value,
        adjusted: psi.adjusted,
        p_value: psi.p_value,
        cells: psi.cells.iter().zip(psi.contributions()).map(|(cell, contribution)| cell_section(cell, contribution)).collect(),
    }
}

fn cell_section(cell: &Cell, contribution: f64) -> PsiCellSection {
    let (label, lower, upper) = match &cell.label {
        CellLabel::Interval { lower: None, upper: None } => ("all values".to_owned(), None, None),
        CellLabel::Interval { lower: None, upper: Some(upper) } => (format!("≤ {}", format_value(*upper)), None, Some(*upper)),
        CellLabel::Interval { lower: Some(lower), upper: None } => (format!("> {}", format_value(*lower)), Some(*lower), None),
        CellLabel::Interval { lower: Some(lower), upper: Some(upper) } => {
            (format!("{} – {}", format_value(*lower), format_value(*upper)), Some(*lower), Some(*upper))
        }
        CellLabel::Value(value) => (format!("= {}", format_value(*value)), Some(*value), Some(*value)),
        CellLabel::Category(name) => (name.clone(), None, None),
        CellLabel::Other => ("OTHER".to_owned(), None, None),
        CellLabel::New => ("NEW".to_owned(), None, None),
        CellLabel::Missing => ("MISSING".to_owned(), None, None),
        CellLabel::NonFinite => ("NON-FINITE".to_owned(), None, None),
    };
    PsiCellSection { label, lower, upper, reference: cell.reference, current: cell.current, contribution }
}

fn plain_summary(presence: &Presence) -> SummarySection {
    let fraction = |count: u64| if presence.rows == 0 { 0.0 } else { count as f64 / presence.rows as f64 };
    SummarySection {
        mean: None,
        std: None,
        min: None,
        max: None,
        quantiles: None,
        missing_fraction: fraction(presence.without_value()),
        non_finite_fraction: fraction(presence.non_finite),
    }
}

fn numeric_summary(grid: &Grid, counts: &NumericCounts) -> SummarySection {
    let quantiles = Distribution::new(grid, counts).map(|distribution| QuantilesSection {
        p01: distribution.quantile(0.01),
        p05: distribution.quantile(0.05),
        p25: distribution.quantile(0.25),
        p50: distribution.quantile(0.50),
        p75: distribution.quantile(0.75),
        p95: distribution.quantile(0.95),
        p99: distribution.quantile(0.99),
    });
    let moments = &counts.moments;
    SummarySection {
        mean: moments.mean(),
        std: moments.std(),
        min: moments.min(),
        max: moments.max(),
        quantiles,
        ..plain_summary(&counts.presence)
    }
}

/// The groups of drifted features.
pub fn causes(causes: &[Cause<'_>]) -> Vec<CauseSection> {
    let section = |cause: &Cause<'_>| CauseSection {
        features: cause.features.iter().map(|name| (*name).clone()).collect(),
        correlation: cause.weakest,
    };
    causes.iter().map(section).collect()
}

/// As many pairs as a report lists.
const MOST_PAIRS: usize = 50;

/// The relations between features.
pub fn joint(joint: &JointDrift<'_>) -> JointSection {
    let pairs = joint.changed.iter().take(MOST_PAIRS).map(|(pair, q_value)| PairSection {
        a: pair.a.clone(),
        b: pair.b.clone(),
        reference: pair.comparison.reference,
        current: pair.comparison.current,
        p_value: pair.comparison.p_value,
        q_value: *q_value,
    });
    JointSection { pairs_tested: joint.tested as u64, pairs_changed: joint.changed.len() as u64, changed: pairs.collect() }
}

/// The decision's section, with its one sentence.
pub fn decision(decision: &DatasetDecision, policy: &Policy, features: &[FeatureReport]) -> DecisionSection {
    DecisionSection {
        verdict: decision.verdict,
        drifted: decision.drifted,
        broken: decision.broken,
        inconclusive: decision.inconclusive,
        configured: decision.configured,
        share: decision.share,
        threshold: decision.threshold,
        rule: policy.rule,
        alpha: policy.alpha,
        psi_drift: policy.psi_drift,
        psi_warning: policy.psi_warning,
        conclusion: conclusion(decision, features),
    }
}

/// Names in a sentence before it says "and n more".
const NAMES_SHOWN: usize = 3;

fn conclusion(decision: &DatasetDecision, features: &[FeatureReport]) -> String {
    let DatasetDecision { drifted, broken, inconclusive, configured, share, threshold, .. } = *decision;
    let moved = moved(drifted, broken, configured, share);
    let limit = format_percent(threshold);
    match decision.verdict {
        DatasetVerdict::NoData => "No data: the window holds no row, so nothing can be said about drift.".to_owned(),
        DatasetVerdict::Drift => {
            let names = names(features, &[Verdict::Broken, Verdict::Drift]);
            format!("Drift: {moved}, above the limit of {limit}. The largest: {names}.")
        }
        DatasetVerdict::Inconclusive if configured == 0 => "Inconclusive: there is no feature to compare.".to_owned(),
        DatasetVerdict::Inconclusive => {
            let are = if inconclusive == 1 { "is" } else { "are" };
            format!(
                "Inconclusive: {moved}, and {inconclusive} more {are} undecided, which could carry it past the limit of {limit}."
            )
        }
        DatasetVerdict::Stable if drifted + broken == 0 => format!("Stable: none of {configured} features drifted or broke."),
        DatasetVerdict::Stable => {
            let names = names(features, &[Verdict::Broken, Verdict::Drift]);
            format!("Stable: {moved}, within the limit of {limit}: {names}.")
        }
    }
}

fn moved(drifted: u32, broken: u32, configured: u32, share: f64) -> String {
    let what = match (drifted, broken) {
        (_, 0) => format!("{drifted} of {configured} features drifted"),
        (0, _) => format!("{broken} of {configured} features broke"),
        _ => format!("{} of {configured} features drifted or broke ({drifted} drifted, {broken} broken)", drifted + broken),
    };
    format!("{what} ({})", format_percent(share))
}

fn names(features: &[FeatureReport], verdicts: &[Verdict]) -> String {
    let names: Vec<&str> =
        features.iter().filter(|feature| verdicts.contains(&feature.verdict)).map(|feature| feature.name.as_str()).collect();
    let shown: Vec<String> = names.iter().take(NAMES_SHOWN).map(|name| super::printable(name)).collect();
    let shown = shown.join(", ");
    let more = names.len().saturating_sub(NAMES_SHOWN);
    if more > 0 { format!("{shown} and {more} more") } else { shown }
}
