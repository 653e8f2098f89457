//! How features move together: cross-products of normal scores, pair by pair.
//!
//! A value's score is the normal quantile of its rank in the reference, in steps of 1/4096. All sums are integers, so parts merge by
//! addition, and memory depends on the number of features alone (STATISTICS.md, section 8).

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::feature::FeatureName;

/// Steps of a score to one standard deviation: fine enough for a correlation to four digits, coarse enough that a batch's sums are
/// exact in doubles and the sums of 10^10 rows in 64 bits.
const STEPS: f64 = 4096.0;

/// Of the fourth moments: their products must stay exact as well.
const COARSE_STEPS: f64 = 64.0;

/// A feature of which one value holds more than this share of the reference is left out: the scores of tied values are not normal, and a
/// few rows more or less would look like another correlation.
pub const LARGEST_TIE: f64 = 0.2;

/// Fewer common rows say nothing of a correlation.
const MIN_ROWS: i64 = 4;

/// A correlation closer to ±1 than this counts as this: Fisher's z of an exact copy would be infinite.
pub const LARGEST_CORRELATION: f64 = 0.999_999;

/// The score of each row of a batch for one feature; `None` where it has no usable value.
pub type Scores = Vec<Option<i16>>;

/// The score of a value with this rank, `2·#{ref < x} + #{ref = x}`, among `n` reference values: `Φ⁻¹((rank/2 + ½) / (n + 1))`, which
/// is finite beyond the ends of the reference as well.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a normal quantile of a double is within ±39 standard deviations, clamped to 8"
)]
pub fn score(rank: u64, n: u64) -> i16 {
    let position = (rank as f64 / 2.0 + 0.5) / (n as f64 + 1.0);
    let z = Normal::standard().inverse_cdf(position.clamp(0.0, 1.0)).clamp(-LARGEST_SCORE, LARGEST_SCORE);
    (z * STEPS).round() as i16
}

/// Standard deviations; what fits 16 bits.
const LARGEST_SCORE: f64 = 7.9;

/// The correlations of the reference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JointProfile {
    /// The numeric features, in the order of the profile.
    pub features: Vec<FeatureName>,
    /// Of the pairs (0, 1), (0, 2), …, (1, 2), …; empty until the reference was read over its own profile.
    pub pairs: Vec<PairProfile>,
}

/// Two features of one side together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairProfile {
    /// Rows in which both have a usable value.
    pub rows: u64,
    /// Of the normal scores, in [−1, 1]; `None` where a side has fewer than four common rows or one of them does not vary.
    pub correlation: Option<f64>,
    /// How much more the correlation of as many rows varies than that of normal values with the same correlation: `E x²y² / (1 + 2ρ²)` for
    /// standardized scores, at least 1 (Muirhead 1982, section 5.1.4: elliptical distributions). Above 1 where both are extreme together.
    pub inflation: f64,
}

impl PairProfile {
    /// No row in common.
    const NONE: Self = Self { rows: 0, correlation: None, inflation: 1.0 };
}

impl JointProfile {
    /// A profile of these features of which nothing is known yet.
    pub fn of(features: Vec<FeatureName>) -> Self {
        Self { features, pairs: Vec::new() }
    }

    /// Keeps the features for which `keep` is true.
    pub fn retain(&mut self, keep: impl Fn(&FeatureName) -> bool) {
        let kept: Vec<bool> = self.features.iter().map(&keep).collect();
        let both = pairs_of(self.features.len()).map(|(a, b)| is_kept(&kept, a) && is_kept(&kept, b));
        let mut both = both.collect::<Vec<_>>().into_iter();
        self.pairs.retain(|_| both.next().unwrap_or(false));
        self.features.retain(keep);
    }

    /// The two features and the pair, for every pair.
    pub fn named_pairs(&self) -> impl Iterator<Item = (&FeatureName, &FeatureName, &PairProfile)> {
        pairs_of(self.features.len())
            .zip(&self.pairs)
            .filter_map(|((a, b), pair)| Some((self.features.get(a)?, self.features.get(b)?, pair)))
    }

    /// Whether its parts fit together.
    pub fn fits(&self) -> bool {
        self.pairs.is_empty() || self.pairs.len() == pairs_of(self.features.len()).count()
    }
}

fn is_kept(kept: &[bool], index: usize) -> bool {
    kept.get(index).copied().unwrap_or(false)
}

/// The pairs of `count` features in their order.
pub fn pairs_of(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |a| (a + 1..count).map(move |b| (a, b)))
}

/// The sums from which the correlations of a window follow, over the rows in which both features of a pair have a value.
#[derive(Clone, Debug, PartialEq)]
pub struct CrossProducts {
    /// p × p, symmetric: common rows.
    rows: Array2<i64>,
    /// p × p: the sum of the scores of the row's feature where the column's has a value too.
    sums: Array2<i64>,
    /// p × p: as `sums`, of the squares.
    squares: Array2<i64>,
    /// p × p, symmetric: the sum of the products.
    products: Array2<i64>,
    /// p × p, symmetric: the sum of the products of the squares, in coarse steps.
    squared_products: Array2<i64>,
}

