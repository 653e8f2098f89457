//! The two-sample Kolmogorov–Smirnov statistic from cell counts, and its p-values.

use std::ops::Range;

use super::{DesignEffect, Sizes, kolmogorov};
use crate::profile::counts::NumericCounts;
use crate::profile::grid::Grid;

/// Up to this size of the larger sample the p-value is exact, as with `scipy.stats.ks_2samp(method="auto")`.
pub const EXACT_UP_TO: u64 = 10_000;

/// The two-sample KS test of one feature.
///
/// The statistic is `sup |F_ref(x) − F_cur(x)|`, in [0, 1], 0 when the samples are equal. Between two neighbouring distinct
/// reference values the reference's distribution function is constant and the window's is monotone, so the supremum is taken at a
/// knot, from the right or as the limit from the left, and both are sums of cell counts: it is exact, ties included. With a
/// thinned grid it is a lower bound, short by at most `error_bound`. Missing and non-finite values take no part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ks {
    pub statistic: f64,
    /// Rows taken as independent. Exact up to [`EXACT_UP_TO`] rows.
    pub p_value: f64,
    /// With effective sizes.
    pub p_effective: f64,
    /// The largest reference mass strictly between two neighbouring knots, in [0, 1]; 0 when exact.
    pub error_bound: f64,
}

impl Ks {
    /// `None` when either side has no finite value. Oracle: `scipy.stats.ks_2samp(x, y)`.
    pub fn compute(reference: &NumericCounts, current: &NumericCounts, design_effect: DesignEffect) -> Option<Self> {
        let (n, m) = (reference.n(), current.n());
        if n == 0 || m == 0 {
            return None;
        }
        let distance = largest_distance(reference, current);
        let statistic = distance as f64 / (n as f64 * m as f64);
        let p_value = p_value(n, m, distance);
        let p_effective = if design_effect.is_independent() {
            p_value
        } else {
            let sizes = Sizes::effective(n, m, design_effect);
            kolmogorov::survival(1.0 / sizes.inverse_sum(), statistic)
        };
        let widest = reference.totals().map(|total| total.below).max().unwrap_or(0);
        Some(Self { statistic, p_value, p_effective, error_bound: widest as f64 / n as f64 })
    }
}

/// Where the two distribution functions are farthest apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gap {
    /// A value of the reference.
    pub at: f64,
    /// Whether the fractions are of the values below `at`, and not of those at or below it.
    pub is_below: bool,
    /// The fraction of the reference, in [0, 1].
    pub reference: f64,
    /// The fraction of the window, in [0, 1].
    pub current: f64,
}

impl Gap {
    /// The first knot, from the left, at which `|F_ref − F_cur|` is the statistic of [`Ks::compute`]. `None` when either side has no
    /// finite value, or when the two are nowhere apart.
    pub fn largest(grid: &Grid, reference: &NumericCounts, current: &NumericCounts) -> Option<Self> {
        let (n, m) = (u128::from(reference.n()), u128::from(current.n()));
        let (mut below, mut largest, mut found) = ((0_u128, 0_u128), 0, None);
        for (&at, (reference, current)) in grid.knots().iter().zip(reference.totals().zip(current.totals())) {
            let left = (below.0 + u128::from(reference.below), below.1 + u128::from(current.below));
            below = (left.0 + u128::from(reference.at), left.1 + u128::from(current.at));
            for ((reference, current), is_below) in [(left, true), (below, false)] {
                let distance = (reference * m).abs_diff(current * n);
                if distance > largest {
                    largest = distance;
                    let (reference, current) = (reference as f64 / n as f64, current as f64 / m as f64);
                    found = Some(Self { at, is_below, reference, current });
                }
            }
        }
        found
    }
}

/// `n·m·D`, an integer: the largest `|m·#{ref ≤ x} − n·#{cur ≤ x}|` over all knots, from both sides.
fn largest_distance(reference: &NumericCounts, current: &NumericCounts) -> u128 {
    let (n, m) = (u128::from(reference.n()), u128::from(current.n()));
    let (mut reference_below, mut current_below) = (0_u128, 0_u128);
    let mut largest = 0;
    // Above the last knot both functions end at 1.
    for (reference, current) in reference.totals().zip(current.totals()) {
        reference_below += u128::from(reference.below);
        current_below += u128::from(current.below);
        largest = largest.max((reference_below * m).abs_diff(current_below * n));
        reference_below += u128::from(reference.at);
        current_below += u128::from(current.at);
        largest = largest.max((reference_below * m).abs_diff(current_below * n));
    }
    largest
}

