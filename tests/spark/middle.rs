//! Who stands between a check and its cluster, and passes bytes on: until its connections are cut, with other words in them, or encrypted.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use tokio_rustls::TlsAcceptor;

use crate::authority::Leaf;

pub struct Middle {
    pub port: u16,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Middle {
    pub fn before(server: u16) -> Self {
        Self::saying(server, "", "")
    }

    /// Whatever the cluster says, with some words instead of others of the same length.
    pub fn saying(server: u16, instead_of: &'static str, words: &'static str) -> Self {
        assert_eq!(instead_of.len(), words.len());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let middle = Self { port: listener.local_addr().unwrap().port(), streams: Arc::default() };
        let streams = Arc::clone(&middle.streams);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let far = TcpStream::connect(("127.0.0.1", server)).unwrap();
                streams.lock().unwrap().extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                let (to_far, to_near) = (far.try_clone().unwrap(), near.try_clone().unwrap());
                std::thread::spawn(move || pass(near, to_far, "", ""));
                std::thread::spawn(move || pass(far, to_near, instead_of, words));
            }
        });
        middle
    }

    pub fn cut(&self) {
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Passes on what one says to the other, until one of them goes away.
fn pass(mut from: TcpStream, mut to: TcpStream, instead_of: &str, words: &str) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let said = &mut buffer[..length];
        for start in 0..(length + 1).saturating_sub(instead_of.len()) {
            let here = &mut said[start..start + instead_of.len()];
            if here == instead_of.as_bytes() {
                here.copy_from_slice(words.as_bytes());
            }
        }
        if to.write_all(said).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Passes bytes on to a server that does not encrypt, for those who do; at the port that it returns.
pub fn encrypted(server: u16, leaf: &Leaf) -> u16 {
    let mut config = Arc::unwrap_or_clone(leaf.server());
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Who does not trust us goes away.
                    let Ok(mut near) = acceptor.accept(stream).await else { return };
                    let mut far = tokio::net::TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
    });
    port
}
