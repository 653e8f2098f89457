//! Tail probabilities of standard distributions, clamped to [0, 1] and defined for every input.

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

/// `ln C(n, k)` for real n ≥ k ≥ 0.
pub fn ln_binomial(n: f64, k: f64) -> f64 {
    ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0)
}
