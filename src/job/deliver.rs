//! Delivery: what is due in the outbox goes out, on every channel whatever the others do, and each receipt is kept.
//!
//! A message is claimed, sent, and marked; whoever dies in between leaves it to be claimed again when the lease has run out, by the retry
//! of the same run or by the next one. Waits for what others hold, so that a retry after a crash delivers it, and not the run six hours later.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};

use super::Invocation;
use super::signals::Loose;
use crate::config::Config;
use crate::decision::signal::SignalName;
use crate::notify::{Channel, ChannelName, Envelope, Fault, Notification, PAYLOAD_VERSION, SendError};
use crate::profile::short_digest;
use crate::store::outbox::{Claim, ClaimRequest, LastAttempt, MessageKey};
use crate::store::{Scope, StateStore, StoreError};

/// How often it is looked whether somebody else has delivered what he holds.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// A message that was refused so often is given up: with a run every six hours that is after five days, and what comes after it is not held
/// up any longer.
const MOST_ATTEMPTS: u32 = 20;

/// A channel that this many runs did not know is gone.
const UNCONFIGURED_ATTEMPTS: u32 = 4;

/// The channels of a run, usable or not.
pub struct Senders {
    pub channels: Vec<(ChannelName, Result<Channel, String>)>,
}

impl Senders {
    /// The channel of this name: `None` when it is not configured, an error when it cannot be used.
    pub fn find(&self, channel: &str) -> Option<&Result<Channel, String>> {
        self.channels.iter().find(|(name, _)| name.as_str() == channel).map(|(_, channel)| channel)
    }
}

/// What a run delivered, and what not.
#[derive(Debug, Default)]
pub struct Delivered {
    pub sent: u32,
    /// Every message that this run has had in its hands.
    pub claimed: Vec<MessageKey>,
    /// In words, one for each message that could not be delivered and is kept.
    pub failures: Vec<String>,
    /// In words, one for each message that nobody tries to deliver any more.
    pub abandoned: Vec<String>,
    pub store: Option<StoreError>,
}

/// The report that messages of this run attach.
pub struct Attachment<'a> {
    pub window_end: DateTime<Utc>,
    /// Rendered when the first message wants it: most runs have none to send.
    pub html: LazyLock<Bytes, Box<dyn FnOnce() -> Bytes + Send + 'a>>,
}

