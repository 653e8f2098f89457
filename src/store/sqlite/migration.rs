//! The tables of the embedded store, and what leads from each version of them to the next.

use rusqlite::{Connection, TransactionBehavior};

/// The version of the tables. A newer file is refused, an older one is brought up to date.
pub(super) const VERSION: i64 = 4;

/// What leads from each version to the next, from an empty file on. Moments are UTC in RFC 3339 with microseconds.
pub(super) const MIGRATIONS: [&str; 4] = [
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
    // Labels; and beside what a run found of the features, what its signals read. Of runs from before nothing is known of that.
    "
ALTER TABLE run ADD COLUMN signals TEXT NOT NULL DEFAULT '{}';
CREATE TABLE label (
    job TEXT NOT NULL, environment TEXT NOT NULL, feature TEXT NOT NULL, from_moment TEXT NOT NULL, to_moment TEXT NOT NULL,
    truth TEXT NOT NULL, created_at TEXT NOT NULL, reason TEXT NOT NULL, expire_at TEXT NOT NULL,
    PRIMARY KEY (job, environment, feature, from_moment, to_moment)
) STRICT;
CREATE TABLE promotion (
    job TEXT NOT NULL, environment TEXT NOT NULL, signal TEXT NOT NULL, created_at TEXT NOT NULL, refusal TEXT NOT NULL, reason TEXT NOT NULL,
    expire_at TEXT NOT NULL,
    PRIMARY KEY (job, environment, signal, created_at)
) STRICT;
",
];

/// Brings the tables up to date, from whatever version they are of.
pub(super) fn migrate(connection: &mut Connection) -> rusqlite::Result<()> {
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
