//! The two-sample chi-squared test over categories.

use super::psi::Cell;
use super::{DesignEffect, proportions, tail};

/// Cells are merged until each expects this many rows on either side (Cochran 1954, Biometrics 10:417).
const MIN_EXPECTED: f64 = 5.0;

/// The two-sample chi-squared test of one feature: `Σ (observed − expected)² / expected` on the 2×K table.
///
/// The cells with the smallest expected counts are merged with one another until every expected count is at least 5; where only
/// one cell is left of several, the reference's largest is tested against all others. Missing values take no part. With a design effect the
/// statistic is divided by its mean over both sides, weighted by what each contributes to the variance (Rao & Scott 1981,
/// doi:10.1080/01621459.1981.10477633, first-order correction). Oracle: `scipy.stats.chi2_contingency(correction=False)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChiSquared {
    pub statistic: f64,
    pub degrees_of_freedom: u32,
    /// Rows taken as independent.
    pub p_value: f64,
    /// With effective sizes.
    pub p_effective: f64,
}

impl ChiSquared {
    /// `None` when either side has no row in the cells.
    pub fn compute(cells: &[&Cell], design_effect: DesignEffect) -> Option<Self> {
        let n: u64 = cells.iter().map(|cell| cell.reference).sum();
        let m: u64 = cells.iter().map(|cell| cell.current).sum();
        if n == 0 || m == 0 {
            return None;
        }
        let (n, m) = (n as f64, m as f64);
        let columns = merge_small(cells.iter().map(|cell| (cell.reference as f64, cell.current as f64)).collect(), n, m);
        if columns.len() < 2 && cells.iter().filter(|cell| cell.reference + cell.current > 0).count() > 1 {
            return Some(Self::of_two_columns(cells, design_effect));
        }
        let degrees_of_freedom = u32::try_from(columns.len()).unwrap_or(u32::MAX).saturating_sub(1);
        let statistic: f64 = columns
            .iter()
            .map(|&(reference, current)| {
                let total = reference + current;
                let (expected_n, expected_m) = (total * n / (n + m), total * m / (n + m));
                (reference - expected_n).powi(2) / expected_n + (current - expected_m).powi(2) / expected_m
            })
            .sum();
        // The difference of two proportions has variance ∝ deff_n/n + deff_m/m.
        let inflation = (design_effect.reference / n + design_effect.current / m) / (1.0 / n + 1.0 / m);
        Some(Self {
            statistic,
            degrees_of_freedom,
            p_value: tail::chi_squared(statistic, degrees_of_freedom),
            p_effective: tail::chi_squared(statistic / inflation, degrees_of_freedom),
        })
    }
}

impl ChiSquared {
    /// Cells so small that all would be merged, and nothing be seen: the reference's largest against all others, by the test of two
    /// proportions, which is exact for small counts.
    fn of_two_columns(cells: &[&Cell], design_effect: DesignEffect) -> Self {
        let largest = cells.iter().max_by_key(|cell| cell.reference).map_or((0, 0), |cell| (cell.reference, cell.current));
        let rows = cells.iter().fold((0, 0), |rows, cell| (rows.0 + cell.reference, rows.1 + cell.current));
        let test = |n: f64, m: f64| {
            let hits = (largest.0 as f64 / rows.0 as f64 * n, largest.1 as f64 / rows.1 as f64 * m);
            proportions::p_value(hits.0.round(), n.round(), hits.1.round(), m.round())
        };
        let (n, m) = (rows.0 as f64, rows.1 as f64);
        let effective = ((n / design_effect.reference).max(1.0), (m / design_effect.current).max(1.0));
        let difference = largest.0 as f64 / n - largest.1 as f64 / m;
        let pooled = (largest.0 + largest.1) as f64 / (n + m);
        // There are other cells, so that the largest has neither none nor all of the rows.
        let statistic = difference * difference / (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m));
        Self { statistic, degrees_of_freedom: 1, p_value: test(n, m), p_effective: test(effective.0, effective.1) }
    }
}

