//! What is on record, as `drift-check history` shows it: data, its JSON, and its tables (`history/`).

pub mod course;
pub mod readiness;
mod table;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{PastRun, format_count, format_percent, story};
use crate::decision::label::Label;
use crate::decision::signal::{DeliveryStatus, PastSignal, SignalMode, SignalName, SignalState, Transition};
pub use table::Medium;
use table::Table;

/// The version of everything that `history --format json` prints. A reader refuses a higher one; new fields do not raise it.
pub const HISTORY_VERSION: u32 = 1;

/// What is on record.
#[derive(Clone, Debug, Serialize)]
pub struct History {
    pub schema_version: u32,
    pub job: String,
    pub environment: String,
    /// Of the windows of `runs` and `signals`.
    pub window_length_s: i64,
    /// The oldest first.
    pub runs: Vec<RunEntry>,
    /// Those that are not off.
    pub signals: Vec<SignalEntry>,
    /// The newest first.
    pub deliveries: Vec<DeliveryEntry>,
    /// The newest first.
    pub silences: Vec<SilenceEntry>,
    /// The earliest range first.
    pub labels: Vec<LabelEntry>,
    /// The newest first.
    pub promotions: Vec<PromotionEntry>,
    /// Messages that are due and not delivered.
    pub undelivered: usize,
}

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct RunEntry {
    pub id: String,
    /// `backfill`: computed from the logs for the trend only.
    pub trigger: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    /// Null where there is none.
    pub report: Option<String>,
    #[serde(flatten)]
    pub outcome: PastRun,
    pub signals: BTreeMap<SignalName, PastSignal>,
}

/// A signal as it stands.
#[derive(Clone, Debug, Serialize)]
pub struct SignalEntry {
    pub name: SignalName,
    pub mode: SignalMode,
    /// What was read last; null where nothing is on record.
    pub state: Option<SignalState>,
    /// The end of the window in which that was.
    pub window_end: Option<DateTime<Utc>>,
    /// The end of the window in which it opened; null while it is not open.
    pub open_since: Option<DateTime<Utc>>,
    /// How long ago that was, in seconds.
    pub age_s: Option<i64>,
    /// Messages since then that told of nothing new.
    pub reminders: usize,
    pub last_message: Option<LastMessage>,
}

/// The newest message about a signal.
#[derive(Clone, Debug, Serialize)]
pub struct LastMessage {
    pub window_end: DateTime<Utc>,
    pub transition: Transition,
    pub created_at: DateTime<Utc>,
    /// By channel.
    pub status: BTreeMap<String, DeliveryStatus>,
}

/// A message on one channel.
#[derive(Clone, Debug, Serialize)]
pub struct DeliveryEntry {
    pub signal: SignalName,
    pub transition: Transition,
    pub window_end: DateTime<Utc>,
    pub window_length_s: i64,
    pub channel: String,
    pub status: DeliveryStatus,
    pub created_at: DateTime<Utc>,
    pub delivered_at: Option<DateTime<Utc>>,
    pub attempts: u32,
    /// How the last attempt failed; null where it did not.
    pub error: Option<String>,
}

/// A silence.
#[derive(Clone, Debug, Serialize)]
pub struct SilenceEntry {
    pub signal: SignalName,
    pub created_at: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub reason: String,
    /// Whether it still holds.
    pub active: bool,
}

/// A label.
#[derive(Clone, Debug, Serialize)]
pub struct LabelEntry {
    #[serde(flatten)]
    pub label: Label,
    pub created_at: DateTime<Utc>,
    pub reason: String,
}

/// A promotion that was forced.
#[derive(Clone, Debug, Serialize)]
pub struct PromotionEntry {
    pub signal: SignalName,
    pub created_at: DateTime<Utc>,
    /// Why it was refused at first.
    pub refusal: String,
    pub reason: String,
}

fn moment(at: DateTime<Utc>) -> String {
    format!("{} UTC", story::moment(at))
}

