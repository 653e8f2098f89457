//! Measuring: what the counts of the reference and of the window say about one feature.
//!
//! Sees counts, never a threshold: a [`Measurement`] has no opinion. Every number can be recomputed from STATISTICS.md.

pub mod chi_squared;
pub mod concentration;
pub mod interval;
pub mod jensen_shannon;
pub mod joint;
pub mod kolmogorov;
pub mod ks;
pub mod mean;
pub mod power;
pub mod proportions;
pub mod psi;
pub mod quantile;
pub mod root;
pub mod tail;
pub mod wasserstein;

use crate::profile::categories::{Categories, CategoryCounts};
use crate::profile::counts::NumericCounts;
use crate::profile::grid::Grid;
use crate::profile::{FeatureCounts, FeatureProfile, Presence};
use chi_squared::ChiSquared;
use ks::Ks;
use proportions::TwoProportions;
use psi::{Cell, Psi};

/// How many rows one independent observation takes, on either side; 1 when rows are independent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DesignEffect {
    pub reference: f64,
    pub current: f64,
}

impl DesignEffect {
    pub const INDEPENDENT: Self = Self { reference: 1.0, current: 1.0 };

    /// Whether effective rows differ from rows.
    fn is_independent(self) -> bool {
        self.reference <= 1.0 && self.current <= 1.0
    }
}

/// Sizes of the two samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sizes {
    pub reference: f64,
    pub current: f64,
}

impl Sizes {
    pub fn effective(reference: u64, current: u64, design_effect: DesignEffect) -> Self {
        Self { reference: reference as f64 / design_effect.reference, current: current as f64 / design_effect.current }
    }

    /// `1/n + 1/m`; infinite when either side is empty.
    pub fn inverse_sum(self) -> f64 {
        1.0 / self.reference + 1.0 / self.current
    }
}

/// What a feature's values in the window are, before any comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// Both sides have usable values.
    Comparable {
        /// Set when all usable values of the window are equal although the reference varies: the natural logarithm of the
        /// probability that as many independent draws from the reference all give that value.
        single_value_ln_probability: Option<f64>,
    },
    /// No object of the window has the column.
    Absent,
    /// All cells of the window are empty.
    AllNull,
    /// All values of the window are NaN or infinite.
    NonFinite,
    /// No value of the window is of the feature's type.
    WrongType,
    /// The reference has no usable value.
    NoReference,
    /// The window has no row.
    NoRows,
}

/// What was measured of one feature: all that a verdict may rest on.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    pub condition: Condition,
    pub design_effect: DesignEffect,
    /// Usable values, as independent observations.
    pub effective: Sizes,
    pub ks: Option<Ks>,
    pub chi_squared: Option<ChiSquared>,
    /// Values that are missing, where either side has any.
    pub missing: Option<TwoProportions>,
    /// Values that are NaN or infinite, where either side has any.
    pub non_finite: Option<TwoProportions>,
    pub psi: Option<Psi>,
    /// Distance with base 2, in [0, 1].
    pub jensen_shannon: Option<f64>,
    /// In [0, 1].
    pub total_variation: Option<f64>,
    /// The feature's p-value with effective rows, in [0, 1].
    pub p_value: Option<f64>,
    /// The share of the most frequent value in the reference; 1 for categories, which are nothing but ties.
    pub largest_tie: f64,
}

/// Compares the counts of a window with the reference.
pub fn compare(profile: &FeatureProfile, counts: &FeatureCounts, design_effect: DesignEffect) -> Measurement {
    match (profile, counts) {
        (FeatureProfile::Numeric { grid, reference, .. }, FeatureCounts::Numeric(current)) => {
            compare_numeric(grid, reference, current, design_effect)
        }
        (FeatureProfile::Categorical { categories, reference, .. }, FeatureCounts::Categorical(current)) => {
            compare_categorical(categories, reference, current, design_effect)
        }
        // Counts are made from their profile; were they not, none of their values would be of the feature's type.
        _ => Measurement::incomparable(
            Condition::WrongType,
            Sizes::effective(profile.presence().usable(), 0, design_effect),
            design_effect,
        ),
    }
}

