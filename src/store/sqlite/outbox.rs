//! The outbox in the embedded store.

use chrono::{DateTime, Utc};
use rusqlite::{Transaction, params};

use super::{SqliteStore, from_text, sortable};
use crate::store::lifecycle::expiry;
use crate::store::outbox::{ABANDONED, Claim, ClaimRequest, Draft, LastAttempt, MessageKey, MessageRecord, MessageStatus};
use crate::store::{Scope, Series, Step, StoreError};

/// Creates the message, unless it exists; one in shadow is taken out of it when it is to be sent.
pub(super) fn create(transaction: &Transaction<'_>, step: &Step, key: &MessageKey, draft: &Draft) -> rusqlite::Result<()> {
    let now = sortable(step.now);
    transaction.execute(
        "INSERT INTO outbox (job, environment, length_s, signal, window_end, transition, channel, payload, payload_version,
         created_at, due_at, attempts, expire_at, revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?12, 0, ?11, ?13)
         ON CONFLICT DO UPDATE SET payload = excluded.payload, payload_version = excluded.payload_version, due_at = excluded.due_at
         WHERE outbox.due_at IS NULL AND outbox.delivered_at IS NULL AND outbox.error_kind IS NULL",
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
            sortable(expiry(step.window_end, step.now)),
            (!draft.is_shadow).then_some(&now),
            key.revision
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
    revision: u32,
    transition: String,
    channel: String,
    payload: String,
    payload_version: u32,
    attempts: u32,
    created_at: String,
    error_kind: Option<String>,
    due_at: Option<String>,
    delivered_at: Option<String>,
}

