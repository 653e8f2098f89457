//! The rule: from the measurements of all features to a verdict on each, with its reason in words.

use rayon::prelude::*;

use super::correction::benjamini_hochberg;
use super::policy::Policy;
use super::sight::Sight;
use super::{Rule, Verdict};
use crate::feature::FeatureName;
use crate::statistic::power::Detectable;
use crate::statistic::{Condition, DesignEffect, Measurement, Sizes};

/// One feature, judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub verdict: Verdict,
    /// Why, in one sentence.
    pub reason: String,
    /// `None` where the feature could not be tested.
    pub q_value: Option<f64>,
    /// The smallest drift that would have been found, whatever the other features do; `None` where none would, or nothing can be said.
    pub detectable: Option<Detectable>,
}

/// A single value in a window is called broken when so many independent draws from the reference would all give it with at most
/// this probability. One in a million: a feature that is mostly zero is zero all night now and then, and is not broken.
const CONSTANT_PROBABILITY: f64 = 1e-6;

/// Judges all features together, because the correction for many tests needs all of them.
pub fn judge(measurements: &[(&FeatureName, &Measurement)], policy: &Policy) -> Vec<Judgement> {
    let evaluable: Vec<Option<f64>> = measurements.iter().map(|(_, measurement)| evaluable(measurement, policy)).collect();
    let tested: Vec<f64> = evaluable.iter().flatten().copied().collect();
    let mut q_values = benjamini_hochberg(&tested).into_iter();
    let sights: Vec<Option<Sight>> =
        measurements.par_iter().map(|(name, measurement)| Sight::of(name, measurement, tested.len(), policy)).collect();
    measurements
        .iter()
        .zip(evaluable.into_iter().zip(sights))
        .map(|((name, measurement), (p_value, sight))| {
            let q_value = p_value.and_then(|_| q_values.next());
            let (verdict, reason) = judge_one(name, measurement, q_value, sight.as_ref(), policy);
            Judgement { verdict, reason, q_value, detectable: sight.and_then(|sight| sight.smallest) }
        })
        .collect()
}

/// The p-value that the feature is judged by, if there are rows enough: with too few values left, that of the values that are gone.
fn evaluable(measurement: &Measurement, policy: &Policy) -> Option<f64> {
    if too_few(measurement, policy).is_none() {
        return measurement.p_value;
    }
    let rows = measurement.effective_rows()?;
    let enough = rows.reference >= policy.min_effective_rows && rows.current >= policy.min_effective_rows;
    measurement.p_value_without_values().filter(|_| enough)
}

fn judge_one(
    name: &FeatureName,
    measurement: &Measurement,
    q_value: Option<f64>,
    sight: Option<&Sight>,
    policy: &Policy,
) -> (Verdict, String) {
    if let Some(reason) = broken(measurement, policy) {
        return (Verdict::Broken, reason);
    }
    if let Some(reason) = too_few(measurement, policy) {
        // Values that are gone can be told without them; that nothing else changed cannot.
        let judged = significant_and_material(name, measurement, q_value, None, policy);
        let needs = sight.and_then(Sight::needs).map(|needs| format!("; {needs}")).unwrap_or_default();
        return if matches!(judged.0, Verdict::Drift | Verdict::Warning) {
            judged
        } else {
            (Verdict::Inconclusive, reason + &needs)
        };
    }
    match policy.rule {
        Rule::SignificantAndMaterial => significant_and_material(name, measurement, q_value, sight, policy),
        Rule::Ks | Rule::Psi | Rule::Either => textbook(name, measurement, policy),
    }
}

/// Why the feature is broken, if it is.
fn broken(measurement: &Measurement, policy: &Policy) -> Option<String> {
    let reason = match measurement.condition {
        Condition::Absent => "missing: no object of the window has this column",
        Condition::AllNull => "every value in the window is missing",
        Condition::NonFinite => "every value in the window is NaN or infinite",
        Condition::WrongType => "the type changed: no value in the window is of the reference's type",
        Condition::NoReference => "the reference has no usable value of this feature",
        Condition::Comparable { single_value_ln_probability: Some(ln_probability) }
            if ln_probability <= CONSTANT_PROBABILITY.ln() && measurement.effective.current >= policy.min_effective_rows =>
        {
            "constant: every value in the window is the same, although the reference varies"
        }
        Condition::Comparable { .. } | Condition::NoRows => return None,
    };
    Some(reason.to_owned())
}

