//! What a feature's comparison can see, in words: the smallest drift that would have been found, and the rows that the policy's takes.

use super::Rule;
use super::policy::Policy;
use crate::feature::FeatureName;
use crate::statistic::Measurement;
use crate::statistic::power::{Detectable, Needed, Power};

/// One feature's power in this window.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// `None` where not even the largest drift would be found.
    pub smallest: Option<Detectable>,
    /// Whether a drift of the size that must not go unseen would have.
    pub is_blind: bool,
    /// What the policy's limits take that would go unseen, the larger limit first; only where rows are lacking.
    lacking: Vec<(f64, Lacking)>,
    /// Effective rows of the reference.
    reference: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Lacking {
    Rows(f64),
    /// No window is large enough.
    Reference,
}

impl Sight {
    /// `tested` features share the significance level, and in each feature its tests do: what is found at that level is found whatever
    /// the others do. `None` where the reference does not vary, and where no test decides (the rules `psi` and `either`).
    pub fn of(name: &FeatureName, measurement: &Measurement, tested: usize, policy: &Policy) -> Option<Self> {
        let own_tests = 1 + usize::from(measurement.missing.is_some()) + usize::from(measurement.non_finite.is_some());
        let level = match policy.rule {
            Rule::SignificantAndMaterial => policy.alpha / (tested.max(1) * own_tests) as f64,
            Rule::Ks => policy.alpha,
            Rule::Psi | Rule::Either => return None,
        };
        let power = Power::of(&measurement.psi.as_ref()?.cells, measurement.largest_tie)?;
        let smallest = power.smallest(measurement.effective, level);
        let (_, psi_drift) = policy.psi_thresholds(name);
        let reference = measurement.effective.reference;
        let unseen = |limit: f64| smallest.is_none_or(|seen| seen.psi > limit);
        let lacking = |limit: f64| match power.needed(reference, level, limit) {
            Needed::Rows(rows) => Some((limit, Lacking::Rows((rows - measurement.effective.current).max(1.0)))),
            Needed::Reference => Some((limit, Lacking::Reference)),
            Needed::Nothing => None,
        };
        let first = if unseen(policy.psi_unseen) { lacking(policy.psi_unseen) } else { None };
        let is_blind = first.is_some();
        let few = measurement.effective.current < policy.min_effective_rows || reference < policy.min_effective_rows;
        let mut all: Vec<(f64, Lacking)> = first.into_iter().collect();
        // What it takes is worked out where it is told.
        if (is_blind || few) && unseen(psi_drift) && psi_drift < policy.psi_unseen {
            all.extend(lacking(psi_drift));
        }
        Some(Self { smallest, is_blind, lacking: all, reference })
    }

    /// What "no significant change" is worth: `; a shift from 0.33 sd on (PSI 0.10) would have been seen`.
    pub fn claim(&self) -> String {
        self.smallest.map(|seen| format!("; {} would have been seen", told(seen))).unwrap_or_default()
    }

    /// What a comparison that sees too little lacks, and what it sees.
    pub fn blind(&self) -> String {
        let seen = match self.smallest {
            Some(seen) => format!("only {} would have been seen", told(seen)),
            None => "no drift would have been seen".to_owned(),
        };
        self.needs().map(|needs| format!("{needs}; {seen}")).unwrap_or(seen)
    }

    /// `needs about 16 more independent rows to detect PSI 1.00, and about 480 to detect PSI 0.10`; `None` where nothing is lacking.
    pub fn needs(&self) -> Option<String> {
        let mut parts: Vec<String> = Vec::new();
        for (psi, lacking) in &self.lacking {
            match lacking {
                Lacking::Rows(rows) => {
                    let what = if parts.is_empty() { " more independent rows" } else { "" };
                    parts.push(format!("about {}{what} to detect PSI {psi:.2}", rounded(*rows)));
                }
                Lacking::Reference => {
                    let reference = self.reference;
                    parts.push(format!(
                        "a larger reference than {reference:.0} independent rows to detect PSI {psi:.2} in any window"
                    ));
                    // A smaller drift takes a still larger one.
                    break;
                }
            }
        }
        (!parts.is_empty()).then(|| format!("needs {}", parts.join(", and ")))
    }
}

