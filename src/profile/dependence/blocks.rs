//! Dependence in time order: the blocking method.

use super::{Estimate, Method};

/// Levels of blocking: blocks of 1, 2, 4, … rows. More rows than 2^40 do not occur.
const LEVELS: usize = 40;

/// A level with fewer blocks says nothing of a variance.
const MIN_BLOCKS: u64 = 4;

/// The curve has levelled off when doubling the block adds less than this share.
const PLATEAU: f64 = 0.10;

/// What is added for the part of the curve that a window is too short to show. Chosen by simulation: studies of ten rows, a window of
/// 73 (`tests/simulation`).
const STILL_RISING: f64 = 1.5;

/// A window that holds fewer stretches than this, each as long as the reference's design effect, is too short to be believed when it
/// looks less dependent than the reference. Chosen by simulation, as above: seven studies cannot tell that they are studies.
const MIN_STRETCHES: f64 = 50.0;

/// Block sums of one feature at every level (Flyvbjerg & Petersen 1989, J. Chem. Phys. 91:461, doi:10.1063/1.457480).
///
/// Costs O(1) per value. Parts merge by addition; no block spans two parts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Blocks {
    levels: Vec<Level>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Level {
    blocks: u64,
    sum: u128,
    squares: u128,
    /// The sum of a block that waits for its neighbour.
    pending: Option<u64>,
}

impl Blocks {
    /// Adds the next value in time order.
    pub fn push(&mut self, rank: u64) {
        let mut carried = Some(rank);
        for depth in 0..LEVELS {
            let Some(sum) = carried else { return };
            if depth == self.levels.len() {
                self.levels.push(Level::default());
            }
            let Some(level) = self.levels.get_mut(depth) else { return };
            level.blocks += 1;
            level.sum += u128::from(sum);
            level.squares += u128::from(sum) * u128::from(sum);
            carried = match level.pending.take() {
                None => {
                    level.pending = Some(sum);
                    None
                }
                Some(first) => Some(first + sum),
            };
        }
    }

    /// Adds the blocks of another part, which comes after this one.
    pub fn merge(&mut self, other: &Self) {
        for (depth, more) in other.levels.iter().enumerate() {
            if depth == self.levels.len() {
                self.levels.push(Level::default());
            }
            if let Some(level) = self.levels.get_mut(depth) {
                level.blocks += more.blocks;
                level.sum += more.sum;
                level.squares += more.squares;
                level.pending = more.pending;
            }
        }
    }

    fn rows(&self) -> u64 {
        self.levels.first().map_or(0, |level| level.blocks)
    }

    /// The variance of the block sums of a level; `None` with too few blocks.
    fn variance(&self, depth: usize) -> Option<f64> {
        let level = self.levels.get(depth).filter(|level| level.blocks >= MIN_BLOCKS)?;
        let (blocks, sum) = (level.blocks as f64, level.sum as f64);
        Some(((level.squares as f64 - sum * sum / blocks) / (blocks - 1.0)).max(0.0))
    }

    /// The statistical inefficiency with blocks of 2^depth rows: how much larger the variance of a block's sum is than that of as
    /// many independent rows.
    fn inefficiency(&self, depth: usize) -> Option<f64> {
        let single = self.variance(0).filter(|variance| *variance > 0.0)?;
        Some(self.variance(depth)? / single / 2.0_f64.powi(i32::try_from(depth).ok()?))
    }
}

