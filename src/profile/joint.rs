//! How features move together: cross-products of normal scores, pair by pair.
//!
//! A value's score is the normal quantile of its rank in the reference, in steps of 1/256. All sums are integers, so parts merge by
//! addition, and memory depends on the number of features alone (STATISTICS.md, section 8).

use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::packed::{Packer, Unpacker};
use super::ranks::{RankTable, usable};
use crate::feature::FeatureName;

/// Steps of a score to one standard deviation: fine enough for a correlation to six digits.
const STEPS: f64 = 256.0;

/// Of squared scores: coarser, so that their products fit.
const SQUARE_STEPS: f64 = 128.0;

/// Rows whose products are summed in 32 bits: scores are below 2^11, their squares in steps below 2^12.
const ROWS_OF_PRODUCTS: usize = 256;

/// A feature of which one value holds more than this share of the reference is left out: the scores of tied values are not normal, and a
/// few rows more or less would look like another correlation.
pub const LARGEST_TIE: f64 = 0.2;

/// Fewer common rows say nothing of a correlation.
const MIN_ROWS: i64 = 4;

/// A correlation closer to ±1 than this counts as this: Fisher's z of an exact copy would be infinite.
pub const LARGEST_CORRELATION: f64 = 0.999_999;

/// The normal score of every rank ([`RankTable`](super::ranks::RankTable)) in steps: `Φ⁻¹(rank)`; 0 for no rank.
#[derive(Clone, Debug)]
pub struct ScoreTable {
    scores: Vec<i16>,
}

impl ScoreTable {
    pub fn new() -> Self {
        // A score changes a few thousand times over all ranks: where, the distribution function tells.
        let normal = Normal::standard();
        let mut score = -LARGEST_SCORE;
        let upper_end = |score: i16| normal.cdf((f64::from(score) + 0.5) / STEPS);
        let mut end = upper_end(score);
        let of_rank = |rank: u16| {
            let share = (f64::from(rank) - 0.5) / f64::from(u16::MAX);
            while share > end && score < LARGEST_SCORE {
                score += 1;
                end = upper_end(score);
            }
            score
        };
        Self { scores: std::iter::once(0).chain((1..=u16::MAX).map(of_rank)).collect() }
    }

    fn of(&self, rank: u16) -> i16 {
        self.scores.get(usize::from(rank)).copied().unwrap_or(0)
    }
}

impl Default for ScoreTable {
    fn default() -> Self {
        Self::new()
    }
}

/// Of the first and last of 65,535 ranks, in steps: the last ranks are 4.3 standard deviations away.
const LARGEST_SCORE: i16 = 1_200;

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
    /// p × p, symmetric: the sum of the products of the squares, in their own steps.
    squared_products: Array2<i64>,
}

impl CrossProducts {
    pub fn new(features: usize) -> Self {
        let zeros = || Array2::zeros((features, features));
        Self { rows: zeros(), sums: zeros(), squares: zeros(), products: zeros(), squared_products: zeros() }
    }

    /// Adds one batch: the ranks of every feature, all of the same number of rows, or none where a feature has no value in any.
    pub fn add(&mut self, table: &ScoreTable, ranks: &[&[u16]]) {
        let rows = ranks.iter().map(|ranks| ranks.len()).max().unwrap_or(0);
        let starts: Vec<usize> = (0..rows).step_by(ROWS_AT_A_TIME).collect();
        let parts = starts.into_par_iter().fold(
            || Self::new(ranks.len()),
            |mut sums, start| {
                let part = start..start + ROWS_AT_A_TIME;
                let of_part = ranks.iter().map(|ranks| ranks.get(part.start..part.end.min(ranks.len())).unwrap_or_default());
                sums.add_part(table, &of_part.collect::<Vec<_>>());
                sums
            },
        );
        // Integers: the same in whatever order the parts come.
        let total = parts.reduce(
            || Self::new(ranks.len()),
            |mut sums, part| {
                sums.merge(&part);
                sums
            },
        );
        self.merge(&total);
    }

