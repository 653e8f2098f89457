//! What is told of numeric features: moments, cells, and ranks by cluster or hour.

use super::super::columns::Source;
use super::super::statements::{self, Features, Numeric, PART_BITS, STEP_BITS, search_depth};
use super::super::{EngineError, List};
use super::Gathering;
use super::answer::{Answer, nonsense};
use crate::feature::FeatureName;
use crate::profile::beyond::Bucket;
use crate::profile::cells::Total;
use crate::profile::counts::NumericCounts;
use crate::profile::dependence::clusters::Cluster;
use crate::profile::grid::Grid;
use crate::profile::moments::Moments;
use crate::profile::ranks::RankTable;
use crate::profile::{FeatureCounts, FeatureProfile};

/// Features of one statement at most, and knots of all of them together: their lists travel to the database in one piece.
pub(super) const MOST_FEATURES: usize = 16;
const MOST_KNOTS: usize = 1 << 18;

/// Values far away that are looked at one by one.
const MOST_FAR: usize = 100_000;

/// A numeric feature.
#[derive(Clone, Copy)]
pub(super) struct Feature<'a> {
    pub position: usize,
    pub grid: &'a Grid,
    pub reference: &'a NumericCounts,
}

/// Features whose lists travel together, those of about as many knots.
pub(super) fn chunks(mut features: Vec<Feature<'_>>) -> Vec<Vec<Feature<'_>>> {
    let knots = |feature: &Feature<'_>| feature.grid.knots().len();
    features.sort_by_key(|feature| std::cmp::Reverse(knots(feature)));
    let mut chunks: Vec<Vec<Feature<'_>>> = Vec::new();
    for feature in features {
        let has_room = |chunk: &&mut Vec<Feature<'_>>| {
            // All lists are as long as the first.
            let knots = chunk.first().map_or(0, knots);
            chunk.len() < MOST_FEATURES && (chunk.len() + 1) * knots <= MOST_KNOTS
        };
        match chunks.last_mut().filter(has_room) {
            Some(chunk) => chunk.push(feature),
            None => chunks.push(vec![feature]),
        }
    }
    chunks
}

impl<'a> Gathering<'a> {
    /// The features that are to be read as numbers.
    pub(super) fn numeric(&self) -> Vec<Feature<'a>> {
        let features = self.scan.profile.features.iter().zip(&self.reading.sources).enumerate();
        let numeric = features.filter(|(_, (_, source))| **source == Source::Numbers);
        let of = |(position, ((_, profile), _)): (usize, (&'a (FeatureName, FeatureProfile), _))| match profile {
            FeatureProfile::Numeric { grid, reference, .. } => Some(Feature { position, grid, reference }),
            FeatureProfile::Categorical { .. } => None,
        };
        numeric.filter_map(of).collect()
    }

