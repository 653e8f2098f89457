//! The bucket: listing, reading and writing objects by key.
//!
//! What every kind of bucket guarantees: a listing is sorted by key; an object is written whole or not at all, and no reader ever
//! sees a part of it; keys cannot leave the bucket. Knows nothing of what objects hold.

pub mod local;

use std::fs::File;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use thiserror::Error;

use local::LocalBucket;

/// Where a bucket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketUri {
    /// A folder, `file:PATH`.
    Local(PathBuf),
    /// `gs://BUCKET`.
    Gcs(String),
}

/// Why the bucket could not do what was asked.
#[derive(Debug, Error)]
pub enum BucketError {
    #[error("`{0}` is not a bucket: write file:FOLDER or gs://BUCKET")]
    Uri(String),
    #[error("{0}: this version reads folders only (file:FOLDER)")]
    Unsupported(String),
    #[error("`{0}` is no key of an object: it must be relative and must not contain `..`")]
    Key(String),
    #[error("cannot {action} {uri}")]
    Io { action: &'static str, uri: String, source: std::io::Error },
}

impl BucketError {
    /// Whether there is no such object or folder, rather than a failure to reach it.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == std::io::ErrorKind::NotFound)
    }
}

impl BucketUri {
    pub fn parse(uri: &str) -> Result<Self, BucketError> {
        let error = || BucketError::Uri(uri.to_owned());
        if let Some(path) = uri.strip_prefix("file:") {
            // `file:///data` is the absolute path `/data`; `file:./data` is relative to the working directory.
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() { Err(error()) } else { Ok(Self::Local(PathBuf::from(path))) };
        }
        match uri.strip_prefix("gs://").map(|bucket| bucket.trim_end_matches('/')) {
            Some(bucket) if !bucket.is_empty() => Ok(Self::Gcs(bucket.to_owned())),
            _ => Err(error()),
        }
    }
}

/// An object as the listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Relative to the bucket, with `/` between its parts.
    pub key: String,
    pub uri: String,
    pub size_bytes: u64,
    /// When it was last written, where the bucket knows.
    pub updated: Option<DateTime<Utc>>,
}

/// An object that is open for reading.
#[derive(Debug)]
pub struct OpenObject {
    pub file: File,
    /// What names this very content.
    pub generation: String,
}

/// A bucket of one of the supported kinds.
#[derive(Clone, Debug)]
pub enum Bucket {
    Local(LocalBucket),
}

impl Bucket {
    /// Opens the bucket at `uri`; nothing is read yet.
    pub fn open(uri: &str) -> Result<Self, BucketError> {
        match BucketUri::parse(uri)? {
            BucketUri::Local(folder) => Ok(Self::Local(LocalBucket::new(folder))),
            BucketUri::Gcs(_) => Err(BucketError::Unsupported(uri.to_owned())),
        }
    }

    /// The URI of an object.
    pub fn uri(&self, key: &str) -> String {
        match self {
            Self::Local(bucket) => bucket.uri(key),
        }
    }

    /// All objects whose key starts with `prefix`, sorted by key. A prefix without objects is an empty list, a bucket that cannot
    /// be reached is an error.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, BucketError> {
        match self {
            Self::Local(bucket) => {
                blocking({
                    let (bucket, prefix) = (bucket.clone(), prefix.to_owned());
                    move || bucket.list(&prefix)
                })
                .await
            }
        }
    }

    /// Opens an object for reading; called on a blocking thread.
    pub fn read(&self, meta: &ObjectMeta) -> Result<OpenObject, BucketError> {
        match self {
            Self::Local(bucket) => bucket.read(meta),
        }
    }

    /// The bytes of a small object, or `None` when there is none.
    pub async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BucketError> {
        match self {
            Self::Local(bucket) => {
                blocking({
                    let (bucket, key) = (bucket.clone(), key.to_owned());
                    move || bucket.get(&key)
                })
                .await
            }
        }
    }

    /// Writes an object whole or not at all, over one that may be there.
    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> Result<(), BucketError> {
        match self {
            Self::Local(bucket) => {
                blocking({
                    let (bucket, key) = (bucket.clone(), key.to_owned());
                    move || bucket.put(&key, &bytes)
                })
                .await
            }
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, BucketError> + Send + 'static) -> Result<T, BucketError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        // The task is never cancelled; if it panicked, so do we, where the panic can be seen.
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_of_folders_and_buckets_are_understood() {
        assert_eq!(BucketUri::parse("file:./fixtures/bucket").unwrap(), BucketUri::Local("./fixtures/bucket".into()));
        assert_eq!(BucketUri::parse("file:///data").unwrap(), BucketUri::Local("/data".into()));
        assert_eq!(BucketUri::parse("gs://logs/").unwrap(), BucketUri::Gcs("logs".to_owned()));
        for uri in ["", "file:", "gs://", "s3://logs", "logs", "/data"] {
            assert!(BucketUri::parse(uri).is_err(), "{uri}");
        }
    }
}
