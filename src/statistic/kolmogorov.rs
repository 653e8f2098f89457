//! The tail of Kolmogorov's distribution of D_n, for every n and D.
//!
//! The choice of method by n·D² follows Simard & L'Ecuyer (2011), "Computing the Two-Sided Kolmogorov-Smirnov Distribution",
//! J. Stat. Softw. 39(11), doi:10.18637/jss.v039.i11. Oracle: `scipy.stats.kstwo.sf(D, n)`.

use std::f64::consts::PI;

use ndarray::Array2;
use statrs::function::gamma::gamma;

use super::tail::ln_binomial;

/// `P(D_n >= d)` for a sample of `n` from a continuous distribution, in [0, 1].
///
/// Exact to about 1e-10 relative up to n = 140, and to 2e-6 in the tail (n·d² ≥ 2.2) up to n = 100,000; the tail of larger n to 1e-4 relative;
/// elsewhere the Pelz–Good expansion, whose error is below 1e-5 relative where the probability is above 0.02. 1 for `n < 1` and for
/// `d <= 1/(2n)`, which every sample reaches; 0 for `d >= 1`. At most 100,000 terms for any n.
pub fn survival(n: f64, d: f64) -> f64 {
    let n = n.round();
    // Not so for what is no number either.
    if !(n >= 1.0 && n * d > 0.5) {
        return 1.0;
    }
    if d >= 1.0 {
        return 0.0;
    }
    let nd_squared = n * d * d;
    let survival = if d >= 0.5 || nd_squared >= if n <= SMALL_N { 4.0 } else { 2.2 } {
        // The two one-sided events exclude each other for d ≥ 1/2, and nearly so in the tail (Miller 1956).
        2.0 * if n <= LARGE_N { one_sided(n, d) } else { one_sided_of_many(n, d) }
    } else if n <= SMALL_N {
        1.0 - durbin_matrix(n, d)
    } else {
        1.0 - pelz_good(n, d)
    };
    survival.clamp(0.0, 1.0)
}

/// Up to here the matrix of the exact formula is small (Simard & L'Ecuyer 2011, section 3.4).
const SMALL_N: f64 = 140.0;

/// Above, nobody waits for the sum of [`one_sided`], and its expansion is as good.
const LARGE_N: f64 = 100_000.0;

/// `P(D_n^+ >= d)`: Smirnov's sum (1944), `d Σ_j C(n, j) (d + j/n)^{j−1} (1 − d − j/n)^{n−j}` over `j <= n(1 − d)`.
///
/// All terms are positive. They are summed outwards from the largest, until a term no longer counts: most of the n terms do.
fn one_sided(n: f64, d: f64) -> f64 {
    let last = (n * (1.0 - d)).floor();
    // At the very end of the sum the last base is zero up to rounding, and so is the term.
    let ln_term = |j: f64| ln_binomial(n, j) + (j - 1.0) * (d + j / n).ln() + (n - j) * (1.0 - d - j / n).max(0.0).ln();
    // In the tail the terms rise to one peak near the middle of the sum (the bridge touches the line half-way).
    let middle = (last / 2.0).floor();
    let scale = ln_term(middle);
    let mut sum = 1.0;
    for direction in [-1.0, 1.0] {
        let mut j = middle + direction;
        while (0.0..=last).contains(&j) {
            let term = (ln_term(j) - scale).exp();
            sum += term;
            if term < sum * 1e-18 {
                break;
            }
            j += direction;
        }
    }
    (d.ln() + scale + sum.ln()).exp()
}

/// `P(D_n^+ >= d)` for large n: `exp(−n(2d² + 4/9 d⁴ + 32/135 d⁶) − 2/3 d + 4/9 d²)`.
///
/// The logarithm of Smirnov's expansion (1944), whose first terms are those in n·d² and d, continued by the exponential rate of large
/// deviations (Bahadur 1971, "Some Limit Theorems in Statistics", doi:10.1137/1.9781611970630). Where a double still holds the probability, d
/// is below 0.07, and what is left out is below 1e-4 of it.
fn one_sided_of_many(n: f64, d: f64) -> f64 {
    let square = d * d;
    let rate = square * (2.0 + square * (4.0 / 9.0 + square * 32.0 / 135.0));
    (-n * rate - 2.0 / 3.0 * d + 4.0 / 9.0 * square).exp()
}

