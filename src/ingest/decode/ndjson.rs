//! NDJSON: one JSON object a line. Only the needed keys are materialised; everything else is parsed over.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::error::Category;

use super::ColumnGuess;
use super::cell::Cell;
use super::error::{DecodeFault, DecodeResult};
use super::guess::Votes;
use super::intake::Intake;
use super::lines::{Line, Lines};
use super::rejection::RejectionReason;

pub(super) fn decode(mut lines: Lines, intake: &mut Intake<'_>) -> DecodeResult<()> {
    let mut row = Row::new(intake);
    let mut line = Vec::new();
    let mut first_names: Option<Vec<String>> = None;
    let mut timestamp_seen = false;
    intake.tally.is_empty = true;
    loop {
        match lines.next_filled(&mut line).map_err(DecodeFault::Unreadable)? {
            Line::End => break,
            Line::TooLong => {
                intake.tally.is_empty = false;
                intake.reject(RejectionReason::RowTooLong, 1, lines.number(), || "longer than a row may be".to_owned());
                continue;
            }
            Line::Read => intake.tally.is_empty = false,
        }
        if let Err(error) = row.read(&line) {
            let (reason, detail) = why_invalid(&line, &error);
            intake.reject(reason, 1, lines.number(), || detail);
            continue;
        }
        if first_names.is_none() {
            first_names = Some(members(&line).unwrap_or_default().into_iter().map(|(name, _)| name).collect());
        }
        row.mark_seen(intake);
        let moment_us = match row.timestamp {
            None => {
                intake.admit_without_timestamp();
                None
            }
            Some(slot) => {
                timestamp_seen |= row.is_present(slot);
                let moment_us = intake.admit(row.cell(slot), lines.number());
                if moment_us.is_none() {
                    continue;
                }
                moment_us
            }
        };
        let cluster = row.cluster.map(|slot| row.cell(slot));
        intake.push_row(lines.number(), moment_us, row.columns.iter().map(|slot| row.cell(*slot)), cluster);
    }
    match (&intake.request.timestamp, first_names) {
        (Some(column), Some(columns)) if !timestamp_seen => {
            Err(DecodeFault::TimestampAbsent { name: column.name.clone(), columns })
        }
        _ => Ok(()),
    }
}

pub(super) fn inspect(mut lines: Lines, sample_rows: usize) -> DecodeResult<Vec<(String, ColumnGuess)>> {
    let mut columns: Vec<(String, Votes)> = Vec::new();
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
        let mut counts: HashMap<String, usize> = HashMap::new();
        for (name, votes) in members {
            let occurrence = counts.entry(name.clone()).or_default();
            // The n-th member of a name belongs to the n-th column of that name, so that a duplicate key shows as one.
            match columns.iter_mut().filter(|(known, _)| *known == name).nth(*occurrence) {
                Some((_, known)) => known.merge(votes),
                None => columns.push((name, votes)),
            }
            *occurrence += 1;
        }
    }
    Ok(columns.into_iter().map(|(name, votes)| (name, votes.guess())).collect())
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

/// The needed values of one line.
struct Row {
    slot_of: HashMap<String, usize>,
    slots: Vec<Slot>,
    /// What the text slots refer to.
    text: String,
    columns: Vec<usize>,
    timestamp: Option<usize>,
    cluster: Option<usize>,
}

#[derive(Clone)]
enum Slot {
    Absent,
    Missing,
    Integer(i128),
    Number(f64),
    Bool(bool),
    Text(Range<usize>),
    Nested,
    Duplicate,
}

impl Row {
    fn new(intake: &Intake<'_>) -> Self {
        let mut slot_of = HashMap::new();
        let mut slot = |name: &str| {
            let next = slot_of.len();
            *slot_of.entry(name.to_owned()).or_insert(next)
        };
        let request = intake.request;
        let columns = request.columns.iter().map(|(name, _)| slot(name.as_str())).collect();
        let timestamp = request.timestamp.as_ref().map(|column| slot(&column.name));
        let cluster = request.cluster.as_deref().map(&mut slot);
        let slots = vec![Slot::Absent; slot_of.len()];
        Self { slot_of, slots, text: String::new(), columns, timestamp, cluster }
    }

    fn read(&mut self, line: &[u8]) -> Result<(), serde_json::Error> {
        self.slots.fill(Slot::Absent);
        self.text.clear();
        let mut deserializer = serde_json::Deserializer::from_slice(line);
        deserializer.deserialize_map(&mut *self)?;
        deserializer.end()
    }

    fn cell(&self, slot: usize) -> Cell<'_> {
        self.slots.get(slot).map_or(Cell::Missing, |slot| slot.cell(&self.text))
    }

    fn is_present(&self, slot: usize) -> bool {
        !matches!(self.slots.get(slot), None | Some(Slot::Absent))
    }

    fn mark_seen(&self, intake: &mut Intake<'_>) {
        for (seen, slot) in intake.tally.columns_seen.iter_mut().zip(&self.columns) {
            *seen |= self.is_present(*slot);
        }
        intake.tally.cluster_seen |= self.cluster.is_some_and(|slot| self.is_present(slot));
    }
}

impl Slot {
    fn cell<'t>(&self, text: &'t str) -> Cell<'t> {
        match self {
            Self::Absent | Self::Missing => Cell::Missing,
            Self::Integer(number) => Cell::Integer(*number),
            Self::Number(number) => Cell::Number(*number),
            Self::Bool(value) => Cell::Bool(*value),
            Self::Text(range) => Cell::Text(text.get(range.clone()).unwrap_or_default().as_bytes()),
            Self::Nested => Cell::Nested,
            Self::Duplicate => Cell::Duplicate,
        }
    }
}

impl<'de> Visitor<'de> for &mut Row {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(slot) = map.next_key_seed(Key(|name: &str| self.slot_of.get(name).copied()))? {
            let Some(slot) = slot.and_then(|slot| self.slots.get_mut(slot)) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let value = map.next_value_seed(Value { text: &mut self.text })?;
            *slot = if matches!(slot, Slot::Absent) { value } else { Slot::Duplicate };
        }
        Ok(())
    }
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

/// Reads a key without keeping it.
struct Key<F>(F);

impl<'de, T, F: FnOnce(&str) -> T> DeserializeSeed<'de> for Key<F> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<T, F: FnOnce(&str) -> T> Visitor<'_> for Key<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> Result<T, E> {
        Ok((self.0)(name))
    }
}

/// Reads any value; strings are appended to `text`.
struct Value<'a> {
    text: &'a mut String,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = Slot;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Slot, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = Slot;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Slot, E> {
        Ok(Slot::Missing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Slot, E> {
        Ok(Slot::Bool(value))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Slot, E> {
        Ok(Slot::Integer(i128::from(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Slot, E> {
        Ok(Slot::Integer(i128::from(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Slot, E> {
        Ok(Slot::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Slot, E> {
        let start = self.text.len();
        self.text.push_str(text);
        Ok(Slot::Text(start..self.text.len()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Slot, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Slot::Nested)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Slot, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Slot::Nested)
    }
}
