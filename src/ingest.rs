//! Ingest: from the objects of the bucket to counts, with every object and every row accounted for.
//!
//! Objects are decoded concurrently and their counts merged in the order of their keys, so that the result does not depend on
//! timing. An object counts whole or not at all: its rows are held, or counted apart, until its last byte was read.

pub mod account;
pub mod cache;
pub mod decode;
pub mod select;
pub mod sink;
pub mod timestamp;
pub mod work;

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::blocking;
use crate::bucket::gcs::RemoteRanges;
use crate::bucket::local::reading::NearRanges;
use crate::bucket::{Access, Bucket, BucketError, Content, ObjectMeta, OpenObject};
use account::{Account, Fault, ObjectAccount};
use cache::recall::Part;
use decode::{
    Batch, ColumnGuess, Compression, DecodeError, DecodeFault, Encoding, Format, Input, MOST_COLUMNS, Ranges, Request, Reservation,
    decode_unknown, inspect,
};
use sink::Sink;
use work::{Timed, Work};

/// An hour, in microseconds.
pub const HOUR_US: i64 = 3_600_000_000;

/// Rows of a batch: a few hundred kilobytes at sixteen columns, which the caches of one core hold.
pub const BATCH_ROWS: usize = 8_192;

/// Cells of a batch, so that one of very many columns has fewer rows.
const BATCH_CELLS: usize = 1 << 20;
const FEWEST_BATCH_ROWS: usize = 64;

/// Rows of a batch of so many columns.
pub fn batch_rows(columns: usize) -> usize {
    (BATCH_CELLS / columns.max(1)).clamp(FEWEST_BATCH_ROWS, BATCH_ROWS)
}

/// Where the rows are read from.
#[derive(Clone, Debug)]
pub struct Source {
    pub bucket: Bucket,
    /// The objects, in the order of their keys; their number includes those that cannot be decoded.
    pub objects: Vec<ObjectMeta>,
}

impl Source {
    /// The sizes of all objects together, as they are stored.
    pub fn size_bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.size_bytes).sum()
    }
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
    read_unknown(source, Vec::new(), request, empty, concurrency, progress, &mut |_, _, _, _| ()).await
}

/// What is known of an object before it is read.
#[derive(Debug, Default)]
pub enum Known {
    #[default]
    Nothing,
    /// Some of its rows.
    Part(Arc<Part>),
    /// Its account; all its rows are counted already.
    Whole(ObjectAccount),
}

/// Told of every object that was read: its counts, and what was not read of it because it is known.
pub type Reader<'a, S> = &'a mut (dyn FnMut(&ObjectMeta, &ObjectAccount, &mut S, Option<&Part>) + Send);

/// As [`read`], but for what is known: an entry for each object, or none at all.
pub async fn read_unknown<S: Sink>(
    source: &Source,
    known: Vec<Known>,
    request: Request,
    empty: S,
    concurrency: usize,
    progress: &(dyn Fn(u64) + Sync),
    reader: Reader<'_, S>,
) -> Result<(S, Account), BucketError> {
    let request = Arc::new(request);
    let work = Arc::new(Work::default());
    let mut empty = empty;
    empty.watch(&work);
    let empty = Arc::new(empty);
    let mut total = S::clone(&empty);
    let mut account = Account::new(request.columns.len());
    let mut waiting = source.objects.iter().zip(known.into_iter().chain(std::iter::repeat_with(Known::default)));
    let mut running: VecDeque<(&ObjectMeta, Running<S>)> = VecDeque::new();
    loop {
        while running.len() < concurrency.max(1) {
            let Some((meta, known)) = waiting.next() else { break };
            let part = match known {
                Known::Whole(account) => {
                    running.push_back((meta, Running::Known(account)));
                    continue;
                }
                Known::Part(part) => Some(part),
                Known::Nothing => None,
            };
            let (bucket, object, work) = (source.bucket.clone(), meta.clone(), Arc::clone(&work));
            let (request, empty) = (Arc::clone(&request), Arc::clone(&empty));
            let task =
                tokio::task::spawn_blocking(move || read_object::<S>(&bucket, &object, &request, part.as_ref(), &empty, &work));
            running.push_back((meta, Running::Task(task)));
        }
        let Some((meta, task)) = running.pop_front() else { break };
        let finished = match task {
            Running::Task(task) => blocking::done(task).await?,
            Running::Known(account) => Finished { account, rows: Rows::None, known: None },
        };
        match finished.rows {
            Rows::None => {}
            Rows::One(batch) => total.take_whole(&batch),
            Rows::Counted(mut counts) => {
                reader(meta, &finished.account, &mut counts, finished.known.as_deref());
                total.merge(counts);
            }
        }
        progress(finished.account.size_bytes);
        account.add(finished.account);
    }
    account.spent = work.spent();
    Ok((total, account))
}

/// An object on its way.
enum Running<S> {
    Task(JoinHandle<Result<Finished<S>, BucketError>>),
    Known(ObjectAccount),
}

