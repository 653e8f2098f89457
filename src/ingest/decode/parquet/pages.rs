//! Walks the page headers of a column before polars reads it.
//!
//! polars sizes its memory by these headers unseen: one flipped bit there asks for exabytes, and a failed allocation ends the
//! process, which no guard can catch. It also passes over the checksums that some writers leave with their pages. Both are
//! checked here, and that the pages hold as many values as the footer promises.

use std::io::{self, BufRead, Read, Seek};

use flate2::Crc;

use super::structures::{DATA_PAGE, DATA_PAGE_V2, DICTIONARY_PAGE};
use super::thrift::{Fields, Thrift, Written, damaged};

/// A page of more bytes, uncompressed, is not read: a thread holds one of them and a dictionary as large. Writers make pages of about a
/// megabyte. One up to this size may be larger than its column claims to be; writers differ in what they count.
const MOST_PAGE_BYTES: u64 = 64 << 20;
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
/// `InvalidData` or `UnexpectedEof` when the column is damaged, `FileTooLarge` when a page of it is; anything else is a failure to read
/// the file.
pub(super) fn check<R: BufRead + Seek>(reader: &mut R, chunk: &Chunk) -> io::Result<()> {
    reader.seek(io::SeekFrom::Start(chunk.start))?;
    let mut left = chunk.end.saturating_sub(chunk.start);
    let mut values_left = chunk.values;
    let mut is_first = true;
    while values_left > 0 {
        let limit = left.min(LONGEST_HEADER_BYTES);
        let mut thrift = Thrift::new(reader.by_ref(), limit);
        let header = PageHeader::read(&mut thrift)?;
        left -= limit - thrift.left();

        let size = u64::try_from(header.compressed_bytes).map_err(|_| damaged("a page of negative size"))?;
        let uncompressed = u64::try_from(header.uncompressed_bytes).map_err(|_| damaged("a page of negative size"))?;
        if size > left || uncompressed > chunk.uncompressed_bytes.max(MOST_PAGE_BYTES) {
            return Err(damaged("a page larger than its column"));
        }
        if uncompressed > MOST_PAGE_BYTES {
            let what = format!("a page of {uncompressed} bytes, more than {MOST_PAGE_BYTES}: write data pages of about a megabyte");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, what));
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

impl PageHeader {
    /// Field numbers are those of `PageHeader` in parquet.thrift.
    fn read<R: Read>(thrift: &mut Thrift<R>) -> io::Result<Self> {
        let mut header = Self::default();
        let mut fields = Fields::default();
        while let Some((id, written)) = thrift.next_field(&mut fields)? {
            match id {
                1 => header.kind = thrift.number(written)?,
                2 => header.uncompressed_bytes = thrift.number(written)?,
                3 => header.compressed_bytes = thrift.number(written)?,
                4 => header.crc = Some(thrift.number(written)?),
                5 | 7 | 8 => header.read_values(thrift, id, written)?,
                _ => thrift.pass_field(&[], id, written)?,
            }
        }
        // Others would read the one that is meant.
        let kinds = (5..=8).filter(|id| fields.has(*id)).count();
        if kinds == 1 { Ok(header) } else { Err(damaged("a page that is not of one kind")) }
    }

    /// The kind's own header: in all three, the first field is the number of values.
    fn read_values<R: Read>(&mut self, thrift: &mut Thrift<R>, kind: i64, written: Written) -> io::Result<()> {
        let (known, is_data_v2) = match kind {
            7 => (DICTIONARY_PAGE, false),
            8 => (DATA_PAGE_V2, true),
            _ => (DATA_PAGE, false),
        };
        let mut fields = Fields::of(written)?;
        while let Some((id, written)) = thrift.next_field(&mut fields)? {
            match (id, is_data_v2) {
                (1, _) => self.values = Some(thrift.number(written)?),
                (2, true) => self.nulls = thrift.number(written)?,
                (5 | 6, true) => {
                    let bytes = thrift.number(written)?;
                    if bytes < 0 {
                        return Err(damaged("levels of negative size"));
                    }
                    self.levels_bytes = self.levels_bytes.saturating_add(bytes);
                }
                _ => thrift.pass_field(known, id, written)?,
            }
        }
        Ok(())
    }
}
