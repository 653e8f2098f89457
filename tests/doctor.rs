//! `drift-check doctor`: the real binary on set-ups that are right, and on each way in which one can be wrong.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, SystemTime};

use drift_check::store::{Scope, StateStore};
use serde_json::Value;

use crate::cloud_storage::Setup;
use crate::emulator;
use crate::message_server::{MessageServer, SIGNING_SECRET, Trouble as Answering};
use crate::storage_server::Trouble;
use crate::workspace::{Ran, Workspace, text};

fn doctor(workspace: &Workspace, more: &[&str], environment: &[(&str, &str)]) -> Ran {
    let mut arguments = vec!["doctor", "--config", "config.toml"];
    arguments.extend(more);
    workspace.run_with(&arguments, environment)
}

/// A check by its name: its status, and what was seen with the remedy.
fn check(ran: &Ran, name: &str) -> (String, String) {
    let said = ran.json();
    let checks = said["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no `{name}` in {said:#}"));
    (text(&check["status"]), format!("{}; {}", text(&check["seen"]), check["remedy"].as_str().unwrap_or_default()))
}

fn statuses(ran: &Ran) -> Vec<(String, String)> {
    let said = ran.json();
    said["checks"].as_array().unwrap().iter().map(|check| (text(&check["name"]), text(&check["status"]))).collect()
}

/// Rows that are as new as the fixtures allow: the window ends with them.
const LATEST: &str = "[window]\nanchor = \"latest\"\n";

fn healthy() -> Workspace {
    let workspace = Workspace::new();
    workspace.config(LATEST).reference().logs(50, 0.0);
    workspace
}

