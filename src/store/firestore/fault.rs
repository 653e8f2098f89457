//! What can go wrong on the way to Firestore, what is worth another attempt, and what to do about the rest.

use std::fmt;
use std::time::Duration;

use thiserror::Error;

use crate::retry::Transient;
use crate::store::FirestoreSettings;

/// Why Firestore did not do what was asked.
#[derive(Debug, Error)]
#[error("cannot {action} Firestore ({place}): {what}; {remedy}")]
pub struct FirestoreError {
    action: &'static str,
    place: String,
    kind: FaultKind,
    what: String,
    remedy: String,
}

impl FirestoreError {
    /// Whether the same call may succeed later, without anything being changed by hand.
    pub fn retryable(&self) -> bool {
        matches!(self.kind, FaultKind::Transient | FaultKind::GaveUp)
    }

    pub(super) fn new(action: &'static str, settings: &FirestoreSettings, fault: Fault) -> Self {
        let FirestoreSettings { project, database, endpoint, .. } = settings;
        let emulator = endpoint.as_ref().map(|endpoint| format!(", at {endpoint}")).unwrap_or_default();
        Self {
            action,
            place: format!("project `{project}`, database `{database}`{emulator}"),
            remedy: remedy(fault.kind, settings),
            kind: fault.kind,
            what: fault.what,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FaultKind {
    /// Not there, not now, or not in time.
    Transient,
    /// Earlier calls have used up the time; this one was not tried.
    GaveUp,
    Denied,
    /// No project to look in.
    NoProject,
    /// No such database.
    Missing,
    /// The query needs an index that does not exist.
    Index,
    /// A condition on a write did not hold: somebody else was faster.
    Precondition,
    /// No credentials, or such as cannot be used.
    Credentials,
    /// A document of a newer drift-check.
    Newer,
    /// A document that cannot be read.
    Damaged,
    Other,
}

/// One attempt that failed.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    pub(super) what: String,
}

impl Fault {
    pub(super) fn new(kind: FaultKind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Firestore: {}", self.what)
    }
}

impl Transient for Fault {
    fn retryable(&self) -> bool {
        self.kind == FaultKind::Transient
    }

    /// gRPC has no such header.
    fn retry_after(&self) -> Option<Duration> {
        None
    }

    fn tried(self, times: u32) -> Self {
        if times > 1 { Self { what: format!("{} ({times} attempts)", self.what), ..self } } else { self }
    }
}

/// By the code of the answer. Every call of ours can be repeated without harm, so that an answer that got lost is no different from
/// one that never came.
impl From<firestore::errors::FirestoreError> for Fault {
    fn from(error: firestore::errors::FirestoreError) -> Self {
        use firestore::errors::FirestoreError as Vendor;
        match error {
            Vendor::DatabaseError(error) => Self::new(of_code(&error.public.code, &error.details), error.details),
            Vendor::DataNotFoundError(error) => Self::new(FaultKind::Missing, error.data_detail_message),
            Vendor::DataConflictError(error) => Self::new(FaultKind::Precondition, error.details),
            Vendor::NetworkError(error) => Self::new(FaultKind::Transient, error.message),
            Vendor::SystemError(error) => Self::new(of_system(&error.public.code), error.message),
            Vendor::SerializeError(error) | Vendor::DeserializeError(error) => Self::new(FaultKind::Damaged, error.message),
            other => Self::new(FaultKind::Other, other.to_string()),
        }
    }
}

fn of_code(code: &str, details: &str) -> FaultKind {
    match code {
        "PermissionDenied" => FaultKind::Denied,
        "Unauthenticated" => FaultKind::Credentials,
        "NotFound" => FaultKind::Missing,
        "FailedPrecondition" if details.contains("index") => FaultKind::Index,
        "FailedPrecondition" => FaultKind::Precondition,
        // The connection broke, in the words of gRPC and of the client.
        "Unavailable" | "Aborted" | "DeadlineExceeded" | "Cancelled" | "Internal" => FaultKind::Transient,
        "CONNECTION_CLOSED" | "CONNECTION_TIMEOUT" | "CONNECTION_ERROR" => FaultKind::Transient,
        "ResourceExhausted" => FaultKind::Transient,
        // What breaks inside HTTP/2 has no code of its own.
        "Unknown" if ["transport", "h2", "connection", "Hyper"].iter().any(|word| details.contains(word)) => FaultKind::Transient,
        _ => FaultKind::Other,
    }
}

/// What fails before Firestore is asked: the connection, or the credentials.
fn of_system(code: &str) -> FaultKind {
    match code {
        code if code.starts_with("GrpcStatus") => FaultKind::Transient,
        code if code.starts_with("Credentials") || code.starts_with("CryptoProvider") => FaultKind::Credentials,
        _ => FaultKind::Other,
    }
}

fn remedy(kind: FaultKind, settings: &FirestoreSettings) -> String {
    let FirestoreSettings { project, database, .. } = settings;
    match kind {
        FaultKind::Transient | FaultKind::GaveUp => "a rerun completes what is missing".to_owned(),
        FaultKind::Denied => format!(
            "grant the job's service account access: gcloud projects add-iam-policy-binding {project} --member=serviceAccount:ACCOUNT \
             --role=roles/datastore.user"
        ),
        FaultKind::NoProject => "set store.project or GCP_PROJECT_ID".to_owned(),
        FaultKind::Missing => format!(
            "check store.project and store.database, or create the database: gcloud firestore databases create --project={project} \
             --database='{database}' --location=LOCATION --type=firestore-native"
        ),
        FaultKind::Index => {
            // Only the feedback is asked for by more than one field.
            let create = |first: &str, second: &str| {
                format!(
                    "gcloud firestore indexes composite create --project={project} --database='{database}' --collection-group=feedback \
                     --field-config=field-path={first} --field-config=field-path={second}"
                )
            };
            let correct = create("is_correct,order=ascending", "timestamp,order=descending");
            let confidence = create("timestamp,order=descending", "predicted_confidence,order=descending");
            format!("create the indexes of the feedback: {correct}; {confidence}")
        }
        FaultKind::Precondition => {
            "another run changed the same document at the same time; a rerun completes what is missing".to_owned()
        }
        FaultKind::Credentials => "attach a service account to the job, or run: gcloud auth application-default login".to_owned(),
        FaultKind::Newer => "use the newer drift-check, or another store.collection_prefix".to_owned(),
        FaultKind::Damaged => "delete the document, or use another store.collection_prefix".to_owned(),
        FaultKind::Other => "check store.project, store.database and store.endpoint".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_pass_by_itself_is_tried_again() {
        for code in ["Unavailable", "Aborted", "DeadlineExceeded", "CONNECTION_CLOSED"] {
            assert_eq!(of_code(code, ""), FaultKind::Transient, "{code}");
        }
        for code in
            ["PermissionDenied", "Unauthenticated", "InvalidArgument", "NotFound", "FailedPrecondition", "OutOfRange", "Unknown"]
        {
            assert_ne!(of_code(code, ""), FaultKind::Transient, "{code}");
        }
        assert_eq!(of_code("FailedPrecondition", "The query requires an index."), FaultKind::Index);
    }

    #[test]
    fn an_error_names_project_database_attempt_and_remedy() {
        let settings = FirestoreSettings {
            project: "p-1".to_owned(),
            database: "(default)".to_owned(),
            collection_prefix: "drift-check".to_owned(),
            endpoint: None,
            timeout: std::time::Duration::from_secs(1),
        };
        let told = |kind| FirestoreError::new("record the run in", &settings, Fault::new(kind, "answer")).to_string();
        let denied = told(FaultKind::Denied);
        for part in ["record the run in", "`p-1`", "`(default)`", "answer", "roles/datastore.user"] {
            assert!(denied.contains(part), "{denied}");
        }
        assert!(told(FaultKind::Missing).contains("gcloud firestore databases create --project=p-1 --database='(default)'"));
        let index = told(FaultKind::Index);
        for part in [
            "gcloud firestore indexes composite create --project=p-1 --database='(default)' --collection-group=feedback",
            "--field-config=field-path=is_correct,order=ascending --field-config=field-path=timestamp,order=descending",
            "--field-config=field-path=timestamp,order=descending --field-config=field-path=predicted_confidence,order=descending",
        ] {
            assert!(index.contains(part), "{index}");
        }
    }
}
