//! Intervals of a proportion: Wilson's for estimates, Clopper and Pearson's where a rate must be proven.

use statrs::distribution::{Beta, Continuous, ContinuousCDF, Normal};

/// A two-sided confidence interval, `0 ≤ low ≤ high ≤ 1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// Wilson's score interval (Wilson 1927, JASA 22:209, doi:10.1080/01621459.1927.10502953): good at small n and near 0 and 1, where the
/// usual one is not (Brown, Cai & DasGupta 2001).
///
/// `confidence` is in (0, 1). `None` without trials, or with more successes than trials. Oracle:
/// `statsmodels.stats.proportion.proportion_confint(k, n, alpha=1 - confidence, method="wilson")`.
pub fn wilson(successes: u64, trials: u64, confidence: f64) -> Option<Interval> {
    if trials == 0 || successes > trials {
        return None;
    }
    let (n, p) = (trials as f64, successes as f64 / trials as f64);
    let z = Normal::standard().inverse_cdf(f64::midpoint(1.0, confidence));
    let centre = p + z * z / (2.0 * n);
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z * z / n;
    // At the ends the bound is exact, and rounding must not move it.
    let low = if successes == 0 { 0.0 } else { ((centre - half) / scale).clamp(0.0, 1.0) };
    let high = if successes == trials { 1.0 } else { ((centre + half) / scale).clamp(0.0, 1.0) };
    Some(Interval { low, high })
}

/// The exact interval (Clopper & Pearson 1934, Biometrika 26:404, doi:10.1093/biomet/26.4.404): it holds the true rate with at least
/// this confidence, whatever the rate. A one-sided bound at 95 % is the end of the interval at 90 %.
///
/// `confidence` is in (0, 1). `None` without trials, or with more successes than trials. Above [`MOST_EXACT`] trials it is Wilson's, which
/// differs by less than one in a hundred thousand there. Oracle:
/// `statsmodels.stats.proportion.proportion_confint(k, n, alpha=1 - confidence, method="beta")`.
pub fn clopper_pearson(successes: u64, trials: u64, confidence: f64) -> Option<Interval> {
    if trials == 0 || successes > trials {
        return None;
    }
    if trials > MOST_EXACT {
        return wilson(successes, trials, confidence);
    }
    let (k, n) = (successes as f64, trials as f64);
    let tail = (1.0 - confidence) / 2.0;
    let low = if successes == 0 { 0.0 } else { quantile(k, n - k + 1.0, tail)? };
    let high = if successes == trials { 1.0 } else { quantile(k + 1.0, n - k, 1.0 - tail)? };
    Some(Interval { low, high })
}

/// Beyond, the incomplete beta function takes ever longer to converge, and in the end does not.
const MOST_EXACT: u64 = 1_000_000;

/// The quantile of a beta distribution. statrs' own has seven digits near 0; Newton's steps on its distribution function give the rest.
fn quantile(a: f64, b: f64, p: f64) -> Option<f64> {
    let beta = Beta::new(a, b).ok()?;
    let mut x = beta.inverse_cdf(p);
    for _ in 0..NEWTON_STEPS {
        let next = x - (beta.cdf(x) - p) / beta.pdf(x);
        if !(next > 0.0 && next < 1.0) {
            break;
        }
        x = next;
    }
    Some(x)
}

/// Each step doubles the digits.
const NEWTON_STEPS: u32 = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_tried_is_nothing_known() {
        assert_eq!((wilson(0, 0, 0.95), clopper_pearson(0, 0, 0.95)), (None, None));
        assert_eq!((wilson(2, 1, 0.95), clopper_pearson(2, 1, 0.95)), (None, None));
    }

    #[test]
    fn it_takes_149_windows_without_a_false_alarm_to_prove_two_percent() {
        let upper = |windows: u64| clopper_pearson(0, windows, 0.90).unwrap().high;
        assert!(upper(148) >= 0.02 && upper(149) < 0.02);
    }

    #[test]
    fn up_to_a_million_trials_the_interval_is_exact() {
        // proportion_confint(3, 1_000_000, alpha=0.05, method="beta"); Wilson's is from 1.02e-6 to 8.82e-6.
        let Interval { low, high } = clopper_pearson(3, 1_000_000, 0.95).unwrap();
        assert!((low / 6.186_725_501_906_401e-7 - 1.0).abs() < 1e-9, "{low:e}");
        assert!((high / 8.767_247_788_067_68e-6 - 1.0).abs() < 1e-9, "{high:e}");
        assert_eq!(clopper_pearson(3, 1_000_001, 0.95), wilson(3, 1_000_001, 0.95));
    }

    #[test]
    fn what_is_certain_but_for_rounding_has_an_interval() {
        // Half of the rest is less than what a double can take off 1.
        assert_eq!(clopper_pearson(0, 9, 1.0 - f64::EPSILON / 2.0), Some(Interval { low: 0.0, high: 1.0 }));
    }

    #[test]
    fn counts_of_any_size_have_an_interval() {
        for trials in [1, 2, 1_000, 1 << 40, 1 << 54, u64::MAX] {
            for successes in [0, 1, trials / 2, trials - 1, trials] {
                for interval in [wilson(successes, trials, 0.95), clopper_pearson(successes, trials, 0.95)] {
                    let Interval { low, high } = interval.unwrap();
                    assert!(0.0 <= low && low <= high && high <= 1.0, "{successes} of {trials}: {low} to {high}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_rate_is_inside_and_more_successes_are_no_lower(
            trials in 1_u64..2_000, (few, many) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()), confidence in 0.01..0.999_f64,
        ) {
            let at = |index: prop::sample::Index| index.index(2_000) as u64 % (trials + 1);
            let (few, many) = (at(few).min(at(many)), at(few).max(at(many)));
            for interval in [wilson, clopper_pearson] {
                let (lower, higher) = (interval(few, trials, confidence).unwrap(), interval(many, trials, confidence).unwrap());
                for (successes, Interval { low, high }) in [(few, lower), (many, higher)] {
                    let rate = successes as f64 / trials as f64;
                    prop_assert!(0.0 <= low && low <= rate + 1e-9 && rate <= high + 1e-9 && high <= 1.0, "{} {} {}", rate, low, high);
                }
                prop_assert!(lower.low <= higher.low + 1e-9 && lower.high <= higher.high + 1e-9);
            }
        }
    }
}
