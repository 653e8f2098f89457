//! Mean, variance and extremes in one pass.

use serde::{Deserialize, Deserializer, Serialize};

/// Moments of the finite values seen.
///
/// Updated by Welford's recurrence and merged by that of Chan, Golub and LeVeque (1983, doi:10.1080/00031305.1983.10483115),
/// which do not cancel when the mean is large against the spread. Merging in another order changes the last digits only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Moments {
    n: u64,
    #[serde(deserialize_with = "or_nan")]
    mean: f64,
    /// Sum of the squared deviations from the mean.
    #[serde(deserialize_with = "or_nan")]
    squared_deviations: f64,
    min: f64,
    max: f64,
}

/// A sum that left the range of a double is `null` in JSON.
fn or_nan<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

impl Moments {
    pub fn update(&mut self, value: f64) {
        if self.n == 0 {
            *self = Self { n: 1, mean: value, squared_deviations: 0.0, min: value, max: value };
            return;
        }
        self.n += 1;
        let deviation = value - self.mean;
        self.mean += deviation / self.n as f64;
        self.squared_deviations += deviation * (value - self.mean);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    pub fn merge(&mut self, other: &Self) {
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            *self = *other;
            return;
        }
        let (n, m) = (self.n as f64, other.n as f64);
        let deviation = other.mean - self.mean;
        self.mean += deviation * (m / (n + m));
        self.squared_deviations += other.squared_deviations + deviation * deviation * (n * m / (n + m));
        self.n += other.n;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    pub fn n(&self) -> u64 {
        self.n
    }

    /// `None` without values, or when the sum left the range of a double.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0 && self.mean.is_finite()).then_some(self.mean)
    }

    /// The sample standard deviation, with n − 1 in the denominator. `None` below two values, or out of range.
    pub fn std(&self) -> Option<f64> {
        let std = (self.squared_deviations / (self.n.checked_sub(1)? as f64)).sqrt();
        (self.n > 1 && std.is_finite()).then_some(std)
    }

    pub fn min(&self) -> Option<f64> {
        (self.n > 0).then_some(self.min)
    }

    pub fn max(&self) -> Option<f64> {
        (self.n > 0).then_some(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Moments {
        let mut moments = Moments::default();
        for &value in values {
            moments.update(value);
        }
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
    fn one_value_has_a_mean_and_no_deviation() {
        assert_eq!(of(&[3.0]).mean(), Some(3.0));
        assert_eq!(of(&[3.0]).std(), None);
        assert_eq!(Moments::default().mean(), None);
        assert_eq!(Moments::default().std(), None);
    }

    #[test]
    fn a_large_offset_does_not_cancel_the_deviation() {
        let moments = of(&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]);
        // Sample variance of 4, 7, 13, 16 is 30.
        assert!((moments.std().unwrap() - 30.0_f64.sqrt()).abs() < 1e-9);
    }

    #[test]
    fn merging_parts_agrees_with_one_pass() {
        let values: Vec<f64> = (0..100).map(|i| f64::from(i * i % 37) / 7.0).collect();
        let whole = of(&values);
        for split in [0, 1, 50, 99, 100] {
            let mut left = of(&values[..split]);
            left.merge(&of(&values[split..]));
            assert_eq!(left.n(), whole.n());
            assert!((left.mean().unwrap() - whole.mean().unwrap()).abs() < 1e-12);
            assert!((left.std().unwrap() - whole.std().unwrap()).abs() < 1e-12);
        }
    }
}
