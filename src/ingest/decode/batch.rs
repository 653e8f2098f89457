//! A batch of rows as columns, and the builder that the text formats fill.
//!
//! The builder decides late: whether text in a numeric column condemns its row or the whole column is only known once the batch
//! is full.

use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::ops::Range;
use std::sync::Arc;

use crate::feature::{ColumnBatch, MISSING_CODE, is_missing};

use super::Request;
use super::cell::{self, Cell, Label};
use super::cells::{Cells, Fault, Values};
use super::error::DecodeFault;
use super::rejection::RejectionReason;

/// Rows of one object, column by column.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// At least 1.
    pub rows: usize,
    /// One for each requested column, in that order.
    pub columns: Vec<Column>,
    /// One hash a row of the text in the cluster column, [`MISSING_CLUSTER`] where it is empty; `None` when no cluster column is
    /// requested or the object has none.
    pub clusters: Option<Vec<u64>>,
    /// One moment a row in microseconds since the epoch; empty when no timestamp column is requested.
    pub timestamps_us: Vec<i64>,
}

/// The values of one column in one batch.
#[derive(Clone, Debug)]
pub enum Column {
    /// One number a row; [`MISSING`] where the cell is empty, NaN or infinite where that is the value.
    Numeric(Vec<f64>),
    /// One code a row into the dictionary; [`MISSING_CODE`] where the cell is empty. The dictionary may hold labels that no row of
    /// the batch uses.
    Categorical { codes: Vec<u32>, dictionary: Vec<String> },
    /// The object has no such column.
    Absent,
    /// The column is there, but nothing in it is of the requested kind.
    WrongType,
    /// Values that are decoded when they are wanted.
    Deferred(Arc<dyn Deferred>),
}

/// Columns that are not decoded yet are equal to none.
impl PartialEq for Column {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Numeric(values), Self::Numeric(others)) => values == others,
            (Self::Categorical { codes, dictionary }, Self::Categorical { codes: other_codes, dictionary: other_dictionary }) => {
                codes == other_codes && dictionary == other_dictionary
            }
            (Self::Absent, Self::Absent) | (Self::WrongType, Self::WrongType) => true,
            _ => false,
        }
    }
}

/// A column that is not decoded yet.
pub trait Deferred: Send + Sync + Debug {
    /// Decodes it and hands it on, in one piece or several.
    ///
    /// # Errors
    /// When the object turns out to be damaged.
    fn read(&self, take: &mut dyn FnMut(ColumnBatch<'_>)) -> Result<(), DecodeFault>;
}

fn canonical(values: &[f64]) -> impl Iterator<Item = f64> {
    values.iter().map(|value| cell::canonical(*value))
}

impl Batch {
    /// The batch with every column decoded.
    ///
    /// # Errors
    /// When the object turns out to be damaged.
    pub fn read(mut self) -> Result<Self, DecodeFault> {
        for column in &mut self.columns {
            let Column::Deferred(deferred) = column else { continue };
            let mut read: Option<Column> = None;
            deferred.read(&mut |piece| match (&mut read, piece) {
                (None, ColumnBatch::Numeric(values)) => read = Some(Column::Numeric(canonical(values).collect())),
                (Some(Column::Numeric(read)), ColumnBatch::Numeric(values)) => read.extend(canonical(values)),
                (None, ColumnBatch::Categorical { codes, dictionary }) => {
                    read = Some(Column::Categorical { codes: codes.to_vec(), dictionary: dictionary.to_vec() });
                }
                (Some(Column::Categorical { codes: read, dictionary: known }), ColumnBatch::Categorical { codes, dictionary }) => {
                    // Every piece has a dictionary of its own.
                    let offset = u32::try_from(known.len()).unwrap_or(MISSING_CODE);
                    let moved = |code: &u32| if *code == MISSING_CODE { MISSING_CODE } else { code.saturating_add(offset) };
                    read.extend(codes.iter().map(moved));
                    known.extend_from_slice(dictionary);
                }
                (_, ColumnBatch::Absent { .. }) => read = Some(Column::Absent),
                _ => read = Some(Column::WrongType),
            })?;
            *column = read.unwrap_or(Column::Absent);
        }
        Ok(self)
    }

    /// Some rows of a batch whose columns are all decoded ([`Self::read`]).
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let columns = self.columns.iter().map(|column| match column {
            Column::Numeric(values) => Column::Numeric(selected(values, rows)),
            Column::Categorical { codes, dictionary } => {
                Column::Categorical { codes: selected(codes, rows), dictionary: dictionary.clone() }
            }
            Column::WrongType => Column::WrongType,
            Column::Absent | Column::Deferred(_) => Column::Absent,
        });
        Self {
            rows: rows.len(),
            columns: columns.collect(),
            clusters: self.clusters.as_ref().map(|clusters| selected(clusters, rows)),
            timestamps_us: selected(&self.timestamps_us, rows),
        }
    }
}

/// Some rows of a column, in this order.
pub fn selected<T: Copy>(values: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().filter_map(|row| values.get(*row)).copied().collect()
}

impl Column {
    /// Hands on the column, borrowed or decoded, in one piece or several; `rows` is the batch's.
    ///
    /// # Errors
    /// When the object turns out to be damaged.
    pub fn read(&self, rows: usize, take: &mut dyn FnMut(ColumnBatch<'_>)) -> Result<(), DecodeFault> {
        match self {
            Self::Numeric(values) => take(ColumnBatch::Numeric(values)),
            Self::Categorical { codes, dictionary } => take(ColumnBatch::Categorical { codes, dictionary }),
            Self::Absent => take(ColumnBatch::Absent { rows }),
            Self::WrongType => take(ColumnBatch::WrongType { rows }),
            Self::Deferred(deferred) => return deferred.read(take),
        }
        Ok(())
    }
}

/// Numbers the distinct labels of a batch.
#[derive(Default)]
pub(super) struct Interner {
    codes: HashMap<String, u32>,
    dictionary: Vec<String>,
}

/// Most columns have few labels: those are looked through before anything is hashed.
const FEW_LABELS: usize = 8;

impl Interner {
    pub fn code(&mut self, label: &str) -> u32 {
        let few = self.dictionary.iter().take(FEW_LABELS).position(|known| known == label);
        if let Some(code) = few.and_then(|code| u32::try_from(code).ok()).or_else(|| self.codes.get(label).copied()) {
            return code;
        }
        // A batch has far fewer rows than there are codes; the last one is MISSING_CODE.
        let code = u32::try_from(self.dictionary.len()).unwrap_or(MISSING_CODE);
        if self.dictionary.len() >= FEW_LABELS {
            self.codes.insert(label.to_owned(), code);
        }
        self.dictionary.push(label.to_owned());
        code
    }

