//! Where a rising function crosses zero.

/// How close a search comes, as a part of the interval that is searched: 2^-40.
const PRECISION: f64 = 9.094_947_017_729_282e-13;

/// The smallest value between both at which a rising function is not negative, to within [`PRECISION`] of the interval; `None` where it is
/// negative even at the end.
///
/// By the ITP method (Oliveira & Takahashi 2020, ACM Trans. Math. Softw. 47:5, doi:10.1145/3423597): near the secant where that is good, and
/// with at most four questions more than halving takes.
pub fn smallest(low: f64, high: f64, rising: impl Fn(f64) -> f64) -> Option<f64> {
    let (at_low, at_high) = (rising(low), rising(high));
    if at_low >= 0.0 {
        return Some(low);
    }
    if at_high.is_nan() || at_high < 0.0 {
        return None;
    }
    let whole = high - low;
    let least = whole * PRECISION;
    let mut room = whole * 16.0;
    let (mut low, mut high) = ((low, at_low), (high, at_high));
    while high.0 - low.0 > least {
        let width = high.0 - low.0;
        let middle = f64::midpoint(low.0, high.0);
        let secant = high.0 - width * high.1 / (high.1 - low.1);
        // Towards the middle, so that both ends close in on the zero (κ₂ = 3/2); and no further from the middle than halving can make good.
        let push = 0.1 * width * (width / whole).sqrt();
        let from_middle = if secant.is_finite() { secant - middle } else { 0.0 };
        let distance = (from_middle.abs() - push).clamp(0.0, (room - width / 2.0).max(0.0));
        let next = middle + from_middle.signum() * distance;
        let at_next = rising(next);
        *(if at_next >= 0.0 { &mut high } else { &mut low }) = (next, at_next);
        room /= 2.0;
    }
    Some(high.0)
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ContinuousCDF, Normal};

    use super::*;

    /// Both ends, a rising function, and its zero.
    type Case<'a> = (f64, f64, &'a dyn Fn(f64) -> f64, f64);

    #[test]
    fn a_search_ends_within_its_precision_above_the_zero_and_asks_little() {
        let asked = std::cell::Cell::new(0);
        let search = |low: f64, high: f64, rising: &dyn Fn(f64) -> f64| {
            asked.set(0);
            smallest(low, high, |x| {
                asked.set(asked.get() + 1);
                rising(x)
            })
        };
        let normal = Normal::standard();
        let cases: [Case<'_>; 6] = [
            (0.0, 12.0, &|x| normal.cdf(4.0 * x - 9.0) - 0.8, (9.0 + normal.inverse_cdf(0.8)) / 4.0),
            (0.0, 1e6, &|x| 0.001 - (-x / 2.0).exp(), 2.0 * 1_000.0_f64.ln()),
            (0.0, 1.0, &|x| x.powi(9) - 0.5, 0.5_f64.powf(1.0 / 9.0)),
            (0.0, 10.0, &|x| if x < 7.0 { -1e-9 } else { 1e9 }, 7.0),
            (-1.0, 1.0, &|x| if x < 0.25 { f64::NAN } else { 1.0 }, 0.25),
            (0.0, 10.0, &|x| (x - 3.0).powi(3), 3.0),
        ];
        for (number, (low, high, rising, zero)) in cases.into_iter().enumerate() {
            let found = search(low, high, rising).unwrap();
            // The cube of what a double can still tell from 3 is no more than that of 1e-5.
            let near = if number == 5 { 1e-5 } else { (high - low) * 1e-11 };
            assert!((found - zero).abs() < near, "{number}: {found} and not {zero}");
            let before = rising(found - (high - low) * PRECISION * 1.01);
            assert!(rising(found) >= 0.0 && (before < 0.0 || before.is_nan()), "{number}: {found}");
            assert!(asked.get() <= if [0, 2].contains(&number) { 20 } else { 47 }, "{number}: asked {} times", asked.get());
        }
        assert_eq!(search(0.0, 1.0, &|x| x - 2.0), None);
        assert_eq!(search(0.0, 1.0, &|_| f64::NAN), None);
        assert_eq!(search(0.5, 1.0, &|x| x), Some(0.5));
    }
}