    /// Asks for everything that is told of some numeric features.
    pub(super) fn numbers(&mut self, features: &[Feature<'a>]) -> Result<(), EngineError> {
        let depth = features.iter().map(|feature| search_depth(feature.grid.knots().len())).max().unwrap_or(0);
        let mut asked = Features { of: Vec::new(), depth };
        let mut lists = Vec::new();
        for feature in features {
            let mut knots = feature.grid.knots().to_vec();
            let ranks = RankTable::numeric(feature.reference, knots.len());
            knots.resize((1 << depth) - 1, f64::INFINITY);
            asked.of.push(Numeric { position: feature.position, first_list: lists.len() });
            lists.extend([
                List::Doubles(knots),
                List::Integers(ranks.interleaved()),
                List::Doubles(statements::numbers(feature.grid)),
            ]);
        }
        self.database.put(&lists)?;
        drop(lists);
        self.moments(&asked, features)?;
        self.cells(&asked, features)?;
        if self.reading.has_clusters() || self.reading.has_moments() {
            self.ranks(&asked)?;
        }
        Ok(())
    }

    fn moments(&mut self, asked: &Features, features: &[Feature<'a>]) -> Result<(), EngineError> {
        // Of each feature, and how many values are far away.
        let mut summed: Vec<(Moments, u64)> = features.iter().map(|feature| (Moments::new(feature.grid.scale()), 0)).collect();
        let (database, all) = (self.database, &mut self.counts.features);
        database.ask(&self.reading.moments(asked), &mut |row| {
            let row = Answer::new(database, row);
            let position = row.position()?;
            let of_feature = features.iter().zip(&mut summed).find(|(feature, _)| feature.position == position);
            let (Some(FeatureCounts::Numeric(counts)), Some((_, (moments, far)))) = (all.get_mut(position), of_feature) else {
                return Err(nonsense(database));
            };
            let [rows, present, nan, infinite] = [row.count(1)?, row.count(2)?, row.count(3)?, row.count(4)?];
            let (missing, non_finite) = (rows.saturating_sub(present), nan + infinite);
            counts.presence.rows += rows;
            counts.presence.missing += missing;
            counts.presence.non_finite += non_finite;
            let Some(finite) = present.checked_sub(non_finite).filter(|finite| *finite > 0) else { return Ok(()) };
            row.fits(finite)?;
            let extremes = (row.number(5)?, row.number(6)?);
            *far += row.count(7)?;
            let sums = |at: usize| row.optional(at).map(|sum| i128::from(sum.unwrap_or(0)));
            let [a, b, c] = [sums(8)?, sums(9)?, sums(10)?];
            let [aa, ab, ac, bb, bc, cc] = [sums(11)?, sums(12)?, sums(13)?, sums(14)?, sums(15)?, sums(16)?];
            let part = |sum: i128, parts: u32| sum << (parts * STEP_BITS);
            let squares = part(aa, 4) + part(2 * ab, 3) + part(2 * ac + bb, 2) + part(2 * bc, 1) + cc;
            moments.add_sums(finite, extremes, part(a, 2) + part(b, 1) + c, squares.unsigned_abs());
            Ok(())
        })?;
        for ((feature, asked), (mut moments, far)) in features.iter().zip(&asked.of).zip(summed) {
            if far > 0 {
                self.far(asked, &mut moments)?;
            }
            if let Some(FeatureCounts::Numeric(counts)) = self.counts.features.get_mut(feature.position) {
                counts.add_moments(&moments);
            }
        }
        Ok(())
    }

    /// Values so far away that their squares have no room among the others.
    fn far(&self, feature: &Numeric, moments: &mut Moments) -> Result<(), EngineError> {
        let (database, mut values) = (self.database, 0);
        database.ask(&self.reading.far(feature, MOST_FAR + 1), &mut |row| {
            let row = Answer::new(database, row);
            values += 1;
            if values > MOST_FAR {
                moments.without_sums();
            } else {
                moments.add_far_sums(row.number(0)?, row.count(1)?);
            }
            Ok(())
        })
    }

    fn cells(&mut self, asked: &Features, features: &[Feature<'a>]) -> Result<(), EngineError> {
        let (database, all) = (self.database, &mut self.counts.features);
        database.ask(&self.reading.cells(asked), &mut |row| {
            let row = Answer::new(database, row);
            let position = row.position()?;
            let feature = features.iter().find(|feature| feature.position == position);
            let (Some(FeatureCounts::Numeric(counts)), Some(feature)) = (all.get_mut(position), feature) else {
                return Err(nonsense(database));
            };
            let index = usize::try_from(row.count(1)?).map_err(|_| nonsense(database))?;
            let is_at = row.truth(2)?;
            let bucket = row.optional(3)?;
            let n = row.count(4)?;
            let part = u128::from(row.count(5)?) << PART_BITS;
            let sum = part + u128::from(row.count(6)?);
            let places = if bucket.is_none() { sum } else { 0 };
            let more = if is_at { Total { at: n, ..Total::default() } } else { Total { below: n, places, ..Total::default() } };
            counts.add_counted(index, more).ok_or_else(|| nonsense(database))?;
            if let Some(number) = bucket {
                let number = usize::try_from(number).map_err(|_| nonsense(database))?;
                counts.add_beyond(index == 0, number, Bucket { count: n, rest: sum });
            } else if !is_at && (index == 0 || index == feature.grid.knots().len()) {
                return Err(nonsense(database));
            }
            Ok(())
        })
    }

    fn ranks(&mut self, features: &Features) -> Result<(), EngineError> {
        let (database, dependence) = (self.database, &mut self.counts.dependence);
        database.ask(&self.reading.ranks(features), &mut |row| {
            let row = Answer::new(database, row);
            let position = row.position()?;
            let rows = row.count(4)?;
            row.fits(rows)?;
            row.depend(dependence, position, Cluster { rows, ranks: row.count(5)?, squares: row.count(6)? })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::{ColumnBatch, FeatureKind};
    use crate::profile::builder::ProfileBuilder;

    #[test]
    fn features_of_about_as_many_knots_travel_together() {
        let profiles: Vec<FeatureProfile> = [3, 70, 1, 60, 2]
            .map(|knots| {
                let mut builder = ProfileBuilder::new(&[(FeatureName::from("x"), FeatureKind::Numeric)]);
                builder.update([ColumnBatch::Numeric(&(0..knots).map(f64::from).collect::<Vec<_>>())]);
                builder.finish(Vec::new()).features.remove(0).1
            })
            .into_iter()
            .collect();
        let features = profiles.iter().enumerate().filter_map(|(position, profile)| match profile {
            FeatureProfile::Numeric { grid, reference, .. } => Some(Feature { position, grid, reference }),
            FeatureProfile::Categorical { .. } => None,
        });
        let features: Vec<Feature<'_>> = features.collect();
        let positions = |chunks: Vec<Vec<Feature<'_>>>| -> Vec<Vec<usize>> {
            chunks.iter().map(|chunk| chunk.iter().map(|feature| feature.position).collect()).collect()
        };
        assert_eq!(positions(chunks(features.clone())), [[1, 3, 0, 4, 2]]);
        let many: Vec<Feature<'_>> = features.iter().copied().cycle().take(35).collect();
        assert_eq!(chunks(many).iter().map(Vec::len).collect::<Vec<_>>(), [16, 16, 3]);
        assert_eq!(positions(chunks(Vec::new())), Vec::<Vec<usize>>::new());
    }
}