/// What one object gave.
struct Finished<S> {
    account: ObjectAccount,
    rows: Rows<S>,
    /// What was not read.
    known: Option<Arc<Part>>,
}

enum Rows<S> {
    None,
    /// Few rows: counted where the total is, without counts of their own.
    One(Batch),
    Counted(S),
}

/// How often an object is read that cannot be used: it may have been replaced meanwhile, or damaged on its way, which a decoder can
/// stumble over before the checksum at the end is reached. What two readings say alike is true.
const READINGS: u32 = 2;

fn read_object<S: Sink>(
    bucket: &Bucket,
    meta: &ObjectMeta,
    request: &Request,
    known: Option<&Arc<Part>>,
    empty: &S,
    work: &Arc<Work>,
) -> Result<Finished<S>, BucketError> {
    if let Some(part) = known {
        let finished = read_rows(bucket, meta, request, Some(part), empty, work)?;
        let is_exact = match &finished.rows {
            Rows::Counted(counts) => counts.is_exact(),
            Rows::None | Rows::One(_) => false,
        };
        if is_exact && part.fits(&finished.account) {
            return Ok(Finished { known: Some(Arc::clone(part)), ..finished });
        }
    }
    read_rows(bucket, meta, request, None, empty, work)
}

fn read_rows<S: Sink>(
    bucket: &Bucket,
    meta: &ObjectMeta,
    request: &Request,
    known: Option<&Part>,
    empty: &S,
    work: &Arc<Work>,
) -> Result<Finished<S>, BucketError> {
    let unread = |fault| {
        let account =
            ObjectAccount { uri: meta.uri.clone(), generation: String::new(), size_bytes: meta.size_bytes, outcome: Err(fault) };
        Ok(Finished { account, rows: Rows::None, known: None })
    };
    let Some(encoding) = Encoding::of_key(&meta.key) else { return unread(Fault::UnknownFormat) };
    let mut reading = 1;
    loop {
        let open = match bucket.read(meta, access(encoding)) {
            // Deleted since it was listed: the others can still be read.
            Err(error) if error.is_not_found() => return unread(Fault::Vanished),
            open => open?,
        };
        let mut finished = read_open(open, meta, encoding, request, known, empty, work);
        if let Err(Fault::Unreadable(error)) = &mut finished.account.outcome {
            let failure = bucket_error(&mut error.fault);
            if failure.as_ref().is_some_and(|failure| !failure.is_about_the_object()) {
                return failure.map_or(Ok(finished), Err);
            }
            if reading < READINGS && !error.is_final() {
                reading += 1;
                continue;
            }
            if let Some(failure) = failure {
                error.fault = DecodeFault::Unreadable(std::io::Error::other(failure));
            }
        }
        return Ok(finished);
    }
}

fn access(encoding: Encoding) -> Access {
    if encoding.format == Format::Parquet { Access::Ranges } else { Access::Stream }
}

/// What the key promises, and how the bytes are stored.
fn stored(encoding: Encoding, open: &OpenObject) -> Encoding {
    let compression =
        if open.is_gzip && encoding.compression == Compression::None { Compression::Gzip } else { encoding.compression };
    Encoding { compression, ..encoding }
}

fn input(content: Content, work: &Arc<Work>) -> Input {
    let work = Arc::clone(work);
    match content {
        Content::Stream(inner) => Input::Stream(Box::new(Timed { inner, work })),
        Content::Near(inner) => Input::Ranges(Box::new(Timed { inner, work })),
        Content::Ranges(inner) => Input::Ranges(Box::new(Timed { inner, work })),
    }
}

impl Ranges for NearRanges {
    fn length(&self) -> u64 {
        self.size_bytes()
    }

    fn is_near(&self) -> bool {
        true
    }

    fn budget_bytes(&self) -> u64 {
        u64::MAX
    }

    fn reserve(&self, _: u64) -> std::io::Result<Reservation> {
        Ok(Box::new(()))
    }

    fn get_into(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        Self::get_into(self, range, bytes)
    }
}

impl Ranges for RemoteRanges {
    fn length(&self) -> u64 {
        self.size_bytes()
    }

    fn is_near(&self) -> bool {
        false
    }

    fn budget_bytes(&self) -> u64 {
        Self::budget_bytes(self)
    }

    fn reserve(&self, bytes: u64) -> std::io::Result<Reservation> {
        Ok(Box::new(Self::reserve(self, bytes)?))
    }

    fn get_into(&self, range: Range<u64>, bytes: &mut Vec<u8>) -> std::io::Result<()> {
        bytes.clear();
        Self::read(self, range, &mut |more| {
            bytes.extend_from_slice(more);
            Ok(())
        })
    }
}

/// Takes the bucket's error out of the fault, where it is one.
fn bucket_error(fault: &mut DecodeFault) -> Option<BucketError> {
    let DecodeFault::Unreadable(error) = fault else { return None };
    error.get_ref()?.downcast_ref::<BucketError>()?;
    let error = std::mem::replace(error, std::io::ErrorKind::Other.into());
    error.into_inner()?.downcast::<BucketError>().ok().map(|error| *error)
}

