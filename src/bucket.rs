//! The bucket: listing, reading and writing objects by key.
//!
//! What every kind of bucket guarantees: a listing is sorted by key; an object is written whole or not at all, and no reader ever
//! sees a part of it; a write under a condition happens only while the condition holds; keys cannot leave the bucket. Knows nothing
//! of what objects hold.

pub mod budget;
pub mod fault;
pub mod gcs;
pub mod local;

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use thiserror::Error;

use crate::blocking;
use fault::{Fault, ServiceError};
use gcs::{GcsBucket, Got, RemoteRanges};
use local::LocalBucket;
use local::reading::{NearRanges, Reading};

/// Where a bucket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketUri {
    /// A folder, `file:PATH`.
    Local(PathBuf),
    /// `gs://BUCKET`.
    Gcs(String),
}

/// How a storage service is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketOptions {
    /// Where the service is, when it is not the public one. Without TLS (`http://`) nobody is asked for credentials.
    pub endpoint: Option<String>,
    /// How long a call may take with all its retries. A download may take longer as long as bytes arrive.
    pub patience: Duration,
    /// How many bytes of objects that are read here and there may be in memory at a time, over all of them.
    pub max_download_bytes: u64,
}

impl Default for BucketOptions {
    fn default() -> Self {
        Self { endpoint: None, patience: Duration::from_mins(2), max_download_bytes: 256 << 20 }
    }
}

/// Why the bucket could not do what was asked.
#[derive(Debug, Error)]
pub enum BucketError {
    #[error("`{0}` is not a bucket: write file:FOLDER or gs://BUCKET")]
    Uri(String),
    #[error("`{0}` is no key of an object: it must be relative and must not contain `..`")]
    Key(String),
    #[error("cannot {action} {uri}{}", remedy(.source))]
    Io { action: &'static str, uri: String, source: std::io::Error },
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error("cannot write {uri}: others kept writing it at the same time; run again")]
    Contended { uri: String },
    #[error("{uri} has more than {most_bytes} bytes")]
    TooLarge { uri: String, most_bytes: u64 },
}

/// What can be done about a disk that does not do what it is asked; begins with a space where anything can.
fn remedy(error: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match error.kind() {
        ErrorKind::StorageFull => " (make room on its disk, and run again)",
        ErrorKind::QuotaExceeded => " (make room, or raise the quota on its disk, and run again)",
        ErrorKind::ReadOnlyFilesystem => " (mount its disk for writing, and run again)",
        ErrorKind::PermissionDenied => " (allow it to the user that drift-check runs as)",
        _ if error.raw_os_error() == Some(EIO) => " (its disk or mount fails: check that, and run again)",
        _ => "",
    }
}

/// The system's number for a disk that fails, for which there is no word in the standard library.
const EIO: i32 = 5;

impl BucketError {
    /// Whether there is no such object or folder, rather than a failure to reach it.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Io { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
            Self::Service(error) => error.fault == Fault::NoObject,
            Self::Uri(_) | Self::Key(_) | Self::Contended { .. } | Self::TooLarge { .. } => false,
        }
    }

    /// Whether it is about one object, and others may still be readable.
    pub fn is_about_the_object(&self) -> bool {
        match self {
            Self::Service(error) => matches!(error.fault, Fault::NoObject | Fault::Corrupt),
            Self::Io { .. } | Self::Key(_) | Self::TooLarge { .. } => true,
            Self::Uri(_) | Self::Contended { .. } => false,
        }
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
            Some(bucket) if !bucket.is_empty() && !bucket.contains(['/', '?', '#', '%', ' ']) => Ok(Self::Gcs(bucket.to_owned())),
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
    /// What names this very content, where the listing tells.
    pub generation: Option<String>,
    /// Of a file.
    pub stamp: Option<FileStamp>,
}

/// What changes with a file: the time of its last change cannot be set back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStamp {
    pub inode: u64,
    pub changed: DateTime<Utc>,
}

/// A file that was changed this shortly before may be changed once more at what its clock takes for the same moment.
const STILL_CHANGING: TimeDelta = TimeDelta::seconds(2);

impl ObjectMeta {
    /// What names this very content from one run to the next, as far as the listing of a run that began at `began` can tell.
    pub fn version(&self, began: DateTime<Utc>) -> Option<String> {
        self.generation.clone().or_else(|| {
            let stamp = self.stamp.filter(|stamp| stamp.changed + STILL_CHANGING < began)?;
            Some(format!("{}-{}-{}", stamp.inode, self.size_bytes, stamp.changed.timestamp_nanos_opt()?))
        })
    }
}

