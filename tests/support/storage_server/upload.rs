//! objects.insert of the storage server: multipart, resumable and plain uploads, each whole or not at all.

use axum::body::{Body, Bytes};
use axum::response::Response;
use serde_json::Value;

use super::objects::{base64, no_bucket, precondition, resource};
use super::{Asked, Server, error, json};

/// A resumable upload that has begun.
pub struct Session {
    bucket: String,
    metadata: Value,
    if_generation: Option<i64>,
}

pub fn insert(server: &mut Server, bucket: &str, asked: &Asked) -> Response {
    if !server.objects.has_bucket(bucket) {
        return no_bucket();
    }
    let if_generation = asked.number("ifGenerationMatch");
    let named = |mut metadata: Value| {
        if let Some(name) = asked.parameter("name") {
            metadata["name"] = name.into();
        }
        metadata
    };
    match asked.parameter("uploadType") {
        Some("multipart") => {
            let Some((metadata, media)) = parts(asked) else { return error(400, "invalid", "Bad multipart request.") };
            store(server, bucket, &named(metadata), media, if_generation)
        }
        Some("media") => store(server, bucket, &named(serde_json::json!({})), asked.body.clone(), if_generation),
        Some("resumable") => {
            let metadata = if asked.body.is_empty() { serde_json::json!({}) } else { serde_json::from_slice(&asked.body).unwrap() };
            server.sessions.push(Session { bucket: bucket.to_owned(), metadata: named(metadata), if_generation });
            // The client may leave the port out of `Host`.
            let location =
                format!("http://{}/upload/storage/v1/b/{bucket}/o?upload_id={}", asked.address, server.sessions.len() - 1);
            Response::builder().header("location", location).body(Body::empty()).unwrap()
        }
        other => error(400, "invalid", &format!("uploadType {other:?}")),
    }
}

/// The last, and here the only, request of a session.
pub fn resume(server: &mut Server, asked: &Asked) -> Response {
    let session = asked.number("upload_id").and_then(|id| server.sessions.get(usize::try_from(id).unwrap()));
    let Some(session) = session else { return error(404, "notFound", "Not Found") };
    let (bucket, metadata, if_generation) = (session.bucket.clone(), session.metadata.clone(), session.if_generation);
    store(server, &bucket, &metadata, asked.body.clone(), if_generation)
}

fn store(server: &mut Server, bucket: &str, metadata: &Value, media: Bytes, if_generation: Option<i64>) -> Response {
    let key = metadata["name"].as_str().unwrap().to_owned();
    // Zero stands for "there is none".
    let standing = server.objects.get(bucket, &key).map_or(0, |object| object.generation);
    if if_generation.is_some_and(|wanted| wanted != standing) {
        return precondition();
    }
    let announced = metadata["crc32c"].as_str();
    if announced.is_some_and(|announced| announced != base64(&crc32c::crc32c(&media).to_be_bytes())) {
        return error(400, "invalid", "Provided CRC32C doesn't match calculated CRC32C.");
    }
    let object = server.objects.put(bucket, &key, media);
    if let Some(kind) = metadata["contentType"].as_str() {
        kind.clone_into(&mut object.content_type);
    }
    json(200, &resource(bucket, &key, object))
}

/// The metadata and the media of `multipart/related`; a third part holds checksums.
fn parts(asked: &Asked) -> Option<(Value, Bytes)> {
    let kind = asked.headers.get("content-type")?.to_str().ok()?;
    let boundary = kind.strip_prefix("multipart/related")?.split("boundary=").nth(1)?.trim_matches('"');
    let delimiter = format!("\r\n--{boundary}");
    // The first delimiter may stand at the very beginning.
    let body = [b"\r\n", asked.body.as_ref()].concat();
    let mut found = Vec::new();
    let mut rest = body.as_slice();
    while let Some(at) = position(rest, delimiter.as_bytes()) {
        found.push(&rest[..at]);
        rest = &rest[at + delimiter.len()..];
    }
    let content = |part: &[u8]| position(part, b"\r\n\r\n").map(|at| part[at + 4..].to_vec());
    let mut parts = found.into_iter().skip(1).filter_map(content);
    let mut metadata: Value = serde_json::from_slice(&parts.next()?).ok()?;
    let media = parts.next()?;
    if let Some(trailing) = parts.next() {
        let trailing: Value = serde_json::from_slice(&trailing).ok()?;
        metadata["crc32c"] = trailing["crc32c"].clone();
    }
    Some((metadata, media.into()))
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
