//! How a delivery fails: what a retry may mend, and what is said about it. Holds no address and no secret.

use std::error::Error;
use std::time::Duration;

use rustls::AlertDescription;
use thiserror::Error;

use super::ChannelName;
use crate::retry::Transient;

/// Why a message was not delivered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{channel} did not take the message: {detail}{}", attempts(*.tries))]
pub struct SendError {
    pub channel: ChannelName,
    pub fault: Fault,
    detail: String,
    retry_after: Option<Duration>,
    tries: u32,
    arrived: bool,
}

fn attempts(tries: u32) -> String {
    if tries > 1 { format!(" ({tries} attempts)") } else { String::new() }
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The other side understood, and said no.
    Refused,
    /// The other side does not know name and password.
    Login,
    /// An answer that is one word: Slack's `no_service`, `invalid_token`, `channel_is_archived`.
    Answer(String),
    /// Any other status of an HTTP answer.
    Status(u16),
    /// A mail server asks to come back later (4xx).
    Deferred,
    Timeout,
    /// No connection, or it broke.
    Connection,
    /// The other side cannot prove who it is, or cannot encrypt.
    Tls,
    /// A redirect, which is not followed: the secret is in the address.
    Redirect,
    /// The message cannot be written in the form of the channel.
    Message,
}

impl SendError {
    pub(super) fn new(channel: ChannelName, fault: Fault, detail: impl Into<String>) -> Self {
        Self { channel, fault, detail: detail.into(), retry_after: None, tries: 1, arrived: false }
    }

    pub(super) fn after(self, retry_after: Option<Duration>) -> Self {
        Self { retry_after, ..self }
    }

    /// The same failure, found to be of another kind and said at more length.
    pub(super) fn but(self, fault: Fault, more: &str) -> Self {
        Self { fault, detail: format!("{}; {more}", self.detail), ..self }
    }

    /// It may have been taken although there is no receipt.
    pub(super) fn perhaps_arrived(self, arrived: bool) -> Self {
        Self { arrived, ..self }
    }

    /// A word or two, the same for the same cause.
    pub fn kind(&self) -> String {
        match &self.fault {
            Fault::Refused => "refused".to_owned(),
            Fault::Login => "login".to_owned(),
            Fault::Answer(word) => word.clone(),
            Fault::Status(status) => format!("status {status}"),
            Fault::Deferred => "deferred".to_owned(),
            Fault::Timeout => "timeout".to_owned(),
            Fault::Connection => "connection".to_owned(),
            Fault::Tls => "tls".to_owned(),
            Fault::Redirect => "redirect".to_owned(),
            Fault::Message => "message".to_owned(),
        }
    }

    /// What to look at; empty where only time helps, or where it is said already.
    pub fn remedy(&self) -> &'static str {
        match (&self.fault, self.channel) {
            (Fault::Login, _) => "check channels.email.username and channels.email.password",
            (Fault::Tls, _) => "check its certificate, or name its authority in channels.ca_file",
            (Fault::Refused, _) => "check the settings under channels.email",
            (Fault::Connection | Fault::Timeout, _) => "check the network and the address",
            (Fault::Answer(_), _) | (Fault::Status(400..=407 | 409..=428 | 430..=499), ChannelName::Slack) => {
                "check what channels.slack.webhook refers to"
            }
            (Fault::Status(400..=407 | 409..=428 | 430..=499), ChannelName::Pagerduty) => {
                "check channels.pagerduty.endpoint and what channels.pagerduty.key refers to"
            }
            (Fault::Status(400..=407 | 409..=428 | 430..=499), ChannelName::Webhook) => {
                "check what channels.webhook.url and channels.webhook.secret refer to"
            }
            _ => "",
        }
    }

    /// Whether the message may have been taken: the other side had all of it, and no receipt came. Who sends it again says so.
    pub fn may_have_arrived(&self) -> bool {
        self.arrived
    }
}

impl Transient for SendError {
    fn retryable(&self) -> bool {
        match self.fault {
            Fault::Status(status) => matches!(status, 408 | 429 | 500..=599),
            Fault::Deferred | Fault::Timeout | Fault::Connection => true,
            Fault::Refused | Fault::Login | Fault::Answer(_) | Fault::Tls | Fault::Redirect | Fault::Message => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    fn tried(self, times: u32) -> Self {
        Self { tries: times, ..self }
    }
}

/// An error with its causes on one line.
pub(super) fn causes(error: &(dyn Error + 'static)) -> String {
    super::words::shown(&crate::causes::causes(error), SHOWN_CHARS)
}

/// How much of a text from outside is repeated; more than a sentence or two is page furniture.
pub(super) const SHOWN_CHARS: usize = 300;

/// Whether TLS is why a connection failed: a certificate that is not trusted, expired, or of somebody else; no common version. Bytes that
/// were changed on their way are a connection that broke.
pub fn is_tls(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        // An I/O error's own cause is the cause of what it wraps: what it wraps must be asked for.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return !matches!(error, rustls::Error::DecryptError | rustls::Error::AlertReceived(AlertDescription::BadRecordMac));
        }
        if wrapped.is_some_and(|wrapped| is_tls(wrapped)) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_tried_again_and_nothing_else_is() {
        let error = |fault| SendError::new(ChannelName::Slack, fault, "it answered 500");
        for fault in
            [Fault::Status(408), Fault::Status(429), Fault::Status(503), Fault::Deferred, Fault::Timeout, Fault::Connection]
        {
            assert!(error(fault).retryable());
        }
        for fault in [Fault::Status(400), Fault::Status(404), Fault::Login, Fault::Tls, Fault::Answer("no_service".to_owned())] {
            assert!(!error(fault).retryable());
        }
        let error = error(Fault::Status(500)).tried(3);
        assert_eq!(error.to_string(), "slack did not take the message: it answered 500 (3 attempts)");
        assert_eq!(error.kind(), "status 500");
    }
}
