//! Firestore from the real binary, what is really stored there, and everything that can go wrong on the way.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use drift_check::decision::signal::{Reading, Rules, SignalName, SignalState, Telling, Transition};
use drift_check::store::outbox::{ClaimRequest, Draft};
use drift_check::store::{FirestoreSettings, Series, StateStore, Step};
use serde_json::{Value, json};

use crate::emulator;
use crate::faulty::Faulty;
use crate::workspace::{AS_OF, Ran, Workspace, findings, text};

/// A drifted window, and a configuration that says nothing of a store.
fn drifted() -> Workspace {
    let workspace = Workspace::new();
    workspace.config("").reference().logs(300, 0.5);
    workspace
}

/// Checks with Firestore at an address, as the platform's own variables say it.
fn check(workspace: &Workspace, project: &str, host: &str, timeout: &str, as_of: &str) -> Ran {
    let variables = [
        ("USE_FIRESTORE", "1"),
        ("GCP_PROJECT_ID", project),
        ("FIRESTORE_EMULATOR_HOST", host),
        ("DRIFT_CHECK__STORE__TIMEOUT", timeout),
    ];
    workspace.run_with(&["--config", "config.toml", "--as-of", as_of, "--format", "json"], &variables)
}

fn transition(report: &Value) -> Value {
    report["signals"][0]["transition"].clone()
}

/// The run failed at its store and nowhere else: everything that needs no store was done.
fn assert_store_failed(workspace: &Workspace, ran: &Ran) {
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    let report = ran.json();
    assert_eq!(report["decision"]["verdict"], "drift");
    assert!(findings(&report).contains(&("history-unavailable".to_owned(), String::new())));
    assert_eq!(transition(&report), Value::Null);
    assert!(workspace.path("bucket/reports/test/latest.json").exists());
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    assert!(!workspace.path("state.db").exists(), "no other store is taken in its place");
}

#[test]
fn the_names_of_the_platform_turn_firestore_on_and_the_signals_live_there() {
    let Some(host) = emulator::address("firestore::the_names_of_the_platform_turn_firestore_on_and_the_signals_live_there") else {
        return;
    };
    let settings = emulator::settings("").unwrap();
    let workspace = drifted();
    let run = |as_of| {
        let ran = check(&workspace, &settings.project, host, "60s", as_of);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert_eq!(ran.messages().len(), 1, "the libraries add nothing of their own: {}", ran.stderr);
        ran.json()
    };
    assert_eq!(transition(&run(AS_OF)), "opened");
    assert_eq!(transition(&run(AS_OF)), "opened", "a rerun of the window opens nothing twice");
    let later = run("2026-01-31T22:00:00Z");
    assert_eq!(transition(&later), "ongoing");
    let history = later["run"]["history"].as_array().unwrap();
    assert_eq!((history.len(), &history[0]["verdict"]), (1, &json!("drift")));
    assert!(!workspace.path("state.db").exists());
}

#[test]
fn a_dry_run_reads_firestore_and_writes_nothing() {
    let Some(settings) = emulator::settings("firestore::a_dry_run_reads_firestore_and_writes_nothing") else { return };
    let workspace = drifted();
    let variables = [
        ("USE_FIRESTORE", "1"),
        ("GCP_PROJECT_ID", settings.project.as_str()),
        ("DRIFT_CHECK__STORE__ENDPOINT", settings.endpoint.as_deref().unwrap()),
    ];
    let ran = workspace.run_with(&["--config", "config.toml", "--as-of", AS_OF, "--dry-run"], &variables);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for collection in ["drift-check-runs", "drift-check-signals", "drift-check-outbox"] {
        assert_eq!(runtime.block_on(emulator::documents(&settings, collection)), [Value::Null; 0], "{collection}");
    }
}

/// The store of the settings, with one run, one signal and one message in it.
async fn filled(settings: &FirestoreSettings, now: DateTime<Utc>) -> StateStore {
    let store = StateStore::firestore(settings.clone()).await.unwrap();
    let reading = Reading { state: SignalState::Firing, value: Some(0.5), threshold: Some(0.3), n: 16, interval: None };
    let rules = Rules { open_after: 1, close_after: 1, repeat: None, telling: Telling::Send };
    let series = Series { job: "ct-scan".to_owned(), environment: "prod".to_owned(), length_s: 86_400 };
    let step = Step { series, name: SignalName::DataDrift, reading, rules, window_end: now, now };
    let draft = || Draft { channel: "slack".to_owned(), payload: json!({ "text": "drift" }), payload_version: 1, is_shadow: false };
    let moved = store.advance_signal(step, move |_| vec![draft()]).await.unwrap();
    assert_eq!(moved.transition, Transition::Opened);
    store
}

