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
use wasserstein::Wasserstein;

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

/// Everything that was measured of one feature.
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
    pub wasserstein: Option<Wasserstein>,
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
    let ks = Ks::compute(grid, reference, current, design_effect);
    let [missing, non_finite] = without_value(&reference.presence, &current.presence, design_effect);
    let p_value = bonferroni([ks.map(|ks| ks.p_effective), p_of(missing), p_of(non_finite)]);
    let wasserstein = Wasserstein::compute(grid, reference, current);
    let largest_tie = reference.largest_tie();
    let incomparable = Measurement::incomparable(condition, effective, design_effect);
    Measurement { ks, missing, non_finite, wasserstein, p_value, largest_tie, ..incomparable }
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
    let [missing, non_finite] = without_value(&reference.presence, &current.presence, design_effect);
    let p_value = bonferroni([chi_squared.map(|test| test.p_effective), p_of(missing), p_of(non_finite)]);
    Measurement { chi_squared, missing, non_finite, p_value, ..Measurement::incomparable(condition, effective, design_effect) }
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
            wasserstein: None,
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

/// The tests of the rows that have no usable value: missing, and not finite. Apart, because one may turn into the other.
fn without_value(reference: &Presence, current: &Presence, design_effect: DesignEffect) -> [Option<TwoProportions>; 2] {
    [
        TwoProportions::compute(reference, current, Presence::without_value, design_effect),
        TwoProportions::compute(reference, current, |presence| presence.non_finite, design_effect),
    ]
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
