//! The signals of a run: how each moves on, whom it tells, and what the report says of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::Invocation;
use super::readings::Read;
use crate::config::{Config, SignalSettings};
use crate::decision::signal::{
    Delivery, DeliveryStatus, Moved, Rules, SignalMode, SignalReport, SignalState, SilenceReport, Telling, Transition,
};
use crate::notify::compose::Setting;
use crate::notify::{ChannelName, Links, Notification, PAYLOAD_VERSION};
use crate::store::outbox::{Draft, MessageStatus};
use crate::store::{Series, Silence, StateStore, Step, StoreError};

/// Makes the message about a signal that has moved.
pub type Compose = Arc<dyn Fn(&SignalReport, Setting) -> Notification + Send + Sync>;

/// What a run knows when its signals move on.
pub struct Context<'a> {
    pub config: &'a Config,
    pub invocation: &'a Invocation,
    pub series: &'a Series,
    pub window_end: DateTime<Utc>,
    /// Where `report.html` will be, if there is one.
    pub report_uri: Option<String>,
}

/// A message that is not in the outbox: of a dry run, or of a run whose store has failed.
#[derive(Clone, Debug)]
pub struct Loose {
    pub channel: ChannelName,
    pub notification: Notification,
}

/// What became of the signals.
#[derive(Debug, Default)]
pub struct Movement {
    pub signals: Vec<SignalReport>,
    pub loose: Vec<Loose>,
    pub failure: Option<StoreError>,
}

/// The signals as they read, before anything is known of their past.
pub fn readings(read: &[Read<'_>]) -> Vec<SignalReport> {
    let report = |read: &Read<'_>| SignalReport {
        name: read.settings.name,
        mode: read.settings.mode,
        state: read.reading.state,
        reason: read.reason.clone(),
        value: read.reading.value,
        threshold: read.reading.threshold,
        n: read.reading.n,
        interval: read.reading.interval,
        transition: None,
        since: None,
        silenced: None,
        deliveries: Vec::new(),
    };
    read.iter().map(report).collect()
}

/// Moves every signal on, and puts the messages that follow into the outbox with it. A dry run changes nothing.
///
/// Without a store that answers there is no past: a signal that fires is told of all the same, with a word that it may be a repetition.
pub async fn move_on(context: &Context<'_>, store: Option<&StateStore>, compose: Compose, read: &[Read<'_>]) -> Movement {
    let mut movement = Movement::default();
    let mut silences = Vec::new();
    if let Some(store) = store {
        match store.silences(context.series.scope()).await {
            Ok(found) => silences = found,
            Err(error) => movement.failure = Some(error),
        }
    }
    for (read, mut signal) in read.iter().zip(readings(read)) {
        let now = (context.invocation.clock)();
        let silence = silences.iter().find(|silence| silence.signal == signal.name).filter(|silence| silence.until > now);
        signal.silenced = silence.map(|silence: &Silence| SilenceReport { until: silence.until, reason: silence.reason.clone() });
        let telling = telling(read.settings.mode, context.invocation.options.no_notify, signal.silenced.is_some());
        let step = Step {
            series: context.series.clone(),
            name: signal.name,
            reading: read.reading,
            rules: rules(read.settings, telling),
            window_end: context.window_end,
            now,
        };
        match advance(context, store, step, &compose, &signal, read.settings).await {
            Some(Ok(moved)) => {
                take(&mut signal, &moved);
                if context.invocation.options.dry_run && moved.tells == Some(Telling::Send) {
                    let message = compose(&signal, context.setting(read.settings, Vec::new()));
                    movement.loose.extend(loose(read.settings, &message));
                }
                signal.deliveries = not_sent(context.invocation, read.settings, &signal, &moved);
            }
            Some(Err(error)) => {
                movement.failure.get_or_insert(error);
                movement.loose.extend(without_memory(context, &compose, &signal, read.settings, telling));
            }
            // A store that could not even be opened: its error is the run's already.
            None => movement.loose.extend(without_memory(context, &compose, &signal, read.settings, telling)),
        }
        movement.signals.push(signal);
    }
    movement
}

/// What may be told of a signal in this run.
fn telling(mode: SignalMode, no_notify: bool, is_silenced: bool) -> Telling {
    match mode {
        SignalMode::Notify if no_notify || is_silenced => Telling::Hold,
        SignalMode::Notify => Telling::Send,
        SignalMode::Shadow | SignalMode::Off => Telling::Shadow,
    }
}

pub fn rules(settings: &SignalSettings, telling: Telling) -> Rules {
    let repeat = settings.repeat.map(crate::window::Length::delta);
    Rules { open_after: settings.open_after, close_after: settings.close_after, repeat, telling }
}

fn take(signal: &mut SignalReport, moved: &Moved) {
    signal.transition = Some(moved.transition);
    signal.since = moved.since;
}

