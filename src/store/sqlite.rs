//! The embedded store: one SQLite file.

mod feedback;
mod outbox;
mod silence;

use chrono::{DateTime, SecondsFormat, Utc};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::de::DeserializeOwned;
use std::time::Duration;

use super::lifecycle::{StoredSignal, Taken, expiry, replay};
use super::outbox::{Draft, MessageKey};
use super::{RunRecord, Series, Step, StoreError};
use crate::decision::signal::Moved;
use crate::report::PastRun;
pub use feedback::SqliteFeedback;

/// The version of the tables. A newer file is refused, an older one is brought up to date.
const VERSION: i64 = 3;

/// How long the service may hold the file of its feedback before we give up.
const BUSY: Duration = Duration::from_secs(10);

/// Pages of an older file that are copied at a time.
const PAGES_AT_A_TIME: i32 = 1_024;

/// What leads from each version to the next, from an empty file on. Moments are UTC in RFC 3339 with microseconds.
const MIGRATIONS: [&str; 3] = [
    "
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
",
    // A signal belongs to a length of window: that of the run that moved it last. due_at is null once a message is delivered.
    "
ALTER TABLE run ADD COLUMN expire_at TEXT NOT NULL DEFAULT '';
UPDATE run SET expire_at = strftime('%Y-%m-%dT%H:%M:%S.000000Z', finished_at, '+90 days');
ALTER TABLE signal RENAME TO signal_of_any_length;
CREATE TABLE signal (
    job TEXT NOT NULL, environment TEXT NOT NULL, length_s INTEGER NOT NULL, name TEXT NOT NULL, window_end TEXT NOT NULL,
    state TEXT NOT NULL, expire_at TEXT NOT NULL,
    PRIMARY KEY (job, environment, length_s, name)
) STRICT;
INSERT INTO signal SELECT job, environment, length_s, name, window_end, state, strftime('%Y-%m-%dT%H:%M:%S.000000Z', 'now', '+90 days')
    FROM signal_of_any_length JOIN run USING (job, environment, window_end);
DROP TABLE signal_of_any_length;
CREATE TABLE outbox (
    job TEXT NOT NULL, environment TEXT NOT NULL, length_s INTEGER NOT NULL, signal TEXT NOT NULL, window_end TEXT NOT NULL,
    transition TEXT NOT NULL, channel TEXT NOT NULL, payload TEXT NOT NULL, payload_version INTEGER NOT NULL, created_at TEXT NOT NULL, due_at TEXT,
    attempts INTEGER NOT NULL, claimed_by TEXT, error_kind TEXT, delivered_at TEXT, expire_at TEXT NOT NULL,
    PRIMARY KEY (job, environment, length_s, signal, window_end, transition, channel)
) STRICT;
CREATE INDEX outbox_due ON outbox (job, environment, due_at) WHERE due_at IS NOT NULL;
",
    // Until now no message was ever made or sent, so that nobody knows of an open signal: signals begin anew, in a form that remembers who
    // was told, and messages tell the readings of one window apart. The first files of version 2 had signals of any length: both tables are
    // made anew, whatever they were.
    "
DROP TABLE signal;
CREATE TABLE signal (
    job TEXT NOT NULL, environment TEXT NOT NULL, length_s INTEGER NOT NULL, name TEXT NOT NULL, window_end TEXT NOT NULL,
    state TEXT NOT NULL, expire_at TEXT NOT NULL,
    PRIMARY KEY (job, environment, length_s, name)
) STRICT;
DROP TABLE outbox;
CREATE TABLE outbox (
    job TEXT NOT NULL, environment TEXT NOT NULL, length_s INTEGER NOT NULL, signal TEXT NOT NULL, window_end TEXT NOT NULL,
    revision INTEGER NOT NULL, transition TEXT NOT NULL, channel TEXT NOT NULL, payload TEXT NOT NULL, payload_version INTEGER NOT NULL,
    created_at TEXT NOT NULL, due_at TEXT, attempts INTEGER NOT NULL, claimed_by TEXT, error_kind TEXT, delivered_at TEXT, expire_at TEXT NOT NULL,
    PRIMARY KEY (job, environment, length_s, signal, window_end, revision, transition, channel)
) STRICT;
CREATE INDEX outbox_due ON outbox (job, environment, due_at) WHERE due_at IS NOT NULL;
CREATE TABLE silence (
    job TEXT NOT NULL, environment TEXT NOT NULL, signal TEXT NOT NULL, created_at TEXT NOT NULL, until TEXT NOT NULL,
    reason TEXT NOT NULL, expire_at TEXT NOT NULL,
    PRIMARY KEY (job, environment, signal, created_at)
) STRICT;
",
];

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

    /// Records the run, and deletes what has expired.
    pub fn record_run(&mut self, run: &RunRecord) -> Result<(), StoreError> {
        let outcome = serde_json::to_string(&run.outcome).map_err(|source| self.damaged(source))?;
        let path = self.path.clone();
        let failed = |source| StoreError::Sqlite { action: "write to", path: path.clone(), source };
        let Series { job, environment, length_s } = &run.series;
        let transaction = self.begin()?;
        let written = transaction.execute(
            "INSERT OR REPLACE INTO run (job, environment, length_s, window_end, id, trigger, started_at, finished_at, profile_id,
             config_digest, report_uri, outcome, expire_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
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
                outcome,
                sortable(expiry(run.outcome.window_end, run.finished_at))
            ],
        );
        written.map_err(failed)?;
        for table in ["run", "signal", "outbox", "silence"] {
            let deleted =
                transaction.execute(&format!("DELETE FROM {table} WHERE expire_at <= ?1"), params![sortable(run.finished_at)]);
            deleted.map_err(failed)?;
        }
        transaction.commit().map_err(failed)
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

/// Brings the tables up to date, from whatever version they are of.
fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been faster.
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let done = usize::try_from(version).unwrap_or(0);
    for step in MIGRATIONS.iter().skip(done) {
        transaction.execute_batch(step)?;
    }
    if version < VERSION {
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()
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
        assert!(matches!(SqliteStore::open(&path, BUSY), Err(StoreError::Newer { found: 4, .. })));
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
        assert_eq!(
            SqliteStore::open_read_only(&path, BUSY).unwrap().past_runs(&series, later, 9).unwrap().len(),
            1,
            "without a change"
        );
        assert_eq!(Connection::open(&path).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)), Ok(1));
        let mut store = SqliteStore::open(&path, BUSY).unwrap();
        assert_eq!(store.past_runs(&series, later, 9).unwrap().len(), 1);
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
