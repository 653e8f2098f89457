//! A monotone map from values to buckets: a curve; or, where it leaves too many knots to one bucket, pieces of a curve, each with equal
//! buckets of its own.

use super::{CHUNK, PROBES};

/// Adding it to a number in `[0, 2^51)` leaves that number, rounded, in the lowest bits: 2^52.
const ROUNDING: f64 = 4_503_599_627_370_496.0;
const MANTISSA: u64 = (1 << 52) - 1;

/// Pieces of a curve: what tells of them fits the nearest cache.
const PIECES: usize = 256;
/// The share of values that may have to be searched for in their bucket before pieces are worth what they take.
const MOST_SEARCHED: f64 = 0.25;

/// A monotone map from values to buckets.
#[derive(Clone, Debug)]
pub struct Map {
    curve: Curve,
    /// One for each bucket of the curve; none where these are the buckets.
    pieces: Vec<Piece>,
}

/// Equal buckets over the knots of a bucket of a curve: where the knots crowd together in places that are far apart.
#[derive(Clone, Copy, Debug)]
struct Piece {
    low: f64,
    per_unit: f64,
    /// The buckets of the pieces before.
    before: f64,
    /// Its last bucket, from its first.
    last: f64,
}

impl Map {
    /// The map over knots, ascending, that leaves the fewest values to be searched for; at most so many buckets.
    pub fn best(knots: &[f64], buckets: usize) -> Self {
        let alone = Self { curve: Curve::best(knots, buckets), pieces: Vec::new() };
        let searched = alone.searched(knots);
        if searched <= MOST_SEARCHED || buckets < 2 * PIECES {
            return alone;
        }
        let pieces = Self::of_pieces(knots, buckets);
        if pieces.searched(knots) < searched { pieces } else { alone }
    }

    /// The buckets are shared out as the knots are; each piece has at least one.
    fn of_pieces(knots: &[f64], buckets: usize) -> Self {
        let curve = Curve::best(knots, PIECES);
        let (mut before, mut rest) = (0, knots);
        let piece = |bucket: u32| {
            let (own, after) = rest.split_at(rest.partition_point(|knot| curve.bucket(*knot) <= bucket));
            rest = after;
            let last = own.len() * (buckets - PIECES) / knots.len().max(1);
            let ends = own.first().zip(own.last());
            let (low, per_unit) = ends.map_or((0.0, 0.0), |(low, high)| (*low, last as f64 / (high - low)));
            // One knot, or knots nearer to each other than can be told apart.
            let per_unit = if per_unit.is_finite() { per_unit } else { 0.0 };
            let piece = Piece { low, per_unit, before: before as f64, last: last as f64 };
            before += last + 1;
            piece
        };
        let pieces = (0..).take(PIECES).map(piece).collect();
        Self { curve, pieces }
    }

    /// The share of values to be searched for in their bucket, where they are distributed as the knots are: those behind more knots than are
    /// compared at once.
    fn searched(&self, knots: &[f64]) -> f64 {
        mean_of_shared(knots, |knot| self.bucket(knot), |shared| shared.saturating_sub(PROBES))
    }

    /// Where a finite value lies.
    pub fn bucket(&self, value: f64) -> u32 {
        let bucket = self.curve.bucket(value);
        if self.pieces.is_empty() { bucket } else { self.in_piece(bucket, value) }
    }

    /// The same for at most [`CHUNK`] values.
    pub fn buckets(&self, values: &[f64], buckets: &mut [u32; CHUNK]) {
        self.curve.buckets(values, buckets);
        if !self.pieces.is_empty() {
            buckets.iter_mut().zip(values).for_each(|(bucket, value)| *bucket = self.in_piece(*bucket, *value));
        }
    }

    #[inline]
    fn in_piece(&self, bucket: u32, value: f64) -> u32 {
        self.pieces.get(bucket as usize).map_or(0, |piece| piece.bucket(value))
    }
}

impl Piece {
    #[inline]
    fn bucket(&self, value: f64) -> u32 {
        let place = clamped((value - self.low) * self.per_unit, self.last);
        rounded(place + self.before)
    }
}

