//! The cells of a numeric feature's grid: all of them side by side, or the occupied ones alone where they are few.

use std::collections::BTreeMap;

/// What is kept of a knot and of the interval below it: two counts below 2^9, and the sum of as many places, each with a bit to spare. In a
/// run these are written to at random, and the smaller they are the more of them stay in the caches; so what fills one is moved away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell(u64);

/// The upper end of the interval, which is the largest place, is 2^32.
const PLACE_BITS: u32 = 32;
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
    pub fn is_spilled(self) -> bool {
        self.0 & IS_SPILLED != 0
    }

    pub fn total(self) -> Total {
        let count = |shift: u32| self.0 >> shift & ((1 << COUNT_BITS) - 1);
        Total { at: count(PLACES_BITS + COUNT_BITS), below: count(PLACES_BITS), places: u128::from(self.0 & (BELOW - 1)) }
    }

    /// `None` where that would fill it, or is more than so many values come to.
    pub fn plus(self, more: Total) -> Option<Self> {
        let total = self.total();
        let at = total.at.checked_add(more.at).filter(|at| *at <= MOST_COUNT)?;
        let below = total.below.checked_add(more.below).filter(|below| *below <= MOST_COUNT)?;
        let places = total.places.checked_add(more.places).filter(|places| *places <= u128::from(below) << PLACE_BITS)?;
        Some(Self((self.0 & IS_SPILLED) + at * AT + below * BELOW + u64::try_from(places).ok()?))
    }

    /// The same, part of which was moved away.
    #[must_use]
    pub fn with_spilled(self) -> Self {
        Self(self.0 | IS_SPILLED)
    }

    /// Adds what a value adds, or another cell; then moves everything away if that fills it.
    #[inline]
    fn add(&mut self, more: u64, index: u32, spilled: &mut Cells<Total>) {
        self.0 += more;
        if self.0 & FULL != 0 {
            self.spill(index, spilled);
        }
    }

    #[cold]
    fn spill(&mut self, index: u32, spilled: &mut Cells<Total>) {
        spilled.add(index as usize, self.total());
        *self = Self(IS_SPILLED);
    }
}

/// The same for any number of values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    pub at: u64,
    pub below: u64,
    pub places: u128,
}

impl Total {
    #[must_use]
    pub fn plus(self, more: Self) -> Self {
        Self { at: self.at + more.at, below: self.below + more.below, places: self.places + more.places }
    }
}

/// Something for every cell of a grid.
#[derive(Clone, Debug)]
pub enum Cells<T> {
    All(Vec<T>),
    /// For the counts of a few rows over a large grid, which then cost as much as the rows.
    Few {
        /// Occupied or not.
        cells: usize,
        occupied: BTreeMap<u32, T>,
    },
}

impl<T> Default for Cells<T> {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

/// Up to this many occupied cells are few: a search for each costs less than passing over all.
fn few(cells: usize) -> usize {
    cells / 16 + 64
}

impl<T: Copy + Default> Cells<T> {
    /// Of a grid with so many, none of them occupied.
    pub fn new(cells: usize) -> Self {
        Self::Few { cells, occupied: BTreeMap::new() }
    }

