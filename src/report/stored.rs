//! What is read of a report that was stored before.

use chrono::{DateTime, Utc};
use serde::Deserialize;

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
