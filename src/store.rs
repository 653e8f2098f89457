//! The state store: past runs, the states of signals, and the outbox of their messages.
//!
//! What every store guarantees: a run is recorded once per job, environment, length and end of its window, the newest record
//! counting; a signal has a state of its own in each of these series, which changes in a transaction, together with the messages that
//! follow from it, and the same window seen twice changes it once; a message is in one claimer's hands at a time ([`outbox`]). Runs, labels and promotions are kept
//! for 400 days, everything else for 90.

pub mod feedback;
pub mod firestore;
mod lifecycle;
pub mod outbox;
pub mod sqlite;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use thiserror::Error;

use crate::blocking::run as blocking;
use crate::decision::label::Label;
use crate::decision::signal::{Memory, Moved, PastSignal, Reading, Rules, SignalName, SignalState};
use crate::report::PastRun;
use firestore::{FirestoreError, FirestoreStore};
pub use lifecycle::to_micros;
use outbox::{Claim, ClaimRequest, Draft, MessageKey, MessageRecord, MessageStatus};
use sqlite::SqliteStore;

/// Why the store could not do what was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    #[error(
        "the state store `{path}` is of version {found}, newer than this drift-check (version {supported}): use the newer program, or another store.path"
    )]
    Newer { path: String, found: i64, supported: i64 },
    #[error("cannot {action} the state store `{path}`{}", sqlite::remedy(.source))]
    Sqlite { action: &'static str, path: String, source: rusqlite::Error },
    #[error("the state store `{path}` holds a record that cannot be read (move the file away, or set another store.path)")]
    Damaged { path: String, source: serde_json::Error },
    #[error(transparent)]
    Firestore(#[from] Box<FirestoreError>),
}

/// Where a Firestore database is, and how long it is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirestoreSettings {
    /// Empty: that of the credentials.
    pub project: String,
    /// `(default)`, or the name of a database.
    pub database: String,
    /// What the names of the collections begin with.
    pub collection_prefix: String,
    /// An emulator, `http://HOST:PORT`, which takes no credentials; `None` is Google's own service.
    pub endpoint: Option<String>,
    /// How long a run waits in all for calls that fail.
    pub timeout: Duration,
}

/// Whose messages are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    pub job: String,
    pub environment: String,
}

/// Which runs belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    pub job: String,
    pub environment: String,
    /// Of the window; 0 when the logs have no timestamp.
    pub length_s: i64,
}

impl Series {
    pub fn scope(&self) -> Scope {
        Scope { job: self.job.clone(), environment: self.environment.clone() }
    }
}

/// A run that ended.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    pub id: String,
    pub series: Series,
    pub trigger: String,
    pub started_at: DateTime<Utc>,
    pub finished_at: DateTime<Utc>,
    pub profile_id: String,
    pub config_digest: String,
    /// Empty for a window that was computed for the trend only.
    pub report_uri: String,
    pub outcome: PastRun,
    /// What its signals read; empty for a window that was computed for the trend only, and where an earlier program recorded the run.
    pub signals: BTreeMap<SignalName, PastSignal>,
}

/// What a signal read in a window.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub series: Series,
    pub name: SignalName,
    pub reading: Reading,
    pub rules: Rules,
    pub window_end: DateTime<Utc>,
    pub now: DateTime<Utc>,
}

/// Somebody's word that nobody is to be told of a signal for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    pub scope: Scope,
    pub signal: SignalName,
    pub created_at: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub reason: String,
}

/// A label, and who it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabelRecord {
    pub scope: Scope,
    pub label: Label,
    pub created_at: DateTime<Utc>,
    pub reason: String,
}

/// A signal as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalStanding {
    pub name: SignalName,
    /// The end of the last window that moved it.
    pub window_end: DateTime<Utc>,
    /// What was read in it.
    pub state: SignalState,
    /// What is remembered of it, if anything is.
    pub memory: Option<Memory>,
}

/// The word that a signal is to notify although its windows do not show yet that it is fit to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    pub scope: Scope,
    pub signal: SignalName,
    pub created_at: DateTime<Utc>,
    /// Why it was refused at first.
    pub refusal: String,
    pub reason: String,
}

