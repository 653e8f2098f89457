//! From the answers of a database to the counts of a scan.
//!
//! Answers are taken row by row and kept only as counts. Each statement reads the rows anew, so all of them are held against each other: logs
//! that changed meanwhile are an error, never a wrong verdict.

mod answer;
mod numeric;

use super::columns::Source;
use super::statements::Reading;
use super::{Database, EngineError, Scan, Scanned};
use crate::feature::FeatureName;
use crate::ingest::account::{Account, ObjectAccount};
use crate::ingest::decode::{MISSING_CLUSTER, RejectionReason, Tally};
use crate::profile::dependence::clusters::Cluster;
use crate::profile::recent::{Recent, RecentRow};
use crate::profile::table::FeatureTable;
use crate::profile::{FeatureCounts, FeatureProfile, Presence, WindowCounts};
use answer::{Answer, nonsense};
use numeric::{MOST_FEATURES, chunks};

/// Counts the rows of a scan.
///
/// # Errors
/// When the database fails, when its table has no moments where some are asked for, and when its rows changed meanwhile.
pub fn count(database: &dyn Database, scan: &Scan) -> Result<Scanned, EngineError> {
    choose(database, scan)?;
    let reading = Reading::new(database.dialect(), database.columns(), scan)?;
    let tally = tally(database, &reading, scan)?;
    let mut gathering = Gathering { database, reading, scan, rows: tally.tally.rows_used, counts: scan.profile.empty_counts() };
    gathering.without_values(&tally.values);
    for features in chunks(gathering.numeric()) {
        gathering.numbers(&features)?;
    }
    gathering.labels()?;
    gathering.clusters()?;
    gathering.check()?;
    let recent = gathering.recent()?;
    Ok(Scanned { counts: gathering.counts, recent, account: account(database, scan, tally.tally) })
}

/// Leaves out the files whose date is not that of the window.
fn choose(database: &dyn Database, scan: &Scan) -> Result<(), EngineError> {
    match (&scan.files, scan.request.window) {
        (Some(selection), Some(window)) => database.choose(&|path| selection.by_date(path, window).unwrap_or(true)),
        _ => database.choose(&|_| true),
    }
}

/// The account of all rows as that of one object.
fn account(database: &dyn Database, scan: &Scan, tally: Tally) -> Account {
    let mut account = Account::new(scan.request.columns.len());
    account.add(ObjectAccount { uri: database.uri(), generation: String::new(), size_bytes: 0, outcome: Ok(tally) });
    account
}

/// The newest moment before the end of the scan's window, in microseconds since the epoch.
///
/// # Errors
/// As [`count`].
pub fn newest(database: &dyn Database, scan: &Scan) -> Result<Option<i64>, EngineError> {
    let reading = Reading::new(database.dialect(), database.columns(), scan)?;
    newest_of(database, &reading)
}

