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
