//! Putting the report where readers find it: its own folder first, `latest.*` last and never backwards in time.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::bucket::Bucket;
use crate::config::Config;
use crate::error::JobError;
use crate::report::{Report, html};
use crate::window::Window;

/// Where the report of a window is put.
pub fn folder(config: &Config, window: Option<Window>, end: DateTime<Utc>) -> String {
    let length = window.map_or_else(|| "all".to_owned(), |_| config.window.length.to_string());
    format!("{}{}/{}-{length}/", config.report.prefix, config.job.name, end.format("%Y/%m/%d/%H%M%SZ"))
}

/// Writes `report.json` and `report.html`, then `latest.json` and `latest.html` unless they tell of a later window.
///
/// Returns the URI of `report.html`.
pub async fn publish(
    config: &Config,
    bucket: &Bucket,
    folder: &str,
    end: DateTime<Utc>,
    report: &Report,
) -> Result<String, JobError> {
    let json = report.to_json().map_err(|source| JobError::Encode { what: "report", source })?;
    let html = html::render(report).into_bytes();
    let (json_key, html_key) = (format!("{folder}report.json"), format!("{folder}report.html"));
    bucket.put(&html_key, html.clone()).await?;
    bucket.put(&json_key, json.clone()).await?;
    if let Some(path) = &config.report.path {
        write_copy(path, &html)?;
    }
    let latest = |extension: &str| format!("{}{}/latest.{extension}", config.report.prefix, config.job.name);
    let known = bucket.get(&latest("json")).await?;
    if known.as_deref().and_then(end_of).is_some_and(|known| known > end) {
        tracing::info!("latest.json tells of a later window and was left as it is");
    } else {
        bucket.put(&latest("html"), html).await?;
        bucket.put(&latest("json"), json).await?;
    }
    Ok(bucket.uri(&html_key))
}

/// The end of the window that a stored report tells of: without a window, the moment of its run. Unreadable: `None`.
fn end_of(json: &[u8]) -> Option<DateTime<Utc>> {
    #[derive(Deserialize)]
    struct Stored {
        window: StoredWindow,
        run: StoredRun,
    }
    #[derive(Deserialize)]
    struct StoredWindow {
        end: Option<DateTime<Utc>>,
    }
    #[derive(Deserialize)]
    struct StoredRun {
        started_at: DateTime<Utc>,
    }
    let stored: Stored = serde_json::from_slice(json).ok()?;
    Some(stored.window.end.unwrap_or(stored.run.started_at))
}

/// The extra copy that a service may serve from a mounted folder.
fn write_copy(path: &str, html: &[u8]) -> Result<(), JobError> {
    let file = std::path::Path::new(path);
    let folder = file.parent().map(|folder| folder.display().to_string()).filter(|folder| !folder.is_empty());
    let bucket = crate::bucket::local::LocalBucket::new(folder.unwrap_or_else(|| ".".to_owned()).into());
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(bucket.put(&name, html)?)
}
