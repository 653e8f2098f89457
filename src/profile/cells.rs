//! The cells of a numeric feature's grid: one for each knot and the interval below it, and one for what lies above the last.
//!
//! In a run they are written to at random, and the smaller they are the more of them stay in the caches: so a cell takes 8 bytes, and what
//! fills one is moved away.

mod slots;

use slots::Slots;

/// What is kept of a knot and of the interval below it: two counts below 2^9, and the sum of as many places, each with a bit to spare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cell(u64);

/// The upper end of the interval, which is the largest place, is 2^32.
const PLACE_BITS: u32 = 32;
/// The same as a number.
pub const LARGEST_PLACE: f64 = 4_294_967_296.0;
const PLACES_BITS: u32 = PLACE_BITS + COUNT_BITS;
const COUNT_BITS: u32 = 10;
/// What a value adds to its cell: this at the knot; in the interval [`BELOW`] and its place, 0 at the lower end and 2^32 at the upper.
pub const AT: u64 = BELOW << COUNT_BITS;
pub const BELOW: u64 = 1 << PLACES_BITS;
/// A cell with one of these bits is full: it is to be emptied before anything more is added.
const FULL: u64 = AT << (COUNT_BITS - 1) | BELOW << (COUNT_BITS - 1);
/// Whether something of the cell was moved away.
const IS_SPILLED: u64 = AT << COUNT_BITS;
const MOST_COUNT: u64 = (1 << (COUNT_BITS - 1)) - 1;

impl Cell {
    /// Whether there is more of it elsewhere.
    fn is_spilled(self) -> bool {
        self.0 & IS_SPILLED != 0
    }

    fn total(self) -> Total {
        let count = |shift: u32| self.0 >> shift & ((1 << COUNT_BITS) - 1);
        Total { at: count(PLACES_BITS + COUNT_BITS), below: count(PLACES_BITS), places: u128::from(self.0 & (BELOW - 1)) }
    }

    /// `None` where that would fill it, or is more than so many values come to.
    fn plus(self, more: Total) -> Option<Self> {
        let total = self.total();
        let at = total.at.checked_add(more.at).filter(|at| *at <= MOST_COUNT)?;
        let below = total.below.checked_add(more.below).filter(|below| *below <= MOST_COUNT)?;
        let places = total.places.checked_add(more.places).filter(|places| *places <= u128::from(below) << PLACE_BITS)?;
        Some(Self((self.0 & IS_SPILLED) + at * AT + below * BELOW + u64::try_from(places).ok()?))
    }

    /// The same, part of which was moved away.
    #[must_use]
    fn with_spilled(self) -> Self {
        Self(self.0 | IS_SPILLED)
    }

    /// Adds what a value adds, or another cell; then moves everything away if that fills it.
    #[inline]
    fn add(&mut self, more: u64, index: u32, spilled: &mut Slots<Total>) {
        self.0 += more;
        if self.0 & FULL != 0 {
            self.spill(index, spilled);
        }
    }

    #[cold]
    fn spill(&mut self, index: u32, spilled: &mut Slots<Total>) {
        add(spilled, index as usize, self.total());
        *self = Self(IS_SPILLED);
    }
}

/// What a knot and the interval below it hold, of any number of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    /// Values that equal the knot.
    pub at: u64,
    /// Values strictly between the knot before and this one.
    pub below: u64,
    /// The sum of the places of those, each from 0 at the knot before to 2^32 at this one.
    pub places: u128,
}

impl Total {
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self { at: self.at + more.at, below: self.below + more.below, places: self.places + more.places }
    }

    /// The mean place of the values below the knot, in [0, 1]; 0 without any.
    pub fn mean_place(self) -> f64 {
        // 128 bits take long to convert, and hardly ever hold more than 64.
        let places = u64::try_from(self.places).map_or_else(|_| self.places as f64, |places| places as f64);
        if self.below == 0 { 0.0 } else { places / LARGEST_PLACE / self.below as f64 }
    }
}

