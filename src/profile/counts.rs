//! The counts of a numeric feature's values over a grid: integers, so that parts merge exactly and in any order.
//!
//! They suffice for the exact two-sample KS statistic, for PSI and Jensen–Shannon over any bins whose edges are knots, and for the
//! Wasserstein distance (STATISTICS.md, section 1).

use super::Presence;
use super::beyond::{Beyond, Bucket};
use super::cells::{AT, BELOW, Cells, LARGEST_PLACE, Total};
use super::grid::Grid;
use super::locator::{CHUNK, Locator};
use super::moments::Moments;
use super::packed::{Packer, Unpacker};
use super::ranks::RankTable;
use crate::feature::is_missing;

/// What a chunk of values is worked out in.
struct Scratch {
    buckets: [u32; CHUNK],
    below: [u32; CHUNK],
    /// What is added to the cell of each value.
    added: [u64; CHUNK],
    ranks: [u16; CHUNK],
}

impl Scratch {
    fn new() -> Self {
        Self { buckets: [0; CHUNK], below: [0; CHUNK], added: [0; CHUNK], ranks: [RankTable::NONE; CHUNK] }
    }

    /// Finds the places of values whose cells are known.
    fn find_places(&mut self, locator: &Locator, values: &[f64]) {
        for ((value, below), added) in values.iter().zip(&self.below).zip(&mut self.added) {
            let (left, right) = locator.around(*below);
            let place = (value - left) / (right - left);
            // Out of this range where the width of the interval is none or infinite.
            let place = if place > 0.0 { place } else { 0.0 };
            let place = if place < 1.0 { place } else { 1.0 };
            let place = (place * LARGEST_PLACE + ROUNDING).to_bits() & MANTISSA;
            *added = if right <= *value { AT } else { BELOW + place };
        }
    }
}

/// Adding it to a number below 2^51 leaves that number, rounded, in the lowest bits: 2^52.
const ROUNDING: f64 = 4_503_599_627_370_496.0;
const MANTISSA: u64 = (1 << 52) - 1;

/// The counts of a numeric feature's values over a grid.
#[derive(Clone, Debug, Default)]
pub struct NumericCounts {
    pub presence: Presence,
    pub moments: Moments,
    cells: Cells,
    /// The values below the first and above the last knot, by how far beyond they lie.
    below_all: Beyond,
    above_all: Beyond,
}

impl NumericCounts {
    pub fn empty(grid: &Grid) -> Self {
        Self { cells: Cells::new(grid.knots().len() + 1), moments: Moments::new(grid.scale()), ..Self::default() }
    }

    /// The counts of these values, for those who have no use for what finds them.
    pub fn of(grid: &Grid, values: &[f64]) -> Self {
        let mut counts = Self::empty(grid);
        counts.update(&Locator::new(grid), values, None);
        counts
    }

    /// Counts values over the grid of `locator`. Where `ranked` is given, the rank of every value is appended, `None` of those that are
    /// not finite.
    pub fn update(&mut self, locator: &Locator, values: &[f64], mut ranked: Option<(&RankTable, &mut Vec<u16>)>) {
        self.presence.rows += values.len() as u64;
        self.cells.make_room(values.len());
        let (mut finite, mut scratch) = ([0.0; CHUNK], Scratch::new());
        for chunk in values.chunks(CHUNK) {
            let table = ranked.as_ref().map(|(table, _)| *table);
            if is_all_finite(chunk) {
                self.count(locator, chunk, table, &mut scratch);
                if let Some((_, ranked)) = &mut ranked {
                    ranked.extend_from_slice(scratch.ranks.get(..chunk.len()).unwrap_or_default());
                }
                continue;
            }
            let mut length = 0;
            for (place, value) in finite.iter_mut().zip(chunk.iter().filter(|value| value.is_finite())) {
                *place = *value;
                length += 1;
            }
            self.count(locator, finite.get(..length).unwrap_or_default(), table, &mut scratch);
            let mut counted = scratch.ranks.iter();
            for value in chunk {
                let rank = if value.is_finite() { counted.next() } else { None };
                if rank.is_none() {
                    self.add_unusable(*value);
                }
                if let Some((_, ranked)) = &mut ranked {
                    ranked.push(rank.copied().unwrap_or(RankTable::NONE));
                }
            }
        }
    }

