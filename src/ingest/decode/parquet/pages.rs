//! Walks the page headers of a column before polars reads it.
//!
//! polars sizes its memory by these headers unseen: one flipped bit there asks for exabytes, and a failed allocation ends the
//! process, which no guard can catch. It also passes over the checksums that some writers leave with their pages. Both are
//! checked here, and that the pages hold as many values as the footer promises.

use std::io::{self, BufRead, Read, Seek};

use flate2::Crc;

/// A page up to this size may be larger than its column claims to be; writers differ in what they count.
const HARMLESS_BYTES: u64 = 64 << 20;
/// A page header is some tens of bytes and two statistics; beyond this it is not one.
const LONGEST_HEADER_BYTES: u64 = 1 << 20;

/// A column of a row group, as the footer describes it.
pub(super) struct Chunk {
    pub start: u64,
    pub end: u64,
    pub values: u64,
    pub uncompressed_bytes: u64,
}

/// What there is to know of a page.
#[derive(Default)]
struct PageHeader {
    kind: i64,
    uncompressed_bytes: i64,
    compressed_bytes: i64,
    crc: Option<i64>,
    values: Option<i64>,
    /// Bytes of levels before the values (second version of data pages only).
    levels_bytes: i64,
    nulls: i64,
}

const DATA: i64 = 0;
const INDEX: i64 = 1;
const DICTIONARY: i64 = 2;
const DATA_V2: i64 = 3;

/// Checks every page of a flat column.
///
/// # Errors
/// `InvalidData` or `UnexpectedEof` when the column is damaged; anything else is a failure to read the file.
pub(super) fn check<R: BufRead + Seek>(reader: &mut R, chunk: &Chunk) -> io::Result<()> {
    reader.seek(io::SeekFrom::Start(chunk.start))?;
    let mut left = chunk.end.saturating_sub(chunk.start);
    let mut values_left = chunk.values;
    let mut is_first = true;
    while values_left > 0 {
        let limit = left.min(LONGEST_HEADER_BYTES);
        let mut thrift = Thrift { reader: reader.by_ref().take(limit) };
        let header = PageHeader::read(&mut thrift)?;
        left -= limit - thrift.reader.limit();

        let size = u64::try_from(header.compressed_bytes).map_err(|_| damaged("a page of negative size"))?;
        let uncompressed = u64::try_from(header.uncompressed_bytes).map_err(|_| damaged("a page of negative size"))?;
        if size > left || uncompressed > chunk.uncompressed_bytes.max(HARMLESS_BYTES) {
            return Err(damaged("a page larger than its column"));
        }
        let levels = u64::try_from(header.levels_bytes).map_err(|_| damaged("levels of negative size"))?;
        let values = u64::try_from(header.values.unwrap_or_default()).map_err(|_| damaged("a page of negative length"))?;
        match (header.kind, header.values) {
            (DATA | DATA_V2, Some(_)) if values <= values_left && levels <= size.min(uncompressed) => values_left -= values,
            (DICTIONARY, Some(_)) if is_first && values <= uncompressed => {}
            (INDEX, None) => {}
            _ => return Err(damaged("a page that is not of its column")),
        }
        if (header.kind == DATA || header.kind == DATA_V2) && !(0..=header.values.unwrap_or_default()).contains(&header.nulls) {
            return Err(damaged("a page with more nulls than values"));
        }
        check_body(reader, size, header.crc)?;
        left -= size;
        is_first = false;
    }
    Ok(())
}

