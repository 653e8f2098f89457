//! A connection as a proxy holds it: it can end with a reset, and flip a bit of what passes, below the encryption.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What can be done to a connection while it is in somebody else's hands.
#[derive(Default)]
pub struct Switches {
    /// It ends with a reset (RST), not with an end (FIN).
    resets: AtomicBool,
    /// One bit of what is written next is another.
    flips_answer: AtomicBool,
    /// One bit of the first encrypted request is another.
    flips_request: AtomicBool,
}

impl Switches {
    pub fn reset(&self) {
        self.resets.store(true, Ordering::SeqCst);
    }

    pub fn flip_answer(&self) {
        self.flips_answer.store(true, Ordering::SeqCst);
    }

    pub fn flip_request(&self) {
        self.flips_request.store(true, Ordering::SeqCst);
    }
}

pub struct Wire {
    stream: TcpStream,
    switches: Arc<Switches>,
    records: Records,
}

impl Wire {
    pub fn new(stream: TcpStream) -> (Self, Arc<Switches>) {
        let switches = Arc::<Switches>::default();
        (Self { stream, switches: Arc::clone(&switches), records: Records::default() }, switches)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.switches.resets.load(Ordering::SeqCst) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

/// Where the client's side of TLS stands: records of a type, two bytes of version and a length. The first encrypted one ends the handshake,
/// the second is the request.
#[derive(Default)]
struct Records {
    header: Vec<u8>,
    left: usize,
    encrypted: u32,
    /// The next byte is the first of the request.
    begins: bool,
}

impl Records {
    /// Whether this byte is the first of the request, as it is encrypted.
    fn is_request(&mut self, byte: u8) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return std::mem::take(&mut self.begins);
        }
        self.header.push(byte);
        if let [kind, _, _, high, low] = self.header[..] {
            self.header.clear();
            self.left = usize::from(u16::from_be_bytes([high, low]));
            self.encrypted += u32::from(kind == 0x17);
            self.begins = kind == 0x17 && self.encrypted == 2;
        }
        false
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let Self { stream, switches, records } = &mut *self;
        let polled = Pin::new(stream).poll_read(context, buffer);
        if switches.flips_request.load(Ordering::SeqCst) {
            for byte in &mut buffer.filled_mut()[before..] {
                *byte ^= u8::from(records.is_request(*byte));
            }
        }
        polled
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { stream, switches, .. } = &mut *self;
        if !switches.flips_answer.load(Ordering::SeqCst) {
            return Pin::new(stream).poll_write(context, bytes);
        }
        let mut flipped = bytes.to_vec();
        let middle = flipped.len() / 2;
        flipped.iter_mut().skip(middle).take(1).for_each(|byte| *byte ^= 1);
        let polled = Pin::new(stream).poll_write(context, &flipped);
        if matches!(polled, Poll::Ready(Ok(written)) if written > middle) {
            switches.flips_answer.store(false, Ordering::SeqCst);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// Holds a connection until the other side goes away.
pub async fn hold(stream: &mut (impl AsyncRead + Unpin)) {
    let mut unread = [0; 1_024];
    while stream.read(&mut unread).await.is_ok_and(|read| read > 0) {}
}
