//! From one version to the next and back, by the real binary: what an older program wrote is read or refused with the remedy, what a newer
//! one wrote is refused and left as it is. The samples are in `tests/upgrades/`.

use drift_check::store::FirestoreSettings;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::cloud_storage::Setup;
use crate::emulator;
use crate::message_server::{MessageServer, SIGNING_SECRET, Trouble};
use crate::workspace::{AS_OF, Ran, Workspace, signal, text};

fn sample(name: &str) -> String {
    let path = format!("{}/tests/upgrades/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A drifted window.
fn drifted() -> Workspace {
    let workspace = Workspace::new();
    workspace.config("").reference().logs(300, 0.5);
    workspace
}

fn assert_says(ran: &Ran, code: i32, parts: &[&str]) {
    assert_eq!(ran.code, code, "{}", ran.stderr);
    for part in parts {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
}

#[test]
fn an_older_profile_is_refused_with_the_command_that_builds_it_again() {
    for (name, version) in [("profile-1.json", "version 1"), ("profile-2.json", "version 2")] {
        let workspace = drifted();
        workspace.write("bucket/reference/profile.json", sample(name));
        let refused = workspace.check(&[]);
        assert_says(&refused, 4, &[version, "reference/profile.json", "build it again with `drift-check profile`"]);
        assert!(workspace.files("bucket/reports").is_empty(), "nothing was compared with it");
        let built = workspace.run(&["profile", "--config", "config.toml"]);
        assert_eq!(built.code, 0, "{}", built.stderr);
        assert_eq!(workspace.report(&[])["decision"]["verdict"], "drift");
    }
}

#[test]
fn a_newer_profile_is_refused_and_left_as_it_is() {
    let workspace = drifted();
    let newer = r#"{"version":4,"rows":{"of":"another kind"},"what":["is","to","come"]}"#;
    workspace.write("bucket/reference/profile.json", newer);
    let refused = workspace.check(&[]);
    assert_says(&refused, 4, &["version 4, newer than this drift-check (version 3)", "use the newer program"]);
    assert_eq!(std::fs::read_to_string(workspace.path("bucket/reference/profile.json")).unwrap(), newer);
}

#[test]
fn a_profile_without_a_version_is_refused_as_damaged() {
    let workspace = drifted();
    workspace.write("bucket/reference/profile.json", r#"{"rows":400,"features":[]}"#);
    assert_says(&workspace.check(&[]), 4, &["damaged", "build it again with `drift-check profile`"]);
}

/// A drifted window, and the state store of an older program.
fn with_store(name: &str) -> Workspace {
    let workspace = drifted();
    let store = Connection::open(workspace.path("state.db")).unwrap();
    store.execute_batch(&sample(name)).unwrap();
    workspace
}

fn bytes(workspace: &Workspace, name: &str) -> Vec<u8> {
    std::fs::read(workspace.path(name)).unwrap()
}

#[test]
fn an_older_state_store_is_brought_up_to_date_with_its_runs() {
    for name in ["state-1.sql", "state-2-first.sql", "state-2.sql", "state-3.sql"] {
        let workspace = with_store(name);
        let before = bytes(&workspace, "state.db");
        let history = |report: &Value| {
            let runs = report["run"]["history"].as_array().unwrap().clone();
            runs.iter()
                .map(|run| (text(&run["window_end"]), text(&run["verdict"]), run["rows"].as_u64().unwrap()))
                .collect::<Vec<_>>()
        };
        let known = [("2026-01-30T18:00:00Z".to_owned(), "drift".to_owned(), 300)];
        let dry = workspace.report(&["--dry-run"]);
        assert_eq!(history(&dry), known, "{name}: read as it is");
        assert_eq!(bytes(&workspace, "state.db"), before, "{name}: reading changes nothing");
        let report = workspace.report(&[]);
        assert_eq!(history(&report), known, "{name}");
        // Nobody was ever told by those programs.
        assert_eq!(signal(&report, "data-drift")["transition"], "opened", "{name}");
        let store = Connection::open(workspace.path("state.db")).unwrap();
        assert_eq!(store.query_row("PRAGMA user_version", [], |row| row.get(0)), Ok(4), "{name}");
        assert_eq!(store.query_row("SELECT count(*) FROM run", [], |row| row.get(0)), Ok(2), "{name}");
        drop(store);
        let shown = workspace.run(&["history", "--config", "config.toml", "--format", "json"]);
        assert_eq!(shown.code, 0, "{}", shown.stderr);
        assert!(shown.stdout.contains("2026-01-30T18:00:00Z"), "{}", shown.stdout);
    }
}

#[test]
fn a_newer_state_store_is_refused_and_left_as_it_is() {
    let workspace = drifted();
    assert_eq!(workspace.check(&[]).code, 0);
    let store = Connection::open(workspace.path("state.db")).unwrap();
    store.execute_batch("ALTER TABLE run ADD COLUMN what_is_to_come TEXT; PRAGMA user_version = 5").unwrap();
    drop(store);
    let newer = bytes(&workspace, "state.db");
    let says = ["version 5, newer than this drift-check (version 4)", "use the newer program, or another store.path"];
    let checked = workspace.check(&["--format", "json"]);
    assert_says(&checked, 5, &says);
    assert_eq!(checked.json()["decision"]["verdict"], "drift", "what needs no store is done");
    assert_says(&workspace.check(&["--dry-run"]), 5, &says);
    assert_says(&workspace.run(&["history", "--config", "config.toml"]), 5, &says);
    assert_eq!(bytes(&workspace, "state.db"), newer);
    assert!(!workspace.files(".").iter().any(|name| name.contains("state.db-")), "nor is anything left beside it");
}

/// A report of a version that is to come, about a window that ended then.
fn newer_report(end: &str) -> String {
    json!({ "schema_version": 2, "run": { "started_at": end }, "window": { "end": end }, "what": "is to come" }).to_string()
}

const FOLDER: &str = "reports/test/2026/01/31/180000Z-24h";

#[test]
fn a_newer_latest_report_is_left_as_it_is() {
    for setup in [Setup::folder(), Setup::cloud()] {
        let (json, page) = (newer_report("2026-01-31T12:00:00Z"), "the newer page");
        setup.data(300, 0.5).put("reports/test/latest.json", &json).put("reports/test/latest.html", page);
        let ran = setup.check(&["--format", "json"]);
        assert_says(
            &ran,
            5,
            &["latest.json is of schema version 2, newer than this drift-check (version 1)", "use the newer program"],
        );
        assert_eq!(ran.json()["decision"]["verdict"], "drift");
        let latest = ["json", "html"].map(|extension| setup.get(&format!("reports/test/latest.{extension}")));
        assert_eq!(latest, [json.into_bytes(), page.as_bytes().to_vec()]);
        assert_eq!(setup.json(&format!("{FOLDER}/report.json"))["decision"]["verdict"], "drift", "the run has its own report");
    }
}

#[test]
fn a_newer_latest_report_of_a_later_window_is_nothing_to_complain_of() {
    let setup = Setup::folder();
    let json = newer_report("2026-01-31T18:30:00Z");
    setup.data(300, 0.0).put("reports/test/latest.json", &json);
    assert_eq!(setup.check(&[]).code, 0);
    assert_eq!(setup.get("reports/test/latest.json"), json.into_bytes());
}

#[test]
fn a_newer_report_of_the_same_window_is_left_as_it_is() {
    for setup in [Setup::folder(), Setup::cloud()] {
        let (json, page) = (newer_report(AS_OF), "the newer page");
        setup.data(300, 0.5).put(&format!("{FOLDER}/report.json"), &json).put(&format!("{FOLDER}/report.html"), page);
        let ran = setup.check(&[]);
        assert_says(&ran, 5, &["report.json is of schema version 2, newer than this drift-check (version 1)"]);
        assert_eq!(setup.get(&format!("{FOLDER}/report.json")), json.into_bytes());
        assert_eq!(setup.get(&format!("{FOLDER}/report.html")), page.as_bytes());
        assert_eq!(setup.keys("reports/test/latest"), [""; 0]);
    }
}

#[test]
fn what_is_no_report_does_not_stay_the_latest_for_ever() {
    for older in ["", "{}", r#"{"schema_version":0,"share":0.1}"#] {
        let setup = Setup::folder();
        setup.data(300, 0.0).put("reports/test/latest.json", older);
        let ran = setup.check(&[]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(setup.json("reports/test/latest.json")["schema_version"], 1);
    }
}

#[test]
fn a_cache_of_another_version_is_passed_over_and_the_report_is_the_same() {
    const READ: &str = "/o/predictions/logs.csv?alt=media";
    const PACK: &str = "reports/test/cache/0.pack";
    let setup = Setup::cloud();
    let report = || {
        let ran = setup.check(&["--format", "json"]);
        assert_eq!((ran.code, ran.stderr.contains("WARNING")), (0, false), "{}", ran.stderr);
        ran.json()
    };
    setup.data(300, 0.5);
    let first = report();
    let pack = setup.get(PACK);
    report();
    assert_eq!(setup.server().requests(READ), 1, "what is known is not read again");
    for (version, readings) in [(0_u32, 2), (2, 3)] {
        let mut other = pack.clone();
        // Behind the eight bytes that say what it is.
        other[8..12].copy_from_slice(&version.to_le_bytes());
        // What the run before wrote beside it would be known too.
        for key in setup.server().keys("reports/test/cache/") {
            setup.server().delete(&key);
        }
        setup.put(PACK, other);
        let again = report();
        assert_eq!(setup.server().requests(READ), readings, "version {version}");
        for part in ["current", "decision", "features", "findings"] {
            assert_eq!(again[part], first[part], "version {version}: {part}");
        }
    }
}

/// A drifted window that a webhook is told of.
struct Told {
    workspace: Workspace,
    server: MessageServer,
}

impl Told {
    async fn new() -> Self {
        let (workspace, server) = (Workspace::new(), MessageServer::start().await);
        workspace.config(
            "[signals.data-drift]\nmode = \"notify\"\nchannels = [\"webhook\"]\n[channels]\ntimeout = \"2s\"\n\
             [channels.webhook]\nurl = \"env:HOOK\"\nsecret = \"env:SECRET\"\n",
        );
        workspace.reference().logs(300, 0.5);
        Self { workspace, server }
    }

    #[expect(clippy::unused_async, reason = "it blocks a thread of the test's runtime, which an await shows")]
    async fn check(&self, as_of: &str) -> Ran {
        let hook = self.server.url("/hook");
        let variables = [("HOOK", hook.as_str()), ("SECRET", SIGNING_SECRET)];
        tokio::task::block_in_place(|| self.workspace.run_with(&["--config", "config.toml", "--as-of", as_of], &variables))
    }

    fn store(&self) -> Connection {
        Connection::open(self.workspace.path("state.db")).unwrap()
    }

    /// The summaries that were received.
    fn heard(&self) -> Vec<String> {
        self.server.received().iter().map(|received| text(&received.body["summary"])).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_an_earlier_program_left_behind_is_delivered() {
    let told = Told::new().await;
    told.workspace.logs(300, 0.0);
    assert_eq!(told.check("2026-01-30T18:00:00Z").await.code, 0);
    told.store()
        .execute(
            "INSERT INTO outbox VALUES ('test', 'local', 86400, 'data-drift', '2026-01-30T18:00:00.000000Z', 0, 'opened', 'webhook', ?1, 1,
             '2026-01-30T18:00:01.000000Z', '2026-01-30T18:00:01.000000Z', 3, NULL, 'HTTP 503', NULL, '2099-01-01T00:00:00.000000Z')",
            [sample("message-1.json")],
        )
        .unwrap();
    let ran = told.check(AS_OF).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(told.heard(), ["1 of 2 features drifted (50 %); it fires above 30 %."]);
    assert_eq!(told.server.received()[0].body["window_end"], "2026-01-30T18:00:00Z");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_of_a_newer_program_is_left_to_it() {
    let told = Told::new().await;
    told.server.next([Trouble::Answer(404, "not here", None)]);
    assert_eq!(told.check(AS_OF).await.code, 6);
    let payload: String = told.store().query_row("SELECT payload FROM outbox", [], |row| row.get(0)).unwrap();
    told.store().execute("UPDATE outbox SET payload_version = 2, payload = '{\"what\":\"is to come\"}'", []).unwrap();
    let refused = told.check("2026-01-31T20:00:00Z").await;
    assert_says(&refused, 6, &["the message is of version 2, newer than this drift-check (version 1): use the newer program"]);
    assert_eq!(told.heard().len(), 1, "it is not guessed at");
    let kept: (String, u32, bool) = told
        .store()
        .query_row("SELECT payload, payload_version, due_at IS NOT NULL FROM outbox", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })
        .unwrap();
    assert_eq!(kept, (r#"{"what":"is to come"}"#.to_owned(), 2, true));
    // The newer program is back: what it wrote is due as ever.
    told.store().execute("UPDATE outbox SET payload_version = 1, payload = ?1", [payload]).unwrap();
    assert_eq!(told.check("2026-01-31T21:00:00Z").await.code, 0);
    assert_eq!(told.heard().len(), 2);
}

/// Checks with Firestore.
fn check_in(settings: &FirestoreSettings, workspace: &Workspace, as_of: &str) -> Ran {
    let endpoint = settings.endpoint.as_deref().unwrap();
    let variables = [
        ("USE_FIRESTORE", "1"),
        ("GCP_PROJECT_ID", settings.project.as_str()),
        ("DRIFT_CHECK__STORE__ENDPOINT", endpoint),
        ("DRIFT_CHECK__STORE__TIMEOUT", "60s"),
    ];
    workspace.run_with(&["--config", "config.toml", "--as-of", as_of, "--format", "json"], &variables)
}

/// Changes one field of a document, and takes it away where there is no value.
async fn patch(settings: &FirestoreSettings, document: &Value, field: &str, value: Option<Value>) {
    let path = text(&document["name"]).split_once("/documents").unwrap().1.to_owned();
    let fields = value.map_or(json!({}), |value| json!({ field: value }));
    emulator::rest(settings, "PATCH", &format!("{path}?updateMask.fieldPaths={field}"), &json!({ "fields": fields })).await;
}

#[test]
fn newer_documents_in_firestore_are_refused_and_left_as_they_are() {
    let Some(settings) = emulator::settings("upgrades::newer_documents_in_firestore_are_refused_and_left_as_they_are") else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (collection, number) in [("drift-check-runs", 1), ("drift-check-signals", 2), ("drift-check-outbox", 3)] {
        let settings = FirestoreSettings { project: format!("{}-{number}", settings.project), ..settings.clone() };
        let workspace = drifted();
        let first = check_in(&settings, &workspace, AS_OF);
        assert_eq!(first.code, 0, "{}", first.stderr);
        let of = |collection: &str| runtime.block_on(emulator::documents(&settings, collection));
        for document in of(collection) {
            runtime.block_on(async {
                patch(&settings, &document, "version", Some(json!({ "integerValue": "99" }))).await;
                // What an older reader cannot know of must not be missed, and must not be lost.
                patch(&settings, &document, "isToCome", Some(json!({ "booleanValue": true }))).await;
            });
        }
        let newer = of(collection);
        assert!(!newer.is_empty(), "{collection}");
        let says = [
            "a document is of version 99, newer than this drift-check",
            "use the newer drift-check, or another store.collection_prefix",
        ];
        assert_says(&check_in(&settings, &workspace, AS_OF), 5, &says);
        assert_eq!(of(collection), newer, "{collection}");
    }
}

#[test]
fn older_documents_in_firestore_are_read_for_what_they_are() {
    let Some(settings) = emulator::settings("upgrades::older_documents_in_firestore_are_read_for_what_they_are") else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let of = |collection: &str| runtime.block_on(emulator::documents(&settings, collection));
    // A signal that had opened, of which nobody was told: it counts as absent.
    let path = "/drift-check-jobs/test~local~86400/drift-check-signals/data-drift";
    let older: Value = serde_json::from_str(&sample("firestore-signal-1.json")).unwrap();
    runtime.block_on(emulator::rest(&settings, "PATCH", path, &older));
    let workspace = drifted();
    let first = check_in(&settings, &workspace, AS_OF);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert_eq!(signal(&first.json(), "data-drift")["transition"], "opened");
    let now = of("drift-check-signals").into_iter().find(|document| text(&document["name"]).ends_with("/data-drift")).unwrap();
    assert_eq!(now["fields"]["version"]["integerValue"], "2");
    // A message from before readings of one window were told apart.
    let messages = of("drift-check-outbox");
    assert!(!messages.is_empty());
    for message in &messages {
        runtime.block_on(patch(&settings, message, "revision", None));
    }
    assert!(of("drift-check-outbox").iter().all(|message| message["fields"]["revision"].is_null()));
    let again = check_in(&settings, &workspace, AS_OF);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(of("drift-check-outbox").len(), messages.len(), "none was made twice");
}
