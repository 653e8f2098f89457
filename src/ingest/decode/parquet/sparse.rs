//! The needed parts of a Parquet object that lies elsewhere, in memory, each at its own place.
//!
//! polars wants the whole file as one slice of memory. It gets one of the object's length that is backed by memory only where
//! something was written to it: the footer first, then the needed columns of one row group at a time. Objects are read side by
//! side, and row groups have any size: what they hold together, footers aside, is taken from one budget.

use std::ops::Range;

use memmap2::{MmapMut, MmapOptions};

use super::super::compression::{Ranges, Reservation};
use super::super::error::{DecodeFault, DecodeResult};
use super::{MAGIC, corrupt};

/// An object up to this size is got in one piece: a request costs more than its bytes.
const WHOLE_BYTES: u64 = 1 << 20;
/// What is got of a larger one in search of its footer.
const TAIL_BYTES: u64 = 64 << 10;
/// Gaps up to this size are got along with what lies around them.
const GAP_BYTES: u64 = 256 << 10;
/// A footer is a few hundred bytes a column and row group; one beyond this describes no table of features.
const LONGEST_FOOTER_BYTES: u64 = 64 << 20;
/// After the footer: its length in four bytes, and the magic bytes.
const TRAILER_BYTES: usize = 8;

pub(super) struct Sparse {
    ranges: Box<dyn Ranges>,
    memory: MmapMut,
    /// What the memory takes of the budget.
    reservation: Option<Reservation>,
    is_whole: bool,
}

impl Sparse {
    /// Gets the footer, or all of a small object.
    pub fn footer(ranges: Box<dyn Ranges>) -> DecodeResult<Self> {
        let length = ranges.length();
        let is_whole = length <= WHOLE_BYTES;
        let mut parts = Self { memory: empty(length)?, ranges, reservation: None, is_whole };
        if is_whole {
            parts.reserve(length)?;
            parts.get(&(0..length))?;
            return Ok(parts);
        }
        let tail = length - TAIL_BYTES;
        parts.get(&(0..MAGIC.len() as u64))?;
        parts.get(&(tail..length))?;
        let trailer = parts.bytes().last_chunk::<TRAILER_BYTES>();
        let Some([a, b, c, d, magic @ ..]) = trailer else { return Err(corrupt("does not end as Parquet does")) };
        let footer = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
        if magic != MAGIC || footer > LONGEST_FOOTER_BYTES.min(length - TRAILER_BYTES as u64) {
            return Err(corrupt("does not end as Parquet does"));
        }
        let start = length - TRAILER_BYTES as u64 - footer;
        if start < tail {
            parts.get(&(start..tail))?;
        }
        Ok(parts)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.memory
    }

    /// Gets these parts, which lie within the object, and drops all others, which is before it waits for room.
    pub fn load(&mut self, mut wanted: Vec<Range<u64>>) -> DecodeResult<()> {
        if self.is_whole {
            return Ok(());
        }
        self.memory = empty(self.ranges.length())?;
        self.reservation = None;
        wanted.sort_by_key(|range| range.start);
        let mut joined: Vec<Range<u64>> = Vec::new();
        for range in wanted {
            match joined.last_mut() {
                Some(last) if range.start <= last.end.saturating_add(GAP_BYTES) => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        self.reserve(joined.iter().map(|range| range.end.saturating_sub(range.start)).fold(0, u64::saturating_add))?;
        joined.iter().try_for_each(|range| self.get(range))
    }

    fn reserve(&mut self, needed_bytes: u64) -> DecodeResult<()> {
        let limit_bytes = self.ranges.budget_bytes();
        if needed_bytes > limit_bytes {
            return Err(DecodeFault::RowGroupTooLarge { needed_bytes, limit_bytes });
        }
        self.reservation = Some(self.ranges.reserve(needed_bytes).map_err(DecodeFault::Unreadable)?);
        Ok(())
    }

    fn get(&mut self, range: &Range<u64>) -> DecodeResult<()> {
        let beyond = || corrupt("a column lies beyond the end of the file");
        let start = usize::try_from(range.start).map_err(|_| beyond())?;
        let end = usize::try_from(range.end).map_err(|_| beyond())?;
        let mut target = self.memory.get_mut(start..end).ok_or_else(beyond)?;
        let got = self.ranges.read(range.clone(), &mut |bytes| std::io::Write::write_all(&mut target, bytes));
        got.map_err(DecodeFault::Unreadable)?;
        if target.is_empty() { Ok(()) } else { Err(DecodeFault::Unreadable(std::io::ErrorKind::UnexpectedEof.into())) }
    }
}

/// Memory of this length that takes none until it is written to.
fn empty(length: u64) -> DecodeResult<MmapMut> {
    let length = usize::try_from(length).map_err(|_| corrupt("is larger than the memory of this machine can address"))?;
    MmapOptions::new().len(length).no_reserve_swap().map_anon().map_err(DecodeFault::Unreadable)
}