/// The p-value for sample sizes `n`, `m` and `distance = n·m·D`. Exact up to [`EXACT_UP_TO`], otherwise Kolmogorov's tail with
/// `n·m / (n + m)`; 1 for D = 0.
pub fn p_value(n: u64, m: u64, distance: u128) -> f64 {
    if distance == 0 {
        return 1.0;
    }
    let (n_real, m_real) = (n as f64, m as f64);
    let statistic = distance as f64 / (n_real * m_real);
    let effective = n_real * m_real / (n_real + m_real);
    if n.max(m) > EXACT_UP_TO {
        return kolmogorov::survival(effective, statistic);
    }
    // P(D ≥ d) ≤ e · exp(−2 nm/(n+m) d²) (Wei & Dudley 2012, Stat. Probab. Lett. 82:636): below the smallest double.
    if -2.0 * effective * statistic * statistic < SMALLEST_LN {
        return 0.0;
    }
    u64::try_from(distance).map_or(0.0, |distance| paths_that_leave(n, m, distance)).clamp(0.0, 1.0)
}

/// Below the logarithm of the smallest subnormal double, 4.9e-324, with room for the factor e.
const SMALLEST_LN: f64 = -748.0;

/// 2^900: probabilities are carried multiplied by it, so that none becomes subnormal, and inexact, on the way.
const SCALE: f64 = 8.452_712_498_170_644e270;

/// The share of the lattice paths from (0, 0) to (n, m) that touch `|x·m − y·n| ≥ distance`, which is above 0.
///
/// A path is two halves that meet on the middle diagonal, and from a point on it the second looks like a first half seen from the end: of the
/// paths through a point with the shares `a` and `b` of leaving halves, `a + b·(1 − a)` leave. No small share is the difference of two large ones:
/// all terms are positive.
fn paths_that_leave(n: u64, m: u64, distance: u64) -> f64 {
    let (long, short) = (n.max(m), n.min(m));
    let steps = long + short;
    let (first, second) = halves_that_leave(long, short, distance);
    let (mut leaving, mut all) = (0.0, 0.0);
    // Of the points of the middle diagonal, `short − y` is y's from the end.
    for ((weight, first), second) in through(long, short, steps / 2).iter().zip(&first).zip(second.iter().rev()) {
        leaving += weight * (first + second * (1.0 - first / SCALE));
        all += weight;
    }
    leaving / all / SCALE
}

/// How many paths from (0, 0) to (long, short) go through each point (step − y, y), by y: in proportion, the largest [`MOST`], so that the
/// smallest that count do not become subnormal.
fn through(long: u64, short: u64, step: u64) -> Vec<f64> {
    /// 2^100.
    const MOST: f64 = 1_267_650_600_228_229_401_496_703_205_376.0;
    // C(step, y) · C(long + short − step, short − y), by what it grows from one y to the next.
    let growth = |y: u64| {
        let (up, down) =
            (step.saturating_sub(y) as f64 * (short - y) as f64, (y + 1) as f64 * (long + y + 1).saturating_sub(step) as f64);
        up / down
    };
    let mode = (step + 1) * (short + 1) / (long + short + 2);
    let above = (mode..short).scan(MOST, |weight, y| {
        *weight *= growth(y);
        Some(*weight)
    });
    let below = (0..mode).rev().scan(MOST, |weight, y| {
        // From y = step − long down there are no points: the growth from there is infinite.
        *weight /= growth(y);
        Some(*weight)
    });
    let mut weights: Vec<f64> = below.collect();
    weights.reverse();
    weights.push(MOST);
    weights.extend(above);
    weights
}

