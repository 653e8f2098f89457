//! PagerDuty: Events API v2. One incident per `dedup_key`: what is sent twice is recognised.

use serde_json::{Map, Value, json};

use super::attempt::{Handover, deliver};
use super::hidden::REDACTED;
use super::http::{self, Address, Http, Post};
use super::words::{self, MOST_FEATURES, shown};
use super::{ChannelName, Fault, Hidden, Notification, Priority, SendError};
use crate::decision::signal::Transition;

/// Of `payload.summary`, in characters.
const SUMMARY_CHARS: usize = 1_024;
/// Of `dedup_key`, in characters.
const KEY_CHARS: usize = 255;
/// Ours: an event may have 512 KB, and nobody reads that.
const MOST_FACTS: usize = 40;
const DETAIL_CHARS: usize = 2_000;

/// An integration of a service.
#[derive(Clone, Debug)]
pub struct Pagerduty {
    key: Hidden,
    /// Where the key is kept, such as `env:PAGERDUTY_KEY`.
    source: String,
    endpoint: Address,
    http: Http,
}

impl Pagerduty {
    pub fn new(key: Hidden, source: impl Into<String>, endpoint: Address, http: Http) -> Self {
        Self { key, source: source.into(), endpoint, http }
    }

    pub(super) fn receiver(&self) -> String {
        format!("PagerDuty ({})", self.source)
    }

    pub(super) fn preview(&self, notification: &Notification) -> String {
        http::preview(&self.endpoint, &[], &payload(notification, REDACTED))
    }

    pub(super) async fn send(&self, notification: &Notification) -> Result<(), SendError> {
        let handover = Handover::default();
        deliver(ChannelName::Pagerduty, self.http.timeout, &handover, || async {
            let body = payload(notification, self.key.reveal()).to_string().into_bytes();
            let post = Post { channel: ChannelName::Pagerduty, address: &self.endpoint, headers: Vec::new(), body };
            let answer = self.http.post(post, &handover, |status| status == 202).await?;
            if answer.status == 202 {
                return Ok(());
            }
            let (fault, says) = (Fault::Status(answer.status), self.key.scrub(&answer.text));
            Err(answer.refused(fault, &says))
        })
        .await
    }
}

/// The event. Deterministic; within the limits of the API whatever the notification holds.
pub fn payload(notification: &Notification, routing_key: &str) -> Value {
    let dedup_key = dedup_key(&notification.dedupe_key);
    if notification.transition == Transition::Resolved {
        return json!({ "routing_key": routing_key, "event_action": "resolve", "dedup_key": dedup_key, "client": "drift-check" });
    }
    let summary = format!("{} · {}: {}", words::headline(notification), words::place(notification), notification.summary);
    let links: Vec<Value> = words::links(notification)
        .into_iter()
        .filter(|(_, target)| words::is_web(target))
        .map(|(label, target)| json!({ "href": target, "text": label }))
        .collect();
    json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": dedup_key,
        "client": "drift-check",
        "links": links,
        "payload": {
            "summary": shown(&summary, SUMMARY_CHARS),
            "source": shown(&format!("{}/{}", notification.environment, notification.job), 200),
            "severity": severity(notification.priority),
            "timestamp": notification.window_end.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            "component": shown(&notification.job, 200),
            "group": shown(&notification.environment, 200),
            "class": notification.signal.to_string(),
            "custom_details": details(notification),
        },
    })
}

fn severity(priority: Priority) -> &'static str {
    match priority {
        Priority::P1 => "critical",
        Priority::P2 => "warning",
    }
}

/// The key of the incident; of one that is too long, its digest, which is as good a key.
fn dedup_key(key: &str) -> String {
    if (1..=KEY_CHARS).contains(&words::units(key)) { key.to_owned() } else { format!("sha256:{}", words::digest(key)) }
}

fn details(notification: &Notification) -> Value {
    let mut details = Map::new();
    let mut put = |name: &str, text: String| {
        let mut free = name.to_owned();
        for number in 2_u32.. {
            if !details.contains_key(&free) {
                break;
            }
            free = format!("{name} ({number})");
        }
        details.insert(free, text.into());
    };
    put("window", words::window(notification));
    put("open since", words::moment(notification.since));
    let features = notification.features.iter().take(MOST_FEATURES);
    let features =
        features.map(|feature| format!("{}: {}, {}", shown(&feature.name, 200), feature.verdict, shown(&feature.change, 400)));
    let features: Vec<String> = features.chain(words::more_features(notification)).collect();
    if !features.is_empty() {
        put("features", features.join("\n"));
    }
    for fact in notification.facts.iter().take(MOST_FACTS) {
        put(&shown(&fact.label, 200), shown(&fact.text, DETAIL_CHARS));
    }
    let left_out = notification.facts.len().saturating_sub(MOST_FACTS);
    if left_out > 0 {
        put("more numbers", format!("{left_out} more are in the report"));
    }
    let notes = words::notes(notification, false);
    if !notes.is_empty() {
        put("notes", notes.join("\n"));
    }
    for (label, target) in words::links(notification) {
        put(&label.to_lowercase(), shown(target, DETAIL_CHARS));
    }
    put("command", shown(&notification.command, DETAIL_CHARS));
    Value::Object(details)
}
