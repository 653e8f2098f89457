//! The rows of the window: which window, which objects, and their counts.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::OnceCell;

use super::cache::{self, Cache, News};
use super::cluster;
use super::input::Place;
use super::reference::concurrency;
use super::{Invocation, findings};
use crate::bucket::{Bucket, ObjectMeta};
use crate::config::{Anchor, Config, Effective, EngineSettings};
use crate::decision::signal::SignalName;
use crate::engine::{Database, Engine, Scan, Scanned, gather};
use crate::error::JobError;
use crate::feature::{FeatureKind, FeatureName};
use crate::ingest::account::Account;
use crate::ingest::decode::{Request, TimestampColumn};
use crate::ingest::select::Selection;
use crate::ingest::sink::{Counter, Discard, Sink};
use crate::ingest::{self, Source, batch_rows};
use crate::profile::builder::ProfileBuilder;
use crate::profile::recent::Recent;
use crate::profile::{ReferenceProfile, WindowCounts};
use crate::progress::Progress;
use crate::window::Window;

/// Objects that are looked into to find the columns that the logs have: a few days of hourly files.
const OBJECTS_INSPECTED: usize = 100;

/// The logs, listed once for all windows of a run.
#[derive(Debug)]
pub struct Logs<'a> {
    config: &'a Config,
    /// Who reads them.
    engine: Engine,
    /// Where they are.
    uri: String,
    /// What is read here; nothing where a cluster reads.
    source: Source,
    /// The columns, once they were asked for.
    columns: OnceCell<Vec<String>>,
}

/// The last look back for predictions is as many windows long; all looks together are twice that less one.
const LOOKING_BACK: i32 = 16;

/// What is read of every window, and what counts it. Its tables are made once, and shared by the counters of all windows.
#[derive(Clone, Debug)]
pub struct Counting {
    /// Of no window yet.
    request: Request,
    /// Of no row yet.
    pub empty: Counter,
}

impl Counting {
    pub fn request(&self, window: Option<Window>) -> Request {
        Request { window, ..self.request.clone() }
    }

    pub fn profile(&self) -> &Arc<ReferenceProfile> {
        self.empty.profile()
    }
}

/// What a window holds.
pub struct Current {
    pub counts: WindowCounts,
    /// The newest confidences; empty where they are not asked for.
    pub recent: Recent,
    pub account: Account,
    /// What the next run need not read again.
    pub news: Option<News>,
    /// Objects that cannot hold rows of the window and were not read.
    pub objects_skipped: u64,
    /// Whether a cluster counted, which does not tell everything.
    pub by_cluster: bool,
}

impl<'a> Logs<'a> {
    /// The logs, as whoever reads them finds them.
    pub async fn open(
        config: &'a Config,
        effective: &Effective,
        bucket: &Bucket,
        invocation: &Invocation,
    ) -> Result<Self, JobError> {
        let EngineSettings::Spark(settings) = &config.engine else {
            return Self::list(config, effective, bucket, &invocation.progress).await;
        };
        let _step = invocation.progress.step("connecting to the cluster");
        let engine = cluster::connect(settings, config, effective, bucket, &invocation.environment).await?;
        let uri = engine.database().map(Database::uri).unwrap_or_default();
        let source = Source { bucket: bucket.clone(), objects: Vec::new() };
        Ok(Self { config, engine, uri, source, columns: OnceCell::new() })
    }

    /// Lists the logs, which are to be read here.
    pub async fn list(config: &'a Config, effective: &Effective, bucket: &Bucket, progress: &Progress) -> Result<Self, JobError> {
        let _step = progress.step("listing the logs");
        let place = match &config.logs.path {
            Some(path) => Place::resolve(path, "logs.path", bucket, config, effective)?,
            None => Place::in_bucket(&config.logs.prefix, bucket),
        };
        let mut source = place.source().await?;
        if source.objects.is_empty() && config.logs.path.is_some() {
            let message = format!("there are no logs at {}: correct logs.path (--current)", place.uri());
            return Err(JobError::Input(message));
        }
        // The job's own output may lie in the same folder.
        source.objects.retain(|object| config.logs.path.is_some() || !object.key.starts_with(&config.report.prefix));
        let cache = bucket.uri(&cache::folder(config));
        source.objects.retain(|object| !object.uri.starts_with(&cache));
        Ok(Self { config, engine: Engine::Local, uri: place.uri(), source, columns: OnceCell::new() })
    }

