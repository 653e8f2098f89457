//! Walks the footer before polars reads it.
//!
//! polars makes room for what the lists of the footer say they hold, and takes the schema apart by recursion: a footer of thirty bytes can
//! ask for terabytes, and one of nested groups for more stack than there is. Both end the process, which no guard can catch.

use std::io::{self, Cursor};

use super::super::MOST_COLUMNS;
use super::structures::{COLUMN_CHUNK, COLUMN_ORDER, FILE, KEY_VALUE, ROW_GROUP, SCHEMA_ELEMENT, SORTING_COLUMN};
use super::thrift::{Field, Fields, Kind, Thrift, Written, damaged};

/// Groups within groups of the schema: more than any table has, few enough for the stack.
const DEEPEST_GROUP: usize = 32;
/// What may come of a footer in memory: some hundred thousand columns over all row groups.
const MOST_BYTES: u64 = 48 << 20;

/// Bytes that come of one of each in polars 0.55, rounded up.
const SCHEMA_ELEMENT_BYTES: u64 = 640;
const ROW_GROUP_BYTES: u64 = 192;
const COLUMN_CHUNK_BYTES: u64 = 448;
const OTHER_BYTES: u64 = 64;

/// Checks a footer, without what follows it.
///
/// # Errors
/// `FileTooLarge` when there would be too much of it in memory; anything else when it is no footer.
pub(super) fn check(footer: &[u8]) -> io::Result<()> {
    Walk { thrift: Thrift::new(Cursor::new(footer), footer.len() as u64), bytes: 0 }.file()
}

struct Walk<'f> {
    thrift: Thrift<Cursor<&'f [u8]>>,
    /// What comes of what was walked over.
    bytes: u64,
}

impl Walk<'_> {
    fn file(&mut self) -> io::Result<()> {
        let mut fields = Fields::default();
        while let Some((id, written)) = self.thrift.next_field(&mut fields)? {
            match id {
                2 => self.schema(written)?,
                4 => {
                    let count = self.list(written, ROW_GROUP, ROW_GROUP_BYTES)?;
                    (0..count).try_for_each(|_| self.row_group())?;
                }
                5 => self.elements(written, KEY_VALUE, OTHER_BYTES)?,
                7 => self.elements(written, COLUMN_ORDER, OTHER_BYTES)?,
                _ => self.thrift.pass_field(FILE, id, written)?,
            }
        }
        Ok(())
    }

    /// Begins a list of structures, which come to so many bytes each.
    fn list(&mut self, written: Written, element: &'static [Field], bytes: u64) -> io::Result<u64> {
        let count = self.thrift.list(written, &Kind::Struct(element))?;
        self.bytes = self.bytes.saturating_add(count.saturating_mul(bytes));
        if self.bytes > MOST_BYTES {
            let what = "a footer that describes more columns over all its row groups than fit into bounded memory: write fewer columns, or \
                        row groups of more rows";
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
        }
        Ok(count)
    }

    fn elements(&mut self, written: Written, element: &'static [Field], bytes: u64) -> io::Result<()> {
        let count = self.list(written, element, bytes)?;
        (0..count).try_for_each(|_| self.thrift.pass_struct(element))
    }

    fn schema(&mut self, written: Written) -> io::Result<()> {
        let count = self.thrift.list(written, &Kind::Struct(SCHEMA_ELEMENT))?;
        // The first is the table itself; a column may have a list and its element around it.
        if count > 3 * MOST_COLUMNS as u64 {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, super::super::error::too_many_columns()));
        }
        self.bytes += count * SCHEMA_ELEMENT_BYTES;
        // For each open group, how many of its elements are still to come.
        let mut open: Vec<i64> = Vec::new();
        for _ in 0..count {
            let below = self.schema_element()?;
            if let Some(left) = open.last_mut() {
                *left -= 1;
            }
            if below > 0 {
                open.push(below);
            }
            if open.len() > DEEPEST_GROUP {
                return Err(damaged("a schema of groups without end"));
            }
            while open.last().is_some_and(|left| *left <= 0) {
                open.pop();
            }
        }
        Ok(())
    }

    /// The number of elements below this one.
    fn schema_element(&mut self) -> io::Result<i64> {
        let (mut fields, mut below) = (Fields::default(), 0);
        while let Some((id, written)) = self.thrift.next_field(&mut fields)? {
            if id == 5 {
                below = self.thrift.number(written)?;
            } else {
                self.thrift.pass_field(SCHEMA_ELEMENT, id, written)?;
            }
        }
        Ok(below)
    }

    fn row_group(&mut self) -> io::Result<()> {
        let mut fields = Fields::default();
        while let Some((id, written)) = self.thrift.next_field(&mut fields)? {
            match id {
                1 => self.elements(written, COLUMN_CHUNK, COLUMN_CHUNK_BYTES)?,
                4 => self.elements(written, SORTING_COLUMN, OTHER_BYTES)?,
                _ => self.thrift.pass_field(ROW_GROUP, id, written)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of so many structures, as the field 2 (schema) or 4 (row groups) of a file.
    fn list(field: u8, count: u64) -> Vec<u8> {
        let mut bytes = vec![field << 4 | 9, 0xFC];
        let mut rest = count;
        while rest >= 0x80 {
            bytes.push(u8::try_from(rest & 0x7F).unwrap() | 0x80);
            rest >>= 7;
        }
        bytes.push(u8::try_from(rest).unwrap());
        bytes
    }

    fn said(footer: &[u8]) -> String {
        check(footer).map_or_else(|error| error.to_string(), |()| "nothing".to_owned())
    }

    #[test]
    fn a_list_that_promises_more_than_there_is_makes_no_room() {
        for field in [2, 4, 5, 7] {
            assert_eq!(said(&list(field, 0x7FFF_FFFF)), "a list that is longer than what holds it");
        }
        // Within a row group.
        assert_eq!(said(&[list(4, 1), list(1, 1 << 40)].concat()), "a list that is longer than what holds it");
    }

    #[test]
    fn what_fits_into_the_bytes_but_not_into_memory_is_too_much() {
        // A text by key takes three bytes: an empty key.
        let texts = [list(5, 2_000_000), b"\x18\x00\x00".repeat(2_000_000), vec![0]].concat();
        assert!(said(&texts).starts_with("a footer that describes more columns"), "{}", said(&texts));
        let schema = [list(2, 200_000), b"\x48\x00\x00".repeat(200_000), vec![0]].concat();
        assert!(said(&schema).starts_with("more than 32768 columns"), "{}", said(&schema));
        assert_eq!(check(&schema).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }

    #[test]
    fn groups_within_groups_end_before_the_stack_does() {
        let element = b"\x48\x00\x15\x02\x00";
        let nested = |depth: u16| [list(2, depth.into()), element.repeat(depth.into()), vec![0]].concat();
        assert_eq!(said(&nested(30)), "nothing");
        assert_eq!(said(&nested(50_000)), "a schema of groups without end");
    }

    #[test]
    fn a_field_that_others_would_read_as_something_else_is_refused() {
        // The number of rows (3), given as bytes; the schema as a number; a field twice; one whose number is that of another in 16 bits.
        assert_eq!(said(b"\x38\x01x\0"), "a field of another type");
        assert_eq!(said(b"\x25\x02\0"), "a field of another type");
        assert_eq!(said(b"\x36\x02\x06\x06\x02\0"), "a field that stands twice");
        assert_eq!(said(b"\x09\x84\x80\x08\0"), "a field of no number");
        assert_eq!(said(b"\x36\x02\0"), "nothing");
    }
}
