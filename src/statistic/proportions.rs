//! Comparing two proportions: how many values are missing, or not finite, before and now.

use super::tail::{self, ln_binomial};
use super::{DesignEffect, Sizes};
use crate::profile::Presence;

/// Below this expected count in any cell the test is Fisher's exact one (Cochran 1954, Biometrics 10:417).
const MIN_EXPECTED: f64 = 5.0;

/// So many tables are gone through at most. A small expected count with more of them takes samples that differ a million times in size,
/// and Pearson's test there; an hour of waiting would tell no more.
const MOST_TABLES: f64 = 1_000_000.0;

/// The logarithms of the factorials of more rows have too few digits left for the difference of two of them to tell anything.
const MOST_ROWS: f64 = 1e12;

/// The test that two proportions are equal.
///
/// Pearson's chi-squared on the 2×2 table without continuity correction, or Fisher's exact test (two-sided, by probability) where
/// an expected count is below 5: the usual z-test calls one missing value among 73 significant. Oracles:
/// `scipy.stats.chi2_contingency(correction=False)`, `scipy.stats.fisher_exact`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TwoProportions {
    /// In [0, 1].
    pub reference_fraction: f64,
    /// In [0, 1].
    pub current_fraction: f64,
    pub p_value: f64,
}

impl TwoProportions {
    /// The fractions of rows that `count` counts; `None` where neither side has any such row, or a side has no row at all.
    pub fn compute(
        reference: &Presence,
        current: &Presence,
        count: impl Fn(&Presence) -> u64,
        design_effect: DesignEffect,
    ) -> Option<Self> {
        let hits = (count(reference), count(current));
        if hits == (0, 0) || reference.rows == 0 || current.rows == 0 {
            return None;
        }
        let reference_fraction = hits.0 as f64 / reference.rows as f64;
        let current_fraction = hits.1 as f64 / current.rows as f64;
        let sizes = Sizes::effective(reference.rows, current.rows, design_effect);
        let (n, m) = (sizes.reference.round().max(1.0), sizes.current.round().max(1.0));
        let counts = ((reference_fraction * n).round(), (current_fraction * m).round());
        Some(Self { reference_fraction, current_fraction, p_value: p_value(counts.0, n, counts.1, m) })
    }
}

/// The two-sided p-value for `a` of `n` against `b` of `m`; all whole numbers.
pub fn p_value(a: f64, n: f64, b: f64, m: f64) -> f64 {
    let (hits, all) = (a + b, n + m);
    let smallest_expected = n.min(m) * hits.min(all - hits) / all;
    if hits <= 0.0 || hits >= all {
        return 1.0;
    }
    // As many tables as the smallest margin, and one.
    let tables = n.min(m).min(hits).min(all - hits);
    let is_exact = smallest_expected < MIN_EXPECTED && tables < MOST_TABLES && all < MOST_ROWS;
    if is_exact { fisher(a, n, b, m) } else { pearson(a, n, b, m) }
}

/// Pearson's chi-squared without continuity correction; neither none nor all may be hits.
pub fn pearson(a: f64, n: f64, b: f64, m: f64) -> f64 {
    let difference = a / n - b / m;
    let pooled = (a + b) / (n + m);
    tail::chi_squared(difference * difference / (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)), 1)
}

