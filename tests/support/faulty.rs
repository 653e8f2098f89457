//! Servers that do not do what is asked: one that never answers, one that answers every gRPC call with an error, one that breaks
//! connections on the way to a real one. And proxies that look at what passes, and do what is to be done to the right one: of HTTP
//! ([`http`]), of gRPC ([`grpc`]) and of mail ([`smtp`]).

#[path = "faulty/grpc.rs"]
pub mod grpc;
#[path = "faulty/http.rs"]
pub mod http;
#[path = "faulty/message.rs"]
mod message;
#[path = "faulty/smtp.rs"]
pub mod smtp;
#[path = "faulty/wire.rs"]
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::http::Response;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// A server on a free port; it goes with the test's runtime.
pub struct Faulty {
    pub address: SocketAddr,
    /// Calls, or connections where calls are not looked at.
    pub seen: Arc<AtomicU32>,
}

impl Faulty {
    pub fn seen(&self) -> u32 {
        self.seen.load(Ordering::SeqCst)
    }

    /// An address where nobody listens.
    pub fn nobody() -> SocketAddr {
        // Bound and let go.
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
    }

    async fn bind() -> (TcpListener, Self) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, Self { address, seen: Arc::default() })
    }

    /// Takes connections and says nothing.
    pub async fn silent() -> Self {
        let (listener, server) = Self::bind().await;
        let seen = Arc::clone(&server.seen);
        tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                seen.fetch_add(1, Ordering::SeqCst);
                held.push(stream);
            }
        });
        server
    }

    /// Answers every gRPC call with this status code.
    pub async fn status(code: u32) -> Self {
        let (listener, server) = Self::bind().await;
        let seen = Arc::clone(&server.seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let seen = Arc::clone(&seen);
                tokio::spawn(async move {
                    let mut connection = h2::server::handshake(stream).await.unwrap();
                    while let Some(Ok((_, mut respond))) = connection.accept().await {
                        seen.fetch_add(1, Ordering::SeqCst);
                        let answer = Response::builder().header("content-type", "application/grpc");
                        let answer = answer.header("grpc-status", code).header("grpc-message", "made up by the test");
                        respond.send_response(answer.body(()).unwrap(), true).unwrap();
                    }
                });
            }
        });
        server
    }

    /// Passes connections on, but breaks each of the first ones after some bytes of the answer.
    pub async fn breaking(target: &str, broken: u32, after_bytes: u64) -> Self {
        let (listener, server) = Self::bind().await;
        let (seen, target) = (Arc::clone(&server.seen), target.to_owned());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let breaks = seen.fetch_add(1, Ordering::SeqCst) < broken;
                let mut upstream = TcpStream::connect(&target).await.unwrap();
                tokio::spawn(async move {
                    if !breaks {
                        // Ends with an error when either side goes away, which is how it ends.
                        let _ = tokio::io::copy_bidirectional(&mut client, &mut upstream).await;
                        return;
                    }
                    let (mut from_client, mut to_client) = client.split();
                    let (from_server, mut to_server) = upstream.split();
                    let mut some = tokio::io::AsyncReadExt::take(from_server, after_bytes);
                    tokio::select! {
                        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
                        _ = tokio::io::copy(&mut some, &mut to_client) => {}
                    }
                    let _ = client.shutdown().await;
                });
            }
        });
        server
    }
}