    fn add_unusable(&mut self, value: f64) {
        *(if is_missing(value) { &mut self.presence.missing } else { &mut self.presence.non_finite }) += 1;
    }

    /// Counts at most [`CHUNK`] finite values; leaves how many knots lie below each, and its rank.
    fn count(&mut self, locator: &Locator, values: &[f64], table: Option<&RankTable>, scratch: &mut Scratch) {
        self.moments.add(values);
        locator.below(values, &mut scratch.buckets, &mut scratch.below);
        scratch.find_places(locator, values);
        let Scratch { below, added, ranks, .. } = scratch;
        self.cells.count(below.iter().take(values.len()), added);
        let (below, added) = (below.get(..values.len()).unwrap_or_default(), added.get(..values.len()).unwrap_or_default());
        if let Some(table) = table {
            // Mostly none is at a knot, and nothing has to be asked of each. All are counted, because a loop with a way out looks at one at a time.
            if added.iter().filter(|added| **added == AT).count() > 0 {
                let cells = below.iter().zip(added);
                cells.zip(ranks.iter_mut()).for_each(|((below, added), rank)| *rank = table.rank(*below, *added == AT));
            } else {
                below.iter().zip(ranks.iter_mut()).for_each(|(below, rank)| *rank = table.rank(*below, false));
            }
        }
        let last = locator.knots();
        let is_end = |below: u32| below == 0 || below as usize == last;
        if below.iter().filter(|below| is_end(**below)).count() > 0 {
            for (value, below) in values.iter().zip(below).filter(|(_, below)| is_end(**below)) {
                self.count_beyond(locator, *value, *below);
            }
        }
    }

    /// A value at the first knot or beyond an end of the grid.
    fn count_beyond(&mut self, locator: &Locator, value: f64, below: u32) {
        let (left, right) = locator.around(below);
        if right <= value {
            return;
        }
        if left.is_finite() {
            self.above_all.add(value - left);
        } else {
            // A grid without knots has no end to be beyond of.
            self.below_all.add(if right.is_finite() { right - value } else { value });
        }
    }

    /// Adds the counts of other values over the same grid.
    pub fn merge(&mut self, other: &Self) {
        self.presence.merge(&other.presence);
        self.moments.merge(&other.moments);
        self.below_all.merge(&other.below_all);
        self.above_all.merge(&other.above_all);
        self.cells.merge(&other.cells);
    }

    /// The share of the most frequent knot, in [0, 1]; 0 without values.
    pub fn largest_tie(&self) -> f64 {
        let n = self.n();
        let largest = self.cells.occupied().map(|(_, total)| total.at).max().unwrap_or(0);
        if n == 0 { 0.0 } else { largest as f64 / n as f64 }
    }

    /// The values below the first knot, by their distance from it.
    pub fn below_all(&self) -> &Beyond {
        &self.below_all
    }

    /// The values above the last knot, by their distance from it.
    pub fn above_all(&self) -> &Beyond {
        &self.above_all
    }

    /// Finite values counted.
    pub fn n(&self) -> u64 {
        self.moments.n()
    }

    /// Values that equal knot `index`.
    pub fn at(&self, index: usize) -> u64 {
        self.cells.get(index).at
    }

    /// Values strictly between knot `index − 1` and knot `index`.
    pub fn below(&self, index: usize) -> u64 {
        self.cells.get(index).below
    }

    /// The mean place of the values that [`Self::below`] counts, in [0, 1] from knot `index − 1` to knot `index`; 0 without values and
    /// beyond the ends.
    pub fn mean_place_below(&self, index: usize) -> f64 {
        if index == 0 || index + 1 == self.cells.len() { 0.0 } else { self.cells.get(index).mean_place() }
    }

    /// Values that equal no knot.
    pub fn off_grid(&self) -> u64 {
        self.cells.occupied().map(|(_, total)| total.below).sum()
    }

    /// The knots that are not empty, or whose interval below is not; with their index.
    pub fn occupied(&self) -> impl Iterator<Item = (usize, Total)> {
        self.cells.occupied()
    }

    /// What each knot and the interval below it hold, in their order, and at last what lies above all. The places of what is beyond an end of
    /// the grid mean nothing.
    pub fn totals(&self) -> impl Iterator<Item = Total> {
        self.cells.totals()
    }

