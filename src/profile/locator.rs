//! Finds the cells of many values at once: the hot loop of a run.
//!
//! A monotone map takes a value to one of some ten thousand buckets, a table says how many knots lie in the buckets before, and a few
//! comparisons in the bucket do the rest. Where the map puts a value does not matter as long as it never puts a larger value into an
//! earlier bucket; so rounding cannot make a cell wrong, only slow to find.

use super::grid::Grid;

/// Buckets at most: their table takes 256 KiB, and fits beside the knots into the cache of a core.
const MAX_BUCKETS: usize = 1 << 16;
const MIN_BUCKETS: usize = 16;
/// Knots that are compared at once.
const PROBES: usize = 4;
const ALL_PROBES: u32 = 4;
/// Values that are worked on together: their buckets stay in the nearest cache.
pub const CHUNK: usize = 512;

/// Adding it to a number in `[0, 2^51)` leaves that number, rounded, in the lowest bits: 2^52.
const ROUNDING: f64 = 4_503_599_627_370_496.0;
const MANTISSA: u64 = (1 << 52) - 1;

/// Where the values of a grid lie.
#[derive(Clone, Debug)]
pub struct Locator {
    map: Map,
    /// How many knots lie in earlier buckets; one more than there are buckets.
    first: Vec<u32>,
    /// The knots between −∞ and as many +∞ as are compared at once.
    knots: Vec<f64>,
}

impl Locator {
    pub fn new(grid: &Grid) -> Self {
        let knots = grid.knots();
        let buckets = knots.len().next_power_of_two().clamp(MIN_BUCKETS, MAX_BUCKETS);
        let map = Map::best(knots, buckets);
        let mut first = vec![0; buckets + 1];
        for &knot in knots {
            if let Some(count) = first.get_mut(map.bucket(knot) as usize + 1) {
                *count += 1;
            }
        }
        let mut before = 0;
        for count in &mut first {
            before += *count;
            *count = before;
        }
        let ends = [f64::INFINITY; PROBES];
        let knots = std::iter::once(f64::NEG_INFINITY).chain(knots.iter().copied()).chain(ends).collect();
        Self { map, first, knots }
    }

