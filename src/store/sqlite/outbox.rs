//! The outbox in the embedded store.

use chrono::{DateTime, Utc};
use rusqlite::{Transaction, params};

use super::{SqliteStore, from_text, sortable};
use crate::decision::signal::Transition;
use crate::store::lifecycle::expiry;
use crate::store::outbox::{Claim, ClaimRequest, Draft, MessageKey};
use crate::store::{Scope, Step, StoreError};

/// Creates the message, unless it exists.
pub(super) fn create(transaction: &Transaction<'_>, step: &Step, transition: Transition, draft: &Draft) -> rusqlite::Result<()> {
    let key = MessageKey::new(step, transition, &draft.channel);
    let now = sortable(step.now);
    transaction.execute(
        "INSERT OR IGNORE INTO outbox (job, environment, length_s, signal, window_end, transition, channel, payload, payload_version,
         created_at, due_at, attempts, expire_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?10, 0, ?11)",
        params![
            key.scope.job,
            key.scope.environment,
            key.length_s,
            key.signal.to_string(),
            sortable(key.window_end),
            key.transition.to_string(),
            key.channel,
            draft.payload.to_string(),
            draft.payload_version,
            now,
            sortable(expiry(step.window_end, step.now))
        ],
    )?;
    Ok(())
}

/// A message as it is stored.
struct Row {
    id: i64,
    length_s: i64,
    signal: String,
    window_end: String,
    transition: String,
    channel: String,
    payload: String,
    payload_version: u32,
    attempts: u32,
    created_at: String,
}

impl Row {
    fn claim(self, scope: &Scope) -> Result<Claim, serde_json::Error> {
        Ok(Claim {
            key: MessageKey {
                scope: scope.clone(),
                length_s: self.length_s,
                signal: from_text(self.signal)?,
                window_end: from_text(self.window_end)?,
                transition: from_text(self.transition)?,
                channel: self.channel,
            },
            payload: serde_json::from_str(&self.payload)?,
            payload_version: self.payload_version,
            attempt: self.attempts.saturating_add(1),
            created_at: from_text(self.created_at)?,
        })
    }
}

impl SqliteStore {
    pub fn claim_due(&mut self, request: &ClaimRequest) -> Result<Vec<Claim>, StoreError> {
        let path = self.path.clone();
        let failed = |source| StoreError::Sqlite { action: "claim messages in", path: path.clone(), source };
        let transaction = self.begin()?;
        let mut claims = Vec::new();
        for row in due(&transaction, request).map_err(failed)? {
            let id = row.id;
            let claim = row.claim(&request.scope).map_err(|source| StoreError::Damaged { path: path.clone(), source })?;
            let claimed = transaction.execute(
                "UPDATE outbox SET due_at = ?2, attempts = ?3, claimed_by = ?4 WHERE rowid = ?1",
                params![id, sortable(request.until()), claim.attempt, request.claimer],
            );
            claimed.map_err(failed)?;
            claims.push(claim);
        }
        transaction.commit().map_err(failed)?;
        Ok(claims)
    }

    pub fn mark_delivered(&mut self, claim: &Claim, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.mark(
            claim,
            "UPDATE outbox SET due_at = NULL, delivered_at = ?8, error_kind = NULL
             WHERE job = ?1 AND environment = ?2 AND length_s = ?3 AND signal = ?4 AND window_end = ?5 AND transition = ?6 AND channel = ?7
             AND delivered_at IS NULL",
            &[&sortable(now)],
        )
    }

    pub fn mark_failed(&mut self, claim: &Claim, next_attempt: DateTime<Utc>, error_kind: &str) -> Result<(), StoreError> {
        self.mark(
            claim,
            "UPDATE outbox SET due_at = ?8, error_kind = ?9
             WHERE job = ?1 AND environment = ?2 AND length_s = ?3 AND signal = ?4 AND window_end = ?5 AND transition = ?6 AND channel = ?7
             AND delivered_at IS NULL AND attempts = ?10",
            &[&sortable(next_attempt), &error_kind, &claim.attempt],
        )
    }

    /// Runs an update of the claim's message; the parameters after its key begin at `?8`.
    fn mark(&mut self, claim: &Claim, update: &str, more: &[&dyn rusqlite::ToSql]) -> Result<(), StoreError> {
        let key = &claim.key;
        let (signal, end, transition) = (key.signal.to_string(), sortable(key.window_end), key.transition.to_string());
        let of_key: [&dyn rusqlite::ToSql; 7] =
            [&key.scope.job, &key.scope.environment, &key.length_s, &signal, &end, &transition, &key.channel];
        let all: Vec<&dyn rusqlite::ToSql> = of_key.into_iter().chain(more.iter().copied()).collect();
        let written = self.connection.execute(update, all.as_slice());
        written.map(|_| ()).map_err(|source| self.failed("write to", source))
    }
}

fn due(transaction: &Transaction<'_>, request: &ClaimRequest) -> rusqlite::Result<Vec<Row>> {
    let mut statement = transaction.prepare(
        "SELECT rowid, signal, window_end, transition, channel, payload, payload_version, attempts, created_at, length_s FROM outbox
         WHERE job = ?1 AND environment = ?2 AND due_at <= ?3 AND expire_at > ?3 ORDER BY due_at LIMIT ?4",
    )?;
    let Scope { job, environment } = &request.scope;
    let rows = statement.query_map(params![job, environment, sortable(request.now), request.limit], |row| {
        Ok(Row {
            id: row.get(0)?,
            signal: row.get(1)?,
            window_end: row.get(2)?,
            transition: row.get(3)?,
            channel: row.get(4)?,
            payload: row.get(5)?,
            payload_version: row.get(6)?,
            attempts: row.get(7)?,
            created_at: row.get(8)?,
            length_s: row.get(9)?,
        })
    })?;
    rows.collect()
}
