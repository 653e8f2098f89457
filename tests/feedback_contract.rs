//! What every source of feedback promises, held against each kind: the service's SQLite table, and its Firestore collection in
//! Google's emulator. The rows are written as the service writes them, not by our own code.

use chrono::{DateTime, Utc};
use drift_check::store::FirestoreSettings;
use drift_check::store::feedback::{FeedbackCounts, FeedbackError, FeedbackSource, Period};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::emulator;

/// One row of the service.
#[derive(Clone, Copy)]
struct Row {
    timestamp: &'static str,
    is_correct: Option<bool>,
    confidence: Option<f64>,
}

const fn row(timestamp: &'static str, is_correct: bool, confidence: f64) -> Row {
    Row { timestamp, is_correct: Some(is_correct), confidence: Some(confidence) }
}

enum Service {
    Sqlite(TempDir),
    Firestore(FirestoreSettings),
}

impl Service {
    async fn source(&self) -> FeedbackSource {
        match self {
            Self::Sqlite(folder) => FeedbackSource::sqlite(folder.path().join("feedback.db")),
            Self::Firestore(settings) => FeedbackSource::firestore(settings.clone(), "feedback".to_owned()).await.unwrap(),
        }
    }

    async fn writes(&self, rows: &[Row]) {
        match self {
            Self::Sqlite(folder) => write_sqlite(folder, rows),
            Self::Firestore(settings) => {
                for row in rows {
                    emulator::rest(settings, "POST", "/feedback", &json!({ "fields": fields(row) })).await;
                }
            }
        }
    }

    async fn counts(&self, start: &str, end: &str) -> Result<FeedbackCounts, FeedbackError> {
        self.source().await.counts(period(start, end)).await
    }

    async fn mean(&self, start: &str, end: &str) -> Option<f64> {
        self.source().await.mean_confidence(period(start, end)).await.unwrap()
    }
}

fn period(start: &str, end: &str) -> Period {
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    Period::new(at(start), at(end))
}

fn write_sqlite(folder: &TempDir, rows: &[Row]) {
    let connection = rusqlite::Connection::open(folder.path().join("feedback.db")).unwrap();
    let table =
        "CREATE TABLE IF NOT EXISTS feedback (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, image_path TEXT,
        predicted_class TEXT, predicted_confidence REAL, is_correct BOOLEAN, correct_class TEXT, user_note TEXT,
        confidence_rating TEXT, image_stats TEXT)";
    connection.execute(table, []).unwrap();
    for Row { timestamp, is_correct, confidence } in rows {
        let insert =
            "INSERT INTO feedback (timestamp, predicted_class, predicted_confidence, is_correct) VALUES (?1, 'normal', ?2, ?3)";
        connection.execute(insert, rusqlite::params![timestamp, confidence, is_correct]).unwrap();
    }
}

fn fields(row: &Row) -> Value {
    let or_null = |value: Option<Value>| value.unwrap_or(json!({ "nullValue": null }));
    json!({
        "timestamp": { "stringValue": row.timestamp },
        "predicted_class": { "stringValue": "normal" },
        "predicted_confidence": or_null(row.confidence.map(|value| json!({ "doubleValue": value }))),
        "is_correct": or_null(row.is_correct.map(|value| json!({ "booleanValue": value }))),
        "expireAt": { "timestampValue": "2026-05-01T00:00:00Z" },
    })
}

macro_rules! contract {
    ($($promise:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(super::Service::Sqlite(tempfile::tempdir().unwrap())).await;
            })+
        }
        mod firestore {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                if let Some(settings) = super::emulator::settings(concat!("feedback_contract::firestore::", stringify!($promise))) {
                    super::$promise(super::Service::Firestore(settings)).await;
                }
            })+
        }
    };
}

contract!(
    labelled_and_correct_rows_of_the_period_are_counted,
    a_period_holds_its_start_and_not_its_end_however_the_time_is_written,
    no_rows_are_no_accuracy,
    rows_without_a_label_or_a_confidence_are_left_out_of_what_they_lack,
);

async fn labelled_and_correct_rows_of_the_period_are_counted(service: Service) {
    service
        .writes(&[
            row("2026-01-30T23:59:59.999999+00:00", true, 0.1),
            row("2026-01-31T00:00:00+00:00", true, 0.5),
            row("2026-01-31T08:30:00.123456+00:00", false, 0.75),
            row("2026-01-31T23:59:59.999999+00:00", true, 1.0),
            row("2026-02-01T00:00:00+00:00", false, 0.1),
        ])
        .await;
    let day = ["2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"];
    assert_eq!(service.counts(day[0], day[1]).await.unwrap(), FeedbackCounts { labelled: 3, correct: 2 });
    // (0.5 + 0.75 + 1.0) / 3 is exact in binary.
    assert_eq!(service.mean(day[0], day[1]).await, Some(0.75));
}

