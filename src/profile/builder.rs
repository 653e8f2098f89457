//! Building a reference profile from the rows of the reference.
//!
//! Unlike a window's counts this keeps every value until the grid is known: its memory grows with the reference's rows.

use std::collections::HashMap;

use rayon::prelude::*;

use super::categories::{Categories, CategoryCounts, MAX_CATEGORIES};
use super::counts::NumericCounts;
use super::dependence::Estimate;
use super::grid::Grid;
use super::{FeatureProfile, Presence, ProfileObject, ReferenceProfile};
use crate::feature::{ColumnBatch, FeatureKind, FeatureName};

/// The values of one reference column.
#[derive(Clone, Debug)]
enum Values {
    Numeric(Vec<f64>),
    Categorical(CategoryTotals),
}

/// How often each category occurs.
#[derive(Clone, Debug, Default)]
struct CategoryTotals {
    counts: HashMap<String, u64>,
    missing: u64,
    /// Values whose category came after [`MAX_CATEGORIES`] others.
    overflow: u64,
}

/// One reference column being collected.
#[derive(Clone, Debug)]
pub struct Column {
    name: FeatureName,
    values: Values,
    /// Rows that carry no usable value whatever the grid: absent or of another type.
    unusable: Presence,
}

/// Collects the reference's rows.
#[derive(Clone, Debug)]
pub struct ProfileBuilder {
    columns: Vec<Column>,
}

impl ProfileBuilder {
    pub fn new(features: &[(FeatureName, FeatureKind)]) -> Self {
        let columns = features.iter().map(|(name, kind)| {
            let values = match kind {
                FeatureKind::Numeric => Values::Numeric(Vec::new()),
                FeatureKind::Categorical => Values::Categorical(CategoryTotals::default()),
            };
            Column { name: name.clone(), values, unusable: Presence::default() }
        });
        Self { columns: columns.collect() }
    }

    /// The columns, in the order given to [`Self::new`], to be collected side by side.
    pub fn columns_mut(&mut self) -> impl IndexedParallelIterator<Item = &mut Column> {
        self.columns.par_iter_mut()
    }

    /// Adds one batch: one entry per feature, in the order given to [`Self::new`].
    pub fn update<'a>(&mut self, batch: impl IntoIterator<Item = ColumnBatch<'a>>) {
        for (column, batch) in self.columns.iter_mut().zip(batch) {
            column.update(batch);
        }
    }

    /// Adds the rows of another builder over the same features.
    pub fn merge(&mut self, other: Self) {
        for (column, other) in self.columns.iter_mut().zip(other.columns) {
            column.merge(other);
        }
    }

    /// The profile of all rows added.
    pub fn finish(self, objects: Vec<ProfileObject>) -> ReferenceProfile {
        let rows = objects.iter().map(|object| object.rows).sum();
        let features = self.columns.into_par_iter().map(Column::finish).collect();
        ReferenceProfile { id: String::new(), rows, objects, features, joint: None, predictions: Vec::new() }
    }
}

impl Column {
    /// Adds a batch of the column.
    pub fn update(&mut self, batch: ColumnBatch<'_>) {
        match (&mut self.values, batch) {
            (Values::Numeric(values), ColumnBatch::Numeric(more)) => values.extend_from_slice(more),
            (Values::Categorical(totals), ColumnBatch::Categorical { codes, dictionary }) => totals.update(codes, dictionary),
            (_, batch) => self.unusable.add_unusable(batch),
        }
    }

    fn merge(&mut self, other: Self) {
        self.unusable.merge(&other.unusable);
        match (&mut self.values, other.values) {
            (Values::Numeric(values), Values::Numeric(more)) => values.extend(more),
            (Values::Categorical(totals), Values::Categorical(more)) => totals.merge(more),
            // Both sides were made for the same features.
            (Values::Numeric(_) | Values::Categorical(_), _) => {}
        }
    }

