//! The rows of CSV lines that stand for themselves and are no header. Those are read where they lie; at any other line the reader of
//! records takes over, which gives the same for all of them.

use memchr::memchr;

use super::super::Request;
use super::super::admission::Admission;
use super::super::cell::{self, Cell, Numeric};
use super::super::cells::Place;
use super::super::intake::Intake;
use super::super::lines::{self, Parse};
use super::super::rejection::RejectionReason;
use super::super::rows::Rows;
use super::fields::{self, Fields, HeaderText};
use super::header::{Headers, Needed, Positions, is_timestamp};
use crate::feature::FeatureKind;

/// How rows are read by the headers that are known at a place of the object.
pub(super) struct Plain<'r> {
    request: &'r Request,
    admission: Admission,
    needed: Needed,
    known: Known,
}

/// What depends on the headers.
#[derive(PartialEq)]
struct Known {
    /// One for each number of fields, in that order.
    shapes: Vec<Shape>,
    /// Where the latest header has its timestamp.
    timestamp: Option<usize>,
    /// In order.
    headers: Vec<HeaderText>,
    /// For a message.
    field_counts: String,
}

/// Where the needed cells of a row stand.
#[derive(PartialEq)]
struct Shape {
    fields: usize,
    timestamp: Option<usize>,
    /// The positions of the requested columns, and (`None`) of the cluster, from the left to the right.
    places: Vec<(usize, Option<usize>)>,
    /// The columns, and perhaps the cluster, that the header does not have.
    absent: Vec<Option<usize>>,
    /// The position of a numeric column.
    number: Option<usize>,
}

impl<'r> Plain<'r> {
    pub fn new(headers: &Headers<Positions>, intake: &Intake<'r>) -> Self {
        let request = intake.request;
        let known = Known::new(headers, request);
        Self { request, admission: intake.admission(), needed: headers.needed().clone(), known }
    }

    /// Whether rows are read otherwise from now on.
    pub fn update(&mut self, headers: &Headers<Positions>) -> bool {
        let known = Known::new(headers, self.request);
        let is_other = known != self.known;
        self.known = known;
        is_other
    }

    /// Reads a line; `false` when it may be a header.
    fn read(&self, line: &impl Fields, number: u64, rows: &mut Rows) -> bool {
        if self.known.headers.iter().any(|header| line.is_header(header)) {
            return false;
        }
        let fields = line.count();
        let Some(shape) = self.known.shapes.iter().find(|shape| shape.fields == fields) else {
            return self.reject_ragged(line, fields, number, rows);
        };
        let Some(at) = shape.timestamp else {
            let has_number = shape.number.is_some_and(|at| matches!(cell::numeric(line.field(at)), Numeric::Number(_)));
            if !has_number && self.may_be_header(line) {
                return false;
            }
            rows.admit_always(None);
            shape.read(line, number, rows);
            return true;
        };
        let cell = line.field(at);
        let is_admitted = match self.admission.moment(Cell::Text(cell)) {
            Ok(moment_us) => rows.admit_moment(self.admission, moment_us),
            Err(_) if self.may_be_header(line) && !is_timestamp(cell) => return false,
            Err(refusal) => rows.refuse(&refusal, number),
        };
        if is_admitted {
            shape.read(line, number, rows);
        }
        true
    }

    fn reject_ragged(&self, line: &impl Fields, fields: usize, number: u64, rows: &mut Rows) -> bool {
        if self.may_be_header(line) {
            return false;
        }
        let at = self.known.timestamp.filter(|at| *at < fields);
        let moment = self.admission.moment(at.map_or(Cell::Missing, |at| Cell::Text(line.field(at))));
        let detail = || format!("found {fields} fields, expected {}", self.known.field_counts);
        rows.reject(RejectionReason::FieldCount, 1, number, moment.ok(), detail);
        true
    }

    fn may_be_header(&self, line: &impl Fields) -> bool {
        self.needed.may_be_in(line.all())
    }
}

impl Parse for Plain<'_> {
    fn empty(&self) -> Rows {
        Rows::new(self.request)
    }

    fn parse(&self, lines: &[u8], rows: &mut Rows) {
        let has_quotes = memchr(b'"', lines).is_some();
        let mut fields = Vec::new();
        let mut rest = lines;
        while !rest.is_empty() && !rows.end_if_full() {
            let (line, length) = lines::first_line(rest);
            let number = rows.lines + 1;
            let is_read = line.len() <= self.request.max_row_bytes
                && (lines::is_blank(line)
                    || if has_quotes && memchr(b'"', line).is_some() {
                        fields::split_quoted(line, &mut fields) && self.read(&fields.as_slice(), number, rows)
                    } else {
                        self.read(&line, number, rows)
                    });
            if !is_read {
                return;
            }
            rows.lines += 1;
            rows.bytes += length;
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

impl Known {
    fn new(headers: &Headers<Positions>, request: &Request) -> Self {
        let mut shapes: Vec<Shape> = Vec::new();
        for (names, positions) in headers.all() {
            // The latest of those with as many fields counts.
            if shapes.iter().all(|shape| shape.fields != names.len()) {
                shapes.push(Shape::new(names.len(), positions, request));
            }
        }
        shapes.sort_by_key(|shape| shape.fields);
        let mut texts: Vec<HeaderText> = headers.all().map(|(names, _)| HeaderText::new(names)).collect();
        texts.sort();
        Self { shapes, timestamp: headers.latest().timestamp, headers: texts, field_counts: headers.field_counts() }
    }
}

impl Shape {
    fn new(fields: usize, positions: &Positions, request: &Request) -> Self {
        let columns = positions.columns.iter().enumerate().map(|(column, position)| (*position, Some(column)));
        // Another header of the object may have the cluster that this one lacks.
        let cluster = request.cluster.is_some().then_some((positions.cluster, None));
        let (mut places, mut absent) = (Vec::new(), Vec::new());
        for (position, column) in columns.chain(cluster) {
            match position {
                Some(position) => places.push((position, column)),
                None => absent.push(column),
            }
        }
        places.sort();
        let is_numeric = |column: usize| request.columns.get(column).is_some_and(|(_, kind)| *kind == FeatureKind::Numeric);
        let number = places.iter().find(|(_, column)| column.is_some_and(is_numeric)).map(|(at, _)| *at);
        Self { fields, timestamp: positions.timestamp, places, absent, number }
    }

    /// Reads the cells of an admitted row.
    fn read(&self, line: &impl Fields, number: u64, rows: &mut Rows) {
        let mut cursor = line.cursor();
        for (position, column) in &self.places {
            let rest = line.from(&mut cursor, *position);
            if let Some(column) = column
                && let Some((value, length)) = cell::leading_number(rest)
                && line.is_end(rest, length)
                && rows.cells.push_number(*column, value)
            {
                continue;
            }
            rows.cells.push(Place { line: number, column: *column }, Cell::Text(line.cut(rest)));
        }
        for column in &self.absent {
            rows.cells.push(Place { line: number, column: *column }, Cell::Missing);
        }
    }
}
