//! Where a shift is concentrated: how much of it each group of rows (a class, an hour, a study) carries.
//!
//! A feature's cells (those of its PSI) fall into two sets: the cells that gained, which hold a larger fraction of the window than of the
//! reference, and the others. With `P` and `Q` the fractions of reference and window in the gaining cells, the shift is `Q − P`: the total
//! variation distance between the two, in [0, 1]. It is a mean over rows, so that groups share it exactly: a group with `n_g` of the
//! window's `n` rows, the fraction `Q_g` of them in gaining cells, carries `(n_g / n)(Q_g − P)`, and all groups together carry `Q − P`.
//!
//! Any kind of change shows in it (of place, of spread, of categories, of missing values), and it takes two counts a group.

use super::interval::{Interval, wilson};
use super::proportions;

/// The rows of a group, and how many of them lie in the gaining cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub rows: u64,
    pub moved: u64,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.moved += other.moved;
    }
}

/// What a group carries.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Carried {
    /// Of its rows, the fraction in gaining cells, in [0, 1]; 0 without rows.
    pub moved: f64,
    /// Of `moved`, Wilson's at 95 % with effective rows; `None` without rows.
    pub interval: Option<Interval>,
    /// Its part of the rows, in [0, 1].
    pub share_of_rows: f64,
    /// Its part of the shift: all groups sum to 1, and one that moved the other way has a negative part. `None` where there is no shift.
    pub share_of_shift: Option<f64>,
    /// That the group moved as the rest of the window did, two-sided, with effective rows, times the number of groups compared (Bonferroni); in
    /// [0, 1]. `None` where there are too few rows on either side to tell.
    pub p_value: Option<f64>,
    /// Whether it moved more than the rest, and not by chance.
    pub stands_out: bool,
}

/// Fewer effective rows than this tell nothing of a group.
pub const FEWEST_EFFECTIVE_ROWS: f64 = 10.0;

/// The probability that any group stands out by chance, over all groups that are compared.
pub const LEVEL: f64 = 0.05;

