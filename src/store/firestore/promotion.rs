//! Promotions in Firestore.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::FirestoreStore;
use super::document::{Stored, VERSION, id, moment, timestamp};
use super::fault::Fault;
use crate::store::lifecycle::{evidence_expiry, to_micros};
use crate::store::{Promotion, Scope, StoreError};

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PromotionDocument {
    version: i64,
    signal: String,
    #[serde(with = "timestamp")]
    created_at: DateTime<Utc>,
    refusal: String,
    reason: String,
    #[serde(with = "timestamp")]
    expire_at: DateTime<Utc>,
}

impl Stored for PromotionDocument {
    const VERSION: i64 = VERSION;
}

impl PromotionDocument {
    fn new(promotion: &Promotion) -> Self {
        let Promotion { signal, created_at, refusal, reason, .. } = promotion;
        Self {
            version: VERSION,
            signal: signal.to_string(),
            created_at: to_micros(*created_at),
            refusal: refusal.clone(),
            reason: reason.clone(),
            expire_at: evidence_expiry(*created_at, *created_at),
        }
    }

    fn promotion(self, scope: &Scope) -> Result<Promotion, Fault> {
        let Self { signal, created_at, refusal, reason, .. } = self;
        let signal = serde_json::from_value(signal.into())?;
        Ok(Promotion { scope: scope.clone(), signal, created_at, refusal, reason })
    }
}

impl FirestoreStore {
    pub async fn promote(&self, promotion: &Promotion) -> Result<(), StoreError> {
        let (collection, parent) = (self.collection("promotions"), self.of_scope(&promotion.scope));
        let document = PromotionDocument::new(promotion);
        let write = || async {
            let update = self.client.db.fluent().update().in_col(&collection);
            let update = update.document_id(id(&[&promotion.signal.to_string(), &moment(promotion.created_at)]));
            let _: PromotionDocument = update.parent(&parent).object(&document).execute().await?;
            Ok(())
        };
        Ok(self.client.call("record a promotion in", write).await?)
    }

    pub async fn promotions(&self, scope: &Scope) -> Result<Vec<Promotion>, StoreError> {
        let (collection, parent) = (self.collection("promotions"), self.of_scope(scope));
        let read = || async {
            let query = self.client.db.fluent().select().from(collection.as_str()).parent(&parent);
            let query = query.order(|order| order.fields([order.field("createdAt").desc()]));
            let documents = query.query().await?;
            documents.iter().map(|document| PromotionDocument::read(document)?.promotion(scope)).collect()
        };
        Ok(self.client.call("read promotions from", read).await?)
    }
}
