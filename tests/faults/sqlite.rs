//! The rows of the embedded store: a file that others hold, that is damaged, that cannot be written, or that is none.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drift_check::store::StateStore;
use rusqlite::Connection;

use super::engine::{Bench, Row, Stage};
use super::expected::{Expected, Told, Visible};
use super::setting::{self, HOOK};
use crate::cloud_storage::logs;
use crate::faulty::http::{Fault, HttpProxy};
use crate::storage_server::StorageServer;
use crate::workspace::{Workspace, rows as lines};

const OPEN: &str = "store (SQLite): open";
const READ: &str = "store (SQLite): read state";
const TRANSACTION: &str = "store (SQLite): transaction";
const OUTBOX: &str = "store (SQLite): outbox";
const RECORD: &str = "store (SQLite): record the run";

/// What is wrong with the file.
#[derive(Clone, Copy, Debug)]
enum Wrong {
    /// Another process writes, and does not end.
    Locked,
    /// It begins when the message has been sent, before that is noted.
    LockedFromTheMessageOn,
    ReadOnly,
    Damaged,
    Folder,
    NoSuchFolder,
    /// As on a full disk, from the first byte on.
    Full,
    /// As on a disk that is full from now on.
    CannotGrow,
    /// Done to an empty store, and undone.
    Done(&'static str, &'static str),
}

/// A trigger stands for whatever makes one statement fail.
const TRIGGER: &str = "CREATE TRIGGER fault BEFORE INSERT ON TABLE BEGIN SELECT RAISE(ABORT, 'made up by the test'); END";

pub fn rows() -> Vec<Row> {
    let row = |(part, fault, wrong, expected): (&'static str, &str, Wrong, Expected)| Row {
        part,
        fault: fault.to_owned(),
        expected,
        stage: Box::new(move |bench| stage(bench, wrong)),
    };
    faults().into_iter().map(row).collect()
}

fn faults() -> Vec<(&'static str, &'static str, Wrong, Expected)> {
    // The report needs no store, and who is to be told is told, with a word of doubt where nothing is known of the past.
    let fails = |words: &'static str| Expected::fails(&["state.db", words]).showing(Visible::All).told(Told::InDoubt);
    let record = "holds a record that cannot be read (move the file away, or set another store.path)";
    let newer = Wrong::Done("PRAGMA user_version = 99", "PRAGMA user_version = 4");
    let of_run = Wrong::Done(
        "INSERT INTO run VALUES ('test', 'local', 86400, '2026-01-30T18:00:00.000000Z', 'i', 't', '', '', '', '', '', '{', '2099', '{}')",
        "DELETE FROM run WHERE outcome = '{'",
    );
    let of_signal = Wrong::Done(
        "INSERT INTO signal VALUES ('test', 'local', 86400, 'data-drift', '2026-01-30T18:00:00.000000Z', '{', '2099')",
        "DELETE FROM signal WHERE state = '{'",
    );
    let trigger = |table| Wrong::Done(table, "DROP TRIGGER fault");
    let held = "another process holds it: run again when that is over; store.timeout says how long to wait";
    let statement = "made up by the test";
    vec![
        (OPEN, "locked by another process", Wrong::Locked, fails(held)),
        (OPEN, "damaged", Wrong::Damaged, fails("move the file away, with what it remembers, or set another store.path")),
        (OPEN, "a folder in its place", Wrong::Folder, fails("store.path must be a file, in a folder that the job may write to")),
        (
            OPEN,
            "no folder to be in",
            Wrong::NoSuchFolder,
            fails("store.path must be a file, in a folder that the job may write to"),
        ),
        (OPEN, "a full disk", Wrong::Full, fails("see whether it is full, and run again")),
        (OPEN, "of a version that is to come", newer, fails("use the newer program, or another store.path")),
        (READ, "a damaged record of a run", of_run, fails(record).told(Told::ByTheRun)),
        (TRANSACTION, "a damaged record of a signal", of_signal, fails(record)),
        (TRANSACTION, "a read-only file", Wrong::ReadOnly, fails("let the job write to the file and to its folder")),
        (TRANSACTION, "a disk that is full by now", Wrong::CannotGrow, fails("see whether it is full, and run again")),
        (TRANSACTION, "a statement that fails", trigger("signal"), fails(statement)),
        (OUTBOX, "a statement that fails", trigger("outbox"), fails(statement)),
        (OUTBOX, "locked by another process from the message on", Wrong::LockedFromTheMessageOn, fails(held).told(Told::Again)),
        (RECORD, "a statement that fails", trigger("run"), fails(statement).told(Told::ByTheRun)),
    ]
}

/// Holds the file for itself until it is dropped.
fn locked(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
    connection
}

fn execute(path: &Path, statement: &str) {
    Connection::open(path).unwrap().execute_batch(statement).unwrap();
}

