//! The headers of a CSV object: which of its lines are headers, and by which of them a row is read.
//!
//! Several writers append to one file without waiting for each other, and during a roll-out some of them write more columns than
//! others. So a header may stand anywhere, torn or whole, and the rows of two headers may alternate. Decides nothing about rows.

use std::collections::{BTreeSet, HashMap, HashSet};

use csv::ByteRecord;

use super::super::cell::{self, Numeric};
use super::super::error::{DecodeFault, DecodeResult, too_many_columns};
use super::super::intake::Intake;
use super::super::{MOST_COLUMNS, Request};
use crate::ingest::timestamp::{self, NaiveTimestamps, TimestampError};

/// Headers that are kept of one object: more than the versions of a service that are ever in use at a time, and few enough to look
/// through for every row.
const HEADERS_KEPT: usize = 16;

/// What a line is that holds no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderLine {
    /// A known header once more.
    Repeated,
    /// A known header once more, with a piece of its first or last name missing.
    Torn,
    /// A header that was not known.
    Changed,
}

/// The names by which a header is told from a row.
#[derive(Clone)]
pub(super) struct Needed {
    /// Distinct, in order.
    names: Vec<Vec<u8>>,
    /// Every header has it.
    timestamp: Option<Vec<u8>>,
}

impl Needed {
    /// What is read of the object.
    pub fn of(intake: &Intake<'_>) -> Self {
        let timestamp = intake.request.timestamp.as_ref().map(|column| column.name.as_bytes().to_vec());
        Self { names: distinct(intake.needed().map(str::as_bytes)), timestamp }
    }

    /// The names of the first header, when it is not known yet what will be read.
    pub fn all(header: &ByteRecord) -> Self {
        Self { names: distinct(header.iter().filter(|name| !name.is_empty())), timestamp: None }
    }

    /// Whether enough of these names may be among the fields, so that it has to be looked at more closely.
    pub fn may_be_in<'f>(&self, mut fields: impl Iterator<Item = &'f [u8]>) -> bool {
        match &self.timestamp {
            Some(name) => fields.any(|field| field == name),
            None => fields.filter(|field| self.has(field)).take(2).count() >= self.names.len().min(2),
        }
    }

    fn has(&self, name: &[u8]) -> bool {
        self.names.binary_search_by(|needed| needed.as_slice().cmp(name)).is_ok()
    }

    /// Whether enough of these names are in the record. Without a timestamp, one name alone may also be a label.
    fn are_in(&self, record: &ByteRecord) -> bool {
        if let Some(name) = &self.timestamp {
            return record.iter().any(|field| field == name);
        }
        let enough = self.names.len().min(2);
        let mut found: Vec<&[u8]> = Vec::new();
        for field in record.iter().filter(|field| self.has(field)) {
            if !found.contains(&field) {
                found.push(field);
            }
            if found.len() >= enough {
                return true;
            }
        }
        false
    }
}

fn distinct<'a>(names: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    names.map(<[u8]>::to_vec).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A header with what its reader wants to know of it.
struct Header<P> {
    names: ByteRecord,
    timestamp: Option<usize>,
    places: P,
}

/// The headers of an object that are known so far.
pub(super) struct Headers<P> {
    needed: Needed,
    known: Known<P>,
}

/// Headers by the time of their last line; never none.
struct Known<P> {
    latest: Header<P>,
    /// Those before it, the latest of them last.
    earlier: Vec<Header<P>>,
}

impl<P> Headers<P> {
    pub fn new(first: &ByteRecord, places: P, needed: Needed) -> Self {
        let known = Known { latest: Header::new(first, places, &needed), earlier: Vec::new() };
        Self { needed, known }
    }

    pub fn needed(&self) -> &Needed {
        &self.needed
    }

    pub fn latest(&self) -> &P {
        &self.known.latest.places
    }

    /// From the latest to the first, each with its names.
    pub fn all(&self) -> impl Iterator<Item = (&ByteRecord, &P)> {
        self.known.all().map(|header| (&header.names, &header.places))
    }

    /// The latest header with so many fields: the one by which a row is read.
    pub fn of_fields(&self, fields: usize) -> Option<&P> {
        self.known.of_fields(fields).map(|header| &header.places)
    }

    /// The numbers of fields that a row may have, for a message.
    pub fn field_counts(&self) -> String {
        let counts: BTreeSet<usize> = self.known.all().map(|header| header.names.len()).collect();
        let counts: Vec<String> = counts.iter().map(ToString::to_string).collect();
        match counts.as_slice() {
            [several @ .., last] if !several.is_empty() => format!("{} or {last}", several.join(", ")),
            counts => counts.concat(),
        }
    }

    /// Whether a record is a header. If so, it is the latest from now on; `places` is asked for those of a new one.
    pub fn recognise(&mut self, record: &ByteRecord, places: impl FnOnce(&ByteRecord) -> P) -> Option<HeaderLine> {
        if self.known.make_latest(|known| known.names.get(0) == record.get(0) && known.names == *record) {
            return Some(HeaderLine::Repeated);
        }
        if !self.is_header(record) {
            return None;
        }
        if self.known.make_latest(|known| is_torn_copy(record, &known.names, &self.needed)) {
            return Some(HeaderLine::Torn);
        }
        if self.known.all().count() >= HEADERS_KEPT {
            return None;
        }
        self.known.add(Header::new(record, places(record), &self.needed));
        Some(HeaderLine::Changed)
    }

