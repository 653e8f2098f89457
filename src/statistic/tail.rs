//! Tail probabilities of standard distributions, clamped to [0, 1] and defined for every input.

use statrs::function::erf::erfc;
use statrs::function::gamma::{checked_gamma_ur, ln_gamma};

/// `P(X > x)` for X chi-squared with `degrees_of_freedom`.
///
/// 1 for `x <= 0` and for no degree of freedom; 0 below the smallest normal double. Oracle: `scipy.stats.chi2.sf(x, df)`.
pub fn chi_squared(x: f64, degrees_of_freedom: u32) -> f64 {
    if degrees_of_freedom == 0 || x.is_nan() || x <= 0.0 {
        return 1.0;
    }
    if x.is_infinite() {
        return 0.0;
    }
    // The incomplete gamma function is defined for every positive pair of arguments.
    checked_gamma_ur(f64::from(degrees_of_freedom) / 2.0, x / 2.0).unwrap_or(1.0).clamp(0.0, 1.0)
}

/// Terms of a Poisson mixture at most; with a mean of m, those beyond m + 40·√m are below the smallest double.
const MOST_TERMS: u32 = 20_000;

/// `P(X > x)` for X noncentral chi-squared: the Poisson mixture of central ones. In [0, 1], rising with the noncentrality.
///
/// Oracle: `scipy.stats.ncx2.sf(x, df, nc)`.
pub fn noncentral_chi_squared(x: f64, degrees_of_freedom: u32, noncentrality: f64) -> f64 {
    let mean = noncentrality / 2.0;
    if mean.is_nan() || mean <= 0.0 {
        return chi_squared(x, degrees_of_freedom);
    }
    if mean.is_infinite() {
        return 1.0;
    }
    let (mut total, mut weights) = (0.0, 0.0);
    for k in 0..MOST_TERMS {
        let weight = (f64::from(k) * mean.ln() - mean - ln_gamma(f64::from(k) + 1.0)).exp();
        total += weight * chi_squared(x, degrees_of_freedom.saturating_add(2 * k));
        weights += weight;
        if f64::from(k) > mean && weight < 1e-12 {
            break;
        }
    }
    // What is left of the mixture lies far to the right.
    (total + (1.0 - weights).max(0.0)).clamp(0.0, 1.0)
}

/// `P(|X| > |z|)` for X standard normal; 1 for NaN. Oracle: `2 * scipy.stats.norm.sf(abs(z))`.
pub fn normal_two_sided(z: f64) -> f64 {
    if z.is_nan() { 1.0 } else { erfc(z.abs() / std::f64::consts::SQRT_2).clamp(0.0, 1.0) }
}

/// `ln C(n, k)` for real n ≥ k ≥ 0.
pub fn ln_binomial(n: f64, k: f64) -> f64 {
    ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_noncentral_tail_is_that_of_scipy() {
        // scipy.stats.ncx2.sf(x, df, nc)
        for (x, degrees_of_freedom, noncentrality, expected) in [
            (3.841, 1, 7.849, 0.800_039_737_827_008),
            (16.919, 9, 15.65, 0.800_005_406_581_479_3),
            (5.0, 3, 1e-12, 0.171_797_144_296_856_55),
            (60.0, 5, 40.0, 0.128_125_874_713_664_77),
            (100.0, 3, 120.0, 0.853_166_557_499_143_5),
            (150.0, 3, 120.0, 0.113_792_362_122_149_26),
            // More terms than are taken.
            (3.0, 2, 1e6, 1.0),
        ] {
            let found = noncentral_chi_squared(x, degrees_of_freedom, noncentrality);
            assert!((found - expected).abs() < 1e-9, "{x} {degrees_of_freedom} {noncentrality}: {found}");
        }
    }

    #[test]
    fn the_normal_tail_is_on_both_sides() {
        // 2 * scipy.stats.norm.sf(abs(z))
        for (z, expected) in [(0.0, 1.0), (0.5, 0.617_075_077_451_973_8), (-1.96, 0.049_995_790_296_440_87)] {
            assert!((normal_two_sided(z) - expected).abs() < 1e-9, "{z}: {}", normal_two_sided(z));
        }
        assert_eq!(normal_two_sided(f64::NAN).to_bits(), 1.0_f64.to_bits());
    }

    #[test]
    fn binomial_coefficients_are_those_of_pascals_triangle() {
        for (n, k, expected) in [(5.0, 0.0, 1.0), (5.0, 2.0, 10.0), (10.0, 3.0, 120.0), (50.0, 25.0, 126_410_606_437_752.0)] {
            let found = ln_binomial(n, k).exp();
            assert!((found / expected - 1.0).abs() < 1e-12, "{n} {k}: {found}");
        }
    }

    #[test]
    fn every_argument_has_an_answer() {
        let numbers = [f64::NEG_INFINITY, -1.0, -0.0, 5e-324, 1e-9, 1.0, 1e9, f64::MAX, f64::INFINITY, f64::NAN];
        for x in numbers {
            assert!((0.0..=1.0).contains(&normal_two_sided(x)), "{x}");
            for degrees_of_freedom in [0, 1, 2, 50, 10_000, u32::MAX] {
                let p = chi_squared(x, degrees_of_freedom);
                assert!((0.0..=1.0).contains(&p), "{x} {degrees_of_freedom}: {p}");
            }
            for noncentrality in numbers {
                let p = noncentral_chi_squared(x, 3, noncentrality);
                assert!((0.0..=1.0).contains(&p), "{x} {noncentrality}: {p}");
            }
        }
    }

    /// Of rounding.
    const SLACK: f64 = 1e-9;

    fn falls(before: f64, after: f64) -> bool {
        (0.0..=1.0).contains(&before) && (0.0..=1.0).contains(&after) && after <= before * (1.0 + SLACK) + f64::MIN_POSITIVE
    }

    proptest! {
        #[test]
        fn tails_fall_with_what_is_exceeded_and_rise_with_the_degrees_of_freedom(
            (x, more) in (0.0..2_000.0_f64, 0.0..500.0_f64), degrees_of_freedom in 1_u32..400, noncentrality in 0.0..300.0_f64,
        ) {
            let chi = |x| chi_squared(x, degrees_of_freedom);
            prop_assert!(falls(chi(x), chi(x + more)));
            prop_assert!(falls(chi_squared(x, degrees_of_freedom + 1), chi(x)));
            let noncentral = |x, noncentrality| noncentral_chi_squared(x, degrees_of_freedom, noncentrality);
            // The mixture leaves out what is below 1e-12.
            prop_assert!(noncentral(x + more, noncentrality) <= noncentral(x, noncentrality) + 1e-9);
            prop_assert!(noncentral(x, noncentrality) <= noncentral(x, noncentrality + more) + 1e-9);
            prop_assert!(falls(normal_two_sided(x / 50.0), normal_two_sided((x + more) / 50.0)));
        }
    }
}