fn compare_numeric(grid: &Grid, reference: &NumericCounts, current: &NumericCounts, design_effect: DesignEffect) -> Measurement {
    let effective = Sizes::effective(reference.n(), current.n(), design_effect);
    let condition =
        condition_of(&reference.presence, &current.presence, || single_value(grid, reference, current, effective.current));
    let Condition::Comparable { .. } = condition else {
        let cells = psi::numeric_cells(grid, reference, current);
        return Measurement::incomparable(condition, effective, design_effect).with_cells(cells, design_effect);
    };
    let ks = Ks::compute(reference, current, design_effect);
    // Apart, because one may turn into the other.
    let missing = missing_values(&reference.presence, &current.presence, design_effect);
    let not_finite = |presence: &Presence| presence.non_finite;
    let non_finite = TwoProportions::compute(&reference.presence, &current.presence, not_finite, design_effect);
    let p_value = bonferroni([ks.map(|ks| ks.p_effective), p_of(missing), p_of(non_finite)]);
    let largest_tie = reference.largest_tie();
    let incomparable = Measurement::incomparable(condition, effective, design_effect);
    Measurement { ks, missing, non_finite, p_value, largest_tie, ..incomparable }
        .with_cells(psi::numeric_cells(grid, reference, current), design_effect)
}

fn compare_categorical(
    categories: &Categories,
    reference: &CategoryCounts,
    current: &CategoryCounts,
    design_effect: DesignEffect,
) -> Measurement {
    let effective = Sizes::effective(reference.n(), current.n(), design_effect);
    let condition = condition_of(&reference.presence, &current.presence, || single_category(reference, current, effective.current));
    let cells = psi::categorical_cells(categories, reference, current);
    let Condition::Comparable { .. } = condition else {
        return Measurement::incomparable(condition, effective, design_effect).with_cells(cells, design_effect);
    };
    let values: Vec<&Cell> = cells.iter().filter(|cell| cell.label.is_value()).collect();
    let chi_squared = ChiSquared::compute(&values, design_effect);
    // Labels are never NaN or infinite.
    let missing = missing_values(&reference.presence, &current.presence, design_effect);
    let p_value = bonferroni([chi_squared.map(|test| test.p_effective), p_of(missing), None]);
    Measurement { chi_squared, missing, p_value, ..Measurement::incomparable(condition, effective, design_effect) }
        .with_cells(cells, design_effect)
}

impl Measurement {
    fn incomparable(condition: Condition, effective: Sizes, design_effect: DesignEffect) -> Self {
        Self {
            condition,
            design_effect,
            effective,
            ks: None,
            chi_squared: None,
            missing: None,
            non_finite: None,
            psi: None,
            jensen_shannon: None,
            total_variation: None,
            p_value: None,
            largest_tie: 1.0,
        }
    }

    /// Adds what is computed over the PSI cells. They hold all rows, so a feature that vanished has a PSI too.
    fn with_cells(mut self, cells: Vec<Cell>, design_effect: DesignEffect) -> Self {
        self.jensen_shannon = jensen_shannon::distance(&cells);
        self.total_variation = jensen_shannon::total_variation(&cells);
        self.psi = Psi::compute(cells, design_effect);
        self
    }
}

fn condition_of(reference: &Presence, current: &Presence, single_value_ln_probability: impl FnOnce() -> Option<f64>) -> Condition {
    if reference.usable() == 0 {
        return Condition::NoReference;
    }
    if current.usable() > 0 {
        return Condition::Comparable { single_value_ln_probability: single_value_ln_probability() };
    }
    if current.rows == 0 {
        Condition::NoRows
    } else if current.absent == current.rows {
        Condition::Absent
    } else if current.wrong_type > 0 {
        Condition::WrongType
    } else if current.non_finite > 0 {
        Condition::NonFinite
    } else {
        Condition::AllNull
    }
}

/// The probability, as a natural logarithm, that `effective` independent draws from the reference all give the one value that the
/// window has. `None` when the window or the reference varies as it should. The value's share in the reference is taken with
/// Jeffreys smoothing, so that a value that the reference does not have is improbable and not impossible.
fn single_value(grid: &Grid, reference: &NumericCounts, current: &NumericCounts, effective: f64) -> Option<f64> {
    let (low, high) = (current.moments.min()?, current.moments.max()?);
    let reference_varies = reference.moments.min()? < reference.moments.max()?;
    if low < high || !reference_varies {
        return None;
    }
    let cell = grid.cell(low);
    let occurrences = if cell % 2 == 1 { reference.at(cell / 2) } else { 0 };
    Some(ln_probability(occurrences, reference.n(), effective))
}