fn check_body<R: BufRead + Seek>(reader: &mut R, size: u64, crc: Option<i64>) -> io::Result<()> {
    let Some(expected) = crc else {
        return reader.seek_relative(i64::try_from(size).map_err(|_| damaged("a page beyond the end"))?);
    };
    let mut crc = Crc::new();
    let mut body = reader.by_ref().take(size);
    loop {
        let bytes = body.fill_buf()?;
        if bytes.is_empty() {
            break;
        }
        crc.update(bytes);
        let length = bytes.len();
        body.consume(length);
    }
    // The header holds the checksum's 32 bits as a signed number.
    if i64::from(crc.sum().cast_signed()) == expected { Ok(()) } else { Err(damaged("a page that does not match its checksum")) }
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

impl PageHeader {
    /// Field numbers are those of `PageHeader` in parquet.thrift.
    fn read<R: Read>(thrift: &mut Thrift<R>) -> io::Result<Self> {
        let mut header = Self::default();
        let mut id = 0;
        while let Some(kind) = thrift.next_field(&mut id)? {
            match (id, kind) {
                (1, Thrift::<R>::I32) => header.kind = thrift.integer()?,
                (2, Thrift::<R>::I32) => header.uncompressed_bytes = thrift.integer()?,
                (3, Thrift::<R>::I32) => header.compressed_bytes = thrift.integer()?,
                (4, Thrift::<R>::I32) => header.crc = Some(thrift.integer()?),
                (5 | 7 | 8, Thrift::<R>::STRUCT) => header.read_values(thrift, id == 8)?,
                _ => thrift.skip(kind, 0)?,
            }
        }
        Ok(header)
    }

    /// The kind's own header: in all three, the first field is the number of values.
    fn read_values<R: Read>(&mut self, thrift: &mut Thrift<R>, is_data_v2: bool) -> io::Result<()> {
        let mut id = 0;
        while let Some(kind) = thrift.next_field(&mut id)? {
            match (id, kind, is_data_v2) {
                (1, Thrift::<R>::I32, _) => self.values = Some(thrift.integer()?),
                (2, Thrift::<R>::I32, true) => self.nulls = thrift.integer()?,
                (5 | 6, Thrift::<R>::I32, true) => {
                    let bytes = thrift.integer()?;
                    if bytes < 0 {
                        return Err(damaged("levels of negative size"));
                    }
                    self.levels_bytes = self.levels_bytes.saturating_add(bytes);
                }
                _ => thrift.skip(kind, 0)?,
            }
        }
        Ok(())
    }
}

/// The compact protocol of Thrift, as far as passing over what is not needed.
struct Thrift<R> {
    reader: io::Take<R>,
}

impl<R: Read> Thrift<R> {
    const I32: u8 = 5;
    const STRUCT: u8 = 12;
    /// Deeper than any structure of Parquet.
    const DEEPEST: u8 = 8;

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

    /// The type of the next field, whose number is left in `id`; `None` at the end of the structure.
    fn next_field(&mut self, id: &mut i64) -> io::Result<Option<u8>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        *id = match byte >> 4 {
            0 => self.integer()?,
            delta => id.saturating_add(i64::from(delta)),
        };
        Ok(Some(byte & 0x0F))
    }

    fn skip(&mut self, kind: u8, depth: u8) -> io::Result<()> {
        if depth > Self::DEEPEST {
            return Err(damaged("structures without end"));
        }
        match kind {
            1 | 2 => Ok(()),
            3 => self.byte().map(drop),
            4..=6 => self.unsigned().map(drop),
            7 => self.skip_bytes(8),
            8 => {
                let length = self.unsigned()?;
                self.skip_bytes(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let count = if head >> 4 == 15 { self.unsigned()? } else { u64::from(head >> 4) };
                // Every element takes at least a byte, truth values included, or the reader runs out.
                (0..count).try_for_each(|_| if head & 0x0F <= 2 { self.skip_bytes(1) } else { self.skip(head & 0x0F, depth + 1) })
            }
            Self::STRUCT => {
                let mut id = 0;
                while let Some(kind) = self.next_field(&mut id)? {
                    self.skip(kind, depth + 1)?;
                }
                Ok(())
            }
            _ => Err(damaged("a page header that is none")),
        }
    }

    fn skip_bytes(&mut self, count: u64) -> io::Result<()> {
        let skipped = io::copy(&mut self.reader.by_ref().take(count), &mut io::sink())?;
        if skipped == count { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}