/// The shares of the paths from (0, 0) to the points of the middle diagonal that have left the band, by y, times [`SCALE`]; and the same for the
/// points that many steps from the end, a diagonal further where the number of steps is odd.
///
/// Hodges (1958), Arkiv för Matematik 3:469, in the form that carries the probability of having left. O(n·m·D) additions, O(min(n, m)) memory;
/// along the diagonals `x + y = step`, whose points do not depend on one another.
#[expect(clippy::cast_possible_truncation, reason = "at most EXACT_UP_TO")]
fn halves_that_leave(long: u64, short: u64, distance: u64) -> (Vec<f64>, Vec<f64>) {
    let steps = long + short;
    let heights: Vec<f64> = (0..=short).map(|y| y as f64).collect();
    let mut band = Band { low: 0, high: distance.div_ceil(steps) };
    // before[y] is the probability that a random path to (step − 1 − y, y) has left the band, times SCALE.
    let mut before = vec![SCALE; short as usize + 1];
    let mut after = before.clone();
    if let Some(start) = before.first_mut() {
        *start = 0.0;
    }
    let whole = |left: &[f64], inside: Range<usize>| -> Vec<f64> {
        let share = |(y, share): (usize, &f64)| if inside.contains(&y) { *share } else { SCALE };
        left.iter().enumerate().map(share).collect()
    };
    let (mut first, mut inside) = (Vec::new(), 0..0);
    for step in 1..=steps - steps / 2 {
        band.follow(step * short, steps, distance);
        // No side is longer than it is.
        let (low, high) = (band.low.max(step.saturating_sub(long)) as usize, band.high.min(short + 1).min(step + 1) as usize);
        inside = low..high;
        let (at, reciprocal) = (step as f64, 1.0 / step as f64);
        // From the left, and from below; no path comes from below to y = 0.
        if low == 0
            && let (Some(cell), Some(from_left)) = (after.first_mut(), before.first())
        {
            *cell = from_left * at * reciprocal;
        }
        let inner = low.max(1)..high;
        let from_below = before.get(inner.start - 1..).unwrap_or_default();
        let from_left = before.get(inner.start..).unwrap_or_default().iter().zip(heights.get(inner.start..).unwrap_or_default());
        let cells = after.get_mut(inner).unwrap_or_default();
        for ((cell, from_below), (from_left, y)) in cells.iter_mut().zip(from_below).zip(from_left) {
            *cell = (from_left * (at - y) + from_below * y) * reciprocal;
        }
        // The next diagonal looks one point to either side of its own.
        for outside in [low.checked_sub(1), Some(high)].into_iter().flatten() {
            if let Some(cell) = after.get_mut(outside) {
                *cell = SCALE;
            }
        }
        std::mem::swap(&mut before, &mut after);
        if step == steps / 2 {
            first = whole(&before, inside.clone());
        }
    }
    (first, whole(&before, inside))
}

/// The points (step − y, y) of a diagonal that lie inside: `|step·short − y·steps| < distance`, for y from `low` to before `high`.
struct Band {
    low: u64,
    high: u64,
}

