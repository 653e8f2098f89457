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
    let edges: Vec<f64> = (0..=BINS).map(|bin| first + (last - first) * f64::from(bin) / f64::from(BINS)).collect();
    // Not where all values are one, and not where the width is no number.
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

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    /// 0, 1, …, 1000, moved.
    fn thousand(by: f64) -> Vec<f64> {
        (0..=1000).map(|i| f64::from(i) + by).collect()
    }

    #[test]
    fn the_bins_cover_the_middle_of_the_reference_evenly() {
        let picture = pictured(&thousand(0.0), &thousand(0.0)[200..=700]).unwrap();
        // The 6th and the 996th of 1001 values; 990 / 32 = 30.9375.
        assert_eq!((picture.edges.len(), picture.reference.len(), picture.current.len()), (33, 32, 32));
        for (edge, expected) in picture.edges.iter().zip((0..).map(|bin| 5.0 + 30.9375 * f64::from(bin))) {
            assert!(close(*edge, expected), "{:?}", picture.edges);
        }
        // 5 to 35 with both ends, then 36 to 66; below are 0 to 4, above 996 to 1000.
        assert!(close(picture.reference[0], 31.0 / 1001.0) && close(picture.reference[1], 31.0 / 1001.0), "{picture:?}");
        assert!(close(picture.below.reference, 5.0 / 1001.0) && close(picture.above.reference, 5.0 / 1001.0), "{picture:?}");
        // 222 to 252 of the window's 200 to 700.
        assert!(close(picture.current[7], 31.0 / 501.0) && close(picture.current[0], 0.0), "{picture:?}");
        assert!(close(picture.below.current, 0.0) && close(picture.above.current, 0.0), "{picture:?}");
    }

    #[test]
    fn the_bins_follow_a_window_that_moved_by_one_and_a_half_widths_and_no_further() {
        let ends = |by: f64| {
            let picture = pictured(&thousand(0.0), &thousand(by)).unwrap();
            (picture.edges[0], picture.edges[32])
        };
        let (low, high) = ends(-9_000.0);
        assert!(close(low, 5.0 - 1.5 * 990.0) && close(high, 995.0), "{low} {high}");
        let (low, high) = ends(9_000.0);
        assert!(close(low, 5.0) && close(high, 995.0 + 1.5 * 990.0), "{low} {high}");
        // Within reach: where the window's own middle ends.
        let (low, high) = ends(500.0);
        assert!(close(low, 5.0) && (1_400.0..=1_500.0).contains(&high), "{low} {high}");
        let (low, high) = ends(-500.0);
        assert!((-500.0..=-400.0).contains(&low) && close(high, 995.0), "{low} {high}");
    }

    #[test]
    fn a_width_that_is_no_number_has_no_histogram() {
        assert_eq!(pictured(&[f64::MIN, f64::MAX], &[f64::MIN, f64::MAX]), None);
        assert_eq!(pictured(&[1.0, 1.0 + f64::EPSILON], &[1.0]), None, "32 edges do not fit between them");
    }
}