    fn finish(self) -> (FeatureName, FeatureProfile) {
        let profile = match self.values {
            Values::Numeric(values) => {
                let mut finite: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
                let grid = Grid::from_values(&mut finite);
                let mut reference = NumericCounts::of(&grid, &values);
                reference.presence.merge(&self.unusable);
                FeatureProfile::Numeric { grid, reference, dependence: Estimate::INDEPENDENT }
            }
            Values::Categorical(totals) => totals.finish(&self.unusable),
        };
        (self.name, profile)
    }
}

impl CategoryTotals {
    fn update(&mut self, codes: &[u32], dictionary: &[String]) {
        let mut batch_counts = vec![0_u64; dictionary.len()];
        for &code in codes {
            match batch_counts.get_mut(code as usize) {
                Some(count) => *count += 1,
                None => self.missing += 1,
            }
        }
        // A dictionary may hold what no row of the batch has.
        dictionary.iter().zip(batch_counts).filter(|(_, count)| *count > 0).for_each(|(name, count)| self.add(name, count));
    }

    fn merge(&mut self, other: Self) {
        self.missing += other.missing;
        self.overflow += other.overflow;
        // Sorted, so that which categories are kept does not depend on a hash seed.
        let mut counts: Vec<(String, u64)> = other.counts.into_iter().collect();
        counts.sort_unstable();
        for (name, count) in &counts {
            self.add(name, *count);
        }
    }

    fn add(&mut self, name: &str, count: u64) {
        if let Some(total) = self.counts.get_mut(name) {
            *total += count;
        } else if self.counts.len() < MAX_CATEGORIES {
            self.counts.insert(name.to_owned(), count);
        } else {
            self.overflow += count;
        }
    }