/// Fisher's exact test: the sum of the hypergeometric probabilities that are no larger than the observed one. It goes through as many tables
/// as the smallest margin, and one.
pub fn fisher(a: f64, n: f64, b: f64, m: f64) -> f64 {
    let hits = a + b;
    let ln_probability = |k: f64| ln_binomial(n, k) + ln_binomial(m, hits - k) - ln_binomial(n + m, hits);
    // The tolerance that scipy and R use for "as probable as the observed table".
    let limit = ln_probability(a) + 1e-7_f64.ln_1p();
    let (mut k, last) = ((hits - m).max(0.0), n.min(hits));
    let mut sum = 0.0;
    while k <= last {
        let ln = ln_probability(k);
        if ln <= limit {
            sum += ln.exp();
        }
        k += 1.0;
    }
    sum.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_missing_value_is_not_significant() {
        // scipy.stats.fisher_exact([[0, 613], [1, 72]]).pvalue = 0.10641399416909621
        assert!((p_value(0.0, 613.0, 1.0, 73.0) - 0.106_413_994_169_096_21).abs() < 1e-12);
    }

    #[test]
    fn a_table_with_few_expected_rows_is_counted_exactly() {
        for (a, n, b, m, expected) in [
            // Exactly 5 are expected in the smallest cell: scipy.stats.chi2_contingency([[a, n - a], [b, m - b]], correction=False).pvalue
            (2.0, 10.0, 8.0, 10.0, 0.007_290_358_091_535_659_5),
            // 4.5 hits or others, where scipy.stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue; and 5.5 others, 6 hits.
            (2.0, 10.0, 7.0, 10.0, 0.069_778_518_694_927_36),
            (8.0, 10.0, 3.0, 10.0, 0.069_778_518_694_927_36),
            (18.0, 20.0, 11.0, 20.0, 0.013_184_374_974_836_977),
            (3.0, 30.0, 9.0, 30.0, 0.052_807_511_416_113_395),
        ] {
            let found = p_value(a, n, b, m);
            assert!((found / expected - 1.0).abs() < 1e-9, "{a} of {n} against {b} of {m}: {found}");
        }
    }

    #[test]
    fn few_tables_are_gone_through_however_many_rows_there_are() {
        // scipy.stats.fisher_exact([[1, 10**7 - 1], [7, 10**7 - 7]]).pvalue, nearly that of eight tosses of a coin.
        let rows = 1e7;
        for found in [p_value(1.0, rows, 7.0, rows), p_value(rows - 1.0, rows, rows - 7.0, rows)] {
            assert!((found / 0.070_312_445_407_484_91 - 1.0).abs() < 1e-6, "{found}");
        }
        // 4.75 are expected, in a million tables: too many. One row too many for the logarithms.
        for (a, n, b, m) in [(1.9e6 - 12.0, 4e11 - 1e6, 12.0, 1e6), (0.0, 1e12 - 10.0, 3.0, 10.0)] {
            assert_eq!(p_value(a, n, b, m).to_bits(), pearson(a, n, b, m).to_bits(), "{a} of {n} against {b} of {m}");
        }
        assert_eq!(p_value(0.0, 1e12 - 11.0, 3.0, 10.0).to_bits(), fisher(0.0, 1e12 - 11.0, 3.0, 10.0).to_bits());
    }

    #[test]
    fn dependent_rows_are_counted_as_so_many_independent_ones() {
        let side = |rows, non_finite| Presence { rows, non_finite, ..Presence::default() };
        let compute = |reference: &Presence, current: &Presence, design_effect| {
            TwoProportions::compute(reference, current, |presence| presence.non_finite, design_effect)
        };
        // 60 of 600 at 2 are 30 of 300, 30 of 150 at 3 are 10 of 50:
        // scipy.stats.chi2_contingency([[30, 270], [10, 40]], correction=False).pvalue
        let found = compute(&side(600, 60), &side(150, 30), DesignEffect { reference: 2.0, current: 3.0 }).unwrap();
        assert!((found.p_value / 0.039_624_970_073_806_99 - 1.0).abs() < 1e-9, "{found:?}");
        assert!((found.reference_fraction - 0.1).abs() < 1e-15 && (found.current_fraction - 0.2).abs() < 1e-15, "{found:?}");

        let independent = |reference: &Presence, current: &Presence| compute(reference, current, DesignEffect::INDEPENDENT);
        assert_eq!(independent(&side(600, 0), &side(150, 0)), None);
        assert!(independent(&side(600, 1), &side(150, 0)).is_some() && independent(&side(600, 0), &side(150, 1)).is_some());
        assert_eq!(independent(&side(0, 0), &side(150, 1)), None);
        assert_eq!(independent(&side(600, 1), &side(0, 0)), None);
    }

    #[test]
    fn none_or_all_on_both_sides_is_no_difference() {
        assert_eq!(p_value(0.0, 10.0, 0.0, 20.0).to_bits(), 1.0_f64.to_bits());
        assert_eq!(p_value(10.0, 10.0, 20.0, 20.0).to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn counts_of_any_size_are_answered() {
        let sizes = [1.0, 10.0, 1e6, 1e12, 9e15, u64::MAX as f64];
        for (n, m) in sizes.into_iter().flat_map(|n| sizes.map(|m| (n, m))) {
            for (a, b) in [0.0, 1.0, 1e-9, 0.4, 0.999].into_iter().flat_map(|a| [0.0, 1e-12, 0.5, 1.0].map(|b| (a, b))) {
                let p = p_value((a * n).round(), n, (b * m).round(), m);
                assert!((0.0..=1.0).contains(&p), "{a} of {n} against {b} of {m}: {p}");
            }
        }
    }

    proptest! {
        #[test]
        fn it_is_a_probability_whoever_is_named_first_and_one_for_equal_proportions(
            (n, m) in (1_u32..300, 1_u32..300), (a, b) in (0.0..=1.0_f64, 0.0..=1.0_f64), times in 1_u32..9,
        ) {
            let of = |share: f64, rows: u32| (share * f64::from(rows)).round();
            let (a, b, n, m) = (of(a, n), of(b, m), f64::from(n), f64::from(m));
            let p = p_value(a, n, b, m);
            prop_assert!((0.0..=1.0).contains(&p));
            prop_assert!((p_value(b, m, a, n) - p).abs() < 1e-9, "the other way round");
            prop_assert!((p_value(n - a, n, m - b, m) - p).abs() < 1e-9, "what is no hit instead of what is");
            let times = f64::from(times);
            prop_assert!(p_value(a, n, times * a, times * n) > 1.0 - 1e-6, "the same proportion");
        }
    }
}