impl CrossProducts {
    pub fn new(features: usize) -> Self {
        let zeros = || Array2::zeros((features, features));
        Self { rows: zeros(), sums: zeros(), squares: zeros(), products: zeros(), squared_products: zeros() }
    }

    /// Adds one batch: the scores of every feature, all of the same number of rows.
    pub fn add(&mut self, scores: &[&Scores]) {
        let features = self.rows.nrows();
        let rows = scores.iter().map(|scores| scores.len()).max().unwrap_or(0);
        if features == 0 || rows == 0 {
            return;
        }
        let mut values = Array2::<f64>::zeros((features, rows));
        let mut present = Array2::<f64>::zeros((features, rows));
        let mut complete = true;
        for (index, scores) in scores.iter().enumerate().take(features) {
            let sides = values.row_mut(index).into_iter().zip(present.row_mut(index));
            let mut seen = 0;
            for ((value, present), score) in sides.zip(scores.iter()) {
                if let Some(score) = score {
                    *value = f64::from(*score);
                    *present = 1.0;
                    seen += 1;
                }
            }
            complete &= seen == rows;
        }
        // Products are whole numbers below 2^31, those of the coarse squares below 2^37, and a batch has fewer than 2^16 rows: every sum is
        // exact.
        add_product(&mut self.products, &values.view(), &values.view());
        let coarse = values.mapv(|value| (value * (COARSE_STEPS / STEPS)).round().powi(2));
        add_product(&mut self.squared_products, &coarse.view(), &coarse.view());
        if complete {
            // Every row counts for every pair: the sums do not depend on the other feature.
            self.rows += i64::try_from(rows).unwrap_or(i64::MAX);
            for (index, values) in values.outer_iter().enumerate() {
                self.sums.row_mut(index).map_inplace(|sum| *sum += whole(values.sum()));
                self.squares.row_mut(index).map_inplace(|sum| *sum += whole(values.dot(&values)));
            }
        } else {
            add_product(&mut self.rows, &present.view(), &present.view());
            add_product(&mut self.sums, &values.view(), &present.view());
            values.mapv_inplace(|value| value * value);
            add_product(&mut self.squares, &values.view(), &present.view());
        }
    }

    /// Adds the sums of other rows over the same features.
    pub fn merge(&mut self, other: &Self) {
        self.rows += &other.rows;
        self.sums += &other.sums;
        self.squares += &other.squares;
        self.products += &other.products;
        self.squared_products += &other.squared_products;
    }

    /// Keeps the features for which `keep` is true.
    pub fn retain(&mut self, keep: &[bool]) {
        let kept: Vec<usize> = (0..self.rows.nrows()).filter(|&index| is_kept(keep, index)).collect();
        for sums in [&mut self.rows, &mut self.sums, &mut self.squares, &mut self.products, &mut self.squared_products] {
            *sums = sums.select(ndarray::Axis(0), &kept).select(ndarray::Axis(1), &kept);
        }
    }

    /// Every pair, in the order of [`pairs_of`].
    pub fn pairs(&self) -> Vec<PairProfile> {
        pairs_of(self.rows.nrows()).map(|pair| self.pair(pair).unwrap_or(PairProfile::NONE)).collect()
    }

    fn pair(&self, (a, b): (usize, usize)) -> Option<PairProfile> {
        let rows = *self.rows.get((a, b))?;
        // Sums of integers in 128 bits: `n·Σxy − Σx·Σy` must not lose the digits that a difference of large numbers would.
        let wide = |sums: &Array2<i64>, at: (usize, usize)| sums.get(at).map(|sum| i128::from(*sum));
        let n = i128::from(rows);
        let (sum_a, sum_b) = (wide(&self.sums, (a, b))?, wide(&self.sums, (b, a))?);
        let covariance = n * wide(&self.products, (a, b))? - sum_a * sum_b;
        let (variance_a, variance_b) =
            (n * wide(&self.squares, (a, b))? - sum_a * sum_a, n * wide(&self.squares, (b, a))? - sum_b * sum_b);
        let varies = rows >= MIN_ROWS && variance_a > 0 && variance_b > 0;
        let correlation =
            varies.then(|| (covariance as f64 / (variance_a as f64).sqrt() / (variance_b as f64).sqrt()).clamp(-1.0, 1.0));
        let inflation = correlation.and_then(|correlation| self.inflation((a, b), correlation)).unwrap_or(1.0);
        Some(PairProfile { rows: rows.unsigned_abs(), correlation, inflation })
    }

