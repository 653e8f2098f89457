//! The cells of rows, column by column, as they are read. What a fault in them means is decided where the batch ends.

use std::ops::Range;

use crate::feature::{FeatureKind, MISSING, MISSING_CODE};

use super::Request;
use super::batch::{Interner, as_label};
use super::cell::{self, Cell, MISSING_CLUSTER, Numeric};
use super::rejection::RejectionReason;

/// The needed cells of admitted rows.
pub(super) struct Cells {
    pub rows: usize,
    pub columns: Vec<Values>,
    pub clusters: Vec<u64>,
    pub timestamps_us: Vec<i64>,
    /// By row; those of one row in no order.
    pub faults: Vec<Fault>,
    /// For numbers in text form among labels.
    scratch: String,
}

pub(super) enum Values {
    Numeric(Vec<f64>),
    Categorical { codes: Vec<u32>, labels: Interner },
}

/// A cell that its column cannot hold.
#[derive(Clone)]
pub(super) struct Fault {
    pub row: usize,
    pub place: Place,
    pub reason: RejectionReason,
}

/// Where a cell is: its line, and its requested column or (`None`) the cluster's.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub line: u64,
    pub column: Option<usize>,
}

impl Cells {
    pub fn new(request: &Request) -> Self {
        let values = |kind: &FeatureKind| match kind {
            FeatureKind::Numeric => Values::Numeric(Vec::new()),
            FeatureKind::Categorical => Values::Categorical { codes: Vec::new(), labels: Interner::default() },
        };
        Self {
            rows: 0,
            columns: request.columns.iter().map(|(_, kind)| values(kind)).collect(),
            clusters: Vec::new(),
            timestamps_us: Vec::new(),
            faults: Vec::new(),
            scratch: String::new(),
        }
    }

    pub fn clear(&mut self) {
        self.rows = 0;
        for column in &mut self.columns {
            match column {
                Values::Numeric(values) => values.clear(),
                Values::Categorical { codes, labels } => {
                    codes.clear();
                    labels.clear();
                }
            }
        }
        self.clusters.clear();
        self.timestamps_us.clear();
        self.faults.clear();
    }

    /// Room for so many more rows.
    pub fn reserve(&mut self, rows: usize) {
        for column in &mut self.columns {
            match column {
                Values::Numeric(values) => values.reserve(rows),
                Values::Categorical { codes, .. } => codes.reserve(rows),
            }
        }
        self.timestamps_us.reserve(rows);
    }

    /// Starts a row; one cell for every requested column, and one for the cluster if there is one, must follow, in any order.
    pub fn begin_row(&mut self, moment_us: Option<i64>) {
        self.rows += 1;
        self.timestamps_us.extend(moment_us);
    }

    pub fn push(&mut self, place: Place, cell: Cell<'_>) {
        let fault = match place.column.map(|column| self.columns.get_mut(column)) {
            Some(Some(Values::Numeric(values))) => push_number(values, cell),
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
            self.faults.push(Fault { row: self.rows - 1, place, reason });
        }
    }

    /// Pushes a number that is canonical; `false` when the column holds no numbers.
    pub fn push_number(&mut self, column: usize, number: f64) -> bool {
        match self.columns.get_mut(column) {
            Some(Values::Numeric(values)) => {
                values.push(number);
                true
            }
            _ => false,
        }
    }

    /// Adds some rows of others; their lines are counted from below line `above`.
    pub fn append(&mut self, other: &Self, rows: Range<usize>, above: u64) {
        for (own, others) in self.columns.iter_mut().zip(&other.columns) {
            match (own, others) {
                (Values::Numeric(own), Values::Numeric(others)) => own.extend_from_slice(within(others, &rows)),
                (Values::Categorical { codes, labels }, Values::Categorical { codes: others, labels: other_labels }) => {
                    labels.translate(other_labels, within(others, &rows), codes);
                }
                _ => {}
            }
        }
        self.clusters.extend_from_slice(within(&other.clusters, &rows));
        self.timestamps_us.extend_from_slice(within(&other.timestamps_us, &rows));
        let first = other.faults.partition_point(|fault| fault.row < rows.start);
        for fault in other.faults.iter().skip(first).take_while(|fault| fault.row < rows.end) {
            let place = Place { line: above + fault.place.line, column: fault.place.column };
            self.faults.push(Fault { row: self.rows + (fault.row - rows.start), place, reason: fault.reason });
        }
        self.rows += rows.len();
    }
}

/// The values of these rows; none where the column has no values at all.
fn within<'v, T>(values: &'v [T], rows: &Range<usize>) -> &'v [T] {
    values.get(rows.clone()).unwrap_or_default()
}

fn push_number(values: &mut Vec<f64>, cell: Cell<'_>) -> Option<RejectionReason> {
    let (value, fault) = match cell {
        Cell::Missing => (MISSING, None),
        Cell::Text(bytes) => match cell::numeric(bytes) {
            Numeric::Number(number) => (number, None),
            Numeric::Missing => (MISSING, None),
            Numeric::NotUtf8 => (MISSING, Some(RejectionReason::InvalidUtf8)),
            Numeric::NotANumber => (MISSING, Some(RejectionReason::WrongType)),
        },
        Cell::Integer(number) => (number as f64, None),
        Cell::Number(number) => (cell::canonical(number), None),
        Cell::Bool(_) => (MISSING, Some(RejectionReason::WrongType)),
        Cell::Nested => (MISSING, Some(RejectionReason::NestedValue)),
        Cell::Duplicate => (MISSING, Some(RejectionReason::DuplicateKey)),
    };
    values.push(value);
    fault
}
