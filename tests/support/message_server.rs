//! A server that Slack, PagerDuty and a webhook could be, over real sockets, with TLS where asked: it takes what they would take, and
//! misbehaves on demand.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures::StreamExt;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::authority::Leaf;
use crate::notify_messages::{assert_block_kit, assert_event};

/// What the webhook's messages are signed with.
pub const SIGNING_SECRET: &str = "signing-secret-of-the-test";

#[derive(Clone, Debug)]
pub enum Trouble {
    /// This status and text, and perhaps a `Retry-After`.
    Answer(u16, &'static str, Option<&'static str>),
    /// Everything that was sent, sent back with this status.
    Echo(u16),
    Hang,
    /// The request is read, and the connection broken.
    Reset,
    Redirect(String),
    /// An answer that never ends.
    Endless(u16),
}

#[derive(Clone, Debug)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
    pub at: Instant,
}

#[derive(Default)]
struct State {
    received: Vec<Received>,
    trouble: VecDeque<Trouble>,
    /// What happens once the list is empty, instead of what should.
    for_ever: Option<Trouble>,
}

/// It stops with the test's runtime.
pub struct MessageServer {
    address: SocketAddr,
    scheme: &'static str,
    state: Arc<Mutex<State>>,
}

impl MessageServer {
    pub async fn start() -> Self {
        Self::listening("http", |listener| listener).await
    }

    pub async fn start_with(leaf: &Leaf) -> Self {
        let acceptor = TlsAcceptor::from(leaf.server());
        Self::listening("https", |listener| Encrypted { listener, acceptor }).await
    }

    async fn listening<L: axum::serve::Listener>(scheme: &'static str, wrap: impl FnOnce(TcpListener) -> L) -> Self
    where
        L::Addr: std::fmt::Debug,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        let app = axum::Router::new().fallback(move |request: Request| answer(Arc::clone(&shared), request));
        let listener = wrap(listener);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { address, scheme, state }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    /// What happens to the next requests, one each.
    pub fn next(&self, trouble: impl IntoIterator<Item = Trouble>) -> &Self {
        self.state.lock().unwrap().trouble.extend(trouble);
        self
    }

    pub fn always(&self, trouble: Trouble) -> &Self {
        self.state.lock().unwrap().for_ever = Some(trouble);
        self
    }

    pub fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }
}

async fn answer(state: Arc<Mutex<State>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    let body: Value = serde_json::from_slice(&bytes).unwrap();
    let path = parts.uri.path().to_owned();
    let trouble = {
        let mut state = state.lock().unwrap();
        state.received.push(Received {
            path: path.clone(),
            headers: parts.headers.clone(),
            body: body.clone(),
            at: Instant::now(),
        });
        state.trouble.pop_front().or_else(|| state.for_ever.clone())
    };
    let Some(trouble) = trouble else { return proper(&path, &parts.headers, &bytes, &body) };
    match trouble {
        Trouble::Answer(status, text, retry_after) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), text).into_response();
            if let Some(after) = retry_after {
                response.headers_mut().insert("retry-after", after.parse().unwrap());
            }
            response
        }
        Trouble::Echo(status) => {
            let text = format!("{} {:?} {}", parts.uri, parts.headers, String::from_utf8_lossy(&bytes));
            (StatusCode::from_u16(status).unwrap(), text).into_response()
        }
        Trouble::Hang => {
            tokio::time::sleep(Duration::from_mins(10)).await;
            StatusCode::OK.into_response()
        }
        // An answer whose body fails at once ends the connection.
        Trouble::Reset => {
            Body::from_stream(futures::stream::iter([Err::<Bytes, _>(std::io::Error::other("reset"))])).into_response()
        }
        Trouble::Redirect(to) => (StatusCode::FOUND, [("location", to)]).into_response(),
        Trouble::Endless(status) => {
            let endless = futures::stream::repeat(Bytes::from_static(&[b'x'; 1_024])).map(Ok::<_, std::io::Error>);
            (StatusCode::from_u16(status).unwrap(), Body::from_stream(endless)).into_response()
        }
    }
}

/// As the services answer to a message that they take. A message that they would not take fails the test.
fn proper(path: &str, headers: &HeaderMap, bytes: &Bytes, body: &Value) -> Response {
    assert_eq!(headers["content-type"], "application/json");
    assert!(headers["user-agent"].to_str().unwrap().starts_with("drift-check/"));
    if path.starts_with("/services/") {
        assert_block_kit(body);
        return "ok".into_response();
    }
    if path == "/v2/enqueue" {
        assert_event(body);
        return (StatusCode::ACCEPTED, r#"{"status":"success","message":"Event processed","dedup_key":"x"}"#).into_response();
    }
    assert_eq!(body["version"], 1);
    assert_eq!(headers["idempotency-key"].to_str().unwrap(), body["message_id"].as_str().unwrap());
    let timestamp = headers["x-drift-check-timestamp"].to_str().unwrap();
    let age = chrono::Utc::now().timestamp() - timestamp.parse::<i64>().unwrap();
    assert!((0..60).contains(&age), "{age}");
    let signature = headers["x-drift-check-signature"].to_str().unwrap().strip_prefix("sha256=").unwrap();
    let signature: Vec<u8> =
        (0..signature.len()).step_by(2).map(|at| u8::from_str_radix(&signature[at..at + 2], 16).unwrap()).collect();
    let signed = [timestamp.as_bytes(), b".", bytes].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SIGNING_SECRET.as_bytes());
    hmac::verify(&key, &signed, &signature).unwrap();
    StatusCode::NO_CONTENT.into_response()
}

struct Encrypted {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Encrypted {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            let (stream, address) = self.listener.accept().await.unwrap();
            // Who does not trust us goes away.
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}
