//! The outbox: messages that were decided on and are not delivered yet. Knows nothing of what a message says.
//!
//! A message is created in the transaction that moves its signal on, so that neither exists without the other, and once per
//! [`MessageKey`]. Whoever claims it has it alone until the lease runs out. A process that dies between claim and delivery leaves
//! the message where it was: it is due again when the lease has run out. A message is therefore delivered at least once; it is
//! delivered twice only when a process dies between the delivery and [`super::StateStore::mark_delivered`].

use chrono::{DateTime, Utc};

use super::lifecycle::CLOCKS_APART;
use super::{Scope, Step};
use crate::decision::signal::{DeliveryStatus, SignalName, Transition};

/// What makes a message the same message, whoever creates it and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageKey {
    pub scope: Scope,
    /// Of the window; 0 when the logs have no timestamp.
    pub length_s: i64,
    pub signal: SignalName,
    pub window_end: DateTime<Utc>,
    /// Which reading of the window it is about: 0 the first time.
    pub revision: u32,
    pub transition: Transition,
    pub channel: String,
}

impl MessageKey {
    pub fn new(step: &Step, revision: u32, transition: Transition, channel: &str) -> Self {
        Self {
            scope: step.series.scope(),
            length_s: step.series.length_s,
            signal: step.name,
            window_end: super::to_micros(step.window_end),
            revision,
            transition,
            channel: channel.to_owned(),
        }
    }

    /// Whether both are about one signal on one channel, and the other one about an earlier window or an earlier reading of it: this one
    /// waits for it.
    pub fn comes_after(&self, other: &Self) -> bool {
        let incident = |key: &Self| (key.length_s, key.signal, key.channel.clone());
        incident(self) == incident(other) && (other.window_end, other.revision) < (self.window_end, self.revision)
    }
}

/// A message to be created, once its key is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub channel: String,
    /// Opaque to the store; the sender reads it back.
    pub payload: serde_json::Value,
    /// Of the payload. A sender that finds a newer one leaves the message alone.
    pub payload_version: u32,
    /// Kept to be looked at, and never due.
    pub is_shadow: bool,
}

/// A message as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageStatus {
    pub signal: SignalName,
    pub transition: Transition,
    pub channel: String,
    /// Delivered, pending or shadowed.
    pub status: DeliveryStatus,
}

/// A message with its course.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRecord {
    pub key: MessageKey,
    pub status: DeliveryStatus,
    pub created_at: DateTime<Utc>,
    /// `None` as long as it is not.
    pub delivered_at: Option<DateTime<Utc>>,
    /// How often somebody has tried.
    pub attempts: u32,
    /// How the last attempt failed, a word or two for people; empty where it did not, or where it is not over.
    pub error_kind: String,
}

impl MessageStatus {
    /// What a message is by its two moments: one that is neither due nor delivered is in shadow.
    pub(super) fn status(is_due: bool, is_delivered: bool, error_kind: &str) -> DeliveryStatus {
        match (is_delivered, is_due) {
            (true, _) => DeliveryStatus::Delivered,
            (false, true) => DeliveryStatus::Pending,
            (false, false) if error_kind.starts_with(ABANDONED) => DeliveryStatus::Abandoned,
            (false, false) => DeliveryStatus::Shadowed,
        }
    }
}

/// What the error of a message begins with that nobody tries to deliver any more.
pub(super) const ABANDONED: &str = "abandoned: ";

/// How the attempt before a claim ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastAttempt {
    /// There was none.
    None,
    /// It was claimed, and nothing was heard of it since: it may have been delivered.
    NoReceipt,
    /// It failed; a word or two for people.
    Failed(String),
}

impl LastAttempt {
    /// `attempts` before this one, and what the last of them left behind: empty when a claim was its last sign of life.
    pub(super) fn of(attempts: u32, error_kind: &str) -> Self {
        match (attempts, error_kind) {
            (0, _) => Self::None,
            (_, "") => Self::NoReceipt,
            (_, kind) => Self::Failed(kind.to_owned()),
        }
    }
}

/// Which messages are asked for, by whom, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimRequest {
    pub scope: Scope,
    /// Names this one request among all requests ever made, such as a run's id with a number: a claim whose answer was lost is
    /// known again by it.
    pub claimer: String,
    pub now: DateTime<Utc>,
    /// Longer than a delivery takes: until it has run out, nobody else gets the message.
    pub lease: chrono::TimeDelta,
    /// At most this many messages.
    pub limit: u32,
    /// Signals whose messages are not to be sent now: somebody has silenced them.
    pub except: Vec<SignalName>,
}

impl ClaimRequest {
    /// When the lease has run out.
    pub(super) fn until(&self) -> DateTime<Utc> {
        super::to_micros(self.now.checked_add_signed(self.lease).unwrap_or(DateTime::<Utc>::MAX_UTC))
    }

    /// No claim and no failure puts a message off for longer than this: one that is due later was put off by a clock that was wrong.
    pub(super) fn farthest(&self) -> DateTime<Utc> {
        self.until().checked_add_signed(CLOCKS_APART).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    pub(super) fn is_due(&self, due_at: DateTime<Utc>) -> bool {
        due_at <= self.now || due_at > self.farthest()
    }
}

/// A message in the hands of one claimer.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    pub key: MessageKey,
    pub payload: serde_json::Value,
    pub payload_version: u32,
    /// How often the message has been claimed, this time included: 1 the first time. Tells this claim from later ones.
    pub attempt: u32,
    pub last_attempt: LastAttempt,
    pub created_at: DateTime<Utc>,
}
