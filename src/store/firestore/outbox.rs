//! The outbox in Firestore. A claim is one write on the condition that the message is still as it was read: of many claimers, one gets
//! it, and none waits for another's lock.

use chrono::{DateTime, Utc};
use firestore::{FirestoreDocument, FirestoreWritePrecondition};

use super::document::{MessageDocument, Stored as _, comparable, unchanged};
use super::fault::{Fault, FaultKind, FirestoreError};
use super::{FirestoreStore, message_id};
use crate::store::lifecycle::to_micros;
use crate::store::outbox::{ABANDONED, Claim, ClaimRequest, LastAttempt, MessageKey, MessageRecord, MessageStatus};
use crate::store::{Scope, Series, StoreError};

/// A message, its id, and when it was last written, as the condition of the next write.
struct Read {
    id: String,
    message: MessageDocument,
    unchanged: FirestoreWritePrecondition,
}

impl Read {
    fn of(document: &FirestoreDocument) -> Result<Self, Fault> {
        Ok(Self {
            id: document.name.rsplit('/').next().unwrap_or_default().to_owned(),
            message: MessageDocument::read(document)?,
            unchanged: unchanged(Some(document))?,
        })
    }
}

impl FirestoreStore {
    pub async fn claim_due(&self, request: &ClaimRequest) -> Result<Vec<Claim>, StoreError> {
        let mut claims = Vec::new();
        for candidate in self.due(request).await? {
            match self.claim(request, &candidate).await {
                Ok(claim) => claims.extend(claim),
                // What is claimed must be handed out: nobody else gets it before the lease has run out.
                Err(error) if !claims.is_empty() => {
                    tracing::warn!("Not every message that is due could be claimed; the rest stays due: {error}");
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(claims)
    }

    async fn due(&self, request: &ClaimRequest) -> Result<Vec<Read>, Box<FirestoreError>> {
        let waiting = self.waiting(&request.scope, request.now).await?;
        let is_next = |(key, read): &(MessageKey, Read)| {
            let is_due = read.message.due_at.is_some_and(|due_at| request.is_due(due_at));
            is_due && !request.except.contains(&key.signal) && !waiting.iter().any(|(earlier, _)| key.comes_after(earlier))
        };
        let next: Vec<bool> = waiting.iter().map(is_next).collect();
        let due = waiting.into_iter().zip(next).filter(|(_, is_next)| *is_next).map(|((_, read), _)| read);
        Ok(due.take(request.limit as usize).collect())
    }

    /// What is not delivered yet, the longest due first. There are few: a message is delivered, or expires.
    async fn waiting(&self, scope: &Scope, now: DateTime<Utc>) -> Result<Vec<(MessageKey, Read)>, Box<FirestoreError>> {
        let (collection, parent) = (self.collection("outbox"), self.of_scope(scope));
        let read = || async {
            let ever = comparable(DateTime::UNIX_EPOCH)?;
            let query = self.client.db.fluent().select().from(collection.as_str()).parent(&parent);
            let query = query.filter(|filter| filter.for_all([filter.field("dueAt").greater_than(ever.clone())]));
            let query = query.order(|order| order.fields([order.field("dueAt").asc()]));
            let documents = query.query().await?;
            let reads = documents.iter().map(|document| {
                let read = Read::of(document)?;
                Ok((read.message.key(scope)?, read))
            });
            reads.collect::<Result<Vec<_>, Fault>>()
        };
        let mut waiting = self.client.call("look for messages in", read).await?;
        // The time-to-live policy may take a day to delete.
        waiting.retain(|(_, read)| read.message.expire_at > now);
        Ok(waiting)
    }

    pub async fn messages(&self, scope: &Scope, limit: u32) -> Result<Vec<MessageRecord>, StoreError> {
        let (collection, parent) = (self.collection("outbox"), self.of_scope(scope));
        let read = || async {
            let query = self.client.db.fluent().select().from(collection.as_str()).parent(&parent);
            let query = query.order(|order| order.fields([order.field("createdAt").desc()]));
            let documents = query.limit(limit).query().await?;
            documents.iter().map(|document| MessageDocument::read(document)?.message(scope)).collect()
        };
        Ok(self.client.call("read messages from", read).await?)
    }

    /// `None` when somebody else was faster.
    async fn claim(&self, request: &ClaimRequest, candidate: &Read) -> Result<Option<Claim>, Box<FirestoreError>> {
        let mut claimed = candidate.message.clone();
        claimed.due_at = Some(request.until());
        claimed.attempts = claimed.attempts.saturating_add(1);
        claimed.claimed_by.clone_from(&request.claimer);
        let last_attempt = LastAttempt::of(candidate.message.attempts, &claimed.error_kind);
        claimed.error_kind.clear();
        let parent = self.of_scope(&request.scope);
        let attempt = || async {
            match self.write(&parent, &candidate.id, &claimed, candidate.unchanged.clone()).await {
                Ok(()) => {}
                // Deleted meanwhile, or written: possibly by an earlier attempt of ours whose answer was lost.
                Err(Fault { kind: FaultKind::Missing, .. }) => return Ok(None),
                Err(Fault { kind: FaultKind::Precondition, .. }) => {
                    let now = self.read(&parent, &candidate.id).await?;
                    let is_ours =
                        |read: &Read| read.message.claimed_by == request.claimer && read.message.attempts == claimed.attempts;
                    if !now.as_ref().is_some_and(is_ours) {
                        return Ok(None);
                    }
                }
                Err(fault) => return Err(fault),
            }
            claimed.claim(&request.scope, last_attempt.clone()).map(Some)
        };
        self.client.call("claim a message in", attempt).await
    }

    pub async fn messages_about(&self, series: &Series, window_end: DateTime<Utc>) -> Result<Vec<MessageStatus>, StoreError> {
        let (collection, parent) = (self.collection("outbox"), self.of_scope(&series.scope()));
        let read = || async {
            let end = comparable(to_micros(window_end))?;
            let query = self.client.db.fluent().select().from(collection.as_str()).parent(&parent);
            let query = query.filter(|filter| filter.for_all([filter.field("windowEnd").equal(end.clone())]));
            let documents = query.query().await?;
            let mut messages = documents.iter().map(MessageDocument::read).collect::<Result<Vec<_>, Fault>>()?;
            messages.sort_by_key(MessageDocument::revision);
            messages.iter().filter(|message| message.is_of(series)).map(MessageDocument::status).collect()
        };
        Ok(self.client.call("read messages from", read).await?)
    }

    pub async fn undelivered(&self, scope: &Scope, now: DateTime<Utc>) -> Result<Vec<MessageKey>, StoreError> {
        Ok(self.waiting(scope, now).await?.into_iter().map(|(key, _)| key).collect())
    }

    pub async fn mark_delivered(&self, claim: &Claim, now: DateTime<Utc>) -> Result<(), StoreError> {
        let change = |message: &mut MessageDocument| {
            let is_new = message.delivered_at.is_none();
            message.due_at = None;
            message.delivered_at = Some(now);
            message.error_kind.clear();
            is_new
        };
        Ok(self.change(claim, change).await?)
    }

    pub async fn abandon(&self, claim: &Claim, reason: &str) -> Result<(), StoreError> {
        let change = |message: &mut MessageDocument| {
            message.due_at = None;
            message.error_kind = format!("{ABANDONED}{reason}");
            message.delivered_at.is_none()
        };
        Ok(self.change(claim, change).await?)
    }

    pub async fn mark_failed(&self, claim: &Claim, next_attempt: DateTime<Utc>, error_kind: &str) -> Result<(), StoreError> {
        let change = |message: &mut MessageDocument| {
            let is_ours = message.delivered_at.is_none() && message.attempts == claim.attempt;
            message.due_at = Some(next_attempt);
            error_kind.clone_into(&mut message.error_kind);
            is_ours
        };
        Ok(self.change(claim, change).await?)
    }

    /// Changes a message as it stands, unless the change says no; a write of somebody else in between means to look again.
    async fn change(&self, claim: &Claim, change: impl Fn(&mut MessageDocument) -> bool) -> Result<(), Box<FirestoreError>> {
        let (parent, id) = (self.of_scope(&claim.key.scope), message_id(&claim.key));
        let attempt = || async {
            let Some(Read { mut message, unchanged, .. }) = self.read(&parent, &id).await? else { return Ok(()) };
            if !change(&mut message) {
                return Ok(());
            }
            match self.write(&parent, &id, &message, unchanged).await {
                Err(Fault { kind: FaultKind::Precondition | FaultKind::Missing, what }) => {
                    Err(Fault::new(FaultKind::Transient, what))
                }
                other => other,
            }
        };
        self.client.call("update a message in", attempt).await
    }

    async fn read(&self, parent: &str, id: &str) -> Result<Option<Read>, Fault> {
        let query = self.client.db.fluent().select().by_id_in(self.collection("outbox")).parent(parent);
        query.one(id).await?.as_ref().map(Read::of).transpose()
    }

    async fn write(
        &self,
        parent: &str,
        id: &str,
        message: &MessageDocument,
        unchanged: FirestoreWritePrecondition,
    ) -> Result<(), Fault> {
        let collection = self.collection("outbox");
        let update = self.client.db.fluent().update().in_col(&collection).precondition(unchanged);
        let _: MessageDocument = update.document_id(id).parent(parent).object(message).execute().await?;
        Ok(())
    }
}