/// In all files, which are those that are chosen afterwards.
fn newest_of(database: &dyn Database, reading: &Reading<'_>) -> Result<Option<i64>, EngineError> {
    database.choose(&|_| true)?;
    let mut newest = None;
    if let Some(statement) = reading.newest() {
        database.ask(&statement, &mut |row| {
            newest = Answer::new(database, row).optional(0)?;
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
    choose(database, scan)?;
    let reading = Reading::new(database.dialect(), database.columns(), scan)?;
    let tally = tally(database, &reading, scan)?;
    let counts = scan.profile.empty_counts();
    let gathering = Gathering { database, reading, scan, rows: tally.tally.rows_used, counts };
    let recent = gathering.recent()?;
    Ok((recent, account(database, scan, tally.tally)))
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
        let row = Answer::new(database, row);
        tally.rows_used = row.count(0)?;
        (tally.oldest_us, tally.newest_us) = (row.optional(1)?, row.optional(2)?);
        for (at, position) in odd.iter().enumerate() {
            values.push((*position, row.count(3 + at)?));
        }
        Ok(())
    })?;
    if let Some(statement) = reading.rejected() {
        database.ask(&statement, &mut |row| {
            let row = Answer::new(database, row);
            let [missing, impossible, all] = [row.count(0)?, row.count(1)?, row.count(2)?];
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
        choose(database, scan)?;
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

impl Gathering<'_> {
    /// Features that have no values of their kind.
    fn without_values(&mut self, values: &[(usize, u64)]) {
        for (position, (source, counts)) in self.reading.sources.iter().zip(&mut self.counts.features).enumerate() {
            let presence = counts.presence_mut();
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
        let profile = |position: usize| scan.profile.features.get(position).map(|(_, profile)| profile);
        let tables: Vec<Option<FeatureTable>> = positions.iter().map(|position| profile(*position).map(FeatureTable::of)).collect();
        let WindowCounts { features, dependence, .. } = &mut self.counts;
        database.ask(&self.reading.labels(positions), &mut |row| {
            let row = Answer::new(database, row);
            let position = row.position()?;
            let at = positions.iter().position(|asked| *asked == position).ok_or_else(|| nonsense(database))?;
            let (
                Some(FeatureCounts::Categorical(counts)),
                Some(FeatureProfile::Categorical { categories, .. }),
                Some(Some(FeatureTable::Categorical { ranks })),
            ) = (features.get_mut(position), profile(position), tables.get(at))
            else {
                return Err(nonsense(database));
            };
            let rows = row.count(6)?;
            row.fits(rows)?;
            let cell = counts.add_counted(categories, row.label(4).as_deref(), rows);
            let Some(cell) = cell.and_then(|cell| u32::try_from(cell).ok()) else { return Ok(()) };
            let rank = u64::from(ranks.rank(cell, true));
            row.depend(dependence, position, Cluster { rows, ranks: rows * rank, squares: rows * rank * rank })
        })
    }

    /// Clusters without a usable value are clusters too: which of very many are kept is decided by all of them.
    fn clusters(&mut self) -> Result<(), EngineError> {
        let Some(statement) = self.reading.clusters() else { return Ok(()) };
        let (database, dependence) = (self.database, &mut self.counts.dependence);
        database.ask(&statement, &mut |row| {
            if let Some(hash) = Answer::new(database, row).cluster(0) {
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
                return Err(self.changed(name, counts));
            }
        }
        Ok(())
    }

    fn changed(&self, name: &FeatureName, counts: &FeatureCounts) -> EngineError {
        let Presence { rows, .. } = counts.presence();
        let usable = counts.presence().usable();
        let counted = match counts {
            FeatureCounts::Numeric(counts) => counts.occupied().map(|(_, total)| total.at + total.below).sum(),
            FeatureCounts::Categorical(counts) => counts.n(),
        };
        EngineError::Logs(format!(
            "the logs at {} changed while they were read ({} rows; column `{}`: {rows} rows, {usable} values, {counted} counted): run again, or end \
             the window before rows are still written (--as-of); where it happens again, the indexes of the files contradict their values",
            self.database.uri(),
            self.rows,
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
            let row = Answer::new(database, row);
            let moment_us = row.optional(0)?.ok_or_else(|| nonsense(database))?;
            let group = row.cluster(2).unwrap_or(MISSING_CLUSTER);
            recent.push(RecentRow { moment_us, value: row.number(1)? + 0.0, group });
            Ok(())
        })?;
        Ok(recent)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::columns::Shape;
    use super::super::dialect::Dialect;
    use super::super::statements::PART_BITS;
    use super::super::{Field, List, TakeRow};
    use super::*;
    use crate::feature::{ColumnBatch, FeatureKind};
    use crate::ingest::decode::Request;
    use crate::profile::builder::ProfileBuilder;
    use crate::profile::counts::NumericCounts;

    /// Answers what it was told to, by words of the statement.
    struct Scripted {
        columns: Vec<(String, Shape)>,
        answers: Vec<(&'static str, Vec<Vec<Field>>)>,
    }

    impl Database for Scripted {
        fn dialect(&self) -> Dialect {
            Dialect::Spark
        }

        fn uri(&self) -> String {
            "scripted".to_owned()
        }

        fn columns(&self) -> &[(String, Shape)] {
            &self.columns
        }

        fn choose(&self, _: &dyn Fn(&str) -> bool) -> Result<(), EngineError> {
            Ok(())
        }

        fn put(&self, lists: &[List]) -> Result<(), EngineError> {
            // Three knots fill a list for two steps; seven ranks and one at the end; the numbers of the grid.
            assert!(matches!(lists, [List::Doubles(knots), List::Integers(ranks), List::Doubles(numbers)]
                if knots == &[1.0, 2.0, 4.0] && ranks.len() == 8 && numbers[2].to_bits() == 3.0_f64.to_bits()));
            Ok(())
        }

        fn ask(&self, statement: &str, take: TakeRow<'_>) -> Result<(), EngineError> {
            let answer = self.answers.iter().find(|(words, _)| statement.contains(words));
            answer.unwrap_or_else(|| panic!("{statement}")).1.iter().try_for_each(|row| take(row))
        }
    }

    fn integers(numbers: &[i64]) -> Vec<Field> {
        numbers.iter().map(|number| Field::Integer(*number)).collect()
    }

    fn scan() -> Scan {
        let columns = vec![(FeatureName::from("x"), FeatureKind::Numeric)];
        let mut builder = ProfileBuilder::new(&columns);
        builder.update([ColumnBatch::Numeric(&[1.0, 2.0, 4.0])]);
        let request = Request { columns, timestamp: None, cluster: None, window: None, max_row_bytes: 1, batch_rows: 1 };
        Scan { request, profile: Arc::new(builder.finish(Vec::new())), recent: None, files: None }
    }

    /// What a database says of the values 2 and 3 and of a row without one.
    fn told(scan: &Scan) -> Scripted {
        let FeatureProfile::Numeric { grid, .. } = &scan.profile.features[0].1 else { panic!("not numeric") };
        #[expect(clippy::cast_possible_truncation, reason = "a few spreads of 2^36 steps")]
        let steps = [2.0, 3.0].map(|value: f64| ((value - grid.scale().center()) * grid.scale().per_step()) as i64);
        let parts = steps.map(|steps| [steps >> 32, steps >> 16 & 0xFFFF, steps & 0xFFFF]);
        let sum = |of: fn(&[i64; 3]) -> i64| parts.iter().map(of).sum::<i64>();
        let products =
            [sum(|p| p[0] * p[0]), sum(|p| p[0] * p[1]), sum(|p| p[0] * p[2]), sum(|p| p[1] * p[1]), sum(|p| p[1] * p[2])];
        let sums = [sum(|p| p[0]), sum(|p| p[1]), sum(|p| p[2])];
        let x = || Field::Text("0".to_owned());
        let extremes = vec![Field::Number(2.0), Field::Number(3.0)];
        let rest = integers(&[&[0][..], &sums, &products, &[sum(|p| p[2] * p[2])]].concat());
        let moments = [vec![x()], integers(&[3, 2, 0, 0]), extremes, rest].concat();
        let cell = |index, is_at, place: i64| {
            let counted = integers(&[1, place >> PART_BITS, place & 0xFF_FFFF]);
            [vec![x(), Field::Integer(index), Field::Truth(is_at), Field::Null], counted].concat()
        };
        let cells = vec![cell(1, true, 0), cell(2, false, 1 << 31)];
        let rows = vec![[integers(&[3]), vec![Field::Null, Field::Null]].concat()];
        let columns = vec![("x".to_owned(), Shape::Number)];
        Scripted { columns, answers: vec![("is_far", vec![moments]), ("bucket", cells), ("count(*), min", rows)] }
    }

    #[test]
    fn answers_become_the_counts_that_this_machine_makes() {
        let scan = scan();
        let scanned = count(&told(&scan), &scan).unwrap();
        let FeatureProfile::Numeric { grid, .. } = &scan.profile.features[0].1 else { panic!("not numeric") };
        let expected = NumericCounts::of(grid, &[2.0, crate::feature::MISSING, 3.0]);
        assert_eq!(scanned.counts.features, [FeatureCounts::Numeric(expected)]);
        assert_eq!((scanned.account.rows_used, scanned.account.rows_read), (3, 3));
    }

    #[test]
    fn rows_that_came_in_between_are_an_error() {
        let scan = scan();
        let mut database = told(&scan);
        database.answers[2].1[0][0] = Field::Integer(4);
        let error = count(&database, &scan).unwrap_err().to_string();
        assert!(error.contains("changed while they were read") && error.contains("`x`"), "{error}");
        let mut database = told(&scan);
        database.answers[1].1.pop();
        assert!(matches!(count(&database, &scan), Err(EngineError::Logs(_))));
    }

    #[test]
    fn answers_that_cannot_be_are_refused() {
        let scan = scan();
        let refused = |change: fn(&mut Vec<Vec<Field>>), which: usize| {
            let mut database = told(&scan);
            change(&mut database.answers[which].1);
            let error = count(&database, &scan).unwrap_err();
            assert!(matches!(error, EngineError::Failed { .. }), "{error}");
        };
        refused(|moments| moments[0][0] = Field::Text("1".to_owned()), 0);
        refused(|moments| moments[0][5] = Field::Null, 0);
        refused(|moments| moments[0][1..3].fill(Field::Integer(1 << 32)), 0);
        refused(|cells| cells[0][1] = Field::Integer(9), 1);
        refused(|cells| cells[0][4] = Field::Integer(-1), 1);
        // A value above the last knot has a distance from it.
        refused(|cells| cells[1][1] = Field::Integer(3), 1);
        refused(|rows| rows[0][0] = Field::Number(3.0), 2);
    }
}
