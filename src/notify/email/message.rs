//! A message as mail: headers, both forms of the text, the attachment. Pure but for the date, which is given.

use std::time::SystemTime;

use bytes::Bytes;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MessageBuilder, MultiPart, SinglePart};

use super::super::{ChannelName, Envelope, Fault, Notification, SendError, words};
use super::page::{self, Page};
use super::smtp::Server;
use crate::decision::signal::Transition;

/// What is written.
pub(super) struct Content<'a> {
    pub notification: &'a Notification,
    pub envelope: &'a Envelope,
    pub may_be_repeated: bool,
    /// Attached.
    pub report: Option<&'a Bytes>,
}

/// A message, written.
pub(super) struct Letter {
    message: lettre::Message,
    plain: String,
    html: Option<String>,
    /// In bytes.
    attached: Option<usize>,
}

impl Letter {
    /// # Errors
    /// When it cannot be written as mail.
    pub fn write(from: &Mailbox, to: &[Mailbox], content: &Content<'_>, date: SystemTime) -> Result<Self, SendError> {
        let page = Page::new(content.notification, content.may_be_repeated);
        let (plain, html) = (page.plain(), page.html());
        let mut text = MultiPart::alternative().singlepart(SinglePart::plain(plain.clone()));
        if let Some(html) = &html {
            text = text.singlepart(SinglePart::html(html.clone()));
        }
        let whole = match content.report {
            None => text,
            Some(report) => {
                let part = Attachment::new("report.html".to_owned()).body(report.to_vec(), ContentType::TEXT_HTML);
                MultiPart::mixed().multipart(text).singlepart(part)
            }
        };
        let built = headers(from, to, content, date).multipart(whole);
        let message =
            built.map_err(|error| SendError::new(ChannelName::Email, Fault::Message, format!("it cannot be written: {error}")))?;
        Ok(Self { message, plain, html, attached: content.report.map(Bytes::len) })
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.message.formatted()
    }

    /// Readable: the texts before they are encoded.
    pub fn preview(&self, server: &Server) -> String {
        let html = self.html.as_deref().unwrap_or_default();
        let attached = self.attached.map(|size| format!("\n--- report.html, {size} bytes, attached ---\n")).unwrap_or_default();
        format!(
            "SMTP {server}\n{}\n--- text/plain ---\n{}\n--- text/html ---\n{html}{attached}",
            self.message.headers(),
            self.plain
        )
    }
}

fn headers(from: &Mailbox, to: &[Mailbox], content: &Content<'_>, date: SystemTime) -> MessageBuilder {
    let Content { notification, envelope, .. } = content;
    let domain = from.email.domain();
    let message_id = format!("<{}@{domain}>", words::token(&envelope.message_id));
    // The same for every message of one incident, and of none that came before: what it is shown under.
    let since = notification.since.timestamp();
    let incident = format!("<incident-{:.32}@{domain}>", words::digest(&format!("{} {since}", notification.dedupe_key)));
    let mut builder = lettre::Message::builder()
        .from(from.clone())
        .subject(page::subject(notification))
        .date(date)
        .message_id(Some(message_id))
        .references(incident.clone());
    if notification.transition != Transition::Opened {
        builder = builder.in_reply_to(incident);
    }
    for mailbox in to {
        builder = builder.to(mailbox.clone());
    }
    // RFC 3834: no answer from those who are away.
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    builder.raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
}
