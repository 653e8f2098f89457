//! `drift-check history`: past runs, silences, and messages that nobody got; and the word that somebody wants no messages for a while.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error as DeserializeError, StrDeserializer};

use super::{Invocation, Outcome, check, sections};
use crate::cli::Format;
use crate::config::Config;
use crate::decision::signal::SignalName;
use crate::error::{ExitCode, JobError};
use crate::notify::moment;
use crate::report::{PastRun, escaped_json, format_count, format_percent, printable};
use crate::store::{Silence, StateStore};
use crate::window::{Length, Window};

/// What is asked of the history.
pub enum Wish {
    Show,
    Silence { signal: SignalName, length: Length, reason: String },
    Unsilence { signal: SignalName, reason: String },
}

impl Wish {
    /// From what the command line says.
    pub fn of(silence: Option<&[String]>, unsilence: Option<String>, reason: Option<String>) -> Result<Self, JobError> {
        match (silence, unsilence) {
            (Some([signal, length]), _) => {
                let signal = signal_of(signal)?;
                let length = length.parse().map_err(|_| {
                    JobError::Usage(format!("`{}` is not a length of time: write 30m, 6h, 24h or 7d", printable(length)))
                })?;
                let reason = reason.filter(|reason| !reason.trim().is_empty());
                let reason = reason.ok_or_else(|| JobError::Usage("a silence needs a reason: --reason \"…\"".to_owned()))?;
                Ok(Self::Silence { signal, length, reason })
            }
            (_, Some(signal)) => Ok(Self::Unsilence { signal: signal_of(&signal)?, reason: reason.unwrap_or_default() }),
            _ => Ok(Self::Show),
        }
    }
}

fn signal_of(text: &str) -> Result<SignalName, JobError> {
    let deserializer: StrDeserializer<'_, DeserializeError> = text.into_deserializer();
    SignalName::deserialize(deserializer).map_err(|_| {
        let known: Vec<String> = SignalName::ALL.iter().map(ToString::to_string).collect();
        JobError::Usage(format!("`{}` is not a signal: the signals are {}", printable(text), known.join(", ")))
    })
}

pub async fn history(config: &Config, invocation: &Invocation, wish: Wish) -> Result<Outcome, JobError> {
    let store = check::open_store(config, invocation).await?;
    let now = (invocation.clock)();
    let scope = sections::series(config, None).scope();
    let change = match wish {
        Wish::Show => None,
        Wish::Silence { signal, length, reason } => Some((signal, now + length.delta(), reason)),
        // On record as a silence that ends as it begins: the newest counts.
        Wish::Unsilence { signal, reason } => Some((signal, now, reason)),
    };
    if let Some((signal, until, reason)) = change {
        let known = store.silences(scope.clone()).await?;
        // After whatever is on record, should a clock have been ahead: the newest counts.
        let newest = known.iter().filter(|silence| silence.signal == signal).map(|silence| silence.created_at).max();
        let created_at = newest.map_or(now, |newest| now.max(newest + TimeDelta::microseconds(1)));
        let silence = Silence { scope, signal, created_at, until, reason };
        if !invocation.options.dry_run {
            store.silence(silence).await?;
        }
        let (is, would) = if invocation.options.dry_run { ("would be", "would not be") } else { ("is", "is not") };
        let output = if until > now {
            format!("{signal} {is} silenced until {}.\n", moment(until))
        } else {
            format!("{signal} {would} silenced any more: what is still open is told by the next run.\n")
        };
        return Ok(Outcome { exit_code: ExitCode::Success, output });
    }
    let shown = Shown::read(config, &store, now).await?;
    let output = match invocation.options.format {
        Format::Json => shown.json(now)?,
        Format::Text | Format::Markdown => shown.text(now),
    };
    Ok(Outcome { exit_code: ExitCode::Success, output })
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
    undelivered: usize,
}

impl Shown {
    async fn read(config: &Config, store: &StateStore, now: DateTime<Utc>) -> Result<Self, JobError> {
        let window = Window::ending_at(now, config.window.length);
        let series = sections::series(config, Some(window));
        let scope = series.scope();
        Ok(Self {
            length: config.window.length.to_string(),
            runs: store.past_runs(series, now + TimeDelta::days(FAR_DAYS), config.report.trend_windows).await?,
            silences: store.silences(scope.clone()).await?,
            undelivered: store.undelivered(scope, now).await?.len(),
        })
    }

    fn json(&self, now: DateTime<Utc>) -> Result<String, JobError> {
        let silences: Vec<_> = self.silences.iter().map(|silence| {
            let Silence { signal, created_at, until, reason, .. } = silence;
            serde_json::json!({ "signal": signal, "created_at": created_at, "until": until, "reason": reason, "active": self.is_active(silence, now) })
        }).collect();
        let shown = serde_json::json!({ "runs": self.runs, "silences": silences, "undelivered": self.undelivered });
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