/// `P(D_n < d)` exactly: Durbin's matrix formula as by Marsaglia, Tsang & Wang (2003), doi:10.18637/jss.v008.i18.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "n is at most 140 here, and d below 1")]
fn durbin_matrix(n: f64, d: f64) -> f64 {
    let cells = (n * d).floor() + 1.0;
    let h = cells - n * d;
    let middle = cells as usize - 1;
    let size = 2 * middle + 1;
    let corner = (2.0 * h - 1.0).max(0.0).powf(size as f64);
    let matrix = Array2::from_shape_fn((size, size), |(i, j)| {
        if j > i + 1 {
            return 0.0;
        }
        let mut entry = 1.0;
        if j == 0 {
            entry -= h.powf((i + 1) as f64);
        }
        if i == size - 1 {
            entry -= h.powf((size - j) as f64);
        }
        if j == 0 && i == size - 1 {
            entry += corner;
        }
        entry / gamma((i + 2 - j) as f64)
    });
    // The entries of the power stay below n^n / n!, which is 1e60 here.
    let power = matrix_power(matrix, n as u32);
    let ways = power.get((middle, middle)).copied().unwrap_or(0.0);
    (1..=n as u32).fold(ways, |probability, i| probability * (f64::from(i) / n))
}

/// A matrix to an integer power.
fn matrix_power(matrix: Array2<f64>, power: u32) -> Array2<f64> {
    let mut result = Array2::eye(matrix.nrows());
    let (mut base, mut remaining) = (matrix, power);
    while remaining > 0 {
        if remaining % 2 == 1 {
            result = result.dot(&base);
        }
        base = base.dot(&base);
        remaining /= 2;
    }
    result
}

/// The terms of [`pelz_good`] fall like `exp(−π² (2k − 1)² / 8z²)`: with z below 3, so many of them reach the last digit.
const TERMS: u32 = 10;

