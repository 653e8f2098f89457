//! Records out of physical lines, one at a time, without losing count of either.
//!
//! The `csv` crate is fed one line at a time and asks for the next only while a quoted field is open, so that the lines of a
//! record are known, a quote that is never closed swallows at most the longest row allowed, and nothing is read ahead. Knows
//! nothing of what a record holds.

use std::io::{self, Read};

use csv::{ByteRecord, Reader, ReaderBuilder, Terminator};

use super::super::error::{DecodeFault, DecodeResult};
use super::super::lines::{self, Line, Lines};
use super::super::rejection::RejectionReason;

/// The records of the object, one at a time.
pub(super) struct Records {
    csv: Reader<Feeder>,
}

/// The physical lines of a record, and what is wrong with it, if something is.
pub(super) struct Extent {
    pub first_line: u64,
    /// How many lines that are not blank it spans.
    pub lines: u64,
    pub fault: Option<(RejectionReason, &'static str)>,
}

fn reader(feeder: Feeder) -> Reader<Feeder> {
    ReaderBuilder::new().has_headers(false).flexible(true).terminator(Terminator::Any(b'\n')).from_reader(feeder)
}

impl Records {
    pub fn new(lines: Lines) -> Self {
        let feeder = Feeder { lines, raw: Vec::new(), fed: 0, first_line: 0, filled_lines: 0, cut: None };
        Self { csv: reader(feeder) }
    }

    /// Whether there is a header.
    pub fn read_header(&mut self, header: &mut ByteRecord) -> DecodeResult<bool> {
        match self.next(header).map_err(DecodeFault::Unreadable)? {
            None => Ok(false),
            Some(Extent { fault: None, .. }) => Ok(true),
            Some(Extent { fault: Some((_, detail)), .. }) => Err(DecodeFault::UnreadableHeader { detail }),
        }
    }

    /// The lines below the last record.
    pub fn lines(&mut self) -> &mut Lines {
        &mut self.csv.get_mut().lines
    }

    pub fn next(&mut self, record: &mut ByteRecord) -> io::Result<Option<Extent>> {
        let feeder = self.csv.get_mut();
        match feeder.start()? {
            Line::End => return Ok(None),
            Line::TooLong => return Ok(Some(feeder.extent(Some((RejectionReason::RowTooLong, lines::LONGER))))),
            Line::Read => {}
        }
        let is_record = self.csv.read_byte_record(record).map_err(into_io)?;
        let feeder = self.csv.get_mut();
        let fault = match feeder.cut {
            Some(Line::TooLong) => Some((RejectionReason::RowTooLong, "a quoted field is longer than logs.max_row_bytes allows")),
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
