//! Where rows go: the counts of a window, or a profile in the making.

pub mod groups;
pub mod hours;
pub mod shifted;
pub mod windows;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::HOUR_US;
use super::decode::{Batch, Column, DecodeFault, MISSING_CLUSTER};
use super::work::Work;
use crate::feature::{ColumnBatch, FeatureName};
use crate::parallel::{columns_a_task, threads};
use crate::profile::builder::ProfileBuilder;
use crate::profile::dependence::{Dependence, Order, Ranks};
use crate::profile::joint::{CrossProducts, ScoreTable};
use crate::profile::ranks::RankTable;
use crate::profile::recent::{Recent, RecentRow};
use crate::profile::table::FeatureTable;
use crate::profile::{FeatureCounts, FeatureProfile, ReferenceProfile, WindowCounts};

/// Takes batches of rows; parts that took different rows merge.
pub trait Sink: Clone + Send + Sync + 'static {
    /// Whether an object is never counted together with others.
    const IS_APART: bool = false;

    /// Takes the rows of one batch.
    ///
    /// # Errors
    /// When a column turns out to be damaged; then nothing that was taken of its object is to be used.
    fn update(&mut self, batch: &Batch) -> Result<(), DecodeFault>;

    /// Tells of the time that is spent.
    fn watch(&mut self, _: &Arc<Work>) {}

    /// Ends an object: the rows that come next are not neighbours of those before.
    fn close(&mut self) {}

    /// Whether the rows that were taken count the same in any other cut into batches.
    fn is_exact(&self) -> bool {
        true
    }

    /// Takes the rows of another sink of the same kind, which is closed.
    fn merge(&mut self, other: Self);

    /// Takes the rows of an object of a single batch, which is decoded.
    fn take_whole(&mut self, batch: &Batch) {
        // Only what is still to be decoded can turn out to be damaged.
        let taken = self.update(batch);
        debug_assert!(taken.is_ok());
        self.close();
    }
}

/// Counts over a profile's features; all features in parallel.
#[derive(Clone, Debug)]
pub struct Counter {
    profile: Arc<ReferenceProfile>,
    tables: Arc<Tables>,
    /// The features whose relations are counted.
    joint: Arc<[usize]>,
    /// Whether rows without a timestamp are in time order as they stand.
    in_time_order: bool,
    pub counts: WindowCounts,
    /// Which requested column's newest values are kept.
    recent_column: Option<usize>,
    pub recent: Recent,
    /// Whether that column, where it is no feature, never was of another type.
    is_recent_numeric: bool,
    work: Arc<Work>,
}

/// A feature of the profile with its table, and its column in a batch with its position.
type Side<'a> = ((&'a (FeatureName, FeatureProfile), &'a FeatureTable), (usize, &'a Column));

/// What the counting of a profile's features needs.
#[derive(Debug)]
struct Tables {
    features: Vec<FeatureTable>,
    scores: ScoreTable,
}

impl Counter {
    pub fn new(profile: Arc<ReferenceProfile>) -> Self {
        let counts = profile.empty_counts();
        let features = profile.features.par_iter().map(|(_, feature)| FeatureTable::of(feature)).collect();
        let tables = Arc::new(Tables { features, scores: ScoreTable::new() });
        Self {
            joint: profile.joint_positions().into(),
            profile,
            tables,
            in_time_order: false,
            counts,
            recent_column: None,
            recent: Recent::default(),
            is_recent_numeric: true,
            work: Arc::default(),
        }
    }

    pub fn profile(&self) -> &Arc<ReferenceProfile> {
        &self.profile
    }

