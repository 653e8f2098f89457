//! A proxy that speaks HTTP on both sides, one request a connection, and does to the requests that are meant what networks and servers do
//! on bad days. With encryption where asked: there, a flipped bit meets what it meets in production.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use super::Faulty;
use super::message::Message;
use super::wire::{Switches, Wire, hold};
use crate::authority::Leaf;

/// What happens to a request that is meant.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The answer comes this much later.
    Late(Duration),
    /// The answer comes in so many pieces, with a pause before each.
    Trickle(usize, Duration),
    /// From now on nobody listens.
    Refused,
    /// Carried out; the answer is cut, and the connection reset.
    Reset(Cut),
    /// Carried out; the answer is cut, and the connection ends.
    Truncated(Cut),
    /// Carried out; the answer is cut, and nothing follows: the other side is gone, and nobody says so.
    HalfOpen(Cut),
    /// Not carried out, and no answer ever.
    Silent,
    /// Carried out; one bit of the encrypted answer is another.
    AnswerFlipped,
    /// One bit of every encrypted request is another.
    RequestFlipped,
    /// One bit in the middle of the body of the answer is another, and nothing encrypts it.
    BodyFlipped,
    /// One bit in the middle of the body of the request is another, and nothing encrypts it.
    SentFlipped,
    /// Not carried out; these statuses in turn, perhaps with a `Retry-After`.
    Statuses(&'static [u16], Option<&'static str>),
    /// Not carried out; leads to another host.
    Redirected(String),
    /// Not carried out; success, and this text.
    Says(&'static str),
    /// Carried out; the body of the answer is something else.
    Garbled,
    /// Carried out; the announced length is too small.
    TooShort,
    /// Carried out; the body of the answer never ends.
    EndlessBody,
    /// Carried out; the head of the answer never ends.
    EndlessHead,
}

#[derive(Clone, Copy, Debug)]
pub enum Cut {
    BeforeItBegins,
    InTheMiddle,
}

impl Fault {
    /// How many requests it takes to have seen all of it.
    pub fn times(&self) -> usize {
        if let Self::Statuses(codes, _) = self { codes.len() } else { 1 }
    }
}

/// As the table of the faults names it.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |codes: &[u16]| codes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        match self {
            Self::Late(pause) => write!(f, "latency of {pause:?}"),
            Self::Trickle(pieces, pause) => write!(f, "a trickle: {pieces} pieces, {pause:?} apart"),
            Self::Refused => f.write_str("connection refused"),
            Self::Reset(cut) => write!(f, "reset {cut}"),
            Self::Truncated(cut) => write!(f, "truncated {cut}"),
            Self::HalfOpen(cut) => write!(f, "half-open: silence {cut}"),
            Self::Silent => f.write_str("black hole: never an answer"),
            Self::AnswerFlipped => f.write_str("a bit flips in the encrypted answer"),
            Self::RequestFlipped => f.write_str("a bit flips in the encrypted request"),
            Self::BodyFlipped => f.write_str("a bit flips in the body of the answer, without encryption"),
            Self::SentFlipped => f.write_str("a bit flips in the body of the request, without encryption"),
            Self::Statuses(codes, Some(pause)) => write!(f, "{}, `Retry-After: {pause}`", listed(codes)),
            Self::Statuses(codes, None) if codes.len() > 1 => write!(f, "{} in turn", listed(codes)),
            Self::Statuses(codes, None) => f.write_str(&listed(codes)),
            Self::Redirected(_) => f.write_str("302 to another host"),
            Self::Says(text) => write!(f, "200 and `{text}`"),
            Self::Garbled => f.write_str("a garbled body"),
            Self::TooShort => f.write_str("a content length that is too small"),
            Self::EndlessBody => f.write_str("an endless body"),
            Self::EndlessHead => f.write_str("an endless header"),
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeItBegins => "before the answer",
            Self::InTheMiddle => "in the middle of the answer",
        })
    }
}

/// Which requests are meant: their first line holds all of this.
pub type Part = &'static [&'static str];

struct Shared {
    target: String,
    part: Part,
    fault: Fault,
    seen: AtomicUsize,
    listens: AtomicBool,
    gone: Notify,
}

/// A running proxy; it goes with the runtime.
pub struct HttpProxy {
    pub address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
}