    /// Occupied or not.
    pub fn len(&self) -> usize {
        match self {
            Self::All(all) => all.len(),
            Self::Few { cells, .. } => *cells,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get(&self, index: usize) -> T {
        match self {
            Self::All(all) => all.get(index).copied(),
            Self::Few { occupied, .. } => u32::try_from(index).ok().and_then(|index| occupied.get(&index)).copied(),
        }
        .unwrap_or_default()
    }

    /// Nothing happens where there is no such cell.
    pub fn set(&mut self, index: usize, to: T) {
        match self {
            Self::All(all) => all.get_mut(index).into_iter().for_each(|cell| *cell = to),
            Self::Few { cells, occupied } => {
                u32::try_from(index).ok().filter(|_| index < *cells).and_then(|index| occupied.insert(index, to));
            }
        }
    }

    /// The cells that may be occupied, ascending.
    pub fn candidates(&self) -> impl Iterator<Item = usize> {
        let (occupied, all) = match self {
            Self::All(all) => (None, 0..all.len()),
            Self::Few { occupied, .. } => (Some(occupied), 0..0),
        };
        occupied.into_iter().flat_map(|occupied| occupied.keys().map(|index| *index as usize)).chain(all)
    }

    /// Lays all cells side by side where so many more would not be few.
    pub fn make_room(&mut self, more: usize) {
        if let Self::Few { cells, occupied } = self
            && occupied.len().saturating_add(more) > few(*cells)
        {
            self.spread();
        }
    }

    /// Lays all cells side by side: for those who look at each.
    pub fn spread(&mut self) {
        let Self::Few { cells, occupied } = self else { return };
        let mut all = vec![T::default(); *cells];
        for (index, cell) in occupied {
            if let Some(place) = all.get_mut(*index as usize) {
                *place = *cell;
            }
        }
        *self = Self::All(all);
    }
}

impl Cells<Cell> {
    /// Adds to the cells at `indices` what values add ([`AT`]), one for each; what fills a cell is moved to `spilled`.
    ///
    /// The hottest loop, of as few instructions as can be: the cells are all over the memory, and the less there is to do for one, the more
    /// of them are on their way at a time.
    pub fn count<'a>(&mut self, indices: impl Iterator<Item = &'a u32>, added: &[u64], spilled: &mut Cells<Total>) {
        match self {
            Self::All(all) => {
                for (index, added) in indices.zip(added) {
                    if let Some(cell) = all.get_mut(*index as usize) {
                        cell.add(*added, *index, spilled);
                    }
                }
            }
            Self::Few { occupied, .. } => {
                for (index, added) in indices.zip(added) {
                    occupied.entry(*index).or_default().add(*added, *index, spilled);
                }
            }
        }
    }

    /// Adds the cells of another part over the same grid; what fills a cell is moved to `spilled`.
    pub fn merge(&mut self, other: &Self, spilled: &mut Cells<Total>) {
        self.make_room(if let Self::Few { occupied, .. } = other { occupied.len() } else { usize::MAX });
        for index in other.candidates() {
            let Ok(place) = u32::try_from(index) else { continue };
            let more = other.get(index).0 & !IS_SPILLED;
            match self {
                Self::All(all) => all.get_mut(index).into_iter().for_each(|cell| cell.add(more, place, spilled)),
                Self::Few { occupied, .. } => occupied.entry(place).or_default().add(more, place, spilled),
            }
        }
    }
}

impl Cells<Total> {
    /// Adds to a cell.
    pub fn add(&mut self, index: usize, more: Total) {
        self.make_room(1);
        self.set(index, self.get(index).plus(more));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn total(at: u64, below: u64, places: u128) -> Total {
        Total { at, below, places }
    }

    /// What values add up to over so many cells: by the cells, and what was moved away of each.
    fn sums(cells: &Cells<Cell>, spilled: &Cells<Total>) -> Vec<Total> {
        (0..cells.len()).map(|index| cells.get(index).total().plus(spilled.get(index))).collect()
    }

    fn added(values: &[(u32, Option<u32>)]) -> (Vec<u32>, Vec<u64>) {
        values.iter().map(|(index, place)| (*index, place.map_or(AT, |place| BELOW + u64::from(place)))).unzip()
    }

    /// Of a grid with so many cells.
    fn counted(cells: usize, values: &[(u32, Option<u32>)]) -> (Cells<Cell>, Cells<Total>) {
        let (mut counts, mut spilled) = (Cells::new(cells), Cells::new(cells));
        let (indices, added) = added(values);
        counts.make_room(values.len());
        counts.count(indices.iter(), &added, &mut spilled);
        (counts, spilled)
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
            let (mut counts, mut spilled) = (Cells::new(cells), Cells::new(cells));
            counts.count(indices.iter(), &added, &mut spilled);
            assert_eq!((counts.get(1).total(), spilled.get(1)), (total(0, 511, 511 << 32), Total::default()));
            counts.count([1].iter(), &[BELOW], &mut spilled);
            assert_eq!((counts.get(1), spilled.get(1)), (Cell::default().with_spilled(), total(0, 512, 511 << 32)));
            counts.count([1; 512].iter(), &[AT; 512], &mut spilled);
            assert_eq!((counts.get(1), spilled.get(1)), (Cell::default().with_spilled(), total(512, 512, 511 << 32)));
        }
    }

    #[test]
    fn there_is_no_cell_beyond_the_last() {
        for length in [3, 3_000] {
            let (mut few, mut all) = (Cells::new(length), Cells::new(length));
            all.spread();
            for cells in [&mut few, &mut all] {
                cells.set(length, total(1, 0, 0));
                cells.set(length - 1, total(2, 0, 0));
                assert_eq!((cells.get(length), cells.get(length - 1), cells.len()), (Total::default(), total(2, 0, 0), length));
            }
        }
        assert!(Cells::<Cell>::default().is_empty() && !Cells::<Cell>::new(1).is_empty());
    }

    #[test]
    fn occupied_cells_are_few_up_to_a_sixteenth_and_some() {
        let values: Vec<(u32, Option<u32>)> = (0..100).map(|index| (index, Some(3))).collect();
        // 1,600/16 + 64.
        for (more, is_few) in [(10, true), (64, true), (65, false), (500, false), (usize::MAX, false)] {
            let (mut cells, _) = counted(1_600, &values);
            cells.make_room(more);
            assert_eq!(matches!(cells, Cells::Few { .. }), is_few, "{more}");
            assert_eq!((cells.len(), cells.get(99).total(), cells.get(100)), (1_600, total(0, 1, 3), Cell::default()));
        }
        let mut spilled = Cells::new(1_600);
        (0..164).for_each(|index| spilled.add(index, total(1, 0, 0)));
        assert!(matches!(spilled, Cells::Few { .. }));
        spilled.add(164, total(1, 0, 0));
        assert!(matches!(spilled, Cells::All(_)));
        assert!((0..165).all(|index| spilled.get(index) == total(1, 0, 0)));
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
            let ((mut sum, mut spilled), (mut more, more_spilled)) = (counted(cells, left), counted(cells, right));
            if are_spread.0 {
                sum.spread();
            }
            if are_spread.1 {
                more.spread();
            }
            sum.merge(&more, &mut spilled);
            for index in more_spilled.candidates() {
                spilled.add(index, more_spilled.get(index));
            }
            prop_assert_eq!(sums(&sum, &spilled), expected);
        }
    }
}