    /// Around zero, which is the mean of normal scores.
    fn inflation(&self, (a, b): (usize, usize), correlation: f64) -> Option<f64> {
        let mean = |sums: &Array2<i64>, at: (usize, usize)| Some(*sums.get(at)? as f64 / *self.rows.get(at)? as f64);
        let squares = mean(&self.squares, (a, b))? * mean(&self.squares, (b, a))? / STEPS.powi(4);
        let both = mean(&self.squared_products, (a, b))? / COARSE_STEPS.powi(4);
        Some((both / squares / (1.0 + 2.0 * correlation * correlation)).max(1.0)).filter(|inflation| inflation.is_finite())
    }
}

/// Adds `a · bᵀ`.
fn add_product(sums: &mut Array2<i64>, a: &ArrayView2<f64>, b: &ArrayView2<f64>) {
    sums.zip_mut_with(&a.dot(&b.t()), |sum, product| *sum += whole(*product));
}

#[expect(clippy::cast_possible_truncation, reason = "a sum of integers below 2^53")]
fn whole(sum: f64) -> i64 {
    sum as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(columns: &[&Scores]) -> CrossProducts {
        let mut sums = CrossProducts::new(columns.len());
        sums.add(columns);
        sums
    }

    /// A scrambled sequence between −4000 and 4000.
    fn scrambled(seed: u64, count: u64) -> Scores {
        let at = |i: u64| i16::try_from(((i * seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % 8_000).unwrap() - 4_000;
        (0..count).map(|i| Some(at(i))).collect()
    }

    #[test]
    fn scores_are_normal_quantiles_of_ranks() {
        // scipy.stats.norm.ppf(0.5) = 0; the middle of 9 values has 4 below and itself: rank 9.
        assert_eq!(score(9, 9), 0);
        // scipy.stats.norm.ppf(0.05) * 4096 = -6737.28; below all of 9 values.
        assert_eq!(score(0, 9), -6_737);
        assert_eq!(score(18, 9), 6_737);
    }

    #[test]
    fn the_correlation_is_that_of_the_textbook() {
        // numpy.corrcoef([1, 2, 3, 4, 5], [2, 1, 4, 3, 5])[0, 1] = 0.8
        let (a, b) = ([1, 2, 3, 4, 5].map(Some).to_vec(), [2, 1, 4, 3, 5].map(Some).to_vec());
        let pair = of(&[&a, &b]).pairs()[0];
        assert_eq!(pair.rows, 5);
        assert!((pair.correlation.unwrap() - 0.8).abs() < 1e-12);
    }

    #[test]
    fn only_rows_with_both_values_count() {
        let a = vec![Some(1), Some(2), None, Some(3), Some(4), Some(5), Some(100)];
        let b = vec![Some(2), Some(1), Some(7), Some(4), Some(3), Some(5), None];
        let pair = of(&[&a, &b]).pairs()[0];
        assert_eq!(pair.rows, 5);
        assert!((pair.correlation.unwrap() - 0.8).abs() < 1e-12);
    }

    #[test]
    fn copies_and_mirrors_are_perfectly_correlated_and_constants_not_at_all() {
        let a = scrambled(7, 1_000);
        let mirrored: Scores = a.iter().map(|score| score.map(|score| -score)).collect();
        let constant: Scores = vec![Some(3); 1_000];
        let pairs = of(&[&a, &a, &mirrored, &constant]).pairs();
        let correlations: Vec<Option<f64>> = pairs.iter().map(|pair| pair.correlation).collect();
        assert!((correlations[0].unwrap() - 1.0).abs() < 1e-12 && (correlations[1].unwrap() + 1.0).abs() < 1e-12);
        assert_eq!(correlations[2], None);
    }

    #[test]
    fn any_split_merges_to_the_single_pass_with_or_without_missing_values() {
        let (mut a, b) = (scrambled(3, 500), scrambled(11, 500));
        a[450] = None;
        let whole = of(&[&a, &b]);
        let parts: Vec<CrossProducts> =
            [0..400, 400..500].map(|range| of(&[&a[range.clone()].to_vec(), &b[range].to_vec()])).to_vec();
        let mut merged = parts[1].clone();
        merged.merge(&parts[0]);
        assert_eq!(merged, whole);
    }

    #[test]
    fn features_can_be_left_out_on_both_sides() {
        let columns = [scrambled(3, 100), scrambled(5, 100), scrambled(9, 100)];
        let names = ["a", "b", "c"].map(FeatureName::new);
        let all = of(&[&columns[0], &columns[1], &columns[2]]);
        let mut profile = JointProfile { features: names.to_vec(), pairs: all.pairs() };
        profile.retain(|name| name.as_str() != "b");
        let mut sums = all.clone();
        sums.retain(&[true, false, true]);
        assert_eq!(sums.pairs(), of(&[&columns[0], &columns[2]]).pairs());
        assert_eq!(profile.pairs, sums.pairs());
        assert!(profile.fits());
    }

    #[test]
    fn no_feature_and_no_row_are_no_pair() {
        assert!(of(&[]).pairs().is_empty());
        assert_eq!(of(&[&Vec::new(), &Vec::new()]).pairs()[0], PairProfile::NONE);
    }
}
