//! Finds the cells of many values at once: the hot loop of a run.
//!
//! A monotone map takes a value to one of some ten thousand buckets, a table says how many knots lie in the buckets before, and a few
//! comparisons in the bucket do the rest. Where the map puts a value does not matter as long as it never puts a larger value into an
//! earlier bucket; so rounding cannot make a cell wrong, only slow to find.

mod map;

use super::grid::Grid;
use map::Map;

/// Buckets at most: their table takes 128 KiB, and fits beside the knots into the cache of a core.
const MAX_BUCKETS: usize = 1 << 16;
const MIN_BUCKETS: usize = 16;
/// Knots that are compared at once.
const PROBES: usize = 4;
const ALL_PROBES: u32 = 4;
/// Values that are worked on together: their buckets stay in the nearest cache.
pub const CHUNK: usize = 512;

/// Where the values of a grid lie.
#[derive(Clone, Debug)]
pub struct Locator {
    map: Map,
    /// How many knots lie in earlier buckets; one more than there are buckets. All of 65,536 knots are told as one fewer, which is found when
    /// knots are compared.
    first: Vec<u16>,
    /// The knots between −∞ and as many +∞ as are compared at once.
    knots: Vec<f64>,
}

impl Locator {
    pub fn new(grid: &Grid) -> Self {
        let knots = grid.knots();
        let buckets = knots.len().next_power_of_two().clamp(MIN_BUCKETS, MAX_BUCKETS);
        let map = Map::best(knots, buckets);
        let mut counts = vec![0; buckets + 1];
        for &knot in knots {
            if let Some(count) = counts.get_mut(map.bucket(knot) as usize + 1) {
                *count += 1;
            }
        }
        let before = counts.iter().scan(0_usize, |before, count| {
            *before += count;
            Some(u16::try_from(*before).unwrap_or(u16::MAX))
        });
        let first = before.collect();
        let ends = [f64::INFINITY; PROBES];
        let knots = std::iter::once(f64::NEG_INFINITY).chain(knots.iter().copied()).chain(ends).collect();
        Self { map, first, knots }
    }

    /// For each finite value the number of knots below it, in `below`; at most [`CHUNK`] values. `buckets` is room to work in.
    pub fn below(&self, values: &[f64], buckets: &mut [u32; CHUNK], below: &mut [u32; CHUNK]) {
        self.map.buckets(values, buckets);
        // One after the other, so that each waits for as little memory as can be.
        for (below, bucket) in below.iter_mut().zip(buckets.iter()).take(values.len()) {
            *below = self.first.get(*bucket as usize).copied().map_or(0, u32::from);
        }
        for ((below, bucket), value) in below.iter_mut().zip(buckets.iter()).zip(values) {
            let start = *below as usize;
            let ahead = self.knots.get(start + 1..).and_then(|knots| knots.first_chunk::<PROBES>());
            let smaller = ahead.map_or(0, |ahead| ahead.iter().map(|knot| u32::from(knot < value)).sum());
            *below += smaller;
            if smaller == ALL_PROBES {
                *below = self.search(*bucket as usize, *below as usize, *value);
            }
        }
    }

    /// In a bucket of many knots.
    #[cold]
    #[inline(never)]
    fn search(&self, bucket: usize, start: usize, value: f64) -> u32 {
        // One more, for the last of 65,536.
        let end = self.first.get(bucket + 1).map_or(start, |end| usize::from(*end) + 1);
        let rest = self.knots.get(start + 1..end + 1).unwrap_or_default();
        u32::try_from(start + rest.partition_point(|&knot| knot < value)).unwrap_or(u32::MAX)
    }

    /// The knots around a value with so many knots below it: the one below, and the one above or at it. ±∞ beyond the ends.
    #[inline]
    pub fn around(&self, below: u32) -> (f64, f64) {
        let pair = self.knots.get(below as usize..).and_then(|knots| knots.first_chunk::<2>());
        pair.map_or((f64::NEG_INFINITY, f64::INFINITY), |[left, right]| (*left, *right))
    }

    /// The number of knots.
    pub fn knots(&self) -> usize {
        self.knots.len() - PROBES - 1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agrees(reference: &[f64], values: &[f64]) -> Result<(), TestCaseError> {
        let grid = Grid::from_values(&mut reference.to_vec());
        let locator = Locator::new(&grid);
        for chunk in values.chunks(CHUNK) {
            let (mut buckets, mut below) = ([0; CHUNK], [0; CHUNK]);
            locator.below(chunk, &mut buckets, &mut below);
            for (value, below) in chunk.iter().zip(below) {
                prop_assert_eq!(below as usize, grid.knots().partition_point(|knot| knot < value), "{} in {:?}", value, reference);
                let (left, right) = locator.around(below);
                prop_assert!(left < *value && *value <= right);
            }
        }
        Ok(())
    }

    fn any_finite() -> impl Strategy<Value = f64> {
        prop_oneof![
            any::<f64>().prop_filter("finite", |value| value.is_finite()),
            -10.0..10.0,
            (-20_i8..20).prop_map(f64::from),
            Just(f64::MAX),
            Just(f64::MIN),
            Just(f64::MIN_POSITIVE),
            Just(0.0),
        ]
    }

    proptest! {
        #[test]
        fn every_value_is_where_a_search_finds_it(
            reference in prop::collection::vec(any_finite(), 0..200), values in prop::collection::vec(any_finite(), 0..100),
        ) {
            agrees(&reference, &values)?;
            agrees(&reference, &reference)?;
        }

        /// Distributions that a map has to follow: normal-like, log-normal-like, with a spike, with one outlier.
        #[test]
        fn whatever_the_distribution(seed in any::<u64>(), power in 1_i32..40, outlier in any_finite()) {
            let mut state = seed;
            let mut unit = || {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state >> 11) as f64 / (1_u64 << 53) as f64
            };
            let mut reference: Vec<f64> = (0..3_000).map(|_| (unit() - 0.3).powi(power) * 1e3).collect();
            reference.push(outlier);
            let values: Vec<f64> = (0..1_500).map(|_| (unit() - 0.3).powi(power) * 1e3).chain(reference.iter().copied()).collect();
            agrees(&reference, &values)?;
        }
    }

    /// So near to each other that no map tells them apart while it spans the others.
    #[test]
    fn values_among_many_knots_of_one_bucket_are_searched() {
        let reference: Vec<f64> =
            [-1e12, 0.0, 1e6, 1e12].into_iter().flat_map(|start| (0..100).map(move |number| start + f64::from(number))).collect();
        let values: Vec<f64> =
            reference.iter().flat_map(|knot| [knot - 0.5, *knot, knot + 0.25]).chain([f64::MIN, f64::MAX, 5e5]).collect();
        agrees(&reference, &values).unwrap();
        assert_eq!(Locator::new(&Grid::from_values(&mut reference.clone())).knots(), 400);
        assert_eq!(Locator::new(&Grid::default()).knots(), 0);
    }
}
