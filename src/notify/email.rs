//! Email: who gets it, over which server, and under which conditions a message counts as delivered.
//!
//! The one place that names lettre is this folder: `message.rs` writes a message, `smtp.rs` hands it over, `limited.rs` is
//! the line between.

mod limited;
mod message;
mod page;
mod smtp;

use std::time::{Duration, SystemTime};

use lettre::message::Mailbox;
use serde::Deserialize;

use super::attempt::{Handover, deliver};
use super::{ChannelName, Envelope, Hidden, Notification, SendError, is_loopback};
use message::Letter;
use smtp::Server;

/// How the way to the mail server is encrypted. Never "if possible": who can read the way could switch that off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// The connection is upgraded before anything is sent; a server that cannot is refused.
    Starttls,
    /// Encrypted from the first byte.
    Implicit,
    /// Not at all: a server on this machine.
    None,
}

impl Tls {
    /// The port that is used where none is configured.
    pub fn port(self) -> u16 {
        match self {
            Self::Starttls => 587,
            Self::Implicit => 465,
            Self::None => 25,
        }
    }
}

/// What an email channel is made of.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `HOST` or `HOST:PORT`.
    pub smtp: String,
    pub tls: Tls,
    pub from: String,
    pub to: Vec<String>,
    /// Name and password.
    pub login: Option<(String, Hidden)>,
    /// Certificates, in PEM, that are trusted beside those of the system.
    pub authorities: Option<Vec<u8>>,
    pub attach_report: bool,
    /// How long one delivery may take with its retries.
    pub timeout: Duration,
}

/// Sender, receivers and the server between them.
#[derive(Clone, Debug)]
pub struct Email {
    from: Mailbox,
    to: Vec<Mailbox>,
    server: Server,
    attach_report: bool,
    timeout: Duration,
}

impl Email {
    /// # Errors
    /// What is wrong with the settings, as the second half of a sentence that begins with their key.
    pub fn new(settings: &Settings) -> Result<Self, String> {
        let (host, port) = host_and_port(&settings.smtp).ok_or("is not HOST or HOST:PORT")?;
        if settings.tls == Tls::None && !is_loopback(&host) {
            return Err("is not on this machine, and would be spoken to without encryption".to_owned());
        }
        let mailbox = |text: &String| mailbox(text).ok_or("holds a malformed address");
        let to = settings.to.iter().map(mailbox).collect::<Result<Vec<Mailbox>, _>>()?;
        if to.is_empty() {
            return Err("has no receiver".to_owned());
        }
        let server = Server::new(host, port.unwrap_or(settings.tls.port()), settings)?;
        let from = mailbox(&settings.from)?;
        Ok(Self { from, to, server, attach_report: settings.attach_report, timeout: settings.timeout })
    }

    pub(super) fn receiver(&self) -> String {
        let to: Vec<String> = self.to.iter().map(|mailbox| mailbox.email.to_string()).collect();
        format!("{} through {}", to.join(", "), self.server)
    }

    pub(super) fn preview(&self, notification: &Notification, envelope: &Envelope) -> String {
        let letter = self.letter(notification, envelope, envelope.may_be_repeated);
        letter.map_or_else(|error| error.to_string(), |letter| letter.preview(&self.server))
    }

    pub(super) async fn send(&self, notification: &Notification, envelope: &Envelope) -> Result<(), SendError> {
        let handover = Handover::default();
        deliver(ChannelName::Email, self.timeout, &handover, || async {
            let letter = self.letter(notification, envelope, envelope.may_be_repeated || handover.may_be_repeated())?;
            self.server.deliver(&self.from, &self.to, &letter.bytes(), &handover, self.timeout).await
        })
        .await
    }

    fn letter(&self, notification: &Notification, envelope: &Envelope, may_be_repeated: bool) -> Result<Letter, SendError> {
        let report = envelope.report.as_ref().filter(|_| self.attach_report);
        let content = message::Content { notification, envelope, may_be_repeated, report };
        Letter::write(&self.from, &self.to, &content, SystemTime::now())
    }
}

/// Whether a text is an address that mail can be sent to, with or without a name before it: `a@b.example`, `On call <a@b.example>`.
pub fn is_mailbox(text: &str) -> bool {
    mailbox(text).is_some()
}

/// Servers take other addresses than these only where they know an extension: domains are written in their ASCII form.
fn mailbox(text: &str) -> Option<Mailbox> {
    let mailbox: Mailbox = text.trim().parse().ok()?;
    let address: &str = mailbox.email.as_ref();
    (address.is_ascii() && !text.contains(char::is_control)).then_some(mailbox)
}

/// Host and port of `HOST`, `HOST:PORT`, `[IPV6]` or `[IPV6]:PORT`.
pub fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map(|port| port.parse().ok().filter(|port: &u16| *port > 0)).map_or(Some(None), |port| port.map(Some))?;
    (!host.is_empty() && !host.contains(char::is_whitespace)).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_with_or_without_a_port() {
        let of = |text: &str| host_and_port(text);
        assert_eq!(of("smtp.example"), Some(("smtp.example".to_owned(), None)));
        assert_eq!(of("smtp.example:2525"), Some(("smtp.example".to_owned(), Some(2525))));
        assert_eq!(of("[::1]:25"), Some(("::1".to_owned(), Some(25))));
        assert_eq!(of("[::1]"), Some(("::1".to_owned(), None)));
        for wrong in ["", ":25", "a:", "a:0", "a:70000", "a:b", "::1", "[::1]x", "a b"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn an_address_is_one_that_every_server_takes() {
        for fine in ["a@b.example", "On call <a@b.example>", "\"Doe, J.\" <j.doe+drift@b.example>"] {
            assert!(is_mailbox(fine), "{fine}");
        }
        for wrong in [
            "",
            "a",
            "a@",
            "@b",
            "a@b@c",
            "a b@c.example",
            "ä@b.example",
            "a@b.example\nBcc: c@d.example",
            "a@b.example, c@d.example",
        ] {
            assert!(!is_mailbox(wrong), "{wrong}");
        }
    }
}
