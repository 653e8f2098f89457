//! The rows of Cloud Storage: what a run lists, reads and writes there, each through a proxy that does it wrong.

use std::time::Duration;

use super::engine::{Bench, Row, Stage};
use super::expected::{Expected, Told, Visible};
use super::setting::{self, HOOK};
use crate::cloud_storage::logs;
use crate::faulty::http::{Cut, Fault, HttpProxy, Part};
use crate::storage_server::StorageServer;
use crate::workspace::rows as lines;

const PART_LIST: (&str, Part) = ("storage: list the reference", &["GET ", "prefix=reference"]);
const PART_REFERENCE: (&str, Part) = ("storage: read the reference", &["GET ", "reference.csv", "alt=media"]);
const PART_LOGS: (&str, Part) = ("storage: read the logs", &["GET ", "logs.csv", "alt=media"]);
const PART_REPORT: (&str, Part) = ("storage: write report.json", &["POST ", "report.json"]);
const PART_LATEST: (&str, Part) = ("storage: write latest.json", &["POST ", "latest.json"]);

pub const LATE: Fault = Fault::Late(Duration::from_millis(300));
/// Longer in all than one attempt waits for a sign of life.
const TRICKLE: Fault = Fault::Trickle(20, Duration::from_millis(90));
/// What passes by itself.
pub const BUSY: Fault = status(&[408, 429, 500, 502, 503, 504]);
pub const ASKS_TO_WAIT: Fault = Fault::Statuses(&[429], Some("1"));
pub const REDIRECT: Fault = Fault::Redirected(String::new());
pub const RESETS: [Fault; 2] = [Fault::Reset(Cut::BeforeItBegins), Fault::Reset(Cut::InTheMiddle)];
pub const TRUNCATIONS: [Fault; 2] = [Fault::Truncated(Cut::BeforeItBegins), Fault::Truncated(Cut::InTheMiddle)];
pub const HALF_OPEN: Fault = Fault::HalfOpen(Cut::InTheMiddle);

pub const fn status(codes: &'static [u16]) -> Fault {
    Fault::Statuses(codes, None)
}

type Faults = Vec<(Vec<Fault>, Expected)>;

pub fn rows() -> Vec<Row> {
    let parts = [
        (PART_LIST, list()),
        (PART_REFERENCE, read_reference()),
        (PART_LOGS, read_logs()),
        (PART_REPORT, write_report()),
        (PART_LATEST, write_latest()),
    ];
    let mut rows = Vec::new();
    for ((part, requests), groups) in parts {
        for (fault, expected) in
            groups.into_iter().flat_map(|(faults, expected)| faults.into_iter().map(move |fault| (fault, expected.clone())))
        {
            let name = fault.to_string();
            rows.push(Row { part, fault: name, expected, stage: Box::new(move |bench| stage(bench, requests, fault.clone())) });
        }
    }
    rows
}

const NETWORK: &str = "check the network and bucket.endpoint";
const ENDPOINT: &str = "check bucket.uri and bucket.endpoint";
const TIMEOUT: &str = "bucket.timeout says how long to keep trying";

/// Answers that are not tried again, each with what the log says of it.
fn refusals(uri: &'static str, role: &'static str) -> Faults {
    let codes: [(&'static [u16], &[&'static str]); 6] = [
        (&[400], &["answered 400", ENDPOINT]),
        (&[401], &["answered 401"]),
        (&[403], &["answered 403", role]),
        (&[409], &["answered 409", ENDPOINT]),
        (&[413], &["answered 413", ENDPOINT]),
        (&[302], &["answered 302", ENDPOINT]),
    ];
    let row = |(code, words): (&'static [u16], &[&'static str])| {
        let fault = if code == [302] { REDIRECT } else { status(code) };
        (vec![fault], Expected::fails(&[&[uri][..], words].concat()))
    };
    codes.map(row).into()
}

fn list() -> Faults {
    const URI: &str = "cannot list gs://logs/reference/";
    let mut faults = refusals(URI, "roles/storage.objectViewer on gs://logs");
    let [reset, reset_later] = RESETS;
    let [end, earlier_end] = TRUNCATIONS;
    faults.extend([
        (vec![status(&[404])], Expected::fails(&["there is no bucket `logs`", "correct bucket.uri"])),
        (vec![status(&[412])], Expected::fails(&[URI, "answered 412", "run again"])),
        (vec![BUSY, ASKS_TO_WAIT], Expected::gives_up(&[URI, TIMEOUT])),
        (vec![Fault::Garbled, Fault::TooShort], Expected::fails(&[URI, "the answer makes no sense", ENDPOINT])),
        (vec![Fault::EndlessBody], Expected::fails(&[URI, "is longer than 33554432 bytes", ENDPOINT])),
        (vec![LATE, TRICKLE], Expected::passes()),
        (
            vec![
                Fault::EndlessHead,
                Fault::Refused,
                reset,
                reset_later,
                end,
                earlier_end,
                Fault::AnswerFlipped,
                Fault::RequestFlipped,
            ],
            Expected::gives_up(&[URI, NETWORK]),
        ),
        (vec![HALF_OPEN, Fault::Silent], Expected::gives_up(&[URI, "no answer from", TIMEOUT])),
    ]);
    faults
}

