//! Parquet, and the only place that names polars: its types change with every release and must not leave this module.
//!
//! Reads needed columns only, one slice of one row group at a time. polars may panic on a corrupt file, or give fewer rows than
//! the file promises and no error; so every call is guarded, the layout is checked before and the rows are counted after.

mod guard;
mod pages;
mod plan;
mod sparse;
mod values;

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

use polars::io::mmap::MmapBytesReader;
use polars::io::parquet::metadata::{FileMetadata, FileMetadataRef};
use polars::prelude::{
    ArrowDataType, DataFrame, DataType, ParallelStrategy, ParquetReader, PolarsError, PolarsResult, SerReader, Series, TimeUnit,
};

use crate::feature::MISSING;
use crate::ingest::timestamp::{self, NaiveTimestamps, TimestampError};

use super::ColumnGuess;
use super::batch::{Batch, Column};
use super::compression::{self, Input};
use super::error::{DecodeFault, DecodeResult};
use super::format::Compression;
use super::intake::{Intake, Refusal};
use super::rejection::RejectionReason;
use plan::{Plan, Shape, Source};
use sparse::Sparse;
use values::{clusters, each_cell, labels, numbers, only};

/// Cells decoded at a time: 32 MiB of doubles. Row groups may hold tens of millions of rows.
const SLICE_CELLS: usize = 4 << 20;
/// Every Parquet file starts and ends with these bytes.
const MAGIC: &[u8; 4] = b"PAR1";

pub(super) fn decode(input: Input, compression: Compression, intake: &mut Intake<'_>) -> DecodeResult<()> {
    let Some(mut object) = Object::open(input, compression)? else {
        intake.tally.is_empty = true;
        return Ok(());
    };
    if !object.duplicates.is_empty() {
        return Err(DecodeFault::DuplicateColumns { names: std::mem::take(&mut object.duplicates) });
    }
    let plan = Plan::new(&object.names, |name| object.dtype(name).map(shape), intake)?;
    object.check_layout(&plan.read)?;
    let mut first_row = 0;
    let slice_rows = (SLICE_CELLS / plan.read.len().max(1)).max(intake.request.batch_rows);
    for group in 0..object.metadata.row_groups.len() {
        object.load(group, &plan.read)?;
        object.check_pages(group, &plan.read)?;
        let reader = object.row_group(group);
        let rows = reader.rows;
        for start in (0..rows).step_by(slice_rows) {
            let slice = start..rows.min(start + slice_rows);
            read_slice(&reader, &slice, first_row + start, &plan, intake)?;
        }
        first_row += rows;
    }
    Ok(())
}

pub(super) fn inspect(input: Input, compression: Compression) -> DecodeResult<Vec<(String, ColumnGuess)>> {
    let Some(object) = Object::open(input, compression)? else { return Ok(Vec::new()) };
    let guess = |name: &String| match object.dtype(name).map(shape) {
        Some(Shape::Number) => ColumnGuess::Numeric,
        Some(Shape::Text | Shape::Truth) => ColumnGuess::Text,
        Some(Shape::Null) => ColumnGuess::Empty,
        Some(Shape::Moment | Shape::Other(_)) | None => ColumnGuess::Unsupported,
    };
    Ok(object.names.iter().map(|name| (name.clone(), guess(name))).collect())
}

/// What can be read out of a column of this type.
fn shape(dtype: &ArrowDataType) -> Shape {
    use ArrowDataType as D;
    match dtype {
        D::Int8 | D::Int16 | D::Int32 | D::Int64 | D::UInt8 | D::UInt16 | D::UInt32 | D::UInt64 | D::Float32 | D::Float64 => {
            Shape::Number
        }
        D::Boolean => Shape::Truth,
        D::Utf8 | D::LargeUtf8 | D::Utf8View => Shape::Text,
        D::Dictionary(_, values, _) if shape(values) == Shape::Text => Shape::Text,
        D::Timestamp(..) => Shape::Moment,
        D::Null => Shape::Null,
        other => Shape::Other(type_name(other)),
    }
}

/// The head of the type alone: its parameters may be long.
fn type_name(dtype: &ArrowDataType) -> String {
    let full = format!("{dtype:?}").to_lowercase();
    full.split(['(', ' ', '{']).next().unwrap_or_default().to_owned()
}

