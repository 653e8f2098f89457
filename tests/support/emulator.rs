//! The official Firestore emulator: one for the whole integration binary, on a free port, started by the first test that needs it.
//!
//! Every test has a project of its own.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use drift_check::store::FirestoreSettings;

use crate::watched;

/// Java takes a while on a loaded machine; five seconds are usual.
const PATIENCE: Duration = Duration::from_mins(2);

struct Emulator {
    address: String,
    /// Holds the pipe; never waited for.
    _watchdog: Child,
}

static EMULATOR: OnceLock<Option<Emulator>> = OnceLock::new();

/// The emulator's `HOST:PORT`, or `None` after saying by name which test could not run.
pub fn address(test: &str) -> Option<&'static str> {
    let running = EMULATOR.get_or_init(|| program().map(|program| start(&program)));
    if running.is_none() {
        let missing =
            "needs the Firestore emulator (google-cloud-cli-firestore-emulator, or cloud_firestore_emulator on the PATH) and Java";
        assert!(std::env::var_os("CI").is_none(), "{test} {missing}");
        eprintln!("NOT RUN: {test} {missing}");
    }
    running.as_ref().map(|emulator| emulator.address.as_str())
}

/// A database of its own for a test.
pub fn settings(test: &str) -> Option<FirestoreSettings> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let address = address(test)?;
    Some(FirestoreSettings {
        project: format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)),
        database: "(default)".to_owned(),
        collection_prefix: "drift-check".to_owned(),
        endpoint: Some(format!("http://{address}")),
        timeout: Duration::from_mins(1),
    })
}

/// On the PATH, or beside `gcloud`.
fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = |name: &str| std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file());
    on_path("java")?;
    let beside_gcloud = || {
        let gcloud = on_path("gcloud")?.canonicalize().ok()?;
        let program = gcloud.parent()?.parent()?.join("platform/cloud-firestore-emulator/cloud_firestore_emulator");
        program.is_file().then_some(program)
    };
    on_path("cloud_firestore_emulator").or_else(beside_gcloud)
}

fn start(program: &Path) -> Emulator {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join("firestore-emulator.log");
    let arguments = ["start".to_owned(), "--host=127.0.0.1".to_owned(), format!("--port={port}")];
    let watchdog = watched::start(program, &arguments, &[], &log);
    let address = format!("127.0.0.1:{port}");
    let started = Instant::now();
    while !is_up(&address) {
        let told = || std::fs::read_to_string(&log).unwrap_or_default();
        assert!(started.elapsed() < PATIENCE, "the Firestore emulator did not start: {}", told());
        std::thread::sleep(Duration::from_millis(100));
    }
    Emulator { address, _watchdog: watchdog }
}

/// Whether the emulator answers. It keeps the connection, so that only the beginning of the answer is waited for.
fn is_up(address: &str) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
        let mut status = [0; 15];
        stream.read_exact(&mut status)?;
        Ok(status.ends_with(b"200 OK"))
    };
    ask().unwrap_or(false)
}

/// Calls the emulator's REST interface: what is really stored, in the words of Firestore.
pub async fn rest(settings: &FirestoreSettings, method: &str, path: &str, body: &serde_json::Value) -> serde_json::Value {
    let FirestoreSettings { project, database, endpoint, .. } = settings;
    let url = format!("{}/v1/projects/{project}/databases/{database}/documents{path}", endpoint.as_ref().unwrap());
    let client = reqwest::Client::new();
    let request = client.request(method.parse().unwrap(), url).bearer_auth("owner").json(body);
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success(), "{method} {path}: {}", answer.text().await.unwrap());
    answer.json().await.unwrap()
}

/// The documents of all collections of a name.
pub async fn documents(settings: &FirestoreSettings, collection: &str) -> Vec<serde_json::Value> {
    let from = serde_json::json!([{ "collectionId": collection, "allDescendants": true }]);
    let found = rest(settings, "POST", ":runQuery", &serde_json::json!({ "structuredQuery": { "from": from } })).await;
    found.as_array().unwrap().iter().filter_map(|row| row.get("document").cloned()).collect()
}
