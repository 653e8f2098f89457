//! The state store: past runs and the states of signals.
//!
//! What every store guarantees: a run is recorded once per job, environment, length and end of its window, the newest record
//! counting; a signal's state changes in a transaction, and the same window seen twice changes it once.

pub mod sqlite;

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::decision::signal::{Reading, SignalName, Transition};
use crate::report::PastRun;
use sqlite::SqliteStore;

/// Why the store could not do what was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error(
        "the state store `{path}` is of version {found}, newer than this drift-check (version {supported}): use the newer program, or another store.path"
    )]
    Newer { path: String, found: i64, supported: i64 },
    #[error("cannot {action} the state store `{path}`")]
    Sqlite { action: &'static str, path: String, source: rusqlite::Error },
    #[error("the state store `{path}` holds a record that cannot be read")]
    Damaged { path: String, source: serde_json::Error },
    #[error("store.kind = \"firestore\": this version has the kind \"sqlite\" only")]
    Unsupported,
}

/// Which runs belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    pub job: String,
    pub environment: String,
    /// Of the window; 0 when the logs have no timestamp.
    pub length_s: i64,
}

/// A run that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    pub id: String,
    pub series: Series,
    pub trigger: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub profile_id: String,
    pub config_digest: String,
    /// Empty for a window that was computed for the trend only.
    pub report_uri: String,
    pub outcome: PastRun,
}

/// A store of one of the supported kinds.
#[derive(Clone, Debug)]
pub enum StateStore {
    Sqlite(Arc<Mutex<SqliteStore>>),
}

impl StateStore {
    /// Opens the embedded store, and creates it where it is missing.
    pub async fn sqlite(path: String) -> Result<Self, StoreError> {
        Self::wrap(move || SqliteStore::open(&path)).await
    }

    /// Opens the embedded store for reading only; an empty one in memory where it is missing.
    pub async fn sqlite_read_only(path: String) -> Result<Self, StoreError> {
        Self::wrap(move || SqliteStore::open_read_only(&path)).await
    }

    async fn wrap(open: impl FnOnce() -> Result<SqliteStore, StoreError> + Send + 'static) -> Result<Self, StoreError> {
        Ok(Self::Sqlite(Arc::new(Mutex::new(blocking(open).await?))))
    }

    /// Records a run, over an earlier one of the same window.
    pub async fn record_run(&self, run: RunRecord) -> Result<(), StoreError> {
        self.with(move |store| store.record_run(&run)).await
    }

    /// The newest runs of a series whose window ended before `before`, the oldest first, at most `limit`.
    pub async fn past_runs(&self, series: Series, before: DateTime<Utc>, limit: u32) -> Result<Vec<PastRun>, StoreError> {
        self.with(move |store| store.past_runs(&series, before, limit)).await
    }

    /// Moves a signal on by the reading of the window that ended at `window_end`.
    ///
    /// The same window again gives the same transition and changes nothing more; an older window changes nothing.
    pub async fn advance_signal(
        &self,
        series: Series,
        name: SignalName,
        reading: Reading,
        window_end: DateTime<Utc>,
    ) -> Result<Transition, StoreError> {
        self.with(move |store| store.advance_signal(&series, name, &reading, window_end)).await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SqliteStore) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match self {
            Self::Sqlite(store) => {
                let store = Arc::clone(store);
                // A panic in another call leaves the connection as its last transaction left it.
                blocking(move || work(&mut store.lock().unwrap_or_else(PoisonError::into_inner))).await
            }
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, StoreError> + Send + 'static) -> Result<T, StoreError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // The task is never cancelled; if it panicked, so do we, where the panic can be seen.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
