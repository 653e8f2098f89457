//! A storage server of our own over real sockets, after the public documentation of Cloud Storage's JSON API: objects.list, objects.get
//! (metadata and media, by ranges), objects.insert (multipart, resumable, media), preconditions, generations, checksums, errors in
//! Google's form. Does on demand what the real one does on bad days.

#[path = "storage_server/objects.rs"]
pub mod objects;
#[path = "storage_server/upload.rs"]
mod upload;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use axum::serve::ListenerExt;
use futures::StreamExt;

use objects::Objects;

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// None yet: counts requests down to the next rule.
    AsUsual,
    /// An answer instead of what was asked, and perhaps a `Retry-After`.
    Status(u16, Option<&'static str>),
    /// The connection ends after so many bytes of the body.
    CutAfter(usize),
    /// One byte of the body is another.
    Damaged,
    /// No answer, ever.
    Hang,
    /// Somebody writes this object just before.
    Overwritten(&'static str, Bytes),
    /// Somebody deletes this object just before.
    Deleted(&'static str),
    /// The request is carried out, and its answer lost.
    AnswerLost,
    /// The request is carried out, and its answer is the beginning of one.
    Garbled,
}

/// Which requests, and how many of them.
struct Rule {
    method: &'static str,
    part: String,
    left: usize,
    trouble: Trouble,
}

#[derive(Default)]
struct Server {
    objects: Objects,
    rules: Vec<Rule>,
    /// Method, path and query of every request, percent-decoded.
    requests: Vec<String>,
    /// Sessions of resumable uploads.
    sessions: Vec<upload::Session>,
    /// Told of every request before it is carried out; what it says yes to is not, and gets no answer.
    witness: Option<Witness>,
    /// Told of every request after it was carried out; what it says yes to gets no answer.
    heir: Option<Witness>,
}

pub type Witness = Arc<dyn Fn(&str) -> bool + Send + Sync>;

type Shared = Arc<Mutex<Server>>;

/// A running server with the bucket `logs`; it stops when it is dropped.
pub struct StorageServer {
    address: SocketAddr,
    shared: Shared,
    runtime: Option<tokio::runtime::Runtime>,
}

impl StorageServer {
    pub fn start() -> Self {
        Self::start_with(false)
    }

    /// A server whose broken connections end with a reset (RST) instead of an end (FIN).
    pub fn start_resetting() -> Self {
        Self::start_with(true)
    }

    fn start_with(resetting: bool) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let shared = Shared::default();
        shared.lock().unwrap().objects.create_bucket("logs");
        // Bound before the runtime has it, so that a test may itself be asynchronous.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::clone(&shared);
        let app = axum::Router::new().fallback(move |request: Request| {
            let state = Arc::clone(&state);
            async move { Ok::<_, Infallible>(answer(state, address, request).await) }
        });
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap().tap_io(move |stream| {
                if resetting {
                    stream.set_zero_linger().unwrap();
                }
            });
            axum::serve(listener, app).await.unwrap();
        });
        Self { address, shared, runtime: Some(runtime) }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    fn server(&self) -> MutexGuard<'_, Server> {
        self.shared.lock().unwrap()
    }

    pub fn put(&self, key: &str, bytes: impl Into<Bytes>) -> i64 {
        self.server().objects.put("logs", key, bytes.into()).generation
    }

    /// As `gcloud storage cp --gzip-local-all` uploads: the bytes are compressed, the name is not.
    pub fn put_gzip(&self, key: &str, bytes: impl Into<Bytes>) {
        "gzip".clone_into(&mut self.server().objects.put("logs", key, bytes.into()).content_encoding);
    }

    pub fn delete(&self, key: &str) {
        self.server().objects.delete("logs", key);
    }

    pub fn get(&self, key: &str) -> Option<Bytes> {
        self.server().objects.get("logs", key).map(|object| object.bytes.clone())
    }

    pub fn generation(&self, key: &str) -> Option<i64> {
        self.server().objects.get("logs", key).map(|object| object.generation)
    }

    pub fn content_type(&self, key: &str) -> String {
        self.server().objects.get("logs", key).unwrap().content_type.clone()
    }

    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.server().objects.keys("logs", prefix)
    }

    /// Lets the next `times` requests of a method, whose path and query hold `part`, run into trouble.
    pub fn trouble(&self, method: &'static str, part: &str, times: usize, trouble: Trouble) -> &Self {
        self.server().rules.push(Rule { method, part: part.to_owned(), left: times, trouble });
        self
    }

    /// Asks this of every request from now on.
    pub fn witnessed(&self, witness: Witness) {
        self.server().witness = Some(witness);
    }

    /// Asks this after every request from now on.
    pub fn outlived(&self, heir: Witness) {
        self.server().heir = Some(heir);
    }

    pub fn requests(&self, part: &str) -> usize {
        self.server().requests.iter().filter(|request| request.contains(part)).count()
    }
}

impl Drop for StorageServer {
    fn drop(&mut self) {
        // Requests that hang are not waited for.
        self.runtime.take().unwrap().shutdown_background();
    }
}

/// A request, its body read.
pub struct Asked {
    method: Method,
    /// Still encoded.
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
    address: SocketAddr,
}

impl Asked {
    fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> Option<i64> {
        self.parameter(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text}")))
    }
}

