//! The counts of one object hour by hour: each hour is packed when the next one begins, so that memory holds one.
//!
//! What is counted is to the last bit what one [`Counter`] counts; where that is in doubt, or the hours are too large to be worth it, the
//! object is counted as a whole.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::{Counter, Sink};
use crate::feature::{ColumnBatch, FeatureName};
use crate::ingest::cache::{Hour, Hours, hour_of};
use crate::ingest::decode::{Batch, Column, DecodeFault, MISSING_CLUSTER, selected};
use crate::ingest::work::Work;
use crate::parallel::columns_a_task;
use crate::profile::dependence::{Order, Ranks};
use crate::profile::packed::{Packer, Unpacker};
use crate::profile::recent::{Recent, RecentRow};
use crate::profile::table::FeatureTable;
use crate::profile::{FeatureCounts, FeatureProfile, WindowCounts};

/// An hour that takes more than this part of what may be kept is not worth keeping.
const LARGE: usize = 4;

/// Counts an object, and packs its hours.
#[derive(Clone, Debug)]
pub struct ByHour {
    /// All closed hours, or all rows where they are not counted apart.
    pub total: Counter,
    empty: Arc<Counter>,
    open: Option<Open>,
    /// Hours that follow one another; the last one is the newest.
    packed: Hours,
    bytes: usize,
    /// How many bytes of an object's hours are kept.
    limit_bytes: usize,
    /// Whether rows are still counted hour by hour.
    is_apart: bool,
}

/// The hour whose rows are being counted.
#[derive(Clone, Debug)]
struct Open {
    hour: i64,
    rows: u64,
    oldest_us: i64,
    newest_us: i64,
    counter: Counter,
}

/// A batch in the order of time.
struct Cut {
    /// Unless the rows stand in that order.
    order: Option<Vec<usize>>,
    moments_us: Vec<i64>,
    /// Hour by hour.
    pieces: Vec<(i64, Range<usize>)>,
}

impl Cut {
    fn of(moments_us: &[i64]) -> Self {
        let order = (!moments_us.is_sorted()).then(|| {
            let mut order: Vec<usize> = (0..moments_us.len()).collect();
            // Rows of one moment keep the order of the object.
            order.sort_by_key(|row| moments_us.get(*row));
            order
        });
        let moments_us: Vec<i64> = in_order(order.as_deref(), moments_us);
        let mut start = 0;
        let pieces = moments_us.chunk_by(|a, b| hour_of(*a) == hour_of(*b)).filter_map(|moments| {
            let rows = start..start + moments.len();
            start = rows.end;
            Some((hour_of(*moments.first()?), rows))
        });
        let pieces = pieces.collect();
        Self { order, moments_us, pieces }
    }

    fn moments(&self, rows: &Range<usize>) -> &[i64] {
        self.moments_us.get(rows.clone()).unwrap_or_default()
    }
}

fn in_order<T: Copy>(order: Option<&[usize]>, values: &[T]) -> Vec<T> {
    order.map_or_else(|| values.to_vec(), |order| selected(values, order))
}

/// Some rows of a column.
fn rows_of<'a>(column: ColumnBatch<'a>, rows: &Range<usize>) -> ColumnBatch<'a> {
    match column {
        ColumnBatch::Numeric(values) => ColumnBatch::Numeric(values.get(rows.clone()).unwrap_or_default()),
        ColumnBatch::Categorical { codes, dictionary } => {
            ColumnBatch::Categorical { codes: codes.get(rows.clone()).unwrap_or_default(), dictionary }
        }
        ColumnBatch::Absent { .. } => ColumnBatch::Absent { rows: rows.len() },
        ColumnBatch::WrongType { .. } => ColumnBatch::WrongType { rows: rows.len() },
    }
}

/// What a feature's column gave: its closed hours, and the rank of every row in the order of time.
struct Counted {
    parts: Vec<Packer>,
    ranks: Ranks,
}

