//! Runs that are killed (SIGKILL), at every step that they take: the next run completes what they began, people hear of it once, and nothing is
//! left of them.
//!
//! Here on a folder with SQLite, where a step is a call of the C library that changes something (`support/interposer.c`); in
//! `killed/cloud.rs` on Cloud Storage and Firestore, where it is a request, or a piece of one, and its answer.

mod cloud;

use crate::interposer::{Plan, in_turn, on_two_threads};
use crate::scene::{Case, Ended, Scene, Who};

/// A case whose first run was killed.
struct Killed {
    case: Case,
    plan: Plan,
    /// What it had done.
    steps: Vec<String>,
}

impl Killed {
    /// Where, for people.
    fn place(&self) -> String {
        format!("{:?}, {} after {:?}", self.plan, self.steps.len(), self.steps.last())
    }
}

/// Kills a run at each step in turn; then runs each window again, by the platform that tries again or by a person, and looks at all of it.
/// Gives the kills.
fn kill_at_every_step(scene: &Scene, plan: fn(u32) -> Plan) -> Vec<Killed> {
    let killed = in_turn(|step| {
        let (case, plan) = (scene.case(&format!("{step}")), plan(step));
        let Ended { ran, steps } = scene.run(&case, Who::Platform(0), plan);
        if let Some(ran) = ran {
            case.is_complete(&ran, Who::Platform(0));
            return None;
        }
        case.shows_nothing_partial();
        Some(Killed { case, plan, steps })
    });
    // Some time after, as it is with platforms: what the dead held is nobody's any more.
    on_two_threads(&killed, |killed| {
        let who = if killed.plan.step().is_multiple_of(2) { Who::Platform(1) } else { Who::Person };
        let ended = scene.run(&killed.case, who, Plan::Nothing);
        let report = killed.case.is_complete(ended.ran(), who);
        let place = killed.place();
        assert_eq!(crate::aftermath::deliveries(&report), ["delivered", "delivered"], "{place}");
        killed.case.kept().is_one_episode(&report, &["slack", "webhook"], &place);
        scene.told(&killed.case).is_once(&place);
    });
    killed
}

/// How often people were told twice.
fn repetitions(scene: &Scene, killed: &[Killed]) -> usize {
    killed.iter().filter(|killed| scene.told(&killed.case).slack.len() > 1).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_before_any_step_is_completed_by_the_next() {
    let scene = Scene::new().await;
    let killed = tokio::task::block_in_place(|| kill_at_every_step(&scene, Plan::Kill));
    let last = killed.last().unwrap();
    // Every kind of step on every kind of object was one to die at.
    for step in [
        "mkdir bucket/reports/test/executions",
        "open bucket/reports/.drift-check-",
        "write bucket/reports/.drift-check-",
        "sync bucket/reports/.drift-check-",
        "rename bucket/reports/test/executions/drift-check-x1.json",
        "rename bucket/reports/test/2026/01/31/175901Z-24h/report.html",
        "rename bucket/reports/test/2026/01/31/175901Z-24h/report.json",
        "rename bucket/reports/test/latest.json",
        "rename bucket/reports/test/latest.html",
        "rename bucket/reports/test/index.html",
        "rename bucket/reports/test/cache/",
        "open state.db",
        "write state.db-journal",
        "sync state.db-journal",
        "write state.db",
        "sync state.db",
        "remove state.db-journal",
        "connect a receiver",
        "write a receiver",
    ] {
        assert!(last.steps.iter().any(|taken| taken.starts_with(step)), "no run came to {step}: {:#?}", last.steps);
    }
    let left = killed.iter().filter(|killed| killed.steps.last().is_some_and(|step| step.starts_with("sync bucket"))).count();
    assert!(left > 0, "no run was killed with an unfinished write");
    // Only who dies between a message and its receipt leaves it in doubt: a few steps of two messages.
    let repeated = repetitions(&scene, &killed);
    assert!((1..=killed.len() / 4).contains(&repeated), "{repeated} of {} kills had Slack told twice", killed.len());
    eprintln!("{} kills before a step, {repeated} messages in doubt", killed.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_killed_in_the_middle_of_a_write_is_completed_by_the_next() {
    let scene = Scene::new().await;
    let killed = tokio::task::block_in_place(|| kill_at_every_step(&scene, Plan::Half));
    assert!(killed.len() > 20, "{} kills", killed.len());
    eprintln!("{} kills in the middle of a write", killed.len());
}