impl Row {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
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
            error_kind: row.get(10)?,
            revision: row.get(11)?,
            due_at: row.get(12)?,
            delivered_at: row.get(13)?,
        })
    }

    fn key(&self, scope: &Scope) -> Result<MessageKey, serde_json::Error> {
        Ok(MessageKey {
            scope: scope.clone(),
            length_s: self.length_s,
            signal: from_text(self.signal.clone())?,
            window_end: from_text(self.window_end.clone())?,
            revision: self.revision,
            transition: from_text(self.transition.clone())?,
            channel: self.channel.clone(),
        })
    }

    fn message(self, scope: &Scope) -> Result<MessageRecord, serde_json::Error> {
        let key = self.key(scope)?;
        let error_kind = self.error_kind.unwrap_or_default();
        Ok(MessageRecord {
            key,
            status: MessageStatus::status(self.due_at.is_some(), self.delivered_at.is_some(), &error_kind),
            created_at: from_text(self.created_at)?,
            delivered_at: self.delivered_at.map(from_text).transpose()?,
            attempts: self.attempts,
            error_kind,
        })
    }

    fn claim(self, scope: &Scope) -> Result<Claim, serde_json::Error> {
        Ok(Claim {
            key: self.key(scope)?,
            payload: serde_json::from_str(&self.payload)?,
            payload_version: self.payload_version,
            attempt: self.attempts.saturating_add(1),
            last_attempt: LastAttempt::of(self.attempts, &self.error_kind.unwrap_or_default()),
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
                "UPDATE outbox SET due_at = ?2, attempts = ?3, claimed_by = ?4, error_kind = NULL WHERE rowid = ?1",
                params![id, sortable(request.until()), claim.attempt, request.claimer],
            );
            claimed.map_err(failed)?;
            claims.push(claim);
        }
        transaction.commit().map_err(failed)?;
        Ok(claims)
    }

    pub fn messages_about(&mut self, series: &Series, window_end: DateTime<Utc>) -> Result<Vec<MessageStatus>, StoreError> {
        type Columns = (String, String, String, bool, bool, Option<String>);
        let query = || -> rusqlite::Result<Vec<Columns>> {
            let mut statement = self.connection.prepare(
                "SELECT signal, transition, channel, due_at IS NOT NULL, delivered_at IS NOT NULL, error_kind FROM outbox
                 WHERE job = ?1 AND environment = ?2 AND length_s = ?3 AND window_end = ?4 ORDER BY revision, rowid",
            )?;
            let Series { job, environment, length_s } = series;
            let rows = statement.query_map(params![job, environment, length_s, sortable(window_end)], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
            })?;
            rows.collect()
        };
        let rows = query().map_err(|source| self.failed("read", source))?;
        let statuses = rows.into_iter().map(|(signal, transition, channel, is_due, is_delivered, error_kind)| {
            let (signal, transition) = (from_text(signal)?, from_text(transition)?);
            Ok(MessageStatus {
                signal,
                transition,
                channel,
                status: MessageStatus::status(is_due, is_delivered, &error_kind.unwrap_or_default()),
            })
        });
        statuses.collect::<Result<_, _>>().map_err(|source| self.damaged(source))
    }

    pub fn messages(&mut self, scope: &Scope, limit: u32) -> Result<Vec<MessageRecord>, StoreError> {
        let query = || -> rusqlite::Result<Vec<Row>> {
            let mut statement = self.connection.prepare(
                "SELECT rowid, signal, window_end, transition, channel, '', payload_version, attempts, created_at, length_s, error_kind, revision,
                 due_at, delivered_at FROM outbox WHERE job = ?1 AND environment = ?2
                 ORDER BY created_at DESC, window_end DESC, revision DESC, signal, channel LIMIT ?3",
            )?;
            let rows = statement.query_map(params![scope.job, scope.environment, limit], Row::read)?;
            rows.collect()
        };
        let rows = query().map_err(|source| self.failed("read", source))?;
        let records = rows.into_iter().map(|row| row.message(scope));
        records.collect::<Result<_, _>>().map_err(|source| self.damaged(source))
    }

    pub fn undelivered(&mut self, scope: &Scope, now: DateTime<Utc>) -> Result<Vec<MessageKey>, StoreError> {
        type Columns = (i64, String, String, String, String, u32);
        let query = || -> rusqlite::Result<Vec<Columns>> {
            let mut statement = self.connection.prepare(
                "SELECT length_s, signal, window_end, transition, channel, revision FROM outbox
                 WHERE job = ?1 AND environment = ?2 AND due_at IS NOT NULL AND expire_at > ?3 ORDER BY due_at",
            )?;
            let rows = statement.query_map(params![scope.job, scope.environment, sortable(now)], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
            })?;
            rows.collect()
        };
        let rows = query().map_err(|source| self.failed("read", source))?;
        let keys = rows.into_iter().map(|(length_s, signal, window_end, transition, channel, revision)| {
            let (signal, window_end, transition) = (from_text(signal)?, from_text(window_end)?, from_text(transition)?);
            Ok(MessageKey { scope: scope.clone(), length_s, signal, window_end, revision, transition, channel })
        });
        keys.collect::<Result<_, _>>().map_err(|source| self.damaged(source))
    }

    pub fn mark_delivered(&mut self, claim: &Claim, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.mark(
            claim,
            "UPDATE outbox SET due_at = NULL, delivered_at = ?9, error_kind = NULL
             WHERE job = ?1 AND environment = ?2 AND length_s = ?3 AND signal = ?4 AND window_end = ?5 AND transition = ?6 AND channel = ?7
             AND revision = ?8 AND delivered_at IS NULL",
            &[&sortable(now)],
        )
    }

    pub fn abandon(&mut self, claim: &Claim, reason: &str) -> Result<(), StoreError> {
        self.mark(
            claim,
            "UPDATE outbox SET due_at = NULL, error_kind = ?9
             WHERE job = ?1 AND environment = ?2 AND length_s = ?3 AND signal = ?4 AND window_end = ?5 AND transition = ?6 AND channel = ?7
             AND revision = ?8 AND delivered_at IS NULL",
            &[&format!("{ABANDONED}{reason}")],
        )
    }

    pub fn mark_failed(&mut self, claim: &Claim, next_attempt: DateTime<Utc>, error_kind: &str) -> Result<(), StoreError> {
        self.mark(
            claim,
            "UPDATE outbox SET due_at = ?9, error_kind = ?10
             WHERE job = ?1 AND environment = ?2 AND length_s = ?3 AND signal = ?4 AND window_end = ?5 AND transition = ?6 AND channel = ?7
             AND revision = ?8 AND delivered_at IS NULL AND attempts = ?11",
            &[&sortable(next_attempt), &error_kind, &claim.attempt],
        )
    }

    /// Runs an update of the claim's message; the parameters after its key begin at `?9`.
    fn mark(&mut self, claim: &Claim, update: &str, more: &[&dyn rusqlite::ToSql]) -> Result<(), StoreError> {
        let key = &claim.key;
        let (signal, end, transition) = (key.signal.to_string(), sortable(key.window_end), key.transition.to_string());
        let of_key: [&dyn rusqlite::ToSql; 8] =
            [&key.scope.job, &key.scope.environment, &key.length_s, &signal, &end, &transition, &key.channel, &key.revision];
        let all: Vec<&dyn rusqlite::ToSql> = of_key.into_iter().chain(more.iter().copied()).collect();
        let written = self.connection.execute(update, all.as_slice());
        written.map(|_| ()).map_err(|source| self.failed("write to", source))
    }
}

fn due(transaction: &Transaction<'_>, request: &ClaimRequest) -> rusqlite::Result<Vec<Row>> {
    // Names of a closed set.
    let except: Vec<String> = request.except.iter().map(|signal| format!("'{signal}'")).collect();
    let mut statement = transaction.prepare(&format!(
        "SELECT rowid, signal, window_end, transition, channel, payload, payload_version, attempts, created_at, length_s,
         error_kind, revision, due_at, delivered_at FROM outbox
         WHERE job = ?1 AND environment = ?2 AND (due_at <= ?3 OR due_at > ?5) AND expire_at > ?3 AND NOT EXISTS (
             SELECT 1 FROM outbox AS earlier
             WHERE earlier.job = outbox.job AND earlier.environment = outbox.environment AND earlier.length_s = outbox.length_s
             AND earlier.signal = outbox.signal AND earlier.channel = outbox.channel
             AND (earlier.window_end, earlier.revision) < (outbox.window_end, outbox.revision)
             AND earlier.due_at IS NOT NULL AND earlier.expire_at > ?3
         ) AND signal NOT IN ({}) ORDER BY due_at LIMIT ?4",
        except.join(", ")
    ))?;
    let Scope { job, environment } = &request.scope;
    let (now, farthest) = (sortable(request.now), sortable(request.farthest()));
    let rows = statement.query_map(params![job, environment, now, request.limit, farthest], Row::read)?;
    rows.collect()
}