/// A feature's counts of the open hour and of all others, and what they are counted over.
type Sides<'a> = ((&'a mut FeatureCounts, &'a mut FeatureCounts), (&'a (FeatureName, FeatureProfile), &'a FeatureTable));

impl ByHour {
    /// Counts into what `empty` counts; keeps at most so many bytes of an object's hours.
    pub fn new(empty: Counter, limit_bytes: usize) -> Self {
        let packed = Hours { is_exact: true, ..Hours::default() };
        let total = empty.clone();
        Self { total, empty: Arc::new(empty), open: None, packed, bytes: 0, limit_bytes, is_apart: true }
    }

    /// The hours of the object, which is closed.
    pub fn take_hours(&mut self) -> Hours {
        std::mem::take(&mut self.packed)
    }

    /// Adds an hour that was packed; `None`, and nothing is added, where it is none.
    pub fn recall(&mut self, hour: &Hour) -> Option<()> {
        let mut from = Unpacker::new(&hour.packed);
        let counts = WindowCounts::unpack(&self.total.profile, hour.rows, &mut from)?;
        let recent = Recent::unpack(self.total.recent.capacity(), &mut from)?;
        from.is_empty().then_some(())?;
        self.total.counts.merge(&counts);
        self.total.recent.merge(&recent);
        Some(())
    }

    /// Counts the rest of the object as a whole, from where it is.
    fn stop(&mut self) {
        self.is_apart = false;
        self.packed.is_exact = false;
        if let Some(open) = self.open.take() {
            self.total.follow(&open.counter);
        }
    }

    /// The open hour, which is this one.
    fn open(&mut self, hour: i64) -> &mut Open {
        let empty = &self.empty;
        self.open.get_or_insert_with(|| Open {
            hour,
            rows: 0,
            oldest_us: i64::MAX,
            newest_us: i64::MIN,
            counter: Counter::clone(empty),
        })
    }

    /// Ends the open hour.
    fn end_hour(&mut self) {
        let Some(mut open) = self.open.take() else { return };
        open.counter.counts.dependence.close();
        let mut packer = Packer::default();
        open.counter.counts.pack(&mut packer);
        open.counter.recent.pack(&mut packer);
        self.keep(&open, packer);
        self.total.merge(open.counter);
    }

    fn keep(&mut self, open: &Open, packed: Packer) {
        let Open { hour, rows, oldest_us, newest_us, .. } = *open;
        if packed.len() > self.limit_bytes / LARGE {
            self.packed.is_exact = false;
            return;
        }
        self.bytes += packed.len();
        self.packed.hours.push(Hour { hour, rows, oldest_us, newest_us, packed: packed.into_bytes().into() });
        while self.bytes > self.limit_bytes && !self.packed.hours.is_empty() {
            let oldest = self.packed.hours.remove(0);
            self.bytes -= oldest.packed.len();
            self.packed.kept_from = Some(oldest.hour + 1);
        }
    }

