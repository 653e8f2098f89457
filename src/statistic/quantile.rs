//! Quantiles and distribution functions from cell counts.

use crate::profile::grid::{Grid, NumericCounts};

/// The distribution function of one side over a grid, ready to be asked.
///
/// Exact at the knots. Inside an open cell the values are taken as evenly spread over it; the outer cells end at the smallest and
/// the largest value seen.
#[derive(Clone, Debug)]
pub struct Distribution<'a> {
    grid: &'a Grid,
    /// Values in the cells before each cell, and in all of them at the end; one entry more than there are cells.
    cumulative: Vec<u64>,
    min: f64,
    max: f64,
}

impl<'a> Distribution<'a> {
    /// `None` without finite values.
    pub fn new(grid: &'a Grid, counts: &NumericCounts) -> Option<Self> {
        let mut cumulative = Vec::with_capacity(grid.cells() + 1);
        let mut sum = 0;
        cumulative.push(sum);
        for cell in 0..grid.cells() {
            sum += if cell % 2 == 1 { counts.at(cell / 2) } else { counts.below(cell / 2) };
            cumulative.push(sum);
        }
        Some(Self { grid, cumulative, min: counts.moments.min()?, max: counts.moments.max()? })
    }

    fn n(&self) -> u64 {
        self.cumulative.last().copied().unwrap_or(0)
    }

    fn before(&self, cell: usize) -> u64 {
        self.cumulative.get(cell).copied().unwrap_or(self.n())
    }

    /// The ends of a cell; a knot is its own two ends.
    fn bounds(&self, cell: usize) -> (f64, f64) {
        let knots = self.grid.knots();
        let index = cell / 2;
        if cell % 2 == 1 {
            let knot = knots.get(index).copied().unwrap_or(self.max);
            return (knot, knot);
        }
        let lower = index.checked_sub(1).and_then(|below| knots.get(below)).copied();
        (lower.unwrap_or(self.min), knots.get(index).copied().unwrap_or(self.max))
    }

    /// The smallest value at or below which lies the fraction `p` of the values (the inverse of the distribution function).
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rank lies in 1..=n")]
    pub fn quantile(&self, p: f64) -> f64 {
        let n = self.n();
        let rank = ((p * n as f64).ceil() as u64).clamp(1, n.max(1));
        let cell = self.cumulative.partition_point(|&before| before < rank).saturating_sub(1);
        let (lower, upper) = self.bounds(cell);
        let (before, inside) = (self.before(cell), self.before(cell + 1) - self.before(cell));
        if lower >= upper || inside == 0 {
            return upper.clamp(self.min, self.max);
        }
        let position = (rank - before) as f64 / (inside + 1) as f64;
        (lower + (upper - lower) * position).clamp(self.min, self.max)
    }

    /// The fraction of the values below `x`, in [0, 1].
    pub fn fraction_below(&self, x: f64) -> f64 {
        let cell = self.grid.cell(x);
        if cell % 2 == 1 { self.before(cell) as f64 / self.n() as f64 } else { self.fraction_up_to(x) }
    }

    /// The fraction of the values at or below `x`, in [0, 1].
    pub fn fraction_up_to(&self, x: f64) -> f64 {
        let n = self.n() as f64;
        let cell = self.grid.cell(x);
        let before = self.before(cell) as f64;
        let inside = self.before(cell + 1) as f64 - before;
        let (lower, upper) = self.bounds(cell);
        let position = if x >= upper {
            1.0
        } else if x <= lower {
            0.0
        } else {
            (x - lower) / (upper - lower)
        };
        (before + inside * position) / n
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_of_the_reference_are_its_own_values() {
        let mut values: Vec<f64> = (1..=100).map(f64::from).collect();
        let grid = Grid::from_values(&mut values);
        let mut counts = NumericCounts::empty(&grid);
        counts.update(&grid, &values, |_| {});
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
        let mut counts = NumericCounts::empty(&grid);
        counts.update(&grid, &[4.0, 5.0, 6.0, 20.0], |_| {});
        let distribution = Distribution::new(&grid, &counts).unwrap();
        assert!((distribution.quantile(0.5) - 5.0).abs() < 1e-12);
        assert!((distribution.quantile(1.0) - 15.0).abs() < 1e-12);
        assert!((distribution.fraction_up_to(20.0) - 1.0).abs() < 1e-15);
    }
}