    /// What a cluster is to count.
    fn scan(&self, counting: &Counting, window: Option<Window>) -> Scan {
        let recent = counting.empty.recent_column().zip(self.recent_wanted()).map(|(column, (_, capacity))| (column, capacity));
        Scan { request: counting.request(window), profile: Arc::clone(counting.profile()), recent, files: self.files() }
    }

    /// How files are chosen that a cluster is to read; not by their dates where the folder that they are all in has one.
    fn files(&self) -> Option<Selection> {
        Some(self.selection()).filter(|selection| selection.span(&self.uri).is_none())
    }

    /// The newest moment before `before` that a cluster knows; `None` where the logs are read here.
    async fn newest_of_cluster(&self, before: DateTime<Utc>) -> Option<Result<Option<DateTime<Utc>>, JobError>> {
        let window = Window { start: DateTime::<Utc>::MIN_UTC, end: before };
        let scan = without_features(self.request(Vec::new(), Some(window)), None, None);
        let newest = self.engine.ask(move |database| gather::newest(database, &scan)).await?;
        Some(newest.map(|newest| newest.and_then(DateTime::from_timestamp_micros)).map_err(JobError::from))
    }

    /// The window under test: `None` when the logs have no timestamp.
    ///
    /// `now` is the moment that the run is about, `--as-of` where it is given.
    pub async fn window(&self, invocation: &Invocation, now: DateTime<Utc>) -> Result<Option<Window>, JobError> {
        if self.config.logs.timestamp.is_none() {
            return Ok(None);
        }
        let length = self.config.window.length;
        let end = match (invocation.options.as_of, self.config.window.anchor) {
            (Some(_), _) | (None, Anchor::Now) => now,
            (None, Anchor::Latest) => self.newest(&invocation.progress).await?.unwrap_or(now),
        };
        Ok(Some(Window::ending_at(end, length)))
    }

    /// The first whole second after the newest row. Objects whose keys name the newest dates are read first, and no more than needed.
    async fn newest(&self, progress: &Progress) -> Result<Option<DateTime<Utc>>, JobError> {
        let _step = progress.step("looking for the newest row");
        if let Some(newest) = self.newest_of_cluster(DateTime::<Utc>::MAX_UTC).await {
            let second = newest?.and_then(|newest| newest.timestamp().checked_add(1));
            return Ok(second.and_then(|second| DateTime::from_timestamp(second, 0)));
        }
        let selection = self.selection();
        let mut dated: Vec<(Option<DateTime<Utc>>, &ObjectMeta)> =
            self.source.objects.iter().map(|object| (selection.span(&object.key).map(|(_, end)| end), object)).collect();
        // Objects without a date may hold any row: they come first.
        dated.sort_by_key(|(end, _)| (end.is_some(), std::cmp::Reverse(*end)));
        let mut newest: Option<i64> = None;
        for group in dated.chunk_by(|(a, _), (b, _)| a == b) {
            let group_end = group.first().and_then(|(end, _)| *end);
            if let (Some(newest), Some(end)) = (newest, group_end)
                && newest >= (end + selection.slack).timestamp_micros()
            {
                break;
            }
            let objects = group.iter().map(|(_, object)| (*object).clone()).collect();
            let source = Source { bucket: self.source.bucket.clone(), objects };
            let request = self.request(Vec::new(), None);
            let (_, account) = ingest::read(&source, request, Discard, self.concurrency(), &|_| ()).await?;
            newest = newest.max(account.newest_us);
        }
        let second = newest.and_then(|micros| micros.div_euclid(1_000_000).checked_add(1));
        Ok(second.and_then(|second| DateTime::from_timestamp(second, 0)))
    }

    /// The newest row of the logs before `before`, looked for in a few objects only: those of the newest date in their keys, of these the ones
    /// that were written last.
    pub async fn newest_row(
        &self,
        before: DateTime<Utc>,
        most_objects: usize,
        progress: &Progress,
    ) -> Result<Option<DateTime<Utc>>, JobError> {
        if let Some(newest) = self.newest_of_cluster(before).await {
            return newest;
        }
        let selection = self.selection();
        let mut objects: Vec<&ObjectMeta> = self.source.objects.iter().collect();
        objects.sort_by_key(|object| std::cmp::Reverse((selection.span(&object.key).map(|(_, end)| end), object.updated)));
        let objects = objects.into_iter().take(most_objects).cloned().collect();
        let source = Source { bucket: self.source.bucket.clone(), objects };
        let _step = progress.step("looking for the newest row");
        let everything = Window { start: DateTime::<Utc>::MIN_UTC, end: before };
        let request = self.request(Vec::new(), Some(everything));
        let (_, account) = ingest::read(&source, request, Discard, self.concurrency(), &|_| ()).await?;
        Ok(account.newest_us.and_then(DateTime::from_timestamp_micros))
    }

