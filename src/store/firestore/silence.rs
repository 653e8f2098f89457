//! Silences in Firestore.

use super::FirestoreStore;
use super::document::{SilenceDocument, Stored as _, id, moment};
use crate::store::{Scope, Silence, StoreError};

impl FirestoreStore {
    pub async fn silence(&self, silence: &Silence) -> Result<(), StoreError> {
        let (collection, parent) = (self.collection("silences"), self.of_scope(&silence.scope));
        let document = SilenceDocument::new(silence);
        let write = || async {
            let update = self.client.db.fluent().update().in_col(&collection);
            let update = update.document_id(id(&[&silence.signal.to_string(), &moment(silence.created_at)]));
            let _: SilenceDocument = update.parent(&parent).object(&document).execute().await?;
            Ok(())
        };
        Ok(self.client.call("record a silence in", write).await?)
    }

    pub async fn silences(&self, scope: &Scope) -> Result<Vec<Silence>, StoreError> {
        let (collection, parent) = (self.collection("silences"), self.of_scope(scope));
        let read = || async {
            let query = self.client.db.fluent().select().from(collection.as_str()).parent(&parent);
            let query = query.order(|order| order.fields([order.field("createdAt").desc()]));
            let documents = query.query().await?;
            documents.iter().map(|document| SilenceDocument::read(document)?.silence(scope)).collect()
        };
        Ok(self.client.call("read silences from", read).await?)
    }
}
