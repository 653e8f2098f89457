//! Putting the report where readers find it: its own folder first, `latest.*` last and never backwards in time.
//!
//! Other runs may do the same at the same moment. A report is two objects, and both must tell of one run: whoever wrote the first of
//! the two owns the pair, the second is written only while the first still is the owner's, and only over what stood there before
//! that was made sure of. A run that is overtaken leaves the rest to the other, which is as far or further.
//!
//! A `latest.json` of a window that is not over yet was written by a clock that was wrong: it is no later one, and is replaced.
//!
//! What a newer program wrote is not written over: whoever goes back to an older program loses nothing of what he had.

use std::path::Path;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use crate::bucket::{Bucket, BucketError, Condition, Put, StoredObject};
use crate::config::Config;
use crate::error::JobError;
use crate::report::{Report, SCHEMA_VERSION, html, stored};
use crate::window::Window;

/// Where the report of a window is put.
pub fn folder(config: &Config, window: Option<Window>, end: DateTime<Utc>) -> String {
    let length = window.map_or_else(|| "all".to_owned(), |_| config.window.length.to_string());
    format!("{}{}/{}-{length}/", config.report.prefix, config.job.name, end.format("%Y/%m/%d/%H%M%SZ"))
}

/// Another run that writes the same object is over after one or two of these.
pub const TRIES: u32 = 16;

/// What was published.
pub struct Published {
    /// Of `report.html`.
    pub uri: String,
    /// Another run's report of this window stands instead.
    pub is_overtaken: bool,
    /// Whether it is the latest, or there is no time by which another could be.
    pub is_latest: bool,
    /// Why `latest.*` was left as it is, although it tells of no later window.
    pub latest_failure: Option<JobError>,
    /// Why the copy at `report.path` could not be written; everything else was.
    pub copy_failure: Option<BucketError>,
}

/// Clocks of one platform may be this far apart.
pub const CLOCKS_APART: TimeDelta = TimeDelta::hours(1);

/// Where a run puts its report.
pub struct Place<'a> {
    pub config: &'a Config,
    pub bucket: &'a Bucket,
    pub folder: &'a str,
    pub end: DateTime<Utc>,
    /// When the run began.
    pub now: DateTime<Utc>,
}

impl Place<'_> {
    /// Writes `report.html` and `report.json`, then `latest.json` and `latest.html` unless they tell of a later window, and last the copy
    /// at `report.path`, which tells of the same run as `latest.html`.
    pub async fn publish(&self, report: &Report) -> Result<Published, JobError> {
        let Self { config, bucket, folder, end, now } = *self;
        let json = Bytes::from(report.to_json().map_err(|source| JobError::Encode { what: "report", source })?);
        let html = Bytes::from(html::render(report).into_bytes());
        let (json_key, html_key) = (format!("{folder}report.json"), format!("{folder}report.html"));
        let uri = bucket.uri(&html_key);
        let placed = place(config, bucket, [&json_key, &html_key], [&json, &html], Moments { end, now }).await?;
        let (is_latest, is_overtaken) = (matches!(placed, Placed::Latest), matches!(placed, Placed::Overtaken));
        let latest_failure = if let Placed::Newer(error) = placed { Some(error) } else { None };
        // Without a window nothing is older or newer.
        let copy_failure = match &config.report.path {
            Some(path) if is_latest || report.window.end.is_none() => write_copy(config, bucket, path, html).await.err(),
            _ => None,
        };
        let is_latest = is_latest || report.window.end.is_none();
        Ok(Published { uri, is_overtaken, is_latest, latest_failure, copy_failure })
    }
}

/// When a run's window ends, and when the run began.
#[derive(Clone, Copy)]
struct Moments {
    end: DateTime<Utc>,
    now: DateTime<Utc>,
}

impl Moments {
    /// Whether a report of a window that ends then stays the latest.
    fn are_before(self, known: DateTime<Utc>) -> bool {
        known > self.end && known <= self.now.max(self.end) + CLOCKS_APART
    }
}

/// Where the report has come to.
enum Placed {
    Latest,
    /// Somebody else is, or tells of a later window.
    NotLatest,
    /// Another run of this window has written its own over it.
    Overtaken,
    /// The latest is a newer program's.
    Newer(JobError),
}

/// Puts both parts of the report in their places.
async fn place(
    config: &Config,
    bucket: &Bucket,
    [json_key, html_key]: [&str; 2],
    [json, html]: [&Bytes; 2],
    moments: Moments,
) -> Result<Placed, JobError> {
    let overtaken = |what: &str| tracing::info!("another run of this window wrote {what} at the same time, and its report stands");
    let own = Owned { key: html_key, generation: lead(bucket, html_key, html, json_key).await? };
    if !follow(bucket, &[&own], json_key, json).await? {
        overtaken("the report");
        return Ok(Placed::Overtaken);
    }
    let latest = |extension: &str| format!("{}{}/latest.{extension}", config.report.prefix, config.job.name);
    let (json_key, html_key) = (latest("json"), latest("html"));
    match advance(bucket, &own, &json_key, json, moments).await? {
        Advance::Done(generation) => {
            let newest = Owned { key: &json_key, generation };
            if follow(bucket, &[&newest, &own], &html_key, html).await? {
                return Ok(Placed::Latest);
            }
            overtaken("latest.json");
        }
        Advance::Newer(found) => return Ok(Placed::Newer(left_alone(bucket, &json_key, found))),
        Advance::Later => tracing::info!("latest.json tells of a later window and was left as it is"),
        Advance::Overtaken => {
            overtaken("the report");
            return Ok(Placed::Overtaken);
        }
    }
    Ok(Placed::NotLatest)
}

