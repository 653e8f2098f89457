//! Comparing how two features move together, before and now.

use super::{DesignEffect, Sizes, tail};
use crate::profile::joint::{LARGEST_CORRELATION, PairProfile};

/// The correlation of two features' normal scores on both sides.
///
/// Fisher's z: `atanh ρ` has variance `1/(n − 3)` in normal samples (Fisher 1915, Biometrika 10:507), and more where both features are
/// extreme together, by the inflation that each side measures. `n` is the effective number of rows in which both have a value. Oracle: `scipy.stats.norm.sf`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairComparison {
    /// In [−1, 1].
    pub reference: f64,
    /// In [−1, 1].
    pub current: f64,
    /// Rows in which both features have a value, as independent observations.
    pub effective: Sizes,
    /// Two-sided.
    pub p_value: f64,
}

impl PairComparison {
    /// `None` where a side has no correlation, or no more than 4 effective rows.
    pub fn compute(reference: &PairProfile, current: &PairProfile, design_effect: DesignEffect) -> Option<Self> {
        let effective = Sizes::effective(reference.rows, current.rows, design_effect);
        let (before, now) = (reference.correlation?, current.correlation?);
        if effective.reference <= 4.0 || effective.current <= 4.0 {
            return None;
        }
        let z = |correlation: f64| correlation.clamp(-LARGEST_CORRELATION, LARGEST_CORRELATION).atanh();
        let deviation = (reference.inflation / (effective.reference - 3.0) + current.inflation / (effective.current - 3.0)).sqrt();
        Some(Self { reference: before, current: now, effective, p_value: tail::normal_two_sided((z(now) - z(before)) / deviation) })
    }

    /// `|ρ_current − ρ_reference|`, in [0, 2].
    pub fn change(&self) -> f64 {
        (self.current - self.reference).abs()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair(rows: u64, correlation: f64) -> PairProfile {
        PairProfile { rows, correlation: Some(correlation), inflation: 1.0 }
    }

    #[test]
    fn the_p_value_is_that_of_fishers_z() {
        // numpy: z = (arctanh(0.5) - arctanh(0.8)) / sqrt(1/610 + 1/97) = -5.025225; 2 * scipy.stats.norm.sf(5.025225) = 5.028419e-07
        let found = PairComparison::compute(&pair(613, 0.8), &pair(100, 0.5), DesignEffect::INDEPENDENT).unwrap();
        assert!((found.p_value / 5.028_419_466_654_948e-7 - 1.0).abs() < 1e-9, "{:e}", found.p_value);
    }

    #[test]
    fn features_that_are_extreme_together_are_less_evidence() {
        // numpy: z = (arctanh(0.5) - arctanh(0.8)) / sqrt(2/610 + 3/97); 2 * scipy.stats.norm.sf(abs(z))
        let side = |rows, correlation, inflation| PairProfile { inflation, ..pair(rows, correlation) };
        let found = PairComparison::compute(&side(613, 0.8, 2.0), &side(100, 0.5, 3.0), DesignEffect::INDEPENDENT).unwrap();
        assert!((found.p_value / 0.002_977_762_938_243_914 - 1.0).abs() < 1e-9, "{:e}", found.p_value);
        assert!((found.change() - 0.3).abs() < 1e-12);
        assert_eq!(found.effective, Sizes { reference: 613.0, current: 100.0 });
    }

    #[test]
    fn copies_that_stay_copies_have_not_changed() {
        let found = PairComparison::compute(&pair(613, 1.0), &pair(73, 1.0), DesignEffect::INDEPENDENT).unwrap();
        assert_eq!((found.p_value.to_bits(), found.change().to_bits()), (1.0_f64.to_bits(), 0));
    }

    #[test]
    fn dependent_rows_count_less() {
        let compare = |design_effect| PairComparison::compute(&pair(613, 0.8), &pair(100, 0.5), design_effect);
        let dependent = compare(DesignEffect { reference: 5.0, current: 5.0 }).unwrap();
        assert!(dependent.p_value > 0.01, "{dependent:?}");
        // More than 4 effective rows on both sides.
        assert!(compare(DesignEffect { reference: 122.0, current: 20.0 }).is_some());
        assert_eq!(compare(DesignEffect { reference: 1.0, current: 25.0 }), None);
        assert_eq!(compare(DesignEffect { reference: 613.0 / 4.0, current: 1.0 }), None);
    }

    #[test]
    fn a_side_without_a_correlation_is_not_compared() {
        let none = PairProfile { rows: 100, correlation: None, inflation: 1.0 };
        assert_eq!(PairComparison::compute(&none, &pair(100, 0.5), DesignEffect::INDEPENDENT), None);
        assert_eq!(PairComparison::compute(&pair(100, 0.5), &none, DesignEffect::INDEPENDENT), None);
    }

    proptest! {
        #[test]
        fn it_is_a_probability_and_one_for_what_stayed(
            (before, now) in (-1.0..=1.0_f64, -1.0..=1.0_f64), (n, m) in (0_u64..=u64::MAX, 0_u64..500), inflation in 1.0..9.0_f64,
        ) {
            let side = |rows, correlation| PairProfile { inflation, ..pair(rows, correlation) };
            let design_effect = DesignEffect { reference: 1.0, current: inflation };
            if let Some(found) = PairComparison::compute(&side(n, before), &side(m, now), design_effect) {
                prop_assert!((0.0..=1.0).contains(&found.p_value) && (0.0..=2.0).contains(&found.change()), "{:?}", found);
            }
            if let Some(same) = PairComparison::compute(&side(m, before), &side(m, before), design_effect) {
                prop_assert!(same.p_value > 1.0 - 1e-12 && same.change() < 1e-12, "{:?}", same);
            }
        }
    }
}
