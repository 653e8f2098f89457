//! The lines of an object in order: one at a time, or by blocks that are read on all cores.
//!
//! Blocks are read ahead by the group, so that one group is parsed while the next is read. What is parsed ahead is taken in the order
//! of the object; a line that cannot be parsed by itself is left to the one who reads line by line.

use std::collections::VecDeque;
use std::io::{self, Read};

use memchr::memchr;

use super::blocks::{Block, Blocks};
use super::rows::Rows;

/// How much is parsed at a time, and by how many.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Bytes of a block, a line more or less: enough that handing it over costs nothing, few enough for the caches.
    pub block_bytes: usize,
    /// Bytes that are read ahead of those that are being parsed, a block more or less.
    pub group_bytes: usize,
}

impl Pace {
    pub const USUAL: Self = Self { block_bytes: 256 * 1024, group_bytes: 1024 * 1024 };
    /// For a look at the first lines.
    pub const LOOK: Self = Self { block_bytes: 64 * 1024, group_bytes: 64 * 1024 };
}

/// What is said of a line that is not read because of its length.
pub(super) const LONGER: &str = "longer than logs.max_row_bytes allows";

pub(super) struct Lines {
    source: Source,
    /// What has been read and not been taken, in order.
    ahead: VecDeque<Piece>,
    /// The number of the line taken last, from 1.
    number: u64,
    max_bytes: usize,
    /// Whether blocks are parsed ahead: not below one in which what was parsed ahead had to be forgotten.
    is_calm: bool,
    /// Whether that happened since the last block was taken.
    is_disturbed: bool,
    /// For other rows.
    spare: Vec<Rows>,
}

struct Piece {
    block: Block,
    /// How many bytes of it are taken.
    taken: usize,
    /// Its first rows, while none of it is taken.
    rows: Option<Rows>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The line was appended, without its end (LF or CRLF).
    Read,
    /// The line would have made the buffer longer than the maximum; it was skipped to its end.
    TooLong,
    /// There are no more lines.
    End,
}

/// Reads the rows of some lines: as many of them as stand for themselves.
pub(super) trait Parse: Sync {
    /// Rows without anything in them.
    fn empty(&self) -> Rows;

    /// Fills `rows`, which are empty.
    fn parse(&self, lines: &[u8], rows: &mut Rows);
}

impl Lines {
    pub fn new(reader: Box<dyn Read + Send>, max_bytes: usize, pace: Pace) -> Self {
        let blocks = Blocks::new(reader, pace.block_bytes, max_bytes);
        let source = Source { blocks, group_bytes: pace.group_bytes, failure: None, is_at_end: false };
        Self { source, ahead: VecDeque::new(), number: 0, max_bytes, is_calm: true, is_disturbed: false, spare: Vec::new() }
    }

    /// No lines at all.
    pub fn empty() -> Self {
        Self::new(Box::new(io::empty()), 0, Pace::USUAL)
    }

    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether all of the object has been read, and is in memory as far as it is not taken.
    pub fn is_read(&mut self) -> bool {
        if self.ahead.is_empty() {
            self.ahead = self.source.group();
        }
        self.source.is_at_end
    }

    /// Appends the next line to `line`. After [`Line::TooLong`] its content is unspecified.
    pub fn append_next(&mut self, line: &mut Vec<u8>) -> io::Result<Line> {
        if !self.fill()? {
            return Ok(Line::End);
        }
        self.number += 1;
        let Some(piece) = self.ahead.front_mut() else { return Ok(Line::End) };
        let Block::Lines(bytes) = &piece.block else {
            self.ahead.pop_front();
            return Ok(Line::TooLong);
        };
        let (content, length) = first_line(bytes.get(piece.taken..).unwrap_or_default());
        let found = if line.len().saturating_add(content.len()) > self.max_bytes { Line::TooLong } else { Line::Read };
        if found == Line::Read {
            line.extend_from_slice(content);
        }
        piece.taken += length;
        self.spare.extend(piece.rows.take());
        Ok(found)
    }

    /// The next line that is not blank, in a buffer of its own.
    pub fn next_filled(&mut self, line: &mut Vec<u8>) -> io::Result<Line> {
        loop {
            line.clear();
            let found = self.append_next(line)?;
            if found != Line::Read || !is_blank(line) {
                return Ok(found);
            }
        }
    }

    /// Takes the rows of all lines up to one that does not stand for itself, and hands them on with the number of the line above.
    pub fn take_rows(&mut self, parser: &impl Parse, take: &mut dyn FnMut(&Rows, u64)) -> io::Result<()> {
        while self.fill()? {
            if self.is_calm && self.ahead.front().is_some_and(Piece::is_waiting) {
                self.parse_ahead(parser);
            }
            let Some(piece) = self.ahead.front_mut() else { break };
            let Block::Lines(bytes) = &piece.block else { break };
            let rows = piece.rows.take().unwrap_or_else(|| {
                let mut rows = self.spare.pop().unwrap_or_else(|| parser.empty());
                rows.clear();
                parser.parse(bytes.get(piece.taken..).unwrap_or_default(), &mut rows);
                rows
            });
            take(&rows, self.number);
            self.number += rows.lines;
            piece.taken += rows.bytes;
            let goes_on = piece.taken >= bytes.len() || rows.is_cut;
            self.spare.push(rows);
            if !goes_on {
                break;
            }
        }
        Ok(())
    }

