//! A bucket of Google Cloud Storage, and the only place that names its vendor's crates.
//!
//! Listings and metadata over the JSON API, objects through the official client; every call with our own retries and deadline.

mod client;
mod download;
mod errors;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::fault::{Fault, ServiceError};
use super::{Access, BucketOptions, Condition, Content, Generation, ObjectMeta, OpenObject, Put, StoredObject};
use crate::retry::{self, Attempts};
use client::{Client, encoded};
use download::Download;
pub use download::RemoteRanges;
use errors::Asked;

/// Objects in one page of a listing: the most that the service gives.
const PAGE_OBJECTS: u32 = 1_000;
/// The slowest upload that is waited for, in bytes a second.
const SLOWEST_UPLOAD: u64 = 128 * 1024;

/// A bucket by its name.
#[derive(Clone, Debug)]
pub struct GcsBucket {
    name: String,
    client: Arc<Client>,
}

/// A page of `objects.list`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    #[serde(default)]
    items: Vec<Resource>,
    next_page_token: Option<String>,
}

/// An object's metadata, as far as it is of use here. The API writes 64-bit numbers as text.
#[derive(Deserialize)]
struct Resource {
    name: String,
    generation: String,
    /// Absent where it is nothing: Google's own test server leaves it out for empty objects.
    #[serde(default = "nothing")]
    size: String,
    updated: Option<DateTime<Utc>>,
}

impl GcsBucket {
    pub fn new(name: String, options: &BucketOptions) -> Self {
        Self { name, client: Arc::new(Client::new(options)) }
    }

    /// Another bucket over the same connection.
    #[must_use]
    pub fn sibling(&self, name: String) -> Self {
        Self { name, client: Arc::clone(&self.client) }
    }

    pub fn uri(&self, key: &str) -> String {
        format!("gs://{}/{key}", self.name)
    }

    /// The bucket as the official client names it.
    fn resource(&self) -> String {
        format!("projects/_/buckets/{}", self.name)
    }

    fn asked(&self, action: &'static str, key: &str) -> Asked<'_> {
        Asked { client: &self.client, bucket: &self.name, action, uri: self.uri(key) }
    }

    async fn json<T: DeserializeOwned>(&self, asked: &Asked<'_>, path_and_query: &str) -> Result<T, ServiceError> {
        let call = || self.client.get_json(asked, path_and_query);
        let body = retry::run(self.client.policy(), call).await?;
        serde_json::from_slice(&body)
            .map_err(|error| asked.failed(Fault::Unexpected, format!("the answer makes no sense: {error}")))
    }

    /// All pages. The service sorts by the bytes of the names; folders that consoles leave (`name/`, empty) are no objects.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, ServiceError> {
        let asked = self.asked("list", prefix);
        let path = format!(
            "/storage/v1/b/{}/o?projection=noAcl&maxResults={PAGE_OBJECTS}&prefix={}",
            encoded(&self.name),
            encoded(prefix)
        );
        let (mut objects, mut token) = (Vec::new(), String::new());
        loop {
            let from = if token.is_empty() { String::new() } else { format!("&pageToken={}", encoded(&token)) };
            let page: Page = self.json(&asked, &format!("{path}{from}")).await?;
            for item in page.items.into_iter().filter(|item| !item.name.ends_with('/')) {
                objects.push(ObjectMeta {
                    uri: self.uri(&item.name),
                    size_bytes: size(&asked, &item)?,
                    key: item.name,
                    updated: item.updated,
                    generation: Some(item.generation),
                    stamp: None,
                });
            }
            match page.next_page_token.filter(|next| !next.is_empty()) {
                None => break,
                Some(next) if next == token => {
                    return Err(asked.failed(Fault::Unexpected, "the listing does not go on".to_owned()));
                }
                Some(next) => token = next,
            }
        }
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }

