//! The users' feedback on predictions: how many were right in a period of time. Reads what the service writes, and writes nothing.
//!
//! The service keeps one row a feedback, in the Firestore collection `feedback` or in a SQLite table of that name: `timestamp` (text, ISO
//! 8601), `predicted_class`, `predicted_confidence`, `is_correct` and more. A row is labelled when `is_correct` says yes or no.
//!
//! **Time.** Firestore compares the timestamps as text, so what is asked must come out right for every spelling of one moment in UTC. The
//! bounds are therefore whole seconds, rounded down, and written without fraction and offset, `2026-01-31T18:00:00`: every spelling of
//! that second or a later one (`…:00Z`, `…:00+00:00`, `…:00.123456+00:00`, `…:00`) begins with it or sorts after it, every earlier one
//! before it. Half-open periods that follow one another stay free of gaps and overlaps. A time without an offset counts as UTC.
//! Spellings that do not sort like time (another offset than UTC, a blank in place of the `T`) are not guessed at: Firestore's first and
//! last row of the period and the newest row of all are looked at, and a foreign spelling is an error. SQLite computes with the
//! offset, so there any of them is right.

use std::path::Path;

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};
use thiserror::Error;

use super::firestore::{FirestoreError, FirestoreFeedback};
use super::sqlite::SqliteFeedback;
use super::{FirestoreSettings, blocking};

/// Why the feedback could not be read. None of these says anything about the model.
#[derive(Debug, Error)]
pub enum FeedbackError {
    #[error("there is no feedback database at `{path}`: check feedback.path or FEEDBACK_DB")]
    NoFile { path: String },
    #[error(
        "the database `{path}` has no table `feedback` with the columns timestamp, is_correct and predicted_confidence: check feedback.path or FEEDBACK_DB"
    )]
    NoTable { path: String, source: rusqlite::Error },
    #[error("cannot read the feedback in `{path}`")]
    Sqlite { path: String, source: rusqlite::Error },
    #[error(
        "the feedback has the timestamp `{found}`, which cannot be compared as text: write UTC as 2026-01-31T18:00:00Z or 2026-01-31T18:00:00.123456+00:00"
    )]
    Timestamp { found: String },
    #[error(transparent)]
    Firestore(#[from] Box<FirestoreError>),
}

/// A period of time, `[start, end)`, in whole seconds: fractions are cut off both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
}

impl Period {
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        Self { start: start.trunc_subsecs(0), end: end.trunc_subsecs(0) }
    }

    /// Both ends in seconds since 1970.
    pub(super) fn seconds(self) -> [i64; 2] {
        [self.start.timestamp(), self.end.timestamp()]
    }

    /// Both ends as texts that sort among timestamps like time.
    pub(super) fn texts(self) -> [String; 2] {
        [self.start, self.end].map(|moment| moment.to_rfc3339_opts(SecondsFormat::Secs, true).trim_end_matches('Z').to_owned())
    }
}

/// How much of the feedback of a period says that the model was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedbackCounts {
    /// Rows whose `is_correct` is yes or no.
    pub labelled: u64,
    /// Of these, the ones with yes.
    pub correct: u64,
}

/// A document of feedback with its image statistics and its index entries takes about as much.
const BYTES_OF_A_DOCUMENT: u64 = 1_024;

/// Where the feedback is.
#[derive(Clone, Debug)]
pub enum FeedbackSource {
    Sqlite(SqliteFeedback),
    Firestore(FirestoreFeedback),
}

impl FeedbackSource {
    /// The service's SQLite database. Nothing is opened yet.
    pub fn sqlite(path: impl AsRef<Path>) -> Self {
        Self::Sqlite(SqliteFeedback::new(path.as_ref().display().to_string()))
    }

    /// The service's collection.
    pub async fn firestore(settings: FirestoreSettings, collection: String) -> Result<Self, FeedbackError> {
        Ok(Self::Firestore(FirestoreFeedback::connect(settings, collection).await?))
    }

    /// Counts the feedback of a period where it lies, without fetching it.
    pub async fn counts(&self, period: Period) -> Result<FeedbackCounts, FeedbackError> {
        match self {
            Self::Sqlite(feedback) => {
                let feedback = feedback.clone();
                blocking(move || feedback.counts(period)).await
            }
            Self::Firestore(feedback) => feedback.counts(period).await,
        }
    }

    /// How much room the feedback takes in bytes: the size of the SQLite file; for Firestore an estimate, [`BYTES_OF_A_DOCUMENT`] a document.
    pub async fn size_bytes(&self) -> Result<u64, FeedbackError> {
        match self {
            Self::Sqlite(feedback) => {
                let feedback = feedback.clone();
                blocking(move || feedback.size_bytes()).await
            }
            Self::Firestore(feedback) => Ok(feedback.documents().await?.saturating_mul(BYTES_OF_A_DOCUMENT)),
        }
    }

    /// The mean `predicted_confidence` of the rows of a period that have one, labelled or not; `None` without any.
    ///
    /// Asked for apart from the counts: in Firestore it needs an index of its own, without which the counts still can be had.
    pub async fn mean_confidence(&self, period: Period) -> Result<Option<f64>, FeedbackError> {
        match self {
            Self::Sqlite(feedback) => {
                let feedback = feedback.clone();
                blocking(move || feedback.mean_confidence(period)).await
            }
            Self::Firestore(feedback) => feedback.mean_confidence(period).await,
        }
    }
}

/// Whether a timestamp sorts as text like the moment that it names: `YYYY-MM-DDTHH:MM:SS`, a fraction or none, UTC or no offset.
pub(super) fn sorts_like_time(text: &str) -> bool {
    let Some((date_time, rest)) = text.split_at_checked("2026-01-31T18:00:00".len()) else { return false };
    let form = date_time.bytes().zip(*b"dddd-dd-ddTdd:dd:dd");
    if !form.into_iter().all(|(byte, form)| if form == b'd' { byte.is_ascii_digit() } else { byte == form }) {
        return false;
    }
    let fraction = rest.trim_end_matches("+00:00").trim_end_matches("-00:00").trim_end_matches('Z');
    let digits = fraction.strip_prefix('.').unwrap_or(fraction);
    digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits.len() < fraction.len() || digits.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_spellings_of_utc_sort_like_time() {
        for good in [
            "2026-01-31T18:00:00Z",
            "2026-01-31T18:00:00",
            "2026-01-31T18:00:00+00:00",
            "2026-01-31T18:00:00.123456+00:00",
            "2026-01-31T18:00:00.5Z",
            "2026-01-31T18:00:00.5",
        ] {
            assert!(sorts_like_time(good), "{good}");
        }
        for bad in [
            "",
            "2026-01-31",
            "2026-01-31 18:00:00",
            "2026-01-31T18:00:00+01:00",
            "2026-01-31T18:00:00 UTC",
            "2026-01-31T18:00:0012",
            "20260131T180000Z...",
            "1769882400",
            "2026-01-31T18:00:0é",
        ] {
            assert!(!sorts_like_time(bad), "{bad}");
        }
    }

    #[test]
    fn the_bounds_sort_before_every_spelling_of_their_second_and_after_every_earlier_one() {
        let start: DateTime<Utc> = "2026-01-31T18:00:00.250Z".parse().unwrap();
        let [bound, _] = Period::new(start, start).texts();
        for spelling in ["", "Z", "+00:00", ".000001+00:00", ".9Z", "-00:00"] {
            assert!(format!("2026-01-31T18:00:00{spelling}") >= bound, "{spelling}");
            assert!(format!("2026-01-31T17:59:59{spelling}") < bound, "{spelling}");
        }
    }
}