async fn answer(shared: Shared, address: SocketAddr, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let query = head.uri.query().unwrap_or_default();
    let query = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        // In a query, a plus is a space.
        (decoded(&name.replace('+', " ")), decoded(&value.replace('+', " ")))
    });
    let asked = Asked {
        path: head.uri.path().to_owned(),
        query: query.collect(),
        headers: head.headers,
        body: to_bytes(body, usize::MAX).await.unwrap_or_default(),
        address,
        method: head.method,
    };
    let line = format!("{} {}", asked.method, decoded(&head.uri.to_string()));
    let (witness, heir) = {
        let server = shared.lock().unwrap();
        (server.witness.clone(), server.heir.clone())
    };
    if witness.is_some_and(|witness| witness(&line)) {
        return std::future::pending().await;
    }
    let response = carried_out(shared, asked, line.clone()).await;
    if heir.is_some_and(|heir| heir(&line)) {
        return std::future::pending().await;
    }
    response
}

async fn carried_out(shared: Shared, asked: Asked, line: String) -> Response {
    let trouble = {
        let mut server = shared.lock().unwrap();
        server.requests.push(line.clone());
        let rule = server.rules.iter_mut().find(|rule| rule.left > 0 && asked.method == rule.method && line.contains(&rule.part));
        rule.map(|rule| {
            rule.left -= 1;
            rule.trouble.clone()
        })
    };
    match trouble {
        None | Some(Trouble::AsUsual) => respond(&shared, &asked),
        Some(Trouble::Status(code, retry_after)) => {
            let mut response = error(code, "backendError", "Somebody wants this test to see an error.");
            if let Some(retry_after) = retry_after {
                response.headers_mut().insert("retry-after", retry_after.parse().unwrap());
            }
            response
        }
        Some(Trouble::Hang) => std::future::pending().await,
        Some(Trouble::CutAfter(bytes)) => cut(respond(&shared, &asked), bytes).await,
        Some(Trouble::Damaged) => damaged(respond(&shared, &asked)).await,
        Some(Trouble::Overwritten(key, bytes)) => {
            shared.lock().unwrap().objects.put("logs", key, bytes);
            respond(&shared, &asked)
        }
        Some(Trouble::Deleted(key)) => {
            shared.lock().unwrap().objects.delete("logs", key);
            respond(&shared, &asked)
        }
        Some(Trouble::AnswerLost) => {
            drop(respond(&shared, &asked));
            error(503, "backendError", "The answer was lost.")
        }
        Some(Trouble::Garbled) => {
            drop(respond(&shared, &asked));
            Response::builder().header("content-type", "application/json").body(Body::from("{\"name\": \"re")).unwrap()
        }
    }
}

fn respond(shared: &Shared, asked: &Asked) -> Response {
    let mut server = shared.lock().unwrap();
    let parts: Vec<&str> = asked.path.trim_start_matches('/').split('/').collect();
    match (asked.method.as_str(), parts.as_slice()) {
        ("GET", ["storage", "v1", "b", bucket, "o"]) => server.objects.list(&decoded(bucket), asked),
        ("GET", ["storage", "v1", "b", bucket, "o", key]) => server.objects.read(&decoded(bucket), &decoded(key), asked),
        ("DELETE", ["storage", "v1", "b", bucket, "o", key]) => server.objects.remove(&decoded(bucket), &decoded(key)),
        ("POST", ["upload", "storage", "v1", "b", bucket, "o"]) => upload::insert(&mut server, &decoded(bucket), asked),
        ("PUT", ["upload", "storage", "v1", "b", _, "o"]) => upload::resume(&mut server, asked),
        _ => error(404, "notFound", "Not Found"),
    }
}

/// The body ends in the middle, although its length was announced.
async fn cut(response: Response, bytes: usize) -> Response {
    let (mut head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    head.headers.insert("content-length", body.len().into());
    let start = futures::stream::iter([Ok(body.slice(..bytes.min(body.len())))]);
    let end = futures::stream::once(async {
        // What was sent before a reset is lost unless it was read.
        tokio::time::sleep(Duration::from_millis(50)).await;
        Err(std::io::Error::other("cut short"))
    });
    Response::from_parts(head, Body::from_stream(start.chain(end)))
}

async fn damaged(response: Response) -> Response {
    let (head, body) = response.into_parts();
    let mut body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
    let middle = body.len() / 2;
    body[middle] ^= 1;
    Response::from_parts(head, Body::from(body))
}

/// An error in Google's form.
fn error(code: u16, reason: &str, message: &str) -> Response {
    let body = serde_json::json!({
        "error": { "code": code, "message": message, "errors": [{ "message": message, "domain": "global", "reason": reason }] }
    });
    json(code, &body)
}

fn json(code: u16, body: &serde_json::Value) -> Response {
    let response = Response::builder().status(StatusCode::from_u16(code).unwrap());
    response.header("content-type", "application/json; charset=UTF-8").body(Body::from(body.to_string())).unwrap()
}

/// Percent-decoded.
fn decoded(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let hex = [bytes.next().unwrap(), bytes.next().unwrap()];
            out.push(u8::from_str_radix(std::str::from_utf8(&hex).unwrap(), 16).unwrap());
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).unwrap()
}
