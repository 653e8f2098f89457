//! A pair of bars for every value or category, with the cells that are none (MISSING, OTHER, NEW) at the end.

use crate::report::html::scale::{WIDTH, short};
use crate::report::story::{cell_totals, fraction, visible};
use crate::report::{PsiCellSection, format_percent};

/// More rows than this do not fit a glance; the smallest are put together.
const MOST_ROWS: usize = 12;

/// The height of one row in drawing units.
pub const ROW_HEIGHT: f64 = 24.0;

/// One row for each cell, over a drawing area of 1000 × 24 a row.
pub struct Bars {
    pub rows: Vec<BarRow>,
    pub height: String,
}

/// Both sides of one cell.
pub struct BarRow {
    pub label: String,
    pub reference: String,
    pub current: String,
    /// The bars, in drawing units.
    pub reference_y: String,
    pub reference_width: String,
    pub current_y: String,
    pub current_width: String,
}

impl Bars {
    /// `None` where no cell holds a row.
    pub fn new(cells: &[PsiCellSection]) -> Option<Self> {
        let (reference_total, current_total) = cell_totals(cells);
        if reference_total == 0 && current_total == 0 {
            return None;
        }
        let shares: Vec<(String, f64, f64)> = cells
            .iter()
            .map(|cell| (visible(&cell.label), fraction(cell.reference, reference_total), fraction(cell.current, current_total)))
            .collect();
        let shares = fold(shares);
        let longest = shares.iter().map(|(_, reference, current)| reference.max(*current)).fold(0.0, f64::max);
        let width = |share: f64| short(share / longest * WIDTH);
        let mut top = 0.0;
        let rows = shares.into_iter().map(|(label, reference, current)| {
            let row = BarRow {
                label,
                reference_y: short(top + 4.0),
                current_y: short(top + 12.0),
                reference_width: width(reference),
                current_width: width(current),
                reference: format_percent(reference),
                current: format_percent(current),
            };
            top += ROW_HEIGHT;
            row
        });
        let rows: Vec<BarRow> = rows.collect();
        Some(Self { rows, height: short(top) })
    }
}

/// Keeps the largest cells in their order and puts the others together.
fn fold(shares: Vec<(String, f64, f64)>) -> Vec<(String, f64, f64)> {
    if shares.len() <= MOST_ROWS {
        return shares;
    }
    let mut largest: Vec<usize> = (0..shares.len()).collect();
    let size = |index: &usize| shares.get(*index).map_or(0.0, |(_, reference, current)| reference.max(*current));
    largest.sort_by(|a, b| size(b).total_cmp(&size(a)));
    largest.truncate(MOST_ROWS - 1);
    let mut kept = Vec::with_capacity(MOST_ROWS);
    let (mut others, mut reference_rest, mut current_rest) = (0_usize, 0.0, 0.0);
    for (index, share) in shares.into_iter().enumerate() {
        if largest.contains(&index) {
            kept.push(share);
        } else {
            others += 1;
            reference_rest += share.1;
            current_rest += share.2;
        }
    }
    kept.push((format!("{others} others"), reference_rest, current_rest));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_cells_are_folded_and_no_row_is_lost() {
        let shares: Vec<(String, f64, f64)> = (0..53).map(|i| (i.to_string(), f64::from(i) / 1378.0, 1.0 / 53.0)).collect();
        let folded = fold(shares);
        assert_eq!(folded.len(), MOST_ROWS);
        assert_eq!(folded.last().map(|row| row.0.as_str()), Some("42 others"));
        let total: f64 = folded.iter().map(|row| row.1).sum();
        assert!((total - 1.0).abs() < 1e-9);
    }

    #[test]
    fn cells_without_a_row_are_no_picture() {
        let empty = PsiCellSection { label: "a".to_owned(), lower: None, upper: None, reference: 0, current: 0, contribution: 0.0 };
        assert!(Bars::new(&[empty]).is_none());
        assert!(Bars::new(&[]).is_none());
    }

    #[test]
    fn twelve_cells_are_all_shown_and_of_more_the_largest_in_their_order() {
        let shares = |count: u32| -> Vec<(String, f64, f64)> { (0..count).map(|i| (i.to_string(), f64::from(i), 0.5)).collect() };
        assert_eq!(fold(shares(12)), shares(12));
        let folded = fold(shares(14));
        assert_eq!(
            folded.iter().map(|row| row.0.as_str()).collect::<Vec<_>>(),
            ["3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "3 others"]
        );
        let (_, reference, current) = &folded[11];
        assert!((reference - 3.0).abs() < 1e-12 && (current - 1.5).abs() < 1e-12, "0 + 1 + 2, and three halves");
    }

    #[test]
    fn one_side_without_a_row_is_a_picture_still() {
        let cell = |reference, current| PsiCellSection {
            label: "a".to_owned(),
            lower: None,
            upper: None,
            reference,
            current,
            contribution: 0.0,
        };
        assert!(Bars::new(&[cell(1, 0)]).is_some() && Bars::new(&[cell(0, 1)]).is_some());
    }
}