    fn add_part(&mut self, table: &ScoreTable, ranks: &[&[u16]]) {
        let rows = ranks.iter().map(|ranks| ranks.len()).max().unwrap_or(0);
        let columns: Vec<Column> = ranks.iter().map(|ranks| Column::of(table, ranks, rows)).collect();
        for (a, b) in (0..columns.len()).flat_map(|a| (a..columns.len()).map(move |b| (a, b))) {
            let (Some(x), Some(y)) = (columns.get(a), columns.get(b)) else { continue };
            let product = dot(&x.scores, &y.scores);
            let squared_product = dot(&x.squares, &y.squares);
            // Where every row counts, the sums do not depend on the other feature.
            let (common, [sum_x, squares_x], [sum_y, squares_y]) = match (x.is_complete, y.is_complete) {
                (true, true) => (i64::try_from(rows).unwrap_or(i64::MAX), x.sums, y.sums),
                _ => (dot(&x.present, &y.present), x.sums_where(&y.present), y.sums_where(&x.present)),
            };
            let add = |sums: &mut Array2<i64>, at: (usize, usize), more: i64| {
                if let Some(sum) = sums.get_mut(at) {
                    *sum += more;
                }
            };
            add(&mut self.sums, (a, b), sum_x);
            add(&mut self.squares, (a, b), squares_x);
            for at in if a == b { vec![(a, b)] } else { vec![(a, b), (b, a)] } {
                add(&mut self.rows, at, common);
                add(&mut self.products, at, product);
                add(&mut self.squared_products, at, squared_product);
            }
            if a != b {
                add(&mut self.sums, (b, a), sum_y);
                add(&mut self.squares, (b, a), squares_y);
            }
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

    /// Of what is symmetric, one half.
    pub fn pack(&self, to: &mut Packer) {
        for at in halves(self.rows.nrows()) {
            for sums in [&self.rows, &self.products, &self.squared_products] {
                to.signed(sums.get(at).copied().unwrap_or(0).into());
            }
        }
        self.sums.iter().chain(&self.squares).for_each(|sum| to.signed(i128::from(*sum)));
    }

    /// What was packed of so many features; `None` where it was not.
    pub fn unpack(features: usize, from: &mut Unpacker<'_>) -> Option<Self> {
        let mut sum = || from.signed().and_then(|sum| i64::try_from(sum).ok()).filter(|sum| sum.unsigned_abs() < MOST);
        let mut read = Self::new(features);
        for (a, b) in halves(features) {
            for sums in [&mut read.rows, &mut read.products, &mut read.squared_products] {
                let sum = sum()?;
                for at in [(a, b), (b, a)] {
                    *sums.get_mut(at)? = sum;
                }
            }
        }
        for place in read.sums.iter_mut().chain(&mut read.squares) {
            *place = sum()?;
        }
        Some(read)
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
        let both = mean(&self.squared_products, (a, b))? / SQUARE_STEPS.powi(2);
        Some((both / squares / (1.0 + 2.0 * correlation * correlation)).max(1.0)).filter(|inflation| inflation.is_finite())
    }
}

/// More than a sum of 2^32 rows comes to: many such sums can be added.
const MOST: u64 = 1 << 58;

/// The features with themselves, and the pairs.
fn halves(features: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..features).flat_map(move |a| (a..features).map(move |b| (a, b)))
}

/// Rows whose scores stay in the cache of a core, for all features together.
const ROWS_AT_A_TIME: usize = 2_048;

/// One feature's rows.
struct Column {
    scores: Vec<i16>,
    /// Of the scores.
    squares: Vec<i16>,
    /// 1 where the row has a value.
    present: Vec<i16>,
    is_complete: bool,
    /// The sum of the scores and of their squares.
    sums: [i64; 2],
}

impl Column {
    fn of(table: &ScoreTable, ranks: &[u16], rows: usize) -> Self {
        let mut scores: Vec<i16> = ranks.iter().map(|rank| table.of(*rank)).collect();
        scores.resize(rows, 0);
        let squares = scores.iter().map(|score| square(*score)).collect();
        let is_complete = usable(ranks) == rows;
        let mut present = vec![1; if is_complete { rows } else { 0 }];
        if !is_complete {
            present.extend(ranks.iter().map(|rank| i16::from(*rank != RankTable::NONE)));
            present.resize(rows, 0);
        }
        let sums = [scores.iter().map(|score| i64::from(*score)).sum(), dot(&scores, &scores)];
        Self { scores, squares, present, is_complete, sums }
    }