/// An object that this run has written, as long as it is still of that generation.
struct Owned<'a> {
    key: &'a str,
    generation: String,
}

impl Owned<'_> {
    async fn stands(&self, bucket: &Bucket) -> Result<bool, BucketError> {
        Ok(bucket.generation(self.key).await?.as_ref() == Some(&self.generation))
    }
}

/// Writes the first object of a pair over whatever is there, unless the second is a newer program's; the generation that makes this run
/// its owner.
async fn lead(bucket: &Bucket, key: &str, bytes: &Bytes, second_key: &str) -> Result<String, JobError> {
    for _ in 0..TRIES {
        let known = bucket.generation(key).await?;
        let newer = if known.is_some() { standing(bucket, second_key).await?.newer } else { None };
        if let Some(found) = newer {
            return Err(left_alone(bucket, second_key, found));
        }
        if let Put::Done(generation) = bucket.put_if(key, bytes.clone(), &Condition::unchanged(known)).await? {
            return Ok(generation);
        }
    }
    Err(JobError::Bucket(BucketError::Contended { uri: bucket.uri(key) }))
}

/// Writes an object while everything that makes this run its owner stands; `false` when it does not any more.
async fn follow(bucket: &Bucket, owned: &[&Owned<'_>], key: &str, bytes: &Bytes) -> Result<bool, BucketError> {
    for _ in 0..TRIES {
        // In this order: what is written between the two looks makes the write fail.
        let known = bucket.generation(key).await?;
        for own in owned {
            if !own.stands(bucket).await? {
                return Ok(false);
            }
        }
        if let Put::Done(_) = bucket.put_if(key, bytes.clone(), &Condition::unchanged(known)).await? {
            return Ok(true);
        }
    }
    Err(BucketError::Contended { uri: bucket.uri(key) })
}

/// What became of `latest.json`.
enum Advance {
    /// Written, as this generation.
    Done(String),
    /// It tells of a later window.
    Later,
    /// It is of this version, which is newer.
    Newer(u64),
    /// This run's report has been replaced by another's, which writes it.
    Overtaken,
}

async fn advance(bucket: &Bucket, own: &Owned<'_>, key: &str, json: &Bytes, moments: Moments) -> Result<Advance, BucketError> {
    for _ in 0..TRIES {
        let known = standing(bucket, key).await?;
        if known.end.is_some_and(|known| moments.are_before(known)) {
            return Ok(Advance::Later);
        }
        if let Some(found) = known.newer {
            return Ok(Advance::Newer(found));
        }
        if !own.stands(bucket).await? {
            return Ok(Advance::Overtaken);
        }
        let condition = Condition::unchanged(known.generation);
        if let Put::Done(generation) = bucket.put_if(key, json.clone(), &condition).await? {
            return Ok(Advance::Done(generation));
        }
    }
    Err(BucketError::Contended { uri: bucket.uri(key) })
}

/// What is known of a report that may be there.
struct Standing {
    /// The end of what it tells of. One that cannot be read, because it is none or larger than any, is as old as can be.
    end: Option<DateTime<Utc>>,
    /// Its version, where it is newer than this program's.
    newer: Option<u64>,
    generation: Option<String>,
}

async fn standing(bucket: &Bucket, key: &str) -> Result<Standing, BucketError> {
    let unreadable = |generation| Standing { end: None, newer: None, generation };
    match bucket.get(key).await {
        Err(BucketError::TooLarge { .. }) => Ok(unreadable(bucket.generation(key).await?)),
        Err(error) => Err(error),
        Ok(None) => Ok(unreadable(None)),
        Ok(Some(StoredObject { bytes, generation })) => {
            Ok(Standing { end: stored::end(&bytes), newer: stored::newer(&bytes), generation: Some(generation) })
        }
    }
}

fn left_alone(bucket: &Bucket, key: &str, found: u64) -> JobError {
    JobError::NewerReport { uri: bucket.uri(key), found, supported: SCHEMA_VERSION }
}

/// The extra copy that a service may serve, from a folder or from a bucket of its own.
async fn write_copy(config: &Config, bucket: &Bucket, path: &str, html: Bytes) -> Result<(), BucketError> {
    if let Some(object) = path.strip_prefix("gs://") {
        let place = super::input::Place::in_cloud(object, bucket, config)?;
        return place.bucket.put(&place.path, html).await;
    }
    let file = Path::new(path);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // The bucket writes on a thread where it may block: a mounted folder can be slow.
    Bucket::local(folder).put(&name, html).await
}
