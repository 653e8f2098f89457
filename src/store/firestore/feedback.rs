//! The service's feedback collection, counted where it lies.

use firestore::gcloud_sdk::google::firestore::v1::value::ValueType;
use firestore::select_filter_builder::FirestoreQueryFilterBuilder;
use firestore::{FirestoreDocument, FirestoreQueryDirection, FirestoreQueryFilter};
use serde::Deserialize;

use super::client::Client;
use super::fault::Fault;
use crate::store::FirestoreSettings;
use crate::store::feedback::{FeedbackCounts, FeedbackError, Period, sorts_like_time};

/// The service's collection.
#[derive(Clone, Debug)]
pub struct FirestoreFeedback {
    client: Client,
    collection: String,
}

const ACTION: &str = "count the feedback in";

#[derive(Deserialize)]
struct Counted {
    count: u64,
}

#[derive(Deserialize)]
struct Averaged {
    mean: Option<f64>,
}

impl FirestoreFeedback {
    pub async fn connect(settings: FirestoreSettings, collection: String) -> Result<Self, FeedbackError> {
        Ok(Self { client: Client::connect(settings).await?, collection })
    }

    /// Two aggregations and three single rows, whatever the number of rows.
    pub async fn counts(&self, period: Period) -> Result<FeedbackCounts, FeedbackError> {
        let range = self.comparable(period).await?;
        let correct = self.client.call(ACTION, || self.count(&range, true)).await?;
        let wrong = self.client.call(ACTION, || self.count(&range, false)).await?;
        Ok(FeedbackCounts { labelled: correct.saturating_add(wrong), correct })
    }

    pub async fn mean_confidence(&self, period: Period) -> Result<Option<f64>, FeedbackError> {
        let range = self.comparable(period).await?;
        Ok(self.client.call(ACTION, || self.mean(&range)).await?)
    }

    /// How many rows there are in all.
    pub async fn documents(&self) -> Result<u64, FeedbackError> {
        let count = || async {
            let query = self.client.db.fluent().select().from(self.collection.as_str());
            let counted: Vec<Counted> =
                query.aggregate(|result| result.fields([result.field("count").count()])).obj().query().await?;
            Ok(counted.first().map_or(0, |counted| counted.count))
        };
        Ok(self.client.call(ACTION, count).await?)
    }

    /// The period as texts, after a look at what they are compared with.
    async fn comparable(&self, period: Period) -> Result<[String; 2], FeedbackError> {
        use FirestoreQueryDirection::{Ascending, Descending};
        let range = period.texts();
        for (within, direction) in [(None, Descending), (Some(&range), Ascending), (Some(&range), Descending)] {
            let row = self.client.call(ACTION, || self.at_the_end(within, &direction)).await?;
            let found = row.as_ref().map(spelling);
            if let Some(found) = found.filter(|found| !sorts_like_time(found)) {
                return Err(FeedbackError::Timestamp { found });
            }
        }
        Ok(range)
    }

    /// The order is the one of the index that the platform has: `is_correct`, and `timestamp` descending.
    async fn count(&self, range: &[String; 2], is_correct: bool) -> Result<u64, Fault> {
        let query = self.client.db.fluent().select().from(self.collection.as_str());
        let query = query.filter(|filter| {
            let [from, until] = within(&filter, range);
            filter.for_all([filter.field("is_correct").eq(is_correct), from, until])
        });
        let query = query.order(|order| order.fields([order.field("timestamp").desc()]));
        let counted: Vec<Counted> = query.aggregate(|result| result.fields([result.field("count").count()])).obj().query().await?;
        Ok(counted.first().map_or(0, |counted| counted.count))
    }

    /// A query of its own: in one query with the mean, rows without a confidence would not be counted.
    async fn mean(&self, range: &[String; 2]) -> Result<Option<f64>, Fault> {
        let query = self.client.db.fluent().select().from(self.collection.as_str());
        let query = query.filter(|filter| filter.for_all(within(&filter, range)));
        let query = query.order(|order| order.fields([order.field("timestamp").desc()]));
        let averaged = query.aggregate(|result| result.fields([result.field("mean").avg("predicted_confidence")]));
        let averaged: Vec<Averaged> = averaged.obj().query().await?;
        Ok(averaged.first().and_then(|averaged| averaged.mean).filter(|mean| mean.is_finite()))
    }

    /// The first or the last row by its timestamp, of a range or of all.
    async fn at_the_end(
        &self,
        range: Option<&[String; 2]>,
        direction: &FirestoreQueryDirection,
    ) -> Result<Option<FirestoreDocument>, Fault> {
        let query = self.client.db.fluent().select().fields(["timestamp"]).from(self.collection.as_str());
        let query = match range {
            Some(range) => query.filter(|filter| filter.for_all(within(&filter, range))),
            None => query,
        };
        let rows =
            query.order(|order| order.fields([order.field("timestamp").direction(direction.clone())])).limit(1).query().await?;
        Ok(rows.into_iter().next())
    }
}

fn within(filter: &FirestoreQueryFilterBuilder, [start, end]: &[String; 2]) -> [Option<FirestoreQueryFilter>; 2] {
    [filter.field("timestamp").greater_than_or_equal(start), filter.field("timestamp").less_than(end)]
}

/// How a row's timestamp is written.
fn spelling(row: &FirestoreDocument) -> String {
    match row.fields.get("timestamp").and_then(|value| value.value_type.as_ref()) {
        Some(ValueType::StringValue(text)) => text.clone(),
        _ => "a value that is no text".to_owned(),
    }
}
