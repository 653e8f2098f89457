//! What a cell of a feature's grid is worth: the rank and the normal score of the values in it.

use super::FeatureProfile;
use super::dependence::Ranks;
use super::joint::{Scores, score};

/// Rank and score by cell: for numeric features by the cells of the grid, for categorical ones by
/// [`CategoryCounts`](super::categories::CategoryCounts)'s cells, which are in the order of their frequency and have no score.
#[derive(Clone, Debug)]
pub struct CellTable {
    /// `2·#{ref < x} + #{ref = x}`.
    ranks: Vec<u64>,
    scores: Vec<i16>,
}

impl CellTable {
    /// Without scores where nobody asks for them: they take a while to work out.
    pub fn of(feature: &FeatureProfile, with_scores: bool) -> Self {
        match feature {
            FeatureProfile::Numeric { grid, reference, .. } => {
                let counts =
                    (0..grid.cells()).map(|cell| if cell % 2 == 1 { reference.at(cell / 2) } else { reference.below(cell / 2) });
                let ranks = ranks(counts);
                let n = reference.n();
                let scores = if with_scores { ranks.iter().map(|rank| score(*rank, n)).collect() } else { Vec::new() };
                Self { ranks, scores }
            }
            FeatureProfile::Categorical { reference, .. } => {
                let counts = reference.cells().iter().copied().chain([reference.other, reference.new]);
                Self { ranks: ranks(counts), scores: Vec::new() }
            }
        }
    }
}

fn ranks(counts: impl Iterator<Item = u64>) -> Vec<u64> {
    let mut below = 0;
    let rank = |count: u64| {
        let rank = 2 * below + count;
        below += count;
        rank
    };
    counts.map(rank).collect()
}

/// The rows of a batch for one feature, by what they are worth. Either is empty where the feature has no usable value in the batch,
/// scores also where nobody asks for them.
#[derive(Clone, Debug, Default)]
pub struct Placed {
    pub ranks: Ranks,
    pub scores: Scores,
}

impl Placed {
    /// Adds the next row, by its cell.
    pub fn push(&mut self, table: &CellTable, cell: Option<usize>) {
        self.ranks.push(cell.and_then(|cell| table.ranks.get(cell).copied()));
        if !table.scores.is_empty() {
            self.scores.push(cell.and_then(|cell| table.scores.get(cell).copied()));
        }
    }
}
