//! The 1-Wasserstein distance from cell counts and distances.

use crate::profile::cells::Total;
use crate::profile::counts::NumericCounts;
use crate::profile::grid::Grid;

/// `∫ |F_ref − F_cur| dx`: how far the values moved on average, in the feature's own units.
///
/// Between two knots the signed integral is known exactly, because the distances of the values from the knot below are summed
/// with their counts. Where `F_ref − F_cur` keeps its sign inside the cell that is the contribution; elsewhere it lies between the
/// absolute value of the signed integral and what the most extreme arrangement of the values would give, and the middle is taken.
/// 0 for equal samples. Missing and non-finite values take no part. Oracle: `scipy.stats.wasserstein_distance(x, y)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wasserstein {
    pub value: f64,
    /// In standard deviations of the reference; `None` when that is 0 or does not exist.
    pub scaled: Option<f64>,
    /// How far `value` may be off; 0 when exact.
    pub error_bound: f64,
}

impl Wasserstein {
    /// `None` when either side has no finite value, or when the distance leaves the range of a double.
    pub fn compute(grid: &Grid, reference: &NumericCounts, current: &NumericCounts) -> Option<Self> {
        let knots = grid.knots();
        if reference.n() == 0 || current.n() == 0 {
            return None;
        }
        let (n, m) = (reference.n() as f64, current.n() as f64);
        // Beyond the ends one of the two functions is 0 or 1 throughout.
        let mut value = current.below_all().sum() / m + current.above_all().sum() / m;
        let mut error_bound = 0.0;
        let mut cells = reference.totals().zip(current.totals());
        let up_to = |(reference, current): (Total, Total)| (reference.below + reference.at, current.below + current.at);
        let mut below = cells.next().map_or((0, 0), up_to);
        for (pair, (reference, current)) in knots.windows(2).zip(cells) {
            let &[left, right] = pair else { continue };
            let width = right - left;
            let start = (below.0 as f64 / n, below.1 as f64 / m);
            let end = ((below.0 + reference.below) as f64 / n, (below.1 + current.below) as f64 / m);
            below = (below.0 + reference.below + reference.at, below.1 + current.below + current.at);
            // ∫ F over the cell = F(right−)·width − Σ (x − left) / rows.
            let distance = |side: Total, rows: f64| side.below as f64 / rows * side.mean_place() * width;
            let signed = (end.0 - end.1) * width - (distance(reference, n) - distance(current, m));
            let (low, high) = (start.0 - end.1, end.0 - start.1);
            if low >= 0.0 || high <= 0.0 {
                value += signed.abs();
            } else {
                let mean = (signed / width).clamp(low, high);
                let at_low = (high - mean) / (high - low);
                let most = width * (at_low * -low + (1.0 - at_low) * high);
                value += f64::midpoint(signed.abs(), most);
                error_bound += (most - signed.abs()).max(0.0) / 2.0;
            }
        }
        let scaled = reference.moments.std().map(|std| value / std).filter(|scaled| scaled.is_finite());
        (value.is_finite() && f64::is_finite(error_bound)).then_some(Self { value, scaled, error_bound })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(grid: &[f64], reference: &[f64], current: &[f64]) -> Option<Wasserstein> {
        let grid = Grid::from_values(&mut grid.to_vec());
        Wasserstein::compute(&grid, &NumericCounts::of(&grid, reference), &NumericCounts::of(&grid, current))
    }

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() < 1e-9
    }

    #[test]
    fn where_the_order_of_the_values_is_not_known_the_middle_is_taken() {
        // Between 0 and 10 the integrals are equal, but the functions cross: from 0 to 5, so 2.5 ± 2.5. Truly 4.333….
        let found = of(&[0.0, 10.0], &[0.0, 10.0], &[4.0, 5.0, 6.0]).unwrap();
        assert!(close(found.value, 2.5) && close(found.error_bound, 2.5), "{found:?}");
        // By the definition, cell for cell, from sums of the values: 1.5185 ± 0.7685 below 10, 2.3778 ± 0.7944 above, and 2/9 + 5/9 beyond the ends.
        // scipy.stats.wasserstein_distance is 3.222….
        let reference = [0.0, 0.0, 4.0, 10.0, 16.0, 30.0, 30.0, 30.0];
        let found = of(&[0.0, 10.0, 30.0], &reference, &[-2.0, 0.0, 2.0, 3.0, 9.0, 12.0, 28.0, 30.0, 35.0]).unwrap();
        assert!(close(found.value, 4.674_074_074_074_074) && close(found.error_bound, 1.562_962_962_962_962_4), "{found:?}");
        // numpy.std(reference, ddof=1) = 13.480144128097656
        assert!(close(found.scaled.unwrap(), 0.346_737_692_836_054_9), "{found:?}");
    }

    #[test]
    fn where_one_function_is_above_the_other_the_distance_is_exact() {
        // A half of the reference at 0, all of the window above: (1/2)·4 + (1/2)·6 between 0 and 10, and one tenth of 20 beyond.
        let found = of(&[0.0, 10.0], &[0.0, 10.0], &[10.0; 5]).unwrap();
        assert!(close(found.value, 5.0) && found.error_bound.to_bits() == 0, "{found:?}");
        let found = of(&[0.0, 10.0], &[0.0], &[4.0, 7.0, 40.0, -20.0]).unwrap();
        assert!(close(found.value, 17.75) && close(found.error_bound, 0.0), "{found:?}");
    }

    #[test]
    fn without_values_or_without_spread_something_is_missing() {
        assert_eq!(
            (of(&[1.0, 2.0], &[1.0, 2.0], &[]), of(&[1.0, 2.0], &[], &[1.0]), of(&[1.0], &[], &[1.0, 2.0])),
            (None, None, None)
        );
        for (value, distance) in [(4.0, 1.0), (3.0, 0.0)] {
            let constant = of(&[3.0], &[3.0, 3.0], &[value]).unwrap();
            assert!(close(constant.value, distance) && constant.scaled.is_none(), "{constant:?}");
        }
        assert_eq!(of(&[0.0, f64::MAX], &[f64::MAX], &[f64::MIN]), None);
    }
}
