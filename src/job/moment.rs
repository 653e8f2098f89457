//! The moment that a run is about: the same for every attempt of one execution.
//!
//! A platform tries a failed task again minutes later. The retry must be the same run, with the same window and the same report, so the
//! first attempt leaves its moment in the bucket under the name of the execution, and all others take it from there.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::Invocation;
use crate::bucket::{Bucket, BucketError, Condition, Put};
use crate::config::Config;

/// What the first attempt leaves.
#[derive(Deserialize, Serialize)]
struct Mark {
    now: DateTime<Utc>,
}

/// The run's moment: `--as-of`, or that of the execution's first attempt, or now.
pub async fn of(config: &Config, bucket: &Bucket, invocation: &Invocation) -> Result<DateTime<Utc>, BucketError> {
    if let Some(moment) = invocation.options.as_of {
        return Ok(moment);
    }
    let Some(execution) = &invocation.execution else { return Ok(invocation.now) };
    let key = format!("{}{}/executions/{}.json", config.report.prefix, config.job.name, file_name(execution));
    if let Some(first) = known(bucket, &key).await? {
        return Ok(first);
    }
    // A dry run leaves nothing, and a time has no way not to be written.
    if let (false, Ok(mark)) = (invocation.options.dry_run, serde_json::to_vec(&Mark { now: invocation.now }))
        && bucket.put_if(&key, Bytes::from(mark), &Condition::Absent).await? == Put::Lost
    {
        // Two attempts at the same moment: the one that came first counts.
        return Ok(known(bucket, &key).await?.unwrap_or(invocation.now));
    }
    Ok(invocation.now)
}

/// A mark that cannot be read is as good as none: then this attempt's moment counts, and the report says which.
async fn known(bucket: &Bucket, key: &str) -> Result<Option<DateTime<Utc>>, BucketError> {
    let stored = match bucket.get(key).await {
        Err(BucketError::TooLarge { .. }) => None,
        stored => stored?,
    };
    Ok(stored.and_then(|stored| serde_json::from_slice::<Mark>(&stored.bytes).ok()).map(|mark| mark.now))
}

/// The name of an execution as a part of a key, whatever it holds.
fn file_name(execution: &str) -> String {
    execution.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' }).collect()
}