/// A drift in words: as a shift, or as a change of the mix.
fn told(seen: Detectable) -> String {
    match seen.shift {
        Some(shift) => format!("a shift from {shift:.2} sd on (PSI {:.2})", seen.psi),
        None => format!("a change of the mix from about PSI {:.2} on", seen.psi),
    }
}

/// Two digits: the estimate is no better.
fn rounded(rows: f64) -> String {
    let unit = 10.0_f64.powf((rows.max(1.0).log10().floor() - 1.0).max(0.0));
    format!("{:.0}", (rows / unit).ceil() * unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistic::proportions::TwoProportions;
    use crate::statistic::psi::{Cell, CellLabel, Psi};
    use crate::statistic::{Condition, DesignEffect, Sizes};

    #[test]
    fn rows_are_told_to_two_digits() {
        for (rows, told) in [(0.4, "1"), (3.2, "4"), (37.5, "38"), (138.0, "140"), (1_201.0, "1300")] {
            assert_eq!(rounded(rows), told);
        }
    }

    #[test]
    fn what_is_lacking_is_told_in_one_sentence() {
        let sight = |smallest: Option<(f64, Option<f64>)>, lacking: &[(f64, Lacking)]| Sight {
            smallest: smallest.map(|(psi, shift)| Detectable { psi, shift }),
            is_blind: !lacking.is_empty(),
            lacking: lacking.to_vec(),
            reference: 60.0,
        };
        assert_eq!(sight(Some((0.08, Some(0.3))), &[]).claim(), "; a shift from 0.30 sd on (PSI 0.08) would have been seen");
        assert_eq!(sight(Some((0.08, None)), &[]).claim(), "; a change of the mix from about PSI 0.08 on would have been seen");
        assert_eq!(
            sight(Some((1.4, None)), &[(1.0, Lacking::Rows(8.2)), (0.1, Lacking::Rows(481.0))]).needs().unwrap(),
            "needs about 9 more independent rows to detect PSI 1.00, and about 490 to detect PSI 0.10"
        );
        assert_eq!(
            sight(Some((1.4, Some(1.2))), &[(1.0, Lacking::Rows(8.2)), (0.1, Lacking::Reference)]).blind(),
            "needs about 9 more independent rows to detect PSI 1.00, and a larger reference than 60 independent rows to detect PSI 0.10 in any \
             window; only a shift from 1.20 sd on (PSI 1.40) would have been seen"
        );
        assert!(sight(None, &[(1.0, Lacking::Rows(20.0))]).blind().ends_with("; no drift would have been seen"));
    }

    /// A numeric feature with so many effective rows on either side.
    fn measured(reference: f64, current: f64) -> Measurement {
        let edge = |number: u32| (1..10).contains(&number).then(|| f64::from(number));
        let label = |number| CellLabel::Interval { lower: edge(number), upper: edge(number + 1) };
        let cells = (0..10).map(|number| Cell { label: label(number), reference: 60, current: 30 }).collect();
        Measurement {
            condition: Condition::Comparable { single_value_ln_probability: None },
            design_effect: DesignEffect::INDEPENDENT,
            effective: Sizes { reference, current },
            ks: None,
            chi_squared: None,
            missing: None,
            non_finite: None,
            psi: Some(Psi { value: 0.0, adjusted: 0.0, p_value: 1.0, cells }),
            jensen_shannon: None,
            total_variation: None,
            p_value: None,
            largest_tie: 0.001,
        }
    }

    fn of(measurement: &Measurement, tested: usize, policy: &Policy) -> Option<Sight> {
        Sight::of(&FeatureName::new("f"), measurement, tested, policy)
    }

    fn power(measurement: &Measurement) -> Power {
        Power::of(&measurement.psi.as_ref().unwrap().cells, measurement.largest_tie).unwrap()
    }

    #[test]
    fn the_level_is_shared_by_the_features_and_by_the_tests_of_each() {
        let mut measurement = measured(600.0, 300.0);
        let policy = Policy::default();
        let smallest = |measurement: &Measurement, level: f64| power(measurement).smallest(measurement.effective, level);
        let gone = Some(TwoProportions { reference_fraction: 0.0, current_fraction: 0.1, p_value: 0.2 });
        for (missing, non_finite, own_tests) in [(None, None, 1.0), (gone, None, 2.0), (None, gone, 2.0), (gone, gone, 3.0)] {
            (measurement.missing, measurement.non_finite) = (missing, non_finite);
            let expected = smallest(&measurement, 0.05 / (16.0 * own_tests));
            assert!(expected.is_some());
            assert_eq!(of(&measurement, 16, &policy).unwrap().smallest, expected);
        }
        let ks = Policy { rule: Rule::Ks, ..policy.clone() };
        assert_eq!(of(&measurement, 16, &ks).unwrap().smallest, smallest(&measurement, 0.05));
        for rule in [Rule::Psi, Rule::Either] {
            assert_eq!(of(&measurement, 16, &Policy { rule, ..policy.clone() }), None);
        }
        // Where none is tested, the level is that of one.
        assert_eq!(of(&measurement, 0, &policy).unwrap().smallest, smallest(&measurement, 0.05 / 3.0));
    }

    #[test]
    fn a_window_is_blind_where_the_drift_that_must_not_go_unseen_would() {
        let policy = Policy::default();
        let rows = |measurement: &Measurement, psi: f64| match power(measurement).needed(600.0, 0.05, psi) {
            Needed::Rows(rows) => Lacking::Rows(rows - measurement.effective.current),
            other => panic!("{other:?}"),
        };
        let small = measured(600.0, 10.0);
        let blind = of(&small, 1, &policy).unwrap();
        assert_eq!((blind.is_blind, blind.lacking), (true, vec![(1.0, rows(&small, 1.0)), (0.1, rows(&small, 0.1))]));
        // One that sees the larger drift and not the smaller says nothing of rows, unless it has very few.
        let enough = of(&measured(600.0, 60.0), 1, &policy).unwrap();
        assert!(enough.smallest.unwrap().psi > 0.1 && !enough.is_blind && enough.lacking.is_empty(), "{enough:?}");
        let far_off = Policy { psi_unseen: 100.0, ..policy.clone() };
        let few = measured(600.0, 9.9);
        assert_eq!(of(&few, 1, &far_off).unwrap().lacking, [(0.1, rows(&few, 0.1))]);
        assert!(!of(&few, 1, &far_off).unwrap().is_blind && of(&small, 1, &far_off).unwrap().lacking.is_empty());
        assert_eq!(of(&measured(9.9, 300.0), 1, &far_off).unwrap().lacking, [(0.1, Lacking::Reference)]);
        assert!(of(&measured(10.0, 300.0), 1, &far_off).unwrap().lacking.is_empty());
        // What is exactly the limit would have been seen.
        let exact = Policy { psi_unseen: of(&small, 1, &policy).unwrap().smallest.unwrap().psi, ..policy.clone() };
        assert!(!of(&small, 1, &exact).unwrap().is_blind);
        // One limit is told once.
        let same = Policy { psi_unseen: 0.1, ..policy };
        assert_eq!(of(&small, 1, &same).unwrap().lacking, [(0.1, rows(&small, 0.1))]);
    }

    #[test]
    fn one_row_more_is_the_least_that_is_lacking() {
        assert_eq!([1.0, 9.0, 10.0, 11.0, 99.5, 101.0, 990.0].map(rounded), ["1", "9", "10", "11", "100", "110", "990"]);
    }
}
