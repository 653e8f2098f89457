//! The population stability index, over cells that only the reference decides.
//!
//! Never over bins fitted on pooled or current data: one sentinel value would stretch them and hide all drift.

use super::{DesignEffect, Sizes, tail};
use crate::profile::categories::{Categories, CategoryCounts};
use crate::profile::counts::NumericCounts;
use crate::profile::grid::Grid;

/// A feature with at most this many distinct reference values gets one cell per value (STATISTICS.md, section 3).
const MAX_DISCRETE: usize = 10;

/// … if each occurs twice on average: ten rows with ten distinct values are a small sample of a continuous feature.
const MIN_ROWS_PER_VALUE: u64 = 2;

/// Cells of a continuous feature: deciles of the reference.
const DECILES: u64 = 10;

/// What a cell holds.
#[derive(Clone, Debug, PartialEq)]
pub enum CellLabel {
    /// `(lower, upper]`; open where there is no bound.
    Interval {
        lower: Option<f64>,
        upper: Option<f64>,
    },
    /// One value of a discrete feature.
    Value(f64),
    /// One category.
    Category(String),
    /// The categories of the reference without a cell of their own.
    Other,
    /// Values that the reference does not have.
    New,
    Missing,
    NonFinite,
}

impl CellLabel {
    /// Whether it holds usable values.
    pub fn is_value(&self) -> bool {
        !matches!(self, Self::Missing | Self::NonFinite)
    }
}

/// One cell, with the rows of both sides in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    pub label: CellLabel,
    pub reference: u64,
    pub current: u64,
}

/// The population stability index of one feature.
///
/// `value = Σ (q − p) ln(q/p)` over the cells, ≥ 0, with Jeffreys-smoothed proportions `(c + ½) / (n + B/2)` on both sides.
/// Without drift `value ≈ (1/n + 1/m) · χ²_{B−1}` (Yurdakul 2018, WMU dissertation 3208; Yurdakul & Naranjo 2020, J. Risk Model
/// Validation 14(4)), so `adjusted` takes its expectation off, and `p_value` is the tail of that law; both use effective sizes.
#[derive(Clone, Debug, PartialEq)]
pub struct Psi {
    pub value: f64,
    /// `max(0, value − (B − 1)(1/n_eff + 1/m_eff))`.
    pub adjusted: f64,
    pub p_value: f64,
    pub cells: Vec<Cell>,
}

impl Psi {
    /// `None` when either side has no row.
    pub fn compute(cells: Vec<Cell>, design_effect: DesignEffect) -> Option<Self> {
        let reference_rows: u64 = cells.iter().map(|cell| cell.reference).sum();
        let current_rows: u64 = cells.iter().map(|cell| cell.current).sum();
        if reference_rows == 0 || current_rows == 0 {
            return None;
        }
        let degrees_of_freedom = u32::try_from(cells.len()).unwrap_or(u32::MAX).saturating_sub(1);
        let value: f64 = terms(&cells, reference_rows, current_rows).sum();
        let noise = Sizes::effective(reference_rows, current_rows, design_effect).inverse_sum();
        Some(Self {
            value,
            adjusted: (value - f64::from(degrees_of_freedom) * noise).max(0.0),
            p_value: tail::chi_squared(value / noise, degrees_of_freedom),
            cells,
        })
    }
}

impl Psi {
    /// What each cell adds to `value`, in the order of the cells; none is negative.
    pub fn contributions(&self) -> Vec<f64> {
        let rows = self.cells.iter().fold((0, 0), |rows, cell| (rows.0 + cell.reference, rows.1 + cell.current));
        terms(&self.cells, rows.0, rows.1).collect()
    }
}

fn terms(cells: &[Cell], reference_rows: u64, current_rows: u64) -> impl Iterator<Item = f64> {
    let smoothed = |count: u64, rows: u64| (count as f64 + 0.5) / (rows as f64 + cells.len() as f64 / 2.0);
    cells.iter().map(move |cell| {
        let (p, q) = (smoothed(cell.reference, reference_rows), smoothed(cell.current, current_rows));
        (q - p) * (q / p).ln()
    })
}

