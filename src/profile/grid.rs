//! The reference grid of a numeric feature.
//!
//! The knots are the sorted distinct finite reference values `k_0 < … < k_{K−1}`. A value either equals a knot, or lies strictly
//! between two neighbours, or beyond an end, which makes `2K + 1` cells: cell `2i + 1` is the knot `k_i`, cell `2i` the open
//! interval below it, and cell `2K` what lies above the last (STATISTICS.md, section 1).

use super::moments::Scale;

/// The most knots that a grid keeps. Above, knots are evenly spaced in rank and KS has an error bound.
pub const MAX_KNOTS: usize = 65_536;

/// The sorted distinct reference values.
#[derive(Clone, Debug, Default, PartialEq)]
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

    /// The grid with these knots; `None` unless they are finite and ascend.
    pub fn from_knots(knots: Vec<f64>) -> Option<Self> {
        let is_grid = knots.iter().all(|knot| knot.is_finite()) && knots.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
        (is_grid && knots.len() <= MAX_KNOTS).then_some(Self { knots })
    }

    /// The knots, ascending.
    pub fn knots(&self) -> &[f64] {
        &self.knots
    }

    /// The number of cells, `2K + 1`.
    pub fn cells(&self) -> usize {
        2 * self.knots.len() + 1
    }

    /// The cell that a finite value falls in. For many values there is [`Locator`](super::locator::Locator).
    pub fn cell(&self, value: f64) -> usize {
        let below = self.knots.partition_point(|&knot| knot < value);
        match self.knots.get(below) {
            Some(&knot) if knot <= value => 2 * below + 1,
            _ => 2 * below,
        }
    }

    /// The width of the interval below knot `index`; 0 for the two that have no end.
    pub fn width_below(&self, index: usize) -> f64 {
        let left = index.checked_sub(1).and_then(|left| self.knots.get(left));
        left.zip(self.knots.get(index)).map_or(0.0, |(left, right)| right - left)
    }

    /// In which units the values are summed: about the middle of the grid, in steps that are small against the spread of its knots.
    pub fn scale(&self) -> Scale {
        let at = |quarter: usize| self.knots.get(quarter * self.knots.len().saturating_sub(1) / 4).copied().unwrap_or(0.0);
        Scale::new(at(2), (at(3) - at(1)).abs())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
    fn what_does_not_ascend_is_no_grid() {
        assert!(Grid::from_knots(vec![1.0, 2.0]).is_some());
        for knots in [vec![1.0, 1.0], vec![2.0, 1.0], vec![f64::NAN], vec![f64::INFINITY]] {
            assert!(Grid::from_knots(knots).is_none());
        }
    }

    proptest! {
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

    #[test]
    fn a_thinned_grid_is_evenly_spaced_in_rank() {
        let mut values: Vec<f64> = (0..200_000).map(f64::from).collect();
        values[0] = -0.0;
        let grid = grid(&values);
        let expected: Vec<f64> = (0..65_536_u64).map(|number| (number * 199_999 / 65_535) as f64).collect();
        assert_eq!(grid.knots(), expected);
        assert!(grid.knots()[0].is_sign_positive());
        // As many values as there may be knots stay as they are.
        let most: Vec<f64> = (0..65_536).map(f64::from).collect();
        assert_eq!(super::Grid::from_values(&mut most.clone()).knots(), most);
        let halves = (0..100_000).map(|number| f64::from(number / 2)).collect::<Vec<_>>();
        assert_eq!(super::Grid::from_values(&mut halves.clone()).knots().len(), 50_000);
    }

    #[test]
    fn neither_zero_has_a_sign() {
        assert!(grid(&[-0.0, 1.0]).knots()[0].is_sign_positive());
    }

    #[test]
    fn there_are_no_more_knots_than_the_most() {
        let knots: Vec<f64> = (0..=65_536).map(f64::from).collect();
        assert!(Grid::from_knots(knots[1..].to_vec()).is_some() && Grid::from_knots(knots).is_none());
    }

    #[test]
    fn an_interval_is_as_wide_as_its_knots_are_apart_and_the_ends_have_no_width() {
        let grid = grid(&[1.0, 3.0, 7.0]);
        assert_eq!((0..4).map(|index| grid.width_below(index)).collect::<Vec<_>>(), [0.0, 2.0, 4.0, 0.0]);
    }

    #[test]
    fn values_are_summed_around_the_middle_in_steps_of_the_spread() {
        let values: Vec<f64> = (0..9).map(|number| f64::from(number) * 3.0 + 1_000.0).collect();
        // Quartiles 1,006, 1,012 and 1,018.
        assert_eq!(grid(&values).scale(), Scale::new(1_012.0, 12.0));
        assert_eq!(grid(&[5.0]).scale(), Scale::new(5.0, 0.0));
        assert_eq!(grid(&[]).scale(), Scale::new(0.0, 0.0));
    }
}
