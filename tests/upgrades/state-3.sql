-- The file of commit 150bf0c, version 3: before runs remembered what their signals read, and before labels.
CREATE TABLE run (
    job TEXT NOT NULL, environment TEXT NOT NULL, length_s INTEGER NOT NULL, window_end TEXT NOT NULL,
    id TEXT NOT NULL, trigger TEXT NOT NULL, started_at TEXT NOT NULL, finished_at TEXT NOT NULL,
    profile_id TEXT NOT NULL, config_digest TEXT NOT NULL, report_uri TEXT NOT NULL, outcome TEXT NOT NULL,
    expire_at TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (job, environment, length_s, window_end)
) STRICT;
CREATE TABLE signal (
    job TEXT NOT NULL, environment TEXT NOT NULL, length_s INTEGER NOT NULL, name TEXT NOT NULL, window_end TEXT NOT NULL,
    state TEXT NOT NULL, expire_at TEXT NOT NULL,
    PRIMARY KEY (job, environment, length_s, name)
) STRICT;
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
INSERT INTO run VALUES (
    'test', 'local', 86400, '2026-01-30T18:00:00.000000Z', 'an-older-run', 'manual', '2026-11-20T18:00:01.000000Z',
    '2026-11-20T18:00:02.000000Z', '0123456789abcdef', 'fedcba9876543210', 'file:bucket/reports/test/2026/01/30/180000Z-24h/report.html',
    '{"window_start":"2026-01-29T18:00:00Z","window_end":"2026-01-30T18:00:00Z","verdict":"drift","share":0.5,"rows":300,"features":{"a":{"verdict":"drift","psi_adjusted":2.5},"b":{"verdict":"stable","psi_adjusted":null}}}',
    '2099-01-01T00:00:00.000000Z'
);
PRAGMA user_version = 3;
