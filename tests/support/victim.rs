//! A process that is killed (SIGKILL) at a step which others see: a request to a server, or a piece of what goes over a connection.

use std::io::{Read, Seek};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::runtime::Handle;

use crate::workspace::Ran;

/// A run that takes longer hangs.
const PATIENCE: Duration = Duration::from_mins(2);

#[derive(Default)]
struct State {
    child: Option<Child>,
    steps: Vec<String>,
    dies_at: Option<u32>,
}

#[derive(Default)]
pub struct Victim {
    state: Mutex<State>,
}

impl Victim {
    /// Takes note of a step; whether the process dies of it.
    pub fn step(&self, what: &str) -> bool {
        let mut state = self.state.lock().unwrap();
        state.steps.push(what.to_owned());
        if state.dies_at != Some(state.steps.len() as u32) {
            return false;
        }
        state.child.as_mut().unwrap().kill().unwrap();
        true
    }

    /// Runs a command, which is killed at this step, the first being 1: `None` then; and its steps.
    pub fn run(&self, command: &mut Command, dies_at: Option<u32>) -> (Option<Ran>, Vec<String>) {
        let (mut stdout, mut stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        command.stdin(Stdio::null()).stdout(stdout.try_clone().unwrap()).stderr(stderr.try_clone().unwrap());
        {
            // Nothing is a step of it before it is known.
            let mut state = self.state.lock().unwrap();
            *state = State { child: Some(command.spawn().unwrap()), steps: Vec::new(), dies_at };
        }
        let started = Instant::now();
        let status = loop {
            let ended = self.state.lock().unwrap().child.as_mut().unwrap().try_wait().unwrap();
            if let Some(status) = ended {
                break status;
            }
            assert!(started.elapsed() < PATIENCE, "it hangs after {:?}", self.state.lock().unwrap().steps.last());
            std::thread::sleep(Duration::from_millis(2));
        };
        let read = |file: &mut std::fs::File| {
            let mut text = String::new();
            file.rewind().unwrap();
            file.read_to_string(&mut text).unwrap();
            text
        };
        let ran = status.code().map(|code| Ran { code, stdout: read(&mut stdout), stderr: read(&mut stderr) });
        (ran, std::mem::take(&mut self.state.lock().unwrap().steps))
    }

    /// A way to a server, `HOST:PORT`, on which every piece, in either direction, is a step: killed at one, it does not arrive.
    pub fn on_the_way_to(self: &Arc<Self>, server: &str, name: &'static str, runtime: &Handle) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (victim, server) = (Arc::clone(self), server.to_owned());
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((client, _)) = listener.accept().await {
                let Ok(upstream) = TcpStream::connect(&server).await else { continue };
                for stream in [&client, &upstream] {
                    stream.set_nodelay(true).unwrap();
                }
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), upstream.into_split());
                tokio::spawn(pass(from_client, to_server, Arc::clone(&victim), format!("to {name}")));
                tokio::spawn(pass(from_server, to_client, Arc::clone(&victim), format!("from {name}")));
            }
        });
        address
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, victim: Arc<Victim>, what: String) {
    let mut piece = vec![0; 1 << 16];
    while let Ok(length) = from.read(&mut piece).await {
        if length == 0 || victim.step(&what) || to.write_all(&piece[..length]).await.is_err() {
            break;
        }
    }
    // The other side may be gone already.
    drop(to.shutdown().await);
}
