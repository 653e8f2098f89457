//! The service's feedback table in SQLite, opened for reading only.

use rusqlite::{Connection, ErrorCode, OpenFlags, Row, params};

use super::BUSY;
use crate::store::feedback::{FeedbackCounts, FeedbackError, Period};

/// The service's database file.
#[derive(Clone, Debug)]
pub struct SqliteFeedback {
    path: String,
}

/// The rows of a period. Those whose timestamp is no time have no second and are in no period.
const OF_PERIOD: &str =
    "FROM feedback WHERE typeof(timestamp) = 'text' AND unixepoch(timestamp) >= ?1 AND unixepoch(timestamp) < ?2";

impl SqliteFeedback {
    pub fn new(path: String) -> Self {
        Self { path }
    }

    pub fn counts(&self, period: Period) -> Result<FeedbackCounts, FeedbackError> {
        // A boolean of Python is kept as 0 or 1.
        let counts = "COUNT(*) FILTER (WHERE is_correct IN (0, 1)), COUNT(*) FILTER (WHERE is_correct = 1)";
        self.select(counts, period, |row| {
            let count = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
            Ok(FeedbackCounts { labelled: count(0)?, correct: count(1)? })
        })
    }

    pub fn mean_confidence(&self, period: Period) -> Result<Option<f64>, FeedbackError> {
        let mean = "AVG(predicted_confidence) FILTER (WHERE typeof(predicted_confidence) IN ('real', 'integer'))";
        self.select(mean, period, |row| row.get(0))
    }

    pub fn size_bytes(&self) -> Result<u64, FeedbackError> {
        let no_file = |_| FeedbackError::NoFile { path: self.path.clone() };
        std::fs::metadata(&self.path).map(|metadata| metadata.len()).map_err(no_file)
    }

    fn select<T>(
        &self,
        what: &str,
        period: Period,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, FeedbackError> {
        let path = &self.path;
        if !std::fs::exists(path).unwrap_or(false) {
            return Err(FeedbackError::NoFile { path: path.clone() });
        }
        let failed = |source| FeedbackError::Sqlite { path: path.clone(), source };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        let mut statement = connection.prepare(&format!("SELECT {what} {OF_PERIOD}")).map_err(|source| match &source {
            // "no such column", and "no such table", which has no code of its own.
            rusqlite::Error::SqlInputError { .. } => FeedbackError::NoTable { path: path.clone(), source },
            other if other.sqlite_error_code() == Some(ErrorCode::Unknown) => FeedbackError::NoTable { path: path.clone(), source },
            _ => failed(source),
        })?;
        let [start, end] = period.seconds();
        statement.query_row(params![start, end], read).map_err(failed)
    }
}
