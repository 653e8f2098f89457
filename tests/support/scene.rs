//! Places to run the real binary in, as many as a test has cases: each with a folder as its bucket and a store of its own, the same drifted
//! logs in all of them, and one server that hears what is told in each.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::aftermath::{Kept, Told, one_report, parts, whole_html, whole_json};
use crate::interposer::{self, Plan};
use crate::message_server::{MessageServer, SIGNING_SECRET};
use crate::workspace::{Ran, Workspace};

/// The report of the window of all cases: it ends a second after the newest row.
pub const REPORT: &str = "reports/test/2026/01/31/175901Z-24h";

/// `data-drift` tells Slack and a webhook; one other signal is in shadow. Whatever starts the run, its window is the same.
pub const CONFIG: &str = "[window]\nanchor = \"latest\"\n[signals.data-drift]\nmode = \"notify\"\nchannels = [\"slack\", \"webhook\"]\n\
                          [signals.no-data]\nmode = \"off\"\n[signals.storage]\nmode = \"off\"\n[channels]\ntimeout = \"3s\"\n\
                          [channels.slack]\nwebhook = \"env:SLACK\"\n[channels.webhook]\nurl = \"env:HOOK\"\nsecret = \"env:SECRET\"\n";

/// A run that takes longer hangs.
const PATIENCE: Duration = Duration::from_mins(1);

/// Files that were written so long ago are counted once and for all.
const OLD: Duration = Duration::from_millis(2_100);

pub struct Scene {
    /// The reference and the logs, which no run writes to.
    data: Workspace,
    server: MessageServer,
    outputs: TempDir,
}

/// Who starts a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// A platform, which tries again what fails; attempts count from 0.
    Platform(u32),
    Person,
}

impl Who {
    /// As the program learns of it.
    pub fn tell(self, command: &mut Command) {
        if let Self::Platform(attempt) = self {
            command.env("CLOUD_RUN_JOB", "drift-check").env("CLOUD_RUN_EXECUTION", "drift-check-x1");
            command.env("CLOUD_RUN_TASK_ATTEMPT", attempt.to_string());
        }
    }
}

/// A case: where it takes place.
pub struct Case {
    pub name: String,
    pub workspace: Workspace,
}

/// How a run ended.
pub struct Ended {
    /// `None` when it was killed.
    pub ran: Option<Ran>,
    /// What it did, as far as it came.
    pub steps: Vec<String>,
}

impl Ended {
    /// The run, which was not killed.
    pub fn ran(&self) -> &Ran {
        self.ran.as_ref().unwrap_or_else(|| panic!("killed after {:?}", self.steps.last()))
    }
}

impl Scene {
    pub async fn new() -> Self {
        let scene = Self { data: Workspace::new(), server: MessageServer::start().await, outputs: tempfile::tempdir().unwrap() };
        scene.data.reference().logs(300, 0.5);
        // So that the cache of counts is written too.
        tokio::time::sleep(OLD).await;
        scene
    }

    pub fn case(&self, name: &str) -> Case {
        self.case_with(name, CONFIG)
    }

    pub fn case_with(&self, name: &str, config: &str) -> Case {
        let workspace = Workspace::new();
        workspace.config(config);
        std::fs::create_dir(workspace.path("bucket")).unwrap();
        for folder in ["bucket/reference", "bucket/predictions"] {
            std::os::unix::fs::symlink(self.data.path(folder), workspace.path(folder)).unwrap();
        }
        Case { name: name.to_owned(), workspace }
    }

