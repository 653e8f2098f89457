//! From judged measurements to the report's sections, the worst feature first.

use rayon::prelude::*;

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
use crate::statistic::wasserstein::Wasserstein;

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
    let mut features: Vec<FeatureReport> = judged.into_par_iter().map(feature).collect();
    let size = |feature: &FeatureReport| feature.psi.as_ref().map_or(-1.0, |psi| psi.adjusted);
    features.sort_by(|a, b| a.verdict.cmp(&b.verdict).then_with(|| size(b).total_cmp(&size(a))).then_with(|| a.name.cmp(&b.name)));
    features
}

fn feature(judged: JudgedFeature<'_>) -> FeatureReport {
    let JudgedFeature { name, kind, sides, measurement, judgement } = judged;
    let (reference, current, histogram, wasserstein) = match sides {
        Some((FeatureProfile::Numeric { grid, reference, .. }, FeatureCounts::Numeric(current))) => {
            let continuous = measurement.psi.as_ref().is_some_and(is_continuous);
            let histogram = if continuous { histogram(grid, reference, current) } else { None };
            let wasserstein = Wasserstein::compute(grid, reference, current);
            (numeric_summary(grid, reference), numeric_summary(grid, current), histogram, wasserstein)
        }
        Some((profile, counts)) => (plain_summary(profile.presence()), plain_summary(counts.presence()), None, None),
        None => (plain_summary(&Presence::default()), plain_summary(&Presence::default()), None, None),
    };
    let Measurement { effective, design_effect, ks, chi_squared, missing, psi, jensen_shannon, total_variation, p_value, .. } =
        measurement;
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
    // Without a spread it is no number.
    let scaled = reference.std.map(|std| value / std).filter(|scaled| scaled.is_finite());
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::decision::joint::Pair;
    use crate::profile::dependence::Estimate;
    use crate::report::tests::feature as known;
    use crate::statistic::chi_squared::ChiSquared;
    use crate::statistic::joint::PairComparison;
    use crate::statistic::ks::Ks;
    use crate::statistic::power::Detectable;
    use crate::statistic::proportions::TwoProportions;
    use crate::statistic::{Condition, DesignEffect, Sizes};

    fn measured(cells: Vec<Cell>) -> Measurement {
        Measurement {
            condition: Condition::Comparable { single_value_ln_probability: None },
            design_effect: DesignEffect { reference: 1.5, current: 2.5 },
            effective: Sizes { reference: 40.0, current: 30.0 },
            ks: Some(Ks { statistic: 0.4, p_value: 0.01, p_effective: 0.02, error_bound: 0.003 }),
            chi_squared: Some(ChiSquared { statistic: 7.5, degrees_of_freedom: 3, p_value: 0.04, p_effective: 0.05 }),
            missing: Some(TwoProportions { reference_fraction: 0.06, current_fraction: 0.07, p_value: 0.08 }),
            non_finite: None,
            psi: Some(Psi { value: 0.9, adjusted: 0.8, p_value: 0.11, cells }),
            jensen_shannon: Some(0.15),
            total_variation: Some(0.16),
            p_value: Some(0.17),
            largest_tie: 0.0,
        }
    }

    fn judged(verdict: Verdict) -> Judgement {
        let detectable = Some(Detectable { psi: 0.19, shift: Some(0.21) });
        Judgement { verdict, reason: "because".to_owned(), q_value: Some(0.18), detectable }
    }

    fn cell_of(label: CellLabel) -> Cell {
        Cell { label, reference: 3, current: 5 }
    }

    #[test]
    fn everything_that_was_measured_is_in_the_report() {
        let name = FeatureName::from("f");
        let values: Vec<f64> = (0..=100).map(f64::from).collect();
        let grid = Grid::from_values(&mut values.clone());
        let profile = FeatureProfile::Numeric {
            reference: NumericCounts::of(&grid, &values),
            grid: grid.clone(),
            dependence: Estimate::INDEPENDENT,
        };
        let counts = FeatureCounts::Numeric(NumericCounts::of(&grid, &[10.0, 20.0, 60.0, f64::NAN]));
        let cells = vec![cell_of(CellLabel::Interval { lower: None, upper: Some(1.5) }), cell_of(CellLabel::Missing)];
        let contributions = measured(cells.clone()).psi.unwrap().contributions();
        let judged = JudgedFeature {
            name: &name,
            kind: FeatureKind::Numeric,
            sides: Some((&profile, &counts)),
            measurement: measured(cells),
            judgement: judged(Verdict::Drift),
        };
        let found = features(vec![judged]).remove(0);
        let quantiles = found.reference.quantiles.clone().unwrap();
        let [QuantilesSection { p01, p05, p25, p50, p75, p95, p99 }] = [quantiles];
        for (quantile, expected) in [p01, p05, p25, p50, p75, p95, p99].into_iter().zip([1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0]) {
            assert!((quantile - expected).abs() < 1e-9, "{quantile} instead of {expected}");
        }
        assert_eq!((found.reference.min, found.reference.max, found.reference.mean), (Some(0.0), Some(100.0), Some(50.0)));
        assert_eq!((found.current.min, found.current.max, found.current.mean), (Some(10.0), Some(60.0), Some(30.0)));
        // The sample variances: 101 · 102 / 12, and (400 + 100 + 900) / 2.
        let std = |side: &SummarySection| side.std.unwrap().powi(2);
        assert!((std(&found.reference) - 858.5).abs() < 1e-9 && (std(&found.current) - 700.0).abs() < 1e-9, "{found:?}");
        assert!((found.current.non_finite_fraction - 0.25).abs() < 1e-12 && found.current.missing_fraction.abs() < 1e-12);
        // Σ |(k + 1)/101 − F(k)| over k from 0 to 99, where F is 0, 1/3 from 10 on, 2/3 from 20 on and 1 from 60 on.
        let (moved, expected) = (found.wasserstein.as_ref().unwrap(), 2_130.0 / 101.0);
        assert!((moved.value - expected).abs() < 1e-9 && moved.error_bound.abs() < 1e-12, "{moved:?}");
        assert!((moved.scaled.unwrap() - expected / 858.5_f64.sqrt()).abs() < 1e-9, "{moved:?}");
        let shift = found.shift.unwrap();
        assert!((shift.value + 20.0).abs() < 1e-9 && (shift.scaled.unwrap() + 20.0 / 858.5_f64.sqrt()).abs() < 1e-9, "{shift:?}");
        let cell = |label: &str, upper, contribution| PsiCellSection {
            label: label.to_owned(),
            lower: None,
            upper,
            reference: 3,
            current: 5,
            contribution,
        };
        let expected = FeatureReport {
            kind: FeatureKind::Numeric,
            reason: "because".to_owned(),
            n_reference: 101,
            n_current: 4,
            effective_reference: 40.0,
            effective_current: 30.0,
            design_effect: SidesSection { reference: 1.5, current: 2.5 },
            ks: Some(KsSection { statistic: 0.4, p_value: 0.01, p_effective: 0.02, error_bound: 0.003 }),
            chi_squared: Some(ChiSquaredSection { statistic: 7.5, degrees_of_freedom: 3, p_value: 0.04, p_effective: 0.05 }),
            missing: Some(MissingSection { reference_fraction: 0.06, current_fraction: 0.07, p_value: 0.08 }),
            psi: Some(PsiSection {
                value: 0.9,
                adjusted: 0.8,
                p_value: 0.11,
                cells: vec![cell("≤ 1.5", Some(1.5), contributions[0]), cell("MISSING", None, contributions[1])],
            }),
            wasserstein: found.wasserstein.clone(),
            shift: found.shift,
            minimum_detectable: Some(MinimumDetectableSection { psi: 0.19, shift: Some(0.21) }),
            jensen_shannon: Some(0.15),
            total_variation: Some(0.16),
            p_value: Some(0.17),
            q_value: Some(0.18),
            reference: found.reference.clone(),
            current: found.current.clone(),
            histogram: found.histogram.clone(),
            ..known("f", Verdict::Drift)
        };
        assert!(found.histogram.is_some());
        assert_eq!(found, expected);
    }

    #[test]
    fn the_worst_feature_comes_first_and_what_is_not_in_the_reference_has_no_side() {
        let names = ["d", "c", "b", "a", "e"].map(FeatureName::from);
        let of = |name, verdict, adjusted: Option<f64>| {
            let mut measurement = measured(vec![cell_of(CellLabel::Value(1.0))]);
            measurement.psi = measurement.psi.zip(adjusted).map(|(psi, adjusted)| Psi { adjusted, ..psi });
            JudgedFeature { name, kind: FeatureKind::Categorical, sides: None, measurement, judgement: judged(verdict) }
        };
        let [d, c, b, a, e] = &names;
        let sorted = features(vec![
            of(d, Verdict::Stable, Some(0.9)),
            of(c, Verdict::Drift, None),
            of(b, Verdict::Drift, Some(0.3)),
            of(a, Verdict::Drift, Some(0.3)),
            of(e, Verdict::Drift, Some(0.7)),
        ]);
        assert_eq!(sorted.iter().map(|feature| feature.name.as_str()).collect::<String>(), "eabcd");
        let first = &sorted[0];
        assert_eq!((first.n_reference, first.n_current, first.shift, first.histogram.is_none()), (0, 0, None, true));
        assert_eq!(
            (&first.reference, &first.current),
            (&plain_summary(&Presence::default()), &plain_summary(&Presence::default()))
        );
        assert_eq!(first.wasserstein, None);
        // Without a psi it comes after one whose psi is 0.
        let zero = features(vec![of(c, Verdict::Drift, None), of(d, Verdict::Drift, Some(0.0))]);
        assert_eq!(zero[0].name, *d);
    }

    #[test]
    fn a_side_without_moments_tells_how_many_rows_cannot_be_used() {
        let presence = Presence { rows: 8, missing: 1, absent: 1, wrong_type: 1, non_finite: 1 };
        let side = plain_summary(&presence);
        assert!((side.missing_fraction - 0.375).abs() < 1e-12 && (side.non_finite_fraction - 0.125).abs() < 1e-12, "{side:?}");
        assert_eq!(plain_summary(&Presence::default()).missing_fraction.to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn a_shift_is_scaled_by_a_spread_and_by_nothing_else() {
        let side = |mean: Option<f64>, std| SummarySection { mean, std, ..plain_summary(&Presence::default()) };
        let of = |from, to, std| shift(&side(from, std), &side(to, Some(99.0)));
        assert_eq!(of(Some(3.0), Some(7.0), Some(8.0)), Some(ShiftSection { value: 4.0, scaled: Some(0.5) }));
        assert_eq!(of(Some(3.0), Some(7.0), Some(0.0)), Some(ShiftSection { value: 4.0, scaled: None }));
        assert_eq!(of(Some(3.0), Some(3.0), Some(0.0)), Some(ShiftSection { value: 0.0, scaled: None }));
        assert_eq!(of(Some(3.0), Some(7.0), None), Some(ShiftSection { value: 4.0, scaled: None }));
        assert_eq!(
            [of(None, Some(7.0), None), of(Some(3.0), None, None), of(Some(f64::MIN), Some(f64::MAX), None)],
            [None, None, None]
        );
    }

    #[test]
    fn each_kind_of_cell_has_its_label_and_bounds() {
        let interval = |lower, upper| CellLabel::Interval { lower, upper };
        let of = |label| {
            let PsiCellSection { label, lower, upper, reference, current, contribution } = cell_section(&cell_of(label), 0.25);
            assert_eq!((reference, current, contribution.to_bits()), (3, 5, 0.25_f64.to_bits()));
            (label, lower, upper)
        };
        assert_eq!(of(interval(None, None)), ("all values".to_owned(), None, None));
        assert_eq!(of(interval(None, Some(2.5))), ("≤ 2.5".to_owned(), None, Some(2.5)));
        assert_eq!(of(interval(Some(1.5), None)), ("> 1.5".to_owned(), Some(1.5), None));
        assert_eq!(of(interval(Some(1.5), Some(2.5))), ("1.5 – 2.5".to_owned(), Some(1.5), Some(2.5)));
        assert_eq!(of(CellLabel::Value(3.0)), ("= 3".to_owned(), Some(3.0), Some(3.0)));
        let named =
            [CellLabel::Category("x".to_owned()), CellLabel::Other, CellLabel::New, CellLabel::Missing, CellLabel::NonFinite];
        assert_eq!(named.map(of), ["x", "OTHER", "NEW", "MISSING", "NON-FINITE"].map(|label| (label.to_owned(), None, None)));
        let psi = |label| Psi { value: 0.0, adjusted: 0.0, p_value: 1.0, cells: vec![cell_of(CellLabel::Missing), cell_of(label)] };
        assert!(is_continuous(&psi(interval(None, None))) && !is_continuous(&psi(CellLabel::Value(3.0))));
    }

    #[test]
    fn causes_and_relations_are_told_as_they_were_found() {
        let names = ["a", "b"].map(FeatureName::from);
        let found = causes(&[Cause { features: vec![&names[0], &names[1]], weakest: 0.75 }]);
        assert_eq!(found, [CauseSection { features: names.to_vec(), correlation: 0.75 }]);
        let comparison =
            PairComparison { reference: 0.5, current: -0.25, effective: Sizes { reference: 9.0, current: 8.0 }, p_value: 0.001 };
        let pair = Pair { a: &names[0], b: &names[1], comparison };
        let section = joint(&JointDrift { tested: 99, changed: vec![(pair, 0.002); 51] });
        assert_eq!((section.pairs_tested, section.pairs_changed, section.changed.len()), (99, 51, 50));
        let expected = PairSection {
            a: names[0].clone(),
            b: names[1].clone(),
            reference: 0.5,
            current: -0.25,
            p_value: 0.001,
            q_value: 0.002,
        };
        assert_eq!(section.changed[49], expected);
    }

    #[test]
    fn the_conclusion_is_one_sentence_for_every_outcome() {
        let all =
            [("a", Verdict::Broken), ("b", Verdict::Drift), ("c", Verdict::Drift), ("d", Verdict::Drift), ("e", Verdict::Stable)];
        let reports: Vec<FeatureReport> = all.iter().map(|(name, verdict)| known(name, *verdict)).collect();
        let said = |verdict, [drifted, broken, inconclusive, configured]: [u32; 4], shown: &[FeatureReport]| {
            let share = f64::from(drifted + broken) / f64::from(configured.max(1));
            conclusion(&DatasetDecision { verdict, drifted, broken, inconclusive, configured, share, threshold: 0.3 }, shown)
        };
        assert_eq!(
            said(DatasetVerdict::NoData, [0, 0, 5, 5], &reports),
            "No data: the window holds no row, so nothing can be said about drift."
        );
        assert_eq!(
            said(DatasetVerdict::Drift, [3, 1, 0, 5], &reports),
            "Drift: 4 of 5 features drifted or broke (3 drifted, 1 broken) (80 %), above the limit of 30 %. The largest: a, b, c and 1 more."
        );
        assert_eq!(
            said(DatasetVerdict::Drift, [3, 0, 0, 5], &reports[1..]),
            "Drift: 3 of 5 features drifted (60 %), above the limit of 30 %. The largest: b, c, d."
        );
        assert_eq!(said(DatasetVerdict::Inconclusive, [0, 0, 0, 0], &[]), "Inconclusive: there is no feature to compare.");
        assert_eq!(
            said(DatasetVerdict::Inconclusive, [0, 1, 1, 5], &reports),
            "Inconclusive: 1 of 5 features broke (20 %), and 1 more is undecided, which could carry it past the limit of 30 %."
        );
        assert_eq!(
            said(DatasetVerdict::Inconclusive, [0, 0, 2, 4], &reports),
            "Inconclusive: 0 of 4 features drifted (0 %), and 2 more are undecided, which could carry it past the limit of 30 %."
        );
        assert_eq!(said(DatasetVerdict::Stable, [0, 0, 0, 5], &reports), "Stable: none of 5 features drifted or broke.");
        assert_eq!(
            said(DatasetVerdict::Stable, [1, 0, 0, 5], &reports[3..]),
            "Stable: 1 of 5 features drifted (20 %), within the limit of 30 %: d."
        );
        assert_eq!(
            said(DatasetVerdict::Stable, [1, 1, 0, 8], &reports[..2]),
            "Stable: 2 of 8 features drifted or broke (1 drifted, 1 broken) (25 %), within the limit of 30 %: a, b."
        );
    }

    #[test]
    fn the_decision_is_told_with_the_policy_that_made_it() {
        let made = DatasetDecision {
            verdict: DatasetVerdict::Inconclusive,
            drifted: 1,
            broken: 2,
            inconclusive: 3,
            configured: 10,
            share: 0.35,
            threshold: 0.4,
        };
        let policy = Policy { alpha: 0.01, psi_drift: 0.2, psi_warning: 0.07, overrides: BTreeMap::new(), ..Policy::default() };
        let section = decision(&made, &policy, &[]);
        let expected = DecisionSection {
            verdict: DatasetVerdict::Inconclusive,
            drifted: 1,
            broken: 2,
            inconclusive: 3,
            configured: 10,
            share: 0.35,
            threshold: 0.4,
            rule: policy.rule,
            alpha: 0.01,
            psi_drift: 0.2,
            psi_warning: 0.07,
            conclusion: conclusion(&made, &[]),
        };
        assert_eq!(section, expected);
    }
}
