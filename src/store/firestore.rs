//! The shared store: Google Firestore, in native mode. With its folder the only place that names the crates of Firestore.
//!
//! ```text
//! {prefix}-jobs/{job~environment~length_s}/{prefix}-runs/{window end}
//! {prefix}-jobs/{job~environment~length_s}/{prefix}-signals/{signal}
//! {prefix}-jobs/{job~environment}/{prefix}-outbox/{length_s~signal~window end~transition~channel(~revision)}
//! {prefix}-jobs/{job~environment}/{prefix}-silences/{signal~created at}
//! {prefix}-jobs/{job~environment}/{prefix}-labels/{from~to~feature}
//! {prefix}-jobs/{job~environment}/{prefix}-promotions/{signal~created at}
//! ```
//! Ids come from the keys, so that writing twice is writing once. Runs and signals lie in sub-collections of their series, messages of their
//! job, so that every query is by one field and needs no composite index; there is none that a new project could lack. Every document has
//! `expireAt`, a real timestamp; deleting by it is a time-to-live policy of the database (`deploy/firestore.indexes.json`).
//!
//! Nothing is locked: what is read is written back on the condition that it has not changed, all writes of a step in one transaction.
//! Every call can be repeated without harm, is given up in time, and is repeated when what failed can pass by itself (`client`).

mod client;
mod document;
mod fault;
mod feedback;
mod label;
mod outbox;
mod promotion;
mod silence;

use chrono::{DateTime, Utc};
use firestore::FirestoreDocument;

use super::lifecycle::{StoredSignal, Taken, replay};
use super::outbox::{Draft, MessageKey};
use super::{FirestoreSettings, RunRecord, Scope, Series, SignalStanding, Step, StoreError};
use crate::decision::signal::Moved;
use crate::report::PastRun;
use client::Client;
use document::{MessageDocument, RunDocument, SignalDocument, Stored as _, comparable, id, moment, unchanged};
pub use fault::FirestoreError;
use fault::{Fault, FaultKind};
pub use feedback::FirestoreFeedback;

/// A connection to the database.
#[derive(Clone, Debug)]
pub struct FirestoreStore {
    client: Client,
}

impl FirestoreStore {
    pub async fn connect(settings: FirestoreSettings) -> Result<Self, StoreError> {
        Ok(Self { client: Client::connect(settings).await? })
    }

    fn collection(&self, name: &str) -> String {
        format!("{}-{name}", self.client.prefix())
    }

    /// The document that the collections of a job, or of one of its series, lie under. It need not exist.
    fn parent(&self, parts: &[&str]) -> String {
        format!("{}/{}/{}", self.client.db.get_documents_path(), self.collection("jobs"), id(parts))
    }

    fn of_series(&self, Series { job, environment, length_s }: &Series) -> String {
        self.parent(&[job, environment, &length_s.to_string()])
    }

    fn of_scope(&self, Scope { job, environment }: &Scope) -> String {
        self.parent(&[job, environment])
    }

    pub async fn record_run(&self, run: &RunRecord) -> Result<(), StoreError> {
        const ACTION: &str = "record the run in";
        let document = RunDocument::new(run).map_err(|fault| Box::new(self.client.error(ACTION, fault)))?;
        let (collection, parent) = (self.collection("runs"), self.of_series(&run.series));
        let write = || async {
            let id = moment(run.outcome.window_end);
            let query = self.client.db.fluent().select().by_id_in(&collection).parent(&parent);
            query.one(&id).await?.as_ref().map(RunDocument::check).transpose()?;
            let update = self.client.db.fluent().update().in_col(&collection).document_id(&id);
            let _: RunDocument = update.parent(&parent).object(&document).execute().await?;
            Ok(())
        };
        Ok(self.client.call(ACTION, write).await?)
    }

    /// Writes a document in a transaction, and deletes it. It lies where no run is looked for; were the process killed in between, the
    /// time-to-live policy of its collection deletes it.
    pub async fn probe(&self, scope: &Scope, probe: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        const ACTION: &str = "write a probe to";
        let db = &self.client.db;
        let (collection, parent) = (self.collection("runs"), self.parent(&[&scope.job, &scope.environment, "doctor"]));
        let outcome = PastRun {
            window_start: None,
            window_end: now,
            verdict: crate::decision::DatasetVerdict::NoData,
            share: 0.0,
            rows: 0,
            features: std::collections::BTreeMap::new(),
        };
        let record = RunRecord {
            id: probe.to_owned(),
            series: Series { job: scope.job.clone(), environment: scope.environment.clone(), length_s: 0 },
            trigger: "doctor".to_owned(),
            started_at: now,
            finished_at: now,
            profile_id: String::new(),
            config_digest: String::new(),
            report_uri: String::new(),
            outcome,
            signals: std::collections::BTreeMap::new(),
        };
        let document = RunDocument::new(&record).map_err(|fault| Box::new(self.client.error(ACTION, fault)))?;
        let write = || async {
            let mut transaction = db.begin_transaction().await?;
            let update = db.fluent().update().in_col(&collection).document_id(probe);
            update.parent(&parent).object(&document).add_to_transaction(&mut transaction)?;
            transaction.commit().await?;
            Ok(())
        };
        let delete = || async {
            db.fluent().delete().from(collection.as_str()).parent(&parent).document_id(probe).execute().await?;
            Ok(())
        };
        let written = self.client.call(ACTION, write).await;
        // Also when the answer was lost: it may be there.
        let deleted = self.client.call("delete a probe from", delete).await;
        written?;
        Ok(deleted?)
    }