    pub fn pack(&self, to: &mut Packer) {
        self.presence.pack(to);
        self.moments.pack(to);
        to.length(self.occupied().count());
        let mut next = 0;
        for (index, total) in self.occupied() {
            to.length(index - next);
            next = index + 1;
            to.count(total.at);
            to.count(total.below);
            if total.below > 0 {
                to.unsigned(total.places);
            }
        }
        self.below_all.pack(to);
        self.above_all.pack(to);
    }

    /// Adds what was packed over the same grid. `None` where it was not, and then these counts are not to be used.
    pub fn unpack_into(&mut self, from: &mut Unpacker<'_>) -> Option<()> {
        self.presence.merge(&Presence::unpack(from)?);
        let moments = Moments::unpack(self.moments.scale(), from)?;
        self.moments.merge(&moments);
        let mut next = 0_usize;
        let occupied = from.length()?;
        self.cells.make_room(occupied);
        for _ in 0..occupied {
            let index = next.checked_add(usize::try_from(from.count()?).ok()?)?;
            next = index + 1;
            let (at, below) = (from.rows()?, from.rows()?);
            // Each value has a place below 2^32.
            let places = if below > 0 { from.unsigned().filter(|places| *places <= u128::from(below) << 32)? } else { 0 };
            (index < self.cells.len()).then_some(())?;
            self.cells.add(index, Total { at, below, places });
        }
        self.below_all.unpack_into(from)?;
        self.above_all.unpack_into(from)
    }

    /// Adds values that were counted elsewhere: those in the interval below knot `index` and those at it. `None` where the grid has no such
    /// cell. Their [`Self::add_moments`] and, beyond an end of the grid, their [`Self::add_beyond`] are to be added too.
    pub fn add_counted(&mut self, index: usize, more: Total) -> Option<()> {
        (index < self.cells.len()).then_some(())?;
        more.at.checked_add(more.below)?;
        self.cells.add(index, more);
        Some(())
    }

    /// Adds the distances of values that were counted elsewhere, and lie below the first knot or above the last.
    pub fn add_beyond(&mut self, is_below: bool, number: usize, more: Bucket) {
        let side = if is_below { &mut self.below_all } else { &mut self.above_all };
        side.add_bucket(number, more);
    }

    /// Adds the moments of values that were counted elsewhere, in the units of the grid.
    pub fn add_moments(&mut self, moments: &Moments) {
        self.moments.merge(moments);
    }

    /// Makes looking at one cell after the other quick.
    pub fn spread(&mut self) {
        self.cells.spread();
    }

    /// Whether these counts belong to the grid and add up.
    pub fn fits(&self, grid: &Grid) -> bool {
        let sum = self.occupied().try_fold(0_u64, |sum, (_, total)| sum.checked_add(total.at)?.checked_add(total.below));
        let beyond = (self.below(0), self.below(grid.knots().len()));
        let beyond_fits = if grid.knots().is_empty() { true } else { beyond == (self.below_all.count(), self.above_all.count()) };
        self.cells.len() == grid.knots().len() + 1
            // Above the last there is no knot.
            && self.at(grid.knots().len()) == 0
            && beyond_fits
            && sum == Some(self.n())
            && self.presence.rows >= self.presence.without_value() + self.presence.non_finite
            && self.presence.usable() == self.n()
    }
}

/// Equal is what packs alike, however the cells are held.
impl PartialEq for NumericCounts {
    fn eq(&self, other: &Self) -> bool {
        let packed = |counts: &Self| {
            let mut packer = Packer::default();
            counts.pack(&mut packer);
            packer.into_bytes()
        };
        (self.cells.len(), self.moments.scale(), packed(self)) == (other.cells.len(), other.moments.scale(), packed(other))
    }
}

