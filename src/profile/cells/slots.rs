//! Something for every cell of a grid: all side by side, or the occupied ones alone where they are few.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Something for every cell of a grid.
#[derive(Clone, Debug)]
pub enum Slots<T> {
    All(Vec<T>),
    /// For the counts of a few rows over a large grid, which then cost as much as the rows.
    Few {
        /// Occupied or not.
        cells: usize,
        occupied: BTreeMap<u32, T>,
    },
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

/// Up to this many occupied cells are few: a search for each costs less than passing over all.
fn few(cells: usize) -> usize {
    cells / 16 + 64
}

impl<T: Copy + Default> Slots<T> {
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

    /// Makes room for those of another part.
    pub fn make_room_for<U>(&mut self, other: &Slots<U>) {
        self.make_room(if let Slots::Few { occupied, .. } = other { occupied.len() } else { usize::MAX });
    }

    /// Lays all cells side by side: for those who look at each.
    pub fn spread(&mut self) {
        if let Cow::Owned(all) = self.side_by_side() {
            *self = Self::All(all);
        }
    }

    /// All cells, in their order.
    pub fn side_by_side(&self) -> Cow<'_, [T]> {
        match self {
            Self::All(all) => Cow::Borrowed(all),
            Self::Few { cells, occupied } => {
                let mut all = vec![T::default(); *cells];
                for (index, cell) in occupied {
                    all.get_mut(*index as usize).into_iter().for_each(|place| *place = *cell);
                }
                Cow::Owned(all)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_no_cell_beyond_the_last() {
        for length in [3, 3_000] {
            let (mut few, mut all) = (Slots::new(length), Slots::new(length));
            all.spread();
            for slots in [&mut few, &mut all] {
                slots.set(length, 1);
                slots.set(length - 1, 2);
                assert_eq!((slots.get(length), slots.get(length - 1), slots.len()), (0, 2, length));
            }
        }
        assert_eq!((Slots::<u8>::default().len(), Slots::<u8>::new(1).len()), (0, 1));
    }

    #[test]
    fn occupied_cells_are_few_up_to_a_sixteenth_and_some() {
        let mut few = Slots::new(1_600);
        (0..100).for_each(|index| few.set(index, 3));
        // 1,600/16 + 64.
        for (more, is_few) in [(10, true), (64, true), (65, false), (500, false), (usize::MAX, false)] {
            let mut slots = few.clone();
            slots.make_room(more);
            assert_eq!(matches!(slots, Slots::Few { .. }), is_few, "{more}");
            assert_eq!((slots.len(), slots.get(99), slots.get(100)), (1_600, 3, 0));
        }
        for (other, is_few) in [(few.clone(), false), (Slots::new(1_600), true), (Slots::All(vec![0; 1_600]), false)] {
            let mut slots = few.clone();
            slots.make_room_for(&other);
            assert_eq!(matches!(slots, Slots::Few { .. }), is_few, "{other:?}");
        }
    }
}