fn read_open<S: Sink>(
    open: OpenObject,
    meta: &ObjectMeta,
    encoding: Encoding,
    request: &Request,
    known: Option<&Part>,
    empty: &S,
    work: &Arc<Work>,
) -> Finished<S> {
    let encoding = stored(encoding, &open);
    let (start, mut taking) = (Instant::now(), Duration::ZERO);
    let mut held: Option<Batch> = None;
    let mut counts: Option<S> = S::IS_APART.then(|| S::clone(empty));
    let known_us = known.map(|known| known.known_us.clone());
    let mut take = |batch: Batch| {
        if counts.is_none() && held.is_none() && batch.rows <= BATCH_ROWS {
            held = Some(batch.read()?);
            return Ok(());
        }
        let own = counts.get_or_insert_with(|| S::clone(empty));
        held.take().map_or(Ok(()), |first| own.update(&first))?;
        own.update(&batch)
    };
    let decoded = decode_unknown(input(open.content, work), encoding, request, known_us, &mut |batch| {
        let start = Instant::now();
        let taken = take(batch);
        taking += start.elapsed();
        taken
    });
    work.decoded(start.elapsed().saturating_sub(taking));
    let account = |generation, size_bytes, outcome| ObjectAccount { uri: meta.uri.clone(), generation, size_bytes, outcome };
    let (generation, size_bytes, outcome) = match (open.generation.settle(), decoded) {
        (Ok((generation, size_bytes)), decoded) => (generation, size_bytes, decoded),
        (Err(_), Err(error)) => (String::new(), meta.size_bytes, Err(error)),
        (Err(changed), Ok(tally)) => {
            let error = DecodeError { fault: DecodeFault::Unreadable(changed), rows_before_error: tally.rows_read };
            (String::new(), meta.size_bytes, Err(error))
        }
    };
    let rows = match (&outcome, counts, held) {
        (Err(_), ..) | (Ok(_), None, None) => Rows::None,
        (Ok(_), Some(mut counts), _) => {
            counts.close();
            Rows::Counted(counts)
        }
        (Ok(_), None, Some(batch)) => Rows::One(batch),
    };
    Finished { account: account(generation, size_bytes, outcome.map_err(Fault::Unreadable)), rows, known: None }
}

/// Rows that are looked at to guess what a column holds.
const SAMPLE_ROWS: usize = 2_000;

/// The columns of objects.
#[derive(Debug, Default)]
pub struct Columns {
    /// In the order in which they first occur, each with what its first values look like.
    pub found: Vec<(String, ColumnGuess)>,
    /// The first object with which there are more than [`MOST_COLUMNS`]: they are not all of them.
    pub too_many_in: Option<String>,
}

/// The columns of the source's objects.
///
/// Looks into at most `objects` of them; those that cannot be read are passed over, because [`read`] will account for them.
pub async fn columns(source: &Source, objects: usize) -> Result<Columns, BucketError> {
    let mut found: Vec<(String, ColumnGuess)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for meta in source.objects.iter().take(objects) {
        let Some(encoding) = Encoding::of_key(&meta.key) else { continue };
        let (bucket, uri, meta) = (source.bucket.clone(), meta.uri.clone(), meta.clone());
        let columns = blocking::run(move || columns_of(&bucket, &meta, encoding)).await?;
        let is_too_many = columns.is_none();
        for (name, guess) in columns.unwrap_or_default() {
            match places.get(&name).and_then(|place| found.get_mut(*place)) {
                None => {
                    places.insert(name.clone(), found.len());
                    found.push((name, guess));
                }
                Some((_, known)) => *known = wider(*known, guess),
            }
        }
        if is_too_many || found.len() > MOST_COLUMNS {
            return Ok(Columns { found, too_many_in: Some(uri) });
        }
    }
    Ok(Columns { found, too_many_in: None })
}

/// The columns of one object: `None` when they are too many, none when it cannot be used after as many readings as [`read`] gives it.
fn columns_of(bucket: &Bucket, meta: &ObjectMeta, encoding: Encoding) -> Result<Option<Vec<(String, ColumnGuess)>>, BucketError> {
    for _ in 0..READINGS {
        let open = match bucket.read(meta, access(encoding)) {
            Err(error) if error.is_not_found() => break,
            open => open?,
        };
        let encoding = stored(encoding, &open);
        let mut error = match inspect(input(open.content, &Arc::default()), encoding, SAMPLE_ROWS) {
            Ok(columns) => return Ok(Some(columns)),
            Err(error) => error,
        };
        // Other objects of many columns are said to be unreadable; this is what a line of JSON may have.
        if matches!(error.fault, DecodeFault::TooLarge { .. }) && encoding.format == Format::Ndjson {
            return Ok(None);
        }
        if let Some(failure) = bucket_error(&mut error.fault).filter(|failure| !failure.is_about_the_object()) {
            return Err(failure);
        }
    }
    Ok(Some(Vec::new()))
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
