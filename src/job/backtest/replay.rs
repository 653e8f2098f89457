//! The logs of the range, read once: every object is counted by the hour, and a window is the sum of its hours.
//!
//! An object whose rows do not count alike in any cut (out of order over more than a batch, values of another type, unreadable) is read
//! again for each of its windows, as `check` reads it; the account says how many were.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::plan::Plan;
use super::steps::Steps;
use crate::bucket::ObjectMeta;
use crate::error::JobError;
use crate::ingest::account::{Account, ObjectAccount};
use crate::ingest::cache::recall::{Part, Recalled, recall};
use crate::ingest::cache::{Entry, Hour};
use crate::ingest::select::Selection;
use crate::ingest::sink::Counter;
use crate::ingest::sink::hours::ByHour;
use crate::ingest::sink::shifted::{Shift, Shifted};
use crate::ingest::{HOUR_US, Known, Source, read_unknown};
use crate::job::current::{Counting, Current, Logs, looks_back, no_confidence};
use crate::profile::ReferenceProfile;
use crate::profile::recent::{Recent, RecentRow};
use crate::progress::Step;
use crate::report::backtest::ReadingSection;
use crate::window::Window;

/// An object whose rows are in the steps.
struct Counted {
    /// Its hours, without what was counted in them.
    entry: Entry,
    /// Rows of it that were rejected, in any window.
    rejected: u64,
    headers: u64,
}

/// The logs of a range, as far as they were read.
pub struct Replay<'a> {
    logs: &'a Logs<'a>,
    counting: Counting,
    plan: Plan,
    shift: Shift,
    concurrency: usize,
    max_rejected_fraction: f64,
    selection: Selection,
    steps: Steps,
    /// By its URI.
    counted: HashMap<String, Counted>,
    /// Read in the range, and to be read again for each window.
    again: HashSet<String>,
    /// The newest confidences before the range, from this moment on.
    before: (DateTime<Utc>, Recent),
    pub reading: ReadingSection,
}

/// Objects that are read together, in the order of time as far as their keys tell it.
pub struct Group {
    pub objects: Vec<ObjectMeta>,
    /// Windows that end by this moment can hold rows of no object of a later group; `None` for the last group.
    pub horizon: Option<DateTime<Utc>>,
}

/// Between two groups all threads wait for the last object; a group has at least so many objects for each of them.
const OBJECTS_FOR_EACH: usize = 4;

impl<'a> Replay<'a> {
    pub fn new(
        logs: &'a Logs<'a>,
        profile: Arc<ReferenceProfile>,
        plan: Plan,
        shift: Shift,
        concurrency: usize,
        max_rejected_fraction: f64,
    ) -> Self {
        let capacity = logs.recent_wanted().map_or(0, |(_, capacity)| capacity);
        Self {
            logs,
            counting: logs.counting(&profile),
            plan,
            shift,
            concurrency,
            max_rejected_fraction,
            selection: logs.selection(),
            steps: Steps::new(profile, plan.range, plan.step_hours(), capacity),
            counted: HashMap::new(),
            again: HashSet::new(),
            before: (plan.range.start, Recent::new(capacity)),
            reading: ReadingSection::default(),
        }
    }

    /// The objects that may hold rows of the range, in groups.
    pub fn groups(&self) -> Vec<Group> {
        let may_hold = |object: &&ObjectMeta| self.selection.may_hold(object, self.plan.range);
        let start = |object: &ObjectMeta| self.selection.span(&object.key).map(|(start, _)| start - self.selection.slack);
        let mut dated: Vec<(Option<DateTime<Utc>>, ObjectMeta)> =
            self.logs.source().objects.iter().filter(may_hold).map(|object| (start(object), object.clone())).collect();
        // Objects without a date may hold any row: they come first.
        dated.sort_by_key(|(start, _)| *start);
        let mut groups: Vec<Group> = Vec::new();
        for of_a_time in dated.chunk_by(|(a, _), (b, _)| a == b) {
            let objects = of_a_time.iter().map(|(_, object)| object.clone());
            match groups.last_mut() {
                Some(group) if group.objects.len() < OBJECTS_FOR_EACH * self.concurrency => group.objects.extend(objects),
                last => {
                    if let Some(group) = last {
                        group.horizon = of_a_time.first().and_then(|(start, _)| *start);
                    }
                    groups.push(Group { objects: objects.collect(), horizon: None });
                }
            }
        }
        groups
    }

