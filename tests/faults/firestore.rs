//! The rows of Firestore: its calls, answered with errors, late, never, or cut, between the real binary and the official emulator.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::engine::{Bench, Row, Stage};
use super::expected::{Expected, Told, Visible};
use super::setting::{self, HOOK};
use crate::faulty::Faulty;
use crate::faulty::grpc::{Fault, GrpcProxy, Part};
use crate::faulty::http::cutting;

/// A call: what its path ends in, what its bytes hold, and how many such calls before it are not meant.
type Call = (&'static str, &'static str, u32);

const OPEN: &str = "store (Firestore): open";
const READ: (&str, Call) = ("store (Firestore): read state", ("/RunQuery", "drift-check-runs", 0));
const TRANSACTION: (&str, Call) = ("store (Firestore): transaction", ("/Commit", "drift-check-signals", 0));
const CLAIM: (&str, Call) = ("store (Firestore): outbox, claim", ("/UpdateDocument", "drift-check-outbox", 0));
const RECEIPT: (&str, Call) = ("store (Firestore): outbox, receipt", ("/UpdateDocument", "drift-check-outbox", 1));
const RECORD: (&str, Call) = ("store (Firestore): record the run", ("/UpdateDocument", "drift-check-runs", 0));

/// UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED.
const BUSY: Fault = Fault::Codes(&[14, 4, 8]);
/// ABORTED, INTERNAL.
const BROKEN: Fault = Fault::Codes(&[10, 13]);
const PERMISSION_DENIED: Fault = Fault::Codes(&[7]);
const UNAUTHENTICATED: Fault = Fault::Codes(&[16]);
const LATE: Fault = Fault::Late(Duration::from_millis(300));

fn name(fault: Fault) -> &'static str {
    match fault {
        Fault::Codes([7]) => "PERMISSION_DENIED",
        Fault::Codes([16]) => "UNAUTHENTICATED",
        Fault::Codes([10, 13]) => "ABORTED, INTERNAL in turn",
        Fault::Codes(_) => "UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED in turn",
        Fault::Late(_) => "latency of 300ms",
        Fault::Silent => "black hole: never an answer",
        Fault::Reset => "reset before the answer",
        Fault::Truncated => "truncated in the answer",
        Fault::Garbled => "a garbled answer",
    }
}

/// What is wrong before any call.
#[derive(Clone, Copy, Debug)]
enum Connection {
    Refused,
    Silent,
    Cut(u64, bool),
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (fault, connection, expected) in openings() {
        rows.push(Row { part: OPEN, fault: fault.to_owned(), expected, stage: Box::new(move |bench| opening(bench, connection)) });
    }
    for ((part, call), faults) in calls() {
        for (fault, expected) in faults {
            let stage = move |bench: &Bench| calling(bench, call, fault, u32::MAX);
            rows.push(Row { part, fault: name(fault).to_owned(), expected, stage: Box::new(stage) });
        }
    }
    let (part, call) = TRANSACTION;
    let stage = move |bench: &Bench| calling(bench, call, Fault::Reset, 1);
    let fault = format!("{}, once", name(Fault::Reset));
    rows.push(Row { part, fault, expected: Expected::recovers(), stage: Box::new(stage) });
    rows
}

fn openings() -> Vec<(&'static str, Connection, Expected)> {
    // The patience of a run is one for all calls: when it is spent, nothing more is asked.
    let gives_up = || Expected::gives_up(&["Firestore (project `faults-", RERUN]).showing(Visible::All).told(Told::InDoubt);
    vec![
        ("connection refused", Connection::Refused, gives_up()),
        ("black hole: never an answer", Connection::Silent, gives_up()),
        ("reset before the answer", Connection::Cut(0, true), gives_up()),
        ("reset in the first answer", Connection::Cut(60, true), gives_up()),
        ("truncated before the answer", Connection::Cut(0, false), gives_up()),
        ("truncated in the first answer", Connection::Cut(60, false), gives_up()),
    ]
}

const RERUN: &str = "a rerun completes what is missing";

type Faults = Vec<(Fault, Expected)>;

/// The faults of a call: who is told when it is refused, and when it is not carried out until patience ends; and what comes of it when
/// it is carried out, and nobody says so: reset, cut, garbled.
fn faults(action: &'static str, refused: Told, unanswered: Told, unknown: [Expected; 3]) -> Faults {
    let fails = |words| Expected::fails(&[action, words]).showing(Visible::All);
    let unanswered = || gives_up(action, unanswered);
    let [reset, truncated, garbled] = unknown;
    vec![
        (PERMISSION_DENIED, fails("roles/datastore.user").told(refused)),
        (UNAUTHENTICATED, fails("attach a service account to the job").told(refused)),
        (BUSY, unanswered()),
        (BROKEN, unanswered()),
        (Fault::Silent, unanswered()),
        (Fault::Reset, reset),
        (Fault::Truncated, truncated),
        (Fault::Garbled, garbled),
        (LATE, Expected::passes()),
    ]
}

