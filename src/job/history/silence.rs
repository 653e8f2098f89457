//! The word that nobody is to be told of a signal for a while, and that this is over.

use chrono::TimeDelta;

use super::super::{Invocation, sections};
use super::{needed_reason, signal_of};
use crate::config::Config;
use crate::decision::signal::SignalName;
use crate::error::JobError;
use crate::notify::moment;
use crate::report::printable;
use crate::store::{Silence, StateStore};
use crate::window::Length;

/// Which signal, and for how long; no length ends the silence.
pub struct Wish {
    signal: SignalName,
    length: Option<Length>,
    reason: String,
}

impl Wish {
    /// From what the command line says; `None` when it says nothing of silences.
    pub fn of(silence: Option<&[String]>, unsilence: Option<&str>, reason: Option<&str>) -> Result<Option<Self>, JobError> {
        match (silence, unsilence) {
            (Some([signal, length]), _) => {
                let signal = signal_of(signal)?;
                let length = length.parse().map_err(|_| {
                    JobError::Usage(format!("`{}` is not a length of time: write 30m, 6h, 24h or 7d", printable(length)))
                })?;
                let reason = needed_reason(reason, "a silence")?;
                Ok(Some(Self { signal, length: Some(length), reason }))
            }
            (_, Some(signal)) => {
                Ok(Some(Self { signal: signal_of(signal)?, length: None, reason: reason.unwrap_or_default().to_owned() }))
            }
            _ => Ok(None),
        }
    }
}

pub async fn record(config: &Config, invocation: &Invocation, store: &StateStore, wish: Wish) -> Result<String, JobError> {
    let now = (invocation.clock)();
    let scope = sections::series(config, None).scope();
    let Wish { signal, length, reason } = wish;
    // The end of one is on record as a silence that ends as it begins: the newest counts.
    let until = length.map_or(now, |length| now + length.delta());
    let known = store.silences(scope.clone()).await?;
    // After whatever is on record, should a clock have been ahead: the newest counts.
    let newest = known.iter().filter(|silence| silence.signal == signal).map(|silence| silence.created_at).max();
    let created_at = newest.map_or(now, |newest| now.max(newest + TimeDelta::microseconds(1)));
    if !invocation.options.dry_run {
        store.silence(Silence { scope, signal, created_at, until, reason }).await?;
    }
    let (is, would) = if invocation.options.dry_run { ("would be", "would not be") } else { ("is", "is not") };
    Ok(if until > now {
        format!("{signal} {is} silenced until {}.\n", moment(until))
    } else {
        format!("{signal} {would} silenced any more: what is still open is told by the next run.\n")
    })
}
