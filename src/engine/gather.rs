//! From the answers of a database to the counts of a scan.
//!
//! Answers are taken row by row and kept only as counts. Each statement reads the rows anew, so all of them are held against each other: logs
//! that changed meanwhile are an error, never a wrong verdict.

use super::columns::Source;
use super::statements::{self, Features, MOST_ROWS, Numeric, PART_BITS, Reading, STEP_BITS, search_depth};
use super::{Database, EngineError, Field, List, Scan, Scanned};
use crate::feature::FeatureName;
use crate::ingest::account::{Account, ObjectAccount};
use crate::ingest::decode::{MISSING_CLUSTER, RejectionReason, Tally, cluster_of_label, label_of_number, label_of_text};
use crate::profile::beyond::Bucket;
use crate::profile::cells::Total;
use crate::profile::dependence::blocks::{HourSum, LevelSums};
use crate::profile::dependence::clusters::Cluster;
use crate::profile::grid::Grid;
use crate::profile::moments::Moments;
use crate::profile::recent::{Recent, RecentRow};
use crate::profile::table::FeatureTable;
use crate::profile::{FeatureCounts, FeatureProfile, Presence, WindowCounts};

/// Features of one statement at most, and knots of all of them together: their lists travel to the database in one piece.
const MOST_FEATURES: usize = 16;
const MOST_KNOTS: usize = 1 << 18;

/// Values far away that are looked at one by one.
const MOST_FAR: usize = 100_000;

/// Counts the rows of a scan.
///
/// # Errors
/// When the database fails, when its table has no moments where some are asked for, and when its rows changed meanwhile.
pub fn count(database: &dyn Database, scan: &Scan) -> Result<Scanned, EngineError> {
    let reading = Reading::new(database.dialect(), database.columns(), scan)?;
    let tally = tally(database, &reading, scan)?;
    let mut gathering = Gathering { database, reading, scan, rows: tally.tally.rows_used, counts: scan.profile.empty_counts() };
    gathering.without_values(&tally.values)?;
    for features in chunks(gathering.numeric()) {
        gathering.numbers(&features)?;
    }
    gathering.labels()?;
    gathering.clusters()?;
    gathering.check()?;
    let recent = gathering.recent()?;
    let mut account = Account::new(scan.request.columns.len());
    let (uri, outcome) = (database.uri(), Ok(tally.tally));
    account.add(ObjectAccount { uri, generation: String::new(), size_bytes: 0, outcome });
    Ok(Scanned { counts: gathering.counts, recent, account })
}

/// The newest moment before the end of the scan's window, in microseconds since the epoch.
///
/// # Errors
/// As [`count`].
pub fn newest(database: &dyn Database, scan: &Scan) -> Result<Option<i64>, EngineError> {
    let reading = Reading::new(database.dialect(), database.columns(), scan)?;
    newest_of(database, &reading)
}

fn newest_of(database: &dyn Database, reading: &Reading<'_>) -> Result<Option<i64>, EngineError> {
    let mut newest = None;
    if let Some(statement) = reading.newest() {
        database.ask(&statement, &mut |row| {
            newest = Row(row).optional(0, database)?;
            Ok(())
        })?;
    }
    Ok(newest)
}

/// The newest values of the scan's recent column, and nothing else; with the rows that have one.
///
/// # Errors
/// As [`count`].
pub fn recent(database: &dyn Database, scan: &Scan) -> Result<(Recent, Account), EngineError> {
    let reading = Reading::new(database.dialect(), database.columns(), scan)?;
    let tally = tally(database, &reading, scan)?;
    let counts = scan.profile.empty_counts();
    let gathering = Gathering { database, reading, scan, rows: tally.tally.rows_used, counts };
    let recent = gathering.recent()?;
    let mut account = Account::new(scan.request.columns.len());
    let (uri, outcome) = (database.uri(), Ok(tally.tally));
    account.add(ObjectAccount { uri, generation: String::new(), size_bytes: 0, outcome });
    Ok((recent, account))
}

/// The account of all rows, and how many values are not null in the columns that are of another type.
struct Rows {
    tally: Tally,
    values: Vec<(usize, u64)>,
}