/// Whether a sum of them times zero is zero: a test without a branch.
fn is_all_finite(values: &[f64]) -> bool {
    let (chunks, rest) = values.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += value * 0.0;
        }
    }
    sums.iter().chain(rest).all(|value| (value * 0.0).abs() <= 0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::feature::MISSING;
    use crate::profile::ranks::RankTable;

    fn grid(values: &[f64]) -> Grid {
        Grid::from_values(&mut values.to_vec())
    }

    #[test]
    fn missing_and_non_finite_are_counted_apart() {
        let grid = grid(&[1.0, 2.0]);
        let counts = NumericCounts::of(&grid, &[1.0, MISSING, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1.5]);
        assert_eq!(counts.presence, Presence { rows: 6, missing: 1, non_finite: 3, ..Presence::default() });
        assert_eq!((counts.n(), counts.at(0), counts.below(1)), (2, 1, 1));
        assert!((counts.mean_place_below(1) - 0.5).abs() < 1e-15);
        assert!(counts.fits(&grid));
    }

    /// More values than a cell has room for, counted, merged and read back, over a grid whose cells are few and one whose lie side by side.
    #[test]
    fn full_cells_spill_without_losing_a_value() {
        let knots: Vec<f64> = (0..5_000).map(f64::from).collect();
        // In turn at a knot, in an interval and above all.
        let values: Vec<f64> = [1.0, 1.25, 1e9].into_iter().cycle().take(3 * 4_000).collect();
        let is = |counts: &NumericCounts, grid: &Grid, n: u64| {
            let above = grid.knots().len();
            assert_eq!((counts.at(1), counts.below(2), counts.below(above), counts.at(2)), (n, n, n, 0));
            assert!((counts.mean_place_below(2) - 0.25).abs() < 1e-15 && counts.fits(grid));
        };
        for grid in [grid(&knots), grid(&knots[..4])] {
            let counts = NumericCounts::of(&grid, &values);
            is(&counts, &grid, 4_000);
            let mut merged = NumericCounts::empty(&grid);
            for part in values.chunks(900) {
                let mut part = NumericCounts::of(&grid, part);
                part.merge(&merged);
                merged = part;
            }
            assert_eq!(merged, counts);
            merged.merge(&counts);
            is(&merged, &grid, 8_000);
            let mut packer = Packer::default();
            merged.pack(&mut packer);
            let mut unpacked = counts;
            unpacked.unpack_into(&mut Unpacker::new(&packer.into_bytes())).unwrap();
            is(&unpacked, &grid, 12_000);
            unpacked.spread();
            is(&unpacked, &grid, 12_000);
        }
    }

    #[test]
    fn intervals_of_any_width_and_grids_of_any_size_hold() {
        let wide = grid(&[f64::MIN, f64::MAX]);
        assert!(NumericCounts::of(&wide, &[0.0, 1e300, f64::MAX]).fits(&wide));
        let none = grid(&[]);
        let counts = NumericCounts::of(&none, &[0.0, -1.0, 5e300]);
        assert!(counts.fits(&none) && counts.below(0) == 3);
    }

    #[test]
    fn few_values_over_a_large_grid_count_as_many_do() {
        let knots: Vec<f64> = (0..5_000).map(f64::from).collect();
        let grid = grid(&knots);
        let (few, many) = (NumericCounts::of(&grid, &[7.0, 8.5, -3.0, 7.0, 9e9]), NumericCounts::of(&grid, &knots));
        assert!(!few.cells.is_spread() && many.cells.is_spread());
        assert!(few.fits(&grid) && few.at(7) == 2 && few.below(9) == 1 && (few.largest_tie(), few.off_grid()) == (0.4, 3));
        let (mut one, mut other) = (few.clone(), many.clone());
        one.merge(&many);
        other.merge(&few);
        assert_eq!(one, other);
        assert!(one.fits(&grid) && one.at(7) == 3);
        let (mut spread, mut twice) = (few.clone(), few.clone());
        spread.spread();
        assert_eq!(spread, few);
        spread.merge(&few);
        twice.merge(&few);
        assert!(!twice.cells.is_spread());
        assert_eq!(spread, twice);
    }

    proptest! {
        #[test]
        fn counts_are_those_of_a_naive_count_and_any_split_merges_to_them(
            reference in prop::collection::vec(-20_i8..20, 0..40),
            current in prop::collection::vec(prop::option::of(-25_i8..25), 0..2_500),
            split in 0_usize..2_500,
        ) {
            let grid = grid(&reference.iter().map(|&v| f64::from(v)).collect::<Vec<_>>());
            let values: Vec<f64> = current.iter().map(|v| v.map_or(f64::NAN, |v| f64::from(v) / 2.0)).collect();
            let whole = NumericCounts::of(&grid, &values);
            let mut naive = vec![0; grid.cells()];
            values.iter().filter(|value| value.is_finite()).for_each(|&value| naive[grid.cell(value)] += 1);
            for (cell, count) in naive.into_iter().enumerate() {
                prop_assert_eq!(if cell % 2 == 1 { whole.at(cell / 2) } else { whole.below(cell / 2) }, count);
            }
            prop_assert!(whole.fits(&grid));
            let mut packer = Packer::default();
            whole.pack(&mut packer);
            let bytes = packer.into_bytes();
            let (mut unpacked, mut unpacker) = (NumericCounts::empty(&grid), Unpacker::new(&bytes));
            prop_assert_eq!(unpacked.unpack_into(&mut unpacker), Some(()));
            prop_assert!(unpacker.is_empty());
            prop_assert_eq!(&unpacked, &whole);
            let (left, right) = values.split_at(split.min(values.len()));
            let mut merged = NumericCounts::of(&grid, right);
            merged.merge(&NumericCounts::of(&grid, left));
            prop_assert_eq!(merged, whole);
        }

        #[test]
        fn values_of_every_size_count_the_same_whatever_the_split_and_the_order(
            knots in prop::collection::vec(prop_oneof![-9.0..9.0, -1e300..1e300, Just(f64::MAX), Just(f64::MIN), Just(5e-324)], 0..12),
            (values, shuffled) in prop::collection::vec(prop_oneof![3 => -9.0..9.0, 1 => prop::num::f64::ANY, 1 => Just(MISSING)], 0..300)
                .prop_flat_map(|values| (Just(values.clone()), Just(values).prop_shuffle())),
            part_values in 1_usize..300,
        ) {
            let grid = grid(&knots);
            let whole = NumericCounts::of(&grid, &values);
            prop_assert!(whole.fits(&grid));
            prop_assert_eq!(whole.presence.rows, values.len() as u64);
            prop_assert_eq!(whole.n(), values.iter().filter(|value| value.is_finite()).count() as u64);
            let mut merged = NumericCounts::empty(&grid);
            for part in shuffled.chunks(part_values) {
                merged.merge(&NumericCounts::of(&grid, part));
            }
            prop_assert_eq!(merged, whole);
        }

        #[test]
        fn every_value_is_given_its_rank(values in prop::collection::vec(prop::option::of(-9_i8..9), 0..1_500)) {
            let grid = grid(&[-5.0, 0.0, 1.0, 6.0]);
            let reference = NumericCounts::of(&grid, &[-5.0, 0.0, 0.0, 1.0, 6.0]);
            let table = RankTable::numeric(&reference, 4);
            let values: Vec<f64> = values.into_iter().map(|value| value.map_or(MISSING, f64::from)).collect();
            let mut ranks = Vec::new();
            NumericCounts::empty(&grid).update(&Locator::new(&grid), &values, Some((&table, &mut ranks)));
            let expected = values.iter().map(|value| {
                let cell = grid.cell(*value);
                if value.is_finite() { table.rank(u32::try_from(cell / 2).unwrap(), cell % 2 == 1) } else { RankTable::NONE }
            });
            prop_assert_eq!(ranks, expected.collect::<Vec<_>>());
        }
    }

    #[test]
    fn whether_all_are_finite_is_told_at_every_place() {
        let finite = [f64::MAX, f64::MIN, 5e-324, -0.0, 1.0, 2.0, 3.0, 4.0, f64::MAX, f64::MIN, 7.0];
        assert!((0..=finite.len()).all(|length| is_all_finite(&finite[..length])) && is_all_finite(&[f64::MAX; 24]));
        for place in 0..finite.len() {
            for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                let mut values = finite;
                values[place] = value;
                assert!(!is_all_finite(&values), "{value} at {place}");
            }
        }
    }

    #[test]
    fn what_lies_beyond_is_known_by_its_distance() {
        let counts = NumericCounts::of(&grid(&[1.0, 2.0]), &[-3.0, 0.5, 5.0, 2.25, 1.0, 2.0, 1.5]);
        assert_eq!((counts.below_all().count(), counts.above_all().count()), (2, 2));
        assert!((counts.below_all().sum() - 4.5).abs() < 1e-12 && (counts.above_all().sum() - 3.25).abs() < 1e-12);
        // A grid without knots has no end: the values themselves.
        let counts = NumericCounts::of(&grid(&[]), &[3.0, 4.5]);
        assert!(counts.above_all().count() == 0 && (counts.below_all().sum() - 7.5).abs() < 1e-12);
    }

    #[test]
    fn counts_without_a_value_have_no_tie_and_no_place() {
        let counts = NumericCounts::of(&grid(&[1.0, 2.0, 3.0]), &[2.0]);
        assert_eq!(counts.occupied().map(|(index, _)| index).collect::<Vec<_>>(), [1]);
        assert!([0, 1, 2, 3].into_iter().all(|index| counts.mean_place_below(index).abs() < 1e-300));
        assert!(NumericCounts::empty(&grid(&[1.0])).largest_tie().abs() < 1e-300);
        assert_ne!(counts, NumericCounts::of(&grid(&[1.0, 2.0, 3.0]), &[2.5]));
    }

    #[test]
    fn the_intervals_beyond_the_ends_have_no_places() {
        let mut counts = NumericCounts::empty(&grid(&[1.0, 2.0]));
        for index in 0..3 {
            counts.cells.add(index, Total { at: 0, below: 2, places: 1 << 32 });
        }
        assert_eq!((0..3).map(|index| counts.mean_place_below(index)).collect::<Vec<_>>(), [0.0, 0.5, 0.0]);
    }

    #[test]
    fn what_no_values_over_the_grid_come_to_is_not_unpacked() {
        let grid = grid(&[1.0, 2.0]);
        let is_read = |index: usize, below: u64, places: u128| {
            let mut packer = Packer::default();
            Presence::default().pack(&mut packer);
            Moments::new(grid.scale()).pack(&mut packer);
            packer.length(1);
            packer.length(index);
            packer.count(1);
            packer.count(below);
            packer.unsigned(places);
            Beyond::default().pack(&mut packer);
            Beyond::default().pack(&mut packer);
            let bytes = packer.into_bytes();
            NumericCounts::empty(&grid).unpack_into(&mut Unpacker::new(&bytes)).is_some()
        };
        // Three values have places of at most 2^32 each.
        assert!(is_read(2, 3, 3 << 32) && !is_read(2, 3, (3 << 32) + 1));
        // Two knots and what lies above.
        assert!(!is_read(3, 3, 3 << 32) && !is_read(4, 3, 3 << 32));
    }

    #[test]
    fn counts_that_do_not_add_up_do_not_fit() {
        let grid = grid(&[1.0, 2.0]);
        let counts = NumericCounts::of(&grid, &[0.5, 1.0, 1.5, 3.0, MISSING, f64::NAN]);
        assert!(counts.fits(&grid));
        let changed = |change: &dyn Fn(&mut NumericCounts)| {
            let mut counts = counts.clone();
            change(&mut counts);
            counts.fits(&grid)
        };
        assert!(!changed(&|counts| counts.presence.rows += 1));
        assert!(!changed(&|counts| counts.presence.missing += 1));
        assert!(!changed(&|counts| counts.cells.add(0, Total { at: 1, ..Total::default() })));
        assert!(!changed(&|counts| counts.below_all = Beyond::default()));
        assert!(!changed(&|counts| counts.above_all = Beyond::default()));
        assert!(!NumericCounts::empty(&grid).fits(&Grid::from_values(&mut [1.0])));
        let mut few_rows = NumericCounts::empty(&grid);
        few_rows.presence = Presence { rows: 3, missing: 1, non_finite: 3, ..Presence::default() };
        assert!(!few_rows.fits(&grid));
    }

    #[test]
    fn counts_are_laid_side_by_side_where_each_is_looked_at() {
        let knots: Vec<f64> = (0..5_000).map(f64::from).collect();
        let mut counts = NumericCounts::of(&grid(&knots), &[7.0]);
        assert!(!counts.cells.is_spread());
        counts.spread();
        assert!(counts.cells.is_spread());
    }

    #[test]
    fn a_large_offset_does_not_cancel_the_deviation() {
        let values = [4.0, 7.0, 13.0, 16.0].map(|value| value + 1e12);
        // Sample variance of 4, 7, 13, 16 is 30.
        let std = NumericCounts::of(&grid(&values), &values).moments.std().unwrap();
        assert!((std - 30.0_f64.sqrt()).abs() < 1e-9, "{std}");
    }
}