impl Band {
    /// Goes on to the next diagonal, with `centre = step·short`. Either end moves by one at most, and a division takes longer than what lies
    /// inside.
    fn follow(&mut self, centre: u64, steps: u64, distance: u64) {
        self.low += u64::from(self.low * steps + distance <= centre);
        self.high += u64::from(self.high * steps < centre + distance);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn identical_samples_have_p_one_at_any_size() {
        for n in [1, 5, 73, 10_000, 10_001, 100_000_000] {
            assert_eq!(p_value(n, n, 0).to_bits(), 1.0_f64.to_bits());
        }
    }

    #[test]
    fn the_largest_gap_is_where_the_statistic_is_taken() {
        // F_ref steps by 1/4 at 1, 2, 3, 4; F_cur is 0 up to 2.5, then 3/4, and 1 from 9 on: |0.5 − 0| at 2 is the largest.
        let reference = [1.0, 2.0, 3.0, 4.0];
        let grid = Grid::from_values(&mut reference.to_vec());
        let counts = |values: &[f64]| NumericCounts::of(&grid, values);
        let gap = Gap::largest(&grid, &counts(&reference), &counts(&[2.5, 2.5, 2.5, 9.0])).unwrap();
        assert_eq!(gap, Gap { at: 2.0, is_below: false, reference: 0.5, current: 0.0 });
        // All of the window lies below 1: there, from the left.
        let gap = Gap::largest(&grid, &counts(&reference), &counts(&[0.0, 0.5])).unwrap();
        assert_eq!(gap, Gap { at: 1.0, is_below: true, reference: 0.0, current: 1.0 });
        assert_eq!(Gap::largest(&grid, &counts(&reference), &counts(&reference)), None);
        assert_eq!(Gap::largest(&grid, &counts(&reference), &counts(&[])), None);
    }

    #[test]
    fn a_thinned_grid_says_how_much_it_may_hide() {
        // Two of six values lie strictly between the knots, one beyond them. F_ref is 5/6 at 10, F_cur is 2/4 there.
        let grid = Grid::from_values(&mut [0.0, 10.0]);
        let counts = |values: &[f64]| NumericCounts::of(&grid, values);
        let (reference, current) = (counts(&[0.0, 0.0, 4.0, 5.0, 10.0, 12.0]), counts(&[0.0, 6.0, 11.0, 12.0]));
        let ks = Ks::compute(&reference, &current, DesignEffect::INDEPENDENT).unwrap();
        assert!((ks.statistic - 1.0 / 3.0).abs() < 1e-15 && (ks.error_bound - 1.0 / 3.0).abs() < 1e-15, "{ks:?}");
        for (reference, current) in [(&reference, &counts(&[])), (&counts(&[]), &current)] {
            assert_eq!(Ks::compute(reference, current, DesignEffect::INDEPENDENT), None);
        }
    }

    #[test]
    fn dependent_rows_have_the_tail_of_fewer() {
        let values = |from: u32| (from..200).map(f64::from).collect::<Vec<_>>();
        let grid = Grid::from_values(&mut values(0));
        let counts = |values: &[f64]| NumericCounts::of(&grid, values);
        let ks = |design_effect| Ks::compute(&counts(&values(0)), &counts(&values(40)), design_effect).unwrap();
        // 50 against 80: scipy.stats.kstwo.sf(0.2, 31)
        let dependent = ks(DesignEffect { reference: 4.0, current: 2.0 });
        assert!((dependent.p_effective / 0.145_727_839_699_030_14 - 1.0).abs() < 1e-9, "{dependent:?}");
        let independent = ks(DesignEffect::INDEPENDENT);
        assert_eq!(independent.p_effective.to_bits(), independent.p_value.to_bits());
        assert_eq!(independent.p_value.to_bits(), dependent.p_value.to_bits());
    }

    #[test]
    fn two_rows_against_two_disjoint_rows() {
        // Of the 6 orders of 2 + 2 rows, 2 separate them: scipy.stats.ks_2samp([0, 1], [2, 3], method="exact").pvalue = 1/3.
        assert!((p_value(2, 2, 4) - 1.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn disjoint_samples_have_two_of_all_orders() {
        // 2 / C(10, 5) = 2 / 252.
        assert!((p_value(5, 5, 25) - 2.0 / 252.0).abs() < 1e-15);
        // Unequal sizes: 2 / C(7, 2) = 2 / 21.
        assert!((p_value(5, 2, 10) - 2.0 / 21.0).abs() < 1e-15);
    }

    /// The paths from (0, 0) to (n, m) that stay inside the band, and all of them, counted one by one.
    fn paths(n: u64, m: u64, distance: u64) -> (u64, u64) {
        let mut counts = std::collections::HashMap::new();
        for (x, y) in (0..=n).flat_map(|x| (0..=m).map(move |y| (x, y))) {
            let is_inside = (x * m).abs_diff(y * n) < distance;
            let before = [x.checked_sub(1).map(|x| (x, y)), y.checked_sub(1).map(|y| (x, y))].into_iter().flatten();
            let [inside, all] = before.fold([0, 0], |[inside, all], at| {
                let (more_inside, more): (u64, u64) = counts[&at];
                [inside + more_inside, all + more]
            });
            let (inside, all) = if (x, y) == (0, 0) { (1, 1) } else { (inside, all) };
            counts.insert((x, y), (if is_inside { inside } else { 0 }, all));
        }
        counts[&(n, m)]
    }

    #[test]
    fn the_exact_p_value_is_the_share_of_paths_that_leave() {
        for (n, m) in (1..9).flat_map(|n| (1..14).map(move |m| (n, m))) {
            for distance in 1..=n * m {
                let (inside, all) = paths(n, m, distance);
                let expected = (all - inside) as f64 / all as f64;
                let p = p_value(n, m, distance.into());
                assert!((p - expected).abs() <= expected * 1e-14, "{n} {m} {distance}: {p} {expected}");
            }
        }
    }

    #[test]
    fn counts_of_any_size_are_answered() {
        for n in [1, 10_000, 10_001, 1 << 33, 1 << 54, u64::MAX] {
            for m in [1, 9_999, 1 << 33, u64::MAX] {
                let all = u128::from(n) * u128::from(m);
                for distance in [1, all / 1_000_000, all / 3, all] {
                    let p = p_value(n, m, distance);
                    assert!((0.0..=1.0).contains(&p), "{n} {m} {distance}: {p}");
                }
            }
        }
    }

    /// Of rounding, over some hundred thousand additions.
    const SLACK: f64 = 1e-9;

    proptest! {
        #[test]
        fn it_is_a_probability_that_falls_with_the_distance_on_either_side(
            (n, m) in (1_u64..400, 1_u64..400), (near, far) in (0_u64..=1_000, 0_u64..=1_000),
        ) {
            let at = |parts: u64| u128::from(n * m * parts / 1_000);
            let (near, far) = (at(near.min(far)), at(near.max(far)));
            let (p_near, p_far) = (p_value(n, m, near), p_value(n, m, far));
            prop_assert!((0.0..=1.0).contains(&p_near) && (0.0..=1.0).contains(&p_far));
            prop_assert!(p_far <= p_near * (1.0 + SLACK), "{} {}: {:e} {:e}", near, far, p_near, p_far);
            prop_assert!((p_value(m, n, near) / p_near - 1.0).abs() < SLACK || p_near <= 0.0);
        }

        #[test]
        fn the_same_distance_is_less_probable_in_twice_as_many((n, m) in (1_u64..300, 1_u64..300), parts in 0_u64..=1_000) {
            let distance = n * m * parts / 1_000;
            let (few, many) = (p_value(n, m, distance.into()), p_value(2 * n, 2 * m, (4 * distance).into()));
            prop_assert!(many <= few * (1.0 + SLACK), "{} {} {}: {:e} {:e}", n, m, distance, few, many);
        }
    }
}
