//! CSV: the rows of an object, each read by the header that it was written under.

mod fields;
mod header;
mod plain;
mod records;

use csv::ByteRecord;

use super::ColumnGuess;
use super::cell::Cell;
use super::error::{DecodeFault, DecodeResult};
use super::guess::{FoundColumns, NamedInRow};
use super::intake::Intake;
use super::lines::{Lines, Parse};
use super::rejection::RejectionReason;
use super::rows::Rows;
use header::{HeaderLine, Headers, Needed, Positions};
use plain::Plain;
use records::{Extent, Records};

pub(super) fn decode(lines: Lines, intake: &mut Intake<'_>) -> DecodeResult<()> {
    let mut records = Records::new(lines);
    let mut record = ByteRecord::new();
    if !records.read_header(&mut record)? {
        intake.tally.is_empty = true;
        return Ok(());
    }
    let positions = Positions::of_first(&record, intake)?;
    positions.mark_seen(intake);
    let mut headers = Headers::new(&record, positions, Needed::of(intake));
    let mut plain = Plain::new(&headers, intake);
    let mut row = plain.empty();
    loop {
        let taken = records.lines().take_rows(&plain, &mut |rows, above| intake.take(rows, above));
        taken.map_err(DecodeFault::Unreadable)?;
        let Some(extent) = records.next(&mut record).map_err(DecodeFault::Unreadable)? else { return Ok(()) };
        row.clear();
        if take_record(&record, &extent, &mut headers, &mut row, intake) && plain.update(&headers) {
            records.lines().forget_rows();
        }
        intake.take(&row, 0);
    }
}

/// Reads one record; whether it is a header.
fn take_record(
    record: &ByteRecord,
    extent: &Extent,
    headers: &mut Headers<Positions>,
    row: &mut Rows,
    intake: &mut Intake<'_>,
) -> bool {
    let line = extent.first_line;
    if let Some((reason, detail)) = extent.fault {
        row.reject(reason, extent.lines, line, None, || detail.to_owned());
    } else if let Some(header) = headers.recognise(record, |names| Positions::find(names, intake.request)) {
        headers.latest().mark_seen(intake);
        let (reason, detail) = describe(header, record.len());
        row.reject(reason, 1, line, None, || detail);
        return true;
    } else if let Some(positions) = headers.of_fields(record.len()) {
        let is_admitted = if positions.timestamp.is_some() {
            row.admit(intake.admission(), cell(record, positions.timestamp), line)
        } else {
            row.admit_always(None);
            true
        };
        if is_admitted {
            // Another header of the object may have the cluster that this one lacks.
            let cluster = intake.request.cluster.is_some().then(|| cell(record, positions.cluster));
            row.push_row(line, positions.columns.iter().map(|position| cell(record, *position)), cluster);
        }
    } else {
        let moment = intake.admission().moment(cell(record, headers.latest().timestamp));
        let detail = || format!("found {} fields, expected {}", record.len(), headers.field_counts());
        row.reject(RejectionReason::FieldCount, extent.lines, line, moment.ok(), detail);
    }
    false
}

fn describe(header: HeaderLine, fields: usize) -> (RejectionReason, String) {
    match header {
        HeaderLine::Repeated => (RejectionReason::RepeatedHeader, String::new()),
        HeaderLine::Torn => (RejectionReason::RepeatedHeader, "its first or last name is torn".to_owned()),
        HeaderLine::Changed => {
            (RejectionReason::ChangedHeader, format!("{fields} fields; the rows below with as many are read by it"))
        }
    }
}

/// The cell at a position; missing where the header or the record has none.
fn cell(record: &ByteRecord, position: Option<usize>) -> Cell<'_> {
    position.and_then(|at| record.get(at)).map_or(Cell::Missing, Cell::Text)
}

pub(super) fn inspect(lines: Lines, sample_rows: usize) -> DecodeResult<Vec<(String, ColumnGuess)>> {
    let mut records = Records::new(lines);
    let mut record = ByteRecord::new();
    if !records.read_header(&mut record)? {
        return Ok(Vec::new());
    }
    let mut columns: FoundColumns<Vec<u8>> = FoundColumns::default();
    let places = places(&record, &mut columns)?;
    let mut headers = Headers::new(&record, places, Needed::all(&record));
    let mut failure = None;
    let mut sampled = 0;
    while sampled < sample_rows
        && let Some(extent) = records.next(&mut record).map_err(DecodeFault::Unreadable)?
    {
        let mut places = |names: &ByteRecord| {
            let places = self::places(names, &mut columns);
            places.unwrap_or_else(|fault| {
                failure = Some(fault);
                Vec::new()
            })
        };
        if extent.fault.is_some() || headers.recognise(&record, &mut places).is_some() {
            if let Some(fault) = failure.take() {
                return Err(fault);
            }
            continue;
        }
        let Some(places) = headers.of_fields(record.len()) else { continue };
        sampled += 1;
        for (place, field) in places.iter().zip(&record) {
            if let Some(votes) = columns.at(*place) {
                votes.add(Cell::Text(field));
            }
        }
    }
    Ok(columns.guesses().map(|(name, guess)| (String::from_utf8_lossy(&name).into_owned(), guess)).collect())
}

/// Where the columns of a header stand among all columns found so far; new ones are added.
fn places(names: &ByteRecord, columns: &mut FoundColumns<Vec<u8>>) -> DecodeResult<Vec<usize>> {
    let mut row = NamedInRow::default();
    names.iter().map(|name| columns.place_of_next(&mut row, name)).collect()
}
