//! One column of a slice of a row group: from bytes to values, when they are counted.

use std::cell::Cell;
use std::fmt;
use std::io::{BufReader, Cursor};
use std::ops::Range;
use std::sync::Arc;

use polars::prelude::Series;
use polars_buffer::Buffer;
use polars_parquet::read::{BasicDecompressor, Filter, PageReader, column_iter_to_arrays};

use super::super::batch::Deferred;
use super::super::error::DecodeResult;
use super::bytes::Group;
use super::moments::Kept;
use super::object::Object;
use super::{corrupt, damage, guarded, pages, values};
use crate::feature::{ColumnBatch, MISSING};

/// What is wanted of the column.
#[derive(Clone, Copy, Debug)]
pub(super) enum Values {
    Numbers,
    Labels,
    /// Missing values where it holds nothing but nulls; of another type otherwise.
    Nulls,
}

/// Rows of a row group that are used, all or some.
pub(super) struct UsedPiece {
    pub group: Arc<Group>,
    pub rows: Range<usize>,
    /// Of these rows.
    pub kept: Kept,
}

/// A column that is decoded when it is counted.
pub(super) struct DeferredColumn {
    object: Arc<Object>,
    pieces: Arc<Vec<UsedPiece>>,
    name: String,
    values: Values,
}

impl DeferredColumn {
    pub fn new(object: &Arc<Object>, pieces: &Arc<Vec<UsedPiece>>, name: String, values: Values) -> Self {
        Self { object: Arc::clone(object), pieces: Arc::clone(pieces), name, values }
    }

    fn read_piece(&self, piece: &UsedPiece, take: &mut dyn FnMut(ColumnBatch<'_>)) -> DecodeResult<()> {
        let series = read(&self.object, &piece.group, &piece.rows, &self.name)?;
        match self.values {
            Values::Numbers => guarded(|| {
                if let Some(values) = values::as_numbers(&series, &piece.kept) {
                    take(ColumnBatch::Numeric(values));
                } else {
                    take(ColumnBatch::Numeric(&values::numbers(&series, &piece.kept)?));
                }
                Ok(())
            }),
            Values::Labels => guarded(|| values::labels(&series, &piece.kept, take)),
            Values::Nulls => {
                let rows = piece.kept.count(piece.rows.len());
                if series.null_count() == series.len() {
                    take(ColumnBatch::Numeric(&vec![MISSING; rows]));
                } else {
                    take(ColumnBatch::WrongType { rows });
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for DeferredColumn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} pieces of `{}`", self.pieces.len(), self.name)
    }
}

impl Deferred for DeferredColumn {
    fn read(&self, take: &mut dyn FnMut(ColumnBatch<'_>)) -> DecodeResult<()> {
        self.pieces.iter().try_for_each(|piece| self.read_piece(piece, take))
    }
}

thread_local! {
    /// The bytes of the column that this thread decoded last: its memory is used again.
    static BYTES: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// These rows of a column of a row group, as many as asked for.
pub(super) fn read(object: &Object, group: &Group, rows: &Range<usize>, name: &str) -> DecodeResult<Series> {
    let missing = || corrupt("a row group lacks a column of the schema");
    let chunk = object.chunk(group.index, name).ok_or_else(missing)?;
    let field = object.field(name).ok_or_else(missing)?;
    let mut bytes = BYTES.take();
    group.read(object, chunk.byte_range(), &mut bytes)?;
    check_pages(&bytes, chunk.num_values(), chunk.uncompressed_size())?;
    let (series, bytes) = guarded(|| {
        let filter = (rows.len() < object.rows(group.index)).then(|| Filter::Range(rows.clone()));
        let bytes = Buffer::from(bytes);
        let pages = PageReader::new(Cursor::new(bytes.clone()), chunk, Vec::new(), usize::MAX);
        let kind = &chunk.descriptor().descriptor.primitive_type;
        let (arrays, _) =
            column_iter_to_arrays(vec![BasicDecompressor::new(pages, Vec::new())], vec![kind], field.clone(), filter)?;
        Ok((Series::try_from((field, arrays))?, bytes))
    })?;
    // Values may still lie in these bytes; then others take their place.
    BYTES.set(bytes.into_mut().right().unwrap_or_default());
    if series.len() == rows.len() { Ok(series) } else { Err(corrupt("it ends before the rows it promises")) }
}

/// Whether the pages are what the footer says.
fn check_pages(bytes: &[u8], values: i64, uncompressed_bytes: i64) -> DecodeResult<()> {
    let chunk = pages::Chunk {
        start: 0,
        end: bytes.len() as u64,
        values: u64::try_from(values).unwrap_or(0),
        uncompressed_bytes: u64::try_from(uncompressed_bytes).unwrap_or(0),
    };
    let checked = pages::check(&mut BufReader::with_capacity(1 << 10, Cursor::new(bytes)), &chunk);
    checked.map_err(|error| damage(error, "a column ends inside a page"))
}
