//! Values outside the range of the reference, by how far outside.

use super::packed::{Packer, Unpacker};

/// The exponents that a double can have.
const EXPONENTS: usize = 2_048;
/// Buckets to a doubling of the distance, as bits.
const BUCKET_BITS: u32 = 4;
const BUCKETS: usize = 1 << BUCKET_BITS;
/// What of a distance its bucket does not tell.
const REST_BITS: u32 = 52 - BUCKET_BITS;
/// More than 2^50 of them come to.
const MOST_REST: u128 = 1 << 100;

/// Counts by distance, in buckets whose width is a sixteenth of the distance: enough for a quantile of values far outside the
/// reference, in memory that knows no number of rows. Integers, so that parts merge; together they give the exact sum.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beyond {
    /// By exponent; as long as the largest needs.
    doublings: Vec<Option<Box<[Bucket; BUCKETS]>>>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    pub count: u64,
    /// The sum of the distances' lower bits.
    pub rest: u128,
}

impl Beyond {
    /// Adds a value at this distance, which is positive.
    pub fn add(&mut self, distance: f64) {
        let bits = distance.abs().to_bits();
        let rest = bits & ((1 << REST_BITS) - 1);
        self.add_bucket(usize::try_from(bits >> REST_BITS).unwrap_or(0), Bucket { count: 1, rest: u128::from(rest) });
    }

    /// Adds to a bucket by its number: the exponent and the first bits of the mantissa.
    pub fn add_bucket(&mut self, number: usize, more: Bucket) {
        let (exponent, within) = ((number >> BUCKET_BITS).min(EXPONENTS - 1), number % BUCKETS);
        if exponent >= self.doublings.len() {
            self.doublings.resize(exponent + 1, None);
        }
        let Some(doubling) = self.doublings.get_mut(exponent) else { return };
        if let Some(bucket) = doubling.get_or_insert_default().get_mut(within) {
            bucket.count += more.count;
            bucket.rest += more.rest;
        }
    }

    pub fn merge(&mut self, other: &Self) {
        for (number, bucket) in other.buckets() {
            self.add_bucket(number, bucket);
        }
    }

    /// The buckets with values in them, by their numbers, the nearest first.
    pub fn buckets(&self) -> impl DoubleEndedIterator<Item = (usize, Bucket)> {
        let doublings = self.doublings.iter().enumerate().filter_map(|(exponent, doubling)| Some((exponent, doubling.as_ref()?)));
        let buckets = doublings.flat_map(|(exponent, doubling)| {
            doubling.iter().enumerate().map(move |(within, bucket)| (exponent << BUCKET_BITS | within, *bucket))
        });
        buckets.filter(|(_, bucket)| bucket.count > 0)
    }

    pub fn pack(&self, to: &mut Packer) {
        to.length(self.buckets().count());
        for (number, bucket) in self.buckets() {
            to.length(number);
            to.count(bucket.count);
            to.unsigned(bucket.rest);
        }
    }

    pub fn unpack_into(&mut self, from: &mut Unpacker<'_>) -> Option<()> {
        let mut next = 0;
        for _ in 0..from.length()? {
            let number = usize::try_from(from.count()?).ok().filter(|number| *number >= next)?;
            next = number.checked_add(1)?;
            let (count, rest) = (from.rows()?, from.unsigned().filter(|rest| *rest < MOST_REST)?);
            self.add_bucket(number, Bucket { count, rest });
        }
        Some(())
    }

    /// `(from, to, count)` of each bucket, the nearest first.
    pub fn ranges(&self) -> impl DoubleEndedIterator<Item = (f64, f64, u64)> {
        self.buckets().map(|(number, bucket)| (edge(number), edge(number + 1), bucket.count))
    }

    /// All values.
    pub fn count(&self) -> u64 {
        self.buckets().map(|(_, bucket)| bucket.count).sum()
    }

    /// The sum of all distances.
    pub fn sum(&self) -> f64 {
        let of = |(number, bucket): (usize, Bucket)| {
            // What the lower bits are worth depends on the exponent: a bucket is as wide as 2^48 of them.
            let (low, high) = (edge(number), edge(number + 1));
            let width = if high.is_finite() { high - low } else { low - edge(number.saturating_sub(1)) };
            bucket.count as f64 * low + bucket.rest as f64 / (1_u64 << REST_BITS) as f64 * width
        };
        self.buckets().map(of).sum()
    }
}

