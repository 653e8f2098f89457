//! Disks that are full, read-only or broken, from every step of a run on in turn: it says which object is concerned and what to do, shows
//! nothing partial, and the next run on a sound disk completes what it began.
//!
//! The bucket is a folder and the store is SQLite; every call that changes something is made to fail (`support/interposer.c`), then every
//! one that reads.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::aftermath::one_report;
use crate::interposer::{EDQUOT, EIO, ENOSPC, EROFS, Errno, Plan, in_turn, on_two_threads};
use crate::scene::{Case, REPORT, Scene, Who};
use crate::workspace::Ran;

const CHANNELS: [&str; 2] = ["slack", "webhook"];

/// A case whose first run met a disk that failed it.
struct Harmed {
    case: Case,
    plan: Plan,
    /// What failed first.
    step: String,
    ran: Ran,
}

impl Harmed {
    fn place(&self) -> String {
        format!("{:?}, {}: exit code {}, {}", self.plan, self.step, self.ran.code, self.ran.stderr)
    }

    fn errors(&self) -> String {
        let lines = self.ran.stderr.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let errors = lines.filter(|line| line["severity"] == "ERROR").map(|line| line["message"].as_str().unwrap().to_owned());
        errors.collect::<Vec<_>>().join("\n")
    }

    /// Nothing was lost without a word: the run is as good as any, or it failed and says what and why.
    fn said_so(&self, errno: Errno) {
        let (place, errors) = (self.place(), self.errors());
        self.case.shows_nothing_partial();
        match self.ran.code {
            // What failed costs nothing but time (the cache), and on a disk that is read-only by now it may lie about until the next run.
            0 => assert!(one_report(REPORT, |key| self.case.get(key)) == self.ran.json(), "{place}"),
            5 => {
                let is_store = self.step.contains("state.db");
                let object = if is_store { "`state.db`" } else { "file:bucket/reports/" };
                assert!(errors.contains(object), "{object} is not named: {place}");
                assert!(is_store || errors.contains(errno.words), "{} is not said: {place}", errno.words);
                assert!(errors.contains("run again") || errors.contains("may write to"), "nothing to do about it: {place}");
            }
            _ => panic!("{place}"),
        }
        if !self.ran.stdout.is_empty() {
            assert_eq!(self.ran.json()["decision"]["verdict"], "drift", "{place}");
        }
    }

    /// On a disk that is sound again.
    fn is_completed(&self, scene: &Scene) {
        let (ended, place) = (scene.run(&self.case, Who::Platform(1), Plan::Nothing), self.place());
        let report = self.case.is_complete(ended.ran(), Who::Platform(1));
        assert_eq!(crate::aftermath::deliveries(&report), ["delivered", "delivered"], "{place}");
        self.case.kept().is_one_episode(&report, &CHANNELS, &place);
        scene.told(&self.case).is_once_for_sure(&place);
    }
}

/// Runs a new case on a disk that fails at a step; `None` when the run did not come that far.
fn harmed(scene: &Scene, name: &str, plan: Plan) -> Option<Harmed> {
    let case = scene.case(name);
    let ended = scene.run(&case, Who::Platform(0), plan);
    let step = ended.steps.get(plan.step() as usize - 1)?.clone();
    Some(Harmed { case, plan, step, ran: ended.ran? })
}

fn codes(harmed: &[Harmed]) -> BTreeMap<i32, usize> {
    let mut codes = BTreeMap::new();
    for harmed in harmed {
        *codes.entry(harmed.ran.code).or_default() += 1;
    }
    codes
}

/// What differs from a full disk in its number alone fails at every so many steps.
const STEPS_APART: u32 = 5;

/// Lets a disk fail at, or from, each step in turn, or every so many; then runs each window again.
async fn fails_at_steps(apart: u32, errno: Errno, plan: fn(u32, Errno) -> Plan) {
    let scene = Scene::new().await;
    let harmed = tokio::task::block_in_place(|| {
        let harmed = in_turn(|turn| {
            let step = 1 + (turn - 1) * apart;
            let harmed = harmed(&scene, &format!("{step}"), plan(step, errno))?;
            harmed.said_so(errno);
            Some(harmed)
        });
        on_two_threads(&harmed, |harmed| harmed.is_completed(&scene));
        harmed
    });
    let objects = ["bucket/reports/.drift-check-", "bucket/reports/test/latest.html", "state.db", "state.db-journal"];
    for object in objects.into_iter().filter(|_| apart == 1) {
        assert!(harmed.iter().any(|harmed| harmed.step.contains(object)), "nothing failed at {object}");
    }
    let codes = codes(&harmed);
    assert!(codes[&5] > 50 / apart as usize, "{codes:?}");
    eprintln!("{}: {} steps; exit codes {codes:?}", errno.name, harmed.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_from_any_step_on_is_said_and_costs_nothing_once_there_is_room() {
    fails_at_steps(1, ENOSPC, Plan::From).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_that_is_used_up_from_any_step_on_is_said_and_costs_nothing_once_there_is_room() {
    fails_at_steps(STEPS_APART, EDQUOT, Plan::From).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_read_only_from_any_step_on_is_said_and_costs_nothing_once_it_is_not() {
    fails_at_steps(STEPS_APART, EROFS, Plan::From).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_at_any_step_is_said_and_costs_nothing_once_it_works() {
    fails_at_steps(1, EIO, Plan::Fail).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_fails_at_any_reading_makes_no_verdict_of_what_is_left() {
    let scene = Scene::new().await;
    let harmed = tokio::task::block_in_place(|| {
        let sound = scene.case("sound");
        let expected = scene.run(&sound, Who::Platform(0), Plan::Nothing).ran().json();
        let harmed = in_turn(|step| {
            let harmed = harmed(&scene, &format!("{step}"), Plan::Read(step, EIO))?;
            let place = harmed.place();
            harmed.case.shows_nothing_partial();
            if harmed.ran.code == 0 {
                let report = harmed.case.is_complete(&harmed.ran, Who::Platform(0));
                for part in ["window", "decision", "features"] {
                    assert_eq!(report[part], expected[part], "{part}: {place}");
                }
                assert_eq!(report["current"]["rows"], expected["current"]["rows"], "{place}");
            } else {
                // The configuration, the logs or the reference, the bucket or the store.
                assert!([3, 4, 5].contains(&harmed.ran.code), "{place}");
                let errors = harmed.errors();
                assert!(errors.contains("config.toml") || errors.contains("bucket/") || errors.contains("state.db"), "{place}");
            }
            Some(harmed)
        });
        on_two_threads(&harmed, |harmed| harmed.is_completed(&scene));
        harmed
    });
    let codes = codes(&harmed);
    for object in ["config.toml", "bucket/predictions/logs.csv", "bucket/reference/reference.csv", "state.db"] {
        assert!(harmed.iter().any(|harmed| harmed.step.contains(object)), "nothing failed at {object}");
    }
    eprintln!("reading: {} steps; exit codes {codes:?}", harmed.len());
}
