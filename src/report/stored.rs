//! What is read of a report that was stored before.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::SCHEMA_VERSION;

#[derive(Deserialize)]
struct Stored {
    window: Window,
    run: Run,
}

#[derive(Deserialize)]
struct Window {
    end: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Run {
    started_at: DateTime<Utc>,
}

/// The end of the window that a stored report tells of: without a window, the moment of its run. Unreadable: `None`.
pub fn end(json: &[u8]) -> Option<DateTime<Utc>> {
    let stored: Stored = serde_json::from_slice(json).ok()?;
    Some(stored.window.end.unwrap_or(stored.run.started_at))
}

#[derive(Deserialize)]
struct Versioned {
    schema_version: u64,
}

/// The version of a stored report, where it is newer than this program's.
pub fn newer(json: &[u8]) -> Option<u64> {
    let Versioned { schema_version } = serde_json::from_slice(json).ok()?;
    (schema_version > u64::from(SCHEMA_VERSION)).then_some(schema_version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stored_report_tells_of_the_end_of_its_window_or_else_of_its_run() {
        let stored = |end: &str| format!(r#"{{"window": {{"end": {end}}}, "run": {{"started_at": "2026-01-31T18:00:07Z"}}}}"#);
        assert_eq!(end(stored("\"2026-01-31T18:00:00Z\"").as_bytes()), DateTime::from_timestamp(1_769_882_400, 0));
        assert_eq!(end(stored("null").as_bytes()), DateTime::from_timestamp(1_769_882_407, 0));
        assert_eq!(end(b"{}"), None);
    }

    #[test]
    fn only_a_version_above_that_of_this_program_is_newer() {
        let of = |version: u64| newer(format!(r#"{{"schema_version": {version}, "more": []}}"#).as_bytes());
        let ours = u64::from(SCHEMA_VERSION);
        assert_eq!([0, ours, ours + 1, 5_000_000_000].map(of), [None, None, Some(ours + 1), Some(5_000_000_000)]);
        assert_eq!(newer(b"no report"), None);
    }
}
