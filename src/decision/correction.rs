//! Correction for testing many features at once.

/// The Benjamini–Hochberg adjustment: `q_i = min over ranks k ≥ i of p_(k)·n/k`, in [0, 1], in the order of the input.
///
/// Controls the expected share of false discoveries under independence and positive dependence (Benjamini & Hochberg 1995, JRSS B
/// 57:289; Benjamini & Yekutieli 2001). Oracle: `scipy.stats.false_discovery_control(p)`.
pub fn benjamini_hochberg(p_values: &[f64]) -> Vec<f64> {
    let mut ranked: Vec<(usize, f64)> = p_values.iter().copied().enumerate().collect();
    ranked.sort_by(|a, b| a.1.total_cmp(&b.1));
    let n = ranked.len() as f64;
    let mut smallest = 1.0_f64;
    let mut adjusted = vec![1.0; p_values.len()];
    for (rank, (index, p)) in ranked.into_iter().enumerate().rev() {
        smallest = smallest.min(p * n / (rank as f64 + 1.0));
        if let Some(slot) = adjusted.get_mut(index) {
            *slot = smallest.clamp(0.0, 1.0);
        }
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_to_correct_stays_as_it_is() {
        assert!(benjamini_hochberg(&[]).is_empty());
        assert_eq!(benjamini_hochberg(&[0.03]), [0.03]);
    }

    #[test]
    fn the_adjustment_keeps_the_order_of_the_features() {
        // By hand: 0.01·3/1 = 0.03, 0.04·3/2 = 0.06, 0.05·3/3 = 0.05, and 0.06 is lowered to the 0.05 above it.
        let adjusted = benjamini_hochberg(&[0.05, 0.01, 0.04]);
        for (q, expected) in adjusted.iter().zip([0.05, 0.03, 0.05]) {
            assert!((q - expected).abs() < 1e-15, "{adjusted:?}");
        }
    }

    /// Probabilities as tests give them: mostly none or one, many alike, some far below the rest.
    fn any_p_values() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(prop_oneof![Just(0.0), Just(1.0), Just(0.05), 0.0..=1.0_f64, 0.0..1e-300_f64], 0..60)
    }

    proptest! {
        #[test]
        fn an_adjusted_value_is_a_probability_not_below_the_raw_one_and_in_its_order(p_values in any_p_values()) {
            let adjusted = benjamini_hochberg(&p_values);
            prop_assert_eq!(adjusted.len(), p_values.len());
            for (p, q) in p_values.iter().zip(&adjusted) {
                // A product and a quotient round once each.
                prop_assert!(*q >= p * (1.0 - 1e-15) && (0.0..=1.0).contains(q), "{} {}", p, q);
                for (other_p, other_q) in p_values.iter().zip(&adjusted) {
                    prop_assert!(p > other_p || q <= other_q, "{} {}: {} {}", p, other_p, q, other_q);
                }
            }
        }

        #[test]
        fn a_smaller_value_makes_no_other_larger(p_values in any_p_values(), at in any::<prop::sample::Index>(), share in 0.0..=1.0_f64) {
            prop_assume!(!p_values.is_empty());
            let mut smaller = p_values.clone();
            smaller[at.index(p_values.len())] *= share;
            for (before, after) in benjamini_hochberg(&p_values).iter().zip(benjamini_hochberg(&smaller)) {
                prop_assert!(after <= before * (1.0 + 1e-15), "{} {}", before, after);
            }
        }
    }

    #[test]
    fn many_features_are_adjusted_as_scipy_does() {
        // scipy.stats.false_discovery_control([0.01, 0.2, 0.03, 0.04, 0.5, 0.0002])
        let adjusted = benjamini_hochberg(&[0.01, 0.2, 0.03, 0.04, 0.5, 0.0002]);
        for (q, expected) in adjusted.iter().zip([0.03, 0.24, 0.06, 0.06, 0.5, 0.0012]) {
            assert!((q - expected).abs() < 1e-15, "{adjusted:?}");
        }
    }
}