/// Why there are too few rows to judge, if there are.
fn too_few(measurement: &Measurement, policy: &Policy) -> Option<String> {
    if measurement.condition == Condition::NoRows {
        return Some("the window holds no row".to_owned());
    }
    let needed = policy.min_effective_rows;
    let DesignEffect { reference, current } = measurement.design_effect;
    let sides =
        [("the reference", measurement.effective.reference, reference), ("the window", measurement.effective.current, current)];
    sides.into_iter().find(|(_, effective, _)| *effective < needed).map(|(side, effective, design_effect)| {
        let more = (needed - effective).ceil();
        let plural = if more > 1.0 { "rows" } else { "row" };
        let worth = if is_dependent(design_effect) {
            format!("the {:.0} usable rows of {side} are worth {effective:.1} independent ones", effective * design_effect)
        } else {
            format!("{side} has {effective:.0} usable rows")
        };
        format!("too few rows: {worth} of the {needed:.0} required; needs {more:.0} more independent {plural}")
    })
}

/// Whether a design effect is worth a word.
fn is_dependent(design_effect: f64) -> bool {
    design_effect >= 1.05
}

/// Why a feature that looks significant is not: its rows are not independent.
fn looks_significant(measurement: &Measurement, alpha: f64) -> Option<String> {
    let p_value = p_value_of_test(measurement)?;
    let DesignEffect { reference, current } = measurement.design_effect;
    if p_value >= alpha || !(is_dependent(reference) || is_dependent(current)) {
        return None;
    }
    let Sizes { reference: effective_reference, current: effective_current } = measurement.effective;
    Some(format!(
        "; counted as independent its rows would look significant (p below {alpha}), but the {:.0} of the window are worth \
         {effective_current:.0} and the {:.0} of the reference {effective_reference:.0}",
        effective_current * current,
        effective_reference * reference
    ))
}

fn significant_and_material(
    name: &FeatureName,
    measurement: &Measurement,
    q_value: Option<f64>,
    sight: Option<&Sight>,
    policy: &Policy,
) -> (Verdict, String) {
    let (Some(q_value), Some(psi)) = (q_value, &measurement.psi) else {
        return (Verdict::Inconclusive, "no test could be computed for this feature".to_owned());
    };
    let (warning, drift) = policy.psi_thresholds(name);
    let significant = q_value < policy.alpha;
    let size = psi.adjusted;
    let alpha = policy.alpha;
    match (significant, size) {
        (true, size) if size >= drift => {
            (Verdict::Drift, format!("significant (q below {alpha}) and material (adjusted PSI {size:.3}, drift from {drift})"))
        }
        (true, size) if size >= warning => (
            Verdict::Warning,
            format!("significant (q below {alpha}), not yet material (adjusted PSI {size:.3}, drift from {drift})"),
        ),
        (true, size) => (
            Verdict::Stable,
            format!("significant (q below {alpha}) but too small to matter (adjusted PSI {size:.3}, warning from {warning})"),
        ),
        (false, size) => {
            let size = if size >= drift { format!(", so its adjusted PSI of {size:.3} does not count") } else { String::new() };
            let why = looks_significant(measurement, alpha).unwrap_or_default();
            let found = format!("no significant change (q {q_value:.2}){size}{why}");
            match sight {
                Some(sight) if sight.is_blind => {
                    (Verdict::Inconclusive, format!("too few rows to tell: {}; {found}", sight.blind()))
                }
                Some(sight) => (Verdict::Stable, format!("{found}{}", sight.claim())),
                None => (Verdict::Stable, found),
            }
        }
    }
}