fn gives_up(action: &'static str, told: Told) -> Expected {
    Expected::gives_up(&[action, RERUN]).showing(Visible::All).told(told)
}

fn calls() -> Vec<((&'static str, Call), Faults)> {
    use Told::{Again, ByTheRerun, ByTheRerunInDoubt, ByTheRun, ByTheRunPerhapsInDoubt, InDoubt};
    const PAST: &str = "cannot read past runs from Firestore";
    const ADVANCE: &str = "cannot move a signal on in Firestore";
    const TAKE: &str = "cannot claim a message in Firestore";
    const MARK: &str = "cannot update a message in Firestore";
    const NOTE: &str = "cannot record the run in Firestore";
    let all = |expected: Expected| [expected.clone(), expected.clone(), expected];
    let claims = [gives_up(TAKE, ByTheRerunInDoubt), Expected::recovers(), Expected::recovers()];
    vec![
        (READ, faults(PAST, ByTheRun, ByTheRunPerhapsInDoubt, all(gives_up(PAST, ByTheRunPerhapsInDoubt)))),
        (TRANSACTION, faults(ADVANCE, InDoubt, InDoubt, all(gives_up(ADVANCE, ByTheRunPerhapsInDoubt)))),
        (CLAIM, faults(TAKE, ByTheRerun, ByTheRerun, claims)),
        // What was carried out is seen to be when it is looked at again.
        (RECEIPT, faults(MARK, Again, Again, all(Expected::recovers()))),
        (RECORD, faults(NOTE, ByTheRun, ByTheRun, all(gives_up(NOTE, ByTheRun)))),
    ]
}

/// Everything but the fault: a project of its own, and variables that lead to an address.
fn prepared(bench: &Bench) -> (Stage, impl Fn(&str) -> Vec<(&'static str, String)>) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let hook = setting::hook(bench);
    let workspace = setting::in_folder("webhook", HOOK);
    let project = format!("faults-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let common = setting::variables(&hook);
    let at = move |host: &str| -> Vec<(&'static str, String)> {
        let of_store = [
            ("USE_FIRESTORE", "1"),
            ("GCP_PROJECT_ID", project.as_str()),
            ("FIRESTORE_EMULATOR_HOST", host),
            ("DRIFT_CHECK__STORE__TIMEOUT", "4s"),
        ];
        common.iter().cloned().chain(of_store.map(|(name, value)| (name, value.to_owned()))).collect()
    };
    let mut sound: Vec<(&'static str, String)> = at(bench.firestore.unwrap());
    // Without a fault, it may take as long as the machine wants.
    sound.retain(|(name, _)| *name != "DRIFT_CHECK__STORE__TIMEOUT");
    sound.push(("DRIFT_CHECK__STORE__TIMEOUT", "30s".to_owned()));
    let stage = Stage {
        workspace,
        bucket: None,
        faulty: Vec::new(),
        sound,
        mend: Box::new(|_| ()),
        met: Box::new(|| true),
        heard: setting::heard_by(hook),
        elsewhere: None,
        shell: None,
        _keeps: Vec::new(),
    };
    (stage, at)
}

fn opening(bench: &Bench, connection: Connection) -> Stage {
    let (mut stage, at) = prepared(bench);
    let server = match connection {
        Connection::Refused => {
            stage.faulty = at(&Faulty::nobody().to_string());
            return stage;
        }
        Connection::Silent => bench.block_on(Faulty::silent()),
        Connection::Cut(bytes, resets) => bench.block_on(cutting(bench.firestore.unwrap(), bytes, resets)),
    };
    stage.faulty = at(&server.address.to_string());
    stage.met = Box::new(move || server.seen() > 0);
    stage
}

fn calling(bench: &Bench, (path, holds, before): Call, fault: Fault, most: u32) -> Stage {
    let (mut stage, at) = prepared(bench);
    let calls = AtomicU32::new(0);
    let is_meant: Part = Arc::new(move |called: &str, bytes: &[u8]| {
        let is_it = called.ends_with(path) && bytes.windows(holds.len()).any(|window| window == holds.as_bytes());
        is_it && (before..before.saturating_add(most)).contains(&calls.fetch_add(1, Ordering::SeqCst))
    });
    let times = if let Fault::Codes(codes) = fault { codes.len() } else { 1 };
    let proxy = bench.block_on(GrpcProxy::start(bench.firestore.unwrap(), is_meant, fault));
    stage.faulty = at(&proxy.address.to_string());
    stage.met = Box::new(move || proxy.seen() as usize >= times);
    stage
}
