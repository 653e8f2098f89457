//! What every store does with a signal and with time, whatever it is built on: the rule of replays, and how long things are kept.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Step;
use crate::decision::signal::{OpenSignal, Transition, advance};

/// How long everything is kept, in days: as long as the logs and the reports of the platform.
const KEPT_DAYS: i64 = 90;

/// When a record is to be deleted: 90 days after the end of its window, or after it was written, whichever is later. A window of long
/// ago that is computed today is kept like one of today.
pub fn expiry(window_end: DateTime<Utc>, written_at: DateTime<Utc>) -> DateTime<Utc> {
    let kept = to_micros(window_end.max(written_at)).checked_add_signed(TimeDelta::days(KEPT_DAYS));
    kept.unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// A moment as precise as every store keeps it.
pub fn to_micros(moment: DateTime<Utc>) -> DateTime<Utc> {
    moment.trunc_subsecs(6)
}

/// What is kept of a signal: enough to give the same answer when its last window comes again.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignalRecord {
    /// Before the last window.
    before: Option<OpenSignal>,
    /// After it.
    after: Option<OpenSignal>,
}

/// A signal as a store holds it.
#[derive(Clone, Debug)]
pub struct StoredSignal {
    /// The end of the last window that it was moved on by.
    pub window_end: DateTime<Utc>,
    pub record: SignalRecord,
    pub expire_at: DateTime<Utc>,
}

/// Where a step takes a signal; `None` when the window is older than the last one, which changes nothing.
///
/// The window of the last step again takes the signal from where it was before that step: the same reading, the same answer. What has
/// expired counts as absent, whether or not the store has deleted it yet.
pub fn replay(stored: Option<StoredSignal>, step: &Step) -> Option<(Transition, SignalRecord)> {
    let end = to_micros(step.window_end);
    let before = match stored.filter(|stored| stored.expire_at > step.now) {
        Some(stored) if stored.window_end > end => return None,
        Some(stored) if stored.window_end == end => stored.record.before,
        Some(stored) => stored.record.after,
        None => None,
    };
    let (transition, after) = advance(before.clone(), &step.reading);
    Some((transition, SignalRecord { before, after }))
}