/// The textbook rules, for those who want them: uncorrected, blind to the size of the samples.
fn textbook(name: &FeatureName, measurement: &Measurement, policy: &Policy) -> (Verdict, String) {
    let p_value = p_value_of_test(measurement);
    let (_, psi_drift) = policy.psi_thresholds(name);
    let by_test = p_value.is_some_and(|p| p < policy.alpha);
    let by_psi = measurement.psi.as_ref().is_some_and(|psi| psi.value >= psi_drift);
    let (drift, description) = match policy.rule {
        Rule::Ks => (by_test, format!("p below {} (rule ks)", policy.alpha)),
        Rule::Psi => (by_psi, format!("PSI from {psi_drift} (rule psi)")),
        Rule::Either | Rule::SignificantAndMaterial => {
            (by_test || by_psi, format!("p below {} or PSI from {psi_drift} (rule either)", policy.alpha))
        }
    };
    if drift { (Verdict::Drift, description) } else { (Verdict::Stable, format!("not {description}")) }
}

/// Up to which `psi_drift` a feature is drift, all else equal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reach {
    /// At no threshold.
    Never,
    /// At this threshold and below.
    UpTo(f64),
    /// At every threshold: it is broken, or the rule does not look at the size.
    Always,
}

impl Reach {
    /// Whether the feature would be drift (or broken) at this `psi_drift`.
    pub fn is_drift_at(self, psi_drift: f64) -> bool {
        match self {
            Self::Never => false,
            Self::UpTo(size) => size >= psi_drift,
            Self::Always => true,
        }
    }
}

/// At which thresholds a judged feature would be drift: what [`judge`] says for every `psi_drift` at once.
pub fn reach(measurement: &Measurement, judgement: &Judgement, policy: &Policy) -> Reach {
    if judgement.verdict == Verdict::Broken {
        return Reach::Always;
    }
    let up_to = |size: Option<f64>| size.map_or(Reach::Never, Reach::UpTo);
    // With too few rows only values that are gone are judged, by the rule that holds by default.
    if policy.rule == Rule::SignificantAndMaterial || too_few(measurement, policy).is_some() {
        let is_significant = judgement.q_value.is_some_and(|q_value| q_value < policy.alpha);
        return up_to(measurement.psi.as_ref().map(|psi| psi.adjusted).filter(|_| is_significant));
    }
    let by_test = p_value_of_test(measurement).is_some_and(|p| p < policy.alpha);
    match policy.rule {
        Rule::Ks | Rule::Either if by_test => Reach::Always,
        Rule::Ks => Reach::Never,
        Rule::Psi | Rule::Either | Rule::SignificantAndMaterial => up_to(measurement.psi.as_ref().map(|psi| psi.value)),
    }
}

