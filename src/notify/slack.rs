//! Slack: an incoming webhook, and a message of Block Kit's blocks.
//!
//! Limits are those of Block Kit's reference: 50 blocks, 150 characters in a header, 3,000 in a section, 10 fields of 2,000. Slack has no
//! key by which it knows a repetition, so the text says where a message may be one.

mod mrkdwn;

use serde_json::{Value, json};

use super::attempt::{Handover, deliver};
use super::http::{self, Address, Http, Post};
use super::words::{self, MOST_FEATURES, NOTE_CHARS};
use super::{ChannelName, Envelope, Fault, Notification, SendError};
use mrkdwn::{code, code_block, escaped, link};

const HEADER_CHARS: usize = 150;
const SECTION_CHARS: usize = 3_000;
const FIELDS: usize = 10;
const FIELD_CHARS: usize = 2_000;
/// Of the facts; more are in the report.
const MOST_FACTS: usize = 2 * FIELDS;
/// Escaped. Five features of these lengths with what stands around them stay below [`SECTION_CHARS`].
const NAME_CHARS: usize = 120;
const CHANGE_CHARS: usize = 400;
/// Of the fallback text, which is also the notification on a phone.
const TEXT_CHARS: usize = 1_000;
/// Of one link with its mark-up. Three of them stay below [`SECTION_CHARS`].
const LINK_CHARS: usize = 950;

/// An incoming webhook.
#[derive(Clone, Debug)]
pub struct Slack {
    address: Address,
    /// Where the address is kept, such as `env:SLACK_WEBHOOK`.
    source: String,
    http: Http,
}

impl Slack {
    pub fn new(address: Address, source: impl Into<String>, http: Http) -> Self {
        Self { address, source: source.into(), http }
    }

    pub(super) fn receiver(&self) -> String {
        format!("Slack ({})", self.source)
    }

    pub(super) fn preview(&self, notification: &Notification, envelope: &Envelope) -> String {
        http::preview(&self.address, &[], &payload(notification, envelope.may_be_repeated))
    }

    pub(super) async fn send(&self, notification: &Notification, envelope: &Envelope) -> Result<(), SendError> {
        let handover = Handover::default();
        deliver(ChannelName::Slack, self.http.timeout, &handover, || async {
            let body = payload(notification, envelope.may_be_repeated || handover.may_be_repeated()).to_string().into_bytes();
            let post = Post { channel: ChannelName::Slack, address: &self.address, headers: Vec::new(), body };
            let answer = self.http.post(post, &handover, |_| false).await?;
            // Slack also answers 200 with a word that says why nothing was posted.
            if answer.status == 200 && answer.text.trim_end() == "ok" {
                return Ok(());
            }
            let text = answer.text.clone();
            let fault = match answer.status {
                408 | 429 | 500..=599 => Fault::Status(answer.status),
                status => word(&text).map_or(Fault::Status(status), Fault::Answer),
            };
            // In other words than Slack's, success says nothing of the message.
            let is_unclear = (200..300).contains(&answer.status) && !matches!(fault, Fault::Answer(_));
            let refused = answer.refused(fault, &text);
            Err(if is_unclear { refused.perhaps_arrived(true) } else { refused })
        })
        .await
    }
}

/// The answer where it is one word that says why not, such as `no_service`.
fn word(answer: &str) -> Option<String> {
    let answer = answer.trim();
    let is_word = answer != "ok"
        && !answer.is_empty()
        && answer.len() <= 40
        && answer.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    is_word.then(|| answer.to_owned())
}

/// The message. Deterministic; within every limit of Block Kit whatever the notification holds.
pub fn payload(notification: &Notification, may_be_repeated: bool) -> Value {
    let mut blocks = vec![
        json!({ "type": "header", "text": plain(&header(notification), HEADER_CHARS) }),
        json!({ "type": "section", "text": plain(&notification.summary, SECTION_CHARS) }),
    ];
    let facts: Vec<Value> = notification.facts.iter().take(MOST_FACTS).map(field).collect();
    blocks.extend(facts.chunks(FIELDS).map(|fields| json!({ "type": "section", "fields": fields })));
    blocks.extend(features(notification).as_deref().map(section));
    blocks.extend(notes(notification, may_be_repeated).as_deref().map(section));
    let links: Vec<String> =
        words::links(notification).into_iter().map(|(label, target)| link(label, target, LINK_CHARS)).collect();
    if !links.is_empty() {
        blocks.push(section(&links.join("  ·  ")));
    }
    blocks.push(section(&format!("*Reproduce it*\n{}", code_block(&notification.command, SECTION_CHARS - 20))));
    blocks.push(json!({ "type": "context", "elements": [mrkdwn_object(&context(notification))] }));
    json!({ "text": fallback(notification, may_be_repeated), "blocks": blocks })
}

fn header(notification: &Notification) -> String {
    format!("{} {} · {}", words::sign(notification), words::headline(notification), words::place(notification))
}

fn context(notification: &Notification) -> String {
    let window = format!("Window {}", words::window(notification));
    let parts: Vec<String> = std::iter::once(window).chain(words::since(notification)).collect();
    escaped(&parts.join(" · "), SECTION_CHARS)
}

/// What is shown where blocks are not: on a phone's lock screen, by a screen reader, in a search.
fn fallback(notification: &Notification, may_be_repeated: bool) -> String {
    let place = words::place(notification);
    let repeated = if may_be_repeated { " (May be a repetition.)" } else { "" };
    escaped(&format!("{} · {place}: {}{repeated}", words::headline(notification), notification.summary), TEXT_CHARS)
}

fn field(fact: &super::Fact) -> Value {
    let label = escaped(&fact.label, 200);
    mrkdwn_object(&format!("*{label}*\n{}", escaped(&fact.text, FIELD_CHARS - 210)))
}

fn features(notification: &Notification) -> Option<String> {
    let shown = notification.features.iter().take(MOST_FEATURES).map(|feature| {
        let change = escaped(&feature.change, CHANGE_CHARS);
        format!("• {} {} · {change}", code(&feature.name, NAME_CHARS), feature.verdict)
    });
    let lines: Vec<String> = shown.chain(words::more_features(notification)).collect();
    (!lines.is_empty()).then(|| format!("*Features*\n{}", lines.join("\n")))
}

fn notes(notification: &Notification, may_be_repeated: bool) -> Option<String> {
    let mut notes = words::notes(notification, may_be_repeated);
    let left_out = notification.facts.len().saturating_sub(MOST_FACTS);
    if left_out > 0 {
        notes.push(format!("{left_out} more numbers are in the report."));
    }
    let lines: Vec<String> = notes.iter().map(|note| format!("• {}", escaped(note, NOTE_CHARS))).collect();
    (!lines.is_empty()).then(|| lines.join("\n"))
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": mrkdwn_object(text) })
}

/// Plain text: Slack reads no mark-up in it, and `:smile:` stays what it is.
fn plain(text: &str, limit: usize) -> Value {
    json!({ "type": "plain_text", "text": words::shown(text, limit), "emoji": false })
}

/// Verbatim: Slack makes no links and mentions of its own.
fn mrkdwn_object(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}
