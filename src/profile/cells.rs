//! The cells of a numeric feature's grid: all of them side by side, or the occupied ones alone where they are few.

use std::collections::BTreeMap;

/// What is kept of a knot and of the interval below it. Small: in a run these are written to at random places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// In the interval, and 32 bits higher at the knot.
    pub counts: u64,
    /// The sum of the places of the values in the interval: 0 at its lower end, 2^32 at its upper.
    pub places: u64,
}

const COUNT_BITS: u32 = 32;
/// What a value adds to the counts: one in the interval, and one at the knot.
pub const BELOW: u64 = 1;
pub const AT: u64 = 1 << COUNT_BITS;

impl Cell {
    pub fn total(self) -> Total {
        let below = self.counts & u64::from(u32::MAX);
        Total { at: self.counts >> COUNT_BITS, below, places: u128::from(self.places) }
    }

    /// `None` where that is too much for a cell.
    fn plus(self, more: Total) -> Option<Self> {
        let total = self.total();
        let at = u32::try_from(total.at.checked_add(more.at)?).ok()?;
        let below = u32::try_from(total.below.checked_add(more.below)?).ok()?;
        let places = u64::try_from(total.places.checked_add(more.places)?).ok()?;
        Some(Self { counts: u64::from(at) << COUNT_BITS | u64::from(below), places })
    }

    fn merge(&mut self, more: Self) {
        self.counts += more.counts;
        self.places += more.places;
    }
}

/// The same for more values than a [`Cell`] can hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Total {
    pub at: u64,
    pub below: u64,
    pub places: u128,
}

/// The cells of a grid.
#[derive(Clone, Debug)]
pub enum Cells {
    All(Vec<Cell>),
    /// For the counts of a few rows over a large grid, which then cost as much as the rows.
    Few {
        /// Occupied or not.
        cells: usize,
        occupied: BTreeMap<u32, Cell>,
    },
}

