//! The cache of counts: reads from the bucket what is known of a window before it is counted, and keeps there what is new.
//!
//! It changes how long a run takes and nothing else: what fails here is a line in the log, and the objects are read.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::Invocation;
use crate::blocking;
use crate::bucket::{Access, Bucket, BucketError, Content, ObjectMeta};
use crate::config::Config;
use crate::error::with_causes;
use crate::ingest::account::{Account, ObjectAccount};
use crate::ingest::cache::gather::Gathered;
use crate::ingest::cache::pack::{self, CACHE_VERSION, HEAD_BYTES, Head};
use crate::ingest::cache::recall::{Part, Recalled, recall};
use crate::ingest::cache::{Entry, hour_of};
use crate::ingest::decode::Request;
use crate::ingest::sink::hours::ByHour;
use crate::ingest::sink::{Counter, Sink as _};
use crate::ingest::{Known, Source, read, read_unknown};
use crate::profile::{ReferenceProfile, short_digest};
use crate::window::Window;

/// A ring: what is written last takes the place of what is oldest, so that nothing has to be deleted.
const SLOTS: u32 = 8;

/// Where the cache of a job is.
#[derive(Debug)]
pub struct Cache {
    bucket: Bucket,
    folder: String,
    /// How large a pack may be.
    limit_bytes: usize,
    began: DateTime<Utc>,
    is_kept: bool,
}

/// What stands in a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Absent,
    /// Damaged, too large or of another version.
    Unusable,
    /// Of other settings or another reference.
    Foreign,
    /// Of these, up to this hour.
    Own(i64),
    /// Nobody knows: it could not be read.
    Unreachable,
}

/// What a run has to do with the cache beside the bucket.
struct Question {
    key: [u8; 16],
    window: Window,
    limit_bytes: usize,
    /// By its URI, each object of the window that can be told apart from other contents of it: its position and its version.
    versions: HashMap<String, (usize, String)>,
}

/// What the packs say.
struct Answer {
    known: Vec<Known>,
    /// The hours of those that are known as a whole.
    counted: ByHour,
}

/// What is to be kept of a run.
pub struct News {
    gathered: Gathered,
    slots: Vec<Slot>,
    question: Arc<Question>,
}

/// The folder of the bucket that a job's cache is in.
pub fn folder(config: &Config) -> String {
    format!("{}{}/cache/", config.report.prefix, config.job.name)
}

/// Everything that the counts depend on beside the objects.
pub fn key(profile: &ReferenceProfile, request: &Request, recent: Option<&(String, usize)>) -> [u8; 16] {
    let columns: Vec<(&str, String)> = request.columns.iter().map(|(name, kind)| (name.as_str(), kind.to_string())).collect();
    let joint: Vec<usize> = profile.joint_positions();
    let timestamp = request.timestamp.as_ref().map(|column| (column.name.as_str(), format!("{:?}", column.naive)));
    let version = (CACHE_VERSION, env!("CARGO_PKG_VERSION"), request.batch_rows, request.max_row_bytes);
    let settings = format!("{:?}", (version, &profile.id, columns, joint, timestamp, &request.cluster, recent));
    let mut key = [0; 16];
    key.iter_mut().zip(short_digest(settings.as_bytes()).bytes()).for_each(|(place, byte)| *place = byte);
    key
}

impl Cache {
    /// `None` where it is turned off.
    pub fn of(config: &Config, bucket: &Bucket, invocation: &Invocation) -> Option<Self> {
        let limit_bytes = usize::try_from(config.cache.max_bytes / u64::from(SLOTS)).unwrap_or(usize::MAX);
        (config.cache.max_bytes > 0).then(|| Self {
            bucket: bucket.clone(),
            folder: folder(config),
            limit_bytes,
            began: invocation.now,
            is_kept: !invocation.options.dry_run,
        })
    }

    fn place(&self, slot: usize) -> ObjectMeta {
        let key = format!("{}{slot}.pack", self.folder);
        ObjectMeta { uri: self.bucket.uri(&key), key, size_bytes: 0, updated: None, generation: None, stamp: None }
    }

