//! A sum of doubles of any size without rounding: integers by exponent.

use std::collections::BTreeMap;

use super::packed::{Packer, Unpacker};

/// An exact sum. Slow beside an addition, and the same whatever the order (after Neal 2015, arXiv:1505.05571).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExactSum {
    /// Signed mantissas, by the exponent of a double's lowest bit; 2^74 of them fit.
    mantissas: BTreeMap<i16, i128>,
    /// Whether a term was beyond the range of a double.
    overflowed: bool,
}

const MANTISSA_BITS: u32 = 52;
/// More than 2^40 mantissas come to: sums of such sums fit too.
const MOST: u128 = 1 << 100;
const EXPONENT: u64 = 0x7FF;

impl ExactSum {
    /// Adds a number; one that is not finite makes the sum so.
    pub fn add(&mut self, value: f64) {
        self.add_times(value, 1);
    }

    /// Adds a number so many times.
    pub fn add_times(&mut self, value: f64, times: u64) {
        if !value.is_finite() {
            self.overflowed = true;
            return;
        }
        let bits = value.to_bits();
        let mantissa = i128::from(bits & ((1 << MANTISSA_BITS) - 1));
        let exponent = i16::try_from(bits >> MANTISSA_BITS & EXPONENT).unwrap_or(0);
        // Numbers below the normal ones have no leading one.
        let (exponent, mantissa) = if exponent == 0 { (1, mantissa) } else { (exponent, mantissa | 1 << MANTISSA_BITS) };
        *self.mantissas.entry(exponent).or_default() += i128::from(times) * if value < 0.0 { -mantissa } else { mantissa };
    }

    pub fn merge(&mut self, other: &Self) {
        self.overflowed |= other.overflowed;
        for (exponent, mantissa) in &other.mantissas {
            *self.mantissas.entry(*exponent).or_default() += mantissa;
        }
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.mantissas.is_empty() && !self.overflowed
    }

    /// The sum, rounded; infinite where a term was.
    pub fn value(&self) -> f64 {
        if self.overflowed {
            return f64::INFINITY;
        }
        // From the smallest up, so that nothing is lost that the large ones do not hide. In two steps: the lowest bit of a double
        // alone may be smaller than any power that is computed at once.
        self.mantissas
            .iter()
            .map(|(exponent, mantissa)| (*mantissa as f64) * 2.0_f64.powi(i32::from(*exponent) - 1_023) * 2.0_f64.powi(-52))
            .sum()
    }

    pub fn pack(&self, to: &mut Packer) {
        to.count(u64::from(self.overflowed));
        to.length(self.mantissas.len());
        for (exponent, mantissa) in &self.mantissas {
            to.signed(i128::from(*exponent));
            to.signed(*mantissa);
        }
    }

    pub fn unpack(from: &mut Unpacker<'_>) -> Option<Self> {
        let overflowed = from.count()? > 0;
        let mut mantissas = BTreeMap::new();
        for _ in 0..from.length()? {
            let exponent = i16::try_from(from.signed()?).ok()?;
            mantissas.insert(exponent, from.signed().filter(|mantissa| mantissa.unsigned_abs() < MOST)?);
        }
        Some(Self { mantissas, overflowed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> ExactSum {
        let mut sum = ExactSum::default();
        for value in values {
            sum.add(*value);
        }
        sum
    }

    #[test]
    fn nothing_cancels_and_nothing_is_lost() {
        let is = |values: &[f64], sum: f64| of(values).value().to_bits() == sum.to_bits();
        assert!(is(&[1e300, 1.0, -1e300], 1.0));
        assert!(is(&[0.1; 10], 1.0));
        assert!(is(&[5e-324, 5e-324], 1e-323));
        assert!(is(&[f64::MAX, f64::MAX], f64::INFINITY));
        assert!(is(&[f64::NEG_INFINITY, 1.0], f64::INFINITY));
        assert!(is(&[-2.5, 1.0], -1.5));
    }

    #[test]
    fn the_order_does_not_matter() {
        let (mut a, b) = (of(&[1e10, 3e-7, -4.0]), of(&[7.0, -1e10]));
        a.merge(&b);
        assert_eq!(a, of(&[7.0, 3e-7, -1e10, -4.0, 1e10]));
    }

    #[test]
    fn a_sum_is_empty_until_something_was_added() {
        assert!(of(&[]).is_empty());
        assert!(!of(&[1.0]).is_empty() && !of(&[f64::INFINITY]).is_empty() && !of(&[1.0, f64::NAN]).is_empty());
    }

    #[test]
    fn one_infinite_part_makes_the_sum_so() {
        for (a, b) in [(1.0, f64::INFINITY), (f64::INFINITY, 1.0)] {
            let mut sum = of(&[a]);
            sum.merge(&of(&[b]));
            assert!(sum.value().is_infinite());
        }
        let mut sum = of(&[1.0]);
        sum.merge(&of(&[2.0]));
        assert!((sum.value() - 3.0).abs() < 1e-300);
    }

    #[test]
    fn a_packed_sum_reads_back_and_one_of_too_many_terms_is_refused() {
        let read = |sum: &ExactSum| {
            let mut packer = Packer::default();
            sum.pack(&mut packer);
            ExactSum::unpack(&mut Unpacker::new(&packer.into_bytes()))
        };
        for sum in [of(&[]), of(&[1e300, -2.5, 5e-324]), of(&[f64::INFINITY, 3.0])] {
            assert_eq!(read(&sum), Some(sum));
        }
        let most = i128::try_from(MOST).unwrap();
        for (mantissa, fits) in [(most - 1, true), (1 - most, true), (most, false), (-most, false)] {
            let sum = ExactSum { mantissas: BTreeMap::from([(1_000, mantissa)]), overflowed: false };
            assert_eq!(read(&sum).is_some(), fits, "{mantissa}");
        }
    }
}
