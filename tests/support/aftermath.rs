//! What must hold when all is over, whatever happened before: one report, whole; each message once, or its repetition marked; each run and
//! each message on record once, and nothing left to do.

use std::path::Path;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use drift_check::store::FirestoreSettings;
use serde_json::Value;

use crate::emulator;
use crate::message_server::MessageServer;
use crate::workspace::text;

/// The four objects that a report is.
pub fn parts(folder: &str) -> [String; 4] {
    let of_job = |name: &str| format!("reports/test/{name}");
    [format!("{folder}/report.html"), format!("{folder}/report.json"), of_job("latest.html"), of_job("latest.json")]
}

/// One report in its four objects, all of one run, whole; gives what it says.
pub fn one_report(folder: &str, get: impl Fn(&str) -> Vec<u8>) -> Value {
    let [html_key, json_key, latest_html, latest_json] = parts(folder);
    let (html, json) = (get(&html_key), get(&json_key));
    assert!(html == get(&latest_html), "latest.html is not of the run of {html_key}");
    assert!(json == get(&latest_json), "latest.json is not of the run of {json_key}");
    let report = whole_json(&json);
    let html = whole_html(&html);
    for fact in [text(&report["run"]["id"]), format!("attempt {}", report["run"]["attempt"])] {
        assert!(html.contains(&fact), "{html_key} is not of the run of {json_key}: {fact} is not in it");
    }
    report
}

/// A report that follows its schema.
pub fn whole_json(bytes: &[u8]) -> Value {
    static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
        let schema = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report.schema.json")).unwrap();
        jsonschema::validator_for(&serde_json::from_slice(&schema).unwrap()).unwrap()
    });
    let report: Value = serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("a part of a report: {error}"));
    let problems: Vec<String> = SCHEMA.iter_errors(&report).map(|error| error.to_string()).collect();
    assert_eq!(problems, [""; 0]);
    report
}

pub fn whole_html(bytes: &[u8]) -> String {
    let html = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"), "a part of a page of {}", html.len());
    html
}

/// What became of the messages of a signal, as its report has it.
pub fn deliveries(report: &Value) -> Vec<String> {
    let deliveries = crate::workspace::signal(report, "data-drift")["deliveries"].clone();
    deliveries.as_array().unwrap().iter().map(|delivery| text(&delivery["status"])).collect()
}

/// What the receivers got, in order.
#[derive(Clone, Debug, Default)]
pub struct Told {
    pub slack: Vec<Value>,
    pub webhook: Vec<Value>,
}

impl Told {
    /// What a server heard of a case, whose name ends the addresses.
    pub fn of(server: &MessageServer, case: &str) -> Self {
        let received = server.received();
        let at =
            |path: String| received.iter().filter(|received| received.path == path).map(|received| received.body.clone()).collect();
        Self { slack: at(format!("/services/T0/B0/{case}")), webhook: at(format!("/hook/{case}")) }
    }

    /// Whether each message of Slack says that it may be a repetition.
    pub fn doubts(&self) -> Vec<bool> {
        self.slack.iter().map(|body| text(&body["text"]).contains("May be a repetition")).collect()
    }

    /// One message, which may have come once more: then with a word of doubt for people, and under the same key for programs.
    pub fn is_once(&self, what: &str) {
        let doubts = self.doubts();
        assert!(!doubts.is_empty(), "{what}: nobody was told");
        assert!(doubts.iter().skip(1).all(|doubt| *doubt), "{what}: told again without a word: {doubts:?}");
        let ids: Vec<String> = self.webhook.iter().map(|body| text(&body["message_id"])).collect();
        assert!(!ids.is_empty() && ids.iter().all(|id| *id == ids[0]), "{what}: {ids:?}");
        let doubted = |body: &Value| body["may_be_repeated"] == true;
        assert!(self.webhook.iter().skip(1).all(doubted), "{what}: told a program again without a word");
    }

    /// As [`Self::is_once`], where a run without its memory may have told people before, with a word of doubt.
    pub fn is_once_for_sure(&self, what: &str) {
        let doubts = self.doubts();
        assert!(!doubts.is_empty(), "{what}: nobody was told");
        assert!(doubts.iter().filter(|doubt| !**doubt).count() <= 1, "{what}: told again without a word: {doubts:?}");
        let sure = self.webhook.iter().filter(|body| body["may_be_repeated"] != true).count();
        assert!(!self.webhook.is_empty() && sure <= 1, "{what}: told a program again without a word");
    }
}

