//! What is on record, shown.

use chrono::{DateTime, TimeDelta, Utc};

use super::super::{Invocation, sections};
use crate::cli::Format;
use crate::config::Config;
use crate::error::JobError;
use crate::notify::moment;
use crate::report::{PastRun, escaped_json, format_count, format_percent, printable};
use crate::store::{LabelRecord, RunRecord, Silence, StateStore};
use crate::window::Window;

pub async fn show(config: &Config, invocation: &Invocation, store: &StateStore) -> Result<String, JobError> {
    let now = (invocation.clock)();
    let shown = Shown::read(config, store, now).await?;
    match invocation.options.format {
        Format::Json => shown.json(now),
        Format::Text | Format::Markdown => Ok(shown.text(now)),
    }
}

/// The newest runs of the job over windows of the configured length, the oldest first.
pub async fn runs(config: &Config, store: &StateStore, now: DateTime<Utc>) -> Result<Vec<RunRecord>, JobError> {
    let window = Window::ending_at(now, config.window.length);
    let series = sections::series(config, Some(window));
    Ok(store.runs(series, now + TimeDelta::days(FAR_DAYS), config.report.trend_windows).await?)
}

/// Windows that end later than this are none of ours.
const FAR_DAYS: i64 = 3_650;

/// What there is to show.
struct Shown {
    length: String,
    /// The oldest first.
    runs: Vec<PastRun>,
    /// The newest first.
    silences: Vec<Silence>,
    /// The earliest range first.
    labels: Vec<LabelRecord>,
    undelivered: usize,
}

impl Shown {
    async fn read(config: &Config, store: &StateStore, now: DateTime<Utc>) -> Result<Self, JobError> {
        let scope = sections::series(config, None).scope();
        let runs = runs(config, store, now).await?;
        Ok(Self {
            length: config.window.length.to_string(),
            runs: runs.into_iter().map(|run| run.outcome).collect(),
            silences: store.silences(scope.clone()).await?,
            labels: store.labels(scope.clone()).await?,
            undelivered: store.undelivered(scope, now).await?.len(),
        })
    }

    fn json(&self, now: DateTime<Utc>) -> Result<String, JobError> {
        let silences: Vec<_> = self.silences.iter().map(|silence| {
            let Silence { signal, created_at, until, reason, .. } = silence;
            serde_json::json!({ "signal": signal, "created_at": created_at, "until": until, "reason": reason, "active": self.is_active(silence, now) })
        }).collect();
        let labels: Vec<_> = self.labels.iter().map(|LabelRecord { label, created_at, reason, .. }| {
            serde_json::json!({ "truth": label.truth, "from": label.from, "to": label.to, "feature": label.feature, "created_at": created_at, "reason": reason })
        }).collect();
        let shown =
            serde_json::json!({ "runs": self.runs, "silences": silences, "labels": labels, "undelivered": self.undelivered });
        let text = serde_json::to_string_pretty(&shown).map_err(|source| JobError::Encode { what: "history", source })?;
        Ok(escaped_json(text) + "\n")
    }

    /// The newest of a signal counts, as long as it lasts.
    fn is_active(&self, silence: &Silence, now: DateTime<Utc>) -> bool {
        let newest = self.silences.iter().find(|other| other.signal == silence.signal);
        newest == Some(silence) && silence.until > now
    }

    fn text(&self, now: DateTime<Utc>) -> String {
        let mut text = format!("Runs over {}, the oldest first:\n", self.length);
        if self.runs.is_empty() {
            text.push_str("  none\n");
        }
        for run in &self.runs {
            let (end, share) = (moment(run.window_end), format_percent(run.share));
            let verdict = run.verdict.to_string();
            text.push_str(&format!("  {end}  {verdict:<12}  {share:>7} drifted  {:>12} rows\n", format_count(run.rows)));
        }
        text.push_str("\nSilences, the newest first:\n");
        if self.silences.is_empty() {
            text.push_str("  none\n");
        }
        for silence in &self.silences {
            let state = if self.is_active(silence, now) { "active" } else { "over" };
            let (from, until) = (moment(silence.created_at), moment(silence.until));
            let signal = silence.signal.to_string();
            text.push_str(&format!("  {signal:<16}  {state:<6}  {from} to {until}  {}\n", printable(&silence.reason)));
        }
        text.push_str("\nLabels, the earliest first:\n");
        if self.labels.is_empty() {
            text.push_str("  none\n");
        }
        for LabelRecord { label, reason, .. } in &self.labels {
            text.push_str(&format!("  {}  {}\n", printable(&label.to_string()), printable(reason)));
        }
        text.push_str(&match self.undelivered {
            0 => "\nEvery message was delivered.\n".to_owned(),
            some => format!(
                "\n{} not delivered yet: the next run tries again.\n",
                if some == 1 { "1 message is".to_owned() } else { format!("{some} messages are") }
            ),
        });
        text
    }
}
