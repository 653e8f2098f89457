//! What a storage service can do instead of what was asked, and what to do about it. Knows no vendor.

use std::fmt;
use std::time::Duration;

use crate::retry::Transient;

/// The kinds of failure that somebody acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// There is no such object, or no such generation of it any more.
    NoObject,
    NoBucket,
    /// The object is not of the generation that the write was to replace.
    Precondition,
    /// The service knows who asks and says no, or does not accept the credentials.
    Refused,
    /// There are no credentials, or none that can be used.
    Credentials {
        transient: bool,
    },
    /// The service cannot answer now: 408, 429, 5xx.
    Busy,
    /// No connection, or one that broke.
    Unreachable,
    /// No answer in time.
    Silent,
    /// The bytes that arrived are not those that were stored.
    Corrupt,
    /// An answer that makes no sense.
    Unexpected,
}

/// A failed call, with what was asked and the remedy.
#[derive(Debug)]
pub struct ServiceError {
    pub action: &'static str,
    /// Of the object, or of the prefix.
    pub uri: String,
    pub fault: Fault,
    /// What happened: a fragment without a full stop.
    pub detail: String,
    /// What to do; may be empty.
    pub remedy: String,
    pub retry_after: Option<Duration>,
    pub tries: u32,
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.action, self.uri, self.detail)?;
        if self.tries > 1 {
            write!(f, " ({} tries)", self.tries)?;
        }
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}

impl std::error::Error for ServiceError {}

impl Transient for ServiceError {
    fn retryable(&self) -> bool {
        match self.fault {
            Fault::Busy | Fault::Unreachable | Fault::Silent => true,
            Fault::Credentials { transient } => transient,
            Fault::NoObject | Fault::NoBucket | Fault::Precondition | Fault::Refused | Fault::Corrupt | Fault::Unexpected => false,
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    fn tried(self, times: u32) -> Self {
        Self { tries: times, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_says_what_where_why_and_what_to_do() {
        let error = ServiceError {
            action: "list",
            uri: "gs://logs/predictions/".to_owned(),
            fault: Fault::Busy,
            detail: "the service answered 503".to_owned(),
            remedy: "try again later".to_owned(),
            retry_after: None,
            tries: 1,
        };
        assert_eq!(error.to_string(), "cannot list gs://logs/predictions/: the service answered 503; try again later");
        assert!(error.retryable());
        assert!(error.tried(3).to_string().contains("503 (3 tries); try"));
    }
}
