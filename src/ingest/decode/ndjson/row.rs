//! The needed values of a line: scanned where it is a simple one, parsed otherwise, with the same result.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::super::Request;
use super::super::cell::Cell;
use super::scan::Scanner;
use super::value::{Key, Slot, Value};

/// The slot of a key that nobody needs.
const NOBODYS: usize = usize::MAX;

/// The needed values of one line.
pub(super) struct Row {
    slot_of: HashMap<String, usize>,
    slots: Vec<Slot>,
    /// What the text slots refer to.
    text: String,
    /// The keys of the last line that was scanned, with their slots: those of the next line, as a rule.
    expected: Vec<(Vec<u8>, usize)>,
    pub columns: Vec<usize>,
    pub timestamp: Option<usize>,
    pub cluster: Option<usize>,
}

impl Row {
    pub fn new(request: &Request) -> Self {
        let mut slot_of = HashMap::new();
        let mut slot = |name: &str| {
            let next = slot_of.len();
            *slot_of.entry(name.to_owned()).or_insert(next)
        };
        let columns = request.columns.iter().map(|(name, _)| slot(name.as_str())).collect();
        let timestamp = request.timestamp.as_ref().map(|column| slot(&column.name));
        let cluster = request.cluster.as_deref().map(&mut slot);
        let slots = vec![Slot::Absent; slot_of.len()];
        Self { slot_of, slots, text: String::new(), expected: Vec::new(), columns, timestamp, cluster }
    }

    /// Reads a line.
    pub fn read(&mut self, line: &[u8]) -> Result<(), serde_json::Error> {
        if self.scan(line).is_some() { Ok(()) } else { self.parse(line) }
    }

    fn scan(&mut self, line: &[u8]) -> Option<()> {
        self.slots.fill(Slot::Absent);
        self.text.clear();
        let mut scanner = Scanner::open(line)?;
        let mut member = 0;
        loop {
            let slot = self.scan_key(&mut scanner, member)?;
            let value = scanner.value(&mut self.text, slot != NOBODYS)?;
            if let Some(slot) = self.slots.get_mut(slot) {
                *slot = slot.with(value);
            }
            if scanner.is_last()? {
                return Some(());
            }
            member += 1;
        }
    }

    /// The slot of the key that comes next.
    fn scan_key(&mut self, scanner: &mut Scanner<'_>, member: usize) -> Option<usize> {
        if let Some((key, slot)) = self.expected.get(member)
            && scanner.skip_key(key)
        {
            return Some(*slot);
        }
        let key = scanner.key()?;
        let slot = self.slot_of.get(key).copied().unwrap_or(NOBODYS);
        self.expected.truncate(member);
        self.expected.push((key.as_bytes().to_vec(), slot));
        Some(slot)
    }

    /// Reads any line.
    fn parse(&mut self, line: &[u8]) -> Result<(), serde_json::Error> {
        self.slots.fill(Slot::Absent);
        self.text.clear();
        let mut deserializer = serde_json::Deserializer::from_slice(line);
        deserializer.deserialize_map(&mut *self)?;
        deserializer.end()
    }

    pub fn cell(&self, slot: usize) -> Cell<'_> {
        self.slots.get(slot).map_or(Cell::Missing, |slot| slot.cell(&self.text))
    }

    pub fn is_present(&self, slot: usize) -> bool {
        !matches!(self.slots.get(slot), None | Some(Slot::Absent))
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
            *slot = slot.with(value);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature::{FeatureKind, FeatureName};

    fn row() -> Row {
        let column = |name: &str| (FeatureName::from(name), FeatureKind::Numeric);
        let columns = vec![column("a"), column("b"), column("c")];
        Row::new(&Request { columns, timestamp: None, cluster: None, window: None, max_row_bytes: 0, batch_rows: 0 })
    }

    fn cells(row: &Row) -> String {
        format!("{:?}", row.columns.iter().map(|slot| (row.is_present(*slot), row.cell(*slot))).collect::<Vec<_>>())
    }

    #[test]
    fn plain_lines_are_scanned_whatever_the_order_of_their_keys() {
        let mut row = row();
        for line in ["{\"a\":1,\"b\":-2.5e3,\"c\":\"x\"}", " { \"c\" : null , \"z\" : true, \"a\" :\t0 } ", "{\"a\":7,\"a\":8}"] {
            assert!(row.scan(line.as_bytes()).is_some(), "{line}");
        }
        for line in
            ["{}", "{\"a\":[1]}", "{\"a\":\"\\n\"}", "{\"a\":01}", "{\"a\":1.}", "{\"a\":1e999}", "{\"a\":1}x", "{\"a\":-0}"]
        {
            assert!(row.scan(line.as_bytes()).is_none(), "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_scanned_is_what_is_parsed(
            lines in proptest::collection::vec(
                "[ ]{0,1}[{]([ ]{0,1}\"(a|b|c|d|\u{e9})\" {0,1}: {0,1}(-{0,1}[0-9]{1,20}(\\.[0-9]{0,3}){0,1}([eE][+-]{0,1}[0-9]{0,3}){0,1}|true|null|\"[a-z\u{e9}\t\\\\]{0,3}\"|\\[\\]),){0,4}\"a\":1[}] {0,1}",
                1..5,
            ),
        ) {
            let (mut scanned, mut parsed) = (row(), row());
            for line in lines {
                if scanned.scan(line.as_bytes()).is_some() {
                    assert!(parsed.parse(line.as_bytes()).is_ok(), "{line}");
                    assert_eq!(cells(&scanned), cells(&parsed), "{line}");
                }
            }
        }
    }
}
