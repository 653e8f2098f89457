//! The categories of a categorical feature, and the counts of values over them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Presence;
use super::bounded::at_most;
use super::packed::{Packer, Unpacker};
use super::ranks::RankTable;
use crate::feature::MISSING_CODE;

/// Categories with a cell of their own; the rest of the reference's categories share the cell OTHER.
pub const MAX_CELLS: usize = 50;

/// Distinct categories that are kept at most, so that memory stays bounded for free text. Above, an unknown value counts as OTHER
/// and not as NEW, because it may have been among those that were not kept.
pub const MAX_CATEGORIES: usize = 10_000;

/// The categories of the reference, the most frequent first, ties by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredCategories", into = "StoredCategories")]
pub struct Categories {
    names: Vec<String>,
    /// Whether the reference had more categories than are kept.
    truncated: bool,
    index: HashMap<String, usize>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCategories {
    #[serde(deserialize_with = "at_most::<_, _, MAX_CATEGORIES>")]
    names: Vec<String>,
    truncated: bool,
}

impl From<StoredCategories> for Categories {
    fn from(stored: StoredCategories) -> Self {
        Self::new(stored.names, stored.truncated)
    }
}

impl From<Categories> for StoredCategories {
    fn from(categories: Categories) -> Self {
        Self { names: categories.names, truncated: categories.truncated }
    }
}

impl Categories {
    /// Categories in their order of frequency.
    pub fn new(names: Vec<String>, truncated: bool) -> Self {
        let index = names.iter().enumerate().map(|(position, name)| (name.clone(), position)).collect();
        Self { names, truncated, index }
    }

    /// All known categories.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether the reference had more categories than are kept.
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// The categories with a cell of their own.
    pub fn cell_names(&self) -> &[String] {
        self.names.get(..MAX_CELLS).unwrap_or(&self.names)
    }

    /// The position of the cell that a value falls in; the cells of [`Self::cell_names`] come first.
    fn slot(&self, name: &str) -> Slot {
        match self.index.get(name) {
            Some(&position) if position < MAX_CELLS => Slot::Cell(position),
            Some(_) => Slot::Other,
            None if self.truncated => Slot::Other,
            None => Slot::New,
        }
    }
}

/// Where a value is counted.
#[derive(Clone, Copy)]
enum Slot {
    Cell(usize),
    Other,
    New,
}

impl Slot {
    /// Its number among the cells, `own` of which are of one category each.
    fn position(self, own: usize) -> usize {
        match self {
            Self::Cell(cell) => cell,
            Self::Other => own,
            Self::New => own + 1,
        }
    }
}

/// The counts of a categorical feature's values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoryCounts {
    pub presence: Presence,
    /// One count for each of [`Categories::cell_names`].
    #[serde(deserialize_with = "at_most::<_, _, MAX_CELLS>")]
    cells: Vec<u64>,
    /// Values that the reference knows, without a cell of their own.
    pub other: u64,
    /// Values that the reference does not know.
    pub new: u64,
}

impl CategoryCounts {
    pub fn empty(categories: &Categories) -> Self {
        Self { presence: Presence::default(), cells: vec![0; categories.cell_names().len()], other: 0, new: 0 }
    }

    /// The counts of the reference itself: the totals of its categories in their order, and of those that were not kept.
    pub fn from_totals(presence: Presence, totals: &[u64], overflow: u64) -> Self {
        let (cells, rest) = totals.split_at(totals.len().min(MAX_CELLS));
        Self { presence, cells: cells.to_vec(), other: rest.iter().sum::<u64>() + overflow, new: 0 }
    }

    /// Counts one batch: a code a row into the batch's own dictionary. Where `ranked` is given, the rank of every value is appended, `None`
    /// of those that are missing; OTHER and NEW are the last two cells of its table.
    pub fn update(
        &mut self,
        categories: &Categories,
        codes: &[u32],
        dictionary: &[String],
        ranked: Option<(&RankTable, &mut Vec<u16>)>,
    ) {
        self.presence.rows += codes.len() as u64;
        let slots: Vec<Slot> = dictionary.iter().map(|name| categories.slot(name)).collect();
        // By the codes of the batch: few, where the rows are many.
        let mut counts = vec![0_u64; dictionary.len()];
        for &code in codes {
            match counts.get_mut(code as usize) {
                Some(count) => *count += 1,
                None if code == MISSING_CODE => self.presence.missing += 1,
                // A code beyond its dictionary is no value of this column.
                None => self.presence.wrong_type += 1,
            }
        }
        for (slot, count) in slots.iter().zip(counts) {
            match slot {
                Slot::Cell(cell) => self.cells.get_mut(*cell).into_iter().for_each(|sum| *sum += count),
                Slot::Other => self.other += count,
                Slot::New => self.new += count,
            }
        }
        if let Some((table, ranked)) = ranked {
            let own_cells = self.cells.len();
            let rank = |slot: &Slot| u32::try_from(slot.position(own_cells)).map_or(RankTable::NONE, |cell| table.rank(cell, true));
            let ranks: Vec<u16> = slots.iter().map(rank).collect();
            ranked.extend(codes.iter().map(|code| ranks.get(*code as usize).copied().unwrap_or(RankTable::NONE)));
        }
    }

