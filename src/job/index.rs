//! The list of runs, `index.html`: each run puts itself in.
//!
//! It is read, added to and written on the condition that nobody wrote it meanwhile: of two runs at once, both are listed. No run fails
//! because of it.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::publish::{CLOCKS_APART, TRIES};
use crate::bucket::{Bucket, BucketError, Condition, Put, StoredObject};
use crate::config::Config;
use crate::error::with_causes;
use crate::report::Report;
use crate::report::html::index::{self, Listed, ListedRun};

/// Many times what the longest list takes.
const MOST_BYTES: u64 = 4 << 20;

/// Puts a run with its report in, and says so in the log where that fails. Without a window there is no list.
pub async fn put_in(config: &Config, bucket: &Bucket, report: &Report, now: DateTime<Utc>) {
    let Some(window_end) = report.window.end else { return };
    let run = ListedRun {
        window_end,
        length: config.window.length,
        verdict: report.decision.verdict,
        share: report.decision.share,
        threshold: report.decision.threshold,
        rows: report.current.rows,
    };
    let key = format!("{}{}/index.html", config.report.prefix, config.job.name);
    match write(config, bucket, &key, &run, now.max(window_end) + CLOCKS_APART).await {
        Ok(None) => {}
        Ok(Some(newer)) => {
            tracing::warn!("{} is of version {newer}, newer than this drift-check, and was left as it is", bucket.uri(&key));
        }
        Err(error) => tracing::warn!("The report was published, but not listed in index.html: {}", with_causes(&error)),
    }
}

/// `Some` of its version when the list is a newer program's, which is not written over.
async fn write(
    config: &Config,
    bucket: &Bucket,
    key: &str,
    run: &ListedRun,
    latest: DateTime<Utc>,
) -> Result<Option<u64>, BucketError> {
    for _ in 0..TRIES {
        let (listed, generation) = match bucket.get_up_to(key, MOST_BYTES).await {
            Ok(Some(StoredObject { bytes, generation })) => match index::read(&bytes) {
                Listed::Runs(runs) => (runs, Some(generation)),
                Listed::Newer(version) => return Ok(Some(version)),
            },
            Ok(None) => (Vec::new(), None),
            // Larger than any list of ours.
            Err(BucketError::TooLarge { .. }) => (Vec::new(), bucket.generation(key).await?),
            Err(error) => return Err(error),
        };
        let runs = index::with(listed, run.clone(), latest);
        let page = Bytes::from(index::render(&config.job.name, &config.job.environment, &runs).into_bytes());
        if let Put::Done(_) = bucket.put_if(key, page, &Condition::unchanged(generation)).await? {
            return Ok(None);
        }
    }
    Err(BucketError::Contended { uri: bucket.uri(key) })
}
