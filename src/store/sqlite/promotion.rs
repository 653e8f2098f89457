//! Promotions in the embedded store.

use rusqlite::params;

use super::{SqliteStore, from_text, sortable};
use crate::store::lifecycle::evidence_expiry;
use crate::store::{Promotion, Scope, StoreError};

impl SqliteStore {
    pub fn promote(&mut self, promotion: &Promotion) -> Result<(), StoreError> {
        let Promotion { scope, signal, created_at, refusal, reason } = promotion;
        let written = self.connection.execute(
            "INSERT OR REPLACE INTO promotion (job, environment, signal, created_at, refusal, reason, expire_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                scope.job,
                scope.environment,
                signal.to_string(),
                sortable(*created_at),
                refusal,
                reason,
                sortable(evidence_expiry(*created_at, *created_at))
            ],
        );
        written.map(|_| ()).map_err(|source| self.failed("write to", source))
    }

    pub fn promotions(&mut self, scope: &Scope) -> Result<Vec<Promotion>, StoreError> {
        let query = || -> rusqlite::Result<Vec<[String; 4]>> {
            let mut statement = self.connection.prepare(
                "SELECT signal, created_at, refusal, reason FROM promotion WHERE job = ?1 AND environment = ?2
                 ORDER BY created_at DESC, signal",
            )?;
            let rows = statement
                .query_map(params![scope.job, scope.environment], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
            rows.collect()
        };
        let rows = query().map_err(|source| self.failed("read", source))?;
        let promotions = rows.into_iter().map(|[signal, created_at, refusal, reason]| {
            let (signal, created_at) = (from_text(signal)?, from_text(created_at)?);
            Ok(Promotion { scope: scope.clone(), signal, created_at, refusal, reason })
        });
        promotions.collect::<Result<_, _>>().map_err(|source| self.damaged(source))
    }
}
