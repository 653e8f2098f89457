//! Cuts a stream of bytes at line ends into blocks that are read each by itself, in bounded memory: a line that is too long is
//! skipped, not held.

use std::io::{self, Read};

use memchr::{memchr, memrchr};

const BOM: &[u8] = b"\xEF\xBB\xBF";
/// One read from the source; large enough that a call costs nothing beside the lines in it, small enough for the caches.
const READ_BYTES: usize = 64 * 1024;

/// A part of the object.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// Whole lines with their ends, which only the last line of the object may lack.
    Lines(Vec<u8>),
    /// One line that is longer than the maximum, without what stands in it.
    LongLine,
}

pub(super) struct Blocks {
    reader: Box<dyn Read + Send>,
    /// What one read gives. Always of one size: how much a decompressor gives before it fails depends on how much it is asked for.
    buffer: Box<[u8]>,
    /// A block is cut when it has this many bytes.
    block_bytes: usize,
    /// Of a line, without its end.
    max_line_bytes: usize,
    /// What was read and given to no block.
    rest: Vec<u8>,
    /// Reading failed below the block that was given last.
    failure: Option<io::Error>,
    is_at_start: bool,
}

impl Blocks {
    pub fn new(reader: Box<dyn Read + Send>, block_bytes: usize, max_line_bytes: usize) -> Self {
        let buffer = vec![0; READ_BYTES].into_boxed_slice();
        Self { reader, buffer, block_bytes, max_line_bytes, rest: Vec::new(), failure: None, is_at_start: true }
    }

    /// The next block; nothing at the end of the object.
    ///
    /// # Errors
    /// When reading failed; the whole lines above have been given before.
    pub fn next(&mut self) -> io::Result<Option<Block>> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        let mut bytes = Vec::with_capacity(self.block_bytes.max(self.rest.len()).saturating_add(READ_BYTES));
        bytes.append(&mut self.rest);
        // Where the last whole line ends.
        let mut end = memrchr(b'\n', &bytes).map_or(0, |at| at + 1);
        loop {
            if end > 0 && bytes.len() >= self.block_bytes {
                break;
            }
            // The end of a line that just fits may have two bytes.
            if end == 0 && bytes.len() >= self.max_line_bytes.saturating_add(2) {
                self.is_at_start = false;
                self.skip_line(bytes)?;
                return Ok(Some(Block::LongLine));
            }
            let before = bytes.len();
            match self.read_more(&mut bytes) {
                Ok(0) => {
                    end = bytes.len();
                    break;
                }
                Ok(_) => end = bytes.get(before..).and_then(|new| memrchr(b'\n', new)).map_or(end, |at| before + at + 1),
                Err(error) if end == 0 => return Err(error),
                Err(error) => {
                    bytes.truncate(end);
                    self.failure = Some(error);
                    break;
                }
            }
        }
        self.rest = bytes.split_off(end);
        if std::mem::replace(&mut self.is_at_start, false) && bytes.starts_with(BOM) {
            bytes.drain(..BOM.len());
        }
        Ok((!bytes.is_empty()).then_some(Block::Lines(bytes)))
    }

    /// Reads on to the end of the line that `bytes` begin.
    fn skip_line(&mut self, mut bytes: Vec<u8>) -> io::Result<()> {
        loop {
            if let Some(at) = memchr(b'\n', &bytes) {
                self.rest = bytes.split_off(at + 1);
                return Ok(());
            }
            bytes.clear();
            bytes.shrink_to(READ_BYTES);
            if self.read_more(&mut bytes)? == 0 {
                return Ok(());
            }
        }
    }

    /// Appends what one read gives; nothing at the end.
    fn read_more(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        let read = loop {
            match self.reader.read(&mut self.buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        bytes.extend_from_slice(self.buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time, then fails if it is to.
    struct Slow(&'static [u8], bool);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let room = buffer.len().min(3);
            match self.0.read(&mut buffer[..room])? {
                0 if self.1 => Err(io::ErrorKind::ConnectionReset.into()),
                read => Ok(read),
            }
        }
    }

    fn blocks(bytes: &'static [u8], fails: bool) -> Vec<Result<Block, io::ErrorKind>> {
        let mut blocks = Blocks::new(Box::new(Slow(bytes, fails)), 6, 10);
        let mut found = Vec::new();
        loop {
            match blocks.next() {
                Ok(None) => return found,
                Ok(Some(block)) => found.push(Ok(block)),
                Err(error) => {
                    found.push(Err(error.kind()));
                    return found;
                }
            }
        }
    }

    fn lines(text: &str) -> Block {
        Block::Lines(text.as_bytes().to_vec())
    }

    #[test]
    fn blocks_end_where_lines_end() {
        assert_eq!(blocks(b"", false), []);
        assert_eq!(blocks(b"\xEF\xBB\xBFa\nb\nccc\n\r\nd", false), [Ok(lines("a\n")), Ok(lines("b\nccc\n")), Ok(lines("\r\nd"))]);
        assert_eq!(blocks(b"0123456789\r\n0123456789", false), [Ok(lines("0123456789\r\n")), Ok(lines("0123456789"))]);
    }

    #[test]
    fn a_long_line_is_a_block_of_its_own_without_its_content() {
        assert_eq!(blocks(b"a\n0123456789abcdef\nb\n", false), [Ok(lines("a\n")), Ok(Block::LongLine), Ok(lines("b\n"))]);
        assert_eq!(blocks(b"0123456789abcdef", false), [Ok(Block::LongLine)]);
    }

    #[test]
    fn the_whole_lines_before_a_failure_are_given() {
        assert_eq!(blocks(b"a\nb\ncc", true), [Ok(lines("a\nb\n")), Err(io::ErrorKind::ConnectionReset)]);
        assert_eq!(blocks(b"cc", true), [Err(io::ErrorKind::ConnectionReset)]);
    }

    #[test]
    fn no_more_is_held_than_a_block_and_a_line() {
        let text = io::repeat(b'x').take(20 << 20).chain(&b"\nshort\n"[..]).chain(io::repeat(b'y').take(20 << 20));
        let mut blocks = Blocks::new(Box::new(text), 1 << 10, 100_000);
        let mut found = Vec::new();
        while let Some(block) = blocks.next().unwrap() {
            assert!(blocks.rest.capacity() <= 100_000 + 2 * READ_BYTES, "{}", blocks.rest.capacity());
            found.push(block);
        }
        assert_eq!(found, [Block::LongLine, lines("short\n"), Block::LongLine]);
    }
}
