//! Where the reference and the logs are: a path of the configuration becomes a bucket and the objects in it.

use std::path::Path;

use crate::bucket::{Bucket, BucketError};
use crate::config::{Effective, Origin};
use crate::error::JobError;
use crate::ingest::Source;

/// A path resolved: which bucket, and which keys in it.
#[derive(Clone, Debug)]
pub struct Place {
    pub bucket: Bucket,
    /// A folder (empty, or ending in `/`), or the key of one object.
    pub path: String,
}

impl Place {
    /// Resolves the path at `key` of the configuration.
    ///
    /// Absolute paths, `./…`, `../…` and `file:…` are on this machine. Other paths are in the bucket, unless they were given on
    /// the command line or in the environment and exist here: that is what a person who types a path means.
    pub fn resolve(path: &str, key: &str, bucket: &Bucket, effective: &Effective) -> Result<Self, JobError> {
        if path.starts_with("gs://") {
            return Err(BucketError::Unsupported(path.to_owned()).into());
        }
        let plain = path.strip_prefix("file://").or_else(|| path.strip_prefix("file:")).unwrap_or(path);
        let explicit = plain.len() < path.len() || ["/", "./", "../"].iter().any(|start| plain.starts_with(start));
        let typed =
            effective.get(key).is_some_and(|setting| matches!(setting.origin, Origin::Flag { .. } | Origin::Environment { .. }));
        if explicit || (typed && Path::new(plain).exists()) {
            Self::on_this_machine(plain)
        } else {
            Ok(Self::in_bucket(path, bucket))
        }
    }

    pub fn in_bucket(path: &str, bucket: &Bucket) -> Self {
        Self { bucket: bucket.clone(), path: path.to_owned() }
    }

    fn on_this_machine(path: &str) -> Result<Self, JobError> {
        let file = Path::new(path);
        if file.is_dir() {
            return Ok(Self { bucket: Bucket::open(&format!("file:{}", path.trim_end_matches('/')))?, path: String::new() });
        }
        let folder = file.parent().map(|folder| folder.display().to_string()).filter(|folder| !folder.is_empty());
        let bucket = Bucket::open(&format!("file:{}", folder.as_deref().unwrap_or(".")))?;
        Ok(Self { bucket, path: file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default() })
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
