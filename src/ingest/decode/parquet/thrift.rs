//! The compact protocol of Thrift, as far as it takes to know that polars will read what is there.
//!
//! polars reads the fields that it knows by their numbers alone, whatever type they are said to have, and makes room for as many elements
//! of a list as the list says it has. So every field that it knows is held against its type, and every list against the bytes that are left.

use std::io::{self, Read};

/// What a field holds.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Bool,
    Byte,
    /// Of any width: all are written alike.
    Number,
    Bytes,
    Struct(&'static [Field]),
    List(&'static Kind),
}

/// A field by its number. Every reader passes over those that are not named.
pub(super) type Field = (i64, Kind);

/// The type of a field as it is written.
pub(super) type Written = u8;

const BOOLEANS: [Written; 2] = [1, 2];
const BYTE: Written = 3;
const NUMBERS: [Written; 3] = [4, 5, 6];
const DOUBLE: Written = 7;
const BYTES: Written = 8;
const LIST: Written = 9;
const SET: Written = 10;
const STRUCT: Written = 12;

/// Deeper than any structure of Parquet.
const DEEPEST: u8 = 8;

impl Kind {
    fn is_written_as(&self, written: Written) -> bool {
        match self {
            Self::Bool => BOOLEANS.contains(&written),
            Self::Byte => written == BYTE,
            Self::Number => NUMBERS.contains(&written),
            Self::Bytes => written == BYTES,
            Self::Struct(_) => written == STRUCT,
            Self::List(_) => written == LIST,
        }
    }
}

/// What can be in memory where it is read, but is not what it should be.
pub(super) fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// The fields of a structure on the way through it.
#[derive(Default)]
pub(super) struct Fields {
    last: i64,
    seen: u64,
}

impl Fields {
    /// Those of a structure, of which nothing is read yet; what was written must be one.
    pub fn of(written: Written) -> io::Result<Self> {
        if written == STRUCT { Ok(Self::default()) } else { Err(damaged("a field of another type")) }
    }
}

impl Fields {
    pub fn has(&self, id: u32) -> bool {
        self.seen & (1 << id) != 0
    }
}

pub(super) struct Thrift<R> {
    reader: io::Take<R>,
}

impl<R: Read> Thrift<R> {
    /// Reads at most so many bytes.
    pub fn new(reader: R, limit: u64) -> Self {
        Self { reader: reader.take(limit) }
    }

    /// How many bytes may still be read.
    pub fn left(&self) -> u64 {
        self.reader.limit()
    }

    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.reader.read_exact(&mut byte)?;
        let [byte] = byte;
        Ok(byte)
    }

    fn unsigned(&mut self) -> io::Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(damaged("a number without end"))
    }

    /// Zigzag: the sign is in the lowest bit.
    fn integer(&mut self) -> io::Result<i64> {
        let value = self.unsigned()?;
        Ok((value >> 1).cast_signed() ^ -(value & 1).cast_signed())
    }

    /// The number in a field that must be one of 32 bits: of a longer one, others would read a part.
    pub fn number(&mut self, written: Written) -> io::Result<i64> {
        if !NUMBERS.contains(&written) {
            return Err(damaged("a field of another type"));
        }
        let number = self.integer()?;
        if i32::try_from(number).is_ok() { Ok(number) } else { Err(damaged("a number that is too large")) }
    }

    /// The next field and its type; nothing at the end of the structure. No field may stand twice: others read the last of them, or the
    /// first.
    pub fn next_field(&mut self, fields: &mut Fields) -> io::Result<Option<(i64, Written)>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        let id = match byte >> 4 {
            0 => self.integer()?,
            delta => fields.last.saturating_add(i64::from(delta)),
        };
        if !(0..=i64::from(i16::MAX)).contains(&id) {
            return Err(damaged("a field of no number"));
        }
        fields.last = id;
        if let Some(bit) = u32::try_from(id).ok().and_then(|id| 1_u64.checked_shl(id)) {
            if fields.seen & bit != 0 {
                return Err(damaged("a field that stands twice"));
            }
            fields.seen |= bit;
        }
        Ok(Some((id, byte & 0x0F)))
    }

    /// The number of elements in a list that must be one of this kind; each takes at least a byte.
    pub fn list(&mut self, written: Written, element: &Kind) -> io::Result<u64> {
        if written != LIST {
            return Err(damaged("a field of another type"));
        }
        let head = self.byte()?;
        let count = if head >> 4 == 15 { self.unsigned()? } else { u64::from(head >> 4) };
        if count > self.left() {
            return Err(damaged("a list that is longer than what holds it"));
        }
        // Some write no type where there is no element.
        if count > 0 && !element.is_written_as(head & 0x0F) {
            return Err(damaged("a list of another type"));
        }
        Ok(count)
    }

    /// Passes over a structure that begins here.
    pub fn pass_struct(&mut self, known: &'static [Field]) -> io::Result<()> {
        let mut fields = Fields::default();
        while let Some((id, written)) = self.next_field(&mut fields)? {
            self.pass_field(known, id, written)?;
        }
        Ok(())
    }

    /// Passes over a field of a structure.
    pub fn pass_field(&mut self, known: &'static [Field], id: i64, written: Written) -> io::Result<()> {
        match known.iter().find(|(known, _)| *known == id) {
            Some((_, kind)) if kind.is_written_as(written) => self.pass(kind, written),
            Some(_) => Err(damaged("a field of another type")),
            None => self.skip(written, 0),
        }
    }

    fn pass(&mut self, kind: &'static Kind, written: Written) -> io::Result<()> {
        match kind {
            Kind::Struct(fields) => self.pass_struct(fields),
            Kind::List(Kind::Struct(fields)) => {
                let count = self.list(written, &Kind::Struct(fields))?;
                (0..count).try_for_each(|_| self.pass_struct(fields))
            }
            Kind::List(element) => {
                let count = self.list(written, element)?;
                (0..count).try_for_each(|_| match element {
                    Kind::Number => self.unsigned().map(drop),
                    _ => self.skip(BYTES, 0),
                })
            }
            Kind::Bool | Kind::Byte | Kind::Number | Kind::Bytes => self.skip(written, 0),
        }
    }

    /// Passes over anything.
    fn skip(&mut self, written: Written, depth: u8) -> io::Result<()> {
        if depth > DEEPEST {
            return Err(damaged("structures without end"));
        }
        match written {
            written if BOOLEANS.contains(&written) => Ok(()),
            BYTE => self.byte().map(drop),
            written if NUMBERS.contains(&written) => self.unsigned().map(drop),
            DOUBLE => self.skip_bytes(8),
            BYTES => {
                let length = self.unsigned()?;
                self.skip_bytes(length)
            }
            LIST | SET => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.unsigned()? } else { u64::from(head >> 4) };
                let element = head & 0x0F;
                // Every element takes at least a byte, truth values included, or the reader runs out.
                (0..count)
                    .try_for_each(|_| if BOOLEANS.contains(&element) { self.skip_bytes(1) } else { self.skip(element, depth + 1) })
            }
            STRUCT => {
                let mut fields = Fields::default();
                while let Some((_, written)) = self.next_field(&mut fields)? {
                    self.skip(written, depth + 1)?;
                }
                Ok(())
            }
            _ => Err(damaged("a field of no type")),
        }
    }

    fn skip_bytes(&mut self, count: u64) -> io::Result<()> {
        if count > self.left() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let skipped = io::copy(&mut self.reader.by_ref().take(count), &mut io::sink())?;
        if skipped == count { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}