/// A message in the outbox.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    pub window_end: DateTime<Utc>,
    pub channel: String,
    pub transition: String,
    pub is_due: bool,
    pub is_delivered: bool,
}

/// What a store keeps.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The ends of the windows on record, and the ids of their runs, in order.
    pub runs: Vec<(DateTime<Utc>, String)>,
    /// The record of `data-drift`.
    pub signal: Value,
    pub messages: Vec<Message>,
}

impl Kept {
    pub fn in_sqlite(path: &Path) -> Self {
        let store = rusqlite::Connection::open_with_flags(path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
        let one = |query: &str| store.query_row(query, [], |row| row.get::<_, String>(0)).unwrap();
        assert_eq!(one("PRAGMA integrity_check"), "ok");
        let mut runs = store.prepare("SELECT window_end, id FROM run ORDER BY window_end").unwrap();
        let runs = runs.query_map([], |row| Ok((moment(&row.get::<_, String>(0)?), row.get(1)?))).unwrap();
        let query = "SELECT window_end, channel, transition, due_at IS NOT NULL, delivered_at IS NOT NULL FROM outbox WHERE signal = 'data-drift'";
        let mut messages = store.prepare(query).unwrap();
        let messages = messages.query_map([], |row| {
            Ok(Message {
                window_end: moment(&row.get::<_, String>(0)?),
                channel: row.get(1)?,
                transition: row.get(2)?,
                is_due: row.get(3)?,
                is_delivered: row.get(4)?,
            })
        });
        let signal = one("SELECT state FROM signal WHERE name = 'data-drift'");
        Self::new(runs.map(Result::unwrap).collect(), &signal, messages.unwrap().map(Result::unwrap).collect())
    }

    pub async fn in_firestore(settings: &FirestoreSettings) -> Self {
        let documents = async |collection: &str| emulator::documents(settings, &format!("drift-check-{collection}")).await;
        let word = |document: &Value, field: &str| text(&document["fields"][field]["stringValue"]);
        let time = |document: &Value, field: &str| document["fields"][field]["timestampValue"].as_str().map(moment);
        let runs = documents("runs").await;
        let runs = runs.iter().map(|run| (time(run, "windowEnd").unwrap(), word(run, "id"))).collect();
        let signals = documents("signals").await;
        let signal = signals.iter().find(|signal| word(signal, "name") == "data-drift").unwrap();
        let outbox = documents("outbox").await;
        let messages = outbox.iter().filter(|message| word(message, "signal") == "data-drift").map(|message| Message {
            window_end: time(message, "windowEnd").unwrap(),
            channel: word(message, "channel"),
            transition: word(message, "transition"),
            is_due: time(message, "dueAt").is_some(),
            is_delivered: time(message, "deliveredAt").is_some(),
        });
        Self::new(runs, &word(signal, "state"), messages.collect())
    }

    fn new(mut runs: Vec<(DateTime<Utc>, String)>, signal: &str, mut messages: Vec<Message>) -> Self {
        runs.sort();
        messages.sort();
        Self { runs, signal: serde_json::from_str(signal).unwrap(), messages }
    }

    /// The one run is on record once, as the one of the report; the signal opened once, in it; each channel has heard of that, and
    /// nothing is left to be sent.
    pub fn is_one_episode(&self, report: &Value, channels: &[&str], what: &str) {
        let end = moment(&text(&report["window"]["end"]));
        assert_eq!(self.runs, [(end, text(&report["run"]["id"]))], "{what}");
        let Value::Object(signal) = &self.signal else { panic!("{what}: {}", self.signal) };
        assert!(signal["before"].is_null() && !signal["after"].is_null() && signal["revision"] == 0, "{what}: {signal:?}");
        let message = |channel: &&str| Message {
            window_end: end,
            channel: (*channel).to_owned(),
            transition: "opened".to_owned(),
            is_due: false,
            is_delivered: true,
        };
        assert_eq!(self.messages, channels.iter().map(message).collect::<Vec<_>>(), "{what}");
    }
}

fn moment(text: &str) -> DateTime<Utc> {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}
