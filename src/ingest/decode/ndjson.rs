//! NDJSON: one JSON object a line. Only the needed keys are materialised; everything else is parsed over.

mod row;
mod scan;
mod value;

use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::error::Category;

use super::admission::Admission;
use super::error::{DecodeFault, DecodeResult};
use super::guess::{FoundColumns, NamedInRow, Votes};
use super::intake::Intake;
use super::lines::{self, LONGER, Line, Lines, Parse};
use super::rejection::RejectionReason;
use super::rows::Rows;
use super::{ColumnGuess, Request};
use row::Row;
use value::{Key, Value};

pub(super) fn decode(mut lines: Lines, intake: &mut Intake<'_>) -> DecodeResult<()> {
    let objects = Objects { request: intake.request, admission: intake.admission() };
    let mut names: Option<Vec<String>> = None;
    let mut timestamp_seen = false;
    let (mut line, mut long) = (Vec::new(), objects.empty());
    intake.tally.is_empty = true;
    loop {
        let taken = lines.take_rows(&objects, &mut |rows, above| {
            intake.tally.is_empty &= rows.fates.is_empty();
            timestamp_seen |= rows.timestamp_seen;
            if names.is_none() {
                names.clone_from(&rows.names);
            }
            intake.take(rows, above);
        });
        taken.map_err(DecodeFault::Unreadable)?;
        // Every other line stands for itself.
        match lines.next_filled(&mut line).map_err(DecodeFault::Unreadable)? {
            Line::End => break,
            Line::Read => {}
            Line::TooLong => {
                intake.tally.is_empty = false;
                long.clear();
                long.reject(RejectionReason::RowTooLong, 1, lines.number(), None, || LONGER.to_owned());
                intake.take(&long, 0);
            }
        }
    }
    match (&intake.request.timestamp, names) {
        (Some(column), Some(columns)) if !timestamp_seen => {
            Err(DecodeFault::TimestampAbsent { name: column.name.clone(), columns })
        }
        _ => Ok(()),
    }
}

/// Reads lines as objects.
struct Objects<'r> {
    request: &'r Request,
    admission: Admission,
}

impl Parse for Objects<'_> {
    fn empty(&self) -> Rows {
        Rows::new(self.request)
    }

    fn parse(&self, lines: &[u8], rows: &mut Rows) {
        let mut row = Row::new(self.request);
        let mut unseen = Unseen::new(self.request);
        let mut rest = lines;
        while !rest.is_empty() && !rows.end_if_full() {
            let (line, length) = lines::first_line(rest);
            if line.len() > self.request.max_row_bytes {
                return;
            }
            if !lines::is_blank(line) {
                self.read(line, rows.lines + 1, &mut row, &mut unseen, rows);
            }
            rows.lines += 1;
            rows.bytes += length;
            rest = rest.get(length..).unwrap_or_default();
        }
    }
}

impl Objects<'_> {
    fn read(&self, line: &[u8], number: u64, row: &mut Row, unseen: &mut Unseen, rows: &mut Rows) {
        if let Err(error) = row.read(line) {
            let (reason, detail) = why_invalid(line, &error);
            rows.reject(reason, 1, number, None, || detail);
            return;
        }
        unseen.look(row, rows);
        if let Some(slot) = row.timestamp {
            if row.is_present(slot) {
                rows.timestamp_seen = true;
            } else if rows.names.is_none() {
                rows.names = Some(members(line).unwrap_or_default().into_iter().map(|(name, _)| name).collect());
            }
            if !rows.admit(self.admission, row.cell(slot), number) {
                return;
            }
        } else {
            rows.admit_always(None);
        }
        let cluster = row.cluster.map(|slot| row.cell(slot));
        rows.push_row(number, row.columns.iter().map(|slot| row.cell(*slot)), cluster);
    }
}

/// The columns, and (`None`) the cluster, that have not occurred.
struct Unseen {
    columns: Vec<Option<usize>>,
}

impl Unseen {
    fn new(request: &Request) -> Self {
        let cluster = request.cluster.is_some().then_some(None);
        Self { columns: (0..request.columns.len()).map(Some).chain(cluster).collect() }
    }

    /// Takes note of the columns that the row, which is to be counted next, has.
    fn look(&mut self, row: &Row, rows: &mut Rows) {
        let next = rows.fates.len() + 1;
        self.columns.retain(|column| {
            let slot = column.map_or(row.cluster, |column| row.columns.get(column).copied());
            let is_present = slot.is_some_and(|slot| row.is_present(slot));
            if is_present {
                rows.first_seen.push((next, *column));
            }
            !is_present
        });
    }
}

pub(super) fn inspect(mut lines: Lines, sample_rows: usize) -> DecodeResult<Vec<(String, ColumnGuess)>> {
    let mut columns: FoundColumns<String> = FoundColumns::default();
    let mut line = Vec::new();
    let mut sampled = 0;
    while sampled < sample_rows {
        match lines.next_filled(&mut line).map_err(DecodeFault::Unreadable)? {
            Line::End => break,
            Line::TooLong => continue,
            Line::Read => {}
        }
        let Ok(members) = members(&line) else { continue };
        sampled += 1;
        let mut row = NamedInRow::default();
        for (name, votes) in members {
            columns.of_next(&mut row, &name)?.merge(votes);
        }
    }
    Ok(columns.guesses().collect())
}

/// Why a line is not a row; from the kind and place of the error only, as its text may quote the line.
fn why_invalid(line: &[u8], error: &serde_json::Error) -> (RejectionReason, String) {
    if std::str::from_utf8(line).is_err() {
        return (RejectionReason::InvalidUtf8, String::new());
    }
    let column = error.column();
    let near = line.get(column.saturating_sub(3)..).unwrap_or_default();
    let is_not_finite =
        ["NaN", "Infinity"].iter().any(|word| (0..4).any(|at| near.get(at..).is_some_and(|n| n.starts_with(word.as_bytes()))));
    let detail = match error.classify() {
        Category::Data => "not one JSON object".to_owned(),
        Category::Eof => "the line ends inside the object".to_owned(),
        _ if is_not_finite => format!("NaN and Infinity are not JSON, at byte {column}: write null"),
        _ => format!("not JSON at byte {column}"),
    };
    (RejectionReason::InvalidJson, detail)
}

/// All members of one line with a guess at each, in order and with duplicates.
fn members(line: &[u8]) -> Result<Vec<(String, Votes)>, serde_json::Error> {
    let mut all = AllMembers::default();
    let mut deserializer = serde_json::Deserializer::from_slice(line);
    deserializer.deserialize_map(&mut all)?;
    deserializer.end()?;
    Ok(all.members)
}

#[derive(Default)]
struct AllMembers {
    members: Vec<(String, Votes)>,
    text: String,
}

impl<'de> Visitor<'de> for &mut AllMembers {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key_seed(Key(str::to_owned))? {
            self.text.clear();
            let value = map.next_value_seed(Value { text: &mut self.text })?;
            let mut votes = Votes::default();
            votes.add(value.cell(&self.text));
            self.members.push((name, votes));
        }
        Ok(())
    }
}