/// The two largest units: `3 d 4 h`, `2 h 5 min`, `0 min`.
fn age(seconds: i64) -> String {
    let minutes = seconds.max(0) / 60;
    match (minutes / 1_440, minutes / 60 % 24, minutes % 60) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

impl History {
    /// The tables.
    pub fn render(&self, length: &str, medium: Medium) -> String {
        let tables = [self.runs(length), self.signals(), self.deliveries(), self.silences(), self.labels()];
        let mut text: Vec<String> = tables.iter().chain(&self.promotions()).map(|table| table.render(medium)).collect();
        text.push(match self.undelivered {
            0 => "No message waits to be delivered.\n".to_owned(),
            1 => "1 message is not delivered yet: the next run tries again.\n".to_owned(),
            some => format!("{some} messages are not delivered yet: the next run tries again.\n"),
        });
        text.join("\n")
    }

    fn runs(&self, length: &str) -> Table {
        let mut table = Table::new(
            format!("Runs over {length}, the oldest first"),
            &["window to", "verdict", "share", "rows", "fired", "trigger", "report"],
        );
        for run in &self.runs {
            let words = story::dataset_words(run.outcome.verdict);
            let fired = run.signals.iter().filter(|(_, signal)| signal.state == SignalState::Firing);
            let fired: Vec<String> = fired.map(|(name, _)| name.to_string()).collect();
            table.row([
                moment(run.outcome.window_end),
                format!("{} {}", words.glyph, run.outcome.verdict),
                format_percent(run.outcome.share),
                format_count(run.outcome.rows),
                fired.join(", "),
                run.trigger.clone(),
                run.report.clone().unwrap_or_default(),
            ]);
        }
        table
    }

    fn signals(&self) -> Table {
        let mut table = Table::new("Signals", &["signal", "mode", "state", "open", "reminders", "last message"]);
        for signal in &self.signals {
            let open = signal.open_since.map(|since| format!("since {}, {}", moment(since), age(signal.age_s.unwrap_or_default())));
            let last = signal.last_message.as_ref().map(|message| {
                let status: Vec<String> = message.status.iter().map(|(channel, status)| format!("{channel} {status}")).collect();
                format!("{}, {}: {}", moment(message.created_at), message.transition, status.join(", "))
            });
            table.row([
                signal.name.to_string(),
                signal.mode.to_string(),
                signal.state.map_or_else(|| "not on record".to_owned(), |state| state.to_string()),
                open.unwrap_or_default(),
                signal.open_since.map(|_| signal.reminders.to_string()).unwrap_or_default(),
                last.unwrap_or_default(),
            ]);
        }
        table
    }

    fn deliveries(&self) -> Table {
        let mut table = Table::new(
            "Messages, the newest first",
            &["made", "signal", "transition", "window to", "channel", "status", "attempts", "error"],
        );
        for message in &self.deliveries {
            let delivered = message.delivered_at.map(|at| format!(" {}", moment(at))).unwrap_or_default();
            table.row([
                moment(message.created_at),
                message.signal.to_string(),
                message.transition.to_string(),
                moment(message.window_end),
                message.channel.clone(),
                format!("{}{delivered}", message.status),
                message.attempts.to_string(),
                message.error.clone().unwrap_or_default(),
            ]);
        }
        table
    }

    fn silences(&self) -> Table {
        let mut table = Table::new("Silences, the newest first", &["signal", "state", "from", "until", "reason"]);
        for silence in &self.silences {
            let state = if silence.active { "active" } else { "over" };
            let (from, until) = (moment(silence.created_at), moment(silence.until));
            table.row([silence.signal.to_string(), state.to_owned(), from, until, silence.reason.clone()]);
        }
        table
    }

    fn labels(&self) -> Table {
        let mut table = Table::new("Labels, the earliest first", &["truth", "from", "to (not included)", "of", "reason"]);
        for LabelEntry { label, reason, .. } in &self.labels {
            let of = label.feature.as_ref().map_or_else(|| "the data set".to_owned(), ToString::to_string);
            table.row([label.truth.to_string(), moment(label.from), moment(label.to), of, reason.clone()]);
        }
        table
    }

    /// Only where there is one: it is not an everyday thing.
    fn promotions(&self) -> Option<Table> {
        let mut table = Table::new("Promotions that were forced, the newest first", &["signal", "when", "reason", "against"]);
        for promotion in &self.promotions {
            let PromotionEntry { signal, created_at, refusal, reason } = promotion;
            table.row([signal.to_string(), moment(*created_at), reason.clone(), refusal.clone()]);
        }
        (!self.promotions.is_empty()).then_some(table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_in_its_two_largest_units() {
        assert_eq!([-5, 59, 3_600, 7_500, 273_600].map(age), ["0 min", "0 min", "1 h 0 min", "2 h 5 min", "3 d 4 h"]);
    }
}
