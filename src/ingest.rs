//! Ingest: from the objects of the bucket to batches of rows, with every row accounted for.

pub mod decode;
pub mod timestamp;
