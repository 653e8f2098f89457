//! Parquet, and the only place that names polars: its types change with every release and must not leave this module.
//!
//! Reads needed columns only, one slice of one row group at a time; the timestamps first, and the other columns where they are counted,
//! side by side. polars may panic on a corrupt file, or give fewer rows than the file promises and no error; so every call is
//! guarded, the layout is checked before and the rows are counted after.

mod bytes;
mod column;
mod guard;
mod moments;
mod object;
mod pages;
mod plan;
mod values;

use std::ops::Range;
use std::sync::Arc;

use polars::prelude::{PolarsError, PolarsResult};

use super::ColumnGuess;
use super::batch::{Batch, Column};
use super::compression::Input;
use super::error::{DecodeFault, DecodeResult};
use super::format::Compression;
use super::intake::Intake;
use bytes::{Group, each_group};
use column::{DeferredColumn, Rows};
use moments::{Kept, Moments};
use object::Object;
use plan::{Plan, Shape, Source};
use values::clusters;

/// Rows of a slice, in the batches that the text formats give: row groups may hold tens of millions of rows.
const BATCHES_IN_A_SLICE: usize = 32;

pub(super) fn decode(input: Input, compression: Compression, intake: &mut Intake<'_>) -> DecodeResult<()> {
    let Some(object) = Object::open(input, compression)? else {
        intake.tally.is_empty = true;
        return Ok(());
    };
    if !object.duplicates.is_empty() {
        return Err(DecodeFault::DuplicateColumns { names: object.duplicates.clone() });
    }
    let plan = Plan::new(&object.names, |name| object.shape(name), intake)?;
    object.check_layout(&plan.read)?;
    let object = Arc::new(object);
    let needed = |group: usize| !moments::is_outside(&object, group, &plan, intake);
    let groups: Vec<(usize, bool)> = (0..object.groups()).map(|group| (group, needed(group))).collect();
    let mut first_row = 0;
    each_group(&object, &groups, &plan.read, &mut |group, bytes| {
        let rows = object.rows(group);
        match bytes {
            None => moments::pass_over(&object, group, &plan, intake),
            Some(bytes) => {
                let bytes = Arc::new(bytes);
                let slice_rows = intake.request.batch_rows.max(1) * BATCHES_IN_A_SLICE;
                for start in (0..rows).step_by(slice_rows) {
                    let slice = start..rows.min(start + slice_rows);
                    read_slice(&object, &bytes, &slice, first_row + start, &plan, intake)?;
                }
            }
        }
        first_row += rows;
        Ok(())
    })
}

pub(super) fn inspect(input: Input, compression: Compression) -> DecodeResult<Vec<(String, ColumnGuess)>> {
    let Some(object) = Object::open(input, compression)? else { return Ok(Vec::new()) };
    let guess = |name: &String| match object.shape(name) {
        Some(Shape::Number) => ColumnGuess::Numeric,
        Some(Shape::Text | Shape::Truth) => ColumnGuess::Text,
        Some(Shape::Null) => ColumnGuess::Empty,
        Some(Shape::Moment | Shape::Other(_)) | None => ColumnGuess::Unsupported,
    };
    Ok(object.names.iter().map(|name| (name.clone(), guess(name))).collect())
}

fn read_slice(
    object: &Arc<Object>,
    bytes: &Arc<Group>,
    slice: &Range<usize>,
    first_row: usize,
    plan: &Plan,
    intake: &mut Intake<'_>,
) -> DecodeResult<()> {
    let moments = match &plan.timestamp {
        Some(name) => Moments::admit(&column::read(object, bytes, slice, name)?, first_row, intake)?,
        None => Moments::without(slice.len(), intake),
    };
    let rows = match &moments.kept {
        Kept::None => return Ok(()),
        Kept::All => slice.len(),
        Kept::Some(kept) => kept.iter().filter(|kept| **kept).count(),
    };
    let clusters = match &plan.cluster {
        Some(name) => {
            let series = column::read(object, bytes, slice, name)?;
            Some(guarded(|| clusters(&series, &moments.kept))?)
        }
        None => None,
    };
    let kept = Arc::new(moments.kept);
    let column = |source: &Source| {
        let rows = Rows { slice: slice.clone(), kept: Arc::clone(&kept) };
        let deferred = |name: &String, values| DeferredColumn::new(object, bytes, rows, name.clone(), values);
        match source {
            Source::Absent => Column::Absent,
            Source::WrongType => Column::WrongType,
            Source::NullsOrWrongType(name) => Column::Deferred(Arc::new(deferred(name, column::Values::Nulls))),
            Source::Numbers(name) => Column::Deferred(Arc::new(deferred(name, column::Values::Numbers))),
            Source::Labels(name) => Column::Deferred(Arc::new(deferred(name, column::Values::Labels))),
        }
    };
    let columns = plan.columns.iter().map(column).collect();
    intake.send(Batch { rows, columns, clusters, timestamps_us: moments.of_kept });
    intake.failure().map_or(Ok(()), Err)
}

fn corrupt(detail: &str) -> DecodeFault {
    DecodeFault::CorruptParquet { detail: detail.to_owned() }
}

/// Calls polars so that whatever goes wrong is an error about the object.
fn guarded<T>(call: impl FnOnce() -> PolarsResult<T>) -> DecodeResult<T> {
    match guard::call(call) {
        Some(Ok(value)) => Ok(value),
        Some(Err(PolarsError::IO { error, .. })) => {
            Err(DecodeFault::Unreadable(std::io::Error::new(error.kind(), error.to_string())))
        }
        Some(Err(error)) => Err(corrupt(error.to_string().lines().next().unwrap_or_default())),
        None => Err(corrupt("it does not follow its own structure")),
    }
}
