//! Thirty days at six-hour steps, the real binary on real sockets, killed between any two steps: the messages received are exactly those
//! expected, once each.
//!
//! A step is a request to the bucket or to a receiver of messages; the process is killed when the request arrives, before it is carried out.
//! Windows in which nobody is told are killed once, at a step that moves on from window to window; windows that tell are killed again and
//! again, each attempt a few steps further, until an attempt comes through.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::storage_server::StorageServer;
use crate::workspace::Workspace;

const FEATURES: [&str; 4] = ["a", "b", "c", "d"];
const ROWS: u32 = 80;

/// The end of a six-hour window, 0 to 119.
fn end(window: u32) -> DateTime<Utc> {
    "2026-01-01T06:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(6 * i64::from(window))
}

/// The same uniform numbers on every machine (splitmix64).
fn uniform(seed: u64) -> f64 {
    let mut z = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The rows of a window: what happens in these thirty days.
fn logs(window: u32) -> String {
    let moved = match window {
        20..=27 | 100..=101 => 2,
        28..=33 => 4,
        _ => 0,
    };
    let rows = if matches!(window, 50..=51) { 0 } else { ROWS };
    let mut text = "ts,a,b,c,d,conf\n".to_owned();
    for row in 0..rows {
        let at = end(window) - TimeDelta::minutes(1 + i64::from(row) * 4);
        let cell = |feature: u32| {
            let value = uniform(u64::from(window) << 32 | u64::from(row) << 4 | u64::from(feature));
            let is_empty = feature == 3 && matches!(window, 60..=65);
            if is_empty { String::new() } else { format!("{:.6}", value + if feature < moved { 0.5 } else { 0.0 }) }
        };
        let confidence = if matches!(window, 80..=83) { 0.5 } else { 0.9 };
        let cells: Vec<String> = (0..4).map(cell).collect();
        text.push_str(&format!("{},{},{confidence}\n", at.to_rfc3339(), cells.join(",")));
    }
    text
}

/// What people must hear of: the window, the signal and what happened to it.
const EXPECTED: [(u32, &str, &str); 14] = [
    (20, "data-drift", "opened"),
    (24, "data-drift", "ongoing"),
    (28, "data-drift", "worsened"),
    (32, "data-drift", "ongoing"),
    // Two quiet windows in a row resolve it.
    (35, "data-drift", "resolved"),
    (50, "no-data", "opened"),
    (52, "no-data", "resolved"),
    (60, "broken-input", "opened"),
    (64, "broken-input", "ongoing"),
    (66, "broken-input", "resolved"),
    (80, "low-confidence", "opened"),
    (85, "low-confidence", "resolved"),
    (100, "data-drift", "opened"),
    (103, "data-drift", "resolved"),
];

/// The process, and at which of its steps it is killed.
#[derive(Default)]
struct Victim {
    child: Option<Child>,
    steps: u32,
    dies_at: Option<u32>,
}

/// Counts a step; whether the process died of it.
fn step(victim: &Mutex<Victim>) -> bool {
    let mut victim = victim.lock().unwrap();
    victim.steps += 1;
    if victim.dies_at != Some(victim.steps - 1) {
        return false;
    }
    victim.child.as_mut().unwrap().kill().unwrap();
    true
}

type Received = Arc<Mutex<Vec<(String, Value)>>>;

/// Takes messages for Slack (`/services/…`), PagerDuty (`/v2/enqueue`) and a webhook (`/hook`).
async fn receiver(victim: Arc<Mutex<Victim>>, received: Received) -> String {
    async fn take(victim: Arc<Mutex<Victim>>, received: Received, request: Request) -> Response {
        let (head, body) = request.into_parts();
        let body = serde_json::from_slice(&to_bytes(body, 1 << 20).await.unwrap()).unwrap();
        if step(&victim) {
            return std::future::pending().await;
        }
        let path = head.uri.path().to_owned();
        let answer = if path == "/v2/enqueue" { (StatusCode::ACCEPTED, "{}") } else { (StatusCode::OK, "ok") };
        received.lock().unwrap().push((path, body));
        answer.into_response()
    }
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().fallback(move |request: Request| take(Arc::clone(&victim), Arc::clone(&received), request));
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

struct Play {
    workspace: Workspace,
    storage: StorageServer,
    receiver: String,
    victim: Arc<Mutex<Victim>>,
    kills: u32,
}

impl Play {
    fn new(receiver: String, victim: Arc<Mutex<Victim>>) -> Self {
        let (workspace, storage) = (Workspace::new(), StorageServer::start());
        let config = format!(
            "[job]\nname = \"ct-scan\"\nenvironment = \"prod\"\n[bucket]\nuri = \"gs://logs\"\nendpoint = \"{}\"\n\
             [logs]\ntimestamp = \"ts\"\ndate_pattern = \"%Y/%m/%d\"\ndate_slack = \"0s\"\n[window]\nlength = \"6h\"\n\
             [features]\ninclude = [\"a\", \"b\", \"c\", \"d\"]\n[prediction]\nconfidence = \"conf\"\n[policy]\njoint_features = 0\n\
             [signals.data-drift]\nmode = \"notify\"\nchannels = [\"slack\", \"webhook\", \"pagerduty\"]\n\
             [signals.no-data]\nmode = \"notify\"\nchannels = [\"webhook\"]\n\
             [signals.broken-input]\nmode = \"notify\"\nchannels = [\"slack\", \"webhook\"]\n\
             [signals.low-confidence]\nmode = \"notify\"\nlast = {ROWS}\nchannels = [\"webhook\"]\n\
             [channels]\ntimeout = \"1s\"\n[channels.slack]\nwebhook = \"env:SLACK\"\n\
             [channels.pagerduty]\nkey = \"env:KEY\"\nendpoint = \"{receiver}/v2/enqueue\"\n[channels.webhook]\nurl = \"env:HOOK\"\n",
            storage.endpoint()
        );
        workspace.write("config.toml", config);
        let reference: String = (0..400_u64)
            .map(|row| {
                let cells: Vec<String> = (0..4).map(|feature| format!("{:.6}", uniform(1 << 60 | row << 4 | feature))).collect();
                cells.join(",") + "\n"
            })
            .collect();
        storage.put("reference/reference.csv", format!("{}\n{reference}", FEATURES.join(",")));
        let witness = Arc::clone(&victim);
        storage.witnessed(Arc::new(move |_| step(&witness)));
        Self { workspace, storage, receiver, victim, kills: 0 }
    }

    /// Runs an attempt at a window; `None` when it was killed.
    fn attempt(&mut self, window: u32, attempt: u32, dies_at: Option<u32>) -> Option<i32> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drift-check"));
        command.current_dir(self.workspace.path("")).env_clear().stdout(Stdio::null()).stderr(Stdio::null());
        command.args(["--config", "config.toml", "--quiet", "--as-of", &end(window).to_rfc3339()]);
        command.env("CLOUD_RUN_JOB", "drift-check").env("CLOUD_RUN_EXECUTION", format!("drift-check-{window:03}"));
        command.env("CLOUD_RUN_TASK_ATTEMPT", attempt.to_string());
        command.env("SLACK", format!("{}/services/T0/B0/x", self.receiver)).env("KEY", "0123456789abcdef0123456789abcdef");
        command.env("HOOK", format!("{}/hook", self.receiver));
        *self.victim.lock().unwrap() = Victim { child: Some(command.spawn().unwrap()), steps: 0, dies_at };
        let started = Instant::now();
        let status = loop {
            let ended = self.victim.lock().unwrap().child.as_mut().unwrap().try_wait().unwrap();
            if let Some(status) = ended {
                break status;
            }
            assert!(started.elapsed() < Duration::from_mins(1), "window {window} hangs");
            std::thread::sleep(Duration::from_millis(2));
        };
        self.kills += u32::from(status.code().is_none());
        status.code()
    }

    /// Runs a window to its end, killed at these steps on the way.
    fn window(&mut self, window: u32, deaths: impl Iterator<Item = u32>) {
        self.storage.put(&format!("predictions/{}.csv", (end(window) - TimeDelta::hours(1)).format("%Y/%m/%d/%H")), logs(window));
        let mut attempts = 0..;
        for dies_at in deaths {
            let Some(code) = self.attempt(window, attempts.next().unwrap(), Some(dies_at)) else { continue };
            assert_eq!(code, 0, "window {window}");
            return;
        }
        assert_eq!(self.attempt(window, attempts.next().unwrap(), None), Some(0), "window {window}");
    }
}

/// What a receiver of messages heard, as (window, signal, transition), in order.
fn heard(received: &[(String, Value)], path: &str) -> Vec<(u32, String, String)> {
    let of_path = received.iter().filter(|(known, _)| known.starts_with(path)).map(|(_, body)| body);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let window_of = |moment: &str| {
        let moment: DateTime<Utc> = moment.parse().unwrap_or_else(|_| panic!("{moment}"));
        u32::try_from((moment - end(0)).num_hours() / 6).unwrap()
    };
    of_path.map(|body| (window_of(&text(&body["window_end"])), text(&body["signal"]), text(&body["transition"]))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_days_with_a_crash_between_any_two_steps_tell_each_thing_once() {
    let (victim, received) = (Arc::<Mutex<Victim>>::default(), Received::default());
    let receiver = receiver(Arc::clone(&victim), Arc::clone(&received)).await;
    let play = tokio::task::spawn_blocking(move || {
        let mut play = Play::new(receiver, victim);
        for window in 0..120 {
            if EXPECTED.iter().any(|(told, ..)| *told == window) {
                play.window(window, (window % 3..).step_by(3));
            } else if window % 2 == 0 {
                play.window(window, std::iter::once(window / 2 % 40));
            } else {
                play.window(window, std::iter::empty());
            }
        }
        play
    })
    .await
    .unwrap();
    // Every window that tells was killed several times.
    assert!(play.kills > 120, "{} kills", play.kills);
    let received = received.lock().unwrap().clone();
    let expected: Vec<(u32, String, String)> =
        EXPECTED.iter().map(|(window, signal, transition)| (*window, (*signal).to_owned(), (*transition).to_owned())).collect();
    assert_eq!(heard(&received, "/hook"), expected);

    // Slack: as many as there are, each with the words of its kind; none is there twice.
    let texts: Vec<&str> =
        received.iter().filter(|(path, _)| path.starts_with("/services")).map(|(_, body)| body["text"].as_str().unwrap()).collect();
    let told_by_slack = expected.iter().filter(|(_, signal, _)| signal == "data-drift" || signal == "broken-input");
    let words = |transition: &str| if transition == "ongoing" { "still open".to_owned() } else { transition.to_owned() };
    let wanted: Vec<String> = told_by_slack.map(|(_, signal, transition)| format!("P1 {signal} {}", words(transition))).collect();
    assert_eq!(texts.len(), wanted.len(), "{texts:#?}");
    for (text, wanted) in texts.iter().zip(&wanted) {
        assert!(text.starts_with(wanted.as_str()), "{text} is not {wanted}");
    }

    // PagerDuty: one incident after the other, under one key.
    let actions: Vec<&str> =
        received.iter().filter(|(path, _)| path == "/v2/enqueue").map(|(_, body)| body["event_action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["trigger", "trigger", "trigger", "trigger", "resolve", "trigger", "resolve"]);

    // Every window has its report, whole, and the last one is the latest.
    let reports = play.storage.keys("reports/ct-scan/2026/");
    assert_eq!(reports.iter().filter(|key| key.ends_with("report.json")).count(), 120);
    assert_eq!(reports.iter().filter(|key| key.ends_with("report.html")).count(), 120);
    let report = |key: &str| serde_json::from_slice::<Value>(&play.storage.get(key).unwrap()).unwrap();
    let latest = report("reports/ct-scan/latest.json");
    assert_eq!(latest["window"]["end"], "2026-01-31T00:00:00Z");
    // The reports tell what became of the messages.
    let opened = report(&format!("reports/ct-scan/{}-6h/report.json", end(20).format("%Y/%m/%d/%H%M%SZ")));
    let deliveries: BTreeMap<&str, &str> = opened["signals"][0]["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|delivery| (delivery["channel"].as_str().unwrap(), delivery["status"].as_str().unwrap()))
        .collect();
    assert_eq!(deliveries, BTreeMap::from([("slack", "delivered"), ("webhook", "delivered"), ("pagerduty", "delivered")]));
}