fn single_category(reference: &CategoryCounts, current: &CategoryCounts, effective: f64) -> Option<f64> {
    let occupied = |counts: &CategoryCounts| counts.cells().iter().chain([&counts.other, &counts.new]).filter(|&&n| n > 0).count();
    // OTHER and NEW may hold many categories, so only a cell of its own is one value for certain.
    let cell = current.cells().iter().position(|&count| count == current.n())?;
    if occupied(reference) < 2 {
        return None;
    }
    let occurrences = reference.cells().get(cell).copied().unwrap_or(0);
    Some(ln_probability(occurrences, reference.n(), effective))
}

fn ln_probability(occurrences: u64, rows: u64, draws: f64) -> f64 {
    draws * ((occurrences as f64 + 0.5) / (rows as f64 + 1.0)).ln()
}

fn missing_values(reference: &Presence, current: &Presence, design_effect: DesignEffect) -> Option<TwoProportions> {
    TwoProportions::compute(reference, current, Presence::without_value, design_effect)
}

fn p_of(test: Option<TwoProportions>) -> Option<f64> {
    test.map(|test| test.p_value)
}

/// Bonferroni: the smallest of the p-values there are, times their number.
fn bonferroni(p_values: [Option<f64>; 3]) -> Option<f64> {
    let tests = p_values.iter().flatten().count() as f64;
    p_values.into_iter().flatten().min_by(f64::total_cmp).map(|smallest| (smallest * tests).min(1.0))
}

impl Measurement {
    /// The p-value of the missing and the non-finite values alone: what can be said when too few values are left.
    pub fn p_value_without_values(&self) -> Option<f64> {
        bonferroni([p_of(self.missing), p_of(self.non_finite), None])
    }

