//! Files that others write while they are read: each counts as one generation of it, or is said to be unreadable.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use drift_check::bucket::Bucket;
use drift_check::error::with_causes;
use drift_check::feature::{FeatureKind, FeatureName};
use drift_check::ingest::account::{Account, Fault};
use drift_check::ingest::decode::{Batch, DecodeFault, Request};
use drift_check::ingest::sink::Sink;
use drift_check::ingest::{Source, read};

/// Counts rows, and does something to the file whenever a reading of it has begun.
#[derive(Clone)]
struct Meddler {
    rows: u64,
    path: PathBuf,
    /// How often it is still done.
    times: Arc<AtomicU32>,
    change: fn(&Path, u32),
    /// Whether it was done during this reading.
    is_done: bool,
}

impl Sink for Meddler {
    fn update(&mut self, batch: &Batch) -> Result<(), DecodeFault> {
        self.rows += batch.rows as u64;
        if !std::mem::replace(&mut self.is_done, true) {
            let left = self.times.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if let Ok(left) = left {
                (self.change)(&self.path, left - 1);
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: Self) {
        self.rows += other.rows;
    }
}

/// Far more bytes than are read ahead of the first rows.
const ROWS: u64 = 2_000_000;
/// A length within the file that is not read by then.
const SHORTER_BYTES: u64 = 4_000_000;

fn file(value: u32, rows: u64) -> String {
    format!("a,b\n{}", format!("{value},0\n").repeat(rows as usize))
}

/// Reads a file that is changed so often while it is read.
async fn reading(times: u32, change: fn(&Path, u32)) -> (u64, Account) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("logs.csv");
    std::fs::write(&path, file(1, ROWS)).unwrap();
    let bucket = Bucket::local(folder.path());
    let source = Source { objects: bucket.list("").await.unwrap(), bucket };
    let columns = vec![(FeatureName::from("a"), FeatureKind::Numeric)];
    let request = Request { columns, timestamp: None, cluster: None, window: None, max_row_bytes: 1_000, batch_rows: 100 };
    let sink = Meddler { rows: 0, path, times: Arc::new(AtomicU32::new(times)), change, is_done: false };
    let (sink, account) = read(&source, request, sink, 1, &|_| ()).await.unwrap();
    (sink.rows, account)
}

fn append(path: &Path, _: u32) {
    File::options().append(true).open(path).unwrap().write_all(b"2,0\n2,0\n").unwrap();
}

fn truncate(path: &Path, left: u32) {
    File::options().write(true).open(path).unwrap().set_len(SHORTER_BYTES + 4 * u64::from(left)).unwrap();
}

fn rewrite(path: &Path, left: u32) {
    std::fs::write(path, file(2 + left, ROWS)).unwrap();
}

#[tokio::test]
async fn rows_appended_while_a_file_is_read_are_not_of_its_generation() {
    let (rows, account) = reading(1, append).await;
    let object = &account.objects[0];
    assert_eq!((rows, account.rows_used, object.size_bytes), (ROWS, ROWS, 4 + 4 * ROWS));
    assert!(object.generation.ends_with(&format!("-{}", object.size_bytes)), "{}", object.generation);
}

#[tokio::test]
async fn a_file_that_is_truncated_or_rewritten_once_is_read_again() {
    let (rows, account) = reading(1, truncate).await;
    assert_eq!((rows, account.objects[0].size_bytes), (SHORTER_BYTES / 4 - 1, SHORTER_BYTES));
    let (rows, account) = reading(1, rewrite).await;
    assert_eq!((rows, account.objects[0].size_bytes), (ROWS, 4 + 4 * ROWS));
}

#[tokio::test]
async fn a_file_that_changes_under_every_reading_is_unreadable() {
    for (change, said) in [(truncate as fn(&Path, u32), "it became shorter"), (rewrite, "it was rewritten")] {
        let (rows, account) = reading(5, change).await;
        let Err(Fault::Unreadable(error)) = &account.objects[0].outcome else { panic!("{:?}", account.objects[0]) };
        assert_eq!(with_causes(error), format!("could not be read: {said} while it was read"));
        assert_eq!(rows, 0);
    }
}