/// The cells of a numeric feature: its values if they are few, otherwise deciles; then MISSING and NON-FINITE where either side
/// has any. Cells that are empty on both sides are left out.
pub fn numeric_cells(grid: &Grid, reference: &NumericCounts, current: &NumericCounts) -> Vec<Cell> {
    let distinct = grid.knots().len();
    let discrete = distinct <= MAX_DISCRETE && reference.off_grid() == 0 && reference.n() >= MIN_ROWS_PER_VALUE * distinct as u64;
    let mut cells = if discrete { discrete_cells(grid, reference, current) } else { decile_cells(grid, reference, current) };
    push_unusable(&mut cells, &reference.presence, &current.presence);
    cells.retain(|cell| cell.reference > 0 || cell.current > 0);
    cells
}

fn discrete_cells(grid: &Grid, reference: &NumericCounts, current: &NumericCounts) -> Vec<Cell> {
    let values = grid.knots().iter().enumerate().map(|(index, &knot)| Cell {
        label: CellLabel::Value(knot),
        reference: reference.at(index),
        current: current.at(index),
    });
    let new = Cell { label: CellLabel::New, reference: reference.off_grid(), current: current.off_grid() };
    values.chain([new]).collect()
}

/// Deciles of the reference. An edge is the smallest knot below or at which lie j tenths of the reference; tied edges are merged;
/// the outer cells are open.
fn decile_cells(grid: &Grid, reference: &NumericCounts, current: &NumericCounts) -> Vec<Cell> {
    let n = reference.n();
    let mut cells = Vec::new();
    let mut open = Cell { label: CellLabel::Interval { lower: None, upper: None }, reference: 0, current: 0 };
    let (mut lower, mut decile, mut seen) = (None, 1, 0);
    for (&knot, (reference, current)) in grid.knots().iter().zip(reference.totals().zip(current.totals())) {
        let here = reference.below + reference.at;
        seen += here;
        open.reference += here;
        open.current += current.below + current.at;
        if decile < DECILES && seen * DECILES >= n * decile {
            while decile < DECILES && seen * DECILES >= n * decile {
                decile += 1;
            }
            open.label = CellLabel::Interval { lower, upper: Some(knot) };
            lower = Some(knot);
            let next = Cell { label: CellLabel::Interval { lower, upper: None }, reference: 0, current: 0 };
            cells.push(std::mem::replace(&mut open, next));
        }
    }
    let last = grid.knots().len();
    open.reference += reference.below(last);
    open.current += current.below(last);
    cells.push(open);
    cells
}

/// The cells of a categorical feature: its categories, OTHER, NEW, MISSING; those empty on both sides are left out.
pub fn categorical_cells(categories: &Categories, reference: &CategoryCounts, current: &CategoryCounts) -> Vec<Cell> {
    let own = categories.cell_names().iter().zip(reference.cells().iter().zip(current.cells()));
    let mut cells: Vec<Cell> = own
        .map(|(name, (&reference, &current))| Cell { label: CellLabel::Category(name.clone()), reference, current })
        .chain([
            Cell { label: CellLabel::Other, reference: reference.other, current: current.other },
            Cell { label: CellLabel::New, reference: reference.new, current: current.new },
        ])
        .collect();
    push_unusable(&mut cells, &reference.presence, &current.presence);
    cells.retain(|cell| cell.reference > 0 || cell.current > 0);
    cells
}

