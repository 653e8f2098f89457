//! What every store does with a signal and with time, whatever it is built on: the rule of replays, and how long things are kept.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::Step;
use crate::decision::signal::{Memory, Moved, SignalState, advance};

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
    before: Option<Memory>,
    /// After it.
    after: Option<Memory>,
    /// What was read in it.
    state: SignalState,
    /// How often the last window was read otherwise than before: late rows, repaired logs.
    revision: u32,
}

/// A signal as a store holds it.
#[derive(Clone, Debug)]
pub struct StoredSignal {
    /// The end of the last window that it was moved on by.
    pub window_end: DateTime<Utc>,
    pub record: SignalRecord,
    pub expire_at: DateTime<Utc>,
}

/// A step that was taken.
pub struct Taken {
    pub moved: Moved,
    pub record: SignalRecord,
    /// Which reading of the window it is; tells messages about one window apart.
    pub revision: u32,
}

/// Where a step takes a signal; `None` when the window is older than the last one, which changes nothing.
///
/// The window of the last step again, and the same reading: the signal moves on from where it was before that step, to the same answer. The
/// same window and another reading (late rows, repaired logs): it moves on from where it is, because people may have been told. What has
/// expired counts as absent, whether or not the store has deleted it yet. A last window that has not ended yet was written by a clock that
/// was wrong: it does not make this one old.
pub fn replay(stored: Option<StoredSignal>, step: &Step) -> Option<Taken> {
    let end = to_micros(step.window_end);
    let is_possible = |stored: &StoredSignal| stored.window_end <= step.now.max(end) + CLOCKS_APART;
    let stored = stored.filter(|stored| stored.expire_at > step.now);
    let (before, known, revision) = match stored {
        Some(stored) if stored.window_end > end && is_possible(&stored) => return None,
        Some(StoredSignal { window_end, record, .. }) if window_end == end => {
            if record.state == step.reading.state {
                (record.before, record.after, record.revision)
            } else {
                (record.after, None, record.revision.saturating_add(1))
            }
        }
        Some(stored) => (stored.record.after, None, 0),
        None => (None, None, 0),
    };
    let (moved, after) = advance(step.name, before.clone(), &step.reading, end, &step.rules);
    let after = after.map(|after| after.with_told_of(known.as_ref()));
    Some(Taken { moved, record: SignalRecord { before, after, state: step.reading.state, revision }, revision })
}

/// Clocks of one platform may be this far apart.
pub(super) const CLOCKS_APART: TimeDelta = TimeDelta::hours(1);