    /// For each finite value the number of knots below it, in `below`; at most [`CHUNK`] values. `buckets` is room to work in.
    pub fn below(&self, values: &[f64], buckets: &mut [u32; CHUNK], below: &mut [u32; CHUNK]) {
        self.map.buckets(values, buckets);
        // One after the other, so that each waits for as little memory as can be.
        for (below, bucket) in below.iter_mut().zip(buckets.iter()).take(values.len()) {
            *below = self.first.get(*bucket as usize).copied().unwrap_or(0);
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
        let end = self.first.get(bucket + 1).map_or(start, |end| *end as usize);
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

/// A monotone map from values to buckets.
#[derive(Clone, Copy, Debug)]
enum Map {
    /// Buckets of equal width.
    Linear { low: f64, per_unit: f64, last: f64 },
    /// Narrow buckets around the centre, and ever wider ones away from it: by the bits of `|x − centre| + softness`, which grow as its
    /// logarithm does. For heavy tails.
    Logarithmic { center: f64, softness: f64, low: i64, shift: u32, last: i64 },
}

/// How many times the interquartile range the softness may be, as powers of two.
const SOFTNESS: [i32; 6] = [-16, -10, -6, -4, -2, -1];
/// A linear map is this much quicker to compute than a logarithmic one, in comparisons of a knot.
const LINEAR_GAIN: f64 = 2.0;

impl Map {
    /// The map that leaves the fewest comparisons.
    fn best(knots: &[f64], buckets: usize) -> Self {
        let at = |part: usize, of: usize| knots.get(part * knots.len().saturating_sub(1) / of).copied().unwrap_or(0.0);
        let spread = at(3, 4) - at(1, 4);
        let linear =
            [(0, 1), (1, 4_096), (1, 256), (1, 32)].map(|(part, of)| Self::linear(at(part, of), at(of - part, of), buckets));
        let logarithmic =
            SOFTNESS.map(|exponent| Self::logarithmic(at(1, 2), spread * 2.0_f64.powi(exponent), at(0, 1), at(1, 1), buckets));
        let maps = linear.into_iter().chain(logarithmic).flatten();
        let costs = maps.map(|map| (map.comparisons(knots), map));
        costs.min_by(|(a, _), (b, _)| a.total_cmp(b)).map_or(Self::Linear { low: 0.0, per_unit: 1.0, last: 2.0 }, |(_, map)| map)
    }

    /// Equal buckets over a range; one bucket each for what lies below and above.
    fn linear(low: f64, high: f64, buckets: usize) -> Option<Self> {
        let per_unit = (buckets - 3) as f64 / (high - low);
        (per_unit > 0.0 && per_unit.is_finite()).then_some(Self::Linear { low, per_unit, last: (buckets - 1) as f64 })
    }

    fn logarithmic(center: f64, softness: f64, lowest: f64, highest: f64, buckets: usize) -> Option<Self> {
        if softness.is_nan() || softness <= 0.0 {
            return None;
        }
        let (low, high) = (steps(lowest, center, softness), steps(highest, center, softness));
        let room = i64::try_from(buckets).ok()? - 2;
        let shift = (0..63).find(|shift| (high - low) >> shift < room)?;
        Some(Self::Logarithmic { center, softness, low, shift, last: room + 1 })
    }

    /// The mean number of comparisons for a value that is distributed as the knots are, by a sample of them.
    fn comparisons(&self, knots: &[f64]) -> f64 {
        let (mut sum, mut run, mut last) = (0.0, 0.0, None);
        for knot in knots {
            let bucket = Some(self.bucket(*knot));
            if bucket != last {
                sum += run * run;
                run = 0.0;
            }
            run += 1.0;
            last = bucket;
        }
        let mean = (sum + run * run) / knots.len().max(1) as f64;
        if matches!(self, Self::Linear { .. }) { mean } else { mean + LINEAR_GAIN }
    }

    fn bucket(&self, value: f64) -> u32 {
        match *self {
            Self::Linear { low, per_unit, last } => linear_bucket(value, low, per_unit, last),
            Self::Logarithmic { center, softness, low, shift, last } => {
                logarithmic_bucket(value, center, softness, low, shift, last)
            }
        }
    }

    fn buckets(&self, values: &[f64], buckets: &mut [u32; CHUNK]) {
        let buckets = buckets.iter_mut().zip(values);
        match *self {
            Self::Linear { low, per_unit, last } => {
                buckets.for_each(|(bucket, value)| *bucket = linear_bucket(*value, low, per_unit, last));
            }
            Self::Logarithmic { center, softness, low, shift, last } => {
                buckets.for_each(|(bucket, value)| *bucket = logarithmic_bucket(*value, center, softness, low, shift, last));
            }
        }
    }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "clamped to the buckets")]
fn linear_bucket(value: f64, low: f64, per_unit: f64, last: f64) -> u32 {
    let place = (value - low) * per_unit + 1.0;
    let place = if place > 0.0 { place } else { 0.0 };
    let place = if place < last { place } else { last };
    ((place + ROUNDING).to_bits() & MANTISSA) as u32
}

#[inline]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the buckets")]
fn logarithmic_bucket(value: f64, center: f64, softness: f64, low: i64, shift: u32, last: i64) -> u32 {
    let place = (steps(value, center, softness) - low).max(-1) + 1;
    (place >> shift).min(last) as u32
}

/// How many doubles lie between the softness and `|x − centre| + softness`, every second one counted; negative below the centre.
#[inline]
fn steps(value: f64, center: f64, softness: f64) -> i64 {
    let distance = value - center;
    // Half of them, so that the difference of any two fits as well.
    let half = |positive: f64| (positive.to_bits() >> 1).cast_signed();
    let steps = half(distance.abs() + softness) - half(softness);
    if distance < 0.0 { -steps } else { steps }
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

    #[test]
    fn equal_buckets_lie_between_one_for_what_is_below_and_one_for_what_is_above() {
        // 20 buckets for ten units, and the two.
        let map = Map::linear(10.0, 20.0, 23).unwrap();
        let buckets = [f64::MIN, 9.0, 9.3, 10.0, 10.4, 15.0, 20.0, 20.4, 21.0, f64::MAX].map(|value| map.bucket(value));
        assert_eq!(buckets, [0, 0, 0, 1, 2, 11, 21, 22, 22, 22]);
        for (low, high) in [(5.0, 5.0), (6.0, 5.0), (f64::MIN, f64::MAX)] {
            assert!(Map::linear(low, high, 23).is_none());
        }
    }

    #[test]
    fn a_bucket_away_from_the_centre_is_as_wide_as_its_distance_is_long() {
        // A doubling of |x| + 1 is 2^52 doubles, of which every second one counts.
        assert_eq!([-3.0, -1.0, 0.0, 1.0, 3.0].map(|value| steps(value, 0.0, 1.0)), [-2, -1, 0, 1, 2].map(|number| number << 51));
        assert_eq!([5.0, 9.0].map(|value| steps(value, 6.0, 1.0)), [-1 << 51, 2 << 51]);
        // From −1 to 3 it is three doublings: four buckets each, where there is room for 14.
        let map = Map::logarithmic(0.0, 1.0, -1.0, 3.0, 16).unwrap();
        assert!(matches!(map, Map::Logarithmic { low, shift: 49, last: 15, .. } if low == -1 << 51), "{map:?}");
        let buckets = [f64::MIN, -2.0, -1.0, 0.0, 1.0, 3.0, f64::MAX].map(|value| map.bucket(value));
        assert_eq!(buckets, [0, 0, 0, 4, 8, 12, 15]);
        // Twelve buckets do not fit into twelve.
        assert!(matches!(Map::logarithmic(0.0, 1.0, -1.0, 3.0, 14).unwrap(), Map::Logarithmic { shift: 50, last: 13, .. }));
        // What lies below the lowest value has a bucket of its own.
        assert_eq!([-7.0, -1.0].map(|value| logarithmic_bucket(value, 0.0, 1.0, -1 << 51, 0, 99)), [0, 1]);
        for softness in [0.0, -1.0, f64::NAN] {
            assert!(Map::logarithmic(0.0, softness, -1.0, 3.0, 16).is_none());
        }
    }

    #[test]
    fn a_map_costs_as_many_comparisons_as_knots_share_a_bucket() {
        // Three, one and two knots to a bucket: (9 + 1 + 4)/6.
        let map = Map::Linear { low: 0.0, per_unit: 1.0, last: 10.0 };
        assert!((map.comparisons(&[0.0, 0.1, 0.2, 1.0, 2.0, 2.1]) - 14.0 / 6.0).abs() < 1e-15);
        assert!(map.comparisons(&[]).abs() < 1e-300);
        // One, two and one: 6/4, and what such a map costs more.
        let map = Map::logarithmic(0.0, 1.0, -1.0, 3.0, 16).unwrap();
        assert!((map.comparisons(&[-1.0, 0.0, 0.01, 1.0]) - (1.5 + LINEAR_GAIN)).abs() < 1e-15);
    }

    #[test]
    fn few_values_far_away_do_not_spoil_the_map() {
        let near: Vec<f64> = (0..1_000).map(f64::from).collect();
        let with = |far: &[f64]| {
            let mut knots: Vec<f64> = near.iter().chain(far).copied().collect();
            knots.sort_unstable_by(f64::total_cmp);
            knots
        };
        let is_linear = |knots: &[f64], from: f64, to: f64| match Map::best(knots, 1_024) {
            Map::Linear { low, per_unit, last } => {
                low.total_cmp(&from).is_eq() && (per_unit - 1_021.0 / (to - from)).abs() < 1e-12 && (last - 1_023.0).abs() < 1e-12
            }
            Map::Logarithmic { .. } => false,
        };
        assert!(is_linear(&near, 0.0, 999.0));
        // All but the last 4,096th, and all but the first and last 256th.
        assert!(is_linear(&with(&[1e9]), 0.0, 999.0));
        assert!(is_linear(&with(&[-1e9, 1e9]), 2.0, 996.0));
        // Where they are spread over many sizes, no equal buckets would do.
        let sizes: Vec<f64> = (-500..500).map(|number| (f64::from(number) / 25.0).sinh()).collect();
        let map = Map::best(&sizes, 1_024);
        assert!(matches!(map, Map::Logarithmic { .. }) && map.comparisons(&sizes) < 5.0, "{map:?} {}", map.comparisons(&sizes));
    }
}