    /// Whether a record that is no known header is one all the same: nothing in it is a number, no name stands in it twice, what is
    /// needed does, and where a row would have its timestamp there is none.
    fn is_header(&self, record: &ByteRecord) -> bool {
        let is_number = |field| matches!(cell::numeric(field), Numeric::Number(_));
        if record.iter().any(is_number) || !self.needed.are_in(record) {
            return false;
        }
        let in_use = self.known.of_fields(record.len()).unwrap_or(&self.known.latest);
        if in_use.timestamp.and_then(|at| record.get(at)).is_some_and(is_timestamp) {
            return false;
        }
        // Two headers that were torn together name a column twice, and are none.
        let mut seen = HashSet::new();
        record.iter().all(|name| seen.insert(name) || (name.is_empty() && !self.needed.has(name)))
    }
}

impl<P> Known<P> {
    /// From the latest to the first.
    fn all(&self) -> impl Iterator<Item = &Header<P>> {
        std::iter::once(&self.latest).chain(self.earlier.iter().rev())
    }

    fn of_fields(&self, fields: usize) -> Option<&Header<P>> {
        self.all().find(|header| header.names.len() == fields)
    }

    fn add(&mut self, header: Header<P>) {
        self.earlier.push(std::mem::replace(&mut self.latest, header));
    }

    /// Makes the latest of the headers that are meant the latest of all; `false` when none is.
    fn make_latest(&mut self, is_meant: impl Fn(&Header<P>) -> bool) -> bool {
        if is_meant(&self.latest) {
            return true;
        }
        let Some(at) = self.earlier.iter().rposition(is_meant) else { return false };
        let header = self.earlier.remove(at);
        self.add(header);
        true
    }
}

impl<P> Header<P> {
    fn new(names: &ByteRecord, places: P, needed: &Needed) -> Self {
        let timestamp = needed.timestamp.as_ref().and_then(|needed| names.iter().position(|name| name == needed));
        Self { names: names.clone(), timestamp, places }
    }
}

/// Whether the record is the header but for a piece of its first or of its last name. Read as a header of its own, it would take a
/// column from all rows below it. A name that is needed is none that was torn.
fn is_torn_copy(record: &ByteRecord, header: &ByteRecord, needed: &Needed) -> bool {
    let last = header.len().saturating_sub(1);
    let is_piece = |at: usize, name: &[u8], whole: &[u8]| {
        !needed.has(name) && ((at == 0 && whole.ends_with(name)) || (at == last && whole.starts_with(name)))
    };
    let mut fields = record.iter().zip(header).enumerate();
    record.len() == header.len() && fields.all(|(at, (name, whole))| name == whole || is_piece(at, name, whole))
}

/// Whether a cell tells a row from a header.
pub(super) fn is_timestamp(cell: &[u8]) -> bool {
    let parsed = std::str::from_utf8(cell).map(|text| timestamp::parse(text, NaiveTimestamps::Utc));
    // One that is out of range is one.
    matches!(parsed, Ok(Ok(_) | Err(TimestampError::OutOfRange | TimestampError::Naive)))
}

/// Where the needed columns stand in a record.
#[derive(Clone)]
pub(super) struct Positions {
    pub columns: Vec<Option<usize>>,
    pub timestamp: Option<usize>,
    pub cluster: Option<usize>,
}

impl Positions {
    /// Those of the header that the object begins with.
    pub fn of_first(header: &ByteRecord, intake: &Intake<'_>) -> DecodeResult<Self> {
        if header.len() > MOST_COLUMNS {
            return Err(DecodeFault::TooLarge { what: too_many_columns() });
        }
        let duplicates = intake.duplicates(&header.iter().collect::<Vec<_>>());
        if !duplicates.is_empty() {
            return Err(DecodeFault::DuplicateColumns { names: duplicates });
        }
        let found = Self::find(header, intake.request);
        match &intake.request.timestamp {
            Some(column) if found.timestamp.is_none() => Err(DecodeFault::TimestampAbsent {
                name: column.name.clone(),
                columns: header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
            }),
            _ => Ok(found),
        }
    }

    pub fn find(header: &ByteRecord, request: &Request) -> Self {
        let mut positions: HashMap<&[u8], usize> = HashMap::with_capacity(header.len());
        for (position, name) in header.iter().enumerate() {
            positions.entry(name).or_insert(position);
        }
        let position = |name: &str| positions.get(name.as_bytes()).copied();
        Self {
            columns: request.columns.iter().map(|(name, _)| position(name.as_str())).collect(),
            timestamp: request.timestamp.as_ref().and_then(|column| position(&column.name)),
            cluster: request.cluster.as_deref().and_then(position),
        }
    }

    /// Adds these columns to those that the object has.
    pub fn mark_seen(&self, intake: &mut Intake<'_>) {
        let seen = intake.tally.columns_seen.iter_mut().zip(&self.columns);
        seen.for_each(|(seen, position)| *seen |= position.is_some());
        intake.tally.cluster_seen |= self.cluster.is_some();
    }
}