/// What each group carries, in the order of `groups`, which are all rows of the window, each once.
///
/// `reference` is `P`. `design_effect` gives, for the rows of a group, how many of them one independent observation takes (at least 1).
/// A group with fewer than [`FEWEST_EFFECTIVE_ROWS`] is compared with nothing, and never stands out.
pub fn concentration(reference: f64, groups: &[Tally], design_effect: impl Fn(u64) -> f64) -> Vec<Carried> {
    let total = groups.iter().fold(Tally::default(), |mut total, group| {
        total.add(*group);
        total
    });
    let rows = total.rows.max(1) as f64;
    let shift = total.moved as f64 / rows - reference;
    let effective = |rows: u64| rows as f64 / design_effect(rows).max(1.0);
    let is_compared = |group: &Tally| {
        effective(group.rows) >= FEWEST_EFFECTIVE_ROWS && effective(total.rows - group.rows) >= FEWEST_EFFECTIVE_ROWS
    };
    let compared = groups.iter().filter(|group| is_compared(group)).count() as f64;
    let carried = groups.iter().map(|group| {
        let moved = group.moved as f64 / group.rows.max(1) as f64;
        let (others, others_moved) = (total.rows - group.rows, total.moved - group.moved);
        let share_of_rows = group.rows as f64 / rows;
        let own = effective(group.rows).round();
        let p_value = is_compared(group).then(|| {
            let rest = effective(others).round();
            let rest_moved = (others_moved as f64 / others as f64 * rest).round();
            (proportions::p_value((moved * own).round(), own, rest_moved, rest) * compared).min(1.0)
        });
        let more = moved * others as f64 > others_moved as f64;
        Carried {
            moved,
            interval: interval(moved, own),
            share_of_rows,
            share_of_shift: (shift > 0.0).then(|| share_of_rows * (moved - reference) / shift),
            p_value,
            stands_out: more && p_value.is_some_and(|p| p < LEVEL),
        }
    });
    carried.collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole numbers of rows")]
fn interval(moved: f64, rows: f64) -> Option<Interval> {
    let trials = rows.max(0.0) as u64;
    wilson(((moved * rows).round().max(0.0) as u64).min(trials), trials, 0.95)
}

/// The intraclass correlation that gives a window of clusters of these sizes its design effect, in [0, 1]: Kish's `1 + (Σm²/n − 1)ρ`
/// (STATISTICS.md, section 5), solved for ρ. 0 where every cluster has one row.
pub fn intraclass(design_effect: f64, sizes: impl IntoIterator<Item = u64>) -> f64 {
    let (rows, squares) = sizes.into_iter().fold((0.0, 0.0), |(rows, squares), size| {
        let size = size as f64;
        (rows + size, squares + size * size)
    });
    // Without rows no number, which is not above 1 either.
    let size = squares / rows;
    if size > 1.0 { ((design_effect - 1.0) / (size - 1.0)).clamp(0.0, 1.0) } else { 0.0 }
}

/// The design effect of one cluster with so many rows: `1 + (m − 1)ρ`.
pub fn of_cluster(rows: u64, intraclass: f64) -> f64 {
    1.0 + rows.saturating_sub(1) as f64 * intraclass
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tally(rows: u64, moved: u64) -> Tally {
        Tally { rows, moved }
    }

    #[test]
    fn groups_share_the_shift_exactly() {
        // P = 0.2, Q = 50/100: the shift is 0.3. The first: 0.25 · (0.8 − 0.2) = 0.15, half of it; the second: 0.75 · (0.4 − 0.2) = 0.15.
        let carried = concentration(0.2, &[tally(25, 20), tally(75, 30)], |_| 1.0);
        for (part, moved, rows) in [(carried[0], 0.8, 0.25), (carried[1], 0.4, 0.75)] {
            assert!((part.moved - moved).abs() < 1e-12 && (part.share_of_rows - rows).abs() < 1e-12, "{part:?}");
            assert!((part.share_of_shift.unwrap() - 0.5).abs() < 1e-12, "{part:?}");
        }
        // Pooled 1/2: χ² = 0.4² / (1/4 · (1/25 + 1/75)) = 12 with one degree of freedom, whose tail is erfc(√6); for two comparisons.
        assert!((carried[0].p_value.unwrap() - 2.0 * 0.000_532_005_505_139_25).abs() < 1e-12, "{:?}", carried[0].p_value);
        assert_eq!([carried[0].stands_out, carried[1].stands_out], [true, false]);
    }

    #[test]
    fn one_group_may_carry_all_of_it_and_another_may_pull_the_other_way() {
        // P = 0.5, Q = 65/100: 0.15. The first: 0.5 · (0.9 − 0.5) = 0.2, four thirds; the second: 0.5 · (0.4 − 0.5) = −0.05, minus one third.
        let carried = concentration(0.5, &[tally(50, 45), tally(50, 20)], |_| 1.0);
        assert!((carried[0].share_of_shift.unwrap() - 4.0 / 3.0).abs() < 1e-12);
        assert!((carried[1].share_of_shift.unwrap() + 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn dependent_rows_of_a_group_are_fewer() {
        // 30 of 40 rows at 2 are 15 of 20, 60 of 200 at 4 are 15 of 50; the five others are too few to be compared, with these or at all.
        // p = 2 * scipy.stats.chi2_contingency([[15, 5], [15, 35]], correction=False).pvalue; proportion_confint(15, 20, method="wilson")
        let effect = |rows| if rows == 40 { 2.0 } else { 4.0 };
        let carried = concentration(0.1, &[tally(40, 30), tally(200, 60)], effect);
        let wilsons = [(0.531_299_122_381_255_9, 0.888_138_298_592_334_4), (0.191_035_535_008_809_43, 0.437_503_504_644_534)];
        for (part, (low, high)) in carried.iter().zip(wilsons) {
            assert!((part.p_value.unwrap() / (2.0 * 0.000_588_343_788_765_142) - 1.0).abs() < 1e-9, "{part:?}");
            let interval = part.interval.unwrap();
            assert!((interval.low - low).abs() < 1e-9 && (interval.high - high).abs() < 1e-9, "{part:?}");
        }
        assert_eq!([carried[0].stands_out, carried[1].stands_out], [true, false]);
    }

    #[test]
    fn only_groups_that_are_compared_make_a_difference_less_certain() {
        // χ² = 12 as above, now with a third group: ten of ten rows against ten of ten is one comparison more, nine rows are none.
        let p_value = |last| concentration(0.2, &[tally(25, 20), tally(75, 30), last], |_| 1.0)[0].p_value.unwrap();
        let pooled = |rows: f64, moved: f64| proportions::p_value(20.0, 25.0, 30.0 + moved, 75.0 + rows);
        assert!((p_value(tally(10, 4)) / (3.0 * pooled(10.0, 4.0)) - 1.0).abs() < 1e-12);
        assert!((p_value(tally(9, 4)) / (2.0 * pooled(9.0, 4.0)) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_small_group_never_stands_out() {
        let carried = concentration(0.1, &[tally(9, 9), tally(91, 10)], |_| 1.0);
        assert_eq!((carried[0].p_value, carried[0].stands_out), (None, false));
        // Nor is there enough to hold the other one against.
        assert_eq!((carried[1].p_value, carried[1].stands_out), (None, false));
        // Nor does a larger one whose rows are of few independent observations.
        let carried = concentration(0.1, &[tally(40, 40), tally(910, 100)], |rows| if rows == 40 { 8.0 } else { 1.0 });
        assert_eq!((carried[0].p_value, carried[0].stands_out), (None, false));
    }

    #[test]
    fn where_nothing_moved_nothing_is_shared() {
        let carried = concentration(0.5, &[tally(50, 20), tally(50, 20)], |_| 1.0);
        assert!(carried.iter().all(|part| part.share_of_shift.is_none() && !part.stands_out));
        let as_before = concentration(0.5, &[tally(50, 30), tally(50, 20)], |_| 1.0);
        assert!(as_before.iter().all(|part| part.share_of_shift.is_none()));
        assert_eq!(concentration(0.5, &[], |_| 1.0), []);
        assert_eq!(concentration(0.5, &[tally(0, 0)], |_| 1.0)[0].interval, None);
    }

    #[test]
    fn the_intraclass_correlation_is_that_of_the_design_effect() {
        // Ten clusters of four rows: 1 + 3ρ = 2.5 gives ρ = 0.5; a cluster of twenty rows is then worth 20 / 10.5.
        assert!((intraclass(2.5, [4; 10]) - 0.5).abs() < 1e-12);
        assert!((of_cluster(20, 0.5) - 10.5).abs() < 1e-12);
        // Σm² = 56 of 12 rows: 1 + (56/12 − 1)ρ = 2.1 gives ρ = 0.3.
        assert!((intraclass(2.1, [2, 4, 6]) - 0.3).abs() < 1e-12);
        assert!((of_cluster(1, 0.5) - 1.0).abs() < 1e-12);
        assert_eq!((intraclass(2.5, [1; 10]), intraclass(9.0, [4; 10]), intraclass(2.5, [])), (0.0, 1.0, 0.0));
    }

    proptest! {
        #[test]
        fn whatever_the_groups_their_parts_sum_to_one(
            reference in 0.0_f64..1.0, groups in prop::collection::vec((0_u64..500, 0_u64..500), 1..12),
        ) {
            let groups: Vec<Tally> = groups.into_iter().map(|(a, b)| tally(a + b, a)).collect();
            let carried = concentration(reference, &groups, |_| 1.5);
            let parts: Vec<f64> = carried.iter().filter_map(|part| part.share_of_shift).collect();
            prop_assume!(!parts.is_empty());
            let sum: f64 = parts.iter().sum();
            let scale = parts.iter().fold(1.0_f64, |scale, part| scale.max(part.abs()));
            prop_assert!((sum - 1.0).abs() < 1e-9 * scale, "{sum}");
            prop_assert!(carried.iter().all(|part| part.p_value.is_none_or(|p| (0.0..=1.0).contains(&p))));
        }
    }
}
