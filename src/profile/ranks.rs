//! The rank of a value in the reference: what dependence and relations are computed on, because it knows no scale and no outlier.

use super::cells::Total;
use super::counts::NumericCounts;

/// The ranks of one feature's cells, `#{ref < x} + ½·#{ref = x}` in steps of 1/65,535 of the reference: 1 to 65,535.
#[derive(Clone, Debug)]
pub struct RankTable {
    /// By the number of knots below a value: of those strictly between two knots. (Of categories, both are the same.)
    between: Vec<u16>,
    /// Of those at the next knot.
    at: Vec<u16>,
}

impl RankTable {
    /// Of a row without a usable value.
    pub const NONE: u16 = 0;

    /// Of a grid with so many knots.
    pub fn numeric(reference: &NumericCounts, knots: usize) -> Self {
        let mut seen = Seen { below: 0, n: reference.n() };
        // A feature of which nothing is known has no cells.
        let totals = reference.totals().chain(std::iter::repeat(Total::default()));
        let ranks = totals.take(knots + 1).map(|total| (seen.rank(total.below), seen.rank(total.at)));
        let (between, at) = ranks.unzip();
        Self { between, at }
    }

    /// Of cells that hold so many reference values each.
    pub fn of_cells(counts: &[u64]) -> Self {
        let mut seen = Seen { below: 0, n: counts.iter().sum() };
        let at: Vec<u16> = counts.iter().map(|count| seen.rank(*count)).collect();
        Self { between: at.clone(), at }
    }

    /// All ranks, for those who look them up elsewhere: at `2b` that of a value with `b` knots below it, at `2b + 1` that of the next knot.
    pub fn interleaved(&self) -> Vec<u16> {
        self.between.iter().zip(&self.at).flat_map(|(between, at)| [*between, *at]).collect()
    }

    #[inline]
    pub fn rank(&self, below: u32, is_at: bool) -> u16 {
        let ranks = if is_at { &self.at } else { &self.between };
        ranks.get(below as usize).copied().unwrap_or(Self::NONE)
    }
}

/// How many rows have a usable value. None is asked for alone: a loop with a way out looks at one at a time.
pub fn usable(ranks: &[u16]) -> usize {
    ranks.iter().filter(|rank| **rank != RankTable::NONE).count()
}

struct Seen {
    below: u64,
    n: u64,
}

impl Seen {
    /// The rank of the next cell, which holds so many of the reference. Finite normal scores want ranks inside (0, 1) also for what lies
    /// beyond the reference, hence `(rank + ½) / (n + 1)`.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share below one, of 65,534")]
    fn rank(&mut self, count: u64) -> u16 {
        let share = (self.below as f64 + count as f64 / 2.0 + 0.5) / (self.n as f64 + 1.0);
        self.below += count;
        1 + (share * f64::from(u16::MAX)).clamp(0.0, f64::from(u16::MAX - 1)) as u16
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::grid::Grid;

    #[test]
    fn ranks_are_the_shares_of_the_reference_below() {
        let table = RankTable::of_cells(&[1, 2, 1]);
        // (0 + ½ + ½)/5, (1 + 1 + ½)/5, (3 + ½ + ½)/5 of 65,535.
        let ranks = [0, 1, 2].map(|cell| table.rank(cell, false));
        assert_eq!(ranks, [13_108, 32_768, 52_429]);
        assert_eq!(table.rank(3, false), RankTable::NONE);
    }

    #[test]
    fn a_number_ranks_between_its_neighbours_of_the_reference() {
        let reference = [1.0, 2.0, 2.0, 3.0];
        let counts = NumericCounts::of(&Grid::from_values(&mut reference.to_vec()), &reference);
        let table = RankTable::numeric(&counts, 3);
        // 1 + ⌊(below + ½·equal + ½)/5 · 65,535⌋
        let ranks = [0, 1, 2, 3].map(|below| (table.rank(below, false), table.rank(below, true)));
        assert_eq!(ranks, [(6_554, 13_108), (19_661, 32_768), (45_875, 52_429), (58_982, 58_982)]);
        assert_eq!((table.rank(4, false), table.rank(4, true)), (RankTable::NONE, RankTable::NONE));
    }

    #[test]
    fn even_the_last_rank_of_many_is_one() {
        assert_eq!(RankTable::of_cells(&[10_000_000, 0]).rank(1, true), u16::MAX);
        assert_eq!(RankTable::of_cells(&[0, 10_000_000]).rank(0, true), 1);
    }
}