fn p_value_of_test(measurement: &Measurement) -> Option<f64> {
    measurement.ks.map(|ks| ks.p_value).or(measurement.chi_squared.map(|test| test.p_value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::chi_squared::ChiSquared;
    use crate::statistic::ks::Ks;
    use crate::statistic::proportions::TwoProportions;
    use crate::statistic::psi::{Cell, CellLabel, Psi};

    fn measured(p: f64, psi_adjusted: f64, rows: f64) -> Measurement {
        Measurement {
            condition: Condition::Comparable { single_value_ln_probability: None },
            design_effect: DesignEffect::INDEPENDENT,
            effective: Sizes { reference: 613.0, current: rows },
            ks: Some(Ks { statistic: 0.1, p_value: p, p_effective: p, error_bound: 0.0 }),
            chi_squared: None,
            missing: None,
            non_finite: None,
            psi: Some(Psi { value: psi_adjusted + 0.01, adjusted: psi_adjusted, p_value: p, cells: Vec::new() }),
            jensen_shannon: None,
            total_variation: None,
            p_value: Some(p),
            largest_tie: 1.0,
        }
    }

    fn verdict(measurement: &Measurement, policy: &Policy) -> Verdict {
        judge(&[(&FeatureName::new("f"), measurement)], policy)[0].verdict
    }

    #[test]
    fn drift_takes_significance_and_size() {
        let policy = Policy::default();
        assert_eq!(verdict(&measured(1e-6, 0.10, 300.0), &policy), Verdict::Drift);
        assert_eq!(verdict(&measured(1e-6, 0.07, 300.0), &policy), Verdict::Warning);
        assert_eq!(verdict(&measured(1e-6, 0.01, 300.0), &policy), Verdict::Stable);
        assert_eq!(verdict(&measured(0.20, 0.50, 300.0), &policy), Verdict::Stable);
        // alpha itself is not below alpha.
        assert_eq!(verdict(&measured(0.05, 0.50, 300.0), &policy), Verdict::Stable);
    }

    #[test]
    fn too_few_rows_are_inconclusive_and_say_how_many_are_missing() {
        let judgement = judge(&[(&FeatureName::new("f"), &measured(1e-9, 1.0, 7.0))], &Policy::default()).remove(0);
        assert_eq!(judgement.verdict, Verdict::Inconclusive);
        assert!(judgement.reason.contains("needs 3 more independent rows"), "{}", judgement.reason);
        assert_eq!(judgement.q_value, None);
    }

    #[test]
    fn dependent_rows_are_told_in_words() {
        let mut measurement = measured(1e-6, 0.3, 52.0);
        measurement.design_effect = DesignEffect { reference: 1.0, current: 8.0 };
        measurement.p_value = Some(0.3);
        let judgement = judge(&[(&FeatureName::new("f"), &measurement)], &Policy::default()).remove(0);
        assert_eq!(judgement.verdict, Verdict::Stable);
        assert!(judgement.reason.contains("the 416 of the window are worth 52"), "{}", judgement.reason);
    }

    #[test]
    fn a_single_value_is_broken_only_when_that_is_improbable() {
        let policy = Policy::default();
        let mut measurement = measured(1e-9, 1.0, 72.0);
        measurement.condition = Condition::Comparable { single_value_ln_probability: Some(72.0 * 0.5_f64.ln()) };
        assert_eq!(verdict(&measurement, &policy), Verdict::Broken);
        measurement.condition = Condition::Comparable { single_value_ln_probability: Some(72.0 * 0.97_f64.ln()) };
        assert_ne!(verdict(&measurement, &policy), Verdict::Broken);
    }

    #[test]
    fn broken_does_not_wait_for_more_rows() {
        let mut measurement = measured(1.0, 0.0, 0.0);
        for condition in [Condition::Absent, Condition::AllNull, Condition::NonFinite, Condition::WrongType, Condition::NoReference]
        {
            measurement.condition = condition;
            assert_eq!(verdict(&measurement, &Policy::default()), Verdict::Broken);
        }
    }

    #[test]
    fn the_textbook_rules_are_what_they_are_called() {
        let cases =
            [(Rule::Ks, 0.01, 0.0, true), (Rule::Ks, 0.2, 0.5, false), (Rule::Psi, 0.2, 0.5, true), (Rule::Either, 0.2, 0.5, true)];
        for (rule, p, psi, drift) in cases {
            let policy = Policy { rule, ..Policy::default() };
            assert_eq!(verdict(&measured(p, psi, 300.0), &policy) == Verdict::Drift, drift, "{rule}");
        }
    }

    #[test]
    fn a_feature_may_have_a_threshold_of_its_own() {
        let mut policy = Policy::default();
        let own = super::super::policy::Materiality { psi_drift: Some(0.5), psi_warning: None };
        policy.overrides.insert(FeatureName::new("f"), own);
        assert_eq!(verdict(&measured(1e-6, 0.3, 300.0), &policy), Verdict::Warning);
    }

    #[test]
    fn the_reach_is_what_the_rule_says_at_every_threshold() {
        let name = FeatureName::new("f");
        for rule in [Rule::SignificantAndMaterial, Rule::Ks, Rule::Psi, Rule::Either] {
            for (p, psi, rows) in [(1e-6, 0.3, 300.0), (0.2, 0.3, 300.0), (1e-6, 0.0, 300.0), (0.9, 0.0, 300.0), (1e-9, 1.0, 7.0)] {
                let mut measurement = measured(p, psi, rows);
                for condition in [measurement.condition, Condition::AllNull] {
                    measurement.condition = condition;
                    for psi_drift in [0.01, 0.1, 0.29, 0.3, 0.301, 0.5] {
                        let policy = Policy { psi_drift, rule, ..Policy::default() };
                        let judgement = judge(&[(&name, &measurement)], &policy).remove(0);
                        let is_drift = matches!(judgement.verdict, Verdict::Drift | Verdict::Broken);
                        let reach = reach(&measurement, &judgement, &Policy { psi_drift: 0.77, ..policy });
                        assert_eq!(reach.is_drift_at(psi_drift), is_drift, "{rule} {p} {psi} {rows} {psi_drift}");
                    }
                }
            }
        }
    }

    #[test]
    fn features_that_cannot_be_tested_do_not_dilute_the_correction() {
        let (tested, untested) = (measured(0.04, 0.5, 300.0), measured(0.9, 0.0, 2.0));
        let name = FeatureName::new("f");
        let judgements = judge(&[(&name, &tested), (&name, &untested)], &Policy::default());
        assert_eq!(judgements[0].verdict, Verdict::Drift);
    }

    fn judged(measurement: &Measurement, policy: &Policy) -> (Verdict, String) {
        let judgement = judge(&[(&FeatureName::new("f"), measurement)], policy).remove(0);
        (judgement.verdict, judgement.reason)
    }

    /// Ten cells with so many rows each.
    fn deciles(reference: u64, current: u64) -> Vec<Cell> {
        let edge = |number: u32| (1..10).contains(&number).then(|| f64::from(number));
        let cell =
            |number| Cell { label: CellLabel::Interval { lower: edge(number), upper: edge(number + 1) }, reference, current };
        (0..10).map(cell).collect()
    }

    #[test]
    fn every_limit_is_on_its_own_side() {
        let policy = Policy::default();
        assert_eq!(verdict(&measured(1e-6, 0.05, 300.0), &policy), Verdict::Warning);
        assert_eq!(verdict(&measured(1e-6, 0.049, 300.0), &policy), Verdict::Stable);
        assert_eq!(verdict(&measured(1e-6, 0.3, 10.0), &policy), Verdict::Drift);
        assert_eq!(verdict(&measured(1e-6, 0.3, 9.99), &policy), Verdict::Inconclusive);
        let few_of_reference = Measurement { effective: Sizes { reference: 9.99, current: 300.0 }, ..measured(1e-6, 0.3, 300.0) };
        assert_eq!(verdict(&few_of_reference, &policy), Verdict::Inconclusive);
    }

    #[test]
    fn a_verdict_is_told_with_its_limits() {
        let policy = Policy::default();
        let told = |measurement: &Measurement, reason: &str| assert_eq!(judged(measurement, &policy).1, reason);
        told(&measured(1e-6, 0.25, 300.0), "significant (q below 0.05) and material (adjusted PSI 0.250, drift from 0.1)");
        told(&measured(1e-6, 0.07, 300.0), "significant (q below 0.05), not yet material (adjusted PSI 0.070, drift from 0.1)");
        told(
            &measured(1e-6, 0.01, 300.0),
            "significant (q below 0.05) but too small to matter (adjusted PSI 0.010, warning from 0.05)",
        );
        told(&measured(0.2, 0.01, 300.0), "no significant change (q 0.20)");
        told(&measured(0.2, 0.1, 300.0), "no significant change (q 0.20), so its adjusted PSI of 0.100 does not count");
        let untested = Measurement { psi: None, ..measured(0.2, 0.1, 300.0) };
        assert_eq!(judged(&untested, &policy), (Verdict::Inconclusive, "no test could be computed for this feature".to_owned()));
    }

    #[test]
    fn what_is_lacking_is_counted_up_to_a_whole_row() {
        let told = |measurement: &Measurement, reason: &str| assert_eq!(judged(measurement, &Policy::default()).1, reason);
        told(
            &measured(0.2, 0.1, 7.0),
            "too few rows: the window has 7 usable rows of the 10 required; needs 3 more independent rows",
        );
        told(
            &measured(0.2, 0.1, 9.0),
            "too few rows: the window has 9 usable rows of the 10 required; needs 1 more independent row",
        );
        let mut few = Measurement { effective: Sizes { reference: 4.5, current: 7.0 }, ..measured(0.2, 0.1, 7.0) };
        told(&few, "too few rows: the reference has 4 usable rows of the 10 required; needs 6 more independent rows");
        few.effective.reference = 613.0;
        few.design_effect.current = 8.0;
        told(
            &few,
            "too few rows: the 56 usable rows of the window are worth 7.0 independent ones of the 10 required; needs 3 more independent rows",
        );
        few.condition = Condition::NoRows;
        told(&few, "the window holds no row");
    }

    #[test]
    fn why_a_feature_is_broken_is_told() {
        let mut measurement = measured(1.0, 0.0, 10.0);
        let mut told = |condition, reason: Option<&str>| {
            measurement.condition = condition;
            assert_eq!(broken(&measurement, &Policy::default()).as_deref(), reason);
        };
        told(Condition::Absent, Some("missing: no object of the window has this column"));
        told(Condition::AllNull, Some("every value in the window is missing"));
        told(Condition::NonFinite, Some("every value in the window is NaN or infinite"));
        told(Condition::WrongType, Some("the type changed: no value in the window is of the reference's type"));
        told(Condition::NoReference, Some("the reference has no usable value of this feature"));
        told(Condition::NoRows, None);
        let constant = "constant: every value in the window is the same, although the reference varies";
        let single = |ln_probability: f64| Condition::Comparable { single_value_ln_probability: Some(ln_probability) };
        told(single(CONSTANT_PROBABILITY.ln()), Some(constant));
        told(single(CONSTANT_PROBABILITY.ln() + 1e-9), None);
        measurement.effective.current = 9.99;
        measurement.condition = single(-100.0);
        assert_eq!(broken(&measurement, &Policy::default()), None, "few rows are easily the same");
    }

    #[test]
    fn values_that_are_gone_are_told_without_those_that_are_left() {
        let gone = |reference: u64, current: u64, p_value: f64| {
            let mut measurement = measured(0.9, 0.5, 2.0);
            measurement.missing = Some(TwoProportions { reference_fraction: 0.0, current_fraction: 0.99, p_value });
            measurement.psi.as_mut().unwrap().cells = deciles(reference, current);
            judge(&[(&FeatureName::new("f"), &measurement)], &Policy::default()).remove(0)
        };
        let found = gone(60, 30, 1e-9);
        assert_eq!((found.verdict, found.q_value), (Verdict::Drift, Some(1e-9)));
        // Ten rows on either side are enough.
        assert_eq!(gone(1, 1, 1e-9).verdict, Verdict::Drift);
        let few = |reference, current| {
            let mut measurement = measured(0.9, 0.5, 2.0);
            measurement.missing = Some(TwoProportions { reference_fraction: 0.0, current_fraction: 0.99, p_value: 1e-9 });
            let cells = [
                Cell { label: CellLabel::Value(1.0), reference, current },
                Cell { label: CellLabel::Missing, reference: 0, current: 0 },
            ];
            measurement.psi.as_mut().unwrap().cells = cells.to_vec();
            judged(&measurement, &Policy::default()).0
        };
        assert_eq!((few(10, 10), few(9, 300), few(600, 9)), (Verdict::Drift, Verdict::Inconclusive, Verdict::Inconclusive));
        // Nothing gone is no proof that nothing changed.
        let unchanged = gone(60, 30, 0.4);
        assert_eq!(unchanged.verdict, Verdict::Inconclusive);
        assert!(
            unchanged.reason.starts_with(
                "too few rows: the window has 2 usable rows of the 10 required; needs 8 more independent rows; needs about "
            ),
            "{}",
            unchanged.reason
        );
    }

    #[test]
    fn rows_that_only_look_like_evidence_are_told_on_either_side() {
        let looks = |p: f64, reference: f64, current: f64| {
            let design_effect = DesignEffect { reference, current };
            looks_significant(&Measurement { design_effect, ..measured(p, 0.3, 50.0) }, 0.05)
        };
        assert_eq!(
            looks(0.01, 2.0, 1.0).unwrap(),
            "; counted as independent its rows would look significant (p below 0.05), but the 50 of the window are worth 50 and the 1226 of the \
             reference 613"
        );
        assert!(looks(0.01, 1.0, 1.05).is_some() && looks(0.01, 1.0, 1.0).is_none() && looks(0.01, 1.04, 1.04).is_none());
        assert!(looks(0.05, 2.0, 2.0).is_none());
    }

    #[test]
    fn a_window_too_small_to_see_is_inconclusive_and_another_says_what_it_would_have_seen() {
        let with = |rows: f64| {
            let mut measurement = measured(0.5, 0.0, rows);
            measurement.largest_tie = 0.001;
            measurement.psi.as_mut().unwrap().cells = deciles(61, 3);
            judge(&[(&FeatureName::new("f"), &measurement)], &Policy::default()).remove(0)
        };
        let (small, large) = (with(10.0), with(300.0));
        assert_eq!((small.verdict, large.verdict), (Verdict::Inconclusive, Verdict::Stable));
        assert!(small.reason.starts_with("too few rows to tell: needs about "), "{}", small.reason);
        assert!(small.reason.ends_with("; no significant change (q 0.50)"), "{}", small.reason);
        let seen = large.detectable.unwrap();
        let claim = format!(
            "no significant change (q 0.50); a shift from {:.2} sd on (PSI {:.2}) would have been seen",
            seen.shift.unwrap(),
            seen.psi
        );
        assert_eq!(large.reason, claim);
        assert!(small.detectable.unwrap().psi > 1.0 && seen.psi < 0.2);
    }

    #[test]
    fn the_textbook_rules_have_their_limits_too() {
        let told = |rule, measurement: &Measurement| judged(measurement, &Policy { rule, ..Policy::default() });
        let is = |rule, measurement: &Measurement, verdict, reason: &str| {
            assert_eq!(told(rule, measurement), (verdict, reason.to_owned()));
        };
        let psi_of = |value: f64| {
            let mut measurement = measured(0.05, 0.0, 300.0);
            measurement.psi.as_mut().unwrap().value = value;
            measurement
        };
        is(Rule::Ks, &psi_of(0.5), Verdict::Stable, "not p below 0.05 (rule ks)");
        is(Rule::Ks, &measured(0.049, 0.0, 300.0), Verdict::Drift, "p below 0.05 (rule ks)");
        is(Rule::Psi, &psi_of(0.1), Verdict::Drift, "PSI from 0.1 (rule psi)");
        is(Rule::Psi, &psi_of(0.099), Verdict::Stable, "not PSI from 0.1 (rule psi)");
        is(Rule::Either, &psi_of(0.1), Verdict::Drift, "p below 0.05 or PSI from 0.1 (rule either)");
        is(Rule::Either, &measured(0.01, 0.0, 300.0), Verdict::Drift, "p below 0.05 or PSI from 0.1 (rule either)");
        is(Rule::Either, &psi_of(0.099), Verdict::Stable, "not p below 0.05 or PSI from 0.1 (rule either)");
        // Of labels it is the test of categories.
        let chi_squared = Some(ChiSquared { statistic: 9.0, degrees_of_freedom: 2, p_value: 0.011, p_effective: 0.3 });
        let labels = Measurement { ks: None, chi_squared, ..measured(0.3, 0.0, 300.0) };
        is(Rule::Ks, &labels, Verdict::Drift, "p below 0.05 (rule ks)");
    }

    #[test]
    fn what_is_just_not_significant_reaches_no_threshold() {
        for rule in [Rule::SignificantAndMaterial, Rule::Ks] {
            let policy = Policy { rule, ..Policy::default() };
            let reach_of = |p| {
                let measurement = measured(p, 0.3, 300.0);
                let judgement = judge(&[(&FeatureName::new("f"), &measurement)], &policy).remove(0);
                reach(&measurement, &judgement, &policy)
            };
            assert_eq!(reach_of(0.05), Reach::Never);
            assert_eq!(reach_of(0.049), if rule == Rule::Ks { Reach::Always } else { Reach::UpTo(0.3) });
        }
        assert!(Reach::UpTo(0.1).is_drift_at(0.1) && !Reach::UpTo(0.1).is_drift_at(0.11));
    }
}
