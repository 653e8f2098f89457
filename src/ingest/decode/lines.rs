//! Physical lines out of a stream of bytes, in bounded memory: a line that is too long is skipped, not held.

use std::io::{self, BufRead, BufReader, Read};

const BOM: &[u8] = b"\xEF\xBB\xBF";
/// One read from the source; large enough that a call costs nothing beside the lines in it.
const BUFFER_BYTES: usize = 64 * 1024;

pub(super) struct Lines {
    reader: BufReader<Box<dyn Read + Send>>,
    /// The number of the line read last, from 1.
    number: u64,
    max_bytes: usize,
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

impl Lines {
    pub fn new(reader: Box<dyn Read + Send>, max_bytes: usize) -> Self {
        Self { reader: BufReader::with_capacity(BUFFER_BYTES, reader), number: 0, max_bytes }
    }

    /// No lines at all.
    pub fn empty() -> Self {
        Self { reader: BufReader::with_capacity(0, Box::new(io::empty())), number: 0, max_bytes: 0 }
    }

    pub fn number(&self) -> u64 {
        self.number
    }

    /// Appends the next line to `line`. After [`Line::TooLong`] its content is unspecified.
    pub fn append_next(&mut self, line: &mut Vec<u8>) -> io::Result<Line> {
        let start = line.len();
        let room = self.max_bytes.saturating_sub(start);
        // Two bytes more than there is room for: the end of a line that just fits.
        let limit = u64::try_from(room).unwrap_or(u64::MAX).saturating_add(2);
        let read = (&mut self.reader).take(limit).read_until(b'\n', line)?;
        if read == 0 {
            return Ok(Line::End);
        }
        self.number += 1;
        if line.last() == Some(&b'\n') {
            line.pop();
        } else if u64::try_from(read).is_ok_and(|read| read == limit) {
            self.reader.skip_until(b'\n')?;
            return Ok(Line::TooLong);
        }
        if line.last() == Some(&b'\r') && line.len() > start {
            line.pop();
        }
        if self.number == 1 && line.get(start..).is_some_and(|text| text.starts_with(BOM)) {
            line.drain(start..start + BOM.len());
        }
        if line.len() > self.max_bytes {
            return Ok(Line::TooLong);
        }
        Ok(Line::Read)
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
}

pub(super) fn is_blank(line: &[u8]) -> bool {
    line.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], max_bytes: usize) -> Vec<(u64, Line, Vec<u8>)> {
        let mut lines = Lines::new(Box::new(io::Cursor::new(bytes.to_vec())), max_bytes);
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
