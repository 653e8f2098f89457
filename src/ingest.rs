//! Ingest: from the objects of the bucket to counts, with every object and every row accounted for.
//!
//! Objects are decoded concurrently and their counts merged in the order of their keys, so that the result does not depend on
//! timing. An object counts whole or not at all: its rows are held, or counted apart, until its last byte was read.

pub mod account;
pub mod decode;
pub mod select;
pub mod sink;
pub mod timestamp;

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::bucket::{Bucket, BucketError, ObjectMeta};
use account::{Account, Fault, ObjectAccount};
use decode::{Batch, ColumnGuess, Encoding, Input, Request, decode, inspect};
use sink::Sink;

/// Rows of a batch: a few hundred kilobytes at sixteen columns, which the caches of one core hold.
pub const BATCH_ROWS: usize = 8_192;

/// Where the rows are read from.
#[derive(Clone, Debug)]
pub struct Source {
    pub bucket: Bucket,
    /// The objects, in the order of their keys; their number includes those that cannot be decoded.
    pub objects: Vec<ObjectMeta>,
}

/// Reads all objects of a source into a sink.
///
/// `concurrency` objects are worked on at a time (at least one); `progress` is told of every finished object and its size.
/// What is wrong with an object is in the account. An error means that the bucket could not be reached.
pub async fn read<S: Sink>(
    source: &Source,
    request: Request,
    empty: S,
    concurrency: usize,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<(S, Account), BucketError> {
    let request = Arc::new(request);
    let empty = Arc::new(empty);
    let mut total = S::clone(&empty);
    let mut account = Account::new(request.columns.len());
    let mut waiting = source.objects.iter();
    let mut running: VecDeque<JoinHandle<Result<Finished<S>, BucketError>>> = VecDeque::new();
    loop {
        while running.len() < concurrency.max(1) {
            let Some(meta) = waiting.next() else { break };
            let (bucket, meta, request, empty) = (source.bucket.clone(), meta.clone(), Arc::clone(&request), Arc::clone(&empty));
            running.push_back(tokio::task::spawn_blocking(move || read_object::<S>(&bucket, &meta, &request, &empty)));
        }
        let Some(task) = running.pop_front() else { break };
        let finished = match task.await {
            Ok(finished) => finished?,
            // Tasks are never cancelled; a panic is passed on to where it can be seen.
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        match finished.rows {
            Rows::None => {}
            Rows::One(batch) => total.update(&batch),
            Rows::Counted(counts) => total.merge(counts),
        }
        progress(finished.account.size_bytes);
        account.add(finished.account);
    }
    Ok((total, account))
}

/// What one object gave.
struct Finished<S> {
    account: ObjectAccount,
    rows: Rows<S>,
}

enum Rows<S> {
    None,
    /// Few rows: counted where the total is, without counts of their own.
    One(Batch),
    Counted(S),
}

fn read_object<S: Sink>(bucket: &Bucket, meta: &ObjectMeta, request: &Request, empty: &S) -> Result<Finished<S>, BucketError> {
    let account = |generation, outcome| ObjectAccount { uri: meta.uri.clone(), generation, size_bytes: meta.size_bytes, outcome };
    let Some(encoding) = Encoding::of_key(&meta.key) else {
        return Ok(Finished { account: account(String::new(), Err(Fault::UnknownFormat)), rows: Rows::None });
    };
    let open = match bucket.read(meta) {
        // Deleted, or replaced, since it was listed: the others can still be read.
        Err(error) if error.is_not_found() => {
            return Ok(Finished { account: account(String::new(), Err(Fault::Vanished)), rows: Rows::None });
        }
        open => open?,
    };
    let mut held: Option<Batch> = None;
    let mut counts: Option<S> = None;
    let result = decode(Input::File(open.file), encoding, request, &mut |batch| match (&mut counts, held.take()) {
        (Some(counts), _) => counts.update(&batch),
        (None, None) => held = Some(batch),
        (None, Some(first)) => {
            let mut own = S::clone(empty);
            own.update(&first);
            own.update(&batch);
            counts = Some(own);
        }
    });
    Ok(match result {
        Err(error) => Finished { account: account(open.generation, Err(Fault::Unreadable(error))), rows: Rows::None },
        Ok(tally) => {
            let rows = counts.map(Rows::Counted).or(held.map(Rows::One)).unwrap_or(Rows::None);
            Finished { account: account(open.generation, Ok(tally)), rows }
        }
    })
}

/// Rows that are looked at to guess what a column holds.
const SAMPLE_ROWS: usize = 2_000;

/// The columns of the source's objects in the order in which they first occur, each with what its first values look like.
///
/// Looks into at most `objects` of them; those that cannot be read are passed over, because [`read`] will account for them.
pub async fn columns(source: &Source, objects: usize) -> Result<Vec<(String, ColumnGuess)>, BucketError> {
    let mut found: Vec<(String, ColumnGuess)> = Vec::new();
    for meta in source.objects.iter().take(objects) {
        let Some(encoding) = Encoding::of_key(&meta.key) else { continue };
        let (bucket, meta) = (source.bucket.clone(), meta.clone());
        let task = tokio::task::spawn_blocking(move || {
            let open = match bucket.read(&meta) {
                Err(error) if error.is_not_found() => return Ok(Vec::new()),
                open => open?,
            };
            Ok(inspect(Input::File(open.file), encoding, SAMPLE_ROWS).unwrap_or_default())
        });
        let columns: Vec<(String, ColumnGuess)> = match task.await {
            Ok(columns) => columns?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        for (name, guess) in columns {
            match found.iter_mut().find(|(known, _)| *known == name) {
                None => found.push((name, guess)),
                Some((_, known)) => *known = wider(*known, guess),
            }
        }
    }
    Ok(found)
}

/// What a column is whose objects were guessed apart.
fn wider(a: ColumnGuess, b: ColumnGuess) -> ColumnGuess {
    match (a, b) {
        (ColumnGuess::Empty, other) | (other, ColumnGuess::Empty) => other,
        (ColumnGuess::Numeric, ColumnGuess::Numeric) => ColumnGuess::Numeric,
        (ColumnGuess::Unsupported, _) | (_, ColumnGuess::Unsupported) => ColumnGuess::Unsupported,
        (ColumnGuess::Text, _) | (_, ColumnGuess::Text) => ColumnGuess::Text,
    }
}