    /// The metadata of the newest generation.
    async fn metadata(&self, key: &str) -> Result<Option<Resource>, ServiceError> {
        let path = format!("/storage/v1/b/{}/o/{}?projection=noAcl", encoded(&self.name), encoded(key));
        match self.json(&self.asked("read", key), &path).await {
            Ok(resource) => Ok(Some(resource)),
            Err(error) if error.fault == Fault::NoObject => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub async fn generation(&self, key: &str) -> Result<Option<String>, ServiceError> {
        Ok(self.metadata(key).await?.map(|resource| resource.generation))
    }

    pub async fn get(&self, key: &str) -> Result<Option<StoredObject>, ServiceError> {
        match Download::whole(Arc::new(self.clone()), key, None).await {
            Err(error) if error.fault == Fault::NoObject => Ok(None),
            Err(error) => Err(error),
            Ok(download) => {
                let generation = download.generation.to_string();
                Ok(Some(StoredObject { bytes: download.collect().await?, generation }))
            }
        }
    }

    /// Opens an object; called on a blocking thread of the runtime.
    pub fn read(&self, meta: &ObjectMeta, access: Access) -> Result<OpenObject, ServiceError> {
        let bucket = Arc::new(self.clone());
        if access == Access::Stream {
            let open = download::open_stream(&bucket, meta)?;
            return Ok(OpenObject {
                content: Content::Stream(Box::new(open.reader)),
                generation: Generation::Known(open.generation.to_string(), open.size_bytes.unwrap_or(meta.size_bytes)),
                is_gzip: open.is_gzip,
            });
        }
        let (generation, size_bytes) = self.standing(&bucket, meta)?;
        let ranges = RemoteRanges::new(bucket, meta.key.clone(), generation, size_bytes);
        let generation = Generation::Known(generation.to_string(), size_bytes);
        Ok(OpenObject { content: Content::Ranges(ranges), generation, is_gzip: false })
    }

    /// Generation and size of what there is now to be read by ranges: usually what was listed.
    fn standing(&self, bucket: &Arc<Self>, meta: &ObjectMeta) -> Result<(i64, u64), ServiceError> {
        let asked = self.asked("read", &meta.key);
        let (source, key) = (Arc::clone(bucket), meta.key.clone());
        let resource = download::wait(bucket, &meta.key, async move { source.metadata(&key).await })?;
        let resource = resource.ok_or_else(|| asked.failed(Fault::NoObject, "there is no such object any more".to_owned()))?;
        let generation = resource.generation.parse();
        let generation =
            generation.map_err(|_| asked.failed(Fault::Unexpected, format!("`{}` is no generation", resource.generation)))?;
        Ok((generation, size(&asked, &resource)?))
    }

    pub async fn put_if(&self, key: &str, bytes: Bytes, condition: &Condition) -> Result<Put, ServiceError> {
        let generation = match condition {
            Condition::Always => None,
            Condition::Absent => Some(0),
            // A generation of another kind of bucket stands nowhere in this one.
            Condition::Generation(generation) => match generation.parse() {
                Ok(generation) => Some(generation),
                Err(_) => return Ok(Put::Lost),
            },
        };
        let mut attempts = Attempts::new(self.client.policy());
        loop {
            match self.upload(key, bytes.clone(), generation).await {
                Ok(generation) => return Ok(Put::Done(generation.to_string())),
                Err(error) if error.fault == Fault::Precondition => {
                    // An earlier attempt may have got through without its answer: then it is we who wrote.
                    let stored = if attempts.has_failed() { self.get(key).await? } else { None };
                    return Ok(match stored {
                        Some(stored) if stored.bytes == bytes => Put::Done(stored.generation),
                        _ => Put::Lost,
                    });
                }
                Err(error) => attempts.after(error).await?,
            }
        }
    }

    /// One attempt; the generation that was written.
    async fn upload(&self, key: &str, bytes: Bytes, if_generation: Option<i64>) -> Result<i64, ServiceError> {
        let asked = self.asked("write", key);
        let limit = self.client.silence() + Duration::from_secs(bytes.len() as u64 / SLOWEST_UPLOAD);
        let call = async {
            let storage = &self.client.connected(&asked).await?.storage;
            let mut write = storage
                .write_object(self.resource(), key, bytes.clone())
                .set_content_type(content_type(key))
                // Reports are looked at to see what is new.
                .set_cache_control("no-cache")
                .with_known_crc32c(crc32c::crc32c(&bytes));
            if let Some(generation) = if_generation {
                write = write.set_if_generation_match(generation);
            }
            let object = Box::pin(write.send_unbuffered()).await.map_err(|error| asked.of_client(&error))?;
            Ok(object.generation)
        };
        self.client.in_time(&asked, limit, call).await
    }
}

fn size(asked: &Asked<'_>, item: &Resource) -> Result<u64, ServiceError> {
    let no_size = |_| asked.failed(Fault::Unexpected, format!("`{}` is no size of `{}`", item.size, item.name));
    item.size.parse().map_err(no_size)
}

fn nothing() -> String {
    "0".to_owned()
}

fn content_type(key: &str) -> &'static str {
    match key.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}
