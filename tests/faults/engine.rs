//! One row: a run with the fault, a rerun without it, and what both left behind, held against what must come of it.

use std::any::Any;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::Utc;
use drift_check::store::{Series, StateStore};
use serde_json::Value;

use super::expected::{Expected, Told, Visible};
use super::table::Outcome;
use crate::authority::{Authority, Leaf};
use crate::credentials::{SECRETS, TokenService};
use crate::faulty::Faulty;
use crate::mail_server::{Kind, MailServer};
use crate::message_server::SIGNING_SECRET;
use crate::storage_server::StorageServer;
use crate::workspace::{AS_OF, Ran, Workspace};

/// No run takes longer, whatever fails: each waits for some seconds in all, and the machine may be busy.
const LONGEST: Duration = Duration::from_secs(40);

/// No run takes more, in MiB, whatever is sent to it.
const MOST_MEMORY: u64 = 256;

/// What nothing that is said may hold.
pub const SLACK_SECRET: &str = "slack-path-secret";
pub const HOOK_SECRET: &str = "webhook-query-secret";
pub const ROUTING_KEY: &str = "pagerduty-routing-key-secret";

/// What all rows share.
pub struct Bench {
    pub runtime: tokio::runtime::Runtime,
    pub authority: Authority,
    pub leaf: Leaf,
    pub mail: MailServer,
    pub tokens: TokenService,
    /// `HOST:PORT` of the emulator, where there is one.
    pub firestore: Option<&'static str>,
}

impl Bench {
    /// An emulator that has answered nothing yet is slower than any patience of the rows.
    pub fn warmed_up(self) -> Self {
        if let Some(settings) = crate::emulator::settings("faults") {
            let series = Series { job: "warm".to_owned(), environment: "up".to_owned(), length_s: 1 };
            self.block_on(async {
                let store = StateStore::firestore(settings).await.unwrap();
                store.past_runs(series.clone(), Utc::now(), 1).await.unwrap();
                store.undelivered(series.scope(), Utc::now()).await.unwrap();
            });
        }
        self
    }

    pub fn new() -> Self {
        let authority = Authority::new();
        Self {
            runtime: tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
            leaf: authority.good(),
            authority,
            mail: MailServer::start(&Kind::open()),
            tokens: TokenService::start(200),
            firestore: crate::emulator::address("faults::everything_that_can_fail_ends_as_the_table_says"),
        }
    }

    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

pub struct Row {
    pub part: &'static str,
    pub fault: String,
    pub expected: Expected,
    pub stage: Box<dyn Fn(&Bench) -> Stage + Send + Sync>,
}

/// A message as its receiver has it.
#[derive(Clone, Debug)]
pub struct Heard {
    /// It is known to be a repetition, or says that it may be one.
    pub repeats: bool,
}

/// Everything that a row needs.
pub struct Stage {
    pub workspace: Workspace,
    /// Without one, the bucket is a folder.
    pub bucket: Option<StorageServer>,
    /// The variables of the run with the fault, and of the rerun.
    pub faulty: Vec<(&'static str, String)>,
    pub sound: Vec<(&'static str, String)>,
    /// Ends the fault, where the rerun's variables do not.
    pub mend: Box<dyn FnOnce(&Workspace)>,
    /// Whether the run has met the fault.
    pub met: Box<dyn Fn() -> bool>,
    pub heard: Box<dyn Fn(&Bench) -> Vec<Heard>>,
    /// Nobody may have come here.
    pub elsewhere: Option<Faulty>,
    /// A shell's words before the program that meets the fault.
    pub shell: Option<String>,
    /// What must live as long.
    pub _keeps: Vec<Box<dyn Any>>,
}

/// A run, how long it took and its most memory in MiB.
struct Run {
    ran: Ran,
    took: Duration,
    memory_mib: u64,
}

/// Runs a row; what was seen, or what is wrong.
pub fn run(bench: &Bench, row: &Row) -> Result<Outcome, String> {
    let mut stage = (row.stage)(bench);
    let run = stage.check(&stage.faulty);
    let log = run.ran.stderr.clone();
    let mut wrong = universal(&run);
    let visible = stage.visible(&mut wrong);
    if !(stage.met)() {
        wrong.push("the run never met the fault".to_owned());
    }
    if stage.elsewhere.as_ref().is_some_and(|elsewhere| elsewhere.seen() > 0) {
        wrong.push("the redirect was followed".to_owned());
    }
    let before = (stage.heard)(bench);
    let mend = std::mem::replace(&mut stage.mend, Box::new(|_| ()));
    mend(&stage.workspace);
    stage.shell = None;
    let rerun = stage.check(&stage.sound);
    wrong.extend(universal(&rerun).into_iter().map(|what| format!("rerun: {what}")));
    let after = stage.visible(&mut wrong);
    if (rerun.ran.code, after) != (0, Visible::All) {
        wrong.push(format!("the rerun ended with {} and left {after:?}: {}", rerun.ran.code, rerun.ran.stderr));
    }
    let told = told(&before, &(stage.heard)(bench));
    let seen = Expected { code: run.ran.code, again: log.contains("trying again in"), visible, told, words: Vec::new() };
    let admitted = if row.expected.told.admits(told) { told } else { row.expected.told };
    let expected = Expected { words: Vec::new(), told: admitted, ..row.expected.clone() };
    if format!("{seen:?}") != format!("{expected:?}") {
        wrong.push(format!(
            "expected {expected:?}\n    seen {seen:?} ({} before, {} after)",
            before.len(),
            (stage.heard)(bench).len()
        ));
    }
    for word in row.expected.words.iter().filter(|word| !log.contains(**word)) {
        wrong.push(format!("the log does not say: {word}"));
    }
    if wrong.is_empty() {
        Ok(Outcome { part: row.part, fault: row.fault.clone(), outcome: row.expected.outcome(), seen: row.expected.seen() })
    } else {
        Err(format!("{}\nthe log, after {:?} and with {} MiB:\n{log}", wrong.join("\n"), run.took, run.memory_mib))
    }
}

/// What holds of every run.
fn universal(run: &Run) -> Vec<String> {
    let Run { ran: Ran { stdout, stderr, .. }, took, memory_mib } = run;
    let mut wrong = Vec::new();
    let said = format!("{stdout}{stderr}");
    let secrets = SECRETS.iter().chain(&[SIGNING_SECRET, SLACK_SECRET, HOOK_SECRET, ROUTING_KEY]);
    wrong.extend(secrets.filter(|secret| said.contains(**secret)).map(|secret| format!("it says {secret}")));
    if said.contains("panicked") {
        wrong.push("it panicked".to_owned());
    }
    if !stderr.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()) {
        wrong.push(format!("not every line of the log is JSON: {stderr}"));
    }
    if !stdout.is_empty() {
        let verdict = serde_json::from_str::<Value>(stdout).unwrap_or_default()["decision"]["verdict"].clone();
        if verdict != "drift" {
            wrong.push(format!("the verdict is {verdict}"));
        }
    }
    if *took > LONGEST {
        wrong.push(format!("it took {took:?}"));
    }
    if *memory_mib > MOST_MEMORY {
        wrong.push(format!("it took {memory_mib} MiB"));
    }
    wrong
}

fn told(before: &[Heard], after: &[Heard]) -> Told {
    let repeats: Vec<bool> = after.iter().map(|heard| heard.repeats).collect();
    match (before.len(), repeats.as_slice()) {
        (1, [false]) => Told::ByTheRun,
        (0, [false]) => Told::ByTheRerun,
        (0, [true]) => Told::ByTheRerunInDoubt,
        (1, [true, false]) => Told::InDoubt,
        (_, [false, again @ ..]) if !again.is_empty() && again.iter().all(|again| *again) => Told::Again,
        _ => Told::Otherwise,
    }
}

impl Stage {
    /// Checks the window; the verdict is on stdout as JSON, where there is one.
    fn check(&self, variables: &[(&'static str, String)]) -> Run {
        let program = env!("CARGO_BIN_EXE_drift-check");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("{} exec \"$0\" \"$@\"", self.shell.as_deref().unwrap_or_default()), program]);
        command.args(["--config", "config.toml", "--as-of", AS_OF, "--format", "json"]);
        command.current_dir(self.workspace.path("")).env_clear().envs(variables.iter().map(|(name, value)| (name, value)));
        let began = Instant::now();
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (status, ended, peak) = (format!("/proc/{}/status", child.id()), AtomicBool::new(false), AtomicU64::new(0));
        let output = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::SeqCst) {
                    peak.fetch_max(memory_mib(&std::fs::read_to_string(&status).unwrap_or_default()), Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let output = child.wait_with_output();
            ended.store(true, Ordering::SeqCst);
            output.unwrap()
        });
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let ran = Ran { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) };
        Run { ran, took: began.elapsed(), memory_mib: peak.load(Ordering::SeqCst) }
    }

