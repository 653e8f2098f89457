//! Why an object as a whole cannot be used, as opposed to single rows of it.

use std::error::Error;
use std::fmt;
use std::io;

use thiserror::Error;

use super::MOST_COLUMNS;
use super::format::Compression;

/// An object that cannot be used, and how far it was read.
#[derive(Debug)]
pub struct DecodeError {
    pub fault: DecodeFault,
    /// The rows that had been read, for whatever they were worth.
    pub rows_before_error: u64,
}

/// What is wrong with the object.
#[derive(Debug, Error)]
pub enum DecodeFault {
    /// The bytes did not arrive; trying again may help.
    #[error("could not be read")]
    Unreadable(#[source] io::Error),
    #[error("is truncated or corrupt {compression} data")]
    CorruptCompression { compression: &'static str, source: io::Error },
    #[error("is truncated or corrupt Parquet: {detail}")]
    CorruptParquet { detail: String },
    /// Trying again does not help: the file, or the setting, must change.
    #[error(
        "has a row group of which {needed_bytes} bytes are needed at once, more than run.max_download_bytes = {limit_bytes} allows: write \
         row groups of fewer rows, such as 1,000,000, or raise run.max_download_bytes"
    )]
    RowGroupTooLarge { needed_bytes: u64, limit_bytes: u64 },
    /// Trying again does not help: it would take more memory than an object may.
    #[error("has {what}")]
    TooLarge { what: String },
    #[error("has a header that cannot be read: {detail}")]
    UnreadableHeader { detail: &'static str },
    #[error("has more than one column named {}", quoted(.names))]
    DuplicateColumns { names: Vec<String> },
    #[error("has no timestamp column `{name}`; its columns are {}", quoted(.columns))]
    TimestampAbsent { name: String, columns: Vec<String> },
    #[error("has a timestamp column `{name}` of type {found}, which holds no moments")]
    TimestampType { name: String, found: String },
}

/// What is said of an object with more than [`MOST_COLUMNS`].
pub(super) fn too_many_columns() -> String {
    format!("more than {MOST_COLUMNS} columns: write only those that are compared")
}

pub(super) type DecodeResult<T> = Result<T, DecodeFault>;

impl DecodeFault {
    pub(super) fn corrupt(compression: Compression, source: io::Error) -> Self {
        let compression = match compression {
            Compression::None => return Self::Unreadable(source),
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        };
        Self::CorruptCompression { compression, source }
    }
}

impl DecodeError {
    /// Whether another reading of the same bytes would come to the same, as it does not when they were damaged on their way.
    pub fn is_final(&self) -> bool {
        matches!(self.fault, DecodeFault::RowGroupTooLarge { .. } | DecodeFault::TooLarge { .. })
    }

    /// Whether the same object may be readable on another attempt: only when its bytes did not arrive.
    pub fn retryable(&self) -> bool {
        matches!(self.fault, DecodeFault::Unreadable(_))
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fault.fmt(f)
    }
}

impl Error for DecodeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The fault is this error's own message, not its cause.
        self.fault.source()
    }
}

/// A list that stays readable when an object has hundreds of columns.
fn quoted(names: &[String]) -> String {
    const SHOWN: usize = 30;
    let shown: Vec<String> = names.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = names.len() - shown.len();
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}