    /// Runs a check in a case, to whatever end the plan has for it.
    pub fn run(&self, case: &Case, who: Who, plan: Plan) -> Ended {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drift-check"));
        command.args(["--config", "config.toml", "--format", "json"]).current_dir(case.workspace.path("")).env_clear();
        command.env("SLACK", self.server.url(&format!("/services/T0/B0/{}", case.name)));
        command.env("HOOK", self.server.url(&format!("/hook/{}", case.name))).env("SECRET", SIGNING_SECRET);
        who.tell(&mut command);
        let output = |kind: &str| self.output(case, who, kind);
        let log = output("steps");
        interposer::under(&mut command, plan, &case.workspace.path(""), &log);
        command.stdin(Stdio::null());
        command.stdout(File::create(output("stdout")).unwrap()).stderr(File::create(output("stderr")).unwrap());
        let (mut child, started) = (command.spawn().unwrap(), Instant::now());
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > PATIENCE {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("{} {plan:?} hangs after {:?}", case.name, interposer::steps(&log).last());
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let read = |kind: &str| std::fs::read_to_string(output(kind)).unwrap();
        let ran = status.code().map(|code| Ran { code, stdout: read("stdout"), stderr: read("stderr") });
        // 9 is SIGKILL: nothing else ends a run so.
        assert!(ran.is_some() || status.signal() == Some(9), "{} {plan:?}: {status} {}", case.name, read("stderr"));
        Ended { ran, steps: interposer::steps(&log) }
    }

    fn output(&self, case: &Case, who: Who, kind: &str) -> PathBuf {
        let who = if let Who::Platform(attempt) = who { format!("attempt-{attempt}") } else { "person".to_owned() };
        self.outputs.path().join(format!("{}-{who}.{kind}", case.name))
    }

    /// What was heard of a case.
    pub fn told(&self, case: &Case) -> Told {
        Told::of(&self.server, &case.name)
    }
}

impl Case {
    pub fn get(&self, key: &str) -> Vec<u8> {
        std::fs::read(self.workspace.path(&format!("bucket/{key}"))).unwrap_or_else(|error| panic!("{}: {key}: {error}", self.name))
    }

    pub fn kept(&self) -> Kept {
        Kept::in_sqlite(&self.workspace.path("state.db"))
    }

    /// Everything that a reader could find is whole, whether or not all of it is there.
    pub fn shows_nothing_partial(&self) {
        for file in self.workspace.files("bucket/reports") {
            let name = file.rsplit('/').next().unwrap();
            let bytes = self.get(&format!("reports/{file}"));
            // Hidden files are unfinished writes.
            match name.rsplit_once('.') {
                Some(("", _)) | None => {}
                Some((_, "json")) if file.contains("/executions/") => drop(serde_json::from_slice::<Value>(&bytes).unwrap()),
                Some((_, "json")) => drop(whole_json(&bytes)),
                Some((_, "html")) => drop(whole_html(&bytes)),
                Some((_, kind)) => assert!(kind == "pack" && !bytes.is_empty(), "{}: {file}", self.name),
            }
        }
    }

    /// A run that came to its end: one report, the one it printed, on record once, and no file but those that belong there.
    pub fn is_complete(&self, ran: &Ran, who: Who) -> Value {
        assert_eq!(ran.code, 0, "{}: {}", self.name, ran.stderr);
        let report = one_report(REPORT, |key| self.get(key));
        assert!(report == ran.json(), "{}: the report is not of the last run", self.name);
        let attempt = if let Who::Platform(attempt) = who { attempt + 1 } else { 1 };
        assert_eq!(report["run"]["attempt"], attempt, "{}", self.name);
        let parts = parts(REPORT).map(|key| format!("bucket/{key}"));
        for file in self.workspace.files("") {
            let is_data = ["config.toml", "state.db", "bucket/reference/reference.csv", "bucket/predictions/logs.csv"];
            let is_mark =
                ["bucket/reports/test/executions/drift-check-x1.json", "bucket/reports/test/index.html"].contains(&file.as_str());
            let is_known = parts.contains(&file) || is_data.contains(&file.as_str()) || is_mark;
            assert!(
                is_known || std::path::Path::new(&file).extension().is_some_and(|extension| extension == "pack"),
                "{}: {file} was left behind",
                self.name
            );
        }
        self.shows_nothing_partial();
        report
    }
}