    /// Forgets what was parsed and is not taken: it has to be parsed otherwise.
    pub fn forget_rows(&mut self) {
        (self.is_calm, self.is_disturbed) = (false, true);
        self.spare.extend(self.ahead.iter_mut().filter_map(|piece| piece.rows.take()));
    }

    /// Makes the first piece one with something left; `false` at the end of the object.
    fn fill(&mut self) -> io::Result<bool> {
        while self.ahead.front().is_some_and(Piece::is_done) {
            self.ahead.pop_front();
            self.is_calm = !std::mem::take(&mut self.is_disturbed);
        }
        if self.ahead.is_empty() {
            self.ahead = self.source.group();
        }
        match self.source.failure.take_if(|_| self.ahead.is_empty()) {
            Some(error) => Err(error),
            None => Ok(!self.ahead.is_empty()),
        }
    }

    /// Parses what has been read, and reads the next group meanwhile.
    fn parse_ahead(&mut self, parser: &impl Parse) {
        let Self { source, ahead, spare, .. } = self;
        if source.is_at_end && ahead.len() == 1 {
            return;
        }
        let size_ahead: usize = ahead.iter().map(Piece::size).sum();
        let next = rayon::in_place_scope(|scope| {
            for piece in ahead.iter_mut().filter(|piece| piece.is_waiting()) {
                let mut rows = spare.pop().unwrap_or_else(|| parser.empty());
                scope.spawn(move |_| {
                    if let Block::Lines(bytes) = &piece.block {
                        rows.clear();
                        parser.parse(bytes, &mut rows);
                        piece.rows = Some(rows);
                    }
                });
            }
            if size_ahead < 2 * source.group_bytes { source.group() } else { VecDeque::new() }
        });
        ahead.extend(next);
    }
}

impl Piece {
    fn size(&self) -> usize {
        if let Block::Lines(bytes) = &self.block { bytes.len() } else { 0 }
    }

    /// Whether all of it can be parsed, and was not.
    fn is_waiting(&self) -> bool {
        self.taken == 0 && self.rows.is_none() && matches!(self.block, Block::Lines(_))
    }

    fn is_done(&self) -> bool {
        matches!(&self.block, Block::Lines(bytes) if self.taken >= bytes.len())
    }
}

/// Where the blocks come from.
struct Source {
    blocks: Blocks,
    group_bytes: usize,
    /// Below the last block that was given.
    failure: Option<io::Error>,
    is_at_end: bool,
}

impl Source {
    /// The next blocks; none at the end, or when reading failed.
    fn group(&mut self) -> VecDeque<Piece> {
        let (mut group, mut size) = (VecDeque::new(), 0);
        while size < self.group_bytes && !self.is_at_end {
            match self.blocks.next() {
                Ok(Some(block)) => {
                    // Past a long line more may have been read than a group holds.
                    let piece = Piece { block, taken: 0, rows: None };
                    size += if piece.is_waiting() { piece.size() } else { self.group_bytes };
                    group.push_back(piece);
                }
                Ok(None) => self.is_at_end = true,
                Err(error) => {
                    self.failure = Some(error);
                    self.is_at_end = true;
                }
            }
        }
        group
    }
}

/// The first of some lines without its end (LF or CRLF), and its length with it.
pub(super) fn first_line(lines: &[u8]) -> (&[u8], usize) {
    let (line, length) = match memchr(b'\n', lines) {
        Some(at) => (lines.get(..at).unwrap_or_default(), at + 1),
        None => (lines, lines.len()),
    };
    (line.strip_suffix(b"\r").unwrap_or(line), length)
}

pub(super) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], max_bytes: usize) -> Vec<(u64, Line, Vec<u8>)> {
        let mut lines = Lines::new(Box::new(io::Cursor::new(bytes.to_vec())), max_bytes, Pace::USUAL);
        let mut found = Vec::new();
        loop {
            let mut line = Vec::new();
            let kind = lines.next_filled(&mut line).unwrap();
            if kind == Line::End {
                return found;
            }
            found.push((lines.number(), kind, line));
        }
    }

    #[test]
    fn lines_lose_their_ends_and_keep_their_numbers() {
        let found = read(b"\xEF\xBB\xBFa\r\n\n \t\nb\rc\nd", 10);
        let texts: Vec<_> = found.iter().map(|(number, _, line)| (*number, line.as_slice())).collect();
        assert_eq!(texts, [(1, b"a".as_slice()), (4, b"b\rc"), (5, b"d")]);
    }

    #[test]
    fn a_long_line_is_skipped_and_the_next_one_read() {
        let mut bytes = vec![b'x'; 300_000];
        bytes.extend_from_slice(b"\nshort\n");
        let found = read(&bytes, 10);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].0, found[0].1), (1, Line::TooLong));
        assert_eq!(found[1], (2, Line::Read, b"short".to_vec()));
    }
}