async fn a_period_holds_its_start_and_not_its_end_however_the_time_is_written(service: Service) {
    const SPELLINGS: [&str; 10] = [
        "2026-01-31T12:00:00Z",
        "2026-01-31T12:00:00",
        "2026-01-31T12:00:00+00:00",
        "2026-01-31T12:00:00.000001Z",
        "2026-01-31T12:00:00.9+00:00",
        "2026-01-31T11:59:59Z",
        "2026-01-31T11:59:59",
        "2026-01-31T11:59:59+00:00",
        "2026-01-31T11:59:59.999999Z",
        "2026-01-31T11:59:59.9+00:00",
    ];
    service.writes(&SPELLINGS.map(|timestamp| row(timestamp, true, 0.5))).await;
    let labelled = async |start, end| service.counts(start, end).await.unwrap().labelled;
    assert_eq!(labelled("2026-01-31T11:00:00Z", "2026-01-31T12:00:00Z").await, 5);
    assert_eq!(labelled("2026-01-31T12:00:00Z", "2026-01-31T13:00:00Z").await, 5);
    // Fractions of a second are cut off the bounds: periods that follow one another neither overlap nor leave a gap.
    assert_eq!(labelled("2026-01-31T11:00:00.7Z", "2026-01-31T12:00:00.7Z").await, 5);
    assert_eq!(labelled("2026-01-31T12:00:00.7Z", "2026-01-31T13:00:00.7Z").await, 5);
}

async fn no_rows_are_no_accuracy(service: Service) {
    service.writes(&[row("2026-01-31T12:00:00+00:00", true, 0.5)]).await;
    for [start, end] in [["2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z"], ["2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"]] {
        assert_eq!(service.counts(start, end).await.unwrap(), FeedbackCounts { labelled: 0, correct: 0 });
        assert_eq!(service.mean(start, end).await, None);
    }
}

async fn rows_without_a_label_or_a_confidence_are_left_out_of_what_they_lack(service: Service) {
    let labelled_only = Row { confidence: None, ..row("2026-01-31T12:00:00+00:00", true, 0.0) };
    let confidence_only = Row { is_correct: None, ..row("2026-01-31T12:00:01+00:00", true, 0.25) };
    service.writes(&[labelled_only, confidence_only, row("2026-01-31T12:00:02+00:00", false, 0.75)]).await;
    let day = ["2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"];
    assert_eq!(service.counts(day[0], day[1]).await.unwrap(), FeedbackCounts { labelled: 2, correct: 1 });
    assert_eq!(service.mean(day[0], day[1]).await, Some(0.5));
}

#[tokio::test(flavor = "multi_thread")]
async fn firestore_refuses_timestamps_that_do_not_sort_like_time() {
    for foreign in ["2026-01-31T12:00:00+01:00", "2026-01-31 12:00:00", "31.01.2026 12:00"] {
        let name = "feedback_contract::firestore_refuses_timestamps_that_do_not_sort_like_time";
        let Some(settings) = emulator::settings(name) else { return };
        let service = Service::Firestore(settings);
        service.writes(&[row(foreign, true, 0.5)]).await;
        let error = service.counts("2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z").await.unwrap_err();
        assert!(matches!(&error, FeedbackError::Timestamp { found } if found == foreign), "{error}");
    }
}

#[tokio::test]
async fn sqlite_computes_with_the_offset() {
    let service = Service::Sqlite(tempfile::tempdir().unwrap());
    let rows = ["2026-02-01T00:30:00+01:00", "2026-01-31 12:00:00", "2026-01-31T00:30:00+01:00", "yesterday"];
    service.writes(&rows.map(|timestamp| row(timestamp, true, 0.5))).await;
    assert_eq!(service.counts("2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z").await.unwrap().labelled, 2);
}

#[tokio::test]
async fn a_missing_sqlite_file_table_or_database_is_said_and_never_created() {
    let service = Service::Sqlite(tempfile::tempdir().unwrap());
    let Service::Sqlite(folder) = &service else { return };
    let path = folder.path().join("feedback.db");
    let refused = async || service.counts("2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z").await.unwrap_err();

    let error = refused().await;
    assert!(matches!(error, FeedbackError::NoFile { .. }), "{error}");
    assert!(error.to_string().contains("FEEDBACK_DB"), "{error}");
    assert!(!path.exists());

    rusqlite::Connection::open(&path).unwrap().execute("CREATE TABLE other (x)", []).unwrap();
    let error = refused().await;
    assert!(matches!(error, FeedbackError::NoTable { .. }), "{error}");

    rusqlite::Connection::open(&path).unwrap().execute("CREATE TABLE feedback (id INTEGER)", []).unwrap();
    let error = refused().await;
    assert!(matches!(error, FeedbackError::NoTable { .. }), "{error}");

    std::fs::write(&path, "no database, but long enough to be looked at as one: ".repeat(40)).unwrap();
    let error = refused().await;
    assert!(matches!(error, FeedbackError::Sqlite { .. }), "{error}");
}
