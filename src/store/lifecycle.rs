//! What every store does with a signal and with time, whatever it is built on: the rule of replays, and how long things are kept.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{SignalStanding, Step};
use crate::decision::signal::{Memory, Moved, SignalName, SignalState, advance};

/// How long messages, signals and silences are kept, in days: as long as the logs and the reports of the platform.
const KEPT_DAYS: i64 = 90;

/// How long runs and labels are kept, in days. It takes 149 windows that do not overlap to show that a signal is fit to notify, and 313 with
/// two false alarms among them: days, where a window has 24 hours.
const EVIDENCE_KEPT_DAYS: i64 = 400;

/// When a record is to be deleted: 90 days after the end of its window, or after it was written, whichever is later. A window of long
/// ago that is computed today is kept like one of today.
pub fn expiry(window_end: DateTime<Utc>, written_at: DateTime<Utc>) -> DateTime<Utc> {
    kept(window_end, written_at, KEPT_DAYS)
}

/// When a run or a label is to be deleted: like [`expiry`], later.
pub fn evidence_expiry(end: DateTime<Utc>, written_at: DateTime<Utc>) -> DateTime<Utc> {
    kept(end, written_at, EVIDENCE_KEPT_DAYS)
}

fn kept(end: DateTime<Utc>, written_at: DateTime<Utc>, days: i64) -> DateTime<Utc> {
    let until = to_micros(end.max(written_at)).checked_add_signed(TimeDelta::days(days));
    until.unwrap_or(DateTime::<Utc>::MAX_UTC)
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

impl SignalRecord {
    /// The signal as it stands, for those who only look.
    pub fn standing(self, name: SignalName, window_end: DateTime<Utc>) -> SignalStanding {
        SignalStanding { name, window_end, state: self.state, memory: self.after }
    }
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
