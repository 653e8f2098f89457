//! Opens an object as a stream of plain bytes, and keeps apart what failed: the source, or the content it delivered.

use std::collections::VecDeque;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::error::DecodeFault;
use super::format::Compression;

/// An object that lies elsewhere and can be read here and there.
pub trait Ranges: Send + Sync {
    fn length(&self) -> u64;

    /// Whether reading costs little more than the bytes, from any thread.
    fn is_near(&self) -> bool;

    /// How many bytes may be in memory at a time, over all objects that share a budget.
    fn budget_bytes(&self) -> u64;

    /// Waits until so many bytes, which are no more than the budget, may be in memory. Whoever waits holds no others.
    ///
    /// # Errors
    /// When waiting has no end.
    fn reserve(&self, bytes: u64) -> io::Result<Reservation>;

    /// The bytes of a range, all of them.
    ///
    /// # Errors
    /// When they do not arrive.
    fn get(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.get_into(range, &mut bytes)?;
        Ok(bytes)
    }

    /// As [`Self::get`], in the place of what `bytes` holds.
    ///
    /// # Errors
    /// When they do not arrive.
    fn get_into(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> io::Result<()>;
}

/// Bytes that may be in memory until this is dropped.
pub type Reservation = Box<dyn Send + Sync>;

/// An object to decode.
pub enum Input {
    /// Bytes as they arrive.
    Stream(Box<dyn Read + Send>),
    /// No more of it is read than is needed, of Parquet.
    Ranges(Box<dyn Ranges>),
}

impl Input {
    pub(super) fn into_stream(self) -> Box<dyn Read + Send> {
        match self {
            Self::Stream(stream) => stream,
            Self::Ranges(ranges) => Box::new(InOrder { ranges, position: 0, ahead: VecDeque::new() }),
        }
    }
}

/// Ranges read one after the other.
struct InOrder {
    ranges: Box<dyn Ranges>,
    position: u64,
    ahead: VecDeque<u8>,
}

/// Bytes of one range of [`InOrder`].
const STEP_BYTES: u64 = 1 << 20;

impl Read for InOrder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let end = self.ranges.length().min(self.position + STEP_BYTES);
        if self.ahead.is_empty() && self.position < end {
            self.ahead.extend(self.ranges.get(self.position..end)?);
            self.position = end;
        }
        self.ahead.read(buffer)
    }
}

/// The plain bytes of an object, and whether it was the source that failed.
pub(super) struct PlainBytes {
    pub reader: Box<dyn Read + Send>,
    pub source: SourceState,
}

/// Shared with the innermost reader: set when reading the source failed, as opposed to decompressing what it gave.
#[derive(Clone, Default)]
pub(super) struct SourceState {
    failed: Arc<AtomicBool>,
}

impl SourceState {
    /// The fault behind a failed read: when the source delivered, the decompressor could make nothing of it.
    pub fn blame(&self, compression: Compression, error: io::Error) -> DecodeFault {
        if self.failed.load(Ordering::Relaxed) {
            return DecodeFault::Unreadable(error);
        }
        if compression == Compression::Zstd && error.to_string().contains(WINDOW_TOO_LARGE) {
            let mebibytes = 1 << (LARGEST_WINDOW - 20);
            let what = format!("a zstd window of more than {mebibytes} MiB: compress it at a level up to 19, without --long");
            return DecodeFault::TooLarge { what };
        }
        DecodeFault::corrupt(compression, error)
    }
}

/// Compressed bytes that are read at a time.
const BUFFER_BYTES: usize = 64 * 1024;
/// How far back zstd may refer, which is held in memory: 32 MiB, as a power of two. Its levels up to 19 refer to 8 MiB.
const LARGEST_WINDOW: u32 = 25;
/// What zstd says of a frame that refers to more.
const WINDOW_TOO_LARGE: &str = "too much memory";

/// Decompresses while reading. Concatenated gzip members and zstd frames are read as one stream, as their tools do; anything
/// else after a member is an error. An object of no bytes gives no bytes under any compression.
pub(super) fn open(input: Input, compression: Compression) -> io::Result<PlainBytes> {
    let source = SourceState::default();
    let mut raw = BufReader::with_capacity(BUFFER_BYTES, Watched { inner: input.into_stream(), source: source.clone() });
    let reader: Box<dyn Read + Send> = if io::BufRead::fill_buf(&mut raw)?.is_empty() {
        Box::new(io::empty())
    } else {
        match compression {
            Compression::None => Box::new(raw),
            Compression::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(raw)),
            Compression::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(raw)?;
                decoder.window_log_max(LARGEST_WINDOW)?;
                Box::new(decoder)
            }
        }
    };
    Ok(PlainBytes { reader, source })
}

struct Watched {
    inner: Box<dyn Read + Send>,
    source: SourceState,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer).inspect_err(|error| {
            // An interrupted read is tried again by every caller and is no failure.
            if error.kind() != io::ErrorKind::Interrupted {
                self.source.failed.store(true, Ordering::Relaxed);
            }
        })
    }
}