/// The estimates of all features together.
///
/// Which level counts is decided by the mean curve of all features: what makes neighbouring rows alike (one patient, one scanner)
/// is common to them, and one feature's curve is too noisy in a small window. The first level counts after which the mean curve rises
/// by less than a tenth; where it rises to the end, the last usable one, and half as much again. Where a window is too short to tell,
/// the estimate of the reference counts if it is larger; `reference` is empty for the reference itself.
pub fn estimates(features: &[Blocks], reference: &[Estimate]) -> Vec<Estimate> {
    let mean = |depth: usize| {
        let curve: Vec<f64> = features.iter().filter_map(|blocks| blocks.inefficiency(depth)).collect();
        (!curve.is_empty()).then(|| curve.iter().sum::<f64>() / curve.len() as f64)
    };
    let mut depth = 0;
    let mut pooled = mean(0).unwrap_or(1.0);
    let mut levelled_off = false;
    while let Some(next) = mean(depth + 1) {
        levelled_off = next <= pooled * (1.0 + PLATEAU);
        if levelled_off {
            break;
        }
        depth += 1;
        pooled = next;
    }
    // A window shorter than the correlation time shows only the beginning of the curve.
    let unseen = if levelled_off || depth == 0 { 1.0 } else { STILL_RISING };
    let estimate = |(position, blocks): (usize, &Blocks)| {
        // A window that is too short for a level of its own is as inefficient as the others.
        let own = unseen * blocks.inefficiency(depth).map_or(pooled, |own| f64::midpoint(own, pooled));
        let known = reference.get(position).filter(|known| known.method == Method::Blocks).map_or(1.0, |known| known.design_effect);
        let floor = if (blocks.rows() as f64) < MIN_STRETCHES * known { known } else { 1.0 };
        Estimate { method: Method::Blocks, design_effect: own.max(floor), ..Estimate::INDEPENDENT }
    };
    features.iter().enumerate().map(estimate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(ranks: impl IntoIterator<Item = u64>) -> Blocks {
        let mut blocks = Blocks::default();
        ranks.into_iter().for_each(|rank| blocks.push(rank));
        blocks
    }

    /// A scrambled sequence without neighbours that resemble each other.
    fn scrambled(count: u64) -> Vec<u64> {
        (0..count).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 44).collect()
    }

    #[test]
    fn independent_rows_are_worth_themselves() {
        let estimate = estimates(&[of(scrambled(4_096)), of(scrambled(5_000))], &[]);
        assert!(estimate.iter().all(|estimate| estimate.design_effect < 1.2), "{estimate:?}");
    }

    #[test]
    fn repeated_rows_are_worth_one_each() {
        let repeated = scrambled(512).into_iter().flat_map(|rank| [rank; 8]);
        let design_effect = estimates(&[of(repeated)], &[])[0].design_effect;
        assert!((6.5..=10.0).contains(&design_effect), "{design_effect}");
    }

    #[test]
    fn a_window_too_short_for_blocks_is_taken_as_it_is() {
        assert!((estimates(&[of([5, 5, 5])], &[])[0].design_effect - 1.0).abs() < 1e-12);
        assert!((estimates(&[of([])], &[])[0].design_effect - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_short_window_is_no_less_dependent_than_the_reference_and_a_long_one_speaks_for_itself() {
        let known = Estimate { method: Method::Blocks, design_effect: 8.0, ..Estimate::INDEPENDENT };
        let of_rows = |rows| estimates(&[of(scrambled(rows))], &[known])[0].design_effect;
        assert!((of_rows(73) - 8.0).abs() < 1e-12);
        assert!(of_rows(4_096) < 1.2, "{}", of_rows(4_096));
        // Of a reference whose rows nothing orders nothing is known.
        assert!(estimates(&[of(scrambled(73))], &[Estimate { method: Method::Independent, ..known }])[0].design_effect < 2.0);
    }

    #[test]
    fn a_part_appended_is_counted_like_the_rows_themselves() {
        let ranks = scrambled(1_024);
        let whole = of(ranks.iter().copied());
        // Split where no block is open: the same blocks form.
        let mut left = of(ranks[..512].iter().copied());
        left.merge(&of(ranks[512..].iter().copied()));
        for depth in 0..9 {
            assert_eq!(left.levels[depth].blocks, whole.levels[depth].blocks);
            assert_eq!(left.levels[depth].squares, whole.levels[depth].squares);
        }
    }
}
