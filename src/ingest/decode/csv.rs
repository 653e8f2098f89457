//! CSV: records out of physical lines, without losing count of either.
//!
//! The `csv` crate is fed one line at a time and asks for the next only while a quoted field is open, so that the lines of a
//! record are known, a quote that is never closed swallows at most the longest row allowed, and nothing is read ahead.

use std::io::{self, Read};

use csv::{ByteRecord, Reader, ReaderBuilder, Terminator};

use super::ColumnGuess;
use super::cell::Cell;
use super::error::{DecodeFault, DecodeResult};
use super::guess::Votes;
use super::intake::Intake;
use super::lines::{self, Line, Lines};
use super::rejection::RejectionReason;

pub(super) fn decode(lines: Lines, intake: &mut Intake<'_>) -> DecodeResult<()> {
    let mut records = Records::new(lines);
    let mut header = ByteRecord::new();
    if !records.read_header(&mut header)? {
        intake.tally.is_empty = true;
        return Ok(());
    }
    let positions = Positions::find(&header, intake)?;
    intake.tally.columns_seen = positions.columns.iter().map(Option::is_some).collect();
    intake.tally.cluster_seen = positions.cluster.is_some();

    let mut record = ByteRecord::new();
    while let Some(extent) = records.next(&mut record).map_err(DecodeFault::Unreadable)? {
        if let Some((reason, detail)) = extent.fault {
            intake.reject(reason, extent.lines, extent.first_line, || detail.to_owned());
        } else if record.len() != header.len() {
            let detail = || format!("found {} fields, expected {}", record.len(), header.len());
            intake.reject(RejectionReason::FieldCount, extent.lines, extent.first_line, detail);
        } else if record.get(0) == header.get(0) && record == header {
            intake.reject(RejectionReason::RepeatedHeader, 1, extent.first_line, String::new);
        } else {
            take_row(&record, &positions, extent.first_line, intake);
        }
    }
    Ok(())
}

fn take_row(record: &ByteRecord, positions: &Positions, line: u64, intake: &mut Intake<'_>) {
    let cell = |position: &Option<usize>| position.and_then(|at| record.get(at)).map_or(Cell::Missing, Cell::Text);
    let moment_us = if positions.timestamp.is_some() {
        let moment_us = intake.admit(cell(&positions.timestamp), line);
        if moment_us.is_none() {
            return;
        }
        moment_us
    } else {
        intake.admit_without_timestamp();
        None
    };
    let cluster = positions.cluster.is_some().then(|| cell(&positions.cluster));
    intake.push_row(line, moment_us, positions.columns.iter().map(cell), cluster);
}

pub(super) fn inspect(lines: Lines, sample_rows: usize) -> DecodeResult<Vec<(String, ColumnGuess)>> {
    let mut records = Records::new(lines);
    let mut header = ByteRecord::new();
    if !records.read_header(&mut header)? {
        return Ok(Vec::new());
    }
    let mut votes = vec![Votes::default(); header.len()];
    let mut record = ByteRecord::new();
    let mut sampled = 0;
    while sampled < sample_rows
        && let Some(extent) = records.next(&mut record).map_err(DecodeFault::Unreadable)?
    {
        if extent.fault.is_none() && record.len() == header.len() && record != header {
            sampled += 1;
            for (votes, field) in votes.iter_mut().zip(&record) {
                votes.add(Cell::Text(field));
            }
        }
    }
    let guesses = votes.into_iter().map(Votes::guess);
    Ok(header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).zip(guesses).collect())
}

/// Where the needed columns stand in a record.
struct Positions {
    columns: Vec<Option<usize>>,
    timestamp: Option<usize>,
    cluster: Option<usize>,
}

impl Positions {
    fn find(header: &ByteRecord, intake: &Intake<'_>) -> DecodeResult<Self> {
        let duplicates = intake.duplicates(&header.iter().collect::<Vec<_>>());
        if !duplicates.is_empty() {
            return Err(DecodeFault::DuplicateColumns { names: duplicates });
        }
        let position = |name: &str| header.iter().position(|field| field == name.as_bytes());
        let request = intake.request;
        let timestamp = request.timestamp.as_ref().map(|column| column.name.as_str());
        let found = Self {
            columns: request.columns.iter().map(|(name, _)| position(name.as_str())).collect(),
            timestamp: timestamp.and_then(position),
            cluster: request.cluster.as_deref().and_then(position),
        };
        match timestamp {
            Some(name) if found.timestamp.is_none() => Err(DecodeFault::TimestampAbsent {
                name: name.to_owned(),
                columns: header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect(),
            }),
            _ => Ok(found),
        }
    }
}

/// The records of the object, one at a time.
struct Records {
    csv: Reader<Feeder>,
}