fn push_unusable(cells: &mut Vec<Cell>, reference: &crate::profile::Presence, current: &crate::profile::Presence) {
    cells.push(Cell { label: CellLabel::Missing, reference: reference.without_value(), current: current.without_value() });
    cells.push(Cell { label: CellLabel::NonFinite, reference: reference.non_finite, current: current.non_finite });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::{MISSING, MISSING_CODE};

    fn cells(reference: &[f64], current: &[f64]) -> Vec<Cell> {
        let grid = Grid::from_values(&mut reference.iter().copied().filter(|value| value.is_finite()).collect::<Vec<_>>());
        let counts = [reference, current].map(|values| NumericCounts::of(&grid, values));
        numeric_cells(&grid, &counts[0], &counts[1])
    }

    #[test]
    fn deciles_hold_a_tenth_of_the_reference_each() {
        let reference: Vec<f64> = (0..100).map(f64::from).collect();
        let cells = cells(&reference, &[-5.0, 0.0, 9.0, 9.5, 200.0]);
        assert!(cells.iter().all(|cell| cell.reference == 10));
        assert_eq!(cells.iter().map(|cell| cell.current).collect::<Vec<_>>(), [3, 1, 0, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(cells[0].label, CellLabel::Interval { lower: None, upper: Some(9.0) });
        assert_eq!(cells[9].label, CellLabel::Interval { lower: Some(89.0), upper: None });
    }

    #[test]
    fn values_between_the_knots_belong_to_the_decile_of_the_next() {
        // 41 values, every second of them on one of 20 knots. numpy: for j tenths the first knot with (ref <= knot).sum() * 10 >= 41 * j.
        let reference: Vec<f64> = (1..=41).map(|i| f64::from(i) / 2.0).collect();
        let current = [-3.0, 0.5, 1.0, 2.5, 2.5, 7.0, 7.25, 13.5, 19.9, 20.0, 20.1, 33.0];
        let grid = Grid::from_values(&mut (1..=20).map(f64::from).collect::<Vec<_>>());
        let cells = numeric_cells(&grid, &NumericCounts::of(&grid, &reference), &NumericCounts::of(&grid, &current));
        assert_eq!(cells.iter().map(|cell| cell.reference).collect::<Vec<_>>(), [6, 4, 4, 4, 4, 4, 4, 4, 4, 3]);
        assert_eq!(cells.iter().map(|cell| cell.current).collect::<Vec<_>>(), [5, 0, 1, 1, 0, 0, 1, 0, 0, 4]);
        assert_eq!(cells[3].label, CellLabel::Interval { lower: Some(7.0), upper: Some(9.0) });
    }

    #[test]
    fn ten_values_that_occur_twice_each_are_discrete() {
        let is_discrete = |distinct: u32, rows: u32| {
            let reference: Vec<f64> = (0..rows).map(|row| f64::from(row % distinct)).collect();
            let cells = cells(&reference, &[1.0]);
            assert_eq!(cells.iter().map(|cell| cell.reference).sum::<u64>(), u64::from(rows));
            cells.iter().all(|cell| matches!(cell.label, CellLabel::Value(_)))
        };
        assert!(is_discrete(10, 20) && is_discrete(2, 4) && is_discrete(3, 60));
        assert!(!is_discrete(10, 19) && !is_discrete(11, 22) && !is_discrete(11, 200) && !is_discrete(2, 3));
        // A value off the grid is of no knot.
        let grid = Grid::from_values(&mut [0.0, 1.0]);
        let counts = NumericCounts::of(&grid, &[0.0, 0.0, 0.5, 1.0, 1.0, 1.0]);
        let cells = numeric_cells(&grid, &counts, &counts);
        assert!(cells.iter().all(|cell| matches!(cell.label, CellLabel::Interval { .. })), "{cells:?}");
    }

    #[test]
    fn a_cell_of_categories_is_there_if_either_side_has_it() {
        let names: Vec<String> = (0..52).map(|number| format!("c{number:02}")).collect();
        let categories = Categories::new(names.clone(), false);
        let counts = |codes: &[u32]| {
            let mut counts = CategoryCounts::empty(&categories);
            counts.update(&categories, codes, &[names.as_slice(), &["unseen".to_owned()]].concat(), None);
            counts
        };
        // 0 and 1 have cells, 50 and 51 are OTHER, 52 is not among the categories.
        let cells = categorical_cells(&categories, &counts(&[0, 0, 50]), &counts(&[1, 51, 51, 52, MISSING_CODE]));
        let found: Vec<_> = cells.into_iter().map(|cell| (cell.label, cell.reference, cell.current)).collect();
        let expected = [
            (CellLabel::Category("c00".to_owned()), 2, 0),
            (CellLabel::Category("c01".to_owned()), 0, 1),
            (CellLabel::Other, 1, 2),
            (CellLabel::New, 0, 1),
            (CellLabel::Missing, 0, 1),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn dependent_rows_are_more_noise() {
        // numpy: p = (ref + .5) / 201.5, q = (cur + .5) / 101.5, t = (q - p) * log(q / p); noise = 2/200 + 3/100;
        // t.sum() - 2 * noise; scipy.stats.chi2.sf(t.sum() / noise, 2)
        let cells =
            [(120, 40), (60, 35), (20, 25)].map(|(reference, current)| Cell { label: CellLabel::Other, reference, current });
        let psi = Psi::compute(cells.to_vec(), DesignEffect { reference: 2.0, current: 3.0 }).unwrap();
        let close = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-9;
        assert!(close(psi.value, 0.223_215_107_676_855_9) && close(psi.adjusted, 0.143_215_107_676_855_9), "{psi:?}");
        assert!(close(psi.p_value, 0.061_409_615_862_008_29), "{psi:?}");
        let terms = [0.080_518_866_499_637_65, 0.007_555_533_659_076_061, 0.135_140_707_518_142_2];
        assert!(psi.contributions().iter().zip(terms).all(|(found, term)| close(*found, term)), "{:?}", psi.contributions());
        assert_eq!(psi.contributions().len(), 3);
    }

    #[test]
    fn tied_edges_are_merged() {
        // 60 % zeros: the first six deciles are one cell.
        let reference: Vec<f64> = (0..100).map(|i| if i < 60 { 0.0 } else { f64::from(i) }).collect();
        let cells = cells(&reference, &[0.0]);
        assert_eq!(cells.iter().map(|cell| cell.reference).collect::<Vec<_>>(), [60, 10, 10, 10, 10]);
    }

    #[test]
    fn a_discrete_feature_has_a_cell_per_value_and_one_for_new_values() {
        let cells = cells(&[1.0, 1.0, 2.0, 2.0], &[1.0, 3.0, MISSING, f64::NAN]);
        let labels: Vec<_> = cells.iter().map(|cell| (cell.label.clone(), cell.reference, cell.current)).collect();
        assert_eq!(
            labels,
            [
                (CellLabel::Value(1.0), 2, 1),
                (CellLabel::Value(2.0), 2, 0),
                (CellLabel::New, 0, 1),
                (CellLabel::Missing, 0, 1),
                (CellLabel::NonFinite, 0, 1)
            ]
        );
    }

    #[test]
    fn a_constant_that_moved_has_a_large_index() {
        let moved = Psi::compute(cells(&[5.0; 600], &[6.0; 100]), DesignEffect::INDEPENDENT).unwrap();
        assert!(moved.adjusted > 5.0 && moved.p_value < 1e-12, "{moved:?}");
        let same = Psi::compute(cells(&[5.0; 600], &[5.0; 100]), DesignEffect::INDEPENDENT).unwrap();
        assert_eq!((same.value.to_bits(), same.p_value.to_bits()), (0, 1.0_f64.to_bits()));
    }

    #[test]
    fn without_rows_there_is_no_index() {
        assert_eq!(Psi::compute(cells(&[1.0, 2.0], &[]), DesignEffect::INDEPENDENT), None);
        assert_eq!(Psi::compute(cells(&[], &[1.0, 2.0]), DesignEffect::INDEPENDENT), None);
    }
}