    /// Adds rows that were counted elsewhere, by their label; `None` is missing. The number of the label's cell, OTHER and NEW being the
    /// last two.
    pub fn add_counted(&mut self, categories: &Categories, label: Option<&str>, rows: u64) -> Option<usize> {
        self.presence.rows += rows;
        let Some(label) = label else {
            self.presence.missing += rows;
            return None;
        };
        let slot = categories.slot(label);
        match slot {
            Slot::Cell(cell) => self.cells.get_mut(cell).into_iter().for_each(|sum| *sum += rows),
            Slot::Other => self.other += rows,
            Slot::New => self.new += rows,
        }
        Some(slot.position(self.cells.len()))
    }

    /// Adds the counts of other values over the same categories.
    pub fn merge(&mut self, other: &Self) {
        self.presence.merge(&other.presence);
        self.cells.iter_mut().zip(&other.cells).for_each(|(sum, more)| *sum += more);
        self.other += other.other;
        self.new += other.new;
    }

    pub fn pack(&self, to: &mut Packer) {
        self.presence.pack(to);
        to.length(self.cells.len());
        self.cells.iter().chain([&self.other, &self.new]).for_each(|count| to.count(*count));
    }

    /// What was packed over the same categories; `None` where it was not.
    pub fn unpack(categories: &Categories, from: &mut Unpacker<'_>) -> Option<Self> {
        let presence = Presence::unpack(from)?;
        let cells = (0..from.length()?).map(|_| from.rows()).collect::<Option<_>>()?;
        Some(Self { presence, cells, other: from.rows()?, new: from.rows()? }).filter(|counts| counts.fits(categories))
    }

    /// The counts of the categories with a cell of their own.
    pub fn cells(&self) -> &[u64] {
        &self.cells
    }

    /// Usable values.
    pub fn n(&self) -> u64 {
        self.presence.usable()
    }