#[test]
fn everything_expires_after_its_time_by_a_real_timestamp() {
    let Some(host) = emulator::address("firestore::everything_expires_after_its_time_by_a_real_timestamp") else { return };
    let settings = emulator::settings("").unwrap();
    let ran = check(&drifted(), &settings.project, host, "60s", AS_OF);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let now = Utc::now();
    runtime.block_on(async {
        let store = filled(&settings, now).await;
        let scope = Series { job: "ct-scan".to_owned(), environment: "prod".to_owned(), length_s: 86_400 }.scope();
        let request = ClaimRequest {
            scope,
            claimer: "a".to_owned(),
            now,
            lease: chrono::TimeDelta::minutes(1),
            limit: 9,
            except: Vec::new(),
        };
        let claims = store.claim_due(request).await.unwrap();
        let check_all = async |messages_due: bool| {
            for (collection, kept) in [("drift-check-runs", 400.0), ("drift-check-signals", 90.0), ("drift-check-outbox", 90.0)] {
                let documents = emulator::documents(&settings, collection).await;
                assert!(!documents.is_empty(), "{collection}");
                for document in documents {
                    // `timestampValue` is the stored type; a text would be `stringValue`.
                    let moment = |field: &str| document["fields"][field]["timestampValue"].as_str().unwrap_or_default().to_owned();
                    let expire_at: DateTime<Utc> = moment("expireAt").parse().unwrap_or_else(|_| panic!("{document}"));
                    let days = (expire_at - now).num_hours() as f64 / 24.0;
                    assert!((kept - 0.1..=kept + 0.1).contains(&days), "{days} days: {document}");
                    moment("windowEnd").parse::<DateTime<Utc>>().unwrap();
                    // What the check left there is in shadow, and never due.
                    let is_ours = document["name"].as_str().unwrap().contains("/ct-scan~prod/");
                    if collection == "drift-check-outbox" && is_ours {
                        assert_eq!(!moment("dueAt").is_empty(), messages_due, "{document}");
                    }
                }
            }
        };
        check_all(true).await;
        store.mark_delivered(claims[0].clone(), now).await.unwrap();
        check_all(false).await;
    });
}