/// A monotone map from values to buckets.
#[derive(Clone, Copy, Debug)]
enum Curve {
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

impl Curve {
    /// The curve that leaves the fewest comparisons.
    fn best(knots: &[f64], buckets: usize) -> Self {
        let at = |part: usize, of: usize| knots.get(part * knots.len().saturating_sub(1) / of).copied().unwrap_or(0.0);
        let spread = at(3, 4) - at(1, 4);
        let linear =
            [(0, 1), (1, 4_096), (1, 256), (1, 32)].map(|(part, of)| Self::linear(at(part, of), at(of - part, of), buckets));
        let logarithmic =
            SOFTNESS.map(|exponent| Self::logarithmic(at(1, 2), spread * 2.0_f64.powi(exponent), at(0, 1), at(1, 1), buckets));
        let curves = linear.into_iter().chain(logarithmic).flatten();
        let costs = curves.map(|curve| (curve.comparisons(knots), curve));
        costs
            .min_by(|(a, _), (b, _)| a.total_cmp(b))
            .map_or(Self::Linear { low: 0.0, per_unit: 1.0, last: 2.0 }, |(_, curve)| curve)
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
        let mean = mean_of_shared(knots, |knot| self.bucket(knot), |shared| shared * shared);
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

/// The sum over all buckets of what is made of the number of knots that share one, to a knot.
fn mean_of_shared(knots: &[f64], bucket: impl Fn(f64) -> u32, of: impl Fn(usize) -> usize) -> f64 {
    let (mut sum, mut shared, mut last) = (0, 0, None);
    for knot in knots {
        let bucket = Some(bucket(*knot));
        if bucket != last {
            sum += of(shared);
            shared = 0;
        }
        shared += 1;
        last = bucket;
    }
    (sum + of(shared)) as f64 / knots.len().max(1) as f64
}

#[inline]
fn linear_bucket(value: f64, low: f64, per_unit: f64, last: f64) -> u32 {
    rounded(clamped((value - low) * per_unit + 1.0, last))
}

/// Between zero and the last.
#[inline]
fn clamped(place: f64, last: f64) -> f64 {
    let place = if place > 0.0 { place } else { 0.0 };
    if place < last { place } else { last }
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "clamped to the buckets")]
fn rounded(place: f64) -> u32 {
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
    use super::*;

    #[test]
    fn equal_buckets_lie_between_one_for_what_is_below_and_one_for_what_is_above() {
        // 20 buckets for ten units, and the two.
        let map = Curve::linear(10.0, 20.0, 23).unwrap();
        let buckets = [f64::MIN, 9.0, 9.3, 10.0, 10.4, 15.0, 20.0, 20.4, 21.0, f64::MAX].map(|value| map.bucket(value));
        assert_eq!(buckets, [0, 0, 0, 1, 2, 11, 21, 22, 22, 22]);
        for (low, high) in [(5.0, 5.0), (6.0, 5.0), (f64::MIN, f64::MAX)] {
            assert!(Curve::linear(low, high, 23).is_none());
        }
    }

    #[test]
    fn a_bucket_away_from_the_centre_is_as_wide_as_its_distance_is_long() {
        // A doubling of |x| + 1 is 2^52 doubles, of which every second one counts.
        assert_eq!([-3.0, -1.0, 0.0, 1.0, 3.0].map(|value| steps(value, 0.0, 1.0)), [-2, -1, 0, 1, 2].map(|number| number << 51));
        assert_eq!([5.0, 9.0].map(|value| steps(value, 6.0, 1.0)), [-1 << 51, 2 << 51]);
        // From −1 to 3 it is three doublings: four buckets each, where there is room for 14.
        let map = Curve::logarithmic(0.0, 1.0, -1.0, 3.0, 16).unwrap();
        assert!(matches!(map, Curve::Logarithmic { low, shift: 49, last: 15, .. } if low == -1 << 51), "{map:?}");
        let buckets = [f64::MIN, -2.0, -1.0, 0.0, 1.0, 3.0, f64::MAX].map(|value| map.bucket(value));
        assert_eq!(buckets, [0, 0, 0, 4, 8, 12, 15]);
        // Twelve buckets do not fit into twelve.
        assert!(matches!(Curve::logarithmic(0.0, 1.0, -1.0, 3.0, 14).unwrap(), Curve::Logarithmic { shift: 50, last: 13, .. }));
        // What lies below the lowest value has a bucket of its own.
        assert_eq!([-7.0, -1.0].map(|value| logarithmic_bucket(value, 0.0, 1.0, -1 << 51, 0, 99)), [0, 1]);
        for softness in [0.0, -1.0, f64::NAN] {
            assert!(Curve::logarithmic(0.0, softness, -1.0, 3.0, 16).is_none());
        }
    }

    #[test]
    fn a_map_costs_as_many_comparisons_as_knots_share_a_bucket() {
        // Three, one and two knots to a bucket: (9 + 1 + 4)/6.
        let map = Curve::Linear { low: 0.0, per_unit: 1.0, last: 10.0 };
        assert!((map.comparisons(&[0.0, 0.1, 0.2, 1.0, 2.0, 2.1]) - 14.0 / 6.0).abs() < 1e-15);
        assert!(map.comparisons(&[]).abs() < 1e-300);
        // One, two and one: 6/4, and what such a map costs more.
        let map = Curve::logarithmic(0.0, 1.0, -1.0, 3.0, 16).unwrap();
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
        let is_linear = |knots: &[f64], from: f64, to: f64| match Curve::best(knots, 1_024) {
            Curve::Linear { low, per_unit, last } => {
                low.total_cmp(&from).is_eq() && (per_unit - 1_021.0 / (to - from)).abs() < 1e-12 && (last - 1_023.0).abs() < 1e-12
            }
            Curve::Logarithmic { .. } => false,
        };
        assert!(is_linear(&near, 0.0, 999.0));
        // All but the last 4,096th, and all but the first and last 256th.
        assert!(is_linear(&with(&[1e9]), 0.0, 999.0));
        assert!(is_linear(&with(&[-1e9, 1e9]), 2.0, 996.0));
        // Where they are spread over many sizes, no equal buckets would do.
        let sizes: Vec<f64> = (-500..500).map(|number| (f64::from(number) / 25.0).sinh()).collect();
        let map = Curve::best(&sizes, 1_024);
        assert!(matches!(map, Curve::Logarithmic { .. }) && map.comparisons(&sizes) < 5.0, "{map:?} {}", map.comparisons(&sizes));
    }

    /// Sixteen crowds a long way from one another: a curve gives each a few buckets.
    fn crowds() -> Vec<f64> {
        (-8..8).flat_map(|crowd| (0..100).map(move |number| f64::from(crowd) * 1e12 + f64::from(number))).collect()
    }

    #[test]
    fn crowds_far_apart_have_buckets_of_their_own() {
        let knots = crowds();
        let alone = Map { curve: Curve::best(&knots, 2_048), pieces: Vec::new() };
        // Of a hundred to a bucket all but four.
        assert!((alone.searched(&knots) - 0.96).abs() < 1e-12);
        let map = Map::best(&knots, 2_048);
        // 112 buckets for a hundred knots.
        assert!(map.searched(&knots) < 1e-12 && map.pieces.len() == PIECES);
        let buckets: Vec<u32> = knots.iter().map(|knot| map.bucket(*knot)).collect();
        assert!(buckets.is_sorted() && buckets[0] < 2_048 && buckets[1_599] < 2_048, "{buckets:?}");
        let distinct: std::collections::BTreeSet<u32> = buckets.iter().copied().collect();
        assert_eq!(distinct.len(), 1_600);
    }

    #[test]
    fn no_larger_value_is_in_an_earlier_bucket_of_pieces() {
        let mut values: Vec<f64> = crowds().into_iter().flat_map(|knot| [knot - 0.5, knot, knot + 1e9, knot + 5e11]).collect();
        values.extend([f64::MIN, f64::MAX, 0.0, -1e-300, 1e-300]);
        values.sort_unstable_by(f64::total_cmp);
        let map = Map::best(&crowds(), 2_048);
        let mut buckets = [0; CHUNK];
        let found: Vec<u32> = values
            .chunks(CHUNK)
            .flat_map(|chunk| {
                map.buckets(chunk, &mut buckets);
                buckets[..chunk.len()].to_vec()
            })
            .collect();
        assert!(found.is_sorted() && found.iter().all(|bucket| *bucket < 2_048));
        assert!(values.iter().zip(&found).all(|(value, bucket)| map.bucket(*value) == *bucket));
    }

    #[test]
    fn pieces_are_not_for_knots_that_a_curve_spreads_nor_for_few_buckets() {
        let even: Vec<f64> = (0..1_600).map(f64::from).collect();
        assert!(Map::best(&even, 2_048).pieces.is_empty());
        assert!(Map::best(&crowds(), PIECES).pieces.is_empty());
    }
}