    /// Counts a batch that is of more than one hour. The first of them is open.
    fn count_pieces(&mut self, batch: &Batch, cut: &Cut) -> Result<(), DecodeFault> {
        let Some(mut open) = self.open.take() else { return Ok(()) };
        let mut recents = vec![Recent::new(self.total.recent.capacity()); cut.pieces.len()];
        let counted = self.count_features(batch, cut, &mut open, &mut recents)?;
        let clusters = batch.clusters.as_ref().map(|clusters| in_order(cut.order.as_deref(), clusters));
        let last = cut.pieces.len().saturating_sub(1);
        for (position, ((hour, rows), recent)) in cut.pieces.iter().zip(&recents).enumerate() {
            let moments_us = cut.moments(rows);
            open.hour = *hour;
            open.rows += rows.len() as u64;
            open.oldest_us = moments_us.first().map_or(open.oldest_us, |first| open.oldest_us.min(*first));
            open.newest_us = moments_us.last().map_or(open.newest_us, |last| open.newest_us.max(*last));
            open.counter.recent.merge(recent);
            let ranks: Vec<Ranks> =
                counted.iter().map(|counted| counted.ranks.get(rows.clone()).unwrap_or_default().to_vec()).collect();
            let clusters = clusters.as_ref().map(|clusters| clusters.get(rows.clone()).unwrap_or_default());
            open.counter.relate(clusters, &ranks, |dependence| {
                dependence.add_in_time_order(Some(*hour), &Order::Standing(0..rows.len()), &ranks);
            });
            if position == last {
                break;
            }
            // The features' counts are packed and added already.
            let counter = &mut open.counter;
            counter.counts.dependence.close();
            let mut packer = Packer::default();
            counted.iter().filter_map(|counted| counted.parts.get(position)).for_each(|part| packer.part(part));
            counter.counts.pack_relations(&mut packer);
            counter.recent.pack(&mut packer);
            self.keep(&open, packer);
            let counter = &mut open.counter;
            self.total.counts.merge_relations(&counter.counts);
            self.total.recent.merge(&counter.recent);
            counter.counts.dependence = self.empty.counts.dependence.clone();
            counter.counts.joint = self.empty.counts.joint.clone();
            counter.recent = self.empty.recent.clone();
            (open.rows, open.oldest_us, open.newest_us) = (0, i64::MAX, i64::MIN);
        }
        self.open = Some(open);
        Ok(())
    }

    /// Counts every feature's column, piece by piece: each but the last is packed and added to the total. In memory there is one hour of
    /// as many features as are worked on at a time.
    fn count_features(
        &mut self,
        batch: &Batch,
        cut: &Cut,
        open: &mut Open,
        recents: &mut [Recent],
    ) -> Result<Vec<Counted>, DecodeFault> {
        let recent_column = self.total.recent_column;
        let recents = Mutex::new(recents);
        let features = open.counter.counts.features.par_iter_mut().zip(self.total.counts.features.par_iter_mut());
        let sides = self.total.profile.features.par_iter().zip(self.total.tables.features.par_iter());
        let columns = batch.columns.par_iter().enumerate();
        let last = cut.pieces.len().saturating_sub(1);
        let count = |(((counts, total), ((_, profile), table)), (position, column)): (Sides<'_>, (usize, &Column))| {
            let mut counted = Counted { parts: Vec::with_capacity(last), ranks: Vec::with_capacity(batch.rows) };
            read_in_order(column, batch.rows, cut, &mut |first_row, values| {
                let given = first_row..first_row + values.rows();
                for (piece, (_, rows)) in cut.pieces.iter().enumerate() {
                    let (from, to) = (rows.start.max(given.start), rows.end.min(given.end));
                    if from < to {
                        let part = rows_of(values, &(from - first_row..to - first_row));
                        counts.update(profile, table, part, Some(&mut counted.ranks));
                    }
                    // Its last row was given.
                    if piece < last && given.contains(&(rows.end - 1)) {
                        let mut part = Packer::default();
                        counts.pack(&mut part);
                        counted.parts.push(part);
                        total.merge(counts);
                        *counts = FeatureCounts::empty(profile);
                    }
                }
                if recent_column == Some(position) {
                    let mut recents = recents.lock().unwrap_or_else(PoisonError::into_inner);
                    keep_recent(&mut recents, batch, cut, first_row, values);
                }
            })?;
            Ok(counted)
        };
        let tasks = features.zip(sides).zip(columns).with_min_len(columns_a_task(batch.rows as u64));
        let counted = tasks.map(count).collect::<Result<Vec<Counted>, DecodeFault>>()?;
        // A column that is no feature.
        let other = recent_column.filter(|column| *column >= counted.len()).and_then(|column| batch.columns.get(column));
        if let Some(column) = other {
            let recents = recents.into_inner().unwrap_or_else(PoisonError::into_inner);
            let is_number = &mut self.total.is_recent_numeric;
            read_in_order(column, batch.rows, cut, &mut |first_row, values| {
                *is_number &= !matches!(values, ColumnBatch::WrongType { .. });
                keep_recent(recents, batch, cut, first_row, values);
            })?;
        }
        Ok(counted)
    }
}

