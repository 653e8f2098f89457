//! Where rows go: the counts of a window, or a profile in the making.

use std::sync::Arc;

use rayon::prelude::*;

use super::decode::{Batch, Column, MISSING_CLUSTER};
use crate::feature::FeatureName;
use crate::profile::builder::ProfileBuilder;
use crate::profile::dependence::Ranks;
use crate::profile::joint::Scores;
use crate::profile::placed::{CellTable, Placed};
use crate::profile::recent::{Recent, RecentRow};
use crate::profile::{FeatureProfile, ReferenceProfile, WindowCounts};

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
    profile: Arc<ReferenceProfile>,
    /// Of every feature.
    tables: Arc<Vec<CellTable>>,
    /// The features whose relations are counted.
    joint: Arc<Vec<usize>>,
    /// Whether rows without a timestamp are in time order as they stand.
    in_time_order: bool,
    pub counts: WindowCounts,
    /// Which requested column's newest values are kept.
    recent_column: Option<usize>,
    pub recent: Recent,
}

impl Counter {
    pub fn new(profile: Arc<ReferenceProfile>) -> Self {
        let counts = profile.empty_counts();
        let joint = Arc::new(profile.joint_positions());
        let table =
            |(position, (_, feature)): (usize, &(FeatureName, FeatureProfile))| CellTable::of(feature, joint.contains(&position));
        let tables = Arc::new(profile.features.par_iter().enumerate().map(table).collect());
        Self { profile, tables, joint, in_time_order: false, counts, recent_column: None, recent: Recent::default() }
    }

    /// Takes the order of the rows in the objects for that of time.
    #[must_use]
    pub fn in_time_order(self) -> Self {
        Self { in_time_order: true, ..self }
    }

    /// Keeps the newest values of one requested column, at most `capacity`.
    #[must_use]
    pub fn with_recent(self, column: usize, capacity: usize) -> Self {
        Self { recent_column: Some(column), recent: Recent::new(capacity), ..self }
    }
}

impl Sink for Counter {
    fn update(&mut self, batch: &Batch) {
        if let Some(column) = self.recent_column {
            keep_recent(&mut self.recent, batch, column);
        }
        let sides = self.profile.features.par_iter().zip(self.tables.par_iter()).zip(&batch.columns);
        let features = self.counts.features.par_iter_mut().zip(sides);
        let placed: Vec<Placed> = features
            .map(|(counts, (((_, profile), table), column))| counts.update_placed(profile, column.as_batch(batch.rows), table))
            .collect();
        let scores: Vec<&Scores> =
            self.joint.iter().filter_map(|feature| placed.get(*feature)).map(|placed| &placed.scores).collect();
        self.counts.joint.add(&scores);
        let ranks: Vec<Ranks> = placed.into_iter().map(|placed| placed.ranks).collect();
        match &batch.clusters {
            Some(clusters) => {
                let clusters: Vec<Option<u64>> =
                    clusters.iter().map(|hash| Some(*hash).filter(|hash| *hash != MISSING_CLUSTER)).collect();
                self.counts.dependence.add_clustered(&clusters, &ranks);
            }
            None if self.in_time_order || !batch.timestamps_us.is_empty() => {
                let mut order: Vec<usize> = (0..batch.rows).collect();
                // Stable: rows of one moment keep the order of the object.
                order.sort_by_key(|row| batch.timestamps_us.get(*row));
                self.counts.dependence.add_in_time_order(&order, &ranks);
            }
            None => {}
        }
    }

    fn merge(&mut self, other: Self) {
        self.counts.merge(&other.counts);
        self.recent.merge(&other.recent);
    }
}

/// The newest values of the first requested column, and nothing else.
impl Sink for Recent {
    fn update(&mut self, batch: &Batch) {
        keep_recent(self, batch, 0);
    }

    fn merge(&mut self, other: Self) {
        Self::merge(self, &other);
    }
}

/// Keeps the finite values of a numeric column. Rows without a time are not newer or older than any other: none is kept.
fn keep_recent(recent: &mut Recent, batch: &Batch, column: usize) {
    let Some(Column::Numeric(values)) = batch.columns.get(column) else { return };
    let group = |row: usize| batch.clusters.as_ref().and_then(|clusters| clusters.get(row)).copied().unwrap_or(MISSING_CLUSTER);
    for (row, (value, moment_us)) in values.iter().zip(&batch.timestamps_us).enumerate() {
        if value.is_finite() {
            recent.push(RecentRow { moment_us: *moment_us, value: *value, group: group(row) });
        }
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