    /// Objects that are worked on at a time.
    pub fn concurrency(&self) -> usize {
        concurrency(self.config, &self.source.bucket)
    }

    /// How many objects there are.
    pub fn objects(&self) -> usize {
        self.source.objects.len()
    }

    pub fn selection(&self) -> Selection {
        Selection { date_pattern: self.config.logs.date_pattern.clone(), slack: self.config.logs.date_slack }
    }

    fn request(&self, columns: Vec<(FeatureName, FeatureKind)>, window: Option<Window>) -> Request {
        let logs = &self.config.logs;
        let timestamp = logs.timestamp.clone().map(|name| TimestampColumn { name, naive: logs.naive_timestamps });
        let batch_rows = batch_rows(columns.len());
        Request { columns, timestamp, cluster: logs.cluster.clone(), window, max_row_bytes: logs.max_row_bytes, batch_rows }
    }

    /// Counts the rows of a window; with a cache, only those that are not known from an earlier run are read.
    pub async fn count(
        &self,
        counting: &Counting,
        window: Option<Window>,
        cache: Option<&Cache>,
        progress: &Progress,
    ) -> Result<Current, JobError> {
        let scan = self.scan(counting, window);
        let step = self.engine.database().map(|_| progress.step("counting on the cluster"));
        if let Some(scanned) = self.engine.ask(move |database| gather::count(database, &scan)).await {
            let Scanned { mut counts, recent, account } = scanned?;
            self.check_usable(&account)?;
            counts.spread();
            return Ok(Current { counts, recent, account, news: None, objects_skipped: 0, by_cluster: true });
        }
        drop(step);
        let source = self.source_of(window);
        let objects_skipped = (self.source.objects.len() - source.objects.len()) as u64;
        let step = progress.bytes("reading the window", source.size_bytes());
        let (request, counter) = (counting.request(window), counting.empty.clone());
        let recent = self.recent_wanted().map(|(name, capacity)| (name.as_str().to_owned(), capacity));
        let (concurrency, progress) = (self.concurrency(), |bytes| step.advance(bytes));
        let (mut counter, account, news) = if let (Some(cache), Some(window)) = (cache, window) {
            let key = cache::key(counting.profile(), &request, recent.as_ref());
            let (counter, account, news) = cache.count(key, &source, (&request, window), counter, concurrency, &progress).await?;
            (counter, account, Some(news))
        } else {
            let (counter, account) = ingest::read(&source, request, counter, concurrency, &progress).await?;
            (counter, account, None)
        };
        self.check_usable(&account)?;
        counter.counts.spread();
        Ok(Current { counts: counter.counts, recent: counter.recent, account, news, objects_skipped, by_cluster: false })
    }