/// The physical lines of a record, and what is wrong with it, if something is.
struct Extent {
    first_line: u64,
    /// How many lines that are not blank it spans.
    lines: u64,
    fault: Option<(RejectionReason, &'static str)>,
}

fn reader(feeder: Feeder) -> Reader<Feeder> {
    ReaderBuilder::new().has_headers(false).flexible(true).terminator(Terminator::Any(b'\n')).from_reader(feeder)
}

impl Records {
    fn new(lines: Lines) -> Self {
        let feeder = Feeder { lines, raw: Vec::new(), fed: 0, first_line: 0, filled_lines: 0, cut: None };
        Self { csv: reader(feeder) }
    }

    /// Whether there is a header.
    fn read_header(&mut self, header: &mut ByteRecord) -> DecodeResult<bool> {
        match self.next(header).map_err(DecodeFault::Unreadable)? {
            None => Ok(false),
            Some(Extent { fault: None, .. }) => Ok(true),
            Some(Extent { fault: Some((_, detail)), .. }) => Err(DecodeFault::UnreadableHeader { detail }),
        }
    }

    fn next(&mut self, record: &mut ByteRecord) -> io::Result<Option<Extent>> {
        let feeder = self.csv.get_mut();
        match feeder.start()? {
            Line::End => return Ok(None),
            Line::TooLong => return Ok(Some(feeder.extent(Some((RejectionReason::RowTooLong, "longer than a row may be"))))),
            Line::Read => {}
        }
        let is_record = self.csv.read_byte_record(record).map_err(into_io)?;
        let feeder = self.csv.get_mut();
        let fault = match feeder.cut {
            Some(Line::TooLong) => Some((RejectionReason::RowTooLong, "a quoted field is longer than a row may be")),
            Some(_) => Some((RejectionReason::UnbalancedQuote, "a quoted field is not closed before the end")),
            // A stray quote can also be closed by chance, by the next row's: text then follows the closing quote.
            None if !is_record || feeder.filled_lines > 1 && !is_well_quoted(&feeder.raw) => {
                Some((RejectionReason::UnbalancedQuote, "a quote in it joins it to the lines below"))
            }
            None => None,
        };
        let extent = feeder.extent(fault);
        if feeder.cut.is_some() {
            self.reopen();
        }
        Ok(Some(extent))
    }

    /// A reader that was told of the end is done for good; the lines below want a new one.
    fn reopen(&mut self) {
        let feeder = Feeder {
            lines: std::mem::replace(&mut self.csv.get_mut().lines, Lines::empty()),
            raw: std::mem::take(&mut self.csv.get_mut().raw),
            fed: 0,
            first_line: 0,
            filled_lines: 0,
            cut: None,
        };
        self.csv = reader(feeder);
    }
}

fn into_io(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        // Nothing else can come of reading flexible records of bytes.
        other => io::Error::other(format!("{other:?}")),
    }
}

/// Gives the `csv` reader one line, and one more each time it asks: it asks only while a quoted field is open.
struct Feeder {
    lines: Lines,
    /// The record's lines as they stand in the object.
    raw: Vec<u8>,
    /// How much of `raw` the reader has.
    fed: usize,
    first_line: u64,
    filled_lines: u64,
    /// Why the record had to be ended inside a quoted field.
    cut: Option<Line>,
}

impl Feeder {
    fn start(&mut self) -> io::Result<Line> {
        self.fed = 0;
        let line = self.lines.next_filled(&mut self.raw)?;
        self.raw.push(b'\n');
        self.first_line = self.lines.number();
        self.filled_lines = 1;
        Ok(line)
    }

    fn extent(&self, fault: Option<(RejectionReason, &'static str)>) -> Extent {
        Extent { first_line: self.first_line, lines: self.filled_lines, fault }
    }

    fn append_line(&mut self) -> io::Result<()> {
        let start = self.raw.len();
        let line = self.lines.append_next(&mut self.raw)?;
        let is_blank = line == Line::Read && self.raw.get(start..).is_none_or(lines::is_blank);
        if line != Line::End && !is_blank {
            self.filled_lines += 1;
        }
        if line == Line::Read {
            self.raw.push(b'\n');
        } else {
            self.raw.truncate(start);
            self.cut = Some(line);
        }
        Ok(())
    }
}

impl Read for Feeder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.fed >= self.raw.len() && self.cut.is_none() {
            self.append_line()?;
        }
        let mut rest = self.raw.get(self.fed..).unwrap_or_default();
        let given = rest.read(buffer)?;
        self.fed += given;
        Ok(given)
    }
}

/// Whether every quote in the record opens a field, closes it, or is doubled inside it (RFC 4180).
fn is_well_quoted(record: &[u8]) -> bool {
    #[derive(Clone, Copy, PartialEq)]
    enum At {
        FieldStart,
        Plain,
        Quoted,
        QuoteInQuoted,
    }
    let mut at = At::FieldStart;
    for byte in record {
        at = match (at, byte) {
            (At::Quoted, b'"') => At::QuoteInQuoted,
            (At::FieldStart | At::QuoteInQuoted, b'"') | (At::Quoted, _) => At::Quoted,
            (_, b',' | b'\n') => At::FieldStart,
            (At::FieldStart | At::Plain, byte) if *byte != b'"' => At::Plain,
            _ => return false,
        };
    }
    at != At::Quoted
}