fn read(uri: &'static str, without: &'static [&'static str]) -> Faults {
    let mut faults = refusals(uri, "roles/storage.objectViewer on gs://logs");
    let [reset, reset_later] = RESETS;
    let [end, earlier_end] = TRUNCATIONS;
    faults.extend([
        (vec![status(&[404])], Expected::is_unusable(without)),
        (vec![status(&[412])], Expected::fails(&[uri, "answered 412", "run again"])),
        (vec![BUSY, ASKS_TO_WAIT], Expected::gives_up(&[uri, TIMEOUT])),
        (vec![Fault::Garbled, Fault::BodyFlipped], Expected::is_unusable(&["do not match their checksum"])),
        (vec![Fault::EndlessBody], Expected::fails(&[uri, "too many bytes received", ENDPOINT])),
        (vec![LATE, TRICKLE], Expected::passes()),
        // A transfer goes on where it broke.
        (vec![reset_later, earlier_end, HALF_OPEN], Expected::recovers()),
        (
            vec![Fault::EndlessHead, Fault::Refused, reset, end, Fault::TooShort, Fault::AnswerFlipped],
            Expected::gives_up(&[uri, NETWORK]),
        ),
        (vec![Fault::Silent], Expected::gives_up(&[uri, "no answer from", TIMEOUT])),
    ]);
    faults
}

fn read_reference() -> Faults {
    read("cannot read gs://logs/reference/reference.csv", &["the reference at gs://logs/reference/", "not there any more"])
}

fn read_logs() -> Faults {
    read("cannot read gs://logs/predictions/logs.csv", &["gs://logs/predictions/logs.csv", "not there any more"])
}

/// `before` stands when the object is not written, `after` when it is.
fn write(uri: &'static str, before: Visible, after: Visible) -> Faults {
    let [reset, reset_later] = RESETS;
    let [end, earlier_end] = TRUNCATIONS;
    let mut unwritten = refusals(uri, "roles/storage.objectUser on gs://logs");
    unwritten.extend([
        (vec![status(&[404])], Expected::fails(&["there is no bucket `logs`", "correct bucket.uri"])),
        (vec![status(&[412])], Expected::fails(&[uri, "others kept writing it at the same time; run again"])),
        (vec![BUSY, ASKS_TO_WAIT], Expected::gives_up(&[uri, TIMEOUT])),
        (vec![Fault::Refused], Expected::gives_up(&[uri, NETWORK])),
        (vec![Fault::Silent], Expected::gives_up(&[uri, "no answer from", TIMEOUT])),
        (vec![Fault::SentFlipped], Expected::fails(&[uri, "doesn't match calculated CRC32C", ENDPOINT])),
    ]);
    // It is written, and nobody says so; what stands there is found to be our own where the answer can be read at all.
    let written = [
        (vec![Fault::EndlessHead, reset, reset_later, end, earlier_end, Fault::AnswerFlipped], Expected::gives_up(&[uri, NETWORK])),
        (vec![TRICKLE, Fault::EndlessBody, HALF_OPEN], Expected::gives_up(&[uri, "no answer from", TIMEOUT])),
    ];
    // People are told all the same.
    let showing = |faults: Faults, visible| {
        faults.into_iter().map(move |(faults, expected)| (faults, expected.showing(visible).told(Told::ByTheRun)))
    };
    let mut faults: Faults = showing(unwritten, before).chain(showing(written.to_vec(), after)).collect();
    faults.push((vec![Fault::Garbled, Fault::TooShort], Expected::recovers()));
    faults.push((vec![LATE], Expected::passes()));
    faults
}

fn write_report() -> Faults {
    write("cannot write gs://logs/reports/test/2026/01/31/180000Z-24h/report.json", Visible::Page, Visible::Report)
}

fn write_latest() -> Faults {
    write("cannot write gs://logs/reports/test/latest.json", Visible::Report, Visible::Latest)
}

fn stage(bench: &Bench, requests: Part, fault: Fault) -> Stage {
    let server = StorageServer::start();
    server.put("reference/reference.csv", format!("a,b\n{}", lines(400, |_| String::new(), |a| a)));
    server.put("predictions/logs.csv", logs(300, 0.5));
    let hook = setting::hook(bench);
    let store = "[bucket]\nuri = \"gs://logs\"\ntimeout = \"4s\"\n[store]\npath = \"state.db\"\n";
    let workspace = setting::workspace(store, "webhook", HOOK);
    let (fault, elsewhere) = setting::elsewhere(bench, fault);
    // Only there nobody can mistake what has changed on its way.
    let is_encrypted = matches!(fault, Fault::AnswerFlipped | Fault::RequestFlipped);
    let target = server.endpoint().trim_start_matches("http://").to_owned();
    let proxy = bench.block_on(HttpProxy::start(&target, requests, fault.clone(), is_encrypted.then_some(&bench.leaf)));
    let at = |endpoint: String| [setting::variables(&hook), vec![("DRIFT_CHECK__BUCKET__ENDPOINT", endpoint)]].concat();
    let (mut faulty, sound) = (at(proxy.url()), at(server.endpoint()));
    if is_encrypted {
        workspace.write("authority.pem", &bench.authority.pem);
        workspace.write("login.json", crate::credentials::login(&bench.tokens).to_string());
        let path = |name: &str| workspace.path(name).display().to_string();
        faulty.extend([("SSL_CERT_FILE", path("authority.pem")), ("GOOGLE_APPLICATION_CREDENTIALS", path("login.json"))]);
    }
    // A request that nobody can decrypt is not known as one that is meant.
    let met = Box::new(move || proxy.seen() >= fault.times() || matches!(fault, Fault::RequestFlipped));
    Stage {
        workspace,
        bucket: Some(server),
        faulty,
        sound,
        mend: Box::new(|_| ()),
        met,
        heard: setting::heard_by(hook),
        elsewhere,
        shell: None,
        _keeps: Vec::new(),
    }
}
