//! Labels in Firestore.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::FirestoreStore;
use super::document::{Stored, VERSION, id, moment, timestamp};
use super::fault::Fault;
use crate::decision::label::Label;
use crate::feature::FeatureName;
use crate::store::lifecycle::{evidence_expiry, to_micros};
use crate::store::{LabelRecord, Scope, StoreError};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LabelDocument {
    version: i64,
    truth: String,
    #[serde(with = "timestamp")]
    from: DateTime<Utc>,
    #[serde(with = "timestamp")]
    to: DateTime<Utc>,
    /// Empty: the data set as a whole.
    feature: String,
    #[serde(with = "timestamp")]
    created_at: DateTime<Utc>,
    reason: String,
    #[serde(with = "timestamp")]
    expire_at: DateTime<Utc>,
}

impl Stored for LabelDocument {
    const VERSION: i64 = VERSION;
}

impl LabelDocument {
    fn new(record: &LabelRecord) -> Self {
        let LabelRecord { label, created_at, reason, .. } = record;
        Self {
            version: VERSION,
            truth: label.truth.to_string(),
            from: to_micros(label.from),
            to: to_micros(label.to),
            feature: label.subject().to_owned(),
            created_at: to_micros(*created_at),
            reason: reason.clone(),
            expire_at: evidence_expiry(label.to, *created_at),
        }
    }

    fn record(self, scope: &Scope) -> Result<LabelRecord, Fault> {
        let feature = (!self.feature.is_empty()).then(|| FeatureName::new(&self.feature));
        let truth = serde_json::from_value(self.truth.into())?;
        let label = Label { truth, from: self.from, to: self.to, feature };
        Ok(LabelRecord { scope: scope.clone(), label, created_at: self.created_at, reason: self.reason })
    }
}

fn label_id(label: &Label) -> String {
    id(&[&moment(label.from), &moment(label.to), label.subject()])
}

impl FirestoreStore {
    pub async fn label(&self, record: &LabelRecord) -> Result<(), StoreError> {
        let (collection, parent) = (self.collection("labels"), self.of_scope(&record.scope));
        let document = LabelDocument::new(record);
        let write = || async {
            let update = self.client.db.fluent().update().in_col(&collection).document_id(label_id(&record.label));
            let _: LabelDocument = update.parent(&parent).object(&document).execute().await?;
            Ok(())
        };
        Ok(self.client.call("record a label in", write).await?)
    }

    pub async fn unlabel(&self, scope: &Scope, label: &Label) -> Result<(), StoreError> {
        let (collection, parent) = (self.collection("labels"), self.of_scope(scope));
        let delete = || async {
            let delete = self.client.db.fluent().delete().from(collection.as_str()).parent(&parent);
            Ok(delete.document_id(label_id(label)).execute().await?)
        };
        Ok(self.client.call("delete a label from", delete).await?)
    }

    pub async fn labels(&self, scope: &Scope) -> Result<Vec<LabelRecord>, StoreError> {
        let (collection, parent) = (self.collection("labels"), self.of_scope(scope));
        let read = || async {
            let query = self.client.db.fluent().select().from(collection.as_str()).parent(&parent);
            let documents = query.query().await?;
            documents.iter().map(|document| LabelDocument::read(document)?.record(scope)).collect()
        };
        let mut records: Vec<LabelRecord> = self.client.call("read labels from", read).await?;
        let order = |record: &LabelRecord| (record.label.from, record.label.to, record.label.subject().to_owned());
        records.sort_by_key(order);
        Ok(records)
    }
}