    /// The sums over the rows in which another feature has a value.
    fn sums_where(&self, present: &[i16]) -> [i64; 2] {
        let masked: Vec<i16> = self.scores.iter().zip(present).map(|(score, present)| score * present).collect();
        [dot(&self.scores, present), dot(&masked, &masked)]
    }
}

/// A squared score in its own steps.
#[expect(clippy::cast_possible_truncation, reason = "at most 2,813")]
fn square(score: i16) -> i16 {
    let square = i32::from(score) * i32::from(score);
    let steps = (STEPS * STEPS / SQUARE_STEPS) as i32;
    ((square + steps / 2) / steps) as i16
}

/// The sum of the products.
fn dot(a: &[i16], b: &[i16]) -> i64 {
    let of_rows = |(a, b): (&[i16], &[i16])| i64::from(a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum::<i32>());
    a.chunks(ROWS_OF_PRODUCTS).zip(b.chunks(ROWS_OF_PRODUCTS)).map(of_rows).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(columns: &[&Vec<u16>]) -> CrossProducts {
        let mut sums = CrossProducts::new(columns.len());
        sums.add(&ScoreTable::new(), &columns.iter().map(|column| column.as_slice()).collect::<Vec<_>>());
        sums
    }

    /// The rank with so many of the reference below.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 65,535")]
    fn rank(share: f64) -> u16 {
        (share * f64::from(u16::MAX) + 0.5).round() as u16
    }

    /// The ranks whose scores are these standard deviations.
    fn scored(scores: &[f64]) -> Vec<u16> {
        scores.iter().map(|score| rank(Normal::standard().cdf(*score))).collect()
    }

    /// A scrambled sequence of ranks.
    fn scrambled(seed: u64, count: u64) -> Vec<u16> {
        let at = |i: u64| (i * seed).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48;
        (0..count).map(|i| u16::try_from(at(i)).unwrap().max(1)).collect()
    }

    #[test]
    fn scores_are_normal_quantiles_of_ranks() {
        let table = ScoreTable::new();
        let of = |share: f64| f64::from(table.of(rank(share))) / STEPS;
        // scipy.stats.norm.ppf
        for (share, quantile) in [(0.5, 0.0), (0.05, -1.644_85), (0.975, 1.959_96), (0.999, 3.090_23)] {
            assert!((of(share) - quantile).abs() <= 0.51 / STEPS + 5e-3, "{share}: {}", of(share));
        }
        assert_eq!((table.of(RankTable::NONE), table.of(1), table.of(u16::MAX)), (0, -1_107, 1_107));
    }

    #[test]
    fn the_correlation_is_that_of_the_textbook() {
        // numpy.corrcoef([1, 2, 3, 4, 5], [2, 1, 4, 3, 5])[0, 1] = 0.8
        let (a, b) = ([-1.0, -0.5, 0.0, 0.5, 1.0], [-0.5, -1.0, 0.5, 0.0, 1.0]);
        let pair = of(&[&scored(&a), &scored(&b)]).pairs()[0];
        assert_eq!(pair.rows, 5);
        assert!((pair.correlation.unwrap() - 0.8).abs() < 1e-3);
    }

    #[test]
    fn only_rows_with_both_values_count() {
        let (a, b) = ([-1.0, -0.5, 0.0, 0.0, 0.5, 1.0, 3.0], [-0.5, -1.0, 2.0, 0.5, 0.0, 1.0, 0.0]);
        let (mut a, mut b) = (scored(&a), scored(&b));
        (a[2], b[6]) = (RankTable::NONE, RankTable::NONE);
        let pair = of(&[&a, &b]).pairs()[0];
        assert_eq!(pair.rows, 5);
        assert!((pair.correlation.unwrap() - 0.8).abs() < 1e-3);
    }

    #[test]
    fn sums_are_those_of_a_naive_loop_in_any_number_of_rows() {
        let table = ScoreTable::new();
        for rows in [1, 255, 257, 9_000] {
            let columns = [scrambled(3, rows), scrambled(11, rows)];
            let sums = of(&[&columns[0], &columns[1]]);
            let scores = |column: &Vec<u16>| column.iter().map(|rank| i64::from(table.of(*rank))).collect::<Vec<_>>();
            let (a, b) = (scores(&columns[0]), scores(&columns[1]));
            assert_eq!(sums.products[(0, 1)], a.iter().zip(&b).map(|(a, b)| a * b).sum::<i64>());
            assert_eq!((sums.sums[(0, 1)], sums.sums[(1, 0)]), (a.iter().sum(), b.iter().sum()));
            assert_eq!(sums.squares[(1, 0)], b.iter().map(|b| b * b).sum::<i64>());
        }
    }

    #[test]
    fn copies_and_mirrors_are_perfectly_correlated_and_constants_not_at_all() {
        let a = scrambled(7, 1_000);
        // Rank r of 65,535 is as far below the middle as 65,536 − r above.
        let mirrored: Vec<u16> = a.iter().map(|rank| 0_u16.wrapping_sub(*rank)).collect();
        let constant = vec![40_000; 1_000];
        let pairs = of(&[&a, &a, &mirrored, &constant]).pairs();
        let correlations: Vec<Option<f64>> = pairs.iter().map(|pair| pair.correlation).collect();
        assert!((correlations[0].unwrap() - 1.0).abs() < 1e-12 && (correlations[1].unwrap() + 1.0).abs() < 1e-12);
        assert_eq!(correlations[2], None);
    }

    #[test]
    fn any_split_merges_to_the_single_pass_with_or_without_missing_values() {
        let (mut a, b) = (scrambled(3, 500), scrambled(11, 500));
        a[450] = RankTable::NONE;
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
        assert_eq!(of(&[&vec![], &vec![]]).pairs()[0], PairProfile::NONE);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn neither_split_nor_order_of_the_rows_matter(
            (rows, shuffled) in prop::collection::vec(
                (prop_oneof![1 => Just(RankTable::NONE), 9 => 1_u16..=u16::MAX], 1_u16..=u16::MAX, 0_u16..3), 0..700,
            ).prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
            part_rows in 1_usize..700,
        ) {
            let sums = |rows: &[(u16, u16, u16)]| {
                let column = |of_row: fn(&(u16, u16, u16)) -> u16| rows.iter().map(of_row).collect::<Vec<u16>>();
                of(&[&column(|row| row.0), &column(|row| row.1), &column(|row| row.2)])
            };
            let whole = sums(&rows);
            let mut merged = CrossProducts::new(3);
            for part in shuffled.chunks(part_rows) {
                merged.merge(&sums(part));
            }
            prop_assert_eq!(&merged, &whole);
            for pair in whole.pairs() {
                prop_assert!(pair.correlation.is_none_or(|correlation| (-1.0..=1.0).contains(&correlation)), "{:?}", pair);
                prop_assert!(pair.inflation >= 1.0 && pair.inflation.is_finite(), "{:?}", pair);
            }
        }
    }

    #[test]
    fn every_sum_is_over_the_rows_in_which_both_have_a_value() {
        let table = ScoreTable::new();
        let mut columns = [scrambled(3, 5_000), scrambled(11, 5_000), scrambled(5, 5_000), vec![]];
        for (row, rank) in columns[0].iter_mut().enumerate().filter(|(row, _)| row % 7 == 3) {
            *rank = if row % 2 == 0 { RankTable::NONE } else { 40_000 };
        }
        // Without a value at the end: a batch may say so by being shorter.
        columns[1].truncate(4_100);
        let sums = of(&columns.each_ref());
        let score = |column: usize, row: usize| {
            columns[column].get(row).filter(|rank| **rank != RankTable::NONE).map(|rank| i64::from(table.of(*rank)))
        };
        // Of 512 squared steps each, rounded.
        let coarse = |score: i64| (score * score + 256) / 512;
        for (a, b) in (0..4).flat_map(|a| (0..4).map(move |b| (a, b))) {
            let both: Vec<(i64, i64)> = (0..5_000).filter_map(|row| Some((score(a, row)?, score(b, row)?))).collect();
            let sum = |of: &dyn Fn(i64, i64) -> i64| both.iter().map(|(x, y)| of(*x, *y)).sum::<i64>();
            assert_eq!(sums.rows[(a, b)], sum(&|_, _| 1), "{a} {b}");
            assert_eq!(sums.sums[(a, b)], sum(&|x, _| x), "{a} {b}");
            assert_eq!(sums.squares[(a, b)], sum(&|x, _| x * x), "{a} {b}");
            assert_eq!(sums.products[(a, b)], sum(&|x, y| x * y), "{a} {b}");
            assert_eq!(sums.squared_products[(a, b)], sum(&|x, y| coarse(x) * coarse(y)), "{a} {b}");
        }
        let pairs = sums.pairs();
        assert_eq!(
            pairs.iter().map(|pair| pair.rows).collect::<Vec<_>>(),
            pairs_of(4).map(|at| sums.rows[at].unsigned_abs()).collect::<Vec<_>>()
        );
        assert_eq!(pairs[2], PairProfile::NONE);
    }

    #[test]
    fn squared_scores_are_rounded_to_their_steps() {
        assert_eq!([0, 15, 16, -20, 256, -1_107, LARGEST_SCORE].map(square), [0, 0, 1, 1, 128, 2_393, 2_813]);
    }

    #[test]
    fn four_common_rows_and_a_variance_on_both_sides_make_a_correlation() {
        let (a, b, one) = (vec![9_000, 30_000, 20_000, 50_000], vec![40_000, 10_000, 30_000, 20_000], vec![33_333; 4]);
        let correlation = |a: &Vec<u16>, b: &Vec<u16>| of(&[a, b]).pairs()[0].correlation;
        assert!(correlation(&a, &b).is_some());
        assert_eq!(correlation(&a[..3].to_vec(), &b[..3].to_vec()), None);
        assert_eq!((correlation(&one, &b), correlation(&a, &one)), (None, None));
    }

    /// `mean(x²y²)/mean(x²)/mean(y²)/(1 + 2ρ²)`, ρ by numpy.corrcoef.
    #[test]
    fn what_is_extreme_together_inflates_the_variance_of_the_correlation() {
        let quiet = [(0.0, 0.0); 12];
        let inflation = |rows: &[(f64, f64)]| {
            let (a, b): (Vec<f64>, Vec<f64>) = rows.iter().copied().unzip();
            let pair = of(&[&scored(&a), &scored(&b)]).pairs()[0];
            (pair.inflation, pair.correlation.unwrap())
        };
        let is = |rows: &[(f64, f64)], inflation_of: f64, correlation_of: f64| {
            let (found, correlation) = inflation(rows);
            assert!(
                (found / inflation_of - 1.0).abs() < 5e-3 && (correlation - correlation_of).abs() < 2e-3,
                "{found} {correlation}"
            );
        };
        is(&[[(2.0, 2.0), (-2.0, -2.0), (2.0, -2.0), (-2.0, 2.0)].as_slice(), &quiet].concat(), 4.0, 0.0);
        is(&[[(3.0, 3.0), (-3.0, -3.0)].as_slice(), &quiet].concat(), 7.0 / 3.0, 1.0);
        is(
            &[[(2.0, 1.5), (-2.0, -1.5), (2.0, -1.5), (1.0, 0.5)].as_slice(), &quiet[..5]].concat(),
            1.988_221_000_615_646_4,
            0.421_610_455_686_390_7,
        );
        // Where it is less than that of normal values, it is taken as theirs.
        assert!((inflation(&[(1.0, 1.0), (-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0)]).0 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn packed_sums_read_back_and_those_too_large_are_refused() {
        let (mut a, b, c) = (scrambled(3, 50), scrambled(11, 50), scrambled(7, 50));
        a[3] = RankTable::NONE;
        let sums = of(&[&a, &b, &c]);
        let read = |sums: &CrossProducts| {
            let mut packer = Packer::default();
            sums.pack(&mut packer);
            let bytes = packer.into_bytes();
            let mut unpacker = Unpacker::new(&bytes);
            let read = CrossProducts::unpack(sums.rows.nrows(), &mut unpacker)?;
            assert!(unpacker.is_empty());
            Some(read)
        };
        assert_eq!(read(&sums), Some(sums.clone()));
        let most = i64::try_from(MOST).unwrap();
        for (sum, fits) in [(most - 1, true), (1 - most, true), (most, false), (-most, false)] {
            let mut of_products = sums.clone();
            of_products.products[(0, 1)] = sum;
            of_products.products[(1, 0)] = sum;
            let mut of_squares = sums.clone();
            of_squares.squares[(2, 2)] = sum;
            assert_eq!((read(&of_products).is_some(), read(&of_squares).is_some()), (fits, fits));
        }
    }

    #[test]
    fn pairs_are_named_in_their_order_and_are_all_there_or_none() {
        let pair = |rows| PairProfile { rows, ..PairProfile::NONE };
        let mut profile = JointProfile::of(["a", "b", "c"].map(FeatureName::new).to_vec());
        assert!(profile.fits() && profile.named_pairs().next().is_none());
        profile.pairs = vec![pair(1), pair(2)];
        assert!(!profile.fits());
        profile.pairs.push(pair(3));
        assert!(profile.fits());
        let named: Vec<(&str, &str, u64)> = profile.named_pairs().map(|(a, b, pair)| (a.as_str(), b.as_str(), pair.rows)).collect();
        assert_eq!(named, [("a", "b", 1), ("a", "c", 2), ("b", "c", 3)]);
    }
}
