//! A proxy that speaks gRPC on both sides, and does to the calls that are meant what networks and Firestore do on bad days.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, Response};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::Faulty;
use super::wire::{Switches, Wire};

/// What happens to a call that is meant.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// Not carried out; these codes in turn.
    Codes(&'static [u32]),
    /// Carried out; the answer comes this much later.
    Late(Duration),
    /// Not carried out, and no answer ever.
    Silent,
    /// Carried out; the connection is reset before the answer.
    Reset,
    /// Carried out; the connection ends when the answer has begun.
    Truncated,
    /// Carried out; the frames of the answer make no sense.
    Garbled,
}

/// Says of a call, by its path and its bytes, whether it is meant; asked once for each.
pub type Part = Arc<dyn Fn(&str, &[u8]) -> bool + Send + Sync>;

/// A running proxy; it goes with the runtime.
pub struct GrpcProxy {
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: String,
    part: Part,
    fault: Fault,
    seen: AtomicU32,
}

/// A connection of the client: how it is broken from within a call.
struct Line {
    switches: Arc<Switches>,
    breaks: Notify,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

impl GrpcProxy {
    pub async fn start(target: &str, part: Part, fault: Fault) -> Self {
        let (listener, Faulty { address, .. }) = Faulty::bind().await;
        let shared = Arc::new(Shared { target: target.to_owned(), part, fault, seen: AtomicU32::new(0) });
        tokio::spawn(Arc::clone(&shared).listen(listener));
        Self { address, shared }
    }

    /// How many calls were meant.
    pub fn seen(&self) -> u32 {
        self.shared.seen.load(Ordering::SeqCst)
    }
}

impl Shared {
    async fn listen(self: Arc<Self>, listener: TcpListener) {
        while let Ok((stream, _)) = listener.accept().await {
            let shared = Arc::clone(&self);
            tokio::spawn(async move {
                let (wire, switches) = Wire::new(stream);
                let line = Arc::new(Line { switches, breaks: Notify::new() });
                let Ok(mut connection) = h2::server::handshake(wire).await else { return };
                loop {
                    let accepted = tokio::select! {
                        accepted = connection.accept() => accepted,
                        () = line.breaks.notified() => return,
                    };
                    let Some(Ok((request, respond))) = accepted else { return };
                    let (shared, line) = (Arc::clone(&shared), Arc::clone(&line));
                    // A call that fails on its way fails for the client too, whose stream ends with it.
                    tokio::spawn(async move { shared.serve(request, respond, &line).await });
                }
            });
        }
    }

    async fn serve(&self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>, line: &Line) -> Result<(), Failure> {
        let (head, mut stream) = request.into_parts();
        let body = collected(&mut stream).await?;
        if !(self.part)(head.uri.path(), &body) {
            return pass_on(self.carried_out(Request::from_parts(head, ()), body).await?, &mut respond).await;
        }
        let number = self.seen.fetch_add(1, Ordering::SeqCst) as usize;
        match self.fault {
            Fault::Codes(codes) => {
                let answer = Response::builder().header("content-type", "application/grpc");
                let answer =
                    answer.header("grpc-status", codes[number % codes.len()]).header("grpc-message", "made up by the test");
                respond.send_response(answer.body(())?, true)?;
                return Ok(());
            }
            Fault::Silent => std::future::pending().await,
            _ => {}
        }
        let answer = self.carried_out(Request::from_parts(head, ()), body).await?;
        match self.fault {
            Fault::Reset => {
                line.switches.reset();
                line.breaks.notify_one();
                Ok(())
            }
            Fault::Truncated => {
                // Held: a stream that is let go is cancelled.
                let _out = respond.send_response(answer.map(drop), false)?;
                tokio::time::sleep(Duration::from_millis(50)).await;
                line.breaks.notify_one();
                Ok(())
            }
            Fault::Garbled => {
                let mut out = respond.send_response(answer.map(drop), false)?;
                // A frame of gRPC: whether it is compressed, its length, its bytes.
                out.send_data(Bytes::from_static(b"\0\0\0\0\x05?????"), true)?;
                Ok(())
            }
            Fault::Late(pause) => {
                tokio::time::sleep(pause).await;
                pass_on(answer, &mut respond).await
            }
            Fault::Codes(_) | Fault::Silent => Ok(()),
        }
    }

    /// Sends a call where it was going, over a connection of its own.
    async fn carried_out(&self, request: Request<()>, body: Bytes) -> Result<Response<RecvStream>, Failure> {
        let (client, connection) = h2::client::handshake(TcpStream::connect(&self.target).await?).await?;
        tokio::spawn(connection);
        let (answer, mut stream) = client.ready().await?.send_request(request, false)?;
        stream.send_data(body, true)?;
        Ok(answer.await?)
    }
}

async fn collected(stream: &mut RecvStream) -> Result<Bytes, Failure> {
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.data().await {
        let chunk = chunk?;
        stream.flow_control().release_capacity(chunk.len())?;
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.into())
}

async fn pass_on(answer: Response<RecvStream>, respond: &mut SendResponse<Bytes>) -> Result<(), Failure> {
    let (head, mut stream) = answer.into_parts();
    if stream.is_end_stream() {
        respond.send_response(Response::from_parts(head, ()), true)?;
        return Ok(());
    }
    let mut out: SendStream<Bytes> = respond.send_response(Response::from_parts(head, ()), false)?;
    let body = collected(&mut stream).await?;
    out.send_data(body, false)?;
    match stream.trailers().await? {
        Some(trailers) => out.send_trailers(trailers)?,
        None => out.send_data(Bytes::new(), true)?,
    }
    Ok(())
}
