//! A batch of rows as columns, and the builder that the text formats fill cell by cell.
//!
//! The builder decides late: whether text in a numeric column condemns its row or the whole column is only known once the batch
//! is full.

use std::collections::HashMap;
use std::fmt::{Debug, Write};
use std::sync::Arc;

use crate::feature::{ColumnBatch, FeatureKind, MISSING, MISSING_CODE};

use super::Request;
use super::cell::{self, Cell, Label, MISSING_CLUSTER, Numeric};
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
                (None, ColumnBatch::Numeric(values)) => read = Some(Column::Numeric(values.to_vec())),
                (Some(Column::Numeric(read)), ColumnBatch::Numeric(values)) => read.extend_from_slice(values),
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

impl Interner {
    pub fn code(&mut self, label: &str) -> u32 {
        if let Some(code) = self.codes.get(label) {
            return *code;
        }
        // A batch has far fewer rows than there are codes; the last one is MISSING_CODE.
        let code = u32::try_from(self.dictionary.len()).unwrap_or(MISSING_CODE);
        self.codes.insert(label.to_owned(), code);
        self.dictionary.push(label.to_owned());
        code
    }

    pub fn take(&mut self) -> Vec<String> {
        self.codes.clear();
        std::mem::take(&mut self.dictionary)
    }
}

/// A cell that its column cannot hold.
pub(super) struct Fault {
    row: usize,
    pub place: Place,
    pub reason: RejectionReason,
    pub detail: &'static str,
}

/// Where a cell is: its line, and its requested column or (`None`) the cluster's.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub line: u64,
    pub column: Option<usize>,
}

pub(super) struct Builder {
    rows: usize,
    batch_rows: usize,
    columns: Vec<Values>,
    clusters: Vec<u64>,
    timestamps_us: Vec<i64>,
    faults: Vec<Fault>,
    /// For numbers in text form among labels.
    scratch: String,
}

enum Values {
    Numeric { values: Vec<f64>, evidence: Evidence },
    Categorical { codes: Vec<u32>, labels: Interner },
}

/// What tells a column that changed its type from one with a few bad cells.
#[derive(Default)]
struct Evidence {
    numbers: usize,
    others: usize,
    numbers_in_last_batch: usize,
}

impl Evidence {
    /// Not one number among the rows of the batch, and something else. A short last batch is too little to tell, and is judged
    /// together with the one before it.
    fn is_other_type(&self, is_full: bool) -> bool {
        self.others > 0 && self.numbers == 0 && (is_full || self.numbers_in_last_batch == 0)
    }
}

impl Builder {
    pub fn new(request: &Request) -> Self {
        let values = |kind: &FeatureKind| match kind {
            FeatureKind::Numeric => Values::Numeric { values: Vec::new(), evidence: Evidence::default() },
            FeatureKind::Categorical => Values::Categorical { codes: Vec::new(), labels: Interner::default() },
        };
        Self {
            rows: 0,
            batch_rows: request.batch_rows.max(1),
            columns: request.columns.iter().map(|(_, kind)| values(kind)).collect(),
            clusters: Vec::new(),
            timestamps_us: Vec::new(),
            faults: Vec::new(),
            scratch: String::new(),
        }
    }

    pub fn is_full(&self) -> bool {
        self.rows >= self.batch_rows
    }

    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Starts a row; one cell for every requested column, and one for the cluster if there is one, must follow.
    pub fn begin_row(&mut self, moment_us: Option<i64>) {
        self.rows += 1;
        self.timestamps_us.extend(moment_us);
    }

    pub fn push(&mut self, place: Place, cell: Cell<'_>) {
        let fault = match place.column.map(|column| self.columns.get_mut(column)) {
            Some(Some(Values::Numeric { values, evidence })) => push_number(values, evidence, cell),
            Some(Some(Values::Categorical { codes, labels })) => {
                let label = as_label(cell, &mut self.scratch);
                codes.push(label.map_or(MISSING_CODE, |label| label.map_or(MISSING_CODE, |label| labels.code(label))));
                label.err()
            }
            Some(None) => None,
            None => {
                let label = as_label(cell, &mut self.scratch);
                self.clusters.push(label.map_or(MISSING_CLUSTER, |label| label.map_or(MISSING_CLUSTER, cell::cluster)));
                label.err()
            }
        };
        if let Some(reason) = fault {
            let detail = if reason == RejectionReason::WrongType { "not a number" } else { "" };
            self.faults.push(Fault { row: self.rows - 1, place, reason, detail });
        }
    }