/// Sends everything that is due to this job, of this run or of earlier ones: one message after the other, each receipt kept before the
/// next is sent, so that a process that dies leaves at most one in doubt.
pub async fn deliver(
    config: &Config,
    invocation: &Invocation,
    senders: &Senders,
    store: &StateStore,
    scope: &Scope,
    silenced: &[SignalName],
    attachment: Option<&Attachment<'_>>,
) -> Delivered {
    let mut delivered = Delivered::default();
    let mut failed: Vec<MessageKey> = Vec::new();
    // Longer than one delivery with its receipt takes.
    let lease = config.channels.timeout.delta() * 2;
    let give_up = (invocation.clock)() + lease + TimeDelta::seconds(2);
    for round in 1_u32.. {
        let now = (invocation.clock)();
        let claimer = format!("{}:{}:{round}", invocation.run_id, invocation.attempt);
        let request = ClaimRequest { scope: scope.clone(), claimer, now, lease, limit: 1, except: silenced.to_vec() };
        let claimed = match store.claim_due(request).await {
            Ok(claims) => claims.into_iter().next(),
            Err(error) => {
                delivered.store.get_or_insert(error);
                break;
            }
        };
        let Some(claim) = claimed else {
            // What this run has tried, what comes after that, and what is silenced is not waited for.
            let is_tried = |key: &MessageKey| failed.iter().any(|failed| key == failed || key.comes_after(failed));
            let is_others = |key: &MessageKey| !silenced.contains(&key.signal) && !is_tried(key);
            let left = match store.undelivered(scope.clone(), now).await {
                Ok(left) => left.iter().filter(|key| is_others(key)).count(),
                Err(error) => {
                    delivered.store.get_or_insert(error);
                    break;
                }
            };
            if left == 0 {
                break;
            }
            if now >= give_up {
                delivered.failures.push(format!("{left} more, which another run has tried or holds"));
                break;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
            continue;
        };
        // It took so long that the first is due again.
        if failed.contains(&claim.key) {
            let kind = if let LastAttempt::Failed(kind) = &claim.last_attempt { kind.clone() } else { String::new() };
            if let Err(error) = store.mark_failed(claim, now, kind).await {
                delivered.store.get_or_insert(error);
            }
            break;
        }
        delivered.claimed.push(claim.key.clone());
        let result = attempt(senders, &claim, attachment).await;
        let now = (invocation.clock)();
        let marked = match result {
            Ok(()) => {
                delivered.sent += 1;
                store.mark_delivered(claim, now).await
            }
            Err(failure) if claim.attempt >= failure.most_attempts => {
                let (signal, channel) = (claim.key.signal, claim.key.channel.clone());
                delivered.abandoned.push(format!("{signal} by {channel}: {}", failure.text));
                store.abandon(claim, failure.kind).await
            }
            Err(failure) => {
                delivered.failures.push(format!("{} by {}: {}", claim.key.signal, claim.key.channel, failure.text));
                failed.push(claim.key.clone());
                // Not in this run again, but in a retry that follows at once.
                store.mark_failed(claim, now + lease, failure.kind).await
            }
        };
        if let Err(error) = marked {
            delivered.store.get_or_insert(error);
            break;
        }
    }
    delivered
}

/// Sends messages that no store keeps; gives those that are lost, in words.
pub async fn deliver_loose(senders: &Senders, loose: &[Loose], key: &str, attachment: Option<&Attachment<'_>>) -> Vec<String> {
    let mut lost = Vec::new();
    for Loose { channel, notification } in loose {
        let id = format!("{key}/{}/{}", notification.dedupe_key, channel.as_str());
        let report = attachment.map(|attachment| Bytes::clone(&attachment.html));
        let envelope = Envelope { message_id: message_id(&id), may_be_repeated: true, report };
        if let Err(failure) = send(senders, channel.as_str(), notification, &envelope).await {
            lost.push(format!("{} by {}: {}", notification.signal, channel.as_str(), failure.text));
        }
    }
    lost
}

/// Why a message could not be delivered.
struct Failure {
    /// A word or two, for the outbox.
    kind: String,
    text: String,
    /// At which attempt it is given up.
    most_attempts: u32,
}

impl Failure {
    fn new(kind: &str, text: String) -> Self {
        Self { kind: kind.to_owned(), text, most_attempts: MOST_ATTEMPTS }
    }

    fn within(self, most_attempts: u32) -> Self {
        Self { most_attempts, ..self }
    }
}

async fn attempt(senders: &Senders, claim: &Claim, attachment: Option<&Attachment<'_>>) -> Result<(), Failure> {
    if claim.payload_version > PAYLOAD_VERSION {
        let text = format!(
            "the message is of version {}, newer than this drift-check (version {PAYLOAD_VERSION}): use the newer program",
            claim.payload_version
        );
        return Err(Failure::new("newer version", text));
    }
    let notification: Notification = serde_json::from_value(claim.payload.clone())
        .map_err(|error| Failure::new("damaged", format!("the stored message cannot be read: {error}")).within(1))?;
    let report = attachment
        .filter(|attachment| attachment.window_end == claim.key.window_end)
        .map(|attachment| Bytes::clone(&attachment.html));
    let envelope = Envelope { message_id: id_of(&claim.key), may_be_repeated: may_be_repeated(&claim.last_attempt), report };
    send(senders, &claim.key.channel, &notification, &envelope).await
}

async fn send(senders: &Senders, channel: &str, notification: &Notification, envelope: &Envelope) -> Result<(), Failure> {
    match senders.find(channel) {
        None => {
            // A run by hand may have another configuration: the next ones may have it.
            let text = format!("channels.{channel} is not configured any more");
            Err(Failure::new("not configured", text).within(UNCONFIGURED_ATTEMPTS))
        }
        Some(Err(problem)) => Err(Failure::new("misconfigured", problem.clone())),
        Some(Ok(channel)) => channel.send(notification, envelope).await.map_err(|error| {
            let (what, remedy) = (crate::error::with_causes(&error), error.remedy());
            let text = if remedy.is_empty() { what } else { format!("{what}; {remedy}") };
            // Some receivers of a mail have it: they would get it again with every attempt for the others.
            let is_partial = error.fault == Fault::Refused && error.may_have_arrived();
            Failure { kind: kind_of(&error), text, most_attempts: if is_partial { 1 } else { MOST_ATTEMPTS } }
        }),
    }
}

/// What an attempt that ended in a doubt leaves behind, so that the next one knows.
const IN_DOUBT: &str = "in doubt: ";

fn kind_of(error: &SendError) -> String {
    let kind = error.kind();
    if error.may_have_arrived() { format!("{IN_DOUBT}{kind}") } else { kind }
}

fn may_be_repeated(last: &LastAttempt) -> bool {
    match last {
        LastAttempt::None => false,
        LastAttempt::NoReceipt => true,
        LastAttempt::Failed(kind) => kind.starts_with(IN_DOUBT),
    }
}

/// The same for all attempts of one message on one channel.
fn id_of(key: &MessageKey) -> String {
    let MessageKey { scope, length_s, signal, window_end, revision, transition, channel } = key;
    let (job, environment, end) = (&scope.job, &scope.environment, window_end.to_rfc3339());
    message_id(&format!("{job}/{environment}/{length_s}/{signal}/{end}/{revision}/{transition}/{channel}"))
}

fn message_id(text: &str) -> String {
    format!("drift-check-{}", short_digest(text.as_bytes()))
}
