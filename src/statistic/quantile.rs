//! Quantiles and distribution functions from cell counts.

use crate::profile::counts::NumericCounts;
use crate::profile::grid::Grid;

/// The distribution function of one side over a grid, ready to be asked.
///
/// Exact at the knots. Between two knots the values are taken as evenly spread; beyond the reference's ends they are known to a
/// sixteenth of their distance from it.
#[derive(Clone, Debug)]
pub struct Distribution {
    /// The ends of each cell, and the values at or below its upper end; in ascending order. A knot is its own two ends.
    cells: Vec<Cell>,
    n: u64,
    min: f64,
    max: f64,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    lower: f64,
    upper: f64,
    before: u64,
    count: u64,
}

impl Distribution {
    /// `None` without finite values.
    pub fn new(grid: &Grid, counts: &NumericCounts) -> Option<Self> {
        let knots = grid.knots();
        let (min, max) = (counts.moments.min()?, counts.moments.max()?);
        let mut distribution = Self { cells: Vec::with_capacity(knots.len()), n: 0, min, max };
        if let Some(first) = knots.first() {
            for (near, far, count) in counts.below_all().ranges().rev() {
                distribution.push(first - far, first - near, count);
            }
        }
        let mut below = None;
        for (index, &knot) in knots.iter().enumerate() {
            if let Some(below) = below {
                distribution.push(below, knot, counts.below(index));
            }
            distribution.push(knot, knot, counts.at(index));
            below = Some(knot);
        }
        if let Some(last) = knots.last() {
            for (near, far, count) in counts.above_all().ranges() {
                distribution.push(last + near, last + far, count);
            }
        }
        Some(distribution)
    }

    fn push(&mut self, lower: f64, upper: f64, count: u64) {
        if count > 0 {
            // A bucket of values near an end of the range of doubles may itself end beyond: at infinity, or at no number.
            let within = |end: f64, otherwise: f64| if end.is_nan() { otherwise } else { end.clamp(f64::MIN, f64::MAX) };
            let (lower, upper) = (within(lower, f64::MIN), within(upper, f64::MAX));
            self.cells.push(Cell { lower, upper, before: self.n, count });
            self.n += count;
        }
    }

    /// The smallest value at or below which lies the fraction `p` of the values (the inverse of the distribution function).
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank lies in 1..=n")]
    pub fn quantile(&self, p: f64) -> f64 {
        let rank = ((p * self.n as f64).ceil() as u64).clamp(1, self.n.max(1));
        let position = self.cells.partition_point(|cell| cell.before + cell.count < rank);
        let Some(cell) = self.cells.get(position) else { return self.max };
        if cell.lower >= cell.upper {
            return cell.upper.clamp(self.min, self.max);
        }
        let share = (rank - cell.before) as f64 / (cell.count + 1) as f64;
        let width = cell.upper - cell.lower;
        let value = if width.is_finite() { cell.lower + width * share } else { cell.lower * (1.0 - share) + cell.upper * share };
        value.clamp(self.min, self.max)
    }

    /// The fraction of the values below `x`, in [0, 1].
    pub fn fraction_below(&self, x: f64) -> f64 {
        self.fraction(x, |cell| cell.upper < x)
    }

    /// The fraction of the values at or below `x`, in [0, 1].
    pub fn fraction_up_to(&self, x: f64) -> f64 {
        // The bucket of the largest value may end above it.
        if x >= self.max { 1.0 } else { self.fraction(x, |cell| cell.upper <= x) }
    }

    fn fraction(&self, x: f64, is_before: impl Fn(&Cell) -> bool) -> f64 {
        let position = self.cells.partition_point(is_before);
        let Some(cell) = self.cells.get(position) else { return 1.0 };
        let (width, part) = (cell.upper - cell.lower, x - cell.lower);
        let share = if part > 0.0 && width > 0.0 {
            // In halves, where the whole is beyond the range of doubles.
            if width.is_finite() { part / width } else { (x / 2.0 - cell.lower / 2.0) / (cell.upper / 2.0 - cell.lower / 2.0) }
        } else {
            0.0
        };
        (cell.before as f64 + cell.count as f64 * share) / self.n as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_the_reference_are_its_own_values() {
        let mut values: Vec<f64> = (1..=100).map(f64::from).collect();
        let grid = Grid::from_values(&mut values);
        let counts = NumericCounts::of(&grid, &values);
        let distribution = Distribution::new(&grid, &counts).unwrap();
        // numpy.quantile(range(1, 101), p, method="inverted_cdf")
        let quantiles: Vec<f64> = [0.0, 0.01, 0.05, 0.5, 0.95, 1.0].iter().map(|&p| distribution.quantile(p)).collect();
        assert_eq!(quantiles, [1.0, 1.0, 5.0, 50.0, 95.0, 100.0]);
        assert!((distribution.fraction_up_to(50.0) - 0.5).abs() < 1e-15);
        assert!((distribution.fraction_up_to(50.7) - 0.5).abs() < 1e-15);
    }

    #[test]
    fn values_off_the_grid_are_spread_over_their_cell() {
        let grid = Grid::from_values(&mut [0.0, 10.0]);
        let counts = NumericCounts::of(&grid, &[4.0, 5.0, 6.0, 20.0]);
        let distribution = Distribution::new(&grid, &counts).unwrap();
        assert!((distribution.quantile(0.5) - 5.0).abs() < 1e-12);
        // One value, 10 above the last knot: known to a sixteenth.
        assert!((distribution.quantile(1.0) - 20.0).abs() < 10.0 / 16.0);
        assert!((distribution.fraction_up_to(20.0) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn an_outlier_does_not_move_the_median_of_values_beyond_the_reference() {
        let grid = Grid::from_values(&mut [-3.0, 0.0, 3.0]);
        let mut values: Vec<f64> = (0..300).map(|i| 9.0 + f64::from(i) / 150.0).collect();
        values.push(1e6);
        let counts = NumericCounts::of(&grid, &values);
        let median = Distribution::new(&grid, &counts).unwrap().quantile(0.5);
        assert!((median - 10.0).abs() < 0.5, "{median}");
    }
}
