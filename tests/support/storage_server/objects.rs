//! The objects of the storage server: what it holds, how it lists and reads.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::response::Response;
use serde_json::{Value, json as value};

use super::{Asked, error, json};

#[derive(Clone)]
pub struct Object {
    pub bytes: Bytes,
    pub generation: i64,
    pub content_type: String,
    pub content_encoding: String,
    pub updated: String,
}

#[derive(Default)]
pub struct Objects {
    buckets: BTreeMap<String, BTreeMap<String, Object>>,
    written: i64,
}

impl Object {
    pub fn crc32c(&self) -> String {
        base64(&crc32c::crc32c(&self.bytes).to_be_bytes())
    }
}

impl Objects {
    pub fn create_bucket(&mut self, bucket: &str) {
        self.buckets.entry(bucket.to_owned()).or_default();
    }

    pub fn has_bucket(&self, bucket: &str) -> bool {
        self.buckets.contains_key(bucket)
    }

    pub fn get(&self, bucket: &str, key: &str) -> Option<&Object> {
        self.buckets.get(bucket)?.get(key)
    }

    pub fn put(&mut self, bucket: &str, key: &str, bytes: Bytes) -> &mut Object {
        // Generations are microseconds.
        self.written += 1;
        let generation = 1_700_000_000_000_000 + self.written;
        let updated = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let object = Object {
            bytes,
            generation,
            content_type: "application/octet-stream".to_owned(),
            content_encoding: String::new(),
            updated,
        };
        let objects = self.buckets.get_mut(bucket).unwrap();
        objects.insert(key.to_owned(), object);
        objects.get_mut(key).unwrap()
    }

    pub fn delete(&mut self, bucket: &str, key: &str) {
        self.buckets.get_mut(bucket).unwrap().remove(key);
    }

    /// objects.delete
    pub fn remove(&mut self, bucket: &str, key: &str) -> Response {
        match self.buckets.get_mut(bucket).map(|objects| objects.remove(key)) {
            None => no_bucket(),
            Some(None) => error(404, "notFound", &format!("No such object: {bucket}/{key}")),
            Some(Some(_)) => Response::builder().status(204).body(Body::empty()).unwrap(),
        }
    }

    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        self.buckets[bucket].keys().filter(|key| key.starts_with(prefix)).cloned().collect()
    }

    /// objects.list
    pub fn list(&self, bucket: &str, asked: &Asked) -> Response {
        if !self.has_bucket(bucket) {
            return no_bucket();
        }
        let prefix = asked.parameter("prefix").unwrap_or_default();
        let most = asked.number("maxResults").map_or(1_000, |most| usize::try_from(most).unwrap().min(1_000));
        // A token is opaque; this one needs encoding, as Google's do.
        let after = asked.parameter("pageToken").map(|token| token.strip_prefix("after=/").unwrap().to_owned());
        let mut keys = self.keys(bucket, prefix);
        keys.retain(|key| after.as_ref().is_none_or(|after| key > after));
        let page = &keys[..keys.len().min(most)];
        let items: Vec<Value> = page.iter().map(|key| resource(bucket, key, &self.buckets[bucket][key])).collect();
        let mut answer = value!({ "kind": "storage#objects" });
        if !items.is_empty() {
            answer["items"] = items.into();
        }
        if page.len() < keys.len() {
            answer["nextPageToken"] = format!("after=/{}", page.last().unwrap()).into();
        }
        json(200, &answer)
    }

    /// objects.get: metadata, or with `alt=media` the bytes.
    pub fn read(&self, bucket: &str, key: &str, asked: &Asked) -> Response {
        let is_media = asked.parameter("alt") == Some("media");
        if !self.has_bucket(bucket) {
            return no_bucket();
        }
        let wanted = asked.number("generation");
        let Some(object) = self.get(bucket, key).filter(|object| wanted.is_none_or(|wanted| wanted == object.generation)) else {
            let message = format!("No such object: {bucket}/{key}");
            return if is_media { text(404, message) } else { error(404, "notFound", &message) };
        };
        if asked.number("ifGenerationMatch").is_some_and(|wanted| wanted != object.generation) {
            return precondition();
        }
        if !is_media {
            return json(200, &resource(bucket, key, object));
        }
        let size = object.bytes.len();
        let encoding = object.content_encoding.as_str();
        let mut response = Response::builder();
        if !encoding.is_empty() {
            // Clients that do not accept it are sent plain bytes; ours does.
            assert_eq!(asked.headers["accept-encoding"], encoding);
            response = response.header("content-encoding", encoding);
        }
        let response = response
            .header("content-type", &object.content_type)
            .header("x-goog-generation", object.generation)
            .header("x-goog-metageneration", 1)
            .header("x-goog-stored-content-encoding", if encoding.is_empty() { "identity" } else { encoding })
            .header("x-goog-stored-content-length", size)
            .header("x-goog-hash", format!("crc32c={}", object.crc32c()))
            .header("x-goog-storage-class", "STANDARD")
            .header("accept-ranges", "bytes")
            .header("etag", format!("\"{}\"", object.generation));
        let Some(range) = asked.headers.get("range").map(|range| range.to_str().unwrap()) else {
            return response.body(Body::from(object.bytes.clone())).unwrap();
        };
        let (first, last) = range.strip_prefix("bytes=").unwrap().split_once('-').unwrap();
        let (start, end) = match (first.parse::<usize>(), last.parse::<usize>()) {
            (Ok(first), Ok(last)) => (first, (last + 1).min(size)),
            (Ok(first), Err(_)) => (first, size),
            (Err(_), Ok(last)) => (size.saturating_sub(last), size),
            _ => panic!("{range}"),
        };
        if start >= size {
            return text(416, "The requested range cannot be satisfied.".to_owned());
        }
        let response = response.status(206).header("content-range", format!("bytes {start}-{}/{size}", end - 1));
        response.body(Body::from(object.bytes.slice(start..end))).unwrap()
    }
}

pub fn resource(bucket: &str, key: &str, object: &Object) -> Value {
    let mut resource = value!({
        "kind": "storage#object",
        "id": format!("{bucket}/{key}/{}", object.generation),
        "name": key,
        "bucket": bucket,
        "generation": object.generation.to_string(),
        "metageneration": "1",
        "contentType": object.content_type,
        "storageClass": "STANDARD",
        "size": object.bytes.len().to_string(),
        "crc32c": object.crc32c(),
        "etag": format!("{}", object.generation),
        "timeCreated": object.updated,
        "updated": object.updated,
    });
    // Google's own test server leaves out what is zero.
    if object.bytes.is_empty() {
        resource.as_object_mut().unwrap().remove("size");
    }
    resource
}

pub fn no_bucket() -> Response {
    error(404, "notFound", "The specified bucket does not exist.")
}

pub fn precondition() -> Response {
    error(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
}

fn text(code: u16, message: String) -> Response {
    Response::builder().status(code).header("content-type", "text/html; charset=UTF-8").body(Body::from(message)).unwrap()
}

/// With padding.
pub fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let number = (0..3).fold(0_usize, |sum, i| sum << 8 | usize::from(three.get(i).copied().unwrap_or(0)));
        for digit in 0..4 {
            out.push(if digit <= three.len() { char::from(DIGITS[number >> (18 - 6 * digit) & 63]) } else { '=' });
        }
    }
    out
}
