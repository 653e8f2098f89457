//! The reference grid of a numeric feature, and the counts of values over its cells.
//!
//! The knots are the sorted distinct finite reference values `k_0 < … < k_{K−1}`. A value either equals a knot, or lies strictly
//! between two neighbours, or beyond an end, which makes `2K + 1` cells: cell `2i + 1` is the knot `k_i`, cell `2i` the open
//! interval below it, and cell `2K` what lies above the last. These counts suffice for the exact two-sample KS statistic, and for
//! PSI and Jensen–Shannon over any bins whose edges are knots (STATISTICS.md, section 1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Presence;
use super::moments::Moments;
use crate::feature::is_missing;

/// The most knots that a grid keeps. Above, knots are evenly spaced in rank and KS has an error bound.
pub const MAX_KNOTS: usize = 65_536;

/// The sorted distinct reference values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grid {
    knots: Vec<f64>,
}

impl Grid {
    /// The grid of the given values; sorts them in place. Values must be finite.
    pub fn from_values(values: &mut [f64]) -> Self {
        values.sort_unstable_by(f64::total_cmp);
        let mut knots: Vec<f64> = Vec::new();
        for &value in values.iter() {
            // −0.0 and 0.0 are one value.
            let value = value + 0.0;
            if knots.last().is_none_or(|&last| last < value) {
                knots.push(value);
            }
        }
        if knots.len() > MAX_KNOTS {
            knots = Self::thin(values, MAX_KNOTS);
        }
        Self { knots }
    }

    /// Knots evenly spaced in rank, both extremes included.
    fn thin(sorted: &[f64], count: usize) -> Vec<f64> {
        let last_rank = sorted.len() - 1;
        let mut knots: Vec<f64> =
            (0..count).filter_map(|i| sorted.get(i * last_rank / (count - 1))).map(|value| value + 0.0).collect();
        knots.dedup();
        knots
    }

    /// The knots, ascending.
    pub fn knots(&self) -> &[f64] {
        &self.knots
    }

    /// The number of cells, `2K + 1`.
    pub fn cells(&self) -> usize {
        2 * self.knots.len() + 1
    }

    /// The cell that a finite value falls in.
    #[inline]
    pub fn cell(&self, value: f64) -> usize {
        let below = self.knots.partition_point(|&knot| knot < value);
        match self.knots.get(below) {
            Some(&knot) if knot <= value => 2 * below + 1,
            _ => 2 * below,
        }
    }

    fn is_sorted(&self) -> bool {
        self.knots.iter().all(|knot| knot.is_finite()) && self.knots.windows(2).all(|pair| matches!(pair, [a, b] if a < b))
    }
}

/// The counts of a numeric feature's values over a grid.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumericCounts {
    pub presence: Presence,
    pub moments: Moments,
    /// Values that equal knot `i`; length K.
    at_knot: Vec<u64>,
    /// Values strictly between knot `i − 1` and knot `i`; length K + 1, or empty when there is none (an exact reference).
    off_knot: Vec<u64>,
    /// The sums of the distances of those values from knot `i − 1` (from knot 0 for what lies below it); as long as `off_knot`.
    off_knot_distance: Vec<f64>,
    /// The values below the first and above the last knot, by how far beyond they lie.
    below_all: Beyond,
    above_all: Beyond,
}

/// Counts by distance, in buckets whose width is a sixteenth of the distance: enough for a quantile of values far outside the
/// reference, in memory that knows no number of rows. Integers, so that parts merge.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Beyond {
    /// By the exponent and the first four bits of the mantissa of the distance.
    buckets: BTreeMap<u16, u64>,
}

impl Beyond {
    const DROPPED_BITS: u32 = 48;

    fn add(&mut self, distance: f64) {
        // A distance is positive: what is left are eleven bits of exponent and four of mantissa.
        let bucket = u16::try_from(distance.to_bits() >> Self::DROPPED_BITS).unwrap_or(u16::MAX);
        *self.buckets.entry(bucket).or_default() += 1;
    }

    fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
    }

    /// `(from, to, count)` of each bucket, the nearest first.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = (f64, f64, u64)> {
        let edge = |bucket: u64| f64::from_bits(bucket << Self::DROPPED_BITS);
        self.buckets.iter().map(move |(bucket, count)| (edge(u64::from(*bucket)), edge(u64::from(*bucket) + 1), *count))
    }
}

