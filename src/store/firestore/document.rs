//! The documents as Firestore holds them, and the names of places.
//!
//! Moments that Firestore compares or deletes by are real timestamps, which the crate makes of its own type only: a chrono time would
//! silently become a text, and the time-to-live policy would never see it. What only this program reads is JSON text.

use chrono::{DateTime, SecondsFormat, Utc};
use firestore::{FirestoreDb, FirestoreDocument, FirestoreWritePrecondition, timestamp_utils};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::fault::{Fault, FaultKind};
use crate::store::lifecycle::{SignalRecord, StoredSignal, evidence_expiry, expiry, to_micros};
use crate::store::outbox::{Claim, Draft, LastAttempt, MessageKey, MessageRecord, MessageStatus};
use crate::store::{RunRecord, Scope, Series, SignalStanding, Silence, Step};

/// A document as Firestore holds it.
pub(super) trait Stored: DeserializeOwned {
    /// A document of a newer one is an error, never a guess, and is not written over.
    const VERSION: i64;

    /// Reads a document. What a newer one holds beside its version is not looked at.
    fn read(document: &FirestoreDocument) -> Result<Self, Fault> {
        Self::check(document)?;
        Ok(FirestoreDb::deserialize_doc_to(document)?)
    }

    /// Fails when the document is of a newer version.
    fn check(document: &FirestoreDocument) -> Result<(), Fault> {
        #[derive(Deserialize)]
        struct VersionOnly {
            version: i64,
        }
        let VersionOnly { version } = FirestoreDb::deserialize_doc_to(document)?;
        supported(version, Self::VERSION)
    }
}

/// The version of the documents; there is no older one.
pub(super) const VERSION: i64 = 1;

/// The version of a signal's document: the first one did not remember who was told, because nobody ever was; it counts as absent.
const SIGNAL_VERSION: i64 = 2;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RunDocument {
    version: i64,
    job: String,
    environment: String,
    length_s: i64,
    #[serde(with = "timestamp")]
    window_end: DateTime<Utc>,
    id: String,
    trigger: String,
    #[serde(with = "timestamp")]
    started_at: DateTime<Utc>,
    #[serde(with = "timestamp")]
    finished_at: DateTime<Utc>,
    profile_id: String,
    config_digest: String,
    report_uri: String,
    /// A [`crate::report::PastRun`].
    outcome: String,
    /// What each signal read; absent in documents of before.
    #[serde(default = "nothing")]
    signals: String,
    #[serde(with = "timestamp")]
    expire_at: DateTime<Utc>,
}

/// An object without a field, as JSON.
fn nothing() -> String {
    "{}".to_owned()
}

impl Stored for RunDocument {
    const VERSION: i64 = VERSION;
}

impl RunDocument {
    pub(super) fn new(run: &RunRecord) -> Result<Self, Fault> {
        Ok(Self {
            version: VERSION,
            job: run.series.job.clone(),
            environment: run.series.environment.clone(),
            length_s: run.series.length_s,
            window_end: to_micros(run.outcome.window_end),
            id: run.id.clone(),
            trigger: run.trigger.clone(),
            started_at: run.started_at,
            finished_at: run.finished_at,
            profile_id: run.profile_id.clone(),
            config_digest: run.config_digest.clone(),
            report_uri: run.report_uri.clone(),
            outcome: serde_json::to_string(&run.outcome)?,
            signals: serde_json::to_string(&run.signals)?,
            expire_at: evidence_expiry(run.outcome.window_end, run.finished_at),
        })
    }