fn tally(database: &dyn Database, reading: &Reading<'_>, scan: &Scan) -> Result<Rows, EngineError> {
    let odd: Vec<usize> =
        reading.sources.iter().enumerate().filter(|(_, source)| **source == Source::NullsOrWrongType).map(|(at, _)| at).collect();
    let mut tally = Tally { cluster_seen: reading.has_clusters(), ..Tally::default() };
    tally.columns_seen = reading.sources.iter().map(|source| *source != Source::Absent).collect();
    let mut values = Vec::new();
    database.ask(&reading.rows(&odd), &mut |row| {
        let row = Row(row);
        tally.rows_used = row.count(0, database)?;
        (tally.oldest_us, tally.newest_us) = (row.optional(1, database)?, row.optional(2, database)?);
        for (at, position) in odd.iter().enumerate() {
            values.push((*position, row.count(3 + at, database)?));
        }
        Ok(())
    })?;
    if let Some(statement) = reading.rejected() {
        database.ask(&statement, &mut |row| {
            let row = Row(row);
            let [missing, impossible, all] = [row.count(0, database)?, row.count(1, database)?, row.count(2, database)?];
            tally.rejected.add_somewhere(RejectionReason::MissingTimestamp, missing);
            if reading.is_naive_rejected {
                tally.rejected.add_somewhere(RejectionReason::NaiveTimestamp, all.saturating_sub(missing));
            } else {
                tally.rejected.add_somewhere(RejectionReason::TimestampOutOfRange, impossible);
            }
            Ok(())
        })?;
    }
    if tally.rows_used == 0 && scan.request.window.is_some() {
        tally.newest_us = newest_of(database, reading)?;
    }
    tally.rows_read = tally.rows_used + tally.rejected.total();
    tally.is_empty = tally.rows_read == 0;
    Ok(Rows { tally, values })
}

/// A scan on its way.
struct Gathering<'a> {
    database: &'a dyn Database,
    reading: Reading<'a>,
    scan: &'a Scan,
    /// Of the window.
    rows: u64,
    counts: WindowCounts,
}

/// A numeric feature.
#[derive(Clone, Copy)]
struct Feature<'a> {
    position: usize,
    grid: &'a Grid,
    profile: &'a FeatureProfile,
}

