//! The embedded store: one SQLite file.

use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use std::time::Duration;

use super::{RunRecord, Series, StoreError};
use crate::decision::signal::{OpenSignal, Reading, SignalName, Transition, advance};
use crate::report::PastRun;

/// The version of the tables. A newer file is refused, an older one is brought up to date.
const VERSION: i64 = 1;

/// How long another process may hold the file before we give up.
const BUSY: Duration = Duration::from_secs(10);

const TABLES: &str = "
CREATE TABLE run (
    job TEXT NOT NULL, environment TEXT NOT NULL, length_s INTEGER NOT NULL, window_end TEXT NOT NULL,
    id TEXT NOT NULL, trigger TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT NOT NULL,
    profile_id TEXT NOT NULL, config_digest TEXT NOT NULL, report_uri TEXT NOT NULL, outcome TEXT NOT NULL,
    PRIMARY KEY (job, environment, length_s, window_end)
) STRICT;
CREATE TABLE signal (
    job TEXT NOT NULL, environment TEXT NOT NULL, name TEXT NOT NULL, window_end TEXT NOT NULL, state TEXT NOT NULL,
    PRIMARY KEY (job, environment, name)
) STRICT;
";

/// A connection to the file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: String,
}

/// What is kept of a signal: enough to give the same answer when its last window comes again.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignalRecord {
    /// Before the last window.
    before: Option<OpenSignal>,
    /// After it.
    after: Option<OpenSignal>,
}

impl SqliteStore {
    pub fn open(path: &str) -> Result<Self, StoreError> {
        Self::prepare(path, Connection::open(path))
    }

    /// A file that is not there is an empty store in memory: nothing is created.
    pub fn open_read_only(path: &str) -> Result<Self, StoreError> {
        if std::fs::exists(path).unwrap_or(false) {
            let store = Self::connect(path, Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY))?;
            // A file without tables yet is as good as none.
            if store.version()? == VERSION {
                return Ok(store);
            }
        }
        Self::prepare(path, Connection::open_in_memory())
    }

    fn connect(path: &str, connection: rusqlite::Result<Connection>) -> Result<Self, StoreError> {
        let error = |source| StoreError::Sqlite { action: "open", path: path.to_owned(), source };
        let connection = connection.map_err(error)?;
        connection.busy_timeout(BUSY).map_err(error)?;
        let store = Self { connection, path: path.to_owned() };
        match store.version()? {
            found if found > VERSION => Err(StoreError::Newer { path: path.to_owned(), found, supported: VERSION }),
            _ => Ok(store),
        }
    }

    fn prepare(path: &str, connection: rusqlite::Result<Connection>) -> Result<Self, StoreError> {
        let mut store = Self::connect(path, connection)?;
        if store.version()? < VERSION {
            let create = |connection: &mut Connection| {
                let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
                // Another process may have been faster.
                if transaction.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))? < VERSION {
                    transaction.execute_batch(TABLES)?;
                    transaction.pragma_update(None, "user_version", VERSION)?;
                }
                transaction.commit()
            };
            create(&mut store.connection).map_err(|source| store.failed("create", source))?;
        }
        Ok(store)
    }

    fn failed(&self, action: &'static str, source: rusqlite::Error) -> StoreError {
        StoreError::Sqlite { action, path: self.path.clone(), source }
    }

    fn damaged(&self, source: serde_json::Error) -> StoreError {
        StoreError::Damaged { path: self.path.clone(), source }
    }

    fn version(&self) -> Result<i64, StoreError> {
        let version = self.connection.query_row("PRAGMA user_version", [], |row| row.get(0));
        version.map_err(|source| self.failed("open", source))
    }

    pub fn record_run(&mut self, run: &RunRecord) -> Result<(), StoreError> {
        let outcome = serde_json::to_string(&run.outcome).map_err(|source| self.damaged(source))?;
        let Series { job, environment, length_s } = &run.series;
        let written = self.connection.execute(
            "INSERT OR REPLACE INTO run VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            params![
                job,
                environment,
                length_s,
                sortable(run.outcome.window_end),
                run.id,
                run.trigger,
                sortable(run.started_at),
                sortable(run.finished_at),
                run.profile_id,
                run.config_digest,
                run.report_uri,
                outcome
            ],
        );
        written.map(|_| ()).map_err(|source| self.failed("write to", source))
    }

    pub fn past_runs(&mut self, series: &Series, before: DateTime<Utc>, limit: u32) -> Result<Vec<PastRun>, StoreError> {
        let query = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self.connection.prepare(
                "SELECT outcome FROM run WHERE job = ?1 AND environment = ?2 AND length_s = ?3 AND window_end < ?4
                 ORDER BY window_end DESC LIMIT ?5",
            )?;
            let Series { job, environment, length_s } = series;
            let rows = statement.query_map(params![job, environment, length_s, sortable(before), limit], |row| row.get(0))?;
            rows.collect()
        };
        let outcomes = query().map_err(|source| self.failed("read", source))?;
        let runs = outcomes.iter().rev().map(|outcome| serde_json::from_str(outcome).map_err(|source| self.damaged(source)));
        runs.collect()
    }

    pub fn advance_signal(
        &mut self,
        series: &Series,
        name: SignalName,
        reading: &Reading,
        window_end: DateTime<Utc>,
    ) -> Result<Transition, StoreError> {
        let path = self.path.clone();
        let failed = |source| StoreError::Sqlite { action: "write to", path: path.clone(), source };
        let damaged = |source| StoreError::Damaged { path: path.clone(), source };
        let Series { job, environment, .. } = series;
        let (name, end) = (name.to_string(), sortable(window_end));
        let transaction = self.connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(failed)?;
        let stored: Option<(String, String)> = transaction
            .query_row(
                "SELECT window_end, state FROM signal WHERE job = ?1 AND environment = ?2 AND name = ?3",
                params![job, environment, name],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
            .map_err(failed)?;
        let before = match &stored {
            Some((last_end, _)) if *last_end > end => return Ok(Transition::None),
            Some((last_end, state)) => {
                let record: SignalRecord = serde_json::from_str(state).map_err(damaged)?;
                if *last_end == end { record.before } else { record.after }
            }
            None => None,
        };
        let (transition, after) = advance(before.clone(), reading);
        let state = serde_json::to_string(&SignalRecord { before, after }).map_err(damaged)?;
        transaction
            .execute("INSERT OR REPLACE INTO signal VALUES (?1, ?2, ?3, ?4, ?5)", params![job, environment, name, end, state])
            .map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(transition)
    }
}

