//! The bytes of the needed columns, row group by row group.
//!
//! What is near is read by whoever decodes a column, at that moment. What lies elsewhere is got a row group ahead, while the one before
//! is decoded: objects are read side by side, and row groups have any size, so what they hold together is taken from one budget.

use std::ops::Range;
use std::sync::mpsc::sync_channel;

use super::super::compression::{Ranges, Reservation};
use super::super::error::{DecodeFault, DecodeResult};
use super::object::{Object, Origin, get};

/// Gaps up to this size are got along with what lies around them.
const GAP_BYTES: u64 = 256 << 10;

/// The bytes of one row group.
pub(super) struct Group {
    pub index: usize,
    /// What was got ahead; nothing where the bytes are near.
    parts: Vec<(u64, Vec<u8>)>,
    /// What they take of the budget.
    _reservation: Option<Reservation>,
}

impl Group {
    fn near(index: usize) -> Self {
        Self { index, parts: Vec::new(), _reservation: None }
    }

    /// The bytes of a column, which lie within the object.
    pub fn bytes(&self, object: &Object, range: Range<u64>) -> DecodeResult<Vec<u8>> {
        let within = |bytes: &[u8], from: u64| {
            let start = usize::try_from(range.start.checked_sub(from)?).ok()?;
            let end = usize::try_from(range.end.checked_sub(from)?).ok()?;
            bytes.get(start..end).map(<[u8]>::to_vec)
        };
        let found = match &object.origin {
            Origin::Memory(bytes) => within(bytes, 0),
            Origin::Ranges(ranges) if ranges.is_near() => return get(ranges.as_ref(), range),
            Origin::Ranges(_) => self.parts.iter().find_map(|(from, bytes)| within(bytes, *from)),
        };
        found.ok_or_else(|| super::corrupt("a column lies beyond the end of the file"))
    }
}

/// Hands on the row groups in their order, each with its bytes where it is needed.
pub(super) fn each_group(
    object: &Object,
    groups: &[(usize, bool)],
    read: &[String],
    take: &mut dyn FnMut(usize, Option<Group>) -> DecodeResult<()>,
) -> DecodeResult<()> {
    let ranges = match &object.origin {
        Origin::Ranges(ranges) if !ranges.is_near() => ranges.as_ref(),
        _ => return groups.iter().try_for_each(|(group, is_needed)| take(*group, is_needed.then(|| Group::near(*group)))),
    };
    std::thread::scope(|scope| {
        // One is decoded, and one is on its way.
        let (sender, arrivals) = sync_channel(0);
        scope.spawn(move || {
            for (group, is_needed) in groups {
                let bytes = if *is_needed { load(object, ranges, *group, read).map(Some) } else { Ok(None) };
                let is_last = bytes.is_err();
                // A receiver that has failed wants no more.
                if sender.send((*group, bytes)).is_err() || is_last {
                    return;
                }
            }
        });
        let mut arrivals = arrivals.into_iter();
        arrivals.try_for_each(|(group, bytes)| take(group, bytes?))
    })
}

/// Gets the needed columns of a row group.
fn load(object: &Object, ranges: &dyn Ranges, group: usize, read: &[String]) -> DecodeResult<Group> {
    let mut wanted: Vec<Range<u64>> =
        read.iter().filter_map(|name| object.chunk(group, name)).map(|chunk| chunk.byte_range()).collect();
    wanted.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in wanted {
        match joined.last_mut() {
            Some(last) if range.start <= last.end.saturating_add(GAP_BYTES) => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    let needed_bytes = joined.iter().map(|range| range.end.saturating_sub(range.start)).fold(0, u64::saturating_add);
    let limit_bytes = ranges.budget_bytes();
    if needed_bytes > limit_bytes {
        return Err(DecodeFault::RowGroupTooLarge { needed_bytes, limit_bytes });
    }
    // Whoever decodes a row group waits for nothing, so whoever waits here will have room.
    let reservation = ranges.reserve(needed_bytes).map_err(DecodeFault::Unreadable)?;
    let part = |range: Range<u64>| Ok((range.start, get(ranges, range)?));
    let parts = joined.into_iter().map(part).collect::<DecodeResult<_>>()?;
    Ok(Group { index: group, parts, _reservation: Some(reservation) })
}