/// Features whose lists travel together, those of about as many knots.
fn chunks(mut features: Vec<Feature<'_>>) -> Vec<Vec<Feature<'_>>> {
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
    fn numeric(&self) -> Vec<Feature<'a>> {
        let features = self.scan.profile.features.iter().zip(&self.reading.sources).enumerate();
        let numeric = features.filter(|(_, (_, source))| **source == Source::Numbers);
        let of = |(position, ((_, profile), _)): (usize, (&'a (FeatureName, FeatureProfile), _))| match profile {
            FeatureProfile::Numeric { grid, .. } => Some(Feature { position, grid, profile }),
            FeatureProfile::Categorical { .. } => None,
        };
        numeric.filter_map(of).collect()
    }

    /// Features that have no values of their kind.
    fn without_values(&mut self, values: &[(usize, u64)]) -> Result<(), EngineError> {
        for (position, (source, counts)) in self.reading.sources.iter().zip(&mut self.counts.features).enumerate() {
            let presence = match counts {
                FeatureCounts::Numeric(counts) => &mut counts.presence,
                FeatureCounts::Categorical(counts) => &mut counts.presence,
            };
            let rows = self.rows;
            let all = Presence { rows, ..Presence::default() };
            match source {
                Source::Absent => *presence = Presence { absent: rows, ..all },
                Source::WrongType => *presence = Presence { wrong_type: rows, ..all },
                Source::NullsOrWrongType if values.contains(&(position, 0)) => *presence = Presence { missing: rows, ..all },
                Source::NullsOrWrongType => *presence = Presence { wrong_type: rows, ..all },
                Source::Numbers | Source::Labels { .. } => {}
            }
        }
        let (in_clusters, in_time_order) = match (self.reading.has_clusters(), self.reading.has_moments()) {
            (true, _) => (self.rows, 0),
            (false, true) => (0, self.rows),
            (false, false) => (0, 0),
        };
        self.counts.dependence.add_rows(in_clusters, in_time_order);
        Ok(())
    }

    /// Asks for everything that is told of some numeric features.
    fn numbers(&mut self, features: &[Feature<'a>]) -> Result<(), EngineError> {
        let tables: Vec<FeatureTable> = features.iter().map(|feature| FeatureTable::of(feature.profile)).collect();
        let depth = features.iter().map(|feature| search_depth(feature.grid.knots().len())).max().unwrap_or(0);
        let mut asked = Features { of: Vec::new(), depth };
        let mut lists = Vec::new();
        for (feature, table) in features.iter().zip(&tables) {
            let FeatureTable::Numeric { ranks, .. } = table else { continue };
            let mut knots = feature.grid.knots().to_vec();
            knots.resize((1 << depth) - 1, f64::INFINITY);
            asked.of.push(Numeric { position: feature.position, first_list: lists.len() });
            lists.extend([List::Doubles(knots), List::Integers(ranks.interleaved()), List::Doubles(statements::numbers(feature.grid))]);
        }
        self.database.put(&lists)?;
        drop(lists);
        self.moments(&asked, features)?;
        self.cells(&asked, features, &tables)?;
        if self.reading.has_clusters() || self.reading.has_moments() {
            self.ranks(&asked)?;
        }
        Ok(())
    }

    fn moments(&mut self, asked: &Features, features: &[Feature<'a>]) -> Result<(), EngineError> {
        let mut far = vec![0_u64; self.counts.features.len()];
        let (database, all) = (self.database, &mut self.counts.features);
        database.ask(&self.reading.moments(asked), &mut |row| {
            let row = Row(row);
            let position = row.position(database)?;
            let (Some(FeatureCounts::Numeric(counts)), Some(feature)) =
                (all.get_mut(position), features.iter().find(|feature| feature.position == position))
            else {
                return Err(nonsense(database));
            };
            let [rows, present, nan, infinite] = [row.count(1, database)?, row.count(2, database)?, row.count(3, database)?, row.count(4, database)?];
            let (missing, non_finite) = (rows.saturating_sub(present), nan + infinite);
            counts.presence.rows += rows;
            counts.presence.missing += missing;
            counts.presence.non_finite += non_finite;
            let Some(finite) = present.checked_sub(non_finite).filter(|finite| *finite > 0) else { return Ok(()) };
            row.fits(finite, database)?;
            let extremes = (row.number(5, database)?, row.number(6, database)?);
            let far_here = row.count(7, database)?;
            let sums = |at: usize| row.optional(at, database).map(|sum| i128::from(sum.unwrap_or(0)));
            let [a, b, c] = [sums(8)?, sums(9)?, sums(10)?];
            let [aa, ab, ac, bb, bc, cc] = [sums(11)?, sums(12)?, sums(13)?, sums(14)?, sums(15)?, sums(16)?];
            let part = |sum: i128, parts: u32| sum << (parts * STEP_BITS);
            let squares = part(aa, 4) + part(2 * ab, 3) + part(2 * ac + bb, 2) + part(2 * bc, 1) + cc;
            let mut moments = Moments::new(feature.grid.scale());
            moments.add_sums(finite, extremes, part(a, 2) + part(b, 1) + c, squares.unsigned_abs());
            counts.add_moments(&moments);
            *far.get_mut(position).ok_or_else(|| nonsense(database))? += far_here;
            Ok(())
        })?;
        for (feature, asked) in features.iter().zip(&asked.of) {
            if far.get(feature.position).is_some_and(|far| *far > 0) {
                self.far(asked, feature.grid)?;
            }
        }
        Ok(())
    }

    /// Values so far away that their squares have no room among the others.
    fn far(&mut self, feature: &Numeric, grid: &Grid) -> Result<(), EngineError> {
        let Some(FeatureCounts::Numeric(counts)) = self.counts.features.get_mut(feature.position) else { return Ok(()) };
        let mut moments = Moments::new(grid.scale());
        let mut values = 0;
        let database = self.database;
        database.ask(&self.reading.far(feature, MOST_FAR + 1), &mut |row| {
            let row = Row(row);
            values += 1;
            if values > MOST_FAR {
                moments.without_sums();
            } else {
                moments.add_far_sums(row.number(0, database)?, row.count(1, database)?);
            }
            Ok(())
        })?;
        counts.add_moments(&moments);
        Ok(())
    }

    fn cells(&mut self, asked: &Features, features: &[Feature<'a>], tables: &[FeatureTable]) -> Result<(), EngineError> {
        let mut levels = vec![LevelSums::default(); features.len()];
        let (database, all) = (self.database, &mut self.counts.features);
        database.ask(&self.reading.cells(asked), &mut |row| {
            let row = Row(row);
            let position = row.position(database)?;
            let at = features.iter().position(|feature| feature.position == position).ok_or_else(|| nonsense(database))?;
            let (Some(FeatureCounts::Numeric(counts)), Some(feature), Some(level)) =
                (all.get_mut(position), features.get(at), levels.get_mut(at))
            else {
                return Err(nonsense(database));
            };
            let index = usize::try_from(row.count(1, database)?).map_err(|_| nonsense(database))?;
            let is_at = row.truth(2, database)?;
            let bucket = row.optional(3, database)?;
            let n = row.count(4, database)?;
            let part = u128::from(row.count(5, database)?) << PART_BITS;
            let sum = part + u128::from(row.count(6, database)?);
            let places = if bucket.is_none() { sum } else { 0 };
            let more = if is_at { Total { at: n, ..Total::default() } } else { Total { below: n, places, ..Total::default() } };
            counts.add_counted(index, more).ok_or_else(|| nonsense(database))?;
            if let Some(number) = bucket {
                let number = usize::try_from(number).map_err(|_| nonsense(database))?;
                counts.add_beyond(index == 0, number, Bucket { count: n, rest: sum });
            } else if !is_at && (index == 0 || index == feature.grid.knots().len()) {
                return Err(nonsense(database));
            }
            if let Some(FeatureTable::Numeric { ranks, .. }) = tables.get(at) {
                let rank = u128::from(ranks.rank(u32::try_from(index).map_err(|_| nonsense(database))?, is_at));
                level.blocks += n;
                level.sum += u128::from(n) * rank;
                level.squares += u128::from(n) * rank * rank;
            }
            Ok(())
        })?;
        if !self.reading.has_clusters() && self.reading.has_moments() {
            for (feature, level) in features.iter().zip(levels) {
                self.counts.dependence.add_single_rows(feature.position, level);
            }
        }
        Ok(())
    }

    fn ranks(&mut self, features: &Features) -> Result<(), EngineError> {
        let (database, dependence) = (self.database, &mut self.counts.dependence);
        database.ask(&self.reading.ranks(features), &mut |row| {
            let row = Row(row);
            let position = row.position(database)?;
            let rows = row.count(4, database)?;
            row.fits(rows, database)?;
            let (ranks, squares) = (row.count(5, database)?, row.count(6, database)?);
            if let Some(hour) = row.optional(3, database)? {
                dependence.add_hour_sums(hour, position, HourSum { rows, ranks });
            } else if let Some(hash) = row.cluster(1) {
                dependence.add_cluster_sums(hash, position, Cluster { rows, ranks, squares });
            }
            Ok(())
        })
    }

    fn labels(&mut self) -> Result<(), EngineError> {
        let sources = self.reading.sources.iter().enumerate();
        let categorical = sources.filter(|(_, source)| matches!(source, Source::Labels { .. })).map(|(position, _)| position);
        let positions: Vec<usize> = categorical.filter(|position| *position < self.counts.features.len()).collect();
        for positions in positions.chunks(MOST_FEATURES) {
            self.labels_of(positions)?;
        }
        Ok(())
    }

    fn labels_of(&mut self, positions: &[usize]) -> Result<(), EngineError> {
        let (database, scan) = (self.database, self.scan);
        let has_clusters = self.reading.has_clusters();
        let profile = |position: usize| scan.profile.features.get(position).map(|(_, profile)| profile);
        let tables: Vec<Option<FeatureTable>> = positions.iter().map(|position| profile(*position).map(FeatureTable::of)).collect();
        let mut levels = vec![LevelSums::default(); positions.len()];
        let WindowCounts { features, dependence, .. } = &mut self.counts;
        database.ask(&self.reading.labels(positions), &mut |row| {
            let row = Row(row);
            let position = row.position(database)?;
            let at = positions.iter().position(|asked| *asked == position).ok_or_else(|| nonsense(database))?;
            let (
                Some(FeatureCounts::Categorical(counts)),
                Some(FeatureProfile::Categorical { categories, .. }),
                Some(Some(FeatureTable::Categorical { ranks })),
                Some(level),
            ) = (features.get_mut(position), profile(position), tables.get(at), levels.get_mut(at))
            else {
                return Err(nonsense(database));
            };
            let rows = row.count(6, database)?;
            row.fits(rows, database)?;
            let cell = counts.add_counted(categories, row.label(4).as_deref(), rows);
            let Some(cell) = cell.and_then(|cell| u32::try_from(cell).ok()) else { return Ok(()) };
            let rank = u64::from(ranks.rank(cell, true));
            let (sum, squares) = (rows * rank, rows * rank * rank);
            if let Some(hour) = row.optional(3, database)? {
                dependence.add_hour_sums(hour, position, HourSum { rows, ranks: sum });
            } else if let Some(hash) = row.cluster(1).filter(|_| has_clusters) {
                dependence.add_cluster_sums(hash, position, Cluster { rows, ranks: sum, squares });
            }
            level.blocks += rows;
            level.sum += u128::from(sum);
            level.squares += u128::from(squares);
            Ok(())
        })?;
        if !has_clusters && self.reading.has_moments() {
            for (position, level) in positions.iter().zip(levels) {
                dependence.add_single_rows(*position, level);
            }
        }
        Ok(())
    }

    /// Clusters without a usable value are clusters too: which of very many are kept is decided by all of them.
    fn clusters(&mut self) -> Result<(), EngineError> {
        let Some(statement) = self.reading.clusters() else { return Ok(()) };
        let dependence = &mut self.counts.dependence;
        self.database.ask(&statement, &mut |row| {
            if let Some(hash) = Row(row).cluster(0) {
                dependence.add_cluster_sums(hash, 0, Cluster::default());
            }
            Ok(())
        })
    }

    /// Every statement has read the same rows.
    fn check(&self) -> Result<(), EngineError> {
        for ((name, profile), counts) in self.scan.profile.features.iter().zip(&self.counts.features) {
            let fits = match (profile, counts) {
                (FeatureProfile::Numeric { grid, .. }, FeatureCounts::Numeric(counts)) => counts.fits(grid),
                (FeatureProfile::Categorical { categories, .. }, FeatureCounts::Categorical(counts)) => counts.fits(categories),
                _ => false,
            };
            if !fits || counts.presence().rows != self.rows {
                return Err(self.changed(name));
            }
        }
        Ok(())
    }

    fn changed(&self, name: &FeatureName) -> EngineError {
        EngineError::Logs(format!(
            "the logs at {} changed while they were read (column `{}`): run again, or end the window before rows are still written \
             (--as-of)",
            self.database.uri(),
            name.as_str()
        ))
    }

    fn recent(&self) -> Result<Recent, EngineError> {
        let Some((position, capacity)) = self.scan.recent else { return Ok(Recent::default()) };
        let mut recent = Recent::new(capacity);
        if self.reading.sources.get(position) != Some(&Source::Numbers) || self.rows == 0 {
            return Ok(recent);
        }
        let Some(statement) = self.reading.recent(position, capacity) else { return Ok(recent) };
        let database = self.database;
        database.ask(&statement, &mut |row| {
            let row = Row(row);
            let moment_us = row.optional(0, database)?.ok_or_else(|| nonsense(database))?;
            let group = row.cluster(2).unwrap_or(MISSING_CLUSTER);
            recent.push(RecentRow { moment_us, value: row.number(1, database)? + 0.0, group });
            Ok(())
        })?;
        Ok(recent)
    }
}

fn nonsense(database: &dyn Database) -> EngineError {
    EngineError::Failed { remote: database.uri(), detail: "its answer makes no sense".to_owned() }
}

/// One row of an answer.
struct Row<'a>(&'a [Field]);

impl Row<'_> {
    fn optional(&self, at: usize, database: &dyn Database) -> Result<Option<i64>, EngineError> {
        match self.0.get(at) {
            Some(Field::Integer(number)) => Ok(Some(*number)),
            Some(Field::Null) => Ok(None),
            _ => Err(nonsense(database)),
        }
    }

    fn count(&self, at: usize, database: &dyn Database) -> Result<u64, EngineError> {
        self.optional(at, database)?.and_then(|count| u64::try_from(count).ok()).ok_or_else(|| nonsense(database))
    }

    /// The feature that the row is about.
    fn position(&self, database: &dyn Database) -> Result<usize, EngineError> {
        match self.0.first() {
            Some(Field::Text(position)) => position.parse().map_err(|_| nonsense(database)),
            _ => Err(nonsense(database)),
        }
    }

    fn number(&self, at: usize, database: &dyn Database) -> Result<f64, EngineError> {
        match self.0.get(at) {
            Some(Field::Number(number)) => Ok(*number),
            _ => Err(nonsense(database)),
        }
    }

    fn truth(&self, at: usize, database: &dyn Database) -> Result<bool, EngineError> {
        match self.0.get(at) {
            Some(Field::Truth(truth)) => Ok(*truth),
            _ => Err(nonsense(database)),
        }
    }

    /// The label that stands as text or as a number.
    fn label(&self, at: usize) -> Option<String> {
        match (self.0.get(at), self.0.get(at + 1)) {
            (Some(Field::Text(text)), _) => label_of_text(text),
            (_, Some(Field::Number(number))) => label_of_number(*number),
            _ => None,
        }
    }

    /// The hash of the label of a cluster.
    fn cluster(&self, at: usize) -> Option<u64> {
        self.label(at).map(|label| cluster_of_label(&label))
    }

    /// Whether the sums over so many rows fit into their 64 bits.
    fn fits(&self, rows: u64, database: &dyn Database) -> Result<(), EngineError> {
        if rows <= MOST_ROWS {
            return Ok(());
        }
        let detail = format!("{rows} rows of one group are more than can be summed exactly; check a shorter window");
        Err(EngineError::Failed { remote: database.uri(), detail })
    }
}
