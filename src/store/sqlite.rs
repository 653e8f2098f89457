//! The embedded store: one SQLite file.

mod feedback;
mod label;
mod migration;
mod outbox;
mod promotion;
mod run;
mod silence;

use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::de::DeserializeOwned;
use std::time::Duration;

use super::lifecycle::{SignalRecord, StoredSignal, Taken, expiry, replay};
use super::outbox::{Draft, MessageKey};
use super::{Series, SignalStanding, Step, StoreError};
use crate::decision::signal::Moved;
pub use feedback::SqliteFeedback;
use migration::{VERSION, migrate};

/// How long the service may hold the file of its feedback before we give up.
const BUSY: Duration = Duration::from_secs(10);

/// Pages of an older file that are copied at a time.
const PAGES_AT_A_TIME: i32 = 1_024;

/// A connection to the file.
#[derive(Debug)]
pub struct SqliteStore {
    connection: Connection,
    path: String,
    /// How long is still waited, over all calls, for others who hold the file: who holds it must not hang the run once a call.
    patience: Duration,
}

impl SqliteStore {
    pub fn open(path: &str, patience: Duration) -> Result<Self, StoreError> {
        Self::prepare(path, Connection::open(path), patience)
    }

    /// A file that is not there is an empty store in memory: nothing is created.
    pub fn open_read_only(path: &str, patience: Duration) -> Result<Self, StoreError> {
        if std::fs::exists(path).unwrap_or(false) {
            let store = Self::connect(path, Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY), patience)?;
            // An older file is read by a copy of it in memory that is brought up to date: nothing is written where it lies.
            if store.version()? > 0 {
                return store.upgraded_copy();
            }
        }
        Self::prepare(path, Connection::open_in_memory(), patience)
    }

    fn connect(path: &str, connection: rusqlite::Result<Connection>, patience: Duration) -> Result<Self, StoreError> {
        let error = |source| StoreError::Sqlite { action: "open", path: path.to_owned(), source };
        let connection = connection.map_err(error)?;
        connection.busy_timeout(patience).map_err(error)?;
        let store = Self { connection, path: path.to_owned(), patience };
        match store.version()? {
            found if found > VERSION => Err(StoreError::Newer { path: path.to_owned(), found, supported: VERSION }),
            _ => Ok(store),
        }
    }

    fn prepare(path: &str, connection: rusqlite::Result<Connection>, patience: Duration) -> Result<Self, StoreError> {
        let mut store = Self::connect(path, connection, patience)?;
        if store.version()? < VERSION {
            migrate(&mut store.connection).map_err(|source| store.failed("create", source))?;
        }
        Ok(store)
    }

    /// Itself when it is up to date; a copy in memory that is, when not.
    fn upgraded_copy(self) -> Result<Self, StoreError> {
        if self.version()? == VERSION {
            return Ok(self);
        }
        let copy = || -> rusqlite::Result<Connection> {
            let mut copy = Connection::open_in_memory()?;
            rusqlite::backup::Backup::new(&self.connection, &mut copy)?.run_to_completion(PAGES_AT_A_TIME, Duration::ZERO, None)?;
            Ok(copy)
        };
        Self::prepare(&self.path, copy(), self.patience)
    }

    /// A call has failed after so long: what it waited for others is not waited again.
    pub fn waited(&mut self, waited: Duration, error: &StoreError) {
        let is_busy = |source: &rusqlite::Error| matches!(source.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
        if matches!(error, StoreError::Sqlite { source, .. } if is_busy(source)) {
            self.patience = self.patience.saturating_sub(waited);
            // Without it, the next call waits as long as before, which is no error of its own.
            drop(self.connection.busy_timeout(self.patience));
        }
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

    /// A transaction that may write from its start on.
    fn begin(&mut self) -> Result<Transaction<'_>, StoreError> {
        let path = &self.path;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        transaction.map_err(|source| StoreError::Sqlite { action: "write to", path: path.clone(), source })
    }

    /// Writes in a transaction that is rolled back.
    pub fn probe(&mut self) -> Result<(), StoreError> {
        let path = self.path.clone();
        let transaction = self.begin()?;
        let written = transaction.execute(
            "INSERT INTO silence (job, environment, signal, created_at, until, reason, expire_at) VALUES ('', '', '', '', '', '', '')",
            [],
        );
        let probed = written.and_then(|_| transaction.rollback());
        probed.map_err(|source| StoreError::Sqlite { action: "write to", path, source })
    }

    pub fn advance_signal(&mut self, step: &Step, messages: &dyn Fn(&Moved) -> Vec<Draft>) -> Result<Moved, StoreError> {
        let path = self.path.clone();
        let failed = |source| StoreError::Sqlite { action: "write to", path: path.clone(), source };
        let damaged = |source| StoreError::Damaged { path: path.clone(), source };
        let Series { job, environment, length_s } = &step.series;
        let transaction = self.begin()?;
        let stored = stored_signal(&transaction, step, &path)?;
        let Some(Taken { moved, record, revision }) = replay(stored, step) else { return Ok(Moved::NOWHERE) };
        let state = serde_json::to_string(&record).map_err(damaged)?;
        let (end, expire_at) = (sortable(step.window_end), sortable(expiry(step.window_end, step.now)));
        transaction
            .execute(
                "INSERT OR REPLACE INTO signal (job, environment, length_s, name, window_end, state, expire_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![job, environment, length_s, step.name.to_string(), end, state, expire_at],
            )
            .map_err(failed)?;
        if moved.tells.is_some() {
            for draft in messages(&moved) {
                let key = MessageKey::new(step, revision, moved.transition, &draft.channel);
                outbox::create(&transaction, step, &key, &draft).map_err(failed)?;
            }
        }
        transaction.commit().map_err(failed)?;
        Ok(moved)
    }

    pub fn signals(&mut self, series: &Series, now: DateTime<Utc>) -> Result<Vec<SignalStanding>, StoreError> {
        let query = || -> rusqlite::Result<Vec<[String; 3]>> {
            let mut statement = self.connection.prepare(
                "SELECT name, window_end, state FROM signal WHERE job = ?1 AND environment = ?2 AND length_s = ?3 AND expire_at > ?4",
            )?;
            let Series { job, environment, length_s } = series;
            let rows = statement
                .query_map(params![job, environment, length_s, sortable(now)], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?]))?;
            rows.collect()
        };
        let rows = query().map_err(|source| self.failed("read", source))?;
        let signals = rows.into_iter().map(|[name, window_end, state]| {
            let record: SignalRecord = serde_json::from_str(&state)?;
            Ok(record.standing(from_text(name)?, from_text(window_end)?))
        });
        let mut signals: Vec<SignalStanding> = signals.collect::<Result<_, _>>().map_err(|source| self.damaged(source))?;
        signals.sort_by_key(|signal| signal.name);
        Ok(signals)
    }

    pub fn preview_signal(&mut self, step: &Step) -> Result<Moved, StoreError> {
        let stored = stored_signal(&self.connection, step, &self.path)?;
        Ok(replay(stored, step).map_or(Moved::NOWHERE, |taken| taken.moved))
    }
}