#[test]
fn a_setup_that_is_right_has_nothing_but_ok_and_nothing_stays_behind() {
    let workspace = healthy();
    let before = workspace.files("");
    let ran = doctor(&workspace, &["--format", "json"], &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    let names = [
        "config",
        "clock",
        "time zone",
        "credentials",
        "bucket list",
        "bucket read",
        "bucket write",
        "bucket condition",
        "bucket delete",
        "reference",
        "logs",
        "features",
        "store read",
        "store write",
        "channels",
    ];
    let expected: Vec<_> = names.map(|name| (name.to_owned(), if name == "channels" { "warn" } else { "ok" }.to_owned())).into();
    assert_eq!(statuses(&ran), expected);
    assert_eq!(workspace.files(""), before, "neither a probe nor a store");
    assert!(check(&ran, "logs").1.contains("2026-01-31 17:59 UTC"), "{}", ran.stdout);
    assert!(check(&ran, "features").1.contains("2 of 2 in the reference and in the logs"), "{}", ran.stdout);
    let text = doctor(&workspace, &[], &[]);
    let lines: Vec<&str> = text.stdout.lines().collect();
    assert_eq!((lines.len(), lines.last().copied()), (names.len() + 2, Some("Nothing failed; 1 to look at.")), "{}", text.stdout);
    assert!(lines[0].starts_with("ok    config            config.toml: job test (local), windows of 24h"), "{}", lines[0]);
    let markdown = doctor(&workspace, &["--format", "markdown"], &[]);
    assert!(markdown.stdout.lines().nth(2).unwrap().starts_with("| ok | config | "), "{}", markdown.stdout);
}

#[test]
fn after_a_run_the_store_is_read_and_written_in_a_transaction_that_leaves_nothing() {
    let workspace = healthy();
    assert_eq!(workspace.check(&[]).code, 0);
    let bytes = || std::fs::read(workspace.path("state.db")).unwrap();
    let before = bytes();
    let ran = doctor(&workspace, &["--format", "json"], &[]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert!(check(&ran, "store read").1.contains("the last run is of the window to 2026-01-31 18:00 UTC"), "{}", ran.stdout);
    assert!(check(&ran, "bucket read").1.contains("latest.json"), "{}", ran.stdout);
    assert!(bytes() == before, "the store is as it was");
}

#[test]
fn a_dry_run_writes_nothing_and_says_so() {
    let setup = Setup::cloud();
    setup.put("reference/reference.csv", "a,b\n1,2\n3,4\n").put("predictions/logs.csv", "ts,a,b\n2026-01-31T17:00:00Z,1,2\n");
    let endpoint = setup.server().endpoint();
    let environment = [("STORAGE_EMULATOR_HOST", endpoint.as_str())];
    let ran = doctor(&setup.workspace, &["--format", "json", "--dry-run"], &environment);
    for name in ["bucket write", "bucket condition", "bucket delete", "store write"] {
        let (status, seen) = check(&ran, name);
        assert!(status == "skip" && seen.contains("--dry-run"), "{name}: {status} {seen}");
    }
    assert_eq!(setup.server().requests("POST"), 0);
    assert_eq!(check(&ran, "clock").0, "ok", "a question is no write");
}

#[test]
fn each_problem_of_the_configuration_is_a_line_and_the_exit_code_is_3() {
    let workspace = healthy();
    workspace.write("config.toml", "[job]\nname = \"a b\"\n[policy]\nshre = 0.3\n");
    let ran = doctor(&workspace, &[], &[]);
    assert_eq!(ran.code, 3);
    let failed: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with("fail")).collect();
    assert_eq!(failed.len(), 2, "{}", ran.stdout);
    assert!(failed[0].contains("config.toml:2: job.name") && failed[1].contains("`policy.share`"), "{}", ran.stdout);
    let ran = workspace.run(&["doctor", "--config", "nowhere.toml"]);
    assert!(ran.code == 3 && ran.stdout.contains("nowhere.toml"), "{}", ran.stdout);
}

#[test]
fn a_feature_that_is_missing_is_named_with_the_nearest_column() {
    let workspace = Workspace::new();
    workspace.config(LATEST).reference();
    workspace.write("bucket/predictions/logs.csv", "ts,a,B\n2026-01-31T17:00:00Z,1,2\n");
    let ran = doctor(&workspace, &["--format", "json"], &[]);
    assert_eq!(ran.code, 4, "{}", ran.stdout);
    let (status, seen) = check(&ran, "features");
    assert_eq!(status, "fail");
    assert!(seen.starts_with("`b` is not in the logs (`B` is); correct features.include"), "{seen}");
}

#[test]
fn what_cannot_be_read_is_exit_code_4_and_the_others_are_looked_at() {
    let workspace = Workspace::new();
    workspace.config(LATEST).logs(50, 0.0);
    let ran = doctor(&workspace, &["--format", "json"], &[]);
    assert_eq!(ran.code, 4, "{}", ran.stdout);
    let (status, seen) = check(&ran, "reference");
    assert!(status == "fail" && seen.contains("there is no reference at") && seen.contains("reference.path"), "{seen}");
    assert_eq!([check(&ran, "logs").0, check(&ran, "store write").0], ["ok", "ok"]);
    let empty = Workspace::new();
    empty.config("").reference();
    let ran = doctor(&empty, &["--format", "json"], &[]);
    assert_eq!(ran.code, 4);
    assert!(check(&ran, "logs").1.contains("there is no object at"), "{}", ran.stdout);
    // Nine months old, where the window ends now.
    let old = Workspace::new();
    old.config("").reference().logs(50, 0.0);
    let ran = doctor(&old, &["--format", "json"], &[]);
    let (status, seen) = check(&ran, "logs");
    assert!(ran.code == 0 && status == "warn" && seen.contains("older than"), "{status} {seen}");
}

#[test]
fn a_folder_that_is_not_there_and_a_store_that_cannot_be_made_are_exit_code_5() {
    let workspace = Workspace::new();
    workspace.config("");
    let config = std::fs::read_to_string(workspace.path("config.toml")).unwrap().replace("state.db", "nowhere/state.db");
    workspace.write("config.toml", config);
    let ran = doctor(&workspace, &["--format", "json"], &[]);
    assert_eq!(ran.code, 5, "{}", ran.stdout);
    let (status, seen) = check(&ran, "bucket list");
    assert!(status == "fail" && seen.contains("bucket.uri"), "{seen}");
    assert_eq!([check(&ran, "bucket write").0, check(&ran, "reference").0], ["skip", "skip"]);
    let (status, seen) = check(&ran, "store write");
    assert!(status == "fail" && seen.contains("nowhere/state.db"), "{seen}");
    assert!(!workspace.path("bucket").exists(), "it makes no bucket");
}

/// A bucket of Cloud Storage with input, and what a run of the doctor there needs.
fn cloud() -> (Setup, String) {
    let setup = Setup::cloud();
    setup.put("reference/reference.csv", "a,b\n1,2\n3,4\n").put("predictions/logs.csv", "ts,a,b\n2026-01-31T17:00:00Z,1,2\n");
    setup.config(LATEST);
    let endpoint = setup.server().endpoint();
    (setup, endpoint)
}

fn in_cloud(setup: &Setup, endpoint: &str) -> Ran {
    doctor(&setup.workspace, &["--format", "json"], &[("STORAGE_EMULATOR_HOST", endpoint)])
}

#[test]
fn in_cloud_storage_every_right_is_tried_and_the_probe_is_gone() {
    let (setup, endpoint) = cloud();
    let ran = in_cloud(&setup, &endpoint);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert!(statuses(&ran).iter().all(|(name, status)| status == "ok" || name == "channels"), "{}", ran.stdout);
    assert!(check(&ran, "clock").1.contains("of the storage service"), "{}", ran.stdout);
    let server = setup.server();
    assert_eq!(server.keys("reports/"), [""; 0]);
    assert!(server.requests("ifGenerationMatch=0") >= 2 && server.requests("DELETE") >= 1);
}

#[test]
fn a_right_that_is_missing_is_named_with_the_role_that_grants_it() {
    for (method, part, name, permission, role) in [
        ("GET", "/o?", "bucket list", "storage.objects.list", "roles/storage.objectViewer"),
        ("GET", "latest.json", "bucket read", "storage.objects.get", "roles/storage.objectViewer"),
        ("POST", "/upload/", "bucket write", "storage.objects.create", "roles/storage.objectUser"),
        ("DELETE", "/o/", "bucket delete", "storage.objects.delete", "roles/storage.objectUser"),
    ] {
        let (setup, endpoint) = cloud();
        setup.server().trouble(method, part, 1_000, Trouble::Status(403, None));
        let ran = in_cloud(&setup, &endpoint);
        assert_eq!(ran.code, 5, "{name}: {}", ran.stdout);
        let (status, seen) = check(&ran, name);
        assert_eq!(status, "fail", "{name}");
        assert!(seen.contains(&format!("{permission} is missing")), "{name}: {seen}");
        assert!(seen.contains(&format!("grant {role} on gs://logs")), "{name}: {seen}");
        // What cannot be deleted is named.
        let left = setup.server().keys("reports/");
        assert_eq!(left.len(), usize::from(method == "DELETE"), "{name}: {left:?}");
        assert!(left.iter().all(|key| seen.contains(key.as_str())), "{name}: {seen}");
    }
}

#[test]
fn whatever_fails_half_way_the_probe_does_not_stay() {
    for (method, part, trouble) in [
        ("GET", "/o/reports/test/doctor/", Trouble::Status(403, None)),
        ("GET", "/o/reports/test/doctor/", Trouble::CutAfter(3)),
        ("POST", "/upload/", Trouble::AnswerLost),
        ("POST", "/upload/", Trouble::Garbled),
    ] {
        let (setup, endpoint) = cloud();
        setup.server().trouble(method, part, 1, trouble.clone());
        let ran = in_cloud(&setup, &endpoint);
        assert_eq!(setup.server().keys("reports/"), [""; 0], "{trouble:?}: {}", ran.stdout);
    }
    // The second write goes over the first although it must not.
    let (setup, endpoint) = cloud();
    let server = setup.server();
    server.trouble("POST", "/upload/", 1, Trouble::AsUsual);
    server.trouble("POST", "/upload/", 1_000, Trouble::Status(503, None));
    let ran = in_cloud(&setup, &endpoint);
    assert_eq!((ran.code, check(&ran, "bucket condition").0), (5, "fail".to_owned()), "{}", ran.stdout);
    assert_eq!(server.keys("reports/"), [""; 0]);
}

#[test]
fn a_probe_that_a_killed_doctor_left_is_deleted_by_the_next() {
    let workspace = healthy();
    for (name, hours) in [("old", 2), ("new", 0)] {
        let key = format!("bucket/reports/test/doctor/{name}.probe");
        workspace.write(&key, "x");
        let written = SystemTime::now() - Duration::from_secs(hours * 3_600);
        std::fs::File::options().write(true).open(workspace.path(&key)).unwrap().set_modified(written).unwrap();
    }
    let ran = doctor(&workspace, &["--format", "json"], &[]);
    assert!(check(&ran, "bucket delete").1.contains("and 1 that earlier doctors left"), "{}", ran.stdout);
    // The other may be somebody's who is at it now.
    assert_eq!(workspace.files("bucket/reports"), ["test/doctor/new.probe"]);
}

/// A server that answers everything with 404 and a date of its own; `None` where it is the right one.
fn dated(apart_s: i64) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 8_192];
            if stream.read(&mut request).unwrap_or(0) == 0 {
                continue;
            }
            let now = chrono::Utc::now() + chrono::TimeDelta::seconds(apart_s);
            let date = now.format("%a, %d %b %Y %H:%M:%S GMT");
            // Whoever does not read the answer to its end is not of interest.
            drop(write!(stream, "HTTP/1.1 404 Not Found\r\ndate: {date}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"));
        }
    });
    format!("http://{address}")
}

