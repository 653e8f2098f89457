//! A proxy that follows the dialogue with a mail server, and does at one step of it what mail servers and networks do on bad days.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::Faulty;
use super::wire::{Switches, Wire, hold};

/// Where it happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Greeting,
    Ehlo,
    Mail,
    Rcpt,
    Data,
    /// When the text has been sent, before it is passed on.
    Text,
    /// When the text has been taken.
    Receipt,
}

/// What happens.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// This line stands for the server's, which was not asked.
    Says(&'static str),
    Late(Duration),
    Ends,
    Resets,
    Silent,
    /// A line that never ends.
    Endless,
}

/// In front of a mail server without encryption.
pub async fn start(target: &str, step: Step, fault: Fault) -> Faulty {
    let (listener, server) = Faulty::bind().await;
    let (seen, target) = (Arc::clone(&server.seen), target.to_owned());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            seen.fetch_add(1, Ordering::SeqCst);
            let target = target.clone();
            tokio::spawn(async move {
                let (wire, switches) = Wire::new(client);
                let Ok(upstream) = TcpStream::connect(&target).await else { return };
                let dialogue = Dialogue { client: BufReader::new(wire), server: BufReader::new(upstream), switches, step, fault };
                // Ends with an error when either side goes away, which is how it ends.
                let _ = dialogue.run().await;
            });
        }
    });
    server
}

struct Dialogue {
    client: BufReader<Wire>,
    server: BufReader<TcpStream>,
    switches: Arc<Switches>,
    step: Step,
    fault: Fault,
}

impl Dialogue {
    async fn run(mut self) -> io::Result<()> {
        let greeting = reply(&mut self.server).await?;
        self.answer(Step::Greeting, greeting).await?;
        loop {
            let line = line(&mut self.client).await?;
            let verb = line.get(..4).unwrap_or_default().to_uppercase();
            let step = match verb.as_str() {
                "EHLO" => Some(Step::Ehlo),
                "MAIL" => Some(Step::Mail),
                "RCPT" => Some(Step::Rcpt),
                "DATA" => Some(Step::Data),
                _ => None,
            };
            if step == Some(self.step) {
                self.answer(self.step, String::new()).await?;
                continue;
            }
            let replied = self.ask(&line).await?;
            self.client.get_mut().write_all(replied.as_bytes()).await?;
            if verb == "DATA" && replied.starts_with('3') {
                self.text().await?;
            }
        }
    }

    async fn ask(&mut self, line: &str) -> io::Result<String> {
        self.server.get_mut().write_all(line.as_bytes()).await?;
        reply(&mut self.server).await
    }

    async fn text(&mut self) -> io::Result<()> {
        let mut text = String::new();
        while !text.ends_with("\r\n.\r\n") {
            text.push_str(&line(&mut self.client).await?);
        }
        if self.step == Step::Text {
            return self.answer(Step::Text, String::new()).await;
        }
        let receipt = self.ask(&text).await?;
        self.answer(Step::Receipt, receipt).await
    }

    /// Gives what the server says at a step, or what happens there instead.
    async fn answer(&mut self, step: Step, said: String) -> io::Result<()> {
        let client = self.client.get_mut();
        if step != self.step {
            return client.write_all(said.as_bytes()).await;
        }
        match self.fault {
            Fault::Says(line) => return client.write_all(format!("{line}\r\n").as_bytes()).await,
            Fault::Late(pause) => {
                tokio::time::sleep(pause).await;
                return client.write_all(said.as_bytes()).await;
            }
            Fault::Silent => hold(client).await,
            Fault::Resets => self.switches.reset(),
            Fault::Ends => client.shutdown().await?,
            Fault::Endless => {
                let line = vec![b'2'; 0x1_0000];
                loop {
                    client.write_all(&line).await?;
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        }
        Err(io::Error::other("the dialogue is over"))
    }
}

async fn line(stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>) -> io::Result<String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await? {
        0 => Err(io::Error::other("the other side is gone")),
        _ => Ok(line),
    }
}

/// A reply of one line or several: in all but the last, a hyphen follows the code.
async fn reply(stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>) -> io::Result<String> {
    let mut reply = String::new();
    loop {
        let next = line(stream).await?;
        reply.push_str(&next);
        if next.as_bytes().get(3) != Some(&b'-') {
            return Ok(reply);
        }
    }
}
