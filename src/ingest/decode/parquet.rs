//! Parquet, and the only place that names polars: its types change with every release and must not leave this module.
//!
//! Reads needed columns only, some hundred thousand rows at a time; the timestamps first, and the other columns where they are counted,
//! side by side. polars may panic on a corrupt file, or give fewer rows than the file promises and no error; so every call is
//! guarded, the layout is checked before and the rows are counted after.

mod bytes;
mod column;
mod footer;
mod guard;
mod moments;
mod object;
mod pages;
mod plan;
mod steps;
mod structures;
mod thrift;
mod values;

use std::sync::Arc;

use polars::prelude::{PolarsError, PolarsResult};

use super::ColumnGuess;
use super::batch::{Batch, Column};
use super::compression::Input;
use super::error::{DecodeFault, DecodeResult};
use super::format::Compression;
use super::intake::Intake;
use bytes::{Ready, ReadyPiece, each_step};
use column::{DeferredColumn, UsedPiece};
use moments::{Kept, Moments};
use object::Object;
use plan::{Plan, Shape, Source};
use steps::steps;

/// Rows of a step, in the batches that the text formats give.
const BATCHES_IN_A_STEP: usize = 64;

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
    let needed = |group: usize| !moments::is_passed(&object, group, &plan, intake);
    let groups: Vec<(usize, bool)> = (0..object.groups()).map(|group| (object.rows(group), needed(group))).collect();
    let most_rows = intake.request.batch_rows.max(1) * BATCHES_IN_A_STEP;
    let steps = steps(&groups, most_rows, object.is_near());
    let object = Arc::new(object);
    each_step(&object, steps, &plan, &mut |ready| match ready {
        Ready::PassOver(group) => {
            moments::pass_over(&object, group, &plan, intake);
            Ok(())
        }
        Ready::Read(pieces) => read_step(&object, pieces, &plan, intake),
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

fn read_step(object: &Arc<Object>, pieces: Vec<ReadyPiece>, plan: &Plan, intake: &mut Intake<'_>) -> DecodeResult<()> {
    let (mut rows, mut timestamps_us) = (0, Vec::new());
    let mut clusters = plan.cluster.as_ref().map(|_| Vec::new());
    let mut used: Vec<UsedPiece> = Vec::new();
    for ReadyPiece { piece, group, timestamps } in pieces {
        let mut moments = match timestamps {
            Some(timestamps) => Moments::admit(&timestamps, piece.first_row, intake)?,
            None => Moments::without(piece.rows.len(), intake),
        };
        if matches!(moments.kept, Kept::None) {
            continue;
        }
        if let (Some(clusters), Some(name)) = (&mut clusters, &plan.cluster) {
            let series = column::read(object, &group, &piece.rows, name)?;
            clusters.extend(guarded(|| values::clusters(&series, &moments.kept))?);
        }
        rows += moments.kept.count(piece.rows.len());
        timestamps_us.append(&mut moments.of_kept);
        used.push(UsedPiece { group, rows: piece.rows, kept: moments.kept });
    }
    let used = Arc::new(used);
    let deferred = |name: &String, values| Column::Deferred(Arc::new(DeferredColumn::new(object, &used, name.clone(), values)));
    let column = |source: &Source| match source {
        Source::Absent => Column::Absent,
        Source::WrongType => Column::WrongType,
        Source::NullsOrWrongType(name) => deferred(name, column::Values::Nulls),
        Source::Numbers(name) => deferred(name, column::Values::Numbers),
        Source::Labels(name) => deferred(name, column::Values::Labels),
    };
    let columns = plan.columns.iter().map(column).collect();
    intake.send(Batch { rows, columns, clusters, timestamps_us });
    intake.failure().map_or(Ok(()), Err)
}

fn corrupt(detail: &str) -> DecodeFault {
    DecodeFault::CorruptParquet { detail: detail.to_owned() }
}

/// What is wrong with a part of the file that was walked over.
fn damage(error: std::io::Error, ends_early: &str) -> DecodeFault {
    match error.kind() {
        std::io::ErrorKind::FileTooLarge => DecodeFault::TooLarge { what: error.to_string() },
        std::io::ErrorKind::InvalidData => corrupt(&format!("it has {error}")),
        std::io::ErrorKind::UnexpectedEof => corrupt(ends_early),
        _ => DecodeFault::Unreadable(error),
    }
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
