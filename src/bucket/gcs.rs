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

/// Objects of one listing that are held: some hundred megabytes.
const MOST_OBJECTS: usize = 1_000_000;
/// Pages of one listing, which may hold few objects, or none.
const MOST_PAGES: usize = 20_000;

/// What was read of an object that should be small.
pub enum Got {
    Nothing,
    Object(StoredObject),
    TooLarge,
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

    async fn answer(&self, asked: &Asked<'_>, path_and_query: &str) -> Result<Bytes, ServiceError> {
        let call = || self.client.get_json(asked, path_and_query);
        retry::run(self.client.policy(), call).await
    }

    /// All pages. The service sorts by the bytes of the names; folders that consoles leave (`name/`, empty) are no objects.
    pub async fn list(&self, prefix: &str) -> Result<Vec<ObjectMeta>, ServiceError> {
        let asked = self.asked("list", prefix);
        let path = format!(
            "/storage/v1/b/{}/o?projection=noAcl&maxResults={PAGE_OBJECTS}&prefix={}",
            encoded(&self.name),
            encoded(prefix)
        );
        let unexpected = |detail: String| asked.failed(Fault::Unexpected, detail);
        let (mut objects, mut token) = (Vec::new(), String::new());
        for _ in 0..MOST_PAGES {
            let from = if token.is_empty() { String::new() } else { format!("&pageToken={}", encoded(&token)) };
            let answer = self.answer(&asked, &format!("{path}{from}")).await?;
            let (page, next) = read_page(&self.name, &answer).map_err(unexpected)?;
            objects.extend(page);
            if objects.len() > MOST_OBJECTS {
                let detail =
                    format!("there are more than {MOST_OBJECTS} objects: name a folder with fewer (logs.prefix, reference.path)");
                return Err(unexpected(detail));
            }
            match next {
                None => {
                    objects.sort_by(|a: &ObjectMeta, b| a.key.cmp(&b.key));
                    return Ok(objects);
                }
                Some(next) if next == token => return Err(unexpected("the listing does not go on".to_owned())),
                Some(next) => token = next,
            }
        }
        Err(unexpected(format!("the listing does not end after {MOST_PAGES} pages: check bucket.endpoint")))
    }

    /// The metadata of the newest generation.
    async fn metadata(&self, key: &str) -> Result<Option<Resource>, ServiceError> {
        let path = format!("/storage/v1/b/{}/o/{}?projection=noAcl", encoded(&self.name), encoded(key));
        let asked = self.asked("read", key);
        match self.answer(&asked, &path).await {
            Ok(answer) => sense(&answer).map(Some).map_err(|detail| asked.failed(Fault::Unexpected, detail)),
            Err(error) if error.fault == Fault::NoObject => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub async fn generation(&self, key: &str) -> Result<Option<String>, ServiceError> {
        Ok(self.metadata(key).await?.map(|resource| resource.generation))
    }

    pub async fn get(&self, key: &str, most_bytes: u64) -> Result<Got, ServiceError> {
        match Download::whole(Arc::new(self.clone()), key, None).await {
            Err(error) if error.fault == Fault::NoObject => Ok(Got::Nothing),
            Err(error) => Err(error),
            Ok(download) => {
                let generation = download.generation.to_string();
                let bytes = download.collect(most_bytes).await?;
                Ok(bytes.map_or(Got::TooLarge, |bytes| Got::Object(StoredObject { bytes, generation })))
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
        Ok((generation, size(&resource).map_err(|detail| asked.failed(Fault::Unexpected, detail))?))
    }

    pub async fn delete(&self, key: &str) -> Result<(), ServiceError> {
        let path = format!("/storage/v1/b/{}/o/{}", encoded(&self.name), encoded(key));
        let asked = self.asked("delete", key);
        match retry::run(self.client.policy(), || self.client.delete(&asked, &path)).await {
            Err(error) if error.fault == Fault::NoObject => Ok(()),
            deleted => deleted,
        }
    }

    /// The service's time.
    pub async fn clock(&self) -> Result<Option<DateTime<Utc>>, ServiceError> {
        self.client.clock(&self.asked("reach", "")).await
    }

    /// Who asks, once a token has been had.
    pub async fn principal(&self) -> Result<String, ServiceError> {
        self.client.principal(&self.asked("authenticate for", "")).await
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
                    let stored = if attempts.has_failed() { self.get(key, bytes.len() as u64).await? } else { Got::Nothing };
                    return Ok(match stored {
                        Got::Object(stored) if stored.bytes == bytes => Put::Done(stored.generation),
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

/// The objects in a page of a listing of this bucket, and what the next page is asked for with.
///
/// # Errors
/// Why the answer makes no sense.
pub fn read_page(bucket: &str, answer: &[u8]) -> Result<(Vec<ObjectMeta>, Option<String>), String> {
    let page: Page = sense(answer)?;
    let object = |item: Resource| {
        Ok(ObjectMeta {
            uri: format!("gs://{bucket}/{}", item.name),
            size_bytes: size(&item)?,
            key: item.name,
            updated: item.updated,
            generation: Some(item.generation),
            stamp: None,
        })
    };
    let objects = page.items.into_iter().filter(|item| !item.name.ends_with('/')).map(object).collect::<Result<_, String>>()?;
    Ok((objects, page.next_page_token.filter(|next| !next.is_empty())))
}

fn sense<T: DeserializeOwned>(answer: &[u8]) -> Result<T, String> {
    serde_json::from_slice(answer).map_err(|error| format!("the answer makes no sense: {error}"))
}

fn size(item: &Resource) -> Result<u64, String> {
    item.size.parse().map_err(|_| format!("`{}` is no size of `{}`", item.size, item.name))
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