/// A store of one of the supported kinds.
#[derive(Clone, Debug)]
pub enum StateStore {
    Sqlite(Arc<Mutex<SqliteStore>>),
    Firestore(FirestoreStore),
}

impl StateStore {
    /// Opens the embedded store, and creates it where it is missing. `patience` is how long is waited in all for others who hold the file.
    pub async fn sqlite(path: String, patience: Duration) -> Result<Self, StoreError> {
        Self::wrap(move || SqliteStore::open(&path, patience)).await
    }

    /// Opens the embedded store for reading only; an empty one in memory where it is missing.
    pub async fn sqlite_read_only(path: String, patience: Duration) -> Result<Self, StoreError> {
        Self::wrap(move || SqliteStore::open_read_only(&path, patience)).await
    }

    /// Connects to Firestore. Nothing is written: collections come into being with their first document.
    pub async fn firestore(settings: FirestoreSettings) -> Result<Self, StoreError> {
        Ok(Self::Firestore(FirestoreStore::connect(settings).await?))
    }

    async fn wrap(open: impl FnOnce() -> Result<SqliteStore, StoreError> + Send + 'static) -> Result<Self, StoreError> {
        Ok(Self::Sqlite(Arc::new(Mutex::new(blocking(open).await?))))
    }

    /// Records a run, over an earlier one of the same window.
    pub async fn record_run(&self, run: RunRecord) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.record_run(&run)).await,
            Self::Firestore(store) => store.record_run(&run).await,
        }
    }

    /// Writes a record in a transaction that leaves nothing behind, under a name of the caller's own.
    pub async fn probe(&self, scope: Scope, id: String, now: DateTime<Utc>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, SqliteStore::probe).await,
            Self::Firestore(store) => store.probe(&scope, &id, now).await,
        }
    }

    /// The newest runs of a series whose window ended before `before`, the oldest first, at most `limit`.
    pub async fn runs(&self, series: Series, before: DateTime<Utc>, limit: u32) -> Result<Vec<RunRecord>, StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.runs(&series, before, limit)).await,
            Self::Firestore(store) => store.runs(&series, before, limit).await,
        }
    }

    /// What came of these runs.
    pub async fn past_runs(&self, series: Series, before: DateTime<Utc>, limit: u32) -> Result<Vec<PastRun>, StoreError> {
        Ok(self.runs(series, before, limit).await?.into_iter().map(|run| run.outcome).collect())
    }

    /// The signals of a series that have moved and not expired, as they stand, in the order of their names.
    pub async fn signals(&self, series: Series, now: DateTime<Utc>) -> Result<Vec<SignalStanding>, StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.signals(&series, now)).await,
            Self::Firestore(store) => store.signals(&series, now).await,
        }
    }

    /// Moves a signal on by the reading of a window, and puts the messages that follow into the outbox: both or neither.
    ///
    /// The same window again gives the same answer and changes nothing more; an older window changes nothing. A message that exists
    /// already stays as it is, unless it was in shadow and is to be sent now. `messages` is called when something is to be told, perhaps
    /// more than once, and must give the same for the same move.
    pub async fn advance_signal(
        &self,
        step: Step,
        messages: impl Fn(&Moved) -> Vec<Draft> + Send + Sync + 'static,
    ) -> Result<Moved, StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.advance_signal(&step, &messages)).await,
            Self::Firestore(store) => store.advance_signal(&step, &messages).await,
        }
    }

    /// What [`Self::advance_signal`] would answer; nothing is written.
    pub async fn preview_signal(&self, step: Step) -> Result<Moved, StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.preview_signal(&step)).await,
            Self::Firestore(store) => store.preview_signal(&step).await,
        }
    }

    /// The messages about a window of a series, as they stand; those of later readings of the window last.
    pub async fn messages_about(&self, series: Series, window_end: DateTime<Utc>) -> Result<Vec<MessageStatus>, StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.messages_about(&series, window_end)).await,
            Self::Firestore(store) => store.messages_about(&series, window_end).await,
        }
    }

    /// The messages that are neither delivered nor in shadow nor expired, whoever holds them.
    pub async fn undelivered(&self, scope: Scope, now: DateTime<Utc>) -> Result<Vec<MessageKey>, StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.undelivered(&scope, now)).await,
            Self::Firestore(store) => store.undelivered(&scope, now).await,
        }
    }

    /// The newest messages, whatever has become of them: the newest first, at most `limit`.
    pub async fn messages(&self, scope: Scope, limit: u32) -> Result<Vec<MessageRecord>, StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.messages(&scope, limit)).await,
            Self::Firestore(store) => store.messages(&scope, limit).await,
        }
    }

    /// Records a silence; it stays on record when it is over.
    pub async fn silence(&self, silence: Silence) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.silence(&silence)).await,
            Self::Firestore(store) => store.silence(&silence).await,
        }
    }

    /// All silences on record, the newest first: those that are over too.
    pub async fn silences(&self, scope: Scope) -> Result<Vec<Silence>, StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.silences(&scope)).await,
            Self::Firestore(store) => store.silences(&scope).await,
        }
    }

    /// Records a label, over an earlier one of the same range and feature. Whether others contradict it is for the caller to see.
    pub async fn label(&self, record: LabelRecord) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.label(&record)).await,
            Self::Firestore(store) => store.label(&record).await,
        }
    }

    /// Forgets the label of just this range and feature; one that there is not is no error.
    pub async fn unlabel(&self, scope: Scope, label: Label) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.unlabel(&scope, &label)).await,
            Self::Firestore(store) => store.unlabel(&scope, &label).await,
        }
    }

    /// All labels on record, the earliest range first.
    pub async fn labels(&self, scope: Scope) -> Result<Vec<LabelRecord>, StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.labels(&scope)).await,
            Self::Firestore(store) => store.labels(&scope).await,
        }
    }

    /// Records a promotion.
    pub async fn promote(&self, promotion: Promotion) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.promote(&promotion)).await,
            Self::Firestore(store) => store.promote(&promotion).await,
        }
    }

    /// All promotions on record, the newest first.
    pub async fn promotions(&self, scope: Scope) -> Result<Vec<Promotion>, StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.promotions(&scope)).await,
            Self::Firestore(store) => store.promotions(&scope).await,
        }
    }

    /// Messages that are due, the longest due first, each given to one claimer only until the lease has run out. A message waits for earlier
    /// ones about its signal on its channel, so that nobody hears of an end before its beginning.
    ///
    /// When the store fails half-way, the messages that were claimed are returned: the failure shows in the next call.
    pub async fn claim_due(&self, request: ClaimRequest) -> Result<Vec<Claim>, StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.claim_due(&request)).await,
            Self::Firestore(store) => store.claim_due(&request).await,
        }
    }

    /// The message of a claim has been delivered: nobody gets it again, not even when the lease had run out meanwhile.
    pub async fn mark_delivered(&self, claim: Claim, now: DateTime<Utc>) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.mark_delivered(&claim, now)).await,
            Self::Firestore(store) => store.mark_delivered(&claim, now).await,
        }
    }

    /// The message of a claim is given up: it is never due again, and holds nothing up. `reason` is a word or two for people.
    pub async fn abandon(&self, claim: Claim, reason: String) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.abandon(&claim, &reason)).await,
            Self::Firestore(store) => store.abandon(&claim, &reason).await,
        }
    }

    /// The message of a claim could not be delivered: it is due again at `next_attempt`. `error_kind` is a word or two for people.
    ///
    /// Nothing changes when the message was delivered or claimed by another meanwhile.
    pub async fn mark_failed(&self, claim: Claim, next_attempt: DateTime<Utc>, error_kind: String) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => locked(store, move |store| store.mark_failed(&claim, next_attempt, &error_kind)).await,
            Self::Firestore(store) => store.mark_failed(&claim, next_attempt, &error_kind).await,
        }
    }
}

async fn locked<T: Send + 'static>(
    store: &Arc<Mutex<SqliteStore>>,
    work: impl FnOnce(&mut SqliteStore) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let store = Arc::clone(store);
    // A panic in another call leaves the connection as its last transaction left it.
    blocking(move || {
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        let began = Instant::now();
        let result = work(&mut store);
        if let Err(error) = &result {
            store.waited(began.elapsed(), error);
        }
        result
    })
    .await
}
