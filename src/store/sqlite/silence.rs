//! Silences in the embedded store.

use rusqlite::params;

use super::{SqliteStore, from_text, sortable};
use crate::store::lifecycle::expiry;
use crate::store::{Scope, Silence, StoreError};

impl SqliteStore {
    pub fn silence(&mut self, silence: &Silence) -> Result<(), StoreError> {
        let Silence { scope, signal, created_at, until, reason } = silence;
        let written = self.connection.execute(
            "INSERT OR REPLACE INTO silence (job, environment, signal, created_at, until, reason, expire_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                scope.job,
                scope.environment,
                signal.to_string(),
                sortable(*created_at),
                sortable(*until),
                reason,
                sortable(expiry(*until, *created_at))
            ],
        );
        written.map(|_| ()).map_err(|source| self.failed("write to", source))
    }

    pub fn silences(&mut self, scope: &Scope) -> Result<Vec<Silence>, StoreError> {
        type Columns = (String, String, String, String);
        let query = || -> rusqlite::Result<Vec<Columns>> {
            let mut statement = self.connection.prepare(
                "SELECT signal, created_at, until, reason FROM silence WHERE job = ?1 AND environment = ?2 ORDER BY created_at DESC, signal",
            )?;
            let rows = statement
                .query_map(params![scope.job, scope.environment], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
            rows.collect()
        };
        let rows = query().map_err(|source| self.failed("read", source))?;
        let silences = rows.into_iter().map(|(signal, created_at, until, reason)| {
            let (signal, created_at, until) = (from_text(signal)?, from_text(created_at)?, from_text(until)?);
            Ok(Silence { scope: scope.clone(), signal, created_at, until, reason })
        });
        silences.collect::<Result<_, _>>().map_err(|source| self.damaged(source))
    }
}