impl Default for Cells {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

/// Up to this many occupied cells are few: a search for each costs less than passing over all.
fn few(cells: usize) -> usize {
    cells / 16 + 64
}

impl Cells {
    /// Of a grid with so many.
    pub fn new(cells: usize) -> Self {
        if few(cells) < cells { Self::Few { cells, occupied: BTreeMap::new() } } else { Self::All(vec![Cell::default(); cells]) }
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

    pub fn get(&self, index: usize) -> Cell {
        match self {
            Self::All(all) => all.get(index).copied(),
            Self::Few { occupied, .. } => u32::try_from(index).ok().and_then(|index| occupied.get(&index)).copied(),
        }
        .unwrap_or_default()
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
        let mut all = vec![Cell::default(); *cells];
        for (index, cell) in occupied {
            if let Some(place) = all.get_mut(*index as usize) {
                *place = *cell;
            }
        }
        *self = Self::All(all);
    }

    /// Empties every cell.
    pub fn clear(&mut self) {
        *self = Self::new(self.len());
    }

    /// Adds to a cell; `None`, and nothing is added, where that is too much for it, or where there is no such cell.
    pub fn add(&mut self, index: usize, more: Total) -> Option<()> {
        let sum = self.get(index).plus(more)?;
        match self {
            Self::All(all) => *all.get_mut(index)? = sum,
            Self::Few { cells, occupied } => {
                occupied.insert(u32::try_from(index).ok().filter(|_| index < *cells)?, sum);
            }
        }
        Some(())
    }

    /// Adds the cells of another part over the same grid, which together do not overflow.
    pub fn merge(&mut self, other: &Self) {
        match other {
            Self::All(others) => {
                self.spread();
                if let Self::All(all) = self {
                    all.iter_mut().zip(others).for_each(|(cell, more)| cell.merge(*more));
                }
            }
            Self::Few { occupied: others, .. } => {
                self.make_room(others.len());
                match self {
                    Self::All(all) => {
                        for (index, more) in others {
                            all.get_mut(*index as usize).into_iter().for_each(|cell| cell.merge(*more));
                        }
                    }
                    Self::Few { occupied, .. } => {
                        for (index, more) in others {
                            occupied.entry(*index).or_default().merge(*more);
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(at: u64, below: u64, places: u128) -> Total {
        Total { at, below, places }
    }

    /// Of a grid with so many cells, these occupied.
    fn occupied(cells: usize, indices: std::ops::Range<usize>) -> Cells {
        let mut all = Cells::new(cells);
        for index in indices {
            all.add(index, one(1, 2, 3)).unwrap();
        }
        all
    }

    #[test]
    fn a_cell_holds_both_counts_and_the_places() {
        let mut cells = Cells::new(3);
        cells.add(1, one(5, 7, 11)).unwrap();
        cells.add(1, one(1 << 31, 3, 1 << 40)).unwrap();
        assert_eq!(cells.get(1).total(), one((1 << 31) + 5, 10, (1 << 40) + 11));
        assert_eq!(cells.get(0).total(), Total::default());
        assert_eq!(AT | BELOW, cells.get(2).counts + (1 << 32) + 1);
    }

    #[test]
    fn nothing_is_added_that_is_too_much_for_a_cell() {
        let most = u64::from(u32::MAX);
        for cells in [Cells::new(3), Cells::new(3_000)] {
            for (first, more) in
                [(one(most, 0, 0), one(1, 0, 0)), (one(0, most, 0), one(0, 1, 0)), (one(0, 0, u128::from(u64::MAX)), one(0, 0, 1))]
            {
                let mut cells = cells.clone();
                cells.add(2, first).unwrap();
                assert_eq!((cells.add(2, more), cells.get(2).total()), (None, first));
            }
        }
    }

    #[test]
    fn there_is_no_cell_beyond_the_last() {
        for cells in [Cells::new(3), Cells::new(3_000)] {
            let (mut cells, length) = (cells.clone(), cells.len());
            assert!(cells.add(length - 1, one(1, 0, 0)).is_some() && cells.add(length, one(1, 0, 0)).is_none());
            assert_eq!(cells.get(length), Cell::default());
        }
        assert!(Cells::default().is_empty() && !Cells::new(1).is_empty() && !Cells::new(3_000).is_empty());
    }

    #[test]
    fn occupied_cells_are_few_up_to_a_sixteenth_and_some() {
        // 1,600/16 + 64.
        for (more, is_few) in [(10, true), (64, true), (65, false), (500, false), (usize::MAX, false)] {
            let mut cells = occupied(1_600, 0..100);
            cells.make_room(more);
            assert_eq!(matches!(cells, Cells::Few { .. }), is_few, "{more}");
            assert_eq!((cells.len(), cells.get(99).total(), cells.get(100)), (1_600, one(1, 2, 3), Cell::default()));
        }
        // Fewer cells than that lie side by side at once.
        assert!(matches!((Cells::new(68), Cells::new(69)), (Cells::All(_), Cells::Few { .. })));
    }

    #[test]
    fn parts_merge_however_they_are_held() {
        let sums = |cells: &Cells| (0..cells.len()).map(|index| cells.get(index).total()).collect::<Vec<_>>();
        let held = |range: std::ops::Range<usize>| {
            let few = occupied(1_600, range);
            let mut all = few.clone();
            all.spread();
            assert_eq!(all.candidates().count(), 1_600);
            [few, all]
        };
        let expected: Vec<Total> = (0..1_600_u64)
            .map(|index| u64::from((3..9).contains(&index)) + u64::from((6..20).contains(&index)))
            .map(|times| one(times, 2 * times, 3 * u128::from(times)))
            .collect();
        for one in held(3..9) {
            for other in held(6..20) {
                let mut merged = one.clone();
                merged.merge(&other);
                assert_eq!(sums(&merged), expected);
                merged.clear();
                assert!(merged.len() == 1_600 && sums(&merged).iter().all(|total| *total == Total::default()));
            }
        }
        let mut many = occupied(1_600, 0..100);
        many.merge(&occupied(1_600, 100..165));
        assert!(matches!(many, Cells::All(_)));
        assert_eq!(many.get(164).total(), one(1, 2, 3));
    }
}