    /// Reads the objects of a group, and sums their hours up.
    pub async fn read(&mut self, group: Vec<ObjectMeta>, progress: &Step) -> Result<(), JobError> {
        let range = self.plan.range;
        let empty = Shifted::new(ByHour::new(self.counting.empty.clone(), usize::MAX), self.shift.clone());
        let request = self.counting.request(Some(range));
        let source = Source { bucket: self.logs.source().bucket.clone(), objects: group };
        let (steps, selection) = (&mut self.steps, &self.selection);
        let (mut counted, mut is_understood) = (HashMap::new(), true);
        let mut reader = |meta: &ObjectMeta, account: &ObjectAccount, counts: &mut Shifted<ByHour>, _: Option<&Part>| {
            let hours = counts.inner.take_hours();
            let Ok(tally) = &account.outcome else { return };
            let Some(mut entry) = Entry::of_used(String::new(), account, tally, range, hours, &[]) else { return };
            if !is_found(selection, meta, &entry.hours) {
                return;
            }
            for hour in &mut entry.hours {
                is_understood &= steps.add(hour).is_some();
                hour.packed = bytes::Bytes::new();
            }
            let (rejected, headers) = (tally.rejected.total(), tally.rejected.headers());
            counted.insert(entry.uri.clone(), Counted { entry, rejected, headers });
        };
        let advance = |bytes| progress.advance(bytes);
        let (_, account) = read_unknown(&source, Vec::new(), request, empty, self.concurrency, &advance, &mut reader).await?;
        if !is_understood {
            // What this very process packed: a defect, and no verdict may come of it.
            return Err(JobError::Logs(
                "the counts of an hour make no sense; this is a defect of the program, please report it".to_owned(),
            ));
        }
        self.reading.objects += account.objects.len() as u64;
        self.reading.size_bytes += account.objects.iter().map(|object| object.size_bytes).sum::<u64>();
        self.reading.rows_read += account.rows_read;
        self.reading.rows_in_range += account.rows_used;
        self.again.extend(account.objects.iter().map(|object| &object.uri).filter(|uri| !counted.contains_key(*uri)).cloned());
        self.counted.extend(counted);
        self.reading.steps_held = self.steps.most_held as u64;
        Ok(())
    }

    /// What a window holds, as `check` finds it. All objects that may hold its rows were read.
    pub async fn window(&mut self, window: Window) -> Result<Current, JobError> {
        let objects = self.logs.source_of(Some(window)).objects;
        let (mut known, mut unknown, mut rejected, mut headers) = (Vec::new(), HashSet::new(), 0, 0);
        for object in &objects {
            known.push(match self.counted.get(&object.uri).map(|counted| (counted, recall(&counted.entry, window))) {
                Some((counted, Recalled::Whole(account, _))) => {
                    rejected += counted.rejected;
                    headers += counted.headers;
                    Known::Whole(account)
                }
                Some(_) => {
                    // Its rows are in the steps, but not what else is to be said of it.
                    return self.anew(objects, window).await;
                }
                None => {
                    unknown.insert(object.uri.clone());
                    Known::Nothing
                }
            });
        }
        let (mut counter, account) = self.count(objects.clone(), known, window).await?;
        self.note(&account, &unknown);
        // How many of the rejected rows lie in the window is not known: if all of them did, would the window still be used?
        if rejected > 0 && worst_fraction(&account, rejected - headers, headers) > self.max_rejected_fraction {
            return self.anew(objects, window).await;
        }
        self.logs.check_usable(&account)?;
        self.steps.add_to(window, &mut counter.counts);
        counter.recent.merge(&self.steps.recent(window).1);
        Ok(self.current(counter, account))
    }

    /// Reads every object of a window.
    async fn anew(&mut self, objects: Vec<ObjectMeta>, window: Window) -> Result<Current, JobError> {
        let all: HashSet<String> = objects.iter().map(|object| object.uri.clone()).collect();
        let (counter, account) = self.count(objects, Vec::new(), window).await?;
        self.note(&account, &all);
        self.logs.check_usable(&account)?;
        Ok(self.current(counter, account))
    }

    async fn count(&self, objects: Vec<ObjectMeta>, known: Vec<Known>, window: Window) -> Result<(Counter, Account), JobError> {
        let request = self.counting.request(Some(window));
        let source = Source { bucket: self.logs.source().bucket.clone(), objects };
        let empty = Shifted::new(self.counting.empty.clone(), self.shift.clone());
        let counted = read_unknown(&source, known, request, empty, self.concurrency, &|_| (), &mut |_, _, _, _| ()).await?;
        Ok((counted.0.inner, counted.1))
    }

