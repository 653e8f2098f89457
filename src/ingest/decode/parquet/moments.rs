//! The moments of a slice's rows: which rows go on to their features, and which are accounted for already.

use polars::prelude::{ArrowDataType, ArrowTimeUnit, DataType, PolarsResult, Series, TimeUnit};
use polars_parquet::parquet::statistics::Statistics;

use super::super::error::DecodeResult;
use super::super::intake::{Intake, Refusal};
use super::super::rejection::RejectionReason;
use super::guarded;
use super::object::Object;
use super::plan::Plan;
use super::values::each_cell;
use crate::ingest::timestamp::{self, NaiveTimestamps, TimestampError};

/// Which rows of a slice are used.
pub(super) enum Kept {
    All,
    None,
    Some(Vec<bool>),
}

impl Kept {
    /// Of so many rows.
    pub fn count(&self, rows: usize) -> usize {
        match self {
            Self::All => rows,
            Self::None => 0,
            Self::Some(kept) => kept.iter().filter(|kept| **kept).count(),
        }
    }

    pub fn only<T>(&self, values: impl Iterator<Item = T>) -> Vec<T> {
        match self {
            Self::All => values.collect(),
            Self::None => Vec::new(),
            Self::Some(kept) => values.zip(kept).filter_map(|(value, kept)| kept.then_some(value)).collect(),
        }
    }

    pub fn contains(&self, row: usize) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Some(kept) => kept.get(row).copied().unwrap_or(false),
        }
    }
}

pub(super) struct Moments {
    pub kept: Kept,
    /// In microseconds since the epoch, of the rows that are kept; empty where rows have no time.
    pub of_kept: Vec<i64>,
}

impl Moments {
    /// Rows without a timestamp column: all of them are used.
    pub fn without(rows: usize, intake: &mut Intake<'_>) -> Self {
        (0..rows).for_each(|_| intake.admit_without_timestamp());
        Self { kept: Kept::All, of_kept: Vec::new() }
    }

    /// Accounts for each row by its timestamp.
    pub fn admit(series: &Series, first_row: usize, intake: &mut Intake<'_>) -> DecodeResult<Self> {
        guarded(|| match Self::admit_all(series, intake)? {
            Some(moments) => Ok(moments),
            None => Self::admit_each(series, first_row, intake),
        })
    }

    /// Where every cell holds a moment that can be used.
    fn admit_all(series: &Series, intake: &mut Intake<'_>) -> PolarsResult<Option<Self>> {
        let naive = intake.request.timestamp.as_ref().map(|column| column.naive);
        let DataType::Datetime(unit, zone) = series.dtype() else { return Ok(None) };
        if series.null_count() > 0 || (zone.is_none() && naive == Some(NaiveTimestamps::Reject)) {
            return Ok(None);
        }
        let physical = series.to_physical_repr();
        let mut moments = Vec::with_capacity(series.len());
        for array in physical.i64()?.downcast_iter() {
            match unit {
                TimeUnit::Nanoseconds => moments.extend(array.values().iter().map(|value| value.div_euclid(1_000))),
                TimeUnit::Microseconds => moments.extend_from_slice(array.values()),
                TimeUnit::Milliseconds => moments.extend(array.values().iter().map(|value| value.saturating_mul(1_000))),
            }
        }
        let Some(wanted) = intake.admit_moments(&moments) else { return Ok(None) };
        let kept = match moments.iter().filter(|moment| wanted.is_wanted(**moment)).count() {
            0 => Kept::None,
            all if all == moments.len() => Kept::All,
            _ => Kept::Some(moments.iter().map(|moment| wanted.is_wanted(*moment)).collect()),
        };
        if !matches!(kept, Kept::All) {
            moments.retain(|moment| wanted.is_wanted(*moment));
        }
        Ok(Some(Self { kept, of_kept: moments }))
    }

    fn admit_each(series: &Series, first_row: usize, intake: &mut Intake<'_>) -> PolarsResult<Self> {
        let mut moments: Vec<Option<i64>> = Vec::with_capacity(series.len());
        let naive = intake.request.timestamp.as_ref().map(|column| column.naive);
        let mut line = first_row as u64;
        if let DataType::Datetime(unit, zone) = series.dtype() {
            let is_refused = zone.is_none() && naive == Some(NaiveTimestamps::Reject);
            for value in series.to_physical_repr().i64()?.iter() {
                line += 1;
                let read = match value {
                    None => Err(RejectionReason::MissingTimestamp.into()),
                    Some(_) if is_refused => Err(TimestampError::Naive.into()),
                    Some(value) => in_microseconds(value, *unit).map_err(Refusal::from),
                };
                moments.push(intake.admit_moment(read, line));
            }
        } else {
            each_cell(series, |cell| {
                line += 1;
                moments.push(intake.admit(cell, line));
            })?;
        }
        let of_kept: Vec<i64> = moments.iter().flatten().copied().collect();
        let kept = match of_kept.len() {
            0 => Kept::None,
            all if all == moments.len() => Kept::All,
            _ => Kept::Some(moments.iter().map(Option::is_some).collect()),
        };
        Ok(Self { kept, of_kept })
    }
}

/// The first and last moment of a row group that lies outside the window as a whole, or is known as a whole, by the statistics in the
/// footer.
fn passed(object: &Object, group: usize, plan: &Plan, intake: &Intake<'_>) -> Option<(i64, i64)> {
    let name = plan.timestamp.as_deref()?;
    let naive = intake.request.timestamp.as_ref()?.naive;
    let ArrowDataType::Timestamp(unit, zone) = &object.field(name)?.dtype else { return None };
    if zone.is_none() && naive == NaiveTimestamps::Reject {
        return None;
    }
    let statistics = object.chunk(group, name)?.statistics(&object.metadata.footer_buf)?.ok()?;
    let Statistics::Int64(statistics) = statistics else { return None };
    if statistics.null_count != Some(0) {
        return None;
    }
    let unit = match unit {
        ArrowTimeUnit::Nanosecond => TimeUnit::Nanoseconds,
        ArrowTimeUnit::Microsecond => TimeUnit::Microseconds,
        ArrowTimeUnit::Millisecond => TimeUnit::Milliseconds,
        ArrowTimeUnit::Second => return None,
    };
    let first = in_microseconds(statistics.min_value?, unit).ok()?;
    let last = in_microseconds(statistics.max_value?, unit).ok()?;
    let is_passed = intake.is_all_outside(first, last) || intake.is_all_known(first, last);
    (first <= last && is_passed).then_some((first, last))
}

/// Whether no row of a row group can lie in the window and be unknown: it need not be read.
pub(super) fn is_passed(object: &Object, group: usize, plan: &Plan, intake: &Intake<'_>) -> bool {
    passed(object, group, plan, intake).is_some()
}

/// Accounts for a row group that is not read.
pub(super) fn pass_over(object: &Object, group: usize, plan: &Plan, intake: &mut Intake<'_>) {
    if let Some((first, last)) = passed(object, group, plan, intake) {
        intake.pass_over(object.rows(group) as u64, first, last);
    }
}

fn in_microseconds(value: i64, unit: TimeUnit) -> Result<i64, TimestampError> {
    let microseconds = match unit {
        TimeUnit::Nanoseconds => Some(value.div_euclid(1_000)),
        TimeUnit::Microseconds => Some(value),
        TimeUnit::Milliseconds => value.checked_mul(1_000),
    };
    timestamp::in_range(microseconds.ok_or(TimestampError::OutOfRange)?)
}