    fn finish(self, unusable: &Presence) -> FeatureProfile {
        let mut counts: Vec<(String, u64)> = self.counts.into_iter().collect();
        counts.sort_unstable_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
        let mut presence = *unusable;
        presence.rows += self.missing + self.overflow + counts.iter().map(|(_, count)| count).sum::<u64>();
        presence.missing += self.missing;
        let totals: Vec<u64> = counts.iter().map(|(_, count)| *count).collect();
        let categories = Categories::new(counts.into_iter().map(|(name, _)| name).collect(), self.overflow > 0);
        let reference = CategoryCounts::from_totals(presence, &totals, self.overflow);
        FeatureProfile::Categorical { categories, reference, dependence: Estimate::INDEPENDENT }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::{MISSING, MISSING_CODE};

    fn collected(kind: FeatureKind, batches: &[ColumnBatch<'_>]) -> ProfileBuilder {
        let mut builder = ProfileBuilder::new(&[(FeatureName::from("x"), kind)]);
        for batch in batches {
            builder.update([*batch]);
        }
        builder
    }

    fn categories(builder: ProfileBuilder) -> (Categories, CategoryCounts) {
        match builder.finish(Vec::new()).features.remove(0).1 {
            FeatureProfile::Categorical { categories, reference, .. } => (categories, reference),
            FeatureProfile::Numeric { .. } => panic!("a categorical feature became numeric"),
        }
    }

    #[test]
    fn categories_stand_by_their_frequency_and_every_row_is_counted() {
        let dictionary = ["b", "c", "a"].map(str::to_owned);
        let labels = ColumnBatch::Categorical { codes: &[0, 1, 1, 2, MISSING_CODE, MISSING_CODE, 1], dictionary: &dictionary };
        let (categories, counts) = categories(collected(FeatureKind::Categorical, &[labels, ColumnBatch::Absent { rows: 4 }]));
        assert_eq!(categories.names(), ["c", "a", "b"]);
        assert!(!categories.is_truncated());
        assert_eq!(counts.cells(), [3, 1, 1]);
        assert_eq!((counts.other, counts.new), (0, 0));
        assert_eq!(counts.presence, Presence { rows: 11, missing: 2, absent: 4, ..Presence::default() });
    }

    #[test]
    fn what_no_row_has_is_no_category() {
        let dictionary = ["rejected", "a"].map(str::to_owned);
        let labels = ColumnBatch::Categorical { codes: &[1, MISSING_CODE, 1], dictionary: &dictionary };
        let (categories, counts) = categories(collected(FeatureKind::Categorical, &[labels]));
        assert_eq!((categories.names(), counts.cells()), (["a".to_owned()].as_slice(), [2].as_slice()));
    }

    #[test]
    fn what_comes_after_the_most_categories_is_counted_without_its_name() {
        let dictionary: Vec<String> = (0..=MAX_CATEGORIES).map(|number| format!("{number:05}")).collect();
        let codes: Vec<u32> = (0..).zip(&dictionary).map(|(code, _)| code).collect();
        let whole =
            |codes: &[u32]| collected(FeatureKind::Categorical, &[ColumnBatch::Categorical { codes, dictionary: &dictionary }]);
        let (as_many, _) = categories(collected(
            FeatureKind::Categorical,
            &[ColumnBatch::Categorical { codes: &codes[..MAX_CATEGORIES], dictionary: &dictionary[..MAX_CATEGORIES] }],
        ));
        assert_eq!((as_many.names().len(), as_many.is_truncated()), (MAX_CATEGORIES, false));
        let (kept, counts) = categories(whole(&codes));
        assert_eq!((kept.names().len(), kept.is_truncated()), (MAX_CATEGORIES, true));
        assert_eq!(counts.n(), MAX_CATEGORIES as u64 + 1);
        let mut merged = whole(&codes);
        merged.merge(whole(&codes));
        let (_, counts) = categories(merged);
        assert_eq!((counts.n(), counts.presence.rows), (2 * (MAX_CATEGORIES as u64 + 1), 2 * (MAX_CATEGORIES as u64 + 1)));
    }

    #[test]
    fn builders_of_parts_give_the_profile_of_all_rows() {
        let dictionary = ["b", "a"].map(str::to_owned);
        let labels = |codes| ColumnBatch::Categorical { codes, dictionary: &dictionary };
        let numbers = [1.0, 5.0, MISSING, f64::NAN, 2.0];
        for (kind, one, other) in [
            (FeatureKind::Numeric, ColumnBatch::Numeric(&numbers[..2]), ColumnBatch::Numeric(&numbers[2..])),
            (FeatureKind::Categorical, labels(&[0, 1, MISSING_CODE]), labels(&[1, 1, MISSING_CODE])),
        ] {
            let wrong = ColumnBatch::WrongType { rows: 3 };
            let mut merged = collected(kind, &[one, wrong]);
            merged.merge(collected(kind, &[other, wrong]));
            assert_eq!(merged.finish(Vec::new()), collected(kind, &[one, other, wrong, wrong]).finish(Vec::new()));
        }
    }

    #[test]
    fn the_rows_of_a_profile_are_those_of_its_objects() {
        let object = |rows| ProfileObject { uri: "file:a".to_owned(), generation: "1".to_owned(), size_bytes: 1, rows };
        assert_eq!(collected(FeatureKind::Numeric, &[]).finish(vec![object(3), object(4)]).rows, 7);
    }

    #[test]
    fn values_without_a_category_of_their_own_are_other() {
        let dictionary: Vec<String> = (0..MAX_CATEGORIES + 2).map(|number| format!("{number:05}")).collect();
        let codes: Vec<u32> = (0..).zip(&dictionary).map(|(code, _)| code).collect();
        let labels = ColumnBatch::Categorical { codes: &codes, dictionary: &dictionary };
        let (_, counts) = categories(collected(FeatureKind::Categorical, &[labels, ColumnBatch::WrongType { rows: 3 }]));
        assert_eq!(counts.other, MAX_CATEGORIES as u64 + 2 - 50);
        assert_eq!(counts.presence, Presence { rows: codes.len() as u64 + 3, wrong_type: 3, ..Presence::default() });
    }

    #[test]
    fn rows_without_numbers_count_too() {
        let numbers = ColumnBatch::Numeric(&[1.0, MISSING, f64::NAN]);
        let profile = collected(FeatureKind::Numeric, &[numbers, ColumnBatch::Absent { rows: 2 }]).finish(Vec::new());
        let expected = Presence { rows: 5, missing: 1, absent: 2, wrong_type: 0, non_finite: 1 };
        assert_eq!(*profile.features[0].1.presence(), expected);
    }
}