    fn current(&self, mut counter: Counter, account: Account) -> Current {
        counter.counts.spread();
        let objects_skipped = (self.logs.source().objects.len() - account.objects.len()) as u64;
        Current { counts: counter.counts, recent: counter.recent, account, news: None, objects_skipped, by_cluster: false }
    }

    /// Takes account of what was read again.
    fn note(&mut self, account: &Account, again: &HashSet<String>) {
        for object in account.objects.iter().filter(|object| again.contains(&object.uri)) {
            let rows = object.outcome.as_ref().map_or(0, |tally| tally.rows_read);
            self.reading.objects_read_again += 1;
            self.reading.rows_read_again += rows;
            self.reading.rows_read += rows;
        }
    }

    /// Adds confidences from before a window that holds fewer than are asked for, as `check` does; those in the range are counted already.
    pub async fn look_back(&mut self, window: Window, recent: &mut Recent) -> Result<(), JobError> {
        let Some((name, _)) = self.logs.recent_wanted() else { return Ok(()) };
        for earlier in looks_back(window) {
            if recent.is_full() {
                break;
            }
            let is_again = |object: &&ObjectMeta| self.again.contains(&object.uri) && self.selection.may_hold(object, earlier);
            if self.logs.source().objects.iter().any(|object| is_again(&object)) {
                let (found, rows) = self.logs.recent_in(earlier).await?;
                self.reading.rows_read += rows;
                self.reading.rows_read_again += rows;
                recent.merge(&found);
                continue;
            }
            let range_start = self.plan.range.start;
            let (rows, mut found) =
                self.steps.recent(Window { start: earlier.start.max(range_start), end: earlier.end.max(range_start) });
            if earlier.start < range_start {
                self.know_before(earlier.start).await?;
                let end_us = earlier.end.timestamp_micros();
                let is_in = |row: &RecentRow| (earlier.start.timestamp_micros()..end_us).contains(&row.moment_us);
                self.before.1.newest_first().into_iter().filter(is_in).for_each(|row| found.push(row));
            }
            if rows > 0 && found.is_empty() {
                return Err(no_confidence(rows, earlier, &name));
            }
            recent.merge(&found);
        }
        Ok(())
    }

    /// Reads the newest confidences before the range, back to this moment: what is known of a longer time holds those of a shorter one.
    async fn know_before(&mut self, start: DateTime<Utc>) -> Result<(), JobError> {
        let (known_from, known) = &self.before;
        if *known_from <= start || known.is_full() {
            return Ok(());
        }
        let (found, rows) = self.logs.recent_in(Window { start, end: *known_from }).await?;
        self.before.1.merge(&found);
        self.before.0 = start;
        self.reading.rows_read += rows;
        self.reading.rows_read_before += rows;
        Ok(())
    }

    /// Drops what no window from this one on needs.
    pub fn forget_before(&mut self, window: Window) {
        self.steps.forget_before(window);
    }

    /// Objects whose rows could not be counted by the hour.
    pub fn read_again(&self) -> Vec<&str> {
        let mut uris: Vec<&str> = self.again.iter().map(String::as_str).collect();
        uris.sort_unstable();
        uris
    }
}

/// Whether every window that these hours are of reads the object: its key or its update time does not rule them out.
fn is_found(selection: &Selection, meta: &ObjectMeta, hours: &[Hour]) -> bool {
    hours.iter().all(|hour| {
        let start = DateTime::from_timestamp_micros(hour.hour * HOUR_US);
        start.is_some_and(|start| selection.may_hold(meta, Window { start, end: start + TimeDelta::hours(1) }))
    })
}

/// The largest rejected fraction that there can be, if so many more rows of the window were rejected, beside so many more headers.
fn worst_fraction(account: &Account, more: u64, headers: u64) -> f64 {
    let of = |rejected: u64, all: u64| if all == 0 { 1.0 } else { (rejected + more) as f64 / all as f64 };
    let in_all = of(account.rows_rejected - account.headers, account.rows_read.saturating_sub(account.headers + headers));
    let in_window = of(account.rows_rejected_in_window, account.rows_used + account.rows_rejected_in_window + more);
    in_all.max(in_window).max(account.rejected_fraction())
}