/// Adds to what was moved away of a cell.
fn add(spilled: &mut Slots<Total>, index: usize, more: Total) {
    spilled.make_room(1);
    spilled.set(index, spilled.get(index).plus(more));
}

/// The cells of a grid, empty or not.
#[derive(Clone, Debug, Default)]
pub struct Cells {
    cells: Slots<Cell>,
    /// What was too much for a cell.
    spilled: Slots<Total>,
}

impl Cells {
    /// So many, all empty.
    pub fn new(cells: usize) -> Self {
        Self { cells: Slots::new(cells), spilled: Slots::new(cells) }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a cell holds; nothing where there is none.
    pub fn get(&self, index: usize) -> Total {
        self.total(index, self.cells.get(index))
    }

    fn total(&self, index: usize, cell: Cell) -> Total {
        if cell.is_spilled() { cell.total().plus(self.spilled.get(index)) } else { cell.total() }
    }

    /// What each cell holds, in their order.
    pub fn totals(&self) -> impl Iterator<Item = Total> {
        let all = self.cells.side_by_side();
        (0..all.len()).map(move |index| self.total(index, all.get(index).copied().unwrap_or_default()))
    }

    /// The cells that are not empty, with their index; ascending.
    pub fn occupied(&self) -> impl Iterator<Item = (usize, Total)> {
        self.cells.candidates().map(|index| (index, self.get(index))).filter(|(_, total)| total.at + total.below > 0)
    }

    /// Adds to a cell; nothing happens where there is none.
    pub fn add(&mut self, index: usize, more: Total) {
        self.cells.make_room(1);
        let cell = self.cells.get(index);
        let sum = cell.plus(more);
        self.cells.set(index, sum.unwrap_or_else(|| cell.with_spilled()));
        if sum.is_none() {
            add(&mut self.spilled, index, more);
        }
    }

    /// Adds to the cells at `indices` what values add ([`AT`]), one for each.
    ///
    /// The hottest loop, of as few instructions as can be: the cells are all over the memory, and the less there is to do for one, the more
    /// of them are on their way at a time.
    pub fn count<'a>(&mut self, indices: impl Iterator<Item = &'a u32>, added: &[u64]) {
        match &mut self.cells {
            Slots::All(all) => {
                for (index, added) in indices.zip(added) {
                    if let Some(cell) = all.get_mut(*index as usize) {
                        cell.add(*added, *index, &mut self.spilled);
                    }
                }
            }
            Slots::Few { occupied, .. } => {
                for (index, added) in indices.zip(added) {
                    occupied.entry(*index).or_default().add(*added, *index, &mut self.spilled);
                }
            }
        }
    }

    /// Adds the cells of another part over the same grid.
    pub fn merge(&mut self, other: &Self) {
        self.cells.make_room_for(&other.cells);
        for index in other.cells.candidates() {
            let Ok(place) = u32::try_from(index) else { continue };
            let more = other.cells.get(index).0 & !IS_SPILLED;
            match &mut self.cells {
                Slots::All(all) => all.get_mut(index).into_iter().for_each(|cell| cell.add(more, place, &mut self.spilled)),
                Slots::Few { occupied, .. } => occupied.entry(place).or_default().add(more, place, &mut self.spilled),
            }
        }
        for index in other.spilled.candidates() {
            self.add(index, other.spilled.get(index));
        }
    }

    /// Lays all cells side by side where so many more that are occupied would not be few.
    pub fn make_room(&mut self, more: usize) {
        self.cells.make_room(more);
    }

    /// Lays all cells side by side: for those who look at each.
    pub fn spread(&mut self) {
        self.cells.spread();
    }

