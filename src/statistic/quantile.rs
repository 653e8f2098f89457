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
        for (&knot, total) in knots.iter().zip(counts.totals()) {
            if let Some(below) = below {
                distribution.push(below, knot, total.below);
            }
            distribution.push(knot, knot, total.at);
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
        // Above its lower end, and not above its upper one: the cell has a width.
        let share = if part > 0.0 {
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
    fn between_two_knots_the_values_are_evenly_spread() {
        let grid = Grid::from_values(&mut [0.0, 10.0]);
        let distribution = Distribution::new(&grid, &NumericCounts::of(&grid, &[0.0, 4.0, 5.0, 6.0, 10.0, 10.0])).unwrap();
        // The ranks 1 to 6: the first and the last two are knots, the others the quarters of the way between.
        let ranks: Vec<f64> = (1..=6).map(|rank| distribution.quantile((f64::from(rank) - 0.5) / 6.0)).collect();
        assert_eq!(ranks, [0.0, 2.5, 5.0, 7.5, 10.0, 10.0]);
        let sixths = |fraction: f64, count: f64| (fraction - count / 6.0).abs() < 1e-15;
        for (x, below, up_to) in
            [(-1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (2.0, 1.6, 1.6), (5.0, 2.5, 2.5), (10.0, 4.0, 6.0), (11.0, 6.0, 6.0)]
        {
            let found = (distribution.fraction_below(x), distribution.fraction_up_to(x));
            assert!(sixths(found.0, below) && sixths(found.1, up_to), "{x}: {found:?}");
        }
    }

    #[test]
    fn values_below_the_reference_are_in_ascending_order() {
        let grid = Grid::from_values(&mut [0.0, 10.0]);
        let distribution = Distribution::new(&grid, &NumericCounts::of(&grid, &[3.0, -8.25, -1.0, 18.25])).unwrap();
        // Known to a sixteenth of their distance.
        for (p, value, precision) in [(0.25, -8.25, 0.5), (0.5, -1.0, 0.0625), (1.0, 18.25, 0.5)] {
            assert!((distribution.quantile(p) - value).abs() <= precision, "{p}: {}", distribution.quantile(p));
        }
        for (x, fraction) in
            [(-9.0, 0.0), (-7.0, 0.25), (-2.0, 0.25), (-0.5, 0.5), (0.0, 0.5), (10.0, 0.75), (17.0, 0.75), (19.0, 1.0)]
        {
            assert!((distribution.fraction_below(x) - fraction).abs() < 1e-15, "{x}: {}", distribution.fraction_below(x));
        }
    }

    #[test]
    fn a_cell_as_wide_as_the_doubles_is_divided_in_halves() {
        let grid = Grid::from_values(&mut [-1e308, 1e308]);
        let distribution = Distribution::new(&grid, &NumericCounts::of(&grid, &[-0.9e308, 0.0, 0.9e308])).unwrap();
        let quarters: Vec<f64> = [0.1, 0.5, 0.9].iter().map(|&p| distribution.quantile(p) / 1e308).collect();
        assert!(quarters.iter().zip([-0.5, 0.0, 0.5]).all(|(found, quarter)| (found - quarter).abs() < 1e-12), "{quarters:?}");
        for (x, fraction) in [(-0.5e308, 0.25), (0.0, 0.5), (0.5e308, 0.75)] {
            assert!((distribution.fraction_below(x) - fraction).abs() < 1e-12, "{x}: {}", distribution.fraction_below(x));
        }
    }

    #[test]
    fn the_ends_of_the_doubles_are_values_too() {
        for (knot, value) in [(f64::MIN, f64::MAX), (f64::MAX, f64::MIN), (0.0, f64::MAX), (0.0, f64::MIN)] {
            let grid = Grid::from_values(&mut [knot]);
            let distribution = Distribution::new(&grid, &NumericCounts::of(&grid, &[value])).unwrap();
            assert_eq!(distribution.quantile(0.5).to_bits(), value.to_bits(), "{knot} {value}");
            let below = if value > 0.0 { 0.0 } else { 1.0 };
            assert!(
                (distribution.fraction_below(1.0) - below).abs() < 1e-15,
                "{knot} {value}: {}",
                distribution.fraction_below(1.0)
            );
        }
        assert!(
            Distribution::new(&Grid::from_values(&mut [1.0]), &NumericCounts::of(&Grid::from_values(&mut [1.0]), &[])).is_none()
        );
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
