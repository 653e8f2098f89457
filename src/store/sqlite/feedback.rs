//! The service's feedback table in SQLite, opened for reading only.

use rusqlite::{Connection, ErrorCode, OpenFlags, params};

use super::BUSY;
use crate::store::feedback::{FeedbackError, FeedbackSummary, Period};

/// The service's database file.
#[derive(Clone, Debug)]
pub struct SqliteFeedback {
    path: String,
}

/// A boolean of Python is kept as 0 or 1. Rows whose timestamp is no time have no second and are in no period.
const SUMMARY: &str = "
SELECT COUNT(*) FILTER (WHERE is_correct IN (0, 1)), COUNT(*) FILTER (WHERE is_correct = 1),
       AVG(predicted_confidence) FILTER (WHERE typeof(predicted_confidence) IN ('real', 'integer'))
FROM feedback WHERE typeof(timestamp) = 'text' AND unixepoch(timestamp) >= ?1 AND unixepoch(timestamp) < ?2";

impl SqliteFeedback {
    pub fn new(path: String) -> Self {
        Self { path }
    }

    pub fn summary(&self, period: Period) -> Result<FeedbackSummary, FeedbackError> {
        let path = &self.path;
        if !std::fs::exists(path).unwrap_or(false) {
            return Err(FeedbackError::NoFile { path: path.clone() });
        }
        let failed = |source| FeedbackError::Sqlite { path: path.clone(), source };
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        let mut statement = connection.prepare(SUMMARY).map_err(|source| match source.sqlite_error_code() {
            // "no such table" and "no such column" have no code of their own.
            Some(ErrorCode::Unknown) => FeedbackError::NoTable { path: path.clone(), source },
            _ => failed(source),
        })?;
        let [start, end] = period.seconds();
        let row = statement.query_row(params![start, end], |row| {
            let count = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
            Ok(FeedbackSummary { labelled: count(0)?, correct: count(1)?, mean_confidence: row.get(2)? })
        });
        row.map_err(failed)
    }
}
