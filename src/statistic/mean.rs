//! The mean of rows that need not be independent, and how large it could be.

use std::collections::BTreeMap;

use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean and its one-sided upper bound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UpperBound {
    pub mean: f64,
    /// `None` with fewer than two groups: nothing tells how much the mean varies.
    pub upper: Option<f64>,
}

/// Rows of a block where nothing tells which belong together: neighbours in time are more alike than others.
const BLOCK_ROWS: usize = 10;

/// The mean of the values with its upper bound at `confidence`, in (0, 1). Each value comes with its group; where all groups are 0, blocks of
/// [`BLOCK_ROWS`] rows in the given order take their place.
///
/// The standard error is that of Liang & Zeger (1986, doi:10.1093/biomet/73.1.13) with the correction G/(G − 1), or the usual one where that
/// is larger; the quantile is Student's with G − 1 degrees of freedom. `None` without values.
/// Oracle: `statsmodels.OLS(y, ones).fit(cov_type="cluster", cov_kwds={"groups": g})`.
pub fn upper_bound(values: &[(f64, u64)], confidence: f64) -> Option<UpperBound> {
    if values.is_empty() {
        return None;
    }
    let n = values.len() as f64;
    let mean = sum(values.iter().map(|(value, _)| *value)) / n;
    let is_grouped = values.iter().any(|(_, group)| *group != 0);
    let mut groups: BTreeMap<u64, f64> = BTreeMap::new();
    for (index, (value, group)) in values.iter().enumerate() {
        let group = if is_grouped { *group } else { (index / BLOCK_ROWS) as u64 };
        *groups.entry(group).or_default() += value - mean;
    }
    let g = groups.len() as f64;
    let upper = (groups.len() > 1).then(|| {
        let clustered = g / (g - 1.0) * groups.values().map(|sum| sum * sum).sum::<f64>() / (n * n);
        let independent = values.iter().map(|(value, _)| (value - mean).powi(2)).sum::<f64>() / (n * (n - 1.0));
        let quantile = StudentsT::new(0.0, 1.0, g - 1.0).map_or(f64::INFINITY, |t| t.inverse_cdf(confidence));
        mean + quantile * clustered.max(independent).sqrt()
    });
    Some(UpperBound { mean, upper })
}

/// The sum as if rounded once (Neumaier 1974, doi:10.1002/zamm.19740540106): a hundred times 0.70 has the mean 0.70, and is not below it.
fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() { (sum - next) + value } else { (value - next) + sum };
        sum = next;
    }
    sum + lost
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn groups_widen_the_bound() {
        // y = [.9, .8, .85, .4, .5, .45, .7, .75, .6, .65]; g = [1, 1, 1, 2, 2, 2, 3, 3, 4, 4]
        // r = sm.OLS(y, ones(10)).fit(cov_type="cluster", cov_kwds={"groups": g}); r.bse is 0.09957241920665913
        // y.mean() + scipy.stats.t.ppf(0.95, 3) * r.bse[0]
        let values = [0.9, 0.8, 0.85, 0.4, 0.5, 0.45, 0.7, 0.75, 0.6, 0.65];
        let groups = [1, 1, 1, 2, 2, 2, 3, 3, 4, 4];
        let rows: Vec<(f64, u64)> = values.into_iter().zip(groups).collect();
        let bound = upper_bound(&rows, 0.95).unwrap();
        assert!((bound.mean - 0.66).abs() < 1e-12);
        assert!((bound.upper.unwrap() - 0.894_330_090_475_710_3).abs() < 1e-9);
    }

    #[test]
    fn without_groups_blocks_in_time_order_take_their_place_and_the_larger_error_counts() {
        // y = [.9, .1] * 15: the blocks' means are equal. y.mean() + t.ppf(0.95, 2) * y.std(ddof=1) / sqrt(30)
        let rows: Vec<(f64, u64)> = [0.9, 0.1].repeat(15).into_iter().map(|value| (value, 0)).collect();
        assert!((upper_bound(&rows, 0.95).unwrap().upper.unwrap() - 0.716_891_083_926_359_9).abs() < 1e-9);
    }

    #[test]
    fn equal_values_have_that_mean() {
        for (value, rows) in [(0.70, 100), (0.65, 100), (0.1, 1_000), (0.3, 77)] {
            let rows: Vec<(f64, u64)> = (0..rows).map(|row| (value, row + 1)).collect();
            assert_eq!(upper_bound(&rows, 0.95).unwrap().mean.to_bits(), f64::to_bits(value), "{value}");
        }
    }

    #[test]
    fn what_a_large_value_hides_is_not_lost() {
        // Exactly 2; added one by one in doubles it is 0. The small ones come after the large one, and before it.
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100].into_iter()).to_bits(), 2.0_f64.to_bits());
        assert_eq!(sum([-1e100, 3.0, 1e100, 0.5].into_iter()).to_bits(), 3.5_f64.to_bits());
    }

    #[test]
    fn blocks_are_of_ten_rows() {
        // y = [0] * 10 + [1] * 10 + [0] * 5: g = [1] * 10 + [2] * 10 + [3] * 5
        // r = sm.OLS(y, ones(25)).fit(cov_type="cluster", cov_kwds={"groups": g}); y.mean() + scipy.stats.t.ppf(0.95, 2) * r.bse[0]
        let rows: Vec<(f64, u64)> = (0..25).map(|row| (f64::from(u8::from((10..20).contains(&row))), 0)).collect();
        let bound = upper_bound(&rows, 0.95).unwrap();
        assert!((bound.mean - 0.4).abs() < 1e-12 && (bound.upper.unwrap() - 1.470_484_396_012_039_5).abs() < 1e-9, "{bound:?}");
    }

    #[test]
    fn what_cannot_be_known_is_not_said() {
        assert_eq!(upper_bound(&[], 0.95), None);
        assert_eq!(upper_bound(&[(0.5, 3), (0.7, 3)], 0.95).unwrap().upper, None);
        assert_eq!(upper_bound(&[(0.5, 1); 4], 0.95).unwrap(), UpperBound { mean: 0.5, upper: None });
    }

    proptest! {
        #[test]
        fn the_mean_lies_among_the_values_and_its_bound_not_below_it(
            rows in prop::collection::vec((prop_oneof![0.0..=1.0_f64, Just(0.7), Just(0.0)], 0_u64..6), 1..80), confidence in 0.5..0.999_f64,
        ) {
            let UpperBound { mean, upper } = upper_bound(&rows, confidence).unwrap();
            let (low, high) = rows.iter().fold((1.0_f64, 0.0_f64), |(low, high), (value, _)| (low.min(*value), high.max(*value)));
            prop_assert!(low - 1e-12 <= mean && mean <= high + 1e-12, "{} {} {}", low, mean, high);
            prop_assert!(upper.is_none_or(|upper| upper >= mean - 1e-9 && upper.is_finite()), "{} {:?}", mean, upper);
        }
    }
}
