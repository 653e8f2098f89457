//! In which steps an object is read: a few hundred thousand rows at a time, whatever the size of its row groups.
//!
//! Fewer rows a step and the tables of every feature would be fetched into the caches more often; more, and memory would grow.

use std::ops::Range;

/// Rows of one row group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub group: usize,
    /// Within the row group.
    pub rows: Range<usize>,
    /// Of the object, the first of them.
    pub first_row: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A row group of which no row is needed.
    PassOver(usize),
    Read(Vec<Piece>),
}

/// The steps for row groups of so many rows, each needed or not. Where `together`, small row groups share a step.
pub(super) fn steps(groups: &[(usize, bool)], most_rows: usize, together: bool) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut open: Vec<Piece> = Vec::new();
    let mut open_rows = 0;
    let mut first_row = 0;
    for (group, (rows, is_needed)) in groups.iter().copied().enumerate() {
        let is_full = |open_rows: usize| !together || open_rows + rows > most_rows;
        if !open.is_empty() && (!is_needed || is_full(open_rows)) {
            steps.push(Step::Read(std::mem::take(&mut open)));
            open_rows = 0;
        }
        if is_needed {
            for start in (0..rows).step_by(most_rows.max(1)) {
                let end = rows.min(start + most_rows.max(1));
                open.push(Piece { group, rows: start..end, first_row: first_row + start });
                open_rows += end - start;
                if open_rows >= most_rows {
                    steps.push(Step::Read(std::mem::take(&mut open)));
                    open_rows = 0;
                }
            }
        } else {
            steps.push(Step::PassOver(group));
        }
        first_row += rows;
    }
    if !open.is_empty() {
        steps.push(Step::Read(open));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(group: usize, rows: Range<usize>, first_row: usize) -> Piece {
        Piece { group, rows, first_row }
    }

    #[test]
    fn small_row_groups_share_a_step_and_large_ones_take_several() {
        let groups = [(4, true), (5, true), (3, true), (2, false), (25, true), (0, true)];
        let expected = [
            Step::Read(vec![piece(0, 0..4, 0), piece(1, 0..5, 4)]),
            Step::Read(vec![piece(2, 0..3, 9)]),
            Step::PassOver(3),
            Step::Read(vec![piece(4, 0..10, 14)]),
            Step::Read(vec![piece(4, 10..20, 24)]),
            Step::Read(vec![piece(4, 20..25, 34)]),
        ];
        assert_eq!(steps(&groups, 10, true), expected);
        let apart = steps(&groups, 10, false);
        assert_eq!(apart.len(), 7);
        assert_eq!(apart[1], Step::Read(vec![piece(1, 0..5, 4)]));
        assert_eq!(steps(&[], 10, true), []);
    }
}