/// How an object is going to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// From the first byte to the last.
    Stream,
    /// Here and there.
    Ranges,
}

/// An object that is open for reading: one generation of it, whatever is written meanwhile.
pub struct OpenObject {
    pub content: Content,
    pub generation: Generation,
    /// The bytes are those of a gzip file, whatever the key says: uploads can be compressed by the tool that makes them.
    pub is_gzip: bool,
}

/// What names the very content that is read.
pub enum Generation {
    /// The generation, and the size in bytes.
    Known(String, u64),
    /// It is known when everything was read.
    Digest(Arc<Reading>),
}

impl Generation {
    /// The generation and the size in bytes, when the object was read.
    ///
    /// # Errors
    /// When what was read is of no generation, because the object was changed meanwhile.
    pub fn settle(self) -> std::io::Result<(String, u64)> {
        match self {
            Self::Known(generation, size_bytes) => Ok((generation, size_bytes)),
            Self::Digest(reading) => reading.settle(),
        }
    }
}

/// The bytes of an open object.
pub enum Content {
    /// The bytes as they arrive. The end is an error when they were not the stored ones.
    Stream(Box<dyn Read + Send>),
    /// A file, to be read here and there.
    Near(NearRanges),
    /// An object that lies elsewhere, to be read here and there.
    Ranges(RemoteRanges),
}

/// The most that is read of an object that should be a small one, in bytes: reports and marks have a few hundred thousand.
const SMALL_BYTES: u64 = 64 << 20;

/// A small object in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredObject {
    pub bytes: Bytes,
    pub generation: String,
}

/// What must hold for a write to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Always,
    /// There is no such object.
    Absent,
    /// The object is of this generation.
    Generation(String),
}

impl Condition {
    /// What stood there when it was looked at, or nothing, still does.
    pub fn unchanged(generation: Option<String>) -> Self {
        generation.map_or(Self::Absent, Self::Generation)
    }
}

/// What became of a write under a condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Put {
    /// The generation that was written.
    Done(String),
    /// The condition did not hold: somebody else has written, and nothing was changed.
    Lost,
}

/// A bucket of one of the supported kinds.
#[derive(Clone, Debug)]
pub enum Bucket {
    Local(LocalBucket),
    Gcs(GcsBucket),
}

impl Bucket {
    /// Whether its objects come over a network.
    pub fn is_remote(&self) -> bool {
        !matches!(self, Self::Local(_))
    }

    /// Opens the bucket at `uri`; nothing is read yet.
    pub fn open(uri: &str, options: &BucketOptions) -> Result<Self, BucketError> {
        Ok(match BucketUri::parse(uri)? {
            BucketUri::Local(folder) => Self::Local(LocalBucket::new(folder)),
            BucketUri::Gcs(name) => Self::Gcs(GcsBucket::new(name, options)),
        })
    }

    /// A folder of this machine.
    pub fn local(folder: impl Into<PathBuf>) -> Self {
        Self::Local(LocalBucket::new(folder.into()))
    }

    /// The URI of an object.
    pub fn uri(&self, key: &str) -> String {
        match self {
            Self::Local(bucket) => bucket.uri(key),
            Self::Gcs(bucket) => bucket.uri(key),
        }
    }