/// `None` without a store.
async fn advance(
    context: &Context<'_>,
    store: Option<&StateStore>,
    step: Step,
    compose: &Compose,
    signal: &SignalReport,
    settings: &SignalSettings,
) -> Option<Result<Moved, StoreError>> {
    let store = store?;
    if context.invocation.options.dry_run {
        return Some(store.preview_signal(step).await);
    }
    let (compose, signal) = (Arc::clone(compose), signal.clone());
    let (setting, channels) = (context.setting(settings, Vec::new()), settings.channels.clone());
    let drafts = move |moved: &Moved| {
        let mut signal = signal.clone();
        take(&mut signal, moved);
        let message = compose(&signal, setting.clone());
        let payload = serde_json::to_value(&message).unwrap_or_default();
        let draft = |channel: &ChannelName| Draft {
            channel: channel.as_str().to_owned(),
            payload: payload.clone(),
            payload_version: PAYLOAD_VERSION,
            is_shadow: moved.tells == Some(Telling::Shadow),
        };
        channels.iter().map(draft).collect()
    };
    Some(store.advance_signal(step, drafts).await)
}

impl Context<'_> {
    fn setting(&self, settings: &SignalSettings, notes: Vec<String>) -> Setting {
        let Series { job, environment, length_s } = self.series;
        let links = Links {
            report: self.report_uri.as_deref().map(browsable),
            runbook: format!("{}{}.md", self.config.report.runbooks, settings.name),
            logs: self.invocation.logs.clone(),
        };
        Setting { links, dedupe_key: format!("{job}/{environment}/{length_s}/{}", settings.name), notes }
    }
}

/// An object of Cloud Storage as a browser opens it, for those who may read it.
fn browsable(uri: &str) -> String {
    uri.strip_prefix("gs://").map_or_else(|| uri.to_owned(), |object| format!("https://storage.cloud.google.com/{object}"))
}

fn loose(settings: &SignalSettings, message: &Notification) -> Vec<Loose> {
    let sends = settings.mode == SignalMode::Notify;
    let to = |channel: &ChannelName| Loose { channel: *channel, notification: message.clone() };
    settings.channels.iter().filter(|_| sends).map(to).collect()
}

/// Nothing is known of the past: what fires is told of, and why it may be a repetition.
fn without_memory(
    context: &Context<'_>,
    compose: &Compose,
    signal: &SignalReport,
    settings: &SignalSettings,
    telling: Telling,
) -> Vec<Loose> {
    if signal.state != SignalState::Firing || telling != Telling::Send {
        return Vec::new();
    }
    let note = "The state store could not be reached: since when this holds is not known, and you may have been told before.";
    loose(settings, &compose(signal, context.setting(settings, vec![note.to_owned()])))
}

/// What became of a message that was not put into the outbox although there was something to tell.
fn not_sent(invocation: &Invocation, settings: &SignalSettings, signal: &SignalReport, moved: &Moved) -> Vec<Delivery> {
    let is_news = matches!(moved.transition, Transition::Opened | Transition::Worsened | Transition::Resolved);
    let status = match settings.mode {
        SignalMode::Notify if signal.silenced.is_some() && is_news => DeliveryStatus::Silenced,
        SignalMode::Notify if invocation.options.no_notify && is_news => DeliveryStatus::Suppressed,
        SignalMode::Notify if invocation.options.dry_run && moved.tells == Some(Telling::Send) => DeliveryStatus::Suppressed,
        _ => return Vec::new(),
    };
    let delivery = |channel: &ChannelName| Delivery { channel: channel.as_str().to_owned(), status };
    settings.channels.iter().map(delivery).collect()
}

/// Puts what is known of the messages of the window into the report's signals; whether that changed anything.
pub fn take_statuses(signals: &mut [SignalReport], statuses: &[MessageStatus]) -> bool {
    let mut is_changed = false;
    for signal in signals {
        let of_signal =
            statuses.iter().filter(|status| status.signal == signal.name && Some(status.transition) == signal.transition);
        // A window that was read several times may have told the same twice: the newest of each channel counts.
        let newest: BTreeMap<&str, DeliveryStatus> = of_signal.map(|status| (status.channel.as_str(), status.status)).collect();
        let deliveries: Vec<Delivery> =
            newest.into_iter().map(|(channel, status)| Delivery { channel: channel.to_owned(), status }).collect();
        if !deliveries.is_empty() && deliveries != signal.deliveries {
            signal.deliveries = deliveries;
            is_changed = true;
        }
    }
    is_changed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_in_the_cloud_opens_in_a_browser() {
        assert_eq!(browsable("gs://b/reports/j/report.html"), "https://storage.cloud.google.com/b/reports/j/report.html");
        assert_eq!(browsable("file:./b/report.html"), "file:./b/report.html");
    }

    #[test]
    fn who_is_silenced_or_told_not_to_notify_still_owes_the_message() {
        assert_eq!(telling(SignalMode::Notify, false, false), Telling::Send);
        assert_eq!(telling(SignalMode::Notify, true, false), Telling::Hold);
        assert_eq!(telling(SignalMode::Notify, false, true), Telling::Hold);
        assert_eq!(telling(SignalMode::Shadow, true, true), Telling::Shadow);
    }
}
