//! Who is told what, by the real binary over real sockets: signals from opened to resolved, silences, dry runs, channels and stores that
//! fail.

use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::mail_server::{Kind, MailServer};
use crate::message_server::{MessageServer, SIGNING_SECRET, Trouble};
use crate::workspace::{AS_OF, Ran, Workspace, rows, signal, stamp, text};

/// A drifted window of the tests' reference, told by Slack and a webhook.
struct Setup {
    workspace: Workspace,
    server: MessageServer,
}

const NOTIFY: &str = "[signals.data-drift]\nmode = \"notify\"\nchannels = [\"slack\", \"webhook\"]\nclose_after = 1\n\
                      [channels]\ntimeout = \"2s\"\n[channels.slack]\nwebhook = \"env:SLACK\"\n\
                      [channels.webhook]\nurl = \"env:HOOK\"\nsecret = \"env:SECRET\"\n";

impl Setup {
    async fn new() -> Self {
        Self::with(NOTIFY).await
    }

    async fn with(config: &str) -> Self {
        let (workspace, server) = (Workspace::new(), MessageServer::start().await);
        workspace.config(config).reference().logs(300, 0.5);
        Self { workspace, server }
    }

    fn environment(&self) -> Vec<(String, String)> {
        let pairs = [
            ("SLACK", self.server.url("/services/T0/B0/x")),
            ("HOOK", self.server.url("/hook")),
            ("SECRET", SIGNING_SECRET.to_owned()),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    #[expect(clippy::unused_async, reason = "it blocks a thread of the test's runtime, which an await shows")]
    async fn run(&self, arguments: &[&str]) -> Ran {
        let environment = self.environment();
        let variables: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let mut all = vec!["--config", "config.toml"];
        all.extend(arguments);
        // The server lives on this runtime: the binary is waited for elsewhere.
        tokio::task::block_in_place(|| self.workspace.run_with(&all, &variables))
    }

    async fn check(&self, as_of: &str) -> Ran {
        self.run(&["--as-of", as_of, "--format", "json"]).await
    }

    /// The transitions that the webhook heard of, in order.
    fn heard(&self) -> Vec<String> {
        self.received("/hook").iter().map(|body| text(&body["transition"])).collect()
    }

    fn received(&self, path: &str) -> Vec<Value> {
        self.server
            .received()
            .into_iter()
            .filter(|received| received.path.starts_with(path))
            .map(|received| received.body)
            .collect()
    }
}

fn deliveries(report: &Value) -> Vec<(String, String)> {
    let signal = signal(report, "data-drift");
    let deliveries = signal["deliveries"].as_array().unwrap();
    deliveries.iter().map(|delivery| (text(&delivery["channel"]), text(&delivery["status"]))).collect()
}

fn both(status: &str) -> Vec<(String, String)> {
    ["slack", "webhook"].map(|channel| (channel.to_owned(), status.to_owned())).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fires_is_told_once_and_the_report_says_so() {
    let setup = Setup::new().await;
    let first = setup.check(AS_OF).await;
    assert_eq!(first.code, 0, "{}", first.stderr);
    let report = first.json();
    assert_eq!(deliveries(&report), both("delivered"));
    assert_eq!(signal(&report, "data-drift")["since"], AS_OF);
    let stored: Value =
        serde_json::from_slice(&std::fs::read(setup.workspace.path("bucket/reports/test/latest.json")).unwrap()).unwrap();
    assert_eq!(deliveries(&stored), both("delivered"), "what is in the bucket knows of the deliveries");
    // The same window again, and the next one: nobody is told twice.
    assert_eq!(deliveries(&setup.check(AS_OF).await.json()), both("delivered"));
    setup.check("2026-01-31T20:00:00Z").await;
    assert_eq!(setup.heard(), ["opened"]);
    let told = &setup.received("/hook")[0];
    assert_eq!(told["summary"], "1 of 2 features drifted (50 %); it fires above 30 %.");
    assert_eq!(told["features"][0]["name"], "a");
    assert!(told["features"][0]["change"].as_str().unwrap().contains("→"), "{told}");
    assert_eq!(told["links"]["runbook"], "docs/runbooks/data-drift.md");
    assert!(told["links"]["report"].as_str().unwrap().ends_with("report.html"), "{told}");
    assert_eq!(told["command"], format!("drift-check --config config.toml --window 24h --as-of {AS_OF}"));
    setup.workspace.logs(300, 0.0);
    setup.check("2026-01-31T21:00:00Z").await;
    assert_eq!(setup.heard(), ["opened", "resolved"]);
    assert_eq!(setup.received("/services").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_channel_refuses_is_kept_tried_again_and_in_order() {
    let setup = Setup::new().await;
    setup.server.next([Trouble::Answer(404, "no_service", None)]);
    let failed = setup.check(AS_OF).await;
    assert_eq!(failed.code, 6, "{}", failed.stderr);
    let report = failed.json();
    // The other channel is told all the same.
    assert_eq!(deliveries(&report), [("slack".to_owned(), "pending".to_owned()), ("webhook".to_owned(), "delivered".to_owned())]);
    let findings = report["findings"].as_array().unwrap();
    assert!(findings.iter().any(|finding| finding["code"] == "delivery-failed"), "{findings:?}");
    assert!(failed.stderr.contains("no_service") && !failed.stderr.contains("/services/"), "{}", failed.stderr);
    let history = setup.run(&["history"]).await;
    assert!(history.stdout.contains("1 message is not delivered yet"), "{}", history.stdout);
    // Resolved meanwhile: Slack hears of both, in order, and the webhook of the second.
    setup.workspace.logs(300, 0.0);
    let next = setup.check("2026-01-31T20:00:00Z").await;
    assert_eq!(next.code, 0, "{}", next.stderr);
    let texts: Vec<String> = setup.received("/services").iter().map(|body| text(&body["text"])).collect();
    assert_eq!(texts.len(), 3, "refused, then both: {texts:?}");
    assert!(texts[1].contains("opened") && texts[2].contains("resolved"), "{texts:?}");
    assert_eq!(setup.heard(), ["opened", "resolved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_cannot_be_used_keeps_no_other_from_being_told() {
    let setup = Setup::with(&NOTIFY.replace("env:SLACK", "env:NOT_SET")).await;
    let ran = setup.check(AS_OF).await;
    assert_eq!(ran.code, 6, "{}", ran.stderr);
    assert!(ran.stderr.contains("channels.slack.webhook") && ran.stderr.contains("NOT_SET"), "{}", ran.stderr);
    assert_eq!(setup.heard(), ["opened"]);
}

/// The process dies when the message has been taken, before it can note that.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_delivery_and_receipt_sends_again_and_says_so() {
    let setup = Setup::new().await;
    let workspace = &setup.workspace;
    let run_until_killed = |path: &'static str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drift-check"));
        command.current_dir(workspace.path("")).env_clear().envs(setup.environment()).stdout(Stdio::null()).stderr(Stdio::null());
        command.args(["--config", "config.toml", "--as-of", AS_OF]);
        command.env("CLOUD_RUN_JOB", "j").env("CLOUD_RUN_EXECUTION", "j-1").env("CLOUD_RUN_TASK_ATTEMPT", "0");
        let child = Arc::new(Mutex::new(command.spawn().unwrap()));
        while !setup.server.received().iter().any(|received| received.path.starts_with(path)) {
            assert!(child.lock().unwrap().try_wait().unwrap().is_none(), "it ended before it told anybody");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        let mut child = child.lock().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    };
    // The answer never comes, so that the process is sure to be waiting for it when it is killed.
    setup.server.next([Trouble::Hang]);
    tokio::task::block_in_place(|| run_until_killed("/services"));
    let again = setup.check(AS_OF).await;
    assert_eq!(again.code, 0, "{}", again.stderr);
    let slack = setup.received("/services");
    assert_eq!(slack.len(), 2);
    let says_so = |body: &Value| body["text"].as_str().unwrap().contains("May be a repetition");
    assert!(!says_so(&slack[0]) && says_so(&slack[1]), "{slack:?}");
    assert_eq!(setup.heard(), ["opened"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_of_one_window_at_once_send_one_set_of_messages() {
    let setup = Setup::new().await;
    for hour in 0..5 {
        // Apart by more than a day, so that each window is told of.
        let as_of = (AS_OF.parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(hour)).to_rfc3339();
        let (first, second) = tokio::join!(setup.check_elsewhere(&as_of), setup.check_elsewhere(&as_of));
        assert_eq!((first, second), (0, 0));
    }
    assert_eq!(setup.heard(), ["opened"]);
    assert_eq!(setup.received("/services").len(), 1);
}

impl Setup {
    /// As [`Self::check`], at the same time as others.
    async fn check_elsewhere(&self, as_of: &str) -> i32 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drift-check"));
        command
            .current_dir(self.workspace.path(""))
            .env_clear()
            .envs(self.environment())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.args(["--config", "config.toml", "--as-of", as_of]);
        tokio::task::spawn_blocking(move || command.status().unwrap().code().unwrap()).await.unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silenced_signal_tells_nobody_until_the_silence_ends() {
    let setup = Setup::new().await;
    let silenced = setup.run(&["history", "--silence", "data-drift", "24h", "--reason", "a new <scanner>"]).await;
    assert_eq!(silenced.code, 0, "{}", silenced.stderr);
    let report = setup.check(AS_OF).await.json();
    let found = signal(&report, "data-drift");
    assert_eq!((&found["transition"], &found["silenced"]["reason"]), (&"opened".into(), &"a new <scanner>".into()));
    assert_eq!(deliveries(&report), both("silenced"));
    assert_eq!(setup.server.received().len(), 0);
    let history = setup.run(&["history"]).await.stdout;
    assert!(history.contains("data-drift") && history.contains("active") && history.contains("a new <scanner>"), "{history}");
    // The silence is ended: what is still open is told, since when it opened.
    setup.run(&["history", "--unsilence", "data-drift"]).await;
    assert!(!setup.run(&["history"]).await.stdout.contains("active"));
    setup.check("2026-01-31T20:00:00Z").await;
    assert_eq!(setup.heard(), ["ongoing"]);
    assert_eq!(setup.received("/hook")[0]["since"], AS_OF);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_a_silence_is_refused() {
    let setup = Setup::new().await;
    for (arguments, code, word) in [
        (&["history", "--silence", "data-drfit", "24h", "--reason", "x"][..], 2, "data-drift, low-confidence"),
        (&["history", "--silence", "data-drift", "soon", "--reason", "x"], 2, "not a length of time"),
        (&["history", "--silence", "data-drift", "24h"], 2, "--reason"),
        (&["history", "--silence", "data-drift", "24h", "--reason", " "], 2, "needs a reason"),
    ] {
        let ran = setup.run(arguments).await;
        assert_eq!(ran.code, code, "{}", ran.stderr);
        assert!(ran.stderr.contains(word), "{arguments:?}: {}", ran.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_notify_tells_nobody_and_the_next_run_does() {
    let setup = Setup::new().await;
    let quiet = setup.run(&["--as-of", AS_OF, "--no-notify", "--format", "json"]).await;
    assert_eq!(deliveries(&quiet.json()), both("suppressed"));
    assert_eq!(setup.server.received().len(), 0);
    setup.check("2026-01-31T20:00:00Z").await;
    assert_eq!(setup.heard(), ["ongoing"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_shows_what_would_be_sent_to_whom_and_does_nothing() {
    let setup = Setup::new().await;
    let ran = setup.run(&["--as-of", AS_OF, "--dry-run"]).await;
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for part in ["Would be sent to Slack (env:SLACK)", "P1 data-drift opened", "1 of 2 features drifted (50 %)", "idempotency-key"]
    {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
    assert!(!ran.stdout.contains("/services/T0") && !ran.stdout.contains(SIGNING_SECRET), "{}", ran.stdout);
    let as_json = setup.run(&["--as-of", AS_OF, "--dry-run", "--format", "json"]).await;
    assert_eq!(as_json.json()["decision"]["verdict"], "drift", "JSON stands alone on stdout");
    assert!(as_json.stderr.contains("Would be sent to"), "{}", as_json.stderr);
    assert_eq!(setup.server.received().len(), 0);
    assert!(!setup.workspace.path("state.db").exists() && setup.workspace.files("bucket/reports").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_state_store_what_fires_is_sent_with_a_word_of_doubt() {
    let setup = Setup::new().await;
    let newer = rusqlite_file(&setup.workspace.path("state.db"));
    assert!(newer, "the file could not be made");
    let ran = setup.check(AS_OF).await;
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("newer than this drift-check"), "{}", ran.stderr);
    let told = &setup.received("/hook")[0];
    assert_eq!((setup.heard(), &told["may_be_repeated"]), (vec!["opened".to_owned()], &true.into()));
    assert!(told["notes"][0].as_str().unwrap().contains("state store could not be reached"), "{told}");
    assert_eq!(setup.received("/services").len(), 1);
}

/// A store of a version that is to come: SQLite keeps `user_version` in the bytes 60 to 63 of the file.
fn rusqlite_file(path: &std::path::Path) -> bool {
    let workspace = Workspace::new();
    workspace.config("").reference().logs(300, 0.0);
    workspace.check(&[]);
    let mut bytes = std::fs::read(workspace.path("state.db")).unwrap();
    bytes[60..64].copy_from_slice(&99_u32.to_be_bytes());
    std::fs::write(path, bytes).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_that_cannot_be_used_are_told_although_there_is_no_report() {
    let setup = Setup::with(&NOTIFY.replace("signals.data-drift", "signals.broken-input")).await;
    setup.workspace.write("bucket/predictions/logs.csv", format!("ts,a,b\n{}", rows(50, |i| format!("{},1,", stamp(i)), |a| a)));
    let ran = setup.check(AS_OF).await;
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    assert_eq!(setup.heard(), ["opened"]);
    let told = &setup.received("/hook")[0];
    assert!(told["summary"].as_str().unwrap().contains("field-count"), "{told}");
    assert_eq!((&told["signal"], &told["links"]["report"]), (&"broken-input".into(), &Value::Null));
    setup.workspace.logs(300, 0.0);
    assert_eq!(setup.check("2026-01-31T20:00:00Z").await.code, 0);
    assert_eq!(setup.heard(), ["opened", "resolved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_without_timestamps_tell_too_and_once_a_day() {
    let config = NOTIFY.replace("[signals", "[logs]\ntimestamp = \"\"\n[signals");
    let setup = Setup::with("").await;
    let base = "[job]\nname = \"test\"\n[bucket]\nuri = \"file:bucket\"\n[store]\npath = \"state.db\"\n[features]\ninclude = [\"a\", \"b\"]\n";
    setup.workspace.write("config.toml", format!("{base}{config}"));
    for _ in 0..2 {
        let ran = setup.run(&["--format", "json"]).await;
        assert_eq!(ran.code, 0, "{}", ran.stderr);
    }
    assert_eq!(setup.heard(), ["opened"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_reads_otherwise_the_second_time_tells_what_changed() {
    let setup = Setup::new().await;
    setup.check(AS_OF).await;
    // Late rows, repaired logs: the same window is stable after all, and whoever heard of drift hears of its end.
    setup.workspace.logs(300, 0.0);
    let again = setup.check(AS_OF).await;
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(setup.heard(), ["opened", "resolved"]);
    setup.check(AS_OF).await;
    // And drifted in the end, of the same window: nothing that was told before stands in the way.
    setup.workspace.logs(300, 0.5);
    setup.check(AS_OF).await;
    assert_eq!(deliveries(&setup.check(AS_OF).await.json()), both("delivered"), "once for each channel");
    assert_eq!(setup.heard(), ["opened", "resolved", "opened"]);
    let ids: std::collections::BTreeSet<String> = setup.received("/hook").iter().map(|body| text(&body["message_id"])).collect();
    assert_eq!(ids.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_know_of_is_not_forgotten_by_a_quieter_rerun() {
    let setup = Setup::new().await;
    setup.check(AS_OF).await;
    setup.run(&["--as-of", AS_OF, "--no-notify"]).await;
    setup.workspace.logs(300, 0.0);
    setup.check("2026-01-31T20:00:00Z").await;
    assert_eq!(setup.heard(), ["opened", "resolved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_holds_back_what_is_waiting_too() {
    let setup = Setup::new().await;
    setup.server.next([Trouble::Answer(404, "no_service", None), Trouble::Answer(400, "no", None)]);
    assert_eq!(setup.check(AS_OF).await.code, 6);
    setup.run(&["history", "--silence", "data-drift", "24h", "--reason", "known"]).await;
    let silenced = setup.check("2026-01-31T20:00:00Z").await;
    assert_eq!((silenced.code, setup.server.received().len()), (0, 2), "{}", silenced.stderr);
    setup.run(&["history", "--unsilence", "data-drift"]).await;
    setup.check("2026-01-31T21:00:00Z").await;
    assert_eq!(setup.heard(), ["opened", "opened"], "refused, and then taken");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_was_taken_away_holds_nothing_up() {
    let setup = Setup::new().await;
    setup.server.next([Trouble::Answer(404, "no_service", None)]);
    assert_eq!(setup.check(AS_OF).await.code, 6);
    let without_slack = NOTIFY.replace("\"slack\", ", "").replace("[channels.slack]\nwebhook = \"env:SLACK\"\n", "");
    setup.workspace.config(&without_slack);
    // Refused once, and unknown to three runs: one run by hand with another configuration loses nothing.
    for hour in 18..21 {
        let ran = setup.check(&format!("2026-01-31T{hour}:30:00Z")).await;
        assert_eq!(ran.code, 6, "{}", ran.stderr);
        assert!(ran.stderr.contains("not configured any more"), "{}", ran.stderr);
    }
    let last = setup.check("2026-01-31T21:00:00Z").await;
    assert_eq!(last.code, 0, "{}", last.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_heard_of_the_opening_hears_of_the_end_in_shadow_mode_too() {
    let setup = Setup::new().await;
    setup.check(AS_OF).await;
    setup.workspace.config(&NOTIFY.replace("\"notify\"", "\"shadow\"")).logs(300, 0.0);
    setup.check("2026-01-31T20:00:00Z").await;
    assert_eq!(setup.heard(), ["opened", "resolved"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_that_cannot_be_written_keeps_nobody_from_being_told() {
    let setup = Setup::new().await;
    setup.workspace.write("bucket/reports", "no folder");
    let ran = setup.check(AS_OF).await;
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert_eq!(setup.heard(), ["opened"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_dead_address_is_said_once_and_sends_the_others_nothing_twice() {
    let mail = MailServer::start(&Kind { refused: &["gone@example.com"], ..Kind::open() });
    let setup = Setup::with(&format!(
        "[signals.data-drift]\nmode = \"notify\"\nchannels = [\"email\"]\nclose_after = 1\n[channels]\ntimeout = \"5s\"\n[channels.email]\n\
         smtp = \"127.0.0.1:{}\"\ntls = \"none\"\nfrom = \"drift@example.com\"\nto = [\"oncall@example.com\", \"gone@example.com\"]\n",
        mail.port
    ))
    .await;
    let first = setup.check(AS_OF).await;
    assert_eq!(first.code, 6, "{}", first.stderr);
    assert!(first.stderr.contains("receiver 2 of 2") && !first.stderr.contains("gone@"), "{}", first.stderr);
    assert_eq!(setup.check("2026-01-31T20:00:00Z").await.code, 0);
    setup.workspace.logs(300, 0.0);
    // The end is told too.
    assert_eq!(setup.check("2026-01-31T21:00:00Z").await.code, 6);
    let received = mail.received();
    assert_eq!(received.len(), 2, "{received:?}");
    let header = |message: &Value, name: &str| {
        let headers = message["headers"].as_array().unwrap();
        headers.iter().find(|header| header[0] == name).map(|header| text(&header[1])).unwrap_or_default()
    };
    let subjects = [header(&received[0], "Subject"), header(&received[1], "Subject")];
    assert!(subjects[0].contains("opened") && subjects[1].contains("resolved"), "{subjects:?}");
    let thread = header(&received[0], "References");
    assert!(!thread.is_empty() && header(&received[1], "References").contains(&thread), "both are of one incident");
    assert!(received[0]["parts"].as_array().unwrap().iter().any(|part| part["name"] == "report.html"), "the report is attached");
}
