//! Mean, variance and extremes in one pass, the same whatever the order of the values.
//!
//! Values are summed as integers: in steps of the reference's own spread, from the middle of the reference. Integers have no
//! rounding that depends on the order, so parts merge exactly.

use super::exact::ExactSum;
use super::locator::CHUNK;
use super::packed::{Packer, Unpacker};

/// Steps to the spread: 36 bits, so that a single value is off by less than 10^-11 of it.
const STEPS: f64 = 68_719_476_736.0;
/// Values further from the centre than this many steps (a thousand spreads) are summed apart: the square of a step count must fit
/// 92 bits, to leave room for 2^36 rows.
const FAR: f64 = 70_368_744_177_664.0;
/// Adding it to a number between −2^51 and 2^51 leaves that number, rounded, in the lowest bits: 1.5 · 2^52.
const ROUNDING: f64 = 6_755_399_441_055_744.0;

/// Values whose extremes are found side by side.
const LANES: usize = 8;

/// In which units values are summed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    center: f64,
    /// A power of two, so that counting in steps does not round twice.
    step: f64,
}

impl Default for Scale {
    fn default() -> Self {
        Self::new(0.0, 1.0)
    }
}

impl Scale {
    /// Around a centre, for values that spread as much as this around it.
    pub fn new(center: f64, spread: f64) -> Self {
        let spread = if spread > 0.0 { spread } else { center.abs() };
        let step = (spread / STEPS).log2().ceil().exp2();
        // Where the spread itself is at an end of the range of doubles, any step will do.
        let is_usable = step.is_normal() && (1.0 / step).is_normal();
        Self { center, step: if is_usable { step } else { 1.0 / STEPS } }
    }
}

impl Scale {
    /// Where values are measured from.
    pub fn center(self) -> f64 {
        self.center
    }

    /// How many steps a difference of one is: a power of two.
    pub fn per_step(self) -> f64 {
        1.0 / self.step
    }

    /// Values from this many steps on are far away: they are not summed in steps.
    pub const FAR: f64 = FAR;
}

/// Moments of the finite values seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moments {
    scale: Scale,
    n: u64,
    /// In steps, of the values that are not far away.
    sum: i128,
    /// In squared steps.
    squares: u128,
    /// The differences from the centre of those that are, and their squares.
    far: Box<(ExactSum, ExactSum)>,
    extremes: Option<(f64, f64)>,
}

impl Moments {
    pub fn new(scale: Scale) -> Self {
        Self { scale, ..Self::default() }
    }

    /// Adds finite values.
    pub fn add(&mut self, values: &[f64]) {
        if values.is_empty() {
            return;
        }
        self.n += values.len() as u64;
        for values in values.chunks(CHUNK) {
            self.add_chunk(values);
        }
    }

    fn add_chunk(&mut self, values: &[f64]) {
        let Scale { center, step } = self.scale;
        let per_step = 1.0 / step;
        // Loops without branches, each over several values at once.
        let (mut low, mut high) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
        let mut steps = [0_i64; CHUNK];
        for (value, place) in values.iter().zip(&mut steps) {
            // What is far away gives nonsense here, and is put right below.
            *place =
                ((value - center) * per_step + ROUNDING).to_bits().cast_signed().wrapping_sub(ROUNDING.to_bits().cast_signed());
        }
        let (chunks, rest) = values.as_chunks::<LANES>();
        let mut last = [values.first().copied().unwrap_or_default(); LANES];
        last.iter_mut().zip(rest).for_each(|(place, value)| *place = *value);
        for chunk in chunks.iter().chain([&last]) {
            for ((low, high), value) in low.iter_mut().zip(&mut high).zip(chunk) {
                *low = if *value < *low { *value } else { *low };
                *high = if *value > *high { *value } else { *high };
            }
        }
        // Adding zero turns −0.0 into 0.0.
        let (low, high) =
            (low.into_iter().fold(f64::INFINITY, f64::min) + 0.0, high.into_iter().fold(f64::NEG_INFINITY, f64::max) + 0.0);
        self.extremes = Some(self.extremes.map_or((low, high), |(lowest, highest)| (lowest.min(low), highest.max(high))));
        let is_far = |value: f64| ((value - center) * per_step).abs() >= FAR;
        // No value is further away than both extremes.
        if is_far(low) || is_far(high) {
            for (value, place) in values.iter().zip(&mut steps) {
                if is_far(*value) {
                    *place = 0;
                    self.add_far(*value);
                }
            }
        }
        let steps = steps.get(..values.len()).unwrap_or_default();
        // Fewer than 2^10 of less than 2^47 each.
        self.sum += i128::from(steps.iter().sum::<i64>());
        self.squares += steps.iter().map(|steps| (i128::from(*steps) * i128::from(*steps)).unsigned_abs()).sum::<u128>();
    }