/// An open file: its bytes and what its footer says.
struct Object {
    bytes: Bytes,
    length: u64,
    metadata: FileMetadataRef,
    /// The same without its row groups, to be given one at a time.
    footer: FileMetadata,
    /// The columns at the top level, in order, duplicates included.
    names: Vec<String>,
    /// The names that occur again. polars gives no schema to such a file, so that it is unusable even if nobody needs them.
    duplicates: Vec<String>,
    dtypes: Vec<(String, ArrowDataType)>,
}

enum Bytes {
    File(File),
    Memory(Vec<u8>),
    /// An object that lies elsewhere: the parts that are needed next.
    Sparse(Sparse),
}

impl Bytes {
    fn reader(&self) -> io::Result<Box<dyn MmapBytesReader + '_>> {
        Ok(match self {
            Self::File(file) => Box::new(file.try_clone()?),
            Self::Memory(bytes) => Box::new(Cursor::new(bytes.as_slice())),
            Self::Sparse(parts) => Box::new(Cursor::new(parts.bytes())),
        })
    }
}

impl Object {
    /// `None` when there are no bytes at all.
    fn open(input: Input, compression: Compression) -> DecodeResult<Option<Self>> {
        let (bytes, length) = match (input, compression) {
            (Input::File(mut file), Compression::None) => {
                let length = file.seek(SeekFrom::End(0)).map_err(DecodeFault::Unreadable)?;
                (Bytes::File(file), length)
            }
            (Input::Ranges(ranges), Compression::None) => {
                let length = ranges.length();
                (Bytes::Sparse(Sparse::footer(ranges)?), length)
            }
            (input, compression) => {
                let mut bytes = Vec::new();
                let mut plain = compression::open(input, compression).map_err(DecodeFault::Unreadable)?;
                let read = plain.reader.read_to_end(&mut bytes);
                read.map_err(|error| plain.source.blame(compression, error))?;
                let length = bytes.len() as u64;
                (Bytes::Memory(bytes), length)
            }
        };
        if length == 0 {
            return Ok(None);
        }
        let mut reader = bytes.reader().map_err(DecodeFault::Unreadable)?;
        let mut magic = [0; MAGIC.len()];
        let start = reader.rewind().and_then(|()| reader.read_exact(&mut magic));
        if start.is_err() || &magic != MAGIC {
            return Err(corrupt("does not start as Parquet does"));
        }
        let mut reader = ParquetReader::new(reader);
        let metadata = guarded(|| Ok(Arc::clone(reader.get_metadata()?)))?;
        let names: Vec<String> = metadata.schema_descr.fields().iter().map(|field| field.name().to_owned()).collect();
        let repeated = |(index, name): &(usize, &String)| names.iter().take(*index).any(|other| other == *name);
        let duplicates: Vec<String> = names.iter().enumerate().filter(repeated).map(|(_, name)| name.clone()).collect();
        let schema = match guarded(|| reader.schema()) {
            Err(_) if !duplicates.is_empty() => Arc::default(),
            schema => schema?,
        };
        drop(reader);
        let dtypes = schema.iter().map(|(name, field)| (name.to_string(), field.dtype.clone())).collect();
        let mut footer = (*metadata).clone();
        footer.row_groups.clear();
        Ok(Some(Self { bytes, length, metadata, footer, names, duplicates, dtypes }))
    }

    fn dtype(&self, name: &str) -> Option<&ArrowDataType> {
        self.dtypes.iter().find(|(known, _)| known == name).map(|(_, dtype)| dtype)
    }

    /// Whether the footer agrees with itself and with the size of the file: polars reads missing columns as nulls and trusts the
    /// counts.
    fn check_layout(&self, read: &[String]) -> DecodeResult<()> {
        let groups = &self.metadata.row_groups;
        let rows = groups.iter().try_fold(0_usize, |sum, group| sum.checked_add(group.num_rows()));
        if rows != Some(self.metadata.num_rows) {
            return Err(corrupt("the row groups do not add up to the rows of the file"));
        }
        for (group, name) in groups.iter().flat_map(|group| read.iter().map(move |name| (group, name))) {
            let mut chunks =
                group.columns_under_root_iter(name).ok_or_else(|| corrupt("a row group lacks a column of the schema"))?;
            let (Some(chunk), None) = (chunks.next(), chunks.next()) else {
                return Err(corrupt("a flat column has more than one part"));
            };
            if usize::try_from(chunk.num_values()).ok() != Some(group.num_rows()) {
                return Err(corrupt("a column has not as many values as its row group has rows"));
            }
            let range = chunk.byte_range();
            if range.start > range.end || range.end > self.length {
                return Err(corrupt("a column lies beyond the end of the file"));
            }
        }
        Ok(())
    }