    /// All rows, missing ones included, as independent observations.
    pub fn effective_rows(&self) -> Option<Sizes> {
        let cells = &self.psi.as_ref()?.cells;
        let rows = (cells.iter().map(|cell| cell.reference).sum(), cells.iter().map(|cell| cell.current).sum());
        Some(Sizes::effective(rows.0, rows.1, self.design_effect))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::{ColumnBatch, FeatureKind, FeatureName, MISSING, MISSING_CODE};
    use crate::profile::builder::ProfileBuilder;
    use crate::profile::table::FeatureTable;

    fn profile(batch: ColumnBatch<'_>) -> FeatureProfile {
        let kind = if matches!(batch, ColumnBatch::Numeric(_)) { FeatureKind::Numeric } else { FeatureKind::Categorical };
        let mut builder = ProfileBuilder::new(&[(FeatureName::new("x"), kind)]);
        builder.update([batch]);
        builder.finish(Vec::new()).features.remove(0).1
    }

    fn against(profile: &FeatureProfile, window: &[ColumnBatch<'_>], design_effect: DesignEffect) -> Measurement {
        let mut counts = FeatureCounts::empty(profile);
        for batch in window {
            counts.update(profile, &FeatureTable::of(profile), *batch, None);
        }
        compare(profile, &counts, design_effect)
    }

    fn measured(reference: ColumnBatch<'_>, window: &[ColumnBatch<'_>]) -> Measurement {
        against(&profile(reference), window, DesignEffect::INDEPENDENT)
    }

    /// A batch of categories by their numbers.
    fn labels<'a>(dictionary: &'a [String], codes: &'a [u32]) -> ColumnBatch<'a> {
        ColumnBatch::Categorical { codes, dictionary }
    }

    fn names() -> [String; 3] {
        ["a", "b", "c"].map(str::to_owned)
    }

    fn close(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= 1e-12 * expected.abs()
    }

    fn numbers(range: std::ops::Range<u32>) -> Vec<f64> {
        range.map(f64::from).collect()
    }

    #[test]
    fn rows_count_as_often_as_they_are_independent() {
        let sizes = Sizes::effective(100, 30, DesignEffect { reference: 2.0, current: 3.0 });
        assert_eq!(sizes, Sizes { reference: 50.0, current: 10.0 });
        assert!(close(sizes.inverse_sum(), 0.12));
    }

    #[test]
    fn a_window_without_values_says_what_it_has_instead() {
        use ColumnBatch::{Absent, Numeric, WrongType};
        let condition = |window: &[ColumnBatch<'_>]| measured(Numeric(&[1.0, 2.0, 3.0]), window).condition;
        assert_eq!(condition(&[]), Condition::NoRows);
        assert_eq!(condition(&[Absent { rows: 2 }]), Condition::Absent);
        assert_eq!(condition(&[Absent { rows: 2 }, Numeric(&[MISSING])]), Condition::AllNull);
        assert_eq!(condition(&[Numeric(&[MISSING])]), Condition::AllNull);
        assert_eq!(condition(&[Numeric(&[MISSING, f64::NAN])]), Condition::NonFinite);
        assert_eq!(condition(&[Numeric(&[MISSING, f64::INFINITY]), WrongType { rows: 1 }]), Condition::WrongType);
        assert!(matches!(condition(&[WrongType { rows: 9 }, Numeric(&[1.0])]), Condition::Comparable { .. }));
        assert_eq!(measured(Numeric(&[MISSING, f64::NAN]), &[Numeric(&[1.0])]).condition, Condition::NoReference);
    }

    #[test]
    fn a_feature_that_vanished_has_a_psi_and_no_test() {
        let vanished = measured(ColumnBatch::Numeric(&numbers(0..100)), &[ColumnBatch::Numeric(&[MISSING; 50])]);
        assert!(vanished.psi.is_some() && vanished.jensen_shannon.is_some() && vanished.total_variation.is_some());
        assert_eq!((vanished.ks, vanished.p_value, vanished.missing), (None, None, None));
    }

    #[test]
    fn counts_of_the_other_kind_are_of_another_type() {
        let numeric = profile(ColumnBatch::Numeric(&[1.0, 2.0, MISSING]));
        let dictionary = names();
        let categorical = profile(labels(&dictionary, &[0, 1]));
        let found = compare(&numeric, &FeatureCounts::empty(&categorical), DesignEffect::INDEPENDENT);
        assert_eq!(found.condition, Condition::WrongType);
        assert_eq!(found.effective, Sizes { reference: 2.0, current: 0.0 });
    }

    /// ln(P(all draws)) with Jeffreys smoothing: draws · ln((occurrences + 1/2) / (rows + 1)).
    #[test]
    fn one_number_all_the_time_is_as_improbable_as_so_many_draws_of_it() {
        let probability = |reference: &[f64], window: &[f64], effect: f64| {
            let design_effect = DesignEffect { reference: 1.0, current: effect };
            match against(&profile(ColumnBatch::Numeric(reference)), &[ColumnBatch::Numeric(window)], design_effect).condition {
                Condition::Comparable { single_value_ln_probability } => single_value_ln_probability,
                other => panic!("{other:?}"),
            }
        };
        let varied = [1.0, 2.0, 2.0, 3.0, 4.0];
        assert!(close(probability(&varied, &[2.0; 6], 1.0).unwrap(), 6.0 * (2.5_f64 / 6.0).ln()));
        assert!(close(probability(&varied, &[2.0; 6], 3.0).unwrap(), 2.0 * (2.5_f64 / 6.0).ln()));
        assert!(close(probability(&varied, &[4.0; 6], 1.0).unwrap(), 6.0 * (1.5_f64 / 6.0).ln()));
        assert!(close(probability(&varied, &[2.5; 6], 1.0).unwrap(), 6.0 * (0.5_f64 / 6.0).ln()));
        assert_eq!(probability(&varied, &[2.0, 3.0], 1.0), None);
        assert_eq!(probability(&[7.0; 5], &[7.0; 6], 1.0), None);
        assert_eq!(probability(&[7.0; 5], &[6.0, 7.0], 1.0), None);
    }

    #[test]
    fn one_label_all_the_time_is_as_improbable_as_so_many_draws_of_it() {
        let dictionary = names();
        let probability =
            |reference: &[u32], window: &[u32]| match measured(labels(&dictionary[..2], reference), &[labels(&dictionary, window)])
                .condition
            {
                Condition::Comparable { single_value_ln_probability } => single_value_ln_probability,
                other => panic!("{other:?}"),
            };
        assert!(close(probability(&[0, 0, 0, 1], &[1, 1]).unwrap(), 2.0 * (1.5_f64 / 5.0).ln()));
        assert!(close(probability(&[0, 0, 0, 1], &[0, 0, 0]).unwrap(), 3.0 * (3.5_f64 / 5.0).ln()));
        assert_eq!(probability(&[0, 0, 0, 1], &[0, 1]), None);
        // What the reference does not know may be many categories.
        assert_eq!(probability(&[0, 0, 0, 1], &[2, 2]), None);
        assert_eq!(probability(&[0, 0, 0], &[0, 0]), None);
    }

    #[test]
    fn the_smallest_of_a_features_p_values_counts_once_for_each_test() {
        let window: Vec<f64> = numbers(20..60).into_iter().chain([MISSING; 20]).chain([f64::NAN; 5]).collect();
        let found = measured(ColumnBatch::Numeric(&numbers(0..100)), &[ColumnBatch::Numeric(&window)]);
        let (ks, missing, non_finite) = (found.ks.unwrap(), found.missing.unwrap(), found.non_finite.unwrap());
        assert!(close(missing.current_fraction, 20.0 / 65.0) && close(non_finite.current_fraction, 5.0 / 65.0));
        assert!(missing.p_value < non_finite.p_value && missing.p_value < ks.p_effective);
        assert!(close(found.p_value.unwrap(), 3.0 * missing.p_value));
        assert!(close(found.p_value_without_values().unwrap(), 2.0 * missing.p_value));
        assert!(found.chi_squared.is_none());

        let alone = measured(ColumnBatch::Numeric(&numbers(0..100)), &[ColumnBatch::Numeric(&numbers(20..60))]);
        assert!(close(alone.p_value.unwrap(), alone.ks.unwrap().p_effective));
        assert_eq!((alone.missing, alone.non_finite, alone.p_value_without_values()), (None, None, None));
        let same = measured(ColumnBatch::Numeric(&numbers(0..50)), &[ColumnBatch::Numeric(&numbers(0..50))]);
        assert!(close(same.p_value.unwrap(), 1.0));
    }

    #[test]
    fn labels_are_tested_with_those_that_are_missing() {
        let dictionary = names();
        let reference: Vec<u32> = [0, 1].repeat(50);
        let window: Vec<u32> = [vec![0; 30], vec![1; 20], vec![MISSING_CODE; 20]].concat();
        let found = measured(labels(&dictionary, &reference), &[labels(&dictionary, &window)]);
        let (chi_squared, missing) = (found.chi_squared.as_ref().unwrap(), found.missing.unwrap());
        assert!(missing.p_value < chi_squared.p_effective);
        assert!(close(found.p_value.unwrap(), 2.0 * missing.p_value));
        assert!(found.ks.is_none() && found.non_finite.is_none());
        assert!(close(found.largest_tie, 1.0));
        assert!(found.psi.is_some() && found.jensen_shannon.is_some() && found.total_variation.is_some());
    }

    #[test]
    fn the_largest_tie_is_that_of_the_reference() {
        let tie = |reference: &[f64]| measured(ColumnBatch::Numeric(reference), &[ColumnBatch::Numeric(&[1.0, 2.0])]).largest_tie;
        assert!(close(tie(&numbers(0..100)), 0.01));
        assert!(close(tie(&[1.0, 2.0, 2.0, 5.0]), 0.5));
    }

    #[test]
    fn dependent_rows_on_either_side_are_less_evidence() {
        let reference = profile(ColumnBatch::Numeric(&numbers(0..200)));
        let p_value = |reference_effect: f64, current_effect: f64| {
            let design_effect = DesignEffect { reference: reference_effect, current: current_effect };
            against(&reference, &[ColumnBatch::Numeric(&numbers(40..200))], design_effect).p_value.unwrap()
        };
        let independent = p_value(1.0, 1.0);
        assert!(independent < p_value(1.0, 4.0) && independent < p_value(4.0, 1.0) && p_value(4.0, 1.0) < p_value(4.0, 4.0));
    }

    #[test]
    fn all_rows_count_also_those_without_a_value() {
        let window = [ColumnBatch::Numeric(&[1.0, 2.0, MISSING, f64::NAN, 3.0, 4.0])];
        let design_effect = DesignEffect { reference: 2.0, current: 3.0 };
        let found = against(&profile(ColumnBatch::Numeric(&[1.0, 2.0, 3.0, MISSING])), &window, design_effect);
        assert_eq!(found.effective_rows(), Some(Sizes { reference: 2.0, current: 2.0 }));
        assert!(close(found.effective.reference, 1.5) && close(found.effective.current, 4.0 / 3.0));
    }
}
