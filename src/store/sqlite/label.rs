//! Labels in the embedded store.

use rusqlite::params;

use super::{SqliteStore, from_text, sortable};
use crate::decision::label::Label;
use crate::feature::FeatureName;
use crate::store::lifecycle::evidence_expiry;
use crate::store::{LabelRecord, Scope, StoreError};

impl SqliteStore {
    pub fn label(&mut self, record: &LabelRecord) -> Result<(), StoreError> {
        let LabelRecord { scope, label, created_at, reason } = record;
        let written = self.connection.execute(
            "INSERT OR REPLACE INTO label (job, environment, feature, from_moment, to_moment, truth, created_at, reason, expire_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                scope.job,
                scope.environment,
                label.subject(),
                sortable(label.from),
                sortable(label.to),
                label.truth.to_string(),
                sortable(*created_at),
                reason,
                sortable(evidence_expiry(label.to, *created_at))
            ],
        );
        written.map(|_| ()).map_err(|source| self.failed("write to", source))
    }

    pub fn unlabel(&mut self, scope: &Scope, label: &Label) -> Result<(), StoreError> {
        let deleted = self.connection.execute(
            "DELETE FROM label WHERE job = ?1 AND environment = ?2 AND feature = ?3 AND from_moment = ?4 AND to_moment = ?5",
            params![scope.job, scope.environment, label.subject(), sortable(label.from), sortable(label.to)],
        );
        deleted.map(|_| ()).map_err(|source| self.failed("write to", source))
    }

    pub fn labels(&mut self, scope: &Scope) -> Result<Vec<LabelRecord>, StoreError> {
        type Columns = (String, String, String, String, String, String);
        let query = || -> rusqlite::Result<Vec<Columns>> {
            let mut statement = self.connection.prepare(
                "SELECT truth, from_moment, to_moment, feature, created_at, reason FROM label WHERE job = ?1 AND environment = ?2
                 ORDER BY from_moment, to_moment, feature",
            )?;
            let rows = statement.query_map(params![scope.job, scope.environment], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
            })?;
            rows.collect()
        };
        let rows = query().map_err(|source| self.failed("read", source))?;
        let records = rows.into_iter().map(|(truth, from, to, feature, created_at, reason)| {
            let feature = (!feature.is_empty()).then(|| FeatureName::new(&feature));
            let label = Label { truth: from_text(truth)?, from: from_text(from)?, to: from_text(to)?, feature };
            Ok(LabelRecord { scope: scope.clone(), label, created_at: from_text(created_at)?, reason })
        });
        records.collect::<Result<_, _>>().map_err(|source| self.damaged(source))
    }
}