impl HttpProxy {
    /// In front of a server without encryption; encrypted itself with the certificate, if there is one.
    pub async fn start(target: &str, part: Part, fault: Fault, leaf: Option<&Leaf>) -> Self {
        let (listener, Faulty { address, .. }) = Faulty::bind().await;
        let shared = Arc::new(Shared {
            target: target.to_owned(),
            part,
            fault,
            seen: AtomicUsize::new(0),
            listens: AtomicBool::new(true),
            gone: Notify::new(),
        });
        let acceptor = leaf.map(|leaf| TlsAcceptor::from(leaf.server()));
        tokio::spawn(Arc::clone(&shared).listen(listener, acceptor));
        Self { address, scheme: if leaf.is_some() { "https" } else { "http" }, shared }
    }

    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// How many requests were meant.
    pub fn seen(&self) -> usize {
        self.shared.seen.load(Ordering::SeqCst)
    }
}

impl Shared {
    async fn listen(self: Arc<Self>, listener: TcpListener, acceptor: Option<TlsAcceptor>) {
        while self.listens.load(Ordering::SeqCst) {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.gone.notified() => break,
            };
            let Ok((stream, _)) = accepted else { break };
            let (shared, acceptor) = (Arc::clone(&self), acceptor.clone());
            tokio::spawn(async move {
                let (wire, switches) = Wire::new(stream);
                if matches!(shared.fault, Fault::RequestFlipped) {
                    switches.flip_request();
                }
                // A client that goes away, or whose words make no sense, is not served.
                let _ = match acceptor {
                    None => shared.serve(wire, &switches).await,
                    Some(acceptor) => match acceptor.accept(wire).await {
                        Ok(stream) => shared.serve(stream, &switches).await,
                        Err(error) => Err(error),
                    },
                };
            });
        }
    }

    async fn serve(&self, mut client: impl AsyncRead + AsyncWrite + Unpin, switches: &Switches) -> io::Result<()> {
        let Some(request) = Message::read(&mut client).await? else { return Ok(()) };
        let line = request.first_line();
        if !self.part.iter().all(|part| line.contains(part)) {
            let answer = request.carried_out(&self.target).await?;
            return send(&mut client, &answer.bytes()).await;
        }
        let number = self.seen.fetch_add(1, Ordering::SeqCst);
        match &self.fault {
            Fault::Statuses(codes, retry_after) => send(&mut client, &status(codes[number % codes.len()], *retry_after)).await,
            Fault::Redirected(to) => {
                let head = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                send(&mut client, head.as_bytes()).await
            }
            Fault::Says(text) => send(&mut client, &answer("200 OK", "text/plain", text, "")).await,
            Fault::Silent => {
                hold(&mut client).await;
                Ok(())
            }
            Fault::Refused => {
                self.listens.store(false, Ordering::SeqCst);
                self.gone.notify_one();
                switches.reset();
                Ok(())
            }
            fault => {
                let sent = if matches!(fault, Fault::SentFlipped) { flipped(&request) } else { request };
                let answer = sent.carried_out(&self.target).await?;
                broken(client, switches, fault, answer).await
            }
        }
    }
}