fn stage(bench: &Bench, wrong: Wrong) -> Stage {
    let hook = setting::hook(bench);
    // The limit that stands for a full disk is one of all files: the bucket is elsewhere.
    let server = StorageServer::start();
    server.put("reference/reference.csv", format!("a,b\n{}", lines(400, |_| String::new(), |a| a)));
    server.put("predictions/logs.csv", logs(300, 0.5));
    let store = "[bucket]\nuri = \"gs://logs\"\n[store]\npath = \"state.db\"\ntimeout = \"2s\"\n";
    let workspace = setting::workspace(store, "webhook", HOOK);
    let sound = [setting::variables(&hook), vec![("STORAGE_EMULATOR_HOST", server.endpoint())]].concat();
    let mut stage = Stage {
        workspace,
        bucket: Some(server),
        faulty: sound.clone(),
        sound,
        mend: Box::new(|_| ()),
        met: Box::new(|| true),
        heard: Box::new(|_| Vec::new()),
        elsewhere: None,
        shell: None,
        _keeps: Vec::new(),
    };
    if let Wrong::LockedFromTheMessageOn = wrong {
        let target = hook.url("").trim_start_matches("http://").to_owned();
        let late = Fault::Late(Duration::from_millis(700));
        let proxy = bench.block_on(HttpProxy::start(&target, &["POST "], late, None));
        let by_proxy = stage.faulty.iter_mut().find(|(name, _)| *name == "HOOK").unwrap();
        by_proxy.1 = by_proxy.1.replace(&hook.url(""), &proxy.url());
        let hook = Arc::new(hook);
        lock_from_the_message_on(&mut stage, Arc::clone(&hook));
        stage.heard = Box::new(move |_| setting::heard(&hook, setting::says_it_may_be_repeated));
    } else {
        stage.heard = setting::heard_by(hook);
        spoil(bench, &mut stage, wrong);
    }
    stage
}

/// The message has been taken, and its receipt is on the way.
fn lock_from_the_message_on(stage: &mut Stage, hook: Arc<crate::message_server::MessageServer>) {
    let path = stage.workspace.path("state.db");
    let lock = Arc::<Mutex<Option<Connection>>>::default();
    let (theirs, file) = (Arc::clone(&lock), path);
    std::thread::spawn(move || {
        let began = std::time::Instant::now();
        while hook.received().is_empty() {
            std::thread::sleep(Duration::from_millis(2));
            if began.elapsed() > Duration::from_mins(1) {
                return;
            }
        }
        *theirs.lock().unwrap() = Some(locked(&file));
    });
    let is_locked = Arc::clone(&lock);
    stage.met = Box::new(move || is_locked.lock().unwrap().is_some());
    stage.mend = Box::new(move |_| drop(lock.lock().unwrap().take()));
}

fn spoil(bench: &Bench, stage: &mut Stage, wrong: Wrong) {
    let path = stage.workspace.path("state.db");
    // A store with nothing in it.
    let make = || drop(bench.block_on(StateStore::sqlite(path.display().to_string(), Duration::from_secs(10))).unwrap());
    let of_workspace = |undo: fn(&Workspace)| -> Box<dyn FnOnce(&Workspace)> { Box::new(undo) };
    let elsewhere = |path: &str| ("DRIFT_CHECK__STORE__PATH", path.to_owned());
    match wrong {
        Wrong::Locked => {
            make();
            let lock = locked(&path);
            stage.mend = Box::new(move |_| drop(lock));
        }
        Wrong::LockedFromTheMessageOn => {}
        Wrong::ReadOnly => {
            make();
            // Of root, no file is protected by its mode.
            stage.faulty.push(elsewhere("file:state.db?mode=ro"));
        }
        Wrong::Damaged => {
            stage.workspace.write("state.db", "no database, but long enough to look like a file of one ".repeat(100));
            stage.mend = of_workspace(|workspace| std::fs::remove_file(workspace.path("state.db")).unwrap());
        }
        Wrong::Folder => {
            std::fs::create_dir(&path).unwrap();
            stage.mend = of_workspace(|workspace| std::fs::remove_dir(workspace.path("state.db")).unwrap());
        }
        Wrong::NoSuchFolder => stage.faulty.push(elsewhere("nowhere/state.db")),
        Wrong::Full => stage.shell = Some(at_most(1)),
        Wrong::CannotGrow => {
            make();
            // What a transaction notes before it writes is longer.
            stage.shell = Some(at_most(8));
        }
        Wrong::Done(what, undo) => {
            make();
            let is_statement = what.contains(' ');
            execute(&path, &if is_statement { what.to_owned() } else { TRIGGER.replace("TABLE", what) });
            stage.mend = Box::new(move |workspace| execute(&workspace.path("state.db"), undo));
        }
    }
}

/// No file grows beyond so many blocks of 512 bytes, and who tries is told so, as by a full disk.
fn at_most(blocks: u64) -> String {
    format!("trap '' XFSZ; ulimit -f {blocks};")
}