    /// Whether these counts belong to the categories and add up.
    pub fn fits(&self, categories: &Categories) -> bool {
        let sums = self.cells.iter().chain([&self.other, &self.new]).try_fold(0_u64, |sum, &count| sum.checked_add(count));
        self.cells.len() == categories.cell_names().len() && self.presence.is_sound() && sums == Some(self.n())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn strings(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn known_unknown_and_missing_values_are_counted_apart() {
        let categories = Categories::new(strings(&["a", "b"]), false);
        let mut counts = CategoryCounts::empty(&categories);
        counts.update(&categories, &[0, 1, 1, 2, MISSING_CODE], &strings(&["b", "a", "zebra"]), None);
        assert_eq!((counts.cells(), counts.new, counts.other), ([2, 1].as_slice(), 1, 0));
        assert_eq!(counts.presence.missing, 1);
        assert!(counts.fits(&categories));
    }

    #[test]
    fn the_fifty_first_category_is_other_and_not_new() {
        let names: Vec<String> = (0..60).map(|i| format!("c{i:02}")).collect();
        let categories = Categories::new(names, false);
        let mut counts = CategoryCounts::empty(&categories);
        counts.update(&categories, &[0, 1], &strings(&["c55", "unseen"]), None);
        assert_eq!((counts.other, counts.new), (1, 1));
    }

    #[test]
    fn a_truncated_dictionary_never_calls_a_value_new() {
        let categories = Categories::new(strings(&["a"]), true);
        let mut counts = CategoryCounts::empty(&categories);
        counts.update(&categories, &[0], &strings(&["unseen"]), None);
        assert_eq!((counts.other, counts.new), (1, 0));
    }

    #[test]
    fn stored_categories_read_back_equal() {
        let categories = Categories::new(strings(&["a", "b"]), false);
        let text = serde_json::to_string(&categories).unwrap();
        assert_eq!(serde_json::from_str::<Categories>(&text).unwrap(), categories);
    }

    /// Counts values in batches of so many, each with a dictionary of its own.
    fn counted(categories: &Categories, values: &[Option<String>], batch_rows: usize) -> CategoryCounts {
        let mut counts = CategoryCounts::empty(categories);
        for batch in values.chunks(batch_rows) {
            let mut dictionary: Vec<String> = batch.iter().flatten().cloned().collect();
            dictionary.sort();
            dictionary.dedup();
            let code = |value: &String| u32::try_from(dictionary.binary_search(value).unwrap()).unwrap();
            let codes: Vec<u32> = batch.iter().map(|value| value.as_ref().map_or(MISSING_CODE, code)).collect();
            counts.update(categories, &codes, &dictionary, None);
        }
        counts
    }

    proptest! {
        #[test]
        fn counts_are_those_of_a_naive_count_whatever_the_split_and_the_order(
            known in prop::collection::btree_set("[a-f]{1,2}", 0..12),
            truncated in any::<bool>(),
            (values, shuffled) in prop::collection::vec(prop::option::of("[a-g]{1,2}"), 0..80)
                .prop_flat_map(|values| (Just(values.clone()), Just(values).prop_shuffle())),
            batch_rows in 1_usize..80,
        ) {
            let categories = Categories::new(known.iter().cloned().collect(), truncated);
            let whole = counted(&categories, &values, 80);
            prop_assert!(whole.fits(&categories));
            for (name, count) in known.iter().zip(whole.cells()) {
                prop_assert_eq!(values.iter().flatten().filter(|value| *value == name).count() as u64, *count);
            }
            let strange = values.iter().flatten().filter(|value| !known.contains(*value)).count() as u64;
            prop_assert_eq!((whole.other, whole.new), if truncated { (strange, 0) } else { (0, strange) });
            prop_assert_eq!(&counted(&categories, &shuffled, batch_rows), &whole);
            let mut merged = CategoryCounts::empty(&categories);
            for part in shuffled.chunks(batch_rows) {
                merged.merge(&counted(&categories, part, 80));
            }
            prop_assert_eq!(merged, whole);
        }
    }

    #[test]
    fn the_fiftieth_category_has_a_cell_and_the_fifty_first_has_none() {
        let categories = Categories::new((0..60).map(|i| format!("c{i:02}")).collect(), false);
        let mut counts = CategoryCounts::empty(&categories);
        counts.update(&categories, &[0, 1, 1], &strings(&["c49", "c50"]), None);
        assert_eq!((counts.cells().len(), counts.cells()[49], counts.other, counts.new), (50, 1, 2, 0));
        assert!(counts.fits(&categories));
    }

    #[test]
    fn every_row_has_the_rank_of_its_cell() {
        let categories = Categories::new((0..51).map(|i| format!("c{i:02}")).collect(), false);
        let table = RankTable::of_cells(&(1..=52).collect::<Vec<u64>>());
        let (mut counts, mut ranks) = (CategoryCounts::empty(&categories), vec![9]);
        let codes = [2, 0, 1, 3, MISSING_CODE, 77, 0];
        counts.update(&categories, &codes, &strings(&["c03", "c50", "c00", "unseen"]), Some((&table, &mut ranks)));
        let cell = |cell: u32| table.rank(cell, true);
        assert_eq!(ranks, [9, cell(0), cell(3), cell(50), cell(51), RankTable::NONE, RankTable::NONE, cell(3)]);
        // A code beyond its dictionary is no label.
        assert_eq!(counts.presence, Presence { rows: 7, missing: 1, wrong_type: 1, ..Presence::default() });
        assert!(counts.fits(&categories));
    }

    #[test]
    fn the_reference_counts_as_other_what_has_no_cell() {
        let presence = Presence { rows: 2_000, ..Presence::default() };
        let counts = CategoryCounts::from_totals(presence, &(1..=53).rev().collect::<Vec<u64>>(), 7);
        assert_eq!((counts.cells().len(), counts.cells()[0], counts.cells()[49]), (50, 53, 4));
        assert_eq!((counts.other, counts.new), (3 + 2 + 1 + 7, 0));
    }

    #[test]
    fn parts_add_cell_by_cell() {
        let part = |cells: [u64; 2], other, new, missing| {
            let presence = Presence { rows: cells[0] + cells[1] + other + new + missing, missing, ..Presence::default() };
            CategoryCounts { presence, cells: cells.to_vec(), other, new }
        };
        let mut sum = part([1, 2], 3, 4, 5);
        sum.merge(&part([10, 20], 30, 40, 50));
        assert_eq!(sum, part([11, 22], 33, 44, 55));
    }

    #[test]
    fn packed_counts_read_back_and_those_that_do_not_add_up_are_refused() {
        let categories = Categories::new(strings(&["a", "b"]), false);
        let counts = CategoryCounts {
            presence: Presence { rows: 100, missing: 2, absent: 3, wrong_type: 5, non_finite: 0 },
            cells: vec![40, 30],
            other: 11,
            new: 9,
        };
        let read = |counts: &CategoryCounts| {
            let mut packer = Packer::default();
            counts.pack(&mut packer);
            CategoryCounts::unpack(&categories, &mut Unpacker::new(&packer.into_bytes()))
        };
        assert_eq!(read(&counts), Some(counts.clone()));
        let rows = Presence { rows: 101, ..counts.presence };
        assert_eq!(read(&CategoryCounts { presence: rows, ..counts.clone() }), None);
        assert_eq!(read(&CategoryCounts { new: 8, ..counts.clone() }), None);
        assert_eq!(read(&CategoryCounts { cells: vec![40, 30, 0], ..counts.clone() }), None);
        assert_eq!(read(&CategoryCounts { cells: vec![70], ..counts.clone() }), None);
        // Of the right number of cells and the right sum, and yet of more rows than any log has.
        let rows = Presence { rows: crate::profile::packed::MOST_ROWS, ..Presence::default() };
        let full = CategoryCounts { presence: rows, cells: vec![rows.rows - 1, 1], other: 0, new: 0 };
        assert!(!full.fits(&categories));
    }
}
