//! Killed at every step in the cloud: before and after each request to Cloud Storage, and before each piece to or from Firestore and the
//! receivers of messages.

use std::process::Command;
use std::sync::Arc;

use drift_check::store::FirestoreSettings;
use tokio::runtime::Handle;

use crate::aftermath::{Kept, Told, deliveries, one_report, parts};
use crate::cloud_storage::Setup;
use crate::emulator;
use crate::interposer::{in_turn, on_two_threads};
use crate::message_server::{MessageServer, SIGNING_SECRET};
use crate::scene::{CONFIG, REPORT, Who};
use crate::victim::Victim;
use crate::workspace::Ran;

/// A bucket and a store of its own, and somebody who counts.
struct Case {
    name: String,
    setup: Setup,
    victim: Arc<Victim>,
    /// The way to the receivers of messages.
    receiver: String,
    firestore: Option<Firestore>,
    /// What the killed run had done.
    steps: Vec<String>,
}

struct Firestore {
    settings: FirestoreSettings,
    /// `HOST:PORT` of the way to it.
    way: String,
}

impl Case {
    fn new(name: &str, server: &MessageServer, runtime: &Handle) -> Self {
        let setup = Setup::cloud();
        setup.config(CONFIG).data(300, 0.5);
        let victim = Arc::<Victim>::default();
        let host = server.url("").trim_start_matches("http://").to_owned();
        let receiver = format!("http://{}", victim.on_the_way_to(&host, "a receiver", runtime));
        Self { name: name.to_owned(), setup, victim, receiver, firestore: None, steps: Vec::new() }
    }

    /// Every request to the bucket is two steps: before and after it is carried out.
    fn with_steps_of_the_bucket(self) -> Self {
        let (before, after) = (Arc::clone(&self.victim), Arc::clone(&self.victim));
        self.setup.server().witnessed(Arc::new(move |request| before.step(&format!("asked {request}"))));
        self.setup.server().outlived(Arc::new(move |request| after.step(&format!("done {request}"))));
        self
    }

    /// The state is in Firestore, and every piece to and from it is a step.
    fn with_firestore(self, settings: FirestoreSettings, runtime: &Handle) -> Self {
        let host = settings.endpoint.clone().unwrap().trim_start_matches("http://").to_owned();
        let way = self.victim.on_the_way_to(&host, "Firestore", runtime).to_string();
        Self { firestore: Some(Firestore { settings, way }), ..self }
    }

    fn run(&self, who: Who, dies_at: Option<u32>) -> (Option<Ran>, Vec<String>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drift-check"));
        command.args(["--config", "config.toml", "--format", "json"]).current_dir(self.setup.workspace.path("")).env_clear();
        command.env("STORAGE_EMULATOR_HOST", self.setup.server().endpoint());
        command.env("SLACK", format!("{}/services/T0/B0/{}", self.receiver, self.name));
        command.env("HOOK", format!("{}/hook/{}", self.receiver, self.name)).env("SECRET", SIGNING_SECRET);
        who.tell(&mut command);
        if let Some(Firestore { settings, way }) = &self.firestore {
            command.env("USE_FIRESTORE", "1").env("GCP_PROJECT_ID", &settings.project).env("FIRESTORE_EMULATOR_HOST", way);
            command.env("DRIFT_CHECK__STORE__TIMEOUT", "60s");
        }
        self.victim.run(&mut command, dies_at)
    }

    fn kept(&self, runtime: &Handle) -> Kept {
        match &self.firestore {
            Some(firestore) => runtime.block_on(Kept::in_firestore(&firestore.settings)),
            None => Kept::in_sqlite(&self.setup.workspace.path("state.db")),
        }
    }

    /// Runs the window again, to its end, and looks at everything.
    fn complete(&self, step: usize, server: &MessageServer, runtime: &Handle) {
        let place = format!("step {step}, at {:?}", self.steps.last());
        let who = if step.is_multiple_of(2) { Who::Platform(1) } else { Who::Person };
        let (ran, _) = self.run(who, None);
        let ran = ran.unwrap();
        assert_eq!(ran.code, 0, "{place}: {}", ran.stderr);
        let report = one_report(REPORT, |key| self.setup.get(key));
        assert!(report == ran.json(), "{place}: the report is not of the last run");
        assert_eq!(deliveries(&report), ["delivered", "delivered"], "{place}");
        let known = parts(REPORT);
        for key in self.setup.keys("reports/") {
            let others = ["reports/test/executions/drift-check-x1.json", "reports/test/index.html"];
            assert!(known.contains(&key) || others.contains(&key.as_str()), "{place}: {key}");
        }
        self.kept(runtime).is_one_episode(&report, &["slack", "webhook"], &place);
        Told::of(server, &self.name).is_once(&place);
    }
}

/// Kills a run of a new case at each step in turn, then completes all of them.
fn kill_at_every_step(server: &MessageServer, runtime: &Handle, case: impl Fn(&str) -> Case + Sync) -> Vec<Case> {
    tokio::task::block_in_place(|| {
        let killed = in_turn(|step| {
            let mut case = case(&format!("{step}"));
            let (ran, steps) = case.run(Who::Platform(0), Some(step));
            if let Some(ran) = ran {
                assert_eq!(ran.code, 0, "{}", ran.stderr);
                return None;
            }
            case.steps = steps;
            Some(case)
        });
        let numbered: Vec<(usize, &Case)> = (1..).zip(&killed).collect();
        on_two_threads(&numbered, |(step, case)| case.complete(*step, server, runtime));
        killed
    })
}

/// Some run came to each of these steps, which begin and end so.
fn came_to(killed: &[Case], steps: &[(&str, &str)]) {
    let last = &killed.last().unwrap().steps;
    for (start, part) in steps {
        let is_it = |taken: &String| taken.starts_with(start) && taken.contains(part);
        assert!(last.iter().any(is_it), "no run came to {start} {part}: {last:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_on_cloud_storage_that_is_killed_before_or_after_any_request_is_completed_by_the_next() {
    let (server, runtime) = (MessageServer::start().await, Handle::current());
    let case = |name: &str| Case::new(name, &server, &runtime).with_steps_of_the_bucket();
    let killed = kill_at_every_step(&server, &runtime, case);
    let objects = ["executions/drift-check-x1.json", "/report.html", "/report.json", "latest.json", "latest.html"];
    for object in objects.into_iter().chain(["index.html", "cache/0.pack"]) {
        came_to(&killed, &[("asked POST", object), ("done POST", object)]);
    }
    came_to(&killed, &[("to a", "receiver"), ("from a", "receiver")]);
    eprintln!("{} kills on Cloud Storage with SQLite", killed.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_on_firestore_that_is_killed_before_any_piece_of_a_call_or_an_answer_is_completed_by_the_next() {
    const TEST: &str =
        "killed::cloud::a_run_on_firestore_that_is_killed_before_any_piece_of_a_call_or_an_answer_is_completed_by_the_next";
    if emulator::address(TEST).is_none() {
        return;
    }
    let (server, runtime) = (MessageServer::start().await, Handle::current());
    let case = |name: &str| Case::new(name, &server, &runtime).with_firestore(emulator::settings(TEST).unwrap(), &runtime);
    let killed = kill_at_every_step(&server, &runtime, case);
    came_to(&killed, &[("to", "Firestore"), ("from", "Firestore"), ("to a", "receiver"), ("from a", "receiver")]);
    assert!(killed.len() > 20, "{} kills", killed.len());
    eprintln!("{} kills on Cloud Storage with Firestore", killed.len());
}