#[test]
fn a_clock_that_is_a_day_off_fails_and_one_that_is_minutes_off_warns() {
    let setup = Setup::cloud();
    for (apart_s, status, seen) in [
        (86_400, "fail", "24 h 0 min behind the storage service"),
        (-86_400, "fail", "24 h 0 min ahead of the storage service"),
        (120, "warn", "behind the storage service"),
        (0, "ok", "of the storage service"),
    ] {
        let ran = in_cloud(&setup, &dated(apart_s));
        let found = check(&ran, "clock");
        // Half a minute of the other may have passed since its header was written.
        let said = found.1.replace("23 h 59 min", "24 h 0 min");
        assert!(found.0 == status && said.contains(seen), "{apart_s}: {found:?}");
        assert_eq!(ran.code, if status == "fail" { 3 } else { 5 }, "{apart_s}: {}", ran.stdout);
        assert!(status == "ok" || found.1.contains("NTP"), "{found:?}");
    }
}

#[test]
fn a_bucket_that_cannot_be_reached_is_one_failure_and_ends_in_time() {
    let setup = Setup::cloud();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let began = std::time::Instant::now();
    let ran = in_cloud(&setup, &format!("http://{nobody}"));
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    assert_eq!(ran.code, 5, "{}", ran.stdout);
    let failed: Vec<_> = statuses(&ran).into_iter().filter(|(_, status)| status == "fail").collect();
    assert_eq!(failed, [("bucket list".to_owned(), "fail".to_owned())]);
    assert!(check(&ran, "bucket list").1.contains("check the network and bucket.endpoint"), "{}", ran.stdout);
}