    /// Which requested column's newest values are kept.
    pub fn recent_column(&self) -> Option<usize> {
        self.recent_column
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

    /// The same for every feature by itself: without relations, and without newest values. Of no row yet.
    #[must_use]
    pub fn marginal(self) -> Self {
        let counts = WindowCounts { joint: CrossProducts::new(0), ..self.counts };
        Self { joint: Arc::default(), counts, recent_column: None, recent: Recent::default(), ..self }
    }

    /// Counts every feature's column; the rank of each of its rows.
    fn count(&mut self, batch: &Batch) -> Result<Vec<Ranks>, DecodeFault> {
        let recent_column = self.recent_column;
        let recent = Mutex::new(&mut self.recent);
        let sides = self.profile.features.par_iter().zip(self.tables.features.par_iter()).zip(batch.columns.par_iter().enumerate());
        let features = self.counts.features.par_iter_mut().zip(sides);
        let count = |(counts, (((_, profile), table), (position, column))): (&mut FeatureCounts, Side<'_>)| {
            let mut ranks = Vec::with_capacity(batch.rows);
            let (start, mut counting, mut first_row) = (Instant::now(), Duration::ZERO, 0);
            column.read(batch.rows, &mut |values| {
                let start = Instant::now();
                // A piece without values of the feature's kind has no ranks: those of the others keep their rows.
                if matches!(values, ColumnBatch::Numeric(_) | ColumnBatch::Categorical { .. }) {
                    ranks.resize(first_row, RankTable::NONE);
                }
                counts.update(profile, table, values, Some(&mut ranks));
                if recent_column == Some(position) {
                    keep_recent(&mut recent.lock().unwrap_or_else(PoisonError::into_inner), batch, first_row, values);
                }
                first_row += values.rows();
                counting += start.elapsed();
            })?;
            if !ranks.is_empty() {
                ranks.resize(batch.rows, RankTable::NONE);
            }
            self.work.counted(counting);
            self.work.decoded(start.elapsed().saturating_sub(counting));
            Ok(ranks)
        };
        let tasks = features.with_min_len(columns_a_task(batch.rows as u64));
        let ranks = tasks.map(count).collect::<Result<Vec<Ranks>, DecodeFault>>()?;
        // A column that is no feature.
        if let Some(column) = recent_column.filter(|column| *column >= ranks.len()).and_then(|column| batch.columns.get(column)) {
            self.is_recent_numeric &= keep_recent_of(column, batch, &mut self.recent)?;
        }
        Ok(ranks)
    }

    /// Counts how rows depend on each other, and features on each other: by clusters where they are known, otherwise as `in_order` does.
    fn relate(&mut self, clusters: Option<&[u64]>, ranks: &[Ranks], in_order: impl FnOnce(&mut Dependence)) {
        let joint: Vec<&[u16]> = self.joint.iter().filter_map(|feature| ranks.get(*feature)).map(Vec::as_slice).collect();
        self.counts.joint.add(&self.tables.scores, &joint);
        match clusters {
            Some(clusters) => {
                let clusters: Vec<Option<u64>> =
                    clusters.iter().map(|hash| Some(*hash).filter(|hash| *hash != MISSING_CLUSTER)).collect();
                self.counts.dependence.add_clustered(&clusters, ranks);
            }
            None => in_order(&mut self.counts.dependence),
        }
    }

    /// Whether no column changed its type in the middle: that is found batch by batch, and other windows cut other batches.
    pub fn is_of_one_type(&self) -> bool {
        let is_numeric = |counts: &FeatureCounts| counts.presence().wrong_type == 0;
        self.is_recent_numeric && self.counts.features.iter().all(is_numeric)
    }

    /// Takes the rows of another counter, the last of which go on here.
    fn follow(&mut self, other: &Self) {
        let mut dependence = self.counts.dependence.clone();
        dependence.follow(&other.counts.dependence);
        self.counts.merge(&other.counts);
        self.counts.dependence = dependence;
        self.recent.merge(&other.recent);
        self.is_recent_numeric &= other.is_recent_numeric;
    }
}

impl Sink for Counter {
    fn update(&mut self, batch: &Batch) -> Result<(), DecodeFault> {
        let ranks = self.count(batch)?;
        let start = Instant::now();
        let in_time_order = self.in_time_order;
        self.relate(batch.clusters.as_deref(), &ranks, |dependence| {
            for (hour, rows) in by_hour(&batch.timestamps_us) {
                dependence.add_in_time_order(Some(hour), &rows, &ranks);
            }
            if batch.timestamps_us.is_empty() && in_time_order {
                dependence.add_in_time_order(None, &Order::Standing(0..batch.rows), &ranks);
            }
        });
        let threads = threads(ranks.len(), batch.rows as u64);
        self.work.counted(start.elapsed() * u32::try_from(threads).unwrap_or(1));
        Ok(())
    }

    fn watch(&mut self, work: &Arc<Work>) {
        self.work = Arc::clone(work);
    }

    fn close(&mut self) {
        self.counts.dependence.close();
    }

    fn merge(&mut self, other: Self) {
        self.counts.merge(&other.counts);
        self.recent.merge(&other.recent);
        self.is_recent_numeric &= other.is_recent_numeric;
    }
}

/// The rows of a batch in the order of time, hour by hour.
fn by_hour(moments_us: &[i64]) -> Vec<(i64, Order)> {
    let hour = |moment_us: i64| moment_us.div_euclid(HOUR_US);
    if moments_us.is_sorted() {
        let mut start = 0;
        let hours = moments_us.chunk_by(|a, b| hour(*a) == hour(*b)).filter_map(|moments| {
            let rows = start..start + moments.len();
            start = rows.end;
            Some((hour(*moments.first()?), Order::Standing(rows)))
        });
        return hours.collect();
    }
    let mut order: Vec<(i64, usize)> = moments_us.iter().copied().zip(0..).collect();
    // Rows of one moment keep the order of the object.
    order.sort_unstable();
    let hours = order.chunk_by(|(a, _), (b, _)| hour(*a) == hour(*b));
    hours.filter_map(|rows| Some((hour(rows.first()?.0), Order::Sorted(rows.iter().map(|(_, row)| *row).collect())))).collect()
}

/// The newest values of the first requested column, and nothing else.
impl Sink for Recent {
    fn update(&mut self, batch: &Batch) -> Result<(), DecodeFault> {
        let Some(column) = batch.columns.first() else { return Ok(()) };
        keep_recent_of(column, batch, self).map(|_| ())
    }