    #[cold]
    fn add_far(&mut self, value: f64) {
        let difference = value - self.scale.center;
        self.far.0.add(difference);
        self.far.1.add(difference * difference);
    }

    /// Adds the moments of other values in the same units.
    pub fn merge(&mut self, other: &Self) {
        if other.n == 0 {
            return;
        }
        self.n += other.n;
        self.sum += other.sum;
        self.squares = self.squares.saturating_add(other.squares);
        self.far.0.merge(&other.far.0);
        self.far.1.merge(&other.far.1);
        self.extremes = match (self.extremes, other.extremes) {
            (Some((low, high)), Some((lower, higher))) => Some((low.min(lower), high.max(higher))),
            (own, others) => own.or(others),
        };
    }

    /// Adds what was summed elsewhere: the extremes of `n` finite values, and of those that are not far away the sum in steps and that of
    /// the squares. The others are to be given to [`Self::add_far_sums`].
    pub fn add_sums(&mut self, n: u64, (low, high): (f64, f64), sum: i128, squares: u128) {
        if n > 0 {
            self.merge(&Self { n, sum, squares, extremes: Some((low + 0.0, high + 0.0)), ..Self::new(self.scale) });
        }
    }

    /// Adds to the sums, and to nothing else, a value that is far away and occurs so many times.
    pub fn add_far_sums(&mut self, value: f64, times: u64) {
        let difference = value - self.scale.center;
        self.far.0.add_times(difference, times);
        self.far.1.add_times(difference * difference, times);
    }

    /// Gives up the sums, where values that are far away are not known one by one: there is no mean then and no deviation.
    pub fn without_sums(&mut self) {
        self.far.0.add(f64::NAN);
        self.far.1.add(f64::NAN);
    }

    pub fn n(&self) -> u64 {
        self.n
    }

    /// `None` without values, or when the sum left the range of a double.
    pub fn mean(&self) -> Option<f64> {
        let (low, high) = self.extremes?;
        let mean = self.scale.center + self.deviation();
        mean.is_finite().then_some(mean.clamp(low, high))
    }

    /// Of the mean from the centre.
    fn deviation(&self) -> f64 {
        (self.sum as f64 * self.scale.step + self.far.0.value()) / self.n as f64
    }

    /// The sample standard deviation, with n − 1 in the denominator. `None` below two values, or out of range.
    pub fn std(&self) -> Option<f64> {
        let (low, high) = self.extremes?;
        if self.n < 2 {
            return None;
        }
        if low >= high {
            return Some(0.0);
        }
        let std = (self.squared_deviations() / (self.n - 1) as f64).sqrt();
        std.is_finite().then_some(std)
    }

    fn squared_deviations(&self) -> f64 {
        let Scale { step, .. } = self.scale;
        if self.far.0.is_empty() {
            // From the mean, rounded to a step: exact in integers, whose differences are right even where a term wraps around.
            let n = i128::from(self.n);
            let mean = self.sum.div_euclid(n);
            let rest = (self.sum - mean * n) as f64;
            let squares = self.squares.cast_signed();
            let around = squares
                .wrapping_sub(mean.wrapping_mul(self.sum).wrapping_mul(2))
                .wrapping_add(n.wrapping_mul(mean.wrapping_mul(mean)));
            return (around.cast_unsigned() as f64 - rest * rest / n as f64).max(0.0) * step * step;
        }
        let squares = self.squares as f64 * step * step + self.far.1.value();
        let deviation = self.deviation();
        let around = squares - deviation * deviation * self.n as f64;
        // Out of range stays out of range.
        if around < 0.0 { 0.0 } else { around }
    }

    pub fn scale(&self) -> Scale {
        self.scale
    }

    pub fn pack(&self, to: &mut Packer) {
        to.count(self.n);
        let Some((low, high)) = self.extremes else { return };
        to.double(low);
        to.double(high);
        to.signed(self.sum);
        to.unsigned(self.squares);
        self.far.0.pack(to);
        self.far.1.pack(to);
    }

    /// What was packed in these units; `None` where it was not.
    pub fn unpack(scale: Scale, from: &mut Unpacker<'_>) -> Option<Self> {
        let n = from.rows()?;
        if n == 0 {
            return Some(Self::new(scale));
        }
        let extremes =
            Some((from.double()?, from.double()?)).filter(|(low, high)| low <= high && low.is_finite() && high.is_finite());
        let (sum, squares) = (from.signed()?, from.unsigned()?);
        // No value is further away than that: the sums of many parts do not overflow either.
        (sum.unsigned_abs() <= u128::from(n) << 46).then_some(())?;
        let far = Box::new((ExactSum::unpack(from)?, ExactSum::unpack(from)?));
        Some(Self { scale, n, sum, squares, far, extremes: Some(extremes?) })
    }

