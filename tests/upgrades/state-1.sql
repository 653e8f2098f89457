-- The file of commit 19d516a, with a run and a signal that had opened and of which nobody was told: messages came later.
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
INSERT INTO run VALUES (
    'test', 'local', 86400, '2026-01-30T18:00:00.000000Z', 'an-older-run', 'manual', '2026-11-20T18:00:01.000000Z',
    '2026-11-20T18:00:02.000000Z', '0123456789abcdef', 'fedcba9876543210', 'file:bucket/reports/test/2026/01/30/180000Z-24h/report.html',
    '{"window_start":"2026-01-29T18:00:00Z","window_end":"2026-01-30T18:00:00Z","verdict":"drift","share":0.5,"rows":300,"features":{"a":{"verdict":"drift","psi_adjusted":2.5},"b":{"verdict":"stable","psi_adjusted":null}}}'
);
INSERT INTO signal VALUES ('test', 'local', 'data-drift', '2026-01-30T18:00:00.000000Z', '{"before":null,"after":{"worst":0.5}}');
PRAGMA user_version = 1;