    /// Gets what is read of a row group where it does not lie at hand, and drops what was got before.
    fn load(&mut self, group: usize, read: &[String]) -> DecodeResult<()> {
        let Bytes::Sparse(parts) = &mut self.bytes else { return Ok(()) };
        let group = self.metadata.row_groups.get(group);
        let columns = read.iter().filter_map(|name| group?.columns_under_root_iter(name)).flatten();
        let mut ranges = Vec::new();
        for column in columns {
            ranges.push(column.byte_range());
        }
        parts.load(ranges)
    }

    /// Whether the pages of a row group are what the footer says.
    fn check_pages(&self, group: usize, read: &[String]) -> DecodeResult<()> {
        let reader = self.bytes.reader().map_err(DecodeFault::Unreadable)?;
        let mut reader = BufReader::with_capacity(16 * 1024, reader);
        let group = self.metadata.row_groups.get(group);
        for column in read.iter().filter_map(|name| group?.columns_under_root_iter(name)).flatten() {
            let range = column.byte_range();
            let chunk = pages::Chunk {
                start: range.start,
                end: range.end,
                values: u64::try_from(column.num_values()).unwrap_or(0),
                uncompressed_bytes: u64::try_from(column.uncompressed_size()).unwrap_or(0),
            };
            pages::check(&mut reader, &chunk).map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => corrupt(&format!("it has {error}")),
                io::ErrorKind::UnexpectedEof => corrupt("a column ends inside a page"),
                _ => DecodeFault::Unreadable(error),
            })?;
        }
        Ok(())
    }

    /// One row group as if it were the whole file, so that reading it does not touch the ones before.
    fn row_group(&self, group: usize) -> RowGroup<'_> {
        let mut metadata = self.footer.clone();
        metadata.num_rows = 0;
        if let Some(group) = self.metadata.row_groups.get(group) {
            metadata.num_rows = group.num_rows();
            metadata.row_groups.push(group.clone());
        }
        RowGroup { bytes: &self.bytes, rows: metadata.num_rows, metadata: Arc::new(metadata) }
    }
}

struct RowGroup<'a> {
    bytes: &'a Bytes,
    metadata: FileMetadataRef,
    rows: usize,
}

impl RowGroup<'_> {
    /// These rows of these columns, as many as asked for.
    fn read(&self, rows: &Range<usize>, columns: &[String]) -> DecodeResult<DataFrame> {
        let input = self.bytes.reader().map_err(DecodeFault::Unreadable)?;
        let frame = guarded(|| {
            let mut reader = ParquetReader::new(input)
                .with_columns(Some(columns.to_vec()))
                .with_slice(Some((rows.start, rows.len())))
                // On this thread, where the guard is.
                .read_parallel(ParallelStrategy::None);
            reader.set_metadata(Arc::clone(&self.metadata));
            reader.finish()
        })?;
        let is_complete = frame.columns().iter().all(|column| column.len() == rows.len());
        if is_complete && frame.width() == columns.len() { Ok(frame) } else { Err(corrupt("it ends before the rows it promises")) }
    }
}

