//! Runs in the embedded store.

use chrono::{DateTime, Utc};
use rusqlite::{Row, params};

use super::{SqliteStore, from_text, sortable};
use crate::store::lifecycle::evidence_expiry;
use crate::store::{RunRecord, Series, StoreError};

/// A run as it is stored, all of it text.
struct Columns([String; 9]);

impl Columns {
    const NAMES: &str = "id, trigger, started_at, finished_at, profile_id, config_digest, report_uri, outcome, signals";

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self([
            row.get(0)?,
            row.get(1)?,
            row.get(2)?,
            row.get(3)?,
            row.get(4)?,
            row.get(5)?,
            row.get(6)?,
            row.get(7)?,
            row.get(8)?,
        ]))
    }

    fn record(self, series: &Series) -> Result<RunRecord, serde_json::Error> {
        let Self([id, trigger, started_at, finished_at, profile_id, config_digest, report_uri, outcome, signals]) = self;
        Ok(RunRecord {
            id,
            series: series.clone(),
            trigger,
            started_at: from_text(started_at)?,
            finished_at: from_text(finished_at)?,
            profile_id,
            config_digest,
            report_uri,
            outcome: serde_json::from_str(&outcome)?,
            signals: serde_json::from_str(&signals)?,
        })
    }
}

impl SqliteStore {
    /// Records the run, and deletes what has expired.
    pub fn record_run(&mut self, run: &RunRecord) -> Result<(), StoreError> {
        let outcome = serde_json::to_string(&run.outcome).map_err(|source| self.damaged(source))?;
        let signals = serde_json::to_string(&run.signals).map_err(|source| self.damaged(source))?;
        let path = self.path.clone();
        let failed = |source| StoreError::Sqlite { action: "write to", path: path.clone(), source };
        let Series { job, environment, length_s } = &run.series;
        let transaction = self.begin()?;
        let written = transaction.execute(
            "INSERT OR REPLACE INTO run (job, environment, length_s, window_end, id, trigger, started_at, finished_at, profile_id,
             config_digest, report_uri, outcome, expire_at, signals)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
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
                sortable(evidence_expiry(run.outcome.window_end, run.finished_at)),
                signals
            ],
        );
        written.map_err(failed)?;
        for table in ["run", "signal", "outbox", "silence", "label", "promotion"] {
            let deleted =
                transaction.execute(&format!("DELETE FROM {table} WHERE expire_at <= ?1"), params![sortable(run.finished_at)]);
            deleted.map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }

    pub fn runs(&mut self, series: &Series, before: DateTime<Utc>, limit: u32) -> Result<Vec<RunRecord>, StoreError> {
        let query = || -> rusqlite::Result<Vec<Columns>> {
            let mut statement = self.connection.prepare(&format!(
                "SELECT {} FROM run WHERE job = ?1 AND environment = ?2 AND length_s = ?3 AND window_end < ?4
                 ORDER BY window_end DESC LIMIT ?5",
                Columns::NAMES
            ))?;
            let Series { job, environment, length_s } = series;
            let rows = statement.query_map(params![job, environment, length_s, sortable(before), limit], Columns::read)?;
            rows.collect()
        };
        let rows = query().map_err(|source| self.failed("read", source))?;
        let runs = rows.into_iter().rev().map(|row| row.record(series).map_err(|source| self.damaged(source)));
        runs.collect()
    }
}
