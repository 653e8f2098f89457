//! Clocks that jump by a day, at moments all over a run at which it asks for the time: the window is the one that was asked for, the run does
//! not wait for yesterday, its times make sense, and nobody is told twice.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::interposer::{Plan, in_turn};
use crate::scene::{CONFIG, Scene, Who};
use crate::workspace::text;

const DAY_S: i64 = 86_400;

/// A run reads the clock nearly two hundred times, most of them for its log: at every so many of them.
const JUMPS_APART: u32 = 5;

/// Slack alone: the webhook's receiver refuses, as it should, what was signed a day ago. Whoever holds a message has it for two seconds.
fn config() -> String {
    CONFIG.replace("\"slack\", \"webhook\"", "\"slack\"").replace("timeout = \"3s\"", "timeout = \"1s\"")
}

fn moment(report: &Value, name: &str) -> DateTime<Utc> {
    text(&report["run"][name]).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_by_a_day_at_any_moment_of_a_run_changes_nothing() {
    let scene = Scene::new().await;
    for (name, seconds) in [("forward", DAY_S), ("backward", -DAY_S)] {
        let jumps = tokio::task::block_in_place(|| {
            in_turn(|turn| {
                let time = 1 + (turn - 1) * JUMPS_APART;
                let case = scene.case_with(&format!("{name}-{time}"), &config());
                let ended = scene.run(&case, Who::Platform(0), Plan::Clock(time, seconds));
                if ended.steps.len() < time as usize {
                    return None;
                }
                let place = format!("{name} at {time} of {}", ended.steps.len());
                let report = case.is_complete(ended.ran(), Who::Platform(0));
                assert_eq!(report["window"]["end"], "2026-01-31T17:59:01Z", "{place}");
                let took = moment(&report, "finished_at") - moment(&report, "started_at");
                assert!(took >= TimeDelta::zero() && took < TimeDelta::minutes(1), "{place}: it took {took}");
                // Right again, or wrong for the first time.
                let again = scene.run(&case, Who::Platform(1), Plan::Nothing);
                let report = case.is_complete(again.ran(), Who::Platform(1));
                case.kept().is_one_episode(&report, &["slack"], &place);
                assert_eq!(scene.told(&case).doubts(), [false], "{place}");
                Some(time)
            })
        });
        assert!(jumps.len() > 3, "{jumps:?}");
        eprintln!("{} jumps {name}", jumps.len());
    }
}

/// Every run waits some seconds: at every so many readings of the clock.
const READINGS_APART: u32 = 13;

/// The dead run held a message; whoever comes next waits until that is over, by whatever clock.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_back_lets_nobody_wait_for_yesterday() {
    let scene = Scene::new().await;
    tokio::task::block_in_place(|| {
        let scout = scene.run(&scene.case_with("scout", &config()), Who::Platform(0), Plan::Nothing);
        let telling = scout.steps.iter().position(|step| step == "connect a receiver").unwrap() as u32 + 1;
        let jumps = in_turn(|turn| {
            let time = 1 + (turn - 1) * READINGS_APART;
            let case = scene.case_with(&format!("{time}"), &config());
            let killed = scene.run(&case, Who::Platform(0), Plan::Kill(telling));
            assert!(killed.ran.is_none(), "{time}: {:?}", killed.steps.last());
            let started = Instant::now();
            let ended = scene.run(&case, Who::Platform(1), Plan::Clock(time, -DAY_S));
            if ended.steps.len() < time as usize {
                return None;
            }
            let report = case.is_complete(ended.ran(), Who::Platform(1));
            assert!(started.elapsed() < Duration::from_secs(30), "{time}: {:?}", started.elapsed());
            case.kept().is_one_episode(&report, &["slack"], &format!("{time}"));
            assert_eq!(scene.told(&case).doubts(), [true], "{time}: nobody knows whether the dead run told it");
            Some(time)
        });
        assert!(jumps.len() > 3, "{jumps:?}");
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_tomorrow_does_not_stay_the_latest_when_the_clock_is_right_again() {
    let scene = Scene::new().await;
    // The window ends now, whenever that is.
    let case = scene.case_with("tomorrow", "");
    let latest = |name: &str| case.get(&format!("reports/test/latest.{name}"));
    let runs = [DAY_S, 0].map(|seconds| {
        let who = if seconds == 0 { Who::Person } else { Who::Platform(0) };
        let ended = tokio::task::block_in_place(|| scene.run(&case, who, Plan::Clock(1, seconds)));
        assert_eq!(ended.ran().code, 0, "{}", ended.ran().stderr);
        let report = ended.ran().json();
        assert!(serde_json::from_slice::<Value>(&latest("json")).unwrap() == report, "it is the latest");
        assert!(String::from_utf8(latest("html")).unwrap().contains(&text(&report["run"]["id"])));
        text(&report["window"]["end"]).parse::<DateTime<Utc>>().unwrap()
    });
    assert!(runs[0] - runs[1] > TimeDelta::hours(23), "the clock was wrong: {runs:?}");
}