    fn merge(&mut self, other: Self) {
        Self::merge(self, &other);
    }
}

/// Whether the column is of no other type.
fn keep_recent_of(column: &Column, batch: &Batch, recent: &mut Recent) -> Result<bool, DecodeFault> {
    let (mut first_row, mut is_numeric) = (0, true);
    column.read(batch.rows, &mut |values| {
        is_numeric &= !matches!(values, ColumnBatch::WrongType { .. });
        keep_recent(recent, batch, first_row, values);
        first_row += values.rows();
    })?;
    Ok(is_numeric)
}

/// Keeps the finite values of a numeric column, from a row of the batch on. Rows without a time are not newer or older than any other: none is kept.
fn keep_recent(recent: &mut Recent, batch: &Batch, first_row: usize, values: ColumnBatch<'_>) {
    let ColumnBatch::Numeric(values) = values else { return };
    let group = |row: usize| batch.clusters.as_ref().and_then(|clusters| clusters.get(row)).copied().unwrap_or(MISSING_CLUSTER);
    // The last rows are mostly the newest: those before them are then passed over at a glance.
    let moments_us = batch.timestamps_us.get(first_row..).unwrap_or_default();
    for (row, (value, moment_us)) in values.iter().zip(moments_us).enumerate().rev() {
        if value.is_finite() && recent.may_keep(*moment_us) {
            recent.push(RecentRow { moment_us: *moment_us, value: *value, group: group(first_row + row) });
        }
    }
}

impl Sink for ProfileBuilder {
    fn update(&mut self, batch: &Batch) -> Result<(), DecodeFault> {
        self.columns_mut()
            .zip(batch.columns.par_iter())
            .with_min_len(columns_a_task(batch.rows as u64))
            .try_for_each(|(collected, column)| column.read(batch.rows, &mut |values| collected.update(values)))
    }

    fn merge(&mut self, other: Self) {
        Self::merge(self, other);
    }
}

/// Takes nothing: for reading the account alone.
#[derive(Clone, Copy, Debug)]
pub struct Discard;

impl Sink for Discard {
    fn update(&mut self, _: &Batch) -> Result<(), DecodeFault> {
        Ok(())
    }

    fn merge(&mut self, Self: Self) {}
}

#[cfg(test)]
mod tests {
    use super::super::decode::Deferred;
    use super::*;

    #[test]
    fn rows_are_taken_in_the_order_of_time_hour_by_hour() {
        let of = |moments: &[i64]| -> Vec<(i64, Vec<usize>)> {
            let rows = |rows| match rows {
                Order::Standing(rows) => rows.collect(),
                Order::Sorted(rows) => rows,
            };
            by_hour(moments).into_iter().map(|(hour, taken)| (hour, rows(taken))).collect()
        };
        assert_eq!(of(&[]), []);
        assert_eq!(of(&[-1, 0, 5, HOUR_US, HOUR_US]), [(-1, vec![0]), (0, vec![1, 2]), (1, vec![3, 4])]);
        assert_eq!(of(&[HOUR_US + 2, 5, HOUR_US + 1, 5]), [(0, vec![1, 3]), (1, vec![2, 0])]);
    }

    /// A column that has another type in its first piece.
    #[derive(Debug)]
    struct TwoPieces;

    impl Deferred for TwoPieces {
        fn read(&self, take: &mut dyn FnMut(ColumnBatch<'_>)) -> Result<(), DecodeFault> {
            take(ColumnBatch::WrongType { rows: 2 });
            take(ColumnBatch::Numeric(&[1.0, 3.0]));
            take(ColumnBatch::WrongType { rows: 1 });
            Ok(())
        }
    }

    #[test]
    fn the_ranks_of_a_column_in_pieces_stay_with_their_rows() {
        let mut builder = ProfileBuilder::new(&[(FeatureName::from("a"), crate::feature::FeatureKind::Numeric)]);
        builder.update([ColumnBatch::Numeric(&[1.0, 2.0, 3.0])]);
        let mut counter = Counter::new(Arc::new(builder.finish(Vec::new())));
        let columns = vec![Column::Deferred(Arc::new(TwoPieces))];
        let batch = Batch { rows: 5, columns, clusters: None, timestamps_us: Vec::new() };
        let ranks = counter.count(&batch).unwrap();
        let has_rank: Vec<bool> = ranks[0].iter().map(|rank| *rank != RankTable::NONE).collect();
        assert_eq!(has_rank, [false, false, true, true, false]);
    }
}