fn edge(number: usize) -> f64 {
    f64::from_bits((number as u64) << REST_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(distances: &[f64]) -> Beyond {
        let mut beyond = Beyond::default();
        for distance in distances {
            beyond.add(*distance);
        }
        beyond
    }

    #[test]
    fn distances_are_known_to_a_sixteenth_and_their_sum_exactly() {
        let beyond = of(&[0.3, 5.0, 5.1, 1e6]);
        assert_eq!(beyond.count(), 4);
        assert!(
            beyond
                .ranges()
                .zip([0.3, 5.0, 1e6])
                .all(|((from, to, _), distance)| from <= distance && distance < to && to <= from * 1.07)
        );
        assert!((beyond.sum() - 1_000_010.4).abs() < 1e-9);
        assert!(of(&[]).sum().abs() < 1e-300);
        assert!((of(&[f64::MAX]).sum() / f64::MAX - 1.0).abs() < 1e-12);
    }

    #[test]
    fn parts_merge_exactly() {
        let (mut a, b) = (of(&[1.0, 2.5]), of(&[2.6, 1e-300]));
        a.merge(&b);
        assert_eq!(a, of(&[1e-300, 2.6, 2.5, 1.0]));
    }

    #[test]
    fn every_bucket_begins_where_the_one_before_ends() {
        let beyond = of(&[1.0, 1.07, 1.95, 2.0]);
        let found: Vec<(f64, f64, u64)> = beyond.ranges().collect();
        assert_eq!(found, [(1.0, 1.0625, 1), (1.0625, 1.125, 1), (1.9375, 2.0, 1), (2.0, 2.125, 1)]);
        assert_eq!(beyond.ranges().next_back(), Some((2.0, 2.125, 1)));
    }

    #[test]
    fn no_bucket_lies_beyond_the_largest_exponent() {
        let mut beyond = Beyond::default();
        beyond.add_bucket(40_005, Bucket { count: 2, rest: 7 });
        assert_eq!(beyond.buckets().map(|(number, _)| number).collect::<Vec<_>>(), [(2_047 << 4) + 5]);
        beyond.add_bucket((2_047 << 4) + 5, Bucket { count: 1, rest: 1 });
        assert_eq!(beyond.buckets().map(|(_, bucket)| bucket).collect::<Vec<_>>(), [Bucket { count: 3, rest: 8 }]);
    }

    #[test]
    fn packed_buckets_read_back_and_what_no_distances_come_to_is_refused() {
        let read = |buckets: &[(usize, u64, u128)]| {
            let mut packer = Packer::default();
            packer.length(buckets.len());
            for (number, count, rest) in buckets {
                packer.length(*number);
                packer.count(*count);
                packer.unsigned(*rest);
            }
            let mut beyond = Beyond::default();
            beyond.unpack_into(&mut Unpacker::new(&packer.into_bytes())).map(|()| beyond)
        };
        let beyond = of(&[0.3, 5.0, 5.1, 1e6, 1e-310]);
        let buckets: Vec<(usize, u64, u128)> =
            beyond.buckets().map(|(number, bucket)| (number, bucket.count, bucket.rest)).collect();
        assert_eq!(read(&buckets), Some(beyond.clone()));
        let mut packer = Packer::default();
        beyond.pack(&mut packer);
        let mut own = of(&[7.0]);
        own.unpack_into(&mut Unpacker::new(&packer.into_bytes())).unwrap();
        assert_eq!(own, of(&[0.3, 5.0, 5.1, 1e6, 1e-310, 7.0]));
        assert!(read(&[(5, 1, MOST_REST - 1), (6, 1, 0)]).is_some());
        assert!(read(&[(5, 1, MOST_REST)]).is_none());
        assert!(read(&[(5, 1, 0), (5, 1, 0)]).is_none() && read(&[(5, 1, 0), (4, 1, 0)]).is_none());
    }
}
