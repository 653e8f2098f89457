//! What finds the cells of a feature's values and their ranks: worked out once, for all rows of a run.

use super::FeatureProfile;
use super::locator::Locator;
use super::ranks::RankTable;

/// Beside a feature of a profile.
#[derive(Clone, Debug)]
pub enum FeatureTable {
    Numeric { locator: Locator, ranks: RankTable },
    Categorical { ranks: RankTable },
}

impl FeatureTable {
    pub fn of(feature: &FeatureProfile) -> Self {
        match feature {
            FeatureProfile::Numeric { grid, reference, .. } => {
                Self::Numeric { locator: Locator::new(grid), ranks: RankTable::numeric(reference, grid.knots().len()) }
            }
            // In the order of their frequency, then OTHER and NEW.
            FeatureProfile::Categorical { reference, .. } => {
                let cells: Vec<u64> = reference.cells().iter().copied().chain([reference.other, reference.new]).collect();
                Self::Categorical { ranks: RankTable::of_cells(&cells) }
            }
        }
    }
}