    pub fn min(&self) -> Option<f64> {
        self.extremes.map(|(low, _)| low)
    }

    pub fn max(&self) -> Option<f64> {
        self.extremes.map(|(_, high)| high)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[f64]) -> Moments {
        let mut moments = Moments::default();
        moments.add(values);
        moments
    }

    #[test]
    fn moments_of_small_integers_are_exact() {
        let moments = of(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]);
        assert_eq!(moments.mean(), Some(5.0));
        // 32 / 7, by hand.
        assert!((moments.std().unwrap() - (32.0_f64 / 7.0).sqrt()).abs() < 1e-15);
        assert_eq!((moments.min(), moments.max()), (Some(2.0), Some(9.0)));
    }

    #[test]
    fn one_value_has_a_mean_and_no_deviation_and_a_constant_deviates_by_nothing() {
        assert_eq!(of(&[3.1]).mean(), Some(3.1));
        assert_eq!(of(&[3.1]).std(), None);
        assert_eq!((of(&[0.3; 7]).mean(), of(&[0.3; 7]).std()), (Some(0.3), Some(0.0)));
        assert_eq!((Moments::default().mean(), Moments::default().std()), (None, None));
    }

    #[test]
    fn a_large_offset_does_not_cancel_the_deviation() {
        let values = [1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0];
        let mut moments = Moments::new(Scale::new(1e9 + 10.0, 9.0));
        moments.add(&values);
        // Sample variance of 4, 7, 13, 16 is 30.
        assert!((moments.std().unwrap() - 30.0_f64.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn what_is_far_away_counts_too() {
        let moments = of(&[-999_999.0, 1.0, 2.0, 3.0]);
        // numpy.mean, numpy.std(ddof=1) of these.
        assert!((moments.mean().unwrap() + 249_998.25).abs() < 1e-9);
        assert!((moments.std().unwrap() - 500_000.500_001).abs() < 1e-5);
        assert_eq!(of(&[1e200, -1e200, 5.0]).mean().map(|mean| (mean - 5.0 / 3.0).abs() < 1e-9), Some(true));
        assert_eq!(of(&[f64::MAX, f64::MAX, f64::MIN]).std(), None);
    }

    proptest! {
        #[test]
        fn they_are_what_the_textbook_says_and_any_split_merges_to_the_same_bits(
            values in prop::collection::vec(prop_oneof![-5.0..5.0, -1e7..1e7], 2..200), split in 0_usize..200,
        ) {
            let whole = of(&values);
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let std = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
            let size = values.iter().fold(1.0_f64, |size, value| size.max(value.abs()));
            prop_assert!((whole.mean().unwrap() - mean).abs() <= 1e-11 * size);
            prop_assert!((whole.std().unwrap() - std).abs() <= 1e-9 * size);
            let (first, second) = values.split_at(split.min(values.len()));
            let mut merged = of(second);
            merged.merge(&of(first));
            prop_assert_eq!(merged, whole);
        }
    }

    /// Finite, of every size.
    fn any_finite() -> impl Strategy<Value = f64> {
        use prop::num::f64::{NEGATIVE, NORMAL, POSITIVE, SUBNORMAL, ZERO};
        let extreme = prop_oneof![Just(f64::MAX), Just(f64::MIN), Just(f64::MIN_POSITIVE), Just(5e-324), Just(-0.0)];
        prop_oneof![4 => -9.0..9.0, 2 => POSITIVE | NEGATIVE | NORMAL | SUBNORMAL | ZERO, 1 => extreme]
    }

    proptest! {
        #[test]
        fn neither_split_nor_order_nor_size_matter(
            (values, shuffled) in prop::collection::vec(any_finite(), 1..300)
                .prop_flat_map(|values| (Just(values.clone()), Just(values).prop_shuffle())),
            (center, spread) in (any_finite(), any_finite()),
            part_values in 1_usize..300,
        ) {
            let of = |values: &[f64]| {
                let mut moments = Moments::new(Scale::new(center, spread.abs()));
                moments.add(values);
                moments
            };
            let whole = of(&values);
            let mut merged = of(&[]);
            for part in shuffled.chunks(part_values) {
                merged.merge(&of(part));
            }
            prop_assert_eq!(&merged, &whole);
            let (low, high) = (whole.min().unwrap(), whole.max().unwrap());
            prop_assert!(values.iter().all(|value| low <= *value && *value <= high));
            prop_assert!(whole.mean().is_none_or(|mean| low <= mean && mean <= high));
            prop_assert!(whole.std().is_none_or(|std| std >= 0.0 && std.is_finite()));
        }
    }

    /// numpy.mean, numpy.std(ddof=1).
    #[test]
    fn what_is_near_and_what_is_far_away_make_one_mean_and_one_deviation() {
        let is = |moments: &Moments, mean: f64, std: f64| {
            let found = (moments.mean().unwrap(), moments.std().unwrap());
            assert!((found.0 - mean).abs() <= 1e-10 * mean.abs() && (found.1 - std).abs() <= 1e-10 * std, "{found:?}");
        };
        is(&of(&[0.1, 0.7, -0.4, 3.25, 2.5]), 1.23, 1.573_848_785_620_778);
        is(&of(&[-1_500.0, 900.0, 1_000.5, -700.25, 3.0, 2_048.0]), 291.875, 1_283.317_358_937_375_3);
        is(&of(&[-999_999.0, 1.0, 2.0, 3.0]), -249_998.25, 500_000.500_000_666_65);
        // In other units; near and far in different parts.
        let part = |values: &[f64]| {
            let mut moments = Moments::new(Scale::new(0.5, 0.25));
            moments.add(values);
            moments
        };
        let mut merged = part(&[-1_500.0, 900.0, 1_000.5]);
        merged.merge(&part(&[-700.25, 3.0, 2_048.0]));
        is(&merged, 291.875, 1_283.317_358_937_375_3);
        assert_eq!((merged.n(), merged.min(), merged.max()), (6, Some(-1_500.0), Some(2_048.0)));
    }

    #[test]
    fn a_mean_between_two_steps_loses_nothing() {
        let step = 2.0_f64.powi(-36);
        let moments = of(&[0.0, 0.0, 1.0, 6.0].map(|steps| steps * step));
        // By hand: 37 − 7²/4 = 24.75, over three.
        assert!((moments.std().unwrap() / step - 8.25_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn neighbours_far_away_deviate_by_nothing_where_their_squares_round() {
        let moments = of(&[134_365_975.383_913, 134_365_975.383_913_04]);
        assert_eq!(moments.std(), Some(0.0));
    }

    #[test]
    fn both_zeros_are_one_extreme() {
        for values in [[-0.0, 0.0], [0.0, -0.0], [-0.0, -0.0]] {
            let moments = of(&values);
            assert!(moments.min().unwrap().is_sign_positive() && moments.max().unwrap().is_sign_positive());
        }
    }

    #[test]
    fn packed_moments_read_back_and_those_that_no_values_have_are_refused() {
        let scale = Scale::new(0.5, 0.25);
        let read = |moments: &Moments| {
            let mut packer = Packer::default();
            moments.pack(&mut packer);
            let bytes = packer.into_bytes();
            let mut unpacker = Unpacker::new(&bytes);
            let read = Moments::unpack(scale, &mut unpacker)?;
            assert!(unpacker.is_empty());
            Some(read)
        };
        let mut moments = Moments::new(scale);
        assert_eq!(read(&moments), Some(moments.clone()));
        moments.add(&[-7.5, 1e9, -3e200, 0.25]);
        assert_eq!(read(&moments), Some(moments.clone()));
        let with = |sum: i128, extremes: (f64, f64)| Moments { sum, extremes: Some(extremes), ..moments.clone() };
        // Four values, none further away than 2^46 steps.
        for (sum, fits) in [(1 << 48, true), (-(1 << 48), true), ((1 << 48) + 1, false), (-(1 << 48) - 1, false)] {
            assert_eq!(read(&with(sum, (1.0, 2.0))).is_some(), fits, "{sum}");
        }
        assert!(read(&with(7, (2.0, 2.0))).is_some());
        for extremes in [(2.0, 1.0), (f64::NEG_INFINITY, 1.0), (1.0, f64::INFINITY), (f64::NAN, 1.0)] {
            assert!(read(&with(7, extremes)).is_none(), "{extremes:?}");
        }
    }

    #[test]
    fn steps_are_small_against_the_spread_and_the_centre_stands_in_for_none() {
        let step = |center: f64, spread: f64| Scale::new(center, spread).step;
        assert_eq!(Moments::new(Scale::new(3.0, 1.5)).scale(), Scale::new(3.0, 1.5));
        // The power of two from the spread's 2^−36 on.
        let exponents = |steps: [f64; 3]| steps.into_iter().map(f64::log2).collect::<Vec<_>>();
        assert_eq!(exponents([step(3.0, 1.0), step(3.0, 1.5), step(3.0, 2.0)]), [-36.0, -35.0, -35.0]);
        assert_eq!(exponents([step(-8.0, 0.0), step(0.0, 0.0), step(0.0, 1e-300)]), [-33.0, -36.0, -36.0]);
    }
}