/// A moment as text whose order is that of time.
fn sortable(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::decision::DatasetVerdict;
    use crate::decision::signal::SignalState;

    fn series() -> Series {
        Series { job: "ct-scan".to_owned(), environment: "test".to_owned(), length_s: 86_400 }
    }

    fn moment(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_769_817_600 + day * 86_400, 0).unwrap()
    }

    fn record(id: &str, day: i64) -> RunRecord {
        let verdict = DatasetVerdict::Stable;
        RunRecord {
            id: id.to_owned(),
            series: series(),
            trigger: "manual".to_owned(),
            started_at: moment(day),
            finished_at: moment(day),
            profile_id: "p".to_owned(),
            config_digest: "c".to_owned(),
            report_uri: String::new(),
            outcome: PastRun {
                window_start: Some(moment(day - 1)),
                window_end: moment(day),
                verdict,
                share: 0.125,
                rows: 7,
                features: BTreeMap::new(),
            },
        }
    }

    fn firing(value: f64) -> Reading {
        Reading { state: SignalState::Firing, value: Some(value), threshold: Some(0.3), n: 16 }
    }

    #[test]
    fn past_runs_come_oldest_first_and_end_before_the_moment() {
        let mut store = SqliteStore::prepare(":memory:", Connection::open_in_memory()).unwrap();
        for day in [3, 1, 2, 4] {
            store.record_run(&record("r", day)).unwrap();
        }
        let runs = store.past_runs(&series(), moment(4), 2).unwrap();
        assert_eq!(runs, [record("r", 2).outcome, record("r", 3).outcome]);
        let other = Series { length_s: 3_600, ..series() };
        assert_eq!(store.past_runs(&other, moment(9), 9).unwrap(), []);
    }

    #[test]
    fn the_same_window_is_recorded_once() {
        let mut store = SqliteStore::prepare(":memory:", Connection::open_in_memory()).unwrap();
        store.record_run(&record("first", 1)).unwrap();
        store.record_run(&record("second", 1)).unwrap();
        assert_eq!(store.past_runs(&series(), moment(9), 9).unwrap().len(), 1);
    }

    #[test]
    fn a_window_seen_twice_moves_a_signal_once() {
        let mut store = SqliteStore::prepare(":memory:", Connection::open_in_memory()).unwrap();
        let mut advance = |value, day| store.advance_signal(&series(), SignalName::DataDrift, &firing(value), moment(day)).unwrap();
        assert_eq!(advance(0.4, 1), Transition::Opened);
        assert_eq!(advance(0.4, 1), Transition::Opened);
        assert_eq!(advance(0.4, 2), Transition::Ongoing);
        assert_eq!(advance(0.9, 1), Transition::None);
        assert_eq!(advance(0.9, 3), Transition::Worsened);
    }

    #[test]
    fn a_newer_file_is_refused_and_reading_creates_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db").display().to_string();
        SqliteStore::open_read_only(&path).unwrap();
        assert!(!std::fs::exists(&path).unwrap());
        let store = SqliteStore::open(&path).unwrap();
        store.connection.pragma_update(None, "user_version", VERSION + 1).unwrap();
        drop(store);
        assert!(matches!(SqliteStore::open(&path), Err(StoreError::Newer { found: 2, .. })));
        assert!(matches!(SqliteStore::open_read_only(&path), Err(StoreError::Newer { .. })));
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        std::fs::write(&path, "not a database, but long enough to look like a file of one ".repeat(20)).unwrap();
        assert!(matches!(SqliteStore::open(&path.display().to_string()), Err(StoreError::Sqlite { .. })));
    }
}
