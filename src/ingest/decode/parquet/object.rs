//! A Parquet object that is open: what its footer says, and whether that can be true.

use std::collections::HashSet;
use std::io::{Cursor, Read};
use std::ops::Range;

use polars::prelude::{ArrowDataType, ArrowField, ArrowSchema};
use polars_parquet::read::{ColumnChunkMetadata, FileMetadata, RowGroupMetadata, infer_schema, read_metadata};

use super::super::MOST_COLUMNS;
use super::super::compression::{self, Input, Ranges};
use super::super::error::{DecodeFault, DecodeResult, too_many_columns};
use super::super::format::Compression;
use super::plan::Shape;
use super::{corrupt, damage, footer, guarded};

/// Every Parquet file starts and ends with these bytes.
const MAGIC: &[u8; 4] = b"PAR1";
/// An object up to this size is got in one piece: a request costs more than its bytes.
const WHOLE_BYTES: u64 = 1 << 20;
/// What is got of a larger one in search of its footer.
const TAIL_BYTES: u64 = 64 << 10;
/// A footer is about a hundred bytes a column and row group; it is held twice.
const LONGEST_FOOTER_BYTES: u64 = 16 << 20;
/// A column of one row group is held as a whole, by each thread: a million rows take eight megabytes.
const MOST_CHUNK_BYTES: u64 = 128 << 20;
/// More rows than any object has, and so few that the steps to read them in are nothing.
const MOST_ROWS: u64 = 1 << 36;
/// Values that are all alike take next to no bytes, but some bytes a page.
const MOST_ROWS_A_BYTE: u64 = 1 << 16;
/// After the footer: its length in four bytes, and the magic bytes.
const TRAILER_BYTES: usize = 8;

/// An open file: where its bytes are and what its footer says.
pub(super) struct Object {
    pub origin: Origin,
    length: u64,
    pub metadata: FileMetadata,
    /// The columns at the top level, in order, duplicates included.
    pub names: Vec<String>,
    /// The names that occur again. polars gives no schema to such a file, so that it is unusable even if nobody needs them.
    pub duplicates: Vec<String>,
    schema: ArrowSchema,
}

/// Where the bytes are.
pub(super) enum Origin {
    Memory(Vec<u8>),
    Ranges(Box<dyn Ranges>),
}

impl Object {
    /// `None` when there are no bytes at all.
    pub fn open(input: Input, compression: Compression) -> DecodeResult<Option<Self>> {
        let (origin, length) = match (input, compression) {
            (Input::Ranges(ranges), Compression::None) => {
                let length = ranges.length();
                if length > WHOLE_BYTES {
                    (Origin::Ranges(ranges), length)
                } else {
                    (Origin::Memory(get(ranges.as_ref(), 0..length)?), length)
                }
            }
            (input, compression) => {
                let mut bytes = Vec::new();
                let mut plain = compression::open(input, compression).map_err(DecodeFault::Unreadable)?;
                let read = plain.reader.read_to_end(&mut bytes);
                read.map_err(|error| plain.source.blame(compression, error))?;
                let length = bytes.len() as u64;
                (Origin::Memory(bytes), length)
            }
        };
        if length == 0 {
            return Ok(None);
        }
        let metadata = match &origin {
            Origin::Memory(bytes) if !bytes.starts_with(MAGIC) => return Err(corrupt("does not start as Parquet does")),
            Origin::Memory(bytes) => metadata(bytes, length)?,
            Origin::Ranges(ranges) => metadata(&tail(ranges.as_ref(), length)?, length)?,
        };
        let names: Vec<String> = metadata.schema_descr.fields().iter().map(|field| field.name().to_owned()).collect();
        if names.len() > MOST_COLUMNS {
            return Err(DecodeFault::TooLarge { what: too_many_columns() });
        }
        let mut seen = HashSet::new();
        let duplicates: Vec<String> = names.iter().filter(|name| !seen.insert(name.as_str())).cloned().collect();
        let schema = match guarded(|| infer_schema(&metadata)) {
            Err(_) if !duplicates.is_empty() => ArrowSchema::default(),
            schema => schema?,
        };
        Ok(Some(Self { origin, length, metadata, names, duplicates, schema }))
    }

    /// Whether reading costs little more than the bytes.
    pub fn is_near(&self) -> bool {
        match &self.origin {
            Origin::Memory(_) => true,
            Origin::Ranges(ranges) => ranges.is_near(),
        }
    }