impl NumericCounts {
    pub fn empty(grid: &Grid) -> Self {
        Self {
            presence: Presence::default(),
            moments: Moments::default(),
            at_knot: vec![0; grid.knots.len()],
            off_knot: Vec::new(),
            off_knot_distance: Vec::new(),
            below_all: Beyond::default(),
            above_all: Beyond::default(),
        }
    }

    /// Counts one batch of values, and tells `each` the cell of every one (`None` where it is not finite).
    pub fn update(&mut self, grid: &Grid, values: &[f64], mut each: impl FnMut(Option<usize>)) {
        self.presence.rows += values.len() as u64;
        for &value in values {
            if value.is_finite() {
                let cell = grid.cell(value);
                self.count(grid, value, cell);
                each(Some(cell));
                continue;
            }
            if is_missing(value) {
                self.presence.missing += 1;
            } else {
                self.presence.non_finite += 1;
            }
            each(None);
        }
    }

    #[inline]
    fn count(&mut self, grid: &Grid, value: f64, cell: usize) {
        self.moments.update(value);
        let index = cell / 2;
        if cell % 2 == 1 {
            if let Some(count) = self.at_knot.get_mut(index) {
                *count += 1;
            }
            return;
        }
        if self.off_knot.is_empty() {
            self.off_knot = vec![0; grid.knots.len() + 1];
            self.off_knot_distance = vec![0.0; grid.knots.len() + 1];
        }
        let nearest = grid.knots.get(index.saturating_sub(1)).copied().unwrap_or(0.0);
        if let (Some(count), Some(distance)) = (self.off_knot.get_mut(index), self.off_knot_distance.get_mut(index)) {
            *count += 1;
            *distance += (value - nearest).abs();
        }
        if index == 0 {
            self.below_all.add((value - nearest).abs());
        } else if index == grid.knots.len() {
            self.above_all.add((value - nearest).abs());
        }
    }

    /// Adds the counts of other values over the same grid.
    pub fn merge(&mut self, other: &Self) {
        self.presence.merge(&other.presence);
        self.moments.merge(&other.moments);
        self.below_all.merge(&other.below_all);
        self.above_all.merge(&other.above_all);
        add(&mut self.at_knot, &other.at_knot);
        if self.off_knot.is_empty() {
            self.off_knot.clone_from(&other.off_knot);
            self.off_knot_distance.clone_from(&other.off_knot_distance);
        } else {
            add(&mut self.off_knot, &other.off_knot);
            self.off_knot_distance.iter_mut().zip(&other.off_knot_distance).for_each(|(sum, more)| *sum += more);
        }
    }

    /// The share of the most frequent knot, in [0, 1]; 0 without values.
    pub fn largest_tie(&self) -> f64 {
        let n = self.n();
        if n == 0 { 0.0 } else { self.at_knot.iter().copied().max().unwrap_or(0) as f64 / n as f64 }
    }

    /// The values below the first knot, by their distance from it.
    pub fn below_all(&self) -> &Beyond {
        &self.below_all
    }

    /// The values above the last knot, by their distance from it.
    pub fn above_all(&self) -> &Beyond {
        &self.above_all
    }

    /// Finite values counted.
    pub fn n(&self) -> u64 {
        self.moments.n()
    }

    /// Values that equal knot `index`.
    pub fn at(&self, index: usize) -> u64 {
        self.at_knot.get(index).copied().unwrap_or(0)
    }

    /// Values strictly between knot `index − 1` and knot `index`.
    pub fn below(&self, index: usize) -> u64 {
        self.off_knot.get(index).copied().unwrap_or(0)
    }

    /// The sum of the distances from knot `index − 1` of the values that [`Self::below`] counts (from knot 0 for index 0).
    pub fn distance_below(&self, index: usize) -> f64 {
        self.off_knot_distance.get(index).copied().unwrap_or(0.0)
    }

    /// Values that equal no knot.
    pub fn off_grid(&self) -> u64 {
        self.off_knot.iter().sum()
    }

