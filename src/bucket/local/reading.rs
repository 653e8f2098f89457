//! One reading of a file, in order or here and there: its bytes are digested as they are read, so that nothing is read twice.
//!
//! Others may append to the file meanwhile; what counts is what it held when it was opened. Should it have been changed in another way,
//! the reading fails at its end.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Mutex, PoisonError};

use flate2::Crc;

/// Bytes that are read at a time where nobody but the digest wants them.
const CHUNK_BYTES: usize = 1 << 18;

/// A file while it is read.
#[derive(Debug)]
pub struct Reading {
    file: File,
    size_bytes: u64,
    opened: Stamp,
    /// The digests of what was read, by where it began, and where it ended.
    parts: Mutex<BTreeMap<u64, (u64, Crc)>>,
}

/// What changes with a file: the time of the last change cannot be set back.
type Stamp = (i64, i64);

fn stamp(metadata: &Metadata) -> Stamp {
    (metadata.ctime(), metadata.ctime_nsec())
}

/// What names a content.
pub fn generation(digest: &Crc, size_bytes: u64) -> String {
    format!("crc32-{:08x}-{size_bytes}", digest.sum())
}

impl Reading {
    pub fn of(file: File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self { size_bytes: metadata.len(), opened: stamp(&metadata), file, parts: Mutex::default() })
    }

    /// Reads into a buffer from a position on, which together are within the file.
    fn fill(&self, buffer: &mut [u8], position: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, position).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => io::Error::other("it became shorter while it was read"),
            _ => error,
        })
    }

    fn digested(&self, position: u64, bytes: &[u8]) {
        let mut digest = Crc::new();
        digest.update(bytes);
        let end = position + bytes.len() as u64;
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut last) = parts.last_entry()
            && last.get().0 == position
        {
            // A reading in order goes on where it was.
            let (last_end, known) = last.get_mut();
            known.combine(&digest);
            *last_end = end;
        } else {
            parts.entry(position).or_insert((end, digest));
        }
    }

    /// The generation of what was read and its size in bytes; reads what nobody wanted.
    ///
    /// # Errors
    /// When the file did not stay what it was.
    pub fn settle(&self) -> io::Result<(String, u64)> {
        let parts = std::mem::take(&mut *self.parts.lock().unwrap_or_else(PoisonError::into_inner));
        let mut digest = Crc::new();
        let mut position = 0;
        for (start, (end, part)) in parts {
            // Read once more than needed.
            if start < position {
                continue;
            }
            self.digest(position..start, &mut digest)?;
            digest.combine(&part);
            position = end;
        }
        self.digest(position..self.size_bytes, &mut digest)?;
        if stamp(&self.file.metadata()?) != self.opened {
            let mut again = Crc::new();
            self.digest(0..self.size_bytes, &mut again)?;
            if again.sum() != digest.sum() {
                return Err(io::Error::other("it was rewritten while it was read"));
            }
        }
        Ok((generation(&digest, self.size_bytes), self.size_bytes))
    }

    fn digest(&self, range: Range<u64>, digest: &mut Crc) -> io::Result<()> {
        let mut chunk = vec![0; if range.is_empty() { 0 } else { CHUNK_BYTES }];
        let mut position = range.start;
        while position < range.end {
            let length = usize::try_from(range.end - position).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            let chunk = chunk.get_mut(..length).unwrap_or_default();
            self.fill(chunk, position)?;
            digest.update(chunk);
            position += length as u64;
        }
        Ok(())
    }
}

/// From the first byte to the last that the file had when it was opened.
pub struct InOrder {
    pub reading: std::sync::Arc<Reading>,
    pub position: u64,
}

impl Read for InOrder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.reading.size_bytes - self.position;
        let room = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let buffer = buffer.get_mut(..room).unwrap_or_default();
        if buffer.is_empty() {
            return Ok(0);
        }
        let read = self.reading.file.read_at(buffer, self.position)?;
        if read == 0 {
            return Err(io::Error::other("it became shorter while it was read"));
        }
        self.reading.digested(self.position, buffer.get(..read).unwrap_or_default());
        self.position += read as u64;
        Ok(read)
    }
}

/// Here and there.
pub struct NearRanges {
    pub reading: std::sync::Arc<Reading>,
}

impl NearRanges {
    pub fn size_bytes(&self) -> u64 {
        self.reading.size_bytes
    }

    /// Puts the bytes of a range within the file in the place of what `bytes` holds.
    pub fn get_into(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> io::Result<()> {
        bytes.resize(usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?, 0);
        self.reading.fill(bytes, range.start)?;
        self.reading.digested(range.start, bytes);
        Ok(())
    }
}
