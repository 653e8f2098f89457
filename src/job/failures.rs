//! What fails while a run goes on: it is kept, told and becomes the exit code in the end.

use super::notify::Untold;
use crate::bucket::BucketError;
use crate::error::{ExitCode, JobError, with_causes};
use crate::store::StoreError;
use crate::store::feedback::FeedbackError;

/// What failed while the rest of the run went on; the first of each kind.
#[derive(Default)]
pub struct Failures {
    pub store: Option<StoreError>,
    pub feedback: Option<FeedbackError>,
    /// Of `latest.*`, which a newer program wrote.
    pub latest: Option<JobError>,
    pub copy: Option<BucketError>,
    /// Of the report with what became of its messages; the one without stands.
    pub again: Option<JobError>,
    pub untold: Untold,
}

impl Failures {
    /// Keeps a value, or the first error.
    pub fn keep<T>(&mut self, result: Result<T, StoreError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.store.get_or_insert(error);
                None
            }
        }
    }

    /// Says what could not be done although the report was published.
    pub fn tell(&self) {
        if let Some(error) = &self.store {
            tracing::error!("The state store failed, so signals and trend were not kept: {}", with_causes(error));
        }
        if let Some(error) = &self.feedback {
            tracing::error!("The feedback could not be read, so what it tells is not known: {}", with_causes(error));
        }
        if let Some(error) = &self.latest {
            tracing::error!("The report was published, but not as the latest: {}", with_causes(error));
        }
        if let Some(error) = &self.copy {
            tracing::error!("The report was published, but not copied to report.path: {}", with_causes(error));
        }
        if let Some(error) = &self.again {
            tracing::error!("The report was published, but not what became of its messages: {}", with_causes(error));
        }
        for failure in &self.untold.kept {
            tracing::error!("A message could not be delivered, and is tried again by the next run: {failure}");
        }
        for failure in &self.untold.lost {
            tracing::error!("A message could not be delivered, and is not tried again: {failure}");
        }
    }

    pub fn exit_code(&self) -> Option<ExitCode> {
        let Self { store, feedback, latest, copy, again, .. } = self;
        if store.is_some() || feedback.is_some() || latest.is_some() || copy.is_some() || again.is_some() {
            return Some(ExitCode::StorageFailed);
        }
        (!self.untold.kept.is_empty() || !self.untold.lost.is_empty()).then_some(ExitCode::Undelivered)
    }
}