/// Gives an answer to a request that was carried out, as the fault has it.
async fn broken(
    mut client: impl AsyncRead + AsyncWrite + Unpin,
    switches: &Switches,
    fault: &Fault,
    answer: Message,
) -> io::Result<()> {
    match fault {
        Fault::Late(pause) => {
            tokio::time::sleep(*pause).await;
            send(&mut client, &answer.bytes()).await
        }
        Fault::Trickle(pieces, pause) => {
            let bytes = answer.bytes();
            for piece in bytes.chunks(bytes.len().div_ceil(*pieces)) {
                tokio::time::sleep(*pause).await;
                client.write_all(piece).await?;
                client.flush().await?;
            }
            send(&mut client, &[]).await
        }
        Fault::Truncated(cut) => send(&mut client, &cut_off(&answer, *cut)).await,
        Fault::Reset(cut) | Fault::HalfOpen(cut) => {
            client.write_all(&cut_off(&answer, *cut)).await?;
            client.flush().await?;
            if matches!(fault, Fault::HalfOpen(_)) {
                hold(&mut client).await;
            } else {
                // What was sent before a reset is lost unless it was read.
                tokio::time::sleep(Duration::from_millis(50)).await;
                switches.reset();
            }
            Ok(())
        }
        Fault::AnswerFlipped => {
            switches.flip_answer();
            send(&mut client, &answer.bytes()).await
        }
        Fault::BodyFlipped => send(&mut client, &flipped(&answer).bytes()).await,
        Fault::Garbled => {
            let garbled = Message { body: vec![b'?'; answer.body.len()], ..answer };
            send(&mut client, &garbled.bytes()).await
        }
        Fault::TooShort => {
            let length = answer.body.len().saturating_sub(10);
            let lines = format!("content-length: {length}\r\n");
            let short = Message { body: answer.body[..length].to_vec(), ..answer };
            send(&mut client, &short.with(&["content-length"], &lines).bytes()).await
        }
        Fault::EndlessBody => {
            let head = Message { body: Vec::new(), ..answer };
            let head = head.with(&["content-length", "transfer-encoding"], "transfer-encoding: chunked\r\n");
            let chunk = [b"10000\r\n".as_slice(), &vec![b'x'; 0x1_0000], b"\r\n"].concat();
            endless(&mut client, &head.bytes(), &chunk).await
        }
        Fault::EndlessHead => {
            let begin = format!("{}\r\nx-endless: ", answer.first_line());
            endless(&mut client, begin.as_bytes(), &vec![b'x'; 0x1_0000]).await
        }
        // The others were done, or are done on the wire.
        _ => send(&mut client, &answer.bytes()).await,
    }
}

/// Sends the last bytes, and lets the client end the connection.
async fn send(client: &mut (impl AsyncRead + AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    client.write_all(bytes).await?;
    client.shutdown().await?;
    hold(client).await;
    Ok(())
}

/// 64 MiB a second, until the client goes away.
async fn endless(client: &mut (impl AsyncWrite + Unpin), begin: &[u8], chunk: &[u8]) -> io::Result<()> {
    client.write_all(begin).await?;
    loop {
        client.write_all(chunk).await?;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn cut_off(answer: &Message, cut: Cut) -> Vec<u8> {
    match cut {
        Cut::BeforeItBegins => Vec::new(),
        Cut::InTheMiddle => {
            let length = answer.body.len();
            // Of the last byte nothing is left out: whoever goes on where it broke comes to an end, after some times.
            let lost = if length < 16 { length / 2 } else { length / 16 };
            [answer.head.as_slice(), &answer.body[..length - lost]].concat()
        }
    }
}

fn flipped(message: &Message) -> Message {
    let (head, mut body) = (message.head.clone(), message.body.clone());
    let middle = body.len() / 2;
    body.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 1);
    Message { head, body }
}

fn status(code: u16, retry_after: Option<&str>) -> Vec<u8> {
    let body = format!("{{\"error\":{{\"code\":{code},\"message\":\"made up by the test\"}}}}");
    let more = retry_after.map(|pause| format!("retry-after: {pause}\r\n")).unwrap_or_default();
    answer(&format!("{code} Status"), "application/json", &body, &more)
}

fn answer(status: &str, kind: &str, body: &str, more: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n");
    format!("{head}{body}").into_bytes()
}

/// Connections between the client and a server that are not looked at: every one ends after so many bytes of the server's, with a reset
/// or with an end.
pub async fn cutting(target: &str, after_bytes: u64, resets: bool) -> Faulty {
    let (listener, server) = Faulty::bind().await;
    let (seen, target) = (Arc::clone(&server.seen), target.to_owned());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            seen.fetch_add(1, Ordering::SeqCst);
            let target = target.clone();
            tokio::spawn(async move {
                let (wire, switches) = Wire::new(client);
                let Ok(upstream) = TcpStream::connect(&target).await else { return };
                let (mut from_client, mut to_client) = tokio::io::split(wire);
                let (from_server, mut to_server) = upstream.into_split();
                let mut some = tokio::io::AsyncReadExt::take(from_server, after_bytes);
                tokio::select! {
                    _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
                    _ = tokio::io::copy(&mut some, &mut to_client) => {}
                }
                if resets {
                    switches.reset();
                } else {
                    let _ = to_client.shutdown().await;
                    hold(&mut from_client).await;
                }
            });
        }
    });
    server
}