    /// Whether these counts belong to the grid and add up.
    pub fn fits(&self, grid: &Grid) -> bool {
        let knots = grid.knots.len();
        let off_knot_fits = self.off_knot.is_empty() || self.off_knot.len() == knots + 1;
        let sums = self.at_knot.iter().chain(&self.off_knot).try_fold(0_u64, |sum, &count| sum.checked_add(count));
        grid.is_sorted()
            && self.at_knot.len() == knots
            && off_knot_fits
            && self.off_knot.len() == self.off_knot_distance.len()
            && sums == Some(self.n())
            && self.presence.rows >= self.presence.without_value() + self.presence.non_finite
            && self.presence.usable() == self.n()
    }
}

fn add(sums: &mut [u64], more: &[u64]) {
    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::feature::MISSING;

    fn grid(values: &[f64]) -> Grid {
        Grid::from_values(&mut values.to_vec())
    }

    #[test]
    fn every_value_has_its_cell() {
        let grid = grid(&[1.0, 3.0, 3.0, 7.0]);
        assert_eq!(grid.knots(), [1.0, 3.0, 7.0]);
        let cells: Vec<usize> = [0.0, 1.0, 2.0, 3.0, 5.0, 7.0, 8.0].into_iter().map(|value| grid.cell(value)).collect();
        assert_eq!(cells, [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn both_zeros_are_one_knot() {
        let grid = grid(&[-0.0, 0.0, 1.0]);
        assert_eq!(grid.knots(), [0.0, 1.0]);
        assert_eq!(grid.cell(-0.0), grid.cell(0.0));
    }

    #[test]
    fn an_empty_grid_has_one_cell() {
        assert_eq!(grid(&[]).cells(), 1);
        assert_eq!(grid(&[]).cell(5.0), 0);
    }

    #[test]
    fn a_thinned_grid_keeps_both_ends_and_its_size() {
        let values: Vec<f64> = (0..200_000).map(f64::from).collect();
        let grid = grid(&values);
        assert_eq!(grid.knots().len(), MAX_KNOTS);
        assert_eq!((grid.knots().first(), grid.knots().last()), (Some(&0.0), Some(&199_999.0)));
    }

    #[test]
    fn missing_and_non_finite_are_counted_apart() {
        let grid = grid(&[1.0, 2.0]);
        let mut counts = NumericCounts::empty(&grid);
        counts.update(&grid, &[1.0, MISSING, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.5], |_| {});
        assert_eq!(counts.presence, Presence { rows: 6, missing: 1, non_finite: 3, ..Presence::default() });
        assert_eq!((counts.n(), counts.at(0), counts.below(1)), (2, 1, 1));
        assert!((counts.distance_below(1) - 0.5).abs() < 1e-15);
        assert!(counts.fits(&grid));
    }

    proptest! {
        #[test]
        fn any_split_of_the_values_merges_to_the_single_pass(
            reference in proptest::collection::vec(-20_i8..20, 0..40),
            current in proptest::collection::vec(-25_i8..25, 0..80),
            split in 0_usize..80,
        ) {
            let grid = grid(&reference.iter().map(|&v| f64::from(v)).collect::<Vec<_>>());
            let values: Vec<f64> = current.iter().map(|&v| f64::from(v) / 2.0).collect();
            let split = split.min(values.len());
            let mut whole = NumericCounts::empty(&grid);
            whole.update(&grid, &values, |_| {});
            let (mut left, mut right) = (NumericCounts::empty(&grid), NumericCounts::empty(&grid));
            left.update(&grid, &values[..split], |_| {});
            right.update(&grid, &values[split..], |_| {});
            left.merge(&right);
            prop_assert!(left.fits(&grid));
            prop_assert_eq!(left.at_knot, whole.at_knot);
            prop_assert_eq!(left.off_knot, whole.off_knot);
            prop_assert_eq!(left.presence, whole.presence);
        }

        #[test]
        fn a_cell_is_what_a_linear_search_says(knots in proptest::collection::btree_set(-50_i16..50, 0..30), value in -60_i16..60) {
            let values: Vec<f64> = knots.iter().map(|&k| f64::from(k)).collect();
            let grid = grid(&values);
            let x = f64::from(value) / 2.0;
            let below = values.iter().filter(|&&knot| knot < x).count();
            let on = values.contains(&x);
            prop_assert_eq!(grid.cell(x), 2 * below + usize::from(on));
        }
    }
}