    /// All objects whose key starts with `prefix`, sorted by key. A prefix without objects is an empty list, a bucket that cannot
    /// be reached is an error.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, BucketError> {
        match self {
            Self::Local(bucket) => {
                blocking::run({
                    let (bucket, prefix) = (bucket.clone(), prefix.to_owned());
                    move || bucket.list(&prefix)
                })
                .await
            }
            Self::Gcs(bucket) => Ok(bucket.list(prefix).await?),
        }
    }

    /// Opens an object for reading; called on a blocking thread of the runtime. The listed generation is read where it is still
    /// there, the newest otherwise.
    pub fn read(&self, meta: &ObjectMeta, access: Access) -> Result<OpenObject, BucketError> {
        match self {
            Self::Local(bucket) => bucket.read(meta, access),
            Self::Gcs(bucket) => Ok(bucket.read(meta, access)?),
        }
    }

    /// A small object, or `None` when there is none.
    pub async fn get(&self, key: &str) -> Result<Option<StoredObject>, BucketError> {
        self.get_up_to(key, SMALL_BYTES).await
    }

    /// An object of at most so many bytes, or `None` when there is none. No more of a larger one is held.
    pub async fn get_up_to(&self, key: &str, most_bytes: u64) -> Result<Option<StoredObject>, BucketError> {
        match self {
            Self::Local(bucket) => {
                blocking::run({
                    let (bucket, key) = (bucket.clone(), key.to_owned());
                    move || bucket.get(&key, most_bytes)
                })
                .await
            }
            Self::Gcs(bucket) => {
                check_key(key)?;
                match bucket.get(key, most_bytes).await? {
                    Got::Nothing => Ok(None),
                    Got::Object(object) => Ok(Some(object)),
                    Got::TooLarge => Err(BucketError::TooLarge { uri: self.uri(key), most_bytes }),
                }
            }
        }
    }

    /// The generation of an object, or `None` when there is none.
    pub async fn generation(&self, key: &str) -> Result<Option<String>, BucketError> {
        match self {
            Self::Local(bucket) => {
                blocking::run({
                    let (bucket, key) = (bucket.clone(), key.to_owned());
                    move || bucket.generation(&key)
                })
                .await
            }
            Self::Gcs(bucket) => {
                check_key(key)?;
                Ok(bucket.generation(key).await?)
            }
        }
    }

    /// Writes an object whole or not at all, over one that may be there.
    pub async fn put(&self, key: &str, bytes: impl Into<Bytes>) -> Result<(), BucketError> {
        match self.put_if(key, bytes, &Condition::Always).await? {
            Put::Done(_) => Ok(()),
            // Without a condition, nothing can be lost.
            Put::Lost => Err(BucketError::Contended { uri: self.uri(key) }),
        }
    }

    /// Writes an object whole, or not at all, and not at all unless the condition holds at that moment.
    pub async fn put_if(&self, key: &str, bytes: impl Into<Bytes>, condition: &Condition) -> Result<Put, BucketError> {
        let bytes = bytes.into();
        match self {
            Self::Local(bucket) => {
                blocking::run({
                    let (bucket, key, condition) = (bucket.clone(), key.to_owned(), condition.clone());
                    move || bucket.put_if(&key, &bytes, &condition)
                })
                .await
            }
            Self::Gcs(bucket) => {
                check_key(key)?;
                Ok(bucket.put_if(key, bytes, condition).await?)
            }
        }
    }
}

impl Bucket {
    /// Deletes an object; one that is not there is as good as deleted.
    pub async fn delete(&self, key: &str) -> Result<(), BucketError> {
        match self {
            Self::Local(bucket) => {
                blocking::run({
                    let (bucket, key) = (bucket.clone(), key.to_owned());
                    move || bucket.delete(&key)
                })
                .await
            }
            Self::Gcs(bucket) => {
                check_key(key)?;
                Ok(bucket.delete(key).await?)
            }
        }
    }

    /// What time the service says it is; `None` where there is no service, or it does not say.
    pub async fn clock(&self) -> Result<Option<DateTime<Utc>>, BucketError> {
        match self {
            Self::Local(_) => Ok(None),
            Self::Gcs(bucket) => Ok(bucket.clock().await?),
        }
    }

    /// Who asks, in words, once credentials have been had; `None` where nobody is asked. Never holds a secret.
    pub async fn principal(&self) -> Result<Option<String>, BucketError> {
        match self {
            Self::Local(_) => Ok(None),
            Self::Gcs(bucket) => Ok(Some(bucket.principal().await?)),
        }
    }
}

/// Whether a key stays inside the bucket.
fn check_key(key: &str) -> Result<(), BucketError> {
    let stays_inside = key.split('/').all(|part| part != "..") && !key.starts_with('/') && !key.ends_with('/');
    if key.is_empty() || !stays_inside { Err(BucketError::Key(key.to_owned())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_of_folders_and_buckets_are_understood() {
        assert_eq!(BucketUri::parse("file:./fixtures/bucket").unwrap(), BucketUri::Local("./fixtures/bucket".into()));
        assert_eq!(BucketUri::parse("file:///data").unwrap(), BucketUri::Local("/data".into()));
        assert_eq!(BucketUri::parse("gs://logs/").unwrap(), BucketUri::Gcs("logs".to_owned()));
        for uri in ["", "file:", "gs://", "gs://logs/predictions", "s3://logs", "logs", "/data"] {
            assert!(BucketUri::parse(uri).is_err(), "{uri}");
        }
    }
}
