//! Where the reference and the logs are: a path of the configuration becomes a bucket and the objects in it.

use std::path::Path;

use crate::bucket::{Bucket, BucketError, BucketOptions, BucketUri};
use crate::config::{Config, Effective, Origin};
use crate::error::JobError;
use crate::ingest::Source;

/// A path resolved: which bucket, and which keys in it.
#[derive(Clone, Debug)]
pub struct Place {
    pub bucket: Bucket,
    /// A folder (empty, or ending in `/`), or the key of one object.
    pub path: String,
}

/// The bucket of the configuration.
pub fn bucket(config: &Config) -> Result<Bucket, BucketError> {
    Bucket::open(&config.bucket.uri, &options(config))
}

fn options(config: &Config) -> BucketOptions {
    let patience = config.bucket.timeout.delta().to_std().unwrap_or_default();
    BucketOptions { endpoint: config.bucket.endpoint.clone(), patience, max_download_bytes: config.run.max_download_bytes }
}

impl Place {
    /// Resolves the path at `key` of the configuration.
    ///
    /// Absolute paths, `./…`, `../…` and `file:…` are on this machine, `gs://BUCKET/…` is in that bucket. Other paths are in the bucket, unless they were given on
    /// the command line or in the environment and exist here: that is what a person who types a path means.
    pub fn resolve(path: &str, key: &str, bucket: &Bucket, config: &Config, effective: &Effective) -> Result<Self, JobError> {
        if let Some(rest) = path.strip_prefix("gs://") {
            return Ok(Self::in_cloud(rest, bucket, config)?);
        }
        let plain = path.strip_prefix("file://").or_else(|| path.strip_prefix("file:")).unwrap_or(path);
        let explicit = plain.len() < path.len() || ["/", "./", "../"].iter().any(|start| plain.starts_with(start));
        let typed =
            effective.get(key).is_some_and(|setting| matches!(setting.origin, Origin::Flag { .. } | Origin::Environment { .. }));
        if explicit || (typed && Path::new(plain).exists()) {
            Ok(Self::on_this_machine(plain))
        } else {
            Ok(Self::in_bucket(path, bucket))
        }
    }

    pub fn in_bucket(path: &str, bucket: &Bucket) -> Self {
        Self { bucket: bucket.clone(), path: path.to_owned() }
    }

    /// An object or a folder of a bucket in the cloud, `BUCKET/KEY`.
    pub fn in_cloud(path: &str, bucket: &Bucket, config: &Config) -> Result<Self, BucketError> {
        let (name, key) = path.split_once('/').unwrap_or((path, ""));
        let uri = format!("gs://{name}");
        let bucket = match (bucket, BucketUri::parse(&uri)?) {
            // One connection serves all buckets.
            (Bucket::Gcs(known), BucketUri::Gcs(name)) => Bucket::Gcs(known.sibling(name)),
            _ => Bucket::open(&uri, &options(config))?,
        };
        Ok(Self { bucket, path: key.to_owned() })
    }

    fn on_this_machine(path: &str) -> Self {
        let file = Path::new(path);
        if file.is_dir() {
            return Self { bucket: Bucket::local(file), path: String::new() };
        }
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let bucket = Bucket::local(folder.unwrap_or(Path::new(".")));
        Self { bucket, path: file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default() }
    }

    /// The objects at this place, sorted by key.
    pub async fn source(&self) -> Result<Source, BucketError> {
        let folder = format!("{}/", self.path);
        let is_here = |key: &str| self.path.is_empty() || self.path.ends_with('/') || key == self.path || key.starts_with(&folder);
        let mut objects = self.bucket.list(&self.path).await?;
        objects.retain(|object| is_here(&object.key));
        Ok(Source { bucket: self.bucket.clone(), objects })
    }

    /// As people are told of it.
    pub fn uri(&self) -> String {
        self.bucket.uri(&self.path)
    }
}
