//! Both distributions over shared bins, for a picture.

use super::{HistogramSection, SidesSection};
use crate::profile::counts::NumericCounts;
use crate::profile::grid::Grid;
use crate::statistic::quantile::Distribution;

/// Bins of the picture: enough for a shape, few enough for a phone.
const BINS: u32 = 32;

/// The picture shows the middle 99 % of the reference …
const LOW: f64 = 0.005;
const HIGH: f64 = 0.995;

/// … and, where the window moved, at most this many times that width further on either side: one sentinel value must not squeeze
/// everything else into one bin.
const MOST_STRETCH: f64 = 1.5;

/// Fractions of the finite values in bins of equal width. `None` where a side has no value, or all values are one.
pub fn histogram(grid: &Grid, reference: &NumericCounts, current: &NumericCounts) -> Option<HistogramSection> {
    let sides = (Distribution::new(grid, reference)?, Distribution::new(grid, current)?);
    let (low, high) = (sides.0.quantile(LOW), sides.0.quantile(HIGH));
    let width = high - low;
    let first = sides.1.quantile(LOW).min(low).max(low - MOST_STRETCH * width);
    let last = sides.1.quantile(HIGH).max(high).min(high + MOST_STRETCH * width);
    if !(last - first).is_finite() || last <= first {
        return None;
    }
    let edges: Vec<f64> = (0..=BINS).map(|bin| first + (last - first) * f64::from(bin) / f64::from(BINS)).collect();
    if !edges.windows(2).all(|pair| matches!(pair, [a, b] if a < b)) {
        return None;
    }
    let (reference, below_reference, above_reference) = fractions(&sides.0, &edges);
    let (current, below_current, above_current) = fractions(&sides.1, &edges);
    Some(HistogramSection {
        edges,
        reference,
        current,
        below: SidesSection { reference: below_reference, current: below_current },
        above: SidesSection { reference: above_reference, current: above_current },
    })
}

/// The fraction in each bin `(lower, upper]` (the first includes its lower edge), and below and above all of them.
fn fractions(side: &Distribution, edges: &[f64]) -> (Vec<f64>, f64, f64) {
    let mut up_to: Vec<f64> = edges.iter().map(|&edge| side.fraction_up_to(edge)).collect();
    if let (Some(first), Some(&edge)) = (up_to.first_mut(), edges.first()) {
        *first = side.fraction_below(edge);
    }
    let bins = up_to.windows(2).map(|pair| if let [a, b] = pair { (b - a).max(0.0) } else { 0.0 }).collect();
    let below = up_to.first().copied().unwrap_or(0.0);
    let above = 1.0 - up_to.last().copied().unwrap_or(1.0);
    (bins, below, above.max(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pictured(reference: &[f64], current: &[f64]) -> Option<HistogramSection> {
        let grid = Grid::from_values(&mut reference.to_vec());
        let counts = [reference, current].map(|values| NumericCounts::of(&grid, values));
        histogram(&grid, &counts[0], &counts[1])
    }

    #[test]
    fn the_fractions_of_each_side_sum_to_one() {
        let reference: Vec<f64> = (0..500).map(|i| f64::from(i % 97)).collect();
        let current: Vec<f64> = (0..80).map(|i| f64::from(i % 53) * 3.5 - 20.0).collect();
        let picture = pictured(&reference, &current).unwrap();
        for (bins, below, above) in [
            (&picture.reference, picture.below.reference, picture.above.reference),
            (&picture.current, picture.below.current, picture.above.current),
        ] {
            assert!((bins.iter().sum::<f64>() + below + above - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn a_sentinel_does_not_stretch_the_picture() {
        let reference: Vec<f64> = (0..1000).map(|i| f64::from(i) / 1000.0).collect();
        let mut current = reference.clone();
        current.extend([-999.0; 20]);
        let picture = pictured(&reference, &current).unwrap();
        assert!(picture.edges[0] >= -2.0);
        assert!(picture.below.current > 0.01);
    }

    #[test]
    fn one_single_value_has_no_histogram() {
        assert_eq!(pictured(&[3.0, 3.0], &[3.0]), None);
        assert_eq!(pictured(&[1.0, 2.0], &[]), None);
    }
}
