//! Telling people, as one step of a run: what is due goes out, the report learns what became of it, and a dry run shows what would be sent.

use std::sync::LazyLock;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::deliver::{Attachment, Delivered, Senders, deliver, deliver_loose};
use super::signals::{self, Loose};
use super::{Invocation, channels};
use crate::config::Config;
use crate::decision::signal::{SignalMode, SignalName, SignalReport};
use crate::notify::Envelope;
use crate::report::{Report, html};
use crate::store::outbox::MessageKey;
use crate::store::{Series, StateStore, StoreError};

/// Whether any signal notifies.
pub fn somebody_is_told(config: &Config) -> bool {
    config.signals.settings.iter().any(|settings| settings.mode == SignalMode::Notify)
}

/// The silenced ones among signals.
pub fn silenced(signals: &[SignalReport]) -> Vec<SignalName> {
    signals.iter().filter(|signal| signal.silenced.is_some()).map(|signal| signal.name).collect()
}

/// Messages that could not be delivered, in words.
#[derive(Debug, Default)]
pub struct Untold {
    /// Tried again by the next run.
    pub kept: Vec<String>,
    /// Never tried again.
    pub lost: Vec<String>,
}

/// What a run has at hand to tell people with.
pub struct Telling<'a> {
    pub config: &'a Config,
    pub invocation: &'a Invocation,
    pub store: Option<&'a StateStore>,
    pub series: &'a Series,
    pub window_end: DateTime<Utc>,
    /// Messages that are in no outbox.
    pub loose: &'a [Loose],
    /// What is not told now, and kept.
    pub silenced: Vec<SignalName>,
}

impl Telling<'_> {
    /// Sends what is due, of this run and of earlier ones; what could not be delivered.
    pub async fn tell(&self, report: Option<&Report>, failure: &mut Option<StoreError>) -> Untold {
        let mut untold = Untold::default();
        if self.invocation.options.no_notify {
            return untold;
        }
        let (senders, mut loose) = (self.senders(), self.loose.to_vec());
        let attachment = report.map(|report| Attachment {
            window_end: crate::store::to_micros(self.window_end),
            html: LazyLock::new(Box::new(move || Bytes::from(html::render(report).into_bytes()))),
        });
        if let Some(store) = self.store {
            let scope = self.series.scope();
            let Delivered { failures, abandoned, store: error, sent, claimed } =
                deliver(self.config, self.invocation, &senders, store, &scope, &self.silenced, attachment.as_ref()).await;
            if sent > 0 {
                tracing::info!(messages.sent = sent, "messages were delivered");
            }
            (untold.kept, untold.lost) = (failures, abandoned);
            // What was thought to be lost with an answer of the store was there after all.
            loose.retain(|message| !claimed.iter().any(|key| self.is_about(key, message)));
            if let Some(error) = error {
                failure.get_or_insert(error);
            }
        }
        if !loose.is_empty() {
            let key = self.window_end.to_rfc3339();
            untold.lost.extend(deliver_loose(&senders, &loose, &key, attachment.as_ref()).await);
        }
        untold
    }

    fn is_about(&self, key: &MessageKey, Loose { channel, notification }: &Loose) -> bool {
        let end = crate::store::to_micros(self.window_end);
        (key.signal, key.channel.as_str(), key.window_end) == (notification.signal, channel.as_str(), end)
    }

    /// Puts what the outbox knows of this window's messages into the report; whether that changed anything.
    pub async fn take_statuses(&self, report: &mut Report, failure: &mut Option<StoreError>) -> bool {
        let Some(store) = self.store else { return false };
        match store.messages_about(self.series.clone(), self.window_end).await {
            Ok(statuses) => signals::take_statuses(&mut report.signals, &statuses),
            Err(error) => {
                failure.get_or_insert(error);
                false
            }
        }
    }

    /// Exactly what would be sent to whom.
    pub fn preview(&self) -> String {
        let mut text = String::new();
        if self.loose.is_empty() {
            return text;
        }
        let senders = self.senders();
        for Loose { channel, notification } in self.loose {
            let envelope = Envelope { message_id: "(set when it is sent)".to_owned(), may_be_repeated: false, report: None };
            match senders.find(channel.as_str()) {
                Some(Ok(channel)) => text.push_str(&format!(
                    "\nWould be sent to {}:\n{}\n",
                    channel.receiver(),
                    channel.preview(notification, &envelope).trim_end()
                )),
                Some(Err(problem)) => text.push_str(&format!("\nCould not be sent by {}: {problem}\n", channel.as_str())),
                None => text.push_str(&format!("\nCould not be sent: channels.{} is not configured\n", channel.as_str())),
            }
        }
        text
    }

    fn senders(&self) -> Senders {
        let built = channels::build(self.config, &self.invocation.environment).into_iter();
        Senders { channels: built.map(|(name, channel)| (name, channel.map_err(|problem| problem.to_string()))).collect() }
    }
}