/// Hands on a column in the order of time, in one piece or several, each with the row that it begins with. One that has to be sorted is
/// decoded, and of one piece.
fn read_in_order(column: &Column, rows: usize, cut: &Cut, take: &mut dyn FnMut(usize, ColumnBatch<'_>)) -> Result<(), DecodeFault> {
    let mut first_row = 0;
    column.read(rows, &mut |values| {
        match (cut.order.as_deref(), values) {
            (Some(order), ColumnBatch::Numeric(values)) => take(first_row, ColumnBatch::Numeric(&in_order(Some(order), values))),
            (Some(order), ColumnBatch::Categorical { codes, dictionary }) => {
                take(first_row, ColumnBatch::Categorical { codes: &in_order(Some(order), codes), dictionary });
            }
            (_, values) => take(first_row, values),
        }
        first_row += values.rows();
    })
}

/// Keeps the newest finite values of a numeric column, hour by hour; the values are in the order of time, from `first_row` on.
fn keep_recent(recents: &mut [Recent], batch: &Batch, cut: &Cut, first_row: usize, values: ColumnBatch<'_>) {
    let ColumnBatch::Numeric(values) = values else { return };
    let clusters = batch.clusters.as_ref().map(|clusters| in_order(cut.order.as_deref(), clusters));
    for (recent, (_, rows)) in recents.iter_mut().zip(&cut.pieces) {
        for row in (rows.start.max(first_row)..rows.end.min(first_row + values.len())).rev() {
            let (Some(value), Some(moment_us)) = (values.get(row - first_row).copied(), cut.moments_us.get(row).copied()) else {
                continue;
            };
            if value.is_finite() && recent.may_keep(moment_us) {
                let group = clusters.as_ref().and_then(|clusters| clusters.get(row)).copied().unwrap_or(MISSING_CLUSTER);
                recent.push(RecentRow { moment_us, value, group });
            }
        }
    }
}

impl Sink for ByHour {
    /// Every object has hours of its own.
    const IS_APART: bool = true;

    fn update(&mut self, batch: &Batch) -> Result<(), DecodeFault> {
        if !self.is_apart {
            return self.total.update(batch);
        }
        let cut = Cut::of(&batch.timestamps_us);
        let Some((first, _)) = cut.pieces.first() else {
            self.stop();
            return self.total.update(batch);
        };
        match self.open.as_ref().map(|open| open.hour.cmp(first)) {
            Some(std::cmp::Ordering::Less) => self.end_hour(),
            // An hour that comes back has more than one stretch of rows.
            Some(std::cmp::Ordering::Greater) => self.stop(),
            _ => {}
        }
        if !self.packed.is_exact {
            // Too large, or not in order: no hour of this object will be kept.
            self.stop();
            return self.total.update(batch);
        }
        let open = self.open(*first);
        match (cut.pieces.len(), &cut.order) {
            (0 | 1, _) => {}
            (_, None) => return self.count_pieces(batch, &cut),
            (_, Some(_)) => return self.count_pieces(&batch.clone().read()?, &cut),
        }
        open.rows += batch.rows as u64;
        open.oldest_us = cut.moments_us.first().map_or(open.oldest_us, |moment_us| open.oldest_us.min(*moment_us));
        open.newest_us = cut.moments_us.last().map_or(open.newest_us, |moment_us| open.newest_us.max(*moment_us));
        open.counter.update(batch)
    }

    fn watch(&mut self, work: &Arc<Work>) {
        self.total.watch(work);
        self.empty = Arc::new(self.total.clone());
    }

    fn close(&mut self) {
        self.end_hour();
        self.total.close();
        self.packed.is_exact &= self.total.is_of_one_type();
    }

    fn merge(&mut self, other: Self) {
        self.total.merge(other.total);
    }

    fn is_exact(&self) -> bool {
        self.total.is_of_one_type()
    }
}