/// Merges the columns with the smallest totals until each expects [`MIN_EXPECTED`] rows on the smaller side.
fn merge_small(mut columns: Vec<(f64, f64)>, n: f64, m: f64) -> Vec<(f64, f64)> {
    let expected = |column: &(f64, f64)| (column.0 + column.1) * n.min(m) / (n + m);
    // Largest first, so that the two smallest are at the end. A stable sort: equal totals keep their order.
    columns.sort_by(|a, b| (b.0 + b.1).total_cmp(&(a.0 + a.1)));
    while let [.., _, last] = columns.as_slice() {
        if expected(last) >= MIN_EXPECTED {
            break;
        }
        if let (Some(smallest), Some(next)) = (columns.pop(), columns.last_mut()) {
            next.0 += smallest.0;
            next.1 += smallest.1;
        }
        columns.sort_by(|a, b| (b.0 + b.1).total_cmp(&(a.0 + a.1)));
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::super::psi::CellLabel;
    use super::*;

    fn compute(table: &[(u64, u64)]) -> Option<ChiSquared> {
        with(table, DesignEffect::INDEPENDENT)
    }

    fn with(table: &[(u64, u64)], design_effect: DesignEffect) -> Option<ChiSquared> {
        let cells: Vec<Cell> =
            table.iter().map(|&(reference, current)| Cell { label: CellLabel::Other, reference, current }).collect();
        ChiSquared::compute(&cells.iter().collect::<Vec<_>>(), design_effect)
    }

    fn close(found: f64, expected: f64) -> bool {
        (found / expected - 1.0).abs() < 1e-9
    }

    #[test]
    fn dependent_rows_take_off_what_they_add_to_the_variance() {
        // scipy.stats.chi2_contingency([[120, 60, 20], [40, 35, 25]], correction=False), and scipy.stats.chi2.sf of its statistic divided by
        // (2/200 + 3/100) / (1/200 + 1/100) = 8/3.
        let table = [(120, 40), (60, 35), (20, 25)];
        let test = with(&table, DesignEffect { reference: 2.0, current: 3.0 }).unwrap();
        assert!(close(test.statistic, 15.526_315_789_473_685) && test.degrees_of_freedom == 2, "{test:?}");
        assert!(
            close(test.p_value, 0.000_425_111_999_833_792_57) && close(test.p_effective, 0.054_411_257_318_521_075),
            "{test:?}"
        );
        // Of two columns too: 150/180 and 50/90.
        let two = with(&[(150, 50), (30, 40)], DesignEffect { reference: 2.0, current: 3.0 }).unwrap();
        assert!(close(two.p_effective, tail::chi_squared(two.statistic * 3.0 / 8.0, 1)), "{two:?}");
    }

    #[test]
    fn the_smallest_columns_are_merged_in_whatever_order_they_come() {
        // 11 rows are the fewest that expect 5 on the smaller side: 6 and 7 become 13, and then 9 and 13 become 22.
        // scipy.stats.chi2_contingency([[40, 2, 14], [10, 30, 8]], correction=False)
        let columns = [(40, 10), (2, 30), (9, 0), (1, 6), (4, 2)];
        for start in 0..5 {
            for step in 1..5 {
                let table: Vec<(u64, u64)> = (0..5).map(|place| columns[(start + step * place) % 5]).collect();
                let test = compute(&table).unwrap();
                assert_eq!(test.degrees_of_freedom, 2, "{table:?}");
                assert!(
                    close(test.statistic, 43.780_032_467_532_465) && close(test.p_value, 3.113_771_511_665_195e-10),
                    "{table:?}"
                );
            }
        }
        // Columns of nobody change nothing.
        let with_empty = compute(&[(0, 0), (40, 10), (2, 30), (14, 8), (0, 0)]).unwrap();
        assert!(with_empty.degrees_of_freedom == 2 && close(with_empty.statistic, 43.780_032_467_532_465));
    }

    #[test]
    fn two_columns_that_are_left_are_compared_as_they_were_merged() {
        // 9 and 9, then 12 and 9: scipy.stats.chi2_contingency([[12, 8], [9, 10]], correction=False)
        let test = compute(&[(6, 6), (6, 3), (3, 6), (5, 4)]).unwrap();
        assert!(close(test.statistic, 0.625_563_909_774_435_2) && close(test.p_value, 0.428_987_185_381_449_53), "{test:?}");
    }

    #[test]
    fn where_all_would_be_merged_the_largest_is_held_against_the_others() {
        // scipy.stats.fisher_exact([[590, 10], [28, 2]]).pvalue, and the statistic of chi2_contingency(correction=False)
        let test = compute(&[(590, 28), (10, 2)]).unwrap();
        assert!(close(test.p_value, 0.107_566_891_976_944_38) && close(test.statistic, 3.822_815_533_980_582_7), "{test:?}");
        assert_eq!((test.degrees_of_freedom, test.p_effective.to_bits()), (1, test.p_value.to_bits()));
        // The largest of the reference comes second, in two parts with the rest.
        let test = with(&[(1, 3), (40, 2), (1, 1)], DesignEffect { reference: 2.0, current: 2.0 }).unwrap();
        assert!(close(test.p_value, 0.001_073_054_404_379_835) && close(test.statistic, 18.394_557_823_129_254), "{test:?}");
        // fisher_exact([[20, 1], [1, 2]]): half of the rows on both sides.
        assert!(close(test.p_effective, 0.031_620_553_359_683_79), "{test:?}");
        // fisher_exact([[20, 1], [0, 1]]): no less than one row.
        let test = with(&[(1, 3), (40, 2), (1, 1)], DesignEffect { reference: 2.0, current: 100.0 }).unwrap();
        assert!(close(test.p_effective, 0.090_909_090_909_090_91), "{test:?}");
    }

    #[test]
    fn small_cells_are_merged_with_one_another() {
        // Expected counts of the last two columns are below 5: they become one column of (10, 12).
        let merged = compute(&[(50, 50), (5, 4), (5, 8)]).unwrap();
        let by_hand = compute(&[(50, 50), (10, 12)]).unwrap();
        assert_eq!(merged.degrees_of_freedom, 1);
        assert!((merged.statistic - by_hand.statistic).abs() < 1e-12);
    }

    #[test]
    fn a_small_window_of_a_new_category_is_seen() {
        // 600 of A against 57 of B: all expected counts of B's column are above 5, but not with 30 of B.
        for new in [30, 57, 58] {
            let test = compute(&[(600, 0), (0, new)]).unwrap();
            assert!(test.p_value < 1e-30, "{new}: {test:?}");
        }
        assert!(compute(&[(590, 28), (10, 2)]).unwrap().p_value > 0.05);
    }

    #[test]
    fn one_category_on_both_sides_is_no_difference() {
        for table in [&[(100, 80)][..], &[(100, 80), (0, 0)], &[(3, 2)]] {
            let test = compute(table).unwrap();
            assert_eq!((test.degrees_of_freedom, test.p_value.to_bits()), (0, 1.0_f64.to_bits()), "{table:?}");
        }
        assert_eq!((compute(&[(100, 0)]), compute(&[(0, 100)])), (None, None));
        assert_eq!(compute(&[]), None);
    }
}
