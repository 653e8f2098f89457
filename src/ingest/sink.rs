//! Where rows go: the counts of a window, or a profile in the making.

use std::sync::Arc;

use rayon::prelude::*;

use super::decode::Batch;
use crate::profile::builder::ProfileBuilder;
use crate::profile::{ReferenceProfile, WindowCounts};

/// Takes batches of rows; parts that took different rows merge.
pub trait Sink: Clone + Send + Sync + 'static {
    /// Takes the rows of one batch.
    fn update(&mut self, batch: &Batch);

    /// Takes the rows of another sink of the same kind.
    fn merge(&mut self, other: Self);
}

/// Counts over a profile's features; all features in parallel.
#[derive(Clone, Debug)]
pub struct Counter {
    pub profile: Arc<ReferenceProfile>,
    pub counts: WindowCounts,
}

impl Counter {
    pub fn new(profile: Arc<ReferenceProfile>) -> Self {
        let counts = profile.empty_counts();
        Self { profile, counts }
    }
}

impl Sink for Counter {
    fn update(&mut self, batch: &Batch) {
        let features = self.counts.features.par_iter_mut().zip(&self.profile.features).zip(&batch.columns);
        features.for_each(|((counts, (_, profile)), column)| counts.update(profile, column.as_batch(batch.rows)));
    }

    fn merge(&mut self, other: Self) {
        self.counts.merge(&other.counts);
    }
}

impl Sink for ProfileBuilder {
    fn update(&mut self, batch: &Batch) {
        Self::update(self, batch.as_batches());
    }

    fn merge(&mut self, other: Self) {
        Self::merge(self, other);
    }
}

/// Takes nothing: for reading the account alone.
#[derive(Clone, Copy, Debug)]
pub struct Discard;

impl Sink for Discard {
    fn update(&mut self, _: &Batch) {}

    fn merge(&mut self, Self: Self) {}
}