#[test]
fn the_identity_is_named_and_its_key_is_not() {
    let workspace = healthy();
    let config = std::fs::read_to_string(workspace.path("config.toml")).unwrap().replace("file:bucket", "gs://logs");
    // Nobody listens there: what is looked at is who asks.
    workspace.write(
        "config.toml",
        config.replace("uri = \"gs://logs\"", "uri = \"gs://logs\"\nendpoint = \"https://127.0.0.1:9\"\ntimeout = \"1s\""),
    );
    workspace.write(
        "key.json",
        r#"{"type":"service_account","client_email":"job@p.iam.gserviceaccount.com","private_key":"PRIVATE-KEY-SECRET"}"#,
    );
    let path = workspace.path("key.json").display().to_string();
    let ran = doctor(&workspace, &["--format", "json"], &[("GOOGLE_APPLICATION_CREDENTIALS", &path)]);
    assert_eq!(ran.code, 5);
    let (status, seen) = check(&ran, "credentials");
    assert!(status == "fail" && seen.contains("job@p.iam.gserviceaccount.com") && seen.contains("key.json"), "{status} {seen}");
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("PRIVATE-KEY-SECRET"));
}

const CHANNELS: &str = "[signals.data-drift]\nmode = \"notify\"\nchannels = [\"slack\"]\n[channels]\ntimeout = \"3s\"\n\
    [channels.slack]\nwebhook = \"env:SLACK\"\n[channels.webhook]\nurl = \"env:HOOK\"\nsecret = \"env:SECRET\"\n\
    [channels.pagerduty]\nkey = \"env:PAGER\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_test_message_goes_to_every_channel_and_says_that_it_is_one() {
    let server = MessageServer::start().await;
    let workspace = healthy();
    workspace.config(&format!("{LATEST}{CHANNELS}endpoint = \"{}\"\n", server.url("/v2/enqueue")));
    let (slack, hook) = (server.url("/services/T0/B0/SLACK-SECRET"), server.url("/hook"));
    let environment =
        [("SLACK", slack.as_str()), ("HOOK", &hook), ("SECRET", SIGNING_SECRET), ("PAGER", "0123456789abcdef0123456789abcdef")];
    let run =
        |more: &[&str]| tokio::task::block_in_place(|| doctor(&workspace, &[&["--format", "json"], more].concat(), &environment));
    let quiet = run(&[]);
    assert_eq!((quiet.code, server.received().len()), (0, 0), "{}", quiet.stdout);
    assert!(check(&quiet, "channel slack").1.contains("told of data-drift; not tried (--send-test)"), "{}", quiet.stdout);
    assert!(check(&quiet, "channel webhook").1.contains("no signal is sent there"), "{}", quiet.stdout);
    let ran = run(&["--send-test"]);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    let received = server.received();
    let paths: Vec<&str> = received.iter().map(|received| received.path.as_str()).collect();
    // What opens an incident is followed by what ends it.
    assert_eq!(paths.iter().filter(|path| **path == "/v2/enqueue").count(), 2, "{paths:?}");
    assert_eq!(paths.len(), 4, "{paths:?}");
    let events: Vec<&Value> =
        received.iter().filter(|one| one.path == "/v2/enqueue").map(|one| &one.body["event_action"]).collect();
    assert_eq!(events, ["trigger", "resolve"]);
    let slack = received.iter().find(|received| received.path.starts_with("/services/")).unwrap();
    assert!(slack.body.to_string().contains("This is a test message"), "{}", slack.body);
    assert!(slack.body.to_string().contains("local, TEST"), "{}", slack.body);
    for dry in ["--dry-run", "--no-notify"] {
        let ran = run(&["--send-test", dry]);
        assert_eq!((ran.code, check(&ran, "channel slack").0.as_str()), (0, "skip"), "{}", ran.stdout);
    }
    assert_eq!(server.received().len(), 4);
    for output in [&quiet, &ran] {
        assert!(!format!("{}{}", output.stdout, output.stderr).contains("SLACK-SECRET"));
    }
    server.always(Answering::Answer(404, "no_service", None));
    let ran = run(&["--send-test"]);
    assert_eq!(ran.code, 6, "{}", ran.stdout);
    let (status, seen) = check(&ran, "channel slack");
    assert!(status == "fail" && seen.contains("channels.slack.webhook"), "{seen}");
}