    /// Whether all cells lie side by side.
    #[cfg(test)]
    pub fn is_spread(&self) -> bool {
        matches!(self.cells, Slots::All(_))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn total(at: u64, below: u64, places: u128) -> Total {
        Total { at, below, places }
    }

    /// Of a grid with so many cells.
    fn counted(cells: usize, values: &[(u32, Option<u32>)]) -> Cells {
        let (indices, added): (Vec<u32>, Vec<u64>) =
            values.iter().map(|(index, place)| (*index, place.map_or(AT, |place| BELOW + u64::from(place)))).unzip();
        let mut counts = Cells::new(cells);
        counts.make_room(values.len());
        counts.count(indices.iter(), &added);
        counts
    }

    #[test]
    fn a_cell_holds_both_counts_and_the_places_until_it_is_full() {
        let most = Cell::default().plus(total(511, 511, 511 << 32)).unwrap();
        assert_eq!(most.total(), total(511, 511, 511 << 32));
        for more in [total(1, 0, 0), total(0, 1, 0), total(0, 0, 1), total(u64::MAX, 0, 0), total(0, 0, u128::MAX)] {
            assert_eq!(most.plus(more), None, "{more:?}");
        }
        let spilled = Cell::default().with_spilled().plus(total(5, 7, 11)).unwrap();
        assert!(spilled.is_spilled() && !most.is_spilled());
        assert_eq!(spilled.total(), total(5, 7, 11));
    }

    #[test]
    fn what_fills_a_cell_is_moved_away() {
        // The largest places there are: 2^32 each.
        let (indices, added) = ([1; 511], [BELOW + (1 << 32); 511]);
        for cells in [3, 3_000] {
            let mut counts = Cells::new(cells);
            let parts = |counts: &Cells| (counts.cells.get(1), counts.spilled.get(1));
            counts.count(indices.iter(), &added);
            assert_eq!(parts(&counts), (Cell::default().plus(total(0, 511, 511 << 32)).unwrap(), Total::default()));
            counts.count([1].iter(), &[BELOW]);
            assert_eq!(parts(&counts), (Cell::default().with_spilled(), total(0, 512, 511 << 32)));
            counts.count([1; 512].iter(), &[AT; 512]);
            assert_eq!(parts(&counts), (Cell::default().with_spilled(), total(512, 512, 511 << 32)));
            counts.add(1, total(3, 0, 0));
            counts.add(1, total(0, 1_000, 1_000 << 31));
            assert_eq!(counts.get(1), total(515, 1_512, (511 << 32) + (1_000 << 31)));
        }
    }

    #[test]
    fn the_mean_place_is_a_share_of_the_interval() {
        assert!((total(7, 4, 3 << 32).mean_place() - 0.75).abs() < 1e-15 && total(7, 0, 0).mean_place().abs() < 1e-300);
    }

    #[test]
    fn nothing_is_kept_beyond_the_last_cell() {
        let mut cells = Cells::new(3);
        cells.add(3, total(1, 0, 0));
        cells.add(3, total(1_000, 0, 0));
        assert_eq!((cells.len(), cells.get(3), cells.occupied().count()), (3, Total::default(), 0));
        assert!(Cells::default().is_empty() && !cells.is_empty());
    }

    proptest! {
        /// Few cells, so that they fill; over a small grid and a large one.
        #[test]
        fn parts_merge_to_the_sums_of_all_values_however_they_are_held(
            values in prop::collection::vec((0_u32..3, prop::option::of(any::<u32>())), 0..4_000),
            split in 0_usize..4_000,
            cells in prop_oneof![Just(3_usize), Just(100_000)],
            are_spread in any::<(bool, bool)>(),
        ) {
            let mut expected = vec![Total::default(); cells];
            for (index, place) in &values {
                let one = place.map_or(total(1, 0, 0), |place| total(0, 1, place.into()));
                expected[*index as usize] = expected[*index as usize].plus(one);
            }
            let (left, right) = values.split_at(split.min(values.len()));
            let (mut sum, mut more) = (counted(cells, left), counted(cells, right));
            if are_spread.0 {
                sum.spread();
            }
            if are_spread.1 {
                more.spread();
            }
            sum.merge(&more);
            let occupied: Vec<(usize, Total)> =
                expected.iter().copied().enumerate().filter(|(_, total)| *total != Total::default()).collect();
            prop_assert_eq!(sum.occupied().collect::<Vec<_>>(), occupied);
            prop_assert_eq!(sum.totals().collect::<Vec<_>>(), expected);
        }
    }
}
