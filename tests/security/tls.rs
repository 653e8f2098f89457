//! Nothing is sent to a server that cannot prove who it is: no message, no password, no token; the same servers with a good certificate get
//! it all.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::emitted::Emitted;
use crate::authority::{Authority, Leaf};
use crate::credentials::{private_key, service_account};
use crate::mail_server::{Kind, MailServer};
use crate::message_server::{MessageServer, SIGNING_SECRET};
use crate::storage_server::StorageServer;
use crate::workspace::{AS_OF, Ran, Workspace, rows, stamp};

/// Certificates that prove nothing to who trusts `authority`, and what is said of each.
fn doubtful(authority: &Authority) -> [(&'static str, Leaf, &'static str); 3] {
    [
        ("of another host", authority.of_another_host(), "not valid for name"),
        ("expired", authority.expired(), "expired"),
        ("of an unknown authority", Authority::new().good(), "UnknownIssuer"),
    ]
}

/// A drifted window that is told by all four channels, all of them encrypted.
fn tell(authority: &Authority, server: &MessageServer, mail: &MailServer) -> Ran {
    let workspace = Workspace::new();
    workspace.write("ca.pem", &authority.pem).reference().logs(300, 0.5).config(&format!(
        "[signals.data-drift]\nmode = \"notify\"\nchannels = [\"slack\", \"email\", \"pagerduty\", \"webhook\"]\n\
         [channels]\ntimeout = \"20s\"\nca_file = \"{}\"\n[channels.slack]\nwebhook = \"env:SLACK\"\n\
         [channels.email]\nsmtp = \"127.0.0.1:{}\"\ntls = \"implicit\"\nfrom = \"drift@example.com\"\nto = [\"oncall@example.com\"]\n\
         username = \"drift\"\npassword = \"env:KEY\"\n[channels.pagerduty]\nkey = \"env:KEY\"\nendpoint = \"{}\"\n\
         [channels.webhook]\nurl = \"env:HOOK\"\nsecret = \"env:SIGNING\"\n",
        workspace.path("ca.pem").display(),
        mail.port,
        server.url("/v2/enqueue"),
    ));
    let (slack, hook) = (server.url("/services/T0/B0/x"), server.url("/hook"));
    let environment = [("SLACK", slack.as_str()), ("HOOK", &hook), ("KEY", "password"), ("SIGNING", SIGNING_SECRET)];
    tokio::task::block_in_place(|| workspace.run_with(&["--config", "config.toml", "--as-of", AS_OF], &environment))
}

fn mail(leaf: &Leaf) -> MailServer {
    MailServer::start(&Kind { tls: "implicit", leaf: Some(leaf), login: Some(["drift", "password"]), ..Kind::open() })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_channel_speaks_to_a_server_that_cannot_prove_who_it_is() {
    let authority = Authority::new();
    for (name, leaf, says) in doubtful(&authority) {
        let (server, mail) = (MessageServer::start_with(&leaf).await, self::mail(&leaf));
        let ran = tell(&authority, &server, &mail);
        assert_eq!(ran.code, 6, "{name}: {}", ran.stderr);
        for channel in ["slack", "email", "pagerduty", "webhook"] {
            let line = ran.messages().into_iter().find(|line| line.contains(&format!("{channel} did not take the message")));
            assert!(line.as_ref().is_some_and(|line| line.contains(says)), "{name}: {channel}: {line:?}");
        }
        assert!(server.received().is_empty() && mail.received().is_empty(), "{name}");
    }
    let leaf = authority.good();
    let (server, mail) = (MessageServer::start_with(&leaf).await, self::mail(&leaf));
    let ran = tell(&authority, &server, &mail);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!((server.received().len(), mail.received().len()), (3, 1));
}

/// Passes connections on to a server without encryption, decrypted.
struct Front {
    address: String,
    /// Handshakes that came to their end.
    trusted: Arc<AtomicU32>,
}

impl Front {
    async fn of(server: &StorageServer, leaf: &Leaf) -> Self {
        let (acceptor, target) = (TlsAcceptor::from(leaf.server()), server.endpoint().replace("http://", ""));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("https://{}", listener.local_addr().unwrap());
        let trusted = Arc::<AtomicU32>::default();
        let count = Arc::clone(&trusted);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, target, count) = (acceptor.clone(), target.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    // Who does not trust us goes away.
                    let Ok(mut client) = acceptor.accept(stream).await else { return };
                    count.fetch_add(1, Ordering::SeqCst);
                    let mut server = TcpStream::connect(target).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
                });
            }
        });
        Self { address, trusted }
    }
}

/// A check over a bucket behind TLS, with the key of a service account; what it emitted goes to `emitted`.
fn check(workspace: &Workspace, authority: &Authority, endpoint: &str, key: &str, emitted: &mut Emitted) -> Ran {
    workspace.config("").write("ca.pem", &authority.pem).write("key.json", service_account(key).to_string());
    let (trusted, key) = (workspace.path("ca.pem").display().to_string(), workspace.path("key.json").display().to_string());
    let environment = [
        ("DRIFT_CHECK__BUCKET__URI", "gs://logs"),
        ("DRIFT_CHECK__BUCKET__ENDPOINT", endpoint),
        ("DRIFT_CHECK__BUCKET__TIMEOUT", "4s"),
        ("SSL_CERT_FILE", trusted.as_str()),
        ("GOOGLE_APPLICATION_CREDENTIALS", key.as_str()),
    ];
    let arguments = ["--config", "config.toml", "--as-of", AS_OF, "-v", "-v"];
    let ran = tokio::task::block_in_place(|| workspace.run_with(&arguments, &environment));
    emitted.ran(endpoint, &ran);
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_goes_to_a_storage_service_that_cannot_prove_who_it_is() {
    let authority = Authority::new();
    let (key, mut emitted) = (private_key(), Emitted::default());
    let server = StorageServer::start();
    server.put("reference/reference.csv", format!("a,b\n{}", rows(400, |_| String::new(), |a| a)));
    server.put("predictions/logs.csv", format!("ts,a,b\n{}", rows(300, |i| format!("{},", stamp(i)), |a| a + 0.5)));
    let workspace = Workspace::new();
    for (name, leaf, says) in doubtful(&authority) {
        let front = Front::of(&server, &leaf).await;
        let ran = check(&workspace, &authority, &front.address, &key, &mut emitted);
        assert_eq!(ran.code, 5, "{name}: {}", ran.stderr);
        assert!(ran.stderr.to_lowercase().contains(&says.to_lowercase()), "{name}: {}", ran.stderr);
        assert_eq!(front.trusted.load(Ordering::SeqCst), 0, "{name}");
    }
    assert_eq!(server.requests(""), 0);
    let front = Front::of(&server, &authority.good()).await;
    let ran = check(&workspace, &authority, &front.address, &key, &mut emitted);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(server.get("reports/test/latest.json").is_some() && front.trusted.load(Ordering::SeqCst) > 0);
    // Neither the key nor what was signed with it is in anything that was said, at the highest level of detail.
    for key in server.keys("reports/") {
        emitted.add(&key, &server.get(&key).unwrap());
    }
    emitted.files(&workspace, |name| name == "key.json" || name == "ca.pem" || name == "config.toml");
    let secrets = [("the private key", key[..64].to_owned()), ("a token", "eyJhbGciOiJSUzI1NiIs".to_owned())];
    emitted.assert_holds_none_of(&secrets);
    assert!(!emitted.holds("PRIVATE KEY") && !emitted.holds("Bearer"));
}