#[test]
fn a_secret_that_is_not_there_is_exit_code_6() {
    let workspace = healthy();
    workspace.config(&format!("{LATEST}{CHANNELS}"));
    let ran = doctor(&workspace, &["--format", "json"], &[]);
    assert_eq!(ran.code, 6, "{}", ran.stdout);
    let (status, seen) = check(&ran, "channel slack");
    assert!(status == "fail" && seen.contains("`channels.slack.webhook` (env:SLACK) is not set"), "{seen}");
}

#[test]
fn firestore_is_read_and_written_and_keeps_nothing() {
    let Some(host) = emulator::address("doctor::firestore_is_read_and_written_and_keeps_nothing") else { return };
    let settings = emulator::settings("").unwrap();
    let workspace = healthy();
    let store = format!("kind = \"firestore\"\nproject = \"{}\"\n", settings.project);
    let config = std::fs::read_to_string(workspace.path("config.toml")).unwrap().replace("path = \"state.db\"\n", &store);
    workspace.write("config.toml", config);
    let environment = [("FIRESTORE_EMULATOR_HOST", host)];
    // The emulator's first answers take longer than a doctor waits.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let store = StateStore::firestore(settings.clone()).await.unwrap();
        let scope = Scope { job: "warm".to_owned(), environment: "test".to_owned() };
        store.silences(scope).await.unwrap();
    });
    let ran = doctor(&workspace, &["--format", "json"], &environment);
    assert_eq!(ran.code, 0, "{}", ran.stdout);
    assert_eq!([check(&ran, "store read").0, check(&ran, "store write").0], ["ok", "ok"]);
    let prefix = "drift-check";
    for collection in ["jobs", "runs"] {
        let left = runtime.block_on(emulator::documents(&settings, &format!("{prefix}-{collection}")));
        assert_eq!(left, [Value::Null; 0], "{collection}");
    }
    // A database that cannot be reached.
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let ran = doctor(&workspace, &["--format", "json"], &[("FIRESTORE_EMULATOR_HOST", &nobody)]);
    assert_eq!((ran.code, check(&ran, "store read").0.as_str()), (5, "fail"), "{}", ran.stdout);
}
