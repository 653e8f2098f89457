//! The one way to Firestore: connects, limits the time, tries again.

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use firestore::gcloud_sdk::GoogleEnvironment;
use firestore::{FirestoreDb, FirestoreDbOptions};

use super::fault::{Fault, FaultKind, FirestoreError};
use crate::credentials::{DATASTORE, Identity};
use crate::retry::{self, Policy};
use crate::store::FirestoreSettings;

/// Before the second attempt; doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A connection, and the patience that is left with it.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) db: FirestoreDb,
    settings: Arc<FirestoreSettings>,
    patience: Patience,
}

/// How long a run still waits for calls that fail. Shared by all calls: a Firestore that hangs must not hang the run once a call.
#[derive(Clone, Debug)]
struct Patience(Arc<Mutex<Duration>>);

impl Patience {
    fn left(&self) -> Duration {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spend(&self, spent: Duration) {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left.saturating_sub(spent);
    }
}

impl Client {
    pub(super) async fn connect(mut settings: FirestoreSettings) -> Result<Self, Box<FirestoreError>> {
        let patience = Patience(Arc::new(Mutex::new(settings.timeout)));
        if settings.project.is_empty() {
            settings.project = limited(&settings, &patience, "find the project of", project).await?;
        }
        let settings = Arc::new(settings);
        let db = limited(&settings, &patience, "connect to", || open(&settings)).await?;
        Ok(Self { db, settings, patience })
    }

    pub(super) fn prefix(&self) -> &str {
        &self.settings.collection_prefix
    }

    /// Makes a call of some attempts, all of them within the time that is left. The call must not mind being repeated.
    pub(super) async fn call<T, Answer>(&self, action: &'static str, attempt: impl Fn() -> Answer) -> Result<T, Box<FirestoreError>>
    where
        Answer: Future<Output = Result<T, Fault>>,
    {
        limited(&self.settings, &self.patience, action, attempt).await
    }

    pub(super) fn error(&self, action: &'static str, fault: Fault) -> FirestoreError {
        FirestoreError::new(action, &self.settings, fault)
    }
}

/// The project that the job runs in: of the environment, of the credentials, or of the machine.
async fn project() -> Result<String, Fault> {
    let found = GoogleEnvironment::detect_google_project_id().await;
    found.ok_or_else(|| Fault::new(FaultKind::NoProject, "no project is configured, and none can be told from the credentials"))
}

/// The only place where a client is made, and where it gets its credentials: none for an emulator, otherwise Application Default
/// Credentials, the same as the bucket's.
async fn open(settings: &FirestoreSettings) -> Result<FirestoreDb, Fault> {
    let mut options = FirestoreDbOptions::new(settings.project.clone())
        .with_database_id(settings.database.clone())
        // The retries are ours; theirs know no end in time.
        .with_max_retries(0)
        // So that one lost connection does not take all the time.
        .with_request_timeout(settings.timeout / 3);
    let identity = if settings.endpoint.is_some() { Identity::Anonymous } else { Identity::find() };
    if let Some(endpoint) = &settings.endpoint {
        options = options.with_firebase_api_url(endpoint.clone());
    }
    let credentials = identity
        .credentials(DATASTORE)
        .map_err(|error| Fault::new(FaultKind::Credentials, format!("tried {identity}: {error}; {}", identity.remedy())))?;
    Ok(FirestoreDb::with_options_auth(options, credentials).await?)
}

async fn limited<T, Answer>(
    settings: &FirestoreSettings,
    patience: &Patience,
    action: &'static str,
    attempt: impl Fn() -> Answer,
) -> Result<T, Box<FirestoreError>>
where
    Answer: Future<Output = Result<T, Fault>>,
{
    let fail = |fault| Err(Box::new(FirestoreError::new(action, settings, fault)));
    let given = patience.left();
    if given.is_zero() {
        let waited = format!("not tried, because earlier calls have failed for {:?} in all (store.timeout)", settings.timeout);
        return fail(Fault::new(FaultKind::GaveUp, waited));
    }
    let started = Instant::now();
    // Short pauses: what is contended is free again soon, and the run waits.
    let policy = Policy { patience: given, first_pause: FIRST_PAUSE, longest_pause: LONGEST_PAUSE };
    let fault = match tokio::time::timeout(given, retry::run(policy, attempt)).await {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(fault)) => fault,
        Err(_) => Fault::new(FaultKind::Transient, format!("no answer within {given:?} (store.timeout)")),
    };
    patience.spend(started.elapsed());
    fail(fault)
}