    /// What stands in the bucket: every object whole, and all of one run.
    fn visible(&self, wrong: &mut Vec<String>) -> Visible {
        let objects: Vec<(String, Vec<u8>)> = if let Some(server) = &self.bucket {
            server.keys("reports/").into_iter().map(|key| (key.clone(), server.get(&key).unwrap().to_vec())).collect()
        } else {
            let read = |key: String| (key.clone(), std::fs::read(self.workspace.path(&format!("bucket/reports/{key}"))).unwrap());
            self.workspace.files("bucket/reports").into_iter().map(read).collect()
        };
        let (lists, objects): (Vec<_>, Vec<_>) = objects.into_iter().partition(|(key, _)| key.ends_with("/index.html"));
        for (key, bytes) in lists {
            if !String::from_utf8_lossy(&bytes).trim_end().ends_with("</html>") {
                wrong.push(format!("{key} is not whole"));
            }
        }
        let is_json = |key: &str| key.rsplit('.').next() == Some("json");
        let json = objects.iter().filter(|(key, _)| is_json(key)).map(|(key, bytes)| (key, serde_json::from_slice::<Value>(bytes)));
        let mut runs: Vec<String> = Vec::new();
        for (key, report) in json {
            match report {
                Ok(report) => runs.push(report["run"]["id"].as_str().unwrap().to_owned()),
                Err(error) => wrong.push(format!("{key} is not whole: {error}")),
            }
        }
        for (key, bytes) in objects.iter().filter(|(key, _)| !is_json(key)) {
            let page = String::from_utf8_lossy(bytes);
            if !page.trim_end().ends_with("</html>") || !runs.iter().all(|run| page.contains(run)) {
                wrong.push(format!("{key} is not whole, or not of the runs {runs:?}"));
            }
        }
        let mut names: Vec<&str> = objects.iter().map(|(key, _)| key.rsplit('/').next().unwrap_or_default()).collect();
        names.sort_unstable();
        match names.as_slice() {
            [] => Visible::Nothing,
            ["report.html"] => Visible::Page,
            ["report.html", "report.json"] => Visible::Report,
            ["latest.json", "report.html", "report.json"] => Visible::Latest,
            ["latest.html", "latest.json", "report.html", "report.json"] => Visible::All,
            other => panic!("{other:?} is visible"),
        }
    }
}

/// The most that the process had in memory until now.
fn memory_mib(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or_default() / 1_024
}