    pub(super) fn record(self) -> Result<RunRecord, Fault> {
        Ok(RunRecord {
            id: self.id,
            series: Series { job: self.job, environment: self.environment, length_s: self.length_s },
            trigger: self.trigger,
            started_at: self.started_at,
            finished_at: self.finished_at,
            profile_id: self.profile_id,
            config_digest: self.config_digest,
            report_uri: self.report_uri,
            outcome: serde_json::from_str(&self.outcome)?,
            signals: serde_json::from_str(&self.signals)?,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignalDocument {
    version: i64,
    name: String,
    #[serde(with = "timestamp")]
    window_end: DateTime<Utc>,
    /// A [`SignalRecord`].
    state: String,
    #[serde(with = "timestamp")]
    updated_at: DateTime<Utc>,
    #[serde(with = "timestamp")]
    expire_at: DateTime<Utc>,
}

impl Stored for SignalDocument {
    const VERSION: i64 = SIGNAL_VERSION;
}

impl SignalDocument {
    pub(super) fn new(step: &Step, record: &SignalRecord) -> Result<Self, Fault> {
        Ok(Self {
            version: SIGNAL_VERSION,
            name: step.name.to_string(),
            window_end: to_micros(step.window_end),
            state: serde_json::to_string(record)?,
            updated_at: step.now,
            expire_at: expiry(step.window_end, step.now),
        })
    }

    pub(super) fn stored(&self) -> Result<Option<StoredSignal>, Fault> {
        if self.version < SIGNAL_VERSION {
            return Ok(None);
        }
        let record = serde_json::from_str(&self.state)?;
        Ok(Some(StoredSignal { window_end: self.window_end, record, expire_at: self.expire_at }))
    }

    /// The signal as it stands, unless it has expired.
    pub(super) fn standing(&self, now: DateTime<Utc>) -> Result<Option<SignalStanding>, Fault> {
        let name = serde_json::from_value(self.name.clone().into())?;
        let stored = self.stored()?.filter(|stored| stored.expire_at > now);
        Ok(stored.map(|stored| stored.record.standing(name, stored.window_end)))
    }
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MessageDocument {
    version: i64,
    length_s: i64,
    signal: String,
    #[serde(with = "timestamp")]
    window_end: DateTime<Utc>,
    /// Which reading of the window; absent in documents of before, which knew one only.
    #[serde(default)]
    revision: u32,
    transition: String,
    channel: String,
    /// Any JSON.
    payload: String,
    payload_version: u32,
    #[serde(with = "timestamp")]
    created_at: DateTime<Utc>,
    /// Absent once the message is delivered: what has no due time is never found by one.
    #[serde(default, with = "optional_timestamp")]
    pub(super) due_at: Option<DateTime<Utc>>,
    pub(super) attempts: u32,
    pub(super) claimed_by: String,
    pub(super) error_kind: String,
    #[serde(default, with = "optional_timestamp")]
    pub(super) delivered_at: Option<DateTime<Utc>>,
    #[serde(with = "timestamp")]
    pub(super) expire_at: DateTime<Utc>,
}

impl Stored for MessageDocument {
    const VERSION: i64 = VERSION;
}

impl MessageDocument {
    pub(super) fn new(step: &Step, key: &MessageKey, draft: &Draft) -> Self {
        Self {
            version: VERSION,
            length_s: key.length_s,
            signal: key.signal.to_string(),
            window_end: key.window_end,
            revision: key.revision,
            transition: key.transition.to_string(),
            channel: key.channel.clone(),
            payload: draft.payload.to_string(),
            payload_version: draft.payload_version,
            created_at: step.now,
            due_at: (!draft.is_shadow).then_some(step.now),
            attempts: 0,
            claimed_by: String::new(),
            error_kind: String::new(),
            delivered_at: None,
            expire_at: expiry(step.window_end, step.now),
        }
    }

    /// Whether it is kept to be looked at only.
    pub(super) fn is_shadow(&self) -> bool {
        self.due_at.is_none() && self.delivered_at.is_none() && self.error_kind.is_empty()
    }

    pub(super) fn revision(&self) -> u32 {
        self.revision
    }

    pub(super) fn is_of(&self, series: &Series) -> bool {
        self.length_s == series.length_s
    }

    pub(super) fn status(&self) -> Result<MessageStatus, Fault> {
        Ok(MessageStatus {
            signal: serde_json::from_value(self.signal.clone().into())?,
            transition: serde_json::from_value(self.transition.clone().into())?,
            channel: self.channel.clone(),
            status: MessageStatus::status(self.due_at.is_some(), self.delivered_at.is_some(), &self.error_kind),
        })
    }

    pub(super) fn message(&self, scope: &Scope) -> Result<MessageRecord, Fault> {
        Ok(MessageRecord {
            key: self.key(scope)?,
            status: self.status()?.status,
            created_at: self.created_at,
            delivered_at: self.delivered_at,
            attempts: self.attempts,
            error_kind: self.error_kind.clone(),
        })
    }

    pub(super) fn key(&self, scope: &Scope) -> Result<MessageKey, Fault> {
        Ok(MessageKey {
            scope: scope.clone(),
            length_s: self.length_s,
            signal: serde_json::from_value(self.signal.clone().into())?,
            window_end: self.window_end,
            revision: self.revision,
            transition: serde_json::from_value(self.transition.clone().into())?,
            channel: self.channel.clone(),
        })
    }

    /// The message as the holder of the latest claim has it; `last_attempt` is how the one before ended.
    pub(super) fn claim(&self, scope: &Scope, last_attempt: LastAttempt) -> Result<Claim, Fault> {
        Ok(Claim {
            key: self.key(scope)?,
            payload: serde_json::from_str(&self.payload)?,
            payload_version: self.payload_version,
            attempt: self.attempts,
            last_attempt,
            created_at: self.created_at,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SilenceDocument {
    version: i64,
    signal: String,
    #[serde(with = "timestamp")]
    created_at: DateTime<Utc>,
    #[serde(with = "timestamp")]
    until: DateTime<Utc>,
    reason: String,
    #[serde(with = "timestamp")]
    expire_at: DateTime<Utc>,
}

impl Stored for SilenceDocument {
    const VERSION: i64 = VERSION;
}

impl SilenceDocument {
    pub(super) fn new(silence: &Silence) -> Self {
        let Silence { signal, created_at, until, reason, .. } = silence;
        Self {
            version: VERSION,
            signal: signal.to_string(),
            created_at: to_micros(*created_at),
            until: to_micros(*until),
            reason: reason.clone(),
            expire_at: expiry(*until, *created_at),
        }
    }

    pub(super) fn silence(&self, scope: &Scope) -> Result<Silence, Fault> {
        Ok(Silence {
            scope: scope.clone(),
            signal: serde_json::from_value(self.signal.clone().into())?,
            created_at: self.created_at,
            until: self.until,
            reason: self.reason.clone(),
        })
    }
}

fn supported(version: i64, known: i64) -> Result<(), Fault> {
    if version > known {
        let what = format!("a document is of version {version}, newer than this drift-check (version {known})");
        return Err(Fault::new(FaultKind::Newer, what));
    }
    Ok(())
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::new(FaultKind::Damaged, format!("a document cannot be read: {error}"))
    }
}

/// Parts as one document id: different parts never give the same id, and every part stays readable.
pub(super) fn id(parts: &[&str]) -> String {
    let escaped = parts.iter().map(|part| {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        part.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect::<String>()
    });
    escaped.collect::<Vec<_>>().join("~")
}

/// A moment as a part of a document's id.
pub(super) fn moment(moment: DateTime<Utc>) -> String {
    to_micros(moment).to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The condition of a write: that the document is as it was read, or as absent.
pub(super) fn unchanged(read: Option<&FirestoreDocument>) -> Result<FirestoreWritePrecondition, Fault> {
    let Some(document) = read else { return Ok(FirestoreWritePrecondition::Exists(false)) };
    let written = document.update_time.ok_or_else(|| Fault::new(FaultKind::Damaged, "a document has no update time"))?;
    Ok(FirestoreWritePrecondition::UpdateTime(timestamp_utils::from_timestamp(written)?))
}

/// `serde(with)` for a moment that Firestore holds as a timestamp.
pub(super) mod timestamp {
    use chrono::{DateTime, Utc};
    use firestore::{FirestoreInstant, FirestoreTimestamp};
    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(moment: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
        let instant = FirestoreInstant::from_microsecond(moment.timestamp_micros()).map_err(S::Error::custom)?;
        FirestoreTimestamp(instant).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
        let FirestoreTimestamp(instant) = FirestoreTimestamp::deserialize(deserializer)?;
        let moment = DateTime::from_timestamp_micros(instant.as_microsecond());
        moment.ok_or_else(|| D::Error::custom("a timestamp is out of range"))
    }
}

/// `serde(with)` for a timestamp that may be absent.
mod optional_timestamp {
    use chrono::{DateTime, Utc};
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde calls it so")]
    pub(super) fn serialize<S: Serializer>(moment: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
        match moment {
            Some(moment) => super::timestamp::serialize(moment, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
        #[derive(Deserialize)]
        struct Present(#[serde(with = "super::timestamp")] DateTime<Utc>);
        Ok(Option::<Present>::deserialize(deserializer)?.map(|Present(moment)| moment))
    }
}

/// A moment as a value to compare with.
pub(super) fn comparable(moment: DateTime<Utc>) -> Result<firestore::FirestoreValue, Fault> {
    let instant = firestore::FirestoreInstant::from_microsecond(moment.timestamp_micros());
    let instant = instant.map_err(|error| Fault::new(FaultKind::Other, format!("{moment} is no time of Firestore's: {error}")))?;
    Ok(firestore::FirestoreTimestamp(instant).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_readable_and_never_meet() {
        assert_eq!(id(&["ct-scan", "prod", "86400"]), "ct-scan~prod~86400");
        assert_eq!(id(&["a/b", "~", "ä"]), "a%2Fb~%7E~%C3%A4");
        assert_ne!(id(&["a", "b~c"]), id(&["a~b", "c"]));
        assert_eq!(moment(DateTime::from_timestamp(1_769_882_400, 5_999).unwrap()), "2026-01-31T18:00:00.000005Z");
    }

    #[test]
    fn a_document_of_a_newer_version_is_refused() {
        assert_eq!(supported(VERSION + 1, VERSION).unwrap_err().kind, FaultKind::Newer);
        assert!(supported(VERSION, VERSION).is_ok());
    }
}