    /// Against this reference.
    pub fn counting(&self, profile: &Arc<ReferenceProfile>) -> Counting {
        let mut columns: Vec<_> = profile.features.iter().map(|(name, feature)| (name.clone(), feature.kind())).collect();
        let mut empty = Counter::new(Arc::clone(profile));
        if let Some((name, capacity)) = self.recent_wanted() {
            let position = columns.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
                // The reference may lack what the logs have.
                columns.push((name, FeatureKind::Numeric));
                columns.len() - 1
            });
            empty = empty.with_recent(position, capacity);
        }
        Counting { request: self.request(columns, None), empty }
    }

    /// The column of confidences, and how many of the newest are asked for.
    pub fn recent_wanted(&self) -> Option<(FeatureName, usize)> {
        let wanted = self.config.signals.is_evaluated(SignalName::LowConfidence);
        let column = self.config.prediction.confidence.as_deref().filter(|_| wanted)?;
        Some((FeatureName::new(column), self.config.signals.low_confidence.last))
    }

    /// Adds confidences from before the window where it holds fewer than are asked for: from twice as far back each time, at most
    /// [`LOOKING_BACK`] windows.
    pub async fn recent_before(&self, window: Window, recent: &mut Recent) -> Result<(), JobError> {
        for earlier in looks_back(window) {
            if recent.is_full() {
                break;
            }
            recent.merge(&self.recent_in(earlier).await?.0);
        }
        Ok(())
    }

    /// The newest confidences of a window, and how many rows were read for them.
    pub async fn recent_in(&self, earlier: Window) -> Result<(Recent, u64), JobError> {
        let Some((name, capacity)) = self.recent_wanted() else { return Ok((Recent::default(), 0)) };
        let request = self.request(vec![(name.clone(), FeatureKind::Numeric)], Some(earlier));
        let scan = without_features(request.clone(), Some((0, capacity)), self.files());
        let of_cluster = self.engine.ask(move |database| gather::recent(database, &scan)).await;
        let (found, account) = if let Some(found) = of_cluster {
            found?
        } else {
            let source = self.source_of(Some(earlier));
            ingest::read(&source, request, Recent::new(capacity), self.concurrency(), &|_| ()).await?
        };
        // What could not be read may be newer than what is found before it.
        self.check_usable(&account)?;
        if account.rows_used > 0 && found.is_empty() {
            return Err(no_confidence(account.rows_used, earlier, &name));
        }
        Ok((found, account.rows_read))
    }

    /// The bucket and the objects of the logs, in the order of their keys.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// The same with those objects only that may hold rows of a window.
    pub fn source_of(&self, window: Option<Window>) -> Source {
        let selection = self.selection();
        let may_hold = |object: &&ObjectMeta| window.is_none_or(|window| selection.may_hold(object, window));
        Source { bucket: self.source.bucket.clone(), objects: self.source.objects.iter().filter(may_hold).cloned().collect() }
    }

    /// As people are told of the logs.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// Who reads them.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// How many bytes the logs take, in all; `None` where a cluster has them.
    pub fn size_bytes(&self) -> Option<u64> {
        self.engine.database().is_none().then(|| self.source.size_bytes())
    }

    /// Reads some columns of the rows of a window into a sink. Fails as [`Self::count`] does.
    pub async fn read<S: Sink>(
        &self,
        columns: Vec<(FeatureName, FeatureKind)>,
        window: Option<Window>,
        sink: S,
        progress: &Progress,
    ) -> Result<(S, Account), JobError> {
        let source = self.source_of(window);
        let step = progress.bytes("reading the window", source.size_bytes());
        // Whoever wants the clusters asks for their column.
        let request = Request { cluster: None, ..self.request(columns, window) };
        let progress = |bytes| step.advance(bytes);
        let (sink, account) = ingest::read(&source, request, sink, self.concurrency(), &progress).await?;
        self.check_usable(&account)?;
        Ok((sink, account))
    }

    /// Fails when there are objects and none could be read, or when too much was rejected.
    pub fn check_usable(&self, account: &Account) -> Result<(), JobError> {
        if !account.objects.is_empty() && account.readable().next().is_none() {
            let why = findings::why_nothing_was_read(account);
            return Err(JobError::Logs(format!("nothing in the logs at {} could be read: {why}", self.uri)));
        }
        findings::check_rejected_fraction(account, self.config.logs.max_rejected_fraction, "the window").map_err(JobError::Logs)
    }

    /// The columns of the newest objects of the logs, in the window or before it; fails when they are too many.
    pub async fn columns(&self) -> Result<Vec<String>, JobError> {
        self.columns.get_or_try_init(|| self.find_columns()).await.cloned()
    }

    async fn find_columns(&self) -> Result<Vec<String>, JobError> {
        if let Some(database) = self.engine.database() {
            return Ok(database.columns().iter().map(|(name, _)| name.clone()).collect());
        }
        let mut source = self.source.clone();
        source.objects.reverse();
        let columns = ingest::columns(&source, OBJECTS_INSPECTED).await?;
        if let Some(uri) = &columns.too_many_in {
            return Err(JobError::Logs(findings::too_many_columns(uri)));
        }
        Ok(columns.found.into_iter().map(|(name, _)| name).collect())
    }
}

/// What a cluster is to look for where no feature is counted.
fn without_features(request: Request, recent: Option<(usize, usize)>, files: Option<Selection>) -> Scan {
    Scan { request, profile: Arc::new(ProfileBuilder::new(&[]).finish(Vec::new())), recent, files }
}

/// The windows before this one in which confidences are looked for, the newest first: from twice as far back each time.
pub fn looks_back(window: Window) -> impl Iterator<Item = Window> {
    let length = window.end - window.start;
    let mut end = window.start;
    std::iter::successors(Some(1), |windows| Some(windows * 2)).take_while(|windows| *windows <= LOOKING_BACK).map(move |windows| {
        let earlier = Window { start: end - length * windows, end };
        end = earlier.start;
        earlier
    })
}

/// A window that holds rows and not one confidence.
pub fn no_confidence(rows: u64, window: Window, name: &FeatureName) -> JobError {
    let Window { start, end } = window;
    JobError::Logs(format!("none of the {rows} rows from {start} to {end} has a number in `{}`", name.as_str()))
}
