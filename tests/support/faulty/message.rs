//! A request and an answer of HTTP/1.1 as bytes, read whole. Nothing is checked: what passes is what was sent.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const END_OF_HEAD: &[u8] = b"\r\n\r\n";

pub struct Message {
    /// With the empty line that ends it.
    pub head: Vec<u8>,
    pub body: Vec<u8>,
}

impl Message {
    /// A request; `None` where the client has none.
    pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Self>> {
        let (mut bytes, mut chunk) = (Vec::new(), vec![0; 16 << 10]);
        loop {
            if let Some(message) = Self::whole(&bytes) {
                return Ok(Some(message));
            }
            let read = stream.read(&mut chunk).await?;
            if read == 0 {
                return Ok(None);
            }
            bytes.extend_from_slice(&chunk[..read]);
        }
    }

    /// All of a request that has arrived; `None` while there is more to come.
    fn whole(bytes: &[u8]) -> Option<Self> {
        let message = Self::split(bytes)?;
        let is_whole = match (message.header("content-length"), message.header("transfer-encoding")) {
            (Some(length), _) => message.body.len() >= length.parse::<usize>().unwrap(),
            (None, Some(_)) => message.body.ends_with(b"\r\n0\r\n\r\n"),
            (None, None) => true,
        };
        is_whole.then_some(message)
    }

    pub fn split(bytes: &[u8]) -> Option<Self> {
        let at = bytes.windows(END_OF_HEAD.len()).position(|window| window == END_OF_HEAD)? + END_OF_HEAD.len();
        Some(Self { head: bytes[..at].to_vec(), body: bytes[at..].to_vec() })
    }

    pub fn bytes(&self) -> Vec<u8> {
        [self.head.as_slice(), self.body.as_slice()].concat()
    }

    /// The line of the request, or of the status.
    pub fn first_line(&self) -> String {
        String::from_utf8_lossy(&self.head).lines().next().unwrap_or_default().to_owned()
    }

    pub fn header(&self, name: &str) -> Option<String> {
        let head = String::from_utf8_lossy(&self.head).into_owned();
        let mut headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
    }

    /// Without the headers of these names, and with these lines at the end of the head.
    pub fn with(&self, without: &[&str], lines: &str) -> Self {
        let head = String::from_utf8_lossy(&self.head).into_owned();
        let is_kept = |line: &&str| !without.iter().any(|name| line.to_lowercase().starts_with(&format!("{name}:")));
        let kept: Vec<&str> = head.trim_end().split("\r\n").filter(is_kept).collect();
        Self { head: format!("{}\r\n{lines}\r\n", kept.join("\r\n")).into_bytes(), body: self.body.clone() }
    }

    /// Sends a request where it was going; the whole answer.
    pub async fn carried_out(&self, target: &str) -> io::Result<Self> {
        let mut upstream = TcpStream::connect(target).await?;
        upstream.write_all(&self.with(&["connection"], "connection: close\r\n").bytes()).await?;
        let mut answer = Vec::new();
        upstream.read_to_end(&mut answer).await?;
        Self::split(&answer).ok_or_else(|| io::Error::other("no answer"))
    }
}