    /// Counts the rows of a window; reads only what is not known.
    pub async fn count(
        &self,
        key: [u8; 16],
        source: &Source,
        (request, window): (&Request, Window),
        counter: Counter,
        concurrency: usize,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<(Counter, Account, News), BucketError> {
        let version = |(position, meta): (usize, &ObjectMeta)| Some((meta.uri.clone(), (position, meta.version(self.began)?)));
        let versions = source.objects.iter().enumerate().filter_map(version).collect();
        let question = Arc::new(Question { key, window, limit_bytes: self.limit_bytes, versions });
        let empty = ByHour::new(counter, self.limit_bytes);
        let (answer, slots) = self.ask(&question, &empty, source.objects.len()).await;
        let (known, counted) = (answer.known, answer.counted);
        let mut gathered = Gathered::new(self.limit_bytes);
        if !self.is_kept && known.iter().all(|known| matches!(known, Known::Nothing)) {
            // Nobody asks for the hours.
            let (total, account) = read(source, request.clone(), empty.total, concurrency, progress).await?;
            return Ok((total, account, News { gathered, slots, question }));
        }
        let mut is_understood = true;
        let mut reader = |meta: &ObjectMeta, account: &ObjectAccount, counts: &mut ByHour, part: Option<&Part>| {
            let counted = counts.take_hours();
            let known = part.map_or(&[][..], |part| &part.hours);
            is_understood &= known.iter().all(|hour| counts.recall(hour).is_some());
            let is_listed = meta.generation.as_ref().is_none_or(|listed| *listed == account.generation);
            if let Some(version) = meta.version(self.began).filter(|_| is_listed && self.is_kept)
                && let Some(entry) = Entry::of(version, account, window, counted, known)
            {
                gathered.add(entry);
            }
        };
        let reading = read_unknown(source, known, request.clone(), empty.clone(), concurrency, progress, &mut reader);
        let (mut total, mut account) = reading.await?;
        if is_understood {
            total.merge(counted);
        } else {
            tracing::warn!("The cache holds counts that make no sense; every object is read.");
            gathered = Gathered::new(self.limit_bytes);
            (total, account) = read(source, request.clone(), empty, concurrency, &|_| ()).await?;
        }
        Ok((total.total, account, News { gathered, slots, question }))
    }

    /// Reads what is known: the heads of all packs, and those that are of use one after the other.
    async fn ask(&self, question: &Arc<Question>, empty: &ByHour, objects: usize) -> (Answer, Vec<Slot>) {
        let unknown = || Answer { known: std::iter::repeat_with(Known::default).take(objects).collect(), counted: empty.clone() };
        let places: Vec<ObjectMeta> = (0..SLOTS as usize).map(|slot| self.place(slot)).collect();
        // Where nothing has to be waited for, a thread for each takes longer than all of them by one.
        let at_a_time = if self.bucket.is_remote() { 1 } else { places.len() };
        let opening = places.chunks(at_a_time).map(|places| {
            let (bucket, places, question) = (self.bucket.clone(), places.to_vec(), Arc::clone(question));
            tokio::task::spawn_blocking(move || places.iter().map(|meta| open(&bucket, meta, &question)).collect::<Vec<_>>())
        });
        let mut slots = Vec::new();
        let mut answer = Some(unknown());
        for opening in opening.collect::<Vec<_>>() {
            for (mut slot, pack) in blocking::done(opening).await {
                if let Some(pack) = pack {
                    let question = Arc::clone(question);
                    let so_far = answer.take();
                    let (read, found) = blocking::run(move || {
                        let Some(body) = body_of(&pack.0, pack.1) else { return (false, so_far) };
                        (true, so_far.and_then(|answer| answer.with(&question, &body)))
                    })
                    .await;
                    if !read {
                        slot = Slot::Unusable;
                    } else if found.is_none() {
                        let uri = self.place(slots.len()).uri;
                        tracing::warn!("The cache holds a pack that makes no sense ({uri}); no more of it is used.");
                    }
                    answer = found;
                }
                slots.push(slot);
            }
        }
        tracing::debug!("cache: {slots:?}");
        (answer.unwrap_or_else(unknown), slots)
    }

    /// Writes what is new over what is of the least use, with what is still of use in that.
    pub async fn keep(&self, news: News) {
        let News { mut gathered, slots, question } = news;
        if !self.is_kept || gathered.is_empty() {
            return;
        }
        let oldest = slots.iter().enumerate().min_by_key(|(_, slot)| match slot {
            Slot::Absent => (0, 0),
            Slot::Unusable => (1, 0),
            Slot::Foreign => (2, 0),
            Slot::Own(newest_hour) => (3, *newest_hour),
            Slot::Unreachable => (4, 0),
        });
        let Some((position, slot)) = oldest else { return };
        let place = self.place(position);
        let key = question.key;
        let old = if let Slot::Own(_) = slot { Some((self.bucket.clone(), place.clone())) } else { None };
        let written = blocking::run(move || {
            let old = old.and_then(|(bucket, place)| match open(&bucket, &place, &question) {
                (_, Some((head, body))) => pack::entries(&body_of(&head, body)?),
                _ => None,
            });
            let new: HashSet<String> = gathered.uris().map(str::to_owned).collect();
            for entry in old.into_iter().flatten().filter(|entry| !new.contains(&entry.uri)) {
                if let Some(entry) = question.still_of_use(entry) {
                    gathered.add(entry);
                }
            }
            let entries = gathered.into_entries();
            (!entries.is_empty()).then(|| pack::write(key, &entries))
        });
        let Some(pack) = written.await else { return };
        match self.bucket.put(&place.key, pack).await {
            Ok(()) => tracing::debug!("cache: wrote {}", place.uri),
            Err(error) => tracing::warn!("What was counted could not be kept for the next run: {}", with_causes(&error)),
        }
    }
}

impl Question {
    fn is_same(&self, entry: &Entry) -> Option<usize> {
        self.versions.get(&entry.uri).filter(|(_, version)| *version == entry.version).map(|(position, _)| *position)
    }