/// What to do about a failure, in brackets; nothing where it has no name.
pub(super) fn remedy(error: &rusqlite::Error) -> &'static str {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            " (another process holds it: run again when that is over; store.timeout says how long to wait)"
        }
        Some(ErrorCode::DiskFull) => " (its disk is full: make room and run again)",
        Some(ErrorCode::SystemIoFailure) => " (its disk cannot be read or written: see whether it is full, and run again)",
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => " (let the job write to the file and to its folder)",
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            " (move the file away, with what it remembers, or set another store.path)"
        }
        Some(ErrorCode::CannotOpen) => {
            " (store.path must be a file, in a folder that the job may write to, on a disk with room left)"
        }
        _ => "",
    }
}

fn stored_signal(connection: &Connection, step: &Step, path: &str) -> Result<Option<StoredSignal>, StoreError> {
    let Series { job, environment, length_s } = &step.series;
    let stored: Option<(String, String, String)> = connection
        .query_row(
            "SELECT window_end, state, expire_at FROM signal WHERE job = ?1 AND environment = ?2 AND length_s = ?3 AND name = ?4",
            params![job, environment, length_s, step.name.to_string()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()
        .map_err(|source| StoreError::Sqlite { action: "read", path: path.to_owned(), source })?;
    let stored = stored.map(|(window_end, state, expire_at)| {
        Ok(StoredSignal {
            window_end: from_text(window_end)?,
            record: serde_json::from_str(&state)?,
            expire_at: from_text(expire_at)?,
        })
    });
    stored.transpose().map_err(|source| StoreError::Damaged { path: path.to_owned(), source })
}

/// What is kept as plain text: a moment, or a word of a closed set.
fn from_text<T: DeserializeOwned>(text: String) -> Result<T, serde_json::Error> {
    serde_json::from_value(serde_json::Value::String(text))
}

/// A moment as text whose order is that of time.
fn sortable(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use super::migration::MIGRATIONS;
    use super::*;
    use crate::decision::signal::{Reading, Rules, SignalName, SignalState, Telling, Transition};

    #[test]
    fn a_newer_file_is_refused_and_reading_creates_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db").display().to_string();
        SqliteStore::open_read_only(&path, BUSY).unwrap();
        assert!(!std::fs::exists(&path).unwrap());
        let store = SqliteStore::open(&path, BUSY).unwrap();
        store.connection.pragma_update(None, "user_version", VERSION + 1).unwrap();
        drop(store);
        assert!(matches!(SqliteStore::open(&path, BUSY), Err(StoreError::Newer { found: 5, .. })));
        assert!(matches!(SqliteStore::open_read_only(&path, BUSY), Err(StoreError::Newer { .. })));
    }

    #[test]
    fn an_older_file_is_brought_up_to_date_with_all_that_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db").display().to_string();
        let old = Connection::open(&path).unwrap();
        old.execute_batch(MIGRATIONS[0]).unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        let outcome =
            r#"{"window_start":null,"window_end":"2026-01-31T18:00:00Z","verdict":"stable","share":0.0,"rows":1,"features":{}}"#;
        let end = "2026-01-31T18:00:00.000000Z";
        let values = params!["j", "e", 60, end, "i", "t", end, end, "p", "c", "r", outcome];
        old.execute("INSERT INTO run VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)", values).unwrap();
        let state = r#"{"before":null,"after":{"worst":0.4}}"#;
        old.execute("INSERT INTO signal VALUES ('j', 'e', 'data-drift', ?1, ?2)", params![end, state]).unwrap();
        drop(old);
        let series = Series { job: "j".to_owned(), environment: "e".to_owned(), length_s: 60 };
        let later = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        assert_eq!(SqliteStore::open_read_only(&path, BUSY).unwrap().runs(&series, later, 9).unwrap().len(), 1, "without a change");
        assert_eq!(Connection::open(&path).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)), Ok(1));
        let mut store = SqliteStore::open(&path, BUSY).unwrap();
        assert_eq!(store.runs(&series, later, 9).unwrap().len(), 1);
        let expire_at: String = store.connection.query_row("SELECT expire_at FROM run", [], |row| row.get(0)).unwrap();
        assert_eq!(expire_at, "2026-05-01T18:00:00.000000Z");
        assert_eq!(store.version().unwrap(), VERSION);
        let window_end = DateTime::from_timestamp(1_769_968_800, 0).unwrap();
        let reading = Reading { state: SignalState::Firing, value: Some(0.4), threshold: Some(0.3), n: 16, interval: None };
        let rules = Rules { open_after: 1, close_after: 1, repeat: None, telling: Telling::Send };
        let step = Step { series, name: SignalName::DataDrift, reading, rules, window_end, now: window_end };
        let moved = store.advance_signal(&step, &|_| Vec::new()).unwrap();
        assert_eq!(moved.transition, Transition::Opened, "nobody was told before");
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db");
        std::fs::write(&path, "not a database, but long enough to look like a file of one ".repeat(20)).unwrap();
        assert!(matches!(SqliteStore::open(&path.display().to_string(), BUSY), Err(StoreError::Sqlite { .. })));
    }

    #[test]
    fn who_holds_the_file_is_waited_for_once_and_not_once_a_call() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.db").display().to_string();
        let patience = Duration::from_millis(300);
        let mut store = SqliteStore::open(&path, patience).unwrap();
        let other = Connection::open(&path).unwrap();
        other.execute_batch("BEGIN EXCLUSIVE").unwrap();
        let began = std::time::Instant::now();
        for _ in 0..5 {
            let called = std::time::Instant::now();
            let error = store.begin().map(drop).unwrap_err();
            store.waited(called.elapsed(), &error);
            assert!(error.to_string().contains("another process holds it"), "{error}");
        }
        assert!((patience..patience * 4).contains(&began.elapsed()), "{:?}", began.elapsed());
    }
}