impl Plan {
    /// The batch of these rows of the slice, without those that are not kept.
    fn batch(&self, frame: &DataFrame, rows: &Range<usize>, moments: &[Option<i64>]) -> PolarsResult<Batch> {
        let kept: Vec<bool> = moments.iter().map(Option::is_some).collect();
        let series = |name: &str| -> PolarsResult<Series> {
            let start = i64::try_from(rows.start).map_err(|_| PolarsError::OutOfBounds("row".into()))?;
            Ok(frame.column(name)?.as_materialized_series().slice(start, rows.len()))
        };
        let columns = self.columns.iter().map(|source| match source {
            Source::Absent => Ok(Column::Absent),
            Source::WrongType => Ok(Column::WrongType),
            Source::NullsOrWrongType(name) => {
                let series = series(name)?;
                let is_null = series.null_count() == series.len();
                Ok(if is_null { Column::Numeric(only(&kept, std::iter::repeat(MISSING))) } else { Column::WrongType })
            }
            Source::Numbers(name) => numbers(&series(name)?, &kept).map(Column::Numeric),
            Source::Labels(name) => labels(&series(name)?, &kept),
        });
        let columns = columns.collect::<PolarsResult<Vec<_>>>()?;
        let clusters = self.cluster.as_deref().map(|name| clusters(&series(name)?, &kept)).transpose()?;
        let moments = moments.iter().flatten().copied();
        let timestamps_us = if self.timestamp.is_some() { moments.collect() } else { Vec::new() };
        Ok(Batch { rows: kept.iter().filter(|kept| **kept).count(), columns, clusters, timestamps_us })
    }
}

fn read_slice(
    group: &RowGroup<'_>,
    slice: &Range<usize>,
    first_row: usize,
    plan: &Plan,
    intake: &mut Intake<'_>,
) -> DecodeResult<()> {
    // A row without a timestamp column is kept; which moment it has does not matter.
    let mut moments = vec![Some(0); slice.len()];
    if let Some(name) = &plan.timestamp {
        let frame = group.read(slice, std::slice::from_ref(name))?;
        guarded(|| admit(frame.column(name)?.as_materialized_series(), first_row, &mut moments, intake))?;
    } else {
        for _ in slice.clone() {
            intake.admit_without_timestamp();
        }
    }
    if moments.iter().all(Option::is_none) {
        return Ok(());
    }
    let frame = if plan.values.is_empty() { DataFrame::empty() } else { group.read(slice, &plan.values)? };
    let batch_rows = intake.request.batch_rows.max(1);
    for (index, moments) in moments.chunks(batch_rows).enumerate() {
        let start = index * batch_rows;
        let batch = guarded(|| plan.batch(&frame, &(start..start + moments.len()), moments))?;
        intake.send(batch);
    }
    Ok(())
}

/// Accounts for each row by its timestamp; what stays in `moments` goes on to its features.
fn admit(series: &Series, first_row: usize, moments: &mut [Option<i64>], intake: &mut Intake<'_>) -> PolarsResult<()> {
    let naive = intake.request.timestamp.as_ref().map(|column| column.naive);
    let mut rows = moments.iter_mut().zip(first_row as u64 + 1..);
    if let DataType::Datetime(unit, zone) = series.dtype() {
        let is_refused = zone.is_none() && naive == Some(NaiveTimestamps::Reject);
        for ((moment, line), value) in rows.zip(series.to_physical_repr().i64()?.iter()) {
            let read = match value {
                None => Err(RejectionReason::MissingTimestamp.into()),
                Some(_) if is_refused => Err(TimestampError::Naive.into()),
                Some(value) => in_microseconds(value, *unit).map_err(Refusal::from),
            };
            *moment = intake.admit_moment(read, line);
        }
        return Ok(());
    }
    each_cell(series, |cell| {
        if let Some((moment, line)) = rows.next() {
            *moment = intake.admit(cell, line);
        }
    })
}

fn in_microseconds(value: i64, unit: TimeUnit) -> Result<i64, TimestampError> {
    let microseconds = match unit {
        TimeUnit::Nanoseconds => Some(value.div_euclid(1_000)),
        TimeUnit::Microseconds => Some(value),
        TimeUnit::Milliseconds => value.checked_mul(1_000),
    };
    timestamp::in_range(microseconds.ok_or(TimestampError::OutOfRange)?)
}

fn corrupt(detail: &str) -> DecodeFault {
    DecodeFault::CorruptParquet { detail: detail.to_owned() }
}

/// Calls polars so that whatever goes wrong is an error about the object.
fn guarded<T>(call: impl FnOnce() -> PolarsResult<T>) -> DecodeResult<T> {
    match guard::call(call) {
        Some(Ok(value)) => Ok(value),
        Some(Err(PolarsError::IO { error, .. })) => Err(DecodeFault::Unreadable(io::Error::new(error.kind(), error.to_string()))),
        Some(Err(error)) => Err(corrupt(error.to_string().lines().next().unwrap_or_default())),
        None => Err(corrupt("it does not follow its own structure")),
    }
}