/// `P(D_n < d)` by the expansion of Pelz & Good (1976), JRSS B 38:152, to the order n^{-3/2}.
fn pelz_good(n: f64, d: f64) -> f64 {
    let z = n.sqrt() * d;
    let (z2, z4, z6) = (z * z, z.powi(4), z.powi(6));
    let ln_q = -PI * PI / 8.0 / z2;
    if ln_q < -700.0 {
        return 0.0;
    }
    let (pi2, pi4, pi6) = (PI.powi(2), PI.powi(4), PI.powi(6));
    let root = (2.0 * PI).sqrt();
    let (mut k0, mut k1, mut k2, mut k3) = (0.0, 0.0, 0.0, 0.0);
    for k in (1..=TERMS).map(f64::from) {
        let m2 = (2.0 * k - 1.0_f64).powi(2);
        let (m4, m6) = (m2 * m2, m2 * m2 * m2);
        let weight = (ln_q * m2).exp();
        k0 += weight;
        k1 += weight * (pi2 / 4.0 * m2 - z2);
        k2 += weight * (6.0 * z6 + 2.0 * z4 + (2.0 * z4 - 5.0 * z2) * pi2 / 4.0 * m2 + pi4 * (1.0 - 2.0 * z2) / 16.0 * m4);
        k3 += weight
            * (-30.0 * z6 - 90.0 * z.powi(8)
                + pi2 * (135.0 * z4 - 96.0 * z6) / 4.0 * m2
                + pi4 * (212.0 * z4 - 60.0 * z2) / 16.0 * m4
                + pi6 * (5.0 - 30.0 * z2) / 64.0 * m6);
        let even = (-pi2 * k * k / 2.0 / z2).exp();
        k2 -= even * k * k * pi2 * 2.0 * z4;
        k3 += even * k * k * (3.0 * z2 - pi2 * k * k) * pi2 * 30.0 * z4;
    }
    root * (k0 / z + k1 / (6.0 * z4) / n.sqrt() + k2 / (72.0 * z.powi(7)) / n + k3 / (6480.0 * z.powi(10)) / n.powf(1.5))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_expansion_for_many_is_the_sum_where_both_can_be_had() {
        // z² = n·d² from where the tail begins to where a double has its last digits, and then its end.
        for z_squared in [2.2, 5.0, 20.0, 100.0, 350.0, 370.0] {
            let n = LARGE_N;
            let d = f64::sqrt(z_squared / n);
            let (sum, expansion) = (one_sided(n, d), one_sided_of_many(n, d));
            assert!((expansion / sum - 1.0).abs() < 1e-4, "{z_squared}: {expansion:e} {sum:e}");
        }
    }

    fn close(found: f64, expected: f64, relative: f64) -> bool {
        (found - expected).abs() <= relative * expected
    }

    #[test]
    fn the_sum_of_one_side_is_smirnovs() {
        // scipy.special.smirnov(n, d); where n(1 − d) is whole, the last base of the sum is zero.
        for (n, d, expected) in [
            (1.0, 0.5, 0.5),
            (2.0, 0.5, 0.25),
            (5.0, 0.25, 0.462),
            (5.0, 0.3, 0.342_82),
            (10.0, 0.7, 9.772_400_000_000_017e-6),
            (10.0, 0.75, 1.243_251_953_125e-6),
            (50.0, 0.3, 8.676_630_101_359_369e-5),
            (140.0, 0.2, 1.099_078_165_110_011_1e-5),
            (1_000.0, 0.05, 0.006_506_037_390_545_166),
            (1_000.0, 0.3, 1.295_357_852_868_422_4e-80),
        ] {
            let found = one_sided(n, d);
            assert!(close(found, expected, 1e-11), "{n} {d}: {found:e}");
        }
    }

    #[test]
    fn the_matrix_is_durbins() {
        // The same formula with mpmath in 60 digits; scipy.stats._ksstats._kolmogn_DMTW(n, d, cdf=True) to 1e-14.
        for (n, d, expected) in [
            (1.0, 0.6, 0.2),
            (2.0, 0.3, 0.02),
            (2.0, 0.375, 0.125),
            (3.0, 0.25, 1.0 / 36.0),
            (5.0, 0.25, 0.1554),
            (7.0, 0.4, 0.840_393_215_316_747_3),
            (10.0, 0.25, 0.515_888_467_5),
            (20.0, 0.15, 0.295_532_845_055_712_8),
            (33.0, 0.2, 0.875_988_372_633_103_9),
            (100.0, 0.1, 0.747_307_242_993_61),
            (140.0, 0.05, 0.142_351_970_234_389),
            (140.0, 0.16, 0.998_655_983_675_578_2),
        ] {
            let found = durbin_matrix(n, d);
            assert!(close(found, expected, 1e-12), "{n} {d}: {found:e}");
        }
    }

    #[test]
    fn the_expansion_of_the_middle_is_that_of_pelz_and_good() {
        // scipy.stats._ksstats._kolmogn_PelzGood(n, z / sqrt(n), cdf=True): so few rows that each of its four parts counts.
        for (n, z, expected) in [
            (3.0, 0.25, 9.102_335_228_176_686e-6),
            (3.0, 0.4, 0.015_283_873_663_408_783),
            (3.0, 0.7, 0.414_566_281_354_899_1),
            (3.0, 1.0, 0.822_944_342_824_410_2),
            (3.0, 1.4, 0.985_680_419_041_238_8),
            (10.0, 0.25, 1.986_807_713_022_081_4e-6),
            (10.0, 0.4, 0.009_611_913_415_737_156),
            (10.0, 0.7, 0.365_372_560_947_331_06),
            (10.0, 1.0, 0.782_066_142_677_574_7),
            (10.0, 1.4, 0.973_402_696_031_184_9),
            (10.0, 2.0, 0.999_800_767_728_463_2),
        ] {
            let found = pelz_good(n, z / f64::sqrt(n));
            assert!(close(found, expected, 1e-11), "{n} {z}: {found:e}");
        }
    }

    #[test]
    fn each_method_answers_where_it_is_good() {
        for (n, d, expected, relative) in [
            // 1 - durbin(n, d) in 60 digits with mpmath: by the matrix, and by the sum from n·d² = 4 on.
            (20.0, 0.15, 0.704_467_154_944_287_2, 1e-10),
            (100.0, 0.17, 0.005_376_406_596_380_499, 1e-10),
            (140.0, 0.085, 0.249_444_106_170_685_83, 1e-10),
            (140.0, 0.134, 0.011_837_383_395_186_694, 1e-10),
            (140.0, 0.168, 0.000_636_162_301_907_181_2, 1e-10),
            (140.0, 0.2, 2.198_156_330_220_021_6e-5, 1e-10),
            (141.0, 0.15, 0.003_105_862_353_511_334, 1e-8),
            // 2 * scipy.special.smirnov(n, d), up to the largest n.
            (100_000.0, 0.006, 0.001_487_148_930_113_156_4, 1e-9),
            (100_000.0, 0.02, 3.537_271_193_147_96e-35, 1e-9),
        ] {
            let found = survival(n, d);
            assert!(close(found, expected, relative), "{n} {d}: {found:e}");
        }
    }

    #[test]
    fn no_sample_is_nearer_than_half_a_row_nor_farther_than_one() {
        for n in [1.0, 7.0, 140.0, 1_000.0] {
            assert_eq!(survival(n, 0.5 / n).to_bits(), 1.0_f64.to_bits(), "{n}");
            assert_eq!((survival(n, 1.0).to_bits(), survival(n, 1.5).to_bits()), (0, 0), "{n}");
        }
        // n = 1: P(D ≥ d) = 2(1 − d). What is no sample, or no distance, proves nothing.
        assert!(close(survival(1.0, 0.5005), 0.999, 1e-12) && close(survival(0.6, 0.75), 0.5, 1e-12));
        for (n, d) in [(0.4, 0.9), (f64::NAN, 0.9), (9.0, f64::NAN), (9.0, -0.9), (f64::INFINITY, 0.0)] {
            assert_eq!(survival(n, d).to_bits(), 1.0_f64.to_bits(), "{n} {d}");
        }
    }

    #[test]
    fn samples_of_any_size_are_answered() {
        for n in [0.0, 0.4, 1.0, 1e9, 9e15, 1.8e19, f64::MAX, f64::INFINITY, f64::NAN] {
            for z in [0.0, 1e-140, 0.01, 1.0, 1.49, 3.0, 40.0, f64::INFINITY, f64::NAN] {
                let p = survival(n, z / n.sqrt());
                assert!((0.0..=1.0).contains(&p), "{n} {z}: {p}");
            }
        }
    }

    /// What each method may be off by, and twice where one meets another.
    const SLACK: f64 = 2e-5;

    proptest! {
        #[test]
        fn it_is_a_probability_that_falls_with_the_distance(
            n in prop_oneof![(1_u32..300).prop_map(f64::from), (2.0..15.0_f64).prop_map(|digits| 10.0_f64.powf(digits).round())],
            (near, far) in (0.0..3.0_f64, 0.0..3.0_f64),
        ) {
            let (near, far) = (near.min(far) / n.sqrt(), near.max(far) / n.sqrt());
            let (p_near, p_far) = (survival(n, near), survival(n, far));
            prop_assert!((0.0..=1.0).contains(&p_near) && (0.0..=1.0).contains(&p_far));
            prop_assert!(p_far <= p_near * (1.0 + SLACK), "n {} d {} {}: p {:e} {:e}", n, near, far, p_near, p_far);
        }

        #[test]
        fn the_same_distance_is_less_probable_in_twice_as_many(digits in 0.0..15.0_f64, z in 0.0..3.0_f64) {
            let n = 10.0_f64.powf(digits).round();
            let d = z / n.sqrt();
            let (few, many) = (survival(n, d), survival(2.0 * n, d));
            prop_assert!(many <= few * (1.0 + SLACK), "n {} d {}: p {:e} {:e}", n, d, few, many);
        }
    }
}
