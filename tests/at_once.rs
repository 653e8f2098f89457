//! A scheduler and a person start the same window at the same moment, again and again: one report, one set of messages, one record.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Barrier;

use chrono::{DateTime, TimeDelta, Utc};
use drift_check::store::FirestoreSettings;
use tokio::runtime::Handle;

use crate::aftermath::{Kept, Message, Told, deliveries, one_report};
use crate::cloud_storage::Setup;
use crate::emulator;
use crate::message_server::{MessageServer, SIGNING_SECRET};
use crate::scene;
use crate::victim::Victim;
use crate::workspace::{AS_OF, Ran, rows, text};

const ROUNDS: i64 = 50;

/// One quiet window ends what one window has opened.
fn config() -> String {
    scene::CONFIG.replace("[signals.no-data]", "close_after = 1\n[signals.no-data]")
}

/// A window a day: what drifted in one has stopped in the next, so that each of them is told of.
fn end(round: i64) -> DateTime<Utc> {
    AS_OF.parse::<DateTime<Utc>>().unwrap() + TimeDelta::days(round)
}

fn transition(round: i64) -> &'static str {
    if round % 2 == 0 { "opened" } else { "resolved" }
}

/// Logs whose newest row is a second before the end of the round's window.
fn logs(round: i64) -> String {
    let shift = if round % 2 == 0 { 0.5 } else { 0.0 };
    let stamp = |row: u32| (end(round) - TimeDelta::seconds(1) - TimeDelta::minutes(i64::from(row))).to_rfc3339();
    format!("ts,a,b\n{}", rows(300, |row| format!("{},", stamp(row)), |a| a + shift))
}

struct Place<'a> {
    setup: Setup,
    firestore: Option<FirestoreSettings>,
    server: &'a MessageServer,
}

impl Place<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_drift-check"));
        command.args(["--config", "config.toml", "--format", "json"]).current_dir(self.setup.workspace.path("")).env_clear();
        command.env("SLACK", self.server.url("/services/T0/B0/x")).env("HOOK", self.server.url("/hook/x"));
        command.env("SECRET", SIGNING_SECRET);
        if let Some(server) = &self.setup.server {
            command.env("STORAGE_EMULATOR_HOST", server.endpoint());
        }
        if let Some(settings) = &self.firestore {
            let host = settings.endpoint.clone().unwrap().trim_start_matches("http://").to_owned();
            command.env("USE_FIRESTORE", "1").env("GCP_PROJECT_ID", &settings.project).env("FIRESTORE_EMULATOR_HOST", host);
            command.env("DRIFT_CHECK__STORE__TIMEOUT", "60s");
        }
        command
    }

    fn both(&self, round: i64) -> [Ran; 2] {
        let (mut scheduler, mut person) = (self.command(), self.command());
        scheduler.env("CLOUD_RUN_JOB", "drift-check").env("CLOUD_RUN_EXECUTION", format!("drift-check-{round}"));
        scheduler.env("CLOUD_RUN_TASK_ATTEMPT", "0");
        let start = Barrier::new(2);
        let run = |command: &mut Command| {
            start.wait();
            Victim::default().run(command, None).0.unwrap()
        };
        std::thread::scope(|scope| {
            let scheduler = scope.spawn(|| run(&mut scheduler));
            let person = scope.spawn(|| run(&mut person));
            [scheduler.join().unwrap(), person.join().unwrap()]
        })
    }

    fn kept(&self, runtime: &Handle) -> Kept {
        match &self.firestore {
            Some(settings) => runtime.block_on(Kept::in_firestore(settings)),
            None => Kept::in_sqlite(&self.setup.workspace.path("state.db")),
        }
    }

    /// Two runs of one window; whether they met.
    fn round(&self, round: i64, runtime: &Handle) -> bool {
        self.setup.put("predictions/logs.csv", logs(round));
        let runs = self.both(round);
        for ran in &runs {
            assert_eq!(ran.code, 0, "{round}: {}", ran.stderr);
        }
        let reports = runs.map(|ran| ran.json());
        let folder = format!("reports/test/{}-24h", end(round).format("%Y/%m/%d/%H%M%SZ"));
        let stands = one_report(&folder, |key| self.setup.get(key));
        assert!(reports.contains(&stands), "{round}: what stands is a report that nobody made");
        let triggers: BTreeSet<String> = reports.iter().map(|report| text(&report["run"]["trigger"])).collect();
        assert_eq!(triggers, BTreeSet::from(["cloud-run", "manual"].map(str::to_owned)));
        for report in reports.iter().chain([&stands]) {
            assert_eq!(deliveries(report), ["delivered", "delivered"], "{round}");
        }

        let kept = self.kept(runtime);
        let known: Vec<DateTime<Utc>> = kept.runs.iter().map(|(end, _)| *end).collect();
        assert_eq!(known, (0..=round).map(end).collect::<Vec<_>>(), "each window is on record once");
        let id = &kept.runs.last().unwrap().1;
        assert!(reports.iter().any(|report| report["run"]["id"] == id.as_str()), "{round}: {id}");
        let message = |round: i64, channel: &str| Message {
            window_end: end(round),
            channel: channel.to_owned(),
            transition: transition(round).to_owned(),
            is_due: false,
            is_delivered: true,
        };
        let messages: Vec<Message> =
            (0..=round).flat_map(|round| ["slack", "webhook"].map(|channel| message(round, channel))).collect();
        assert_eq!(kept.messages, messages, "each message is in the outbox once");

        let told = Told::of(self.server, "x");
        let heard: Vec<String> = told.webhook.iter().map(|body| text(&body["transition"])).collect();
        assert_eq!(heard, (0..=round).map(transition).collect::<Vec<_>>(), "each message was sent once, in order");
        assert_eq!(told.doubts(), vec![false; round as usize + 1], "and by Slack, without a doubt");

        let moment = |report: &serde_json::Value, name: &str| text(&report["run"][name]).parse::<DateTime<Utc>>().unwrap();
        let [a, b] = &reports;
        moment(a, "started_at") < moment(b, "finished_at") && moment(b, "started_at") < moment(a, "finished_at")
    }
}

fn again_and_again(place: &Place<'_>, runtime: &Handle) {
    place.setup.data(0, 0.0);
    let met = tokio::task::block_in_place(|| (0..ROUNDS).filter(|round| place.round(*round, runtime)).count());
    assert!(met > ROUNDS as usize / 2, "only {met} of {ROUNDS} met");
    eprintln!("{met} of {ROUNDS} pairs of runs met");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_on_a_folder_with_sqlite_are_as_one_fifty_times() {
    let server = MessageServer::start().await;
    let place = Place { setup: Setup::folder(), firestore: None, server: &server };
    place.setup.workspace.config(&config());
    again_and_again(&place, &Handle::current());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runs_at_once_on_cloud_storage_with_firestore_are_as_one_fifty_times() {
    let test = "at_once::two_runs_at_once_on_cloud_storage_with_firestore_are_as_one_fifty_times";
    let Some(settings) = emulator::settings(test) else { return };
    let server = MessageServer::start().await;
    let place = Place { setup: Setup::cloud(), firestore: Some(settings), server: &server };
    place.setup.config(&config());
    again_and_again(&place, &Handle::current());
}