    pub fn groups(&self) -> usize {
        self.metadata.row_groups.len()
    }

    pub fn rows(&self, group: usize) -> usize {
        self.metadata.row_groups.get(group).map_or(0, RowGroupMetadata::num_rows)
    }

    pub fn field(&self, name: &str) -> Option<&ArrowField> {
        self.schema.get(name)
    }

    pub fn shape(&self, name: &str) -> Option<Shape> {
        self.field(name).map(|field| shape(&field.dtype))
    }

    /// A flat column of a row group.
    pub fn chunk(&self, group: usize, name: &str) -> Option<&ColumnChunkMetadata> {
        self.metadata.row_groups.get(group)?.columns_under_root_iter(name)?.next()
    }

    /// Whether the footer agrees with itself and with the size of the file: polars reads missing columns as nulls and trusts the
    /// counts.
    pub fn check_layout(&self, read: &[String]) -> DecodeResult<()> {
        let groups = &self.metadata.row_groups;
        let rows = groups.iter().try_fold(0_usize, |sum, group| sum.checked_add(group.num_rows()));
        if rows != Some(self.metadata.num_rows) {
            return Err(corrupt("the row groups do not add up to the rows of the file"));
        }
        if self.metadata.num_rows as u64 > MOST_ROWS.min(self.length.saturating_mul(MOST_ROWS_A_BYTE)) {
            return Err(corrupt("it promises more rows than so many bytes can hold"));
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
            let bytes = range.end - range.start;
            if bytes > MOST_CHUNK_BYTES {
                let what = format!(
                    "a column `{name}` of {bytes} bytes in one row group, more than {MOST_CHUNK_BYTES}: write row groups of fewer rows, such \
                     as 1,000,000"
                );
                return Err(DecodeFault::TooLarge { what });
            }
        }
        Ok(())
    }
}

/// The footer and what follows it.
fn tail(ranges: &dyn Ranges, length: u64) -> DecodeResult<Vec<u8>> {
    if get(ranges, 0..MAGIC.len() as u64)? != MAGIC {
        return Err(corrupt("does not start as Parquet does"));
    }
    let mut tail = get(ranges, length - TAIL_BYTES..length)?;
    let footer = footer_bytes(&tail, length)?;
    if footer > TAIL_BYTES {
        let mut whole = get(ranges, length - footer..length - TAIL_BYTES)?;
        whole.append(&mut tail);
        return Ok(whole);
    }
    Ok(tail)
}

/// What the footer at the end of these bytes says, which are the end of an object.
fn metadata(end: &[u8], length: u64) -> DecodeResult<FileMetadata> {
    let bytes = usize::try_from(footer_bytes(end, length)?).unwrap_or(usize::MAX);
    let start = end.len().checked_sub(bytes).ok_or_else(|| corrupt("does not end as Parquet does"))?;
    let footer = end.get(start..end.len() - TRAILER_BYTES).unwrap_or_default();
    footer::check(footer).map_err(|error| damage(error, "its footer ends too early"))?;
    guarded(|| read_metadata(&mut Cursor::new(end)))
}

/// How many bytes the footer has with what follows it, by the end of the object.
fn footer_bytes(end: &[u8], length: u64) -> DecodeResult<u64> {
    let trailer = end.last_chunk::<TRAILER_BYTES>();
    let footer = trailer.filter(|trailer| trailer.ends_with(MAGIC)).map(|[a, b, c, d, ..]| {
        let bytes = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
        bytes + TRAILER_BYTES as u64
    });
    let footer = footer.filter(|footer| *footer <= length).ok_or_else(|| corrupt("does not end as Parquet does"))?;
    if footer > LONGEST_FOOTER_BYTES {
        let what = format!(
            "a footer of {footer} bytes, more than {LONGEST_FOOTER_BYTES}: write fewer columns, or row groups of more rows"
        );
        return Err(DecodeFault::TooLarge { what });
    }
    Ok(footer)
}

/// All bytes of a range.
fn get(ranges: &dyn Ranges, range: Range<u64>) -> DecodeResult<Vec<u8>> {
    let length = range.end.saturating_sub(range.start);
    let bytes = ranges.get(range).map_err(DecodeFault::Unreadable)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(DecodeFault::Unreadable(std::io::ErrorKind::UnexpectedEof.into())) }
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
