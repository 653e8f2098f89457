//! Telling people: what a message says, the channels that carry it, and how one delivery can fail.
//!
//! Each channel turns the same [`Notification`] into its own payload by a pure function, and hands it over under one policy of
//! retries. Decides neither whether a message is due nor what becomes of one that could not be delivered: the outbox does.

mod attempt;
pub mod compose;
pub mod email;
mod error;
mod hidden;
mod http;
pub mod pagerduty;
pub mod slack;
pub mod webhook;
mod words;

use std::fmt;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::decision::Verdict;
use crate::decision::signal::{SignalName, Transition};
use email::Email;
pub use error::{Fault, SendError, is_tls};
pub use hidden::Hidden;
pub use http::{Address, Http, is_loopback, is_secure};
use pagerduty::Pagerduty;
use slack::Slack;
use webhook::Webhook;
pub use words::moment;

/// Of [`Notification`] as JSON. Any change of its fields is a new version: an older reader refuses a newer message, and leaves it to
/// the newer program that wrote it.
pub const PAYLOAD_VERSION: u32 = 1;

/// What people are told: what fired, the numbers, what to do. The same for every channel; kept in the outbox as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notification {
    pub job: String,
    pub environment: String,
    pub signal: SignalName,
    pub priority: Priority,
    pub transition: Transition,
    /// The end of the window in which it opened.
    pub since: DateTime<Utc>,
    pub window_start: Option<DateTime<Utc>>,
    pub window_end: DateTime<Utc>,
    /// One sentence: "7 of 16 features drifted (43.8 %); the threshold is 30 %."
    pub summary: String,
    /// Numbers against their thresholds, each with its uncertainty.
    pub facts: Vec<Fact>,
    /// The worst features, at most five.
    pub features: Vec<FeatureLine>,
    /// Drifted or broken features beyond those.
    pub features_left_out: u32,
    /// Remarks such as "The state store could not be reached: this may be a repetition."
    pub notes: Vec<String>,
    pub links: Links,
    /// The command that reproduces the report.
    pub command: String,
    /// Job, environment, window length and signal: what belongs to one incident.
    pub dedupe_key: String,
}

/// A number with what it is held against.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact {
    pub label: String,
    pub text: String,
}

/// What became of one feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureLine {
    pub name: String,
    pub verdict: Verdict,
    /// Direction and size, in the feature's own units.
    pub change: String,
}

/// Where there is more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Links {
    /// `report.html`: an address, or where it lies.
    pub report: Option<String>,
    pub runbook: String,
    pub logs: Option<String>,
}

/// How urgent a signal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Priority {
    /// Somebody has to look now.
    P1,
    /// Somebody has to look in working hours.
    P2,
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P1 => "P1",
            Self::P2 => "P2",
        })
    }
}

/// What belongs to one delivery, not to the message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// The same over all attempts of this message on this channel.
    pub message_id: String,
    /// An earlier attempt ended without a receipt, so this may be a repetition. Channels without a key of their own (Slack, email) say
    /// so in the text.
    pub may_be_repeated: bool,
    /// `report.html`, for channels that attach it.
    pub report: Option<Bytes>,
}

/// The name of a channel: the tag in the configuration and in the outbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChannelName {
    Slack,
    Email,
    Pagerduty,
    Webhook,
}

impl ChannelName {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Slack => "slack",
            Self::Email => "email",
            Self::Pagerduty => "pagerduty",
            Self::Webhook => "webhook",
        }
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A way to people, ready to be used. Neither its `Debug` form nor anything that it returns holds a secret.
#[derive(Clone, Debug)]
pub enum Channel {
    Slack(Slack),
    Email(Box<Email>),
    Pagerduty(Pagerduty),
    Webhook(Webhook),
}

impl Channel {
    pub fn name(&self) -> ChannelName {
        match self {
            Self::Slack(_) => ChannelName::Slack,
            Self::Email(_) => ChannelName::Email,
            Self::Pagerduty(_) => ChannelName::Pagerduty,
            Self::Webhook(_) => ChannelName::Webhook,
        }
    }

    /// Who gets it, without secrets: "Slack (env:SLACK_WEBHOOK)", "a@b.example, c@d.example through smtp.example:587".
    pub fn receiver(&self) -> String {
        match self {
            Self::Slack(slack) => slack.receiver(),
            Self::Email(email) => email.receiver(),
            Self::Pagerduty(pagerduty) => pagerduty.receiver(),
            Self::Webhook(webhook) => webhook.receiver(),
        }
    }

    /// What would be sent, secrets redacted.
    pub fn preview(&self, notification: &Notification, envelope: &Envelope) -> String {
        match self {
            Self::Slack(slack) => slack.preview(notification, envelope),
            Self::Email(email) => email.preview(notification, envelope),
            Self::Pagerduty(pagerduty) => pagerduty.preview(notification),
            Self::Webhook(webhook) => webhook.preview(notification, envelope),
        }
    }

    /// Hands the message over; back when the other side has confirmed it.
    ///
    /// # Errors
    /// When it was refused, or when the channel's patience ran out; see [`SendError`].
    pub async fn send(&self, notification: &Notification, envelope: &Envelope) -> Result<(), SendError> {
        match self {
            Self::Slack(slack) => slack.send(notification, envelope).await,
            Self::Email(email) => email.send(notification, envelope).await,
            Self::Pagerduty(pagerduty) => pagerduty.send(notification).await,
            Self::Webhook(webhook) => webhook.send(notification, envelope).await,
        }
    }
}