    /// Adds rows of another interner's codes to `codes`, as this one's.
    pub fn translate(&mut self, other: &Self, others: &[u32], codes: &mut Vec<u32>) {
        // In the order of the rows, so that the dictionary does not depend on where the pieces of an object end.
        let mut own = vec![MISSING_CODE; other.dictionary.len()];
        codes.extend(others.iter().map(|code| {
            let at = usize::try_from(*code).unwrap_or(usize::MAX);
            let (Some(own), Some(label)) = (own.get_mut(at), other.dictionary.get(at)) else { return MISSING_CODE };
            if *own == MISSING_CODE {
                *own = self.code(label);
            }
            *own
        }));
    }

    pub fn clear(&mut self) {
        self.codes.clear();
        self.dictionary.clear();
    }

    pub fn take(&mut self) -> Vec<String> {
        self.codes.clear();
        std::mem::take(&mut self.dictionary)
    }
}

/// Puts a batch together from the cells of several pieces of an object.
pub(super) struct Builder {
    /// Half the rows that a batch can have.
    enough_rows: usize,
    cells: Cells,
    /// One for each requested column.
    evidence: Vec<Evidence>,
    /// The rows of the last full batch: the next one will have about as many.
    expected_rows: usize,
}

/// What tells a column that changed its type from one with a few bad cells: the rows before those that are judged. A batch in which
/// few rows were looked at, because it is the last or because most of its rows lie outside the window, is too little to tell, and
/// is judged together with those before it.
#[derive(Clone, Copy, Default)]
struct Evidence {
    /// Rows of batches that were too short to tell, together.
    short_rows: usize,
    number_in_short: bool,
    /// Whether there was a number in the last rows that were enough to tell.
    number_before: bool,
}

impl Evidence {
    /// Takes the next batch. Whether its column is of another type: not one number among enough rows, and something else.
    fn judge(&mut self, batch: Judged, enough_rows: usize) -> bool {
        let own_rows_are_enough = batch.is_full && batch.rows >= enough_rows;
        let (rows, has_number) = if own_rows_are_enough {
            (batch.rows, batch.has_number)
        } else {
            (self.short_rows + batch.rows, self.number_in_short || batch.has_number)
        };
        let is_enough = batch.is_full && rows >= enough_rows;
        let is_other_type = batch.has_other && !has_number && (is_enough || !self.number_before);
        *self = if is_enough {
            Self { number_before: has_number, ..Self::default() }
        } else {
            Self { short_rows: rows, number_in_short: has_number, ..*self }
        };
        is_other_type
    }
}

/// A numeric column of one batch.
#[derive(Clone, Copy)]
struct Judged {
    rows: usize,
    /// Whether the batch ends because so many rows of the object were read.
    is_full: bool,
    has_number: bool,
    /// Whether something in it is neither a number nor missing.
    has_other: bool,
}

impl Builder {
    pub fn new(request: &Request) -> Self {
        Self {
            enough_rows: request.batch_rows.max(1).div_ceil(2),
            cells: Cells::new(request),
            evidence: vec![Evidence::default(); request.columns.len()],
            expected_rows: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.cells.rows == 0
    }

    /// Adds some rows of a piece, whose lines are counted from below line `above`.
    pub fn append(&mut self, cells: &Cells, rows: Range<usize>, above: u64) {
        if rows.is_empty() {
            return;
        }
        if self.is_empty() {
            self.cells.reserve(self.expected_rows);
        }
        self.cells.append(cells, rows, above);
    }

    /// Ends the batch: the rows that can be used, and for each of the others the first fault in it. It is full when as many rows of
    /// the object were read as a batch can have.
    pub fn take(&mut self, is_full: bool, columns_seen: &[bool], has_clusters: bool) -> (Batch, Vec<Fault>) {
        let rows = std::mem::take(&mut self.cells.rows);
        let mut faults = std::mem::take(&mut self.cells.faults);
        let mut other_type = Vec::with_capacity(columns_seen.len());
        for (at, (column, evidence)) in self.cells.columns.iter().zip(&mut self.evidence).enumerate() {
            let Values::Numeric(values) = column else {
                other_type.push(false);
                continue;
            };
            let has_number = values.iter().any(|value| !is_missing(*value));
            let is_other = |fault: &Fault| fault.place.column == Some(at) && fault.reason == RejectionReason::WrongType;
            let has_other = !has_number && faults.iter().any(is_other);
            other_type.push(evidence.judge(Judged { rows, is_full, has_number, has_other }, self.enough_rows));
        }
        faults.retain(|fault| {
            let column_changed = fault.place.column.and_then(|column| other_type.get(column)) == Some(&true);
            !(column_changed && fault.reason == RejectionReason::WrongType)
        });
        // The first fault of a row is that of the column that was requested first; the cluster's is the last.
        faults.sort_by_key(|fault| (fault.row, fault.place.column.unwrap_or(usize::MAX)));
        faults.dedup_by_key(|fault| fault.row);

        self.expected_rows = if is_full { rows } else { 0 };
        let kept = Kept::new(rows, &faults);
        let columns = self.cells.columns.iter_mut().zip(&other_type).zip(columns_seen);
        let columns = columns.map(|((column, other_type), seen)| {
            let taken = kept.column(column);
            match (seen, other_type) {
                (false, _) => Column::Absent,
                (true, true) => Column::WrongType,
                (true, false) => taken,
            }
        });
        let columns = columns.collect();
        let clusters = kept.only(std::mem::take(&mut self.cells.clusters));
        let timestamps_us = kept.only(std::mem::take(&mut self.cells.timestamps_us));
        let clusters = has_clusters.then_some(clusters);
        (Batch { rows: rows - faults.len(), columns, clusters, timestamps_us }, faults)
    }
}

/// A label of more bytes is kept by its beginning and a digest of all of it: that still tells it from others, and a batch of them fits into
/// memory.
const LONGEST_LABEL: usize = 256;

/// The label in a cell, if it has one. Numbers are written as short as they can be, so that 1 and 1.0 are one label.
pub(super) fn as_label<'c>(cell: Cell<'c>, scratch: &'c mut String) -> Result<Option<&'c str>, RejectionReason> {
    scratch.clear();
    let written = match cell {
        Cell::Missing => return Ok(None),
        Cell::Text(bytes) => {
            return match cell::label(bytes) {
                Label::Missing => Ok(None),
                Label::Text(text) if text.len() > LONGEST_LABEL => {
                    cell::shorten(text, scratch);
                    Ok(Some(scratch.as_str()))
                }
                Label::Text(text) => Ok(Some(text)),
                Label::NotUtf8 => Err(RejectionReason::InvalidUtf8),
            };
        }
        Cell::Bool(value) => return Ok(Some(if value { "true" } else { "false" })),
        Cell::Number(number) if number.is_nan() => return Ok(None),
        Cell::Number(number) => write!(scratch, "{}", cell::canonical(number)),
        Cell::Integer(number) => write!(scratch, "{number}"),
        Cell::Nested | Cell::Duplicate => return Err(structural(cell)),
    };
    // Writing to a String cannot fail.
    Ok(written.is_ok().then_some(scratch.as_str()))
}

fn structural(cell: Cell<'_>) -> RejectionReason {
    if matches!(cell, Cell::Duplicate) { RejectionReason::DuplicateKey } else { RejectionReason::NestedValue }
}

/// Which rows of a batch stay.
struct Kept {
    rows: Option<Vec<bool>>,
}

impl Kept {
    fn new(rows: usize, faults: &[Fault]) -> Self {
        if faults.is_empty() {
            return Self { rows: None };
        }
        let mut kept = vec![true; rows];
        for fault in faults {
            if let Some(row) = kept.get_mut(fault.row) {
                *row = false;
            }
        }
        Self { rows: Some(kept) }
    }

    /// Empties the column.
    fn column(&self, values: &mut Values) -> Column {
        match values {
            Values::Numeric(values) => Column::Numeric(self.only(std::mem::take(values))),
            Values::Categorical { codes, labels } => {
                Column::Categorical { codes: self.only(std::mem::take(codes)), dictionary: labels.take() }
            }
        }
    }

    fn only<T>(&self, mut values: Vec<T>) -> Vec<T> {
        if let Some(kept) = &self.rows {
            let mut rows = kept.iter();
            values.retain(|_| rows.next().is_none_or(|kept| *kept));
        }
        values
    }
}