#[test]
fn firestore_that_is_not_there_costs_the_history_and_nothing_else_and_a_rerun_completes() {
    let workspace = drifted();
    // Bound and let go: nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = check(&workspace, "some-project", &free.to_string(), "2s", AS_OF);
    assert_store_failed(&workspace, &ran);
    for part in ["connect to Firestore", "some-project", "(default)", "rerun"] {
        assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
    }
    let name = "firestore::firestore_that_is_not_there_costs_the_history_and_nothing_else_and_a_rerun_completes";
    let Some(host) = emulator::address(name) else { return };
    let settings = emulator::settings("").unwrap();
    let rerun = check(&workspace, &settings.project, host, "60s", AS_OF);
    assert_eq!((rerun.code, transition(&rerun.json())), (0, json!("opened")), "{}", rerun.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn firestore_that_hangs_does_not_hang_the_job() {
    let workspace = drifted();
    let silent = Faulty::silent().await;
    let started = Instant::now();
    let ran = check(&workspace, "some-project", &silent.address.to_string(), "3s", AS_OF);
    let took = started.elapsed();
    assert_store_failed(&workspace, &ran);
    assert!(silent.seen() > 0);
    // Three seconds for all calls together, and the time that a check takes on a loaded machine.
    assert!(took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_repetition_cannot_mend_is_not_repeated_and_names_the_remedy() {
    const PERMISSION_DENIED: u32 = 7;
    const NOT_FOUND: u32 = 5;
    for (code, remedy, calls) in [
        // Past runs, feedback, silences, four signals, messages (twice), the outbox and the run itself: each asked once.
        (PERMISSION_DENIED, "roles/datastore.user", 11),
        // A missing database answers like a missing document: the signals and the run notice at their second call.
        (NOT_FOUND, "gcloud firestore databases create", 18),
    ] {
        let server = Faulty::status(code).await;
        let ran = check(&drifted(), "some-project", &server.address.to_string(), "30s", AS_OF);
        assert_eq!(ran.code, 5, "{}", ran.stderr);
        assert!(ran.stderr.contains(remedy) && ran.stderr.contains("some-project"), "{}", ran.stderr);
        let report = ran.json();
        assert_eq!(report["decision"]["verdict"], "drift");
        assert_eq!(server.seen(), calls);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_contended_firestore_is_asked_again_a_limited_number_of_times() {
    const ABORTED: u32 = 10;
    let server = Faulty::status(ABORTED).await;
    let workspace = drifted();
    let started = Instant::now();
    let ran = check(&workspace, "some-project", &server.address.to_string(), "3s", AS_OF);
    assert_store_failed(&workspace, &ran);
    assert!((3..=60).contains(&server.seen()), "{} calls", server.seen());
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_half_way_is_made_up_for() {
    let Some(host) = emulator::address("firestore::a_connection_that_breaks_half_way_is_made_up_for") else { return };
    let mut settings = emulator::settings("").unwrap();
    // Some hundred bytes are the settings of HTTP/2 and the beginning of an answer.
    for after_bytes in [0, 60, 200, 300, 400, 500, 600] {
        let proxy = Faulty::breaking(host, 2, after_bytes).await;
        settings.endpoint = Some(format!("http://{}", proxy.address));
        settings.project = format!("{}-{after_bytes}", settings.project);
        let store = filled(&settings, Utc::now()).await;
        assert!(proxy.seen() > 1, "the connection broke after {after_bytes} bytes and was made again");
        assert_eq!(emulator::documents(&settings, "drift-check-outbox").await.len(), 1, "and the message was created once");
        drop(store);
    }
}

#[test]
fn the_real_endpoint_is_reached_or_not_but_nothing_panics() {
    // No network is needed: TLS is set up before the connection is made. Only an error may come of it.
    let workspace = drifted();
    let variables = [("USE_FIRESTORE", "1"), ("GCP_PROJECT_ID", "drift-check-test-none"), ("DRIFT_CHECK__STORE__TIMEOUT", "3s")];
    let ran = workspace.run_with(&["--config", "config.toml", "--as-of", AS_OF, "--format", "json"], &variables);
    assert_store_failed(&workspace, &ran);
}

#[test]
fn firestore_without_a_project_says_what_to_set() {
    let workspace = drifted();
    let variables = [("USE_FIRESTORE", "yes"), ("DRIFT_CHECK__STORE__TIMEOUT", "5s")];
    let ran = workspace.run_with(&["--config", "config.toml", "--as-of", AS_OF, "--format", "json"], &variables);
    assert_store_failed(&workspace, &ran);
    assert!(ran.stderr.contains("store.project"), "{}", ran.stderr);
}

#[test]
fn the_switch_of_the_platform_goes_over_the_file_and_shows_where_it_came_from() {
    let workspace = drifted();
    let neither = workspace.run_with(&["--config", "config.toml"], &[("USE_FIRESTORE", "maybe")]);
    assert_eq!(neither.code, 3);
    assert!(neither.stderr.contains("USE_FIRESTORE"), "{}", neither.stderr);
    workspace.write("firestore.toml", "[store]\nkind = \"firestore\"\nproject = \"p\"\n");
    let variables = [("USE_FIRESTORE", "0"), ("FEEDBACK_DB", "/data/feedback.db"), ("FIRESTORE_EMULATOR_HOST", "localhost:8080")];
    let shown = workspace.run_with(&["config", "--config", "firestore.toml"], &variables);
    assert_eq!(shown.code, 0, "{}", shown.stderr);
    let lines: Vec<String> = shown.stdout.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "store.kind = \"sqlite\" # env USE_FIRESTORE",
        "feedback.path = \"/data/feedback.db\" # env FEEDBACK_DB",
        "store.endpoint = \"http://localhost:8080\" # env FIRESTORE_EMULATOR_HOST",
    ] {
        assert!(lines.iter().any(|shown| shown == line), "{line}: {}", shown.stdout);
    }
}

#[test]
fn the_policies_that_a_database_needs_are_in_the_file() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/firestore.indexes.json");
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let overrides = file["fieldOverrides"].as_array().unwrap();
    for kind in ["runs", "signals", "outbox", "silences", "labels", "promotions"] {
        let collection = format!("drift-check-{kind}");
        let has_ttl =
            |field: &&Value| field["collectionGroup"] == collection && field["fieldPath"] == "expireAt" && field["ttl"] == true;
        assert_eq!(overrides.iter().filter(has_ttl).count(), 1, "{collection}");
    }
    // Both composite indexes of the feedback are made by Terraform too, where the collection is ours.
    let module = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/terraform/modules/firestore/main.tf");
    let module = std::fs::read_to_string(module).unwrap();
    for index in file["indexes"].as_array().unwrap() {
        let field =
            |field: &Value| format!("{{ path = \"{}\", order = \"{}\" }}", text(&field["fieldPath"]), text(&field["order"]));
        let fields: Vec<String> = index["fields"].as_array().unwrap().iter().map(field).collect();
        assert!(module.contains(&format!("[{}]", fields.join(", "))), "{index}");
    }
    // What the queries compare by must stay indexed.
    for needed in ["windowEnd", "dueAt"] {
        assert!(overrides.iter().all(|field| field["fieldPath"] != needed), "{needed}");
    }
}