    pub async fn runs(&self, series: &Series, before: DateTime<Utc>, limit: u32) -> Result<Vec<RunRecord>, StoreError> {
        let (collection, parent) = (self.collection("runs"), self.of_series(series));
        let read = || async {
            let end = comparable(before)?;
            let query = self.client.db.fluent().select().from(collection.as_str()).parent(&parent);
            let query = query.filter(|filter| filter.for_all([filter.field("windowEnd").less_than(end.clone())]));
            let newest = query.order(|order| order.fields([order.field("windowEnd").desc()])).limit(limit);
            let documents = newest.query().await?;
            documents.iter().rev().map(|document| RunDocument::read(document)?.record()).collect()
        };
        Ok(self.client.call("read past runs from", read).await?)
    }

    pub async fn advance_signal(
        &self,
        step: &Step,
        messages: &(dyn Fn(&Moved) -> Vec<Draft> + Send + Sync),
    ) -> Result<Moved, StoreError> {
        let advance = || async {
            match self.try_to_advance(step, messages).await {
                // Another run wrote in between: what it wrote is the state to go on from.
                Err(Fault { kind: FaultKind::Precondition, what }) => Err(Fault::new(FaultKind::Transient, what)),
                other => other,
            }
        };
        Ok(self.client.call("move a signal on in", advance).await?)
    }

    pub async fn signals(&self, series: &Series, now: DateTime<Utc>) -> Result<Vec<SignalStanding>, StoreError> {
        let (collection, parent) = (self.collection("signals"), self.of_series(series));
        let read = || async {
            let documents = self.client.db.fluent().select().from(collection.as_str()).parent(&parent).query().await?;
            let signals = documents.iter().map(|document| SignalDocument::read(document)?.standing(now));
            signals.collect::<Result<Vec<Option<SignalStanding>>, Fault>>()
        };
        let mut signals: Vec<SignalStanding> = self.client.call("read signals from", read).await?.into_iter().flatten().collect();
        signals.sort_by_key(|signal| signal.name);
        Ok(signals)
    }

    pub async fn preview_signal(&self, step: &Step) -> Result<Moved, StoreError> {
        let read = || async {
            let stored = self.read_signal(step).await?.as_ref().map(stored_signal).transpose()?.flatten();
            Ok(replay(stored, step).map_or(Moved::NOWHERE, |taken| taken.moved))
        };
        Ok(self.client.call("read a signal from", read).await?)
    }

    async fn read_signal(&self, step: &Step) -> Result<Option<FirestoreDocument>, Fault> {
        let query = self.client.db.fluent().select().by_id_in(self.collection("signals"));
        Ok(query.parent(self.of_series(&step.series)).one(step.name.to_string()).await?)
    }

    /// Reads outside of the transaction, and writes in it on the condition that what was read is still so. A transaction that reads
    /// takes locks, and when its connection breaks they outlive it by up to a minute: no rerun could get past them in time.
    async fn try_to_advance(&self, step: &Step, messages: &(dyn Fn(&Moved) -> Vec<Draft> + Send + Sync)) -> Result<Moved, Fault> {
        let db = &self.client.db;
        let (of_series, of_scope) = (self.of_series(&step.series), self.of_scope(&step.series.scope()));
        let (signals, outbox) = (self.collection("signals"), self.collection("outbox"));
        let read = self.read_signal(step).await?;
        let stored = read.as_ref().map(stored_signal).transpose()?.flatten();
        let Some(Taken { moved, record, revision }) = replay(stored, step) else {
            return Ok(Moved::NOWHERE);
        };
        let mut new = Vec::new();
        for draft in if moved.tells.is_some() { messages(&moved) } else { Vec::new() } {
            let key = MessageKey::new(step, revision, moved.transition, &draft.channel);
            let id = message_id(&key);
            let known = db.fluent().select().by_id_in(&outbox).parent(&of_scope).one(&id).await?;
            // One in shadow is taken out of it when it is to be sent.
            let is_new = match &known {
                None => true,
                Some(known) => MessageDocument::read(known)?.is_shadow() && !draft.is_shadow,
            };
            if is_new {
                new.push((id, MessageDocument::new(step, &key, &draft), unchanged(known.as_ref())?));
            }
        }
        let document = SignalDocument::new(step, &record)?;
        let mut transaction = db.begin_transaction().await?;
        let update = db.fluent().update().in_col(&signals).precondition(unchanged(read.as_ref())?);
        update.document_id(step.name.to_string()).parent(&of_series).object(&document).add_to_transaction(&mut transaction)?;
        for (id, document, condition) in &new {
            let update = db.fluent().update().in_col(&outbox).precondition(condition.clone());
            update.document_id(id).parent(&of_scope).object(document).add_to_transaction(&mut transaction)?;
        }
        transaction.commit().await?;
        Ok(moved)
    }
}

fn stored_signal(document: &FirestoreDocument) -> Result<Option<StoredSignal>, Fault> {
    SignalDocument::read(document)?.stored()
}

fn message_id(key: &MessageKey) -> String {
    let length_s = key.length_s.to_string();
    let (signal, end, transition) = (key.signal.to_string(), moment(key.window_end), key.transition.to_string());
    let first = [length_s.as_str(), &signal, &end, &transition, &key.channel];
    // The first reading of a window is the usual one.
    if key.revision == 0 { id(&first) } else { id(&[&first[..], &[&key.revision.to_string()]].concat()) }
}
