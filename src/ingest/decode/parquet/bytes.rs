//! The bytes of the needed columns, and the moments of their rows, a step ahead of those who decode the rest.
//!
//! What is near is read by whoever decodes a column, at that moment. What lies elsewhere is got a row group at a time, while the one
//! before is decoded: objects are read side by side, and row groups have any size, so what they hold together is taken from one budget.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;

use polars::prelude::Series;
use polars_parquet::read::ColumnChunkMetadata;

use super::super::compression::{Ranges, Reservation};
use super::super::error::{DecodeFault, DecodeResult};
use super::column;
use super::object::{Object, Origin};
use super::plan::Plan;
use super::steps::{Piece, Step};

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

    /// Puts the bytes of a column, which lie within the object, in the place of what `bytes` holds.
    pub fn read(&self, object: &Object, range: Range<u64>, bytes: &mut Vec<u8>) -> DecodeResult<()> {
        fn within(bytes: &[u8], from: u64, range: &Range<u64>) -> Option<Range<usize>> {
            let start = usize::try_from(range.start.checked_sub(from)?).ok()?;
            let end = usize::try_from(range.end.checked_sub(from)?).ok()?;
            (start <= end && end <= bytes.len()).then_some(start..end)
        }
        let held = match &object.origin {
            Origin::Ranges(ranges) if ranges.is_near() => return ranges.get_into(range, bytes).map_err(DecodeFault::Unreadable),
            Origin::Memory(all) => within(all, 0, &range).and_then(|range| all.get(range)),
            Origin::Ranges(_) => self.parts.iter().find_map(|(from, part)| part.get(within(part, *from, &range)?)),
        };
        bytes.clear();
        bytes.extend_from_slice(held.ok_or_else(|| super::corrupt("a column lies beyond the end of the file"))?);
        Ok(())
    }
}

/// A piece with its bytes and, where rows have a time, its timestamps.
pub(super) struct ReadyPiece {
    pub piece: Piece,
    pub group: Arc<Group>,
    pub timestamps: Option<Series>,
}

/// A step that can be taken.
pub(super) enum Ready {
    PassOver(usize),
    Read(Vec<ReadyPiece>),
}

/// Hands on the steps in their order, each with what it needs.
pub(super) fn each_step(
    object: &Object,
    steps: Vec<Step>,
    plan: &Plan,
    take: &mut dyn FnMut(Ready) -> DecodeResult<()>,
) -> DecodeResult<()> {
    let mut source = Source { object, plan, last: None };
    // A thread is not worth a single step.
    if let [_] = steps.as_slice() {
        return steps.into_iter().try_for_each(|step| take(source.ready(step)?));
    }
    std::thread::scope(|scope| {
        // One is decoded, and one is made ready.
        let (sender, arrivals) = sync_channel(0);
        scope.spawn(move || {
            for step in steps {
                let ready = source.ready(step);
                let is_last = ready.is_err();
                // A receiver that has failed wants no more.
                if sender.send(ready).is_err() || is_last {
                    return;
                }
            }
        });
        arrivals.into_iter().try_for_each(|ready| take(ready?))
    })
}

struct Source<'a> {
    object: &'a Object,
    plan: &'a Plan,
    /// The row group that was got last: a large one is read in several steps.
    last: Option<Arc<Group>>,
}

impl Source<'_> {
    fn ready(&mut self, step: Step) -> DecodeResult<Ready> {
        match step {
            Step::PassOver(group) => Ok(Ready::PassOver(group)),
            Step::Read(pieces) => {
                Ok(Ready::Read(pieces.into_iter().map(|piece| self.ready_piece(piece)).collect::<DecodeResult<_>>()?))
            }
        }
    }

    fn ready_piece(&mut self, piece: Piece) -> DecodeResult<ReadyPiece> {
        let group = match self.last.take().filter(|last| last.index == piece.group) {
            Some(last) => last,
            None => Arc::new(self.group(piece.group)?),
        };
        self.last = Some(Arc::clone(&group));
        let timestamps = match &self.plan.timestamp {
            Some(name) => Some(column::read(self.object, &group, &piece.rows, name)?),
            None => None,
        };
        // The last piece of a row group: whoever decodes it is the last to need it.
        if piece.rows.end == self.object.rows(piece.group) {
            self.last = None;
        }
        Ok(ReadyPiece { piece, group, timestamps })
    }

    fn group(&self, index: usize) -> DecodeResult<Group> {
        match &self.object.origin {
            Origin::Ranges(ranges) if !ranges.is_near() => load(self.object, ranges.as_ref(), index, &self.plan.read),
            _ => Ok(Group::near(index)),
        }
    }
}

/// Gets the needed columns of a row group.
fn load(object: &Object, ranges: &dyn Ranges, group: usize, read: &[String]) -> DecodeResult<Group> {
    let mut wanted: Vec<Range<u64>> =
        read.iter().filter_map(|name| object.chunk(group, name)).map(ColumnChunkMetadata::byte_range).collect();
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
    let part = |range: Range<u64>| {
        let start = range.start;
        Ok((start, ranges.get(range).map_err(DecodeFault::Unreadable)?))
    };
    let parts = joined.into_iter().map(part).collect::<DecodeResult<_>>()?;
    Ok(Group { index: group, parts, _reservation: Some(reservation) })
}