    /// What the next run may want to know of an entry.
    fn still_of_use(&self, mut entry: Entry) -> Option<Entry> {
        self.is_same(&entry)?;
        let start = self.window.start.timestamp_micros();
        let is_of_use = entry.forget_before(hour_of(start)) || entry.latest_us < start;
        is_of_use.then(|| {
            // The pack that it comes from is not kept in memory for it.
            entry.hours.iter_mut().for_each(|hour| hour.packed = Bytes::copy_from_slice(&hour.packed));
            entry
        })
    }
}

impl Answer {
    /// Adds what a pack says; `None` where it makes no sense.
    fn with(mut self, question: &Question, body: &Bytes) -> Option<Self> {
        for entry in pack::entries(body)? {
            let Some(known) = question.is_same(&entry).and_then(|position| self.known.get_mut(position)) else { continue };
            match (recall(&entry, question.window), &known) {
                (_, Known::Whole(_)) | (Recalled::Nothing, _) => {}
                (Recalled::Whole(account, hours), _) => {
                    hours.iter().try_for_each(|hour| self.counted.recall(hour))?;
                    *known = Known::Whole(account);
                }
                (Recalled::Part(part), Known::Part(other)) if part.rows <= other.rows => {}
                (Recalled::Part(mut part), _) => {
                    part.hours.iter_mut().for_each(|hour| hour.packed = Bytes::copy_from_slice(&hour.packed));
                    *known = Known::Part(Arc::new(part));
                }
            }
        }
        Some(self)
    }
}

type Body = Box<dyn Read + Send>;

/// What a slot holds, and the rest of the pack where it is of use.
fn open(bucket: &Bucket, meta: &ObjectMeta, question: &Question) -> (Slot, Option<(Head, Body)>) {
    let opened = match bucket.read(meta, Access::Stream) {
        Ok(opened) => opened,
        Err(error) if error.is_not_found() => return (Slot::Absent, None),
        Err(error) => {
            tracing::warn!("A part of the cache could not be read: {}", with_causes(&error));
            return (Slot::Unreachable, None);
        }
    };
    let Content::Stream(mut stream) = opened.content else { return (Slot::Unreachable, None) };
    let mut head = [0; HEAD_BYTES];
    if let Err(error) = stream.read_exact(&mut head) {
        tracing::debug!("cache: {} has no head: {error}", meta.uri);
        return (Slot::Unusable, None);
    }
    match Head::read(&head) {
        Some(head) if head.key != question.key => (Slot::Foreign, None),
        Some(head) if head.body_bytes + HEAD_BYTES as u64 <= question.limit_bytes as u64 => {
            (Slot::Own(head.newest_hour), Some((head, stream)))
        }
        _ => (Slot::Unusable, None),
    }
}

/// The body of a pack, if it is what was written.
fn body_of(head: &Head, stream: Body) -> Option<Bytes> {
    let mut body = Vec::new();
    // One byte more than there should be would be noticed.
    if let Err(error) = stream.take(head.body_bytes.saturating_add(1)).read_to_end(&mut body) {
        tracing::debug!("cache: a pack broke off: {error}");
        return None;
    }
    head.is_of(&body).then(|| Bytes::from(body))
}