    /// Ends the batch: the rows that can be used, and for each of the others the first fault in it.
    pub fn take(&mut self, columns_seen: &[bool], has_clusters: bool) -> (Batch, Vec<Fault>) {
        let is_full = self.is_full();
        let other_type: Vec<bool> = self.columns.iter().map(|column| column.is_other_type(is_full)).collect();
        let mut faults = std::mem::take(&mut self.faults);
        faults.retain(|fault| {
            let column_changed = fault.place.column.and_then(|column| other_type.get(column)) == Some(&true);
            !(column_changed && fault.reason == RejectionReason::WrongType)
        });
        faults.dedup_by_key(|fault| fault.row);

        let rows = std::mem::take(&mut self.rows);
        let kept = Kept::new(rows, &faults);
        let columns = self.columns.iter_mut().zip(&other_type).zip(columns_seen);
        let columns = columns.map(|((column, other_type), seen)| {
            let taken = column.take(&kept);
            match (seen, other_type) {
                (false, _) => Column::Absent,
                (true, true) => Column::WrongType,
                (true, false) => taken,
            }
        });
        let columns = columns.collect();
        let clusters = kept.only(std::mem::take(&mut self.clusters));
        let timestamps_us = kept.only(std::mem::take(&mut self.timestamps_us));
        let clusters = has_clusters.then_some(clusters);
        (Batch { rows: rows - faults.len(), columns, clusters, timestamps_us }, faults)
    }
}

fn push_number(values: &mut Vec<f64>, evidence: &mut Evidence, cell: Cell<'_>) -> Option<RejectionReason> {
    let read = match cell {
        Cell::Missing => Numeric::Missing,
        Cell::Text(bytes) => cell::numeric(bytes),
        Cell::Integer(number) => Numeric::Number(number as f64),
        Cell::Number(number) => Numeric::Number(cell::canonical(number)),
        Cell::Bool(_) => Numeric::NotANumber,
        Cell::Nested | Cell::Duplicate => {
            values.push(MISSING);
            return Some(structural(cell));
        }
    };
    let (value, fault) = match read {
        Numeric::Number(number) => {
            evidence.numbers += 1;
            (number, None)
        }
        Numeric::Missing => (MISSING, None),
        Numeric::NotUtf8 => (MISSING, Some(RejectionReason::InvalidUtf8)),
        Numeric::NotANumber => {
            evidence.others += 1;
            (MISSING, Some(RejectionReason::WrongType))
        }
    };
    values.push(value);
    fault
}

/// The label in a cell, if it has one. Numbers are written as short as they can be, so that 1 and 1.0 are one label.
pub(super) fn as_label<'c>(cell: Cell<'c>, scratch: &'c mut String) -> Result<Option<&'c str>, RejectionReason> {
    scratch.clear();
    let written = match cell {
        Cell::Missing => return Ok(None),
        Cell::Text(bytes) => {
            return match cell::label(bytes) {
                Label::Missing => Ok(None),
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

impl Values {
    fn is_other_type(&self, is_full: bool) -> bool {
        matches!(self, Self::Numeric { evidence, .. } if evidence.is_other_type(is_full))
    }

    fn take(&mut self, kept: &Kept) -> Column {
        match self {
            Self::Numeric { values, evidence } => {
                *evidence = Evidence { numbers_in_last_batch: evidence.numbers, ..Evidence::default() };
                Column::Numeric(kept.only(std::mem::take(values)))
            }
            Self::Categorical { codes, labels } => {
                Column::Categorical { codes: kept.only(std::mem::take(codes)), dictionary: labels.take() }
            }
        }
    }
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

    fn only<T>(&self, mut values: Vec<T>) -> Vec<T> {
        if let Some(kept) = &self.rows {
            let mut rows = kept.iter();
            values.retain(|_| rows.next().is_none_or(|kept| *kept));
        }
        values
    }
}
